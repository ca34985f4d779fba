/* rtl.h - memory, time and small helpers of the run-time library. */
#ifndef NT_RTL_H
#define NT_RTL_H

#include "ntdef.h"

#define RtlZeroMemory(p, n) memset((p), 0, (n))
#define RtlFillMemory(p, n, v) memset((p), (v), (n))
/* Zero bytes may be copied from and compared with NULL, as drivers do with empty strings; C forbids it. */
static inline void nt_copy_memory(void *to, const void *from, size_t bytes)
{
	if (bytes != 0)
		memcpy(to, from, bytes);
}

static inline void nt_move_memory(void *to, const void *from, size_t bytes)
{
	if (bytes != 0)
		memmove(to, from, bytes);
}

#define RtlCopyMemory(d, s, n) nt_copy_memory((d), (s), (n))
#define RtlMoveMemory(d, s, n) nt_move_memory((d), (s), (n))
#define RtlEqualMemory(a, b, n) ((n) == 0 || memcmp((a), (b), (n)) == 0)
#define RtlSecureZeroMemory(p, n) explicit_bzero((p), (n))
/* How many leading bytes are equal. */
SIZE_T RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length);

/* Unix time <-> system time (100 ns since 1601 UTC). */
#define NT_UNIX_EPOCH 116444736000000000LL
VOID RtlSecondsSince1970ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time);
BOOLEAN RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG ElapsedSeconds);

/* A moment taken apart, by the proleptic Gregorian calendar, UTC. */
typedef struct _TIME_FIELDS {
	CSHORT Year;  /* 1601 ... */
	CSHORT Month; /* 1 ... 12 */
	CSHORT Day;
	CSHORT Hour;
	CSHORT Minute;
	CSHORT Second;
	CSHORT Milliseconds;
	CSHORT Weekday; /* 0: Sunday */
} TIME_FIELDS, *PTIME_FIELDS;

VOID RtlTimeToTimeFields(PLARGE_INTEGER Time, PTIME_FIELDS TimeFields);
/* NULL: the program exports no such routine to drivers. <= PASSIVE_LEVEL. */
PVOID MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName);
VOID ExSystemTimeToLocalTime(PLARGE_INTEGER SystemTime, PLARGE_INTEGER LocalTime);
VOID ExLocalTimeToSystemTime(PLARGE_INTEGER LocalTime, PLARGE_INTEGER SystemTime);
/* FALSE: no such moment. Weekday is ignored. */
BOOLEAN RtlTimeFieldsToTime(PTIME_FIELDS TimeFields, PLARGE_INTEGER Time);

static inline LARGE_INTEGER RtlConvertLongToLargeInteger(LONG value)
{
	LARGE_INTEGER large;

	large.QuadPart = value;
	return large;
}

#define RtlLargeIntegerGreaterThan(a, b) ((a).QuadPart > (b).QuadPart)
#define RtlLargeIntegerGreaterThanOrEqualTo(a, b) ((a).QuadPart >= (b).QuadPart)
#define RtlLargeIntegerEqualTo(a, b) ((a).QuadPart == (b).QuadPart)
#define RtlLargeIntegerLessThan(a, b) ((a).QuadPart < (b).QuadPart)
#define RtlLargeIntegerLessThanOrEqualTo(a, b) ((a).QuadPart <= (b).QuadPart)
#define RtlLargeIntegerGreaterThanZero(a) ((a).QuadPart > 0)

static inline LARGE_INTEGER RtlConvertUlongToLargeInteger(ULONG value)
{
	LARGE_INTEGER large;

	large.QuadPart = value;
	return large;
}

#endif
