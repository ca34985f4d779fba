/*
 * mrxfcb.h - the part of each object that a mini-redirector sees.
 *
 *   SRV_CALL > NET_ROOT > V_NET_ROOT > SRV_OPEN > FOBX, and FCB beside V_NET_ROOT
 *
 * Every structure here is the head of the core's own one (fcb.h). The members are listed in macros so that
 * the core's structure can hold them both as a whole and member by member:
 * `((PSRV_CALL)MrxSrvCall)->NodeReferenceCount` and `SrvCall->Mrx.NodeReferenceCount` are the same count.
 *
 * Who writes: NodeXxx, p-pointers and counts belong to the core; Context, Context2 and what is marked
 * "driver" to the mini-redirector. Flags: low 16 bits are shared, high 16 bits are the core's.
 */
#ifndef RX_MRXFCB_H
#define RX_MRXFCB_H

#include "rxtypes/forward.h"

/* SRV_CALL: one server. */

#define SRVCALL_FLAG_MAILSLOT_SERVER 0x1
#define SRVCALL_FLAG_FILE_SERVER 0x2
#define SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS 0x4
#define SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES 0x8
#define SRVCALL_FLAG_DFS_AWARE_SERVER 0x10
#define SRVCALL_FLAG_FORCE_FINALIZED 0x20

#define RX_MRX_SRV_CALL_MEMBERS \
	NODE_TYPE_CODE NodeTypeCode; \
	NODE_BYTE_SIZE NodeByteSize; \
	volatile ULONG NodeReferenceCount; \
	PVOID Context;  /* driver; its extension when RDBSS manages it */ \
	PVOID Context2; /* driver */ \
	PRDBSS_DEVICE_OBJECT RxDeviceObject; \
	PUNICODE_STRING pSrvCallName; /* `\server` */ \
	PUNICODE_STRING pPrincipalName; \
	PUNICODE_STRING pDomainName; /* written through RxSetSrvCallDomainName */ \
	ULONG Flags; \
	LONG MaximumNumberOfCloseDelayedFiles; /* driver */ \
	NTSTATUS Status;                       /* of construction */

struct _MRX_SRV_CALL_ {
	RX_MRX_SRV_CALL_MEMBERS
};

/* NET_ROOT: one share. */

typedef enum _MRX_NET_ROOT_STATE_ {
	MRX_NET_ROOT_STATE_GOOD = 0,
	MRX_NET_ROOT_STATE_DISCONNECTED = 1,
	MRX_NET_ROOT_STATE_PAUSED = 2,
	MRX_NET_ROOT_STATE_ERROR = 3,
	MRX_NET_ROOT_STATE_RECONN = 4
} MRX_NET_ROOT_STATE;

typedef UCHAR MRX_PURGE_RELATIONSHIP, *PMRX_PURGE_RELATIONSHIP;
#define MRX_PURGE_SAME_NETROOT ((MRX_PURGE_RELATIONSHIP)0)
#define MRX_PURGE_SAME_SRVCALL ((MRX_PURGE_RELATIONSHIP)1)
#define MRX_PURGE_ALL ((MRX_PURGE_RELATIONSHIP)2)

typedef UCHAR MRX_PURGE_SYNCLOCATION, *PMRX_PURGE_SYNCLOCATION;
#define PURGE_SYNC_AT_NETROOT ((MRX_PURGE_SYNCLOCATION)0)
#define PURGE_SYNC_AT_SRVCALL ((MRX_PURGE_SYNCLOCATION)1)

typedef struct _NETROOT_THROTTLING_PARAMETERS {
	ULONG Increment;    /* milliseconds */
	ULONG MaximumDelay; /* milliseconds */
} NETROOT_THROTTLING_PARAMETERS, *PNETROOT_THROTTLING_PARAMETERS;

#define NETROOT_FLAG_SUPPORTS_SYMBOLIC_LINKS 0x1
#define NETROOT_FLAG_DFS_AWARE_NETROOT 0x2
#define NETROOT_FLAG_DEFER_READAHEAD 0x4
#define NETROOT_FLAG_FINALIZATION_IN_PROGRESS 0x40000
#define NETROOT_FLAG_NAME_ALREADY_REMOVED 0x80000

