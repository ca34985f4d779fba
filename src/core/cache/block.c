/*
 * block.c - dirty bytes of a file, in blocks.
 *
 * Owns:   struct rx_block.
 * Locks:  rx_cache.mutex.
 *
 * A block knows to the byte what in it is dirty, so that a write never has to read first. It lives as long as
 * something in it is dirty or on its way.
 */
#include "core/cache/block.h"

/* ---- byte ranges ---- */

bool rx_extents_add(struct rx_extents *set, ULONG lo, ULONG hi)
{
	ULONG first = 0, last;

	while (first < set->count && set->at[first].hi < lo)
		first++;
	for (last = first; last < set->count && set->at[last].lo <= hi; last++) {
		lo = set->at[last].lo < lo ? set->at[last].lo : lo;
		hi = set->at[last].hi > hi ? set->at[last].hi : hi;
	}
	if (last == first && set->count == RX_CACHE_EXTENTS)
		return false;
	RtlMoveMemory(&set->at[first + 1], &set->at[last], (set->count - last) * sizeof(set->at[0]));
	set->count = set->count - (last - first) + 1;
	set->at[first].lo = lo;
	set->at[first].hi = hi;
	return true;
}

bool rx_extents_have_room(const struct rx_extents *set, ULONG lo, ULONG hi)
{
	if (set->count < RX_CACHE_EXTENTS)
		return true;
	for (ULONG i = 0; i < set->count; i++)
		if (set->at[i].lo <= hi && lo <= set->at[i].hi)
			return true;
	return false;
}

bool rx_extents_cover(const struct rx_extents *set, ULONG lo, ULONG hi)
{
	for (ULONG i = 0; i < set->count; i++)
		if (set->at[i].lo <= lo && hi <= set->at[i].hi)
			return true;
	return lo == hi;
}

bool rx_extents_touch(const struct rx_extents *set, ULONG lo, ULONG hi)
{
	for (ULONG i = 0; i < set->count; i++)
		if (set->at[i].lo < hi && lo < set->at[i].hi)
			return true;
	return false;
}

/* ---- blocks ---- */

static PLIST_ENTRY rx_block_bucket(struct rx_cache *cache, LONGLONG number)
{
	return &cache->bucket[(ULONG64)number & (cache->buckets - 1)];
}

static void rx_block_set_buckets(struct rx_cache *cache, PLIST_ENTRY bucket, ULONG buckets)
{
	for (ULONG i = 0; i < buckets; i++)
		InitializeListHead(&bucket[i]);
	cache->bucket = bucket;
	cache->buckets = buckets;
}

void rx_block_table_init(struct rx_cache *cache)
{
	InitializeListHead(&cache->blocks);
	rx_block_set_buckets(cache, cache->few, RX_CACHE_BUCKETS);
}

void rx_block_table_end(struct rx_cache *cache)
{
	if (cache->bucket != cache->few)
		ExFreePoolWithTag(cache->bucket, RX_TAG_CACHE);
}

/* Without memory the chains get longer. */
static void rx_block_grow_table(struct rx_cache *cache)
{
	ULONG buckets = cache->buckets * 8;
	PLIST_ENTRY old = cache->bucket;
	PLIST_ENTRY table = ExAllocatePoolWithTag(NonPagedPool, buckets * sizeof(*table), RX_TAG_CACHE);

	if (table == NULL)
		return;
	rx_block_set_buckets(cache, table, buckets);
	for (PLIST_ENTRY link = cache->blocks.Flink; link != &cache->blocks; link = link->Flink) {
		struct rx_block *block = CONTAINING_RECORD(link, struct rx_block, all);

		InsertTailList(rx_block_bucket(cache, block->number), &block->bucket);
	}
	if (old != cache->few)
		ExFreePoolWithTag(old, RX_TAG_CACHE);
}

struct rx_block *rx_block_find(struct rx_cache *cache, LONGLONG number)
{
	PLIST_ENTRY head = rx_block_bucket(cache, number);

	for (PLIST_ENTRY link = head->Flink; link != head; link = link->Flink) {
		struct rx_block *block = CONTAINING_RECORD(link, struct rx_block, bucket);

		if (block->number == number)
			return block;
	}
	return NULL;
}

