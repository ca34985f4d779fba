/*
 * test_ntlm.c - MD4 and RC4, the known answers of MS-NLMP 4.2.4, and what the client does with a challenge,
 * honest or hostile.
 */
#include "wire_test.h"

#include "mrx/smb/wire/ntlm.h"

/* MS-NLMP 4.2.4.3. */
static const uint8_t spec_challenge[] = {
	0x4e, 0x54, 0x4c, 0x4d, 0x53, 0x53, 0x50, 0x00, 0x02, 0x00, 0x00, 0x00, 0x0c, 0x00, 0x0c,
	0x00, 0x38, 0x00, 0x00, 0x00, 0x33, 0x82, 0x8a, 0xe2, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
	0xcd, 0xef, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x24, 0x00, 0x24, 0x00, 0x44,
	0x00, 0x00, 0x00, 0x06, 0x00, 0x70, 0x17, 0x00, 0x00, 0x00, 0x0f, 0x53, 0x00, 0x65, 0x00,
	0x72, 0x00, 0x76, 0x00, 0x65, 0x00, 0x72, 0x00, 0x02, 0x00, 0x0c, 0x00, 0x44, 0x00, 0x6f,
	0x00, 0x6d, 0x00, 0x61, 0x00, 0x69, 0x00, 0x6e, 0x00, 0x01, 0x00, 0x0c, 0x00, 0x53, 0x00,
	0x65, 0x00, 0x72, 0x00, 0x76, 0x00, 0x65, 0x00, 0x72, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static const uint8_t spec_authenticate[] = {
	0x4e, 0x54, 0x4c, 0x4d, 0x53, 0x53, 0x50, 0x00, 0x03, 0x00, 0x00, 0x00, 0x18, 0x00, 0x18, 0x00, 0x6c,
	0x00, 0x00, 0x00, 0x54, 0x00, 0x54, 0x00, 0x84, 0x00, 0x00, 0x00, 0x0c, 0x00, 0x0c, 0x00, 0x48, 0x00,
	0x00, 0x00, 0x08, 0x00, 0x08, 0x00, 0x54, 0x00, 0x00, 0x00, 0x10, 0x00, 0x10, 0x00, 0x5c, 0x00, 0x00,
	0x00, 0x10, 0x00, 0x10, 0x00, 0xd8, 0x00, 0x00, 0x00, 0x35, 0x82, 0x88, 0xe2, 0x05, 0x01, 0x28, 0x0a,
	0x00, 0x00, 0x00, 0x0f, 0x44, 0x00, 0x6f, 0x00, 0x6d, 0x00, 0x61, 0x00, 0x69, 0x00, 0x6e, 0x00, 0x55,
	0x00, 0x73, 0x00, 0x65, 0x00, 0x72, 0x00, 0x43, 0x00, 0x4f, 0x00, 0x4d, 0x00, 0x50, 0x00, 0x55, 0x00,
	0x54, 0x00, 0x45, 0x00, 0x52, 0x00, 0x86, 0xc3, 0x50, 0x97, 0xac, 0x9c, 0xec, 0x10, 0x25, 0x54, 0x76,
	0x4a, 0x57, 0xcc, 0xcc, 0x19, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0x68, 0xcd, 0x0a, 0xb8,
	0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92, 0x7b, 0xeb, 0xef, 0x6a, 0x1c, 0x01, 0x01, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	0xaa, 0xaa, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x0c, 0x00, 0x44, 0x00, 0x6f, 0x00, 0x6d, 0x00, 0x61,
	0x00, 0x69, 0x00, 0x6e, 0x00, 0x01, 0x00, 0x0c, 0x00, 0x53, 0x00, 0x65, 0x00, 0x72, 0x00, 0x76, 0x00,
	0x65, 0x00, 0x72, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc5, 0xda, 0xd2, 0x54, 0x4f,
	0xc9, 0x79, 0x90, 0x94, 0xce, 0x1c, 0xe9, 0x0b, 0xc9, 0xd0, 0x3e,
};

static const uint8_t spec_owf[16] = {0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93,
				     0xa3, 0x00, 0x1e, 0xf2, 0x2e, 0xf0, 0x2e, 0x3f};

static struct ntlm_credentials spec_credentials(void)
{
	return (struct ntlm_credentials){
		.user = TEXT("User"),
		.user_upper = TEXT("USER"),
		.domain = TEXT("Domain"),
		.password = TEXT("Password"),
		.workstation = TEXT("COMPUTER"),
	};
}

/* A client past its first message whose random numbers are those of MS-NLMP 4.2.1. */
static void spec_client(struct ntlm_client *c)
{
	uint8_t msg[NTLM_NEGOTIATE_MAX];

	ntlm_client_init(c);
	c->fixed_random = true;
	memset(c->client_challenge, 0xaa, sizeof(c->client_challenge));
	memset(c->exported_key, 0x55, sizeof(c->exported_key));
	assert_int_equal(ntlm_client_negotiate(c, msg, sizeof(msg)), 40);
	assert_memory_equal(msg, "NTLMSSP\0\1\0\0\0", 12);
}

/* RFC 1320, A.5. */
static void test_md4_rfc1320(void **state)
{
	static const struct {
		const char *text;
		uint8_t digest[16];
	} vec[] = {
		{"",
		 {0x31, 0xd6, 0xcf, 0xe0, 0xd1, 0x6a, 0xe9, 0x31, 0xb7, 0x3c, 0x59, 0xd7, 0xe0, 0xc0, 0x89,
		  0xc0}},
		{"abc",
		 {0xa4, 0x48, 0x01, 0x7a, 0xaf, 0x21, 0xd8, 0x52, 0x5f, 0xc1, 0x0a, 0xe8, 0x7a, 0xa6, 0x72,
		  0x9d}},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		 {0x04, 0x3f, 0x85, 0x82, 0xf2, 0x41, 0xdb, 0x35, 0x1c, 0xe6, 0x27, 0xe1, 0x53, 0xe7, 0xf0,
		  0xe4}},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
		 {0xe3, 0x3b, 0x4d, 0xdc, 0x9c, 0x38, 0xf2, 0x19, 0x9c, 0x3e, 0x7b, 0x16, 0x4f, 0xcc, 0x05,
		  0x36}},
	};
	uint8_t digest[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(vec); i++) {
		ntlm_md4(vec[i].text, strlen(vec[i].text), digest);
		assert_memory_equal(digest, vec[i].digest, sizeof(digest));
	}
}

