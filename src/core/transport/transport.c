/*
 * transport.c - the connection engine's transports and local addresses, its loop, and the IRPs it keeps track of.
 *
 * Owns:   one loop for all transports of the process, while there is one; the items of RxIrpsList.
 * Locks:  rx_ce_latch for the loop and its count; RxIrpsListSpinLock, a leaf, for the list.
 *
 * A structure is what its Signature says: the caller's memory is uninitialised before it is built, and a torn down
 * one is refused by everything but another tear-down of a transport.
 */
#include "core/transport/engine.h"

#define RX_TAG_CE_IRP 'iExR'

static struct nt_latch rx_ce_latch;
static struct nt_loop *rx_ce_loop;
static ULONG rx_ce_loop_users;

LIST_ENTRY RxIrpsList = {&RxIrpsList, &RxIrpsList};
KSPIN_LOCK RxIrpsListSpinLock;

NTSTATUS rx_ce_loop_get(struct nt_loop **loop)
{
	NTSTATUS status = STATUS_SUCCESS;

	nt_latch_acquire(&rx_ce_latch);
	if (rx_ce_loop_users == 0)
		status = nt_loop_create("rxce", &rx_ce_loop);
	if (NT_SUCCESS(status)) {
		rx_ce_loop_users++;
		*loop = rx_ce_loop;
	}
	nt_latch_release(&rx_ce_latch);
	return status;
}

void rx_ce_loop_put(void)
{
	nt_latch_acquire(&rx_ce_latch);
	if (--rx_ce_loop_users == 0) {
		nt_loop_destroy(rx_ce_loop);
		rx_ce_loop = NULL;
	}
	nt_latch_release(&rx_ce_latch);
}

/* ---- transports ---- */

static USHORT rx_ce_address_type(PUNICODE_STRING name)
{
	UNICODE_STRING tcp = NT_STR(u"\\Device\\Tcp"), tcp6 = NT_STR(u"\\Device\\Tcp6");

	if (RtlEqualUnicodeString(name, &tcp, TRUE))
		return TDI_ADDRESS_TYPE_IP;
	if (RtlEqualUnicodeString(name, &tcp6, TRUE))
		return TDI_ADDRESS_TYPE_IP6;
	return TDI_ADDRESS_TYPE_UNSPEC;
}

/**
 * RxCeBuildTransport - bind a transport object to a transport
 * @pTransport:       [out] memory of the caller
 * @pTransportName:   [in] `\Device\Tcp` or `\Device\Tcp6`
 * @QualityOfService: [in] kept and given back; means nothing here
 *
 * Context: PASSIVE_LEVEL; starts the engine's thread when it is the first.
 * Return:  STATUS_SUCCESS, STATUS_INVALID_PARAMETER (no such transport), STATUS_INSUFFICIENT_RESOURCES,
 *          STATUS_NOT_SUPPORTED (an executive without a network).
 * Page:    rxce/RxCeBuildTransport.
 */
NTSTATUS RxCeBuildTransport(PRXCE_TRANSPORT pTransport, PUNICODE_STRING pTransportName,
			    ULONG QualityOfService)
{
	struct nt_loop *loop;
	USHORT type;
	NTSTATUS status;

	PAGED_CODE();
	if (pTransport == NULL || pTransportName == NULL)
		return STATUS_INVALID_PARAMETER;
	type = rx_ce_address_type(pTransportName);
	if (type == TDI_ADDRESS_TYPE_UNSPEC)
		return STATUS_INVALID_PARAMETER;
	status = rx_ce_loop_get(&loop);
	if (!NT_SUCCESS(status))
		return status;
	RtlZeroMemory(pTransport, sizeof(*pTransport));
	pTransport->Signature = RXCE_TRANSPORT_SIGNATURE;
	pTransport->QualityOfService = QualityOfService;
	pTransport->AddressType = type;
	pTransport->Provider.Version = 0x0100;
	pTransport->Provider.MaxSendSize = MAXLONG;
	pTransport->Provider.ServiceFlags =
		TDI_SERVICE_CONNECTION_MODE | TDI_SERVICE_ORDERLY_RELEASE | TDI_SERVICE_ERROR_FREE_DELIVERY;
	pTransport->Provider.MinimumLookaheadData = 1;
	pTransport->Provider.MaximumLookaheadData = RX_CE_RECEIVE_BYTES;
	KeQuerySystemTime(&pTransport->Provider.StartTime);
	return STATUS_SUCCESS;
}

/**
 * RxCeTearDownTransport - undo RxCeBuildTransport
 *
 * Return: STATUS_SUCCESS, also for one that was never bound; STATUS_INVALID_PARAMETER: addresses are bound to it.
 * Page:   rxce/RxCeTearDownTransport.
 */
NTSTATUS RxCeTearDownTransport(PRXCE_TRANSPORT pTransport)
{
	PAGED_CODE();
	if (pTransport == NULL)
		return STATUS_INVALID_PARAMETER;
	if (!rx_ce_is_transport(pTransport))
		return STATUS_SUCCESS;
	if (pTransport->AddressCount != 0)
		return STATUS_INVALID_PARAMETER;
	pTransport->Signature = 0;
	rx_ce_loop_put();
	return STATUS_SUCCESS;
}

NTSTATUS RxCeQueryTransportInformation(PRXCE_TRANSPORT pTransport,
				       PRXCE_TRANSPORT_INFORMATION pTransportInformation)
{
	if (!rx_ce_is_transport(pTransport) || pTransportInformation == NULL)
		return STATUS_INVALID_PARAMETER;
	pTransportInformation->ConnectionCount = (ULONG)pTransport->ConnectionCount;
	pTransportInformation->QualityOfService = pTransport->QualityOfService;
	return STATUS_SUCCESS;
}

