/*
 * Cancel against completion: whoever comes first, each request is completed exactly once. Under real threads, and
 * under the deterministic executive with a thousand seeds.
 */
#include <stdlib.h>

#include "nt_test.h"

#include "ntifs.h"

static KSPIN_LOCK queue_lock;
static LIST_ENTRY queue;
static DRIVER_OBJECT driver;
static DEVICE_OBJECT device;
static volatile LONG completed, cancelled;

static void finish(PIRP irp, NTSTATUS status)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = 0;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
}

static VOID cancel_queued(PDEVICE_OBJECT at, PIRP irp)
{
	KIRQL irql;

	(void)at;
	IoReleaseCancelSpinLock(irp->CancelIrql);
	KeAcquireSpinLock(&queue_lock, &irql);
	RemoveEntryList(
		&irp->Tail.Overlay.ListEntry); /* a list head of its own when it was taken out already */
	KeReleaseSpinLock(&queue_lock, irql);
	finish(irp, STATUS_CANCELLED);
}

/* Queues the request, by the book: the routine first, then a look at Cancel. */
static NTSTATUS dispatch(PDEVICE_OBJECT at, PIRP irp)
{
	KIRQL irql;

	(void)at;
	KeAcquireSpinLock(&queue_lock, &irql);
	IoMarkIrpPending(irp);
	InsertTailList(&queue, &irp->Tail.Overlay.ListEntry);
	IoSetCancelRoutine(irp, cancel_queued);
	if (irp->Cancel && IoSetCancelRoutine(irp, NULL) != NULL) {
		RemoveEntryList(&irp->Tail.Overlay.ListEntry);
		KeReleaseSpinLock(&queue_lock, irql);
		finish(irp, STATUS_CANCELLED);
		return STATUS_PENDING;
	}
	KeReleaseSpinLock(&queue_lock, irql);
	return STATUS_PENDING;
}

/* Completes the oldest request that no canceller has; false when there is none. */
static bool serve_one(void)
{
	PIRP irp = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&queue_lock, &irql);
	while (!IsListEmpty(&queue) && irp == NULL) {
		irp = CONTAINING_RECORD(RemoveHeadList(&queue), IRP, Tail.Overlay.ListEntry);
		if (IoSetCancelRoutine(irp, NULL) == NULL) {
			InitializeListHead(&irp->Tail.Overlay.ListEntry); /* the canceller's now */
			irp = NULL;
		}
	}
	KeReleaseSpinLock(&queue_lock, irql);
	if (irp == NULL)
		return false;
	finish(irp, STATUS_SUCCESS);
	return true;
}

struct request {
	PIRP irp;
	KEVENT done;
	volatile LONG completions;
	NTSTATUS status;
};

