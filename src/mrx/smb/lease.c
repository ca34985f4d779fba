/*
 * lease.c - leases (MS-SMB2 3.2.5.7.5, 3.2.5.19.2): asked for with a create, shrunk by breaks, lost with a connection.
 *
 * Owns:      struct smb_lease behind FCB.Context, from the first create that asks to the end of the FCB.
 * Found by:  FCB.Context; SRV_OPEN.Key of every open that it covers; by its key in the driver's table, for breaks.
 * Locks:     FCB exclusive for `state`; smb_leases.lock, a spin lock, for the table, `conn`, `version` and `epoch`. RDBSS
 *            is told of a break under the latter: as long as a lease is in the table its SRV_CALL lives.
 * Dies when: RDBSS deallocates the FCB.
 *
 * A lease belongs to the file, not to a handle: every create of ours on the file names the key, so that none of them
 * breaks it. Its state only grows by the answer to a create and only shrinks by a break; a server that grants what was
 * not asked for, breaks to more than we hold, or tells of changes that the lease rules out, gets nothing kept.
 *
 * What is asked for is R and H, and W by whoever may write: core/cache keeps his data back while it holds.
 *
 * Servers bind a key to the file's name, and those that keep one name per file move all of its handles along when it is
 * renamed by another of its names (hard links). A create that names the key by the old name is then refused: the key has
 * gone with the handles that have it, and the file gets another one. Breaks of the first are answered by the receiver:
 * whoever waits for that may be the create itself, which holds the file.
 *
 * A folder has a lease where the server has such leases (3.x, SMB2_GLOBAL_CAP_DIRECTORY_LEASING): R and H again, and what
 * it allows to keep is names. Any break of it ends all of it, for whoever made the server take H back wants our handle
 * gone. It breaks by changes below the folder, except by those of creates that name it (ParentLeaseKey).
 */
#include "mrx/smb/lease.h"
#include "mrx/smb/oplock.h"

#define SMB_TAG_LEASE 'lBmS'
#define SMB_LEASE_BUCKETS 1024 /* a power of two */

static struct {
	KSPIN_LOCK lock;
	uint64_t last; /* makes keys differ */
	LIST_ENTRY bucket[SMB_LEASE_BUCKETS];
	LIST_ENTRY folders; /* few: those that are watched */
} smb_leases;

struct smb_lease {
	LIST_ENTRY link; /* in the table */
	uint8_t key[SMB2_LEASE_KEY_SIZE];
	PMRX_SRV_CALL srv_call;
	/* that granted it; not referenced, only compared; NULL: nothing is granted */
	struct smb_conn *conn RX_GUARDED_BY(smb_leases.lock);
	uint32_t state;                                 /* SMB2_LEASE_... */
	uint8_t version RX_GUARDED_BY(smb_leases.lock); /* 1 or 2 */
	uint16_t epoch RX_GUARDED_BY(smb_leases.lock);  /* version 2: of the last grant or break */
	bool time_known;                                /* nobody has written here since... */
	uint64_t write_time;                            /* ...the server said this */
	LIST_ENTRY folder_link;                         /* in smb_leases.folders, of a folder's */
	PMRX_NET_ROOT share;                            /* of a folder's; not referenced, only compared */
	UNICODE_STRING path; /* of a folder's: from the share's root; Buffer NULL: it is no folder's */
	/* referenced: the key was given up, its breaks are answered here; NULL: it is in use */
	struct smb_tree *left RX_GUARDED_BY(smb_leases.lock);
	struct smb_lease *older; /* of the file: given up; lives as long as this one */
};

/* What a break asks for, as RDBSS carries it around: nothing to free when it is dropped. */
#define SMB_BREAK_ACK 0x100u

static PVOID smb_break_context(uint32_t new_state, bool acknowledge)
{
	return (PVOID)(ULONG_PTR)((new_state & 0xFFu) | (acknowledge ? SMB_BREAK_ACK : 0));
}

