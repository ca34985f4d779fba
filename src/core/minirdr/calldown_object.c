/*
 * calldown_object.c - calls into a mini-redirector that are about no file: starting it, connecting, names of servers and
 * shares, and the end of what was connected.
 *
 * Owns:   nothing.
 * Locks:  takes none; checks the ones its contracts name, before and after each call.
 * Dies:   -
 *
 * The row above each wrapper: see calldown.c.
 */
#include "core/minirdr/calldown_int.h"

static void rx_calldown_assert_name_table_exclusive(PRDBSS_DEVICE_OBJECT dev)
{
	(void)dev;
	ASSERT(RxIsPrefixTableLockExclusive(dev->pRxNetNameTable));
}

static void rx_calldown_assert_name_table_free(PRDBSS_DEVICE_OBJECT dev)
{
	(void)dev;
	ASSERT(!RxIsPrefixTableLockAcquired(dev->pRxNetNameTable));
}

/* ---- the redirector itself ---------------------------------------------------------------------------- */

/*
 * MRxStart  [required unless the redirector keeps its own dispatch entries; default: success]
 *   locks none   blocks yes   pending no   status anything but STATUS_SUCCESS means not started
 */
NTSTATUS rx_call_start(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	rx_calldown_assert_name_table_free(dev);
	if (dev->Dispatch->MRxStart != NULL) {
		rxc->PendingReturned = TRUE;
		status = dev->Dispatch->MRxStart(rxc, dev);
	}
	return rx_calldown_final("MRxStart", dev, status);
}

/*
 * MRxStop  [optional; default: success]
 *   locks none   blocks yes   pending no   status returned to the stopper, changes nothing (E-16)
 */
NTSTATUS rx_call_stop(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	ASSERT(dev->StartStopContext.pStopContext == rxc);
	if (dev->Dispatch->MRxStop != NULL) {
		rxc->PendingReturned = TRUE;
		status = dev->Dispatch->MRxStop(rxc, dev);
	}
	return rx_calldown_final("MRxStop", dev, status);
}

/*
 * MRxDevFcbXXXControlFile  [optional; default: STATUS_INVALID_DEVICE_REQUEST]
 *   locks none   blocks yes   pending only together with PostRequest   status given to the requester
 */
NTSTATUS rx_call_dev_fcb_control(PRX_CONTEXT rxc)
{
	return rx_calldown_postable(rxc, rx_dispatch_of(rxc)->MRxDevFcbXXXControlFile,
				    "MRxDevFcbXXXControlFile", STATUS_INVALID_DEVICE_REQUEST);
}

/* ---- servers, shares and their names -------------------------------------------------------------------- */

/*
 * MRxCreateSrvCall  [optional; default: STATUS_BAD_NETWORK_PATH]
 *   locks none: the name table must not be held   blocks yes   pending yes, then Callback from any thread
 *   status another value than STATUS_PENDING is an immediate completion (E-10)
 */
NTSTATUS rx_call_create_srv_call(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT callback_context)
{
	PMINIRDR_DISPATCH dispatch = sc->RxDeviceObject->Dispatch;
	NTSTATUS status = STATUS_BAD_NETWORK_PATH;

	PAGED_CODE();
	rx_calldown_assert_name_table_free(sc->RxDeviceObject);
	if (dispatch->MRxCreateSrvCall != NULL)
		status = dispatch->MRxCreateSrvCall(sc, callback_context);
	/* sc may be gone already when the callback ran first: only its address is logged */
	rx_calldown_trace("MRxCreateSrvCall", sc, status);
	return status;
}

/*
 * MRxSrvCallWinnerNotify  [optional; default: success]
 *   locks none   blocks yes   pending no   status a failure fails the connection
 */
NTSTATUS rx_call_srv_call_winner_notify(PMRX_SRV_CALL sc, BOOLEAN winner, PVOID recommunicate_context)
{
	PMINIRDR_DISPATCH dispatch = sc->RxDeviceObject->Dispatch;
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	if (dispatch->MRxSrvCallWinnerNotify != NULL)
		status = dispatch->MRxSrvCallWinnerNotify(sc, winner, recommunicate_context);
	return rx_calldown_final("MRxSrvCallWinnerNotify", sc, status);
}

/*
 * MRxCreateVNetRoot  [optional; default: STATUS_BAD_NETWORK_NAME]
 *   locks none: the name table must not be held   blocks yes   pending yes, then Callback from any thread
 *   status another value than STATUS_PENDING is an immediate completion (E-10)
 */
NTSTATUS rx_call_create_v_net_root(PMRX_CREATENETROOT_CONTEXT create_context)
{
	PRDBSS_DEVICE_OBJECT dev = create_context->RxContext->RxDeviceObject;
	NTSTATUS status = STATUS_BAD_NETWORK_NAME;

	PAGED_CODE();
	rx_calldown_assert_name_table_free(dev);
	if (dev->Dispatch->MRxCreateVNetRoot != NULL)
		status = dev->Dispatch->MRxCreateVNetRoot(create_context);
	rx_calldown_trace("MRxCreateVNetRoot", create_context, status);
	return status;
}

/* Offset in WCHARs of the first backslash at or after `from`, or the end of the name. */
static USHORT rx_component_end(PUNICODE_STRING name, USHORT from)
{
	USHORT count = name->Length / sizeof(WCHAR);

	while (from < count && name->Buffer[from] != u'\\')
		from++;
	return from;
}

