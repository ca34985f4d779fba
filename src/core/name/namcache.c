/*
 * namcache.c - a mini-redirector's short memory of what its server said about a name.
 *
 * Owns:      NAME_CACHE entries, each in one allocation with the driver's extension; name buffers.
 * Found by:  NAME_CACHE_CONTROL, memory of the driver.
 * Locks:     NameCacheLock, a leaf, for both lists and all counts. An entry in nobody's list belongs to who
 *            created or fetched it.
 * Dies when: RxNameCacheFreeEntry(), or RxNameCacheFinalize() for those on a list.
 */
#include "core/name/name.h"

#include "namcache.h"

#include "core/object/object.h"

#define RX_TAG_NAME_CACHE 'cNxR'
#define RX_SECONDS 10000000LL

VOID RxNameCacheInitialize(PNAME_CACHE_CONTROL NameCacheCtl, ULONG MRxNameCacheSize, ULONG MaximumEntries)
{
	RtlZeroMemory(NameCacheCtl, sizeof(*NameCacheCtl));
	ExInitializeFastMutex(&NameCacheCtl->NameCacheLock);
	InitializeListHead(&NameCacheCtl->ActiveList);
	InitializeListHead(&NameCacheCtl->FreeList);
	NameCacheCtl->MaximumEntries = MaximumEntries;
	NameCacheCtl->MRxNameCacheSize = MRxNameCacheSize;
}

static void rx_name_cache_release(PNAME_CACHE entry)
{
	if (entry->Name.Buffer != NULL)
		ExFreePoolWithTag(entry->Name.Buffer, RX_TAG_NAME_CACHE);
	ExFreePoolWithTag(entry, RX_TAG_NAME_CACHE);
}

VOID RxNameCacheFinalize(PNAME_CACHE_CONTROL NameCacheCtl)
{
	PLIST_ENTRY lists[] = {&NameCacheCtl->ActiveList, &NameCacheCtl->FreeList};

	ExAcquireFastMutex(&NameCacheCtl->NameCacheLock);
	for (unsigned int i = 0; i < RTL_NUMBER_OF(lists); i++) {
		while (!IsListEmpty(lists[i])) {
			rx_name_cache_release(CONTAINING_RECORD(RemoveHeadList(lists[i]), NAME_CACHE, Link));
			NameCacheCtl->EntryCount--;
		}
	}
	RX_CHECK(NameCacheCtl->EntryCount == 0); /* the rest is in somebody's hands */
	ExReleaseFastMutex(&NameCacheCtl->NameCacheLock);
}

/* An entry off the free list, or a new one within the cap, or NULL. */
static PNAME_CACHE rx_name_cache_take(PNAME_CACHE_CONTROL ctl)
{
	ULONG head = rx_object_align(sizeof(NAME_CACHE));
	PNAME_CACHE entry = NULL;
	bool room = false;

	ExAcquireFastMutex(&ctl->NameCacheLock);
	if (!IsListEmpty(&ctl->FreeList)) {
		entry = CONTAINING_RECORD(RemoveHeadList(&ctl->FreeList), NAME_CACHE, Link);
	} else if (ctl->EntryCount < ctl->MaximumEntries) {
		ctl->EntryCount++; /* taken before the allocation, so that the cap holds */
		room = true;
	}
	ExReleaseFastMutex(&ctl->NameCacheLock);

	if (room) {
		entry = ExAllocatePoolWithTag(PagedPool, head + ctl->MRxNameCacheSize, RX_TAG_NAME_CACHE);
		if (entry == NULL) {
			ExAcquireFastMutex(&ctl->NameCacheLock);
			ctl->EntryCount--;
			ExReleaseFastMutex(&ctl->NameCacheLock);
		} else {
			RtlZeroMemory(entry, head + ctl->MRxNameCacheSize);
			entry->ContextExtension = ctl->MRxNameCacheSize != 0 ? (PUCHAR)entry + head : NULL;
		}
	}
	if (entry != NULL)
		InitializeListHead(&entry->Link);
	return entry;
}

PNAME_CACHE RxNameCacheCreateEntry(PNAME_CACHE_CONTROL NameCacheCtl, PUNICODE_STRING Name,
				   BOOLEAN CaseInsensitive)
{
	PNAME_CACHE entry = rx_name_cache_take(NameCacheCtl);

	if (entry == NULL)
		return NULL;
	if (entry->NameCapacity < Name->Length) {
		PWCH buffer = ExAllocatePoolWithTag(PagedPool, Name->Length, RX_TAG_NAME_CACHE);

		if (buffer == NULL) {
			RxNameCacheFreeEntry(NameCacheCtl, entry);
			return NULL;
		}
		if (entry->Name.Buffer != NULL)
			ExFreePoolWithTag(entry->Name.Buffer, RX_TAG_NAME_CACHE);
		entry->Name.Buffer = buffer;
		entry->NameCapacity = entry->Name.MaximumLength = Name->Length;
	}
	if (Name->Length != 0)
		RtlCopyMemory(entry->Name.Buffer, Name->Buffer, Name->Length);
	entry->Name.Length = Name->Length;
	entry->HashValue = rx_name_hash(Name, true);
	entry->CaseInsensitive = CaseInsensitive;
	entry->PriorStatus = STATUS_SUCCESS;
	entry->Context = 0;
	entry->ExpireTime.QuadPart = 0;
	return entry;
}

