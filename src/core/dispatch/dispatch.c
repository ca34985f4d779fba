/*
 * dispatch.c - RxFsdDispatch: the one door every IRP of a redirector comes through.
 *
 * Owns:   the request from the moment the IRP arrives until it is completed or handed on.
 * Locks:  none held on entry or on exit: a thread that leaves RxFsdDispatch holds no core resource.
 *
 * Who may touch the RX_CONTEXT: the dispatching thread, until a common routine answers STATUS_PENDING; from
 * then on whoever completes it (a low-I/O completion, or the worker it was posted to).
 */
#include "core/dispatch/dispatch.h"

#include "core/context/context.h"
#include "core/lowio/core_lowio.h"
#include "core/minirdr/minirdr.h"
#include "nt_misuse.h"

static const PRX_DISPATCH rx_common_routine[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
	[IRP_MJ_CREATE] = rx_common_create,
	[IRP_MJ_CLOSE] = rx_common_close,
	[IRP_MJ_READ] = rx_common_read,
	[IRP_MJ_WRITE] = rx_common_write,
	[IRP_MJ_QUERY_INFORMATION] = rx_common_query_information,
	[IRP_MJ_SET_INFORMATION] = rx_common_set_information,
	[IRP_MJ_QUERY_EA] = rx_common_query_ea,
	[IRP_MJ_SET_EA] = rx_common_set_ea,
	[IRP_MJ_FLUSH_BUFFERS] = rx_common_flush,
	[IRP_MJ_QUERY_VOLUME_INFORMATION] = rx_common_query_volume,
	[IRP_MJ_SET_VOLUME_INFORMATION] = rx_common_set_volume,
	[IRP_MJ_DIRECTORY_CONTROL] = rx_common_directory_control,
	[IRP_MJ_FILE_SYSTEM_CONTROL] = rx_common_fsctl,
	[IRP_MJ_DEVICE_CONTROL] = rx_common_ioctl,
	[IRP_MJ_INTERNAL_DEVICE_CONTROL] = rx_common_ioctl,
	[IRP_MJ_LOCK_CONTROL] = rx_common_lock_control,
	[IRP_MJ_CLEANUP] = rx_common_cleanup,
	[IRP_MJ_QUERY_SECURITY] = rx_common_query_security,
	[IRP_MJ_SET_SECURITY] = rx_common_set_security,
	[IRP_MJ_QUERY_QUOTA] = rx_common_query_quota,
	[IRP_MJ_SET_QUOTA] = rx_common_set_quota,
};

/* False: a driver completes what is not its to complete, or again; it was told. */
static bool rx_dispatch_may_complete(PRX_CONTEXT rxc)
{
	if (!rx_context_is_living(rxc)) {
		nt_misuse(NT_RULE_COMPLETE_ONCE, "RxCompleteRequest",
			  "RX_CONTEXT %p: it is gone, it was completed before", (void *)rxc);
		return false;
	}
	if (rxc->SlotThread != NULL && rxc->SlotThread == PsGetCurrentThread()) {
		nt_misuse(
			NT_RULE_COMPLETE_OWN, "RxCompleteRequest",
			"RX_CONTEXT %p, major function %u: its routine completes it by returning its status",
			(void *)rxc, rxc->MajorFunction);
		return false;
	}
	if (rx_lowio_is_submitted(rxc)) {
		nt_misuse(NT_RULE_COMPLETE_OWN, "RxCompleteRequest",
			  "RX_CONTEXT %p, major function %u: low I/O is completed by RxLowIoCompletion",
			  (void *)rxc, rxc->MajorFunction);
		return false;
	}
	return true;
}

static void rx_dispatch_complete(PRX_CONTEXT rxc, PIRP irp, NTSTATUS status)
{
	ASSERT(status != STATUS_PENDING);
	if (irp == NULL) {
		RxLog(("completion without an IRP, context %p", rxc));
	} else {
		if (rxc != NULL) {
			rx_cancel_disarm(rxc);
			rx_unlock_user_buffer(rxc, irp);
		}
		irp->IoStatus.Status = status;
		if (NT_ERROR(status) && status != STATUS_BUFFER_TOO_SMALL)
			irp->IoStatus.Information = 0;
	}
	/* before the IRP goes: its memory may be another request's before this context is freed */
	if (rxc != NULL)
		__atomic_store_n(&rxc->CancelIrp, NULL, __ATOMIC_RELEASE);
	if (irp != NULL)
		IoCompleteRequest(irp, NT_SUCCESS(status) ? IO_DISK_INCREMENT : IO_NO_INCREMENT);
	if (rxc != NULL)
		RxDereferenceAndDeleteRxContext(rxc);
}

/**
 * RxCompleteRequest_Real - complete an IRP and drop the context's reference
 * @RxContext: [in, optional] its request; the reference is consumed
 * @Irp:       [in] IoStatus.Information is set already
 *
 * Context: may wait for a cancel routine that runs at this moment.
 * Page:    rxprocs/RxCompleteRequest_Real.
 */
VOID RxCompleteRequest_Real(PRX_CONTEXT RxContext, PIRP Irp, NTSTATUS Status)
{
	if (RxContext == NULL || rx_dispatch_may_complete(RxContext))
		rx_dispatch_complete(RxContext, Irp, Status);
}

/* RxCompleteRequest - complete the IRP of a context. Return: Status. Page: rxprocs/RxCompleteRequest. */
NTSTATUS RxCompleteRequest(PRX_CONTEXT RxContext, NTSTATUS Status)
{
	if (rx_dispatch_may_complete(RxContext))
		rx_dispatch_complete(RxContext, RxContext->CurrentIrp, Status);
	return Status;
}

