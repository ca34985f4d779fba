/*
 * rxctl.h - control codes of a redirector's device, and the records that answer them. Ours, not the WDK's.
 *
 * Sent as IRP_MJ_FILE_SYSTEM_CONTROL on an open of the device itself (an empty file name).
 */
#ifndef RX_RXCTL_H
#define RX_RXCTL_H

#include "rxtypes/forward.h"

/*
 * To the mini-redirector's MRxDevFcbXXXControlFile, which calls RxStartMinirdr or RxStopMinirdr. No buffers. When the
 * driver refuses it as a code it does not know (a driver is started by a code of its own on Windows), RDBSS starts or
 * stops it itself.
 */
#define FSCTL_RX_START CTL_CODE(FILE_DEVICE_NETWORK_FILE_SYSTEM, 0x900, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define FSCTL_RX_STOP CTL_CODE(FILE_DEVICE_NETWORK_FILE_SYSTEM, 0x901, METHOD_BUFFERED, FILE_ANY_ACCESS)
/*
 * Answered by RDBSS: struct rx_object_record, one after the other, each with its name behind it, each record
 * aligned to 8 bytes. No input. STATUS_BUFFER_OVERFLOW: as many whole records as fit were returned and
 * Information tells their bytes; ask again with a larger buffer.
 */
#define FSCTL_RX_QUERY_OBJECTS \
	CTL_CODE(FILE_DEVICE_NETWORK_FILE_SYSTEM, 0x902, METHOD_BUFFERED, FILE_ANY_ACCESS)

/*
 * Answered by RDBSS: struct rx_check_summary, then a struct rx_check_finding for each disagreement between the
 * objects. No input. STATUS_BUFFER_OVERFLOW: as many findings as fit were returned; the summary counts them all.
 */
#define FSCTL_RX_CHECK_OBJECTS \
	CTL_CODE(FILE_DEVICE_NETWORK_FILE_SYSTEM, 0x903, METHOD_BUFFERED, FILE_ANY_ACCESS)

enum rx_object_kind {
	RX_OBJECT_SRV_CALL = 1,
	RX_OBJECT_NET_ROOT = 2,
	RX_OBJECT_V_NET_ROOT = 3,
	RX_OBJECT_FCB = 4,
	RX_OBJECT_SRV_OPEN = 5,
	RX_OBJECT_FOBX = 6
};

#define RX_OBJECT_MAX_HOLDERS 8
#define RX_OBJECT_HOLDER_NAME_BYTES 32

/* Who holds references, and how many. name: UTF-8, NUL-terminated. */
struct rx_object_holder {
	uint32_t count;
	char name[RX_OBJECT_HOLDER_NAME_BYTES];
};

/*
 * Ids are unique among living objects and 0 is none. Parents: NET_ROOT -> SRV_CALL; V_NET_ROOT -> NET_ROOT;
 * FCB -> NET_ROOT; SRV_OPEN -> FCB and V_NET_ROOT; FOBX -> SRV_OPEN.
 */
struct rx_object_record {
	uint32_t record_bytes; /* to the next record; a multiple of 8 */
	uint32_t kind;         /* enum rx_object_kind */
	uint64_t id;
	uint64_t parent_id;
	uint64_t second_parent_id; /* SRV_OPEN: its V_NET_ROOT */
	uint32_t reference_count;
	uint32_t condition;     /* RX_BLOCK_CONDITION */
	uint32_t flags;         /* the object's own: Flags or FcbState */
	uint32_t open_count;    /* FCB: not yet closed; SRV_OPEN: FOBXs; V_NET_ROOT: FOBXs */
	uint32_t unclean_count; /* FCB, SRV_OPEN */
	uint32_t status;        /* NTSTATUS of construction or open, where there is one */
	uint32_t holder_count;
	uint32_t name_bytes; /* UTF-16 after this structure, not terminated */
	uint64_t file_size;  /* FCB: bytes */
	struct rx_object_holder holders[RX_OBJECT_MAX_HOLDERS];
};

struct rx_check_summary {
	uint32_t findings;
	uint32_t returned; /* findings behind this structure */
	uint32_t objects;  /* looked at */
	uint32_t busy;     /* FCBs that a request held: checked only in part */
};

/* Texts: UTF-8, NUL-terminated, cut at the end. */
struct rx_check_finding {
	uint32_t kind; /* enum rx_object_kind; 0: the device itself */
	uint32_t spare;
	uint64_t id; /* as in struct rx_object_record; 0: the device itself */
	char rule[16];
	char name[256]; /* of the object, or of the file it belongs to; empty: unknown */
	char text[160];
};

/* The redirector that a driver registered first, or NULL; *referenced*: ObDereferenceObject(). Any thread. */
PDEVICE_OBJECT rx_driver_first_redirector(PDRIVER_OBJECT driver);
/* FALSE when the redirector registered with RX_REGISTERMINI_FLAG_DONT_PROVIDE_UNCS. */
BOOLEAN rx_device_provides_uncs(PDEVICE_OBJECT device);

#endif
