/*
 * negotiate.c - NEGOTIATE and its contexts (MS-SMB2 2.2.3, 2.2.4).
 *
 * Stateless.  Refuses what a client must refuse (3.2.5.2): these bytes arrive before anything is
 * authenticated; the preauthentication hash covers them, but only once a session exists.
 */
#include "mrx/smb/wire/body.h"

enum {
	REQUEST_FIXED = SMB2_HDR_SIZE + 36,
	RESPONSE_FIXED = SMB2_HDR_SIZE + 64,
	CONTEXT_HEAD = 8,
	CONTEXT_MAX = 64, /* more in one message is nonsense, and each could be empty */
};

/* Opens a context; its length is filled in by close_context(). */
static size_t open_context(struct wire_writer *w, uint16_t type)
{
	size_t at;

	wire_put_align8(w);
	at = w->pos;
	wire_put_u16(w, type);
	wire_put_u16(w, 0);
	wire_put_u32(w, 0);
	return at;
}

static void close_context(struct wire_writer *w, size_t at, uint16_t *count)
{
	size_t bytes = w->pos - at - CONTEXT_HEAD;

	if (!w->ok)
		return;
	if (bytes > UINT16_MAX) {
		w->ok = false;
		return;
	}
	wire_set_le16(w->base + at + 2, (uint16_t)bytes);
	++*count;
}

static void put_ids(struct wire_writer *w, uint16_t count, uint16_t max, const uint16_t *ids)
{
	if (count > max) {
		w->ok = false;
		return;
	}
	for (uint16_t i = 0; i < count; i++)
		wire_put_u16(w, ids[i]);
}

static uint16_t put_contexts(struct wire_writer *w, const struct smb2_negotiate_contexts *c)
{
	uint16_t count = 0;
	size_t at;

	if (c->hash_count) {
		at = open_context(w, SMB2_PREAUTH_INTEGRITY_CAPABILITIES);
		wire_put_u16(w, c->hash_count);
		smb2_put_len16(w, c->salt.len);
		put_ids(w, c->hash_count, SMB2_MAX_HASHES, c->hashes);
		wire_put_slice(w, c->salt);
		close_context(w, at, &count);
	}
	if (c->cipher_count) {
		at = open_context(w, SMB2_ENCRYPTION_CAPABILITIES);
		wire_put_u16(w, c->cipher_count);
		put_ids(w, c->cipher_count, SMB2_MAX_CIPHERS, c->ciphers);
		close_context(w, at, &count);
	}
	if (c->signing_count) {
		at = open_context(w, SMB2_SIGNING_CAPABILITIES);
		wire_put_u16(w, c->signing_count);
		put_ids(w, c->signing_count, SMB2_MAX_SIGNING, c->signing);
		close_context(w, at, &count);
	}
	if (c->has_transport) {
		at = open_context(w, SMB2_TRANSPORT_CAPABILITIES);
		wire_put_u32(w, c->transport_flags);
		close_context(w, at, &count);
	}
	if (c->netname.len) {
		at = open_context(w, SMB2_NETNAME_NEGOTIATE_CONTEXT_ID);
		wire_put_slice(w, c->netname);
		close_context(w, at, &count);
	}
	return count;
}

/* A counted list of 16-bit ids: 0 and more than we can hold are malformed. */
static bool get_ids(struct wire_reader *r, uint16_t count, uint16_t max, uint16_t *ids)
{
	if (count == 0 || count > max)
		return false;
	for (uint16_t i = 0; i < count; i++)
		ids[i] = wire_get_u16(r);
	return r->ok;
}

static bool get_preauth(struct wire_reader *r, struct smb2_negotiate_contexts *c)
{
	uint16_t count = wire_get_u16(r);
	uint16_t salt = wire_get_u16(r);

	if (c->hash_count || !get_ids(r, count, SMB2_MAX_HASHES, c->hashes))
		return false;
	c->hash_count = count;
	c->salt = wire_get_slice(r, salt);
	return r->ok;
}

static bool get_context(uint16_t type, struct wire_slice data, struct smb2_negotiate_contexts *c)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint16_t count;

	switch (type) {
	case SMB2_PREAUTH_INTEGRITY_CAPABILITIES:
		return get_preauth(&r, c);
	case SMB2_ENCRYPTION_CAPABILITIES:
		count = wire_get_u16(&r);
		if (c->cipher_count || !get_ids(&r, count, SMB2_MAX_CIPHERS, c->ciphers))
			return false;
		c->cipher_count = count;
		return true;
	case SMB2_SIGNING_CAPABILITIES:
		count = wire_get_u16(&r);
		if (c->signing_count || !get_ids(&r, count, SMB2_MAX_SIGNING, c->signing))
			return false;
		c->signing_count = count;
		return true;
	case SMB2_COMPRESSION_CAPABILITIES:
		if (c->compression_count)
			return false;
		c->compression_count = wire_get_u16(&r);
		return r.ok && c->compression_count;
	case SMB2_TRANSPORT_CAPABILITIES:
		c->has_transport = true;
		c->transport_flags = wire_get_u32(&r);
		return r.ok;
	case SMB2_NETNAME_NEGOTIATE_CONTEXT_ID:
		c->netname = data;
		return data.len % 2 == 0;
	default:
		return true; /* 2.2.4.1: unknown types are ignored */
	}
}

static bool get_contexts(const struct smb2_pdu *pdu, size_t least, uint32_t offset, uint16_t count,
			 struct smb2_negotiate_contexts *c)
{
	uint64_t at = offset;

