/*
 * open.c - opening and closing at the server.
 *
 * Owns:   struct smb_open behind SRV_OPEN.Context, from MRxCreate to MRxCloseSrvOpen or MRxForceClosed.
 * Locks:  the core holds the FCB exclusive in all of these.
 *
 * Query on create: what the opener wants to know rides with the CREATE in one related compound, and so does the CLOSE
 * when the opener closes at once: one round trip for a lookup.
 */
#include "mrx/smb/lease.h"
#include "mrx/smb/oplock.h"

#include "nt_count.h"
#include "rxecp.h"

#define SMB_TAG_OPEN 'oBmS'
#define SMB_TAG_CREATE_BUFFER 'bBmS'

enum {
	CREATE_HEAD = SMB2_HDR_SIZE + 64,
	QUERY_ALL_ROOM = 1024, /* the fixed part and as much of the name as comes along: nobody reads it */
	CONTEXTS_CAP = 256,
};

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

/* ---- building the compound --------------------------------------------------------------------------- */

/* One create under way. */
struct smb_creating {
	PRX_CONTEXT rxc;
	PRX_QUERY_ON_CREATE_ECP ecp; /* NULL: the opener asks for nothing */
	struct smb_tree *tree;
	struct smb_exchange *x;
	struct smb_part *query; /* NULL: not asked */
	struct smb_part *set[RX_QOC_SETS];
	unsigned int sets;      /* of set */
	struct smb_part *read;  /* NULL: nothing to read */
	struct smb_part *close; /* NULL: stays open */
	unsigned int list;      /* the first part that lists it; 0: none */
	uint64_t asked_at;      /* interrupt time */
	struct smb_creating_lease lease;
	struct smb_creating_oplock oplock;
	struct smb2_create_response rsp;
	FILE_STAT_INFORMATION stat;
};

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

/* The lease, extended attributes, allocation, and the question for the file's id. */
static bool smb_add_contexts(PRX_CONTEXT RxContext, const struct smb_creating_lease *lease,
			     struct smb2_create_context_list *list)
{
	const NT_CREATE_PARAMETERS *params = &RxContext->Create.NtCreateParameters;

	if (lease->lease != NULL && !smb2_lease_append(list, &lease->asked))
		return false;
	if (!smb2_disk_id_request_append(list))
		return false;
	if (params->AllocationSize.QuadPart > 0 && params->Disposition != FILE_OPEN &&
	    !smb2_allocation_size_append(list, (uint64_t)params->AllocationSize.QuadPart))
		return false;
	if (RxContext->Create.EaLength != 0 && RxContext->Create.EaBuffer != NULL &&
	    !smb2_create_context_append(list, SMB2_CREATE_EA_BUFFER, RxContext->Create.EaBuffer,
					RxContext->Create.EaLength))
		return false;
	return true;
}

