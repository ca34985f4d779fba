/*
 * grants.c - leases of a memory volume: what openers may keep of a file, and how it is taken back.
 *
 * Owns:      struct mem_lease, from the first handle that names its key and is granted something to the last.
 * Found by:  mem_node.leases; mem_handle.lease.
 * Locks:     the volume's mutex.  Whoever waits for an acknowledgement lets go of it and looks at everything anew.
 * Dies when: its last handle is closed.
 *
 *   R  others do not change the data unheard      taken by their writes, locks and sizes; nobody waits: the data has
 *                                                 changed already, and what is read meanwhile is read at the same time
 *   H  the handle may stay open with no user      taken when it is in the way of a deletion, a rename or an open; waited for
 *   W  others have no handle that reads or writes taken by such an open, which waits until the data is here
 *
 * A holder who does not answer within the volume's limit loses what he was asked for.  Two who wait for each other at
 * one file would both have to wait that long: so nobody waits for a holder who waits there himself.
 */
#include "memfs.h"

struct mem_lease_waiter {
	LIST_ENTRY link;
	KEVENT look; /* something about the node's leases has changed */
};

#define DATA_ACCESS (FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_EXECUTE)

static void wake_waiters_locked(struct mem_node *node)
{
	PLIST_ENTRY at;

	for (at = node->lease_waiters.Flink; at != &node->lease_waiters; at = at->Flink)
		KeSetEvent(&CONTAINING_RECORD(at, struct mem_lease_waiter, link)->look, IO_NO_INCREMENT,
			   FALSE);
}

static struct mem_lease *find_lease_locked(struct mem_node *node, const void *key)
{
	PLIST_ENTRY at;

	for (at = node->leases.Flink; at != &node->leases && key != NULL; at = at->Flink) {
		struct mem_lease *lease = CONTAINING_RECORD(at, struct mem_lease, link);

		if (lease->key == key)
			return lease;
	}
	return NULL;
}

/* Handle caching without read caching is worth nothing. */
static ULONG without(ULONG state, ULONG bits)
{
	state &= ~bits;
	return (state & MEM_LEASE_READ) ? state : 0;
}

/* ---- granting ---- */

static bool others_use_data_locked(struct mem_node *node, const void *key)
{
	PLIST_ENTRY at;

	for (at = node->handles.Flink; at != &node->handles; at = at->Flink) {
		struct mem_handle *other = CONTAINING_RECORD(at, struct mem_handle, link);

		if (other->key != key && (other->access & DATA_ACCESS))
			return true;
	}
	return false;
}

static bool others_lock_locked(struct mem_node *node, const void *key)
{
	PLIST_ENTRY at;

	for (at = node->locks.Flink; at != &node->locks; at = at->Flink)
		if (CONTAINING_RECORD(at, struct mem_lock, link)->owner->key != key)
			return true;
	return !IsListEmpty(&node->lock_waiters);
}

static ULONG grantable_locked(struct mem_node *node, const struct mem_open *how)
{
	ULONG bits = how->lease_wanted;

	if (node->volume->told == NULL || node->volume->no_leases || node->is_directory ||
	    node->deletes > 0 || others_lock_locked(node, how->lease_key))
		return 0;
	if (others_use_data_locked(node, how->lease_key))
		bits &= ~MEM_LEASE_WRITE;
	if (!IsListEmpty(&node->lease_waiters)) /* or they might wait again and again */
		bits &= ~(MEM_LEASE_WRITE | MEM_LEASE_HANDLE);
	return without(bits, 0);
}

void mem_lease_grant_locked(struct mem_handle *handle, const struct mem_open *how)
{
	struct mem_node *node = handle->node;
	struct mem_lease *lease = find_lease_locked(node, how->lease_key);
	ULONG bits = how->lease_key != NULL ? grantable_locked(node, how) : 0;

	if (lease == NULL && bits != 0) {
		lease = ExAllocatePoolWithTag(NonPagedPool, sizeof(*lease), MEM_TAG_LEASE);
		if (lease == NULL)
			return; /* nothing to keep is an answer, too */
		RtlZeroMemory(lease, sizeof(*lease));
		lease->key = how->lease_key;
		InitializeListHead(&lease->handles);
		InsertTailList(&node->leases, &lease->link);
	}
	if (lease == NULL)
		return;
	InsertTailList(&lease->handles, &handle->lease_link);
	handle->lease = lease;
	if (lease->state == lease->to) /* what is being taken back does not grow */
		lease->state = lease->to = lease->state | bits;
}

ULONG mem_fs_lease_state(struct mem_handle *handle)
{
	ULONG state;

	ExAcquireFastMutex(&handle->volume->mutex);
	state = handle->lease != NULL ? handle->lease->state : 0;
	ExReleaseFastMutex(&handle->volume->mutex);
	return state;
}

