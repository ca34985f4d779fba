/*
 * test_lock_buffering.c - byte-range locks that the server need not know of, and the end of that leave. Row
 * B-MRxCompleteBufferingStateChangeRequest-03.
 */
#include "../support/rec.h"

#define LOCKS FCB_STATE_LOCK_BUFFERING_ENABLED
#define HANDLE FCB_STATE_COLLAPSING_ENABLED
#define MANY 8

static struct {
	ULONG new_state;
	unsigned int completed;
	LONG locks_before; /* that the driver had been asked for when the change completed */
	LONGLONG refuse;   /* the offset of a range that the server will not lock; -1: none */
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
	seen.locks_before = rec_seen(REC_LOCK);
	seen.ranges = 0;
	for (at = rxc->LowIoContext.ParamsFor.Locks.LockList; at != NULL && seen.ranges < MANY;
	     at = at->Next) {
		seen.range[seen.ranges++] = *at;
		if (at->ByteOffset == seen.refuse)
			at->Status = STATUS_LOCK_NOT_GRANTED;
	}
	return STATUS_SUCCESS;
}

static int begin(void **state)
{
	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&seen, sizeof(seen));
	seen.refuse = -1;
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

static NTSTATUS try_lock(PFILE_OBJECT file, LONGLONG offset, LONGLONG length, UCHAR flags)
{
	return req_run(
		file_lock_make(file, IRP_MN_LOCK, offset, length, (UCHAR)(flags | SL_FAIL_IMMEDIATELY)),
		NULL);
}

static NTSTATUS unlock(PFILE_OBJECT file, LONGLONG offset, LONGLONG length)
{
	return req_run(file_lock_make(file, IRP_MN_UNLOCK_SINGLE, offset, length, 0), NULL);
}

/* Another open at the server of the same file: it asks for less. */
static PFILE_OBJECT open_beside(PFILE_OBJECT file)
{
	struct open_params p = {.name = REC_SHARE u"\\a", .access = FILE_READ_DATA};
	PFILE_OBJECT other;

	assert_int_equal(file_open_with(&p, &other, NULL), STATUS_SUCCESS);
	assert_ptr_equal(fcb_of(other), fcb_of(file));
	assert_ptr_not_equal(fobx_of(other)->pSrvOpen, fobx_of(file)->pSrvOpen);
	return other;
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
	assert_int_equal(rec_seen(REC_LOCK), 0); /* nobody was asked until now */
	assert_int_equal(rec_seen(REC_UNLOCK), 0);
	change_to(file, HANDLE);
	assert_int_equal(seen.ranges, 3);
	assert_int_equal(rec_seen(REC_LOCK), 0);
	assert_int_equal(seen.range[0].ByteOffset, 0); /* in the order they were taken */
	assert_int_equal(seen.range[1].ByteOffset, 100);
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
	assert_int_equal(rec_seen(REC_LOCK), 1);
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

/* An unlock that the server refuses leaves the range locked; one of a range that it does not know asks nobody. */
static void test_failed_unlock(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other = file_open(REC_SHARE u"\\a");

	(void)state;
	rec.status[REC_UNLOCK] = STATUS_ACCESS_DENIED;
	lock(file, 0, 10, SL_EXCLUSIVE_LOCK, 0);
	assert_int_equal(unlock(file, 0, 10), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_UNLOCK), 0);
	lock(file, 0, 10, SL_EXCLUSIVE_LOCK, 0);
	change_to(file, 0);
	assert_int_equal(seen.ranges, 1);
	assert_int_equal(unlock(file, 0, 10), STATUS_ACCESS_DENIED);
	assert_int_equal(try_lock(other, 0, 10, 0), STATUS_LOCK_NOT_GRANTED);
	rec.status[REC_UNLOCK] = STATUS_SUCCESS;
	assert_int_equal(unlock(file, 0, 10), STATUS_SUCCESS);
	assert_int_equal(try_lock(other, 0, 10, 0), STATUS_SUCCESS);
	file_close(other);
	file_close(file);
}

