/*
 * context.h - RX_CONTEXT bookkeeping and cancellation, as the rest of the core sees them.
 */
#ifndef RX_CORE_CONTEXT_CONTEXT_H
#define RX_CORE_CONTEXT_CONTEXT_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

/* rxcontx.c */
/* Once, from the first RxDriverEntry. */
VOID rx_context_init(VOID);
/* Cleanup and close must not fail for want of memory: waits for the one reserved context if pool is empty. */
PRX_CONTEXT rx_context_create_must_succeed(PIRP irp, PRDBSS_DEVICE_OBJECT dev, ULONG flags);
/*
 * Does visit want this context of another thread? Runs under a spin lock; may look only at what is constant
 * while a context is active (CurrentIrp, IrpMajorFunction, IrpMinorFunction, IrpFobx), or atomic.
 */
typedef bool rx_context_visit(PRX_CONTEXT rxc, PVOID arg);
/* The first context visit says true for, referenced; NULL when none. */
PRX_CONTEXT rx_context_find(PRDBSS_DEVICE_OBJECT dev, rx_context_visit *visit, PVOID arg);
/* The active context of an IRP, referenced, or NULL. */
PRX_CONTEXT rx_context_find_by_irp(PIRP irp);
/* Makes `stop` the device's stop context; false when there is one. */
bool rx_context_begin_stop(PRX_CONTEXT stop);
void rx_context_end_stop(PRX_CONTEXT stop);
/* Waits until the stopping request is the only active context of its device. Blocks without bound. */
void rx_context_wait_for_others(PRX_CONTEXT stop);
/*
 * Cancels what is active on the device and waits until it is over; for the end of a device. What takes longer than 30
 * s is told as misuse: the driver that should end it is going. Blocks without bound.
 */
void rx_context_wait_idle(PRDBSS_DEVICE_OBJECT dev);

/* Is it a context still? A check, not a promise, as nt_pool_is_live(). */
bool rx_context_is_living(PRX_CONTEXT rxc);

/* cancel.c */
typedef void rx_cancel_deferred(PRX_CONTEXT rxc);
/* From here the IRP can be cancelled. STATUS_CANCELLED when it already is. */
NTSTATUS rx_cancel_arm(PRX_CONTEXT rxc);
/*
 * The request is over: no cancel routine starts after this. True: go on with the completion. False: the
 * driver's cancel routine is running at this moment; when it has returned, resume(rxc) runs on the
 * canceller's thread, and the caller must not touch rxc any more.
 */
bool rx_cancel_disarm_or_defer(PRX_CONTEXT rxc, rx_cancel_deferred *resume);
/* The same for a thread that may wait: returns when no cancel routine runs any more. Blocks. */
void rx_cancel_disarm(PRX_CONTEXT rxc);
/* Marks the request cancelled and runs the driver's cancel routine, at most once per context. */
void rx_cancel_context(PRX_CONTEXT rxc);
/*
 * Cancels each active context of the device that visit selects; used by stop, cleanup (notify) and disconnect.
 * Return: how many.
 */
unsigned int rx_cancel_matching(PRDBSS_DEVICE_OBJECT dev, rx_context_visit *visit, PVOID arg);
bool rx_context_is_cancelled(PRX_CONTEXT rxc);
/* Sets RX_CONTEXT_FLAG_CANCELLED when it is. For the owner of the request, before a driver looks at Flags. */
void rx_cancel_show(PRX_CONTEXT rxc);

/* blocking.c */
VOID rx_blocking_init(VOID);
/* Takes a cancelled request out of a serialisation queue; the queue's owner never sees it again. */
bool rx_blocking_abandon(PRX_CONTEXT rxc);

#endif
