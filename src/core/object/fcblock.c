/*
 * fcblock.c - the FCB's two resources: regular and paging I/O.
 *
 * Owns:   nothing.
 * Locks:  FCB (rx_class_fcb) is NON_PAGED_FCB.HeaderResource, after the FCB table in the order; PagingIoResource
 *         comes after it.
 *
 * A request may keep the FCB while it pends: its owner is then no thread but the request (LOWIO_CONTEXT
 * ResourceThreadId, ExSetResourceOwnerPointer), and whoever completes it releases it for that owner.
 */
#include "core/object/object.h"

/* Debug bookkeeping per request: what was acquired must have been released when the context is freed. */
static void rx_fcb_track(PRX_CONTEXT rxc, LONG delta)
{
	if (rxc != NULL)
		(void)InterlockedAdd(&rxc->AcquireReleaseFcbTrackerX, delta);
}

static BOOLEAN rx_fcb_may_wait(PRX_CONTEXT rxc)
{
	/* a canceller may set its flag in the same word at any time */
	return rxc == NULL || (__atomic_load_n(&rxc->Flags, __ATOMIC_RELAXED) & RX_CONTEXT_FLAG_WAIT) != 0;
}

NTSTATUS __RxAcquireExclusiveFcb(PRX_CONTEXT RxContext, PFCB Fcb)
{
	if (!ExAcquireResourceExclusiveLite(Fcb->Header.Resource, rx_fcb_may_wait(RxContext)))
		return STATUS_LOCK_NOT_GRANTED;
	rx_fcb_track(RxContext, 1);
	return STATUS_SUCCESS;
}

NTSTATUS __RxAcquireSharedFcb(PRX_CONTEXT RxContext, PFCB Fcb)
{
	if (!ExAcquireResourceSharedLite(Fcb->Header.Resource, rx_fcb_may_wait(RxContext)))
		return STATUS_LOCK_NOT_GRANTED;
	rx_fcb_track(RxContext, 1);
	return STATUS_SUCCESS;
}

void rx_lend_fcb(PFCB fcb)
{
	nt_resource_lend(fcb->Header.Resource);
}

void rx_recall_fcb(PFCB fcb)
{
	nt_resource_recall(fcb->Header.Resource);
}

void rx_borrow_fcb(PRX_CONTEXT rxc, PFCB fcb)
{
	nt_resource_borrow(fcb->Header.Resource);
	rx_fcb_track(rxc, 1);
}

VOID __RxReleaseFcb(PRX_CONTEXT RxContext, PFCB Fcb)
{
	rx_fcb_track(RxContext, -1);
	ExReleaseResourceLite(Fcb->Header.Resource);
}

VOID __RxReleaseFcbForThread(PRX_CONTEXT RxContext, PFCB Fcb, ERESOURCE_THREAD ResourceThreadId)
{
	rx_fcb_track(RxContext, -1);
	ExReleaseResourceForThreadLite(Fcb->Header.Resource, ResourceThreadId);
}

BOOLEAN __RxAcquirePagingIoResource(PRX_CONTEXT RxContext, PFCB Fcb)
{
	(void)ExAcquireResourceExclusiveLite(Fcb->Header.PagingIoResource, TRUE); /* waits: always TRUE */
	if (RxContext != NULL)
		RxContext->FcbPagingIoResourceAcquired = TRUE;
	return TRUE;
}

BOOLEAN __RxAcquirePagingIoResourceShared(PRX_CONTEXT RxContext, PFCB Fcb, BOOLEAN Wait)
{
	BOOLEAN acquired = ExAcquireResourceSharedLite(Fcb->Header.PagingIoResource, Wait);

	if (acquired && RxContext != NULL)
		RxContext->FcbPagingIoResourceAcquired = TRUE;
	return acquired;
}

VOID __RxReleasePagingIoResource(PRX_CONTEXT RxContext, PFCB Fcb)
{
	if (RxContext != NULL)
		RxContext->FcbPagingIoResourceAcquired = FALSE;
	ExReleaseResourceLite(Fcb->Header.PagingIoResource);
}