static NTSTATUS on_done(PDEVICE_OBJECT at, PIRP irp, PVOID context)
{
	struct request *request = context;

	(void)at;
	request->status = irp->IoStatus.Status;
	InterlockedIncrement(&request->completions);
	InterlockedIncrement(request->status == STATUS_CANCELLED ? &cancelled : &completed);
	KeSetEvent(&request->done, IO_NO_INCREMENT, FALSE);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static void issue(struct request *request)
{
	request->irp = IoAllocateIrp(1, FALSE);
	RX_CHECK(request->irp != NULL);
	request->completions = 0;
	KeInitializeEvent(&request->done, NotificationEvent, FALSE);
	IoGetNextIrpStackLocation(request->irp)->MajorFunction = IRP_MJ_READ;
	IoSetCompletionRoutine(request->irp, on_done, request, TRUE, TRUE, TRUE);
	RX_CHECK(IoCallDriver(&device, request->irp) == STATUS_PENDING);
}

static void prepare(void)
{
	KeInitializeSpinLock(&queue_lock);
	InitializeListHead(&queue);
	memset(&driver, 0, sizeof(driver));
	driver.MajorFunction[IRP_MJ_READ] = dispatch;
	device = (DEVICE_OBJECT){.Type = IO_TYPE_DEVICE, .DriverObject = &driver, .StackSize = 1};
	completed = cancelled = 0;
}

#define REQUESTS 8

static void server_main(void *context)
{
	struct request *requests = context;

	(void)requests;
	while (InterlockedAdd(&completed, 0) + InterlockedAdd(&cancelled, 0) < REQUESTS) {
		LARGE_INTEGER little = {.QuadPart = -100};

		if (!serve_one())
			KeDelayExecutionThread(KernelMode, FALSE,
					       &little); /* lets others run; nothing is timed */
	}
}

static void canceller_main(void *context)
{
	struct request *requests = context;

	for (int i = 0; i < REQUESTS; i++)
		IoCancelIrp(requests[i].irp);
}

/* Requests are issued and then cancelled by one thread while another one serves them. */
static void race(void *context)
{
	struct request requests[REQUESTS];
	struct nt_thread *server, *canceller;
	LARGE_INTEGER limit = nt_test_ms(NT_TEST_LIMIT_S * 1000);

	(void)context;
	prepare();
	RX_CHECK(NT_SUCCESS(nt_thread_create("server", server_main, requests, &server)));
	for (int i = 0; i < REQUESTS; i++)
		issue(&requests[i]);
	RX_CHECK(NT_SUCCESS(nt_thread_create("canceller", canceller_main, requests, &canceller)));
	for (int i = 0; i < REQUESTS; i++)
		RX_CHECK(KeWaitForSingleObject(&requests[i].done, Executive, KernelMode, FALSE, &limit) ==
			 STATUS_SUCCESS);
	nt_thread_join(canceller);
	nt_thread_join(server);
	for (int i = 0; i < REQUESTS; i++) {
		RX_CHECK(requests[i].completions == 1);
		RX_CHECK(requests[i].status == STATUS_SUCCESS || requests[i].status == STATUS_CANCELLED);
		IoFreeIrp(requests[i].irp);
	}
	RX_CHECK(IsListEmpty(&queue));
	RX_CHECK(completed + cancelled == REQUESTS);
}

static void test_cancel_queued(void **state)
{
	/* A queued request that is cancelled ends with STATUS_CANCELLED, once; a second cancel finds nothing. */
	struct request request;

	(void)state;
	prepare();
	issue(&request);
	assert_true(IoCancelIrp(request.irp));
	assert_int_equal(request.completions, 1);
	assert_int_equal(request.status, STATUS_CANCELLED);
	assert_true(request.irp->Cancel);
	assert_false(IoCancelIrp(request.irp));
	assert_false(serve_one());
	IoFreeIrp(request.irp);
}

static void test_cancel_before_the_driver_saw_it(void **state)
{
	/* Cancel of a request that no driver has only marks it; the driver that gets it ends it. */
	struct request request;

	(void)state;
	prepare();
	request.irp = IoAllocateIrp(1, FALSE);
	request.completions = 0;
	KeInitializeEvent(&request.done, NotificationEvent, FALSE);
	IoGetNextIrpStackLocation(request.irp)->MajorFunction = IRP_MJ_READ;
	IoSetCompletionRoutine(request.irp, on_done, &request, FALSE, FALSE, TRUE);
	assert_false(IoCancelIrp(request.irp));
	assert_int_equal(IoCallDriver(&device, request.irp), STATUS_PENDING);
	assert_int_equal(request.completions, 1); /* InvokeOnCancel alone was enough */
	assert_int_equal(request.status, STATUS_CANCELLED);
	IoFreeIrp(request.irp);
}

static void test_completed_before_cancel(void **state)
{
	/* A request that is served first is not cancelled. */
	struct request request;

	(void)state;
	prepare();
	issue(&request);
	assert_true(serve_one());
	assert_false(IoCancelIrp(request.irp));
	assert_int_equal(request.completions, 1);
	assert_int_equal(request.status, STATUS_SUCCESS);
	IoFreeIrp(request.irp);
}

static void test_race_with_real_threads(void **state)
{
	/* Cancel and completion race on real threads: each request completes once. */
	(void)state;
	for (int i = 0; i < 200; i++)
		race(NULL);
}

static void test_race_under_sim(void **state)
{
	/* The same race under a thousand schedules, each repeatable by its seed; both outcomes must occur. */
	long all_completed = 0, all_cancelled = 0;
	const char *text = getenv("RDR_SIM_SEEDS");
	uint64_t seeds = text != NULL ? strtoull(text, NULL, 10) : 1000;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		assert_int_equal(nt_sim_run(seed, race, NULL), 0);
		all_completed += completed;
		all_cancelled += cancelled;
	}
	assert_true(all_completed > 0 && all_cancelled > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cancel_queued, nt_test_setup, nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_cancel_before_the_driver_saw_it, nt_test_setup,
						nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_completed_before_cancel, nt_test_setup,
						nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_race_with_real_threads, nt_test_setup, nt_test_teardown),
		cmocka_unit_test(test_race_under_sim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
