/* filelock.h - byte-range locks that a file system keeps for the processes of this machine. */
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

typedef struct _FILE_LOCK {
	PVOID LockInformation; /* private: the ranges */
	FILE_LOCK_INFO LastReturnedLockInfo;
	PVOID LastReturnedLock;
	BOOLEAN FastIoIsQuestionable;
} FILE_LOCK, *PFILE_LOCK;

#endif