/* An IRP that never got a context. */
static NTSTATUS rx_dispatch_refuse(PIRP irp, NTSTATUS status)
{
	irp->IoStatus.Information = 0;
	RxCompleteRequest_Real(NULL, irp, status);
	return status;
}

/* An FCB may have routines of its own; a create has no FCB yet. */
static PRX_DISPATCH rx_dispatch_routine_of(PIO_STACK_LOCATION sp)
{
	PFCB fcb = sp->FileObject != NULL ? sp->FileObject->FsContext : NULL;

	if (sp->MajorFunction > IRP_MJ_MAXIMUM_FUNCTION)
		return NULL;
	if (sp->MajorFunction != IRP_MJ_CREATE) {
		if (fcb == NULL)
			return NULL;
		if (fcb->PrivateDispatchVector != NULL)
			return fcb->PrivateDispatchVector[sp->MajorFunction].CommonRoutine;
	}
	return rx_common_routine[sp->MajorFunction];
}

static bool rx_dispatch_must_succeed(UCHAR major)
{
	return major == IRP_MJ_CLEANUP || major == IRP_MJ_CLOSE;
}

NTSTATUS rx_dispatch_run(PRX_CONTEXT rxc)
{
	PIRP irp = rxc->CurrentIrp;
	bool marked;
	NTSTATUS status;

	__atomic_store_n(&rxc->LastExecutionThread, PsGetCurrentThread(), __ATOMIC_RELAXED);
	status = rxc->ResumeRoutine(rxc, irp);
	if (status == STATUS_PENDING)
		return STATUS_PENDING;
	/* an IRP once marked pending must be answered with STATUS_PENDING, completed or not */
	marked = (rxc->CurrentIrpSp->Control & SL_PENDING_RETURNED) != 0;
	(void)RxCompleteRequest(rxc, status);
	return marked ? STATUS_PENDING : status;
}

void rx_assert_holds_no_lock(PRDBSS_DEVICE_OBJECT dev)
{
	RX_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL); /* no spin lock, no fast mutex */
	RX_CHECK(dev->pRxNetNameTable == NULL || !RxIsPrefixTableLockAcquired(dev->pRxNetNameTable));
}

static NTSTATUS rx_dispatch_begin(PRDBSS_DEVICE_OBJECT dev, PIRP irp, PRX_DISPATCH routine)
{
	UCHAR major = IoGetCurrentIrpStackLocation(irp)->MajorFunction;
	bool must_succeed = rx_dispatch_must_succeed(major);
	ULONG flags = 0;
	PRX_CONTEXT rxc;

	/* opens and closes are never posted: their caller waits for them by nature */
	if (must_succeed || major == IRP_MJ_CREATE || IoIsOperationSynchronous(irp))
		flags |= RX_CONTEXT_FLAG_WAIT;

	if (must_succeed)
		rxc = rx_context_create_must_succeed(irp, dev, flags);
	else
		rxc = RxCreateRxContext(irp, dev, flags);
	if (rxc == NULL)
		return rx_dispatch_refuse(irp, STATUS_INSUFFICIENT_RESOURCES);

	irp->IoStatus.Information = 0;
	rxc->ResumeRoutine = routine;
	if (!must_succeed && rx_cancel_arm(rxc) == STATUS_CANCELLED)
		return RxCompleteRequest(rxc, STATUS_CANCELLED);
	return rx_dispatch_run(rxc);
}

/**
 * RxFsdDispatch - serve an IRP
 * @RxDeviceObject: [in] the redirector's device
 * @Irp:            [in] any major function
 *
 * Order of the checks: creates of pipes and mailslots, the device, the state of the redirector (E-17).
 *
 * Context: PASSIVE_LEVEL; blocks on the mini-redirector unless the request may be served asynchronously.
 * Locks:   none, before and after.
 * Return:  the IRP's status; STATUS_PENDING when it completes later; STATUS_OBJECT_NAME_INVALID,
 *          STATUS_INVALID_DEVICE_REQUEST, STATUS_REDIRECTOR_NOT_STARTED.
 * Page:    mrx/RxFsdDispatch.
 */
NTSTATUS RxFsdDispatch(PRDBSS_DEVICE_OBJECT RxDeviceObject, PIRP Irp)
{
	PIO_STACK_LOCATION sp = IoGetCurrentIrpStackLocation(Irp);
	bool top = IoGetTopLevelIrp() == NULL;
	PRX_DISPATCH routine;
	NTSTATUS status;

	PAGED_CODE();
	if (sp->MajorFunction == IRP_MJ_CREATE_NAMED_PIPE || sp->MajorFunction == IRP_MJ_CREATE_MAILSLOT)
		return rx_dispatch_refuse(Irp, STATUS_OBJECT_NAME_INVALID);
	if (rx_is_rdbss_device((PDEVICE_OBJECT)RxDeviceObject))
		return rx_dispatch_refuse(Irp, STATUS_INVALID_DEVICE_REQUEST);
	status = rx_start_stop_admit(RxDeviceObject, Irp);
	if (!NT_SUCCESS(status))
		return rx_dispatch_refuse(Irp, status);
	routine = rx_dispatch_routine_of(sp);
	if (routine == NULL)
		return rx_dispatch_refuse(Irp, STATUS_INVALID_DEVICE_REQUEST);

	if (top)
		IoSetTopLevelIrp(Irp);
	status = rx_dispatch_begin(RxDeviceObject, Irp, routine);
	if (top)
		IoSetTopLevelIrp(NULL);
	rx_assert_holds_no_lock(RxDeviceObject);
	return status;
}
