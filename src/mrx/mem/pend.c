/*
 * pend.c - completes pending calls from a thread of its own, in an order nobody can guess.
 *
 * Owns:   the queue of pending calls and the completer thread, from MRxStart to MRxStop.
 * Locks:  mrx_mem.pended_lock, a leaf spin lock.
 */
#include "mem.h"

static struct mem_pended *pended_of(PRX_CONTEXT RxContext)
{
	return (struct mem_pended *)&RxContext->MRxContext[0];
}

/* *stopping: the queue is empty and stays so, because MRxStop comes after the last request. */
static struct mem_pended *take_any(bool *stopping)
{
	struct mem_pended *pended = NULL;
	PLIST_ENTRY at;
	KIRQL irql;
	ULONG skip;

	KeAcquireSpinLock(&mrx_mem.pended_lock, &irql);
	if (mrx_mem.pended_count > 0) {
		skip = (ULONG)(nt_random() % mrx_mem.pended_count);
		for (at = mrx_mem.pended.Flink; skip > 0; skip--)
			at = at->Flink;
		RemoveEntryList(at);
		mrx_mem.pended_count--;
		pended = CONTAINING_RECORD(at, struct mem_pended, link);
	}
	*stopping = pended == NULL && mrx_mem.stopping;
	KeReleaseSpinLock(&mrx_mem.pended_lock, irql);
	return pended;
}

static void completer_main(void *unused)
{
	(void)unused;
	while (true) {
		bool stopping;
		struct mem_pended *pended = take_any(&stopping);

		if (pended != NULL) {
			pended->complete(CONTAINING_RECORD((PVOID *)pended, RX_CONTEXT, MRxContext[0]));
			continue;
		}
		if (stopping)
			return;
		KeWaitForSingleObject(&mrx_mem.pended_event, Executive, KernelMode, FALSE, NULL);
	}
}

NTSTATUS mem_pend_start(void)
{
	KeInitializeSpinLock(&mrx_mem.pended_lock);
	InitializeListHead(&mrx_mem.pended);
	KeInitializeEvent(&mrx_mem.pended_event, SynchronizationEvent, FALSE);
	mrx_mem.pended_count = 0;
	mrx_mem.stopping = false;
	return nt_thread_create("mem-complete", completer_main, NULL, &mrx_mem.completer);
}

void mem_pend_stop(void)
{
	KIRQL irql;

	if (mrx_mem.completer == NULL)
		return;
	KeAcquireSpinLock(&mrx_mem.pended_lock, &irql);
	mrx_mem.stopping = true;
	KeReleaseSpinLock(&mrx_mem.pended_lock, irql);
	KeSetEvent(&mrx_mem.pended_event, IO_NO_INCREMENT, FALSE);
	nt_thread_join(mrx_mem.completer);
	mrx_mem.completer = NULL;
}

void mem_pend(PRX_CONTEXT RxContext, void (*complete)(PRX_CONTEXT RxContext))
{
	struct mem_pended *pended = pended_of(RxContext);
	KIRQL irql;

	pended->complete = complete;
	KeAcquireSpinLock(&mrx_mem.pended_lock, &irql);
	InsertTailList(&mrx_mem.pended, &pended->link);
	mrx_mem.pended_count++;
	KeReleaseSpinLock(&mrx_mem.pended_lock, irql);
	KeSetEvent(&mrx_mem.pended_event, IO_NO_INCREMENT, FALSE);
}

static void complete_low_io(PRX_CONTEXT RxContext)
{
	(void)RxLowIoCompletion(
		RxContext); /* its value only says that we shall not touch the context again */
}

NTSTATUS mem_pend_low_io(PRX_CONTEXT RxContext, NTSTATUS status, ULONG_PTR information)
{
	RxContext->StoredStatus = status;
	RxContext->InformationToReturn = information;
	mem_pend(RxContext, complete_low_io);
	return STATUS_PENDING;
}

/* What changed, in the caller's buffer; too small a buffer tells it to look for itself. */
static void answer_notify(PRX_CONTEXT RxContext, struct mem_wakeup *wakeup)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	PVOID buffer = low->ParamsFor.NotifyChangeDirectory.pNotificationBuffer;

	if (wakeup->status != STATUS_SUCCESS) {
		(void)mem_pend_low_io(RxContext, wakeup->status, 0);
	} else if (buffer == NULL ||
		   wakeup->news->length > low->ParamsFor.NotifyChangeDirectory.NotificationBufferLength) {
		(void)mem_pend_low_io(RxContext, STATUS_NOTIFY_ENUM_DIR, 0);
	} else {
		RtlCopyMemory(buffer, wakeup->news->bytes, wakeup->news->length);
		(void)mem_pend_low_io(RxContext, STATUS_SUCCESS, wakeup->news->length);
	}
}

void mem_run_wakeups(struct mem_wakeups *wake)
{
	while (!IsListEmpty(&wake->list)) {
		struct mem_wakeup *wakeup =
			CONTAINING_RECORD(RemoveHeadList(&wake->list), struct mem_wakeup, link);
		PRX_CONTEXT RxContext = wakeup->request;

		if (RxContext->LowIoContext.Operation == LOWIO_OP_NOTIFY_CHANGE_DIRECTORY)
			answer_notify(RxContext, wakeup);
		else
			(void)mem_pend_low_io(RxContext, wakeup->status, 0);
		mem_wakeup_free(wakeup);
	}
}
