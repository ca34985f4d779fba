/*
 * test_crypto.c - signing, key derivation and sealing give the answers of independent implementations
 * (crypto_vectors.h), however the message is scattered, and refuse every changed bit.
 */
#include "wire_test.h"

#include "crypto_vectors.h"
#include "mrx/smb/wire/smb2_crypto.h"

/* The preauthentication hash chains SHA-512 over hash and message, in one piece or scattered. */
static void test_preauth_chain(void **state)
{
	struct smb2_preauth p, q;
	struct iovec parts[3] = {{(void *)"the ", 4}, {NULL, 0}, {(void *)"second message", 14}};
	static const uint8_t zero[SMB2_PREAUTH_SIZE];

	(void)state;
	smb2_preauth_init(&p);
	assert_memory_equal(p.hash, zero, sizeof(zero));
	assert_true(smb2_preauth_update(&p, "first message", 13));
	q = p;
	assert_true(smb2_preauth_update(&p, "the second message", 18));
	assert_memory_equal(p.hash, vec_preauth, sizeof(vec_preauth));
	assert_true(smb2_preauth_updatev(&q, parts, 3));
	assert_memory_equal(q.hash, vec_preauth, sizeof(vec_preauth));
}

/* 2.x signs with the session key itself and encrypts with nothing. */
static void test_keys_before_3(void **state)
{
	struct smb2_keys k;

	(void)state;
	assert_true(smb2_derive_keys(SMB2_DIALECT_210, 0, vec_session_key, NULL, 0, NULL, &k));
	assert_memory_equal(k.signing, vec_session_key, 16);
	assert_int_equal(k.cipher_key_len, 0);
}

/* 3.0 and 3.0.2 derive with fixed contexts, and ignore a 256-bit cipher that they cannot have negotiated. */
static void test_keys_300(void **state)
{
	static const uint16_t dialects[2] = {SMB2_DIALECT_300, SMB2_DIALECT_302};
	struct smb2_keys k;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_true(smb2_derive_keys(dialects[i], SMB2_CIPHER_AES_256_GCM, vec_session_key,
					     vec_full_key, sizeof(vec_full_key), vec_preauth, &k));
		assert_memory_equal(k.signing, vec_300_signing, 16);
		assert_memory_equal(k.application, vec_300_application, 16);
		assert_memory_equal(k.encryption, vec_300_encryption, 16);
		assert_memory_equal(k.decryption, vec_300_decryption, 16);
		assert_int_equal(k.cipher_key_len, 16);
	}
}

/* 3.1.1 derives with the preauth hash; 256-bit ciphers from the full session key; signing always 128 bits. */
static void test_keys_311(void **state)
{
	static const struct smb2_keys wiped;
	struct smb2_keys k;

	(void)state;
	assert_true(smb2_derive_keys(SMB2_DIALECT_311, SMB2_CIPHER_AES_128_GCM, vec_session_key, vec_full_key,
				     sizeof(vec_full_key), vec_preauth, &k));
	assert_memory_equal(k.signing, vec_311_signing, 16);
	assert_memory_equal(k.application, vec_311_application, 16);
	assert_memory_equal(k.encryption, vec_311_encryption, 16);
	assert_memory_equal(k.decryption, vec_311_decryption, 16);
	assert_true(smb2_derive_keys(SMB2_DIALECT_311, SMB2_CIPHER_AES_256_CCM, vec_session_key, vec_full_key,
				     sizeof(vec_full_key), vec_preauth, &k));
	assert_int_equal(k.cipher_key_len, 32);
	assert_memory_equal(k.signing, vec_311_signing, 16);
	assert_memory_equal(k.encryption, vec_311_256_encryption, 32);
	assert_memory_equal(k.decryption, vec_311_256_decryption, 32);
	smb2_keys_wipe(&k);
	assert_memory_equal(&k, &wiped, sizeof(k));
	assert_false(smb2_derive_keys(SMB2_DIALECT_311, 0, vec_session_key, NULL, 0, NULL, &k));
}

