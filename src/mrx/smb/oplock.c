/*
 * oplock.c - oplocks, where leases are absent (MS-SMB2 3.2.5.7, 3.2.5.19.1): dialect 2.0.2, or a server without leasing.
 *
 * Owns:      the oplock of each struct smb_open; the table of those whose server may break one.
 * Found by:  the handle's id, for breaks; SRV_OPEN.Key is a number of our own (no address: that of a handle which has
 *            ended could be that of the next).
 * Locks:     FCB exclusive for smb_open.oplock; smb_oplocks.lock, a spin lock, for the table, the list of creates on
 *            their way, and smb_open.oplock_at_server and oplock_given_up.
 * Dies when: the handle is closed.
 *
 * An oplock belongs to a handle: our own second handle breaks it as a stranger's would. So a batch oplock is asked for
 * by the only handle of a file, level II by others; and before a second handle is opened the first one's batch oplock is
 * given up, data written, pages forgotten. Its break is answered at once when it comes, by the receiver itself: the
 * create that waits for that answer holds the file.
 */
#include "mrx/smb/oplock.h"

#include "mrx/smb/lease.h"

#define SMB_OPLOCK_BUCKETS 256 /* a power of two */
#define SMB_OPLOCK_BREAK_MARK 0x200u
#define SMB_OPLOCK_BREAK_ACK 0x100u

static struct {
	KSPIN_LOCK lock;
	ULONG_PTR last_key;
	LIST_ENTRY bucket[SMB_OPLOCK_BUCKETS];
	LIST_ENTRY creating;
} smb_oplocks;

static PVOID smb_oplock_context(uint8_t level, bool acknowledge)
{
	return (PVOID)(ULONG_PTR)(SMB_OPLOCK_BREAK_MARK | level | (acknowledge ? SMB_OPLOCK_BREAK_ACK : 0));
}

static uint8_t smb_oplock_level(PVOID context)
{
	return (uint8_t)(ULONG_PTR)context;
}

bool smb_oplock_is_break(PVOID MRxContext)
{
	return ((ULONG_PTR)MRxContext & SMB_OPLOCK_BREAK_MARK) != 0;
}

void smb_oplocks_init(void)
{
	KeInitializeSpinLock(&smb_oplocks.lock);
	InitializeListHead(&smb_oplocks.creating);
	for (size_t i = 0; i < SMB_OPLOCK_BUCKETS; i++)
		InitializeListHead(&smb_oplocks.bucket[i]);
}

static PLIST_ENTRY smb_oplock_bucket(struct smb2_file_id id)
{
	uint64_t mixed = (id.persistent ^ id.volatile_id) * 0x9E3779B97F4A7C15ull;

	return &smb_oplocks.bucket[mixed >> 56 & (SMB_OPLOCK_BUCKETS - 1)];
}

static bool smb_oplock_same_id(struct smb2_file_id a, struct smb2_file_id b)
{
	return a.persistent == b.persistent && a.volatile_id == b.volatile_id;
}

static struct smb_open *smb_oplock_find_locked(struct smb_conn *conn, struct smb2_file_id id)
{
	PLIST_ENTRY bucket = smb_oplock_bucket(id);

	for (PLIST_ENTRY link = bucket->Flink; link != bucket; link = link->Flink) {
		struct smb_open *open = CONTAINING_RECORD(link, struct smb_open, oplock_link);

		if (open->tree->session->conn == conn && smb_oplock_same_id(open->id, id))
			return open;
	}
	return NULL;
}

/* ---- states ------------------------------------------------------------------------------------------ */

ULONG smb_oplock_flags(PMRX_FCB fcb)
{
	ULONG flags = 0;

	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		const struct smb_open *open =
			smb_open_of(CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks));

		if (open == NULL || open->oplock < SMB2_OPLOCK_LEVEL_II)
			continue;
		flags |= FCB_STATE_READCACHING_ENABLED | FCB_STATE_READBUFFERING_ENABLED;
		if (open->oplock >= SMB2_OPLOCK_LEVEL_EXCLUSIVE)
			flags |= FCB_STATE_LOCK_BUFFERING_ENABLED; /* it is the only handle */
		if (open->oplock >= SMB2_OPLOCK_LEVEL_EXCLUSIVE && open->oplock_keeps_writes)
			flags |= FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_WRITEBUFFERING_ENABLED;
		if (open->oplock == SMB2_OPLOCK_LEVEL_BATCH)
			flags |= FCB_STATE_COLLAPSING_ENABLED;
	}
	return flags;
}

