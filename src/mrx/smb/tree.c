/*
 * tree.c - connecting a share, and letting go of it.
 *
 * Owns:      struct smb_tree.
 * Locks:     none; constant after smb_tree_connect().
 * Dies when: the last reference is dropped: TREE_DISCONNECT goes out without anybody waiting.
 * Page:      MS-SMB2 3.2.4.2.4, 3.2.5.5.
 */
#include "mrx/smb/session.h"

#define SMB_TAG_TREE 'eBmS'

void smb_tree_get(struct smb_tree *tree)
{
	InterlockedIncrement(&tree->refs);
}

static void smb_tree_disconnect(struct smb_tree *tree)
{
	struct smb_exchange *x;

	if (smb_tree_is_dead(tree))
		return;
	x = smb_tree_exchange(tree);
	if (x == NULL)
		return; /* LOGOFF ends the tree as well */
	if (smb_exchange_add(x, SMB2_TREE_DISCONNECT, SMB2_HDR_SIZE + 4, 0) == NULL) {
		smb_exchange_put(x);
		return;
	}
	x->part[0].len = smb2_empty_encode(x->part[0].bytes, x->part[0].cap);
	smb_exchange_forget(x);
}

void smb_tree_put(struct smb_tree *tree)
{
	if (tree == NULL || InterlockedDecrement(&tree->refs) != 0)
		return;
	smb_tree_disconnect(tree);
	smb_session_put(tree->session);
	ExFreePoolWithTag(tree, SMB_TAG_TREE);
}

/* ---- was the negotiation what both sides saw? -------------------------------------------------------- */

static NTSTATUS smb_validate_answer(const struct smb_negotiated *neg, const struct smb_part *part)
{
	struct smb2_validate_negotiate_response v;
	struct smb2_ioctl_response rsp;

	if (!smb2_ioctl_response_decode(&part->pdu, &rsp) ||
	    !smb2_validate_negotiate_response_decode(rsp.output, &v))
		return STATUS_INVALID_NETWORK_RESPONSE;
	if (v.dialect != neg->dialect || v.capabilities != neg->capabilities ||
	    v.security_mode != neg->security_mode ||
	    !RtlEqualMemory(v.guid, neg->server_guid, SMB2_GUID_SIZE))
		return STATUS_ACCESS_DENIED; /* somebody in between has changed it */
	return STATUS_SUCCESS;
}

/* A signed "I do not know that" of an old server is an honest answer. */
static bool smb_validate_is_refused_by_old(const struct smb_negotiated *neg, NTSTATUS status)
{
	return neg->dialect < SMB2_DIALECT_300 &&
	       (status == STATUS_INVALID_DEVICE_REQUEST || status == STATUS_NOT_SUPPORTED ||
		status == STATUS_FILE_CLOSED || status == STATUS_FS_DRIVER_REQUIRED);
}

static NTSTATUS smb_validate_negotiate(struct smb_tree *tree, uint64_t deadline)
{
	const struct smb_negotiated *neg = &tree->session->conn->neg;
	struct smb2_validate_negotiate_request v = {
		.capabilities = neg->offered_capabilities,
		.security_mode = neg->offered_security_mode,
		.dialect_count = neg->offered_count,
	};
	struct smb2_ioctl_request req = {
		.ctl_code = SMB2_FSCTL_VALIDATE_NEGOTIATE_INFO,
		.file_id = SMB2_FILE_ID_RELATED,
		.max_output_response = 24,
		.flags = SMB2_0_IOCTL_IS_FSCTL,
	};
	uint8_t input[128];
	struct smb_exchange *x = smb_tree_exchange(tree);
	struct smb_part *part = x == NULL ? NULL : smb_exchange_add(x, SMB2_IOCTL, 512, 0);
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	if (part != NULL) {
		if (neg->offered[neg->offered_count - 1] >= SMB2_DIALECT_210)
			RtlCopyMemory(v.guid, neg->client_guid, SMB2_GUID_SIZE);
		RtlCopyMemory(v.dialects, neg->offered, sizeof(v.dialects));
		req.input = wire_slice_at(input, 0,
					  smb2_validate_negotiate_request_encode(input, sizeof(input), &v));
		part->len = smb2_ioctl_request_encode(part->bytes, part->cap, &req);
		x->deadline = deadline;
		status = smb_exchange_run(x);
		if (status == STATUS_SUCCESS)
			status = smb_validate_answer(neg, part);
		else if (smb_validate_is_refused_by_old(neg, status))
			status = STATUS_SUCCESS;
	}
	smb_exchange_put(x);
	return status;
}

