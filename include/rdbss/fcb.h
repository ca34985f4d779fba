/*
 * fcb.h - the objects of the redirector, as RDBSS keeps them, and the routines of their lives.
 *
 * Counts: 1 for being known (in a table, or created), one per child, one per holder. SRV_CALL, NET_ROOT and
 * V_NET_ROOT die at 1, their name table reference; SRV_OPEN and FOBX at 0 (E-02); FCB in two stages (E-05).
 */
#ifndef RX_FCB_H
#define RX_FCB_H

#include "buffring.h"
#include "fcbtable.h"
#include "mrxfcb.h"
#include "prefix.h"
#include "rxtypes/forward.h"
#include "rxworkq.h"

struct _SRV_CALL {
	union {
		MRX_SRV_CALL Mrx;
		struct {
			RX_MRX_SRV_CALL_MEMBERS
		};
	};
	BOOLEAN UpperFinalizationDone; /* stage one: name removed, call-down given out */
	BOOLEAN CallDownDone;          /* MRxFinalizeSrvCall has returned: what is left is memory */
	BOOLEAN ForceAtCallDown;       /* ForceFinalize of the call that began stage one */
	BOOLEAN FailureRemembered;     /* the record holds itself until FailedUntil */
	RX_PREFIX_ENTRY PrefixEntry;
	RX_BLOCK_CONDITION Condition;
	ULONG SerialNumberForEnum;
	volatile LONG NumberOfCloseDelayedFiles;
	LIST_ENTRY TransitionWaitList;
	LIST_ENTRY ScavengerFinalizationList;
	PURGE_SYNCHRONIZATION_CONTEXT PurgeSyncronizationContext;
	RX_BUFFERING_MANAGER BufferingManager;
	LARGE_INTEGER FailedUntil; /* interrupt time until which a failure is answered from memory */
	RX_WORK_QUEUE_ITEM FinalizeWorkItem; /* here, so that teardown never fails for want of memory */
	struct rx_srv_call_construction *Construction; /* core/connect; lives as long as the record */
	UNICODE_STRING SrvCallName;
	UNICODE_STRING PrincipalName;
	UNICODE_STRING DomainName;
};

struct _NET_ROOT {
	union {
		MRX_NET_ROOT Mrx;
		struct {
			RX_MRX_NET_ROOT_MEMBERS
		};
		struct {
			UCHAR BeforeSrvCall[FIELD_OFFSET(MRX_NET_ROOT, pSrvCall)];
			PSRV_CALL SrvCall; /* pSrvCall, as what it is: drivers write both */
		};
	};
	BOOLEAN UpperFinalizationDone;
	RX_BLOCK_CONDITION Condition;
	LIST_ENTRY TransitionWaitList;
	LIST_ENTRY ScavengerFinalizationList;
	PURGE_SYNCHRONIZATION_CONTEXT PurgeSyncronizationContext;
	PV_NET_ROOT DefaultVNetRoot;
	LIST_ENTRY VirtualNetRoots; /* V_NET_ROOT.NetRootListEntry; under the name table lock */
	ULONG NumberOfVirtualNetRoots;
	ULONG SerialNumberForEnum;
	NTSTATUS ConstructionStatus;
	RX_PREFIX_ENTRY PrefixEntry;
	RX_FCB_TABLE FcbTable;
	LIST_ENTRY OrphanedFcbs; /* FcbTableEntry.HashLinks of FCBs out of the table; under its lock */
	UNICODE_STRING NetRootName;
};

