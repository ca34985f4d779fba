/* The deterministic executive: the same seed gives the same run, races are found, deadlocks are named. */
#include "nt_test.h"

#define SIM_THREADS 4

static void sim_threads(void (*fn)(void *), void *context)
{
	struct nt_thread *threads[SIM_THREADS];

	for (int i = 0; i < SIM_THREADS; i++)
		RX_CHECK(NT_SUCCESS(nt_thread_create("sim", fn, context, &threads[i])));
	for (int i = 0; i < SIM_THREADS; i++)
		nt_thread_join(threads[i]);
}

/* What a run looked like from inside. */
struct record {
	volatile LONG next;
	uint64_t order;
	uint64_t trace;
	ULONGLONG end;
};

static void record_steps(void *context)
{
	struct record *record = context;
	LONG me = InterlockedIncrement(&record->next);
	LARGE_INTEGER pause = nt_test_ms(me);

	for (int i = 0; i < 10; i++) {
		nt_sim_point();
		record->order = record->order * 31 + (uint64_t)me;
		if (nt_random() % 4 == 0)
			KeDelayExecutionThread(KernelMode, FALSE, &pause);
	}
}

static void record_run(void *context)
{
	struct record *record = context;

	sim_threads(record_steps, record);
	record->trace = nt_sim_trace();
	record->end = KeQueryInterruptTime();
}

static void test_same_seed_same_run(void **state)
{
	/* Order, trace and clock depend on the seed alone; other seeds give other orders. */
	int different = 0;
	uint64_t last = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct record first = {.next = 0}, second = {.next = 0};

		assert_int_equal(nt_sim_run(seed, record_run, &first), 0);
		assert_int_equal(nt_sim_run(seed, record_run, &second), 0);
		assert_int_equal(first.order, second.order);
		assert_int_equal(first.trace, second.trace);
		assert_int_equal(first.end, second.end);
		different += first.order != last;
		last = first.order;
	}
	assert_true(different >= 48);
}

struct counter {
	LONG value; /* read and written with a scheduling point between */
	FAST_MUTEX mutex;
	KSPIN_LOCK spin;
	ERESOURCE resource;
};

static void count_unlocked(void *context)
{
	struct counter *counter = context;

	for (int i = 0; i < 5; i++) {
		LONG seen = counter->value;

		nt_sim_point();
		counter->value = seen + 1;
	}
}

static void lost_update_run(void *context)
{
	sim_threads(count_unlocked, context);
}

static void test_lost_update_is_found(void **state)
{
	/* A read-modify-write without a lock loses an update within a few seeds. */
	uint64_t found = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 100 && found == 0; seed++) {
		struct counter counter = {.value = 0};

		assert_int_equal(nt_sim_run(seed, lost_update_run, &counter), 0);
		if (counter.value != SIM_THREADS * 5)
			found = seed;
	}
	assert_in_range(found, 1, 100);
}

static void count_locked(void *context)
{
	struct counter *counter = context;

	for (int i = 0; i < 3; i++) {
		ExAcquireFastMutex(&counter->mutex);
		count_unlocked(counter);
		ExReleaseFastMutex(&counter->mutex);
	}
}

static void count_spinning(void *context)
{
	struct counter *counter = context;
	KIRQL irql;

	KeAcquireSpinLock(&counter->spin, &irql);
	count_unlocked(counter);
	KeReleaseSpinLock(&counter->spin, irql);
}

static void count_exclusive(void *context)
{
	struct counter *counter = context;
	LONG seen;

	ExAcquireResourceExclusiveLite(&counter->resource, TRUE);
	count_unlocked(counter);
	ExConvertExclusiveToSharedLite(&counter->resource);
	seen = counter->value;
	nt_sim_point();
	RX_CHECK(seen == counter->value);
	ExReleaseResourceLite(&counter->resource);
}

static void locked_run(void *context)
{
	struct counter *counter = context;

	ExInitializeFastMutex(&counter->mutex);
	KeInitializeSpinLock(&counter->spin);
	ExInitializeResourceLite(&counter->resource);
	sim_threads(count_locked, counter);
	sim_threads(count_spinning, counter);
	sim_threads(count_exclusive, counter);
	ExDeleteResourceLite(&counter->resource);
}

static void test_locks_hold_under_every_seed(void **state)
{
	/* With a mutex, a spin lock or a resource around it no seed loses an update. */
	(void)state;
	for (uint64_t seed = 1; seed <= 1000; seed++) {
		struct counter counter = {.value = 0};

		assert_int_equal(nt_sim_run(seed, locked_run, &counter), 0);
		assert_int_equal(counter.value, SIM_THREADS * 5 * (3 + 1 + 1));
	}
}

struct race {
	KEVENT event;
	WORK_QUEUE_ITEM item;
	KTIMER timer;
	NTSTATUS status;
	int ran;
};

static void race_item(PVOID parameter)
{
	struct race *race = parameter;

	race->ran++;
	KeSetEvent(&race->event, 0, FALSE);
}

