/*
 * scavenger.c - what ends later: objects whose last user could not finalize them, and when they and the dormant FOBXs
 *               (dormant.c) do.
 *
 * Owns:   the lists of RDBSS_SCAVENGER. A marked object (XxxFinalizationList) is not owned: it is only
 *         remembered, and finalizing it elsewhere takes it out first (rx_scavenger_unmark).
 * Locks:  RDBSS_SCAVENGER.Mutex, after the FCB in the order: nothing is taken under it. So whoever finalizes
 *         takes the object's lock first (name table, or the FCB), then looks into the list again.
 * Dies:   with the device.
 *
 * While an object is in a list it has not been finalized, so what it references is alive: that is how an FCB is
 * reached safely from here. Idle, the scavenger uses nothing; the first object posts a one-shot timer.
 */
#include "core/work/scavenger_int.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "core/minirdr/calldown.h"

#define RX_DEFAULT_DORMANT_FILES 8192

#define RX_SCAVENGER_TOGETHER 8 /* a dormant file may stay this part of the time limit longer */

static VOID NTAPI rx_scavenger_timer(PVOID context);

void rx_scavenger_init(PRDBSS_DEVICE_OBJECT dev)
{
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;

	RtlZeroMemory(s, sizeof(*s));
	s->State = RDBSS_SCAVENGER_INACTIVE;
	s->MaximumNumberOfDormantFiles = RX_DEFAULT_DORMANT_FILES;
	s->TimeLimit.QuadPart = RX_SCAVENGER_FINALIZATION_TIME_INTERVAL;
	if (dev->Dispatch->ScavengerTimeout != 0)
		s->TimeLimit.QuadPart = (LONGLONG)dev->Dispatch->ScavengerTimeout * 10 * 1000 * 1000;
	InitializeListHead(&s->SrvCallFinalizationList);
	InitializeListHead(&s->NetRootFinalizationList);
	InitializeListHead(&s->VNetRootFinalizationList);
	InitializeListHead(&s->FcbFinalizationList);
	InitializeListHead(&s->SrvOpenFinalizationList);
	InitializeListHead(&s->FobxFinalizationList);
	InitializeListHead(&s->ClosePendingFobxsList);
	ExInitializeFastMutex(&s->Mutex);
	KeInitializeEvent(&s->SyncEvent, NotificationEvent, TRUE);
	KeInitializeEvent(&s->ScavengeEvent, SynchronizationEvent, TRUE);
	KeInitializeEvent(&s->ClosePendingProcessingSyncEvent, NotificationEvent, TRUE);
}

/* ---- the lists ---- */

/* One kind of marked object. */
struct rx_mark_list {
	PLIST_ENTRY head;
	PULONG count;
	PLIST_ENTRY links;
};

PRDBSS_DEVICE_OBJECT rx_scavenger_device_of(PVOID instance)
{
	if (NodeType(instance) == RDBSS_NTC_SRVCALL)
		return ((PSRV_CALL)instance)->RxDeviceObject;
	if (NodeType(instance) == RDBSS_NTC_NETROOT)
		return ((PNET_ROOT)instance)->pSrvCall->RxDeviceObject;
	if (NodeType(instance) == RDBSS_NTC_V_NETROOT)
		return ((PV_NET_ROOT)instance)->pNetRoot->pSrvCall->RxDeviceObject;
	if (NodeType(instance) == RDBSS_NTC_FOBX)
		return ((PFCB)((PFOBX)instance)->pSrvOpen->pFcb)->RxDeviceObject;
	return ((PFCB)((PSRV_OPEN)instance)->pFcb)->RxDeviceObject;
}

static struct rx_mark_list rx_scavenger_list_of(PRDBSS_SCAVENGER s, PVOID instance)
{
	if (NodeType(instance) == RDBSS_NTC_SRVCALL)
		return (struct rx_mark_list){&s->SrvCallFinalizationList, &s->SrvCallsToBeFinalized,
					     &((PSRV_CALL)instance)->ScavengerFinalizationList};
	if (NodeType(instance) == RDBSS_NTC_NETROOT)
		return (struct rx_mark_list){&s->NetRootFinalizationList, &s->NetRootsToBeFinalized,
					     &((PNET_ROOT)instance)->ScavengerFinalizationList};
	if (NodeType(instance) == RDBSS_NTC_V_NETROOT)
		return (struct rx_mark_list){&s->VNetRootFinalizationList, &s->VNetRootsToBeFinalized,
					     &((PV_NET_ROOT)instance)->ScavengerFinalizationList};
	if (NodeType(instance) == RDBSS_NTC_FOBX)
		return (struct rx_mark_list){&s->FobxFinalizationList, &s->FobxsToBeFinalized,
					     &((PFOBX)instance)->ScavengerFinalizationList};
	return (struct rx_mark_list){&s->SrvOpenFinalizationList, &s->SrvOpensToBeFinalized,
				     &((PSRV_OPEN)instance)->ScavengerFinalizationList};
}

