/*
 * connection.c - connections and their virtual circuits.
 *
 * Owns:   the circuit of each RXCE_VC.
 * Locks:  none: one structure is built and torn down by one thread at a time; counts are interlocked.
 *
 * Every circuit of a connection is a stream of its own to the same remote address.
 */
#include "core/transport/connection.h"

#include "ntstrsafe.h"

#define RX_TAG_CE_SEND 'sExR'

/* ---- the remote address ---- */

static USHORT rx_ce_network_short(const UCHAR *bytes)
{
	return (USHORT)(bytes[0] << 8 | bytes[1]);
}

static bool rx_ce_format_v4(const UCHAR *address, struct rx_ce_remote *remote)
{
	const UCHAR *ip = address + FIELD_OFFSET(TDI_ADDRESS_IP, in_addr);

	remote->port = rx_ce_network_short(address);
	return NT_SUCCESS(RtlStringCchPrintfA(remote->host, sizeof(remote->host), "%u.%u.%u.%u", ip[0], ip[1],
					      ip[2], ip[3]));
}

static bool rx_ce_format_v6(const UCHAR *address, struct rx_ce_remote *remote)
{
	const UCHAR *ip = address + FIELD_OFFSET(TDI_ADDRESS_IP6, sin6_addr);

	remote->port = rx_ce_network_short(address);
	return NT_SUCCESS(RtlStringCchPrintfA(remote->host, sizeof(remote->host), "%x:%x:%x:%x:%x:%x:%x:%x",
					      rx_ce_network_short(ip), rx_ce_network_short(ip + 2),
					      rx_ce_network_short(ip + 4), rx_ce_network_short(ip + 6),
					      rx_ce_network_short(ip + 8), rx_ce_network_short(ip + 10),
					      rx_ce_network_short(ip + 12), rx_ce_network_short(ip + 14)));
}

/* The first address of a family; NULL: none. What does not fit into `length` bytes is not looked at. */
static const TA_ADDRESS *rx_ce_find_address(const TRANSPORT_ADDRESS *list, LONG length, USHORT type,
					    ULONG bytes)
{
	const LONG head = FIELD_OFFSET(TA_ADDRESS, Address);
	LONG at = FIELD_OFFSET(TRANSPORT_ADDRESS, Address);

	for (LONG i = 0; length >= at && i < list->TAAddressCount && length - at >= head; i++) {
		const TA_ADDRESS *address = (const TA_ADDRESS *)((const UCHAR *)list + at);

		if (address->AddressLength > length - at - head)
			return NULL;
		if (address->AddressType == type && address->AddressLength >= bytes)
			return address;
		at += head + address->AddressLength;
	}
	return NULL;
}

bool rx_ce_remote_of(PRXCE_TRANSPORT transport, PRXCE_CONNECTION_INFORMATION information,
		     struct rx_ce_remote *remote)
{
	bool v4 = transport->AddressType == TDI_ADDRESS_TYPE_IP;
	const TA_ADDRESS *address;

	if (information == NULL || information->RemoteAddress == NULL ||
	    information->RemoteAddressLength < (LONG)FIELD_OFFSET(TRANSPORT_ADDRESS, Address) ||
	    information->RemoteAddressLength > RXCE_MAXIMUM_ADDRESS_BYTES)
		return false;
	address = rx_ce_find_address(information->RemoteAddress, information->RemoteAddressLength,
				     transport->AddressType,
				     v4 ? TDI_ADDRESS_LENGTH_IP : TDI_ADDRESS_LENGTH_IP6);
	if (address == NULL)
		return false;
	return v4 ? rx_ce_format_v4(address->Address, remote) : rx_ce_format_v6(address->Address, remote);
}

/* ---- building ---- */

