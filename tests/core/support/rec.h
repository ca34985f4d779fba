/*
 * rec.h - a mini-redirector that remembers what it was asked, and a door to it.
 *
 * The driver keeps no files: every name exists, holds rec.file_size bytes of the pattern rec_byte(offset), and
 * can be written. What a test wants to happen it writes into `rec` before it sends the request.
 */
#ifndef RX_TEST_REC_H
#define RX_TEST_REC_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "ntifs.h"
#include "rx.h"
#include "rxctl.h"

enum rec_slot {
	REC_START,
	REC_STOP,
	REC_CREATE_SRV_CALL,
	REC_WINNER,
	REC_CREATE_VNR,
	REC_FINALIZE_SC,
	REC_FINALIZE_NR,
	REC_FINALIZE_VNR,
	REC_CREATE,
	REC_SHOULD_COLLAPSE,
	REC_COLLAPSE,
	REC_CLEANUP,
	REC_CLOSE,
	REC_FORCE_CLOSED,
	REC_DEALLOCATE_FCB,
	REC_DEALLOCATE_FOBX,
	REC_TRUNCATE,
	REC_ZERO_EXTEND,
	REC_SET_INFO_AT_CLEANUP,
	REC_READ,
	REC_WRITE,
	REC_LOCK,
	REC_UNLOCK,
	REC_UNLOCK_MULTIPLE,
	REC_FSCTL,
	REC_NOTIFY,
	REC_FLUSH,
	REC_QUERY_DIR,
	REC_QUERY_INFO,
	REC_SET_INFO,
	REC_QUERY_VOLUME,
	REC_CANCEL,
	REC_SLOTS
};

enum rec_mode {
	REC_INLINE, /* answer at once */
	REC_WORKER, /* answer from a worker */
	REC_HOLD,   /* keep the request until rec_release() or a cancel */
	REC_MIXED   /* one after the other: at once, from a worker, and keep those that need no thread */
};

struct rec {
	/* what the driver does */
	NTSTATUS status[REC_SLOTS]; /* what a slot answers instead of success; once per call */
	enum rec_mode lowio;
	enum rec_mode connect;
	ULONG buffering;   /* SRV_OPEN.BufferingFlags and FcbState of each new open */
	ULONG qoc_close;   /* mark the open closed at once */
	ULONG scavenger_s; /* seconds of delayed close, before rec_load() */
	LONGLONG file_size;
	NODE_TYPE_CODE type;
	unsigned int retries;                      /* STATUS_RETRY this often from MRxCreate */
	bool quiet;                                /* only count: many threads are at work */
	NTSTATUS (*reparse_hook)(PRX_CONTEXT rxc); /* instead of opening, unless it answers success */
	NTSTATUS (*create_hook)(PRX_CONTEXT rxc);  /* at the end of a successful MRxCreate */
	NTSTATUS (*lowio_hook)(PRX_CONTEXT rxc);   /* instead of every low I/O */
	/* what it saw */
	volatile LONG count[REC_SLOTS];
	volatile LONG held;
	UNICODE_STRING last_name; /* of MRxCreate, in last_name_chars */
	WCHAR last_name_chars[256];
	LOWIO_CONTEXT last_lowio;
	WCHAR user[32], password[32], domain[32]; /* of the last new view */
	BOOLEAN last_initial_query;
	LONGLONG last_write_offset;
	PRDBSS_DEVICE_OBJECT device;
	PDRIVER_OBJECT driver;
};

extern struct rec rec;

/* The file's byte at an offset. */
static inline UCHAR rec_byte(LONGLONG offset)
{
	return (UCHAR)(offset * 7 + (offset >> 8));
}

void rec_reset(void);
LONG rec_seen(enum rec_slot slot);
/* Loads the driver and opens its device; then start it. The runtime must be there. */
void rec_load(void);
NTSTATUS rec_control(ULONG code);
/* The objects agree, with exact counts: no request is at work. */
void rec_check_quiet(void);
void rec_unload(void);
/* Completes one held request; false: none. */
bool rec_release(NTSTATUS status, ULONG_PTR information);
/* Waits until `n` requests are held. */
void rec_wait_held(LONG n);
/* Waits until a slot was called `n` times. */
void rec_wait_seen(enum rec_slot slot, LONG n);

/* ---- requests ---- */

struct req {
	PIRP irp;
	PFILE_OBJECT file;
	IO_SECURITY_CONTEXT security;
	LARGE_INTEGER length;
	PMDL mdl;
	KEVENT done;
	NTSTATUS status;
	ULONG_PTR information;
	volatile LONG completions;
	DECLSPEC_ALIGN(16) UCHAR buffer[1024];
};

/* A request that is not sent yet; the caller fills req_sp(). */
struct req *req_make(PFILE_OBJECT file, UCHAR major, UCHAR minor);
PIO_STACK_LOCATION req_sp(struct req *r);
/* What IoCallDriver answered; the request may be done or not. */
NTSTATUS req_send(struct req *r);
/* Waits (20 s of patience) and frees; the status it was completed with. */
NTSTATUS req_end(struct req *r, ULONG_PTR *information);
NTSTATUS req_run(struct req *r, ULONG_PTR *information);

struct open_params {
	const WCHAR *name;
	ACCESS_MASK access; /* 0: read and write data */
	ULONG share;        /* 0: everything */
	ULONG disposition;  /* 0: FILE_SUPERSEDE, so use FILE_OPEN */
	ULONG options;
	PVOID ea;
	ULONG ea_length;
	ULONG flags; /* SL_... */
	PFILE_OBJECT related;
};

PFILE_OBJECT file_make(const WCHAR *name, PFILE_OBJECT related);
NTSTATUS file_open_with(const struct open_params *p, PFILE_OBJECT *file, ULONG_PTR *information);
PFILE_OBJECT file_open(const WCHAR *name);
NTSTATUS file_cleanup(PFILE_OBJECT file);
NTSTATUS file_close_only(PFILE_OBJECT file);
/* Cleanup, close, forget. */
void file_close(PFILE_OBJECT file);
struct req *file_read_make(PFILE_OBJECT file, LONGLONG offset, ULONG length, bool async);
struct req *file_write_make(PFILE_OBJECT file, LONGLONG offset, ULONG length, bool async);
struct req *file_lock_make(PFILE_OBJECT file, UCHAR minor, LONGLONG offset, LONGLONG length, UCHAR flags);
struct req *file_set_make(PFILE_OBJECT file, FILE_INFORMATION_CLASS cls, const void *info, ULONG length);
/* FileRenameInformation or FileLinkInformation. @replace: what has the name already. */
struct req *file_name_make(PFILE_OBJECT file, FILE_INFORMATION_CLASS cls, const WCHAR *name, bool replace);

static inline FCB *fcb_of(PFILE_OBJECT file)
{
	return file->FsContext;
}

static inline FOBX *fobx_of(PFILE_OBJECT file)
{
	return file->FsContext2;
}

/* ---- the set-up of a test ---- */

int rec_setup(void **state); /* runtime, driver, started */
int rec_setup_not_started(void **state);
int rec_teardown(void **state); /* stopped, unloaded, nothing leaked */

#define REC_TEST(fn) cmocka_unit_test_setup_teardown(fn, rec_setup, rec_teardown)
#define REC_SHARE u"\\server\\share"

#endif