static bool rx_scavenger_is_linked(PLIST_ENTRY links)
{
	return links->Flink != NULL && !IsListEmpty(links);
}

void rx_scavenger_wake_locked(PRDBSS_DEVICE_OBJECT dev, LONGLONG interval)
{
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	LARGE_INTEGER delay = {.QuadPart = interval};

	if (s->State != RDBSS_SCAVENGER_INACTIVE)
		return;
	s->State = RDBSS_SCAVENGER_DORMANT;
	(void)RxPostOneShotTimerRequest(dev, &s->WorkItem, rx_scavenger_timer, dev, delay);
}

static void rx_scavenger_mark_locked(PRDBSS_DEVICE_OBJECT dev, PVOID instance)
{
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	struct rx_mark_list list = rx_scavenger_list_of(s, instance);

	if (rx_scavenger_is_linked(list.links))
		return;
	InsertTailList(list.head, list.links);
	(*list.count)++;
	rx_scavenger_wake_locked(dev, s->TimeLimit.QuadPart);
}

void rx_scavenger_mark(PVOID instance)
{
	PRDBSS_DEVICE_OBJECT dev = rx_scavenger_device_of(instance);

	if (dev->pRdbssScavenger == NULL)
		return;
	ExAcquireFastMutex(&dev->pRdbssScavenger->Mutex);
	rx_scavenger_mark_locked(dev, instance);
	ExReleaseFastMutex(&dev->pRdbssScavenger->Mutex);
}

/* One reference less, if there are as many as that. */
static bool rx_drop_last(volatile ULONG *count, ULONG expected)
{
	return (ULONG)InterlockedCompareExchange((volatile LONG *)count, (LONG)(expected - 1),
						 (LONG)expected) == expected;
}

bool rx_scavenger_drop_and_mark(PVOID instance, volatile ULONG *count, ULONG expected)
{
	PRDBSS_DEVICE_OBJECT dev = rx_scavenger_device_of(instance);
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	bool dropped;

	if (s == NULL)
		return rx_drop_last(count, expected);
	ExAcquireFastMutex(&s->Mutex);
	dropped = rx_drop_last(count, expected);
	if (dropped)
		rx_scavenger_mark_locked(dev, instance);
	ExReleaseFastMutex(&s->Mutex);
	return dropped;
}

void rx_scavenger_unmark(PVOID instance)
{
	PRDBSS_SCAVENGER s = rx_scavenger_device_of(instance)->pRdbssScavenger;
	struct rx_mark_list list;

	if (s == NULL)
		return;
	ExAcquireFastMutex(&s->Mutex);
	list = rx_scavenger_list_of(s, instance);
	if (rx_scavenger_is_linked(list.links)) {
		rx_scavenger_unlink(list.links);
		(*list.count)--;
	}
	if (NodeType(instance) == RDBSS_NTC_FOBX &&
	    rx_scavenger_is_linked(&((PFOBX)instance)->ClosePendingList))
		rx_scavenger_awaken_locked(s, instance);
	ExReleaseFastMutex(&s->Mutex);
}

/* ---- marked objects ---- */

/* Takes one marked object out of a list; the name table lock keeps it from being finalized elsewhere. */
static PVOID rx_scavenger_pop(PRDBSS_SCAVENGER s, PLIST_ENTRY head, PULONG count, size_t links_offset)
{
	PVOID instance = NULL;

	ExAcquireFastMutex(&s->Mutex);
	if (!IsListEmpty(head)) {
		PLIST_ENTRY entry = head->Flink;

		rx_scavenger_unlink(entry);
		(*count)--;
		instance = (PUCHAR)entry - links_offset;
	}
	ExReleaseFastMutex(&s->Mutex);
	return instance;
}

static void rx_scavenge_named(PRDBSS_DEVICE_OBJECT dev)
{
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	PVOID instance;

	(void)RxAcquirePrefixTableLockExclusive(dev->pRxNetNameTable, TRUE);
	/* FALSE from a finalization: somebody has revived the object, it will be marked again */
	while ((instance = rx_scavenger_pop(s, &s->VNetRootFinalizationList, &s->VNetRootsToBeFinalized,
					    FIELD_OFFSET(V_NET_ROOT, ScavengerFinalizationList))) != NULL)
		(void)RxFinalizeVNetRoot(instance, TRUE, FALSE);
	while ((instance = rx_scavenger_pop(s, &s->NetRootFinalizationList, &s->NetRootsToBeFinalized,
					    FIELD_OFFSET(NET_ROOT, ScavengerFinalizationList))) != NULL)
		(void)RxFinalizeNetRoot(instance, TRUE, FALSE);
	while ((instance = rx_scavenger_pop(s, &s->SrvCallFinalizationList, &s->SrvCallsToBeFinalized,
					    FIELD_OFFSET(SRV_CALL, ScavengerFinalizationList))) != NULL)
		(void)RxFinalizeSrvCall(instance, FALSE);
	RxReleasePrefixTableLock(dev->pRxNetNameTable);
}

