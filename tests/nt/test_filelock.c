/* Byte-range locks: who conflicts with whom, waiting and cancelling, unlocking, and the rules at the edges. */
#include "nt_test.h"

#include "ntifs.h"

static FILE_OBJECT alice = {.Type = IO_TYPE_FILE}, bob = {.Type = IO_TYPE_FILE};
static unsigned int unlocked;

static VOID on_unlock(PVOID context, PFILE_LOCK_INFO info)
{
	(void)context;
	assert_non_null(info->FileObject);
	unlocked++;
}

static NTSTATUS take(PFILE_LOCK lock, PFILE_OBJECT who, LONGLONG offset, LONGLONG length, ULONG key,
		     bool exclusive)
{
	LARGE_INTEGER o = {.QuadPart = offset}, l = {.QuadPart = length};
	IO_STATUS_BLOCK iosb;

	assert_true(FsRtlFastLock(lock, who, &o, &l, PsGetCurrentProcess(), key, TRUE, exclusive, &iosb, NULL,
				  FALSE));
	return iosb.Status;
}

static NTSTATUS drop(PFILE_LOCK lock, PFILE_OBJECT who, LONGLONG offset, LONGLONG length, ULONG key)
{
	LARGE_INTEGER o = {.QuadPart = offset}, l = {.QuadPart = length};

	return FsRtlFastUnlockSingle(lock, who, &o, &l, PsGetCurrentProcess(), key, NULL, FALSE);
}

static bool may(PFILE_LOCK lock, PFILE_OBJECT who, LONGLONG offset, LONGLONG length, ULONG key, bool to_write)
{
	LARGE_INTEGER o = {.QuadPart = offset}, l = {.QuadPart = length};

	return to_write ? FsRtlFastCheckLockForWrite(lock, &o, &l, key, who, PsGetCurrentProcess())
			: FsRtlFastCheckLockForRead(lock, &o, &l, key, who, PsGetCurrentProcess());
}

