/*
 * sealing.c - encryption of SMB2 messages: AES-128/256 in CCM and GCM (MS-SMB2 2.2.41, 3.1.4.3).
 *
 * Owns:      the libcrypto contexts of a struct smb2_sealer, keyed once at creation, and its nonce counter.
 * Locks:     none; one thread at a time uses a sealer.
 * Dies when: smb2_sealer_destroy(), which wipes key and nonce.
 *
 * CCM is put together from CBC (for the MAC) and CTR, because libcrypto's own CCM takes a message in one
 * piece only and would force a copy of scattered data.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "mrx/smb/wire/smb2_crypto.h"

enum {
	AES_BLOCK = 16,
	CCM_NONCE = 11,
	GCM_NONCE = 12,
	AAD_OFFSET = 20, /* the transform header without ProtocolId and Signature */
	AAD_SIZE = SMB2_TRANSFORM_HDR_SIZE - AAD_OFFSET,
	CRYPTO_CHUNK = 1 << 30,
	MAC_CHUNK = 4096,
};

struct smb2_sealer {
	bool ccm;
	bool encrypt;
	size_t nonce_len;
	uint8_t nonce[16];      /* of the next message: a counter with a random start, then random bytes */
	uint64_t left;          /* messages before the counter comes round */
	EVP_CIPHER_CTX *cipher; /* GCM; CCM: counter mode */
	EVP_CIPHER_CTX *mac;    /* CCM: CBC */
};

static const EVP_CIPHER *pick(uint16_t cipher, const EVP_CIPHER **mac)
{
	*mac = NULL;
	switch (cipher) {
	case SMB2_CIPHER_AES_128_GCM:
		return EVP_aes_128_gcm();
	case SMB2_CIPHER_AES_256_GCM:
		return EVP_aes_256_gcm();
	case SMB2_CIPHER_AES_128_CCM:
		*mac = EVP_aes_128_cbc();
		return EVP_aes_128_ctr();
	case SMB2_CIPHER_AES_256_CCM:
		*mac = EVP_aes_256_cbc();
		return EVP_aes_256_ctr();
	default:
		return NULL;
	}
}

struct smb2_sealer *smb2_sealer_create(uint16_t cipher, const uint8_t *key, size_t key_len, bool encrypt)
{
	const EVP_CIPHER *mac, *main_cipher = pick(cipher, &mac);
	struct smb2_sealer *s;
	bool ok;

	if (!main_cipher || key_len != (size_t)EVP_CIPHER_get_key_length(main_cipher))
		return NULL;
	s = OPENSSL_zalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->ccm = mac != NULL;
	s->encrypt = encrypt;
	s->nonce_len = s->ccm ? CCM_NONCE : GCM_NONCE;
	s->left = UINT64_MAX;
	s->cipher = EVP_CIPHER_CTX_new();
	/* Counter mode encrypts in both directions; GCM must know which way it goes. */
	ok = s->cipher && EVP_CipherInit_ex2(s->cipher, main_cipher, key, NULL, s->ccm || encrypt, NULL) == 1;
	if (ok && s->ccm) {
		s->mac = EVP_CIPHER_CTX_new();
		ok = s->mac && EVP_EncryptInit_ex2(s->mac, mac, key, NULL, NULL) == 1 &&
		     EVP_CIPHER_CTX_set_padding(s->mac, 0) == 1;
	}
	/*
	 * A counter alone would be unique for this sealer; the random start keeps two sealers of one key apart
	 * (the channels of a session share their keys).
	 */
	ok = ok && (!encrypt || RAND_bytes(s->nonce, (int)s->nonce_len) == 1);
	if (ok)
		return s;
	smb2_sealer_destroy(s);
	return NULL;
}

void smb2_sealer_destroy(struct smb2_sealer *sealer)
{
	if (!sealer)
		return;
	EVP_CIPHER_CTX_free(sealer->cipher);
	EVP_CIPHER_CTX_free(sealer->mac);
	OPENSSL_clear_free(sealer, sizeof(*sealer));
}