/* RFC 6229: key 0102030405 and key 0102..10, first 16 bytes of key stream; also in two pieces. */
static void test_rc4_rfc6229(void **state)
{
	static const uint8_t key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	static const uint8_t stream40[16] = {0xb2, 0x39, 0x63, 0x05, 0xf0, 0x3d, 0xc0, 0x27,
					     0xcc, 0xc3, 0x52, 0x4a, 0x0a, 0x11, 0x18, 0xa8};
	static const uint8_t stream128[16] = {0x9a, 0xc7, 0xcc, 0x9a, 0x60, 0x9d, 0x1e, 0xf7,
					      0xb2, 0x93, 0x28, 0x99, 0xcd, 0xe4, 0x1b, 0x97};
	static const uint8_t zero[16];
	struct ntlm_rc4 rc4;
	uint8_t out[16];

	(void)state;
	ntlm_rc4_init(&rc4, key, 5);
	ntlm_rc4_crypt(&rc4, zero, out, sizeof(out));
	assert_memory_equal(out, stream40, sizeof(out));
	ntlm_rc4_init(&rc4, key, sizeof(key));
	ntlm_rc4_crypt(&rc4, zero, out, 5);
	ntlm_rc4_crypt(&rc4, zero, out + 5, 11);
	assert_memory_equal(out, stream128, sizeof(out));
}

/* MS-NLMP 4.2.4.1.1. */
static void test_owf_v2(void **state)
{
	uint8_t hash[16], owf[16];

	(void)state;
	ntlm_nt_hash(TEXT("Password"), hash);
	assert_true(ntlm_owf_v2(hash, TEXT("USER"), TEXT("Domain"), owf));
	assert_memory_equal(owf, spec_owf, sizeof(owf));
}