bool smb_oplock_has_handle_caching(const struct smb_open *open)
{
	return open->oplock == SMB2_OPLOCK_LEVEL_BATCH;
}

/* ---- answers to breaks ------------------------------------------------------------------------------- */

/* (loop) 3.2.5.19.3: a server that refuses the acknowledgement has taken the oplock away. */
static void smb_oplock_acknowledged(struct smb_exchange *x)
{
	const struct smb_part *part = &x->part[0];
	const struct smb2_pdu ours = {.base = part->bytes, .len = part->len};
	struct smb2_break brk;

	if (x->status == STATUS_SUCCESS && NT_ERROR(part->status) && smb2_break_ack_decode(&ours, &brk) &&
	    brk.oplock_level != SMB2_OPLOCK_LEVEL_NONE) {
		brk.oplock_level = SMB2_OPLOCK_LEVEL_NONE;
		(void)smb_oplock_break(x->conn, &brk); /* false: it has ended meanwhile */
	}
	smb_exchange_put(x);
}

static void smb_oplock_acknowledge(struct smb_tree *tree, struct smb2_file_id id, uint8_t level)
{
	struct smb2_break ack = {.oplock_level = level, .file_id = id};
	struct smb_exchange *x = smb_tree_exchange(tree);
	struct smb_part *part =
		x != NULL ? smb_exchange_add(x, SMB2_OPLOCK_BREAK, SMB2_HDR_SIZE + 64, 0) : NULL;

	if (part == NULL) {
		smb_exchange_put(x);
		return; /* the server's patience ends it */
	}
	part->len = smb2_break_ack_encode(part->bytes, part->cap, &ack);
	smb_exchange_submit(x, smb_oplock_acknowledged, NULL);
}

void smb_oplock_shrink(PMRX_SRV_OPEN so, PVOID MRxContext)
{
	struct smb_open *open = smb_open_of(so);

	if (open != NULL && open->oplock > smb_oplock_level(MRxContext))
		open->oplock = smb_oplock_level(MRxContext);
}

/* A handle that only sleeps is closed: that answers the break as well. */
void smb_oplock_complete(PMRX_SRV_OPEN so, PVOID MRxContext)
{
	const struct smb_open *open = smb_open_of(so);

	if (open == NULL || smb_tree_is_dead(open->tree))
		return;
	if (so->UncleanFobxCount == 0 && open->oplock != SMB2_OPLOCK_LEVEL_BATCH &&
	    ((ULONG_PTR)MRxContext & SMB_OPLOCK_BREAK_ACK) != 0)
		smb_open_end(so);
	else if (((ULONG_PTR)MRxContext & SMB_OPLOCK_BREAK_ACK) != 0)
		smb_oplock_acknowledge(open->tree, open->id, open->oplock);
}

/* ---- with a create ----------------------------------------------------------------------------------- */

/* Reading or changing attributes breaks nothing (MS-FSA 2.1.5.1.2). */
static bool smb_oplock_create_breaks(const NT_CREATE_PARAMETERS *params)
{
	const ACCESS_MASK harmless = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | SYNCHRONIZE;

	return (params->DesiredAccess & ~harmless) != 0 || params->Disposition == FILE_OVERWRITE ||
	       params->Disposition == FILE_OVERWRITE_IF || params->Disposition == FILE_SUPERSEDE;
}

/* An open of the file that holds more than level II; NULL: none. */
static PMRX_SRV_OPEN smb_oplock_exclusive_one(PMRX_FCB fcb)
{
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PMRX_SRV_OPEN so = CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks);

		if (smb_open_of(so) != NULL && smb_open_of(so)->oplock > SMB2_OPLOCK_LEVEL_II)
			return so;
	}
	return NULL;
}

