/*
 * ntlm_msg.c - CHALLENGE and AUTHENTICATE messages and AV pairs (MS-NLMP 2.2.1, 2.2.2.1).
 *
 * Stateless; everything decoded borrows from the message.
 */
#include "mrx/smb/wire/ntlm.h"

enum {
	MESSAGE_CHALLENGE = 2,
	MESSAGE_AUTHENTICATE = 3,
	CHALLENGE_FIXED = 56,
	AUTHENTICATE_FIXED = 72, /* without the MIC */
	MIC_OFFSET = 72,
	AV_HEAD = 4,
};

static const uint8_t ntlmssp[8] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0};

static bool get_head(struct wire_reader *r, uint32_t type)
{
	const uint8_t *p = wire_take(r, sizeof(ntlmssp));

	return p && memcmp(p, ntlmssp, sizeof(ntlmssp)) == 0 && wire_get_u32(r) == type && r->ok;
}

/* Length, maximum length, offset from the message's start: a payload field. */
static bool get_field(struct wire_reader *r, struct wire_slice *out)
{
	uint16_t len = wire_get_u16(r);
	uint32_t offset;

	wire_skip(r, 2);
	offset = wire_get_u32(r);
	*out = (struct wire_slice){NULL, 0};
	if (!r->ok || (len && !wire_in_range(offset, len, r->len)))
		return false;
	*out = wire_slice_at(r->base, len ? offset : 0, len);
	return true;
}

/* Writes a field's head for bytes that will lie at *offset in the payload. */
static void put_field(struct wire_writer *w, struct wire_slice s, size_t *offset)
{
	if (s.len > UINT16_MAX || *offset > UINT32_MAX) {
		w->ok = false;
		return;
	}
	wire_put_u16(w, (uint16_t)s.len);
	wire_put_u16(w, (uint16_t)s.len);
	wire_put_u32(w, (uint32_t)*offset);
	*offset += s.len;
}

int ntlm_av_next(struct wire_slice target_info, size_t *offset, uint16_t *id, struct wire_slice *value)
{
	struct wire_reader r;
	uint16_t len;

	if (*offset > target_info.len)
		return -1;
	r = wire_reader_init(*offset ? target_info.p + *offset : target_info.p, target_info.len - *offset);
	*id = wire_get_u16(&r);
	len = wire_get_u16(&r);
	*value = wire_get_slice(&r, len);
	if (!r.ok)
		return -1;
	*offset += AV_HEAD + len;
	return *id == NTLM_AV_EOL ? 0 : 1;
}

bool ntlm_av_find(struct wire_slice target_info, uint16_t id, struct wire_slice *value)
{
	size_t offset = 0;
	uint16_t found;

	while (ntlm_av_next(target_info, &offset, &found, value) > 0) {
		if (found == id)
			return true;
	}
	*value = (struct wire_slice){NULL, 0};
	return false;
}

static bool av_list_ok(struct wire_slice target_info)
{
	struct wire_slice value;
	size_t offset = 0;
	uint16_t id;
	int more;

	while ((more = ntlm_av_next(target_info, &offset, &id, &value)) > 0)
		;
	return more == 0;
}

bool ntlm_challenge_decode(const uint8_t *msg, size_t len, struct ntlm_challenge *out)
{
	struct wire_reader r = wire_reader_init(msg, len);
	struct wire_slice time;

	memset(out, 0, sizeof(*out));
	if (!get_head(&r, MESSAGE_CHALLENGE) || !get_field(&r, &out->target_name))
		return false;
	out->flags = wire_get_u32(&r);
	wire_get_bytes(&r, out->server_challenge, sizeof(out->server_challenge));
	wire_skip(&r, 8);
	if (!r.ok || !get_field(&r, &out->target_info))
		return false;
	if (!out->target_info.len)
		return true;
	if (!av_list_ok(out->target_info))
		return false;
	if (ntlm_av_find(out->target_info, NTLM_AV_TIMESTAMP, &time)) {
		if (time.len != 8)
			return false;
		out->has_timestamp = true;
		out->timestamp = wire_le64(time.p);
	}
	return true;
}

