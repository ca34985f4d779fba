/*
 * process.h - processes and threads as drivers see them.
 *
 * A PEPROCESS stands for the process on whose behalf a thread works (nt_set_requester()): the system process,
 * which is the RDBSS process, or the one that made a request.
 */
#ifndef NT_PROCESS_H
#define NT_PROCESS_H

#include "ntdef.h"

typedef struct _EPROCESS *PEPROCESS, *PKPROCESS;
typedef struct nt_thread *PETHREAD, *PKTHREAD;
extern PEPROCESS PsInitialSystemProcess;

PEPROCESS PsGetCurrentProcess(void);
#define IoGetCurrentProcess PsGetCurrentProcess
PETHREAD PsGetCurrentThread(void);
#define KeGetCurrentThread PsGetCurrentThread
HANDLE PsGetProcessId(PEPROCESS Process);
HANDLE PsGetCurrentProcessId(void);
HANDLE PsGetCurrentThreadId(void);
HANDLE PsGetThreadId(PETHREAD Thread);

typedef VOID KSTART_ROUTINE(PVOID StartContext);
typedef KSTART_ROUTINE *PKSTART_ROUTINE;
/* The handle is closed with ZwClose(); the thread may be waited for after ObReferenceObjectByHandle(). */
NTSTATUS PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
			      HANDLE ProcessHandle, PVOID ClientId, PKSTART_ROUTINE StartRoutine,
			      PVOID StartContext);
/* Only from a thread made by PsCreateSystemThread(); does not return. */
NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus);

VOID KeEnterCriticalRegion(void);
VOID KeLeaveCriticalRegion(void);
BOOLEAN KeAreApcsDisabled(void);
#define FsRtlEnterFileSystem() KeEnterCriticalRegion()
#define FsRtlExitFileSystem() KeLeaveCriticalRegion()

typedef struct _KAPC_STATE {
	struct _EPROCESS *Process;
} KAPC_STATE, *PKAPC_STATE, *PRKAPC_STATE;
VOID KeStackAttachProcess(PEPROCESS Process, PKAPC_STATE ApcState);
VOID KeUnstackDetachProcess(PKAPC_STATE ApcState);
/* The process of one requester; interned for the life of the runtime. */
struct nt_requester;
PEPROCESS nt_process_of(const struct nt_requester *requester);
/* Whom a process stands for; false: the system process. */
bool nt_process_requester(PEPROCESS process, struct nt_requester *requester);

#endif
