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
#include <stdint.h>
#include <cmocka.h>

#include "child.h"

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

static inline int misuse_child(const void *arg)
{
	const struct misuse_case *c = arg;

	c->scenario();
	return nt_misuse_count(c->rule) == (c->times != 0 ? c->times : 1) ? 0 : 8;
}

static inline int misuse_in_child(const struct misuse_case *c, enum nt_misuse_action action, char *text,
				  size_t capacity)
{
	struct child child = {misuse_child, c, action, MISUSE_LIMIT_S};

	return child_run(&child, text, capacity);
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