struct _V_NET_ROOT {
	union {
		MRX_V_NET_ROOT Mrx;
		struct {
			RX_MRX_V_NET_ROOT_MEMBERS
		};
	};
	BOOLEAN UpperFinalizationDone;      /* its SRV_OPENs are orphaned */
	BOOLEAN ConnectionFinalizationDone; /* RxFinalizeConnection has run; no new opens */
	RX_BLOCK_CONDITION Condition;
	volatile LONG AdditionalReferenceForDeleteFsctlTaken;
	volatile ULONG NumberOfSrvOpens; /* that refer to the view */
	RX_PREFIX_ENTRY PrefixEntry;
	UNICODE_STRING NamePrefix; /* put in front of opened names */
	ULONG PrefixOffsetInBytes;
	LIST_ENTRY NetRootListEntry;
	ULONG SerialNumberForEnum;
	LIST_ENTRY TransitionWaitList;
	LIST_ENTRY ScavengerFinalizationList;
	struct rx_v_net_root_construction *Construction; /* core/connect; lives as long as the view */
	UNICODE_STRING VNetRootName;
	UNICODE_STRING UserName;
	UNICODE_STRING UserDomainName;
	UNICODE_STRING Password;
	PVOID CredentialMemory; /* what the three strings name; wiped when the view dies */
	ULONG CredentialBytes;
};

struct _NON_PAGED_FCB {
	NODE_TYPE_CODE NodeTypeCode;
	NODE_BYTE_SIZE NodeByteSize;
	SECTION_OBJECT_POINTERS SectionObjectPointers;
	ERESOURCE HeaderResource; /* the FCB regular resource */
	ERESOURCE PagingIoResource;
	LIST_ENTRY TransitionWaitList;
	ULONG OutstandingAsyncWrites;
	PKEVENT OutstandingAsyncEvent; /* TheActualEvent, while somebody waits */
	PVOID MiniRdrContext[2];
	FAST_MUTEX AdvancedFcbHeaderMutex; /* a leaf: SrvOpenList and FobxLists for readers without the FCB */
	FAST_MUTEX FileSizeLock;           /* a leaf */
	KEVENT TheActualEvent;
	PFCB FcbBackPointer;
};

typedef struct _FCB_INIT_PACKET {
	PULONG pAttributes;
	PULONG pNumLinks;
	PLARGE_INTEGER pCreationTime;
	PLARGE_INTEGER pLastAccessTime;
	PLARGE_INTEGER pLastWriteTime;
	PLARGE_INTEGER pLastChangeTime;
	PLARGE_INTEGER pAllocationSize;
	PLARGE_INTEGER pFileSize;
	PLARGE_INTEGER pValidDataLength;
} FCB_INIT_PACKET, *PFCB_INIT_PACKET;

/* Fills a packet; yields its address. */
static inline PFCB_INIT_PACKET rx_form_init_packet(PFCB_INIT_PACKET packet, PULONG attributes, PULONG links,
						   PLARGE_INTEGER creation, PLARGE_INTEGER access,
						   PLARGE_INTEGER write, PLARGE_INTEGER change,
						   PLARGE_INTEGER allocation, PLARGE_INTEGER size,
						   PLARGE_INTEGER valid_data)
{
	*packet = (FCB_INIT_PACKET){attributes, links,      creation, access,    write,
				    change,     allocation, size,     valid_data};
	return packet;
}
#define RxFormInitPacket(IP, I1, I1a, I2, I3, I4a, I4b, I5, I6, I7) \
	rx_form_init_packet(&(IP), (I1), (I1a), (I2), (I3), (I4a), (I4b), (I5), (I6), (I7))

typedef struct _LOWIO_PER_FCB_INFO {
	LIST_ENTRY PagingIoReadsOutstanding;
	LIST_ENTRY PagingIoWritesOutstanding;
} LOWIO_PER_FCB_INFO, *PLOWIO_PER_FCB_INFO;

typedef struct _FCB_LOCK {
	struct _FCB_LOCK *Next;
	LARGE_INTEGER Length;
	LARGE_INTEGER BytesOffset;
	ULONG Key;
	BOOLEAN ExclusiveLock;
	PVOID OwnerProcess;
} FCB_LOCK, *PFCB_LOCK;

