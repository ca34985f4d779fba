/*
 * fileinfo.c - IRP_MJ_SET_INFORMATION.
 *
 * Owns:   what a successful change at the server means for the FCB: sizes, times, the mark of deletion. Names
 *         are rename.c's.
 * Locks:  FCB exclusive; for sizes also the paging I/O resource.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/dispatch/rename.h"
#include "core/minirdr/calldown.h"

/* The bytes a class needs at least; 0: the driver knows. */
static ULONG rx_set_minimum(FILE_INFORMATION_CLASS information_class)
{
	switch ((int)information_class) {
	case FileBasicInformation:
		return sizeof(FILE_BASIC_INFORMATION);
	case FileDispositionInformation:
		return sizeof(FILE_DISPOSITION_INFORMATION);
	case FileDispositionInformationEx:
		return sizeof(FILE_DISPOSITION_INFORMATION_EX);
	case FilePositionInformation:
		return sizeof(FILE_POSITION_INFORMATION);
	case FileAllocationInformation:
		return sizeof(FILE_ALLOCATION_INFORMATION);
	case FileEndOfFileInformation:
		return sizeof(FILE_END_OF_FILE_INFORMATION);
	case FileValidDataLengthInformation:
		return sizeof(FILE_VALID_DATA_LENGTH_INFORMATION);
	case FileRenameInformation:
	case FileRenameInformationEx:
	case FileLinkInformation:
	case FileLinkInformationEx:
		return FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName);
	default:
		return 0;
	}
}

static NTSTATUS rx_set_driver(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;

	rxc->Info.FileInformationClass = sp->Parameters.SetFile.FileInformationClass;
	rxc->Info.Buffer = irp->AssociatedIrp.SystemBuffer;
	rxc->Info.Length = (LONG)sp->Parameters.SetFile.Length;
	rxc->Info.ReplaceIfExists = sp->Parameters.SetFile.ReplaceIfExists;
	rxc->Info.AdvanceOnly = sp->Parameters.SetFile.AdvanceOnly;
	return rx_call_set_file_info(rxc);
}

/* A new attribute may forbid what the opens of the file are allowed (read-only): the server decides anew. */
static void rx_set_forbid_collapsing(PFCB fcb)
{
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks)->Flags |= SRVOPEN_FLAG_COLLAPSING_DISABLED;
}

/* A handle whose user has set a time himself does not have it moved by its writes. */
static NTSTATUS rx_set_basic(PRX_CONTEXT rxc, PIRP irp)
{
	const FILE_BASIC_INFORMATION *info = irp->AssociatedIrp.SystemBuffer;
	PFCB fcb = (PFCB)rxc->pFcb;
	PFOBX fobx = (PFOBX)rxc->pFobx;
	NTSTATUS status = rx_set_driver(rxc, irp);

	if (!rx_is_done(status))
		return status;
	/* 0: left as it is; -1 and -2: not a time but an order to the server */
	if (info->CreationTime.QuadPart > 0) {
		fcb->CreationTime = info->CreationTime;
		fobx->Flags |= FOBX_FLAG_USER_SET_CREATION;
	}
	if (info->LastAccessTime.QuadPart > 0) {
		fcb->LastAccessTime = info->LastAccessTime;
		fobx->Flags |= FOBX_FLAG_USER_SET_LAST_ACCESS;
	}
	if (info->LastWriteTime.QuadPart > 0) {
		fcb->LastWriteTime = info->LastWriteTime;
		fobx->Flags |= FOBX_FLAG_USER_SET_LAST_WRITE;
	}
	if (info->ChangeTime.QuadPart > 0) {
		fcb->LastChangeTime = info->ChangeTime;
		fobx->Flags |= FOBX_FLAG_USER_SET_LAST_CHANGE;
	}
	if (info->FileAttributes != 0 && info->FileAttributes != fcb->Attributes) {
		fcb->Attributes = info->FileAttributes;
		rx_set_forbid_collapsing(fcb);
	}
	return status;
}

