/*
 * locks.c - taking and giving up the locks of one file, and waiting for them.
 *
 * Owns:      struct door_locks, shared by all handles of a file (by its id; a file without one has a table for each
 *            handle); struct door_lock_op, one per request that is under way.
 * Found by:  door_file.locks; a waiting request by its caller's cancel slot.
 * Locks:     door_locks.mutex, held while the server is asked what it answers at once, never while something is
 *            waited for. Order: mutex, then the volume's mutex or a spin lock.
 * Dies when: door_locks with the last structure of a handle; an op when its end was reported and nobody cancels it.
 *
 *   attempt --free--> granted
 *      +--held here--> waiting --somebody gives up--> attempt
 *      +--held elsewhere--> pending at the server --granted--> attempt, which finds it held
 *      +--held elsewhere, and shared by us--> a pause --> attempt (what we have must not be given up to wait)
 *      +--cancelled--> STATUS_CANCELLED
 *
 * An op that waits occupies no thread: thousands may wait, and whoever could wake them needs a thread too.
 */
#include "locks.h"

#define PAUSE_FIRST (10ll * 10000) /* 100 ns */
#define PAUSE_MOST (200ll * 10000) /* 100 ns */

enum op_state { OP_RUNNING, OP_WAITING, OP_PAUSED };

struct door_lock_op {
	LIST_ENTRY
	link; /* in locks->waiting, when OP_WAITING; in locks->pending, while the server makes it wait */
	struct door_file *file;
	struct door_caller caller;
	struct door_range range;
	door_done_fn done;
	void *context;
	atomic_uint refs;
	atomic_bool cancelled;
	enum op_state state;         /* under the mutex */
	NTSTATUS answer;             /* of the server */
	struct door_refusal refusal; /* of the last try; end 0: none yet */
	struct door_piece *piece;    /* that is pending at the server */
	LARGE_INTEGER length;        /* of it */
	struct door_wait blocked;    /* while it waits for a lock of fcntl(2) that is held here */
	ULONG_PTR leave;             /* as the one who asks is told */
	LONGLONG pause;
	WORK_QUEUE_ITEM again;
	WORK_QUEUE_ITEM give_up;
	KTIMER timer;
	KDPC dpc;
	bool wait;
};

/* ---- the table of a file ----------------------------------------------------------------------------- */

struct door_locks *door_locks_create(void)
{
	struct door_locks *locks = ExAllocatePoolWithTag(NonPagedPool, sizeof(*locks), DOOR_TAG_LOCKS);

	if (locks == NULL)
		return NULL;
	RtlZeroMemory(locks, sizeof(*locks));
	atomic_init(&locks->refs, 1);
	KeInitializeGuardedMutex(&locks->mutex);
	KeInitializeSpinLock(&locks->route);
	KeInitializeEvent(&locks->drained, SynchronizationEvent, FALSE);
	door_records_init(&locks->records);
	InitializeListHead(&locks->pieces);
	InitializeListHead(&locks->waiting);
	InitializeListHead(&locks->pending);
	return locks;
}

void door_locks_put(struct door_locks *locks)
{
	if (atomic_fetch_sub(&locks->refs, 1) != 1)
		return;
	door_records_free(&locks->records);
	door_pieces_free(locks);
	ExFreePoolWithTag(locks, DOOR_TAG_LOCKS);
}

void door_locks_lose(struct door_locks *locks, uint64_t start, uint64_t end, enum door_lock_type left)
{
	LIST_ENTRY *l = locks->records.list.Flink;

	while (l != &locks->records.list) {
		struct door_record *record = CONTAINING_RECORD(l, struct door_record, link);

		l = l->Flink;
		if (record->range.start >= end || record->range.end <= start || record->range.type <= left)
			continue;
		atomic_store(&record->holder->lock_lost, true);
		door_records_drop(record);
	}
}

static void wake_waiting(struct door_locks *locks);

/* The carrier is dead: nothing is held at the server, and everybody who thought so hears of it. */
static void bury(struct door_locks *locks)
{
	door_locks_lose(locks, 0, DOOR_RANGE_END, DOOR_UNLOCKED);
	if (!IsListEmpty(&locks->pieces) || (locks->carrier != NULL && door_file_lost_locks(locks->carrier)))
		door_unlock_all(locks->carrier); /* the engine would keep others out for it still */
	door_pieces_free(locks);
	door_carrier_idle(locks);
	if (IsListEmpty(&locks->pending))
		atomic_store(&locks->dead, false);
	wake_waiting(locks);
}

