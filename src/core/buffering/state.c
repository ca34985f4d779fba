/*
 * state.c - what may be buffered for a file now.
 *
 * Owns:   the FCB_STATE_BUFFERING_STATE_MASK bits of FCB.FcbState.
 * Locks:  FCB exclusive, before and after.
 *
 * No data is cached in this library yet, so nothing is dirty when WRITECACHING goes off: what a state change
 * must flush is what core/cache will hold.
 */
#include "core/buffering/buffering.h"

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

/**
 * RxChangeBufferingState - make a buffering state hold for an open and its file
 * @SrvOpen:         [in,out] the open
 * @Context:         [in, optional] the driver's, for MRxComputeNewBufferingState (an oplock level)
 * @ComputeNewState: [in] TRUE: ask the driver; FALSE: SRV_OPEN.BufferingFlags, and everything that is safe when
 *                   nobody shares the file
 *
 * Locks:  FCB exclusive, unchanged on return.
 * Return: STATUS_SUCCESS; an inner error means that nothing is buffered.
 * Page:   rxprocs/RxChangeBufferingState, E-14.
 */
NTSTATUS RxChangeBufferingState(PSRV_OPEN SrvOpen, PVOID Context, BOOLEAN ComputeNewState)
{
	PFCB fcb = (PFCB)SrvOpen->pFcb;
	ULONG state = 0;

	rx_assert_fcb_exclusive(fcb);
	if (ComputeNewState) {
		if (!NT_SUCCESS(rx_call_compute_new_buffering_state(&SrvOpen->Mrx, Context, &state)))
			state = 0;
	} else {
		state = SrvOpen->BufferingFlags;
		if (rx_fcb_is_unshared(fcb))
			state |= RX_UNSHARED_BUFFERING;
	}
	if (fcb->FcbState & FCB_STATE_DISABLE_LOCAL_BUFFERING)
		state = 0;
	state &= FCB_STATE_BUFFERING_STATE_MASK;
	fcb->FcbState = (fcb->FcbState & ~(ULONG)FCB_STATE_BUFFERING_STATE_MASK) | state;
	RxLog(("so=%p buffering %lx", SrvOpen, state));
	return STATUS_SUCCESS;
}
