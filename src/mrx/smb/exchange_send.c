/*
 * exchange_send.c - how a message of ours reaches the stream: credits, headers, signing or sealing, and the table in which
 * its answers find it.
 *
 * Owns:      the connection's queue of what waits for credits.  The sealed copy of a message goes with its exchange.
 * Found by:  smb_conn.queue, then smb_conn.sent and, each part by its message id, smb_conn.table.
 * Locks:     none; all of it runs on the loop thread.
 * Dies when: an exchange leaves the lists in smb_exchange_over().
 */
#include "mrx/smb/transport.h"

#include "nt_count.h"

static uint32_t smb_exchange_charge(const struct smb_exchange *x)
{
	uint32_t charge = 0;
	unsigned int i;

	for (i = 0; i < x->count; i++)
		charge += x->part[i].charge;
	return charge;
}

static void smb_exchange_fill_headers(struct smb_exchange *x)
{
	struct smb_conn *conn = x->conn;
	unsigned int i;

	for (i = 0; i < x->count; i++) {
		struct smb_part *part = &x->part[i];
		bool last = i + 1 == x->count;
		size_t padded = last ? part->len : wire_align8(part->len);
		struct smb2_hdr hdr = {
			.credit_charge = conn->neg.large_mtu ? part->charge : 0,
			.command = part->command,
			.flags = (i > 0 ? SMB2_FLAGS_RELATED_OPERATIONS : 0) |
				 (x->session != NULL && x->session->signer != NULL && !x->seal
					  ? SMB2_FLAGS_SIGNED
					  : 0),
			.next_command = last ? 0 : (uint32_t)padded,
			.message_id = conn->next_id,
			.tree_id = x->tree_id,
			.session_id = x->session_id,
		};
		uint32_t wanted = part->charge;

		if (last && conn->credits < SMB_CREDIT_GOAL)
			wanted += SMB_CREDIT_GOAL - conn->credits;
		hdr.credits = (uint16_t)wanted;
		RtlZeroMemory(part->bytes + part->len, padded - part->len);
		part->len = padded;
		(void)smb2_hdr_encode(part->bytes, part->cap, &hdr); /* there is room for a body behind it */
		part->message_id = conn->next_id;
		conn->next_id += part->charge;
		conn->credits -= part->charge;
	}
}

static bool smb_exchange_sign(struct smb_exchange *x)
{
	struct iovec iov[2];
	unsigned int i;

	for (i = 0; i < x->count; i++) {
		iov[0].iov_base = x->part[i].bytes;
		iov[0].iov_len = x->part[i].len;
		iov[1].iov_base = (void *)(uintptr_t)x->part[i].data;
		iov[1].iov_len = x->part[i].data_len;
		if (!smb2_sign(x->session->signer, iov, x->part[i].data_len != 0 ? 2 : 1))
			return false;
	}
	return true;
}

static size_t smb_exchange_bytes(const struct smb_exchange *x)
{
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i < x->count; i++)
		bytes += x->part[i].len + x->part[i].data_len;
	return bytes;
}

