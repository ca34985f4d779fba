/*
 * irp.c - request packets: allocation, the walk down the device stack and the walk back up.
 *
 * Owns:      nothing; an IRP belongs to who allocated it, and between IoCallDriver() and its completion to the
 *            driver whose stack location is current.
 * Locks:     none. Completed traps the second completion, also when two threads race to do it.
 * Dies when: IoFreeIrp().
 *
 *   allocated --IoCallDriver--> location N .. 1 --IoCompleteRequest--> 1 .. N, completion routines on the way
 *
 * A completion routine that returns STATUS_MORE_PROCESSING_REQUIRED owns the IRP: it may have been freed when
 * the routine returns, so nothing is read from it afterwards.
 */
#include "exec.h"
#include "io.h"
#include "nt_misuse.h"
#include "pool.h"

#define NT_TAG_IRP 'prIN'

static PIO_STACK_LOCATION nt_irp_locations(PIRP irp)
{
	return (PIO_STACK_LOCATION)(irp + 1);
}

/* Somebody may take it out at this moment. */
static PDRIVER_CANCEL nt_irp_cancel_routine(PIRP irp)
{
	return __atomic_load_n(&irp->CancelRoutine, __ATOMIC_ACQUIRE);
}

VOID IoInitializeIrp(PIRP Irp, USHORT PacketSize, CCHAR StackSize)
{
	struct nt_thread *self = nt_current();

	RX_CHECK(StackSize > 0 && PacketSize >= IoSizeOfIrp(StackSize));
	memset(Irp, 0, IoSizeOfIrp(StackSize));
	Irp->Type = IO_TYPE_IRP;
	Irp->Size = PacketSize;
	Irp->StackCount = StackSize;
	Irp->CurrentLocation = (CHAR)(StackSize + 1);
	Irp->Tail.Overlay.CurrentStackLocation = nt_irp_locations(Irp) + StackSize;
	Irp->Tail.Overlay.Thread = self;
	InitializeListHead(&Irp->ThreadListEntry);
	if (self->has_requester)
		Irp->Requester = self->requester;
}

PIRP IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota)
{
	PIRP irp;

	(void)ChargeQuota; /* there are no quotas */
	if (StackSize <= 0)
		return NULL;
	irp = ExAllocatePoolWithTag(NonPagedPool, IoSizeOfIrp(StackSize), NT_TAG_IRP);
	if (irp != NULL)
		IoInitializeIrp(irp, IoSizeOfIrp(StackSize), StackSize);
	return irp;
}

VOID IoReuseIrp(PIRP Irp, NTSTATUS Status)
{
	RX_CHECK(nt_irp_cancel_routine(Irp) == NULL);
	IoInitializeIrp(Irp, Irp->Size, Irp->StackCount);
	Irp->IoStatus.Status = Status;
}

VOID IoFreeIrp(PIRP Irp)
{
	RX_CHECK(Irp->Type == IO_TYPE_IRP);
	RX_CHECK(nt_irp_cancel_routine(Irp) == NULL);
	/* Sent and not completed: a driver still works on it. */
	RX_CHECK(Irp->CurrentLocation == Irp->StackCount + 1);
	Irp->Type = 0;
	ExFreePoolWithTag(Irp, NT_TAG_IRP);
}

VOID IoSetCompletionRoutine(PIRP Irp, PIO_COMPLETION_ROUTINE CompletionRoutine, PVOID Context,
			    BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError, BOOLEAN InvokeOnCancel)
{
	PIO_STACK_LOCATION next;

	RX_CHECK(Irp->CurrentLocation > 1);
	RX_CHECK(CompletionRoutine != NULL || (!InvokeOnSuccess && !InvokeOnError && !InvokeOnCancel));
	next = IoGetNextIrpStackLocation(Irp);
	next->CompletionRoutine = CompletionRoutine;
	next->Context = Context;
	next->Control = (UCHAR)((InvokeOnSuccess ? SL_INVOKE_ON_SUCCESS : 0) |
				(InvokeOnError ? SL_INVOKE_ON_ERROR : 0) |
				(InvokeOnCancel ? SL_INVOKE_ON_CANCEL : 0));
}

NTSTATUS IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
	PIO_STACK_LOCATION location;

	RX_CHECK(Irp->Type == IO_TYPE_IRP && DeviceObject->Type == IO_TYPE_DEVICE);
	if (Irp->CurrentLocation <= 1)
		NT_BUG("irp %p: no stack location left for device %p", (void *)Irp, (void *)DeviceObject);
	IoSetNextIrpStackLocation(Irp);
	location = IoGetCurrentIrpStackLocation(Irp);
	location->DeviceObject = DeviceObject;
	RX_CHECK(location->MajorFunction <= IRP_MJ_MAXIMUM_FUNCTION);
	__atomic_store_n(&Irp->Completed, 0, __ATOMIC_RELEASE);
	return DeviceObject->DriverObject->MajorFunction[location->MajorFunction](DeviceObject, Irp);
}

