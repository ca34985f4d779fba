/*
 * unicode.c - counted strings: initialise, copy, compare, fold, hash, convert.
 *
 * Owns:   the table of upper-case characters, made once.
 * Lengths are bytes throughout; an odd last byte is ignored, as it cannot belong to a character.
 */
#include <pthread.h>
#include <utf8proc.h>

#include "ntifs.h"

#define STRING_TAG 'rtsN'

static WCHAR upper[0x10000], lower[0x10000];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;
static volatile LONG tables_ready;

/*
 * Servers fold one to one: a pair that only one side takes for equal would make one object of two files. So of what
 * Unicode offers, only pairs that go both ways count, as in the table of NTFS: not the dotless i, the long s, the micro
 * sign, the Kelvin sign, nor sharp s and its late capital. The final sigma is the one exception that NTFS makes.
 */
#define FINAL_SIGMA 0x03c2
#define SHARP_S 0x00df

static void make_tables(void)
{
	utf8proc_int32_t c, to;

	for (c = 0; c < 0x10000; c++)
		upper[c] = lower[c] = (WCHAR)c;
	for (c = 0; c < 0x10000; c++) {
		if ((c >= 0xd800 && c < 0xe000) || c == SHARP_S)
			continue;
		to = utf8proc_toupper(c);
		if (to <= 0 || to >= 0x10000 || to == c)
			continue;
		if (utf8proc_tolower(to) == c) {
			upper[c] = (WCHAR)to;
			lower[to] = (WCHAR)c;
		} else if (c == FINAL_SIGMA) {
			upper[c] = (WCHAR)to;
		}
	}
	__atomic_store_n(&tables_ready, 1, __ATOMIC_RELEASE);
}

static const WCHAR *upper_table(void)
{
	if (!__atomic_load_n(&tables_ready, __ATOMIC_ACQUIRE))
		pthread_once(&tables_once, make_tables);
	return upper;
}

WCHAR RtlUpcaseUnicodeChar(WCHAR SourceCharacter)
{
	return upper_table()[SourceCharacter];
}

WCHAR RtlDowncaseUnicodeChar(WCHAR SourceCharacter)
{
	(void)upper_table(); /* makes both */
	return lower[SourceCharacter];
}

VOID RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
	size_t bytes = SourceString == NULL ? 0 : nt_wcslen(SourceString) * sizeof(WCHAR);

	if (bytes > 0xfffc)
		bytes = 0xfffc;
	DestinationString->Buffer = (PWCH)SourceString;
	DestinationString->Length = (USHORT)bytes;
	DestinationString->MaximumLength = SourceString == NULL ? 0 : (USHORT)(bytes + sizeof(WCHAR));
}

VOID RtlInitString(PSTRING DestinationString, PCSZ SourceString)
{
	size_t bytes = SourceString == NULL ? 0 : strlen(SourceString);

	if (bytes > 0xfffe)
		bytes = 0xfffe;
	DestinationString->Buffer = (PCHAR)SourceString;
	DestinationString->Length = (USHORT)bytes;
	DestinationString->MaximumLength = SourceString == NULL ? 0 : (USHORT)(bytes + 1);
}

VOID RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString)
{
	RtlInitString(DestinationString, SourceString);
}

VOID RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
	USHORT bytes = SourceString == NULL ? 0 : SourceString->Length;

	if (bytes > DestinationString->MaximumLength)
		bytes = DestinationString->MaximumLength & ~(USHORT)1;
	if (bytes > 0)
		memmove(DestinationString->Buffer, SourceString->Buffer, bytes);
	DestinationString->Length = bytes;
	if ((ULONG)bytes + sizeof(WCHAR) <= DestinationString->MaximumLength)
		DestinationString->Buffer[bytes / sizeof(WCHAR)] = 0;
}

static NTSTATUS append(PUNICODE_STRING to, const void *bytes, size_t count)
{
	if (count > (size_t)to->MaximumLength - to->Length)
		return STATUS_BUFFER_TOO_SMALL;
	if (count > 0)
		memmove((PCHAR)to->Buffer + to->Length, bytes, count);
	to->Length = (USHORT)(to->Length + count);
	if ((ULONG)to->Length + sizeof(WCHAR) <= to->MaximumLength)
		to->Buffer[to->Length / sizeof(WCHAR)] = 0;
	return STATUS_SUCCESS;
}

NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
	return append(Destination, Source->Buffer, Source->Length);
}

NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source)
{
	return Source == NULL ? STATUS_SUCCESS
			      : append(Destination, Source, nt_wcslen(Source) * sizeof(WCHAR));
}

LONG RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
	size_t n1 = String1->Length / sizeof(WCHAR), n2 = String2->Length / sizeof(WCHAR), i;
	const WCHAR *fold = CaseInSensitive ? upper_table() : NULL;

	for (i = 0; i < n1 && i < n2; i++) {
		WCHAR a = String1->Buffer[i], b = String2->Buffer[i];

		if (a != b && fold != NULL) {
			a = fold[a];
			b = fold[b];
		}
		if (a != b)
			return (LONG)a - (LONG)b;
	}
	return (LONG)n1 - (LONG)n2;
}

BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
	if (String1->Length != String2->Length)
		return FALSE;
	if (!CaseInSensitive)
		return String1->Length == 0 || memcmp(String1->Buffer, String2->Buffer, String1->Length) == 0;
	return RtlCompareUnicodeString(String1, String2, TRUE) == 0;
}

/* Is String1 a prefix of String2? */
BOOLEAN RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
	UNICODE_STRING head = *String2;

	if (String1->Length > String2->Length)
		return FALSE;
	head.Length = String1->Length;
	return RtlEqualUnicodeString(String1, &head, CaseInSensitive);
}

static NTSTATUS fold_string(PUNICODE_STRING to, PCUNICODE_STRING from, BOOLEAN allocate, BOOLEAN up)
{
	size_t i;

	if (allocate) {
		to->Buffer = ExAllocatePoolWithTag(
			PagedPool, from->Length == 0 ? sizeof(WCHAR) : from->Length, STRING_TAG);
		if (to->Buffer == NULL)
			return STATUS_NO_MEMORY;
		to->MaximumLength = from->Length;
	} else if (to->MaximumLength < from->Length) {
		return STATUS_BUFFER_OVERFLOW;
	}
	for (i = 0; i < from->Length / sizeof(WCHAR); i++)
		to->Buffer[i] =
			up ? RtlUpcaseUnicodeChar(from->Buffer[i]) : RtlDowncaseUnicodeChar(from->Buffer[i]);
	to->Length = from->Length;
	return STATUS_SUCCESS;
}

NTSTATUS RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
				BOOLEAN AllocateDestinationString)
{
	return fold_string(DestinationString, SourceString, AllocateDestinationString, TRUE);
}

NTSTATUS RtlDowncaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
				  BOOLEAN AllocateDestinationString)
{
	return fold_string(DestinationString, SourceString, AllocateDestinationString, FALSE);
}

NTSTATUS RtlHashUnicodeString(PCUNICODE_STRING String, BOOLEAN CaseInSensitive, ULONG HashAlgorithm,
			      PULONG HashValue)
{
	const WCHAR *fold = CaseInSensitive ? upper_table() : NULL;
	ULONG hash = 0;
	size_t i;

	if (HashValue == NULL || HashAlgorithm > HASH_STRING_ALGORITHM_X65599)
		return STATUS_INVALID_PARAMETER;
	for (i = 0; i < String->Length / sizeof(WCHAR); i++)
		hash = hash * 65599 + (fold == NULL ? String->Buffer[i] : fold[String->Buffer[i]]);
	*HashValue = hash;
	return STATUS_SUCCESS;
}

