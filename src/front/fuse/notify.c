/*
 * notify.c - invalidations to the kernel.
 *
 * Owns:      the queue and the one thread that sends.  That thread serves no request: a notification may wait
 *            in the kernel for a request in flight, which another thread then answers.
 * Locks:     notify.lock (spin).  Queueing never blocks, so completions and holders of nodes.mutex may do it.
 * Loss:      without memory, or with QUEUE_LIMIT waiting, an item is dropped: timeouts (1 s at most) and
 *            automatic data invalidation end what it would have ended.
 */
#include "fuse_int.h"

#define QUEUE_LIMIT 65536u

/* Somebody waits for a notice, or has given up. */
struct notice_waiter {
	atomic_uint refs;
	KEVENT sent;
};

struct front_notice {
	LIST_ENTRY link;
	struct notice_waiter *waiter; /* NULL: nobody */
	fuse_ino_t ino;               /* the file, or the directory of the name */
	uint64_t offset;              /* bytes */
	uint64_t length;              /* bytes */
	size_t name_length;           /* bytes; 0: a range of data */
	char name[];
};

static void waiter_put(struct notice_waiter *waiter)
{
	if (waiter != NULL && atomic_fetch_sub(&waiter->refs, 1) == 1)
		ExFreePoolWithTag(waiter, FUSE_TAG_NOTIFY);
}

/* Sent, or never to be sent. */
static void free_notice(struct front_notice *notice)
{
	if (notice->waiter != NULL)
		KeSetEvent(&notice->waiter->sent, IO_NO_INCREMENT, FALSE);
	waiter_put(notice->waiter);
	ExFreePoolWithTag(notice, FUSE_TAG_NOTIFY);
}

static void queue_notice(struct rdr_fuse *fuse, struct front_notice *notice)
{
	struct front_notify *q = &fuse->notify;
	bool queued = false;
	KIRQL irql;

	KeAcquireSpinLock(&q->lock, &irql);
	if (!q->stopping && q->queued < QUEUE_LIMIT) {
		InsertTailList(&q->queue, &notice->link);
		q->queued++;
		queued = true;
	}
	KeReleaseSpinLock(&q->lock, irql);
	if (queued)
		KeSetEvent(&q->wake, IO_NO_INCREMENT, FALSE);
	else
		free_notice(notice);
}

void front_notify_inval_range(struct rdr_fuse *fuse, fuse_ino_t ino, uint64_t offset, uint64_t length)
{
	struct front_notice *notice = ExAllocatePoolWithTag(NonPagedPool, sizeof(*notice), FUSE_TAG_NOTIFY);

	if (notice == NULL)
		return;
	RtlZeroMemory(notice, sizeof(*notice));
	notice->ino = ino;
	notice->offset = offset;
	notice->length = length;
	queue_notice(fuse, notice);
}

void front_notify_purge(struct rdr_fuse *fuse, fuse_ino_t ino, uint64_t offset, uint64_t length,
			LONGLONG patience)
{
	struct front_notice *notice = ExAllocatePoolWithTag(NonPagedPool, sizeof(*notice), FUSE_TAG_NOTIFY);
	struct notice_waiter *waiter = ExAllocatePoolWithTag(NonPagedPool, sizeof(*waiter), FUSE_TAG_NOTIFY);
	LARGE_INTEGER limit = {.QuadPart = -patience};

	if (notice == NULL || waiter == NULL) {
		if (notice != NULL)
			ExFreePoolWithTag(notice, FUSE_TAG_NOTIFY);
		if (waiter != NULL)
			ExFreePoolWithTag(waiter, FUSE_TAG_NOTIFY);
		return;
	}
	atomic_init(&waiter->refs, 2);
	KeInitializeEvent(&waiter->sent, NotificationEvent, FALSE);
	RtlZeroMemory(notice, sizeof(*notice));
	notice->ino = ino;
	notice->offset = offset;
	notice->length = length;
	notice->waiter = waiter;
	queue_notice(fuse, notice);
	(void)KeWaitForSingleObject(&waiter->sent, Executive, KernelMode, FALSE,
				    &limit); /* it happens all the same */
	waiter_put(waiter);
}

void front_notify_inval_entry(struct rdr_fuse *fuse, fuse_ino_t parent, const UNICODE_STRING *name)
{
	char bytes[NAME_MAX + 1];
	size_t length;
	struct front_notice *notice;

	if (!NT_SUCCESS(door_component_to_posix(name, bytes, sizeof(bytes), &length)))
		return;
	notice = ExAllocatePoolWithTag(NonPagedPool, sizeof(*notice) + length + 1, FUSE_TAG_NOTIFY);
	if (notice == NULL)
		return;
	RtlZeroMemory(notice, sizeof(*notice));
	notice->ino = parent;
	notice->name_length = length;
	RtlCopyMemory(notice->name, bytes, length + 1);
	queue_notice(fuse, notice);
}

static void send_notice(struct rdr_fuse *fuse, const struct front_notice *notice)
{
	/* ENOENT: the kernel does not know it any more, which is what we want. */
	if (notice->name_length != 0)
		(void)fuse_lowlevel_notify_inval_entry(fuse->session, notice->ino, notice->name,
						       notice->name_length);
	else
		(void)fuse_lowlevel_notify_inval_inode(fuse->session, notice->ino, (off_t)notice->offset,
						       (off_t)notice->length);
}

static void notifier(void *context)
{
	struct rdr_fuse *fuse = context;
	struct front_notify *q = &fuse->notify;

	for (;;) {
		struct front_notice *notice = NULL;
		bool stopping;
		KIRQL irql;

		KeAcquireSpinLock(&q->lock, &irql);
		stopping = q->stopping;
		if (!IsListEmpty(&q->queue)) {
			notice = CONTAINING_RECORD(RemoveHeadList(&q->queue), struct front_notice, link);
			q->queued--;
		}
		KeReleaseSpinLock(&q->lock, irql);
		if (notice != NULL) {
			if (!stopping)
				send_notice(fuse, notice);
			free_notice(notice);
			continue;
		}
		if (stopping)
			return;
		KeWaitForSingleObject(&q->wake, Executive, KernelMode, FALSE, NULL);
	}
}

NTSTATUS front_notify_start(struct rdr_fuse *fuse)
{
	struct front_notify *q = &fuse->notify;

	KeInitializeSpinLock(&q->lock);
	InitializeListHead(&q->queue);
	KeInitializeEvent(&q->wake, SynchronizationEvent, FALSE);
	return nt_thread_create("rdr-notify", notifier, fuse, &q->thread);
}

void front_notify_stop(struct rdr_fuse *fuse)
{
	struct front_notify *q = &fuse->notify;
	KIRQL irql;

	if (q->thread == NULL)
		return;
	KeAcquireSpinLock(&q->lock, &irql);
	q->stopping = true;
	KeReleaseSpinLock(&q->lock, irql);
	KeSetEvent(&q->wake, IO_NO_INCREMENT, FALSE);
	nt_thread_join(q->thread);
	q->thread = NULL;
}