typedef struct _FCB_BUFFERED_LOCKS {
	PFCB_LOCK List;    /* granted */
	PFCB_LOCK Waiting; /* requests, oldest first */
} FCB_BUFFERED_LOCKS, *PFCB_BUFFERED_LOCKS;

struct _FCB {
	union {
		MRX_FCB Mrx;
		struct {
			RX_MRX_FCB_MEMBERS
		};
	};
	RX_FCB_TABLE_ENTRY FcbTableEntry; /* first, near the count: a lookup touches both */
	PV_NET_ROOT VNetRoot; /* it was created through; NULL once that view ended. Under the FCB table */
	PNON_PAGED_FCB NonPaged;
	LIST_ENTRY ScavengerFinalizationList;
	PKEVENT pBufferingStateChangeCompletedEvent;
	LONG NumberOfBufferingStateChangeWaiters;
	volatile LONG NumberOfBufferingChangesWaiting; /* requests for its SRV_OPENs, not applied yet */
	UNICODE_STRING PrivateAlreadyPrefixedName;
	BOOLEAN UpperFinalizationDone;
	RX_BLOCK_CONDITION Condition;
	PRX_FSD_DISPATCH_VECTOR PrivateDispatchVector;
	PRDBSS_DEVICE_OBJECT RxDeviceObject;
	PMINIRDR_DISPATCH MRxDispatch;
	struct _FAST_IO_DISPATCH *MRxFastIoDispatch;
	PSRV_OPEN InternalSrvOpen;      /* inside this allocation; used while FCB_STATE_SRVOPEN_USED */
	PFOBX InternalFobx;             /* inside this allocation; used while FCB_STATE_FOBX_USED */
	PVOID InternalSrvOpenExtension; /* the driver's, inside this allocation */
	PVOID InternalFobxExtension;
	PVOID RenamedPath;        /* memory of the path after a rename */
	SHARE_ACCESS ShareAccess; /* of all file objects */
	SHARE_ACCESS ShareAccessPerSrvOpens;
	ULONG NumberOfLinks;
	LARGE_INTEGER CreationTime; /* 100 ns since 1601 */
	LARGE_INTEGER LastAccessTime;
	LARGE_INTEGER LastWriteTime;
	LARGE_INTEGER LastChangeTime;
	ULONG ulFileSizeVersion;
	volatile NTSTATUS WriteBehindError; /* of the last of WriteBehindFailures */
	FILE_LOCK FileLock;
	LOWIO_PER_FCB_INFO LowIoPerFcbInfo;
	PFAST_MUTEX FileSizeLock;
	ULONG EaModificationCount;
	volatile ULONG WriteBehindFailures; /* handles hear of each (WriteBehindFailuresSeen) */
	FCB_BUFFERED_LOCKS BufferedLocks;
	struct rx_cache *WriteBehind;      /* core/cache; NULL until data was kept back */
	volatile LONG ReadAheadGeneration; /* data read ahead in an earlier one is wrong */
	volatile ULONG WriteBehindBlocks;  /* that hold data which is not at the server; under its mutex */
	ULONG LockBufferingGeneration;     /* of the leave to buffer locks: each has its number */
};

struct _SRV_OPEN {
	union {
		MRX_SRV_OPEN Mrx;
		struct {
			RX_MRX_SRV_OPEN_MEMBERS
		};
	};
	BOOLEAN UpperFinalizationDone;
	RX_BLOCK_CONDITION Condition;
	volatile LONG BufferingToken;
	LIST_ENTRY ScavengerFinalizationList;
	LIST_ENTRY TransitionWaitList;
	LIST_ENTRY FobxList; /* FOBX.FobxQLinks */
	PFOBX InternalFobx;  /* NULL for the SRV_OPEN inside an FCB */
	union {
		LIST_ENTRY SrvOpenKeyList; /* by key, under BufferingManager.Mutex; self-linked outside */
		ULONG SequenceNumber;
	};
	NTSTATUS OpenStatus;
	struct _CHANGE_BUFFERING_STATE_REQUEST_ *SpareRequest; /* core/buffering; NULL: it has no key */
};

