/*
 * vnetroot.c - one view of a share: what it is called, and with whose credentials it is used.
 *
 * Owns:      V_NET_ROOT from RxCreateVNetRoot() to the free in rx_v_net_root_destroy(), in one allocation with
 *            the driver's extension, the construction context and the name; the credentials, in memory of their
 *            own that is wiped before it is freed.
 * Found by:  the device's name table; that entry is a reference. Linked on its NET_ROOT.
 * Locks:     name table, exclusive, for the life cycle.
 * Dies when: finalized (RxFinalizeVNetRoot) and the last reference is gone. Holds its NET_ROOT until then.
 *
 * Stages: UpperFinalizationDone - its SRV_OPENs are orphaned; ConnectionFinalizationDone - the name is out of
 * the table, MRxFinalizeVNetRoot was called, the table's reference is given up.
 */
#include "core/object/object.h"

#include "core/connect/connect.h"
#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/work/work.h"

#define RX_TAG_V_NET_ROOT 'rVxR'
#define RX_TAG_CREDENTIALS 'rCxR'

/* A string that was not supplied has no buffer; an empty one was supplied. */
static PUCHAR rx_v_net_root_place_credential(PUNICODE_STRING to, PUNICODE_STRING *public, PUCHAR at,
					     PCUNICODE_STRING from)
{
	if (from->Buffer == NULL)
		return at;
	*public = to;
	return rx_object_place_name(to, at, from);
}