/* Without a handle nothing is held.  The lease of who waits stays, until he does not. */
static void end_unheld_locked(struct mem_node *node, struct mem_lease *lease)
{
	if (!IsListEmpty(&lease->handles))
		return;
	lease->state = lease->to = 0;
	if (lease->waiting == 0) {
		RemoveEntryList(&lease->link);
		ExFreePoolWithTag(lease, MEM_TAG_LEASE);
	}
	wake_waiters_locked(node);
}

void mem_lease_drop_handle_locked(struct mem_handle *handle)
{
	struct mem_lease *lease = handle->lease;

	if (lease == NULL)
		return;
	handle->lease = NULL;
	RemoveEntryList(&handle->lease_link);
	end_unheld_locked(handle->node, lease);
}

/* ---- breaking ---- */

void mem_fs_lease_acknowledge(struct mem_handle *handle, ULONG left)
{
	ExAcquireFastMutex(&handle->volume->mutex);
	if (handle->lease != NULL) {
		handle->lease->state = without(handle->lease->state & left, 0);
		handle->lease->to &= handle->lease->state;
		wake_waiters_locked(handle->node);
	}
	ExReleaseFastMutex(&handle->volume->mutex);
}

/* Something is held, so there is a handle. */
static void tell_locked(struct mem_node *node, struct mem_lease *lease, bool acknowledge)
{
	struct mem_handle *handle = CONTAINING_RECORD(lease->handles.Flink, struct mem_handle, lease_link);

	node->volume->told(handle->opener, lease->key, lease->to, acknowledge);
}

void mem_lease_revoke_locked(struct mem_node *node, const void *key, ULONG bits)
{
	PLIST_ENTRY at;

	for (at = node->leases.Flink; at != &node->leases; at = at->Flink) {
		struct mem_lease *lease = CONTAINING_RECORD(at, struct mem_lease, link);

		if (lease->key == key || (lease->state & bits) == 0)
			continue;
		lease->state = without(lease->state, bits);
		lease->to &= lease->state;
		tell_locked(node, lease, false);
	}
	wake_waiters_locked(node);
}

static void ask_locked(struct mem_node *node, struct mem_lease *lease, ULONG bits)
{
	if ((lease->to & bits) == 0)
		return; /* asked already */
	if (lease->to == lease->state)
		lease->limit = KeQueryInterruptTime() + (uint64_t)node->volume->break_limit * 10000;
	lease->to = without(lease->to, bits);
	tell_locked(node, lease, true);
}

/* Asks everybody who is in the way, and ends what was asked for in vain.  0: nobody is; else when to look again. */
static uint64_t ask_all_locked(struct mem_node *node, const void *key, ULONG bits)
{
	uint64_t now = KeQueryInterruptTime(), first = 0;
	PLIST_ENTRY at;

	for (at = node->leases.Flink; at != &node->leases; at = at->Flink) {
		struct mem_lease *lease = CONTAINING_RECORD(at, struct mem_lease, link);

		if (lease->key == key || (lease->state & bits) == 0)
			continue;
		ask_locked(node, lease, bits);
		if (lease->waiting > 0 || now >= lease->limit)
			lease->state = lease->to;
		else if (first == 0 || lease->limit < first)
			first = lease->limit;
	}
	return first;
}

bool mem_lease_break_locked(struct mem_node *node, const void *key, ULONG bits) RX_NO_TSA
{
	struct mem_lease *mine = find_lease_locked(node, key);
	struct mem_lease_waiter waiter;
	uint64_t until = ask_all_locked(node, key, bits);
	bool waited = until != 0;

	if (!waited)
		return false;
	KeInitializeEvent(&waiter.look, SynchronizationEvent, FALSE);
	InsertTailList(&node->lease_waiters, &waiter.link);
	if (mine != NULL) {
		mine->waiting++; /* which keeps it: our own last handle may be closed meanwhile */
		wake_waiters_locked(node);
	}
	while (until != 0) {
		LARGE_INTEGER wait = {.QuadPart = -(LONGLONG)(until - KeQueryInterruptTime())};

		ExReleaseFastMutex(&node->volume->mutex);
		if (wait.QuadPart < 0)
			(void)KeWaitForSingleObject(&waiter.look, Executive, KernelMode, FALSE, &wait);
		ExAcquireFastMutex(&node->volume->mutex);
		until = ask_all_locked(node, key, bits);
	}
	RemoveEntryList(&waiter.link);
	if (mine != NULL) {
		mine->waiting--;
		end_unheld_locked(node, mine);
	}
	return true;
}
