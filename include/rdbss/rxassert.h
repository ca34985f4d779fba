/*
 * rxassert.h - failed assertions.
 */
#ifndef RX_RXASSERT_H
#define RX_RXASSERT_H

#include "rxtypes/forward.h"

/* Prints the assertion and the end of the log, then ends the process. */
VOID RxAssert(_In_ PVOID FailedAssertion, _In_ PVOID FileName, _In_ ULONG LineNumber, _In_opt_ PCHAR Message);
VOID RxDbgBreakPoint(_In_ ULONG LineNumber);

#endif
