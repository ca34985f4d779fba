/*
 * buffering.h - who may buffer what, as the rest of the core sees it beyond the DDI (buffring.h).
 */
#ifndef RX_CORE_BUFFERING_BUFFERING_H
#define RX_CORE_BUFFERING_BUFFERING_H

#include "ntifs.h"
#include "rx.h"

/* keys.c */

/* True when the SRV_OPEN is bound to its server's key. Locks: takes the key mutex of the server. */
BOOLEAN rx_srv_open_key_is_bound(PSRV_OPEN so);

#endif
