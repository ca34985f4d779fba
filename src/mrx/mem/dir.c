/*
 * dir.c - listing a directory of a memory volume.
 *
 * The position is a cookie in the FOBX extension: an entry that stays is listed exactly once, whatever is created
 * or removed between two calls.
 */
#include "mem.h"

/* Sizes and offsets of one information class; 0 offsets mean that the class has no such member. */
struct layout {
	ULONG class;
	ULONG name_length; /* offset of FileNameLength */
	ULONG name;        /* offset of FileName */
	ULONG file_id;
	ULONG ea_size;
	bool full; /* has times, sizes and attributes */
};

#define OFFSET(type, member) FIELD_OFFSET(type, member)

static const struct layout layouts[] = {
	{FileDirectoryInformation, OFFSET(FILE_DIRECTORY_INFORMATION, FileNameLength),
	 OFFSET(FILE_DIRECTORY_INFORMATION, FileName), 0, 0, true},
	{FileFullDirectoryInformation, OFFSET(FILE_FULL_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_FULL_DIR_INFORMATION, FileName), 0, OFFSET(FILE_FULL_DIR_INFORMATION, EaSize), true},
	{FileBothDirectoryInformation, OFFSET(FILE_BOTH_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_BOTH_DIR_INFORMATION, FileName), 0, OFFSET(FILE_BOTH_DIR_INFORMATION, EaSize), true},
	{FileIdBothDirectoryInformation, OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileName), OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileId),
	 OFFSET(FILE_ID_BOTH_DIR_INFORMATION, EaSize), true},
	{FileIdFullDirectoryInformation, OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileNameLength),
	 OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileName), OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileId),
	 OFFSET(FILE_ID_FULL_DIR_INFORMATION, EaSize), true},
	{FileNamesInformation, OFFSET(FILE_NAMES_INFORMATION, FileNameLength),
	 OFFSET(FILE_NAMES_INFORMATION, FileName), 0, 0, false},
};

static const struct layout *layout_of(ULONG class)
{
	size_t i;

	for (i = 0; i < RTL_NUMBER_OF(layouts); i++)
		if (layouts[i].class == class)
			return &layouts[i];
	return NULL;
}

struct listing {
	const struct layout *layout;
	uint8_t *buffer;
	ULONG space;
	ULONG used;
	uint8_t *last; /* the entry before, whose NextEntryOffset is still to be set */
};

/* Writes one entry; false when it does not fit. */
static bool add_item(struct listing *list, struct mem_node *node, const UNICODE_STRING *name, ULONG index)
{
	const struct layout *layout = list->layout;
	ULONG start = (list->used + 7u) & ~7u;
	FILE_DIRECTORY_INFORMATION *info;
	FILE_STAT_INFORMATION stat;
	uint8_t *at;

	if (start > list->space || list->space - start < layout->name + name->Length)
		return false;
	at = list->buffer + start;
	RtlZeroMemory(at, layout->name);
	info = (void *)at; /* all full classes begin like this one */
	info->FileIndex = index;
	if (layout->full) {
		mem_fill_stat(node, &stat);
		info->CreationTime = stat.CreationTime;
		info->LastAccessTime = stat.LastAccessTime;
		info->LastWriteTime = stat.LastWriteTime;
		info->ChangeTime = stat.ChangeTime;
		info->EndOfFile = stat.EndOfFile;
		info->AllocationSize = stat.AllocationSize;
		info->FileAttributes = stat.FileAttributes;
	}
	if (layout->ea_size != 0) /* of a reparse point the member holds the tag instead */
		*(ULONG *)(at + layout->ea_size) =
			node->reparse_tag != 0 ? node->reparse_tag : node->ea.length;
	if (layout->file_id != 0)
		((PLARGE_INTEGER)(at + layout->file_id))->QuadPart = (LONGLONG)node->id;
	*(ULONG *)(at + layout->name_length) = name->Length;
	RtlCopyMemory(at + layout->name, name->Buffer, name->Length);
	if (list->last != NULL)
		*(ULONG *)list->last = (ULONG)(at - list->last);
	list->last = at;
	list->used = start + layout->name + name->Length;
	return true;
}

