/*
 * keys.c - the name a server uses for an open when it asks for a change (a lease key, a file id).
 *
 * Owns:      RX_BUFFERING_MANAGER of each SRV_CALL: the list of its SRV_OPENs that are bound to a key. The requests
 *            in its other lists belong to change.c.
 * Found by:  SRV_CALL.BufferingManager.
 * Locks:     Mutex, a leaf, for the list; SpinLock for the request lists.
 * Dies when: its SRV_CALL does; no SRV_OPEN is bound then.
 *
 * A server may speak of an open before the answer to that open has been read. So an open that is on its way
 * counts (NumberOfOutstandingOpens): as long as one does, an unknown key may still become known.
 */
#include "core/buffering/buffering.h"

#include "core/object/object.h"

static PRX_BUFFERING_MANAGER rx_buffering_manager_of(PSRV_OPEN so)
{
	return &((PSRV_CALL)so->pVNetRoot->pNetRoot->pSrvCall)->BufferingManager;
}

VOID RxInitializeBufferingManager(PSRV_CALL SrvCall)
{
	PRX_BUFFERING_MANAGER manager = &SrvCall->BufferingManager;

	KeInitializeSpinLock(&manager->SpinLock);
	ExInitializeFastMutex(&manager->Mutex);
	manager->HandlerInactive = TRUE;
	InitializeListHead(&manager->DispatcherList);
	InitializeListHead(&manager->HandlerList);
	InitializeListHead(&manager->LastChanceHandlerList);
	InitializeListHead(&manager->SpareRequests);
	InitializeListHead(&manager->SrvOpenLists[0]);
}

VOID RxTearDownBufferingManager(PSRV_CALL SrvCall)
{
	PRX_BUFFERING_MANAGER manager = &SrvCall->BufferingManager;

	RX_CHECK(IsListEmpty(&manager->SrvOpenLists[0]) && manager->NumberOfOutstandingOpens == 0);
	RX_CHECK(IsListEmpty(&manager->DispatcherList) && IsListEmpty(&manager->HandlerList) &&
		 IsListEmpty(&manager->LastChanceHandlerList) && IsListEmpty(&manager->SpareRequests));
}

VOID RxInitiateSrvOpenKeyAssociation(PSRV_OPEN SrvOpen)
{
	SrvOpen->Key = NULL;
	InitializeListHead(&SrvOpen->SrvOpenKeyList);
	(void)rx_request_keep_spare(SrvOpen); /* false: see below */
	(void)InterlockedIncrement(&rx_buffering_manager_of(SrvOpen)->NumberOfOutstandingOpens);
}

VOID RxCompleteSrvOpenKeyAssociation(PSRV_OPEN SrvOpen)
{
	PRX_BUFFERING_MANAGER manager = rx_buffering_manager_of(SrvOpen);

	if (SrvOpen->SpareRequest == NULL)
		SrvOpen->BufferingFlags = 0; /* its break could get lost */
	else if (SrvOpen->Key != NULL)
		rx_request_name_spare(SrvOpen);
	else
		rx_request_drop_spare(SrvOpen);
	ExAcquireFastMutex(&manager->Mutex);
	if (SrvOpen->Key != NULL)
		InsertTailList(&manager->SrvOpenLists[0], &SrvOpen->SrvOpenKeyList);
	ExReleaseFastMutex(&manager->Mutex);
	(void)InterlockedDecrement(&manager->NumberOfOutstandingOpens);
	rx_buffering_look_again((PSRV_CALL)SrvOpen->pVNetRoot->pNetRoot->pSrvCall);
}

BOOLEAN rx_srv_open_key_is_bound(PSRV_OPEN so)
{
	PRX_BUFFERING_MANAGER manager = rx_buffering_manager_of(so);
	BOOLEAN bound;

	ExAcquireFastMutex(&manager->Mutex);
	bound = !IsListEmpty(&so->SrvOpenKeyList);
	ExReleaseFastMutex(&manager->Mutex);
	return bound;
}

/**
 * RxPurgeChangeBufferingStateRequestsForSrvOpen - the server may say nothing about this open any more
 *
 * Takes the open off the key list; from here a request that names its key finds nothing, unless another open of the
 * file has the same key: that one inherits what waits. A second call does nothing.
 *
 * Locks: FCB exclusive.
 */
VOID RxPurgeChangeBufferingStateRequestsForSrvOpen(PSRV_OPEN SrvOpen)
{
	PRX_BUFFERING_MANAGER manager = rx_buffering_manager_of(SrvOpen);

	SrvOpen->Flags |= SRVOPEN_FLAG_BUFFERING_STATE_CHANGE_REQUESTS_PURGED;
	SrvOpen->Flags &= ~(ULONG)SRVOPEN_FLAG_BUFFERING_STATE_CHANGE_PENDING;
	ExAcquireFastMutex(&manager->Mutex);
	if (!IsListEmpty(&SrvOpen->SrvOpenKeyList)) {
		RemoveEntryList(&SrvOpen->SrvOpenKeyList);
		InitializeListHead(&SrvOpen->SrvOpenKeyList);
	}
	ExReleaseFastMutex(&manager->Mutex);
	rx_request_drop_spare(SrvOpen);
	rx_buffering_drop_requests(SrvOpen);
}
