/*
 * open.c - opening, collapsing, cleaning up and closing in the memory redirector.
 *
 * Owns:   the struct mem_handle behind SRV_OPEN.Context, from MRxCreate to MRxCloseSrvOpen or MRxForceClosed.
 * Locks:  the core holds the FCB exclusive in all of these.
 */
#include "mem.h"
#include "rxecp.h"

UNICODE_STRING mem_relative_path(const UNICODE_STRING *name)
{
	UNICODE_STRING path = *name;

	while (path.Length > 0 && path.Buffer[0] == '\\') {
		path.Buffer++;
		path.Length -= sizeof(WCHAR);
	}
	while (path.Length > 0 && path.Buffer[path.Length / sizeof(WCHAR) - 1] == '\\')
		path.Length -= sizeof(WCHAR);
	path.MaximumLength = path.Length;
	return path;
}

/* The caller holds the volume's mutex; sizes are read under the data lock inside it. */
void mem_fill_stat(struct mem_node *node, FILE_STAT_INFORMATION *stat)
{
	RtlZeroMemory(stat, sizeof(*stat));
	stat->FileId.QuadPart = (LONGLONG)node->id;
	stat->CreationTime = node->creation_time;
	stat->LastAccessTime = node->last_access_time;
	stat->LastWriteTime = node->last_write_time;
	stat->ChangeTime = node->change_time;
	stat->FileAttributes = node->attributes == 0 ? FILE_ATTRIBUTE_NORMAL : node->attributes;
	stat->ReparseTag = node->reparse_tag;
	stat->NumberOfLinks = node->links;
	stat->EffectiveAccess = FILE_ALL_ACCESS;
	ExAcquireResourceSharedLite(&node->data_lock, TRUE);
	stat->EndOfFile.QuadPart = node->size;
	stat->AllocationSize.QuadPart = mem_data_allocation(node);
	ExReleaseResourceLite(&node->data_lock);
}

static void stat_of(struct mem_handle *handle, FILE_STAT_INFORMATION *stat)
{
	ExAcquireFastMutex(&handle->volume->mutex);
	mem_fill_stat(handle->node, stat);
	ExReleaseFastMutex(&handle->volume->mutex);
}

/* Tells the opener what it asked to know along with the open (query on create). */
static void answer_query_on_create(PRX_CONTEXT RxContext, const FILE_STAT_INFORMATION *stat)
{
	PRX_QUERY_ON_CREATE_ECP ecp;
	PECP_LIST list = NULL;
	ULONG size = 0;

	if (!NT_SUCCESS(FsRtlGetEcpListFromIrp(RxContext->CurrentIrp, &list)) || list == NULL)
		return;
	if (!NT_SUCCESS(FsRtlFindExtraCreateParameter(list, &RX_ECP_QUERY_ON_CREATE, (PVOID *)&ecp, &size)) ||
	    size < sizeof(*ecp))
		return;
	if (ecp->Requested & RX_QOC_STAT) {
		ecp->Stat = *stat;
		ecp->Supplied |= RX_QOC_STAT;
	}
}

static void finish_fcb(PMRX_FCB fcb, const FILE_STAT_INFORMATION *stat)
{
	FILE_STAT_INFORMATION now = *stat;
	FCB_INIT_PACKET packet;
	bool directory = (now.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;

	packet.pAttributes = &now.FileAttributes;
	packet.pNumLinks = &now.NumberOfLinks;
	packet.pCreationTime = &now.CreationTime;
	packet.pLastAccessTime = &now.LastAccessTime;
	packet.pLastWriteTime = &now.LastWriteTime;
	packet.pLastChangeTime = &now.ChangeTime;
	packet.pAllocationSize = &now.AllocationSize;
	packet.pFileSize = &now.EndOfFile;
	packet.pValidDataLength = &now.EndOfFile;
	RxFinishFcbInitialization(fcb, directory ? FileTypeDirectory : FileTypeFile, &packet);
}

static NTSTATUS attach_fobx(PRX_CONTEXT RxContext, PMRX_SRV_OPEN so)
{
	RxContext->pFobx = RxCreateNetFobx(RxContext, so);
	if (RxContext->pFobx == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RxContext->pFobx->OffsetOfNextEaToReturn = 1;
	return STATUS_SUCCESS;
}

static void close_handle(struct mem_handle *handle)
{
	struct mem_wakeups wake;

	mem_wakeups_init(&wake);
	mem_fs_close(handle, &wake);
	mem_run_wakeups(&wake);
}

/*
 * The file that the FCB stands for; 0: any.  When others have given its name to another file, the users of this one keep
 * the FCB, and the open is done again for one of its own.
 */
static uint64_t file_of(PMRX_FCB fcb)
{
	PLIST_ENTRY link;

	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		struct mem_handle *handle =
			mem_handle_of(CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks));

		if (handle != NULL)
			return handle->node->id;
	}
	return 0;
}

static LONG64 number_of(PMRX_FCB fcb)
{
	return InterlockedCompareExchange64(&fcb->IndexNumber.QuadPart, 0, 0);
}

