/*
 * fuse_int.h - what the files of the FUSE front end share.
 *
 * Locks, in order; none is held while the door is called or a reply is written, except where said:
 *   dir->mutex          guarded mutex; one listing cursor; held across the directory query (one reader per handle)
 *   watches.mutex       fast mutex; folders that are watched
 *   nodes.mutex         fast mutex; tables, names, counts, file lists of all nodes
 *   listings.mutex      fast mutex; what listings told, and what nodes hold for them
 *   requests.lock       spin; requests in flight and the interrupt queue
 *   pool.lock           spin; threads, receive buffers
 *   watches.lock        spin; answers of watches
 *   notify.lock         spin; invalidations to send; of names the same
 *   tally.lock          spin; how many caches, or renewals, there are
 * A request that was answered early (EINTR) may still run: it pins what it uses.
 */
#ifndef RDBSS_FRONT_FUSE_INT_H
#define RDBSS_FRONT_FUSE_INT_H

#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "front/fuse/fuse_front.h"

#define FUSE_TAG_SESSION 'sFuF'
#define FUSE_TAG_NODE 'nFuF'
#define FUSE_TAG_LINK 'lFuF'
#define FUSE_TAG_FILE 'fFuF'
#define FUSE_TAG_REQUEST 'rFuF'
#define FUSE_TAG_BUFFER 'bFuF'
#define FUSE_TAG_NOTIFY 'iFuF'
#define FUSE_TAG_DIR 'dFuF'
#define FUSE_TAG_WATCH 'wFuF'
#define FUSE_TAG_THREAD 'tFuF'

#define FRONT_FILE_MODE 0755u /* when the options give none */
#define FRONT_DIR_MODE 0755u
#define FRONT_MAX_IO (1u << 20) /* bytes of one FUSE read or write */

struct front_pool_thread;

/* ---- nodes ------------------------------------------------------------------------------------------ */

struct front_node {
	LIST_ENTRY id_link;  /* in nodes.by_id, when hashed */
	LIST_ENTRY all_link; /* in nodes.all */
	LIST_ENTRY names;    /* struct front_link.node_link, the most recently confirmed first */
	LIST_ENTRY files;    /* struct front_file.node_link */
	uint64_t file_id;    /* the server's; 0 = it gave none */
	uint64_t nlookup;    /* the kernel's references */
	uint32_t children;   /* links whose parent this is */
	atomic_uint locking; /* of a folder: handles of files in it that have had locks */
	uint32_t pins;       /* requests that use it now; the root has one for life */
	uint32_t leaving;    /* handles that could write, released by the kernel and not yet closed */
	uint32_t type;       /* S_IFDIR, S_IFREG, S_IFLNK */
	bool hashed;
	struct front_cache *cache; /* pages under a grant; NULL: none */
	ULONGLONG asked_at; /* interrupt time when the server was last asked for the whole grant again */
	uint32_t mappers;   /* handles that may have mapped it for writing */
	/* what the kernel was told last; a guess, which costs a message or a notice when it is wrong */
	atomic_llong told_size; /* bytes */
	atomic_llong told_time; /* of the last write; 100 ns */
	atomic_uint told_links; /* names of a file; 0: not known */

	/* under listings.mutex */
	ULONGLONG removed_at;          /* interrupt time of our last removal from the folder */
	ULONGLONG changed_at;          /* interrupt time of our last change to the file itself */
	struct front_listing *listing; /* of a folder; NULL: none is kept */
	ULONGLONG misses_since;        /* interrupt time */
	uint32_t misses;               /* lookups in the folder that went to the server, since then */
	uint32_t listed;               /* entries that the last listing had */
	uint32_t changes;              /* of ours in the folder, begun and ended */
	uint32_t changing;             /* of ours in the folder, under way */
	ULONGLONG busy_since;          /* interrupt time */
	uint32_t busy_changes;         /* begun by us in the folder since then */
	bool listing_now;              /* somebody lists it for later lookups */
	struct front_touched *touched; /* names in it that were changed lately; NULL: none */