/* MS-NLMP 4.2.4.3: the sample messages decode to their parts and encode from them, byte for byte. */
static void test_spec_messages(void **state)
{
	struct ntlm_authenticate auth;
	struct ntlm_challenge ch;
	uint8_t out[512];

	(void)state;
	assert_true(ntlm_challenge_decode(spec_challenge, sizeof(spec_challenge), &ch));
	assert_int_equal(ch.flags, 0xe28a8233);
	assert_true(slice_equal(ch.target_name, TEXT("Server")));
	assert_int_equal(ch.target_info.len, 36);
	assert_false(ch.has_timestamp);

	assert_true(ntlm_authenticate_decode(spec_authenticate, sizeof(spec_authenticate), &auth));
	assert_int_equal(auth.flags, 0xe2888235);
	assert_true(slice_equal(auth.domain, TEXT("Domain")));
	assert_true(slice_equal(auth.user, TEXT("User")));
	assert_true(slice_equal(auth.workstation, TEXT("COMPUTER")));
	assert_int_equal(auth.lm_response.len, 24);
	assert_int_equal(auth.nt_response.len, 84);
	assert_int_equal(auth.session_key.len, 16);
	assert_false(auth.has_mic);
	assert_int_equal(ntlm_authenticate_encode(out, sizeof(out), &auth), sizeof(spec_authenticate));
	assert_memory_equal(out, spec_authenticate, sizeof(spec_authenticate));
}

/*
 * MS-NLMP 4.2.4.1 - 4.2.4.2: to the sample challenge we give the sample's NTLMv2 response and encrypted session
 * key; its LMv2 response we never send.
 */
static void test_spec_login(void **state)
{
	struct ntlm_credentials cred = spec_credentials();
	struct ntlm_authenticate ours, spec;
	static const uint8_t no_lm[24], exported[16] = {[0 ... 15] = 0x55};
	struct ntlm_client c;
	uint8_t out[NTLM_AUTHENTICATE_MAX];
	size_t len;

	(void)state;
	spec_client(&c);
	len = ntlm_client_authenticate(&c, spec_challenge, sizeof(spec_challenge), &cred, 0, out,
				       sizeof(out));
	assert_true(len > 0);
	assert_true(ntlm_authenticate_decode(out, len, &ours));
	assert_true(ntlm_authenticate_decode(spec_authenticate, sizeof(spec_authenticate), &spec));
	assert_true(slice_equal(ours.nt_response, spec.nt_response));
	assert_true(slice_equal(ours.session_key, spec.session_key));
	assert_true(slice_equal(ours.user, spec.user));
	assert_true(slice_equal(ours.domain, spec.domain));
	assert_true(slice_equal(ours.lm_response, (struct wire_slice){no_lm, 24}));
	assert_memory_equal(c.session_key, exported, sizeof(exported));
	ntlm_client_wipe(&c);
}

/* MS-NLMP 4.2.4.4: signing and sealing keys; the signature of the sample message follows from them. */
static void test_spec_signature(void **state)
{
	static const uint8_t sign_key[16] = {0x47, 0x88, 0xdc, 0x86, 0x1b, 0x47, 0x82, 0xf3,
					     0x5d, 0x43, 0xfd, 0x98, 0xfe, 0x1a, 0x2d, 0x39};
	static const uint8_t sealed[18] = {0x54, 0xe5, 0x01, 0x65, 0xbf, 0x19, 0x36, 0xdc, 0x99,
					   0x60, 0x20, 0xc1, 0x81, 0x1b, 0x0f, 0x06, 0xfb, 0x5f};
	static const uint8_t signature[16] = {0x01, 0x00, 0x00, 0x00, 0x7f, 0xb3, 0x8e, 0xc5,
					      0xc5, 0x5d, 0x49, 0x76, 0x00, 0x00, 0x00, 0x00};
	struct ntlm_credentials cred = spec_credentials();
	struct wire_slice plain = TEXT("Plaintext");
	struct ntlm_client c;
	uint8_t out[NTLM_AUTHENTICATE_MAX], mic[NTLM_SIGNATURE_SIZE];

	(void)state;
	spec_client(&c);
	assert_true(ntlm_client_authenticate(&c, spec_challenge, sizeof(spec_challenge), &cred, 0, out,
					     sizeof(out)));
	assert_memory_equal(c.client_sign_key, sign_key, sizeof(sign_key));
	/* GSS_WrapEx seals the text first and its checksum with the key stream that follows. */
	ntlm_rc4_crypt(&c.client_seal, plain.p, out, plain.len);
	assert_memory_equal(out, sealed, sizeof(sealed));
	assert_true(ntlm_client_sign(&c, plain.p, plain.len, mic));
	assert_memory_equal(mic, signature, sizeof(signature));
	assert_int_equal(c.client_seq, 1);
	ntlm_client_wipe(&c);
}

