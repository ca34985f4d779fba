/*
 * device.c - loading a driver, starting and stopping its device.
 *
 * Owns:      struct door: the driver object, a reference to the device, an open of the device itself.
 * Dies when: door_stop(); every volume must be gone by then.
 */
#include "door_int.h"

/* \Device\Xxx is ASCII by contract. */
static NTSTATUS device_name(const char *ascii, UNICODE_STRING *name)
{
	size_t n = strlen(ascii), i;

	RtlZeroMemory(name, sizeof(*name));
	name->Buffer = ExAllocatePoolWithTag(NonPagedPool, (n + 1) * sizeof(WCHAR), DOOR_TAG_NAME);
	if (name->Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	for (i = 0; i < n; i++)
		name->Buffer[i] = (UCHAR)ascii[i];
	name->Length = (USHORT)(n * sizeof(WCHAR));
	name->MaximumLength = (USHORT)((n + 1) * sizeof(WCHAR));
	return STATUS_SUCCESS;
}

static NTSTATUS open_control(struct door *door)
{
	UNICODE_STRING empty = {0};
	struct door_request *r;
	IO_SECURITY_CONTEXT security = {.DesiredAccess = GENERIC_READ | GENERIC_WRITE};
	PIO_STACK_LOCATION stack;
	NTSTATUS status = door_object_create(door, &empty, &door->control);

	if (!NT_SUCCESS(status))
		return status;
	status = door_request_create(door, door->control, NULL, NULL, IRP_MJ_CREATE, 0, &r);
	if (NT_SUCCESS(status)) {
		r->irp->Flags |= IRP_CREATE_OPERATION;
		stack = door_request_stack(r);
		stack->Parameters.Create.SecurityContext = &security;
		stack->Parameters.Create.Options = (ULONG)FILE_OPEN << 24;
		stack->Parameters.Create.ShareAccess = DOOR_SHARE_ALL;
		status = door_request_run(r, NULL, NULL);
	}
	if (!NT_SUCCESS(status)) {
		ObDereferenceObject(door->control);
		door->control = NULL;
	}
	return status;
}

NTSTATUS door_device_control(struct door *door, ULONG code, void *out, ULONG out_length, ULONG_PTR *returned)
{
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status = door_request_create(door, door->control, NULL, NULL, IRP_MJ_FILE_SYSTEM_CONTROL,
					      IRP_MN_USER_FS_REQUEST, &r);

	if (!NT_SUCCESS(status))
		return status;
	stack = door_request_stack(r);
	stack->Parameters.FileSystemControl.FsControlCode = code;
	stack->Parameters.FileSystemControl.OutputBufferLength = out_length;
	r->irp->AssociatedIrp.SystemBuffer = out;
	r->irp->UserBuffer = out;
	return door_request_run(r, NULL, returned);
}

static NTSTATUS find_device(const struct door_driver *driver, struct door *door)
{
	UNICODE_STRING name = {0};
	NTSTATUS status;

	if (driver->device == NULL) {
		door->device = rx_driver_first_redirector(door->driver);
		return door->device != NULL ? STATUS_SUCCESS : STATUS_NO_SUCH_DEVICE;
	}
	status = device_name(driver->device, &name);
	if (NT_SUCCESS(status))
		status = nt_device_open(&name, &door->device);
	door_name_free(&name);
	return status;
}

NTSTATUS door_start(const struct door_driver *driver, struct door **out)
{
	enum door_stage stage;

	return door_start_staged(driver, out, &stage);
}

NTSTATUS door_start_staged(const struct door_driver *driver, struct door **out, enum door_stage *stage)
{
	struct door *door;
	NTSTATUS status;

	*out = NULL;
	*stage = DOOR_STAGE_ENTRY;
	door = ExAllocatePoolWithTag(NonPagedPool, sizeof(*door), DOOR_TAG_DOOR);
	if (door == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(door, sizeof(*door));
	status = nt_driver_load(driver->name, driver->entry, &door->driver);
	if (!NT_SUCCESS(status))
		goto out_free;
	*stage = DOOR_STAGE_REGISTER;
	status = find_device(driver, door);
	if (!NT_SUCCESS(status))
		goto out_unload;
	*stage = DOOR_STAGE_OPEN;
	status = open_control(door);
	if (!NT_SUCCESS(status))
		goto out_device;
	*stage = DOOR_STAGE_START;
	status = door_device_control(door, FSCTL_RX_START, NULL, 0, NULL);
	if (!NT_SUCCESS(status))
		goto out_control;
	*stage = DOOR_STAGE_STARTED;
	*out = door;
	return STATUS_SUCCESS;

out_control:
	(void)door_object_cleanup(door, door->control, NULL);
	door_object_close(door, door->control);
out_device:
	ObDereferenceObject(door->device);
out_unload:
	nt_driver_unload(door->driver);
out_free:
	ExFreePoolWithTag(door, DOOR_TAG_DOOR);
	return status;
}

NTSTATUS door_stop(struct door *door)
{
	NTSTATUS status;

	RX_CHECK(atomic_load(&door->volumes) == 0);
	status = door_device_control(door, FSCTL_RX_STOP, NULL, 0, NULL);
	(void)door_object_cleanup(door, door->control, NULL);
	door_object_close(door, door->control);
	ObDereferenceObject(door->device);
	nt_driver_unload(door->driver);
	ExFreePoolWithTag(door, DOOR_TAG_DOOR);
	return status;
}

NTSTATUS door_query_objects(struct door *door, void *buffer, ULONG length, ULONG *needed)
{
	ULONG_PTR returned = 0;
	NTSTATUS status = door_device_control(door, FSCTL_RX_QUERY_OBJECTS, buffer, length, &returned);

	*needed = (ULONG)returned;
	return status;
}

NTSTATUS door_check_objects(struct door *door, void *buffer, ULONG length, ULONG *filled)
{
	ULONG_PTR returned = 0;
	NTSTATUS status = door_device_control(door, FSCTL_RX_CHECK_OBJECTS, buffer, length, &returned);

	*filled = (ULONG)returned;
	return status;
}
