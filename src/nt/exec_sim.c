/*
 * exec_sim.c - the deterministic executive: one OS thread, a fiber per NT thread, a clock of its own.
 *
 * Owns:    the fibers and their stacks, the virtual clock, the scheduler's random numbers, the trace.
 * Locks:   none: one OS thread.
 *
 * At each scheduling point the seed decides whether another runnable fiber goes on.  A point takes 100 ns of virtual
 * time; when no fiber can run the clock jumps to the next deadline, and when there is none every thread waits for
 * ever: the process ends with the list of waits and the seed.  Everything a run decides comes from the seed, so the
 * same seed gives the same run.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "nt/exec.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NT_SIM_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define NT_SIM_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define NT_SIM_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define NT_SIM_TSAN 1
#endif
#ifdef NT_SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef NT_SIM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define SIM_STACK ((size_t)512 << 10)
#define SIM_GUARD 4096
/* 2020-01-01 00:00:00 UTC, when every run begins. */
#define SIM_EPOCH 132223104000000000ull
#define SIM_START_CLOCK NT_TICKS_PER_SECOND
/* A run with more scheduling points than this spins. */
#define SIM_POINT_LIMIT 500000000ull
#define SIM_WORKERS 8

enum fiber_state { FIBER_READY, FIBER_WAITING, FIBER_OVER };

struct nt_fiber {
	ucontext_t context;
	enum fiber_state state;
	uint32_t id;
	struct nt_thread *thread; /* to run; NULL: the first fiber */
	struct nt_thread *self;   /* nt_self while it does not run */
	volatile LONG *word;      /* waits for it */
	uint64_t deadline;
	LIST_ENTRY link; /* of ready or waiting */
	char *stack;     /* above the guard page */
	size_t stack_size;
	void *fake_stack; /* ASan's */
	void *tsan;       /* TSan's */
};

static struct {
	uint64_t seed;
	uint64_t random;
	uint64_t trace;
	uint64_t clock;
	uint64_t points;
	uint64_t next_deadline; /* not later than the earliest of the waiting */
	uint32_t switch_mask;   /* a point switches when the random bits under it are 0 */
	uint32_t last_id;
	LIST_ENTRY ready, waiting;
	uint32_t ready_count;
	struct nt_fiber host; /* where nt_sim_run() was called */
	struct nt_fiber *current;
	struct nt_fiber *over; /* its stack may be freed by whoever runs next */
	bool main_over;
	void (*fn)(void *context);
	void *fn_context;
	unsigned long leaked;
} sim;

/* Stacks of earlier runs, linked through their first word. */
static char *spare_stacks;

