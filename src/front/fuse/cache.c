/*
 * cache.c - pages that the kernel keeps under a grant of the server.
 *
 * Owns:      struct front_cache, counted: one for its node while the grant stands, one for each handle that was opened
 *            under it, one for the file's map (nt/cache.h), through which RDBSS takes the pages back.
 * Found by:  node->cache; its handles; the map.
 * Locks:     nodes.mutex for node->cache and cache->node. purge() runs with the FCB held: it waits for nothing that may
 *            need the file, and for the notifier only a moment.
 * Dies when: nobody counts it any more.
 *
 * While the grant stands, pages and attributes are what the server has, also after the last handle was closed: the next
 * open finds them. When it goes the kernel drops them, and what a read brings through a handle of that time is dropped
 * again as soon as it was delivered. A later open gets a new grant, and a new cache.
 */
#include "fuse_int.h"

/* 100 ns: a page that is being read cannot be dropped before its read has had the file, which the purge holds. */
#define PURGE_PATIENCE (100 * 10000)

#define RENEW_EVERY \
	(1 * 10000000) /* 100 ns: a file that two clients use in turn is not asked for at each read */

static void cache_put(struct front_cache *cache)
{
	struct rdr_fuse *fuse = cache->fuse;

	if (atomic_fetch_sub(&cache->refs, 1) != 1)
		return;
	ExFreePoolWithTag(cache, FUSE_TAG_FILE);
	if (atomic_fetch_sub(&fuse->n_caches, 1) == 1)
		KeSetEvent(&fuse->no_caches, IO_NO_INCREMENT, FALSE);
}

/* The node knows it no more, and RDBSS neither. Locks: nodes.mutex. */
static void cache_unhook_locked(struct front_cache *cache)
{
	if (cache->node == NULL)
		return;
	cache->node->cache = NULL;
	cache->node = NULL;
	nt_cache_detach(cache->map);
	cache_put(cache);
}

void front_cache_node_gone(struct front_node *node)
{
	if (node->cache != NULL)
		cache_unhook_locked(node->cache);
}

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
	bool all = offset == 0 && length == 0; /* else the file has shrunk, and the grant stands */

	bool used;

	ExAcquireFastMutex(&cache->fuse->nodes.mutex);
	if (all)
		atomic_store(&cache->granted, false);
	/* without a handle nobody reads the pages before the next open, which has the kernel drop them */
	used = cache->users != 0;
	if (all && !used)
		cache_unhook_locked(cache);
	ExReleaseFastMutex(&cache->fuse->nodes.mutex);
	if (!used && all)
		return TRUE;
	front_notify_purge(cache->fuse, cache->ino, (uint64_t)offset, length, PURGE_PATIENCE);
	if (all) {
		ExAcquireFastMutex(&cache->fuse->nodes.mutex);
		cache_unhook_locked(cache);
		ExReleaseFastMutex(&cache->fuse->nodes.mutex);
	}
	return TRUE;
}

static void cache_release(void *context)
{
	cache_put(context);
}

static const struct nt_cache_ops cache_ops = {cache_flush, cache_purge, cache_release};

/* With one reference for the node, one for the caller and one for the map; NULL: the grant is gone by now. */
static struct front_cache *cache_create(struct rdr_fuse *fuse, struct front_node *node,
					const struct door_opened *opened)
{
	struct front_cache *cache = ExAllocatePoolWithTag(NonPagedPool, sizeof(*cache), FUSE_TAG_FILE);

	if (cache == NULL)
		return NULL;
	RtlZeroMemory(cache, sizeof(*cache));
	cache->fuse = fuse;
	cache->ino = front_ino_of(fuse, node);
	atomic_init(&cache->refs, 3);
	cache->users = 1;
	atomic_init(&cache->granted, true);
	KeClearEvent(&fuse->no_caches);
	atomic_fetch_add(&fuse->n_caches, 1);
	if (!NT_SUCCESS(door_cache_attach(opened, &cache_ops, cache, &cache->map))) {
		/* or another name of the file keeps pages; the map's reference went with the answer */
		cache_put(cache);
		cache_put(cache);
		return NULL;
	}
	return cache;
}

