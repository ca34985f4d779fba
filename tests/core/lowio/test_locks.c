/*
 * test_locks.c - byte-range locks. Rows B-MRxLowIOSubmit.SHAREDLOCK, .EXCLUSIVELOCK, .UNLOCK, .UNLOCK_MULTIPLE,
 * B-MRxIsLockRealizable, B-RxLockEnumerator.
 */
#include "../support/rec.h"

#define MANY 8

static struct {
	unsigned int shared, exclusive, unlock, multiple, realizable;
	LOWIO_CONTEXT lowio;
	struct {
		LONGLONG offset, length;
		ULONG key;
		BOOLEAN exclusive;
	} range[MANY];
	unsigned int ranges;
	/* MRxIsLockRealizable */
	LONGLONG offset, length;
	ULONG flags;
	NTSTATUS answer;
	unsigned int locks_then; /* how many locks the slots had seen */
} saw;

static NTSTATUS NTAPI lock_shared(PRX_CONTEXT rxc)
{
	saw.shared++;
	saw.lowio = rxc->LowIoContext;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI lock_exclusive(PRX_CONTEXT rxc)
{
	saw.exclusive++;
	saw.lowio = rxc->LowIoContext;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI unlock(PRX_CONTEXT rxc)
{
	saw.unlock++;
	saw.lowio = rxc->LowIoContext;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI unlock_multiple(PRX_CONTEXT rxc)
{
	PLOWIO_LOCK_LIST at;

	saw.multiple++;
	saw.lowio = rxc->LowIoContext;
	for (at = rxc->LowIoContext.ParamsFor.Locks.LockList; at != NULL && saw.ranges < MANY;
	     at = at->Next) {
		saw.range[saw.ranges].offset = at->ByteOffset;
		saw.range[saw.ranges].length = at->Length;
		saw.range[saw.ranges].key = at->Key;
		saw.range[saw.ranges].exclusive = at->ExclusiveLock;
		saw.ranges++;
	}
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI is_realizable(PMRX_FCB fcb, PLARGE_INTEGER offset, PLARGE_INTEGER length, ULONG flags)
{
	(void)fcb;
	saw.realizable++;
	saw.offset = offset->QuadPart;
	saw.length = length->QuadPart;
	saw.flags = flags;
	saw.locks_then = saw.shared + saw.exclusive;
	return saw.answer;
}

static int begin(void **state)
{
	PMINIRDR_DISPATCH dispatch;

	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&saw, sizeof(saw));
	dispatch = rec.device->Dispatch;
	dispatch->MRxLowIOSubmit[LOWIO_OP_SHAREDLOCK] = lock_shared;
	dispatch->MRxLowIOSubmit[LOWIO_OP_EXCLUSIVELOCK] = lock_exclusive;
	dispatch->MRxLowIOSubmit[LOWIO_OP_UNLOCK] = unlock;
	dispatch->MRxLowIOSubmit[LOWIO_OP_UNLOCK_MULTIPLE] = unlock_multiple;
	return 0;
}

#define LOCK_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, rec_teardown)

/* A lock or unlock request with a key. */
static NTSTATUS lock(PFILE_OBJECT file, UCHAR minor, LONGLONG offset, LONGLONG length, UCHAR flags, ULONG key)
{
	struct req *r = file_lock_make(file, minor, offset, length, flags);

	req_sp(r)->Parameters.LockControl.Key = key;
	return req_run(r, NULL);
}

static void assert_range(LONGLONG offset, LONGLONG length, ULONG key)
{
	assert_int_equal(saw.lowio.ParamsFor.Locks.ByteOffset, offset);
	assert_int_equal(saw.lowio.ParamsFor.Locks.Length, length);
	assert_int_equal(saw.lowio.ParamsFor.Locks.Key, key);
}

/* Without SL_EXCLUSIVE_LOCK a lock is the shared slot's (E-26), whatever the other flags are. */
static void test_B_MRxLowIOSubmit_SHAREDLOCK_01_which_slot(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(lock(file, IRP_MN_LOCK, 0, 10, 0, 0), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_LOCK, 20, 10, SL_FAIL_IMMEDIATELY, 0), STATUS_SUCCESS);
	assert_int_equal(saw.shared, 2);
	assert_int_equal(saw.exclusive, 0);
	file_close(file);
}

static void test_B_MRxLowIOSubmit_SHAREDLOCK_02_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(lock(file, IRP_MN_LOCK, 0x100000002, 0x300000004, SL_FAIL_IMMEDIATELY, 5),
			 STATUS_SUCCESS);
	assert_int_equal(saw.lowio.Operation, LOWIO_OP_SHAREDLOCK);
	assert_range(0x100000002, 0x300000004, 5);
	assert_int_equal(saw.lowio.ParamsFor.Locks.Flags, LOWIO_LOCKSFLAG_FAIL_IMMEDIATELY);
	file_close(file);
}

static void test_B_MRxLowIOSubmit_EXCLUSIVELOCK_01_which_slot(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(lock(file, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK, 0), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_LOCK, 20, 10, SL_EXCLUSIVE_LOCK | SL_FAIL_IMMEDIATELY, 0),
			 STATUS_SUCCESS);
	assert_int_equal(saw.exclusive, 2);
	assert_int_equal(saw.shared, 0);
	file_close(file);
}

