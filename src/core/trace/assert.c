/*
 * assert.c - what checked builds of drivers call: failed assertions, and pool calls with file and line.
 */
#include "core/trace/trace.h"

VOID RxAssert(PVOID FailedAssertion, PVOID FileName, ULONG LineNumber, PCHAR Message)
{
	rx_log_dump(stderr);
	nt_bug(FileName, (int)LineNumber, "assertion failed: %s%s%s", (char *)FailedAssertion,
	       Message != NULL ? ": " : "", Message != NULL ? Message : "");
}

VOID RxDbgBreakPoint(ULONG LineNumber)
{
	RxLog(("break point, line %lu", LineNumber));
	DbgBreakPoint();
}

VOID *_RxAllocatePoolWithTag(ULONG Type, ULONG Size, ULONG Tag, PSZ FileName, ULONG LineNumber)
{
	PVOID memory = ExAllocatePoolWithTag((POOL_TYPE)Type, Size, Tag);

	if (memory == NULL)
		RxLog(("no memory: %lu bytes, %s:%lu", Size, FileName, LineNumber));
	return memory;
}

VOID _RxFreePool(PVOID Buffer, PSZ FileName, ULONG LineNumber)
{
	(void)FileName;
	(void)LineNumber;
	ExFreePool(Buffer);
}

/* The header that this was to check is never written (the page says: do not use). */
BOOLEAN _RxCheckMemoryBlock(PVOID Buffer, PSZ FileName, ULONG LineNumber)
{
	(void)FileName;
	(void)LineNumber;
	return Buffer != NULL;
}
