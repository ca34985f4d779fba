/*
 * construct.c - building a view of a share, and the share with its first view: MRxCreateVNetRoot.
 *
 * Owns:      the construction context inside the V_NET_ROOT, while the condition is InTransition.
 * Found by:  the mini-redirector, through the context.
 * Locks:     name table exclusive to change conditions; none while the mini-redirector is called and while its
 *            answer is waited for.
 * Dies when: the answer is there. A view that failed is finalized at once: its name is free, and those who
 *            waited for it learn its status.
 */
#include "core/connect/internal.h"

#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/object/object.h"

/* The mini-redirector's answer; both statuses are in the context. Any thread, any level. */
static VOID NTAPI rx_v_net_root_answered(PMRX_CREATENETROOT_CONTEXT create)
{
	struct rx_v_net_root_construction *c =
		CONTAINING_RECORD(create, struct rx_v_net_root_construction, create);

	if (InterlockedCompareExchange(&c->answered, 1, 0) != 0) {
		RxLog(("second answer for a view, %p", create->pVNetRoot));
		return;
	}
	KeSetEvent(&create->FinishEvent, IO_NETWORK_INCREMENT, FALSE);
}

/* Asks the mini-redirector for the view and waits for the answer. Locks: none. */
static void rx_v_net_root_ask(struct rx_v_net_root_construction *c, bool new_net_root)
{
	NTSTATUS status = rx_call_create_v_net_root(&c->create);

	if (status != STATUS_PENDING && InterlockedCompareExchange(&c->answered, 1, 0) == 0) {
		RxLog(("a view was answered without a callback: %lx", (ULONG)status));
		if (!NT_SUCCESS(status)) {
			c->create.VirtualNetRootStatus = status;
			if (new_net_root && NT_SUCCESS(c->create.NetRootStatus))
				c->create.NetRootStatus = status;
		}
		return;
	}
	/* the driver bounds this wait: each of its steps has a time limit */
	(void)KeWaitForSingleObject(&c->create.FinishEvent, Executive, KernelMode, FALSE, NULL);
}

/**
 * RxConstructNetRoot - have the mini-redirector build a view, and its share when that is new
 * @RxContext:        [in] the create that wants it
 * @SrvCall:          [in] the server, connected
 * @NetRoot:          [in,out] the share, Condition_Good or Condition_Uninitialized
 * @VirtualNetRoot:   [in,out] the view, Condition_Uninitialized; the caller refers to it
 * @LockHoldingState: [in,out] the name table
 *
 * Context: PASSIVE_LEVEL; blocks as long as the mini-redirector takes.
 * Locks:   name table exclusive on entry and on return; drops it for the call-down.
 * Return:  STATUS_SUCCESS when both are good; else the share's status, or the view's.
 */
NTSTATUS RxConstructNetRoot(PRX_CONTEXT RxContext, PSRV_CALL SrvCall, PNET_ROOT NetRoot,
			    PV_NET_ROOT VirtualNetRoot, PLOCK_HOLDING_STATE LockHoldingState)
{
	PRDBSS_DEVICE_OBJECT dev = RxContext->RxDeviceObject;
	struct rx_v_net_root_construction *c = VirtualNetRoot->Construction;
	bool new_net_root = NetRoot->Condition != Condition_Good;
	NTSTATUS nr_status, vnr_status;

	RX_CHECK(*LockHoldingState == LHS_ExclusiveLockHeld && NetRoot->pSrvCall == &SrvCall->Mrx);
	if (new_net_root)
		RxUpdateCondition(Condition_InTransition, &NetRoot->Condition, &NetRoot->TransitionWaitList);
	RxUpdateCondition(Condition_InTransition, &VirtualNetRoot->Condition,
			  &VirtualNetRoot->TransitionWaitList);
	RxContext->Create.pNetRoot = &NetRoot->Mrx;

	RtlZeroMemory(c, sizeof(*c));
	KeInitializeEvent(&c->create.FinishEvent, NotificationEvent, FALSE);
	c->create.RxContext = RxContext;
	c->create.pVNetRoot = VirtualNetRoot;
	c->create.VirtualNetRootStatus = STATUS_SUCCESS;
	c->create.NetRootStatus = STATUS_SUCCESS;
	c->create.Callback = rx_v_net_root_answered;
	rx_connect_unlock(dev, LockHoldingState);

	rx_v_net_root_ask(c, new_net_root);

	rx_connect_lock(dev, LockHoldingState);
	nr_status = c->create.NetRootStatus;
	vnr_status = NT_SUCCESS(nr_status) ? c->create.VirtualNetRootStatus : nr_status;
	if (new_net_root) {
		NetRoot->ConstructionStatus = nr_status;
		RxUpdateCondition(NT_SUCCESS(nr_status) ? Condition_Good : Condition_Bad, &NetRoot->Condition,
				  &NetRoot->TransitionWaitList);
	}
	VirtualNetRoot->ConstructionStatus = vnr_status;
	RxUpdateCondition(NT_SUCCESS(vnr_status) ? Condition_Good : Condition_Bad, &VirtualNetRoot->Condition,
			  &VirtualNetRoot->TransitionWaitList);
	RxLog(("vnr=%lu constructed %lx nr=%lx", VirtualNetRoot->SerialNumberForEnum, (ULONG)vnr_status,
	       (ULONG)nr_status));
	return vnr_status;
}

/*
 * A view that exists, or is being built by somebody else; referenced. STATUS_RETRY: it ended meanwhile, look again.
 * Locks: name table, dropped to wait.
 */
