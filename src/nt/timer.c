/*
 * timer.c - the clock, timers and deferred calls.
 *
 * Owns:    the timer thread, the set timers in order of their due time, the queue of deferred calls.
 * Locks:   timer_lock; a timer's Raw word is taken inside it.
 *
 * A deferred call runs on the timer thread at DISPATCH_LEVEL: it must be short.  A timer or a KDPC may be freed by
 * its own deferred routine: nothing of either is touched once that has begun.
 */
#include "nt/exec.h"
#include "timer.h"

/* Windows' usual tick of 15.625 ms. */
#define NT_TICK 156250u

static volatile LONG timer_lock;
static LIST_ENTRY timers = {&timers, &timers}; /* KTIMER.TimerListEntry, by DueTime */
static LIST_ENTRY dpcs = {&dpcs, &dpcs};
static volatile LONG changes;   /* the timer thread sleeps on this word */
static volatile LONG dpcs_done; /* wraps; those who flush sleep on it */
static LONG dpcs_queued;
static bool stopping;
static struct nt_thread *timer_thread;

static void poke(void)
{
	__atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);
	nt_ops->wake_word(&changes, 1);
}

static void insert_timer_locked(PKTIMER timer)
{
	PLIST_ENTRY after = timers.Blink;

	while (after != &timers && CONTAINING_RECORD(after, KTIMER, TimerListEntry)->DueTime > timer->DueTime)
		after = after->Blink;
	InsertHeadList(after, &timer->TimerListEntry);
	timer->Inserted = TRUE;
}

static bool queue_dpc_locked(PKDPC dpc, PVOID argument1, PVOID argument2)
{
	if (dpc->DpcListEntry.Flink != NULL)
		return false;
	dpc->SystemArgument1 = argument1;
	dpc->SystemArgument2 = argument2;
	InsertTailList(&dpcs, &dpc->DpcListEntry);
	dpcs_queued++;
	return true;
}

static void fire_due_locked(uint64_t now)
{
	while (!IsListEmpty(&timers)) {
		PKTIMER timer = CONTAINING_RECORD(timers.Flink, KTIMER, TimerListEntry);

		if ((uint64_t)timer->DueTime > now)
			break;
		(void)RemoveEntryList(&timer->TimerListEntry);
		timer->Inserted = FALSE;
		if (timer->Period != 0) {
			timer->DueTime = (LONGLONG)now + (LONGLONG)timer->Period * 10000;
			insert_timer_locked(timer);
		}
		if (timer->Dpc != NULL)
			(void)queue_dpc_locked(timer->Dpc, NULL,
					       NULL); /* still queued: one call serves both */
		/* Last: a waiter may free the timer. */
		nt_dispatcher_signal_quiet(&timer->Header, 1);
	}
}

/* Drops timer_lock around each call. */
static void run_dpcs_locked(void)
{
	while (!IsListEmpty(&dpcs)) {
		PKDPC dpc = CONTAINING_RECORD(RemoveHeadList(&dpcs), KDPC, DpcListEntry);
		KDPC call = *dpc;
		KIRQL irql;

		dpc->DpcListEntry.Flink = NULL;
		nt_word_unlock(&timer_lock);
		KeRaiseIrql(DISPATCH_LEVEL, &irql);
		call.DeferredRoutine(dpc, call.DeferredContext, call.SystemArgument1, call.SystemArgument2);
		KeLowerIrql(irql);
		__atomic_add_fetch(&dpcs_done, 1, __ATOMIC_SEQ_CST);
		nt_ops->wake_word(&dpcs_done, INT32_MAX);
		nt_word_lock(&timer_lock);
	}
}

static void timer_main(void *context)
{
	(void)context;
	nt_word_lock(&timer_lock);
	while (!stopping) {
		LONG seen = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);
		uint64_t next = NT_FOREVER;

		fire_due_locked(nt_now());
		run_dpcs_locked();
		if (!IsListEmpty(&timers))
			next = (uint64_t)CONTAINING_RECORD(timers.Flink, KTIMER, TimerListEntry)->DueTime;
		if (stopping)
			break;
		nt_word_unlock(&timer_lock);
		nt_self->waits_for = "the next timer";
		nt_ops->wait_word(&changes, seen, next);
		nt_self->waits_for = NULL;
		nt_word_lock(&timer_lock);
	}
	run_dpcs_locked(); /* queued before the stop, and perhaps waited for */
	nt_word_unlock(&timer_lock);
}

NTSTATUS nt_timer_start(void)
{
	stopping = false;
	InitializeListHead(&timers); /* what an earlier run forgot is not ours to touch */
	InitializeListHead(&dpcs);
	return nt_thread_create("nt timer", timer_main, NULL, &timer_thread);
}

