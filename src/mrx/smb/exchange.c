/*
 * exchange.c - one message of ours, from its making to its answer.
 *
 * Owns:      struct smb_exchange: the caller's from creation to submission and from completion on, the loop thread's
 *            in between.  A reference of the transport keeps it while it is queued, sent or abandoned.
 * Locks:     none.  The cancel flag is the only thing that another thread writes meanwhile.
 * Dies when: the last reference is dropped.
 *
 * Who decides between answer and cancel: the loop thread, by what it sees first.
 */
#include "mrx/smb/transport.h"

#include "nt_count.h"

#define SMB_TAG_EXCHANGE 'xBmS'
#define SMB_TAG_PDU 'pBmS'
/* So long the server has to answer a cancel before the caller goes without. */
#define SMB_CANCEL_GRACE (SMB_SECOND / 2)

/* ---- life -------------------------------------------------------------------------------------------- */

struct smb_exchange *smb_exchange_create(struct smb_conn *conn, struct smb_session *session, uint32_t tree_id,
					 bool seal)
{
	struct smb_exchange *x = ExAllocatePoolZero(NonPagedPool, sizeof(*x), SMB_TAG_EXCHANGE);

	if (x == NULL)
		return NULL;
	x->refs = 1;
	x->conn = conn;
	smb_conn_get(conn);
	x->session = session;
	if (session != NULL) {
		smb_session_get(session);
		x->session_id = session->id;
		seal = seal || session->seal;
	}
	x->tree_id = tree_id;
	x->seal = seal;
	x->status = STATUS_PENDING;
	KeInitializeEvent(&x->done, NotificationEvent, FALSE);
	return x;
}

struct smb_part *smb_exchange_add(struct smb_exchange *x, uint16_t command, size_t cap, size_t payload)
{
	struct smb_part *part = &x->part[x->count];

	RX_CHECK(x->count < SMB_MAX_PARTS);
	cap = wire_align8(cap); /* room for the padding of a compound */
	part->bytes = ExAllocatePoolWithTag(NonPagedPool, cap, SMB_TAG_PDU);
	if (part->bytes == NULL)
		return NULL;
	part->x = x;
	part->command = command;
	part->cap = cap;
	part->payload = payload;
	part->charge = smb_conn_charge(x->conn, payload);
	part->status = STATUS_PENDING;
	x->count++;
	return part;
}

void smb_exchange_get(struct smb_exchange *x)
{
	InterlockedIncrement(&x->refs);
}

void smb_exchange_put(struct smb_exchange *x)
{
	unsigned int i;

	if (x == NULL || InterlockedDecrement(&x->refs) != 0)
		return;
	for (i = 0; i < x->count; i++) {
		smb_reply_put(x->part[i].reply);
		if (x->part[i].bytes != NULL) {
			if (x->part[i].command == SMB2_SESSION_SETUP)
				RtlSecureZeroMemory(x->part[i].bytes, x->part[i].cap);
			ExFreePoolWithTag(x->part[i].bytes, SMB_TAG_PDU);
		}
	}
	if (x->sealed != NULL)
		ExFreePoolWithTag(x->sealed, SMB_TAG_PDU);
	smb_session_put(x->session);
	smb_conn_put(x->conn);
	ExFreePoolWithTag(x, SMB_TAG_EXCHANGE);
}

/* ---- handing over ------------------------------------------------------------------------------------ */

static void smb_exchange_start_task(struct nt_loop_task *task)
{
	smb_exchange_start(CONTAINING_RECORD(task, struct smb_exchange, start_task));
}

void smb_exchange_submit(struct smb_exchange *x, void (*complete)(struct smb_exchange *x), void *context)
{
	x->complete = complete;
	x->context = context;
	x->start_task.fn = smb_exchange_start_task;
	smb_exchange_get(x); /* the transport's, until it is over */
	nt_loop_call(x->conn->transport->loop, &x->start_task);
}

static void smb_exchange_wake(struct smb_exchange *x)
{
	KeSetEvent(&x->done, IO_NETWORK_INCREMENT, FALSE);
}

void smb_exchange_begin(struct smb_exchange *x)
{
	smb_exchange_submit(x, smb_exchange_wake, NULL);
}

NTSTATUS smb_exchange_run(struct smb_exchange *x)
{
	smb_exchange_begin(x);
	/* ends: an answer, a cancel or the end of the connection, which silence brings about */
	(void)nt_loop_wait(x->conn->transport->loop, &x->done, NULL);
	return x->status == STATUS_SUCCESS ? x->part[0].status : x->status;
}

