/*
 * namcache.h - short-lived memory of what the server said about a name.
 *
 * An entry is on the active list, on the free list, or in the hands of the one who created or fetched it.
 */
#ifndef RX_NAMCACHE_H
#define RX_NAMCACHE_H

#include "rxtypes/forward.h"

typedef struct _NAME_CACHE {
	LIST_ENTRY Link; /* control's list; self-linked in somebody's hands */
	UNICODE_STRING Name;
	ULONG HashValue;
	LARGE_INTEGER ExpireTime; /* interrupt time, 100 ns */
	ULONG Context;            /* driver: must be equal when checked */
	NTSTATUS PriorStatus;     /* driver: what the server said */
	BOOLEAN CaseInsensitive;
	USHORT NameCapacity;    /* bytes of the name buffer */
	PVOID ContextExtension; /* driver: MRxNameCacheSize bytes */
} NAME_CACHE, *PNAME_CACHE;

typedef struct _NAME_CACHE_CONTROL {
	FAST_MUTEX NameCacheLock; /* guards both lists and the counts */
	LIST_ENTRY ActiveList;
	LIST_ENTRY FreeList;
	LONG NumberActivates;
	ULONG EntryCount;
	ULONG MaximumEntries;
	ULONG MRxNameCacheSize;
	ULONG NumberNameCacheUpdates;
	ULONG NumberNameCacheChecks;
	ULONG NumberNameCacheHits;
	ULONG NumberNetOpsSaved;
} NAME_CACHE_CONTROL, *PNAME_CACHE_CONTROL;

typedef enum _RX_NC_CHECK_STATUS {
	RX_NC_SUCCESS = 0,
	RX_NC_TIME_EXPIRED = 1,
	RX_NC_MRXCTX_FAIL = 2
} RX_NC_CHECK_STATUS;

VOID RxNameCacheInitialize(_In_ PNAME_CACHE_CONTROL NameCacheCtl, _In_ ULONG MRxNameCacheSize,
			   _In_ ULONG MaximumEntries);
VOID RxNameCacheFinalize(_In_ PNAME_CACHE_CONTROL NameCacheCtl);
PNAME_CACHE RxNameCacheCreateEntry(_In_ PNAME_CACHE_CONTROL NameCacheCtl, _In_ PUNICODE_STRING Name,
				   _In_ BOOLEAN CaseInsensitive);
PNAME_CACHE RxNameCacheFetchEntry(_In_ PNAME_CACHE_CONTROL NameCacheCtl, _In_ PUNICODE_STRING Name);
/* LifeTime: seconds */
VOID RxNameCacheActivateEntry(_In_ PNAME_CACHE_CONTROL NameCacheCtl, _In_ PNAME_CACHE NameCache,
			      _In_ ULONG LifeTime, _In_ ULONG MRxContext);
RX_NC_CHECK_STATUS RxNameCacheCheckEntry(_In_ PNAME_CACHE NameCache, _In_ ULONG MRxContext);
VOID RxNameCacheExpireEntry(_In_ PNAME_CACHE_CONTROL NameCacheCtl, _In_ PNAME_CACHE NameCache);
VOID RxNameCacheExpireEntryWithShortName(_In_ PNAME_CACHE_CONTROL NameCacheCtl, _In_ PUNICODE_STRING Name);
VOID RxNameCacheFreeEntry(_In_ PNAME_CACHE_CONTROL NameCacheCtl, _In_ PNAME_CACHE NameCache);

#endif
