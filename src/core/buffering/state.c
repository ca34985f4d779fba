/*
 * state.c - what may be buffered for a file now.
 *
 * Owns:   the FCB_STATE_BUFFERING_STATE_MASK bits of FCB.FcbState.
 * Locks:  FCB exclusive, before and after.
 *
 * What goes off takes its data along: dirty data is at the server before WRITECACHING is off, and nothing is served
 * from memory once READCACHING is.
 */
#include "core/buffering/buffering.h"

#include "core/cache/cache.h"
#include "core/dispatch/dispatch.h"
#include "core/minirdr/calldown.h"
#include "core/object/object.h"

/* What an open that nobody shares may have without asking (E-14). */
#define RX_UNSHARED_BUFFERING \
	(FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_WRITEBUFFERING_ENABLED | FCB_STATE_READCACHING_ENABLED | \
	 FCB_STATE_READBUFFERING_ENABLED | FCB_STATE_FILESIZECACHEING_ENABLED | \
	 FCB_STATE_FILETIMECACHEING_ENABLED | FCB_STATE_LOCK_BUFFERING_ENABLED)

/* Nobody else can have the file open as long as these opens stand: each refused all sharing. */
static bool rx_fcb_is_unshared(PFCB fcb)
{
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks);

		if ((so->ShareAccess & (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)) != 0)
			return false;
	}
	return !IsListEmpty(&fcb->SrvOpenList);
}

/* Data that could not be written is kept, and the opens it belongs to are good no longer. Return: false then. */
static bool rx_buffering_give_up_writes(PFCB fcb)
{
	NTSTATUS status = rx_cache_write_back_for_break(fcb);

	if (NT_SUCCESS(status))
		return true;
	RxLog(("fcb=%p write-back failed: %lx", fcb, status));
	return false;
}

/* Nothing of what is kept is served from memory from now on. */
static void rx_buffering_forget(PFCB fcb)
{
	rx_ahead_forget(fcb);
	(void)RxPurgeFcbInSystemCache(fcb, NULL, 0, FALSE, FALSE); /* pages in use: their user rereads */
}

/*
 * The old state still holds: what is lost with it is put in order first. A server that is not told that the data has
 * been written takes everything back when its patience ends: nothing is kept then; nor when it refuses a lock, for
 * whoever had it must not go on from memory. Return: the state that may hold.
 * @asked: the server waits for an answer, which says that it has all data: also what an earlier end has left here.
 * @told: the open whose locks the driver is told afterwards; NULL: none.
 * @written: [out] it has.
 * Locks: FCB exclusive.
 */
static ULONG rx_buffering_leave(PFCB fcb, ULONG state, bool asked, PSRV_OPEN told, bool *written)
{
	ULONG held = fcb->FcbState;
	bool writes_end = (state & FCB_STATE_WRITECACHING_ENABLED) == 0 &&
			  ((held & FCB_STATE_WRITECACHING_ENABLED) != 0 || (asked && rx_cache_has_data(fcb)));

	*written = !writes_end || rx_buffering_give_up_writes(fcb);
	if (!*written)
		state = 0;
	if ((held & ~state & FCB_STATE_READCACHING_ENABLED) != 0)
		rx_buffering_forget(fcb);
	/* pages that were changed after the flush came with the purge, or by themselves */
	if (writes_end && *written && rx_cache_has_data(fcb) && !rx_buffering_give_up_writes(fcb)) {
		*written = false;
		if ((held & state & FCB_STATE_READCACHING_ENABLED) != 0)
			rx_buffering_forget(fcb);
		state = 0;
	}
	/* behind the data: the server lets only who locks write */
	if ((held & ~state & FCB_STATE_LOCK_BUFFERING_ENABLED) != 0 &&
	    !rx_locks_send(fcb, told != NULL ? &told->Mrx : NULL) && state != 0)
		return rx_buffering_leave(fcb, 0, asked, told, written);
	return state;
}

void rx_buffering_end(PSRV_OPEN so)
{
	PFCB fcb = (PFCB)so->pFcb;
	bool written;

	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks)->BufferingFlags = 0;
	(void)rx_buffering_leave(fcb, 0, false, NULL, &written);
	fcb->FcbState &= ~(ULONG)FCB_STATE_BUFFERING_STATE_MASK;
}

void rx_buffering_open_ended(PFCB fcb)
{
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks);

		if ((so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_ORPHANED)) == 0 &&
		    so->Condition == Condition_Good)
			return;
	}
	rx_ahead_forget(fcb);
	if ((fcb->FcbState & FCB_STATE_READCACHING_ENABLED) != 0)
		(void)RxPurgeFcbInSystemCache(fcb, NULL, 0, FALSE, FALSE); /* nobody has it open */
	fcb->FcbState &= ~(ULONG)FCB_STATE_BUFFERING_STATE_MASK;
}

bool rx_buffering_change(PSRV_OPEN so, PVOID context, bool compute, PSRV_OPEN told)
{
	PFCB fcb = (PFCB)so->pFcb;
	ULONG was_changing = fcb->FcbState & FCB_STATE_BUFFERSTATE_CHANGING;
	ULONG state = 0;
	bool written;

	rx_assert_fcb_exclusive(fcb);
	fcb->FcbState |= FCB_STATE_BUFFERSTATE_CHANGING;
	if (compute) {
		if (!NT_SUCCESS(rx_call_compute_new_buffering_state(&so->Mrx, context, &state)))
			state = 0;
	} else {
		state = so->BufferingFlags;
		if (NodeType(fcb) != RDBSS_NTC_STORAGE_TYPE_DIRECTORY && rx_fcb_is_unshared(fcb))
			state |= RX_UNSHARED_BUFFERING;
	}
	if (fcb->FcbState & FCB_STATE_DISABLE_LOCAL_BUFFERING)
		state = 0;
	state &= FCB_STATE_BUFFERING_STATE_MASK;
	state = rx_buffering_leave(fcb, state, compute, told, &written);
	if ((state & ~fcb->FcbState & FCB_STATE_LOCK_BUFFERING_ENABLED) != 0)
		fcb->LockBufferingGeneration++;
	fcb->FcbState =
		(fcb->FcbState & ~(ULONG)(FCB_STATE_BUFFERING_STATE_MASK | FCB_STATE_BUFFERSTATE_CHANGING)) |
		state | was_changing;
	RxLog(("so=%p buffering %lx", so, state));
	return written;
}

/**
 * RxChangeBufferingState - make a buffering state hold for an open and its file
 * @SrvOpen:         [in,out] the open
 * @Context:         [in, optional] the driver's, for MRxComputeNewBufferingState (an oplock level)
 * @ComputeNewState: [in] TRUE: ask the driver; FALSE: SRV_OPEN.BufferingFlags, and everything that is safe when
 *                   nobody shares the file
 *
 * Locks:  FCB exclusive, unchanged on return. Blocks while data is written back and locks are sent.
 * Return: STATUS_SUCCESS; an inner error means that nothing is buffered; when it was the write-back that failed, the
 *         opens that carry the data, whichever they are, are in Condition_Bad.
 * Page:   rxprocs/RxChangeBufferingState, E-14.
 */
NTSTATUS RxChangeBufferingState(PSRV_OPEN SrvOpen, PVOID Context, BOOLEAN ComputeNewState)
{
	(void)rx_buffering_change(SrvOpen, Context, ComputeNewState, NULL);
	return STATUS_SUCCESS;
}
