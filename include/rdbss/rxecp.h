/*
 * rxecp.h - query on create: an extra create parameter that saves round trips. Ours; the shape is Windows'.
 *
 * Whoever creates attaches it to the ECP list of the IRP (IO_DRIVER_CREATE_CONTEXT); the mini-redirector
 * finds it in MRxCreate with FsRtlGetEcpListFromIrp and FsRtlFindExtraCreateParameter, supplies what it can
 * and says so in Supplied. A driver that does not know it leaves Supplied 0.
 *
 * Set on create goes the other way: what the opener came to change (a new name, the deletion) travels with the create.
 * The engine hears nothing of it: whoever asks for a rename or a deletion so must know that neither name is open here.
 */
#ifndef RX_RXECP_H
#define RX_RXECP_H

#include "rxtypes/forward.h"

#define RX_QOC_STAT 0x1 /* fill Stat; with RX_QOC_SET as it is after the change */
#define RX_QOC_CLOSE \
	0x2                /* the opener closes at once: the driver may close with the create, and then sets
				 * SRVOPEN_FLAG_CLOSED on the SRV_OPEN */
#define RX_QOC_SYMLINK 0x4 /* when the name is a link, fill ReparseTag and ReparseData */

#define RX_QOC_SET \
	0x8 /* make the changes of Set on what was opened, before it is closed; the outcome goes to SetStatus */

#define RX_QOC_FRESH \
	0x10 /* the name leads to another file now, the opener has heard: no open of ours is shared, and those that
		 * are only kept for a later one end; with FILE_OPEN_IF, when he knows no such name, those of the name */

#define RX_QOC_ID \
	0x20 /* RDBSS fills FileId of Stat, and nothing else of it, when the open shares one that is there and no
	      * server was asked */

#define RX_QOC_GRANT 0x80 /* nothing is asked of the driver: BufferingState is what the opener is after */

#define RX_QOC_READ \
	0x40 /* read the first ReadLength bytes of what was opened: RDBSS keeps them for the first read, as long as the
	      * driver has granted that (READCACHING) */

#define RX_QOC_LIST \
	0x100 /* what is opened is a directory that the opener lists next: the driver may ask the server for its first
	       * entries with the create, and then hands them out at the first query of the handle, if that is for all
	       * names and does not restart the scan */

#define RX_QOC_REPARSE_BYTES 16384 /* the most a reparse point can hold */
#define RX_QOC_SETS 3              /* the most changes that travel with one create */

/* One change of file information. */
typedef struct _RX_SET_ON_CREATE {
	FILE_INFORMATION_CLASS Class;
	ULONG Length; /* bytes of Buffer */
	PVOID Buffer; /* memory of the opener, until the create is complete */
} RX_SET_ON_CREATE, *PRX_SET_ON_CREATE;

typedef struct _RX_QUERY_ON_CREATE_ECP {
	ULONG Requested; /* RX_QOC_XXX */
	ULONG Supplied;  /* driver: what it did of it */
	ULONG BufferingState; /* RDBSS: what may be kept of the file (FCB_STATE_..._ENABLED) when the open is done */
	ULONG_PTR CacheGeneration; /* RDBSS: for nt_cache_attach() */
	FILE_STAT_INFORMATION Stat;
	ULONG ReparseTag;
	ULONG ReparseLength;   /* driver: bytes of ReparseData */
	ULONG ReparseCapacity; /* bytes ReparseData has room for; 0: only the tag is wanted */
	PUCHAR ReparseData;    /* REPARSE_DATA_BUFFER; memory of the opener, until the create is complete */
	ULONG SetCount; /* of Set, with RX_QOC_SET: in this order, each tried whatever became of those before it */
	RX_SET_ON_CREATE Set[RX_QOC_SETS];
	ULONG ReadLength; /* bytes, with RX_QOC_READ */
	ULONG ReadBytes; /* driver, with RX_QOC_READ in Supplied: bytes of ReadBuffer; fewer: the file ends there */
	PUCHAR ReadBuffer; /* RDBSS: room for ReadLength, until MRxCreate returns; NULL: nothing is to be read */
	NTSTATUS
	SetStatus; /* driver, with RX_QOC_SET in Supplied: of the first change that failed, else what the close said */
} RX_QUERY_ON_CREATE_ECP, *PRX_QUERY_ON_CREATE_ECP;

/*
 * Query on set: what the caller wants to know of a file after a change of its information, in the same round trip. Whoever
 * sends IRP_MJ_SET_INFORMATION points Irp->Tail.Overlay.AuxiliaryBuffer to it; the mini-redirector finds it in
 * MRxSetFileInfo through RxContext->CurrentIrp, fills Stat as the file is after the change and sets Supplied. A driver
 * that does not know it leaves Supplied FALSE. Memory of the caller until the IRP is complete.
 */
#define RX_QUERY_ON_SET_TYPE 0x53514f53u

typedef struct _RX_QUERY_ON_SET {
	ULONG Type; /* RX_QUERY_ON_SET_TYPE */
	BOOLEAN Supplied;
	FILE_STAT_INFORMATION Stat;
} RX_QUERY_ON_SET, *PRX_QUERY_ON_SET;

/*
 * Age of a listing: a driver may have asked for entries before they were asked of it. Whoever sends IRP_MN_QUERY_DIRECTORY
 * points Irp->Tail.Overlay.AuxiliaryBuffer to it; the mini-redirector finds it in MRxQueryDirectory and sets AskedAt. A
 * driver that does not know it, or asked for all of it now, leaves it.
 */
#define RX_LISTING_AGE_TYPE 0x4147454cu

typedef struct _RX_LISTING_AGE {
	ULONG Type; /* RX_LISTING_AGE_TYPE */
	/* interrupt time at which the oldest of the entries was asked for; 0: with this query */
	ULONGLONG AskedAt;
} RX_LISTING_AGE, *PRX_LISTING_AGE;

/* {5f3b8a0e-7c1d-4c8e-9d55-2a6b1e0f4c37} */
static const GUID RX_ECP_QUERY_ON_CREATE = {
	0x5f3b8a0e, 0x7c1d, 0x4c8e, {0x9d, 0x55, 0x2a, 0x6b, 0x1e, 0x0f, 0x4c, 0x37}};

#endif