/* What the server does not know is decided here, as it would: between handles, and for one handle ([MS-FSA] 2.1.4.10). */
static void test_conflicts_of_buffered_locks(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other = open_beside(file);

	(void)state;
	assert_int_equal(try_lock(file, 0, 10, SL_EXCLUSIVE_LOCK), STATUS_SUCCESS);
	assert_int_equal(try_lock(other, 9, 1, 0), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(try_lock(other, 10, 1, 0), STATUS_SUCCESS);
	assert_int_equal(try_lock(file, 0, 10, SL_EXCLUSIVE_LOCK), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(try_lock(file, 0, 10, 0), STATUS_SUCCESS); /* to weaken it */
	assert_int_equal(unlock(file, 0, 10), STATUS_SUCCESS);
	assert_int_equal(try_lock(other, 0, 10, 0), STATUS_SUCCESS);
	assert_int_equal(try_lock(file, 0, 10, SL_EXCLUSIVE_LOCK), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(rec_seen(REC_LOCK), 0);
	file_close(other); /* takes its locks along, and asks nobody */
	assert_int_equal(rec_seen(REC_UNLOCK_MULTIPLE), 0);
	assert_int_equal(unlock(file, 0, 10), STATUS_SUCCESS);
	assert_int_equal(try_lock(file, 0, 20, SL_EXCLUSIVE_LOCK), STATUS_SUCCESS);
	file_close(file);
}

/* Locks of all opens of the file are at the server before the change is completed, whichever open it names. */
static void test_locks_of_other_opens(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other = open_beside(file);

	(void)state;
	lock(other, 0, 10, 0, 7);
	lock(file, 20, 10, SL_EXCLUSIVE_LOCK, 0);
	change_to(file, HANDLE);
	assert_int_equal(seen.locks_before, 1);
	assert_int_equal(rec.last_lowio.Operation, LOWIO_OP_SHAREDLOCK);
	assert_int_equal(rec.last_lowio.ParamsFor.Locks.ByteOffset, 0);
	assert_int_equal(rec.last_lowio.ParamsFor.Locks.Length, 10);
	assert_int_equal(rec.last_lowio.ParamsFor.Locks.Key, 7);
	assert_true((rec.last_lowio.ParamsFor.Locks.Flags & SL_FAIL_IMMEDIATELY) != 0);
	assert_int_equal(seen.ranges, 1);
	assert_true(was_told(20, 10, TRUE, 0));
	assert_int_equal(unlock(file, 20, 10), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_UNLOCK), 1); /* now it knows */
	file_close(other);
	assert_int_equal(rec_seen(REC_UNLOCK_MULTIPLE), 1);
	file_close(file);
}

/* An open whose grant is less ends the leave without a break; a driver that completes none is asked as for any lock. */
static void test_the_leave_ends_otherwise(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other;
	struct open_params p = {.name = REC_SHARE u"\\a", .access = FILE_READ_DATA};
	PRX_CONTEXT rxc;

	(void)state;
	lock(file, 0, 10, SL_EXCLUSIVE_LOCK, 0);
	rec.buffering = 0;
	assert_int_equal(file_open_with(&p, &other, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_LOCK), 1);
	assert_int_equal(rec.last_lowio.Operation, LOWIO_OP_EXCLUSIVELOCK);
	file_close(other);
	file_close(file);

	rec.buffering = LOCKS;
	rec.device->Dispatch->MRxCompleteBufferingStateChangeRequest = NULL;
	file = file_open(REC_SHARE u"\\b");
	lock(file, 0, 10, 0, 0);
	assert_int_equal(rec_seen(REC_LOCK), 1);
	rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	assert_int_equal(RxAcquireExclusiveFcb(rxc, fcb_of(file)), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingStateForSrvOpen(fcb_of(file)->pNetRoot->pSrvCall, fobx_of(file)->pSrvOpen,
						   NULL, NULL);
	RxReleaseFcb(rxc, fcb_of(file));
	RxDereferenceAndDeleteRxContext(rxc);
	assert_int_equal(rec_seen(REC_LOCK), 2);
	file_close(file);
}

static void assert_lost(PFILE_OBJECT file)
{
	assert_int_equal(req_run(file_read_make(file, 0, 1, false), NULL), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(req_run(file_write_make(file, 0, 1, false), NULL), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(try_lock(file, 900, 10, 0), STATUS_FILE_FORCED_CLOSED);
}

/* A lock that the server refuses is lost to its handle, which says so until it has given up all; others go on. */
static void test_a_refused_lock_is_lost(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), second = file_open(REC_SHARE u"\\a");
	PFILE_OBJECT other = open_beside(file);

	(void)state;
	seen.refuse = 40;
	lock(file, 40, 10, SL_EXCLUSIVE_LOCK, 0);
	lock(file, 60, 10, SL_EXCLUSIVE_LOCK, 0);
	lock(second, 80, 10, 0, 0);
	change_to(file, LOCKS | HANDLE);
	assert_int_equal(req_run(file_read_make(file, 0, 1, false), NULL),
			 STATUS_SUCCESS); /* the leave lasts */
	change_to(file, FCB_STATE_READCACHING_ENABLED | HANDLE);
	assert_lost(file);
	assert_int_equal(fcb_of(file)->FcbState & FCB_STATE_READCACHING_ENABLED, 0); /* nothing from memory */
	assert_int_equal(req_run(file_read_make(second, 0, 1, false), NULL), STATUS_SUCCESS);
	assert_int_equal(try_lock(second, 40, 10, 0), STATUS_SUCCESS); /* it is free */
	assert_int_equal(try_lock(second, 60, 10, 0), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(unlock(file, 40, 10), STATUS_RANGE_NOT_LOCKED);
	assert_int_equal(unlock(file, 60, 10), STATUS_SUCCESS);
	assert_lost(file);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_UNLOCK_ALL, 0, 0, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(file, 0, 1, false), NULL), STATUS_SUCCESS);
	file_close(other);
	file_close(second);
	file_close(file);
}

/* The same for a lock of another open than the one that the change names. */
static void test_a_refused_lock_of_another_open(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other = open_beside(file);

	(void)state;
	lock(other, 0, 10, 0, 0);
	rec.status[REC_LOCK] = STATUS_LOCK_NOT_GRANTED;
	change_to(file, HANDLE);
	rec.status[REC_LOCK] = STATUS_SUCCESS;
	assert_int_equal(req_run(file_read_make(other, 0, 1, false), NULL), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(req_run(file_read_make(file, 0, 1, false), NULL), STATUS_SUCCESS);
	file_close(other);
	file_close(file);
}

/* Data is kept back beside locks that are only here, and written before they go to the server. */
static void test_writes_beside_buffered_locks(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.buffering = LOCKS | HANDLE | FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_READCACHING_ENABLED;
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(req_run(file_write_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	lock(file, 0, 10, SL_EXCLUSIVE_LOCK, 0);
	assert_int_equal(req_run(file_write_make(file, 5, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_WRITE), 0);
	change_to(file, HANDLE);
	assert_true(rec_seen(REC_WRITE) > 0);
	assert_int_equal(seen.ranges, 1);
	file_close(file);
}

/* The leave has a number, so that whoever relied on it sees that it was another one in between. */
static void test_the_leave_has_a_number(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR first, again, server, second;

	(void)state;
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_LOCK, 0, 10, 0), &first), STATUS_SUCCESS);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_LOCK, 10, 10, 0), &again), STATUS_SUCCESS);
	assert_int_not_equal(first, 0);
	assert_int_equal(first, again);
	change_to(file, HANDLE);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_LOCK, 20, 10, 0), &server), STATUS_SUCCESS);
	assert_int_equal(server, 0);
	change_to(file, LOCKS | HANDLE);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_LOCK, 30, 10, 0), &second), STATUS_SUCCESS);
	assert_int_not_equal(second, 0);
	assert_int_not_equal(second, first);
	file_close(file);
}