NTSTATUS mrx_mem_create(PRX_CONTEXT RxContext)
{
	PNT_CREATE_PARAMETERS params = &RxContext->Create.NtCreateParameters;
	PMRX_SRV_OPEN so = RxContext->pRelevantSrvOpen;
	UNICODE_STRING path = mem_relative_path(so->pAlreadyPrefixedName);
	FILE_STAT_INFORMATION stat;
	struct mem_handle *handle;
	struct mem_wakeups wake;
	ULONG created = FILE_OPENED;
	NTSTATUS status;
	struct mem_open how = {
		.path = &path,
		.access = params->DesiredAccess,
		.share_access = params->ShareAccess,
		.disposition = params->Disposition,
		.options = params->CreateOptions,
		.attributes = params->FileAttributes,
		.allocation = params->AllocationSize.QuadPart,
	};

	mem_lease_ask(RxContext, &how);
	how.expect = file_of(RxContext->pFcb);
	mem_wakeups_init(&wake);
	status = mem_fs_open(so->pVNetRoot->pNetRoot->Context, &how, &handle, &created, &wake);
	mem_run_wakeups(&wake);
	if (status == STATUS_RETRY)
		RxContext->pFcb->fShouldBeOrphaned = TRUE;
	if (!NT_SUCCESS(status)) {
		so->Key = NULL;
		return status;
	}
	status = attach_fobx(RxContext, so);
	if (!NT_SUCCESS(status)) {
		close_handle(handle);
		so->Key = NULL;
		return status;
	}
	so->Context = handle;
	InterlockedExchange64(&RxContext->pFcb->IndexNumber.QuadPart, (LONG64)handle->node->id);
	mem_lease_take(so);
	stat_of(handle, &stat);
	finish_fcb(RxContext->pFcb, &stat);
	answer_query_on_create(RxContext, &stat);
	RxContext->Create.ReturnedCreateInformation = created;
	RxContext->CurrentIrp->IoStatus.Information = created;
	return STATUS_SUCCESS;
}

/* An open may ride on another one only while the server has promised to tell us of conflicts. */
NTSTATUS mrx_mem_should_try_to_collapse(PRX_CONTEXT RxContext)
{
	PMRX_SRV_OPEN so = RxContext->pRelevantSrvOpen;

	if (so == NULL || !(so->BufferingFlags & FCB_STATE_COLLAPSING_ENABLED) || mem_handle_of(so) == NULL)
		return STATUS_MORE_PROCESSING_REQUIRED;
	return STATUS_SUCCESS;
}

NTSTATUS mrx_mem_collapse_open(PRX_CONTEXT RxContext)
{
	NTSTATUS status = attach_fobx(RxContext, RxContext->pRelevantSrvOpen);

	if (NT_SUCCESS(status)) {
		RxContext->Create.ReturnedCreateInformation = FILE_OPENED;
		RxContext->CurrentIrp->IoStatus.Information = FILE_OPENED;
	}
	return status;
}

/* The handle may get another user while it stays open: what it claims then ends with the close. */
static bool may_sleep(PMRX_SRV_OPEN so)
{
	return (so->BufferingFlags & FCB_STATE_COLLAPSING_ENABLED) != 0 &&
	       (so->pFcb->FcbState & FCB_STATE_DELETE_ON_CLOSE) == 0 &&
	       (so->Flags & SRVOPEN_FLAG_COLLAPSING_DISABLED) == 0 &&
	       (so->CreateOptions & FILE_DELETE_ON_CLOSE) == 0;
}

NTSTATUS mrx_mem_cleanup_fobx(PRX_CONTEXT RxContext)
{
	PMRX_SRV_OPEN so = RxContext->pFobx->pSrvOpen;
	struct mem_handle *handle = mem_handle_of(so);
	struct mem_wakeups wake;

	/* Several file objects may share the handle: it gives up its claims with the last of them. */
	if (handle != NULL && so->UncleanFobxCount == 0 && !may_sleep(so)) {
		mem_wakeups_init(&wake);
		mem_fs_cleanup(handle, &wake);
		mem_run_wakeups(&wake);
	}
	return STATUS_SUCCESS;
}

NTSTATUS mrx_mem_close_srv_open(PRX_CONTEXT RxContext)
{
	PMRX_SRV_OPEN so = RxContext->pRelevantSrvOpen != NULL ? RxContext->pRelevantSrvOpen
							       : RxContext->pFobx->pSrvOpen;

	return mrx_mem_force_closed(so);
}

NTSTATUS mrx_mem_force_closed(PMRX_SRV_OPEN SrvOpen)
{
	struct mem_handle *handle = mem_handle_of(SrvOpen);

	SrvOpen->Context = NULL;
	if (handle != NULL) {
		close_handle(handle);
		mem_lease_handle_ended(SrvOpen->pFcb);
	}
	return STATUS_SUCCESS;
}

/* Memory is the storage: what is written is where it stays. */
NTSTATUS mrx_mem_flush(PRX_CONTEXT RxContext)
{
	(void)RxContext;
	return STATUS_SUCCESS;
}

NTSTATUS mrx_mem_truncate(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = mem_handle_of(RxContext->pFobx->pSrvOpen);
	struct mem_wakeups wake;
	NTSTATUS status;

	mem_wakeups_init(&wake);
	status = mem_fs_set_size(handle, RxContext->pFcb->Header.FileSize.QuadPart, &wake);
	mem_run_wakeups(&wake);
	return status;
}

/* What was never written is a hole, and a hole reads as zeros: there is nothing to fill in. */
NTSTATUS mrx_mem_zero_extend(PRX_CONTEXT RxContext)
{
	(void)RxContext;
	return STATUS_SUCCESS;
}

/*
 * STATUS_SUCCESS says "different files"; names of one node are the same file. The scavenger asks under its own mutex: what
 * hangs at an FCB must not be looked at, its number may be.
 */
NTSTATUS mrx_mem_are_files_aliased(PFCB Fcb1, PFCB Fcb2)
{
	PMRX_FCB a = (PMRX_FCB)Fcb1, b = (PMRX_FCB)Fcb2;
	LONG64 file;

	if (a == b)
		return STATUS_MORE_PROCESSING_REQUIRED;
	file = number_of(a);
	if (a->pNetRoot == b->pNetRoot && file != 0 && file == number_of(b))
		return STATUS_MORE_PROCESSING_REQUIRED;
	return STATUS_SUCCESS;
}
