/* test_queue_state.c - the work items of one redirector: states and numbers. Rows B-Work_queues. */
#include "../support/rec.h"

static KEVENT ran, go_on;

static VOID NTAPI wait_to_go_on(PVOID context)
{
	(void)context;
	KeSetEvent(&ran, IO_NO_INCREMENT, FALSE);
	(void)KeWaitForSingleObject(&go_on, Executive, KernelMode, FALSE, NULL);
}

static VOID NTAPI just_run(PVOID context)
{
	KeSetEvent(context, IO_NO_INCREMENT, FALSE);
}

static RX_DISPATCHER_CONTEXT *numbers(void)
{
	return &rec.device->DispatcherContext;
}

static void wait_for(PKEVENT event)
{
	LARGE_INTEGER limit = {.QuadPart = -20LL * 10000000};

	assert_int_equal(KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static struct nt_thread *rundown;

static void run_down(void *context)
{
	(void)context;
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
}

static bool is_running_down(void)
{
	return __atomic_load_n(&numbers()->pTearDownEvent, __ATOMIC_ACQUIRE) != NULL;
}

/* Active while there is work, rundown in progress from the request for it until the last item, then inactive. */
static void test_B_Work_queues_04_states(void **state)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};
	RX_WORK_QUEUE_ITEM item;
	int i;

	(void)state;
	KeInitializeEvent(&ran, SynchronizationEvent, FALSE);
	KeInitializeEvent(&go_on, NotificationEvent, FALSE);
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
	assert_int_equal(numbers()->State, RxWorkQueueInactive);
	(void)RxPostToWorkerThread(rec.device, DelayedWorkQueue, &item, wait_to_go_on, NULL);
	wait_for(&ran);
	assert_int_equal(numbers()->State, RxWorkQueueActive);
	assert_int_equal(nt_thread_create("rundown", run_down, NULL, &rundown), STATUS_SUCCESS);
	for (i = 0; i < 20000 && !is_running_down(); i++)
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	assert_true(is_running_down());
	assert_int_equal(numbers()->State, RxWorkQueueRundownInProgress);
	KeSetEvent(&go_on, IO_NO_INCREMENT, FALSE);
	nt_thread_join(rundown);
	assert_int_equal(numbers()->State, RxWorkQueueInactive);
}

/* Every worker is taken: two items wait, behind none and behind one. Then all are counted as processed. */
static void test_B_Work_queues_05_statistics(void **state)
{
	enum { WORKERS = 1 };
	RX_WORK_QUEUE_ITEM blocker, first, second;
	ULONG dispatched = numbers()->NumberOfWorkItemsDispatched;
	ULONGLONG cumulative;
	KEVENT one, two;

	(void)state;
	KeInitializeEvent(&ran, SynchronizationEvent, FALSE);
	KeInitializeEvent(&go_on, NotificationEvent, FALSE);
	KeInitializeEvent(&one, NotificationEvent, FALSE);
	KeInitializeEvent(&two, NotificationEvent, FALSE);
	(void)RxPostToWorkerThread(rec.device, DelayedWorkQueue, &blocker, wait_to_go_on, NULL);
	wait_for(&ran);
	assert_int_equal(numbers()->NumberOfWorkItemsDispatched, dispatched + WORKERS);
	assert_int_equal(numbers()->NumberOfWorkItemsToBeDispatched, 0);
	cumulative = numbers()->CumulativeQueueLength;
	(void)RxPostToWorkerThread(rec.device, DelayedWorkQueue, &first, just_run, &one);
	(void)RxPostToWorkerThread(rec.device, DelayedWorkQueue, &second, just_run, &two);
	assert_int_equal(numbers()->NumberOfWorkItemsToBeDispatched, 2);
	assert_int_equal(numbers()->CumulativeQueueLength, cumulative + 1);
	KeSetEvent(&go_on, IO_NO_INCREMENT, FALSE);
	wait_for(&one);
	wait_for(&two);
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
	assert_int_equal(numbers()->NumberOfWorkItemsToBeDispatched, 0);
	assert_int_equal(numbers()->NumberOfWorkItemsDispatched, dispatched + WORKERS + 2);
}

/* One worker for each queue, so that work can be made to wait. */
static int begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7, .max_workers = 1};

	(void)state;
	if (!NT_SUCCESS(nt_initialize(&config)))
		return -1;
	rec_reset();
	rec_load();
	return rec_control(FSCTL_RX_START) == STATUS_SUCCESS ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_B_Work_queues_04_states, begin, rec_teardown),
		cmocka_unit_test_setup_teardown(test_B_Work_queues_05_statistics, begin, rec_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
