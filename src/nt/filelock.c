/*
 * filelock.c - byte-range locks: granted ranges and requests that wait for one.
 *
 * Owns:      struct nt_file_locks behind FILE_LOCK.LockInformation, made by the first lock of a file, and an entry
 *            per granted or waiting range. A waiting IRP is the file system's until granted or cancelled.
 * Locks:     nt_file_locks.lock, a leaf; IRPs are completed and routines called outside of it.
 * Dies when: FsRtlUninitializeFileLock().
 *
 *   request --free--> granted --unlock--> gone
 *      +--taken--> waiting --an unlock made room--> granted
 *                     +--cancel--> STATUS_CANCELLED
 *
 * Who takes a waiting request out is decided by its cancel routine, as everywhere (cancel.c). Requests that wait are
 * granted in the order they came; a new request does not stand behind them, as on Windows.
 */
#include "exec.h"
#include "filelock.h"
#include "pool.h"

#define NT_TAG_FILE_LOCK 'kLfN'

struct nt_file_locks {
	KSPIN_LOCK lock;
	LIST_ENTRY granted; /* struct nt_file_range */
	LIST_ENTRY waiting; /* in order of arrival */
	uint64_t last_serial;
};

struct nt_file_range {
	LIST_ENTRY link;
	FILE_LOCK_INFO info;
	uint64_t serial; /* names it when its memory may be another's */
	PIRP irp;        /* of a waiting one, and of one just granted */
	PVOID context;
};

VOID FsRtlInitializeFileLock(PFILE_LOCK FileLock, PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine,
			     PUNLOCK_ROUTINE UnlockRoutine)
{
	memset(FileLock, 0, sizeof(*FileLock));
	FileLock->CompleteLockIrpRoutine = CompleteLockIrpRoutine;
	FileLock->UnlockRoutine = UnlockRoutine;
}

PFILE_LOCK FsRtlAllocateFileLock(PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine,
				 PUNLOCK_ROUTINE UnlockRoutine)
{
	PFILE_LOCK lock = ExAllocatePoolWithTag(PagedPool, sizeof(*lock), NT_TAG_FILE_LOCK);

	if (lock != NULL)
		FsRtlInitializeFileLock(lock, CompleteLockIrpRoutine, UnlockRoutine);
	return lock;
}

VOID FsRtlFreeFileLock(PFILE_LOCK FileLock)
{
	FsRtlUninitializeFileLock(FileLock);
	ExFreePoolWithTag(FileLock, NT_TAG_FILE_LOCK);
}

static struct nt_file_locks *nt_file_locks_of(PFILE_LOCK file_lock)
{
	return __atomic_load_n(&file_lock->LockInformation, __ATOMIC_ACQUIRE);
}

/* The file's ranges, made when there are none yet; NULL without memory. */
static struct nt_file_locks *nt_file_locks_make(PFILE_LOCK file_lock)
{
	struct nt_file_locks *locks = nt_file_locks_of(file_lock), *other;

	if (locks != NULL)
		return locks;
	locks = ExAllocatePoolWithTag(NonPagedPool, sizeof(*locks), NT_TAG_FILE_LOCK);
	if (locks == NULL)
		return NULL;
	memset(locks, 0, sizeof(*locks));
	KeInitializeSpinLock(&locks->lock);
	InitializeListHead(&locks->granted);
	InitializeListHead(&locks->waiting);
	other = InterlockedCompareExchangePointer(&file_lock->LockInformation, locks, NULL);
	if (other == NULL)
		return locks;
	ExFreePoolWithTag(locks, NT_TAG_FILE_LOCK); /* somebody was first */
	return other;
}

static bool nt_file_range_same_owner(const FILE_LOCK_INFO *a, const FILE_LOCK_INFO *b)
{
	return a->FileObject == b->FileObject && a->ProcessId == b->ProcessId && a->Key == b->Key;
}

static bool nt_file_range_is_nowhere(const FILE_LOCK_INFO *range)
{
	return range->StartingByte.QuadPart == 0 && range->Length.QuadPart == 0;
}