/* Data is written, locks are sent, pages are forgotten; the break may come. Locks: FCB exclusive. */
static void smb_oplock_give_up(PMRX_SRV_OPEN so)
{
	struct smb_open *open = smb_open_of(so);
	KIRQL irql;

	if (so->UncleanFobxCount == 0) { /* nobody uses it: RDBSS would end it together with its oplock */
		smb_open_end(so);
		return;
	}
	/* with the file held it is done when this returns */
	RxIndicateChangeOfBufferingStateForSrvOpen(so->pFcb->pNetRoot->pSrvCall, so, open->oplock_key,
						   smb_oplock_context(SMB2_OPLOCK_LEVEL_NONE, false));
	open->oplock = SMB2_OPLOCK_LEVEL_NONE; /* also where there was no memory for it */
	if (((PSRV_OPEN)so)->Condition != Condition_Good)
		return; /* data was not written, and nobody may be told that it was */
	KeAcquireSpinLock(&smb_oplocks.lock, &irql);
	open->oplock_given_up = true;
	KeReleaseSpinLock(&smb_oplocks.lock, irql);
}

static bool smb_oplock_is_alone(PMRX_FCB fcb)
{
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		if (smb_open_of(CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)) != NULL)
			return false;
	return true;
}

void smb_oplock_begin(PRX_CONTEXT RxContext, struct smb_conn *conn, uint32_t wanted,
		      struct smb_creating_oplock *c)
{
	PMRX_FCB fcb = RxContext->pFcb;
	PMRX_SRV_OPEN so;
	KIRQL irql;

	RtlZeroMemory(c, sizeof(*c));
	c->conn = conn;
	while (smb_oplock_create_breaks(&RxContext->Create.NtCreateParameters) &&
	       (so = smb_oplock_exclusive_one(fcb)) != NULL)
		smb_oplock_give_up(so);
	if ((wanted & SMB2_LEASE_READ_CACHING) != 0 && !smb_conn_has_leases(conn))
		c->asked = smb_oplock_is_alone(fcb) ? SMB2_OPLOCK_LEVEL_BATCH : SMB2_OPLOCK_LEVEL_II;
	c->keeps_writes = (wanted & SMB2_LEASE_WRITE_CACHING) != 0;
	KeAcquireSpinLock(&smb_oplocks.lock, &irql);
	InsertTailList(&smb_oplocks.creating, &c->link);
	KeReleaseSpinLock(&smb_oplocks.lock, irql);
}

void smb_oplock_end(struct smb_creating_oplock *c)
{
	KIRQL irql;

	KeAcquireSpinLock(&smb_oplocks.lock, &irql);
	RemoveEntryList(&c->link);
	KeReleaseSpinLock(&smb_oplocks.lock, irql);
}

/*
 * A break of an oplock in the table. Return: whether the answer is to be given at once, at level none. What breaks to as
 * much as is held, or more, is no break (3.2.5.19.1).
 */
static bool smb_oplock_broken_locked(struct smb_open *open, uint8_t level)
{
	bool acknowledge = open->oplock_at_server > SMB2_OPLOCK_LEVEL_II;

	if (level >= open->oplock_at_server)
		return false;
	open->oplock_at_server = open->oplock_given_up ? SMB2_OPLOCK_LEVEL_NONE : level;
	if (!open->oplock_given_up)
		RxIndicateChangeOfBufferingState(open->srv_call, open->oplock_key,
						 smb_oplock_context(level, acknowledge));
	return open->oplock_given_up && acknowledge;
}

/* The breaks that came before the handle was known. Return: as above. */
static bool smb_oplock_take_early_locked(struct smb_open *open, const struct smb_creating_oplock *c)
{
	bool answer = false;

	for (unsigned int i = 0; i < c->count; i++)
		if (smb_oplock_same_id(c->early[i].id, open->id))
			answer |= smb_oplock_broken_locked(open, c->early[i].level);
	if (c->too_many)
		answer |= smb_oplock_broken_locked(open, SMB2_OPLOCK_LEVEL_NONE);
	return answer;
}

static bool smb_oplock_is_level(uint8_t level)
{
	return level == SMB2_OPLOCK_LEVEL_II || level == SMB2_OPLOCK_LEVEL_EXCLUSIVE ||
	       level == SMB2_OPLOCK_LEVEL_BATCH;
}

