/*
 * close.c - IRP_MJ_CLOSE: the file object goes; does the open at the server go with it?
 *
 * Owns:      the decision between closing at the server now and a delayed close.
 * Locks:     FCB exclusive.
 * Dies when: the FOBX's last share in its SRV_OPEN is given back.
 *
 * SRV_OPEN.OpenCount counts the FOBXs that still need the open at the server: those of file objects and at
 * most one dormant one. A dormant FOBX (delayed close) keeps its share until the scavenger, a purge or a
 * sharing conflict ends it; a re-open meanwhile collapses onto the SRV_OPEN and costs no round trip.
 */
#include "core/dispatch/dispatch.h"

#include "core/buffering/buffering.h"
#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/minirdr/calldown.h"
#include "core/object/object.h"
#include "core/work/work.h"

/* What the close at the server needs to know, whoever runs it. */
static void rx_close_set_objects(PRX_CONTEXT rxc, PFOBX fobx)
{
	PFCB fcb = (PFCB)fobx->pSrvOpen->pFcb;

	rxc->MajorFunction = IRP_MJ_CLOSE;
	rxc->pFcb = (PMRX_FCB)fcb;
	rxc->NonPagedFcb = fcb->NonPaged;
	rxc->pFobx = (PMRX_FOBX)fobx;
	rxc->pRelevantSrvOpen = fobx->pSrvOpen;
}

static void rx_close_at_server(PRX_CONTEXT rxc, PSRV_OPEN so)
{
	PFCB fcb = (PFCB)so->pFcb;

	rx_cache_drain(fcb);
	RxPurgeChangeBufferingStateRequestsForSrvOpen(so);
	/* orphaned: its server or share is gone; closed: the driver closed it already (query on create) */
	if ((so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_ORPHANED)) == 0 &&
	    (fcb->FcbState & FCB_STATE_ORPHANED) == 0 && so->Condition == Condition_Good)
		(void)rx_call_close_srv_open(rxc); /* a close cannot fail; the status is traced */
	so->Flags |= SRVOPEN_FLAG_CLOSED;
	rx_buffering_open_ended(fcb);
	/* the creation reference stood for the open at the server; the FOBX still holds the SRV_OPEN */
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
}

void rx_close_srv_open_of(PRX_CONTEXT rxc, PFOBX fobx)
{
	PSRV_OPEN so = (PSRV_OPEN)fobx->pSrvOpen;

	ASSERT(RxIsFcbAcquiredExclusive((PFCB)so->pFcb));
	if (fobx->fOpenCountDecremented)
		return;
	rx_close_set_objects(rxc, fobx);
	fobx->fOpenCountDecremented = TRUE;
	fobx->Flags |= FOBX_FLAG_SRVOPEN_CLOSED;
	ASSERT(so->OpenCount > 0);
	so->OpenCount--;
	if (so->OpenCount == 0)
		rx_close_at_server(rxc, so);
}

/**
 * RxCloseAssociatedSrvOpen - close the open at the server that a FOBX still needs
 * @RxContext: [in, optional] the request that closes; NULL: one is made for the call
 * @Fobx:      [in] its share in the SRV_OPEN is given back; a second call does nothing
 *
 * Locks:  FCB exclusive.
 * Return: STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES only without RxContext, nothing was changed.
 */
NTSTATUS RxCloseAssociatedSrvOpen(PRX_CONTEXT RxContext, PFOBX Fobx)
{
	PRX_CONTEXT rxc = RxContext;

	if (Fobx->fOpenCountDecremented)
		return STATUS_SUCCESS;
	if (rxc == NULL)
		rxc = rx_context_create_must_succeed(NULL, ((PFCB)Fobx->pSrvOpen->pFcb)->RxDeviceObject,
						     RX_CONTEXT_FLAG_WAIT);
	rx_close_srv_open_of(rxc, Fobx);
	if (RxContext == NULL)
		RxDereferenceAndDeleteRxContext(rxc);
	return STATUS_SUCCESS;
}

/* May the open at the server outlive this file object? Only what the server has granted (handle caching). */
static bool rx_close_may_be_delayed(PFCB fcb, PFOBX fobx)
{
	PSRV_OPEN so = (PSRV_OPEN)fobx->pSrvOpen;

	if ((fcb->FcbState & FCB_STATE_COLLAPSING_ENABLED) == 0)
		return false;
	if ((fcb->FcbState & (FCB_STATE_ORPHANED | FCB_STATE_DELETE_ON_CLOSE | FCB_STATE_FAKEFCB)) != 0 ||
	    fcb->fShouldBeOrphaned)
		return false;
	if ((so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_ORPHANED | SRVOPEN_FLAG_FILE_RENAMED |
			  SRVOPEN_FLAG_FILE_DELETED | SRVOPEN_FLAG_COLLAPSING_DISABLED)) != 0)
		return false;
	if (so->Condition != Condition_Good ||
	    rx_flag_is_set(&((PV_NET_ROOT)so->pVNetRoot)->ConnectionFinalizationDone))
		return false;
	if ((fobx->Flags & (FOBX_FLAG_DELETE_ON_CLOSE | FOBX_FLAG_BAD_HANDLE)) != 0)
		return false;
	/* directories have a search position at the server, pipes a conversation: theirs ends with the handle */
	return NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_FILE && so->OpenCount == 1 &&
	       so->UncleanFobxCount == 0;
}

/* The file object's own part; the FOBX is dead afterwards or belongs to the scavenger. */
static void rx_close_fobx(PRX_CONTEXT rxc, PFCB fcb, PFOBX fobx)
{
	fobx->AssociatedFileObject = NULL;
	if (rx_close_may_be_delayed(fcb, fobx) && rx_scavenger_delay_close(fobx))
		return;
	rx_close_srv_open_of(rxc, fobx);
	rx_drop_fobx(rxc, fobx);
}

void rx_drop_fobx(PRX_CONTEXT rxc, PFOBX fobx)
{
	/* the caller may use the context further: nothing of it may point at what dies here */
	rxc->pFobx = NULL;
	rxc->pRelevantSrvOpen = NULL;
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
}

void rx_release_and_dereference_fcb(PRX_CONTEXT rxc, PFCB fcb)
{
	rxc->pFcb = NULL;
	rxc->NonPagedFcb = NULL;
	rxc->FcbResourceAcquired = FALSE;
	if (!RxDereferenceAndFinalizeNetFcb(fcb, rxc, FALSE, FALSE))
		RxReleaseFcb(rxc, fcb);
}

NTSTATUS NTAPI rx_common_close(PRX_CONTEXT rxc, PIRP irp)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	PFCB fcb = (PFCB)rxc->pFcb;
	PFOBX fobx = (PFOBX)rxc->pFobx;
	NTSTATUS status;

	(void)irp;
	status = rx_acquire_fcb_exclusive(rxc);
	ASSERT(status == STATUS_SUCCESS); /* a close waits */
	if (status != STATUS_SUCCESS)
		return status;

	file->FsContext = NULL;
	file->FsContext2 = NULL;
	ASSERT(fcb->OpenCount > 0);
	InterlockedDecrement((volatile LONG *)&fcb->OpenCount);
	if (fobx != NULL) /* none for the target directory of a rename */
		rx_close_fobx(rxc, fcb, fobx);
	rx_release_and_dereference_fcb(rxc, fcb);
	return STATUS_SUCCESS;
}