/* More than one round of the PRF, or more input than a label and a hash, is not a key of SMB. */
static void test_kdf_limits(void **state)
{
	uint8_t out[64], context[256] = {0};

	(void)state;
	assert_false(smb2_kdf(vec_session_key, 16, "x", 2, "y", 2, out, 33));
	assert_false(smb2_kdf(vec_session_key, 16, "x", 2, context, sizeof(context), out, 16));
}

/* The algorithm follows from dialect and negotiation (3.1.4.1). */
static void test_signing_algorithm(void **state)
{
	(void)state;
	assert_int_equal(smb2_signing_algorithm(SMB2_DIALECT_202, true, 2), SMB2_SIGN_HMAC_SHA256);
	assert_int_equal(smb2_signing_algorithm(SMB2_DIALECT_210, false, 0), SMB2_SIGN_HMAC_SHA256);
	assert_int_equal(smb2_signing_algorithm(SMB2_DIALECT_302, true, 2), SMB2_SIGN_AES_CMAC);
	assert_int_equal(smb2_signing_algorithm(SMB2_DIALECT_311, false, 0), SMB2_SIGN_AES_CMAC);
	assert_int_equal(smb2_signing_algorithm(SMB2_DIALECT_311, true, 2), SMB2_SIGN_AES_GMAC);
	assert_null(smb2_signer_create(3, vec_session_key));
}

struct signed_case {
	const uint8_t *message;
	const uint8_t *signature[3]; /* by algorithm */
};

static const struct signed_case cases[] = {
	{vec_request, {vec_request_hmac, vec_request_cmac, vec_request_gmac}},
	{vec_response, {vec_response_hmac, vec_response_cmac, vec_response_gmac}},
	{vec_cancel, {vec_cancel_hmac, vec_cancel_cmac, vec_cancel_gmac}},
};

enum { MESSAGE_SIZE = sizeof(vec_request) };

/* Splits buf into three pieces, the first holding at least the header. */
static size_t scatter(uint8_t *buf, size_t len, size_t first, size_t second, struct iovec iov[3])
{
	iov[0] = (struct iovec){buf, first};
	iov[1] = (struct iovec){buf + first, second};
	iov[2] = (struct iovec){buf + first + second, len - first - second};
	return 3;
}

/* One signer signs message after message: each known answer, for each scattering, again and again. */
static void test_signatures_are_known_answers(void **state)
{
	(void)state;
	for (uint16_t algorithm = 0; algorithm < 3; algorithm++) {
		struct smb2_signer *s = smb2_signer_create(algorithm, vec_session_key);

		assert_non_null(s);
		for (size_t split = 0; split + SMB2_HDR_SIZE <= MESSAGE_SIZE; split++) {
			const struct signed_case *c = &cases[split % ARRAY_COUNT(cases)];
			uint8_t *buf = exact_copy(c->message, MESSAGE_SIZE);
			struct iovec iov[3];

			/* What stands in the signature field before must not matter. */
			memset(buf + SMB2_SIGNATURE_OFFSET, 0x5A, SMB2_SIGNATURE_SIZE);
			scatter(buf, MESSAGE_SIZE, SMB2_HDR_SIZE + split,
				split % 3 ? 0 : (MESSAGE_SIZE - SMB2_HDR_SIZE - split) / 2, iov);
			assert_true(smb2_sign(s, iov, 3));
			assert_memory_equal(buf + SMB2_SIGNATURE_OFFSET, c->signature[algorithm],
					    SMB2_SIGNATURE_SIZE);
			assert_true(smb2_verify(s, iov, 3));
			free(buf);
		}
		smb2_signer_destroy(s);
	}
	smb2_signer_destroy(NULL);
}

