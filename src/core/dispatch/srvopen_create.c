/*
 * srvopen_create.c - an open at the server: share one that is there, or ask for a new one.
 *
 * Owns:   the SRV_OPEN from RxCreateSrvOpen() until the open has succeeded; its creation reference belongs to
 *         the open at the server from then on and is dropped by the close that ends it (close.c).
 * Locks:  FCB exclusive throughout.
 *
 * An open may share (collapse onto) a SRV_OPEN when nobody could tell the difference: same view, same access,
 * sharing and options, nothing created or overwritten, no delete on close, no backup intent. A SRV_OPEN that
 * is only kept for a delayed close may be shared only while the server's grant (handle caching) stands:
 * without it another client may have renamed or replaced the file, and the name means something else.
 */
#include "core/dispatch/create.h"

#include "core/context/context.h"
#include "core/minirdr/calldown.h"
#include "core/work/work.h"

/* Options that change what a handle does at the server. */
#define RX_COLLAPSE_OPTIONS \
	(FILE_DIRECTORY_FILE | FILE_WRITE_THROUGH | FILE_NO_INTERMEDIATE_BUFFERING | \
	 FILE_OPEN_REPARSE_POINT | FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT | \
	 FILE_RANDOM_ACCESS | FILE_SEQUENTIAL_ONLY)

static bool rx_collapse_wanted(PRX_CONTEXT rxc)
{
	const NT_CREATE_PARAMETERS *p = &rxc->Create.NtCreateParameters;
	const RX_QUERY_ON_CREATE_ECP *ecp = rx_open_query(rxc->CurrentIrp);
	PFCB fcb = (PFCB)rxc->pFcb;

	if (ecp != NULL && (ecp->Requested & RX_QOC_FRESH) != 0)
		return false;
	if (p->Disposition != FILE_OPEN && p->Disposition != FILE_OPEN_IF)
		return false;
	if ((p->CreateOptions & (FILE_OPEN_FOR_BACKUP_INTENT | FILE_DELETE_ON_CLOSE)) != 0)
		return false;
	if (rxc->Create.EaLength != 0 || NodeType(fcb) != RDBSS_NTC_STORAGE_TYPE_FILE)
		return false;
	return (fcb->FcbState & (FCB_STATE_DELETE_ON_CLOSE | FCB_STATE_ORPHANED | FCB_STATE_FAKEFCB)) == 0;
}

/*
 * Opens of a read-only file take no byte-range locks then, so one that asks for less than another has can share it.
 */
static bool rx_collapse_access_fits(PRX_CONTEXT rxc, PSRV_OPEN so)
{
	const NT_CREATE_PARAMETERS *p = &rxc->Create.NtCreateParameters;

	if (so->DesiredAccess == p->DesiredAccess)
		return true;
	return DisableByteRangeLockingOnReadOnlyFiles &&
	       (rxc->pFcb->Attributes & FILE_ATTRIBUTE_READONLY) != 0 &&
	       (p->DesiredAccess & ~so->DesiredAccess) == 0;
}

static bool rx_collapse_candidate(PRX_CONTEXT rxc, PSRV_OPEN so)
{
	const NT_CREATE_PARAMETERS *p = &rxc->Create.NtCreateParameters;

	if (so->Condition != Condition_Good || so->pVNetRoot != rxc->Create.pVNetRoot)
		return false;
	if ((so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_COLLAPSING_DISABLED | SRVOPEN_FLAG_FILE_RENAMED |
			  SRVOPEN_FLAG_FILE_DELETED | SRVOPEN_FLAG_ORPHANED)) != 0)
		return false;
	if (!rx_collapse_access_fits(rxc, so) || so->ShareAccess != p->ShareAccess)
		return false;
	if ((so->CreateOptions & RX_COLLAPSE_OPTIONS) != (p->CreateOptions & RX_COLLAPSE_OPTIONS))
		return false;
	return so->UncleanFobxCount > 0 || (rxc->pFcb->FcbState & FCB_STATE_COLLAPSING_ENABLED) != 0;
}

