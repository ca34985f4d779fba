/*
 * test_ntlm_spnego.c - SPNEGO tokens, and a whole login against a server made of the same codec.
 */
#include "wire_test.h"

#include "mrx/smb/wire/spnego.h"

static const uint8_t ntlm_oid_tlv[12] = {0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04,
					 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a};

static const uint32_t server_flags = NTLM_NEGOTIATE_UNICODE | NTLM_NEGOTIATE_SIGN | NTLM_NEGOTIATE_NTLM |
				     NTLM_NEGOTIATE_EXTENDED_SESSIONSECURITY | NTLM_NEGOTIATE_TARGET_INFO |
				     NTLM_NEGOTIATE_128 | NTLM_NEGOTIATE_KEY_EXCH;

/* What is encoded is decoded again: mech list, token, MIC, state, for short and for long lengths. */
static void test_round_trip(void **state)
{
	static uint8_t big[70000], buf[80000];
	static const size_t sizes[] = {0, 1, 100, 127, 128, 200, 255, 256, 300, 65535, 65536, 70000};
	struct spnego_init init;

	(void)state;
	memset(big, 0x5A, sizeof(big));
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct spnego_resp in = {.has_state = true,
					 .state = SPNEGO_ACCEPT_INCOMPLETE,
					 .has_mech = true,
					 .mech = SPNEGO_MECH_NTLMSSP,
					 .token = {big, sizes[i]},
					 .mic = {big, 16}},
				   out;
		size_t len = spnego_init_encode(buf, sizeof(buf), SPNEGO_MECH_NTLMSSP | SPNEGO_MECH_KRB5,
						in.token);

		assert_true(len > sizes[i]);
		assert_true(spnego_init_decode(buf, len, &init));
		assert_int_equal(init.mechs, SPNEGO_MECH_NTLMSSP | SPNEGO_MECH_KRB5);
		assert_int_equal(init.first_mech, SPNEGO_MECH_KRB5);
		assert_true(slice_equal(init.token, in.token));
		assert_int_equal(
			spnego_init_encode(buf, len - 1, SPNEGO_MECH_NTLMSSP | SPNEGO_MECH_KRB5, in.token),
			0);

		len = spnego_resp_encode(buf, sizeof(buf), &in);
		assert_true(spnego_resp_decode(buf, len, &out));
		assert_true(out.has_state && out.state == SPNEGO_ACCEPT_INCOMPLETE);
		assert_true(out.has_mech && out.mech == SPNEGO_MECH_NTLMSSP);
		assert_true(slice_equal(out.token, in.token));
		assert_true(slice_equal(out.mic, in.mic));
		assert_int_equal(spnego_resp_encode(buf, len - 1, &in), 0);
	}
	assert_int_equal(spnego_init_encode(buf, sizeof(buf), 0, (struct wire_slice){NULL, 0}), 0);
}

/* The mech list a MIC covers is the SEQUENCE as it stands in the token. */
static void test_mech_list(void **state)
{
	uint8_t buf[128], list[64];
	struct spnego_init init;
	size_t len = spnego_init_encode(buf, sizeof(buf), SPNEGO_MECH_NTLMSSP, TEXT("t"));
	size_t list_len = spnego_mech_list_encode(list, sizeof(list), SPNEGO_MECH_NTLMSSP);

	(void)state;
	assert_int_equal(list_len, 14);
	assert_int_equal(list[0], 0x30);
	assert_memory_equal(list + 2, ntlm_oid_tlv, sizeof(ntlm_oid_tlv));
	assert_true(spnego_init_decode(buf, len, &init));
	assert_true(slice_equal(init.mech_list, (struct wire_slice){list, list_len}));
}

