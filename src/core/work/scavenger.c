/*
 * scavenger.c - what ends later: dormant FOBXs, and objects whose last user could not finalize them.
 *
 * Owns:   the lists of RDBSS_SCAVENGER. A dormant FOBX (ClosePendingFobxsList) is owned by its list: the
 *         creation reference and its share in SRV_OPEN.OpenCount. A marked object (XxxFinalizationList) is not
 *         owned: it is only remembered, and finalizing it elsewhere takes it out first (rx_scavenger_unmark).
 * Locks:  RDBSS_SCAVENGER.Mutex, after the FCB in the order: nothing is taken under it. So whoever finalizes
 *         takes the object's lock first (name table, or the FCB), then looks into the list again.
 * Dies:   with the device.
 *
 * While an object is in a list it has not been finalized, so what it references is alive: that is how an FCB is
 * reached safely from here. Idle, the scavenger uses nothing; the first object posts a one-shot timer.
 */
#include "core/work/work.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "core/minirdr/calldown.h"

#define RX_DEFAULT_DELAYED_CLOSES_PER_SERVER 1024
#define RX_DEFAULT_DORMANT_FILES 8192
#define RX_SCAVENGER_RETRY (5 * 1000 * 1000) /* 100 ns until an FCB that was busy is tried again */

#define RX_SCAVENGER_TOGETHER 8 /* a dormant file may stay this part of the time limit longer */
#define RX_PURGE_BUSY_LIMIT 64  /* busy FCBs that one run leaves alone */

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

static PRDBSS_DEVICE_OBJECT rx_scavenger_device_of(PVOID instance)
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

static void rx_scavenger_unlink(PLIST_ENTRY links)
{
	RemoveEntryList(links);
	InitializeListHead(links);
}

/* Posts the timer unless it is posted. */
static void rx_scavenger_wake_locked(PRDBSS_DEVICE_OBJECT dev, LONGLONG interval)
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

bool rx_scavenger_drop_and_mark(PVOID instance, volatile ULONG *count, ULONG expected)
{
	PRDBSS_DEVICE_OBJECT dev = rx_scavenger_device_of(instance);
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	bool dropped;

	if (s != NULL)
		ExAcquireFastMutex(&s->Mutex);
	dropped = (ULONG)InterlockedCompareExchange((volatile LONG *)count, (LONG)(expected - 1),
						    (LONG)expected) == expected;
	if (s == NULL)
		return dropped;
	if (dropped)
		rx_scavenger_mark_locked(dev, instance);
	ExReleaseFastMutex(&s->Mutex);
	return dropped;
}

