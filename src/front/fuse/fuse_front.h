/*
 * fuse_front.h - mounting a connected volume with FUSE; what the command line tool calls.
 *
 * Order of calls:
 *   rdr_fuse_mount()   checks, mounts, returns; the kernel's requests wait
 *   rdr_fuse_run()     serves until the file system is unmounted or rdr_fuse_stop() is called;
 *                      options->ready is called once, from a thread of the pool
 *   rdr_fuse_destroy() unmounts when still mounted, ends the threads, closes every file, frees everything
 * The volume belongs to the caller: disconnect it after rdr_fuse_destroy().
 */
#ifndef RDBSS_FRONT_FUSE_FRONT_H
#define RDBSS_FRONT_FUSE_FRONT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "front/door/door.h"

struct rdr_fuse;

enum rdr_fuse_error {
	RDR_FUSE_OK = 0,
	RDR_FUSE_NO_DEVICE,   /* /dev/fuse is missing or may not be opened */
	RDR_FUSE_NO_HELPER,   /* not root and fusermount3 is not installed */
	RDR_FUSE_BAD_DIR,     /* the mount point is missing, not a directory, or not ours to mount on */
	RDR_FUSE_BUSY,        /* the mount point already carries this kind of mount of ours */
	RDR_FUSE_NOT_ALLOWED, /* allow_other without user_allow_other in /etc/fuse.conf */
	RDR_FUSE_BAD_OPTION,  /* an option that libfuse or the kernel refused */
	RDR_FUSE_NO_ROOT,     /* the root (or the sub-directory) of the volume could not be looked up */
	RDR_FUSE_NO_MEMORY,
	RDR_FUSE_FAILED /* anything else: see text */
};

struct rdr_fuse_failure {
	enum rdr_fuse_error error;
	int errnum;      /* errno, or 0 */
	NTSTATUS status; /* of the volume, or STATUS_SUCCESS */
	char text[256];  /* one line, no newline */
};

struct rdr_fuse_options {
	uint32_t size;             /* sizeof(struct rdr_fuse_options) */
	const char *mountpoint;    /* absolute path */
	const char *fsname;        /* source in /proc/mounts: "//server/share"; no secrets */
	const char *subtype;       /* NULL = "rdr": type fuse.rdr */
	const char *root;          /* sub-directory of the volume shown as the root; POSIX bytes; NULL = "" */
	const char *mount_options; /* more -o options handed to libfuse as they are ("nosuid,noexec"); NULL */

	uid_t uid; /* owner of every file */
	gid_t gid;
	mode_t file_mode;    /* permission bits; 0 = 0755 */
	mode_t dir_mode;     /* 0 = 0755 */
	uint32_t actimeo_ms; /* names and attributes are believed that long; at most 1000 without a grant */

	bool read_only;
	bool allow_other;
	bool allow_root;
	bool no_permissions;      /* noperm: leave every check to the server (no default_permissions) */
	bool default_permissions; /* the kernel checks modes also where only the mounter is let in */
	bool cache_none;          /* cache=none: direct_io everywhere, no timeouts */
	bool cache_loose;         /* cache=loose: without a grant a file is as it was when it was opened */
	bool local_locks;         /* nobrl: the kernel keeps locks, the server never hears of them */
	bool debug;               /* libfuse's own trace on stderr */
	unsigned int max_threads; /* 0 = 256 */
	int device; /* a FUSE descriptor that the caller mounted, ours from now on; 0 = mount here */

	/* Called once: STATUS_SUCCESS after the first successful lookup of the root. */
	void (*ready)(void *context, NTSTATUS status);
	void *ready_context;
};

/**
 * rdr_fuse_mount - mount @volume on options->mountpoint
 * @out:     [out] NULL on failure
 * @failure: [out] why; may be NULL
 *
 * Looks the root up first, so that nothing is mounted when the volume does not answer.
 */
enum rdr_fuse_error rdr_fuse_mount(const struct rdr_fuse_options *options, struct door_volume *volume,
				   struct rdr_fuse **out, struct rdr_fuse_failure *failure);

/* Blocks until the end.  Return: 0 unmounted or stopped; a negative errno when the device failed. */
int rdr_fuse_run(struct rdr_fuse *fuse);

/**
 * rdr_fuse_stop - end rdr_fuse_run() from another thread
 *
 * Unmounts (lazily when busy), fails what is in flight with ECONNABORTED through the kernel's abort, and lets
 * run() return within seconds even when the server is dead.  Not async-signal-safe: call it from a thread
 * that waits for the signal.
 */
void rdr_fuse_stop(struct rdr_fuse *fuse);

struct rdr_fuse_counters {
	uint64_t requests;   /* FUSE requests taken */
	uint64_t interrupts; /* requests answered EINTR */
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint32_t threads; /* of the pool now */
	uint32_t threads_peak;
	uint32_t nodes; /* known to the kernel */
	uint32_t open_files;
};

void rdr_fuse_query_counters(struct rdr_fuse *fuse, struct rdr_fuse_counters *counters);

void rdr_fuse_destroy(struct rdr_fuse *fuse);

#endif
