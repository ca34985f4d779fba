/*
 * volume.c - a connected tree: the open that holds it, and the credentials it was made with.
 *
 * Owns:      struct door_volume; the file object of the tree connection.
 * Locks:     volume->mutex for the table of open files.
 * Dies when: door_volume_disconnect() and the last file's IRP_MJ_CLOSE.
 *
 * Credentials travel as extended attributes of the create ("Username", "Password", "Domain" in UTF-16,
 * "rdr.Options" in UTF-8); the list is wiped as soon as the create is over.
 */
#include <stdio.h>

#include "door_int.h"

struct ea_list {
	UCHAR *bytes; /* DOOR_TAG_EA */
	ULONG used;
	ULONG capacity;
	FILE_FULL_EA_INFORMATION *last;
};

#define EA_CAPACITY 8192u /* user, password, domain and options of any sane length */

static NTSTATUS ea_add(struct ea_list *list, const char *name, const void *value, size_t value_bytes)
{
	ULONG name_bytes = (ULONG)strlen(name);
	ULONG need = FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName) + name_bytes + 1 + (ULONG)value_bytes;
	ULONG at = (list->used + 3) & ~3u;
	FILE_FULL_EA_INFORMATION *ea;

	if (value_bytes > 0xFFFF || at + need > list->capacity)
		return STATUS_EA_TOO_LARGE;
	ea = (FILE_FULL_EA_INFORMATION *)(void *)(list->bytes + at);
	if (list->last != NULL)
		list->last->NextEntryOffset = (ULONG)((UCHAR *)ea - (UCHAR *)list->last);
	ea->NextEntryOffset = 0;
	ea->Flags = 0;
	ea->EaNameLength = (UCHAR)name_bytes;
	ea->EaValueLength = (USHORT)value_bytes;
	RtlCopyMemory(ea->EaName, name, name_bytes + 1);
	RtlCopyMemory(ea->EaName + name_bytes + 1, value, value_bytes);
	list->last = ea;
	list->used = at + need;
	return STATUS_SUCCESS;
}

/* UTF-8 to UTF-16 as it is: credentials are not file names. */
static NTSTATUS ea_add_text(struct ea_list *list, const char *name, const char *utf8)
{
	ULONG bytes = 0, length = utf8 != NULL ? (ULONG)strlen(utf8) : 0;
	WCHAR wide[512];
	NTSTATUS status;

	if (utf8 == NULL)
		return STATUS_SUCCESS;
	status = RtlUTF8ToUnicodeN(wide, sizeof(wide), &bytes, utf8, length);
	/* STATUS_SOME_NOT_MAPPED would log in with other characters than the user gave. */
	if (status == STATUS_SUCCESS)
		status = ea_add(list, name, wide, bytes);
	else if (NT_SUCCESS(status))
		status = STATUS_INVALID_PARAMETER;
	RtlSecureZeroMemory(wide, sizeof(wide));
	return status;
}

