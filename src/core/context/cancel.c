/*
 * cancel.c - cancelling a request: who wins, exactly once.
 *
 * Owns:   RX_CONTEXT.MRxCancelRoutine, the slot that decides, and CancelGate.
 * Locks:  none. One atomic exchange on the slot decides between canceller and completion.
 *
 *   slot      NULL or the driver's routine --cancel--> taken
 *             NULL or the driver's routine --completion--> closed
 *
 * Taken and closed are final. Who finds the other's mark does nothing, with one exception: a completion must not
 * complete the IRP while a canceller still looks at it, be it in the driver's routine, or in IoCancelIrp() on
 * the way to ours. The gate settles that: cancellers count themselves in (2 each; the armed IRP routine counts
 * as one from the start, since nobody can tell when IoCancelIrp() has taken it), the completion sets bit 0 and
 * goes on if it is alone, and otherwise the last canceller goes on with the completion. So nobody waits for a
 * cancel routine on a thread that may not wait, and a routine that itself completes the request does not have
 * it freed under its feet.
 *
 * Order seen by a driver: RX_CONTEXT_FLAG_CANCELLED is set before its routine runs; RxSetMinirdrCancelRoutine
 * answers STATUS_CANCELLED from the moment the slot is taken. Flags belongs to the request's owner: a canceller
 * writes it only together with calling the driver's routine; otherwise the owner does, when it next looks
 * (rx_cancel_show).
 */
#include "core/context/context.h"

#include "core/minirdr/calldown.h"

/* Marks in the slot; never called, only compared. */
static NTSTATUS NTAPI rx_cancel_mark_taken(PRX_CONTEXT rxc)
{
	(void)rxc;
	return STATUS_CANCELLED;
}

static NTSTATUS NTAPI rx_cancel_mark_closed(PRX_CONTEXT rxc)
{
	(void)rxc;
	return STATUS_NOT_FOUND;
}

static bool rx_cancel_is_mark(PMRX_CALLDOWN routine)
{
	return routine == rx_cancel_mark_taken || routine == rx_cancel_mark_closed;
}