/* DeviceType is an ULONG here, as DEVICE_TYPE is. VolumeInfo: the driver's own cache, freed by it. */
#define RX_MRX_NET_ROOT_MEMBERS \
	NODE_TYPE_CODE NodeTypeCode; \
	NODE_BYTE_SIZE NodeByteSize; \
	volatile ULONG NodeReferenceCount; \
	PMRX_SRV_CALL pSrvCall; \
	PVOID Context;  /* driver; NULL tells it that the share is new */ \
	PVOID Context2; /* driver */ \
	ULONG Flags; \
	volatile ULONG NumberOfFcbs; \
	volatile ULONG NumberOfSrvOpens; \
	MRX_NET_ROOT_STATE MRxNetRootState; /* driver */ \
	NET_ROOT_TYPE Type; \
	MRX_PURGE_RELATIONSHIP PurgeRelationship; /* driver */ \
	MRX_PURGE_SYNCLOCATION PurgeSyncLocation; /* driver */ \
	DEVICE_TYPE DeviceType;                   /* driver */ \
	PUNICODE_STRING pNetRootName;             /* `\server\share` */ \
	UNICODE_STRING InnerNamePrefix;           /* driver */ \
	ULONG ParameterValidationStamp;           /* driver */ \
	union { \
		struct { \
			ULONG DataCollectionSize; \
			NETROOT_THROTTLING_PARAMETERS PipeReadThrottlingParameters; \
		} NamedPipeParameters; \
		struct { \
			ULONG ClusterSize;          /* bytes */ \
			ULONG ReadAheadGranularity; /* bytes */ \
			NETROOT_THROTTLING_PARAMETERS LockThrottlingParameters; \
			ULONG RenameInfoOverallocationSize; /* bytes */ \
			GUID VolumeId; \
		} DiskParameters; \
	}; \
	PVOID VolumeInfo;       /* driver */ \
	ULONG VolumeInfoLength; /* driver */

struct _MRX_NET_ROOT_ {
	RX_MRX_NET_ROOT_MEMBERS
};

/* V_NET_ROOT: one view of a share, with the credentials it is used with. */

#define VNETROOT_FLAG_CSCAGENT_INSTANCE 0x1

/* The three credential strings are one allocation, wiped when the view dies. */
#define RX_MRX_V_NET_ROOT_MEMBERS \
	NODE_TYPE_CODE NodeTypeCode; \
	NODE_BYTE_SIZE NodeByteSize; \
	volatile ULONG NodeReferenceCount; \
	union { \
		PMRX_NET_ROOT pNetRoot; \
		PNET_ROOT NetRoot; \
	}; \
	PVOID Context;  /* driver */ \
	PVOID Context2; /* driver */ \
	ULONG Flags; \
	ULONG NumberOfOpens; \
	volatile ULONG NumberOfFobxs; \
	LUID LogonId; \
	PUNICODE_STRING pUserDomainName; \
	PUNICODE_STRING pUserName; \
	PUNICODE_STRING pPassword; \
	ULONG SessionId; \
	NTSTATUS ConstructionStatus; \
	BOOLEAN IsExplicitConnection;

struct _MRX_V_NET_ROOT_ {
	RX_MRX_V_NET_ROOT_MEMBERS
};

/* FCB: one file of a share. */

#define FCB_STATE_DELETE_ON_CLOSE 0x00000001
#define FCB_STATE_TRUNCATE_ON_CLOSE 0x00000002
#define FCB_STATE_PAGING_FILE 0x00000004
#define FCB_STATE_DISABLE_LOCAL_BUFFERING 0x00000010
#define FCB_STATE_TEMPORARY 0x00000020
#define FCB_STATE_BUFFERING_STATE_CHANGE_PENDING 0x00000040
#define FCB_STATE_ORPHANED 0x00000080
#define FCB_STATE_READAHEAD_DEFERRED 0x00000100
#define FCB_STATE_DELAY_CLOSE 0x00000800
#define FCB_STATE_FAKEFCB 0x00001000
#define FCB_STATE_BUFFERSTATE_CHANGING 0x00002000
#define FCB_STATE_SPECIAL_PATH 0x00020000
#define FCB_STATE_TIME_AND_SIZE_ALREADY_SET 0x00040000
#define FCB_STATE_FILETIMECACHEING_ENABLED 0x00080000
#define FCB_STATE_FILESIZECACHEING_ENABLED 0x00100000
#define FCB_STATE_LOCK_BUFFERING_ENABLED 0x00200000
#define FCB_STATE_COLLAPSING_ENABLED 0x00400000
#define FCB_STATE_OPENSHARING_ENABLED 0x00800000
#define FCB_STATE_READBUFFERING_ENABLED 0x01000000
#define FCB_STATE_READCACHING_ENABLED 0x02000000
#define FCB_STATE_WRITEBUFFERING_ENABLED 0x04000000
#define FCB_STATE_WRITECACHING_ENABLED 0x08000000
#define FCB_STATE_NAME_ALREADY_REMOVED 0x10000000
#define FCB_STATE_ADDEDBACKSLASH 0x20000000
#define FCB_STATE_FOBX_USED 0x40000000
#define FCB_STATE_SRVOPEN_USED 0x80000000

