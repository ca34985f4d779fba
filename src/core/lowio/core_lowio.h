/*
 * core_lowio.h - low I/O as the dispatch routines see it. (lowio.h is the public header.)
 */
#ifndef RX_CORE_LOWIO_H
#define RX_CORE_LOWIO_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

/* submit.c */
/* Zeroes the request's LOWIO_CONTEXT and sets Operation, Resource and its owner (this thread). */
void rx_lowio_prepare(PRX_CONTEXT rxc, USHORT operation);
/* The data buffer's MDL of a read or write, made from UserBuffer when the IRP has none. */
NTSTATUS rx_lowio_lock_buffer(PRX_CONTEXT rxc, PIRP irp, LOCK_OPERATION access, ULONG length);

/* complete.c */
/* RX_CONTEXT.LowIoState: from the call-down to the one completion. */
enum rx_lowio_state { RX_LOWIO_IDLE, RX_LOWIO_SUBMITTED, RX_LOWIO_COMPLETED };
/*
 * The driver has the request, or has it no more. The second answers false, and the driver was told, when it was
 * completed before, or was never handed out; `routine` is what the driver called.
 */
void rx_lowio_hand_out(PRX_CONTEXT rxc);
bool rx_lowio_take_back(PRX_CONTEXT rxc, const char *routine);
bool rx_lowio_is_submitted(PRX_CONTEXT rxc);
/*
 * Ends an asynchronous request whose driver has answered: runs the completion routine, completes the IRP. What the
 * routine answered.
 */
NTSTATUS rx_lowio_finish(PRX_CONTEXT rxc);
/* Gives back the FCB resource that the request holds, from whatever thread. Idempotent. */
void rx_lowio_release_resource(PRX_CONTEXT rxc);

#endif
