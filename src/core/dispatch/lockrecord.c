/*
 * lockrecord.c - the list of a file's byte-range locks.
 *
 * Owns:   struct rx_lock, one per granted lock, in FCB.BufferedLocks.List.
 * Locks:  FileSizeLock of the FCB, a leaf. A record is taken out with the FCB held, shared at least: whoever holds it
 *         exclusive sees records come (a server answers), and none go.
 * Dies:   a record with its unlock, with the cleanup of its file object, or when the server refuses what was buffered.
 */
#include "core/dispatch/locks.h"

void rx_locks_acquire(PFCB fcb)
{
	ExAcquireFastMutex(fcb->FileSizeLock);
}

void rx_locks_release(PFCB fcb)
{
	ExReleaseFastMutex(fcb->FileSizeLock);
}

static bool rx_lock_overlaps(const FCB_LOCK *lock, LONGLONG offset, LONGLONG length)
{
	return (ULONGLONG)offset < (ULONGLONG)lock->BytesOffset.QuadPart + (ULONGLONG)lock->Length.QuadPart &&
	       (ULONGLONG)lock->BytesOffset.QuadPart < (ULONGLONG)offset + (ULONGLONG)length;
}

bool rx_locks_allow(PRX_CONTEXT rxc, LONGLONG offset, ULONG length, bool write)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	bool allowed = true;
	PFCB_LOCK lock;

	rx_locks_acquire(fcb);
	for (lock = fcb->BufferedLocks.List; lock != NULL && allowed; lock = lock->Next) {
		if (!rx_lock_overlaps(lock, offset, length))
			continue;
		if (rx_lock_of(lock)->fobx == (PFOBX)rxc->pFobx)
			allowed = lock->ExclusiveLock || !write;
		else
			allowed = !lock->ExclusiveLock && !write;
	}
	rx_locks_release(fcb);
	return allowed;
}

/*
 * Several handles may share one open at the server, which lets it share what it has locked exclusively: it does not know
 * that they are two. Of what is buffered it knows nothing. The rest it decides itself, by the same rules ([MS-FSA]
 * 2.1.4.10).
 */
static bool rx_lock_keeps_out(const struct rx_lock *held, const struct rx_lock *wanted)
{
	bool same_handle = held->fobx == wanted->fobx;
	bool same_open = held->fobx->pSrvOpen == wanted->fobx->pSrvOpen;

	if (!held->buffered && !wanted->buffered && (same_handle || !same_open))
		return false;
	if (!rx_lock_overlaps(&held->lock, wanted->lock.BytesOffset.QuadPart, wanted->lock.Length.QuadPart))
		return false;
	if (wanted->lock.ExclusiveLock)
		return true;
	return held->lock.ExclusiveLock && (!same_handle || held->lock.Key != wanted->lock.Key);
}

bool rx_lock_is_kept_out(PFCB fcb, const struct rx_lock *wanted)
{
	PFCB_LOCK lock;

	for (lock = fcb->BufferedLocks.List; lock != NULL; lock = lock->Next)
		if (rx_lock_keeps_out(rx_lock_of(lock), wanted))
			return true;
	return false;
}

void rx_lock_add_locked(PFCB fcb, struct rx_lock *record)
{
	record->lock.Next = fcb->BufferedLocks.List;
	fcb->BufferedLocks.List = &record->lock;
}

void rx_lock_add(PFCB fcb, struct rx_lock *record)
{
	rx_locks_acquire(fcb);
	rx_lock_add_locked(fcb, record);
	rx_locks_release(fcb);
}

struct rx_lock *rx_lock_take(PFCB fcb, PFOBX fobx, LONGLONG offset, LONGLONG length, ULONG key)
{
	struct rx_lock *taken = NULL;
	PFCB_LOCK *at, *found = NULL;

