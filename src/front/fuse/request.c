/*
 * request.c - one FUSE request from arrival to its one answer, and what an interrupt does to it.
 *
 * Owns:      struct front_request: the door's caller identity, the cancel slot, pins on nodes.
 * Found by:  requests.all; the interrupter's queue while the kernel asked for its end.
 * Locks:     requests.lock (spin) for the lists; the answer is decided by one atomic exchange.
 * Dies when: the operation has ended AND the interrupter let go.
 *
 *   running --operation ends--> claimed by its thread --> answered
 *      |
 *      +--INTERRUPT, GRACE later--> cancelled (IoCancelIrp) --operation ends--> answered
 *                                      |
 *                                      +--LIMIT after the interrupt--> claimed by the interrupter: EINTR;
 *                                         the late end only cleans up
 *
 * GRACE exists because the kernel interrupts for every signal, also for timers a program expects to be
 * invisible to file I/O: what ends soon ends normally.
 */
#include "fuse_int.h"
#include "nt_status.h"

#define MS (10ll * 1000)         /* in 100 ns */
#define GRACE (250 * MS)         /* from INTERRUPT to the cancel */
#define LIMIT (800 * MS)         /* from INTERRUPT to EINTR whatever the server does */
#define ABANDON_LIMIT (500 * MS) /* from the cancel to the answer when the mount goes away */

static void request_put(struct front_request *r)
{
	struct rdr_fuse *fuse = r->fuse;
	KIRQL irql;

	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	KeAcquireSpinLock(&fuse->requests.lock, &irql);
	RemoveEntryList(&r->all_link);
	if (--fuse->requests.count == 0)
		KeSetEvent(&fuse->requests.idle, IO_NO_INCREMENT, FALSE);
	KeReleaseSpinLock(&fuse->requests.lock, irql);
	ExFreePoolWithTag(r, FUSE_TAG_REQUEST);
}

static void queue_locked(struct front_requests *q, struct front_request *r, LONGLONG grace, LONGLONG limit)
{
	ULONGLONG now = KeQueryInterruptTime();

	unsigned int refs = atomic_load(&r->refs);

	if (r->interrupted)
		return;
	/* A request at 0 is on its way out and only waits for the lock. */
	do {
		if (refs == 0)
			return;
	} while (!atomic_compare_exchange_weak(&r->refs, &refs, refs + 1));
	r->interrupted = true;
	r->cancel_at = now + grace;
	r->answer_at = now + limit;
	InsertTailList(&q->interrupted, &r->intr_link);
}

/* Called by libfuse under the request's own lock: only queue, never answer or cancel from here. */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct front_request *r = data;
	struct front_requests *q = &r->fuse->requests;
	KIRQL irql;

	(void)req;
	KeAcquireSpinLock(&q->lock, &irql);
	queue_locked(q, r, GRACE, LIMIT);
	KeReleaseSpinLock(&q->lock, irql);
	KeSetEvent(&q->wake, IO_NO_INCREMENT, FALSE);
}

struct front_request *front_begin(fuse_req_t req, struct front_node *a, struct front_node *b)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct front_request *r = ExAllocatePoolWithTag(NonPagedPool, sizeof(*r), FUSE_TAG_REQUEST);
	KIRQL irql;

	atomic_fetch_add_explicit(&fuse->n_requests, 1, memory_order_relaxed);
	if (r == NULL) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	RtlZeroMemory(r, sizeof(*r));
	r->fuse = fuse;
	r->req = req;
	atomic_init(&r->refs, 1);
	atomic_init(&r->answered, false);
	door_cancel_init(&r->cancel);
	r->caller.requester.pid = ctx->pid;
	r->caller.requester.uid = ctx->uid;
	r->caller.requester.gid = ctx->gid;
	r->caller.requester.operation = front_operation();
	r->caller.cancel = &r->cancel;
	r->pinned[0] = a;
	r->pinned[1] = b;
	if (a != NULL)
		front_node_pin(fuse, a);
	if (b != NULL)
		front_node_pin(fuse, b);

	KeAcquireSpinLock(&fuse->requests.lock, &irql);
	InsertTailList(&fuse->requests.all, &r->all_link);
	if (fuse->requests.count++ == 0)
		KeClearEvent(&fuse->requests.idle);
	KeReleaseSpinLock(&fuse->requests.lock, irql);
	fuse_req_interrupt_func(req, on_interrupt, r);
	return r;
}

/* Drops what the operation held.  Context of completions: see front_op_read(), which pins nothing. */
void front_end(struct front_request *r)
{
	struct rdr_fuse *fuse = r->fuse;

	if (r->pinned[0] != NULL)
		front_node_unpin(fuse, r->pinned[0]);
	if (r->pinned[1] != NULL)
		front_node_unpin(fuse, r->pinned[1]);
	r->pinned[0] = r->pinned[1] = NULL;
	request_put(r);
}

bool front_claim(struct front_request *r)
{
	if (atomic_exchange(&r->answered, true))
		return false;
	/* Waits for a running on_interrupt(); none starts afterwards. */
	fuse_req_interrupt_func(r->req, NULL, NULL);
	return true;
}

void front_reply_err(struct front_request *r, int errnum)
{
	if (front_claim(r))
		fuse_reply_err(r->req, errnum);
}

