/*
 * buffers.c - where a request's data is.
 *
 * Owns:   the MDLs it makes (RX_CONTEXT.OwnMdl), until the IRP is completed.
 */
#include "core/dispatch/dispatch.h"

NTSTATUS rx_lock_user_buffer(PRX_CONTEXT rxc, PIRP irp, LOCK_OPERATION access, ULONG length)
{
	PVOID buffer = irp->UserBuffer;
	PMDL mdl;

	if (irp->MdlAddress != NULL || length == 0)
		return STATUS_SUCCESS;
	if (buffer == NULL)
		buffer = irp->AssociatedIrp.SystemBuffer;
	if (buffer == NULL)
		return STATUS_INVALID_USER_BUFFER;
	mdl = IoAllocateMdl(buffer, length, FALSE, FALSE, irp);
	if (mdl == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	MmProbeAndLockPages(mdl, irp->RequestorMode, access);
	rxc->OwnMdl = mdl;
	return STATUS_SUCCESS;
}

void rx_unlock_user_buffer(PRX_CONTEXT rxc, PIRP irp)
{
	PMDL mdl = rxc->OwnMdl;

	if (mdl == NULL)
		return;
	rxc->OwnMdl = NULL;
	irp->MdlAddress = NULL;
	MmUnlockPages(mdl);
	IoFreeMdl(mdl);
}

/**
 * RxMapSystemBuffer - the system address of an IRP's data
 *
 * Return: the mapped MDL when there is one, else the system buffer (E-27); NULL when mapping fails.
 * Page:   rxprocs/RxMapSystemBuffer.
 */
PVOID RxMapSystemBuffer(PRX_CONTEXT RxContext, PIRP Irp)
{
	(void)RxContext;
	if (Irp->MdlAddress != NULL)
		return MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
	return Irp->AssociatedIrp.SystemBuffer;
}

/**
 * RxNewMapUserBuffer - the user buffer of a context's IRP, through the MDL when there is one
 *
 * Return: NULL when mapping fails.
 * Page:   RxNewMapUserBuffer.
 */
PVOID RxNewMapUserBuffer(PRX_CONTEXT RxContext)
{
	PIRP irp = RxContext->CurrentIrp;

	if (irp->MdlAddress != NULL)
		return MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
	return irp->UserBuffer;
}
