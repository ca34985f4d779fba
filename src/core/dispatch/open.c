/*
 * open.c - from a path under a share to an open file object.
 *
 * Owns:   the FCB reference and the counts of a file object, from a successful open to cleanup and close.
 * Locks:  FCB table (shared for the lookup, exclusive to create), then, without the table, the FCB exclusive.
 *         While the table is free an FCB found may die: after the FCB lock is granted it is checked again.
 *
 * The FCB stays held exclusive across MRxCreate: opens of one file come one after another, and what the first
 * one learns (type, sizes, buffering state) is there for the next.
 */
#include "core/dispatch/create.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/minirdr/calldown.h"
#include "core/object/object.h"

/* A create that the server or a race sends round again must end some time. */
#define RX_OPEN_ATTEMPTS 8

static PRX_FCB_TABLE rx_open_table(PRX_CONTEXT rxc)
{
	return &((PNET_ROOT)rxc->Create.pNetRoot)->FcbTable;
}

/* The FCB of a path, referenced once, found or made. NULL without memory. */
static PFCB rx_open_find_or_create_fcb(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path)
{
	PRX_FCB_TABLE table = rx_open_table(rxc);
	UNICODE_STRING full = *path;
	PFCB fcb;

	if (rx_open_prefixed_name((PV_NET_ROOT)rxc->Create.pVNetRoot, path, &full) != STATUS_SUCCESS)
		return NULL;

	RxAcquireFcbTableLockShared(table, TRUE);
	fcb = RxFcbTableLookupFcb(table, &full);
	RxReleaseFcbTableLock(table);
	if (fcb == NULL) {
		RxAcquireFcbTableLockExclusive(table, TRUE);
		fcb = RxFcbTableLookupFcb(table, &full); /* somebody else may have been faster */
		if (fcb == NULL)                         /* comes with two references: the table's and ours */
			fcb = RxCreateNetFcb(rxc, irp, (PV_NET_ROOT)rxc->Create.pVNetRoot, path);
		RxReleaseFcbTableLock(table);
	}
	if (full.Buffer != path->Buffer)
		ExFreePool(full.Buffer);
	return fcb;
}

static bool rx_open_fcb_is_dying(PFCB fcb)
{
	return fcb->UpperFinalizationDone ||
	       (fcb->FcbState & (FCB_STATE_ORPHANED | FCB_STATE_NAME_ALREADY_REMOVED)) != 0;
}

static void rx_open_set_fcb(PRX_CONTEXT rxc, PFCB fcb)
{
	rxc->pFcb = (PMRX_FCB)fcb;
	rxc->NonPagedFcb = fcb != NULL ? fcb->NonPaged : NULL;
	rxc->pFobx = NULL;
	rxc->pRelevantSrvOpen = NULL;
}

/* rxc->pFcb: referenced once and held exclusive. */
static NTSTATUS rx_open_acquire_fcb(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path)
{
	unsigned int attempt;

	for (attempt = 0; attempt < RX_OPEN_ATTEMPTS; attempt++) {
		PFCB fcb = rx_open_find_or_create_fcb(rxc, irp, path);
		NTSTATUS status;

		if (fcb == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		rx_open_set_fcb(rxc, fcb);
		status = rx_acquire_fcb_exclusive(rxc);
		if (status != STATUS_SUCCESS) {
			rx_open_set_fcb(rxc, NULL);
			rx_fcb_let_go(fcb);
			return status;
		}
		if (!rx_open_fcb_is_dying(fcb))
			return STATUS_SUCCESS;
		rx_release_and_dereference_fcb(rxc, fcb);
	}
	return STATUS_UNSUCCESSFUL;
}

/* Local openers and their sharing; the server checks those of other machines. Locks: FCB exclusive. */
static NTSTATUS rx_open_check_sharing(PRX_CONTEXT rxc, PFILE_OBJECT file)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PNT_CREATE_PARAMETERS p = &rxc->Create.NtCreateParameters;

	if (fcb->UncleanCount == 0)
		return STATUS_SUCCESS;
	return IoCheckShareAccess(p->DesiredAccess, p->ShareAccess, file, &fcb->ShareAccess, FALSE);
}

static void rx_open_update_sharing(PRX_CONTEXT rxc, PFILE_OBJECT file)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PNT_CREATE_PARAMETERS p = &rxc->Create.NtCreateParameters;

	if (fcb->UncleanCount == 0)
		IoSetShareAccess(p->DesiredAccess, p->ShareAccess, file, &fcb->ShareAccess);
	else /* checked before; updates the file object and the counts */
		(void)IoCheckShareAccess(p->DesiredAccess, p->ShareAccess, file, &fcb->ShareAccess, TRUE);
}

