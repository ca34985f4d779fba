/*
 * circuit.c - the stream behind a virtual circuit: how bytes come in, and its end.
 *
 * Owns:   struct rx_ce_circuit and its stream.
 * Locks:  none: everything but three counters belongs to the loop's thread.
 * Dies:   by rx_ce_circuit_end(), which waits until the loop has closed the stream.
 *
 * Bytes are indicated from one buffer. What the handler leaves is moved to its front and comes again with what
 * follows; a handler that leaves a full buffer cannot be served, and its circuit is ended.
 */
#include "core/transport/engine.h"

#define RX_TAG_CE_CIRCUIT 'cExR'

static void rx_ce_lost(struct rx_ce_circuit *circuit, NTSTATUS status)
{
	InterlockedExchange(&circuit->up, 0);
	if (circuit->into != NULL && circuit->handler->RxCeDataReadyEventHandler != NULL) {
		(void)circuit->handler->RxCeDataReadyEventHandler(circuit->context, circuit->into,
								  circuit->into_have, status);
		circuit->into = NULL;
	}
	if (circuit->vc != NULL && circuit->handler->RxCeDisconnectEventHandler != NULL)
		(void)circuit->handler->RxCeDisconnectEventHandler(circuit->context, circuit->vc, status);
}

static void rx_ce_connected(void *context, NTSTATUS status)
{
	struct rx_ce_circuit *circuit = context;

	if (NT_SUCCESS(status))
		InterlockedExchange(&circuit->up, 1);
	circuit->on_connected(circuit, circuit->on_connected_context, status);
}

static void rx_ce_recv_buffer(void *context, void **buffer, size_t *length)
{
	struct rx_ce_circuit *circuit = context;

	if (circuit->into != NULL) {
		*buffer = (PUCHAR)MmGetSystemAddressForMdlSafe(circuit->into, NormalPagePriority) +
			  circuit->into_have;
		*length = circuit->into_wanted - circuit->into_have;
		return;
	}
	*buffer = circuit->buffer + circuit->have;
	*length = sizeof(circuit->buffer) - circuit->have;
}

/* What the handler has left moves to the front. */
static void rx_ce_consume(struct rx_ce_circuit *circuit, ULONG bytes)
{
	circuit->have -= bytes;
	RtlMoveMemory(circuit->buffer, circuit->buffer + bytes, circuit->have);
}

static void rx_ce_data_ready(struct rx_ce_circuit *circuit)
{
	PMDL full = circuit->into;

	circuit->into = NULL;
	if (circuit->handler->RxCeDataReadyEventHandler != NULL)
		(void)circuit->handler->RxCeDataReadyEventHandler(circuit->context, full, circuit->into_have,
								  STATUS_SUCCESS);
}

/* The handler gave a buffer: what is here already goes there first. False: it gave a useless one. */
static bool rx_ce_take_buffer(struct rx_ce_circuit *circuit, PMDL mdl, ULONG wanted)
{
	ULONG here = circuit->have < wanted ? circuit->have : wanted;

	if (mdl == NULL || wanted == 0 || wanted > MmGetMdlByteCount(mdl))
		return false;
	RtlCopyMemory(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), circuit->buffer, here);
	rx_ce_consume(circuit, here);
	circuit->into = mdl;
	circuit->into_wanted = wanted;
	circuit->into_have = here;
	if (here == wanted)
		rx_ce_data_ready(circuit);
	return true;
}

/* One indication. True: there may be more to indicate at once. */
static bool rx_ce_indicate(struct rx_ce_circuit *circuit)
{
	ULONG taken = 0, wanted = 0;
	PMDL mdl = NULL;
	NTSTATUS status;

	InterlockedIncrement(&circuit->received);
	status = circuit->handler->RxCeReceiveEventHandler(circuit->context, circuit->vc, TDI_RECEIVE_NORMAL,
							   circuit->have, circuit->have, &taken,
							   circuit->buffer, &mdl, &wanted);
	RX_CHECK(taken <= circuit->have);
	rx_ce_consume(circuit, taken);
	if (status == STATUS_MORE_PROCESSING_REQUIRED)
		return rx_ce_take_buffer(circuit, mdl, wanted) && circuit->into == NULL;
	return taken != 0;
}

