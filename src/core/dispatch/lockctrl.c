/*
 * lockctrl.c - IRP_MJ_LOCK_CONTROL: byte-range locks.
 *
 * Owns:   a struct rx_lock from its request to its place in the list of granted locks (lockrecord.c).
 * Locks:  The FCB resource is held shared to look at the open and to
 *         take records out (exclusive where writes may be cached and the server is to be asked), and not while the server is
 *         asked: a lock that it makes wait must not keep others from the file.
 *
 * The server decides; the record serves three ends: several file objects may share one open at the server, so
 * their reads and writes are checked against each other's locks here; what a handle holds is released at its
 * cleanup even when the open at the server lives on; and RxLockEnumerator shows them to the driver.
 *
 * With FCB_STATE_LOCK_BUFFERING_ENABLED the decision falls here, with the FCB held, and no driver is asked: not for the
 * lock, and not for its unlock. When the server takes that leave back, it is told the ranges (lockbuffer.c).
 */
#include "core/dispatch/locks.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/lowio/core_lowio.h"
#include "core/minirdr/calldown.h"

/* What is to be done about a request after the FCB was looked at. */
enum rx_lock_way { RX_LOCK_DONE, RX_LOCK_ASK, RX_LOCK_WAIT };

/* ---- requests ---- */

static NTSTATUS NTAPI rx_lock_complete(PRX_CONTEXT rxc)
{
	struct rx_lock *record = rxc->DispatchState; /* a lock: made before; an unlock: taken out before */
	PFCB fcb = (PFCB)rxc->pFcb;
	NTSTATUS status = rxc->StoredStatus;
	bool is_lock = rxc->LowIoContext.Operation == LOWIO_OP_SHAREDLOCK ||
		       rxc->LowIoContext.Operation == LOWIO_OP_EXCLUSIVELOCK;

	rxc->DispatchState = NULL;
	if (is_lock && NT_SUCCESS(status))
		rx_ahead_forget(fcb); /* the word of what the last holder changed may come after the lock */
	if (is_lock == (NT_SUCCESS(status) != 0))
		rx_lock_add(fcb, record); /* locked, or still locked */
	else if (record != NULL)
		ExFreePoolWithTag(record, RX_LOCK_TAG);
	/* not before the record is there: no write may be cached in between */
	InterlockedDecrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
	if (!is_lock)
		rx_locks_wake(fcb);
	return status;
}

static NTSTATUS NTAPI rx_unlock_many_complete(PRX_CONTEXT rxc)
{
	struct rx_lock *records = rxc->DispatchState;

	rxc->DispatchState = NULL;
	InterlockedDecrement((volatile LONG *)&rxc->pFcb->OutstandingLockOperationsCount);
	/* whatever the server said: the handle gave them up */
	rx_locks_free(records);
	rx_locks_wake((PFCB)rxc->pFcb);
	return rxc->StoredStatus;
}

static void rx_lock_parameters(PRX_CONTEXT rxc, USHORT operation)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	rx_lowio_prepare(rxc, operation);
	lowio->ParamsFor.Locks.Flags = sp->Flags;
	lowio->ParamsFor.Locks.ByteOffset = sp->Parameters.LockControl.ByteOffset.QuadPart;
	lowio->ParamsFor.Locks.Key = sp->Parameters.LockControl.Key;
	if (operation != LOWIO_OP_UNLOCK_MULTIPLE)
		lowio->ParamsFor.Locks.Length = sp->Parameters.LockControl.Length->QuadPart;
}

static NTSTATUS rx_lock_submit(PRX_CONTEXT rxc, PIRP irp, PVOID records, PLOWIO_COMPLETION_ROUTINE completion)
{
	rxc->DispatchState = records;
	return RxLowIoSubmit(rxc, irp, (PFCB)rxc->pFcb, completion);
}

/*
 * A lock that need not be sent: nobody else uses the file. Not while an older one is still given up at the server: the two
 * would arrive there in any order. Locks: FCB shared, rx_locks_acquire().
 */
static bool rx_lock_is_buffered(PFCB fcb)
{
	return (fcb->FcbState & FCB_STATE_LOCK_BUFFERING_ENABLED) != 0 &&
	       fcb->OutstandingLockOperationsCount == 0;
}

static struct rx_lock *rx_lock_create(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	struct rx_lock *record = ExAllocatePoolWithTag(NonPagedPool, sizeof(*record), RX_LOCK_TAG);

	if (record == NULL)
		return NULL;
	RtlZeroMemory(record, sizeof(*record));
	record->fobx = (PFOBX)rxc->pFobx;
	record->lock.BytesOffset = sp->Parameters.LockControl.ByteOffset;
	record->lock.Length = *sp->Parameters.LockControl.Length;
	record->lock.Key = sp->Parameters.LockControl.Key;
	record->lock.ExclusiveLock = (sp->Flags & SL_EXCLUSIVE_LOCK) != 0;
	record->lock.OwnerProcess = IoGetRequestorProcess(irp);
	return record;
}

