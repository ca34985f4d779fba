/*
 * rxcontx.h - RX_CONTEXT: one request, from its IRP to its completion.
 *
 * Whoever holds a reference may look; only the current owner of the request may change it. After a call that
 * answered STATUS_PENDING the caller is no longer the owner.
 */
#ifndef RX_RXCONTX_H
#define RX_RXCONTX_H

#include "fcb.h"
#include "lowio.h"
#include "mrx.h"
#include "rxtypes/forward.h"
#include "rxworkq.h"
#include "scavengr.h"

#define MRX_CONTEXT_FIELD_COUNT 4
#define MRX_CONTEXT_SIZE (sizeof(PVOID) * MRX_CONTEXT_FIELD_COUNT)
#define RDBSS_TRACKER_HISTORY_SIZE 8

/* RX_CONTEXT.Flags */
#define RX_CONTEXT_FLAG_FROM_POOL 0x00000001
#define RX_CONTEXT_FLAG_WAIT 0x00000002
#define RX_CONTEXT_FLAG_WRITE_THROUGH 0x00000004
#define RX_CONTEXT_FLAG_FLOPPY 0x00000008
#define RX_CONTEXT_FLAG_RECURSIVE_CALL 0x00000010
#define RX_CONTEXT_FLAG_THIS_DEVICE_TOP_LEVEL 0x00000020
#define RX_CONTEXT_FLAG_DEFERRED_WRITE 0x00000040
#define RX_CONTEXT_FLAG_VERIFY_READ 0x00000080
#define RX_CONTEXT_FLAG_STACK_IO_CONTEZT 0x00000100
#define RX_CONTEXT_FLAG_IN_FSP 0x00000200
#define RX_CONTEXT_FLAG_CREATE_MAILSLOT 0x00000400
#define RX_CONTEXT_FLAG_MAILSLOT_REPARSE 0x00000800
#define RX_CONTEXT_FLAG_ASYNC_OPERATION 0x00001000
#define RX_CONTEXT_FLAG_NO_COMPLETE_FROM_FSP 0x00002000
#define RX_CONTEXT_FLAG_POST_ON_STABLE_CONDITION 0x00004000
#define RX_CONTEXT_FLAG_FSP_DELAYED_OVERFLOW_QUEUE 0x00008000
#define RX_CONTEXT_FLAG_FSP_CRITICAL_OVERFLOW_QUEUE 0x00010000
#define RX_CONTEXT_FLAG_MINIRDR_INVOKED 0x00020000
#define RX_CONTEXT_FLAG_WAITING_FOR_RESOURCE 0x00040000
#define RX_CONTEXT_FLAG_CANCELLED 0x00080000
#define RX_CONTEXT_FLAG_SYNC_EVENT_WAITERS 0x00100000
#define RX_CONTEXT_FLAG_NO_PREPOSTING_NEEDED 0x00200000
#define RX_CONTEXT_FLAG_BLOCKED_PIPE_RESUME 0x00800000
#define RX_CONTEXT_FLAG_IN_SERIALIZATION_QUEUE 0x01000000
#define RX_CONTEXT_FLAG_NO_EXCEPTION_BREAKPOINT 0x02000000
#define RX_CONTEXT_FLAG_NEEDRECONNECT 0x04000000
#define RX_CONTEXT_FLAG_MUST_SUCCEED 0x08000000
#define RX_CONTEXT_FLAG_MUST_SUCCEED_NONBLOCKING 0x10000000
#define RX_CONTEXT_FLAG_MINIRDR_INITIATED 0x80000000

/* RX_CONTEXT.Create.Flags */
#define RX_CONTEXT_CREATE_FLAG_UNC_NAME 0x1
#define RX_CONTEXT_CREATE_FLAG_STRIPPED_TRAILING_BACKSLASH 0x2
#define RX_CONTEXT_CREATE_FLAG_ADDEDBACKSLASH 0x4
#define RX_CONTEXT_CREATE_FLAG_REPARSE 0x8
#define RX_CONTEXT_CREATE_FLAG_SPECIAL_PATH 0x10

