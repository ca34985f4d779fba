/*
 * Registration: what RxDriverEntry and RxRegisterMinirdr make, what the dispatcher lets in, and how it all goes
 * away again.
 */
#include "../support/rec.h"
#include "nt_exec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static NTSTATUS foreign_dispatch(PDEVICE_OBJECT device, PIRP irp)
{
	(void)device;
	(void)irp;
	return STATUS_NOT_SUPPORTED;
}

static NTSTATUS register_as(const WCHAR *text, PMINIRDR_DISPATCH dispatch, ULONG controls, ULONG extension,
			    PRDBSS_DEVICE_OBJECT *device)
{
	UNICODE_STRING name;

	RtlInitUnicodeString(&name, text);
	return RxRegisterMinirdr(device, rec.driver, dispatch, controls, &name, extension,
				 FILE_DEVICE_NETWORK_FILE_SYSTEM, 0);
}

static PRDBSS_DEVICE_OBJECT register_second(ULONG controls, ULONG extension)
{
	PRDBSS_DEVICE_OBJECT device;

	assert_int_equal(register_as(u"\\Device\\Rec2", rec.device->Dispatch, controls, extension, &device),
			 STATUS_SUCCESS);
	return device;
}

static NTSTATUS control_on(PFILE_OBJECT file, ULONG code)
{
	struct req *r = req_make(file, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);

	req_sp(r)->Parameters.FileSystemControl.FsControlCode = code;
	return req_run(r, NULL);
}

/* ---- RxDriverEntry ---- */

static NTSTATUS entry_without_rdbss(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	static MINIRDR_DISPATCH none = {.NodeTypeCode = RDBSS_NTC_MINIRDR_DISPATCH};
	PRDBSS_DEVICE_OBJECT device;
	UNICODE_STRING name;

	(void)path;
	RtlInitUnicodeString(&name, u"\\Device\\TooEarly");
	return RxRegisterMinirdr(&device, driver, &none, 0, &name, 0, FILE_DEVICE_NETWORK_FILE_SYSTEM, 0);
}

/* A driver that registers without having called RxDriverEntry is refused. Runs first: RDBSS stays ready. */
static void test_B_RxDriverEntry_01_comes_first(void **state)
{
	PDRIVER_OBJECT driver;

	(void)state;
	assert_int_equal(nt_driver_load("early", entry_without_rdbss, &driver), STATUS_INVALID_DEVICE_STATE);
	assert_null(driver);
}

/* The process of the driver entry is the RDBSS process, whoever asks later. */
static void test_B_RxDriverEntry_02_captures_the_process(void **state)
{
	struct nt_requester somebody = {.pid = 4242, .uid = 1000, .gid = 1000};
	DRIVER_OBJECT driver = {0};

	(void)state;
	nt_set_requester(&somebody);
	assert_int_equal(RxDriverEntry(&driver, NULL), STATUS_SUCCESS);
	nt_set_requester(NULL);
	assert_ptr_equal(RxGetRDBSSProcess(), nt_process_of(&somebody));
	assert_ptr_not_equal(RxGetRDBSSProcess(), PsGetCurrentProcess());
	assert_int_equal(RxDriverEntry(&driver, NULL), STATUS_SUCCESS);
	assert_ptr_equal(RxGetRDBSSProcess(), PsGetCurrentProcess());
}

/* Each entry is replaced, also one the driver had set before. */
static void test_B_RxDriverEntry_03_overwrites_the_dispatch_table(void **state)
{
	DRIVER_OBJECT driver = {0};
	unsigned int i;

	(void)state;
	for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver.MajorFunction[i] = foreign_dispatch;
	assert_int_equal(RxDriverEntry(&driver, NULL), STATUS_SUCCESS);
	for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++) {
		assert_ptr_not_equal(driver.MajorFunction[i], foreign_dispatch);
		assert_ptr_equal(driver.MajorFunction[i], driver.MajorFunction[IRP_MJ_CREATE]);
	}
}

struct process_seen {
	PEPROCESS process;
	PEPROCESS raised;
};

static void ask_for_the_process(void *context)
{
	struct nt_requester somebody = {.pid = 77, .uid = 77, .gid = 77};
	struct process_seen *seen = context;
	KIRQL irql;

	nt_set_requester(&somebody);
	seen->process = RxGetRDBSSProcess();
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	seen->raised = RxGetRDBSSProcess();
	KeLowerIrql(irql);
	nt_set_requester(NULL);
}

