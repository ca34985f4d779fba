/*
 * watch.c - folders in use are watched, so that others' changes show at once and not when the time of belief is over.
 *
 * Owns:      struct front_watch: one handle of a folder, and either a lease that came with it or the one request that
 *            waits for a change in the folder.
 * Found by:  watches.all; node->watch while it is wanted.
 * Locks:     watches.mutex; watches.lock (spin) for what completions touch. Neither is held while the door is called.
 * Dies when: its folder was not used for IDLE, was changed by nobody but us, is being removed or renamed, the server
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
 * Two threads: the listener must not wait for the server, as the keeper does.
 */
#include "fuse_int.h"

#define MS 10000ull            /* in 100 ns */
#define IDLE (5000 * MS)       /* without a lookup or a listing */
#define LEASE_IDLE (60 * IDLE) /* the server asks when it wants the handle back */
#define YOUNG (1000 * MS)      /* used so lately that it makes no room for another folder */
#define TICK (1000 * MS)       /* the keeper looks around */
#define END_LIMIT (1000 * MS)  /* to wait for handles that are in the way */
#define HOLD_OFF (1000 * MS)   /* from the end of a watch to the next one of the folder */
#define WATCHES_MAX 64u        /* of a mount */
#define OPENS_PER_SECOND 32u   /* a walk through a tree does not stay anywhere */
#define EXPECTED_MAX 32u       /* changes of ours that are not told yet */
#define OWN_ANSWERS_MAX 8u     /* in a row that told of ours only */
#define QUICK_ANSWERS 8u       /* within QUICK; more are collected by the server for a moment */
#define QUICK (20 * MS)
#define VAGUE_MAX 6u /* the longest rest: 64 times QUICK */
#define BUFFER_BYTES 4096u

#define FILTER \
	(FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME | FILE_NOTIFY_CHANGE_ATTRIBUTES | \
	 FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE)

/* A change of ours, which the server tells like anybody's. */
struct expected_change {
	ULONG hash;
	unsigned int actions; /* 1 << FILE_ACTION_...; each is taken once */
	ULONGLONG until;      /* interrupt time */
};

struct front_watch {
	LIST_ENTRY link;
	LIST_ENTRY answer_link; /* in watches.answered; under watches.lock */
	atomic_uint refs;
	struct rdr_fuse *fuse;
	struct front_node *node; /* pinned until it is closed */
	struct door_file *file;  /* NULL: not open yet, or closed */
	struct door_cancel cancel;
	struct door_caller caller;
	bool opening;
	bool sending; /* the request is on its way into the driver: the handle must stay */
	bool waiting; /* for an answer, or the answer was not looked at yet */
	bool ended;
	struct nt_cache_map *map; /* under a lease; NULL: none */
	atomic_bool broken;       /* the lease; told once */
	KEVENT released;          /* the map */
	ULONGLONG rest_until;     /* interrupt time; 0: does not rest */
	ULONGLONG quick_since;
	unsigned int quick_answers;
	unsigned int own_answers;
	unsigned int vague_answers; /* in a row that said no more than that anything may have changed */
	unsigned int next_expected;
	struct expected_change expected[EXPECTED_MAX];
	KEVENT closed;
	NTSTATUS status; /* of the answer */
	ULONG_PTR information;
	UCHAR buffer[BUFFER_BYTES] __attribute__((aligned(8)));
};

static void watch_put(struct front_watch *watch)
{
	if (atomic_fetch_sub(&watch->refs, 1) == 1)
		ExFreePoolWithTag(watch, FUSE_TAG_WATCH);
}

/* How long the folder has not been used; others may use it at this moment, after @now. */
static ULONGLONG unused_for(const struct front_node *dir, ULONGLONG now)
{
	ULONGLONG used_at = atomic_load(&dir->used_at);

	return now > used_at ? now - used_at : 0;
}

/* Nobody finds it any more; the keeper does the rest. */
static void end_locked(struct front_watch *watch)
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
	if (oldest == NULL || unused_for(oldest->node, now) <= YOUNG)
		return false;
	end_locked(oldest);
	return true;
}

static bool may_watch_locked(struct rdr_fuse *fuse, struct front_node *dir, ULONGLONG now)
{
	struct front_watches *all = &fuse->watches;

	if (all->stopping || all->refused || all->keeper == NULL || dir->watch != NULL ||
	    now < dir->unwatched_until)
		return false;
	if (now - all->opened_since >= 1000 * MS) {
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
		watch_put(watch);
		front_node_unpin(fuse, dir);
	}
}

