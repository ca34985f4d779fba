/*
 * spnego.c - DER of SPNEGO tokens (RFC 4178 4.2, MS-SPNG 2.2).
 *
 * Stateless; everything decoded borrows from the token.  Lengths are checked against the container at each
 * level, and nesting is fixed by the grammar, so no input recurses.
 */
#include "mrx/smb/wire/spnego.h"

enum {
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0A,
	DER_SEQUENCE = 0x30,
	DER_APPLICATION_0 = 0x60,
	DER_CONTEXT_0 = 0xA0,
	DER_CONTEXT_1 = 0xA1,
	DER_CONTEXT_2 = 0xA2,
	DER_CONTEXT_3 = 0xA3,
	DER_CONTEXT_4 = 0xA4,
};

struct mech_oid {
	unsigned int mech;
	uint8_t len;
	uint8_t der[10];
};

/* In the order in which we offer them. */
static const struct mech_oid mech_oids[] = {
	{SPNEGO_MECH_KRB5, 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}},
	{SPNEGO_MECH_MS_KRB5, 9, {0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02}},
	{SPNEGO_MECH_NTLMSSP, 10, {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a}},
	{SPNEGO_MECH_NEGOEX, 10, {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x1e}},
};

enum { MECH_COUNT = sizeof(mech_oids) / sizeof(mech_oids[0]) };

static const uint8_t spnego_oid[6] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x02};

/* ---- reading ---- */

/* One element: its tag and content.  False at the end or when it leaves the container. */
static bool der_next(struct wire_reader *r, uint8_t *tag, struct wire_slice *content)
{
	uint32_t len;
	uint8_t first;

	*tag = wire_get_u8(r);
	first = wire_get_u8(r);
	len = first;
	if (first & 0x80) {
		unsigned int n = first & 0x7F;

		if (n == 0 || n > 4) /* indefinite, or no honest length */
			return false;
		for (len = 0; n; n--)
			len = len << 8 | wire_get_u8(r);
	}
	*content = wire_get_slice(r, len);
	return r->ok;
}

static bool der_expect(struct wire_reader *r, uint8_t tag, struct wire_slice *content)
{
	uint8_t found;

	return der_next(r, &found, content) && found == tag;
}

/* The single element inside a context-specific wrapper. */
static bool der_inner(struct wire_slice outer, uint8_t tag, struct wire_slice *content)
{
	struct wire_reader r = wire_reader_init(outer.p, outer.len);

	return der_expect(&r, tag, content);
}

static bool at_end(const struct wire_reader *r)
{
	return r->pos == r->len;
}

static unsigned int mech_of(struct wire_slice oid)
{
	for (size_t i = 0; i < MECH_COUNT; i++) {
		if (oid.len == mech_oids[i].len && memcmp(oid.p, mech_oids[i].der, oid.len) == 0)
			return mech_oids[i].mech;
	}
	return 0;
}

static bool get_mech_types(struct wire_slice field, struct spnego_init *out)
{
	struct wire_slice list, oid;
	struct wire_reader r;
	bool first = true;

	if (!der_inner(field, DER_SEQUENCE, &list))
		return false;
	out->mech_list = field;
	r = wire_reader_init(list.p, list.len);
	while (!at_end(&r)) {
		if (!der_expect(&r, DER_OID, &oid))
			return false;
		out->mechs |= mech_of(oid);
		if (first)
			out->first_mech = mech_of(oid);
		first = false;
	}
	return !first;
}

bool spnego_init_decode(const uint8_t *buf, size_t len, struct spnego_init *out)
{
	struct wire_reader r = wire_reader_init(buf, len);
	struct wire_slice app, oid, choice, seq, field;
	bool has_mechs = false;
	uint8_t tag;

	memset(out, 0, sizeof(*out));
	if (!der_expect(&r, DER_APPLICATION_0, &app))
		return false;
	r = wire_reader_init(app.p, app.len);
	if (!der_expect(&r, DER_OID, &oid) || oid.len != sizeof(spnego_oid) ||
	    memcmp(oid.p, spnego_oid, sizeof(spnego_oid)) != 0 || !der_expect(&r, DER_CONTEXT_0, &choice) ||
	    !der_inner(choice, DER_SEQUENCE, &seq))
		return false;
	r = wire_reader_init(seq.p, seq.len);
	while (!at_end(&r)) {
		bool ok = der_next(&r, &tag, &field);

		if (!ok)
			return false;
		if (tag == DER_CONTEXT_0) {
			ok = !has_mechs && get_mech_types(field, out);
			has_mechs = true;
		} else if (tag == DER_CONTEXT_2) {
			ok = der_inner(field, DER_OCTET_STRING, &out->token);
		} else if (tag == DER_CONTEXT_3 && field.len && field.p[0] == DER_OCTET_STRING) {
			ok = der_inner(field, DER_OCTET_STRING, &out->mic);
		} else if (tag == DER_CONTEXT_4) {
			/* NegTokenInit2: [3] is negHints there, and the MIC moves to [4] (MS-SPNG 2.2.1). */
			ok = der_inner(field, DER_OCTET_STRING, &out->mic);
		}
		if (!ok)
			return false;
	}
	return has_mechs;
}

static bool get_state(struct wire_slice field, struct spnego_resp *out)
{
	struct wire_slice state;

	if (!der_inner(field, DER_ENUMERATED, &state) || state.len != 1 || state.p[0] > SPNEGO_REQUEST_MIC)
		return false;
	out->has_state = true;
	out->state = (enum spnego_neg_state)state.p[0];
	return true;
}

