/*
 * rxtimer.h - routines run after, or at every, interval. Times are in units of 100 ns.
 */
#ifndef RX_RXTIMER_H
#define RX_RXTIMER_H

#include "rxtypes/forward.h"
#include "rxworkq.h"

#define RX_WORK_ITEM_RECURRENT 0x1 /* Options: fires at every interval; owned by the timer */

/* Memory of the caller for a one-shot request; in use until the routine has started or was cancelled. */
typedef struct _RX_WORK_ITEM_ {
	RX_WORK_QUEUE_ITEM WorkQueueItem;
	LIST_ENTRY Links;
	LARGE_INTEGER DueTime;
	LARGE_INTEGER Interval;
	ULONG Options;
	ULONG Armed;
} RX_WORK_ITEM, *PRX_WORK_ITEM;

NTSTATUS RxPostOneShotTimerRequest(_In_ PRDBSS_DEVICE_OBJECT pDeviceObject, _In_ PRX_WORK_ITEM pWorkItem,
				   _In_ PRX_WORKERTHREAD_ROUTINE Routine, _In_ PVOID pContext,
				   _In_ LARGE_INTEGER TimeInterval);
NTSTATUS RxPostRecurrentTimerRequest(_In_ PRDBSS_DEVICE_OBJECT pDeviceObject,
				     _In_ PRX_WORKERTHREAD_ROUTINE Routine, _In_ PVOID pContext,
				     _In_ LARGE_INTEGER TimeInterval);
NTSTATUS RxCancelTimerRequest(_In_ PRDBSS_DEVICE_OBJECT pDeviceObject, _In_ PRX_WORKERTHREAD_ROUTINE Routine,
			      _In_ PVOID pContext);

#endif