/* NegTokenInit2 as servers send it: unknown mechanisms and negHints are no obstacle (MS-SPNG 2.2.1). */
static void test_negtokeninit2(void **state)
{
	static const uint8_t token[] = {
		0x60, 0x3c, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02, 0xa0, 0x32, 0x30,
		0x30, 0xa0, 0x13, 0x30, 0x11, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x06, 0x0a, 0x2b,
		0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a, 0xa3, 0x10, 0x30, 0x0e,
		0xa0, 0x0c, 0x1b, 0x0a, 'n',  'o',  't',  '_',  'd',  'e',  'f',  'i',  'n',
		'e',  0xa4, 0x07, 0x04, 0x05, 1,    2,    3,    4,    5,
	};
	struct spnego_init init;

	(void)state;
	assert_true(spnego_init_decode(token, sizeof(token), &init));
	assert_int_equal(init.mechs, SPNEGO_MECH_NTLMSSP);
	assert_int_equal(init.first_mech, 0);
	assert_int_equal(init.mic.len, 5);
	assert_int_equal(init.token.len, 0);
	for (size_t n = 0; n < sizeof(token); n++) {
		uint8_t *cut = exact_copy(token, n);

		assert_false(spnego_init_decode(cut, n, &init));
		free(cut);
	}
}

/* Indefinite and oversized lengths, wrong tags, values out of range: refused. */
static void test_hostile_der(void **state)
{
	static const uint8_t indefinite[] = {0xa1, 0x80, 0x30, 0x80, 0, 0, 0, 0};
	static const uint8_t huge[] = {0xa1, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0};
	static const uint8_t five_bytes[] = {0xa1, 0x85, 0, 0, 0, 0, 2, 0x30, 0};
	static const uint8_t bad_state[] = {0xa1, 7, 0x30, 5, 0xa0, 3, 0x0a, 1, 4};
	static const uint8_t wide_state[] = {0xa1, 8, 0x30, 6, 0xa0, 4, 0x0a, 2, 0, 0};
	static const uint8_t inner_leaves[] = {0xa1, 4, 0x30, 3, 0xa2, 1, 4};
	static const uint8_t empty_field[] = {0xa1, 4, 0x30, 2, 0xa2, 0};
	static const uint8_t wrong_tag[] = {0xa0, 2, 0x30, 0};
	const struct wire_slice bad[] = {
		{indefinite, sizeof(indefinite)},   {huge, sizeof(huge)},
		{five_bytes, sizeof(five_bytes)},   {bad_state, sizeof(bad_state)},
		{wide_state, sizeof(wide_state)},   {inner_leaves, sizeof(inner_leaves)},
		{empty_field, sizeof(empty_field)}, {wrong_tag, sizeof(wrong_tag)},
	};
	struct spnego_resp resp;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		uint8_t *copy = exact_copy(bad[i].p, bad[i].len);

		assert_false(spnego_resp_decode(copy, bad[i].len, &resp));
		free(copy);
	}
}

/* ---- a login ---- */

struct server {
	uint8_t challenge[256];
	size_t challenge_len;
};

static void server_challenge(struct server *s)
{
	static const uint8_t info[] = {2, 0, 2, 0, 'D', 0, 1, 0, 2, 0, 'S', 0, 7, 0,
				       8, 0, 1, 2, 3,   4, 5, 6, 7, 8, 0,   0, 0, 0};
	struct ntlm_challenge ch = {.flags = server_flags, .target_info = {info, sizeof(info)}};

	s->challenge_len = ntlm_challenge_encode(s->challenge, sizeof(s->challenge), &ch);
	assert_true(s->challenge_len > 0);
}

static const struct ntlm_credentials *credentials(void)
{
	static struct ntlm_credentials cred;

	cred.user = TEXT("user");
	cred.user_upper = TEXT("USER");
	cred.password = TEXT("secret");
	return &cred;
}

/* Wraps an NTLM message as the server does. */
static size_t server_wrap(uint8_t *buf, size_t cap, enum spnego_neg_state negotiation,
			  struct wire_slice token, struct wire_slice mic)
{
	struct spnego_resp resp = {.has_state = true,
				   .state = negotiation,
				   .has_mech = token.len > 0,
				   .mech = SPNEGO_MECH_NTLMSSP,
				   .token = token,
				   .mic = mic};
	size_t len = spnego_resp_encode(buf, cap, &resp);

	assert_true(len > 0);
	return len;
}

