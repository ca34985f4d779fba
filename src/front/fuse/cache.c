/*
 * cache.c - pages that the kernel keeps under a grant of the server.
 *
 * Owns:      struct front_cache of a node, while a handle with pages is open that was opened under READCACHING.
 * Found by:  node->cache; each such handle; the file's map (nt/cache.h), through which RDBSS takes the pages back.
 * Locks:     nodes.mutex for node->cache and users. purge() runs with the FCB held: it waits for nothing that may need
 *            the file, and for the notifier only a moment.
 * Dies when: the last of the handles is closed and no purge runs.
 *
 * While the grant stands, pages and attributes are what the server has. When it goes the kernel drops them, and what a
 * read brings from then on is dropped again as soon as it was delivered.
 */
#include "fuse_int.h"

/* 100 ns: a page that is being read cannot be dropped before its read has had the file, which the purge holds. */
#define PURGE_PATIENCE (100 * 10000)

static NTSTATUS cache_flush(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	(void)offset;
	(void)length;
	return STATUS_SUCCESS; /* the kernel keeps clean pages only: handles that write bypass them */
}

static BOOLEAN cache_purge(void *context, LONGLONG offset, ULONG length)
{
	struct front_cache *cache = context;

	if (offset == 0 && length == 0) /* everything; else the file has shrunk, and the grant stands */
		atomic_store(&cache->granted, false);
	front_notify_purge(cache->fuse, cache->ino, (uint64_t)offset, length, PURGE_PATIENCE);
	return TRUE;
}

static void cache_release(void *context)
{
	struct front_cache *cache = context;

	KeSetEvent(&cache->released, IO_NO_INCREMENT, FALSE);
}

static const struct nt_cache_ops cache_ops = {cache_flush, cache_purge, cache_release};

static struct front_cache *cache_create(struct rdr_fuse *fuse, struct front_node *node,
					const struct door_opened *opened)
{
	struct front_cache *cache = ExAllocatePoolWithTag(NonPagedPool, sizeof(*cache), FUSE_TAG_FILE);

	if (cache == NULL)
		return NULL;
	RtlZeroMemory(cache, sizeof(*cache));
	cache->fuse = fuse;
	cache->ino = front_ino_of(fuse, node);
	cache->users = 1;
	atomic_init(&cache->granted, true);
	KeInitializeEvent(&cache->released, NotificationEvent, FALSE);
	if (!NT_SUCCESS(door_cache_attach(opened, &cache_ops, cache, &cache->map))) {
		/* the grant is gone by now, or another name of the file keeps pages */
		ExFreePoolWithTag(cache, FUSE_TAG_FILE);
		return NULL;
	}
	return cache;
}

static void cache_destroy(struct front_cache *cache)
{
	nt_cache_detach(cache->map);
	KeWaitForSingleObject(&cache->released, Executive, KernelMode, FALSE,
			      NULL); /* a purge that runs ends soon */
	ExFreePoolWithTag(cache, FUSE_TAG_FILE);
}

static struct front_cache *cache_join(struct rdr_fuse *fuse, struct front_node *node)
{
	struct front_cache *cache;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	cache = node->cache;
	if (cache != NULL)
		cache->users++;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return cache;
}

void front_cache_enter(struct rdr_fuse *fuse, struct front_file *f, const struct door_opened *opened)
{
	struct front_cache *cache = cache_join(fuse, f->node), *other = NULL;

	if (cache == NULL) {
		cache = cache_create(fuse, f->node, opened);
		if (cache == NULL)
			return; /* as without a grant: each read asks */
		ExAcquireFastMutex(&fuse->nodes.mutex);
		other = f->node->cache;
		if (other == NULL)
			f->node->cache = cache;
		else
			other->users++;
		ExReleaseFastMutex(&fuse->nodes.mutex);
		if (other != NULL) {
			cache_destroy(cache);
			cache = other;
		}
	}
	f->cache = cache;
}

void front_cache_leave(struct rdr_fuse *fuse, struct front_file *f)
{
	struct front_cache *cache = f->cache;
	bool last;

	if (cache == NULL)
		return;
	f->cache = NULL;
	ExAcquireFastMutex(&fuse->nodes.mutex);
	last = --cache->users == 0;
	if (last)
		f->node->cache = NULL;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	if (last)
		cache_destroy(cache);
}

bool front_node_is_granted(struct rdr_fuse *fuse, struct front_node *node)
{
	bool granted;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	granted = node->cache != NULL && atomic_load(&node->cache->granted);
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return granted;
}
