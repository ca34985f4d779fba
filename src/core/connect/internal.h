/*
 * internal.h - between the files of this room.
 */
#ifndef RX_CORE_CONNECT_INTERNAL_H
#define RX_CORE_CONNECT_INTERNAL_H

#include "core/connect/connect.h"
#include "core/object/lock_class.h"

/* A name that objects come and go under is looked up again this often before the request gives up. */
#define RX_CONNECT_ATTEMPTS 16

/*
 * The name table held exclusive across routines that may drop it. The DDI's LOCK_HOLDING_STATE says on return
 * whether it is held; these two keep it true.
 */
void rx_connect_lock(PRDBSS_DEVICE_OBJECT dev, PLOCK_HOLDING_STATE state);
void rx_connect_unlock(PRDBSS_DEVICE_OBJECT dev, PLOCK_HOLDING_STATE state);

/*
 * Waits, without the name table, until the object is built or has failed, and takes the table again. The caller
 * refers to the object. STATUS_CANCELLED, or STATUS_SUCCESS: look at its condition.
 */
NTSTATUS rx_connect_wait(PRX_CONTEXT rxc, PRX_BLOCK_CONDITION condition, PLIST_ENTRY list,
			 PLOCK_HOLDING_STATE state);

/*
 * condition.c: this thread waits, even for a request that would rather be posted. STATUS_CANCELLED, or
 * STATUS_SUCCESS: the condition is stable. Locks: no table.
 */
NTSTATUS rx_condition_wait(PRX_BLOCK_CONDITION condition, PLIST_ENTRY list, PRX_CONTEXT rxc);

/* May this create use the view? Its credentials, where it brings any, must be the view's. */
NTSTATUS rx_view_check_credentials(PV_NET_ROOT vnr, PRX_CONTEXT rxc);

#endif
