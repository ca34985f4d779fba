/*
 * security.c - IRP_MJ_QUERY_SECURITY and IRP_MJ_SET_SECURITY.
 *
 * Locks:  FCB shared for the query, exclusive for the change.
 */
#include "core/dispatch/dispatch.h"

#include "core/minirdr/calldown.h"

NTSTATUS NTAPI rx_common_query_security(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

	if (rxc->pFobx == NULL || sp->Parameters.QuerySecurity.Length > INT32_MAX)
		return STATUS_INVALID_DEVICE_REQUEST;
	status = rx_acquire_fcb_shared(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS) {
		rxc->QuerySecurity.SecurityInformation = sp->Parameters.QuerySecurity.SecurityInformation;
		rxc->QuerySecurity.Length = sp->Parameters.QuerySecurity.Length;
		rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
		if (rxc->Info.Buffer == NULL)
			rxc->Info.Buffer = irp->UserBuffer;
		rxc->Info.LengthRemaining = (LONG)sp->Parameters.QuerySecurity.Length;
		rxc->InformationToReturn = 0;
		status = rx_call_query_security(rxc);
		/* also with STATUS_BUFFER_OVERFLOW and STATUS_BUFFER_TOO_SMALL: then it is the size needed */
		irp->IoStatus.Information = rxc->InformationToReturn;
	}
	return rx_release_or_post(rxc, status);
}

NTSTATUS NTAPI rx_common_set_security(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

	(void)irp;
	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	status = rx_acquire_fcb_exclusive(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS) {
		rxc->SetSecurity.SecurityInformation = sp->Parameters.SetSecurity.SecurityInformation;
		rxc->SetSecurity.SecurityDescriptor = sp->Parameters.SetSecurity.SecurityDescriptor;
		status = rx_call_set_security(rxc);
	}
	return rx_release_or_post(rxc, status);
}
