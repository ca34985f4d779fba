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

void smb_exchange_drop(struct smb_exchange *x)
{
	smb_exchange_put(x);
}

void smb_exchange_forget(struct smb_exchange *x)
{
	smb_exchange_submit(x, smb_exchange_drop, NULL);
}

/* ---- the end (loop thread) --------------------------------------------------------------------------- */

static void smb_exchange_return(struct smb_exchange *x, NTSTATUS status)
{
	RX_CHECK(!x->returned);
	x->returned = true;
	x->status = status;
	x->complete(x);
}

void smb_exchange_check_over(struct smb_exchange *x)
{
	if (x->state != SMB_EXCHANGE_SENT || x->left != 0 || x->sending)
		return;
	smb_exchange_over(x, STATUS_SUCCESS);
}

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
