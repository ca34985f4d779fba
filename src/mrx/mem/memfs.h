/*
 * memfs.h - the server half of the reference mini-redirector: a volume held in memory.
 *
 * Knows file systems, not redirectors: nothing here mentions RX_CONTEXT, SRV_OPEN or an IRP.  The other half
 * (mem.h) maps call-downs onto these routines, as a network redirector maps them onto messages.
 *
 * Locks, in order:
 *   volume->mutex      names, links, opens, attributes, times, locks and watches of the whole volume
 *   node->data_lock    contents and size of one file: shared to read, exclusive to change
 * Neither is held while a caller is called back; completions of waiting locks and watches are handed out on a
 * list that the caller runs after it has let go (struct mem_wakeups).  One call is an exception: a volume tells of
 * a break under its mutex (mem_lease_told), so that the lease and its holder live.
 */
#ifndef MRX_MEM_MEMFS_H
#define MRX_MEM_MEMFS_H

#include <stdbool.h>
#include <stdint.h>

#include "ntifs.h"

#define MEM_TAG_VOLUME 'VmeM'
#define MEM_TAG_NODE 'NmeM'
#define MEM_TAG_NAME 'nmeM'
#define MEM_TAG_DATA 'DmeM'
#define MEM_TAG_HANDLE 'HmeM'
#define MEM_TAG_LOCK 'LmeM'
#define MEM_TAG_WATCH 'WmeM'
#define MEM_TAG_BLOB 'BmeM'
#define MEM_TAG_LEASE 'EmeM'

/* What a lease lets its holder keep. */
#define MEM_LEASE_READ 1u
#define MEM_LEASE_HANDLE 2u
#define MEM_LEASE_WRITE 4u
#define MEM_LEASE_ALL 7u

/* Contents of one file: a radix tree of 64 KiB chunks; a missing chunk is a hole that reads as zeros. */
struct mem_data {
	void *root;
	unsigned int height; /* levels above the chunks; 0: root is the only chunk, or NULL */
	uint64_t chunks;     /* allocated chunks, for the allocation size */
};

/* A counted block of bytes that belongs to a node: reparse data, extended attributes, security descriptor. */
struct mem_blob {
	void *bytes;
	ULONG length; /* bytes */
};

struct mem_node;

/* One name of a node in one directory.  Lives until it is unlinked and no handle came in through it. */
struct mem_entry {
	struct mem_node *parent;
	struct mem_node *node;
	struct mem_entry *hash_next;
	uint64_t cookie; /* position in the directory, never reused */
	ULONG hash;
	LONG refs; /* 1 while linked, plus one per handle and per predecessor */
	bool linked;
	bool delete_pending; /* goes with the last handle that came in through it; see node->deletes */
	struct mem_entry *successor; /* referenced: the name that a rename gave instead of this one */
	UNICODE_STRING name;         /* bytes follow the structure */
};

struct mem_slot {
	uint64_t cookie;
	struct mem_entry *entry; /* NULL: removed, waits for the next compaction */
};

struct mem_dir {
	struct mem_entry **buckets;
	ULONG bucket_count;
	ULONG count;            /* live entries */
	struct mem_slot *slots; /* in cookie order */
	ULONG slot_count;
	ULONG slot_capacity;
	uint64_t next_cookie;
	struct mem_node *parent; /* of a directory: borrowed, it has one name only; NULL for the root */
};

struct mem_node {
	struct mem_volume *volume;
	uint64_t id;
	LONG refs; /* 1 per name, 1 per handle */
	ULONG links;
	ULONG opens;
	ULONG attributes; /* FILE_ATTRIBUTE_ bits, without NORMAL */
	ULONG reparse_tag;
	bool is_directory;
	ULONG deletes; /* names with delete_pending */
	SHARE_ACCESS share;
	LARGE_INTEGER creation_time, last_access_time, last_write_time, change_time; /* 100 ns since 1601 */
	ERESOURCE data_lock;
	LONGLONG size;        /* bytes; data_lock */
	struct mem_data data; /* data_lock */
	struct mem_dir dir;
	struct mem_blob reparse, ea, sd;
	LIST_ENTRY locks;         /* struct mem_lock, granted */
	LIST_ENTRY lock_waiters;  /* struct mem_lock, in order of arrival */
	LIST_ENTRY watches;       /* struct mem_watch, of a directory */
	LIST_ENTRY handles;       /* struct mem_handle that was not cleaned up */
	LIST_ENTRY leases;        /* struct mem_lease */
	LIST_ENTRY lease_waiters; /* struct mem_lease_waiter */
};

