/*
 * nt_test.h - what the tests of the executive share: a runtime that must end without leaks, waits with a limit, and
 * the death of a process that breaks a rule.
 */
#ifndef NT_TEST_H
#define NT_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/child.h"

#include "event.h"
#include "fastmutex.h"
#include "nt_exec.h"
#include "ntdef.h"
#include "ntstatus.h"
#include "pool.h"
#include "process.h"
#include "resource.h"
#include "spinlock.h"
#include "timer.h"
#include "workitem.h"

#define NT_TEST_LIMIT_S 20

static inline LARGE_INTEGER nt_test_ms(LONGLONG ms)
{
	return (LARGE_INTEGER){.QuadPart = -ms * 10000};
}

static inline void nt_test_wait(PVOID object)
{
	LARGE_INTEGER limit = nt_test_ms(NT_TEST_LIMIT_S * 1000);

	assert_int_equal(KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static inline int nt_test_setup(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 42};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static inline int nt_test_teardown(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static inline int nt_test_child(const void *arg)
{
	void (*const *fn)(void) = arg;

	(*fn)();
	return 0;
}

/* Runs fn in a child; true when it was aborted after a message that contains `expected`. */
static inline bool nt_test_dies(void (*fn)(void), const char *expected)
{
	struct child c = {nt_test_child, &fn, NT_MISUSE_STOP, NT_TEST_LIMIT_S};
	char text[4096];
	int status = child_run(&c, text, sizeof(text));

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, expected) != NULL)
		return true;
	print_error("expected death with '%s', status %#x, text: %s\n", expected, status, text);
	return false;
}

/* The same with a runtime in the child. */
#define NT_TEST_START_IN_CHILD() \
	do { \
		struct nt_config child_config = {.executive = NT_EXEC_POSIX, .seed = 1}; \
		if (!NT_SUCCESS(nt_initialize(&child_config))) \
			_exit(3); \
	} while (0)

#endif