	/* of a folder */
	struct front_watch *watch;  /* under watches.mutex; NULL: it is not watched */
	ULONGLONG unwatched_until;  /* interrupt time; under watches.mutex */
	atomic_bool watched;        /* watch != NULL */
	atomic_ullong used_at;      /* interrupt time of the last lookup in it, or listing */
	atomic_ullong leased_since; /* interrupt time; 0: no lease says that its names stay as they are */
	atomic_uint news;           /* others' changes in it that we have heard of */
	atomic_ullong touched_at;   /* interrupt time of the last change of a name in it, ours or news */
};

/* cache.c */
struct front_cache {
	struct rdr_fuse *fuse;
	fuse_ino_t ino;
	struct front_node *node; /* whose cache it is; NULL: not any more; under nodes.mutex */
	atomic_uint refs;
	unsigned int users;         /* open handles; under nodes.mutex */
	atomic_bool granted;        /* never true again: a later open gets a new one */
	atomic_bool exclusive;      /* nobody else has the file open: changed pages may stay in the kernel */
	FILE_STAT_INFORMATION stat; /* under nodes.mutex */
	ULONGLONG stat_time;        /* interrupt time when it was asked for; 0: never */
	struct nt_cache_map *map;
};

/* One name of a node.  Belongs to the node; holds the parent (children). */
struct front_link {
	LIST_ENTRY bucket_link; /* in nodes.by_name */
	LIST_ENTRY node_link;
	struct front_node *parent;
	struct front_node *node;
	ULONG hash;
	UNICODE_STRING name; /* one component; bytes follow the structure */
};

struct front_nodes {
	FAST_MUTEX mutex;
	LIST_ENTRY *by_id;   /* buckets */
	LIST_ENTRY *by_name; /* buckets */
	ULONG buckets;       /* of each; a power of two */
	ULONG count;         /* nodes */
	LIST_ENTRY all;
	uint32_t
		departing; /* handles that the kernel has released and that are not closed yet; under mutex */
	KEVENT left;       /* a node's `leaving` went down */
};

/* What listings told; see listing.c. */
struct front_listings {
	FAST_MUTEX mutex;
	LIST_ENTRY all;
	ULONG entries;   /* of all of them */
	ULONGLONG floor; /* interrupt time: what was listed before knows too little of our changes */
};

/* One entry, taken out of whatever class the server speaks.  Name: borrowed from the batch. */
struct dir_entry {
	UNICODE_STRING name;
	FILE_STAT_INFORMATION stat;
	ULONG next_offset; /* bytes into the batch of the entry after this; 0 = last */
};

/* One open handle.  refs: 1 for the kernel's handle, 1 per request that uses it on its own thread. */
struct front_file {
	LIST_ENTRY node_link; /* in node->files while the handle is open; under nodes.mutex */
	struct front_node *node;
	struct door_file *file;
	atomic_uint refs;
	bool can_read;
	bool can_write;
	bool append;
	bool cached;                  /* the kernel keeps pages for it */
	bool maps;                    /* and it may write: counted in node->mappers */
	bool listed;                  /* in node->files */
	bool departs;                 /* counted in nodes.departing */
	bool leaving;                 /* counted in node->leaving, which it has pinned */
	atomic_bool wrote;            /* the server may give the file new times when it closes */
	struct front_dir *dir;        /* of a directory handle */
	atomic_bool locks;            /* it has had one that the server was asked for */
	_Atomic ULONG_PTR lock_leave; /* the last that it was not asked for: what is known since holds */
	struct front_node *locked_in; /* that counts it in `locking`; pinned */
	struct front_cache *cache;    /* opened under a grant; counted in its refs; under nodes.mutex */
	ULONGLONG renew_time;         /* interrupt time of the last attempt to get a grant back; the same */
	WORK_QUEUE_ITEM renewal;      /* one at a time: the attempts are far apart */
	bool renewing;                /* queued, or running; under nodes.mutex */
};

/* ---- requests --------------------------------------------------------------------------------------- */

/* What a read does to the kernel's pages. */
enum front_fill {
	FILL_NONE,
	FILL_OWN,    /* nobody else has the file, or nobody has it mapped */
	FILL_SHARED, /* others may write into the page while it is changed here: front_pages_keep() */
};

