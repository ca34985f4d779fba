/*
 * fcb.c - one record per file of a share that somebody has open, or had until a moment ago.
 *
 * Owns:      FCB from RxCreateNetFcb() to the free in rx_fcb_destroy(), in one allocation with its non-paged
 *            half, one SRV_OPEN, one FOBX, the driver's extensions of all three, and the name.
 * Found by:  the FCB table of its NET_ROOT; that entry is a reference.
 * Locks:     FCB table, exclusive, for the entry; the FCB itself (HeaderResource), exclusive, for the rest;
 *            AdvancedFcbHeaderMutex, a leaf, lets a reader walk SrvOpenList and FobxLists without the FCB.
 * Dies when: the last reference is gone, the table's included. Holds its NET_ROOT until then.
 *
 * Two stages (E-05). One: the FCB is detached, which takes it out of the table and gives up the table's
 * reference; at count 1, or earlier when it is orphaned. Two: at count 0 the memory goes. An orphaned FCB waits
 * for its last user on NET_ROOT.OrphanedFcbs, so that it can still be shown.
 */
#include "core/object/object.h"

#include "core/cache/cache.h"
#include "core/minirdr/calldown.h"
#include "core/name/name.h"

#define RX_TAG_FCB 'cFxR'

static ULONG rx_fcb_extension(PMINIRDR_DISPATCH dispatch, ULONG flag, ULONG bytes)
{
	return (dispatch->MRxFlags & flag) != 0 ? rx_object_align(bytes) : 0;
}

/*
 * Where the parts of the allocation begin. The name stands next to the FCB: a lookup in a large table reads
 * both, and they should be in one page.
 */
struct rx_fcb_layout {
	ULONG name, non_paged, srv_open, fobx, fcb_extension, srv_open_extension, fobx_extension, bytes;
};

static void rx_fcb_lay_out(PMINIRDR_DISPATCH dispatch, ULONG name_bytes, struct rx_fcb_layout *l)
{
	l->name = sizeof(FCB);
	l->non_paged = rx_object_align(l->name + name_bytes);
	l->srv_open = l->non_paged + rx_object_align(sizeof(NON_PAGED_FCB));
	l->fobx = l->srv_open + rx_object_align(sizeof(SRV_OPEN));
	l->fcb_extension = l->fobx + rx_object_align(sizeof(FOBX));
	l->srv_open_extension = l->fcb_extension +
				rx_fcb_extension(dispatch, RDBSS_MANAGE_FCB_EXTENSION, dispatch->MRxFcbSize);
	l->fobx_extension =
		l->srv_open_extension +
		rx_fcb_extension(dispatch, RDBSS_MANAGE_SRV_OPEN_EXTENSION, dispatch->MRxSrvOpenSize);
	l->bytes = l->fobx_extension +
		   rx_fcb_extension(dispatch, RDBSS_MANAGE_FOBX_EXTENSION, dispatch->MRxFobxSize);
}

static void rx_fcb_init_non_paged(PFCB fcb, PNON_PAGED_FCB np)
{
	np->NodeTypeCode = RDBSS_NTC_NONPAGED_FCB;
	np->NodeByteSize = sizeof(*np);
	(void)ExInitializeResourceLite(&np->HeaderResource); /* neither can fail: they allocate nothing */
	(void)ExInitializeResourceLite(&np->PagingIoResource);
	ExInitializeFastMutex(&np->AdvancedFcbHeaderMutex);
	ExInitializeFastMutex(&np->FileSizeLock);
	KeInitializeEvent(&np->TheActualEvent, NotificationEvent, FALSE);
	InitializeListHead(&np->TransitionWaitList);
	np->FcbBackPointer = fcb;

	fcb->NonPaged = np;
	fcb->FileSizeLock = &np->FileSizeLock;
	fcb->Header.NodeTypeCode = RDBSS_NTC_STORAGE_TYPE_UNKNOWN;
	fcb->Header.NodeByteSize = sizeof(*fcb);
	fcb->Header.Flags = FSRTL_FLAG_ADVANCED_HEADER;
	fcb->Header.Resource = &np->HeaderResource;
	fcb->Header.PagingIoResource = &np->PagingIoResource;
	fcb->Header.FastMutex = &np->AdvancedFcbHeaderMutex;
	InitializeListHead(&fcb->Header.FilterContexts);
}

