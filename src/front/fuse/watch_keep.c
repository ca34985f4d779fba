/*
 * watch_keep.c - the thread that opens what is watched, lets it rest, and closes it.
 *
 * Owns:      the handle of a watch, and the lease that came with it, from the open to the close.
 * Found by:  watches.all.
 * Locks:     watches.mutex; given up whenever the door is called.
 * Dies when: the thread, when the watches stop and the last of them is buried.
 */
#include "watch_int.h"

#define LEASE_IDLE (60 * WATCH_IDLE) /* the server asks when it wants the handle back */
#define TICK (1000 * WATCH_MS)       /* the keeper looks around */

/* ---- leases ----------------------------------------------------------------------------------------- */

static NTSTATUS lease_flush(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	(void)offset;
	(void)length;
	return STATUS_SUCCESS; /* nothing of a folder is ever dirty */
}

/* The lease is broken, or went with its connection. The folder's FCB is held: nothing here waits. */
static BOOLEAN lease_purge(void *context, LONGLONG offset, ULONG length)
{
	struct front_watch *watch = context;

	(void)offset;
	(void)length;
	atomic_store(&watch->node->leased_since, 0);
	if (!atomic_exchange(&watch->broken, true))
		front_watch_answered(watch, STATUS_NOTIFY_ENUM_DIR, 0);
	return TRUE;
}

static void lease_release(void *context)
{
	struct front_watch *watch = context;

	KeSetEvent(&watch->released, IO_NO_INCREMENT, FALSE);
}

static const struct nt_cache_ops lease_ops = {lease_flush, lease_purge, lease_release};

/*
 * The server granted a lease with the handle. The mark is set first: a break at this moment takes it away again.
 * Return: false: another mount of this process keeps the folder, or the lease is broken by now.
 */
static bool take_lease_locked(struct front_watch *watch, const struct door_opened *opened)
{
	if (!opened->read_caching)
		return false;
	watch->waiting = true;
	atomic_store(&watch->node->leased_since, KeQueryInterruptTime());
	if (NT_SUCCESS(door_cache_attach(opened, &lease_ops, watch, &watch->map)))
		return true;
	atomic_store(&watch->node->leased_since, 0);
	watch->waiting = false;
	return false;
}

/* ---- the keeper ------------------------------------------------------------------------------------- */

/* These are called and left with the mutex held, and give it up meanwhile. */

static void open_locked(struct front_watch *watch) RX_NO_TSA
{
	struct rdr_fuse *fuse = watch->fuse;
	struct front_watches *all = &fuse->watches;
	struct door_open open = {.access = FILE_LIST_DIRECTORY,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE,
				 .query = DOOR_QUERY_GRANT};
	struct door_opened opened = {.file = NULL};
	NTSTATUS status;

	watch->opening = true;
	ExReleaseFastMutex(&all->mutex);
	status = front_node_path(fuse, watch->node, NULL, &open.path);
	if (NT_SUCCESS(status)) {
		status = door_open(fuse->volume, &watch->caller, &open, &opened);
		door_name_free(&open.path);
	}
	ExAcquireFastMutex(&all->mutex);
	watch->opening = false;
	watch->file = opened.file;
	if (!NT_SUCCESS(status))
		front_watch_end_locked(watch);
	else if (!watch->ended && !take_lease_locked(watch, &opened))
		front_watch_arm_locked(watch);
}

/*
 * A request that waits holds the handle: closed before that is over, the handle would be there for a moment longer, and whoever
 * waits for its end to remove or to move the folder would come too early. A server that is silent is not waited for.
 */
static void end_wait(struct front_watch *watch)
{
	LARGE_INTEGER limit = {.QuadPart = -(LONGLONG)WATCH_END_LIMIT};

	door_cancel_fire(&watch->cancel);
	(void)KeWaitForSingleObject(&watch->told, Executive, KernelMode, FALSE, &limit);
}

static void close_locked(struct front_watch *watch) RX_NO_TSA
{
	struct front_watches *all = &watch->fuse->watches;
	struct door_file *file = watch->file;
	bool waits = watch->waiting && watch->map == NULL;

	watch->file = NULL;
	ExReleaseFastMutex(&all->mutex);
	if (waits)
		end_wait(watch);
	if (watch->map != NULL) {
		nt_cache_detach(watch->map);
		KeWaitForSingleObject(&watch->released, Executive, KernelMode, FALSE,
				      NULL); /* a purge that runs ends at once */
	}
	if (file != NULL)
		(void)door_close(file, NULL); /* only watched */
	ExAcquireFastMutex(&all->mutex);
	if (watch->map != NULL && !atomic_load(&watch->broken))
		watch->waiting = false; /* nobody will tell of it any more */
	KeSetEvent(&watch->closed, IO_NO_INCREMENT, FALSE);
}

static void bury_locked(struct front_watch *watch) RX_NO_TSA
{
	struct front_watches *all = &watch->fuse->watches;

	RemoveEntryList(&watch->link);
	ExReleaseFastMutex(&all->mutex);
	front_node_unpin(watch->fuse, watch->node);
	front_watch_put(watch);
	ExAcquireFastMutex(&all->mutex);
}

/* Return: true when something was done, and the list has to be looked at anew. */
static bool keep_locked(struct front_watch *watch, ULONGLONG now)
{
	if (!watch->ended &&
	    front_watch_unused_for(watch->node, now) > (watch->map != NULL ? LEASE_IDLE : WATCH_IDLE))
		front_watch_end_locked(watch);
	if (!watch->ended && watch->file == NULL)
		open_locked(watch);
	else if (!watch->ended && watch->rest_until != 0 && now >= watch->rest_until)
		front_watch_arm_locked(watch);
	else if (watch->ended && !watch->sending && KeReadStateEvent(&watch->closed) == 0)
		close_locked(watch);
	else if (watch->ended && !watch->sending && !watch->waiting)
		bury_locked(watch);
	else
		return false;
	return true;
}

static void keep_all_locked(struct front_watches *all)
{
	LIST_ENTRY *l = all->all.Flink;

	while (l != &all->all) {
		struct front_watch *watch = CONTAINING_RECORD(l, struct front_watch, link);

		if (all->stopping)
			front_watch_end_locked(watch);
		l = keep_locked(watch, KeQueryInterruptTime()) ? all->all.Flink : l->Flink;
	}
}

/* How long the keeper may sleep; 0: until it is called. */
static LONGLONG sleep_locked(struct front_watches *all)
{
	ULONGLONG now = KeQueryInterruptTime(), until = now + TICK;
	LIST_ENTRY *l;

	if (IsListEmpty(&all->all))
		return 0;
	for (l = all->all.Flink; l != &all->all; l = l->Flink) {
		struct front_watch *watch = CONTAINING_RECORD(l, struct front_watch, link);

		if (watch->rest_until != 0 && watch->rest_until < until)
			until = watch->rest_until;
	}
	return until > now ? (LONGLONG)(until - now) : 1;
}

void front_watch_keeper(void *context)
{
	struct rdr_fuse *fuse = context;
	struct front_watches *all = &fuse->watches;
	bool done;

	do {
		LARGE_INTEGER limit;

		ExAcquireFastMutex(&all->mutex);
		keep_all_locked(all);
		done = all->stopping && IsListEmpty(&all->all);
		limit.QuadPart = -sleep_locked(all);
		ExReleaseFastMutex(&all->mutex);
		if (!done)
			(void)KeWaitForSingleObject(&all->work, Executive, KernelMode, FALSE,
						    limit.QuadPart != 0 ? &limit : NULL);
	} while (!done);
}
