/*
 * prefix.c - the NetName table: which server, share or view a path begins with.
 *
 * Owns:      the bucket array. Entries are inside their objects.
 * Found by:  RDBSS_DEVICE_OBJECT.pRxNetNameTable.
 * Locks:     RX_PREFIX_TABLE.TableLock (rx_class_name_table): exclusive to change, shared to look up.
 * Dies when: RxFinalizePrefixTable().
 *
 * A lookup walks the path once, hashing as it goes, and asks the table at each end of a component; the last
 * answer is the longest. So its cost depends on the length of the path and not on the number of names; the
 * array doubles when there are more names than buckets. Hashes fold case always, comparisons as far as the
 * entry says (CaseInsensitiveLength).
 *
 * A share and the view that opens it directly have one and the same name, `\server\share`: for a lookup the
 * view wins, and inside the redirector rx_prefix_table_find() asks for one kind.
 */
#include "core/name/name.h"

#include "core/object/object.h"

#define RX_TAG_PREFIX 'tPxR'
#define RX_PREFIX_DEFAULT_BUCKETS 32

static ULONG rx_round_up_to_power_of_two(ULONG n)
{
	ULONG power = 4;

	while (power < n && power < 0x40000000u)
		power *= 2;
	return power;
}

VOID RxInitializePrefixTable(PRX_PREFIX_TABLE ThisTable, ULONG TableSize, BOOLEAN CaseInsensitiveMatch)
{
	ZeroAndInitializeNodeType(ThisTable, RDBSS_NTC_PREFIX_TABLE, sizeof(*ThisTable));
	InitializeListHead(&ThisTable->MemberQueue);
	InitializeListHead(&ThisTable->DepartedQueue);
	(void)ExInitializeResourceLite(&ThisTable->TableLock); /* cannot fail: it allocates nothing */
	ThisTable->Version = 1;
	ThisTable->CaseInsensitiveMatch = CaseInsensitiveMatch;
	ThisTable->TableSize =
		rx_round_up_to_power_of_two(TableSize != 0 ? TableSize : RX_PREFIX_DEFAULT_BUCKETS);
}

VOID RxFinalizePrefixTable(PRX_PREFIX_TABLE ThisTable)
{
	RX_CHECK(IsListEmpty(&ThisTable->MemberQueue));
	if (ThisTable->HashBuckets != NULL)
		ExFreePoolWithTag(ThisTable->HashBuckets, RX_TAG_PREFIX);
	ThisTable->HashBuckets = NULL;
	(void)ExDeleteResourceLite(&ThisTable->TableLock);
}

BOOLEAN RxpAcquirePrefixTableLockShared(PRX_PREFIX_TABLE pTable, BOOLEAN Wait) RX_NO_TSA
{
	return ExAcquireResourceSharedLite(&pTable->TableLock, Wait);
}

BOOLEAN RxpAcquirePrefixTableLockExclusive(PRX_PREFIX_TABLE pTable, BOOLEAN Wait) RX_NO_TSA
{
	return ExAcquireResourceExclusiveLite(&pTable->TableLock, Wait);
}

VOID RxpReleasePrefixTableLock(PRX_PREFIX_TABLE pTable) RX_NO_TSA
{
	ExReleaseResourceLite(&pTable->TableLock);
}

/* The lock itself is not annotated; these three tie it to its class. */
void rx_name_table_lock(PRX_PREFIX_TABLE table) RX_NO_TSA
{
	(void)ExAcquireResourceExclusiveLite(&table->TableLock, TRUE); /* waits: always TRUE */
}

void rx_name_table_lock_shared(PRX_PREFIX_TABLE table) RX_NO_TSA
{
	(void)ExAcquireResourceSharedLite(&table->TableLock, TRUE);
}

void rx_name_table_unlock(PRX_PREFIX_TABLE table) RX_NO_TSA
{
	ExReleaseResourceLite(&table->TableLock);
}

static PLIST_ENTRY rx_prefix_bucket(PRX_PREFIX_TABLE table, ULONG hash)
{
	return &table->HashBuckets[hash & (table->TableSize - 1)];
}

static bool rx_prefix_id_matches(PRX_PREFIX_ENTRY entry, PRX_CONNECTION_ID id)
{
	if (id == NULL || !entry->HasConnectionId)
		return true;
	return memcmp(&entry->ConnectionId, id, sizeof(*id)) == 0;
}

static bool rx_prefix_id_equal(PRX_PREFIX_ENTRY entry, PRX_CONNECTION_ID id)
{
	if (id == NULL)
		return !entry->HasConnectionId;
	return entry->HasConnectionId && memcmp(&entry->ConnectionId, id, sizeof(*id)) == 0;
}

