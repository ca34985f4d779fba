/*
 * bug.c - the end of a process that broke a rule.
 *
 * Owns:  the one message and the abort.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nt/exec.h"

void nt_bug(const char *file, int line, const char *format, ...)
{
	struct nt_thread *self = nt_self;
	va_list args;

	fflush(stdout);
	fprintf(stderr, "rdbss: %s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (self != NULL)
		fprintf(stderr, " [thread %u %s]", self->id, self->name);
	if (nt_sim_active)
		fprintf(stderr, " [sim seed %llu]", (unsigned long long)nt_sim_seed());
	fputc('\n', stderr);
	fflush(stderr);
	abort();
}

void nt_no_thread(void)
{
	NT_BUG("a thread that never called nt_adopt_thread() touches an NT object, or the runtime is not "
	       "initialized");
}