void rx_ce_connection_init(PRXCE_CONNECTION connection, PRXCE_ADDRESS address,
			   PRXCE_CONNECTION_INFORMATION information, PRXCE_CONNECTION_EVENT_HANDLER handler,
			   PVOID context)
{
	RtlZeroMemory(connection, sizeof(*connection));
	connection->pAddress = address;
	connection->pHandler = handler;
	connection->pContext = context;
	connection->RemoteAddressLength = (ULONG)information->RemoteAddressLength;
	RtlCopyMemory(connection->RemoteAddress, information->RemoteAddress, connection->RemoteAddressLength);
	InterlockedIncrement(&address->ConnectionCount);
	InterlockedIncrement(&address->pTransport->ConnectionCount);
	connection->Signature = RXCE_CONNECTION_SIGNATURE;
}

void rx_ce_vc_init(PRXCE_VC vc, PRXCE_CONNECTION connection, struct rx_ce_circuit *circuit)
{
	vc->pConnection = connection;
	vc->pCircuit = circuit;
	InterlockedIncrement(&connection->CircuitCount);
	vc->Signature = RXCE_VC_SIGNATURE;
	rx_ce_circuit_give(circuit, vc, connection->pHandler, connection->pContext);
}

/* A connect that one thread waits for. */
struct rx_ce_wait {
	KEVENT answered;
	NTSTATUS status;
};

static void rx_ce_wait_is_over(struct rx_ce_circuit *circuit, void *context, NTSTATUS status)
{
	struct rx_ce_wait *wait = context;

	(void)circuit;
	wait->status = status;
	KeSetEvent(&wait->answered, IO_NO_INCREMENT, FALSE);
}

/* Connects and waits. Blocks RX_CE_CONNECT_TIME at most. */
static NTSTATUS rx_ce_connect(const struct rx_ce_remote *remote, struct rx_ce_circuit **circuit)
{
	struct rx_ce_wait wait;
	struct nt_loop *loop;
	NTSTATUS status = rx_ce_loop_get(&loop);

	if (!NT_SUCCESS(status))
		return status;
	KeInitializeEvent(&wait.answered, NotificationEvent, FALSE);
	status = rx_ce_circuit_start(loop, remote, rx_ce_wait_is_over, &wait, circuit);
	if (NT_SUCCESS(status)) {
		(void)KeWaitForSingleObject(&wait.answered, Executive, KernelMode, FALSE, NULL);
		status = wait.status;
		if (!NT_SUCCESS(status)) {
			rx_ce_circuit_end(*circuit);
			*circuit = NULL;
		}
	}
	rx_ce_loop_put(); /* the transport keeps it */
	return status;
}

/**
 * RxCeBuildConnection - connect to a remote address, with a first virtual circuit
 * @pAddress:               [in] local address
 * @pConnectionInformation: [in] RemoteAddress: one address of the transport's family; copied
 * @pHandler:               [in] its memory stays the caller's, for as long as there is a circuit
 * @pConnection:            [out] memory of the caller
 * @pVc:                    [out] memory of the caller; receive indications may come before this returns
 *
 * Context: PASSIVE_LEVEL, blocks for up to ten seconds.
 * Return:  STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES, or why there is no connection
 *          (STATUS_CONNECTION_REFUSED, STATUS_HOST_UNREACHABLE, STATUS_IO_TIMEOUT, ...).
 * Page:    rxce/RxCeBuildConnection.
 */
NTSTATUS RxCeBuildConnection(PRXCE_ADDRESS pAddress, PRXCE_CONNECTION_INFORMATION pConnectionInformation,
			     PRXCE_CONNECTION_EVENT_HANDLER pHandler, PVOID pEventContext,
			     PRXCE_CONNECTION pConnection, PRXCE_VC pVc)
{
	struct rx_ce_circuit *circuit;
	struct rx_ce_remote remote;
	NTSTATUS status;

	PAGED_CODE();
	if (!rx_ce_is_address(pAddress) || pHandler == NULL || pConnection == NULL || pVc == NULL ||
	    !rx_ce_remote_of(pAddress->pTransport, pConnectionInformation, &remote))
		return STATUS_INVALID_PARAMETER;
	status = rx_ce_connect(&remote, &circuit);
	if (!NT_SUCCESS(status))
		return status;
	rx_ce_connection_init(pConnection, pAddress, pConnectionInformation, pHandler, pEventContext);
	rx_ce_vc_init(pVc, pConnection, circuit);
	return STATUS_SUCCESS;
}

