/*
 * lockctrl.c - IRP_MJ_LOCK_CONTROL: byte-range locks.
 *
 * Owns:   the record of every granted lock (struct rx_lock), in FCB.BufferedLocks.List.
 * Locks:  FileSizeLock of the FCB, a leaf, for the list. The FCB resource is held shared to look at the open and to
 *         take records out (exclusive where writes may be cached), and not while the server is asked: a lock that it makes wait must not keep others from the
 *         file. So whoever holds the FCB exclusive sees records come, and none go.
 * Dies:   a record with its unlock, or with the cleanup of its file object.
 *
 * The server decides; the record serves three ends: several file objects may share one open at the server, so
 * their reads and writes are checked against each other's locks here; what a handle holds is released at its
 * cleanup even when the open at the server lives on; and RxLockEnumerator shows them to the driver.
 *
 * With FCB_STATE_LOCK_BUFFERING_ENABLED a driver may answer a lock itself. When the server takes that leave back, the
 * driver is given the ranges that were locked under it, to lock them at the server (rx_locks_buffered).
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/lowio/core_lowio.h"
#include "core/minirdr/calldown.h"

#define RX_LOCK_TAG 'kLxR'

struct rx_lock {
	FCB_LOCK lock; /* first: the list is FCB.BufferedLocks.List */
	PFOBX fobx;
	LOWIO_LOCK_LIST entry; /* for LOWIO_OP_UNLOCK_MULTIPLE and for a flush: neither must need memory */
	bool buffered;         /* granted while the driver might keep it from the server */
};

static void rx_locks_acquire(PFCB fcb)
{
	ExAcquireFastMutex(fcb->FileSizeLock);
}

static void rx_locks_release(PFCB fcb)
{
	ExReleaseFastMutex(fcb->FileSizeLock);
}

/* ---- records ---- */

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
		struct rx_lock *held = CONTAINING_RECORD(lock, struct rx_lock, lock);

		if (!rx_lock_overlaps(lock, offset, length))
			continue;
		if (held->fobx == (PFOBX)rxc->pFobx)
			allowed = lock->ExclusiveLock || !write;
		else
			allowed = !lock->ExclusiveLock && !write;
	}
	rx_locks_release(fcb);
	return allowed;
}

/*
 * Takes the exact range of a handle out of the list; NULL: it holds no such lock. Of two, one of them shared, the
 * exclusive one, as the server does ([MS-FSA] 2.1.5.9).
 */
static struct rx_lock *rx_lock_take(PFCB fcb, PFOBX fobx, LONGLONG offset, LONGLONG length, ULONG key)
{
	struct rx_lock *taken = NULL;
	PFCB_LOCK *at, *found = NULL;

	rx_locks_acquire(fcb);
	for (at = &fcb->BufferedLocks.List; *at != NULL; at = &(*at)->Next) {
		struct rx_lock *held = CONTAINING_RECORD(*at, struct rx_lock, lock);

		if (held->fobx != fobx || held->lock.BytesOffset.QuadPart != offset ||
		    held->lock.Length.QuadPart != length || held->lock.Key != key)
			continue;
		if (found == NULL || held->lock.ExclusiveLock)
			found = at;
	}
	if (found != NULL) {
		taken = CONTAINING_RECORD(*found, struct rx_lock, lock);
		*found = taken->lock.Next;
	}
	rx_locks_release(fcb);
	return taken;
}

/*
 * Several handles may share one open at the server, which lets it share what it has locked exclusively: it does not
 * know that they are two.
 */
static bool rx_lock_is_kept_from(PFCB fcb, const struct rx_lock *wanted)
{
	bool kept = false;
	PFCB_LOCK lock;

	rx_locks_acquire(fcb);
	for (lock = fcb->BufferedLocks.List; lock != NULL && !kept; lock = lock->Next) {
		const struct rx_lock *held = CONTAINING_RECORD(lock, struct rx_lock, lock);

		kept = lock->ExclusiveLock && held->fobx != wanted->fobx &&
		       held->fobx->pSrvOpen == wanted->fobx->pSrvOpen &&
		       rx_lock_overlaps(lock, wanted->lock.BytesOffset.QuadPart,
					wanted->lock.Length.QuadPart);
	}
	rx_locks_release(fcb);
	return kept;
}

bool rx_locks_at_server(PFCB fcb)
{
	bool any = __atomic_load_n(&fcb->OutstandingLockOperationsCount, __ATOMIC_ACQUIRE) != 0;
	PFCB_LOCK lock;

	rx_locks_acquire(fcb);
	for (lock = fcb->BufferedLocks.List; lock != NULL && !any; lock = lock->Next)
		any = !CONTAINING_RECORD(lock, struct rx_lock, lock)->buffered;
	rx_locks_release(fcb);
	return any;
}

