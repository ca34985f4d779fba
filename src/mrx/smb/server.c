/*
 * server.c - servers, accounts and shares: what outlives a connection, and how the next one is made.
 *
 * Owns:      struct smb_server, smb_account, smb_share, and the newest connection, session and tree of each.
 * Locks:     smb_server.connecting across an attempt to connect; smb_server.lock, a leaf, for pointers and lists.
 * Dies when: server: its SRV_CALL, NET_ROOTs and shares are finalized.  Account: its last share.  Share: its V_NET_ROOT.
 *
 * An attempt that failed answers all who waited for it, and those who come within a second after it.
 */
#include "mrx/smb/smb.h"

#define SMB_TAG_SERVER 'vBmS'
#define SMB_TAG_ACCOUNT 'aBmS'
#define SMB_TAG_SHARE 'hBmS'
#define SMB_RETRY_AFTER SMB_SECOND

/* ---- servers ----------------------------------------------------------------------------------------- */

/* Splits `\server@port`. */
static NTSTATUS smb_server_parse(struct smb_server *server, const UNICODE_STRING *name)
{
	ULONG i = 0, end = name->Length / sizeof(WCHAR), at, bytes = 0, port = 0;

	while (i < end && name->Buffer[i] == '\\')
		i++;
	for (at = end; at > i && name->Buffer[at - 1] != '@'; at--)
		;
	server->port = SMB_DEFAULT_PORT;
	if (at > i) {
		ULONG digit;

		for (digit = at; digit < end; digit++) {
			if (name->Buffer[digit] < '0' || name->Buffer[digit] > '9' || port > 65535)
				return STATUS_OBJECT_NAME_INVALID;
			port = port * 10 + (ULONG)(name->Buffer[digit] - '0');
		}
		if (port == 0 || port > 65535)
			return STATUS_OBJECT_NAME_INVALID;
		server->port = (USHORT)port;
		end = at - 1;
	}
	if (end == i || RtlUnicodeToUTF8N(server->host, sizeof(server->host) - 1, &bytes, name->Buffer + i,
					  (end - i) * sizeof(WCHAR)) != STATUS_SUCCESS)
		return STATUS_BAD_NETWORK_PATH;
	server->host[bytes] = '\0';
	return STATUS_SUCCESS;
}

NTSTATUS smb_server_create(const UNICODE_STRING *name, const struct smb_options *options,
			   struct smb_server **out)
{
	struct smb_server *server = ExAllocatePoolZero(NonPagedPool, sizeof(*server), SMB_TAG_SERVER);
	NTSTATUS status;

	*out = NULL;
	if (server == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	server->refs = 1;
	server->options = *options;
	server->created = KeQueryInterruptTime();
	ExInitializeFastMutex(&server->connecting);
	KeInitializeSpinLock(&server->lock);
	InitializeListHead(&server->accounts);
	status = smb_server_parse(server, name);
	if (status != STATUS_SUCCESS) {
		ExFreePoolWithTag(server, SMB_TAG_SERVER);
		return status;
	}
	*out = server;
	return STATUS_SUCCESS;
}

void smb_server_get(struct smb_server *server)
{
	InterlockedIncrement(&server->refs);
}

void smb_server_put(struct smb_server *server)
{
	if (server == NULL || InterlockedDecrement(&server->refs) != 0)
		return;
	smb_conn_put(server->conn); /* accounts have gone with their shares, which refer to the server */
	ExFreePoolWithTag(server, SMB_TAG_SERVER);
}

/* The connection in use if it lives, referenced. */
static struct smb_conn *smb_server_conn(struct smb_server *server)
{
	struct smb_conn *conn;
	KIRQL irql;

