/*
 * netroot.c - one record per share of a server.
 *
 * Owns:      NET_ROOT from RxCreateNetRoot() to the free in rx_net_root_destroy(), in one allocation with the
 *            driver's extension and the name; its FCB table.
 * Found by:  the device's name table; that entry is a reference.
 * Locks:     name table, exclusive, for the life cycle and the list of views; the FCB table has its own lock.
 * Dies when: finalized (RxFinalizeNetRoot) and the last reference is gone. Holds its SRV_CALL until then.
 *
 *   Uninitialized --construct--> InTransition --first view built--> Good
 *                                     +--failed--> Bad
 *
 *   InTransition -> Good, Bad    core/connect/construct.c
 */
#include "core/object/object.h"

#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/work/work.h"

#define RX_TAG_NET_ROOT 'rNxR'

/**
 * RxCreateNetRoot - make the record of a share and enter its name
 * @SrvCall:        [in] its server; gains a reference
 * @Name:           [in] `\server\share`; copied
 * @NetRootFlags:   [in] stored as they are
 * @RxConnectionId: [in, optional] part of the key in the table
 *
 * Locks:  name table, exclusive.
 * Refs:   the record has one reference, the table's.
 * Return: the record in Condition_Uninitialized; NULL without memory, or when the name is taken.
 * Page:   fcb/RxCreateNetRoot.
 */
PNET_ROOT RxCreateNetRoot(PSRV_CALL SrvCall, PUNICODE_STRING Name, ULONG NetRootFlags,
			  PRX_CONNECTION_ID RxConnectionId)
{
	PRDBSS_DEVICE_OBJECT dev = SrvCall->RxDeviceObject;
	BOOLEAN managed = BooleanFlagOn(dev->Dispatch->MRxFlags, RDBSS_MANAGE_NET_ROOT_EXTENSION);
	ULONG extension = managed ? rx_object_align(dev->Dispatch->MRxNetRootSize) : 0;
	ULONG head = rx_object_align(sizeof(NET_ROOT));
	SIZE_T bytes = (SIZE_T)head + extension + Name->Length;
	USHORT insensitive = SrvCall->SrvCallName.Length;
	PNET_ROOT nr;

	rx_assert_name_table_exclusive(dev->pRxNetNameTable);
	nr = ExAllocatePoolWithTag(NonPagedPool, bytes, RX_TAG_NET_ROOT);
	if (nr == NULL)
		return NULL;
	RtlZeroMemory(nr, bytes);
	nr->NodeTypeCode = RDBSS_NTC_NETROOT;
	nr->NodeByteSize = sizeof(*nr);
	nr->NodeReferenceCount = 1;
	nr->pSrvCall = &SrvCall->Mrx;
	nr->Flags = NetRootFlags;
	nr->Type = NET_ROOT_WILD;
	nr->DeviceType = FILE_DEVICE_DISK;
	nr->SerialNumberForEnum = rx_object_next_serial();
	nr->Condition = Condition_Uninitialized;
	nr->DiskParameters.ClusterSize = 512;
	nr->DiskParameters.ReadAheadGranularity = ReadAheadGranularity;
	InitializeListHead(&nr->TransitionWaitList);
	InitializeListHead(&nr->ScavengerFinalizationList);
	InitializeListHead(&nr->PurgeSyncronizationContext.ContextsAwaitingPurgeCompletion);
	InitializeListHead(&nr->VirtualNetRoots);
	InitializeListHead(&nr->OrphanedFcbs);

	if (managed)
		nr->Context = (PUCHAR)nr + head;
	(void)rx_object_place_name(&nr->NetRootName, (PUCHAR)nr + head + extension, Name);
	nr->pNetRootName = &nr->NetRootName;
	nr->PrefixEntry.Prefix = nr->NetRootName;
	if (SrvCall->Flags & SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS)
		insensitive = Name->Length;

	if (RxPrefixTableInsertName(dev->pRxNetNameTable, &nr->PrefixEntry, nr,
				    (PULONG)&nr->NodeReferenceCount, insensitive, RxConnectionId) == NULL) {
		ExFreePoolWithTag(nr, RX_TAG_NET_ROOT);
		return NULL;
	}
	RxInitializeFcbTable(&nr->FcbTable,
			     BooleanFlagOn(SrvCall->Flags, SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES));
	RxReferenceSrvCall(SrvCall);
	RxLog(("nr=%lu created %wZ sc=%lu", nr->SerialNumberForEnum, &nr->NetRootName,
	       SrvCall->SerialNumberForEnum));
	return nr;
}