/* Sealing works in place, and the data is the caller's: a copy is sealed. */
static NTSTATUS smb_exchange_seal(struct smb_exchange *x)
{
	size_t bytes = smb_exchange_bytes(x), at = 0;
	struct iovec iov;
	unsigned int i;

	if (x->session == NULL || x->session->sealer == NULL)
		return STATUS_ACCESS_DENIED;
	x->sealed = ExAllocatePoolWithTag(NonPagedPool, bytes, SMB_TAG_PDU);
	if (x->sealed == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	for (i = 0; i < x->count; i++) {
		RtlCopyMemory(x->sealed + at, x->part[i].bytes, x->part[i].len);
		at += x->part[i].len;
		if (x->part[i].data_len != 0)
			RtlCopyMemory(x->sealed + at, x->part[i].data, x->part[i].data_len);
		at += x->part[i].data_len;
	}
	iov.iov_base = x->sealed;
	iov.iov_len = x->sealed_len = bytes;
	return smb2_seal(x->session->sealer, x->session_id, x->transform, &iov, 1) ? STATUS_SUCCESS
										   : STATUS_ENCRYPTION_FAILED;
}

static void smb_exchange_add_iov(struct smb_exchange *x, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	x->iov[x->send.count].iov_base = (void *)(uintptr_t)bytes;
	x->iov[x->send.count].iov_len = len;
	x->send.count++;
}

static void smb_exchange_gather(struct smb_exchange *x)
{
	size_t bytes = x->sealed != NULL ? x->sealed_len + sizeof(x->transform) : smb_exchange_bytes(x);
	unsigned int i;

	x->send.iov = x->iov;
	x->send.count = 0;
	x->prefix[0] = 0;
	x->prefix[1] = (uint8_t)(bytes >> 16);
	x->prefix[2] = (uint8_t)(bytes >> 8);
	x->prefix[3] = (uint8_t)bytes;
	smb_exchange_add_iov(x, x->prefix, sizeof(x->prefix));
	if (x->sealed != NULL) {
		smb_exchange_add_iov(x, x->transform, sizeof(x->transform));
		smb_exchange_add_iov(x, x->sealed, x->sealed_len);
		return;
	}
	for (i = 0; i < x->count; i++) {
		smb_exchange_add_iov(x, x->part[i].bytes, x->part[i].len);
		smb_exchange_add_iov(x, x->part[i].data, x->part[i].data_len);
	}
}

static void smb_exchange_sent(struct nt_send *send, NTSTATUS status)
{
	struct smb_exchange *x = CONTAINING_RECORD(send, struct smb_exchange, send);

	(void)status; /* a failure comes again as the end of the stream */
	x->sending = false;
	smb_exchange_check_over(x);
	smb_exchange_put(x);
}

static void smb_exchange_enter_table(struct smb_exchange *x)
{
	struct smb_conn *conn = x->conn;
	unsigned int i;

	for (i = 0; i < x->count; i++) {
		struct smb_part *part = &x->part[i];

		InsertTailList(&conn->table[part->message_id % SMB_TABLE_SIZE], &part->link);
		part->waiting = true;
		conn->in_flight++;
		conn->payload_in_flight += part->payload;
	}
	x->left = x->count;
	x->sent_at = KeQueryInterruptTime();
	x->state = SMB_EXCHANGE_SENT;
	InsertTailList(&conn->sent, &x->link);
}

static void smb_exchange_count(const struct smb_exchange *x)
{
	const char *commands[SMB_MAX_PARTS];
	unsigned int i;

	for (i = 0; i < x->count; i++)
		commands[i] = smb2_command_name(x->part[i].command);
	nt_count(x->operation != NULL ? x->operation : NT_COUNT_BACKGROUND, commands, x->count,
		 smb_exchange_bytes(x));
}

static void smb_exchange_send(struct smb_exchange *x)
{
	struct smb_conn *conn = x->conn;
	NTSTATUS status = STATUS_SUCCESS;

	smb_exchange_fill_headers(x);
	if (x->seal)
		status = smb_exchange_seal(x);
	else if (x->session != NULL && x->session->signer != NULL && !smb_exchange_sign(x))
		status = STATUS_ENCRYPTION_FAILED;
	smb_exchange_enter_table(x);
	if (status != STATUS_SUCCESS) {
		/* its message ids are used up and will never be sent: the window has a hole */
		smb_conn_fail(conn, status, "a request could not be signed or sealed");
		return;
	}
	smb_exchange_gather(x);
	smb_exchange_count(x);
	x->send.done = smb_exchange_sent;
	x->sending = true;
	smb_exchange_get(x);
	nt_stream_send(conn->stream, &x->send);
}

/* No credit for the head of the queue and nothing under way that could bring some. */
static void smb_conn_probe_credits(struct smb_conn *conn)
{
	struct smb_exchange *x;

	if (conn->in_flight > conn->in_flight_interim)
		return;
	if (conn->credits == 0 || conn->credit_probes >= 32) {
		smb_conn_fail(conn, STATUS_INVALID_NETWORK_RESPONSE, "the server grants no credits");
		return;
	}
	x = smb_exchange_create(conn, NULL, 0, false);
	if (x == NULL || smb_exchange_add(x, SMB2_ECHO, SMB2_HDR_SIZE + 4, 0) == NULL) {
		smb_exchange_put(x);
		return;
	}
	x->part[0].len = smb2_empty_encode(x->part[0].bytes, x->part[0].cap);
	x->complete = smb_exchange_drop;
	smb_exchange_get(x);
	conn->credit_probes++;
	smb_exchange_send(x);
}

void smb_conn_pump(struct smb_conn *conn)
{
	while (!smb_conn_is_dead(conn) && !IsListEmpty(&conn->queue)) {
		struct smb_exchange *x = CONTAINING_RECORD(conn->queue.Flink, struct smb_exchange, link);

		if (smb_exchange_charge(x) > conn->credits) {
			smb_conn_probe_credits(conn);
			return;
		}
		conn->credit_probes = 0;
		RemoveEntryList(&x->link);
		smb_exchange_send(x);
	}
}

void smb_exchange_start(struct smb_exchange *x)
{
	unsigned int i;

	x->state = SMB_EXCHANGE_QUEUED;
	InsertTailList(&x->conn->queue, &x->link);
	if (smb_conn_is_dead(x->conn)) {
		smb_exchange_over(x, STATUS_CONNECTION_DISCONNECTED);
		return;
	}
	for (i = 0; i < x->count; i++)
		if (x->part[i].len == 0) {
			smb_exchange_over(x, STATUS_INVALID_PARAMETER);
			return;
		}
	if (x->cancelled) {
		smb_exchange_over(x, STATUS_CANCELLED);
		return;
	}
	smb_conn_tick_soon(x->conn);
	smb_conn_pump(x->conn);
}
