/*
 * filelock.h - byte-range locks that a file system keeps for the processes of this machine.
 *
 * Who conflicts with whom is [MS-FSA] 2.1.4.10: an exclusive lock keeps everybody else out, and no second lock of its
 * owner may overlap it exclusively; a shared lock keeps out writers, its owner included. The range {0, 0} conflicts
 * with nothing. An owner is a file object, a process and a key together.
 */
#ifndef NT_FILELOCK_H
#define NT_FILELOCK_H

#include "irp.h"

typedef struct _FILE_LOCK_INFO {
	LARGE_INTEGER StartingByte;
	LARGE_INTEGER Length;
	BOOLEAN ExclusiveLock;
	ULONG Key;
	PFILE_OBJECT FileObject;
	PVOID ProcessId;
	LARGE_INTEGER EndingByte; /* inclusive */
} FILE_LOCK_INFO, *PFILE_LOCK_INFO;

/* Completes the IRP, whose IoStatus is set. A failure takes a lock that was just granted away again. */
typedef NTSTATUS COMPLETE_LOCK_IRP_ROUTINE(PVOID Context, PIRP Irp);
typedef COMPLETE_LOCK_IRP_ROUTINE *PCOMPLETE_LOCK_IRP_ROUTINE;
/* Called for each lock that is released, after it is gone. */
typedef VOID UNLOCK_ROUTINE(PVOID Context, PFILE_LOCK_INFO FileLockInfo);
typedef UNLOCK_ROUTINE *PUNLOCK_ROUTINE;

typedef struct _FILE_LOCK {
	PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine;
	PUNLOCK_ROUTINE UnlockRoutine;
	volatile BOOLEAN FastIoIsQuestionable; /* there may be locks */
	PVOID LockInformation;                 /* private: the ranges; made by the first lock */
	FILE_LOCK_INFO LastReturnedLockInfo;
	PVOID LastReturnedLock;
} FILE_LOCK, *PFILE_LOCK;

VOID FsRtlInitializeFileLock(PFILE_LOCK FileLock, PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine,
			     PUNLOCK_ROUTINE UnlockRoutine);
/* Frees what is locked without telling; requests that wait end with STATUS_RANGE_NOT_LOCKED. */
VOID FsRtlUninitializeFileLock(PFILE_LOCK FileLock);
PFILE_LOCK FsRtlAllocateFileLock(PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine,
				 PUNLOCK_ROUTINE UnlockRoutine);
VOID FsRtlFreeFileLock(PFILE_LOCK FileLock);

/**
 * FsRtlProcessFileLock - do what an IRP_MJ_LOCK_CONTROL asks, and complete it
 *
 * Context: <= APC_LEVEL. A lock that is not free and may wait is queued and can be cancelled.
 * Return:  STATUS_PENDING when it waits, else the status the IRP was completed with: STATUS_SUCCESS,
 *          STATUS_LOCK_NOT_GRANTED, STATUS_RANGE_NOT_LOCKED, STATUS_INVALID_LOCK_RANGE,
 *          STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST (unknown minor function).
 */
NTSTATUS FsRtlProcessFileLock(PFILE_LOCK FileLock, PIRP Irp, PVOID Context);

/**
 * FsRtlPrivateLock, FsRtlFastLock - take a lock without an IRP, or with one that may wait
 *
 * Return: TRUE: Iosb->Status is the outcome. FALSE: it would have to wait (no Irp), or the Irp was queued.
 */
BOOLEAN FsRtlPrivateLock(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset,
			 PLARGE_INTEGER Length, PEPROCESS ProcessId, ULONG Key, BOOLEAN FailImmediately,
			 BOOLEAN ExclusiveLock, PIO_STATUS_BLOCK Iosb, PIRP Irp, PVOID Context,
			 BOOLEAN AlreadySynchronized);
#define FsRtlFastLock(lock, file, offset, length, process, key, fail, exclusive, iosb, context, \
		      synchronized) \
	FsRtlPrivateLock((lock), (file), (offset), (length), (process), (key), (fail), (exclusive), (iosb), \
			 NULL, (context), (synchronized))

BOOLEAN FsRtlCheckLockForReadAccess(PFILE_LOCK FileLock, PIRP Irp);
BOOLEAN FsRtlCheckLockForWriteAccess(PFILE_LOCK FileLock, PIRP Irp);
BOOLEAN FsRtlFastCheckLockForRead(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
				  ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId);
BOOLEAN FsRtlFastCheckLockForWrite(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
				   ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId);

/* STATUS_RANGE_NOT_LOCKED when there is no lock of exactly that range and owner. Waiting requests are looked at. */
NTSTATUS FsRtlFastUnlockSingle(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset,
			       PLARGE_INTEGER Length, PEPROCESS ProcessId, ULONG Key, PVOID Context,
			       BOOLEAN AlreadySynchronized);
NTSTATUS FsRtlFastUnlockAll(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS ProcessId, PVOID Context);
NTSTATUS FsRtlFastUnlockAllByKey(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS ProcessId, ULONG Key,
				 PVOID Context);

/* One lock after the other; the caller keeps others from enumerating at the same time. NULL at the end. */
PFILE_LOCK_INFO FsRtlGetNextFileLock(PFILE_LOCK FileLock, BOOLEAN Restart);
BOOLEAN FsRtlAreThereWaitingFileLocks(PFILE_LOCK FileLock);
#define FsRtlAreThereCurrentFileLocks(lock) ((lock)->FastIoIsQuestionable)

#endif
