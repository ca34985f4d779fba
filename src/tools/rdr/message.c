/*
 * message.c - the one line a person reads when something went wrong.
 *
 * Owns:      the verbosity of this process.
 * Locks:     none; the level is set before any thread starts.
 *
 * What comes from a server, a file or an argument may hold control characters: a
 * message never passes them on, so that it stays one line and cannot drive a terminal.
 */
#include "rdr.h"

#include <string.h>

static int verbosity;

void rdr_set_verbosity(int level)
{
	verbosity = level;
}

int rdr_verbosity(void)
{
	return verbosity;
}

static void make_one_line(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c != 0; c++) {
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

/**
 * rdr_fail - record why something failed
 * @error: [out] receives the text and the code
 * @code:  an exit code, not 0
 *
 * Return: @code, so that callers can write `return rdr_fail(...)`.
 */
int rdr_fail(struct rdr_error *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	make_one_line(error->text);
	error->code = code;
	return code;
}

/* Prints the line and returns the exit code. */
int rdr_print_error(const struct rdr_error *error)
{
	fprintf(stderr, "rdr: %s\n", error->text);
	return error->code;
}

static void print_line(const char *prefix, const char *format, va_list arguments)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, arguments);
	make_one_line(text);
	fprintf(stderr, "rdr: %s%s\n", prefix, text);
}

void rdr_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line("warning: ", format, arguments);
	va_end(arguments);
}

/* Only heard with -v. */
void rdr_say(const char *format, ...)
{
	va_list arguments;

	if (verbosity == 0)
		return;
	va_start(arguments, format);
	print_line("", format, arguments);
	va_end(arguments);
}
