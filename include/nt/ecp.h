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

#endif
