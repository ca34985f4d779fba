/*
 * exec_posix.c - the executive on real threads: futexes, the monotonic clock, pthreads.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "nt/exec.h"

/* Room for a deep call chain under a sanitizer; pages are touched only when used. */
#define NT_POSIX_STACK (2u << 20)

static uint64_t posix_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NT_TICKS_PER_SECOND + (uint64_t)ts.tv_nsec / 100;
}

static uint64_t posix_now(void)
{
	return posix_clock(CLOCK_MONOTONIC);
}

static uint64_t posix_system_time(void)
{
	return posix_clock(CLOCK_REALTIME) + NT_UNIX_EPOCH;
}

static void posix_wait_word(volatile LONG *word, LONG expected, uint64_t deadline)
{
	struct timespec ts, *until = NULL;

	if (deadline != NT_FOREVER) {
		ts.tv_sec = (time_t)(deadline / NT_TICKS_PER_SECOND);
		ts.tv_nsec = (long)(deadline % NT_TICKS_PER_SECOND) * 100;
		until = &ts;
	}
	/* Every caller looks again, so the reason of the return does not matter. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, until, NULL,
		      FUTEX_BITSET_MATCH_ANY);
}

static void posix_wake_word(volatile LONG *word, int count)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void *posix_thread(void *argument)
{
	struct nt_thread *thread = argument;

	thread->native = (uintptr_t)pthread_self();
	pthread_setname_np(pthread_self(), thread->name);
	nt_thread_main(thread);
	return NULL;
}

static NTSTATUS posix_start(struct nt_thread *thread)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, NT_POSIX_STACK);

	/* Signals are for the threads of the program, not for ours. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&id, &attr, posix_thread, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error == 0 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static void posix_join(struct nt_thread *thread)
{
	pthread_join((pthread_t)thread->native, NULL);
}

const struct nt_exec_ops nt_posix_ops = {
	.name = "posix",
	.wait_word = posix_wait_word,
	.wake_word = posix_wake_word,
	.now = posix_now,
	.system_time = posix_system_time,
	.start = posix_start,
	.join = posix_join,
};
