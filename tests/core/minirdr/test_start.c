/*
 * Start and stop of a registered redirector, seen by the driver that is started and by whoever asks for it.
 */
#include "../support/rec.h"
#include "nt_exec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static const struct nt_requester somebody = {.pid = 4242, .uid = 1000, .gid = 1000};

/* What MRxStart and MRxStop found, and a gate that holds them. */
static struct {
	UCHAR major;
	ULONG code;
	RX_RDBSS_STATE state;
	bool mup, file_system, is_stop_context;
	PEPROCESS process;
	NTSTATUS answer;
	bool wait;
	KEVENT entered, go;
} gate;

static void gate_reset(void)
{
	RtlZeroMemory(&gate, sizeof(gate));
	KeInitializeEvent(&gate.entered, NotificationEvent, FALSE);
	KeInitializeEvent(&gate.go, NotificationEvent, FALSE);
}

static void wait_for(PKEVENT event)
{
	LARGE_INTEGER limit = {.QuadPart = -200000000}; /* 20 s */

	assert_int_equal(KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static NTSTATUS gate_pass(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	gate.major = rxc->MajorFunction;
	gate.code = rxc->LowIoContext.ParamsFor.FsCtl.FsControlCode;
	gate.state = dev->StartStopContext.State;
	gate.is_stop_context = dev->StartStopContext.pStopContext == rxc;
	gate.mup = dev->MupHandle != NULL;
	gate.file_system = dev->RegisteredAsFileSystem;
	gate.process = PsGetCurrentProcess();
	if (gate.wait) {
		KeSetEvent(&gate.entered, IO_NO_INCREMENT, FALSE);
		(void)KeWaitForSingleObject(&gate.go, Executive, KernelMode, FALSE, NULL);
	}
	return gate.answer;
}

static NTSTATUS NTAPI gate_start(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	(void)InterlockedIncrement(&rec.count[REC_START]);
	return gate_pass(rxc, dev);
}

static NTSTATUS NTAPI gate_stop(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	(void)InterlockedIncrement(&rec.count[REC_STOP]);
	return gate_pass(rxc, dev);
}

struct asker {
	ULONG code;
	NTSTATUS status;
	struct nt_thread *thread;
};

static void asker_run(void *context)
{
	struct asker *a = context;

	a->status = rec_control(a->code);
}

static void asker_start(struct asker *a, ULONG code)
{
	a->code = code;
	assert_int_equal(nt_thread_create("asker", asker_run, a, &a->thread), STATUS_SUCCESS);
}

typedef NTSTATUS start_stop(PRX_CONTEXT rxc, PBOOLEAN post);

/* Calls RxStartMinirdr or RxStopMinirdr as a control routine of a driver would. */
static NTSTATUS call(start_stop *routine, ULONG flags, BOOLEAN *post, LUID *uid)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, flags);
	NTSTATUS status;

	assert_non_null(rxc);
	*post = 77;
	status = routine(rxc, post);
	if (uid != NULL)
		*uid = rxc->FsdUid;
	RxDereferenceAndDeleteRxContext(rxc);
	return status;
}

/* ---- start ---- */

/* Elsewhere than in the RDBSS process nothing starts: the request is to be posted. A worker then starts it there. */
static void test_B_RxStartMinirdr_01_outside_the_rdbss_process(void **state)
{
	BOOLEAN post;

	(void)state;
	gate_reset();
	rec.device->Dispatch->MRxStart = gate_start;
	nt_set_requester(&somebody);
	assert_int_equal(call(RxStartMinirdr, RX_CONTEXT_FLAG_WAIT, &post, NULL), STATUS_PENDING);
	assert_int_equal(post, TRUE);
	assert_int_equal(rec_seen(REC_START), 0);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);

	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	nt_set_requester(NULL);
	assert_int_equal(rec_seen(REC_START), 1);
	assert_ptr_equal(gate.process, RxGetRDBSSProcess());
}

