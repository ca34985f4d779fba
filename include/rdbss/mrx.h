/*
 * mrx.h - what a mini-redirector is: its call-down table, its device, its registration.
 */
#ifndef RX_MRX_H
#define RX_MRX_H

#include "lowio.h"
#include "mrxfcb.h"
#include "prefix.h"
#include "rxtypes/forward.h"
#include "rxworkq.h"
#include "scavengr.h"

/* Connecting to a server. */

typedef struct _MRX_SRVCALLDOWN_STRUCTURE MRX_SRVCALLDOWN_STRUCTURE, *PMRX_SRVCALLDOWN_STRUCTURE;

typedef struct _MRX_SRVCALL_CALLBACK_CONTEXT {
	PMRX_SRVCALLDOWN_STRUCTURE SrvCalldownStructure;
	ULONG CallbackContextOrdinal;
	PRDBSS_DEVICE_OBJECT RxDeviceObject;
	NTSTATUS Status;            /* driver: starts as STATUS_BAD_NETWORK_PATH */
	PVOID RecommunicateContext; /* driver: third argument of MRxSrvCallWinnerNotify */
} MRX_SRVCALL_CALLBACK_CONTEXT, *PMRX_SRVCALL_CALLBACK_CONTEXT;

/* Called by the driver exactly once for each STATUS_PENDING it returned, from any thread. */
typedef VOID(NTAPI *PMRX_SRVCALL_CALLBACK)(PMRX_SRVCALL_CALLBACK_CONTEXT Context);

struct _MRX_SRVCALLDOWN_STRUCTURE {
	KEVENT FinishEvent;
	LIST_ENTRY SrvCalldownList;
	PRX_CONTEXT RxContext;
	PMRX_SRV_CALL SrvCall;
	PMRX_SRVCALL_CALLBACK CallBack;
	BOOLEAN CalldownCancelled;
	ULONG NumberRemaining;
	ULONG NumberToWait;
	ULONG BestFinisherOrdinal;
	PRDBSS_DEVICE_OBJECT BestFinisher;
	MRX_SRVCALL_CALLBACK_CONTEXT CallbackContexts[1];
};

/* Building a view of a share, and the share when its Context is NULL. */

struct _MRX_CREATENETROOT_CONTEXT;
typedef VOID(NTAPI *PMRX_NETROOT_CALLBACK)(struct _MRX_CREATENETROOT_CONTEXT *pCreateNetRootContext);

typedef struct _MRX_CREATENETROOT_CONTEXT {
	PRX_CONTEXT RxContext;
	PV_NET_ROOT pVNetRoot;
	KEVENT FinishEvent;
	NTSTATUS VirtualNetRootStatus;    /* driver: starts as STATUS_SUCCESS */
	NTSTATUS NetRootStatus;           /* driver: starts as STATUS_SUCCESS */
	RX_WORK_QUEUE_ITEM WorkQueueItem; /* driver: for posting itself */
	PMRX_NETROOT_CALLBACK Callback;
} MRX_CREATENETROOT_CONTEXT, *PMRX_CREATENETROOT_CONTEXT;

/* Slot types. */

typedef NTSTATUS(NTAPI *PMRX_CALLDOWN_CTX)(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject);
typedef NTSTATUS(NTAPI *PMRX_CHKDIR_CALLDOWN)(PRX_CONTEXT RxContext, PUNICODE_STRING DirectoryName);
typedef NTSTATUS(NTAPI *PMRX_CHKFCB_CALLDOWN)(PFCB Fcb1, PFCB Fcb2);
typedef NTSTATUS(NTAPI *PMRX_DEALLOCATE_FOR_FCB)(PMRX_FCB pFcb);
typedef NTSTATUS(NTAPI *PMRX_DEALLOCATE_FOR_FOBX)(PMRX_FOBX pFobx);
typedef NTSTATUS(NTAPI *PMRX_IS_LOCK_REALIZABLE)(PMRX_FCB pFcb, PLARGE_INTEGER ByteOffset,
						 PLARGE_INTEGER Length, ULONG LowIoLockFlags);
