/*
 * buffring.h - who may buffer what, and the server's requests to change it.
 *
 * A server names an open by a key that the mini-redirector put into SRV_OPEN.Key. Each SRV_CALL keeps its
 * SRV_OPENs by key; a request that names a key not yet bound waits until the open in progress is bound.
 */
#ifndef RX_BUFFRING_H
#define RX_BUFFRING_H

#include "rxtypes/forward.h"
#include "rxworkq.h"

#define RX_REQUEST_PREPARED_FOR_HANDLING 0x10000000
/* Ours: the request that an open keeps for when there is no memory; it carries a break; another one came meanwhile. */
#define RX_REQUEST_SPARE 0x1
#define RX_REQUEST_IN_USE 0x2
#define RX_REQUEST_REPEATED 0x4
#define RX_REQUEST_COUNTED 0x8

typedef struct _CHANGE_BUFFERING_STATE_REQUEST_ {
	LIST_ENTRY ListEntry;
	ULONG Flags;
	PSRV_OPEN SrvOpen; /* referenced once the key is mapped; NULL before */
	PVOID SrvOpenKey;
	PVOID MRxContext; /* the driver's; for SMB the new oplock level */
	PVOID SpareKey;   /* of the open that keeps it; NULL: not known yet */
	LIST_ENTRY SpareLink;
} CHANGE_BUFFERING_STATE_REQUEST, *PCHANGE_BUFFERING_STATE_REQUEST;

/* SpinLock guards the three request lists and the flags; Mutex the SRV_OPENs by key. */
typedef struct _RX_BUFFERING_MANAGER_ {
	BOOLEAN DispatcherActive;
	BOOLEAN HandlerInactive;
	BOOLEAN LastChanceHandlerActive;
	BOOLEAN DispatcherMustLookAgain; /* an open was bound while the dispatcher was at work */
	KSPIN_LOCK SpinLock;
	volatile LONG CumulativeNumberOfBufferingChangeRequests;
	volatile LONG NumberOfOutstandingOpens;
	LIST_ENTRY DispatcherList;
	LIST_ENTRY HandlerList;
	LIST_ENTRY LastChanceHandlerList;
	LIST_ENTRY SpareRequests; /* used or not; under SpinLock */
	volatile LONG NumberOfSpareRequests;
	volatile LONG NumberOfRequests;        /* beside the spare ones */
	RX_WORK_QUEUE_ITEM DispatcherWorkItem; /* here, so that a break never waits for memory */
	RX_WORK_QUEUE_ITEM HandlerWorkItem;
	RX_WORK_QUEUE_ITEM LastChanceHandlerWorkItem;
	FAST_MUTEX Mutex;
	LIST_ENTRY SrvOpenLists[1];
} RX_BUFFERING_MANAGER, *PRX_BUFFERING_MANAGER;

VOID RxInitializeBufferingManager(_Inout_ PSRV_CALL SrvCall);
VOID RxTearDownBufferingManager(_Inout_ PSRV_CALL SrvCall);

/* Around MRxCreate: an open that may yield a new key is in progress, then done. Locks: FCB exclusive. */
VOID RxInitiateSrvOpenKeyAssociation(_Inout_ PSRV_OPEN SrvOpen);
VOID RxCompleteSrvOpenKeyAssociation(_Inout_ PSRV_OPEN SrvOpen);

/* The open goes away: drops its requests and its place in the key list. Locks: FCB exclusive. */
VOID RxPurgeChangeBufferingStateRequestsForSrvOpen(_Inout_ PSRV_OPEN SrvOpen);

VOID RxProcessFcbChangeBufferingStateRequest(_Inout_ PFCB Fcb);
NTSTATUS RxFlushFcbInSystemCache(_Inout_ PFCB Fcb, _In_ BOOLEAN SynchronizeWithLazyWriter);
NTSTATUS RxPurgeFcbInSystemCache(_Inout_ PFCB Fcb, _In_opt_ PLARGE_INTEGER FileOffset, _In_ ULONG Length,
				 _In_ BOOLEAN UninitializeCacheMaps, _In_ BOOLEAN FlushFile);

#endif
