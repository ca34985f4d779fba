/*
 * lowio.c - reads, writes, byte-range locks and change notification of the memory redirector.
 *
 * The work is done on the calling thread, in the order of the calls; only the completion comes later, from the
 * completer.  Locks and watches that wait can be cancelled: one atomic exchange of mem_pended.state decides
 * between the canceller and the thread that is still submitting.
 */
#include "mem.h"

static struct mem_handle *handle_of(PRX_CONTEXT RxContext)
{
	return mem_handle_of(RxContext->pFobx->pSrvOpen);
}

NTSTATUS mrx_mem_read(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	struct mem_handle *handle = handle_of(RxContext);
	void *bytes = RxLowIoGetBufferAddress(RxContext);
	ULONG done = 0;
	NTSTATUS status;

	if (handle == NULL)
		status = STATUS_FILE_CLOSED;
	else if (!(handle->access & (FILE_READ_DATA | FILE_EXECUTE)))
		status = STATUS_ACCESS_DENIED;
	else if (bytes == NULL && low->ParamsFor.ReadWrite.ByteCount > 0)
		status = STATUS_INSUFFICIENT_RESOURCES;
	else
		status = mem_fs_read(handle, low->ParamsFor.ReadWrite.ByteOffset, bytes,
				     low->ParamsFor.ReadWrite.ByteCount, low->ParamsFor.ReadWrite.Key, &done);
	return mem_pend_low_io(RxContext, status, done);
}

NTSTATUS mrx_mem_write(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	struct mem_handle *handle = handle_of(RxContext);
	void *bytes = RxLowIoGetBufferAddress(RxContext);
	struct mem_wakeups wake;
	ULONG done = 0;
	NTSTATUS status;

	mem_wakeups_init(&wake);
	if (handle == NULL)
		status = STATUS_FILE_CLOSED;
	else if (!(handle->access & (FILE_WRITE_DATA | FILE_APPEND_DATA)))
		status = STATUS_ACCESS_DENIED;
	else if (bytes == NULL && low->ParamsFor.ReadWrite.ByteCount > 0)
		status = STATUS_INSUFFICIENT_RESOURCES;
	else
		status = mem_fs_write(handle, low->ParamsFor.ReadWrite.ByteOffset, bytes,
				      low->ParamsFor.ReadWrite.ByteCount, low->ParamsFor.ReadWrite.Key, &done,
				      &wake);
	mem_run_wakeups(&wake);
	return mem_pend_low_io(RxContext, status, done);
}

static struct mem_pended *pended_of(PRX_CONTEXT RxContext)
{
	return (struct mem_pended *)&RxContext->MRxContext[0];
}

static NTSTATUS cancel_wait(PRX_CONTEXT RxContext)
{
	if (InterlockedExchange(&pended_of(RxContext)->state, MEM_PENDED_CANCELLED) == MEM_PENDED_WAITING &&
	    mem_fs_cancel_wait(handle_of(RxContext), RxContext))
		(void)mem_pend_low_io(RxContext, STATUS_CANCELLED, 0);
	return STATUS_SUCCESS;
}

/* The request waits now.  Unless it was cancelled on the way here, the canceller or the waker completes it. */
static NTSTATUS settle_wait(PRX_CONTEXT RxContext, struct mem_handle *handle)
{
	if (InterlockedCompareExchange(&pended_of(RxContext)->state, MEM_PENDED_WAITING, MEM_PENDED_NEW) ==
		    MEM_PENDED_CANCELLED &&
	    mem_fs_cancel_wait(handle, RxContext))
		return mem_pend_low_io(RxContext, STATUS_CANCELLED, 0);
	return STATUS_PENDING;
}

static NTSTATUS begin_wait(PRX_CONTEXT RxContext)
{
	pended_of(RxContext)->state = MEM_PENDED_NEW;
	return RxSetMinirdrCancelRoutine(RxContext, cancel_wait);
}