/* One more circuit on a connection. Blocks as RxCeBuildConnection does. Page: rxce/RxCeBuildVC. */
NTSTATUS RxCeBuildVC(PRXCE_VC pVc, PRXCE_CONNECTION pConnection)
{
	RXCE_CONNECTION_INFORMATION information = {.RemoteAddressLength = 0};
	struct rx_ce_circuit *circuit;
	struct rx_ce_remote remote;
	NTSTATUS status;

	PAGED_CODE();
	if (pVc == NULL || !rx_ce_is_connection(pConnection))
		return STATUS_INVALID_PARAMETER;
	information.RemoteAddress = pConnection->RemoteAddress;
	information.RemoteAddressLength = (LONG)pConnection->RemoteAddressLength;
	if (!rx_ce_remote_of(pConnection->pAddress->pTransport, &information, &remote))
		return STATUS_INVALID_PARAMETER;
	status = rx_ce_connect(&remote, &circuit);
	if (NT_SUCCESS(status))
		rx_ce_vc_init(pVc, pConnection, circuit);
	return status;
}

/**
 * RxCeCancelConnectRequest - the page: it is not implemented; a connect ends by itself after ten seconds
 */
NTSTATUS RxCeCancelConnectRequest(PRXCE_ADDRESS pLocalAddress, PUNICODE_STRING pServerName,
				  PRXCE_CONNECTION_INFORMATION pConnectionInformation)
{
	(void)pLocalAddress;
	(void)pServerName;
	(void)pConnectionInformation;
	return STATUS_NOT_IMPLEMENTED;
}

/* ---- tearing down ---- */

/* The stream is closed; what is under way ends with an error. Nothing is indicated any more. Blocks shortly. */
NTSTATUS RxCeInitiateVCDisconnect(PRXCE_VC pVc)
{
	PAGED_CODE();
	if (!rx_ce_is_vc(pVc))
		return STATUS_INVALID_PARAMETER;
	rx_ce_circuit_stop(pVc->pCircuit);
	return STATUS_SUCCESS;
}

/* Disconnects and forgets a circuit; no handler runs for it after this returns. Not from a handler: blocks shortly. */
NTSTATUS RxCeTearDownVC(PRXCE_VC pVc)
{
	PAGED_CODE();
	if (!rx_ce_is_vc(pVc))
		return STATUS_INVALID_PARAMETER;
	pVc->Signature = 0;
	rx_ce_circuit_end(pVc->pCircuit);
	pVc->pCircuit = NULL;
	InterlockedDecrement(&pVc->pConnection->CircuitCount);
	return STATUS_SUCCESS;
}

/* Undoes RxCeBuildConnection. STATUS_INVALID_PARAMETER: it has circuits still, or it is none. */
NTSTATUS RxCeTearDownConnection(PRXCE_CONNECTION pConnection)
{
	PRXCE_ADDRESS address;

	if (!rx_ce_is_connection(pConnection) || pConnection->CircuitCount != 0)
		return STATUS_INVALID_PARAMETER;
	pConnection->Signature = 0;
	address = pConnection->pAddress;
	InterlockedDecrement(&address->pTransport->ConnectionCount);
	InterlockedDecrement(&address->ConnectionCount);
	return STATUS_SUCCESS;
}

/* ---- asking ---- */

static NTSTATUS rx_ce_answer(PVOID to, ULONG length, const void *from, ULONG bytes)
{
	if (length < bytes)
		return STATUS_BUFFER_OVERFLOW;
	RtlCopyMemory(to, from, bytes);
	return STATUS_SUCCESS;
}

static NTSTATUS rx_ce_query_connection(PRXCE_CONNECTION connection, PVOID to, ULONG length)
{
	RXCE_CONNECTION_INFORMATION information = {.RemoteAddressLength =
							   (LONG)connection->RemoteAddressLength,
						   .RemoteAddress = connection->RemoteAddress};

	return rx_ce_answer(to, length, &information, sizeof(information));
}

