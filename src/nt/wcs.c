/* wcs.c - the wide-string helpers drivers call, on 16-bit characters. */
#include "ntstrsafe.h"
#include "pool.h"
#include "ntifs.h"

size_t nt_wcslen(const WCHAR *s)
{
	const WCHAR *at = s;

	while (*at != 0)
		at++;
	return (size_t)(at - s);
}

static int compare(const WCHAR *a, const WCHAR *b, size_t n, bool fold)
{
	for (; n > 0; n--, a++, b++) {
		WCHAR x = fold ? RtlDowncaseUnicodeChar(*a) : *a, y = fold ? RtlDowncaseUnicodeChar(*b) : *b;

		if (x != y)
			return (int)x - (int)y;
		if (x == 0)
			break;
	}
	return 0;
}

int nt_wcscmp(const WCHAR *a, const WCHAR *b)
{
	return compare(a, b, SIZE_MAX, false);
}

int nt_wcsicmp(const WCHAR *a, const WCHAR *b)
{
	return compare(a, b, SIZE_MAX, true);
}

int nt_wcsncmp(const WCHAR *a, const WCHAR *b, size_t n)
{
	return compare(a, b, n, false);
}

int nt_wcsnicmp(const WCHAR *a, const WCHAR *b, size_t n)
{
	return compare(a, b, n, true);
}

WCHAR *nt_wcschr(const WCHAR *s, WCHAR c)
{
	for (; *s != c; s++)
		if (*s == 0)
			return NULL;
	return (WCHAR *)s;
}

WCHAR *nt_wcsrchr(const WCHAR *s, WCHAR c)
{
	const WCHAR *found = NULL;

	do {
		if (*s == c)
			found = s;
	} while (*s++ != 0);
	return (WCHAR *)found;
}

WCHAR *nt_wcsstr(const WCHAR *s, const WCHAR *part)
{
	size_t n = nt_wcslen(part);

	for (;; s++) {
		if (compare(s, part, n, false) == 0)
			return (WCHAR *)s;
		if (*s == 0)
			return NULL;
	}
}

WCHAR *nt_wcscpy(WCHAR *to, const WCHAR *from)
{
	memcpy(to, from, (nt_wcslen(from) + 1) * sizeof(WCHAR));
	return to;
}

WCHAR *nt_wcscat(WCHAR *to, const WCHAR *from)
{
	nt_wcscpy(to + nt_wcslen(to), from);
	return to;
}

WCHAR *nt_wcsncpy(WCHAR *to, const WCHAR *from, size_t n)
{
	size_t i;

	for (i = 0; i < n && from[i] != 0; i++)
		to[i] = from[i];
	for (; i < n; i++)
		to[i] = 0;
	return to;
}

int nt_snwprintf(WCHAR *to, size_t count, const WCHAR *format, ...)
{
	size_t room = count + 1, length = 0;
	WCHAR *text = NULL;
	va_list arguments;
	NTSTATUS status;

	if (room > NTSTRSAFE_MAX_CCH)
		return -1;
	text = ExAllocatePoolWithTag(PagedPool, room * sizeof(WCHAR), 'rtsW');
	if (text == NULL)
		return -1;
	va_start(arguments, format);
	status = RtlStringCchVPrintfW(text, room, format, arguments);
	va_end(arguments);
	length = nt_wcslen(text);
	memcpy(to, text, min(length + 1, count) * sizeof(WCHAR));
	ExFreePoolWithTag(text, 'rtsW');
	return status == STATUS_SUCCESS ? (int)length : -1;
}
