/*
 * pieces.c - what is held at the server: ranges locked through the carrier, exactly so.
 *
 * Owns:      struct door_piece, one per range that the server has locked for us.
 * Locks:     door_locks.mutex around everything here, also while the server is asked: it answers at once.
 * Dies when: its range is unlocked, or lost.
 *
 *   raise: every byte of a range is held at least so; before the table of records says that somebody has it
 *   lower: no byte is held stronger than the table says; after it has changed
 *
 * An SMB server unlocks what was locked, not a part of it, and has no conversion ([MS-FSA] 2.1.5.8, 2.1.5.9):
 * - exclusive to shared: a handle may lock shared what it has locked exclusively, and of two equal ranges the exclusive
 *   one is unlocked first. Others never get in between.
 * - a shared range is cut in the same way: its remains are locked once more, then the whole is unlocked.
 * - shared to exclusive, and the remains of an exclusive range: unlock, lock. Somebody may come in between. When even
 *   what was held before is not to be had again, the lock is lost and whoever held it is told (door_locks_lose()).
 */
#include "locks.h"

/* ---- the server -------------------------------------------------------------------------------------- */

/* Not with the caller's cancel slot: what became of a lock that was given up is not known. */
static NTSTATUS ask(struct door_locks *locks, struct door_file *carrier, uint64_t start, uint64_t end,
		    enum door_lock_type type)
{
	struct door_lock lock = {.offset = start,
				 .length = end - start,
				 .exclusive = type == DOOR_EXCLUSIVE,
				 .fail_immediately = TRUE};
	ULONG_PTR leave = 0;
	NTSTATUS status = type == DOOR_UNLOCKED ? door_unlock_range(carrier, NULL, &lock)
						: door_lock_range_told(carrier, &lock, &leave);

	if (type != DOOR_UNLOCKED) {
		locks->leave = leave;
		locks->asked = locks->asked || leave == 0;
	}
	if (door_status_is_loss(status))
		atomic_store(&locks->dead, true);
	if (status == STATUS_FILE_LOCK_CONFLICT)
		status = STATUS_LOCK_NOT_GRANTED;
	return status;
}

static NTSTATUS take(struct door_locks *locks, uint64_t start, uint64_t end, enum door_lock_type type)
{
	return ask(locks, locks->carrier, start, end, type);
}

static void give(struct door_locks *locks, uint64_t start, uint64_t end)
{
	NTSTATUS status = take(locks, start, end, DOOR_UNLOCKED);

	/* It knows of no such lock: whoever still relies on it must hear of it. */
	if (status == STATUS_RANGE_NOT_LOCKED)
		door_locks_lose(locks, start, end, DOOR_UNLOCKED);
	if (door_file_lost_locks(locks->carrier))
		atomic_store(&locks->dead, true);
}

/* ---- pieces ------------------------------------------------------------------------------------------ */

static struct door_piece *piece_of(LIST_ENTRY *link)
{
	return CONTAINING_RECORD(link, struct door_piece, link);
}

struct door_piece *door_piece_make(uint64_t start, uint64_t end, enum door_lock_type type)
{
	struct door_piece *piece = ExAllocatePoolWithTag(NonPagedPool, sizeof(*piece), DOOR_TAG_LOCKS);

	if (piece == NULL)
		return NULL;
	piece->start = start;
	piece->end = end;
	piece->type = type;
	return piece;
}

void door_piece_insert(struct door_locks *locks, struct door_piece *piece)
{
	LIST_ENTRY *l = locks->pieces.Blink;

	while (l != &locks->pieces && piece_of(l)->start > piece->start)
		l = l->Blink;
	InsertHeadList(l, &piece->link); /* behind l */
}

static void piece_free(struct door_piece *piece)
{
	ExFreePoolWithTag(piece, DOOR_TAG_LOCKS);
}

static void piece_drop(struct door_piece *piece)
{
	RemoveEntryList(&piece->link);
	piece_free(piece);
}

void door_pieces_free(struct door_locks *locks)
{
	while (!IsListEmpty(&locks->pieces))
		piece_drop(piece_of(locks->pieces.Flink));
}

bool door_pieces_touch(struct door_locks *locks, uint64_t start, uint64_t end)
{
	LIST_ENTRY *l;

	for (l = locks->pieces.Flink; l != &locks->pieces; l = l->Flink)
		if (piece_of(l)->start < end && start < piece_of(l)->end)
			return true;
	return false;
}

/* ---- several at once --------------------------------------------------------------------------------- */

