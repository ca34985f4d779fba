/*
 * lockwait.c - locks that wait here: for one that the server does not know, or does not tell from theirs.
 *
 * Owns:   struct rx_lock of a request that waits, in FCB.BufferedLocks.Waiting, oldest first; its RX_CONTEXT is nobody
 *         else's meanwhile.
 * Locks:  FileSizeLock of the FCB, a leaf. Who takes a record out of the list goes on with its request.
 * Dies:   the record when its request goes on: a lock of the file was given up, or the request is cancelled, also by the
 *         cleanup of its file object.
 *
 * A request occupies no thread while it waits. It goes on from its beginning, on a worker: what keeps it out may be
 * another lock by then, or may be the server's business.
 */
#include "core/dispatch/locks.h"

#include "core/context/context.h"

static void rx_lock_go_on(struct rx_lock *record)
{
	PRX_CONTEXT rxc = record->waiter;

	ExFreePoolWithTag(record, RX_LOCK_TAG);
	(void)RxFsdPostRequest(rxc);
}

/* Somebody goes on with it in any case: either who took it out before, or we. */
static void rx_lock_take_waiter(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	struct rx_lock *found = NULL;
	PFCB_LOCK *at;

	rx_locks_acquire(fcb);
	for (at = &fcb->BufferedLocks.Waiting; *at != NULL && found == NULL;) {
		if (rx_lock_of(*at)->waiter == rxc) {
			found = rx_lock_of(*at);
			*at = found->lock.Next;
		} else {
			at = &(*at)->Next;
		}
	}
	rx_locks_release(fcb);
	if (found != NULL)
		rx_lock_go_on(found);
}

/* MRxCancelRoutine's place: the request goes on, and sees that it is cancelled. */
static NTSTATUS NTAPI rx_lock_wait_cancelled(PRX_CONTEXT rxc)
{
	rx_lock_take_waiter(rxc);
	return STATUS_SUCCESS;
}

static bool rx_lock_enlist(PFCB fcb, struct rx_lock *record)
{
	PFCB_LOCK *at = &fcb->BufferedLocks.Waiting;
	bool wait;

	rx_locks_acquire(fcb);
	wait = rx_lock_is_kept_out(fcb, record);
	if (wait) {
		while (*at != NULL)
			at = &(*at)->Next;
		record->lock.Next = NULL;
		*at = &record->lock;
	}
	rx_locks_release(fcb);
	return wait;
}

bool rx_lock_wait(PRX_CONTEXT rxc, PIRP irp, struct rx_lock *record)
{
	IoMarkIrpPending(irp);
	record->waiter = rxc;
	/* before it can be seen: whoever lets it go on takes the routine back */
	if (RxSetMinirdrCancelRoutine(rxc, rx_lock_wait_cancelled) != STATUS_SUCCESS) {
		ExFreePoolWithTag(record, RX_LOCK_TAG);
		return false;
	}
	InterlockedIncrement((volatile LONG *)&rxc->ReferenceCount); /* it may be gone in a moment */
	if (!rx_lock_enlist((PFCB)rxc->pFcb, record)) {
		(void)RxSetMinirdrCancelRoutine(rxc, NULL);
		RxDereferenceAndDeleteRxContext(rxc);
		ExFreePoolWithTag(record, RX_LOCK_TAG);
		return false;
	}
	if (rx_context_is_cancelled(rxc)) /* perhaps before it was in the list */
		rx_lock_take_waiter(rxc);
	RxDereferenceAndDeleteRxContext(rxc);
	return true;
}

void rx_locks_wake(PFCB fcb)
{
	PFCB_LOCK waiting;

	rx_locks_acquire(fcb);
	waiting = fcb->BufferedLocks.Waiting;
	fcb->BufferedLocks.Waiting = NULL;
	rx_locks_release(fcb);
	while (waiting != NULL) {
		struct rx_lock *record = rx_lock_of(waiting);

		waiting = waiting->Next;
		(void)RxSetMinirdrCancelRoutine(record->waiter, NULL); /* cancelled: it sees that itself */
		rx_lock_go_on(record);
	}
}