/*
 * Drops the creation reference of what a failing MRxCreate or MRxCollapseOpen made on an open: `fobx`, NULL: all its
 * FOBXs. What the driver dropped itself is not in the list any more, and its pointer is not followed.
 * Locks: FCB exclusive. The caller refers to the open.
 */
static void rx_open_drop_made(PSRV_OPEN so, PMRX_FOBX fobx)
{
	PLIST_ENTRY link, next;

	for (link = so->FobxList.Flink; link != &so->FobxList; link = next) {
		PFOBX made = CONTAINING_RECORD(link, FOBX, FobxQLinks);

		next = link->Flink;
		if (fobx == NULL || fobx == &made->Mrx)
			RxDereferenceNetFobx(made, LHS_ExclusiveLockHeld);
	}
}

static NTSTATUS rx_collapse_onto(PRX_CONTEXT rxc, PSRV_OPEN so)
{
	NTSTATUS status;

	rxc->pRelevantSrvOpen = (PMRX_SRV_OPEN)so;
	status = rx_call_should_try_to_collapse(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_call_collapse_open(rxc);
	if (status == STATUS_SUCCESS && rxc->pFobx == NULL) {
		rxc->pFobx = RxCreateNetFobx(rxc, rxc->pRelevantSrvOpen);
		if (rxc->pFobx == NULL)
			status = STATUS_INSUFFICIENT_RESOURCES;
	}
	if (status != STATUS_SUCCESS) {
		if (rxc->pFobx != NULL)
			rx_open_drop_made(so, rxc->pFobx);
		rxc->pRelevantSrvOpen = NULL;
		rxc->pFobx = NULL;
		return status;
	}
	if (rxc->Create.ReturnedCreateInformation == 0)
		rxc->Create.ReturnedCreateInformation = FILE_OPENED;
	return STATUS_SUCCESS;
}

NTSTATUS rx_open_collapse(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PLIST_ENTRY entry;

	rxc->Create.pSrvCall = rxc->Create.pNetRoot->pSrvCall;
	if (!rx_collapse_wanted(rxc))
		return STATUS_MORE_PROCESSING_REQUIRED;
	for (entry = fcb->SrvOpenList.Flink; entry != &fcb->SrvOpenList; entry = entry->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(entry, SRV_OPEN, SrvOpenQLinks);

		if (rx_collapse_candidate(rxc, so) && rx_collapse_onto(rxc, so) == STATUS_SUCCESS)
			return STATUS_SUCCESS;
	}
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* What the server says now about sizes and times is better than what nobody promised to keep true. */
static void rx_open_expect_fresh_metadata(PFCB fcb)
{
	if ((fcb->FcbState & (FCB_STATE_FILESIZECACHEING_ENABLED | FCB_STATE_WRITECACHING_ENABLED)) == 0)
		fcb->FcbState &= ~(ULONG)FCB_STATE_TIME_AND_SIZE_ALREADY_SET;
}

static PSRV_OPEN rx_open_new_srv_open(PRX_CONTEXT rxc)
{
	const NT_CREATE_PARAMETERS *p = &rxc->Create.NtCreateParameters;
	PSRV_OPEN so = RxCreateSrvOpen((PV_NET_ROOT)rxc->Create.pVNetRoot, (PFCB)rxc->pFcb);

	if (so == NULL)
		return NULL;
	so->DesiredAccess = p->DesiredAccess;
	so->ShareAccess = p->ShareAccess;
	so->CreateOptions = p->CreateOptions;
	so->Condition = Condition_InTransition;
	rxc->pRelevantSrvOpen = (PMRX_SRV_OPEN)so;
	rxc->pFobx = NULL;
	return so;
}

/* The open did not come to be; a FOBX that the driver made for it goes with it. */
static void rx_open_discard(PRX_CONTEXT rxc, PSRV_OPEN so, NTSTATUS status)
{
	so->Condition = Condition_Bad;
	so->OpenStatus = status;
	so->Flags |= SRVOPEN_FLAG_CLOSED;
	rxc->pRelevantSrvOpen = NULL;
	rxc->pFobx = NULL;
	rx_open_drop_made(so, NULL);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
}

/* Closes an open that the server holds but that has no FOBX. */
static void rx_open_close_bare(PRX_CONTEXT rxc, PSRV_OPEN so)
{
	UCHAR major = rxc->MajorFunction;

	rxc->MajorFunction = IRP_MJ_CLOSE;
	rxc->pRelevantSrvOpen = (PMRX_SRV_OPEN)so;
	(void)rx_call_close_srv_open(rxc); /* a close cannot fail */
	rxc->MajorFunction = major;
}

static void rx_open_apply_buffering(PSRV_OPEN so)
{
	PFCB fcb = (PFCB)so->pFcb;

	/* of a folder, what is kept is its names */
	if ((NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_FILE ||
	     NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY) &&
	    fcb->pNetRoot->Type == NET_ROOT_DISK)
		(void)RxChangeBufferingState(so, NULL, FALSE); /* always STATUS_SUCCESS */
}

/*
 * A file goes with its last handle, and a server takes handle caching back before a name changes: ours that only sleep
 * must not be in the way of an open that is made to delete or to rename.
 */
static void rx_open_end_sleepers(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PRX_CONTEXT own;

	if ((rxc->Create.NtCreateParameters.CreateOptions & FILE_DELETE_ON_CLOSE) == 0 &&
	    (rxc->Create.NtCreateParameters.DesiredAccess & DELETE) == 0)
		return;
	own = RxCreateRxContext(NULL, fcb->RxDeviceObject, RX_CONTEXT_FLAG_WAIT);
	if (own == NULL)
		return; /* the file goes when their time is over */
	rx_scavenger_end_dormant(own, fcb);
	RxDereferenceAndDeleteRxContext(own);
}

NTSTATUS rx_open_at_server(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	NTSTATUS status;
	PSRV_OPEN so;

	rx_open_end_sleepers(rxc);
	so = rx_open_new_srv_open(rxc);
	if (so == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	rx_open_expect_fresh_metadata(fcb);

	RxInitiateSrvOpenKeyAssociation(so);
	status = rx_call_create(rxc);
	RxCompleteSrvOpenKeyAssociation(so);
	ASSERT(status != STATUS_PENDING);
	/* the file object has another name by now: an open of the old one would go by it */
	ASSERT(status == STATUS_REPARSE || (rxc->Create.Flags & RX_CONTEXT_CREATE_FLAG_REPARSE) == 0);
	if (status == STATUS_SUCCESS && (rxc->Create.Flags & RX_CONTEXT_CREATE_FLAG_REPARSE) != 0) {
		rx_open_close_bare(rxc, so);
		status = STATUS_INVALID_NETWORK_RESPONSE;
	}

	if (status == STATUS_SUCCESS && rxc->pFobx == NULL) {
		rxc->pFobx = RxCreateNetFobx(rxc, (PMRX_SRV_OPEN)so);
		if (rxc->pFobx == NULL) {
			rx_open_close_bare(rxc, so);
			status = STATUS_INSUFFICIENT_RESOURCES;
		}
	}
	if (status != STATUS_SUCCESS) {
		rx_open_discard(rxc, so, status);
		return status;
	}
	so->Condition = Condition_Good;
	so->OpenStatus = STATUS_SUCCESS;
	rx_open_apply_buffering(so);
	return STATUS_SUCCESS;
}

void rx_open_undo(PRX_CONTEXT rxc)
{
	PFOBX fobx = (PFOBX)rxc->pFobx;
	UCHAR major = rxc->MajorFunction;

	if (rx_check_server_open(rxc) == STATUS_SUCCESS) {
		rxc->MajorFunction = IRP_MJ_CLEANUP;
		(void)rx_call_cleanup_fobx(rxc); /* a cleanup cannot fail */
	}
	fobx->pSrvOpen->OpenCount++; /* the share that the close gives back */
	rx_close_srv_open_of(rxc, fobx);
	rxc->MajorFunction = major;
	rx_drop_fobx(rxc, fobx);
}
