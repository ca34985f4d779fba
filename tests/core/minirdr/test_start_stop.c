/*
 * Registration, start, stop.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

/* B-RxRegisterMinirdr-12, -13: before the start only the device opens. */
static void test_nothing_passes_before_start(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &file, NULL),
			 STATUS_REDIRECTOR_NOT_STARTED);
	file = file_open(u"");
	file_close(file);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 0);
}

/* B-RxRegisterMinirdr-04 to -09. */
static void test_registration_fills_the_device(void **state)
{
	(void)state;
	assert_non_null(rec.device->Dispatch);
	assert_int_equal(rec.device->RegistrationControls, 0);
	assert_true(rec.device->RegisterUncProvider);
	assert_true(rec.device->RegisterMailSlotProvider);
	assert_ptr_equal(rec.device->pRxNetNameTable, &rec.device->RxNetNameTableInDeviceObject);
	assert_true(rec.device->pRxNetNameTable->IsNetNameTable);
	assert_non_null(rec.device->pRdbssScavenger);
	assert_memory_equal(rec.device->DeviceName.Buffer, u"\\Device\\Rec", 22);
}

/* B-RxRegisterMinirdr-01, -02: what cannot be registered. */
static void test_bad_registrations(void **state)
{
	PRDBSS_DEVICE_OBJECT device;
	UNICODE_STRING name;
	NTSTATUS status;

	(void)state;
	RtlInitUnicodeString(&name, u"\\Device\\Rec");
	assert_int_equal(RxRegisterMinirdr(NULL, rec.driver, rec.device->Dispatch, 0, &name, 0,
					   FILE_DEVICE_NETWORK_FILE_SYSTEM, 0),
			 STATUS_INVALID_PARAMETER);
	status = RxRegisterMinirdr(&device, rec.driver, rec.device->Dispatch, 0, &name, 0,
				   FILE_DEVICE_NETWORK_FILE_SYSTEM, 0);
	assert_true(status == STATUS_OBJECT_NAME_COLLISION || status == STATUS_OBJECT_NAME_EXISTS);
	assert_null(device);
}

/* B-RxRegisterMinirdr-05, -06, -07: what the controls leave out. */
static void test_controls(void **state)
{
	PRDBSS_DEVICE_OBJECT device;
	UNICODE_STRING name;

	(void)state;
	RtlInitUnicodeString(&name, u"\\Device\\Rec2");
	assert_int_equal(RxRegisterMinirdr(&device, rec.driver, rec.device->Dispatch,
					   RX_REGISTERMINI_FLAG_DONT_PROVIDE_UNCS |
						   RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS |
						   RX_REGISTERMINI_FLAG_DONT_INIT_PREFIX_N_SCAVENGER,
					   &name, 32, FILE_DEVICE_NETWORK_FILE_SYSTEM, 0),
			 STATUS_SUCCESS);
	assert_false(device->RegisterUncProvider);
	assert_false(device->RegisterMailSlotProvider);
	assert_null(device->pRxNetNameTable);
	assert_null(device->pRdbssScavenger);
	RxUnregisterMinirdr(device);
}

/* B-RxStartMinirdr-04, -05: a start increments the version once; a second start is refused. */
static void test_start_twice(void **state)
{
	ULONG version = rec.device->StartStopContext.Version;

	(void)state;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTED);
	assert_int_equal(rec.device->StartStopContext.Version, version + 1);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_REDIRECTOR_STARTED);
	assert_int_equal(rec_seen(REC_START), 1);
}

/* B-RxStartMinirdr-06: a failed MRxStart undoes all; the next start works. */
static void test_failed_start(void **state)
{
	(void)state;
	rec.status[REC_START] = STATUS_UNSUCCESSFUL;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_UNSUCCESSFUL);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	assert_null(rec.device->MupHandle);
	assert_false(rec.device->RegisteredAsFileSystem);
	rec.status[REC_START] = STATUS_SUCCESS;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
}

/* B-RxStartMinirdr-01: asked by another process, the start runs on a worker of the RDBSS process. */
static void test_start_from_another_process(void **state)
{
	struct nt_requester somebody = {.pid = 4242, .uid = 1000, .gid = 1000};

	(void)state;
	nt_set_requester(&somebody);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTED);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	nt_set_requester(NULL);
	assert_int_equal(rec_seen(REC_START), 1);
	assert_int_equal(rec_seen(REC_STOP), 1);
}

