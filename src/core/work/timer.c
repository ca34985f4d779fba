/*
 * timer.c - routines run after an interval, once or again and again.
 *
 * Owns:   the list of armed requests, the memory of recurrent ones, and one KTIMER set to the earliest.
 * Locks:  rx_timer_lock (leaf). Routines run on workers with nothing held.
 *
 * A request is armed (in the list), running (its routine is queued or runs), or gone. Cancelling takes an armed
 * one out; a running recurrent one is marked and not armed again. Times are interrupt time, 100 ns.
 */
#include "core/work/work.h"

#define RX_TIMER_TAG 'mTxR'

/* RX_WORK_ITEM.Armed */
enum { RX_TIMER_GONE = 0, RX_TIMER_ARMED = 1, RX_TIMER_RUNNING = 2, RX_TIMER_CANCELLED = 3 };

struct rx_recurrent {
	RX_WORK_ITEM item;
	PRX_WORKERTHREAD_ROUTINE routine;
	PVOID context;
	PRDBSS_DEVICE_OBJECT device;
	LIST_ENTRY running_links; /* in rx_timer_running while not armed */
};

static KSPIN_LOCK rx_timer_lock;
static LIST_ENTRY rx_timer_armed;   /* RX_WORK_ITEM.Links */
static LIST_ENTRY rx_timer_running; /* struct rx_recurrent */
static KTIMER rx_timer;
static KDPC rx_timer_dpc;

static KDEFERRED_ROUTINE rx_timer_fire;

VOID rx_timer_init(VOID)
{
	KeInitializeSpinLock(&rx_timer_lock);
	InitializeListHead(&rx_timer_armed);
	InitializeListHead(&rx_timer_running);
	KeInitializeTimer(&rx_timer);
	KeInitializeDpc(&rx_timer_dpc, rx_timer_fire, NULL);
}

static LONGLONG rx_timer_now(void)
{
	return (LONGLONG)KeQueryInterruptTime();
}

/* Sets the one timer to the earliest request, or stops it. */
static void rx_timer_program_locked(void)
{
	LARGE_INTEGER delay;
	LONGLONG earliest = 0;
	PLIST_ENTRY entry;

	for (entry = rx_timer_armed.Flink; entry != &rx_timer_armed; entry = entry->Flink) {
		PRX_WORK_ITEM item = CONTAINING_RECORD(entry, RX_WORK_ITEM, Links);

		if (earliest == 0 || item->DueTime.QuadPart < earliest)
			earliest = item->DueTime.QuadPart;
	}
	if (earliest == 0) {
		(void)KeCancelTimer(&rx_timer);
		return;
	}
	delay.QuadPart = rx_timer_now() - earliest; /* negative: from now */
	if (delay.QuadPart > -1)
		delay.QuadPart = -1;
	(void)KeSetTimer(&rx_timer, delay, &rx_timer_dpc);
}

static void rx_timer_arm_locked(PRX_WORK_ITEM item, LONGLONG interval)
{
	item->DueTime.QuadPart = rx_timer_now() + interval;
	item->Armed = RX_TIMER_ARMED;
	InsertTailList(&rx_timer_armed, &item->Links);
}

static VOID NTAPI rx_timer_run_recurrent(PVOID parameter)
{
	struct rx_recurrent *r = parameter;
	bool over;
	KIRQL irql;

	r->routine(r->context);

	KeAcquireSpinLock(&rx_timer_lock, &irql);
	RemoveEntryList(&r->running_links);
	over = r->item.Armed == RX_TIMER_CANCELLED;
	if (!over) {
		rx_timer_arm_locked(&r->item, r->item.Interval.QuadPart);
		rx_timer_program_locked();
	}
	KeReleaseSpinLock(&rx_timer_lock, irql);
	if (over)
		ExFreePoolWithTag(r, RX_TIMER_TAG);
}

