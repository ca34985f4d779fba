/*
 * calldown.c - how a slot of a mini-redirector's dispatch table is called, and what is asked of it for files. With
 * calldown_object.c the only caller of that table.
 *
 * Owns:   nothing.
 * Locks:  takes none; checks the ones its contracts name, before and after each call.
 * Dies:   -
 *
 * A row above each wrapper says: [required or optional; what an empty slot answers], locks held by the
 * caller, whether the slot may block, may return STATUS_PENDING, and what happens to its status. Slots that
 * RDBSS never calls (print, MRxCancel, MRxClosedSrvOpenTimeOut, MRxClosedFcbTimeOut, MRxCancelCreateSrvCall,
 * MRxUpdateNetRootState, LOWIO_OP_CLEAROUT) have no wrapper.
 */
#include "core/minirdr/calldown_int.h"

#include "core/context/context.h"
#include "nt_misuse.h"

void rx_calldown_trace(const char *slot, PVOID about, NTSTATUS status)
{
	(void)slot;
	(void)about;
	(void)status;
	RxLog(("calldown %s %p -> %lx", slot, about, (ULONG)status));
}

static void rx_calldown_assert_fcb_exclusive(PRX_CONTEXT rxc)
{
	(void)rxc;
	ASSERT(rxc->pFcb == NULL || RxIsFcbAcquiredExclusive(rxc->pFcb));
}

NTSTATUS rx_calldown_final(const char *slot, PVOID about, NTSTATUS status)
{
	rx_calldown_trace(slot, about, status);
	if (status != STATUS_PENDING)
		return status;
	nt_misuse(NT_RULE_NO_PENDING, slot, "called for %p: it answered STATUS_PENDING and must not", about);
	return STATUS_INTERNAL_ERROR;
}

/*
 * The shape most slots share: (PRX_CONTEXT) -> status. `routine` may be empty. While it runs the request is not the
 * driver's to complete: RxCompleteRequest() looks at SlotThread.
 * PendingReturned is TRUE whenever a callback is entered (RX_CONTEXT page).
 */
static NTSTATUS rx_calldown_any(PRX_CONTEXT rxc, PMRX_CALLDOWN routine, NTSTATUS if_empty)
{
	PETHREAD outer = rxc->SlotThread;
	NTSTATUS status;

	PAGED_CODE();
	if (routine == NULL)
		return if_empty;
	rxc->PendingReturned = TRUE;
	rx_cancel_show(rxc);
	rxc->SlotThread = PsGetCurrentThread();
	status = routine(rxc);
	rxc->SlotThread = outer;
	return status;
}

static NTSTATUS rx_calldown_context(PRX_CONTEXT rxc, PMRX_CALLDOWN routine, const char *slot,
				    NTSTATUS if_empty)
{
	return rx_calldown_final(slot, rxc, rx_calldown_any(rxc, routine, if_empty));
}

NTSTATUS rx_calldown_postable(PRX_CONTEXT rxc, PMRX_CALLDOWN routine, const char *slot, NTSTATUS if_empty)
{
	NTSTATUS status = rx_calldown_any(rxc, routine, if_empty);

	if (status == STATUS_PENDING && rxc->PostRequest) {
		rx_calldown_trace(slot, rxc, status);
		return status;
	}
	return rx_calldown_final(slot, rxc, status);
}

/* ---- opens, and their end ------------------------------------------------------------------------------ */

/*
 * MRxForceClosed  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB exclusive   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_force_closed(PMRX_SRV_OPEN so)
{
	PMINIRDR_DISPATCH dispatch = ((PFCB)so->pFcb)->MRxDispatch;
	NTSTATUS status = STATUS_NOT_IMPLEMENTED;

	PAGED_CODE();
	if (dispatch != NULL && dispatch->MRxForceClosed != NULL)
		status = dispatch->MRxForceClosed(so);
	return rx_calldown_final("MRxForceClosed", so, status);
}

/*
 * MRxDeallocateForFcb  [optional; default: success]
 *   locks FCB table exclusive   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_deallocate_for_fcb(PMRX_FCB fcb)
{
	PMINIRDR_DISPATCH dispatch = ((PFCB)fcb)->MRxDispatch;
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	if (dispatch != NULL && dispatch->MRxDeallocateForFcb != NULL)
		status = dispatch->MRxDeallocateForFcb(fcb);
	return rx_calldown_final("MRxDeallocateForFcb", fcb, status);
}

/*
 * MRxDeallocateForFobx  [optional; default: success]
 *   locks FCB exclusive   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_deallocate_for_fobx(PMRX_FOBX fobx)
{
	PMINIRDR_DISPATCH dispatch = ((PFCB)fobx->pSrvOpen->pFcb)->MRxDispatch;
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	if (dispatch != NULL && dispatch->MRxDeallocateForFobx != NULL)
		status = dispatch->MRxDeallocateForFobx(fobx);
	return rx_calldown_final("MRxDeallocateForFobx", fobx, status);
}

/*
 * MRxCreate  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB exclusive   blocks yes   pending no
 *   status STATUS_REPARSE and STATUS_RETRY are acted upon; on success pFobx holds the new FOBX
 */
