/*
 * ntlm_client.c - one NTLMv2 login (MS-NLMP 3.1.5.1, 3.3.2, 3.4).
 *
 * Owns:      nothing outside struct ntlm_client, which the caller holds.
 * Locks:     none; one thread at a time.
 * Dies when: ntlm_client_wipe(), which clears every key.  Intermediate keys live on the stack and are wiped
 *            before return, on every path.
 *
 *   NTLM_START --negotiate--> NTLM_NEGOTIATED --authenticate--> NTLM_DONE
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "mrx/smb/wire/ntlm.h"

enum { MESSAGE_NEGOTIATE = 1, NEGOTIATE_SIZE = 40, MIC_OFFSET = 72 };

static const uint32_t wanted_flags = NTLM_NEGOTIATE_UNICODE | NTLM_REQUEST_TARGET | NTLM_NEGOTIATE_SIGN |
				     NTLM_NEGOTIATE_NTLM | NTLM_NEGOTIATE_ALWAYS_SIGN |
				     NTLM_NEGOTIATE_EXTENDED_SESSIONSECURITY | NTLM_NEGOTIATE_TARGET_INFO |
				     NTLM_NEGOTIATE_128 | NTLM_NEGOTIATE_56 | NTLM_NEGOTIATE_KEY_EXCH;
static const uint32_t needed_flags =
	NTLM_NEGOTIATE_UNICODE | NTLM_NEGOTIATE_EXTENDED_SESSIONSECURITY | NTLM_NEGOTIATE_128;

bool ntlm_hmac_md5(const uint8_t *key, size_t key_len, const struct wire_slice *parts, size_t count,
		   uint8_t mac[16])
{
	char md5[] = "MD5";
	OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, md5, 0),
				OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	bool ok = ctx && EVP_MAC_init(ctx, key, key_len, params) == 1;
	size_t len = 0;

	for (size_t i = 0; ok && i < count; i++)
		ok = !parts[i].len || EVP_MAC_update(ctx, parts[i].p, parts[i].len) == 1;
	ok = ok && EVP_MAC_final(ctx, mac, &len, 16) == 1 && len == 16;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(hmac);
	return ok;
}

bool ntlm_md5(const struct wire_slice *parts, size_t count, uint8_t digest[16])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = !parts[i].len || EVP_DigestUpdate(ctx, parts[i].p, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

void ntlm_nt_hash(struct wire_slice password, uint8_t hash[16])
{
	ntlm_md4(password.p, password.len, hash);
}

bool ntlm_owf_v2(const uint8_t nt_hash[16], struct wire_slice user_upper, struct wire_slice domain,
		 uint8_t key[16])
{
	const struct wire_slice parts[2] = {user_upper, domain};

	return ntlm_hmac_md5(nt_hash, 16, parts, 2, key);
}

void ntlm_client_init(struct ntlm_client *c)
{
	memset(c, 0, sizeof(*c));
}

void ntlm_client_wipe(struct ntlm_client *c)
{
	OPENSSL_cleanse(c, sizeof(*c));
	c->state = NTLM_START;
}

size_t ntlm_client_negotiate(struct ntlm_client *c, uint8_t *buf, size_t cap)
{
	static const uint8_t head[12] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0, MESSAGE_NEGOTIATE, 0, 0, 0};
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_bytes(&w, head, sizeof(head));
	wire_put_u32(&w, wanted_flags);
	for (int field = 0; field < 2; field++) { /* domain and workstation: not supplied */
		wire_put_u32(&w, 0);
		wire_put_u32(&w, NEGOTIATE_SIZE);
	}
	wire_put_u64(&w, 0); /* Version */
	if (!w.ok)
		return 0;
	memcpy(c->negotiate, buf, w.pos);
	c->negotiate_len = w.pos;
	c->state = NTLM_NEGOTIATED;
	return w.pos;
}

static void put_av(struct wire_writer *w, uint16_t id, const void *value, size_t len)
{
	if (len > UINT16_MAX)
		w->ok = false;
	wire_put_u16(w, id);
	wire_put_u16(w, (uint16_t)len);
	wire_put_bytes(w, value, len);
}

/*
 * The AV pairs of our answer: the server's, and when it is modern enough to send its time, what 3.1.5.1.2 adds:
 * the promise of a MIC, no channel binding, and the name we believe we talk to.
 */
static void put_target_info(struct wire_writer *w, const struct ntlm_challenge *ch, struct wire_slice spn)
{
	static const uint8_t no_binding[16];
	struct wire_slice value;
	uint8_t flags[4] = {0};
	size_t offset = 0;
	uint16_t id;

	while (ntlm_av_next(ch->target_info, &offset, &id, &value) > 0) {
		if (ch->has_timestamp &&
		    (id == NTLM_AV_FLAGS || id == NTLM_AV_CHANNEL_BINDINGS || id == NTLM_AV_TARGET_NAME)) {
			if (id == NTLM_AV_FLAGS && value.len == sizeof(flags))
				memcpy(flags, value.p, sizeof(flags));
			continue;
		}
		put_av(w, id, value.p, value.len);
	}
	if (ch->has_timestamp) {
		wire_set_le32(flags, wire_le32(flags) | NTLM_AV_FLAG_MIC_PRESENT);
		put_av(w, NTLM_AV_FLAGS, flags, sizeof(flags));
		put_av(w, NTLM_AV_CHANNEL_BINDINGS, no_binding, sizeof(no_binding));
		put_av(w, NTLM_AV_TARGET_NAME, spn.p, spn.len);
	}
	put_av(w, NTLM_AV_EOL, NULL, 0);
}

