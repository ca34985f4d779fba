/*
 * cancel.c - cancelling a request, by the protocol every driver knows.
 *
 * Owns:   the cancel spin lock, one for all.
 * Who wins: the one that takes CancelRoutine out of the IRP, in one atomic exchange. IoCancelIrp() takes it under
 *           the cancel lock and calls it with the lock held; the routine releases it with Irp->CancelIrql. A driver
 *           that completes takes it with IoSetCancelRoutine(irp, NULL): NULL back means that the canceller has it.
 * Locks:  leaf: nothing else is taken under the cancel lock by this file.
 */
#include "exec.h"
#include "io.h"

static KSPIN_LOCK nt_cancel_lock;

VOID IoAcquireCancelSpinLock(PKIRQL Irql) RX_NO_TSA
{
	KeAcquireSpinLock(&nt_cancel_lock, Irql);
}

VOID IoReleaseCancelSpinLock(KIRQL Irql) RX_NO_TSA
{
	KeReleaseSpinLock(&nt_cancel_lock, Irql);
}

PDRIVER_CANCEL IoSetCancelRoutine(PIRP Irp, PDRIVER_CANCEL CancelRoutine)
{
	nt_sim_point();
	return __atomic_exchange_n(&Irp->CancelRoutine, CancelRoutine, __ATOMIC_SEQ_CST);
}

BOOLEAN IoCancelIrp(PIRP Irp)
{
	PDRIVER_CANCEL routine;
	KIRQL irql;

	RX_CHECK(Irp->Type == IO_TYPE_IRP);
	IoAcquireCancelSpinLock(&irql);
	Irp->Cancel = TRUE;
	routine = IoSetCancelRoutine(Irp, NULL);
	if (routine == NULL) {
		IoReleaseCancelSpinLock(irql);
		return FALSE;
	}
	if (Irp->CurrentLocation > Irp->StackCount)
		NT_BUG("irp %p has a cancel routine and no driver", (void *)Irp);
	Irp->CancelIrql = irql;
	routine(IoGetCurrentIrpStackLocation(Irp)->DeviceObject, Irp);
	return TRUE;
}
