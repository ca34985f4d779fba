/*
 * capi_int.h - what the files of the C API share.
 *
 * Every entry point is capi_enter() ... capi_leave(): the calling thread becomes known to the runtime for the
 * duration of the call.  Locks: library.lock (a short atomic lock) for the count of users and the drivers.
 */
#ifndef RDBSS_FRONT_CAPI_INT_H
#define RDBSS_FRONT_CAPI_INT_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "front/door/door.h"
#include "nt_status.h"
#include "rdbss_api.h"

#define CAPI_TAG_MOUNT 'mPaC'
#define CAPI_TAG_FILE 'fPaC'
#define CAPI_TAG_OP 'oPaC'
#define CAPI_TAG_DIR 'dPaC'
#define CAPI_TAG_TEXT 'tPaC'

#define CAPI_SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

struct rdbss_mount {
	struct capi_driver *driver;
	struct door_volume *volume;
	UNICODE_STRING root; /* directory inside the share that is the root */
	atomic_uint handles; /* open files and directories */
};

struct rdbss_file {
	struct rdbss_mount *mount;
	struct door_file *file;
	bool append;
};

/* What a target string means.  Strings point into @text. */
struct capi_target {
	char *text; /* CAPI_TAG_TEXT */
	const char *scheme;
	const char *server;
	const char *share;
	const char *path;
	const char *user;   /* NULL = none given */
	const char *domain; /* NULL = none given */
	unsigned int port;
};

/* library.c */
struct capi_thread {
	bool adopted;
};
/* Return: 0, or a negative errno when the library is not initialised. */
int capi_enter(struct capi_thread *thread);
void capi_leave(struct capi_thread *thread);
/*
 * Who asks, and for what: @operation is the name of the entry point, a constant. Counted as one such operation; messages
 * that it waits for count under its name.
 */
struct door_caller capi_caller(const char *operation);
/* 0 for success, else a negative errno; remembers the status for rdbss_last_status(). */
int capi_result(NTSTATUS status);
NTSTATUS capi_driver_get(const char *scheme, struct capi_driver **out);
void capi_driver_put(struct capi_driver *driver);
struct door *capi_driver_door(struct capi_driver *driver);

/* target.c */
/* Return: 0, -EINVAL, -ENOMEM.  Free with capi_target_free() in every case. */
int capi_target_parse(const char *text, struct capi_target *target);
void capi_target_free(struct capi_target *target);

/* mount.c */
NTSTATUS capi_path(struct rdbss_mount *mount, const char *path, UNICODE_STRING *name);

/* file.c */
/* NULL: no memory.  @operation: as for capi_caller().  @out NULL: the caller does not want to cancel it. */
struct rdbss_op *capi_op_create(const char *operation, rdbss_done_fn done, void *context,
				struct rdbss_op **out);
struct door_caller *capi_op_caller(struct rdbss_op *op);
void capi_op_done(void *op, NTSTATUS status, ULONG_PTR information);

/* attr.c */
void capi_fill_stat(const FILE_STAT_INFORMATION *info, struct stat *st);

#endif