/* While another start or stop is at work, who may not wait is told to post; who may is told the outcome. */
static void test_B_RxStartMinirdr_02_busy(void **state)
{
	struct asker other;
	BOOLEAN post;

	(void)state;
	gate_reset();
	gate.wait = true;
	rec.device->Dispatch->MRxStart = gate_start;
	asker_start(&other, FSCTL_RX_START);
	wait_for(&gate.entered);
	assert_int_equal(call(RxStartMinirdr, 0, &post, NULL), STATUS_PENDING);
	assert_int_equal(post, TRUE);
	assert_int_equal(call(RxStartMinirdr, RX_CONTEXT_FLAG_WAIT, &post, NULL), STATUS_REDIRECTOR_STARTED);
	assert_int_equal(post, FALSE);
	KeSetEvent(&gate.go, IO_NO_INCREMENT, FALSE);
	nt_thread_join(other.thread);
	assert_int_equal(other.status, STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_START), 1);
}

/* E-18: the provider, the file system, then the driver; only those that were asked for. */
static void test_B_RxStartMinirdr_03_registers_first(void **state)
{
	(void)state;
	gate_reset();
	rec.device->Dispatch->MRxStart = gate_start;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_true(gate.mup && gate.file_system);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);

	rec.device->RegisterUncProvider = FALSE;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_true(!gate.mup && gate.file_system);
}

/* A start counts once; a second one is refused without asking the driver. */
static void test_B_RxStartMinirdr_04_05_once(void **state)
{
	ULONG version = rec.device->StartStopContext.Version;

	(void)state;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTED);
	assert_int_equal(rec.device->StartStopContext.Version, version + 1);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_REDIRECTOR_STARTED);
	assert_int_equal(rec.device->StartStopContext.Version, version + 1);
	assert_int_equal(rec_seen(REC_START), 1);
}

/* A driver that does not start: no registration and no mailslot domain stays, and the next start works. */
static void test_B_RxStartMinirdr_06_failed_start(void **state)
{
	UNICODE_STRING domain;
	unsigned long bytes = nt_pool_bytes();

	(void)state;
	RtlInitUnicodeString(&domain, u"EXAMPLE");
	assert_int_equal(RxSetDomainForMailslotBroadcast(&domain), STATUS_SUCCESS);
	assert_true(nt_pool_bytes() > bytes);
	rec.status[REC_START] = STATUS_UNSUCCESSFUL;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_UNSUCCESSFUL);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	assert_int_equal(rec.device->StartStopContext.Version, 0);
	assert_null(rec.device->MupHandle);
	assert_null(nt_unc_provider(0));
	assert_false(rec.device->RegisteredAsFileSystem);
	assert_int_equal(nt_pool_bytes(), bytes);
	rec.status[REC_START] = STATUS_SUCCESS;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
}

/* A registration that fails is the answer of the start; the driver is not asked. */
static void test_B_RxStartMinirdr_07_registration_refused(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	BOOLEAN post = FALSE;
	NTSTATUS status;

	(void)state;
	assert_non_null(rxc);
	nt_fault_arm(0);
	status = RxStartMinirdr(rxc, &post);
	assert_true(nt_fault_disarm());
	assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
	assert_int_equal(post, FALSE);
	assert_int_equal(rec_seen(REC_START), 0);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	assert_false(rec.device->RegisteredAsFileSystem);
	RxDereferenceAndDeleteRxContext(rxc);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
}

static struct {
	NTSTATUS in_entry;
	LONG started;
	PRDBSS_DEVICE_OBJECT device;
} hasty;

static NTSTATUS NTAPI hasty_start(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	(void)rxc;
	(void)dev;
	hasty.started++;
	return STATUS_SUCCESS;
}

static NTSTATUS hasty_call(void)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, hasty.device, RX_CONTEXT_FLAG_WAIT);
	BOOLEAN post;
	NTSTATUS status;

	if (rxc == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = RxStartMinirdr(rxc, &post);
	RxDereferenceAndDeleteRxContext(rxc);
	return status;
}

static VOID hasty_unload(PDRIVER_OBJECT driver)
{
	RxUnload(driver);
}

/* A driver that cannot wait for its entry to end. */
static NTSTATUS hasty_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	static MINIRDR_DISPATCH table = {.NodeTypeCode = RDBSS_NTC_MINIRDR_DISPATCH, .MRxStart = hasty_start};
	NTSTATUS status = RxDriverEntry(driver, path);
	UNICODE_STRING name;

	RtlInitUnicodeString(&name, u"\\Device\\Hasty");
	if (status == STATUS_SUCCESS)
		status = RxRegisterMinirdr(&hasty.device, driver, &table, 0, &name, 0,
					   FILE_DEVICE_NETWORK_FILE_SYSTEM, 0);
	if (status != STATUS_SUCCESS)
		return status;
	driver->DriverUnload = hasty_unload;
	hasty.in_entry = hasty_call();
	return STATUS_SUCCESS;
}