/* A challenge as a modern server sends it: names and a time. */
static size_t modern_challenge(uint8_t *buf, size_t cap, uint32_t flags, const uint8_t *extra,
			       size_t extra_len)
{
	static const uint8_t names[] = {2, 0, 2, 0, 'D', 0, 1, 0, 2, 0, 'S', 0,
					7, 0, 8, 0, 1,   2, 3, 4, 5, 6, 7,   8};
	uint8_t info[256];
	struct ntlm_challenge ch = {.flags = flags, .server_challenge = {9, 8, 7}, .target_name = TEXT("S")};
	size_t len = sizeof(names) + extra_len + 4;

	memcpy(info, names, sizeof(names));
	if (extra_len)
		memcpy(info + sizeof(names), extra, extra_len);
	memset(info + sizeof(names) + extra_len, 0, 4);
	ch.target_info = (struct wire_slice){info, len};
	return ntlm_challenge_encode(buf, cap, &ch);
}

static const uint32_t modern_flags = NTLM_NEGOTIATE_UNICODE | NTLM_NEGOTIATE_SIGN | NTLM_NEGOTIATE_NTLM |
				     NTLM_NEGOTIATE_EXTENDED_SESSIONSECURITY | NTLM_NEGOTIATE_TARGET_INFO |
				     NTLM_NEGOTIATE_128 | NTLM_NEGOTIATE_KEY_EXCH;

/*
 * 3.1.5.1.2: to a server that sends its time we answer with that time, promise a MIC in the AV flags (keeping
 * the server's other flags), send no channel binding, name our target, and the MIC covers all three messages.
 */
static void test_mic(void **state)
{
	static const uint8_t flags_av[] = {6, 0, 4, 0, 1, 0, 0, 0, 9, 0, 2, 0, 'X', 0};
	uint8_t challenge[512], out[NTLM_AUTHENTICATE_MAX], mic[16], expected[16];
	static const uint8_t zero[16];
	struct ntlm_credentials cred = spec_credentials();
	size_t challenge_len =
		modern_challenge(challenge, sizeof(challenge), modern_flags, flags_av, sizeof(flags_av));
	struct ntlm_authenticate auth;
	struct wire_slice info, value, parts[3];
	struct ntlm_client c;
	size_t len;

	(void)state;
	cred.target_spn = TEXT("cifs/server");
	spec_client(&c);
	len = ntlm_client_authenticate(&c, challenge, challenge_len, &cred, 77, out, sizeof(out));
	assert_true(len > 0);
	assert_true(ntlm_authenticate_decode(out, len, &auth));
	assert_true(auth.has_mic);
	memcpy(mic, auth.mic, sizeof(mic));
	memset(out + 72, 0, 16);
	parts[0] = (struct wire_slice){c.negotiate, c.negotiate_len};
	parts[1] = (struct wire_slice){challenge, challenge_len};
	parts[2] = (struct wire_slice){out, len};
	assert_true(ntlm_hmac_md5(c.session_key, 16, parts, 3, expected));
	assert_memory_equal(mic, expected, sizeof(mic));

	info = (struct wire_slice){auth.nt_response.p + 44, auth.nt_response.len - 44};
	assert_true(wire_le64(auth.nt_response.p + 24) == 0x0807060504030201);
	assert_true(ntlm_av_find(info, NTLM_AV_FLAGS, &value));
	assert_int_equal(wire_le32(value.p), 3);
	assert_true(ntlm_av_find(info, NTLM_AV_CHANNEL_BINDINGS, &value));
	assert_true(slice_equal(value, (struct wire_slice){zero, 16}));
	assert_true(ntlm_av_find(info, NTLM_AV_TARGET_NAME, &value));
	assert_true(slice_equal(value, TEXT("cifs/server")));
	ntlm_client_wipe(&c);
}

