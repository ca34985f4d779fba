/*
 * cleanup.c - IRP_MJ_CLEANUP: the last handle on a file object is gone.
 *
 * Owns:   what a handle holds in the FCB: share access, the unclean counts, byte-range locks, pending notifies.
 * Locks:  FCB exclusive.
 *
 * The handle is gone whatever is answered; an error says that data which was kept back could not be written.
 *
 * Order for the last handle of a file: truncate or zero-extend, times and size that changed
 * (MRxSetFileInfoAtCleanup, one call each), then MRxCleanupFobx.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/minirdr/calldown.h"

/* Requests that may wait for ever, and end with their handle. */
static bool rx_cleanup_waits_for_others(PRX_CONTEXT rxc, PVOID fobx)
{
	bool notify = rxc->IrpMajorFunction == IRP_MJ_DIRECTORY_CONTROL &&
		      rxc->IrpMinorFunction == IRP_MN_NOTIFY_CHANGE_DIRECTORY;
	bool lock = rxc->IrpMajorFunction == IRP_MJ_LOCK_CONTROL && rxc->IrpMinorFunction == IRP_MN_LOCK;

	return (notify || lock) && rxc->IrpFobx == fobx;
}

static bool rx_cleanup_is_last(PFCB fcb)
{
	return fcb->UncleanCount == 0;
}

/* The times that a handle's own writes changed, unless its user has set them himself. */
static bool rx_cleanup_times_changed(PFCB fcb, PFOBX fobx, PFILE_OBJECT file)
{
	return fcb->IsFileWritten && (nt_file_flags(file) & FO_FILE_MODIFIED) != 0 &&
	       (fobx->Flags & FOBX_FLAG_USER_SET_LAST_WRITE) == 0 &&
	       (fcb->FcbState & FCB_STATE_FILETIMECACHEING_ENABLED) != 0;
}

static void rx_cleanup_set_info(PRX_CONTEXT rxc, FILE_INFORMATION_CLASS information_class, PVOID buffer,
				LONG length)
{
	rxc->Info.FileInformationClass = information_class;
	rxc->Info.Buffer = buffer;
	rxc->Info.Length = length;
	(void)rx_call_set_file_info_at_cleanup(rxc); /* ignored by the page: the handle is going */
	rxc->Info.Buffer = NULL;
}

/* Size and times that only this side knows, because the server let us keep them. */
static void rx_cleanup_push_metadata(PRX_CONTEXT rxc, PFCB fcb, PFOBX fobx, PFILE_OBJECT file)
{
	if (rx_cleanup_times_changed(fcb, fobx, file)) {
		FILE_BASIC_INFORMATION basic;

		RtlZeroMemory(&basic, sizeof(basic)); /* zero: leave this one as it is */
		KeQuerySystemTime(&basic.LastWriteTime);
		basic.ChangeTime = basic.LastWriteTime;
		rx_cleanup_set_info(rxc, FileBasicInformation, &basic, sizeof(basic));
	}
	if ((nt_file_flags(file) & FO_FILE_SIZE_CHANGED) != 0 &&
	    (fcb->FcbState & FCB_STATE_FILESIZECACHEING_ENABLED) != 0) {
		FILE_END_OF_FILE_INFORMATION eof;

		RxGetFileSizeWithLock(fcb, &eof.EndOfFile.QuadPart);
		rx_cleanup_set_info(rxc, FileEndOfFileInformation, &eof, sizeof(eof));
	}
}

static void rx_cleanup_last_handle(PRX_CONTEXT rxc, PFCB fcb, PFOBX fobx, PFILE_OBJECT file)
{
	bool deleted = (fcb->FcbState & FCB_STATE_DELETE_ON_CLOSE) != 0;

	if (NodeType(fcb) != RDBSS_NTC_STORAGE_TYPE_FILE && NodeType(fcb) != RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return;
	if ((fcb->FcbState & FCB_STATE_TRUNCATE_ON_CLOSE) != 0) {
		(void)rx_call_truncate(rxc); /* ignored by the page */
		fcb->FcbState &= ~(ULONG)FCB_STATE_TRUNCATE_ON_CLOSE;
	} else if (!deleted && (fcb->FcbState & FCB_STATE_PAGING_FILE) == 0 &&
		   fcb->Header.ValidDataLength.QuadPart < fcb->Header.FileSize.QuadPart) {
		(void)rx_call_zero_extend(rxc); /* ignored by the page */
		fcb->Header.ValidDataLength = fcb->Header.FileSize;
	}
	if (!deleted)
		rx_cleanup_push_metadata(rxc, fcb, fobx, file);
}

static void rx_cleanup_fobx(PRX_CONTEXT rxc, PFCB fcb, PFOBX fobx, PFILE_OBJECT file)
{
	PSRV_OPEN so = (PSRV_OPEN)fobx->pSrvOpen;

	/* the mark on the handle becomes one of the file: no later open may collapse onto it */
	if ((fobx->Flags & FOBX_FLAG_DELETE_ON_CLOSE) != 0)
		fcb->FcbState |= FCB_STATE_DELETE_ON_CLOSE;
	rx_locks_cleanup(rxc, fcb, fobx);
	/* a server sets the time of the writes when the handle closes: that must not come seconds later */
	if ((nt_file_flags(file) & FO_FILE_MODIFIED) != 0)
		so->Flags |= SRVOPEN_FLAG_COLLAPSING_DISABLED;
	ASSERT(so->UncleanFobxCount > 0);
	so->UncleanFobxCount--;
	if (rx_check_server_open(rxc) != STATUS_SUCCESS)
		return; /* nothing at the server to clean up */
	if (rx_cleanup_is_last(fcb))
		rx_cleanup_last_handle(rxc, fcb, fobx, file);
	(void)rx_call_cleanup_fobx(rxc); /* a cleanup cannot fail; the status is traced */
}

NTSTATUS NTAPI rx_common_cleanup(PRX_CONTEXT rxc, PIRP irp)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	PFCB fcb = (PFCB)rxc->pFcb;
	PFOBX fobx = (PFOBX)rxc->pFobx;
	NTSTATUS status, written = STATUS_SUCCESS;

	(void)irp;
	if ((nt_file_flags(file) & FO_CLEANUP_COMPLETE) != 0)
		return STATUS_SUCCESS;
	/* before the FCB is taken: their completion must not have to wait for it */
	if (fobx != NULL) {
		(void)InterlockedExchange(&fobx->CleanupBegun, TRUE); /* it says how it ended */
		(void)rx_cancel_matching(rxc->RxDeviceObject, rx_cleanup_waits_for_others, fobx);
	}

	status = rx_acquire_fcb_exclusive(rxc);
	ASSERT(status == STATUS_SUCCESS); /* a cleanup waits */
	if (status != STATUS_SUCCESS)
		return status;

	ASSERT(fcb->UncleanCount > 0);
	InterlockedDecrement((volatile LONG *)&fcb->UncleanCount);
	if ((nt_file_flags(file) & FO_NO_INTERMEDIATE_BUFFERING) != 0 && fcb->UncachedUncleanCount > 0)
		fcb->UncachedUncleanCount--;
	if (fobx != NULL) {
		written = rx_cache_cleanup(fcb, fobx, file);
		rx_cleanup_fobx(rxc, fcb, fobx, file);
	}
	IoRemoveShareAccess(file, &fcb->ShareAccess);
	nt_file_set_flags(file, FO_CLEANUP_COMPLETE);
	rx_release_fcb(rxc);
	return written;
}
