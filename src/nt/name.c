/*
 * name.c - the bijection between POSIX file names (any bytes but '/' and NUL) and UTF-16 names of a server.
 *
 * What a plain reading gives (P, and its inverse C):
 *   valid UTF-8           the same characters
 *   " * : < > ? \ |       U+F020 .. U+F027     (the map Linux cifs calls mapposix)
 *   bytes 1 .. 31         U+F001 .. U+F01F
 *   trailing ' ' and '.'  U+F028, U+F029
 *   other bytes 0x80..ff  U+F780 .. U+F7FF
 *   one of these, or U+F700, in the name itself: U+F700 before it
 *
 * P is injective but does not reach every UTF-16 string: a server may hold a lone surrogate, a raw ':', an U+F028
 * in the middle.  Such a name x is written as E(x): the byte 0xff, which UTF-8 never uses, before each unit that a
 * plain reading would not give.  A byte string is read that way only when it is E(x) of an x that needs it; then
 * its plain reading has lost its spelling and is written with E in turn.  That recursion ends, because the plain
 * reading of E(x) is longer than x.
 */
#include "nt_name.h"

#include "ntifs.h"

#define NAME_TAG 'emaN'
#define ESCAPE 0xf700u
#define LITERAL 0xffu
#define NONE 0xffffffffu

struct units {
	WCHAR *at;
	size_t count;
};

struct bytes {
	uint8_t *at;
	size_t count;
};

/* The units whose plain reading is something other than themselves. */
static bool is_special(uint32_t c)
{
	return (c >= 0xf001 && c <= 0xf029) || c == ESCAPE || (c >= 0xf780 && c <= 0xf7ff);
}

static uint32_t map_forbidden(uint32_t c)
{
	static const char forbidden[] = "\"*:<>?\\|";
	const char *found = c != 0 && c < 0x80 ? strchr(forbidden, (int)c) : NULL;

	if (c >= 1 && c < 0x20)
		return 0xf000 + c;
	return found == NULL ? NONE : 0xf020 + (uint32_t)(found - forbidden);
}

static uint32_t unmap(uint32_t c)
{
	static const char back[] = "\"*:<>?\\| .";

	return c < 0xf020 ? c - 0xf000 : (uint8_t)back[c - 0xf020];
}

/* One valid character of UTF-8; 0: the first byte does not begin one. */
static size_t decode_utf8(const uint8_t *s, size_t n, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2, i;

	if (s[0] < 0x80) {
		*c = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4 || length > n)
		return 0;
	*c = s[0] & (0x7fu >> length);
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3fu);
	}
	return *c < least[length] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : length;
}

static size_t encode_utf8(uint32_t c, uint8_t *to)
{
	size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

	if (length == 1) {
		to[0] = (uint8_t)c;
		return 1;
	}
	for (i = length - 1; i > 0; i--, c >>= 6)
		to[i] = (uint8_t)(0x80 | (c & 0x3f));
	to[0] = (uint8_t)((0xf00u >> length) | c);
	return length;
}

static size_t put_unit(WCHAR *to, uint32_t c)
{
	if (c < 0x10000) {
		to[0] = (WCHAR)c;
		return 1;
	}
	c -= 0x10000;
	to[0] = (WCHAR)(0xd800 + (c >> 10));
	to[1] = (WCHAR)(0xdc00 + (c & 0x3ff));
	return 2;
}

/* The character at x[i] and how many units it takes; a lone surrogate is a character of its own here. */
static size_t get_char(const WCHAR *x, size_t n, size_t i, uint32_t *c)
{
	*c = x[i];
	if (*c >= 0xd800 && *c < 0xdc00 && i + 1 < n && x[i + 1] >= 0xdc00 && x[i + 1] < 0xe000) {
		*c = 0x10000 + ((*c - 0xd800) << 10) + (x[i + 1] - 0xdc00u);
		return 2;
	}
	return 1;
}

/* Must this character carry the literal mark in E?  `last`: it ends the name. */
static bool needs_mark(uint32_t c, bool last)
{
	return is_special(c) || map_forbidden(c) != NONE || c == '/' || c == 0 ||
	       (c >= 0xd800 && c < 0xe000) || (last && (c == ' ' || c == '.'));
}