/* In DriverEntry a start is refused and registers nothing; after it the same call starts. */
static void test_B_RxStartMinirdr_08_not_from_driver_entry(void **state)
{
	PDRIVER_OBJECT driver;

	(void)state;
	RtlZeroMemory(&hasty, sizeof(hasty));
	assert_int_equal(nt_driver_load("hasty", hasty_entry, &driver), STATUS_SUCCESS);
	assert_int_equal(hasty.in_entry, STATUS_DEVICE_NOT_READY);
	assert_int_equal(hasty.started, 0);
	assert_null(hasty.device->MupHandle);
	assert_int_equal(hasty_call(), STATUS_SUCCESS);
	assert_int_equal(hasty.started, 1);
	nt_driver_unload(driver);
}

/* A posted start: its request is not over before the worker has run it, and an asynchronous asker learns that. */
static void test_B_RxStartMinirdr_09_posted(void **state)
{
	PFILE_OBJECT device = file_open(u"");
	struct req *r;

	(void)state;
	for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
		gate_reset();
		gate.wait = true;
		rec.device->Dispatch->MRxStart = gate_start;
		r = req_make(device, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);
		req_sp(r)->Parameters.FileSystemControl.FsControlCode = FSCTL_RX_START;
		if (asynchronous)
			r->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
		nt_set_requester(&somebody);
		assert_int_equal(req_send(r), STATUS_PENDING);
		nt_set_requester(NULL);
		wait_for(&gate.entered);
		assert_int_equal(InterlockedExchangeAdd(&r->completions, 0), 0);
		KeSetEvent(&gate.go, IO_NO_INCREMENT, FALSE);
		assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
		assert_int_equal(rec_seen(REC_START), asynchronous + 1);
		assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	}
	file_close(device);
}

/* The driver finds the control code in the context of the request. */
static void test_B_MRxStart_01_context(void **state)
{
	(void)state;
	gate_reset();
	rec.device->Dispatch->MRxStart = gate_start;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(gate.major, IRP_MJ_FILE_SYSTEM_CONTROL);
	assert_int_equal(gate.code, FSCTL_RX_START);
	assert_int_equal(gate.state, RDBSS_STARTABLE);
}

/* Also a status that is no error, but not STATUS_SUCCESS, is a failed start. */
static void test_B_MRxStart_02_anything_but_success(void **state)
{
	static const NTSTATUS answers[] = {STATUS_OBJECT_NAME_EXISTS, STATUS_BUFFER_OVERFLOW,
					   STATUS_ACCESS_DENIED};

	(void)state;
	gate_reset();
	rec.device->Dispatch->MRxStart = gate_start;
	for (unsigned int i = 0; i < RTL_NUMBER_OF(answers); i++) {
		PFILE_OBJECT never;

		gate.answer = answers[i];
		assert_int_equal(rec_control(FSCTL_RX_START), answers[i]);
		assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
		assert_null(rec.device->MupHandle);
		assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &never, NULL),
				 STATUS_REDIRECTOR_NOT_STARTED);
	}
}

/* ---- stop ---- */

/* As with the start; and the context keeps who asked, since the worker is somebody else. */
static void test_B_RxStopMinirdr_01_outside_the_rdbss_process(void **state)
{
	LUID uid = {0, 0};
	BOOLEAN post;

	(void)state;
	gate_reset();
	rec.device->Dispatch->MRxStop = gate_stop;
	nt_set_requester(&somebody);
	assert_int_equal(call(RxStopMinirdr, RX_CONTEXT_FLAG_WAIT, &post, &uid), STATUS_PENDING);
	assert_int_equal(post, TRUE);
	assert_int_equal(uid.LowPart, somebody.uid);
	assert_int_equal(uid.HighPart, 0);
	assert_int_equal(rec_seen(REC_STOP), 0);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTED);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	nt_set_requester(NULL);
	assert_int_equal(rec_seen(REC_STOP), 1);
	assert_ptr_equal(gate.process, RxGetRDBSSProcess());
}

