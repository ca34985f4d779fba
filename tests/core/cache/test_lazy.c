/*
 * test_lazy.c - old data goes to the server although nobody asks, whatever becomes of the data of other files.
 */
#include "../support/filesrv.h"

#include "core/cache/block.h"

#define PATIENCE 20000 /* ms; it is 1.5 s when all is well */

static NTSTATUS (*answer)(PRX_CONTEXT rxc); /* the server of filesrv.h */
static PVOID volatile unanswered;           /* PRX_CONTEXT: the write of \slow */

static NTSTATUS answer_all_but_one(PRX_CONTEXT rxc)
{
	static const UNICODE_STRING slow = RTL_CONSTANT_STRING(u"\\slow");

	if (rxc->LowIoContext.Operation != LOWIO_OP_WRITE ||
	    !RtlEqualUnicodeString(&((PFCB)rxc->pFcb)->PrivateAlreadyPrefixedName, &slow, TRUE))
		return answer(rxc);
	assert_null(InterlockedExchangePointer(&unanswered, rxc));
	return STATUS_PENDING;
}

static void answer_at_last(void)
{
	PRX_CONTEXT rxc = InterlockedExchangePointer(&unanswered, NULL);

	assert_non_null(rxc);
	rxc->InformationToReturn = rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount;
	rxc->StoredStatus = STATUS_SUCCESS;
	(void)RxLowIoCompletion(rxc);
}

static int setup(void **state)
{
	if (filesrv_setup(state) != 0)
		return -1;
	answer = rec.lowio_hook;
	rec.lowio_hook = answer_all_but_one;
	return 0;
}

#define LAZY_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, rec_teardown)

static void moment(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
}

#define WAIT_UNTIL(condition) \
	do { \
		unsigned int left; \
		for (left = PATIENCE; left > 0 && !(condition); left--) \
			moment(); \
		assert_true(left > 0); \
	} while (0)

static bool is_written(PFILE_OBJECT file)
{
	return __atomic_load_n(&fcb_of(file)->WriteBehindBlocks, __ATOMIC_ACQUIRE) == 0;
}

static bool is_sent(void)
{
	return InterlockedCompareExchangePointer(&unanswered, NULL, NULL) != NULL;
}

/* The server never answers the write of one file: the old data of others goes all the same, and what waits is small. */
static void test_a_write_without_an_answer_holds_up_no_other_file(void **state)
{
	PFILE_OBJECT slow = file_open(REC_SHARE u"\\slow"), other = open_a();
	unsigned long before;

	(void)state;
	put(slow, 0, "slow", 4);
	put(other, 0, "fast", 4);
	before = nt_pool_bytes();
	WAIT_UNTIL(is_sent());
	WAIT_UNTIL(is_written(other));
	assert_memory_equal(server.bytes, "fast", 4);
	put(other, 4, "more", 4); /* and so it goes on */
	WAIT_UNTIL(is_written(other));
	assert_memory_equal(server.bytes, "fastmore", 8);
	assert_true(is_sent());
	assert_false(is_written(slow));
	assert_true(nt_pool_bytes() < before + BLOCK);
	answer_at_last();
	WAIT_UNTIL(is_written(slow)); /* nobody has to ask for that either */
	file_close(slow);
	file_close(other);
}

/* A request that waits at the server holds a file: its data has to wait, that of others has not. */
static void test_a_file_in_use_holds_up_no_other(void **state)
{
	PFILE_OBJECT busy = file_open(REC_SHARE u"\\busy"), other = open_a();

	(void)state;
	put(busy, 0, "busy", 4);
	put(other, 0, "fast!", 5);
	assert_int_equal(RxAcquireExclusiveFcb(NULL, fcb_of(busy)), STATUS_SUCCESS);
	WAIT_UNTIL(is_written(other));
	assert_memory_equal(server.bytes, "fast!", 5);
	assert_false(is_written(busy));
	RxReleaseFcb(NULL, fcb_of(busy));
	WAIT_UNTIL(is_written(busy));
	assert_memory_equal(server.bytes, "busy!", 5);
	file_close(busy);
	file_close(other);
}

/* More than may be on the way at once: what follows goes as answers come, all that was there when it began. */
static void test_all_of_it_goes(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	server.deaf = true;
	server.late = true;
	for (LONGLONG i = 0; i < 1000; i++)
		put(file, i * 2 * BLOCK, "z", 1);
	WAIT_UNTIL(is_written(file));
	assert_int_equal(server.writes, 1000);
	assert_int_equal(server.largest, 1);
	file_close(file);
}

/* What fails is told by the handle, and not tried again until somebody asks. */
static void test_what_fails_is_told(void **state)
{
	PFILE_OBJECT file = open_a();
	LONG writes;

	(void)state;
	server.late = true;
	server.refuse = STATUS_DISK_FULL;
	put(file, 0, "data", 4);
	WAIT_UNTIL(__atomic_load_n(&fcb_of(file)->WriteBehindFailures, __ATOMIC_ACQUIRE) != 0);
	writes = server.writes;
	assert_int_equal(writes, 1);
	server.refuse = STATUS_SUCCESS;
	assert_int_equal(flush(file, IRP_MN_FLUSH_NO_SYNC), STATUS_DISK_FULL);
	assert_true(is_written(file));
	assert_memory_equal(server.bytes, "data", 4);
	file_close(file);
}

static VOID NTAPI answer_once_it_closes(PVOID context)
{
	PFOBX fobx = context;

	while (InterlockedCompareExchange(&fobx->CleanupBegun, 0, 0) == 0)
		moment();
	answer_at_last();
}

/* The handle ends while its data is on the way: its end waits for the answer, and then nothing is left. */
static void test_a_handle_ends_meanwhile(void **state)
{
	PFILE_OBJECT slow = file_open(REC_SHARE u"\\slow");

	(void)state;
	put(slow, 0, "slow", 4);
	WAIT_UNTIL(is_sent());
	assert_int_equal(
		RxDispatchToWorkerThread(rec.device, DelayedWorkQueue, answer_once_it_closes, fobx_of(slow)),
		STATUS_SUCCESS);
	assert_int_equal(file_cleanup(slow), STATUS_SUCCESS);
	assert_false(is_sent());
	assert_true(is_written(slow));
	assert_int_equal(file_close_only(slow), STATUS_SUCCESS);
}

/* A stop cancels what is on the way, and ends; the handle tells that its data was lost. */
static void test_a_stop_ends_it(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.lowio_hook = NULL;
	rec.lowio = REC_HOLD;
	file = open_a();
	put(file, 0, "lost", 4);
	rec_wait_held(1);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_false(NT_SUCCESS(file_cleanup(file)));
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAZY_TEST(test_a_write_without_an_answer_holds_up_no_other_file),
		LAZY_TEST(test_a_file_in_use_holds_up_no_other),
		LAZY_TEST(test_all_of_it_goes),
		LAZY_TEST(test_what_fails_is_told),
		LAZY_TEST(test_a_handle_ends_meanwhile),
		LAZY_TEST(test_a_stop_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
