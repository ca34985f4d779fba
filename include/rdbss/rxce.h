/*
 * rxce.h - the connection engine: transports, addresses, connections and virtual circuits.
 *
 * On Windows it stands on TDI. Here there is one kind of transport, TCP: `\Device\Tcp` (IPv4) and `\Device\Tcp6`. It
 * carries no datagrams and has no adapter to ask, and a local address is the wildcard: what asks for more is refused.
 * A new driver had better use nt_net.h, which this is made of.
 *
 * The structures are the caller's memory, uninitialised before the routine that builds them; members belong to the
 * engine. Handlers run on the engine's thread at DISPATCH_LEVEL and do not wait. Under the sim executive there is no
 * network: building a transport fails with STATUS_NOT_SUPPORTED.
 */
#ifndef RX_RXCE_H
#define RX_RXCE_H

#include "rxtypes/forward.h"
#include "tdi.h"

typedef TDI_CONNECTION_INFORMATION RXCE_CONNECTION_INFORMATION, *PRXCE_CONNECTION_INFORMATION;
typedef TDI_CONNECTION_INFO RXCE_CONNECTION_INFO, *PRXCE_CONNECTION_INFO;
typedef TDI_PROVIDER_INFO RXCE_TRANSPORT_PROVIDER_INFO, *PRXCE_TRANSPORT_PROVIDER_INFO;

#define RXCE_MAXIMUM_ADDRESS_BYTES 64 /* of a TRANSPORT_ADDRESS that the engine keeps */

typedef struct _RXCE_TRANSPORT_ {
	ULONG Signature;
	ULONG QualityOfService;
	volatile LONG AddressCount;
	volatile LONG ConnectionCount;
	USHORT AddressType; /* that it carries */
	TDI_PROVIDER_INFO Provider;
} RXCE_TRANSPORT, *PRXCE_TRANSPORT;

typedef struct _RXCE_TRANSPORT_INFORMATION_ {
	ULONG ConnectionCount;
	ULONG QualityOfService;
} RXCE_TRANSPORT_INFORMATION, *PRXCE_TRANSPORT_INFORMATION;

/* Errors of an address; nothing of TCP's is reported here. */
typedef struct _RXCE_ADDRESS_EVENT_HANDLER_ {
	NTSTATUS(NTAPI *RxCeErrorEventHandler)(PVOID EventContext, NTSTATUS Status);
} RXCE_ADDRESS_EVENT_HANDLER, *PRXCE_ADDRESS_EVENT_HANDLER;

typedef struct _RXCE_ADDRESS_ {
	ULONG Signature;
	PRXCE_TRANSPORT pTransport;
	volatile LONG ConnectionCount;
	PRXCE_ADDRESS_EVENT_HANDLER pHandler;
	PVOID pContext;
} RXCE_ADDRESS, *PRXCE_ADDRESS;

typedef struct _RXCE_VC_ *PRXCE_VC;

/*
 * BytesAvailable bytes stand at Tsdu. The handler takes *BytesTaken of them; the rest comes again with what follows.
 * With STATUS_MORE_PROCESSING_REQUIRED it gives a buffer for the *DataBufferSize bytes that follow those taken;
 * RxCeDataReadyEventHandler says when it is full.
 */
typedef NTSTATUS(NTAPI RXCE_IND_RECEIVE)(PVOID EventContext, PRXCE_VC pVc, ULONG ReceiveFlags,
					 ULONG BytesIndicated, ULONG BytesAvailable, PULONG BytesTaken,
					 PVOID Tsdu, PMDL *pDataBufferPointer, PULONG pDataBufferSize);

