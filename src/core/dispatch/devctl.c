/*
 * devctl.c - file objects that stand for no file: the redirector's device, and tree connections.
 *
 * Owns:   the reference on a V_NET_ROOT that a tree connection's file object holds (FsContext2).
 * Locks:  none; counts are interlocked.
 *
 * Both kinds have FsContext == &RxDeviceFCB. Control requests on them go to MRxDevFcbXXXControlFile, except
 * FSCTL_RX_QUERY_OBJECTS and FSCTL_RX_CHECK_OBJECTS, which the core answers itself, so that it is answered while a server is dead.
 */
#include "core/dispatch/create.h"

#include "core/context/context.h"
#include "core/minirdr/calldown.h"
#include "core/minirdr/minirdr.h"
#include "core/trace/trace.h"
#include "rxctl.h"

NTSTATUS rx_device_open(PRX_CONTEXT rxc, PIRP irp)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;

	InterlockedIncrement((volatile LONG *)&RxDeviceFCB.NodeReferenceCount);
	InterlockedIncrement((volatile LONG *)&RxDeviceFCB.OpenCount);
	file->FsContext = &RxDeviceFCB;
	file->FsContext2 = NULL;
	irp->IoStatus.Information = FILE_OPENED;
	return STATUS_SUCCESS;
}

NTSTATUS rx_tree_connection_open(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING remaining)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	PMRX_V_NET_ROOT vnr = rxc->Create.pVNetRoot;
	NTSTATUS status;

	if (remaining->Length > 0) {
		status = rx_call_is_valid_directory(rxc, remaining);
		if (!NT_SUCCESS(status))
			return status;
	}
	InterlockedIncrement((volatile LONG *)&RxDeviceFCB.NodeReferenceCount);
	InterlockedIncrement((volatile LONG *)&RxDeviceFCB.OpenCount);
	InterlockedIncrement((volatile LONG *)&vnr->NumberOfOpens);
	vnr->IsExplicitConnection = TRUE;
	file->FsContext = &RxDeviceFCB;
	file->FsContext2 = vnr;
	rxc->Create.pVNetRoot = NULL; /* the reference is the file object's now */
	irp->IoStatus.Information = FILE_OPENED;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI rx_device_cleanup(PRX_CONTEXT rxc, PIRP irp)
{
	(void)irp;
	nt_file_set_flags(rxc->CurrentIrpSp->FileObject, FO_CLEANUP_COMPLETE);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI rx_device_close(PRX_CONTEXT rxc, PIRP irp)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	PV_NET_ROOT vnr = file->FsContext2;

	(void)irp;
	file->FsContext = NULL;
	file->FsContext2 = NULL;
	InterlockedDecrement((volatile LONG *)&RxDeviceFCB.OpenCount);
	InterlockedDecrement((volatile LONG *)&RxDeviceFCB.NodeReferenceCount);
	if (vnr == NULL)
		return STATUS_SUCCESS;
	InterlockedDecrement((volatile LONG *)&vnr->NumberOfOpens);
	(void)RxAcquirePrefixTableLockExclusive(rxc->RxDeviceObject->pRxNetNameTable, TRUE);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	RxReleasePrefixTableLock(rxc->RxDeviceObject->pRxNetNameTable);
	return STATUS_SUCCESS;
}

/* METHOD_BUFFERED: one system buffer for both directions. */
static NTSTATUS NTAPI rx_device_query_objects(PRX_CONTEXT rxc, PIRP irp)
{
	ULONG capacity = rxc->CurrentIrpSp->Parameters.FileSystemControl.OutputBufferLength;
	PVOID buffer = irp->AssociatedIrp.SystemBuffer;
	ULONG_PTR written = 0;
	NTSTATUS status;

	if (buffer == NULL || capacity == 0)
		return STATUS_BUFFER_TOO_SMALL;
	status = rx_query_objects(rxc->RxDeviceObject, buffer, capacity, &written);
	irp->IoStatus.Information = written;
	return status;
}

static NTSTATUS NTAPI rx_device_check_objects(PRX_CONTEXT rxc, PIRP irp)
{
	ULONG capacity = rxc->CurrentIrpSp->Parameters.FileSystemControl.OutputBufferLength;
	PVOID buffer = irp->AssociatedIrp.SystemBuffer;
	ULONG_PTR written = 0;
	NTSTATUS status;

	if (buffer == NULL)
		return STATUS_BUFFER_TOO_SMALL;
	status = rx_query_check(rxc->RxDeviceObject, buffer, capacity, &written);
	irp->IoStatus.Information = written;
	return status;
}

/* What the core answers itself, so that it is answered while a server is dead. NULL: the driver's. */
static PRX_DISPATCH rx_device_own_control(PRX_CONTEXT rxc)
{
	if (rxc->MajorFunction != IRP_MJ_FILE_SYSTEM_CONTROL)
		return NULL;
	switch (rxc->CurrentIrpSp->Parameters.FileSystemControl.FsControlCode) {
	case FSCTL_RX_QUERY_OBJECTS:
		return rx_device_query_objects;
	case FSCTL_RX_CHECK_OBJECTS:
		return rx_device_check_objects;
	default:
		return NULL;
	}
}