typedef NTSTATUS(NTAPI *PMRX_FORCECLOSED_CALLDOWN)(PMRX_SRV_OPEN pSrvOpen);
/* Declared ULONG; the value is an NTSTATUS (E-24). */
typedef ULONG(NTAPI *PMRX_EXTENDFILE_CALLDOWN)(PRX_CONTEXT RxContext, PLARGE_INTEGER pNewFileSize,
					       PLARGE_INTEGER pNewAllocationSize);
typedef NTSTATUS(NTAPI *PMRX_CHANGE_BUFFERING_STATE_CALLDOWN)(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen,
							      PVOID MRxContext);
typedef NTSTATUS(NTAPI *PMRX_COMPUTE_NEW_BUFFERING_STATE)(PMRX_SRV_OPEN SrvOpen, PVOID MRxContext,
							  PULONG NewBufferingState);
typedef NTSTATUS(NTAPI *PMRX_CREATE_V_NET_ROOT)(PMRX_CREATENETROOT_CONTEXT pCreateNetRootContext);
typedef NTSTATUS(NTAPI *PMRX_FINALIZE_V_NET_ROOT_CALLDOWN)(PMRX_V_NET_ROOT pVNetRoot,
							   PBOOLEAN ForceDisconnect);
typedef NTSTATUS(NTAPI *PMRX_FINALIZE_NET_ROOT_CALLDOWN)(PMRX_NET_ROOT pNetRoot, PBOOLEAN ForceDisconnect);
typedef NTSTATUS(NTAPI *PMRX_UPDATE_NETROOT_STATE)(PMRX_NET_ROOT NetRoot);
typedef VOID(NTAPI *PMRX_EXTRACT_NETROOT_NAME)(PUNICODE_STRING FilePathName, PMRX_SRV_CALL SrvCall,
					       PUNICODE_STRING NetRootName, PUNICODE_STRING RestOfName);
typedef NTSTATUS(NTAPI *PMRX_CREATE_SRVCALL)(PMRX_SRV_CALL pSrvCall,
					     PMRX_SRVCALL_CALLBACK_CONTEXT pCallbackContext);
typedef NTSTATUS(NTAPI *PMRX_SRVCALL_WINNER_NOTIFY)(PMRX_SRV_CALL pSrvCall, BOOLEAN ThisMinirdrIsTheWinner,
						    PVOID pSrvCallContext);
typedef NTSTATUS(NTAPI *PMRX_FINALIZE_SRVCALL_CALLDOWN)(PMRX_SRV_CALL pSrvCall, BOOLEAN Force);
typedef NTSTATUS(NTAPI *PMRX_PREPARSE_NAME)(PRX_CONTEXT RxContext, PUNICODE_STRING Name);
typedef NTSTATUS(NTAPI *PMRX_GET_CONNECTION_ID)(PRX_CONTEXT RxContext, PRX_CONNECTION_ID UniqueId);

/* MINIRDR_DISPATCH.MRxFlags */
#define RDBSS_MANAGE_SRV_CALL_EXTENSION 0x1
#define RDBSS_MANAGE_NET_ROOT_EXTENSION 0x2
#define RDBSS_MANAGE_V_NET_ROOT_EXTENSION 0x4
#define RDBSS_MANAGE_FCB_EXTENSION 0x8
#define RDBSS_MANAGE_SRV_OPEN_EXTENSION 0x10
#define RDBSS_MANAGE_FOBX_EXTENSION 0x20
#define RDBSS_NO_DEFERRED_CACHE_READAHEAD 0x1000

/*
 * The table of a mini-redirector. Constant from RxRegisterMinirdr() to RxUnregisterMinirdr(). A slot may be
 * NULL where calldown.c gives a default. Slots in the order of the DDI.
 */
