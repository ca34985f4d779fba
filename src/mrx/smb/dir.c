/*
 * dir.c - listing a directory: what the server sent (pages.c), handed out.
 *
 * Owns:      nothing; struct smb_dir in the FOBX is pages.c's.
 * Locks:     the core holds the FCB exclusive.
 *
 * The server is always asked in one class and for large answers; what the caller wants is made of that, entry by
 * entry, in whatever buffer he has.
 */
#include "mrx/smb/smb.h"

#include "rxecp.h"

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
	while (dir->opened) {
		size_t before = dir->offset;
		int more = fscc_dir_next(FSCC_FILE_ID_BOTH_DIRECTORY, dir->list, &dir->offset, &entry);

		if (more < 0)
			return STATUS_INVALID_NETWORK_RESPONSE;
		if (more == 0) {
			smb_pages_drop(dir);
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

/* ---- the callback ------------------------------------------------------------------------------------ */

/* The caller may want to know how old the entries are. */
static void smb_tell_age(PRX_CONTEXT RxContext, const struct smb_dir *dir)
{
	PIRP irp = RxContext->CurrentIrp;
	PRX_LISTING_AGE age = irp != NULL ? (PVOID)irp->Tail.Overlay.AuxiliaryBuffer : NULL;

	if (age != NULL && age->Type == RX_LISTING_AGE_TYPE && dir->opened && age->AskedAt == 0)
		age->AskedAt = dir->page[0].asked_at;
}

static NTSTATUS smb_list(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir,
			 struct listing *list)
{
	bool full = false;
	NTSTATUS status;

	while (true) {
		smb_tell_age(RxContext, dir);
		status = smb_hand_out(dir, list, RxContext->QueryDirectory.ReturnSingleEntry, &full);
		if (status != STATUS_SUCCESS)
			return status;
		if (full)
			return list->last == NULL ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
		if (list->last != NULL)
			return STATUS_SUCCESS; /* what is there goes out before the next page is waited for */
		status = smb_pages_next(RxContext, open, dir);
		if (status != STATUS_SUCCESS)
			return status;
	}
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
	NTSTATUS status = STATUS_SUCCESS;
	bool there;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (list.layout == NULL)
		return STATUS_INVALID_INFO_CLASS;
	if (RxContext->QueryDirectory.IndexSpecified)
		return STATUS_NOT_SUPPORTED; /* a server's index means nothing here */
	there = dir->with_create && !RxContext->QueryDirectory.RestartScan &&
		RxContext->pFobx->UnicodeQueryTemplate.Length == 0;
	if ((RxContext->QueryDirectory.RestartScan || RxContext->QueryDirectory.InitialQuery) && !there)
		status = smb_pages_restart(RxContext, open, dir);
	if (status == STATUS_SUCCESS)
		status = smb_list(RxContext, open, dir, &list);
	RxContext->Info.LengthRemaining -= (LONG)list.used;
	return status;
}
