/*
 * receive.c - from bytes to answers.
 *
 * Owns:      the message being received, and the rules of what a server may send: everything here is hostile until
 *            its signature has been checked, and whatever breaks a rule ends the connection with the rule's name.
 * Locks:     none; loop thread.
 *
 *   Prefix (4 bytes) --> Head (up to 80 bytes) --> Body --> message complete --> Prefix
 *
 * The head of a READ answer decides where its data goes: straight into the memory of whoever asked.  Its signature
 * is checked over both pieces.
 */
#include "mrx/smb/transport.h"

#include "nt_count.h"

#define SMB_TAG_REPLY 'rBmS'

enum { RX_STAGE_PREFIX, RX_STAGE_HEAD, RX_STAGE_BODY, RX_STAGE_DATA };

void smb_reply_put(struct smb_reply *reply)
{
	if (reply != NULL && InterlockedDecrement(&reply->refs) == 0)
		ExFreePoolWithTag(reply, SMB_TAG_REPLY);
}

static struct smb_reply *smb_reply_create(size_t len)
{
	struct smb_reply *reply = ExAllocatePoolWithTag(NonPagedPool, sizeof(*reply) + len, SMB_TAG_REPLY);

	if (reply == NULL)
		return NULL;
	reply->refs = 1;
	reply->len = len;
	return reply;
}

static void smb_receive_next(struct smb_conn *conn)
{
	conn->rx_stage = RX_STAGE_PREFIX;
	conn->rx_want = sizeof(conn->rx_prefix);
	conn->rx_got = 0;
}

void smb_receive_init(struct smb_conn *conn)
{
	smb_receive_next(conn);
}

void smb_receive_end(struct smb_conn *conn)
{
	smb_reply_put(conn->rx_reply);
	conn->rx_reply = NULL;
	conn->rx_part = NULL;
}

static NTSTATUS smb_protocol_error(struct smb_conn *conn, const char *reason)
{
	smb_conn_fail(conn, STATUS_INVALID_NETWORK_RESPONSE, reason);
	return STATUS_INVALID_NETWORK_RESPONSE;
}

/* ---- one PDU ----------------------------------------------------------------------------------------- */

/* How a PDU lies in memory, and how it came. */
struct smb_received {
	struct smb2_pdu pdu;
	struct iovec iov[2]; /* for the signature */
	int iov_count;
	bool opened;        /* it was sealed and the seal was good */
	uint64_t opened_by; /* the session of the seal */
	struct smb_reply *reply;
};

/* The session is no more; the server may have no key left to sign that with. */
static bool smb_is_session_over(NTSTATUS status)
{
	return status == STATUS_USER_SESSION_DELETED || status == STATUS_NETWORK_SESSION_EXPIRED;
}

/* Signature and seal, as the session of the request demands them.  Interim answers carry no content and no proof. */
static NTSTATUS smb_check_authentic(struct smb_conn *conn, struct smb_part *part, struct smb_received *r)
{
	struct smb_session *session = part->x->session;
	NTSTATUS status = (NTSTATUS)r->pdu.hdr.status;

	if (r->opened) {
		if (session != NULL && r->opened_by == part->x->session_id)
			return STATUS_SUCCESS;
		smb_conn_fail(conn, STATUS_INVALID_SIGNATURE, "an answer was sealed by another session");
		return STATUS_INVALID_SIGNATURE;
	}
	if (session == NULL || (session->signer == NULL && !part->x->seal))
		return STATUS_SUCCESS;
	if ((r->pdu.hdr.flags & SMB2_FLAGS_SIGNED) == 0 && smb_is_session_over(status)) {
		smb_conn_fail(conn, STATUS_CONNECTION_DISCONNECTED, "the server has ended the session");
		return STATUS_CONNECTION_DISCONNECTED;
	}
	if (part->x->seal) {
		smb_conn_fail(conn, STATUS_INVALID_SIGNATURE, "an answer that must be sealed is not");
		return STATUS_INVALID_SIGNATURE;
	}
	if ((r->pdu.hdr.flags & SMB2_FLAGS_SIGNED) == 0) {
		smb_conn_fail(conn, STATUS_INVALID_SIGNATURE, "an answer that must be signed is not");
		return STATUS_INVALID_SIGNATURE;
	}
	if (!smb2_verify(session->signer, r->iov, (size_t)r->iov_count)) {
		smb_conn_fail(conn, STATUS_INVALID_SIGNATURE, "the signature of an answer is wrong");
		return STATUS_INVALID_SIGNATURE;
	}
	return STATUS_SUCCESS;
}

static void smb_take_credits(struct smb_conn *conn, uint16_t granted)
{
	/* more than the window of message ids can ever use is not worth counting */
	if (conn->credits + granted <= UINT16_MAX)
		conn->credits += granted;
	if (granted != 0)
		conn->credit_probes = 0;
}

