/*
 * watch.c - folders in use are watched, so that others' changes show at once and not when the time of belief is over.
 *
 * Owns:      struct front_watch (watch_int.h): one handle of a folder, and either a lease that came with it or the one
 *            request that waits for a change in the folder. Here: which folder has one, and how watches end.
 * Found by:  watches.all; node->watch while it is wanted.
 * Locks:     watches.mutex; watches.lock (spin) for what completions touch. Neither is held while the door is called.
 * Dies when: its folder was not used for WATCH_IDLE, was changed by nobody but us, is being removed or renamed, the server
 *            ends it, or the mount does.
 *
 *   wanted --keeper opens--> armed --the server answers--> answered --listener looks at it--> armed
 *                              |                              |
 *                              +------- ended: the keeper closes it, the last reference frees it
 *
 * A watch without a lease only takes away what is believed; nothing is believed longer because of it. So what it misses
 * (changes before it was armed, an answer that is lost, a folder that has none) costs no more than actimeo. Under a
 * lease the server must tell before others change a name: the names of a listing that was made since then are believed
 * until the lease is broken, which ends the watch. RDBSS has it end what is kept (nt/cache.h) before it answers the
 * server; that only queues.
 *
 * Two threads: the listener (watch_listen.c) must not wait for the server, as the keeper (watch_keep.c) does.
 */
#include "watch_int.h"

#define YOUNG (1000 * WATCH_MS)    /* used so lately that it makes no room for another folder */
#define HOLD_OFF (1000 * WATCH_MS) /* from the end of a watch to the next one of the folder */
#define WATCHES_MAX 64u            /* of a mount */
#define OPENS_PER_SECOND 32u       /* a walk through a tree does not stay anywhere */

void front_watch_put(struct front_watch *watch)
{
	if (atomic_fetch_sub(&watch->refs, 1) == 1)
		ExFreePoolWithTag(watch, FUSE_TAG_WATCH);
}

ULONGLONG front_watch_unused_for(const struct front_node *dir, ULONGLONG now)
{
	ULONGLONG used_at = atomic_load(&dir->used_at);

	return now > used_at ? now - used_at : 0;
}

void front_watch_end_locked(struct front_watch *watch)
{
	struct rdr_fuse *fuse = watch->fuse;

	if (watch->ended)
		return;
	watch->ended = true;
	fuse->watches.count--;
	atomic_store(&watch->node->watched, false);
	watch->node->watch = NULL;
	atomic_store(&watch->node->leased_since, 0);
	/* after a break a new lease may be asked for at once: that one told all */
	watch->node->unwatched_until = atomic_load(&watch->broken) ? 0 : KeQueryInterruptTime() + HOLD_OFF;
	KeSetEvent(&fuse->watches.work, IO_NO_INCREMENT, FALSE);
}

/* ---- asking for one --------------------------------------------------------------------------------- */

static struct front_watch *watch_create(struct rdr_fuse *fuse, struct front_node *dir)
{
	struct front_watch *watch = ExAllocatePoolWithTag(NonPagedPool, sizeof(*watch), FUSE_TAG_WATCH);

	if (watch == NULL)
		return NULL;
	RtlZeroMemory(watch, sizeof(*watch));
	atomic_init(&watch->refs, 1);
	watch->fuse = fuse;
	watch->node = dir;
	door_cancel_init(&watch->cancel);
	watch->caller.cancel = &watch->cancel;
	KeInitializeEvent(&watch->closed, NotificationEvent, FALSE);
	KeInitializeEvent(&watch->told, NotificationEvent, FALSE);
	KeInitializeEvent(&watch->released, NotificationEvent, FALSE);
	return watch;
}

/* Room for one more: the folder that was not used for the longest time gives way, if that is long enough. */
static bool make_room_locked(struct rdr_fuse *fuse, ULONGLONG now)
{
	struct front_watches *all = &fuse->watches;
	struct front_watch *oldest = NULL;
	LIST_ENTRY *l;

	if (all->count < WATCHES_MAX)
		return true;
	for (l = all->all.Flink; l != &all->all; l = l->Flink) {
		struct front_watch *watch = CONTAINING_RECORD(l, struct front_watch, link);

		if (!watch->ended && (oldest == NULL || atomic_load(&watch->node->used_at) <
								atomic_load(&oldest->node->used_at)))
			oldest = watch;
	}
	if (oldest == NULL || front_watch_unused_for(oldest->node, now) <= YOUNG)
		return false;
	front_watch_end_locked(oldest);
	return true;
}

static bool may_watch_locked(struct rdr_fuse *fuse, struct front_node *dir, ULONGLONG now)
{
	struct front_watches *all = &fuse->watches;

	if (all->stopping || all->refused || all->keeper == NULL || dir->watch != NULL ||
	    now < dir->unwatched_until)
		return false;
	if (now - all->opened_since >= 1000 * WATCH_MS) {
		all->opened_since = now;
		all->opened = 0;
	}
	return all->opened < OPENS_PER_SECOND && make_room_locked(fuse, now);
}

