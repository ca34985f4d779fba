/*
 * ntstrsafe.h - strings in buffers of known size: never past the end, always terminated, and told when cut.
 *
 * Cb takes the buffer's size in bytes, Cch in characters; A is bytes, W is 16-bit characters. A size of 0 or more than
 * NTSTRSAFE_MAX_CCH characters is STATUS_INVALID_PARAMETER and writes nothing; a text that does not fit is cut and
 * answers STATUS_BUFFER_OVERFLOW. Formats are those of DbgPrint (dbg.h), in which %s is bytes for A and W alike.
 */
#ifndef NT_NTSTRSAFE_H
#define NT_NTSTRSAFE_H

#include <stdarg.h>

#include "ntstatus.h"

#define NTSTRSAFE_MAX_CCH 2147483647u

NTSTATUS RtlStringCchCopyA(PSTR Destination, SIZE_T Characters, PCSTR Source);
NTSTATUS RtlStringCchCopyW(PWSTR Destination, SIZE_T Characters, PCWSTR Source);
/* At most Count characters of Source. */
NTSTATUS RtlStringCchCopyNA(PSTR Destination, SIZE_T Characters, PCSTR Source, SIZE_T Count);
NTSTATUS RtlStringCchCopyNW(PWSTR Destination, SIZE_T Characters, PCWSTR Source, SIZE_T Count);
NTSTATUS RtlStringCchCatA(PSTR Destination, SIZE_T Characters, PCSTR Source);
NTSTATUS RtlStringCchCatW(PWSTR Destination, SIZE_T Characters, PCWSTR Source);
/* STATUS_INVALID_PARAMETER, and *Length 0, when there is no terminator within Characters; Length may be NULL. */
NTSTATUS RtlStringCchLengthA(PCSTR String, SIZE_T Characters, SIZE_T *Length);
NTSTATUS RtlStringCchLengthW(PCWSTR String, SIZE_T Characters, SIZE_T *Length);
NTSTATUS RtlStringCchVPrintfA(PSTR Destination, SIZE_T Characters, PCSTR Format, va_list Arguments);
NTSTATUS RtlStringCchPrintfA(PSTR Destination, SIZE_T Characters, PCSTR Format, ...);
NTSTATUS RtlStringCbPrintfA(PSTR Destination, SIZE_T Bytes, PCSTR Format, ...);
NTSTATUS RtlStringCchVPrintfW(PWSTR Destination, SIZE_T Characters, PCWSTR Format, va_list Arguments);
NTSTATUS RtlStringCchPrintfW(PWSTR Destination, SIZE_T Characters, PCWSTR Format, ...);
NTSTATUS RtlStringCbPrintfW(PWSTR Destination, SIZE_T Bytes, PCWSTR Format, ...);

#define RtlStringCbCopyA(to, bytes, from) RtlStringCchCopyA((to), (bytes), (from))
#define RtlStringCbCopyW(to, bytes, from) RtlStringCchCopyW((to), (bytes) / sizeof(WCHAR), (from))
#define RtlStringCbCopyNA(to, bytes, from, count) RtlStringCchCopyNA((to), (bytes), (from), (count))
#define RtlStringCbCopyNW(to, bytes, from, count) \
	RtlStringCchCopyNW((to), (bytes) / sizeof(WCHAR), (from), (count) / sizeof(WCHAR))
#define RtlStringCbCatA(to, bytes, from) RtlStringCchCatA((to), (bytes), (from))
#define RtlStringCbCatW(to, bytes, from) RtlStringCchCatW((to), (bytes) / sizeof(WCHAR), (from))
#define RtlStringCbVPrintfA(to, bytes, format, arguments) \
	RtlStringCchVPrintfA((to), (bytes), (format), (arguments))
#define RtlStringCbVPrintfW(to, bytes, format, arguments) \
	RtlStringCchVPrintfW((to), (bytes) / sizeof(WCHAR), (format), (arguments))

static inline NTSTATUS RtlStringCbLengthA(PCSTR String, SIZE_T Bytes, SIZE_T *Length)
{
	return RtlStringCchLengthA(String, Bytes, Length);
}

static inline NTSTATUS RtlStringCbLengthW(PCWSTR String, SIZE_T Bytes, SIZE_T *Length)
{
	NTSTATUS status = RtlStringCchLengthW(String, Bytes / sizeof(WCHAR), Length);

	if (Length != NULL)
		*Length *= sizeof(WCHAR);
	return status;
}

#endif
