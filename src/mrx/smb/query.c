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
	struct smb_part *part = NULL;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	if (x != NULL && bytes <= open->tree->session->conn->neg.max_transact)
		part = smb_exchange_add(x, SMB2_SET_INFO, SMB2_HDR_SIZE + 40 + bytes, bytes);
	if (part != NULL) {
		part->len = smb2_set_info_request_encode(part->bytes, part->cap, &req);
		status = smb_run(RxContext, x);
	}
	smb_exchange_put(x);
	return status;
}