	KeAcquireSpinLock(&server->lock, &irql);
	conn = server->conn;
	if (conn != NULL && smb_conn_is_dead(conn))
		conn = NULL;
	if (conn != NULL)
		smb_conn_get(conn);
	KeReleaseSpinLock(&server->lock, irql);
	return conn;
}

/* Makes it the connection in use; takes the reference. */
static void smb_server_set_conn(struct smb_server *server, struct smb_conn *conn)
{
	struct smb_conn *old;
	KIRQL irql;

	KeAcquireSpinLock(&server->lock, &irql);
	old = server->conn;
	server->conn = conn;
	KeReleaseSpinLock(&server->lock, irql);
	smb_conn_put(old);
}

/* A living connection, referenced. */
static NTSTATUS smb_server_connect_locked(struct smb_server *server, uint64_t deadline, struct smb_conn **out)
	RX_REQUIRES(server->connecting)
{
	uint64_t now = KeQueryInterruptTime();
	struct smb_conn *conn;
	NTSTATUS status;

	*out = smb_server_conn(server);
	if (*out != NULL)
		return STATUS_SUCCESS;
	if (now >= deadline)
		return STATUS_IO_TIMEOUT;
	status = smb_conn_connect(&mrx_smb.transport, server->host, server->port, deadline - now,
				  &server->options.conn, &conn);
	if (status != STATUS_SUCCESS)
		return status;
	status = smb_negotiate(conn, &server->options, mrx_smb.client_guid, deadline);
	if (status != STATUS_SUCCESS) {
		smb_conn_put(conn);
		return status;
	}
	smb_conn_get(conn);
	smb_server_set_conn(server, conn);
	*out = conn;
	return STATUS_SUCCESS;
}

/* Takes `connecting`, unless an attempt that ended meanwhile, or just now, has answered for this one: with @status. */
static bool smb_server_begin_attempt(struct smb_server *server, NTSTATUS *status)
	RX_TRY_ACQUIRES(true, server->connecting)
{
	uint64_t began = KeQueryInterruptTime();

	ExAcquireFastMutex(&server->connecting);
	if (server->failed_at == 0 || began > server->failed_at + SMB_RETRY_AFTER)
		return true;
	*status = server->failure;
	ExReleaseFastMutex(&server->connecting);
	return false;
}

/* A login or a share that was refused says nothing about others: only a server out of reach is remembered. */
static void smb_server_end_attempt(struct smb_server *server, NTSTATUS status) RX_RELEASES(server->connecting)
{
	struct smb_conn *conn = smb_server_conn(server);

	server->failed_at = status == STATUS_SUCCESS || conn != NULL ? 0 : KeQueryInterruptTime();
	server->failure = status;
	ExReleaseFastMutex(&server->connecting);
	smb_conn_put(conn);
}

NTSTATUS smb_server_connect(struct smb_server *server, uint64_t deadline)
{
	struct smb_conn *conn = NULL;
	NTSTATUS status;

	if (!smb_server_begin_attempt(server, &status))
		return status;
	status = smb_server_connect_locked(server, deadline, &conn);
	smb_server_end_attempt(server, status);
	smb_conn_put(conn);
	return status;
}

/* ---- accounts ---------------------------------------------------------------------------------------- */

static void smb_account_free(struct smb_account *account)
{
	ULONG bytes = account->credentials.user.Length + account->credentials.domain.Length +
		      account->credentials.password.Length;

	RtlSecureZeroMemory(account + 1, bytes);
	smb_session_put(account->session);
	ExFreePoolWithTag(account, SMB_TAG_ACCOUNT);
}

static UNICODE_STRING smb_place_string(uint8_t **at, const UNICODE_STRING *from)
{
	UNICODE_STRING s = {from->Length, from->Length, (PWCH)(void *)*at};

	if (from->Length != 0)
		RtlCopyMemory(*at, from->Buffer, from->Length);
	*at += from->Length;
	return s;
}

static struct smb_account *smb_account_allocate(const struct smb_credentials *c)
{
	size_t bytes = (size_t)c->user.Length + c->domain.Length + c->password.Length;
	struct smb_account *account =
		ExAllocatePoolZero(NonPagedPool, sizeof(*account) + bytes, SMB_TAG_ACCOUNT);
	uint8_t *at = (uint8_t *)(account + 1);

	if (account == NULL)
		return NULL;
	account->refs = 1;
	account->credentials.user = smb_place_string(&at, &c->user);
	account->credentials.domain = smb_place_string(&at, &c->domain);
	account->credentials.password = smb_place_string(&at, &c->password);
	return account;
}

static bool smb_credentials_equal(const struct smb_credentials *a, const struct smb_credentials *b)
{
	return RtlEqualUnicodeString(&a->user, &b->user, TRUE) &&
	       RtlEqualUnicodeString(&a->domain, &b->domain, TRUE) &&
	       RtlEqualUnicodeString(&a->password, &b->password, FALSE);
}

/* The account with these credentials, referenced: one session serves all its shares. */
static struct smb_account *smb_account_find_or_create(struct smb_server *server,
						      const struct smb_credentials *c)
{
	struct smb_account *fresh = smb_account_allocate(c), *found = NULL;
	PLIST_ENTRY at;
	KIRQL irql;

	if (fresh == NULL)
		return NULL;
	KeAcquireSpinLock(&server->lock, &irql);
	for (at = server->accounts.Flink; at != &server->accounts && found == NULL; at = at->Flink) {
		struct smb_account *account = CONTAINING_RECORD(at, struct smb_account, link);

		if (smb_credentials_equal(&account->credentials, c))
			found = account;
	}
	if (found != NULL)
		found->refs++;
	else
		InsertTailList(&server->accounts, &fresh->link);
	KeReleaseSpinLock(&server->lock, irql);
	if (found == NULL)
		return fresh;
	smb_account_free(fresh);
	return found;
}

static void smb_account_put(struct smb_server *server, struct smb_account *account)
{
	bool last;
	KIRQL irql;

	KeAcquireSpinLock(&server->lock, &irql);
	last = --account->refs == 0;
	if (last)
		RemoveEntryList(&account->link);
	KeReleaseSpinLock(&server->lock, irql);
	if (last)
		smb_account_free(account);
}

/* A session on that connection, referenced.  The caller holds `connecting`. */
static NTSTATUS smb_account_login_locked(struct smb_share *share, struct smb_conn *conn, uint64_t deadline,
					 struct smb_session **out)
{
	struct smb_account *account = share->account;
	struct smb_session *old = account->session; /* replaced only under `connecting` */
	NTSTATUS status;
	KIRQL irql;

