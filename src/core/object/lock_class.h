/*
 * lock_class.h - one never-locked object per rank of the core's lock order, for clang's thread-safety analysis.
 *
 * Owns:   the acquisition order. Outermost first:
 *           name table       RX_PREFIX_TABLE.TableLock of the device (NetName)
 *           FCB table        RX_FCB_TABLE.TableLock of a NET_ROOT
 *           FCB resource     NON_PAGED_FCB.HeaderResource
 *           scavenger        list of dormant FOBXs and of objects marked for later
 *           leaf             spin locks and fast mutexes under which nothing else is taken
 * Locks:  none; the objects are only named in annotations.
 */
#ifndef RX_CORE_OBJECT_LOCK_CLASS_H
#define RX_CORE_OBJECT_LOCK_CLASS_H

#if defined(__clang__)
#define RX_TSA(attr) __attribute__((attr))
#else
#define RX_TSA(attr)
#endif
#define RX_LOCK_CLASS RX_TSA(capability("lock class"))
#define RX_GUARDED_BY(c) RX_TSA(guarded_by(c))
#define RX_PT_GUARDED_BY(c) RX_TSA(pt_guarded_by(c))
#define RX_ORDER_AFTER(...) RX_TSA(acquired_after(__VA_ARGS__))
#define RX_REQUIRES(...) RX_TSA(requires_capability(__VA_ARGS__))
#define RX_REQUIRES_SHARED(...) RX_TSA(requires_shared_capability(__VA_ARGS__))
#define RX_EXCLUDES(...) RX_TSA(locks_excluded(__VA_ARGS__))
#define RX_ACQUIRES(...) RX_TSA(acquire_capability(__VA_ARGS__))
#define RX_ACQUIRES_SHARED(...) RX_TSA(acquire_shared_capability(__VA_ARGS__))
#define RX_TRY_ACQUIRES(...) RX_TSA(try_acquire_capability(__VA_ARGS__))
#define RX_RELEASES(...) RX_TSA(release_generic_capability(__VA_ARGS__))
#define RX_ASSERTS_HELD(...) RX_TSA(assert_capability(__VA_ARGS__))
#define RX_ASSERTS_SHARED(...) RX_TSA(assert_shared_capability(__VA_ARGS__))
#define RX_NO_TSA RX_TSA(no_thread_safety_analysis)

struct RX_LOCK_CLASS rx_lock_class {
	char unused;
};

extern struct rx_lock_class rx_class_name_table;
extern struct rx_lock_class rx_class_fcb_table RX_ORDER_AFTER(rx_class_name_table);
extern struct rx_lock_class rx_class_fcb RX_ORDER_AFTER(rx_class_fcb_table);
extern struct rx_lock_class rx_class_scavenger RX_ORDER_AFTER(rx_class_fcb);
extern struct rx_lock_class rx_class_leaf RX_ORDER_AFTER(rx_class_scavenger);

#endif