/* The view's prefix, then the name, both behind the structures. */
static void rx_fcb_place_path(PFCB fcb, PUCHAR at, PCUNICODE_STRING prefix, PCUNICODE_STRING name)
{
	PUNICODE_STRING path = &fcb->FcbTableEntry.Path;

	at = rx_object_place_name(path, at, prefix);
	if (name->Length != 0)
		RtlCopyMemory(at, name->Buffer, name->Length);
	path->Length = path->MaximumLength = (USHORT)(path->Length + name->Length);
	fcb->PrivateAlreadyPrefixedName = *path;
	InitializeListHead(&fcb->FcbTableEntry.HashLinks);
}

static bool rx_fcb_is_paging_file(PIRP irp)
{
	return irp != NULL && (IoGetCurrentIrpStackLocation(irp)->Flags & SL_OPEN_PAGING_FILE) != 0;
}

/**
 * RxCreateNetFcb - make the record of a file and enter it in the table of its share
 * @RxContext: [in] the create
 * @Irp:       [in] its IRP
 * @VNetRoot:  [in] the view the file is opened through; its name prefix is put in front
 * @Name:      [in] `\path`; copied
 *
 * Locks:  FCB table of the share, exclusive.
 * Refs:   the FCB has two: the table's, and one for the caller. The NET_ROOT gains one.
 * Return: the FCB in Condition_Uninitialized; NULL without memory.
 * Page:   fcb/RxCreateNetFcb, E-48.
 */
PFCB RxCreateNetFcb(PRX_CONTEXT RxContext, PIRP Irp, PV_NET_ROOT VNetRoot, PUNICODE_STRING Name)
{
	PRDBSS_DEVICE_OBJECT dev = RxContext->RxDeviceObject;
	PMINIRDR_DISPATCH dispatch = dev->Dispatch;
	PNET_ROOT nr = (PNET_ROOT)VNetRoot->pNetRoot;
	bool paging_file = rx_fcb_is_paging_file(Irp);
	struct rx_fcb_layout l;
	PUCHAR base;
	PFCB fcb;

	rx_assert_fcb_table_exclusive(&nr->FcbTable);
	if ((ULONG)VNetRoot->NamePrefix.Length + Name->Length > MAXUSHORT - 1)
		return NULL;
	rx_fcb_lay_out(dispatch, (ULONG)VNetRoot->NamePrefix.Length + Name->Length, &l);
	base = ExAllocatePoolWithTag(paging_file ? NonPagedPool : PagedPool, l.bytes, RX_TAG_FCB);
	if (base == NULL)
		return NULL;
	RtlZeroMemory(base, l.bytes);

	fcb = (PFCB)base;
	rx_fcb_init_non_paged(fcb, (PNON_PAGED_FCB)(base + l.non_paged));
	fcb->InternalSrvOpen = (PSRV_OPEN)(base + l.srv_open);
	fcb->InternalFobx = (PFOBX)(base + l.fobx);
	if (l.srv_open_extension != l.fcb_extension)
		fcb->Context = base + l.fcb_extension;
	if (l.fobx_extension != l.srv_open_extension)
		fcb->InternalSrvOpenExtension = base + l.srv_open_extension;
	if (l.bytes != l.fobx_extension)
		fcb->InternalFobxExtension = base + l.fobx_extension;

	fcb->pNetRoot = &nr->Mrx;
	fcb->VNetRoot = VNetRoot;
	fcb->NodeReferenceCount = 2;
	fcb->Condition = Condition_Uninitialized;
	fcb->CachedNetRootType = nr->Type;
	fcb->RxDeviceObject = dev;
	fcb->MRxDispatch = dispatch;
	fcb->MRxFastIoDispatch = dev->DeviceObject.DriverObject != NULL
					 ? dev->DeviceObject.DriverObject->FastIoDispatch
					 : NULL;
	InitializeListHead(&fcb->SrvOpenList);
	InitializeListHead(&fcb->ScavengerFinalizationList);
	InitializeListHead(&fcb->LowIoPerFcbInfo.PagingIoReadsOutstanding);
	InitializeListHead(&fcb->LowIoPerFcbInfo.PagingIoWritesOutstanding);
	if (paging_file)
		fcb->FcbState |= FCB_STATE_PAGING_FILE;
	if (RxContext->Create.Flags & RX_CONTEXT_CREATE_FLAG_ADDEDBACKSLASH)
		fcb->FcbState |= FCB_STATE_ADDEDBACKSLASH;
	if (RxContext->Create.Flags & RX_CONTEXT_CREATE_FLAG_SPECIAL_PATH)
		fcb->FcbState |= FCB_STATE_SPECIAL_PATH;
	rx_fcb_place_path(fcb, base + l.name, &VNetRoot->NamePrefix, Name);

	if (!NT_SUCCESS(RxFcbTableInsertFcb(&nr->FcbTable, fcb))) {
		(void)ExDeleteResourceLite(&fcb->NonPaged->HeaderResource);
		(void)ExDeleteResourceLite(&fcb->NonPaged->PagingIoResource);
		ExFreePoolWithTag(fcb, RX_TAG_FCB);
		return NULL;
	}
	RxReferenceNetRoot(nr);
	(void)InterlockedIncrement(&nr->NumberOfFcbs);
	(void)InterlockedIncrement(&dev->NumberOfActiveFcbs);
	return fcb;
}

