/* zwkey.c - the registry that has no keys. */
#include "zwkey.h"

NTSTATUS ZwOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
	(void)DesiredAccess;
	*KeyHandle = NULL;
	if (ObjectAttributes == NULL || ObjectAttributes->ObjectName == NULL)
		return STATUS_INVALID_PARAMETER;
	return STATUS_OBJECT_NAME_NOT_FOUND;
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

NTSTATUS ZwQueryValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName,
			 KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass, PVOID KeyValueInformation,
			 ULONG Length, PULONG ResultLength)
{
	(void)KeyHandle;
	(void)ValueName;
	(void)KeyValueInformationClass;
	(void)KeyValueInformation;
	(void)Length;
	*ResultLength = 0;
	return STATUS_INVALID_HANDLE;
}

NTSTATUS ZwSetValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, ULONG TitleIndex, ULONG Type, PVOID Data,
		       ULONG DataSize)
{
	(void)KeyHandle;
	(void)ValueName;
	(void)TitleIndex;
	(void)Type;
	(void)Data;
	(void)DataSize;
	return STATUS_INVALID_HANDLE;
}
