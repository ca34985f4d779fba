/*
 * wait.c - parking a thread, and KeWaitFor* over every dispatcher object.
 *
 * Owns:   the protocol between one waiter and many signallers.
 * Locks:  each object's Raw word; all of them, in address order, for WaitAll.
 *
 * A wait lives on the waiter's stack.  Whoever moves its state away from WAITING decides how it ends: a signaller
 * that lets the waiter in, the waiter at its deadline or when alerted.  A waiter returns only after it has taken the
 * Raw word of every object it queued on, hence after every signaller that saw its wait has let go of it.
 */
#include <stdlib.h>

#include "nt/exec.h"
#include "timer.h"

enum { NT_WAITING = -1, NT_TIMED_OUT = -2, NT_ALERTED = -3 };

struct nt_wait {
	struct nt_thread *thread;
	volatile LONG state; /* WAITING, TIMED_OUT, ALERTED, or the index of the object that let us in */
	WAIT_TYPE type;
};

void nt_word_lock_slow(volatile LONG *word)
{
	/* The holder is likely on the other processor and soon done; with one fiber thread it cannot be. */
	if (!nt_sim_active) {
		for (int i = 0; i < 100; i++) {
			if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0 && nt_word_try_lock(word))
				return;
#if defined(__x86_64__)
			__builtin_ia32_pause();
#endif
		}
	}
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		nt_ops->wait_word(word, 2, NT_FOREVER);
}