/* Who would wait for a lock that the server does not know waits here, and has it as soon as it is given up. */
static void test_waiting_for_a_buffered_lock(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other = open_beside(file);
	struct req *waits, *cancelled;

	(void)state;
	lock(file, 0, 10, SL_EXCLUSIVE_LOCK, 0);
	waits = file_lock_make(other, IRP_MN_LOCK, 0, 10, 0);
	cancelled = file_lock_make(other, IRP_MN_LOCK, 0, 10, 0);
	assert_int_equal(req_send(waits), STATUS_PENDING);
	assert_int_equal(req_send(cancelled), STATUS_PENDING);
	assert_int_equal(waits->completions, 0);
	IoCancelIrp(cancelled->irp);
	assert_int_equal(req_end(cancelled, NULL), STATUS_CANCELLED);
	assert_int_equal(unlock(file, 0, 10), STATUS_SUCCESS);
	assert_int_equal(req_end(waits, NULL), STATUS_SUCCESS);
	assert_int_equal(try_lock(file, 0, 10, SL_EXCLUSIVE_LOCK), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(rec_seen(REC_LOCK), 0);

	/* the leave ends meanwhile: the server is asked when the way is free */
	waits = file_lock_make(file, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK);
	assert_int_equal(req_send(waits), STATUS_PENDING);
	change_to(other, 0);
	assert_int_equal(unlock(other, 0, 10), STATUS_SUCCESS);
	assert_int_equal(req_end(waits, NULL), STATUS_SUCCESS);
	assert_int_equal(rec.last_lowio.Operation, LOWIO_OP_EXCLUSIVELOCK);
	file_close(other);
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
		BUFFERING_TEST(test_conflicts_of_buffered_locks),
		BUFFERING_TEST(test_locks_of_other_opens),
		BUFFERING_TEST(test_the_leave_ends_otherwise),
		BUFFERING_TEST(test_a_refused_lock_is_lost),
		BUFFERING_TEST(test_a_refused_lock_of_another_open),
		BUFFERING_TEST(test_writes_beside_buffered_locks),
		BUFFERING_TEST(test_the_leave_has_a_number),
		BUFFERING_TEST(test_waiting_for_a_buffered_lock),
		BUFFERING_TEST(test_changes_beside_unlocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