struct _FOBX {
	union {
		MRX_FOBX Mrx;
		struct {
			RX_MRX_FOBX_MEMBERS
		};
	};
	volatile ULONG FobxSerialNumber;
	LIST_ENTRY FobxQLinks;
	LIST_ENTRY ScavengerFinalizationList;
	LIST_ENTRY ClosePendingList;
	LARGE_INTEGER CloseTime; /* interrupt time, 100 ns */
	BOOLEAN UpperFinalizationDone;
	BOOLEAN ContainsWildCards;
	BOOLEAN fOpenCountDecremented; /* SRV_OPEN.OpenCount no longer counts this one */
	union {
		struct {
			struct _MRX_PIPE_HANDLE_INFORMATION PipeInfo;
			LIST_ENTRY ReadSerializationQueue;
			LIST_ENTRY WriteSerializationQueue;
		} NamedPipe;
		struct {
			RXVBO PredictedReadOffset;
			RXVBO PredictedWriteOffset;
		} DiskFile;
	} Specific;
	PRDBSS_DEVICE_OBJECT RxDeviceObject;
	struct rx_ahead *
		Ahead; /* core/cache; NULL until its reads follow each other, or its data came with the open */
	volatile ULONG WriteBehindFailuresSeen; /* of FCB.WriteBehindFailures */
	volatile LONG CleanupBegun;             /* core/dispatch: its handle is being closed */
};

/* Names of a file under its share. */
#define GET_ALREADY_PREFIXED_NAME(SRVOPEN, FCB) \
	((PUNICODE_STRING) & ((PFCB)(FCB))->PrivateAlreadyPrefixedName)
#define GET_ALREADY_PREFIXED_NAME_FROM_CONTEXT(RXCONTEXT) \
	GET_ALREADY_PREFIXED_NAME((RXCONTEXT)->pRelevantSrvOpen, (RXCONTEXT)->pFcb)

/* Reference tracking: what kind of object a record is about, and which kinds are traced. */
#define RDBSS_REF_TRACK_SRVCALL 0x1
#define RDBSS_REF_TRACK_NETROOT 0x2
#define RDBSS_REF_TRACK_VNETROOT 0x4
#define RDBSS_REF_TRACK_NETFOBX 0x8
#define RDBSS_REF_TRACK_NETFCB 0x10
#define RDBSS_REF_TRACK_SRVOPEN 0x20
#define RX_LOG_REF_TRACKING 0x80000000
#define RX_PRINT_REF_TRACKING 0x40000000
#define REF_TRACING_ON(TraceMask) ((TraceMask)&RdbssReferenceTracingValue)

extern ULONG RdbssReferenceTracingValue;

/*
 * Built with RX_DEBUG_REFS, both record file and line as a holder of the instance; otherwise they do
 * nothing. Neither changes a count. The answer is always TRUE.
 */
VOID RxpTrackReference(_In_ ULONG TraceType, _In_ PCSTR FileName, _In_ ULONG Line, _In_ PVOID pInstance);
BOOLEAN RxpTrackDereference(_In_ ULONG TraceType, _In_ PCSTR FileName, _In_ ULONG Line, _In_ PVOID pInstance);

VOID RxReference(_Inout_ PVOID Instance);
VOID RxDereference(_Inout_ PVOID Instance, _In_ LOCK_HOLDING_STATE LockHoldingState);

#define RX_TRACKED_REFERENCE(KIND, INSTANCE) \
	(RxpTrackReference((KIND), __FILE__, __LINE__, (INSTANCE)), RxReference((INSTANCE)))
#define RX_TRACKED_DEREFERENCE(KIND, INSTANCE, STATE) \
	(RxpTrackDereference((KIND), __FILE__, __LINE__, (INSTANCE)), RxDereference((INSTANCE), (STATE)))

