/*
 * zwfile.c - devices opened by name, from inside the process: handles, controls, and IRPs that free themselves.
 *
 * Owns:   the buffer and the MDL of an IRP made here, until its completion; the open of a file handle.
 * Locks:  none.
 *
 *   ZwCreateFile --IRP_MJ_CREATE--> handle --ZwClose--> IRP_MJ_CLEANUP, then IRP_MJ_CLOSE
 */
#include "zwfile.h"

#include "exec.h"
#include "fsctl.h"
#include "handle.h"
#include "io.h"
#include "pool.h"

#define NT_TAG_BUFFER 'fubI'

/* ---- IRPs that free themselves ------------------------------------------------------------------------ */

void nt_irp_finish_built(PIRP irp)
{
	PVOID buffer = irp->AssociatedIrp.SystemBuffer;
	PIO_STATUS_BLOCK iosb = irp->UserIosb;
	PKEVENT event = irp->UserEvent;

	if ((irp->Flags & IRP_INPUT_OPERATION) != 0 && !NT_ERROR(irp->IoStatus.Status))
		memcpy(irp->UserBuffer, buffer,
		       min(irp->IoStatus.Information, (ULONG_PTR)irp->Overlay.AllocationSize.QuadPart));
	if (irp->Flags & IRP_DEALLOCATE_BUFFER)
		ExFreePoolWithTag(buffer, NT_TAG_BUFFER);
	if (irp->MdlAddress != NULL)
		IoFreeMdl(irp->MdlAddress);
	*iosb = irp->IoStatus;
	IoFreeIrp(irp);
	if (event != NULL)
		KeSetEvent(event, IO_NO_INCREMENT, FALSE); /* the sender's memory may go now */
}

static PIRP irp_begin(PDEVICE_OBJECT device, UCHAR major, PKEVENT event, PIO_STATUS_BLOCK iosb)
{
	PIRP irp = IoAllocateIrp(device->StackSize, FALSE);

	if (irp == NULL)
		return NULL;
	irp->AllocationFlags |= NT_IRP_FREES_ITSELF;
	irp->RequestorMode = KernelMode;
	irp->UserEvent = event;
	irp->UserIosb = iosb;
	irp->Flags |= IRP_SYNCHRONOUS_API;
	IoGetNextIrpStackLocation(irp)->MajorFunction = major;
	IoGetNextIrpStackLocation(irp)->DeviceObject = device;
	return irp;
}

static void irp_abandon(PIRP irp)
{
	if (irp->Flags & IRP_DEALLOCATE_BUFFER)
		ExFreePoolWithTag(irp->AssociatedIrp.SystemBuffer, NT_TAG_BUFFER);
	IoFreeIrp(irp);
}

/* A copy that serves both directions. */
static bool irp_buffer(PIRP irp, const void *input, ULONG input_length, PVOID output, ULONG output_length)
{
	ULONG size = max(input_length, output_length);

	if (size == 0)
		return true;
	irp->AssociatedIrp.SystemBuffer = ExAllocatePoolZero(NonPagedPool, size, NT_TAG_BUFFER);
	if (irp->AssociatedIrp.SystemBuffer == NULL)
		return false;
	irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
	if (input_length != 0)
		memcpy(irp->AssociatedIrp.SystemBuffer, input, input_length);
	if (output_length != 0) {
		irp->Flags |= IRP_INPUT_OPERATION;
		irp->UserBuffer = output;
		irp->Overlay.AllocationSize.QuadPart = output_length;
	}
	return true;
}

PIRP IoBuildDeviceIoControlRequest(ULONG IoControlCode, PDEVICE_OBJECT DeviceObject, PVOID InputBuffer,
				   ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength,
				   BOOLEAN InternalDeviceIoControl, PKEVENT Event,
				   PIO_STATUS_BLOCK IoStatusBlock)
{
	PIRP irp = irp_begin(DeviceObject,
			     InternalDeviceIoControl ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL,
			     Event, IoStatusBlock);
	PIO_STACK_LOCATION next;
	bool good = true;

	if (irp == NULL)
		return NULL;
	next = IoGetNextIrpStackLocation(irp);
	next->Parameters.DeviceIoControl.IoControlCode = IoControlCode;
	next->Parameters.DeviceIoControl.InputBufferLength = InputBufferLength;
	next->Parameters.DeviceIoControl.OutputBufferLength = OutputBufferLength;
	switch (METHOD_FROM_CTL_CODE(IoControlCode)) {
	case METHOD_BUFFERED:
		good = irp_buffer(irp, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength);
		break;
	case METHOD_IN_DIRECT:
	case METHOD_OUT_DIRECT:
		good = irp_buffer(irp, InputBuffer, InputBufferLength, NULL, 0);
		if (good && OutputBufferLength != 0)
			good = IoAllocateMdl(OutputBuffer, OutputBufferLength, FALSE, FALSE, irp) != NULL;
		break;
	default: /* METHOD_NEITHER */
		next->Parameters.DeviceIoControl.Type3InputBuffer = InputBuffer;
		irp->UserBuffer = OutputBuffer;
		break;
	}
	if (good)
		return irp;
	irp_abandon(irp);
	return NULL;
}