void smb_leases_init(void)
{
	KeInitializeSpinLock(&smb_leases.lock);
	smb_leases.last = 0;
	InitializeListHead(&smb_leases.folders);
	for (size_t i = 0; i < SMB_LEASE_BUCKETS; i++)
		InitializeListHead(&smb_leases.bucket[i]);
}

/* The counter stands in the first bytes of a key. */
static PLIST_ENTRY smb_lease_bucket(const uint8_t *key)
{
	return &smb_leases.bucket[(key[0] | key[1] << 8) & (SMB_LEASE_BUCKETS - 1)];
}

static struct smb_lease *smb_lease_find_locked(const uint8_t *key)
{
	PLIST_ENTRY bucket = smb_lease_bucket(key);

	for (PLIST_ENTRY link = bucket->Flink; link != bucket; link = link->Flink) {
		struct smb_lease *lease = CONTAINING_RECORD(link, struct smb_lease, link);

		if (RtlEqualMemory(lease->key, key, SMB2_LEASE_KEY_SIZE))
			return lease;
	}
	return NULL;
}

static struct smb_lease *smb_lease_create(PMRX_FCB fcb)
{
	struct smb_lease *lease = ExAllocatePoolZero(NonPagedPool, sizeof(*lease), SMB_TAG_LEASE);
	uint64_t number;
	KIRQL irql;

	if (lease == NULL)
		return NULL;
	lease->srv_call = fcb->pNetRoot->pSrvCall;
	KeAcquireSpinLock(&smb_leases.lock, &irql);
	number = ++smb_leases.last;
	for (size_t i = 0; i < 8; i++)
		lease->key[i] = (uint8_t)(number >> (8 * i));
	/* the rest tells this client's keys from another's where a server forgets to ask who it is */
	RtlCopyMemory(lease->key + 8, mrx_smb.client_guid, 8);
	InsertTailList(smb_lease_bucket(lease->key), &lease->link);
	KeReleaseSpinLock(&smb_leases.lock, irql);
	fcb->Context = lease;
	return lease;
}

static void smb_lease_free(struct smb_lease *lease)
{
	struct smb_tree *left;
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	RemoveEntryList(&lease->link);
	if (lease->path.Buffer != NULL)
		RemoveEntryList(&lease->folder_link);
	left = lease->left;
	KeReleaseSpinLock(&smb_leases.lock, irql);
	if (lease->path.Buffer != NULL)
		ExFreePoolWithTag(lease->path.Buffer, SMB_TAG_LEASE);
	smb_tree_put(left);
	ExFreePoolWithTag(lease, SMB_TAG_LEASE);
}

NTSTATUS mrx_smb_deallocate_for_fcb(PMRX_FCB Fcb)
{
	struct smb_lease *lease = Fcb->Context;

	Fcb->Context = NULL;
	while (lease != NULL) {
		struct smb_lease *older = lease->older;

		smb_lease_free(lease);
		lease = older;
	}
	return STATUS_SUCCESS;
}

/* ---- states ---- */

static ULONG smb_lease_flags(const struct smb_lease *lease)
{
	uint32_t state = lease->state;
	ULONG flags = 0;

	if ((state & SMB2_LEASE_READ_CACHING) == 0)
		return 0;
	flags |= FCB_STATE_READCACHING_ENABLED | FCB_STATE_READBUFFERING_ENABLED;
	if (lease->path.Buffer != NULL)
		return flags; /* a folder's handle is not kept for a later open */
	if ((state & SMB2_LEASE_WRITE_CACHING) !=
	    0) /* nobody else has a handle that reads, writes or locks */
		flags |= FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_WRITEBUFFERING_ENABLED |
			 FCB_STATE_LOCK_BUFFERING_ENABLED;
	if ((state & SMB2_LEASE_HANDLE_CACHING) != 0)
		flags |= FCB_STATE_COLLAPSING_ENABLED;
	return flags;
}

