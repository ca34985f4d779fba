/*
 * info.c - file information, both ways.
 *
 * A query fills RxContext->Info.Buffer and takes what it used off Info.LengthRemaining (bytes).
 */
#include "mem.h"

struct answer {
	uint8_t *at;
	ULONG space; /* bytes left */
};

static struct mem_handle *handle_of(PRX_CONTEXT RxContext)
{
	return mem_handle_of(RxContext->pFobx->pSrvOpen);
}

static NTSTATUS put(struct answer *answer, const void *bytes, ULONG length)
{
	if (answer->space < length)
		return STATUS_BUFFER_TOO_SMALL;
	RtlCopyMemory(answer->at, bytes, length);
	answer->at += length;
	answer->space -= length;
	return STATUS_SUCCESS;
}

static FILE_BASIC_INFORMATION basic_of(const FILE_STAT_INFORMATION *stat)
{
	FILE_BASIC_INFORMATION basic;

	RtlZeroMemory(&basic, sizeof(basic));
	basic.CreationTime = stat->CreationTime;
	basic.LastAccessTime = stat->LastAccessTime;
	basic.LastWriteTime = stat->LastWriteTime;
	basic.ChangeTime = stat->ChangeTime;
	basic.FileAttributes = stat->FileAttributes;
	return basic;
}

static FILE_STANDARD_INFORMATION standard_of_locked(struct mem_handle *handle,
						    const FILE_STAT_INFORMATION *stat)
{
	FILE_STANDARD_INFORMATION standard;

	RtlZeroMemory(&standard, sizeof(standard));
	standard.AllocationSize = stat->AllocationSize;
	standard.EndOfFile = stat->EndOfFile;
	standard.NumberOfLinks = stat->NumberOfLinks;
	standard.DeletePending = mem_fs_delete_pending_locked(handle);
	standard.Directory = handle->node->is_directory;
	return standard;
}

static FILE_NETWORK_OPEN_INFORMATION network_open_of(const FILE_STAT_INFORMATION *stat)
{
	FILE_NETWORK_OPEN_INFORMATION open;

	RtlZeroMemory(&open, sizeof(open));
	open.CreationTime = stat->CreationTime;
	open.LastAccessTime = stat->LastAccessTime;
	open.LastWriteTime = stat->LastWriteTime;
	open.ChangeTime = stat->ChangeTime;
	open.AllocationSize = stat->AllocationSize;
	open.EndOfFile = stat->EndOfFile;
	open.FileAttributes = stat->FileAttributes;
	return open;
}