/* RX_CONTEXT.FlagsForLowIo */
#define RXCONTEXT_FLAG4LOWIO_PIPE_OPERATION 0x1
#define RXCONTEXT_FLAG4LOWIO_PIPE_SYNC_OPERATION 0x2
#define RXCONTEXT_FLAG4LOWIO_READAHEAD 0x4
#define RXCONTEXT_FLAG4LOWIO_THIS_READ_ENLARGED 0x8
#define RXCONTEXT_FLAG4LOWIO_THIS_IO_BUFFERED 0x10
#define RXCONTEXT_FLAG4LOWIO_LOCK_FCB_RESOURCE_HELD 0x20
#define RXCONTEXT_FLAG4LOWIO_LOCK_WAS_QUEUED_IN_LOCKMANAGER 0x40
#define RXCONTEXT_FLAG4LOWIO_THIS_IO_FAST 0x80
#define RXCONTEXT_FLAG4LOWIO_LOCK_OPERATION_COMPLETED 0x100

typedef struct _DFS_NAME_CONTEXT_ *PDFS_NAME_CONTEXT;

typedef struct _NT_CREATE_PARAMETERS {
	ACCESS_MASK DesiredAccess;
	LARGE_INTEGER AllocationSize; /* bytes */
	ULONG FileAttributes;
	ULONG ShareAccess;
	ULONG Disposition;
	ULONG CreateOptions;
	PIO_SECURITY_CONTEXT SecurityContext;
	SECURITY_IMPERSONATION_LEVEL ImpersonationLevel;
	PVOID DfsContext;
	PDFS_NAME_CONTEXT DfsNameContext;
} NT_CREATE_PARAMETERS, *PNT_CREATE_PARAMETERS;

typedef struct _RX_FCBTRACKER_CALLINFO {
	ULONG AcquireRelease;
	USHORT SavedTrackerValue;
	USHORT LineNumber;
	PSZ FileName;
	ULONG Flags;
} RX_FCBTRACKER_CALLINFO, *PRX_FCBTRACKER_CALLINFO;

struct _RX_CONTEXT {
	NODE_TYPE_CODE NodeTypeCode;
	NODE_BYTE_SIZE NodeByteSize;
	volatile ULONG ReferenceCount;
	LIST_ENTRY ContextListEntry;
	UCHAR MajorFunction;
	UCHAR MinorFunction;
	BOOLEAN PendingReturned;
	BOOLEAN PostRequest;
	PDEVICE_OBJECT RealDevice;
	PIRP CurrentIrp;
	PIO_STACK_LOCATION CurrentIrpSp;
	PMRX_FCB pFcb;
	PMRX_FOBX pFobx;
	PMRX_SRV_OPEN pRelevantSrvOpen;
	PNON_PAGED_FCB NonPagedFcb;
	PRDBSS_DEVICE_OBJECT RxDeviceObject;
	PETHREAD OriginalThread;
	PETHREAD LastExecutionThread;
	volatile PVOID LockManagerContext;
	PVOID RdbssDbgExtension;
	RX_SCAVENGER_ENTRY ScavengerEntry;
	ULONG SerialNumber;
	ULONG FobxSerialNumber;
	ULONG Flags;
	BOOLEAN FcbResourceAcquired;
	BOOLEAN FcbPagingIoResourceAcquired;
	UCHAR MustSucceedDescriptorNumber; /* driver */

	union {
		struct {
			union {
				NTSTATUS StoredStatus;
				PVOID StoredStatusAlignment;
			};
			ULONG_PTR InformationToReturn;
		};
		IO_STATUS_BLOCK IoStatusBlock;
	};

	union {
		ULONGLONG ForceLonglongAligmentDummyField;
		PVOID MRxContext[MRX_CONTEXT_FIELD_COUNT]; /* driver */
	};
	PVOID WriteOnlyOpenRetryContext; /* driver */
	PMRX_CALLDOWN MRxCancelRoutine;  /* set through RxSetMinirdrCancelRoutine */
	PRX_DISPATCH ResumeRoutine;
	RX_WORK_QUEUE_ITEM WorkQueueItem; /* driver, during its call */
	LIST_ENTRY OverflowListEntry;
	KEVENT SyncEvent;
	LIST_ENTRY BlockedOperations;
	PFAST_MUTEX BlockedOpsMutex;
	LIST_ENTRY RxContextSerializationQLinks;

	struct {
		union {
			FS_INFORMATION_CLASS FsInformationClass;
			FILE_INFORMATION_CLASS FileInformationClass;
		};
		PVOID Buffer;
		union {
			LONG Length;          /* bytes in the buffer */
			LONG LengthRemaining; /* bytes of it not filled */
		};
		BOOLEAN ReplaceIfExists;
		BOOLEAN AdvanceOnly;
	} Info;