struct front_request {
	struct rdr_fuse *fuse;
	fuse_req_t req;
	struct door_caller caller; /* .cancel is &cancel */
	struct door_cancel cancel;
	atomic_uint refs;
	atomic_bool answered; /* whoever sets it may call fuse_reply_...; once */
	LIST_ENTRY all_link;  /* in requests.all */
	LIST_ENTRY intr_link; /* in requests.interrupted, when interrupted */
	bool interrupted;     /* under requests.lock */
	bool cancelled;       /* under requests.lock: door_cancel_fire() was called */
	ULONGLONG cancel_at;  /* interrupt time, 100 ns */
	ULONGLONG answer_at;  /* interrupt time, 100 ns */
	struct front_node *pinned[2];
	/* of a data request */
	void *buffer;
	size_t buffer_size;
	fuse_ino_t ino;
	uint64_t offset;
	struct front_recv *recv; /* the receive buffer that holds the data to write */
	bool inval;              /* other handles of the file have cached pages */
	size_t size;             /* bytes that were asked for */
	enum front_fill fill;
	unsigned int generation; /* front_pages_generation() when it began */
	/* of a lock */
	struct front_file *file; /* referenced */
	struct door_range range;
};

/* ---- the mount -------------------------------------------------------------------------------------- */

/* A receive buffer; mem belongs to libfuse's malloc (it knows the size it needs). */
struct front_recv {
	LIST_ENTRY link;
	struct fuse_buf buf;
};

struct front_pool {
	KSPIN_LOCK lock;
	LIST_ENTRY threads; /* struct front_pool_thread.link, alive */
	LIST_ENTRY ended;   /* to be joined */
	unsigned int alive;
	unsigned int idle; /* waiting for the next request */
	unsigned int peak;
	unsigned int limit;
	bool stopping;
	KEVENT changed;     /* a thread ended */
	LIST_ENTRY buffers; /* free struct front_recv */
	unsigned int free_buffers;
};

struct front_requests {
	KSPIN_LOCK lock;
	LIST_ENTRY all;
	LIST_ENTRY interrupted;
	unsigned int count;
	bool stopping;
	KEVENT wake; /* the interrupter has something to do */
	KEVENT idle; /* count reached 0 */
	struct nt_thread *thread;
};

struct front_notify {
	struct rdr_fuse *fuse;
	KSPIN_LOCK lock;
	LIST_ENTRY queue;
	unsigned int queued;
	bool stopping;
	KEVENT wake;
	KEVENT ended; /* notification: the thread sends nothing any more */
	struct nt_thread *thread;
};

/* watch.c */
struct front_watches {
	FAST_MUTEX mutex;
	LIST_ENTRY all;         /* struct front_watch.link */
	unsigned int count;     /* of those that have not ended */
	unsigned int opened;    /* since opened_since */
	ULONGLONG opened_since; /* interrupt time */
	bool stopping;
	bool refused; /* the server knows no watches */
	KEVENT work;  /* something to open or to close */
	struct nt_thread *keeper;

	KSPIN_LOCK lock;
	LIST_ENTRY answered; /* struct front_watch.answer_link */
	bool closed;         /* no watch is left */
	KEVENT answer;
	struct nt_thread *listener;
};

/* How many of something there are. Whoever waits until there is none may free the mount. */
struct front_tally {
	KSPIN_LOCK lock;
	unsigned int count;
	KEVENT none; /* notification; changed under lock */
};

#define FRONT_PAGE 4096u /* bytes of a page of the kernel's */

/* See pages.c. */
struct front_pages {
	KSPIN_LOCK lock;
	LIST_ENTRY buckets[64];
	LIST_ENTRY ages; /* the oldest first */
	atomic_uint count;
	atomic_uint generations[64]; /* by file */
};

struct rdr_fuse {
	/* constant after rdr_fuse_mount() */
	struct rdr_fuse_options options; /* strings are not kept */
	char *mountpoint;
	UNICODE_STRING root_path;
	struct door_volume *volume;
	struct fuse_session *session;
	double timeout; /* s */
	int comm_fd;    /* fusermount3's socket under auto_unmount; -1 */

	struct front_nodes nodes;
	struct front_listings listings;
	struct front_node *root;
	struct front_requests requests;
	struct front_pool pool;
	struct front_notify notify;      /* pages */
	struct front_notify notify_held; /* pages that somebody waits for who holds their file */
	struct front_notify notify_names;
	struct front_watches watches;

