/*
 * queue.c - running routines on workers of the RDBSS process.
 *
 * Owns:   the count of a device's outstanding work items (DispatcherContext), the list of running ones, and the
 *         memory of dispatched ones.
 * Locks:  rx_dispatcher_lock (leaf): the count, the list, and the event of whoever waits for the count.
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

/* A routine that runs now; on its worker's stack. */
struct rx_running_work {
	LIST_ENTRY links;
	PRDBSS_DEVICE_OBJECT device;
	PETHREAD thread;
};

static KSPIN_LOCK rx_dispatcher_lock;
static LIST_ENTRY rx_running;

VOID rx_work_init(VOID)
{
	KeInitializeSpinLock(&rx_dispatcher_lock);
	InitializeListHead(&rx_running);
}

bool rx_in_rdbss_process(void)
{
	return PsGetCurrentProcess() == RxGetRDBSSProcess();
}

static void rx_work_begin(PRDBSS_DEVICE_OBJECT dev)
{
	PRX_DISPATCHER_CONTEXT dispatcher = &dev->DispatcherContext;
	KIRQL irql;

	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	dispatcher->NumberOfWorkerThreads++;
	dispatcher->CumulativeQueueLength += dispatcher->NumberOfWorkItemsToBeDispatched++;
	if (dispatcher->State == RxWorkQueueInactive)
		dispatcher->State = RxWorkQueueActive;
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
}

static void rx_work_note_running(struct rx_running_work *running, PRDBSS_DEVICE_OBJECT dev)
{
	KIRQL irql;

	running->device = dev;
	running->thread = PsGetCurrentThread();
	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	InsertTailList(&rx_running, &running->links);
	dev->DispatcherContext.NumberOfWorkItemsToBeDispatched--;
	dev->DispatcherContext.NumberOfWorkItemsDispatched++;
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
}

/* The device may be gone when this returns: whoever tears it down waits for exactly this. */
static void rx_work_end(struct rx_running_work *running)
{
	PRX_DISPATCHER_CONTEXT dispatcher = &running->device->DispatcherContext;
	KIRQL irql;

	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	RemoveEntryList(&running->links);
	ASSERT(dispatcher->NumberOfWorkerThreads > 0);
	dispatcher->NumberOfWorkerThreads--;
	if (dispatcher->NumberOfWorkerThreads == 0 && dispatcher->pTearDownEvent != NULL)
		KeSetEvent(dispatcher->pTearDownEvent, IO_NO_INCREMENT, FALSE);
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
}

static VOID NTAPI rx_work_run(PVOID parameter)
{
	PRX_WORK_QUEUE_ITEM item = parameter;
	struct rx_running_work running;

	rx_work_note_running(&running, item->pDeviceObject);
	/* the item's memory is the caller's again as soon as its routine begins */
	item->WorkerRoutine(item->Parameter);
	rx_work_end(&running);
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

/* How many of the device's routines this thread is inside of: it must not wait for them. */
static LONG rx_work_of_this_thread_locked(PRDBSS_DEVICE_OBJECT dev)
{
	PETHREAD self = PsGetCurrentThread();
	PLIST_ENTRY entry;
	LONG own = 0;

	for (entry = rx_running.Flink; entry != &rx_running; entry = entry->Flink) {
		struct rx_running_work *running = CONTAINING_RECORD(entry, struct rx_running_work, links);

		if (running->thread == self && running->device == dev)
			own++;
	}
	return own;
}

bool rx_work_is_busy(PRDBSS_DEVICE_OBJECT dev)
{
	KIRQL irql;
	bool busy;

	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	busy = dev->DispatcherContext.NumberOfWorkerThreads > rx_work_of_this_thread_locked(dev);
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
	return busy;
}

/**
 * RxSpinDownMRxDispatcher - wait until no worker routine of a redirector runs or waits to run
 *
 * A caller that is itself such a routine (a stop that was posted) does not wait for itself.
 *
 * Context: PASSIVE_LEVEL; blocks.
 * Return:  STATUS_SUCCESS.
 * Page:    rxworkq/RxSpinDownMRxDispatcher.
 */
NTSTATUS RxSpinDownMRxDispatcher(PRDBSS_DEVICE_OBJECT pMRxDeviceObject)
{
	PRX_DISPATCHER_CONTEXT dispatcher = &pMRxDeviceObject->DispatcherContext;
	KEVENT idle;
	KIRQL irql;
	bool busy;
	LONG own;

	KeInitializeEvent(&idle, NotificationEvent, FALSE);
	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	ASSERT(dispatcher->pTearDownEvent == NULL);
	own = rx_work_of_this_thread_locked(pMRxDeviceObject);
	dispatcher->NumberOfWorkerThreads -= own;
	busy = dispatcher->NumberOfWorkerThreads > 0;
	__atomic_store_n(&dispatcher->pTearDownEvent, busy ? &idle : NULL, __ATOMIC_RELEASE);
	dispatcher->State = RxWorkQueueRundownInProgress;
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
	if (busy)
		(void)KeWaitForSingleObject(&idle, Executive, KernelMode, FALSE, NULL);

	/* under the lock again: the last worker has left it, and with it our event */
	KeAcquireSpinLock(&rx_dispatcher_lock, &irql);
	__atomic_store_n(&dispatcher->pTearDownEvent, NULL, __ATOMIC_RELEASE);
	dispatcher->NumberOfWorkerThreads += own;
	dispatcher->State = RxWorkQueueInactive;
	KeReleaseSpinLock(&rx_dispatcher_lock, irql);
	return STATUS_SUCCESS;
}