static NTSTATUS rx_v_net_root_copy_credentials(PV_NET_ROOT vnr, PRX_CONTEXT rxc)
{
	SIZE_T bytes = (SIZE_T)rxc->Create.UserName.Length + rxc->Create.UserDomainName.Length +
		       rxc->Create.Password.Length;
	PUCHAR at;

	vnr->CredentialBytes = (ULONG)bytes;
	vnr->CredentialMemory = ExAllocatePoolWithTag(NonPagedPool, bytes + 1, RX_TAG_CREDENTIALS);
	if (vnr->CredentialMemory == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	at = vnr->CredentialMemory;
	at = rx_v_net_root_place_credential(&vnr->UserName, &vnr->pUserName, at, &rxc->Create.UserName);
	at = rx_v_net_root_place_credential(&vnr->UserDomainName, &vnr->pUserDomainName, at,
					    &rxc->Create.UserDomainName);
	(void)rx_v_net_root_place_credential(&vnr->Password, &vnr->pPassword, at, &rxc->Create.Password);
	return STATUS_SUCCESS;
}

static void rx_v_net_root_wipe_credentials(PV_NET_ROOT vnr)
{
	vnr->pUserName = vnr->pUserDomainName = vnr->pPassword = NULL;
	if (vnr->CredentialMemory == NULL)
		return;
	RtlSecureZeroMemory(vnr->CredentialMemory, vnr->CredentialBytes);
	ExFreePoolWithTag(vnr->CredentialMemory, RX_TAG_CREDENTIALS);
	vnr->CredentialMemory = NULL;
}

/* Who asked. The LUID of a Unix user is its uid. */
static void rx_v_net_root_set_requester(PV_NET_ROOT vnr, PRX_CONTEXT rxc)
{
	const struct nt_requester *requester =
		rxc->CurrentIrp != NULL ? nt_irp_requester(rxc->CurrentIrp) : NULL;

	vnr->LogonId.LowPart = requester != NULL ? (ULONG)requester->uid : 0;
	vnr->LogonId.HighPart = 0;
	vnr->SessionId = 0;
}

/**
 * RxCreateVNetRoot - make a view of a share and enter its name
 * @RxContext:        [in] the create; its credentials are copied
 * @NetRoot:          [in] the share; gains a reference
 * @CanonicalName:    [in] the view's name: `\server\share` or `\;X:id\server\share`; copied
 * @LocalNetRootName: [in] the device part of it, may be empty
 * @FilePath:         [in, optional] without effect
 * @RxConnectionId:   [in, optional] part of the key in the table
 *
 * Locks:  name table, exclusive.
 * Refs:   the view has one reference, the table's.
 * Return: the view in Condition_Uninitialized; NULL without memory, or when the name is taken.
 * Page:   fcb/RxCreateVNetRoot.
 */
PV_NET_ROOT RxCreateVNetRoot(PRX_CONTEXT RxContext, PNET_ROOT NetRoot, PUNICODE_STRING CanonicalName,
			     PUNICODE_STRING LocalNetRootName, PUNICODE_STRING FilePath,
			     PRX_CONNECTION_ID RxConnectionId)
{
	PRDBSS_DEVICE_OBJECT dev = RxContext->RxDeviceObject;
	BOOLEAN managed = BooleanFlagOn(dev->Dispatch->MRxFlags, RDBSS_MANAGE_V_NET_ROOT_EXTENSION);
	ULONG extension = managed ? rx_object_align(dev->Dispatch->MRxVNetRootSize) : 0;
	ULONG head = rx_object_align(sizeof(V_NET_ROOT));
	ULONG construction = rx_object_align(sizeof(struct rx_v_net_root_construction));
	SIZE_T bytes = (SIZE_T)head + construction + extension + CanonicalName->Length;
	USHORT insensitive;
	PV_NET_ROOT vnr;

	(void)FilePath;
	rx_assert_name_table_exclusive(dev->pRxNetNameTable);
	vnr = ExAllocatePoolWithTag(NonPagedPool, bytes, RX_TAG_V_NET_ROOT);
	if (vnr == NULL)
		return NULL;
	RtlZeroMemory(vnr, bytes);
	vnr->NodeTypeCode = RDBSS_NTC_V_NETROOT;
	vnr->NodeByteSize = sizeof(*vnr);
	vnr->NodeReferenceCount = 1;
	vnr->pNetRoot = &NetRoot->Mrx;
	vnr->ConstructionStatus = STATUS_PENDING;
	vnr->IsExplicitConnection = RxContext->Create.ThisIsATreeConnectOpen;
	vnr->SerialNumberForEnum = rx_object_next_serial();
	vnr->Condition = Condition_Uninitialized;
	InitializeListHead(&vnr->TransitionWaitList);
	InitializeListHead(&vnr->ScavengerFinalizationList);
	rx_v_net_root_set_requester(vnr, RxContext);

	vnr->Construction = (PVOID)((PUCHAR)vnr + head);
	if (managed)
		vnr->Context = (PUCHAR)vnr + head + construction;
	(void)rx_object_place_name(&vnr->VNetRootName, (PUCHAR)vnr + head + construction + extension,
				   CanonicalName);
	vnr->PrefixEntry.Prefix = vnr->VNetRootName;
	vnr->PrefixOffsetInBytes = CanonicalName->Length;
	insensitive = (USHORT)(LocalNetRootName->Length + ((PSRV_CALL)NetRoot->pSrvCall)->SrvCallName.Length);
	if (NetRoot->pSrvCall->Flags & SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS)
		insensitive = CanonicalName->Length;

	if (!NT_SUCCESS(rx_v_net_root_copy_credentials(vnr, RxContext)))
		goto out_free;
	if (RxPrefixTableInsertName(dev->pRxNetNameTable, &vnr->PrefixEntry, vnr,
				    (PULONG)&vnr->NodeReferenceCount, insensitive, RxConnectionId) == NULL)
		goto out_wipe;

	InsertTailList(&NetRoot->VirtualNetRoots, &vnr->NetRootListEntry);
	NetRoot->NumberOfVirtualNetRoots++;
	if (NetRoot->DefaultVNetRoot == NULL)
		NetRoot->DefaultVNetRoot = vnr;
	RxReferenceNetRoot(NetRoot);
	RxLog(("vnr=%lu created %wZ nr=%lu", vnr->SerialNumberForEnum, &vnr->VNetRootName,
	       NetRoot->SerialNumberForEnum));
	return vnr;

out_wipe:
	rx_v_net_root_wipe_credentials(vnr);
out_free:
	ExFreePoolWithTag(vnr, RX_TAG_V_NET_ROOT);
	return NULL;
}

static void rx_v_net_root_destroy(PV_NET_ROOT vnr)
{
	PNET_ROOT nr = (PNET_ROOT)vnr->pNetRoot;

	RX_CHECK(rx_object_count(&vnr->NodeReferenceCount) == 0);
	RxLog(("vnr=%lu freed", vnr->SerialNumberForEnum));
	rx_scavenger_unmark(vnr);
	RemoveEntryList(&vnr->PrefixEntry.MemberQLinks); /* the departed */
	rx_v_net_root_wipe_credentials(vnr);
	rx_ref_forget(vnr);
	vnr->NodeTypeCode = NTC_UNDEFINED;
	ExFreePoolWithTag(vnr, RX_TAG_V_NET_ROOT);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
}

/**
 * RxFinalizeVNetRoot - tear down a view
 * @ThisVNetRoot:      [in] when TRUE is returned the pointer is dead
 * @RecursiveFinalize: [in] without effect
 * @ForceFinalize:     [in] TRUE: whatever the reference count is; open files are orphaned
 *
 * Context: <= APC_LEVEL; may block on the mini-redirector, and with force on requests that hold an FCB, unless
 *          the opens were orphaned before (RxFinalizeConnection does, without the lock).
 * Locks:   name table, exclusive, on entry and on return; takes FCB tables and FCBs.
 * Return:  FALSE when it is in use.
 * Page:    fcb/RxFinalizeVNetRoot.
 */
BOOLEAN RxFinalizeVNetRoot(PV_NET_ROOT ThisVNetRoot, BOOLEAN RecursiveFinalize, BOOLEAN ForceFinalize)
{
	PV_NET_ROOT vnr = ThisVNetRoot;
	PNET_ROOT nr = (PNET_ROOT)vnr->pNetRoot;
	PRX_PREFIX_TABLE table = rx_object_name_table(vnr);

	(void)RecursiveFinalize;
	if (!rx_finalize_has_name_table(table, "RxFinalizeVNetRoot", vnr))
		return FALSE;
	rx_assert_name_table_exclusive(table);
	if (vnr->ConnectionFinalizationDone) {
		if (rx_object_count(&vnr->NodeReferenceCount) != 0)
			return FALSE;
		rx_v_net_root_destroy(vnr);
		return TRUE;
	}
	if (!ForceFinalize && rx_object_count(&vnr->NodeReferenceCount) != 1)
		return FALSE;

	rx_scavenger_unmark(vnr);
	rx_prefix_table_depart(table, &vnr->PrefixEntry);
	if (vnr->Condition == Condition_Good) /* one that is bad stays so: its waiters read why */
		RxUpdateCondition(Condition_Closed, &vnr->Condition, &vnr->TransitionWaitList);
	if (!vnr->UpperFinalizationDone) {
		RxOrphanSrvOpens(vnr);
		rx_flag_set(&vnr->UpperFinalizationDone);
	}
	RxLog(("vnr=%lu finalize force=%u refs=%lu", vnr->SerialNumberForEnum, ForceFinalize,
	       rx_object_count(&vnr->NodeReferenceCount)));
	(void)rx_call_finalize_v_net_root(&vnr->Mrx, FALSE); /* ignored, and never forced: the page */

	RemoveEntryList(&vnr->NetRootListEntry);
	nr->NumberOfVirtualNetRoots--;
	if (nr->DefaultVNetRoot == vnr)
		nr->DefaultVNetRoot =
			IsListEmpty(&nr->VirtualNetRoots)
				? NULL
				: CONTAINING_RECORD(nr->VirtualNetRoots.Flink, V_NET_ROOT, NetRootListEntry);
	rx_flag_set(&vnr->ConnectionFinalizationDone);
	if (InterlockedDecrement(&vnr->NodeReferenceCount) == 0)
		rx_v_net_root_destroy(vnr);
	return TRUE;
}
