/*
 * engine.h - the connection engine's own parts: its loop, and the circuit behind a RXCE_VC.
 */
#ifndef RX_CORE_TRANSPORT_ENGINE_H
#define RX_CORE_TRANSPORT_ENGINE_H

#include <stdbool.h>

#include "ntifs.h"
#include "nt_net.h"
#include "rx.h"
#include "rxce.h"

#define RXCE_TRANSPORT_SIGNATURE 0x74436352u /* what each structure begins with while it is built */
#define RXCE_ADDRESS_SIGNATURE 0x61436352u
#define RXCE_CONNECTION_SIGNATURE 0x63436352u
#define RXCE_VC_SIGNATURE 0x76436352u

#define RX_CE_CONNECT_TIME (10 * 10 * 1000 * 1000ull) /* 100 ns, name resolution included */
#define RX_CE_RECEIVE_BYTES 65536

/* ---- transport.c ---- */

/* Both for the whole process; the loop lives while somebody has it. Blocks. */
NTSTATUS rx_ce_loop_get(struct nt_loop **loop);
void rx_ce_loop_put(void);

static inline bool rx_ce_is_transport(PRXCE_TRANSPORT transport)
{
	return transport != NULL && transport->Signature == RXCE_TRANSPORT_SIGNATURE;
}

static inline bool rx_ce_is_address(PRXCE_ADDRESS address)
{
	return address != NULL && address->Signature == RXCE_ADDRESS_SIGNATURE;
}

static inline bool rx_ce_is_connection(PRXCE_CONNECTION connection)
{
	return connection != NULL && connection->Signature == RXCE_CONNECTION_SIGNATURE;
}

static inline bool rx_ce_is_vc(PRXCE_VC vc)
{
	return vc != NULL && vc->Signature == RXCE_VC_SIGNATURE;
}

/* ---- circuit.c ---- */

struct rx_ce_remote {
	char host[64]; /* numeric */
	USHORT port;
};

/* On the loop, once: the stream is up, or why it is not. */
typedef void rx_ce_circuit_connected(struct rx_ce_circuit *circuit, void *context, NTSTATUS status);

/*
 * Owned by whoever started it, then by the RXCE_VC. Members without a remark belong to the loop's thread.
 */
struct rx_ce_circuit {
	struct nt_loop *loop;
	struct nt_stream *stream;
	rx_ce_circuit_connected *on_connected;
	void *on_connected_context;
	PRXCE_VC vc; /* NULL until it has one, and once nothing is to be reported any more */
	PRXCE_CONNECTION_EVENT_HANDLER handler;
	PVOID context;
	volatile LONG up;          /* any thread */
	volatile LONG transmitted; /* sends done; any thread */
	volatile LONG received;    /* indications; any thread */
	ULONG have;                /* bytes in buffer that nobody took */
	PMDL into;                 /* what the receive handler gave; NULL: none */
	ULONG into_wanted, into_have;
	struct nt_loop_task task;
	KEVENT done;
	UCHAR buffer[RX_CE_RECEIVE_BYTES];
};

/* Begins to connect. The caller refers to the loop for as long as the circuit is. */
NTSTATUS rx_ce_circuit_start(struct nt_loop *loop, const struct rx_ce_remote *remote,
			     rx_ce_circuit_connected *on_connected, void *context,
			     struct rx_ce_circuit **out);
/* From here the handler hears of it. (any thread; blocks) */
void rx_ce_circuit_give(struct rx_ce_circuit *circuit, PRXCE_VC vc, PRXCE_CONNECTION_EVENT_HANDLER handler,
			PVOID context);
/* The stream is closed and nothing is reported any more; the circuit stays. Blocks. */
void rx_ce_circuit_stop(struct rx_ce_circuit *circuit);
/* The same, and the circuit is gone. NULL allowed. */
void rx_ce_circuit_end(struct rx_ce_circuit *circuit);

#endif
