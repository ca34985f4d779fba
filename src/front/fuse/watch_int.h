/*
 * watch_int.h - what the files of the watches share: one watch, as the asker, the listener and the keeper see it.
 *
 * Locks: see watch.c. "_locked": watches.mutex is held.
 */
#ifndef RDBSS_FRONT_WATCH_INT_H
#define RDBSS_FRONT_WATCH_INT_H

#include "front/fuse/fuse_int.h"

#define WATCH_MS 10000ull                 /* in 100 ns */
#define WATCH_END_LIMIT (1000 * WATCH_MS) /* to wait for handles that are in the way */
#define WATCH_IDLE (5000 * WATCH_MS)      /* without a lookup or a listing */
#define WATCH_EXPECTED_MAX 32u            /* changes of ours that are not told yet */
#define WATCH_BUFFER_BYTES 4096u

/* A change of ours, which the server tells like anybody's. */
struct expected_change {
	ULONG hash;
	unsigned int actions; /* 1 << FILE_ACTION_...; each is taken once */
	ULONGLONG until;      /* interrupt time */
};

struct front_watch {
	LIST_ENTRY link;
	LIST_ENTRY answer_link; /* in watches.answered; under watches.lock */
	atomic_uint refs;
	struct rdr_fuse *fuse;
	struct front_node *node; /* pinned until it is closed */
	struct door_file *file;  /* NULL: not open yet, or closed */
	struct door_cancel cancel;
	struct door_caller caller;
	bool opening;
	bool sending; /* the request is on its way into the driver: the handle must stay */
	bool waiting; /* for an answer, or the answer was not looked at yet */
	bool ended;
	struct nt_cache_map *map; /* under a lease; NULL: none */
	atomic_bool broken;       /* the lease; told once */
	KEVENT released;          /* the map */
	ULONGLONG rest_until;     /* interrupt time; 0: does not rest */
	ULONGLONG quick_since;
	unsigned int quick_answers;
	unsigned int own_answers;
	unsigned int vague_answers; /* in a row that said no more than that anything may have changed */
	unsigned int next_expected;
	struct expected_change expected[WATCH_EXPECTED_MAX];
	KEVENT closed;
	KEVENT told;     /* the request that waited is over, and holds the handle no more */
	NTSTATUS status; /* of the answer */
	ULONG_PTR information;
	UCHAR buffer[WATCH_BUFFER_BYTES] __attribute__((aligned(8)));
};

/* watch.c */
void front_watch_put(struct front_watch *watch);
/* How long the folder has not been used; others may use it at this moment, after @now. */
ULONGLONG front_watch_unused_for(const struct front_node *dir, ULONGLONG now);
/* Nobody finds it any more; the keeper does the rest. */
void front_watch_end_locked(struct front_watch *watch);

/* watch_listen.c */
void front_watch_listener(void *context); /* a thread; @context: struct rdr_fuse */
/* Sends the request that waits for a change: called and left with the mutex held; gives it up meanwhile. */
void front_watch_arm_locked(struct front_watch *watch);
/* The answer, for the listener. Any thread and level; does not wait. @context: struct front_watch */
void front_watch_answered(void *context, NTSTATUS status, ULONG_PTR information);

/* watch_keep.c */
void front_watch_keeper(void *context); /* a thread; @context: struct rdr_fuse */

#endif
