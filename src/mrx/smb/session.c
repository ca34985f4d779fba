/*
 * session.c - login and logoff.
 *
 * Owns:      struct smb_session, and every secret between the password and the derived keys, which are wiped as soon
 *            as the keys are in their signers and sealers.
 * Locks:     smb_conn.session_lock, a leaf, for the sessions of a connection; one thread logs in, afterwards the session
 *            is constant.
 * Dies when: the last reference is dropped: LOGOFF goes out without anybody waiting, then the memory goes.
 * Page:      MS-SMB2 3.2.4.2.3, 3.2.5.3.
 */
#include "mrx/smb/session.h"

#include "mrx/smb/wire/spnego.h"

#define SMB_TAG_SESSION 'sBmS'
#define SMB_TAG_TOKEN 'tBmS'
#define SMB_MAX_ROUNDS 8

/* ---- life -------------------------------------------------------------------------------------------- */

void smb_session_get(struct smb_session *session)
{
	InterlockedIncrement(&session->refs);
}

/* Unless the last reference is gone. */
static bool smb_session_try_get(struct smb_session *session)
{
	LONG refs = InterlockedCompareExchange(&session->refs, 0, 0), before;

	for (; refs > 0; refs = before) {
		before = InterlockedCompareExchange(&session->refs, refs + 1, refs);
		if (before == refs)
			return true;
	}
	return false;
}

bool smb_session_find(struct smb_conn *conn, uint64_t id, struct smb_session **out)
{
	bool found = false;
	KIRQL irql;

	*out = NULL;
	KeAcquireSpinLock(&conn->session_lock, &irql);
	for (PLIST_ENTRY at = conn->sessions.Flink; at != &conn->sessions && !found; at = at->Flink) {
		struct smb_session *session = CONTAINING_RECORD(at, struct smb_session, conn_link);

		found = session->id == id;
		if (found && smb_session_try_get(session))
			*out = session;
	}
	KeReleaseSpinLock(&conn->session_lock, irql);
	return found;
}

/* It has its keys. */
static void smb_session_enlist(struct smb_session *session)
{
	KIRQL irql;

	KeAcquireSpinLock(&session->conn->session_lock, &irql);
	InsertTailList(&session->conn->sessions, &session->conn_link);
	KeReleaseSpinLock(&session->conn->session_lock, irql);
}

static void smb_session_free(struct smb_session *session)
{
	KIRQL irql;

	KeAcquireSpinLock(&session->conn->session_lock, &irql);
	RemoveEntryList(&session->conn_link);
	KeReleaseSpinLock(&session->conn->session_lock, irql);
	smb2_signer_destroy(session->signer);
	smb2_sealer_destroy(session->sealer);
	smb2_sealer_destroy(session->opener);
	smb_conn_put(session->conn);
	ExFreePoolWithTag(session, SMB_TAG_SESSION);
}

/* The exchange of the LOGOFF refers to the session until the server has answered. */
static bool smb_session_logoff(struct smb_session *session)
{
	struct smb_exchange *x;

	if (session->ending || session->id == 0 || smb_conn_is_dead(session->conn))
		return false;
	session->ending = true;
	x = smb_exchange_create(session->conn, session, 0, false);
	if (x == NULL)
		return false;
	if (smb_exchange_add(x, SMB2_LOGOFF, SMB2_HDR_SIZE + 4, 0) == NULL) {
		smb_exchange_put(x);
		return true;
	}
	x->part[0].len = smb2_empty_encode(x->part[0].bytes, x->part[0].cap);
	smb_exchange_forget(x);
	return true;
}

void smb_session_put(struct smb_session *session)
{
	if (session == NULL || InterlockedDecrement(&session->refs) != 0)
		return;
	if (!smb_session_logoff(session))
		smb_session_free(session);
}

/* ---- login ------------------------------------------------------------------------------------------- */

struct smb_login {
	struct smb_conn *conn;
	const struct smb_options *options;
	struct spnego_login spnego;
	struct ntlm_credentials ntlm;
	UNICODE_STRING user_upper;
	WCHAR spn[300];
	struct smb2_preauth preauth;
	struct smb_session *session;
	uint64_t deadline;
	uint8_t token[SPNEGO_TOKEN_MAX];
	size_t token_len;
	struct smb_exchange *last; /* the final exchange, whose answer proves the server */
};

static struct wire_slice slice_of(const UNICODE_STRING *s)
{
	struct wire_slice slice = {(const uint8_t *)s->Buffer, s->Length};

	return slice;
}

