/*
 * change.c - the server wants a buffering state changed (an oplock or lease break): who does it, and when.
 *
 * Owns:      CHANGE_BUFFERING_STATE_REQUEST from the indication until it is applied or dropped.
 * Found by:  the three lists of the SRV_CALL's buffering manager.
 * Locks:     RX_BUFFERING_MANAGER.SpinLock, a leaf, for the lists; a request is applied with its FCB exclusive.
 * Dies when: applied; or its open at the server is gone, so that there is nothing to change.
 *
 *   indicated --> DispatcherList --key known--> HandlerList --FCB free--> applied
 *                      |                            |
 *                      +--no open has the key,      +--FCB busy--> LastChanceHandlerList --> applied
 *                         and none is on its way                   (a delayed worker waits for the FCB)
 *                         --> dropped
 *
 * Whoever acquires or releases an FCB exclusive for a request applies what waits for it (rx_buffering_settle), so a
 * file that is always busy does not keep the server waiting.
 *
 * A worker on its way refers to the SRV_CALL. So the lists are empty when that dies: what is in the handler's lists
 * refers to a SRV_OPEN, and what is in the dispatcher's waits for an open, which refers to the SRV_CALL too.
 */
#include "core/buffering/buffering.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "core/minirdr/calldown.h"
#include "core/object/object.h"
#include "core/work/work.h"

/* ---- workers ---- */

static VOID NTAPI rx_change_dispatcher(PVOID context);
static VOID NTAPI rx_change_handler(PVOID context);
static VOID NTAPI rx_change_last_chance(PVOID context);

/* The three are alike: at most one worker each, which runs until its list is empty. */
static void rx_change_start_dispatcher_locked(PSRV_CALL sc)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;

	if (manager->DispatcherActive) {
		manager->DispatcherMustLookAgain = TRUE;
		return;
	}
	if (IsListEmpty(&manager->DispatcherList))
		return;
	manager->DispatcherActive = TRUE;
	RxReferenceSrvCallAtDpc(sc);
	(void)RxPostToWorkerThread(sc->RxDeviceObject, CriticalWorkQueue, &manager->DispatcherWorkItem,
				   rx_change_dispatcher, sc);
}

static void rx_change_start_handler_locked(PSRV_CALL sc)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;

	if (!manager->HandlerInactive)
		return;
	manager->HandlerInactive = FALSE;
	RxReferenceSrvCallAtDpc(sc);
	(void)RxPostToWorkerThread(sc->RxDeviceObject, CriticalWorkQueue, &manager->HandlerWorkItem,
				   rx_change_handler, sc);
}

static void rx_change_start_last_chance_locked(PSRV_CALL sc)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;

	if (manager->LastChanceHandlerActive)
		return;
	manager->LastChanceHandlerActive = TRUE;
	RxReferenceSrvCallAtDpc(sc);
	(void)RxPostToWorkerThread(sc->RxDeviceObject, DelayedWorkQueue, &manager->LastChanceHandlerWorkItem,
				   rx_change_last_chance, sc);
}

void rx_buffering_look_again(PSRV_CALL sc)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	rx_change_start_dispatcher_locked(sc);
	KeReleaseSpinLock(&manager->SpinLock, irql);
}

/* ---- requests ---- */

/* The SRV_OPEN is known, and referenced by the request. Any level. */
static void rx_change_hand_over(PSRV_CALL sc, PCHANGE_BUFFERING_STATE_REQUEST request)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	PFCB fcb = (PFCB)request->SrvOpen->pFcb;
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	/* under the lock: another break may mark it as repeated this moment */
	request->Flags |= RX_REQUEST_PREPARED_FOR_HANDLING;
	InsertTailList(&manager->HandlerList, &request->ListEntry);
	(void)InterlockedIncrement(&fcb->NumberOfBufferingChangesWaiting);
	rx_change_start_handler_locked(sc);
	KeReleaseSpinLock(&manager->SpinLock, irql);
}

static PCHANGE_BUFFERING_STATE_REQUEST rx_change_take_of_fcb_from(PLIST_ENTRY list, PFCB fcb)
{
	for (PLIST_ENTRY link = list->Flink; link != list; link = link->Flink) {
		PCHANGE_BUFFERING_STATE_REQUEST request =
			CONTAINING_RECORD(link, CHANGE_BUFFERING_STATE_REQUEST, ListEntry);

		if ((PFCB)request->SrvOpen->pFcb == fcb) {
			RemoveEntryList(link);
			(void)InterlockedDecrement(&fcb->NumberOfBufferingChangesWaiting);
			return request;
		}
	}
	return NULL;
}