/* Older spellings that drivers use. */
#define FCB_STATE_READCACHEING_ENABLED FCB_STATE_READCACHING_ENABLED
#define FCB_STATE_WRITECACHEING_ENABLED FCB_STATE_WRITECACHING_ENABLED

#define FCB_STATE_BUFFERING_STATE_MASK \
	(FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_WRITEBUFFERING_ENABLED | FCB_STATE_READCACHING_ENABLED | \
	 FCB_STATE_READBUFFERING_ENABLED | FCB_STATE_OPENSHARING_ENABLED | FCB_STATE_COLLAPSING_ENABLED | \
	 FCB_STATE_LOCK_BUFFERING_ENABLED | FCB_STATE_FILESIZECACHEING_ENABLED | \
	 FCB_STATE_FILETIMECACHEING_ENABLED)

/* A set mask would hide single bits, hence macros and not an enum. */
#define RX_MRX_FCB_MEMBERS \
	FSRTL_ADVANCED_FCB_HEADER Header; \
	PMRX_NET_ROOT pNetRoot; \
	PVOID Context;  /* driver */ \
	PVOID Context2; /* driver */ \
	volatile ULONG NodeReferenceCount; \
	ULONG FcbState; \
	volatile CLONG UncleanCount; /* file objects not yet cleaned up */ \
	CLONG UncachedUncleanCount; \
	volatile CLONG OpenCount; /* file objects not yet closed */ \
	volatile ULONG OutstandingLockOperationsCount; \
	ULONGLONG ActualAllocationLength; /* bytes */ \
	ULONG Attributes; \
	BOOLEAN IsFileWritten; \
	BOOLEAN fShouldBeOrphaned; \
	BOOLEAN fMiniInited; /* driver */ \
	UCHAR CachedNetRootType; \
	LIST_ENTRY SrvOpenList; \
	ULONG SrvOpenListVersion; \
	LARGE_INTEGER IndexNumber; /* driver: the server's file id, 0 = unknown */

struct _MRX_FCB_ {
	RX_MRX_FCB_MEMBERS
};

/* The FCB regular resource, for mini-redirectors. Blocks until granted; never fails (E-29). */
NTSTATUS RxAcquireExclusiveFcbResourceInMRx(_Inout_ PMRX_FCB pFcb);
NTSTATUS RxAcquireSharedFcbResourceInMRx(_Inout_ PMRX_FCB pFcb);
NTSTATUS RxAcquireSharedFcbResourceInMRxEx(_In_ PRX_CONTEXT pRxContext, _Inout_ PMRX_FCB pFcb);
VOID RxReleaseFcbResourceInMRx(_Inout_ PMRX_FCB pFcb);
/* The resource is held by ResourceThreadId (a thread, or an owner pointer set with ExSetResourceOwnerPointer). */
VOID RxReleaseFcbResourceForThreadInMRx(_In_ PRX_CONTEXT pRxContext, _Inout_ PMRX_FCB MrxFcb,
					_In_ ERESOURCE_THREAD ResourceThreadId);

/* SRV_OPEN: one open at the server. */

#define SRVOPEN_FLAG_DONTUSE_READ_CACHING 0x1
#define SRVOPEN_FLAG_DONTUSE_WRITE_CACHING 0x2
#define SRVOPEN_FLAG_CLOSED 0x4
#define SRVOPEN_FLAG_CLOSE_DELAYED 0x8
#define SRVOPEN_FLAG_FILE_RENAMED 0x10
#define SRVOPEN_FLAG_FILE_DELETED 0x20
#define SRVOPEN_FLAG_BUFFERING_STATE_CHANGE_PENDING 0x40
#define SRVOPEN_FLAG_COLLAPSING_DISABLED 0x80
#define SRVOPEN_FLAG_BUFFERING_STATE_CHANGE_REQUESTS_PURGED 0x100
#define SRVOPEN_FLAG_NO_BUFFERING_STATE_CHANGE 0x200
#define SRVOPEN_FLAG_ORPHANED 0x400
#define SRVOPEN_FLAG_ENCLOSED_ALLOCATED 0x10000
#define SRVOPEN_FLAG_FOBX_USED 0x20000
#define SRVOPEN_FLAG_SHAREACCESS_UPDATED 0x40000

