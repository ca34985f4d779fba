/*
 * security.c - IRP_MJ_QUERY_SECURITY and IRP_MJ_SET_SECURITY.
 *
 * Locks:  FCB shared for the query, exclusive for the change.
 */
#include "core/dispatch/dispatch.h"

#include "core/minirdr/calldown.h"

static NTSTATUS rx_security_query_locked(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

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
	return status;
}

static NTSTATUS rx_security_set_locked(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;

	(void)irp;
	rxc->SetSecurity.SecurityInformation = sp->Parameters.SetSecurity.SecurityInformation;
	rxc->SetSecurity.SecurityDescriptor = sp->Parameters.SetSecurity.SecurityDescriptor;
	return rx_call_set_security(rxc);
}

NTSTATUS NTAPI rx_common_query_security(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_run_on_open(rxc, irp, rxc->CurrentIrpSp->Parameters.QuerySecurity.Length, false,
			      rx_security_query_locked);
}

NTSTATUS NTAPI rx_common_set_security(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_run_on_open(rxc, irp, 0, true, rx_security_set_locked);
}