/* What is used again and again, if seldom, is worth a watch too; what is only passed through is not. */
void front_watch_used(struct rdr_fuse *fuse, struct front_node *dir)
{
	ULONGLONG now = KeQueryInterruptTime();
	ULONGLONG before = atomic_exchange(&dir->used_at, now);

	if (now - before > 300 * MS && now - before < IDLE)
		front_watch_want(fuse, dir);
}

/* ---- our own changes -------------------------------------------------------------------------------- */

void front_watch_expect(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
			unsigned int actions)
{
	struct expected_change *change;

	if (!atomic_load(&dir->watched))
		return;
	ExAcquireFastMutex(&fuse->watches.mutex);
	if (dir->watch != NULL) {
		change = &dir->watch->expected[dir->watch->next_expected++ % EXPECTED_MAX];
		change->hash = front_name_hash(name);
		change->actions = actions;
		change->until = KeQueryInterruptTime() + (ULONGLONG)(fuse->timeout * 1e7);
	}
	ExReleaseFastMutex(&fuse->watches.mutex);
}

/*
 * Is that the echo of a change of ours? Each has one; what makes a name may change the file's attributes more than once.
 */
static bool take_expected(struct front_watch *watch, const UNICODE_STRING *name, ULONG action)
{
	ULONG hash = front_name_hash(name);
	ULONGLONG now = KeQueryInterruptTime();
	bool taken = false;
	unsigned int i;

	ExAcquireFastMutex(&watch->fuse->watches.mutex);
	for (i = 0; i < EXPECTED_MAX && !taken; i++) {
		struct expected_change *change = &watch->expected[i];

		if (change->hash != hash || now > change->until)
			continue;
		if (action == FILE_ACTION_MODIFIED) {
			taken = true;
		} else if ((change->actions & 1u << action) != 0) {
			/* the two words for a new name exclude each other, and so those for one that went */
			change->actions = 0;
			taken = true;
		}
	}
	ExReleaseFastMutex(&watch->fuse->watches.mutex);
	return taken;
}

/* ---- what the server tells -------------------------------------------------------------------------- */

static void everything_changed(struct rdr_fuse *fuse, struct front_node *dir)
{
	front_listing_changed(fuse, dir, NULL);
	front_name_changed(fuse, dir, NULL, true);
	front_notify_inval_attr(fuse, front_ino_of(fuse, dir));
}

static void end_watches_below(struct rdr_fuse *fuse, struct front_node *top)
{
	struct front_watches *all = &fuse->watches;
	LIST_ENTRY *l;

	ExAcquireFastMutex(&all->mutex);
	for (l = all->all.Flink; l != &all->all; l = l->Flink) {
		struct front_watch *watch = CONTAINING_RECORD(l, struct front_watch, link);

		if (!watch->ended && front_node_is_below(fuse, watch->node, top))
			end_locked(watch);
	}
	ExReleaseFastMutex(&all->mutex);
}

/* Return: true for a change of ours. */
static bool take_change(struct front_watch *watch, const UNICODE_STRING *name, ULONG action)
{
	struct rdr_fuse *fuse = watch->fuse;
	struct front_node *child = front_node_find_wide(fuse, watch->node, name);
	bool moved = action != FILE_ACTION_MODIFIED, ours = take_expected(watch, name, action);

	/* what we write is told as well */
	if (!ours && !moved)
		ours = child != NULL && child->file_id != 0 &&
		       !front_node_is_as_listed(fuse, child->file_id,
						KeQueryInterruptTime() - (ULONGLONG)(fuse->timeout * 1e7));
	/*
	 * Which change of a file it was nobody says: behind the echo of ours there may be one of others. What is believed of the
	 * file is asked for again; where only we are at work the watch ends before that costs much.
	 */
	if (!ours || !moved) {
		front_listing_changed(fuse, watch->node, name);
		front_name_changed(fuse, watch->node, name, moved);
	}
	if (!ours && moved && child != NULL && child->type == S_IFDIR)
		end_watches_below(fuse, child);
	if (child != NULL)
		front_node_unpin(fuse, child);
	return ours;
}

