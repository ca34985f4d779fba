/*
 * prefix.h - the NetName table: names of servers, shares and views to their objects.
 *
 * One table per redirector device. A name is `\server`, `\server\share` or a view of a share
 * (`\;X:0\server\share`, or the share's name with a connection id); the longest one that is a prefix of a
 * path, component by component, is the answer of a lookup.
 */
#ifndef RX_PREFIX_H
#define RX_PREFIX_H

#include "rxtypes/forward.h"

struct _RX_PREFIX_ENTRY {
	NODE_TYPE_CODE NodeTypeCode;
	NODE_BYTE_SIZE NodeByteSize;
	USHORT CaseInsensitiveLength; /* leading bytes of Prefix compared without case */
	USHORT Spare1;
	ULONG SavedHashValue;
	LIST_ENTRY HashLinks; /* empty (self-linked) while the name is in no table */
	LIST_ENTRY MemberQLinks;
	UNICODE_STRING Prefix;    /* the table does not own the buffer; the object does */
	PULONG ContainerRefCount; /* raised by one by a lookup that finds the entry */
	PVOID ContainingRecord;   /* SRV_CALL, NET_ROOT or V_NET_ROOT */
	PVOID Context;
	RX_CONNECTION_ID ConnectionId;
	BOOLEAN HasConnectionId;
};

/* TableLock guards everything else; see docs/LOCKING.md. */
struct _RX_PREFIX_TABLE {
	NODE_TYPE_CODE NodeTypeCode;
	NODE_BYTE_SIZE NodeByteSize;
	ULONG Version;          /* differs after every change; never 0 once initialized */
	LIST_ENTRY MemberQueue; /* entries in order of insertion */
	ERESOURCE TableLock;
	PRX_PREFIX_ENTRY TableEntryForNull;
	BOOLEAN CaseInsensitiveMatch;
	BOOLEAN IsNetNameTable;
	ULONG TableSize; /* buckets, a power of two; grows with the number of names */
	ULONG EntryCount;
	USHORT LongestPrefix;    /* bytes; of all names there ever were */
	PLIST_ENTRY HashBuckets; /* NULL until the first insertion */
	/* entries of objects whose name was taken out and that still have users; by MemberQLinks */
	LIST_ENTRY DepartedQueue;
};

/**
 * RxInitializePrefixTable - make an empty table in the caller's memory
 * @TableSize: first number of buckets, rounded up to a power of two; 0 = default
 *
 * The table grows by itself. RxFinalizePrefixTable() gives its memory back.
 */
VOID RxInitializePrefixTable(_Out_ PRX_PREFIX_TABLE ThisTable, _In_ ULONG TableSize,
			     _In_ BOOLEAN CaseInsensitiveMatch);

/* The table must be empty. Takes no lock: nobody else may know the table any more. */
VOID RxFinalizePrefixTable(_Inout_ PRX_PREFIX_TABLE ThisTable);

/**
 * RxPrefixTableLookupName - find the object with the longest name that leads a path
 * @CanonicalName:  `\server\share\...`
 * @RemainingName:  [out] what follows the name found; shares CanonicalName's buffer
 * @RxConnectionId: NULL, or the id an entry must have to match; entries without an id match every id
 *
 * Locks:  table, shared or exclusive.
 * Return: SRV_CALL, NET_ROOT or V_NET_ROOT, referenced once for the caller; NULL when no name leads the path.
 */
PVOID RxPrefixTableLookupName(_In_ PRX_PREFIX_TABLE ThisTable, _In_ PUNICODE_STRING CanonicalName,
			      _Out_ PUNICODE_STRING RemainingName, _In_opt_ PRX_CONNECTION_ID RxConnectionId);

/**
 * RxPrefixTableInsertName - enter the name in ThisEntry->Prefix
 *
 * Locks:  table, exclusive.
 * Return: ThisEntry; NULL when the same name with the same id is already there, or no memory for a new bucket
 *         array was found on the first insertion.
 */
PRX_PREFIX_ENTRY RxPrefixTableInsertName(_Inout_ PRX_PREFIX_TABLE ThisTable,
					 _Inout_ PRX_PREFIX_ENTRY ThisEntry, _In_ PVOID Container,
					 _In_ PULONG ContainerRefCount, _In_ USHORT CaseInsensitiveLength,
					 _In_opt_ PRX_CONNECTION_ID ConnectionId);

/* Takes a name out; does nothing when it is not in a table. Locks: table, exclusive. */
VOID RxRemovePrefixTableEntry(_Inout_ PRX_PREFIX_TABLE ThisTable, _Inout_ PRX_PREFIX_ENTRY Entry);

/* The table lock. The acquire forms return FALSE only when Wait is FALSE and the lock is taken. */
BOOLEAN RxpAcquirePrefixTableLockShared(_Inout_ PRX_PREFIX_TABLE pTable, _In_ BOOLEAN Wait);
BOOLEAN RxpAcquirePrefixTableLockExclusive(_Inout_ PRX_PREFIX_TABLE pTable, _In_ BOOLEAN Wait);
VOID RxpReleasePrefixTableLock(_Inout_ PRX_PREFIX_TABLE pTable);

#define RxAcquirePrefixTableLockShared(TABLE, WAIT) RxpAcquirePrefixTableLockShared((TABLE), (WAIT))
#define RxAcquirePrefixTableLockExclusive(TABLE, WAIT) RxpAcquirePrefixTableLockExclusive((TABLE), (WAIT))
#define RxReleasePrefixTableLock(TABLE) RxpReleasePrefixTableLock((TABLE))
#define RxIsPrefixTableLockExclusive(TABLE) ExIsResourceAcquiredExclusiveLite(&(TABLE)->TableLock)
#define RxIsPrefixTableLockAcquired(TABLE) \
	(ExIsResourceAcquiredSharedLite(&(TABLE)->TableLock) || \
	 ExIsResourceAcquiredExclusiveLite(&(TABLE)->TableLock))
#define RxIsPrefixTableEmpty(TABLE) (IsListEmpty(&(TABLE)->MemberQueue))

#endif
