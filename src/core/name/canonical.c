/*
 * canonical.c - how the name of a create is read: one spelling for every table, and where its parts end.
 *
 * Owns:   the memory of the canonical name until the caller takes it.
 * Locks:  none; works on the caller's strings only.
 *
 * The name comes from a user. It is checked here once; everything behind works on canonical names.
 */
#include "core/name/name.h"

#define RX_TAG_CANONICAL 'nCxR'

/* State of a name being rewritten in place: components are appended, and dropped again by `..`. */
struct rx_canonical {
	PWCH buffer;
	USHORT count; /* WCHARs written */
	USHORT depth; /* components written, the device's not counted */
	USHORT floor; /* WCHARs of the device part: never dropped */
};

static bool rx_component_is(PCWCH at, USHORT count, PCWCH what, USHORT what_count)
{
	return count == what_count && memcmp(at, what, what_count * sizeof(WCHAR)) == 0;
}

/* Server and share are what the path hangs on: `..` takes only what stands below them. */
static NTSTATUS rx_canonical_drop(struct rx_canonical *name)
{
	if (name->depth <= 2)
		return STATUS_OBJECT_PATH_SYNTAX_BAD;
	while (name->count > name->floor && name->buffer[name->count - 1] != u'\\')
		name->count--;
	name->count--;
	name->depth--;
	return STATUS_SUCCESS;
}

static NTSTATUS rx_canonical_append(struct rx_canonical *name, PCWCH at, USHORT count)
{
	if (rx_component_is(at, count, u".", 1))
		return STATUS_SUCCESS;
	if (rx_component_is(at, count, u"..", 2))
		return rx_canonical_drop(name);
	for (USHORT i = 0; i < count; i++)
		if (at[i] == 0)
			return STATUS_OBJECT_NAME_INVALID;
	name->buffer[name->count++] = u'\\';
	RtlCopyMemory(name->buffer + name->count, at, count * sizeof(WCHAR));
	name->count += count;
	if (name->depth == 0 && name->floor == 0 && at[0] == u';')
		name->floor = name->count; /* the device part is not a component of the path */
	else
		name->depth++;
	return STATUS_SUCCESS;
}

NTSTATUS rx_canonical_name(PCUNICODE_STRING in, USHORT *flags, PUNICODE_STRING out)
{
	USHORT count = in->Length / sizeof(WCHAR);
	struct rx_canonical name = {0};
	NTSTATUS status = STATUS_SUCCESS;
	USHORT at = 0;

	*flags = 0;
	RtlZeroMemory(out, sizeof(*out));
	if (count == 0 || (in->Length & 1) != 0 || in->Buffer[0] != u'\\')
		return STATUS_OBJECT_NAME_INVALID;

	/* every component is preceded by a backslash already: the result is never longer */
	name.buffer = ExAllocatePoolWithTag(PagedPool, in->Length, RX_TAG_CANONICAL);
	if (name.buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;

	while (at < count && NT_SUCCESS(status)) {
		USHORT begin;

		while (at < count && in->Buffer[at] == u'\\')
			at++;
		begin = at;
		while (at < count && in->Buffer[at] != u'\\')
			at++;
		if (at > begin)
			status = rx_canonical_append(&name, in->Buffer + begin, (USHORT)(at - begin));
	}
	if (NT_SUCCESS(status) && name.count == 0)
		status = STATUS_OBJECT_NAME_INVALID;
	if (!NT_SUCCESS(status)) {
		ExFreePoolWithTag(name.buffer, RX_TAG_CANONICAL);
		return status;
	}

	if (in->Buffer[0] == u'\\' && name.floor == 0)
		*flags |= RX_CONTEXT_CREATE_FLAG_UNC_NAME;
	if (count > 1 && in->Buffer[count - 1] == u'\\')
		*flags |= RX_CONTEXT_CREATE_FLAG_STRIPPED_TRAILING_BACKSLASH;
	out->Buffer = name.buffer;
	out->Length = (USHORT)(name.count * sizeof(WCHAR));
	out->MaximumLength = in->Length;
	return STATUS_SUCCESS;
}

/* WCHARs up to the backslash that ends the first component of `name`, or all of them. */
static USHORT rx_canonical_first_component(PCUNICODE_STRING name)
{
	USHORT count = name->Length / sizeof(WCHAR);
	USHORT at = 1;

	while (at < count && name->Buffer[at] != u'\\')
		at++;
	return min(at, count);
}

bool rx_canonical_split_device(PCUNICODE_STRING name, PUNICODE_STRING device, PUNICODE_STRING unc)
{
	USHORT device_count = 0;

	if (name->Length >= 2 * sizeof(WCHAR) && name->Buffer[0] == u'\\' && name->Buffer[1] == u';')
		device_count = rx_canonical_first_component(name);

	device->Buffer = name->Buffer;
	device->Length = device->MaximumLength = (USHORT)(device_count * sizeof(WCHAR));
	unc->Buffer = name->Buffer + device_count;
	unc->Length = unc->MaximumLength = (USHORT)(name->Length - device->Length);
	return unc->Length != 0;
}

bool rx_canonical_server(PCUNICODE_STRING unc, PUNICODE_STRING server)
{
	USHORT end = rx_canonical_first_component(unc);

	server->Buffer = unc->Buffer;
	server->Length = server->MaximumLength = (USHORT)(end * sizeof(WCHAR));
	return unc->Length > sizeof(WCHAR) && unc->Buffer[0] == u'\\' && end > 1;
}