static NTSTATUS rx_set_disposition(PRX_CONTEXT rxc, PIRP irp, bool extended)
{
	const FILE_DISPOSITION_INFORMATION *info = irp->AssociatedIrp.SystemBuffer;
	const FILE_DISPOSITION_INFORMATION_EX *info_ex = irp->AssociatedIrp.SystemBuffer;
	bool remove = extended ? (info_ex->Flags & FILE_DISPOSITION_DELETE) != 0 : info->DeleteFile != FALSE;
	PFCB fcb = (PFCB)rxc->pFcb;
	NTSTATUS status = rx_set_driver(rxc, irp);

	if (!rx_is_done(status))
		return status;
	rxc->CurrentIrpSp->FileObject->DeletePending = remove;
	if (remove) {
		fcb->FcbState |= FCB_STATE_DELETE_ON_CLOSE;
		rxc->pRelevantSrvOpen->Flags |= SRVOPEN_FLAG_COLLAPSING_DISABLED;
	} else {
		fcb->FcbState &= ~(ULONG)FCB_STATE_DELETE_ON_CLOSE;
	}
	return status;
}

static NTSTATUS rx_set_position(PRX_CONTEXT rxc, PIRP irp)
{
	const FILE_POSITION_INFORMATION *info = irp->AssociatedIrp.SystemBuffer;

	if (info->CurrentByteOffset.QuadPart < 0)
		return STATUS_INVALID_PARAMETER;
	rxc->CurrentIrpSp->FileObject->CurrentByteOffset = info->CurrentByteOffset;
	return STATUS_SUCCESS;
}

/* Locks: FCB and paging I/O exclusive. */
static void rx_set_local_size(PRX_CONTEXT rxc, LONGLONG size)
{
	PFCB fcb = (PFCB)rxc->pFcb;

	RxSetFileSizeWithLock(fcb, &size);
	if (fcb->Header.ValidDataLength.QuadPart > size)
		fcb->Header.ValidDataLength.QuadPart = size;
	if (fcb->Header.AllocationSize.QuadPart < size)
		fcb->Header.AllocationSize.QuadPart = size;
	nt_file_set_flags(rxc->CurrentIrpSp->FileObject, FO_FILE_SIZE_CHANGED | FO_FILE_MODIFIED);
}

