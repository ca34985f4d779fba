/*
 * test_rxce.c - the connection engine over loopback; the other side is a plain socket in this test.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/rec.h"

#include "rxce.h"

static RXCE_TRANSPORT transport;
static RXCE_ADDRESS address;
static RXCE_CONNECTION connection;
static RXCE_VC vc;

/* What the handlers saw; written on the engine's thread, read after an event. */
static struct {
	char bytes[256];
	volatile LONG have; /* read while more may come */
	ULONG indications;
	ULONG take;       /* of each indication; 0: everything */
	PMDL give;        /* for what follows the first `take` bytes */
	ULONG give_bytes; /* 0: none */
	ULONG ready_bytes;
	NTSTATUS ready_status, disconnect_status, send_status;
	PVOID send_context;
	volatile LONG disconnects;
	KEVENT received, ready, disconnected, sent;
} seen;

static NTSTATUS NTAPI on_receive(PVOID context, PRXCE_VC from, ULONG flags, ULONG indicated, ULONG available,
				 PULONG taken, PVOID tsdu, PMDL *buffer, PULONG size)
{
	ULONG take = seen.take != 0 && seen.take < available ? seen.take : available;

	assert_ptr_equal(context, &seen);
	assert_ptr_equal(from, &vc);
	assert_int_equal(indicated, available);
	assert_true(flags & TDI_RECEIVE_NORMAL);
	memcpy(seen.bytes + InterlockedAdd(&seen.have, 0), tsdu, take);
	assert_true(InterlockedAdd(&seen.have, (LONG)take) <= (LONG)sizeof(seen.bytes));
	seen.indications++;
	*taken = take;
	if (seen.give_bytes != 0) {
		*buffer = seen.give;
		*size = seen.give_bytes;
		seen.give_bytes = 0;
		return STATUS_MORE_PROCESSING_REQUIRED;
	}
	KeSetEvent(&seen.received, IO_NO_INCREMENT, FALSE);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI on_ready(PVOID context, PMDL buffer, ULONG bytes, NTSTATUS status)
{
	(void)context;
	assert_ptr_equal(buffer, seen.give);
	seen.ready_bytes = bytes;
	seen.ready_status = status;
	KeSetEvent(&seen.ready, IO_NO_INCREMENT, FALSE);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI on_disconnect(PVOID context, PRXCE_VC from, NTSTATUS status)
{
	assert_ptr_equal(context, &seen);
	assert_ptr_equal(from, &vc);
	seen.disconnect_status = status;
	InterlockedIncrement(&seen.disconnects);
	KeSetEvent(&seen.disconnected, IO_NO_INCREMENT, FALSE);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI on_sent(PVOID context, PRXCE_VC from, PVOID completion_context, NTSTATUS status)
{
	assert_ptr_equal(context, &seen);
	assert_ptr_equal(from, &vc);
	seen.send_context = completion_context;
	seen.send_status = status;
	KeSetEvent(&seen.sent, IO_NO_INCREMENT, FALSE);
	return STATUS_SUCCESS;
}

static RXCE_CONNECTION_EVENT_HANDLER handler = {on_disconnect, on_receive, on_ready, on_sent};
static RXCE_ADDRESS_EVENT_HANDLER address_handler;
static TA_IP_ADDRESS wildcard = {1, {{TDI_ADDRESS_LENGTH_IP, TDI_ADDRESS_TYPE_IP, {{0, 0, {0}}}}}};

static void wait_for(PKEVENT event)
{
	LARGE_INTEGER limit = {.QuadPart = -20LL * 10000000};

	assert_int_equal(KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static int listener(USHORT *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	*port = at.sin_port; /* network byte order, as TDI has it */
	return fd;
}

static int accept_one(int fd)
{
	struct timeval limit = {.tv_sec = 20};
	int peer;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return peer;
}

static TA_IP_ADDRESS remote_address;

static RXCE_CONNECTION_INFORMATION remote(USHORT port)
{
	RXCE_CONNECTION_INFORMATION information = {.RemoteAddressLength = sizeof(remote_address),
						   .RemoteAddress = &remote_address};

	remote_address = wildcard;
	remote_address.Address[0].Address[0].sin_port = port;
	remote_address.Address[0].Address[0].in_addr = htonl(INADDR_LOOPBACK);
	return information;
}

/* The circuit and the socket at its other end. */
static int connect_pair(void)
{
	USHORT port;
	int fd = listener(&port), peer;
	RXCE_CONNECTION_INFORMATION information = remote(port);

	assert_int_equal(RxCeBuildConnection(&address, &information, &handler, &seen, &connection, &vc),
			 STATUS_SUCCESS);
	peer = accept_one(fd);
	close(fd);
	return peer;
}

static void disconnect(void)
{
	assert_int_equal(RxCeTearDownVC(&vc), STATUS_SUCCESS);
	assert_int_equal(RxCeTearDownConnection(&connection), STATUS_SUCCESS);
}

static int begin(void **state)
{
	UNICODE_STRING tcp = NT_STR(u"\\Device\\Tcp");

	if (rec_setup(state) != 0)
		return -1;
	memset(&seen, 0, sizeof(seen));
	KeInitializeEvent(&seen.received, SynchronizationEvent, FALSE);
	KeInitializeEvent(&seen.ready, SynchronizationEvent, FALSE);
	KeInitializeEvent(&seen.disconnected, NotificationEvent, FALSE);
	KeInitializeEvent(&seen.sent, SynchronizationEvent, FALSE);
	if (!NT_SUCCESS(RxCeBuildTransport(&transport, &tcp, 42)))
		return -1;
	return NT_SUCCESS(RxCeBuildAddress(&address, &transport, (PTRANSPORT_ADDRESS)&wildcard,
					   &address_handler, NULL))
		       ? 0
		       : -1;
}

static int end(void **state)
{
	if (RxCeTearDownAddress(&address) != STATUS_SUCCESS ||
	    RxCeTearDownTransport(&transport) != STATUS_SUCCESS)
		return -1;
	return rec_teardown(state);
}

#define CE_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static PMDL mdl_of(void *bytes, ULONG length)
{
	PMDL mdl = IoAllocateMdl(bytes, length, FALSE, FALSE, NULL);

	assert_non_null(mdl);
	MmBuildMdlForNonPagedPool(mdl);
	return mdl;
}

/* ---- transports and addresses ---- */

/* Tearing down what was never bound is success; what is in use stays. */
static void test_B_RxCeTearDownTransport_01_never_bound(void **state)
{
	RXCE_TRANSPORT never;

	(void)state;
	memset(&never, 0x5A, sizeof(never));
	assert_int_equal(RxCeTearDownTransport(&never), STATUS_SUCCESS);
	assert_int_equal(RxCeTearDownTransport(NULL), STATUS_INVALID_PARAMETER);
	assert_int_equal(RxCeTearDownTransport(&transport), STATUS_INVALID_PARAMETER); /* it has an address */
}

static void test_RxCeBuildTransport_names(void **state)
{
	UNICODE_STRING none = NT_STR(u"\\Device\\Nbf"), tcp6 = NT_STR(u"\\Device\\Tcp6");
	RXCE_TRANSPORT other;

	(void)state;
	assert_int_equal(RxCeBuildTransport(&other, &none, 0), STATUS_INVALID_PARAMETER);
	assert_int_equal(RxCeBuildTransport(NULL, &tcp6, 0), STATUS_INVALID_PARAMETER);
	assert_int_equal(RxCeBuildTransport(&other, &tcp6, 0), STATUS_SUCCESS);
	assert_int_equal(RxCeTearDownTransport(&other), STATUS_SUCCESS);
	assert_int_equal(RxCeTearDownTransport(&other), STATUS_SUCCESS); /* bound no more */
}

static void test_RxCeQueryTransportInformation_counts_connections(void **state)
{
	RXCE_TRANSPORT_INFORMATION information;
	int peer;

	(void)state;
	assert_int_equal(RxCeQueryTransportInformation(&transport, &information), STATUS_SUCCESS);
	assert_int_equal(information.ConnectionCount, 0);
	assert_int_equal(information.QualityOfService, 42);
	peer = connect_pair();
	assert_int_equal(RxCeQueryTransportInformation(&transport, &information), STATUS_SUCCESS);
	assert_int_equal(information.ConnectionCount, 1);
	disconnect();
	close(peer);
	assert_int_equal(RxCeQueryTransportInformation(&transport, &information), STATUS_SUCCESS);
	assert_int_equal(information.ConnectionCount, 0);
	assert_int_equal(RxCeQueryTransportInformation(&transport, NULL), STATUS_INVALID_PARAMETER);
}

static void test_RxCeQueryAdapterStatus_no_adapter(void **state)
{
	UCHAR status[64];

	(void)state;
	assert_int_equal(RxCeQueryAdapterStatus(&transport, (struct _ADAPTER_STATUS *)status),
			 STATUS_ADDRESS_NOT_ASSOCIATED);
	assert_int_equal(RxCeQueryAdapterStatus(NULL, (struct _ADAPTER_STATUS *)status),
			 STATUS_INVALID_PARAMETER);
}

static void test_RxCeBuildAddress_wildcard_only(void **state)
{
	TA_IP_ADDRESS local = wildcard;
	RXCE_ADDRESS other;

	(void)state;
	local.Address[0].Address[0].in_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
		RxCeBuildAddress(&other, &transport, (PTRANSPORT_ADDRESS)&local, &address_handler, NULL),
		STATUS_INVALID_PARAMETER);
	assert_int_equal(
		RxCeBuildAddress(&other, &transport, (PTRANSPORT_ADDRESS)&wildcard, &address_handler, NULL),
		STATUS_SUCCESS);
	assert_int_equal(RxCeTearDownAddress(&other), STATUS_SUCCESS);
	assert_int_equal(RxCeTearDownAddress(&other), STATUS_INVALID_PARAMETER);
}

/* ---- connecting ---- */

static void test_RxCeBuildConnection_refused(void **state)
{
	USHORT port;
	int fd = listener(&port);
	RXCE_CONNECTION_INFORMATION information = remote(port);

	(void)state;
	close(fd);
	assert_int_equal(RxCeBuildConnection(&address, &information, &handler, &seen, &connection, &vc),
			 STATUS_CONNECTION_REFUSED);
	information.RemoteAddressLength = 7; /* not even one address */
	assert_int_equal(RxCeBuildConnection(&address, &information, &handler, &seen, &connection, &vc),
			 STATUS_INVALID_PARAMETER);
	information = remote(port);
	remote_address.Address[0].AddressLength = 200; /* longer than what was given */
	assert_int_equal(RxCeBuildConnection(&address, &information, &handler, &seen, &connection, &vc),
			 STATUS_INVALID_PARAMETER);
}

/* What has circuits is not torn down; an address with connections neither. */
static void test_RxCeTearDownConnection_in_use(void **state)
{
	int peer = connect_pair();
	char byte;

	(void)state;
	assert_int_equal(RxCeTearDownConnection(&connection), STATUS_INVALID_PARAMETER);
	assert_int_equal(RxCeTearDownAddress(&address), STATUS_INVALID_PARAMETER);
	disconnect();
	assert_int_equal(RxCeTearDownVC(&vc), STATUS_INVALID_PARAMETER);
	assert_int_equal(RxCeTearDownConnection(&connection), STATUS_INVALID_PARAMETER);
	assert_int_equal(recv(peer, &byte, 1, 0), 0); /* the stream was closed */
	assert_int_equal(seen.disconnects, 0);
	close(peer);
}

/* A second circuit is a second stream to the same remote address. */
static void test_RxCeBuildVC_second_circuit(void **state)
{
	USHORT port;
	int fd = listener(&port), first, second;
	RXCE_CONNECTION_INFORMATION information = remote(port);
	RXCE_VC other;

	(void)state;
	assert_int_equal(RxCeBuildConnection(&address, &information, &handler, &seen, &connection, &vc),
			 STATUS_SUCCESS);
	assert_int_equal(RxCeBuildVC(&other, &connection), STATUS_SUCCESS);
	first = accept_one(fd);
	second = accept_one(fd);
	assert_int_equal(connection.CircuitCount, 2);
	assert_int_equal(RxCeTearDownVC(&other), STATUS_SUCCESS);
	disconnect();
	close(first);
	close(second);
	close(fd);
	assert_int_equal(RxCeBuildVC(&other, &connection), STATUS_INVALID_PARAMETER);
}

static void test_B_RxCeCancelConnectRequest_01_not_implemented(void **state)
{
	UNICODE_STRING server = NT_STR(u"server");
	RXCE_CONNECTION_INFORMATION information = remote(1);

	(void)state;
	assert_int_equal(RxCeCancelConnectRequest(&address, &server, &information), STATUS_NOT_IMPLEMENTED);
	assert_int_equal(RxCeCancelConnectRequest(NULL, NULL, NULL), STATUS_NOT_IMPLEMENTED);
}

/* ---- bytes ---- */

static void test_RxCeSend_synchronous_and_not(void **state)
{
	int peer = connect_pair(), context;
	char bytes[] = "first second", got[12];
	PMDL all = mdl_of(bytes, 12);

	(void)state;
	assert_int_equal(RxCeSend(&vc, RXCE_SEND_SYNCHRONOUS, all, 6, NULL), STATUS_SUCCESS);
	assert_int_equal(recv(peer, got, 6, MSG_WAITALL), 6);
	assert_memory_equal(got, "first ", 6);
	assert_int_equal(RxCeSend(&vc, 0, all, 12, &context), STATUS_SUCCESS);
	wait_for(&seen.sent);
	assert_ptr_equal(seen.send_context, &context);
	assert_int_equal(seen.send_status, STATUS_SUCCESS);
	assert_int_equal(recv(peer, got, 12, MSG_WAITALL), 12);
	assert_memory_equal(got, bytes, 12);
	assert_int_equal(RxCeSend(&vc, 0, all, 13, NULL), STATUS_INVALID_PARAMETER); /* more than there is */
	assert_int_equal(RxCeSend(&vc, 0, NULL, 1, NULL), STATUS_INVALID_PARAMETER);
	disconnect();
	IoFreeMdl(all);
	close(peer);
}

/* The peer ends: told once, and a send says so. */
static void test_RxCeSend_disconnected(void **state)
{
	int peer = connect_pair();
	char byte = 'x';
	PMDL mdl = mdl_of(&byte, 1);

	(void)state;
	close(peer);
	wait_for(&seen.disconnected);
	assert_int_equal(seen.disconnect_status, STATUS_CONNECTION_DISCONNECTED);
	assert_int_equal(RxCeSend(&vc, RXCE_SEND_SYNCHRONOUS, mdl, 1, NULL), STATUS_CONNECTION_DISCONNECTED);
	assert_int_equal(RxCeSend(&vc, 0, mdl, 1, NULL), STATUS_CONNECTION_DISCONNECTED);
	disconnect();
	assert_int_equal(seen.disconnects, 1);
	IoFreeMdl(mdl);
}

/* What the handler leaves comes again, in order. */
static void test_receive_in_parts(void **state)
{
	int peer = connect_pair();

	(void)state;
	seen.take = 3;
	assert_int_equal(send(peer, "abcdefgh", 8, MSG_NOSIGNAL), 8);
	while (InterlockedAdd(&seen.have, 0) < 8)
		wait_for(&seen.received);
	disconnect();
	assert_memory_equal(seen.bytes, "abcdefgh", 8);
	assert_true(seen.indications >= 3);
	close(peer);
}

/* A buffer of the handler's is filled with what follows the bytes it took, and then it is told. */
static void test_receive_into_a_buffer(void **state)
{
	int peer = connect_pair();
	char body[10];

	(void)state;
	seen.give = mdl_of(body, sizeof(body));
	seen.give_bytes = sizeof(body);
	seen.take = 2;
	assert_int_equal(send(peer, "H:0123", 6, MSG_NOSIGNAL), 6);
	assert_int_equal(send(peer, "456789tail", 10, MSG_NOSIGNAL), 10);
	wait_for(&seen.ready);
	assert_int_equal(seen.ready_status, STATUS_SUCCESS);
	assert_int_equal(seen.ready_bytes, 10);
	assert_memory_equal(body, "0123456789", 10);
	while (InterlockedAdd(&seen.have, 0) < 6)
		wait_for(&seen.received);
	disconnect();
	assert_memory_equal(seen.bytes, "H:tail", 6);
	IoFreeMdl(seen.give);
	close(peer);
}

/* The stream ends in the middle of a buffer: it comes back with what there was. */
static void test_buffer_cut_short(void **state)
{
	int peer = connect_pair();
	char body[10];

	(void)state;
	seen.give = mdl_of(body, sizeof(body));
	seen.give_bytes = sizeof(body);
	seen.take = 2;
	assert_int_equal(send(peer, "H:0123", 6, MSG_NOSIGNAL), 6);
	close(peer);
	wait_for(&seen.ready);
	wait_for(&seen.disconnected);
	assert_int_equal(seen.ready_status, STATUS_CONNECTION_DISCONNECTED);
	assert_int_equal(seen.ready_bytes, 4);
	disconnect();
	IoFreeMdl(seen.give);
}

/* After our own disconnect the peer sees the end, nothing is reported, and the circuit is still to be torn down. */
static void test_RxCeInitiateVCDisconnect(void **state)
{
	int peer = connect_pair();
	char byte;

	(void)state;
	assert_int_equal(RxCeInitiateVCDisconnect(&vc), STATUS_SUCCESS);
	assert_int_equal(recv(peer, &byte, 1, 0), 0);
	assert_int_equal(connection.CircuitCount, 1);
	disconnect();
	assert_int_equal(seen.disconnects, 0);
	assert_int_equal(RxCeInitiateVCDisconnect(&vc), STATUS_INVALID_PARAMETER);
	close(peer);
}

static void test_RxCeSendDatagram_not_supported(void **state)
{
	RXCE_CONNECTION_INFORMATION information = remote(1);
	char byte;
	PMDL mdl = mdl_of(&byte, 1);

	(void)state;
	assert_int_equal(RxCeSendDatagram(&transport, &address, &information, 0, mdl, 1, NULL),
			 STATUS_NOT_SUPPORTED);
	assert_int_equal(RxCeSendDatagram(NULL, &address, &information, 0, mdl, 1, NULL),
			 STATUS_INVALID_PARAMETER);
	IoFreeMdl(mdl);
}

static void test_RxCeQueryInformation_classes(void **state)
{
	RXCE_TRANSPORT_PROVIDER_INFO provider;
	RXCE_CONNECTION_INFORMATION information;
	RXCE_CONNECTION_INFO info;
	DECLSPEC_ALIGN(8) UCHAR remote_info[128];
	int peer = connect_pair();

	(void)state;
	assert_int_equal(
		RxCeQueryInformation(&vc, RxCeTransportProviderInformation, &provider, sizeof(provider)),
		STATUS_SUCCESS);
	assert_true(provider.ServiceFlags & TDI_SERVICE_CONNECTION_MODE);
	assert_int_equal(provider.MaxDatagramSize, 0);
	assert_int_equal(
		RxCeQueryInformation(&vc, RxCeConnectionInformation, &information, sizeof(information)),
		STATUS_SUCCESS);
	assert_int_equal(information.RemoteAddressLength, sizeof(remote_address));
	assert_memory_equal(information.RemoteAddress, &remote_address, sizeof(remote_address));
	assert_int_equal(RxCeQueryInformation(&vc, RxCeConnectionEndpointInformation, &info, sizeof(info)),
			 STATUS_SUCCESS);
	assert_int_equal(info.State, 1);
	assert_int_equal(
		RxCeQueryInformation(&vc, RxCeRemoteAddressInformation, remote_info, sizeof(remote_info)),
		STATUS_SUCCESS);
	assert_int_equal(((PTDI_ADDRESS_INFO)remote_info)->ActivityCount, 1);
	assert_memory_equal(&((PTDI_ADDRESS_INFO)remote_info)->Address, &remote_address,
			    sizeof(remote_address));
	assert_int_equal(RxCeQueryInformation(&vc, RxCeRemoteAddressInformation, remote_info, 8),
			 STATUS_BUFFER_OVERFLOW);
	assert_int_equal(RxCeQueryInformation(&vc, RxCeConnectionInformation, &information, 4),
			 STATUS_BUFFER_OVERFLOW);
	assert_int_equal(RxCeQueryInformation(&vc, 99, &information, sizeof(information)),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(RxCeInitiateVCDisconnect(&vc), STATUS_SUCCESS);
	assert_int_equal(RxCeQueryInformation(&vc, RxCeConnectionEndpointInformation, &info, sizeof(info)),
			 STATUS_SUCCESS);
	assert_int_equal(info.State, 0);
	disconnect();
	close(peer);
}

/* ---- several transports ---- */

static KEVENT raced;

static NTSTATUS NTAPI on_raced(PRXCE_CONNECTION_COMPLETION_CONTEXT context)
{
	(void)context;
	KeSetEvent(&raced, IO_NO_INCREMENT, FALSE);
	return STATUS_SUCCESS;
}

static NTSTATUS race(RXCE_CONNECTION_CREATE_OPTIONS options, ULONG count, PRXCE_ADDRESS *addresses,
		     USHORT port, PRXCE_CONNECTION_COMPLETION_CONTEXT context)
{
	RXCE_CONNECTION_INFORMATION information = remote(port);
	NTSTATUS status;

	*context = (RXCE_CONNECTION_COMPLETION_CONTEXT){.pConnection = &connection, .pVc = &vc};
	KeInitializeEvent(&raced, NotificationEvent, FALSE);
	status = RxCeBuildConnectionOverMultipleTransports(rec.device, options, count, addresses, NULL,
							   &information, &handler, &seen, on_raced, context);
	memset(&remote_address, 0, sizeof(remote_address)); /* the engine has its own copy */
	if (status == STATUS_PENDING)
		wait_for(&raced);
	return status;
}

/* One connection wins, the best is the first of the array; the others are gone when the routine is called. */
static void test_RxCeBuildConnectionOverMultipleTransports_best(void **state)
{
	RXCE_CONNECTION_COMPLETION_CONTEXT context;
	RXCE_ADDRESS second;
	PRXCE_ADDRESS both[] = {&address, &second};
	USHORT port;
	int fd = listener(&port), a, b;
	char byte = 'y';
	PMDL mdl = mdl_of(&byte, 1);

	(void)state;
	assert_int_equal(
		RxCeBuildAddress(&second, &transport, (PTRANSPORT_ADDRESS)&wildcard, &address_handler, NULL),
		STATUS_SUCCESS);
	assert_int_equal(race(RxCeSelectBestSuccessfulTransport, 2, both, port, &context), STATUS_PENDING);
	assert_int_equal(context.Status, STATUS_SUCCESS);
	assert_int_equal(context.AddressIndex, 0);
	assert_ptr_equal(connection.pAddress, &address);
	assert_int_equal(second.ConnectionCount, 0);
	a = accept_one(fd);
	b = accept_one(fd);
	assert_int_equal(RxCeSend(&vc, RXCE_SEND_SYNCHRONOUS, mdl, 1, NULL), STATUS_SUCCESS);
	/* one stream has the byte, the loser's is closed */
	assert_int_equal(recv(a, &byte, 1, 0) + recv(b, &byte, 1, 0), 1);
	disconnect();
	assert_int_equal(race(RxCeSelectFirstSuccessfulTransport, 2, both, port, &context), STATUS_PENDING);
	assert_int_equal(context.Status, STATUS_SUCCESS);
	assert_true(context.AddressIndex < 2);
	disconnect();
	assert_int_equal(RxCeTearDownAddress(&second), STATUS_SUCCESS);
	IoFreeMdl(mdl);
	close(a);
	close(b);
	close(fd);
}

static void test_RxCeBuildConnectionOverMultipleTransports_failures(void **state)
{
	RXCE_CONNECTION_COMPLETION_CONTEXT context;
	RXCE_ADDRESS none = {.Signature = 0};
	PRXCE_ADDRESS good[] = {&address}, bad[] = {&address, &none};
	USHORT port;
	int fd = listener(&port);

	(void)state;
	close(fd);
	assert_int_equal(race(RxCeSelectBestSuccessfulTransport, 1, good, port, &context), STATUS_PENDING);
	assert_int_equal(context.Status, STATUS_CONNECTION_REFUSED);
	assert_int_equal(race(RxCeSelectBestSuccessfulTransport, 2, bad, port, &context),
			 STATUS_INVALID_HANDLE);
	assert_int_equal(race(RxCeSelectBestSuccessfulTransport, 0, good, port, &context),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(race(RxCeSelectAllSuccessfulTransports, 1, good, port, &context),
			 STATUS_NOT_SUPPORTED);
	assert_int_equal(address.ConnectionCount, 0);
}

/* ---- IRPs ---- */

static ULONG tracked(PIRP irp)
{
	PLIST_ENTRY link;
	ULONG n = 0;
	KIRQL irql;

	KeAcquireSpinLock(&RxIrpsListSpinLock, &irql);
	for (link = RxIrpsList.Flink; link != &RxIrpsList; link = link->Flink)
		n += CONTAINING_RECORD(link, RX_IRP_LIST_ITEM, IrpsList)->pIrp == irp;
	KeReleaseSpinLock(&RxIrpsListSpinLock, irql);
	return n;
}

/* An IRP can be found until it is freed; its MDL stays the caller's; without memory there is none, and no leak. */
static void test_RxCeAllocateIrpWithMDL_and_RxCeFreeIrp(void **state)
{
	char byte;
	PMDL mdl = mdl_of(&byte, 1);
	PIRP irp = RxCeAllocateIrpWithMDL(2, FALSE, mdl);
	long n;

	(void)state;
	assert_non_null(irp);
	assert_ptr_equal(irp->MdlAddress, mdl);
	assert_int_equal(irp->StackCount, 2);
	assert_int_equal(tracked(irp), 1);
	RxCeFreeIrp(irp);
	assert_true(IsListEmpty(&RxIrpsList));
	assert_int_equal(MmGetMdlByteCount(mdl), 1);
	for (n = 0; n < 2; n++) {
		nt_fault_arm(n);
		assert_null(RxCeAllocateIrpWithMDL(1, FALSE, mdl));
		assert_true(nt_fault_disarm());
	}
	assert_true(IsListEmpty(&RxIrpsList));
	IoFreeMdl(mdl);
}

/* Every allocation of a connect may fail: an error, and nothing is left. */
static void test_no_memory(void **state)
{
	USHORT port;
	int fd = listener(&port);
	RXCE_CONNECTION_INFORMATION information = remote(port);
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	long n;

	(void)state;
	for (n = 0; status != STATUS_SUCCESS; n++) {
		assert_true(n < 100);
		nt_fault_arm(n);
		status = RxCeBuildConnection(&address, &information, &handler, &seen, &connection, &vc);
		(void)nt_fault_disarm();
		assert_true(status == STATUS_SUCCESS || status == STATUS_INSUFFICIENT_RESOURCES);
	}
	assert_true(n > 1);
	disconnect();
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CE_TEST(test_B_RxCeTearDownTransport_01_never_bound),
		CE_TEST(test_RxCeBuildTransport_names),
		CE_TEST(test_RxCeQueryTransportInformation_counts_connections),
		CE_TEST(test_RxCeQueryAdapterStatus_no_adapter),
		CE_TEST(test_RxCeBuildAddress_wildcard_only),
		CE_TEST(test_RxCeBuildConnection_refused),
		CE_TEST(test_RxCeTearDownConnection_in_use),
		CE_TEST(test_RxCeBuildVC_second_circuit),
		CE_TEST(test_B_RxCeCancelConnectRequest_01_not_implemented),
		CE_TEST(test_RxCeSend_synchronous_and_not),
		CE_TEST(test_RxCeSend_disconnected),
		CE_TEST(test_receive_in_parts),
		CE_TEST(test_receive_into_a_buffer),
		CE_TEST(test_buffer_cut_short),
		CE_TEST(test_RxCeInitiateVCDisconnect),
		CE_TEST(test_RxCeSendDatagram_not_supported),
		CE_TEST(test_RxCeQueryInformation_classes),
		CE_TEST(test_RxCeBuildConnectionOverMultipleTransports_best),
		CE_TEST(test_RxCeBuildConnectionOverMultipleTransports_failures),
		CE_TEST(test_RxCeAllocateIrpWithMDL_and_RxCeFreeIrp),
		CE_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
