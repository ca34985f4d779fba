/*
 * open.c - opening and closing at the server.
 *
 * Owns:   struct smb_open behind SRV_OPEN.Context, from MRxCreate to MRxCloseSrvOpen or MRxForceClosed.
 * Locks:  the core holds the FCB exclusive in all of these.
 *
 * What a create asks is in open_ask.c, what its answers tell in open_answer.c.
 */
#include "mrx/smb/open.h"

#include "nt_count.h"

#define SMB_TAG_OPEN 'oBmS'

UNICODE_STRING smb_relative_path(const UNICODE_STRING *name)
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

static void smb_open_free(struct smb_open *open)
{
	smb_oplock_open_ended(open);
	smb_tree_put(open->tree);
	ExFreePoolWithTag(open, SMB_TAG_OPEN);
}

/* Closes a handle; nobody waits for the answer. */
static void smb_close_unheard(struct smb_tree *tree, struct smb2_file_id id)
{
	struct smb_exchange *x;

	if (smb_tree_is_dead(tree))
		return;
	x = smb_tree_exchange(tree);
	if (x == NULL || smb_exchange_add_close(x, id, NULL) != STATUS_SUCCESS) {
		smb_exchange_put(x);
		return; /* the server closes it with the session */
	}
	smb_exchange_forget(x);
}

/* ---- creating -------------------------------------------------------------------------------------- */

static PRX_QUERY_ON_CREATE_ECP smb_find_ecp(PRX_CONTEXT RxContext)
{
	PRX_QUERY_ON_CREATE_ECP ecp = NULL;
	PECP_LIST list = NULL;
	ULONG size = 0;

	if (RxContext->CurrentIrp == NULL ||
	    !NT_SUCCESS(FsRtlGetEcpListFromIrp(RxContext->CurrentIrp, &list)) || list == NULL)
		return NULL;
	if (!NT_SUCCESS(FsRtlFindExtraCreateParameter(list, &RX_ECP_QUERY_ON_CREATE, (PVOID *)&ecp, &size)) ||
	    size < sizeof(*ecp))
		return NULL;
	return ecp;
}

static void smb_finish_fcb(PMRX_FCB fcb, FILE_STAT_INFORMATION *stat)
{
	bool directory = (stat->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
	FCB_INIT_PACKET packet = {
		.pAttributes = &stat->FileAttributes,
		.pNumLinks = &stat->NumberOfLinks,
		.pCreationTime = &stat->CreationTime,
		.pLastAccessTime = &stat->LastAccessTime,
		.pLastWriteTime = &stat->LastWriteTime,
		.pLastChangeTime = &stat->ChangeTime,
		.pAllocationSize = &stat->AllocationSize,
		.pFileSize = &stat->EndOfFile,
		.pValidDataLength = &stat->EndOfFile,
	};

	InterlockedExchange64(&fcb->IndexNumber.QuadPart, stat->FileId.QuadPart);
	RxFinishFcbInitialization(fcb, directory ? FileTypeDirectory : FileTypeFile, &packet);
}

static bool smb_is_kept_open(PMRX_FCB fcb)
{
	PLIST_ENTRY link;

	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		if (smb_open_of(CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)) != NULL)
			return true;
	return false;
}

/*
 * The name belongs to another file than the one that we keep open under it (somebody at the server replaced it): the
 * users of that one keep it, and the open is done again for a file of its own.
 */
static bool smb_is_another_file(const struct smb_creating *c)
{
	PMRX_FCB fcb = c->rxc->pFcb;
	LONG64 ours = smb_number_of(fcb), theirs = c->stat.FileId.QuadPart;

	return ours != 0 && theirs != 0 && ours != theirs && smb_is_kept_open(fcb);
}

/*
 * The same, told by the server of a file that is to be made, because our key is that of the moved one ([MS-SMB2] 3.3.5.9.8):
 * were it made, and another file found only then, it could not be made again.
 */
static bool smb_is_key_of_moved_file(const struct smb_creating *c, NTSTATUS status)
{
	return status == STATUS_INVALID_PARAMETER && c->lease.lease != NULL &&
	       c->rxc->Create.NtCreateParameters.Disposition == FILE_CREATE && smb_is_kept_open(c->rxc->pFcb);
}

