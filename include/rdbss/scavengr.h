/*
 * scavengr.h - what is finalized later: dormant FOBXs and objects whose last user could not finalize them.
 */
#ifndef RX_SCAVENGR_H
#define RX_SCAVENGR_H

#include "rxtypes/forward.h"
#include "rxtimer.h"

#define RX_SCAVENGER_FINALIZATION_TIME_INTERVAL (10 * 1000 * 1000 * 10) /* 10 s in units of 100 ns */

typedef enum _RDBSS_SCAVENGER_STATE {
	RDBSS_SCAVENGER_INACTIVE = 0,
	RDBSS_SCAVENGER_DORMANT = 1,
	RDBSS_SCAVENGER_ACTIVE = 2,
	RDBSS_SCAVENGER_SUSPENDED = 3
} RDBSS_SCAVENGER_STATE,
	*PRDBSS_SCAVENGER_STATE;

/* Counts and lists are guarded by Mutex; a list is walked, the count beside it only counts (E-36). */
typedef struct _RDBSS_SCAVENGER {
	RDBSS_SCAVENGER_STATE State;
	LONG MaximumNumberOfDormantFiles;
	volatile LONG NumberOfDormantFiles;
	LARGE_INTEGER TimeLimit; /* 100 ns a dormant FOBX is kept */
	ULONG SrvCallsToBeFinalized;
	ULONG NetRootsToBeFinalized;
	ULONG VNetRootsToBeFinalized;
	ULONG FcbsToBeFinalized;
	ULONG SrvOpensToBeFinalized;
	ULONG FobxsToBeFinalized;
	LIST_ENTRY SrvCallFinalizationList;
	LIST_ENTRY NetRootFinalizationList;
	LIST_ENTRY VNetRootFinalizationList;
	LIST_ENTRY FcbFinalizationList;
	LIST_ENTRY SrvOpenFinalizationList;
	LIST_ENTRY FobxFinalizationList;
	LIST_ENTRY ClosePendingFobxsList;
	RX_WORK_ITEM WorkItem;
	KEVENT SyncEvent;
	KEVENT ScavengeEvent;
	PETHREAD CurrentScavengerThread;
	PNET_ROOT CurrentNetRootForClosePendingProcessing;
	PFCB CurrentFcbForClosePendingProcessing;
	KEVENT ClosePendingProcessingSyncEvent;
	FAST_MUTEX Mutex;
} RDBSS_SCAVENGER, *PRDBSS_SCAVENGER;

typedef struct _RX_SCAVENGER_ENTRY {
	LIST_ENTRY List;
	UCHAR Type;
	UCHAR Operation;
	UCHAR State;
	UCHAR Flags;
	struct _RX_SCAVENGER_ENTRY *pContinuationEntry;
} RX_SCAVENGER_ENTRY, *PRX_SCAVENGER_ENTRY;

/* Bits with which older libraries marked the node type of what waits for the scavenger; here it is never marked. */
#define RX_SCAVENGER_MASK 0

#define DONT_ATTEMPT_FINALIZE_ON_PURGE FALSE
#define ATTEMPT_FINALIZE_ON_PURGE TRUE
NTSTATUS RxPurgeRelatedFobxs(PNET_ROOT NetRoot, PRX_CONTEXT RxContext, BOOLEAN AttemptFinalize,
			     PFCB PurgingFcb);

/* Three-argument form (E-36). */
VOID RxScavengeFobxsForNetRoot(PNET_ROOT NetRoot, PFCB PurgingFcb, BOOLEAN SynchronizeWithScavenger);

#endif
