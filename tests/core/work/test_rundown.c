/*
 * test_rundown.c - whose workers, how many, and until when; timers by name. Rows B-Work_queues, B-RxPostToWorkerThread,
 * B-RxSpinDownMRxDispatcher, B-RxPostOneShotTimerRequest, B-RxCancelTimerRequest.
 */
#include "../support/bare.h"
#include "../support/stops.h"

struct job {
	KEVENT began, go_on, ended;
	volatile LONG runs;
	PETHREAD thread;
	PVOID context;
	bool finished; /* the last thing the routine does */
};

static void job_init(struct job *job)
{
	RtlZeroMemory(job, sizeof(*job));
	KeInitializeEvent(&job->began, NotificationEvent, FALSE);
	KeInitializeEvent(&job->go_on, NotificationEvent, FALSE);
	KeInitializeEvent(&job->ended, NotificationEvent, FALSE);
}

static void wait_for(PKEVENT event)
{
	LARGE_INTEGER limit = {.QuadPart = -20LL * 10000000};

	assert_int_equal(KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static VOID NTAPI run_through(PVOID context)
{
	struct job *job = context;

	job->context = context;
	job->thread = PsGetCurrentThread();
	InterlockedIncrement(&job->runs);
	KeSetEvent(&job->ended, IO_NO_INCREMENT, FALSE);
}

static VOID NTAPI run_when_told(PVOID context)
{
	struct job *job = context;

	KeSetEvent(&job->began, IO_NO_INCREMENT, FALSE);
	(void)KeWaitForSingleObject(&job->go_on, Executive, KernelMode, FALSE, NULL);
	__atomic_store_n(&job->finished, true, __ATOMIC_RELEASE);
}

static bool is_finished(struct job *job)
{
	return __atomic_load_n(&job->finished, __ATOMIC_ACQUIRE);
}

/* Once, on another thread, with the context. */
static void test_B_RxPostToWorkerThread_02_once(void **state)
{
	RX_WORK_QUEUE_ITEM item;
	struct job job;

	(void)state;
	job_init(&job);
	assert_int_equal(RxPostToWorkerThread(rec.device, CriticalWorkQueue, &item, run_through, &job),
			 STATUS_SUCCESS);
	wait_for(&job.ended);
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
	assert_int_equal(job.runs, 1);
	assert_ptr_equal(job.context, &job);
	assert_ptr_not_equal(job.thread, PsGetCurrentThread());
}

/* ---- rundown ---- */

static struct job blocked;
static RX_WORK_QUEUE_ITEM blocked_item;
static volatile LONG rundown_over;

static void block_a_worker(void)
{
	job_init(&blocked);
	rundown_over = 0;
	(void)RxPostToWorkerThread(rec.device, DelayedWorkQueue, &blocked_item, run_when_told, &blocked);
	wait_for(&blocked.began);
}

static bool rundown_waits(void)
{
	return __atomic_load_n(&rec.device->DispatcherContext.pTearDownEvent, __ATOMIC_ACQUIRE) != NULL;
}

static void stop(void *context)
{
	(void)context;
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	InterlockedExchange(&rundown_over, 1);
}

static void unregister(void *context)
{
	(void)context;
	rec_unload();
	InterlockedExchange(&rundown_over, 1);
}

static void spin_down(void *context)
{
	(void)context;
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
	assert_true(is_finished(&blocked));
	InterlockedExchange(&rundown_over, 1);
}

/* It waits for the item, and goes on when the item's routine has returned. */
static void waits_for_the_item(void (*fn)(void *context))
{
	struct nt_thread *thread;

	block_a_worker();
	assert_int_equal(nt_thread_create("rundown", fn, NULL, &thread), STATUS_SUCCESS);
	WAIT_UNTIL(rundown_waits());
	assert_int_equal(InterlockedExchangeAdd(&rundown_over, 0), 0);
	KeSetEvent(&blocked.go_on, IO_NO_INCREMENT, FALSE);
	nt_thread_join(thread);
	assert_int_equal(rundown_over, 1);
	assert_true(is_finished(&blocked));
}

/* Stopping and unregistering both run the redirector's work down. */
static void test_B_RxSpinDownMRxDispatcher_02_at_stop_and_unregister(void **state)
{
	(void)state;
	waits_for_the_item(stop);
	waits_for_the_item(unregister);
	rec_load();
}

/* The rundown is over when the routine has returned, not when it was taken from the queue. */
static void test_B_Work_queues_03_really_ended(void **state)
{
	(void)state;
	waits_for_the_item(spin_down);
}

static PRDBSS_DEVICE_OBJECT second_device(void)
{
	PRDBSS_DEVICE_OBJECT device;
	UNICODE_STRING name = NT_STR(u"\\Device\\Second");

	assert_int_equal(RxRegisterMinirdr(&device, rec.driver, rec.device->Dispatch,
					   RX_REGISTERMINI_FLAG_DONT_PROVIDE_UNCS |
						   RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS,
					   &name, 0, FILE_DEVICE_NETWORK_FILE_SYSTEM, 0),
			 STATUS_SUCCESS);
	return device;
}

/* The work of one redirector does not keep another's rundown. */
static void test_B_Work_queues_01_counted_per_device(void **state)
{
	PRDBSS_DEVICE_OBJECT second = second_device();

	(void)state;
	block_a_worker();
	assert_int_equal(rec.device->DispatcherContext.NumberOfWorkerThreads, 1);
	assert_int_equal(second->DispatcherContext.NumberOfWorkerThreads, 0);
	assert_int_equal(RxSpinDownMRxDispatcher(second), STATUS_SUCCESS);
	RxUnregisterMinirdr(second);
	assert_false(is_finished(&blocked));
	KeSetEvent(&blocked.go_on, IO_NO_INCREMENT, FALSE);
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
}

/* ---- the workers of all ---- */

enum { MANY = 100 }; /* more than there are workers of a kind */

static KEVENT all_go_on;

static NTSTATUS NTAPI serve_when_told(PRX_CONTEXT rxc, PIRP irp)
{
	(void)rxc;
	(void)irp;
	(void)KeWaitForSingleObject(&all_go_on, Executive, KernelMode, FALSE, NULL);
	return STATUS_SUCCESS;
}

/* However many requests of one redirector are posted and hang, another one's work still finds a worker. */
static void test_B_Work_queues_02_not_every_worker(void **state)
{
	PRDBSS_DEVICE_OBJECT second = second_device();
	RX_WORK_QUEUE_ITEM item;
	struct bare *b[MANY];
	struct job job;
	int i;

	(void)state;
	KeInitializeEvent(&all_go_on, NotificationEvent, FALSE);
	for (i = 0; i < MANY; i++) {
		b[i] = bare_make(NULL, IRP_MJ_FLUSH_BUFFERS, 0);
		bare_context(b[i], 0)->ResumeRoutine = serve_when_told;
		assert_int_equal(RxFsdPostRequest(b[i]->rxc), STATUS_PENDING);
	}
	assert_true(rec.device->OverflowQueueCount[CriticalWorkQueue] > 0);
	job_init(&job);
	(void)RxPostToWorkerThread(second, CriticalWorkQueue, &item, run_through, &job);
	wait_for(&job.ended);
	KeSetEvent(&all_go_on, IO_NO_INCREMENT, FALSE);
	for (i = 0; i < MANY; i++)
		assert_int_equal(bare_end(b[i]), STATUS_SUCCESS);
	assert_int_equal(RxSpinDownMRxDispatcher(second), STATUS_SUCCESS);
	RxUnregisterMinirdr(second);
}

/* ---- timers ---- */

static LARGE_INTEGER soon(void)
{
	return (LARGE_INTEGER){.QuadPart = 20 * 10000};
}

/* Device, routine and context together name a timer; what differs in one of them is another, or none. */
static void test_B_RxCancelTimerRequest_01_02_by_name(void **state)
{
	LARGE_INTEGER pause = {.QuadPart = -200 * 10000};
	PRDBSS_DEVICE_OBJECT second = second_device();
	struct job job, other;
	LONG runs;

	(void)state;
	job_init(&job);
	job_init(&other);
	assert_int_equal(RxPostRecurrentTimerRequest(rec.device, run_through, &job, soon()), STATUS_SUCCESS);
	assert_int_equal(RxCancelTimerRequest(second, run_through, &job), STATUS_NOT_FOUND);
	assert_int_equal(RxCancelTimerRequest(rec.device, run_when_told, &job), STATUS_NOT_FOUND);
	assert_int_equal(RxCancelTimerRequest(rec.device, run_through, &other), STATUS_NOT_FOUND);
	WAIT_UNTIL(InterlockedExchangeAdd(&job.runs, 0) >= 2);
	assert_int_equal(RxCancelTimerRequest(rec.device, run_through, &job), STATUS_SUCCESS);
	assert_int_equal(RxSpinDownMRxDispatcher(rec.device), STATUS_SUCCESS);
	runs = job.runs;
	(void)KeDelayExecutionThread(KernelMode, FALSE, &pause); /* ten intervals without a run */
	assert_int_equal(job.runs, runs);
	assert_int_equal(RxCancelTimerRequest(rec.device, run_through, &job), STATUS_NOT_FOUND);
	RxUnregisterMinirdr(second);
}

static void post_without_an_item(void)
{
	struct job job;

	job_init(&job);
	(void)RxPostOneShotTimerRequest(rec.device, NULL, run_through, &job, soon());
}

static void test_B_RxPostOneShotTimerRequest_02_needs_an_item(void **state)
{
	(void)state;
#ifndef NDEBUG
	assert_true(stops_with(post_without_an_item, "pWorkItem"));
#else
	assert_true(runs_through(post_without_an_item)); /* refused */
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_RxPostToWorkerThread_02_once),
		REC_TEST(test_B_RxSpinDownMRxDispatcher_02_at_stop_and_unregister),
		REC_TEST(test_B_Work_queues_03_really_ended),
		REC_TEST(test_B_Work_queues_01_counted_per_device),
		REC_TEST(test_B_Work_queues_02_not_every_worker),
		REC_TEST(test_B_RxCancelTimerRequest_01_02_by_name),
		REC_TEST(test_B_RxPostOneShotTimerRequest_02_needs_an_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
