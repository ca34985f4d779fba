/*
 * rxce.h - the connection engine: transports, addresses, connections and virtual circuits over TDI.
 *
 * Declared so that drivers compile; the engine itself is obsolete and is not part of this library: a driver that
 * uses it fails to link, which tells it so at the earliest moment. Use nt_net.h.
 */
#ifndef RX_RXCE_H
#define RX_RXCE_H

#include "rxtypes/forward.h"

typedef struct _RXCE_TRANSPORT_ *PRXCE_TRANSPORT;
typedef struct _RXCE_ADDRESS_ *PRXCE_ADDRESS;
typedef struct _RXCE_CONNECTION_ *PRXCE_CONNECTION;
typedef struct _RXCE_VC_ *PRXCE_VC;
typedef struct _RXCE_TRANSPORT_INFORMATION_ *PRXCE_TRANSPORT_INFORMATION;
typedef struct _RXCE_CONNECTION_INFORMATION_ *PRXCE_CONNECTION_INFORMATION;
typedef struct _RXCE_ADDRESS_EVENT_HANDLER_ *PRXCE_ADDRESS_EVENT_HANDLER;
typedef struct _RXCE_CONNECTION_EVENT_HANDLER_ *PRXCE_CONNECTION_EVENT_HANDLER;
typedef struct _RXCE_CONNECTION_COMPLETION_CONTEXT_ *PRXCE_CONNECTION_COMPLETION_CONTEXT;
struct _ADAPTER_STATUS;
typedef struct _TRANSPORT_ADDRESS *PTRANSPORT_ADDRESS;
typedef NTSTATUS(NTAPI *PRXCE_CONNECTION_COMPLETION_ROUTINE)(PRXCE_CONNECTION_COMPLETION_CONTEXT Context);

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

/* Values of ours; TDI's are not published with the engine. */
#define RXCE_SEND_EXPEDITED 0x0020
#define RXCE_SEND_NO_RESPONSE_EXPECTED 0x0100
#define RXCE_SEND_NON_BLOCKING 0x0200
#define RXCE_SEND_PARTIAL 0x1000
#define RXCE_SEND_SYNCHRONOUS 0x2000

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