	atomic_bool ready_told;
	atomic_bool mounted;
	atomic_bool ran;
	atomic_bool stop_asked;
	atomic_bool can_expire; /* the kernel can let a name expire without forgetting it */
	atomic_bool id_less;    /* the server does not know FileIdBothDirectoryInformation */
	int result;             /* of the device; written by the pool */

	atomic_ullong n_requests;
	atomic_ullong n_interrupts;
	atomic_ullong n_read;
	atomic_ullong n_written;
	atomic_uint n_files;
	struct front_tally caches;
	struct front_tally renewals;
	struct front_pages pages;
};

/* mount.c */
enum rdr_fuse_error front_mount(const struct rdr_fuse_options *options, int *device, int *comm,
				struct rdr_fuse_failure *failure);
/* Return: 0 or errno. */
int front_unmount(const char *mountpoint, bool lazy);
enum rdr_fuse_error front_fail(struct rdr_fuse_failure *failure, enum rdr_fuse_error error, int errnum,
			       NTSTATUS status, const char *text);

/* pool.c */
void front_pool_init(struct front_pool *pool, unsigned int limit);
NTSTATUS front_pool_start(struct rdr_fuse *fuse);
void front_pool_interrupt(struct rdr_fuse *fuse);
void front_pool_wait(struct rdr_fuse *fuse);
void front_pool_free(struct rdr_fuse *fuse);
/* The receive buffer of the request that this thread handles now belongs to the caller. */
struct front_recv *front_recv_take(void);
/* What this thread serves now, a constant; NULL: no request of the kernel. */
const char *front_operation(void);
void front_recv_put(struct rdr_fuse *fuse, struct front_recv *recv);

/* opname.c */
/* "LOOKUP" and so on, of a request as it was received; a constant. */
const char *front_operation_name(const struct fuse_buf *request);

/* refuse.c */
/* Answers whoever still asks with ENOTCONN until @over is set. The threads of the pool have ended. */
void front_refuse_until(struct rdr_fuse *fuse, PKEVENT over);

/* pages.c */
void front_pages_init(struct front_pages *pages);
void front_pages_end(struct front_pages *pages);
unsigned int front_pages_generation(struct front_pages *pages, fuse_ino_t ino);
/*
 * The kernel's pages from here on are these bytes, and zeroes up to a whole page.
 * @generation: as it was when the bytes were asked for; with a newer one the pages are not known
 */
void front_pages_keep(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, const char *data,
		      size_t size, unsigned int generation);
/* The kernel's pages of the range are changed in a way that nobody notes. */
void front_pages_forget(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, uint64_t size);
/* The same for the whole file, and for what is being read of it. */
void front_pages_forget_file(struct front_pages *pages, fuse_ino_t ino);
bool front_pages_have(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, size_t size);
/* Copies to @before what was handed out; of a page that is not known something that differs from @data in each byte. */
void front_pages_get(struct front_pages *pages, fuse_ino_t ino, uint64_t offset, const char *data,
		     char *before, size_t size);

/* buffer.c */
void *front_buffer_get(size_t size, size_t *capacity);
void front_buffer_put(void *buffer, size_t capacity);
void front_buffer_trim(void);

/* request.c */
NTSTATUS front_requests_start(struct rdr_fuse *fuse);
void front_requests_stop(struct rdr_fuse *fuse);
/* Everything in flight is cancelled, and answered soon after whatever the server does. */
void front_requests_cancel(struct rdr_fuse *fuse);
/* The same, and waits until nothing of it runs any more. */
void front_requests_abandon(struct rdr_fuse *fuse);
struct front_request *front_begin(fuse_req_t req, struct front_node *a, struct front_node *b);
void front_end(struct front_request *r);
/* True for exactly one caller per request: the one that answers. */
bool front_claim(struct front_request *r);
void front_reply_err(struct front_request *r, int errnum);
void front_reply_status(struct front_request *r, NTSTATUS status);
int front_errno(struct front_request *r, NTSTATUS status);
NTSTATUS front_node_status(NTSTATUS status);

/* node.c, node_names.c */
NTSTATUS front_nodes_init(struct rdr_fuse *fuse);
void front_nodes_free(struct rdr_fuse *fuse);
struct front_node *front_node_of(struct rdr_fuse *fuse, fuse_ino_t ino);
fuse_ino_t front_ino_of(struct rdr_fuse *fuse, struct front_node *node);
void front_node_pin(struct rdr_fuse *fuse, struct front_node *node);
void front_node_unpin(struct rdr_fuse *fuse, struct front_node *node);
/* Full path of @node, or of its child @name (bytes) when not NULL; free with door_name_free(). */
NTSTATUS front_node_path(struct rdr_fuse *fuse, struct front_node *node, const char *name,
			 UNICODE_STRING *path);
