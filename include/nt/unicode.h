/* unicode.h - counted strings.  Lengths are bytes; case folding is one to one (simple upcase of Unicode). */
#ifndef NT_UNICODE_H
#define NT_UNICODE_H

#include "ntdef.h"

VOID RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);
VOID RtlInitString(PSTRING DestinationString, PCSZ SourceString);
VOID RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString);
static inline VOID RtlInitEmptyUnicodeString(PUNICODE_STRING String, PWCHAR Buffer, USHORT BufferSize)
{
	String->Length = 0;
	String->MaximumLength = BufferSize;
	String->Buffer = Buffer;
}

VOID RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);
NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source);
NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source);
LONG RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
BOOLEAN RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
WCHAR RtlUpcaseUnicodeChar(WCHAR SourceCharacter);
WCHAR RtlDowncaseUnicodeChar(WCHAR SourceCharacter);
NTSTATUS RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
				BOOLEAN AllocateDestinationString);
NTSTATUS RtlDowncaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
				  BOOLEAN AllocateDestinationString);
#define HASH_STRING_ALGORITHM_DEFAULT 0
#define HASH_STRING_ALGORITHM_X65599 1
NTSTATUS RtlHashUnicodeString(PCUNICODE_STRING String, BOOLEAN CaseInSensitive, ULONG HashAlgorithm,
			      PULONG HashValue);
#define RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE 1
#define RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING 2
NTSTATUS RtlDuplicateUnicodeString(ULONG Flags, PCUNICODE_STRING StringIn, PUNICODE_STRING StringOut);
VOID RtlFreeUnicodeString(PUNICODE_STRING UnicodeString);
VOID RtlFreeAnsiString(PANSI_STRING AnsiString);
/* "ANSI" is UTF-8 here. */
NTSTATUS RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
				      BOOLEAN AllocateDestinationString);
NTSTATUS RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
				      BOOLEAN AllocateDestinationString);
/* STATUS_SOME_NOT_MAPPED: something was replaced by U+FFFD.  A NULL destination only counts. */
NTSTATUS RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount,
			   PULONG UnicodeStringActualByteCount, PCCH UTF8StringSource,
			   ULONG UTF8StringByteCount);
NTSTATUS RtlUnicodeToUTF8N(PCHAR UTF8StringDestination, ULONG UTF8StringMaxByteCount,
			   PULONG UTF8StringActualByteCount, PCWCH UnicodeStringSource,
			   ULONG UnicodeStringByteCount);
NTSTATUS RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String);
NTSTATUS RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value);
/* *EndPointer: behind the last digit; may be NULL. Base 0: 0x, 0o and 0b in front say it, else 10. */
NTSTATUS RtlUnicodeStringToInt64(PCUNICODE_STRING String, ULONG Base, LONG64 *Number, PWSTR *EndPointer);
BOOLEAN RtlEqualString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive);
LONG RtlCompareString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive);
/* Cut to the room of the destination. */
VOID RtlCopyString(PSTRING DestinationString, const STRING *SourceString);
#define RtlUTF8StringToUnicodeString RtlAnsiStringToUnicodeString
#define RtlUnicodeStringToUTF8String RtlUnicodeStringToAnsiString
/* "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}", allocated. */
NTSTATUS RtlStringFromGUID(LPCGUID Guid, PUNICODE_STRING GuidString);
BOOLEAN FsRtlDoesNameContainWildCards(PUNICODE_STRING Name);
BOOLEAN FsRtlIsNameInExpression(PUNICODE_STRING Expression, PUNICODE_STRING Name, BOOLEAN IgnoreCase,
				PWCH UpcaseTable);

/* Wide-string helpers on 16-bit characters; never glibc's, whose wchar_t has 32 bits. */
size_t nt_wcslen(const WCHAR *s);
int nt_wcscmp(const WCHAR *a, const WCHAR *b);
int nt_wcsicmp(const WCHAR *a, const WCHAR *b);
int nt_wcsncmp(const WCHAR *a, const WCHAR *b, size_t n);
int nt_wcsnicmp(const WCHAR *a, const WCHAR *b, size_t n);
WCHAR *nt_wcschr(const WCHAR *s, WCHAR c);
WCHAR *nt_wcsrchr(const WCHAR *s, WCHAR c);
WCHAR *nt_wcsstr(const WCHAR *s, const WCHAR *part);
WCHAR *nt_wcscpy(WCHAR *to, const WCHAR *from);
WCHAR *nt_wcscat(WCHAR *to, const WCHAR *from);
WCHAR *nt_wcsncpy(WCHAR *to, const WCHAR *from, size_t n);
/* Formats as DbgPrint; the length, or -1 when it was cut (then without a terminator, as the C library has it). */
int nt_snwprintf(WCHAR *to, size_t count, const WCHAR *format, ...);
#define _snwprintf nt_snwprintf
#define wcslen nt_wcslen
#define wcscmp nt_wcscmp
#define _wcsicmp nt_wcsicmp
#define wcsncmp nt_wcsncmp
#define _wcsnicmp nt_wcsnicmp
#define wcschr nt_wcschr
#define wcsrchr nt_wcsrchr
#define wcsstr nt_wcsstr
#define wcscpy nt_wcscpy
#define wcscat nt_wcscat
#define wcsncpy nt_wcsncpy

#endif
