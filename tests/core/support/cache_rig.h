/*
 * cache_rig.h - what the tests of core/cache share, whatever server they have: transfers with memory of the test, a leave
 * that is taken back, threads.
 */
#ifndef RX_TEST_CACHE_RIG_H
#define RX_TEST_CACHE_RIG_H

#include "rec.h"

/* A read or a write of the caller's memory. @irp_flags: IRP_..., beside those of every request. */
NTSTATUS transfer_as(PFILE_OBJECT file, UCHAR major, ULONG irp_flags, LONGLONG at, void *data, ULONG length,
		     ULONG_PTR *moved);

/* What the last take_back() has brought about. */
extern struct rig_break {
	unsigned int answers;
	LONGLONG size; /* of the file at the server, when the last answer came; see break_size */
} broken;

/* The size that `broken` notes; NULL: nobody asks. */
extern LONGLONG (*break_size)(void);

/* The server takes back all leave to keep anything, and calls the file by this handle's open. */
void take_back(PFILE_OBJECT file);

/* Four threads; each is told its number, from 0. Returns when all have ended. */
void run_four(void (*work)(void *number));

#endif