/* Runs the first two rounds; the client is then waiting for the final answer. */
static void login_until_final(struct spnego_login *l, struct server *s, uint8_t *out, size_t cap, size_t *len)
{
	uint8_t token[512];
	size_t n;

	assert_int_equal(
		spnego_login_step(l, (struct wire_slice){NULL, 0}, false, credentials(), 0, out, cap, len),
		SPNEGO_STEP_CONTINUE);
	server_challenge(s);
	n = server_wrap(token, sizeof(token), SPNEGO_ACCEPT_INCOMPLETE,
			(struct wire_slice){s->challenge, s->challenge_len}, (struct wire_slice){NULL, 0});
	assert_int_equal(
		spnego_login_step(l, (struct wire_slice){token, n}, false, credentials(), 0, out, cap, len),
		SPNEGO_STEP_CONTINUE);
}

/* The server's signature over the mech list, from the client's own key material. */
static void server_mic(const struct spnego_login *l, uint8_t mic[NTLM_SIGNATURE_SIZE])
{
	struct ntlm_client mirror = l->ntlm;

	memcpy(mirror.client_sign_key, l->ntlm.server_sign_key, sizeof(mirror.client_sign_key));
	mirror.client_seal = l->ntlm.server_seal;
	mirror.client_seq = 0;
	assert_true(ntlm_client_sign(&mirror, l->mech_list, l->mech_list_len, mic));
}

/* The whole dance: the AUTHENTICATE carries a mechListMIC, the server's is checked, the key comes out. */
static void test_login(void **state)
{
	uint8_t out[SPNEGO_TOKEN_MAX], hint[128], token[128], mic[NTLM_SIGNATURE_SIZE];
	struct wire_slice none = {NULL, 0};
	struct spnego_resp resp;
	struct spnego_login l;
	struct server s;
	size_t len, n = spnego_init_encode(hint, sizeof(hint), SPNEGO_MECH_KRB5 | SPNEGO_MECH_NTLMSSP, none);

	(void)state;
	assert_true(spnego_login_init(&l, (struct wire_slice){hint, n}));
	assert_false(l.raw);
	login_until_final(&l, &s, out, sizeof(out), &len);
	assert_true(spnego_resp_decode(out, len, &resp));
	assert_int_equal(resp.mic.len, NTLM_SIGNATURE_SIZE);
	assert_memory_equal(resp.token.p, "NTLMSSP\0\3", 9);
	server_mic(&l, mic);
	n = server_wrap(token, sizeof(token), SPNEGO_ACCEPT_COMPLETED, none,
			(struct wire_slice){mic, sizeof(mic)});
	assert_int_equal(spnego_login_step(&l, (struct wire_slice){token, n}, true, credentials(), 0, out,
					   sizeof(out), &len),
			 SPNEGO_STEP_DONE);
	assert_int_equal(len, 0);
	assert_memory_equal(spnego_login_session_key(&l), l.ntlm.exported_key, 16);
	spnego_login_wipe(&l);
}

/* A wrong mechListMIC means that somebody changed the list of mechanisms: the login fails. */
static void test_wrong_mic_fails(void **state)
{
	uint8_t out[SPNEGO_TOKEN_MAX], token[128], mic[NTLM_SIGNATURE_SIZE];
	struct wire_slice none = {NULL, 0};
	struct spnego_login l;
	struct server s;
	size_t len, n;

	(void)state;
	assert_true(spnego_login_init(&l, none));
	login_until_final(&l, &s, out, sizeof(out), &len);
	server_mic(&l, mic);
	mic[5] ^= 1;
	n = server_wrap(token, sizeof(token), SPNEGO_ACCEPT_COMPLETED, none,
			(struct wire_slice){mic, sizeof(mic)});
	assert_int_equal(spnego_login_step(&l, (struct wire_slice){token, n}, true, credentials(), 0, out,
					   sizeof(out), &len),
			 SPNEGO_STEP_FAILED);
	spnego_login_wipe(&l);
}

/* A server that offers no NTLMSSP cannot be logged in to this way. */
static void test_hint_without_ntlm(void **state)
{
	struct wire_slice none = {NULL, 0};
	struct spnego_login l;
	uint8_t hint[128];
	size_t n = spnego_init_encode(hint, sizeof(hint), SPNEGO_MECH_KRB5, none);

	(void)state;
	assert_false(spnego_login_init(&l, (struct wire_slice){hint, n}));
}