static void test_exclusive_and_shared(void **state)
{
	/* The table of [MS-FSA] 2.1.4.10. */
	FILE_LOCK lock;

	(void)state;
	FsRtlInitializeFileLock(&lock, NULL, NULL);
	assert_true(may(&lock, &bob, 0, 100, 0, true)); /* no locks at all */
	assert_int_equal(take(&lock, &alice, 10, 10, 0, true), STATUS_SUCCESS);
	assert_true(FsRtlAreThereCurrentFileLocks(&lock));
	assert_int_equal(take(&lock, &bob, 19, 1, 0, false), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(take(&lock, &bob, 20, 1, 0, true), STATUS_SUCCESS);
	assert_int_equal(take(&lock, &alice, 10, 10, 0, true),
			 STATUS_LOCK_NOT_GRANTED);                               /* not even its owner */
	assert_int_equal(take(&lock, &alice, 10, 10, 0, false), STATUS_SUCCESS); /* but shared it may */
	assert_int_equal(take(&lock, &alice, 10, 10, 7, false),
			 STATUS_LOCK_NOT_GRANTED); /* a key is another owner */
	assert_true(may(&lock, &alice, 0, 10, 0, true));
	assert_false(may(&lock, &bob, 5, 6, 0, false));
	assert_true(may(&lock, &bob, 5, 5, 0, false));
	assert_true(may(&lock, &alice, 10, 10, 0, false));
	assert_false(may(&lock, &alice, 10, 10, 0, true)); /* its own shared lock keeps it from writing */
	assert_int_equal(drop(&lock, &alice, 10, 10, 0), STATUS_SUCCESS); /* the exclusive one, taken first */
	assert_true(may(&lock, &bob, 10, 10, 0, false));
	assert_int_equal(take(&lock, &bob, 0, 100, 0, false), STATUS_SUCCESS);
	FsRtlUninitializeFileLock(&lock);
	assert_true(may(&lock, &alice, 0, 100, 0, true));
}

static void test_edges_of_ranges(void **state)
{
	/* {0,0} conflicts with nothing; a range may end at the last offset and not beyond; zero length lies between. */
	FILE_LOCK lock;

	(void)state;
	FsRtlInitializeFileLock(&lock, NULL, NULL);
	assert_int_equal(take(&lock, &alice, 0, 0, 0, true), STATUS_SUCCESS);
	assert_int_equal(take(&lock, &bob, 0, 100, 0, true), STATUS_SUCCESS);
	assert_int_equal(take(&lock, &alice, 0, 0, 0, true), STATUS_SUCCESS);
	assert_int_equal(take(&lock, &alice, 100, 0, 0, true), STATUS_SUCCESS); /* behind the last byte */
	assert_int_equal(take(&lock, &alice, 50, 0, 0, true), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(take(&lock, &alice, -1, 1, 0, true), STATUS_SUCCESS); /* offset 2^64 - 1 */
	assert_int_equal(take(&lock, &alice, -1, 2, 0, true), STATUS_INVALID_LOCK_RANGE);
	assert_int_equal(take(&lock, &alice, INT64_MAX, INT64_MAX, 0, true), STATUS_SUCCESS);
	assert_int_equal(drop(&lock, &bob, 0, 99, 0), STATUS_RANGE_NOT_LOCKED);
	assert_int_equal(drop(&lock, &alice, 0, 100, 0), STATUS_RANGE_NOT_LOCKED);
	assert_int_equal(drop(&lock, &bob, 0, 100, 0), STATUS_SUCCESS);
	assert_true(may(&lock, &alice, 0, 0, 0, true));
	FsRtlUninitializeFileLock(&lock);
	FsRtlUninitializeFileLock(&lock); /* nothing left: nothing happens */
}

static void test_unlock_all_and_by_key(void **state)
{
	/* All of one file object, or those of one key; the unlock routine hears of each. */
	FILE_LOCK lock;
	unsigned int seen = 0;

	(void)state;
	unlocked = 0;
	FsRtlInitializeFileLock(&lock, NULL, on_unlock);
	assert_int_equal(FsRtlFastUnlockAll(&lock, &alice, PsGetCurrentProcess(), NULL), STATUS_SUCCESS);
	for (LONGLONG i = 0; i < 10; i++)
		assert_int_equal(take(&lock, &alice, i * 10, 10, (ULONG)i % 2, true), STATUS_SUCCESS);
	assert_int_equal(take(&lock, &bob, 100, 10, 0, true), STATUS_SUCCESS);
	for (PFILE_LOCK_INFO p = FsRtlGetNextFileLock(&lock, TRUE); p != NULL;
	     p = FsRtlGetNextFileLock(&lock, FALSE)) {
		assert_int_equal(p->EndingByte.QuadPart, p->StartingByte.QuadPart + 9);
		seen++;
	}
	assert_int_equal(seen, 11);
	assert_int_equal(FsRtlFastUnlockAllByKey(&lock, &alice, PsGetCurrentProcess(), 1, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(unlocked, 5);
	assert_int_equal(FsRtlFastUnlockAll(&lock, &alice, PsGetCurrentProcess(), NULL), STATUS_SUCCESS);
	assert_int_equal(unlocked, 10);
	assert_int_equal(FsRtlFastUnlockAll(&lock, &alice, PsGetCurrentProcess(), NULL), STATUS_SUCCESS);
	assert_true(FsRtlAreThereCurrentFileLocks(&lock));
	assert_int_equal(drop(&lock, &bob, 100, 10, 0), STATUS_SUCCESS);
	assert_false(FsRtlAreThereCurrentFileLocks(&lock));
	FsRtlUninitializeFileLock(&lock);
}

struct wish {
	PIRP irp;
	NTSTATUS status;
	unsigned int completions;
	LARGE_INTEGER length;
};

static NTSTATUS on_wish_done(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	struct wish *wish = context;

	(void)device;
	wish->status = irp->IoStatus.Status;
	wish->completions++;
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS ask(PFILE_LOCK lock, struct wish *wish, UCHAR minor, UCHAR flags, PFILE_OBJECT who,
		    LONGLONG offset, LONGLONG length)
{
	PIO_STACK_LOCATION location;

	memset(wish, 0, sizeof(*wish));
	wish->irp = IoAllocateIrp(1, FALSE);
	wish->length.QuadPart = length;
	location = IoGetNextIrpStackLocation(wish->irp);
	location->MajorFunction = IRP_MJ_LOCK_CONTROL;
	location->MinorFunction = minor;
	location->Flags = flags;
	location->FileObject = who;
	location->Parameters.LockControl.ByteOffset.QuadPart = offset;
	location->Parameters.LockControl.Length = &wish->length;
	IoSetCompletionRoutine(wish->irp, on_wish_done, wish, TRUE, TRUE, TRUE);
	location->Flags = flags;
	IoSetNextIrpStackLocation(wish->irp);
	return FsRtlProcessFileLock(lock, wish->irp, NULL);
}

static void test_requests_wait_and_are_granted(void **state)
{
	/* Requests that may wait are granted in their order when an unlock makes room; others are refused at once. */
	struct wish first, second, third, refused, unlock;
	FILE_LOCK lock;

	(void)state;
	FsRtlInitializeFileLock(&lock, NULL, NULL);
	assert_int_equal(take(&lock, &alice, 0, 100, 0, true), STATUS_SUCCESS);
	assert_int_equal(ask(&lock, &first, IRP_MN_LOCK, SL_EXCLUSIVE_LOCK, &bob, 0, 10), STATUS_PENDING);
	assert_int_equal(ask(&lock, &second, IRP_MN_LOCK, 0, &bob, 5, 10), STATUS_PENDING);
	assert_int_equal(ask(&lock, &third, IRP_MN_LOCK, SL_EXCLUSIVE_LOCK, &bob, 50, 10), STATUS_PENDING);
	assert_int_equal(ask(&lock, &refused, IRP_MN_LOCK, SL_FAIL_IMMEDIATELY, &bob, 0, 1),
			 STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(refused.completions, 1);
	assert_true(FsRtlAreThereWaitingFileLocks(&lock));
	assert_int_equal(ask(&lock, &unlock, IRP_MN_UNLOCK_SINGLE, 0, &alice, 0, 100), STATUS_SUCCESS);
	assert_int_equal(unlock.completions, 1);
	assert_int_equal(first.completions, 1);
	assert_int_equal(first.status, STATUS_SUCCESS);
	assert_int_equal(second.completions, 1); /* shared beside its own exclusive one */
	assert_int_equal(third.completions, 1);
	assert_false(FsRtlAreThereWaitingFileLocks(&lock));
	assert_false(may(&lock, &alice, 5, 1, 0, true));
	IoFreeIrp(first.irp);
	IoFreeIrp(second.irp);
	IoFreeIrp(third.irp);
	IoFreeIrp(refused.irp);
	IoFreeIrp(unlock.irp);
	FsRtlUninitializeFileLock(&lock);
}

static void test_waiting_request_cancelled(void **state)
{
	/* Cancelling a waiting request ends it and leaves nothing behind; what the end of the file finds is told. */
	struct wish wish, late;
	FILE_LOCK lock;

	(void)state;
	FsRtlInitializeFileLock(&lock, NULL, NULL);
	assert_int_equal(take(&lock, &alice, 0, 100, 0, true), STATUS_SUCCESS);
	assert_int_equal(ask(&lock, &wish, IRP_MN_LOCK, SL_EXCLUSIVE_LOCK, &bob, 0, 10), STATUS_PENDING);
	assert_true(IoCancelIrp(wish.irp));
	assert_int_equal(wish.status, STATUS_CANCELLED);
	assert_int_equal(wish.completions, 1);
	assert_false(FsRtlAreThereWaitingFileLocks(&lock));
	assert_int_equal(drop(&lock, &alice, 0, 100, 0), STATUS_SUCCESS);
	assert_true(may(&lock, &alice, 0, 10, 0, true)); /* the cancelled one was not granted */
	IoFreeIrp(wish.irp);

	assert_int_equal(take(&lock, &alice, 0, 100, 0, true), STATUS_SUCCESS);
	assert_int_equal(ask(&lock, &late, IRP_MN_LOCK, SL_EXCLUSIVE_LOCK, &bob, 0, 10), STATUS_PENDING);
	FsRtlUninitializeFileLock(&lock);
	assert_int_equal(late.status, STATUS_RANGE_NOT_LOCKED);
	IoFreeIrp(late.irp);
}

static NTSTATUS refuse_completion(PVOID context, PIRP irp)
{
	(void)context;
	irp->IoStatus.Status = STATUS_ACCESS_DENIED;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	return STATUS_ACCESS_DENIED;
}

static void test_completion_routine_takes_a_lock_back(void **state)
{
	/* A completion routine that fails takes the lock away again. */
	struct wish wish;
	PFILE_LOCK lock;

	(void)state;
	lock = FsRtlAllocateFileLock(refuse_completion, NULL);
	(void)ask(lock, &wish, IRP_MN_LOCK, SL_EXCLUSIVE_LOCK, &bob, 0, 10);
	assert_int_equal(wish.status, STATUS_ACCESS_DENIED);
	assert_true(may(lock, &alice, 0, 10, 0, true));
	IoFreeIrp(wish.irp);
	(void)ask(lock, &wish, 77, 0, &bob, 0, 10);
	assert_int_equal(wish.completions, 1);
	IoFreeIrp(wish.irp);
	FsRtlFreeFileLock(lock);
}

#define LOCK_TEST(name) cmocka_unit_test_setup_teardown(name, nt_test_setup, nt_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCK_TEST(test_exclusive_and_shared),
		LOCK_TEST(test_edges_of_ranges),
		LOCK_TEST(test_unlock_all_and_by_key),
		LOCK_TEST(test_requests_wait_and_are_granted),
		LOCK_TEST(test_waiting_request_cancelled),
		LOCK_TEST(test_completion_routine_takes_a_lock_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
