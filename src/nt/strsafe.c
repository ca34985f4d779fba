/* strsafe.c - the bounded string routines of ntstrsafe.h, over the formatter of dbg.c. */
#include "ntstrsafe.h"

#include "dbg.h"
#include "pool.h"
#include "unicode.h"

#define NT_TAG_STRSAFE 'fStN'
#define NT_STRSAFE_STACK 256

static bool nt_strsafe_size_ok(SIZE_T characters)
{
	return characters != 0 && characters <= NTSTRSAFE_MAX_CCH;
}

NTSTATUS RtlStringCchCopyNA(PSTR Destination, SIZE_T Characters, PCSTR Source, SIZE_T Count)
{
	SIZE_T i = 0;

	if (!nt_strsafe_size_ok(Characters) || Count > NTSTRSAFE_MAX_CCH)
		return STATUS_INVALID_PARAMETER;
	while (i < Characters - 1 && i < Count && Source[i] != '\0') {
		Destination[i] = Source[i];
		i++;
	}
	Destination[i] = '\0';
	return i < Count && Source[i] != '\0' ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS RtlStringCchCopyNW(PWSTR Destination, SIZE_T Characters, PCWSTR Source, SIZE_T Count)
{
	SIZE_T i = 0;

	if (!nt_strsafe_size_ok(Characters) || Count > NTSTRSAFE_MAX_CCH)
		return STATUS_INVALID_PARAMETER;
	while (i < Characters - 1 && i < Count && Source[i] != 0) {
		Destination[i] = Source[i];
		i++;
	}
	Destination[i] = 0;
	return i < Count && Source[i] != 0 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS RtlStringCchCopyA(PSTR Destination, SIZE_T Characters, PCSTR Source)
{
	return RtlStringCchCopyNA(Destination, Characters, Source, NTSTRSAFE_MAX_CCH);
}

NTSTATUS RtlStringCchCopyW(PWSTR Destination, SIZE_T Characters, PCWSTR Source)
{
	return RtlStringCchCopyNW(Destination, Characters, Source, NTSTRSAFE_MAX_CCH);
}

NTSTATUS RtlStringCchLengthA(PCSTR String, SIZE_T Characters, SIZE_T *Length)
{
	SIZE_T n = 0;
	bool ended = false;

	if (Characters <= NTSTRSAFE_MAX_CCH && String != NULL) {
		while (n < Characters && String[n] != '\0')
			n++;
		ended = n < Characters;
	}
	if (Length != NULL)
		*Length = ended ? n : 0;
	return ended ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlStringCchLengthW(PCWSTR String, SIZE_T Characters, SIZE_T *Length)
{
	SIZE_T n = 0;
	bool ended = false;

	if (Characters <= NTSTRSAFE_MAX_CCH && String != NULL) {
		while (n < Characters && String[n] != 0)
			n++;
		ended = n < Characters;
	}
	if (Length != NULL)
		*Length = ended ? n : 0;
	return ended ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlStringCchCatA(PSTR Destination, SIZE_T Characters, PCSTR Source)
{
	SIZE_T length;
	NTSTATUS status = RtlStringCchLengthA(Destination, Characters, &length);

	return NT_SUCCESS(status) ? RtlStringCchCopyA(Destination + length, Characters - length, Source)
				  : status;
}

NTSTATUS RtlStringCchCatW(PWSTR Destination, SIZE_T Characters, PCWSTR Source)
{
	SIZE_T length;
	NTSTATUS status = RtlStringCchLengthW(Destination, Characters, &length);

	return NT_SUCCESS(status) ? RtlStringCchCopyW(Destination + length, Characters - length, Source)
				  : status;
}

NTSTATUS RtlStringCchVPrintfA(PSTR Destination, SIZE_T Characters, PCSTR Format, va_list Arguments)
{
	if (!nt_strsafe_size_ok(Characters))
		return STATUS_INVALID_PARAMETER;
	return nt_vformat(Destination, Characters, Format, Arguments) < Characters ? STATUS_SUCCESS
										   : STATUS_BUFFER_OVERFLOW;
}

NTSTATUS RtlStringCchPrintfA(PSTR Destination, SIZE_T Characters, PCSTR Format, ...)
{
	va_list arguments;
	NTSTATUS status;

	va_start(arguments, Format);
	status = RtlStringCchVPrintfA(Destination, Characters, Format, arguments);
	va_end(arguments);
	return status;
}

NTSTATUS RtlStringCbPrintfA(PSTR Destination, SIZE_T Bytes, PCSTR Format, ...)
{
	va_list arguments;
	NTSTATUS status;

	va_start(arguments, Format);
	status = RtlStringCchVPrintfA(Destination, Bytes, Format, arguments);
	va_end(arguments);
	return status;
}

/* Formats as UTF-8, then widens: cut between characters. */
NTSTATUS RtlStringCchVPrintfW(PWSTR Destination, SIZE_T Characters, PCWSTR Format, va_list Arguments)
{
	size_t format_bytes = nt_wcslen(Format) * 3 + 1, text_bytes;
	char on_stack[NT_STRSAFE_STACK], *narrow;
	ULONG bytes = 0, made = 0;
	NTSTATUS status;
	va_list again;

	if (!nt_strsafe_size_ok(Characters))
		return STATUS_INVALID_PARAMETER;
	Destination[0] = 0;
	narrow = ExAllocatePoolWithTag(PagedPool, format_bytes, NT_TAG_STRSAFE);
	if (narrow == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	(void)RtlUnicodeToUTF8N(narrow, (ULONG)format_bytes - 1, &bytes, Format,
				(ULONG)(nt_wcslen(Format) * sizeof(WCHAR)));
	narrow[bytes] = '\0';
	va_copy(again, Arguments);
	text_bytes = nt_vformat(on_stack, sizeof(on_stack), narrow, Arguments);
	if (text_bytes < sizeof(on_stack)) {
		status = RtlUTF8ToUnicodeN(Destination, (ULONG)((Characters - 1) * sizeof(WCHAR)), &made,
					   on_stack, (ULONG)text_bytes);
	} else {
		char *text = ExAllocatePoolWithTag(PagedPool, text_bytes + 1, NT_TAG_STRSAFE);

		status = STATUS_INSUFFICIENT_RESOURCES;
		if (text != NULL) {
			(void)nt_vformat(text, text_bytes + 1, narrow, again);
			status = RtlUTF8ToUnicodeN(Destination, (ULONG)((Characters - 1) * sizeof(WCHAR)),
						   &made, text, (ULONG)text_bytes);
			ExFreePoolWithTag(text, NT_TAG_STRSAFE);
		}
	}
	va_end(again);
	ExFreePoolWithTag(narrow, NT_TAG_STRSAFE);
	Destination[made / sizeof(WCHAR)] = 0;
	if (status == STATUS_BUFFER_TOO_SMALL)
		return STATUS_BUFFER_OVERFLOW;
	return NT_SUCCESS(status) ? STATUS_SUCCESS : status;
}

NTSTATUS RtlStringCchPrintfW(PWSTR Destination, SIZE_T Characters, PCWSTR Format, ...)
{
	va_list arguments;
	NTSTATUS status;

	va_start(arguments, Format);
	status = RtlStringCchVPrintfW(Destination, Characters, Format, arguments);
	va_end(arguments);
	return status;
}

NTSTATUS RtlStringCbPrintfW(PWSTR Destination, SIZE_T Bytes, PCWSTR Format, ...)
{
	va_list arguments;
	NTSTATUS status;

	va_start(arguments, Format);
	status = RtlStringCchVPrintfW(Destination, Bytes / sizeof(WCHAR), Format, arguments);
	va_end(arguments);
	return status;
}
