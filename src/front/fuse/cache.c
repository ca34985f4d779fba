/*
 * cache.c - pages that the kernel keeps under a grant of the server.
 *
 * Owns:      struct front_cache, counted: one for its node while the grant stands, one for each handle that was opened
 *            under it, one for the file's map (nt/cache.h), through which RDBSS takes the pages back.
 * Found by:  node->cache; its handles; the map.
 * Locks:     nodes.mutex for node->cache, cache->node and node->mappers. purge() and flush() run with the FCB held, and
 *            lent: reads and writes of pages go on (door_read_pages_async()), everything else waits for them.
 * Dies when: nobody counts it any more.
 *
 * While the grant stands, pages and attributes are what the server has, also after the last handle was closed: the next
 * open finds them. When it goes the kernel drops them, and what a read brings through a handle of that time is dropped
 * again as soon as it was delivered. A later open gets a new grant, and a new cache.
 *
 * A handle that may read and write uses the kernel's pages only if nobody else had the file open when it was opened, for
 * then it may be mapped, and changed behind our back: that ends with flush(), which has the kernel write and forget what
 * it has. From then on a page that goes to the kernel is forgotten, and so written, as soon as it was delivered, until a
 * new open finds that nobody else has the file.
 */
#include "fuse_int.h"

/* 100 ns: a page that is being read is dropped once its read has come to an end, which is the server's business. */
#define PURGE_PATIENCE (100 * 10000)
/* 100 ns: changed pages are written; servers wait longer than that for the answer to a break. */
#define FLUSH_PATIENCE (20ll * 10000000)

#define RENEW_EVERY \
	(1 * 10000000) /* 100 ns: a file that two clients use in turn is not asked for at each read */

static void tally_init(struct front_tally *tally)
{
	KeInitializeSpinLock(&tally->lock);
	KeInitializeEvent(&tally->none, NotificationEvent, TRUE);
}

static void tally_up(struct front_tally *tally)
{
	KIRQL irql;

	KeAcquireSpinLock(&tally->lock, &irql);
	if (tally->count++ == 0)
		KeClearEvent(&tally->none);
	KeReleaseSpinLock(&tally->lock, irql);
}

/* Who waits must not see the count before we are done with the event: it frees both. */
static void tally_down(struct front_tally *tally)
{
	KIRQL irql;

	KeAcquireSpinLock(&tally->lock, &irql);
	if (--tally->count == 0)
		KeSetEvent(&tally->none, IO_NO_INCREMENT, FALSE);
	KeReleaseSpinLock(&tally->lock, irql);
}

static void tally_wait(struct front_tally *tally)
{
	KIRQL irql;

	(void)KeWaitForSingleObject(&tally->none, Executive, KernelMode, FALSE, NULL);
	/* whoever signalled may still be letting the lock go */
	KeAcquireSpinLock(&tally->lock, &irql);
	ASSERT(tally->count == 0);
	KeReleaseSpinLock(&tally->lock, irql);
}

void front_caches_init(struct rdr_fuse *fuse)
{
	tally_init(&fuse->caches);
	tally_init(&fuse->renewals);
	front_pages_init(&fuse->pages);
}

