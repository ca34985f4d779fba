/*
 * ecp.c - extra create parameters: a list of typed contexts that travels with IRP_MJ_CREATE.
 *
 * Owns:      lists, and the contexts in them or not yet in one. A context's head lies before the memory that the
 *            caller sees.
 * Locks:     none; a list belongs to who sends the create, and to the driver while it works on it.
 * Dies when: FsRtlFreeExtraCreateParameterList() frees a list and all in it; each context's cleanup callback is
 *            called first, once.
 */
#include "io.h"
#include "pool.h"

#define NT_TAG_ECP_LIST 'lcEN'
#define NT_ECP_SIGNATURE 0x20706365u

struct _ECP_LIST {
	ULONG signature;
	LIST_ENTRY contexts;
};

struct nt_ecp {
	LIST_ENTRY link; /* Flink NULL: in no list */
	ULONG signature;
	ULONG tag;
	ULONG size; /* bytes of the context */
	GUID type;
	bool acknowledged;
	PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK cleanup;
	_Alignas(16) UCHAR context[];
};

static struct nt_ecp *nt_ecp_of(PVOID context)
{
	struct nt_ecp *ecp = CONTAINING_RECORD(context, struct nt_ecp, context);

	RX_CHECK(ecp->signature == NT_ECP_SIGNATURE);
	return ecp;
}

static struct nt_ecp *nt_ecp_find(PECP_LIST list, LPCGUID type)
{
	for (PLIST_ENTRY at = list->contexts.Flink; at != &list->contexts; at = at->Flink) {
		struct nt_ecp *ecp = CONTAINING_RECORD(at, struct nt_ecp, link);

		if (IsEqualGUID(&ecp->type, type))
			return ecp;
	}
	return NULL;
}

NTSTATUS FsRtlAllocateExtraCreateParameterList(ULONG Flags, PECP_LIST *EcpList)
{
	PECP_LIST list = ExAllocatePoolWithTag(PagedPool, sizeof(*list), NT_TAG_ECP_LIST);

	(void)Flags; /* quota only */
	*EcpList = list;
	if (list == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	list->signature = NT_ECP_SIGNATURE;
	InitializeListHead(&list->contexts);
	return STATUS_SUCCESS;
}

VOID FsRtlFreeExtraCreateParameterList(PECP_LIST EcpList)
{
	RX_CHECK(EcpList->signature == NT_ECP_SIGNATURE);
	while (!IsListEmpty(&EcpList->contexts)) {
		struct nt_ecp *ecp =
			CONTAINING_RECORD(RemoveHeadList(&EcpList->contexts), struct nt_ecp, link);

		ecp->link.Flink = NULL;
		FsRtlFreeExtraCreateParameter(ecp->context);
	}
	EcpList->signature = 0;
	ExFreePoolWithTag(EcpList, NT_TAG_ECP_LIST);
}

NTSTATUS FsRtlAllocateExtraCreateParameter(LPCGUID EcpType, ULONG SizeOfContext, ULONG Flags,
					   PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK CleanupCallback,
					   ULONG PoolTag, PVOID *EcpContext)
{
	struct nt_ecp *ecp;

	(void)Flags;
	*EcpContext = NULL;
	ecp = ExAllocatePoolWithTag(PagedPool, sizeof(*ecp) + SizeOfContext, PoolTag);
	if (ecp == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(ecp, 0, sizeof(*ecp) + SizeOfContext);
	ecp->signature = NT_ECP_SIGNATURE;
	ecp->tag = PoolTag;
	ecp->size = SizeOfContext;
	ecp->type = *EcpType;
	ecp->cleanup = CleanupCallback;
	*EcpContext = ecp->context;
	return STATUS_SUCCESS;
}

VOID FsRtlFreeExtraCreateParameter(PVOID EcpContext)
{
	struct nt_ecp *ecp = nt_ecp_of(EcpContext);

	RX_CHECK(ecp->link.Flink == NULL); /* remove it from its list first */
	if (ecp->cleanup != NULL)
		ecp->cleanup(EcpContext, &ecp->type);
	ecp->signature = 0;
	ExFreePoolWithTag(ecp, ecp->tag);
}

NTSTATUS FsRtlInsertExtraCreateParameter(PECP_LIST EcpList, PVOID EcpContext)
{
	struct nt_ecp *ecp = nt_ecp_of(EcpContext);

	if (ecp->link.Flink != NULL || nt_ecp_find(EcpList, &ecp->type) != NULL)
		return STATUS_INVALID_PARAMETER; /* one of a type, in one list */
	InsertTailList(&EcpList->contexts, &ecp->link);
	return STATUS_SUCCESS;
}

NTSTATUS FsRtlFindExtraCreateParameter(PECP_LIST EcpList, LPCGUID EcpType, PVOID *EcpContext,
				       ULONG *EcpContextSize)
{
	struct nt_ecp *ecp = nt_ecp_find(EcpList, EcpType);

	if (EcpContext != NULL)
		*EcpContext = ecp == NULL ? NULL : ecp->context;
	if (EcpContextSize != NULL)
		*EcpContextSize = ecp == NULL ? 0 : ecp->size;
	return ecp == NULL ? STATUS_NOT_FOUND : STATUS_SUCCESS;
}

NTSTATUS FsRtlRemoveExtraCreateParameter(PECP_LIST EcpList, LPCGUID EcpType, PVOID *EcpContext,
					 ULONG *EcpContextSize)
{
	struct nt_ecp *ecp = nt_ecp_find(EcpList, EcpType);
	NTSTATUS status = FsRtlFindExtraCreateParameter(EcpList, EcpType, EcpContext, EcpContextSize);

	if (ecp != NULL) {
		RemoveEntryList(&ecp->link);
		ecp->link.Flink = NULL;
	}
	return status;
}

NTSTATUS FsRtlGetNextExtraCreateParameter(PECP_LIST EcpList, PVOID CurrentEcpContext, LPGUID NextEcpType,
					  PVOID *NextEcpContext, ULONG *NextEcpContextSize)
{
	PLIST_ENTRY at = CurrentEcpContext == NULL ? EcpList->contexts.Flink
						   : nt_ecp_of(CurrentEcpContext)->link.Flink;
	struct nt_ecp *ecp = NULL;

	if (at != &EcpList->contexts)
		ecp = CONTAINING_RECORD(at, struct nt_ecp, link);
	if (NextEcpType != NULL && ecp != NULL)
		*NextEcpType = ecp->type;
	if (NextEcpContext != NULL)
		*NextEcpContext = ecp == NULL ? NULL : ecp->context;
	if (NextEcpContextSize != NULL)
		*NextEcpContextSize = ecp == NULL ? 0 : ecp->size;
	return ecp == NULL ? STATUS_NOT_FOUND : STATUS_SUCCESS;
}

NTSTATUS FsRtlGetEcpListFromIrp(PIRP Irp, PECP_LIST *EcpList)
{
	*EcpList = Irp->EcpList;
	return STATUS_SUCCESS;
}

NTSTATUS FsRtlSetEcpListIntoIrp(PIRP Irp, PECP_LIST EcpList)
{
	if (Irp->EcpList != NULL)
		return STATUS_INVALID_PARAMETER;
	Irp->EcpList = EcpList;
	return STATUS_SUCCESS;
}

VOID FsRtlAcknowledgeEcp(PVOID EcpContext)
{
	nt_ecp_of(EcpContext)->acknowledged = true;
}

BOOLEAN FsRtlIsEcpAcknowledged(PVOID EcpContext)
{
	return nt_ecp_of(EcpContext)->acknowledged;
}
