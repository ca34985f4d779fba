/*
 * fsnames.c - what a client can do with the names of a memory volume: walk, delete, rename, link; and ask for its own.
 *
 * Owns:   nothing; names are struct mem_entry, of their directory (node.c).
 * Locks:  takes the volume's mutex, but for what is called with it (_locked); see memfs.h.
 *
 * Deleting follows NTFS: a disposition marks the node, its name goes away with the last cleanup; with POSIX
 * semantics the name goes at once and the node lives on until its last handle is closed.
 */
#include "memfs.h"

/* Cuts the first component off `rest`; false at the end.  Doubled backslashes are refused by the walk. */
static bool next_component(UNICODE_STRING *rest, UNICODE_STRING *part)
{
	USHORT i, n = rest->Length / sizeof(WCHAR);

	if (n == 0)
		return false;
	for (i = 0; i < n && rest->Buffer[i] != '\\'; i++)
		;
	part->Buffer = rest->Buffer;
	part->Length = part->MaximumLength = (USHORT)(i * sizeof(WCHAR));
	if (i < n)
		i++;
	rest->Buffer += i;
	rest->Length -= (USHORT)(i * sizeof(WCHAR));
	return true;
}

NTSTATUS mem_fs_walk_locked(struct mem_volume *volume, const UNICODE_STRING *path, struct mem_node **dir,
			    UNICODE_STRING *last)
{
	UNICODE_STRING rest = *path, part;
	struct mem_node *at = volume->root;

	*dir = NULL;
	while (next_component(&rest, &part)) {
		struct mem_entry *entry;

		if (part.Length == 0)
			return STATUS_OBJECT_NAME_INVALID;
		if (part.Length > 255 * sizeof(WCHAR))
			return STATUS_NAME_TOO_LONG;
		if (rest.Length == 0) {
			*dir = at;
			*last = part;
			return STATUS_SUCCESS;
		}
		entry = mem_dir_find_locked(at, &part);
		if (entry == NULL)
			return STATUS_OBJECT_PATH_NOT_FOUND;
		if (entry->node->reparse_tag != 0)
			return STATUS_STOPPED_ON_SYMLINK;
		if (!entry->node->is_directory)
			return STATUS_OBJECT_PATH_NOT_FOUND;
		at = entry->node;
	}
	return STATUS_SUCCESS;
}

struct mem_entry *mem_fs_entry_locked(struct mem_handle *handle)
{
	struct mem_entry *entry = handle->entry, *now = entry;

	while (now != NULL && !now->linked && now->successor != NULL)
		now = now->successor;
	if (now != entry) {
		now->refs++;
		handle->entry = now;
		mem_entry_dereference_locked(entry);
	}
	return now;
}

void mem_fs_unlink_locked(struct mem_entry *entry, struct mem_wakeups *wake)
{
	ULONG filter = entry->node->is_directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME;

	mem_watches_changed_locked(entry->parent, filter, FILE_ACTION_REMOVED, &entry->name, wake);
	mem_dir_unlink_locked(entry);
}

bool mem_fs_delete_pending_locked(struct mem_handle *handle)
{
	const struct mem_entry *entry = mem_fs_entry_locked(handle);

	return entry != NULL && entry->delete_pending;
}

void mem_fs_set_delete_pending_locked(struct mem_handle *handle, bool pending)
{
	struct mem_entry *entry = mem_fs_entry_locked(handle);

	if (entry == NULL || !entry->linked || entry->delete_pending == pending)
		return;
	entry->delete_pending = pending;
	if (pending)
		entry->node->deletes++;
	else
		entry->node->deletes--;
}

/* ---- deleting and renaming ---------------------------------------------------------------------------- */

static NTSTATUS may_delete_locked(struct mem_handle *handle, ULONG flags)
{
	struct mem_node *node = handle->node;

	if (handle->entry == NULL)
		return STATUS_CANNOT_DELETE; /* the root stays */
	if ((node->attributes & FILE_ATTRIBUTE_READONLY) &&
	    !(flags & FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE))
		return STATUS_CANNOT_DELETE;
	if (node->is_directory && node->dir.count > 0)
		return STATUS_DIRECTORY_NOT_EMPTY;
	return STATUS_SUCCESS;
}