static NTSTATUS smb_take_interim(struct smb_conn *conn, struct smb_part *part, const struct smb2_hdr *hdr)
{
	if (part->interim)
		return smb_protocol_error(conn, "two interim answers to one request");
	part->interim = true;
	part->async_id = hdr->async_id;
	conn->in_flight_interim++;
	return STATUS_SUCCESS;
}

/* A READ answer that came in one piece with its header: its data goes to the reader. */
static NTSTATUS smb_place_read(struct smb_conn *conn, struct smb_part *part, const struct smb2_pdu *pdu)
{
	NTSTATUS status = (NTSTATUS)pdu->hdr.status;
	struct smb2_read_response rsp;

	if (part->read_to == NULL || (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW))
		return STATUS_SUCCESS;
	if (!smb2_read_response_decode(pdu, &rsp))
		return smb_protocol_error(conn, "a malformed READ answer");
	if (rsp.data_length > part->read_room)
		return smb_protocol_error(conn, "a READ answer with more than was asked for");
	RtlCopyMemory(part->read_to, pdu->base + rsp.data_offset, rsp.data_length);
	part->placed = rsp.data_length;
	return STATUS_SUCCESS;
}

static NTSTATUS smb_take_break(struct smb_conn *conn, const struct smb2_pdu *pdu)
{
	struct smb2_break brk;

	if (pdu->hdr.command != SMB2_OPLOCK_BREAK || !smb2_break_notification_decode(pdu, &brk))
		return smb_protocol_error(conn, "an unsolicited message that is no oplock break");
	nt_count_one(NT_COUNT_EVENT, "breaks_received", 0);
	if (conn->transport->broken != NULL && conn->transport->broken(conn, &brk))
		return STATUS_SUCCESS;
	/* MS-SMB2 3.2.5.19: what we do not hold needs no answer. A line whenever there are twice as many: no server fills a log */
	conn->stray_breaks++;
	if ((conn->stray_breaks & (conn->stray_breaks - 1)) == 0)
		DbgPrint("smb: %s:%u breaks %s that is not held (%llu so far)\n", conn->host, conn->port,
			 brk.is_lease ? "a lease" : "an oplock", (unsigned long long)conn->stray_breaks);
	return STATUS_SUCCESS;
}

static NTSTATUS smb_take_pdu(struct smb_conn *conn, struct smb_received *r, size_t placed)
{
	const struct smb2_hdr *hdr = &r->pdu.hdr;
	struct smb_part *part;
	NTSTATUS status;

	if ((hdr->flags & SMB2_FLAGS_SERVER_TO_REDIR) == 0)
		return smb_protocol_error(conn, "a request came from the server");
	if (hdr->message_id == SMB2_UNSOLICITED_MESSAGE_ID)
		return smb_take_break(conn, &r->pdu);
	part = smb_conn_find_part(conn, hdr->message_id);
	if (part == NULL)
		return smb_protocol_error(conn,
					  "an answer to no request of ours (unknown or repeated message id)");
	if (hdr->command != part->command)
		return smb_protocol_error(conn, "an answer to another command");
	smb_take_credits(conn, hdr->credits);
	if ((NTSTATUS)hdr->status == STATUS_PENDING && (hdr->flags & SMB2_FLAGS_ASYNC_COMMAND) != 0)
		return smb_take_interim(conn, part, hdr);
	status = smb_check_authentic(conn, part, r);
	if (status != STATUS_SUCCESS)
		return status;
	if (part->x->session != NULL && smb_is_session_over((NTSTATUS)hdr->status)) {
		/* the next create logs in again, on a new connection */
		smb_conn_fail(conn, STATUS_CONNECTION_DISCONNECTED, "the server has ended the session");
		return STATUS_CONNECTION_DISCONNECTED;
	}
	if (conn->rx_part == part)
		part->placed = placed;
	else if (part->command == SMB2_READ)
		status = smb_place_read(conn, part, &r->pdu);
	if (status != STATUS_SUCCESS)
		return status;
	conn->rx_part = NULL;
	part->pdu = r->pdu;
	part->reply = r->reply;
	InterlockedIncrement(&r->reply->refs);
	smb_part_answered(part, (NTSTATUS)hdr->status);
	return STATUS_SUCCESS;
}

/* ---- one message ------------------------------------------------------------------------------------- */

/*
 * Takes the seal off in place; the plain message begins at the returned offset. The session may be idle: the server
 * breaks an oplock when it likes. A session that ends just now has nothing left to hear: STATUS_FILE_CLOSED.
 */
