/*
 * winner.c - connecting to a server: MRxCreateSrvCall, its answer, and MRxSrvCallWinnerNotify.
 *
 * Owns:      the construction context inside the SRV_CALL, while the condition is InTransition.
 * Found by:  the mini-redirector, through the callback context.
 * Locks:     name table exclusive to change the condition; none while the mini-redirector is called and while
 *            its answer is waited for, so that a server that does not answer stops only those who want it.
 * Dies when: the answer is there.
 *
 * The contract is STATUS_PENDING and one callback, from any thread at any level. A final status without a
 * callback counts as an answer at once; a second answer is ignored (E-10).
 */
#include "core/connect/internal.h"

#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/object/object.h"

void rx_connect_lock(PRDBSS_DEVICE_OBJECT dev, PLOCK_HOLDING_STATE state) RX_NO_TSA
{
	rx_name_table_lock(dev->pRxNetNameTable);
	*state = LHS_ExclusiveLockHeld;
}

void rx_connect_unlock(PRDBSS_DEVICE_OBJECT dev, PLOCK_HOLDING_STATE state) RX_NO_TSA
{
	*state = LHS_LockNotHeld;
	rx_name_table_unlock(dev->pRxNetNameTable);
}

/* The first answer wins; true for exactly one. */
static bool rx_answer_first(volatile LONG *answered)
{
	return InterlockedCompareExchange(answered, 1, 0) == 0;
}

/* The mini-redirector's answer; Status and RecommunicateContext are in the context. Any thread, any level. */
static VOID NTAPI rx_srv_call_answered(PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	PMRX_SRVCALLDOWN_STRUCTURE calldown = context->SrvCalldownStructure;
	struct rx_srv_call_construction *c =
		CONTAINING_RECORD(calldown, struct rx_srv_call_construction, calldown);

	if (!rx_answer_first(&c->answered)) {
		RxLog(("second answer for a server, %p", calldown->SrvCall));
		return;
	}
	KeSetEvent(&calldown->FinishEvent, IO_NETWORK_INCREMENT, FALSE);
}

static void rx_srv_call_begin(struct rx_srv_call_construction *c, PRX_CONTEXT rxc, PSRV_CALL sc)
{
	PMRX_SRVCALLDOWN_STRUCTURE calldown = &c->calldown;
	PMRX_SRVCALL_CALLBACK_CONTEXT context = &calldown->CallbackContexts[0];

	RtlZeroMemory(c, sizeof(*c));
	KeInitializeEvent(&calldown->FinishEvent, NotificationEvent, FALSE);
	InitializeListHead(&calldown->SrvCalldownList);
	calldown->RxContext = rxc;
	calldown->SrvCall = &sc->Mrx;
	calldown->CallBack = rx_srv_call_answered;
	calldown->NumberRemaining = calldown->NumberToWait = 1;
	context->SrvCalldownStructure = calldown;
	context->RxDeviceObject = sc->RxDeviceObject;
	context->Status = STATUS_BAD_NETWORK_PATH;
}

/* Asks the mini-redirector to connect and waits for the answer. Locks: none. */
static NTSTATUS rx_srv_call_ask(struct rx_srv_call_construction *c, PSRV_CALL sc)
{
	PMRX_SRVCALL_CALLBACK_CONTEXT context = &c->calldown.CallbackContexts[0];
	NTSTATUS status = rx_call_create_srv_call(&sc->Mrx, context);

	if (status != STATUS_PENDING) {
		RxLog(("sc=%lu answered without a callback: %lx", sc->SerialNumberForEnum, (ULONG)status));
		if (rx_answer_first(&c->answered)) {
			context->Status = status;
			return status;
		}
	}
	/* the driver bounds this wait: each of its steps has a time limit */
	(void)KeWaitForSingleObject(&c->calldown.FinishEvent, Executive, KernelMode, FALSE, NULL);
	return context->Status;
}

/* A status that says nothing about the server is not held against it. */
static bool rx_failure_is_the_servers(NTSTATUS status)
{
	return status != STATUS_CANCELLED && status != STATUS_RETRY &&
	       status != STATUS_INSUFFICIENT_RESOURCES;
}

/**
 * RxConstructSrvCall - connect to a server
 * @RxContext:         [in] the create that wants it
 * @Irp:               [in] its IRP
 * @SrvCall:           [in,out] a new record; the caller refers to it
 * @LockHoldingState:  [in,out] the name table
 *
 * Whoever finds the record meanwhile waits for its condition. A failure is remembered in the record.
 *
 * Context: PASSIVE_LEVEL; blocks as long as the mini-redirector takes.
 * Locks:   name table exclusive on entry and on return; drops it for the call-downs.
 * Return:  STATUS_SUCCESS, or why there is no connection.
 */
NTSTATUS RxConstructSrvCall(PRX_CONTEXT RxContext, PIRP Irp, PSRV_CALL SrvCall,
			    PLOCK_HOLDING_STATE LockHoldingState)
{
	PRDBSS_DEVICE_OBJECT dev = RxContext->RxDeviceObject;
	struct rx_srv_call_construction *c = SrvCall->Construction;
	NTSTATUS status;

	(void)Irp;
	RX_CHECK(*LockHoldingState == LHS_ExclusiveLockHeld && SrvCall->Condition == Condition_Uninitialized);
	RxUpdateCondition(Condition_InTransition, &SrvCall->Condition, &SrvCall->TransitionWaitList);
	RxContext->Create.pSrvCall = &SrvCall->Mrx;
	rx_srv_call_begin(c, RxContext, SrvCall);
	rx_connect_unlock(dev, LockHoldingState);

	status = rx_srv_call_ask(c, SrvCall);
	if (NT_SUCCESS(status)) {
		c->calldown.BestFinisher = dev;
		status = rx_call_srv_call_winner_notify(&SrvCall->Mrx, TRUE,
							c->calldown.CallbackContexts[0].RecommunicateContext);
	}

	rx_connect_lock(dev, LockHoldingState);
	SrvCall->Status = status;
	if (NT_SUCCESS(status)) {
		RxUpdateCondition(Condition_Good, &SrvCall->Condition, &SrvCall->TransitionWaitList);
	} else {
		if (rx_failure_is_the_servers(status))
			rx_srv_call_remember_failure(SrvCall, status);
		RxUpdateCondition(Condition_Bad, &SrvCall->Condition, &SrvCall->TransitionWaitList);
	}
	RxLog(("sc=%lu constructed %lx", SrvCall->SerialNumberForEnum, (ULONG)status));
	return status;
}