static struct smb_conn *smb_lease_conn(struct smb_lease *lease)
{
	struct smb_conn *conn;
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	conn = lease->conn;
	KeReleaseSpinLock(&smb_leases.lock, irql);
	return conn;
}

/* A connection that has ended meanwhile has taken the lease along before it was known here (smb_leases_lost). */
static void smb_lease_set(struct smb_lease *lease, struct smb_conn *conn, uint32_t state)
{
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	if (state != 0 && smb_conn_is_dead(conn))
		state = 0;
	lease->conn = state != 0 ? conn : NULL;
	KeReleaseSpinLock(&smb_leases.lock, irql);
	lease->state = state;
}

/* Less of what is held. A loss of the connection meanwhile stays one. */
static void smb_lease_shrink(struct smb_lease *lease, uint32_t to)
{
	KIRQL irql;

	lease->state &= to;
	KeAcquireSpinLock(&smb_leases.lock, &irql);
	if (lease->state == 0)
		lease->conn = NULL;
	KeReleaseSpinLock(&smb_leases.lock, irql);
}

bool smb_lease_has_handle_caching(PMRX_FCB fcb)
{
	struct smb_lease *lease = fcb->Context;

	/* the file's state is less than the lease when a break could not be answered */
	return lease != NULL && (lease->state & SMB2_LEASE_HANDLE_CACHING) != 0 &&
	       (fcb->FcbState & FCB_STATE_COLLAPSING_ENABLED) != 0 && smb_lease_conn(lease) != NULL;
}

/* Which kind of lease the next create asks for: a break, which the receiver reads meanwhile, has epochs or has not. */
static void smb_lease_set_version(struct smb_lease *lease, uint8_t version)
{
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	lease->version = version;
	KeReleaseSpinLock(&smb_leases.lock, irql);
}

static uint16_t smb_lease_epoch(struct smb_lease *lease)
{
	uint16_t epoch;
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	epoch = lease->epoch;
	KeReleaseSpinLock(&smb_leases.lock, irql);
	return epoch;
}

/* Epochs wrap: those up to half the circle ahead are newer. A lease that starts anew takes any. */
static void smb_lease_note_epoch_locked(struct smb_lease *lease, uint16_t epoch) RX_REQUIRES(smb_leases.lock)
{
	if (lease->conn == NULL || (uint16_t)(epoch - lease->epoch) <= INT16_MAX)
		lease->epoch = epoch;
}

static void smb_lease_note_epoch(struct smb_lease *lease, uint16_t epoch)
{
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	smb_lease_note_epoch_locked(lease, epoch);
	KeReleaseSpinLock(&smb_leases.lock, irql);
}

/* ---- with a create ---- */

static uint8_t smb_lease_version(const struct smb_conn *conn)
{
	if (conn->neg.dialect < SMB2_DIALECT_210 || (conn->neg.capabilities & SMB2_GLOBAL_CAP_LEASING) == 0)
		return 0;
	return conn->neg.dialect >= SMB2_DIALECT_300 ? 2 : 1;
}

bool smb_conn_has_leases(const struct smb_conn *conn)
{
	return smb_lease_version(conn) != 0;
}

/* From now on the lease is found by the path of its folder. */
static bool smb_lease_is_of_folder(struct smb_lease *lease, PMRX_FCB fcb, const UNICODE_STRING *path)
{
	PWCH copy;
	KIRQL irql;

	if (lease->path.Buffer != NULL)
		return true;
	copy = ExAllocatePoolWithTag(NonPagedPool, path->Length + sizeof(WCHAR), SMB_TAG_LEASE);
	if (copy == NULL)
		return false;
	RtlCopyMemory(copy, path->Buffer, path->Length);
	KeAcquireSpinLock(&smb_leases.lock, &irql);
	lease->share = fcb->pNetRoot;
	lease->path.Length = path->Length;
	lease->path.MaximumLength = (USHORT)(path->Length + sizeof(WCHAR));
	lease->path.Buffer = copy;
	InsertTailList(&smb_leases.folders, &lease->folder_link);
	KeReleaseSpinLock(&smb_leases.lock, irql);
	return true;
}

