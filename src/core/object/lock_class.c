/*
 * lock_class.c - storage of the lock class objects; nobody reads or writes them.
 */
#include "core/object/lock_class.h"

struct rx_lock_class rx_class_name_table;
struct rx_lock_class rx_class_fcb_table;
struct rx_lock_class rx_class_fcb;
struct rx_lock_class rx_class_scavenger;
struct rx_lock_class rx_class_leaf;
