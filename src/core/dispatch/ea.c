/*
 * ea.c - IRP_MJ_QUERY_EA and IRP_MJ_SET_EA.
 *
 * Locks:  FCB exclusive: a query moves the FOBX's position in the list.
 */
#include "core/dispatch/dispatch.h"

#include "core/minirdr/calldown.h"

static NTSTATUS rx_ea_query_locked(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	ULONG length = sp->Parameters.QueryEa.Length;
	NTSTATUS status;

	rxc->QueryEa.UserEaList = sp->Parameters.QueryEa.EaList;
	rxc->QueryEa.UserEaListLength = sp->Parameters.QueryEa.EaListLength;
	rxc->QueryEa.UserEaIndex = sp->Parameters.QueryEa.EaIndex;
	rxc->QueryEa.RestartScan = (sp->Flags & SL_RESTART_SCAN) != 0;
	rxc->QueryEa.ReturnSingleEntry = (sp->Flags & SL_RETURN_SINGLE_ENTRY) != 0;
	rxc->QueryEa.IndexSpecified = (sp->Flags & SL_INDEX_SPECIFIED) != 0;
	rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
	rxc->Info.LengthRemaining = (LONG)length;
	if (rxc->Info.Buffer == NULL && length > 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = rx_call_query_ea(rxc);
	if (!NT_ERROR(status) && status != STATUS_PENDING && rxc->Info.LengthRemaining >= 0 &&
	    (ULONG)rxc->Info.LengthRemaining <= length)
		irp->IoStatus.Information = length - (ULONG)rxc->Info.LengthRemaining;
	return status;
}

static NTSTATUS rx_ea_set_locked(PRX_CONTEXT rxc, PIRP irp)
{
	rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
	rxc->Info.Length = (LONG)rxc->CurrentIrpSp->Parameters.SetEa.Length;
	if (rxc->Info.Buffer == NULL && rxc->Info.Length > 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	return rx_call_set_ea(rxc);
}

NTSTATUS NTAPI rx_common_query_ea(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_run_on_open(rxc, irp, rxc->CurrentIrpSp->Parameters.QueryEa.Length, true,
			      rx_ea_query_locked);
}

NTSTATUS NTAPI rx_common_set_ea(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_run_on_open(rxc, irp, rxc->CurrentIrpSp->Parameters.SetEa.Length, true, rx_ea_set_locked);
}