static bool matches(PUNICODE_STRING pattern, const UNICODE_STRING *name, bool ignore_case)
{
	if (pattern->Length == 0 || (pattern->Length == sizeof(WCHAR) && pattern->Buffer[0] == '*'))
		return true;
	if (!FsRtlDoesNameContainWildCards(pattern))
		return RtlEqualUnicodeString(pattern, (PUNICODE_STRING)name, ignore_case) != FALSE;
	return FsRtlIsNameInExpression(pattern, (PUNICODE_STRING)name, ignore_case, NULL) != FALSE;
}

/* The entry at or after the cookie: first "." and "..", then what the directory holds. */
static bool item_at_locked(struct mem_node *dir, uint64_t *cookie, struct mem_node **node,
			   UNICODE_STRING *name)
{
	static WCHAR dots[] = u"..";
	struct mem_entry *entry;

	if (*cookie < 2) {
		name->Buffer = dots;
		name->Length = name->MaximumLength = (USHORT)((*cookie + 1) * sizeof(WCHAR));
		*node = *cookie == 0 || dir->dir.parent == NULL ? dir : dir->dir.parent;
		return true;
	}
	entry = mem_dir_next_locked(dir, *cookie - 1); /* cookies of entries begin at 1 */
	if (entry == NULL)
		return false;
	*cookie = entry->cookie + 1;
	*node = entry->node;
	*name = entry->name;
	return true;
}

static NTSTATUS list_locked(PRX_CONTEXT RxContext, struct mem_handle *handle, struct mem_scan *scan,
			    struct listing *list)
{
	PUNICODE_STRING pattern = &RxContext->pFobx->UnicodeQueryTemplate;
	bool ignore_case = handle->volume->case_insensitive;
	UNICODE_STRING name;
	struct mem_node *node;
	ULONG count = 0;

	while (item_at_locked(handle->node, &scan->cookie, &node, &name)) {
		if (matches(pattern, &name, ignore_case)) {
			if (!add_item(list, node, &name, (ULONG)scan->cookie))
				return count == 0 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
			count++;
		}
		scan->cookie++;
		if (count > 0 && RxContext->QueryDirectory.ReturnSingleEntry)
			break;
	}
	if (count > 0)
		return STATUS_SUCCESS;
	return RxContext->QueryDirectory.InitialQuery ? STATUS_NO_SUCH_FILE : STATUS_NO_MORE_FILES;
}

NTSTATUS mrx_mem_query_directory(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = mem_handle_of(RxContext->pFobx->pSrvOpen);
	struct mem_scan *scan = RxContext->pFobx->Context;
	struct listing list = {
		.layout = layout_of(RxContext->Info.FileInformationClass),
		.buffer = RxContext->Info.Buffer,
		.space = (ULONG)RxContext->Info.LengthRemaining,
	};
	NTSTATUS status;

	if (handle == NULL)
		return STATUS_FILE_CLOSED;
	if (!handle->node->is_directory)
		return STATUS_INVALID_PARAMETER;
	if (list.layout == NULL)
		return STATUS_INVALID_INFO_CLASS;
	if (RxContext->QueryDirectory.RestartScan || RxContext->QueryDirectory.InitialQuery)
		scan->cookie = 0;
	if (RxContext->QueryDirectory.IndexSpecified)
		scan->cookie = (uint64_t)RxContext->QueryDirectory.FileIndex + 1;
	ExAcquireFastMutex(&handle->volume->mutex);
	status = list_locked(RxContext, handle, scan, &list);
	ExReleaseFastMutex(&handle->volume->mutex);
	RxContext->Info.LengthRemaining -= (LONG)list.used;
	return status;
}