static void test_B_RxStopMinirdr_02_busy(void **state)
{
	struct asker other;
	BOOLEAN post;

	(void)state;
	gate_reset();
	gate.wait = true;
	rec.device->Dispatch->MRxStop = gate_stop;
	asker_start(&other, FSCTL_RX_STOP);
	wait_for(&gate.entered);
	assert_int_equal(call(RxStopMinirdr, 0, &post, NULL), STATUS_PENDING);
	assert_int_equal(post, TRUE);
	assert_int_equal(call(RxStopMinirdr, RX_CONTEXT_FLAG_WAIT, &post, NULL), STATUS_REDIRECTOR_STOPPED);
	assert_int_equal(post, FALSE);
	KeSetEvent(&gate.go, IO_NO_INCREMENT, FALSE);
	nt_thread_join(other.thread);
	assert_int_equal(other.status, STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_STOP), 1);
}

static NTSTATUS slow_create(PRX_CONTEXT rxc)
{
	(void)rxc;
	KeSetEvent(&gate.entered, IO_NO_INCREMENT, FALSE);
	(void)KeWaitForSingleObject(&gate.go, Executive, KernelMode, FALSE, NULL);
	return STATUS_SUCCESS;
}

static void open_slowly(void *context)
{
	PFILE_OBJECT file;

	if (file_open_with(OPEN(.name = REC_SHARE u"\\slow"), &file, NULL) == STATUS_SUCCESS)
		file_close(file);
	(void)context;
}

static void wait_until_stopping(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};
	int left;

	for (left = 20000;
	     __atomic_load_n(&rec.device->StartStopContext.State, __ATOMIC_ACQUIRE) != RDBSS_STOP_IN_PROGRESS;
	     left--) {
		assert_true(left > 0);
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
}

/*
 * A stop that was issued: a request that cannot be cancelled is waited for before the driver is stopped; meanwhile
 * cleanup and close reach the driver, and nothing else does (E-16).
 */
static void test_B_RxStopMinirdr_03_04_waits_and_lets_in_only_closes(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), never;
	struct nt_thread *opener;
	struct asker stopper;

	(void)state;
	gate_reset();
	rec.create_hook = slow_create;
	assert_int_equal(nt_thread_create("opener", open_slowly, NULL, &opener), STATUS_SUCCESS);
	wait_for(&gate.entered);
	rec.create_hook = NULL;
	asker_start(&stopper, FSCTL_RX_STOP);
	wait_until_stopping();

	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_LOCK, 0, 1, 0), NULL),
			 STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\b"), &never, NULL),
			 STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(rec_seen(REC_READ), 0);
	assert_int_equal(rec_seen(REC_LOCK), 0);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	file_close(file);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec_seen(REC_STOP), 0);

	KeSetEvent(&gate.go, IO_NO_INCREMENT, FALSE);
	nt_thread_join(opener);
	nt_thread_join(stopper.thread);
	assert_int_equal(rec_seen(REC_STOP), 1);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
}

/* The driver is stopped last, when nobody finds it any more; without the routine the stop succeeds as well. */
static void test_B_RxStopMinirdr_05_withdraws_first(void **state)
{
	(void)state;
	gate_reset();
	rec.device->Dispatch->MRxStop = gate_stop;
	assert_non_null(rec.device->MupHandle);
	gate.mup = gate.file_system = true;
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_STOP), 1);
	assert_false(gate.mup);
	assert_false(gate.file_system);
	assert_null(nt_unc_provider(0));

	rec.device->Dispatch->MRxStop = NULL;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
}

static volatile LONG worker_ended;

static VOID NTAPI slow_worker(PVOID context)
{
	LARGE_INTEGER while_long = {.QuadPart = -500000}; /* 50 ms: what the stop must sit out */

	(void)context;
	(void)KeDelayExecutionThread(KernelMode, FALSE, &while_long);
	(void)InterlockedExchange(&worker_ended, 1);
}