/* From here the file object counts. Locks: FCB exclusive. */
static void rx_open_bind_file_object(PRX_CONTEXT rxc, PFILE_OBJECT file)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PMRX_FOBX fobx = rxc->pFobx;
	PMRX_SRV_OPEN so = rxc->pRelevantSrvOpen;
	ULONG options = rxc->Create.NtCreateParameters.CreateOptions;

	rx_open_update_sharing(rxc, file);
	InterlockedIncrement((volatile LONG *)&fcb->UncleanCount);
	InterlockedIncrement((volatile LONG *)&fcb->OpenCount);
	if ((nt_file_flags(file) & FO_NO_INTERMEDIATE_BUFFERING) != 0)
		fcb->UncachedUncleanCount++;
	so->UncleanFobxCount++;
	so->OpenCount++;

	if ((options & FILE_DELETE_ON_CLOSE) != 0)
		fobx->Flags |= FOBX_FLAG_DELETE_ON_CLOSE;
	if ((options & FILE_OPEN_FOR_BACKUP_INTENT) != 0)
		fobx->Flags |= FOBX_FLAG_BACKUP_INTENT;
	if ((rxc->Create.Flags & RX_CONTEXT_CREATE_FLAG_UNC_NAME) != 0)
		fobx->Flags |= FOBX_FLAG_UNC_NAME;
	rx_cache_open(fcb, (PFOBX)fobx);
	fobx->AssociatedFileObject = file;
	file->SectionObjectPointer = &fcb->NonPaged->SectionObjectPointers;
	file->FsContext2 = fobx;
	file->FsContext = fcb;
}

/* The server emptied the file: what is remembered of its contents is wrong. Locks: FCB exclusive. */
static void rx_open_note_overwrite(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	LONGLONG zero = 0;

	if (rxc->Create.ReturnedCreateInformation != FILE_OVERWRITTEN &&
	    !(rxc->Create.ReturnedCreateInformation == FILE_SUPERSEDED &&
	      rxc->Create.NtCreateParameters.Disposition == FILE_SUPERSEDE))
		return;
	rx_ahead_forget(fcb);
	rx_cache_forget(fcb); /* it could not be written before: now it would come after */
	RxAcquirePagingIoResource(rxc, fcb);
	RxSetFileSizeWithLock(fcb, &zero);
	fcb->Header.ValidDataLength.QuadPart = 0;
	RxReleasePagingIoResource(rxc, fcb);
}

PRX_QUERY_ON_CREATE_ECP rx_open_query(PIRP irp)
{
	PRX_QUERY_ON_CREATE_ECP ecp = NULL;
	PECP_LIST list = NULL;
	ULONG size = 0;

	if (irp == NULL || !NT_SUCCESS(FsRtlGetEcpListFromIrp(irp, &list)) || list == NULL ||
	    !NT_SUCCESS(FsRtlFindExtraCreateParameter(list, &RX_ECP_QUERY_ON_CREATE, (PVOID *)&ecp, &size)) ||
	    size < sizeof(*ecp))
		return NULL;
	return ecp;
}

/* Who keeps data above us learns whether he may. Locks: FCB exclusive. */
static void rx_open_tell_opener(PRX_CONTEXT rxc, PIRP irp, bool collapsed)
{
	PRX_QUERY_ON_CREATE_ECP ecp = rx_open_query(irp);
	LONG64 number; /* drivers look at it without the FCB, when they are asked for other names of a file */

	if (ecp == NULL)
		return;
	/* a link may have travelled with the create: by its other names, too, who asks finds what is kept back here */
	if ((ecp->Supplied & RX_QOC_STAT) != 0) {
		__atomic_store_n(&((PFCB)rxc->pFcb)->NumberOfLinks, ecp->Stat.NumberOfLinks,
				 __ATOMIC_RELAXED);
		rx_cache_size_by_other_name((PFCB)rxc->pFcb, ecp->Stat.FileId.QuadPart,
					    &ecp->Stat.EndOfFile.QuadPart);
	}
	number = __atomic_load_n(&rxc->pFcb->IndexNumber.QuadPart, __ATOMIC_RELAXED);
	if ((ecp->Requested & RX_QOC_ID) != 0 && collapsed && number != 0) {
		ecp->Stat.FileId.QuadPart = number;
		ecp->Supplied |= RX_QOC_ID;
	}
	if ((rxc->pRelevantSrvOpen->Flags & SRVOPEN_FLAG_CLOSED) == 0)
		ecp->BufferingState = rxc->pFcb->FcbState & FCB_STATE_BUFFERING_STATE_MASK;
	ecp->CacheGeneration = nt_cache_generation(&((PFCB)rxc->pFcb)->NonPaged->SectionObjectPointers);
}

