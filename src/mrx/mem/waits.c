/*
 * waits.c - requests that a memory volume answers later, and the locks of byte ranges among them (watches: watches.c).
 *
 * Owns:   struct mem_lock, from the request to unlock or cleanup; struct mem_wakeup.
 * Locks:  the volume's mutex.
 *
 * What can be answered goes on the caller's struct mem_wakeups and is completed once no lock is held.
 */
#include "memfs.h"

void mem_wakeups_init(struct mem_wakeups *wake)
{
	InitializeListHead(&wake->list);
}

struct mem_wakeup *mem_wakeup_alloc(void *request)
{
	struct mem_wakeup *wakeup = ExAllocatePoolWithTag(NonPagedPool, sizeof(*wakeup), MEM_TAG_WATCH);

	if (wakeup != NULL) {
		RtlZeroMemory(wakeup, sizeof(*wakeup));
		wakeup->request = request;
	}
	return wakeup;
}

void mem_wakeup_hand_out(struct mem_wakeup **from, NTSTATUS status, struct mem_wakeups *wake)
{
	(*from)->status = status;
	InsertTailList(&wake->list, &(*from)->link);
	*from = NULL;
}

void mem_wakeup_free(struct mem_wakeup *wakeup)
{
	if (wakeup->news != NULL)
		ExFreePoolWithTag(wakeup->news, MEM_TAG_WATCH);
	ExFreePoolWithTag(wakeup, MEM_TAG_WATCH);
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
		mem_wakeup_hand_out(&lock->wakeup, STATUS_SUCCESS, wake);
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
	lock->wakeup = wait ? mem_wakeup_alloc(request) : NULL;
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

bool mem_fs_cancel_wait(struct mem_handle *handle, void *request)
{
	struct mem_node *node = handle->node;
	struct mem_wakeup *wakeup = NULL;
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
	if (wakeup == NULL)
		wakeup = mem_watch_take_back_locked(handle, request);
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
	PLIST_ENTRY at = node->lock_waiters.Flink;

	while (at != &node->lock_waiters) {
		struct mem_lock *lock = CONTAINING_RECORD(at, struct mem_lock, link);

		at = at->Flink;
		if (lock->owner != handle)
			continue;
		RemoveEntryList(&lock->link);
		mem_wakeup_hand_out(&lock->wakeup, STATUS_RANGE_NOT_LOCKED, wake);
		ExFreePoolWithTag(lock, MEM_TAG_LOCK);
	}
	unlock_matching_locked(handle, NULL, wake);
	mem_watch_drop_locked(handle, wake);
}
