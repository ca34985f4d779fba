/*
 * request.c - one IRP from allocation to the one report of its end.
 *
 * Owns:      struct door_request, its IRP and its MDL.
 * Found by:  the cancel slot of its caller, while in flight.
 * Locks:     the slot's spin lock.
 * Dies when: it has completed and nobody who wanted to cancel it still holds it: an IRP is freed by the last
 *            reference only, so IoCancelIrp() never meets a freed one.
 *
 *   made --door_request_run/_send--> sent --completion routine--> ended --last put--> freed
 *     |                                          |
 *     +--slot was already fired--> ended         +-- slot cleared before the end is reported
 */
#include "door_int.h"

NTSTATUS door_request_create(struct door *door, PFILE_OBJECT object, struct door_file *file,
			     const struct door_caller *caller, UCHAR major, UCHAR minor,
			     struct door_request **out)
{
	struct door_request *r = ExAllocatePoolWithTag(NonPagedPool, sizeof(*r), DOOR_TAG_REQUEST);
	PDEVICE_OBJECT device = object != NULL ? object->DeviceObject : door->device;
	PIO_STACK_LOCATION stack;

	*out = NULL;
	if (r == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(r, sizeof(*r));
	r->irp = IoAllocateIrp(device->StackSize, FALSE);
	if (r->irp == NULL) {
		ExFreePoolWithTag(r, DOOR_TAG_REQUEST);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	atomic_init(&r->refs, 1);
	KeInitializeEvent(&r->event, NotificationEvent, FALSE);
	r->object = object;
	r->file = file;
	if (file != NULL)
		atomic_fetch_add(&file->refs, 1);
	r->cancel = caller != NULL ? caller->cancel : NULL;
	if (caller != NULL)
		r->irp->Requester = caller->requester;
	r->irp->RequestorMode = KernelMode;
	r->irp->Tail.Overlay.OriginalFileObject = object;
	stack = IoGetNextIrpStackLocation(r->irp);
	stack->MajorFunction = major;
	stack->MinorFunction = minor;
	stack->FileObject = object;
	stack->DeviceObject = device;
	*out = r;
	return STATUS_SUCCESS;
}

PIO_STACK_LOCATION door_request_stack(struct door_request *r)
{
	return IoGetNextIrpStackLocation(r->irp);
}

void door_request_put(struct door_request *r)
{
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	if (r->mdl != NULL)
		IoFreeMdl(r->mdl);
	IoFreeIrp(r->irp);
	if (r->file != NULL)
		door_file_put(r->file);
	ExFreePoolWithTag(r, DOOR_TAG_REQUEST);
}

/* ---- the cancel slot -------------------------------------------------------------------------------- */

void door_cancel_init(struct door_cancel *cancel)
{
	KeInitializeSpinLock(&cancel->lock);
	cancel->current = NULL;
	cancel->waiting = NULL;
	cancel->cancelled = FALSE;
}

BOOLEAN door_cancel_fired(struct door_cancel *cancel)
{
	BOOLEAN fired;
	KIRQL irql;

	KeAcquireSpinLock(&cancel->lock, &irql);
	fired = cancel->cancelled;
	KeReleaseSpinLock(&cancel->lock, irql);
	return fired;
}

void door_cancel_fire(struct door_cancel *cancel)
{
	struct door_lock_op *waiting;
	struct door_request *r;
	KIRQL irql;

	KeAcquireSpinLock(&cancel->lock, &irql);
	cancel->cancelled = TRUE;
	r = cancel->current;
	if (r != NULL)
		atomic_fetch_add(&r->refs, 1);
	waiting = cancel->waiting;
	if (waiting != NULL)
		door_lock_op_hold(waiting);
	KeReleaseSpinLock(&cancel->lock, irql);
	if (waiting != NULL)
		door_lock_op_cancel(waiting);
	if (r == NULL)
		return;
	(void)IoCancelIrp(r->irp); /* FALSE: it is about to end, or the driver looks at Irp->Cancel itself */
	door_request_put(r);
}

/* Return: FALSE when the slot was fired: the request must not be sent. */
static BOOLEAN slot_enter(struct door_request *r)
{
	BOOLEAN enter;
	KIRQL irql;

	if (r->cancel == NULL)
		return TRUE;
	KeAcquireSpinLock(&r->cancel->lock, &irql);
	enter = !r->cancel->cancelled;
	if (enter) {
		RX_CHECK(r->cancel->current == NULL);
		r->cancel->current = r;
		atomic_fetch_add(&r->refs, 1);
	}
	KeReleaseSpinLock(&r->cancel->lock, irql);
	return enter;
}

static void slot_leave(struct door_request *r)
{
	BOOLEAN mine;
	KIRQL irql;

	if (r->cancel == NULL)
		return;
	KeAcquireSpinLock(&r->cancel->lock, &irql);
	mine = r->cancel->current == r;
	if (mine)
		r->cancel->current = NULL;
	KeReleaseSpinLock(&r->cancel->lock, irql);
	if (mine)
		door_request_put(r);
}

/* ---- sending ---------------------------------------------------------------------------------------- */

/* The end.  After done() or the event the caller's memory (slot, buffers, context) may be gone. */
static void finish(struct door_request *r)
{
	struct door_file *file = r->file;

	slot_leave(r);
	if (r->way.file != NULL)
		r->status = door_transfer_end(&r->way, r->status);
	/* Before anybody hears of the end: who closes the file then closes it on his own thread, at once. */
	r->file = NULL;
	if (file != NULL)
		door_file_put(file);
	if (r->done != NULL)
		r->done(r->context, r->status, r->information);
	else
		KeSetEvent(&r->event, IO_NO_INCREMENT, FALSE);
	door_request_put(r);
}

static NTSTATUS on_complete(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	struct door_request *r = context;

	(void)device;
	r->status = irp->IoStatus.Status;
	r->information = irp->IoStatus.Information;
	finish(r);
	return STATUS_MORE_PROCESSING_REQUIRED; /* the IRP is ours */
}

/* Consumes one reference of the request, which the end gives up. */
static void send(struct door_request *r, const struct door_caller *caller)
{
	PDEVICE_OBJECT device = door_request_stack(r)->DeviceObject;
	struct nt_requester before;
	bool had = nt_get_requester(&before);

	if (!slot_enter(r)) {
		r->status = STATUS_CANCELLED;
		r->information = 0;
		finish(r);
		return;
	}
	IoSetCompletionRoutine(r->irp, on_complete, r, TRUE, TRUE, TRUE);
	nt_set_requester(caller != NULL && caller->requester.pid != 0 ? &caller->requester : NULL);
	/* The status is the completion's business: it runs in every case. */
	(void)IoCallDriver(device, r->irp);
	nt_set_requester(had ? &before : NULL);
}

NTSTATUS door_request_run(struct door_request *r, const struct door_caller *caller, ULONG_PTR *information)
{
	NTSTATUS status;

	r->irp->Flags |= IRP_SYNCHRONOUS_API;
	r->done = NULL;
	atomic_fetch_add(&r->refs, 1); /* to read the result */
	send(r, caller);
	nt_wait_for_answer(&r->event);
	status = r->status;
	if (information != NULL)
		*information = r->information;
	door_request_put(r);
	return status;
}

void door_request_send(struct door_request *r, const struct door_caller *caller, door_done_fn done,
		       void *context)
{
	r->done = done;
	r->context = context;
	send(r, caller);
}