void nt_park(struct nt_thread *self, uint64_t deadline)
{
	LONG none = 0;

	if ((self->waits_in == 0 || !nt_loop_park(self, deadline)) &&
	    __atomic_compare_exchange_n(&self->permit, &none, 2, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		nt_ops->wait_word(&self->permit, 2, deadline);
	__atomic_exchange_n(&self->permit, 0, __ATOMIC_ACQ_REL);
}

void nt_unpark(struct nt_thread *thread)
{
	LONG before = __atomic_load_n(&thread->permit, __ATOMIC_RELAXED);

	/* 4: somebody is giving it already, and must be the one who does */
	while (!__atomic_compare_exchange_n(&thread->permit, &before, before < 3 ? 1 : 4, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	if (before == 2)
		nt_ops->wake_word(&thread->permit, 1);
	else if (before == 3)
		nt_loop_kick(thread);
}

uint64_t nt_deadline(const LARGE_INTEGER *timeout)
{
	uint64_t now, system;

	if (timeout == NULL)
		return NT_FOREVER;
	if (timeout->QuadPart == 0)
		return 0;
	now = nt_now();
	if (timeout->QuadPart < 0) {
		uint64_t delta = 0 - (uint64_t)timeout->QuadPart;

		return now + delta;
	}
	system = nt_ops->system_time();
	return (uint64_t)timeout->QuadPart <= system ? 0 : now + ((uint64_t)timeout->QuadPart - system);
}

void nt_dispatcher_init(DISPATCHER_HEADER *header, enum nt_dispatcher_type type, LONG state)
{
	header->Type = (UCHAR)type;
	header->Signalling = 0;
	header->Size = sizeof(*header);
	header->SignalState = state;
	header->Raw = 0;
	InitializeListHead(&header->WaitListHead);
}

static bool header_lets_in_locked(const DISPATCHER_HEADER *header, const struct nt_thread *thread)
{
	if (header->SignalState > 0)
		return true;
	return header->Type == NT_MUTANT && CONTAINING_RECORD(header, KMUTANT, Header)->OwnerThread == thread;
}

static void header_consume_locked(DISPATCHER_HEADER *header, struct nt_thread *thread)
{
	switch (header->Type) {
	case NT_SYNCHRONIZATION_EVENT:
	case NT_SYNCHRONIZATION_TIMER:
		__atomic_store_n(&header->SignalState, 0, __ATOMIC_RELEASE);
		break;
	case NT_SEMAPHORE:
		__atomic_store_n(&header->SignalState, header->SignalState - 1, __ATOMIC_RELEASE);
		break;
	case NT_MUTANT:
		__atomic_store_n(&header->SignalState, header->SignalState - 1, __ATOMIC_RELEASE);
		__atomic_store_n(&CONTAINING_RECORD(header, KMUTANT, Header)->OwnerThread, thread,
				 __ATOMIC_RELAXED);
		break;
	default: /* stays signalled until somebody resets it */
		break;
	}
}

static bool wait_claim(struct nt_wait *wait, LONG outcome)
{
	LONG waiting = NT_WAITING;

	return __atomic_compare_exchange_n(&wait->state, &waiting, outcome, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

#define NT_WAKE_BATCH 16

/* Lets in whom the state allows and unlocks.  Wakes after the unlock, since the woken need the lock. */
static void header_release_waiters_and_unlock(DISPATCHER_HEADER *header)
{
	struct nt_thread *wake[NT_WAKE_BATCH];
	int count = 0;

	for (PLIST_ENTRY e = header->WaitListHead.Flink;
	     e != &header->WaitListHead && header->SignalState > 0; e = e->Flink) {
		KWAIT_BLOCK *block = CONTAINING_RECORD(e, KWAIT_BLOCK, WaitListEntry);
		struct nt_wait *wait = block->Wait;
		struct nt_thread *thread = wait->thread;

		if (wait->type == WaitAny) {
			if (!wait_claim(wait, (LONG)block->Index))
				continue;
			header_consume_locked(header, thread);
		} /* a WaitAll looks for itself: it needs the other objects too */
		if (count < NT_WAKE_BATCH)
			wake[count++] = thread;
		else
			nt_unpark(thread);
	}
	nt_word_unlock(&header->Raw);
	for (int i = 0; i < count; i++)
		nt_unpark(wake[i]);
}

LONG nt_dispatcher_signal(DISPATCHER_HEADER *header, LONG state)
{
	nt_sim_point();
	return nt_dispatcher_signal_quiet(header, state);
}

LONG nt_dispatcher_signal_quiet(DISPATCHER_HEADER *header, LONG state)
{
	LONG before;

	nt_word_lock(&header->Raw);
	before = header->SignalState;
	if (before < state)
		__atomic_store_n(&header->SignalState, state, __ATOMIC_RELEASE);
	if (IsListEmpty(&header->WaitListHead))
		nt_word_unlock(&header->Raw);
	else
		header_release_waiters_and_unlock(header);
	return before;
}

LONG nt_dispatcher_add(DISPATCHER_HEADER *header, LONG adjustment, LONG limit)
{
	LONG before;

	nt_sim_point();
	nt_word_lock(&header->Raw);
	before = header->SignalState;
	if (adjustment <= 0 || before > limit - adjustment)
		NT_BUG("a release by %d of %d, limit %d", adjustment, before, limit);
	__atomic_store_n(&header->SignalState, before + adjustment, __ATOMIC_RELEASE);
	if (header->Type == NT_MUTANT && header->SignalState == 1)
		__atomic_store_n(&CONTAINING_RECORD(header, KMUTANT, Header)->OwnerThread, NULL,
				 __ATOMIC_RELAXED);
	header_release_waiters_and_unlock(header);
	return before;
}

static void wait_park(struct nt_wait *wait, bool alertable, uint64_t deadline, const void *object)
{
	struct nt_thread *self = wait->thread;

	self->waits_for = "dispatcher object";
	self->waits_on = object;
	while (__atomic_load_n(&wait->state, __ATOMIC_ACQUIRE) == NT_WAITING) {
		if (alertable && __atomic_exchange_n(&self->alerted, 0, __ATOMIC_ACQ_REL) != 0) {
			if (!wait_claim(wait, NT_ALERTED))
				__atomic_store_n(&self->alerted, 1, __ATOMIC_RELEASE);
			break;
		}
		nt_park(self, deadline);
		if (deadline != NT_FOREVER && nt_now() >= deadline)
			(void)wait_claim(wait, NT_TIMED_OUT); /* lost: a signaller was first */
	}
	self->waits_for = NULL;
}

static void block_dequeue(KWAIT_BLOCK *block)
{
	if (!block->Queued)
		return;
	nt_word_lock(&block->Object->Raw);
	(void)RemoveEntryList(&block->WaitListEntry);
	nt_word_unlock(&block->Object->Raw);
}

static NTSTATUS wait_status(LONG state)
{
	if (state == NT_TIMED_OUT)
		return STATUS_TIMEOUT;
	if (state == NT_ALERTED)
		return STATUS_ALERTED;
	return STATUS_WAIT_0 + state;
}

/* True when the wait ended here: the object lets us in, or another did meanwhile. */
static bool wait_try_or_queue(struct nt_wait *wait, KWAIT_BLOCK *block, DISPATCHER_HEADER *header,
			      ULONG index, bool queue)
{
	bool ended = false;

	block->Queued = FALSE;
	nt_word_lock(&header->Raw);
	if (header_lets_in_locked(header, wait->thread)) {
		if (wait_claim(wait, (LONG)index))
			header_consume_locked(header, wait->thread);
		ended = true;
	} else if (queue) {
		block->Wait = wait;
		block->Object = header;
		block->Index = index;
		block->Queued = TRUE;
		InsertTailList(&header->WaitListHead, &block->WaitListEntry);
	}
	nt_word_unlock(&header->Raw);
	return ended;
}

static void assert_may_wait(const struct nt_thread *self, uint64_t deadline)
{
	if (self->irql >= DISPATCH_LEVEL && deadline != 0)
		NT_BUG("a wait at DISPATCH_LEVEL");
}

NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode,
			       BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
	struct nt_wait wait = {.thread = nt_current(), .state = NT_WAITING, .type = WaitAny};
	uint64_t deadline = nt_deadline(Timeout);
	KWAIT_BLOCK block;

	(void)WaitReason;
	(void)WaitMode;
	assert_may_wait(wait.thread, deadline);
	nt_sim_point();
	if (!wait_try_or_queue(&wait, &block, Object, 0, deadline != 0)) {
		if (deadline == 0)
			return STATUS_TIMEOUT;
		wait_park(&wait, Alertable, deadline, Object);
		block_dequeue(&block);
	}
	return wait_status(wait.state);
}

static NTSTATUS wait_any(ULONG count, PVOID objects[], bool alertable, uint64_t deadline)
{
	struct nt_wait wait = {.thread = nt_current(), .state = NT_WAITING, .type = WaitAny};
	KWAIT_BLOCK blocks[MAXIMUM_WAIT_OBJECTS];
	ULONG tried = 0;
	bool ended = false;

	while (tried < count && !ended) {
		ended = wait_try_or_queue(&wait, &blocks[tried], objects[tried], tried, deadline != 0);
		tried++;
	}
	if (!ended && deadline == 0)
		return STATUS_TIMEOUT;
	if (!ended)
		wait_park(&wait, alertable, deadline, objects[0]);
	for (ULONG i = 0; i < tried; i++)
		block_dequeue(&blocks[i]);
	return wait_status(wait.state);
}

static int compare_addresses(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (DISPATCHER_HEADER *const *)a;
	uintptr_t y = (uintptr_t) * (DISPATCHER_HEADER *const *)b;

	return x < y ? -1 : x > y;
}

/* Takes all objects if every one lets us in, none otherwise. */
static bool take_all(DISPATCHER_HEADER *sorted[], ULONG count, struct nt_thread *self)
{
	bool all = true;

	for (ULONG i = 0; i < count; i++)
		nt_word_lock(&sorted[i]->Raw);
	for (ULONG i = 0; i < count && all; i++)
		all = header_lets_in_locked(sorted[i], self);
	for (ULONG i = 0; i < count && all; i++)
		header_consume_locked(sorted[i], self);
	for (ULONG i = 0; i < count; i++)
		nt_word_unlock(&sorted[i]->Raw);
	return all;
}

static NTSTATUS wait_all(ULONG count, PVOID objects[], bool alertable, uint64_t deadline)
{
	struct nt_wait wait = {.thread = nt_current(), .state = NT_WAITING, .type = WaitAll};
	struct nt_thread *self = wait.thread;
	DISPATCHER_HEADER *sorted[MAXIMUM_WAIT_OBJECTS];
	KWAIT_BLOCK blocks[MAXIMUM_WAIT_OBJECTS];
	NTSTATUS status = STATUS_SUCCESS;
	ULONG unique = 0;

	memcpy(sorted, objects, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare_addresses);
	for (ULONG i = 0; i < count; i++)
		if (i == 0 || sorted[i] != sorted[unique - 1])
			sorted[unique++] = sorted[i];

	if (take_all(sorted, unique, self))
		return STATUS_SUCCESS;
	if (deadline == 0)
		return STATUS_TIMEOUT;

	for (ULONG i = 0; i < unique; i++) {
		blocks[i] = (KWAIT_BLOCK){.Wait = &wait, .Object = sorted[i], .Index = i, .Queued = TRUE};
		nt_word_lock(&sorted[i]->Raw);
		InsertTailList(&sorted[i]->WaitListHead, &blocks[i].WaitListEntry);
		nt_word_unlock(&sorted[i]->Raw);
	}
	self->waits_for = "all of several dispatcher objects";
	self->waits_on = sorted[0];
	while (!take_all(sorted, unique, self)) {
		if (alertable && __atomic_exchange_n(&self->alerted, 0, __ATOMIC_ACQ_REL) != 0) {
			status = STATUS_ALERTED;
			break;
		}
		if (deadline != NT_FOREVER && nt_now() >= deadline) {
			status = STATUS_TIMEOUT;
			break;
		}
		nt_park(self, deadline);
	}
	self->waits_for = NULL;
	for (ULONG i = 0; i < unique; i++)
		block_dequeue(&blocks[i]);
	return status;
}

NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
				  KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
				  PKWAIT_BLOCK WaitBlockArray)
{
	uint64_t deadline = nt_deadline(Timeout);

	(void)WaitReason;
	(void)WaitMode;
	(void)WaitBlockArray;
	if (Count == 0 || Count > MAXIMUM_WAIT_OBJECTS)
		NT_BUG("a wait for %u objects", Count);
	assert_may_wait(nt_current(), deadline);
	nt_sim_point();
	if (WaitType == WaitAll)
		return wait_all(Count, Object, Alertable, deadline);
	return wait_any(Count, Object, Alertable, deadline);
}

BOOLEAN KeAlertThread(struct nt_thread *Thread, KPROCESSOR_MODE AlertMode)
{
	LONG before;

	(void)AlertMode;
	nt_sim_point();
	before = __atomic_exchange_n(&Thread->alerted, 1, __ATOMIC_ACQ_REL);
	nt_unpark(Thread);
	return before != 0;
}

NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
	KEVENT never;
	NTSTATUS status;

	KeInitializeEvent(&never, NotificationEvent, FALSE);
	status = KeWaitForSingleObject(&never, DelayExecution, WaitMode, Alertable, Interval);
	return status == STATUS_TIMEOUT ? STATUS_SUCCESS : status;
}
