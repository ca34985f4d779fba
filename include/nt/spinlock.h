/*
 * spinlock.h - spin locks and the interrupt request level, which here is a number each thread carries: what the
 * documents forbid at a level is checked, not merely hoped.
 */
#ifndef NT_SPINLOCK_H
#define NT_SPINLOCK_H

#include "ntdef.h"
#include "tsa.h"

#define PASSIVE_LEVEL 0
#define LOW_LEVEL 0
#define APC_LEVEL 1
#define DISPATCH_LEVEL 2
#define DPC_LEVEL 2

/* Low half: free, held, held and waited for; high half: who holds it. */
typedef ULONG_PTR KSPIN_LOCK RX_LOCK_TYPE;
typedef KSPIN_LOCK *PKSPIN_LOCK;

KIRQL KeGetCurrentIrql(void);
VOID nt_raise_irql(KIRQL NewIrql, PKIRQL OldIrql);
#define KeRaiseIrql(new, old) nt_raise_irql((new), (old))
VOID KeLowerIrql(KIRQL NewIrql);

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock);
KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock) RX_ACQUIRES(*SpinLock);
#define KeAcquireSpinLock(lock, old) (*(old) = KeAcquireSpinLockRaiseToDpc(lock))
VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql) RX_RELEASES(*SpinLock);
VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) RX_ACQUIRES(*SpinLock);
VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock) RX_RELEASES(*SpinLock);
BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) RX_TRY_ACQUIRES(TRUE, *SpinLock);

/* The handle is the caller's, on its stack; it remembers the lock and the level. */
typedef struct _KLOCK_QUEUE_HANDLE {
	PKSPIN_LOCK Lock;
	KIRQL OldIrql;
} KLOCK_QUEUE_HANDLE, *PKLOCK_QUEUE_HANDLE;

VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);
VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle);

ULONG ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock);
PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY Head, PLIST_ENTRY Entry, PKSPIN_LOCK Lock);
PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY Head, PLIST_ENTRY Entry, PKSPIN_LOCK Lock);
PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY Head, PKSPIN_LOCK Lock);

/* Stops the process when the caller holds a spin lock or runs in a timer or completion at DISPATCH_LEVEL. */
void rx_assert_may_block(void);

/* Interlocked operations; each is a scheduling point of the sim executive. */
extern bool nt_sim_active;
void nt_sim_switch_point(void);

/* A scheduling point: under sim somebody else may run here; under posix nothing happens. */
static inline void nt_sim_point(void)
{
	if (__builtin_expect(nt_sim_active, 0))
		nt_sim_switch_point();
}

#define InterlockedIncrement(p) \
	(nt_sim_point(), __atomic_add_fetch((volatile LONG *)(p), 1, __ATOMIC_SEQ_CST))
#define InterlockedDecrement(p) \
	(nt_sim_point(), __atomic_sub_fetch((volatile LONG *)(p), 1, __ATOMIC_SEQ_CST))
#define InterlockedIncrement64(p) \
	(nt_sim_point(), __atomic_add_fetch((volatile LONG64 *)(p), 1, __ATOMIC_SEQ_CST))
#define InterlockedDecrement64(p) \
	(nt_sim_point(), __atomic_sub_fetch((volatile LONG64 *)(p), 1, __ATOMIC_SEQ_CST))
#define InterlockedAdd(p, v) (nt_sim_point(), __atomic_add_fetch((volatile LONG *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedAdd64(p, v) \
	(nt_sim_point(), __atomic_add_fetch((volatile LONG64 *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedExchangeAdd(p, v) \
	(nt_sim_point(), __atomic_fetch_add((volatile LONG *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedExchangeAdd64(p, v) \
	(nt_sim_point(), __atomic_fetch_add((volatile LONG64 *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedExchange(p, v) \
	(nt_sim_point(), __atomic_exchange_n((volatile LONG *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedExchange64(p, v) \
	(nt_sim_point(), __atomic_exchange_n((volatile LONG64 *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedAnd(p, v) (nt_sim_point(), __atomic_fetch_and((volatile LONG *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedOr(p, v) (nt_sim_point(), __atomic_fetch_or((volatile LONG *)(p), (v), __ATOMIC_SEQ_CST))
#define InterlockedXor(p, v) (nt_sim_point(), __atomic_fetch_xor((volatile LONG *)(p), (v), __ATOMIC_SEQ_CST))

static inline LONG InterlockedCompareExchange(volatile LONG *p, LONG exchange, LONG comperand)
{
	nt_sim_point();
	__atomic_compare_exchange_n(p, &comperand, exchange, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return comperand;
}

static inline LONG64 InterlockedCompareExchange64(volatile LONG64 *p, LONG64 exchange, LONG64 comperand)
{
	nt_sim_point();
	__atomic_compare_exchange_n(p, &comperand, exchange, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return comperand;
}

static inline PVOID nt_compare_exchange_pointer(void *volatile *p, PVOID exchange, PVOID comperand)
{
	nt_sim_point();
	__atomic_compare_exchange_n(p, &comperand, exchange, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return comperand;
}
#define InterlockedCompareExchangePointer(p, e, c) \
	nt_compare_exchange_pointer((void *volatile *)(p), (e), (c))
#define InterlockedExchangePointer(p, v) \
	(nt_sim_point(), __atomic_exchange_n((void *volatile *)(p), (void *)(v), __ATOMIC_SEQ_CST))
#define KeMemoryBarrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define YieldProcessor() nt_sim_point()

#endif
