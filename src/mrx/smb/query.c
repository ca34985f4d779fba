/*
 * query.c - QUERY_INFO and SET_INFO, the two requests behind all information classes.
 */
#include "mrx/smb/smb.h"

static size_t smb_larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

NTSTATUS smb_query_info(PRX_CONTEXT RxContext, struct smb_open *open, const struct smb_query *query,
			struct smb_exchange **out, struct wire_slice *output)
{
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	uint32_t most = open->tree->session->conn->neg.max_transact;
	struct smb2_query_info_request req = {
		.info_type = query->type,
		.info_class = query->info_class,
		.output_length = query->room < most ? query->room : most,
		.input = query->input,
		.additional = query->additional,
		.flags = query->flags,
		.file_id = open->id,
	};
	struct smb_part *part;
	NTSTATUS status;

	*out = x;
	*output = (struct wire_slice){NULL, 0};
	part = x == NULL ? NULL
			 : smb_exchange_add(x, SMB2_QUERY_INFO, SMB2_HDR_SIZE + 64 + query->input.len,
					    smb_larger(req.output_length, query->input.len));
	if (part == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	part->len = smb2_query_info_request_encode(part->bytes, part->cap, &req);
	status = smb_run(RxContext, x);
	if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW)
		return status;
	if (!smb2_output_response_decode(&part->pdu, output) || output->len > req.output_length)
		return STATUS_INVALID_NETWORK_RESPONSE;
	return status;
}

/* NULL: it does not fit, or there is no memory. */
static struct smb_part *smb_add_set_info(struct smb_exchange *x, struct smb_open *open,
					 const struct smb2_set_info_request *req)
{
	size_t bytes = req->data.len;
	struct smb_part *part = NULL;

	if (bytes <= open->tree->session->conn->neg.max_transact)
		part = smb_exchange_add(x, SMB2_SET_INFO, SMB2_HDR_SIZE + 40 + bytes, bytes);
	if (part != NULL)
		part->len = smb2_set_info_request_encode(part->bytes, part->cap, req);
	return part;
}

NTSTATUS smb_set_info(PRX_CONTEXT RxContext, struct smb_open *open, uint8_t type, uint8_t info_class,
		      uint32_t additional, const void *data, size_t bytes)
{
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb2_set_info_request req = {
		.info_type = type,
		.info_class = info_class,
		.additional = additional,
		.file_id = open->id,
		.data = {data, bytes},
	};
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	if (x != NULL && smb_add_set_info(x, open, &req) != NULL)
		status = smb_run(RxContext, x);
	smb_exchange_put(x);
	return status;
}

NTSTATUS smb_set_and_query(PRX_CONTEXT RxContext, struct smb_open *open, uint8_t info_class, const void *data,
			   size_t bytes, struct fscc_all *all, bool *known)
{
	enum { ROOM = 1024 }; /* the fixed part and as much of the name as comes along: nobody reads it */
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb2_set_info_request set = {
		.info_type = SMB2_0_INFO_FILE,
		.info_class = info_class,
		.file_id = open->id,
		.data = {data, bytes},
	};
	struct smb2_query_info_request ask = {
		.info_type = SMB2_0_INFO_FILE,
		.info_class = FSCC_FILE_ALL,
		.output_length = ROOM,
		.file_id = SMB2_FILE_ID_RELATED,
	};
	struct smb_part *query = NULL;
	struct wire_slice output;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	*known = false;
	if (x != NULL && smb_add_set_info(x, open, &set) != NULL)
		query = smb_exchange_add(x, SMB2_QUERY_INFO, SMB2_HDR_SIZE + 64, ROOM);
	if (query != NULL) {
		query->len = smb2_query_info_request_encode(query->bytes, query->cap, &ask);
		status = smb_run(RxContext, x);
	}
	if (status == STATUS_SUCCESS &&
	    (query->status == STATUS_SUCCESS || query->status == STATUS_BUFFER_OVERFLOW))
		*known = smb2_output_response_decode(&query->pdu, &output) && fscc_all_decode(output, all);
	all->name = (struct wire_slice){NULL, 0}; /* it goes with the exchange */
	smb_exchange_put(x);
	return status;
}