/* Hands one request that is due to a worker. */
static void rx_timer_start_locked(PRX_WORK_ITEM item)
{
	RemoveEntryList(&item->Links);
	if ((item->Options & RX_WORK_ITEM_RECURRENT) != 0) {
		struct rx_recurrent *r = CONTAINING_RECORD(item, struct rx_recurrent, item);

		item->Armed = RX_TIMER_RUNNING;
		InsertTailList(&rx_timer_running, &r->running_links);
		(void)RxPostToWorkerThread(r->device, DelayedWorkQueue, &item->WorkQueueItem,
					   rx_timer_run_recurrent, r);
	} else {
		PRX_WORK_QUEUE_ITEM work = &item->WorkQueueItem;

		item->Armed = RX_TIMER_GONE;
		(void)RxPostToWorkerThread(work->pDeviceObject, DelayedWorkQueue, work, work->WorkerRoutine,
					   work->Parameter);
	}
}

static VOID rx_timer_fire(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
	PLIST_ENTRY entry, next;
	LONGLONG now = rx_timer_now();
	KIRQL irql;

	(void)dpc;
	(void)context;
	(void)argument1;
	(void)argument2;
	KeAcquireSpinLock(&rx_timer_lock, &irql);
	for (entry = rx_timer_armed.Flink; entry != &rx_timer_armed; entry = next) {
		PRX_WORK_ITEM item = CONTAINING_RECORD(entry, RX_WORK_ITEM, Links);

		next = entry->Flink;
		if (item->DueTime.QuadPart <= now)
			rx_timer_start_locked(item);
	}
	rx_timer_program_locked();
	KeReleaseSpinLock(&rx_timer_lock, irql);
}

/**
 * RxPostOneShotTimerRequest - run a routine once, not before an interval has passed
 * @pWorkItem:    [in] memory of the caller, in use until the routine begins or the request is cancelled
 * @TimeInterval: [in] 100 ns
 *
 * Context: <= DISPATCH_LEVEL.
 * Return:  STATUS_SUCCESS.
 * Page:    rxtimer/RxPostOneShotTimerRequest.
 */
NTSTATUS RxPostOneShotTimerRequest(PRDBSS_DEVICE_OBJECT pDeviceObject, PRX_WORK_ITEM pWorkItem,
				   PRX_WORKERTHREAD_ROUTINE Routine, PVOID pContext,
				   LARGE_INTEGER TimeInterval)
{
	KIRQL irql;

	ASSERT(pWorkItem != NULL);
	if (pWorkItem == NULL)
		return STATUS_INVALID_PARAMETER;
	pWorkItem->Options = 0;
	pWorkItem->WorkQueueItem.pDeviceObject = pDeviceObject;
	pWorkItem->WorkQueueItem.WorkerRoutine = Routine;
	pWorkItem->WorkQueueItem.Parameter = pContext;
	KeAcquireSpinLock(&rx_timer_lock, &irql);
	rx_timer_arm_locked(pWorkItem, TimeInterval.QuadPart);
	rx_timer_program_locked();
	KeReleaseSpinLock(&rx_timer_lock, irql);
	return STATUS_SUCCESS;
}

/**
 * RxPostRecurrentTimerRequest - run a routine at every interval until it is cancelled
 *
 * The next interval begins when the routine has returned. TimeInterval: 100 ns.
 * Return: STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES.
 * Page:   rxtimer/RxPostRecurrentTimerRequest.
 */