/* After a change: what is dead is buried, and the carrier rests when it holds nothing. Locks: mutex. */
static void settle(struct door_locks *locks)
{
	if (atomic_load(&locks->dead))
		bury(locks);
	else
		door_carrier_idle(locks);
}

/* Has a lock been lost while nobody looked? Locks: mutex. */
static void note_loss(struct door_locks *locks)
{
	if (locks->carrier != NULL && door_file_lost_locks(locks->carrier))
		atomic_store(&locks->dead, true);
}

void door_locks_bury(struct door_locks *locks)
{
	KeAcquireGuardedMutex(&locks->mutex);
	note_loss(locks);
	settle(locks);
	KeReleaseGuardedMutex(&locks->mutex);
}

static VOID burial(PVOID context)
{
	struct door_locks *locks = context;

	KeAcquireGuardedMutex(&locks->mutex);
	atomic_store(&locks->burying, false);
	settle(locks);
	KeReleaseGuardedMutex(&locks->mutex);
	door_locks_put(locks);
}

void door_locks_dead(struct door_locks *locks)
{
	atomic_store(&locks->dead, true);
	if (atomic_exchange(&locks->burying, true))
		return;
	atomic_fetch_add(&locks->refs, 1);
	ExInitializeWorkItem(&locks->burial, burial, locks);
	ExQueueWorkItem(&locks->burial, DelayedWorkQueue);
}

/* ---- ops --------------------------------------------------------------------------------------------- */

static void op_put(struct door_lock_op *op)
{
	if (atomic_fetch_sub(&op->refs, 1) != 1)
		return;
	if (op->piece != NULL)
		ExFreePoolWithTag(op->piece, DOOR_TAG_LOCKS);
	door_file_put(op->file);
	ExFreePoolWithTag(op, DOOR_TAG_LOCKS);
}

static void op_run(void *context);
static void op_pending(struct door_lock_op *op);

static void op_again(struct door_lock_op *op)
{
	ExInitializeWorkItem(&op->again, op_run, op);
	ExQueueWorkItem(&op->again, DelayedWorkQueue);
}

static void pause_over(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
	(void)dpc;
	(void)argument1;
	(void)argument2;
	op_again(context);
}

/* Locks: mutex. */
static void op_pause(struct door_lock_op *op)
{
	LARGE_INTEGER due = {.QuadPart = -op->pause};

	op->state = OP_PAUSED;
	op->pause = op->pause * 2 < PAUSE_MOST ? op->pause * 2 : PAUSE_MOST;
	KeSetTimer(&op->timer, due, &op->dpc);
}

/*
 * Does another of us wait at the server for the very same? Then one is enough: who is behind him tries again when he has
 * it, or has given up. Locks: mutex.
 */
static bool is_behind(const struct door_locks *locks, const struct door_lock_op *op)
{
	const LIST_ENTRY *l;

	for (l = locks->pending.Flink; l != &locks->pending; l = l->Flink) {
		const struct door_piece *piece = CONTAINING_RECORD(l, struct door_lock_op, link)->piece;

		if (piece->start == op->refusal.start && piece->end == op->refusal.end &&
		    piece->type == op->range.type)
			return true;
	}
	return false;
}

/*
 * Waits for what is in its way; false: that would be for ever. Locks of flock(2) are not looked at: two descriptions of
 * one process may wait for each other's as they like. Locks: mutex.
 */
static bool op_is_blocked(struct door_lock_op *op, const struct door_record *held)
{
	return op->range.kind != DOOR_LOCK_POSIX ||
	       door_wait_for(op->file->volume, &op->blocked, op->range.owner, held->range.owner);
}

/* Must it go on waiting? When that would be for ever it must not: it finds out itself. Locks: mutex. */
static bool op_waits_on(struct door_locks *locks, struct door_lock_op *op)
{
	const struct door_record *held;

	if (op->file->closed || atomic_load(&op->file->lock_lost))
		return false;
	held = door_records_conflict(&locks->records, &op->range);
	return held != NULL ? op_is_blocked(op, held) : is_behind(locks, op);
}

/* Out of the list. Locks: mutex. */
static void op_wakes(struct door_lock_op *op)
{
	RemoveEntryList(&op->link);
	op->state = OP_RUNNING;
	door_wait_over(op->file->volume, &op->blocked);
}

/* Those whose way may be free now. Locks: mutex. */
static void wake_waiting(struct door_locks *locks)
{
	LIST_ENTRY *l = locks->waiting.Flink;

	while (l != &locks->waiting) {
		struct door_lock_op *op = CONTAINING_RECORD(l, struct door_lock_op, link);

		l = l->Flink;
		if (op_waits_on(locks, op))
			continue;
		op_wakes(op);
		op_again(op);
	}
}

