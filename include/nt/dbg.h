/* dbg.h - debug output and assertions.  The formatter is our own: %lx and %ld are 32 bits, %wZ a UNICODE_STRING. */
#ifndef NT_DBG_H
#define NT_DBG_H

#include <stdarg.h>

#include "ntdef.h"

/* %d %i %u %x %X %o %c %s %p %%, sizes h l ll I64 I32 w; %ws %S %lS: WCHAR string; %wZ %Z: counted strings. */
ULONG DbgPrint(PCSTR Format, ...);
ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...);
ULONG vDbgPrintEx(ULONG ComponentId, ULONG Level, PCCH Format, va_list Arguments);
ULONG vDbgPrintExWithPrefix(PCCH Prefix, ULONG ComponentId, ULONG Level, PCCH Format, va_list Arguments);
#define KdPrint(x) DbgPrint x
#define KdPrintEx(x) DbgPrintEx x

/* Components and levels: everything is printed, whatever they are. */
#define DPFLTR_IHVDRIVER_ID 77
#define DPFLTR_IHVVIDEO_ID 78
#define DPFLTR_IHVAUDIO_ID 79
#define DPFLTR_IHVNETWORK_ID 80
#define DPFLTR_IHVSTREAMING_ID 81
#define DPFLTR_IHVBUS_ID 82
#define DPFLTR_ERROR_LEVEL 0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL 2
#define DPFLTR_INFO_LEVEL 3
#define DPFLTR_MASK 0x80000000u

/* Into a buffer of size bytes, always terminated; the length it would have had. */
size_t nt_format(char *buffer, size_t size, const char *format, ...);
size_t nt_vformat(char *buffer, size_t size, const char *format, va_list arguments);
/* Where DbgPrint goes: a line at a time; NULL: stderr. */
void nt_set_debug_output(void (*output)(const char *text, size_t length));
VOID DbgBreakPoint(void);
VOID RtlAssert(PCSTR FailedAssertion, PCSTR FileName, ULONG LineNumber, PCSTR Message);

#ifdef NDEBUG
#define ASSERT(e) ((void)sizeof(e))
#else
#define ASSERT(e) ((e) ? (void)0 : RtlAssert(#e, __FILE__, __LINE__, NULL))
#endif
#define NT_ASSERT(e) ASSERT(e)
#define ASSERTMSG(m, e) ((e) ? (void)0 : RtlAssert(#e, __FILE__, __LINE__, (m)))

#endif