#define RxReferenceSrvCall(SrvCall) RX_TRACKED_REFERENCE(RDBSS_REF_TRACK_SRVCALL, (SrvCall))
#define RxReferenceSrvCallAtDpc(SrvCall) RX_TRACKED_REFERENCE(RDBSS_REF_TRACK_SRVCALL, (SrvCall))
#define RxDereferenceSrvCall(SrvCall, LockHoldingState) \
	RX_TRACKED_DEREFERENCE(RDBSS_REF_TRACK_SRVCALL, (SrvCall), (LockHoldingState))
#define RxReferenceNetRoot(NetRoot) RX_TRACKED_REFERENCE(RDBSS_REF_TRACK_NETROOT, (NetRoot))
#define RxDereferenceNetRoot(NetRoot, LockHoldingState) \
	RX_TRACKED_DEREFERENCE(RDBSS_REF_TRACK_NETROOT, (NetRoot), (LockHoldingState))
#define RxReferenceVNetRoot(VNetRoot) RX_TRACKED_REFERENCE(RDBSS_REF_TRACK_VNETROOT, (VNetRoot))
#define RxDereferenceVNetRoot(VNetRoot, LockHoldingState) \
	RX_TRACKED_DEREFERENCE(RDBSS_REF_TRACK_VNETROOT, (VNetRoot), (LockHoldingState))
#define RxReferenceSrvOpen(SrvOpen) RX_TRACKED_REFERENCE(RDBSS_REF_TRACK_SRVOPEN, (SrvOpen))
#define RxDereferenceSrvOpen(SrvOpen, LockHoldingState) \
	RX_TRACKED_DEREFERENCE(RDBSS_REF_TRACK_SRVOPEN, (SrvOpen), (LockHoldingState))
#define RxReferenceNetFobx(Fobx) RX_TRACKED_REFERENCE(RDBSS_REF_TRACK_NETFOBX, (Fobx))
#define RxDereferenceNetFobx(Fobx, LockHoldingState) \
	RX_TRACKED_DEREFERENCE(RDBSS_REF_TRACK_NETFOBX, (Fobx), (LockHoldingState))
#define RxReferenceNetFcb(Fcb) \
	(RxpTrackReference(RDBSS_REF_TRACK_NETFCB, __FILE__, __LINE__, (Fcb)), \
	 RxpReferenceNetFcb((PFCB)(Fcb)))
#define RxDereferenceNetFcb(Fcb) \
	(RxpTrackDereference(RDBSS_REF_TRACK_NETFCB, __FILE__, __LINE__, (Fcb)), \
	 RxpDereferenceNetFcb((PFCB)(Fcb)))
#define RxDereferenceAndFinalizeNetFcb(Fcb, RxContext, RecursiveFinalize, ForceFinalize) \
	(RxpTrackDereference(RDBSS_REF_TRACK_NETFCB, __FILE__, __LINE__, (Fcb)), \
	 RxpDereferenceAndFinalizeNetFcb((PFCB)(Fcb), (RxContext), (RecursiveFinalize), (ForceFinalize)))

/* SRV_CALL. Locks of all three: name table of the device, exclusive. */
PSRV_CALL RxCreateSrvCall(_In_ PRX_CONTEXT RxContext, _In_ PUNICODE_STRING Name,
			  _In_opt_ PUNICODE_STRING InnerNamePrefix,
			  _In_opt_ PRX_CONNECTION_ID RxConnectionId);
BOOLEAN RxFinalizeSrvCall(_Out_ PSRV_CALL ThisSrvCall, _In_ BOOLEAN ForceFinalize);

/* NET_ROOT. Locks: name table, exclusive. */
PNET_ROOT RxCreateNetRoot(_In_ PSRV_CALL SrvCall, _In_ PUNICODE_STRING Name, _In_ ULONG NetRootFlags,
			  _In_opt_ PRX_CONNECTION_ID RxConnectionId);
BOOLEAN RxFinalizeNetRoot(_Out_ PNET_ROOT ThisNetRoot, _In_ BOOLEAN RecursiveFinalize,
			  _In_ BOOLEAN ForceFinalize);

