/*
 * spnego_login.c - a login by NTLMSSP, in SPNEGO or bare (MS-SMB2 3.2.4.2.3, RFC 4178 3, 5).
 *
 * Owns:      nothing outside struct spnego_login, which the caller holds.
 * Locks:     none; one thread at a time.
 * Dies when: spnego_login_wipe().
 *
 *   round 0: nothing        -> NegTokenInit(NEGOTIATE)
 *   round 1: CHALLENGE      -> NegTokenResp(AUTHENTICATE, mechListMIC)
 *   round 2: final answer   -> done, its mechListMIC checked when there is one
 */
#include <openssl/crypto.h>

#include "mrx/smb/wire/spnego.h"

bool spnego_login_init(struct spnego_login *l, struct wire_slice hint)
{
	struct spnego_init init;

	memset(l, 0, sizeof(*l));
	ntlm_client_init(&l->ntlm);
	l->mech_list_len = spnego_mech_list_encode(l->mech_list, sizeof(l->mech_list), SPNEGO_MECH_NTLMSSP);
	if (!hint.len)
		return true; /* the server leaves the choice to us (MS-SMB2 2.2.4) */
	if (!spnego_init_decode(hint.p, hint.len, &init)) {
		l->raw = true;
		return true;
	}
	return init.mechs & SPNEGO_MECH_NTLMSSP;
}

void spnego_login_wipe(struct spnego_login *l)
{
	ntlm_client_wipe(&l->ntlm);
	OPENSSL_cleanse(l, sizeof(*l));
}

static enum spnego_step begin(struct spnego_login *l, uint8_t *buf, size_t cap, size_t *len)
{
	uint8_t msg[NTLM_NEGOTIATE_MAX];
	size_t n = ntlm_client_negotiate(&l->ntlm, msg, sizeof(msg));

	if (l->raw) {
		if (n <= cap)
			memcpy(buf, msg, n);
		*len = n <= cap ? n : 0;
	} else {
		*len = spnego_init_encode(buf, cap, SPNEGO_MECH_NTLMSSP, wire_slice_at(msg, 0, n));
	}
	return *len ? SPNEGO_STEP_CONTINUE : SPNEGO_STEP_FAILED;
}

/* The server's NTLM message inside its SPNEGO answer; false when it rejects or picks what we did not offer. */
static bool unwrap(struct wire_slice in, struct spnego_resp *resp)
{
	if (!spnego_resp_decode(in.p, in.len, resp))
		return false;
	if (resp->has_state && resp->state == SPNEGO_REJECT)
		return false;
	return !resp->has_mech || resp->mech == SPNEGO_MECH_NTLMSSP;
}

static enum spnego_step authenticate(struct spnego_login *l, struct wire_slice in,
				     const struct ntlm_credentials *cred, uint64_t now, uint8_t *buf,
				     size_t cap, size_t *len)
{
	struct spnego_resp resp = {.token = in};
	struct spnego_resp answer = {.has_state = true, .state = SPNEGO_ACCEPT_INCOMPLETE};
	uint8_t msg[NTLM_AUTHENTICATE_MAX], mic[NTLM_SIGNATURE_SIZE];
	size_t n;

	if (!l->raw && !unwrap(in, &resp))
		return SPNEGO_STEP_FAILED;
	n = ntlm_client_authenticate(&l->ntlm, resp.token.p, resp.token.len, cred, now, l->raw ? buf : msg,
				     l->raw ? cap : sizeof(msg));
	if (!n)
		return SPNEGO_STEP_FAILED;
	l->authenticated = true;
	l->anonymous = !cred->user.len && !cred->password.len;
	if (l->raw) {
		*len = n;
		return SPNEGO_STEP_CONTINUE;
	}
	answer.token = wire_slice_at(msg, 0, n);
	/* An anonymous login shares no secret that could sign the list. */
	if (!l->anonymous && ntlm_client_sign(&l->ntlm, l->mech_list, l->mech_list_len, mic))
		answer.mic = wire_slice_at(mic, 0, sizeof(mic));
	*len = spnego_resp_encode(buf, cap, &answer);
	OPENSSL_cleanse(msg, sizeof(msg));
	return *len ? SPNEGO_STEP_CONTINUE : SPNEGO_STEP_FAILED;
}

static enum spnego_step finish(struct spnego_login *l, struct wire_slice in)
{
	struct spnego_resp resp;

	if (!l->authenticated)
		return SPNEGO_STEP_FAILED; /* a success that nobody asked to prove anything */
	if (l->raw || !in.len)
		return SPNEGO_STEP_DONE;
	if (!unwrap(in, &resp) || resp.token.len)
		return SPNEGO_STEP_FAILED;
	if (!resp.mic.len || l->anonymous)
		return SPNEGO_STEP_DONE;
	if (resp.mic.len != NTLM_SIGNATURE_SIZE ||
	    !ntlm_client_verify(&l->ntlm, l->mech_list, l->mech_list_len, resp.mic.p))
		return SPNEGO_STEP_FAILED;
	return SPNEGO_STEP_DONE;
}

enum spnego_step spnego_login_step(struct spnego_login *l, struct wire_slice in, bool final,
				   const struct ntlm_credentials *cred, uint64_t now, uint8_t *buf,
				   size_t cap, size_t *len)
{
	unsigned int round = l->round++;

	*len = 0;
	if (final)
		return finish(l, in);
	if (round == 0)
		return begin(l, buf, cap, len);
	if (round == 1)
		return authenticate(l, in, cred, now, buf, cap, len);
	return SPNEGO_STEP_FAILED;
}
