/*
 * srvopen.c - one record per open at the server.
 *
 * Owns:      SRV_OPEN from RxCreateSrvOpen() to the end of RxFinalizeSrvOpen(): the one inside the FCB while it is
 *            free, else an allocation of its own with room for one FOBX and both extensions.
 * Found by:  FCB.SrvOpenList; by the server's key in the SRV_CALL's buffering manager.
 * Locks:     FCB exclusive. The table of the share is not needed: what guards SrvOpenList is the FCB (E-07).
 * Dies when: its count is 0: the creation reference ends with the open at the server, each FOBX holds one.
 *            Holds its FCB and its V_NET_ROOT until then.
 */
#include "core/object/object.h"

#include "core/cache/cache.h"
#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/work/work.h"

#define RX_TAG_SRV_OPEN 'oSxR'

/* A SRV_OPEN that does not fit into its FCB, with the FOBX it brings along. */
static PSRV_OPEN rx_srv_open_allocate(PFCB fcb)
{
	PMINIRDR_DISPATCH dispatch = fcb->MRxDispatch;
	bool so_managed = (dispatch->MRxFlags & RDBSS_MANAGE_SRV_OPEN_EXTENSION) != 0;
	bool fobx_managed = (dispatch->MRxFlags & RDBSS_MANAGE_FOBX_EXTENSION) != 0;
	ULONG fobx = rx_object_align(sizeof(SRV_OPEN));
	ULONG so_extension = fobx + rx_object_align(sizeof(FOBX));
	ULONG fobx_extension = so_extension + (so_managed ? rx_object_align(dispatch->MRxSrvOpenSize) : 0);
	ULONG bytes = fobx_extension + (fobx_managed ? rx_object_align(dispatch->MRxFobxSize) : 0);
	POOL_TYPE pool = (fcb->FcbState & FCB_STATE_PAGING_FILE) != 0 ? NonPagedPool : PagedPool;
	PUCHAR base = ExAllocatePoolWithTag(pool, bytes, RX_TAG_SRV_OPEN);
	PSRV_OPEN so = (PSRV_OPEN)base;

	if (so == NULL)
		return NULL;
	RtlZeroMemory(so, bytes);
	so->NodeTypeCode = RDBSS_NTC_SRVOPEN;
	so->InternalFobx = (PFOBX)(base + fobx);
	so->Context = so_managed ? base + so_extension : NULL;
	so->InternalFobx->Context = fobx_managed ? base + fobx_extension : NULL;
	return so;
}

/* The SRV_OPEN inside the FCB, fresh. Its extension's place is kept from use to use. */
static PSRV_OPEN rx_srv_open_take_internal(PFCB fcb)
{
	PSRV_OPEN so = fcb->InternalSrvOpen;
	PUCHAR extension = fcb->InternalSrvOpenExtension;

	RtlZeroMemory(so, sizeof(*so));
	so->NodeTypeCode = RDBSS_NTC_INTERNAL_SRVOPEN;
	so->Context = extension;
	if (extension != NULL)
		RtlZeroMemory(extension, rx_object_align(fcb->MRxDispatch->MRxSrvOpenSize));
	so->Flags = SRVOPEN_FLAG_ENCLOSED_ALLOCATED;
	fcb->FcbState |= FCB_STATE_SRVOPEN_USED;
	return so;
}

/**
 * RxCreateSrvOpen - make the record of an open that the server will be asked for
 * @VNetRoot: [in] the view; gains a reference
 * @Fcb:      [in,out] the file; gains a reference
 *
 * Locks:  FCB exclusive.
 * Refs:   one, which stands for the open at the server.
 * Return: the record in Condition_Uninitialized, on the FCB's list; NULL without memory.
 * Page:   fcb/RxCreateSrvOpen, E-04.
 */
PSRV_OPEN RxCreateSrvOpen(PV_NET_ROOT VNetRoot, PFCB Fcb)
{
	PSRV_OPEN so;

	rx_assert_fcb_exclusive(Fcb);
	if ((Fcb->FcbState & FCB_STATE_SRVOPEN_USED) == 0)
		so = rx_srv_open_take_internal(Fcb);
	else
		so = rx_srv_open_allocate(Fcb);
	if (so == NULL)
		return NULL;

	so->NodeByteSize = sizeof(*so);
	so->NodeReferenceCount = 1;
	so->pFcb = &Fcb->Mrx;
	so->pVNetRoot = &VNetRoot->Mrx;
	so->pAlreadyPrefixedName = &Fcb->PrivateAlreadyPrefixedName;
	so->Condition = Condition_Uninitialized;
	so->OpenStatus = STATUS_PENDING;
	so->ulFileSizeVersion = Fcb->ulFileSizeVersion;
	InitializeListHead(&so->ScavengerFinalizationList);
	InitializeListHead(&so->TransitionWaitList);
	InitializeListHead(&so->FobxList);
	InitializeListHead(&so->SrvOpenKeyList);

	RxReferenceVNetRoot(VNetRoot);
	(void)InterlockedIncrement(&VNetRoot->NumberOfSrvOpens);
	(void)RxReferenceNetFcb(Fcb);
	(void)InterlockedIncrement(&Fcb->pNetRoot->NumberOfSrvOpens);
	rx_fcb_lists_lock(Fcb);
	InsertTailList(&Fcb->SrvOpenList, &so->SrvOpenQLinks);
	Fcb->SrvOpenListVersion++;
	rx_fcb_lists_unlock(Fcb);
	return so;
}

