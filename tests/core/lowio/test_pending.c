/*
 * Requests that pend: completed from another thread, cancelled, waited for, exactly once.
 */
#include "../support/rec.h"

/* An asynchronous read returns STATUS_PENDING and is completed by the thread that has the answer. */
static void test_read_completes_from_another_thread(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *reads[32];
	unsigned int i, j;

	(void)state;
	rec.lowio = REC_WORKER;
	for (i = 0; i < 32; i++) {
		reads[i] = file_read_make(file, i * 100, 100, true);
		assert_int_equal(req_send(reads[i]), STATUS_PENDING);
	}
	for (i = 0; i < 32; i++) {
		LARGE_INTEGER limit = {.QuadPart = -200000000};

		assert_int_equal(KeWaitForSingleObject(&reads[i]->done, Executive, KernelMode, FALSE, &limit),
				 STATUS_SUCCESS);
		for (j = 0; j < 100; j++)
			assert_int_equal(reads[i]->buffer[j], rec_byte(i * 100 + j));
		assert_int_equal(req_end(reads[i], NULL), STATUS_SUCCESS);
	}
	file_close(file);
}

/* B-RxLowIoCompletion-02: a synchronous request waits on its own thread for the same answer. */
static void test_synchronous_read_waits(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	rec.lowio = REC_WORKER;
	assert_int_equal(req_run(file_read_make(file, 0, 64, false), &information), STATUS_SUCCESS);
	assert_int_equal(information, 64);
	assert_int_equal(req_run(file_write_make(file, 0, 64, false), &information), STATUS_SUCCESS);
	assert_int_equal(information, 64);
	file_close(file);
}

/* The thread that sent a pending read holds nothing: the file can be closed exclusively used by others after it. */
static void test_resource_is_given_back_by_the_completion(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *read;

	(void)state;
	rec.lowio = REC_HOLD;
	read = file_read_make(file, 0, 10, true);
	assert_int_equal(req_send(read), STATUS_PENDING);
	/* held for the request, not for this thread */
	assert_false(RxIsFcbAcquired(fcb_of(file)));
	assert_false(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	assert_true(ExAcquireResourceSharedLite(fcb_of(file)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(file)->Header.Resource);

	assert_true(rec_release(STATUS_SUCCESS, 10));
	assert_int_equal(req_end(read, NULL), STATUS_SUCCESS);
	assert_true(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(file)->Header.Resource);
	file_close(file);
}

/* An asynchronous request whose FCB is busy is posted, its thread goes free. */
static void test_B_FSP_rules_05_busy_fcb_posts(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *read = file_read_make(file, 0, 10, true);

	(void)state;
	ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, TRUE);
	/* this thread owns it and could go on: another one is refused, and posts */
	ExSetResourceOwnerPointer(fcb_of(file)->Header.Resource, (PVOID)((ULONG_PTR)file | 3));
	assert_int_equal(req_send(read), STATUS_PENDING);
	assert_int_equal(rec_seen(REC_READ), 0);
	ExReleaseResourceForThreadLite(fcb_of(file)->Header.Resource,
				       (ERESOURCE_THREAD)((ULONG_PTR)file | 3));
	assert_int_equal(req_end(read, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_READ), 1);
	file_close(file);
}

/* B-RxLowIoCompletion-03: a transfer that is answered at DISPATCH_LEVEL ends there, without another thread. */
static void test_transfer_ends_at_dispatch_level(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *write = file_write_make(file, rec.file_size, 10, true);
	struct req *read = file_read_make(file, 0, 10, true);
	KIRQL irql;

	(void)state;
	rec.lowio = REC_HOLD;
	assert_int_equal(req_send(write), STATUS_PENDING);
	assert_int_equal(req_send(read), STATUS_PENDING);
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	assert_true(rec_release(STATUS_SUCCESS, 10));
	assert_true(rec_release(STATUS_SUCCESS, 10));
	assert_int_equal(write->completions, 1);
	assert_int_equal(read->completions, 1);
	KeLowerIrql(irql);
	assert_int_equal(req_end(write, NULL), STATUS_SUCCESS);
	assert_int_equal(req_end(read, NULL), STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, rec.file_size + 10);
	rec.lowio = REC_INLINE;
	file_close(file);
}

/* B-RxLowIoCompletion-04, E-28: what may need more than DISPATCH_LEVEL allows is completed by a worker. */
static void test_lock_ends_on_a_worker(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *lock = file_lock_make(file, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK);
	KIRQL irql;

	(void)state;
	rec.lowio = REC_HOLD;
	lock->irp->Flags = 0;
	assert_int_equal(req_send(lock), STATUS_PENDING);
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	assert_true(rec_release(STATUS_SUCCESS, 0));
	KeLowerIrql(irql);
	assert_int_equal(req_end(lock, NULL), STATUS_SUCCESS);
	rec.lowio = REC_INLINE;
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_UNLOCK_SINGLE, 0, 10, 0), NULL), STATUS_SUCCESS);
	file_close(file);
}

