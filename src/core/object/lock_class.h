/*
 * lock_class.h - the lock classes of the core, in acquisition order, for clang's thread-safety analysis.
 *
 *   name table      RX_PREFIX_TABLE.TableLock of a device (the NetName lock)
 *   FCB table       RX_FCB_TABLE.TableLock of a NET_ROOT
 *   FCB             NON_PAGED_FCB.HeaderResource, the FCB regular resource
 *   scavenger       the lists of what is finalized later
 *   leaf            spin locks and fast mutexes under which nothing else is taken
 *
 * Locks:  none; the objects are only named in annotations (tsa.h).
 */
#ifndef RX_CORE_OBJECT_LOCK_CLASS_H
#define RX_CORE_OBJECT_LOCK_CLASS_H

#include "tsa.h"

extern struct rx_lock_class rx_class_name_table;
extern struct rx_lock_class rx_class_fcb_table RX_ORDER_AFTER(rx_class_name_table);
extern struct rx_lock_class rx_class_fcb RX_ORDER_AFTER(rx_class_fcb_table);
extern struct rx_lock_class rx_class_scavenger RX_ORDER_AFTER(rx_class_fcb);
extern struct rx_lock_class rx_class_leaf RX_ORDER_AFTER(rx_class_scavenger);

#endif