static NTSTATUS smb_add_create(struct smb_creating *c, const UNICODE_STRING *path)
{
	const NT_CREATE_PARAMETERS *params = &c->rxc->Create.NtCreateParameters;
	size_t contexts = CONTEXTS_CAP + c->rxc->Create.EaLength;
	struct smb2_create_context_list list = {.cap = contexts};
	struct smb2_create_request req = {
		.oplock_level = c->lease.lease != NULL ? SMB2_OPLOCK_LEVEL_LEASE : c->oplock.asked,
		.impersonation = SMB2_IMPERSONATION_IMPERSONATION,
		.desired_access = params->DesiredAccess,
		.file_attributes = params->FileAttributes,
		.share_access = params->ShareAccess,
		.disposition = params->Disposition,
		/* asynchrony is this side's business, and a tree connect is no file */
		.options = params->CreateOptions & FILE_VALID_OPTION_FLAGS &
			   ~(ULONG)(FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT |
				    FILE_CREATE_TREE_CONNECTION),
		.name = {(const uint8_t *)path->Buffer, path->Length},
	};
	struct smb_part *part;

	part = smb_exchange_add(c->x, SMB2_CREATE, CREATE_HEAD + path->Length + 16 + contexts, 0);
	list.buf = ExAllocatePoolWithTag(NonPagedPool, contexts, SMB_TAG_CREATE_BUFFER);
	if (part == NULL || list.buf == NULL || !smb_add_contexts(c->rxc, &c->lease, &list)) {
		if (list.buf != NULL)
			ExFreePoolWithTag(list.buf, SMB_TAG_CREATE_BUFFER);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	req.contexts = smb2_create_context_list_slice(&list);
	part->len = smb2_create_request_encode(part->bytes, part->cap, &req);
	ExFreePoolWithTag(list.buf, SMB_TAG_CREATE_BUFFER);
	return part->len != 0 ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

static NTSTATUS smb_add_query_all(struct smb_creating *c)
{
	struct smb2_query_info_request req = {
		.info_type = SMB2_0_INFO_FILE,
		.info_class = FSCC_FILE_ALL,
		.output_length = QUERY_ALL_ROOM,
		.file_id = SMB2_FILE_ID_RELATED,
	};

	c->query = smb_exchange_add(c->x, SMB2_QUERY_INFO, SMB2_HDR_SIZE + 64, QUERY_ALL_ROOM);
	if (c->query == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	c->query->len = smb2_query_info_request_encode(c->query->bytes, c->query->cap, &req);
	return STATUS_SUCCESS;
}

static NTSTATUS smb_add_set(struct smb_creating *c, const RX_SET_ON_CREATE *set)
{
	struct smb2_set_info_request req = {
		.info_type = SMB2_0_INFO_FILE,
		.info_class = (uint8_t)set->Class,
		.file_id = SMB2_FILE_ID_RELATED,
	};
	struct smb_part *part;
	uint8_t *bytes;
	size_t count;
	NTSTATUS status = smb_encode_set(c->rxc->pRelevantSrvOpen->pAlreadyPrefixedName, set->Class,
					 set->Buffer, set->Length, FALSE, &bytes, &count);

	if (status != STATUS_SUCCESS)
		return status;
	if (count > c->tree->session->conn->neg.max_transact) {
		ExFreePool(bytes);
		return STATUS_INVALID_PARAMETER;
	}
	req.data = (struct wire_slice){bytes, count};
	part = smb_exchange_add(c->x, SMB2_SET_INFO, SMB2_HDR_SIZE + 40 + count, count);
	if (part != NULL) {
		part->len = smb2_set_info_request_encode(part->bytes, part->cap, &req);
		c->set[c->sets++] = part;
	}
	ExFreePool(bytes);
	return part != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* What the opener came to change. */
static NTSTATUS smb_add_sets(struct smb_creating *c)
{
	NTSTATUS status = STATUS_SUCCESS;
	ULONG i;

	if (c->ecp == NULL || (c->ecp->Requested & RX_QOC_SET) == 0)
		return STATUS_SUCCESS;
	if (c->ecp->SetCount == 0 || c->ecp->SetCount > RX_QOC_SETS)
		return STATUS_INVALID_PARAMETER;
	for (i = 0; status == STATUS_SUCCESS && i < c->ecp->SetCount; i++)
		status = smb_add_set(c, &c->ecp->Set[i]);
	return status;
}

/* Of the first change that failed. */
static NTSTATUS smb_set_status(const struct smb_creating *c)
{
	unsigned int i;

	for (i = 0; i < c->sets; i++)
		if (!NT_SUCCESS(c->set[i]->status))
			return c->set[i]->status;
	/* a server may say only at the close that it cannot delete */
	return c->close != NULL && NT_ERROR(c->close->status) ? c->close->status : STATUS_SUCCESS;
}

/* A small file's data, for an opener who is allowed to keep it: worth nothing without a lease. */
static NTSTATUS smb_add_read(struct smb_creating *c)
{
	const NT_CREATE_PARAMETERS *params = &c->rxc->Create.NtCreateParameters;
	const struct smb_negotiated *neg = &c->tree->session->conn->neg;
	struct smb2_read_request req = {.length = c->ecp->ReadLength, .file_id = SMB2_FILE_ID_RELATED};

	if (c->ecp->ReadBuffer == NULL || req.length > neg->max_read || c->lease.lease == NULL ||
	    params->Disposition != FILE_OPEN || (params->DesiredAccess & FILE_READ_DATA) == 0)
		return STATUS_SUCCESS;
	c->read = smb_exchange_add(c->x, SMB2_READ, SMB2_HDR_SIZE + 64, req.length);
	if (c->read == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	c->read->len = smb2_read_request_encode(c->read->bytes, c->read->cap, &req);
	c->read->read_to = c->ecp->ReadBuffer;
	c->read->read_room = req.length;
	return STATUS_SUCCESS;
}

static NTSTATUS smb_add_close(struct smb_exchange *x, struct smb2_file_id id, struct smb_part **out)
{
	struct smb2_close_request req = {.file_id = id};
	struct smb_part *part = smb_exchange_add(x, SMB2_CLOSE, SMB2_HDR_SIZE + 24, 0);

	if (out != NULL)
		*out = part;
	if (part == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	part->len = smb2_close_request_encode(part->bytes, part->cap, &req);
	return STATUS_SUCCESS;
}

/* A reparse point is looked at through its handle: that create stays open for the second round trip. */
static bool smb_may_close_at_once(const struct smb_creating *c)
{
	return c->ecp != NULL && (c->ecp->Requested & RX_QOC_CLOSE) != 0;
}

/* An open that goes on, and may read or write: something to keep. */
static uint32_t smb_wanted_lease(const struct smb_creating *c)
{
	const NT_CREATE_PARAMETERS *params = &c->rxc->Create.NtCreateParameters;
	const ACCESS_MASK write = FILE_WRITE_DATA | FILE_APPEND_DATA;
	uint32_t wanted = SMB2_LEASE_READ_CACHING | SMB2_LEASE_HANDLE_CACHING;

	if ((params->CreateOptions & FILE_DELETE_ON_CLOSE) != 0 ||
	    (params->DesiredAccess & (FILE_READ_DATA | FILE_EXECUTE | write)) == 0)
		return 0;
	if ((params->CreateOptions & FILE_DIRECTORY_FILE) != 0)
		return params->DesiredAccess & FILE_LIST_DIRECTORY ? wanted : 0;
	if ((params->DesiredAccess & write) != 0 && (params->CreateOptions & FILE_WRITE_THROUGH) == 0)
		wanted |= SMB2_LEASE_WRITE_CACHING;
	return wanted;
}

/* A folder that the opener lists next, and comes to do nothing else with. */
static bool smb_is_listed(const struct smb_creating *c)
{
	const NT_CREATE_PARAMETERS *params = &c->rxc->Create.NtCreateParameters;

	return c->ecp != NULL && (c->ecp->Requested & RX_QOC_LIST) != 0 &&
	       (c->ecp->Requested & (RX_QOC_SET | RX_QOC_CLOSE | RX_QOC_READ)) == 0 &&
	       (params->CreateOptions & FILE_DIRECTORY_FILE) != 0 &&
	       (params->DesiredAccess & FILE_LIST_DIRECTORY) != 0;
}

static void smb_ask_for_lease(struct smb_creating *c, const UNICODE_STRING *path)
{
	const NT_CREATE_PARAMETERS *params = &c->rxc->Create.NtCreateParameters;
	const ACCESS_MASK change = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES |
				   FILE_WRITE_EA | DELETE | GENERIC_WRITE | GENERIC_ALL | MAXIMUM_ALLOWED;
	struct smb_lease_wish wish = {
		.wanted = smb_wanted_lease(c),
		.directory = (params->CreateOptions & FILE_DIRECTORY_FILE) != 0,
		.changes = params->Disposition != FILE_OPEN || (params->DesiredAccess & change) != 0 ||
			   (params->CreateOptions & FILE_DELETE_ON_CLOSE) != 0,
		.closes = smb_may_close_at_once(c),
		.path = path,
	};

	smb_lease_prepare(c->rxc, c->tree, &wish, &c->lease);
}

static NTSTATUS smb_build_create(struct smb_creating *c, const UNICODE_STRING *path)
{
	NTSTATUS status;

	smb_ask_for_lease(c, path);
	c->asked_at = KeQueryInterruptTime();
	c->x = smb_tree_exchange(c->tree);
	if (c->x == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = smb_add_create(c, path);
	if (status == STATUS_SUCCESS)
		status = smb_add_sets(c);
	if (status == STATUS_SUCCESS && smb_is_listed(c)) {
		c->list = c->x->count;
		status = smb_pages_add_to_create(c->x);
	} else if (status == STATUS_SUCCESS && c->ecp != NULL && (c->ecp->Requested & RX_QOC_STAT)) {
		status = smb_add_query_all(c);
	}
	if (status == STATUS_SUCCESS && c->ecp != NULL && (c->ecp->Requested & RX_QOC_READ) &&
	    !smb_may_close_at_once(c))
		status = smb_add_read(c);
	if (status == STATUS_SUCCESS && smb_may_close_at_once(c))
		status = smb_add_close(c->x, SMB2_FILE_ID_RELATED, &c->close);
	return status;
}

/* ---- reading the answers ----------------------------------------------------------------------------- */

/* What the CREATE answer tells; the file's id when the server knows it. */
static void smb_stat_from_create(struct smb_creating *c)
{
	const struct smb2_create_response *rsp = &c->rsp;
	FILE_STAT_INFORMATION *stat = &c->stat;
	struct wire_slice data;
	struct smb2_disk_id id;

	RtlZeroMemory(stat, sizeof(*stat));
	stat->CreationTime.QuadPart = (LONGLONG)rsp->creation_time;
	stat->LastAccessTime.QuadPart = (LONGLONG)rsp->last_access_time;
	stat->LastWriteTime.QuadPart = (LONGLONG)rsp->last_write_time;
	stat->ChangeTime.QuadPart = (LONGLONG)rsp->change_time;
	stat->AllocationSize.QuadPart = (LONGLONG)(rsp->allocation_size & INT64_MAX);
	stat->EndOfFile.QuadPart = (LONGLONG)(rsp->end_of_file & INT64_MAX);
	stat->FileAttributes = rsp->file_attributes != 0 ? rsp->file_attributes : FILE_ATTRIBUTE_NORMAL;
	stat->NumberOfLinks = 1;
	stat->EffectiveAccess = c->tree->maximal_access;
	if (smb2_create_context_find(rsp->contexts, SMB2_CREATE_QUERY_ON_DISK_ID, &data) &&
	    smb2_disk_id_decode(data, &id))
		stat->FileId.QuadPart = (LONGLONG)id.file_id;
}

/* The second answer of the compound is newer, and knows the links. */
static bool smb_stat_from_query(struct smb_creating *c)
{
	FILE_STAT_INFORMATION *stat = &c->stat;
	struct wire_slice output;
	struct fscc_all all;

	if (c->query == NULL ||
	    (c->query->status != STATUS_SUCCESS && c->query->status != STATUS_BUFFER_OVERFLOW))
		return false;
	if (!smb2_output_response_decode(&c->query->pdu, &output) || !fscc_all_decode(output, &all))
		return false;
	stat->CreationTime.QuadPart = (LONGLONG)all.basic.creation_time;
	stat->LastAccessTime.QuadPart = (LONGLONG)all.basic.last_access_time;
	stat->LastWriteTime.QuadPart = (LONGLONG)all.basic.last_write_time;
	stat->ChangeTime.QuadPart = (LONGLONG)all.basic.change_time;
	stat->AllocationSize.QuadPart = (LONGLONG)(all.standard.allocation_size & INT64_MAX);
	stat->EndOfFile.QuadPart = (LONGLONG)(all.standard.end_of_file & INT64_MAX);
	stat->NumberOfLinks = all.standard.number_of_links;
	if (all.basic.attributes != 0)
		stat->FileAttributes = all.basic.attributes;
	if (stat->FileId.QuadPart == 0)
		stat->FileId.QuadPart = (LONGLONG)all.index_number;
	return true;
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

	fcb->IndexNumber = stat->FileId;
	RxFinishFcbInitialization(fcb, directory ? FileTypeDirectory : FileTypeFile, &packet);
}

/* The data of a reparse point, through its own handle.  Its failure leaves only the tag unknown. */
static void smb_fetch_reparse(struct smb_creating *c, struct smb2_file_id id)
{
	struct smb_exchange *x = smb_tree_exchange(c->tree);
	struct smb2_ioctl_request req = {
		.ctl_code = SMB2_FSCTL_GET_REPARSE_POINT,
		.file_id = id,
		.max_output_response = RX_QOC_REPARSE_BYTES,
		.flags = SMB2_0_IOCTL_IS_FSCTL,
	};
	struct smb_part *part = x == NULL ? NULL : smb_exchange_add(x, SMB2_IOCTL, 256, RX_QOC_REPARSE_BYTES);
	struct smb2_ioctl_response rsp;
	struct fscc_reparse reparse;

	if (part != NULL) {
		part->len = smb2_ioctl_request_encode(part->bytes, part->cap, &req);
		if (smb_run(c->rxc, x) == STATUS_SUCCESS && smb2_ioctl_response_decode(&part->pdu, &rsp) &&
		    fscc_reparse_decode(rsp.output, &reparse)) {
			c->stat.ReparseTag = reparse.tag;
			c->ecp->ReparseTag = reparse.tag;
			if (rsp.output.len <= c->ecp->ReparseCapacity && c->ecp->ReparseData != NULL) {
				RtlCopyMemory(c->ecp->ReparseData, rsp.output.p, rsp.output.len);
				c->ecp->ReparseLength = (ULONG)rsp.output.len;
				c->ecp->Supplied |= RX_QOC_SYMLINK;
			}
		}
	}
	smb_exchange_put(x);
}

static void smb_answer_ecp(struct smb_creating *c, const struct smb_open *open, bool stat_known)
{
	if (c->ecp == NULL)
		return;
	if ((c->stat.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) && open != NULL &&
	    (c->ecp->Requested & (RX_QOC_SYMLINK | RX_QOC_STAT)))
		smb_fetch_reparse(c, open->id);
	if (stat_known && (c->ecp->Requested & RX_QOC_STAT)) {
		c->ecp->Stat = c->stat;
		c->ecp->Supplied |= RX_QOC_STAT;
	}
	if (c->close != NULL)
		c->ecp->Supplied |= RX_QOC_CLOSE;
	if (c->list != 0 && smb_pages_take_from_create(c->rxc->pFobx->Context, c->x, c->list, c->asked_at))
		c->ecp->Supplied |= RX_QOC_LIST;
	if (c->read != NULL && c->read->status == STATUS_SUCCESS) {
		c->ecp->ReadBytes = (ULONG)c->read->placed;
		c->ecp->Supplied |= RX_QOC_READ;
	}
	if (c->sets != 0) {
		c->ecp->SetStatus = smb_set_status(c);
		c->ecp->Supplied |= RX_QOC_SET;
	}
}

/* ---- the callbacks ----------------------------------------------------------------------------------- */

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
	if (x == NULL || smb_add_close(x, id, NULL) != STATUS_SUCCESS) {
		smb_exchange_put(x);
		return; /* the server closes it with the session */
	}
	smb_exchange_forget(x);
}

/*
 * The name belongs to another file than the one that we keep open under it (somebody at the server replaced it): the
 * users of that one keep it, and the open is done again for a file of its own.
 */
static bool smb_is_another_file(const struct smb_creating *c)
{
	PMRX_FCB fcb = c->rxc->pFcb;
	PLIST_ENTRY link;

	if (fcb->IndexNumber.QuadPart == 0 || c->stat.FileId.QuadPart == 0 ||
	    fcb->IndexNumber.QuadPart == c->stat.FileId.QuadPart)
		return false;
	for (link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink)
		if (smb_open_of(CONTAINING_RECORD(link, MRX_SRV_OPEN, SrvOpenQLinks)) != NULL)
			return true;
	return false;
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

	smb_stat_from_create(c);
	/* a folder's links are not counted: with its number the first answer tells all of it */
	stat_known = smb_stat_from_query(c) || (c->list != 0 && c->stat.FileId.QuadPart != 0);
	another = smb_is_another_file(c);
	/* what was done to the file and ended with the open is not done again */
	if (another && !smb_is_over(c)) {
		if (c->close == NULL)
			smb_close_unheard(c->tree, c->rsp.file_id);
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
	smb_answer_ecp(c, open, stat_known);
	if (!another)
		smb_finish_fcb(c->rxc->pFcb, &c->stat);
	return STATUS_SUCCESS;
}

static NTSTATUS smb_create_run(struct smb_creating *c)
{
	PRX_CONTEXT rxc = c->rxc;
	UNICODE_STRING path = smb_relative_path(rxc->pRelevantSrvOpen->pAlreadyPrefixedName);
	NTSTATUS status = smb_build_create(c, &path);

	if (status != STATUS_SUCCESS)
		return status;
	status = smb_run(rxc, c->x);
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
	if (smb_build_create(&again, &path) == STATUS_SUCCESS && smb_run(c->rxc, again.x) == STATUS_SUCCESS &&
	    smb2_create_response_decode(&again.x->part[0].pdu, &again.rsp)) {
		smb_fetch_reparse(c, again.rsp.file_id);
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
			 smb_may_close_at_once(&c) ||
					 c.rxc->Create.NtCreateParameters.CreateOptions & FILE_DIRECTORY_FILE
				 ? 0
				 : smb_wanted_lease(&c),
			 &c.oplock);
	status = smb_create_run(&c);
	smb_oplock_end(&c.oplock);
	if (smb_must_look_again(&c, status) && RxContext->Create.NtCreateParameters.Disposition == FILE_OPEN)
		smb_look_again(&c);
	smb_exchange_put(c.x);
	smb_tree_put(c.tree);
	return status;
}

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
	if (x != NULL && smb_add_close(x, open->id, NULL) == STATUS_SUCCESS) {
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

/* STATUS_SUCCESS says "different files"; the server's file id tells names of one file. */
NTSTATUS mrx_smb_are_files_aliased(PFCB Fcb1, PFCB Fcb2)
{
	PMRX_FCB a = (PMRX_FCB)Fcb1, b = (PMRX_FCB)Fcb2;

	if (a == b)
		return STATUS_MORE_PROCESSING_REQUIRED;
	if (a->pNetRoot == b->pNetRoot && a->IndexNumber.QuadPart != 0 &&
	    a->IndexNumber.QuadPart == b->IndexNumber.QuadPart)
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
	part = x == NULL ? NULL : smb_exchange_add(x, SMB2_CREATE, CREATE_HEAD + path.Length + 16u, 0);
	status = STATUS_INSUFFICIENT_RESOURCES;
	if (part != NULL && smb_add_close(x, SMB2_FILE_ID_RELATED, NULL) == STATUS_SUCCESS) {
		part->len = smb2_create_request_encode(part->bytes, part->cap, &req);
		status = smb_run(RxContext, x);
	}
	smb_exchange_put(x);
	smb_tree_put(tree);
	return status;
}