	rx_locks_acquire(fcb);
	for (at = &fcb->BufferedLocks.List; *at != NULL; at = &(*at)->Next) {
		struct rx_lock *held = rx_lock_of(*at);

		if (held->fobx != fobx || held->lock.BytesOffset.QuadPart != offset ||
		    held->lock.Length.QuadPart != length || held->lock.Key != key)
			continue;
		if (found == NULL || held->lock.ExclusiveLock)
			found = at;
	}
	if (found != NULL) {
		taken = rx_lock_of(*found);
		*found = taken->lock.Next;
		if (!taken->buffered)
			InterlockedIncrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
	}
	rx_locks_release(fcb);
	return taken;
}

bool rx_locks_at_server(PFCB fcb)
{
	bool any = __atomic_load_n(&fcb->OutstandingLockOperationsCount, __ATOMIC_ACQUIRE) != 0;
	PFCB_LOCK lock;

	rx_locks_acquire(fcb);
	for (lock = fcb->BufferedLocks.List; lock != NULL && !any; lock = lock->Next)
		any = !rx_lock_of(lock)->buffered;
	rx_locks_release(fcb);
	return any;
}

void rx_lock_describe(struct rx_lock *record, struct rx_lock *next)
{
	record->entry.Next = next != NULL ? &next->entry : NULL;
	record->entry.ByteOffset = record->lock.BytesOffset.QuadPart;
	record->entry.Length = record->lock.Length.QuadPart;
	record->entry.Key = record->lock.Key;
	record->entry.ExclusiveLock = record->lock.ExclusiveLock;
	record->entry.Status = STATUS_SUCCESS;
}

struct rx_lock *rx_locks_take_all(PFCB fcb, PFOBX fobx, const ULONG *key)
{
	struct rx_lock *taken = NULL, *here = NULL;
	PFCB_LOCK *at;

	rx_locks_acquire(fcb);
	at = &fcb->BufferedLocks.List;
	while (*at != NULL) {
		struct rx_lock *held = rx_lock_of(*at);
		struct rx_lock **chain = held->buffered ? &here : &taken;

		if (held->fobx != fobx || (key != NULL && held->lock.Key != *key)) {
			at = &(*at)->Next;
			continue;
		}
		*at = held->lock.Next;
		held->lock.Next = *chain != NULL ? &(*chain)->lock : NULL;
		rx_lock_describe(held, *chain);
		*chain = held;
	}
	if (taken != NULL)
		InterlockedIncrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
	rx_locks_release(fcb);
	if (here != NULL)
		rx_locks_wake(fcb);
	rx_locks_free(here);
	return taken;
}

void rx_locks_free(struct rx_lock *first)
{
	while (first != NULL) {
		PFCB_LOCK next = first->lock.Next;

		ExFreePoolWithTag(first, RX_LOCK_TAG);
		first = next != NULL ? rx_lock_of(next) : NULL;
	}
}

/**
 * RxLockEnumerator - the next byte-range lock of a SRV_OPEN
 * @ContinuationHandle: [in,out] NULL starts; only one enumeration at a time, with no lock taken or given up
 *                      meanwhile
 *
 * Return: TRUE and the lock; FALSE at the end.
 * Page:   rxprocs/RxLockEnumerator.
 */
BOOLEAN RxLockEnumerator(PMRX_SRV_OPEN SrvOpen, PVOID *ContinuationHandle, PLARGE_INTEGER FileOffset,
			 PLARGE_INTEGER LockRange, PBOOLEAN IsLockExclusive)
{
	PFCB fcb = (PFCB)SrvOpen->pFcb;
	PFCB_LOCK lock;

	rx_locks_acquire(fcb);
	lock = *ContinuationHandle != NULL ? ((PFCB_LOCK)*ContinuationHandle)->Next : fcb->BufferedLocks.List;
	while (lock != NULL && rx_lock_of(lock)->fobx->pSrvOpen != SrvOpen)
		lock = lock->Next;
	if (lock != NULL) {
		*ContinuationHandle = lock;
		*FileOffset = lock->BytesOffset;
		*LockRange = lock->Length;
		*IsLockExclusive = lock->ExclusiveLock;
	}
	rx_locks_release(fcb);
	return lock != NULL;
}
