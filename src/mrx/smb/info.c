/*
 * info.c - file information, both ways.
 *
 * A query fills RxContext->Info.Buffer and takes what it used off Info.LengthRemaining (bytes).  Most classes have one
 * layout in NT and on the wire, but nothing is handed on that has not the size, or the shape, of its class.
 */
#include "mrx/smb/smb.h"

#include "rxecp.h"

#define SMB_TAG_NAME 'nBmS'

/* ---- answering --------------------------------------------------------------------------------------- */

static NTSTATUS smb_put(PRX_CONTEXT RxContext, const void *bytes, size_t length)
{
	size_t used = 0;

	if ((size_t)RxContext->Info.LengthRemaining < length)
		return STATUS_BUFFER_TOO_SMALL;
	if (length != 0)
		RtlCopyMemory((uint8_t *)RxContext->Info.Buffer + used, bytes, length);
	RxContext->Info.LengthRemaining -= (LONG)length;
	return STATUS_SUCCESS;
}

/* A fixed part and a name behind it, cut to what fits; the length in the fixed part is the whole one's. */
static NTSTATUS smb_put_with_name(PRX_CONTEXT RxContext, const void *fixed, size_t fixed_length,
				  struct wire_slice name)
{
	size_t room = (size_t)RxContext->Info.LengthRemaining, fits;

	if (room < fixed_length)
		return STATUS_BUFFER_TOO_SMALL;
	fits = name.len <= room - fixed_length ? name.len : (room - fixed_length) & ~(size_t)1;
	RtlCopyMemory(RxContext->Info.Buffer, fixed, fixed_length);
	if (fits != 0)
		RtlCopyMemory((uint8_t *)RxContext->Info.Buffer + fixed_length, name.p, fits);
	RxContext->Info.LengthRemaining -= (LONG)(fixed_length + fits);
	return fits < name.len ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* Classes of one fixed size and one layout. */
static size_t smb_fixed_size(FILE_INFORMATION_CLASS class)
{
	switch ((int)class) {
	case FileBasicInformation:
		return sizeof(FILE_BASIC_INFORMATION);
	case FileStandardInformation:
		return sizeof(FILE_STANDARD_INFORMATION);
	case FileInternalInformation:
		return sizeof(FILE_INTERNAL_INFORMATION);
	case FileEaInformation:
		return sizeof(FILE_EA_INFORMATION);
	case FileAccessInformation:
		return sizeof(FILE_ACCESS_INFORMATION);
	case FilePositionInformation:
		return sizeof(FILE_POSITION_INFORMATION);
	case FileModeInformation:
		return sizeof(FILE_MODE_INFORMATION);
	case FileAlignmentInformation:
		return sizeof(FILE_ALIGNMENT_INFORMATION);
	case FileCompressionInformation:
		return 16;
	case FileNetworkOpenInformation:
		return sizeof(FILE_NETWORK_OPEN_INFORMATION);
	case FileAttributeTagInformation:
		return sizeof(FILE_ATTRIBUTE_TAG_INFORMATION);
	case FileIdInformation:
		return 24;
	default:
		return 0;
	}
}

static NTSTATUS smb_query_fixed(PRX_CONTEXT RxContext, struct smb_open *open, size_t size)
{
	struct smb_query query = {
		.type = SMB2_0_INFO_FILE,
		.info_class = (uint8_t)RxContext->Info.FileInformationClass,
		.room = (uint32_t)size,
	};
	struct smb_exchange *x;
	struct wire_slice output;
	NTSTATUS status;

	if ((size_t)RxContext->Info.LengthRemaining < size)
		return STATUS_BUFFER_TOO_SMALL;
	status = smb_query_info(RxContext, open, &query, &x, &output);
	if (status == STATUS_SUCCESS) {
		uint8_t whole[64] = {0};

		/* some servers leave out the padding at the end of a class */
		if (output.len + 7 < size || size > sizeof(whole)) {
			status = STATUS_INVALID_NETWORK_RESPONSE;
		} else {
			RtlCopyMemory(whole, output.p, output.len);
			status = smb_put(RxContext, whole, size);
		}
	}
	smb_exchange_put(x);
	return status;
}

static NTSTATUS smb_query_all(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_exchange **x,
			      struct fscc_all *all, struct wire_slice *output)
{
	struct smb_query query = {
		.type = SMB2_0_INFO_FILE,
		.info_class = FSCC_FILE_ALL,
		.room = 4096,
	};
	NTSTATUS status = smb_query_info(RxContext, open, &query, x, output);

	if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW)
		return status;
	return fscc_all_decode(*output, all) ? STATUS_SUCCESS : STATUS_INVALID_NETWORK_RESPONSE;
}

