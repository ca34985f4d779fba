/*
 * conn.c - a connection: its stream, its clock, its end.
 *
 * Owns:      struct smb_conn and its stream.
 * Found by:  transport->conns (loop thread).
 * Locks:     none; everything but the reference count and `dead` belongs to the loop thread.
 * Dies when: the last reference is dropped.
 *
 *   Connecting --connected--> Open --smb_conn_fail()--> Dead
 *        +-----no way there, last reference dropped------^
 *
 * Silence: while something is in flight and the server has said nothing for half the time limit, or for the echo
 * interval when nothing is in flight, an ECHO goes out.  No byte for the whole time limit while something is
 * unanswered: the connection is dead, and all that hangs on it ends.
 */
#include "mrx/smb/transport.h"

#define SMB_TAG_CONN 'cBmS'
#define SMB_TICK (SMB_SECOND / 4)
#define SMB_SILENT (3 * SMB_SECOND)

/* ---- references -------------------------------------------------------------------------------------- */

void smb_conn_get(struct smb_conn *conn)
{
	InterlockedIncrement(&conn->refs);
}

/* For the loop thread, which finds a connection without a reference: not one that is ending already. */
bool smb_conn_try_get(struct smb_conn *conn)
{
	LONG refs = __atomic_load_n(&conn->refs, __ATOMIC_RELAXED);

	while (refs != 0)
		if (__atomic_compare_exchange_n(&conn->refs, &refs, refs + 1, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* Loop thread: the last reference is gone. */
static void smb_conn_end_task(struct nt_loop_task *task)
{
	struct smb_conn *conn = CONTAINING_RECORD(task, struct smb_conn, end_task);
	struct smb_transport *t = conn->transport;

	nt_loop_timer_cancel(&conn->timer);
	if (conn->stream != NULL)
		nt_stream_close(conn->stream);
	smb_receive_end(conn);
	RemoveEntryList(&conn->link);
	ExFreePoolWithTag(conn, SMB_TAG_CONN);
	if (InterlockedDecrement(&t->conn_count) == 0)
		KeSetEvent(&t->idle, IO_NO_INCREMENT, FALSE);
}

void smb_conn_put(struct smb_conn *conn)
{
	if (conn != NULL && InterlockedDecrement(&conn->refs) == 0)
		nt_loop_post(conn->transport->loop, &conn->end_task);
}

uint16_t smb_conn_charge(const struct smb_conn *conn, size_t payload)
{
	if (!conn->neg.large_mtu || payload <= SMB_CREDIT_BYTES)
		return 1;
	return (uint16_t)((payload + SMB_CREDIT_BYTES - 1) / SMB_CREDIT_BYTES);
}

struct smb_part *smb_conn_find_part(struct smb_conn *conn, uint64_t message_id)
{
	PLIST_ENTRY head = &conn->table[message_id % SMB_TABLE_SIZE], at;

	for (at = head->Flink; at != head; at = at->Flink) {
		struct smb_part *part = CONTAINING_RECORD(at, struct smb_part, link);

		if (part->message_id == message_id)
			return part;
	}
	return NULL;
}

/* ---- the end ----------------------------------------------------------------------------------------- */

static void smb_conn_end_list(PLIST_ENTRY list, NTSTATUS status)
{
	while (!IsListEmpty(list))
		smb_exchange_over(CONTAINING_RECORD(list->Flink, struct smb_exchange, link), status);
}

/* Ends the connection and everything on it.  Loop thread; once. */
void smb_conn_fail(struct smb_conn *conn, NTSTATUS status, const char *reason)
{
	if (smb_conn_is_dead(conn) || !smb_conn_try_get(conn))
		return;
	DbgPrint("smb: connection to %s:%u ended: %s\n", conn->host, conn->port, reason);
	conn->death = status;
	InterlockedExchange(&conn->dead, 1);
	nt_loop_timer_cancel(&conn->timer);
	conn->timer_due = 0;
	if (conn->stream != NULL)
		nt_stream_close(conn->stream);
	conn->stream = NULL;
	conn->rx_part = NULL;
	if (conn->transport->lost != NULL)
		conn->transport->lost(conn); /* before its requests end: their callers open anew */
	smb_conn_end_list(&conn->sent, status);
	smb_conn_end_list(&conn->queue, status);
	if (!conn->connect_over) {
		conn->connect_over = true;
		conn->connect_status = status;
		KeSetEvent(&conn->connected, IO_NETWORK_INCREMENT, FALSE);
	}
	smb_conn_put(conn);
}

/* ---- the clock --------------------------------------------------------------------------------------- */

static void smb_conn_set_timer(struct smb_conn *conn, uint64_t after)
{
	uint64_t due = KeQueryInterruptTime() + after;

	if (smb_conn_is_dead(conn) || (conn->timer_due != 0 && conn->timer_due <= due))
		return;
	conn->timer_due = due;
	nt_loop_timer_set(&conn->timer, after);
}

void smb_conn_tick_soon(struct smb_conn *conn)
{
	smb_conn_set_timer(conn, SMB_TICK);
}

static void smb_echo_answered(struct smb_exchange *x)
{
	x->conn->echo_sent = false;
	smb_exchange_put(x);
}

static void smb_conn_echo(struct smb_conn *conn)
{
	struct smb_exchange *x;

	if (conn->echo_sent || conn->credits == 0 || !InterlockedAdd(&conn->negotiated, 0))
		return;
	x = smb_exchange_create(conn, NULL, 0, false);
	if (x == NULL)
		return;
	if (smb_exchange_add(x, SMB2_ECHO, SMB2_HDR_SIZE + 4, 0) == NULL) {
		smb_exchange_put(x);
		return;
	}
	x->part[0].len = smb2_empty_encode(x->part[0].bytes, x->part[0].cap);
	conn->echo_sent = true;
	smb_exchange_submit(x, smb_echo_answered, NULL);
}

/* Gives up what was cancelled, ends what is out of time.  False: the connection has failed. */
static bool smb_conn_check_exchanges(struct smb_conn *conn, uint64_t now)
{
	PLIST_ENTRY at = conn->sent.Flink;

	while (at != &conn->sent) {
		struct smb_exchange *x = CONTAINING_RECORD(at, struct smb_exchange, link);

		at = at->Flink;
		if (x->abandon_at != 0 && now >= x->abandon_at)
			smb_exchange_give_up(x);
		if (x->returned)
			continue;
		if (x->deadline != 0 && now >= x->deadline) {
			smb_conn_fail(conn, STATUS_IO_TIMEOUT,
				      "no answer within the time limit of a connect");
			return false;
		}
		if (!x->patient && now - x->sent_at > 4 * conn->options.timeout) {
			smb_conn_fail(conn, STATUS_IO_TIMEOUT, "the server answers echoes but not a request");
			return false;
		}
	}
	return true;
}

static void smb_conn_check(struct smb_conn *conn)
{
	uint64_t now = KeQueryInterruptTime(), silence = now - conn->last_received;
	bool busy;

	if (!smb_conn_check_exchanges(conn, now))
		return;
	busy = !IsListEmpty(&conn->sent) || !IsListEmpty(&conn->queue);
	if (!IsListEmpty(&conn->sent)) {
		struct smb_exchange *oldest = CONTAINING_RECORD(conn->sent.Flink, struct smb_exchange, link);

		if (silence > SMB_SILENT && now - oldest->sent_at > SMB_SILENT)
			InterlockedExchange(&conn->silent, 1);
		if (silence > conn->options.timeout && now - oldest->sent_at > conn->options.timeout) {
			smb_conn_fail(conn, STATUS_CONNECTION_DISCONNECTED,
				      "the server is silent, echoes included");
			return;
		}
	}
	if (silence > conn->options.echo_interval || (busy && silence > conn->options.timeout / 2))
		smb_conn_echo(conn);
	smb_conn_set_timer(conn, busy ? SMB_TICK : 2 * SMB_SECOND);
}

static void smb_conn_tick(struct nt_loop_timer *timer)
{
	struct smb_conn *conn = CONTAINING_RECORD(timer, struct smb_conn, timer);

	conn->timer_due = 0;
	if (!smb_conn_try_get(conn))
		return;
	smb_conn_check(conn);
	smb_conn_put(conn);
}

/* ---- the stream -------------------------------------------------------------------------------------- */

static void smb_conn_connected(void *context, NTSTATUS status)
{
	struct smb_conn *conn = context;

	conn->last_received = KeQueryInterruptTime();
	if (status != STATUS_SUCCESS) {
		smb_conn_fail(conn, status, "no connection");
		return;
	}
	smb_conn_set_timer(conn, SMB_TICK);
	conn->connect_over = true;
	conn->connect_status = STATUS_SUCCESS;
	KeSetEvent(&conn->connected, IO_NETWORK_INCREMENT, FALSE);
}

static void smb_conn_closed(void *context, NTSTATUS status)
{
	(void)status; /* reset or closed: for those who wait it is the same */
	smb_conn_fail(context, STATUS_CONNECTION_DISCONNECTED, "closed by the server");
}

static const struct nt_stream_events smb_conn_events = {
	.connected = smb_conn_connected,
	.recv_buffer = smb_receive_buffer,
	.received = smb_receive_received,
	.closed = smb_conn_closed,
};

static void smb_conn_start_task(struct nt_loop_task *task)
{
	struct smb_conn *conn = CONTAINING_RECORD(task, struct smb_conn, start_task);
	NTSTATUS status;

	InsertTailList(&conn->transport->conns, &conn->link);
	status = nt_stream_connect(conn->transport->loop, conn->host, conn->port, conn->connect_timeout,
				   &smb_conn_events, conn, &conn->stream);
	if (status != STATUS_SUCCESS)
		smb_conn_fail(conn, status, "no connection");
}

NTSTATUS smb_conn_connect(struct smb_transport *t, const char *host, USHORT port, uint64_t timeout,
			  const struct smb_conn_options *options, struct smb_conn **out)
{
	size_t host_len = strlen(host), i;
	struct smb_conn *conn;
	NTSTATUS status;

	*out = NULL;
	if (host_len == 0 || host_len >= sizeof(conn->host))
		return STATUS_INVALID_PARAMETER;
	conn = ExAllocatePoolZero(NonPagedPool, sizeof(*conn), SMB_TAG_CONN);
	if (conn == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	conn->refs = 1;
	conn->transport = t;
	conn->options = *options;
	RtlCopyMemory(conn->host, host, host_len);
	conn->port = port;
	conn->credits = 1;
	conn->connect_timeout = timeout;
	KeInitializeEvent(&conn->connected, NotificationEvent, FALSE);
	KeInitializeSpinLock(&conn->session_lock);
	InitializeListHead(&conn->sessions);
	InitializeListHead(&conn->queue);
	InitializeListHead(&conn->sent);
	for (i = 0; i < SMB_TABLE_SIZE; i++)
		InitializeListHead(&conn->table[i]);
	conn->start_task.fn = smb_conn_start_task;
	conn->end_task.fn = smb_conn_end_task;
	nt_loop_timer_init(&conn->timer, t->loop, smb_conn_tick);
	smb_receive_init(conn);
	if (InterlockedIncrement(&t->conn_count) == 1)
		KeClearEvent(&t->idle);
	nt_loop_post(t->loop, &conn->start_task);

	(void)KeWaitForSingleObject(&conn->connected, Executive, KernelMode, FALSE,
				    NULL); /* bounded by timeout */
	status = conn->connect_status;
	if (status != STATUS_SUCCESS) {
		smb_conn_put(conn);
		return status;
	}
	*out = conn;
	return STATUS_SUCCESS;
}

/* ---- the transport ----------------------------------------------------------------------------------- */

NTSTATUS smb_transport_start(struct smb_transport *t)
{
	RtlZeroMemory(t, sizeof(*t));
	InitializeListHead(&t->conns);
	KeInitializeEvent(&t->idle, NotificationEvent, TRUE);
	return nt_loop_create("smb-transport", &t->loop);
}

static void smb_transport_kill_task(struct nt_loop_task *task)
{
	struct smb_transport *t = CONTAINING_RECORD(task, struct smb_transport, kill_task);
	PLIST_ENTRY at, next;

	for (at = t->conns.Flink; at != &t->conns; at = next) {
		next = at->Flink;
		smb_conn_fail(CONTAINING_RECORD(at, struct smb_conn, link), STATUS_CONNECTION_DISCONNECTED,
			      "the driver stops");
	}
}

void smb_transport_stop(struct smb_transport *t)
{
	LARGE_INTEGER grace = {.QuadPart = -(LONGLONG)(2 * SMB_SECOND)};

	if (t->loop == NULL)
		return;
	if (KeWaitForSingleObject(&t->idle, Executive, KernelMode, FALSE, &grace) == STATUS_TIMEOUT) {
		t->kill_task.fn = smb_transport_kill_task;
		nt_loop_post(t->loop, &t->kill_task);
		(void)KeWaitForSingleObject(&t->idle, Executive, KernelMode, FALSE, NULL);
	}
	nt_loop_destroy(t->loop);
	t->loop = NULL;
}
