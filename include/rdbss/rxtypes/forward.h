/*
 * forward.h - names of the redirector's structures before their bodies, and the small types that all of
 * the DDI shares. Included by every other header here, so that each of them compiles alone.
 */
#ifndef RX_TYPES_FORWARD_H
#define RX_TYPES_FORWARD_H

#include "ntifs.h"
#include "rxtypes/nodetype.h"

typedef struct _RX_CONTEXT RX_CONTEXT, *PRX_CONTEXT;
typedef struct _RDBSS_DEVICE_OBJECT RDBSS_DEVICE_OBJECT, *PRDBSS_DEVICE_OBJECT;
typedef struct _MINIRDR_DISPATCH MINIRDR_DISPATCH, *PMINIRDR_DISPATCH;

typedef struct _MRX_SRV_CALL_ MRX_SRV_CALL, *PMRX_SRV_CALL;
typedef struct _MRX_NET_ROOT_ MRX_NET_ROOT, *PMRX_NET_ROOT;
typedef struct _MRX_V_NET_ROOT_ MRX_V_NET_ROOT, *PMRX_V_NET_ROOT;
typedef struct _MRX_FCB_ MRX_FCB, *PMRX_FCB;
typedef struct _MRX_SRV_OPEN_ MRX_SRV_OPEN, *PMRX_SRV_OPEN;
typedef struct _MRX_FOBX_ MRX_FOBX, *PMRX_FOBX;

typedef struct _SRV_CALL SRV_CALL, *PSRV_CALL;
typedef struct _NET_ROOT NET_ROOT, *PNET_ROOT;
typedef struct _V_NET_ROOT V_NET_ROOT, *PV_NET_ROOT;
typedef struct _FCB FCB, *PFCB;
typedef struct _NON_PAGED_FCB NON_PAGED_FCB, *PNON_PAGED_FCB;
typedef struct _SRV_OPEN SRV_OPEN, *PSRV_OPEN;
typedef struct _FOBX FOBX, *PFOBX;

typedef struct _RX_PREFIX_TABLE RX_PREFIX_TABLE, *PRX_PREFIX_TABLE;
typedef struct _RX_PREFIX_ENTRY RX_PREFIX_ENTRY, *PRX_PREFIX_ENTRY;
typedef struct _RX_FCB_TABLE RX_FCB_TABLE, *PRX_FCB_TABLE;
typedef struct _RX_FCB_TABLE_ENTRY RX_FCB_TABLE_ENTRY, *PRX_FCB_TABLE_ENTRY;

/* What a dereference may do at once depends on the table lock its caller holds. */
typedef enum _LOCK_HOLDING_STATE {
	LHS_LockNotHeld = 0,
	LHS_SharedLockHeld = 1,
	LHS_ExclusiveLockHeld = 2
} LOCK_HOLDING_STATE,
	*PLOCK_HOLDING_STATE;

typedef enum _RX_BLOCK_CONDITION {
	Condition_Uninitialized = 0,
	Condition_InTransition = 1,
	Condition_Closing = 2,
	Condition_Good = 3,
	Condition_Bad = 4,
	Condition_Closed = 5
} RX_BLOCK_CONDITION,
	*PRX_BLOCK_CONDITION;

/* Nobody is at work on the object: waiting for it would not end. */
#define StableCondition(X) ((X) >= Condition_Good)

typedef enum _RX_FILE_TYPE {
	FileTypeNotYetKnown = 0,
	FileTypeDirectory = 2,
	FileTypeFile = 3
} RX_FILE_TYPE,
	*PRX_FILE_TYPE;

typedef UCHAR NET_ROOT_TYPE, *PNET_ROOT_TYPE;
#define NET_ROOT_DISK ((NET_ROOT_TYPE)0)
#define NET_ROOT_PIPE ((NET_ROOT_TYPE)1)
#define NET_ROOT_PRINT ((NET_ROOT_TYPE)3)
#define NET_ROOT_WILD ((NET_ROOT_TYPE)4)
#define NET_ROOT_MAILSLOT ((NET_ROOT_TYPE)5)

/* Opaque to the core, which compares it byte by byte. */
typedef struct _RX_CONNECTION_ID {
	union {
		ULONG SessionID;
		LUID Luid;
	};
} RX_CONNECTION_ID, *PRX_CONNECTION_ID;

/* A virtual byte offset: position in a file. */
typedef LONGLONG RXVBO;

typedef struct _PURGE_SYNCHRONIZATION_CONTEXT {
	LIST_ENTRY ContextsAwaitingPurgeCompletion;
	BOOLEAN PurgeInProgress;
} PURGE_SYNCHRONIZATION_CONTEXT, *PPURGE_SYNCHRONIZATION_CONTEXT;

typedef NTSTATUS(NTAPI *PRX_DISPATCH)(PRX_CONTEXT RxContext, PIRP Irp);
typedef VOID(NTAPI *PRX_WORKERTHREAD_ROUTINE)(PVOID Context);

/* Routes the IRPs of one FCB; for device FCBs. Index: IRP major code. */
typedef struct _RX_FSD_DISPATCH_VECTOR {
	PRX_DISPATCH CommonRoutine;
} RX_FSD_DISPATCH_VECTOR, *PRX_FSD_DISPATCH_VECTOR;

/* Calls of the mini-redirector with a context: nearly every slot. */
typedef NTSTATUS(NTAPI *PMRX_CALLDOWN)(PRX_CONTEXT RxContext);

#endif
