/*
 * fobx.c - one record per file object.
 *
 * Owns:      FOBX from RxCreateNetFobx() to the end of RxFinalizeNetFobx(): the one inside the FCB, or the one
 *            inside the SRV_OPEN, while free, else an allocation of its own.
 * Found by:  FileObject->FsContext2 (E-33); SRV_OPEN.FobxList; the scavenger, while dormant.
 * Locks:     FCB exclusive.
 * Dies when: its count is 0. Holds its SRV_OPEN until then.
 */
#include "core/object/object.h"

#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/work/work.h"

#define RX_TAG_FOBX 'bFxR'

static PFOBX rx_fobx_allocate(PFCB fcb)
{
	PMINIRDR_DISPATCH dispatch = fcb->MRxDispatch;
	bool managed = (dispatch->MRxFlags & RDBSS_MANAGE_FOBX_EXTENSION) != 0;
	ULONG extension = rx_object_align(sizeof(FOBX));
	ULONG bytes = extension + (managed ? rx_object_align(dispatch->MRxFobxSize) : 0);
	POOL_TYPE pool = (fcb->FcbState & FCB_STATE_PAGING_FILE) != 0 ? NonPagedPool : PagedPool;
	PFOBX fobx = ExAllocatePoolWithTag(pool, bytes, RX_TAG_FOBX);

	if (fobx == NULL)
		return NULL;
	RtlZeroMemory(fobx, bytes);
	fobx->Context = managed ? (PUCHAR)fobx + extension : NULL;
	return fobx;
}

/* Embedded storage, fresh. `extension` is where its extension is, kept from use to use. */
static PFOBX rx_fobx_take_internal(PFCB fcb, PFOBX fobx, PVOID extension)
{
	RtlZeroMemory(fobx, sizeof(*fobx));
	fobx->Context = extension;
	if (extension != NULL)
		RtlZeroMemory(extension, rx_object_align(fcb->MRxDispatch->MRxFobxSize));
	fobx->Flags = FOBX_FLAG_ENCLOSED_ALLOCATED;
	return fobx;
}

/* The FCB's, the SRV_OPEN's, or a new one; in this order. */
static PFOBX rx_fobx_obtain(PFCB fcb, PSRV_OPEN so)
{
	if ((fcb->FcbState & FCB_STATE_FOBX_USED) == 0) {
		fcb->FcbState |= FCB_STATE_FOBX_USED;
		return rx_fobx_take_internal(fcb, fcb->InternalFobx, fcb->InternalFobxExtension);
	}
	if (so->InternalFobx != NULL && (so->Flags & SRVOPEN_FLAG_FOBX_USED) == 0) {
		bool managed = (fcb->MRxDispatch->MRxFlags & RDBSS_MANAGE_FOBX_EXTENSION) != 0;
		ULONG so_extension = (fcb->MRxDispatch->MRxFlags & RDBSS_MANAGE_SRV_OPEN_EXTENSION) != 0
					     ? rx_object_align(fcb->MRxDispatch->MRxSrvOpenSize)
					     : 0;
		PUCHAR extension = (PUCHAR)so->InternalFobx + rx_object_align(sizeof(FOBX)) + so_extension;

		so->Flags |= SRVOPEN_FLAG_FOBX_USED;
		return rx_fobx_take_internal(fcb, so->InternalFobx, managed ? extension : NULL);
	}
	return rx_fobx_allocate(fcb);
}

/**
 * RxCreateNetFobx - make the record of a file object; the mini-redirector calls it at the end of MRxCreate
 * @RxContext:  [in,out] the create; its pFobx becomes the new record
 * @MrxSrvOpen: [in] the open at the server; gains a reference
 *
 * Locks:  FCB exclusive.
 * Refs:   one, the file object's.
 * Return: the record; NULL without memory.
 * Page:   fcb/RxCreateNetFobx.
 */
