/* timer.h - the clock, timers and deferred calls.  Times are 100 ns; system time counts from 1601, UTC. */
#ifndef NT_TIMER_H
#define NT_TIMER_H

#include "event.h"

struct _KDPC;
typedef VOID KDEFERRED_ROUTINE(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1,
			       PVOID SystemArgument2);
typedef KDEFERRED_ROUTINE *PKDEFERRED_ROUTINE;

typedef struct _KDPC {
	LIST_ENTRY DpcListEntry; /* Flink NULL: not queued */
	PKDEFERRED_ROUTINE DeferredRoutine;
	PVOID DeferredContext;
	PVOID SystemArgument1;
	PVOID SystemArgument2;
} KDPC, *PKDPC, *PRKDPC;

typedef struct _KTIMER {
	DISPATCHER_HEADER Header;
	LIST_ENTRY TimerListEntry;
	LONGLONG DueTime; /* interrupt time, 100 ns */
	LONG Period;      /* ms, 0: once */
	BOOLEAN Inserted;
	PKDPC Dpc;
} KTIMER, *PKTIMER, *PRKTIMER;

VOID KeInitializeDpc(PKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);
/* FALSE when it is queued already.  It runs at DISPATCH_LEVEL on the timer thread. */
BOOLEAN KeInsertQueueDpc(PKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2);
BOOLEAN KeRemoveQueueDpc(PKDPC Dpc);

VOID KeInitializeTimer(PKTIMER Timer);
VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type);
/* TRUE when it was set already.  DueTime negative: from now.  The Dpc runs at DISPATCH_LEVEL. */
BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc);
BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc);
/* FALSE: it fired, or fires at this moment (KeFlushQueuedDpcs waits for that). */
BOOLEAN KeCancelTimer(PKTIMER Timer);
VOID KeFlushQueuedDpcs(void);
BOOLEAN KeReadStateTimer(PKTIMER Timer);

VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime);
VOID KeQueryTickCount(PLARGE_INTEGER TickCount);
ULONG KeQueryTimeIncrement(void);     /* 100 ns per tick */
ULONGLONG KeQueryInterruptTime(void); /* monotonic */
LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency);
NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval);

#endif