int front_errno(struct front_request *r, NTSTATUS status)
{
	if (NT_SUCCESS(status))
		return 0;
	if (status == STATUS_CANCELLED && door_cancel_fired(&r->cancel))
		return EINTR;
	return nt_status_to_errno(status);
}

void front_reply_status(struct front_request *r, NTSTATUS status)
{
	front_reply_err(r, front_errno(r, status));
}

/*
 * The kernel asked for a node, not for a name: when no file has the node's name any more, what the kernel
 * believes about the name is stale (somebody else removed or moved it).  ESTALE makes it look the name up
 * again; ENOENT would be the end, even where an open would have created the file, and of a file that has another name.
 */
NTSTATUS front_node_status(NTSTATUS status)
{
	if (status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND ||
	    status == STATUS_DELETE_PENDING)
		return STATUS_FILE_RENAMED;
	return status;
}

/* ---- the interrupter -------------------------------------------------------------------------------- */

/*
 * Takes one request whose time has come off or onto its next step.
 * Return: the request, referenced by the queue's own reference when @drop, borrowed otherwise; NULL = none due.
 */
static struct front_request *next_due(struct front_requests *q, bool *cancel, bool *answer, LONGLONG *wait)
{
	ULONGLONG now = KeQueryInterruptTime();
	ULONGLONG soonest = ~0ull;
	struct front_request *found = NULL;
	LIST_ENTRY *l;
	KIRQL irql;

	*cancel = *answer = false;
	KeAcquireSpinLock(&q->lock, &irql);
	for (l = q->interrupted.Flink; l != &q->interrupted && found == NULL; l = l->Flink) {
		struct front_request *r = CONTAINING_RECORD(l, struct front_request, intr_link);
		bool over = atomic_load(&r->answered);

		if (!over && !r->cancelled && now >= r->cancel_at) {
			r->cancelled = true;
			*cancel = true;
			atomic_fetch_add(&r->refs, 1);
			found = r;
		} else if (over || now >= r->answer_at) {
			*answer = !over;
			RemoveEntryList(&r->intr_link);
			found = r; /* with the queue's reference */
		} else {
			ULONGLONG due = r->cancelled ? r->answer_at : r->cancel_at;

			soonest = due < soonest ? due : soonest;
		}
	}
	KeReleaseSpinLock(&q->lock, irql);
	*wait = soonest == ~0ull ? 0 : (LONGLONG)(soonest > now ? soonest - now : 1);
	return found;
}

static void interrupter(void *context)
{
	struct rdr_fuse *fuse = context;
	struct front_requests *q = &fuse->requests;

	for (;;) {
		bool cancel, answer;
		LONGLONG wait;
		struct front_request *r = next_due(q, &cancel, &answer, &wait);
		LARGE_INTEGER timeout;
		bool stopping;
		KIRQL irql;

		if (r != NULL) {
			if (cancel)
				door_cancel_fire(&r->cancel);
			if (answer) {
				atomic_fetch_add_explicit(&fuse->n_interrupts, 1, memory_order_relaxed);
				front_reply_err(r, EINTR);
			}
			request_put(r);
			continue;
		}
		KeAcquireSpinLock(&q->lock, &irql);
		stopping = q->stopping && IsListEmpty(&q->interrupted);
		KeReleaseSpinLock(&q->lock, irql);
		if (stopping)
			return;
		timeout.QuadPart = -wait;
		KeWaitForSingleObject(&q->wake, Executive, KernelMode, FALSE, wait != 0 ? &timeout : NULL);
	}
}

NTSTATUS front_requests_start(struct rdr_fuse *fuse)
{
	struct front_requests *q = &fuse->requests;

	KeInitializeSpinLock(&q->lock);
	InitializeListHead(&q->all);
	InitializeListHead(&q->interrupted);
	KeInitializeEvent(&q->wake, SynchronizationEvent, FALSE);
	KeInitializeEvent(&q->idle, NotificationEvent, TRUE);
	return nt_thread_create("rdr-interrupt", interrupter, fuse, &q->thread);
}

void front_requests_stop(struct rdr_fuse *fuse)
{
	struct front_requests *q = &fuse->requests;
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

/* Asks for the end of everything in flight; returns at once. */
void front_requests_cancel(struct rdr_fuse *fuse)
{
	struct front_requests *q = &fuse->requests;
	LIST_ENTRY *l;
	KIRQL irql;

	KeAcquireSpinLock(&q->lock, &irql);
	for (l = q->all.Flink; l != &q->all; l = l->Flink)
		queue_locked(q, CONTAINING_RECORD(l, struct front_request, all_link), 0, ABANDON_LIMIT);
	KeReleaseSpinLock(&q->lock, irql);
	KeSetEvent(&q->wake, IO_NO_INCREMENT, FALSE);
}

void front_requests_abandon(struct rdr_fuse *fuse)
{
	KIRQL irql;

	front_requests_cancel(fuse);
	/* Drivers end cancelled work, and work for a dead server by its time limit. */
	KeWaitForSingleObject(&fuse->requests.idle, Executive, KernelMode, FALSE, NULL);
	/* Whoever signalled may still be letting the lock go. */
	KeAcquireSpinLock(&fuse->requests.lock, &irql);
	KeReleaseSpinLock(&fuse->requests.lock, irql);
}