NTSTATUS RtlDuplicateUnicodeString(ULONG Flags, PCUNICODE_STRING StringIn, PUNICODE_STRING StringOut)
{
	BOOLEAN terminate = (Flags & RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE) != 0;
	BOOLEAN even_empty = (Flags & RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING) != 0;
	size_t bytes = (size_t)StringIn->Length + (terminate ? sizeof(WCHAR) : 0);

	RtlZeroMemory(StringOut, sizeof(*StringOut));
	if (even_empty && !terminate)
		return STATUS_INVALID_PARAMETER;
	if (bytes > 0xffff)
		return STATUS_NAME_TOO_LONG;
	if (StringIn->Length == 0 && !even_empty)
		return STATUS_SUCCESS;
	StringOut->Buffer = ExAllocatePoolWithTag(PagedPool, bytes, STRING_TAG);
	if (StringOut->Buffer == NULL)
		return STATUS_NO_MEMORY;
	if (StringIn->Length > 0)
		memcpy(StringOut->Buffer, StringIn->Buffer, StringIn->Length);
	if (terminate)
		StringOut->Buffer[StringIn->Length / sizeof(WCHAR)] = 0;
	StringOut->Length = StringIn->Length;
	StringOut->MaximumLength = (USHORT)bytes;
	return STATUS_SUCCESS;
}

VOID RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
	if (UnicodeString->Buffer != NULL)
		ExFreePoolWithTag(UnicodeString->Buffer, 0);
	RtlZeroMemory(UnicodeString, sizeof(*UnicodeString));
}

VOID RtlFreeAnsiString(PANSI_STRING AnsiString)
{
	if (AnsiString->Buffer != NULL)
		ExFreePoolWithTag(AnsiString->Buffer, 0);
	RtlZeroMemory(AnsiString, sizeof(*AnsiString));
}

static size_t put_utf8(utf8proc_int32_t c, uint8_t *to)
{
	return (size_t)utf8proc_encode_char(c, to);
}

NTSTATUS RtlUnicodeToUTF8N(PCHAR UTF8StringDestination, ULONG UTF8StringMaxByteCount,
			   PULONG UTF8StringActualByteCount, PCWCH UnicodeStringSource,
			   ULONG UnicodeStringByteCount)
{
	ULONG n = UnicodeStringByteCount / sizeof(WCHAR), used = 0, i = 0;
	NTSTATUS status = STATUS_SUCCESS;

	while (i < n) {
		utf8proc_int32_t c = UnicodeStringSource[i++];
		uint8_t piece[4];
		size_t length;

		if (c >= 0xd800 && c < 0xdc00 && i < n && UnicodeStringSource[i] >= 0xdc00 &&
		    UnicodeStringSource[i] < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (UnicodeStringSource[i++] - 0xdc00);
		} else if (c >= 0xd800 && c < 0xe000) {
			c = 0xfffd;
			status = STATUS_SOME_NOT_MAPPED;
		}
		length = put_utf8(c, piece);
		if (UTF8StringDestination != NULL) {
			if (length > UTF8StringMaxByteCount - used) {
				status = STATUS_BUFFER_TOO_SMALL;
				break;
			}
			memcpy(UTF8StringDestination + used, piece, length);
		}
		used += (ULONG)length;
	}
	if (UTF8StringActualByteCount != NULL)
		*UTF8StringActualByteCount = used;
	return status;
}

NTSTATUS RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount,
			   PULONG UnicodeStringActualByteCount, PCCH UTF8StringSource,
			   ULONG UTF8StringByteCount)
{
	const utf8proc_uint8_t *s = (const utf8proc_uint8_t *)UTF8StringSource;
	ULONG used = 0, i = 0;
	NTSTATUS status = STATUS_SUCCESS;

	while (i < UTF8StringByteCount) {
		utf8proc_int32_t c;
		utf8proc_ssize_t length =
			utf8proc_iterate(s + i, (utf8proc_ssize_t)(UTF8StringByteCount - i), &c);
		ULONG bytes;

		if (length <= 0) {
			c = 0xfffd;
			length = 1;
			status = STATUS_SOME_NOT_MAPPED;
		}
		i += (ULONG)length;
		bytes = c >= 0x10000 ? 4 : 2;
		if (UnicodeStringDestination != NULL) {
			WCHAR *to = UnicodeStringDestination + used / sizeof(WCHAR);

			if (bytes > UnicodeStringMaxByteCount - used) {
				status = STATUS_BUFFER_TOO_SMALL;
				break;
			}
			if (bytes == 2) {
				to[0] = (WCHAR)c;
			} else {
				to[0] = (WCHAR)(0xd800 + ((c - 0x10000) >> 10));
				to[1] = (WCHAR)(0xdc00 + ((c - 0x10000) & 0x3ff));
			}
		}
		used += bytes;
	}
	if (UnicodeStringActualByteCount != NULL)
		*UnicodeStringActualByteCount = used;
	return status;
}

