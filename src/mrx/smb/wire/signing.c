/*
 * signing.c - signatures of SMB2 messages: HMAC-SHA256, AES-128-CMAC, AES-128-GMAC (MS-SMB2 3.1.4.1, 3.1.5.1).
 *
 * Owns:      the libcrypto contexts of a struct smb2_signer, keyed once at creation.
 * Locks:     none; one thread at a time uses a signer.
 * Dies when: smb2_signer_destroy(), which wipes the key.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "mrx/smb/wire/smb2_crypto.h"

enum { GMAC_NONCE_SIZE = 12, CRYPTO_CHUNK = 1 << 30, MAC_MAX = 32 };

struct smb2_signer {
	uint16_t algorithm;
	EVP_MAC_CTX *mac; /* HMAC, CMAC */
	EVP_CIPHER_CTX *gmac;
};

uint16_t smb2_signing_algorithm(uint16_t dialect, bool has_signing_id, uint16_t signing_id)
{
	if (dialect < SMB2_DIALECT_300)
		return SMB2_SIGN_HMAC_SHA256;
	if (dialect == SMB2_DIALECT_311 && has_signing_id)
		return signing_id;
	return SMB2_SIGN_AES_CMAC;
}

static bool init_mac(struct smb2_signer *s, const char *name, const char *param, char *value,
		     const uint8_t *key)
{
	OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(param, value, 0),
				OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, name, NULL);

	s->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac); /* the context holds its own reference */
	return s->mac && EVP_MAC_init(s->mac, key, SMB2_SESSION_KEY_SIZE, params) == 1;
}

static bool init_gmac(struct smb2_signer *s, const uint8_t *key)
{
	s->gmac = EVP_CIPHER_CTX_new();
	return s->gmac && EVP_EncryptInit_ex2(s->gmac, EVP_aes_128_gcm(), key, NULL, NULL) == 1;
}

struct smb2_signer *smb2_signer_create(uint16_t algorithm, const uint8_t key[SMB2_SESSION_KEY_SIZE])
{
	struct smb2_signer *s = OPENSSL_zalloc(sizeof(*s));
	char sha256[] = "SHA256", aes128[] = "AES-128-CBC";
	bool ok = false;

	if (!s)
		return NULL;
	s->algorithm = algorithm;
	switch (algorithm) {
	case SMB2_SIGN_HMAC_SHA256:
		ok = init_mac(s, "HMAC", OSSL_MAC_PARAM_DIGEST, sha256, key);
		break;
	case SMB2_SIGN_AES_CMAC:
		ok = init_mac(s, "CMAC", OSSL_MAC_PARAM_CIPHER, aes128, key);
		break;
	case SMB2_SIGN_AES_GMAC:
		ok = init_gmac(s, key);
		break;
	default:
		break;
	}
	if (ok)
		return s;
	smb2_signer_destroy(s);
	return NULL;
}

void smb2_signer_destroy(struct smb2_signer *signer)
{
	if (!signer)
		return;
	EVP_MAC_CTX_free(signer->mac);
	EVP_CIPHER_CTX_free(signer->gmac);
	OPENSSL_clear_free(signer, sizeof(*signer));
}

/* One run of the algorithm over successive pieces. */
static bool start(struct smb2_signer *s, const uint8_t *hdr)
{
	uint8_t nonce[GMAC_NONCE_SIZE];
	uint32_t flags = wire_le32(hdr + 16);

	if (s->mac)
		return EVP_MAC_init(s->mac, NULL, 0, NULL) == 1; /* same key, cached schedule */
	/* MessageId, then bit 0: sent by the server, bit 1: a CANCEL (which repeats a MessageId). */
	memcpy(nonce, hdr + 24, 8);
	wire_set_le32(nonce + 8, (flags & SMB2_FLAGS_SERVER_TO_REDIR ? 1u : 0u) |
					 (wire_le16(hdr + 12) == SMB2_CANCEL ? 2u : 0u));
	return EVP_EncryptInit_ex2(s->gmac, NULL, NULL, nonce, NULL) == 1;
}

static bool feed(struct smb2_signer *s, const uint8_t *p, size_t len)
{
	while (len) {
		size_t n = len > CRYPTO_CHUNK ? CRYPTO_CHUNK : len;
		int out = 0;

		if (s->mac ? EVP_MAC_update(s->mac, p, n) != 1
			   : EVP_EncryptUpdate(s->gmac, NULL, &out, p, (int)n) != 1)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool finish(struct smb2_signer *s, uint8_t signature[SMB2_SIGNATURE_SIZE])
{
	uint8_t mac[MAC_MAX];
	size_t mac_len = 0;
	int out = 0;

	if (!s->mac)
		return EVP_EncryptFinal_ex(s->gmac, mac, &out) == 1 &&
		       EVP_CIPHER_CTX_ctrl(s->gmac, EVP_CTRL_AEAD_GET_TAG, SMB2_SIGNATURE_SIZE, signature) ==
			       1;
	if (EVP_MAC_final(s->mac, mac, &mac_len, sizeof(mac)) != 1 || mac_len < SMB2_SIGNATURE_SIZE)
		return false;
	memcpy(signature, mac, SMB2_SIGNATURE_SIZE);
	return true;
}

/* The signature the message should carry: computed as if its signature field were zero. */
static bool compute(struct smb2_signer *s, const struct iovec *iov, size_t iovcnt,
		    uint8_t signature[SMB2_SIGNATURE_SIZE])
{
	uint8_t hdr[SMB2_HDR_SIZE];
	const uint8_t *first;

	if (!iovcnt || iov[0].iov_len < SMB2_HDR_SIZE)
		return false;
	first = iov[0].iov_base;
	memcpy(hdr, first, SMB2_HDR_SIZE);
	memset(hdr + SMB2_SIGNATURE_OFFSET, 0, SMB2_SIGNATURE_SIZE);
	if (!start(s, hdr) || !feed(s, hdr, SMB2_HDR_SIZE) ||
	    !feed(s, first + SMB2_HDR_SIZE, iov[0].iov_len - SMB2_HDR_SIZE))
		return false;
	for (size_t i = 1; i < iovcnt; i++) {
		if (!feed(s, iov[i].iov_base, iov[i].iov_len))
			return false;
	}
	return finish(s, signature);
}

bool smb2_sign(struct smb2_signer *signer, struct iovec *iov, size_t iovcnt)
{
	uint8_t signature[SMB2_SIGNATURE_SIZE];

	if (!compute(signer, iov, iovcnt, signature))
		return false;
	memcpy((uint8_t *)iov[0].iov_base + SMB2_SIGNATURE_OFFSET, signature, SMB2_SIGNATURE_SIZE);
	return true;
}

bool smb2_verify(struct smb2_signer *signer, const struct iovec *iov, size_t iovcnt)
{
	uint8_t signature[SMB2_SIGNATURE_SIZE];

	return compute(signer, iov, iovcnt, signature) &&
	       CRYPTO_memcmp(signature, (const uint8_t *)iov[0].iov_base + SMB2_SIGNATURE_OFFSET,
			     SMB2_SIGNATURE_SIZE) == 0;
}
