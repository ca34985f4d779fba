/*
 * driver.c - the SMB2/3 mini-redirector as a driver: entry, registration, call-down table, start and stop.
 *
 * Owns:      the device object and the driver-wide state (struct smb_driver).
 * Dies when: DriverUnload; the transport's thread ends when the driver stops.
 */
#include "mrx/smb/lease.h"
#include "mrx/smb/oplock.h"

#include "rxctl.h"

struct smb_driver mrx_smb;

/* (loop) */
static bool mrx_smb_broken(struct smb_conn *conn, const struct smb2_break *brk)
{
	return brk->is_lease ? smb_lease_break(conn, brk) : smb_oplock_break(conn, brk);
}

/* (loop) */
static void mrx_smb_lost(struct smb_conn *conn)
{
	smb_leases_lost(conn);
	smb_oplocks_lost(conn);
}

static NTSTATUS mrx_smb_start(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	NTSTATUS status;

	(void)RxContext;
	(void)RxDeviceObject;
	if (!smb2_random(mrx_smb.client_guid, sizeof(mrx_smb.client_guid)))
		return STATUS_ENCRYPTION_FAILED;
	status = smb_transport_start(&mrx_smb.transport);
	mrx_smb.transport.broken = mrx_smb_broken;
	mrx_smb.transport.lost = mrx_smb_lost;
	return status;
}

static NTSTATUS mrx_smb_stop(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	(void)RxContext;
	(void)RxDeviceObject;
	smb_transport_stop(&mrx_smb.transport);
	return STATUS_SUCCESS;
}

static NTSTATUS mrx_smb_dev_fcb_control(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;

	if (RxContext->MajorFunction != IRP_MJ_FILE_SYSTEM_CONTROL)
		return STATUS_INVALID_DEVICE_REQUEST;
	switch (low->ParamsFor.FsCtl.FsControlCode) {
	case FSCTL_RX_START:
		return RxStartMinirdr(RxContext, &RxContext->PostRequest);
	case FSCTL_RX_STOP:
		return RxStopMinirdr(RxContext, &RxContext->PostRequest);
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}

MINIRDR_DISPATCH mrx_smb_dispatch = {
	.NodeTypeCode = RDBSS_NTC_MINIRDR_DISPATCH,
	.NodeByteSize = sizeof(MINIRDR_DISPATCH),
	.MRxFlags = RDBSS_MANAGE_FOBX_EXTENSION,
	.MRxFobxSize = sizeof(struct smb_dir),
	/* s: not every server takes handle caching back before somebody else's deletion, so nobody waits for long */
	.ScavengerTimeout = 1,

	.MRxStart = mrx_smb_start,
	.MRxStop = mrx_smb_stop,
	.MRxDevFcbXXXControlFile = mrx_smb_dev_fcb_control,

	.MRxCreateSrvCall = mrx_smb_create_srv_call,
	.MRxSrvCallWinnerNotify = mrx_smb_srv_call_winner_notify,
	.MRxFinalizeSrvCall = mrx_smb_finalize_srv_call,
	.MRxCreateVNetRoot = mrx_smb_create_v_net_root,
	.MRxFinalizeVNetRoot = mrx_smb_finalize_v_net_root,
	.MRxFinalizeNetRoot = mrx_smb_finalize_net_root,
	.MRxExtractNetRootName = mrx_smb_extract_net_root_name,

	.MRxCreate = mrx_smb_create,
	.MRxShouldTryToCollapseThisOpen = mrx_smb_should_try_to_collapse,
	.MRxCollapseOpen = mrx_smb_collapse_open,
	.MRxCleanupFobx = mrx_smb_cleanup_fobx,
	.MRxCloseSrvOpen = mrx_smb_close_srv_open,
	.MRxForceClosed = mrx_smb_force_closed,
	.MRxDeallocateForFcb = mrx_smb_deallocate_for_fcb,
	.MRxDeallocateForFobx = mrx_smb_deallocate_for_fobx,
	.MRxFlush = mrx_smb_flush,
	.MRxTruncate = mrx_smb_truncate,
	.MRxZeroExtend = mrx_smb_zero_extend,
	.MRxAreFilesAliased = mrx_smb_are_files_aliased,
	.MRxIsValidDirectory = mrx_smb_is_valid_directory,
	.MRxComputeNewBufferingState = mrx_smb_compute_new_buffering_state,
	.MRxCompleteBufferingStateChangeRequest = mrx_smb_complete_buffering_state_change,

	.MRxQueryDirectory = mrx_smb_query_directory,
	.MRxQueryFileInfo = mrx_smb_query_file_info,
	.MRxSetFileInfo = mrx_smb_set_file_info,
	.MRxSetFileInfoAtCleanup = mrx_smb_set_file_info,
	.MRxQueryEaInfo = mrx_smb_query_ea_info,
	.MRxSetEaInfo = mrx_smb_set_ea_info,
	.MRxQuerySdInfo = mrx_smb_query_sd_info,
	.MRxSetSdInfo = mrx_smb_set_sd_info,
	.MRxQueryVolumeInfo = mrx_smb_query_volume_info,
	.MRxIsLockRealizable = mrx_smb_is_lock_realizable,

	.MRxLowIOSubmit =
		{
			[LOWIO_OP_READ] = mrx_smb_read,
			[LOWIO_OP_WRITE] = mrx_smb_write,
			[LOWIO_OP_SHAREDLOCK] = mrx_smb_lock,
			[LOWIO_OP_EXCLUSIVELOCK] = mrx_smb_lock,
			[LOWIO_OP_UNLOCK] = mrx_smb_lock,
			[LOWIO_OP_UNLOCK_MULTIPLE] = mrx_smb_unlock_multiple,
			[LOWIO_OP_FSCTL] = mrx_smb_fsctl,
			[LOWIO_OP_NOTIFY_CHANGE_DIRECTORY] = mrx_smb_notify,
		},
};

static VOID mrx_smb_unload(PDRIVER_OBJECT DriverObject)
{
	(void)DriverObject;
	if (mrx_smb.device != NULL)
		RxUnregisterMinirdr(mrx_smb.device);
	mrx_smb.device = NULL;
}

static NTSTATUS mrx_smb_fsd_dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
	return RxFsdDispatch((PRDBSS_DEVICE_OBJECT)DeviceObject, Irp);
}

NTSTATUS mrx_smb_driver_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
	UNICODE_STRING name = NT_STR(u"\\Device\\RdrSmb");
	NTSTATUS status = RxDriverEntry(DriverObject, RegistryPath);
	ULONG i;

	if (!NT_SUCCESS(status))
		return status;
	RtlZeroMemory(&mrx_smb, sizeof(mrx_smb));
	KeInitializeSpinLock(&mrx_smb.call_lock);
	smb_leases_init();
	smb_oplocks_init();
	status = RxRegisterMinirdr(&mrx_smb.device, DriverObject, &mrx_smb_dispatch,
				   RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS, &name, 0,
				   FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE);
	if (!NT_SUCCESS(status))
		return status;
	for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		DriverObject->MajorFunction[i] = mrx_smb_fsd_dispatch;
	DriverObject->DriverUnload = mrx_smb_unload;
	return STATUS_SUCCESS;
}