/* Who keeps pages of the file hears of a size that the server has told now. Locks: FCB exclusive. */
static void rx_open_tell_sizes(PRX_CONTEXT rxc, PFILE_OBJECT file, LONGLONG before)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	CC_FILE_SIZES sizes = {fcb->Header.AllocationSize, fcb->Header.FileSize, fcb->Header.ValidDataLength};

	if (sizes.FileSize.QuadPart != before && CcIsFileCached(file))
		CcSetFileSizes(file, &sizes);
}

/* The server may send the data of a small file along. */
static NTSTATUS rx_open_and_read(PRX_CONTEXT rxc, PIRP irp)
{
	PRX_QUERY_ON_CREATE_ECP ecp = rx_open_query(irp);
	struct rx_segment *data = rx_ahead_prepare((PFCB)rxc->pFcb, ecp);
	NTSTATUS status = rx_open_at_server(rxc);

	rx_ahead_settle((PFCB)rxc->pFcb, status == STATUS_SUCCESS ? (PFOBX)rxc->pFobx : NULL, data, ecp);
	return status;
}

/* One try with the FCB held exclusive; it stays held and referenced. */
static NTSTATUS rx_open_once(PRX_CONTEXT rxc, PIRP irp)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	LONGLONG size = ((PFCB)rxc->pFcb)->Header.FileSize.QuadPart;
	NTSTATUS status = rx_open_check_sharing(rxc, file);
	bool collapsed;

	if (!NT_SUCCESS(status))
		return status;
	/* the open may ask for sizes and times, or empty the file; a failure is for those who wrote */
	rx_cache_before_open((PFCB)rxc->pFcb);
	status = rx_open_collapse(rxc);
	collapsed = status == STATUS_SUCCESS;
	if (!collapsed)
		status = rx_open_and_read(rxc, irp);
	if (status == STATUS_REPARSE || !NT_SUCCESS(status))
		return status;

	if (rx_context_is_cancelled(rxc)) {
		/* applied at the server all the same: nobody will close it but us */
		rx_open_undo(rxc);
		return STATUS_CANCELLED;
	}
	rx_open_note_overwrite(rxc);
	rx_open_bind_file_object(rxc, file);
	rx_open_tell_sizes(rxc, file, size);
	rx_open_tell_opener(rxc, irp, collapsed);
	if (rxc->Create.ReturnedCreateInformation != 0)
		irp->IoStatus.Information = rxc->Create.ReturnedCreateInformation;
	return STATUS_SUCCESS;
}

/*
 * Something dormant of ours may stand in the way at the server: end it and try once more. The FCB is not held
 * here: purging takes it.
 */
static bool rx_open_purge_and_retry(PRX_CONTEXT rxc, NTSTATUS status)
{
	if (status != STATUS_ACCESS_DENIED && status != STATUS_SHARING_VIOLATION &&
	    status != STATUS_DELETE_PENDING)
		return false;
	if (rxc->Create.ScavengingAlreadyTried)
		return false;
	rxc->Create.ScavengingAlreadyTried = TRUE;
	return NT_SUCCESS(RxPurgeRelatedFobxs((PNET_ROOT)rxc->Create.pNetRoot, rxc, TRUE, NULL));
}

/*
 * The driver found that the name belongs to another file now: later opens get a new FCB, the users of this one
 * keep it. Drops the FCB and takes it again: the table comes first in the lock order.
 */
static void rx_open_forget_name(PRX_CONTEXT rxc, PFCB fcb)
{
	PRX_FCB_TABLE table = rx_open_table(rxc);

	rx_release_fcb(rxc);
	RxAcquireFcbTableLockExclusive(table, TRUE);
	(void)RxAcquireExclusiveFcb(rxc, fcb); /* waits: an open is never posted */
	if ((fcb->FcbState & FCB_STATE_NAME_ALREADY_REMOVED) == 0)
		rx_fcb_forget_name_locked(fcb);
	RxReleaseFcbTableLock(table);
}

/* What sleeps of the file by this name. */
static void rx_open_end_sleepers_of(PRX_CONTEXT rxc, PUNICODE_STRING path)
{
	PRX_FCB_TABLE table = rx_open_table(rxc);
	UNICODE_STRING full = *path;
	PFCB fcb;

	if (rx_open_prefixed_name((PV_NET_ROOT)rxc->Create.pVNetRoot, path, &full) != STATUS_SUCCESS)
		return;
	RxAcquireFcbTableLockShared(table, TRUE);
	fcb = RxFcbTableLookupFcb(table, &full);
	RxReleaseFcbTableLock(table);
	if (fcb != NULL) {
		(void)RxPurgeRelatedFobxs((PNET_ROOT)rxc->Create.pNetRoot, rxc, TRUE, fcb);
		rx_fcb_let_go(fcb);
	}
	if (full.Buffer != path->Buffer)
		ExFreePool(full.Buffer);
}