/* FILE_NAME_INFORMATION: the length is always the whole one, even where the name had to be cut. */
static NTSTATUS put_name_locked(struct answer *answer, struct mem_handle *handle)
{
	ULONG capacity = 64 * 1024, length = 0, fits;
	WCHAR *path = ExAllocatePoolWithTag(PagedPool, capacity, MEM_TAG_NAME);
	NTSTATUS status;

	if (path == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = mem_fs_path_locked(handle, path, capacity, &length);
	if (NT_SUCCESS(status))
		status = put(answer, &length, sizeof(length));
	if (NT_SUCCESS(status)) {
		fits = length <= answer->space ? length : answer->space & ~1u;
		status = put(answer, path, fits);
		if (fits < length)
			status = STATUS_BUFFER_OVERFLOW;
	}
	ExFreePoolWithTag(path, MEM_TAG_NAME);
	return status;
}

static NTSTATUS put_all_locked(struct answer *answer, struct mem_handle *handle,
			       const FILE_STAT_INFORMATION *stat)
{
	FILE_ALL_INFORMATION all;

	RtlZeroMemory(&all, sizeof(all));
	all.BasicInformation = basic_of(stat);
	all.StandardInformation = standard_of_locked(handle, stat);
	all.InternalInformation.IndexNumber = stat->FileId;
	all.EaInformation.EaSize = handle->node->ea.length;
	all.AccessInformation.AccessFlags = handle->access;
	if (answer->space < FIELD_OFFSET(FILE_ALL_INFORMATION, NameInformation) + sizeof(ULONG))
		return STATUS_BUFFER_TOO_SMALL;
	(void)put(answer, &all,
		  FIELD_OFFSET(FILE_ALL_INFORMATION, NameInformation)); /* the space was checked */
	return put_name_locked(answer, handle);
}

static NTSTATUS put_stream_locked(struct answer *answer, struct mem_handle *handle,
				  const FILE_STAT_INFORMATION *stat)
{
	static const WCHAR name[] = u"::$DATA";
	FILE_STREAM_INFORMATION stream;
	ULONG head = FIELD_OFFSET(FILE_STREAM_INFORMATION, StreamName);
	ULONG bytes = sizeof(name) - sizeof(WCHAR);

	if (handle->node->is_directory)
		return STATUS_SUCCESS; /* a directory has no data stream: an empty list */
	if (answer->space < head + bytes)
		return STATUS_BUFFER_OVERFLOW;
	RtlZeroMemory(&stream, sizeof(stream));
	stream.StreamNameLength = bytes;
	stream.StreamSize = stat->EndOfFile;
	stream.StreamAllocationSize = stat->AllocationSize;
	(void)put(answer, &stream, head); /* the space was checked */
	return put(answer, name, bytes);
}

static NTSTATUS answer_locked(struct answer *answer, FILE_INFORMATION_CLASS class, struct mem_handle *handle)
{
	FILE_STAT_INFORMATION stat;
	FILE_BASIC_INFORMATION basic;
	FILE_STANDARD_INFORMATION standard;
	FILE_NETWORK_OPEN_INFORMATION open;
	FILE_ATTRIBUTE_TAG_INFORMATION tag;
	FILE_EA_INFORMATION ea;
	FILE_INTERNAL_INFORMATION id;

	mem_fill_stat(handle->node, &stat);
	switch ((int)class) {
	case FileBasicInformation:
		basic = basic_of(&stat);
		return put(answer, &basic, sizeof(basic));
	case FileStandardInformation:
		standard = standard_of_locked(handle, &stat);
		return put(answer, &standard, sizeof(standard));
	case FileInternalInformation:
		id.IndexNumber = stat.FileId;
		return put(answer, &id, sizeof(id));
	case FileEaInformation:
		ea.EaSize = handle->node->ea.length;
		return put(answer, &ea, sizeof(ea));
	case FileNetworkOpenInformation:
		open = network_open_of(&stat);
		return put(answer, &open, sizeof(open));
	case FileAttributeTagInformation:
		tag.FileAttributes = stat.FileAttributes;
		tag.ReparseTag = stat.ReparseTag;
		return put(answer, &tag, sizeof(tag));
	case FileStatInformation:
		return put(answer, &stat, sizeof(stat));
	case FileNameInformation:
	case FileNormalizedNameInformation:
		return put_name_locked(answer, handle);
	case FileAllInformation:
		return put_all_locked(answer, handle, &stat);
	case FileStreamInformation:
		return put_stream_locked(answer, handle, &stat);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

NTSTATUS mrx_mem_query_file_info(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = handle_of(RxContext);
	struct answer answer = {RxContext->Info.Buffer, (ULONG)RxContext->Info.LengthRemaining};
	NTSTATUS status;

	if (handle == NULL)
		return STATUS_FILE_CLOSED;
	ExAcquireFastMutex(&handle->volume->mutex);
	status = answer_locked(&answer, RxContext->Info.FileInformationClass, handle);
	ExReleaseFastMutex(&handle->volume->mutex);
	RxContext->Info.LengthRemaining = (LONG)answer.space;
	return status;
}

/*
 * The target of a rename or link as a path from the share's root: a name with a backslash is one already, a bare
 * name stands beside the file.  *path is pool memory that the caller frees.
 */
static NTSTATUS target_path(struct mem_handle *handle, const WCHAR *name, ULONG bytes, UNICODE_STRING *path)
{
	ULONG i, n = bytes / sizeof(WCHAR), dir = 0, capacity = 64 * 1024;
	bool bare = true;
	NTSTATUS status = STATUS_SUCCESS;
	WCHAR *buffer;

	if (bytes == 0 || bytes % sizeof(WCHAR) != 0 || bytes > 32 * 1024)
		return STATUS_OBJECT_NAME_INVALID;
	for (i = 0; i < n; i++)
		bare = bare && name[i] != '\\';
	buffer = ExAllocatePoolWithTag(PagedPool, capacity, MEM_TAG_NAME);
	if (buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (bare) {
		ExAcquireFastMutex(&handle->volume->mutex);
		status = mem_fs_path_locked(handle, buffer, capacity - bytes, &dir);
		ExReleaseFastMutex(&handle->volume->mutex);
		for (dir /= sizeof(WCHAR); dir > 0 && buffer[dir - 1] != '\\'; dir--)
			;
	}
	if (!NT_SUCCESS(status)) {
		ExFreePoolWithTag(buffer, MEM_TAG_NAME);
		return status;
	}
	RtlCopyMemory(buffer + dir, name, bytes);
	path->Buffer = buffer;
	path->Length = path->MaximumLength = (USHORT)(dir * sizeof(WCHAR) + bytes);
	return STATUS_SUCCESS;
}

static NTSTATUS set_name(PRX_CONTEXT RxContext, struct mem_handle *handle, ULONG flags, bool link,
			 struct mem_wakeups *wake)
{
	const FILE_RENAME_INFORMATION *info = RxContext->Info.Buffer;
	ULONG head = FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName);
	UNICODE_STRING whole, path;
	NTSTATUS status;

	if ((ULONG)RxContext->Info.Length < head ||
	    info->FileNameLength > (ULONG)RxContext->Info.Length - head)
		return STATUS_INVALID_PARAMETER;
	status = target_path(handle, info->FileName, info->FileNameLength, &whole);
	if (!NT_SUCCESS(status))
		return status;
	path = mem_relative_path(&whole);
	status = mem_fs_rename(handle, &path, flags, link, wake);
	ExFreePoolWithTag(whole.Buffer, MEM_TAG_NAME);
	return status;
}

static NTSTATUS set_allocation(struct mem_handle *handle, LONGLONG allocation, struct mem_wakeups *wake)
{
	LONGLONG size;

	ExAcquireResourceSharedLite(&handle->node->data_lock, TRUE);
	size = handle->node->size;
	ExReleaseResourceLite(&handle->node->data_lock);
	if (allocation < 0)
		return STATUS_INVALID_PARAMETER;
	/* Room is taken as data arrives; an allocation below the size cuts the file. */
	return allocation < size ? mem_fs_set_size(handle, allocation, wake) : STATUS_SUCCESS;
}

static NTSTATUS set_info(PRX_CONTEXT RxContext, struct mem_handle *handle, struct mem_wakeups *wake)
{
	const void *buffer = RxContext->Info.Buffer;
	ULONG length = (ULONG)RxContext->Info.Length;
	ULONG replace = RxContext->Info.ReplaceIfExists ? FILE_RENAME_REPLACE_IF_EXISTS : 0;

	switch ((int)RxContext->Info.FileInformationClass) {
	case FileBasicInformation:
		if (length < sizeof(FILE_BASIC_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		return mem_fs_set_basic(handle, buffer, wake);
	case FileEndOfFileInformation:
		if (length < sizeof(FILE_END_OF_FILE_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		if (!(handle->access & FILE_WRITE_DATA))
			return STATUS_ACCESS_DENIED;
		return mem_fs_set_size(
			handle, ((const FILE_END_OF_FILE_INFORMATION *)buffer)->EndOfFile.QuadPart, wake);
	case FileAllocationInformation:
		if (length < sizeof(FILE_ALLOCATION_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		if (!(handle->access & FILE_WRITE_DATA))
			return STATUS_ACCESS_DENIED;
		return set_allocation(
			handle, ((const FILE_ALLOCATION_INFORMATION *)buffer)->AllocationSize.QuadPart, wake);
	case FileDispositionInformation:
		if (length < sizeof(FILE_DISPOSITION_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		if (!(handle->access & DELETE))
			return STATUS_ACCESS_DENIED;
		return mem_fs_set_disposition(handle,
					      ((const FILE_DISPOSITION_INFORMATION *)buffer)->DeleteFile
						      ? FILE_DISPOSITION_DELETE
						      : 0,
					      wake);
	case FileDispositionInformationEx:
		if (length < sizeof(FILE_DISPOSITION_INFORMATION_EX))
			return STATUS_INFO_LENGTH_MISMATCH;
		if (!(handle->access & DELETE))
			return STATUS_ACCESS_DENIED;
		return mem_fs_set_disposition(handle,
					      ((const FILE_DISPOSITION_INFORMATION_EX *)buffer)->Flags, wake);
	case FileRenameInformation:
		if (!(handle->access & DELETE))
			return STATUS_ACCESS_DENIED;
		return set_name(RxContext, handle, replace, false, wake);
	case FileRenameInformationEx:
		if (!(handle->access & DELETE))
			return STATUS_ACCESS_DENIED;
		return set_name(RxContext, handle, ((const FILE_RENAME_INFORMATION *)buffer)->Flags, false,
				wake);
	case FileLinkInformation:
		return set_name(RxContext, handle, replace, true, wake);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

NTSTATUS mrx_mem_set_file_info(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = handle_of(RxContext);
	struct mem_wakeups wake;
	NTSTATUS status;

	if (handle == NULL)
		return STATUS_FILE_CLOSED;
	mem_wakeups_init(&wake);
	status = set_info(RxContext, handle, &wake);
	mem_run_wakeups(&wake);
	return status;
}

/* Sizes and times are the volume's own from the first write on: nothing is owed at cleanup. */
NTSTATUS mrx_mem_set_file_info_at_cleanup(PRX_CONTEXT RxContext)
{
	(void)RxContext;
	return STATUS_SUCCESS;
}

NTSTATUS mrx_mem_is_valid_directory(PRX_CONTEXT RxContext, PUNICODE_STRING DirectoryName)
{
	struct mem_volume *volume = RxContext->Create.pNetRoot->Context;
	UNICODE_STRING path = mem_relative_path(DirectoryName);
	struct mem_wakeups wake;
	struct mem_handle *handle;
	ULONG created;
	NTSTATUS status;
	struct mem_open how = {
		.path = &path,
		.access = FILE_READ_ATTRIBUTES,
		.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
		.disposition = FILE_OPEN,
		.options = FILE_DIRECTORY_FILE,
	};

	mem_wakeups_init(&wake);
	status = mem_fs_open(volume, &how, &handle, &created, &wake);
	if (NT_SUCCESS(status))
		mem_fs_close(handle, &wake);
	mem_run_wakeups(&wake);
	return NT_SUCCESS(status) ? STATUS_SUCCESS : STATUS_BAD_NETWORK_PATH;
}
