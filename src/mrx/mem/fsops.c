/*
 * fsops.c - what a client can ask of a file of a memory volume: open, close, read, write, size, times.
 *
 * Owns:   struct mem_handle, from mem_fs_open() to mem_fs_close().
 * Locks:  takes the volume's mutex, and inside it the node's data_lock; see memfs.h.
 *
 * Names are in fsnames.c: paths, deletion, renaming.
 */
#include "memfs.h"

#define WRITES_DATA (FILE_WRITE_DATA | FILE_APPEND_DATA)

static bool replaces_data(const struct mem_open *how)
{
	return how->disposition == FILE_SUPERSEDE || how->disposition == FILE_OVERWRITE ||
	       how->disposition == FILE_OVERWRITE_IF;
}

/* entry: the name that led to the node; NULL: the root. */
static NTSTATUS check_existing_locked(struct mem_node *node, const struct mem_entry *entry,
				      const struct mem_open *how)
{
	bool replaces = replaces_data(how);

	if (how->disposition == FILE_CREATE)
		return STATUS_OBJECT_NAME_COLLISION;
	if (entry != NULL && entry->delete_pending)
		return STATUS_DELETE_PENDING;
	if (node->reparse_tag != 0 && !(how->options & FILE_OPEN_REPARSE_POINT))
		return STATUS_STOPPED_ON_SYMLINK;
	if (node->is_directory && (how->options & FILE_NON_DIRECTORY_FILE))
		return STATUS_FILE_IS_A_DIRECTORY;
	if (!node->is_directory && (how->options & FILE_DIRECTORY_FILE))
		return STATUS_NOT_A_DIRECTORY;
	if (node->is_directory && replaces)
		return STATUS_OBJECT_NAME_COLLISION;
	if ((node->attributes & FILE_ATTRIBUTE_READONLY) &&
	    (((how->access & WRITES_DATA) && !node->is_directory) || replaces))
		return STATUS_ACCESS_DENIED;
	if ((node->attributes & FILE_ATTRIBUTE_READONLY) && (how->options & FILE_DELETE_ON_CLOSE))
		return STATUS_CANNOT_DELETE;
	return STATUS_SUCCESS;
}

static void truncate_for_overwrite(struct mem_node *node, const struct mem_open *how)
{
	ExAcquireResourceExclusiveLite(&node->data_lock, TRUE);
	mem_data_discard(node, 0);
	node->size = 0;
	ExReleaseResourceLite(&node->data_lock);
	node->attributes = (how->attributes & (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
					       FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_TEMPORARY)) |
			   FILE_ATTRIBUTE_ARCHIVE;
	(void)mem_blob_set(&node->ea, how->ea, how->ea_length); /* a failure leaves the old ones */
	mem_node_touch_locked(node, MEM_TOUCH_WRITE);
}

static NTSTATUS create_new_locked(struct mem_node *dir, const UNICODE_STRING *name,
				  const struct mem_open *how, struct mem_entry **out,
				  struct mem_wakeups *wake)
{
	bool directory = (how->options & FILE_DIRECTORY_FILE) != 0;
	struct mem_node *node;
	NTSTATUS status;

	if (how->disposition == FILE_OPEN || how->disposition == FILE_OVERWRITE)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (dir->deletes > 0 || (dir->links == 0 && dir != dir->volume->root))
		return STATUS_DELETE_PENDING;
	status = mem_node_create_locked(dir->volume, directory, &node);
	if (!NT_SUCCESS(status))
		return status;
	node->attributes |= how->attributes & (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
					       FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_TEMPORARY);
	status = mem_blob_set(&node->ea, how->ea, how->ea_length);
	if (NT_SUCCESS(status))
		status = mem_dir_link_locked(dir, name, node, out);
	mem_node_dereference_locked(node);
	if (!NT_SUCCESS(status))
		return status;
	mem_watches_changed_locked(dir,
				   directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME,
				   FILE_ACTION_ADDED, name, wake);
	return STATUS_SUCCESS;
}

static NTSTATUS take_share_locked(struct mem_handle *handle)
{
	NTSTATUS status = IoCheckShareAccess(handle->access, handle->share_access, &handle->share_file,
					     &handle->node->share, TRUE);

	handle->share_counted = NT_SUCCESS(status) != 0;
	return status;
}

