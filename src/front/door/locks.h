/*
 * locks.h - the locks of one file: what the processes here hold, and how it is held at the server.
 */
#ifndef RDBSS_FRONT_DOOR_LOCKS_H
#define RDBSS_FRONT_DOOR_LOCKS_H

#include "door_int.h"
#include "record.h"

#define DOOR_TAG_LOCKS 'kRoD'

/* A range that is locked at the server, exactly so. Pieces do not overlap. */
struct door_piece {
	LIST_ENTRY link;
	uint64_t start, end;
	enum door_lock_type type;
};

struct door_locks {
	atomic_uint refs;     /* door_file structures */
	KGUARDED_MUTEX mutex; /* for what follows; held while the server is asked what it answers at once */
	struct door_records records;
	LIST_ENTRY pieces;
	LIST_ENTRY waiting;  /* struct door_lock_op that wait for a local lock, in order of arrival */
	LIST_ENTRY pending;  /* struct door_lock_op that wait at the server */
	atomic_uint handles; /* open ones, but for those that only carry */
	ULONG_PTR leave;     /* of the last range that was locked, as door_record_lock() tells it */
	bool asked;          /* the server was, for one, since that was cleared */
	KSPIN_LOCK route;
	struct door_file *carrier; /* holds the pieces; NULL: there are none; written under route too */
	bool carrier_is_ours;      /* its owner has closed it, or we opened it */

	atomic_bool routed; /* transfers go through the carrier */
	atomic_uint
		direct; /* transfers that do not and are under way; the highest bit: somebody waits for their end */
	KEVENT drained;
	atomic_bool dead;    /* the carrier is: the server said so, or does not answer any more */
	atomic_bool burying; /* by the worker */
	WORK_QUEUE_ITEM burial;
};

/* deadlock.c: of a request that waits for a lock which is held here. */
struct door_wait {
	LIST_ENTRY link; /* in door_volume.waits, when listed; under waits_mutex, as all of it */
	uint64_t owner, blocker;
	bool listed;
	bool reached, followed;
};

/* @owner waits for @blocker, from now on, or now for him; false: @blocker waits for @owner, in the end. */
bool door_wait_for(struct door_volume *volume, struct door_wait *wait, uint64_t owner, uint64_t blocker);
void door_wait_over(struct door_volume *volume, struct door_wait *wait);

/* Why a range could not be raised. */
struct door_refusal {
	uint64_t start, end; /* could not be locked */
	bool upgrade; /* we share it ourselves: to wait at the server for more would mean to give that up */
};

/* carrier.c */
/*
 * There is a handle that can hold a lock of @type asked for through @file, and transfers go through it.
 * Locks: mutex.
 */
void door_carrier_ready(struct door_locks *locks, struct door_file *file, enum door_lock_type type);
/* When nothing is held or wanted any more transfers go their own ways. Locks: mutex. */
void door_carrier_idle(struct door_locks *locks);
/* The server does not know the handle any more, nor its locks. */
bool door_status_is_loss(NTSTATUS status);

/* pieces.c: what is held at the server. Locks: mutex; the carrier is ready. */
/* Every byte is held at least so. On failure more may be held than before: lower it. */
NTSTATUS door_pieces_raise(struct door_locks *locks, const struct door_range *range,
			   struct door_refusal *refusal);
/* The same, but what is held shared stays so. */
NTSTATUS door_pieces_probe(struct door_locks *locks, const struct door_range *range,
			   struct door_refusal *refusal);
/* No byte is held stronger than the table of records says. */
void door_pieces_lower(struct door_locks *locks, uint64_t start, uint64_t end);
/* Another handle holds them from now on; false: it cannot, and everything is as before. */
bool door_pieces_move(struct door_locks *locks, struct door_file *carrier);
bool door_pieces_touch(struct door_locks *locks, uint64_t start, uint64_t end);
struct door_piece *door_piece_make(uint64_t start, uint64_t end, enum door_lock_type type);
void door_piece_insert(struct door_locks *locks, struct door_piece *piece);
void door_pieces_free(struct door_locks *locks);

/* locks.c; "_locked": the mutex is held */
struct door_locks *door_locks_create(void);
void door_locks_put(struct door_locks *locks);
/* The server has lost what is held beyond @left in the range: handles that relied on it do nothing any more. */
void door_locks_lose(struct door_locks *locks, uint64_t start, uint64_t end, enum door_lock_type left);
/* The file system told that a lock of the carrier is lost. Context: PASSIVE_LEVEL, no lock of the file is held. */
void door_locks_bury(struct door_locks *locks);
/* A transfer found the carrier dead. Context: <= DISPATCH_LEVEL; the caller holds a handle of the file. */
void door_locks_dead(struct door_locks *locks);
/* The carrier is dead: nothing is held at the server, and everybody who thought so hears of it. */
void door_locks_bury_locked(struct door_locks *locks);
/* After a change: what is dead is buried, and the carrier rests when it holds nothing. */
void door_locks_settle_locked(struct door_locks *locks);
/* Has a lock been lost while nobody looked? */
void door_locks_note_loss_locked(struct door_locks *locks);
/* The range is the owner's, or no longer, here; the server follows. */
NTSTATUS door_locks_enter_locked(struct door_locks *locks, const struct door_range *range,
				 struct door_file *holder);

/* The owner of @file closes it. Return: true: the handle lives on, as carrier. */
bool door_locks_close(struct door_file *file);

/* lock_op.c */
/* Those whose way may be free now go on. */
void door_locks_wake_locked(struct door_locks *locks);

static inline bool door_range_is_valid(const struct door_range *range)
{
	return range->start < range->end && range->end <= DOOR_RANGE_END && range->type <= DOOR_EXCLUSIVE;
}

#endif
