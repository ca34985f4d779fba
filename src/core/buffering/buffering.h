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

/* request.c */

/* The open will be told of changes, whatever memory there is. False: it will not. Locks: FCB exclusive. */
bool rx_request_keep_spare(PSRV_OPEN so);
/* Its key is known. Locks: FCB exclusive. */
void rx_request_name_spare(PSRV_OPEN so);
/* It will not be told of anything any more. Locks: FCB exclusive. */
void rx_request_drop_spare(PSRV_OPEN so);
/*
 * @so: NULL: to be found by its key. Any level. NULL: there is no memory; when the key has another request on its way that has
 * no memory either, that one stands for both.
 */
PCHANGE_BUFFERING_STATE_REQUEST rx_request_create(PRX_BUFFERING_MANAGER manager, PSRV_OPEN so, PVOID key,
						  PVOID mrx_context);
/* Return: another break of the key came meanwhile, and nobody knows to what. Any level. */
bool rx_request_end(PRX_BUFFERING_MANAGER manager, PCHANGE_BUFFERING_STATE_REQUEST request);

/* state.c */

/*
 * RxChangeBufferingState; the locks of @told, which the server does not know, are left to the caller (NULL: nobody's).
 * Return: false: data that the server must have before the change is answered it has not.
 * Locks: FCB exclusive.
 */
bool rx_buffering_change(PSRV_OPEN so, PVOID context, bool compute, PSRV_OPEN told);
/* Nothing is granted any more, and nobody is told. Locks: FCB exclusive. Blocks while data is written back. */
void rx_buffering_end(PSRV_OPEN so);

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
