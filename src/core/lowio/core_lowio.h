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
/*
 * Ends an asynchronous request whose driver has answered: runs the completion routine, completes the IRP. What the
 * routine answered.
 */
NTSTATUS rx_lowio_finish(PRX_CONTEXT rxc);
/* Gives back the FCB resource that the request holds, from whatever thread. Idempotent. */
void rx_lowio_release_resource(PRX_CONTEXT rxc);

#endif
