/*
 * nt_exec.h - the life of the runtime, its two executives, and who a thread works for.  Ours; the WDK has none.
 *
 * posix  real threads and the real clock.
 * sim    one thread; every NT thread is a fiber, a seeded scheduler decides at each interlocked operation, lock
 *        and wait who goes on, and the clock jumps to the next deadline when nobody can.  The same seed gives the
 *        same run; a deadlock stops the process and names the seed.
 */
#ifndef NT_EXEC_H
#define NT_EXEC_H

#include <stdio.h>
#include <sys/types.h>

#include "ntdef.h"
#include "spinlock.h"

enum nt_executive { NT_EXEC_POSIX, NT_EXEC_SIM };

struct nt_config {
	enum nt_executive executive;
	uint64_t seed;            /* of nt_random() and of sim's scheduler; 0: from the clock under posix */
	unsigned int max_workers; /* cap of each work queue; 0: 64 */
};

struct nt_thread;

/**
 * nt_initialize - begin; the calling thread becomes the first of the system (RDBSS) process
 *
 * Under sim use nt_sim_run() instead, which does this too.
 * Return: STATUS_SUCCESS, STATUS_INVALID_DEVICE_STATE when it runs already.
 */
NTSTATUS nt_initialize(const struct nt_config *config);

/**
 * nt_shutdown - end the worker and timer threads and count what was not freed
 * @leak_report: where one line per pool tag that still holds memory goes; NULL: nowhere
 *
 * Return: bytes of pool still allocated.
 */
unsigned long nt_shutdown(FILE *leak_report);

enum nt_executive nt_current_executive(void);

/* Runs fn(context) as the first fiber of a fresh sim executive until it returns; value: bytes leaked. */
unsigned long nt_sim_run(uint64_t seed, void (*fn)(void *context), void *context);
uint64_t nt_sim_seed(void);
/* A number that depends on every scheduling decision so far: equal for equal runs. */
uint64_t nt_sim_trace(void);

/* Threads of ours, and threads that a library made.  A thread touches NT objects only between the two calls. */
NTSTATUS nt_thread_create(const char *name, void (*fn)(void *context), void *context, struct nt_thread **out);
void nt_thread_join(struct nt_thread *thread);
NTSTATUS nt_adopt_thread(const char *name);
void nt_release_thread(void);

/*
 * Waits for an object that the answer of a server will signal, without a limit; PASSIVE_LEVEL or APC_LEVEL.  A thread
 * that has sent something to a server may receive the answers itself meanwhile.
 */
void nt_wait_for_answer(PVOID object);

/*
 * A lock for any thread, adopted or not, while a runtime is running or not: for what guards its beginning and end.
 * All zero is free.  Waiters sleep; not recursive.  Not for what a sim run contends for.
 */
struct nt_latch {
	volatile LONG word;
};
void nt_latch_acquire(struct nt_latch *latch);
void nt_latch_release(struct nt_latch *latch);

/* On whose behalf a thread works. */
struct nt_requester {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	const char *operation; /* what was asked for, a constant; NULL: nothing that anybody waits for */
};

/* NULL: the system process.  The pointer is copied. */
void nt_set_requester(const struct nt_requester *requester);
/* False when the thread works for the system process. */
bool nt_get_requester(struct nt_requester *requester);

/* Seeded, hence repeatable: for choices and jitter, never for secrets. */
uint64_t nt_random(void);

/* The next `n` allocations pass, the one after them fails; counted over all threads. */
void nt_fault_arm(long n);
/* Ends it; true when an allocation was failed. */
bool nt_fault_disarm(void);
/* From now on one allocation in `n` fails, by nt_random()'s seed; 0: none. */
void nt_fault_random(unsigned int n);
/*
 * Is this the address of an allocation that was not freed? A check, not a promise: memory that was given out again is
 * alive. The second asks the same of any bytes, and knows only where the address sanitizer does; else true.
 */
bool nt_pool_is_live(const void *memory);
bool nt_memory_is_live(const void *memory, size_t bytes);
/* Bytes of pool allocated now. */
unsigned long nt_pool_bytes(void);

/* Stops the process with a message that names the broken rule. */
void nt_bug(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
#define NT_BUG(...) nt_bug(__FILE__, __LINE__, __VA_ARGS__)
/* Always on: memory safety. */
#define RX_CHECK(e) ((e) ? (void)0 : NT_BUG("check failed: %s", #e))

#endif
