/*
 * Whichever allocation fails on the way, the request says so and nothing is lost.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})
#define LIMIT 400

/* One create of an already made file object, so that only the core's own allocations can fail. */
static NTSTATUS create(PFILE_OBJECT file, struct req **out)
{
	struct req *r = req_make(file, IRP_MJ_CREATE, 0);

	r->security.DesiredAccess = FILE_READ_DATA;
	req_sp(r)->Parameters.Create.SecurityContext = &r->security;
	req_sp(r)->Parameters.Create.Options = FILE_OPEN << 24;
	req_sp(r)->Parameters.Create.ShareAccess = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
	*out = r;
	return STATUS_SUCCESS;
}

/* The 1st, 2nd, 3rd ... allocation of connecting and opening fails, until one run needs no more. */
static void test_create_survives_each_allocation_failure(void **state)
{
	long n;

	(void)state;
	for (n = 0; n < LIMIT; n++) {
		PFILE_OBJECT file = file_make(REC_SHARE u"\\a", NULL);
		struct req *r;
		NTSTATUS status;
		bool fired;

		(void)create(file, &r);
		nt_fault_arm(n);
		status = req_run(r, NULL);
		fired = nt_fault_disarm();
		if (status == STATUS_SUCCESS) {
			assert_non_null(file->FsContext);
			file_close(file);
		} else {
			assert_true(fired);
			assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
			assert_null(file->FsContext);
			ObDereferenceObject(file);
		}
		assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
		/* connect anew the next time, so that its allocations are in the row too */
		assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
		assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
		if (!fired)
			break;
	}
	assert_in_range(n, 5, LIMIT - 1);
}

/* A cleanup and a close cannot fail: with no memory at all they still work. */
static void test_close_needs_no_memory(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *cleanup = req_make(file, IRP_MJ_CLEANUP, 0), *close = req_make(file, IRP_MJ_CLOSE, 0);
	NTSTATUS status;

	(void)state;
	nt_fault_arm(0);
	status = req_run(cleanup, NULL);
	(void)nt_fault_disarm();
	assert_int_equal(status, STATUS_SUCCESS);
	nt_fault_arm(0);
	status = req_run(close, NULL);
	(void)nt_fault_disarm();
	assert_int_equal(status, STATUS_SUCCESS);
	ObDereferenceObject(file);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* A read without memory for its context is refused. */
static void test_read_without_memory(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = file_read_make(file, 0, 10, false);
	NTSTATUS status;

	(void)state;
	nt_fault_arm(0);
	status = req_run(r, NULL);
	assert_true(nt_fault_disarm());
	assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_create_survives_each_allocation_failure),
		REC_TEST(test_close_needs_no_memory),
		REC_TEST(test_read_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
