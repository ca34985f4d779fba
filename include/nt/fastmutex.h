/* fastmutex.h - mutexes that are not recursive: FAST_MUTEX raises to APC_LEVEL, KGUARDED_MUTEX does not. */
#ifndef NT_FASTMUTEX_H
#define NT_FASTMUTEX_H

#include "event.h"
#include "tsa.h"

typedef struct RX_LOCK_TYPE _FAST_MUTEX {
	volatile LONG State; /* 0 free, 1 held, 2 held and waited for */
	ULONG OldIrql;
	struct nt_thread *Owner;
} FAST_MUTEX, *PFAST_MUTEX;

typedef FAST_MUTEX KGUARDED_MUTEX, *PKGUARDED_MUTEX;

VOID ExInitializeFastMutex(PFAST_MUTEX FastMutex);
VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex) RX_ACQUIRES(*FastMutex);
BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex) RX_TRY_ACQUIRES(TRUE, *FastMutex);
VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex) RX_RELEASES(*FastMutex);
VOID ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex) RX_ACQUIRES(*FastMutex);
VOID ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex) RX_RELEASES(*FastMutex);
BOOLEAN nt_fast_mutex_is_mine(const FAST_MUTEX *FastMutex);
VOID KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex);
VOID KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex) RX_ACQUIRES(*Mutex);
VOID KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex) RX_RELEASES(*Mutex);
BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex) RX_TRY_ACQUIRES(TRUE, *Mutex);

#endif
