/*
 * notify.c - invalidations to the kernel.
 *
 * Owns:      three queues, of pages that are forgotten by and by, of pages that RDBSS waits for with a file held, and of
 *            names, and for each the one thread that sends.  These threads serve
 *            no request: a notification may wait in the kernel for a request in flight, which another thread then
 *            answers.  A name waits for the folder's lock, and so for every request that changes the folder; that may
 *            be what the server lets wait for our pages: hence the second queue.
 * Locks:     the queue's lock (spin).  Queueing never blocks, so completions and holders of nodes.mutex may do it.
 * Loss:      without memory, or with QUEUE_LIMIT waiting, an item is dropped: timeouts (1 s at most) and
 *            automatic data invalidation end what it would have ended.
 */
#include "fuse_int.h"

#define QUEUE_LIMIT 65536u
#define LAUNDER_PATIENCE (1ll * 10000000) /* 100 ns */
#define ATTRIBUTES_ONLY ((uint64_t)-1)

/* Somebody waits for a notice, or has given up. */
struct notice_waiter {
	atomic_uint refs;
	KEVENT sent;
};

enum notice_kind {
	NOTICE_PAGES,  /* and attributes */
	NOTICE_ATTR,   /* attributes only */
	NOTICE_EXPIRE, /* a name is to be looked up again; who stands in its folder stays there */
	NOTICE_FORGET, /* a name is gone, or leads elsewhere */
	NOTICE_NOTHING /* but that those before it are sent */
};