static NTSTATUS rx_view_await(PRX_CONTEXT rxc, PV_NET_ROOT vnr, PLOCK_HOLDING_STATE state)
{
	NTSTATUS status = rx_connect_wait(rxc, &vnr->Condition, &vnr->TransitionWaitList, state);

	if (NT_SUCCESS(status) && vnr->Condition == Condition_Bad)
		status = vnr->ConstructionStatus;
	else if (NT_SUCCESS(status) && (vnr->Condition != Condition_Good || vnr->ConnectionFinalizationDone))
		status = STATUS_RETRY;
	if (NT_SUCCESS(status))
		status = rx_view_check_credentials(vnr, rxc);
	return status;
}

/* Makes the view and has it built; *out is referenced. Locks: name table, dropped for the call-down. */
static NTSTATUS rx_view_build(PRX_CONTEXT rxc, PNET_ROOT nr, PUNICODE_STRING name, PUNICODE_STRING device,
			      NET_ROOT_TYPE type, PRX_CONNECTION_ID id, PLOCK_HOLDING_STATE state,
			      PV_NET_ROOT *out)
{
	PV_NET_ROOT vnr = RxCreateVNetRoot(rxc, nr, name, device, NULL, id);
	NTSTATUS status;

	if (vnr == NULL) {
		/* a share that never had a view is nothing: who comes next starts afresh */
		if (nr->Condition == Condition_Uninitialized)
			(void)RxFinalizeNetRoot(nr, TRUE,
						TRUE); /* referenced by the caller: stays in memory */
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	if (nr->Condition == Condition_Uninitialized)
		nr->Type = type;
	RxReferenceVNetRoot(vnr);
	rxc->Create.pVNetRoot = &vnr->Mrx; /* the driver looks here, too */
	status = RxConstructNetRoot(rxc, (PSRV_CALL)nr->pSrvCall, nr, vnr, state);
	rxc->Create.pVNetRoot = NULL;
	if (NT_SUCCESS(status) && vnr->ConnectionFinalizationDone)
		status = STATUS_CONNECTION_DISCONNECTED; /* forced away while it was being built */
	if (NT_SUCCESS(status)) {
		*out = vnr;
		return STATUS_SUCCESS;
	}

	/* the names go now; who waited still reads the status from the record */
	if (!vnr->ConnectionFinalizationDone)
		(void)RxFinalizeVNetRoot(vnr, TRUE, TRUE);
	if (nr->Condition == Condition_Bad && !nr->UpperFinalizationDone)
		(void)RxFinalizeNetRoot(nr, TRUE, TRUE);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	return status;
}

/* One turn of RxConstructVirtualNetRoot(). STATUS_RETRY: what was found ended meanwhile. */
static NTSTATUS rx_view_find_or_build(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING canonical,
				      NET_ROOT_TYPE type, BOOLEAN tree_connect, PV_NET_ROOT *out,
				      PLOCK_HOLDING_STATE state, PRX_CONNECTION_ID id)
{
	PRX_PREFIX_TABLE table = rxc->RxDeviceObject->pRxNetNameTable;
	UNICODE_STRING device, path, name;
	PV_NET_ROOT vnr;
	PNET_ROOT nr;
	NTSTATUS status;

	status =
		RxFindOrCreateConnections(rxc, irp, canonical, type, tree_connect, &device, &path, state, id);
	if (!NT_SUCCESS(status))
		return status;
	rx_assert_name_table_exclusive(table);
	nr = (PNET_ROOT)rxc->Create.pNetRoot;

	name.Buffer = canonical->Buffer;
	name.Length = name.MaximumLength = (USHORT)(canonical->Length - path.Length);
	vnr = rx_prefix_table_find(table, &name, RDBSS_NTC_V_NETROOT, id);
	if (vnr == NULL) {
		status = rx_view_build(rxc, nr, &name, &device, type, id, state, out);
	} else {
		RxReferenceVNetRoot(vnr);
		status = rx_view_await(rxc, vnr, state);
		if (NT_SUCCESS(status))
			*out = vnr;
		else
			RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	}
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	return status;
}

/**
 * RxConstructVirtualNetRoot - find or build server, share and view for a name
 * @CanonicalName:         [in] `\server\share[\path]` or `\;X:id\server\share[\path]`
 * @NetRootType:           [in] what the caller believes the share to be
 * @TreeConnect:           [in] the create asks for the connection only
 * @VirtualNetRootPointer: [out] the view, referenced for the caller; NULL on failure
 * @LockHoldingState:      [in,out] the name table
 * @RxConnectionId:        [in, optional] part of the names' key
 *
 * Context: PASSIVE_LEVEL; blocks as long as the mini-redirector takes.
 * Locks:   name table exclusive on entry and on return; drops it meanwhile.
 * Return:  STATUS_SUCCESS, or what kept one of the three from being built.
 */
NTSTATUS RxConstructVirtualNetRoot(PRX_CONTEXT RxContext, PIRP Irp, PUNICODE_STRING CanonicalName,
				   NET_ROOT_TYPE NetRootType, BOOLEAN TreeConnect,
				   PV_NET_ROOT *VirtualNetRootPointer, PLOCK_HOLDING_STATE LockHoldingState,
				   PRX_CONNECTION_ID RxConnectionId)
{
	NTSTATUS status = STATUS_RETRY;

	*VirtualNetRootPointer = NULL;
	for (unsigned int i = 0; i < RX_CONNECT_ATTEMPTS && status == STATUS_RETRY; i++)
		status = rx_view_find_or_build(RxContext, Irp, CanonicalName, NetRootType, TreeConnect,
					       VirtualNetRootPointer, LockHoldingState, RxConnectionId);
	if (NT_SUCCESS(status))
		return status;
	RxContext->Create.pSrvCall = NULL;
	RxContext->Create.pNetRoot = NULL;
	return status == STATUS_RETRY ? STATUS_CONNECTION_DISCONNECTED : status;
}