/* The range is the owner's, or no longer, here; the server follows. Locks: mutex. */
static NTSTATUS enter(struct door_locks *locks, const struct door_range *range, struct door_file *holder)
{
	NTSTATUS status = door_records_set(&locks->records, range, holder);

	door_pieces_lower(locks, range->start, range->end);
	wake_waiting(locks);
	return status;
}

/* Locks: mutex. */
static NTSTATUS op_wait(struct door_locks *locks, struct door_lock_op *op)
{
	op->state = OP_WAITING;
	InsertTailList(&locks->waiting, &op->link);
	return STATUS_PENDING;
}

/*
 * One try. Locks: mutex.
 * Return: STATUS_PENDING: it waits, in one way or another, and runs again.
 */
static NTSTATUS attempt(struct door_locks *locks, struct door_lock_op *op)
{
	const struct door_record *held;
	NTSTATUS status;

	op->leave = 0;
	if (atomic_load(&op->cancelled))
		return STATUS_CANCELLED;
	if (op->file->closed)
		return STATUS_FILE_CLOSED;
	if (atomic_load(&op->file->lock_lost))
		return op->range.type == DOOR_UNLOCKED ? STATUS_SUCCESS : STATUS_FILE_FORCED_CLOSED;
	if (op->range.type == DOOR_UNLOCKED)
		return enter(locks, &op->range, op->file);
	held = door_records_conflict(&locks->records, &op->range);
	if (held != NULL) {
		if (!op->wait)
			return STATUS_LOCK_NOT_GRANTED;
		return op_is_blocked(op, held) ? op_wait(locks, op) : STATUS_POSSIBLE_DEADLOCK;
	}
	op->refusal = (struct door_refusal){0};
	locks->asked = false;
	door_carrier_ready(locks, op->file, op->range.type);
	status = door_pieces_raise(locks, &op->range, &op->refusal);
	/* held all along, perhaps: what was known when it was taken is what this lock keeps others from changing */
	op->leave = locks->asked ? 0 : locks->leave;
	if (NT_SUCCESS(status))
		return enter(locks, &op->range, op->file);
	door_pieces_lower(locks, op->range.start, op->range.end);
	if (atomic_load(&locks->dead))
		return STATUS_FILE_FORCED_CLOSED;
	if (status != STATUS_LOCK_NOT_GRANTED || !op->wait)
		return status;
	if (op->refusal.upgrade) {
		op_pause(op);
		return STATUS_PENDING;
	}
	if (is_behind(locks, op))
		return op_wait(locks, op);
	op->piece = door_piece_make(op->refusal.start, op->refusal.end, op->range.type);
	return op->piece != NULL ? STATUS_PENDING : STATUS_INSUFFICIENT_RESOURCES;
}

/* What the server has granted after a wait. Locks: mutex. */
static void keep_or_give_back(struct door_locks *locks, struct door_lock_op *op)
{
	struct door_piece *piece = op->piece;
	struct door_lock lock;

	op->piece = NULL;
	RemoveEntryList(&op->link);
	if (NT_SUCCESS(op->answer) && !door_pieces_touch(locks, piece->start, piece->end)) {
		door_piece_insert(locks, piece);
		return;
	}
	if (NT_SUCCESS(op->answer)) { /* somebody else of us was faster, with a part of it */
		lock = (struct door_lock){.offset = piece->start, .length = piece->end - piece->start};
		if (door_status_is_loss(door_unlock_range(locks->carrier, NULL, &lock)))
			atomic_store(&locks->dead, true);
	}
	ExFreePoolWithTag(piece, DOOR_TAG_LOCKS);
}

/* ---- the cancel slot --------------------------------------------------------------------------------- */

/* Return: false when the slot was fired already. */
static bool slot_remember(struct door_lock_op *op)
{
	struct door_cancel *cancel = op->caller.cancel;
	bool fired;
	KIRQL irql;

	if (cancel == NULL || !op->wait)
		return true;
	KeAcquireSpinLock(&cancel->lock, &irql);
	fired = cancel->cancelled;
	if (!fired) {
		cancel->waiting = op;
		atomic_fetch_add(&op->refs, 1);
	}
	KeReleaseSpinLock(&cancel->lock, irql);
	return !fired;
}

