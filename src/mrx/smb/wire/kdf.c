/*
 * kdf.c - preauthentication hash chain and session keys (MS-SMB2 3.1.4.2, 3.2.5.2, 3.2.5.3).
 *
 * Owns nothing; intermediate keys are wiped before return.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "mrx/smb/wire/smb2_crypto.h"

enum { KDF_INPUT_MAX = 192, PRF_SIZE = 32 };

void smb2_preauth_init(struct smb2_preauth *p)
{
	memset(p->hash, 0, sizeof(p->hash));
}

bool smb2_preauth_updatev(struct smb2_preauth *p, const struct iovec *iov, size_t iovcnt)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha512(), NULL) == 1 &&
		  EVP_DigestUpdate(ctx, p->hash, sizeof(p->hash)) == 1;

	for (size_t i = 0; ok && i < iovcnt; i++)
		ok = EVP_DigestUpdate(ctx, iov[i].iov_base, iov[i].iov_len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, p->hash, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool smb2_preauth_update(struct smb2_preauth *p, const void *message, size_t len)
{
	struct iovec iov = {(void *)(uintptr_t)message, len};

	return smb2_preauth_updatev(p, &iov, 1);
}

static void put_be32(struct wire_writer *w, uint32_t v)
{
	wire_put_u8(w, (uint8_t)(v >> 24));
	wire_put_u8(w, (uint8_t)(v >> 16));
	wire_put_u8(w, (uint8_t)(v >> 8));
	wire_put_u8(w, (uint8_t)v);
}

bool smb2_kdf(const uint8_t *key, size_t key_len, const void *label, size_t label_len, const void *context,
	      size_t context_len, uint8_t *out, size_t out_len)
{
	uint8_t input[KDF_INPUT_MAX], prf[PRF_SIZE];
	struct wire_writer w = wire_writer_init(input, sizeof(input));
	unsigned int prf_len = 0;
	bool ok;

	/* One round of the counter yields 32 bytes: enough for every L we ask. */
	if (out_len > PRF_SIZE || key_len > INT32_MAX)
		return false;
	put_be32(&w, 1);
	wire_put_bytes(&w, label, label_len);
	wire_put_u8(&w, 0);
	wire_put_bytes(&w, context, context_len);
	put_be32(&w, (uint32_t)out_len * 8);
	ok = w.ok && HMAC(EVP_sha256(), key, (int)key_len, input, w.pos, prf, &prf_len) &&
	     prf_len == PRF_SIZE;
	if (ok)
		memcpy(out, prf, out_len);
	OPENSSL_cleanse(prf, sizeof(prf));
	return ok;
}

/* Label and context of one key before 3.1.1, and its 3.1.1 label; sizes count the terminating NUL. */
struct key_use {
	const char *label;
	size_t label_len;
	const char *context;
	size_t context_len;
	const char *label_311;
	size_t label_311_len;
};

#define KEY_USE(label, context, label_311) \
	{ \
		label, sizeof(label), context, sizeof(context), label_311, sizeof(label_311) \
	}

static const struct key_use signing_use = KEY_USE("SMB2AESCMAC", "SmbSign", "SMBSigningKey");
static const struct key_use application_use = KEY_USE("SMB2APP", "SmbRpc", "SMBAppKey");
static const struct key_use encryption_use = KEY_USE("SMB2AESCCM", "ServerIn ", "SMBC2SCipherKey");
static const struct key_use decryption_use = KEY_USE("SMB2AESCCM", "ServerOut", "SMBS2CCipherKey");

static bool derive(const struct key_use *use, const uint8_t *preauth_hash, const uint8_t *key, size_t key_len,
		   uint8_t *out, size_t out_len)
{
	if (preauth_hash)
		return smb2_kdf(key, key_len, use->label_311, use->label_311_len, preauth_hash,
				SMB2_PREAUTH_SIZE, out, out_len);
	return smb2_kdf(key, key_len, use->label, use->label_len, use->context, use->context_len, out,
			out_len);
}

bool smb2_derive_keys(uint16_t dialect, uint16_t cipher, const uint8_t session_key[SMB2_SESSION_KEY_SIZE],
		      const uint8_t *full_session_key, size_t full_session_key_len,
		      const uint8_t preauth_hash[SMB2_PREAUTH_SIZE], struct smb2_keys *out)
{
	const uint8_t *hash = dialect == SMB2_DIALECT_311 ? preauth_hash : NULL;
	bool wide = dialect == SMB2_DIALECT_311 &&
		    (cipher == SMB2_CIPHER_AES_256_CCM || cipher == SMB2_CIPHER_AES_256_GCM);
	const uint8_t *cipher_base = session_key;
	size_t cipher_base_len = SMB2_SESSION_KEY_SIZE;
	bool ok;

	memset(out, 0, sizeof(*out));
	if (dialect < SMB2_DIALECT_300) {
		memcpy(out->signing, session_key, SMB2_SESSION_KEY_SIZE);
		memcpy(out->application, session_key, SMB2_SESSION_KEY_SIZE);
		return true;
	}
	if (dialect == SMB2_DIALECT_311 && !hash)
		return false;
	if (wide && full_session_key) {
		cipher_base = full_session_key;
		cipher_base_len = full_session_key_len;
	}
	out->cipher_key_len = wide ? 32 : 16;
	ok = derive(&signing_use, hash, session_key, SMB2_SESSION_KEY_SIZE, out->signing,
		    sizeof(out->signing)) &&
	     derive(&application_use, hash, session_key, SMB2_SESSION_KEY_SIZE, out->application,
		    sizeof(out->application)) &&
	     derive(&encryption_use, hash, cipher_base, cipher_base_len, out->encryption,
		    out->cipher_key_len) &&
	     derive(&decryption_use, hash, cipher_base, cipher_base_len, out->decryption,
		    out->cipher_key_len);
	if (!ok)
		smb2_keys_wipe(out);
	return ok;
}

void smb2_keys_wipe(struct smb2_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

bool smb2_random(void *buf, size_t len)
{
	return len <= INT32_MAX && RAND_bytes(buf, (int)len) == 1;
}