/* flags: FILE_DISPOSITION_ bits of the Ex class. */
NTSTATUS mem_fs_set_disposition(struct mem_handle *handle, ULONG flags, struct mem_wakeups *wake)
{
	NTSTATUS status = STATUS_SUCCESS;

	ExAcquireFastMutex(&handle->volume->mutex);
	if (!(flags & FILE_DISPOSITION_DELETE)) {
		mem_fs_set_delete_pending_locked(handle, false);
		handle->delete_on_close = false;
	} else {
		do
			status = may_delete_locked(handle, flags);
		while (NT_SUCCESS(status) &&
		       mem_lease_break_locked(handle->node, handle->key, MEM_LEASE_HANDLE));
		if (NT_SUCCESS(status) && (flags & FILE_DISPOSITION_POSIX_SEMANTICS)) {
			if (mem_fs_entry_locked(handle)->linked)
				mem_fs_unlink_locked(handle->entry, wake);
		} else if (NT_SUCCESS(status)) {
			mem_fs_set_delete_pending_locked(handle, true);
		}
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}

static bool is_below_locked(const struct mem_node *node, const struct mem_node *ancestor)
{
	for (; node != NULL; node = node->dir.parent)
		if (node == ancestor)
			return true;
	return false;
}

/* A file that gets another name, or none, is closed by those who keep it open for nobody.  True: others were waited for. */
static bool break_of_names_locked(struct mem_node *node, const void *key)
{
	bool waited;

	node->refs++;
	waited = mem_lease_break_locked(node, key, MEM_LEASE_HANDLE);
	mem_node_dereference_locked(node);
	return waited;
}

/* May the target name be taken over?  *gone says that the caller has nothing left to do. */
static NTSTATUS clear_target_locked(struct mem_handle *handle, struct mem_entry *target, ULONG flags,
				    bool link, bool *gone, struct mem_wakeups *wake)
{
	struct mem_node *old = target->node;

	*gone = false;
	if (target == handle->entry || (old == handle->node && link)) {
		*gone = true;
		return link ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS;
	}
	if (!(flags & FILE_RENAME_REPLACE_IF_EXISTS))
		return STATUS_OBJECT_NAME_COLLISION;
	if (old->is_directory && !(flags & FILE_RENAME_POSIX_SEMANTICS))
		return STATUS_ACCESS_DENIED;
	if (old->is_directory != handle->node->is_directory)
		return old->is_directory ? STATUS_FILE_IS_A_DIRECTORY : STATUS_NOT_A_DIRECTORY;
	if (old->is_directory && old->dir.count > 0)
		return STATUS_DIRECTORY_NOT_EMPTY;
	if ((old->attributes & FILE_ATTRIBUTE_READONLY) && !(flags & FILE_RENAME_IGNORE_READONLY_ATTRIBUTE))
		return STATUS_ACCESS_DENIED;
	if (break_of_names_locked(old, handle->key))
		return STATUS_MORE_PROCESSING_REQUIRED;
	if (old->opens > 0 && old != handle->node && !(flags & FILE_RENAME_POSIX_SEMANTICS))
		return STATUS_ACCESS_DENIED;
	mem_fs_unlink_locked(target, wake);
	return STATUS_SUCCESS;
}

/* STATUS_MORE_PROCESSING_REQUIRED: others were waited for; begin again. */
static NTSTATUS rename_locked(struct mem_handle *handle, const UNICODE_STRING *path, ULONG flags, bool link,
			      struct mem_wakeups *wake)
{
	struct mem_entry *target, *moved = NULL, *old = mem_fs_entry_locked(handle);
	struct mem_node *dir, *node = handle->node;
	UNICODE_STRING last;
	ULONG filter = node->is_directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME;
	NTSTATUS status = mem_fs_walk_locked(handle->volume, path, &dir, &last);
	bool gone;

	if (!NT_SUCCESS(status))
		return status;
	if (dir == NULL || old == NULL)
		return STATUS_ACCESS_DENIED; /* nothing becomes the root, and the root stays where it is */
	if (!old->linked && !link)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (link && node->is_directory)
		return STATUS_FILE_IS_A_DIRECTORY;
	if (link && node->links == 0)
		return STATUS_DELETE_PENDING;
	if (node->is_directory && is_below_locked(dir, node))
		return STATUS_INVALID_PARAMETER; /* a directory does not go below itself */
	if (!link && break_of_names_locked(node, handle->key))
		return STATUS_MORE_PROCESSING_REQUIRED;
	target = mem_dir_find_locked(dir, &last);
	if (target != NULL && !(target == old && !link)) {
		status = clear_target_locked(handle, target, flags, link, &gone, wake);
		if (!NT_SUCCESS(status) || gone)
			return status;
	}
	if (link) {
		status = mem_dir_link_locked(dir, &last, node, NULL);
		if (NT_SUCCESS(status)) {
			mem_node_touch_locked(node, MEM_TOUCH_CHANGE);
			mem_watches_changed_locked(dir, filter, FILE_ACTION_ADDED, &last, wake);
		}
		return status;
	}
	mem_watches_changed_locked(old->parent, filter, FILE_ACTION_RENAMED_OLD_NAME, &old->name, wake);
	status = mem_dir_move_locked(old, dir, &last, &moved);
	if (!NT_SUCCESS(status))
		return status;
	mem_watches_changed_locked(dir, filter, FILE_ACTION_RENAMED_NEW_NAME, &last, wake);
	return STATUS_SUCCESS;
}

/* path: full, from the volume's root; flags: FILE_RENAME_ bits; link: add a name instead of moving one. */
NTSTATUS mem_fs_rename(struct mem_handle *handle, const UNICODE_STRING *path, ULONG flags, bool link,
		       struct mem_wakeups *wake)
{
	NTSTATUS status;

	ExAcquireFastMutex(&handle->volume->mutex);
	do
		status = rename_locked(handle, path, flags, link, wake);
	while (status == STATUS_MORE_PROCESSING_REQUIRED);
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}

/* ---- the other way ------------------------------------------------------------------------------------- */

/* Writes `\a\b` into the buffer, from its end backwards and then moved to the front; *length in bytes. */
NTSTATUS mem_fs_path_locked(struct mem_handle *handle, WCHAR *buffer, ULONG capacity, ULONG *length)
{
	const struct mem_entry *entry = mem_fs_entry_locked(handle);
	ULONG at = capacity / sizeof(WCHAR);
	ULONG end = at;

	if (entry != NULL && !entry->linked)
		return STATUS_FILE_DELETED; /* no name leads here any more */
	if (entry == NULL && at > 0)
		buffer[--at] = '\\';
	while (entry != NULL) {
		ULONG n = entry->name.Length / sizeof(WCHAR);
		struct mem_node *dir = entry->parent;
		ULONG i;

		if (at < n + 1)
			return STATUS_BUFFER_OVERFLOW;
		at -= n;
		RtlCopyMemory(buffer + at, entry->name.Buffer, entry->name.Length);
		buffer[--at] = '\\';
		entry = NULL;
		if (dir->dir.parent != NULL) /* a directory has one name: find it among its parent's */
			for (i = 0; i < dir->dir.parent->dir.slot_count && entry == NULL; i++)
				if (dir->dir.parent->dir.slots[i].entry != NULL &&
				    dir->dir.parent->dir.slots[i].entry->node == dir)
					entry = dir->dir.parent->dir.slots[i].entry;
	}
	*length = (end - at) * sizeof(WCHAR);
	RtlMoveMemory(buffer, buffer + at, *length);
	return STATUS_SUCCESS;
}
