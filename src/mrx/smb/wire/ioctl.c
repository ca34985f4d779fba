/*
 * ioctl.c - IOCTL and the payloads of the controls a client sends (MS-SMB2 2.2.31, 2.2.32).  Stateless.
 */
#include "mrx/smb/wire/body.h"

enum {
	IOCTL_REQUEST_FIXED = SMB2_HDR_SIZE + 56,
	IOCTL_RESPONSE_FIXED = SMB2_HDR_SIZE + 48,
	COPYCHUNK_HEAD = 32,
	COPYCHUNK_SIZE = 24,
	NETIF_SIZE = 152,
	NETIF_FAMILY_V4 = 0x0002,
	NETIF_FAMILY_V6 = 0x0017,
};

size_t smb2_ioctl_request_encode(uint8_t *buf, size_t cap, const struct smb2_ioctl_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 57);

	wire_put_u16(&w, 0);
	wire_put_u32(&w, req->ctl_code);
	smb2_put_file_id(&w, req->file_id);
	wire_put_u32(&w, req->input.len ? IOCTL_REQUEST_FIXED : 0);
	smb2_put_len32(&w, req->input.len);
	wire_put_u32(&w, req->max_input_response);
	wire_put_u32(&w, 0);
	wire_put_u32(&w, 0);
	wire_put_u32(&w, req->max_output_response);
	wire_put_u32(&w, req->flags);
	wire_put_u32(&w, 0);
	wire_put_slice(&w, req->input);
	return wire_done(&w);
}

bool smb2_ioctl_request_decode(const struct smb2_pdu *pdu, struct smb2_ioctl_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 57);
	uint32_t offset, length;

	memset(out, 0, sizeof(*out));
	wire_skip(&r, 2);
	out->ctl_code = wire_get_u32(&r);
	out->file_id = smb2_get_file_id(&r);
	offset = wire_get_u32(&r);
	length = wire_get_u32(&r);
	out->max_input_response = wire_get_u32(&r);
	wire_skip(&r, 8);
	out->max_output_response = wire_get_u32(&r);
	out->flags = wire_get_u32(&r);
	wire_skip(&r, 4);
	return r.ok && smb2_pdu_slice(pdu, IOCTL_REQUEST_FIXED, offset, length, &out->input);
}

bool smb2_ioctl_response_decode(const struct smb2_pdu *pdu, struct smb2_ioctl_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 49);
	uint32_t in_offset, in_length, out_offset, out_length;

	memset(out, 0, sizeof(*out));
	wire_skip(&r, 2);
	out->ctl_code = wire_get_u32(&r);
	out->file_id = smb2_get_file_id(&r);
	in_offset = wire_get_u32(&r);
	in_length = wire_get_u32(&r);
	out_offset = wire_get_u32(&r);
	out_length = wire_get_u32(&r);
	wire_skip(&r, 8);
	return r.ok && smb2_pdu_slice(pdu, IOCTL_RESPONSE_FIXED, in_offset, in_length, &out->input) &&
	       smb2_pdu_slice(pdu, IOCTL_RESPONSE_FIXED, out_offset, out_length, &out->output);
}

size_t smb2_ioctl_response_encode(uint8_t *buf, size_t cap, const struct smb2_ioctl_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 49);
	size_t output = wire_align8(IOCTL_RESPONSE_FIXED + (rsp->input.len & UINT32_MAX));

	wire_put_u16(&w, 0);
	wire_put_u32(&w, rsp->ctl_code);
	smb2_put_file_id(&w, rsp->file_id);
	wire_put_u32(&w, IOCTL_RESPONSE_FIXED);
	smb2_put_len32(&w, rsp->input.len);
	wire_put_u32(&w, rsp->output.len ? (uint32_t)output : 0);
	smb2_put_len32(&w, rsp->output.len);
	wire_put_u32(&w, 0);
	wire_put_u32(&w, 0);
	wire_put_slice(&w, rsp->input);
	if (rsp->output.len) {
		wire_put_align8(&w);
		wire_put_slice(&w, rsp->output);
	}
	return wire_done(&w);
}

size_t smb2_validate_negotiate_request_encode(uint8_t *buf, size_t cap,
					      const struct smb2_validate_negotiate_request *v)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (v->dialect_count == 0 || v->dialect_count > SMB2_MAX_DIALECTS)
		return 0;
	wire_put_u32(&w, v->capabilities);
	wire_put_bytes(&w, v->guid, sizeof(v->guid));
	wire_put_u16(&w, v->security_mode);
	wire_put_u16(&w, v->dialect_count);
	for (uint16_t i = 0; i < v->dialect_count; i++)
		wire_put_u16(&w, v->dialects[i]);
	return wire_done(&w);
}

