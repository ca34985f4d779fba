/* rtl.h - memory, time and small helpers of the run-time library. */
#ifndef NT_RTL_H
#define NT_RTL_H

#include "ntdef.h"

#define RtlZeroMemory(p, n) memset((p), 0, (n))
#define RtlFillMemory(p, n, v) memset((p), (v), (n))
#define RtlCopyMemory(d, s, n) memcpy((d), (s), (n))
#define RtlMoveMemory(d, s, n) memmove((d), (s), (n))
#define RtlEqualMemory(a, b, n) (memcmp((a), (b), (n)) == 0)
#define RtlSecureZeroMemory(p, n) explicit_bzero((p), (n))
/* How many leading bytes are equal. */
SIZE_T RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length);

/* Unix time <-> system time (100 ns since 1601 UTC). */
#define NT_UNIX_EPOCH 116444736000000000LL
VOID RtlSecondsSince1970ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time);
BOOLEAN RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG ElapsedSeconds);

static inline LARGE_INTEGER RtlConvertUlongToLargeInteger(ULONG value)
{
	LARGE_INTEGER large;

	large.QuadPart = value;
	return large;
}

#endif
