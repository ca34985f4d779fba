/* test_growth.c - what the driver hears before a file grows, and when its data is to be kept: MRxExtend..., MRxFlush. */
#include "../support/rec.h"

static struct {
	LONG calls;
	USHORT operation;
	ULONG flags;
	LONGLONG size;
	bool exclusive;
	NTSTATUS status;
} growth;

static ULONG NTAPI extend(PRX_CONTEXT rxc, PLARGE_INTEGER new_size, PLARGE_INTEGER new_allocation)
{
	growth.calls++;
	growth.operation = rxc->LowIoContext.Operation;
	growth.flags = rxc->LowIoContext.ParamsFor.ReadWrite.Flags;
	growth.size = new_size->QuadPart;
	growth.exclusive = RxIsFcbAcquiredExclusive(rxc->pFcb);
	new_allocation->QuadPart = new_size->QuadPart;
	return (ULONG)growth.status;
}

static PFILE_OBJECT open_with_extend(void)
{
	RtlZeroMemory(&growth, sizeof(growth));
	rec.file_size = 1000;
	rec.device->Dispatch->MRxExtendForNonCache = extend;
	return file_open(REC_SHARE u"\\a");
}

static void close_with_extend(PFILE_OBJECT file)
{
	rec.device->Dispatch->MRxExtendForNonCache = NULL;
	rec.device->Dispatch->MRxExtendForCache = NULL;
	file_close(file);
}

/* Before the file grows the context is a write's, marked as one that extends, and the FCB is the driver's alone. */
static void test_B_MRxExtendForNonCache_01_operation_and_flag(void **state)
{
	PFILE_OBJECT file = open_with_extend();

	(void)state;
	assert_int_equal(req_run(file_write_make(file, 990, 100, false), NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 1);
	assert_int_equal(growth.operation, LOWIO_OP_WRITE);
	assert_true(growth.flags & LOWIO_READWRITEFLAG_EXTENDING_FILESIZE);
	assert_true(growth.exclusive);
	close_with_extend(file);
}

/* A write beyond the end asks once, with the new size; one within does not; a refusal ends it before it is sent. */
static void test_B_MRxExtendForNonCache_02_when_it_grows(void **state)
{
	PFILE_OBJECT file = open_with_extend();
	LONG written;

	(void)state;
	assert_int_equal(req_run(file_write_make(file, 900, 100, false), NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 0);
	assert_int_equal(req_run(file_write_make(file, 901, 100, false), NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 1);
	assert_int_equal(growth.size, 1001);
	growth.status = STATUS_DISK_FULL;
	written = rec_seen(REC_WRITE);
	assert_int_equal(req_run(file_write_make(file, 5000, 10, false), NULL), STATUS_DISK_FULL);
	assert_int_equal(growth.calls, 2);
	assert_int_equal(rec_seen(REC_WRITE), written);
	close_with_extend(file);
}

static ULONG NTAPI extend_cached(PRX_CONTEXT rxc, PLARGE_INTEGER new_size, PLARGE_INTEGER new_allocation)
{
	growth.calls += 9; /* a call of this slot counts as ten */
	return extend(rxc, new_size, new_allocation);
}

static PFILE_OBJECT open_with_both(void)
{
	PFILE_OBJECT file;

	rec.buffering = FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_FILESIZECACHEING_ENABLED;
	file = open_with_extend();
	rec.device->Dispatch->MRxExtendForCache = extend_cached;
	return file;
}

/* Before a cached file grows the context is a write's, marked as one that extends. */
static void test_B_MRxExtendForCache_01_operation_and_flag(void **state)
{
	PFILE_OBJECT file = open_with_both();

	(void)state;
	assert_int_equal(req_run(file_write_make(file, 990, 100, false), NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 10);
	assert_int_equal(growth.operation, LOWIO_OP_WRITE);
	assert_true(growth.flags & LOWIO_READWRITEFLAG_EXTENDING_FILESIZE);
	assert_true(growth.exclusive);
	close_with_extend(file);
}

/* A write that may stay here and grows the file asks this slot, one that may not asks the other; a refusal ends it. */
static void test_B_MRxExtendForCache_02_when_it_grows(void **state)
{
	PFILE_OBJECT file = open_with_both();
	struct req *r;
	LONG written;

	(void)state;
	assert_int_equal(req_run(file_write_make(file, 900, 100, false), NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 0);
	assert_int_equal(req_run(file_write_make(file, 901, 100, false), NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 10);
	assert_int_equal(growth.size, 1001);
	r = file_write_make(file, 1000, 10, false);
	r->irp->Flags |= IRP_NOCACHE;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 11);
	growth.status = STATUS_DISK_FULL;
	written = rec_seen(REC_WRITE);
	assert_int_equal(req_run(file_write_make(file, 5000, 10, false), NULL), STATUS_DISK_FULL);
	assert_int_equal(growth.calls, 21);
	assert_int_equal(rec_seen(REC_WRITE), written);
	close_with_extend(file);
}

/* A driver without the slot is not told: its write is not marked. */
static void test_without_the_slot_nothing_is_announced(void **state)
{
	PFILE_OBJECT file = open_with_both();

	(void)state;
	rec.device->Dispatch->MRxExtendForCache = NULL;
	assert_int_equal(req_run(file_write_make(file, 990, 100, false), NULL), STATUS_SUCCESS);
	assert_int_equal(growth.calls, 0);
	assert_false(rec.last_lowio.ParamsFor.ReadWrite.Flags & LOWIO_READWRITEFLAG_EXTENDING_FILESIZE);
	close_with_extend(file);
}

/* IRP_MJ_FLUSH_BUFFERS is given to the driver, once, and its status to the requester. */
static void test_B_MRxFlush_01_called_for_flush_buffers(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(rec_seen(REC_FLUSH), 0);
	assert_int_equal(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_FLUSH), 1);
	rec.status[REC_FLUSH] = STATUS_DISK_FULL;
	assert_int_equal(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL), STATUS_DISK_FULL);
	assert_int_equal(rec_seen(REC_FLUSH), 2);
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_MRxExtendForNonCache_01_operation_and_flag),
		REC_TEST(test_B_MRxExtendForNonCache_02_when_it_grows),
		REC_TEST(test_B_MRxExtendForCache_01_operation_and_flag),
		REC_TEST(test_B_MRxExtendForCache_02_when_it_grows),
		REC_TEST(test_without_the_slot_nothing_is_announced),
		REC_TEST(test_B_MRxFlush_01_called_for_flush_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