/* Takes a dormant FOBX out of its list. */
static void rx_scavenger_awaken_locked(PRDBSS_SCAVENGER s, PFOBX fobx)
{
	PSRV_CALL sc = (PSRV_CALL)fobx->pSrvOpen->pVNetRoot->pNetRoot->pSrvCall;

	rx_scavenger_unlink(&fobx->ClosePendingList);
	fobx->Flags &= ~(ULONG)FOBX_FLAG_MARKED_AS_DORMANT;
	InterlockedDecrement(&sc->NumberOfCloseDelayedFiles);
	InterlockedDecrement(&s->NumberOfDormantFiles);
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

bool rx_scavenger_delay_close(PFOBX fobx)
{
	PSRV_OPEN so = (PSRV_OPEN)fobx->pSrvOpen;
	PSRV_CALL sc = (PSRV_CALL)so->pVNetRoot->pNetRoot->pSrvCall;
	PRDBSS_DEVICE_OBJECT dev = rx_scavenger_device_of(fobx);
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	LONG limit = sc->MaximumNumberOfCloseDelayedFiles;
	bool delayed = false;

	if (s == NULL || dev->StartStopContext.State != RDBSS_STARTED)
		return false;
	if (limit == 0)
		limit = RX_DEFAULT_DELAYED_CLOSES_PER_SERVER;
	ExAcquireFastMutex(&s->Mutex);
	if (sc->NumberOfCloseDelayedFiles < limit &&
	    s->NumberOfDormantFiles < s->MaximumNumberOfDormantFiles) {
		InterlockedIncrement(&sc->NumberOfCloseDelayedFiles);
		InterlockedIncrement(&s->NumberOfDormantFiles);
		fobx->CloseTime.QuadPart = (LONGLONG)KeQueryInterruptTime();
		fobx->Flags |= FOBX_FLAG_MARKED_AS_DORMANT;
		so->Flags |= SRVOPEN_FLAG_CLOSE_DELAYED;
		InsertTailList(&s->ClosePendingFobxsList, &fobx->ClosePendingList);
		rx_scavenger_wake_locked(dev, s->TimeLimit.QuadPart);
		delayed = true;
	}
	ExReleaseFastMutex(&s->Mutex);
	return delayed;
}

/* ---- dormant FOBXs ---- */

/* Which dormant FOBXs to end: those of a share, or of a file and its aliases, that went to sleep by `until`. */
struct rx_purge {
	PNET_ROOT net_root; /* NULL: any */
	PFCB fcb;           /* NULL: any */
	LONGLONG until;     /* interrupt time */
};

static bool rx_purge_selects(const struct rx_purge *purge, PFOBX fobx)
{
	PFCB fcb = (PFCB)fobx->pSrvOpen->pFcb;

	if (fobx->CloseTime.QuadPart > purge->until)
		return false;
	if (purge->net_root != NULL && (PNET_ROOT)fcb->pNetRoot != purge->net_root)
		return false;
	return purge->fcb == NULL || rx_call_files_are_aliased(purge->fcb, fcb);
}

/* The FCB, referenced, of the next FOBX to end after those of `skip`; NULL: none. */
static PFCB rx_purge_next_fcb(PRDBSS_SCAVENGER s, const struct rx_purge *purge)
{
	PFCB fcb = NULL;
	PLIST_ENTRY entry;

	ExAcquireFastMutex(&s->Mutex);
	for (entry = s->ClosePendingFobxsList.Flink; entry != &s->ClosePendingFobxsList && fcb == NULL;
	     entry = entry->Flink) {
		PFOBX fobx = CONTAINING_RECORD(entry, FOBX, ClosePendingList);

		if (rx_purge_selects(purge, fobx)) {
			fcb = (PFCB)fobx->pSrvOpen->pFcb;
			RxReferenceNetFcb(fcb);
		}
	}
	ExReleaseFastMutex(&s->Mutex);
	return fcb;
}

/* Takes a dormant FOBX of an FCB out of the list; it is the caller's then. Locks: FCB exclusive. */
static PFOBX rx_purge_take(PRDBSS_SCAVENGER s, const struct rx_purge *purge, PFCB fcb)
{
	PFOBX taken = NULL;
	PLIST_ENTRY entry;

	ExAcquireFastMutex(&s->Mutex);
	for (entry = s->ClosePendingFobxsList.Flink; entry != &s->ClosePendingFobxsList && taken == NULL;
	     entry = entry->Flink) {
		PFOBX fobx = CONTAINING_RECORD(entry, FOBX, ClosePendingList);

		if ((PFCB)fobx->pSrvOpen->pFcb == fcb && rx_purge_selects(purge, fobx))
			taken = fobx;
	}
	if (taken != NULL)
		rx_scavenger_awaken_locked(s, taken);
	ExReleaseFastMutex(&s->Mutex);
	return taken;
}

/* An FCB that could not be had goes to the end of the list, so that the others come first. */
static void rx_purge_postpone(PRDBSS_SCAVENGER s, PFCB fcb)
{
	PLIST_ENTRY entry, next;
	LIST_ENTRY later;
	LONGLONG now = (LONGLONG)KeQueryInterruptTime();

	InitializeListHead(&later);
	ExAcquireFastMutex(&s->Mutex);
	for (entry = s->ClosePendingFobxsList.Flink; entry != &s->ClosePendingFobxsList; entry = next) {
		PFOBX fobx = CONTAINING_RECORD(entry, FOBX, ClosePendingList);

		next = entry->Flink;
		if ((PFCB)fobx->pSrvOpen->pFcb == fcb) {
			RemoveEntryList(entry);
			fobx->CloseTime.QuadPart = now - s->TimeLimit.QuadPart + RX_SCAVENGER_RETRY;
			InsertTailList(&later, entry);
		}
	}
	while (!IsListEmpty(&later))
		InsertTailList(&s->ClosePendingFobxsList, RemoveHeadList(&later));
	ExReleaseFastMutex(&s->Mutex);
}

/* Ends what purge selects of one FCB. Consumes the reference. Return: how many were ended; -1: FCB busy. */
static LONG rx_purge_fcb(PRX_CONTEXT rxc, PRDBSS_SCAVENGER s, const struct rx_purge *purge, PFCB fcb)
{
	LONG ended = 0;
	PFOBX fobx;

	if (RxAcquireExclusiveFcb(rxc, fcb) != STATUS_SUCCESS) {
		rx_purge_postpone(s, fcb);
		(void)RxDereferenceNetFcb(fcb);
		return -1;
	}
	while ((fobx = rx_purge_take(s, purge, fcb)) != NULL) {
		rx_close_srv_open_of(rxc, fobx);
		rx_drop_fobx(rxc, fobx);
		ended++;
	}
	rx_release_and_dereference_fcb(rxc, fcb);
	return ended;
}

/* Ends all that purge selects. wait: also those whose FCB is busy. Return: how many. Blocks, calls down. */
static LONG rx_purge_run(PRDBSS_DEVICE_OBJECT dev, const struct rx_purge *purge, bool wait)
{
	PRX_CONTEXT rxc = rx_context_create_must_succeed(NULL, dev, wait ? RX_CONTEXT_FLAG_WAIT : 0);
	PRDBSS_SCAVENGER s = dev->pRdbssScavenger;
	LONG ended = 0, busy = 0;
	PFCB fcb;

	/* a busy FCB comes again, behind the others, if purge selects it still */
	while (busy < RX_PURGE_BUSY_LIMIT && (fcb = rx_purge_next_fcb(s, purge)) != NULL) {
		LONG some = rx_purge_fcb(rxc, s, purge, fcb);

		if (some < 0)
			busy++;
		else
			ended += some;
	}
	RxDereferenceAndDeleteRxContext(rxc);
	return ended;
}

void rx_scavenger_end_dormant(PRX_CONTEXT rxc, PFCB fcb)
{
	struct rx_purge all = {NULL, NULL, INT64_MAX};
	PFOBX fobx;

	if (fcb->RxDeviceObject->pRdbssScavenger == NULL)
		return;
	while ((fobx = rx_purge_take(fcb->RxDeviceObject->pRdbssScavenger, &all, fcb)) != NULL) {
		rx_close_srv_open_of(rxc, fobx);
		rx_drop_fobx(rxc, fobx);
	}
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

/* RxPurgeAllFobxs - end every dormant FOBX of a device. Blocks, calls down. Page: rxprocs/RxPurgeAllFobxs. */
VOID RxPurgeAllFobxs(PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	struct rx_purge all = {NULL, NULL, INT64_MAX};

	if (RxDeviceObject->pRdbssScavenger != NULL)
		(void)rx_purge_run(RxDeviceObject, &all, true);
}

/* RxScavengeAllFobxs - finalize every marked FOBX of a device. Page: rxprocs/RxScavengeAllFobxs. */
VOID RxScavengeAllFobxs(PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	if (RxDeviceObject->pRdbssScavenger != NULL)
		rx_scavenge_opens(RxDeviceObject, NULL, NULL);
}

/**
 * RxPurgeRelatedFobxs - end the dormant FOBXs of a share or file that were dormant before the call
 * @NetRoot:         [in] the share
 * @RxContext:       [in] the request that wants them gone
 * @AttemptFinalize: [in] also free the FCBs that nobody uses then (they go in any case when unused)
 * @PurgingFcb:      [in, optional] only this file and its aliases
 *
 * Locks:  none but, perhaps, PurgingFcb; other FCBs are waited for only when the request holds none.
 * Return: STATUS_SUCCESS; STATUS_UNSUCCESSFUL: there was nothing to end.
 * Page:   scavengr/RxPurgeRelatedFobxs.
 */
NTSTATUS RxPurgeRelatedFobxs(PNET_ROOT NetRoot, PRX_CONTEXT RxContext, BOOLEAN AttemptFinalize,
			     PFCB PurgingFcb)
{
	struct rx_purge purge = {NetRoot, PurgingFcb, (LONGLONG)KeQueryInterruptTime()};
	PRDBSS_DEVICE_OBJECT dev = NetRoot->pSrvCall->RxDeviceObject;
	bool wait = RxContext == NULL || !RxContext->FcbResourceAcquired;

	(void)AttemptFinalize;
	if (dev->pRdbssScavenger == NULL || rx_purge_run(dev, &purge, wait) == 0)
		return STATUS_UNSUCCESSFUL;
	return STATUS_SUCCESS;
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
