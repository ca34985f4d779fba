/*
 * spinlock.c - levels and spin locks.
 *
 * A spin lock spins a little and then sleeps: its holder may have been preempted, which a kernel would not allow.
 * What the documents forbid while one is held is checked by the level, which is real.
 * Locks:  a KSPIN_LOCK's low half is a short lock, its high half the holder's id, so that a second acquisition by
 *         the holder is named and not a silent hang.
 */
#include "nt/exec.h"

_Static_assert(sizeof(KSPIN_LOCK) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "halves of a KSPIN_LOCK");

struct spin_halves {
	volatile LONG word;
	uint32_t owner; /* written by the holder only */
};

static inline struct spin_halves *spin_halves(PKSPIN_LOCK lock)
{
	return (struct spin_halves *)lock;
}

KIRQL KeGetCurrentIrql(void)
{
	return nt_current()->irql;
}

VOID nt_raise_irql(KIRQL NewIrql, PKIRQL OldIrql)
{
	struct nt_thread *self = nt_current();

	if (NewIrql < self->irql)
		NT_BUG("KeRaiseIrql from %u down to %u", self->irql, NewIrql);
	*OldIrql = self->irql;
	self->irql = NewIrql;
}

VOID KeLowerIrql(KIRQL NewIrql)
{
	struct nt_thread *self = nt_current();

	if (NewIrql > self->irql)
		NT_BUG("KeLowerIrql from %u up to %u", self->irql, NewIrql);
	self->irql = NewIrql;
}

void rx_assert_may_block(void)
{
	if (nt_current()->irql >= DISPATCH_LEVEL)
		NT_BUG("a place that may block is reached at IRQL %u", nt_current()->irql);
}

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
	*SpinLock = 0;
}

static void spin_acquire(PKSPIN_LOCK lock, struct nt_thread *self)
{
	struct spin_halves *halves = spin_halves(lock);

	nt_sim_point();
	if (!nt_word_try_lock(&halves->word)) {
		if (__atomic_load_n(&halves->owner, __ATOMIC_RELAXED) == self->id)
			NT_BUG("spin lock %p is taken twice by one thread", (void *)lock);
		self->waits_for = "spin lock";
		self->waits_on = lock;
		nt_word_lock_slow(&halves->word);
		self->waits_for = NULL;
	}
	__atomic_store_n(&halves->owner, self->id, __ATOMIC_RELAXED);
}

static void spin_release(PKSPIN_LOCK lock, struct nt_thread *self)
{
	struct spin_halves *halves = spin_halves(lock);

	if (__atomic_load_n(&halves->owner, __ATOMIC_RELAXED) != self->id)
		NT_BUG("spin lock %p is released by a thread that does not hold it", (void *)lock);
	__atomic_store_n(&halves->owner, 0, __ATOMIC_RELAXED);
	nt_word_unlock(&halves->word);
}

KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock) RX_NO_TSA
{
	struct nt_thread *self = nt_current();
	KIRQL old = self->irql;

	if (old > DISPATCH_LEVEL)
		NT_BUG("KeAcquireSpinLock at IRQL %u", old);
	self->irql = DISPATCH_LEVEL;
	spin_acquire(SpinLock, self);
	return old;
}

VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	spin_release(SpinLock, self);
	if (NewIrql > self->irql)
		NT_BUG("KeReleaseSpinLock raises the IRQL from %u to %u", self->irql, NewIrql);
	self->irql = NewIrql;
	nt_sim_point();
}

VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	if (self->irql < DISPATCH_LEVEL)
		NT_BUG("KeAcquireSpinLockAtDpcLevel at IRQL %u", self->irql);
	spin_acquire(SpinLock, self);
}

VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock) RX_NO_TSA
{
	spin_release(SpinLock, nt_current());
}

BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) RX_NO_TSA
{
	struct nt_thread *self = nt_current();

	if (self->irql < DISPATCH_LEVEL)
		NT_BUG("KeTryToAcquireSpinLockAtDpcLevel at IRQL %u", self->irql);
	nt_sim_point();
	if (!nt_word_try_lock(&spin_halves(SpinLock)->word))
		return FALSE;
	__atomic_store_n(&spin_halves(SpinLock)->owner, self->id, __ATOMIC_RELAXED);
	return TRUE;
}

VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle) RX_NO_TSA
{
	LockHandle->Lock = SpinLock;
	LockHandle->OldIrql = KeAcquireSpinLockRaiseToDpc(SpinLock);
}

VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle) RX_NO_TSA
{
	KeReleaseSpinLock(LockHandle->Lock, LockHandle->OldIrql);
}

ULONG ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock)
{
	KIRQL irql = KeAcquireSpinLockRaiseToDpc(Lock);
	ULONG before = *Addend;

	*Addend = before + Increment;
	KeReleaseSpinLock(Lock, irql);
	return before;
}

PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY Head, PLIST_ENTRY Entry, PKSPIN_LOCK Lock)
{
	KIRQL irql = KeAcquireSpinLockRaiseToDpc(Lock);
	PLIST_ENTRY before = IsListEmpty(Head) ? NULL : Head->Blink;

	InsertTailList(Head, Entry);
	KeReleaseSpinLock(Lock, irql);
	return before;
}

PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY Head, PLIST_ENTRY Entry, PKSPIN_LOCK Lock)
{
	KIRQL irql = KeAcquireSpinLockRaiseToDpc(Lock);
	PLIST_ENTRY before = IsListEmpty(Head) ? NULL : Head->Flink;

	InsertHeadList(Head, Entry);
	KeReleaseSpinLock(Lock, irql);
	return before;
}

PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY Head, PKSPIN_LOCK Lock)
{
	KIRQL irql = KeAcquireSpinLockRaiseToDpc(Lock);
	PLIST_ENTRY entry = IsListEmpty(Head) ? NULL : RemoveHeadList(Head);

	KeReleaseSpinLock(Lock, irql);
	return entry;
}