static void range_of(PRX_CONTEXT RxContext, struct mem_range *range)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;

	range->start = low->ParamsFor.Locks.ByteOffset;
	range->length = low->ParamsFor.Locks.Length;
	range->key = low->ParamsFor.Locks.Key;
	range->exclusive = low->Operation == LOWIO_OP_EXCLUSIVELOCK;
}

NTSTATUS mrx_mem_lock(PRX_CONTEXT RxContext)
{
	bool wait = !(RxContext->LowIoContext.ParamsFor.Locks.Flags & SL_FAIL_IMMEDIATELY);
	struct mem_handle *handle = handle_of(RxContext);
	struct mem_range range;
	NTSTATUS status;

	if (handle == NULL)
		return mem_pend_low_io(RxContext, STATUS_FILE_CLOSED, 0);
	range_of(RxContext, &range);
	status = begin_wait(RxContext);
	if (!NT_SUCCESS(status))
		return status;
	InterlockedIncrement(
		(volatile LONG *)&RxContext->ReferenceCount); /* it may complete while we look at it */
	status = mem_fs_lock(handle, &range, wait, RxContext);
	status = status == STATUS_PENDING ? settle_wait(RxContext, handle)
					  : mem_pend_low_io(RxContext, status, 0);
	RxDereferenceAndDeleteRxContext(RxContext);
	return status;
}

NTSTATUS mrx_mem_unlock(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = handle_of(RxContext);
	struct mem_wakeups wake;
	struct mem_range range;
	NTSTATUS status;

	if (handle == NULL)
		return mem_pend_low_io(RxContext, STATUS_FILE_CLOSED, 0);
	mem_wakeups_init(&wake);
	range_of(RxContext, &range);
	status = mem_fs_unlock(handle, &range, &wake);
	mem_run_wakeups(&wake);
	return mem_pend_low_io(RxContext, status, 0);
}

/* A list names the ranges; the first that is not locked decides the status, the rest are still released. */
NTSTATUS mrx_mem_unlock_multiple(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = handle_of(RxContext);
	PLOWIO_LOCK_LIST at = RxContext->LowIoContext.ParamsFor.Locks.LockList;
	NTSTATUS status = STATUS_SUCCESS;
	struct mem_wakeups wake;

	if (handle == NULL)
		return mem_pend_low_io(RxContext, STATUS_FILE_CLOSED, 0);
	mem_wakeups_init(&wake);
	for (; at != NULL; at = at->Next) {
		struct mem_range range = {at->ByteOffset, at->Length, at->Key, at->ExclusiveLock != FALSE};
		NTSTATUS one = mem_fs_unlock(handle, &range, &wake);

		if (NT_SUCCESS(status))
			status = one;
	}
	mem_run_wakeups(&wake);
	return mem_pend_low_io(RxContext, status, 0);
}

NTSTATUS mrx_mem_notify(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	struct mem_handle *handle = handle_of(RxContext);
	struct mem_wakeups wake;
	NTSTATUS status;

	if (handle == NULL)
		return mem_pend_low_io(RxContext, STATUS_FILE_CLOSED, 0);
	status = begin_wait(RxContext);
	if (!NT_SUCCESS(status))
		return status;
	mem_wakeups_init(&wake);
	InterlockedIncrement((volatile LONG *)&RxContext->ReferenceCount);
	status = mem_fs_watch(handle, low->ParamsFor.NotifyChangeDirectory.CompletionFilter,
			      low->ParamsFor.NotifyChangeDirectory.WatchTree, RxContext, &wake);
	status = status == STATUS_PENDING ? settle_wait(RxContext, handle)
					  : mem_pend_low_io(RxContext, status, 0);
	mem_run_wakeups(&wake);
	RxDereferenceAndDeleteRxContext(RxContext);
	return status;
}

NTSTATUS mrx_mem_is_lock_realizable(PMRX_FCB Fcb, PLARGE_INTEGER ByteOffset, PLARGE_INTEGER Length,
				    ULONG Flags)
{
	(void)Fcb;
	(void)Flags;
	return ByteOffset->QuadPart < 0 || Length->QuadPart < 0 ? STATUS_NOT_SUPPORTED : STATUS_SUCCESS;
}
