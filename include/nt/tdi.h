/*
 * tdi.h - how transports, addresses and connections are described to the connection engine (rxce.h).
 *
 * Layouts are those of the transport driver interface: ports and IPv4 addresses in network byte order.
 */
#ifndef NT_TDI_H
#define NT_TDI_H

#include "ntdef.h"

#define TDI_ADDRESS_TYPE_UNSPEC ((USHORT)0)
#define TDI_ADDRESS_TYPE_IP ((USHORT)2)
#define TDI_ADDRESS_TYPE_NETBIOS ((USHORT)17)
#define TDI_ADDRESS_TYPE_IP6 ((USHORT)23)

typedef struct _TA_ADDRESS {
	USHORT AddressLength; /* bytes of Address */
	USHORT AddressType;   /* TDI_ADDRESS_TYPE_... */
	UCHAR Address[1];
} TA_ADDRESS, *PTA_ADDRESS;

typedef struct _TRANSPORT_ADDRESS {
	LONG TAAddressCount;
	TA_ADDRESS Address[1];
} TRANSPORT_ADDRESS, *PTRANSPORT_ADDRESS;

#pragma pack(push, 1)
typedef struct _TDI_ADDRESS_IP {
	USHORT sin_port; /* network byte order */
	ULONG in_addr;   /* network byte order */
	UCHAR sin_zero[8];
} TDI_ADDRESS_IP, *PTDI_ADDRESS_IP;

typedef struct _TDI_ADDRESS_IP6 {
	USHORT sin6_port; /* network byte order */
	ULONG sin6_flowinfo;
	USHORT sin6_addr[8]; /* network byte order */
	ULONG sin6_scope_id;
} TDI_ADDRESS_IP6, *PTDI_ADDRESS_IP6;
#pragma pack(pop)

#define TDI_ADDRESS_LENGTH_IP sizeof(TDI_ADDRESS_IP)
#define TDI_ADDRESS_LENGTH_IP6 sizeof(TDI_ADDRESS_IP6)

C_ASSERT(sizeof(TDI_ADDRESS_IP) == 14);
C_ASSERT(sizeof(TDI_ADDRESS_IP6) == 26);

/* One address of that family, as most callers build it. */
typedef struct _TA_ADDRESS_IP {
	LONG TAAddressCount;
	struct {
		USHORT AddressLength;
		USHORT AddressType;
		TDI_ADDRESS_IP Address[1];
	} Address[1];
} TA_IP_ADDRESS, *PTA_IP_ADDRESS;

typedef struct _TDI_CONNECTION_INFORMATION {
	LONG UserDataLength;
	PVOID UserData;
	LONG OptionsLength;
	PVOID Options;
	LONG RemoteAddressLength;
	PVOID RemoteAddress; /* a TRANSPORT_ADDRESS */
} TDI_CONNECTION_INFORMATION, *PTDI_CONNECTION_INFORMATION;

typedef struct _TDI_CONNECTION_INFO {
	ULONG State; /* 1: connected, 0: not */
	ULONG Event;
	ULONG TransmittedTsdus;
	ULONG ReceivedTsdus;
	ULONG TransmissionErrors;
	ULONG ReceiveErrors;
	LARGE_INTEGER Throughput; /* bytes a second; -1: not known */
	LARGE_INTEGER Delay;      /* 100 ns; -1: not known */
	ULONG SendBufferSize;
	ULONG ReceiveBufferSize;
	BOOLEAN Unreliable;
} TDI_CONNECTION_INFO, *PTDI_CONNECTION_INFO;

typedef struct _TDI_ADDRESS_INFO {
	ULONG ActivityCount;
	TRANSPORT_ADDRESS Address;
} TDI_ADDRESS_INFO, *PTDI_ADDRESS_INFO;

#define TDI_SERVICE_CONNECTION_MODE 0x00000001
#define TDI_SERVICE_ORDERLY_RELEASE 0x00000002
#define TDI_SERVICE_ERROR_FREE_DELIVERY 0x00000008

typedef struct _TDI_PROVIDER_INFO {
	ULONG Version; /* 0x0100 */
	ULONG MaxSendSize;
	ULONG MaxConnectionUserData;
	ULONG MaxDatagramSize;
	ULONG ServiceFlags;
	ULONG MinimumLookaheadData;
	ULONG MaximumLookaheadData;
	ULONG NumberOfResources;
	LARGE_INTEGER StartTime; /* 100 ns since 1601 */
} TDI_PROVIDER_INFO, *PTDI_PROVIDER_INFO;

#define TDI_SEND_EXPEDITED ((USHORT)0x0020)
#define TDI_SEND_NO_RESPONSE_EXPECTED ((USHORT)0x0080)
#define TDI_SEND_NON_BLOCKING ((USHORT)0x0100)

#define TDI_RECEIVE_NORMAL 0x00000020
#define TDI_RECEIVE_ENTIRE_MESSAGE 0x00000400

#define TDI_DISCONNECT_ABORT 0x00000004
#define TDI_DISCONNECT_RELEASE 0x00000008

#endif