static void test_B_MRxLowIOSubmit_EXCLUSIVELOCK_02_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(lock(file, IRP_MN_LOCK, 0x500000006, 0x700000008, SL_EXCLUSIVE_LOCK, 9),
			 STATUS_SUCCESS);
	assert_int_equal(saw.lowio.Operation, LOWIO_OP_EXCLUSIVELOCK);
	assert_range(0x500000006, 0x700000008, 9);
	assert_int_equal(saw.lowio.ParamsFor.Locks.Flags, LOWIO_LOCKSFLAG_EXCLUSIVELOCK);
	file_close(file);
}

/* One range of one key; another key's lock of the same range stays. */
static void test_B_MRxLowIOSubmit_UNLOCK_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(lock(file, IRP_MN_LOCK, 100, 50, 0, 3), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_UNLOCK_SINGLE, 100, 50, 0, 4), STATUS_RANGE_NOT_LOCKED);
	assert_int_equal(saw.unlock, 0);
	assert_int_equal(lock(file, IRP_MN_UNLOCK_SINGLE, 100, 50, 0, 3), STATUS_SUCCESS);
	assert_int_equal(saw.unlock, 1);
	assert_int_equal(saw.multiple, 0);
	assert_int_equal(saw.lowio.Operation, LOWIO_OP_UNLOCK);
	assert_range(100, 50, 3);
	file_close(file);
	assert_int_equal(saw.multiple, 0); /* nothing was left for the cleanup */
}

static bool has_range(LONGLONG offset, LONGLONG length, ULONG key, BOOLEAN exclusive)
{
	unsigned int i;

	for (i = 0; i < saw.ranges; i++)
		if (saw.range[i].offset == offset && saw.range[i].length == length &&
		    saw.range[i].key == key && saw.range[i].exclusive == exclusive)
			return true;
	return false;
}

/* All ranges at once, or those of one key; each is in the list, the others are not, nothing is there twice. */
static void test_B_MRxLowIOSubmit_UNLOCK_MULTIPLE_01_each_range(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(lock(file, IRP_MN_LOCK, 0, 10, 0, 1), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_LOCK, 20, 11, SL_EXCLUSIVE_LOCK, 2), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_LOCK, 40, 12, 0, 1), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_LOCK, 60, 13, SL_EXCLUSIVE_LOCK, 3), STATUS_SUCCESS);
	assert_int_equal(lock(other, IRP_MN_LOCK, 80, 14, 0, 1), STATUS_SUCCESS);

	assert_int_equal(lock(file, IRP_MN_UNLOCK_ALL_BY_KEY, 0, 0, 0, 1), STATUS_SUCCESS);
	assert_int_equal(saw.multiple, 1);
	assert_int_equal(saw.lowio.Operation, LOWIO_OP_UNLOCK_MULTIPLE);
	assert_int_equal(saw.ranges, 2);
	assert_true(has_range(0, 10, 1, FALSE));
	assert_true(has_range(40, 12, 1, FALSE));

	saw.ranges = 0;
	assert_int_equal(lock(file, IRP_MN_UNLOCK_ALL, 0, 0, 0, 0), STATUS_SUCCESS);
	assert_int_equal(saw.multiple, 2);
	assert_int_equal(saw.ranges, 2);
	assert_true(has_range(20, 11, 2, TRUE));
	assert_true(has_range(60, 13, 3, TRUE));
	assert_int_equal(saw.unlock, 0);

	/* the cleanup of a handle gives up what it still has */
	saw.ranges = 0;
	file_close(file);
	assert_int_equal(saw.multiple, 2);
	file_close(other);
	assert_int_equal(saw.multiple, 3);
	assert_int_equal(saw.ranges, 1);
	assert_true(has_range(80, 14, 1, FALSE));
}

