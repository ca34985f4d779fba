/*
 * query.c - QUERY_DIRECTORY, CHANGE_NOTIFY, QUERY_INFO, SET_INFO and breaks (MS-SMB2 2.2.23 - 2.2.25,
 * 2.2.33 - 2.2.40).  Stateless; what the buffers hold is read by the fscc_*.c files.
 */
#include "mrx/smb/wire/body.h"

enum {
	QUERY_DIRECTORY_FIXED = SMB2_HDR_SIZE + 32,
	QUERY_INFO_FIXED = SMB2_HDR_SIZE + 40,
	SET_INFO_FIXED = SMB2_HDR_SIZE + 32,
	OUTPUT_FIXED = SMB2_HDR_SIZE + 8,
	OPLOCK_BREAK_SIZE = 24,
	LEASE_BREAK_SIZE = 44,
	LEASE_ACK_SIZE = 36,
};

size_t smb2_query_directory_request_encode(uint8_t *buf, size_t cap,
					   const struct smb2_query_directory_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 33);

	wire_put_u8(&w, req->info_class);
	wire_put_u8(&w, req->flags);
	wire_put_u32(&w, req->file_index);
	smb2_put_file_id(&w, req->file_id);
	wire_put_u16(&w, req->pattern.len ? QUERY_DIRECTORY_FIXED : 0);
	smb2_put_len16(&w, req->pattern.len);
	wire_put_u32(&w, req->output_length);
	wire_put_slice(&w, req->pattern);
	if (!req->pattern.len)
		wire_put_u8(&w, 0);
	return wire_done(&w);
}

bool smb2_query_directory_request_decode(const struct smb2_pdu *pdu, struct smb2_query_directory_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 33);
	uint16_t offset, length;

	memset(out, 0, sizeof(*out));
	out->info_class = wire_get_u8(&r);
	out->flags = wire_get_u8(&r);
	out->file_index = wire_get_u32(&r);
	out->file_id = smb2_get_file_id(&r);
	offset = wire_get_u16(&r);
	length = wire_get_u16(&r);
	out->output_length = wire_get_u32(&r);
	return r.ok && length % 2 == 0 &&
	       smb2_pdu_slice(pdu, QUERY_DIRECTORY_FIXED, offset, length, &out->pattern);
}

size_t smb2_notify_request_encode(uint8_t *buf, size_t cap, const struct smb2_notify_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 32);

	wire_put_u16(&w, req->flags);
	wire_put_u32(&w, req->output_length);
	smb2_put_file_id(&w, req->file_id);
	wire_put_u32(&w, req->completion_filter);
	wire_put_u32(&w, 0);
	return wire_done(&w);
}

bool smb2_notify_request_decode(const struct smb2_pdu *pdu, struct smb2_notify_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 32);

	memset(out, 0, sizeof(*out));
	out->flags = wire_get_u16(&r);
	out->output_length = wire_get_u32(&r);
	out->file_id = smb2_get_file_id(&r);
	out->completion_filter = wire_get_u32(&r);
	wire_skip(&r, 4);
	return r.ok;
}

size_t smb2_query_info_request_encode(uint8_t *buf, size_t cap, const struct smb2_query_info_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 41);

	wire_put_u8(&w, req->info_type);
	wire_put_u8(&w, req->info_class);
	wire_put_u32(&w, req->output_length);
	wire_put_u16(&w, req->input.len ? QUERY_INFO_FIXED : 0);
	wire_put_u16(&w, 0);
	smb2_put_len32(&w, req->input.len);
	wire_put_u32(&w, req->additional);
	wire_put_u32(&w, req->flags);
	smb2_put_file_id(&w, req->file_id);
	wire_put_slice(&w, req->input);
	return wire_done(&w);
}

bool smb2_query_info_request_decode(const struct smb2_pdu *pdu, struct smb2_query_info_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 41);
	uint32_t offset, length;

	memset(out, 0, sizeof(*out));
	out->info_type = wire_get_u8(&r);
	out->info_class = wire_get_u8(&r);
	out->output_length = wire_get_u32(&r);
	offset = wire_get_u16(&r);
	wire_skip(&r, 2);
	length = wire_get_u32(&r);
	out->additional = wire_get_u32(&r);
	out->flags = wire_get_u32(&r);
	out->file_id = smb2_get_file_id(&r);
	return r.ok && smb2_pdu_slice(pdu, QUERY_INFO_FIXED, offset, length, &out->input);
}

size_t smb2_set_info_request_encode(uint8_t *buf, size_t cap, const struct smb2_set_info_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 33);

	wire_put_u8(&w, req->info_type);
	wire_put_u8(&w, req->info_class);
	smb2_put_len32(&w, req->data.len);
	wire_put_u16(&w, SET_INFO_FIXED);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, req->additional);
	smb2_put_file_id(&w, req->file_id);
	wire_put_slice(&w, req->data);
	if (!req->data.len)
		wire_put_u8(&w, 0);
	return wire_done(&w);
}

