/*
 * ntlm.h - the NTLMv2 client of MS-NLMP (connection-oriented, with MIC and key exchange).
 *
 * One struct ntlm_client per login, used by one thread; ntlm_client_wipe() ends it and clears every secret.
 * Never NTLMv1, never LMv2: the LM response is 24 zero bytes, or absent for an anonymous login.
 * MD4 and RC4 are here because libcrypto's default provider has neither.
 */
#ifndef SMB_WIRE_NTLM_H
#define SMB_WIRE_NTLM_H

#include "bytes.h"

enum { NTLM_KEY_SIZE = 16, NTLM_SIGNATURE_SIZE = 16 };

/* ---- md4_rc4.c -------------------------------------------------------------------------------------- */

void ntlm_md4(const void *data, size_t len, uint8_t digest[16]);

struct ntlm_rc4 {
	uint8_t s[256];
	uint8_t i, j;
};

void ntlm_rc4_init(struct ntlm_rc4 *rc4, const uint8_t *key, size_t len);
/* In place allowed. */
void ntlm_rc4_crypt(struct ntlm_rc4 *rc4, const uint8_t *in, uint8_t *out, size_t len);

/* ---- ntlm_client.c: hashes -------------------------------------------------------------------------- */

bool ntlm_hmac_md5(const uint8_t *key, size_t key_len, const struct wire_slice *parts, size_t count,
		   uint8_t mac[16]);
bool ntlm_md5(const struct wire_slice *parts, size_t count, uint8_t digest[16]);
/* MD4 of the UTF-16LE password. */
void ntlm_nt_hash(struct wire_slice password, uint8_t hash[16]);
/*
 * NTOWFv2 (3.3.2): HMAC-MD5(nt_hash, upper(user) || domain).  user_upper is the user name already in upper
 * case: the caller knows Unicode, this file does not.
 */
bool ntlm_owf_v2(const uint8_t nt_hash[16], struct wire_slice user_upper, struct wire_slice domain,
		 uint8_t key[16]);

/* ---- ntlm_msg.c: messages --------------------------------------------------------------------------- */

#define NTLM_NEGOTIATE_UNICODE 0x00000001u
#define NTLM_NEGOTIATE_OEM 0x00000002u
#define NTLM_REQUEST_TARGET 0x00000004u
#define NTLM_NEGOTIATE_SIGN 0x00000010u
#define NTLM_NEGOTIATE_SEAL 0x00000020u
#define NTLM_NEGOTIATE_LM_KEY 0x00000080u
#define NTLM_NEGOTIATE_NTLM 0x00000200u
#define NTLM_NEGOTIATE_ANONYMOUS 0x00000800u
#define NTLM_NEGOTIATE_ALWAYS_SIGN 0x00008000u
#define NTLM_TARGET_TYPE_DOMAIN 0x00010000u
#define NTLM_TARGET_TYPE_SERVER 0x00020000u
#define NTLM_NEGOTIATE_EXTENDED_SESSIONSECURITY 0x00080000u
#define NTLM_NEGOTIATE_TARGET_INFO 0x00800000u
#define NTLM_NEGOTIATE_VERSION 0x02000000u
#define NTLM_NEGOTIATE_128 0x20000000u
#define NTLM_NEGOTIATE_KEY_EXCH 0x40000000u
#define NTLM_NEGOTIATE_56 0x80000000u

enum ntlm_av_id {
	NTLM_AV_EOL = 0,
	NTLM_AV_NB_COMPUTER_NAME = 1,
	NTLM_AV_NB_DOMAIN_NAME = 2,
	NTLM_AV_DNS_COMPUTER_NAME = 3,
	NTLM_AV_DNS_DOMAIN_NAME = 4,
	NTLM_AV_DNS_TREE_NAME = 5,
	NTLM_AV_FLAGS = 6,
	NTLM_AV_TIMESTAMP = 7,
	NTLM_AV_SINGLE_HOST = 8,
	NTLM_AV_TARGET_NAME = 9,
	NTLM_AV_CHANNEL_BINDINGS = 10,
};

#define NTLM_AV_FLAG_MIC_PRESENT 0x00000002u

/* Walks AV pairs; start with *offset = 0.  1: a pair; 0: NTLM_AV_EOL reached; -1: malformed or no EOL. */
int ntlm_av_next(struct wire_slice target_info, size_t *offset, uint16_t *id, struct wire_slice *value);
bool ntlm_av_find(struct wire_slice target_info, uint16_t id, struct wire_slice *value);