void front_watch_want(struct rdr_fuse *fuse, struct front_node *dir)
{
	struct front_watches *all = &fuse->watches;
	ULONGLONG now = KeQueryInterruptTime();
	struct front_watch *watch;

	atomic_store(&dir->used_at, now);
	if (atomic_load(&dir->watched) || fuse->timeout == 0 || front_change_is_busy(fuse, dir))
		return;
	watch = watch_create(fuse, dir);
	if (watch == NULL)
		return;
	front_node_pin(fuse, dir);
	ExAcquireFastMutex(&all->mutex);
	if (may_watch_locked(fuse, dir, now)) {
		InsertHeadList(&all->all, &watch->link);
		all->count++;
		all->opened++;
		dir->watch = watch;
		atomic_store(&dir->watched, true);
		watch = NULL;
		KeSetEvent(&all->work, IO_NO_INCREMENT, FALSE);
	}
	ExReleaseFastMutex(&all->mutex);
	if (watch != NULL) {
		front_watch_put(watch);
		front_node_unpin(fuse, dir);
	}
}

/* What is used again and again, if seldom, is worth a watch too; what is only passed through is not. */
void front_watch_used(struct rdr_fuse *fuse, struct front_node *dir)
{
	ULONGLONG now = KeQueryInterruptTime();
	ULONGLONG before = atomic_exchange(&dir->used_at, now);

	if (now - before > 300 * WATCH_MS && now - before < WATCH_IDLE)
		front_watch_want(fuse, dir);
}

/* ---- ending them ------------------------------------------------------------------------------------ */

/* Some of those below @top end, and are referenced for whoever waits; those that were closed before do not count. */
static unsigned int end_some_below(struct rdr_fuse *fuse, struct front_node *top, struct front_watch **ending,
				   unsigned int most)
{
	struct front_watches *all = &fuse->watches;
	unsigned int count = 0;
	LIST_ENTRY *l;

	ExAcquireFastMutex(&all->mutex);
	for (l = all->all.Flink; l != &all->all && count < most; l = l->Flink) {
		struct front_watch *watch = CONTAINING_RECORD(l, struct front_watch, link);

		if (KeReadStateEvent(&watch->closed) != 0 || !front_node_is_below(fuse, watch->node, top))
			continue;
		front_watch_end_locked(watch);
		atomic_fetch_add(&watch->refs, 1);
		ending[count++] = watch;
	}
	ExReleaseFastMutex(&all->mutex);
	return count;
}

void front_watch_end_below(struct rdr_fuse *fuse, struct front_node *top)
{
	ULONGLONG until = KeQueryInterruptTime() + WATCH_END_LIMIT;
	struct front_watch *ending[16];
	unsigned int count, i;

	do {
		count = end_some_below(fuse, top, ending, RTL_NUMBER_OF(ending));
		for (i = 0; i < count; i++) {
			ULONGLONG now = KeQueryInterruptTime();
			LARGE_INTEGER limit = {.QuadPart = now < until ? -(LONGLONG)(until - now) : 0};

			(void)KeWaitForSingleObject(&ending[i]->closed, Executive, KernelMode, FALSE, &limit);
			front_watch_put(ending[i]);
		}
		/* A server that is silent would keep this waiting; the change itself then says so. */
	} while (count != 0 && KeQueryInterruptTime() < until);
}

NTSTATUS front_watches_start(struct rdr_fuse *fuse)
{
	struct front_watches *all = &fuse->watches;
	NTSTATUS status;

	ExInitializeFastMutex(&all->mutex);
	KeInitializeSpinLock(&all->lock);
	InitializeListHead(&all->all);
	InitializeListHead(&all->answered);
	KeInitializeEvent(&all->answer, SynchronizationEvent, FALSE);
	KeInitializeEvent(&all->work, SynchronizationEvent, FALSE);
	if (fuse->timeout == 0)
		return STATUS_SUCCESS; /* nothing is believed, so nothing is to be taken away */
	status = nt_thread_create("rdr-watch", front_watch_listener, fuse, &all->listener);
	return NT_SUCCESS(status) ? nt_thread_create("rdr-watches", front_watch_keeper, fuse, &all->keeper)
				  : status;
}

/* No request runs any more. Ends soon also when the server is silent: opens and waits are cancelled. */
void front_watches_stop(struct rdr_fuse *fuse)
{
	struct front_watches *all = &fuse->watches;
	LIST_ENTRY *l;
	KIRQL irql;

	if (all->listener == NULL)
		return;
	ExAcquireFastMutex(&all->mutex);
	all->stopping = true;
	for (l = all->all.Flink; l != &all->all; l = l->Flink)
		door_cancel_fire(&CONTAINING_RECORD(l, struct front_watch, link)->cancel);
	ExReleaseFastMutex(&all->mutex);
	KeSetEvent(&all->work, IO_NO_INCREMENT, FALSE);
	if (all->keeper != NULL)
		nt_thread_join(all->keeper);
	KeAcquireSpinLock(&all->lock, &irql);
	all->closed = true;
	KeReleaseSpinLock(&all->lock, irql);
	KeSetEvent(&all->answer, IO_NO_INCREMENT, FALSE);
	nt_thread_join(all->listener);
	all->keeper = all->listener = NULL;
}
