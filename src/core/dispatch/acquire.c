/*
 * acquire.c - the FCB resource, for a request: wait for it or be posted; and is the open still there?
 */
#include "core/dispatch/dispatch.h"

#include "core/context/context.h"
#include "core/object/object.h"

static NTSTATUS rx_acquire_result(PRX_CONTEXT rxc, NTSTATUS status)
{
	if (status == STATUS_SUCCESS) {
		rxc->FcbResourceAcquired = TRUE;
		return STATUS_SUCCESS;
	}
	if (status == STATUS_LOCK_NOT_GRANTED)
		return RxFsdPostRequest(rxc);
	return status;
}

/*
 * What the server wants changed is changed by whoever has the file: a busy one does not keep the server waiting. Not
 * with the FCB table held: a change may flush, and the table is for short uses.
 */
static void rx_acquire_settle(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;

	if (__atomic_load_n(&fcb->NumberOfBufferingChangesWaiting, __ATOMIC_ACQUIRE) != 0 &&
	    RxIsFcbAcquiredExclusive(fcb) && fcb->pNetRoot != NULL &&
	    !RxIsFcbTableLockExclusive(&((PNET_ROOT)fcb->pNetRoot)->FcbTable))
		RxProcessFcbChangeBufferingStateRequest(fcb);
}

NTSTATUS rx_acquire_fcb_exclusive(PRX_CONTEXT rxc)
{
	NTSTATUS status = rx_acquire_result(rxc, RxAcquireExclusiveFcb(rxc, (PFCB)rxc->pFcb));

	if (status == STATUS_SUCCESS)
		rx_acquire_settle(rxc);
	return status;
}

NTSTATUS rx_acquire_fcb_shared(PRX_CONTEXT rxc)
{
	return rx_acquire_result(rxc, RxAcquireSharedFcb(rxc, (PFCB)rxc->pFcb));
}

NTSTATUS rx_acquire_fcb_paging(PRX_CONTEXT rxc)
{
	rx_borrow_fcb(rxc, (PFCB)rxc->pFcb);
	rxc->FcbResourceAcquired = TRUE;
	return STATUS_SUCCESS;
}

void rx_release_fcb(PRX_CONTEXT rxc)
{
	rx_acquire_settle(rxc);
	rxc->FcbResourceAcquired = FALSE;
	RxReleaseFcb(rxc, (PFCB)rxc->pFcb);
}

NTSTATUS rx_release_or_post(PRX_CONTEXT rxc, NTSTATUS status)
{
	bool post = status == STATUS_PENDING && rxc->PostRequest;

	rx_release_fcb(rxc);
	return post ? rx_post_for_driver(rxc) : status;
}

NTSTATUS rx_check_server_open(PRX_CONTEXT rxc)
{
	PMRX_FOBX fobx = rxc->pFobx;
	PMRX_SRV_OPEN so = rxc->pRelevantSrvOpen;

	if (fobx == NULL || so == NULL)
		return STATUS_INVALID_DEVICE_REQUEST; /* a device, tree connection or target directory open */
	if ((fobx->Flags & (FOBX_FLAG_SRVOPEN_CLOSED | FOBX_FLAG_BAD_HANDLE)) != 0)
		return STATUS_FILE_CLOSED;
	if ((so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_ORPHANED)) != 0)
		return STATUS_FILE_CLOSED;
	if ((rxc->pFcb->FcbState & FCB_STATE_ORPHANED) != 0)
		return STATUS_FILE_CLOSED;
	return STATUS_SUCCESS;
}

NTSTATUS rx_run_on_open(PRX_CONTEXT rxc, PIRP irp, ULONG length, bool exclusive,
			NTSTATUS (*run)(PRX_CONTEXT rxc, PIRP irp))
{
	NTSTATUS status;

	if (rxc->pFobx == NULL || length > INT32_MAX)
		return STATUS_INVALID_DEVICE_REQUEST;
	status = exclusive ? rx_acquire_fcb_exclusive(rxc) : rx_acquire_fcb_shared(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS)
		status = run(rxc, irp);
	return rx_release_or_post(rxc, status);
}