	union {
		struct {
			UNICODE_STRING SuppliedPathName;
			NET_ROOT_TYPE NetRootType;
			PIO_SECURITY_CONTEXT pSecurityContext;
		} PrefixClaim;
	};

	union {
		struct {
			NT_CREATE_PARAMETERS NtCreateParameters;
			ULONG ReturnedCreateInformation; /* driver: FILE_OPENED ... */
			PWCH CanonicalNameBuffer;
			PRX_PREFIX_ENTRY NetNamePrefixEntry;
			PMRX_SRV_CALL pSrvCall;
			PMRX_NET_ROOT pNetRoot;
			PMRX_V_NET_ROOT pVNetRoot; /* referenced while the create runs */
			PVOID EaBuffer;
			ULONG EaLength; /* bytes */
			ULONG SdLength; /* bytes; the descriptor is in Info.Buffer */
			ULONG PipeType;
			ULONG PipeReadMode;
			ULONG PipeCompletionMode;
			USHORT Flags;
			NET_ROOT_TYPE Type;
			UCHAR RdrFlags;
			BOOLEAN FcbAcquired;
			BOOLEAN TryForScavengingOnSharingViolation;
			BOOLEAN ScavengingAlreadyTried;
			BOOLEAN ThisIsATreeConnectOpen;
			BOOLEAN ThisIsAPrefixClaim;
			BOOLEAN TreeConnectOpenDeferred;
			UNICODE_STRING TransportName;
			UNICODE_STRING UserName;
			UNICODE_STRING Password;
			UNICODE_STRING UserDomainName;
		} Create;
		struct {
			ULONG FileIndex;
			BOOLEAN RestartScan;
			BOOLEAN ReturnSingleEntry;
			BOOLEAN IndexSpecified;
			BOOLEAN InitialQuery; /* the first query on this FOBX (E-23) */
		} QueryDirectory;
		struct {
			PMRX_V_NET_ROOT pVNetRoot;
		} NotifyChangeDirectory;
		struct {
			PUCHAR UserEaList;
			ULONG UserEaListLength;
			ULONG UserEaIndex;
			BOOLEAN RestartScan;
			BOOLEAN ReturnSingleEntry;
			BOOLEAN IndexSpecified;
		} QueryEa;
		struct {
			SECURITY_INFORMATION SecurityInformation;
			ULONG Length;
		} QuerySecurity;
		struct {
			SECURITY_INFORMATION SecurityInformation;
			PSECURITY_DESCRIPTOR SecurityDescriptor;
		} SetSecurity;
		struct {
			ULONG Length;
			PSID StartSid;
			struct _FILE_GET_QUOTA_INFORMATION *SidList;
			ULONG SidListLength;
			BOOLEAN RestartScan;
			BOOLEAN ReturnSingleEntry;
			BOOLEAN IndexSpecified;
		} QueryQuota;
		struct {
			ULONG Length;
		} SetQuota;
		struct {
			PV_NET_ROOT VNetRoot;
			PSRV_CALL SrvCall;
			PNET_ROOT NetRoot;
		} DosVolumeFunction;
		LUID FsdUid;
	};

	/* Beside the union, not in it: a directory or control request has both kinds of parameters. */
	ULONG FlagsForLowIo;
	LOWIO_CONTEXT LowIoContext;

	PWCH AlsoCanonicalNameBuffer;
	PUNICODE_STRING LoudCompletionString;
	volatile LONG LowIoState; /* RDBSS: 0 not submitted, 1 in the driver's hands, 2 completed */
	PETHREAD SlotThread;      /* RDBSS: runs a routine of the driver that must answer at once */
	volatile LONG AcquireReleaseFcbTrackerX;
	volatile ULONG TrackerHistoryPointer;
	RX_FCBTRACKER_CALLINFO TrackerHistory[RDBSS_TRACKER_HISTORY_SIZE];
	ULONG ShadowCritOwner;

