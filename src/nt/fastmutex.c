/*
 * fastmutex.c - FAST_MUTEX and KGUARDED_MUTEX.
 *
 * Owns:   the holder: not recursive, released by the thread that acquired it.
 * Locks:  State is a short lock that may be held for long; waiters sleep.
 */
#include "nt/exec.h"

static void mutex_acquire(PFAST_MUTEX mutex, struct nt_thread *self)
{
	if (self->irql >= DISPATCH_LEVEL)
		NT_BUG("a mutex is acquired at IRQL %u", self->irql);
	nt_sim_point();
	if (!nt_word_try_lock(&mutex->State)) {
		if (__atomic_load_n(&mutex->Owner, __ATOMIC_RELAXED) == self)
			NT_BUG("mutex %p is taken twice by one thread", (void *)mutex);
		self->waits_for = "mutex";
		self->waits_on = mutex;
		nt_word_lock_slow(&mutex->State);
		self->waits_for = NULL;
	}
	__atomic_store_n(&mutex->Owner, self, __ATOMIC_RELAXED);
	self->held++;
}

static bool mutex_try_acquire(PFAST_MUTEX mutex, struct nt_thread *self)
{
	if (self->irql >= DISPATCH_LEVEL)
		NT_BUG("a mutex is acquired at IRQL %u", self->irql);
	nt_sim_point();
	if (!nt_word_try_lock(&mutex->State))
		return false;
	__atomic_store_n(&mutex->Owner, self, __ATOMIC_RELAXED);
	self->held++;
	return true;
}

static void mutex_release(PFAST_MUTEX mutex, struct nt_thread *self)
{
	if (__atomic_load_n(&mutex->Owner, __ATOMIC_RELAXED) != self)
		NT_BUG("mutex %p is released by a thread that does not hold it", (void *)mutex);
	__atomic_store_n(&mutex->Owner, NULL, __ATOMIC_RELAXED);
	self->held--;
	nt_word_unlock(&mutex->State);
	nt_sim_point();
}

VOID ExInitializeFastMutex(PFAST_MUTEX FastMutex)
{
	FastMutex->State = 0;
	FastMutex->OldIrql = PASSIVE_LEVEL;
	FastMutex->Owner = NULL;
}

VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	mutex_acquire(FastMutex, self);
	FastMutex->OldIrql = self->irql;
	self->irql = APC_LEVEL;
}

BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	if (!mutex_try_acquire(FastMutex, self))
		return FALSE;
	FastMutex->OldIrql = self->irql;
	self->irql = APC_LEVEL;
	return TRUE;
}

VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex) RX_NO_TSA
{
	struct nt_thread *self = nt_current();
	KIRQL old = (KIRQL)FastMutex->OldIrql;

	if (self->irql != APC_LEVEL)
		NT_BUG("ExReleaseFastMutex at IRQL %u", self->irql);
	self->irql = old;
	mutex_release(FastMutex, self);
}

VOID ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex) RX_NO_TSA
{
	mutex_acquire(FastMutex, nt_current());
}

VOID ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex) RX_NO_TSA
{
	mutex_release(FastMutex, nt_current());
}

BOOLEAN nt_fast_mutex_is_mine(const FAST_MUTEX *FastMutex)
{
	return __atomic_load_n(&FastMutex->Owner, __ATOMIC_RELAXED) == nt_current();
}

VOID KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex)
{
	ExInitializeFastMutex(Mutex);
}

VOID KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	self->apc_disable++;
	mutex_acquire(Mutex, self);
}

VOID KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	mutex_release(Mutex, self);
	self->apc_disable--;
}

BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	if (!mutex_try_acquire(Mutex, self))
		return FALSE;
	self->apc_disable++;
	return TRUE;
}