static NTSTATUS rx_ce_query_endpoint(struct rx_ce_circuit *circuit, PVOID to, ULONG length)
{
	RXCE_CONNECTION_INFO info = {
		.State = (ULONG)InterlockedCompareExchange(&circuit->up, 0, 0),
		.TransmittedTsdus = (ULONG)InterlockedCompareExchange(&circuit->transmitted, 0, 0),
		.ReceivedTsdus = (ULONG)InterlockedCompareExchange(&circuit->received, 0, 0),
		.Throughput = {.QuadPart = -1},
		.Delay = {.QuadPart = -1},
		.ReceiveBufferSize = RX_CE_RECEIVE_BYTES,
	};

	return rx_ce_answer(to, length, &info, sizeof(info));
}

static NTSTATUS rx_ce_query_remote(PRXCE_CONNECTION connection, PVOID to, ULONG length)
{
	const ULONG head = FIELD_OFFSET(TDI_ADDRESS_INFO, Address);
	PTDI_ADDRESS_INFO info = to;

	if (length < head + connection->RemoteAddressLength)
		return STATUS_BUFFER_OVERFLOW;
	info->ActivityCount = (ULONG)connection->CircuitCount;
	RtlCopyMemory(&info->Address, connection->RemoteAddress, connection->RemoteAddressLength);
	return STATUS_SUCCESS;
}

/**
 * RxCeQueryInformation - about a connection and its circuit
 * @pInformation: [out] by class: RXCE_TRANSPORT_PROVIDER_INFO, RXCE_CONNECTION_INFORMATION (its RemoteAddress stays
 *                the connection's), RXCE_CONNECTION_INFO, TDI_ADDRESS_INFO
 * @Length:       [in] bytes
 *
 * Return: STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW (nothing is written), STATUS_INVALID_PARAMETER.
 * Page:   rxce/RxCeQueryInformation.
 */
NTSTATUS RxCeQueryInformation(PRXCE_VC pVc, RXCE_CONNECTION_INFORMATION_CLASS InformationClass,
			      PVOID pInformation, ULONG Length)
{
	if (!rx_ce_is_vc(pVc) || pInformation == NULL)
		return STATUS_INVALID_PARAMETER;
	switch (InformationClass) {
	case RxCeTransportProviderInformation:
		return rx_ce_answer(pInformation, Length, &pVc->pConnection->pAddress->pTransport->Provider,
				    sizeof(RXCE_TRANSPORT_PROVIDER_INFO));
	case RxCeConnectionInformation:
		return rx_ce_query_connection(pVc->pConnection, pInformation, Length);
	case RxCeConnectionEndpointInformation:
		return rx_ce_query_endpoint(pVc->pCircuit, pInformation, Length);
	case RxCeRemoteAddressInformation:
		return rx_ce_query_remote(pVc->pConnection, pInformation, Length);
	default:
		return STATUS_INVALID_PARAMETER;
	}
}

/* ---- sending ---- */

struct rx_ce_send {
	struct nt_loop_task task;
	struct nt_send send;
	struct iovec iov;
	struct rx_ce_circuit *circuit;
	PVOID completion_context;
	bool synchronous;
	KEVENT done;
	NTSTATUS status;
};

static void rx_ce_send_done(struct nt_send *nt_send, NTSTATUS status)
{
	struct rx_ce_send *send = CONTAINING_RECORD(nt_send, struct rx_ce_send, send);
	struct rx_ce_circuit *circuit = send->circuit;

	if (NT_SUCCESS(status))
		InterlockedIncrement(&circuit->transmitted);
	if (send->synchronous) {
		send->status = status;
		KeSetEvent(&send->done, IO_NO_INCREMENT, FALSE);
		return; /* its memory is the waiting thread's */
	}
	if (circuit->vc != NULL && circuit->handler->RxCeSendCompleteEventHandler != NULL)
		(void)circuit->handler->RxCeSendCompleteEventHandler(circuit->context, circuit->vc,
								     send->completion_context, status);
	ExFreePoolWithTag(send, RX_TAG_CE_SEND);
}