/* NTLMv2_RESPONSE into w (3.3.2), and the session base key. */
static bool put_nt_response(struct wire_writer *w, const struct ntlm_client *c,
			    const struct ntlm_challenge *ch, const struct ntlm_credentials *cred,
			    uint64_t now, uint8_t base_key[16])
{
	uint8_t nt_hash[16], owf[16];
	uint8_t *proof = wire_room(w, 16);
	size_t temp = w->pos;
	struct wire_slice parts[2];
	bool ok;

	wire_put_u16(w, 0x0101); /* Responserversion, HiResponserversion */
	wire_put_zero(w, 6);
	wire_put_u64(w, ch->has_timestamp ? ch->timestamp : now);
	wire_put_bytes(w, c->client_challenge, sizeof(c->client_challenge));
	wire_put_zero(w, 4);
	put_target_info(w, ch, cred->target_spn);
	wire_put_zero(w, 4);
	if (!w->ok)
		return false;
	ntlm_nt_hash(cred->password, nt_hash);
	ok = ntlm_owf_v2(nt_hash, cred->user_upper, cred->domain, owf);
	parts[0] = (struct wire_slice){ch->server_challenge, sizeof(ch->server_challenge)};
	parts[1] = wire_slice_at(w->base, temp, w->pos - temp);
	ok = ok && ntlm_hmac_md5(owf, sizeof(owf), parts, 2, proof);
	parts[0] = (struct wire_slice){proof, 16};
	ok = ok && ntlm_hmac_md5(owf, sizeof(owf), parts, 1, base_key);
	OPENSSL_cleanse(nt_hash, sizeof(nt_hash));
	OPENSSL_cleanse(owf, sizeof(owf));
	return ok;
}

#define MAGIC(s) ((struct wire_slice){(const uint8_t *)(s), sizeof(s)}) /* with its NUL */

/* SIGNKEY and SEALKEY (3.4.5.2, 3.4.5.3) with extended session security and 128 bits. */
static bool derive_session_security(struct ntlm_client *c)
{
	struct wire_slice key = {c->session_key, sizeof(c->session_key)};
	struct wire_slice to_server_sign[2] = {
		key, MAGIC("session key to client-to-server signing key magic constant")};
	struct wire_slice to_client_sign[2] = {
		key, MAGIC("session key to server-to-client signing key magic constant")};
	struct wire_slice to_server_seal[2] = {
		key, MAGIC("session key to client-to-server sealing key magic constant")};
	struct wire_slice to_client_seal[2] = {
		key, MAGIC("session key to server-to-client sealing key magic constant")};
	uint8_t client_seal[16], server_seal[16];
	bool ok = ntlm_md5(to_server_sign, 2, c->client_sign_key) &&
		  ntlm_md5(to_client_sign, 2, c->server_sign_key) &&
		  ntlm_md5(to_server_seal, 2, client_seal) && ntlm_md5(to_client_seal, 2, server_seal);

	if (ok) {
		ntlm_rc4_init(&c->client_seal, client_seal, sizeof(client_seal));
		ntlm_rc4_init(&c->server_seal, server_seal, sizeof(server_seal));
	}
	c->client_seq = 0;
	c->server_seq = 0;
	OPENSSL_cleanse(client_seal, sizeof(client_seal));
	OPENSSL_cleanse(server_seal, sizeof(server_seal));
	return ok;
}

/* 3.1.5.1.2: the exported key is our own random one, sent under the key exchange key, if that was agreed. */
static bool exchange_keys(struct ntlm_client *c, const uint8_t base_key[16], uint8_t encrypted[NTLM_KEY_SIZE],
			  bool *sent)
{
	struct ntlm_rc4 rc4;

	*sent = c->flags & NTLM_NEGOTIATE_KEY_EXCH;
	if (*sent) {
		memcpy(c->session_key, c->exported_key, NTLM_KEY_SIZE);
		ntlm_rc4_init(&rc4, base_key, 16);
		ntlm_rc4_crypt(&rc4, c->session_key, encrypted, NTLM_KEY_SIZE);
		OPENSSL_cleanse(&rc4, sizeof(rc4));
	} else {
		memcpy(c->session_key, base_key, NTLM_KEY_SIZE);
	}
	return derive_session_security(c);
}