NTSTATUS rx_call_create(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxCreate, "MRxCreate", STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxShouldTryToCollapseThisOpen  [optional; default: STATUS_MORE_PROCESSING_REQUIRED unless the FCB's
 *                                  buffering state allows collapsing]
 *   locks FCB exclusive   blocks no   pending no   status only STATUS_SUCCESS permits
 */
NTSTATUS rx_call_should_try_to_collapse(PRX_CONTEXT rxc)
{
	NTSTATUS if_empty = STATUS_MORE_PROCESSING_REQUIRED;

	rx_calldown_assert_fcb_exclusive(rxc);
	if (rxc->pFcb != NULL && (rxc->pFcb->FcbState & FCB_STATE_COLLAPSING_ENABLED) != 0)
		if_empty = STATUS_SUCCESS;
	return rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxShouldTryToCollapseThisOpen,
				   "MRxShouldTryToCollapseThisOpen", if_empty);
}

/*
 * MRxCollapseOpen  [optional; default: STATUS_MORE_PROCESSING_REQUIRED]
 *   locks FCB exclusive   blocks yes   pending no   status only STATUS_SUCCESS ends the search
 */
NTSTATUS rx_call_collapse_open(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxCollapseOpen, "MRxCollapseOpen",
				   STATUS_MORE_PROCESSING_REQUIRED);
}

/*
 * MRxCleanupFobx  [optional; default: success]
 *   locks FCB exclusive   blocks yes   pending no   status traced; STATUS_RETRY is not allowed
 */
NTSTATUS rx_call_cleanup_fobx(PRX_CONTEXT rxc)
{
	NTSTATUS status;

	rx_calldown_assert_fcb_exclusive(rxc);
	status = rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxCleanupFobx, "MRxCleanupFobx",
				     STATUS_SUCCESS);
	ASSERT(status != STATUS_RETRY);
	return status;
}

/*
 * MRxTruncate  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB exclusive   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_truncate(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxTruncate, "MRxTruncate",
				   STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxZeroExtend  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB exclusive   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_zero_extend(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxZeroExtend, "MRxZeroExtend",
				   STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxSetFileInfoAtCleanup  [optional; default: success]
 *   locks FCB exclusive   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_set_file_info_at_cleanup(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxSetFileInfoAtCleanup,
				   "MRxSetFileInfoAtCleanup", STATUS_SUCCESS);
}

/*
 * MRxCloseSrvOpen  [optional; default: success]
 *   locks FCB exclusive   blocks yes   pending no   status traced; STATUS_RETRY is not allowed
 */
NTSTATUS rx_call_close_srv_open(PRX_CONTEXT rxc)
{
	NTSTATUS status;

	rx_calldown_assert_fcb_exclusive(rxc);
	ASSERT(rxc->MajorFunction == IRP_MJ_CLOSE);
	status = rx_calldown_context(rxc, rx_dispatch_of(rxc)->MRxCloseSrvOpen, "MRxCloseSrvOpen",
				     STATUS_SUCCESS);
	ASSERT(status != STATUS_RETRY);
	return status;
}

/*
 * MRxAreFilesAliased  [optional; default: different files]
 *   locks scavenger mutex possible: the callee may not block   pending no
 *   status STATUS_SUCCESS means different, STATUS_MORE_PROCESSING_REQUIRED one file
 */
BOOLEAN rx_call_files_are_aliased(PFCB a, PFCB b)
{
	if (a == b)
		return TRUE;
	if (a->MRxDispatch == NULL || a->MRxDispatch->MRxAreFilesAliased == NULL)
		return FALSE;
	return a->MRxDispatch->MRxAreFilesAliased(a, b) != STATUS_SUCCESS;
}

/* ---- what requests ask of a file ----------------------------------------------------------------------- */

/*
 * MRxFlush  [optional; default: success, nothing is cached]
 *   locks FCB shared or exclusive   blocks yes   pending no; PostRequest TRUE: run again by a worker
 *   status given to the requester
 */
NTSTATUS rx_call_flush(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxFlush, "MRxFlush", STATUS_SUCCESS);
}