/* Asked before the lock is taken; a refusal refuses the lock, and nothing is locked. */
static void test_B_MRxIsLockRealizable_01_may_refuse(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	LARGE_INTEGER offset, length;
	PVOID next = NULL;
	BOOLEAN exclusive;

	(void)state;
	rec.device->Dispatch->MRxIsLockRealizable = is_realizable;
	assert_int_equal(lock(file, IRP_MN_LOCK, 7, 8, SL_EXCLUSIVE_LOCK, 0), STATUS_SUCCESS);
	assert_int_equal(saw.realizable, 1);
	assert_int_equal(saw.locks_then, 0);
	assert_int_equal(saw.offset, 7);
	assert_int_equal(saw.length, 8);
	assert_int_equal(lock(file, IRP_MN_UNLOCK_SINGLE, 7, 8, 0, 0), STATUS_SUCCESS);
	assert_int_equal(saw.realizable, 1); /* an unlock needs no leave */

	saw.answer = STATUS_NOT_SUPPORTED;
	assert_int_equal(lock(file, IRP_MN_LOCK, 7, 8, SL_EXCLUSIVE_LOCK, 0), STATUS_NOT_SUPPORTED);
	assert_int_equal(saw.realizable, 2);
	assert_int_equal(saw.exclusive, 1);
	assert_false(RxLockEnumerator(fobx_of(file)->pSrvOpen, &next, &offset, &length, &exclusive));
	file_close(file);
}

/* A shared lock shows as the exclusive flag not set. */
static void test_B_MRxIsLockRealizable_02_flags(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	rec.device->Dispatch->MRxIsLockRealizable = is_realizable;
	saw.flags = MAXULONG;
	assert_int_equal(lock(file, IRP_MN_LOCK, 0, 1, SL_FAIL_IMMEDIATELY, 0), STATUS_SUCCESS);
	assert_int_equal(saw.flags, LOWIO_LOCKSFLAG_FAIL_IMMEDIATELY);
	assert_int_equal(lock(file, IRP_MN_LOCK, 5, 1, SL_EXCLUSIVE_LOCK, 0), STATUS_SUCCESS);
	assert_int_equal(saw.flags, LOWIO_LOCKSFLAG_EXCLUSIVELOCK);
	file_close(file);
}

/* ---- RxLockEnumerator ---- */

struct enumeration {
	PVOID next;
	LARGE_INTEGER offset, length;
	BOOLEAN exclusive;
};

static BOOLEAN step(PFILE_OBJECT file, struct enumeration *e)
{
	return RxLockEnumerator(fobx_of(file)->pSrvOpen, &e->next, &e->offset, &e->length, &e->exclusive);
}

static PFILE_OBJECT open_with_three_locks(void)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	assert_int_equal(lock(file, IRP_MN_LOCK, 100, 1, 0, 0), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_LOCK, 200, 2, SL_EXCLUSIVE_LOCK, 0), STATUS_SUCCESS);
	assert_int_equal(lock(file, IRP_MN_LOCK, 300, 3, 0, 0), STATUS_SUCCESS);
	return file;
}

/* A NULL continuation starts; each call gives one lock, with its range and kind, no lock twice. */
static void test_B_RxLockEnumerator_01_one_by_one(void **state)
{
	PFILE_OBJECT file = open_with_three_locks();
	struct enumeration e = {0};
	unsigned int found = 0, i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_true(step(file, &e));
		assert_non_null(e.next);
		assert_int_equal(e.offset.QuadPart, e.length.QuadPart * 100);
		assert_int_equal(e.exclusive, e.length.QuadPart == 2);
		found |= 1U << e.length.QuadPart;
	}
	assert_int_equal(found, 0xe);
	e.next = NULL;
	assert_true(step(file, &e)); /* and NULL starts again */
	file_close(file);
}

static void test_B_RxLockEnumerator_02_end_of_list(void **state)
{
	PFILE_OBJECT file = open_with_three_locks(), none = file_open(REC_SHARE u"\\b");
	struct enumeration e = {0}, empty = {0};

	(void)state;
	assert_false(step(none, &empty));
	while (e.offset.QuadPart != 100) /* the oldest comes last */
		assert_true(step(file, &e));
	assert_false(step(file, &e));
	file_close(none);
	file_close(file);
}

