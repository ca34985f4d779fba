/*
 * A stop and what is open then; what the core answers on the device.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

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
		REC_TEST(test_stop),
		REC_TEST(test_stop_with_open_handles),
		REC_TEST(test_stop_cancels_what_is_in_flight),
		REC_TEST(test_stop_closes_dormant_opens),
		REC_TEST(test_query_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