/* The key of the lease that we hold on the folder of @path, from that connection. False: we hold none. */
static bool smb_lease_parent_key(PMRX_NET_ROOT share, const struct smb_conn *conn, const UNICODE_STRING *path,
				 uint8_t *key)
{
	UNICODE_STRING folder = *path;
	bool found = false;
	PLIST_ENTRY link;
	KIRQL irql;

	while (folder.Length != 0 && folder.Buffer[folder.Length / sizeof(WCHAR) - 1] != '\\')
		folder.Length -= sizeof(WCHAR);
	if (folder.Length != 0)
		folder.Length -= sizeof(WCHAR); /* the separator */
	KeAcquireSpinLock(&smb_leases.lock, &irql);
	for (link = smb_leases.folders.Flink; link != &smb_leases.folders && !found; link = link->Flink) {
		struct smb_lease *lease = CONTAINING_RECORD(link, struct smb_lease, folder_link);

		if (lease->share != share || lease->conn != conn ||
		    !RtlEqualUnicodeString(&lease->path, &folder, TRUE))
			continue;
		RtlCopyMemory(key, lease->key, SMB2_LEASE_KEY_SIZE);
		found = true;
	}
	KeReleaseSpinLock(&smb_leases.lock, irql);
	return found;
}

/* The lease of the file, made when there is something to ask for or to say with it; NULL: none. */
static struct smb_lease *smb_lease_for(PMRX_FCB fcb, const struct smb_conn *conn,
				       const struct smb_lease_wish *wish, bool below_ours)
{
	struct smb_lease *lease = fcb->Context;

	if (wish->directory && (smb_lease_version(conn) < 2 ||
				(conn->neg.capabilities & SMB2_GLOBAL_CAP_DIRECTORY_LEASING) == 0))
		return NULL;
	if (wish->closes && !(below_ours && wish->changes))
		return NULL;
	if (lease == NULL && (wish->wanted != 0 || (below_ours && wish->changes)))
		lease = smb_lease_create(fcb);
	if (lease != NULL && wish->directory && !smb_lease_is_of_folder(lease, fcb, wish->path))
		return NULL;
	return lease;
}

void smb_lease_prepare(PRX_CONTEXT RxContext, struct smb_tree *tree, const struct smb_lease_wish *wish,
		       struct smb_creating_lease *request)
{
	PMRX_FCB fcb = RxContext->pFcb;
	struct smb_conn *conn = tree->session->conn;
	uint8_t version = smb_lease_version(conn);
	struct smb_lease *lease;
	bool below_ours;

	RtlZeroMemory(request, sizeof(*request));
	if (version == 0)
		return;
	below_ours = version == 2 && wish->path->Length != 0 &&
		     smb_lease_parent_key(fcb->pNetRoot, conn, wish->path, request->asked.parent_key);
	lease = smb_lease_for(fcb, conn, wish, below_ours);
	if (lease == NULL)
		return;
	if (smb_lease_conn(lease) != conn) /* granted by a connection that is gone, or not at all */
		smb_lease_set(lease, NULL, 0);
	smb_lease_set_version(lease, version);
	request->lease = lease;
	request->closing = wish->closes;
	request->asked.version = version;
	RtlCopyMemory(request->asked.key, lease->key, SMB2_LEASE_KEY_SIZE);
	/* what is held is named again: a create never takes a lease back */
	request->asked.state = lease->state | (wish->closes ? 0 : wish->wanted);
	request->asked.epoch = smb_lease_epoch(lease);
	if (below_ours)
		request->asked.flags = SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET;
}

