/* intrin.h - compiler intrinsics that drivers use by their Microsoft names. */
#ifndef NT_INTRIN_H
#define NT_INTRIN_H

#include "ntdef.h"

FORCEINLINE VOID __movsb(PUCHAR Destination, const UCHAR *Source, SIZE_T Count)
{
	memcpy(Destination, Source, Count);
}

FORCEINLINE VOID __stosb(PUCHAR Destination, UCHAR Value, SIZE_T Count)
{
	memset(Destination, Value, Count);
}

#define _ReturnAddress() __builtin_return_address(0)
#define _byteswap_ushort(x) __builtin_bswap16(x)
#define _byteswap_ulong(x) __builtin_bswap32(x)
#define _byteswap_uint64(x) __builtin_bswap64(x)
#define _ReadWriteBarrier() __asm__ __volatile__("" ::: "memory")
#define __debugbreak() __builtin_trap()

#endif