/* Any changed bit of message or signature, and any missing byte, is found. */
static void test_changed_message_is_refused(void **state)
{
	(void)state;
	for (uint16_t algorithm = 0; algorithm < 3; algorithm++) {
		struct smb2_signer *s = smb2_signer_create(algorithm, vec_session_key);
		uint8_t *buf = exact_copy(vec_response, MESSAGE_SIZE);
		struct iovec iov = {buf, MESSAGE_SIZE};

		assert_non_null(s);
		assert_true(smb2_sign(s, &iov, 1));
		for (size_t bit = 0; bit < MESSAGE_SIZE * 8; bit++) {
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_false(smb2_verify(s, &iov, 1));
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		iov.iov_len--;
		assert_false(smb2_verify(s, &iov, 1));
		iov.iov_len = SMB2_HDR_SIZE - 1; /* too short to have a signature */
		assert_false(smb2_verify(s, &iov, 1));
		assert_false(smb2_sign(s, &iov, 1));
		assert_false(smb2_verify(s, &iov, 0));
		iov.iov_len = MESSAGE_SIZE;
		assert_true(smb2_verify(s, &iov, 1));
		free(buf);
		smb2_signer_destroy(s);
	}
}

struct sealed_case {
	uint16_t cipher;
	size_t key_len;
	const uint8_t *message;
	size_t len;
};

static const struct sealed_case sealed_cases[] = {
	{SMB2_CIPHER_AES_128_CCM, 16, vec_sealed_128_ccm, sizeof(vec_sealed_128_ccm)},
	{SMB2_CIPHER_AES_128_CCM, 16, vec_sealed_128_ccm_aligned, sizeof(vec_sealed_128_ccm_aligned)},
	{SMB2_CIPHER_AES_128_GCM, 16, vec_sealed_128_gcm, sizeof(vec_sealed_128_gcm)},
	{SMB2_CIPHER_AES_256_CCM, 32, vec_sealed_256_ccm, sizeof(vec_sealed_256_ccm)},
	{SMB2_CIPHER_AES_256_CCM, 32, vec_sealed_256_ccm_aligned, sizeof(vec_sealed_256_ccm_aligned)},
	{SMB2_CIPHER_AES_256_GCM, 32, vec_sealed_256_gcm, sizeof(vec_sealed_256_gcm)},
};

/* What another implementation sealed opens to its plain text, however the message is scattered. */
static void test_open_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sealed_cases); i++) {
		const struct sealed_case *c = &sealed_cases[i];
		struct smb2_sealer *s = smb2_sealer_create(c->cipher, vec_full_key, c->key_len, false);
		size_t len = c->len - SMB2_TRANSFORM_HDR_SIZE;

		assert_non_null(s);
		for (size_t split = 0; split <= len; split += 7) {
			uint8_t *buf = exact_copy(c->message, c->len);
			struct iovec iov[3];

			scatter(buf + SMB2_TRANSFORM_HDR_SIZE, len, split, (len - split) / 2, iov);
			assert_true(smb2_open(s, buf, iov, 3));
			assert_memory_equal(buf + SMB2_TRANSFORM_HDR_SIZE, vec_request, len);
			free(buf);
		}
		smb2_sealer_destroy(s);
	}
}

/* A sealed message with any bit changed, header or body, does not open. */
static void test_changed_sealed_message_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sealed_cases); i++) {
		const struct sealed_case *c = &sealed_cases[i];
		struct smb2_sealer *s = smb2_sealer_create(c->cipher, vec_full_key, c->key_len, false);
		/* The nonce's unused tail is authenticated too, like all behind the signature. */
		for (size_t bit = 0; bit < c->len * 8; bit++) {
			uint8_t *buf = exact_copy(c->message, c->len);
			struct iovec iov = {buf + SMB2_TRANSFORM_HDR_SIZE, c->len - SMB2_TRANSFORM_HDR_SIZE};

			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_false(smb2_open(s, buf, &iov, 1));
			free(buf);
		}
		smb2_sealer_destroy(s);
	}
}

