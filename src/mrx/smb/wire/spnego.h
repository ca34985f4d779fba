/*
 * spnego.h - the part of SPNEGO (RFC 4178, MS-SPNG) an SMB client needs: DER of NegTokenInit and
 * NegTokenResp, and a login that wraps NTLMSSP in it.
 *
 * The parser takes what servers send (unknown optional fields are skipped, NegTokenInit2's negHints ignored)
 * and refuses indefinite lengths, lengths over four bytes and anything that leaves its container.
 */
#ifndef SMB_WIRE_SPNEGO_H
#define SMB_WIRE_SPNEGO_H

#include "ntlm.h"

enum spnego_mech {
	SPNEGO_MECH_KRB5 = 1 << 0,    /* 1.2.840.113554.1.2.2 */
	SPNEGO_MECH_MS_KRB5 = 1 << 1, /* 1.2.840.48018.1.2.2 */
	SPNEGO_MECH_NTLMSSP = 1 << 2, /* 1.3.6.1.4.1.311.2.2.10 */
	SPNEGO_MECH_NEGOEX = 1 << 3,  /* 1.3.6.1.4.1.311.2.2.30 */
};

enum spnego_neg_state {
	SPNEGO_ACCEPT_COMPLETED = 0,
	SPNEGO_ACCEPT_INCOMPLETE = 1,
	SPNEGO_REJECT = 2,
	SPNEGO_REQUEST_MIC = 3,
};

/* ---- spnego.c --------------------------------------------------------------------------------------- */

struct spnego_init {
	unsigned int mechs;          /* set of enum spnego_mech found in mechTypes */
	unsigned int first_mech;     /* the first of them, 0: one we do not know */
	struct wire_slice mech_list; /* DER of the SEQUENCE OF OID: what mechListMIC covers */
	struct wire_slice token;     /* mechToken, may be empty */
	struct wire_slice mic;       /* mechListMIC, may be empty */
};

struct spnego_resp {
	bool has_state;
	enum spnego_neg_state state;
	unsigned int mech; /* supportedMech, 0: absent or unknown */
	bool has_mech;
	struct wire_slice token; /* responseToken, may be empty */
	struct wire_slice mic;   /* mechListMIC, may be empty */
};

bool spnego_init_decode(const uint8_t *buf, size_t len, struct spnego_init *out);
/* mechs in the order krb5, ms-krb5, NTLMSSP; with token for the first of them. */
size_t spnego_init_encode(uint8_t *buf, size_t cap, unsigned int mechs, struct wire_slice token);
/* The DER mech list that spnego_init_encode() writes for `mechs`. */
size_t spnego_mech_list_encode(uint8_t *buf, size_t cap, unsigned int mechs);
bool spnego_resp_decode(const uint8_t *buf, size_t len, struct spnego_resp *out);
size_t spnego_resp_encode(uint8_t *buf, size_t cap, const struct spnego_resp *resp);

/* ---- spnego_login.c --------------------------------------------------------------------------------- */

enum spnego_step {
	SPNEGO_STEP_CONTINUE, /* send the token, the server answers again */
	SPNEGO_STEP_DONE,     /* login complete on our side; send the token if it is not empty */
	SPNEGO_STEP_FAILED,   /* malformed, rejected, or a wrong mechListMIC */
};

enum { SPNEGO_TOKEN_MAX = NTLM_AUTHENTICATE_MAX + 256 };

/* One login by NTLMSSP: in SPNEGO, or bare when the server's hint offers no SPNEGO. */
struct spnego_login {
	struct ntlm_client ntlm;
	bool raw; /* NTLMSSP without SPNEGO */
	unsigned int round;
	uint8_t mech_list[64];
	size_t mech_list_len;
	bool authenticated; /* AUTHENTICATE has been sent */
	bool anonymous;
};

/*
 * hint: the token of the NEGOTIATE response, may be empty.  False when the server's list excludes NTLMSSP.
 * A hint that is not SPNEGO selects raw NTLMSSP.
 */
bool spnego_login_init(struct spnego_login *l, struct wire_slice hint);
void spnego_login_wipe(struct spnego_login *l);

/*
 * One step.  Begin with an empty `in`; then feed each token of the server: SESSION_SETUP with
 * STATUS_MORE_PROCESSING_REQUIRED asks for another round, STATUS_SUCCESS ends it with final = true (in may
 * then be empty: nothing to check).  Writes the token to send to buf and its length to *len.  When the server
 * made it a guest session, pass an empty final token: a server that does not know the password cannot have
 * computed a mechListMIC that means anything.
 */
enum spnego_step spnego_login_step(struct spnego_login *l, struct wire_slice in, bool final,
				   const struct ntlm_credentials *cred, uint64_t now, uint8_t *buf,
				   size_t cap, size_t *len);

/*
 * The exported session key (16 bytes) once authenticated.  An anonymous login (l->anonymous) and a session the
 * server marked guest or null share no secret: they must not sign, whatever key stands here.  Samba marks an
 * anonymous session with no flag at all.
 */
static inline const uint8_t *spnego_login_session_key(const struct spnego_login *l)
{
	return l->ntlm.session_key;
}

#endif
