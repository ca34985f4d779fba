/*
 * file.c - open files: data, size, fsync.
 *
 * Owns:      struct rdbss_file and struct rdbss_op.
 * Dies when: a file in rdbss_close(); an op when its end was reported and its owner freed it.
 */
#include "front/capi/capi_int.h"

struct rdbss_op {
	struct door_cancel cancel;
	struct door_caller caller;
	atomic_uint refs; /* 1 for the transfer, 1 for the owner when he asked for it */
	rdbss_done_fn done;
	void *context;
	ssize_t result;
	WORK_QUEUE_ITEM later; /* for an end that comes where the caller's code must not run */
};

static ACCESS_MASK access_of(int flags)
{
	ACCESS_MASK access = SYNCHRONIZE | FILE_READ_ATTRIBUTES;

	if ((flags & O_ACCMODE) != O_WRONLY)
		access |= FILE_READ_DATA;
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		access |= FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES;
	return access;
}

static ULONG disposition_of(int flags)
{
	if (!(flags & O_CREAT))
		return flags & O_TRUNC ? FILE_OVERWRITE : FILE_OPEN;
	if (flags & O_EXCL)
		return FILE_CREATE;
	return flags & O_TRUNC ? FILE_OVERWRITE_IF : FILE_OPEN_IF;
}

static NTSTATUS open_path(struct rdbss_mount *mount, const char *path, int flags, mode_t mode,
			  struct door_opened *opened)
{
	struct door_caller caller = capi_caller("rdbss_open");
	struct door_open open = {.access = access_of(flags),
				 .attributes = mode & 0222 || !(flags & O_CREAT) ? FILE_ATTRIBUTE_NORMAL
										 : FILE_ATTRIBUTE_READONLY,
				 .share = CAPI_SHARE_ALL,
				 .disposition = disposition_of(flags),
				 .options =
					 flags & O_DIRECTORY ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE,
				 .query = DOOR_QUERY_STAT};
	NTSTATUS status;

	if (flags & O_NOFOLLOW)
		open.options |= FILE_OPEN_REPARSE_POINT;
	status = capi_path(mount, path, &open.path);
	if (!NT_SUCCESS(status))
		return status;
	status = door_open(mount->volume, &caller, &open, opened);
	/* Overwriting minds the hidden and system attributes, truncating does not. */
	if (status == STATUS_ACCESS_DENIED && (flags & O_TRUNC) && !(flags & O_EXCL)) {
		open.disposition = FILE_OPEN;
		status = door_open(mount->volume, &caller, &open, opened);
		if (NT_SUCCESS(status)) {
			status = door_set_end_of_file(opened->file, &caller, 0);
			if (!NT_SUCCESS(status))
				(void)door_close(opened->file, &caller); /* nothing was written */
		} else {
			status = STATUS_ACCESS_DENIED;
		}
	}
	door_name_free(&open.path);
	return status;
}

int rdbss_open(struct rdbss_mount *mount, const char *path, int flags, mode_t mode, struct rdbss_file **out)
{
	struct rdbss_file *file = NULL;
	struct capi_thread thread;
	struct door_opened opened;
	NTSTATUS status;
	int error = capi_enter(&thread);

	*out = NULL;
	if (error != 0)
		return error;
	status = open_path(mount, path, flags, mode, &opened);
	if (NT_SUCCESS(status)) {
		file = ExAllocatePoolWithTag(NonPagedPool, sizeof(*file), CAPI_TAG_FILE);
		if (file == NULL) {
			(void)door_close(opened.file, NULL); /* given up */
			status = STATUS_INSUFFICIENT_RESOURCES;
		}
	}
	if (NT_SUCCESS(status)) {
		RtlZeroMemory(file, sizeof(*file));
		file->mount = mount;
		file->file = opened.file;
		file->append = (flags & O_APPEND) != 0;
		atomic_fetch_add(&mount->handles, 1);
		*out = file;
	}
	error = capi_result(status);
	capi_leave(&thread);
	return error;
}

int rdbss_close(struct rdbss_file *file)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	error = capi_result(door_close(file->file, &caller));
	atomic_fetch_sub(&file->mount->handles, 1);
	ExFreePoolWithTag(file, CAPI_TAG_FILE);
	capi_leave(&thread);
	return error;
}

ssize_t rdbss_pread(struct rdbss_file *file, void *buffer, size_t count, off_t offset)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	NTSTATUS status = STATUS_SUCCESS;
	size_t have = 0;
	int error;

	if (offset < 0 || count > SSIZE_MAX)
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	while (have < count) {
		size_t left = count - have;
		ULONG n = 0;

		status = door_read(file->file, &caller, (char *)buffer + have,
				   (ULONG)(left < DOOR_IO_MAX ? left : DOOR_IO_MAX), (uint64_t)offset + have,
				   &n);
		if (!NT_SUCCESS(status) || n == 0)
			break;
		have += n;
	}
	if (status == STATUS_END_OF_FILE)
		status = STATUS_SUCCESS;
	/* What was read counts, the error comes with the next call. */
	error = have != 0 ? 0 : capi_result(status);
	capi_leave(&thread);
	return error != 0 ? error : (ssize_t)have;
}

