/*
 * watch_listen.c - what servers tell of watched folders, and what of it is no news: the echo of our own changes.
 *
 * Owns:      the requests that wait for a change, and the thread that looks at their answers.
 * Found by:  watches.answered, from the answer until the listener took it.
 * Locks:     watches.mutex for the watch; watches.lock for watches.answered.
 * Dies when: the thread, when no watch is left (watches.closed).
 *
 * The listener never waits for the server: it takes away what is believed, and sends the next request.
 */
#include "watch_int.h"

#define OWN_ANSWERS_MAX 8u /* in a row that told of ours only */
#define QUICK_ANSWERS 8u   /* within QUICK; more are collected by the server for a moment */
#define QUICK (20 * WATCH_MS)
#define VAGUE_MAX 6u /* the longest rest: 64 times QUICK */

#define FILTER \
	(FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME | FILE_NOTIFY_CHANGE_ATTRIBUTES | \
	 FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE)

/* ---- our own changes -------------------------------------------------------------------------------- */

void front_watch_expect(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
			unsigned int actions)
{
	struct expected_change *change;

	if (!atomic_load(&dir->watched))
		return;
	ExAcquireFastMutex(&fuse->watches.mutex);
	if (dir->watch != NULL) {
		change = &dir->watch->expected[dir->watch->next_expected++ % WATCH_EXPECTED_MAX];
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
	for (i = 0; i < WATCH_EXPECTED_MAX && !taken; i++) {
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
			front_watch_end_locked(watch);
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
	ULONG length =
		watch->information < WATCH_BUFFER_BYTES ? (ULONG)watch->information : WATCH_BUFFER_BYTES;

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

void front_watch_answered(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct front_watch *watch = context;
	struct front_watches *all = &watch->fuse->watches;
	KIRQL irql;

	KeAcquireSpinLock(&all->lock, &irql);
	watch->status = status;
	watch->information = information;
	KeSetEvent(&watch->told, IO_NO_INCREMENT, FALSE);
	InsertTailList(&all->answered, &watch->answer_link);
	KeReleaseSpinLock(&all->lock, irql);
	KeSetEvent(&all->answer, IO_NO_INCREMENT, FALSE);
}

void front_watch_arm_locked(struct front_watch *watch) RX_NO_TSA
{
	struct front_watches *all = &watch->fuse->watches;

	watch->rest_until = 0;
	watch->waiting = watch->sending = true;
	KeClearEvent(&watch->told);
	ExReleaseFastMutex(&all->mutex);
	/* The answer may come, and be looked at, before this returns. */
	door_notify_async(watch->file, &watch->caller, watch->buffer, WATCH_BUFFER_BYTES, FILTER,
			  front_watch_answered, watch);
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
		front_watch_end_locked(watch);
	if (watch->ended || must_rest_locked(watch))
		KeSetEvent(&all->work, IO_NO_INCREMENT, FALSE);
	else
		front_watch_arm_locked(watch);
	ExReleaseFastMutex(&all->mutex);
}

void front_watch_listener(void *context)
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
