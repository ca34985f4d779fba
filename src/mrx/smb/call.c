/*
 * call.c - exchanges on behalf of an RX_CONTEXT, and how its cancel reaches them.
 *
 * Owns:   RX_CONTEXT.MRxContext[0]: the struct smb_call of the request in the server's hands; [1]: the finisher of a
 *         low-I/O request.
 * Locks:  mrx_smb.call_lock, a leaf, between the canceller and the end of the call: while a call is attached its
 *         exchanges are there.
 */
#include "mrx/smb/smb.h"

#define SMB_TAG_CALL 'lBmS'

/* MRxCancelRoutine: runs on the canceller's thread. */
static NTSTATUS smb_call_cancel(PRX_CONTEXT RxContext)
{
	struct smb_call *call;
	unsigned int i;
	KIRQL irql;

	KeAcquireSpinLock(&mrx_smb.call_lock, &irql);
	call = RxContext->MRxContext[0];
	if (call != NULL && call->given_up != NULL)
		(void)KeSetEvent(call->given_up, IO_NO_INCREMENT, FALSE);
	else if (call != NULL)
		for (i = 0; i < call->count; i++)
			smb_exchange_cancel(call->x[i]); /* only posts to the loop */
	KeReleaseSpinLock(&mrx_smb.call_lock, irql);
	return STATUS_SUCCESS;
}

static void smb_call_set(PRX_CONTEXT RxContext, struct smb_call *call)
{
	KIRQL irql;

	KeAcquireSpinLock(&mrx_smb.call_lock, &irql);
	RxContext->MRxContext[0] = call;
	KeReleaseSpinLock(&mrx_smb.call_lock, irql);
}

NTSTATUS smb_call_attach(PRX_CONTEXT RxContext, struct smb_call *call)
{
	NTSTATUS status;

	smb_call_set(RxContext, call);
	status = RxSetMinirdrCancelRoutine(RxContext, smb_call_cancel);
	if (status == STATUS_SUCCESS)
		return STATUS_SUCCESS;
	smb_call_set(RxContext, NULL);
	return STATUS_CANCELLED;
}

void smb_call_detach(PRX_CONTEXT RxContext)
{
	(void)RxSetMinirdrCancelRoutine(RxContext, NULL); /* a canceller at work finds nothing below */
	smb_call_set(RxContext, NULL);
}

void smb_call_count(PRX_CONTEXT RxContext, struct smb_exchange *x)
{
	if (RxContext->CurrentIrp != NULL)
		x->operation = nt_irp_operation(RxContext->CurrentIrp);
}

NTSTATUS smb_run(PRX_CONTEXT RxContext, struct smb_exchange *x)
{
	struct smb_call call = {1, &x, NULL};
	NTSTATUS status = smb_call_attach(RxContext, &call);

	if (status != STATUS_SUCCESS)
		return status;
	smb_call_count(RxContext, x);
	status = smb_exchange_run(x);
	smb_call_detach(RxContext);
	return status;
}

NTSTATUS smb_await(PRX_CONTEXT RxContext, struct smb_exchange *x)
{
	KEVENT given_up;
	PVOID either[2] = {&x->done, &given_up};
	struct smb_call call = {1, &x, &given_up};
	NTSTATUS status;

	KeInitializeEvent(&given_up, NotificationEvent, FALSE);
	status = smb_call_attach(RxContext, &call);
	if (status != STATUS_SUCCESS)
		return status;
	/* ends: as smb_exchange_run() */
	status = KeWaitForMultipleObjects(2, either, WaitAny, Executive, KernelMode, FALSE, NULL, NULL);
	smb_call_detach(RxContext);
	return status == STATUS_WAIT_0 ? STATUS_SUCCESS : STATUS_CANCELLED;
}

/* ---- low I/O with one exchange ----------------------------------------------------------------------- */

struct smb_pended {
	struct smb_call call;
	struct smb_exchange *x;
	PRX_CONTEXT rxc;
	void (*finish)(PRX_CONTEXT RxContext, struct smb_exchange *x);
};

static void smb_pended_complete(struct smb_exchange *x)
{
	struct smb_pended *p = x->context;
	PRX_CONTEXT rxc = p->rxc;

	smb_call_set(rxc, NULL);
	p->finish(rxc, x);
	ExFreePoolWithTag(p, SMB_TAG_CALL);
	smb_exchange_put(x);
	(void)RxLowIoCompletion(rxc); /* from here the context is not ours */
}

NTSTATUS smb_pend(PRX_CONTEXT RxContext, struct smb_exchange *x,
		  void (*finish)(PRX_CONTEXT RxContext, struct smb_exchange *x))
{
	struct smb_pended *p = ExAllocatePoolZero(NonPagedPool, sizeof(*p), SMB_TAG_CALL);
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	if (p != NULL) {
		p->x = x;
		p->call.count = 1;
		p->call.x = &p->x;
		p->rxc = RxContext;
		p->finish = finish;
		status = smb_call_attach(RxContext, &p->call);
	}
	if (status != STATUS_SUCCESS) {
		if (p != NULL)
			ExFreePoolWithTag(p, SMB_TAG_CALL);
		smb_exchange_put(x);
		return status;
	}
	smb_call_count(RxContext, x);
	smb_exchange_submit(x, smb_pended_complete, p);
	return STATUS_PENDING;
}