/* Locks: FCB shared. */
static enum rx_lock_way rx_lock_decide(PFCB fcb, struct rx_lock *record)
{
	enum rx_lock_way way = RX_LOCK_ASK;

	rx_locks_acquire(fcb);
	record->buffered = rx_lock_is_buffered(fcb);
	if (rx_lock_is_kept_out(fcb, record)) {
		way = RX_LOCK_WAIT;
	} else if (record->buffered) {
		rx_lock_add_locked(fcb, record);
		way = RX_LOCK_DONE;
	} else {
		InterlockedIncrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
	}
	rx_locks_release(fcb);
	return way;
}

/* What a lock needs before the server is asked, or the lock. Locks: FCB shared. */
static NTSTATUS rx_lock_make(PRX_CONTEXT rxc, PIRP irp, struct rx_lock **made, enum rx_lock_way *way)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PFCB fcb = (PFCB)rxc->pFcb;
	struct rx_lock *record;
	NTSTATUS status;

	status = rx_call_is_lock_realizable(rxc->pFcb, &sp->Parameters.LockControl.ByteOffset,
					    sp->Parameters.LockControl.Length, sp->Flags);
	if (!NT_SUCCESS(status))
		return status;
	record = rx_lock_create(rxc, irp);
	if (record == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	*way = rx_lock_decide(fcb, record);
	if (*way == RX_LOCK_WAIT && (sp->Flags & SL_FAIL_IMMEDIATELY) != 0) {
		ExFreePoolWithTag(record, RX_LOCK_TAG);
		return STATUS_LOCK_NOT_GRANTED;
	}
	if (*way == RX_LOCK_DONE)
		irp->IoStatus.Information = 1 + (ULONG)fcb->LockBufferingGeneration;
	*made = record;
	return STATUS_SUCCESS;
}

/* The exact range. Locks: FCB shared. */
static NTSTATUS rx_lock_give_up(PRX_CONTEXT rxc, struct rx_lock **taken, enum rx_lock_way *way)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PFCB fcb = (PFCB)rxc->pFcb;

	*taken = rx_lock_take(fcb, (PFOBX)rxc->pFobx, sp->Parameters.LockControl.ByteOffset.QuadPart,
			      sp->Parameters.LockControl.Length->QuadPart, sp->Parameters.LockControl.Key);
	if (*taken == NULL)
		return STATUS_RANGE_NOT_LOCKED;
	if ((*taken)->buffered) {
		ExFreePoolWithTag(*taken, RX_LOCK_TAG);
		rx_locks_wake(fcb);
		return STATUS_SUCCESS;
	}
	*way = RX_LOCK_ASK;
	return STATUS_SUCCESS;
}

/* A handle that has given up all its locks has none to lose. Locks: FCB shared. */
static void rx_lock_give_up_all(PRX_CONTEXT rxc, const ULONG *key, struct rx_lock **taken,
				enum rx_lock_way *way)
{
	*taken = rx_locks_take_all((PFCB)rxc->pFcb, (PFOBX)rxc->pFobx, key);
	if (*taken != NULL)
		*way = RX_LOCK_ASK;
	if (key == NULL)
		nt_file_clear_flags(rxc->CurrentIrpSp->FileObject, NT_FO_LOCKS_LOST);
}

/* The records that the request is about: made for a lock, taken out for an unlock. Locks: FCB shared. */
static NTSTATUS rx_lock_records(PRX_CONTEXT rxc, PIRP irp, struct rx_lock **records, enum rx_lock_way *way)
{
	switch (rxc->MinorFunction) {
	case IRP_MN_LOCK:
		return rx_lock_make(rxc, irp, records, way);
	case IRP_MN_UNLOCK_SINGLE:
		return rx_lock_give_up(rxc, records, way);
	case IRP_MN_UNLOCK_ALL:
		rx_lock_give_up_all(rxc, NULL, records, way);
		return STATUS_SUCCESS;
	case IRP_MN_UNLOCK_ALL_BY_KEY:
		rx_lock_give_up_all(rxc, &rxc->CurrentIrpSp->Parameters.LockControl.Key, records, way);
		return STATUS_SUCCESS;
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}

/*
 * While a lock is at the server writes go there at once: it lets only the locking open write, and write-behind goes
 * through any. What is kept from before goes first. On failure the record is gone.
 * Locks: FCB, exclusive where writes may be cached.
 */
static NTSTATUS rx_lock_flush(PRX_CONTEXT rxc, struct rx_lock *record)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	NTSTATUS status = rx_cache_has_data(fcb) ? rx_cache_flush(fcb) : STATUS_SUCCESS;

	if (NT_SUCCESS(status))
		return STATUS_SUCCESS;
	InterlockedDecrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
	ExFreePoolWithTag(record, RX_LOCK_TAG);
	return status;
}

