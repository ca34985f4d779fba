/*
 * stuck_driver.c - see the header.
 *
 * Locks: one spin lock for the held reads; the cancel lock while a cancel routine runs.
 */
#include "stuck_driver.h"
#include "rxctl.h"

#define TAG 'kcuS'
#define STUCK_TIME 130000000000000000ll /* 100 ns */

static struct {
	KSPIN_LOCK lock;
	LIST_ENTRY held; /* IRPs, by Tail.Overlay.ListEntry */
	ULONG held_count;
	BOOLEAN hold;
	BOOLEAN honour;
	KEVENT gate;
	volatile LONG waiting;
	KEVENT ends_gate;
	volatile LONG ends_waiting;
	volatile LONG ends; /* of handles that wrote: the file's time of last write */
	volatile LONG objects;
	PDEVICE_OBJECT device;
} stuck;

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = information;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	return status;
}

static BOOLEAN name_ends_with(const UNICODE_STRING *name, const char *tail)
{
	size_t n = strlen(tail), have = name->Length / sizeof(WCHAR), i;

	for (i = 0; have >= n && i < n; i++)
		if (name->Buffer[have - n + i] != (UCHAR)tail[i])
			return FALSE;
	return have >= n;
}

static BOOLEAN is_file(PFILE_OBJECT file)
{
	return name_ends_with(&file->FileName, "\\file") || name_ends_with(&file->FileName, "\\slow");
}

static NTSTATUS dispatch_create(PDEVICE_OBJECT device, PIRP irp)
{
	PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;

	(void)device;
	if (file->FileName.Length != 0 && !is_file(file) && !name_ends_with(&file->FileName, "share"))
		return complete(irp, STATUS_OBJECT_NAME_NOT_FOUND, 0);
	if (name_ends_with(&file->FileName, "\\slow")) {
		InterlockedIncrement(&stuck.waiting);
		KeWaitForSingleObject(&stuck.gate, Executive, KernelMode, FALSE, NULL);
		InterlockedDecrement(&stuck.waiting);
	}
	InterlockedIncrement(&stuck.objects);
	return complete(irp, STATUS_SUCCESS, FILE_OPENED);
}

