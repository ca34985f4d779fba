/*
 * event.c - events, semaphores and mutants: how each changes its state.
 *
 * Locks:  the object's Raw word.  Setting and releasing are for any level, waiting is in wait.c.
 */
#include "nt/exec.h"

VOID KeInitializeEvent(PKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
	nt_dispatcher_init(&Event->Header,
			   Type == NotificationEvent ? NT_NOTIFICATION_EVENT : NT_SYNCHRONIZATION_EVENT,
			   State != FALSE);
}

LONG KeSetEvent(PKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
	(void)Increment;
	(void)Wait; /* a hint that a wait follows; there is no dispatcher lock to keep */
	return nt_dispatcher_signal(&Event->Header, 1);
}

LONG KeResetEvent(PKEVENT Event)
{
	LONG before;

	nt_sim_point();
	nt_word_lock(&Event->Header.Raw);
	before = Event->Header.SignalState;
	__atomic_store_n(&Event->Header.SignalState, 0, __ATOMIC_RELEASE);
	nt_word_unlock(&Event->Header.Raw);
	return before;
}

VOID KeClearEvent(PKEVENT Event)
{
	(void)KeResetEvent(Event); /* the caller does not ask what it was */
}

LONG KeReadStateEvent(PKEVENT Event)
{
	nt_sim_point();
	return __atomic_load_n(&Event->Header.SignalState, __ATOMIC_ACQUIRE);
}

LONG KePulseEvent(PKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
	LONG before = KeSetEvent(Event, Increment, Wait);

	(void)KeResetEvent(Event);
	return before;
}

VOID KeInitializeSemaphore(PKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
	if (Count < 0 || Limit <= 0 || Count > Limit)
		NT_BUG("a semaphore of %d with limit %d", Count, Limit);
	nt_dispatcher_init(&Semaphore->Header, NT_SEMAPHORE, Count);
	Semaphore->Limit = Limit;
}

LONG KeReadStateSemaphore(PKSEMAPHORE Semaphore)
{
	nt_sim_point();
	return __atomic_load_n(&Semaphore->Header.SignalState, __ATOMIC_ACQUIRE);
}

LONG KeReleaseSemaphore(PKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
	(void)Increment;
	(void)Wait;
	return nt_dispatcher_add(&Semaphore->Header, Adjustment, Semaphore->Limit);
}

VOID KeInitializeMutex(PKMUTEX Mutex, ULONG Level)
{
	(void)Level; /* reserved */
	nt_dispatcher_init(&Mutex->Header, NT_MUTANT, 1);
	Mutex->OwnerThread = NULL;
}

LONG KeReleaseMutex(PKMUTEX Mutex, BOOLEAN Wait)
{
	(void)Wait;
	/* Only the owner changes the owner to or from itself, so the unlocked look is exact for it. */
	if (__atomic_load_n(&Mutex->OwnerThread, __ATOMIC_RELAXED) != nt_current())
		NT_BUG("KeReleaseMutex by a thread that does not own %p", (void *)Mutex);
	return nt_dispatcher_add(&Mutex->Header, 1, 1);
}

LONG KeReadStateMutex(PKMUTEX Mutex)
{
	nt_sim_point();
	return __atomic_load_n(&Mutex->Header.SignalState, __ATOMIC_ACQUIRE);
}
