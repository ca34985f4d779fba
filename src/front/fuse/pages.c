/*
 * pages.c - pages as the kernel had them when they were last the same here and there.
 *
 * A mapping may outlive the grant that it was made under. The kernel writes back whole pages of it, and somebody else may have
 * written into one of them meanwhile. What was stored here is what differs from the page as it was handed out.
 *
 * Owns:      struct front_page, from the read that hands it out until the last mapping handle of its file is gone, the page
 *            is changed otherwise, or there are too many: then the whole page is written, as if nobody else had the file.
 * Found by:  number of the file and of the page, in rdr_fuse.pages.
 * Locks:     pages.lock, spin; a leaf.
 * Level:     <= DISPATCH_LEVEL; completions of reads keep pages.
 *
 * A page here is never older than the kernel's: whatever changes that one without a store (a read that fills it, a write
 * that goes through it, a new size) replaces or drops it before the kernel hears of its answer. What is older would hide a
 * store of a value that was there before. The kernel does none of these to a page while it writes it back, but for new sizes,
 * which may come while a read is on its way: hence the generations.
 */
#include "fuse_int.h"

#define PAGES_MAX 1024u /* of a mount */

struct front_page {
	LIST_ENTRY bucket;
	LIST_ENTRY age;
	fuse_ino_t ino;
	uint64_t number;
	char bytes[FRONT_PAGE];
};

void front_pages_init(struct front_pages *pages)
{
	size_t i;

	KeInitializeSpinLock(&pages->lock);
	InitializeListHead(&pages->ages);
	for (i = 0; i < RTL_NUMBER_OF(pages->buckets); i++)
		InitializeListHead(&pages->buckets[i]);
}

static size_t hash_of(fuse_ino_t ino, uint64_t number)
{
	return (size_t)((((uint64_t)ino >> 4) * 31 + number) * 0x9E3779B97F4A7C15ull >> 58);
}

/* Locks of all: lock. */
static struct front_page *find_locked(struct front_pages *pages, fuse_ino_t ino, uint64_t number)
{
	LIST_ENTRY *head = &pages->buckets[hash_of(ino, number)];

	for (LIST_ENTRY *l = head->Flink; l != head; l = l->Flink) {
		struct front_page *page = CONTAINING_RECORD(l, struct front_page, bucket);

		if (page->ino == ino && page->number == number)
			return page;
	}
	return NULL;
}

static void drop_locked(struct front_pages *pages, struct front_page *page)
{
	RemoveEntryList(&page->bucket);
	RemoveEntryList(&page->age);
	atomic_fetch_sub(&pages->count, 1);
	ExFreePoolWithTag(page, FUSE_TAG_BUFFER);
}

/* The youngest from now on; NULL: there is no memory. */
static struct front_page *obtain_locked(struct front_pages *pages, fuse_ino_t ino, uint64_t number)
{
	struct front_page *page = find_locked(pages, ino, number);

	if (page != NULL) {
		RemoveEntryList(&page->age);
		InsertTailList(&pages->ages, &page->age);
		return page;
	}
	if (atomic_load(&pages->count) >= PAGES_MAX)
		drop_locked(pages, CONTAINING_RECORD(pages->ages.Flink, struct front_page, age));
	page = ExAllocatePoolZero(NonPagedPool, sizeof(*page), FUSE_TAG_BUFFER);
	if (page == NULL)
		return NULL;
	page->ino = ino;
	page->number = number;
	InsertTailList(&pages->buckets[hash_of(ino, number)], &page->bucket);
	InsertTailList(&pages->ages, &page->age);
	atomic_fetch_add(&pages->count, 1);
	return page;
}

unsigned int front_pages_generation(struct front_pages *pages, fuse_ino_t ino)
{
	return atomic_load(&pages->generations[hash_of(ino, 0)]);
}

void front_pages_keep(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, const char *data,
		      size_t size, unsigned int generation)
{
	KIRQL irql;
	size_t at;

	KeAcquireSpinLock(&pages->lock, &irql);
	for (at = 0; at < size && offset % FRONT_PAGE == 0; at += FRONT_PAGE) {
		struct front_page *page = NULL;
		size_t part = size - at < FRONT_PAGE ? size - at : FRONT_PAGE;

		if (generation == front_pages_generation(pages, ino))
			page = obtain_locked(pages, ino, (offset + at) / FRONT_PAGE);
		if (page != NULL) {
			RtlCopyMemory(page->bytes, data + at, part);
			RtlZeroMemory(page->bytes + part, FRONT_PAGE - part);
			continue;
		}
		page = find_locked(pages, ino, (offset + at) / FRONT_PAGE);
		if (page != NULL)
			drop_locked(pages, page);
	}
	KeReleaseSpinLock(&pages->lock, irql);
}

void front_pages_forget(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, uint64_t size)
{
	uint64_t number;
	KIRQL irql;

	if (atomic_load(&pages->count) == 0 || size == 0)
		return;
	KeAcquireSpinLock(&pages->lock, &irql);
	for (number = offset / FRONT_PAGE; number <= (offset + size - 1) / FRONT_PAGE; number++) {
		struct front_page *page = find_locked(pages, ino, number);

		if (page != NULL)
			drop_locked(pages, page);
	}
	KeReleaseSpinLock(&pages->lock, irql);
}

void front_pages_forget_file(struct front_pages *pages, fuse_ino_t ino)
{
	LIST_ENTRY *l, *next;
	KIRQL irql;

	atomic_fetch_add(&pages->generations[hash_of(ino, 0)], 1);
	if (atomic_load(&pages->count) == 0)
		return;
	KeAcquireSpinLock(&pages->lock, &irql);
	for (l = pages->ages.Flink; l != &pages->ages; l = next) {
		struct front_page *page = CONTAINING_RECORD(l, struct front_page, age);

		next = l->Flink;
		if (page->ino == ino)
			drop_locked(pages, page);
	}
	KeReleaseSpinLock(&pages->lock, irql);
}

bool front_pages_have(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, size_t size)
{
	bool have = false;
	uint64_t number;
	KIRQL irql;

	if (atomic_load(&pages->count) == 0 || size == 0)
		return false;
	KeAcquireSpinLock(&pages->lock, &irql);
	for (number = offset / FRONT_PAGE; number <= (offset + size - 1) / FRONT_PAGE && !have; number++)
		have = find_locked(pages, ino, number) != NULL;
	KeReleaseSpinLock(&pages->lock, irql);
	return have;
}

void front_pages_get(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, const char *data,
		     char *before, size_t size)
{
	size_t at, part, i;
	KIRQL irql;

	KeAcquireSpinLock(&pages->lock, &irql);
	for (at = 0; at < size; at += part) {
		const struct front_page *page = find_locked(pages, ino, (offset + at) / FRONT_PAGE);
		size_t within = (offset + at) % FRONT_PAGE;

		part = size - at < FRONT_PAGE - within ? size - at : FRONT_PAGE - within;
		if (page != NULL)
			RtlCopyMemory(before + at, page->bytes + within, part);
		else
			for (i = at; i < at + part; i++)
				before[i] = (char)~data[i];
	}
	KeReleaseSpinLock(&pages->lock, irql);
}

void front_pages_end(struct front_pages *pages)
{
	LIST_ENTRY *l;

	while ((l = pages->ages.Flink) != &pages->ages)
		drop_locked(pages, CONTAINING_RECORD(l, struct front_page, age));
}