/* Return: false when the server's words make no sense. */
static bool take_changes(struct front_watch *watch, ULONG length, bool *foreign)
{
	const ULONG fixed = FIELD_OFFSET(FILE_NOTIFY_INFORMATION, FileName);
	ULONG at = 0;

	for (;;) {
		const FILE_NOTIFY_INFORMATION *info = (const void *)(watch->buffer + at);
		UNICODE_STRING name;
		ULONG left = length - at;

		if (at % 4 != 0 || left < fixed || info->FileNameLength > left - fixed ||
		    info->FileNameLength % 2 != 0 || info->FileNameLength > 1024 ||
		    (info->NextEntryOffset != 0 &&
		     (info->NextEntryOffset < fixed || info->NextEntryOffset >= left)))
			return false;
		name.Buffer = (PWCH)(uintptr_t)info->FileName;
		name.Length = name.MaximumLength = (USHORT)info->FileNameLength;
		if (info->Action < FILE_ACTION_ADDED || info->Action > FILE_ACTION_RENAMED_NEW_NAME)
			return false;
		if (!take_change(watch, &name, info->Action))
			*foreign = true;
		if (info->NextEntryOffset == 0)
			return true;
		at += info->NextEntryOffset;
	}
}

/* Return: false: the watch is over. */
static bool take_answer(struct front_watch *watch, bool *foreign)
{
	struct rdr_fuse *fuse = watch->fuse;
	ULONG length = watch->information < BUFFER_BYTES ? (ULONG)watch->information : BUFFER_BYTES;

	*foreign = false;
	if (watch->status == STATUS_SUCCESS && length != 0 && take_changes(watch, length, foreign)) {
		watch->vague_answers = 0;
		if (*foreign) /* its own times */
			front_notify_inval_attr(fuse, front_ino_of(fuse, watch->node));
		return true;
	}
	*foreign = true;
	/* An error tells nothing of the folder: what is believed has its time, as without a watch. */
	if (watch->status != STATUS_SUCCESS && watch->status != STATUS_NOTIFY_ENUM_DIR)
		return false;
	watch->vague_answers++;
	everything_changed(fuse, watch->node);
	return watch->map == NULL; /* a lease ends with its break */
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

static void answered(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct front_watch *watch = context;
	struct front_watches *all = &watch->fuse->watches;
	KIRQL irql;

	KeAcquireSpinLock(&all->lock, &irql);
	watch->status = status;
	watch->information = information;
	InsertTailList(&all->answered, &watch->answer_link);
	KeReleaseSpinLock(&all->lock, irql);
	KeSetEvent(&all->answer, IO_NO_INCREMENT, FALSE);
}

/* Called and left with the mutex held; gives it up meanwhile. */
static void arm_locked(struct front_watch *watch)
{
	struct front_watches *all = &watch->fuse->watches;

	watch->rest_until = 0;
	watch->waiting = watch->sending = true;
	ExReleaseFastMutex(&all->mutex);
	/* The answer may come, and be looked at, before this returns. */
	door_notify_async(watch->file, &watch->caller, watch->buffer, BUFFER_BYTES, FILTER, answered, watch);
	ExAcquireFastMutex(&all->mutex);
	watch->sending = false;
	if (watch->ended)
		KeSetEvent(&all->work, IO_NO_INCREMENT, FALSE);
}

/* A folder in which everything is in motion, or in which we are at work: the server collects for a moment. */
static bool must_rest_locked(struct front_watch *watch)
{
	ULONGLONG now = KeQueryInterruptTime();

	if (watch->own_answers != 0) {
		watch->rest_until = now + QUICK;
		return true;
	}
	/* to forget everything is work: a server that asks for nothing else gets less and less of it */
	if (watch->vague_answers != 0) {
		watch->rest_until = now + (QUICK << (watch->vague_answers < VAGUE_MAX ? watch->vague_answers
										      : VAGUE_MAX));
		return true;
	}
	if (now - watch->quick_since >= QUICK) {
		watch->quick_since = now;
		watch->quick_answers = 0;
	}
	if (++watch->quick_answers < QUICK_ANSWERS)
		return false;
	watch->rest_until = watch->quick_since + QUICK;
	return true;
}

static bool knows_no_watches(NTSTATUS status)
{
	return status == STATUS_NOT_SUPPORTED || status == STATUS_NOT_IMPLEMENTED ||
	       status == STATUS_INVALID_DEVICE_REQUEST || status == STATUS_INVALID_PARAMETER;
}

static void look_at(struct front_watch *watch)
{
	struct front_watches *all = &watch->fuse->watches;
	bool foreign = false, goes_on;

	/* An end of our making says nothing about the folder; what was believed of it still has its time. */
	ExAcquireFastMutex(&all->mutex);
	goes_on = !watch->ended;
	ExReleaseFastMutex(&all->mutex);
	if (goes_on)
		goes_on = take_answer(watch, &foreign);
	ExAcquireFastMutex(&all->mutex);
	watch->own_answers = foreign ? 0 : watch->own_answers + 1;
	watch->waiting = false;
	if (!watch->ended && knows_no_watches(watch->status))
		all->refused = true;
	if (!goes_on || watch->own_answers >= OWN_ANSWERS_MAX)
		end_locked(watch);
	if (watch->ended || must_rest_locked(watch))
		KeSetEvent(&all->work, IO_NO_INCREMENT, FALSE);
	else
		arm_locked(watch);
	ExReleaseFastMutex(&all->mutex);
}

static void listener(void *context)
{
	struct rdr_fuse *fuse = context;
	struct front_watches *all = &fuse->watches;

	for (;;) {
		struct front_watch *watch = NULL;
		bool done;
		KIRQL irql;

		KeAcquireSpinLock(&all->lock, &irql);
		done = all->closed;
		if (!IsListEmpty(&all->answered))
			watch = CONTAINING_RECORD(RemoveHeadList(&all->answered), struct front_watch,
						  answer_link);
		KeReleaseSpinLock(&all->lock, irql);
		if (watch != NULL)
			look_at(watch);
		else if (done)
			return;
		else
			KeWaitForSingleObject(&all->answer, Executive, KernelMode, FALSE, NULL);
	}
}

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
		answered(watch, STATUS_NOTIFY_ENUM_DIR, 0);
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

static void open_locked(struct front_watch *watch)
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
		end_locked(watch);
	else if (!watch->ended && !take_lease_locked(watch, &opened))
		arm_locked(watch);
}