/* The oldest request for a file; NULL: none. What is in the last chance list has waited longer. */
static PCHANGE_BUFFERING_STATE_REQUEST rx_change_take_of_fcb(PRX_BUFFERING_MANAGER manager, PFCB fcb)
{
	PCHANGE_BUFFERING_STATE_REQUEST request;
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	request = rx_change_take_of_fcb_from(&manager->LastChanceHandlerList, fcb);
	if (request == NULL)
		request = rx_change_take_of_fcb_from(&manager->HandlerList, fcb);
	KeReleaseSpinLock(&manager->SpinLock, irql);
	return request;
}

/* ---- applying ---- */

/* An open that the server has forgotten has no state to change, and nobody waits for an answer about it. */
static bool rx_change_is_moot(PSRV_OPEN so)
{
	return (so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_ORPHANED |
			     SRVOPEN_FLAG_BUFFERING_STATE_CHANGE_REQUESTS_PURGED)) != 0 ||
	       so->Condition != Condition_Good;
}

/* Another open of the file that the server calls by the same key: a lease is one for all of them. */
static PSRV_OPEN rx_change_heir(PSRV_OPEN so)
{
	PFCB fcb = (PFCB)so->pFcb;

	if (so->Key == NULL)
		return NULL;
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PSRV_OPEN other = CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks);

		if (other != so && other->Key == so->Key && !rx_change_is_moot(other))
			return other;
	}
	return NULL;
}

static PMRX_FOBX rx_change_some_fobx(PSRV_OPEN so)
{
	if (IsListEmpty(&so->FobxList))
		return NULL;
	return &CONTAINING_RECORD(so->FobxList.Flink, FOBX, FobxQLinks)->Mrx;
}

/* The driver answers the server, or closes what nobody uses any more. Locks: FCB exclusive. */
static void rx_change_complete(PRX_CONTEXT rxc, PSRV_OPEN so, PVOID mrx_context)
{
	PMRX_FOBX fobx = rxc->pFobx;
	PMRX_SRV_OPEN relevant = rxc->pRelevantSrvOpen;
	PMRX_FCB fcb = rxc->pFcb;
	PNON_PAGED_FCB non_paged = rxc->NonPagedFcb;
	LOWIO_CONTEXT lowio = rxc->LowIoContext;
	PLOWIO_LOCK_LIST locks = rx_locks_buffered((PFCB)so->pFcb, &so->Mrx);

	rxc->pFcb = so->pFcb;
	rxc->NonPagedFcb = ((PFCB)so->pFcb)->NonPaged;
	rxc->pRelevantSrvOpen = &so->Mrx;
	rxc->pFobx = rx_change_some_fobx(so);
	rxc->LowIoContext.ParamsFor.Locks.LockList = locks;
	(void)rx_call_complete_buffering_state_change(rxc, &so->Mrx, mrx_context); /* ignored by the page */
	rxc->LowIoContext = lowio;
	rxc->pFobx = fobx;
	rxc->pRelevantSrvOpen = relevant;
	rxc->pFcb = fcb;
	rxc->NonPagedFcb = non_paged;
	if ((so->pFcb->FcbState & FCB_STATE_LOCK_BUFFERING_ENABLED) == 0 &&
	    !rx_locks_flushed((PFCB)so->pFcb, locks))
		rx_buffering_end(so);
}

/* Whoever waits for a change of this file may go on. Locks: FCB exclusive. */
static void rx_change_wake_waiters(PFCB fcb)
{
	if (fcb->pBufferingStateChangeCompletedEvent != NULL)
		(void)KeSetEvent(fcb->pBufferingStateChangeCompletedEvent, IO_NO_INCREMENT, FALSE);
}

static void rx_change_apply(PRX_CONTEXT rxc, PSRV_OPEN so, PVOID mrx_context)
{
	PFCB fcb = (PFCB)so->pFcb;
	bool written;

	rx_assert_fcb_exclusive(fcb);
	if (rx_change_is_moot(so)) {
		so = rx_change_heir(so);
		if (so == NULL)
			return;
	}
	fcb->FcbState |= FCB_STATE_BUFFERSTATE_CHANGING;
	written = rx_buffering_change(so, mrx_context, true,
				      rx_call_has_complete_buffering_state_change(&so->Mrx) ? so : NULL);
	if (written)
		rx_change_complete(rxc, so, mrx_context);
	else /* data was not written; the server is not told that it was, nor of anything else */
		rx_locks_lose(fcb, &so->Mrx);
	fcb->FcbState &= ~(ULONG)FCB_STATE_BUFFERSTATE_CHANGING;
	rx_change_wake_waiters(fcb);
	/* a handle that nobody uses may outlive its last user only by the server's leave */
	if ((fcb->FcbState & FCB_STATE_COLLAPSING_ENABLED) == 0)
		rx_scavenger_end_dormant(rxc, fcb);
}