/* Locks them, each over what is held already, so that no one else is asked. On failure none is held. */
static NTSTATUS stack_all(struct door_locks *locks, LIST_ENTRY *parts, enum door_lock_type type)
{
	NTSTATUS status = STATUS_SUCCESS;
	LIST_ENTRY *l, *undo;

	for (l = parts->Flink; l != parts && NT_SUCCESS(status); l = l->Flink)
		if (piece_of(l)->type == type)
			status = take(locks, piece_of(l)->start, piece_of(l)->end, type);
	if (NT_SUCCESS(status))
		return status;
	for (undo = parts->Flink; undo != l->Blink; undo = undo->Flink)
		if (piece_of(undo)->type == type)
			(void)take(locks, piece_of(undo)->start, piece_of(undo)->end, DOOR_UNLOCKED);
	return status;
}

static void free_all(LIST_ENTRY *parts)
{
	while (!IsListEmpty(parts))
		piece_drop(piece_of(parts->Flink));
}

static void insert_all(struct door_locks *locks, LIST_ENTRY *parts)
{
	while (!IsListEmpty(parts))
		door_piece_insert(locks, piece_of(RemoveHeadList(parts)));
}

static bool add_part(LIST_ENTRY *parts, uint64_t start, uint64_t end, enum door_lock_type type)
{
	struct door_piece *part;

	if (start >= end)
		return true;
	part = door_piece_make(start, end, type);
	if (part != NULL)
		InsertTailList(parts, &part->link);
	return part != NULL;
}

/* ---- raise ------------------------------------------------------------------------------------------- */

