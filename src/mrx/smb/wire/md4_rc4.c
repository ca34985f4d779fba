/*
 * md4_rc4.c - MD4 (RFC 1320) and RC4 (RFC 6229 has vectors), which NTLM needs and libcrypto's default provider
 * does not have.  Both are broken as such; nothing but NTLM may use them.
 *
 * Stateless but for struct ntlm_rc4, which the caller owns and wipes.
 */
#include <openssl/crypto.h>

#include "mrx/smb/wire/ntlm.h"

enum { MD4_BLOCK = 64 };

static uint32_t rotate(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

/* The three rounds differ in mixing function, constant, word order and rotation. */
static uint32_t mix(unsigned int round, uint32_t x, uint32_t y, uint32_t z)
{
	if (round == 0)
		return (x & y) | (~x & z);
	if (round == 1)
		return (x & y) | (x & z) | (y & z);
	return x ^ y ^ z;
}

static void md4_block(uint32_t state[4], const uint8_t *p)
{
	static const uint32_t constant[3] = {0, 0x5A827999u, 0x6ED9EBA1u};
	static const uint8_t order[3][16] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
		{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15},
	};
	static const uint8_t shift[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
	uint32_t v[4] = {state[0], state[1], state[2], state[3]};

	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 16; i++) {
			/* Step i works on a, d, c, b in turn. */
			uint32_t *a = &v[(0 - i) & 3], b = v[(1 - i) & 3], c = v[(2 - i) & 3],
				 d = v[(3 - i) & 3];

			*a += mix(round, b, c, d) + wire_le32(p + 4 * order[round][i]) + constant[round];
			*a = rotate(*a, shift[round][i & 3]);
		}
	}
	for (unsigned int i = 0; i < 4; i++)
		state[i] += v[i];
	OPENSSL_cleanse(v, sizeof(v));
}

void ntlm_md4(const void *data, size_t len, uint8_t digest[16])
{
	uint32_t state[4] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u};
	uint8_t tail[2 * MD4_BLOCK] = {0};
	size_t whole = len & ~(size_t)(MD4_BLOCK - 1), rest = len - whole;
	size_t tail_len = rest < MD4_BLOCK - 8 ? MD4_BLOCK : 2 * MD4_BLOCK;

	for (size_t at = 0; at < whole; at += MD4_BLOCK)
		md4_block(state, (const uint8_t *)data + at);
	if (rest)
		memcpy(tail, (const uint8_t *)data + whole, rest);
	tail[rest] = 0x80;
	wire_set_le64(tail + tail_len - 8, (uint64_t)len * 8);
	for (size_t at = 0; at < tail_len; at += MD4_BLOCK)
		md4_block(state, tail + at);
	for (unsigned int i = 0; i < 4; i++)
		wire_set_le32(digest + 4 * i, state[i]);
	OPENSSL_cleanse(tail, sizeof(tail));
	OPENSSL_cleanse(state, sizeof(state));
}

static void swap(uint8_t *a, uint8_t *b)
{
	uint8_t t = *a;

	*a = *b;
	*b = t;
}

void ntlm_rc4_init(struct ntlm_rc4 *rc4, const uint8_t *key, size_t len)
{
	uint8_t j = 0;

	for (unsigned int i = 0; i < 256; i++)
		rc4->s[i] = (uint8_t)i;
	for (unsigned int i = 0; i < 256; i++) {
		j = (uint8_t)(j + rc4->s[i] + key[i % len]);
		swap(&rc4->s[i], &rc4->s[j]);
	}
	rc4->i = 0;
	rc4->j = 0;
}

void ntlm_rc4_crypt(struct ntlm_rc4 *rc4, const uint8_t *in, uint8_t *out, size_t len)
{
	for (size_t n = 0; n < len; n++) {
		rc4->i = (uint8_t)(rc4->i + 1);
		rc4->j = (uint8_t)(rc4->j + rc4->s[rc4->i]);
		swap(&rc4->s[rc4->i], &rc4->s[rc4->j]);
		out[n] = in[n] ^ rc4->s[(uint8_t)(rc4->s[rc4->i] + rc4->s[rc4->j])];
	}
}