/* Every thread, working for whomever and at any level, gets the same process. */
static void test_B_RxGetRDBSSProcess_01_the_same_for_all(void **state)
{
	struct process_seen seen = {0};
	struct nt_thread *thread;

	(void)state;
	assert_non_null(RxGetRDBSSProcess());
	assert_int_equal(nt_thread_create("asker", ask_for_the_process, &seen, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	assert_ptr_equal(seen.process, RxGetRDBSSProcess());
	assert_ptr_equal(seen.raised, RxGetRDBSSProcess());
}

/* ---- RxRegisterMinirdr ---- */

static void test_B_RxRegisterMinirdr_01_no_place_for_the_device(void **state)
{
	UNICODE_STRING name;

	(void)state;
	RtlInitUnicodeString(&name, u"\\Device\\Rec2");
	assert_int_equal(RxRegisterMinirdr(NULL, rec.driver, rec.device->Dispatch, 0, &name, 0,
					   FILE_DEVICE_NETWORK_FILE_SYSTEM, 0),
			 STATUS_INVALID_PARAMETER);
	/* nothing was made: the name is free */
	RxUnregisterMinirdr(register_second(0, 0));
}

static void test_B_RxRegisterMinirdr_02_name_taken(void **state)
{
	PRDBSS_DEVICE_OBJECT device = rec.device;
	NTSTATUS status = register_as(u"\\Device\\Rec", rec.device->Dispatch, 0, 0, &device);

	(void)state;
	assert_true(status == STATUS_OBJECT_NAME_COLLISION || status == STATUS_OBJECT_NAME_EXISTS);
	assert_null(device);
}

/* Whichever allocation fails: that status, no device, and the name can be taken by the next attempt. */
static void test_B_RxRegisterMinirdr_03_no_memory(void **state)
{
	PRDBSS_DEVICE_OBJECT device = NULL;
	NTSTATUS status;
	bool fired;
	long n = 0;

	(void)state;
	do {
		device = rec.device;
		nt_fault_arm(n++);
		status = register_as(u"\\Device\\Rec2", rec.device->Dispatch, 0, 0, &device);
		fired = nt_fault_disarm();
		assert_int_equal(status, fired ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
		assert_true((device == NULL) == fired);
	} while (fired);
	assert_true(n > 2); /* device, its name, our copy of the name */
	RxUnregisterMinirdr(device);
}

static void test_B_RxRegisterMinirdr_04_to_07_fills_the_device(void **state)
{
	ULONG all = RX_REGISTERMINI_FLAG_DONT_PROVIDE_UNCS | RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS |
		    RX_REGISTERMINI_FLAG_DONT_INIT_PREFIX_N_SCAVENGER;
	PRDBSS_DEVICE_OBJECT device = register_second(all, 0);
	UNICODE_STRING name;

	(void)state;
	RtlInitUnicodeString(&name, u"\\Device\\Rec2");
	assert_ptr_equal(device->Dispatch, rec.device->Dispatch);
	assert_int_equal(device->RegistrationControls, all);
	assert_true(RtlEqualUnicodeString(&device->DeviceName, &name, FALSE));
	assert_ptr_not_equal(device->DeviceName.Buffer, name.Buffer);
	assert_false(device->RegisterUncProvider);
	assert_false(device->RegisterMailSlotProvider);
	assert_null(device->pRxNetNameTable);
	assert_null(device->pRdbssScavenger);
	RxUnregisterMinirdr(device);

	device = register_second(RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS, 0);
	assert_true(device->RegisterUncProvider);
	assert_false(device->RegisterMailSlotProvider);
	RxUnregisterMinirdr(device);

	assert_int_equal(rec.device->RegistrationControls, 0);
	assert_true(rec.device->RegisterUncProvider);
	assert_true(rec.device->RegisterMailSlotProvider);
	assert_ptr_equal(rec.device->pRxNetNameTable, &rec.device->RxNetNameTableInDeviceObject);
	assert_true(rec.device->pRxNetNameTable->IsNetNameTable);
	assert_ptr_equal(rec.device->pRdbssScavenger, &rec.device->RdbssScavengerInDeviceObject);
}

/* The driver's own entries survive only with the flag. */
static void test_B_RxRegisterMinirdr_08_driver_dispatch(void **state)
{
	PDRIVER_DISPATCH ours = rec.driver->MajorFunction[IRP_MJ_READ];

	(void)state;
	rec.driver->MajorFunction[IRP_MJ_READ] = foreign_dispatch;
	RxUnregisterMinirdr(register_second(RX_REGISTERMINI_FLAG_DONT_INIT_DRIVER_DISPATCH, 0));
	assert_ptr_equal(rec.driver->MajorFunction[IRP_MJ_READ], foreign_dispatch);
	RxUnregisterMinirdr(register_second(0, 0));
	assert_ptr_equal(rec.driver->MajorFunction[IRP_MJ_READ], ours);
}

/* Startable, and the caller's bytes lie zeroed behind RDBSS's own. */
static void test_B_RxRegisterMinirdr_09_10_state_and_extension(void **state)
{
	enum { EXTENSION = 512 };
	PRDBSS_DEVICE_OBJECT device = register_second(0, EXTENSION);
	static const UCHAR zero[EXTENSION];
	USHORT size = device->DeviceObject.Size;

	(void)state;
	assert_int_equal(device->StartStopContext.State, RDBSS_STARTABLE);
	assert_memory_equal(device + 1, zero, EXTENSION);
	memset(device + 1, 0xa5, EXTENSION); /* AddressSanitizer objects when it is not there */
	RxUnregisterMinirdr(device);
	device = register_second(0, 0);
	assert_int_equal(size - device->DeviceObject.Size, EXTENSION);
	assert_true(device->DeviceObject.Size >= sizeof(*device));
	RxUnregisterMinirdr(device);
}

/* A table without a single routine registers, starts, refuses opens in words, and stops. */
static void test_B_RxRegisterMinirdr_11_empty_slots(void **state)
{
	static MINIRDR_DISPATCH none = {.NodeTypeCode = RDBSS_NTC_MINIRDR_DISPATCH};
	PRDBSS_DEVICE_OBJECT saved = rec.device, device;
	PFILE_OBJECT file, never;

	(void)state;
	assert_int_equal(register_as(u"\\Device\\None", &none, 0, 0, &device), STATUS_SUCCESS);
	RxMakeLateDeviceAvailable(device);
	rec.device = device;
	file = file_open(u"");
	assert_int_equal(control_on(file, FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(device->StartStopContext.State, RDBSS_STARTED);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &never, NULL),
			 STATUS_BAD_NETWORK_PATH);
	assert_int_equal(control_on(file, FSCTL_RX_STOP), STATUS_SUCCESS);
	file_close(file);
	rec.device = saved;
	RxUnregisterMinirdr(device);
}

/* Before MRxStart succeeded only the device itself opens, and takes controls; nothing reaches the driver else. */
static void test_B_RxRegisterMinirdr_12_13_before_start(void **state)
{
	PFILE_OBJECT device, never;
	struct req *r;

	(void)state;
	device = file_open(u"");
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &never, NULL),
			 STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(file_open_with(OPEN(.name = u"", .related = device), &never, NULL),
			 STATUS_REDIRECTOR_NOT_STARTED);
	rec.status[REC_START] = STATUS_UNSUCCESSFUL; /* a start that failed is no start */
	assert_int_equal(control_on(device, FSCTL_RX_START), STATUS_UNSUCCESSFUL);
	assert_int_equal(rec_seen(REC_START), 1);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &never, NULL),
			 STATUS_REDIRECTOR_NOT_STARTED);
	never = file_make(REC_SHARE u"\\a", NULL);
	r = req_make(never, IRP_MJ_QUERY_INFORMATION, 0);
	assert_int_equal(req_run(r, NULL), STATUS_REDIRECTOR_NOT_STARTED);
	ObDereferenceObject(never);
	file_close(device);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 0);

	rec.status[REC_START] = STATUS_SUCCESS;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	file_close(file_open(REC_SHARE u"\\a"));
}