size_t ntlm_challenge_encode(uint8_t *buf, size_t cap, const struct ntlm_challenge *ch)
{
	struct wire_writer w = wire_writer_init(buf, cap);
	size_t payload = CHALLENGE_FIXED;

	wire_put_bytes(&w, ntlmssp, sizeof(ntlmssp));
	wire_put_u32(&w, MESSAGE_CHALLENGE);
	put_field(&w, ch->target_name, &payload);
	wire_put_u32(&w, ch->flags);
	wire_put_bytes(&w, ch->server_challenge, sizeof(ch->server_challenge));
	wire_put_u64(&w, 0);
	put_field(&w, ch->target_info, &payload);
	wire_put_u64(&w, 0); /* Version */
	wire_put_slice(&w, ch->target_name);
	wire_put_slice(&w, ch->target_info);
	return wire_done(&w);
}

bool ntlm_authenticate_decode(const uint8_t *msg, size_t len, struct ntlm_authenticate *out)
{
	struct wire_reader r = wire_reader_init(msg, len);
	const struct wire_slice *fields[6];

	memset(out, 0, sizeof(*out));
	if (!get_head(&r, MESSAGE_AUTHENTICATE) || !get_field(&r, &out->lm_response) ||
	    !get_field(&r, &out->nt_response) || !get_field(&r, &out->domain) || !get_field(&r, &out->user) ||
	    !get_field(&r, &out->workstation) || !get_field(&r, &out->session_key))
		return false;
	out->flags = wire_get_u32(&r);
	wire_get_bytes(&r, out->version, sizeof(out->version));
	if (!r.ok)
		return false;
	/* There is room for a MIC when nothing of the payload begins before its end. */
	fields[0] = &out->lm_response;
	fields[1] = &out->nt_response;
	fields[2] = &out->domain;
	fields[3] = &out->user;
	fields[4] = &out->workstation;
	fields[5] = &out->session_key;
	out->has_mic = len >= MIC_OFFSET + sizeof(out->mic);
	for (size_t i = 0; i < 6; i++) {
		if (fields[i]->len && fields[i]->p < msg + MIC_OFFSET + sizeof(out->mic))
			out->has_mic = false;
	}
	if (out->has_mic)
		memcpy(out->mic, msg + MIC_OFFSET, sizeof(out->mic));
	return true;
}

size_t ntlm_authenticate_encode(uint8_t *buf, size_t cap, const struct ntlm_authenticate *auth)
{
	struct wire_writer w = wire_writer_init(buf, cap);
	size_t start = AUTHENTICATE_FIXED + (auth->has_mic ? sizeof(auth->mic) : 0);
	size_t domain = start, user = domain + auth->domain.len, station = user + auth->user.len;
	size_t lm = station + auth->workstation.len, nt = lm + auth->lm_response.len;
	size_t key = nt + auth->nt_response.len;

	wire_put_bytes(&w, ntlmssp, sizeof(ntlmssp));
	wire_put_u32(&w, MESSAGE_AUTHENTICATE);
	put_field(&w, auth->lm_response, &lm);
	put_field(&w, auth->nt_response, &nt);
	put_field(&w, auth->domain, &domain);
	put_field(&w, auth->user, &user);
	put_field(&w, auth->workstation, &station);
	put_field(&w, auth->session_key, &key);
	wire_put_u32(&w, auth->flags);
	wire_put_bytes(&w, auth->version, sizeof(auth->version));
	if (auth->has_mic)
		wire_put_bytes(&w, auth->mic, sizeof(auth->mic));
	wire_put_slice(&w, auth->domain);
	wire_put_slice(&w, auth->user);
	wire_put_slice(&w, auth->workstation);
	wire_put_slice(&w, auth->lm_response);
	wire_put_slice(&w, auth->nt_response);
	wire_put_slice(&w, auth->session_key);
	return wire_done(&w);
}
