/*
 * waits.c - requests that a memory volume answers later: byte-range locks and change watches.
 *
 * Owns:   struct mem_lock and struct mem_watch, from the request to unlock, answer or cleanup.
 * Locks:  the volume's mutex.
 *
 * What can be answered goes on the caller's struct mem_wakeups and is completed once no lock is held.
 */
#include "memfs.h"

void mem_wakeups_init(struct mem_wakeups *wake)
{
	InitializeListHead(&wake->list);
}

static struct mem_wakeup *wakeup_alloc(void *request)
{
	struct mem_wakeup *wakeup = ExAllocatePoolWithTag(NonPagedPool, sizeof(*wakeup), MEM_TAG_WATCH);

	if (wakeup != NULL) {
		RtlZeroMemory(wakeup, sizeof(*wakeup));
		wakeup->request = request;
	}
	return wakeup;
}

static void wakeup_hand_out(struct mem_wakeup **from, NTSTATUS status, struct mem_wakeups *wake)
{
	(*from)->status = status;
	InsertTailList(&wake->list, &(*from)->link);
	*from = NULL;
}

static bool overlap(const struct mem_range *a, LONGLONG start, LONGLONG length)
{
	/* Unsigned: a range may reach to the last byte there is. */
	return a->length != 0 && length != 0 && (uint64_t)a->start < (uint64_t)start + (uint64_t)length &&
	       (uint64_t)start < (uint64_t)a->start + (uint64_t)a->length;
}

/*
 * [MS-FSA] 2.1.4.10: an exclusive range excludes every other but shared ones of its owner; shared ones overlap freely.
 */
static bool conflicts_locked(struct mem_node *node, struct mem_handle *owner, const struct mem_range *range)
{
	PLIST_ENTRY at;

	for (at = node->locks.Flink; at != &node->locks; at = at->Flink) {
		struct mem_lock *held = CONTAINING_RECORD(at, struct mem_lock, link);
		bool own = held->owner == owner && held->range.key == range->key;

		if ((range->exclusive || (held->range.exclusive && !own)) &&
		    overlap(&held->range, range->start, range->length))
			return true;
	}
	return false;
}

static void grant_waiters_locked(struct mem_node *node, struct mem_wakeups *wake)
{
	PLIST_ENTRY at = node->lock_waiters.Flink;

	while (at != &node->lock_waiters) {
		struct mem_lock *lock = CONTAINING_RECORD(at, struct mem_lock, link);

		at = at->Flink;
		if (conflicts_locked(node, lock->owner, &lock->range))
			continue;
		RemoveEntryList(&lock->link);
		InsertTailList(&node->locks, &lock->link);
		mem_lease_revoke_locked(node, lock->owner->key, MEM_LEASE_ALL);
		wakeup_hand_out(&lock->wakeup, STATUS_SUCCESS, wake);
	}
}