/* Locks: FCB exclusive. */
static void rx_change_end(PCHANGE_BUFFERING_STATE_REQUEST request)
{
	PSRV_OPEN so = request->SrvOpen;

	if (rx_request_end(&((PSRV_CALL)so->pFcb->pNetRoot->pSrvCall)->BufferingManager, request)) {
		rx_buffering_end(so);
		rx_change_wake_waiters((PFCB)so->pFcb);
	}
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
}

static void rx_change_apply_all(PRX_CONTEXT rxc, PFCB fcb)
{
	PRX_BUFFERING_MANAGER manager = &((PSRV_CALL)fcb->pNetRoot->pSrvCall)->BufferingManager;
	PCHANGE_BUFFERING_STATE_REQUEST request;

	while ((request = rx_change_take_of_fcb(manager, fcb)) != NULL) {
		rx_change_apply(rxc, request->SrvOpen, request->MRxContext);
		rx_change_end(request);
	}
}

void rx_buffering_drop_requests(PSRV_OPEN so)
{
	PFCB fcb = (PFCB)so->pFcb;
	PRX_BUFFERING_MANAGER manager = &((PSRV_CALL)fcb->pNetRoot->pSrvCall)->BufferingManager;
	PSRV_OPEN heir = rx_change_heir(so);
	LIST_ENTRY others;
	PCHANGE_BUFFERING_STATE_REQUEST request;

	if (__atomic_load_n(&fcb->NumberOfBufferingChangesWaiting, __ATOMIC_ACQUIRE) == 0)
		return;
	(void)InterlockedIncrement(
		&so->NodeReferenceCount); /* not to be freed by the last request's reference */
	InitializeListHead(&others);
	while ((request = rx_change_take_of_fcb(manager, fcb)) != NULL) {
		if (request->SrvOpen == so && heir != NULL) {
			RxReferenceSrvOpen(heir);
			request->SrvOpen = heir;
			RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
		}
		if (request->SrvOpen == so)
			rx_change_end(request);
		else
			InsertTailList(&others, &request->ListEntry);
	}
	while (!IsListEmpty(&others))
		rx_change_hand_over((PSRV_CALL)fcb->pNetRoot->pSrvCall,
				    CONTAINING_RECORD(RemoveHeadList(&others), CHANGE_BUFFERING_STATE_REQUEST,
						      ListEntry));
	(void)InterlockedDecrement(&so->NodeReferenceCount);
}

/**
 * RxProcessFcbChangeBufferingStateRequest - apply the changes that wait for a file
 *
 * Without memory for a context they go on waiting: the delayed worker comes to them.
 *
 * Context: PASSIVE_LEVEL; flushes, and blocks on the mini-redirector.
 * Locks:   FCB exclusive; the caller refers to the FCB.
 */
VOID RxProcessFcbChangeBufferingStateRequest(PFCB Fcb)
{
	PRX_CONTEXT rxc;

	rx_assert_fcb_exclusive(Fcb);
	if (__atomic_load_n(&Fcb->NumberOfBufferingChangesWaiting, __ATOMIC_ACQUIRE) == 0)
		return;
	rxc = RxCreateRxContext(NULL, Fcb->RxDeviceObject, RX_CONTEXT_FLAG_WAIT);
	if (rxc == NULL)
		return;
	rx_change_apply_all(rxc, Fcb);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* ---- the dispatcher: which open is meant? ---- */

/* The SRV_OPEN of a key, referenced, or NULL. */
static PSRV_OPEN rx_change_find_open(PRX_BUFFERING_MANAGER manager, PVOID key)
{
	PLIST_ENTRY head = &manager->SrvOpenLists[0];
	PSRV_OPEN found = NULL;

	ExAcquireFastMutex(&manager->Mutex);
	for (PLIST_ENTRY link = head->Flink; link != head && found == NULL; link = link->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(link, SRV_OPEN, SrvOpenKeyList);

		if (so->Key == key)
			found = so;
	}
	if (found != NULL)
		RxReferenceSrvOpen(found);
	ExReleaseFastMutex(&manager->Mutex);
	return found;
}

/* False: the open may still come. */
static bool rx_change_map(PSRV_CALL sc, PCHANGE_BUFFERING_STATE_REQUEST request)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	/* before the search: an open that ends in between is found by it */
	LONG on_their_way = InterlockedCompareExchange(&manager->NumberOfOutstandingOpens, 0, 0);

	request->SrvOpen = rx_change_find_open(manager, request->SrvOpenKey);
	if (request->SrvOpen != NULL) {
		rx_change_hand_over(sc, request);
		return true;
	}
	if (on_their_way > 0)
		return false;
	RxLog(("sc=%p nobody has key %p", sc, request->SrvOpenKey));
	(void)rx_request_end(manager, request);
	return true;
}

