/*
 * io.h - what the files of the I/O manager share. Only files in src/nt include this.
 */
#ifndef NT_IO_INTERNAL_H
#define NT_IO_INTERNAL_H

#include "ecp.h"
#include "irp.h"
#include "tsa.h"
#include "unicode.h"

/* device.c: at shutdown, names and providers nobody took back. */
void nt_device_names_free_all(void);
/* fileobj.c: how many file objects live. */
LONG nt_file_objects_alive(void);
/* device.c: the last reference is gone. */
void nt_device_free(PDEVICE_OBJECT device);

/* IRP.AllocationFlags: made by zwfile.c, which is told of its completion and frees it. */
#define NT_IRP_FREES_ITSELF 0x80
void nt_irp_finish_built(PIRP irp);

/* casefold.c: one UTF-16 unit, by Unicode's simple upcase; surrogates map to themselves. */
const WCHAR *nt_upcase_table(void);
const WCHAR *nt_downcase_table(void);

#endif