static void slot_forget(struct door_lock_op *op)
{
	struct door_cancel *cancel = op->caller.cancel;
	bool mine;
	KIRQL irql;

	if (cancel == NULL || !op->wait)
		return;
	KeAcquireSpinLock(&cancel->lock, &irql);
	mine = cancel->waiting == op;
	if (mine)
		cancel->waiting = NULL;
	KeReleaseSpinLock(&cancel->lock, irql);
	if (mine)
		op_put(op);
}

static void op_end(struct door_lock_op *op, NTSTATUS status)
{
	slot_forget(op);
	op->done(op->context, status, NT_SUCCESS(status) ? op->leave : 0);
	op_put(op);
}

void door_lock_op_hold(struct door_lock_op *op)
{
	atomic_fetch_add(&op->refs, 1);
}

static void op_give_up(void *context)
{
	struct door_lock_op *op = context;
	struct door_locks *locks = op->file->locks;
	bool end = false;

	KeAcquireGuardedMutex(&locks->mutex);
	if (op->state == OP_WAITING) {
		op_wakes(op);
		end = true;
	} else if (op->state == OP_PAUSED) {
		end = KeCancelTimer(&op->timer); /* FALSE: it runs in a moment, and sees the flag */
	}
	if (end)
		op->state = OP_RUNNING;
	KeReleaseGuardedMutex(&locks->mutex);
	if (end)
		op_end(op, STATUS_CANCELLED);
	op_put(op);
}

/* Not here and now: whoever cancels must not wait for the mutex. */
void door_lock_op_cancel(struct door_lock_op *op)
{
	if (atomic_exchange(&op->cancelled, true)) {
		op_put(op);
		return;
	}
	ExInitializeWorkItem(&op->give_up, op_give_up, op);
	ExQueueWorkItem(&op->give_up, DelayedWorkQueue);
}

/* ---- running ----------------------------------------------------------------------------------------- */

/* Locks: mutex. */
static NTSTATUS after_the_server(struct door_locks *locks, struct door_lock_op *op)
{
	NTSTATUS answer = op->answer;

	if (door_status_is_loss(answer))
		atomic_store(&locks->dead, true);
	keep_or_give_back(locks, op);
	if (atomic_load(&locks->dead))
		return STATUS_FILE_FORCED_CLOSED;
	if (answer != STATUS_LOCK_NOT_GRANTED && answer != STATUS_FILE_LOCK_CONFLICT)
		return answer;
	if (atomic_load(&op->cancelled))
		return STATUS_CANCELLED;
	op_pause(op); /* a server that does not let anybody wait */
	return STATUS_PENDING;
}

static void op_run(void *context)
{
	struct door_lock_op *op = context;
	struct door_locks *locks = op->file->locks;
	NTSTATUS status = STATUS_SUCCESS;
	bool waited, to_server;

	KeAcquireGuardedMutex(&locks->mutex);
	op->state = OP_RUNNING;
	waited = op->piece != NULL;
	if (waited)
		status = after_the_server(locks, op);
	note_loss(locks);
	if (atomic_load(&locks->dead))
		bury(locks);
	if (status == STATUS_SUCCESS)
		status = attempt(locks, op);
	to_server = status == STATUS_PENDING && op->piece != NULL;
	if (to_server)
		InsertTailList(&locks->pending, &op->link);
	if (status != STATUS_PENDING) /* of what the server granted on the way nothing stays behind */
		door_pieces_lower(locks, op->range.start, op->range.end);
	if (waited)
		wake_waiting(locks); /* those behind it */
	settle(locks);
	KeReleaseGuardedMutex(&locks->mutex);
	if (status != STATUS_PENDING)
		op_end(op, status);
	else if (to_server)
		op_pending(op); /* else it may have ended by now */
}

static void server_answered(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct door_lock_op *op = context;

	(void)information;
	op->answer = status;
	op_again(op);
}

/* The carrier stays while something is pending. */
static void op_pending(struct door_lock_op *op)
{
	struct door_piece *piece = op->piece;
	struct door_lock lock = {.offset = piece->start,
				 .length = piece->end - piece->start,
				 .exclusive = piece->type == DOOR_EXCLUSIVE};

	door_lock_range_async(op->file->locks->carrier, &op->caller, &lock, &op->length, server_answered, op);
}

static bool is_range(const struct door_range *range)
{
	return range->start < range->end && range->end <= DOOR_RANGE_END && range->type <= DOOR_EXCLUSIVE;
}

