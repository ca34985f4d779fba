/*
 * lock.c - byte-range locks.
 *
 * A lock that has to wait is answered with STATUS_PENDING by the server and waits as long as the server lives; cancel
 * takes it back.
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

/* Releases up to SMB_MAX_LOCKS ranges from *at on, and moves it. */
static NTSTATUS smb_unlock_some(PRX_CONTEXT RxContext, struct smb_open *open, PLOWIO_LOCK_LIST *at)
{
	struct smb2_lock_element *locks =
		ExAllocatePoolWithTag(NonPagedPool, SMB_MAX_LOCKS * sizeof(*locks), SMB_TAG_LOCKS);
	struct smb_exchange *x;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	uint16_t count = 0;

	if (locks == NULL)
		return status;
	for (; *at != NULL && count < SMB_MAX_LOCKS; *at = (*at)->Next, count++) {
		locks[count].offset = (uint64_t)(*at)->ByteOffset;
		locks[count].length = (uint64_t)(*at)->Length;
		locks[count].flags = SMB2_LOCKFLAG_UNLOCK;
	}
	x = smb_lock_exchange(open, locks, count);
	ExFreePoolWithTag(locks, SMB_TAG_LOCKS);
	if (x != NULL) {
		smb_call_count(RxContext, x);
		status = smb_exchange_run(x);
	}
	smb_exchange_put(x);
	return status;
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
		NTSTATUS one = smb_unlock_some(RxContext, open, &at);

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