NTSTATUS smb_exchange_run_unless_silent(struct smb_exchange *x)
{
	LARGE_INTEGER look = {.QuadPart = -(LONGLONG)(SMB_SECOND / 2)};

	smb_exchange_submit(x, smb_exchange_wake, NULL);
	while (nt_loop_wait(x->conn->transport->loop, &x->done, &look) == STATUS_TIMEOUT)
		if (InterlockedAdd(&x->conn->silent, 0) != 0)
			return STATUS_IO_TIMEOUT;
	return x->status == STATUS_SUCCESS ? x->part[0].status : x->status;
}

static void smb_exchange_drop(struct smb_exchange *x)
{
	smb_exchange_put(x);
}

void smb_exchange_forget(struct smb_exchange *x)
{
	smb_exchange_submit(x, smb_exchange_drop, NULL);
}

/* ---- sending (loop thread) --------------------------------------------------------------------------- */

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

static void smb_exchange_return(struct smb_exchange *x, NTSTATUS status)
{
	RX_CHECK(!x->returned);
	x->returned = true;
	x->status = status;
	x->complete(x);
}

/* All answers are there, and the stream has let go of our bytes. */
static void smb_exchange_check_over(struct smb_exchange *x)
{
	if (x->state != SMB_EXCHANGE_SENT || x->left != 0 || x->sending)
		return;
	smb_exchange_over(x, STATUS_SUCCESS);
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

/* ---- the end (loop thread) --------------------------------------------------------------------------- */

static void smb_part_leave_table(struct smb_part *part)
{
	struct smb_conn *conn = part->x->conn;

	if (!part->waiting)
		return;
	RemoveEntryList(&part->link);
	part->waiting = false;
	conn->in_flight--;
	conn->payload_in_flight -= part->payload;
	if (part->interim)
		conn->in_flight_interim--;
	part->x->left--;
}

void smb_part_answered(struct smb_part *part, NTSTATUS status)
{
	struct smb_exchange *x = part->x;

	part->status = status;
	nt_count_one(NT_COUNT_COMMAND, smb2_command_name(part->command), 0);
	if (NT_ERROR(status))
		nt_count_one(NT_COUNT_FAILED, smb2_command_name(part->command), 0);
	smb_part_leave_table(part);
	if (x->returned)
		smb_exchange_return_late(part);
	smb_exchange_check_over(x);
}

void smb_exchange_over(struct smb_exchange *x, NTSTATUS status)
{
	unsigned int i;

	RX_CHECK(x->state == SMB_EXCHANGE_QUEUED || x->state == SMB_EXCHANGE_SENT);
	RemoveEntryList(&x->link);
	for (i = 0; i < x->count; i++)
		smb_part_leave_table(&x->part[i]);
	x->state = SMB_EXCHANGE_OVER;
	if (!x->returned)
		smb_exchange_return(x, status);
	smb_exchange_put(x);
}

/* An open that nobody waits for any more is closed again. */
void smb_exchange_return_late(struct smb_part *part)
{
	struct smb_exchange *x = part->x, *close;
	struct smb2_close_request req = {0};
	struct smb2_create_response rsp;

	if (part->command != SMB2_CREATE || part->status != STATUS_SUCCESS ||
	    x->part[x->count - 1].command == SMB2_CLOSE || !smb2_create_response_decode(&part->pdu, &rsp))
		return;
	close = smb_exchange_create(x->conn, x->session, x->tree_id, x->seal);
	if (close == NULL)
		return;
	if (smb_exchange_add(close, SMB2_CLOSE, SMB2_HDR_SIZE + 24, 0) == NULL) {
		smb_exchange_put(close);
		return;
	}
	req.file_id = rsp.file_id;
	close->part[0].len = smb2_close_request_encode(close->part[0].bytes, close->part[0].cap, &req);
	smb_exchange_forget(close);
}

/* ---- cancel ------------------------------------------------------------------------------------------ */

struct smb_cancel_message {
	struct nt_send send;
	struct iovec iov[3];
	uint8_t prefix[4];
	uint8_t transform[SMB2_TRANSFORM_HDR_SIZE];
	uint8_t bytes[SMB2_HDR_SIZE + 8];
};

static void smb_cancel_sent(struct nt_send *send, NTSTATUS status)
{
	(void)status; /* nobody waits for it */
	ExFreePoolWithTag(CONTAINING_RECORD(send, struct smb_cancel_message, send), SMB_TAG_PDU);
}

/* SMB2 CANCEL: no credit, the message id of what is cancelled, no answer of its own. */
static void smb_part_send_cancel(struct smb_part *part)
{
	struct smb_exchange *x = part->x;
	struct smb_cancel_message *m = ExAllocatePoolZero(NonPagedPool, sizeof(*m), SMB_TAG_PDU);
	bool sign = x->session != NULL && x->session->signer != NULL && !x->seal;
	struct smb2_hdr hdr = {
		.command = SMB2_CANCEL,
		.flags = (part->interim ? SMB2_FLAGS_ASYNC_COMMAND : 0) | (sign ? SMB2_FLAGS_SIGNED : 0),
		.message_id = part->message_id,
		.async_id = part->async_id,
		.tree_id = x->tree_id,
		.session_id = x->session_id,
	};
	size_t len, total;
	bool ok = true;

	if (m == NULL)
		return; /* the grace period ends the wait all the same */
	len = total = smb2_empty_encode(m->bytes, sizeof(m->bytes));
	(void)smb2_hdr_encode(m->bytes, sizeof(m->bytes), &hdr); /* it fits */
	m->iov[2].iov_base = m->bytes;
	m->iov[2].iov_len = len;
	m->send.iov = &m->iov[1];
	m->send.count = 2;
	if (sign) {
		ok = smb2_sign(x->session->signer, &m->iov[2], 1);
	} else if (x->seal) {
		ok = smb2_seal(x->session->sealer, x->session_id, m->transform, &m->iov[2], 1);
		m->iov[1].iov_base = m->transform;
		m->iov[1].iov_len = sizeof(m->transform);
		m->send.iov = m->iov;
		m->send.count = 3;
		total += sizeof(m->transform);
	}
	if (!ok) {
		ExFreePoolWithTag(m, SMB_TAG_PDU);
		return;
	}
	m->prefix[2] = (uint8_t)(total >> 8);
	m->prefix[3] = (uint8_t)total;
	m->send.iov[0].iov_base = m->prefix;
	m->send.iov[0].iov_len = sizeof(m->prefix);
	m->send.done = smb_cancel_sent;
	nt_stream_send(x->conn->stream, &m->send);
}

static void smb_exchange_cancel_now(struct smb_exchange *x)
{
	unsigned int i;

	x->cancelled = true;
	switch (x->state) {
	case SMB_EXCHANGE_NEW: /* submission follows and finds the flag */
	case SMB_EXCHANGE_OVER:
		return;
	case SMB_EXCHANGE_QUEUED:
		smb_exchange_over(x, STATUS_CANCELLED);
		return;
	case SMB_EXCHANGE_SENT:
		if (x->returned || x->abandon_at != 0)
			return;
		for (i = 0; i < x->count; i++)
			if (x->part[i].waiting)
				smb_part_send_cancel(&x->part[i]);
		x->abandon_at = KeQueryInterruptTime() + SMB_CANCEL_GRACE;
		smb_conn_tick_soon(x->conn);
		return;
	}
}

static void smb_exchange_cancel_task(struct nt_loop_task *task)
{
	struct smb_exchange *x = CONTAINING_RECORD(task, struct smb_exchange, cancel_task);

	smb_exchange_cancel_now(x);
	smb_exchange_put(x);
}

void smb_exchange_cancel(struct smb_exchange *x)
{
	if (InterlockedExchange(&x->cancel_posted, 1) != 0)
		return;
	x->cancel_task.fn = smb_exchange_cancel_task;
	smb_exchange_get(x);
	nt_loop_post(x->conn->transport->loop, &x->cancel_task);
}

/*
 * The server did not answer the cancel.  What it may still do to the caller's memory must be over: bytes being sent
 * or received now have their course, the end of the connection is their limit.
 */
void smb_exchange_give_up(struct smb_exchange *x)
{
	unsigned int i;

	if (x->returned || x->sending)
		return;
	for (i = 0; i < x->count; i++)
		if (x->conn->rx_part == &x->part[i])
			return;
	for (i = 0; i < x->count; i++)
		x->part[i].read_to = NULL;
	smb_exchange_return(x, STATUS_CANCELLED);
}