/*
 * MRxExtractNetRootName  [optional; default: the first component after the server is the share]
 *   locks any   blocks no   pending no   returns nothing; rest may be NULL and is then not written
 */
VOID rx_call_extract_net_root_name(PUNICODE_STRING path, PMRX_SRV_CALL sc, PUNICODE_STRING net_root_name,
				   PUNICODE_STRING rest_of_name)
{
	PMINIRDR_DISPATCH dispatch = sc->RxDeviceObject->Dispatch;
	USHORT begin, end;

	if (dispatch->MRxExtractNetRootName != NULL) {
		dispatch->MRxExtractNetRootName(path, sc, net_root_name, rest_of_name);
		return;
	}

	begin = path->Length >= sc->pSrvCallName->Length ? sc->pSrvCallName->Length / sizeof(WCHAR) : 0;
	end = begin;
	if (end < path->Length / sizeof(WCHAR) && path->Buffer[end] == u'\\')
		end++;
	end = rx_component_end(path, end);
	net_root_name->Buffer = path->Buffer;
	net_root_name->Length = net_root_name->MaximumLength = (USHORT)(end * sizeof(WCHAR));
	if (rest_of_name != NULL) {
		rest_of_name->Buffer = path->Buffer + end;
		rest_of_name->Length = (USHORT)(path->Length - end * sizeof(WCHAR));
		rest_of_name->MaximumLength = rest_of_name->Length;
	}
}

/*
 * MRxGetConnectionId  [optional; default: STATUS_NOT_IMPLEMENTED, names carry no id]
 *   locks any   blocks no   pending no   status only success makes the id count
 */
NTSTATUS rx_call_get_connection_id(PRX_CONTEXT rxc, PRX_CONNECTION_ID id)
{
	PMINIRDR_DISPATCH dispatch = rx_dispatch_of(rxc);
	NTSTATUS status = STATUS_NOT_IMPLEMENTED;

	if (dispatch->MRxGetConnectionId != NULL)
		status = dispatch->MRxGetConnectionId(rxc, id);
	return status;
}

/*
 * MRxPreparseName  [optional; default: success]
 *   locks none   blocks yes   pending no   status ignored by the caller
 */
NTSTATUS rx_call_preparse_name(PRX_CONTEXT rxc, PUNICODE_STRING name)
{
	PMINIRDR_DISPATCH dispatch = rx_dispatch_of(rxc);
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	if (dispatch->MRxPreparseName != NULL)
		status = dispatch->MRxPreparseName(rxc, name);
	return status;
}

/*
 * MRxIsValidDirectory  [optional; default: success]
 *   locks none   blocks yes   pending no   status STATUS_BAD_NETWORK_PATH fails the tree connection
 */
NTSTATUS rx_call_is_valid_directory(PRX_CONTEXT rxc, PUNICODE_STRING name)
{
	PMINIRDR_DISPATCH dispatch = rx_dispatch_of(rxc);
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	rx_calldown_assert_name_table_free(rxc->RxDeviceObject);
	if (dispatch->MRxIsValidDirectory != NULL) {
		rxc->PendingReturned = TRUE;
		status = dispatch->MRxIsValidDirectory(rxc, name);
	}
	return rx_calldown_final("MRxIsValidDirectory", rxc, status);
}

/* ---- their end ------------------------------------------------------------------------------------------ */

/*
 * MRxFinalizeSrvCall  [optional; default: success]
 *   locks name table, exclusive, before and after   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_finalize_srv_call(PMRX_SRV_CALL sc, BOOLEAN force)
{
	PRDBSS_DEVICE_OBJECT dev = sc->RxDeviceObject;
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	rx_calldown_assert_name_table_exclusive(dev);
	if (dev->Dispatch->MRxFinalizeSrvCall != NULL)
		status = dev->Dispatch->MRxFinalizeSrvCall(sc, force);
	rx_calldown_assert_name_table_exclusive(dev);
	return rx_calldown_final("MRxFinalizeSrvCall", sc, status);
}

/*
 * MRxFinalizeNetRoot  [optional; default: success]
 *   locks name table, exclusive, before and after   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_finalize_net_root(PMRX_NET_ROOT nr, BOOLEAN force)
{
	PRDBSS_DEVICE_OBJECT dev = nr->pSrvCall->RxDeviceObject;
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	rx_calldown_assert_name_table_exclusive(dev);
	if (dev->Dispatch->MRxFinalizeNetRoot != NULL)
		status = dev->Dispatch->MRxFinalizeNetRoot(nr, &force);
	rx_calldown_assert_name_table_exclusive(dev);
	return rx_calldown_final("MRxFinalizeNetRoot", nr, status);
}

/*
 * MRxFinalizeVNetRoot  [optional; default: success]
 *   locks name table, exclusive, before and after   blocks yes   pending no   status ignored
 */
NTSTATUS rx_call_finalize_v_net_root(PMRX_V_NET_ROOT vnr, BOOLEAN force)
{
	PRDBSS_DEVICE_OBJECT dev = vnr->pNetRoot->pSrvCall->RxDeviceObject;
	NTSTATUS status = STATUS_SUCCESS;

	PAGED_CODE();
	rx_calldown_assert_name_table_exclusive(dev);
	if (dev->Dispatch->MRxFinalizeVNetRoot != NULL)
		status = dev->Dispatch->MRxFinalizeVNetRoot(vnr, &force);
	rx_calldown_assert_name_table_exclusive(dev);
	return rx_calldown_final("MRxFinalizeVNetRoot", vnr, status);
}
