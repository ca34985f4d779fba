/*
 * flush.c - IRP_MJ_FLUSH_BUFFERS: answered when the server holds the data.
 *
 * Locks:  FCB exclusive: it waits for the writes that were there before it.
 */
#include "core/dispatch/dispatch.h"

#include "core/minirdr/calldown.h"

NTSTATUS NTAPI rx_common_flush(PRX_CONTEXT rxc, PIRP irp)
{
	NTSTATUS status;

	(void)irp;
	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	status = rx_acquire_fcb_exclusive(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_call_flush(rxc); /* nothing is written behind: the server has it all */
	rx_release_fcb(rxc);
	/* the driver wants a thread of the file system process; a flush cannot pend in another way */
	if (status == STATUS_PENDING && rxc->PostRequest)
		return RxFsdPostRequest(rxc);
	return status;
}