/*
 * For what changes the file: the same, and of a file of several names it is not one that another file has by now. The caller
 * has named the file by any of them. Return: STATUS_FILE_RENAMED: the kernel looks up the one he meant, and comes back.
 */
NTSTATUS front_node_own_path(struct front_request *r, struct front_node *node, UNICODE_STRING *path);
/* The answer of the server is about another file than the node's: somebody has given that one the name. */
bool front_node_is_another(struct rdr_fuse *fuse, const struct front_node *node,
			   const FILE_STAT_INFORMATION *stat);
/*
 * Before front_node_obtain() of what the server has just made for us: whatever had its number is gone.  The removal that set
 * the number free may not have been answered yet, and a folder of two names is one that the kernel tries to move, or makes again.
 */
void front_node_is_made(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name,
			const FILE_STAT_INFORMATION *stat);
/* The node that parent/name denotes now; +1 nlookup. */
NTSTATUS front_node_obtain(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name,
			   const FILE_STAT_INFORMATION *stat, struct front_node **out);
void front_node_forget(struct rdr_fuse *fuse, struct front_node *node, uint64_t n);
/* The name is gone: drops it in all spellings, invalidates the other spellings in the kernel. */
void front_name_removed(struct rdr_fuse *fuse, struct front_node *parent, const char *name);
void front_name_moved(struct rdr_fuse *fuse, struct front_node *parent, const char *name,
		      struct front_node *new_parent, const char *new_name);
/*
 * Somebody else changed parent/name: the kernel asks again for what it keeps of it, in any spelling. @moved: the name
 * may lead elsewhere now; false: only the file was changed.
 * @name NULL: anything in the folder.
 */
void front_name_changed(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name,
			bool moved);
/*
 * Is the node known by more than one spelling of a name there? A change of ours by one of them then cannot be told to
 * the kernel before the change is answered: whoever asks so does not let the kernel keep the name, and the other
 * spellings expire.
 */
bool front_node_has_spellings(struct rdr_fuse *fuse, struct front_node *node, struct front_node *parent);
/* Is @node @top, or below it by any name? */
bool front_node_is_below(struct rdr_fuse *fuse, struct front_node *node, struct front_node *top);
/* The node known by that name, pinned; NULL = none. */
struct front_node *front_node_find(struct rdr_fuse *fuse, struct front_node *parent, const char *name);
struct front_node *front_node_find_wide(struct rdr_fuse *fuse, struct front_node *parent,
					const UNICODE_STRING *name);
/* The folder that a name of the node stands in, pinned; NULL: it has none. */
struct front_node *front_node_folder(struct rdr_fuse *fuse, struct front_node *node);
/* A name of the node stands in a folder where locks are taken. */
bool front_node_is_beside_locks(struct rdr_fuse *fuse, struct front_node *node);
uint32_t front_node_count(struct rdr_fuse *fuse);
/* Nothing of ours has changed the file since that interrupt time, and it has no open handle here. */
bool front_node_is_as_listed(struct rdr_fuse *fuse, uint64_t file_id, ULONGLONG since);
/* The same, of a node, nor was it open a moment ago by a handle that could write and is not closed yet. */
bool front_node_is_settled(struct rdr_fuse *fuse, struct front_node *node, ULONGLONG since);

/* listing.c */
enum front_known {
	FRONT_UNKNOWN,
	FRONT_THERE,
	FRONT_NAMED, /* it is there, and what is known of the file is too old to be believed */
	FRONT_ABSENT
};
void front_listings_init(struct rdr_fuse *fuse);
/* NULL: nothing is kept.  @expected: entries, roughly. */
struct front_listing *front_listing_start(struct rdr_fuse *fuse, struct front_node *dir, ULONG expected);
/* Nothing of ours has changed the folder since it was started, and that is not long ago. */
bool front_listing_is_fresh(struct rdr_fuse *fuse, const struct front_listing *listing);
/* Is it still so that dir/name is @node, and the file as it was, when the server was asked at that interrupt time? */
bool front_listed_is_true(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
			  struct front_node *node, ULONGLONG asked_at);