void door_record_lock(struct door_file *file, const struct door_caller *caller,
		      const struct door_range *range, bool wait, door_done_fn done, void *context)
{
	struct door_lock_op *op;

	if (!is_range(range) || file->locks == NULL) {
		done(context, STATUS_INVALID_PARAMETER, 0);
		return;
	}
	op = ExAllocatePoolWithTag(NonPagedPool, sizeof(*op), DOOR_TAG_LOCKS);
	if (op == NULL) {
		done(context, STATUS_INSUFFICIENT_RESOURCES, 0);
		return;
	}
	RtlZeroMemory(op, sizeof(*op));
	atomic_init(&op->refs, 1);
	atomic_fetch_add(&file->refs, 1);
	op->file = file;
	if (caller != NULL)
		op->caller = *caller;
	op->range = *range;
	op->wait = wait;
	op->done = done;
	op->context = context;
	op->pause = PAUSE_FIRST;
	KeInitializeTimer(&op->timer);
	KeInitializeDpc(&op->dpc, pause_over, op);
	if (slot_remember(op))
		op_run(op);
	else
		op_end(op, STATUS_CANCELLED);
}

void door_record_release(struct door_file *file, enum door_lock_kind kind, uint64_t owner)
{
	struct door_range all = {.owner = owner, .end = DOOR_RANGE_END, .type = DOOR_UNLOCKED, .kind = kind};
	struct door_locks *locks = file->locks;

	if (locks == NULL || !atomic_load(&locks->routed)) /* nobody has anything */
		return;
	KeAcquireGuardedMutex(&locks->mutex);
	(void)enter(locks, &all, NULL); /* giving up everything cannot fail */
	settle(locks);
	KeReleaseGuardedMutex(&locks->mutex);
}

bool door_locks_close(struct door_file *file)
{
	struct door_locks *locks = file->locks;
	LIST_ENTRY *l;
	bool stays;

	if (locks == NULL)
		return false;
	KeAcquireGuardedMutex(&locks->mutex);
	file->closed = true;
	locks->handles--;
	l = locks->records.list.Flink;
	while (l != &locks->records.list) {
		struct door_record *record = CONTAINING_RECORD(l, struct door_record, link);

		l = l->Flink;
		if (record->holder == file)
			door_records_drop(record);
	}
	door_pieces_lower(locks, 0, DOOR_RANGE_END);
	wake_waiting(locks);
	settle(locks);
	stays = locks->carrier == file && !locks->carrier_is_ours;
	if (stays)
		locks->carrier_is_ours = true;
	KeReleaseGuardedMutex(&locks->mutex);
	return stays;
}

/* ---- asking ------------------------------------------------------------------------------------------ */

/* Tries what is wanted, and takes it back. Locks: mutex. */
static NTSTATUS try_at_server(struct door_locks *locks, struct door_file *file,
			      const struct door_range *range)
{
	struct door_refusal refusal = {0};
	NTSTATUS status;

	door_carrier_ready(locks, file, range->type);
	status = door_pieces_probe(locks, range, &refusal);
	door_pieces_lower(locks, range->start, range->end);
	settle(locks);
	return status;
}

static void tell(struct door_range *range, const struct door_record *held)
{
	range->start = held->range.start;
	range->end = held->range.end;
	range->type = held->range.type;
	range->pid = held->range.pid;
}

NTSTATUS door_record_test(struct door_file *file, const struct door_caller *caller, struct door_range *range)
{
	struct door_locks *locks = file->locks;
	enum door_lock_type wanted = range->type;
	const struct door_record *held;
	NTSTATUS status;

	(void)caller;
	if (!is_range(range) || locks == NULL || wanted == DOOR_UNLOCKED)
		return STATUS_INVALID_PARAMETER;
	if (atomic_load(&file->lock_lost))
		return STATUS_FILE_FORCED_CLOSED;
	KeAcquireGuardedMutex(&locks->mutex);
	note_loss(locks);
	settle(locks);
	held = door_records_conflict(&locks->records, range);
	if (atomic_load(&file->lock_lost)) {
		status = STATUS_FILE_FORCED_CLOSED;
	} else if (held != NULL) {
		tell(range, held);
		status = STATUS_SUCCESS;
	} else {
		status = try_at_server(locks, file, range);
		if (status == STATUS_LOCK_NOT_GRANTED) {
			/* Who is in the way of an exclusive lock: one that shares, or one that does not? */
			range->type = DOOR_SHARED;
			if (wanted == DOOR_SHARED ||
			    try_at_server(locks, file, range) == STATUS_LOCK_NOT_GRANTED)
				range->type = DOOR_EXCLUSIVE;
			range->pid = 0;
			status = STATUS_SUCCESS;
		} else if (NT_SUCCESS(status)) {
			range->type = DOOR_UNLOCKED;
		}
	}
	KeReleaseGuardedMutex(&locks->mutex);
	return status;
}
