/*
 * session.c - one mount from rdr_fuse_mount() to rdr_fuse_destroy().
 *
 * Owns:      struct rdr_fuse and the libfuse session, which owns the device descriptor.
 *
 *   made --rdr_fuse_mount--> mounted --rdr_fuse_run--> serving --unmounted or stop--> ended --destroy--> freed
 *
 * Unmounting from outside: every reader gets ENODEV, libfuse marks the session exited, run() returns.
 * rdr_fuse_stop(): a plain unmount first; busy: a lazy one, and then the device is left by everybody, all
 * requests in flight are cancelled and answered, and destroying the session closes the last descriptor, which
 * makes the kernel abort what programs still wait for.
 * Locks: none of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuse_int.h"
#include "nt_status.h"

#define DEFAULT_THREADS 256u
#define MAX_BACKGROUND 256

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct rdr_fuse *fuse = userdata;

#if defined(RDR_FUSE_EXPIRE_FLAGS) || defined(RDR_FUSE_EXPIRE)
	atomic_store(&fuse->can_expire, (conn->capable & FUSE_CAP_EXPIRE_ONLY) != 0);
#endif
	/* Without them the kernel keeps locks itself, for this machine. */
	if (fuse->options.local_locks)
		conn->want &= ~(unsigned int)(FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
	/* Received data stays in our own memory: the request's MDL points into it. */
	conn->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	/* With it the kernel owns sizes and other clients' changes are not seen. */
	conn->want &= ~(unsigned int)FUSE_CAP_WRITEBACK_CACHE;
	conn->want |= conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
				       FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ATOMIC_O_TRUNC |
				       FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
	conn->max_write = FRONT_MAX_IO;
	conn->max_readahead = FRONT_MAX_IO;
	conn->max_background = MAX_BACKGROUND;
	conn->congestion_threshold = MAX_BACKGROUND * 3 / 4;
	conn->time_gran = 100;
}

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.lookup = front_op_lookup,
	.forget = front_op_forget,
	.forget_multi = front_op_forget_multi,
	.getattr = front_op_getattr,
	.setattr = front_op_setattr,
	.readlink = front_op_readlink,
	.mknod = front_op_mknod,
	.mkdir = front_op_mkdir,
	.unlink = front_op_unlink,
	.rmdir = front_op_rmdir,
	.symlink = front_op_symlink,
	.rename = front_op_rename,
	.link = front_op_link,
	.open = front_op_open,
	.read = front_op_read,
	.write = front_op_write,
	.flush = front_op_flush,
	.release = front_op_release,
	.fsync = front_op_fsync,
	.getlk = front_op_getlk,
	.setlk = front_op_setlk,
	.flock = front_op_flock,
	.opendir = front_op_opendir,
	.readdir = front_op_readdir,
	.readdirplus = front_op_readdirplus,
	.releasedir = front_op_release,
	.fsyncdir = front_op_fsyncdir,
	.statfs = front_op_statfs,
	.create = front_op_create,
	.access = front_op_access, /* asked only where default_permissions is not in force */
				   /*
	 * Not offered, so that the kernel answers: xattr and fallocate (EOPNOTSUPP), copy_file_range and
	 * SEEK_HOLE (generic).
	 */
};

static void copy_options(struct rdr_fuse *fuse, const struct rdr_fuse_options *o)
{
	fuse->options = *o;
	/* Strings are the caller's; what is needed later has its own copy. */
	fuse->options.mountpoint = NULL;
	fuse->options.fsname = NULL;
	fuse->options.subtype = NULL;
	fuse->options.root = NULL;
	fuse->options.mount_options = NULL;
	if (fuse->options.file_mode == 0)
		fuse->options.file_mode = FRONT_FILE_MODE;
	if (fuse->options.dir_mode == 0)
		fuse->options.dir_mode = FRONT_DIR_MODE;
	fuse->options.file_mode &= 07777;
	fuse->options.dir_mode &= 07777;
	if (fuse->options.max_threads == 0 || fuse->options.max_threads > DEFAULT_THREADS)
		fuse->options.max_threads = DEFAULT_THREADS;
	/* Nothing is granted: a name or an attribute is believed for a second at most. */
	if (fuse->options.actimeo_ms > 1000)
		fuse->options.actimeo_ms = 1000;
	fuse->timeout = o->cache_none ? 0.0 : fuse->options.actimeo_ms / 1000.0;
}