static NTSTATUS smb_answer_all(PRX_CONTEXT RxContext, struct smb_open *open)
{
	size_t fixed = FIELD_OFFSET(FILE_ALL_INFORMATION, NameInformation.FileName);
	struct smb_exchange *x;
	struct wire_slice output;
	struct fscc_all all;
	NTSTATUS status = smb_query_all(RxContext, open, &x, &all, &output);

	if (status == STATUS_SUCCESS && output.len < fixed)
		status = STATUS_INVALID_NETWORK_RESPONSE;
	if (status == STATUS_SUCCESS)
		status = smb_put_with_name(RxContext, output.p, fixed, all.name);
	smb_exchange_put(x);
	return status;
}

static ULONG smb_reparse_tag(PRX_CONTEXT RxContext, struct smb_open *open)
{
	struct smb_query query = {.type = SMB2_0_INFO_FILE, .info_class = FSCC_FILE_ATTRIBUTE_TAG, .room = 8};
	struct fscc_attribute_tag tag = {0};
	struct smb_exchange *x;
	struct wire_slice output;

	if (smb_query_info(RxContext, open, &query, &x, &output) != STATUS_SUCCESS ||
	    !fscc_attribute_tag_decode(output, &tag))
		tag.reparse_tag = 0;
	smb_exchange_put(x);
	return tag.reparse_tag;
}

/* All but the tag of a reparse point. */
static void smb_stat_from_all(PRX_CONTEXT RxContext, struct smb_open *open, const struct fscc_all *all,
			      FILE_STAT_INFORMATION *stat)
{
	LONG64 number = smb_number_of(RxContext->pFcb);

	RtlZeroMemory(stat, sizeof(*stat));
	stat->FileId.QuadPart = number != 0 ? number : (LONGLONG)all->index_number;
	stat->CreationTime.QuadPart = (LONGLONG)all->basic.creation_time;
	stat->LastAccessTime.QuadPart = (LONGLONG)all->basic.last_access_time;
	stat->LastWriteTime.QuadPart = (LONGLONG)all->basic.last_write_time;
	stat->ChangeTime.QuadPart = (LONGLONG)all->basic.change_time;
	stat->AllocationSize.QuadPart = (LONGLONG)(all->standard.allocation_size & INT64_MAX);
	stat->EndOfFile.QuadPart = (LONGLONG)(all->standard.end_of_file & INT64_MAX);
	stat->FileAttributes = all->basic.attributes != 0 ? all->basic.attributes : FILE_ATTRIBUTE_NORMAL;
	stat->NumberOfLinks = all->standard.number_of_links;
	stat->EffectiveAccess = open->tree->maximal_access;
}

