/*
 * bare.h - an IRP that has arrived at the device but was not dispatched, and its context: for the routines that are
 * called in between.
 */
#ifndef RX_TEST_BARE_H
#define RX_TEST_BARE_H

#include "rec.h"

struct bare {
	PIRP irp;
	PRX_CONTEXT rxc;
	KEVENT done;
	NTSTATUS status;
	ULONG_PTR information;
	volatile LONG completions;
};

/* Asynchronous; the stack location is filled by the caller, then bare_context(). */
struct bare *bare_make(PFILE_OBJECT file, UCHAR major, UCHAR minor);
PIO_STACK_LOCATION bare_sp(struct bare *b);
PRX_CONTEXT bare_context(struct bare *b, ULONG flags);
/* Waits until it was completed, and frees; the status. */
NTSTATUS bare_end(struct bare *b);
/* Drops the context without completing, and frees. */
void bare_drop(struct bare *b);

/* Polls, with a limit, until a condition holds that other threads bring about. */
#define WAIT_UNTIL(condition) \
	do { \
		LARGE_INTEGER tick_ = {.QuadPart = -10000}; \
		int left_ = 20000; \
		while (!(condition)) { \
			assert_true(left_-- > 0); \
			(void)KeDelayExecutionThread(KernelMode, FALSE, &tick_); \
		} \
	} while (0)

#endif