struct _MINIRDR_DISPATCH {
	NODE_TYPE_CODE NodeTypeCode; /* RDBSS_NTC_MINIRDR_DISPATCH */
	NODE_BYTE_SIZE NodeByteSize; /* sizeof(MINIRDR_DISPATCH) */
	ULONG MRxFlags;              /* RDBSS_MANAGE_XXX */
	ULONG MRxSrvCallSize;        /* extension bytes, zeroed, reached by Context */
	ULONG MRxNetRootSize;
	ULONG MRxVNetRootSize;
	ULONG MRxFcbSize;
	ULONG MRxSrvOpenSize;
	ULONG MRxFobxSize;

	PMRX_CALLDOWN_CTX MRxStart;
	PMRX_CALLDOWN_CTX MRxStop;
	PMRX_CALLDOWN MRxCancel; /* never called */
	PMRX_CALLDOWN MRxCreate;
	PMRX_CALLDOWN MRxCollapseOpen;
	PMRX_CALLDOWN MRxShouldTryToCollapseThisOpen;
	PMRX_CALLDOWN MRxFlush;
	PMRX_CALLDOWN MRxZeroExtend;
	PMRX_CALLDOWN MRxTruncate;
	PMRX_CALLDOWN MRxCleanupFobx;
	PMRX_CALLDOWN MRxCloseSrvOpen;
	PMRX_DEALLOCATE_FOR_FCB MRxDeallocateForFcb;
	PMRX_DEALLOCATE_FOR_FOBX MRxDeallocateForFobx;
	PMRX_IS_LOCK_REALIZABLE MRxIsLockRealizable;
	PMRX_FORCECLOSED_CALLDOWN MRxForceClosed;
	PMRX_CHKFCB_CALLDOWN MRxAreFilesAliased;
	PMRX_CALLDOWN MRxOpenPrintFile;        /* never called */
	PMRX_CALLDOWN MRxClosePrintFile;       /* never called */
	PMRX_CALLDOWN MRxWritePrintFile;       /* never called */
	PMRX_CALLDOWN MRxEnumeratePrintQueue;  /* never called */
	PMRX_CALLDOWN MRxClosedSrvOpenTimeOut; /* never called */
	PMRX_CALLDOWN MRxClosedFcbTimeOut;     /* never called */
	PMRX_CALLDOWN MRxQueryDirectory;
	PMRX_CALLDOWN MRxQueryFileInfo;
	PMRX_CALLDOWN MRxSetFileInfo;
	PMRX_CALLDOWN MRxSetFileInfoAtCleanup;
	PMRX_CALLDOWN MRxQueryEaInfo;
	PMRX_CALLDOWN MRxSetEaInfo;
	PMRX_CALLDOWN MRxQuerySdInfo;
	PMRX_CALLDOWN MRxSetSdInfo;
	PMRX_CALLDOWN MRxQueryQuotaInfo;
	PMRX_CALLDOWN MRxSetQuotaInfo;
	PMRX_CALLDOWN MRxQueryVolumeInfo;
	PMRX_CALLDOWN MRxSetVolumeInfo;
	PMRX_CHKDIR_CALLDOWN MRxIsValidDirectory;
	PMRX_COMPUTE_NEW_BUFFERING_STATE MRxComputeNewBufferingState;
	PMRX_CALLDOWN MRxLowIOSubmit[LOWIO_OP_MAXIMUM + 1];
	PMRX_EXTENDFILE_CALLDOWN MRxExtendForCache;
	PMRX_EXTENDFILE_CALLDOWN MRxExtendForNonCache;
	PMRX_CHANGE_BUFFERING_STATE_CALLDOWN MRxCompleteBufferingStateChangeRequest;
	PMRX_CREATE_V_NET_ROOT MRxCreateVNetRoot;
	PMRX_FINALIZE_V_NET_ROOT_CALLDOWN MRxFinalizeVNetRoot;
	PMRX_FINALIZE_NET_ROOT_CALLDOWN MRxFinalizeNetRoot;
	PMRX_UPDATE_NETROOT_STATE MRxUpdateNetRootState; /* never called */
	PMRX_EXTRACT_NETROOT_NAME MRxExtractNetRootName;
	PMRX_CREATE_SRVCALL MRxCreateSrvCall;
	PMRX_CREATE_SRVCALL MRxCancelCreateSrvCall; /* never called */
	PMRX_SRVCALL_WINNER_NOTIFY MRxSrvCallWinnerNotify;
	PMRX_FINALIZE_SRVCALL_CALLDOWN MRxFinalizeSrvCall;
	PMRX_CALLDOWN MRxDevFcbXXXControlFile;
	PMRX_PREPARSE_NAME MRxPreparseName;
	PMRX_GET_CONNECTION_ID MRxGetConnectionId;
	ULONG ScavengerTimeout; /* seconds a closed file stays open at the server; 0 = default */
};

