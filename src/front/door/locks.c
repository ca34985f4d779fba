/*
 * locks.c - the locks of one file: what of them is held, what is lost, and giving them up.
 *
 * Owns:      struct door_locks, shared by all handles of a file (by its id; a file without one has a table for each
 *            handle).
 * Found by:  door_file.locks.
 * Locks:     door_locks.mutex, held while the server is asked what it answers at once, never while something is
 *            waited for. Order: mutex, then the volume's mutex or a spin lock.
 * Dies when: the last structure of a handle.
 *
 * Taking a lock, and waiting for one, is in lock_op.c.
 */
#include "locks.h"

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

void door_locks_bury_locked(struct door_locks *locks)
{
	door_locks_lose(locks, 0, DOOR_RANGE_END, DOOR_UNLOCKED);
	if (!IsListEmpty(&locks->pieces) || (locks->carrier != NULL && door_file_lost_locks(locks->carrier)))
		door_unlock_all(locks->carrier); /* the engine would keep others out for it still */
	door_pieces_free(locks);
	door_carrier_idle(locks);
	if (IsListEmpty(&locks->pending))
		atomic_store(&locks->dead, false);
	door_locks_wake_locked(locks);
}

void door_locks_settle_locked(struct door_locks *locks)
{
	if (atomic_load(&locks->dead))
		door_locks_bury_locked(locks);
	else
		door_carrier_idle(locks);
}

void door_locks_note_loss_locked(struct door_locks *locks)
{
	if (locks->carrier != NULL && door_file_lost_locks(locks->carrier))
		atomic_store(&locks->dead, true);
}

void door_locks_bury(struct door_locks *locks)
{
	KeAcquireGuardedMutex(&locks->mutex);
	door_locks_note_loss_locked(locks);
	door_locks_settle_locked(locks);
	KeReleaseGuardedMutex(&locks->mutex);
}

static VOID burial(PVOID context)
{
	struct door_locks *locks = context;

	KeAcquireGuardedMutex(&locks->mutex);
	atomic_store(&locks->burying, false);
	door_locks_settle_locked(locks);
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

NTSTATUS door_locks_enter_locked(struct door_locks *locks, const struct door_range *range,
				 struct door_file *holder)
{
	NTSTATUS status = door_records_set(&locks->records, range, holder);

	door_pieces_lower(locks, range->start, range->end);
	door_locks_wake_locked(locks);
	return status;
}

/* ---- giving up -------------------------------------------------------------------------------------- */

void door_record_release(struct door_file *file, enum door_lock_kind kind, uint64_t owner)
{
	struct door_range all = {.owner = owner, .end = DOOR_RANGE_END, .type = DOOR_UNLOCKED, .kind = kind};
	struct door_locks *locks = file->locks;

	if (locks == NULL || !atomic_load(&locks->routed)) /* nobody has anything */
		return;
	KeAcquireGuardedMutex(&locks->mutex);
	(void)door_locks_enter_locked(locks, &all, NULL); /* giving up everything cannot fail */
	door_locks_settle_locked(locks);
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
	door_locks_wake_locked(locks);
	door_locks_settle_locked(locks);
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
	door_locks_settle_locked(locks);
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
	if (!door_range_is_valid(range) || locks == NULL || wanted == DOOR_UNLOCKED)
		return STATUS_INVALID_PARAMETER;
	if (atomic_load(&file->lock_lost))
		return STATUS_FILE_FORCED_CLOSED;
	KeAcquireGuardedMutex(&locks->mutex);
	door_locks_note_loss_locked(locks);
	door_locks_settle_locked(locks);
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