static void rx_ce_received(void *context, size_t length)
{
	struct rx_ce_circuit *circuit = context;

	if (circuit->into != NULL) {
		circuit->into_have += (ULONG)length;
		if (circuit->into_have == circuit->into_wanted)
			rx_ce_data_ready(circuit);
		return;
	}
	circuit->have += (ULONG)length;
	while (circuit->vc != NULL && circuit->have > 0 &&
	       circuit->handler->RxCeReceiveEventHandler != NULL && rx_ce_indicate(circuit))
		;
	if (circuit->have == sizeof(circuit->buffer) && circuit->into == NULL) {
		nt_stream_close(circuit->stream);
		circuit->stream = NULL;
		rx_ce_lost(circuit, STATUS_BUFFER_OVERFLOW);
	}
}

static void rx_ce_closed(void *context, NTSTATUS status)
{
	rx_ce_lost(context, status);
}

static const struct nt_stream_events rx_ce_events = {rx_ce_connected, rx_ce_recv_buffer, rx_ce_received,
						     rx_ce_closed};

NTSTATUS rx_ce_circuit_start(struct nt_loop *loop, const struct rx_ce_remote *remote,
			     rx_ce_circuit_connected *on_connected, void *context, struct rx_ce_circuit **out)
{
	struct rx_ce_circuit *circuit = ExAllocatePoolZero(NonPagedPool, sizeof(*circuit), RX_TAG_CE_CIRCUIT);
	NTSTATUS status;

	if (circuit == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	circuit->loop = loop;
	circuit->on_connected = on_connected;
	circuit->on_connected_context = context;
	KeInitializeEvent(&circuit->done, SynchronizationEvent, FALSE);
	*out = circuit; /* before the answer can come */
	status = nt_stream_connect(loop, remote->host, remote->port, RX_CE_CONNECT_TIME, &rx_ce_events,
				   circuit, &circuit->stream);
	if (!NT_SUCCESS(status)) {
		*out = NULL;
		ExFreePoolWithTag(circuit, RX_TAG_CE_CIRCUIT);
	}
	return status;
}

/* Runs fn on the loop and waits for it. */
static void rx_ce_on_loop(struct rx_ce_circuit *circuit, void (*fn)(struct nt_loop_task *task))
{
	rx_assert_may_block();
	circuit->task.fn = fn;
	nt_loop_post(circuit->loop, &circuit->task);
	(void)KeWaitForSingleObject(&circuit->done, Executive, KernelMode, FALSE, NULL);
}

struct rx_ce_gift {
	PRXCE_VC vc;
	PRXCE_CONNECTION_EVENT_HANDLER handler;
	PVOID context;
};

static void rx_ce_give_task(struct nt_loop_task *task)
{
	struct rx_ce_circuit *circuit = CONTAINING_RECORD(task, struct rx_ce_circuit, task);
	const struct rx_ce_gift *gift = circuit->on_connected_context;

	circuit->handler = gift->handler;
	circuit->context = gift->context;
	circuit->vc = gift->vc;
	if (circuit->have > 0)
		rx_ce_received(circuit, 0); /* the peer was the first to speak */
	if (InterlockedCompareExchange(&circuit->up, 0, 0) == 0)
		rx_ce_lost(circuit, STATUS_CONNECTION_DISCONNECTED); /* and the first to fall silent */
	KeSetEvent(&circuit->done, IO_NO_INCREMENT, FALSE);
}

void rx_ce_circuit_give(struct rx_ce_circuit *circuit, PRXCE_VC vc, PRXCE_CONNECTION_EVENT_HANDLER handler,
			PVOID context)
{
	struct rx_ce_gift gift = {vc, handler, context};

	circuit->on_connected_context = &gift; /* the connect is answered: the member is free */
	rx_ce_on_loop(circuit, rx_ce_give_task);
}

static void rx_ce_stop_task(struct nt_loop_task *task)
{
	struct rx_ce_circuit *circuit = CONTAINING_RECORD(task, struct rx_ce_circuit, task);

	InterlockedExchange(&circuit->up, 0);
	circuit->vc = NULL;
	if (circuit->stream != NULL)
		nt_stream_close(circuit->stream);
	circuit->stream = NULL;
	KeSetEvent(&circuit->done, IO_NO_INCREMENT, FALSE);
}

void rx_ce_circuit_stop(struct rx_ce_circuit *circuit)
{
	rx_ce_on_loop(circuit, rx_ce_stop_task);
}

void rx_ce_circuit_end(struct rx_ce_circuit *circuit)
{
	if (circuit == NULL)
		return;
	rx_ce_circuit_stop(circuit);
	ExFreePoolWithTag(circuit, RX_TAG_CE_CIRCUIT);
}