static void rx_ce_send_task(struct nt_loop_task *task)
{
	struct rx_ce_send *send = CONTAINING_RECORD(task, struct rx_ce_send, task);

	if (send->circuit->stream == NULL || InterlockedCompareExchange(&send->circuit->up, 0, 0) == 0)
		rx_ce_send_done(&send->send, STATUS_CONNECTION_DISCONNECTED);
	else
		nt_stream_send(send->circuit->stream, &send->send);
}

static void rx_ce_send_fill(struct rx_ce_send *send, struct rx_ce_circuit *circuit, PMDL mdl, ULONG bytes)
{
	send->circuit = circuit;
	send->iov = (struct iovec){MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), bytes};
	send->send.iov = &send->iov;
	send->send.count = 1;
	send->send.done = rx_ce_send_done;
	send->task.fn = rx_ce_send_task;
}

static NTSTATUS rx_ce_send_and_wait(struct rx_ce_circuit *circuit, PMDL mdl, ULONG bytes)
{
	struct rx_ce_send send = {.synchronous = true};

	rx_assert_may_block();
	KeInitializeEvent(&send.done, NotificationEvent, FALSE);
	rx_ce_send_fill(&send, circuit, mdl, bytes);
	nt_loop_post(circuit->loop, &send.task);
	(void)KeWaitForSingleObject(&send.done, Executive, KernelMode, FALSE, NULL);
	return send.status;
}

/**
 * RxCeSend - send a transport service data unit
 * @SendOptions:        [in] RXCE_SEND_SYNCHRONOUS: returns when the bytes are the transport's; the others are hints
 * @pMdl:               [in] the caller's until then, or until RxCeSendCompleteEventHandler
 * @SendLength:         [in] bytes, at most those of the MDL
 * @pCompletionContext: [in] for that handler
 *
 * Context: <= DISPATCH_LEVEL; PASSIVE_LEVEL, blocking, with RXCE_SEND_SYNCHRONOUS.
 * Return:  STATUS_SUCCESS (sent, or queued), STATUS_CONNECTION_DISCONNECTED, STATUS_INVALID_PARAMETER,
 *          STATUS_INSUFFICIENT_RESOURCES; the handler is not called after a failure.
 * Page:    rxce/RxCeSend.
 */
NTSTATUS RxCeSend(PRXCE_VC pVc, ULONG SendOptions, PMDL pMdl, ULONG SendLength, PVOID pCompletionContext)
{
	struct rx_ce_send *send;

	if (!rx_ce_is_vc(pVc) || pMdl == NULL || SendLength == 0 || SendLength > MmGetMdlByteCount(pMdl))
		return STATUS_INVALID_PARAMETER;
	if (InterlockedCompareExchange(&pVc->pCircuit->up, 0, 0) == 0)
		return STATUS_CONNECTION_DISCONNECTED;
	if ((SendOptions & RXCE_SEND_SYNCHRONOUS) != 0)
		return rx_ce_send_and_wait(pVc->pCircuit, pMdl, SendLength);
	send = ExAllocatePoolZero(NonPagedPool, sizeof(*send), RX_TAG_CE_SEND);
	if (send == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	send->completion_context = pCompletionContext;
	rx_ce_send_fill(send, pVc->pCircuit, pMdl, SendLength);
	nt_loop_post(pVc->pCircuit->loop, &send->task);
	return STATUS_SUCCESS;
}

/* No transport of this engine carries datagrams. Page: rxce/RxCeSendDatagram. */
NTSTATUS RxCeSendDatagram(PRXCE_TRANSPORT pTransport, PRXCE_ADDRESS pAddress,
			  PRXCE_CONNECTION_INFORMATION pConnectionInformation, ULONG Options, PMDL pMdl,
			  ULONG SendLength, PVOID pCompletionContext)
{
	(void)Options;
	(void)SendLength;
	(void)pCompletionContext;
	if (!rx_ce_is_transport(pTransport) || !rx_ce_is_address(pAddress) ||
	    pConnectionInformation == NULL || pMdl == NULL)
		return STATUS_INVALID_PARAMETER;
	return STATUS_NOT_SUPPORTED;
}
