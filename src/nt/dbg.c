/*
 * dbg.c - debug output with the formats of the WDK: l is 32 bits, I64 and ll are 64, wide strings are 16 bits.
 *
 * Owns:   where debug text goes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ntifs.h"

struct sink {
	char *buffer;
	size_t size;
	size_t length; /* what would have been written */
};

static void put(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->size)
		sink->buffer[sink->length] = c;
	sink->length++;
}

struct spec {
	bool left, zero, plus, space, alternate, wide, precise;
	size_t width, precision;
	unsigned int bytes; /* of an integer argument */
};

static void pad(struct sink *sink, size_t count, char c)
{
	while (count-- > 0)
		put(sink, c);
}

static void put_text(struct sink *sink, const struct spec *spec, const char *text, size_t length)
{
	size_t fill = spec->width > length ? spec->width - length : 0;

	if (!spec->left)
		pad(sink, fill, ' ');
	while (length-- > 0)
		put(sink, *text++);
	if (spec->left)
		pad(sink, fill, ' ');
}

/* Each character as UTF-8, at most `precision` characters. */
static void put_wide(struct sink *sink, const struct spec *spec, const WCHAR *text, size_t count)
{
	char piece[64 * 3];
	struct spec rest = *spec;
	size_t done = 0;

	if (spec->precise && count > spec->precision)
		count = spec->precision;
	rest.width = 0;
	if (!spec->left && spec->width > count)
		pad(sink, spec->width - count, ' ');
	while (done < count) {
		ULONG n = (ULONG)(count - done > 64 ? 64 : count - done), bytes = 0;

		if (n < count - done && text[done + n - 1] >= 0xd800 && text[done + n - 1] < 0xdc00 && n > 1)
			n--; /* keep a pair together */
		(void)RtlUnicodeToUTF8N(piece, sizeof(piece), &bytes, text + done, n * sizeof(WCHAR));
		put_text(sink, &rest, piece, bytes);
		done += n;
	}
	if (spec->left && spec->width > count)
		pad(sink, spec->width - count, ' ');
}

static void put_number(struct sink *sink, const struct spec *spec, ULONGLONG value, bool negative,
		       unsigned int base, bool capital)
{
	const char *digits = capital ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	size_t i = sizeof(text), n, sign, zeros;
	char mark = negative ? '-' : spec->plus ? '+' : spec->space ? ' ' : 0;

	do {
		text[--i] = digits[value % base];
		value /= base;
	} while (value != 0);
	n = sizeof(text) - i;
	sign = (mark != 0) + (spec->alternate && base == 16 ? 2u : 0u);
	zeros = spec->precise && spec->precision > n ? spec->precision - n : 0;
	if (spec->zero && !spec->left && !spec->precise && spec->width > n + sign)
		zeros = spec->width - n - sign;
	if (!spec->left && spec->width > n + sign + zeros)
		pad(sink, spec->width - n - sign - zeros, ' ');
	if (mark != 0)
		put(sink, mark);
	if (spec->alternate && base == 16) {
		put(sink, '0');
		put(sink, capital ? 'X' : 'x');
	}
	pad(sink, zeros, '0');
	while (i < sizeof(text))
		put(sink, text[i++]);
	if (spec->left && spec->width > n + sign + zeros)
		pad(sink, spec->width - n - sign - zeros, ' ');
}

static const char *parse_size(const char *f, struct spec *spec)
{
	spec->bytes = 4;
	if (f[0] == 'I' && f[1] == '6' && f[2] == '4') {
		spec->bytes = 8;
		return f + 3;
	}
	if (f[0] == 'I' && f[1] == '3' && f[2] == '2')
		return f + 3;
	if (f[0] == 'I' || f[0] == 'z') {
		spec->bytes = sizeof(size_t);
		return f + 1;
	}
	if (f[0] == 'l' && f[1] == 'l') {
		spec->bytes = 8;
		return f + 2;
	}
	if (f[0] == 'l' || f[0] == 'w') {
		spec->wide = true; /* of strings; a long integer has 32 bits */
		return f + 1;
	}
	if (f[0] == 'h') {
		spec->bytes = f[1] == 'h' ? 1 : 2;
		return f + (f[1] == 'h' ? 2 : 1);
	}
	return f;
}

static const char *parse_spec(const char *f, struct spec *spec, va_list *arguments)
{
	memset(spec, 0, sizeof(*spec));
	for (;; f++) {
		if (*f == '-')
			spec->left = true;
		else if (*f == '0')
			spec->zero = true;
		else if (*f == '+')
			spec->plus = true;
		else if (*f == ' ')
			spec->space = true;
		else if (*f == '#')
			spec->alternate = true;
		else
			break;
	}
	if (*f == '*') {
		int width = va_arg(*arguments, int);

		spec->left = spec->left || width < 0;
		spec->width = (size_t)(width < 0 ? -(long)width : width);
		f++;
	}
	while (*f >= '0' && *f <= '9')
		spec->width = spec->width * 10 + (size_t)(*f++ - '0');
	if (*f == '.') {
		spec->precise = true;
		f++;
		if (*f == '*') {
			int precision = va_arg(*arguments, int);

			spec->precise = precision >= 0;
			spec->precision = (size_t)(precision < 0 ? 0 : precision);
			f++;
		}
		while (*f >= '0' && *f <= '9')
			spec->precision = spec->precision * 10 + (size_t)(*f++ - '0');
	}
	return parse_size(f, spec);
}