/* Without key exchange the session key is the base key, and nothing is sent for it. */
static void test_no_key_exchange(void **state)
{
	uint8_t challenge[512], out[NTLM_AUTHENTICATE_MAX], key[16];
	struct ntlm_credentials cred = spec_credentials();
	size_t n = modern_challenge(challenge, sizeof(challenge), modern_flags & ~NTLM_NEGOTIATE_KEY_EXCH,
				    NULL, 0);
	struct ntlm_authenticate auth;
	struct wire_slice proof;
	struct ntlm_client c;
	size_t len;

	(void)state;
	spec_client(&c);
	len = ntlm_client_authenticate(&c, challenge, n, &cred, 0, out, sizeof(out));
	assert_true(ntlm_authenticate_decode(out, len, &auth));
	assert_int_equal(auth.session_key.len, 0);
	proof = (struct wire_slice){auth.nt_response.p, 16};
	assert_true(ntlm_hmac_md5(spec_owf, 16, &proof, 1, key));
	assert_memory_equal(c.session_key, key, sizeof(key));
	ntlm_client_wipe(&c);
}

/* An anonymous login has no NT response, one zero byte for LM, and says so (3.3.2). */
static void test_anonymous(void **state)
{
	uint8_t challenge[512], out[NTLM_AUTHENTICATE_MAX];
	struct ntlm_credentials nobody = {.workstation = TEXT("W")};
	size_t n = modern_challenge(challenge, sizeof(challenge), modern_flags, NULL, 0);
	struct ntlm_authenticate auth;
	struct ntlm_client c;
	size_t len;

	(void)state;
	spec_client(&c);
	len = ntlm_client_authenticate(&c, challenge, n, &nobody, 0, out, sizeof(out));
	assert_true(ntlm_authenticate_decode(out, len, &auth));
	assert_true(auth.flags & NTLM_NEGOTIATE_ANONYMOUS);
	assert_int_equal(auth.nt_response.len, 0);
	assert_int_equal(auth.lm_response.len, 1);
	assert_int_equal(auth.user.len, 0);
	assert_false(auth.has_mic);
	ntlm_client_wipe(&c);
}

/* A server that would weaken the login, or does not name itself, gets no answer. */
static void test_weak_challenge_is_refused(void **state)
{
	static const uint32_t needed[] = {NTLM_NEGOTIATE_UNICODE, NTLM_NEGOTIATE_EXTENDED_SESSIONSECURITY,
					  NTLM_NEGOTIATE_128};
	struct ntlm_challenge nameless = {.flags = modern_flags};
	struct ntlm_credentials cred = spec_credentials();
	uint8_t challenge[512], out[NTLM_AUTHENTICATE_MAX];
	struct ntlm_client c;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(needed); i++) {
		n = modern_challenge(challenge, sizeof(challenge), modern_flags & ~needed[i], NULL, 0);
		spec_client(&c);
		assert_int_equal(ntlm_client_authenticate(&c, challenge, n, &cred, 0, out, sizeof(out)), 0);
		ntlm_client_wipe(&c);
	}
	n = ntlm_challenge_encode(challenge, sizeof(challenge), &nameless);
	spec_client(&c);
	assert_int_equal(ntlm_client_authenticate(&c, challenge, n, &cred, 0, out, sizeof(out)), 0);
	ntlm_client_wipe(&c);
}

/* An answer is given once, after our own first message, and only where it fits. */
static void test_order_and_room(void **state)
{
	struct ntlm_credentials cred = spec_credentials();
	uint8_t out[NTLM_AUTHENTICATE_MAX];
	struct ntlm_client c;
	size_t len;

	(void)state;
	ntlm_client_init(&c);
	assert_int_equal(ntlm_client_authenticate(&c, spec_challenge, sizeof(spec_challenge), &cred, 0, out,
						  sizeof(out)),
			 0);
	assert_false(ntlm_client_sign(&c, "x", 1, out));
	assert_int_equal(ntlm_client_negotiate(&c, out, 39), 0);
	spec_client(&c);
	len = ntlm_client_authenticate(&c, spec_challenge, sizeof(spec_challenge), &cred, 0, out,
				       sizeof(out));
	assert_true(len > 0);
	for (size_t cap = 0; cap < len; cap++) {
		uint8_t *small = exact_copy(out, cap);

		spec_client(&c);
		assert_int_equal(ntlm_client_authenticate(&c, spec_challenge, sizeof(spec_challenge), &cred,
							  0, small, cap),
				 0);
		free(small);
	}
	ntlm_client_wipe(&c);
}

