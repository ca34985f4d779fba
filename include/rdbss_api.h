/*
 * rdbss_api.h - network file systems inside a program, without a mount.
 *
 * Thread-safe: any thread may call anything; a handle may be used by several threads at once (a directory
 * stream by one at a time).  No call touches signals, the working directory or the environment.
 * Paths are bytes, relative to the mounted share, components separated by '/'; "" and "/" are its root.
 * Errors are negative errno values; rdbss_last_status() names the NTSTATUS behind the calling thread's last one.
 * Blocking calls end when the server is gone: at the latest by its time limits.
 */
#ifndef RDBSS_API_H
#define RDBSS_API_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RDBSS_API_VERSION 1u
#define RDBSS_EXPORT __attribute__((visibility("default")))

struct rdbss_mount;
struct rdbss_file;
struct rdbss_dir;
struct rdbss_op;

/* ---- the library ------------------------------------------------------------------------------------ */

/**
 * rdbss_init - start the engine; may be called several times, each paired with rdbss_shutdown()
 * @version: RDBSS_API_VERSION
 *
 * Return: 0; -ENOTSUP for a version this library does not speak; -ENOMEM.
 */
RDBSS_EXPORT int rdbss_init(uint32_t version);

/**
 * rdbss_shutdown - the last call stops the drivers and counts what was not freed
 * @report: one line per kind of leaked memory goes there; NULL = nowhere
 *
 * Every mount must have been unmounted.
 * Return: leaked bytes (0: none); -EBUSY while something is mounted.
 */
RDBSS_EXPORT long rdbss_shutdown(FILE *report);

/* "STATUS_LOGON_FAILURE": of the calling thread's last failed call; "STATUS_SUCCESS" before the first. */
RDBSS_EXPORT const char *rdbss_last_status(void);

/* ---- mounts ----------------------------------------------------------------------------------------- */

struct rdbss_mount_options {
	uint32_t size;        /* sizeof(struct rdbss_mount_options) */
	uint32_t port;        /* 0 = from the target, else the protocol's own */
	const char *user;     /* NULL = from the target, else none */
	const char *password; /* NULL = none; copied, the copy is wiped after use */
	const char *domain;   /* NULL = from the target, else none */
	const char *options;  /* "vers=3.1.1,seal": for the driver; NULL = none */
};

/**
 * rdbss_mount - connect a share
 * @target:  "mem:[volume]", "//server[:port]/share[/dir]", "smb://[domain;][user@]server[:port]/share[/dir]"
 * @options: NULL = defaults
 *
 * Return: 0 or a negative errno (-EINVAL: the target; -EACCES: the credentials; -ETIMEDOUT, -ECONNREFUSED,
 *         -EHOSTUNREACH, -ENOENT: no such share; -EPROTONOSUPPORT: no driver for it in this build).
 */
RDBSS_EXPORT int rdbss_mount(const char *target, const struct rdbss_mount_options *options,
			     struct rdbss_mount **out);

/* Return: 0; -EBUSY while files or directories are open. */
RDBSS_EXPORT int rdbss_unmount(struct rdbss_mount *mount);

/* ---- files ------------------------------------------------------------------------------------------ */

/**
 * rdbss_open - open(2): O_RDONLY O_WRONLY O_RDWR O_CREAT O_EXCL O_TRUNC O_APPEND O_DIRECTORY O_NOFOLLOW
 * @mode: for a new file; without any write bit it gets the read-only attribute
 */
RDBSS_EXPORT int rdbss_open(struct rdbss_mount *mount, const char *path, int flags, mode_t mode,
			    struct rdbss_file **out);
RDBSS_EXPORT int rdbss_close(struct rdbss_file *file);

/* Return: bytes, fewer only at the end of the file (pread), or a negative errno. */
RDBSS_EXPORT ssize_t rdbss_pread(struct rdbss_file *file, void *buffer, size_t count, off_t offset);
/* On a file opened with O_APPEND @offset is ignored. */
RDBSS_EXPORT ssize_t rdbss_pwrite(struct rdbss_file *file, const void *buffer, size_t count, off_t offset);

/* Called once per operation, on a thread of the library: do not block, do not call back into it for long. */
typedef void (*rdbss_done_fn)(void *context, ssize_t result);

/**
 * rdbss_pread_async, rdbss_pwrite_async - the same without waiting
 * @count:  at most 8 MiB; the result may be less
 * @buffer: belongs to the library until @done
 * @op:     [out, may be NULL] for rdbss_cancel(); give it back with rdbss_op_free()
 *
 * Return: 0: @done will be called or has been; negative: it will not.
 */
RDBSS_EXPORT int rdbss_pread_async(struct rdbss_file *file, void *buffer, size_t count, off_t offset,
				   rdbss_done_fn done, void *context, struct rdbss_op **op);
RDBSS_EXPORT int rdbss_pwrite_async(struct rdbss_file *file, const void *buffer, size_t count, off_t offset,
				    rdbss_done_fn done, void *context, struct rdbss_op **op);
/* Asks for the end; @done still comes, with -EINTR when the operation did not finish first. */
RDBSS_EXPORT void rdbss_cancel(struct rdbss_op *op);
RDBSS_EXPORT void rdbss_op_free(struct rdbss_op *op);

