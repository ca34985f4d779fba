/*
 * dirctrl.c - IRP_MJ_DIRECTORY_CONTROL: listing, and waiting for changes.
 *
 * Owns:   the search pattern of a directory's FOBX (UnicodeQueryTemplate) from its first query on; freed with
 *         the FOBX (FOBX_FLAG_FREE_UNICODE).
 * Locks:  listing: FCB exclusive, the position of a search is one. Notify: none across the wait.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/lowio/core_lowio.h"
#include "core/minirdr/calldown.h"

#define RX_TEMPLATE_TAG 'pTxR'

static bool rx_dir_matches_all(PCUNICODE_STRING pattern)
{
	return pattern == NULL || pattern->Length == 0 ||
	       (pattern->Length == sizeof(WCHAR) && pattern->Buffer[0] == u'*');
}

static bool rx_dir_has_wild_cards(PCUNICODE_STRING pattern)
{
	USHORT i;

	for (i = 0; i < pattern->Length / sizeof(WCHAR); i++)
		switch (pattern->Buffer[i]) {
		case u'*':
		case u'?':
		case u'<':
		case u'>':
		case u'"':
			return true;
		default:
			break;
		}
	return false;
}

/* The first query of a FOBX fixes its pattern. STATUS_INSUFFICIENT_RESOURCES. */
static NTSTATUS rx_dir_set_template(PFOBX fobx, PCUNICODE_STRING pattern)
{
	if (rx_dir_matches_all(pattern)) {
		fobx->Flags |= FOBX_FLAG_MATCH_ALL;
		fobx->ContainsWildCards = TRUE;
		return STATUS_SUCCESS;
	}
	fobx->UnicodeQueryTemplate.Buffer =
		ExAllocatePoolWithTag(PagedPool, pattern->Length, RX_TEMPLATE_TAG);
	if (fobx->UnicodeQueryTemplate.Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlCopyMemory(fobx->UnicodeQueryTemplate.Buffer, pattern->Buffer, pattern->Length);
	fobx->UnicodeQueryTemplate.Length = fobx->UnicodeQueryTemplate.MaximumLength = pattern->Length;
	fobx->Flags |= FOBX_FLAG_FREE_UNICODE;
	fobx->ContainsWildCards = rx_dir_has_wild_cards(pattern);
	return STATUS_SUCCESS;
}

/* An initial query that failed for another reason than that nothing matches: the next one begins anew. */
static void rx_dir_forget_template(PFOBX fobx)
{
	fobx->Flags &= ~(ULONG)FOBX_FLAG_MATCH_ALL;
	if ((fobx->Flags & FOBX_FLAG_FREE_UNICODE) != 0)
		ExFreePoolWithTag(fobx->UnicodeQueryTemplate.Buffer, RX_TEMPLATE_TAG);
	fobx->Flags &= ~(ULONG)FOBX_FLAG_FREE_UNICODE;
	RtlZeroMemory(&fobx->UnicodeQueryTemplate, sizeof(fobx->UnicodeQueryTemplate));
}

static NTSTATUS rx_dir_query_locked(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PFOBX fobx = (PFOBX)rxc->pFobx;
	ULONG length = sp->Parameters.QueryDirectory.Length;
	NTSTATUS status;

	if (NodeType(rxc->pFcb) != RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return STATUS_INVALID_PARAMETER;
	rxc->QueryDirectory.FileIndex = sp->Parameters.QueryDirectory.FileIndex;
	rxc->QueryDirectory.RestartScan = (sp->Flags & SL_RESTART_SCAN) != 0;
	rxc->QueryDirectory.ReturnSingleEntry = (sp->Flags & SL_RETURN_SINGLE_ENTRY) != 0;
	rxc->QueryDirectory.IndexSpecified = (sp->Flags & SL_INDEX_SPECIFIED) != 0;
	rxc->QueryDirectory.InitialQuery =
		fobx->UnicodeQueryTemplate.Buffer == NULL && (fobx->Flags & FOBX_FLAG_MATCH_ALL) == 0;
	if (rxc->QueryDirectory.InitialQuery) {
		status = rx_dir_set_template(fobx, sp->Parameters.QueryDirectory.FileName);
		if (!NT_SUCCESS(status))
			return status;
	}

	rxc->Info.FileInformationClass = sp->Parameters.QueryDirectory.FileInformationClass;
	rxc->Info.Buffer = RxMapSystemBuffer(rxc, irp);
	if (rxc->Info.Buffer == NULL)
		rxc->Info.Buffer = irp->UserBuffer;
	rxc->Info.LengthRemaining = (LONG)length;
	if (rxc->Info.Buffer == NULL || length == 0)
		return STATUS_BUFFER_TOO_SMALL;
	status = rx_call_query_directory(rxc);
	/* nothing was answered: the next query, or this one again on a worker, is the initial one */
	if (rxc->QueryDirectory.InitialQuery &&
	    (rxc->PostRequest || (NT_ERROR(status) && status != STATUS_NO_SUCH_FILE)))
		rx_dir_forget_template(fobx);
	if (!NT_ERROR(status) && status != STATUS_PENDING && rxc->Info.LengthRemaining >= 0 &&
	    (ULONG)rxc->Info.LengthRemaining <= length)
		irp->IoStatus.Information = length - (ULONG)rxc->Info.LengthRemaining;
	return status;
}

static NTSTATUS rx_dir_query(PRX_CONTEXT rxc, PIRP irp)
{
	NTSTATUS status;

	if (rxc->CurrentIrpSp->Parameters.QueryDirectory.Length > INT32_MAX)
		return STATUS_INVALID_PARAMETER;
	/* the listing shows sizes */
	rx_cache_flush_directory((PNET_ROOT)rxc->pFcb->pNetRoot, (PFCB)rxc->pFcb);
	status = rx_acquire_fcb_exclusive(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	rxc->PostRequest = FALSE;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_dir_query_locked(rxc, irp);
	rx_release_fcb(rxc);
	if (rxc->PostRequest)
		return rx_post_for_driver(rxc);
	ASSERT(status != STATUS_PENDING);
	return status;
}

static NTSTATUS NTAPI rx_notify_complete(PRX_CONTEXT rxc)
{
	PFOBX fobx = (PFOBX)rxc->pFobx; /* the IRP keeps its file object */
	NTSTATUS status = rxc->StoredStatus;

	/* the handle was closed under the wait: that is how NT says it */
	if (status == STATUS_CANCELLED && InterlockedExchangeAdd(&fobx->CleanupBegun, 0) != 0)
		status = STATUS_NOTIFY_CLEANUP;
	rxc->CurrentIrp->IoStatus.Information = NT_ERROR(status) ? 0 : rxc->InformationToReturn;
	return status;
}

static NTSTATUS rx_dir_notify(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;
	NTSTATUS status = rx_acquire_fcb_shared(rxc);

	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS && NodeType(rxc->pFcb) != RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		status = STATUS_INVALID_PARAMETER;
	/* nothing is held while waiting for a change: that may take days */
	rx_release_fcb(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_lock_user_buffer(rxc, irp, IoWriteAccess, sp->Parameters.NotifyDirectory.Length);
	if (status != STATUS_SUCCESS)
		return status;

	rxc->NotifyChangeDirectory.pVNetRoot = rxc->pRelevantSrvOpen->pVNetRoot;
	rx_lowio_prepare(rxc, LOWIO_OP_NOTIFY_CHANGE_DIRECTORY);
	lowio->ParamsFor.NotifyChangeDirectory.WatchTree = (sp->Flags & SL_WATCH_TREE) != 0;
	lowio->ParamsFor.NotifyChangeDirectory.CompletionFilter =
		sp->Parameters.NotifyDirectory.CompletionFilter;
	lowio->ParamsFor.NotifyChangeDirectory.NotificationBufferLength =
		sp->Parameters.NotifyDirectory.Length;
	lowio->ParamsFor.NotifyChangeDirectory.pNotificationBuffer = RxMapSystemBuffer(rxc, irp);
	return RxLowIoSubmit(rxc, irp, (PFCB)rxc->pFcb, rx_notify_complete);
}

static bool rx_notify_is_of_view(PRX_CONTEXT rxc, PVOID vnr)
{
	return rxc->IrpMajorFunction == IRP_MJ_DIRECTORY_CONTROL &&
	       rxc->IrpMinorFunction == IRP_MN_NOTIFY_CHANGE_DIRECTORY && rxc->IrpFobx != NULL &&
	       (PVOID)rxc->IrpFobx->pSrvOpen->pVNetRoot == vnr;
}

/**
 * RxCancelNotifyChangeDirectoryRequestsForVNetRoot - end the change notifies of a view
 * @ForceFilesClosed: [in] FALSE: only say whether there are any
 *
 * Return: STATUS_SUCCESS: there are none, or they were cancelled; STATUS_FILES_OPEN.
 */
NTSTATUS RxCancelNotifyChangeDirectoryRequestsForVNetRoot(PV_NET_ROOT VNetRoot, BOOLEAN ForceFilesClosed)
{
	PRDBSS_DEVICE_OBJECT dev = VNetRoot->pNetRoot->pSrvCall->RxDeviceObject;
	PRX_CONTEXT rxc;

	if (ForceFilesClosed) {
		(void)rx_cancel_matching(dev, rx_notify_is_of_view, VNetRoot);
		return STATUS_SUCCESS;
	}
	rxc = rx_context_find(dev, rx_notify_is_of_view, VNetRoot);
	if (rxc == NULL)
		return STATUS_SUCCESS;
	RxDereferenceAndDeleteRxContext(rxc);
	return STATUS_FILES_OPEN;
}

NTSTATUS NTAPI rx_common_directory_control(PRX_CONTEXT rxc, PIRP irp)
{
	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	switch (rxc->MinorFunction) {
	case IRP_MN_QUERY_DIRECTORY:
		return rx_dir_query(rxc, irp);
	case IRP_MN_NOTIFY_CHANGE_DIRECTORY:
		return rx_dir_notify(rxc, irp);
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}
