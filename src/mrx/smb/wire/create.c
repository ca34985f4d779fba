/*
 * create.c - CREATE and CLOSE (MS-SMB2 2.2.13 - 2.2.16).  Stateless; contexts are in create_ctx.c.
 */
#include "mrx/smb/wire/body.h"

enum { CREATE_REQUEST_FIXED = SMB2_HDR_SIZE + 56, CREATE_RESPONSE_FIXED = SMB2_HDR_SIZE + 88 };

size_t smb2_create_request_encode(uint8_t *buf, size_t cap, const struct smb2_create_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 57);
	size_t contexts = wire_align8(CREATE_REQUEST_FIXED + (req->name.len & UINT16_MAX));

	wire_put_u8(&w, 0);
	wire_put_u8(&w, req->oplock_level);
	wire_put_u32(&w, req->impersonation);
	wire_put_u64(&w, 0);
	wire_put_u64(&w, 0);
	wire_put_u32(&w, req->desired_access);
	wire_put_u32(&w, req->file_attributes);
	wire_put_u32(&w, req->share_access);
	wire_put_u32(&w, req->disposition);
	wire_put_u32(&w, req->options);
	wire_put_u16(&w, CREATE_REQUEST_FIXED);
	smb2_put_len16(&w, req->name.len);
	wire_put_u32(&w, req->contexts.len ? (uint32_t)contexts : 0);
	smb2_put_len32(&w, req->contexts.len);
	wire_put_slice(&w, req->name);
	if (req->contexts.len) {
		wire_put_align8(&w);
		wire_put_slice(&w, req->contexts);
	} else if (!req->name.len) {
		wire_put_u8(&w, 0); /* the buffer must hold at least one byte */
	}
	return wire_done(&w);
}

bool smb2_create_request_decode(const struct smb2_pdu *pdu, struct smb2_create_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 57);
	uint32_t name_offset, name_length, ctx_offset, ctx_length;

	memset(out, 0, sizeof(*out));
	wire_skip(&r, 1);
	out->oplock_level = wire_get_u8(&r);
	out->impersonation = wire_get_u32(&r);
	wire_skip(&r, 16);
	out->desired_access = wire_get_u32(&r);
	out->file_attributes = wire_get_u32(&r);
	out->share_access = wire_get_u32(&r);
	out->disposition = wire_get_u32(&r);
	out->options = wire_get_u32(&r);
	name_offset = wire_get_u16(&r);
	name_length = wire_get_u16(&r);
	ctx_offset = wire_get_u32(&r);
	ctx_length = wire_get_u32(&r);
	return r.ok && name_length % 2 == 0 &&
	       smb2_pdu_slice(pdu, CREATE_REQUEST_FIXED, name_offset, name_length, &out->name) &&
	       smb2_pdu_slice(pdu, CREATE_REQUEST_FIXED, ctx_offset, ctx_length, &out->contexts);
}

bool smb2_create_response_decode(const struct smb2_pdu *pdu, struct smb2_create_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 89);
	uint32_t ctx_offset, ctx_length;

	memset(out, 0, sizeof(*out));
	out->oplock_level = wire_get_u8(&r);
	out->flags = wire_get_u8(&r);
	out->create_action = wire_get_u32(&r);
	out->creation_time = wire_get_u64(&r);
	out->last_access_time = wire_get_u64(&r);
	out->last_write_time = wire_get_u64(&r);
	out->change_time = wire_get_u64(&r);
	out->allocation_size = wire_get_u64(&r);
	out->end_of_file = wire_get_u64(&r);
	out->file_attributes = wire_get_u32(&r);
	wire_skip(&r, 4);
	out->file_id = smb2_get_file_id(&r);
	ctx_offset = wire_get_u32(&r);
	ctx_length = wire_get_u32(&r);
	return r.ok && smb2_pdu_slice(pdu, CREATE_RESPONSE_FIXED, ctx_offset, ctx_length, &out->contexts);
}

size_t smb2_create_response_encode(uint8_t *buf, size_t cap, const struct smb2_create_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 89);

	wire_put_u8(&w, rsp->oplock_level);
	wire_put_u8(&w, rsp->flags);
	wire_put_u32(&w, rsp->create_action);
	wire_put_u64(&w, rsp->creation_time);
	wire_put_u64(&w, rsp->last_access_time);
	wire_put_u64(&w, rsp->last_write_time);
	wire_put_u64(&w, rsp->change_time);
	wire_put_u64(&w, rsp->allocation_size);
	wire_put_u64(&w, rsp->end_of_file);
	wire_put_u32(&w, rsp->file_attributes);
	wire_put_u32(&w, 0);
	smb2_put_file_id(&w, rsp->file_id);
	wire_put_u32(&w, rsp->contexts.len ? CREATE_RESPONSE_FIXED : 0);
	smb2_put_len32(&w, rsp->contexts.len);
	wire_put_slice(&w, rsp->contexts);
	return wire_done(&w);
}

size_t smb2_close_request_encode(uint8_t *buf, size_t cap, const struct smb2_close_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 24);

	wire_put_u16(&w, req->flags);
	wire_put_u32(&w, 0);
	smb2_put_file_id(&w, req->file_id);
	return wire_done(&w);
}

bool smb2_close_request_decode(const struct smb2_pdu *pdu, struct smb2_close_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 24);

	memset(out, 0, sizeof(*out));
	out->flags = wire_get_u16(&r);
	wire_skip(&r, 4);
	out->file_id = smb2_get_file_id(&r);
	return r.ok;
}

bool smb2_close_response_decode(const struct smb2_pdu *pdu, struct smb2_close_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 60);

	memset(out, 0, sizeof(*out));
	out->flags = wire_get_u16(&r);
	wire_skip(&r, 4);
	out->creation_time = wire_get_u64(&r);
	out->last_access_time = wire_get_u64(&r);
	out->last_write_time = wire_get_u64(&r);
	out->change_time = wire_get_u64(&r);
	out->allocation_size = wire_get_u64(&r);
	out->end_of_file = wire_get_u64(&r);
	out->file_attributes = wire_get_u32(&r);
	return r.ok;
}

size_t smb2_close_response_encode(uint8_t *buf, size_t cap, const struct smb2_close_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 60);

	wire_put_u16(&w, rsp->flags);
	wire_put_u32(&w, 0);
	wire_put_u64(&w, rsp->creation_time);
	wire_put_u64(&w, rsp->last_access_time);
	wire_put_u64(&w, rsp->last_write_time);
	wire_put_u64(&w, rsp->change_time);
	wire_put_u64(&w, rsp->allocation_size);
	wire_put_u64(&w, rsp->end_of_file);
	wire_put_u32(&w, rsp->file_attributes);
	return wire_done(&w);
}