static bool total_size(const struct iovec *iov, size_t iovcnt, uint32_t *total)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > UINT32_MAX || (sum += iov[i].iov_len) > UINT32_MAX)
			return false;
	}
	*total = (uint32_t)sum;
	return sum > 0;
}

/* Runs bytes through a cipher context in place. */
static bool crypt_in_place(EVP_CIPHER_CTX *ctx, struct iovec *iov, size_t iovcnt)
{
	for (size_t i = 0; i < iovcnt; i++) {
		uint8_t *p = iov[i].iov_base;
		size_t len = iov[i].iov_len;

		while (len) {
			int n = len > CRYPTO_CHUNK ? CRYPTO_CHUNK : (int)len, out = 0;

			if (EVP_CipherUpdate(ctx, p, &out, p, n) != 1 || out != n)
				return false;
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool gcm_crypt(struct smb2_sealer *s, const uint8_t *hdr, struct iovec *iov, size_t iovcnt,
		      uint8_t tag[16])
{
	uint8_t rest[AES_BLOCK];
	int out = 0;

	if (EVP_CipherInit_ex2(s->cipher, NULL, NULL, hdr + AAD_OFFSET, s->encrypt, NULL) != 1 ||
	    EVP_CipherUpdate(s->cipher, NULL, &out, hdr + AAD_OFFSET, AAD_SIZE) != 1 ||
	    !crypt_in_place(s->cipher, iov, iovcnt))
		return false;
	if (s->encrypt)
		return EVP_EncryptFinal_ex(s->cipher, rest, &out) == 1 &&
		       EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, SMB2_SIGNATURE_SIZE, tag) == 1;
	return EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, SMB2_SIGNATURE_SIZE, tag) == 1 &&
	       EVP_DecryptFinal_ex(s->cipher, rest, &out) == 1; /* compares in constant time */
}

/* Feeds the CBC-MAC; *mac is the last whole block so far. */
static bool mac_feed(EVP_CIPHER_CTX *ctx, const uint8_t *p, size_t len, uint8_t mac[AES_BLOCK])
{
	uint8_t scratch[MAC_CHUNK + AES_BLOCK];

	while (len) {
		int n = len > MAC_CHUNK ? MAC_CHUNK : (int)len, out = 0;

		if (EVP_EncryptUpdate(ctx, scratch, &out, p, n) != 1)
			return false;
		if (out >= AES_BLOCK)
			memcpy(mac, scratch + out - AES_BLOCK, AES_BLOCK);
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* CBC-MAC of RFC 3610 over the authenticated data and the plain message. */
static bool ccm_mac(struct smb2_sealer *s, const uint8_t *hdr, const struct iovec *iov, size_t iovcnt,
		    uint32_t total, uint8_t mac[AES_BLOCK])
{
	static const uint8_t zero[AES_BLOCK];
	uint8_t b0[AES_BLOCK] = {0x40 | (SMB2_SIGNATURE_SIZE - 2) / 2 << 3 | (4 - 1)};
	uint8_t aad_len[2] = {0, AAD_SIZE};
	size_t pad = (AES_BLOCK - total % AES_BLOCK) % AES_BLOCK;

	memcpy(b0 + 1, hdr + AAD_OFFSET, CCM_NONCE);
	b0[12] = (uint8_t)(total >> 24);
	b0[13] = (uint8_t)(total >> 16);
	b0[14] = (uint8_t)(total >> 8);
	b0[15] = (uint8_t)total;
	if (EVP_EncryptInit_ex2(s->mac, NULL, NULL, zero, NULL) != 1 ||
	    !mac_feed(s->mac, b0, sizeof(b0), mac) || !mac_feed(s->mac, aad_len, sizeof(aad_len), mac) ||
	    !mac_feed(s->mac, hdr + AAD_OFFSET, AAD_SIZE, mac) ||
	    !mac_feed(s->mac, zero, AES_BLOCK - (sizeof(aad_len) + AAD_SIZE) % AES_BLOCK, mac))
		return false;
	for (size_t i = 0; i < iovcnt; i++) {
		if (!mac_feed(s->mac, iov[i].iov_base, iov[i].iov_len, mac))
			return false;
	}
	return mac_feed(s->mac, zero, pad, mac);
}

static bool ccm_crypt(struct smb2_sealer *s, const uint8_t *hdr, struct iovec *iov, size_t iovcnt,
		      uint32_t total, uint8_t tag[16])
{
	uint8_t counter[AES_BLOCK] = {4 - 1}, s0[AES_BLOCK] = {0}, mac[AES_BLOCK] = {0};
	struct iovec first = {s0, sizeof(s0)};
	uint8_t diff = 0;

	memcpy(counter + 1, hdr + AAD_OFFSET, CCM_NONCE);
	/* Block 0 of the key stream masks the MAC, the message follows from block 1. */
	if (EVP_EncryptInit_ex2(s->cipher, NULL, NULL, counter, NULL) != 1 ||
	    !crypt_in_place(s->cipher, &first, 1))
		return false;
	if (s->encrypt && !ccm_mac(s, hdr, iov, iovcnt, total, mac))
		return false;
	if (!crypt_in_place(s->cipher, iov, iovcnt))
		return false;
	if (!s->encrypt && !ccm_mac(s, hdr, iov, iovcnt, total, mac))
		return false;
	for (size_t i = 0; i < SMB2_SIGNATURE_SIZE; i++) {
		uint8_t t = mac[i] ^ s0[i];

		diff |= t ^ tag[i];
		if (s->encrypt)
			tag[i] = t;
	}
	return s->encrypt || diff == 0;
}

static bool crypt_message(struct smb2_sealer *s, const uint8_t *hdr, struct iovec *iov, size_t iovcnt,
			  uint32_t total, uint8_t tag[16])
{
	return s->ccm ? ccm_crypt(s, hdr, iov, iovcnt, total, tag) : gcm_crypt(s, hdr, iov, iovcnt, tag);
}

bool smb2_seal(struct smb2_sealer *sealer, uint64_t session_id, uint8_t transform[SMB2_TRANSFORM_HDR_SIZE],
	       struct iovec *iov, size_t iovcnt)
{
	struct smb2_transform_hdr hdr = {.flags = 0x0001, .session_id = session_id};
	uint8_t tag[SMB2_SIGNATURE_SIZE] = {0};

	if (!sealer->encrypt || !sealer->left || !total_size(iov, iovcnt, &hdr.original_size))
		return false;
	memcpy(hdr.nonce, sealer->nonce, sealer->nonce_len);
	sealer->left--;
	wire_set_le64(sealer->nonce, wire_le64(sealer->nonce) + 1);
	if (!smb2_transform_hdr_encode(transform, SMB2_TRANSFORM_HDR_SIZE, &hdr) ||
	    !crypt_message(sealer, transform, iov, iovcnt, hdr.original_size, tag))
		return false;
	memcpy(transform + 4, tag, sizeof(tag));
	return true;
}

bool smb2_open(struct smb2_sealer *sealer, const uint8_t transform[SMB2_TRANSFORM_HDR_SIZE],
	       struct iovec *iov, size_t iovcnt)
{
	struct smb2_transform_hdr hdr;
	uint8_t tag[SMB2_SIGNATURE_SIZE];
	uint32_t total;

	if (sealer->encrypt || !total_size(iov, iovcnt, &total) ||
	    !smb2_transform_hdr_decode(transform, SMB2_TRANSFORM_HDR_SIZE + (size_t)total, &hdr))
		return false;
	memcpy(tag, hdr.signature, sizeof(tag));
	return crypt_message(sealer, transform, iov, iovcnt, total, tag);
}