static NTSTATUS special_create(UCHAR major)
{
	PFILE_OBJECT file = file_make(REC_SHARE u"\\a", NULL);
	NTSTATUS status = req_run(req_make(file, major, 0), NULL);

	ObDereferenceObject(file);
	return status;
}

/* Creates of mailslots and named pipes fail, started or not, and connect nowhere. */
static void test_B_RxRegisterMinirdr_14_no_mailslot_no_pipe(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_true(NT_ERROR(special_create(IRP_MJ_CREATE_MAILSLOT)));
		assert_true(NT_ERROR(special_create(IRP_MJ_CREATE_NAMED_PIPE)));
		if (i == 0)
			assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	}
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 0);
}

/* ---- RxFsdDispatch ---- */

/* E-17: this answer comes before the one about the start. */
static void test_B_RxFsdDispatch_01_pipes_and_mailslots(void **state)
{
	(void)state;
	assert_int_equal(special_create(IRP_MJ_CREATE_MAILSLOT), STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(special_create(IRP_MJ_CREATE_NAMED_PIPE), STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(special_create(IRP_MJ_CREATE_MAILSLOT), STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(special_create(IRP_MJ_CREATE_NAMED_PIPE), STATUS_OBJECT_NAME_INVALID);
}

static NTSTATUS keep_irp(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	(void)device;
	*(NTSTATUS *)context = irp->IoStatus.Status;
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* RDBSS's own device is no redirector: the request is completed, with that status. */
static void test_B_RxFsdDispatch_02_the_device_of_rdbss(void **state)
{
	PFILE_OBJECT file = file_make(REC_SHARE u"\\a", NULL);
	struct req *r = req_make(file, IRP_MJ_CREATE, 0);
	NTSTATUS completed = STATUS_PENDING;

	(void)state;
	IoSetCompletionRoutine(r->irp, keep_irp, &completed, TRUE, TRUE, TRUE);
	IoSetNextIrpStackLocation(r->irp);
	assert_int_equal(RxFsdDispatch((PRDBSS_DEVICE_OBJECT)rec.device->RDBSSDeviceObject, r->irp),
			 STATUS_INVALID_DEVICE_REQUEST);
	assert_int_equal(completed, STATUS_INVALID_DEVICE_REQUEST);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 0);
	InterlockedIncrement(&r->completions);
	KeSetEvent(&r->done, IO_NO_INCREMENT, FALSE);
	(void)req_end(r, NULL);
	ObDereferenceObject(file);
}

static LONG private_calls;

static NTSTATUS NTAPI private_routine(PRX_CONTEXT rxc, PIRP irp)
{
	(void)rxc;
	(void)irp;
	InterlockedIncrement(&private_calls);
	return STATUS_DEVICE_BUSY;
}

/* An FCB's own vector serves everything but creates; what it lacks is refused, not taken from the common one. */
static void test_B_RxFsdDispatch_03_vectors(void **state)
{
	static RX_FSD_DISPATCH_VECTOR own[IRP_MJ_MAXIMUM_FUNCTION + 1];
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), second;
	ULONG_PTR bytes = 0;

	(void)state;
	private_calls = 0;
	own[IRP_MJ_READ].CommonRoutine = private_routine;
	own[IRP_MJ_CREATE].CommonRoutine = private_routine;
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), &bytes), STATUS_SUCCESS);
	assert_int_equal(bytes, 10);

	fcb_of(file)->PrivateDispatchVector = own;
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_DEVICE_BUSY);
	assert_int_equal(private_calls, 1);
	assert_int_equal(req_run(file_write_make(file, 0, 10, false), NULL), STATUS_INVALID_DEVICE_REQUEST);
	assert_int_equal(rec_seen(REC_WRITE), 0);
	second = file_open(REC_SHARE u"\\a");
	assert_ptr_equal(fcb_of(second), fcb_of(file));
	assert_int_equal(private_calls, 1);
	fcb_of(file)->PrivateDispatchVector = NULL;
	file_close(second);
	file_close(file);
}