static bool rx_name_cache_expired(PNAME_CACHE entry)
{
	return (LONGLONG)KeQueryInterruptTime() >= entry->ExpireTime.QuadPart;
}

PNAME_CACHE RxNameCacheFetchEntry(PNAME_CACHE_CONTROL NameCacheCtl, PUNICODE_STRING Name)
{
	ULONG hash = rx_name_hash(Name, true);
	PNAME_CACHE found = NULL;
	PLIST_ENTRY link, next;

	ExAcquireFastMutex(&NameCacheCtl->NameCacheLock);
	NameCacheCtl->NumberNameCacheChecks++;
	for (link = NameCacheCtl->ActiveList.Flink; link != &NameCacheCtl->ActiveList; link = next) {
		PNAME_CACHE entry = CONTAINING_RECORD(link, NAME_CACHE, Link);

		next = link->Flink;
		if (entry->HashValue == hash &&
		    rx_name_equal(&entry->Name, Name, entry->CaseInsensitive ? Name->Length : 0)) {
			RemoveEntryList(link);
			InitializeListHead(link);
			found = entry;
			NameCacheCtl->NumberNameCacheHits++;
			break;
		}
		if (rx_name_cache_expired(entry)) {
			RemoveEntryList(link);
			InsertTailList(&NameCacheCtl->FreeList, link);
			NameCacheCtl->NumberActivates--;
		}
	}
	ExReleaseFastMutex(&NameCacheCtl->NameCacheLock);
	return found;
}

RX_NC_CHECK_STATUS RxNameCacheCheckEntry(PNAME_CACHE NameCache, ULONG MRxContext)
{
	if (rx_name_cache_expired(NameCache))
		return RX_NC_TIME_EXPIRED;
	if (NameCache->Context != MRxContext)
		return RX_NC_MRXCTX_FAIL;
	return RX_NC_SUCCESS;
}

VOID RxNameCacheActivateEntry(PNAME_CACHE_CONTROL NameCacheCtl, PNAME_CACHE NameCache, ULONG LifeTime,
			      ULONG MRxContext)
{
	RX_CHECK(IsListEmpty(&NameCache->Link));
	if (LifeTime != 0)
		NameCache->ExpireTime.QuadPart = (LONGLONG)KeQueryInterruptTime() + LifeTime * RX_SECONDS;
	if (MRxContext != 0)
		NameCache->Context = MRxContext;
	ExAcquireFastMutex(&NameCacheCtl->NameCacheLock);
	InsertHeadList(&NameCacheCtl->ActiveList, &NameCache->Link);
	NameCacheCtl->NumberActivates++;
	NameCacheCtl->NumberNameCacheUpdates++;
	ExReleaseFastMutex(&NameCacheCtl->NameCacheLock);
}

VOID RxNameCacheExpireEntry(PNAME_CACHE_CONTROL NameCacheCtl, PNAME_CACHE NameCache)
{
	RX_CHECK(IsListEmpty(&NameCache->Link));
	ExAcquireFastMutex(&NameCacheCtl->NameCacheLock);
	InsertHeadList(&NameCacheCtl->FreeList, &NameCache->Link);
	NameCacheCtl->NumberActivates--;
	ExReleaseFastMutex(&NameCacheCtl->NameCacheLock);
}

VOID RxNameCacheExpireEntryWithShortName(PNAME_CACHE_CONTROL NameCacheCtl, PUNICODE_STRING Name)
{
	PLIST_ENTRY link, next;

	ExAcquireFastMutex(&NameCacheCtl->NameCacheLock);
	for (link = NameCacheCtl->ActiveList.Flink; link != &NameCacheCtl->ActiveList; link = next) {
		PNAME_CACHE entry = CONTAINING_RECORD(link, NAME_CACHE, Link);
		UNICODE_STRING head = entry->Name;

		next = link->Flink;
		if (head.Length < Name->Length)
			continue;
		head.Length = Name->Length;
		if (!rx_name_equal(&head, Name, entry->CaseInsensitive ? Name->Length : 0))
			continue;
		RemoveEntryList(link);
		InsertHeadList(&NameCacheCtl->FreeList, link);
		NameCacheCtl->NumberActivates--;
	}
	ExReleaseFastMutex(&NameCacheCtl->NameCacheLock);
}

VOID RxNameCacheFreeEntry(PNAME_CACHE_CONTROL NameCacheCtl, PNAME_CACHE NameCache)
{
	RX_CHECK(IsListEmpty(&NameCache->Link));
	ExAcquireFastMutex(&NameCacheCtl->NameCacheLock);
	NameCacheCtl->EntryCount--;
	ExReleaseFastMutex(&NameCacheCtl->NameCacheLock);
	rx_name_cache_release(NameCache);
}