static void cache_put(struct front_cache *cache)
{
	struct rdr_fuse *fuse = cache->fuse;

	if (atomic_fetch_sub(&cache->refs, 1) != 1)
		return;
	ExFreePoolWithTag(cache, FUSE_TAG_FILE);
	tally_down(&fuse->caches);
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

/* May the kernel have pages that were changed? A cache on its way to its node says yes. Locks: nodes.mutex. */
static bool cache_may_be_dirty_locked(const struct front_cache *cache)
{
	return cache->node == NULL || cache->node->mappers != 0;
}

/* All that is changed, whatever the range; the pages go as well: else nobody would hear of the next change to one. */
static NTSTATUS cache_flush(void *context, LONGLONG offset, ULONG length)
{
	struct front_cache *cache = context;
	bool dirty;

	(void)offset;
	(void)length;
	ExAcquireFastMutex(&cache->fuse->nodes.mutex);
	atomic_store(&cache->exclusive, false);
	dirty = cache_may_be_dirty_locked(cache);
	ExReleaseFastMutex(&cache->fuse->nodes.mutex);
	if (dirty && !front_notify_give_up(cache->fuse, cache->ino, FLUSH_PATIENCE))
		return STATUS_IO_TIMEOUT;
	return STATUS_SUCCESS;
}

/* The grant has ended. */
static void cache_purge_all(struct front_cache *cache)
{
	bool used, dirty;

	ExAcquireFastMutex(&cache->fuse->nodes.mutex);
	atomic_store(&cache->granted, false);
	atomic_store(&cache->exclusive, false);
	/* without a handle nobody reads the pages before the next open, which has the kernel drop them */
	used = cache->users != 0;
	dirty = cache_may_be_dirty_locked(cache);
	if (!used)
		cache_unhook_locked(cache);
	ExReleaseFastMutex(&cache->fuse->nodes.mutex);
	if (!used)
		return;
	(void)front_notify_give_up(cache->fuse, cache->ino, dirty ? FLUSH_PATIENCE : PURGE_PATIENCE);
	ExAcquireFastMutex(&cache->fuse->nodes.mutex);
	cache_unhook_locked(cache);
	ExReleaseFastMutex(&cache->fuse->nodes.mutex);
}

/* The file has shrunk, by a request of the kernel's, which sees to its changed pages itself, and would not let them go. */
static void cache_purge_range(struct front_cache *cache, LONGLONG offset, ULONG length)
{
	bool dirty;

	ExAcquireFastMutex(&cache->fuse->nodes.mutex);
	dirty = cache_may_be_dirty_locked(cache);
	ExReleaseFastMutex(&cache->fuse->nodes.mutex);
	if (dirty)
		front_notify_inval_range(cache->fuse, cache->ino, (uint64_t)offset, length);
	else
		front_notify_purge(cache->fuse, cache->ino, (uint64_t)offset, length, PURGE_PATIENCE);
}

static BOOLEAN cache_purge(void *context, LONGLONG offset, ULONG length)
{
	struct front_cache *cache = context;

	if (offset == 0 && length == 0)
		cache_purge_all(cache);
	else
		cache_purge_range(cache, offset, length);
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
	atomic_init(&cache->exclusive, opened->write_caching);
	tally_up(&fuse->caches);
	if (!NT_SUCCESS(door_cache_attach(opened, &cache_ops, cache, &cache->map))) {
		/* or another name of the file keeps pages; the map's reference went with the answer */
		cache_put(cache);
		cache_put(cache);
		return NULL;
	}
	return cache;
}

/*
 * The cache of the node's grant, counted for the handle of the caller; what is left of an ended one goes.
 * @opened: the grant is as good as that of this open; NULL: no better than it was
 */
static struct front_cache *cache_join(struct rdr_fuse *fuse, struct front_node *node,
				      const struct door_opened *opened)
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
		/* a flush that has not come here yet takes it back */
		if (opened != NULL && opened->write_caching && door_cache_is_current(opened))
			atomic_store(&cache->exclusive, true);
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
	atomic_store(&cache->exclusive, false);
	nt_cache_detach(cache->map);
	cache_put(cache);
}

bool front_cache_enter(struct rdr_fuse *fuse, struct front_file *f, const struct door_opened *opened)
{
	f->cache = cache_join(fuse, f->node, opened);
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
	bool last = false;

	if (f->maps) {
		ExAcquireFastMutex(&fuse->nodes.mutex);
		last = --f->node->mappers == 0;
		ExReleaseFastMutex(&fuse->nodes.mutex);
	}
	if (last)
		front_pages_forget_file(&fuse->pages, front_ino_of(fuse, f->node));
	f->maps = false;
	if (f->cache != NULL)
		cache_part(fuse, f->cache);
	f->cache = NULL;
}

bool front_cache_is_exclusive(const struct front_file *f)
{
	return f->cache != NULL && atomic_load(&f->cache->exclusive);
}

void front_cache_maps(struct rdr_fuse *fuse, struct front_file *f)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	f->maps = true;
	f->node->mappers++;
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

/* The node's pages may be changed in the kernel, and nobody else has the file. Locks: nodes.mutex. */
static bool is_exclusive_locked(const struct front_node *node)
{
	return node->cache != NULL && atomic_load(&node->cache->exclusive);
}

bool front_node_may_be_dirty(struct rdr_fuse *fuse, struct front_node *node)
{
	bool dirty;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	dirty = node->mappers != 0;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return dirty;
}

bool front_cache_may_keep_changes(struct rdr_fuse *fuse, struct front_node *node)
{
	bool keep;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	keep = is_exclusive_locked(node);
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return keep;
}

void front_caches_wait(struct rdr_fuse *fuse)
{
	tally_wait(&fuse->caches); /* a purge that runs ends soon */
}

bool front_cache_ask_again(struct rdr_fuse *fuse, struct front_node *node)
{
	ULONGLONG now = KeQueryInterruptTime();
	bool ask;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	ask = now - node->asked_at > RENEW_EVERY;
	if (ask)
		node->asked_at = now;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return ask;
}

/* ---- a grant that ended ---- */

/* What a handle has lost of its grant. */
enum renewal {
	RENEW_NOT,  /* nothing, or it asked a moment ago */
	RENEW_NOW,  /* before the read goes on */
	RENEW_LATER /* the kernel may have changed pages: who waits for them may wait for this read */
};