/* The record in the list that a driver is given, before `next`. */
static void rx_lock_describe(struct rx_lock *record, struct rx_lock *next)
{
	record->entry.Next = next != NULL ? &next->entry : NULL;
	record->entry.ByteOffset = record->lock.BytesOffset.QuadPart;
	record->entry.Length = record->lock.Length.QuadPart;
	record->entry.Key = record->lock.Key;
	record->entry.ExclusiveLock = record->lock.ExclusiveLock;
}

/* Takes all locks of a handle (of one key, when key is not NULL) out and chains them; NULL: none. */
static struct rx_lock *rx_locks_take_all(PFCB fcb, PFOBX fobx, const ULONG *key)
{
	struct rx_lock *taken = NULL;
	PFCB_LOCK *at;

	rx_locks_acquire(fcb);
	at = &fcb->BufferedLocks.List;
	while (*at != NULL) {
		struct rx_lock *held = CONTAINING_RECORD(*at, struct rx_lock, lock);

		if (held->fobx != fobx || (key != NULL && held->lock.Key != *key)) {
			at = &(*at)->Next;
			continue;
		}
		*at = held->lock.Next;
		held->lock.Next = taken != NULL ? &taken->lock : NULL;
		rx_lock_describe(held, taken);
		taken = held;
	}
	rx_locks_release(fcb);
	return taken;
}

static void rx_locks_free(struct rx_lock *first)
{
	while (first != NULL) {
		PFCB_LOCK next = first->lock.Next;

		ExFreePoolWithTag(first, RX_LOCK_TAG);
		first = next != NULL ? CONTAINING_RECORD(next, struct rx_lock, lock) : NULL;
	}
}

static void rx_lock_add(PFCB fcb, struct rx_lock *record)
{
	rx_locks_acquire(fcb);
	record->lock.Next = fcb->BufferedLocks.List;
	fcb->BufferedLocks.List = &record->lock;
	rx_locks_release(fcb);
}

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
	return status;
}

static NTSTATUS NTAPI rx_unlock_many_complete(PRX_CONTEXT rxc)
{
	struct rx_lock *records = rxc->DispatchState;

	rxc->DispatchState = NULL;
	InterlockedDecrement((volatile LONG *)&rxc->pFcb->OutstandingLockOperationsCount);
	/* whatever the server said: the handle gave them up */
	rx_locks_free(records);
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

/* What a lock needs before the server is asked. Locks: FCB shared. */
static NTSTATUS rx_lock_make(PRX_CONTEXT rxc, PIRP irp, struct rx_lock **made)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	struct rx_lock *record;
	NTSTATUS status;

	status = rx_call_is_lock_realizable(rxc->pFcb, &sp->Parameters.LockControl.ByteOffset,
					    sp->Parameters.LockControl.Length, sp->Flags);
	if (!NT_SUCCESS(status))
		return status;
	record = ExAllocatePoolWithTag(NonPagedPool, sizeof(*record), RX_LOCK_TAG);
	if (record == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(record, sizeof(*record));
	record->fobx = (PFOBX)rxc->pFobx;
	record->lock.BytesOffset = sp->Parameters.LockControl.ByteOffset;
	record->lock.Length = *sp->Parameters.LockControl.Length;
	record->lock.Key = sp->Parameters.LockControl.Key;
	record->lock.ExclusiveLock = (sp->Flags & SL_EXCLUSIVE_LOCK) != 0;
	record->lock.OwnerProcess = IoGetRequestorProcess(irp);
	record->buffered = (rxc->pFcb->FcbState & FCB_STATE_LOCK_BUFFERING_ENABLED) != 0;
	if (rx_lock_is_kept_from((PFCB)rxc->pFcb, record)) {
		ExFreePoolWithTag(record, RX_LOCK_TAG);
		return STATUS_LOCK_NOT_GRANTED; /* also to who would wait: nobody could wake him */
	}
	*made = record;
	return STATUS_SUCCESS;
}

/* The records that the request is about: made for a lock, taken out for an unlock. Locks: FCB shared. */
static NTSTATUS rx_lock_records(PRX_CONTEXT rxc, PIRP irp, struct rx_lock **records)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PFCB fcb = (PFCB)rxc->pFcb;
	PFOBX fobx = (PFOBX)rxc->pFobx;

	switch (rxc->MinorFunction) {
	case IRP_MN_LOCK:
		return rx_lock_make(rxc, irp, records);
	case IRP_MN_UNLOCK_SINGLE:
		*records = rx_lock_take(fcb, fobx, sp->Parameters.LockControl.ByteOffset.QuadPart,
					sp->Parameters.LockControl.Length->QuadPart,
					sp->Parameters.LockControl.Key);
		return *records != NULL ? STATUS_SUCCESS : STATUS_RANGE_NOT_LOCKED;
	case IRP_MN_UNLOCK_ALL:
		*records = rx_locks_take_all(fcb, fobx, NULL);
		return STATUS_SUCCESS;
	case IRP_MN_UNLOCK_ALL_BY_KEY:
		*records = rx_locks_take_all(fcb, fobx, &sp->Parameters.LockControl.Key);
		return STATUS_SUCCESS;
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}

/*
 * While a lock is at the server writes go there at once: it lets only the locking open write, and write-behind goes
 * through any. What is kept from before goes first.
 * Locks: FCB, exclusive where writes may be cached.
 */
static NTSTATUS rx_lock_flush(PRX_CONTEXT rxc, struct rx_lock *record)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	NTSTATUS status;

	if (rxc->MinorFunction != IRP_MN_LOCK || record->buffered || !rx_cache_has_data(fcb))
		return STATUS_SUCCESS;
	status = rx_cache_flush(fcb);
	if (NT_SUCCESS(status))
		return STATUS_SUCCESS;
	InterlockedDecrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
	ExFreePoolWithTag(record, RX_LOCK_TAG);
	return status;
}