/*
 * MRxQueryDirectory  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB exclusive   blocks yes   pending no; PostRequest TRUE: run again by a worker
 */
NTSTATUS rx_call_query_directory(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxQueryDirectory, "MRxQueryDirectory",
				    STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxQueryFileInfo  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB shared or exclusive   blocks yes   pending no; PostRequest TRUE: run again by a worker
 *   status STATUS_BUFFER_OVERFLOW is success with partial data
 */
NTSTATUS rx_call_query_file_info(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxQueryFileInfo, "MRxQueryFileInfo",
				    STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxSetFileInfo  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB exclusive, for rename the FCB table exclusive as well   blocks yes
 *   pending no; PostRequest TRUE: run again by a worker
 */
NTSTATUS rx_call_set_file_info(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxSetFileInfo, "MRxSetFileInfo",
				    STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxQueryVolumeInfo  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB shared   blocks yes   pending no; PostRequest TRUE: run again by a worker
 */
NTSTATUS rx_call_query_volume_info(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxQueryVolumeInfo, "MRxQueryVolumeInfo",
				    STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxSetVolumeInfo  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB shared   blocks yes   pending no; PostRequest TRUE: run again by a worker
 */
NTSTATUS rx_call_set_volume_info(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxSetVolumeInfo, "MRxSetVolumeInfo",
				    STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxQueryEaInfo, MRxSetEaInfo, MRxQuerySdInfo, MRxSetSdInfo, MRxQueryQuotaInfo, MRxSetQuotaInfo
 *   [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB shared for queries, exclusive for changes   blocks yes
 *   pending no; PostRequest TRUE: run again by a worker
 */
NTSTATUS rx_call_query_ea(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxQueryEaInfo, "MRxQueryEaInfo",
				    STATUS_NOT_IMPLEMENTED);
}

NTSTATUS rx_call_set_ea(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxSetEaInfo, "MRxSetEaInfo",
				    STATUS_NOT_IMPLEMENTED);
}

NTSTATUS rx_call_query_security(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxQuerySdInfo, "MRxQuerySdInfo",
				    STATUS_NOT_IMPLEMENTED);
}

NTSTATUS rx_call_set_security(PRX_CONTEXT rxc)
{
	rx_calldown_assert_fcb_exclusive(rxc);
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxSetSdInfo, "MRxSetSdInfo",
				    STATUS_NOT_IMPLEMENTED);
}

NTSTATUS rx_call_query_quota(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxQueryQuotaInfo, "MRxQueryQuotaInfo",
				    STATUS_NOT_IMPLEMENTED);
}

NTSTATUS rx_call_set_quota(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxSetQuotaInfo, "MRxSetQuotaInfo",
				    STATUS_NOT_IMPLEMENTED);
}

/*
 * MRxExtendForCache, MRxExtendForNonCache  [optional; default: success, the file grows when it is written]
 *   locks FCB exclusive   blocks yes   pending no   status declared ULONG, read as a status (E-24)
 */
static NTSTATUS rx_calldown_extend(PRX_CONTEXT rxc, PMRX_EXTENDFILE_CALLDOWN routine, const char *slot,
				   PLARGE_INTEGER new_size, PLARGE_INTEGER new_allocation)
{
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	if (routine != NULL) {
		rxc->PendingReturned = TRUE;
		status = (NTSTATUS)routine(rxc, new_size, new_allocation);
	} else {
		new_allocation->QuadPart = new_size->QuadPart;
	}
	return rx_calldown_final(slot, rxc, status);
}

NTSTATUS rx_call_extend_for_cache(PRX_CONTEXT rxc, PLARGE_INTEGER new_size, PLARGE_INTEGER new_allocation)
{
	return rx_calldown_extend(rxc, rx_dispatch_of(rxc)->MRxExtendForCache, "MRxExtendForCache", new_size,
				  new_allocation);
}

BOOLEAN rx_call_has_extend_for_cache(PRX_CONTEXT rxc)
{
	return rx_dispatch_of(rxc)->MRxExtendForCache != NULL;
}

BOOLEAN rx_call_has_extend_for_non_cache(PRX_CONTEXT rxc)
{
	return rx_dispatch_of(rxc)->MRxExtendForNonCache != NULL;
}

NTSTATUS rx_call_extend_for_non_cache(PRX_CONTEXT rxc, PLARGE_INTEGER new_size, PLARGE_INTEGER new_allocation)
{
	return rx_calldown_extend(rxc, rx_dispatch_of(rxc)->MRxExtendForNonCache, "MRxExtendForNonCache",
				  new_size, new_allocation);
}