/* E-03: never for an orphaned file; otherwise when the open went wrong, or is marked as closed. */
static bool rx_srv_open_needs_force_closed(PSRV_OPEN so)
{
	if (so->pFcb->FcbState & FCB_STATE_ORPHANED)
		return false;
	return so->Condition != Condition_Good || (so->Flags & SRVOPEN_FLAG_CLOSED) != 0;
}

/* Stage one: off the list, unknown to the server's keys. */
static void rx_srv_open_detach(PSRV_OPEN so) RX_REQUIRES(rx_class_fcb)
{
	PFCB fcb = (PFCB)so->pFcb;

	so->UpperFinalizationDone = TRUE;
	/* no transfer of ours relies on it */
	for (PLIST_ENTRY link = so->FobxList.Flink; link != &so->FobxList; link = link->Flink)
		rx_ahead_end(CONTAINING_RECORD(link, FOBX, FobxQLinks));
	rx_cache_drain(fcb);
	if (rx_srv_open_needs_force_closed(so))
		(void)rx_call_force_closed(&so->Mrx); /* STATUS_NOT_IMPLEMENTED is a legal answer */
	RxPurgeChangeBufferingStateRequestsForSrvOpen(so);
	rx_fcb_lists_lock(fcb);
	RemoveEntryList(&so->SrvOpenQLinks);
	InitializeListHead(&so->SrvOpenQLinks);
	fcb->SrvOpenListVersion++;
	rx_fcb_lists_unlock(fcb);
	(void)InterlockedDecrement(&fcb->pNetRoot->NumberOfSrvOpens);
}

/* Stage two: the memory, and what it referred to. */
static void rx_srv_open_destroy(PSRV_OPEN so) RX_REQUIRES(rx_class_fcb)
{
	PFCB fcb = (PFCB)so->pFcb;
	PV_NET_ROOT vnr = (PV_NET_ROOT)so->pVNetRoot;

	RX_CHECK(IsListEmpty(&so->FobxList) && (so->Flags & SRVOPEN_FLAG_FOBX_USED) == 0);
	rx_scavenger_unmark(so);
	rx_ref_forget(so);
	so->NodeTypeCode = NTC_UNDEFINED; /* also where the place stays */
	if (so == fcb->InternalSrvOpen)
		fcb->FcbState &= ~(ULONG)FCB_STATE_SRVOPEN_USED;
	else
		ExFreePoolWithTag(so, RX_TAG_SRV_OPEN);
	(void)InterlockedDecrement(&vnr->NumberOfSrvOpens);
	RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);
	(void)RxDereferenceNetFcb(fcb); /* never the last: the caller, who holds the FCB, refers to it */
}

/**
 * RxFinalizeSrvOpen - tear down the record of an open
 * @ThisSrvOpen:       [in] when TRUE is returned the pointer is dead
 * @RecursiveFinalize: [in] TRUE: its FOBXs go first
 * @ForceFinalize:     [in] TRUE: whatever the reference count is; the memory stays until it is 0
 *
 * Context: <= APC_LEVEL; may block on MRxForceClosed.
 * Locks:   FCB exclusive; the caller refers to the FCB.
 * Return:  TRUE when finalized.
 * Page:    fcb/RxFinalizeSrvOpen, E-02, E-03, E-07.
 */
BOOLEAN RxFinalizeSrvOpen(PSRV_OPEN ThisSrvOpen, BOOLEAN RecursiveFinalize, BOOLEAN ForceFinalize)
{
	PSRV_OPEN so = ThisSrvOpen;

	if (!rx_finalize_has_fcb((PFCB)so->pFcb, "RxFinalizeSrvOpen", so))
		return FALSE;
	rx_assert_fcb_exclusive((PFCB)so->pFcb);
	if (RecursiveFinalize) {
		PLIST_ENTRY link, next;

		/* not to be freed by the last of its FOBXs in the middle of the walk */
		(void)InterlockedIncrement(&so->NodeReferenceCount);
		for (link = so->FobxList.Flink; link != &so->FobxList; link = next) {
			next = link->Flink;
			(void)RxFinalizeNetFobx(CONTAINING_RECORD(link, FOBX, FobxQLinks), TRUE,
						ForceFinalize);
		}
		(void)InterlockedDecrement(&so->NodeReferenceCount);
	}
	if (!ForceFinalize && rx_object_count(&so->NodeReferenceCount) != 0)
		return FALSE;
	if (!so->UpperFinalizationDone)
		rx_srv_open_detach(so);
	if (rx_object_count(&so->NodeReferenceCount) == 0)
		rx_srv_open_destroy(so);
	return TRUE;
}
