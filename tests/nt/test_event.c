/* Events, semaphores, mutants, and waits for one, any or all of them. */
#include "nt_test.h"

static void test_notification_event_stays_set(void **state)
{
	/* A notification event lets every waiter in until it is cleared. */
	LARGE_INTEGER zero = {.QuadPart = 0};
	KEVENT event;

	(void)state;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	assert_int_equal(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &zero), STATUS_TIMEOUT);
	assert_int_equal(KeSetEvent(&event, IO_NO_INCREMENT, FALSE), 0);
	assert_int_equal(KeSetEvent(&event, IO_NO_INCREMENT, FALSE), 1);
	nt_test_wait(&event);
	nt_test_wait(&event);
	assert_int_equal(KeReadStateEvent(&event), 1);
	assert_int_equal(KeResetEvent(&event), 1);
	assert_int_equal(KeReadStateEvent(&event), 0);
	KeSetEvent(&event, 0, FALSE);
	KeClearEvent(&event);
	assert_int_equal(KeReadStateEvent(&event), 0);
}

static void test_synchronization_event_lets_one_in(void **state)
{
	/* A synchronization event is consumed by the wait that it satisfies. */
	LARGE_INTEGER zero = {.QuadPart = 0};
	KEVENT event;

	(void)state;
	KeInitializeEvent(&event, SynchronizationEvent, TRUE);
	nt_test_wait(&event);
	assert_int_equal(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &zero), STATUS_TIMEOUT);
}

static void test_timeout_relative_and_absolute(void **state)
{
	/* A wait ends at its deadline and not before; an absolute time in the past does not wait. */
	LARGE_INTEGER relative = nt_test_ms(20), absolute, past = {.QuadPart = 1};
	ULONGLONG before = KeQueryInterruptTime();
	KEVENT event;

	(void)state;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	assert_int_equal(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &relative),
			 STATUS_TIMEOUT);
	assert_true(KeQueryInterruptTime() - before >= 20 * 10000);
	KeQuerySystemTime(&absolute);
	absolute.QuadPart += 20 * 10000;
	before = KeQueryInterruptTime();
	assert_int_equal(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &absolute),
			 STATUS_TIMEOUT);
	assert_true(KeQueryInterruptTime() - before >= 19 * 10000);
	assert_int_equal(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &past), STATUS_TIMEOUT);
}

static void set_event(void *context)
{
	KeSetEvent(context, IO_NO_INCREMENT, FALSE);
}

static void test_another_thread_sets(void **state)
{
	/* A wait without a timeout ends when another thread sets the event; the thread object can be waited for. */
	struct nt_thread *thread;
	KEVENT event;

	(void)state;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("setter", set_event, &event, &thread), STATUS_SUCCESS);
	assert_int_equal(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
	nt_test_wait(thread);
	nt_thread_join(thread);
}

static void test_wait_any_names_the_object(void **state)
{
	/* WaitAny returns the index of the first object that is set and consumes only that one. */
	LARGE_INTEGER zero = {.QuadPart = 0}, soon = nt_test_ms(5);
	KEVENT events[3];
	PVOID objects[3] = {&events[0], &events[1], &events[2]};

	(void)state;
	for (int i = 0; i < 3; i++)
		KeInitializeEvent(&events[i], SynchronizationEvent, i != 0);
	assert_int_equal(
		KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, &zero, NULL),
		STATUS_WAIT_0 + 1);
	assert_int_equal(KeReadStateEvent(&events[1]), 0);
	assert_int_equal(KeReadStateEvent(&events[2]), 1);
	KeClearEvent(&events[2]);
	assert_int_equal(
		KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, &soon, NULL),
		STATUS_TIMEOUT);
	for (int i = 0; i < 3; i++)
		assert_true(IsListEmpty(&events[i].Header.WaitListHead));
}