/* What of a shared piece lies in the range becomes exclusive. The piece is another, or gone, afterwards. */
static NTSTATUS upgrade(struct door_locks *locks, struct door_piece *piece, const struct door_range *range)
{
	uint64_t start = piece->start > range->start ? piece->start : range->start;
	uint64_t end = piece->end < range->end ? piece->end : range->end;
	LIST_ENTRY rest;
	NTSTATUS status;

	InitializeListHead(&rest);
	if (!add_part(&rest, piece->start, start, DOOR_SHARED) ||
	    !add_part(&rest, end, piece->end, DOOR_SHARED)) {
		free_all(&rest);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	status = stack_all(locks, &rest, DOOR_SHARED);
	if (!NT_SUCCESS(status)) {
		free_all(&rest);
		return status;
	}
	give(locks, piece->start, piece->end);
	RemoveEntryList(&piece->link);
	insert_all(locks, &rest);
	piece->start = start;
	piece->end = end;
	status = take(locks, start, end, DOOR_EXCLUSIVE);
	if (NT_SUCCESS(status)) {
		piece->type = DOOR_EXCLUSIVE;
	} else if (!NT_SUCCESS(take(locks, start, end, DOOR_SHARED))) {
		piece_free(piece);
		door_locks_lose(locks, start, end, DOOR_UNLOCKED);
		return status;
	}
	door_piece_insert(locks, piece);
	return status;
}

static NTSTATUS fill_gap(struct door_locks *locks, uint64_t start, uint64_t end, enum door_lock_type type,
			 struct door_refusal *refusal)
{
	struct door_piece *piece = door_piece_make(start, end, type);
	NTSTATUS status;

	if (piece == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = take(locks, start, end, type);
	if (NT_SUCCESS(status)) {
		door_piece_insert(locks, piece);
		return status;
	}
	piece_free(piece);
	refusal->start = start;
	refusal->end = end;
	refusal->upgrade = false;
	return status;
}

/* What is not locked at all, from the front. */
static NTSTATUS fill_gaps(struct door_locks *locks, const struct door_range *range,
			  struct door_refusal *refusal)
{
	uint64_t at = range->start;
	NTSTATUS status = STATUS_SUCCESS;
	LIST_ENTRY *l = locks->pieces.Flink;

	while (at < range->end && NT_SUCCESS(status)) {
		struct door_piece *next;
		uint64_t end = range->end;

		while (l != &locks->pieces && piece_of(l)->end <= at)
			l = l->Flink;
		next = l != &locks->pieces ? piece_of(l) : NULL;
		if (next != NULL && next->start <= at) {
			at = next->end;
			continue;
		}
		if (next != NULL && next->start < end)
			end = next->start;
		status = fill_gap(locks, at, end, range->type, refusal); /* comes to stand in front of l */
		at = end;
	}
	return status;
}

NTSTATUS door_pieces_probe(struct door_locks *locks, const struct door_range *range,
			   struct door_refusal *refusal)
{
	return fill_gaps(locks, range, refusal);
}

NTSTATUS door_pieces_raise(struct door_locks *locks, const struct door_range *range,
			   struct door_refusal *refusal)
{
	NTSTATUS status = fill_gaps(locks, range, refusal);
	LIST_ENTRY *l = locks->pieces.Flink;

	while (NT_SUCCESS(status) && range->type == DOOR_EXCLUSIVE && l != &locks->pieces) {
		struct door_piece *piece = piece_of(l);

		l = l->Flink;
		if (piece->type == DOOR_EXCLUSIVE || piece->start >= range->end || piece->end <= range->start)
			continue;
		status = upgrade(locks, piece, range);
		refusal->upgrade = true;
	}
	return status;
}

/* ---- lower ------------------------------------------------------------------------------------------- */

/* The ranges of a piece that somebody still has, each with its type; false without memory. */
static bool wanted_parts(struct door_locks *locks, const struct door_piece *piece, LIST_ENTRY *parts)
{
	uint64_t at = piece->start;

	while (at < piece->end) {
		struct door_piece *last = IsListEmpty(parts) ? NULL : piece_of(parts->Blink);
		uint64_t until;
		enum door_lock_type level = door_records_level(&locks->records, at, &until);

		if (until > piece->end)
			until = piece->end;
		if (level > piece->type)
			level = piece->type;
		if (last != NULL && last->end == at && last->type == level)
			last->end = until;
		else if (level != DOOR_UNLOCKED && !add_part(parts, at, until, level))
			return false;
		at = until;
	}
	return true;
}

static void relock_exclusive(struct door_locks *locks, LIST_ENTRY *parts)
{
	LIST_ENTRY *l = parts->Flink;

	while (l != parts) {
		struct door_piece *part = piece_of(l);

		l = l->Flink;
		if (part->type != DOOR_EXCLUSIVE ||
		    NT_SUCCESS(take(locks, part->start, part->end, DOOR_EXCLUSIVE)))
			continue;
		door_locks_lose(locks, part->start, part->end, DOOR_UNLOCKED);
		piece_drop(part);
	}
}

static void lower_piece(struct door_locks *locks, struct door_piece *piece)
{
	struct door_piece *only;
	LIST_ENTRY parts;

	InitializeListHead(&parts);
	if (!wanted_parts(locks, piece, &parts)) {
		free_all(&parts); /* more than needed is held: safe, and mended by the next change */
		return;
	}
	only = !IsListEmpty(&parts) && parts.Flink == parts.Blink ? piece_of(parts.Flink) : NULL;
	if ((only != NULL && only->start == piece->start && only->end == piece->end &&
	     only->type == piece->type) ||
	    !NT_SUCCESS(stack_all(locks, &parts, DOOR_SHARED))) {
		free_all(&parts);
		return;
	}
	give(locks, piece->start, piece->end);
	piece_drop(piece);
	relock_exclusive(locks, &parts);
	insert_all(locks, &parts);
}

void door_pieces_lower(struct door_locks *locks, uint64_t start, uint64_t end)
{
	LIST_ENTRY *l = locks->pieces.Flink;

	while (l != &locks->pieces) {
		struct door_piece *piece = piece_of(l);

		l = l->Flink; /* what comes of the piece stands in front of l, or is not to be looked at again */
		if (piece->start < end && start < piece->end)
			lower_piece(locks, piece);
	}
}

/* ---- another carrier --------------------------------------------------------------------------------- */

bool door_pieces_move(struct door_locks *locks, struct door_file *carrier)
{
	LIST_ENTRY *l, *undo;

	for (l = locks->pieces.Flink; l != &locks->pieces; l = l->Flink)
		if (piece_of(l)->type == DOOR_EXCLUSIVE)
			return false; /* nobody else may have it, not even another handle of ours */
	if (!IsListEmpty(&locks->pending))
		return false;
	for (l = locks->pieces.Flink; l != &locks->pieces; l = l->Flink)
		if (!NT_SUCCESS(ask(locks, carrier, piece_of(l)->start, piece_of(l)->end, DOOR_SHARED)))
			break;
	if (l != &locks->pieces) {
		for (undo = locks->pieces.Flink; undo != l; undo = undo->Flink)
			(void)ask(locks, carrier, piece_of(undo)->start, piece_of(undo)->end, DOOR_UNLOCKED);
		return false;
	}
	for (l = locks->pieces.Flink; l != &locks->pieces; l = l->Flink)
		(void)take(locks, piece_of(l)->start, piece_of(l)->end, DOOR_UNLOCKED);
	return true;
}