/* The cache of the node's grant, counted for the handle of the caller; what is left of an ended one goes. */
static struct front_cache *cache_join(struct rdr_fuse *fuse, struct front_node *node)
{
	struct front_cache *cache;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	cache = node->cache;
	if (cache != NULL && !atomic_load(&cache->granted)) {
		cache_unhook_locked(cache);
		cache = NULL;
	}
	if (cache != NULL) {
		atomic_fetch_add(&cache->refs, 1);
		cache->users++;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return cache;
}

/* A new cache becomes the node's, unless another open was faster or the grant is gone again. */
static void cache_hook(struct rdr_fuse *fuse, struct front_node *node, struct front_cache *cache)
{
	bool hooked;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	hooked = node->cache == NULL && atomic_load(&cache->granted);
	if (hooked) {
		node->cache = cache;
		cache->node = node;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	if (hooked)
		return;
	atomic_store(&cache->granted, false); /* its handle asks, as without a grant */
	nt_cache_detach(cache->map);
	cache_put(cache);
}

bool front_cache_enter(struct rdr_fuse *fuse, struct front_file *f, const struct door_opened *opened)
{
	f->cache = cache_join(fuse, f->node);
	if (f->cache != NULL)
		return true;
	f->cache = cache_create(fuse, f->node, opened);
	if (f->cache != NULL) /* else as without a grant: each read asks */
		cache_hook(fuse, f->node, f->cache);
	return false;
}

/* A handle does not use the cache any more. */
static void cache_part(struct rdr_fuse *fuse, struct front_cache *cache)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	cache->users--;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	cache_put(cache);
}

void front_cache_leave(struct rdr_fuse *fuse, struct front_file *f)
{
	if (f->cache != NULL)
		cache_part(fuse, f->cache);
	f->cache = NULL;
}

void front_caches_wait(struct rdr_fuse *fuse)
{
	while (atomic_load(&fuse->n_caches) != 0) /* a purge that runs ends soon */
		(void)KeWaitForSingleObject(&fuse->no_caches, Executive, KernelMode, FALSE, NULL);
}

/* ---- a grant that ended ---- */

/*
 * False: the handle needs none, it has one, or it asked for one a moment ago. *stale: it has lost one. The node of a
 * renewal that begins is pinned: the handle may be released while it goes on.
 */
static bool renew_begins(struct rdr_fuse *fuse, struct front_file *f, bool *stale)
{
	ULONGLONG now = KeQueryInterruptTime();
	bool begins;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	*stale = f->cache != NULL && !atomic_load(&f->cache->granted);
	begins = *stale && f->listed && now - f->renew_time > RENEW_EVERY;
	if (begins) {
		f->renew_time = now;
		f->node->pins++;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return begins;
}

/* The handle has a grant again, counted for it. */
static void renew_ends(struct rdr_fuse *fuse, struct front_file *f, struct front_cache *cache)
{
	struct front_cache *before;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	before = f->cache;
	f->cache = cache;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	cache_part(fuse, before);
	/* pages of the time between are dropped after pages that are being dropped already */
	front_notify_inval_range(fuse, cache->ino, 0, 0);
}

/* An open of the file under its name brings the grant, for all of its handles; the handle that came with it goes. */
static struct front_cache *renew_grant(struct front_request *r, struct front_node *node)
{
	struct rdr_fuse *fuse = r->fuse;
	struct door_open open = {.access = FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = FILE_NON_DIRECTORY_FILE,
				 .query = DOOR_QUERY_STAT | DOOR_QUERY_ID};
	struct front_cache *cache = cache_join(fuse, node); /* another handle was here before */
	struct door_opened opened;

	if (cache != NULL || !NT_SUCCESS(front_node_path(fuse, node, NULL, &open.path)))
		return cache;
	if (NT_SUCCESS(door_open(fuse->volume, &r->caller, &open, &opened))) {
		if (opened.read_caching && (uint64_t)opened.stat.FileId.QuadPart == node->file_id)
			cache = cache_create(fuse, node, &opened);
		if (cache != NULL)
			cache_hook(fuse, node, cache);
		(void)door_close(opened.file, NULL); /* nothing was written through it */
	}
	door_name_free(&open.path);
	return cache;
}

bool front_cache_renew(struct front_request *r, struct front_file *f)
{
	struct front_node *node = f->node;
	struct front_cache *cache;
	bool stale;

	if (!f->cached || !renew_begins(r->fuse, f, &stale))
		return f->cached && stale && !r->fuse->options.cache_loose;
	cache = renew_grant(r, node);
	if (cache != NULL) {
		stale = !atomic_load(&cache->granted);
		renew_ends(r->fuse, f, cache);
	}
	front_node_unpin(r->fuse, node);
	return stale && !r->fuse->options.cache_loose;
}

bool front_node_is_granted(struct rdr_fuse *fuse, struct front_node *node)
{
	bool granted;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	granted = node->cache != NULL && atomic_load(&node->cache->granted);
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return granted;
}

void front_cache_keep_stat(struct rdr_fuse *fuse, struct front_node *node, const FILE_STAT_INFORMATION *stat,
			   ULONGLONG since)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	if (node->cache != NULL && node->cache->stat_time < since) {
		node->cache->stat = *stat;
		node->cache->stat_time = since;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

/* Has the file a handle that may change it, or was it changed by us since? Locks: nodes.mutex. */
static bool changes_locked(struct rdr_fuse *fuse, struct front_node *node, ULONGLONG since)
{
	bool changed = node->leaving != 0;
	LIST_ENTRY *l;

	for (l = node->files.Flink; l != &node->files && !changed; l = l->Flink)
		changed = CONTAINING_RECORD(l, struct front_file, node_link)->can_write;
	ExAcquireFastMutex(&fuse->listings.mutex);
	changed = changed || node->changed_at >= since;
	ExReleaseFastMutex(&fuse->listings.mutex);
	return changed;
}

bool front_cache_get_stat(struct rdr_fuse *fuse, struct front_node *node, FILE_STAT_INFORMATION *stat,
			  ULONGLONG *since)
{
	struct front_cache *cache;
	bool known;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	cache = node->cache;
	known = cache != NULL && atomic_load(&cache->granted) && cache->stat_time != 0 &&
		(double)(KeQueryInterruptTime() - cache->stat_time) / 1e7 < fuse->timeout &&
		!changes_locked(fuse, node, cache->stat_time);
	if (known) {
		*stat = cache->stat;
		*since = cache->stat_time;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return known;
}