static NTSTATUS smb_open_sealed(struct smb_conn *conn, struct smb_reply *reply, uint64_t *session_id)
{
	struct smb2_transform_hdr hdr;
	struct smb_session *session;
	struct iovec iov;
	bool authentic;

	if (!smb2_transform_hdr_decode(reply->bytes, reply->len, &hdr))
		return smb_protocol_error(conn, "a malformed transform header");
	if (!smb_session_find(conn, hdr.session_id, &session))
		return smb_protocol_error(conn, "a sealed message of no session of ours");
	if (session == NULL)
		return STATUS_FILE_CLOSED;
	if (session->opener == NULL) {
		smb_session_put(session);
		return smb_protocol_error(conn, "a sealed message of a session that has no key");
	}
	iov.iov_base = reply->bytes + SMB2_TRANSFORM_HDR_SIZE;
	iov.iov_len = reply->len - SMB2_TRANSFORM_HDR_SIZE;
	authentic = smb2_open(session->opener, reply->bytes, &iov, 1);
	smb_session_put(session);
	if (!authentic) {
		smb_conn_fail(conn, STATUS_INVALID_SIGNATURE, "a sealed message is not authentic");
		return STATUS_INVALID_SIGNATURE;
	}
	*session_id = hdr.session_id;
	return STATUS_SUCCESS;
}

static void smb_take_plain(struct smb_conn *conn, struct smb_reply *reply, size_t skip, bool opened,
			   uint64_t session_id)
{
	const uint8_t *bytes = reply->bytes + skip;
	size_t len = reply->len - skip, offset = 0, count;
	int more;

	if (!smb2_compound_check(bytes, len, &count)) {
		(void)smb_protocol_error(conn, "a malformed message");
		return;
	}
	do {
		struct smb_received r = {.opened = opened, .opened_by = session_id, .reply = reply};

		more = smb2_compound_next(bytes, len, &offset, &r.pdu);
		if (more != 1)
			return;
		r.iov[0].iov_base = (void *)(uintptr_t)r.pdu.base;
		r.iov[0].iov_len = r.pdu.len;
		r.iov_count = 1;
		if (smb_take_pdu(conn, &r, 0) != STATUS_SUCCESS)
			return;
	} while (!smb_conn_is_dead(conn));
}

static void smb_take_message(struct smb_conn *conn, struct smb_reply *reply)
{
	uint64_t session_id = 0;

	switch (smb2_message_kind(reply->bytes, reply->len)) {
	case SMB2_MESSAGE_PLAIN:
		smb_take_plain(conn, reply, 0, false, 0);
		return;
	case SMB2_MESSAGE_SEALED:
		if (smb_open_sealed(conn, reply, &session_id) == STATUS_SUCCESS)
			smb_take_plain(conn, reply, SMB2_TRANSFORM_HDR_SIZE, true, session_id);
		return;
	case SMB2_MESSAGE_COMPRESSED:
		(void)smb_protocol_error(conn, "a compressed message; compression was not agreed on");
		return;
	case SMB2_MESSAGE_SMB1:
		(void)smb_protocol_error(conn, "the server speaks SMB1");
		return;
	case SMB2_MESSAGE_UNKNOWN:
		(void)smb_protocol_error(conn, "the server does not speak SMB2");
		return;
	}
}

/* The data of a READ answer lies in the reader's memory, its head with us. */
static void smb_take_direct_read(struct smb_conn *conn)
{
	struct smb_reply *reply = smb_reply_create(sizeof(conn->rx_head));
	struct smb_received r = {.reply = reply, .iov_count = 2};
	size_t placed = conn->rx_len - sizeof(conn->rx_head);

	if (reply == NULL) {
		smb_conn_fail(conn, STATUS_INSUFFICIENT_RESOURCES, "no memory for an answer");
		return;
	}
	RtlCopyMemory(reply->bytes, conn->rx_head, sizeof(conn->rx_head));
	(void)smb2_hdr_decode(reply->bytes, reply->len, &r.pdu.hdr); /* it was decoded before */
	r.pdu.base = reply->bytes;
	r.pdu.len = reply->len;
	r.iov[0].iov_base = reply->bytes;
	r.iov[0].iov_len = reply->len;
	r.iov[1].iov_base = conn->rx_part->read_to;
	r.iov[1].iov_len = placed;
	(void)smb_take_pdu(conn, &r, placed); /* a failure has ended the connection */
	smb_reply_put(reply);
}

/* ---- receiving --------------------------------------------------------------------------------------- */

/* The reader whose memory can take the data as it comes, or NULL. */
static struct smb_part *smb_direct_reader(struct smb_conn *conn)
{
	struct smb2_read_response rsp;
	struct smb_part *part;
	struct smb2_hdr hdr;

