/*
 * ntdef.h - the exact types, annotations and small macros of the NT executive.
 *
 * LONG and ULONG have 32 bits and WCHAR has 16, whatever the platform's long and wchar_t are.
 */
#ifndef NT_NTDEF_H
#define NT_NTDEF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sdkddkver.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Calling conventions and annotations mean nothing here. */
#define NTAPI
#define FASTCALL
#define __cdecl
#define _cdecl
#define __stdcall
#define __fastcall
#define WINAPI
#define APIENTRY
#define __forceinline inline __attribute__((always_inline))
#define __declspec(x)
#ifndef __int64
#define __int64 long long
#endif
#define __int32 int
#define __int16 short
#define __int8 char
#define CALLBACK
#define NTSYSAPI
#define NTKERNELAPI
#define NTHALAPI
#define NOTHING
#define DECLSPEC_IMPORT
#define IN
#define OUT
#define FAR
#define INLINE inline
#ifdef __cplusplus
#define EXTERN_C extern "C"
#else
#define EXTERN_C extern
#endif
#define OPTIONAL
#define CONST const
#define VOID void
#define FORCEINLINE static inline __attribute__((always_inline))
#define DECLSPEC_NORETURN __attribute__((noreturn))
#define DECLSPEC_ALIGN(x) __attribute__((aligned(x)))
#define UNALIGNED

#define _In_
#define _In_opt_
#define _In_z_
#define _In_opt_z_
#define _In_reads_(x)
#define _In_reads_bytes_(x)
#define _In_reads_opt_(x)
#define _In_reads_bytes_opt_(x)
#define _Inout_
#define _Inout_opt_
#define _Inout_updates_(x)
#define _Inout_updates_bytes_(x)
#define _Out_
#define _Out_opt_
#define _Outptr_
#define _Outptr_opt_
#define _Out_writes_(x)
#define _Out_writes_bytes_(x)
#define _Out_writes_opt_(x)
#define _Out_writes_bytes_opt_(x)
#define _Out_writes_bytes_to_(x, y)
#define _Reserved_
#define _Ret_maybenull_
#define _Must_inspect_result_
#define _Success_(x)
#define _When_(x, y)
#define _At_(x, y)
#define _IRQL_requires_max_(x)
#define _IRQL_requires_min_(x)
#define _IRQL_requires_(x)
#define _IRQL_requires_same_
#define _IRQL_saves_
#define _IRQL_restores_
#define _IRQL_raises_(x)
#define _Function_class_(x)
#define _Use_decl_annotations_
#define _Post_maybenull_
#define _Analysis_assume_(x)
#define _Dispatch_type_(x)
#define _Acquires_lock_(x)
#define _Releases_lock_(x)
#define _Requires_lock_held_(x)
#define _Kernel_clear_do_init_(x)
#define _Field_size_(x)
#define _Field_size_bytes_(x)
#define __in
#define __in_opt
#define __inout
#define __inout_opt
#define __out
#define __out_opt
#define __drv_aliasesMem
#define __notnull
#define __nullnullterminated

