/*
 * read_write.c - READ, WRITE, FLUSH and LOCK (MS-SMB2 2.2.17 - 2.2.22, 2.2.26).
 *
 * Stateless.  File data is never copied here: a WRITE is its head followed by the caller's memory, and a READ
 * answer's head says where the data will lie before the data has arrived.
 */
#include "mrx/smb/wire/body.h"

enum { LOCK_FIXED = SMB2_HDR_SIZE + 24, LOCK_ELEMENT_SIZE = 24 };

size_t smb2_read_request_encode(uint8_t *buf, size_t cap, const struct smb2_read_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 49);

	wire_put_u8(&w, SMB2_READ_RESPONSE_HEAD); /* where we would like the data */
	wire_put_u8(&w, req->flags);
	wire_put_u32(&w, req->length);
	wire_put_u64(&w, req->offset);
	smb2_put_file_id(&w, req->file_id);
	wire_put_u32(&w, req->minimum_count);
	wire_put_u32(&w, SMB2_CHANNEL_NONE);
	wire_put_u32(&w, req->remaining_bytes);
	wire_put_u32(&w, 0); /* no channel information */
	wire_put_u8(&w, 0);  /* the buffer must hold at least one byte */
	return wire_done(&w);
}

bool smb2_read_request_decode(const struct smb2_pdu *pdu, struct smb2_read_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 49);

	memset(out, 0, sizeof(*out));
	wire_skip(&r, 1);
	out->flags = wire_get_u8(&r);
	out->length = wire_get_u32(&r);
	out->offset = wire_get_u64(&r);
	out->file_id = smb2_get_file_id(&r);
	out->minimum_count = wire_get_u32(&r);
	wire_skip(&r, 4);
	out->remaining_bytes = wire_get_u32(&r);
	wire_skip(&r, 4);
	return r.ok;
}

bool smb2_read_response_decode_head(const uint8_t *head, size_t head_len, size_t pdu_len,
				    struct smb2_read_response *out)
{
	struct smb2_pdu pdu = {.base = head, .len = head_len};
	struct wire_reader r = smb2_body_reader(&pdu, 17);

	memset(out, 0, sizeof(*out));
	out->data_offset = wire_get_u8(&r);
	wire_skip(&r, 1);
	out->data_length = wire_get_u32(&r);
	out->data_remaining = wire_get_u32(&r);
	out->flags = wire_get_u32(&r);
	if (!r.ok || pdu_len < SMB2_READ_RESPONSE_HEAD)
		return false;
	if (out->data_length == 0)
		return true;
	return out->data_offset >= SMB2_READ_RESPONSE_HEAD &&
	       wire_in_range(out->data_offset, out->data_length, pdu_len);
}

bool smb2_read_response_decode(const struct smb2_pdu *pdu, struct smb2_read_response *out)
{
	return smb2_read_response_decode_head(pdu->base, pdu->len, pdu->len, out);
}

size_t smb2_read_response_encode_head(uint8_t *buf, size_t cap, uint32_t data_length)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 17);

	wire_put_u8(&w, SMB2_READ_RESPONSE_HEAD);
	wire_put_u8(&w, 0);
	wire_put_u32(&w, data_length);
	wire_put_u32(&w, 0);
	wire_put_u32(&w, 0);
	return wire_done(&w);
}

size_t smb2_write_request_encode(uint8_t *buf, size_t cap, const struct smb2_write_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 49);

	wire_put_u16(&w, SMB2_WRITE_DATA_OFFSET);
	wire_put_u32(&w, req->length);
	wire_put_u64(&w, req->offset);
	smb2_put_file_id(&w, req->file_id);
	wire_put_u32(&w, SMB2_CHANNEL_NONE);
	wire_put_u32(&w, req->remaining_bytes);
	wire_put_u32(&w, 0); /* no channel information */
	wire_put_u32(&w, req->flags);
	return wire_done(&w);
}

bool smb2_write_request_decode(const struct smb2_pdu *pdu, struct smb2_write_request *out,
			       struct wire_slice *data)
{
	struct wire_reader r = smb2_body_reader(pdu, 49);
	uint16_t offset;

	memset(out, 0, sizeof(*out));
	*data = (struct wire_slice){NULL, 0};
	offset = wire_get_u16(&r);
	out->length = wire_get_u32(&r);
	out->offset = wire_get_u64(&r);
	out->file_id = smb2_get_file_id(&r);
	wire_skip(&r, 4);
	out->remaining_bytes = wire_get_u32(&r);
	wire_skip(&r, 4);
	out->flags = wire_get_u32(&r);
	return r.ok && smb2_pdu_slice(pdu, SMB2_WRITE_DATA_OFFSET, offset, out->length, data);
}

bool smb2_write_response_decode(const struct smb2_pdu *pdu, struct smb2_write_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 17);

	memset(out, 0, sizeof(*out));
	wire_skip(&r, 2);
	out->count = wire_get_u32(&r);
	out->remaining = wire_get_u32(&r);
	wire_skip(&r, 4);
	return r.ok;
}

size_t smb2_write_response_encode(uint8_t *buf, size_t cap, const struct smb2_write_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 17);

	wire_put_u16(&w, 0);
	wire_put_u32(&w, rsp->count);
	wire_put_u32(&w, rsp->remaining);
	wire_put_u32(&w, 0);
	wire_put_u8(&w, 0); /* the body is as long as its StructureSize */
	return wire_done(&w);
}

size_t smb2_flush_request_encode(uint8_t *buf, size_t cap, struct smb2_file_id id)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 24);

	wire_put_u16(&w, 0);
	wire_put_u32(&w, 0);
	smb2_put_file_id(&w, id);
	return wire_done(&w);
}

bool smb2_flush_request_decode(const struct smb2_pdu *pdu, struct smb2_file_id *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 24);

	wire_skip(&r, 6);
	*out = smb2_get_file_id(&r);
	return r.ok;
}

size_t smb2_lock_request_encode(uint8_t *buf, size_t cap, const struct smb2_lock_request *req,
				const struct smb2_lock_element *locks)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 48);

	if (!req->count)
		return 0;
	wire_put_u16(&w, req->count);
	wire_put_u32(&w, req->sequence);
	smb2_put_file_id(&w, req->file_id);
	for (uint16_t i = 0; w.ok && i < req->count; i++) {
		wire_put_u64(&w, locks[i].offset);
		wire_put_u64(&w, locks[i].length);
		wire_put_u32(&w, locks[i].flags);
		wire_put_u32(&w, 0);
	}
	return wire_done(&w);
}

bool smb2_lock_request_decode(const struct smb2_pdu *pdu, struct smb2_lock_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 48);

	memset(out, 0, sizeof(*out));
	out->count = wire_get_u16(&r);
	out->sequence = wire_get_u32(&r);
	out->file_id = smb2_get_file_id(&r);
	wire_skip(&r, (size_t)out->count * LOCK_ELEMENT_SIZE);
	return r.ok && out->count;
}

bool smb2_lock_element_at(const struct smb2_pdu *pdu, uint16_t i, struct smb2_lock_element *out)
{
	struct wire_reader r = wire_reader_init(pdu->base, pdu->len);

	wire_skip(&r, LOCK_FIXED + (size_t)i * LOCK_ELEMENT_SIZE);
	out->offset = wire_get_u64(&r);
	out->length = wire_get_u64(&r);
	out->flags = wire_get_u32(&r);
	wire_skip(&r, 4);
	return r.ok;
}