/* Nobody may cache a write between the flush and the lock. Locks: FCB shared. */
static bool rx_lock_needs_exclusive(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	bool buffered;

	if (rxc->MinorFunction != IRP_MN_LOCK || (fcb->FcbState & FCB_STATE_WRITECACHING_ENABLED) == 0)
		return false;
	rx_locks_acquire(fcb);
	buffered = rx_lock_is_buffered(fcb);
	rx_locks_release(fcb);
	return !buffered;
}

/* Shared, or exclusive when it must be. */
static NTSTATUS rx_lock_acquire(PRX_CONTEXT rxc)
{
	NTSTATUS status = rx_acquire_fcb_shared(rxc);

	if (status != STATUS_SUCCESS || !rx_lock_needs_exclusive(rxc))
		return status;
	rx_release_fcb(rxc);
	return rx_acquire_fcb_exclusive(rxc);
}

static NTSTATUS rx_lock_with_fcb(PRX_CONTEXT rxc, PIRP irp, struct rx_lock **records, enum rx_lock_way *way)
{
	NTSTATUS status = rx_check_server_open(rxc);

	if (status == STATUS_SUCCESS && rxc->MinorFunction == IRP_MN_LOCK && rx_locks_lost(rxc))
		status = STATUS_FILE_FORCED_CLOSED;
	if (status == STATUS_SUCCESS)
		status = rx_lock_records(rxc, irp, records, way);
	if (status == STATUS_SUCCESS && *way == RX_LOCK_ASK && rxc->MinorFunction == IRP_MN_LOCK)
		status = rx_lock_flush(rxc, *records);
	return status;
}

static NTSTATUS rx_lock_begin(PRX_CONTEXT rxc, PIRP irp, struct rx_lock **records, enum rx_lock_way *way)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

	*way = RX_LOCK_DONE;
	*records = NULL;
	if (rxc->pFobx == NULL || NodeType(rxc->pFcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return STATUS_INVALID_PARAMETER;
	if ((rxc->MinorFunction == IRP_MN_LOCK || rxc->MinorFunction == IRP_MN_UNLOCK_SINGLE) &&
	    sp->Parameters.LockControl.Length == NULL)
		return STATUS_INVALID_PARAMETER;
	status = rx_lock_acquire(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_lock_with_fcb(rxc, irp, records, way);
	rx_release_fcb(rxc);
	return status;
}

static NTSTATUS rx_lock_ask(PRX_CONTEXT rxc, PIRP irp, struct rx_lock *records)
{
	switch (rxc->MinorFunction) {
	case IRP_MN_LOCK:
		rx_lock_parameters(rxc, records->lock.ExclusiveLock ? LOWIO_OP_EXCLUSIVELOCK
								    : LOWIO_OP_SHAREDLOCK);
		return rx_lock_submit(rxc, irp, records, rx_lock_complete);
	case IRP_MN_UNLOCK_SINGLE:
		rx_lock_parameters(rxc, LOWIO_OP_UNLOCK);
		return rx_lock_submit(rxc, irp, records, rx_lock_complete);
	default: /* several */
		rx_lock_parameters(rxc, LOWIO_OP_UNLOCK_MULTIPLE);
		rxc->LowIoContext.ParamsFor.Locks.LockList = &records->entry;
		return rx_lock_submit(rxc, irp, records, rx_unlock_many_complete);
	}
}

NTSTATUS NTAPI rx_common_lock_control(PRX_CONTEXT rxc, PIRP irp)
{
	struct rx_lock *records;
	enum rx_lock_way way;
	NTSTATUS status;

	do {
		if (rx_context_is_cancelled(rxc))
			return STATUS_CANCELLED;
		status = rx_lock_begin(rxc, irp, &records, &way);
		if (status != STATUS_SUCCESS || way == RX_LOCK_DONE)
			return status;
		if (way == RX_LOCK_ASK)
			return rx_lock_ask(rxc, irp, records);
	} while (!rx_lock_wait(rxc, irp, records));
	return STATUS_PENDING;
}

void rx_locks_cleanup(PRX_CONTEXT rxc, PFCB fcb, PFOBX fobx)
{
	struct rx_lock *records = rx_locks_take_all(fcb, fobx, NULL);
	PMRX_SRV_OPEN so = fobx->pSrvOpen;

	if (records == NULL)
		return;
	if (rx_check_server_open(rxc) == STATUS_SUCCESS && so != NULL) {
		/* the open at the server may outlive this handle, shared or dormant: its locks must not */
		rx_lowio_prepare(rxc, LOWIO_OP_UNLOCK_MULTIPLE);
		rxc->LowIoContext.Resource = NULL; /* the cleanup keeps the FCB itself */
		rxc->LowIoContext.ParamsFor.Locks.LockList = &records->entry;
		(void)rx_lock_submit(rxc, rxc->CurrentIrp, records, rx_unlock_many_complete);
		return;
	}
	InterlockedDecrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
	rx_locks_free(records);
	rx_locks_wake(fcb);
}
