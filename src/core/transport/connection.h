/*
 * connection.h - what the race for a connection shares with connection.c.
 */
#ifndef RX_CORE_TRANSPORT_CONNECTION_H
#define RX_CORE_TRANSPORT_CONNECTION_H

#include "core/transport/engine.h"

/* False: there is no address of the transport's family. */
bool rx_ce_remote_of(PRXCE_TRANSPORT transport, PRXCE_CONNECTION_INFORMATION information,
		     struct rx_ce_remote *remote);
/* The information has passed rx_ce_remote_of(). */
void rx_ce_connection_init(PRXCE_CONNECTION connection, PRXCE_ADDRESS address,
			   PRXCE_CONNECTION_INFORMATION information, PRXCE_CONNECTION_EVENT_HANDLER handler,
			   PVOID context);
/* The circuit is the VC's from here. Blocks shortly. */
void rx_ce_vc_init(PRXCE_VC vc, PRXCE_CONNECTION connection, struct rx_ce_circuit *circuit);

#endif
