/*
 * lockbuffer.c - locks that the server does not know of, and how it comes to know them.
 *
 * Owns:   `buffered` of struct rx_lock.
 * Locks:  FCB exclusive, everywhere here.
 *
 * With FCB_STATE_LOCK_BUFFERING_ENABLED nobody else may use the file, so a lock is decided here and no driver is asked.
 * When that state goes the locks go to the server, oldest first, before anybody else is let in: those of the open whose
 * state changes in the list that MRxCompleteBufferingStateChangeRequest is given; those of other opens of the file, which
 * that call cannot name, and all where there is no such call, as locks like any other, through MRxLowIOSubmit.
 *
 * A lock that the server then refuses is lost. Its handle is marked (NT_FO_LOCKS_LOST): it neither reads nor writes any
 * more until it has given up all its locks.
 */
#include "core/dispatch/locks.h"

#include "core/context/context.h"
#include "core/lowio/core_lowio.h"

/* Those of an open, or those of all others; oldest first. Locks: FCB exclusive. */
static PLOWIO_LOCK_LIST rx_locks_collect(PFCB fcb, PMRX_SRV_OPEN so, bool of_it)
{
	struct rx_lock *first = NULL;
	PFCB_LOCK lock;

	rx_locks_acquire(fcb);
	for (lock = fcb->BufferedLocks.List; lock != NULL; lock = lock->Next) {
		struct rx_lock *record = rx_lock_of(lock);

		if (!record->buffered || (record->fobx->pSrvOpen == so) != of_it)
			continue;
		rx_lock_describe(record, first);
		first = record;
	}
	rx_locks_release(fcb);
	return first != NULL ? &first->entry : NULL;
}

PLOWIO_LOCK_LIST rx_locks_buffered(PFCB fcb, PMRX_SRV_OPEN so)
{
	return rx_locks_collect(fcb, so, true);
}

static void rx_lock_lose(PFCB fcb, struct rx_lock *record)
{
	PFILE_OBJECT file = record->fobx->AssociatedFileObject;
	PFCB_LOCK *at = &fcb->BufferedLocks.List;

	RxLog(("fobx=%p lost a lock: %lx", record->fobx, record->entry.Status));
	rx_locks_acquire(fcb);
	while (*at != &record->lock)
		at = &(*at)->Next;
	*at = record->lock.Next;
	rx_locks_release(fcb);
	if (file != NULL)
		nt_file_set_flags(file, NT_FO_LOCKS_LOST);
	ExFreePoolWithTag(record, RX_LOCK_TAG);
}

bool rx_locks_flushed(PFCB fcb, PLOWIO_LOCK_LIST list)
{
	bool all = true;

	while (list != NULL) {
		struct rx_lock *record = CONTAINING_RECORD(list, struct rx_lock, entry);

		list = list->Next;
		if (NT_SUCCESS(record->entry.Status)) {
			record->buffered = false;
			continue;
		}
		rx_lock_lose(fcb, record);
		all = false;
	}
	if (!all)
		rx_locks_wake(fcb);
	return all;
}

static NTSTATUS NTAPI rx_lock_sent(PRX_CONTEXT rxc)
{
	return rxc->StoredStatus;
}

static NTSTATUS rx_lock_send(PRX_CONTEXT rxc, PFCB fcb, const struct rx_lock *record)
{
	PMRX_SRV_OPEN so = record->fobx->pSrvOpen;
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	if ((so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_ORPHANED)) != 0)
		return STATUS_FILE_CLOSED;
	rxc->pFobx = &record->fobx->Mrx;
	rxc->pRelevantSrvOpen = so;
	rx_lowio_prepare(rxc, record->lock.ExclusiveLock ? LOWIO_OP_EXCLUSIVELOCK : LOWIO_OP_SHAREDLOCK);
	lowio->Resource = NULL; /* whoever changes the state keeps the FCB */
	lowio->ParamsFor.Locks.Flags =
		SL_FAIL_IMMEDIATELY | (record->lock.ExclusiveLock ? SL_EXCLUSIVE_LOCK : 0);
	lowio->ParamsFor.Locks.ByteOffset = record->lock.BytesOffset.QuadPart;
	lowio->ParamsFor.Locks.Length = record->lock.Length.QuadPart;
	lowio->ParamsFor.Locks.Key = record->lock.Key;
	return RxLowIoSubmit(rxc, NULL, fcb, rx_lock_sent);
}

bool rx_locks_send(PFCB fcb, PMRX_SRV_OPEN except)
{
	PLOWIO_LOCK_LIST list = rx_locks_collect(fcb, except, false), at;
	PRX_CONTEXT rxc;

	if (list == NULL)
		return true;
	rxc = RxCreateRxContext(NULL, fcb->RxDeviceObject, RX_CONTEXT_FLAG_WAIT);
	if (rxc != NULL) {
		rxc->pFcb = &fcb->Mrx;
		rxc->NonPagedFcb = fcb->NonPaged;
	}
	for (at = list; at != NULL; at = at->Next)
		at->Status = rxc != NULL
				     ? rx_lock_send(rxc, fcb, CONTAINING_RECORD(at, struct rx_lock, entry))
				     : STATUS_INSUFFICIENT_RESOURCES;
	if (rxc != NULL) {
		rxc->pFcb = NULL;
		rxc->NonPagedFcb = NULL;
		rxc->pFobx = NULL;
		rxc->pRelevantSrvOpen = NULL;
		RxDereferenceAndDeleteRxContext(rxc);
	}
	return rx_locks_flushed(fcb, list);
}

void rx_locks_lose(PFCB fcb, PMRX_SRV_OPEN so)
{
	PLOWIO_LOCK_LIST list = rx_locks_buffered(fcb, so), at;

	for (at = list; at != NULL; at = at->Next)
		at->Status = STATUS_FILE_FORCED_CLOSED;
	(void)rx_locks_flushed(fcb, list);
}