static void stop_with_a_worker(NTSTATUS expected)
{
	(void)InterlockedExchange(&worker_ended, 0);
	assert_int_equal(RxDispatchToWorkerThread(rec.device, DelayedWorkQueue, slow_worker, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(rec_control(FSCTL_RX_STOP), expected);
	assert_int_equal(InterlockedExchangeAdd(&worker_ended, 0), 1);
	assert_int_equal(rec.device->DispatcherContext.NumberOfWorkerThreads, 0);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	assert_null(rec.device->StartStopContext.pStopContext);
}

/* Open files or none: two statuses, one outcome. A second stop is refused. */
static void test_B_RxStopMinirdr_06_07_08_outcome(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	file_close(file_open(REC_SHARE u"\\a"));
	stop_with_a_worker(STATUS_SUCCESS);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_STOPPED);
	assert_int_equal(rec_seen(REC_STOP), 1);

	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	file = file_open(REC_SHARE u"\\a");
	stop_with_a_worker(STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_STOPPED);
	assert_int_equal(rec_seen(REC_STOP), 2);
	file_close(file);
}

static VOID NTAPI late_worker(PVOID context)
{
	PFCB fcb = context;

	slow_worker(NULL);
	(void)RxAcquireExclusiveFcb(NULL, fcb);
	if (!RxDereferenceAndFinalizeNetFcb(fcb, NULL, FALSE, FALSE))
		RxReleaseFcb(NULL, fcb);
}

/* A worker that refers to a file, as one that answers a break, is no open handle: the stop sits it out. */
static void test_a_worker_with_a_file_is_no_open_handle(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PFCB fcb = fcb_of(file);

	(void)state;
	(void)InterlockedExchange(&worker_ended, 0);
	RxReferenceNetFcb(fcb);
	assert_int_equal(RxDispatchToWorkerThread(rec.device, DelayedWorkQueue, late_worker, fcb),
			 STATUS_SUCCESS);
	file_close(file);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(InterlockedExchangeAdd(&worker_ended, 0), 1);
}

/* What MRxStop finds, and what its success leaves. */
static void test_B_MRxStop_01_02_states(void **state)
{
	(void)state;
	gate_reset();
	rec.device->Dispatch->MRxStop = gate_stop;
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(gate.state, RDBSS_STOP_IN_PROGRESS);
	assert_true(gate.is_stop_context);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
}

/* Remembered from the call to the stop, not beyond it; a copy that fails says so and leaves the old one. */
static void test_B_RxSetDomainForMailslotBroadcast_01_until_stop(void **state)
{
	UNICODE_STRING domain;
	unsigned long started, with_domain;

	(void)state;
	RtlInitUnicodeString(&domain, u"EXAMPLE");
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	started = nt_pool_bytes();
	assert_int_equal(RxSetDomainForMailslotBroadcast(&domain), STATUS_SUCCESS);
	with_domain = nt_pool_bytes();
	assert_true(with_domain >= started + domain.Length);
	nt_fault_arm(0);
	assert_int_equal(RxSetDomainForMailslotBroadcast(&domain), STATUS_INSUFFICIENT_RESOURCES);
	assert_true(nt_fault_disarm());
	assert_int_equal(nt_pool_bytes(), with_domain);
	assert_int_equal(RxSetDomainForMailslotBroadcast(&domain), STATUS_SUCCESS);
	assert_int_equal(nt_pool_bytes(), with_domain); /* the first copy went */
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(nt_pool_bytes(), started);
}

#define NEW_TEST(fn) cmocka_unit_test_setup_teardown(fn, rec_setup_not_started, rec_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NEW_TEST(test_B_RxStartMinirdr_01_outside_the_rdbss_process),
		NEW_TEST(test_B_RxStartMinirdr_02_busy),
		NEW_TEST(test_B_RxStartMinirdr_03_registers_first),
		NEW_TEST(test_B_RxStartMinirdr_04_05_once),
		NEW_TEST(test_B_RxStartMinirdr_06_failed_start),
		NEW_TEST(test_B_RxStartMinirdr_07_registration_refused),
		NEW_TEST(test_B_RxStartMinirdr_08_not_from_driver_entry),
		NEW_TEST(test_B_RxStartMinirdr_09_posted),
		NEW_TEST(test_B_MRxStart_01_context),
		NEW_TEST(test_B_MRxStart_02_anything_but_success),
		REC_TEST(test_B_RxStopMinirdr_01_outside_the_rdbss_process),
		REC_TEST(test_B_RxStopMinirdr_02_busy),
		REC_TEST(test_B_RxStopMinirdr_03_04_waits_and_lets_in_only_closes),
		REC_TEST(test_B_RxStopMinirdr_05_withdraws_first),
		REC_TEST(test_B_RxStopMinirdr_06_07_08_outcome),
		REC_TEST(test_a_worker_with_a_file_is_no_open_handle),
		REC_TEST(test_B_MRxStop_01_02_states),
		REC_TEST(test_B_RxSetDomainForMailslotBroadcast_01_until_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