void smb_oplock_take(PMRX_SRV_OPEN so, struct smb_creating_oplock *c, uint8_t level)
{
	struct smb_open *open = smb_open_of(so);
	bool answer = false;
	KIRQL irql;

	if (open != NULL && smb_oplock_is_level(level)) {
		open->oplock = level <= c->asked ? level : SMB2_OPLOCK_LEVEL_NONE;
		open->oplock_keeps_writes = c->keeps_writes;
		open->oplock_listed = true;
		open->srv_call = so->pFcb->pNetRoot->pSrvCall;
		KeAcquireSpinLock(&smb_oplocks.lock, &irql);
		smb_oplocks.last_key += 2; /* odd: no lease has that for its address */
		open->oplock_key = (PVOID)(smb_oplocks.last_key | 1);
		open->oplock_at_server = level;
		open->oplock_given_up = level > c->asked; /* not asked for: nothing is kept */
		InsertTailList(smb_oplock_bucket(open->id), &open->oplock_link);
		answer = smb_oplock_take_early_locked(open, c);
		if (smb_conn_is_dead(c->conn)) /* it was lost before it was known here */
			open->oplock = SMB2_OPLOCK_LEVEL_NONE;
		KeReleaseSpinLock(&smb_oplocks.lock, irql);
	}
	if (open != NULL && open->oplock != SMB2_OPLOCK_LEVEL_NONE)
		so->Key = open->oplock_key;
	if (answer)
		smb_oplock_acknowledge(open->tree, open->id, SMB2_OPLOCK_LEVEL_NONE);
	so->BufferingFlags |= smb_oplock_flags(so->pFcb);
}

void smb_oplock_open_ended(struct smb_open *open)
{
	KIRQL irql;

	open->oplock = SMB2_OPLOCK_LEVEL_NONE;
	if (!open->oplock_listed)
		return;
	open->oplock_listed = false;
	KeAcquireSpinLock(&smb_oplocks.lock, &irql);
	RemoveEntryList(&open->oplock_link);
	KeReleaseSpinLock(&smb_oplocks.lock, irql);
}

/* ---- from the server --------------------------------------------------------------------------------- */

/* The handle may be one that a create on this connection has just been given. Return: whether there is such a create. */
static bool smb_oplock_remember_locked(struct smb_conn *conn, const struct smb2_break *brk)
{
	bool any = false;

	for (PLIST_ENTRY link = smb_oplocks.creating.Flink; link != &smb_oplocks.creating;
	     link = link->Flink) {
		struct smb_creating_oplock *c = CONTAINING_RECORD(link, struct smb_creating_oplock, link);

		if (c->conn != conn)
			continue;
		any = true;
		if (c->count == SMB_EARLY_BREAKS) {
			c->too_many = true;
			continue;
		}
		c->early[c->count].id = brk->file_id;
		c->early[c->count++].level = brk->oplock_level;
	}
	return any;
}

bool smb_oplock_break(struct smb_conn *conn, const struct smb2_break *brk)
{
	struct smb_tree *tree = NULL;
	struct smb_open *open;
	bool known;
	KIRQL irql;

	KeAcquireSpinLock(&smb_oplocks.lock, &irql);
	open = smb_oplock_find_locked(conn, brk->file_id);
	known = open != NULL || smb_oplock_remember_locked(conn, brk);
	if (open != NULL && smb_oplock_broken_locked(open, brk->oplock_level)) {
		tree = open->tree;
		smb_tree_get(tree);
	}
	KeReleaseSpinLock(&smb_oplocks.lock, irql);
	if (tree != NULL)
		smb_oplock_acknowledge(tree, brk->file_id, SMB2_OPLOCK_LEVEL_NONE);
	smb_tree_put(tree);
	return known;
}

void smb_oplocks_lost(struct smb_conn *conn)
{
	KIRQL irql;

	KeAcquireSpinLock(&smb_oplocks.lock, &irql);
	for (size_t i = 0; i < SMB_OPLOCK_BUCKETS; i++) {
		PLIST_ENTRY bucket = &smb_oplocks.bucket[i];

		for (PLIST_ENTRY link = bucket->Flink; link != bucket; link = link->Flink) {
			struct smb_open *open = CONTAINING_RECORD(link, struct smb_open, oplock_link);

			if (open->tree->session->conn != conn || open->oplock_given_up)
				continue;
			open->oplock_at_server = SMB2_OPLOCK_LEVEL_NONE;
			RxIndicateChangeOfBufferingState(open->srv_call, open->oplock_key,
							 smb_oplock_context(SMB2_OPLOCK_LEVEL_NONE, false));
		}
	}
	KeReleaseSpinLock(&smb_oplocks.lock, irql);
}