/* The parameters of a control, as MRxDevFcbXXXControlFile expects them. */
static void rx_device_control_parameters(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PXXCTL_LOWIO_COMPONENT ctl = &rxc->LowIoContext.ParamsFor.FsCtl;

	RtlZeroMemory(&rxc->LowIoContext, sizeof(rxc->LowIoContext));
	if (rxc->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL) {
		rxc->LowIoContext.Operation = LOWIO_OP_FSCTL;
		ctl->FsControlCode = sp->Parameters.FileSystemControl.FsControlCode;
		ctl->InputBufferLength = sp->Parameters.FileSystemControl.InputBufferLength;
		ctl->OutputBufferLength = sp->Parameters.FileSystemControl.OutputBufferLength;
		ctl->MinorFunction = sp->MinorFunction;
	} else {
		rxc->LowIoContext.Operation = LOWIO_OP_IOCTL;
		ctl->IoControlCode = sp->Parameters.DeviceIoControl.IoControlCode;
		ctl->InputBufferLength = sp->Parameters.DeviceIoControl.InputBufferLength;
		ctl->OutputBufferLength = sp->Parameters.DeviceIoControl.OutputBufferLength;
	}
	rx_control_buffers(rxc, irp, ctl);
}

/* Never for the driver: RDBSS answers the prefix query itself. */
static bool rx_device_is_prefix_query(PRX_CONTEXT rxc)
{
	ULONG code = rxc->CurrentIrpSp->Parameters.DeviceIoControl.IoControlCode;

	return rxc->MajorFunction == IRP_MJ_DEVICE_CONTROL &&
	       (code == IOCTL_REDIR_QUERY_PATH || code == IOCTL_REDIR_QUERY_PATH_EX);
}

static bool rx_device_is_unknown_code(NTSTATUS status)
{
	return status == STATUS_INVALID_DEVICE_REQUEST || status == STATUS_NOT_IMPLEMENTED ||
	       status == STATUS_NOT_SUPPORTED || status == STATUS_INVALID_PARAMETER;
}

/*
 * The general start and stop, for a driver that has only codes of its own for them: what its control routine would
 * do. The answer stands as it is for any other code, and for a driver that knows these.
 */
static NTSTATUS rx_device_start_stop(PRX_CONTEXT rxc, NTSTATUS answer)
{
	if (rxc->MajorFunction != IRP_MJ_FILE_SYSTEM_CONTROL || !rx_device_is_unknown_code(answer))
		return answer;
	switch (rxc->CurrentIrpSp->Parameters.FileSystemControl.FsControlCode) {
	case FSCTL_RX_START:
		return RxStartMinirdr(rxc, &rxc->PostRequest);
	case FSCTL_RX_STOP:
		return RxStopMinirdr(rxc, &rxc->PostRequest);
	default:
		return answer;
	}
}

static NTSTATUS NTAPI rx_device_control(PRX_CONTEXT rxc, PIRP irp)
{
	PRX_DISPATCH own = rx_device_own_control(rxc);
	NTSTATUS status;

	if (own != NULL)
		return own(rxc, irp);
	if (rx_device_is_prefix_query(rxc))
		return RxPrefixClaim(rxc);

	rx_device_control_parameters(rxc, irp);
	rxc->InformationToReturn = 0;
	rxc->PostRequest = FALSE;
	status = rx_device_start_stop(rxc, rx_call_dev_fcb_control(rxc));
	if (status == STATUS_PENDING) {
		ASSERT(rxc->PostRequest); /* a device control does not pend in another way */
		return rx_post_for_driver(rxc);
	}
	irp->IoStatus.Information = NT_ERROR(status) ? 0 : rxc->InformationToReturn;
	return status;
}

static NTSTATUS NTAPI rx_device_query_volume(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PFILE_FS_DEVICE_INFORMATION info = irp->AssociatedIrp.SystemBuffer;

	if (sp->Parameters.QueryVolume.FsInformationClass != FileFsDeviceInformation)
		return STATUS_NOT_IMPLEMENTED;
	if (info == NULL || sp->Parameters.QueryVolume.Length < sizeof(*info))
		return STATUS_BUFFER_TOO_SMALL;
	info->DeviceType = rxc->RxDeviceObject->DeviceObject.DeviceType;
	info->Characteristics = FILE_REMOTE_DEVICE;
	irp->IoStatus.Information = sizeof(*info);
	return STATUS_SUCCESS;
}

/* Majors that are not here answer STATUS_INVALID_DEVICE_REQUEST. */
RX_FSD_DISPATCH_VECTOR rx_device_dispatch[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
	[IRP_MJ_CREATE] = {rx_common_create},
	[IRP_MJ_CLOSE] = {rx_device_close},
	[IRP_MJ_CLEANUP] = {rx_device_cleanup},
	[IRP_MJ_FILE_SYSTEM_CONTROL] = {rx_device_control},
	[IRP_MJ_DEVICE_CONTROL] = {rx_device_control},
	[IRP_MJ_INTERNAL_DEVICE_CONTROL] = {rx_device_control},
	[IRP_MJ_QUERY_VOLUME_INFORMATION] = {rx_device_query_volume},
};