static struct mem_handle *handle_alloc(struct mem_volume *volume, const struct mem_open *how)
{
	struct mem_handle *handle = ExAllocatePoolWithTag(NonPagedPool, sizeof(*handle), MEM_TAG_HANDLE);

	if (handle == NULL)
		return NULL;
	RtlZeroMemory(handle, sizeof(*handle));
	handle->volume = volume;
	handle->access = how->access;
	handle->share_access = how->share_access;
	handle->key = how->lease_key;
	handle->opener = how->opener;
	handle->delete_on_close = (how->options & FILE_DELETE_ON_CLOSE) != 0;
	return handle;
}

static void handle_attach_locked(struct mem_handle *handle, struct mem_node *node, struct mem_entry *entry)
{
	handle->node = node;
	handle->entry = entry;
	node->refs++;
	node->opens++;
	InsertTailList(&node->handles, &handle->link);
	if (entry != NULL)
		entry->refs++;
	InterlockedIncrement(&handle->volume->refs);
}

/*
 * Takes back what others may keep and this open is in the way of.  True: it was waited for, and the way to the node
 * must be gone again.
 */
static bool break_for_open_locked(struct mem_node *node, const struct mem_open *how)
{
	ULONG bits = 0;
	bool waited;

	if ((how->access & (FILE_READ_DATA | FILE_EXECUTE | WRITES_DATA)) || replaces_data(how))
		bits |= MEM_LEASE_WRITE;
	if (how->options & FILE_DELETE_ON_CLOSE)
		bits |= MEM_LEASE_HANDLE;
	if (bits == 0)
		return false;
	node->refs++;
	waited = mem_lease_break_locked(node, how->lease_key, bits);
	mem_node_dereference_locked(node);
	return waited;
}

/* Handles that only sleep hold their share modes; whoever gives up handle caching closes them. */
static NTSTATUS share_or_break_locked(struct mem_handle *handle, struct mem_node *node,
				      const struct mem_open *how)
{
	NTSTATUS status;

	handle->node = node;
	status = take_share_locked(handle);
	if (status == STATUS_SHARING_VIOLATION) {
		node->refs++;
		if (mem_lease_break_locked(node, how->lease_key, MEM_LEASE_HANDLE))
			status = STATUS_RETRY;
		mem_node_dereference_locked(node);
	}
	return status;
}

static bool may_open_locked(const struct mem_open *how, const struct mem_node *node)
{
	bool makes = how->disposition != FILE_OPEN && how->disposition != FILE_OVERWRITE;

	if (how->expect == 0)
		return true;
	return node != NULL ? node->id == how->expect : !makes;
}

/* STATUS_MORE_PROCESSING_REQUIRED: others were waited for; begin again. */
static NTSTATUS open_locked(struct mem_handle *handle, const struct mem_open *how, ULONG *created,
			    struct mem_wakeups *wake)
{
	struct mem_volume *volume = handle->volume;
	struct mem_entry *entry = NULL;
	struct mem_node *dir, *node;
	UNICODE_STRING last;
	NTSTATUS status = mem_fs_walk_locked(volume, how->path, &dir, &last);

	if (!NT_SUCCESS(status))
		return status;
	if (dir != NULL)
		entry = mem_dir_find_locked(dir, &last);
	node = dir == NULL ? volume->root : entry != NULL ? entry->node : NULL;
	if (!may_open_locked(how, node))
		return STATUS_RETRY;
	if (node == NULL) {
		status = create_new_locked(dir, &last, how, &entry, wake);
		if (!NT_SUCCESS(status))
			return status;
		*created = FILE_CREATED;
		handle_attach_locked(handle, entry->node, entry);
		mem_lease_grant_locked(handle, how);
		return take_share_locked(handle); /* a new node has no other opener: this succeeds */
	}

	status = check_existing_locked(node, entry, how);
	if (!NT_SUCCESS(status))
		return status;
	if (break_for_open_locked(node, how))
		return STATUS_MORE_PROCESSING_REQUIRED;
	status = share_or_break_locked(handle, node, how);
	if (!NT_SUCCESS(status))
		return status == STATUS_RETRY ? STATUS_MORE_PROCESSING_REQUIRED : status;
	handle_attach_locked(handle, node, entry);
	*created = FILE_OPENED;
	if (replaces_data(how)) {
		truncate_for_overwrite(node, how);
		mem_lease_revoke_locked(node, how->lease_key, MEM_LEASE_ALL);
		*created = how->disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED : FILE_OVERWRITTEN;
		if (entry != NULL)
			mem_watches_changed_locked(entry->parent, FILE_NOTIFY_CHANGE_SIZE,
						   FILE_ACTION_MODIFIED, &entry->name, wake);
	}
	mem_lease_grant_locked(handle, how);
	return STATUS_SUCCESS;
}

