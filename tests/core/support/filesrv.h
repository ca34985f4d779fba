/*
 * filesrv.h - a server of one file in memory, behind the driver that remembers (rec.h), for the tests of core/cache.
 *
 * Its transfers are answered at once, or later by another thread, as `late` says.
 */
#ifndef RX_TEST_FILESRV_H
#define RX_TEST_FILESRV_H

#include "cache_rig.h"

#define KEEP (FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_READCACHING_ENABLED)
#define BLOCK 65536
#define ROOM (24 * BLOCK)

struct filesrv {
	UCHAR bytes[ROOM];
	LONGLONG size;
	KSPIN_LOCK lock;
	volatile LONG writes;
	volatile LONG largest;
	bool late;
	NTSTATUS refuse;        /* what writes answer */
	bool deaf;              /* writes are counted, their data is not looked at */
	LONGLONG size_at_lock;  /* when the last lock or unlock came */
	void (*on_write)(void); /* runs with each write, before it is answered */
};

extern struct filesrv server;

/* Memory of a test for one large transfer. */
extern UCHAR big[ROOM];

/* The server begins, empty, and grants KEEP to every open. */
void serve(void);
/* rec_setup() and that. */
int filesrv_setup(void **state);

#define CACHE_TEST(fn) cmocka_unit_test_setup_teardown(fn, filesrv_setup, rec_teardown)

/* ---- requests with memory of the caller ---- */

NTSTATUS transfer(PFILE_OBJECT file, UCHAR major, LONGLONG at, void *data, ULONG length, ULONG_PTR *moved);
/* A write that succeeds. */
void put(PFILE_OBJECT file, LONGLONG at, const void *data, ULONG length);
NTSTATUS flush(PFILE_OBJECT file, UCHAR minor);
/* The file of the server, with the size that it has there. */
PFILE_OBJECT open_a(void);
LONGLONG size_of(PFILE_OBJECT file);

#endif