/* What is in that list is a FOBX, or the list is broken (page RxScavengeAllFobxs). */
static PFOBX rx_scavenge_fobx_at(PLIST_ENTRY entry)
{
	PFOBX fobx = CONTAINING_RECORD(entry, FOBX, ScavengerFinalizationList);

	RX_CHECK(NodeType(fobx) == RDBSS_NTC_FOBX);
	return fobx;
}

/* The FCB, referenced, of some marked FOBX or SRV_OPEN of a share (NULL: any) and file (NULL: any). */
static PFCB rx_scavenge_next_fcb(PRDBSS_SCAVENGER s, PNET_ROOT nr, PFCB only)
{
	PFCB found = NULL;
	PLIST_ENTRY entry;

	ExAcquireFastMutex(&s->Mutex);
	for (entry = s->FobxFinalizationList.Flink; entry != &s->FobxFinalizationList && found == NULL;
	     entry = entry->Flink) {
		PFCB fcb = (PFCB)rx_scavenge_fobx_at(entry)->pSrvOpen->pFcb;

		if ((nr == NULL || (PNET_ROOT)fcb->pNetRoot == nr) &&
		    (only == NULL || rx_call_files_are_aliased(only, fcb)))
			found = fcb;
	}
	for (entry = s->SrvOpenFinalizationList.Flink; entry != &s->SrvOpenFinalizationList && found == NULL;
	     entry = entry->Flink) {
		PFCB fcb = (PFCB)CONTAINING_RECORD(entry, SRV_OPEN, ScavengerFinalizationList)->pFcb;

		if ((nr == NULL || (PNET_ROOT)fcb->pNetRoot == nr) &&
		    (only == NULL || rx_call_files_are_aliased(only, fcb)))
			found = fcb;
	}
	if (found != NULL)
		RxReferenceNetFcb(found);
	ExReleaseFastMutex(&s->Mutex);
	return found;
}

/* A marked FOBX (or, when there is none, SRV_OPEN) of an FCB, out of its list. Locks: FCB exclusive. */
static PVOID rx_scavenge_take(PRDBSS_SCAVENGER s, PFCB fcb)
{
	PVOID taken = NULL;
	PLIST_ENTRY entry;

	ExAcquireFastMutex(&s->Mutex);
	for (entry = s->FobxFinalizationList.Flink; entry != &s->FobxFinalizationList && taken == NULL;
	     entry = entry->Flink) {
		PFOBX fobx = rx_scavenge_fobx_at(entry);

		if ((PFCB)fobx->pSrvOpen->pFcb == fcb)
			taken = fobx;
	}
	for (entry = s->SrvOpenFinalizationList.Flink; entry != &s->SrvOpenFinalizationList && taken == NULL;
	     entry = entry->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(entry, SRV_OPEN, ScavengerFinalizationList);

		if ((PFCB)so->pFcb == fcb)
			taken = so;
	}
	if (taken != NULL) {
		struct rx_mark_list list = rx_scavenger_list_of(s, taken);

		rx_scavenger_unlink(list.links);
		(*list.count)--;
	}
	ExReleaseFastMutex(&s->Mutex);
	return taken;
}

static void rx_scavenge_fcb(PRX_CONTEXT rxc, PRDBSS_SCAVENGER s, PFCB fcb)
{
	PVOID instance;

	(void)RxAcquireExclusiveFcb(rxc, fcb); /* the context waits */
	while ((instance = rx_scavenge_take(s, fcb)) != NULL) {
		if (NodeType(instance) == RDBSS_NTC_FOBX)
			(void)RxFinalizeNetFobx(instance, TRUE, FALSE);
		else
			(void)RxFinalizeSrvOpen(instance, TRUE, FALSE);
	}
	rx_release_and_dereference_fcb(rxc, fcb);
}