/* Rejection, another mechanism, rubbish, or a success before any proof: failed. */
static void test_server_misbehaves(void **state)
{
	struct spnego_resp other = {.has_mech = true, .mech = SPNEGO_MECH_KRB5, .token = TEXT("x")};
	uint8_t out[SPNEGO_TOKEN_MAX], token[512];
	struct wire_slice none = {NULL, 0};
	struct wire_slice answers[3];
	struct spnego_login l;
	struct server s;
	size_t len;
	uint8_t krb[64];

	(void)state;
	server_challenge(&s);
	answers[0] = (struct wire_slice){token, server_wrap(token, sizeof(token), SPNEGO_REJECT,
							    (struct wire_slice){s.challenge, s.challenge_len},
							    none)};
	answers[1] = (struct wire_slice){krb, spnego_resp_encode(krb, sizeof(krb), &other)};
	answers[2] = TEXT("rubbish");
	for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
		assert_true(spnego_login_init(&l, none));
		assert_int_equal(spnego_login_step(&l, none, false, credentials(), 0, out, sizeof(out), &len),
				 SPNEGO_STEP_CONTINUE);
		assert_int_equal(
			spnego_login_step(&l, answers[i], false, credentials(), 0, out, sizeof(out), &len),
			SPNEGO_STEP_FAILED);
		assert_int_equal(len, 0);
		spnego_login_wipe(&l);
	}
	assert_true(spnego_login_init(&l, none));
	assert_int_equal(spnego_login_step(&l, none, false, credentials(), 0, out, sizeof(out), &len),
			 SPNEGO_STEP_CONTINUE);
	assert_int_equal(spnego_login_step(&l, none, true, credentials(), 0, out, sizeof(out), &len),
			 SPNEGO_STEP_FAILED);
	spnego_login_wipe(&l);
}

/* A server whose hint is not SPNEGO gets bare NTLMSSP messages. */
static void test_raw_ntlmssp(void **state)
{
	uint8_t out[SPNEGO_TOKEN_MAX];
	struct wire_slice none = {NULL, 0};
	struct spnego_login l;
	struct server s;
	size_t len;

	(void)state;
	assert_true(spnego_login_init(&l, TEXT("NTLMSSP")));
	assert_true(l.raw);
	assert_int_equal(spnego_login_step(&l, none, false, credentials(), 0, out, sizeof(out), &len),
			 SPNEGO_STEP_CONTINUE);
	assert_memory_equal(out, "NTLMSSP\0\1", 9);
	server_challenge(&s);
	assert_int_equal(spnego_login_step(&l, (struct wire_slice){s.challenge, s.challenge_len}, false,
					   credentials(), 0, out, sizeof(out), &len),
			 SPNEGO_STEP_CONTINUE);
	assert_memory_equal(out, "NTLMSSP\0\3", 9);
	assert_int_equal(spnego_login_step(&l, none, true, credentials(), 0, out, sizeof(out), &len),
			 SPNEGO_STEP_DONE);
	spnego_login_wipe(&l);
}

/* After the wipe nothing of the login is left. */
static void test_wipe(void **state)
{
	static const struct spnego_login zero;
	uint8_t out[SPNEGO_TOKEN_MAX];
	struct wire_slice none = {NULL, 0};
	struct spnego_login l;
	struct server s;
	size_t len;

	(void)state;
	assert_true(spnego_login_init(&l, none));
	login_until_final(&l, &s, out, sizeof(out), &len);
	spnego_login_wipe(&l);
	assert_memory_equal(&l, &zero, sizeof(l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_mech_list),
		cmocka_unit_test(test_negtokeninit2),
		cmocka_unit_test(test_hostile_der),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_wrong_mic_fails),
		cmocka_unit_test(test_hint_without_ntlm),
		cmocka_unit_test(test_server_misbehaves),
		cmocka_unit_test(test_raw_ntlmssp),
		cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
