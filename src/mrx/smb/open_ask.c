/*
 * open_ask.c - what a create asks of the server, in one compound.
 *
 * Owns:   nothing; the exchange is its struct smb_creating's.
 * Locks:  the core holds the FCB exclusive.
 *
 * Query on create: what the opener wants to know rides with the CREATE in one related compound, and so does the CLOSE
 * when the opener closes at once: one round trip for a lookup.
 */
#include "mrx/smb/open.h"

#define SMB_TAG_CREATE_BUFFER 'bBmS'

enum {
	QUERY_ALL_ROOM = 1024, /* the fixed part and as much of the name as comes along: nobody reads it */
	CONTEXTS_CAP = 256,
};

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

	part = smb_exchange_add(c->x, SMB2_CREATE, SMB_CREATE_HEAD + path->Length + 16 + contexts, 0);
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

NTSTATUS smb_exchange_add_close(struct smb_exchange *x, struct smb2_file_id id, struct smb_part **out)
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

bool smb_creating_may_close_at_once(const struct smb_creating *c)
{
	return c->ecp != NULL && (c->ecp->Requested & RX_QOC_CLOSE) != 0;
}

uint32_t smb_creating_wanted_lease(const struct smb_creating *c)
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
		.wanted = smb_creating_wanted_lease(c),
		.directory = (params->CreateOptions & FILE_DIRECTORY_FILE) != 0,
		.changes = params->Disposition != FILE_OPEN || (params->DesiredAccess & change) != 0 ||
			   (params->CreateOptions & FILE_DELETE_ON_CLOSE) != 0,
		.closes = smb_creating_may_close_at_once(c),
		.path = path,
	};

	smb_lease_prepare(c->rxc, c->tree, &wish, &c->lease);
}

void smb_creating_again(struct smb_creating *c)
{
	smb_exchange_put(c->x);
	c->x = NULL;
	c->query = c->read = c->close = NULL;
	c->sets = c->list = 0;
}

NTSTATUS smb_creating_build(struct smb_creating *c, const UNICODE_STRING *path)
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
	    !smb_creating_may_close_at_once(c))
		status = smb_add_read(c);
	if (status == STATUS_SUCCESS && smb_creating_may_close_at_once(c))
		status = smb_exchange_add_close(c->x, SMB2_FILE_ID_RELATED, &c->close);
	return status;
}
