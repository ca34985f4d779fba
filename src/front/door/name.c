/*
 * name.c - bytes of POSIX names to UTF-16 components and back; building paths.
 *
 * The mapping itself is nt_name.h's bijection; here components are checked and put together.
 */
#include "door_int.h"

#define MAX_COMPONENT_BYTES 255u /* NAME_MAX */
#define MAX_NAME_BYTES 0xFFF0u   /* of a UNICODE_STRING */

void door_name_free(UNICODE_STRING *name)
{
	if (name->Buffer != NULL)
		ExFreePool(name->Buffer); /* made here or by nt_name.h */
	RtlZeroMemory(name, sizeof(*name));
}

static BOOLEAN is_dots(const char *bytes, size_t length)
{
	return (length == 1 && bytes[0] == '.') || (length == 2 && bytes[0] == '.' && bytes[1] == '.');
}

static NTSTATUS check_component(const char *bytes, size_t length)
{
	if (length == 0 || is_dots(bytes, length))
		return STATUS_OBJECT_NAME_INVALID;
	if (length > MAX_COMPONENT_BYTES)
		return STATUS_NAME_TOO_LONG;
	return STATUS_SUCCESS;
}

NTSTATUS door_component_from_posix(const char *bytes, size_t length, UNICODE_STRING *name)
{
	NTSTATUS status = check_component(bytes, length);

	RtlZeroMemory(name, sizeof(*name));
	if (NT_SUCCESS(status))
		status = nt_name_from_bytes(bytes, length, name);
	return status;
}

NTSTATUS door_component_to_posix(const UNICODE_STRING *name, char *buffer, size_t size, size_t *length)
{
	size_t n = 0;
	NTSTATUS status;

	if (size == 0)
		return STATUS_BUFFER_TOO_SMALL;
	status = nt_name_to_buffer(name, buffer, size - 1, &n);
	/* A server's name with a slash or a NUL in it, or one that reads as dots, has no place in a POSIX path. */
	if (NT_SUCCESS(status) && (n == 0 || is_dots(buffer, n) || memchr(buffer, '/', n) != NULL ||
				   memchr(buffer, '\0', n) != NULL))
		status = STATUS_OBJECT_NAME_INVALID;
	buffer[NT_SUCCESS(status) ? n : 0] = '\0';
	if (length != NULL)
		*length = n;
	return status;
}

/* Drops leading, repeated and trailing '/', checks each component.  @out has room for all of @path. */
static NTSTATUS tidy(const char *path, char *out, size_t *length)
{
	size_t at = 0;

	for (;;) {
		size_t n;
		NTSTATUS status;

		while (*path == '/')
			path++;
		if (*path == '\0')
			break;
		n = strcspn(path, "/");
		status = check_component(path, n);
		if (!NT_SUCCESS(status))
			return status;
		if (at != 0)
			out[at++] = '/';
		RtlCopyMemory(out + at, path, n);
		at += n;
		path += n;
	}
	*length = at;
	return STATUS_SUCCESS;
}

NTSTATUS door_name_from_posix(const char *path, UNICODE_STRING *name)
{
	size_t length = strlen(path);
	char *tidied;
	NTSTATUS status;

	RtlZeroMemory(name, sizeof(*name));
	if (length > MAX_NAME_BYTES)
		return STATUS_NAME_TOO_LONG;
	tidied = ExAllocatePoolWithTag(NonPagedPool, length + 1, DOOR_TAG_BUFFER);
	if (tidied == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = tidy(path, tidied, &length);
	if (NT_SUCCESS(status) && length != 0)
		status = nt_name_from_bytes(tidied, length, name);
	ExFreePoolWithTag(tidied, DOOR_TAG_BUFFER);
	return status;
}

NTSTATUS door_name_join(const UNICODE_STRING *parent, const UNICODE_STRING *leaf, UNICODE_STRING *name)
{
	size_t bytes = (size_t)parent->Length + leaf->Length + 2 * sizeof(WCHAR);

	RtlZeroMemory(name, sizeof(*name));
	if (bytes > MAX_NAME_BYTES)
		return STATUS_NAME_TOO_LONG;
	name->Buffer = ExAllocatePoolWithTag(NonPagedPool, bytes, DOOR_TAG_NAME);
	if (name->Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	name->MaximumLength = (USHORT)bytes;
	if (parent->Length != 0)
		RtlCopyMemory(name->Buffer, parent->Buffer, parent->Length);
	name->Length = parent->Length;
	if (parent->Length != 0 && leaf->Length != 0) {
		name->Buffer[name->Length / sizeof(WCHAR)] = '\\';
		name->Length = (USHORT)(name->Length + sizeof(WCHAR));
	}
	if (leaf->Length != 0)
		RtlCopyMemory(name->Buffer + name->Length / sizeof(WCHAR), leaf->Buffer, leaf->Length);
	name->Length = (USHORT)(name->Length + leaf->Length);
	return STATUS_SUCCESS;
}

NTSTATUS door_name_append(const UNICODE_STRING *parent, const char *component, size_t length,
			  UNICODE_STRING *name)
{
	UNICODE_STRING leaf;
	NTSTATUS status = door_component_from_posix(component, length, &leaf);

	RtlZeroMemory(name, sizeof(*name));
	if (!NT_SUCCESS(status))
		return status;
	status = door_name_join(parent, &leaf, name);
	door_name_free(&leaf);
	return status;
}

BOOLEAN door_name_is_hidden(const UNICODE_STRING *component)
{
	static const char prefix[] = DOOR_HIDDEN_PREFIX;
	size_t n = sizeof(prefix) - 1, i;

	if (component->Length / sizeof(WCHAR) <= n)
		return FALSE;
	for (i = 0; i < n; i++)
		if (component->Buffer[i] != (UCHAR)prefix[i])
			return FALSE;
	return TRUE;
}
