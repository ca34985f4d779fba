/*
 * quota.c - IRP_MJ_QUERY_QUOTA and IRP_MJ_SET_QUOTA.
 *
 * Locks:  FCB exclusive: a query moves a position.
 */
#include "core/dispatch/dispatch.h"

#include "core/minirdr/calldown.h"

NTSTATUS NTAPI rx_common_query_quota(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

	if (rxc->pFobx == NULL || sp->Parameters.QueryQuota.Length > INT32_MAX)
		return STATUS_INVALID_DEVICE_REQUEST;
	status = rx_acquire_fcb_exclusive(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS) {
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
	}
	return rx_release_or_post(rxc, status);
}

NTSTATUS NTAPI rx_common_set_quota(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	NTSTATUS status;

	if (rxc->pFobx == NULL || sp->Parameters.SetQuota.Length > INT32_MAX)
		return STATUS_INVALID_DEVICE_REQUEST;
	status = rx_acquire_fcb_exclusive(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS) {
		rxc->SetQuota.Length = sp->Parameters.SetQuota.Length;
		rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
		rxc->Info.Length = (LONG)sp->Parameters.SetQuota.Length;
		status = rx_call_set_quota(rxc);
	}
	return rx_release_or_post(rxc, status);
}
