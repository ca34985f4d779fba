/*
 * bug.c - the end of a process that broke a rule.
 *
 * Owns:  the one message and the abort.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nt/exec.h"

static void nt_say_and_abort(const char *format, va_list args) __attribute__((noreturn));

static void nt_say_and_abort(const char *format, va_list args)
{
	struct nt_thread *self = nt_self;

	vfprintf(stderr, format, args);
	if (self != NULL)
		fprintf(stderr, " [thread %u %s]", self->id, self->name);
	if (nt_sim_active)
		fprintf(stderr, " [sim seed %llu]", (unsigned long long)nt_sim_seed());
	fputc('\n', stderr);
	fflush(stderr);
	abort();
}

void nt_bug(const char *file, int line, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "rdbss: %s:%d: ", file, line);
	va_start(args, format);
	nt_say_and_abort(format, args);
}

void nt_bug_at_caller(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "rdbss: ");
	va_start(args, format);
	nt_say_and_abort(format, args);
}

void nt_no_thread(void)
{
	NT_BUG("a thread that never called nt_adopt_thread() touches an NT object, or the runtime is not "
	       "initialized");
}