/* ---- the end ---- */

static volatile LONG worker_ended;

static VOID NTAPI slow_worker(PVOID context)
{
	LARGE_INTEGER while_long = {.QuadPart = -500000}; /* 50 ms: what the unregistration must sit out */

	(void)context;
	(void)KeDelayExecutionThread(KernelMode, FALSE, &while_long);
	(void)InterlockedExchange(&worker_ended, 1);
}

/* Registers, starts and uses a second device; a dormant open and its connection stay behind. */
static PRDBSS_DEVICE_OBJECT used_second(void)
{
	PRDBSS_DEVICE_OBJECT saved = rec.device, device = register_second(0, 0);
	PFILE_OBJECT file;

	RxMakeLateDeviceAvailable(device);
	rec.device = device;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file = file_open(u"");
	assert_int_equal(control_on(file, FSCTL_RX_START), STATUS_SUCCESS);
	file_close(file_open(REC_SHARE u"\\a"));
	file_close(file);
	assert_true(device->pRxNetNameTable->EntryCount > 0);
	rec.device = saved;
	rec.buffering = 0;
	return device;
}

/* Objects are finalized, workers waited for, the device deleted; RDBSS's own device keeps its reference. */
static void test_B_RxpUnregisterMinirdr_01_everything_goes(void **state)
{
	PRDBSS_DEVICE_OBJECT device = used_second();
	LONG references = device->RDBSSDeviceObject->ReferenceCount;
	PDEVICE_OBJECT found;
	UNICODE_STRING name;

	(void)state;
	worker_ended = 0;
	assert_int_equal(RxDispatchToWorkerThread(device, DelayedWorkQueue, slow_worker, NULL),
			 STATUS_SUCCESS);
	RxpUnregisterMinirdr(device);
	assert_int_equal(InterlockedExchangeAdd(&worker_ended, 0), 1);
	assert_null(nt_unc_provider(1)); /* it was started, and nobody stopped it */
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_NR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_SC), 1);
	assert_int_equal(rec.device->RDBSSDeviceObject->ReferenceCount, references);
	RtlInitUnicodeString(&name, u"\\Device\\Rec2");
	assert_int_equal(nt_device_open(&name, &found), STATUS_OBJECT_NAME_NOT_FOUND);
	(void)InterlockedDecrement((volatile LONG *)&rec.device->RDBSSDeviceObject->ReferenceCount);
}

