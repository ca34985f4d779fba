/*
 * dir.c - listing a directory.
 *
 * Owns:      the answer of the server that is being handed out: struct smb_dir, in the FOBX.
 * Locks:     the core holds the FCB exclusive.
 * Dies when: the handle is cleaned up, the scan is restarted, or all is handed out.
 *
 * The server is always asked in one class and for large answers; what the caller wants is made of that, entry by
 * entry, in whatever buffer he has.
 */
#include "mrx/smb/smb.h"

enum { FIRST_PAGE = 64 * 1024, NEXT_PAGE = 1024 * 1024 };

/* Offsets of one information class; 0 means that the class has no such member. */
struct layout {
	ULONG class;
	ULONG name_length; /* offset of FileNameLength */
	ULONG name;        /* offset of FileName */
	ULONG file_id;
	ULONG ea_size;
	ULONG short_name_length;
	bool full; /* has times, sizes and attributes */
};

#define OFFSET(type, member) FIELD_OFFSET(type, member)

static const struct layout layouts[] = {
	{FileDirectoryInformation, OFFSET(FILE_DIRECTORY_INFORMATION, FileNameLength),
	 OFFSET(FILE_DIRECTORY_INFORMATION, FileName), 0, 0, 0, true},
	{FileFullDirectoryInformation, OFFSET(FILE_FULL_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_FULL_DIR_INFORMATION, FileName), 0, OFFSET(FILE_FULL_DIR_INFORMATION, EaSize), 0, true},
	{FileBothDirectoryInformation, OFFSET(FILE_BOTH_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_BOTH_DIR_INFORMATION, FileName), 0, OFFSET(FILE_BOTH_DIR_INFORMATION, EaSize),
	 OFFSET(FILE_BOTH_DIR_INFORMATION, ShortNameLength), true},
	{FileIdBothDirectoryInformation, OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileName), OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileId),
	 OFFSET(FILE_ID_BOTH_DIR_INFORMATION, EaSize), OFFSET(FILE_ID_BOTH_DIR_INFORMATION, ShortNameLength),
	 true},
	{FileIdFullDirectoryInformation, OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileName), OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileId),
	 OFFSET(FILE_ID_FULL_DIR_INFORMATION, EaSize), 0, true},
	{FileNamesInformation, OFFSET(FILE_NAMES_INFORMATION, FileNameLength),
	 OFFSET(FILE_NAMES_INFORMATION, FileName), 0, 0, 0, false},
};

static const struct layout *layout_of(ULONG class)
{
	size_t i;

	for (i = 0; i < RTL_NUMBER_OF(layouts); i++)
		if (layouts[i].class == class)
			return &layouts[i];
	return NULL;
}

void smb_dir_reset(struct smb_dir *dir)
{
	smb_exchange_put(dir->page);
	RtlZeroMemory(dir, sizeof(*dir));
}

/* ---- handing out ------------------------------------------------------------------------------------- */

struct listing {
	const struct layout *layout;
	uint8_t *buffer;
	ULONG space;
	ULONG used;
	uint8_t *last; /* the entry before, whose NextEntryOffset is still to be set */
};

static void smb_fill_full(uint8_t *at, const struct layout *layout, const struct fscc_dir_entry *entry)
{
	FILE_DIRECTORY_INFORMATION *info = (void *)at; /* all full classes begin like this one */

	info->CreationTime.QuadPart = (LONGLONG)entry->creation_time;
	info->LastAccessTime.QuadPart = (LONGLONG)entry->last_access_time;
	info->LastWriteTime.QuadPart = (LONGLONG)entry->last_write_time;
	info->ChangeTime.QuadPart = (LONGLONG)entry->change_time;
	info->EndOfFile.QuadPart = (LONGLONG)(entry->end_of_file & INT64_MAX);
	info->AllocationSize.QuadPart = (LONGLONG)(entry->allocation_size & INT64_MAX);
	info->FileAttributes = entry->attributes != 0 ? entry->attributes : FILE_ATTRIBUTE_NORMAL;
	if (layout->ea_size != 0) /* of a reparse point the member holds the tag instead */
		wire_set_le32(at + layout->ea_size, entry->ea_size);
	if (layout->file_id != 0)
		wire_set_le64(at + layout->file_id, entry->file_id);
	if (layout->short_name_length != 0) {
		at[layout->short_name_length] = entry->short_name_len;
		RtlCopyMemory(at + layout->short_name_length + 2, entry->short_name, entry->short_name_len);
	}
}

