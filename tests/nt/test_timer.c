/* The clock, timers and deferred calls, on the real clock and on the virtual one. */
#include "nt_test.h"

struct dpc_seen {
	KEVENT event;
	KIRQL irql;
	volatile LONG count;
	PVOID argument1, argument2;
	ULONGLONG at;
};

static VOID note_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
	struct dpc_seen *seen = context;

	(void)dpc;
	seen->irql = KeGetCurrentIrql();
	seen->argument1 = argument1;
	seen->argument2 = argument2;
	seen->at = KeQueryInterruptTime();
	InterlockedIncrement(&seen->count);
	KeSetEvent(&seen->event, 0, FALSE);
}

static void test_clocks(void **state)
{
	/* Interrupt time never goes back; system time counts from 1601; ticks and increment agree with it. */
	ULONGLONG first = KeQueryInterruptTime(), second = KeQueryInterruptTime();
	LARGE_INTEGER now, ticks, frequency;

	(void)state;
	assert_true(second >= first);
	KeQuerySystemTime(&now);
	assert_true(now.QuadPart > 132223104000000000); /* 2020 */
	KeQueryTickCount(&ticks);
	assert_true((ULONGLONG)ticks.QuadPart * KeQueryTimeIncrement() >= first - KeQueryTimeIncrement());
	KeQueryPerformanceCounter(&frequency);
	assert_int_equal(frequency.QuadPart, 10000000);
}

static void test_timer_fires_its_dpc(void **state)
{
	/* The deferred routine runs once, at DISPATCH_LEVEL, not before the due time; the timer is then signalled. */
	struct dpc_seen seen = {.count = 0};
	ULONGLONG before = KeQueryInterruptTime();
	KTIMER timer;
	KDPC dpc;

	(void)state;
	KeInitializeEvent(&seen.event, NotificationEvent, FALSE);
	KeInitializeTimer(&timer);
	KeInitializeDpc(&dpc, note_dpc, &seen);
	assert_false(KeSetTimer(&timer, nt_test_ms(10), &dpc));
	assert_true(KeSetTimer(&timer, nt_test_ms(20), &dpc));
	assert_false(KeReadStateTimer(&timer));
	nt_test_wait(&seen.event);
	nt_test_wait(&timer);
	assert_true(KeReadStateTimer(&timer));
	assert_int_equal(seen.irql, DISPATCH_LEVEL);
	assert_true(seen.at - before >= 20 * 10000);
	assert_false(KeCancelTimer(&timer));
	KeFlushQueuedDpcs();
	assert_int_equal(seen.count, 1);
}

static void test_cancelled_timer_is_silent(void **state)
{
	/* A timer that was cancelled in time neither fires nor is signalled. */
	struct dpc_seen seen = {.count = 0};
	KTIMER timer;
	KDPC dpc;

	(void)state;
	KeInitializeEvent(&seen.event, NotificationEvent, FALSE);
	KeInitializeTimer(&timer);
	KeInitializeDpc(&dpc, note_dpc, &seen);
	KeSetTimer(&timer, nt_test_ms(3600 * 1000), &dpc);
	assert_true(KeCancelTimer(&timer));
	assert_false(KeCancelTimer(&timer));
	KeFlushQueuedDpcs();
	assert_int_equal(seen.count, 0);
	assert_false(KeReadStateTimer(&timer));
}

static void test_dpc_by_hand(void **state)
{
	/* KeInsertQueueDpc passes its arguments; KeFlushQueuedDpcs waits until the call is over. */
	struct dpc_seen seen = {.count = 0};
	KDPC dpc;

	(void)state;
	KeInitializeEvent(&seen.event, NotificationEvent, FALSE);
	KeInitializeDpc(&dpc, note_dpc, &seen);
	assert_true(KeInsertQueueDpc(&dpc, &seen, &dpc));
	KeFlushQueuedDpcs();
	assert_int_equal(seen.count, 1);
	assert_ptr_equal(seen.argument1, &seen);
	assert_ptr_equal(seen.argument2, &dpc);
	assert_false(KeRemoveQueueDpc(&dpc));
}

struct sim_timers {
	struct dpc_seen seen[3];
	ULONGLONG due[3];
	LONG periodic;
};

