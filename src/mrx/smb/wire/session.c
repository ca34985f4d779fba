/*
 * session.c - SESSION_SETUP, TREE_CONNECT, and the bodies of four bytes (MS-SMB2 2.2.5 - 2.2.12, 2.2.18,
 * 2.2.27 - 2.2.30).  Stateless.
 */
#include "mrx/smb/wire/body.h"

enum {
	SETUP_REQUEST_FIXED = SMB2_HDR_SIZE + 24,
	SETUP_RESPONSE_FIXED = SMB2_HDR_SIZE + 8,
	TREE_REQUEST_FIXED = SMB2_HDR_SIZE + 8,
};

size_t smb2_session_setup_request_encode(uint8_t *buf, size_t cap,
					 const struct smb2_session_setup_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 25);

	wire_put_u8(&w, req->flags);
	wire_put_u8(&w, req->security_mode);
	wire_put_u32(&w, req->capabilities);
	wire_put_u32(&w, 0);
	wire_put_u16(&w, SETUP_REQUEST_FIXED);
	smb2_put_len16(&w, req->token.len);
	wire_put_u64(&w, req->previous_session_id);
	wire_put_slice(&w, req->token);
	if (!req->token.len)
		wire_put_u8(&w, 0);
	return wire_done(&w);
}

bool smb2_session_setup_request_decode(const struct smb2_pdu *pdu, struct smb2_session_setup_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 25);
	uint16_t offset, length;

	memset(out, 0, sizeof(*out));
	out->flags = wire_get_u8(&r);
	out->security_mode = wire_get_u8(&r);
	out->capabilities = wire_get_u32(&r);
	wire_skip(&r, 4);
	offset = wire_get_u16(&r);
	length = wire_get_u16(&r);
	out->previous_session_id = wire_get_u64(&r);
	return r.ok && smb2_pdu_slice(pdu, SETUP_REQUEST_FIXED, offset, length, &out->token);
}

bool smb2_session_setup_response_decode(const struct smb2_pdu *pdu, struct smb2_session_setup_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 9);
	uint16_t offset, length;

	memset(out, 0, sizeof(*out));
	out->session_flags = wire_get_u16(&r);
	offset = wire_get_u16(&r);
	length = wire_get_u16(&r);
	return r.ok && smb2_pdu_slice(pdu, SETUP_RESPONSE_FIXED, offset, length, &out->token);
}

size_t smb2_session_setup_response_encode(uint8_t *buf, size_t cap,
					  const struct smb2_session_setup_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 9);

	wire_put_u16(&w, rsp->session_flags);
	wire_put_u16(&w, SETUP_RESPONSE_FIXED);
	smb2_put_len16(&w, rsp->token.len);
	wire_put_slice(&w, rsp->token);
	return wire_done(&w);
}

size_t smb2_empty_encode(uint8_t *buf, size_t cap)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 4);

	wire_put_u16(&w, 0);
	return wire_done(&w);
}

bool smb2_empty_decode(const struct smb2_pdu *pdu)
{
	struct wire_reader r = smb2_body_reader(pdu, 4);

	wire_skip(&r, 2);
	return r.ok;
}

size_t smb2_tree_connect_request_encode(uint8_t *buf, size_t cap, const struct smb2_tree_connect_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 9);

	if (!req->path.len || req->flags & SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT)
		return 0;
	wire_put_u16(&w, req->flags);
	wire_put_u16(&w, TREE_REQUEST_FIXED);
	smb2_put_len16(&w, req->path.len);
	wire_put_slice(&w, req->path);
	return wire_done(&w);
}

bool smb2_tree_connect_request_decode(const struct smb2_pdu *pdu, struct smb2_tree_connect_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 9);
	uint16_t offset, length;

	memset(out, 0, sizeof(*out));
	out->flags = wire_get_u16(&r);
	offset = wire_get_u16(&r);
	length = wire_get_u16(&r);
	return r.ok && !(out->flags & SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT) && length % 2 == 0 &&
	       smb2_pdu_slice(pdu, TREE_REQUEST_FIXED, offset, length, &out->path);
}

bool smb2_tree_connect_response_decode(const struct smb2_pdu *pdu, struct smb2_tree_connect_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 16);

	memset(out, 0, sizeof(*out));
	out->share_type = wire_get_u8(&r);
	wire_skip(&r, 1);
	out->share_flags = wire_get_u32(&r);
	out->capabilities = wire_get_u32(&r);
	out->maximal_access = wire_get_u32(&r);
	return r.ok;
}

size_t smb2_tree_connect_response_encode(uint8_t *buf, size_t cap,
					 const struct smb2_tree_connect_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 16);

	wire_put_u8(&w, rsp->share_type);
	wire_put_u8(&w, 0);
	wire_put_u32(&w, rsp->share_flags);
	wire_put_u32(&w, rsp->capabilities);
	wire_put_u32(&w, rsp->maximal_access);
	return wire_done(&w);
}