/* Stage one. The entry leaves the table, and with it goes the table's reference. */
static void rx_fcb_detach(PFCB fcb) RX_REQUIRES(rx_class_fcb_table) RX_REQUIRES(rx_class_fcb)
{
	PNET_ROOT nr = (PNET_ROOT)fcb->pNetRoot;

	if (fcb->UpperFinalizationDone)
		return;
	__atomic_store_n(&fcb->UpperFinalizationDone, TRUE, __ATOMIC_RELAXED); /* rx_fcb_let_go() */
	fcb->FcbState |= FCB_STATE_NAME_ALREADY_REMOVED;
	(void)RxFcbTableRemoveFcb(&nr->FcbTable, fcb); /* it is there: nobody else takes it out */
	InsertTailList(&nr->OrphanedFcbs, &fcb->FcbTableEntry.HashLinks);
	(void)InterlockedDecrement(&fcb->NodeReferenceCount);
}

/* Stage two. The FCB's lock is released on the way; the NET_ROOT must outlive the table lock of the caller. */
static void rx_fcb_destroy(PFCB fcb) RX_NO_TSA
{
	PNET_ROOT nr = (PNET_ROOT)fcb->pNetRoot;
	PRDBSS_DEVICE_OBJECT dev = fcb->RxDeviceObject;

	RX_CHECK(rx_object_count(&fcb->NodeReferenceCount) == 0 && IsListEmpty(&fcb->SrvOpenList));
	RX_CHECK((fcb->FcbState & (FCB_STATE_SRVOPEN_USED | FCB_STATE_FOBX_USED)) == 0);
	nt_cache_end(&fcb->NonPaged->SectionObjectPointers);
	rx_cache_end(fcb);
	(void)rx_call_deallocate_for_fcb(&fcb->Mrx);    /* ignored: the page */
	RemoveEntryList(&fcb->FcbTableEntry.HashLinks); /* NET_ROOT.OrphanedFcbs */
	ExReleaseResourceLite(&fcb->NonPaged->HeaderResource);
	(void)ExDeleteResourceLite(&fcb->NonPaged->HeaderResource);
	(void)ExDeleteResourceLite(&fcb->NonPaged->PagingIoResource);
	if (fcb->RenamedPath != NULL)
		ExFreePoolWithTag(fcb->RenamedPath, RX_TAG_FCB);
	rx_ref_forget(fcb);
	fcb->Header.NodeTypeCode = NTC_UNDEFINED;
	ExFreePoolWithTag(fcb, RX_TAG_FCB);
	(void)InterlockedDecrement(&nr->NumberOfFcbs);
	(void)InterlockedDecrement(&dev->NumberOfActiveFcbs);
	RxDereferenceNetRoot(nr, LHS_LockNotHeld);
}

