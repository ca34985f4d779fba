/*
 * connect.h - finding, building and ending connections, as the rest of the core sees them.
 */
#ifndef RX_CORE_CONNECT_CONNECT_H
#define RX_CORE_CONNECT_CONNECT_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

/* How many dormant opens a server may keep for us, until its mini-redirector says otherwise. */
#define RX_DEFAULT_CLOSE_DELAYED_FILES 1024

/*
 * What a mini-redirector works on while it connects. Part of the SRV_CALL, or V_NET_ROOT, and so as long-lived:
 * a callback that comes twice, or after the call returned a final status, finds memory and is ignored.
 */
struct rx_srv_call_construction {
	volatile LONG answered; /* 0 -> 1 by the first answer */
	MRX_SRVCALLDOWN_STRUCTURE calldown;
};

struct rx_v_net_root_construction {
	volatile LONG answered;
	MRX_CREATENETROOT_CONTEXT create;
};

#endif