	if (conn->rx_len <= sizeof(conn->rx_head) ||
	    smb2_message_kind(conn->rx_head, sizeof(conn->rx_head)) != SMB2_MESSAGE_PLAIN ||
	    !smb2_hdr_decode(conn->rx_head, sizeof(conn->rx_head), &hdr))
		return NULL;
	if (hdr.command != SMB2_READ || hdr.next_command != 0 || (NTSTATUS)hdr.status != STATUS_SUCCESS)
		return NULL;
	part = smb_conn_find_part(conn, hdr.message_id);
	if (part == NULL || part->command != SMB2_READ || part->read_to == NULL)
		return NULL;
	if (!smb2_read_response_decode_head(conn->rx_head, sizeof(conn->rx_head), conn->rx_len, &rsp))
		return NULL;
	if (rsp.data_offset != sizeof(conn->rx_head) ||
	    rsp.data_length != conn->rx_len - sizeof(conn->rx_head) || rsp.data_length > part->read_room)
		return NULL;
	return part;
}

static void smb_prefix_received(struct smb_conn *conn)
{
	conn->rx_len =
		(size_t)conn->rx_prefix[1] << 16 | (size_t)conn->rx_prefix[2] << 8 | conn->rx_prefix[3];
	if (conn->rx_prefix[0] != 0) {
		(void)smb_protocol_error(conn, "the server does not speak SMB2 over TCP");
		return;
	}
	if (conn->rx_len < SMB2_HDR_SIZE) {
		(void)smb_protocol_error(conn, "a message too short for its header");
		return;
	}
	if (conn->rx_len > conn->payload_in_flight + SMB_REPLY_SLACK) {
		(void)smb_protocol_error(conn, "a message larger than anything that was asked for");
		return;
	}
	nt_count_one(NT_COUNT_EVENT, "messages_received", conn->rx_len);
	conn->rx_stage = RX_STAGE_HEAD;
	conn->rx_got = 0;
	conn->rx_want = conn->rx_len < sizeof(conn->rx_head) ? conn->rx_len : sizeof(conn->rx_head);
}

static void smb_message_received(struct smb_conn *conn)
{
	struct smb_reply *reply = conn->rx_reply;

	conn->rx_reply = NULL;
	smb_receive_next(conn);
	smb_take_message(conn, reply);
	smb_reply_put(reply);
}

static void smb_head_received(struct smb_conn *conn)
{
	size_t head = conn->rx_want;

	conn->rx_part = smb_direct_reader(conn);
	if (conn->rx_part != NULL) {
		conn->rx_stage = RX_STAGE_DATA;
		conn->rx_got = 0;
		conn->rx_want = conn->rx_len - head;
		return;
	}
	conn->rx_reply = smb_reply_create(conn->rx_len);
	if (conn->rx_reply == NULL) {
		smb_conn_fail(conn, STATUS_INSUFFICIENT_RESOURCES, "no memory for an answer");
		return;
	}
	RtlCopyMemory(conn->rx_reply->bytes, conn->rx_head, head);
	if (head == conn->rx_len) {
		smb_message_received(conn);
		return;
	}
	conn->rx_stage = RX_STAGE_BODY;
	conn->rx_got = head;
	conn->rx_want = conn->rx_len;
}

void smb_receive_buffer(void *context, void **buffer, size_t *length)
{
	struct smb_conn *conn = context;
	uint8_t *base;

	switch (conn->rx_stage) {
	case RX_STAGE_PREFIX:
		base = conn->rx_prefix;
		break;
	case RX_STAGE_HEAD:
		base = conn->rx_head;
		break;
	case RX_STAGE_BODY:
		base = conn->rx_reply->bytes;
		break;
	default:
		base = conn->rx_part->read_to;
		break;
	}
	*buffer = base + conn->rx_got;
	*length = conn->rx_want - conn->rx_got;
}

void smb_receive_received(void *context, size_t length)
{
	struct smb_conn *conn = context;

	conn->last_received = KeQueryInterruptTime();
	if (conn->silent != 0)
		InterlockedExchange(&conn->silent, 0);
	conn->rx_got += length;
	if (conn->rx_got < conn->rx_want)
		return;
	if (!smb_conn_try_get(conn)) {  /* completions may drop what keeps it */
		smb_receive_next(conn); /* nobody is left to care: its end is on the way */
		return;
	}
	switch (conn->rx_stage) {
	case RX_STAGE_PREFIX:
		smb_prefix_received(conn);
		break;
	case RX_STAGE_HEAD:
		smb_head_received(conn);
		break;
	case RX_STAGE_BODY:
		smb_message_received(conn);
		break;
	default:
		smb_receive_next(conn);
		smb_take_direct_read(conn);
		break;
	}
	if (conn->rx_stage == RX_STAGE_PREFIX)
		smb_conn_pump(conn);
	smb_conn_put(conn);
}