static void rx_block_count(struct rx_cache *cache, LONG by)
{
	ULONG now = cache->fcb->WriteBehindBlocks + (ULONG)by;

	__atomic_store_n(&cache->fcb->WriteBehindBlocks, now, __ATOMIC_RELEASE);
	(void)InterlockedExchangeAdd(&rx_lazy_of(cache)->blocks, by);
	if (by > 0 && now == 1)
		rx_lazy_enlist(cache);
	else if (now == 0)
		rx_lazy_delist(cache);
}

struct rx_block *rx_block_obtain(struct rx_cache *cache, LONGLONG number)
{
	struct rx_block *block = rx_block_find(cache, number);

	if (block != NULL)
		return block;
	block = ExAllocatePoolWithTag(NonPagedPool, sizeof(*block), RX_TAG_CACHE);
	if (block == NULL)
		return NULL;
	if (cache->fcb->WriteBehindBlocks >= cache->buckets * RX_CACHE_CHAIN)
		rx_block_grow_table(cache);
	RtlZeroMemory(block, FIELD_OFFSET(struct rx_block, data));
	block->number = number;
	InsertTailList(rx_block_bucket(cache, number), &block->bucket);
	InsertTailList(&cache->blocks, &block->all);
	rx_block_count(cache, 1);
	return block;
}

bool rx_block_is_full(const struct rx_block *block)
{
	return rx_extents_cover(&block->dirty, 0, RX_CACHE_BLOCK);
}

void rx_block_soil(struct rx_cache *cache, struct rx_block *block, ULONG lo, ULONG hi)
{
	bool was_full = rx_block_is_full(block);

	if (block->dirty.count == 0)
		block->since = cache->puts;
	(void)rx_extents_add(&block->valid, lo, hi);
	/* a run that failed may bring back more ranges than there is room for; what is valid is never older */
	if (!rx_extents_add(&block->dirty, lo, hi))
		block->dirty = block->valid;
	if (!was_full && rx_block_is_full(block))
		cache->full++;
}

void rx_block_clear_dirty(struct rx_cache *cache, struct rx_block *block)
{
	if (rx_block_is_full(block))
		cache->full--;
	block->dirty.count = 0;
}

static void rx_block_free(struct rx_cache *cache, struct rx_block *block)
{
	RemoveEntryList(&block->bucket);
	RemoveEntryList(&block->all);
	ExFreePoolWithTag(block, RX_TAG_CACHE);
	rx_block_count(cache, -1);
}

void rx_block_settle(struct rx_cache *cache, struct rx_block *block)
{
	if (block->writing != 0)
		return;
	block->valid = block->dirty;
	if (block->dirty.count == 0)
		rx_block_free(cache, block);
}

void rx_block_discard_all(struct rx_cache *cache)
{
	while (!IsListEmpty(&cache->blocks)) {
		struct rx_block *block = CONTAINING_RECORD(cache->blocks.Flink, struct rx_block, all);

		RX_CHECK(block->writing == 0);
		rx_block_clear_dirty(cache, block);
		rx_block_free(cache, block);
	}
}

/* ---- order ---- */

static struct rx_block *rx_block_of_link(PLIST_ENTRY link)
{
	return CONTAINING_RECORD(link, struct rx_block, all);
}

/* Two ordered lists, linked by Flink up to NULL, become one. */
static PLIST_ENTRY rx_block_merge(PLIST_ENTRY a, PLIST_ENTRY b)
{
	PLIST_ENTRY first = NULL, *last = &first;

	while (a != NULL && b != NULL) {
		PLIST_ENTRY *least = rx_block_of_link(a)->number <= rx_block_of_link(b)->number ? &a : &b;

		*last = *least;
		last = &(*least)->Flink;
		*least = (*least)->Flink;
	}
	*last = a != NULL ? a : b;
	return first;
}

void rx_block_sort_all(struct rx_cache *cache)
{
	PLIST_ENTRY sorted[32] = {NULL}; /* [i]: a list of 2^i blocks, or none */
	PLIST_ENTRY all = NULL;
	ULONG i;

	while (!IsListEmpty(&cache->blocks)) {
		PLIST_ENTRY one = RemoveHeadList(&cache->blocks);

		one->Flink = NULL;
		for (i = 0; sorted[i] != NULL; i++) {
			one = rx_block_merge(sorted[i], one);
			sorted[i] = NULL;
		}
		sorted[i] = one;
	}
	for (i = 0; i < RTL_NUMBER_OF(sorted); i++)
		all = rx_block_merge(sorted[i], all);
	while (all != NULL) {
		PLIST_ENTRY next = all->Flink;

		InsertTailList(&cache->blocks, all);
		all = next;
	}
}