struct ntlm_challenge {
	uint32_t flags;
	uint8_t server_challenge[8];
	struct wire_slice target_name; /* UTF-16LE */
	struct wire_slice target_info; /* AV pairs, checked to be well-formed; empty when there are none */
	bool has_timestamp;
	uint64_t timestamp; /* 100 ns since 1601 */
};

bool ntlm_challenge_decode(const uint8_t *msg, size_t len, struct ntlm_challenge *out);
size_t ntlm_challenge_encode(uint8_t *buf, size_t cap, const struct ntlm_challenge *ch);

struct ntlm_authenticate {
	uint32_t flags;
	struct wire_slice lm_response;
	struct wire_slice nt_response;
	struct wire_slice domain;      /* UTF-16LE */
	struct wire_slice user;        /* UTF-16LE */
	struct wire_slice workstation; /* UTF-16LE */
	struct wire_slice session_key; /* encrypted, 16 bytes or empty */
	uint8_t version[8];            /* 2.2.2.10; zero without NTLM_NEGOTIATE_VERSION */
	bool has_mic;
	uint8_t mic[16];
};

/* has_mic on decoding: the fixed part leaves room for one; whether it counts is in the AV flags. */
bool ntlm_authenticate_decode(const uint8_t *msg, size_t len, struct ntlm_authenticate *out);
size_t ntlm_authenticate_encode(uint8_t *buf, size_t cap, const struct ntlm_authenticate *auth);

/* ---- ntlm_client.c: the login ----------------------------------------------------------------------- */

struct ntlm_credentials {
	struct wire_slice user;        /* UTF-16LE; empty together with the password: anonymous */
	struct wire_slice user_upper;  /* the same in upper case */
	struct wire_slice domain;      /* UTF-16LE, may be empty */
	struct wire_slice password;    /* UTF-16LE */
	struct wire_slice workstation; /* UTF-16LE, may be empty */
	struct wire_slice target_spn;  /* UTF-16LE "cifs/server" for MsvAvTargetName; may be empty */
};

enum ntlm_state { NTLM_START, NTLM_NEGOTIATED, NTLM_DONE };

enum { NTLM_NEGOTIATE_MAX = 40, NTLM_TARGET_INFO_MAX = 4096, NTLM_AUTHENTICATE_MAX = 16384 };

struct ntlm_client {
	enum ntlm_state state;
	uint32_t flags;                        /* agreed, after the challenge */
	uint8_t negotiate[NTLM_NEGOTIATE_MAX]; /* our first message, for the MIC */
	size_t negotiate_len;
	uint8_t session_key[NTLM_KEY_SIZE]; /* ExportedSessionKey, valid in NTLM_DONE */
	uint8_t client_sign_key[16];
	uint8_t server_sign_key[16];
	struct ntlm_rc4 client_seal;
	struct ntlm_rc4 server_seal;
	uint32_t client_seq;
	uint32_t server_seq;
	/* Set before ntlm_client_authenticate() by tests that need known answers; else drawn at random. */
	bool fixed_random;
	uint8_t client_challenge[8];
	uint8_t exported_key[NTLM_KEY_SIZE];
};

void ntlm_client_init(struct ntlm_client *c);
/* Clears all secrets; the struct may be initialised again. */
void ntlm_client_wipe(struct ntlm_client *c);

/* First message into buf; 0 when it does not fit.  Kept for the MIC. */
size_t ntlm_client_negotiate(struct ntlm_client *c, uint8_t *buf, size_t cap);

/*
 * Answers the server's challenge into buf (NTLM_AUTHENTICATE_MAX is always enough for names up to 256
 * characters).  now: 100 ns since 1601, used when the server sent no time.  0 when the challenge is malformed,
 * lacks what we insist on (Unicode, extended session security, 128 bits, the server's names) or the answer does
 * not fit.  Afterwards session_key holds the exported key.
 */
size_t ntlm_client_authenticate(struct ntlm_client *c, const uint8_t *challenge, size_t challenge_len,
				const struct ntlm_credentials *cred, uint64_t now, uint8_t *buf, size_t cap);

/*
 * GSS_GetMIC and GSS_VerifyMIC with the negotiated keys (3.4.4.2), for SPNEGO's mechListMIC.  Each use moves
 * its direction's sequence number on.
 */
bool ntlm_client_sign(struct ntlm_client *c, const void *data, size_t len, uint8_t mic[NTLM_SIGNATURE_SIZE]);
bool ntlm_client_verify(struct ntlm_client *c, const void *data, size_t len,
			const uint8_t mic[NTLM_SIGNATURE_SIZE]);

#endif
