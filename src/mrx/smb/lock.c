/*
 * lock.c - byte-range locks.
 *
 * A lock that has to wait is answered with STATUS_PENDING by the server and waits as long as the server lives; cancel
 * takes it back.
 *
 * Under an exclusive grant RDBSS asks for none (FCB_STATE_LOCK_BUFFERING_ENABLED). What it has granted meanwhile comes when
 * the grant goes, all at once, and is at the server before the break is answered (smb_locks_flush).
 */
#include "mrx/smb/smb.h"

#define SMB_TAG_LOCKS 'kBmS'
#define SMB_MAX_LOCKS 64 /* in one request; servers know at least that many */

static void smb_lock_finish(PRX_CONTEXT RxContext, struct smb_exchange *x)
{
	RxContext->StoredStatus = x->status != STATUS_SUCCESS ? x->status : x->part[0].status;
	RxContext->InformationToReturn = 0;
}

static struct smb_exchange *smb_lock_exchange(struct smb_open *open, const struct smb2_lock_element *locks,
					      uint16_t count)
{
	struct smb2_lock_request req = {.file_id = open->id, .count = count};
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb_part *part =
		x == NULL ? NULL : smb_exchange_add(x, SMB2_LOCK, SMB2_HDR_SIZE + 24 + 24u * count, 0);

	if (part == NULL) {
		smb_exchange_put(x);
		return NULL;
	}
	part->len = smb2_lock_request_encode(part->bytes, part->cap, &req, locks);
	x->patient = true;
	return x;
}

NTSTATUS mrx_smb_lock(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	struct smb_open *open = smb_open_of_request(RxContext);
	struct smb2_lock_element lock = {
		.offset = (uint64_t)low->ParamsFor.Locks.ByteOffset,
		.length = (uint64_t)low->ParamsFor.Locks.Length,
	};
	struct smb_exchange *x;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (low->Operation == LOWIO_OP_UNLOCK)
		lock.flags = SMB2_LOCKFLAG_UNLOCK;
	else if (low->Operation == LOWIO_OP_EXCLUSIVELOCK)
		lock.flags = SMB2_LOCKFLAG_EXCLUSIVE_LOCK;
	else
		lock.flags = SMB2_LOCKFLAG_SHARED_LOCK;
	if (low->Operation != LOWIO_OP_UNLOCK && (low->ParamsFor.Locks.Flags & SL_FAIL_IMMEDIATELY))
		lock.flags |= SMB2_LOCKFLAG_FAIL_IMMEDIATELY;
	InterlockedExchange(&open->heard_out, 1); /* the close gives the locks back */
	x = smb_lock_exchange(open, &lock, 1);
	if (x == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	return smb_pend(RxContext, x, smb_lock_finish);
}

static uint32_t smb_lock_flags(const LOWIO_LOCK_LIST *lock, bool release)
{
	if (release)
		return SMB2_LOCKFLAG_UNLOCK;
	return SMB2_LOCKFLAG_FAIL_IMMEDIATELY |
	       (lock->ExclusiveLock ? SMB2_LOCKFLAG_EXCLUSIVE_LOCK : SMB2_LOCKFLAG_SHARED_LOCK);
}

/* Locks or releases up to `most` ranges from *at on, in one request, and moves it. */
static NTSTATUS smb_lock_some(PRX_CONTEXT RxContext, struct smb_open *open, PLOWIO_LOCK_LIST *at,
			      uint16_t most, bool release)
{
	struct smb2_lock_element *locks =
		ExAllocatePoolWithTag(NonPagedPool, SMB_MAX_LOCKS * sizeof(*locks), SMB_TAG_LOCKS);
	struct smb_exchange *x;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	uint16_t count = 0;

	if (locks == NULL)
		return status;
	for (; *at != NULL && count < most; *at = (*at)->Next, count++) {
		locks[count].offset = (uint64_t)(*at)->ByteOffset;
		locks[count].length = (uint64_t)(*at)->Length;
		locks[count].flags = smb_lock_flags(*at, release);
	}
	x = smb_lock_exchange(open, locks, count);
	ExFreePoolWithTag(locks, SMB_TAG_LOCKS);
	if (x != NULL) {
		smb_call_count(RxContext, x);
		status = smb_exchange_run(x);
		if (status == STATUS_SUCCESS)
			status = x->part[0].status;
	}
	smb_exchange_put(x);
	return status;
}

/* Of several the server locks all or none (MS-SMB2 3.3.5.14.2): when it refuses, each is asked for by itself. */
static void smb_locks_flush_some(PRX_CONTEXT RxContext, struct smb_open *open, PLOWIO_LOCK_LIST *at)
{
	PLOWIO_LOCK_LIST first = *at, one;
	NTSTATUS status = smb_lock_some(RxContext, open, at, SMB_MAX_LOCKS, false);

	while (status != STATUS_SUCCESS && first != *at) {
		one = first;
		one->Status = smb_lock_some(RxContext, open, &first, 1, false);
		if (first == one)
			first = one->Next; /* no memory even to ask */
	}
}

void smb_locks_flush(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen)
{
	PLOWIO_LOCK_LIST at = RxContext->LowIoContext.ParamsFor.Locks.LockList;
	struct smb_open *open = smb_open_of(SrvOpen);

	if (at == NULL || (SrvOpen->pFcb->FcbState & FCB_STATE_LOCK_BUFFERING_ENABLED) != 0)
		return;
	if (open == NULL || smb_tree_is_dead(open->tree)) {
		for (; at != NULL; at = at->Next)
			at->Status = STATUS_FILE_CLOSED;
		return;
	}
	InterlockedExchange(&open->heard_out, 1); /* the close gives the locks back */
	while (at != NULL) {
		PLOWIO_LOCK_LIST before = at;

		smb_locks_flush_some(RxContext, open, &at);
		if (at != before)
			continue;
		at->Status = STATUS_INSUFFICIENT_RESOURCES;
		at = at->Next;
	}
}

/* The first refusal decides the status; the rest are still released. */
NTSTATUS mrx_smb_unlock_multiple(PRX_CONTEXT RxContext)
{
	PLOWIO_LOCK_LIST at = RxContext->LowIoContext.ParamsFor.Locks.LockList;
	struct smb_open *open = smb_open_of_request(RxContext);
	NTSTATUS status = STATUS_SUCCESS;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	while (at != NULL) {
		PLOWIO_LOCK_LIST before = at;
		NTSTATUS one = smb_lock_some(RxContext, open, &at, SMB_MAX_LOCKS, true);

		if (NT_SUCCESS(status))
			status = one;
		if (at == before)
			break; /* no memory even to ask: the close releases them */
	}
	return status;
}

NTSTATUS mrx_smb_is_lock_realizable(PMRX_FCB Fcb, PLARGE_INTEGER ByteOffset, PLARGE_INTEGER Length,
				    ULONG Flags)
{
	(void)Fcb;
	(void)Flags;
	return ByteOffset->QuadPart < 0 || Length->QuadPart < 0 ? STATUS_NOT_SUPPORTED : STATUS_SUCCESS;
}