/* After the wipe not a byte of any key is left. */
static void test_wipe(void **state)
{
	struct ntlm_credentials cred = spec_credentials();
	static const struct ntlm_client zero;
	uint8_t out[NTLM_AUTHENTICATE_MAX];
	struct ntlm_client c;

	(void)state;
	spec_client(&c);
	assert_true(ntlm_client_authenticate(&c, spec_challenge, sizeof(spec_challenge), &cred, 0, out,
					     sizeof(out)));
	ntlm_client_wipe(&c);
	assert_memory_equal(&c, &zero, sizeof(c));
}

/* Every prefix of a challenge is refused, as is every field that points outside the message. */
static void test_hostile_challenge(void **state)
{
	static const size_t fields[] = {12, 40};
	struct ntlm_challenge ch;

	(void)state;
	for (size_t n = 0; n < sizeof(spec_challenge); n++) {
		uint8_t *cut = exact_copy(spec_challenge, n);

		assert_false(ntlm_challenge_decode(cut, n, &ch));
		free(cut);
	}
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
		static const uint32_t offsets[] = {0xFFFFFFFF, 0xFFFFFFF0, sizeof(spec_challenge) - 1,
						   0x80000000};

		for (size_t k = 0; k < ARRAY_COUNT(offsets); k++) {
			uint8_t *msg = exact_copy(spec_challenge, sizeof(spec_challenge));

			wire_set_le32(msg + fields[i] + 4, offsets[k]);
			assert_false(ntlm_challenge_decode(msg, sizeof(spec_challenge), &ch));
			wire_set_le32(msg + fields[i] + 4, 8);
			wire_set_le16(msg + fields[i], 0xFFFF);
			assert_false(ntlm_challenge_decode(msg, sizeof(spec_challenge), &ch));
			free(msg);
		}
	}
}

/* Every prefix of an AUTHENTICATE message that cuts its payload is refused. */
static void test_hostile_authenticate(void **state)
{
	struct ntlm_authenticate auth;

	(void)state;
	for (size_t n = 0; n < sizeof(spec_authenticate); n++) {
		uint8_t *cut = exact_copy(spec_authenticate, n);

		assert_false(ntlm_authenticate_decode(cut, n, &auth));
		free(cut);
	}
}

/* AV pairs end with EOL inside the buffer, or the list is malformed; a time has 8 bytes. */
static void test_hostile_av_pairs(void **state)
{
	static const uint8_t no_eol[] = {1, 0, 2, 0, 'S', 0};
	static const uint8_t too_long[] = {1, 0, 0xFF, 0xFF, 'S', 0, 0, 0, 0, 0};
	static const uint8_t short_time[] = {7, 0, 4, 0, 1, 2, 3, 4, 0, 0, 0, 0};
	static const uint8_t half_head[] = {1, 0, 0};
	const struct wire_slice bad[] = {{no_eol, sizeof(no_eol)},
					 {too_long, sizeof(too_long)},
					 {short_time, sizeof(short_time)},
					 {half_head, sizeof(half_head)}};
	uint8_t buf[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct ntlm_challenge in = {.flags = modern_flags, .target_info = bad[i]}, out;
		size_t n = ntlm_challenge_encode(buf, sizeof(buf), &in);

		assert_true(n > 0);
		assert_false(ntlm_challenge_decode(buf, n, &out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_md4_rfc1320),
		cmocka_unit_test(test_rc4_rfc6229),
		cmocka_unit_test(test_owf_v2),
		cmocka_unit_test(test_spec_messages),
		cmocka_unit_test(test_spec_login),
		cmocka_unit_test(test_spec_signature),
		cmocka_unit_test(test_mic),
		cmocka_unit_test(test_no_key_exchange),
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_weak_challenge_is_refused),
		cmocka_unit_test(test_order_and_room),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_hostile_challenge),
		cmocka_unit_test(test_hostile_authenticate),
		cmocka_unit_test(test_hostile_av_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