/* Does a change of that class travel with the create? */
static bool rx_open_sets(const RX_QUERY_ON_CREATE_ECP *ecp, FILE_INFORMATION_CLASS class)
{
	ULONG i;

	for (i = 0; (ecp->Requested & RX_QOC_SET) != 0 && i < ecp->SetCount; i++)
		if (ecp->Set[i].Class == class)
			return true;
	return false;
}

/*
 * A change that travels with the create (rxecp.h). Of a new name: what sleeps of the file that it replaces would be found
 * by it. So would be what sleeps of a file that somebody else has replaced, when the opener knows that; or moved away,
 * when he makes a new one of that name. Of times, sizes
 * and attributes: the closes of what sleeps of the file itself would come after them.
 * Before any FCB is held: purging waits for them.
 */
static void rx_open_end_sleepers(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path)
{
	const RX_QUERY_ON_CREATE_ECP *ecp = rx_open_query(irp);
	bool fresh, made;

	if (ecp == NULL)
		return;
	fresh = (ecp->Requested & RX_QOC_FRESH) != 0;
	made = rxc->Create.NtCreateParameters.Disposition == FILE_OPEN_IF;
	if (rx_open_sets(ecp, FileBasicInformation) || rx_open_sets(ecp, FileEndOfFileInformation) ||
	    (fresh && made))
		rx_open_end_sleepers_of(rxc, path);
	if ((fresh && !made) || rx_open_sets(ecp, FileRenameInformation) ||
	    rx_open_sets(ecp, FileRenameInformationEx))
		(void)RxPurgeRelatedFobxs((PNET_ROOT)rxc->Create.pNetRoot, rxc, TRUE, NULL);
}

/* A listing that comes with the create shows sizes.  Locks: none. */
static void rx_open_flush_listed(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path)
{
	const RX_QUERY_ON_CREATE_ECP *ecp = rx_open_query(irp);
	PFCB fcb;

	if (ecp == NULL || (ecp->Requested & RX_QOC_LIST) == 0)
		return;
	fcb = rx_open_find_or_create_fcb(rxc, irp, path);
	if (fcb == NULL)
		return; /* nor will the open find memory for it */
	rx_cache_flush_directory((PNET_ROOT)rxc->Create.pNetRoot, fcb);
	rx_fcb_let_go(fcb);
}

NTSTATUS rx_open_file(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path)
{
	NTSTATUS status = STATUS_UNSUCCESSFUL;
	unsigned int attempt;

	rx_open_end_sleepers(rxc, irp, path);
	/* the name may be another one of a file with data here */
	rx_cache_flush_directory((PNET_ROOT)rxc->Create.pNetRoot, NULL);
	rx_open_flush_listed(rxc, irp, path);
	for (attempt = 0; attempt < RX_OPEN_ATTEMPTS; attempt++) {
		PFCB fcb;

		status = rx_open_acquire_fcb(rxc, irp, path);
		if (status != STATUS_SUCCESS)
			return status;
		fcb = (PFCB)rxc->pFcb;
		status = rx_open_once(rxc, irp);
		if (status == STATUS_SUCCESS) {
			rx_release_fcb(rxc); /* the reference is the file object's now */
			return status;
		}
		if (status == STATUS_RETRY && fcb->fShouldBeOrphaned)
			rx_open_forget_name(rxc, fcb);
		rx_release_and_dereference_fcb(rxc, fcb);
		rx_open_set_fcb(rxc, NULL);
		if (rx_context_is_cancelled(rxc))
			return STATUS_CANCELLED;
		if (status != STATUS_RETRY && !rx_open_purge_and_retry(rxc, status))
			break;
	}
	return status == STATUS_RETRY ? STATUS_UNSUCCESSFUL : status;
}

NTSTATUS rx_open_target_directory(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	NTSTATUS status = rx_open_acquire_fcb(rxc, irp, path);
	PFCB fcb;

	if (status != STATUS_SUCCESS)
		return status;
	fcb = (PFCB)rxc->pFcb;
	/* the rename itself finds out whether the directory exists; this is only its name */
	InterlockedIncrement((volatile LONG *)&fcb->UncleanCount);
	InterlockedIncrement((volatile LONG *)&fcb->OpenCount);
	file->FsContext = fcb;
	file->FsContext2 = NULL;
	irp->IoStatus.Information = FILE_DOES_NOT_EXIST;
	rx_release_fcb(rxc);
	return STATUS_SUCCESS;
}
