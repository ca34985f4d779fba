/*
 * work.h - workers, timers and the scavenger, as the rest of the core sees them.
 *
 * The DDI names (RxPostToWorkerThread, RxPostOneShotTimerRequest, RxScavengeAllFobxs, ...) are in the public
 * headers; here is what only the core may call.
 */
#ifndef RX_CORE_WORK_WORK_H
#define RX_CORE_WORK_WORK_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

/* queue.c */
/* Once, from the first RxDriverEntry. */
VOID rx_work_init(VOID);
/* True when this thread runs as (or for) the RDBSS process: calls that must not be posted may be made here. */
bool rx_in_rdbss_process(void);
/* A worker routine of the redirector runs, or waits to run, beside this thread's own. */
bool rx_work_is_busy(PRDBSS_DEVICE_OBJECT dev);

/* timer.c */
VOID rx_timer_init(VOID);
/* Stops every timer of the device and waits for the one that is running. Blocks. */
void rx_timer_run_down(PRDBSS_DEVICE_OBJECT dev);

/* scavenger.c */
void rx_scavenger_init(PRDBSS_DEVICE_OBJECT dev);
/* Ends the timer and finalizes what is left; the device has no opens any more. Blocks, calls down. */
void rx_scavenger_run_down(PRDBSS_DEVICE_OBJECT dev);

/*
 * An object whose count fell to its last reference while the caller did not hold the lock that finalizing
 * needs. Instance is a SRV_CALL, NET_ROOT, V_NET_ROOT, SRV_OPEN or FOBX; it is finalized by a worker later,
 * unless its count has risen meanwhile. Takes only the scavenger mutex; callable at APC_LEVEL.
 */
void rx_scavenger_mark(PVOID instance);

/*
 * rx_scavenger_mark() for a caller that owns the last reference but one: gives that reference up and marks, in
 * one step under the mutex. *count goes from `expected` to expected - 1; false, and nothing done, when it was
 * not `expected` any more. Between a count that fell and a mark that follows, a finalization (which must pass
 * rx_scavenger_unmark(), hence the mutex) could otherwise free the object.
 */
bool rx_scavenger_drop_and_mark(PVOID instance, volatile ULONG *count, ULONG expected);

/*
 * Must be called by the finalization of the same kinds of object before the memory goes, and may be called
 * when a lookup revives one. After it returns the scavenger does not know the object. Takes only the mutex.
 */
void rx_scavenger_unmark(PVOID instance);

/* dormant.c */
/*
 * Delayed close: the FOBX of a file object that was closed becomes dormant. The list owns the FOBX's creation
 * reference and the SRV_OPEN's OpenCount share until the delay has passed.
 * Locks: FCB exclusive. Return: false when the limits of server or device are reached (close at once).
 */
bool rx_scavenger_delay_close(PFOBX fobx);

/*
 * Ends every dormant FOBX of a file at once; rxc is a context of the caller's own, for the closes.
 * Locks: FCB exclusive; the caller refers to the FCB. Blocks on the mini-redirector.
 */
void rx_scavenger_end_dormant(PRX_CONTEXT rxc, PFCB fcb);

#endif
