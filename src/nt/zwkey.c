/*
 * zwkey.c - the registry: what the program that hosts the drivers has configured, for reading.
 *
 * Owns:      the values, in static memory: there are few, and they outlive every runtime.
 * Found by:  path and name, both without regard to case. A key exists while it, or one below it, has a value.
 * Locks:     `latch`, a leaf.
 *
 * A handle of a key is its first value: it needs no memory, and closing it frees none.
 */
#include "handle.h"

#include "ntifs.h"

#define NT_REGISTRY_VALUES 32u

static struct {
	struct nt_latch latch;
	unsigned int used;
	struct nt_registry_value {
		WCHAR key[NT_REGISTRY_KEY_CHARS];
		WCHAR name[NT_REGISTRY_NAME_CHARS];
		ULONG type;
		ULONG bytes;
		UCHAR data[NT_REGISTRY_DATA_BYTES];
	} value[NT_REGISTRY_VALUES];
} registry;

static UNICODE_STRING text_of(const WCHAR *text)
{
	UNICODE_STRING string;

	RtlInitUnicodeString(&string, text);
	return string;
}

static bool fits(const WCHAR *text, USHORT chars)
{
	UNICODE_STRING string = text_of(text);

	return string.Length / sizeof(WCHAR) < chars;
}

static struct nt_registry_value *find_locked(PUNICODE_STRING key, PUNICODE_STRING name)
{
	for (unsigned int i = 0; i < registry.used; i++) {
		UNICODE_STRING its_key = text_of(registry.value[i].key),
			       its_name = text_of(registry.value[i].name);

		if (RtlEqualUnicodeString(&its_key, key, TRUE) &&
		    RtlEqualUnicodeString(&its_name, name, TRUE))
			return &registry.value[i];
	}
	return NULL;
}

NTSTATUS nt_registry_set(const WCHAR *key, const WCHAR *name, ULONG type, const void *data, ULONG bytes)
{
	UNICODE_STRING key_text = text_of(key), name_text = text_of(name);
	struct nt_registry_value *value;

	if (!fits(key, NT_REGISTRY_KEY_CHARS) || !fits(name, NT_REGISTRY_NAME_CHARS) ||
	    bytes > NT_REGISTRY_DATA_BYTES)
		return STATUS_INVALID_PARAMETER;
	nt_latch_acquire(&registry.latch);
	value = find_locked(&key_text, &name_text);
	if (value == NULL && registry.used < NT_REGISTRY_VALUES)
		value = &registry.value[registry.used++];
	if (value != NULL) {
		RtlZeroMemory(value, sizeof(*value));
		RtlCopyMemory(value->key, key, key_text.Length);
		RtlCopyMemory(value->name, name, name_text.Length);
		value->type = type;
		value->bytes = bytes;
		RtlCopyMemory(value->data, data, bytes);
	}
	nt_latch_release(&registry.latch);
	return value != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void nt_registry_clear(void)
{
	nt_latch_acquire(&registry.latch);
	registry.used = 0;
	nt_latch_release(&registry.latch);
}

/* A value at or below the path; NULL: there is no such key. */
static struct nt_registry_value *open_locked(PUNICODE_STRING path)
{
	for (unsigned int i = 0; i < registry.used; i++) {
		UNICODE_STRING key = text_of(registry.value[i].key);

		if (RtlPrefixUnicodeString(path, &key, TRUE) &&
		    (key.Length == path->Length || key.Buffer[path->Length / sizeof(WCHAR)] == u'\\'))
			return &registry.value[i];
	}
	return NULL;
}

static void no_reference(PVOID object)
{
	(void)object; /* values are never freed */
}

/**
 * ZwOpenKey - a key that has a value, by its full path
 * @ObjectAttributes: [in] ObjectName: from `\Registry\...`; a RootDirectory is not supported
 *
 * Return: STATUS_SUCCESS, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS ZwOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
	struct nt_registry_value *value;

	(void)DesiredAccess;
	*KeyHandle = NULL;
	if (ObjectAttributes == NULL || ObjectAttributes->ObjectName == NULL)
		return STATUS_INVALID_PARAMETER;
	if (ObjectAttributes->RootDirectory != NULL)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	nt_latch_acquire(&registry.latch);
	value = open_locked(ObjectAttributes->ObjectName);
	nt_latch_release(&registry.latch);
	if (value == NULL)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	return nt_handle_open(NT_HANDLE_KEY, value, KeyHandle);
}

NTSTATUS ZwCreateKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
		     ULONG TitleIndex, PUNICODE_STRING Class, ULONG CreateOptions, PULONG Disposition)
{
	(void)DesiredAccess;
	(void)ObjectAttributes;
	(void)TitleIndex;
	(void)Class;
	(void)CreateOptions;
	(void)Disposition;
	*KeyHandle = NULL;
	return STATUS_ACCESS_DENIED;
}

static NTSTATUS tell_partial(const struct nt_registry_value *value, PKEY_VALUE_PARTIAL_INFORMATION out,
			     ULONG length, PULONG needed)
{
	const ULONG head = FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data);

	*needed = head + value->bytes;
	if (length < head)
		return STATUS_BUFFER_TOO_SMALL;
	out->TitleIndex = 0;
	out->Type = value->type;
	out->DataLength = value->bytes;
	if (length < *needed)
		return STATUS_BUFFER_OVERFLOW;
	RtlCopyMemory(out->Data, value->data, value->bytes);
	return STATUS_SUCCESS;
}

/* Only KeyValuePartialInformation; of a key that was opened at the value's own path. */
NTSTATUS ZwQueryValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName,
			 KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass, PVOID KeyValueInformation,
			 ULONG Length, PULONG ResultLength)
{
	struct nt_registry_value *opened = nt_handle_get(KeyHandle, NT_HANDLE_KEY, no_reference), *value;
	NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
	UNICODE_STRING key;

	*ResultLength = 0;
	if (opened == NULL)
		return STATUS_INVALID_HANDLE;
	if (KeyValueInformationClass != KeyValuePartialInformation)
		return STATUS_NOT_SUPPORTED;
	nt_latch_acquire(&registry.latch);
	key = text_of(opened->key);
	value = find_locked(&key, ValueName);
	if (value != NULL)
		status = tell_partial(value, KeyValueInformation, Length, ResultLength);
	nt_latch_release(&registry.latch);
	return status;
}

NTSTATUS ZwSetValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, ULONG TitleIndex, ULONG Type, PVOID Data,
		       ULONG DataSize)
{
	(void)ValueName;
	(void)TitleIndex;
	(void)Type;
	(void)Data;
	(void)DataSize;
	return nt_handle_get(KeyHandle, NT_HANDLE_KEY, no_reference) != NULL ? STATUS_ACCESS_DENIED
									     : STATUS_INVALID_HANDLE;
}