/* One pass over the list; what cannot be mapped yet stays. */
static void rx_change_dispatch_all(PSRV_CALL sc)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	LIST_ENTRY kept;
	KIRQL irql;

	InitializeListHead(&kept);
	KeAcquireSpinLock(&manager->SpinLock, &irql);
	manager->DispatcherMustLookAgain = FALSE;
	while (!IsListEmpty(&manager->DispatcherList)) {
		PLIST_ENTRY link = RemoveHeadList(&manager->DispatcherList);

		KeReleaseSpinLock(&manager->SpinLock, irql);
		if (!rx_change_map(sc, CONTAINING_RECORD(link, CHANGE_BUFFERING_STATE_REQUEST, ListEntry)))
			InsertTailList(&kept, link);
		KeAcquireSpinLock(&manager->SpinLock, &irql);
	}
	while (!IsListEmpty(&kept))
		InsertTailList(&manager->DispatcherList, RemoveHeadList(&kept));
	KeReleaseSpinLock(&manager->SpinLock, irql);
}

static VOID NTAPI rx_change_dispatcher(PVOID context)
{
	PSRV_CALL sc = context;
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	BOOLEAN again;
	KIRQL irql;

	do {
		rx_change_dispatch_all(sc);
		KeAcquireSpinLock(&manager->SpinLock, &irql);
		again = manager->DispatcherMustLookAgain;
		manager->DispatcherActive = again;
		KeReleaseSpinLock(&manager->SpinLock, irql);
	} while (again);
	RxDereferenceSrvCall(sc, LHS_LockNotHeld);
}

/* ---- the handlers: the FCB, if it can be had ---- */

/*
 * The FCB, referenced, of a list's first request; NULL: the list is empty and the worker is idle from now on. The
 * request stays in the list until the FCB is held: requests of one file are applied in the order they came.
 */
static PFCB rx_change_next_fcb(PRX_BUFFERING_MANAGER manager, PLIST_ENTRY list, PBOOLEAN active, BOOLEAN idle)
{
	PFCB fcb = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	if (IsListEmpty(list)) {
		*active = idle;
	} else {
		fcb = (PFCB)CONTAINING_RECORD(list->Flink, CHANGE_BUFFERING_STATE_REQUEST, ListEntry)
			      ->SrvOpen->pFcb;
		(void)RxReferenceNetFcb(fcb); /* alive: the request's SRV_OPEN refers to it */
	}
	KeReleaseSpinLock(&manager->SpinLock, irql);
	return fcb;
}

/* The FCB is busy: its requests wait for it elsewhere, so that those of other files need not. */
static void rx_change_postpone(PSRV_CALL sc, PFCB fcb)
{
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	PLIST_ENTRY link, next;
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	for (link = manager->HandlerList.Flink; link != &manager->HandlerList; link = next) {
		next = link->Flink;
		if ((PFCB)CONTAINING_RECORD(link, CHANGE_BUFFERING_STATE_REQUEST, ListEntry)->SrvOpen->pFcb ==
		    fcb) {
			RemoveEntryList(link);
			InsertTailList(&manager->LastChanceHandlerList, link);
		}
	}
	if (!IsListEmpty(&manager->LastChanceHandlerList))
		rx_change_start_last_chance_locked(sc);
	KeReleaseSpinLock(&manager->SpinLock, irql);
	rx_fcb_let_go(fcb);
}

static VOID NTAPI rx_change_handler(PVOID context)
{
	PSRV_CALL sc = context;
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	PRX_CONTEXT rxc = rx_context_create_must_succeed(NULL, sc->RxDeviceObject, 0);
	PFCB fcb;

	while ((fcb = rx_change_next_fcb(manager, &manager->HandlerList, &manager->HandlerInactive, TRUE)) !=
	       NULL) {
		if (RxAcquireExclusiveFcb(rxc, fcb) != STATUS_SUCCESS) {
			rx_change_postpone(sc, fcb);
			continue;
		}
		rx_change_apply_all(rxc, fcb);
		rx_release_and_dereference_fcb(rxc, fcb);
	}
	RxDereferenceAndDeleteRxContext(rxc);
	RxDereferenceSrvCall(sc, LHS_LockNotHeld);
}