/* Is what a folder's attributes were at that interrupt time still believed, and neither ours nor news has changed it? */
bool front_folder_is_as_asked(struct rdr_fuse *fuse, struct front_node *dir, ULONGLONG asked_at);
/* Return: false when it is full. */
bool front_listing_add(struct front_listing *listing, const struct dir_entry *entry);
/* Consumes it.  @complete: every name of the folder is in it. */
void front_listing_install(struct rdr_fuse *fuse, struct front_listing *listing, bool complete);
void front_listing_discard(struct front_listing *listing); /* NULL allowed */
#define FRONT_ADDS (1u << FILE_ACTION_ADDED | 1u << FILE_ACTION_RENAMED_NEW_NAME)
#define FRONT_REMOVES (1u << FILE_ACTION_REMOVED | 1u << FILE_ACTION_RENAMED_OLD_NAME)
/*
 * Around every change of ours to dir/name: from before it is sent to before it is answered.
 * @actions: FRONT_...: what a server tells of it to those who watch the folder
 */
void front_change_begin(struct rdr_fuse *fuse, struct front_node *dir, const char *name,
			unsigned int actions);
void front_change_end(struct rdr_fuse *fuse, struct front_node *dir, const char *name);
/* We are the ones who change the folder now, and often: others' news would be lost in the echo of our own. */
bool front_change_is_busy(struct rdr_fuse *fuse, struct front_node *dir);
/* Before front_change_end() of a removal. */
void front_name_is_removed(struct rdr_fuse *fuse, struct front_node *dir);
/* The file itself was changed: before and after. */
void front_node_changed(struct rdr_fuse *fuse, struct front_node *node);
/* We took a name out of the folder within the time that listings are believed. */
bool front_listing_removed_lately(struct rdr_fuse *fuse, const struct front_node *dir);
void front_listing_node_gone(struct rdr_fuse *fuse, struct front_node *node);
/* Somebody else changed dir/name; @name NULL: anything in the folder. */
void front_listing_changed(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name);
/* Of the name in upper case. */
ULONG front_name_hash(const UNICODE_STRING *name);
/* @asked_at: [out] interrupt time at which @stat was asked for. */
enum front_known front_listing_ask(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
				   FILE_STAT_INFORMATION *stat, ULONGLONG *asked_at);
ULONG front_listing_wanted(struct rdr_fuse *fuse, struct front_node *dir);
void front_listing_fetch(struct front_request *r, struct front_node *dir, ULONG most);

/* handle.c */
NTSTATUS front_file_create(struct rdr_fuse *fuse, struct front_node *node, struct door_file *file,
			   struct front_file **out);
void front_file_publish(struct rdr_fuse *fuse, struct front_file *file);
void front_file_drop(struct rdr_fuse *fuse, struct front_file *file);
void front_file_put(struct rdr_fuse *fuse, struct front_file *file);
/* Any open handle of the node, referenced; @write: one that may write. */
struct front_file *front_file_any(struct rdr_fuse *fuse, struct front_node *node, bool write);
bool front_node_is_open(struct rdr_fuse *fuse, struct front_node *node);
/* Handles that were released before this call are closed, or a moment has passed. */
void front_files_await_departing(struct rdr_fuse *fuse);
/* Some handle was released and is not closed yet. */
bool front_files_depart(struct rdr_fuse *fuse);
/*
 * Handles that could write, and were released a moment ago, are closed when this returns: a server gives a file new times
 * when such a handle closes, and the kernel does not wait for that.
 */
void front_node_await_leaving(struct rdr_fuse *fuse, struct front_node *node);
/* The kernel may have pages of it. */
bool front_node_is_cached(struct rdr_fuse *fuse, struct front_node *node);
void front_files_close_all(struct rdr_fuse *fuse);
void front_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* cache.c */
/*
 * The handle was opened under a grant (READCACHING): RDBSS can have the node's pages dropped.
 * Return: true: the grant is as old as the pages that the kernel may have from before.
 */
bool front_cache_enter(struct rdr_fuse *fuse, struct front_file *f, const struct door_opened *opened);
void front_cache_leave(struct rdr_fuse *fuse, struct front_file *f);
/*
 * A read through a handle that was opened under a grant. Asks for a new one where it ended, now and then.
 * Return: true: there is none: what is read must not be kept.
 */