NTSTATUS RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
				      BOOLEAN AllocateDestinationString)
{
	ULONG need = 0;

	(void)RtlUnicodeToUTF8N(NULL, 0, &need, SourceString->Buffer, SourceString->Length);
	if (need >= 0xffff)
		return STATUS_INVALID_PARAMETER_2;
	if (AllocateDestinationString) {
		DestinationString->Buffer = ExAllocatePoolWithTag(PagedPool, need + 1, STRING_TAG);
		if (DestinationString->Buffer == NULL)
			return STATUS_NO_MEMORY;
		DestinationString->MaximumLength = (USHORT)(need + 1);
	} else if (DestinationString->MaximumLength < need + 1) {
		return STATUS_BUFFER_OVERFLOW;
	}
	(void)RtlUnicodeToUTF8N(DestinationString->Buffer, need, &need, SourceString->Buffer,
				SourceString->Length);
	DestinationString->Buffer[need] = 0;
	DestinationString->Length = (USHORT)need;
	return STATUS_SUCCESS;
}

NTSTATUS RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
				      BOOLEAN AllocateDestinationString)
{
	ULONG need = 0;

	(void)RtlUTF8ToUnicodeN(NULL, 0, &need, SourceString->Buffer, SourceString->Length);
	if (need >= 0xfffe)
		return STATUS_INVALID_PARAMETER_2;
	if (AllocateDestinationString) {
		DestinationString->Buffer =
			ExAllocatePoolWithTag(PagedPool, need + sizeof(WCHAR), STRING_TAG);
		if (DestinationString->Buffer == NULL)
			return STATUS_NO_MEMORY;
		DestinationString->MaximumLength = (USHORT)(need + sizeof(WCHAR));
	} else if (DestinationString->MaximumLength < need) {
		return STATUS_BUFFER_OVERFLOW;
	}
	(void)RtlUTF8ToUnicodeN(DestinationString->Buffer, need, &need, SourceString->Buffer,
				SourceString->Length);
	DestinationString->Length = (USHORT)need;
	if (need + sizeof(WCHAR) <= DestinationString->MaximumLength)
		DestinationString->Buffer[need / sizeof(WCHAR)] = 0;
	return STATUS_SUCCESS;
}

/* Base 0 means 10. */
NTSTATUS RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String)
{
	WCHAR digits[33];
	size_t n = sizeof(digits) / sizeof(digits[0]), i = n;

	if (Base == 0)
		Base = 10;
	if (Base != 2 && Base != 8 && Base != 10 && Base != 16)
		return STATUS_INVALID_PARAMETER;
	do {
		digits[--i] = (WCHAR) "0123456789ABCDEF"[Value % Base];
		Value /= Base;
	} while (Value != 0);
	if ((n - i) * sizeof(WCHAR) > String->MaximumLength)
		return STATUS_BUFFER_OVERFLOW;
	String->Length = 0;
	return append(String, digits + i, (n - i) * sizeof(WCHAR));
}

/* Leading spaces, a sign, then 0b, 0o or 0x when Base is 0; ends at the first character that is no digit. */
NTSTATUS RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value)
{
	size_t n = String->Length / sizeof(WCHAR), i = 0;
	const WCHAR *s = String->Buffer;
	bool negative = false;
	ULONG value = 0;

	if (Base != 0 && Base != 2 && Base != 8 && Base != 10 && Base != 16)
		return STATUS_INVALID_PARAMETER;
	while (i < n && s[i] <= ' ')
		i++;
	if (i < n && (s[i] == '-' || s[i] == '+'))
		negative = s[i++] == '-';
	if (Base == 0) {
		Base = 10;
		if (i + 1 < n && s[i] == '0' && (s[i + 1] == 'b' || s[i + 1] == 'o' || s[i + 1] == 'x')) {
			Base = s[i + 1] == 'b' ? 2 : s[i + 1] == 'o' ? 8 : 16;
			i += 2;
		}
	}
	for (; i < n; i++) {
		WCHAR c = s[i];
		ULONG digit = c >= '0' && c <= '9'   ? (ULONG)(c - '0')
			      : c >= 'a' && c <= 'f' ? (ULONG)(c - 'a' + 10)
			      : c >= 'A' && c <= 'F' ? (ULONG)(c - 'A' + 10)
						     : Base;

		if (digit >= Base)
			break;
		value = value * Base + digit;
	}
	*Value = negative ? 0 - value : value;
	return STATUS_SUCCESS;
}

