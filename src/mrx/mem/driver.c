/*
 * driver.c - the reference mini-redirector as a driver: entry, registration, call-down table, start and stop.
 *
 * Owns:      the device object and the driver-wide state (struct mem_driver).
 * Dies when: DriverUnload; what the volumes hold is freed when the driver stops.
 */
#include "mem.h"
#include "rxctl.h"

struct mem_driver mrx_mem;

static NTSTATUS mrx_mem_start(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	(void)RxContext;
	(void)RxDeviceObject;
	return mem_pend_start();
}

static NTSTATUS mrx_mem_stop(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	(void)RxContext;
	(void)RxDeviceObject;
	mem_pend_stop();
	mem_volumes_release();
	return STATUS_SUCCESS;
}

static NTSTATUS mrx_mem_dev_fcb_control(PRX_CONTEXT RxContext)
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

MINIRDR_DISPATCH mrx_mem_dispatch = {
	.NodeTypeCode = RDBSS_NTC_MINIRDR_DISPATCH,
	.NodeByteSize = sizeof(MINIRDR_DISPATCH),
	.MRxFlags = RDBSS_MANAGE_FOBX_EXTENSION,
	.MRxFobxSize = sizeof(struct mem_scan),

	.MRxStart = mrx_mem_start,
	.MRxStop = mrx_mem_stop,
	.MRxDevFcbXXXControlFile = mrx_mem_dev_fcb_control,

	.MRxCreateSrvCall = mrx_mem_create_srv_call,
	.MRxSrvCallWinnerNotify = mrx_mem_srv_call_winner_notify,
	.MRxFinalizeSrvCall = mrx_mem_finalize_srv_call,
	.MRxCreateVNetRoot = mrx_mem_create_v_net_root,
	.MRxFinalizeVNetRoot = mrx_mem_finalize_v_net_root,
	.MRxFinalizeNetRoot = mrx_mem_finalize_net_root,
	.MRxExtractNetRootName = mrx_mem_extract_net_root_name,

	.MRxCreate = mrx_mem_create,
	.MRxShouldTryToCollapseThisOpen = mrx_mem_should_try_to_collapse,
	.MRxCollapseOpen = mrx_mem_collapse_open,
	.MRxCleanupFobx = mrx_mem_cleanup_fobx,
	.MRxCloseSrvOpen = mrx_mem_close_srv_open,
	.MRxForceClosed = mrx_mem_force_closed,
	.MRxFlush = mrx_mem_flush,
	.MRxTruncate = mrx_mem_truncate,
	.MRxZeroExtend = mrx_mem_zero_extend,
	.MRxDeallocateForFcb = mrx_mem_deallocate_for_fcb,
	.MRxComputeNewBufferingState = mrx_mem_compute_new_buffering_state,
	.MRxCompleteBufferingStateChangeRequest = mrx_mem_complete_buffering_state_change,
	.MRxAreFilesAliased = mrx_mem_are_files_aliased,

	.MRxQueryDirectory = mrx_mem_query_directory,
	.MRxQueryFileInfo = mrx_mem_query_file_info,
	.MRxSetFileInfo = mrx_mem_set_file_info,
	.MRxSetFileInfoAtCleanup = mrx_mem_set_file_info_at_cleanup,
	.MRxQueryEaInfo = mrx_mem_query_ea_info,
	.MRxSetEaInfo = mrx_mem_set_ea_info,
	.MRxQuerySdInfo = mrx_mem_query_sd_info,
	.MRxSetSdInfo = mrx_mem_set_sd_info,
	.MRxQueryVolumeInfo = mrx_mem_query_volume_info,
	.MRxIsValidDirectory = mrx_mem_is_valid_directory,
	.MRxIsLockRealizable = mrx_mem_is_lock_realizable,

	.MRxLowIOSubmit =
		{
			[LOWIO_OP_READ] = mrx_mem_read,
			[LOWIO_OP_WRITE] = mrx_mem_write,
			[LOWIO_OP_SHAREDLOCK] = mrx_mem_lock,
			[LOWIO_OP_EXCLUSIVELOCK] = mrx_mem_lock,
			[LOWIO_OP_UNLOCK] = mrx_mem_unlock,
			[LOWIO_OP_UNLOCK_MULTIPLE] = mrx_mem_unlock_multiple,
			[LOWIO_OP_FSCTL] = mrx_mem_fsctl,
			[LOWIO_OP_NOTIFY_CHANGE_DIRECTORY] = mrx_mem_notify,
		},
};

static VOID mrx_mem_unload(PDRIVER_OBJECT DriverObject)
{
	(void)DriverObject;
	if (mrx_mem.device != NULL)
		RxUnregisterMinirdr(mrx_mem.device);
	mrx_mem.device = NULL;
}

static NTSTATUS mrx_mem_fsd_dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
	return RxFsdDispatch((PRDBSS_DEVICE_OBJECT)DeviceObject, Irp);
}

NTSTATUS mrx_mem_driver_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
	UNICODE_STRING name = NT_STR(u"\\Device\\RdrMem");
	NTSTATUS status = RxDriverEntry(DriverObject, RegistryPath);
	ULONG i;

	if (!NT_SUCCESS(status))
		return status;
	RtlZeroMemory(&mrx_mem, sizeof(mrx_mem));
	ExInitializeFastMutex(&mrx_mem.mutex);
	InitializeListHead(&mrx_mem.volumes);
	status = RxRegisterMinirdr(&mrx_mem.device, DriverObject, &mrx_mem_dispatch,
				   RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS, &name, 0,
				   FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE);
	if (!NT_SUCCESS(status))
		return status;
	for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		DriverObject->MajorFunction[i] = mrx_mem_fsd_dispatch;
	DriverObject->DriverUnload = mrx_mem_unload;
	return STATUS_SUCCESS;
}