/* A change that was made and a handle that is closed: there is nothing to have an FCB for. */
static bool smb_is_over(const struct smb_creating *c)
{
	return c->close != NULL && (c->sets != 0 || (c->rxc->Create.NtCreateParameters.CreateOptions &
						     FILE_DELETE_ON_CLOSE) != 0);
}

static NTSTATUS smb_take_open(struct smb_creating *c)
{
	PMRX_SRV_OPEN so = c->rxc->pRelevantSrvOpen;
	struct smb_open *open = NULL;
	bool stat_known, another;

	smb_creating_stat_from_create(c);
	/* a folder's links are not counted: with its number the first answer tells all of it */
	stat_known = smb_creating_stat_from_query(c) || (c->list != 0 && c->stat.FileId.QuadPart != 0);
	another = smb_is_another_file(c);
	/* what was done to the file and ended with the open is not done again */
	if (another && !smb_is_over(c)) {
		if (c->close == NULL)
			smb_close_unheard(c->tree, c->rsp.file_id);
		/* what was made is there when the open is done again */
		if (c->rsp.create_action == FILE_CREATED)
			c->rxc->Create.NtCreateParameters.Disposition = FILE_OPEN_IF;
		c->rxc->pFcb->fShouldBeOrphaned = TRUE;
		return STATUS_RETRY;
	}
	c->rxc->pFobx = RxCreateNetFobx(c->rxc, so);
	if (c->rxc->pFobx != NULL && c->close == NULL)
		open = ExAllocatePoolZero(NonPagedPool, sizeof(*open), SMB_TAG_OPEN);
	if (c->rxc->pFobx == NULL || (c->close == NULL && open == NULL)) {
		if (c->close == NULL)
			smb_close_unheard(c->tree, c->rsp.file_id);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	c->rxc->pFobx->OffsetOfNextEaToReturn = 1;
	if (open != NULL) {
		open->tree = c->tree;
		smb_tree_get(c->tree);
		open->id = c->rsp.file_id;
		open->access = c->rxc->Create.NtCreateParameters.DesiredAccess;
		open->directory = (c->stat.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
		so->Context = open;
	} else {
		so->Flags |= SRVOPEN_FLAG_CLOSED;
	}
	smb_lease_take(c->rxc, c->tree, &c->lease, &c->rsp);
	smb_oplock_take(so, &c->oplock, c->rsp.oplock_level);
	smb_creating_answer_ecp(c, open, stat_known);
	if (!another)
		smb_finish_fcb(c->rxc->pFcb, &c->stat);
	return STATUS_SUCCESS;
}

static NTSTATUS smb_create_send(struct smb_creating *c, const UNICODE_STRING *path)
{
	NTSTATUS status = smb_creating_build(c, path);

	return status == STATUS_SUCCESS ? smb_run(c->rxc, c->x) : status;
}

static NTSTATUS smb_create_run(struct smb_creating *c)
{
	PRX_CONTEXT rxc = c->rxc;
	UNICODE_STRING path = smb_relative_path(rxc->pRelevantSrvOpen->pAlreadyPrefixedName);
	NTSTATUS status = smb_create_send(c, &path);

	if (smb_is_key_of_moved_file(c, status)) {
		rxc->pFcb->fShouldBeOrphaned = TRUE;
		return STATUS_RETRY;
	}
	/* MS-SMB2 3.3.5.9.8: so says a server to a lease key that it knows by another name */
	if (status == STATUS_INVALID_PARAMETER && c->lease.lease != NULL &&
	    smb_lease_give_up(rxc->pFcb, c->tree)) {
		smb_creating_again(c);
		status = smb_create_send(c, &path);
	}
	if (status != STATUS_SUCCESS)
		return status;
	if (!smb2_create_response_decode(&c->x->part[0].pdu, &c->rsp))
		return STATUS_INVALID_NETWORK_RESPONSE;
	/* a server may fail what follows a failure in a compound, the close included: no handle is left behind */
	if (c->close != NULL && NT_ERROR(c->close->status)) {
		smb_close_unheard(c->tree, c->rsp.file_id);
		if (rxc->Create.NtCreateParameters.CreateOptions & FILE_DELETE_ON_CLOSE)
			return c->close->status;
	}
	status = smb_take_open(c);
	if (status == STATUS_SUCCESS) {
		rxc->Create.ReturnedCreateInformation = c->rsp.create_action;
		rxc->CurrentIrp->IoStatus.Information = c->rsp.create_action;
	}
	return status;
}

/* A link is looked at through a handle: the create that found one is done again without the close. */
static bool smb_must_look_again(const struct smb_creating *c, NTSTATUS status)
{
	return status == STATUS_SUCCESS && c->close != NULL &&
	       (c->stat.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
	       (c->ecp->Requested & (RX_QOC_SYMLINK | RX_QOC_STAT)) != 0;
}

static void smb_look_again(struct smb_creating *c)
{
	struct smb_creating again = {.rxc = c->rxc, .tree = c->tree};
	UNICODE_STRING path = smb_relative_path(c->rxc->pRelevantSrvOpen->pAlreadyPrefixedName);

	/* what the first answer told stands; only the tag and the data of the link are added */
	if (smb_creating_build(&again, &path) == STATUS_SUCCESS &&
	    smb_run(c->rxc, again.x) == STATUS_SUCCESS &&
	    smb2_create_response_decode(&again.x->part[0].pdu, &again.rsp)) {
		smb_creating_fetch_reparse(c, again.rsp.file_id);
		c->ecp->Stat.ReparseTag = c->stat.ReparseTag;
		smb_close_unheard(c->tree, again.rsp.file_id);
	}
	smb_exchange_put(again.x);
}

NTSTATUS mrx_smb_create(PRX_CONTEXT RxContext)
{
	struct smb_share *share = RxContext->pRelevantSrvOpen->pVNetRoot->Context;
	struct smb_creating c = {.rxc = RxContext, .ecp = smb_find_ecp(RxContext)};
	NTSTATUS status = smb_share_connect(share, KeQueryInterruptTime() + SMB_CONNECT_TIME, &c.tree);

	if (status != STATUS_SUCCESS)
		return status;
	smb_oplock_begin(RxContext, c.tree->session->conn,
			 smb_creating_may_close_at_once(&c) ||
					 c.rxc->Create.NtCreateParameters.CreateOptions & FILE_DIRECTORY_FILE
				 ? 0
				 : smb_creating_wanted_lease(&c),
			 &c.oplock);
	status = smb_create_run(&c);
	smb_oplock_end(&c.oplock);
	if (smb_must_look_again(&c, status) && RxContext->Create.NtCreateParameters.Disposition == FILE_OPEN)
		smb_look_again(&c);
	smb_exchange_put(c.x);
	smb_tree_put(c.tree);
	return status;
}

/* ---- sharing an open ------------------------------------------------------------------------------- */

/* An open may ride on another one only while the server has promised to tell us of conflicts. */
NTSTATUS mrx_smb_should_try_to_collapse(PRX_CONTEXT RxContext)
{
	PMRX_SRV_OPEN so = RxContext->pRelevantSrvOpen;

	if (so == NULL || smb_open_of(so) == NULL || smb_tree_is_dead(smb_open_of(so)->tree))
		return STATUS_MORE_PROCESSING_REQUIRED;
	return smb_lease_has_handle_caching(so->pFcb) || smb_oplock_has_handle_caching(smb_open_of(so))
		       ? STATUS_SUCCESS
		       : STATUS_MORE_PROCESSING_REQUIRED;
}

NTSTATUS mrx_smb_collapse_open(PRX_CONTEXT RxContext)
{
	RxContext->pFobx = RxCreateNetFobx(RxContext, RxContext->pRelevantSrvOpen);
	if (RxContext->pFobx == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	nt_count_one(NT_COUNT_EVENT, "opens_shared", 0);
	RxContext->pFobx->OffsetOfNextEaToReturn = 1;
	RxContext->Create.ReturnedCreateInformation = FILE_OPENED;
	RxContext->CurrentIrp->IoStatus.Information = FILE_OPENED;
	return STATUS_SUCCESS;
}

/* ---- closing --------------------------------------------------------------------------------------- */

/* A handle keeps nothing at the server that the close does not end. */
NTSTATUS mrx_smb_cleanup_fobx(PRX_CONTEXT RxContext)
{
	if (RxContext->pFobx != NULL && RxContext->pFobx->Context != NULL)
		smb_dir_reset(RxContext->pFobx->Context);
	return STATUS_SUCCESS;
}

/* Does anything that comes later depend on what this close does: a deletion, share modes, locks? */
static bool smb_close_matters(PMRX_SRV_OPEN so, const struct smb_open *open)
{
	const ULONG all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

	return open->heard_out != 0 || (so->ShareAccess & all) != all ||
	       (so->CreateOptions & FILE_DELETE_ON_CLOSE) != 0;
}

/*
 * The answer is waited for where it matters: what the close does holds then when this returns.  Not for a server that
 * says nothing at all: nobody could do anything about it.
 */
NTSTATUS mrx_smb_close_srv_open(PRX_CONTEXT RxContext)
{
	PMRX_SRV_OPEN so = RxContext->pRelevantSrvOpen != NULL ? RxContext->pRelevantSrvOpen
							       : RxContext->pFobx->pSrvOpen;
	struct smb_open *open = smb_open_of(so);
	struct smb_exchange *x;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	if (open == NULL)
		return STATUS_SUCCESS;
	so->Context = NULL;
	if (!smb_close_matters(so, open)) {
		smb_close_unheard(open->tree, open->id);
		smb_open_free(open);
		smb_lease_open_ended(so->pFcb);
		return STATUS_SUCCESS;
	}
	x = smb_tree_exchange(open->tree);
	if (x != NULL && smb_exchange_add_close(x, open->id, NULL) == STATUS_SUCCESS) {
		smb_call_count(RxContext, x);
		status = smb_exchange_run_unless_silent(x);
	}
	smb_exchange_put(x);
	smb_open_free(open);
	smb_lease_open_ended(so->pFcb);
	return status;
}

void smb_open_end(PMRX_SRV_OPEN so)
{
	struct smb_open *open = smb_open_of(so);

	so->Context = NULL;
	so->Flags |= SRVOPEN_FLAG_CLOSED;
	if (open != NULL) {
		smb_close_unheard(open->tree, open->id);
		smb_open_free(open);
		smb_lease_open_ended(so->pFcb);
	}
}

NTSTATUS mrx_smb_force_closed(PMRX_SRV_OPEN SrvOpen)
{
	smb_open_end(SrvOpen);
	return STATUS_SUCCESS;
}

NTSTATUS mrx_smb_deallocate_for_fobx(PMRX_FOBX Fobx)
{
	if (Fobx->Context != NULL)
		smb_dir_reset(Fobx->Context);
	return STATUS_SUCCESS;
}

/* ---- questions about names -------------------------------------------------------------------------- */

/* STATUS_SUCCESS says "different files"; the server's file id tells names of one file. */
NTSTATUS mrx_smb_are_files_aliased(PFCB Fcb1, PFCB Fcb2)
{
	PMRX_FCB a = (PMRX_FCB)Fcb1, b = (PMRX_FCB)Fcb2;
	LONG64 number;

	if (a == b)
		return STATUS_MORE_PROCESSING_REQUIRED;
	number = smb_number_of(a);
	if (a->pNetRoot == b->pNetRoot && number != 0 && number == smb_number_of(b))
		return STATUS_MORE_PROCESSING_REQUIRED;
	return STATUS_SUCCESS;
}

NTSTATUS mrx_smb_is_valid_directory(PRX_CONTEXT RxContext, PUNICODE_STRING DirectoryName)
{
	struct smb_share *share = RxContext->Create.pVNetRoot->Context;
	UNICODE_STRING path = smb_relative_path(DirectoryName);
	struct smb2_create_request req = {
		.impersonation = SMB2_IMPERSONATION_IMPERSONATION,
		.desired_access = FILE_READ_ATTRIBUTES,
		.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
		.disposition = FILE_OPEN,
		.options = FILE_DIRECTORY_FILE,
		.name = {(const uint8_t *)path.Buffer, path.Length},
	};
	struct smb_exchange *x = NULL;
	struct smb_part *part;
	struct smb_tree *tree;
	NTSTATUS status = smb_share_connect(share, KeQueryInterruptTime() + SMB_CONNECT_TIME, &tree);

	if (status != STATUS_SUCCESS)
		return status;
	x = smb_tree_exchange(tree);
	part = x == NULL ? NULL : smb_exchange_add(x, SMB2_CREATE, SMB_CREATE_HEAD + path.Length + 16u, 0);
	status = STATUS_INSUFFICIENT_RESOURCES;
	if (part != NULL && smb_exchange_add_close(x, SMB2_FILE_ID_RELATED, NULL) == STATUS_SUCCESS) {
		part->len = smb2_create_request_encode(part->bytes, part->cap, &req);
		status = smb_run(RxContext, x);
	}
	smb_exchange_put(x);
	smb_tree_put(tree);
	return status;
}
