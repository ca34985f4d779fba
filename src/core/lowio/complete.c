/*
 * complete.c - the end of a request that pended.
 *
 * Owns:   the RX_CONTEXT from RxLowIoCompletion() on.
 * Locks:  none on entry; releases the FCB resource the request owns, before the IRP is completed.
 * Runs:   on any thread, a transport's included: it does not wait, and below DISPATCH_LEVEL it goes on in place.
 *
 * Each request that pended is completed exactly once; a second completion is a bug of the driver and is
 * refused, and told (nt_misuse.h). LowIoState decides: submitted -> completed, by one exchange.
 */
#include "core/lowio/core_lowio.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "nt_misuse.h"

void rx_lowio_hand_out(PRX_CONTEXT rxc)
{
	__atomic_store_n(&rxc->LowIoState, RX_LOWIO_SUBMITTED, __ATOMIC_RELEASE);
}

bool rx_lowio_is_submitted(PRX_CONTEXT rxc)
{
	return __atomic_load_n(&rxc->LowIoState, __ATOMIC_ACQUIRE) == RX_LOWIO_SUBMITTED;
}

bool rx_lowio_take_back(PRX_CONTEXT rxc, const char *routine)
{
	LONG before = InterlockedCompareExchange(&rxc->LowIoState, RX_LOWIO_COMPLETED, RX_LOWIO_SUBMITTED);

	if (before == RX_LOWIO_SUBMITTED)
		return true;
	nt_misuse(before == RX_LOWIO_COMPLETED ? NT_RULE_COMPLETE_ONCE : NT_RULE_COMPLETE_OWN, routine,
		  "RX_CONTEXT %p, major function %u: %s", (void *)rxc, rxc->MajorFunction,
		  before == RX_LOWIO_COMPLETED ? "it was completed before"
					       : "it is no request that the driver was given to complete");
	return false;
}

RX_NO_TSA void rx_lowio_release_resource(PRX_CONTEXT rxc)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	if (lowio->Resource == NULL)
		return;
	lowio->Resource = NULL;
	rxc->FcbResourceAcquired = FALSE;
	RxReleaseFcbForThread(rxc, (PFCB)rxc->pFcb, lowio->ResourceThreadId);
}

NTSTATUS rx_lowio_finish(PRX_CONTEXT rxc)
{
	NTSTATUS status = rxc->LowIoContext.CompletionRoutine(rxc);

	rx_lowio_release_resource(rxc);
	return RxCompleteRequest(rxc, status);
}

static VOID NTAPI rx_lowio_finish_worker(PVOID context)
{
	(void)rx_lowio_finish(context);
}

/*
 * May the request end at DISPATCH_LEVEL? Transfers of files may: their completion waits for nothing, and NT's rule
 * for completion routines is that they keep to DISPATCH_LEVEL. So the answer needs no second thread. The others
 * free, unlock or serialise more than that level allows.
 */
static bool rx_lowio_may_finish_at_dispatch(PRX_CONTEXT rxc)
{
	if ((rxc->LowIoContext.Flags & LOWIO_CONTEXT_FLAG_CAN_COMPLETE_AT_DPC_LEVEL) != 0)
		return true;
	return rxc->LowIoContext.Operation <= LOWIO_OP_WRITE &&
	       (rxc->FlagsForLowIo & RXCONTEXT_FLAG4LOWIO_PIPE_OPERATION) == 0;
}

static NTSTATUS rx_lowio_finish_anywhere(PRX_CONTEXT rxc)
{
	if (KeGetCurrentIrql() < DISPATCH_LEVEL || rx_lowio_may_finish_at_dispatch(rxc))
		return rx_lowio_finish(rxc);
	(void)RxPostToWorkerThread(rxc->RxDeviceObject, CriticalWorkQueue, &rxc->WorkQueueItem,
				   rx_lowio_finish_worker, rxc);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static void rx_lowio_finish_after_cancel(PRX_CONTEXT rxc)
{
	(void)rx_lowio_finish_anywhere(rxc);
}

/**
 * RxLowIoCompletion - say that a low-I/O call that returned STATUS_PENDING is finished
 * @RxContext: [in] StoredStatus and InformationToReturn are set; not the caller's any more
 *
 * Context: any thread, no lock held; does not wait.
 * Return:  STATUS_MORE_PROCESSING_REQUIRED when the waiter, a worker, or a cancel routine that runs at this moment
 *          goes on with the request; else what its completion routine answered.
 *          STATUS_INVALID_DEVICE_STATE: it was completed before, or is not the driver's to complete; nothing was
 *          done, and the driver was told (nt_misuse.h).
 * Page:    lowio/RxLowIoCompletion, E-28.
 */
NTSTATUS RxLowIoCompletion(PRX_CONTEXT RxContext)
{
	if (!rx_context_is_living(RxContext)) {
		nt_misuse(NT_RULE_COMPLETE_ONCE, "RxLowIoCompletion",
			  "RX_CONTEXT %p: it is gone, it was completed before", (void *)RxContext);
		return STATUS_INVALID_DEVICE_STATE;
	}
	if (!rx_lowio_take_back(RxContext, "RxLowIoCompletion"))
		return STATUS_INVALID_DEVICE_STATE;
	ASSERT(RxContext->StoredStatus != STATUS_PENDING);
	if ((RxContext->LowIoContext.Flags & LOWIO_CONTEXT_FLAG_SYNCCALL) != 0) {
		KeSetEvent(&RxContext->SyncEvent, IO_NO_INCREMENT, FALSE);
		return STATUS_MORE_PROCESSING_REQUIRED;
	}
	if (!rx_cancel_disarm_or_defer(RxContext, rx_lowio_finish_after_cancel))
		return STATUS_MORE_PROCESSING_REQUIRED;
	return rx_lowio_finish_anywhere(RxContext);
}