/* Locks: nodes.mutex. */
static bool is_stale_locked(const struct front_file *f)
{
	if (f->cache != NULL && !atomic_load(&f->cache->granted))
		return true;
	/* a page that anybody reads may be changed through a mapping */
	return f->node->mappers != 0 && !is_exclusive_locked(f->node);
}

/*
 * *stale: what is read must not be kept. The node of a renewal that begins is pinned: the handle may be released while it
 * goes on.
 */
static enum renewal renew_begins(struct rdr_fuse *fuse, struct front_file *f, bool *stale,
				 enum front_fill *fill)
{
	ULONGLONG now = KeQueryInterruptTime();
	enum renewal renewal = RENEW_NOT;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	*stale = is_stale_locked(f);
	*fill = f->node->mappers != 0 && !is_exclusive_locked(f->node) ? FILL_SHARED : FILL_OWN;
	if (*stale && f->cache != NULL && (f->maps || !atomic_load(&f->cache->granted)) && f->listed &&
	    !f->renewing && now - f->renew_time > RENEW_EVERY) {
		f->renew_time = now;
		f->node->pins++;
		renewal = f->node->mappers != 0 ? RENEW_LATER : RENEW_NOW;
		f->renewing = renewal == RENEW_LATER;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return renewal;
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
static struct front_cache *renew_grant(struct rdr_fuse *fuse, const struct door_caller *caller,
				       struct front_node *node, bool write)
{
	struct door_open open = {.access = FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE |
					   (write ? FILE_WRITE_DATA : 0),
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = FILE_NON_DIRECTORY_FILE,
				 .query = DOOR_QUERY_STAT | DOOR_QUERY_ID | (write ? DOOR_QUERY_FRESH : 0)};
	struct front_cache *cache = NULL;
	struct door_opened opened;

	if (!write || front_cache_may_keep_changes(fuse, node))
		cache = cache_join(fuse, node, NULL); /* another handle was here before */
	if (cache != NULL || !NT_SUCCESS(front_node_path(fuse, node, NULL, &open.path)))
		return cache;
	if (NT_SUCCESS(door_open(fuse->volume, caller, &open, &opened))) {
		if (opened.read_caching && (uint64_t)opened.stat.FileId.QuadPart == node->file_id) {
			cache = cache_join(fuse, node, &opened);
			if (cache == NULL) {
				cache = cache_create(fuse, node, &opened);
				if (cache != NULL)
					cache_hook(fuse, node, cache);
			}
		}
		(void)door_close(opened.file, NULL); /* nothing was written through it */
	}
	door_name_free(&open.path);
	return cache;
}

static VOID renewal_worker(PVOID context)
{
	struct front_file *f = context;
	struct front_node *node = f->node;
	struct rdr_fuse *fuse = f->cache->fuse; /* f->cache: changed by renewals alone */
	struct front_cache *cache = renew_grant(fuse, NULL, node, f->maps);

	if (cache != NULL)
		renew_ends(fuse, f, cache);
	ExAcquireFastMutex(&fuse->nodes.mutex);
	f->renewing = false;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	front_file_put(fuse, f);
	front_node_unpin(fuse, node);
	tally_down(&fuse->renewals);
}

static void renew_later(struct rdr_fuse *fuse, struct front_file *f)
{
	tally_up(&fuse->renewals);
	atomic_fetch_add(&f->refs, 1);
	ExInitializeWorkItem(&f->renewal, renewal_worker, f);
	ExQueueWorkItem(&f->renewal, DelayedWorkQueue);
}

void front_renewals_wait(struct rdr_fuse *fuse)
{
	tally_wait(&fuse->renewals);
}

bool front_cache_renew(struct front_request *r, struct front_file *f)
{
	struct front_node *node = f->node;
	struct front_cache *cache;
	enum renewal renewal;
	bool stale;

	if (!f->cached)
		return false;
	renewal = renew_begins(r->fuse, f, &stale, &r->fill);
	if (renewal == RENEW_LATER)
		renew_later(r->fuse, f);
	if (renewal == RENEW_NOW) {
		cache = renew_grant(r->fuse, &r->caller, node, false);
		if (cache != NULL) {
			stale = !atomic_load(&cache->granted);
			renew_ends(r->fuse, f, cache);
		}
		front_node_unpin(r->fuse, node);
	}
	return stale && (!r->fuse->options.cache_loose || front_node_may_be_dirty(r->fuse, node));
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

bool front_cache_get_own(struct rdr_fuse *fuse, struct front_file *f, FILE_STAT_INFORMATION *stat)
{
	struct front_node *node = f->node;
	bool own;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	own = f->maps && is_exclusive_locked(node) && node->cache->stat_time != 0;
	if (own)
		*stat = node->cache->stat;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	if (!own)
		return false;
	stat->EndOfFile.QuadPart = door_size_here(f->file);
	stat->LastWriteTime.QuadPart = atomic_load_explicit(&node->told_time, memory_order_relaxed);
	return true;
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