/* Does the location's owner want to hear about this outcome? */
static bool nt_irp_wants_completion(PIRP irp, const IO_STACK_LOCATION *location)
{
	if (location->CompletionRoutine == NULL)
		return false;
	if (irp->Cancel && (location->Control & SL_INVOKE_ON_CANCEL))
		return true;
	if (NT_SUCCESS(irp->IoStatus.Status))
		return (location->Control & SL_INVOKE_ON_SUCCESS) != 0;
	return (location->Control & SL_INVOKE_ON_ERROR) != 0;
}

/* Everybody on the way up has seen it: the sender's own memory hears last. */
static void nt_irp_deliver(PIRP irp)
{
	PKEVENT event = irp->UserEvent;

	if (irp->Flags & IRP_ASSOCIATED_IRP) {
		PIRP master = irp->AssociatedIrp.MasterIrp;

		IoFreeIrp(irp);
		if (InterlockedDecrement(&master->AssociatedIrp.IrpCount) == 0)
			IofCompleteRequest(master, IO_NO_INCREMENT);
		return;
	}
	if (irp->AllocationFlags & NT_IRP_FREES_ITSELF) {
		nt_irp_finish_built(irp);
		return;
	}
	if (irp->UserIosb != NULL)
		*irp->UserIosb = irp->IoStatus;
	if (event != NULL)
		KeSetEvent(event, IO_NO_INCREMENT, FALSE); /* the sender may free the IRP now */
}

VOID IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost)
{
	(void)PriorityBoost;
	if (Irp->Type != IO_TYPE_IRP) {
		nt_misuse(NT_RULE_COMPLETE_ONCE, "IoCompleteRequest", "irp %p: it was freed before",
			  (void *)Irp);
		return;
	}
	if (__atomic_exchange_n(&Irp->Completed, 1, __ATOMIC_ACQ_REL) != 0 ||
	    Irp->CurrentLocation > Irp->StackCount) {
		nt_misuse(NT_RULE_COMPLETE_ONCE, "IoCompleteRequest", "irp %p completed twice", (void *)Irp);
		return;
	}
	if (Irp->IoStatus.Status == STATUS_PENDING)
		NT_BUG("irp %p completed with STATUS_PENDING", (void *)Irp);
	if (nt_irp_cancel_routine(Irp) != NULL)
		NT_BUG("irp %p completed with its cancel routine set", (void *)Irp);

	while (Irp->CurrentLocation <= Irp->StackCount) {
		PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(Irp);
		PDEVICE_OBJECT above = NULL;

		Irp->PendingReturned = BooleanFlagOn(location->Control, SL_PENDING_RETURNED);
		IoSkipCurrentIrpStackLocation(Irp);
		if (Irp->CurrentLocation <= Irp->StackCount)
			above = IoGetCurrentIrpStackLocation(Irp)->DeviceObject;

		if (!nt_irp_wants_completion(Irp, location)) {
			/* Nobody looks at this level: the mark travels up by itself. */
			if (Irp->PendingReturned && Irp->CurrentLocation <= Irp->StackCount)
				IoMarkIrpPending(Irp);
			continue;
		}
		/* A routine below the top may keep the IRP and complete it again later; the top one may not. */
		if (above != NULL)
			__atomic_store_n(&Irp->Completed, 0, __ATOMIC_RELEASE);
		if (location->CompletionRoutine(above, Irp, location->Context) ==
		    STATUS_MORE_PROCESSING_REQUIRED)
			return;
		if (above != NULL && __atomic_exchange_n(&Irp->Completed, 1, __ATOMIC_ACQ_REL) != 0)
			NT_BUG("irp %p completed inside a completion routine that let it go on", (void *)Irp);
	}
	nt_irp_deliver(Irp);
}

const struct nt_requester *nt_irp_requester(PIRP Irp)
{
	return Irp->Requester.pid == 0 ? NULL : &Irp->Requester;
}

const char *nt_irp_operation(PIRP Irp)
{
	return Irp->Requester.operation;
}

PEPROCESS IoGetRequestorProcess(PIRP Irp)
{
	return Irp->Requester.pid == 0 ? PsInitialSystemProcess : nt_process_of(&Irp->Requester);
}

ULONG IoGetRequestorProcessId(PIRP Irp)
{
	return (ULONG)(ULONG_PTR)PsGetProcessId(IoGetRequestorProcess(Irp));
}

BOOLEAN IoIsOperationSynchronous(PIRP Irp)
{
	PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(Irp);

	if (Irp->Flags & IRP_PAGING_IO)
		return BooleanFlagOn(Irp->Flags, IRP_SYNCHRONOUS_PAGING_IO);
	if (Irp->Flags & IRP_SYNCHRONOUS_API)
		return TRUE;
	return location->FileObject != NULL &&
	       BooleanFlagOn(nt_file_flags(location->FileObject), FO_SYNCHRONOUS_IO);
}

PIRP IoGetTopLevelIrp(void)
{
	return nt_current()->top_level_irp;
}

VOID IoSetTopLevelIrp(PIRP Irp)
{
	nt_current()->top_level_irp = Irp;
}
