/* fastmutex.h - mutexes that are not recursive: FAST_MUTEX raises to APC_LEVEL, KGUARDED_MUTEX does not. */
#ifndef NT_FASTMUTEX_H
#define NT_FASTMUTEX_H

#include "event.h"

typedef struct _FAST_MUTEX {
	volatile LONG State; /* 0 free, 1 held, 2 held and waited for */
	ULONG OldIrql;
	struct nt_thread *Owner;
} FAST_MUTEX, *PFAST_MUTEX;

typedef FAST_MUTEX KGUARDED_MUTEX, *PKGUARDED_MUTEX;

VOID ExInitializeFastMutex(PFAST_MUTEX FastMutex);
VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex);
BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex);
VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex);
VOID ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex);
VOID ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex);
BOOLEAN nt_fast_mutex_is_mine(const FAST_MUTEX *FastMutex);
VOID KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex);
VOID KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);
VOID KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex);
BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);

#endif
