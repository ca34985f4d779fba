/*
 * submit.c - handing a request that may pend to the mini-redirector.
 *
 * Owns:   LOWIO_CONTEXT between preparation and the call-down.
 * Locks:  the caller holds the FCB, shared or exclusive, or nothing (LowIoContext.Resource NULL). For an
 *         asynchronous request the resource changes owner to the LOWIO_CONTEXT before the call-down, because
 *         the completion may run, on another thread, before the call-down returns.
 *
 *   prepared --sync request--> submitted --status--> completion routine on this thread
 *                                        --PENDING-> this thread waits on SyncEvent, then the same
 *   prepared --async request-> re-owned, submitted --status--> completion routine on this thread
 *                                                  --PENDING-> the context is the driver's; RxLowIoCompletion
 */
#include "core/lowio/core_lowio.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "core/minirdr/calldown.h"

void rx_lowio_prepare(PRX_CONTEXT rxc, USHORT operation)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	RtlZeroMemory(lowio, sizeof(*lowio));
	lowio->Operation = operation;
	lowio->ResourceThreadId = ExGetCurrentResourceThread();
	if (rxc->FcbResourceAcquired)
		lowio->Resource = rxc->pFcb->Header.Resource;
	if ((rxc->Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION) == 0)
		lowio->Flags |= LOWIO_CONTEXT_FLAG_SYNCCALL;
}

NTSTATUS rx_lowio_lock_buffer(PRX_CONTEXT rxc, PIRP irp, LOCK_OPERATION access, ULONG length)
{
	NTSTATUS status = STATUS_SUCCESS;

	if (length > 0)
		status = rx_lock_user_buffer(rxc, irp, access, length);
	rxc->LowIoContext.ParamsFor.ReadWrite.Buffer = irp->MdlAddress;
	return status;
}

/**
 * RxLowIoGetBufferAddress - the data of a read or write, mapped
 *
 * Return: the address; NULL when ByteCount is 0 or the buffer cannot be mapped.
 * Page:   lowio/RxLowIoGetBufferAddress.
 */
PVOID RxLowIoGetBufferAddress(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT lowio = &RxContext->LowIoContext;

	if (lowio->ParamsFor.ReadWrite.ByteCount == 0 || lowio->ParamsFor.ReadWrite.Buffer == NULL)
		return NULL;
	return MmGetSystemAddressForMdlSafe(lowio->ParamsFor.ReadWrite.Buffer, NormalPagePriority);
}

/* From here the resource belongs to the request, whatever thread ends it. */
static RX_NO_TSA void rx_lowio_take_resource(PRX_CONTEXT rxc)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;
	ULONG_PTR owner = (ULONG_PTR)lowio | 3; /* the low bits tell an owner pointer from a thread */

	if (lowio->Resource == NULL)
		return;
	ExSetResourceOwnerPointer(lowio->Resource, (PVOID)owner);
	lowio->ResourceThreadId = (ERESOURCE_THREAD)owner;
}

static NTSTATUS rx_lowio_submit_sync(PRX_CONTEXT rxc)
{
	NTSTATUS status;

	KeClearEvent(&rxc->SyncEvent);
	rx_lowio_hand_out(rxc);
	status = rx_call_low_io_submit(rxc);
	if (status == STATUS_PENDING) {
		nt_wait_for_answer(&rxc->SyncEvent);
		status = rxc->StoredStatus;
	} else {
		(void)rx_lowio_take_back(rxc,
					 "MRxLowIOSubmit"); /* false: completed as well; this status counts */
	}
	rxc->StoredStatus = status;
	return rxc->LowIoContext.CompletionRoutine(rxc);
}

static NTSTATUS rx_lowio_submit_async(PRX_CONTEXT rxc, PIRP irp)
{
	NTSTATUS status;

	/* both before the call-down: the completion may run first */
	IoMarkIrpPending(irp);
	rx_lowio_take_resource(rxc);
	/* ours, so that a driver that completes and answers as well is found out, and not served again */
	InterlockedIncrement((volatile LONG *)&rxc->ReferenceCount);
	rx_lowio_hand_out(rxc);

	status = rx_call_low_io_submit(rxc);
	if (status != STATUS_PENDING && rx_lowio_take_back(rxc, "MRxLowIOSubmit")) {
		/* the driver answered at once; nobody else knows the request: complete it as any other */
		rxc->StoredStatus = status;
		(void)rx_lowio_finish(rxc);
	}
	RxDereferenceAndDeleteRxContext(rxc);
	return STATUS_PENDING;
}

/**
 * RxLowIoSubmit - call the mini-redirector's MRxLowIOSubmit slot of LowIoContext.Operation
 * @RxContext:         [in] prepared; its parameters are set
 * @Irp:               [in] its IRP
 * @Fcb:               [in] its FCB
 * @CompletionRoutine: [in] turns StoredStatus and InformationToReturn into the request's end; runs exactly
 *                     once, on this thread or on the one that completes; returns the status for the IRP
 *
 * Locks:  FCB as LowIoContext.Resource says; released by rx_lowio_release_resource(), by the completion
 *         routine's caller, on every path but a synchronous one, where the caller releases it.
 * Return: STATUS_PENDING: the context is not the caller's any more and its IRP is or will be completed.
 *         Anything else (synchronous requests only): the status for the IRP.
 */
NTSTATUS RxLowIoSubmit(PRX_CONTEXT RxContext, PIRP Irp, PFCB Fcb, PLOWIO_COMPLETION_ROUTINE CompletionRoutine)
{
	(void)Fcb;
	RxContext->LowIoContext.CompletionRoutine = CompletionRoutine;
	RxContext->InformationToReturn = 0;
	RxContext->StoredStatus = STATUS_SUCCESS;
	if ((RxContext->LowIoContext.Flags & LOWIO_CONTEXT_FLAG_SYNCCALL) != 0)
		return rx_lowio_submit_sync(RxContext);
	return rx_lowio_submit_async(RxContext, Irp);
}