static bool challenge_is_acceptable(const struct ntlm_challenge *ch, bool anonymous)
{
	struct wire_slice name;

	if ((ch->flags & needed_flags) != needed_flags)
		return false;
	/* 3.1.5.1.2: a server that asks for integrity names itself and its domain. */
	return anonymous || (ntlm_av_find(ch->target_info, NTLM_AV_NB_COMPUTER_NAME, &name) &&
			     ntlm_av_find(ch->target_info, NTLM_AV_NB_DOMAIN_NAME, &name));
}

static bool sign_messages(struct ntlm_client *c, struct wire_slice challenge, uint8_t *msg, size_t len)
{
	struct wire_slice parts[3] = {{c->negotiate, c->negotiate_len}, challenge, {msg, len}};

	return ntlm_hmac_md5(c->session_key, NTLM_KEY_SIZE, parts, 3, msg + MIC_OFFSET);
}

static bool draw_random(struct ntlm_client *c)
{
	if (c->fixed_random)
		return true;
	return RAND_bytes(c->client_challenge, sizeof(c->client_challenge)) == 1 &&
	       RAND_bytes(c->exported_key, sizeof(c->exported_key)) == 1;
}

size_t ntlm_client_authenticate(struct ntlm_client *c, const uint8_t *challenge, size_t challenge_len,
				const struct ntlm_credentials *cred, uint64_t now, uint8_t *buf, size_t cap)
{
	uint8_t nt_response[NTLM_TARGET_INFO_MAX], base_key[16] = {0}, encrypted[NTLM_KEY_SIZE];
	static const uint8_t no_lm[24];
	struct wire_writer nt = wire_writer_init(nt_response, sizeof(nt_response));
	bool anonymous = !cred->user.len && !cred->password.len, sent = false;
	struct ntlm_authenticate auth = {0};
	struct ntlm_challenge ch;
	size_t len = 0;

	if (c->state != NTLM_NEGOTIATED || !ntlm_challenge_decode(challenge, challenge_len, &ch) ||
	    !challenge_is_acceptable(&ch, anonymous) || !draw_random(c))
		return 0;
	c->flags = ch.flags & wanted_flags;
	if (!anonymous && !put_nt_response(&nt, c, &ch, cred, now, base_key))
		goto out;
	if (!exchange_keys(c, base_key, encrypted, &sent))
		goto out;
	auth.flags = c->flags | (anonymous ? NTLM_NEGOTIATE_ANONYMOUS : 0);
	/* An anonymous login has one zero byte here (3.3.2); everybody else no LM response at all. */
	auth.lm_response = (struct wire_slice){no_lm, anonymous ? 1 : sizeof(no_lm)};
	auth.nt_response = wire_slice_at(nt_response, 0, nt.pos);
	auth.domain = cred->domain;
	auth.user = cred->user;
	auth.workstation = cred->workstation;
	auth.session_key = wire_slice_at(encrypted, 0, sent ? sizeof(encrypted) : 0);
	auth.has_mic = ch.has_timestamp && !anonymous;
	len = ntlm_authenticate_encode(buf, cap, &auth);
	if (len && auth.has_mic && !sign_messages(c, (struct wire_slice){challenge, challenge_len}, buf, len))
		len = 0;
	if (len)
		c->state = NTLM_DONE;
out:
	OPENSSL_cleanse(base_key, sizeof(base_key));
	OPENSSL_cleanse(nt_response, sizeof(nt_response));
	return len;
}

/* MAC() of 3.4.4.2 in one direction. */
static bool message_mac(const struct ntlm_client *c, const uint8_t key[16], struct ntlm_rc4 *seal,
			uint32_t *seq, const void *data, size_t len, uint8_t out[NTLM_SIGNATURE_SIZE])
{
	uint8_t number[4], mac[16];
	struct wire_slice parts[2] = {{number, sizeof(number)}, {data, len}};

	if (c->state != NTLM_DONE || !(c->flags & NTLM_NEGOTIATE_SIGN))
		return false;
	wire_set_le32(number, *seq);
	if (!ntlm_hmac_md5(key, 16, parts, 2, mac))
		return false;
	if (c->flags & NTLM_NEGOTIATE_KEY_EXCH)
		ntlm_rc4_crypt(seal, mac, mac, 8);
	wire_set_le32(out, 1);
	memcpy(out + 4, mac, 8);
	wire_set_le32(out + 12, *seq);
	++*seq;
	return true;
}

bool ntlm_client_sign(struct ntlm_client *c, const void *data, size_t len, uint8_t mic[NTLM_SIGNATURE_SIZE])
{
	return message_mac(c, c->client_sign_key, &c->client_seal, &c->client_seq, data, len, mic);
}

bool ntlm_client_verify(struct ntlm_client *c, const void *data, size_t len,
			const uint8_t mic[NTLM_SIGNATURE_SIZE])
{
	uint8_t expected[NTLM_SIGNATURE_SIZE];

	return message_mac(c, c->server_sign_key, &c->server_seal, &c->server_seq, data, len, expected) &&
	       CRYPTO_memcmp(expected, mic, sizeof(expected)) == 0;
}
