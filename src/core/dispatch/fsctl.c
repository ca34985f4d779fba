/*
 * fsctl.c - IRP_MJ_FILE_SYSTEM_CONTROL and IRP_MJ_DEVICE_CONTROL on files.
 *
 * Owns:   nothing; link-tracking answers are put together here.
 * Locks:  FCB shared; re-owned by the request when it pends.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/lowio/core_lowio.h"
#include "core/minirdr/calldown.h"

/* Where the data of a control is, by the method in its code. */
void rx_control_buffers(PRX_CONTEXT rxc, PIRP irp, PXXCTL_LOWIO_COMPONENT ctl)
{
	/* FsControlCode and IoControlCode share their place, as the members of the stack location do */
	switch (METHOD_FROM_CTL_CODE(ctl->FsControlCode)) {
	case METHOD_BUFFERED:
		ctl->pInputBuffer = irp->AssociatedIrp.SystemBuffer;
		ctl->pOutputBuffer = irp->AssociatedIrp.SystemBuffer;
		break;
	case METHOD_IN_DIRECT:
	case METHOD_OUT_DIRECT:
		ctl->pInputBuffer = irp->AssociatedIrp.SystemBuffer;
		ctl->pOutputBuffer = RxNewMapUserBuffer(rxc);
		break;
	default: /* METHOD_NEITHER */
		ctl->pInputBuffer = rxc->CurrentIrpSp->Parameters.FileSystemControl.Type3InputBuffer;
		ctl->pOutputBuffer = irp->UserBuffer;
		break;
	}
	if (ctl->pInputBuffer == NULL)
		ctl->InputBufferLength = 0;
	if (ctl->pOutputBuffer == NULL)
		ctl->OutputBufferLength = 0;
}

static NTSTATUS NTAPI rx_control_complete(PRX_CONTEXT rxc)
{
	NTSTATUS status = rxc->StoredStatus;

	rx_ahead_forget((PFCB)rxc->pFcb); /* once more: what was read while the server was at it may be old */
	/* STATUS_BUFFER_OVERFLOW and the like carry data */
	rxc->CurrentIrp->IoStatus.Information = NT_ERROR(status) ? 0 : rxc->InformationToReturn;
	return status;
}

/*
 * FSCTL_LMR_GET_LINK_TRACKING_INFORMATION: the volume's object id, remembered in the share, and what kind of
 * share it is. Locks: FCB, shared.
 */
static NTSTATUS rx_control_link_tracking(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PMRX_NET_ROOT nr = rxc->pFcb->pNetRoot;
	PLINK_TRACKING_INFORMATION out = irp->AssociatedIrp.SystemBuffer;
	FILE_FS_OBJECTID_INFORMATION id;
	NTSTATUS status;

	if (out == NULL || sp->Parameters.FileSystemControl.OutputBufferLength < sizeof(*out))
		return STATUS_BUFFER_TOO_SMALL;
	if (nr->Type != NET_ROOT_DISK)
		return STATUS_INVALID_PARAMETER;
	RtlZeroMemory(&id, sizeof(id));
	rxc->Info.FsInformationClass = FileFsObjectIdInformation;
	rxc->Info.Buffer = &id;
	rxc->Info.LengthRemaining = sizeof(id);
	status = rx_call_query_volume_info(rxc);
	rxc->Info.Buffer = NULL;
	if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW)
		return status;

	RtlCopyMemory(&nr->DiskParameters.VolumeId, id.ObjectId, sizeof(GUID));
	RtlCopyMemory(out->VolumeId, id.ObjectId, sizeof(GUID));
	out->Type = (nr->Flags & NETROOT_FLAG_DFS_AWARE_NETROOT) != 0 ? DfsLinkTrackingInformation
								      : NtfsLinkTrackingInformation;
	irp->IoStatus.Information = sizeof(*out);
	return STATUS_SUCCESS;
}

static void rx_control_parameters(PRX_CONTEXT rxc, PIRP irp, bool fsctl)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PXXCTL_LOWIO_COMPONENT ctl = &rxc->LowIoContext.ParamsFor.FsCtl;

	rx_lowio_prepare(rxc, fsctl ? LOWIO_OP_FSCTL : LOWIO_OP_IOCTL);
	if (fsctl) {
		ctl->FsControlCode = sp->Parameters.FileSystemControl.FsControlCode;
		ctl->InputBufferLength = sp->Parameters.FileSystemControl.InputBufferLength;
		ctl->OutputBufferLength = sp->Parameters.FileSystemControl.OutputBufferLength;
		ctl->MinorFunction = sp->MinorFunction;
	} else {
		ctl->IoControlCode = sp->Parameters.DeviceIoControl.IoControlCode;
		ctl->InputBufferLength = sp->Parameters.DeviceIoControl.InputBufferLength;
		ctl->OutputBufferLength = sp->Parameters.DeviceIoControl.OutputBufferLength;
	}
	rx_control_buffers(rxc, irp, ctl);
}

static NTSTATUS rx_common_control(PRX_CONTEXT rxc, PIRP irp, bool fsctl)
{
	NTSTATUS status = rx_acquire_fcb_shared(rxc);
	bool async;

	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS && fsctl &&
	    rxc->CurrentIrpSp->Parameters.FileSystemControl.FsControlCode ==
		    FSCTL_LMR_GET_LINK_TRACKING_INFORMATION) {
		status = rx_control_link_tracking(rxc, irp);
		rx_release_fcb(rxc);
		return status;
	}
	rx_ahead_forget((PFCB)rxc->pFcb);
	/* what a control asks or does is about the data that the server has */
	if (status == STATUS_SUCCESS && rx_cache_has_data((PFCB)rxc->pFcb))
		status = rx_cache_flush((PFCB)rxc->pFcb);
	if (status != STATUS_SUCCESS) {
		rx_release_fcb(rxc);
		return status;
	}
	rx_control_parameters(rxc, irp, fsctl);
	async = (rxc->Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION) != 0;
	status = RxLowIoSubmit(rxc, irp, (PFCB)rxc->pFcb, rx_control_complete);
	if (!async)
		rx_lowio_release_resource(rxc);
	return status;
}

NTSTATUS NTAPI rx_common_fsctl(PRX_CONTEXT rxc, PIRP irp)
{
	if (rxc->MinorFunction != IRP_MN_USER_FS_REQUEST && rxc->MinorFunction != IRP_MN_KERNEL_CALL)
		return STATUS_INVALID_DEVICE_REQUEST;
	return rx_common_control(rxc, irp, true);
}

NTSTATUS NTAPI rx_common_ioctl(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_common_control(rxc, irp, false);
}
