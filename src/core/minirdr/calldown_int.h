/*
 * calldown_int.h - what every call-down does besides the call.
 *
 * Locks: none are taken.
 */
#ifndef RX_CORE_MINIRDR_CALLDOWN_INT_H
#define RX_CORE_MINIRDR_CALLDOWN_INT_H

#include "core/minirdr/calldown.h"

static inline PMINIRDR_DISPATCH rx_dispatch_of(PRX_CONTEXT rxc)
{
	return rxc->RxDeviceObject->Dispatch;
}

/* calldown.c */
/* @about: only its address is logged. */
void rx_calldown_trace(const char *slot, PVOID about, NTSTATUS status);
/* A slot that must answer at once: STATUS_PENDING from it is no answer, and becomes STATUS_INTERNAL_ERROR. */
NTSTATUS rx_calldown_final(const char *slot, PVOID about, NTSTATUS status);
/*
 * A slot of the shape (PRX_CONTEXT) -> status that may ask to be called again by a worker: STATUS_PENDING with PostRequest.
 * Its caller gives that to rx_release_or_post(), and does nothing else with it. @if_empty: the answer of an empty slot.
 */
NTSTATUS rx_calldown_postable(PRX_CONTEXT rxc, PMRX_CALLDOWN routine, const char *slot, NTSTATUS if_empty);

#endif