bool smb2_validate_negotiate_request_decode(struct wire_slice data,
					    struct smb2_validate_negotiate_request *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	memset(out, 0, sizeof(*out));
	out->capabilities = wire_get_u32(&r);
	wire_get_bytes(&r, out->guid, sizeof(out->guid));
	out->security_mode = wire_get_u16(&r);
	out->dialect_count = wire_get_u16(&r);
	if (out->dialect_count == 0 || out->dialect_count > SMB2_MAX_DIALECTS)
		return false;
	for (uint16_t i = 0; i < out->dialect_count; i++)
		out->dialects[i] = wire_get_u16(&r);
	return r.ok;
}

size_t smb2_validate_negotiate_response_encode(uint8_t *buf, size_t cap,
					       const struct smb2_validate_negotiate_response *v)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u32(&w, v->capabilities);
	wire_put_bytes(&w, v->guid, sizeof(v->guid));
	wire_put_u16(&w, v->security_mode);
	wire_put_u16(&w, v->dialect);
	return wire_done(&w);
}

bool smb2_validate_negotiate_response_decode(struct wire_slice data,
					     struct smb2_validate_negotiate_response *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	memset(out, 0, sizeof(*out));
	out->capabilities = wire_get_u32(&r);
	wire_get_bytes(&r, out->guid, sizeof(out->guid));
	out->security_mode = wire_get_u16(&r);
	out->dialect = wire_get_u16(&r);
	return r.ok;
}

size_t smb2_copychunk_encode(uint8_t *buf, size_t cap, const uint8_t key[SMB2_RESUME_KEY_SIZE],
			     const struct smb2_copychunk *chunks, uint32_t count)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_bytes(&w, key, SMB2_RESUME_KEY_SIZE);
	wire_put_u32(&w, count);
	wire_put_u32(&w, 0);
	for (uint32_t i = 0; w.ok && i < count; i++) {
		wire_put_u64(&w, chunks[i].source_offset);
		wire_put_u64(&w, chunks[i].target_offset);
		wire_put_u32(&w, chunks[i].length);
		wire_put_u32(&w, 0);
	}
	return wire_done(&w);
}

bool smb2_copychunk_decode(struct wire_slice data, uint8_t key[SMB2_RESUME_KEY_SIZE], uint32_t *count)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	wire_get_bytes(&r, key, SMB2_RESUME_KEY_SIZE);
	*count = wire_get_u32(&r);
	wire_skip(&r, 4);
	return r.ok && *count <= (data.len - r.pos) / COPYCHUNK_SIZE;
}

bool smb2_copychunk_at(struct wire_slice data, uint32_t i, struct smb2_copychunk *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	if (!wire_in_range(COPYCHUNK_HEAD + (uint64_t)i * COPYCHUNK_SIZE, COPYCHUNK_SIZE, data.len))
		return false;
	wire_skip(&r, COPYCHUNK_HEAD + (size_t)i * COPYCHUNK_SIZE);
	out->source_offset = wire_get_u64(&r);
	out->target_offset = wire_get_u64(&r);
	out->length = wire_get_u32(&r);
	return r.ok;
}

size_t smb2_copychunk_response_encode(uint8_t *buf, size_t cap, const struct smb2_copychunk_response *rsp)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u32(&w, rsp->chunks_written);
	wire_put_u32(&w, rsp->chunk_bytes_written);
	wire_put_u32(&w, rsp->total_bytes_written);
	return wire_done(&w);
}

bool smb2_copychunk_response_decode(struct wire_slice data, struct smb2_copychunk_response *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->chunks_written = wire_get_u32(&r);
	out->chunk_bytes_written = wire_get_u32(&r);
	out->total_bytes_written = wire_get_u32(&r);
	return r.ok;
}

size_t smb2_resume_key_encode(uint8_t *buf, size_t cap, const uint8_t key[SMB2_RESUME_KEY_SIZE])
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_bytes(&w, key, SMB2_RESUME_KEY_SIZE);
	wire_put_u32(&w, 0);
	wire_put_u32(&w, 0);
	return wire_done(&w);
}

bool smb2_resume_key_decode(struct wire_slice data, uint8_t key[SMB2_RESUME_KEY_SIZE])
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	wire_get_bytes(&r, key, SMB2_RESUME_KEY_SIZE);
	wire_skip(&r, 4); /* ContextLength is unused; its context may be absent */
	return r.ok;
}

