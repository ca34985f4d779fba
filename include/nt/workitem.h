/* workitem.h - work that a thread of the system process does later. */
#ifndef NT_WORKITEM_H
#define NT_WORKITEM_H

#include "list.h"
#include "ntdef.h"

typedef enum _WORK_QUEUE_TYPE {
	CriticalWorkQueue,
	DelayedWorkQueue,
	HyperCriticalWorkQueue,
	MaximumWorkQueue
} WORK_QUEUE_TYPE;

typedef VOID WORKER_THREAD_ROUTINE(PVOID Parameter);
typedef WORKER_THREAD_ROUTINE *PWORKER_THREAD_ROUTINE;

typedef struct _WORK_QUEUE_ITEM {
	LIST_ENTRY List; /* Flink NULL: not queued */
	PWORKER_THREAD_ROUTINE WorkerRoutine;
	PVOID Parameter;
} WORK_QUEUE_ITEM, *PWORK_QUEUE_ITEM;

#define ExInitializeWorkItem(item, routine, context) \
	((item)->WorkerRoutine = (routine), (item)->Parameter = (context), (item)->List.Flink = NULL)

/**
 * ExQueueWorkItem - have the item's routine called once from a worker thread
 *
 * The memory is the caller's until the routine begins, and free for anything from then on.  Each queue grows
 * threads to its cap while its work waits; HyperCriticalWorkQueue routines must not block.
 * Context: <= DISPATCH_LEVEL.
 */
VOID ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType);

#endif
