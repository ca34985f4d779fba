/*
 * block.h - blocks of dirty data and the runs that carry them to the server; for the files of core/cache only.
 */
#ifndef RX_CORE_CACHE_BLOCK_H
#define RX_CORE_CACHE_BLOCK_H

#include "core/cache/cache.h"

#define RX_CACHE_BLOCK 65536u /* bytes */
#define RX_CACHE_BUCKETS 16u  /* to begin with; a power of two */
#define RX_CACHE_CHAIN 4u     /* blocks per bucket, before there are more buckets */
#define RX_CACHE_EXTENTS 16u
#define RX_CACHE_RUN_BYTES (16 * RX_CACHE_BLOCK)
#define RX_CACHE_RUNS 16u       /* of a file, under way at once */
#define RX_CACHE_CHOICE 512u    /* blocks that are looked at for the next runs */
#define RX_CACHE_FULL_START 16u /* full blocks: enough for a run */

#define RX_TAG_CACHE 'bWxR'

/* Byte ranges of a block: in order, apart from each other. */
struct rx_extents {
	ULONG count;
	struct {
		ULONG lo, hi;
	} at[RX_CACHE_EXTENTS];
};

bool rx_extents_add(struct rx_extents *set, ULONG lo, ULONG hi);
bool rx_extents_have_room(const struct rx_extents *set, ULONG lo, ULONG hi);
bool rx_extents_cover(const struct rx_extents *set, ULONG lo, ULONG hi);
bool rx_extents_touch(const struct rx_extents *set, ULONG lo, ULONG hi);

struct rx_block {
	LIST_ENTRY bucket;
	LIST_ENTRY all;
	LONGLONG number;         /* offset in the file / RX_CACHE_BLOCK */
	ULONG writing;           /* runs under way that carry bytes of it */
	ULONG64 since;           /* rx_cache.puts when it became dirty */
	struct rx_extents valid; /* here: dirty, or on the way */
	struct rx_extents dirty;
	UCHAR data[RX_CACHE_BLOCK];
};

/*
 * rx_cache - what a file has not at the server yet.
 *
 * Owns:      its blocks and runs.
 * Found by:  FCB.WriteBehind; while it has blocks also the device's list (lazy.c).
 * Locks:     mutex, after the FCB, a leaf but for the device's mutex; done_lock for what completions touch.
 * Dies when: its FCB does.
 */
struct rx_cache {
	PFCB fcb;
	FAST_MUTEX mutex;
	PLIST_ENTRY bucket; /* few, or an allocation of its own */
	ULONG buckets;
	LIST_ENTRY few[RX_CACHE_BUCKETS];
	LIST_ENTRY blocks; /* all: in the order of the file, as the last flush left them, then as they came */
	ULONG full;        /* blocks that are dirty from end to end */
	ULONG64 puts;      /* writes taken */
	LONGLONG server_end; /* bytes the server knew of when the first block came */
	PFILE_OBJECT file;   /* the handle that runs are sent through; not cleaned up yet; NULL: none */
	bool failed;         /* nothing is sent unasked until a flush succeeds */
	LIST_ENTRY flying;   /* runs under way */
	ULONG in_flight;
	ULONG64 runs; /* sent so far */

	KSPIN_LOCK done_lock;
	LIST_ENTRY done;   /* runs that completed and were not looked at */
	KEVENT done_event; /* notification; set by completions */
	bool going;        /* old data is on the way: each completion has a worker send what follows */
	bool posted;       /* that worker is on its way; it refers to the FCB */
	RX_WORK_QUEUE_ITEM next;
	ULONG64 old; /* what was put until then is to go; under the mutex */

	LIST_ENTRY lazy_link; /* under the device's mutex; self-linked: not listed */
	ULONGLONG
	dirty_time; /* interrupt time of the first block, or of the last look; under the device's mutex */
	ULONGLONG look_time; /* of the pass of the lazy writer that looked last; the same */
	ULONGLONG put_time;  /* interrupt time of the last write; atomic */
	ULONG64 pass;        /* of rx_cache_flush_directory() that looked last; the same */
};

/* One write at the server: a copy, so that the blocks may change meanwhile. */
struct rx_run {
	LIST_ENTRY link;   /* of who sends it; then rx_cache.done */
	LIST_ENTRY flying; /* rx_cache.flying */
	struct rx_cache *cache;
	ULONG64 number;
	LONGLONG offset;
	ULONG length;
	ULONG room; /* bytes behind the structure */
	PIRP irp;
	PMDL mdl;
	NTSTATUS status;
	UCHAR *data; /* behind the structure */
};

/* Locks of all: cache->mutex. */
struct rx_block *rx_block_find(struct rx_cache *cache, LONGLONG number);
struct rx_block *rx_block_obtain(struct rx_cache *cache, LONGLONG number);
bool rx_block_is_full(const struct rx_block *block);
/* Bytes become dirty: there is room for them. */
void rx_block_soil(struct rx_cache *cache, struct rx_block *block, ULONG lo, ULONG hi);
void rx_block_clear_dirty(struct rx_cache *cache, struct rx_block *block);
/* Frees it when nothing is in it. */
void rx_block_settle(struct rx_cache *cache, struct rx_block *block);
void rx_block_discard_all(struct rx_cache *cache);
/* Puts rx_cache.blocks into the order of the file. */
void rx_block_sort_all(struct rx_cache *cache);
/* A cache begins, and ends, without blocks. */
void rx_block_table_init(struct rx_cache *cache);
void rx_block_table_end(struct rx_cache *cache);

/* writeback.c: completions are looked at; Locks: cache->mutex. */
void rx_cache_reap_locked(struct rx_cache *cache);
/* Sends what is worth it, without waiting. Locks: FCB held; not the mutex. */
void rx_cache_start_full(struct rx_cache *cache);
/*
 * The same for what is old, a part of it at a time; completions see to the rest.
 * @begin: all that is here now is old; false: what was when it began
 */
void rx_cache_start_old(struct rx_cache *cache, bool begin);

/* lazy.c */
struct rx_lazy_writer {
	FAST_MUTEX mutex;  /* see lazy.c */
	LIST_ENTRY caches; /* that have blocks */
	RX_WORK_ITEM item;
	bool posted;
	ULONG64 passes;
	LONG limit;              /* blocks of all files; a writer that meets it waits */
	volatile LONG segments;  /* of ahead.c, of all files */
	KSPIN_LOCK segment_lock; /* a leaf, any level: their completions */
	volatile LONG blocks;    /* of all files */
	KSPIN_LOCK held_lock;    /* a leaf, any level */
	ULONG held;              /* references to files, for data that is old */
	KEVENT none_held;        /* notification */
};
/* The device has one; false without memory. */
bool rx_lazy_obtain(PRDBSS_DEVICE_OBJECT dev);
void rx_lazy_enlist(struct rx_cache *cache);
void rx_lazy_delist(struct rx_cache *cache);
/* A run of old data has come to its end. Locks: cache->done_lock. Any level. */
void rx_lazy_go_on_locked(struct rx_cache *cache);

/* The device's, once one of its files has had data here (rx_lazy_obtain). Any thread, without a lock. */
static inline struct rx_lazy_writer *rx_lazy_of_device(PRDBSS_DEVICE_OBJECT dev)
{
	return __atomic_load_n(&dev->LazyWriter, __ATOMIC_ACQUIRE);
}

static inline struct rx_lazy_writer *rx_lazy_of(const struct rx_cache *cache)
{
	return rx_lazy_of_device(cache->fcb->RxDeviceObject);
}

#endif