struct front_notice {
	LIST_ENTRY link;
	enum notice_kind kind;
	struct notice_waiter *waiter; /* NULL: nobody */
	fuse_ino_t ino;               /* the file, or the directory of the name */
	uint64_t offset;              /* bytes; ATTRIBUTES_ONLY: attributes only */
	uint64_t length;              /* bytes */
	size_t name_length;           /* bytes */
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

static void queue_notice(struct front_notify *q, struct front_notice *notice)
{
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

static struct front_notice *make_notice(enum notice_kind kind, fuse_ino_t ino, size_t name_length)
{
	struct front_notice *notice =
		ExAllocatePoolWithTag(NonPagedPool, sizeof(*notice) + name_length + 1, FUSE_TAG_NOTIFY);

	if (notice == NULL)
		return NULL;
	RtlZeroMemory(notice, sizeof(*notice));
	notice->kind = kind;
	notice->ino = ino;
	notice->name_length = name_length;
	return notice;
}

void front_notify_inval_range(struct rdr_fuse *fuse, fuse_ino_t ino, uint64_t offset, uint64_t length)
{
	struct front_notice *notice = make_notice(NOTICE_PAGES, ino, 0);

	if (notice == NULL)
		return;
	notice->offset = offset;
	notice->length = length;
	queue_notice(&fuse->notify, notice);
}

void front_notify_inval_attr(struct rdr_fuse *fuse, fuse_ino_t ino)
{
	struct front_notice *notice = make_notice(NOTICE_ATTR, ino, 0);

	if (notice != NULL)
		queue_notice(&fuse->notify_names, notice);
}

/*
 * Queues @notice (NULL allowed) and waits until it is sent, or not any longer: it is sent all the same. Return: false: it
 * was not sent in time.
 */
static bool queue_and_wait(struct front_notify *q, struct front_notice *notice, LONGLONG patience)
{
	struct notice_waiter *waiter = ExAllocatePoolWithTag(NonPagedPool, sizeof(*waiter), FUSE_TAG_NOTIFY);
	LARGE_INTEGER limit = {.QuadPart = -patience};
	bool sent;

	if (notice == NULL || waiter == NULL) {
		if (notice != NULL)
			ExFreePoolWithTag(notice, FUSE_TAG_NOTIFY);
		if (waiter != NULL)
			ExFreePoolWithTag(waiter, FUSE_TAG_NOTIFY);
		return false;
	}
	atomic_init(&waiter->refs, 2);
	KeInitializeEvent(&waiter->sent, NotificationEvent, FALSE);
	notice->waiter = waiter;
	queue_notice(q, notice);
	sent = KeWaitForSingleObject(&waiter->sent, Executive, KernelMode, FALSE, &limit) == STATUS_SUCCESS;
	waiter_put(waiter);
	return sent;
}

bool front_notify_give_up(struct rdr_fuse *fuse, fuse_ino_t ino, LONGLONG patience)
{
	return queue_and_wait(&fuse->notify_held, make_notice(NOTICE_PAGES, ino, 0), patience);
}

void front_notify_purge(struct rdr_fuse *fuse, fuse_ino_t ino, uint64_t offset, uint64_t length,
			LONGLONG patience)
{
	struct front_notice *notice = make_notice(NOTICE_PAGES, ino, 0);

	if (notice != NULL) {
		notice->offset = offset;
		notice->length = length;
	}
	(void)queue_and_wait(&fuse->notify, notice, patience);
}

void front_notify_launder(struct rdr_fuse *fuse, struct front_node *node, uint64_t offset, uint64_t length)
{
	if (front_node_may_be_dirty(fuse, node))
		front_notify_purge(fuse, front_ino_of(fuse, node), offset, length, LAUNDER_PATIENCE);
}

void front_notify_names_sent(struct rdr_fuse *fuse, LONGLONG patience)
{
	(void)queue_and_wait(&fuse->notify_names, make_notice(NOTICE_NOTHING, FUSE_ROOT_ID, 0), patience);
}

static void queue_name(struct rdr_fuse *fuse, enum notice_kind kind, fuse_ino_t parent,
		       const UNICODE_STRING *name)
{
	char bytes[NAME_MAX + 1];
	size_t length;
	struct front_notice *notice;

	if (!NT_SUCCESS(door_component_to_posix(name, bytes, sizeof(bytes), &length)))
		return;
	notice = make_notice(kind, parent, length);
	if (notice == NULL)
		return;
	RtlCopyMemory(notice->name, bytes, length + 1);
	queue_notice(&fuse->notify_names, notice);
}

void front_notify_attributes(struct rdr_fuse *fuse, fuse_ino_t ino, LONGLONG patience)
{
	front_notify_purge(fuse, ino, ATTRIBUTES_ONLY, 0, patience);
}

void front_notify_inval_entry(struct rdr_fuse *fuse, fuse_ino_t parent, const UNICODE_STRING *name)
{
	queue_name(fuse, NOTICE_FORGET, parent, name);
}

void front_notify_expire_entry(struct rdr_fuse *fuse, fuse_ino_t parent, const UNICODE_STRING *name)
{
	if (atomic_load(&fuse->can_expire))
		queue_name(fuse, NOTICE_EXPIRE, parent, name);
}

static void send_expiry(struct rdr_fuse *fuse, const struct front_notice *notice)
{
#if defined(RDR_FUSE_EXPIRE_FLAGS)
	(void)fuse_lowlevel_notify_expire_entry(fuse->session, notice->ino, notice->name, notice->name_length,
						FUSE_LL_EXPIRE_ONLY);
#elif defined(RDR_FUSE_EXPIRE)
	(void)fuse_lowlevel_notify_expire_entry(fuse->session, notice->ino, notice->name,
						notice->name_length);
#else
	(void)fuse; /* can_expire is never set: what the name leads to ends with its time */
	(void)notice;
#endif
}

static void send_notice(struct rdr_fuse *fuse, const struct front_notice *notice)
{
	/* ENOENT: the kernel does not know it any more, which is what we want. */
	switch (notice->kind) {
	case NOTICE_PAGES:
		(void)fuse_lowlevel_notify_inval_inode(fuse->session, notice->ino, (off_t)notice->offset,
						       (off_t)notice->length);
		break;
	case NOTICE_ATTR:
		(void)fuse_lowlevel_notify_inval_inode(fuse->session, notice->ino, -1, 0);
		break;
	case NOTICE_EXPIRE:
		send_expiry(fuse, notice);
		break;
	case NOTICE_NOTHING:
		break;
	case NOTICE_FORGET:
		(void)fuse_lowlevel_notify_inval_entry(fuse->session, notice->ino, notice->name,
						       notice->name_length);
		break;
	}
}

static void notifier(void *context)
{
	struct front_notify *q = context;

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
				send_notice(q->fuse, notice);
			free_notice(notice);
			continue;
		}
		if (stopping)
			break;
		KeWaitForSingleObject(&q->wake, Executive, KernelMode, FALSE, NULL);
	}
	KeSetEvent(&q->ended, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS queue_start(struct rdr_fuse *fuse, struct front_notify *q, const char *name)
{
	q->fuse = fuse;
	KeInitializeSpinLock(&q->lock);
	InitializeListHead(&q->queue);
	KeInitializeEvent(&q->wake, SynchronizationEvent, FALSE);
	KeInitializeEvent(&q->ended, NotificationEvent, FALSE);
	return nt_thread_create(name, notifier, q, &q->thread);
}

static void queue_stop(struct front_notify *q)
{
	KIRQL irql;

	if (q->thread == NULL)
		return;
	KeAcquireSpinLock(&q->lock, &irql);
	q->stopping = true;
	KeReleaseSpinLock(&q->lock, irql);
	KeSetEvent(&q->wake, IO_NO_INCREMENT, FALSE);
	front_refuse_until(q->fuse, &q->ended); /* the notice that is being sent may wait for a request */
	nt_thread_join(q->thread);
	q->thread = NULL;
}

NTSTATUS front_notify_start(struct rdr_fuse *fuse)
{
	NTSTATUS status = queue_start(fuse, &fuse->notify, "rdr-notify");

	if (NT_SUCCESS(status))
		status = queue_start(fuse, &fuse->notify_held, "rdr-flush");
	return NT_SUCCESS(status) ? queue_start(fuse, &fuse->notify_names, "rdr-names") : status;
}

void front_notify_stop(struct rdr_fuse *fuse)
{
	queue_stop(&fuse->notify);
	queue_stop(&fuse->notify_held);
	queue_stop(&fuse->notify_names);
}