/* Where the page's routine fails without memory, this one has nothing to allocate: it answers all the same. */
static void test_B_RxLockEnumerator_03_needs_no_memory(void **state)
{
	PFILE_OBJECT file = open_with_three_locks();
	struct enumeration e = {0};
	unsigned int found = 0;

	(void)state;
	nt_fault_arm(0);
	while (step(file, &e))
		found++;
	assert_false(nt_fault_disarm()); /* nothing asked for memory */
	assert_int_equal(found, 3);
	file_close(file);
}

/* The page allows one enumeration at a time; here its state is the caller's alone, so two do not disturb each other. */
static void test_B_RxLockEnumerator_04_state_is_the_callers(void **state)
{
	PFILE_OBJECT file = open_with_three_locks();
	struct enumeration a = {0}, b = {0};
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_true(step(file, &a));
		assert_true(step(file, &b));
		assert_int_equal(a.offset.QuadPart, b.offset.QuadPart);
	}
	assert_false(step(file, &a));
	assert_false(step(file, &b));
	file_close(file);
}

/* ---- two handles of one open ---- */

/* The server does not tell them apart, so a lock of one waits here for the other's: until it goes, or the waiter does. */
static void test_two_handles_of_one_open_wait(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");
	struct req *waits;

	(void)state;
	assert_ptr_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	assert_int_equal(lock(a, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK, 0), STATUS_SUCCESS);
	assert_int_equal(lock(b, IRP_MN_LOCK, 0, 10, SL_FAIL_IMMEDIATELY, 0), STATUS_LOCK_NOT_GRANTED);
	waits = file_lock_make(b, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK);
	assert_int_equal(req_send(waits), STATUS_PENDING);
	assert_int_equal(saw.exclusive, 1);
	assert_int_equal(lock(a, IRP_MN_UNLOCK_SINGLE, 0, 10, 0, 0), STATUS_SUCCESS);
	assert_int_equal(req_end(waits, NULL), STATUS_SUCCESS);
	assert_int_equal(saw.exclusive, 2);

	waits = file_lock_make(a, IRP_MN_LOCK, 5, 10, 0);
	assert_int_equal(req_send(waits), STATUS_PENDING);
	assert_int_equal(file_cleanup(b), STATUS_SUCCESS); /* gives up what it has */
	assert_int_equal(req_end(waits, NULL), STATUS_SUCCESS);
	assert_int_equal(file_close_only(b), STATUS_SUCCESS);
	file_close(a);
}

/* A lock that waits ends with its handle. */
static void test_waiting_ends_with_the_handle(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");
	struct req *waits;

	(void)state;
	assert_int_equal(lock(a, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK, 0), STATUS_SUCCESS);
	waits = file_lock_make(b, IRP_MN_LOCK, 0, 10, 0);
	assert_int_equal(req_send(waits), STATUS_PENDING);
	assert_int_equal(file_cleanup(b), STATUS_SUCCESS);
	assert_int_equal(req_end(waits, NULL), STATUS_CANCELLED);
	assert_int_equal(file_close_only(b), STATUS_SUCCESS);
	file_close(a);
	assert_int_equal(saw.shared, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCK_TEST(test_B_MRxLowIOSubmit_SHAREDLOCK_01_which_slot),
		LOCK_TEST(test_B_MRxLowIOSubmit_SHAREDLOCK_02_parameters),
		LOCK_TEST(test_B_MRxLowIOSubmit_EXCLUSIVELOCK_01_which_slot),
		LOCK_TEST(test_B_MRxLowIOSubmit_EXCLUSIVELOCK_02_parameters),
		LOCK_TEST(test_B_MRxLowIOSubmit_UNLOCK_01_parameters),
		LOCK_TEST(test_B_MRxLowIOSubmit_UNLOCK_MULTIPLE_01_each_range),
		LOCK_TEST(test_B_MRxIsLockRealizable_01_may_refuse),
		LOCK_TEST(test_B_MRxIsLockRealizable_02_flags),
		LOCK_TEST(test_B_RxLockEnumerator_01_one_by_one),
		LOCK_TEST(test_B_RxLockEnumerator_02_end_of_list),
		LOCK_TEST(test_B_RxLockEnumerator_03_needs_no_memory),
		LOCK_TEST(test_B_RxLockEnumerator_04_state_is_the_callers),
		LOCK_TEST(test_two_handles_of_one_open_wait),
		LOCK_TEST(test_waiting_ends_with_the_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
