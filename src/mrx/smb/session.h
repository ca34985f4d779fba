/*
 * session.h - from a stream to a connected share: negotiate, login, tree connect.
 *
 * All routines here run on a thread that may wait, each within the deadline it is given.
 */
#ifndef MRX_SMB_SESSION_H
#define MRX_SMB_SESSION_H

#include "mrx/smb/transport.h"

/* What the mount asked for ("rdr.Options"). */
struct smb_options {
	uint16_t min_dialect;
	uint16_t max_dialect;
	bool guest;     /* a guest or anonymous session will do */
	bool seal;      /* everything encrypted */
	bool sign;      /* a session that cannot sign will not do */
	uint32_t rsize; /* most bytes of one READ; 0: what the server allows */
	uint32_t wsize;
	struct smb_conn_options conn;
};

/* UTF-16, borrowed. */
struct smb_credentials {
	UNICODE_STRING user; /* empty: anonymous */
	UNICODE_STRING domain;
	UNICODE_STRING password;
};

enum { SMB_MAX_IO = 8 * 1024 * 1024 };

#define SMB_CONNECT_TIME (10 * SMB_SECOND) /* from the first packet to the connected share */

/* Agrees on a dialect.  deadline: interrupt time, 100 ns.  guid: SMB2_GUID_SIZE bytes that name this client. */
NTSTATUS smb_negotiate(struct smb_conn *conn, const struct smb_options *options, const uint8_t *guid,
		       uint64_t deadline);

/*
 * Logs in.  STATUS_LOGON_FAILURE and its relatives come from the server; STATUS_ACCESS_DENIED: the server made it a
 * guest session, or cannot encrypt, and that is not what was asked for.
 */
NTSTATUS smb_session_login(struct smb_conn *conn, const struct smb_options *options,
			   const struct smb_credentials *credentials, uint64_t deadline,
			   struct smb_session **out);

/* One connected share of one session; constant but for the count.  The last reference sends TREE_DISCONNECT. */
struct smb_tree {
	volatile LONG refs;
	struct smb_session *session; /* referenced */
	uint32_t id;
	uint8_t share_type; /* SMB2_SHARE_TYPE_... */
	uint32_t share_flags;
	uint32_t maximal_access;
	bool seal;
};

/* share: without backslashes.  Checks the negotiation (3.2.5.5) for dialects before 3.1.1. */
NTSTATUS smb_tree_connect(struct smb_session *session, const struct smb_options *options,
			  const UNICODE_STRING *share, uint64_t deadline, struct smb_tree **out);
void smb_tree_get(struct smb_tree *tree);
void smb_tree_put(struct smb_tree *tree); /* NULL allowed; never waits */

static inline bool smb_tree_is_dead(const struct smb_tree *tree)
{
	return smb_conn_is_dead(tree->session->conn);
}

/* An exchange on a share. */
static inline struct smb_exchange *smb_tree_exchange(struct smb_tree *tree)
{
	return smb_exchange_create(tree->session->conn, tree->session, tree->id, tree->seal);
}

#endif
