/*
 * lowio.h - requests that may pend at the mini-redirector: read, write, locks, controls, notify.
 */
#ifndef RX_LOWIO_H
#define RX_LOWIO_H

#include "rxtypes/forward.h"

enum _LOWIO_OPS {
	LOWIO_OP_READ = 0,
	LOWIO_OP_WRITE = 1,
	LOWIO_OP_SHAREDLOCK = 2,
	LOWIO_OP_EXCLUSIVELOCK = 3,
	LOWIO_OP_UNLOCK = 4,
	LOWIO_OP_UNLOCK_MULTIPLE = 5,
	LOWIO_OP_FSCTL = 6,
	LOWIO_OP_IOCTL = 7,
	LOWIO_OP_NOTIFY_CHANGE_DIRECTORY = 8,
	LOWIO_OP_CLEAROUT = 9,
	LOWIO_OP_MAXIMUM = 10
};

#define LOWIO_READWRITEFLAG_PAGING_IO 0x1
#define LOWIO_READWRITEFLAG_EXTENDING_FILESIZE 0x2
#define LOWIO_READWRITEFLAG_EXTENDING_VDL 0x4

#define LOWIO_LOCKSFLAG_FAIL_IMMEDIATELY SL_FAIL_IMMEDIATELY
#define LOWIO_LOCKSFLAG_EXCLUSIVELOCK SL_EXCLUSIVE_LOCK

#define LOWIO_CONTEXT_FLAG_SYNCCALL 0x1
#define LOWIO_CONTEXT_FLAG_SAVEUNLOCKS 0x2
#define LOWIO_CONTEXT_FLAG_LOUDOPS 0x4
#define LOWIO_CONTEXT_FLAG_CAN_COMPLETE_AT_DPC_LEVEL 0x8

typedef NTSTATUS(NTAPI *PLOWIO_COMPLETION_ROUTINE)(PRX_CONTEXT RxContext);

typedef struct _LOWIO_LOCK_LIST {
	struct _LOWIO_LOCK_LIST *Next;
	ULONG LockNumber;
	RXVBO ByteOffset;
	LONGLONG Length; /* bytes */
	ULONG Key;
	BOOLEAN ExclusiveLock;
	/*
	 * [out] of MRxCompleteBufferingStateChangeRequest: a range that the server refuses to lock has its error here, and
	 * is lost to its owner. STATUS_SUCCESS before the call; a driver that does not know of it loses nothing.
	 */
	NTSTATUS Status;
} LOWIO_LOCK_LIST, *PLOWIO_LOCK_LIST;

typedef struct _XXCTL_LOWIO_COMPONENT {
	ULONG Flags;
	union {
		ULONG FsControlCode;
		ULONG IoControlCode;
	};
	ULONG InputBufferLength;
	PVOID pInputBuffer;
	ULONG OutputBufferLength;
	PVOID pOutputBuffer;
	UCHAR MinorFunction;
} XXCTL_LOWIO_COMPONENT, *PXXCTL_LOWIO_COMPONENT;

typedef struct _LOWIO_CONTEXT {
	USHORT Operation; /* LOWIO_OP_XXX */
	USHORT Flags;     /* LOWIO_CONTEXT_FLAG_XXX */
	PLOWIO_COMPLETION_ROUTINE CompletionRoutine;
	PERESOURCE Resource;               /* held until completion; NULL when none */
	ERESOURCE_THREAD ResourceThreadId; /* its owner: a thread, or this context once the request pends */
	union {
		struct {
			ULONG Flags; /* LOWIO_READWRITEFLAG_XXX */
			PMDL Buffer;
			RXVBO ByteOffset;
			ULONG ByteCount;
			ULONG Key;
			PNON_PAGED_FCB NonPagedFcb;
		} ReadWrite;
		struct {
			union {
				/* LOWIO_OP_UNLOCK_MULTIPLE; MRxCompleteBufferingStateChangeRequest */
				PLOWIO_LOCK_LIST LockList;
				LONGLONG Length;
			};
			ULONG Flags; /* SL_XXX of the stack location */
			RXVBO ByteOffset;
			ULONG Key;
		} Locks;
		XXCTL_LOWIO_COMPONENT FsCtl;
		XXCTL_LOWIO_COMPONENT IoCtl;
		struct {
			BOOLEAN WatchTree;
			ULONG CompletionFilter; /* FILE_NOTIFY_CHANGE_XXX */
			ULONG NotificationBufferLength;
			PVOID pNotificationBuffer;
		} NotifyChangeDirectory;
	} ParamsFor;
} LOWIO_CONTEXT, *PLOWIO_CONTEXT;

PVOID RxLowIoGetBufferAddress(_In_ PRX_CONTEXT RxContext);
NTSTATUS RxLowIoSubmit(_In_ PRX_CONTEXT RxContext, _In_ PIRP Irp, _In_ PFCB Fcb,
		       _In_ PLOWIO_COMPLETION_ROUTINE CompletionRoutine);
NTSTATUS RxLowIoCompletion(_Inout_ PRX_CONTEXT RxContext);

/* The order of the slots in MRxLowIOSubmit is part of the interface. */
C_ASSERT(LOWIO_OP_READ == 0 && LOWIO_OP_WRITE == 1 && LOWIO_OP_SHAREDLOCK == 2 &&
	 LOWIO_OP_EXCLUSIVELOCK == 3 && LOWIO_OP_UNLOCK == 4 && LOWIO_OP_UNLOCK_MULTIPLE == 5 &&
	 LOWIO_OP_FSCTL == 6 && LOWIO_OP_IOCTL == 7 && LOWIO_OP_NOTIFY_CHANGE_DIRECTORY == 8 &&
	 LOWIO_OP_CLEAROUT == 9);

#endif