#define RX_MRX_SRV_OPEN_MEMBERS \
	NODE_TYPE_CODE NodeTypeCode; \
	NODE_BYTE_SIZE NodeByteSize; \
	volatile ULONG NodeReferenceCount; \
	PMRX_FCB pFcb; \
	PMRX_V_NET_ROOT pVNetRoot; \
	PVOID Context;  /* driver */ \
	PVOID Context2; /* driver */ \
	ULONG Flags; \
	PUNICODE_STRING pAlreadyPrefixedName; /* the FCB's name, `\path` under the share */ \
	CLONG UncleanFobxCount; \
	CLONG OpenCount; /* FOBXs that still need the server open */ \
	PVOID Key;       /* driver: how the server names the open in breaks */ \
	ACCESS_MASK DesiredAccess; \
	ULONG ShareAccess; \
	ULONG CreateOptions; \
	ULONG BufferingFlags; \
	ULONG ulFileSizeVersion; \
	LIST_ENTRY SrvOpenQLinks;

struct _MRX_SRV_OPEN_ {
	RX_MRX_SRV_OPEN_MEMBERS
};

/* FOBX: one file object. */

#define FOBX_FLAG_DFS_OPEN 0x1
#define FOBX_FLAG_BAD_HANDLE 0x2
#define FOBX_FLAG_BACKUP_INTENT 0x4
#define FOBX_FLAG_MATCH_ALL 0x10000
#define FOBX_FLAG_FREE_UNICODE 0x20000
#define FOBX_FLAG_USER_SET_LAST_WRITE 0x40000
#define FOBX_FLAG_USER_SET_LAST_ACCESS 0x80000
#define FOBX_FLAG_USER_SET_CREATION 0x100000
#define FOBX_FLAG_USER_SET_LAST_CHANGE 0x200000
#define FOBX_FLAG_DELETE_ON_CLOSE 0x800000
#define FOBX_FLAG_SRVOPEN_CLOSED 0x1000000
#define FOBX_FLAG_UNC_NAME 0x2000000
#define FOBX_FLAG_ENCLOSED_ALLOCATED 0x4000000
#define FOBX_FLAG_MARKED_AS_DORMANT 0x8000000

typedef struct _MRX_PIPE_HANDLE_INFORMATION {
	ULONG TypeOfPipe;
	ULONG ReadMode;
	ULONG CompletionMode;
} MRX_PIPE_HANDLE_INFORMATION, *PMRX_PIPE_HANDLE_INFORMATION;

#define RX_MRX_FOBX_MEMBERS \
	NODE_TYPE_CODE NodeTypeCode; \
	NODE_BYTE_SIZE NodeByteSize; \
	volatile ULONG NodeReferenceCount; \
	union { \
		PMRX_SRV_OPEN pSrvOpen; \
		PSRV_OPEN SrvOpen; \
	}; \
	PFILE_OBJECT AssociatedFileObject; /* its FsContext2 points back (E-33) */ \
	PVOID Context;                     /* driver */ \
	PVOID Context2;                    /* driver */ \
	ULONG Flags; \
	union { \
		UNICODE_STRING UnicodeQueryTemplate;                /* directories */ \
		PMRX_PIPE_HANDLE_INFORMATION PipeHandleInformation; /* pipes */ \
	}; \
	ULONG OffsetOfNextEaToReturn; /* driver */

struct _MRX_FOBX_ {
	RX_MRX_FOBX_MEMBERS
};

/* What every page says of every node: the type code, then the size, then the count (E-32). */
#define RX_ASSERT_NODE(Node) \
	C_ASSERT(FIELD_OFFSET(Node, NodeTypeCode) == 0 && FIELD_OFFSET(Node, NodeByteSize) == 2 && \
		 FIELD_OFFSET(Node, NodeReferenceCount) == 4)
RX_ASSERT_NODE(MRX_SRV_CALL);
RX_ASSERT_NODE(MRX_NET_ROOT);
RX_ASSERT_NODE(MRX_V_NET_ROOT);
RX_ASSERT_NODE(MRX_SRV_OPEN);
RX_ASSERT_NODE(MRX_FOBX);
/* An FCB starts with the header that the cache manager knows; its count is elsewhere. */
C_ASSERT(FIELD_OFFSET(MRX_FCB, Header) == 0 &&
	 FIELD_OFFSET(MRX_FCB, NodeReferenceCount) >= (LONG)sizeof(FSRTL_ADVANCED_FCB_HEADER));

#endif
