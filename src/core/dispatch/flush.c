/*
 * flush.c - IRP_MJ_FLUSH_BUFFERS: answered when the server holds the data.
 *
 * Locks:  FCB exclusive: it waits for the writes that were there before it.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/minirdr/calldown.h"

/*
 * What is kept back goes to the server while others may use the file.
 * Locks: none of the file's on entry and on return.
 */
static NTSTATUS rx_flush_write_behind(PRX_CONTEXT rxc)
{
	NTSTATUS status;

	status = rx_acquire_fcb_shared(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_cache_flush_for((PFCB)rxc->pFcb, (PFOBX)rxc->pFobx);
	rx_release_fcb(rxc);
	return status;
}

NTSTATUS NTAPI rx_common_flush(PRX_CONTEXT rxc, PIRP irp)
{
	NTSTATUS status = STATUS_SUCCESS;

	(void)irp;
	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (rx_locks_lost(rxc))
		return STATUS_FILE_FORCED_CLOSED;
	if (__atomic_load_n(&((PFCB)rxc->pFcb)->WriteBehind, __ATOMIC_ACQUIRE) != NULL ||
	    rx_cache_has_news((PFCB)rxc->pFcb, (PFOBX)rxc->pFobx))
		status = rx_flush_write_behind(rxc);
	/* data that is at the server, and not necessarily on its disk: all that a close promises */
	if (status != STATUS_SUCCESS || rxc->CurrentIrpSp->MinorFunction == IRP_MN_FLUSH_NO_SYNC)
		return status;
	status = rx_acquire_fcb_exclusive(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_call_flush(rxc);
	return rx_release_or_post(rxc, status);
}