/* An open of the file that has the key of its lease; NULL: none. */
static PMRX_SRV_OPEN smb_lease_open_with(PMRX_FCB fcb, const struct smb_lease *lease)
{
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PMRX_SRV_OPEN so = CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks);

		if (smb_open_of(so) != NULL && so->Key == lease)
			return so;
	}
	return NULL;
}

bool smb_lease_give_up(PMRX_FCB fcb, struct smb_tree *tree)
{
	struct smb_lease *lease = fcb->Context, *fresh;
	PMRX_SRV_OPEN so =
		lease != NULL && lease->path.Buffer == NULL ? smb_lease_open_with(fcb, lease) : NULL;
	KIRQL irql;

	if (so == NULL)
		return false;
	/* with the file held it is done when this returns: data is written, pages are forgotten */
	RxIndicateChangeOfBufferingStateForSrvOpen(fcb->pNetRoot->pSrvCall, so, lease,
						   smb_break_context(0, false));
	smb_lease_set(lease, NULL, 0); /* also where there was no memory for it */
	fresh = smb_lease_create(fcb);
	if (fresh == NULL)
		return false;
	fresh->older = lease;
	smb_tree_get(tree);
	KeAcquireSpinLock(&smb_leases.lock, &irql);
	lease->left = tree;
	KeReleaseSpinLock(&smb_leases.lock, irql);
	return true;
}

/* What the server says it granted; false when it says nothing, or nonsense. */
static bool smb_lease_read(const struct smb_creating_lease *request, const struct smb2_create_response *rsp,
			   struct smb2_lease *lease)
{
	struct wire_slice data;

	if (rsp->oplock_level != SMB2_OPLOCK_LEVEL_LEASE ||
	    !smb2_create_context_find(rsp->contexts, SMB2_CREATE_LEASE, &data) ||
	    !smb2_lease_decode(data, lease) || lease->version != request->asked.version ||
	    !RtlEqualMemory(lease->key, request->asked.key, SMB2_LEASE_KEY_SIZE))
		return false;
	if ((lease->state & ~request->asked.state) == 0)
		return true;
	DbgPrint("smb: a lease was granted that was not asked for (%lx, asked %lx): nothing is kept\n",
		 (ULONG)lease->state, (ULONG)request->asked.state);
	return false;
}

/*
 * MS-SMB2 3.2.5.7.5, the table: the epoch moves by one with an upgrade and not at all without; more says that the
 * lease was another one in between. An epoch before ours was overtaken by a break, or is a lie.
 */
static bool smb_lease_epoch_fits(const struct smb_lease *held, uint16_t epoch,
				 const struct smb2_lease *granted)
{
	const uint16_t moved = (uint16_t)(granted->epoch - epoch);

	if (held->state == 0 || granted->version < 2)
		return true;
	return moved <= ((granted->state & ~held->state) != 0 ? 1 : 0);
}

/* May the opens of the file change its data or times, by their access? Locks: FCB exclusive. */
static bool smb_lease_has_writer(PMRX_FCB fcb)
{
	const ACCESS_MASK change = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES;

	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		if ((CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)->DesiredAccess & change) != 0)
			return true;
	return false;
}

/*
 * The time of the last write does not change while we may keep data and nobody here writes: someone else has written,
 * and the server did not say so. Then what is kept is old.
 */
static bool smb_lease_time_fits(struct smb_lease *lease, PMRX_FCB fcb, const struct smb2_create_response *rsp)
{
	bool fits = rsp->create_action != FILE_OPENED || (lease->state & SMB2_LEASE_READ_CACHING) == 0 ||
		    !lease->time_known || lease->write_time == rsp->last_write_time;

	lease->write_time = rsp->last_write_time;
	lease->time_known = !smb_lease_has_writer(fcb); /* this open is among them */
	return fits;
}