typedef struct _RXCE_CONNECTION_EVENT_HANDLER_ {
	/* The circuit ended, by the peer or by an error; not after RxCeInitiateVCDisconnect or a tear-down. */
	NTSTATUS(NTAPI *RxCeDisconnectEventHandler)(PVOID EventContext, PRXCE_VC pVc, NTSTATUS Status);
	RXCE_IND_RECEIVE *RxCeReceiveEventHandler;
	NTSTATUS(NTAPI *RxCeDataReadyEventHandler)
	(PVOID EventContext, PMDL pBuffer, ULONG DataSize, NTSTATUS Status);
	/* A send that was not synchronous is over; the MDL is the caller's again. */
	NTSTATUS(NTAPI *RxCeSendCompleteEventHandler)
	(PVOID EventContext, PRXCE_VC pVc, PVOID pCompletionContext, NTSTATUS Status);
} RXCE_CONNECTION_EVENT_HANDLER, *PRXCE_CONNECTION_EVENT_HANDLER;

typedef struct _RXCE_CONNECTION_ {
	ULONG Signature;
	PRXCE_ADDRESS pAddress;
	volatile LONG CircuitCount;
	PRXCE_CONNECTION_EVENT_HANDLER pHandler;
	PVOID pContext;
	ULONG RemoteAddressLength;
	DECLSPEC_ALIGN(8) UCHAR RemoteAddress[RXCE_MAXIMUM_ADDRESS_BYTES];
} RXCE_CONNECTION, *PRXCE_CONNECTION;

typedef struct _RXCE_VC_ {
	ULONG Signature;
	PRXCE_CONNECTION pConnection;
	struct rx_ce_circuit *pCircuit;
} RXCE_VC;

/*
 * Made by the caller of RxCeBuildConnectionOverMultipleTransports, with pConnection and pVc pointing to its memory;
 * the engine fills in Status and which local address won.
 */
typedef struct _RXCE_CONNECTION_COMPLETION_CONTEXT_ {
	NTSTATUS Status;
	ULONG AddressIndex;
	PRXCE_CONNECTION pConnection;
	PRXCE_VC pVc;
} RXCE_CONNECTION_COMPLETION_CONTEXT, *PRXCE_CONNECTION_COMPLETION_CONTEXT;

struct _ADAPTER_STATUS;
/* Runs on a worker. */
typedef NTSTATUS(NTAPI *PRXCE_CONNECTION_COMPLETION_ROUTINE)(PRXCE_CONNECTION_COMPLETION_CONTEXT Context);

/* RxCeSelectAllSuccessfulTransports is refused: the completion context has room for one. */
typedef enum _RXCE_CONNECTION_CREATE_OPTIONS_ {
	RxCeSelectFirstSuccessfulTransport,
	RxCeSelectBestSuccessfulTransport,
	RxCeSelectAllSuccessfulTransports
} RXCE_CONNECTION_CREATE_OPTIONS;

typedef enum _RXCE_CONNECTION_INFORMATION_CLASS {
	RxCeTransportProviderInformation = 1,
	RxCeConnectionInformation,
	RxCeConnectionEndpointInformation,
	RxCeRemoteAddressInformation
} RXCE_CONNECTION_INFORMATION_CLASS;

/* The first three are TDI's; the others are values of ours. */
#define RXCE_SEND_EXPEDITED TDI_SEND_EXPEDITED
#define RXCE_SEND_NO_RESPONSE_EXPECTED TDI_SEND_NO_RESPONSE_EXPECTED
#define RXCE_SEND_NON_BLOCKING TDI_SEND_NON_BLOCKING
#define RXCE_SEND_PARTIAL 0x1000
#define RXCE_SEND_SYNCHRONOUS 0x2000

/* Every IRP made here and not yet freed, for a debugger or a test: PIRP in RX_IRP_LIST_ITEM. */
typedef struct _RX_IRP_LIST_ITEM {
	LIST_ENTRY IrpsList;
	PIRP pIrp;
	LARGE_INTEGER CreateTime; /* 100 ns since 1601 */
} RX_IRP_LIST_ITEM, *PRX_IRP_LIST_ITEM;
extern LIST_ENTRY RxIrpsList;
extern KSPIN_LOCK RxIrpsListSpinLock;