/* Puts `next` into the slot unless a mark is there; returns what was there. */
static PMRX_CALLDOWN rx_cancel_exchange(PRX_CONTEXT rxc, PMRX_CALLDOWN next)
{
	PMRX_CALLDOWN before;

	nt_sim_point();
	before = __atomic_load_n(&rxc->MRxCancelRoutine, __ATOMIC_ACQUIRE);

	while (!rx_cancel_is_mark(before) &&
	       !__atomic_compare_exchange_n(&rxc->MRxCancelRoutine, &before, next, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		;
	return before;
}

bool rx_context_is_cancelled(PRX_CONTEXT rxc)
{
	return __atomic_load_n(&rxc->MRxCancelRoutine, __ATOMIC_ACQUIRE) == rx_cancel_mark_taken;
}

void rx_cancel_show(PRX_CONTEXT rxc)
{
	if (rx_context_is_cancelled(rxc))
		__atomic_fetch_or(&rxc->Flags, RX_CONTEXT_FLAG_CANCELLED, __ATOMIC_RELAXED);
}

/**
 * RxSetMinirdrCancelRoutine - say how a request in the driver's hands is cancelled
 * @RxContext:        [in] the request
 * @MRxCancelRoutine: [in] runs at most once, on the canceller's thread, never after the request completed;
 *                    NULL takes an earlier routine back
 *
 * Return: STATUS_SUCCESS; STATUS_CANCELLED: already cancelled, nothing was installed, the caller ends the
 *         request itself (or, with NULL, leaves it to the routine that runs or ran).
 * Page:   rxcontx/RxSetMinirdrCancelRoutine.
 */
NTSTATUS RxSetMinirdrCancelRoutine(PRX_CONTEXT RxContext, PMRX_CALLDOWN MRxCancelRoutine)
{
	if (!rx_cancel_is_mark(rx_cancel_exchange(RxContext, MRxCancelRoutine)))
		return STATUS_SUCCESS;
	rx_cancel_show(RxContext);
	return STATUS_CANCELLED;
}

enum { RX_GATE_COMPLETION = 1, RX_GATE_CANCELLER = 2 };

/* One more canceller; false: the completion has gone through, nothing is left to cancel. */
static bool rx_cancel_enter(PRX_CONTEXT rxc)
{
	LONG before = __atomic_load_n(&rxc->CancelGate, __ATOMIC_ACQUIRE);

	do {
		if ((before & RX_GATE_COMPLETION) != 0)
			return false;
	} while (!__atomic_compare_exchange_n(&rxc->CancelGate, &before, before + RX_GATE_CANCELLER, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

/* One canceller less; the last one goes on with a completion that waits. */
static void rx_cancel_leave(PRX_CONTEXT rxc)
{
	nt_sim_point();
	if (__atomic_sub_fetch(&rxc->CancelGate, RX_GATE_CANCELLER, __ATOMIC_ACQ_REL) == RX_GATE_COMPLETION)
		rxc->CancelDeferred(rxc);
}

/* Inside the gate. */
static void rx_cancel_run(PRX_CONTEXT rxc)
{
	PMRX_CALLDOWN routine = rx_cancel_exchange(rxc, rx_cancel_mark_taken);

	if (rx_cancel_is_mark(routine))
		return;
	if (routine != NULL) {
		__atomic_fetch_or(&rxc->Flags, RX_CONTEXT_FLAG_CANCELLED, __ATOMIC_ACQ_REL);
		(void)rx_call_cancel_routine(rxc, routine); /* its status means nothing to the core */
	} else {
		(void)rx_blocking_abandon(rxc); /* false: the request is at work and ends by itself */
	}
}

void rx_cancel_context(PRX_CONTEXT rxc)
{
	if (!rx_cancel_enter(rxc))
		return;
	rx_cancel_run(rxc);
	rx_cancel_leave(rxc);
}

bool rx_cancel_disarm_or_defer(PRX_CONTEXT rxc, rx_cancel_deferred *resume)
{
	PIRP irp = rxc->CurrentIrp;
	bool armed = rxc->CancelArmed;

	if ((__atomic_load_n(&rxc->CancelGate, __ATOMIC_ACQUIRE) & RX_GATE_COMPLETION) != 0)
		return true; /* went through before */
	(void)rx_cancel_exchange(rxc, rx_cancel_mark_closed);

	rxc->CancelArmed = FALSE;
	rxc->CancelDeferred = resume;
	/* taken back: it will not run. NULL: IoCancelIrp() has it; it counts until it has run */
	if (armed && IoSetCancelRoutine(irp, NULL) != NULL)
		(void)__atomic_sub_fetch(&rxc->CancelGate, RX_GATE_CANCELLER, __ATOMIC_ACQ_REL);
	nt_sim_point();
	return __atomic_fetch_or(&rxc->CancelGate, RX_GATE_COMPLETION, __ATOMIC_ACQ_REL) == 0;
}

static void rx_cancel_wake(PRX_CONTEXT rxc)
{
	KeSetEvent(&rxc->SyncEvent, IO_NO_INCREMENT, FALSE);
}

void rx_cancel_disarm(PRX_CONTEXT rxc)
{
	if (rx_cancel_disarm_or_defer(rxc, rx_cancel_wake))
		return;
	/* a canceller is at work on another thread; a late SyncEvent of the driver may wake us too */
	while (__atomic_load_n(&rxc->CancelGate, __ATOMIC_ACQUIRE) != RX_GATE_COMPLETION)
		(void)KeWaitForSingleObject(&rxc->SyncEvent, Executive, KernelMode, FALSE, NULL);
}

/* The IRP's cancel routine. The caller of IoCancelIrp keeps the IRP alive until this returns. */
static VOID NTAPI rx_cancel_irp(PDEVICE_OBJECT device, PIRP irp)
{
	PRX_CONTEXT rxc;

	(void)device;
	IoReleaseCancelSpinLock(irp->CancelIrql);
	rxc = rx_context_find_by_irp(irp);
	RX_CHECK(rxc != NULL); /* its completion waits for us */
	rx_cancel_run(rxc);
	rx_cancel_leave(rxc);
	RxDereferenceAndDeleteRxContext(rxc);
}

NTSTATUS rx_cancel_arm(PRX_CONTEXT rxc)
{
	PIRP irp = rxc->CurrentIrp;

	if (irp == NULL)
		return STATUS_SUCCESS;
	rxc->CancelArmed = TRUE;
	(void)__atomic_add_fetch(&rxc->CancelGate, RX_GATE_CANCELLER, __ATOMIC_ACQ_REL);
	(void)IoSetCancelRoutine(irp, rx_cancel_irp);
	if (!irp->Cancel || IoSetCancelRoutine(irp, NULL) == NULL)
		return STATUS_SUCCESS; /* not cancelled, or the canceller has our routine and will run it */
	rxc->CancelArmed = FALSE;
	rx_cancel_run(rxc);
	rx_cancel_leave(rxc);
	return STATUS_CANCELLED;
}

struct rx_cancel_choice {
	rx_context_visit *visit;
	PVOID arg;
};

/* Decided contexts are skipped, so that the search ends. */
static bool rx_cancel_chosen(PRX_CONTEXT rxc, PVOID arg)
{
	const struct rx_cancel_choice *choice = arg;

	return !rx_cancel_is_mark(__atomic_load_n(&rxc->MRxCancelRoutine, __ATOMIC_ACQUIRE)) &&
	       choice->visit(rxc, choice->arg);
}

unsigned int rx_cancel_matching(PRDBSS_DEVICE_OBJECT dev, rx_context_visit *visit, PVOID arg)
{
	struct rx_cancel_choice choice = {visit, arg};
	unsigned int cancelled = 0;
	PRX_CONTEXT rxc;

	/* not under the bucket's lock: the driver's routine may take locks of its own */
	while ((rxc = rx_context_find(dev, rx_cancel_chosen, &choice)) != NULL) {
		rx_cancel_context(rxc);
		RxDereferenceAndDeleteRxContext(rxc);
		cancelled++;
	}
	return cancelled;
}