static NTSTATUS rx_set_end_of_file(PRX_CONTEXT rxc, PIRP irp)
{
	const FILE_END_OF_FILE_INFORMATION *info = irp->AssociatedIrp.SystemBuffer;
	PFCB fcb = (PFCB)rxc->pFcb;
	LONGLONG size;
	NTSTATUS status;

	if (info->EndOfFile.QuadPart < 0 || NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return STATUS_INVALID_PARAMETER;
	if (rxc->CurrentIrpSp->Parameters.SetFile.AdvanceOnly) {
		/* the lazy writer's call: it never shrinks a file */
		RxGetFileSizeWithLock(fcb, &size);
		if (info->EndOfFile.QuadPart <= size)
			return STATUS_SUCCESS;
	}
	RxAcquirePagingIoResource(rxc, fcb);
	status = rx_set_driver(rxc, irp);
	if (rx_is_done(status)) {
		rx_set_local_size(rxc, info->EndOfFile.QuadPart);
		/* the server owns the bytes between the old end and the new one: they are zeroes there already */
		fcb->Header.ValidDataLength = fcb->Header.FileSize;
	}
	RxReleasePagingIoResource(rxc, fcb);
	return status;
}

static NTSTATUS rx_set_allocation(PRX_CONTEXT rxc, PIRP irp)
{
	const FILE_ALLOCATION_INFORMATION *info = irp->AssociatedIrp.SystemBuffer;
	PFCB fcb = (PFCB)rxc->pFcb;
	LONGLONG size;
	NTSTATUS status;

	if (info->AllocationSize.QuadPart < 0 || NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return STATUS_INVALID_PARAMETER;
	RxAcquirePagingIoResource(rxc, fcb);
	status = rx_set_driver(rxc, irp);
	if (rx_is_done(status)) {
		RxGetFileSizeWithLock(fcb, &size);
		if (info->AllocationSize.QuadPart < size)
			rx_set_local_size(rxc, info->AllocationSize.QuadPart); /* less room cuts the file */
		fcb->Header.AllocationSize = info->AllocationSize;
	}
	RxReleasePagingIoResource(rxc, fcb);
	return status;
}

static NTSTATUS rx_set_locked(PRX_CONTEXT rxc, PIRP irp)
{
	NTSTATUS status = STATUS_SUCCESS;

	rx_ahead_forget((PFCB)rxc->pFcb);
	/* a new end, or a time that later writes would move, comes after the data that was written before */
	if (rx_cache_has_data((PFCB)rxc->pFcb))
		status = rx_cache_flush_for((PFCB)rxc->pFcb, (PFOBX)rxc->pFobx);
	if (!NT_SUCCESS(status))
		return status;
	switch ((int)rxc->CurrentIrpSp->Parameters.SetFile.FileInformationClass) {
	case FileBasicInformation:
		return rx_set_basic(rxc, irp);
	case FileDispositionInformation:
		return rx_set_disposition(rxc, irp, false);
	case FileDispositionInformationEx:
		return rx_set_disposition(rxc, irp, true);
	case FilePositionInformation:
		return rx_set_position(rxc, irp);
	case FileAllocationInformation:
		return rx_set_allocation(rxc, irp);
	case FileEndOfFileInformation:
		return rx_set_end_of_file(rxc, irp);
	case FileModeInformation:
		return STATUS_NOT_SUPPORTED;
	default:
		return rx_set_driver(rxc, irp);
	}
}

static bool rx_set_is_rename(FILE_INFORMATION_CLASS information_class)
{
	return information_class == FileRenameInformation || information_class == FileRenameInformationEx;
}

static bool rx_set_is_link(FILE_INFORMATION_CLASS information_class)
{
	return information_class == FileLinkInformation || information_class == FileLinkInformationEx;
}

/*
 * Other opens of ours that only sleep would stand in the way of a deletion or a new name at the server; and their closes
 * would come after times or attributes that are set now.
 */
static void rx_set_wake_sleepers(PRX_CONTEXT rxc, FILE_INFORMATION_CLASS information_class)
{
	PNET_ROOT nr = (PNET_ROOT)rxc->pFcb->pNetRoot;
	bool directory = NodeType(rxc->pFcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY;

	if (!rx_set_is_rename(information_class) && !rx_set_is_link(information_class) &&
	    information_class != FileDispositionInformation &&
	    information_class != FileDispositionInformationEx && information_class != FileBasicInformation)
		return;
	/* a directory: all of the share, for those below it; a target that is replaced may sleep as well */
	(void)RxPurgeRelatedFobxs(nr, rxc, TRUE,
				  directory || rx_set_is_rename(information_class) ? NULL : (PFCB)rxc->pFcb);
	if (directory)
		RxScavengeFobxsForNetRoot(nr, NULL, FALSE);
}

NTSTATUS NTAPI rx_common_set_information(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	FILE_INFORMATION_CLASS information_class = sp->Parameters.SetFile.FileInformationClass;
	struct rx_rename rename;
	NTSTATUS status;

	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (sp->Parameters.SetFile.Length < rx_set_minimum(information_class) ||
	    sp->Parameters.SetFile.Length > INT32_MAX)
		return STATUS_INFO_LENGTH_MISMATCH;
	if (irp->AssociatedIrp.SystemBuffer == NULL)
		return STATUS_INVALID_PARAMETER;

	RtlZeroMemory(&rename, sizeof(rename));
	if (rx_set_is_rename(information_class) || rx_set_is_link(information_class)) {
		status = rx_rename_prepare(rxc, irp, &rename);
		if (!NT_SUCCESS(status))
			return status;
	}
	rx_set_wake_sleepers(rxc, information_class);

	status = rx_acquire_fcb_exclusive(rxc);
	if (status == STATUS_SUCCESS) {
		status = rx_check_server_open(rxc);
		if (status == STATUS_SUCCESS)
			status = rx_set_locked(rxc, irp);
		if (rx_is_done(status) && rx_set_is_rename(information_class)) {
			rx_rename_mark(rxc);
			rx_rename_apply(rxc, &rename);
		} else if (rx_is_done(status) && rx_set_is_link(information_class)) {
			/* until the server says it anew */
			__atomic_fetch_add(&((PFCB)rxc->pFcb)->NumberOfLinks, 1, __ATOMIC_RELAXED);
		}
		status = rx_release_or_post(rxc, status);
	}
	rx_rename_end(&rename);
	return status;
}