/* A pending read is cancelled once; the driver's routine runs once, and its answer is the request's. */
static void test_cancel_a_pending_read(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *read = file_read_make(file, 0, 10, true);

	(void)state;
	rec.lowio = REC_HOLD;
	assert_int_equal(req_send(read), STATUS_PENDING);
	assert_true(IoCancelIrp(read->irp));
	assert_int_equal(rec_seen(REC_CANCEL), 1);
	(void)IoCancelIrp(read->irp);
	assert_int_equal(rec_seen(REC_CANCEL), 1);
	assert_int_equal(req_end(read, NULL), STATUS_CANCELLED);
	file_close(file);
}

/* An IRP that was cancelled before it was sent never reaches the driver. */
static void test_cancelled_before_sent(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *read = file_read_make(file, 0, 10, true);

	(void)state;
	(void)IoCancelIrp(read->irp);
	assert_int_equal(req_run(read, NULL), STATUS_CANCELLED);
	assert_int_equal(rec_seen(REC_READ), 0);
	file_close(file);
}

/* After the completion a cancel finds nothing; no routine runs. */
static void test_cancel_after_completion(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *read = file_read_make(file, 0, 10, true);

	(void)state;
	rec.lowio = REC_HOLD;
	assert_int_equal(req_send(read), STATUS_PENDING);
	assert_true(rec_release(STATUS_SUCCESS, 10));
	assert_false(IoCancelIrp(read->irp));
	assert_int_equal(rec_seen(REC_CANCEL), 0);
	assert_int_equal(req_end(read, NULL), STATUS_SUCCESS);
	file_close(file);
}

/* A blocked byte-range lock keeps neither a thread nor the file. */
static void test_blocked_lock_keeps_nothing(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *lock = file_lock_make(file, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK);

	(void)state;
	rec.lowio = REC_HOLD;
	lock->irp->Flags = 0;
	assert_int_equal(req_send(lock), STATUS_PENDING);
	assert_true(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(file)->Header.Resource);
	rec.lowio = REC_INLINE;
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_true(rec_release(STATUS_SUCCESS, 0));
	assert_int_equal(req_end(lock, NULL), STATUS_SUCCESS);
	file_close(file);
	assert_int_equal(rec_seen(REC_UNLOCK_MULTIPLE), 1);
}

/* B-MRxLowIOSubmit.NOTIFY-02, -03: a notify waits, and ends with the handle's cleanup, whose own word it says. */
static void test_notify_ends_with_cleanup(void **state)
{
	PFILE_OBJECT dir;
	struct req *notify;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	notify = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY);
	notify->irp->Flags = 0;
	notify->irp->UserBuffer = notify->buffer;
	req_sp(notify)->Flags = SL_WATCH_TREE;
	req_sp(notify)->Parameters.NotifyDirectory.Length = 512;
	req_sp(notify)->Parameters.NotifyDirectory.CompletionFilter = FILE_NOTIFY_CHANGE_SIZE;
	assert_int_equal(req_send(notify), STATUS_PENDING);
	assert_true(rec.last_lowio.ParamsFor.NotifyChangeDirectory.WatchTree);
	assert_int_equal(rec.last_lowio.ParamsFor.NotifyChangeDirectory.CompletionFilter,
			 FILE_NOTIFY_CHANGE_SIZE);
	assert_int_equal(rec.last_lowio.ParamsFor.NotifyChangeDirectory.NotificationBufferLength, 512);
	assert_ptr_equal(rec.last_lowio.ParamsFor.NotifyChangeDirectory.pNotificationBuffer, notify->buffer);
	assert_int_equal(file_cleanup(dir), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CANCEL), 1);
	assert_int_equal(req_end(notify, NULL), STATUS_NOTIFY_CLEANUP);
	assert_int_equal(file_close_only(dir), STATUS_SUCCESS);
}

