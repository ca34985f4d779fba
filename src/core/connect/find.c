/*
 * find.c - from the name of a create to its connection: what exists is used, what is missing is built.
 *
 * Owns:   nothing; hands references to the request (RX_CONTEXT.Create).
 * Locks:  name table, shared for the usual case that the view exists, exclusive to build; never held while the
 *         mini-redirector is called or an object in transition is waited for. After it is taken again everything
 *         is looked up again, since meanwhile the object may have failed, been finalized, or been replaced.
 */
#include "core/connect/internal.h"

#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/object/object.h"

NTSTATUS rx_connect_wait(PRX_CONTEXT rxc, PRX_BLOCK_CONDITION condition, PLIST_ENTRY list,
			 PLOCK_HOLDING_STATE state)
{
	PRDBSS_DEVICE_OBJECT dev = rxc->RxDeviceObject;
	NTSTATUS status;

	if (StableCondition(*condition))
		return STATUS_SUCCESS;
	rx_connect_unlock(dev, state);
	status = rx_condition_wait(condition, list, rxc);
	rx_connect_lock(dev, state);
	return status;
}

static bool rx_credential_differs(PUNICODE_STRING held, PCUNICODE_STRING asked, bool fold)
{
	if (asked->Buffer == NULL)
		return false;
	return held == NULL || !rx_name_equal(held, asked, fold ? asked->Length : 0);
}

NTSTATUS rx_view_check_credentials(PV_NET_ROOT vnr, PRX_CONTEXT rxc)
{
	if (!rxc->Create.ThisIsATreeConnectOpen)
		return STATUS_SUCCESS;
	if (rx_credential_differs(vnr->pUserName, &rxc->Create.UserName, true) ||
	    rx_credential_differs(vnr->pUserDomainName, &rxc->Create.UserDomainName, true))
		return STATUS_NETWORK_CREDENTIAL_CONFLICT;
	if (rx_credential_differs(vnr->pPassword, &rxc->Create.Password, false))
		return STATUS_WRONG_PASSWORD;
	return STATUS_SUCCESS;
}

/*
 * The server of a name, connected, referenced. STATUS_RETRY: the record went away, look again.
 * Locks: name table exclusive, dropped meanwhile.
 */