/* The root must answer before anything is mounted. */
static NTSTATUS check_root(struct rdr_fuse *fuse)
{
	FILE_STAT_INFORMATION stat;
	NTSTATUS status = door_stat_path(fuse->volume, NULL, &fuse->root_path, &stat);

	if (NT_SUCCESS(status) && !(stat.FileAttributes & FILE_ATTRIBUTE_DIRECTORY))
		status = STATUS_NOT_A_DIRECTORY;
	/* Its number is shown in listings; it is never looked up by it. */
	if (NT_SUCCESS(status) && stat.FileId.QuadPart != -1)
		fuse->root->file_id = (uint64_t)stat.FileId.QuadPart;
	return status;
}

static struct fuse_session *make_session(struct rdr_fuse *fuse, bool debug, bool allow_root)
{
	char name[] = "rdr", debug_flag[] = "-d", o_flag[] = "-o", root_flag[] = "allow_root";
	char *argv[5] = {name};
	int argc = 1;
	struct fuse_args args;
	struct fuse_session *session;

	if (debug)
		argv[argc++] = debug_flag;
	if (allow_root) {
		argv[argc++] = o_flag;
		argv[argc++] = root_flag;
	}
	args = (struct fuse_args)FUSE_ARGS_INIT(argc, argv);
	session = fuse_session_new(&args, &operations, sizeof(operations), fuse);
	fuse_opt_free_args(&args);
	return session;
}

static void destroy_parts(struct rdr_fuse *fuse)
{
	front_watches_stop(fuse);
	front_notify_stop(fuse);
	front_requests_stop(fuse);
	if (fuse->session != NULL)
		fuse_session_destroy(fuse->session); /* closes the device: the kernel ends what is left */
	if (fuse->comm_fd >= 0)
		close(fuse->comm_fd);
	front_nodes_free(fuse);
	front_pages_end(&fuse->pages);
	front_caches_wait(fuse);
	front_pool_free(fuse);
	front_buffer_trim();
	door_name_free(&fuse->root_path);
	free(fuse->mountpoint);
	ExFreePoolWithTag(fuse, FUSE_TAG_SESSION);
}

static enum rdr_fuse_error attach(struct rdr_fuse *fuse, const struct rdr_fuse_options *options,
				  struct rdr_fuse_failure *failure)
{
	enum rdr_fuse_error error;
	char device_name[32];
	int device;

	fuse->session = make_session(fuse, options->debug, options->allow_root);
	if (fuse->session == NULL)
		return front_fail(failure, RDR_FUSE_FAILED, EINVAL, STATUS_SUCCESS,
				  "libfuse refused the session");
	if (options->device > 0) {
		device = options->device;
	} else {
		error = front_mount(options, &device, &fuse->comm_fd, failure);
		if (error != RDR_FUSE_OK)
			return error;
	}
	snprintf(device_name, sizeof(device_name), "/dev/fd/%d", device);
	if (fuse_session_mount(fuse->session, device_name) != 0) {
		if (options->device <= 0)
			(void)front_unmount(fuse->mountpoint, true);
		close(device);
		return front_fail(failure, RDR_FUSE_FAILED, EIO, STATUS_SUCCESS,
				  "libfuse refused the device");
	}
	/* What the caller mounted, he unmounts. */
	atomic_store(&fuse->mounted, options->device <= 0);
	return RDR_FUSE_OK;
}

enum rdr_fuse_error rdr_fuse_mount(const struct rdr_fuse_options *options, struct door_volume *volume,
				   struct rdr_fuse **out, struct rdr_fuse_failure *failure)
{
	enum rdr_fuse_error error = RDR_FUSE_NO_MEMORY;
	struct rdr_fuse *fuse;
	NTSTATUS status;