/* V_NET_ROOT. Locks: name table, exclusive. */
PV_NET_ROOT RxCreateVNetRoot(_In_ PRX_CONTEXT RxContext, _In_ PNET_ROOT NetRoot,
			     _In_ PUNICODE_STRING CanonicalName, _In_ PUNICODE_STRING LocalNetRootName,
			     _In_opt_ PUNICODE_STRING FilePath, _In_opt_ PRX_CONNECTION_ID RxConnectionId);
BOOLEAN RxFinalizeVNetRoot(_Out_ PV_NET_ROOT ThisVNetRoot, _In_ BOOLEAN RecursiveFinalize,
			   _In_ BOOLEAN ForceFinalize);

/* FCB. Create: FCB table exclusive. */
PFCB RxCreateNetFcb(_In_ PRX_CONTEXT RxContext, _In_ PIRP Irp, _In_ PV_NET_ROOT VNetRoot,
		    _In_ PUNICODE_STRING Name);
VOID RxFinishFcbInitialization(_Inout_ PMRX_FCB MrxFcb, _In_ RX_FILE_TYPE RdbssStorageType,
			       _In_opt_ PFCB_INIT_PACKET InitPacket);
RX_FILE_TYPE RxInferFileType(_In_ PRX_CONTEXT RxContext);
LONG RxpReferenceNetFcb(_Inout_ PFCB Fcb);
LONG RxpDereferenceNetFcb(_Inout_ PFCB Fcb);
BOOLEAN RxpDereferenceAndFinalizeNetFcb(_Out_ PFCB Fcb, _In_ PRX_CONTEXT RxContext,
					_In_ BOOLEAN RecursiveFinalize, _In_ BOOLEAN ForceFinalize);
VOID RxGetFileSizeWithLock(_In_ PFCB Fcb, _Out_ PLONGLONG FileSize);
VOID RxSetFileSizeWithLock(_Inout_ PFCB Fcb, _In_ PLONGLONG FileSize);

/* SRV_OPEN and FOBX. Locks: FCB exclusive; RxFinalizeSrvOpen also the FCB table, shared at least. */
PSRV_OPEN RxCreateSrvOpen(_In_ PV_NET_ROOT VNetRoot, _Inout_ PFCB Fcb);
BOOLEAN RxFinalizeSrvOpen(_Out_ PSRV_OPEN ThisSrvOpen, _In_ BOOLEAN RecursiveFinalize,
			  _In_ BOOLEAN ForceFinalize);
PMRX_FOBX RxCreateNetFobx(_Out_ PRX_CONTEXT RxContext, _In_ PMRX_SRV_OPEN MrxSrvOpen);
BOOLEAN RxFinalizeNetFobx(_Out_ PFOBX ThisFobx, _In_ BOOLEAN RecursiveFinalize, _In_ BOOLEAN ForceFinalize);

/* A driver's pointer to its part of an object is a pointer to the object. */
#define RX_ASSERT_SAME_PLACE(Object, Part, Member) \
	C_ASSERT(FIELD_OFFSET(Object, Member) == FIELD_OFFSET(Part, Member) && sizeof(Object) >= sizeof(Part))
RX_ASSERT_SAME_PLACE(SRV_CALL, MRX_SRV_CALL, Status);
RX_ASSERT_SAME_PLACE(NET_ROOT, MRX_NET_ROOT, pNetRootName);
RX_ASSERT_SAME_PLACE(V_NET_ROOT, MRX_V_NET_ROOT, ConstructionStatus);
RX_ASSERT_SAME_PLACE(FCB, MRX_FCB, FcbState);
RX_ASSERT_SAME_PLACE(SRV_OPEN, MRX_SRV_OPEN, BufferingFlags);
RX_ASSERT_SAME_PLACE(FOBX, MRX_FOBX, OffsetOfNextEaToReturn);

#endif
