/*
 * builtin.c - the mini-redirectors that come with the library.  They are real drivers with a DriverEntry; only
 * their loading differs from a foreign one's.
 */
#include "door_int.h"

DRIVER_INITIALIZE mrx_mem_driver_entry;
#ifdef DOOR_HAVE_SMB
DRIVER_INITIALIZE mrx_smb_driver_entry;
#endif

static const struct {
	const char *scheme;
	struct door_driver driver;
} builtins[] = {
	{"mem", {"RdrMem", mrx_mem_driver_entry, "\\Device\\RdrMem"}},
#ifdef DOOR_HAVE_SMB
	{"smb", {"RdrSmb", mrx_smb_driver_entry, "\\Device\\RdrSmb"}},
#endif
};

const struct door_driver *door_builtin_driver(const char *scheme)
{
	size_t i;

	for (i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (strcmp(builtins[i].scheme, scheme) == 0)
			return &builtins[i].driver;
	return NULL;
}