NTSTATUS mem_fs_open(struct mem_volume *volume, const struct mem_open *how, struct mem_handle **out,
		     ULONG *created, struct mem_wakeups *wake)
{
	struct mem_handle *handle = handle_alloc(volume, how);
	NTSTATUS status;

	*out = NULL;
	if (handle == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	ExAcquireFastMutex(&volume->mutex);
	do
		status = open_locked(handle, how, created, wake);
	while (status == STATUS_MORE_PROCESSING_REQUIRED);
	ExReleaseFastMutex(&volume->mutex);
	if (!NT_SUCCESS(status)) {
		ExFreePoolWithTag(handle, MEM_TAG_HANDLE);
		return status;
	}
	*out = handle;
	return STATUS_SUCCESS;
}

static bool is_open_by_locked(const struct mem_entry *entry)
{
	PLIST_ENTRY link;

	for (link = entry->node->handles.Flink; link != &entry->node->handles; link = link->Flink)
		if (mem_fs_entry_locked(CONTAINING_RECORD(link, struct mem_handle, link)) == entry)
			return true;
	return false;
}

/* Gives up what the handle holds towards others: share access, locks, watches, a delete it owes. */
void mem_fs_cleanup(struct mem_handle *handle, struct mem_wakeups *wake)
{
	struct mem_node *node = handle->node;
	struct mem_entry *entry;

	ExAcquireFastMutex(&handle->volume->mutex);
	if (!handle->cleaned_up) {
		handle->cleaned_up = true;
		RemoveEntryList(&handle->link);
		mem_waits_drop_handle_locked(handle, wake);
		if (handle->share_counted)
			IoRemoveShareAccess(&handle->share_file, &node->share);
		if (handle->delete_on_close && !(node->is_directory && node->dir.count > 0))
			mem_fs_set_delete_pending_locked(handle, true);
		node->opens--;
		entry = mem_fs_entry_locked(handle);
		if (entry != NULL && entry->delete_pending && !is_open_by_locked(entry))
			mem_fs_unlink_locked(entry, wake);
	}
	ExReleaseFastMutex(&handle->volume->mutex);
}

void mem_fs_close(struct mem_handle *handle, struct mem_wakeups *wake)
{
	struct mem_volume *volume = handle->volume;

	mem_fs_cleanup(handle, wake);
	ExAcquireFastMutex(&volume->mutex);
	mem_lease_drop_handle_locked(handle);
	if (handle->entry != NULL)
		mem_entry_dereference_locked(handle->entry);
	mem_node_dereference_locked(handle->node);
	ExReleaseFastMutex(&volume->mutex);
	ExFreePoolWithTag(handle, MEM_TAG_HANDLE);
	mem_volume_dereference(volume);
}

NTSTATUS mem_fs_read(struct mem_handle *handle, LONGLONG offset, void *bytes, ULONG length, ULONG key,
		     ULONG *done)
{
	struct mem_node *node = handle->node;
	bool blocked;

	*done = 0;
	if (node->is_directory)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (offset < 0)
		return STATUS_INVALID_PARAMETER;
	ExAcquireFastMutex(&handle->volume->mutex);
	blocked = mem_fs_range_blocked_locked(node, handle, key, offset, length, false);
	ExReleaseFastMutex(&handle->volume->mutex);
	if (blocked)
		return STATUS_FILE_LOCK_CONFLICT;

	ExAcquireResourceSharedLite(&node->data_lock, TRUE);
	if (offset < node->size) {
		*done = node->size - offset < length ? (ULONG)(node->size - offset) : length;
		mem_data_read(node, offset, bytes, *done);
	}
	ExReleaseResourceLite(&node->data_lock);
	return *done == 0 && length > 0 ? STATUS_END_OF_FILE : STATUS_SUCCESS;
}

static void told_modified_locked(struct mem_handle *handle, ULONG filter, struct mem_wakeups *wake)
{
	struct mem_entry *entry = mem_fs_entry_locked(handle);

	if (entry != NULL && entry->linked)
		mem_watches_changed_locked(entry->parent, filter, FILE_ACTION_MODIFIED, &entry->name, wake);
}

/* Whoever has kept the data as it was hears of it before the change is answered. */
void mem_fs_data_changed(struct mem_handle *handle)
{
	ExAcquireFastMutex(&handle->volume->mutex);
	mem_lease_revoke_locked(handle->node, handle->key, MEM_LEASE_ALL);
	ExReleaseFastMutex(&handle->volume->mutex);
}

/* offset FILE_WRITE_TO_END_OF_FILE (-1) appends. */
NTSTATUS mem_fs_write(struct mem_handle *handle, LONGLONG offset, const void *bytes, ULONG length, ULONG key,
		      ULONG *done, struct mem_wakeups *wake)
{
	struct mem_node *node = handle->node;
	NTSTATUS status = STATUS_SUCCESS;
	bool blocked;

	*done = 0;
	if (node->is_directory)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (offset < -1)
		return STATUS_INVALID_PARAMETER;
	ExAcquireFastMutex(&handle->volume->mutex);
	blocked = offset >= 0 && mem_fs_range_blocked_locked(node, handle, key, offset, length, true);
	if (!blocked && length > 0) {
		mem_node_touch_locked(node, MEM_TOUCH_WRITE);
		node->attributes |= FILE_ATTRIBUTE_ARCHIVE;
		told_modified_locked(handle, FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE, wake);
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	if (blocked)
		return STATUS_FILE_LOCK_CONFLICT;

	ExAcquireResourceExclusiveLite(&node->data_lock, TRUE);
	if (offset == -1)
		offset = node->size;
	if (offset > INT64_MAX - (LONGLONG)length)
		status = STATUS_INVALID_PARAMETER;
	else if (length > 0)
		status = mem_data_write(node, offset, bytes, length);
	if (NT_SUCCESS(status)) {
		*done = length;
		if (offset + length > node->size)
			node->size = offset + length;
	}
	ExReleaseResourceLite(&node->data_lock);
	mem_fs_data_changed(handle);
	return status;
}

NTSTATUS mem_fs_set_size(struct mem_handle *handle, LONGLONG size, struct mem_wakeups *wake)
{
	struct mem_node *node = handle->node;

	if (node->is_directory || size < 0)
		return STATUS_INVALID_PARAMETER;
	ExAcquireResourceExclusiveLite(&node->data_lock, TRUE);
	if (size < node->size)
		mem_data_discard(node, size);
	node->size = size;
	ExReleaseResourceLite(&node->data_lock);
	ExAcquireFastMutex(&handle->volume->mutex);
	mem_node_touch_locked(node, MEM_TOUCH_WRITE);
	told_modified_locked(handle, FILE_NOTIFY_CHANGE_SIZE, wake);
	mem_lease_revoke_locked(node, handle->key, MEM_LEASE_ALL);
	ExReleaseFastMutex(&handle->volume->mutex);
	return STATUS_SUCCESS;
}

#define SETTABLE \
	(FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE | \
	 FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED | FILE_ATTRIBUTE_OFFLINE)

/* A time of 0 or -1 is left alone, as are attributes of 0. */
NTSTATUS mem_fs_set_basic(struct mem_handle *handle, const FILE_BASIC_INFORMATION *basic,
			  struct mem_wakeups *wake)
{
	struct mem_node *node = handle->node;

	ExAcquireFastMutex(&handle->volume->mutex);
	mem_node_touch_locked(node, MEM_TOUCH_CHANGE);
	if (basic->CreationTime.QuadPart > 0)
		node->creation_time = basic->CreationTime;
	if (basic->LastAccessTime.QuadPart > 0)
		node->last_access_time = basic->LastAccessTime;
	if (basic->LastWriteTime.QuadPart > 0)
		node->last_write_time = basic->LastWriteTime;
	if (basic->ChangeTime.QuadPart > 0)
		node->change_time = basic->ChangeTime;
	if (basic->FileAttributes != 0)
		node->attributes = (node->attributes & ~(ULONG)SETTABLE) | (basic->FileAttributes & SETTABLE);
	told_modified_locked(handle, FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_LAST_WRITE, wake);
	ExReleaseFastMutex(&handle->volume->mutex);
	return STATUS_SUCCESS;
}