/* Writes one entry; false when it does not fit. */
static bool smb_add_entry(struct listing *list, const struct fscc_dir_entry *entry)
{
	const struct layout *layout = list->layout;
	ULONG start = (list->used + 7u) & ~7u;
	uint8_t *at;

	if (start > list->space || list->space - start < layout->name + entry->name.len)
		return false;
	at = list->buffer + start;
	RtlZeroMemory(at, layout->name);
	wire_set_le32(at + OFFSET(FILE_DIRECTORY_INFORMATION, FileIndex), entry->file_index);
	if (layout->full)
		smb_fill_full(at, layout, entry);
	wire_set_le32(at + layout->name_length, (uint32_t)entry->name.len);
	RtlCopyMemory(at + layout->name, entry->name.p, entry->name.len);
	if (list->last != NULL)
		wire_set_le32(list->last, (uint32_t)(at - list->last));
	list->last = at;
	list->used = start + layout->name + (ULONG)entry->name.len;
	return true;
}

/* Moves entries from the page to the caller.  *full: the next one does not fit, or one was all he wanted. */
static NTSTATUS smb_hand_out(struct smb_dir *dir, struct listing *list, bool single, bool *full)
{
	struct fscc_dir_entry entry;

	*full = false;
	while (dir->page != NULL) {
		size_t before = dir->offset;
		int more = fscc_dir_next(FSCC_FILE_ID_BOTH_DIRECTORY, dir->list, &dir->offset, &entry);

		if (more < 0)
			return STATUS_INVALID_NETWORK_RESPONSE;
		if (more == 0) {
			smb_exchange_put(dir->page);
			dir->page = NULL;
			return STATUS_SUCCESS;
		}
		if (!smb_add_entry(list, &entry)) {
			dir->offset = before;
			*full = true;
			return STATUS_SUCCESS;
		}
		if (single) {
			*full = true;
			return STATUS_SUCCESS;
		}
	}
	return STATUS_SUCCESS;
}

/* ---- asking ------------------------------------------------------------------------------------------ */

static struct wire_slice smb_pattern(PMRX_FOBX fobx)
{
	static const uint8_t all[] = {'*', 0};
	struct wire_slice pattern = {(const uint8_t *)fobx->UnicodeQueryTemplate.Buffer,
				     fobx->UnicodeQueryTemplate.Length};

	if (pattern.len == 0)
		pattern = wire_slice_at(all, 0, sizeof(all));
	return pattern;
}

static NTSTATUS smb_next_page(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir)
{
	uint32_t most = open->tree->session->conn->neg.max_transact,
		 room = dir->started ? NEXT_PAGE : FIRST_PAGE;
	struct smb2_query_directory_request req = {
		.info_class = FSCC_FILE_ID_BOTH_DIRECTORY,
		.flags = dir->started ? 0 : SMB2_RESTART_SCANS,
		.file_id = open->id,
		.pattern = smb_pattern(RxContext->pFobx),
		.output_length = room < most ? room : most,
	};
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb_part *part =
		x == NULL ? NULL
			  : smb_exchange_add(x, SMB2_QUERY_DIRECTORY, SMB2_HDR_SIZE + 40 + req.pattern.len,
					     req.output_length);
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	if (part != NULL) {
		part->len = smb2_query_directory_request_encode(part->bytes, part->cap, &req);
		status = smb_run(RxContext, x);
	}
	if (status == STATUS_SUCCESS && (!smb2_output_response_decode(&part->pdu, &dir->list) ||
					 dir->list.len > req.output_length || dir->list.len == 0))
		status = STATUS_INVALID_NETWORK_RESPONSE;
	if (status != STATUS_SUCCESS) {
		smb_exchange_put(x);
		return status;
	}
	dir->started = true;
	dir->page = x;
	dir->offset = 0;
	return STATUS_SUCCESS;
}

static NTSTATUS smb_list(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir,
			 struct listing *list)
{
	bool full = false;
	NTSTATUS status;

	while (true) {
		status = smb_hand_out(dir, list, RxContext->QueryDirectory.ReturnSingleEntry, &full);
		if (status != STATUS_SUCCESS)
			return status;
		if (full)
			return list->last == NULL ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
		if (list->last != NULL || dir->ended)
			break; /* what is there goes out before the next round trip */
		status = smb_next_page(RxContext, open, dir);
		if (status == STATUS_NO_MORE_FILES)
			dir->ended = true;
		else if (status != STATUS_SUCCESS)
			return status;
	}
	return list->last != NULL ? STATUS_SUCCESS : STATUS_NO_MORE_FILES;
}

NTSTATUS mrx_smb_query_directory(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	struct smb_dir *dir = RxContext->pFobx->Context;
	struct listing list = {
		.layout = layout_of(RxContext->Info.FileInformationClass),
		.buffer = RxContext->Info.Buffer,
		.space = (ULONG)RxContext->Info.LengthRemaining,
	};
	NTSTATUS status;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (list.layout == NULL)
		return STATUS_INVALID_INFO_CLASS;
	if (RxContext->QueryDirectory.IndexSpecified)
		return STATUS_NOT_SUPPORTED; /* a server's index means nothing here */
	if (RxContext->QueryDirectory.RestartScan || RxContext->QueryDirectory.InitialQuery)
		smb_dir_reset(dir);
	status = smb_list(RxContext, open, dir, &list);
	RxContext->Info.LengthRemaining -= (LONG)list.used;
	return status;
}