	if (old == NULL || old->conn != conn) {
		struct smb_session *fresh;

		status = smb_session_login(conn, &share->options, &account->credentials, deadline, &fresh);
		if (status != STATUS_SUCCESS)
			return status;
		KeAcquireSpinLock(&share->server->lock, &irql);
		account->session = fresh;
		KeReleaseSpinLock(&share->server->lock, irql);
		smb_session_put(old);
	}
	smb_session_get(account->session);
	*out = account->session;
	return STATUS_SUCCESS;
}

/* ---- shares ------------------------------------------------------------------------------------------ */

NTSTATUS smb_share_create(struct smb_server *server, const UNICODE_STRING *name,
			  const struct smb_options *options, const struct smb_credentials *credentials,
			  struct smb_share **out)
{
	struct smb_share *share =
		ExAllocatePoolZero(NonPagedPool, sizeof(*share) + name->Length, SMB_TAG_SHARE);

	*out = NULL;
	if (share == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	share->account = smb_account_find_or_create(server, credentials);
	if (share->account == NULL) {
		ExFreePoolWithTag(share, SMB_TAG_SHARE);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	share->server = server;
	smb_server_get(server);
	share->options = *options;
	share->name.Buffer = (PWCH)(void *)(share + 1);
	share->name.Length = share->name.MaximumLength = name->Length;
	RtlCopyMemory(share->name.Buffer, name->Buffer, name->Length);
	*out = share;
	return STATUS_SUCCESS;
}

void smb_share_destroy(struct smb_share *share)
{
	smb_tree_put(share->tree);
	smb_account_put(share->server, share->account);
	smb_server_put(share->server);
	ExFreePoolWithTag(share, SMB_TAG_SHARE);
}

/* The tree in use if it lives, referenced. */
static struct smb_tree *smb_share_tree(struct smb_share *share)
{
	struct smb_tree *tree;
	KIRQL irql;

	KeAcquireSpinLock(&share->server->lock, &irql);
	tree = share->tree;
	if (tree != NULL && smb_tree_is_dead(tree))
		tree = NULL;
	if (tree != NULL)
		smb_tree_get(tree);
	KeReleaseSpinLock(&share->server->lock, irql);
	return tree;
}

static NTSTATUS smb_share_connect_locked(struct smb_share *share, uint64_t deadline, struct smb_tree **out)
	RX_REQUIRES(share->server->connecting)
{
	struct smb_session *session = NULL;
	struct smb_conn *conn = NULL;
	struct smb_tree *old, *fresh;
	NTSTATUS status;
	KIRQL irql;

	*out = smb_share_tree(share); /* somebody else may have done it meanwhile */
	if (*out != NULL)
		return STATUS_SUCCESS;
	status = smb_server_connect_locked(share->server, deadline, &conn);
	if (status == STATUS_SUCCESS)
		status = smb_account_login_locked(share, conn, deadline, &session);
	if (status == STATUS_SUCCESS)
		status = smb_tree_connect(session, &share->options, &share->name, deadline, &fresh);
	if (status == STATUS_SUCCESS) {
		smb_tree_get(fresh);
		KeAcquireSpinLock(&share->server->lock, &irql);
		old = share->tree;
		share->tree = fresh;
		KeReleaseSpinLock(&share->server->lock, irql);
		smb_tree_put(old);
		*out = fresh;
	}
	smb_session_put(session);
	smb_conn_put(conn);
	return status;
}

NTSTATUS smb_share_connect(struct smb_share *share, uint64_t deadline, struct smb_tree **out)
{
	NTSTATUS status;

	*out = smb_share_tree(share);
	if (*out != NULL)
		return STATUS_SUCCESS;
	if (!smb_server_begin_attempt(share->server, &status))
		return status;
	status = smb_share_connect_locked(share, deadline, out);
	smb_server_end_attempt(share->server, status);
	return status;
}
