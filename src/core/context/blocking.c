/*
 * blocking.c - requests that must run one after another (named pipes).
 *
 * Owns:   the membership of RX_CONTEXTs in serialisation queues. The queues themselves belong to whoever
 *         passes them (the FOBX of a pipe has one for reads and one for writes).
 * Locks:  rx_serialization_mutex (leaf but for the FCB resource, which may be held).
 *
 * The head of a queue is the request at work; it leaves by RxResumeBlockedOperations_Serially(), which wakes
 * the next: a synchronous one by its SyncEvent, an asynchronous one by posting it. A request that is posted
 * finds itself at the head when it comes again and passes.
 */
#include "core/context/context.h"

static FAST_MUTEX rx_serialization_mutex;

VOID rx_blocking_init(VOID)
{
	ExInitializeFastMutex(&rx_serialization_mutex);
}

/* Under the mutex, or by the request's owner. */
static bool rx_blocking_is_queued(PRX_CONTEXT rxc)
{
	return rxc->SerializationQueue != NULL;
}

static void rx_blocking_unlink_locked(PRX_CONTEXT rxc)
{
	RemoveEntryList(&rxc->RxContextSerializationQLinks);
	InitializeListHead(&rxc->RxContextSerializationQLinks);
	rxc->SerializationQueue = NULL;
}

static void rx_blocking_wake(PRX_CONTEXT rxc)
{
	if ((rxc->Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION) != 0)
		(void)RxFsdPostRequest(rxc); /* always STATUS_PENDING */
	else
		KeSetEvent(&rxc->SyncEvent, IO_NO_INCREMENT, FALSE);
}

/* The head is the request at work. */
static bool rx_blocking_is_head_locked(PRX_CONTEXT rxc)
{
	return rxc->SerializationQueue->Flink == &rxc->RxContextSerializationQLinks;
}

/* Enters the queue; true when the request may go on at once. */
static bool rx_blocking_enter_locked(PRX_CONTEXT rxc, PLIST_ENTRY queue)
{
	if (!rx_blocking_is_queued(rxc)) {
		InsertTailList(queue, &rxc->RxContextSerializationQLinks);
		rxc->SerializationQueue = queue;
	}
	return rx_blocking_is_head_locked(rxc);
}

/**
 * __RxSynchronizeBlockingOperations - wait for the earlier requests of a queue
 * @RxContext:   [in] the request
 * @Fcb:         [in] its FCB
 * @BlockingIoQ: [in] the queue
 * @DropFcbLock: [in] TRUE: the FCB resource, held by the caller, is released before the request waits; it is
 *               not taken again
 *
 * Return: STATUS_SUCCESS: at work, leave by RxResumeBlockedOperations_Serially(). STATUS_PENDING: an
 *         asynchronous request, queued; the context is not the caller's any more. STATUS_CANCELLED.
 * Page:   rxcontx/__RxSynchronizeBlockingOperations.
 */
NTSTATUS __RxSynchronizeBlockingOperations(PRX_CONTEXT RxContext, PFCB Fcb, PLIST_ENTRY BlockingIoQ,
					   BOOLEAN DropFcbLock)
{
	bool async = (RxContext->Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION) != 0;
	bool first;

	/* before the request can be seen in the queue: its waker may complete it on the spot */
	if (async)
		IoMarkIrpPending(RxContext->CurrentIrp);

	ExAcquireFastMutex(&rx_serialization_mutex);
	if (rx_context_is_cancelled(RxContext)) {
		if (rx_blocking_is_queued(RxContext))
			rx_blocking_unlink_locked(RxContext);
		ExReleaseFastMutex(&rx_serialization_mutex);
		return STATUS_CANCELLED;
	}
	first = rx_blocking_enter_locked(RxContext, BlockingIoQ);
	if (!first && DropFcbLock) {
		RxReleaseFcb(RxContext, Fcb);
		RxContext->FcbResourceAcquired = FALSE;
	}
	ExReleaseFastMutex(&rx_serialization_mutex);

	if (first)
		return STATUS_SUCCESS;
	if (async)
		return STATUS_PENDING;

	(void)KeWaitForSingleObject(&RxContext->SyncEvent, Executive, KernelMode, FALSE, NULL);
	return rx_blocking_is_queued(RxContext) ? STATUS_SUCCESS : STATUS_CANCELLED;
}

/* The form of Windows 2000: the FCB is the context's. */
NTSTATUS __RxSynchronizeBlockingOperationsMaybeDroppingFcbLock(PRX_CONTEXT RxContext, PLIST_ENTRY BlockingIoQ,
							       BOOLEAN DropFcbLock)
{
	return __RxSynchronizeBlockingOperations(RxContext, (PFCB)RxContext->pFcb, BlockingIoQ, DropFcbLock);
}

/**
 * RxResumeBlockedOperations_Serially - leave a queue and wake the next request in it
 *
 * Does nothing when the request is in no queue.
 * Page: rxcontx/RxResumeBlockedOperations_Serially.
 */
VOID RxResumeBlockedOperations_Serially(PRX_CONTEXT RxContext, PLIST_ENTRY BlockingIoQ)
{
	PRX_CONTEXT next = NULL;

	ExAcquireFastMutex(&rx_serialization_mutex);
	if (rx_blocking_is_queued(RxContext)) {
		rx_blocking_unlink_locked(RxContext);
		if (!IsListEmpty(BlockingIoQ))
			next = CONTAINING_RECORD(BlockingIoQ->Flink, RX_CONTEXT,
						 RxContextSerializationQLinks);
	}
	/* under the mutex: once it is released the next one may be cancelled, woken and gone */
	if (next != NULL)
		rx_blocking_wake(next);
	ExReleaseFastMutex(&rx_serialization_mutex);
}

bool rx_blocking_abandon(PRX_CONTEXT rxc)
{
	bool waiting = false;

	ExAcquireFastMutex(&rx_serialization_mutex);
	if (rx_blocking_is_queued(rxc)) {
		waiting = !rx_blocking_is_head_locked(rxc);
		if (waiting) {
			rx_blocking_unlink_locked(rxc);
			rx_blocking_wake(rxc);
		}
	}
	ExReleaseFastMutex(&rx_serialization_mutex);
	return waiting;
}