/* Atomic: the scavenger, which has found a FOBX of the file, takes a reference with its own mutex only. */
static LONG rx_fcb_count(PFCB fcb)
{
	return (LONG)__atomic_load_n(&fcb->NodeReferenceCount, __ATOMIC_ACQUIRE);
}

/**
 * RxFinalizeNetFcb - tear down an FCB
 * @ThisFcb:           [in] when TRUE is returned the pointer is dead and its lock released
 * @RecursiveFinalize: [in] TRUE: its SRV_OPENs and FOBXs go first
 * @ForceFinalize:     [in] TRUE: detach it although it is referenced; builds with assertions assert on it
 * @ReferenceCount:    [in] the highest count at which force applies
 *
 * Detaches at count 1 or with force; frees at count 0.
 *
 * Context: <= APC_LEVEL; may block on the mini-redirector.
 * Locks:   FCB table of the share, exclusive, and the FCB, exclusive. The caller holds a reference on the
 *          NET_ROOT beside the FCB's, since the table lock is in it.
 * Return:  TRUE when the memory is gone; FALSE without the locks, and the caller was told (nt_misuse.h).
 * Page:    rxprocs/RxFinalizeNetFcb, E-05.
 */
BOOLEAN RxFinalizeNetFcb(PFCB ThisFcb, BOOLEAN RecursiveFinalize, BOOLEAN ForceFinalize, LONG ReferenceCount)
{
	PFCB fcb = ThisFcb;

	if (!RxIsFcbTableLockExclusive(&((PNET_ROOT)fcb->pNetRoot)->FcbTable)) {
		rx_object_misuse(NT_RULE_FINALIZE_LOCKED, "RxFinalizeNetFcb", fcb,
				 "the FCB table is not held exclusive: RxIsFcbTableLockExclusive");
		return FALSE;
	}
	if (!rx_finalize_has_fcb(fcb, "RxFinalizeNetFcb", fcb))
		return FALSE;
	rx_assert_fcb_table_exclusive(&((PNET_ROOT)fcb->pNetRoot)->FcbTable);
	rx_assert_fcb_exclusive(fcb);
	ASSERT(!ForceFinalize); /* whoever forces takes a file from its users: nobody in RDBSS does (E-05) */
	if (!RecursiveFinalize && (fcb->OpenCount != 0 || fcb->UncleanCount != 0))
		return FALSE;

	if (RecursiveFinalize) {
		PLIST_ENTRY link, next;

		for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = next) {
			next = link->Flink;
			(void)RxFinalizeSrvOpen(CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks), TRUE,
						ForceFinalize); /* FALSE: in use, and so is the FCB */
		}
	}
	if (rx_fcb_count(fcb) == 1 && !fcb->UpperFinalizationDone)
		rx_fcb_detach(fcb);
	else if (ForceFinalize && rx_fcb_count(fcb) <= ReferenceCount)
		rx_fcb_detach(fcb);
	if (rx_fcb_count(fcb) != 0)
		return FALSE;
	rx_fcb_destroy(fcb);
	return TRUE;
}

/* Atomic: references are taken without the FCB, while an open may make the type known. */
static void rx_fcb_check_type(PFCB fcb)
{
	NODE_TYPE_CODE code = __atomic_load_n(&fcb->Header.NodeTypeCode, __ATOMIC_RELAXED);

	RX_CHECK(NodeTypeIsFcb(&code));
	(void)code;
}

LONG RxpReferenceNetFcb(PFCB Fcb)
{
	rx_fcb_check_type(Fcb);
	return InterlockedIncrement(&Fcb->NodeReferenceCount);
}

