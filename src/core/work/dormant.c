/*
 * dormant.c - files that were closed a moment ago and may be wanted again: dormant FOBXs.
 *
 * Owns:   RDBSS_SCAVENGER.ClosePendingFobxsList. A dormant FOBX is owned by it: the creation reference and its
 *         share in SRV_OPEN.OpenCount.
 * Locks:  RDBSS_SCAVENGER.Mutex, after the FCB in the order: nothing is taken under it. So whoever ends one
 *         refers to its FCB under the mutex, takes the FCB, then looks into the list again.
 * Dies:   a FOBX, when its time is over (the scavenger's timer), when it is purged, or finalized elsewhere.
 */
#include "core/work/scavenger_int.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "core/minirdr/calldown.h"

#define RX_DEFAULT_DELAYED_CLOSES_PER_SERVER 1024
#define RX_SCAVENGER_RETRY (5 * 1000 * 1000) /* 100 ns until an FCB that was busy is tried again */
#define RX_PURGE_BUSY_LIMIT 64               /* busy FCBs that one run leaves alone */

void rx_scavenger_awaken_locked(PRDBSS_SCAVENGER s, PFOBX fobx)
{
	PSRV_CALL sc = (PSRV_CALL)fobx->pSrvOpen->pVNetRoot->pNetRoot->pSrvCall;

	rx_scavenger_unlink(&fobx->ClosePendingList);
	fobx->Flags &= ~(ULONG)FOBX_FLAG_MARKED_AS_DORMANT;
	InterlockedDecrement(&sc->NumberOfCloseDelayedFiles);
	InterlockedDecrement(&s->NumberOfDormantFiles);
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

/* ---- ending them ---- */

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

LONG rx_purge_run(PRDBSS_DEVICE_OBJECT dev, const struct rx_purge *purge, bool wait)
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

/* ---- the DDI ---- */

/* RxPurgeAllFobxs - end every dormant FOBX of a device. Blocks, calls down. Page: rxprocs/RxPurgeAllFobxs. */
VOID RxPurgeAllFobxs(PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	struct rx_purge all = {NULL, NULL, INT64_MAX};

	if (RxDeviceObject->pRdbssScavenger != NULL)
		(void)rx_purge_run(RxDeviceObject, &all, true);
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