/* ---- connect ----------------------------------------------------------------------------------------- */

static size_t append_ascii(WCHAR *to, size_t at, const char *text)
{
	while (*text != '\0')
		to[at++] = (WCHAR)*text++;
	return at;
}

/* `\\host\share` in UTF-16; bytes, 0: too long. */
static size_t smb_tree_path(const struct smb_conn *conn, const UNICODE_STRING *share, WCHAR *path, size_t cap)
{
	size_t at = append_ascii(path, 0, "\\\\");
	ULONG bytes = 0;

	(void)RtlUTF8ToUnicodeN(
		path + at, (ULONG)((cap - at) * sizeof(WCHAR)), &bytes, conn->host,
		(ULONG)strlen(conn->host)); /* at worst the server does not know itself by it */
	at += bytes / sizeof(WCHAR);
	if (at + 1 + share->Length / sizeof(WCHAR) > cap)
		return 0;
	path[at++] = '\\';
	RtlCopyMemory(path + at, share->Buffer, share->Length);
	return at * sizeof(WCHAR) + share->Length;
}

static NTSTATUS smb_tree_accept(struct smb_tree *tree, const struct smb_options *options,
				const struct smb_part *part)
{
	struct smb2_tree_connect_response rsp;

	if (!smb2_tree_connect_response_decode(&part->pdu, &rsp))
		return STATUS_INVALID_NETWORK_RESPONSE;
	tree->id = part->pdu.hdr.tree_id;
	tree->share_type = rsp.share_type;
	tree->share_flags = rsp.share_flags;
	tree->maximal_access = rsp.maximal_access;
	tree->seal =
		tree->session->seal || options->seal || (rsp.share_flags & SMB2_SHAREFLAG_ENCRYPT_DATA) != 0;
	return tree->seal && tree->session->sealer == NULL ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

static NTSTATUS smb_tree_run(struct smb_tree *tree, const struct smb_options *options,
			     const UNICODE_STRING *share, uint64_t deadline)
{
	struct smb_conn *conn = tree->session->conn;
	struct smb2_tree_connect_request req = {0};
	struct smb_exchange *x;
	struct smb_part *part;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	WCHAR path[600];
	size_t bytes = smb_tree_path(conn, share, path, RTL_NUMBER_OF(path));

	if (bytes == 0)
		return STATUS_NAME_TOO_LONG;
	req.path = wire_slice_at((const uint8_t *)path, 0, bytes);
	x = smb_exchange_create(conn, tree->session, 0, false);
	part = x == NULL ? NULL : smb_exchange_add(x, SMB2_TREE_CONNECT, bytes + 128, 0);
	if (part != NULL) {
		part->len = smb2_tree_connect_request_encode(part->bytes, part->cap, &req);
		x->deadline = deadline;
		status = smb_exchange_run(x);
		if (status == STATUS_SUCCESS)
			status = smb_tree_accept(tree, options, part);
	}
	smb_exchange_put(x);
	if (status == STATUS_SUCCESS && conn->neg.dialect != SMB2_DIALECT_311 &&
	    tree->session->signer != NULL)
		status = smb_validate_negotiate(tree, deadline);
	return status;
}

NTSTATUS smb_tree_connect(struct smb_session *session, const struct smb_options *options,
			  const UNICODE_STRING *share, uint64_t deadline, struct smb_tree **out)
{
	struct smb_tree *tree = ExAllocatePoolZero(NonPagedPool, sizeof(*tree), SMB_TAG_TREE);
	NTSTATUS status;

	*out = NULL;
	if (tree == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	tree->refs = 1;
	tree->session = session;
	smb_session_get(session);
	status = smb_tree_run(tree, options, share, deadline);
	if (status == STATUS_SUCCESS) {
		*out = tree;
		return STATUS_SUCCESS;
	}
	smb_session_put(session);
	ExFreePoolWithTag(tree, SMB_TAG_TREE);
	return status;
}