static NTSTATUS rx_lock_acquire(PRX_CONTEXT rxc)
{
	NTSTATUS status = rx_acquire_fcb_shared(rxc);

	if (status != STATUS_SUCCESS || rxc->MinorFunction != IRP_MN_LOCK ||
	    (rxc->pFcb->FcbState & FCB_STATE_WRITECACHING_ENABLED) == 0)
		return status;
	rx_release_fcb(rxc); /* nobody may cache a write between the flush and the lock */
	return rx_acquire_fcb_exclusive(rxc);
}

static NTSTATUS rx_lock_begin(PRX_CONTEXT rxc, PIRP irp, struct rx_lock **records)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

	if (rxc->pFobx == NULL || NodeType(rxc->pFcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return STATUS_INVALID_PARAMETER;
	if ((rxc->MinorFunction == IRP_MN_LOCK || rxc->MinorFunction == IRP_MN_UNLOCK_SINGLE) &&
	    sp->Parameters.LockControl.Length == NULL)
		return STATUS_INVALID_PARAMETER;
	status = rx_lock_acquire(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_lock_records(rxc, irp, records);
	if (status == STATUS_SUCCESS && *records != NULL) {
		InterlockedIncrement((volatile LONG *)&rxc->pFcb->OutstandingLockOperationsCount);
		status = rx_lock_flush(rxc, *records);
	}
	rx_release_fcb(rxc);
	return status;
}

NTSTATUS NTAPI rx_common_lock_control(PRX_CONTEXT rxc, PIRP irp)
{
	struct rx_lock *records = NULL;
	NTSTATUS status = rx_lock_begin(rxc, irp, &records);

	if (status != STATUS_SUCCESS)
		return status;
	switch (rxc->MinorFunction) {
	case IRP_MN_LOCK:
		rx_lock_parameters(rxc, records->lock.ExclusiveLock ? LOWIO_OP_EXCLUSIVELOCK
								    : LOWIO_OP_SHAREDLOCK);
		return rx_lock_submit(rxc, irp, records, rx_lock_complete);
	case IRP_MN_UNLOCK_SINGLE:
		rx_lock_parameters(rxc, LOWIO_OP_UNLOCK);
		return rx_lock_submit(rxc, irp, records, rx_lock_complete);
	default: /* several */
		if (records == NULL)
			return STATUS_SUCCESS;
		rx_lock_parameters(rxc, LOWIO_OP_UNLOCK_MULTIPLE);
		rxc->LowIoContext.ParamsFor.Locks.LockList = &records->entry;
		return rx_lock_submit(rxc, irp, records, rx_unlock_many_complete);
	}
}

PLOWIO_LOCK_LIST rx_locks_buffered(PFCB fcb, PMRX_SRV_OPEN so)
{
	struct rx_lock *first = NULL;
	PFCB_LOCK lock;

	rx_locks_acquire(fcb);
	for (lock = fcb->BufferedLocks.List; lock != NULL; lock = lock->Next) {
		struct rx_lock *record = CONTAINING_RECORD(lock, struct rx_lock, lock);

		if (!record->buffered || record->fobx->pSrvOpen != so)
			continue;
		rx_lock_describe(record, first);
		first = record;
	}
	rx_locks_release(fcb);
	return first != NULL ? &first->entry : NULL;
}

void rx_locks_flushed(PLOWIO_LOCK_LIST list)
{
	for (; list != NULL; list = list->Next)
		CONTAINING_RECORD(list, struct rx_lock, entry)->buffered = false;
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
		InterlockedIncrement((volatile LONG *)&fcb->OutstandingLockOperationsCount);
		(void)rx_lock_submit(rxc, rxc->CurrentIrp, records, rx_unlock_many_complete);
		return;
	}
	rx_locks_free(records);
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
	while (lock != NULL && CONTAINING_RECORD(lock, struct rx_lock, lock)->fobx->pSrvOpen != SrvOpen)
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