NTSTATUS mem_fs_lock(struct mem_handle *handle, const struct mem_range *range, bool wait, void *request)
{
	struct mem_node *node = handle->node;
	struct mem_lock *lock;
	NTSTATUS status = STATUS_SUCCESS;

	if (node->is_directory)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (range->start < 0 || range->length < 0)
		return STATUS_INVALID_LOCK_RANGE;
	if (!(handle->access & (FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_EXECUTE)))
		return STATUS_ACCESS_DENIED;
	lock = ExAllocatePoolWithTag(PagedPool, sizeof(*lock), MEM_TAG_LOCK);
	if (lock == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	lock->owner = handle;
	lock->range = *range;
	lock->wakeup = wait ? wakeup_alloc(request) : NULL;
	if (wait && lock->wakeup == NULL) {
		ExFreePoolWithTag(lock, MEM_TAG_LOCK);
		return STATUS_INSUFFICIENT_RESOURCES;
	}

	ExAcquireFastMutex(&handle->volume->mutex);
	if (!conflicts_locked(node, handle, range)) {
		InsertTailList(&node->locks, &lock->link);
		mem_lease_revoke_locked(node, handle->key, MEM_LEASE_ALL);
		if (lock->wakeup != NULL)
			ExFreePoolWithTag(lock->wakeup, MEM_TAG_WATCH);
		lock->wakeup = NULL;
		lock = NULL;
	} else if (wait) {
		InsertTailList(&node->lock_waiters, &lock->link);
		status = STATUS_PENDING;
		lock = NULL;
	} else {
		status = STATUS_LOCK_NOT_GRANTED;
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	if (lock != NULL)
		ExFreePoolWithTag(lock, MEM_TAG_LOCK);
	return status;
}

NTSTATUS mem_fs_unlock(struct mem_handle *handle, const struct mem_range *range, struct mem_wakeups *wake)
{
	struct mem_node *node = handle->node;
	struct mem_lock *found = NULL;
	PLIST_ENTRY at;

	ExAcquireFastMutex(&handle->volume->mutex);
	for (at = node->locks.Flink; at != &node->locks; at = at->Flink) {
		struct mem_lock *lock = CONTAINING_RECORD(at, struct mem_lock, link);

		/* of two equal ranges the exclusive one ([MS-FSA] 2.1.5.9) */
		if (lock->owner == handle && lock->range.start == range->start &&
		    lock->range.length == range->length && lock->range.key == range->key &&
		    (found == NULL || lock->range.exclusive))
			found = lock;
	}
	if (found != NULL) {
		RemoveEntryList(&found->link);
		ExFreePoolWithTag(found, MEM_TAG_LOCK);
		grant_waiters_locked(node, wake);
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	return found != NULL ? STATUS_SUCCESS : STATUS_RANGE_NOT_LOCKED;
}

static void unlock_matching_locked(struct mem_handle *handle, const ULONG *key, struct mem_wakeups *wake)
{
	struct mem_node *node = handle->node;
	PLIST_ENTRY at = node->locks.Flink;

	while (at != &node->locks) {
		struct mem_lock *lock = CONTAINING_RECORD(at, struct mem_lock, link);

		at = at->Flink;
		if (lock->owner != handle || (key != NULL && lock->range.key != *key))
			continue;
		RemoveEntryList(&lock->link);
		ExFreePoolWithTag(lock, MEM_TAG_LOCK);
	}
	grant_waiters_locked(node, wake);
}

/* key NULL: whatever the key. */
void mem_fs_unlock_all(struct mem_handle *handle, const ULONG *key, struct mem_wakeups *wake)
{
	ExAcquireFastMutex(&handle->volume->mutex);
	unlock_matching_locked(handle, key, wake);
	ExReleaseFastMutex(&handle->volume->mutex);
}

/* Locks are mandatory: an exclusive one stops others' reads, any one stops writes but its exclusive owner's. */
bool mem_fs_range_blocked_locked(struct mem_node *node, struct mem_handle *by, ULONG key, LONGLONG start,
				 LONGLONG length, bool writing)
{
	PLIST_ENTRY at;

	for (at = node->locks.Flink; at != &node->locks; at = at->Flink) {
		struct mem_lock *held = CONTAINING_RECORD(at, struct mem_lock, link);
		bool mine = held->owner == by && held->range.key == key;

		if (!overlap(&held->range, start, length))
			continue;
		if (held->range.exclusive ? !mine : writing)
			return true;
	}
	return false;
}

static struct mem_watch *watch_of_locked(struct mem_handle *handle)
{
	PLIST_ENTRY at;

	for (at = handle->node->watches.Flink; at != &handle->node->watches; at = at->Flink) {
		struct mem_watch *watch = CONTAINING_RECORD(at, struct mem_watch, link);

		if (watch->owner == handle)
			return watch;
	}
	return NULL;
}

static NTSTATUS watch_locked(struct mem_handle *handle, ULONG filter, bool tree, struct mem_wakeup **wakeup)
{
	struct mem_watch *watch = watch_of_locked(handle);

	if (watch == NULL) {
		watch = ExAllocatePoolWithTag(PagedPool, sizeof(*watch), MEM_TAG_WATCH);
		if (watch == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		RtlZeroMemory(watch, sizeof(*watch));
		watch->owner = handle;
		watch->filter = filter; /* the first request decides, as on NTFS */
		watch->tree = tree;
		InsertTailList(&handle->node->watches, &watch->link);
	}
	if (watch->wakeup != NULL)
		return STATUS_DEVICE_BUSY;
	if (watch->missed) {
		watch->missed = false;
		return STATUS_NOTIFY_ENUM_DIR;
	}
	watch->wakeup = *wakeup;
	*wakeup = NULL;
	return STATUS_PENDING;
}

NTSTATUS mem_fs_watch(struct mem_handle *handle, ULONG filter, bool tree, void *request)
{
	struct mem_wakeup *wakeup;
	NTSTATUS status;

	if (!handle->node->is_directory)
		return STATUS_INVALID_PARAMETER;
	wakeup = wakeup_alloc(request);
	if (wakeup == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	ExAcquireFastMutex(&handle->volume->mutex);
	status = watch_locked(handle, filter, tree, &wakeup);
	ExReleaseFastMutex(&handle->volume->mutex);
	if (wakeup != NULL)
		ExFreePoolWithTag(wakeup, MEM_TAG_WATCH);
	return status;
}

bool mem_fs_cancel_wait(struct mem_handle *handle, void *request)
{
	struct mem_node *node = handle->node;
	struct mem_wakeup *wakeup = NULL;
	struct mem_watch *watch;
	PLIST_ENTRY at;

	ExAcquireFastMutex(&handle->volume->mutex);
	for (at = node->lock_waiters.Flink; at != &node->lock_waiters; at = at->Flink) {
		struct mem_lock *lock = CONTAINING_RECORD(at, struct mem_lock, link);

		if (lock->wakeup->request == request) {
			wakeup = lock->wakeup;
			RemoveEntryList(&lock->link);
			ExFreePoolWithTag(lock, MEM_TAG_LOCK);
			break;
		}
	}
	watch = watch_of_locked(handle);
	if (wakeup == NULL && watch != NULL && watch->wakeup != NULL && watch->wakeup->request == request) {
		wakeup = watch->wakeup;
		watch->wakeup = NULL;
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	if (wakeup == NULL)
		return false;
	ExFreePoolWithTag(wakeup, MEM_TAG_WATCH);
	return true;
}

/* At cleanup: the handle's locks end, its waiters are cancelled, its watch is answered. */
void mem_waits_drop_handle_locked(struct mem_handle *handle, struct mem_wakeups *wake)
{
	struct mem_node *node = handle->node;
	struct mem_watch *watch = watch_of_locked(handle);
	PLIST_ENTRY at = node->lock_waiters.Flink;

	while (at != &node->lock_waiters) {
		struct mem_lock *lock = CONTAINING_RECORD(at, struct mem_lock, link);

		at = at->Flink;
		if (lock->owner != handle)
			continue;
		RemoveEntryList(&lock->link);
		wakeup_hand_out(&lock->wakeup, STATUS_RANGE_NOT_LOCKED, wake);
		ExFreePoolWithTag(lock, MEM_TAG_LOCK);
	}
	unlock_matching_locked(handle, NULL, wake);
	if (watch != NULL) {
		RemoveEntryList(&watch->link);
		if (watch->wakeup != NULL)
			wakeup_hand_out(&watch->wakeup, STATUS_NOTIFY_CLEANUP, wake);
		ExFreePoolWithTag(watch, MEM_TAG_WATCH);
	}
}

static void tell_watch(struct mem_watch *watch, ULONG action, const UNICODE_STRING *name,
		       struct mem_wakeups *wake)
{
	struct mem_wakeup *wakeup = watch->wakeup;

	if (wakeup == NULL) {
		watch->missed = true;
		return;
	}
	wakeup->action = action;
	wakeup->name.Buffer =
		name == NULL ? NULL : ExAllocatePoolWithTag(PagedPool, name->Length, MEM_TAG_NAME);
	if (wakeup->name.Buffer == NULL) {
		wakeup_hand_out(&watch->wakeup, STATUS_NOTIFY_ENUM_DIR, wake); /* "look yourself" */
		return;
	}
	wakeup->name.Length = wakeup->name.MaximumLength = name->Length;
	RtlCopyMemory(wakeup->name.Buffer, name->Buffer, name->Length);
	wakeup_hand_out(&watch->wakeup, STATUS_SUCCESS, wake);
}

/*
 * Something named `name` changed in `dir`.  Watches of the directory hear the name; those of a whole tree above
 * it hear that they should look, which the interface allows and which needs no path to be built here.
 */
void mem_waits_changed_locked(struct mem_node *dir, ULONG filter, ULONG action, const UNICODE_STRING *name,
			      struct mem_wakeups *wake)
{
	struct mem_node *at;
	PLIST_ENTRY link;

	for (at = dir; at != NULL; at = at->dir.parent)
		for (link = at->watches.Flink; link != &at->watches; link = link->Flink) {
			struct mem_watch *watch = CONTAINING_RECORD(link, struct mem_watch, link);

			if ((watch->filter & filter) && (at == dir || watch->tree))
				tell_watch(watch, action, at == dir ? name : NULL, wake);
		}
}