bool front_cache_renew(struct front_request *r, struct front_file *f);
/* Attributes, asked for at `since` (interrupt time): kept under the grant, for as long as attributes are believed. */
void front_cache_keep_stat(struct rdr_fuse *fuse, struct front_node *node, const FILE_STAT_INFORMATION *stat,
			   ULONGLONG since);
/* False: they have to be asked for. */
bool front_cache_get_stat(struct rdr_fuse *fuse, struct front_node *node, FILE_STAT_INFORMATION *stat,
			  ULONGLONG *since);
/*
 * What the kernel needs to know to read its own pages after a write of ours: the new size, and that nothing else has
 * changed. The times are those of before the write.
 */
bool front_cache_get_own(struct rdr_fuse *fuse, struct front_file *f, FILE_STAT_INFORMATION *stat);
/* Locks: nodes.mutex. */
void front_cache_node_gone(struct front_node *node);
/* No cache is left when this returns: the nodes are gone, and the handles. */
void front_caches_wait(struct rdr_fuse *fuse);
void front_caches_init(struct rdr_fuse *fuse);
bool front_node_is_granted(struct rdr_fuse *fuse, struct front_node *node);
/* Nobody else has the file open: the handle may be mapped for writing. */
bool front_cache_is_exclusive(const struct front_file *f);
/*
 * An open of ours that the engine served with an older one has no better grant than that one had. Return: true: it is
 * time to ask the server.
 */
bool front_cache_ask_again(struct rdr_fuse *fuse, struct front_node *node);
/* And so it is used, until front_cache_leave(). */
void front_cache_maps(struct rdr_fuse *fuse, struct front_file *f);
/* The kernel may have pages that were changed through a mapping: other ways to the data bring them first. */
bool front_node_may_be_dirty(struct rdr_fuse *fuse, struct front_node *node);
/* The kernel may keep them. */
bool front_cache_may_keep_changes(struct rdr_fuse *fuse, struct front_node *node);
/* No thread asks for a grant any more. */
void front_renewals_wait(struct rdr_fuse *fuse);

/* lock.c */
/* A descriptor was closed by the owner: all his locks on the file go, whichever descriptor they were taken through. */
void front_locks_flush(struct front_file *f, uint64_t owner);
void front_locks_release(struct front_file *f, const struct fuse_file_info *fi);

/* The handle is not used any more. */
void front_locks_end(struct rdr_fuse *fuse, struct front_file *f);

/* reply.c */
uint32_t front_type_of(const FILE_STAT_INFORMATION *stat);
/* @node: whose number is shown where the server gives none; it does not learn that it was told anything. */
void front_fill_stat(struct rdr_fuse *fuse, struct front_node *node, const FILE_STAT_INFORMATION *info,
		     struct stat *st);
void front_fill_entry(struct rdr_fuse *fuse, struct front_node *parent, struct front_node *node,
		      const FILE_STAT_INFORMATION *info, struct fuse_entry_param *e);
/* In NumberOfLinks: a listing does not count them. */
#define FRONT_LINKS_UNTOLD (~(ULONG)0)
/* The kernel is about to be told so: remembers the size, the time of the last write and the number of names. */
void front_node_is_told(struct front_node *node, const FILE_STAT_INFORMATION *info);
double front_attr_timeout(struct rdr_fuse *fuse, struct front_node *node);
int64_t front_time_to_nt(const struct timespec *ts);
/* Obtains the node for parent/name and answers with it. */
void front_reply_entry(struct front_request *r, struct front_node *parent, const char *name,
		       const FILE_STAT_INFORMATION *stat);
/* The same for what the server has just made for us. */
void front_reply_made(struct front_request *r, struct front_node *parent, const char *name,
		      const FILE_STAT_INFORMATION *stat);
/* The same for what was known since that interrupt time: it is believed for the rest of its time only. */
/* What was asked for at that interrupt time is believed for what is left of actimeo. */
void front_entry_ages(struct fuse_entry_param *e, ULONGLONG since);
void front_reply_known(struct front_request *r, struct front_node *parent, const char *name,
		       const FILE_STAT_INFORMATION *stat, ULONGLONG since);

