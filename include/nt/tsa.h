/*
 * tsa.h - clang's thread-safety attributes, and nothing with other compilers.
 *
 * Spin locks and fast mutexes are known to the analysis one by one: a routine that returns with one held, or gives one
 * back that it has not, does not compile unless it says so. A lock class stands for every lock of one kind: an object
 * that is never locked itself, so that fields and routines can name it.
 *
 * A routine that gives a lock up in its middle is RX_NO_TSA where the caller knows the lock by another expression.
 */
#ifndef NT_TSA_H
#define NT_TSA_H

#if defined(__clang__)
#define RX_TSA(attr) __attribute__((attr))
#else
#define RX_TSA(attr)
#endif
#define RX_LOCK_CLASS RX_TSA(capability("lock class"))
#define RX_LOCK_TYPE RX_TSA(capability("mutex"))
#define RX_GUARDED_BY(c) RX_TSA(guarded_by(c))
#define RX_PT_GUARDED_BY(c) RX_TSA(pt_guarded_by(c))
#define RX_ORDER_AFTER(...) RX_TSA(acquired_after(__VA_ARGS__))
#define RX_REQUIRES(...) RX_TSA(requires_capability(__VA_ARGS__))
#define RX_REQUIRES_SHARED(...) RX_TSA(requires_shared_capability(__VA_ARGS__))
#define RX_EXCLUDES(...) RX_TSA(locks_excluded(__VA_ARGS__))
#define RX_ACQUIRES(...) RX_TSA(acquire_capability(__VA_ARGS__))
#define RX_ACQUIRES_SHARED(...) RX_TSA(acquire_shared_capability(__VA_ARGS__))
#define RX_TRY_ACQUIRES(...) RX_TSA(try_acquire_capability(__VA_ARGS__))
#define RX_TRY_ACQUIRES_SHARED(...) RX_TSA(try_acquire_shared_capability(__VA_ARGS__))
#define RX_RELEASES(...) RX_TSA(release_generic_capability(__VA_ARGS__))
#define RX_ASSERTS_HELD(...) RX_TSA(assert_capability(__VA_ARGS__))
#define RX_ASSERTS_HELD_SHARED(...) RX_TSA(assert_shared_capability(__VA_ARGS__))
#define RX_NO_TSA RX_TSA(no_thread_safety_analysis)

struct RX_LOCK_CLASS rx_lock_class {
	char unused;
};

#endif
