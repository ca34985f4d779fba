/*
 * test_lock_buffering.c - byte-range locks that a driver may have kept from the server, and the end of that leave. Row
 * B-MRxCompleteBufferingStateChangeRequest-03.
 */
#include "../support/rec.h"

#define LOCKS FCB_STATE_LOCK_BUFFERING_ENABLED
#define HANDLE FCB_STATE_COLLAPSING_ENABLED
#define MANY 8

static struct {
	ULONG new_state;
	unsigned int completed;
	unsigned int ranges;
	LOWIO_LOCK_LIST range[MANY];
} seen;

static NTSTATUS NTAPI compute(PMRX_SRV_OPEN so, PVOID context, PULONG state)
{
	(void)so;
	(void)context;
	*state = seen.new_state;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI complete(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID context)
{
	PLOWIO_LOCK_LIST at;

	(void)so;
	(void)context;
	seen.completed++;
	seen.ranges = 0;
	for (at = rxc->LowIoContext.ParamsFor.Locks.LockList; at != NULL && seen.ranges < MANY; at = at->Next)
		seen.range[seen.ranges++] = *at;
	return STATUS_SUCCESS;
}

static int begin(void **state)
{
	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxComputeNewBufferingState = compute;
	rec.device->Dispatch->MRxCompleteBufferingStateChangeRequest = complete;
	rec.buffering = LOCKS | HANDLE;
	return 0;
}

#define BUFFERING_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, rec_teardown)

/* The server wants the state changed: at once, for this thread holds the file. */
static void change_to(PFILE_OBJECT file, ULONG new_state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	unsigned int before = seen.completed;

	seen.new_state = new_state;
	assert_int_equal(RxAcquireExclusiveFcb(rxc, fcb_of(file)), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingStateForSrvOpen(fcb_of(file)->pNetRoot->pSrvCall, fobx_of(file)->pSrvOpen,
						   NULL, NULL);
	assert_int_equal(seen.completed, before + 1);
	RxReleaseFcb(rxc, fcb_of(file));
	RxDereferenceAndDeleteRxContext(rxc);
}

static void lock(PFILE_OBJECT file, LONGLONG offset, LONGLONG length, UCHAR flags, ULONG key)
{
	struct req *r = file_lock_make(file, IRP_MN_LOCK, offset, length, flags);

	req_sp(r)->Parameters.LockControl.Key = key;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
}

static bool was_told(LONGLONG offset, LONGLONG length, BOOLEAN exclusive, ULONG key)
{
	unsigned int i;

	for (i = 0; i < seen.ranges; i++)
		if (seen.range[i].ByteOffset == offset && seen.range[i].Length == length &&
		    seen.range[i].ExclusiveLock == exclusive && seen.range[i].Key == key)
			return true;
	return false;
}

/* What was locked under the leave, by any handle of the open, and is locked still; told once. */
static void test_B_MRxCompleteBufferingStateChangeRequest_03_lock_list(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), second = file_open(REC_SHARE u"\\a");
	PFILE_OBJECT other = file_open(REC_SHARE u"\\b");
	PVOID next = NULL;
	LARGE_INTEGER offset, length;
	BOOLEAN exclusive;
	unsigned int kept = 0;

	(void)state;
	assert_ptr_equal(fobx_of(file)->pSrvOpen, fobx_of(second)->pSrvOpen);
	assert_true(fcb_of(file)->FcbState & LOCKS);
	lock(file, 0, 10, SL_EXCLUSIVE_LOCK, 1);
	lock(file, 100, 20, 0, 2);
	lock(second, 200, 30, 0, 3);
	lock(file, 300, 40, 0, 4);
	lock(other, 400, 50, 0, 5);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_UNLOCK_SINGLE, 300, 40, 0), NULL),
			 STATUS_RANGE_NOT_LOCKED); /* another key */
	{
		struct req *r = file_lock_make(file, IRP_MN_UNLOCK_SINGLE, 300, 40, 0);

		req_sp(r)->Parameters.LockControl.Key = 4;
		assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	}
	change_to(file, HANDLE);
	assert_int_equal(seen.ranges, 3);
	assert_true(was_told(0, 10, TRUE, 1));
	assert_true(was_told(100, 20, FALSE, 2));
	assert_true(was_told(200, 30, FALSE, 3));

	/* they are locked as before, and the server has them now */
	while (RxLockEnumerator(fobx_of(file)->pSrvOpen, &next, &offset, &length, &exclusive))
		kept++;
	assert_int_equal(kept, 3);
	change_to(file, HANDLE);
	assert_int_equal(seen.ranges, 0);

	/* what is locked without the leave went to the server by itself */
	lock(file, 500, 60, 0, 6);
	change_to(file, 0);
	assert_int_equal(seen.ranges, 0);
	file_close(other);
	file_close(second);
	file_close(file);
}

