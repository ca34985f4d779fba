/*
 * lease.c - what the volume grants, as RDBSS knows it: buffering states of opens, and how they shrink.
 *
 * Owns:      struct mem_grant behind FCB.Context, from the first open that asks to the end of the FCB; its address is
 *            the key of the lease, of SRV_OPEN.Key and towards the volume.
 * Locks:     FCB exclusive for `state`.
 * Dies when: RDBSS deallocates the FCB; the volume has forgotten the key with the last handle then.
 */
#include "mem.h"
#include "nt_count.h"

#define MEM_TAG_GRANT 'GmeM'
/* What a break leaves, as RDBSS carries it around, and whether the volume waits for an answer. */
#define BREAK_ANSWER 0x100u

struct mem_grant {
	ULONG state; /* MEM_LEASE_ bits */
};

static ULONG flags_of(ULONG state)
{
	ULONG flags = 0;

	if (state & MEM_LEASE_READ)
		flags |= FCB_STATE_READCACHING_ENABLED | FCB_STATE_READBUFFERING_ENABLED;
	if (state & MEM_LEASE_WRITE)
		flags |= FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_WRITEBUFFERING_ENABLED |
			 FCB_STATE_LOCK_BUFFERING_ENABLED;
	if (state & MEM_LEASE_HANDLE)
		flags |= FCB_STATE_COLLAPSING_ENABLED;
	return flags;
}

/* ---- with an open ---- */

/* An open that goes on, and may read or write: something to keep. */
static ULONG wanted_by(const NT_CREATE_PARAMETERS *params)
{
	const ACCESS_MASK write = FILE_WRITE_DATA | FILE_APPEND_DATA;
	ULONG wanted = MEM_LEASE_READ | MEM_LEASE_HANDLE;

	if ((params->CreateOptions & (FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE)) != 0 ||
	    (params->DesiredAccess & (FILE_READ_DATA | FILE_EXECUTE | write)) == 0)
		return 0;
	if ((params->DesiredAccess & write) != 0 && (params->CreateOptions & FILE_WRITE_THROUGH) == 0)
		wanted |= MEM_LEASE_WRITE;
	return wanted;
}

void mem_lease_ask(PRX_CONTEXT RxContext, struct mem_open *how)
{
	PMRX_FCB fcb = RxContext->pFcb;
	ULONG wanted = wanted_by(&RxContext->Create.NtCreateParameters);

	if (fcb->Context == NULL && wanted != 0)
		fcb->Context = ExAllocatePoolZero(NonPagedPool, sizeof(struct mem_grant), MEM_TAG_GRANT);
	how->opener = RxContext->pRelevantSrvOpen;
	how->lease_key = fcb->Context;                   /* without memory nothing is asked for */
	RxContext->pRelevantSrvOpen->Key = fcb->Context; /* a break may come before the open has returned */
	how->lease_wanted = wanted;
}

void mem_lease_take(PMRX_SRV_OPEN so)
{
	struct mem_grant *grant = so->pFcb->Context;

	if (grant == NULL)
		return;
	if (mem_handle_of(so)->lease != NULL)
		grant->state = mem_fs_lease_state(mem_handle_of(so));
	else
		so->Key = NULL; /* nobody will break it */
	so->BufferingFlags =
		flags_of(grant->state); /* RDBSS takes the file's state from the open it saw last */
}

void mem_lease_handle_ended(PMRX_FCB fcb)
{
	struct mem_grant *grant = fcb->Context;
	PLIST_ENTRY link;

	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		if (mem_handle_of(CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)) != NULL)
			return;
	if (grant != NULL)
		grant->state = 0; /* the volume has forgotten it */
}

NTSTATUS mrx_mem_deallocate_for_fcb(PMRX_FCB Fcb)
{
	if (Fcb->Context != NULL)
		ExFreePoolWithTag(Fcb->Context, MEM_TAG_GRANT);
	Fcb->Context = NULL;
	return STATUS_SUCCESS;
}

/* ---- breaks ---- */

/*
 * Under the volume's mutex: the handle is open, and so is its SRV_OPEN.  The request waits at the file when this returns:
 * whoever opens it after the other client's change was answered has applied it first.  A thread that holds the file
 * itself would apply it here, under the mutex: it finds the open by its key, later.
 */
void mem_lease_is_told(void *opener, void *key, ULONG state, bool acknowledge)
{
	PMRX_SRV_OPEN so = opener;
	PMRX_SRV_CALL server = so->pVNetRoot->pNetRoot->pSrvCall;
	PVOID context = (PVOID)(ULONG_PTR)(state | (acknowledge ? BREAK_ANSWER : 0));

	nt_count_one(NT_COUNT_EVENT, "breaks_received", 0);
	if (RxIsFcbAcquiredExclusive(so->pFcb))
		RxIndicateChangeOfBufferingState(server, key, context);
	else
		RxIndicateChangeOfBufferingStateForSrvOpen(server, so, key, context);
}

NTSTATUS mrx_mem_compute_new_buffering_state(PMRX_SRV_OPEN SrvOpen, PVOID MRxContext,
					     PULONG NewBufferingState)
{
	PMRX_FCB fcb = SrvOpen->pFcb;
	struct mem_grant *grant = fcb->Context;
	PLIST_ENTRY link;

	*NewBufferingState = 0;
	if (grant == NULL)
		return STATUS_SUCCESS;
	grant->state &= (ULONG)(ULONG_PTR)MRxContext & MEM_LEASE_ALL;
	*NewBufferingState = flags_of(grant->state);
	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)->BufferingFlags = *NewBufferingState;
	return STATUS_SUCCESS;
}

/* The volume locks what RDBSS has granted meanwhile. */
static void flush_locks(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen)
{
	PLOWIO_LOCK_LIST at = RxContext->LowIoContext.ParamsFor.Locks.LockList;

	if ((SrvOpen->pFcb->FcbState & FCB_STATE_LOCK_BUFFERING_ENABLED) != 0)
		return;
	for (; at != NULL; at = at->Next) {
		struct mem_range range = {at->ByteOffset, at->Length, at->Key, at->ExclusiveLock != FALSE};

		at->Status = mem_handle_of(SrvOpen) == NULL
				     ? STATUS_FILE_CLOSED
				     : mem_fs_lock(mem_handle_of(SrvOpen), &range, false, NULL);
	}
}

/* Handles without a user are closed before the answer that handle caching is over: somebody waits for that. */
NTSTATUS mrx_mem_complete_buffering_state_change(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen,
						 PVOID MRxContext)
{
	PMRX_FCB fcb = SrvOpen->pFcb;
	struct mem_grant *grant = fcb->Context;
	struct mem_handle *handle = NULL;
	PLIST_ENTRY link;

	flush_locks(RxContext, SrvOpen);
	if (grant == NULL)
		return STATUS_SUCCESS;
	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PMRX_SRV_OPEN so = CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks);

		if (mem_handle_of(so) == NULL)
			continue;
		if (so->UncleanFobxCount == 0 && !(grant->state & MEM_LEASE_HANDLE)) {
			so->Flags |= SRVOPEN_FLAG_CLOSED;
			(void)mrx_mem_force_closed(so);
		} else if (handle == NULL && mem_handle_of(so)->lease != NULL) {
			handle = mem_handle_of(so);
		}
	}
	/* with the last handle the lease has ended, and nobody waits for an answer */
	if (handle != NULL && ((ULONG_PTR)MRxContext & BREAK_ANSWER))
		mem_fs_lease_acknowledge(handle, grant->state);
	return STATUS_SUCCESS;
}