/*
 * Somebody wants less of a lease to be left: `state`.  acknowledge: he waits for mem_fs_lease_acknowledge().
 * opener: of one of the handles under the lease.  Called with the volume's mutex held: must neither wait nor come back.
 */
typedef void (*mem_lease_told)(void *opener, void *key, ULONG state, bool acknowledge);

struct mem_volume {
	LIST_ENTRY link; /* of the driver's list */
	FAST_MUTEX mutex;
	LONG refs;
	UNICODE_STRING name;
	struct mem_node *root;
	uint64_t next_id;
	LONGLONG capacity; /* bytes of file data it may hold */
	volatile LONGLONG used;
	ULONG serial;
	bool case_insensitive;
	bool no_leases;
	ULONG break_limit;   /* ms that a break is waited for */
	mem_lease_told told; /* NULL: no lease is granted */
};

/* What one opener, known by his key, may keep of one file.  Lives as long as one of his handles. */
struct mem_lease {
	LIST_ENTRY link;
	void *key;
	LIST_ENTRY handles; /* struct mem_handle that name the key */
	ULONG state;        /* MEM_LEASE_ bits that its holder has */
	ULONG to;           /* what a break leaves of them; the same as state when there is none */
	ULONG waiting;  /* his requests that wait for others at this file: nobody waits for him meanwhile */
	uint64_t limit; /* of a break: interrupt time */
};

struct mem_handle {
	struct mem_volume *volume;
	struct mem_node *node;
	struct mem_entry *entry; /* the name it was opened by; NULL for the root */
	ACCESS_MASK access;
	ULONG share_access;
	FILE_OBJECT share_file; /* carries the access bits that IoCheckShareAccess wants */
	LIST_ENTRY link;        /* of the node, until cleaned up */
	void *key; /* of the opener's lease, whether he holds one or not; NULL: he cannot have one */
	struct mem_lease *lease; /* NULL: none */
	LIST_ENTRY lease_link;
	void *opener; /* whom to tell of the lease; the volume does not look into it */
	bool share_counted;
	bool delete_on_close;
	bool cleaned_up;
};

/* A byte range as a client names it; a length of 0 locks nothing and conflicts with nothing. */
struct mem_range {
	LONGLONG start;
	LONGLONG length;
	ULONG key;
	bool exclusive;
};

struct mem_wakeup;

/* A range that is locked, or waited for. */
struct mem_lock {
	LIST_ENTRY link;
	struct mem_handle *owner;
	struct mem_range range;
	struct mem_wakeup *wakeup; /* of a waiter; made beforehand, so that granting cannot fail */
};

#define MEM_NEWS_BYTES 4096u

/* Changes of one directory, as the interface tells them. */
struct mem_news {
	ULONG length; /* bytes used */
	ULONG last;   /* offset of the last one */
	UCHAR bytes[MEM_NEWS_BYTES]
		__attribute__((aligned(8))); /* FILE_NOTIFY_INFORMATION after each other */
};

/* What one handle on a directory wants to hear of; lives from its first request to its cleanup. */
struct mem_watch {
	LIST_ENTRY link;
	struct mem_handle *owner;
	ULONG filter; /* FILE_NOTIFY_CHANGE_ bits */
	bool tree;
	bool missed;               /* more changed while no request was waiting than is known one by one */
	struct mem_news *news;     /* changed while no request was waiting; NULL: nothing */
	struct mem_wakeup *wakeup; /* of the waiting request, or NULL */
};

/* Requests to be completed by the caller once it holds no lock. */
struct mem_wakeup {
	LIST_ENTRY link;
	void *request;
	NTSTATUS status;
	struct mem_news *news; /* of a watch that succeeds; pool MEM_TAG_WATCH */
};

struct mem_wakeups {
	LIST_ENTRY list; /* struct mem_wakeup */
};

