/*
 * smb2_crypto.h - preauthentication hash, key derivation, signing and sealing (MS-SMB2 3.1.4, 3.2.5.3).
 *
 * libcrypto does AES, SHA-2 and HMAC.  Signers and sealers keep their cipher contexts keyed, so that a
 * message costs no allocation and no key schedule; each belongs to one thread at a time (the transport
 * thread of its connection has its own).  Keys are wiped when the object is destroyed.
 */
#ifndef SMB_WIRE_SMB2_CRYPTO_H
#define SMB_WIRE_SMB2_CRYPTO_H

#include <sys/uio.h>

#include "smb2_wire.h"

/* ---- kdf.c: the SHA-512 chain of 3.1.1 (3.1.4, 3.2.5.2, 3.2.5.3) -------------------------------- */

enum { SMB2_PREAUTH_SIZE = 64 };

struct smb2_preauth {
	uint8_t hash[SMB2_PREAUTH_SIZE];
};

/* All zero: the start of a connection's chain.  A session's chain starts as a copy of the connection's. */
void smb2_preauth_init(struct smb2_preauth *p);
/*
 * hash = SHA-512(hash || message), the message from its SMB2 header on, without the 4-byte transport prefix.
 * False only when libcrypto fails.
 */
bool smb2_preauth_update(struct smb2_preauth *p, const void *message, size_t len);
bool smb2_preauth_updatev(struct smb2_preauth *p, const struct iovec *iov, size_t iovcnt);

/* ---- kdf.c (3.1.4.2, 3.2.5.3.1) --------------------------------------------------------------------- */

enum { SMB2_SESSION_KEY_SIZE = 16, SMB2_MAX_CIPHER_KEY = 32 };

/* SP800-108 counter mode, HMAC-SHA256, r = 32; out_len 16 or 32. */
bool smb2_kdf(const uint8_t *key, size_t key_len, const void *label, size_t label_len, const void *context,
	      size_t context_len, uint8_t *out, size_t out_len);

struct smb2_keys {
	uint8_t signing[SMB2_SESSION_KEY_SIZE];
	uint8_t application[SMB2_SESSION_KEY_SIZE];
	uint8_t encryption[SMB2_MAX_CIPHER_KEY]; /* client to server */
	uint8_t decryption[SMB2_MAX_CIPHER_KEY]; /* server to client */
	uint8_t cipher_key_len;                  /* 16 or 32, bytes used of the two above */
};

/*
 * All keys of a session.  2.0.2 and 2.1 sign with the session key itself and cannot encrypt; 3.0 and 3.0.2
 * derive with fixed contexts; 3.1.1 with the session's final preauth hash, which other dialects ignore (NULL).
 * session_key: the first 16 bytes of what authentication exported, zero-padded (3.2.5.3.1);
 * full_session_key: all of it, for the 256-bit ciphers (NULL, 0: the same 16 bytes).
 */
bool smb2_derive_keys(uint16_t dialect, uint16_t cipher, const uint8_t session_key[SMB2_SESSION_KEY_SIZE],
		      const uint8_t *full_session_key, size_t full_session_key_len,
		      const uint8_t preauth_hash[SMB2_PREAUTH_SIZE], struct smb2_keys *out);
void smb2_keys_wipe(struct smb2_keys *keys);

/* ---- signing.c (3.1.4.1, 3.1.5.1) ------------------------------------------------------------------- */

struct smb2_signer; /* algorithm, key and cached contexts */

/* The algorithm a session signs with, from what was negotiated; signing_id counts for 3.1.1 only. */
uint16_t smb2_signing_algorithm(uint16_t dialect, bool has_signing_id, uint16_t signing_id);

/* NULL when the algorithm is unknown or libcrypto fails.  The key is copied. */
struct smb2_signer *smb2_signer_create(uint16_t algorithm, const uint8_t key[SMB2_SESSION_KEY_SIZE]);
void smb2_signer_destroy(struct smb2_signer *signer); /* NULL allowed */

/*
 * Signs one PDU (with its padding, when it is not the last of a compound) spread over iov.  The first iovec
 * holds at least the whole 64-byte header and is written: SMB2_FLAGS_SIGNED must already be set; the signature
 * field is zeroed and filled in.  GMAC takes MessageId, command and direction from the header.
 */
bool smb2_sign(struct smb2_signer *signer, struct iovec *iov, size_t iovcnt);

/*
 * Compares in constant time; changes nothing.  The first iovec holds at least the header.  False for a wrong
 * signature; the caller decides from SMB2_FLAGS_SIGNED and the session whether one is due (3.2.5.1.3).
 */
bool smb2_verify(struct smb2_signer *signer, const struct iovec *iov, size_t iovcnt);

/* ---- sealing.c (3.1.4.3, 3.2.5.1.1) ----------------------------------------------------------------- */

struct smb2_sealer; /* one direction of one session: cipher, key, cached context, nonce counter */

/* key: 16 or 32 bytes by the cipher.  encrypt: true to seal, false to open. */
struct smb2_sealer *smb2_sealer_create(uint16_t cipher, const uint8_t *key, size_t key_len, bool encrypt);
void smb2_sealer_destroy(struct smb2_sealer *sealer);

/*
 * Encrypts the message in place over iov and writes the 52-byte transform header.  Each call uses a new nonce;
 * false when the nonces are used up, the message is empty or above UINT32_MAX, or libcrypto fails (then the
 * message is garbage and must not be sent).
 */
bool smb2_seal(struct smb2_sealer *sealer, uint64_t session_id, uint8_t transform[SMB2_TRANSFORM_HDR_SIZE],
	       struct iovec *iov, size_t iovcnt);
/*
 * Decrypts in place what follows the transform header.  False when the header does not fit the message or the
 * authentication tag is wrong; then the bytes in iov must be thrown away.
 */
bool smb2_open(struct smb2_sealer *sealer, const uint8_t transform[SMB2_TRANSFORM_HDR_SIZE],
	       struct iovec *iov, size_t iovcnt);

/* Fills buf with random bytes from libcrypto; false when there are none. */
bool smb2_random(void *buf, size_t len);

#endif