/* As long as the leave lasts, each change tells them: the driver may keep them on. */
static void test_the_leave_lasts(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	lock(file, 0, 10, 0, 1);
	change_to(file, LOCKS | HANDLE);
	assert_int_equal(seen.ranges, 1);
	lock(file, 20, 10, 0, 2);
	change_to(file, LOCKS);
	assert_int_equal(seen.ranges, 2);
	change_to(file, 0);
	assert_int_equal(seen.ranges, 2);
	change_to(file, 0);
	assert_int_equal(seen.ranges, 0);
	file_close(file);
}

/* An unlock that failed leaves the range locked, and still unknown to the server. */
static void test_failed_unlock(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	lock(file, 0, 10, 0, 0);
	rec.status[REC_UNLOCK] = STATUS_ACCESS_DENIED;
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_UNLOCK_SINGLE, 0, 10, 0), NULL),
			 STATUS_ACCESS_DENIED);
	rec.status[REC_UNLOCK] = STATUS_SUCCESS;
	change_to(file, 0);
	assert_int_equal(seen.ranges, 1);
	assert_true(was_told(0, 10, FALSE, 0));
	file_close(file);
}

/* ---- changes while others lock and unlock ---- */

#define ROUNDS 300

static volatile LONG stop_locking;

static void lock_and_unlock(void *context)
{
	PFILE_OBJECT file = context;

	while (InterlockedExchangeAdd(&stop_locking, 0) == 0) {
		LONG i;

		for (i = 0; i < 4; i++)
			(void)req_run(file_lock_make(file, IRP_MN_LOCK, i * 10, 10, 0), NULL);
		(void)req_run(file_lock_make(file, IRP_MN_UNLOCK_SINGLE, 10, 10, 0), NULL);
		(void)req_run(file_lock_make(file, IRP_MN_UNLOCK_ALL, 0, 0, 0), NULL);
	}
}

/* The list that the driver walks stays whole while others unlock: they wait for the file. */
static void test_changes_beside_unlocks(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct nt_thread *thread;
	unsigned int i;

	(void)state;
	rec.quiet = true;
	stop_locking = 0;
	assert_int_equal(nt_thread_create("locker", lock_and_unlock, file, &thread), STATUS_SUCCESS);
	for (i = 0; i < ROUNDS; i++) {
		unsigned int j;

		change_to(file, LOCKS | HANDLE);
		for (j = 0; j < seen.ranges; j++)
			assert_int_equal(seen.range[j].Length, 10);
		assert_true(seen.ranges <= 4);
	}
	InterlockedExchange(&stop_locking, 1);
	nt_thread_join(thread);
	rec.quiet = false;
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERING_TEST(test_B_MRxCompleteBufferingStateChangeRequest_03_lock_list),
		BUFFERING_TEST(test_the_leave_lasts),
		BUFFERING_TEST(test_failed_unlock),
		BUFFERING_TEST(test_changes_beside_unlocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
