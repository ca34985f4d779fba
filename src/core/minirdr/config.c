/*
 * config.c - what the registry says about RDBSS.
 *
 * Owns:  the two variables that a redirector may set after RxDriverEntry.
 * Locks: none: written by RxDriverEntry, and by redirectors before they start.
 */
#include "core/minirdr/minirdr.h"

#define RX_CONFIG_KEY \
	u"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\LanmanWorkStation\\Parameters"
#define RX_MOST_READ_AHEAD_PAGES 16u
#define RX_DEFAULT_READ_AHEAD_PAGES 8u

BOOLEAN DisableByteRangeLockingOnReadOnlyFiles;
ULONG ReadAheadGranularity = RX_DEFAULT_READ_AHEAD_PAGES * PAGE_SIZE;

/* The value of a DWORD, or what there is without it. */
static ULONG rx_config_dword(HANDLE key, PUNICODE_STRING name, ULONG otherwise)
{
	struct {
		KEY_VALUE_PARTIAL_INFORMATION information;
		UCHAR rest[sizeof(ULONG)];
	} value;
	ULONG length, number;

	if (!NT_SUCCESS(
		    ZwQueryValueKey(key, name, KeyValuePartialInformation, &value, sizeof(value), &length)) ||
	    value.information.Type != REG_DWORD || value.information.DataLength != sizeof(number))
		return otherwise;
	RtlCopyMemory(&number, value.information.Data, sizeof(number));
	return number;
}

void rx_config_read(void)
{
	UNICODE_STRING path = NT_STR(RX_CONFIG_KEY),
		       locking = NT_STR(u"DisableByteRangeLockingOnReadOnlyFiles"),
		       read_ahead = NT_STR(u"ReadAheadGranularity");
	OBJECT_ATTRIBUTES attributes;
	ULONG pages = RX_DEFAULT_READ_AHEAD_PAGES;
	HANDLE key;

	DisableByteRangeLockingOnReadOnlyFiles = FALSE;
	InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
	if (NT_SUCCESS(ZwOpenKey(&key, KEY_READ, &attributes))) {
		DisableByteRangeLockingOnReadOnlyFiles = rx_config_dword(key, &locking, 0) != 0;
		pages = rx_config_dword(key, &read_ahead, pages);
		(void)ZwClose(key);
	}
	if (pages > RX_MOST_READ_AHEAD_PAGES)
		pages = RX_MOST_READ_AHEAD_PAGES;
	ReadAheadGranularity = pages * PAGE_SIZE;
}