PIRP RxCeAllocateIrpWithMDL(_In_ CCHAR StackSize, _In_ BOOLEAN ChargeQuota, _In_ PMDL Buffer);
VOID RxCeFreeIrp(PIRP pIrp);
NTSTATUS RxCeBuildTransport(_In_ PRXCE_TRANSPORT pTransport, _In_ PUNICODE_STRING pTransportName,
			    _In_ ULONG QualityOfService);
NTSTATUS RxCeTearDownTransport(_In_ PRXCE_TRANSPORT pTransport);
NTSTATUS RxCeQueryTransportInformation(PRXCE_TRANSPORT pTransport,
				       PRXCE_TRANSPORT_INFORMATION pTransportInformation);
NTSTATUS RxCeQueryAdapterStatus(PRXCE_TRANSPORT pTransport, struct _ADAPTER_STATUS *pAdapterStatus);
NTSTATUS RxCeBuildAddress(_Inout_ PRXCE_ADDRESS pAddress, _In_ PRXCE_TRANSPORT pTransport,
			  _In_ PTRANSPORT_ADDRESS pTransportAddress,
			  _In_ PRXCE_ADDRESS_EVENT_HANDLER pHandler, _In_ PVOID pEventContext);
NTSTATUS RxCeTearDownAddress(_In_ PRXCE_ADDRESS pAddress);
NTSTATUS RxCeBuildConnection(_In_ PRXCE_ADDRESS pAddress,
			     _In_ PRXCE_CONNECTION_INFORMATION pConnectionInformation,
			     _In_ PRXCE_CONNECTION_EVENT_HANDLER pHandler, _In_ PVOID pEventContext,
			     _Inout_ PRXCE_CONNECTION pConnection, _Inout_ PRXCE_VC pVc);
NTSTATUS RxCeBuildConnectionOverMultipleTransports(
	_Inout_ PRDBSS_DEVICE_OBJECT pMiniRedirectorDeviceObject,
	_In_ RXCE_CONNECTION_CREATE_OPTIONS CreateOptions, _In_ ULONG NumberOfAddresses,
	_In_ PRXCE_ADDRESS *pLocalAddressPointers, _In_ PUNICODE_STRING pServerName,
	_In_ PRXCE_CONNECTION_INFORMATION pConnectionInformation,
	_In_ PRXCE_CONNECTION_EVENT_HANDLER pHandler, _In_ PVOID pEventContext,
	_In_ PRXCE_CONNECTION_COMPLETION_ROUTINE pCompletionRoutine,
	_Inout_ PRXCE_CONNECTION_COMPLETION_CONTEXT pCompletionContext);
NTSTATUS RxCeCancelConnectRequest(_In_ PRXCE_ADDRESS pLocalAddress, _In_ PUNICODE_STRING pServerName,
				  _In_ PRXCE_CONNECTION_INFORMATION pConnectionInformation);
NTSTATUS RxCeTearDownConnection(_In_ PRXCE_CONNECTION pConnection);
NTSTATUS RxCeBuildVC(_Inout_ PRXCE_VC pVc, _In_ PRXCE_CONNECTION pConnection);
NTSTATUS RxCeInitiateVCDisconnect(_In_ PRXCE_VC pVc);
NTSTATUS RxCeTearDownVC(_In_ PRXCE_VC pVc);
NTSTATUS RxCeQueryInformation(_In_ PRXCE_VC pVc, _In_ RXCE_CONNECTION_INFORMATION_CLASS InformationClass,
			      _Out_ PVOID pInformation, _In_ ULONG Length);
NTSTATUS RxCeSend(_In_ PRXCE_VC pVc, _In_ ULONG SendOptions, _In_ PMDL pMdl, _In_ ULONG SendLength,
		  _In_ PVOID pCompletionContext);
NTSTATUS RxCeSendDatagram(_In_ PRXCE_TRANSPORT pTransport, _In_ PRXCE_ADDRESS pAddress,
			  _In_ PRXCE_CONNECTION_INFORMATION pConnectionInformation, _In_ ULONG Options,
			  _In_ PMDL pMdl, _In_ ULONG SendLength, _In_ PVOID pCompletionContext);

#endif