/* A class that servers of today do not know: put together from one that all know. */
static NTSTATUS smb_answer_stat(PRX_CONTEXT RxContext, struct smb_open *open)
{
	FILE_STAT_INFORMATION stat;
	struct smb_exchange *x;
	struct wire_slice output;
	struct fscc_all all;
	NTSTATUS status = smb_query_all(RxContext, open, &x, &all, &output);

	smb_exchange_put(x); /* nothing of what follows borrows from it */
	if (status != STATUS_SUCCESS)
		return status;
	smb_stat_from_all(RxContext, open, &all, &stat);
	if (stat.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
		stat.ReparseTag = smb_reparse_tag(RxContext, open);
	return smb_put(RxContext, &stat, sizeof(stat));
}

/* The name is what it was opened or renamed to: nobody knows better. */
static NTSTATUS smb_answer_name(PRX_CONTEXT RxContext)
{
	const UNICODE_STRING *name = RxContext->pFobx->pSrvOpen->pAlreadyPrefixedName;
	struct wire_slice text = {(const uint8_t *)name->Buffer, name->Length};
	ULONG length = name->Length;

	return smb_put_with_name(RxContext, &length, sizeof(length), text);
}

static bool smb_streams_are_sound(struct wire_slice list)
{
	struct fscc_stream entry;
	size_t offset = 0;
	int more;

	do
		more = list.len == 0 ? 0 : fscc_stream_next(list, &offset, &entry);
	while (more == 1);
	return more == 0;
}

static NTSTATUS smb_answer_streams(PRX_CONTEXT RxContext, struct smb_open *open)
{
	struct smb_query query = {
		.type = SMB2_0_INFO_FILE,
		.info_class = FSCC_FILE_STREAM,
		.room = (uint32_t)RxContext->Info.LengthRemaining,
	};
	struct smb_exchange *x;
	struct wire_slice output;
	NTSTATUS status = smb_query_info(RxContext, open, &query, &x, &output);

	if (status == STATUS_SUCCESS)
		status = smb_streams_are_sound(output) ? smb_put(RxContext, output.p, output.len)
						       : STATUS_INVALID_NETWORK_RESPONSE;
	smb_exchange_put(x);
	return status;
}

NTSTATUS mrx_smb_query_file_info(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	size_t fixed = smb_fixed_size(RxContext->Info.FileInformationClass);

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (fixed != 0)
		return smb_query_fixed(RxContext, open, fixed);
	switch ((int)RxContext->Info.FileInformationClass) {
	case FileAllInformation:
		return smb_answer_all(RxContext, open);
	case FileStatInformation:
		return smb_answer_stat(RxContext, open);
	case FileNameInformation:
	case FileNormalizedNameInformation:
		return smb_answer_name(RxContext);
	case FileStreamInformation:
		return smb_answer_streams(RxContext, open);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

/* ---- setting ----------------------------------------------------------------------------------------- */

/*
 * The target of a rename or link as a path from the share's root, without a leading backslash: a name with a
 * backslash is one already, a bare name stands beside the file.  path->Buffer is pool memory that the caller frees.
 */
static NTSTATUS smb_target_path(const UNICODE_STRING *now, const WCHAR *name, ULONG bytes,
				UNICODE_STRING *path)
{
	ULONG dir = 0, n = bytes / sizeof(WCHAR), i;
	UNICODE_STRING whole, trimmed;
	bool bare = true;

	if (bytes == 0 || bytes % sizeof(WCHAR) != 0 || bytes > 32 * 1024)
		return STATUS_OBJECT_NAME_INVALID;
	for (i = 0; i < n; i++)
		bare = bare && name[i] != '\\';
	if (bare)
		for (dir = now->Length / sizeof(WCHAR); dir > 0 && now->Buffer[dir - 1] != '\\'; dir--)
			;
	if ((dir + n) * sizeof(WCHAR) > UINT16_MAX - sizeof(WCHAR))
		return STATUS_NAME_TOO_LONG;
	whole.Buffer = ExAllocatePoolWithTag(PagedPool, (dir + n) * sizeof(WCHAR), SMB_TAG_NAME);
	if (whole.Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (dir != 0)
		RtlCopyMemory(whole.Buffer, now->Buffer, dir * sizeof(WCHAR));
	RtlCopyMemory(whole.Buffer + dir, name, bytes);
	whole.Length = whole.MaximumLength = (USHORT)((dir + n) * sizeof(WCHAR));
	trimmed = smb_relative_path(&whole);
	RtlMoveMemory(whole.Buffer, trimmed.Buffer, trimmed.Length);
	whole.Length = trimmed.Length;
	*path = whole;
	return STATUS_SUCCESS;
}

/* Rename and link have one layout; in the extended class the first byte has grown to a word of flags. */
static NTSTATUS smb_encode_name(const UNICODE_STRING *now, FILE_INFORMATION_CLASS class,
				const FILE_RENAME_INFORMATION *info, ULONG length, BOOLEAN replace,
				uint8_t **bytes, size_t *count)
{
	ULONG head = FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName);
	bool extended = class == FileRenameInformationEx;
	struct fscc_rename rename;
	UNICODE_STRING path;
	NTSTATUS status;

	if (length < head || info->FileNameLength > length - head)
		return STATUS_INVALID_PARAMETER;
	status = smb_target_path(now, info->FileName, info->FileNameLength, &path);
	if (status != STATUS_SUCCESS)
		return status;
	rename.replace_if_exists = replace || (!extended && info->ReplaceIfExists);
	rename.name.p = (const uint8_t *)path.Buffer;
	rename.name.len = path.Length;
	*bytes = ExAllocatePoolWithTag(PagedPool, path.Length + 64u, SMB_TAG_NAME);
	if (*bytes != NULL)
		*count = fscc_rename_encode(*bytes, path.Length + 64u, &rename);
	if (*count != 0 && extended)
		wire_set_le32(*bytes, info->Flags);
	ExFreePoolWithTag(path.Buffer, SMB_TAG_NAME);
	return *count != 0 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static size_t smb_set_size(FILE_INFORMATION_CLASS class)
{
	switch ((int)class) {
	case FileBasicInformation:
		return sizeof(FILE_BASIC_INFORMATION);
	case FileEndOfFileInformation:
		return sizeof(FILE_END_OF_FILE_INFORMATION);
	case FileAllocationInformation:
		return sizeof(FILE_ALLOCATION_INFORMATION);
	case FileDispositionInformation:
		return sizeof(FILE_DISPOSITION_INFORMATION);
	case FileDispositionInformationEx:
		return sizeof(FILE_DISPOSITION_INFORMATION_EX);
	case FileValidDataLengthInformation:
		return sizeof(FILE_VALID_DATA_LENGTH_INFORMATION);
	case FileModeInformation:
		return sizeof(FILE_MODE_INFORMATION);
	default:
		return 0;
	}
}

NTSTATUS smb_encode_set(const UNICODE_STRING *now, FILE_INFORMATION_CLASS class, const void *buffer,
			ULONG length, BOOLEAN replace, uint8_t **bytes, size_t *count)
{
	size_t size = smb_set_size(class);
	NTSTATUS status;

	*bytes = NULL;
	*count = 0;
	if (size == 0 && class != FileRenameInformation && class != FileRenameInformationEx &&
	    class != FileLinkInformation)
		return STATUS_INVALID_INFO_CLASS;
	if (size == 0) {
		status = smb_encode_name(now, class, buffer, length, replace, bytes, count);
		if (status != STATUS_SUCCESS && *bytes != NULL) {
			ExFreePoolWithTag(*bytes, SMB_TAG_NAME);
			*bytes = NULL;
		}
		return status;
	}
	if (length < size)
		return STATUS_INFO_LENGTH_MISMATCH;
	*bytes = ExAllocatePoolWithTag(PagedPool, size, SMB_TAG_NAME);
	if (*bytes == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlCopyMemory(*bytes, buffer, size);
	*count = size;
	return STATUS_SUCCESS;
}

/* What the caller wants to know after the change; NULL: nothing. */
static PRX_QUERY_ON_SET smb_query_on_set(PRX_CONTEXT RxContext)
{
	PIRP irp = RxContext->CurrentIrp;
	PRX_QUERY_ON_SET query = irp != NULL ? (PVOID)irp->Tail.Overlay.AuxiliaryBuffer : NULL;

	return query != NULL && query->Type == RX_QUERY_ON_SET_TYPE ? query : NULL;
}

static NTSTATUS smb_set_and_tell(PRX_CONTEXT RxContext, struct smb_open *open, PRX_QUERY_ON_SET query,
				 const uint8_t *bytes, size_t count)
{
	struct fscc_all all;
	bool known;
	NTSTATUS status = smb_set_and_query(RxContext, open, (uint8_t)RxContext->Info.FileInformationClass,
					    bytes, count, &all, &known);

	if (status == STATUS_SUCCESS && known && (all.basic.attributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0) {
		smb_stat_from_all(RxContext, open, &all, &query->Stat);
		query->Supplied = TRUE;
	}
	return status;
}

NTSTATUS mrx_smb_set_file_info(PRX_CONTEXT RxContext)
{
	PRX_QUERY_ON_SET query = smb_query_on_set(RxContext);
	struct smb_open *open = smb_open_of_request(RxContext);
	FILE_INFORMATION_CLASS class = RxContext->Info.FileInformationClass;
	uint8_t *bytes;
	size_t count;
	NTSTATUS status;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	status = smb_encode_set(RxContext->pFobx->pSrvOpen->pAlreadyPrefixedName, class,
				RxContext->Info.Buffer, (ULONG)RxContext->Info.Length,
				RxContext->Info.ReplaceIfExists, &bytes, &count);
	if (status != STATUS_SUCCESS)
		return status;
	status = query != NULL
			 ? smb_set_and_tell(RxContext, open, query, bytes, count)
			 : smb_set_info(RxContext, open, SMB2_0_INFO_FILE, (uint8_t) class, 0, bytes, count);
	ExFreePoolWithTag(bytes, SMB_TAG_NAME);
	/* the file goes with its last handle: who closes it hears whether it went */
	if (status == STATUS_SUCCESS &&
	    (class == FileDispositionInformation || class == FileDispositionInformationEx))
		InterlockedExchange(&open->heard_out, 1);
	return status;
}

/* The file's new end is in the FCB. */
NTSTATUS mrx_smb_truncate(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	uint8_t bytes[8];

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	wire_set_le64(bytes, (uint64_t)RxContext->pFcb->Header.FileSize.QuadPart);
	return smb_set_info(RxContext, open, SMB2_0_INFO_FILE, FSCC_FILE_END_OF_FILE, 0, bytes,
			    sizeof(bytes));
}

/* What was never written reads as zeros at the server: there is nothing to fill in. */
NTSTATUS mrx_smb_zero_extend(PRX_CONTEXT RxContext)
{
	(void)RxContext;
	return STATUS_SUCCESS;
}
