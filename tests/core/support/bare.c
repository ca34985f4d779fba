/*
 * bare.c - see bare.h.
 */
#include "bare.h"

#define BARE_TAG 'eraB'

static NTSTATUS bare_complete(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	struct bare *b = context;

	(void)device;
	b->status = irp->IoStatus.Status;
	b->information = irp->IoStatus.Information;
	InterlockedIncrement(&b->completions);
	KeSetEvent(&b->done, IO_NO_INCREMENT, FALSE);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

struct bare *bare_make(PFILE_OBJECT file, UCHAR major, UCHAR minor)
{
	struct bare *b = ExAllocatePoolWithTag(NonPagedPool, sizeof(*b), BARE_TAG);
	PIO_STACK_LOCATION sp;

	assert_non_null(b);
	RtlZeroMemory(b, sizeof(*b));
	b->irp = IoAllocateIrp(rec.device->DeviceObject.StackSize, FALSE);
	assert_non_null(b->irp);
	KeInitializeEvent(&b->done, NotificationEvent, FALSE);
	IoSetCompletionRoutine(b->irp, bare_complete, b, TRUE, TRUE, TRUE);
	IoSetNextIrpStackLocation(b->irp);
	sp = IoGetCurrentIrpStackLocation(b->irp);
	sp->MajorFunction = major;
	sp->MinorFunction = minor;
	sp->FileObject = file;
	sp->DeviceObject = &rec.device->DeviceObject;
	return b;
}

PIO_STACK_LOCATION bare_sp(struct bare *b)
{
	return IoGetCurrentIrpStackLocation(b->irp);
}

PRX_CONTEXT bare_context(struct bare *b, ULONG flags)
{
	b->rxc = RxCreateRxContext(b->irp, rec.device, flags);
	assert_non_null(b->rxc);
	return b->rxc;
}

static void bare_free(struct bare *b)
{
	IoFreeIrp(b->irp);
	ExFreePoolWithTag(b, BARE_TAG);
}

NTSTATUS bare_end(struct bare *b)
{
	LARGE_INTEGER limit = {.QuadPart = -200000000};
	NTSTATUS status;

	assert_int_equal(KeWaitForSingleObject(&b->done, Executive, KernelMode, FALSE, &limit),
			 STATUS_SUCCESS);
	assert_int_equal(b->completions, 1);
	status = b->status;
	bare_free(b);
	return status;
}

void bare_drop(struct bare *b)
{
	assert_int_equal(b->completions, 0);
	RxDereferenceAndDeleteRxContext(b->rxc);
	IoSkipCurrentIrpStackLocation(b->irp); /* as it was before it was sent */
	bare_free(b);
}