/* What we seal we open again; no nonce comes twice; the header names session, size and algorithm. */
static void test_seal_round_trip(void **state)
{
	(void)state;
	for (uint16_t cipher = 1; cipher <= 4; cipher++) {
		size_t key_len = cipher <= SMB2_CIPHER_AES_128_GCM ? 16 : 32;
		struct smb2_sealer *out = smb2_sealer_create(cipher, vec_full_key, key_len, true);
		struct smb2_sealer *in = smb2_sealer_create(cipher, vec_full_key, key_len, false);
		uint8_t before[16] = {0};

		assert_non_null(out);
		assert_non_null(in);
		for (size_t split = 0; split <= MESSAGE_SIZE; split += 11) {
			uint8_t *buf = exact_copy(vec_request, MESSAGE_SIZE);
			uint8_t transform[SMB2_TRANSFORM_HDR_SIZE];
			struct smb2_transform_hdr hdr;
			struct iovec iov[3];

			scatter(buf, MESSAGE_SIZE, split, (MESSAGE_SIZE - split) / 3, iov);
			assert_true(smb2_seal(out, 42, transform, iov, 3));
			assert_memory_not_equal(buf, vec_request, MESSAGE_SIZE);
			assert_true(
				smb2_transform_hdr_decode(transform, sizeof(transform) + MESSAGE_SIZE, &hdr));
			assert_true(hdr.session_id == 42);
			assert_memory_not_equal(hdr.nonce, before, sizeof(before));
			assert_int_equal(hdr.nonce[cipher % 2 ? 11 : 12], 0); /* behind the nonce: zero */
			memcpy(before, hdr.nonce, sizeof(before));
			iov[0] = (struct iovec){buf, MESSAGE_SIZE};
			assert_true(smb2_open(in, transform, iov, 1));
			assert_memory_equal(buf, vec_request, MESSAGE_SIZE);
			free(buf);
		}
		smb2_sealer_destroy(out);
		smb2_sealer_destroy(in);
	}
	smb2_sealer_destroy(NULL);
}

/* A sealer works in its direction only, with a key of its cipher's length, and never on nothing. */
static void test_sealer_refuses_misuse(void **state)
{
	struct smb2_sealer *out = smb2_sealer_create(SMB2_CIPHER_AES_128_GCM, vec_full_key, 16, true);
	struct smb2_sealer *in = smb2_sealer_create(SMB2_CIPHER_AES_128_GCM, vec_full_key, 16, false);
	uint8_t transform[SMB2_TRANSFORM_HDR_SIZE], byte = 1;
	struct iovec one = {&byte, 1}, none = {&byte, 0};

	(void)state;
	assert_null(smb2_sealer_create(SMB2_CIPHER_NONE, vec_full_key, 16, true));
	assert_null(smb2_sealer_create(5, vec_full_key, 16, true));
	assert_null(smb2_sealer_create(SMB2_CIPHER_AES_256_GCM, vec_full_key, 16, true));
	assert_false(smb2_seal(in, 1, transform, &one, 1));
	assert_false(smb2_seal(out, 1, transform, &none, 1));
	assert_true(smb2_seal(out, 1, transform, &one, 1));
	assert_false(smb2_open(out, transform, &one, 1));
	assert_false(smb2_open(in, transform, &none, 1));
	assert_true(smb2_open(in, transform, &one, 1));
	assert_int_equal(byte, 1);
	smb2_sealer_destroy(out);
	smb2_sealer_destroy(in);
}

/* Two sealers of one key start from different nonces: the channels of a session share their keys. */
static void test_sealers_of_one_key_differ(void **state)
{
	uint8_t first[SMB2_TRANSFORM_HDR_SIZE], second[SMB2_TRANSFORM_HDR_SIZE], byte = 1;
	struct iovec iov = {&byte, 1};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct smb2_sealer *s = smb2_sealer_create(SMB2_CIPHER_AES_128_CCM, vec_full_key, 16, true);

		assert_true(smb2_seal(s, 1, i ? second : first, &iov, 1));
		smb2_sealer_destroy(s);
	}
	assert_memory_not_equal(first + 20, second + 20, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preauth_chain),
		cmocka_unit_test(test_keys_before_3),
		cmocka_unit_test(test_keys_300),
		cmocka_unit_test(test_keys_311),
		cmocka_unit_test(test_kdf_limits),
		cmocka_unit_test(test_signing_algorithm),
		cmocka_unit_test(test_signatures_are_known_answers),
		cmocka_unit_test(test_changed_message_is_refused),
		cmocka_unit_test(test_open_known_answers),
		cmocka_unit_test(test_changed_sealed_message_is_refused),
		cmocka_unit_test(test_seal_round_trip),
		cmocka_unit_test(test_sealer_refuses_misuse),
		cmocka_unit_test(test_sealers_of_one_key_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