bool spnego_resp_decode(const uint8_t *buf, size_t len, struct spnego_resp *out)
{
	struct wire_reader r = wire_reader_init(buf, len);
	struct wire_slice choice, seq, field, oid;
	uint8_t tag;

	memset(out, 0, sizeof(*out));
	if (!der_expect(&r, DER_CONTEXT_1, &choice) || !der_inner(choice, DER_SEQUENCE, &seq))
		return false;
	r = wire_reader_init(seq.p, seq.len);
	while (!at_end(&r)) {
		bool ok = der_next(&r, &tag, &field);

		if (!ok)
			return false;
		if (tag == DER_CONTEXT_0) {
			ok = get_state(field, out);
		} else if (tag == DER_CONTEXT_1) {
			ok = der_inner(field, DER_OID, &oid);
			out->has_mech = ok;
			out->mech = ok ? mech_of(oid) : 0;
		} else if (tag == DER_CONTEXT_2) {
			ok = der_inner(field, DER_OCTET_STRING, &out->token);
		} else if (tag == DER_CONTEXT_3) {
			ok = der_inner(field, DER_OCTET_STRING, &out->mic);
		}
		if (!ok)
			return false;
	}
	return true;
}

/* ---- writing ---- */

/* Bytes of an element with that much content. */
static size_t der_size(size_t content)
{
	return content + (content < 0x80 ? 2 : content < 0x100 ? 3 : content < 0x10000 ? 4 : 5);
}

/* Tag and length; the content follows. */
static void der_put(struct wire_writer *w, uint8_t tag, size_t content)
{
	wire_put_u8(w, tag);
	if (content >= 0x1000000) {
		w->ok = false;
	} else if (content < 0x80) {
		wire_put_u8(w, (uint8_t)content);
	} else if (content < 0x100) {
		wire_put_u8(w, 0x81);
		wire_put_u8(w, (uint8_t)content);
	} else {
		bool wide = content >= 0x10000;

		wire_put_u8(w, wide ? 0x83 : 0x82);
		if (wide)
			wire_put_u8(w, (uint8_t)(content >> 16));
		wire_put_u8(w, (uint8_t)(content >> 8));
		wire_put_u8(w, (uint8_t)content);
	}
}

static void der_put_bytes(struct wire_writer *w, uint8_t tag, const void *bytes, size_t len)
{
	der_put(w, tag, len);
	wire_put_bytes(w, bytes, len);
}

/* A context-specific field that wraps one octet string; absent when that is empty. */
static size_t octet_field_size(struct wire_slice s)
{
	return s.len ? der_size(der_size(s.len)) : 0;
}

static void put_octet_field(struct wire_writer *w, uint8_t tag, struct wire_slice s)
{
	if (!s.len)
		return;
	der_put(w, tag, der_size(s.len));
	der_put_bytes(w, DER_OCTET_STRING, s.p, s.len);
}

static size_t mech_oids_size(unsigned int mechs)
{
	size_t size = 0;

	for (size_t i = 0; i < MECH_COUNT; i++) {
		if (mechs & mech_oids[i].mech)
			size += der_size(mech_oids[i].len);
	}
	return size;
}

size_t spnego_mech_list_encode(uint8_t *buf, size_t cap, unsigned int mechs)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	der_put(&w, DER_SEQUENCE, mech_oids_size(mechs));
	for (size_t i = 0; i < MECH_COUNT; i++) {
		if (mechs & mech_oids[i].mech)
			der_put_bytes(&w, DER_OID, mech_oids[i].der, mech_oids[i].len);
	}
	return wire_done(&w);
}

size_t spnego_init_encode(uint8_t *buf, size_t cap, unsigned int mechs, struct wire_slice token)
{
	struct wire_writer w = wire_writer_init(buf, cap);
	uint8_t list[64];
	size_t list_len = spnego_mech_list_encode(list, sizeof(list), mechs);
	size_t seq = der_size(list_len) + octet_field_size(token);

	if (!mech_oids_size(mechs) || !list_len)
		return 0;
	der_put(&w, DER_APPLICATION_0, der_size(sizeof(spnego_oid)) + der_size(der_size(seq)));
	der_put_bytes(&w, DER_OID, spnego_oid, sizeof(spnego_oid));
	der_put(&w, DER_CONTEXT_0, der_size(seq));
	der_put(&w, DER_SEQUENCE, seq);
	der_put_bytes(&w, DER_CONTEXT_0, list, list_len);
	put_octet_field(&w, DER_CONTEXT_2, token);
	return wire_done(&w);
}

size_t spnego_resp_encode(uint8_t *buf, size_t cap, const struct spnego_resp *resp)
{
	struct wire_writer w = wire_writer_init(buf, cap);
	const struct mech_oid *mech = NULL;
	uint8_t state = (uint8_t)resp->state;
	size_t seq;

	for (size_t i = 0; i < MECH_COUNT && resp->has_mech; i++) {
		if (resp->mech == mech_oids[i].mech)
			mech = &mech_oids[i];
	}
	if (resp->has_mech && !mech)
		return 0;
	seq = (resp->has_state ? der_size(der_size(1)) : 0) + (mech ? der_size(der_size(mech->len)) : 0) +
	      octet_field_size(resp->token) + octet_field_size(resp->mic);
	der_put(&w, DER_CONTEXT_1, der_size(seq));
	der_put(&w, DER_SEQUENCE, seq);
	if (resp->has_state) {
		der_put(&w, DER_CONTEXT_0, der_size(1));
		der_put_bytes(&w, DER_ENUMERATED, &state, 1);
	}
	if (mech) {
		der_put(&w, DER_CONTEXT_1, der_size(mech->len));
		der_put_bytes(&w, DER_OID, mech->der, mech->len);
	}
	put_octet_field(&w, DER_CONTEXT_2, resp->token);
	put_octet_field(&w, DER_CONTEXT_3, resp->mic);
	return wire_done(&w);
}