/* The same, and the reference on RDBSS's device goes with it. */
static void test_B_RxUnregisterMinirdr_01_and_its_reference(void **state)
{
	LONG before = rec.device->RDBSSDeviceObject->ReferenceCount;
	PRDBSS_DEVICE_OBJECT device = register_second(0, 0);
	PDEVICE_OBJECT found;
	UNICODE_STRING name;

	(void)state;
	assert_int_equal(rec.device->RDBSSDeviceObject->ReferenceCount, before + 1);
	RxUnregisterMinirdr(device);
	assert_int_equal(rec.device->RDBSSDeviceObject->ReferenceCount, before);
	RtlInitUnicodeString(&name, u"\\Device\\Rec2");
	assert_int_equal(nt_device_open(&name, &found), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* ---- small ones ---- */

static void test_B_RxMakeLateDeviceAvailable_01_takes_requests(void **state)
{
	PRDBSS_DEVICE_OBJECT device = register_second(0, 0);
	ULONG flags = device->DeviceObject.Flags;

	(void)state;
	assert_true((flags & DO_DEVICE_INITIALIZING) != 0);
	RxMakeLateDeviceAvailable(device);
	assert_int_equal(device->DeviceObject.Flags, flags & ~(ULONG)DO_DEVICE_INITIALIZING);
	RxUnregisterMinirdr(device);
}

/* RDBSS is linked into the driver: no byte of the table changes, whatever size is said, and none is installed. */
static void test_B_RxFillAndInstallFastIoDispatch_01_02_does_nothing(void **state)
{
	FAST_IO_DISPATCH table, before;

	(void)state;
	memset(&table, 0xa5, sizeof(table));
	before = table;
	__RxFillAndInstallFastIoDispatch(rec.device, &table, 16);
	RxFillAndInstallFastIoDispatch(rec.device, table);
	__RxFillAndInstallFastIoDispatch(rec.device, &table, 65536);
	assert_memory_equal(&table, &before, sizeof(table));
	assert_null(rec.driver->FastIoDispatch);
}

static int runtime_begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int runtime_end(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

#define BARE_TEST(fn) cmocka_unit_test_setup_teardown(fn, runtime_begin, runtime_end)
#define NEW_TEST(fn) cmocka_unit_test_setup_teardown(fn, rec_setup_not_started, rec_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE_TEST(test_B_RxDriverEntry_01_comes_first),
		BARE_TEST(test_B_RxDriverEntry_02_captures_the_process),
		BARE_TEST(test_B_RxDriverEntry_03_overwrites_the_dispatch_table),
		NEW_TEST(test_B_RxGetRDBSSProcess_01_the_same_for_all),
		NEW_TEST(test_B_RxRegisterMinirdr_01_no_place_for_the_device),
		NEW_TEST(test_B_RxRegisterMinirdr_02_name_taken),
		NEW_TEST(test_B_RxRegisterMinirdr_03_no_memory),
		NEW_TEST(test_B_RxRegisterMinirdr_04_to_07_fills_the_device),
		NEW_TEST(test_B_RxRegisterMinirdr_08_driver_dispatch),
		NEW_TEST(test_B_RxRegisterMinirdr_09_10_state_and_extension),
		NEW_TEST(test_B_RxRegisterMinirdr_11_empty_slots),
		NEW_TEST(test_B_RxRegisterMinirdr_12_13_before_start),
		NEW_TEST(test_B_RxRegisterMinirdr_14_no_mailslot_no_pipe),
		NEW_TEST(test_B_RxFsdDispatch_01_pipes_and_mailslots),
		REC_TEST(test_B_RxFsdDispatch_02_the_device_of_rdbss),
		REC_TEST(test_B_RxFsdDispatch_03_vectors),
		REC_TEST(test_B_RxpUnregisterMinirdr_01_everything_goes),
		NEW_TEST(test_B_RxUnregisterMinirdr_01_and_its_reference),
		NEW_TEST(test_B_RxMakeLateDeviceAvailable_01_takes_requests),
		NEW_TEST(test_B_RxFillAndInstallFastIoDispatch_01_02_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