bool nt_timer_stop(uint64_t deadline, FILE *out)
{
	struct nt_thread *thread = timer_thread;
	LARGE_INTEGER left = {.QuadPart = 0};
	bool idle;

	if (thread == NULL)
		return true;
	nt_word_lock(&timer_lock);
	stopping = true;
	idle = IsListEmpty(&timers);
	/* What is still set belongs to somebody who forgot it: its memory is theirs, so let go of it. */
	while (!IsListEmpty(&timers))
		CONTAINING_RECORD(RemoveHeadList(&timers), KTIMER, TimerListEntry)->Inserted = FALSE;
	nt_word_unlock(&timer_lock);
	poke();
	if (!idle && out != NULL)
		fprintf(out, "nt: timers were still set\n");
	if (deadline > nt_now())
		left.QuadPart = -(LONGLONG)(deadline - nt_now());
	if (KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, &left) == STATUS_TIMEOUT) {
		if (out != NULL)
			fprintf(out, "nt: a deferred call does not return\n");
		return false;
	}
	nt_thread_join(thread);
	timer_thread = NULL;
	return idle;
}

VOID KeInitializeDpc(PKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
	*Dpc = (KDPC){.DeferredRoutine = DeferredRoutine, .DeferredContext = DeferredContext};
}

BOOLEAN KeInsertQueueDpc(PKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
	bool queued;

	nt_sim_point();
	nt_word_lock(&timer_lock);
	queued = queue_dpc_locked(Dpc, SystemArgument1, SystemArgument2);
	nt_word_unlock(&timer_lock);
	if (queued)
		poke();
	return queued;
}

BOOLEAN KeRemoveQueueDpc(PKDPC Dpc)
{
	bool queued;

	nt_sim_point();
	nt_word_lock(&timer_lock);
	queued = Dpc->DpcListEntry.Flink != NULL;
	if (queued) {
		(void)RemoveEntryList(&Dpc->DpcListEntry);
		Dpc->DpcListEntry.Flink = NULL;
		dpcs_queued--;
	}
	nt_word_unlock(&timer_lock);
	return queued;
}

VOID KeFlushQueuedDpcs(void)
{
	struct nt_thread *self = nt_current();
	LONG target, done;

	if (self == timer_thread)
		NT_BUG("KeFlushQueuedDpcs from a deferred call");
	rx_assert_may_block();
	nt_word_lock(&timer_lock);
	target = dpcs_queued;
	nt_word_unlock(&timer_lock);
	self->waits_for = "deferred calls";
	while ((done = __atomic_load_n(&dpcs_done, __ATOMIC_SEQ_CST)) - target < 0)
		nt_ops->wait_word(&dpcs_done, done, NT_FOREVER);
	self->waits_for = NULL;
}

VOID KeInitializeTimer(PKTIMER Timer)
{
	KeInitializeTimerEx(Timer, NotificationTimer);
}

VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
	nt_dispatcher_init(&Timer->Header,
			   Type == NotificationTimer ? NT_NOTIFICATION_TIMER : NT_SYNCHRONIZATION_TIMER, 0);
	Timer->Inserted = FALSE;
	Timer->Period = 0;
	Timer->DueTime = 0;
	Timer->Dpc = NULL;
}

BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
	uint64_t due = nt_deadline(&DueTime);
	bool was_set, first;

	nt_sim_point();
	nt_word_lock(&timer_lock);
	was_set = Timer->Inserted;
	if (was_set)
		(void)RemoveEntryList(&Timer->TimerListEntry);
	nt_word_lock(&Timer->Header.Raw);
	__atomic_store_n(&Timer->Header.SignalState, 0, __ATOMIC_RELEASE);
	nt_word_unlock(&Timer->Header.Raw);
	Timer->DueTime = (LONGLONG)due;
	Timer->Period = Period;
	Timer->Dpc = Dpc;
	insert_timer_locked(Timer);
	first = timers.Flink == &Timer->TimerListEntry;
	nt_word_unlock(&timer_lock);
	if (first)
		poke();
	return was_set;
}

BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
	return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}

BOOLEAN KeCancelTimer(PKTIMER Timer)
{
	bool was_set;

	nt_sim_point();
	nt_word_lock(&timer_lock);
	was_set = Timer->Inserted;
	if (was_set) {
		(void)RemoveEntryList(&Timer->TimerListEntry);
		Timer->Inserted = FALSE;
	}
	nt_word_unlock(&timer_lock);
	return was_set;
}

BOOLEAN KeReadStateTimer(PKTIMER Timer)
{
	nt_sim_point();
	return __atomic_load_n(&Timer->Header.SignalState, __ATOMIC_ACQUIRE) != 0;
}

VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
	CurrentTime->QuadPart = (LONGLONG)nt_ops->system_time();
}

ULONGLONG KeQueryInterruptTime(void)
{
	return nt_now();
}

VOID KeQueryTickCount(PLARGE_INTEGER TickCount)
{
	TickCount->QuadPart = (LONGLONG)(nt_now() / NT_TICK);
}

ULONG KeQueryTimeIncrement(void)
{
	return NT_TICK;
}

LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
	LARGE_INTEGER count = {.QuadPart = (LONGLONG)nt_now()};

	if (PerformanceFrequency != NULL)
		PerformanceFrequency->QuadPart = (LONGLONG)NT_TICKS_PER_SECOND;
	return count;
}
