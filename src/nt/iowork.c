/*
 * iowork.c - work items that belong to a device: the device stays until the routine has returned.
 *
 * Owns:      IO_WORKITEMs, from IoAllocateWorkItem() to IoFreeWorkItem(); the routine itself may free its item.
 * Locks:     none.
 */
#include "io.h"
#include "pool.h"

#define NT_TAG_IO_WORK 'kWoI'

struct _IO_WORKITEM {
	WORK_QUEUE_ITEM item;
	PDEVICE_OBJECT device;
	PIO_WORKITEM_ROUTINE routine;
	PVOID context;
	volatile LONG queued;
};

PIO_WORKITEM IoAllocateWorkItem(PDEVICE_OBJECT DeviceObject)
{
	PIO_WORKITEM work = ExAllocatePoolWithTag(NonPagedPool, sizeof(*work), NT_TAG_IO_WORK);

	if (work == NULL)
		return NULL;
	memset(work, 0, sizeof(*work));
	work->device = DeviceObject;
	return work;
}

static VOID nt_io_work_run(PVOID context)
{
	PIO_WORKITEM work = context;
	PDEVICE_OBJECT device = work->device;
	PIO_WORKITEM_ROUTINE routine = work->routine;
	PVOID argument = work->context;

	/* From here on the item may be queued again, or freed by its own routine. */
	InterlockedExchange(&work->queued, 0);
	routine(device, argument);
	ObfDereferenceObject(device);
}

VOID IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType,
		     PVOID Context)
{
	if (InterlockedExchange(&IoWorkItem->queued, 1) != 0)
		NT_BUG("work item %p queued twice", (void *)IoWorkItem);
	ObfReferenceObject(IoWorkItem->device);
	IoWorkItem->routine = WorkerRoutine;
	IoWorkItem->context = Context;
	ExInitializeWorkItem(&IoWorkItem->item, nt_io_work_run, IoWorkItem);
	ExQueueWorkItem(&IoWorkItem->item, QueueType);
}

VOID IoFreeWorkItem(PIO_WORKITEM IoWorkItem)
{
	RX_CHECK(IoWorkItem->queued == 0);
	ExFreePoolWithTag(IoWorkItem, NT_TAG_IO_WORK);
}
