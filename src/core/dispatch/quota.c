/*
 * quota.c - IRP_MJ_QUERY_QUOTA and IRP_MJ_SET_QUOTA.
 *
 * Locks:  FCB exclusive: a query moves a position.
 */
#include "core/dispatch/dispatch.h"

#include "core/minirdr/calldown.h"

static NTSTATUS rx_quota_query_locked(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

	rxc->QueryQuota.Length = sp->Parameters.QueryQuota.Length;
	rxc->QueryQuota.StartSid = sp->Parameters.QueryQuota.StartSid;
	rxc->QueryQuota.SidList = sp->Parameters.QueryQuota.SidList;
	rxc->QueryQuota.SidListLength = sp->Parameters.QueryQuota.SidListLength;
	rxc->QueryQuota.RestartScan = (sp->Flags & SL_RESTART_SCAN) != 0;
	rxc->QueryQuota.ReturnSingleEntry = (sp->Flags & SL_RETURN_SINGLE_ENTRY) != 0;
	rxc->QueryQuota.IndexSpecified = (sp->Flags & SL_INDEX_SPECIFIED) != 0;
	rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
	rxc->Info.LengthRemaining = (LONG)sp->Parameters.QueryQuota.Length;
	rxc->InformationToReturn = 0;
	status = rx_call_query_quota(rxc);
	irp->IoStatus.Information = NT_ERROR(status) ? 0 : rxc->InformationToReturn;
	return status;
}

static NTSTATUS rx_quota_set_locked(PRX_CONTEXT rxc, PIRP irp)
{
	rxc->SetQuota.Length = rxc->CurrentIrpSp->Parameters.SetQuota.Length;
	rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
	rxc->Info.Length = (LONG)rxc->SetQuota.Length;
	return rx_call_set_quota(rxc);
}

NTSTATUS NTAPI rx_common_query_quota(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_run_on_open(rxc, irp, rxc->CurrentIrpSp->Parameters.QueryQuota.Length, true,
			      rx_quota_query_locked);
}

NTSTATUS NTAPI rx_common_set_quota(PRX_CONTEXT rxc, PIRP irp)
{
	return rx_run_on_open(rxc, irp, rxc->CurrentIrpSp->Parameters.SetQuota.Length, true,
			      rx_quota_set_locked);
}