LONG RxpDereferenceNetFcb(PFCB Fcb)
{
	ULONG now = rx_object_count(&Fcb->NodeReferenceCount);

	rx_fcb_check_type(Fcb);
	do {
		if (now == 0) {
			rx_object_misuse(NT_RULE_REFERENCE, "RxDereferenceNetFcb", Fcb,
					 "it has no reference to give up");
			return 0;
		}
	} while (!__atomic_compare_exchange_n(&Fcb->NodeReferenceCount, &now, now - 1, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
	return (LONG)(now - 1);
}

/* True when the reference was given up: others remain, and the last of them will finalize. */
static bool rx_fcb_drop_unless_last(PFCB fcb)
{
	for (;;) {
		ULONG last = __atomic_load_n(&fcb->UpperFinalizationDone, __ATOMIC_RELAXED) ? 0 : 1;
		ULONG now = __atomic_load_n(&fcb->NodeReferenceCount, __ATOMIC_ACQUIRE);

		if (now <= last) {
			rx_object_misuse(NT_RULE_REFERENCE, "RxDereferenceAndFinalizeNetFcb", fcb,
					 "it has no reference to give up");
			return true;
		}
		if (now == last + 1)
			return false;
		if (InterlockedCompareExchange((volatile LONG *)&fcb->NodeReferenceCount, (LONG)(now - 1),
					       (LONG)now) == (LONG)now)
			return true;
	}
}

/* Adds the table lock to the FCB lock, against the order: tries, and else lets the FCB go meanwhile. */
static void rx_fcb_lock_table_too(PRX_FCB_TABLE table, PFCB fcb) RX_NO_TSA
{
	while (!ExAcquireResourceExclusiveLite(&table->TableLock, FALSE)) {
		RxReleaseFcb(NULL, fcb);
		rx_fcb_table_lock(table);
		if (ExAcquireResourceExclusiveLite(fcb->Header.Resource, FALSE))
			return;
		/* somebody is at work on the file: never wait for that with the table locked */
		rx_fcb_table_unlock(table);
		(void)RxAcquireExclusiveFcb(NULL, fcb); /* without a context it waits */
	}
}

/**
 * RxpDereferenceAndFinalizeNetFcb - give up a reference, and finalize the FCB when it was the last
 * @Fcb:               [in] held exclusive by the caller
 * @RxContext:         [in, optional] the request that holds the FCB
 * @RecursiveFinalize: [in] as in RxFinalizeNetFcb()
 * @ForceFinalize:     [in] as in RxFinalizeNetFcb(); not used by the redirector itself
 *
 * Context: <= APC_LEVEL; may block.
 * Locks:   FCB exclusive. The FCB table is taken here when the caller does not hold it; for that the FCB may be
 *          dropped and taken again (the caller's reference keeps it).
 * Return:  TRUE: the FCB is gone, its lock with it. FALSE: the FCB is still held as before, and referenced by
 *          others; the caller releases it.
 * Page:    fcb/RxpDereferenceAndFinalizeNetFcb, E-06.
 */
BOOLEAN RxpDereferenceAndFinalizeNetFcb(PFCB Fcb, PRX_CONTEXT RxContext, BOOLEAN RecursiveFinalize,
					BOOLEAN ForceFinalize) RX_NO_TSA
{
	PNET_ROOT nr = (PNET_ROOT)Fcb->pNetRoot;
	BOOLEAN table_is_mine = FALSE;
	BOOLEAN finalized;
	LONG count;

	RX_CHECK(NodeTypeIsFcb(Fcb));
	if (!rx_finalize_has_fcb(Fcb, "RxDereferenceAndFinalizeNetFcb", Fcb))
		return FALSE;
	if (!RecursiveFinalize && !ForceFinalize && rx_fcb_drop_unless_last(Fcb))
		return FALSE;

	/* the table lock is inside the NET_ROOT, which the FCB may be the last to hold */
	RxReferenceNetRoot(nr);
	if (!RxIsFcbTableLockExclusive(&nr->FcbTable)) {
		rx_fcb_lock_table_too(&nr->FcbTable, Fcb);
		table_is_mine = TRUE;
	}
	count = RxpDereferenceNetFcb(Fcb);
	finalized = RxFinalizeNetFcb(Fcb, RecursiveFinalize, ForceFinalize, count);
	if (table_is_mine)
		rx_fcb_table_unlock(&nr->FcbTable);
	RxDereferenceNetRoot(nr, LHS_LockNotHeld);
	if (finalized && RxContext != NULL)
		(void)InterlockedDecrement(
			&RxContext->AcquireReleaseFcbTrackerX); /* the lock went with the FCB */
	return finalized;
}

void rx_fcb_let_go(PFCB fcb) RX_NO_TSA
{
	(void)RxpTrackDereference(RDBSS_REF_TRACK_NETFCB, __FILE__, __LINE__, fcb);
	/* whoever has the lock has a reference, too: either he finalizes, or it can be had */
	while (!rx_fcb_drop_unless_last(fcb)) {
		if (!ExAcquireResourceExclusiveLite(fcb->Header.Resource, FALSE))
			continue;
		if (!RxpDereferenceAndFinalizeNetFcb(fcb, NULL, FALSE, FALSE))
			RxReleaseFcb(NULL, fcb);
		return;
	}
}

void rx_fcb_orphan_locked(PFCB fcb)
{
	rx_assert_fcb_table_exclusive(&((PNET_ROOT)fcb->pNetRoot)->FcbTable);
	rx_assert_fcb_exclusive(fcb);
	fcb->FcbState |= FCB_STATE_ORPHANED;
	rx_fcb_detach(fcb);
}

void rx_fcb_forget_name_locked(PFCB fcb)
{
	rx_assert_fcb_table_exclusive(&((PNET_ROOT)fcb->pNetRoot)->FcbTable);
	rx_assert_fcb_exclusive(fcb);
	rx_fcb_detach(fcb);
}

NTSTATUS rx_fcb_rename_locked(PFCB fcb, PCUNICODE_STRING new_path)
{
	PRX_FCB_TABLE table = &((PNET_ROOT)fcb->pNetRoot)->FcbTable;
	PWCH memory;

	rx_assert_fcb_table_exclusive(table);
	rx_assert_fcb_exclusive(fcb);
	if (fcb->UpperFinalizationDone)
		return STATUS_NOT_FOUND;
	memory = ExAllocatePoolWithTag(PagedPool, new_path->Length + 1u, RX_TAG_FCB);
	if (memory == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	(void)RxFcbTableRemoveFcb(table, fcb); /* it is there: UpperFinalizationDone is FALSE */
	(void)rx_object_place_name(&fcb->FcbTableEntry.Path, (PUCHAR)memory, new_path);
	rx_fcb_lists_lock(fcb);
	fcb->PrivateAlreadyPrefixedName = fcb->FcbTableEntry.Path;
	rx_fcb_lists_unlock(fcb);
	if (fcb->RenamedPath != NULL)
		ExFreePoolWithTag(fcb->RenamedPath, RX_TAG_FCB);
	fcb->RenamedPath = memory;
	return RxFcbTableInsertFcb(table, fcb); /* the table has its buckets: cannot fail */
}

/* Finalizes one FCB that only the table refers to, when nobody is at work on it. Return: it is gone. */
static bool rx_fcb_purge_if_unused(PFCB fcb) RX_NO_TSA
{
	if (rx_object_count(&fcb->NodeReferenceCount) != 1 ||
	    !ExAcquireResourceExclusiveLite(fcb->Header.Resource, FALSE))
		return false;
	if (RxFinalizeNetFcb(fcb, FALSE, FALSE, 0))
		return true;
	ExReleaseResourceLite(fcb->Header.Resource);
	return false;
}

static bool rx_fcb_purge_visit(PFCB fcb, void *arg)
{
	(void)arg;
	(void)rx_fcb_purge_if_unused(fcb);
	return true;
}

void rx_net_root_purge_unused_fcbs(PNET_ROOT nr)
{
	RxReferenceNetRoot(nr);
	rx_fcb_table_lock(&nr->FcbTable);
	rx_fcb_table_for_each(&nr->FcbTable, rx_fcb_purge_visit, NULL);
	rx_fcb_table_unlock(&nr->FcbTable);
	/* the caller holds one too: this is never the last */
	RxDereferenceNetRoot(nr, LHS_LockNotHeld);
}
