/*
 * error.c - error responses, error contexts and the symbolic link error (MS-SMB2 2.2.2).
 *
 * Stateless.  A server may answer any request with this body, so it is decoded for every failed status that
 * the command's own response does not carry.
 */
#include "mrx/smb/wire/body.h"

enum { ERROR_FIXED = SMB2_HDR_SIZE + 8, SYMLINK_HEAD = 28 };

bool smb2_error_response_decode(const struct smb2_pdu *pdu, struct smb2_error_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 9);
	uint32_t bytes;

	memset(out, 0, sizeof(*out));
	out->context_count = wire_get_u8(&r);
	wire_skip(&r, 1);
	bytes = wire_get_u32(&r);
	return r.ok && smb2_pdu_slice(pdu, ERROR_FIXED, ERROR_FIXED, bytes, &out->data);
}

size_t smb2_error_response_encode(uint8_t *buf, size_t cap, const struct smb2_error_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 9);

	wire_put_u8(&w, rsp->context_count);
	wire_put_u8(&w, 0);
	smb2_put_len32(&w, rsp->data.len);
	wire_put_slice(&w, rsp->data);
	if (!rsp->data.len)
		wire_put_u8(&w, 0); /* the body is never shorter than its StructureSize */
	return wire_done(&w);
}

int smb2_error_context_next(const struct smb2_error_response *rsp, size_t *offset,
			    struct smb2_error_context *ctx)
{
	struct wire_reader r;
	uint32_t bytes;

	if (*offset >= rsp->data.len)
		return 0;
	if (!rsp->context_count) {
		ctx->id = SMB2_ERROR_ID_DEFAULT;
		ctx->data = rsp->data;
		*offset = rsp->data.len;
		return 1;
	}
	r = wire_reader_init(rsp->data.p + *offset, rsp->data.len - *offset);
	bytes = wire_get_u32(&r);
	ctx->id = wire_get_u32(&r);
	ctx->data = wire_get_slice(&r, bytes);
	if (!r.ok)
		return -1;
	*offset += r.pos;
	/* Every context begins 8-byte aligned; what is left after the last one is its padding. */
	*offset = *offset > SIZE_MAX - 7 ? SIZE_MAX : wire_align8(*offset);
	return 1;
}

bool smb2_error_context_append(uint8_t *buf, size_t cap, size_t *pos, const struct smb2_error_context *ctx)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	(void)wire_room(&w, *pos);
	wire_put_align8(&w);
	smb2_put_len32(&w, ctx->data.len);
	wire_put_u32(&w, ctx->id);
	wire_put_slice(&w, ctx->data);
	if (!w.ok)
		return false;
	*pos = w.pos;
	return true;
}

bool smb2_symlink_error_decode(struct wire_slice data, struct smb2_symlink_error *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint32_t length, tag, reparse_tag, sub_off, sub_len, print_off, print_len;
	uint16_t reparse_len;
	struct wire_slice path;

	memset(out, 0, sizeof(*out));
	length = wire_get_u32(&r);
	tag = wire_get_u32(&r);
	reparse_tag = wire_get_u32(&r);
	reparse_len = wire_get_u16(&r);
	out->unparsed_bytes = wire_get_u16(&r);
	sub_off = wire_get_u16(&r);
	sub_len = wire_get_u16(&r);
	print_off = wire_get_u16(&r);
	print_len = wire_get_u16(&r);
	out->flags = wire_get_u32(&r);
	if (!r.ok || tag != SMB2_SYMLINK_ERROR_TAG || reparse_tag != SMB2_REPARSE_TAG_SYMLINK)
		return false;
	if (reparse_len < 12 || length < 12u + reparse_len || length > data.len - 4)
		return false;
	path = wire_get_slice(&r, reparse_len - 12u);
	if (!r.ok || !wire_in_range(sub_off, sub_len, path.len) ||
	    !wire_in_range(print_off, print_len, path.len))
		return false;
	if ((sub_len | print_len | out->unparsed_bytes) & 1)
		return false;
	out->substitute = wire_slice_at(path.p, sub_off, sub_len);
	out->print = wire_slice_at(path.p, print_off, print_len);
	return true;
}

size_t smb2_symlink_error_encode(uint8_t *buf, size_t cap, const struct smb2_symlink_error *err)
{
	struct wire_writer w = wire_writer_init(buf, cap);
	size_t path = err->substitute.len + err->print.len;

	if (err->substitute.len > UINT16_MAX || err->print.len > UINT16_MAX || path > UINT16_MAX - 12)
		return 0;
	wire_put_u32(&w, (uint32_t)(SYMLINK_HEAD - 4 + path));
	wire_put_u32(&w, SMB2_SYMLINK_ERROR_TAG);
	wire_put_u32(&w, SMB2_REPARSE_TAG_SYMLINK);
	wire_put_u16(&w, (uint16_t)(path + 12));
	wire_put_u16(&w, err->unparsed_bytes);
	wire_put_u16(&w, 0);
	wire_put_u16(&w, (uint16_t)err->substitute.len);
	wire_put_u16(&w, (uint16_t)err->substitute.len);
	wire_put_u16(&w, (uint16_t)err->print.len);
	wire_put_u32(&w, err->flags);
	wire_put_slice(&w, err->substitute);
	wire_put_slice(&w, err->print);
	return wire_done(&w);
}