/* Changes of the buffering state that wait are done by whoever has the file and may block. */
static bool rx_fcb_has_changes(PFCB fcb)
{
	return __atomic_load_n(&fcb->NumberOfBufferingChangesWaiting, __ATOMIC_ACQUIRE) != 0 &&
	       KeGetCurrentIrql() == PASSIVE_LEVEL;
}

static void rx_fcb_settle(PFCB fcb)
{
	if (rx_fcb_has_changes(fcb) && RxIsFcbAcquiredExclusive(fcb))
		RxProcessFcbChangeBufferingStateRequest(fcb);
}

/* What was held for another owner could not be used for it: if the file is free now, it is done before we go on. */
static void rx_fcb_settle_if_free(PFCB fcb)
{
	if (!rx_fcb_has_changes(fcb) || !ExAcquireResourceExclusiveLite(fcb->Header.Resource, FALSE))
		return;
	RxProcessFcbChangeBufferingStateRequest(fcb);
	ExReleaseResourceLite(fcb->Header.Resource);
}

/**
 * RxAcquireExclusiveFcbResourceInMRx and its kin - the same resource, for mini-redirectors
 *
 * Context: <= APC_LEVEL; wait until granted, whether or not the request was cancelled (E-29).
 * Return:  STATUS_SUCCESS.
 * Page:    mrxfcb/RxAcquireExclusiveFcbResourceInMRx.
 */
NTSTATUS RxAcquireExclusiveFcbResourceInMRx(PMRX_FCB pFcb)
{
	return RxAcquireExclusiveFcb(NULL, (PFCB)pFcb);
}

NTSTATUS RxAcquireSharedFcbResourceInMRx(PMRX_FCB pFcb)
{
	return RxAcquireSharedFcb(NULL, (PFCB)pFcb);
}

NTSTATUS RxAcquireSharedFcbResourceInMRxEx(PRX_CONTEXT pRxContext, PMRX_FCB pFcb)
{
	(void)ExAcquireResourceSharedLite(((PFCB)pFcb)->Header.Resource, TRUE); /* waits: always TRUE */
	rx_fcb_track(pRxContext, 1);
	return STATUS_SUCCESS;
}

VOID RxReleaseFcbResourceInMRx(PMRX_FCB pFcb)
{
	rx_fcb_settle((PFCB)pFcb);
	RxReleaseFcb(NULL, (PFCB)pFcb);
}

/*
 * The driver may give up what its request holds, before it goes to the network: then the completion has nothing left
 * to release. A thread that holds the resource more than once gives up a hold of its own first.
 */
static void rx_fcb_forget_hold_of_request(PRX_CONTEXT rxc, PFCB fcb, ERESOURCE_THREAD owner)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	if (lowio->Resource != fcb->Header.Resource || lowio->ResourceThreadId != owner)
		return;
	if (owner == ExGetCurrentResourceThread() && ExIsResourceAcquiredSharedLite(lowio->Resource) > 1)
		return;
	lowio->Resource = NULL;
	rxc->FcbResourceAcquired = FALSE;
}

VOID RxReleaseFcbResourceForThreadInMRx(PRX_CONTEXT pRxContext, PMRX_FCB MrxFcb,
					ERESOURCE_THREAD ResourceThreadId)
{
	if (pRxContext != NULL)
		rx_fcb_forget_hold_of_request(pRxContext, (PFCB)MrxFcb, ResourceThreadId);
	rx_fcb_settle((PFCB)MrxFcb);
	RxReleaseFcbForThread(pRxContext, (PFCB)MrxFcb, ResourceThreadId);
	rx_fcb_settle_if_free((PFCB)MrxFcb);
}

void rx_fcb_lists_lock(PFCB fcb)
{
	ExAcquireFastMutex(&fcb->NonPaged->AdvancedFcbHeaderMutex);
}

void rx_fcb_lists_unlock(PFCB fcb)
{
	ExReleaseFastMutex(&fcb->NonPaged->AdvancedFcbHeaderMutex);
}
