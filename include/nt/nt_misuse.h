/*
 * nt_misuse.h - a driver broke a rule of the interface: it is told so, and what it asked for is not done.  Ours.
 *
 * Debug builds (without NDEBUG) stop the process at once, with a message that names the rule, the routine and the
 * object: a driver's author sees it in the debugger.  Release builds refuse the call where that is possible, say so on
 * the standard error and count it; the damage ends with the process, which serves one mount.  A program may choose
 * the other way at run time, as the tests of both ways do.
 */
#ifndef NT_MISUSE_H
#define NT_MISUSE_H

#include <stdbool.h>

enum nt_rule {
	NT_RULE_COMPLETE_ONCE,   /* a request is completed once */
	NT_RULE_COMPLETE_OWN,    /* ... by who owns it, in the way it was handed out */
	NT_RULE_NO_PENDING,      /* STATUS_PENDING only from routines that may answer it */
	NT_RULE_REFERENCE,       /* only references that were taken are given up */
	NT_RULE_FINALIZE_LOCKED, /* objects are finalized with the documented lock held */
	NT_RULE_FREE_TAG,        /* memory is freed once, with the tag it was allocated with */
	NT_RULE_UNLOAD_IDLE,     /* a driver is unloaded when nothing of it is at work or in use */
	NT_RULE_COUNT
};

enum nt_misuse_action { NT_MISUSE_STOP, NT_MISUSE_REFUSE };

/* What happens from now on; the build's own way is NT_MISUSE_STOP without NDEBUG, NT_MISUSE_REFUSE with it. */
void nt_misuse_set_action(enum nt_misuse_action action);
enum nt_misuse_action nt_misuse_action(void);

/**
 * nt_misuse - tell that a rule is broken
 * @routine: the routine that was called, under its documented name
 * @format:  the object, by kind and address, and what is wrong with it; as printf
 *
 * Context: any level, any lock held.
 * Return:  only where misuse is refused; the caller then does nothing of what it was asked.
 */
void nt_misuse(enum nt_rule rule, const char *routine, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* How often a rule was broken since the process began. */
unsigned long nt_misuse_count(enum nt_rule rule);
/* The name of a rule, as messages have it. */
const char *nt_rule_name(enum nt_rule rule);

#endif