/* B-RxStopMinirdr-06, -07, -08: nothing open: success; already stopped: refused. */
static void test_stop(void **state)
{
	(void)state;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_NR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_SC), 1);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_STOPPED);
	assert_int_equal(rec_seen(REC_STOP), 1);
}

/* B-RxStopMinirdr-06: open files make it STATUS_REDIRECTOR_HAS_OPEN_HANDLES; they can still be closed. */
static void test_stop_with_open_handles(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), tree, after;

	(void)state;
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE, .options = FILE_CREATE_TREE_CONNECTION), &tree, NULL),
		STATUS_SUCCESS);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &after, NULL),
			 STATUS_REDIRECTOR_NOT_STARTED);

	/* started again, the old file stays closed and a new open connects anew */
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_FILE_CLOSED);
	after = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 2);
	assert_ptr_not_equal(fcb_of(after), fcb_of(file));
	file_close(file);
	file_close(tree);
	file_close(after);
}

/* B-RxStopMinirdr-04: requests in flight are cancelled and waited for. */
static void test_stop_cancels_what_is_in_flight(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *reads[4];
	unsigned int i;

	(void)state;
	rec.lowio = REC_HOLD;
	for (i = 0; i < 4; i++) {
		reads[i] = file_read_make(file, i, 10, true);
		assert_int_equal(req_send(reads[i]), STATUS_PENDING);
	}
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	for (i = 0; i < 4; i++)
		assert_int_equal(req_end(reads[i], NULL), STATUS_CANCELLED);
	assert_int_equal(rec_seen(REC_CANCEL), 4);
	file_close(file);
}

/* Dormant opens are no open handles: a stop closes them at the server. */
static void test_stop_closes_dormant_opens(void **state)
{
	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
}

/* FSCTL_RX_QUERY_OBJECTS is answered by the core. */
static void test_query_objects(void **state)
{
	PFILE_OBJECT device = file_open(u""), file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(device, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);
	unsigned int kinds[RX_OBJECT_FOBX + 1] = {0};
	UCHAR *buffer = ExAllocatePoolWithTag(NonPagedPool, 16384, 'tset');
	ULONG_PTR bytes = 0, at = 0;

	(void)state;
	assert_non_null(buffer);
	r->irp->AssociatedIrp.SystemBuffer = buffer;
	req_sp(r)->Parameters.FileSystemControl.FsControlCode = FSCTL_RX_QUERY_OBJECTS;
	req_sp(r)->Parameters.FileSystemControl.OutputBufferLength = 16384;
	assert_int_equal(req_run(r, &bytes), STATUS_SUCCESS);
	while (at < bytes) {
		const struct rx_object_record *record = (const void *)(buffer + at);

		assert_in_range(record->kind, RX_OBJECT_SRV_CALL, RX_OBJECT_FOBX);
		assert_true(record->record_bytes >= sizeof(*record) && record->record_bytes % 8 == 0);
		kinds[record->kind]++;
		at += record->record_bytes;
	}
	assert_int_equal(at, bytes);
	assert_int_equal(kinds[RX_OBJECT_SRV_CALL], 1);
	assert_int_equal(kinds[RX_OBJECT_FCB], 1);
	assert_int_equal(kinds[RX_OBJECT_SRV_OPEN], 1);
	assert_int_equal(kinds[RX_OBJECT_FOBX], 1);
	ExFreePoolWithTag(buffer, 'tset');
	file_close(file);
	file_close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_passes_before_start, rec_setup_not_started,
						rec_teardown),
		cmocka_unit_test_setup_teardown(test_registration_fills_the_device, rec_setup_not_started,
						rec_teardown),
		cmocka_unit_test_setup_teardown(test_bad_registrations, rec_setup_not_started, rec_teardown),
		cmocka_unit_test_setup_teardown(test_controls, rec_setup_not_started, rec_teardown),
		cmocka_unit_test_setup_teardown(test_start_twice, rec_setup_not_started, rec_teardown),
		cmocka_unit_test_setup_teardown(test_failed_start, rec_setup_not_started, rec_teardown),
		cmocka_unit_test_setup_teardown(test_start_from_another_process, rec_setup_not_started,
						rec_teardown),
		REC_TEST(test_stop),
		REC_TEST(test_stop_with_open_handles),
		REC_TEST(test_stop_cancels_what_is_in_flight),
		REC_TEST(test_stop_closes_dormant_opens),
		REC_TEST(test_query_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