static void smb_lease_take_state(struct smb_lease *lease, PMRX_FCB fcb, struct smb_conn *conn,
				 const struct smb_creating_lease *request,
				 const struct smb2_create_response *rsp)
{
	const uint16_t epoch = smb_lease_epoch(lease);
	struct smb2_lease granted = {0};
	bool fits = smb_lease_time_fits(lease, fcb, rsp);

	if (!smb_lease_read(request, rsp, &granted)) {
		smb_lease_set(lease, NULL, 0);
		return;
	}
	if (!fits || !smb_lease_epoch_fits(lease, epoch, &granted)) {
		DbgPrint(
			"smb: a file has changed under its lease (%lx, epoch %x after %x): nothing is kept\n",
			(ULONG)granted.state, granted.epoch, epoch);
		granted.state = 0;
	}
	smb_lease_note_epoch(lease, granted.epoch);
	smb_lease_set(lease, conn, granted.state);
}

void smb_lease_take(PRX_CONTEXT RxContext, struct smb_tree *tree, const struct smb_creating_lease *request,
		    const struct smb2_create_response *rsp)
{
	PMRX_SRV_OPEN so = RxContext->pRelevantSrvOpen;
	struct smb_lease *lease = RxContext->pFcb->Context;

	if (request->lease != NULL && !request->closing) {
		smb_lease_take_state(lease, RxContext->pFcb, tree->session->conn, request, rsp);
		so->Key = lease;
	} else if (lease != NULL && smb_lease_has_writer(RxContext->pFcb)) {
		lease->time_known = false;
	}
	/* RDBSS takes the state of the file from the open it saw last */
	so->BufferingFlags = lease != NULL ? smb_lease_flags(lease) : 0;
}

void smb_lease_open_ended(PMRX_FCB fcb)
{
	struct smb_lease *lease = fcb->Context;
	PLIST_ENTRY link;

	if (lease == NULL)
		return;
	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		if (smb_open_of(CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)) != NULL)
			return;
	smb_lease_set(lease, NULL, 0);
}

/* ---- breaks ---- */

static void smb_lease_acknowledge(const uint8_t *key, uint32_t state, struct smb_tree *tree);

bool smb_lease_break(struct smb_conn *conn, const struct smb2_break *brk)
{
	const bool asks = (brk->flags & SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED) != 0;
	struct smb_tree *left = NULL;
	struct smb_lease *lease;
	bool ours;
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	lease = smb_lease_find_locked(brk->lease_key);
	/* not `conn`: the answer to the create that was granted it may have been read but not yet looked at */
	ours = lease != NULL && (lease->conn == conn || lease->conn == NULL);
	if (ours && lease->left != NULL) {
		left = lease->left;
		smb_tree_get(left);
	} else if (ours) {
		if (lease->version == 2 && brk->new_epoch != 0)
			smb_lease_note_epoch_locked(lease, brk->new_epoch);
		RxIndicateChangeOfBufferingState(lease->srv_call, lease,
						 smb_break_context(brk->new_state, asks));
	}
	KeReleaseSpinLock(&smb_leases.lock, irql);
	if (left != NULL && asks)
		smb_lease_acknowledge(brk->lease_key, 0, left);
	smb_tree_put(left);
	return ours;
}

void smb_leases_lost(struct smb_conn *conn)
{
	KIRQL irql;

	KeAcquireSpinLock(&smb_leases.lock, &irql);
	for (size_t i = 0; i < SMB_LEASE_BUCKETS; i++) {
		PLIST_ENTRY bucket = &smb_leases.bucket[i];

		for (PLIST_ENTRY link = bucket->Flink; link != bucket; link = link->Flink) {
			struct smb_lease *lease = CONTAINING_RECORD(link, struct smb_lease, link);

			if (lease->conn != conn)
				continue;
			lease->conn = NULL;
			RxIndicateChangeOfBufferingState(lease->srv_call, lease, smb_break_context(0, false));
		}
	}
	KeReleaseSpinLock(&smb_leases.lock, irql);
}

/*
 * MRxContext: what a break asked for. A break takes away; one that "gives" takes nothing.
 */