	if (count > CONTEXT_MAX || (count && (at < least || at % 8)))
		return false;
	for (uint16_t i = 0; i < count; i++) {
		struct wire_slice data;
		uint16_t type, bytes;

		if (!wire_in_range(at, CONTEXT_HEAD, pdu->len))
			return false;
		type = wire_le16(pdu->base + at);
		bytes = wire_le16(pdu->base + at + 2);
		if (!wire_in_range(at + CONTEXT_HEAD, bytes, pdu->len))
			return false;
		data = wire_slice_at(pdu->base, (size_t)at + CONTEXT_HEAD, bytes);
		if (!get_context(type, data, c))
			return false;
		at = (at + CONTEXT_HEAD + bytes + 7) & ~UINT64_C(7);
	}
	return true;
}

size_t smb2_negotiate_request_encode(uint8_t *buf, size_t cap, const struct smb2_negotiate_request *req)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 36);
	uint16_t count;
	bool has_311 = false;
	size_t at;

	wire_put_u16(&w, req->dialect_count);
	wire_put_u16(&w, req->security_mode);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, req->capabilities);
	wire_put_bytes(&w, req->client_guid, sizeof(req->client_guid));
	wire_put_u64(&w, 0);
	if (!req->dialect_count)
		return 0;
	put_ids(&w, req->dialect_count, SMB2_MAX_DIALECTS, req->dialects);
	for (uint16_t i = 0; w.ok && i < req->dialect_count; i++)
		has_311 |= req->dialects[i] == SMB2_DIALECT_311;
	if (!has_311)
		return wire_done(&w);
	wire_put_align8(&w);
	at = w.pos;
	count = put_contexts(&w, &req->ctx);
	if (!w.ok)
		return 0;
	wire_set_le32(buf + SMB2_HDR_SIZE + 28, (uint32_t)at);
	wire_set_le16(buf + SMB2_HDR_SIZE + 32, count);
	return wire_done(&w);
}

bool smb2_negotiate_request_decode(const struct smb2_pdu *pdu, struct smb2_negotiate_request *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 36);
	uint32_t context_offset;
	uint16_t context_count;
	bool has_311 = false;

	memset(out, 0, sizeof(*out));
	out->dialect_count = wire_get_u16(&r);
	out->security_mode = wire_get_u16(&r);
	wire_skip(&r, 2);
	out->capabilities = wire_get_u32(&r);
	wire_get_bytes(&r, out->client_guid, sizeof(out->client_guid));
	context_offset = wire_get_u32(&r);
	context_count = wire_get_u16(&r);
	wire_skip(&r, 2);
	if (!r.ok || !get_ids(&r, out->dialect_count, SMB2_MAX_DIALECTS, out->dialects))
		return false;
	for (uint16_t i = 0; i < out->dialect_count; i++)
		has_311 |= out->dialects[i] == SMB2_DIALECT_311;
	return !has_311 || get_contexts(pdu, r.pos, context_offset, context_count, &out->ctx);
}

bool smb2_negotiate_response_decode(const struct smb2_pdu *pdu, struct smb2_negotiate_response *out)
{
	struct wire_reader r = smb2_body_reader(pdu, 65);
	uint16_t context_count, token_offset, token_length;
	uint32_t context_offset;

	memset(out, 0, sizeof(*out));
	out->security_mode = wire_get_u16(&r);
	out->dialect = wire_get_u16(&r);
	context_count = wire_get_u16(&r);
	wire_get_bytes(&r, out->server_guid, sizeof(out->server_guid));
	out->capabilities = wire_get_u32(&r);
	out->max_transact = wire_get_u32(&r);
	out->max_read = wire_get_u32(&r);
	out->max_write = wire_get_u32(&r);
	out->system_time = wire_get_u64(&r);
	out->server_start_time = wire_get_u64(&r);
	token_offset = wire_get_u16(&r);
	token_length = wire_get_u16(&r);
	context_offset = wire_get_u32(&r);
	if (!r.ok || !smb2_pdu_slice(pdu, RESPONSE_FIXED, token_offset, token_length, &out->token))
		return false;
	if (out->dialect != SMB2_DIALECT_311)
		return true;
	if (!get_contexts(pdu, RESPONSE_FIXED, context_offset, context_count, &out->ctx))
		return false;
	return out->ctx.hash_count == 1 && out->ctx.hashes[0] == SMB2_HASH_SHA512 &&
	       out->ctx.cipher_count <= 1 && out->ctx.signing_count <= 1;
}

size_t smb2_negotiate_response_encode(uint8_t *buf, size_t cap, const struct smb2_negotiate_response *rsp)
{
	struct wire_writer w = smb2_body_writer(buf, cap, 65);
	uint16_t count;
	size_t at;

	wire_put_u16(&w, rsp->security_mode);
	wire_put_u16(&w, rsp->dialect);
	wire_put_u16(&w, 0);
	wire_put_bytes(&w, rsp->server_guid, sizeof(rsp->server_guid));
	wire_put_u32(&w, rsp->capabilities);
	wire_put_u32(&w, rsp->max_transact);
	wire_put_u32(&w, rsp->max_read);
	wire_put_u32(&w, rsp->max_write);
	wire_put_u64(&w, rsp->system_time);
	wire_put_u64(&w, rsp->server_start_time);
	wire_put_u16(&w, RESPONSE_FIXED);
	smb2_put_len16(&w, rsp->token.len);
	wire_put_u32(&w, 0);
	wire_put_slice(&w, rsp->token);
	if (rsp->dialect != SMB2_DIALECT_311)
		return wire_done(&w);
	wire_put_align8(&w);
	at = w.pos;
	count = put_contexts(&w, &rsp->ctx);
	if (!w.ok)
		return 0;
	wire_set_le16(buf + SMB2_HDR_SIZE + 6, count);
	wire_set_le32(buf + SMB2_HDR_SIZE + 60, (uint32_t)at);
	return wire_done(&w);
}