/* B-MRxLowIOSubmit.READ-01 and -02, WRITE-01: what the driver is told of a transfer. */
static void test_transfer_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = file_read_make(file, 123, 45, false);

	(void)state;
	req_sp(r)->Parameters.Read.Key = 77;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(rec.last_lowio.Operation, LOWIO_OP_READ);
	assert_int_equal(rec.last_lowio.ParamsFor.ReadWrite.ByteOffset, 123);
	assert_int_equal(rec.last_lowio.ParamsFor.ReadWrite.ByteCount, 45);
	assert_int_equal(rec.last_lowio.ParamsFor.ReadWrite.Key, 77);
	assert_int_equal(rec.last_lowio.ParamsFor.ReadWrite.Flags, 0);
	r = file_write_make(file, 5, 6, false);
	r->irp->Flags |= IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(rec.last_lowio.Operation, LOWIO_OP_WRITE);
	assert_int_equal(rec.last_lowio.ParamsFor.ReadWrite.Flags, LOWIO_READWRITEFLAG_PAGING_IO);
	file_close(file);
}

/* A read at the end of the file, with a negative offset, of nothing. */
static void test_read_edges(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	assert_int_equal(req_run(file_read_make(file, rec.file_size, 10, false), NULL), STATUS_END_OF_FILE);
	assert_int_equal(req_run(file_read_make(file, rec.file_size - 4, 10, false), &information),
			 STATUS_SUCCESS);
	assert_int_equal(information, 4);
	assert_int_equal(req_run(file_read_make(file, -5, 10, false), NULL), STATUS_INVALID_PARAMETER);
	assert_int_equal(req_run(file_read_make(file, INT64_MAX - 4, 10, false), NULL),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(req_run(file_read_make(file, 0, 0, false), &information), STATUS_SUCCESS);
	assert_int_equal(information, 0);
	file_close(file);
}

/* A write past the end moves the FCB's size; an append goes to the end that the server tells. */
static void test_writes_move_the_size(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r;

	(void)state;
	assert_int_equal(req_run(file_write_make(file, 10, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, rec.file_size);
	assert_int_equal(req_run(file_write_make(file, rec.file_size, 100, true), NULL), STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, rec.file_size + 100);
	assert_int_equal(fcb_of(file)->Header.ValidDataLength.QuadPart, rec.file_size + 100);

	rec.file_size = 5000; /* somebody else has cut it at the server */
	r = file_write_make(file, 0, 10, false);
	req_sp(r)->Parameters.Write.ByteOffset.LowPart = FILE_WRITE_TO_END_OF_FILE;
	req_sp(r)->Parameters.Write.ByteOffset.HighPart = -1;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(rec.last_write_offset, 5000);
	file_close(file);
}

/* B-MRxLowIOSubmit.FSCTL-01: codes and buffers; an empty slot says so. */
static void test_fsctl(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);

	(void)state;
	req_sp(r)->Parameters.FileSystemControl.FsControlCode = FSCTL_SET_SPARSE;
	req_sp(r)->Parameters.FileSystemControl.InputBufferLength = 1;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(rec.last_lowio.ParamsFor.FsCtl.FsControlCode, FSCTL_SET_SPARSE);
	assert_int_equal(rec.last_lowio.ParamsFor.FsCtl.InputBufferLength, 1);
	assert_non_null(rec.last_lowio.ParamsFor.FsCtl.pInputBuffer);

	r = req_make(file, IRP_MJ_DEVICE_CONTROL, 0);
	req_sp(r)->Parameters.DeviceIoControl.IoControlCode = 0x222000;
	assert_int_equal(req_run(r, NULL), STATUS_NOT_IMPLEMENTED);
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_read_completes_from_another_thread),
		REC_TEST(test_synchronous_read_waits),
		REC_TEST(test_resource_is_given_back_by_the_completion),
		REC_TEST(test_B_FSP_rules_05_busy_fcb_posts),
		REC_TEST(test_transfer_ends_at_dispatch_level),
		REC_TEST(test_lock_ends_on_a_worker),
		REC_TEST(test_cancel_a_pending_read),
		REC_TEST(test_cancelled_before_sent),
		REC_TEST(test_cancel_after_completion),
		REC_TEST(test_blocked_lock_keeps_nothing),
		REC_TEST(test_notify_ends_with_cleanup),
		REC_TEST(test_transfer_parameters),
		REC_TEST(test_read_edges),
		REC_TEST(test_writes_move_the_size),
		REC_TEST(test_fsctl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