bool smb2_set_info_request_decode(const struct smb2_pdu *pdu, struct smb2_set_info_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 33);
	uint32_t offset, length;

	memset(out, 0, sizeof(*out));
	out->info_type = wire_get_u8(&r);
	out->info_class = wire_get_u8(&r);
	length = wire_get_u32(&r);
	offset = wire_get_u16(&r);
	wire_skip(&r, 2);
	out->additional = wire_get_u32(&r);
	out->file_id = smb2_get_file_id(&r);
	return r.ok && smb2_pdu_slice(pdu, SET_INFO_FIXED, offset, length, &out->data);
}

bool smb2_output_response_decode(const struct smb2_pdu *pdu, struct wire_slice *output)
{
	struct wire_reader r = smb2_body_reader(pdu, 9);
	uint16_t offset = wire_get_u16(&r);
	uint32_t length = wire_get_u32(&r);

	*output = (struct wire_slice){NULL, 0};
	return r.ok && smb2_pdu_slice(pdu, OUTPUT_FIXED, offset, length, output);
}

size_t smb2_output_response_encode(uint8_t *buf, size_t cap, struct wire_slice output)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 9);

	wire_put_u16(&w, OUTPUT_FIXED);
	smb2_put_len32(&w, output.len);
	wire_put_slice(&w, output);
	return wire_done(&w);
}

size_t smb2_set_info_response_encode(uint8_t *buf, size_t cap)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 2);

	return wire_done(&w);
}

bool smb2_set_info_response_decode(const struct smb2_pdu *pdu)
{
	return smb2_body_reader(pdu, 2).ok;
}

/* The StructureSize of a PDU whose kind it decides; 0 when there is none. */
static uint16_t structure_size(const struct smb2_pdu *pdu)
{
	return pdu->len < SMB2_HDR_SIZE + 2 ? 0 : wire_le16(pdu->base + SMB2_HDR_SIZE);
}

static bool oplock_decode(const struct smb2_pdu *pdu, struct smb2_break *out)
{
	struct wire_reader r = smb2_body_reader(pdu, OPLOCK_BREAK_SIZE);

	out->oplock_level = wire_get_u8(&r);
	wire_skip(&r, 5);
	out->file_id = smb2_get_file_id(&r);
	return r.ok;
}

static size_t oplock_encode(uint8_t *buf, size_t cap, const struct smb2_break *brk)
{
	struct wire_writer w = smb2_body_writer(buf, cap, OPLOCK_BREAK_SIZE);

	wire_put_u8(&w, brk->oplock_level);
	wire_put_zero(&w, 5);
	smb2_put_file_id(&w, brk->file_id);
	return wire_done(&w);
}

bool smb2_break_notification_decode(const struct smb2_pdu *pdu, struct smb2_break *out)
{
	struct wire_reader r;

	memset(out, 0, sizeof(*out));
	if (structure_size(pdu) == OPLOCK_BREAK_SIZE)
		return oplock_decode(pdu, out);
	r = smb2_body_reader(pdu, LEASE_BREAK_SIZE);
	out->is_lease = true;
	out->new_epoch = wire_get_u16(&r);
	out->flags = wire_get_u32(&r);
	wire_get_bytes(&r, out->lease_key, sizeof(out->lease_key));
	out->current_state = wire_get_u32(&r);
	out->new_state = wire_get_u32(&r);
	wire_skip(&r, 12);
	return r.ok;
}

size_t smb2_break_notification_encode(uint8_t *buf, size_t cap, const struct smb2_break *brk)
{
	struct wire_writer w;

	if (!brk->is_lease)
		return oplock_encode(buf, cap, brk);
	w = smb2_body_writer(buf, cap, LEASE_BREAK_SIZE);
	wire_put_u16(&w, brk->new_epoch);
	wire_put_u32(&w, brk->flags);
	wire_put_bytes(&w, brk->lease_key, sizeof(brk->lease_key));
	wire_put_u32(&w, brk->current_state);
	wire_put_u32(&w, brk->new_state);
	wire_put_zero(&w, 12);
	return wire_done(&w);
}

size_t smb2_break_ack_encode(uint8_t *buf, size_t cap, const struct smb2_break *brk)
{
	struct wire_writer w;

	if (!brk->is_lease)
		return oplock_encode(buf, cap, brk);
	w = smb2_body_writer(buf, cap, LEASE_ACK_SIZE);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, 0);
	wire_put_bytes(&w, brk->lease_key, sizeof(brk->lease_key));
	wire_put_u32(&w, brk->new_state);
	wire_put_u64(&w, 0);
	return wire_done(&w);
}

bool smb2_break_ack_decode(const struct smb2_pdu *pdu, struct smb2_break *out)
{
	struct wire_reader r;

	memset(out, 0, sizeof(*out));
	if (structure_size(pdu) == OPLOCK_BREAK_SIZE)
		return oplock_decode(pdu, out);
	r = smb2_body_reader(pdu, LEASE_ACK_SIZE);
	out->is_lease = true;
	wire_skip(&r, 6);
	wire_get_bytes(&r, out->lease_key, sizeof(out->lease_key));
	out->new_state = wire_get_u32(&r);
	wire_skip(&r, 8);
	return r.ok;
}
