/*
 * carrier.c - the one handle that holds a file's locks at the server, and the way of every transfer meanwhile.
 *
 * Owns:      nothing; struct door_locks.carrier, a struct door_file that somebody opened or that was opened here.
 * Found by:  door_locks of each handle of the file.
 * Locks:     door_locks.mutex to choose and to change it; door_locks.route, a spin lock, to name and reference it.
 * Dies when: the last handle of the file is closed. A carrier whose owner closes it while it holds locks lives on.
 *
 * A lock at the server belongs to a handle and keeps every other handle out, those of the same client included, while
 * POSIX locks keep out nobody who does not ask. So nobody of this machine may come by another handle: from the first
 * lock on transfers go through the carrier. Those that were already under way are waited for: the server would refuse
 * them if the lock overtook them.
 *
 * A carrier that may not write can hold shared locks as well as any. For an exclusive one a handle that may read and
 * write is looked for among those of the file, and opened when there is none.
 */
#include "locks.h"

#define WAITED_FOR 0x80000000u /* in door_locks.direct */

#define ACCESS_BOTH (FILE_READ_DATA | FILE_WRITE_DATA)

bool door_status_is_loss(NTSTATUS status)
{
	switch (status) {
	case STATUS_FILE_CLOSED:
	case STATUS_FILE_FORCED_CLOSED:
	case STATUS_INVALID_HANDLE:
	case STATUS_CONNECTION_DISCONNECTED:
	case STATUS_CONNECTION_RESET:
	case STATUS_CONNECTION_ABORTED:
	case STATUS_CONNECTION_REFUSED:
	case STATUS_CONNECTION_INVALID:
	case STATUS_LOCAL_DISCONNECT:
	case STATUS_REMOTE_DISCONNECT:
	case STATUS_VIRTUAL_CIRCUIT_CLOSED:
	case STATUS_UNEXPECTED_NETWORK_ERROR:
	case STATUS_NETWORK_NAME_DELETED:
	case STATUS_NETWORK_SESSION_EXPIRED:
	case STATUS_USER_SESSION_DELETED:
	case STATUS_BAD_NETWORK_PATH:
	case STATUS_NETWORK_UNREACHABLE:
	case STATUS_HOST_UNREACHABLE:
	case STATUS_HOST_DOWN:
	case STATUS_IO_TIMEOUT:
		return true;
	default:
		return false;
	}
}

/* ---- transfers --------------------------------------------------------------------------------------- */

static void direct_leave(struct door_locks *locks)
{
	if (atomic_fetch_sub(&locks->direct, 1) == (WAITED_FOR | 1))
		KeSetEvent(&locks->drained, IO_NO_INCREMENT, FALSE);
}

/* The carrier, referenced, while transfers are to go through it; else NULL. */
static struct door_file *carrier_get(struct door_locks *locks)
{
	struct door_file *carrier = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&locks->route, &irql);
	if (atomic_load(&locks->routed)) {
		carrier = locks->carrier;
		atomic_fetch_add(&carrier->refs, 1);
	}
	KeReleaseSpinLock(&locks->route, irql);
	return carrier;
}

/* Locks that were lost behind our back, by a break: whoever relied on them knows when this returns. */
static void look_for_loss(struct door_locks *locks)
{
	struct door_file *carrier = locks != NULL ? carrier_get(locks) : NULL;
	bool lost = carrier != NULL && door_file_lost_locks(carrier);

	if (carrier != NULL)
		door_file_put(carrier);
	if (lost)
		door_locks_bury(locks);
}

static NTSTATUS transfer_begin(struct door_file *file, bool write, struct door_transfer *way)
{
	ACCESS_MASK wanted = write ? FILE_WRITE_DATA : FILE_READ_DATA;
	struct door_locks *locks = file->locks;
	struct door_file *carrier;

	*way = (struct door_transfer){.file = file};
	if (atomic_load_explicit(&file->lock_lost, memory_order_relaxed))
		return STATUS_FILE_FORCED_CLOSED;
	if (locks == NULL)
		return STATUS_SUCCESS;
	if (atomic_load(&locks->routed)) {
		look_for_loss(locks);
		if (atomic_load_explicit(&file->lock_lost, memory_order_relaxed))
			return STATUS_FILE_FORCED_CLOSED;
	}
	for (;;) {
		atomic_fetch_add(&locks->direct, 1);
		if (!atomic_load(&locks->routed)) {
			way->direct = true;
			return STATUS_SUCCESS;
		}
		direct_leave(locks);
		carrier = carrier_get(locks);
		if (carrier != NULL)
			break;
	}
	way->held = true;
	if (carrier == file || atomic_load(&locks->dead) || !(file->access & wanted) ||
	    !(carrier->access & wanted)) {
		/* nobody else's, gone, or no better than the own one: the core and the server say what they think of it */
		door_file_put(carrier);
		return STATUS_SUCCESS;
	}
	way->file = carrier;
	way->carried = true; /* with the reference */
	return STATUS_SUCCESS;
}