static uint64_t sim_random(void)
{
	uint64_t z = sim.random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t nt_sim_seed(void)
{
	return sim.seed;
}

uint64_t nt_sim_trace(void)
{
	return sim.trace;
}

static char *stack_alloc(void)
{
	char *base = spare_stacks;

	if (base != NULL) {
		spare_stacks = *(char **)base;
		return base;
	}
	base = mmap(NULL, SIM_STACK + SIM_GUARD, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	mprotect(base, SIM_GUARD, PROT_NONE);
	return base + SIM_GUARD;
}

static void stack_free(char *stack)
{
#ifdef NT_SIM_ASAN
	/* The frames that never returned left their red zones. */
	__asan_unpoison_memory_region(stack, SIM_STACK);
#endif
	*(char **)stack = spare_stacks;
	spare_stacks = stack;
}

static void fiber_free(struct nt_fiber *fiber)
{
#ifdef NT_SIM_TSAN
	__tsan_destroy_fiber(fiber->tsan);
#endif
	stack_free(fiber->stack);
	free(fiber);
}

static void make_ready(struct nt_fiber *fiber)
{
	fiber->state = FIBER_READY;
	InsertTailList(&sim.ready, &fiber->link);
	sim.ready_count++;
}

static struct nt_fiber *take_ready(uint32_t at)
{
	PLIST_ENTRY e = sim.ready.Flink;

	while (at-- > 0)
		e = e->Flink;
	(void)RemoveEntryList(e);
	sim.ready_count--;
	return CONTAINING_RECORD(e, struct nt_fiber, link);
}

/* Those whose deadline has come go on; finds the next deadline. */
static void expire_waits(void)
{
	PLIST_ENTRY e = sim.waiting.Flink;

	sim.next_deadline = NT_FOREVER;
	while (e != &sim.waiting) {
		struct nt_fiber *fiber = CONTAINING_RECORD(e, struct nt_fiber, link);

		e = e->Flink;
		if (fiber->deadline <= sim.clock) {
			(void)RemoveEntryList(&fiber->link);
			make_ready(fiber);
		} else if (fiber->deadline < sim.next_deadline) {
			sim.next_deadline = fiber->deadline;
		}
	}
}

static void report_deadlock(void) __attribute__((noreturn));

static void report_deadlock(void)
{
	fprintf(stderr, "nt sim: deadlock, seed %llu, at %llu ns: every thread waits\n",
		(unsigned long long)sim.seed, (unsigned long long)(sim.clock - SIM_START_CLOCK) * 100);
	nt_thread_describe_waits(stderr);
	NT_BUG("deadlock");
}

static struct nt_fiber *pick_next(void)
{
	if (sim.clock >= sim.next_deadline)
		expire_waits();
	while (sim.ready_count == 0) {
		if (sim.main_over && IsListEmpty(&sim.waiting))
			return &sim.host;
		expire_waits();
		if (sim.ready_count != 0)
			break;
		if (sim.next_deadline == NT_FOREVER)
			report_deadlock();
		sim.clock = sim.next_deadline;
	}
	return take_ready((uint32_t)(sim_random() % sim.ready_count));
}

/* Runs first on the new stack, or first after a switch back. */
static void arrive(void)
{
#ifdef NT_SIM_ASAN
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(sim.current->fake_stack, &bottom, &size);
	if (sim.host.stack == NULL) {
		sim.host.stack = (char *)(uintptr_t)bottom;
		sim.host.stack_size = size;
	}
#endif
	nt_self = sim.current->self;
	if (sim.over != NULL) {
		fiber_free(sim.over);
		sim.over = NULL;
	}
}

static void switch_to(struct nt_fiber *next)
{
	struct nt_fiber *from = sim.current;

	sim.trace = (sim.trace ^ next->id ^ (sim.clock << 8)) * 0x100000001b3ull;
	if (next == from)
		return;
	from->self = nt_self;
	sim.current = next;
#ifdef NT_SIM_ASAN
	__sanitizer_start_switch_fiber(from->state == FIBER_OVER ? NULL : &from->fake_stack, next->stack,
				       next->stack_size);
#endif
#ifdef NT_SIM_TSAN
	__tsan_switch_to_fiber(next->tsan, 0);
#endif
	if (from->state == FIBER_OVER) {
		sim.over = from;
		setcontext(&next->context);
	} else {
		swapcontext(&from->context, &next->context);
	}
	arrive();
}

static void sim_main(void)
{
	struct nt_config config = {.executive = NT_EXEC_SIM, .seed = sim.seed, .max_workers = SIM_WORKERS};

	if (config.seed == 0)
		config.seed = 1; /* 0 would ask for a real one */
	if (!NT_SUCCESS(nt_start(&nt_sim_ops, &config)))
		NT_BUG("the runtime does not start");
	sim.fn(sim.fn_context);
	sim.leaked = nt_stop(stderr);
	nt_thread_leave();
	sim.main_over = true;
}

static void fiber_entry(void)
{
	arrive();
	if (sim.current->thread != NULL)
		nt_thread_main(sim.current->thread);
	else
		sim_main();
	sim.current->state = FIBER_OVER;
	switch_to(pick_next());
}

/* Apart, because getcontext() may return twice as far as the compiler knows. */
static void fiber_make_context(struct nt_fiber *fiber)
{
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = fiber->stack;
	fiber->context.uc_stack.ss_size = SIM_STACK;
	fiber->context.uc_link = NULL;
	makecontext(&fiber->context, fiber_entry, 0);
}

static struct nt_fiber *fiber_create(struct nt_thread *thread)
{
	struct nt_fiber *fiber = calloc(1, sizeof(*fiber));

	if (fiber == NULL)
		return NULL;
	fiber->stack = stack_alloc();
	if (fiber->stack == NULL) {
		free(fiber);
		return NULL;
	}
	fiber->stack_size = SIM_STACK;
	fiber->thread = thread;
	fiber->id = ++sim.last_id;
	fiber_make_context(fiber);
#ifdef NT_SIM_TSAN
	fiber->tsan = __tsan_create_fiber(0);
#endif
	make_ready(fiber);
	return fiber;
}

static NTSTATUS sim_start(struct nt_thread *thread)
{
	return fiber_create(thread) != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static void sim_join(struct nt_thread *thread)
{
	(void)thread; /* its fiber frees itself */
}

static uint64_t sim_now(void)
{
	return sim.clock;
}

static uint64_t sim_system_time(void)
{
	return SIM_EPOCH + (sim.clock - SIM_START_CLOCK);
}

static void sim_wait_word(volatile LONG *word, LONG expected, uint64_t deadline)
{
	struct nt_fiber *self = sim.current;

	if (*word != expected || deadline <= sim.clock)
		return;
	self->state = FIBER_WAITING;
	self->word = word;
	self->deadline = deadline;
	InsertTailList(&sim.waiting, &self->link);
	if (deadline < sim.next_deadline)
		sim.next_deadline = deadline;
	switch_to(pick_next());
}

/* Which of several waiters wakes is not promised, so the seed decides. */
static void sim_wake_word(volatile LONG *word, int count)
{
	while (count-- > 0) {
		struct nt_fiber *chosen = NULL;
		uint32_t seen = 0;

		for (PLIST_ENTRY e = sim.waiting.Flink; e != &sim.waiting; e = e->Flink) {
			struct nt_fiber *fiber = CONTAINING_RECORD(e, struct nt_fiber, link);

			if (fiber->word == word && sim_random() % ++seen == 0)
				chosen = fiber;
		}
		if (chosen == NULL)
			return;
		(void)RemoveEntryList(&chosen->link);
		make_ready(chosen);
	}
}

void nt_sim_switch_point(void)
{
	sim.clock++;
	if (++sim.points > SIM_POINT_LIMIT)
		NT_BUG("the run does not end: livelock?");
	if ((sim_random() & sim.switch_mask) != 0)
		return;
	make_ready(sim.current);
	switch_to(pick_next());
}

unsigned long nt_sim_run(uint64_t seed, void (*fn)(void *context), void *context)
{
	if (nt_sim_active || nt_running() || nt_self != NULL)
		NT_BUG("nt_sim_run while a runtime is running");
	memset(&sim, 0, sizeof(sim));
	sim.seed = seed;
	sim.random = seed * 0xd1342543de82ef95ull + 1;
	sim.trace = 0xcbf29ce484222325ull;
	sim.clock = SIM_START_CLOCK;
	sim.next_deadline = NT_FOREVER;
	/* Some races need many switches, others one at the right place: seeds differ in that too. */
	sim.switch_mask = (2u << (sim_random() % 5)) - 1;
	InitializeListHead(&sim.ready);
	InitializeListHead(&sim.waiting);
	sim.fn = fn;
	sim.fn_context = context;
	sim.current = &sim.host;
#ifdef NT_SIM_TSAN
	sim.host.tsan = __tsan_get_current_fiber();
#endif
	nt_ops = &nt_sim_ops;
	nt_sim_active = true;
	if (fiber_create(NULL) == NULL)
		NT_BUG("no memory for the first fiber");
	sim.host.state = FIBER_WAITING; /* in no list: pick_next() returns it at the end */
	switch_to(pick_next());
	nt_sim_active = false;
	nt_ops = &nt_posix_ops;
	nt_thread_free_all();
	nt_process_free_all();
	return sim.leaked;
}

const struct nt_exec_ops nt_sim_ops = {
	.name = "sim",
	.wait_word = sim_wait_word,
	.wake_word = sim_wake_word,
	.now = sim_now,
	.system_time = sim_system_time,
	.start = sim_start,
	.join = sim_join,
};