struct mem_open {
	const UNICODE_STRING *path; /* relative to the root, no leading backslash; empty: the root */
	ACCESS_MASK access;
	ULONG share_access;
	ULONG disposition;
	ULONG options;
	ULONG attributes;
	LONGLONG allocation;
	const void *ea;
	ULONG ea_length;
	void *opener;
	void *lease_key;    /* NULL: this opener knows nothing of leases */
	ULONG lease_wanted; /* MEM_LEASE_ bits */
	uint64_t expect;    /* the id of the only node it may open, or 0; another one: STATUS_RETRY */
};

struct mem_dir_item {
	struct mem_node *node;
	const UNICODE_STRING *name;
};

/* store.c - sparse contents; the caller holds the node's data_lock */
NTSTATUS mem_data_write(struct mem_node *node, LONGLONG offset, const void *bytes, ULONG length);
void mem_data_read(const struct mem_node *node, LONGLONG offset, void *bytes, ULONG length);
void mem_data_discard(struct mem_node *node,
		      LONGLONG from); /* forget whole chunks at and after `from`, zero the rest */
void mem_data_zero(struct mem_node *node, LONGLONG from, LONGLONG to);
bool mem_data_next_range(const struct mem_node *node, LONGLONG from, LONGLONG *start, LONGLONG *end);
LONGLONG mem_data_allocation(const struct mem_node *node);

/* node.c - nodes, names and directories; the caller holds the volume's mutex unless the name says otherwise */
NTSTATUS mem_volume_create(const UNICODE_STRING *name, LONGLONG capacity, bool case_insensitive,
			   struct mem_volume **out);
void mem_volume_dereference(struct mem_volume *volume); /* takes no lock; last one frees everything */
NTSTATUS mem_node_create_locked(struct mem_volume *volume, bool directory, struct mem_node **out);
void mem_node_dereference_locked(struct mem_node *node);
struct mem_entry *mem_dir_find_locked(struct mem_node *dir, const UNICODE_STRING *name);
NTSTATUS mem_dir_link_locked(struct mem_node *dir, const UNICODE_STRING *name, struct mem_node *node,
			     struct mem_entry **out);
void mem_dir_unlink_locked(struct mem_entry *entry);
NTSTATUS mem_dir_move_locked(struct mem_entry *entry, struct mem_node *to, const UNICODE_STRING *name,
			     struct mem_entry **moved);
void mem_entry_dereference_locked(struct mem_entry *entry);
/* The first live entry whose cookie is at least `cookie`, or NULL at the end. */
struct mem_entry *mem_dir_next_locked(struct mem_node *dir, uint64_t cookie);
void mem_node_touch_locked(struct mem_node *node, ULONG what);
#define MEM_TOUCH_ACCESS 1u
#define MEM_TOUCH_WRITE 2u
#define MEM_TOUCH_CHANGE 4u
NTSTATUS mem_blob_set(struct mem_blob *blob, const void *bytes, ULONG length);

/* fsops.c - what a client asks for; each takes the locks itself */
NTSTATUS mem_fs_open(struct mem_volume *volume, const struct mem_open *how, struct mem_handle **out,
		     ULONG *created, struct mem_wakeups *wake);
void mem_fs_cleanup(struct mem_handle *handle, struct mem_wakeups *wake);
void mem_fs_close(struct mem_handle *handle, struct mem_wakeups *wake);
NTSTATUS mem_fs_read(struct mem_handle *handle, LONGLONG offset, void *bytes, ULONG length, ULONG key,
		     ULONG *done);
NTSTATUS mem_fs_write(struct mem_handle *handle, LONGLONG offset, const void *bytes, ULONG length, ULONG key,
		      ULONG *done, struct mem_wakeups *wake);
void mem_fs_data_changed(struct mem_handle *handle);
NTSTATUS mem_fs_set_size(struct mem_handle *handle, LONGLONG size, struct mem_wakeups *wake);
NTSTATUS mem_fs_set_basic(struct mem_handle *handle, const FILE_BASIC_INFORMATION *basic,
			  struct mem_wakeups *wake);

/* fsnames.c - names; takes the mutex itself unless the name says otherwise */
NTSTATUS mem_fs_set_disposition(struct mem_handle *handle, ULONG flags, struct mem_wakeups *wake);
NTSTATUS mem_fs_rename(struct mem_handle *handle, const UNICODE_STRING *path, ULONG flags, bool link,
		       struct mem_wakeups *wake);