/* A stream over IP goes through whatever adapter the route says: none is associated with the transport. */
NTSTATUS RxCeQueryAdapterStatus(PRXCE_TRANSPORT pTransport, struct _ADAPTER_STATUS *pAdapterStatus)
{
	if (!rx_ce_is_transport(pTransport) || pAdapterStatus == NULL)
		return STATUS_INVALID_PARAMETER;
	return STATUS_ADDRESS_NOT_ASSOCIATED;
}

/* ---- local addresses ---- */

static bool rx_ce_is_wildcard(PRXCE_TRANSPORT transport, PTRANSPORT_ADDRESS address)
{
	static const UCHAR zero[TDI_ADDRESS_LENGTH_IP6];
	const TA_ADDRESS *first = &address->Address[0];
	ULONG bytes = transport->AddressType == TDI_ADDRESS_TYPE_IP ? TDI_ADDRESS_LENGTH_IP
								    : TDI_ADDRESS_LENGTH_IP6;

	return address->TAAddressCount == 1 && first->AddressType == transport->AddressType &&
	       first->AddressLength >= bytes && RtlEqualMemory(first->Address, zero, bytes);
}

/**
 * RxCeBuildAddress - a local address to connect from
 * @pTransportAddress: [in] the wildcard of the transport's family: address and port 0
 * @pHandler:          [in] kept; its memory stays the caller's
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER.
 * Page:   rxce/RxCeBuildAddress.
 */
NTSTATUS RxCeBuildAddress(PRXCE_ADDRESS pAddress, PRXCE_TRANSPORT pTransport,
			  PTRANSPORT_ADDRESS pTransportAddress, PRXCE_ADDRESS_EVENT_HANDLER pHandler,
			  PVOID pEventContext)
{
	if (pAddress == NULL || !rx_ce_is_transport(pTransport) || pTransportAddress == NULL ||
	    pHandler == NULL || !rx_ce_is_wildcard(pTransport, pTransportAddress))
		return STATUS_INVALID_PARAMETER;
	RtlZeroMemory(pAddress, sizeof(*pAddress));
	pAddress->pTransport = pTransport;
	pAddress->pHandler = pHandler;
	pAddress->pContext = pEventContext;
	InterlockedIncrement(&pTransport->AddressCount);
	pAddress->Signature = RXCE_ADDRESS_SIGNATURE;
	return STATUS_SUCCESS;
}

/* Undoes RxCeBuildAddress. STATUS_INVALID_PARAMETER: connections are made from it, or it is none. */
NTSTATUS RxCeTearDownAddress(PRXCE_ADDRESS pAddress)
{
	if (!rx_ce_is_address(pAddress) || pAddress->ConnectionCount != 0)
		return STATUS_INVALID_PARAMETER;
	pAddress->Signature = 0;
	InterlockedDecrement(&pAddress->pTransport->AddressCount);
	return STATUS_SUCCESS;
}

/* ---- tracked IRPs ---- */

/**
 * RxCeAllocateIrpWithMDL - an IRP that can be found in RxIrpsList until it is freed
 * @Buffer: [in, optional] becomes Irp->MdlAddress; stays the caller's
 *
 * Return: the IRP, to be freed with RxCeFreeIrp; NULL without memory.
 * Page:   rxce/RxCeAllocateIrpWithMDL.
 */
PIRP RxCeAllocateIrpWithMDL(CCHAR StackSize, BOOLEAN ChargeQuota, PMDL Buffer)
{
	PRX_IRP_LIST_ITEM item = ExAllocatePoolWithTag(NonPagedPool, sizeof(*item), RX_TAG_CE_IRP);
	PIRP irp = item != NULL ? IoAllocateIrp(StackSize, ChargeQuota) : NULL;
	KIRQL irql;

	if (irp == NULL) {
		if (item != NULL)
			ExFreePoolWithTag(item, RX_TAG_CE_IRP);
		return NULL;
	}
	irp->MdlAddress = Buffer;
	item->pIrp = irp;
	KeQuerySystemTime(&item->CreateTime);
	KeAcquireSpinLock(&RxIrpsListSpinLock, &irql);
	InsertTailList(&RxIrpsList, &item->IrpsList);
	KeReleaseSpinLock(&RxIrpsListSpinLock, irql);
	return irp;
}

static PRX_IRP_LIST_ITEM rx_ce_take_irp(PIRP irp)
{
	PRX_IRP_LIST_ITEM found = NULL;
	PLIST_ENTRY link;
	KIRQL irql;

	KeAcquireSpinLock(&RxIrpsListSpinLock, &irql);
	for (link = RxIrpsList.Flink; link != &RxIrpsList && found == NULL; link = link->Flink) {
		PRX_IRP_LIST_ITEM item = CONTAINING_RECORD(link, RX_IRP_LIST_ITEM, IrpsList);

		if (item->pIrp == irp)
			found = item;
	}
	if (found != NULL)
		RemoveEntryList(&found->IrpsList);
	KeReleaseSpinLock(&RxIrpsListSpinLock, irql);
	return found;
}

/* Frees an IRP of RxCeAllocateIrpWithMDL; any other is a mistake that stops the process. The MDL is not freed. */
VOID RxCeFreeIrp(PIRP pIrp)
{
	PRX_IRP_LIST_ITEM item = rx_ce_take_irp(pIrp);

	RX_CHECK(item != NULL);
	ExFreePoolWithTag(item, RX_TAG_CE_IRP);
	pIrp->MdlAddress = NULL;
	IoFreeIrp(pIrp);
}