/* A marked character: 0xff and its encoding, surrogates as three bytes, '/' and NUL overlong. */
static size_t encode_marked(uint32_t c, uint8_t *to)
{
	to[0] = LITERAL;
	if (c == '/' || c == 0) {
		to[1] = (uint8_t)(0xc0 | c >> 6);
		to[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	return 1 + encode_utf8(c, to + 1);
}

static size_t decode_marked(const uint8_t *s, size_t n, uint32_t *c)
{
	size_t length;

	if (n < 2 || s[0] != LITERAL)
		return 0;
	if (n >= 3 && s[1] == 0xc0 && (s[2] == 0xaf || s[2] == 0x80)) {
		*c = s[2] & 0x3f;
		return 3;
	}
	if (n >= 4 && s[1] == 0xed && (s[2] & 0xe0) == 0xa0 && (s[3] & 0xc0) == 0x80) {
		*c = 0xd000u | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
		return 4;
	}
	length = decode_utf8(s + 1, n - 1, c);
	return length == 0 || !needs_mark(*c, true) ? 0 : length + 1;
}

/* P, or with `marks` L: the reading of bytes; at most two units for each byte. */
static bool read_bytes(const uint8_t *s, size_t n, bool marks, struct units *x)
{
	bool marked = false;
	size_t i = 0, length;
	uint32_t c;

	x->count = 0;
	while (i < n) {
		if (marks && (length = decode_marked(s + i, n - i, &c)) != 0) {
			x->count += put_unit(x->at + x->count, c);
			i += length;
			marked = true;
			continue;
		}
		length = decode_utf8(s + i, n - i, &c);
		if (length == 0) {
			x->at[x->count++] = (WCHAR)(0xf700 + s[i++]);
			continue;
		}
		i += length;
		if (i == n && (c == ' ' || c == '.')) {
			c = c == ' ' ? 0xf028 : 0xf029;
		} else if (map_forbidden(c) != NONE) {
			c = map_forbidden(c);
		} else if (is_special(c)) {
			x->at[x->count++] = ESCAPE;
		}
		x->count += put_unit(x->at + x->count, c);
	}
	return marked;
}

/* C: the inverse of P where P reaches x; at most four bytes for each unit. */
static void write_plain(const WCHAR *x, size_t n, struct bytes *y)
{
	size_t i = 0;
	uint32_t c;

	y->count = 0;
	while (i < n) {
		if (x[i] == ESCAPE && i + 1 < n && is_special(x[i + 1])) {
			y->count += encode_utf8(x[i + 1], y->at + y->count);
			i += 2;
			continue;
		}
		i += get_char(x, n, i, &c);
		if (c >= 0xf780 && c <= 0xf7ff)
			y->at[y->count++] = (uint8_t)(c - 0xf700);
		else if (c >= 0xf001 && c <= 0xf029)
			y->at[y->count++] = (uint8_t)unmap(c);
		else
			y->count += encode_utf8(c, y->at + y->count);
	}
}

/* E */
static void write_marked(const WCHAR *x, size_t n, struct bytes *y)
{
	size_t i = 0;
	uint32_t c;

	y->count = 0;
	while (i < n) {
		i += get_char(x, n, i, &c);
		if (needs_mark(c, i == n))
			y->count += encode_marked(c, y->at + y->count);
		else
			y->count += encode_utf8(c, y->at + y->count);
	}
}

struct scratch {
	struct units x;
	struct bytes y;
};

static bool scratch_get(struct scratch *s, size_t units, size_t bytes)
{
	s->x.at = ExAllocatePoolWithTag(PagedPool, units * sizeof(WCHAR) + bytes + 1, NAME_TAG);
	s->y.at = s->x.at == NULL ? NULL : (uint8_t *)(s->x.at + units);
	return s->x.at != NULL;
}

static void scratch_put(struct scratch *s)
{
	ExFreePoolWithTag(s->x.at, NAME_TAG);
}

static NTSTATUS claimed_by_marked(const uint8_t *y, size_t n, struct units *out, bool *claimed);

/* Must x be written with E?  Its plain spelling may be wrong, or taken by another name's E. */
static NTSTATUS chooses_marked(const WCHAR *x, size_t n, bool *marked)
{
	struct scratch s;
	NTSTATUS status;

	if (!scratch_get(&s, 8 * n, 4 * n))
		return STATUS_INSUFFICIENT_RESOURCES;
	write_plain(x, n, &s.y);
	(void)read_bytes(s.y.at, s.y.count, false, &s.x); /* without marks there is nothing to tell */
	*marked = s.x.count != n || memcmp(s.x.at, x, n * sizeof(WCHAR)) != 0 ||
		  memchr(s.y.at, '/', s.y.count) || memchr(s.y.at, 0, s.y.count);
	status = STATUS_SUCCESS;
	if (!*marked && memchr(s.y.at, LITERAL, s.y.count) != NULL)
		status = claimed_by_marked(s.y.at, s.y.count, &s.x, marked);
	scratch_put(&s);
	return status;
}

/* Is y E(x) of an x that needs it?  *out (two units for each byte) then holds x. */
static NTSTATUS claimed_by_marked(const uint8_t *y, size_t n, struct units *out, bool *claimed)
{
	struct scratch s;
	NTSTATUS status = STATUS_SUCCESS;

	*claimed = false;
	if (!read_bytes(y, n, true, out))
		return STATUS_SUCCESS;
	if (!scratch_get(&s, 0, 5 * out->count))
		return STATUS_INSUFFICIENT_RESOURCES;
	write_marked(out->at, out->count, &s.y);
	if (s.y.count == n && memcmp(s.y.at, y, n) == 0)
		status = chooses_marked(out->at, out->count, claimed);
	scratch_put(&s);
	return status;
}

/* One component; out has room for two units a byte. */
static NTSTATUS component_from_bytes(const uint8_t *y, size_t n, struct units *out)
{
	bool claimed = false;
	NTSTATUS status = STATUS_SUCCESS;

	if (memchr(y, LITERAL, n) != NULL)
		status = claimed_by_marked(y, n, out, &claimed);
	if (NT_SUCCESS(status) && !claimed)
		(void)read_bytes(y, n, false, out); /* a plain reading carries no marks */
	return status;
}

static bool is_plain_ascii(const WCHAR *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (x[i] < 0x20 || x[i] >= 0x80 || x[i] == '/' || map_forbidden(x[i]) != NONE)
			return false;
	return n == 0 || (x[n - 1] != ' ' && x[n - 1] != '.');
}

/* One component; out has room for five bytes a unit. */
static NTSTATUS component_to_bytes(const WCHAR *x, size_t n, struct bytes *out)
{
	bool marked = false;
	NTSTATUS status = STATUS_SUCCESS;

	if (!is_plain_ascii(x, n))
		status = chooses_marked(x, n, &marked);
	if (!NT_SUCCESS(status))
		return status;
	if (marked)
		write_marked(x, n, out);
	else
		write_plain(x, n, out);
	return STATUS_SUCCESS;
}

NTSTATUS nt_name_from_bytes(const char *bytes, size_t length, PUNICODE_STRING name)
{
	const uint8_t *s = (const uint8_t *)bytes;
	struct units part;
	size_t used = 0, i = 0;
	WCHAR *buffer;
	NTSTATUS status = STATUS_SUCCESS;

	RtlZeroMemory(name, sizeof(*name));
	buffer = ExAllocatePoolWithTag(PagedPool, (2 * length + 1) * sizeof(WCHAR), NAME_TAG);
	if (buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	while (i <= length && NT_SUCCESS(status)) {
		const uint8_t *end = memchr(s + i, '/', length - i);
		size_t n = end == NULL ? length - i : (size_t)(end - (s + i));

		part.at = buffer + used;
		part.count = 0;
		status = component_from_bytes(s + i, n, &part);
		used += part.count;
		i += n + 1;
		if (end != NULL)
			buffer[used++] = '\\';
	}
	if (NT_SUCCESS(status) && used * sizeof(WCHAR) > 0xfffe)
		status = STATUS_NAME_TOO_LONG;
	if (!NT_SUCCESS(status)) {
		ExFreePoolWithTag(buffer, NAME_TAG);
		return status;
	}
	name->Buffer = buffer;
	name->Length = (USHORT)(used * sizeof(WCHAR));
	name->MaximumLength = name->Length;
	return STATUS_SUCCESS;
}

NTSTATUS nt_name_to_bytes(PCUNICODE_STRING name, char **bytes, size_t *length)
{
	size_t n = name->Length / sizeof(WCHAR), i = 0;
	struct bytes part, whole = {NULL, 0};
	NTSTATUS status = STATUS_SUCCESS;

	*bytes = NULL;
	*length = 0;
	whole.at = ExAllocatePoolWithTag(PagedPool, 5 * n + 1, NAME_TAG);
	if (whole.at == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	while (i <= n && NT_SUCCESS(status)) {
		size_t end = i;

		while (end < n && name->Buffer[end] != '\\')
			end++;
		part.at = whole.at + whole.count;
		part.count = 0;
		status = component_to_bytes(name->Buffer + i, end - i, &part);
		whole.count += part.count;
		if (end < n)
			whole.at[whole.count++] = '/';
		i = end + 1;
	}
	if (!NT_SUCCESS(status)) {
		ExFreePoolWithTag(whole.at, NAME_TAG);
		return status;
	}
	whole.at[whole.count] = 0;
	*bytes = (char *)whole.at;
	*length = whole.count;
	return STATUS_SUCCESS;
}

NTSTATUS nt_name_to_buffer(PCUNICODE_STRING name, char *buffer, size_t capacity, size_t *length)
{
	size_t i, n = name->Length / sizeof(WCHAR);
	char *bytes;
	NTSTATUS status;

	if (n <= capacity && is_plain_ascii(name->Buffer, n)) { /* the common case allocates nothing */
		for (i = 0; i < n; i++)
			buffer[i] = (char)name->Buffer[i];
		*length = n;
		return STATUS_SUCCESS;
	}
	status = nt_name_to_bytes(name, &bytes, length);
	if (!NT_SUCCESS(status))
		return status;
	if (*length <= capacity)
		memcpy(buffer, bytes, *length);
	else
		status = STATUS_BUFFER_TOO_SMALL;
	nt_name_bytes_free(bytes);
	return status;
}

void nt_name_free(PUNICODE_STRING name)
{
	if (name->Buffer != NULL)
		ExFreePoolWithTag(name->Buffer, NAME_TAG);
	RtlZeroMemory(name, sizeof(*name));
}

void nt_name_bytes_free(char *bytes)
{
	if (bytes != NULL)
		ExFreePoolWithTag(bytes, NAME_TAG);
}