static void rx_net_root_destroy(PNET_ROOT nr)
{
	PSRV_CALL sc = (PSRV_CALL)nr->pSrvCall;

	RX_CHECK(rx_object_count(&nr->NodeReferenceCount) == 0 && IsListEmpty(&nr->VirtualNetRoots) &&
		 IsListEmpty(&nr->OrphanedFcbs));
	RxLog(("nr=%lu freed", nr->SerialNumberForEnum));
	rx_scavenger_unmark(nr);
	RemoveEntryList(&nr->PrefixEntry.MemberQLinks); /* the departed */
	RxFinalizeFcbTable(&nr->FcbTable);
	rx_ref_forget(nr);
	nr->NodeTypeCode = NTC_UNDEFINED;
	ExFreePoolWithTag(nr, RX_TAG_NET_ROOT);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
}

/**
 * RxFinalizeNetRoot - tear down the record of a share nobody uses
 * @ThisNetRoot:       [in] when TRUE is returned the pointer is dead
 * @RecursiveFinalize: [in] TRUE: FCBs that nobody uses, orphaned ones first of all, are finalized before
 * @ForceFinalize:     [in] TRUE: whatever the reference count is
 *
 * Context: <= APC_LEVEL; may block on the mini-redirector.
 * Locks:   name table, exclusive, on entry and on return; takes FCB tables.
 * Return:  FALSE when it is in use, or its finalization is under way already.
 * Page:    fcb/RxFinalizeNetRoot.
 */
BOOLEAN RxFinalizeNetRoot(PNET_ROOT ThisNetRoot, BOOLEAN RecursiveFinalize, BOOLEAN ForceFinalize)
{
	PNET_ROOT nr = ThisNetRoot;
	PRX_PREFIX_TABLE table = rx_object_name_table(nr);

	if (!rx_finalize_has_name_table(table, "RxFinalizeNetRoot", nr))
		return FALSE;
	rx_assert_name_table_exclusive(table);
	if (nr->Flags & NETROOT_FLAG_FINALIZATION_IN_PROGRESS)
		return FALSE;
	if (nr->UpperFinalizationDone) {
		if (rx_object_count(&nr->NodeReferenceCount) != 0)
			return FALSE;
		rx_net_root_destroy(nr);
		return TRUE;
	}

	nr->Flags |= NETROOT_FLAG_FINALIZATION_IN_PROGRESS;
	if (RecursiveFinalize)
		rx_net_root_purge_unused_fcbs(nr);
	if (!ForceFinalize && rx_object_count(&nr->NodeReferenceCount) != 1) {
		nr->Flags &= ~NETROOT_FLAG_FINALIZATION_IN_PROGRESS;
		return FALSE;
	}

	rx_scavenger_unmark(nr);
	rx_prefix_table_depart(table, &nr->PrefixEntry);
	nr->Flags |= NETROOT_FLAG_NAME_ALREADY_REMOVED;
	if (nr->Condition == Condition_Good) /* one that is bad stays so: its waiters read why */
		RxUpdateCondition(Condition_Closed, &nr->Condition, &nr->TransitionWaitList);
	RxLog(("nr=%lu finalize force=%u refs=%lu", nr->SerialNumberForEnum, ForceFinalize,
	       rx_object_count(&nr->NodeReferenceCount)));
	(void)rx_call_finalize_net_root(&nr->Mrx, FALSE); /* ignored, and never forced: the page */
	nr->Flags &= ~NETROOT_FLAG_FINALIZATION_IN_PROGRESS;
	rx_flag_set(&nr->UpperFinalizationDone);
	if (InterlockedDecrement(&nr->NodeReferenceCount) == 0)
		rx_net_root_destroy(nr);
	return TRUE;
}

/**
 * RxForceFinalizeAllVNetRoots - end every view of a share, whoever uses it
 *
 * Context: <= APC_LEVEL; waits for requests that hold an FCB of the share.
 * Locks:   name table, exclusive.
 * Page:    rxprocs/RxForceFinalizeAllVNetRoots.
 */
VOID RxForceFinalizeAllVNetRoots(PNET_ROOT NetRoot)
{
	if (!rx_finalize_has_name_table(rx_object_name_table(NetRoot), "RxForceFinalizeAllVNetRoots",
					NetRoot))
		return;
	rx_assert_name_table_exclusive(rx_object_name_table(NetRoot));
	RxReferenceNetRoot(NetRoot);
	while (!IsListEmpty(&NetRoot->VirtualNetRoots)) {
		PV_NET_ROOT vnr =
			CONTAINING_RECORD(NetRoot->VirtualNetRoots.Flink, V_NET_ROOT, NetRootListEntry);

		RX_CHECK(RxFinalizeVNetRoot(vnr, TRUE, TRUE)); /* takes it off the list */
	}
	RxDereferenceNetRoot(NetRoot, LHS_ExclusiveLockHeld);
}
