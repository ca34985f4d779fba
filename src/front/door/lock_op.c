/*
 * lock_op.c - taking the locks of a file, and waiting for them.
 *
 * Owns:      struct door_lock_op, one per request that is under way.
 * Found by:  a waiting request by its caller's cancel slot; door_locks.waiting and door_locks.pending.
 * Locks:     door_locks.mutex, see locks.c.
 * Dies when: its end was reported and nobody cancels it.
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

void door_locks_wake_locked(struct door_locks *locks)
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
		return door_locks_enter_locked(locks, &op->range, op->file);
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
		return door_locks_enter_locked(locks, &op->range, op->file);
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
	door_locks_note_loss_locked(locks);
	if (atomic_load(&locks->dead))
		door_locks_bury_locked(locks);
	if (status == STATUS_SUCCESS)
		status = attempt(locks, op);
	to_server = status == STATUS_PENDING && op->piece != NULL;
	if (to_server)
		InsertTailList(&locks->pending, &op->link);
	if (status != STATUS_PENDING) /* of what the server granted on the way nothing stays behind */
		door_pieces_lower(locks, op->range.start, op->range.end);
	if (waited)
		door_locks_wake_locked(locks); /* those behind it */
	door_locks_settle_locked(locks);
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

void door_record_lock(struct door_file *file, const struct door_caller *caller,
		      const struct door_range *range, bool wait, door_done_fn done, void *context)
{
	struct door_lock_op *op;

	if (!door_range_is_valid(range) || file->locks == NULL) {
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
