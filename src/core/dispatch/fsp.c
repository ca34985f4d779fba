/*
 * fsp.c - requests that go on in the file system process, on a worker.
 *
 * Owns:   a posted RX_CONTEXT from RxFsdPostRequest() until a worker runs it; the overflow queues.
 * Locks:  the device's OverflowQueueSpinLock (leaf).
 *
 * Per device and queue at most RX_FSP_THRESHOLD workers are busy, so that one redirector cannot take them all;
 * what comes above waits in the overflow queue, which a worker empties before it ends.
 */
#include "core/dispatch/dispatch.h"

#include "core/context/context.h"

#define RX_FSP_THRESHOLD 48 /* below the workers that a queue has (64) */
/* The documents set no limit. Without one a driver's mistake keeps a worker busy for ever, and its caller waiting. */
#define RX_FSP_ASKED_MOST 100

VOID rx_fsp_init_device(PRDBSS_DEVICE_OBJECT dev)
{
	unsigned int i;

	KeInitializeSpinLock(&dev->OverflowQueueSpinLock);
	for (i = 0; i < MaximumWorkQueue; i++) {
		InitializeListHead(&dev->OverflowQueue[i]);
		dev->OverflowQueueCount[i] = 0;
		dev->PostedRequestCount[i] = 0;
	}
}

static WORK_QUEUE_TYPE rx_fsp_queue_of(PRX_CONTEXT rxc)
{
	return (rxc->Flags & RX_CONTEXT_FLAG_FSP_DELAYED_OVERFLOW_QUEUE) != 0 ? DelayedWorkQueue
									      : CriticalWorkQueue;
}

/* The next request of a queue; NULL: none, and the caller's place among the busy workers is given up. */
static PRX_CONTEXT rx_fsp_next(PRDBSS_DEVICE_OBJECT dev, WORK_QUEUE_TYPE queue)
{
	PRX_CONTEXT next = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&dev->OverflowQueueSpinLock, &irql);
	if (IsListEmpty(&dev->OverflowQueue[queue])) {
		dev->PostedRequestCount[queue]--;
	} else {
		PLIST_ENTRY entry = RemoveHeadList(&dev->OverflowQueue[queue]);

		dev->OverflowQueueCount[queue]--;
		next = CONTAINING_RECORD(entry, RX_CONTEXT, OverflowListEntry);
	}
	KeReleaseSpinLock(&dev->OverflowQueueSpinLock, irql);
	return next;
}

static VOID NTAPI rx_fsp_worker(PVOID context)
{
	PRX_CONTEXT rxc = context;
	PRDBSS_DEVICE_OBJECT dev = rxc->RxDeviceObject;
	WORK_QUEUE_TYPE queue = rx_fsp_queue_of(rxc);

	do {
		PIRP irp = rxc->CurrentIrp;

		rxc->PostRequest = FALSE;
		__atomic_fetch_or(&rxc->Flags, RX_CONTEXT_FLAG_WAIT | RX_CONTEXT_FLAG_IN_FSP,
				  __ATOMIC_RELAXED);
		IoSetTopLevelIrp(irp);
		(void)rx_dispatch_run(rxc); /* completes the IRP with its status */
		IoSetTopLevelIrp(NULL);
		rx_assert_holds_no_lock(dev);
		rxc = rx_fsp_next(dev, queue);
	} while (rxc != NULL);
}

/*
 * Requests whose user buffer must stay reachable after the caller's thread is gone get an MDL. Reads and
 * writes with IRP_MN_MDL describe the cache, not a buffer (E-49).
 */