static NTSTATUS smb_login_names(struct smb_login *l, const struct smb_credentials *c)
{
	static const char service[] = "cifs/";
	ULONG bytes = 0;
	size_t i;

	l->ntlm.user = slice_of(&c->user);
	l->ntlm.domain = slice_of(&c->domain);
	l->ntlm.password = slice_of(&c->password);
	if (c->user.Length != 0) {
		NTSTATUS status = RtlUpcaseUnicodeString(&l->user_upper, &c->user, TRUE);

		if (!NT_SUCCESS(status))
			return status;
		l->ntlm.user_upper = slice_of(&l->user_upper);
	}
	for (i = 0; i < sizeof(service) - 1; i++)
		l->spn[i] = (WCHAR)service[i];
	(void)RtlUTF8ToUnicodeN(
		l->spn + i, sizeof(l->spn) - (ULONG)(i * sizeof(WCHAR)), &bytes, l->conn->host,
		(ULONG)strlen(l->conn->host)); /* a replaced character only makes the name useless */
	l->ntlm.target_spn.p = (const uint8_t *)l->spn;
	l->ntlm.target_spn.len = i * sizeof(WCHAR) + bytes;
	return STATUS_SUCCESS;
}

/* One SESSION_SETUP.  *x is the caller's, whatever the status. */
static NTSTATUS smb_login_send(struct smb_login *l, struct smb_exchange **out)
{
	struct smb2_session_setup_request req = {
		.security_mode = (uint8_t)l->conn->neg.offered_security_mode,
		.token = wire_slice_at(l->token, 0, l->token_len),
	};
	struct smb_exchange *x = smb_exchange_create(l->conn, NULL, 0, false);
	struct smb_part *part;
	NTSTATUS status;

	*out = x;
	part = x == NULL ? NULL : smb_exchange_add(x, SMB2_SESSION_SETUP, l->token_len + 256, 0);
	if (part == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	part->len = smb2_session_setup_request_encode(part->bytes, part->cap, &req);
	x->session_id = l->session->id;
	x->deadline = l->deadline;
	status = smb_exchange_run(x);
	if (x->status != STATUS_SUCCESS)
		return x->status;
	if (!smb2_preauth_update(&l->preauth, part->bytes, part->len))
		return STATUS_ENCRYPTION_FAILED;
	if (status == STATUS_MORE_PROCESSING_REQUIRED &&
	    !smb2_preauth_update(&l->preauth, part->pdu.base, part->pdu.len))
		return STATUS_ENCRYPTION_FAILED;
	return status;
}

static enum spnego_step smb_login_step(struct smb_login *l, struct wire_slice in, bool final)
{
	LARGE_INTEGER now;

	KeQuerySystemTime(&now);
	return spnego_login_step(&l->spnego, in, final, &l->ntlm, (uint64_t)now.QuadPart, l->token,
				 sizeof(l->token), &l->token_len);
}

static NTSTATUS smb_login_rounds(struct smb_login *l)
{
	struct smb2_session_setup_response rsp;
	struct wire_slice in = {NULL, 0};
	struct smb_exchange *x = NULL;
	unsigned int round;
	NTSTATUS status;

	for (round = 0; round < SMB_MAX_ROUNDS; round++) {
		enum spnego_step step = smb_login_step(l, in, false);

		smb_exchange_put(x);
		x = NULL;
		if (step == SPNEGO_STEP_FAILED)
			return STATUS_INVALID_NETWORK_RESPONSE;
		status = smb_login_send(l, &x);
		if (status != STATUS_SUCCESS && status != STATUS_MORE_PROCESSING_REQUIRED)
			break;
		if (!smb2_session_setup_response_decode(&x->part[0].pdu, &rsp)) {
			status = STATUS_INVALID_NETWORK_RESPONSE;
			break;
		}
		if (l->session->id == 0)
			l->session->id = x->part[0].pdu.hdr.session_id;
		if (status == STATUS_SUCCESS) {
			l->session->flags = rsp.session_flags;
			l->last = x;
			return STATUS_SUCCESS;
		}
		in = rsp.token;
		status = STATUS_INVALID_NETWORK_RESPONSE; /* should the rounds not end */
	}
	smb_exchange_put(x);
	return status;
}

static NTSTATUS smb_login_sealers(struct smb_login *l, const struct smb2_keys *keys)
{
	struct smb_session *session = l->session;
	uint16_t cipher = l->conn->neg.cipher;

	if (cipher == SMB2_CIPHER_NONE)
		return STATUS_SUCCESS;
	session->sealer = smb2_sealer_create(cipher, keys->encryption, keys->cipher_key_len, true);
	session->opener = smb2_sealer_create(cipher, keys->decryption, keys->cipher_key_len, false);
	return session->sealer != NULL && session->opener != NULL ? STATUS_SUCCESS : STATUS_ENCRYPTION_FAILED;
}

static NTSTATUS smb_login_keys(struct smb_login *l)
{
	const struct smb_negotiated *neg = &l->conn->neg;
	struct smb2_keys keys;
	NTSTATUS status = STATUS_ENCRYPTION_FAILED;

	RtlZeroMemory(&keys, sizeof(keys));
	if (smb2_derive_keys(neg->dialect, neg->cipher, spnego_login_session_key(&l->spnego), NULL, 0,
			     l->preauth.hash, &keys)) {
		l->session->signer = smb2_signer_create(neg->signing, keys.signing);
		if (l->session->signer != NULL)
			status = smb_login_sealers(l, &keys);
	}
	smb2_keys_wipe(&keys);
	return status;
}

/* The server's last answer shows that it knows the password: by its signature, and by SPNEGO's checksum. */
static NTSTATUS smb_login_check_server(struct smb_login *l)
{
	struct smb_part *part = &l->last->part[0];
	bool is_signed = (part->pdu.hdr.flags & SMB2_FLAGS_SIGNED) != 0;
	struct smb2_session_setup_response rsp;
	struct iovec iov = {(void *)(uintptr_t)part->pdu.base, part->pdu.len};

	if (!is_signed && (l->conn->neg.dialect == SMB2_DIALECT_311 || l->options->sign))
		return STATUS_INVALID_SIGNATURE;
	if (is_signed && !smb2_verify(l->session->signer, &iov, 1))
		return STATUS_INVALID_SIGNATURE;
	if (!smb2_session_setup_response_decode(&part->pdu, &rsp) ||
	    smb_login_step(l, rsp.token, true) == SPNEGO_STEP_FAILED)
		return STATUS_INVALID_NETWORK_RESPONSE;
	return STATUS_SUCCESS;
}

/* A session of nobody: without a key, so without proof of anything. */
static NTSTATUS smb_login_as_guest(struct smb_login *l)
{
	if (l->ntlm.user.len != 0 && !l->options->guest)
		return STATUS_LOGON_FAILURE; /* the server does not know the user and let a guest in */
	if (l->options->sign || (l->conn->neg.security_mode & SMB2_NEGOTIATE_SIGNING_REQUIRED))
		return STATUS_ACCESS_DENIED;
	if (l->options->seal || (l->session->flags & SMB2_SESSION_FLAG_ENCRYPT_DATA))
		return STATUS_ACCESS_DENIED;
	return STATUS_SUCCESS;
}

static NTSTATUS smb_login_finish(struct smb_login *l)
{
	struct smb_session *session = l->session;
	NTSTATUS status;

	/* some servers do not mark the session of a login without a name */
	if (l->spnego.anonymous ||
	    (session->flags & (SMB2_SESSION_FLAG_IS_GUEST | SMB2_SESSION_FLAG_IS_NULL)))
		return smb_login_as_guest(l);
	if (!l->spnego.authenticated)
		return STATUS_INVALID_NETWORK_RESPONSE;
	status = smb_login_keys(l);
	if (status == STATUS_SUCCESS)
		status = smb_login_check_server(l);
	if (status != STATUS_SUCCESS)
		return status;
	session->seal = l->options->seal || (session->flags & SMB2_SESSION_FLAG_ENCRYPT_DATA) != 0;
	if (session->seal && session->sealer == NULL)
		return STATUS_ACCESS_DENIED;
	return STATUS_SUCCESS;
}

static NTSTATUS smb_login_run(struct smb_login *l, const struct smb_credentials *credentials)
{
	NTSTATUS status = smb_login_names(l, credentials);

	if (!NT_SUCCESS(status))
		return status;
	if (!spnego_login_init(&l->spnego, wire_slice_at(l->conn->neg.token, 0, l->conn->neg.token_len)))
		return STATUS_NOT_SUPPORTED;
	status = smb_login_rounds(l);
	if (status == STATUS_SUCCESS)
		status = smb_login_finish(l);
	return status;
}

NTSTATUS smb_session_login(struct smb_conn *conn, const struct smb_options *options,
			   const struct smb_credentials *credentials, uint64_t deadline,
			   struct smb_session **out)
{
	struct smb_login *l = ExAllocatePoolZero(NonPagedPool, sizeof(*l), SMB_TAG_TOKEN);
	struct smb_session *session = ExAllocatePoolZero(NonPagedPool, sizeof(*session), SMB_TAG_SESSION);
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	*out = NULL;
	if (session != NULL) {
		session->refs = 1;
		session->conn = conn;
		InitializeListHead(&session->conn_link);
		smb_conn_get(conn);
	}
	if (session != NULL && l != NULL) {
		l->conn = conn;
		l->options = options;
		l->session = session;
		l->deadline = deadline;
		l->preauth = conn->neg.preauth;
		status = smb_login_run(l, credentials);
	}
	if (l != NULL) {
		smb_exchange_put(l->last);
		spnego_login_wipe(&l->spnego);
		if (l->user_upper.Buffer != NULL)
			RtlFreeUnicodeString(&l->user_upper);
		RtlSecureZeroMemory(l, sizeof(*l));
		ExFreePoolWithTag(l, SMB_TAG_TOKEN);
	}
	if (status == STATUS_SUCCESS) {
		smb_session_enlist(session);
		*out = session;
		return STATUS_SUCCESS;
	}
	if (session != NULL) {
		session->ending = true; /* a LOGOFF of half a session has no key to be signed with */
		smb_session_put(session);
	}
	return status;
}
