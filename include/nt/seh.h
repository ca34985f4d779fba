/*
 * seh.h - structured exceptions for C, over sigsetjmp.
 *
 *	__try { body } __except (filter) { handler }
 *	__try { body } __finally { always }
 *
 * An exception is ExRaiseStatus(), or an access to bad memory within the body. The filter is an expression:
 * EXCEPTION_EXECUTE_HANDLER runs the handler, EXCEPTION_CONTINUE_SEARCH goes on to the next region outwards;
 * EXCEPTION_CONTINUE_EXECUTION is treated as the latter, since no instruction is run again. GetExceptionCode() is
 * valid in filter and handler. __leave ends the body.
 *
 * Limits, by the nature of the means: a local variable that the body changes and the handler reads must be
 * volatile; `break` in a body leaves the region and not a loop around it; `return` or `goto` out of a body ends
 * the region but skips __finally.
 *
 * A fault where no region is active is the process' own and keeps its old treatment.
 */
#ifndef NT_SEH_H
#define NT_SEH_H

#include <setjmp.h>

#include "ntstatus.h"

#define EXCEPTION_EXECUTE_HANDLER 1
#define EXCEPTION_CONTINUE_SEARCH 0
#define EXCEPTION_CONTINUE_EXECUTION (-1)

DECLSPEC_NORETURN VOID ExRaiseStatus(NTSTATUS Status);
DECLSPEC_NORETURN VOID ExRaiseAccessViolation(VOID);
DECLSPEC_NORETURN VOID ExRaiseDatatypeMisalignment(VOID);
VOID ProbeForRead(const VOID *Address, SIZE_T Length, ULONG Alignment);
VOID ProbeForWrite(PVOID Address, SIZE_T Length, ULONG Alignment);

enum nt_seh_phase { NT_SEH_START, NT_SEH_BODY, NT_SEH_AFTER };

/* One active region, on the stack of its thread. */
struct nt_seh_frame {
	sigjmp_buf jump;
	struct nt_seh_frame *outer;
	volatile enum nt_seh_phase phase;
	volatile bool linked, raised, handled;
	volatile NTSTATUS code;
};

bool nt_seh_step(struct nt_seh_frame *frame);
void nt_seh_leave(struct nt_seh_frame *frame);
bool nt_seh_filter(struct nt_seh_frame *frame, LONG disposition);

/* Braces that one macro opens and another closes. */
/* clang-format off */
#define NT_SEH_TRY                                                                                             \
	for (struct nt_seh_frame nt_seh __attribute__((cleanup(nt_seh_leave))) = {.phase = NT_SEH_START};      \
	     nt_seh_step(&nt_seh);)                                                                            \
		if (nt_seh.phase == NT_SEH_BODY && sigsetjmp(nt_seh.jump, 1) == 0)
#define NT_SEH_EXCEPT(filter) else if (nt_seh.raised && nt_seh_filter(&nt_seh, (filter)))
#define NT_SEH_FINALLY else

#define GetExceptionCode() (nt_seh.code)
#define AbnormalTermination() (nt_seh.raised)

#ifndef __cplusplus
#define __try NT_SEH_TRY
#define __except(filter) NT_SEH_EXCEPT(filter)
#define __finally NT_SEH_FINALLY
#define __leave continue

#define _SEH2_TRY NT_SEH_TRY {
#define _SEH2_EXCEPT(filter) } NT_SEH_EXCEPT(filter) {
#define _SEH2_FINALLY } NT_SEH_FINALLY {
#define _SEH2_END }
#define _SEH2_LEAVE continue
#define _SEH2_GetExceptionCode() GetExceptionCode()
#define _SEH2_AbnormalTermination() AbnormalTermination()

/* The spelling of old driver sources; define NT_NO_LOWER_CASE_SEH where these are names of something else. */
#ifndef NT_NO_LOWER_CASE_SEH
#define try NT_SEH_TRY
#define except(filter) NT_SEH_EXCEPT(filter)
#define finally NT_SEH_FINALLY
#endif
#endif
/* clang-format on */

#endif
