/*
 * sysroutine.c - a routine of the executive by its name, for drivers that ask whether it is there.
 *
 * Owns: nothing. Finds what the program exports to drivers (src/front/ddi.exports).
 */
#include <ctype.h>
#include <dlfcn.h>

#include "ntifs.h"

#define NT_LONGEST_ROUTINE 128

PVOID MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName)
{
	ULONG count = SystemRoutineName->Length / sizeof(WCHAR);
	char name[NT_LONGEST_ROUTINE];

	if (count == 0 || count >= sizeof(name))
		return NULL;
	for (ULONG i = 0; i < count; i++) {
		WCHAR c = SystemRoutineName->Buffer[i];

		if (c > 0x7f || !(isalnum(c) || c == '_'))
			return NULL;
		name[i] = (char)c;
	}
	name[count] = '\0';
	/* routines of the executive begin with a capital; those of libc are not meant */
	return isupper((unsigned char)name[0]) ? dlsym(RTLD_DEFAULT, name) : NULL;
}
