/*
 * fcbtable.c - the FCBs of a share, by path.
 *
 * Owns:      the bucket array. Entries are inside their FCBs (FcbTableEntry).
 * Found by:  NET_ROOT.FcbTable.
 * Locks:     RX_FCB_TABLE.TableLock (rx_class_fcb_table): exclusive to change, shared to look up. Held only for
 *            the length of a table operation, never across a call into a mini-redirector's network.
 * Dies when: RxFinalizeFcbTable(), from the NET_ROOT's destruction.
 *
 * At most half as many FCBs as buckets: in a table of a million files each entry looked at in vain is a cache
 * miss, and a bucket costs 16 bytes where an FCB costs over a thousand.
 */
#include "core/name/name.h"

#include "core/object/object.h"

#define RX_TAG_FCB_TABLE 'tFxR'
#define RX_FCB_TABLE_FIRST_BUCKETS 32

VOID RxInitializeFcbTable(PRX_FCB_TABLE FcbTable, BOOLEAN CaseInsensitiveMatch)
{
	ZeroAndInitializeNodeType(FcbTable, RDBSS_NTC_FCB_TABLE, sizeof(*FcbTable));
	FcbTable->Version = 1;
	FcbTable->CaseInsensitiveMatch = CaseInsensitiveMatch;
	(void)ExInitializeResourceLite(&FcbTable->TableLock); /* cannot fail: it allocates nothing */
}

VOID RxFinalizeFcbTable(PRX_FCB_TABLE FcbTable)
{
	RX_CHECK(FcbTable->NumberOfEntries == 0 && FcbTable->TableEntryForNull == NULL);
	if (FcbTable->HashBuckets != NULL)
		ExFreePoolWithTag(FcbTable->HashBuckets, RX_TAG_FCB_TABLE);
	FcbTable->HashBuckets = NULL;
	(void)ExDeleteResourceLite(&FcbTable->TableLock);
}

BOOLEAN RxpAcquireFcbTableLockShared(PRX_FCB_TABLE pTable, BOOLEAN Wait) RX_NO_TSA
{
	return ExAcquireResourceSharedLite(&pTable->TableLock, Wait);
}

BOOLEAN RxpAcquireFcbTableLockExclusive(PRX_FCB_TABLE pTable, BOOLEAN Wait) RX_NO_TSA
{
	return ExAcquireResourceExclusiveLite(&pTable->TableLock, Wait);
}

VOID RxpReleaseFcbTableLock(PRX_FCB_TABLE pTable) RX_NO_TSA
{
	ExReleaseResourceLite(&pTable->TableLock);
}

/* The lock itself is not annotated; these four tie it to its class. */
void rx_fcb_table_lock(PRX_FCB_TABLE table) RX_NO_TSA
{
	(void)ExAcquireResourceExclusiveLite(&table->TableLock, TRUE); /* waits: always TRUE */
}

bool rx_fcb_table_try_lock(PRX_FCB_TABLE table) RX_NO_TSA
{
	return ExAcquireResourceExclusiveLite(&table->TableLock, FALSE);
}

void rx_fcb_table_lock_shared(PRX_FCB_TABLE table) RX_NO_TSA
{
	(void)ExAcquireResourceSharedLite(&table->TableLock, TRUE);
}

void rx_fcb_table_unlock(PRX_FCB_TABLE table) RX_NO_TSA
{
	ExReleaseResourceLite(&table->TableLock);
}

static PLIST_ENTRY rx_fcb_table_bucket(PRX_FCB_TABLE table, ULONG hash)
{
	return &table->HashBuckets[hash & (table->NumberOfBuckets - 1)];
}

static PFCB rx_fcb_of_entry(PRX_FCB_TABLE_ENTRY entry)
{
	return CONTAINING_RECORD(entry, FCB, FcbTableEntry);
}

/*
 * What a match will read, asked for at once instead of one miss after the other: the type, the count, and the
 * name, which stands behind the FCB (RxCreateNetFcb).
 */
static void rx_fcb_table_prefetch(PFCB fcb)
{
	__builtin_prefetch(fcb);
	__builtin_prefetch((const void *)&fcb->NodeReferenceCount, 1);
	__builtin_prefetch(fcb + 1);
}

