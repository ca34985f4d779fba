/*
 * locks.h - the byte-range locks of a file, among the files that keep them (lockctrl.c, lockrecord.c, lockbuffer.c,
 * lockwait.c).
 */
#ifndef RX_CORE_DISPATCH_LOCKS_H
#define RX_CORE_DISPATCH_LOCKS_H

#include "core/dispatch/dispatch.h"

#define RX_LOCK_TAG 'kLxR'

struct rx_lock {
	FCB_LOCK lock; /* first: the lists are FCB.BufferedLocks.List and .Waiting */
	PFOBX fobx;
	PRX_CONTEXT waiter;    /* whose request this is, in .Waiting */
	LOWIO_LOCK_LIST entry; /* for LOWIO_OP_UNLOCK_MULTIPLE and for a flush: neither must need memory */
	bool buffered;         /* the server does not know of it */
};

/* ---- lockrecord.c ---- */

void rx_locks_acquire(PFCB fcb) RX_ACQUIRES(*fcb->FileSizeLock);
void rx_locks_release(PFCB fcb) RX_RELEASES(*fcb->FileSizeLock);

static inline struct rx_lock *rx_lock_of(PFCB_LOCK lock)
{
	return CONTAINING_RECORD(lock, struct rx_lock, lock);
}

/* Is the lock kept out by one that the server does not tell from it, or does not know? Locks: rx_locks_acquire(). */
bool rx_lock_is_kept_out(PFCB fcb, const struct rx_lock *wanted);
void rx_lock_add_locked(PFCB fcb, struct rx_lock *record);
void rx_lock_add(PFCB fcb, struct rx_lock *record);
/*
 * Takes the exact range of a handle out of the list; NULL: it holds no such lock. Of two, one of them shared, the
 * exclusive one, as the server does ([MS-FSA] 2.1.5.9). One that the server knows counts as an operation under way from
 * then on (FCB.OutstandingLockOperationsCount); so do several of rx_locks_take_all(), as one.
 */
struct rx_lock *rx_lock_take(PFCB fcb, PFOBX fobx, LONGLONG offset, LONGLONG length, ULONG key);
/*
 * Takes all locks of a handle (of one key, when key is not NULL) out: those that the server knows are returned, chained
 * (NULL: none), the others are freed.
 */
struct rx_lock *rx_locks_take_all(PFCB fcb, PFOBX fobx, const ULONG *key);
void rx_locks_free(struct rx_lock *first);
/* Fills in what a driver is given, before `next`. */
void rx_lock_describe(struct rx_lock *record, struct rx_lock *next);

/* ---- lockwait.c ---- */

/*
 * The request waits until a lock of the file is given up, and is served again then, from its beginning. False: nothing
 * keeps it out any more; go on. True: request and record are not the caller's any more. Locks: none.
 */
bool rx_lock_wait(PRX_CONTEXT rxc, PIRP irp, struct rx_lock *record);
/* A lock of the file has been given up. Any lock of the file may be held, but not rx_locks_acquire(). */
void rx_locks_wake(PFCB fcb);

#endif
