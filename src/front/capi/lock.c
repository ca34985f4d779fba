/*
 * lock.c - byte-range locks: the owner is the open file, as with fcntl(2)'s F_OFD_SETLK.
 *
 * Owns:      nothing.
 * Dies when: a lock with RDBSS_UNLOCK or with its file.
 */
#include "front/capi/capi_int.h"

static bool range_of(struct rdbss_file *file, int type, off_t start, off_t length, struct door_range *range)
{
	if (start < 0 || length < 0 || (uint64_t)start >= DOOR_RANGE_END || type < RDBSS_UNLOCK ||
	    type > RDBSS_LOCK_EXCLUSIVE)
		return false;
	*range = (struct door_range){.owner = (uint64_t)(uintptr_t)file,
				     .start = (uint64_t)start,
				     .end = DOOR_RANGE_END,
				     .type = (enum door_lock_type)type,
				     .kind = DOOR_LOCK_POSIX};
	if (length != 0 && (uint64_t)length < range->end - range->start)
		range->end = range->start + (uint64_t)length;
	return true;
}

struct waiting {
	KEVENT event;
	NTSTATUS status;
};

static void wake(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct waiting *waiting = context;

	(void)information;
	waiting->status = status;
	KeSetEvent(&waiting->event, IO_NO_INCREMENT, FALSE);
}

int rdbss_lock(struct rdbss_file *file, int type, off_t start, off_t length, int wait)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	struct door_range range;
	struct waiting waiting;
	int error;

	if (!range_of(file, type, start, length, &range))
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	KeInitializeEvent(&waiting.event, NotificationEvent, FALSE);
	door_record_lock(file->file, &caller, &range, wait != 0, wake, &waiting);
	KeWaitForSingleObject(&waiting.event, Executive, KernelMode, FALSE, NULL);
	error = capi_result(waiting.status);
	capi_leave(&thread);
	return error;
}

static void async_done(void *context, NTSTATUS status, ULONG_PTR information)
{
	(void)information; /* whether the server was asked */
	capi_op_done(context, status, 0);
}

int rdbss_lock_async(struct rdbss_file *file, int type, off_t start, off_t length, rdbss_done_fn done,
		     void *context, struct rdbss_op **out)
{
	struct capi_thread thread;
	struct door_range range;
	struct rdbss_op *op;
	int error;

	if (out != NULL)
		*out = NULL;
	if (!range_of(file, type, start, length, &range))
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	op = capi_op_create(__func__, done, context, out);
	if (op != NULL)
		door_record_lock(file->file, capi_op_caller(op), &range, true, async_done, op);
	else
		error = capi_result(STATUS_INSUFFICIENT_RESOURCES);
	capi_leave(&thread);
	return error;
}

int rdbss_lock_test(struct rdbss_file *file, int *type, off_t start, off_t length)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	struct door_range range;
	int error;

	if (*type == RDBSS_UNLOCK || !range_of(file, *type, start, length, &range))
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	error = capi_result(door_record_test(file->file, &caller, &range));
	if (error == 0)
		*type = (int)range.type;
	capi_leave(&thread);
	return error;
}