typedef char CHAR, CCHAR;
typedef signed char SCHAR;
typedef unsigned char UCHAR, BYTE, BOOLEAN;
typedef short SHORT, CSHORT;
typedef unsigned short USHORT, WORD;
typedef int32_t LONG, INT, BOOL;
typedef uint32_t ULONG, UINT, DWORD, CLONG, ULONG32, LOGICAL;
typedef int8_t INT8;
typedef int16_t INT16;
typedef int32_t INT32, LONG32;
typedef int64_t LONGLONG, LONG64, INT64;
typedef uint8_t UINT8;
typedef uint16_t UINT16;
typedef uint32_t UINT32;
typedef uint64_t ULONGLONG, ULONG64, UINT64, DWORDLONG;
typedef intptr_t LONG_PTR, INT_PTR;
typedef uintptr_t ULONG_PTR, UINT_PTR, SIZE_T, DWORD_PTR;
typedef LONG_PTR SSIZE_T;
#ifndef __cplusplus
typedef __CHAR16_TYPE__ WCHAR; /* what u"" literals are made of, with and without -fshort-wchar */
#else
typedef char16_t WCHAR;
#endif
typedef UCHAR KIRQL, *PKIRQL;
typedef LONG NTSTATUS, *PNTSTATUS;
typedef LONG KPRIORITY;
typedef ULONG ACCESS_MASK, *PACCESS_MASK;
typedef ULONG DEVICE_TYPE;
typedef LONG SECURITY_STATUS;
typedef LONGLONG USN;
typedef void *PVOID, *PVOID64, *HANDLE, **PHANDLE, *LPVOID;
typedef const void *PCVOID, *LPCVOID;
typedef CHAR *PCHAR, *PCH, *PSZ, *PSTR, *LPSTR, *PCCHAR;
typedef const CHAR *PCSZ, *PCSTR, *LPCSTR, *PCCH;
typedef UCHAR *PUCHAR, *PBYTE, *PBOOLEAN;
typedef SHORT *PSHORT, *PCSHORT;
typedef USHORT *PUSHORT;
typedef LONG *PLONG;
typedef ULONG *PULONG, *PDWORD, *PCLONG;
typedef LONGLONG *PLONGLONG, *PLONG64;
typedef ULONGLONG *PULONGLONG, *PULONG64;
typedef ULONG_PTR *PULONG_PTR;
typedef LONG_PTR *PLONG_PTR;
typedef SIZE_T *PSIZE_T;
typedef WCHAR *PWCHAR, *PWCH, *PWSTR, *LPWSTR, *NTSTRSAFE_PWSTR;
typedef const WCHAR *PCWCH, *PCWSTR, *LPCWSTR, *NTSTRSAFE_PCWSTR;

#define INVALID_HANDLE_VALUE ((HANDLE)(LONG_PTR)-1)

#define TRUE 1
#define FALSE 0
#define MAXUSHORT 0xffff
#define MAXULONG 0xffffffffu
#define MAXLONG 0x7fffffff
#define MAXLONGLONG INT64_MAX
#define UNICODE_NULL ((WCHAR)0)
#define ANSI_NULL ((CHAR)0)