ssize_t rdbss_pwrite(struct rdbss_file *file, const void *buffer, size_t count, off_t offset)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	NTSTATUS status = STATUS_SUCCESS;
	size_t have = 0;
	int error;

	if (offset < 0 || count > SSIZE_MAX)
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	while (have < count) {
		size_t left = count - have;
		ULONG n = 0;

		status = door_write(file->file, &caller, (const char *)buffer + have,
				    (ULONG)(left < DOOR_IO_MAX ? left : DOOR_IO_MAX),
				    file->append ? DOOR_APPEND : (uint64_t)offset + have, &n);
		if (NT_SUCCESS(status) && n == 0)
			status = STATUS_DISK_FULL;
		if (!NT_SUCCESS(status))
			break;
		have += n;
	}
	error = have != 0 ? 0 : capi_result(status);
	capi_leave(&thread);
	return error != 0 ? error : (ssize_t)have;
}

/* ---- without waiting -------------------------------------------------------------------------------- */

static void op_put(struct rdbss_op *op)
{
	if (atomic_fetch_sub(&op->refs, 1) == 1)
		ExFreePoolWithTag(op, CAPI_TAG_OP);
}

static void op_report(void *context)
{
	struct rdbss_op *op = context;

	op->done(op->context, op->result);
	op_put(op);
}

/* The caller's routine may start the next transfer, which a transport's thread may not. */
void capi_op_done(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct rdbss_op *op = context;

	op->result = (ssize_t)information;
	if (status == STATUS_END_OF_FILE)
		op->result = 0;
	else if (!NT_SUCCESS(status))
		op->result = status == STATUS_CANCELLED ? -EINTR : capi_result(status);
	if (KeGetCurrentIrql() < DISPATCH_LEVEL) {
		op_report(op);
		return;
	}
	ExInitializeWorkItem(&op->later, op_report, op);
	ExQueueWorkItem(&op->later, CriticalWorkQueue);
}

struct rdbss_op *capi_op_create(const char *operation, rdbss_done_fn done, void *context,
				struct rdbss_op **out)
{
	struct rdbss_op *op = ExAllocatePoolWithTag(NonPagedPool, sizeof(*op), CAPI_TAG_OP);

	if (op == NULL)
		return NULL;
	RtlZeroMemory(op, sizeof(*op));
	door_cancel_init(&op->cancel);
	op->caller = capi_caller(operation);
	op->caller.cancel = &op->cancel;
	atomic_init(&op->refs, out != NULL ? 2 : 1);
	op->done = done;
	op->context = context;
	if (out != NULL)
		*out = op;
	return op;
}

struct door_caller *capi_op_caller(struct rdbss_op *op)
{
	return &op->caller;
}

int rdbss_pread_async(struct rdbss_file *file, void *buffer, size_t count, off_t offset, rdbss_done_fn done,
		      void *context, struct rdbss_op **out)
{
	struct capi_thread thread;
	struct rdbss_op *op;
	int error;

	if (out != NULL)
		*out = NULL;
	if (offset < 0 || count > DOOR_IO_MAX)
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	op = capi_op_create(__func__, done, context, out);
	if (op != NULL)
		door_read_async(file->file, &op->caller, buffer, (ULONG)count, (uint64_t)offset, capi_op_done,
				op);
	else
		error = capi_result(STATUS_INSUFFICIENT_RESOURCES);
	capi_leave(&thread);
	return error;
}

int rdbss_pwrite_async(struct rdbss_file *file, const void *buffer, size_t count, off_t offset,
		       rdbss_done_fn done, void *context, struct rdbss_op **out)
{
	struct capi_thread thread;
	struct rdbss_op *op;
	int error;

	if (out != NULL)
		*out = NULL;
	if (offset < 0 || count > DOOR_IO_MAX)
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	op = capi_op_create(__func__, done, context, out);
	if (op != NULL)
		door_write_async(file->file, &op->caller, buffer, (ULONG)count,
				 file->append ? DOOR_APPEND : (uint64_t)offset, capi_op_done, op);
	else
		error = capi_result(STATUS_INSUFFICIENT_RESOURCES);
	capi_leave(&thread);
	return error;
}

void rdbss_cancel(struct rdbss_op *op)
{
	struct capi_thread thread;

	if (capi_enter(&thread) != 0)
		return;
	door_cancel_fire(&op->cancel);
	capi_leave(&thread);
}

void rdbss_op_free(struct rdbss_op *op)
{
	struct capi_thread thread;

	if (op == NULL || capi_enter(&thread) != 0)
		return;
	op_put(op);
	capi_leave(&thread);
}

/* ---- size and durability ---------------------------------------------------------------------------- */

int rdbss_fsync(struct rdbss_file *file)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	error = capi_result(door_flush(file->file, &caller));
	capi_leave(&thread);
	return error;
}

int rdbss_ftruncate(struct rdbss_file *file, off_t size)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	int error;

	if (size < 0)
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	error = capi_result(door_set_end_of_file(file->file, &caller, (uint64_t)size));
	capi_leave(&thread);
	return error;
}
