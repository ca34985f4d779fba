/* Levels, spin locks, fast mutexes, interlocked operations. */
#include "nt_test.h"

#define COUNT_THREADS 4
#define COUNT_ROUNDS 20000

static void run_threads(void (*fn)(void *), void *context)
{
	struct nt_thread *threads[COUNT_THREADS];

	for (int i = 0; i < COUNT_THREADS; i++)
		assert_int_equal(nt_thread_create("count", fn, context, &threads[i]), STATUS_SUCCESS);
	for (int i = 0; i < COUNT_THREADS; i++)
		nt_thread_join(threads[i]);
}

static void test_spin_lock_raises_and_restores(void **state)
{
	/* A spin lock raises to DISPATCH_LEVEL and its release restores what was. */
	KLOCK_QUEUE_HANDLE handle;
	KSPIN_LOCK lock;
	KIRQL outer, old;

	(void)state;
	KeInitializeSpinLock(&lock);
	KeRaiseIrql(APC_LEVEL, &outer);
	KeAcquireSpinLock(&lock, &old);
	assert_int_equal(old, APC_LEVEL);
	assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
	assert_false(KeTryToAcquireSpinLockAtDpcLevel(&lock));
	KeReleaseSpinLock(&lock, old);
	assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
	KeAcquireInStackQueuedSpinLock(&lock, &handle);
	assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
	KeReleaseInStackQueuedSpinLock(&handle);
	assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
	KeLowerIrql(outer);
	assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

struct counted {
	KSPIN_LOCK spin;
	FAST_MUTEX mutex;
	KGUARDED_MUTEX guarded;
	long value;
	volatile LONG interlocked;
};

static void count_all(void *context)
{
	struct counted *counted = context;
	KIRQL irql;

	for (int i = 0; i < COUNT_ROUNDS; i++) {
		KeAcquireSpinLock(&counted->spin, &irql);
		counted->value++;
		KeReleaseSpinLock(&counted->spin, irql);
		InterlockedIncrement(&counted->interlocked);
	}
}

static void count_mutex(void *context)
{
	struct counted *counted = context;

	for (int i = 0; i < COUNT_ROUNDS; i++) {
		if (i % 3 == 0 && ExTryToAcquireFastMutex(&counted->mutex)) {
			counted->value++;
			ExReleaseFastMutex(&counted->mutex);
		} else {
			ExAcquireFastMutex(&counted->mutex);
			counted->value++;
			ExReleaseFastMutex(&counted->mutex);
		}
	}
}

static void test_locks_exclude(void **state)
{
	/* Under a spin lock or a mutex no increment is lost, nor with InterlockedIncrement. */
	struct counted counted = {.value = 0};

	(void)state;
	KeInitializeSpinLock(&counted.spin);
	ExInitializeFastMutex(&counted.mutex);
	run_threads(count_all, &counted);
	assert_int_equal(counted.value, COUNT_THREADS * COUNT_ROUNDS);
	assert_int_equal(counted.interlocked, COUNT_THREADS * COUNT_ROUNDS);
	run_threads(count_mutex, &counted);
	assert_int_equal(counted.value, 2 * COUNT_THREADS * COUNT_ROUNDS);
}

static void test_fast_mutex_raises_guarded_disables(void **state)
{
	/* A fast mutex raises to APC_LEVEL, a guarded one only disables APCs; both know their holder. */
	struct counted counted;

	(void)state;
	ExInitializeFastMutex(&counted.mutex);
	ExAcquireFastMutex(&counted.mutex);
	assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
	assert_true(nt_fast_mutex_is_mine(&counted.mutex));
	assert_false(ExTryToAcquireFastMutex(&counted.mutex));
	ExReleaseFastMutex(&counted.mutex);
	assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
	assert_false(nt_fast_mutex_is_mine(&counted.mutex));

	KeInitializeGuardedMutex(&counted.guarded);
	KeAcquireGuardedMutex(&counted.guarded);
	assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
	assert_true(KeAreApcsDisabled());
	assert_false(KeTryToAcquireGuardedMutex(&counted.guarded));
	KeReleaseGuardedMutex(&counted.guarded);
	assert_false(KeAreApcsDisabled());

	KeEnterCriticalRegion();
	ExAcquireFastMutexUnsafe(&counted.mutex);
	assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
	ExReleaseFastMutexUnsafe(&counted.mutex);
	KeLeaveCriticalRegion();
}

static void test_interlocked_values(void **state)
{
	/* Increment and Add return the new value, ExchangeAdd, Exchange and CompareExchange the old. */
	LONG n = 5;
	LONG64 wide = INT64_C(1) << 40;
	PVOID p = &n;

	(void)state;
	assert_int_equal(InterlockedIncrement(&n), 6);
	assert_int_equal(InterlockedDecrement(&n), 5);
	assert_int_equal(InterlockedAdd(&n, 10), 15);
	assert_int_equal(InterlockedExchangeAdd(&n, 1), 15);
	assert_int_equal(InterlockedExchange(&n, 3), 16);
	assert_int_equal(InterlockedCompareExchange(&n, 9, 4), 3);
	assert_int_equal(n, 3);
	assert_int_equal(InterlockedCompareExchange(&n, 9, 3), 3);
	assert_int_equal(n, 9);
	assert_int_equal(InterlockedOr(&n, 2), 9);
	assert_int_equal(InterlockedAnd(&n, 3), 11);
	assert_int_equal(n, 3);
	assert_true(InterlockedAdd64(&wide, 1) == (INT64_C(1) << 40) + 1);
	assert_ptr_equal(InterlockedCompareExchangePointer(&p, NULL, &n), &n);
	assert_null(InterlockedExchangePointer(&p, &wide));
	assert_ptr_equal(p, &wide);
}

static void test_interlocked_lists(void **state)
{
	/* ExInterlocked list routines return the neighbour that was there, or NULL for an empty list. */
	LIST_ENTRY head, a, b;
	KSPIN_LOCK lock;

	(void)state;
	InitializeListHead(&head);
	KeInitializeSpinLock(&lock);
	assert_null(ExInterlockedRemoveHeadList(&head, &lock));
	assert_null(ExInterlockedInsertTailList(&head, &a, &lock));
	assert_ptr_equal(ExInterlockedInsertHeadList(&head, &b, &lock), &a);
	assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &b);
	assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &a);
	assert_true(IsListEmpty(&head));
}