/* The redirector's device. */

typedef enum _RX_RDBSS_STATE_ {
	RDBSS_STARTABLE = 0,
	RDBSS_STARTED = 1,
	RDBSS_STOP_IN_PROGRESS = 2
} RX_RDBSS_STATE,
	*PRX_RDBSS_STATE;

typedef struct _RDBSS_STARTSTOP_CONTEXT_ {
	RX_RDBSS_STATE State;
	ULONG Version; /* incremented by each successful start */
	PRX_CONTEXT pStopContext;
} RDBSS_STARTSTOP_CONTEXT, *PRDBSS_STARTSTOP_CONTEXT;

typedef enum _RX_WORK_QUEUE_STATE_ {
	RxWorkQueueActive,
	RxWorkQueueInactive, /* nothing was posted since the last rundown */
	RxWorkQueueRundownInProgress
} RX_WORK_QUEUE_STATE,
	*PRX_WORK_QUEUE_STATE;

/* The work items of one redirector. */
typedef struct _RX_DISPATCHER_CONTEXT_ {
	volatile LONG NumberOfWorkerThreads; /* items posted and not returned */
	volatile PKEVENT pTearDownEvent;
	RX_WORK_QUEUE_STATE State;
	ULONG NumberOfWorkItemsDispatched;     /* begun, since registration */
	ULONG NumberOfWorkItemsToBeDispatched; /* waiting for a worker */
	ULONGLONG CumulativeQueueLength;       /* sum of those that waited when each item came */
} RX_DISPATCHER_CONTEXT, *PRX_DISPATCHER_CONTEXT;

typedef struct _RDBSS_EXPORTS {
	PULONG pRxNetNameTableVersion;
} RDBSS_EXPORTS, *PRDBSS_EXPORTS;

typedef KSPIN_LOCK RX_SPIN_LOCK, *PRX_SPIN_LOCK;

struct _RDBSS_DEVICE_OBJECT {
	union {
		DEVICE_OBJECT DeviceObject;
		struct {
			NT_DEVICE_OBJECT_MEMBERS
		};
	};
	ULONG RegistrationControls;
	PRDBSS_EXPORTS RdbssExports;
	PDEVICE_OBJECT RDBSSDeviceObject;
	PMINIRDR_DISPATCH Dispatch;
	UNICODE_STRING DeviceName;
	ULONG NetworkProviderPriority;
	HANDLE MupHandle;
	BOOLEAN RegisterUncProvider;
	BOOLEAN RegisterMailSlotProvider;
	BOOLEAN RegisteredAsFileSystem;
	BOOLEAN StartStopBusy; /* a start or a stop is at work; under a lock of core/minirdr */
	LIST_ENTRY MiniRdrListLinks;
	volatile ULONG NumberOfActiveFcbs;
	volatile ULONG NumberOfActiveContexts;

	/* statistics, interlocked; bytes and operations */
	LARGE_INTEGER PagingReadBytesRequested;
	LARGE_INTEGER NonPagingReadBytesRequested;
	LARGE_INTEGER CacheReadBytesRequested;
	LARGE_INTEGER FastReadBytesRequested;
	LARGE_INTEGER NetworkReadBytesRequested;
	volatile ULONG ReadOperations;
	ULONG FastReadOperations;
	volatile ULONG RandomReadOperations;
	LARGE_INTEGER PagingWriteBytesRequested;
	LARGE_INTEGER NonPagingWriteBytesRequested;
	LARGE_INTEGER CacheWriteBytesRequested;
	LARGE_INTEGER FastWriteBytesRequested;
	LARGE_INTEGER NetworkWriteBytesRequested;
	volatile ULONG WriteOperations;
	ULONG FastWriteOperations;
	volatile ULONG RandomWriteOperations;

