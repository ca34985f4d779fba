/*
 * misuse.h - both answers to a broken rule: debug builds stop the process, release builds refuse.
 *
 * A scenario sets up what it needs, breaks the rule once, and checks what follows when the call was refused. It runs
 * in a child of its own, once each way: the first must end by SIGABRT, the second must come to its end; both must say
 * the rule, the routine and the object.
 */
#ifndef RX_TEST_MISUSE_H
#define RX_TEST_MISUSE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "nt_misuse.h"

#define MISUSE_LIMIT_S 30

/* For scenarios: what must hold after a refusal. Ends the child. */
#define MISUSE_CHECK(e) \
	do { \
		if (!(e)) { \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #e); \
			_exit(9); \
		} \
	} while (0)

struct misuse_case {
	enum nt_rule rule;
	const char *routine;
	const char *object; /* part of the message */
	void (*scenario)(void);
	unsigned long times; /* that the rule is broken; 0: once */
};

static inline int misuse_in_child(const struct misuse_case *c, enum nt_misuse_action action, char *text,
				  size_t capacity)
{
	unsigned long times = c->times != 0 ? c->times : 1;
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
		alarm(MISUSE_LIMIT_S);
		nt_misuse_set_action(action);
		c->scenario();
		_exit(nt_misuse_count(c->rule) == times ? 0 : 8);
	}
	close(fds[1]);
	while (length < capacity - 1 && (n = read(fds[0], text + length, capacity - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static inline bool misuse_is_told(const struct misuse_case *c, const char *text)
{
	char said[128];

	snprintf(said, sizeof(said), "misuse: rule %s: %s: ", nt_rule_name(c->rule), c->routine);
	return strstr(text, said) != NULL && strstr(strstr(text, said), c->object) != NULL;
}

/* The test of one case. */
static inline void misuse_expect(const struct misuse_case *c)
{
	char text[8192];
	int status = misuse_in_child(c, NT_MISUSE_STOP, text, sizeof(text));

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !misuse_is_told(c, text) ||
	    strstr(text, "refused") != NULL)
		fail_msg("debug, %s: status %#x, text: %s", c->routine, (unsigned int)status, text);
	status = misuse_in_child(c, NT_MISUSE_REFUSE, text, sizeof(text));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !misuse_is_told(c, text) ||
	    strstr(text, "refused (1)") == NULL)
		fail_msg("release, %s: status %#x, text: %s", c->routine, (unsigned int)status, text);
}

#define MISUSE_EXPECT(r, ro, o, s) \
	misuse_expect(&(struct misuse_case){.rule = (r), .routine = (ro), .object = (o), .scenario = (s)})

#endif
