/*
 * exec.c - the life of the runtime: what starts and ends in which order; the random numbers.
 *
 * Owns:      which executive runs.
 * Dies when: nt_shutdown(), or the end of nt_sim_run().
 */
#include <sys/random.h>

#include "nt/exec.h"

/* Shutdown waits this long for threads and work that should have ended. */
#define NT_STOP_LIMIT (10 * NT_TICKS_PER_SECOND)
#define NT_DEFAULT_WORKERS 64

static volatile LONG running;
static volatile uint64_t random_state;

void nt_random_seed(uint64_t seed)
{
	__atomic_store_n(&random_state, seed, __ATOMIC_RELAXED);
}

/* SplitMix64: the state only counts, so one atomic add serves all threads. */
uint64_t nt_random(void)
{
	uint64_t z = __atomic_add_fetch(&random_state, 0x9e3779b97f4a7c15ull, __ATOMIC_RELAXED);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

NTSTATUS nt_start(const struct nt_exec_ops *ops, const struct nt_config *config)
{
	unsigned int workers = config->max_workers != 0 ? config->max_workers : NT_DEFAULT_WORKERS;
	uint64_t seed = config->seed;
	struct nt_thread *self;
	NTSTATUS status;

	if (seed == 0 && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = ops->now();
	nt_random_seed(seed);
	nt_process_init();
	self = nt_self;
	if (self == NULL) {
		self = nt_thread_alloc("main", NULL, NULL);
		if (self == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		nt_thread_dereference(self);
		nt_thread_enter(self);
	}
	status = nt_timer_start();
	if (NT_SUCCESS(status))
		status = nt_work_start(workers);
	if (!NT_SUCCESS(status))
		(void)nt_stop(NULL); /* the reason is in status */
	return status;
}

unsigned long nt_stop(FILE *out)
{
	uint64_t deadline = nt_now() + NT_STOP_LIMIT;
	unsigned long leaked;
	bool ended;

	ended = nt_work_stop(deadline, out);
	ended = nt_timer_stop(deadline, out) && ended;
	ended = nt_thread_wait_all(deadline, out) && ended;
	(void)nt_fault_disarm(); /* a run that ends takes its faults along */
	leaked = nt_pool_report(out);
	return ended ? leaked : leaked + 1; /* a thread that stays is a leak too */
}

NTSTATUS nt_initialize(const struct nt_config *config)
{
	LONG stopped = 0;
	NTSTATUS status;

	if (config->executive != NT_EXEC_POSIX)
		return STATUS_INVALID_PARAMETER; /* nt_sim_run() owns the whole run */
	if (!__atomic_compare_exchange_n(&running, &stopped, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return STATUS_INVALID_DEVICE_STATE;
	nt_ops = &nt_posix_ops;
	status = nt_start(nt_ops, config);
	if (!NT_SUCCESS(status)) {
		if (nt_self != NULL)
			nt_thread_leave();
		__atomic_store_n(&running, 0, __ATOMIC_RELEASE);
	}
	return status;
}

unsigned long nt_shutdown(FILE *leak_report)
{
	unsigned long leaked;
	bool all_ended;

	if (!__atomic_load_n(&running, __ATOMIC_ACQUIRE))
		NT_BUG("nt_shutdown without nt_initialize");
	leaked = nt_stop(leak_report);
	all_ended = nt_thread_wait_all(0, NULL);
	nt_thread_leave();
	if (all_ended) { /* otherwise they still use their records */
		nt_thread_free_all();
		nt_process_free_all();
	}
	__atomic_store_n(&running, 0, __ATOMIC_RELEASE);
	return leaked;
}

enum nt_executive nt_current_executive(void)
{
	return nt_sim_active ? NT_EXEC_SIM : NT_EXEC_POSIX;
}

void nt_latch_acquire(struct nt_latch *latch)
{
	nt_word_lock(&latch->word);
}

void nt_latch_release(struct nt_latch *latch)
{
	nt_word_unlock(&latch->word);
}

bool nt_running(void)
{
	return __atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0;
}