NTSTATUS mrx_smb_compute_new_buffering_state(PMRX_SRV_OPEN SrvOpen, PVOID MRxContext,
					     PULONG NewBufferingState)
{
	PMRX_FCB fcb = SrvOpen->pFcb;
	struct smb_lease *lease = fcb->Context;
	PLIST_ENTRY link;

	if (smb_oplock_is_break(MRxContext))
		smb_oplock_shrink(SrvOpen, MRxContext);
	else if (lease != NULL)
		smb_lease_shrink(lease, (uint32_t)(ULONG_PTR)MRxContext & 0xFFu);
	*NewBufferingState = smb_oplock_flags(fcb);
	if (lease != NULL && lease->path.Buffer == NULL)
		*NewBufferingState |= smb_lease_flags(lease);
	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)->BufferingFlags = *NewBufferingState;
	return STATUS_SUCCESS;
}

/*
 * (loop) MS-SMB2 3.2.5.19.4: a server that refuses the acknowledgement has taken the lease away. What it said no to is
 * in our own bytes.
 */
static void smb_lease_acknowledged(struct smb_exchange *x)
{
	const struct smb_part *part = &x->part[0];
	const struct smb2_pdu ours = {.base = part->bytes, .len = part->len};
	struct smb2_break brk;

	if (x->status == STATUS_SUCCESS && NT_ERROR(part->status) && smb2_break_ack_decode(&ours, &brk)) {
		brk.new_state = 0;
		(void)smb_lease_break(x->conn, &brk); /* false: it has ended meanwhile */
	}
	smb_exchange_put(x);
}

static void smb_lease_acknowledge(const uint8_t *key, uint32_t state, struct smb_tree *tree)
{
	struct smb2_break ack = {.is_lease = true, .new_state = state};
	struct smb_exchange *x = smb_tree_exchange(tree);
	struct smb_part *part =
		x != NULL ? smb_exchange_add(x, SMB2_OPLOCK_BREAK, SMB2_HDR_SIZE + 64, 0) : NULL;

	if (part == NULL) {
		smb_exchange_put(x);
		return; /* the server's patience ends it */
	}
	RtlCopyMemory(ack.lease_key, key, SMB2_LEASE_KEY_SIZE);
	part->len = smb2_break_ack_encode(part->bytes, part->cap, &ack);
	smb_exchange_submit(x, smb_lease_acknowledged, NULL);
}

/*
 * Locks that were kept from the server are there before anything else is said: whoever it asked for is let in by that.
 * Handles that are only kept for a later open are closed when the server takes handle caching back: whoever it asked
 * for wants them gone. The acknowledgement follows the closes on the same connection; without a handle left the lease
 * has ended with the last close, and nobody waits for one.
 */
NTSTATUS mrx_smb_complete_buffering_state_change(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen,
						 PVOID MRxContext)
{
	PMRX_FCB fcb = SrvOpen->pFcb;
	struct smb_lease *lease = fcb->Context;
	struct smb_tree *tree = NULL;
	PLIST_ENTRY link;

	smb_locks_flush(RxContext, SrvOpen);
	if (smb_oplock_is_break(MRxContext))
		smb_oplock_complete(SrvOpen, MRxContext);
	if (smb_oplock_is_break(MRxContext) || lease == NULL)
		return STATUS_SUCCESS;
	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PMRX_SRV_OPEN so = CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks);
		const struct smb_open *open = smb_open_of(so);

		if (open == NULL || smb_tree_is_dead(open->tree))
			continue;
		if (so->UncleanFobxCount == 0 && (lease->state & SMB2_LEASE_HANDLE_CACHING) == 0)
			smb_open_end(so);
		else if (tree == NULL)
			tree = open->tree;
	}
	if (tree != NULL && ((ULONG_PTR)MRxContext & SMB_BREAK_ACK) != 0)
		smb_lease_acknowledge(lease->key, lease->state, tree);
	return STATUS_SUCCESS;
}