	*out = NULL;
	if (options->size != sizeof(*options) || options->mountpoint == NULL)
		return front_fail(failure, RDR_FUSE_BAD_OPTION, EINVAL, STATUS_SUCCESS,
				  "wrong options structure");
	fuse = ExAllocatePoolWithTag(NonPagedPool, sizeof(*fuse), FUSE_TAG_SESSION);
	if (fuse == NULL)
		return front_fail(failure, error, ENOMEM, STATUS_SUCCESS, "out of memory");
	RtlZeroMemory(fuse, sizeof(*fuse));
	fuse->comm_fd = -1;
	fuse->volume = volume;
	copy_options(fuse, options);
	front_caches_init(fuse);
	front_pool_init(&fuse->pool, fuse->options.max_threads);
	fuse->mountpoint = strdup(options->mountpoint);
	status = front_nodes_init(fuse);
	if (fuse->mountpoint == NULL)
		status = STATUS_INSUFFICIENT_RESOURCES;
	if (NT_SUCCESS(status))
		status = door_name_from_posix(options->root != NULL ? options->root : "", &fuse->root_path);
	if (NT_SUCCESS(status))
		status = check_root(fuse);
	if (!NT_SUCCESS(status)) {
		error = front_fail(
			failure,
			status == STATUS_INSUFFICIENT_RESOURCES ? RDR_FUSE_NO_MEMORY : RDR_FUSE_NO_ROOT,
			nt_status_to_errno(status), status, "the root folder could not be looked up");
		goto out;
	}
	status = front_requests_start(fuse);
	if (NT_SUCCESS(status))
		status = front_notify_start(fuse);
	if (NT_SUCCESS(status))
		status = front_watches_start(fuse);
	if (!NT_SUCCESS(status)) {
		front_fail(failure, error, ENOMEM, status, "no thread for the mount");
		goto out;
	}
	error = attach(fuse, options, failure);
out:
	if (error == RDR_FUSE_OK)
		*out = fuse;
	else
		destroy_parts(fuse);
	return error;
}

int rdr_fuse_run(struct rdr_fuse *fuse)
{
	NTSTATUS status = front_pool_start(fuse);

	atomic_store(&fuse->ran, true);
	if (!NT_SUCCESS(status))
		return -nt_status_to_errno(status);
	/* The root answered when the mount was made; from here on the kernel's requests are served. */
	if (fuse->options.ready != NULL && !atomic_exchange(&fuse->ready_told, true))
		fuse->options.ready(fuse->options.ready_context, STATUS_SUCCESS);
	front_pool_wait(fuse);
	/* Requests that threads left to the driver, and those answered early. */
	front_requests_abandon(fuse);
	return atomic_load(&fuse->stop_asked) ? 0 : fuse->result;
}

void rdr_fuse_stop(struct rdr_fuse *fuse)
{
	if (atomic_exchange(&fuse->stop_asked, true))
		return;
	if (atomic_exchange(&fuse->mounted, false)) {
		int error = front_unmount(fuse->mountpoint, false);

		/* Done: the kernel tells the readers.  Busy: gone from the tree, the device is left. */
		if (error == 0)
			return;
		(void)front_unmount(fuse->mountpoint, true);
	}
	/* not fuse_session_exit(): libfuse would read requests and keep them to itself, and nobody would answer */
	front_pool_interrupt(fuse);
	front_requests_cancel(fuse);
}

void rdr_fuse_query_counters(struct rdr_fuse *fuse, struct rdr_fuse_counters *counters)
{
	KIRQL irql;

	counters->requests = atomic_load(&fuse->n_requests);
	counters->interrupts = atomic_load(&fuse->n_interrupts);
	counters->bytes_read = atomic_load(&fuse->n_read);
	counters->bytes_written = atomic_load(&fuse->n_written);
	counters->nodes = front_node_count(fuse);
	counters->open_files = atomic_load(&fuse->n_files);
	KeAcquireSpinLock(&fuse->pool.lock, &irql);
	counters->threads = fuse->pool.alive;
	counters->threads_peak = fuse->pool.peak;
	KeReleaseSpinLock(&fuse->pool.lock, irql);
}

void rdr_fuse_destroy(struct rdr_fuse *fuse)
{
	/*
	 * run() ended: unmounted from outside, or stopped.  An unmount from outside leaves nothing to unmount,
	 * and by now something else may be mounted there; a device error leaves a dead mount behind.
	 */
	if ((fuse->result != 0 || !atomic_load(&fuse->ran)) && atomic_exchange(&fuse->mounted, false))
		(void)front_unmount(fuse->mountpoint, true);
	front_watches_stop(fuse);
	front_renewals_wait(fuse);
	front_files_close_all(fuse);
	destroy_parts(fuse);
}
