/*
 * user.c - a driver's device, opened by a program outside the process: what CreateFile and DeviceIoControl are.
 *
 * Owns:      struct door_user: a file object on the device.
 * Locks:     none; one request at a time per open is the caller's affair.
 * Dies when: door_user_close().
 *
 * Requests carry RequestorMode UserMode and the program's ids.  Buffers are the caller's copies in this process.
 */
#include "door_int.h"

#include <stdio.h>

#define DOOR_TAG_USER 'uRoD'

struct door_user {
	struct door *door;
	PFILE_OBJECT object;
};

static NTSTATUS find_as(const char *prefix, const char *name, PDEVICE_OBJECT *device)
{
	WCHAR wide[128];
	UNICODE_STRING string = {0, sizeof(wide), wide};
	char text[128];
	ULONG bytes = 0;
	int n = snprintf(text, sizeof(text), "%s%s", prefix, name);

	*device = NULL;
	if (n < 0 || (size_t)n >= sizeof(text))
		return STATUS_OBJECT_NAME_INVALID;
	if (RtlUTF8ToUnicodeN(wide, sizeof(wide), &bytes, text, (ULONG)n) != STATUS_SUCCESS)
		return STATUS_OBJECT_NAME_INVALID;
	string.Length = (USHORT)bytes;
	return nt_device_open(&string, device);
}

/* \\.\Name and \??\Name are links under either name of their directory; \Device\Name is the device itself. */
static NTSTATUS find_device(const char *name, PDEVICE_OBJECT *device)
{
	static const char *const heads[] = {"\\\\.\\", "\\??\\", "\\DosDevices\\"};
	NTSTATUS status;

	if (strncmp(name, "\\Device\\", 8) == 0)
		return find_as("", name, device);
	for (size_t i = 0; i < RTL_NUMBER_OF(heads); i++) {
		if (strncmp(name, heads[i], strlen(heads[i])) == 0) {
			name += strlen(heads[i]);
			break;
		}
	}
	status = find_as("\\??\\", name, device);
	return NT_SUCCESS(status) ? status : find_as("\\DosDevices\\", name, device);
}

static NTSTATUS send_create(struct door_user *user, const struct door_caller *caller)
{
	IO_SECURITY_CONTEXT security = {.DesiredAccess = GENERIC_READ | GENERIC_WRITE};
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status = door_request_create(user->door, user->object, NULL, caller, IRP_MJ_CREATE, 0, &r);

	if (!NT_SUCCESS(status))
		return status;
	r->irp->Flags |= IRP_CREATE_OPERATION;
	r->irp->RequestorMode = UserMode;
	stack = door_request_stack(r);
	stack->Parameters.Create.SecurityContext = &security;
	stack->Parameters.Create.Options = (ULONG)FILE_OPEN << 24;
	stack->Parameters.Create.ShareAccess = DOOR_SHARE_ALL;
	return door_request_run(r, caller, NULL);
}

NTSTATUS door_user_open(struct door *door, const char *name, const struct door_caller *caller,
			struct door_user **out)
{
	UNICODE_STRING empty = {0};
	struct door_user *user;
	PDEVICE_OBJECT device;
	NTSTATUS status;

	*out = NULL;
	status = find_device(name, &device);
	if (!NT_SUCCESS(status))
		return status;
	user = ExAllocatePoolWithTag(NonPagedPool, sizeof(*user), DOOR_TAG_USER);
	if (user == NULL) {
		ObDereferenceObject(device);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	user->door = door;
	status = nt_file_object_create(device, &empty, &user->object);
	ObDereferenceObject(device); /* the file object has its own */
	if (NT_SUCCESS(status)) {
		status = send_create(user, caller);
		if (!NT_SUCCESS(status))
			ObDereferenceObject(user->object);
	}
	if (NT_SUCCESS(status))
		*out = user;
	else
		ExFreePoolWithTag(user, DOOR_TAG_USER);
	return status;
}

/* METHOD_BUFFERED: one buffer for both directions, as long as the longer. */
static PVOID shared_buffer(const struct door_control *c)
{
	ULONG size = max(c->in_length, c->out_length);
	PVOID buffer = size != 0 ? ExAllocatePoolZero(NonPagedPool, size, DOOR_TAG_BUFFER) : NULL;

	if (buffer != NULL)
		RtlCopyMemory(buffer, c->in, c->in_length);
	return buffer;
}

static NTSTATUS place_buffers(struct door_request *r, const struct door_control *c, PVOID *shared)
{
	PIO_STACK_LOCATION stack = door_request_stack(r);
	ULONG method = METHOD_FROM_CTL_CODE(c->code);

	/* DeviceIoControl and FileSystemControl have one layout */
	stack->Parameters.DeviceIoControl.IoControlCode = c->code;
	stack->Parameters.DeviceIoControl.InputBufferLength = c->in_length;
	stack->Parameters.DeviceIoControl.OutputBufferLength = c->out_length;
	if (method == METHOD_NEITHER) {
		stack->Parameters.DeviceIoControl.Type3InputBuffer = c->in_length != 0 ? (PVOID)c->in : NULL;
		r->irp->UserBuffer = c->out_length != 0 ? c->out : NULL;
		return STATUS_SUCCESS;
	}
	*shared = shared_buffer(c);
	if (*shared == NULL && (c->in_length != 0 || c->out_length != 0))
		return STATUS_INSUFFICIENT_RESOURCES;
	r->irp->AssociatedIrp.SystemBuffer = *shared;
	if (method == METHOD_BUFFERED || c->out_length == 0)
		return STATUS_SUCCESS;
	r->mdl = IoAllocateMdl(c->out, c->out_length, FALSE, FALSE, NULL);
	r->irp->MdlAddress = r->mdl;
	return r->mdl != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS door_user_control(struct door_user *user, const struct door_caller *caller,
			   const struct door_control *control, ULONG_PTR *returned)
{
	UCHAR major = control->is_fsctl ? IRP_MJ_FILE_SYSTEM_CONTROL : IRP_MJ_DEVICE_CONTROL;
	PVOID shared = NULL;
	struct door_request *r;
	NTSTATUS status = door_request_create(user->door, user->object, NULL, caller, major, 0, &r);

	*returned = 0;
	if (!NT_SUCCESS(status))
		return status;
	r->irp->RequestorMode = UserMode;
	status = place_buffers(r, control, &shared);
	if (NT_SUCCESS(status))
		status = door_request_run(r, caller, returned);
	else
		door_request_put(r);
	/* what a driver says it returned is never more than there is room for */
	*returned = NT_ERROR(status) ? 0 : min(*returned, (ULONG_PTR)control->out_length);
	if (shared != NULL && METHOD_FROM_CTL_CODE(control->code) == METHOD_BUFFERED)
		RtlCopyMemory(control->out, shared, *returned);
	if (shared != NULL)
		ExFreePoolWithTag(shared, DOOR_TAG_BUFFER);
	return status;
}

void door_user_close(struct door_user *user, const struct door_caller *caller)
{
	(void)door_object_cleanup(user->door, user->object,
				  caller); /* the program is gone whatever it says */
	door_object_close(user->door, user->object);
	ExFreePoolWithTag(user, DOOR_TAG_USER);
}