static void timeout_race_run(void *context)
{
	struct race *race = context;
	LARGE_INTEGER one = {.QuadPart = -1 - (LONGLONG)(nt_random() % 30)};

	KeInitializeEvent(&race->event, SynchronizationEvent, FALSE);
	ExInitializeWorkItem(&race->item, race_item, race);
	ExQueueWorkItem(&race->item, DelayedWorkQueue);
	race->status = KeWaitForSingleObject(&race->event, Executive, KernelMode, FALSE, &one);
	if (race->status == STATUS_TIMEOUT) /* then the item is still to come, or has just come */
		nt_test_wait(&race->event);
	RX_CHECK(race->ran == 1 && KeReadStateEvent(&race->event) == 0);
}

static void test_timeout_against_signal(void **state)
{
	/* A wait that times out as it is signalled leaves the signal to the next wait: both outcomes occur. */
	int timeouts = 0, successes = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct race race = {.ran = 0};

		assert_int_equal(nt_sim_run(seed, timeout_race_run, &race), 0);
		timeouts += race.status == STATUS_TIMEOUT;
		successes += race.status == STATUS_SUCCESS;
	}
	assert_true(timeouts > 0 && successes > 0);
	assert_int_equal(timeouts + successes, 500);
}

static void hour_run(void *context)
{
	LARGE_INTEGER hour = nt_test_ms(3600 * 1000), before, after;

	KeQuerySystemTime(&before);
	KeDelayExecutionThread(KernelMode, FALSE, &hour);
	KeQuerySystemTime(&after);
	*(LONGLONG *)context = after.QuadPart - before.QuadPart;
}

static void test_clock_jumps(void **state)
{
	/* An hour's delay takes no real time and moves the clock by an hour. */
	LONGLONG passed = 0;

	(void)state;
	assert_int_equal(nt_sim_run(7, hour_run, &passed), 0);
	assert_in_range(passed, 36000000000, 36000000000 + 1000);
}

struct two_locks {
	FAST_MUTEX a, b;
};

static void take_b_then_a(void *context)
{
	struct two_locks *locks = context;

	ExAcquireFastMutex(&locks->b);
	ExAcquireFastMutex(&locks->a);
	ExReleaseFastMutex(&locks->a);
	ExReleaseFastMutex(&locks->b);
}

static void wrong_order_run(void *context)
{
	struct two_locks locks;
	struct nt_thread *thread;

	(void)context;
	ExInitializeFastMutex(&locks.a);
	ExInitializeFastMutex(&locks.b);
	RX_CHECK(NT_SUCCESS(nt_thread_create("other", take_b_then_a, &locks, &thread)));
	ExAcquireFastMutex(&locks.a);
	ExAcquireFastMutex(&locks.b);
	ExReleaseFastMutex(&locks.b);
	ExReleaseFastMutex(&locks.a);
	nt_thread_join(thread);
}

static void wrong_order_all_seeds(void)
{
	for (uint64_t seed = 1; seed <= 200; seed++)
		nt_sim_run(seed, wrong_order_run, NULL);
}

static void wait_for_nobody_run(void *context)
{
	KEVENT event;

	(void)context;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

static void wait_for_nobody(void)
{
	nt_sim_run(4711, wait_for_nobody_run, NULL);
}

static void test_deadlock_is_named(void **state)
{
	/* A deadlock ends the process with the seed and with what each thread waits for. */
	(void)state;
	assert_true(nt_test_dies(wait_for_nobody, "deadlock, seed 4711"));
	assert_true(nt_test_dies(wait_for_nobody, "main waits for dispatcher object"));
	assert_true(nt_test_dies(wrong_order_all_seeds, "other waits for mutex"));
}

static void faulty_run(void *context)
{
	int *failed = context;

	nt_fault_random(4);
	for (int i = 0; i < 100; i++) {
		PVOID p = ExAllocatePoolWithTag(PagedPool, 10, 'tEnT');

		if (p == NULL)
			*failed = (*failed * 3 + i) % 1000003;
		else
			ExFreePoolWithTag(p, 'tEnT');
	}
	nt_fault_random(0);
}

static void test_seeded_allocation_failure(void **state)
{
	/* nt_fault_random fails the same allocations for the same seed. */
	int first = 0, second = 0, other = 0;

	(void)state;
	nt_sim_run(3, faulty_run, &first);
	nt_sim_run(3, faulty_run, &second);
	nt_sim_run(4, faulty_run, &other);
	assert_int_not_equal(first, 0);
	assert_int_equal(first, second);
	assert_int_not_equal(first, other);
}

static void leak_run(void *context)
{
	*(PVOID *)context = ExAllocatePoolWithTag(PagedPool, 77, 'tEnT');
}

static void test_leak_is_counted(void **state)
{
	/* nt_sim_run returns the bytes that the run left allocated. */
	PVOID leaked = NULL;

	(void)state;
	assert_int_equal(nt_sim_run(1, leak_run, &leaked), 77);
	ExFreePoolWithTag(leaked, 'tEnT');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed_same_run),
		cmocka_unit_test(test_lost_update_is_found),
		cmocka_unit_test(test_locks_hold_under_every_seed),
		cmocka_unit_test(test_timeout_against_signal),
		cmocka_unit_test(test_clock_jumps),
		cmocka_unit_test(test_deadlock_is_named),
		cmocka_unit_test(test_seeded_allocation_failure),
		cmocka_unit_test(test_leak_is_counted),
	};

	return cmocka_run_group_tests_name("nt sim", tests, NULL, NULL);
}
