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

/* state.c */

/* An open at the server has ended: without another one nothing is granted any more. Locks: FCB exclusive. */
void rx_buffering_open_ended(PFCB fcb);

/* change.c */

/* An open has been bound to its key, or has failed: requests that waited for it may be mapped. Any level. */
void rx_buffering_look_again(PSRV_CALL sc);
/*
 * What waits for this open is dropped, or goes to another open of the file that has the same key.
 * Locks: FCB exclusive.
 */
void rx_buffering_drop_requests(PSRV_OPEN so);

#endif