PIRP IoBuildSynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer,
				  ULONG Length, PLARGE_INTEGER StartingOffset, PKEVENT Event,
				  PIO_STATUS_BLOCK IoStatusBlock)
{
	bool transfer = MajorFunction == IRP_MJ_READ || MajorFunction == IRP_MJ_WRITE;
	PIRP irp = irp_begin(DeviceObject, (UCHAR)MajorFunction, Event, IoStatusBlock);
	PIO_STACK_LOCATION next;

	if (irp == NULL || !transfer)
		return irp;
	next = IoGetNextIrpStackLocation(irp);
	/* Read and Write have one layout */
	next->Parameters.Read.Length = Length;
	if (StartingOffset != NULL)
		next->Parameters.Read.ByteOffset = *StartingOffset;
	irp->UserBuffer = Buffer;
	if (Length != 0 && IoAllocateMdl(Buffer, Length, FALSE, FALSE, irp) == NULL) {
		irp_abandon(irp);
		return NULL;
	}
	return irp;
}

static NTSTATUS irp_run(PDEVICE_OBJECT device, PIRP irp, PKEVENT event, PIO_STATUS_BLOCK iosb)
{
	if (IofCallDriver(device, irp) == STATUS_PENDING)
		KeWaitForSingleObject(event, Executive, KernelMode, FALSE, NULL);
	return iosb->Status;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

/* An IRP of a file without buffers: create, cleanup, close. */
static PIRP irp_of_file(PFILE_OBJECT file, UCHAR major, PKEVENT event, PIO_STATUS_BLOCK iosb)
{
	PIRP irp;

	KeInitializeEvent(event, NotificationEvent, FALSE);
	irp = irp_begin(file->DeviceObject, major, event, iosb);
	if (irp == NULL)
		return NULL;
	irp->Tail.Overlay.OriginalFileObject = file;
	IoGetNextIrpStackLocation(irp)->FileObject = file;
	return irp;
}

/* The longest device name at the front of a path, and what follows it. */
static NTSTATUS open_device(PUNICODE_STRING path, PDEVICE_OBJECT *device, PUNICODE_STRING rest)
{
	UNICODE_STRING name = *path;
	NTSTATUS status = nt_device_open(&name, device);

	while (!NT_SUCCESS(status) && name.Length != 0) {
		do
			name.Length -= sizeof(WCHAR);
		while (name.Length != 0 && name.Buffer[name.Length / sizeof(WCHAR)] != u'\\');
		if (name.Length != 0)
			status = nt_device_open(&name, device);
	}
	rest->Buffer = path->Buffer + name.Length / sizeof(WCHAR);
	rest->Length = rest->MaximumLength = (USHORT)(path->Length - name.Length);
	return status;
}

static NTSTATUS file_create(PFILE_OBJECT file, PIO_SECURITY_CONTEXT security, ULONG disposition,
			    ULONG options, ULONG attributes, ULONG share, PVOID ea, ULONG ea_length,
			    PIO_STATUS_BLOCK iosb)
{
	PIO_STACK_LOCATION next;
	KEVENT event;
	PIRP irp = irp_of_file(file, IRP_MJ_CREATE, &event, iosb);

	if (irp == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	irp->Flags |= IRP_CREATE_OPERATION;
	irp->AssociatedIrp.SystemBuffer = ea;
	next = IoGetNextIrpStackLocation(irp);
	next->Parameters.Create.SecurityContext = security;
	next->Parameters.Create.Options = disposition << 24 | options;
	next->Parameters.Create.FileAttributes = (USHORT)attributes;
	next->Parameters.Create.ShareAccess = (USHORT)share;
	next->Parameters.Create.EaLength = ea_length;
	return irp_run(file->DeviceObject, irp, &event, iosb);
}

NTSTATUS ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
		      PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
		      ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer,
		      ULONG EaLength)
{
	IO_SECURITY_CONTEXT security = {.DesiredAccess = DesiredAccess, .FullCreateOptions = CreateOptions};
	PDEVICE_OBJECT device;
	UNICODE_STRING rest;
	PFILE_OBJECT file;
	NTSTATUS status;

	(void)AllocationSize; /* a hint */
	*FileHandle = NULL;
	if (ObjectAttributes == NULL || ObjectAttributes->ObjectName == NULL ||
	    CreateDisposition > FILE_MAXIMUM_DISPOSITION ||
	    (CreateOptions & ~(ULONG)FILE_VALID_OPTION_FLAGS) != 0)
		return STATUS_INVALID_PARAMETER;
	if (ObjectAttributes->RootDirectory != NULL)
		return STATUS_NOT_SUPPORTED;
	status = open_device(ObjectAttributes->ObjectName, &device, &rest);
	if (!NT_SUCCESS(status))
		return status;
	status = nt_file_object_create(device, &rest, &file);
	ObDereferenceObject(device); /* the file has its own */
	if (!NT_SUCCESS(status))
		return status;
	if (CreateOptions & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT))
		nt_file_set_flags(file, FO_SYNCHRONOUS_IO);
	status = file_create(file, &security, CreateDisposition, CreateOptions, FileAttributes, ShareAccess,
			     EaBuffer, EaLength, IoStatusBlock);
	if (!NT_SUCCESS(status)) {
		ObDereferenceObject(file);
		return status;
	}
	nt_file_set_flags(file, FO_HANDLE_CREATED | FO_FILE_OPEN);
	status = nt_handle_open(NT_HANDLE_FILE, file, FileHandle);
	if (!NT_SUCCESS(status))
		nt_file_handle_close(file);
	return status;
}

