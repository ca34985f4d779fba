/*
 * Workers and timers. Under the deterministic executive, where time jumps: no test waits for real.
 */
#include "../support/rec.h"

struct counter {
	volatile LONG runs;
	ULONGLONG last;
	KEVENT ran;
	KEVENT go_on;
	PETHREAD thread;
	PEPROCESS process;
};

static void counter_init(struct counter *c)
{
	RtlZeroMemory(c, sizeof(*c));
	KeInitializeEvent(&c->ran, SynchronizationEvent, FALSE);
	KeInitializeEvent(&c->go_on, NotificationEvent, FALSE);
}

static void wait_for(PKEVENT event)
{
	LARGE_INTEGER limit = {.QuadPart = -200000000};

	assert_int_equal(KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static VOID NTAPI count(PVOID context)
{
	struct counter *c = context;

	c->last = KeQueryInterruptTime();
	c->thread = PsGetCurrentThread();
	c->process = PsGetCurrentProcess();
	InterlockedIncrement(&c->runs);
	KeSetEvent(&c->ran, IO_NO_INCREMENT, FALSE);
}

/* B-RxDispatchToWorkerThread-02, B-RxPostToWorkerThread-02: once, on another thread, for the RDBSS process. */
static void B_RxDispatchToWorkerThread_02_once(void *context)
{
	struct counter c;
	RX_WORK_QUEUE_ITEM item;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	assert_int_equal(RxDispatchToWorkerThread(rec.device, DelayedWorkQueue, count, &c), STATUS_SUCCESS);
	wait_for(&c.ran);
	assert_int_equal(c.runs, 1);
	assert_ptr_not_equal(c.thread, PsGetCurrentThread());
	assert_ptr_equal(c.process, RxGetRDBSSProcess());
	assert_int_equal(RxPostToWorkerThread(rec.device, CriticalWorkQueue, &item, count, &c),
			 STATUS_SUCCESS);
	wait_for(&c.ran);
	assert_int_equal(c.runs, 2);
	rec_unload();
}

static VOID NTAPI count_slowly(PVOID context)
{
	struct counter *c = context;

	KeSetEvent(&c->ran, IO_NO_INCREMENT, FALSE);
	wait_for(&c->go_on);
	InterlockedIncrement(&c->runs);
}

static void let_go(void *context)
{
	struct counter *c = context;
	LARGE_INTEGER second = {.QuadPart = -10000000};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &second);
	KeSetEvent(&c->go_on, IO_NO_INCREMENT, FALSE);
}

/* B-RxSpinDownMRxDispatcher-01: waits until the routine has returned, not only begun. */
static void B_RxSpinDownMRxDispatcher_01_waits(void *context)
{
	struct nt_thread *thread;
	struct counter c;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	assert_int_equal(RxDispatchToWorkerThread(rec.device, DelayedWorkQueue, count_slowly, &c),
			 STATUS_SUCCESS);
	wait_for(&c.ran);
	assert_int_equal(nt_thread_create("let go", let_go, &c, &thread), STATUS_SUCCESS);
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
	assert_int_equal(c.runs, 1);
	assert_int_equal(rec.device->DispatcherContext.NumberOfWorkerThreads, 0);
	nt_thread_join(thread);
	rec_unload();
}

static VOID NTAPI spin_down_inside(PVOID context)
{
	(void)RxSpinDownMRxDispatcher(rec.device);
	count(context);
}

/* A routine that spins its own device down (a stop that was posted) does not wait for itself. */
static void spin_down_from_inside(void *context)
{
	struct counter c;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	assert_int_equal(RxDispatchToWorkerThread(rec.device, DelayedWorkQueue, spin_down_inside, &c),
			 STATUS_SUCCESS);
	wait_for(&c.ran);
	assert_int_equal(c.runs, 1);
	rec_unload();
}

/* B-RxPostOneShotTimerRequest-01: once, not before its time. */
static void B_RxPostOneShotTimerRequest_01_once(void *context)
{
	LARGE_INTEGER interval = {.QuadPart = 10 * 10000000LL};
	ULONGLONG before;
	RX_WORK_ITEM item;
	struct counter c;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	before = KeQueryInterruptTime();
	assert_int_equal(RxPostOneShotTimerRequest(rec.device, &item, count, &c, interval), STATUS_SUCCESS);
	wait_for(&c.ran);
	assert_true(c.last - before >= 10 * 10000000ULL);
	assert_int_equal(RxCancelTimerRequest(rec.device, count, &c), STATUS_NOT_FOUND);
	assert_int_equal(c.runs, 1);
	rec_unload();
}

/* B-RxPostRecurrentTimerRequest-01, B-RxCancelTimerRequest-01, -02. */
static void B_RxPostRecurrentTimerRequest_01_again_and_again(void *context)
{
	LARGE_INTEGER interval = {.QuadPart = 10000000}, later = {.QuadPart = -100000000};
	struct counter c, other;
	LONG runs;
	unsigned int i;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	counter_init(&other);
	assert_int_equal(RxPostRecurrentTimerRequest(rec.device, count, &c, interval), STATUS_SUCCESS);
	for (i = 0; i < 5; i++)
		wait_for(&c.ran);
	assert_int_equal(RxCancelTimerRequest(rec.device, count, &other), STATUS_NOT_FOUND);
	assert_int_equal(RxCancelTimerRequest(rec.device, count, &c), STATUS_SUCCESS);
	(void)RxSpinDownMRxDispatcher(rec.device);
	runs = c.runs;
	(void)KeDelayExecutionThread(KernelMode, FALSE, &later);
	assert_int_equal(c.runs, runs);
	assert_int_equal(RxCancelTimerRequest(rec.device, count, &c), STATUS_NOT_FOUND);
	rec_unload();
}

/* Unloading with timers armed: they never fire, nothing is lost. */
static void unload_with_timers(void *context)
{
	LARGE_INTEGER interval = {.QuadPart = 10000000};
	RX_WORK_ITEM item;
	struct counter c;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	assert_int_equal(RxPostRecurrentTimerRequest(rec.device, count, &c, interval), STATUS_SUCCESS);
	assert_int_equal(RxPostOneShotTimerRequest(rec.device, &item, count, &c, interval), STATUS_SUCCESS);
	rec_unload();
	interval.QuadPart = -100000000;
	{
		LONG runs = c.runs;

		(void)KeDelayExecutionThread(KernelMode, FALSE, &interval);
		assert_int_equal(c.runs, runs);
	}
}

/* B-Scavenger-01, E-50: a delayed close ends after the default ten seconds, all of them virtual. */
static void delayed_close_takes_ten_seconds(void *context)
{
	LARGE_INTEGER nine = {.QuadPart = -90000000}, two = {.QuadPart = -20000000};

	(void)context;
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(rec.device->pRdbssScavenger->State, RDBSS_SCAVENGER_INACTIVE);
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec.device->pRdbssScavenger->State, RDBSS_SCAVENGER_DORMANT);
	(void)KeDelayExecutionThread(KernelMode, FALSE, &nine);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	(void)KeDelayExecutionThread(KernelMode, FALSE, &two);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

/* Many requests that must be posted at once: all of them run, none is lost in the overflow queue. */
static void overflow(void *context)
{
	struct req *reads[200];
	PFILE_OBJECT file;
	unsigned int i;

	(void)context;
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	file = file_open(REC_SHARE u"\\a");
	ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, TRUE);
	ExSetResourceOwnerPointer(fcb_of(file)->Header.Resource, (PVOID)((ULONG_PTR)file | 3));
	for (i = 0; i < 200; i++) {
		reads[i] = file_read_make(file, i, 10, true);
		assert_int_equal(req_send(reads[i]), STATUS_PENDING);
	}
	/* B-RxFsdPostRequest-05 */
	assert_true(rec.device->OverflowQueueCount[CriticalWorkQueue] > 0);
	ExReleaseResourceForThreadLite(fcb_of(file)->Header.Resource,
				       (ERESOURCE_THREAD)((ULONG_PTR)file | 3));
	for (i = 0; i < 200; i++)
		assert_int_equal(req_end(reads[i], NULL), STATUS_SUCCESS);
	assert_int_equal(rec.device->OverflowQueueCount[CriticalWorkQueue], 0);
	file_close(file);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

/* No memory for the item: the answer says so, the routine never runs, and nobody waits for it. */
static void B_RxDispatchToWorkerThread_01_no_memory(void *context)
{
	struct counter c;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	nt_fault_arm(0);
	assert_int_equal(RxDispatchToWorkerThread(rec.device, DelayedWorkQueue, count, &c),
			 STATUS_INSUFFICIENT_RESOURCES);
	assert_true(nt_fault_disarm());
	assert_int_equal(rec.device->DispatcherContext.NumberOfWorkerThreads, 0);
	(void)RxSpinDownMRxDispatcher(rec.device);
	assert_int_equal(c.runs, 0);
	rec_unload();
}

/* The item is the caller's memory: with none left it still runs. */
static void B_RxPostToWorkerThread_01_needs_no_memory(void *context)
{
	RX_WORK_QUEUE_ITEM item;
	struct counter c;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	nt_fault_arm(0);
	assert_int_equal(RxPostToWorkerThread(rec.device, DelayedWorkQueue, &item, count, &c),
			 STATUS_SUCCESS);
	assert_false(nt_fault_disarm());
	wait_for(&c.ran);
	assert_int_equal(c.runs, 1);
	rec_unload();
}

/* No memory for a recurrent request: the answer says so, and nothing is armed. */
static void B_RxPostRecurrentTimerRequest_02_no_memory(void *context)
{
	LARGE_INTEGER interval = {.QuadPart = 10000000};
	struct counter c;

	(void)context;
	rec_reset();
	rec_load();
	counter_init(&c);
	nt_fault_arm(0);
	assert_int_equal(RxPostRecurrentTimerRequest(rec.device, count, &c, interval),
			 STATUS_INSUFFICIENT_RESOURCES);
	assert_true(nt_fault_disarm());
	assert_int_equal(RxCancelTimerRequest(rec.device, count, &c), STATUS_NOT_FOUND);
	rec_unload();
}

/* Runs a scenario with a few seeds; nothing may be left. */
static void run(void (*scenario)(void *context))
{
	uint64_t seed;

	for (seed = 1; seed <= 20; seed++)
		assert_int_equal(nt_sim_run(seed, scenario, NULL), 0);
}

#define SIM_TEST(name) \
	static void test_##name(void **state) \
	{ \
		(void)state; \
		run(name); \
	}

SIM_TEST(B_RxDispatchToWorkerThread_02_once)
SIM_TEST(B_RxSpinDownMRxDispatcher_01_waits)
SIM_TEST(spin_down_from_inside)
SIM_TEST(B_RxPostOneShotTimerRequest_01_once)
SIM_TEST(B_RxPostRecurrentTimerRequest_01_again_and_again)
SIM_TEST(unload_with_timers)
SIM_TEST(delayed_close_takes_ten_seconds)
SIM_TEST(overflow)
SIM_TEST(B_RxDispatchToWorkerThread_01_no_memory)
SIM_TEST(B_RxPostToWorkerThread_01_needs_no_memory)
SIM_TEST(B_RxPostRecurrentTimerRequest_02_no_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxDispatchToWorkerThread_02_once),
		cmocka_unit_test(test_B_RxSpinDownMRxDispatcher_01_waits),
		cmocka_unit_test(test_spin_down_from_inside),
		cmocka_unit_test(test_B_RxPostOneShotTimerRequest_01_once),
		cmocka_unit_test(test_B_RxPostRecurrentTimerRequest_01_again_and_again),
		cmocka_unit_test(test_unload_with_timers),
		cmocka_unit_test(test_delayed_close_takes_ten_seconds),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_B_RxDispatchToWorkerThread_01_no_memory),
		cmocka_unit_test(test_B_RxPostToWorkerThread_01_needs_no_memory),
		cmocka_unit_test(test_B_RxPostRecurrentTimerRequest_02_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
