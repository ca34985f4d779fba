/*
 * rxworkq.h - running a routine on a worker of the RDBSS process.
 */
#ifndef RX_RXWORKQ_H
#define RX_RXWORKQ_H

#include "rxtypes/forward.h"

/* Memory of the caller; in use from RxPostToWorkerThread() until the routine starts. */
typedef struct _RX_WORK_QUEUE_ITEM_ {
	WORK_QUEUE_ITEM WorkQueueItem;
	PRX_WORKERTHREAD_ROUTINE WorkerRoutine;
	PVOID Parameter;
	PRDBSS_DEVICE_OBJECT pDeviceObject;
} RX_WORK_QUEUE_ITEM, *PRX_WORK_QUEUE_ITEM;

NTSTATUS RxPostToWorkerThread(_In_ PRDBSS_DEVICE_OBJECT pMRxDeviceObject, _In_ WORK_QUEUE_TYPE WorkQueueType,
			      _In_ PRX_WORK_QUEUE_ITEM pWorkQueueItem, _In_ PRX_WORKERTHREAD_ROUTINE Routine,
			      _In_ PVOID pContext);
NTSTATUS RxDispatchToWorkerThread(_In_ PRDBSS_DEVICE_OBJECT pMRxDeviceObject,
				  _In_ WORK_QUEUE_TYPE WorkQueueType, _In_ PRX_WORKERTHREAD_ROUTINE Routine,
				  _In_ PVOID pContext);
NTSTATUS RxSpinDownMRxDispatcher(_Inout_ PRDBSS_DEVICE_OBJECT pMRxDeviceObject);

#endif