static void test_wait_all_takes_all_or_none(void **state)
{
	/* WaitAll consumes nothing until every object is set. */
	LARGE_INTEGER zero = {.QuadPart = 0};
	KEVENT a, b;
	PVOID objects[3] = {&a, &b, &a};

	(void)state;
	KeInitializeEvent(&a, SynchronizationEvent, TRUE);
	KeInitializeEvent(&b, SynchronizationEvent, FALSE);
	assert_int_equal(
		KeWaitForMultipleObjects(3, objects, WaitAll, Executive, KernelMode, FALSE, &zero, NULL),
		STATUS_TIMEOUT);
	assert_int_equal(KeReadStateEvent(&a), 1);
	KeSetEvent(&b, 0, FALSE);
	assert_int_equal(
		KeWaitForMultipleObjects(3, objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL),
		STATUS_SUCCESS);
	assert_int_equal(KeReadStateEvent(&a) + KeReadStateEvent(&b), 0);
}

struct all_pair {
	KEVENT a, b, ready;
	NTSTATUS status;
};

static void wait_for_both(void *context)
{
	struct all_pair *pair = context;
	PVOID objects[2] = {&pair->a, &pair->b};
	LARGE_INTEGER limit = nt_test_ms(NT_TEST_LIMIT_S * 1000);

	KeSetEvent(&pair->ready, 0, FALSE);
	pair->status =
		KeWaitForMultipleObjects(2, objects, WaitAll, Executive, KernelMode, FALSE, &limit, NULL);
}

static void test_wait_all_wakes_at_the_last(void **state)
{
	/* A waiting WaitAll ends when the last missing object is set. */
	struct nt_thread *thread;
	struct all_pair pair;

	(void)state;
	KeInitializeEvent(&pair.a, SynchronizationEvent, FALSE);
	KeInitializeEvent(&pair.b, SynchronizationEvent, FALSE);
	KeInitializeEvent(&pair.ready, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("both", wait_for_both, &pair, &thread), STATUS_SUCCESS);
	nt_test_wait(&pair.ready);
	KeSetEvent(&pair.b, 0, FALSE);
	KeSetEvent(&pair.a, 0, FALSE);
	nt_thread_join(thread);
	assert_int_equal(pair.status, STATUS_SUCCESS);
	assert_int_equal(KeReadStateEvent(&pair.a) + KeReadStateEvent(&pair.b), 0);
}

static void test_semaphore_counts(void **state)
{
	/* A semaphore lets in as many as were released and returns the count before. */
	LARGE_INTEGER zero = {.QuadPart = 0};
	KSEMAPHORE semaphore;

	(void)state;
	KeInitializeSemaphore(&semaphore, 1, 3);
	assert_int_equal(KeReleaseSemaphore(&semaphore, 0, 2, FALSE), 1);
	for (int i = 0; i < 3; i++)
		nt_test_wait(&semaphore);
	assert_int_equal(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, &zero),
			 STATUS_TIMEOUT);
	assert_int_equal(KeReadStateSemaphore(&semaphore), 0);
}

static void semaphore_past_limit(void)
{
	KSEMAPHORE semaphore;

	NT_TEST_START_IN_CHILD();
	KeInitializeSemaphore(&semaphore, 1, 2);
	KeReleaseSemaphore(&semaphore, 0, 2, FALSE);
}

static void test_mutex_is_recursive_and_owned(void **state)
{
	/* A mutex can be taken again by its owner and is free after as many releases. */
	KMUTEX mutex;

	(void)state;
	KeInitializeMutex(&mutex, 0);
	nt_test_wait(&mutex);
	nt_test_wait(&mutex);
	assert_int_equal(KeReadStateMutex(&mutex), -1);
	assert_int_equal(KeReleaseMutex(&mutex, FALSE), -1);
	assert_int_equal(KeReleaseMutex(&mutex, FALSE), 0);
	assert_int_equal(KeReadStateMutex(&mutex), 1);
}

struct alert {
	KEVENT started, never;
	NTSTATUS status;
};

static void wait_alertably(void *context)
{
	struct alert *alert = context;

	KeSetEvent(&alert->started, 0, FALSE);
	alert->status = KeWaitForSingleObject(&alert->never, Executive, KernelMode, TRUE, NULL);
}

static void test_alert_ends_an_alertable_wait(void **state)
{
	/* KeAlertThread ends an alertable wait with STATUS_ALERTED, whether it has begun or is about to. */
	struct nt_thread *thread;
	struct alert alert;

	(void)state;
	KeInitializeEvent(&alert.started, NotificationEvent, FALSE);
	KeInitializeEvent(&alert.never, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("alerted", wait_alertably, &alert, &thread), STATUS_SUCCESS);
	nt_test_wait(&alert.started);
	assert_false(KeAlertThread(thread, KernelMode));
	nt_thread_join(thread);
	assert_int_equal(alert.status, STATUS_ALERTED);
}