/* Bytes of an entry's name that are compared without case: the table permits it, the entry says how far. */
static USHORT rx_prefix_insensitive(PRX_PREFIX_TABLE table, PRX_PREFIX_ENTRY entry)
{
	return table->CaseInsensitiveMatch ? entry->CaseInsensitiveLength : 0;
}

/* The best entry for a name; a view before a share of the same name, the asked id before none. */
static PRX_PREFIX_ENTRY rx_prefix_match(PRX_PREFIX_TABLE table, PCUNICODE_STRING name, ULONG hash,
					PRX_CONNECTION_ID id)
{
	PLIST_ENTRY bucket = rx_prefix_bucket(table, hash);
	PRX_PREFIX_ENTRY best = NULL;

	for (PLIST_ENTRY link = bucket->Flink; link != bucket; link = link->Flink) {
		PRX_PREFIX_ENTRY entry = CONTAINING_RECORD(link, RX_PREFIX_ENTRY, HashLinks);
		bool view = NodeType(entry->ContainingRecord) == RDBSS_NTC_V_NETROOT;

		if (entry->SavedHashValue != hash || !rx_prefix_id_matches(entry, id) ||
		    !rx_name_equal(&entry->Prefix, name, rx_prefix_insensitive(table, entry)))
			continue;
		if (best == NULL || (view && NodeType(best->ContainingRecord) != RDBSS_NTC_V_NETROOT) ||
		    (entry->HasConnectionId && !best->HasConnectionId &&
		     NodeType(entry->ContainingRecord) == NodeType(best->ContainingRecord)))
			best = entry;
	}
	return best;
}

PVOID rx_prefix_table_find(PRX_PREFIX_TABLE table, PCUNICODE_STRING name, NODE_TYPE_CODE kind,
			   PRX_CONNECTION_ID id)
{
	ULONG hash = rx_name_hash(name, true);
	PLIST_ENTRY bucket;

	if (table->HashBuckets == NULL)
		return NULL;
	bucket = rx_prefix_bucket(table, hash);
	for (PLIST_ENTRY link = bucket->Flink; link != bucket; link = link->Flink) {
		PRX_PREFIX_ENTRY entry = CONTAINING_RECORD(link, RX_PREFIX_ENTRY, HashLinks);

		if (entry->SavedHashValue == hash && NodeType(entry->ContainingRecord) == kind &&
		    rx_prefix_id_equal(entry, id) &&
		    rx_name_equal(&entry->Prefix, name, rx_prefix_insensitive(table, entry)))
			return entry->ContainingRecord;
	}
	return NULL;
}

/* The entry with the longest name that leads a path. Locks: table, shared. */
static PRX_PREFIX_ENTRY rx_prefix_longest(PRX_PREFIX_TABLE table, PUNICODE_STRING path, PRX_CONNECTION_ID id)
{
	USHORT count = path->Length / sizeof(WCHAR);
	ULONG hash = RX_NAME_HASH_START;
	PRX_PREFIX_ENTRY best = NULL;

	RX_CHECK(count > 0);
	RX_CHECK(RxIsPrefixTableLockAcquired(table));
	if (table->HashBuckets == NULL)
		return NULL;

	for (USHORT i = 0; i < count && i * sizeof(WCHAR) < table->LongestPrefix; i++) {
		UNICODE_STRING prefix;
		PRX_PREFIX_ENTRY entry;

		hash = rx_name_hash_step(hash, rx_name_fold(path->Buffer[i]));
		if (i + 1 < count && path->Buffer[i + 1] != u'\\')
			continue;
		prefix.Buffer = path->Buffer;
		prefix.Length = prefix.MaximumLength = (USHORT)((i + 1) * sizeof(WCHAR));
		entry = rx_prefix_match(table, &prefix, rx_name_hash_end(hash), id);
		if (entry != NULL)
			best = entry;
	}
	return best;
}

static void rx_prefix_rest(PUNICODE_STRING path, PRX_PREFIX_ENTRY entry, PUNICODE_STRING rest)
{
	rest->Buffer = path->Buffer + entry->Prefix.Length / sizeof(WCHAR);
	rest->Length = (USHORT)(path->Length - entry->Prefix.Length);
	rest->MaximumLength = rest->Length;
}

PVOID RxPrefixTableLookupName(PRX_PREFIX_TABLE ThisTable, PUNICODE_STRING CanonicalName,
			      PUNICODE_STRING RemainingName, PRX_CONNECTION_ID RxConnectionId)
{
	PRX_PREFIX_ENTRY entry = rx_prefix_longest(ThisTable, CanonicalName, RxConnectionId);

	if (entry == NULL)
		return NULL;
	(void)InterlockedIncrement(entry->ContainerRefCount);
	rx_prefix_rest(CanonicalName, entry, RemainingName);
	return entry->ContainingRecord;
}