NTSTATUS ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
		    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions)
{
	return ZwCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess,
			    FILE_OPEN, OpenOptions, NULL, 0);
}

static void file_send(PFILE_OBJECT file, UCHAR major)
{
	IO_STATUS_BLOCK iosb;
	KEVENT event;
	PIRP irp = irp_of_file(file, major, &event, &iosb);

	RX_CHECK(irp != NULL); /* a cleanup or a close cannot be left out */
	(void)irp_run(file->DeviceObject, irp, &event,
		      &iosb); /* the handle is gone whatever the driver says */
}

void nt_file_handle_close(PVOID object)
{
	PFILE_OBJECT file = object;

	file_send(file, IRP_MJ_CLEANUP);
	file_send(file, IRP_MJ_CLOSE);
	ObDereferenceObject(file);
}

static NTSTATUS control(HANDLE handle, PVOID apc, PIO_STATUS_BLOCK iosb, bool fsctl, ULONG code, PVOID input,
			ULONG input_length, PVOID output, ULONG output_length)
{
	PFILE_OBJECT file;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	KEVENT event;
	PIRP irp;

	if (apc != NULL)
		return STATUS_NOT_IMPLEMENTED;
	file = nt_handle_get(handle, NT_HANDLE_FILE, ObfReferenceObject);
	if (file == NULL)
		return STATUS_INVALID_HANDLE;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	irp = IoBuildDeviceIoControlRequest(code, file->DeviceObject, input, input_length, output,
					    output_length, FALSE, &event, iosb);
	if (irp != NULL) {
		/* DeviceIoControl and FileSystemControl have one layout */
		if (fsctl)
			IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_FILE_SYSTEM_CONTROL;
		irp->Tail.Overlay.OriginalFileObject = file;
		IoGetNextIrpStackLocation(irp)->FileObject = file;
		status = irp_run(file->DeviceObject, irp, &event, iosb);
	}
	ObDereferenceObject(file);
	return status;
}

NTSTATUS ZwDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PVOID ApcRoutine, PVOID ApcContext,
			       PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer,
			       ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength)
{
	(void)Event;
	(void)ApcContext;
	return control(FileHandle, ApcRoutine, IoStatusBlock, false, IoControlCode, InputBuffer,
		       InputBufferLength, OutputBuffer, OutputBufferLength);
}

NTSTATUS ZwFsControlFile(HANDLE FileHandle, HANDLE Event, PVOID ApcRoutine, PVOID ApcContext,
			 PIO_STATUS_BLOCK IoStatusBlock, ULONG FsControlCode, PVOID InputBuffer,
			 ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength)
{
	(void)Event;
	(void)ApcContext;
	return control(FileHandle, ApcRoutine, IoStatusBlock, true, FsControlCode, InputBuffer,
		       InputBufferLength, OutputBuffer, OutputBufferLength);
}

NTSTATUS IoGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess,
				  PFILE_OBJECT *FileObject, PDEVICE_OBJECT *DeviceObject)
{
	UNICODE_STRING rest = {0};
	PDEVICE_OBJECT device;
	NTSTATUS status;

	(void)DesiredAccess;
	*FileObject = NULL;
	*DeviceObject = NULL;
	status = nt_device_open(ObjectName, &device);
	if (!NT_SUCCESS(status))
		return status;
	status = nt_file_object_create(device, &rest, FileObject);
	if (NT_SUCCESS(status))
		*DeviceObject = device;
	ObDereferenceObject(device);
	return status;
}
