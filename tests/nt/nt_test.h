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
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nt_misuse.h"
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

/* Runs fn in a child; true when it was aborted after a message that contains `expected`. */
static inline bool nt_test_dies(void (*fn)(void), const char *expected)
{
	char text[4096];
	size_t length = 0;
	ssize_t n;
	int fds[2], status = 0;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		alarm(NT_TEST_LIMIT_S);
		nt_misuse_set_action(NT_MISUSE_STOP);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while (length < sizeof(text) - 1 && (n = read(fds[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
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