	/* ours */
	volatile LONG CancelGate; /* core/context: cancellers at work, and whether the completion has come */
	BOOLEAN CancelArmed;      /* the IRP has our cancel routine */
	VOID (*CancelDeferred)(PRX_CONTEXT RxContext);
	PIRP CancelIrp;         /* CurrentIrp until the IRP is completed */
	UCHAR IrpMajorFunction; /* of the IRP; constant, so that others may look */
	UCHAR IrpMinorFunction;
	PMRX_FOBX IrpFobx;              /* of the IRP's file object; constant */
	PLIST_ENTRY SerializationQueue; /* the queue RxContextSerializationQLinks is in */
	PMDL OwnMdl;                    /* core/dispatch: made for the IRP, goes with its completion */
	ULONG PostsAsked;               /* core/dispatch: how often its driver wanted it posted */
	PVOID DispatchState;            /* core/dispatch: what the request keeps across a pend */
};

/* Contexts. */
VOID RxInitializeContext(_In_opt_ PIRP Irp, _In_ PRDBSS_DEVICE_OBJECT RxDeviceObject,
			 _In_ ULONG InitialContextFlags, _Inout_ PRX_CONTEXT RxContext);
PRX_CONTEXT RxCreateRxContext(_In_opt_ PIRP Irp, _In_ PRDBSS_DEVICE_OBJECT RxDeviceObject,
			      _In_ ULONG InitialContextFlags);
VOID RxPrepareContextForReuse(_Inout_ PRX_CONTEXT RxContext);
VOID RxDereferenceAndDeleteRxContext_Real(_In_ PRX_CONTEXT RxContext);
#define RxDereferenceAndDeleteRxContext(RXCONTEXT) RxDereferenceAndDeleteRxContext_Real((RXCONTEXT))
#define RxReferenceRxContext(RXCONTEXT) InterlockedIncrement((volatile LONG *)&(RXCONTEXT)->ReferenceCount)
NTSTATUS RxSetMinirdrCancelRoutine(_Inout_ PRX_CONTEXT RxContext, _In_ PMRX_CALLDOWN MRxCancelRoutine);
NTSTATUS RxCancelNotifyChangeDirectoryRequestsForVNetRoot(_In_ PV_NET_ROOT VNetRoot,
							  _In_ BOOLEAN ForceFilesClosed);

/* Requests that must run one after the other (pipes). */
NTSTATUS __RxSynchronizeBlockingOperations(_Inout_ PRX_CONTEXT RxContext, _In_ PFCB Fcb,
					   _Inout_ PLIST_ENTRY BlockingIoQ, _In_ BOOLEAN DropFcbLock);
NTSTATUS __RxSynchronizeBlockingOperationsMaybeDroppingFcbLock(_Inout_ PRX_CONTEXT RxContext,
							       _Inout_ PLIST_ENTRY BlockingIoQ,
							       _In_ BOOLEAN DropFcbLock);
VOID RxResumeBlockedOperations_Serially(_Inout_ PRX_CONTEXT RxContext, _Inout_ PLIST_ENTRY BlockingIoQ);
#define RxSynchronizeBlockingOperations(RXCONTEXT, FCB, IOQUEUE) \
	__RxSynchronizeBlockingOperations((RXCONTEXT), (FCB), (IOQUEUE), FALSE)
#define RxSynchronizeBlockingOperationsAndDropFcbLock(RXCONTEXT, FCB, IOQUEUE) \
	__RxSynchronizeBlockingOperations((RXCONTEXT), (FCB), (IOQUEUE), TRUE)

/* A driver waits on its own context for another thread to end the wait. */
#define RxWaitSync(RxContext) \
	do { \
		(RxContext)->Flags |= RX_CONTEXT_FLAG_SYNC_EVENT_WAITERS; \
		KeWaitForSingleObject(&(RxContext)->SyncEvent, Executive, KernelMode, FALSE, NULL); \
	} while (0)
#define RxSignalSynchronousWaiter(RxContext) \
	do { \
		(RxContext)->Flags &= ~RX_CONTEXT_FLAG_SYNC_EVENT_WAITERS; \
		KeSetEvent(&(RxContext)->SyncEvent, 0, FALSE); \
	} while (0)

C_ASSERT(FIELD_OFFSET(RX_CONTEXT, NodeTypeCode) == 0 && FIELD_OFFSET(RX_CONTEXT, NodeByteSize) == 2);
/* Four pointers for the driver, without an allocation (E-34). */
C_ASSERT(RTL_FIELD_SIZE(RX_CONTEXT, MRxContext) == 4 * sizeof(PVOID));

#endif