typedef union _LARGE_INTEGER {
	struct {
		ULONG LowPart;
		LONG HighPart;
	};
	struct {
		ULONG LowPart;
		LONG HighPart;
	} u;
	LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
	struct {
		ULONG LowPart;
		ULONG HighPart;
	};
	struct {
		ULONG LowPart;
		ULONG HighPart;
	} u;
	ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef struct _LUID {
	ULONG LowPart;
	LONG HighPart;
} LUID, *PLUID;

typedef struct _GUID {
	ULONG Data1;
	USHORT Data2;
	USHORT Data3;
	UCHAR Data4[8];
} GUID, *PGUID, *LPGUID;
typedef const GUID *LPCGUID, *PCGUID;

#define RtlEqualLuid(a, b) ((a)->LowPart == (b)->LowPart && (a)->HighPart == (b)->HighPart)
#define RtlCopyLuid(to, from) ((void)(*(to) = *(from)))
#define IsEqualGUID(a, b) (memcmp((a), (b), sizeof(GUID)) == 0)

/* Counted strings: Length and MaximumLength are bytes, no terminator is counted or needed. */
typedef struct _UNICODE_STRING {
	USHORT Length;
	USHORT MaximumLength;
	PWCH Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

typedef struct _STRING {
	USHORT Length;
	USHORT MaximumLength;
	PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING, OEM_STRING, *POEM_STRING, UTF8_STRING, *PUTF8_STRING;
typedef const STRING CANSI_STRING, *PCANSI_STRING, *PCOEM_STRING, *PCUTF8_STRING;

#define RTL_CONSTANT_STRING(s) \
	{ \
		sizeof(s) - sizeof((s)[0]), sizeof(s), (void *)(s) \
	}
/* A UNICODE_STRING initialiser from a u"" literal; for code compiled without -fshort-wchar. */
#define NT_STR(s) RTL_CONSTANT_STRING(s)
#define DECLARE_CONST_UNICODE_STRING(name, s) \
	const WCHAR name##_buffer[] = s; \
	const UNICODE_STRING name = {sizeof(s) - sizeof(WCHAR), sizeof(s), (PWCH)name##_buffer}

typedef struct _OBJECT_ATTRIBUTES {
	ULONG Length;
	HANDLE RootDirectory;
	PUNICODE_STRING ObjectName;
	ULONG Attributes;
	PVOID SecurityDescriptor;
	PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;

#define OBJ_INHERIT 0x00000002
#define OBJ_PERMANENT 0x00000010
#define OBJ_EXCLUSIVE 0x00000020
#define OBJ_CASE_INSENSITIVE 0x00000040
#define OBJ_OPENIF 0x00000080
#define OBJ_OPENLINK 0x00000100
#define OBJ_KERNEL_HANDLE 0x00000200
#define OBJ_NAME_PATH_SEPARATOR ((WCHAR)'\\')
#define InitializeObjectAttributes(p, name, attributes, root, security) \
	((p)->Length = sizeof(OBJECT_ATTRIBUTES), (p)->RootDirectory = (root), (p)->ObjectName = (name), \
	 (p)->Attributes = (attributes), (p)->SecurityDescriptor = (security), \
	 (void)((p)->SecurityQualityOfService = NULL))

typedef struct _LIST_ENTRY {
	struct _LIST_ENTRY *Flink;
	struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY, *PRLIST_ENTRY;

typedef struct _SINGLE_LIST_ENTRY {
	struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

typedef enum _POOL_TYPE {
	NonPagedPool = 0,
	PagedPool = 1,
	NonPagedPoolMustSucceed = 2,
	NonPagedPoolCacheAligned = 4,
	PagedPoolCacheAligned = 5,
	NonPagedPoolNx = 512
} POOL_TYPE;

typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;
typedef enum _TIMER_TYPE { NotificationTimer, SynchronizationTimer } TIMER_TYPE;
typedef enum _WAIT_TYPE { WaitAll, WaitAny } WAIT_TYPE;

#define NT_SUCCESS(s) ((NTSTATUS)(s) >= 0)
#define NT_INFORMATION(s) ((((ULONG)(s)) >> 30) == 1)
#define NT_WARNING(s) ((((ULONG)(s)) >> 30) == 2)
#define NT_ERROR(s) ((((ULONG)(s)) >> 30) == 3)

#ifndef CONTAINING_RECORD
#define CONTAINING_RECORD(address, type, field) ((type *)((char *)(address)-offsetof(type, field)))
#endif
#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#define RTL_FIELD_SIZE(type, field) (sizeof(((type *)0)->field))
#define RTL_SIZEOF_THROUGH_FIELD(type, field) (offsetof(type, field) + RTL_FIELD_SIZE(type, field))
#define RTL_NUMBER_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ARRAYSIZE(a) RTL_NUMBER_OF(a)
#define C_ASSERT(e) _Static_assert(e, #e)
#ifdef __cplusplus
#undef C_ASSERT
#define C_ASSERT(e) static_assert(e, #e)
#endif

#define FlagOn(flags, f) ((flags) & (f))
#define BooleanFlagOn(flags, f) ((BOOLEAN)(((flags) & (f)) != 0))
#define SetFlag(flags, f) ((flags) |= (f))
#define ClearFlag(flags, f) ((flags) &= ~(f))
#define UNREFERENCED_PARAMETER(p) ((void)(p))
#define DBG_UNREFERENCED_PARAMETER(p) ((void)(p))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(p) ((void)(p))
#define PAGED_CODE() ((void)0)
#define ROUND_TO_SIZE(n, a) (((n) + ((a)-1)) & ~((a)-1))
#define ALIGN_DOWN_BY(n, a) ((ULONG_PTR)(n) & ~((ULONG_PTR)(a)-1))
#define ALIGN_UP_BY(n, a) (ALIGN_DOWN_BY(((ULONG_PTR)(n) + (a)-1), a))
#define PtrToUlong(p) ((ULONG)(ULONG_PTR)(p))
#define PtrToULong PtrToUlong
#define ULongToPtr UlongToPtr
#define HandleToULong(h) PtrToUlong(h)
#define HandleToUlong(h) PtrToUlong(h)
#define ULongToHandle(u) ((HANDLE)UlongToPtr(u))
#define UlongToPtr(u) ((PVOID)(ULONG_PTR)(ULONG)(u))
#ifndef min
#define min(a, b) ((a) < (b) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) ((a) > (b) ? (a) : (b))
#endif

C_ASSERT(sizeof(LONG) == 4 && sizeof(ULONG) == 4 && sizeof(WCHAR) == 2 && sizeof(BOOLEAN) == 1);
C_ASSERT(sizeof(LARGE_INTEGER) == 8 && sizeof(NTSTATUS) == 4 && sizeof(GUID) == 16 && sizeof(LUID) == 8);
C_ASSERT(sizeof(UNICODE_STRING) == 2 * sizeof(void *));

#ifdef __cplusplus
}
#endif
#endif
