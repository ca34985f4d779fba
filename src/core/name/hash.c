/*
 * hash.c - how names are folded, hashed and compared; the same everywhere, or tables would not find them.
 */
#include "core/name/name.h"

WCHAR rx_name_fold(WCHAR c)
{
	if (c < 0x80)
		return (c >= u'a' && c <= u'z') ? (WCHAR)(c - 32) : c;
	return RtlUpcaseUnicodeChar(c);
}

ULONG rx_name_hash_step(ULONG hash, WCHAR c)
{
	return (hash ^ c) * 16777619u;
}

ULONG rx_name_hash_end(ULONG hash)
{
	hash ^= hash >> 16;
	hash *= 0x85ebca6bu;
	hash ^= hash >> 13;
	return hash;
}

ULONG rx_name_hash(PCUNICODE_STRING name, bool fold)
{
	USHORT count = name->Length / sizeof(WCHAR);
	ULONG hash = RX_NAME_HASH_START;

	for (USHORT i = 0; i < count; i++)
		hash = rx_name_hash_step(hash, fold ? rx_name_fold(name->Buffer[i]) : name->Buffer[i]);
	return rx_name_hash_end(hash);
}

bool rx_name_equal(PCUNICODE_STRING a, PCUNICODE_STRING b, USHORT insensitive_bytes)
{
	USHORT count = a->Length / sizeof(WCHAR);
	USHORT folded = min(insensitive_bytes, a->Length) / sizeof(WCHAR);

	if (a->Length != b->Length)
		return false;
	for (USHORT i = 0; i < folded; i++)
		if (a->Buffer[i] != b->Buffer[i] && rx_name_fold(a->Buffer[i]) != rx_name_fold(b->Buffer[i]))
			return false;
	return count == folded ||
	       memcmp(a->Buffer + folded, b->Buffer + folded, (size_t)(count - folded) * sizeof(WCHAR)) == 0;
}
