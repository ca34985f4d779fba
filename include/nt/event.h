/* event.h - dispatcher objects: events, semaphores, mutants, and the waits for them. */
#ifndef NT_EVENT_H
#define NT_EVENT_H

#include "list.h"
#include "ntdef.h"

/* Common head of all that can be waited for: events, semaphores, mutants, timers, threads. */
typedef struct _DISPATCHER_HEADER {
	UCHAR Type; /* enum nt_dispatcher_type, private */
	UCHAR Signalling;
	USHORT Size;
	volatile LONG SignalState;
	LIST_ENTRY WaitListHead; /* KWAIT_BLOCKs, in order of arrival; under Raw */
	volatile LONG Raw;       /* its short lock */
} DISPATCHER_HEADER, *PDISPATCHER_HEADER;

typedef struct _KEVENT {
	DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT, *PRKEVENT;

typedef struct _KSEMAPHORE {
	DISPATCHER_HEADER Header;
	LONG Limit;
} KSEMAPHORE, *PKSEMAPHORE, *PRKSEMAPHORE;

typedef struct _KMUTANT {
	DISPATCHER_HEADER Header;
	struct nt_thread *OwnerThread;
} KMUTANT, *PKMUTANT, KMUTEX, *PKMUTEX, *PRKMUTEX;

typedef enum _KWAIT_REASON {
	Executive,
	FreePage,
	PageIn,
	PoolAllocation,
	DelayExecution,
	Suspended,
	UserRequest
} KWAIT_REASON;
typedef CHAR KPROCESSOR_MODE;
typedef enum _MODE { KernelMode, UserMode, MaximumMode } MODE;

#define IO_NO_INCREMENT 0
#define EVENT_INCREMENT 1
#define IO_NETWORK_INCREMENT 2
#define IO_DISK_INCREMENT 1
#define SEMAPHORE_INCREMENT 1
#define MAXIMUM_WAIT_OBJECTS 64
#define THREAD_WAIT_OBJECTS 3

VOID KeInitializeEvent(PKEVENT Event, EVENT_TYPE Type, BOOLEAN State);
/* The state before.  <= DISPATCH_LEVEL when Wait is FALSE. */
LONG KeSetEvent(PKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);
LONG KeResetEvent(PKEVENT Event);
VOID KeClearEvent(PKEVENT Event);
LONG KeReadStateEvent(PKEVENT Event);
LONG KePulseEvent(PKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);

VOID KeInitializeSemaphore(PKSEMAPHORE Semaphore, LONG Count, LONG Limit);
LONG KeReleaseSemaphore(PKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait);
LONG KeReadStateSemaphore(PKSEMAPHORE Semaphore);

VOID KeInitializeMutex(PKMUTEX Mutex, ULONG Level);
LONG KeReleaseMutex(PKMUTEX Mutex, BOOLEAN Wait);
LONG KeReadStateMutex(PKMUTEX Mutex);

typedef struct _KWAIT_BLOCK {
	LIST_ENTRY WaitListEntry;
	struct nt_wait *Wait;
	PDISPATCHER_HEADER Object;
	ULONG Index;
	BOOLEAN Queued;
} KWAIT_BLOCK, *PKWAIT_BLOCK;

/**
 * KeWaitForSingleObject, KeWaitForMultipleObjects
 * @Timeout: 100 ns; negative: from now, positive: absolute, 0: do not wait, NULL: for ever
 *
 * Context: <= APC_LEVEL; DISPATCH_LEVEL only with a zero Timeout.
 * Return: STATUS_SUCCESS (or STATUS_WAIT_0 + index), STATUS_TIMEOUT, STATUS_ALERTED.
 *         WaitBlockArray may always be NULL: the blocks live on the waiter's stack.
 */
NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode,
			       BOOLEAN Alertable, PLARGE_INTEGER Timeout);
NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
				  KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
				  PKWAIT_BLOCK WaitBlockArray);
#define KeWaitForMutexObject KeWaitForSingleObject

/* Ends the thread's alertable wait, now or its next one, with STATUS_ALERTED; TRUE when it was alerted already. */
struct nt_thread;
BOOLEAN KeAlertThread(struct nt_thread *Thread, KPROCESSOR_MODE AlertMode);

#endif