static void spin_twice(void) RX_NO_TSA
{
	KSPIN_LOCK lock;
	KIRQL irql;

	NT_TEST_START_IN_CHILD();
	KeInitializeSpinLock(&lock);
	KeAcquireSpinLock(&lock, &irql);
	KeAcquireSpinLock(&lock, &irql);
}

static void block_under_spin_lock(void) RX_NO_TSA
{
	KSPIN_LOCK lock;
	FAST_MUTEX mutex;
	KIRQL irql;

	NT_TEST_START_IN_CHILD();
	KeInitializeSpinLock(&lock);
	ExInitializeFastMutex(&mutex);
	KeAcquireSpinLock(&lock, &irql);
	ExAcquireFastMutex(&mutex);
}

static void may_block_under_spin_lock(void) RX_NO_TSA
{
	KSPIN_LOCK lock;
	KIRQL irql;

	NT_TEST_START_IN_CHILD();
	KeInitializeSpinLock(&lock);
	rx_assert_may_block();
	KeAcquireSpinLock(&lock, &irql);
	rx_assert_may_block();
}

static void mutex_twice(void) RX_NO_TSA
{
	FAST_MUTEX mutex;

	NT_TEST_START_IN_CHILD();
	ExInitializeFastMutex(&mutex);
	ExAcquireFastMutex(&mutex);
	ExAcquireFastMutex(&mutex);
}

static void mutex_of_nobody(void) RX_NO_TSA
{
	FAST_MUTEX mutex;
	KIRQL irql;

	NT_TEST_START_IN_CHILD();
	ExInitializeFastMutex(&mutex);
	KeRaiseIrql(APC_LEVEL, &irql);
	ExReleaseFastMutex(&mutex);
}

static void lower_upwards(void)
{
	NT_TEST_START_IN_CHILD();
	KeLowerIrql(DISPATCH_LEVEL);
}

static void leave_too_often(void)
{
	NT_TEST_START_IN_CHILD();
	KeLeaveCriticalRegion();
}

static void test_broken_rules_end_the_process(void **state)
{
	/* Recursion, blocking under a spin lock, release by a stranger and a wrong level are named. */
	(void)state;
	assert_true(nt_test_dies(spin_twice, "taken twice by one thread"));
	assert_true(nt_test_dies(block_under_spin_lock, "a mutex is acquired at IRQL 2"));
	assert_true(nt_test_dies(may_block_under_spin_lock, "may block is reached at IRQL 2"));
	assert_true(nt_test_dies(mutex_twice, "taken twice by one thread"));
	assert_true(nt_test_dies(mutex_of_nobody, "does not hold it"));
	assert_true(nt_test_dies(lower_upwards, "KeLowerIrql from 0 up to 2"));
	assert_true(nt_test_dies(leave_too_often, "not entered"));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, nt_test_setup, nt_test_teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_spin_lock_raises_and_restores),
		WITH(test_locks_exclude),
		WITH(test_fast_mutex_raises_guarded_disables),
		WITH(test_interlocked_values),
		WITH(test_interlocked_lists),
		cmocka_unit_test(test_broken_rules_end_the_process),
	};

	return cmocka_run_group_tests_name("nt lock", tests, NULL, NULL);
}