static NTSTATUS transfer_begin_own(struct door_file *file, struct door_transfer *way)
{
	*way = (struct door_transfer){.file = file};
	look_for_loss(file->locks);
	if (atomic_load_explicit(&file->lock_lost, memory_order_relaxed))
		return STATUS_FILE_FORCED_CLOSED;
	way->held = file->locks != NULL && atomic_load(&file->locks->routed);
	return STATUS_SUCCESS;
}

NTSTATUS door_record_status(struct door_file *file, NTSTATUS status)
{
	struct door_locks *locks = file->locks;

	if (locks != NULL && atomic_load(&locks->routed) && door_status_is_loss(status)) {
		atomic_store(&locks->dead, true);
		door_locks_bury(locks);
	}
	return atomic_load(&file->lock_lost) ? STATUS_FILE_FORCED_CLOSED : status;
}

NTSTATUS door_transfer_end(const struct door_transfer *way, NTSTATUS status)
{
	struct door_locks *locks = way->file->locks;
	bool lost = false;

	if (way->direct) {
		direct_leave(locks);
	} else if (way->held && door_status_is_loss(status)) {
		door_locks_dead(locks);
		lost = true;
	}
	if (way->carried)
		door_file_put(way->file);
	return lost ? STATUS_FILE_FORCED_CLOSED : status;
}

NTSTATUS door_transfer_create(struct door_file *file, const struct door_caller *caller, UCHAR major,
			      UCHAR minor, struct door_request **out)
{
	struct door_transfer way;
	NTSTATUS status;

	*out = NULL;
	/* A lock keeps nobody from having data flushed; what failed is told to the handle that asks. */
	if (major == IRP_MJ_FLUSH_BUFFERS)
		status = transfer_begin_own(file, &way);
	else
		status = transfer_begin(file, major != IRP_MJ_READ, &way);
	if (!NT_SUCCESS(status))
		return status;
	status = door_request_create(file->volume->door, way.file->object, way.file, caller, major, minor,
				     out);
	if (NT_SUCCESS(status))
		(*out)->way = way;
	else
		(void)door_transfer_end(&way, status); /* nothing was sent */
	return status;
}

/* ---- choice ------------------------------------------------------------------------------------------ */

static bool may_both(const struct door_file *file)
{
	return (file->access & ACCESS_BOTH) == ACCESS_BOTH;
}

/* A handle for exclusive locks; @ours: it was opened for this. NULL: there is none to be had. */
static struct door_file *find_better(struct door_file *file, bool *ours)
{
	struct door_file *found = door_file_beside(file, ACCESS_BOTH);

	*ours = false;
	if (found != NULL)
		return found;
	*ours = NT_SUCCESS(door_open_again(file, NULL, ACCESS_BOTH | FILE_APPEND_DATA, &found));
	return found;
}

static void set_carrier(struct door_locks *locks, struct door_file *carrier, bool ours)
{
	struct door_file *old = locks->carrier;
	bool close_old = locks->carrier_is_ours;
	KIRQL irql;

	KeAcquireSpinLock(&locks->route, &irql);
	locks->carrier = carrier;
	locks->carrier_is_ours = ours;
	KeReleaseSpinLock(&locks->route, irql);
	if (old != NULL && close_old)
		(void)door_file_end(old, NULL); /* it holds nothing any more */
}

/* From here on no transfer goes another way. */
static void route(struct door_locks *locks)
{
	unsigned int before;

	if (atomic_load(&locks->routed))
		return;
	KeClearEvent(&locks->drained);
	atomic_store(&locks->routed, true);
	before = atomic_fetch_or(&locks->direct, WAITED_FOR);
	if (before != 0)
		KeWaitForSingleObject(&locks->drained, Executive, KernelMode, FALSE, NULL);
	atomic_fetch_and(&locks->direct, ~WAITED_FOR);
}

void door_carrier_ready(struct door_locks *locks, struct door_file *file, enum door_lock_type type)
{
	struct door_file *choice = locks->carrier != NULL ? locks->carrier : file;
	bool ours = locks->carrier != NULL && locks->carrier_is_ours;

	if (type == DOOR_EXCLUSIVE && !may_both(choice)) {
		struct door_file *better = NULL;
		bool opened = false;

		if (may_both(file))
			better = file;
		else
			better = find_better(file, &opened);
		if (better != NULL && locks->carrier != NULL && !door_pieces_move(locks, better)) {
			if (opened)
				(void)door_file_end(better, NULL); /* it stays as it was */
			better = NULL;
		}
		if (better != NULL) {
			choice = better;
			ours = opened;
		}
	}
	if (choice != locks->carrier)
		set_carrier(locks, choice, ours);
	route(locks);
}

void door_carrier_idle(struct door_locks *locks)
{
	KIRQL irql;

	if (!IsListEmpty(&locks->pieces) || !IsListEmpty(&locks->pending))
		return;
	KeAcquireSpinLock(&locks->route, &irql);
	atomic_store(&locks->routed, false);
	KeReleaseSpinLock(&locks->route, irql);
	/* what was opened here serves the next lock too; what belongs to others goes when they want */
	if (!locks->carrier_is_ours)
		set_carrier(locks, NULL, false);
	else if (atomic_load(&locks->dead) || locks->handles == 0)
		set_carrier(locks, NULL, false);
}