PVOID rx_prefix_table_peek(PRX_PREFIX_TABLE table, PUNICODE_STRING path, PUNICODE_STRING rest,
			   PRX_CONNECTION_ID id)
{
	PRX_PREFIX_ENTRY entry = rx_prefix_longest(table, path, id);

	if (entry == NULL)
		return NULL;
	rx_prefix_rest(path, entry, rest);
	return entry->ContainingRecord;
}

static void rx_prefix_note_change(PRX_PREFIX_TABLE table) RX_REQUIRES(rx_class_name_table)
{
	if (++table->Version == 0)
		table->Version = 1;
}

/* Doubles the buckets; without memory the chains grow longer instead. */
static void rx_prefix_grow(PRX_PREFIX_TABLE table, ULONG buckets) RX_REQUIRES(rx_class_name_table)
{
	PLIST_ENTRY array = ExAllocatePoolWithTag(PagedPool, buckets * sizeof(*array), RX_TAG_PREFIX);
	PLIST_ENTRY old = table->HashBuckets;

	if (array == NULL)
		return;
	for (ULONG i = 0; i < buckets; i++)
		InitializeListHead(&array[i]);
	table->HashBuckets = array;
	table->TableSize = buckets;
	for (PLIST_ENTRY link = table->MemberQueue.Flink; link != &table->MemberQueue; link = link->Flink) {
		PRX_PREFIX_ENTRY entry = CONTAINING_RECORD(link, RX_PREFIX_ENTRY, MemberQLinks);

		InsertTailList(rx_prefix_bucket(table, entry->SavedHashValue), &entry->HashLinks);
	}
	if (old != NULL)
		ExFreePoolWithTag(old, RX_TAG_PREFIX);
}

PRX_PREFIX_ENTRY RxPrefixTableInsertName(PRX_PREFIX_TABLE ThisTable, PRX_PREFIX_ENTRY ThisEntry,
					 PVOID Container, PULONG ContainerRefCount,
					 USHORT CaseInsensitiveLength, PRX_CONNECTION_ID ConnectionId)
{
	rx_assert_name_table_exclusive(ThisTable);
	if (ThisTable->HashBuckets == NULL)
		rx_prefix_grow(ThisTable, ThisTable->TableSize);
	else if (ThisTable->EntryCount >= ThisTable->TableSize)
		rx_prefix_grow(ThisTable, ThisTable->TableSize * 2);
	if (ThisTable->HashBuckets == NULL ||
	    rx_prefix_table_find(ThisTable, &ThisEntry->Prefix, NodeType(Container), ConnectionId) != NULL)
		return NULL;

	ThisEntry->NodeTypeCode = RDBSS_NTC_PREFIX_ENTRY;
	ThisEntry->NodeByteSize = sizeof(*ThisEntry);
	ThisEntry->CaseInsensitiveLength = CaseInsensitiveLength;
	ThisEntry->ContainerRefCount = ContainerRefCount;
	ThisEntry->ContainingRecord = Container;
	ThisEntry->HasConnectionId = ConnectionId != NULL;
	if (ConnectionId != NULL)
		ThisEntry->ConnectionId = *ConnectionId;
	ThisEntry->SavedHashValue = rx_name_hash(&ThisEntry->Prefix, true);

	InsertTailList(rx_prefix_bucket(ThisTable, ThisEntry->SavedHashValue), &ThisEntry->HashLinks);
	InsertTailList(&ThisTable->MemberQueue, &ThisEntry->MemberQLinks);
	ThisTable->EntryCount++;
	if (ThisEntry->Prefix.Length > ThisTable->LongestPrefix)
		ThisTable->LongestPrefix = ThisEntry->Prefix.Length;
	rx_prefix_note_change(ThisTable);
	return ThisEntry;
}

void rx_prefix_table_depart(PRX_PREFIX_TABLE table, PRX_PREFIX_ENTRY entry)
{
	rx_assert_name_table_exclusive(table);
	if (IsListEmpty(&entry->HashLinks))
		return;
	RxRemovePrefixTableEntry(table, entry);
	InsertTailList(&table->DepartedQueue, &entry->MemberQLinks);
}

VOID RxRemovePrefixTableEntry(PRX_PREFIX_TABLE ThisTable, PRX_PREFIX_ENTRY Entry)
{
	rx_assert_name_table_exclusive(ThisTable);
	if (Entry->HashLinks.Flink == NULL || IsListEmpty(&Entry->HashLinks))
		return;
	RemoveEntryList(&Entry->HashLinks);
	InitializeListHead(&Entry->HashLinks);
	RemoveEntryList(&Entry->MemberQLinks);
	InitializeListHead(&Entry->MemberQLinks);
	ThisTable->EntryCount--;
	rx_prefix_note_change(ThisTable);
}
