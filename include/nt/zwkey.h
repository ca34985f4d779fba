/*
 * zwkey.h - the registry: values that the program which hosts the drivers has set with nt_registry_set(). Without
 * any no key exists, and drivers go on with their defaults, as on a machine where nothing was configured. Drivers
 * read; they cannot write.
 */
#ifndef NT_ZWKEY_H
#define NT_ZWKEY_H

#include "ntstatus.h"

#define KEY_QUERY_VALUE 0x0001
#define KEY_SET_VALUE 0x0002
#define KEY_CREATE_SUB_KEY 0x0004
#define KEY_ENUMERATE_SUB_KEYS 0x0008
#define KEY_NOTIFY 0x0010
#define KEY_READ 0x00020019
#define KEY_WRITE 0x00020006
#define KEY_ALL_ACCESS 0x000f003f

#define REG_NONE 0
#define REG_SZ 1
#define REG_EXPAND_SZ 2
#define REG_BINARY 3
#define REG_DWORD 4
#define REG_MULTI_SZ 7

typedef enum _KEY_VALUE_INFORMATION_CLASS {
	KeyValueBasicInformation,
	KeyValueFullInformation,
	KeyValuePartialInformation
} KEY_VALUE_INFORMATION_CLASS;

typedef struct _KEY_VALUE_PARTIAL_INFORMATION {
	ULONG TitleIndex;
	ULONG Type;
	ULONG DataLength; /* bytes */
	UCHAR Data[1];
} KEY_VALUE_PARTIAL_INFORMATION, *PKEY_VALUE_PARTIAL_INFORMATION;

typedef struct _KEY_VALUE_FULL_INFORMATION {
	ULONG TitleIndex;
	ULONG Type;
	ULONG DataOffset;
	ULONG DataLength;
	ULONG NameLength;
	WCHAR Name[1];
} KEY_VALUE_FULL_INFORMATION, *PKEY_VALUE_FULL_INFORMATION;

/* Ours. Limits, in characters with the end, and bytes. */
#define NT_REGISTRY_KEY_CHARS 160
#define NT_REGISTRY_NAME_CHARS 64
#define NT_REGISTRY_DATA_BYTES 256

/**
 * nt_registry_set - give a value of the registry
 * @key:  [in] from `\Registry\Machine\...`, terminated; a value of that key and name is replaced
 * @type: [in] REG_...
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER (too long), STATUS_INSUFFICIENT_RESOURCES (too many).
 */
NTSTATUS nt_registry_set(const WCHAR *key, const WCHAR *name, ULONG type, const void *data, ULONG bytes);
/* Everything is gone; no handle of a key may be open. */
void nt_registry_clear(void);

/* Reading; creating and writing: STATUS_ACCESS_DENIED; a handle that is none: STATUS_INVALID_HANDLE. */
NTSTATUS ZwOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS ZwCreateKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
		     ULONG TitleIndex, PUNICODE_STRING Class, ULONG CreateOptions, PULONG Disposition);
NTSTATUS ZwQueryValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName,
			 KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass, PVOID KeyValueInformation,
			 ULONG Length, PULONG ResultLength);
NTSTATUS ZwSetValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, ULONG TitleIndex, ULONG Type, PVOID Data,
		       ULONG DataSize);

#endif