#define PING_ROUNDS 20000

struct ping {
	KEVENT to, from;
	LONG seen;
};

static void pong(void *context)
{
	struct ping *ping = context;

	for (int i = 0; i < PING_ROUNDS; i++) {
		KeWaitForSingleObject(&ping->to, Executive, KernelMode, FALSE, NULL);
		ping->seen++;
		KeSetEvent(&ping->from, 0, FALSE);
	}
}

static void test_ping_pong_loses_nothing(void **state)
{
	/* Two threads hand a token back and forth: no set event is lost, none is seen twice. */
	struct nt_thread *thread;
	struct ping ping = {.seen = 0};

	(void)state;
	KeInitializeEvent(&ping.to, SynchronizationEvent, FALSE);
	KeInitializeEvent(&ping.from, SynchronizationEvent, FALSE);
	assert_int_equal(nt_thread_create("pong", pong, &ping, &thread), STATUS_SUCCESS);
	for (int i = 0; i < PING_ROUNDS; i++) {
		KeSetEvent(&ping.to, 0, FALSE);
		nt_test_wait(&ping.from);
		assert_int_equal(ping.seen, i + 1);
	}
	nt_thread_join(thread);
}

#define RACE_ROUNDS 3000

static void set_pointer(void *context)
{
	PKEVENT *slot = context;

	for (int i = 0; i < RACE_ROUNDS;) {
		PKEVENT event = InterlockedExchangePointer(slot, NULL);

		if (event == NULL)
			continue;
		KeSetEvent(event, 0, FALSE);
		i++;
	}
}

static void test_event_on_the_stack_may_go_after_the_wait(void **state)
{
	/* When a wait has ended the event may be freed, though its setter has not returned yet. */
	struct nt_thread *thread;
	PKEVENT slot = NULL;

	(void)state;
	assert_int_equal(nt_thread_create("setter", set_pointer, &slot, &thread), STATUS_SUCCESS);
	for (int i = 0; i < RACE_ROUNDS; i++) {
		PKEVENT event = ExAllocatePoolWithTag(NonPagedPool, sizeof(*event), 'tEnT');

		KeInitializeEvent(event, NotificationEvent, FALSE);
		InterlockedExchangePointer(&slot, event);
		nt_test_wait(event);
		ExFreePoolWithTag(event, 'tEnT');
	}
	nt_thread_join(thread);
}

static void wait_at_dispatch(void)
{
	KEVENT event;
	KIRQL irql;

	NT_TEST_START_IN_CHILD();
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

static void wait_without_thread(void)
{
	KEVENT event;

	KeInitializeEvent(&event, NotificationEvent, TRUE);
	KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

static void test_broken_rules_end_the_process(void **state)
{
	/* A wait at DISPATCH_LEVEL, a semaphore past its limit and a thread we do not know are named. */
	(void)state;
	assert_true(nt_test_dies(wait_at_dispatch, "a wait at DISPATCH_LEVEL"));
	assert_true(nt_test_dies(semaphore_past_limit, "limit 2"));
	assert_true(nt_test_dies(wait_without_thread, "nt_adopt_thread"));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, nt_test_setup, nt_test_teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_notification_event_stays_set),
		WITH(test_synchronization_event_lets_one_in),
		WITH(test_timeout_relative_and_absolute),
		WITH(test_another_thread_sets),
		WITH(test_wait_any_names_the_object),
		WITH(test_wait_all_takes_all_or_none),
		WITH(test_wait_all_wakes_at_the_last),
		WITH(test_semaphore_counts),
		WITH(test_mutex_is_recursive_and_owned),
		WITH(test_alert_ends_an_alertable_wait),
		WITH(test_ping_pong_loses_nothing),
		WITH(test_event_on_the_stack_may_go_after_the_wait),
		cmocka_unit_test(test_broken_rules_end_the_process),
	};

	return cmocka_run_group_tests_name("nt event", tests, NULL, NULL);
}