NTSTATUS RxPostRecurrentTimerRequest(PRDBSS_DEVICE_OBJECT pDeviceObject, PRX_WORKERTHREAD_ROUTINE Routine,
				     PVOID pContext, LARGE_INTEGER TimeInterval)
{
	struct rx_recurrent *r = ExAllocatePoolWithTag(NonPagedPool, sizeof(*r), RX_TIMER_TAG);
	KIRQL irql;

	if (r == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(r, sizeof(*r));
	r->routine = Routine;
	r->context = pContext;
	r->device = pDeviceObject;
	r->item.Options = RX_WORK_ITEM_RECURRENT;
	r->item.Interval = TimeInterval;
	KeAcquireSpinLock(&rx_timer_lock, &irql);
	rx_timer_arm_locked(&r->item, TimeInterval.QuadPart);
	rx_timer_program_locked();
	KeReleaseSpinLock(&rx_timer_lock, irql);
	return STATUS_SUCCESS;
}

/* What a cancel looks for; routine NULL: every request of the device. */
struct rx_timer_key {
	PRDBSS_DEVICE_OBJECT device;
	PRX_WORKERTHREAD_ROUTINE routine;
	PVOID context;
};

static bool rx_timer_matches(PRX_WORK_ITEM item, const struct rx_timer_key *key)
{
	const PRX_WORK_QUEUE_ITEM work = &item->WorkQueueItem;
	struct rx_recurrent *r = CONTAINING_RECORD(item, struct rx_recurrent, item);

	if ((item->Options & RX_WORK_ITEM_RECURRENT) != 0)
		return r->device == key->device &&
		       (key->routine == NULL || (r->routine == key->routine && r->context == key->context));
	return work->pDeviceObject == key->device &&
	       (key->routine == NULL ||
		(work->WorkerRoutine == key->routine && work->Parameter == key->context));
}

static PRX_WORK_ITEM rx_timer_take_armed_locked(const struct rx_timer_key *key)
{
	PLIST_ENTRY entry;

	for (entry = rx_timer_armed.Flink; entry != &rx_timer_armed; entry = entry->Flink) {
		PRX_WORK_ITEM item = CONTAINING_RECORD(entry, RX_WORK_ITEM, Links);

		if (rx_timer_matches(item, key)) {
			RemoveEntryList(&item->Links);
			item->Armed = RX_TIMER_GONE;
			return item;
		}
	}
	return NULL;
}

static bool rx_timer_mark_running_locked(const struct rx_timer_key *key)
{
	PLIST_ENTRY entry;

	for (entry = rx_timer_running.Flink; entry != &rx_timer_running; entry = entry->Flink) {
		struct rx_recurrent *r = CONTAINING_RECORD(entry, struct rx_recurrent, running_links);

		if (r->item.Armed == RX_TIMER_RUNNING && rx_timer_matches(&r->item, key)) {
			r->item.Armed = RX_TIMER_CANCELLED; /* freed when its routine returns */
			return true;
		}
	}
	return false;
}

/* Cancels one request; false when there is none left. */
static bool rx_timer_cancel_one(const struct rx_timer_key *key)
{
	PRX_WORK_ITEM item;
	bool found;
	KIRQL irql;

	KeAcquireSpinLock(&rx_timer_lock, &irql);
	item = rx_timer_take_armed_locked(key);
	found = item != NULL || rx_timer_mark_running_locked(key);
	rx_timer_program_locked();
	KeReleaseSpinLock(&rx_timer_lock, irql);
	if (item != NULL && (item->Options & RX_WORK_ITEM_RECURRENT) != 0)
		ExFreePoolWithTag(CONTAINING_RECORD(item, struct rx_recurrent, item), RX_TIMER_TAG);
	return found;
}

/**
 * RxCancelTimerRequest - take a timer request back
 *
 * After STATUS_SUCCESS its routine does not start again; one that runs at this moment may still be running.
 * Return: STATUS_SUCCESS; STATUS_NOT_FOUND: no such device, routine and context (E-40).
 * Page:   rxtimer/RxCancelTimerRequest.
 */
NTSTATUS RxCancelTimerRequest(PRDBSS_DEVICE_OBJECT pDeviceObject, PRX_WORKERTHREAD_ROUTINE Routine,
			      PVOID pContext)
{
	const struct rx_timer_key key = {pDeviceObject, Routine, pContext};

	return rx_timer_cancel_one(&key) ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}

void rx_timer_run_down(PRDBSS_DEVICE_OBJECT dev)
{
	const struct rx_timer_key key = {dev, NULL, NULL};

	while (rx_timer_cancel_one(&key))
		;
	/* a firing that began before is over when this returns, and what it queued is counted as work */
	KeFlushQueuedDpcs();
	(void)RxSpinDownMRxDispatcher(dev);
}
