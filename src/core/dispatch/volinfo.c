/*
 * volinfo.c - IRP_MJ_QUERY_VOLUME_INFORMATION and IRP_MJ_SET_VOLUME_INFORMATION.
 *
 * Locks:  FCB shared.
 *
 * Which device a share is, the core knows itself; the rest comes from the mini-redirector.
 */
#include "core/dispatch/dispatch.h"

#include "core/minirdr/calldown.h"

static NTSTATUS rx_volume_device(PRX_CONTEXT rxc, PIRP irp, ULONG length)
{
	PFILE_FS_DEVICE_INFORMATION info = RxMapSystemBuffer(rxc, irp);

	if (length < sizeof(*info))
		return STATUS_INFO_LENGTH_MISMATCH;
	if (info == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	info->Characteristics = FILE_REMOTE_DEVICE;
	info->DeviceType = rxc->pFcb->pNetRoot->Type == NET_ROOT_PIPE ? FILE_DEVICE_NAMED_PIPE
								      : rxc->pFcb->pNetRoot->DeviceType;
	if (info->DeviceType == 0)
		info->DeviceType = FILE_DEVICE_DISK;
	irp->IoStatus.Information = sizeof(*info);
	return STATUS_SUCCESS;
}

/* STATUS_PENDING: the driver wants it run by a worker. */
static NTSTATUS rx_volume_query_driver(PRX_CONTEXT rxc, PIRP irp, ULONG length)
{
	NTSTATUS status;

	rxc->Info.FsInformationClass = rxc->CurrentIrpSp->Parameters.QueryVolume.FsInformationClass;
	rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
	rxc->Info.LengthRemaining = (LONG)length;
	if (rxc->Info.Buffer == NULL && length > 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = rx_call_query_volume_info(rxc);
	if (status == STATUS_PENDING)
		return status;
	if (!NT_ERROR(status) && rxc->Info.LengthRemaining >= 0 && (ULONG)rxc->Info.LengthRemaining <= length)
		irp->IoStatus.Information = length - (ULONG)rxc->Info.LengthRemaining;
	return status;
}

NTSTATUS NTAPI rx_common_query_volume(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	ULONG length = sp->Parameters.QueryVolume.Length;
	NTSTATUS status;

	if (rxc->pFobx == NULL || length > INT32_MAX)
		return STATUS_INVALID_DEVICE_REQUEST;
	status = rx_acquire_fcb_shared(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS) {
		rxc->PostRequest = FALSE;
		if (sp->Parameters.QueryVolume.FsInformationClass == FileFsDeviceInformation)
			status = rx_volume_device(rxc, irp, length);
		else
			status = rx_volume_query_driver(rxc, irp, length);
	}
	rx_release_fcb(rxc);
	if (rxc->PostRequest)
		return rx_post_for_driver(rxc);
	ASSERT(status != STATUS_PENDING);
	return status;
}

static NTSTATUS rx_volume_set_locked(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;

	rxc->Info.FsInformationClass = sp->Parameters.SetVolume.FsInformationClass;
	rxc->Info.Buffer = irp->AssociatedIrp.SystemBuffer;
	rxc->Info.Length = (LONG)sp->Parameters.SetVolume.Length;
	return rx_call_set_volume_info(rxc);
}

NTSTATUS NTAPI rx_common_set_volume(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_run_on_open(rxc, irp, rxc->CurrentIrpSp->Parameters.SetVolume.Length, false,
			      rx_volume_set_locked);
}