static void close_locked(struct front_watch *watch)
{
	struct front_watches *all = &watch->fuse->watches;
	struct door_file *file = watch->file;

	watch->file = NULL;
	ExReleaseFastMutex(&all->mutex);
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

static void bury_locked(struct front_watch *watch)
{
	struct front_watches *all = &watch->fuse->watches;

	RemoveEntryList(&watch->link);
	ExReleaseFastMutex(&all->mutex);
	front_node_unpin(watch->fuse, watch->node);
	watch_put(watch);
	ExAcquireFastMutex(&all->mutex);
}

/* Return: true when something was done, and the list has to be looked at anew. */
static bool keep_locked(struct front_watch *watch, ULONGLONG now)
{
	if (!watch->ended && unused_for(watch->node, now) > (watch->map != NULL ? LEASE_IDLE : IDLE))
		end_locked(watch);
	if (!watch->ended && watch->file == NULL)
		open_locked(watch);
	else if (!watch->ended && watch->rest_until != 0 && now >= watch->rest_until)
		arm_locked(watch);
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
			end_locked(watch);
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

static void keeper(void *context)
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
		end_locked(watch);
		atomic_fetch_add(&watch->refs, 1);
		ending[count++] = watch;
	}
	ExReleaseFastMutex(&all->mutex);
	return count;
}

void front_watch_end_below(struct rdr_fuse *fuse, struct front_node *top)
{
	ULONGLONG until = KeQueryInterruptTime() + END_LIMIT;
	struct front_watch *ending[16];
	unsigned int count, i;

	do {
		count = end_some_below(fuse, top, ending, RTL_NUMBER_OF(ending));
		for (i = 0; i < count; i++) {
			ULONGLONG now = KeQueryInterruptTime();
			LARGE_INTEGER limit = {.QuadPart = now < until ? -(LONGLONG)(until - now) : 0};

			(void)KeWaitForSingleObject(&ending[i]->closed, Executive, KernelMode, FALSE, &limit);
			watch_put(ending[i]);
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
	status = nt_thread_create("rdr-watch", listener, fuse, &all->listener);
	return NT_SUCCESS(status) ? nt_thread_create("rdr-watches", keeper, fuse, &all->keeper) : status;
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