/* Moves all entries to an array of that size; without memory the old one stays and chains grow longer. */
static NTSTATUS rx_fcb_table_resize(PRX_FCB_TABLE table, ULONG buckets) RX_REQUIRES(rx_class_fcb_table)
{
	PLIST_ENTRY array = ExAllocatePoolWithTag(PagedPool, buckets * sizeof(*array), RX_TAG_FCB_TABLE);
	PLIST_ENTRY old = table->HashBuckets;
	ULONG old_buckets = table->NumberOfBuckets;

	if (array == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	for (ULONG i = 0; i < buckets; i++)
		InitializeListHead(&array[i]);
	table->HashBuckets = array;
	table->NumberOfBuckets = buckets;
	for (ULONG i = 0; old != NULL && i < old_buckets; i++) {
		while (!IsListEmpty(&old[i])) {
			PLIST_ENTRY link = RemoveHeadList(&old[i]);
			PRX_FCB_TABLE_ENTRY entry = CONTAINING_RECORD(link, RX_FCB_TABLE_ENTRY, HashLinks);

			InsertTailList(rx_fcb_table_bucket(table, entry->HashValue), link);
		}
	}
	if (old != NULL)
		ExFreePoolWithTag(old, RX_TAG_FCB_TABLE);
	return STATUS_SUCCESS;
}

PFCB RxFcbTableLookupFcb(PRX_FCB_TABLE FcbTable, PUNICODE_STRING Path)
{
	PRX_FCB_TABLE_ENTRY found = NULL;

	RX_CHECK(RxIsFcbTableLockAcquired(FcbTable));
	(void)InterlockedIncrement(&FcbTable->Lookups);
	if (Path->Length == 0) {
		found = FcbTable->TableEntryForNull;
	} else if (FcbTable->HashBuckets != NULL) {
		USHORT insensitive = FcbTable->CaseInsensitiveMatch ? Path->Length : 0;
		ULONG hash = rx_name_hash(Path, FcbTable->CaseInsensitiveMatch);
		PLIST_ENTRY bucket = rx_fcb_table_bucket(FcbTable, hash);

		for (PLIST_ENTRY link = bucket->Flink; link != bucket && found == NULL; link = link->Flink) {
			PRX_FCB_TABLE_ENTRY entry = CONTAINING_RECORD(link, RX_FCB_TABLE_ENTRY, HashLinks);

			rx_fcb_table_prefetch(rx_fcb_of_entry(entry));
			if (entry->HashValue == hash && rx_name_equal(&entry->Path, Path, insensitive))
				found = entry;
		}
	}
	if (found == NULL) {
		(void)InterlockedIncrement(&FcbTable->FailedLookups);
		return NULL;
	}
	(void)InterlockedIncrement(&found->Lookups);
	(void)RxpReferenceNetFcb(rx_fcb_of_entry(found));
	return rx_fcb_of_entry(found);
}

NTSTATUS RxFcbTableInsertFcb(PRX_FCB_TABLE FcbTable, PFCB Fcb)
{
	PRX_FCB_TABLE_ENTRY entry = &Fcb->FcbTableEntry;
	NTSTATUS status = STATUS_SUCCESS;

	rx_assert_fcb_table_exclusive(FcbTable);
	InitializeListHead(&entry->HashLinks);
	if (entry->Path.Length == 0) {
		RX_CHECK(FcbTable->TableEntryForNull == NULL);
		FcbTable->TableEntryForNull = entry;
	} else {
		if (FcbTable->HashBuckets == NULL)
			status = rx_fcb_table_resize(FcbTable, RX_FCB_TABLE_FIRST_BUCKETS);
		else if (FcbTable->NumberOfEntries * 2 >= FcbTable->NumberOfBuckets)
			(void)rx_fcb_table_resize(FcbTable,
						  FcbTable->NumberOfBuckets * 2); /* longer chains else */
		if (!NT_SUCCESS(status))
			return status;
		entry->HashValue = rx_name_hash(&entry->Path, FcbTable->CaseInsensitiveMatch);
		InsertTailList(rx_fcb_table_bucket(FcbTable, entry->HashValue), &entry->HashLinks);
		FcbTable->NumberOfEntries++;
	}
	FcbTable->Version++;
	return STATUS_SUCCESS;
}

NTSTATUS RxFcbTableRemoveFcb(PRX_FCB_TABLE FcbTable, PFCB Fcb)
{
	PRX_FCB_TABLE_ENTRY entry = &Fcb->FcbTableEntry;

	rx_assert_fcb_table_exclusive(FcbTable);
	if (entry == FcbTable->TableEntryForNull) {
		FcbTable->TableEntryForNull = NULL;
	} else {
		if (IsListEmpty(&entry->HashLinks))
			return STATUS_NOT_FOUND;
		RemoveEntryList(&entry->HashLinks);
		InitializeListHead(&entry->HashLinks);
		FcbTable->NumberOfEntries--;
	}
	FcbTable->Version++;
	return STATUS_SUCCESS;
}

void rx_fcb_table_for_each(PRX_FCB_TABLE table, bool (*visit)(PFCB fcb, void *arg), void *arg)
{
	if (table->TableEntryForNull != NULL && !visit(rx_fcb_of_entry(table->TableEntryForNull), arg))
		return;
	for (ULONG i = 0; table->HashBuckets != NULL && i < table->NumberOfBuckets; i++) {
		PLIST_ENTRY bucket = &table->HashBuckets[i];

		for (PLIST_ENTRY link = bucket->Flink, next; link != bucket; link = next) {
			next = link->Flink; /* visit may take this one out */
			if (!visit(CONTAINING_RECORD(link, FCB, FcbTableEntry.HashLinks), arg))
				return;
		}
	}
}