static NTSTATUS dispatch_close(PDEVICE_OBJECT device, PIRP irp)
{
	(void)device;
	InterlockedDecrement(&stuck.objects);
	return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS dispatch_write(PDEVICE_OBJECT device, PIRP irp)
{
	PIO_STACK_LOCATION sp = IoGetCurrentIrpStackLocation(irp);

	(void)device;
	nt_file_set_flags(sp->FileObject, FO_FILE_MODIFIED);
	return complete(irp, STATUS_SUCCESS, sp->Parameters.Write.Length);
}

static NTSTATUS dispatch_cleanup(PDEVICE_OBJECT device, PIRP irp)
{
	(void)device;
	if ((nt_file_flags(IoGetCurrentIrpStackLocation(irp)->FileObject) & FO_FILE_MODIFIED) == 0)
		return complete(irp, STATUS_SUCCESS, 0);
	InterlockedIncrement(&stuck.ends_waiting);
	KeWaitForSingleObject(&stuck.ends_gate, Executive, KernelMode, FALSE, NULL);
	InterlockedDecrement(&stuck.ends_waiting);
	InterlockedIncrement(&stuck.ends);
	return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS dispatch_trivial(PDEVICE_OBJECT device, PIRP irp)
{
	(void)device;
	return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS dispatch_refuse(PDEVICE_OBJECT device, PIRP irp)
{
	(void)device;
	return complete(irp, STATUS_NOT_SUPPORTED, 0);
}

static NTSTATUS dispatch_query(PDEVICE_OBJECT device, PIRP irp)
{
	PIO_STACK_LOCATION sp = IoGetCurrentIrpStackLocation(irp);
	FILE_STAT_INFORMATION *stat = irp->AssociatedIrp.SystemBuffer;

	(void)device;
	if (sp->Parameters.QueryFile.FileInformationClass != FileStatInformation ||
	    sp->Parameters.QueryFile.Length < sizeof(*stat))
		return complete(irp, STATUS_INVALID_INFO_CLASS, 0);
	RtlZeroMemory(stat, sizeof(*stat));
	stat->FileAttributes = is_file(sp->FileObject) ? FILE_ATTRIBUTE_NORMAL : FILE_ATTRIBUTE_DIRECTORY;
	stat->FileId.QuadPart = name_ends_with(&sp->FileObject->FileName, "\\slow") ? 8 : 7;
	if (!is_file(sp->FileObject))
		stat->FileId.QuadPart = 2;
	stat->EndOfFile.QuadPart = 4096;
	stat->NumberOfLinks = 1;
	stat->LastWriteTime.QuadPart = STUCK_TIME + InterlockedAdd(&stuck.ends, 0);
	return complete(irp, STATUS_SUCCESS, sizeof(*stat));
}

static VOID cancel_read(PDEVICE_OBJECT device, PIRP irp)
{
	KIRQL irql;

	(void)device;
	IoReleaseCancelSpinLock(irp->CancelIrql);
	KeAcquireSpinLock(&stuck.lock, &irql);
	RemoveEntryList(&irp->Tail.Overlay.ListEntry);
	stuck.held_count--;
	KeReleaseSpinLock(&stuck.lock, irql);
	(void)complete(irp, STATUS_CANCELLED, 0);
}

static NTSTATUS dispatch_read(PDEVICE_OBJECT device, PIRP irp)
{
	KIRQL irql;

	(void)device;
	KeAcquireSpinLock(&stuck.lock, &irql);
	if (!stuck.hold || (stuck.honour && irp->Cancel)) {
		KeReleaseSpinLock(&stuck.lock, irql);
		return complete(irp, irp->Cancel ? STATUS_CANCELLED : STATUS_SUCCESS, irp->Cancel ? 0 : 1);
	}
	IoMarkIrpPending(irp);
	InsertTailList(&stuck.held, &irp->Tail.Overlay.ListEntry);
	stuck.held_count++;
	if (stuck.honour)
		(void)IoSetCancelRoutine(irp, cancel_read);
	KeReleaseSpinLock(&stuck.lock, irql);
	return STATUS_PENDING;
}

static VOID unload(PDRIVER_OBJECT driver)
{
	(void)driver;
	IoDeleteDevice(stuck.device);
}

static NTSTATUS entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	UNICODE_STRING name = RTL_CONSTANT_STRING(u"\\Device\\Stuck");
	ULONG i;

	(void)path;
	RtlZeroMemory(&stuck, sizeof(stuck));
	KeInitializeSpinLock(&stuck.lock);
	InitializeListHead(&stuck.held);
	KeInitializeEvent(&stuck.gate, NotificationEvent, TRUE);
	KeInitializeEvent(&stuck.ends_gate, NotificationEvent, TRUE);
	for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver->MajorFunction[i] = dispatch_refuse;
	driver->MajorFunction[IRP_MJ_CREATE] = dispatch_create;
	driver->MajorFunction[IRP_MJ_CLEANUP] = dispatch_cleanup;
	driver->MajorFunction[IRP_MJ_CLOSE] = dispatch_close;
	driver->MajorFunction[IRP_MJ_READ] = dispatch_read;
	driver->MajorFunction[IRP_MJ_WRITE] = dispatch_write;
	driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = dispatch_query;
	driver->MajorFunction[IRP_MJ_FILE_SYSTEM_CONTROL] = dispatch_trivial;
	driver->DriverUnload = unload;
	return IoCreateDevice(driver, 0, &name, FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE, FALSE,
			      &stuck.device);
}

const struct door_driver stuck_driver = {"Stuck", entry, "\\Device\\Stuck"};

/* ---- what the test says ------------------------------------------------------------------------------ */

void stuck_hold_reads(BOOLEAN hold, BOOLEAN honour)
{
	KIRQL irql;

	KeAcquireSpinLock(&stuck.lock, &irql);
	stuck.hold = hold;
	stuck.honour = honour;
	KeReleaseSpinLock(&stuck.lock, irql);
}

static PIRP take_held(void)
{
	PIRP irp = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&stuck.lock, &irql);
	if (!IsListEmpty(&stuck.held)) {
		irp = CONTAINING_RECORD(stuck.held.Flink, IRP, Tail.Overlay.ListEntry);
		/* Without its cancel routine it belongs to a canceller already. */
		if (stuck.honour && IoSetCancelRoutine(irp, NULL) == NULL) {
			irp = NULL;
		} else {
			RemoveEntryList(&irp->Tail.Overlay.ListEntry);
			stuck.held_count--;
		}
	}
	KeReleaseSpinLock(&stuck.lock, irql);
	return irp;
}

void stuck_release_reads(void)
{
	PIRP irp;

	while ((irp = take_held()) != NULL)
		(void)complete(irp, STATUS_SUCCESS, 1);
}

ULONG stuck_reads_held(void)
{
	ULONG count;
	KIRQL irql;

	KeAcquireSpinLock(&stuck.lock, &irql);
	count = stuck.held_count;
	KeReleaseSpinLock(&stuck.lock, irql);
	return count;
}

void stuck_gate(BOOLEAN open)
{
	if (open)
		KeSetEvent(&stuck.gate, IO_NO_INCREMENT, FALSE);
	else
		KeClearEvent(&stuck.gate);
}

void stuck_gate_ends(BOOLEAN open)
{
	if (open)
		KeSetEvent(&stuck.ends_gate, IO_NO_INCREMENT, FALSE);
	else
		KeClearEvent(&stuck.ends_gate);
}

ULONG stuck_ends_waiting(void)
{
	return (ULONG)InterlockedAdd(&stuck.ends_waiting, 0);
}

ULONG stuck_opens_waiting(void)
{
	return (ULONG)InterlockedAdd(&stuck.waiting, 0);
}

LONG stuck_open_objects(void)
{
	return InterlockedAdd(&stuck.objects, 0);
}