static void sim_timers_run(void *context)
{
	static const int ms[3] = {300, 100, 200};
	struct sim_timers *run = context;
	KTIMER timers[3], periodic, synchronization;
	struct dpc_seen ticks = {.count = 0};
	KDPC dpcs[3], tick;
	LARGE_INTEGER zero = {.QuadPart = 0};

	for (int i = 0; i < 3; i++) {
		KeInitializeEvent(&run->seen[i].event, NotificationEvent, FALSE);
		KeInitializeTimer(&timers[i]);
		KeInitializeDpc(&dpcs[i], note_dpc, &run->seen[i]);
		run->due[i] = KeQueryInterruptTime() + (ULONGLONG)ms[i] * 10000;
		KeSetTimer(&timers[i], nt_test_ms(ms[i]), &dpcs[i]);
	}
	for (int i = 0; i < 3; i++)
		nt_test_wait(&run->seen[i].event);

	KeInitializeEvent(&ticks.event, SynchronizationEvent, FALSE);
	KeInitializeTimerEx(&periodic, SynchronizationTimer);
	KeInitializeDpc(&tick, note_dpc, &ticks);
	KeSetTimerEx(&periodic, nt_test_ms(50), 50, &tick);
	while (ticks.count < 10)
		nt_test_wait(&ticks.event);
	KeCancelTimer(&periodic);
	KeFlushQueuedDpcs();
	run->periodic = ticks.count;

	KeInitializeTimerEx(&synchronization, SynchronizationTimer);
	KeSetTimer(&synchronization, nt_test_ms(1), NULL);
	nt_test_wait(&synchronization);
	RX_CHECK(KeWaitForSingleObject(&synchronization, Executive, KernelMode, FALSE, &zero) ==
		 STATUS_TIMEOUT);
}

static void test_timers_on_the_virtual_clock(void **state)
{
	/* Under sim timers fire in the order of their due times and on time, periodic ones go on until cancelled. */
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct sim_timers run = {.periodic = 0};

		assert_int_equal(nt_sim_run(seed, sim_timers_run, &run), 0);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(run.seen[i].count, 1);
			assert_in_range(run.seen[i].at, run.due[i], run.due[i] + 1000);
		}
		assert_in_range(run.periodic, 10, 12);
	}
}

static void cancel_race_run(void *context)
{
	int *outcome = context;
	struct dpc_seen *seen = ExAllocatePoolWithTag(NonPagedPool, sizeof(*seen), 'mTsT');
	LARGE_INTEGER pause = {.QuadPart = -1 - (LONGLONG)(nt_random() % 60)};
	LARGE_INTEGER due = {.QuadPart = -30};
	bool cancelled;
	KTIMER timer;
	KDPC dpc;

	seen->count = 0;
	KeInitializeEvent(&seen->event, NotificationEvent, FALSE);
	KeInitializeTimer(&timer);
	KeInitializeDpc(&dpc, note_dpc, seen);
	KeSetTimer(&timer, due, &dpc);
	KeDelayExecutionThread(KernelMode, FALSE, &pause);
	cancelled = KeCancelTimer(&timer);
	if (!cancelled)
		KeFlushQueuedDpcs();
	RX_CHECK(seen->count == (cancelled ? 0 : 1));
	ExFreePoolWithTag(seen, 'mTsT');
	outcome[cancelled]++;
}

static void test_cancel_against_fire(void **state)
{
	/* Cancelled: the call never comes. Not cancelled: after a flush it is over, and its memory may be freed. */
	int outcome[2] = {0, 0};

	(void)state;
	for (uint64_t seed = 1; seed <= 1000; seed++)
		assert_int_equal(nt_sim_run(seed, cancel_race_run, outcome), 0);
	assert_true(outcome[0] > 0 && outcome[1] > 0);
	assert_int_equal(outcome[0] + outcome[1], 1000);
}

static void test_forgotten_timer_is_reported(void **state)
{
	/* A timer that is still set at nt_shutdown makes it return a leak. */
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1};
	KTIMER timer;

	(void)state;
	assert_int_equal(nt_initialize(&config), STATUS_SUCCESS);
	KeInitializeTimer(&timer);
	KeSetTimer(&timer, nt_test_ms(3600 * 1000), NULL);
	assert_int_not_equal(nt_shutdown(NULL), 0);
	assert_false(timer.Inserted);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, nt_test_setup, nt_test_teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_clocks),
		WITH(test_timer_fires_its_dpc),
		WITH(test_cancelled_timer_is_silent),
		WITH(test_dpc_by_hand),
		cmocka_unit_test(test_timers_on_the_virtual_clock),
		cmocka_unit_test(test_cancel_against_fire),
		cmocka_unit_test(test_forgotten_timer_is_reported),
	};

	return cmocka_run_group_tests_name("nt timer", tests, NULL, NULL);
}