static char fold_ascii(char c, BOOLEAN fold)
{
	return fold && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

LONG RtlCompareString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
	USHORT i;

	for (i = 0; i < String1->Length && i < String2->Length; i++) {
		char a = fold_ascii(String1->Buffer[i], CaseInSensitive);
		char b = fold_ascii(String2->Buffer[i], CaseInSensitive);

		if (a != b)
			return (UCHAR)a - (UCHAR)b;
	}
	return String1->Length - String2->Length;
}

BOOLEAN RtlEqualString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
	return String1->Length == String2->Length && RtlCompareString(String1, String2, CaseInSensitive) == 0;
}

VOID RtlCopyString(PSTRING DestinationString, const STRING *SourceString)
{
	USHORT bytes = SourceString == NULL ? 0 : SourceString->Length;

	if (bytes > DestinationString->MaximumLength)
		bytes = DestinationString->MaximumLength;
	if (bytes > 0)
		memmove(DestinationString->Buffer, SourceString->Buffer, bytes);
	DestinationString->Length = bytes;
}

NTSTATUS RtlStringFromGUID(LPCGUID Guid, PUNICODE_STRING GuidString)
{
	char text[40];
	ANSI_STRING narrow;

	(void)nt_format(text, sizeof(text), "{%08lX-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X}",
			Guid->Data1, Guid->Data2, Guid->Data3, Guid->Data4[0], Guid->Data4[1], Guid->Data4[2],
			Guid->Data4[3], Guid->Data4[4], Guid->Data4[5], Guid->Data4[6], Guid->Data4[7]);
	RtlInitAnsiString(&narrow, text);
	return RtlAnsiStringToUnicodeString(GuidString, &narrow, TRUE);
}

static ULONG digit_of(WCHAR c)
{
	if (c >= u'0' && c <= u'9')
		return c - u'0';
	if (c >= u'a' && c <= u'f')
		return c - u'a' + 10u;
	if (c >= u'A' && c <= u'F')
		return c - u'A' + 10u;
	return 99;
}

NTSTATUS RtlUnicodeStringToInt64(PCUNICODE_STRING String, ULONG Base, LONG64 *Number, PWSTR *EndPointer)
{
	PCWSTR at = String->Buffer, end = at + String->Length / sizeof(WCHAR), digits;
	ULONG64 value = 0, limit;
	bool negative = false;

	while (at < end && *at <= u' ')
		at++;
	if (at < end && (*at == u'-' || *at == u'+'))
		negative = *at++ == u'-';
	if (Base == 0) {
		Base = 10;
		if (end - at > 2 && at[0] == u'0' && (at[1] == u'x' || at[1] == u'o' || at[1] == u'b')) {
			Base = at[1] == u'x' ? 16 : at[1] == u'o' ? 8 : 2;
			at += 2;
		}
	}
	if (Base != 2 && Base != 8 && Base != 10 && Base != 16)
		return STATUS_INVALID_PARAMETER;
	limit = negative ? (ULONG64)1 << 63 : ((ULONG64)1 << 63) - 1;
	for (digits = at; at < end && digit_of(*at) < Base; at++) {
		if (value > (limit - digit_of(*at)) / Base)
			return STATUS_INTEGER_OVERFLOW;
		value = value * Base + digit_of(*at);
	}
	if (at == digits)
		return STATUS_INVALID_PARAMETER;
	*Number = (LONG64)(negative ? 0 - value : value);
	if (EndPointer != NULL)
		*EndPointer = (PWSTR)at;
	return STATUS_SUCCESS;
}