static NTSTATUS ea_build(const struct door_connect *c, struct ea_list *list)
{
	NTSTATUS status;

	RtlZeroMemory(list, sizeof(*list));
	list->bytes = ExAllocatePoolWithTag(NonPagedPool, EA_CAPACITY, DOOR_TAG_EA);
	if (list->bytes == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(list->bytes, EA_CAPACITY);
	list->capacity = EA_CAPACITY;
	status = ea_add_text(list, "Username", c->user);
	if (NT_SUCCESS(status))
		status = ea_add_text(list, "Password", c->password);
	if (NT_SUCCESS(status))
		status = ea_add_text(list, "Domain", c->domain);
	if (NT_SUCCESS(status) && c->options != NULL)
		status = ea_add(list, "rdr.Options", c->options, strlen(c->options));
	return status;
}

static void ea_wipe(struct ea_list *list)
{
	if (list->bytes == NULL)
		return;
	RtlSecureZeroMemory(list->bytes, list->capacity);
	ExFreePoolWithTag(list->bytes, DOOR_TAG_EA);
}

/* "\server@port\share", for door_name_free(), also after a failure. */
static NTSTATUS build_root(const struct door_connect *c, char *text, size_t size, UNICODE_STRING *root)
{
	ULONG bytes = 0;
	int n;

	if (c->server == NULL || c->share == NULL || c->server[0] == '\0' || c->share[0] == '\0' ||
	    strpbrk(c->server, "\\/@") != NULL || strpbrk(c->share, "\\/") != NULL)
		return STATUS_BAD_NETWORK_PATH;
	if (c->port != 0)
		n = snprintf(text, size, "\\%s@%u\\%s", c->server, c->port, c->share);
	else
		n = snprintf(text, size, "\\%s\\%s", c->server, c->share);
	if (n < 0 || (size_t)n >= size)
		return STATUS_NAME_TOO_LONG;
	root->Buffer = ExAllocatePoolWithTag(NonPagedPool, ((SIZE_T)n + 1) * sizeof(WCHAR), DOOR_TAG_NAME);
	if (root->Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	root->MaximumLength = (USHORT)(((SIZE_T)n + 1) * sizeof(WCHAR));
	if (RtlUTF8ToUnicodeN(root->Buffer, root->MaximumLength, &bytes, text, (ULONG)n) != STATUS_SUCCESS)
		return STATUS_BAD_NETWORK_PATH;
	root->Length = (USHORT)bytes;
	return STATUS_SUCCESS;
}

static NTSTATUS name_volume(struct door_volume *volume, const struct door_connect *c)
{
	char text[512];
	NTSTATUS status = build_root(c, text, sizeof(text), &volume->root);
	SIZE_T bytes;

	if (!NT_SUCCESS(status))
		return status;
	bytes = strlen(text) + 1;
	volume->name = ExAllocatePoolWithTag(NonPagedPool, bytes, DOOR_TAG_VOLUME);
	if (volume->name == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlCopyMemory(volume->name, text, bytes);
	return STATUS_SUCCESS;
}

NTSTATUS door_volume_claim(struct door *door, const struct door_caller *caller,
			   const struct door_connect *connect)
{
	IO_SECURITY_CONTEXT security = {.DesiredAccess = SYNCHRONIZE};
	QUERY_PATH_REQUEST_EX query = {.pSecurityContext = &security};
	QUERY_PATH_RESPONSE response = {0};
	struct ea_list eas = {0};
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	char text[512];
	NTSTATUS status;

	if (!rx_device_provides_uncs(door->device))
		return STATUS_SUCCESS;
	status = build_root(connect, text, sizeof(text), &query.PathName);
	if (NT_SUCCESS(status))
		status = ea_build(connect, &eas);
	if (NT_SUCCESS(status))
		status = door_request_create(door, door->control, NULL, caller, IRP_MJ_DEVICE_CONTROL, 0, &r);
	if (NT_SUCCESS(status)) {
		query.pEaBuffer = eas.used != 0 ? eas.bytes : NULL;
		query.EaLength = eas.used;
		stack = door_request_stack(r);
		stack->Parameters.DeviceIoControl.IoControlCode = IOCTL_REDIR_QUERY_PATH_EX;
		stack->Parameters.DeviceIoControl.InputBufferLength = sizeof(query);
		stack->Parameters.DeviceIoControl.OutputBufferLength = sizeof(response);
		stack->Parameters.DeviceIoControl.Type3InputBuffer = &query;
		r->irp->UserBuffer = &response;
		status = door_request_run(r, caller, NULL);
	}
	if (NT_SUCCESS(status) && response.LengthAccepted == 0)
		status = STATUS_BAD_NETWORK_PATH;
	ea_wipe(&eas);
	door_name_free(&query.PathName);
	return status;
}

static NTSTATUS connect_tree(struct door_volume *volume, const struct door_caller *caller,
			     const struct door_connect *c)
{
	IO_SECURITY_CONTEXT security = {.DesiredAccess = SYNCHRONIZE};
	struct ea_list eas = {0};
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status = door_object_create(volume->door, &volume->root, &volume->tree);

	if (!NT_SUCCESS(status))
		return status;
	status = ea_build(c, &eas);
	if (NT_SUCCESS(status))
		status = door_request_create(volume->door, volume->tree, NULL, caller, IRP_MJ_CREATE, 0, &r);
	if (NT_SUCCESS(status)) {
		r->irp->Flags |= IRP_CREATE_OPERATION;
		r->irp->AssociatedIrp.SystemBuffer = eas.used != 0 ? eas.bytes : NULL;
		stack = door_request_stack(r);
		security.FullCreateOptions = FILE_CREATE_TREE_CONNECTION;
		stack->Parameters.Create.SecurityContext = &security;
		stack->Parameters.Create.Options = ((ULONG)FILE_OPEN << 24) | FILE_CREATE_TREE_CONNECTION;
		stack->Parameters.Create.ShareAccess = DOOR_SHARE_ALL;
		stack->Parameters.Create.EaLength = eas.used;
		status = door_request_run(r, caller, NULL);
	}
	ea_wipe(&eas);
	if (!NT_SUCCESS(status)) {
		ObDereferenceObject(volume->tree);
		volume->tree = NULL;
	}
	return status;
}

static void volume_free(struct door_volume *volume)
{
	door_name_free(&volume->root);
	if (volume->name != NULL)
		ExFreePoolWithTag(volume->name, DOOR_TAG_VOLUME);
	ExFreePoolWithTag(volume, DOOR_TAG_VOLUME);
}

NTSTATUS door_volume_connect(struct door *door, const struct door_caller *caller,
			     const struct door_connect *connect, struct door_volume **out)
{
	struct door_volume *volume;
	NTSTATUS status;
	ULONG i;

	*out = NULL;
	volume = ExAllocatePoolWithTag(NonPagedPool, sizeof(*volume), DOOR_TAG_VOLUME);
	if (volume == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(volume, sizeof(*volume));
	volume->door = door;
	atomic_init(&volume->files, 1);
	ExInitializeFastMutex(&volume->mutex);
	door_waits_init(volume);
	KeInitializeEvent(&volume->idle, NotificationEvent, FALSE);
	for (i = 0; i < DOOR_ID_BUCKETS; i++)
		InitializeListHead(&volume->by_id[i]);
	status = name_volume(volume, connect);
	if (NT_SUCCESS(status))
		status = connect_tree(volume, caller, connect);
	if (!NT_SUCCESS(status)) {
		volume_free(volume);
		return status;
	}
	atomic_fetch_add(&door->volumes, 1);
	*out = volume;
	return STATUS_SUCCESS;
}

void door_volume_put(struct door_volume *volume)
{
	if (atomic_fetch_sub(&volume->files, 1) == 1)
		KeSetEvent(&volume->idle, IO_NO_INCREMENT, FALSE);
}

void door_volume_disconnect(struct door_volume *volume)
{
	struct door *door = volume->door;

	door_volume_put(volume);
	KeWaitForSingleObject(&volume->idle, Executive, KernelMode, FALSE, NULL);
	(void)door_object_cleanup(door, volume->tree, NULL); /* the connection is given up in any case */
	door_object_close(door, volume->tree);
	volume_free(volume);
	atomic_fetch_sub(&door->volumes, 1);
}

struct door *door_volume_door(struct door_volume *volume)
{
	return volume->door;
}

const char *door_volume_name(struct door_volume *volume)
{
	return volume->name;
}