RDBSS_EXPORT int rdbss_fsync(struct rdbss_file *file);
RDBSS_EXPORT int rdbss_ftruncate(struct rdbss_file *file, off_t size);
RDBSS_EXPORT int rdbss_fstat(struct rdbss_file *file, struct stat *st);

/* ---- locks ------------------------------------------------------------------------------------------ */

#define RDBSS_UNLOCK 0
#define RDBSS_LOCK_SHARED 1
#define RDBSS_LOCK_EXCLUSIVE 2

/**
 * rdbss_lock - lock, convert or unlock a range of bytes; the lock belongs to @file and goes with rdbss_close()
 * @type:   RDBSS_...
 * @start:  bytes
 * @length: bytes; 0 = to the end of the file, wherever that is
 * @wait:   0: do not wait
 *
 * Splits, merges and converts what @file has locked as fcntl(2) says of a process. The server enforces locks: other
 * clients are refused what they keep from them; other handles of this mount are not, they only cannot lock it.
 * Return: 0; -EAGAIN; -EINVAL; -EIO: the server has lost a lock that @file had, which from now on can only be closed.
 */
RDBSS_EXPORT int rdbss_lock(struct rdbss_file *file, int type, off_t start, off_t length, int wait);

/* The same, waiting, without a thread that waits; rdbss_cancel() ends it with -EINTR. */
RDBSS_EXPORT int rdbss_lock_async(struct rdbss_file *file, int type, off_t start, off_t length,
				  rdbss_done_fn done, void *context, struct rdbss_op **op);

/**
 * rdbss_lock_test - could @file lock the range now?
 * @type: [in] what is wanted [out] RDBSS_UNLOCK when it could, else the type of a lock in the way
 */
RDBSS_EXPORT int rdbss_lock_test(struct rdbss_file *file, int *type, off_t start, off_t length);

/* ---- names ------------------------------------------------------------------------------------------ */

/* Never follows a symbolic link. */
RDBSS_EXPORT int rdbss_stat(struct rdbss_mount *mount, const char *path, struct stat *st);
RDBSS_EXPORT int rdbss_mkdir(struct rdbss_mount *mount, const char *path, mode_t mode);
RDBSS_EXPORT int rdbss_rmdir(struct rdbss_mount *mount, const char *path);
/* The name is gone at once; open handles go on. */
RDBSS_EXPORT int rdbss_unlink(struct rdbss_mount *mount, const char *path);
#define RDBSS_RENAME_NOREPLACE 1u
RDBSS_EXPORT int rdbss_rename(struct rdbss_mount *mount, const char *from, const char *to,
			      unsigned int flags);
RDBSS_EXPORT int rdbss_link(struct rdbss_mount *mount, const char *existing, const char *path);
RDBSS_EXPORT int rdbss_symlink(struct rdbss_mount *mount, const char *target, const char *path);
/* Return: bytes of the target (it is NUL-terminated too), or a negative errno; -ERANGE: @size is too small. */
RDBSS_EXPORT ssize_t rdbss_readlink(struct rdbss_mount *mount, const char *path, char *target, size_t size);
RDBSS_EXPORT int rdbss_truncate(struct rdbss_mount *mount, const char *path, off_t size);
/* [0] access, [1] modification; UTIME_NOW and UTIME_OMIT as in utimensat(2). */
RDBSS_EXPORT int rdbss_utimens(struct rdbss_mount *mount, const char *path, const struct timespec times[2]);
/* Turns the read-only attribute on when @mode has no write bit, else off. */
RDBSS_EXPORT int rdbss_chmod(struct rdbss_mount *mount, const char *path, mode_t mode);
RDBSS_EXPORT int rdbss_statvfs(struct rdbss_mount *mount, struct statvfs *st);

/* ---- directories ------------------------------------------------------------------------------------ */

struct rdbss_dirent {
	char name[256]; /* NUL-terminated */
	struct stat st; /* from the listing: st_nlink is 1, st_ino 0 when the server gives none */
};

RDBSS_EXPORT int rdbss_opendir(struct rdbss_mount *mount, const char *path, struct rdbss_dir **out);
/* Return: 1 with an entry ("." and ".." are not listed), 0 at the end, or a negative errno. */
RDBSS_EXPORT int rdbss_readdir(struct rdbss_dir *dir, struct rdbss_dirent *entry);
RDBSS_EXPORT int rdbss_closedir(struct rdbss_dir *dir);

/* ---- watching --------------------------------------------------------------------------------------- */

struct rdbss_object {
	uint32_t size;
	uint32_t kind; /* 1 server, 2 share, 3 view of a share, 4 file, 5 server handle, 6 handle */
	uint64_t id;
	uint64_t parent_id;
	uint32_t references;
	uint32_t condition;
	uint32_t open_count;
	uint32_t status;  /* NTSTATUS of its construction or open */
	const char *name; /* UTF-8; borrowed during the call */
};

/**
 * rdbss_enumerate - call @fn for each live object of the mount's driver
 * @fn: a non-zero result ends the enumeration and is returned
 *
 * Answers while servers are dead.
 */
RDBSS_EXPORT int rdbss_enumerate(struct rdbss_mount *mount,
				 int (*fn)(void *context, const struct rdbss_object *object), void *context);

#ifdef __cplusplus
}
#endif

#endif
