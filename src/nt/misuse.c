/*
 * misuse.c - what a driver is told that breaks a rule of the interface.
 *
 * Owns:   the count of each rule; which of the two ways is taken.
 * Locks:  none; both are atomic.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nt/exec.h"
#include "nt_misuse.h"

#define NT_MISUSE_ALWAYS_TOLD 16 /* of a rule; then only each power of two */

#ifdef NDEBUG
static volatile LONG nt_misuse_way = NT_MISUSE_REFUSE;
#else
static volatile LONG nt_misuse_way = NT_MISUSE_STOP;
#endif
static volatile LONG nt_misuse_counts[NT_RULE_COUNT];

const char *nt_rule_name(enum nt_rule rule)
{
	switch (rule) {
	case NT_RULE_COMPLETE_ONCE:
		return "complete-once";
	case NT_RULE_COMPLETE_OWN:
		return "complete-own";
	case NT_RULE_NO_PENDING:
		return "no-pending";
	case NT_RULE_REFERENCE:
		return "reference";
	case NT_RULE_FINALIZE_LOCKED:
		return "finalize-locked";
	case NT_RULE_FREE_TAG:
		return "free-tag";
	case NT_RULE_UNLOAD_IDLE:
		return "unload-idle";
	case NT_RULE_COUNT:
		break;
	}
	return "?";
}

void nt_misuse_set_action(enum nt_misuse_action action)
{
	__atomic_store_n(&nt_misuse_way, (LONG)action, __ATOMIC_RELEASE);
}

enum nt_misuse_action nt_misuse_action(void)
{
	return (enum nt_misuse_action)__atomic_load_n(&nt_misuse_way, __ATOMIC_ACQUIRE);
}

unsigned long nt_misuse_count(enum nt_rule rule)
{
	return (unsigned long)__atomic_load_n(&nt_misuse_counts[rule], __ATOMIC_ACQUIRE);
}

void nt_misuse(enum nt_rule rule, const char *routine, const char *format, ...)
{
	bool stop = nt_misuse_action() == NT_MISUSE_STOP;
	unsigned long times = (unsigned long)__atomic_add_fetch(&nt_misuse_counts[rule], 1, __ATOMIC_ACQ_REL);
	char text[512];
	va_list args;

	if (!stop && times > NT_MISUSE_ALWAYS_TOLD && (times & (times - 1)) != 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!stop) {
		fprintf(stderr, "rdbss: misuse: rule %s: %s: %s; refused (%lu)\n", nt_rule_name(rule),
			routine, text, times);
		return;
	}
	nt_bug_at_caller("misuse: rule %s: %s: %s", nt_rule_name(rule), routine, text);
}
