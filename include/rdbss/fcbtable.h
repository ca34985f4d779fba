/*
 * fcbtable.h - the FCBs of one share, by path.
 */
#ifndef RX_FCBTABLE_H
#define RX_FCBTABLE_H

#include "rxtypes/forward.h"

struct _RX_FCB_TABLE_ENTRY {
	ULONG HashValue;
	LONG Lookups;
	UNICODE_STRING Path;  /* the FCB owns the buffer */
	LIST_ENTRY HashLinks; /* empty (self-linked) while the FCB is in no table */
};

/* TableLock guards everything but the statistics, which are interlocked. */
struct _RX_FCB_TABLE {
	NODE_TYPE_CODE NodeTypeCode;
	NODE_BYTE_SIZE NodeByteSize;
	volatile ULONG Version;
	BOOLEAN CaseInsensitiveMatch;
	ULONG NumberOfBuckets; /* a power of two; grows with the number of FCBs */
	ULONG NumberOfEntries; /* without TableEntryForNull */
	volatile LONG Lookups;
	volatile LONG FailedLookups;
	volatile LONG Compares;
	PRX_FCB_TABLE_ENTRY TableEntryForNull;
	ERESOURCE TableLock;
	PLIST_ENTRY HashBuckets; /* NULL until the first insertion */
};

VOID RxInitializeFcbTable(_Out_ PRX_FCB_TABLE FcbTable, _In_ BOOLEAN CaseInsensitiveMatch);

/* Gives the table's memory back; the table must be empty and unknown to others. */
VOID RxFinalizeFcbTable(_Inout_ PRX_FCB_TABLE FcbTable);

/* The FCB of a path, referenced once for the caller, or NULL. Locks: table, shared or exclusive. */
PFCB RxFcbTableLookupFcb(_In_ PRX_FCB_TABLE FcbTable, _In_ PUNICODE_STRING Path);

/*
 * Enters Fcb->FcbTableEntry under its Path. Locks: table, exclusive. The entry is the FCB's table reference,
 * which the caller has counted. Errors: STATUS_INSUFFICIENT_RESOURCES on the first insertion only.
 */
NTSTATUS RxFcbTableInsertFcb(_Inout_ PRX_FCB_TABLE FcbTable, _Inout_ PFCB Fcb);

/* Locks: table, exclusive. STATUS_NOT_FOUND when the FCB is in no table. */
NTSTATUS RxFcbTableRemoveFcb(_Inout_ PRX_FCB_TABLE FcbTable, _Inout_ PFCB Fcb);

/* FALSE only when Wait is FALSE and the lock is taken. */
BOOLEAN RxpAcquireFcbTableLockShared(_Inout_ PRX_FCB_TABLE pTable, _In_ BOOLEAN Wait);
BOOLEAN RxpAcquireFcbTableLockExclusive(_Inout_ PRX_FCB_TABLE pTable, _In_ BOOLEAN Wait);
VOID RxpReleaseFcbTableLock(_Inout_ PRX_FCB_TABLE pTable);

#define RxAcquireFcbTableLockShared(TABLE, WAIT) RxpAcquireFcbTableLockShared((TABLE), (WAIT))
#define RxAcquireFcbTableLockExclusive(TABLE, WAIT) RxpAcquireFcbTableLockExclusive((TABLE), (WAIT))
#define RxReleaseFcbTableLock(TABLE) RxpReleaseFcbTableLock((TABLE))
#define RxIsFcbTableLockExclusive(TABLE) ExIsResourceAcquiredExclusiveLite(&(TABLE)->TableLock)
#define RxIsFcbTableLockAcquired(TABLE) \
	(ExIsResourceAcquiredSharedLite(&(TABLE)->TableLock) || \
	 ExIsResourceAcquiredExclusiveLite(&(TABLE)->TableLock))

#endif