/* [MS-FSA] 2.1.4.10: may `wanted` be had beside what is granted? `to_lock`: as a lock; else to read or write. */
static bool nt_file_locks_conflict_locked(const struct nt_file_locks *locks, const FILE_LOCK_INFO *wanted,
					  bool to_lock)
{
	uint64_t first = (uint64_t)wanted->StartingByte.QuadPart,
		 last = (uint64_t)wanted->EndingByte.QuadPart;

	if (nt_file_range_is_nowhere(wanted))
		return false;
	for (PLIST_ENTRY at = locks->granted.Flink; at != &locks->granted; at = at->Flink) {
		const FILE_LOCK_INFO *held = &CONTAINING_RECORD(at, struct nt_file_range, link)->info;

		if (nt_file_range_is_nowhere(held) || first > (uint64_t)held->EndingByte.QuadPart ||
		    last < (uint64_t)held->StartingByte.QuadPart)
			continue;
		if (held->ExclusiveLock) {
			if (!nt_file_range_same_owner(held, wanted) || (wanted->ExclusiveLock && to_lock))
				return true;
		} else if (wanted->ExclusiveLock) {
			return true;
		}
	}
	return false;
}

static void nt_file_range_describe(FILE_LOCK_INFO *info, PFILE_OBJECT file, LONGLONG offset, LONGLONG length,
				   PVOID process, ULONG key, BOOLEAN exclusive)
{
	memset(info, 0, sizeof(*info));
	info->StartingByte.QuadPart = offset;
	info->Length.QuadPart = length;
	info->EndingByte.QuadPart = (LONGLONG)((uint64_t)offset + (uint64_t)length - 1);
	info->ExclusiveLock = exclusive;
	info->Key = key;
	info->FileObject = file;
	info->ProcessId = process;
}

/* Completes a lock IRP, by the file system's routine where there is one. */
static NTSTATUS nt_file_lock_complete(PFILE_LOCK file_lock, PIRP irp, PVOID context, NTSTATUS status)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = 0;
	if (file_lock->CompleteLockIrpRoutine != NULL)
		return file_lock->CompleteLockIrpRoutine(context, irp);
	IofCompleteRequest(irp, IO_NO_INCREMENT);
	return status;
}

/* Takes a granted range away, by its serial; without a word to UnlockRoutine. */
static void nt_file_locks_revoke(struct nt_file_locks *locks, uint64_t serial)
{
	struct nt_file_range *found = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&locks->lock, &irql);
	for (PLIST_ENTRY at = locks->granted.Flink; at != &locks->granted && found == NULL; at = at->Flink) {
		found = CONTAINING_RECORD(at, struct nt_file_range, link);
		if (found->serial != serial)
			found = NULL;
	}
	if (found != NULL)
		RemoveEntryList(&found->link);
	KeReleaseSpinLock(&locks->lock, irql);
	if (found != NULL)
		ExFreePoolWithTag(found, NT_TAG_FILE_LOCK);
}

/* Takes the first waiting request that can be granted now; NULL: none. Its cancel routine is out. */
static PIRP nt_file_locks_grant_one_locked(struct nt_file_locks *locks, uint64_t *serial, PVOID *context)
{
	for (PLIST_ENTRY at = locks->waiting.Flink; at != &locks->waiting; at = at->Flink) {
		struct nt_file_range *range = CONTAINING_RECORD(at, struct nt_file_range, link);

		if (nt_file_locks_conflict_locked(locks, &range->info, true))
			continue;
		if (IoSetCancelRoutine(range->irp, NULL) == NULL)
			continue; /* the canceller has it and takes it off the list */
		RemoveEntryList(&range->link);
		InsertTailList(&locks->granted, &range->link);
		*serial = range->serial;
		*context = range->context;
		return range->irp;
	}
	return NULL;
}