/* The name the handle goes by now, after renames through other handles too; NULL for the root. */
struct mem_entry *mem_fs_entry_locked(struct mem_handle *handle);
/* Whether the name that the handle goes by ends with its last handle. */
bool mem_fs_delete_pending_locked(struct mem_handle *handle);
/* Of a file with several names one goes, with the last handle that came in through it ([MS-FSA] 2.1.5.5). */
void mem_fs_set_delete_pending_locked(struct mem_handle *handle, bool pending);
NTSTATUS mem_fs_path_locked(struct mem_handle *handle, WCHAR *buffer, ULONG capacity, ULONG *length);
/*
 * Walks to the directory that holds the last component.  On success *dir is that directory and *last the
 * component; an empty path gives dir NULL, which means the root itself.
 */
NTSTATUS mem_fs_walk_locked(struct mem_volume *volume, const UNICODE_STRING *path, struct mem_node **dir,
			    UNICODE_STRING *last);
/* Takes the name away, and tells those who watch the directory. */
void mem_fs_unlink_locked(struct mem_entry *entry, struct mem_wakeups *wake);

/* grants.c - leases and their breaks */
/* What an open is granted, at its end; never takes anything away. */
void mem_lease_grant_locked(struct mem_handle *handle, const struct mem_open *how);
ULONG mem_fs_lease_state(struct mem_handle *handle);
/* The holder has put in order what he loses; `left` is what he still keeps. */
void mem_fs_lease_acknowledge(struct mem_handle *handle, ULONG left);
void mem_lease_drop_handle_locked(struct mem_handle *handle);
/* Others' leases of these bits end now; they are told, and not waited for. */
void mem_lease_revoke_locked(struct mem_node *node, const void *key, ULONG bits);
/*
 * Others' leases of these bits end: holders are told and waited for, at most the volume's limit.
 * Lets go of the mutex meanwhile; true: it did, and what the caller knew of the volume may be wrong now.  The caller
 * refers to the node.
 */
bool mem_lease_break_locked(struct mem_node *node, const void *key, ULONG bits);

/* waits.c - byte-range locks, and what is answered later */
/* STATUS_SUCCESS, STATUS_LOCK_NOT_GRANTED, or STATUS_PENDING: `request` comes out of a wakeup later. */
NTSTATUS mem_fs_lock(struct mem_handle *handle, const struct mem_range *range, bool wait, void *request);
NTSTATUS mem_fs_unlock(struct mem_handle *handle, const struct mem_range *range, struct mem_wakeups *wake);
void mem_fs_unlock_all(struct mem_handle *handle, const ULONG *key, struct mem_wakeups *wake);
bool mem_fs_range_blocked_locked(struct mem_node *node, struct mem_handle *by, ULONG key, LONGLONG start,
				 LONGLONG length, bool writing);
/* Takes a waiting lock or watch back; false: it has been granted or told already. */
bool mem_fs_cancel_wait(struct mem_handle *handle, void *request);
void mem_waits_drop_handle_locked(struct mem_handle *handle, struct mem_wakeups *wake);
void mem_wakeups_init(struct mem_wakeups *wake);
struct mem_wakeup *mem_wakeup_alloc(void *request);
/* The request is ready; *from becomes NULL. */
void mem_wakeup_hand_out(struct mem_wakeup **from, NTSTATUS status, struct mem_wakeups *wake);
void mem_wakeup_free(struct mem_wakeup *wakeup);

/* watches.c - who hears of changes in a directory */
/* STATUS_PENDING: `request` comes out of a wakeup, perhaps out of @wake at once. */
NTSTATUS mem_fs_watch(struct mem_handle *handle, ULONG filter, bool tree, void *request,
		      struct mem_wakeups *wake);
struct mem_wakeup *mem_watch_take_back_locked(struct mem_handle *handle, void *request);
void mem_watch_drop_locked(struct mem_handle *handle, struct mem_wakeups *wake);
/*
 * Something named `name` changed in `dir`.  Watches of the directory hear the name; those of a whole tree above
 * it hear that they should look, which the interface allows and which needs no path to be built here.
 */
void mem_watches_changed_locked(struct mem_node *dir, ULONG filter, ULONG action, const UNICODE_STRING *name,
				struct mem_wakeups *wake);

#endif