static NTSTATUS rx_find_srv_call_once(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING server, PRX_CONNECTION_ID id,
				      PLOCK_HOLDING_STATE state, PSRV_CALL *out)
{
	PRX_PREFIX_TABLE table = rxc->RxDeviceObject->pRxNetNameTable;
	PSRV_CALL sc;
	NTSTATUS status = STATUS_SUCCESS;

	rx_assert_name_table_exclusive(table);
	sc = rx_prefix_table_find(table, server, RDBSS_NTC_SRVCALL, id);
	if (sc != NULL && sc->Condition == Condition_Bad) {
		if (rx_srv_call_failure_is_fresh(sc))
			return sc->Status;
		/* old news: the record goes, or at least gives up its name */
		if (!rx_srv_call_forget_failure(sc) ||
		    rx_prefix_table_find(table, server, RDBSS_NTC_SRVCALL, id) == sc)
			(void)RxFinalizeSrvCall(sc, TRUE);
		return STATUS_RETRY;
	}
	if (sc == NULL) {
		sc = RxCreateSrvCall(rxc, server, NULL, id);
		if (sc == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		RxReferenceSrvCall(sc);
		status = RxConstructSrvCall(rxc, irp, sc, state);
	} else {
		RxReferenceSrvCall(sc);
		status = rx_connect_wait(rxc, &sc->Condition, &sc->TransitionWaitList, state);
		if (NT_SUCCESS(status) && sc->Condition == Condition_Bad)
			status = sc->Status;
		else if (NT_SUCCESS(status) && sc->UpperFinalizationDone)
			status = STATUS_RETRY;
	}
	if (NT_SUCCESS(status)) {
		*out = sc;
		return STATUS_SUCCESS;
	}
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	return status;
}

static NTSTATUS rx_find_srv_call(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING server, PRX_CONNECTION_ID id,
				 PLOCK_HOLDING_STATE state, PSRV_CALL *out)
{
	NTSTATUS status = STATUS_RETRY;

	for (unsigned int i = 0; i < RX_CONNECT_ATTEMPTS && status == STATUS_RETRY; i++)
		status = rx_find_srv_call_once(rxc, irp, server, id, state, out);
	return status;
}

/*
 * The driver's split of a path, not believed: the share's part begins with the path or right behind the server's
 * name (drivers do either), and ends at a backslash or with the path. *share is the path up to that end.
 */
static bool rx_split_share(PUNICODE_STRING unc, PSRV_CALL sc, PUNICODE_STRING share, PUNICODE_STRING rest)
{
	const WCHAR *server_end = unc->Buffer + sc->SrvCallName.Length / sizeof(WCHAR);
	size_t length;

	RtlZeroMemory(share, sizeof(*share));
	RtlZeroMemory(rest, sizeof(*rest));
	rx_call_extract_net_root_name(unc, &sc->Mrx, share, rest);
	if (share->Buffer != unc->Buffer && share->Buffer != server_end)
		return false;
	length = (size_t)((PUCHAR)share->Buffer - (PUCHAR)unc->Buffer) + share->Length;
	if (length > unc->Length || length <= sc->SrvCallName.Length + sizeof(WCHAR))
		return false;
	share->Buffer = unc->Buffer;
	share->Length = share->MaximumLength = (USHORT)length;
	rest->Buffer = unc->Buffer + length / sizeof(WCHAR);
	rest->Length = rest->MaximumLength = (USHORT)(unc->Length - length);
	return rest->Length == 0 || rest->Buffer[0] == u'\\';
}

/* The share of a name, good or new, referenced. STATUS_RETRY: look again. Locks: name table, dropped to wait. */
static NTSTATUS rx_find_net_root(PRX_CONTEXT rxc, PSRV_CALL sc, PUNICODE_STRING share, PRX_CONNECTION_ID id,
				 PLOCK_HOLDING_STATE state, PNET_ROOT *out)
{
	PRX_PREFIX_TABLE table = rxc->RxDeviceObject->pRxNetNameTable;
	NTSTATUS status;
	PNET_ROOT nr;

	rx_assert_name_table_exclusive(table);
	nr = rx_prefix_table_find(table, share, RDBSS_NTC_NETROOT, id);
	if (nr == NULL) {
		nr = RxCreateNetRoot(sc, share, 0, id);
		if (nr == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		RxReferenceNetRoot(nr);
		*out = nr;
		return STATUS_SUCCESS;
	}
	RxReferenceNetRoot(nr);
	status = nr->Condition == Condition_Uninitialized
			 ? STATUS_SUCCESS
			 : rx_connect_wait(rxc, &nr->Condition, &nr->TransitionWaitList, state);
	if (NT_SUCCESS(status) && nr->Condition == Condition_Bad)
		status = nr->ConstructionStatus;
	else if (NT_SUCCESS(status) && nr->UpperFinalizationDone)
		status = STATUS_RETRY;
	if (NT_SUCCESS(status)) {
		*out = nr;
		return STATUS_SUCCESS;
	}
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	return status;
}

/**
 * RxFindOrCreateConnections - find or build the server and the share of a name
 * @CanonicalName:    [in] as in RxConstructVirtualNetRoot()
 * @LocalNetRootName: [out] the device part of the name, or empty
 * @FilePathName:     [out] what follows the share
 * @LockState:        [in,out] the name table
 *
 * On success RxContext->Create.pNetRoot is referenced once for the caller; it is good, or new and in
 * Condition_Uninitialized, to be built with its first view.
 *
 * Context: PASSIVE_LEVEL; blocks as long as the mini-redirector takes.
 * Locks:   name table exclusive on entry and on return; drops it meanwhile.
 * Return:  STATUS_SUCCESS; STATUS_BAD_NETWORK_PATH, STATUS_BAD_NETWORK_NAME for a name without server or share;
 *          what the mini-redirector answered; STATUS_CANCELLED.
 */
NTSTATUS RxFindOrCreateConnections(PRX_CONTEXT RxContext, PIRP Irp, PUNICODE_STRING CanonicalName,
				   NET_ROOT_TYPE NetRootType, BOOLEAN TreeConnect,
				   PUNICODE_STRING LocalNetRootName, PUNICODE_STRING FilePathName,
				   PLOCK_HOLDING_STATE LockState, PRX_CONNECTION_ID RxConnectionId)
{
	UNICODE_STRING unc, server, share;
	NTSTATUS status = STATUS_RETRY;
	PNET_ROOT nr = NULL;

	(void)NetRootType;
	(void)TreeConnect;
	if (!rx_canonical_split_device(CanonicalName, LocalNetRootName, &unc) ||
	    !rx_canonical_server(&unc, &server))
		return STATUS_BAD_NETWORK_PATH;

	for (unsigned int i = 0; i < RX_CONNECT_ATTEMPTS && status == STATUS_RETRY; i++) {
		PSRV_CALL sc = NULL;

		status = rx_find_srv_call(RxContext, Irp, &server, RxConnectionId, LockState, &sc);
		if (!NT_SUCCESS(status))
			break;
		RxContext->Create.pSrvCall = &sc->Mrx;
		if (rx_split_share(&unc, sc, &share, FilePathName))
			status = rx_find_net_root(RxContext, sc, &share, RxConnectionId, LockState, &nr);
		else
			status = STATUS_BAD_NETWORK_NAME;
		/* from here the share holds its server */
		RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	}
	if (!NT_SUCCESS(status)) {
		RxContext->Create.pSrvCall = NULL;
		return status == STATUS_RETRY ? STATUS_CONNECTION_DISCONNECTED : status;
	}
	RxContext->Create.pSrvCall = nr->pSrvCall;
	RxContext->Create.pNetRoot = &nr->Mrx;
	return STATUS_SUCCESS;
}

/* The usual case. Return: the view, good, referenced; NULL: build, or wait for, it. Locks: takes the table. */
static PV_NET_ROOT rx_find_view(PRX_CONTEXT rxc, PUNICODE_STRING name, PUNICODE_STRING rest,
				PRX_CONNECTION_ID id)
{
	PRX_PREFIX_TABLE table = rxc->RxDeviceObject->pRxNetNameTable;
	PV_NET_ROOT vnr = NULL;
	PVOID found;

	rx_name_table_lock_shared(table);
	found = rx_prefix_table_peek(table, name, rest, id);
	if (found != NULL && NodeType(found) == RDBSS_NTC_V_NETROOT &&
	    ((PV_NET_ROOT)found)->Condition == Condition_Good) {
		vnr = found;
		RxReferenceVNetRoot(vnr);
	}
	rx_name_table_unlock(table);
	return vnr;
}

NTSTATUS RxFindOrConstructVirtualNetRoot(PRX_CONTEXT RxContext, PIRP Irp, PUNICODE_STRING CanonicalName,
					 NET_ROOT_TYPE NetRootType, PUNICODE_STRING RemainingName)
{
	PRDBSS_DEVICE_OBJECT dev = RxContext->RxDeviceObject;
	LOCK_HOLDING_STATE state = LHS_LockNotHeld;
	RX_CONNECTION_ID storage;
	PRX_CONNECTION_ID id = NULL;
	NTSTATUS status = STATUS_SUCCESS;
	PV_NET_ROOT vnr;

	RxContext->Create.pVNetRoot = NULL;
	RtlZeroMemory(RemainingName, sizeof(*RemainingName));
	if (CanonicalName->Length == 0)
		return STATUS_OBJECT_NAME_INVALID;
	RtlZeroMemory(&storage, sizeof(storage));
	if (rx_call_get_connection_id(RxContext, &storage) == STATUS_SUCCESS)
		id = &storage;

	vnr = rx_find_view(RxContext, CanonicalName, RemainingName, id);
	if (vnr != NULL) {
		status = rx_view_check_credentials(vnr, RxContext);
		if (!NT_SUCCESS(status)) {
			RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);
			return status;
		}
	} else {
		rx_connect_lock(dev, &state);
		status =
			RxConstructVirtualNetRoot(RxContext, Irp, CanonicalName, NetRootType,
						  RxContext->Create.ThisIsATreeConnectOpen, &vnr, &state, id);
		rx_connect_unlock(dev, &state);
		if (!NT_SUCCESS(status))
			return status;
		RemainingName->Buffer = CanonicalName->Buffer + vnr->VNetRootName.Length / sizeof(WCHAR);
		RemainingName->Length = (USHORT)(CanonicalName->Length - vnr->VNetRootName.Length);
		RemainingName->MaximumLength = RemainingName->Length;
	}

	/* the view holds the other two */
	RxContext->Create.pVNetRoot = &vnr->Mrx;
	RxContext->Create.pNetRoot = vnr->pNetRoot;
	RxContext->Create.pSrvCall = vnr->pNetRoot->pSrvCall;
	RxContext->Create.NetNamePrefixEntry = &vnr->PrefixEntry;
	RxContext->Create.Type = vnr->pNetRoot->Type;
	return STATUS_SUCCESS;
}
