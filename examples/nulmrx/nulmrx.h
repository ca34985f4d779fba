/*
 * nulmrx.h - a mini-redirector whose only server is a list in memory.
 *
 *   \\nulmrx\share     a few files in one directory; `\nulmrx` is the only server it claims
 *
 * It is written as a driver for the WDK is written, and complete enough to be mounted, listed, read, written,
 * renamed and emptied. Each callback shows the least that RDBSS expects of it.
 *
 * What hangs where:
 *   FCB.Context        nothing: a name may be given to another file
 *   SRV_OPEN.Context   PNULMRX_FILE, referenced; NULL for the root directory
 *   FOBX.Context       PNULMRX_FOBX_EXTENSION, memory that RDBSS manages (RDBSS_MANAGE_FOBX_EXTENSION)
 */
#ifndef NULMRX_H
#define NULMRX_H

#include <ntifs.h>
#include <rx.h>

#define NULMRX_DEVICE_NAME L"\\Device\\NulMRx"
#define NULMRX_LINK_NAME L"\\DosDevices\\NulMRx"
#define NULMRX_SERVER_NAME L"\\nulmrx"
#define NULMRX_SHARE_NAME L"\\share"

#define NULMRX_POOLTAG 'lnMN'
#define NULMRX_MAX_FILE_SIZE (16 * 1024 * 1024) /* bytes */
#define NULMRX_MAX_NAME 255                     /* characters */

/* What a program tells or asks the driver through \\.\NulMRx. */
#define IOCTL_NULMRX_START CTL_CODE(FILE_DEVICE_NETWORK_REDIRECTOR, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_NULMRX_STOP CTL_CODE(FILE_DEVICE_NETWORK_REDIRECTOR, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)
/* Output: NULMRX_STATISTICS. */
#define IOCTL_NULMRX_STATISTICS \
	CTL_CODE(FILE_DEVICE_NETWORK_REDIRECTOR, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS)

typedef struct _NULMRX_STATISTICS {
	ULONG Files;
	ULONG Opens;
	LARGE_INTEGER BytesRead;
	LARGE_INTEGER BytesWritten;
} NULMRX_STATISTICS, *PNULMRX_STATISTICS;

/* One file. Everything but the count is guarded by NulMRxMutex. */
typedef struct _NULMRX_FILE {
	LIST_ENTRY Links;    /* NulMRxFiles, while it has a name */
	LONG ReferenceCount; /* one for the list, one for each SRV_OPEN */
	ULONG Unclean;       /* FOBXs not cleaned up */
	ULONG Id;
	ULONG Attributes;
	BOOLEAN DeletePending;
	BOOLEAN Removed;
	LARGE_INTEGER CreationTime;
	LARGE_INTEGER LastAccessTime;
	LARGE_INTEGER LastWriteTime;
	LARGE_INTEGER ChangeTime;
	PUCHAR Data; /* PagedPool */
	ULONG Size;  /* bytes */
	ULONG Room;  /* bytes allocated */
	USHORT NameLength;
	WCHAR Name[NULMRX_MAX_NAME];
} NULMRX_FILE, *PNULMRX_FILE;

typedef struct _NULMRX_FOBX_EXTENSION {
	ULONG NextId; /* directory: the first id not listed; 0 and 1 are "." and ".." */
	BOOLEAN DeleteOnClose;
} NULMRX_FOBX_EXTENSION, *PNULMRX_FOBX_EXTENSION;

#define NULMRX_ROOT_ID 1
#define NULMRX_FIRST_ID 2

extern PRDBSS_DEVICE_OBJECT NulMRxDeviceObject;
extern FAST_MUTEX NulMRxMutex;
extern LIST_ENTRY NulMRxFiles;
extern NULMRX_STATISTICS NulMRxStatistics;
extern LARGE_INTEGER NulMRxStartTime;

/* driver.c */
DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD NulMRxUnload;
DRIVER_DISPATCH NulMRxFsdDispatch;

/* files.c; callers hold NulMRxMutex unless it says otherwise */
NTSTATUS NulMRxCreateInitialFiles(VOID); /* takes the mutex */
VOID NulMRxForgetFiles(VOID);            /* takes the mutex */
PNULMRX_FILE NulMRxFindFile(PCUNICODE_STRING Name);
PNULMRX_FILE NulMRxAddFile(PCUNICODE_STRING Name, ULONG Attributes);
VOID NulMRxRemoveFile(PNULMRX_FILE File);
VOID NulMRxReferenceFile(PNULMRX_FILE File);
VOID NulMRxDereferenceFile(PNULMRX_FILE File);
NTSTATUS NulMRxSetSize(PNULMRX_FILE File, LONGLONG Size);
/* `\name` to `name`; STATUS_OBJECT_PATH_NOT_FOUND for more than one component. Needs no mutex. */
NTSTATUS NulMRxLeafName(PCUNICODE_STRING Path, PUNICODE_STRING Name);

/* connect.c */
NTSTATUS NulMRxCreateSrvCall(PMRX_SRV_CALL SrvCall, PMRX_SRVCALL_CALLBACK_CONTEXT CallbackContext);
NTSTATUS NulMRxSrvCallWinnerNotify(PMRX_SRV_CALL SrvCall, BOOLEAN ThisMinirdrIsTheWinner,
				   PVOID RecommunicateContext);
NTSTATUS NulMRxFinalizeSrvCall(PMRX_SRV_CALL SrvCall, BOOLEAN Force);
NTSTATUS NulMRxCreateVNetRoot(PMRX_CREATENETROOT_CONTEXT Context);
NTSTATUS NulMRxFinalizeVNetRoot(PMRX_V_NET_ROOT VNetRoot, PBOOLEAN ForceDisconnect);
NTSTATUS NulMRxFinalizeNetRoot(PMRX_NET_ROOT NetRoot, PBOOLEAN ForceDisconnect);
VOID NulMRxExtractNetRootName(PUNICODE_STRING FilePathName, PMRX_SRV_CALL SrvCall,
			      PUNICODE_STRING NetRootName, PUNICODE_STRING RestOfName);

/* create.c */
NTSTATUS NulMRxCreate(PRX_CONTEXT RxContext);
NTSTATUS NulMRxShouldTryToCollapseThisOpen(PRX_CONTEXT RxContext);
NTSTATUS NulMRxCleanupFobx(PRX_CONTEXT RxContext);
NTSTATUS NulMRxCloseSrvOpen(PRX_CONTEXT RxContext);
NTSTATUS NulMRxForceClosed(PMRX_SRV_OPEN SrvOpen);

/* info.c */
NTSTATUS NulMRxQueryFileInfo(PRX_CONTEXT RxContext);
NTSTATUS NulMRxSetFileInfo(PRX_CONTEXT RxContext);
NTSTATUS NulMRxQueryVolumeInfo(PRX_CONTEXT RxContext);

/* dir.c */
NTSTATUS NulMRxQueryDirectory(PRX_CONTEXT RxContext);

/* rdwr.c */
NTSTATUS NulMRxRead(PRX_CONTEXT RxContext);
NTSTATUS NulMRxWrite(PRX_CONTEXT RxContext);
NTSTATUS NulMRxFlush(PRX_CONTEXT RxContext);
NTSTATUS NulMRxTruncate(PRX_CONTEXT RxContext);
NTSTATUS NulMRxZeroExtend(PRX_CONTEXT RxContext);

#endif