	/* under OverflowQueueSpinLock; index: WORK_QUEUE_TYPE */
	volatile LONG PostedRequestCount[MaximumWorkQueue];
	LONG OverflowQueueCount[MaximumWorkQueue];
	LIST_ENTRY OverflowQueue[MaximumWorkQueue];
	RX_SPIN_LOCK OverflowQueueSpinLock;

	LONG AsynchronousRequestsPending;
	PKEVENT pAsynchronousRequestsCompletionEvent;
	RDBSS_STARTSTOP_CONTEXT StartStopContext;
	RX_DISPATCHER_CONTEXT DispatcherContext;
	PRX_PREFIX_TABLE pRxNetNameTable;
	RX_PREFIX_TABLE RxNetNameTableInDeviceObject;
	PRDBSS_SCAVENGER pRdbssScavenger;
	RDBSS_SCAVENGER RdbssScavengerInDeviceObject;
	struct rx_lazy_writer *LazyWriter; /* core/cache */
};

/* RxRegisterMinirdr Controls */
#define RX_REGISTERMINI_FLAG_DONT_PROVIDE_UNCS 0x1
#define RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS 0x2
#define RX_REGISTERMINI_FLAG_DONT_INIT_DRIVER_DISPATCH 0x4
#define RX_REGISTERMINI_FLAG_DONT_INIT_PREFIX_N_SCAVENGER 0x8

NTSTATUS RxRegisterMinirdr(_Out_ PRDBSS_DEVICE_OBJECT *DeviceObject, _Inout_ PDRIVER_OBJECT DriverObject,
			   _In_ PMINIRDR_DISPATCH MrdrDispatch, _In_ ULONG Controls,
			   _In_ PUNICODE_STRING DeviceName, _In_ ULONG DeviceExtensionSize,
			   _In_ DEVICE_TYPE DeviceType, _In_ ULONG DeviceCharacteristics);
VOID RxpUnregisterMinirdr(_In_ PRDBSS_DEVICE_OBJECT RxDeviceObject);
VOID RxMakeLateDeviceAvailable(_In_ PRDBSS_DEVICE_OBJECT RxDeviceObject);
VOID __RxFillAndInstallFastIoDispatch(_In_ PRDBSS_DEVICE_OBJECT RxDeviceObject,
				      _Inout_ struct _FAST_IO_DISPATCH *FastIoDispatch,
				      _In_ ULONG FastIoDispatchSize);
#define RxFillAndInstallFastIoDispatch(__devobj, __fastiodisp) \
	__RxFillAndInstallFastIoDispatch((__devobj), &(__fastiodisp), sizeof(__fastiodisp))
NTSTATUS RxStartMinirdr(_In_ PRX_CONTEXT RxContext, _Out_ PBOOLEAN PostToFsp);
NTSTATUS RxStopMinirdr(_In_ PRX_CONTEXT RxContext, _Out_ PBOOLEAN PostToFsp);
NTSTATUS RxSetDomainForMailslotBroadcast(_In_ PUNICODE_STRING DomainName);
NTSTATUS RxFsdDispatch(_In_ PRDBSS_DEVICE_OBJECT RxDeviceObject, _In_ PIRP Irp);

C_ASSERT(FIELD_OFFSET(MINIRDR_DISPATCH, NodeTypeCode) == 0 &&
	 FIELD_OFFSET(MINIRDR_DISPATCH, NodeByteSize) == 2);
C_ASSERT(RTL_FIELD_SIZE(MINIRDR_DISPATCH, MRxLowIOSubmit) == (LOWIO_OP_MAXIMUM + 1) * sizeof(PMRX_CALLDOWN));
/* What the I/O manager makes, with the redirector's part behind it. */
C_ASSERT(FIELD_OFFSET(RDBSS_DEVICE_OBJECT, DeviceObject) == 0);

#endif