/* After something was released: grants what can be granted, one at a time, completing outside of the lock. */
static void nt_file_locks_serve(PFILE_LOCK file_lock, struct nt_file_locks *locks)
{
	for (;;) {
		PVOID context = NULL;
		uint64_t serial = 0;
		KIRQL irql;
		PIRP irp;

		KeAcquireSpinLock(&locks->lock, &irql);
		irp = nt_file_locks_grant_one_locked(locks, &serial, &context);
		KeReleaseSpinLock(&locks->lock, irql);
		if (irp == NULL)
			return;
		if (!NT_SUCCESS(nt_file_lock_complete(file_lock, irp, context, STATUS_SUCCESS)))
			nt_file_locks_revoke(locks, serial);
	}
}

static VOID nt_file_lock_cancel(PDEVICE_OBJECT device, PIRP irp)
{
	struct nt_file_range *range = irp->Tail.Overlay.DriverContext[0];
	PFILE_LOCK file_lock = irp->Tail.Overlay.DriverContext[1];
	struct nt_file_locks *locks = nt_file_locks_of(file_lock);
	PVOID context = range->context;
	KIRQL irql;

	(void)device;
	IoReleaseCancelSpinLock(irp->CancelIrql);
	KeAcquireSpinLock(&locks->lock, &irql);
	RemoveEntryList(&range->link);
	KeReleaseSpinLock(&locks->lock, irql);
	ExFreePoolWithTag(range, NT_TAG_FILE_LOCK);
	(void)nt_file_lock_complete(file_lock, irp, context, STATUS_CANCELLED); /* nothing was granted */
}

/* Queues a request; false when it has been cancelled already, and then it is not queued. */
static bool nt_file_range_wait_locked(PFILE_LOCK file_lock, struct nt_file_locks *locks,
				      struct nt_file_range *range)
{
	PIRP irp = range->irp;

	irp->Tail.Overlay.DriverContext[0] = range;
	irp->Tail.Overlay.DriverContext[1] = file_lock;
	IoMarkIrpPending(irp);
	InsertTailList(&locks->waiting, &range->link);
	IoSetCancelRoutine(irp, nt_file_lock_cancel);
	if (irp->Cancel && IoSetCancelRoutine(irp, NULL) != NULL) {
		RemoveEntryList(&range->link);
		return false;
	}
	return true;
}