static NTSTATUS rx_fsp_lock_buffers(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;

	switch (rxc->MajorFunction) {
	case IRP_MJ_READ:
		if ((rxc->MinorFunction & IRP_MN_MDL) != 0)
			return STATUS_SUCCESS;
		return rx_lock_user_buffer(rxc, irp, IoWriteAccess, sp->Parameters.Read.Length);
	case IRP_MJ_WRITE:
		if ((rxc->MinorFunction & IRP_MN_MDL) != 0)
			return STATUS_SUCCESS;
		return rx_lock_user_buffer(rxc, irp, IoReadAccess, sp->Parameters.Write.Length);
	case IRP_MJ_DIRECTORY_CONTROL:
		if (rxc->MinorFunction != IRP_MN_QUERY_DIRECTORY)
			return STATUS_SUCCESS;
		return rx_lock_user_buffer(rxc, irp, IoWriteAccess, sp->Parameters.QueryDirectory.Length);
	case IRP_MJ_QUERY_EA:
		return rx_lock_user_buffer(rxc, irp, IoWriteAccess, sp->Parameters.QueryEa.Length);
	case IRP_MJ_SET_EA:
		return rx_lock_user_buffer(rxc, irp, IoReadAccess, sp->Parameters.SetEa.Length);
	default:
		return STATUS_SUCCESS;
	}
}

static bool rx_fsp_is_prefix_query(PRX_CONTEXT rxc)
{
	return rxc->CurrentIrpSp->MajorFunction == IRP_MJ_DEVICE_CONTROL &&
	       rxc->CurrentIrpSp->Parameters.DeviceIoControl.IoControlCode == IOCTL_REDIR_QUERY_PATH;
}

/**
 * RxFsdPostRequest - have a request served again by a worker of the RDBSS process
 * @RxContext: [in] not the caller's any more when this returns
 *
 * Return: STATUS_PENDING, always: an error in locking the buffers completes the IRP with it.
 * Page:   rxprocs/RxFsdPostRequest.
 */
NTSTATUS RxFsdPostRequest(PRX_CONTEXT RxContext)
{
	PRDBSS_DEVICE_OBJECT dev = RxContext->RxDeviceObject;
	PIRP irp = RxContext->CurrentIrp;
	WORK_QUEUE_TYPE queue;
	bool overflow;
	KIRQL irql;

	IoMarkIrpPending(irp);
	if ((RxContext->Flags & RX_CONTEXT_FLAG_NO_PREPOSTING_NEEDED) == 0) {
		NTSTATUS status = rx_fsp_lock_buffers(RxContext, irp);

		if (!NT_SUCCESS(status)) {
			(void)RxCompleteRequest(RxContext, status);
			return STATUS_PENDING;
		}
	}
	__atomic_fetch_or(&RxContext->Flags,
			  RX_CONTEXT_FLAG_NO_PREPOSTING_NEEDED |
				  (rx_fsp_is_prefix_query(RxContext)
					   ? RX_CONTEXT_FLAG_FSP_DELAYED_OVERFLOW_QUEUE
					   : RX_CONTEXT_FLAG_FSP_CRITICAL_OVERFLOW_QUEUE),
			  __ATOMIC_RELAXED);
	queue = rx_fsp_queue_of(RxContext);

	KeAcquireSpinLock(&dev->OverflowQueueSpinLock, &irql);
	overflow = dev->PostedRequestCount[queue] >= RX_FSP_THRESHOLD;
	if (overflow) {
		InsertTailList(&dev->OverflowQueue[queue], &RxContext->OverflowListEntry);
		dev->OverflowQueueCount[queue]++;
	} else {
		dev->PostedRequestCount[queue]++;
	}
	KeReleaseSpinLock(&dev->OverflowQueueSpinLock, irql);

	if (!overflow)
		(void)RxPostToWorkerThread(dev, queue, &RxContext->WorkQueueItem, rx_fsp_worker, RxContext);
	return STATUS_PENDING;
}

NTSTATUS rx_post_for_driver(PRX_CONTEXT rxc)
{
	rxc->PostRequest = FALSE;
	if (rx_context_is_cancelled(rxc))
		return STATUS_CANCELLED;
	if (rxc->PostsAsked++ < RX_FSP_ASKED_MOST)
		return RxFsdPostRequest(rxc);
	RxLog(("rxc=%p major=%u is to be posted for ever", rxc, rxc->MajorFunction));
	return STATUS_DRIVER_INTERNAL_ERROR;
}