static void put_string(struct sink *sink, const struct spec *spec, va_list *arguments, bool wide)
{
	if (wide) {
		const WCHAR *text = va_arg(*arguments, const WCHAR *);
		size_t n = 0;

		if (text == NULL)
			text = u"(null)";
		while ((!spec->precise || n < spec->precision) && text[n] != 0)
			n++;
		put_wide(sink, spec, text, n);
	} else {
		const char *text = va_arg(*arguments, const char *);

		if (text == NULL)
			text = "(null)";
		put_text(sink, spec, text, spec->precise ? strnlen(text, spec->precision) : strlen(text));
	}
}

static void put_counted(struct sink *sink, const struct spec *spec, va_list *arguments)
{
	if (spec->wide) {
		PCUNICODE_STRING s = va_arg(*arguments, PCUNICODE_STRING);

		if (s == NULL || s->Buffer == NULL)
			put_text(sink, spec, "(null)", s == NULL ? 6 : 0);
		else
			put_wide(sink, spec, s->Buffer, s->Length / sizeof(WCHAR));
	} else {
		const STRING *s = va_arg(*arguments, const STRING *);

		if (s == NULL || s->Buffer == NULL)
			put_text(sink, spec, "(null)", s == NULL ? 6 : 0);
		else
			put_text(sink, spec, s->Buffer, s->Length);
	}
}

static void put_integer(struct sink *sink, const struct spec *spec, va_list *arguments, char kind)
{
	bool is_signed = kind == 'd' || kind == 'i';
	ULONGLONG bits = spec->bytes == 8 ? va_arg(*arguments, ULONGLONG) : va_arg(*arguments, ULONG);
	LONGLONG value = (LONGLONG)bits;

	if (spec->bytes < 8) {
		unsigned int shift = 64 - 8 * spec->bytes;

		value = (LONGLONG)(bits << shift) >> shift;
		bits = bits << shift >> shift;
	}
	if (is_signed)
		put_number(sink, spec, value < 0 ? 0 - (ULONGLONG)value : (ULONGLONG)value, value < 0, 10,
			   false);
	else
		put_number(sink, spec, bits, false, kind == 'u' ? 10 : kind == 'o' ? 8 : 16, kind == 'X');
}

static void put_argument(struct sink *sink, struct spec *spec, char kind, va_list *arguments)
{
	char c;

	switch (kind) {
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_integer(sink, spec, arguments, kind);
		break;
	case 'p':
		spec->zero = true;
		spec->width = 2 * sizeof(void *);
		put_number(sink, spec, (ULONG_PTR)va_arg(*arguments, void *), false, 16, true);
		break;
	case 'c':
	case 'C':
		if (spec->wide || kind == 'C') {
			WCHAR w = (WCHAR)va_arg(*arguments, int);

			put_wide(sink, spec, &w, 1);
		} else {
			c = (char)va_arg(*arguments, int);
			put_text(sink, spec, &c, 1);
		}
		break;
	case 's':
		put_string(sink, spec, arguments, spec->wide);
		break;
	case 'S':
		put_string(sink, spec, arguments, spec->bytes == 4);
		break;
	case 'Z':
		put_counted(sink, spec, arguments);
		break;
	default: /* '%' and what nobody knows: shown as it is */
		put(sink, kind);
	}
}

size_t nt_vformat(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct sink sink = {buffer, size, 0};
	struct spec spec;
	va_list at;

	va_copy(at, arguments);
	while (*format != '\0') {
		if (*format != '%') {
			put(&sink, *format++);
			continue;
		}
		format = parse_spec(format + 1, &spec, &at);
		if (*format == '\0')
			break;
		put_argument(&sink, &spec, *format++, &at);
	}
	va_end(at);
	if (size > 0)
		buffer[sink.length < size ? sink.length : size - 1] = '\0';
	return sink.length;
}

size_t nt_format(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = nt_vformat(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}

static void (*debug_output)(const char *text, size_t length);

void nt_set_debug_output(void (*output)(const char *text, size_t length))
{
	debug_output = output;
}

static void debug_print(const char *format, va_list arguments)
{
	char line[1024];
	size_t length = nt_vformat(line, sizeof(line), format, arguments);

	if (length >= sizeof(line))
		length = sizeof(line) - 1;
	if (debug_output != NULL)
		debug_output(line, length);
	else
		fwrite(line, 1, length, stderr);
}

ULONG DbgPrint(PCSTR Format, ...)
{
	va_list arguments;

	va_start(arguments, Format);
	debug_print(Format, arguments);
	va_end(arguments);
	return STATUS_SUCCESS;
}

ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
	va_list arguments;

	(void)ComponentId;
	(void)Level;
	va_start(arguments, Format);
	debug_print(Format, arguments);
	va_end(arguments);
	return STATUS_SUCCESS;
}

ULONG vDbgPrintEx(ULONG ComponentId, ULONG Level, PCCH Format, va_list Arguments)
{
	(void)ComponentId;
	(void)Level;
	debug_print(Format, Arguments);
	return STATUS_SUCCESS;
}

ULONG vDbgPrintExWithPrefix(PCCH Prefix, ULONG ComponentId, ULONG Level, PCCH Format, va_list Arguments)
{
	(void)ComponentId;
	(void)Level;
	(void)DbgPrint("%s", Prefix);
	debug_print(Format, Arguments);
	return STATUS_SUCCESS;
}

VOID DbgBreakPoint(void)
{
	__builtin_trap();
}

VOID RtlAssert(PCSTR FailedAssertion, PCSTR FileName, ULONG LineNumber, PCSTR Message)
{
	nt_bug(FileName, (int)LineNumber, "assertion failed: %s%s%s", FailedAssertion,
	       Message == NULL ? "" : ": ", Message == NULL ? "" : Message);
}