/* Grants, queues (STATUS_PENDING, only with an IRP) or refuses. */
static NTSTATUS nt_file_lock_take(PFILE_LOCK file_lock, const FILE_LOCK_INFO *wanted, bool fail_immediately,
				  PIRP irp, PVOID context, uint64_t *serial)
{
	struct nt_file_locks *locks;
	struct nt_file_range *range;
	NTSTATUS status = STATUS_SUCCESS;
	KIRQL irql;

	if (wanted->Length.QuadPart != 0 &&
	    (uint64_t)wanted->EndingByte.QuadPart < (uint64_t)wanted->StartingByte.QuadPart)
		return STATUS_INVALID_LOCK_RANGE;
	locks = nt_file_locks_make(file_lock);
	range = locks == NULL ? NULL : ExAllocatePoolWithTag(NonPagedPool, sizeof(*range), NT_TAG_FILE_LOCK);
	if (range == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	range->info = *wanted;
	range->irp = irp;
	range->context = context;

	KeAcquireSpinLock(&locks->lock, &irql);
	*serial = range->serial = ++locks->last_serial;
	__atomic_store_n(&file_lock->FastIoIsQuestionable, TRUE, __ATOMIC_RELEASE);
	if (!nt_file_locks_conflict_locked(locks, wanted, true)) {
		InsertTailList(&locks->granted, &range->link);
		range = NULL;
	} else if (fail_immediately || irp == NULL) {
		status = STATUS_LOCK_NOT_GRANTED;
	} else if (nt_file_range_wait_locked(file_lock, locks, range)) {
		status = STATUS_PENDING;
		range = NULL;
	} else {
		status = STATUS_CANCELLED;
	}
	KeReleaseSpinLock(&locks->lock, irql);
	if (range != NULL)
		ExFreePoolWithTag(range, NT_TAG_FILE_LOCK);
	return status;
}

BOOLEAN FsRtlPrivateLock(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset,
			 PLARGE_INTEGER Length, PEPROCESS ProcessId, ULONG Key, BOOLEAN FailImmediately,
			 BOOLEAN ExclusiveLock, PIO_STATUS_BLOCK Iosb, PIRP Irp, PVOID Context,
			 BOOLEAN AlreadySynchronized)
{
	FILE_LOCK_INFO wanted;
	uint64_t serial = 0;
	NTSTATUS status;

	(void)AlreadySynchronized;
	nt_file_range_describe(&wanted, FileObject, FileOffset->QuadPart, Length->QuadPart, ProcessId, Key,
			       ExclusiveLock);
	status = nt_file_lock_take(FileLock, &wanted, FailImmediately, Irp, Context, &serial);
	Iosb->Information = 0;
	if (status == STATUS_PENDING) {
		Iosb->Status = status;
		return FALSE;
	}
	if (status == STATUS_LOCK_NOT_GRANTED && !FailImmediately)
		return FALSE; /* the caller would wait and has nothing to wait with */
	Iosb->Status = status;
	if (Irp != NULL && !NT_SUCCESS(nt_file_lock_complete(FileLock, Irp, Context, status)) &&
	    NT_SUCCESS(status))
		nt_file_locks_revoke(nt_file_locks_of(FileLock), serial);
	return TRUE;
}

/* Which of an owner's locks an unlock means. */
enum nt_unlock { NT_UNLOCK_SINGLE, NT_UNLOCK_ALL, NT_UNLOCK_BY_KEY };

static bool nt_unlock_means(enum nt_unlock how, const FILE_LOCK_INFO *held, const FILE_LOCK_INFO *given)
{
	if (held->FileObject != given->FileObject || held->ProcessId != given->ProcessId)
		return false;
	switch (how) {
	case NT_UNLOCK_ALL:
		return true;
	case NT_UNLOCK_BY_KEY:
		return held->Key == given->Key;
	case NT_UNLOCK_SINGLE:
		return held->Key == given->Key &&
		       held->StartingByte.QuadPart == given->StartingByte.QuadPart &&
		       held->Length.QuadPart == given->Length.QuadPart;
	}
	return false;
}

static NTSTATUS nt_file_lock_release(PFILE_LOCK file_lock, enum nt_unlock how, const FILE_LOCK_INFO *given,
				     PVOID context)
{
	struct nt_file_locks *locks = nt_file_locks_of(file_lock);
	LIST_ENTRY released;
	KIRQL irql;

	InitializeListHead(&released);
	if (locks == NULL)
		return how == NT_UNLOCK_SINGLE ? STATUS_RANGE_NOT_LOCKED : STATUS_SUCCESS;
	KeAcquireSpinLock(&locks->lock, &irql);
	for (PLIST_ENTRY at = locks->granted.Flink; at != &locks->granted;) {
		struct nt_file_range *range = CONTAINING_RECORD(at, struct nt_file_range, link);

		at = at->Flink;
		if (!nt_unlock_means(how, &range->info, given))
			continue;
		RemoveEntryList(&range->link);
		InsertTailList(&released, &range->link);
		if (how == NT_UNLOCK_SINGLE)
			break;
	}
	if (IsListEmpty(&locks->granted) && IsListEmpty(&locks->waiting))
		__atomic_store_n(&file_lock->FastIoIsQuestionable, FALSE, __ATOMIC_RELEASE);
	KeReleaseSpinLock(&locks->lock, irql);

	if (IsListEmpty(&released))
		return how == NT_UNLOCK_SINGLE ? STATUS_RANGE_NOT_LOCKED : STATUS_SUCCESS;
	while (!IsListEmpty(&released)) {
		struct nt_file_range *range =
			CONTAINING_RECORD(RemoveHeadList(&released), struct nt_file_range, link);

		if (file_lock->UnlockRoutine != NULL)
			file_lock->UnlockRoutine(context, &range->info);
		ExFreePoolWithTag(range, NT_TAG_FILE_LOCK);
	}
	nt_file_locks_serve(file_lock, locks);
	return STATUS_SUCCESS;
}

NTSTATUS FsRtlFastUnlockSingle(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset,
			       PLARGE_INTEGER Length, PEPROCESS ProcessId, ULONG Key, PVOID Context,
			       BOOLEAN AlreadySynchronized)
{
	FILE_LOCK_INFO given;

	(void)AlreadySynchronized;
	nt_file_range_describe(&given, FileObject, FileOffset->QuadPart, Length->QuadPart, ProcessId, Key,
			       FALSE);
	return nt_file_lock_release(FileLock, NT_UNLOCK_SINGLE, &given, Context);
}

NTSTATUS FsRtlFastUnlockAll(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS ProcessId, PVOID Context)
{
	FILE_LOCK_INFO given;

	nt_file_range_describe(&given, FileObject, 0, 0, ProcessId, 0, FALSE);
	return nt_file_lock_release(FileLock, NT_UNLOCK_ALL, &given, Context);
}

NTSTATUS FsRtlFastUnlockAllByKey(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS ProcessId, ULONG Key,
				 PVOID Context)
{
	FILE_LOCK_INFO given;

	nt_file_range_describe(&given, FileObject, 0, 0, ProcessId, Key, FALSE);
	return nt_file_lock_release(FileLock, NT_UNLOCK_BY_KEY, &given, Context);
}

NTSTATUS FsRtlProcessFileLock(PFILE_LOCK FileLock, PIRP Irp, PVOID Context)
{
	PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(Irp);
	PEPROCESS process = IoGetRequestorProcess(Irp);
	PFILE_OBJECT file = location->FileObject;
	ULONG key = location->Parameters.LockControl.Key;
	PLARGE_INTEGER offset = &location->Parameters.LockControl.ByteOffset;
	IO_STATUS_BLOCK iosb;
	NTSTATUS status;

	switch (location->MinorFunction) {
	case IRP_MN_LOCK:
		if (!FsRtlPrivateLock(FileLock, file, offset, location->Parameters.LockControl.Length,
				      process, key, BooleanFlagOn(location->Flags, SL_FAIL_IMMEDIATELY),
				      BooleanFlagOn(location->Flags, SL_EXCLUSIVE_LOCK), &iosb, Irp, Context,
				      FALSE))
			return STATUS_PENDING;
		return iosb.Status;
	case IRP_MN_UNLOCK_SINGLE:
		status =
			FsRtlFastUnlockSingle(FileLock, file, offset, location->Parameters.LockControl.Length,
					      process, key, Context, FALSE);
		break;
	case IRP_MN_UNLOCK_ALL:
		status = FsRtlFastUnlockAll(FileLock, file, process, Context);
		break;
	case IRP_MN_UNLOCK_ALL_BY_KEY:
		status = FsRtlFastUnlockAllByKey(FileLock, file, process, key, Context);
		break;
	default:
		status = STATUS_INVALID_DEVICE_REQUEST;
		break;
	}
	(void)nt_file_lock_complete(FileLock, Irp, Context, status); /* there is no lock to take back */
	return status;
}

static BOOLEAN nt_file_lock_allows(PFILE_LOCK file_lock, LONGLONG offset, LONGLONG length, ULONG key,
				   PFILE_OBJECT file, PVOID process, BOOLEAN to_write)
{
	struct nt_file_locks *locks = nt_file_locks_of(file_lock);
	FILE_LOCK_INFO wanted;
	bool conflict;
	KIRQL irql;

	if (locks == NULL || length == 0)
		return TRUE;
	nt_file_range_describe(&wanted, file, offset, length, process, key, to_write);
	KeAcquireSpinLock(&locks->lock, &irql);
	conflict = nt_file_locks_conflict_locked(locks, &wanted, false);
	KeReleaseSpinLock(&locks->lock, irql);
	return !conflict;
}

BOOLEAN FsRtlFastCheckLockForRead(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
				  ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId)
{
	return nt_file_lock_allows(FileLock, StartingByte->QuadPart, Length->QuadPart, Key, FileObject,
				   ProcessId, FALSE);
}

BOOLEAN FsRtlFastCheckLockForWrite(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
				   ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId)
{
	return nt_file_lock_allows(FileLock, StartingByte->QuadPart, Length->QuadPart, Key, FileObject,
				   ProcessId, TRUE);
}

BOOLEAN FsRtlCheckLockForReadAccess(PFILE_LOCK FileLock, PIRP Irp)
{
	PIO_STACK_LOCATION at = IoGetCurrentIrpStackLocation(Irp);

	return nt_file_lock_allows(FileLock, at->Parameters.Read.ByteOffset.QuadPart,
				   at->Parameters.Read.Length, at->Parameters.Read.Key, at->FileObject,
				   IoGetRequestorProcess(Irp), FALSE);
}

BOOLEAN FsRtlCheckLockForWriteAccess(PFILE_LOCK FileLock, PIRP Irp)
{
	PIO_STACK_LOCATION at = IoGetCurrentIrpStackLocation(Irp);

	return nt_file_lock_allows(FileLock, at->Parameters.Write.ByteOffset.QuadPart,
				   at->Parameters.Write.Length, at->Parameters.Write.Key, at->FileObject,
				   IoGetRequestorProcess(Irp), TRUE);
}

PFILE_LOCK_INFO FsRtlGetNextFileLock(PFILE_LOCK FileLock, BOOLEAN Restart)
{
	struct nt_file_locks *locks = nt_file_locks_of(FileLock);
	uint64_t after = Restart ? 0 : (uint64_t)(ULONG_PTR)FileLock->LastReturnedLock;
	struct nt_file_range *next = NULL;
	KIRQL irql;

	if (locks == NULL)
		return NULL;
	/* By serial, not by address: the lock that was returned last may be gone. */
	KeAcquireSpinLock(&locks->lock, &irql);
	for (PLIST_ENTRY at = locks->granted.Flink; at != &locks->granted; at = at->Flink) {
		struct nt_file_range *range = CONTAINING_RECORD(at, struct nt_file_range, link);

		if (range->serial > after && (next == NULL || range->serial < next->serial))
			next = range;
	}
	if (next != NULL) {
		FileLock->LastReturnedLock = (PVOID)(ULONG_PTR)next->serial;
		FileLock->LastReturnedLockInfo = next->info;
	}
	KeReleaseSpinLock(&locks->lock, irql);
	return next == NULL ? NULL : &FileLock->LastReturnedLockInfo;
}

BOOLEAN FsRtlAreThereWaitingFileLocks(PFILE_LOCK FileLock)
{
	struct nt_file_locks *locks = nt_file_locks_of(FileLock);
	BOOLEAN any;
	KIRQL irql;

	if (locks == NULL)
		return FALSE;
	KeAcquireSpinLock(&locks->lock, &irql);
	any = !IsListEmpty(&locks->waiting);
	KeReleaseSpinLock(&locks->lock, irql);
	return any;
}

VOID FsRtlUninitializeFileLock(PFILE_LOCK FileLock)
{
	struct nt_file_locks *locks = nt_file_locks_of(FileLock);
	struct nt_file_range *range;
	KIRQL irql;

	if (locks == NULL)
		return;
	for (;;) {
		bool waits = false;

		range = NULL;
		KeAcquireSpinLock(&locks->lock, &irql);
		if (!IsListEmpty(&locks->granted)) {
			range = CONTAINING_RECORD(RemoveHeadList(&locks->granted), struct nt_file_range,
						  link);
		} else if (!IsListEmpty(&locks->waiting)) {
			range = CONTAINING_RECORD(locks->waiting.Flink, struct nt_file_range, link);
			/* A request that is being cancelled has a file object, which keeps this structure alive. */
			RX_CHECK(IoSetCancelRoutine(range->irp, NULL) != NULL);
			RemoveEntryList(&range->link);
			waits = true;
		}
		KeReleaseSpinLock(&locks->lock, irql);
		if (range == NULL)
			break;
		if (waits)
			(void)nt_file_lock_complete(FileLock, range->irp, range->context,
						    STATUS_RANGE_NOT_LOCKED);
		ExFreePoolWithTag(range, NT_TAG_FILE_LOCK);
	}
	FileLock->LockInformation = NULL;
	FileLock->FastIoIsQuestionable = FALSE;
	ExFreePoolWithTag(locks, NT_TAG_FILE_LOCK);
}