size_t smb2_range_encode(uint8_t *buf, size_t cap, const struct smb2_range *range)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u64(&w, range->offset);
	wire_put_u64(&w, range->length);
	return wire_done(&w);
}

int smb2_range_next(struct wire_slice data, size_t *offset, struct smb2_range *out)
{
	struct wire_reader r;

	if (*offset >= data.len)
		return 0;
	r = wire_reader_init(data.p + *offset, data.len - *offset);
	out->offset = wire_get_u64(&r);
	out->length = wire_get_u64(&r);
	/* Offsets are signed on the wire (MS-FSCC 2.3.52): a range ends at or below 2^63 - 1. */
	if (!r.ok || out->offset > INT64_MAX || out->length > INT64_MAX - out->offset)
		return -1;
	*offset += r.pos;
	return 1;
}

size_t smb2_zero_data_encode(uint8_t *buf, size_t cap, uint64_t offset, uint64_t beyond)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (beyond < offset || beyond > INT64_MAX)
		return 0;
	wire_put_u64(&w, offset);
	wire_put_u64(&w, beyond);
	return wire_done(&w);
}

bool smb2_zero_data_decode(struct wire_slice data, uint64_t *offset, uint64_t *beyond)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	*offset = wire_get_u64(&r);
	*beyond = wire_get_u64(&r);
	return r.ok && *beyond <= INT64_MAX && *offset <= *beyond;
}

size_t smb2_set_sparse_encode(uint8_t *buf, size_t cap, bool sparse)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u8(&w, sparse);
	return wire_done(&w);
}

int smb2_network_interface_next(struct wire_slice data, size_t *offset, struct smb2_network_interface *out)
{
	struct wire_reader r;
	uint32_t next;
	uint16_t family;
	const uint8_t *port;

	if (*offset >= data.len)
		return 0;
	memset(out, 0, sizeof(*out));
	r = wire_reader_init(data.p + *offset, data.len - *offset);
	next = wire_get_u32(&r);
	out->index = wire_get_u32(&r);
	out->capability = wire_get_u32(&r);
	wire_skip(&r, 4);
	out->link_speed = wire_get_u64(&r);
	family = wire_get_u16(&r);
	port = wire_take(&r, 2);
	if (family == NETIF_FAMILY_V4) {
		out->address_len = 4;
		wire_get_bytes(&r, out->address, 4);
	} else if (family == NETIF_FAMILY_V6) {
		out->address_len = 16;
		wire_skip(&r, 4);
		wire_get_bytes(&r, out->address, 16);
		out->scope_id = wire_get_u32(&r);
	}
	if (!r.ok || data.len - *offset < NETIF_SIZE)
		return -1;
	out->port = (uint16_t)(port[0] << 8 | port[1]);
	if (next && (next % 8 || next < NETIF_SIZE || next >= data.len - *offset))
		return -1;
	*offset = next ? *offset + next : data.len;
	return 1;
}

bool smb2_network_interface_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last,
				   const struct smb2_network_interface *nic)
{
	struct wire_writer w = wire_writer_init(buf, cap);
	size_t start = wire_align8(*pos);

	if (nic->address_len != 0 && nic->address_len != 4 && nic->address_len != 16)
		return false;
	(void)wire_room(&w, *pos);
	wire_put_align8(&w);
	wire_put_u32(&w, 0);
	wire_put_u32(&w, nic->index);
	wire_put_u32(&w, nic->capability);
	wire_put_u32(&w, 0);
	wire_put_u64(&w, nic->link_speed);
	wire_put_u16(&w, nic->address_len == 4    ? NETIF_FAMILY_V4
			 : nic->address_len == 16 ? NETIF_FAMILY_V6
						  : 0);
	wire_put_u8(&w, (uint8_t)(nic->port >> 8));
	wire_put_u8(&w, (uint8_t)nic->port);
	if (nic->address_len == 16) {
		wire_put_u32(&w, 0);
		wire_put_bytes(&w, nic->address, 16);
		wire_put_u32(&w, nic->scope_id);
	} else {
		wire_put_bytes(&w, nic->address, nic->address_len);
	}
	if (!w.ok || start > cap || cap - start < NETIF_SIZE)
		return false;
	wire_put_zero(&w, start + NETIF_SIZE - w.pos);
	if (*pos)
		wire_set_le32(buf + *last, (uint32_t)(start - *last));
	*last = start;
	*pos = w.pos;
	return true;
}