static void rx_scavenge_opens(PRDBSS_DEVICE_OBJECT dev, PNET_ROOT nr, PFCB only)
{
	PRX_CONTEXT rxc = rx_context_create_must_succeed(NULL, dev, RX_CONTEXT_FLAG_WAIT);
	PFCB fcb;

	while ((fcb = rx_scavenge_next_fcb(dev->pRdbssScavenger, nr, only)) != NULL)
		rx_scavenge_fcb(rxc, dev->pRdbssScavenger, fcb);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* ---- the worker ---- */

/* 100 ns until something is due; -1: nothing is left to do. */
static LONGLONG rx_scavenger_next_due_locked(PRDBSS_SCAVENGER s)
{
	LONGLONG now = (LONGLONG)KeQueryInterruptTime(), due = -1;
	PLIST_ENTRY entry;

	if (!IsListEmpty(&s->SrvCallFinalizationList) || !IsListEmpty(&s->NetRootFinalizationList) ||
	    !IsListEmpty(&s->VNetRootFinalizationList) || !IsListEmpty(&s->SrvOpenFinalizationList) ||
	    !IsListEmpty(&s->FobxFinalizationList))
		due = s->TimeLimit.QuadPart;
	for (entry = s->ClosePendingFobxsList.Flink; entry != &s->ClosePendingFobxsList;
	     entry = entry->Flink) {
		PFOBX fobx = CONTAINING_RECORD(entry, FOBX, ClosePendingList);
		LONGLONG left = fobx->CloseTime.QuadPart + s->TimeLimit.QuadPart - now;

		if (left < 1)
			left = 1;
		if (due < 0 || left < due)
			due = left;
	}
	return due;
}

static VOID NTAPI rx_scavenger_timer(PVOID context)
{
	PRDBSS_DEVICE_OBJECT dev = context;
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	struct rx_purge due = {NULL, NULL, (LONGLONG)KeQueryInterruptTime() - s->TimeLimit.QuadPart};
	LONGLONG next;

	ExAcquireFastMutex(&s->Mutex);
	s->State = RDBSS_SCAVENGER_ACTIVE;
	s->CurrentScavengerThread = PsGetCurrentThread();
	KeClearEvent(&s->SyncEvent);
	ExReleaseFastMutex(&s->Mutex);

	/* the order of parents: opens give up views, views shares, shares servers */
	(void)rx_purge_run(dev, &due, false);
	rx_scavenge_opens(dev, NULL, NULL);
	rx_scavenge_named(dev);

	ExAcquireFastMutex(&s->Mutex);
	s->State = RDBSS_SCAVENGER_INACTIVE;
	s->CurrentScavengerThread = NULL;
	KeSetEvent(&s->SyncEvent, IO_NO_INCREMENT, FALSE);
	next = rx_scavenger_next_due_locked(s);
	/* what falls due in a while goes together: a program that closes many files is not interrupted for each */
	if (next > 0)
		rx_scavenger_wake_locked(dev, max(next, s->TimeLimit.QuadPart / RX_SCAVENGER_TOGETHER));
	ExReleaseFastMutex(&s->Mutex);
}

void rx_scavenger_run_down(PRDBSS_DEVICE_OBJECT dev)
{
	struct rx_purge all = {NULL, NULL, INT64_MAX};
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;

	if (s == NULL)
		return;
	if (RxCancelTimerRequest(dev, rx_scavenger_timer, dev) == STATUS_SUCCESS) {
		ExAcquireFastMutex(&s->Mutex);
		s->State = RDBSS_SCAVENGER_INACTIVE;
		ExReleaseFastMutex(&s->Mutex);
	}
	(void)rx_purge_run(dev, &all, true);
	rx_scavenge_opens(dev, NULL, NULL);
	rx_scavenge_named(dev);
}

/* ---- the DDI ---- */

/* RxScavengeAllFobxs - finalize every marked FOBX of a device. Page: rxprocs/RxScavengeAllFobxs. */
VOID RxScavengeAllFobxs(PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	if (RxDeviceObject->pRdbssScavenger != NULL)
		rx_scavenge_opens(RxDeviceObject, NULL, NULL);
}

/**
 * RxScavengeFobxsForNetRoot - finalize the marked FOBXs of a share or file
 * @SynchronizeWithScavenger: [in] first wait for a scavenger that is at work
 *
 * Page: scavengr/RxScavengeFobxsForNetRoot, E-36.
 */
VOID RxScavengeFobxsForNetRoot(PNET_ROOT NetRoot, PFCB PurgingFcb, BOOLEAN SynchronizeWithScavenger)
{
	PRDBSS_DEVICE_OBJECT dev = NetRoot->pSrvCall->RxDeviceObject;
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;

	if (s == NULL)
		return;
	if (SynchronizeWithScavenger && s->CurrentScavengerThread != PsGetCurrentThread())
		(void)KeWaitForSingleObject(&s->SyncEvent, Executive, KernelMode, FALSE, NULL);
	rx_scavenge_opens(dev, NetRoot, PurgingFcb);
}