/* The same for a name that stands, while nothing else is believed of the file. */
void front_reply_named(struct front_request *r, struct front_node *parent, const char *name,
		       const FILE_STAT_INFORMATION *stat);

/* links.c */
void front_link_size(struct front_request *r, const UNICODE_STRING *path, FILE_STAT_INFORMATION *stat);

/* notify.c */
NTSTATUS front_notify_start(struct rdr_fuse *fuse);
void front_notify_stop(struct rdr_fuse *fuse);
void front_notify_inval_range(struct rdr_fuse *fuse, fuse_ino_t ino, uint64_t offset, uint64_t length);
/*
 * The kernel writes what is changed of all pages, and forgets them. For those who hold the file (nt/cache.h). Return:
 * false: it has not done so within `patience` (100 ns); it goes on with it.
 */
bool front_notify_give_up(struct rdr_fuse *fuse, fuse_ino_t ino, LONGLONG patience);
/* The kernel forgets the attributes of a file, before this returns or, on a busy machine, a moment later. */
void front_notify_attributes(struct rdr_fuse *fuse, fuse_ino_t ino, LONGLONG patience);
/* The same as front_notify_inval_range(), and waits until the kernel has done it, for `patience` (100 ns) at most. */
void front_notify_purge(struct rdr_fuse *fuse, fuse_ino_t ino, uint64_t offset, uint64_t length,
			LONGLONG patience);
/* The same where pages may have been changed through a mapping, and for a second. @length 0: to the end of the file. */
void front_notify_launder(struct rdr_fuse *fuse, struct front_node *node, uint64_t offset, uint64_t length);
/* What was queued of names is sent, or the time (100 ns) is over. */
void front_notify_names_sent(struct rdr_fuse *fuse, LONGLONG patience);
/* The name leads to nothing any more, or to something else: it is dropped with all that hangs below it. */
void front_notify_inval_entry(struct rdr_fuse *fuse, fuse_ino_t parent, const UNICODE_STRING *name);
/* It is asked for again before it is used again. Where the kernel does not know how, nothing happens. */
void front_notify_expire_entry(struct rdr_fuse *fuse, fuse_ino_t parent, const UNICODE_STRING *name);
void front_notify_inval_attr(struct rdr_fuse *fuse, fuse_ino_t ino);

/* watch.c */
NTSTATUS front_watches_start(struct rdr_fuse *fuse);
void front_watches_stop(struct rdr_fuse *fuse);
/* The folder was used in a way that is worth a watch. Pinned by the caller; does not wait. */
void front_watch_want(struct rdr_fuse *fuse, struct front_node *dir);
/* A name in the folder was looked up, or the folder listed. */
void front_watch_used(struct rdr_fuse *fuse, struct front_node *dir);
/* watch_listen.c: we are about to change dir/name in a way that servers tell by these actions (1 << FILE_ACTION_...). */
void front_watch_expect(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
			unsigned int actions);
/*
 * The watches of @top and of all folders below it end: their handles would keep the server from removing or renaming
 * it. Returns when they are closed, after a second at most.
 */
void front_watch_end_below(struct rdr_fuse *fuse, struct front_node *top);

/* lookup.c attr.c file.c lock.c data.c dir.c names.c links.c volume.c: the operations */
void front_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void front_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void front_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void front_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void front_op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void front_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		      struct fuse_file_info *fi);
void front_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void front_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		     struct fuse_file_info *fi);
void front_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void front_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void front_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock);
void front_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep);
void front_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);
void front_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void front_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void front_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi);
void front_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void front_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void front_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void front_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
/* The entry at @offset of a batch; false when it is malformed there. */
bool front_dir_parse(const void *batch, ULONG length, bool with_id, ULONG offset, struct dir_entry *e);
/* Attributes of a folder that came with its open, while they are believed. */
bool front_dir_get_stat(struct rdr_fuse *fuse, struct front_node *node, FILE_STAT_INFORMATION *stat,
			ULONGLONG *since);
void front_dir_free(struct front_dir *dir);
void front_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void front_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void front_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void front_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		     const char *new_name, unsigned int flags);
void front_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);
void front_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void front_op_readlink(fuse_req_t req, fuse_ino_t ino);
void front_op_statfs(fuse_req_t req, fuse_ino_t ino);

#endif