static VOID NTAPI rx_change_last_chance(PVOID context)
{
	PSRV_CALL sc = context;
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	PRX_CONTEXT rxc = rx_context_create_must_succeed(NULL, sc->RxDeviceObject, RX_CONTEXT_FLAG_WAIT);
	PFCB fcb;

	while ((fcb = rx_change_next_fcb(manager, &manager->LastChanceHandlerList,
					 &manager->LastChanceHandlerActive, FALSE)) != NULL) {
		(void)RxAcquireExclusiveFcb(rxc, fcb); /* the context waits */
		rx_change_apply_all(rxc, fcb);
		rx_release_and_dereference_fcb(rxc, fcb);
	}
	RxDereferenceAndDeleteRxContext(rxc);
	RxDereferenceSrvCall(sc, LHS_LockNotHeld);
}

/* ---- the DDI ---- */

/**
 * RxIndicateChangeOfBufferingState - the server names an open by its key and wants its state changed
 * @SrvCall:    [in] the server
 * @SrvOpenKey: [in] what the driver put into SRV_OPEN.Key
 * @MRxContext: [in] comes back in MRxComputeNewBufferingState and MRxCompleteBufferingStateChangeRequest; the
 *              driver is not told of a request that is dropped, so it must not own memory
 *
 * Without memory the request that the open keeps for that carries it (request.c). An open that could not keep one was
 * granted nothing: then the request is lost, silently, and the server's patience ends it.
 *
 * Context: <= DISPATCH_LEVEL.
 * Locks:   none needed; none taken that could wait.
 * Page:    rxprocs/RxIndicateChangeOfBufferingState.
 */
VOID RxIndicateChangeOfBufferingState(PMRX_SRV_CALL SrvCall, PVOID SrvOpenKey, PVOID MRxContext)
{
	PSRV_CALL sc = (PSRV_CALL)SrvCall;
	PRX_BUFFERING_MANAGER manager = &sc->BufferingManager;
	PCHANGE_BUFFERING_STATE_REQUEST request = rx_request_create(manager, NULL, SrvOpenKey, MRxContext);
	KIRQL irql;

	if (request == NULL)
		return;
	(void)InterlockedIncrement(&manager->CumulativeNumberOfBufferingChangeRequests);
	KeAcquireSpinLock(&manager->SpinLock, &irql);
	InsertTailList(&manager->DispatcherList, &request->ListEntry);
	rx_change_start_dispatcher_locked(sc);
	KeReleaseSpinLock(&manager->SpinLock, irql);
}

/**
 * RxIndicateChangeOfBufferingStateForSrvOpen - the same for an open that the driver has found itself
 * @SrvOpen: [in] the caller refers to it, or knows that it cannot end meanwhile
 *
 * A thread that holds the FCB exclusive applies the change before this returns. At DISPATCH_LEVEL the open is looked
 * up by its key, as if it were not known.
 *
 * Context: <= DISPATCH_LEVEL.
 * Page:    rxprocs/RxIndicateChangeOfBufferingStateForSrvOpen.
 */
VOID RxIndicateChangeOfBufferingStateForSrvOpen(PMRX_SRV_CALL SrvCall, PMRX_SRV_OPEN SrvOpen,
						PVOID SrvOpenKey, PVOID MRxContext)
{
	PSRV_CALL sc = (PSRV_CALL)SrvCall;
	PSRV_OPEN so = (PSRV_OPEN)SrvOpen;
	PCHANGE_BUFFERING_STATE_REQUEST request;
	PRX_CONTEXT rxc;

	if (KeGetCurrentIrql() >= DISPATCH_LEVEL) {
		RxIndicateChangeOfBufferingState(SrvCall, SrvOpenKey, MRxContext);
		return;
	}
	if (RxIsFcbAcquiredExclusive(so->pFcb)) {
		rxc = rx_context_create_must_succeed(NULL, sc->RxDeviceObject, RX_CONTEXT_FLAG_WAIT);
		(void)InterlockedIncrement(&sc->BufferingManager.CumulativeNumberOfBufferingChangeRequests);
		rx_change_apply(rxc, so, MRxContext);
		RxDereferenceAndDeleteRxContext(rxc);
		return;
	}
	request = rx_request_create(&sc->BufferingManager, so, so->Key, MRxContext);
	if (request == NULL)
		return;
	(void)InterlockedIncrement(&sc->BufferingManager.CumulativeNumberOfBufferingChangeRequests);
	RxReferenceSrvOpen(so);
	rx_change_hand_over(sc, request);
}
