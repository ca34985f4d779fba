/*
 * queue.c - running routines on workers of the RDBSS process.
 *
 * Owns:   the count of a device's outstanding work items (DispatcherContext) and the memory of dispatched ones.
 * Locks:  rx_dispatcher_lock (leaf): the count and the event of whoever waits for it to reach zero.
 *
 * Items are counted per device, so that unloading one redirector waits for its own work only. An item counts
 * until its routine has returned, not merely until it was taken from the queue.
 */
#include "core/work/work.h"

#define RX_WORK_TAG 'qWxR'

/* A request of RxDispatchToWorkerThread: its memory is ours. */
struct rx_dispatched_work {
	RX_WORK_QUEUE_ITEM item;
	PRX_WORKERTHREAD_ROUTINE routine;
	PVOID context;
};

static KSPIN_LOCK rx_dispatcher_lock;

VOID rx_work_init(VOID)
{
	KeInitializeSpinLock(&rx_dispatcher_lock);
}

bool rx_in_rdbss_process(void)
{
	return PsGetCurrentProcess() == RxGetRDBSSProcess();
}

static void rx_work_begin(PRDBSS_DEVICE_OBJECT dev)
{
	KIRQL irql;

	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	dev->DispatcherContext.NumberOfWorkerThreads++;
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
}

/* The device may be gone when this returns: whoever tears it down waits for exactly this. */
static void rx_work_end(PRDBSS_DEVICE_OBJECT dev)
{
	KIRQL irql;

	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	ASSERT(dev->DispatcherContext.NumberOfWorkerThreads > 0);
	dev->DispatcherContext.NumberOfWorkerThreads--;
	if (dev->DispatcherContext.NumberOfWorkerThreads == 0 &&
	    dev->DispatcherContext.pTearDownEvent != NULL)
		KeSetEvent(dev->DispatcherContext.pTearDownEvent, IO_NO_INCREMENT, FALSE);
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
}

static VOID NTAPI rx_work_run(PVOID parameter)
{
	PRX_WORK_QUEUE_ITEM item = parameter;
	PRDBSS_DEVICE_OBJECT dev = item->pDeviceObject;

	/* the item's memory is the caller's again as soon as its routine begins */
	item->WorkerRoutine(item->Parameter);
	rx_work_end(dev);
}

/**
 * RxPostToWorkerThread - run a routine once on a worker, without allocating
 * @pMRxDeviceObject: [in] the redirector it works for
 * @WorkQueueType:    [in] which queue
 * @pWorkQueueItem:   [in] memory of the caller, untouched by us once the routine begins
 * @Routine:          [in] runs in the RDBSS process, with no lock held
 * @pContext:         [in] its argument
 *
 * Context: <= DISPATCH_LEVEL.
 * Return:  STATUS_SUCCESS.
 * Page:    rxworkq/RxPostToWorkerThread.
 */
NTSTATUS RxPostToWorkerThread(PRDBSS_DEVICE_OBJECT pMRxDeviceObject, WORK_QUEUE_TYPE WorkQueueType,
			      PRX_WORK_QUEUE_ITEM pWorkQueueItem, PRX_WORKERTHREAD_ROUTINE Routine,
			      PVOID pContext)
{
	pWorkQueueItem->pDeviceObject = pMRxDeviceObject;
	pWorkQueueItem->WorkerRoutine = Routine;
	pWorkQueueItem->Parameter = pContext;
	rx_work_begin(pMRxDeviceObject);
	ExInitializeWorkItem(&pWorkQueueItem->WorkQueueItem, rx_work_run, pWorkQueueItem);
	ExQueueWorkItem(&pWorkQueueItem->WorkQueueItem, WorkQueueType);
	return STATUS_SUCCESS;
}

static VOID NTAPI rx_work_run_dispatched(PVOID parameter)
{
	struct rx_dispatched_work *work = parameter;
	PRX_WORKERTHREAD_ROUTINE routine = work->routine;
	PVOID context = work->context;

	ExFreePoolWithTag(work, RX_WORK_TAG);
	routine(context);
}

/**
 * RxDispatchToWorkerThread - run a routine once on a worker; the work item is allocated here
 *
 * Return: STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES: the routine will never run.
 * Page:   rxworkq/RxDispatchToWorkerThread.
 */
NTSTATUS RxDispatchToWorkerThread(PRDBSS_DEVICE_OBJECT pMRxDeviceObject, WORK_QUEUE_TYPE WorkQueueType,
				  PRX_WORKERTHREAD_ROUTINE Routine, PVOID pContext)
{
	struct rx_dispatched_work *work = ExAllocatePoolWithTag(NonPagedPool, sizeof(*work), RX_WORK_TAG);

	if (work == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	work->routine = Routine;
	work->context = pContext;
	return RxPostToWorkerThread(pMRxDeviceObject, WorkQueueType, &work->item, rx_work_run_dispatched,
				    work);
}

/**
 * RxSpinDownMRxDispatcher - wait until no worker routine of a redirector runs or waits to run
 *
 * Context: PASSIVE_LEVEL, not from a worker routine of the device itself; blocks.
 * Return:  STATUS_SUCCESS.
 * Page:    rxworkq/RxSpinDownMRxDispatcher.
 */
NTSTATUS RxSpinDownMRxDispatcher(PRDBSS_DEVICE_OBJECT pMRxDeviceObject)
{
	return rx_work_wait_idle(pMRxDeviceObject, 0);
}

NTSTATUS rx_work_wait_idle(PRDBSS_DEVICE_OBJECT dev, LONG own)
{
	KEVENT idle;
	KIRQL irql;
	bool busy;

	KeInitializeEvent(&idle, NotificationEvent, FALSE);
	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	ASSERT(dev->DispatcherContext.pTearDownEvent == NULL);
	dev->DispatcherContext.NumberOfWorkerThreads -= own;
	busy = dev->DispatcherContext.NumberOfWorkerThreads > 0;
	dev->DispatcherContext.pTearDownEvent = busy ? &idle : NULL;
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
	if (busy)
		(void)KeWaitForSingleObject(&idle, Executive, KernelMode, FALSE, NULL);

	/* under the lock again: the last worker has left it, and with it our event */
	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	dev->DispatcherContext.pTearDownEvent = NULL;
	dev->DispatcherContext.NumberOfWorkerThreads += own;
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
	return STATUS_SUCCESS;
}
