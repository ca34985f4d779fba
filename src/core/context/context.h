/*
 * context.h - RX_CONTEXT bookkeeping and cancellation, as the rest of the core sees them.
 */
#ifndef RX_CORE_CONTEXT_CONTEXT_H
#define RX_CORE_CONTEXT_CONTEXT_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

/* rxcontx.c */
/* Cleanup and close must not fail for want of memory: waits for the one reserved context if pool is empty. */
PRX_CONTEXT rx_context_create_must_succeed(PIRP irp, PRDBSS_DEVICE_OBJECT dev, ULONG flags);
/* Calls visit(rxc, arg) for each active context of the device; visit runs under a spin lock. */
typedef bool rx_context_visit(PRX_CONTEXT rxc, PVOID arg);
/* The first context visit says true for, referenced; NULL when none. */
PRX_CONTEXT rx_context_find(PRDBSS_DEVICE_OBJECT dev, rx_context_visit *visit, PVOID arg);
/* Waits until the stopping request is the only active context of its device. Blocks without bound. */
void rx_context_wait_for_others(PRX_CONTEXT stop);

/* cancel.c */
/* From here the IRP can be cancelled. STATUS_CANCELLED when it already is. */
NTSTATUS rx_cancel_arm(PRX_CONTEXT rxc);
/*
 * The request is over: no cancel routine starts after this. One atomic exchange decides; when a cancel
 * routine runs at this moment the call waits for it (unless it runs on this very thread).
 */
void rx_cancel_disarm(PRX_CONTEXT rxc);
/* Marks the request cancelled and runs the driver's cancel routine, at most once per context. */
void rx_cancel_context(PRX_CONTEXT rxc);
/* Cancels each active context of the device that visit selects; used by stop, cleanup (notify), disconnect. */
unsigned int rx_cancel_matching(PRDBSS_DEVICE_OBJECT dev, rx_context_visit *visit, PVOID arg);
bool rx_context_is_cancelled(PRX_CONTEXT rxc);

/* blocking.c */
/* Takes a cancelled request out of a serialisation queue; the queue's owner never sees it again. */
bool rx_blocking_abandon(PRX_CONTEXT rxc);

#endif