PMRX_FOBX RxCreateNetFobx(PRX_CONTEXT RxContext, PMRX_SRV_OPEN MrxSrvOpen)
{
	PSRV_OPEN so = (PSRV_OPEN)MrxSrvOpen;
	PFCB fcb = (PFCB)so->pFcb;
	PFOBX fobx;

	rx_assert_fcb_exclusive(fcb);
	fobx = rx_fobx_obtain(fcb, so);
	if (fobx == NULL)
		return NULL;
	fobx->NodeTypeCode = RDBSS_NTC_FOBX;
	fobx->NodeByteSize = sizeof(*fobx);
	fobx->NodeReferenceCount = 1;
	fobx->pSrvOpen = &so->Mrx;
	fobx->FobxSerialNumber = 0;
	fobx->fOpenCountDecremented = FALSE;
	fobx->RxDeviceObject = fcb->RxDeviceObject;
	InitializeListHead(&fobx->ScavengerFinalizationList);
	InitializeListHead(&fobx->ClosePendingList);
	if (fcb->pNetRoot->Type == NET_ROOT_PIPE) {
		fobx->PipeHandleInformation = &fobx->Specific.NamedPipe.PipeInfo;
		InitializeListHead(&fobx->Specific.NamedPipe.ReadSerializationQueue);
		InitializeListHead(&fobx->Specific.NamedPipe.WriteSerializationQueue);
	}
	if (RxContext != NULL && RxContext->MajorFunction == IRP_MJ_CREATE) {
		if (RxContext->Create.Flags & RX_CONTEXT_CREATE_FLAG_UNC_NAME)
			fobx->Flags |= FOBX_FLAG_UNC_NAME;
		if (RxContext->Create.NtCreateParameters.CreateOptions & FILE_OPEN_FOR_BACKUP_INTENT)
			fobx->Flags |= FOBX_FLAG_BACKUP_INTENT;
		RxContext->pFobx = &fobx->Mrx;
	}

	RxReferenceSrvOpen(so);
	(void)InterlockedIncrement(&so->pVNetRoot->NumberOfFobxs);
	rx_fcb_lists_lock(fcb);
	InsertTailList(&so->FobxList, &fobx->FobxQLinks);
	rx_fcb_lists_unlock(fcb);
	return &fobx->Mrx;
}

/* Stage one: the driver's part, and the list. */
static void rx_fobx_detach(PFOBX fobx) RX_REQUIRES(rx_class_fcb)
{
	PFCB fcb = (PFCB)fobx->pSrvOpen->pFcb;

	fobx->UpperFinalizationDone = TRUE;
	rx_scavenger_unmark(fobx);
	(void)rx_call_deallocate_for_fobx(&fobx->Mrx); /* ignored: the page */
	rx_fcb_lists_lock(fcb);
	RemoveEntryList(&fobx->FobxQLinks);
	InitializeListHead(&fobx->FobxQLinks);
	rx_fcb_lists_unlock(fcb);
	(void)InterlockedDecrement(&fobx->pSrvOpen->pVNetRoot->NumberOfFobxs);
}

/* Stage two: the memory. The SRV_OPEN may go with it. */
static void rx_fobx_destroy(PFOBX fobx) RX_REQUIRES(rx_class_fcb)
{
	PSRV_OPEN so = (PSRV_OPEN)fobx->pSrvOpen;
	PFCB fcb = (PFCB)so->pFcb;

	rx_scavenger_unmark(fobx);
	if ((fobx->Flags & FOBX_FLAG_FREE_UNICODE) != 0 && fobx->UnicodeQueryTemplate.Buffer != NULL)
		ExFreePool(fobx->UnicodeQueryTemplate.Buffer);
	rx_ref_forget(fobx);
	fobx->NodeTypeCode = NTC_UNDEFINED; /* also where the place stays */
	if (fobx == fcb->InternalFobx)
		fcb->FcbState &= ~(ULONG)FCB_STATE_FOBX_USED;
	else if (fobx == so->InternalFobx)
		so->Flags &= ~(ULONG)SRVOPEN_FLAG_FOBX_USED;
	else
		ExFreePoolWithTag(fobx, RX_TAG_FOBX);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
}

/**
 * RxFinalizeNetFobx - tear down the record of a file object
 * @ThisFobx:          [in] when TRUE is returned the pointer is dead
 * @RecursiveFinalize: [in] without effect
 * @ForceFinalize:     [in] TRUE: whatever the reference count is; the memory stays until it is 0
 *
 * Context: <= APC_LEVEL; may block on the mini-redirector.
 * Locks:   FCB exclusive; the caller refers to the FCB.
 * Return:  TRUE when finalized.
 * Page:    fcb/RxFinalizeNetFobx, E-02.
 */
BOOLEAN RxFinalizeNetFobx(PFOBX ThisFobx, BOOLEAN RecursiveFinalize, BOOLEAN ForceFinalize)
{
	PFOBX fobx = ThisFobx;

	(void)RecursiveFinalize;
	if (!rx_finalize_has_fcb((PFCB)fobx->pSrvOpen->pFcb, "RxFinalizeNetFobx", fobx))
		return FALSE;
	rx_assert_fcb_exclusive((PFCB)fobx->pSrvOpen->pFcb);
	if (!ForceFinalize && rx_object_count(&fobx->NodeReferenceCount) != 0)
		return FALSE;
	if (!fobx->UpperFinalizationDone)
		rx_fobx_detach(fobx);
	if (rx_object_count(&fobx->NodeReferenceCount) == 0)
		rx_fobx_destroy(fobx);
	return TRUE;
}