/* ---- low I/O: data, locks, controls -------------------------------------------------------------------- */

BOOLEAN rx_call_has_low_io(PRX_CONTEXT rxc, USHORT operation)
{
	return operation <= LOWIO_OP_MAXIMUM && rx_dispatch_of(rxc)->MRxLowIOSubmit[operation] != NULL;
}

/*
 * MRxLowIOSubmit[op]  [optional; default: STATUS_NOT_IMPLEMENTED]
 *   locks FCB shared or exclusive, owned by LowIoContext.ResourceThreadId   blocks yes
 *   pending yes: RxLowIoCompletion exactly once, from any thread; then the context is not the caller's any more
 */
NTSTATUS rx_call_low_io_submit(PRX_CONTEXT rxc)
{
	USHORT operation = rxc->LowIoContext.Operation;
	NTSTATUS status = STATUS_NOT_IMPLEMENTED;

	PAGED_CODE();
	if (rx_call_has_low_io(rxc, operation)) {
		rxc->PendingReturned = TRUE;
		rx_cancel_show(rxc);
		status = rx_dispatch_of(rxc)->MRxLowIOSubmit[operation](rxc);
	}
	/* after STATUS_PENDING the context may be gone: only its address is logged */
	rx_calldown_trace("MRxLowIOSubmit", rxc, status);
	return status;
}

/*
 * MRxIsLockRealizable  [optional; default: success]
 *   locks FCB shared or exclusive   blocks no   pending no   status a failure refuses the lock
 */
NTSTATUS rx_call_is_lock_realizable(PMRX_FCB fcb, PLARGE_INTEGER offset, PLARGE_INTEGER length, ULONG flags)
{
	PMINIRDR_DISPATCH dispatch = ((PFCB)fcb)->MRxDispatch;
	NTSTATUS status = STATUS_SUCCESS;

	if (dispatch != NULL && dispatch->MRxIsLockRealizable != NULL)
		status = dispatch->MRxIsLockRealizable(fcb, offset, length, flags);
	return status;
}

/*
 * The routine given to RxSetMinirdrCancelRoutine
 *   locks none   blocks no: runs on the canceller's thread   pending no   status traced
 *   runs at most once per context, never after the request completed
 */
NTSTATUS rx_call_cancel_routine(PRX_CONTEXT rxc, PMRX_CALLDOWN routine)
{
	NTSTATUS status = routine(rxc);

	rx_calldown_trace("MRxCancelRoutine", rxc, status);
	return status;
}

/* ---- buffering ----------------------------------------------------------------------------------------- */

/*
 * MRxComputeNewBufferingState  [optional; default: STATUS_NOT_SUPPORTED]
 *   locks FCB exclusive   blocks no   pending no   status a failure means no buffering
 */
NTSTATUS rx_call_compute_new_buffering_state(PMRX_SRV_OPEN so, PVOID mrx_context, PULONG new_state)
{
	PMINIRDR_DISPATCH dispatch = ((PFCB)so->pFcb)->MRxDispatch;
	NTSTATUS status = STATUS_NOT_SUPPORTED;

	*new_state = 0;
	if (dispatch != NULL && dispatch->MRxComputeNewBufferingState != NULL)
		status = dispatch->MRxComputeNewBufferingState(so, mrx_context, new_state);
	return status;
}

BOOLEAN rx_call_has_complete_buffering_state_change(PMRX_SRV_OPEN so)
{
	PMINIRDR_DISPATCH dispatch = ((PFCB)so->pFcb)->MRxDispatch;

	return dispatch != NULL && dispatch->MRxCompleteBufferingStateChangeRequest != NULL;
}

/*
 * MRxCompleteBufferingStateChangeRequest  [optional; default: STATUS_NOT_SUPPORTED]
 *   locks FCB exclusive   blocks yes   pending no   status ignored
 *   LowIoContext.ParamsFor.Locks.LockList: what the server does not know to be locked, or NULL; Status of an
 *   entry: its answer
 */
NTSTATUS rx_call_complete_buffering_state_change(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID mrx_context)
{
	PMINIRDR_DISPATCH dispatch = rx_dispatch_of(rxc);
	NTSTATUS status = STATUS_NOT_SUPPORTED;

	PAGED_CODE();
	rx_calldown_assert_fcb_exclusive(rxc);
	if (dispatch->MRxCompleteBufferingStateChangeRequest != NULL) {
		rxc->PendingReturned = TRUE;
		status = dispatch->MRxCompleteBufferingStateChangeRequest(rxc, so, mrx_context);
	}
	return rx_calldown_final("MRxCompleteBufferingStateChangeRequest", so, status);
}
