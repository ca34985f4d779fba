/* ecp.h - extra create parameters: what an opener tells or asks beyond IRP_MJ_CREATE's own members. */
#ifndef NT_ECP_H
#define NT_ECP_H

#include "irp.h"

typedef VOID FSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK(PVOID EcpContext, LPCGUID EcpType);
typedef FSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK *PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK;

NTSTATUS FsRtlAllocateExtraCreateParameterList(ULONG Flags, PECP_LIST *EcpList);
VOID FsRtlFreeExtraCreateParameterList(PECP_LIST EcpList); /* frees the parameters in it too */
NTSTATUS FsRtlAllocateExtraCreateParameter(LPCGUID EcpType, ULONG SizeOfContext, ULONG Flags,
					   PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK CleanupCallback,
					   ULONG PoolTag, PVOID *EcpContext);
VOID FsRtlFreeExtraCreateParameter(PVOID EcpContext);
NTSTATUS FsRtlInsertExtraCreateParameter(PECP_LIST EcpList, PVOID EcpContext);
NTSTATUS FsRtlFindExtraCreateParameter(PECP_LIST EcpList, LPCGUID EcpType, PVOID *EcpContext,
				       ULONG *EcpContextSize);
NTSTATUS FsRtlRemoveExtraCreateParameter(PECP_LIST EcpList, LPCGUID EcpType, PVOID *EcpContext,
					 ULONG *EcpContextSize);
NTSTATUS FsRtlGetNextExtraCreateParameter(PECP_LIST EcpList, PVOID CurrentEcpContext, LPGUID NextEcpType,
					  PVOID *NextEcpContext, ULONG *NextEcpContextSize);
/* *EcpList NULL when the IRP has none. */
NTSTATUS FsRtlGetEcpListFromIrp(PIRP Irp, PECP_LIST *EcpList);
NTSTATUS FsRtlSetEcpListIntoIrp(PIRP Irp, PECP_LIST EcpList);
VOID FsRtlAcknowledgeEcp(PVOID EcpContext);
BOOLEAN FsRtlIsEcpAcknowledged(PVOID EcpContext);

/* Query on create, as far as its layout is known: what an opener wants to know with the open. */
#define QoCFileStatInformation 0x00000001
#define QoCFileLxInformation 0x00000002
#define QoCFileEaInformation 0x00000004

typedef struct _QUERY_ON_CREATE_FILE_STAT_INFORMATION {
	LARGE_INTEGER FileId;
	LARGE_INTEGER CreationTime;
	LARGE_INTEGER LastAccessTime;
	LARGE_INTEGER LastWriteTime;
	LARGE_INTEGER ChangeTime;
	LARGE_INTEGER AllocationSize;
	LARGE_INTEGER EndOfFile;
	ULONG FileAttributes;
	ULONG ReparseTag;
	ULONG NumberOfLinks;
} QUERY_ON_CREATE_FILE_STAT_INFORMATION, *PQUERY_ON_CREATE_FILE_STAT_INFORMATION;

typedef struct _QUERY_ON_CREATE_FILE_LX_INFORMATION {
	ULONG EffectiveAccess;
	ULONG LxFlags;
	ULONG LxUid;
	ULONG LxGid;
	ULONG LxMode;
	ULONG LxDeviceIdMajor;
	ULONG LxDeviceIdMinor;
} QUERY_ON_CREATE_FILE_LX_INFORMATION, *PQUERY_ON_CREATE_FILE_LX_INFORMATION;

typedef struct _QUERY_ON_CREATE_EA_INFORMATION {
	ULONG EaBufferSize;
	PFILE_FULL_EA_INFORMATION EaBuffer;
} QUERY_ON_CREATE_EA_INFORMATION, *PQUERY_ON_CREATE_EA_INFORMATION;

typedef struct _QUERY_ON_CREATE_ECP_CONTEXT {
	ULONG RequestedClasses;
	ULONG ClassesProcessed;
	ULONG ClassesWithErrors;
	ULONG ClassesWithNoData;
	QUERY_ON_CREATE_FILE_STAT_INFORMATION StatInformation;
	QUERY_ON_CREATE_FILE_LX_INFORMATION LxInformation;
	QUERY_ON_CREATE_EA_INFORMATION EaInformation;
} QUERY_ON_CREATE_ECP_CONTEXT, *PQUERY_ON_CREATE_ECP_CONTEXT;

/* Kinds of parameters. Declared: their values are not published with the interface, and nobody here attaches one. */
extern const GUID GUID_ECP_ATOMIC_CREATE, GUID_ECP_CLOUDFILES_ATTRIBUTION, GUID_ECP_CREATE_REDIRECTION,
	GUID_ECP_CREATE_USER_PROCESS, GUID_ECP_CSV_DOWN_LEVEL_OPEN, GUID_ECP_CSV_QUERY_FILE_REVISION,
	GUID_ECP_CSV_QUERY_FILE_REVISION_FILE_ID_128, GUID_ECP_CSV_SET_HANDLE_PROPERTIES,
	GUID_ECP_DUAL_OPLOCK_KEY, GUID_ECP_IO_DEVICE_HINT, GUID_ECP_NETWORK_APP_INSTANCE,
	GUID_ECP_NETWORK_APP_INSTANCE_VERSION, GUID_ECP_NETWORK_OPEN_CONTEXT, GUID_ECP_NFS_OPEN,
	GUID_ECP_OPEN_PARAMETERS, GUID_ECP_OPLOCK_KEY, GUID_ECP_PREFETCH_OPEN, GUID_ECP_QUERY_ON_CREATE,
	GUID_ECP_RKF_BYPASS, GUID_ECP_SRV_OPEN;

#endif
