/*
 * Requests and answers on a connection: what a server may do, what it may not, cancel, silence, credits.
 */
#include <sys/socket.h>

#include "smb_test.h"

/* Runs fake_handshake(), reads one request, and lets `then` answer it. */
struct script {
	void (*then)(struct fake_conn *f);
};

static void script_then(struct fake_conn *f)
{
	const struct script *s = f->server->context;

	if (fake_handshake(f) && fake_read(f))
		s->then(f);
	fake_serve_end(f);
}

/* The connection ends with that status for the request that is under way, and takes no other. */
static void echo_ends_with(struct client *c, void (*then)(struct fake_conn *f), NTSTATUS expected)
{
	struct script s = {then};

	client_open_share(c, script_then, &s);
	assert_int_equal(client_run(client_echo(c)), expected);
	assert_true(smb_conn_is_dead(c->conn));
	assert_int_equal(client_run(client_echo(c)), STATUS_CONNECTION_DISCONNECTED);
	client_assert_within(c, 8);
}

static void then_bad_signature(struct fake_conn *f)
{
	struct smb2_hdr hdr = fake_answer_header(f, 0);

	fake_seal_answer(f, &hdr, smb2_empty_encode(f->out, FAKE_MESSAGE_MAX));
	f->out[SMB2_SIGNATURE_OFFSET] ^= 1;
	fake_send_answer(f);
}

/* A wrong signature ends the connection. */
static void test_bad_signature(void **state)
{
	echo_ends_with(*state, then_bad_signature, STATUS_INVALID_SIGNATURE);
}

static void then_changed_body(struct fake_conn *f)
{
	struct smb2_hdr hdr = fake_answer_header(f, 0);

	fake_seal_answer(f, &hdr, smb2_empty_encode(f->out, FAKE_MESSAGE_MAX));
	f->out[14] ^= 4; /* the credits it grants */
	fake_send_answer(f);
}

/* So does an answer that was changed after it was signed. */
static void test_changed_after_signing(void **state)
{
	echo_ends_with(*state, then_changed_body, STATUS_INVALID_SIGNATURE);
}

static void then_unsigned(struct fake_conn *f)
{
	f->sign = false;
	fake_answer_empty(f);
}

/* So does an answer without the signature that it owes. */
static void test_unsigned(void **state)
{
	echo_ends_with(*state, then_unsigned, STATUS_INVALID_SIGNATURE);
}

static void then_wrong_id(struct fake_conn *f)
{
	f->request.hdr.message_id += 1000;
	fake_answer_empty(f);
}

/* An answer to a message id that was never used. */
static void test_unknown_message_id(void **state)
{
	echo_ends_with(*state, then_wrong_id, STATUS_INVALID_NETWORK_RESPONSE);
}

static void then_wrong_command(struct fake_conn *f)
{
	f->request.hdr.command = SMB2_FLUSH;
	fake_answer_empty(f);
}

/* An answer of another command. */
static void test_wrong_command(void **state)
{
	echo_ends_with(*state, then_wrong_command, STATUS_INVALID_NETWORK_RESPONSE);
}

static void then_request(struct fake_conn *f)
{
	struct smb2_hdr hdr = fake_answer_header(f, 0);

	hdr.flags = 0;
	fake_seal_answer(f, &hdr, smb2_empty_encode(f->out, FAKE_MESSAGE_MAX));
	fake_send_answer(f);
}

/* A request where an answer is due. */
static void test_request_from_server(void **state)
{
	echo_ends_with(*state, then_request, STATUS_INVALID_NETWORK_RESPONSE);
}

static void then_bad_chain(struct fake_conn *f)
{
	struct smb2_hdr hdr = fake_answer_header(f, 0);

	hdr.next_command = 72;
	fake_seal_answer(f, &hdr, smb2_empty_encode(f->out, FAKE_MESSAGE_MAX));
	fake_send_answer(f);
}

/* A compound that points beyond the message. */
static void test_bad_chain(void **state)
{
	echo_ends_with(*state, then_bad_chain, STATUS_INVALID_NETWORK_RESPONSE);
}

static void then_close(struct fake_conn *f)
{
	shutdown(f->fd, SHUT_RDWR);
}

/* A server that goes away ends what is pending. */
static void test_closed_with_request_pending(void **state)
{
	echo_ends_with(*state, then_close, STATUS_CONNECTION_DISCONNECTED);
}

static void then_twice(struct fake_conn *f)
{
	fake_answer_empty(f);
	fake_send_answer(f); /* the same bytes again, with their good signature */
}

/* A replayed answer ends the connection; the first one counted. */
static void test_replayed_answer(void **state)
{
	struct script s = {then_twice};
	struct client *c = *state;
	NTSTATUS status;
	int i;

	client_open_share(c, script_then, &s);
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
	for (i = 0; i < 100 && !smb_conn_is_dead(c->conn); i++) { /* the replay arrives when it arrives */
		status = client_run(client_echo(c));
		assert_true(status == STATUS_SUCCESS || status == STATUS_INVALID_NETWORK_RESPONSE ||
			    status == STATUS_CONNECTION_DISCONNECTED);
	}
	assert_true(smb_conn_is_dead(c->conn));
}

static void then_no_credits(struct fake_conn *f)
{
	f->grant = 0;
	fake_answer_empty(f);
	while (fake_read(f))
		fake_answer_empty(f);
}

/* A server that grants no more credits is named, not waited for. */
static void test_no_credits(void **state)
{
	struct script s = {then_no_credits};
	struct client *c = *state;
	NTSTATUS status = STATUS_SUCCESS;
	int i;

	client_open_share(c, script_then, &s);
	for (i = 0; i < 2000 && status == STATUS_SUCCESS; i++)
		status = client_run(client_echo(c));
	assert_int_equal(status, STATUS_INVALID_NETWORK_RESPONSE);
	client_assert_within(c, 8);
}

static void then_session_deleted(struct fake_conn *f)
{
	fake_answer_error(f, 0xC0000203u);
}

/* A session that the server has ended is a dead connection: what comes next logs in again. */
static void test_session_deleted(void **state)
{
	echo_ends_with(*state, then_session_deleted, STATUS_CONNECTION_DISCONNECTED);
}

static void then_session_deleted_unsigned(struct fake_conn *f)
{
	f->sign = false;
	fake_answer_error(f, 0xC0000203u);
}

/* ... also when it has no key left to sign that with. */
static void test_session_deleted_unsigned(void **state)
{
	echo_ends_with(*state, then_session_deleted_unsigned, STATUS_CONNECTION_DISCONNECTED);
}

static void then_pending_for_ever(struct fake_conn *f)
{
	fake_answer_pending(f, 99);
	while (fake_read(f)) /* echoes too go unanswered */
		;
}

/* STATUS_PENDING and then silence: the connection is dead after the time limit. */
static void test_pending_then_silence(void **state)
{
	echo_ends_with(*state, then_pending_for_ever, STATUS_CONNECTION_DISCONNECTED);
}

static void then_pending_then_answer(struct fake_conn *f)
{
	struct smb2_hdr hdr;

	fake_answer_pending(f, 99);
	hdr = fake_answer_header(f, 0);
	hdr.flags |= SMB2_FLAGS_ASYNC_COMMAND;
	hdr.async_id = 99;
	hdr.credits = 0;
	fake_seal_answer(f, &hdr, smb2_empty_encode(f->out, FAKE_MESSAGE_MAX));
	fake_send_answer(f);
}

/* An interim answer is not the answer. */
static void test_interim_then_final(void **state)
{
	struct script s = {then_pending_then_answer};
	struct client *c = *state;

	client_open_share(c, script_then, &s);
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
}

static void then_two_interims(struct fake_conn *f)
{
	fake_answer_pending(f, 99);
	fake_answer_pending(f, 99);
}

/* Two interim answers to one request. */
static void test_two_interims(void **state)
{
	echo_ends_with(*state, then_two_interims, STATUS_INVALID_NETWORK_RESPONSE);
}

static void then_break(struct fake_conn *f)
{
	struct smb2_break brk = {.oplock_level = 0, .file_id = {1, 2}};

	fake_send_break(f, &brk);
	fake_answer_empty(f);
}

/* The break of a grant that nobody holds is passed over. */
static void test_break_of_nothing(void **state)
{
	struct script s = {then_break};
	struct client *c = *state;

	client_open_share(c, script_then, &s);
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
	assert_false(smb_conn_is_dead(c->conn));
}

#define STRAYS 4000

static volatile LONG lines;

static void count_line(const char *text, size_t length)
{
	(void)text;
	(void)length;
	InterlockedIncrement(&lines);
}

static void then_many_breaks(struct fake_conn *f)
{
	struct smb2_break brk = {.is_lease = true, .current_state = 7, .lease_key = {1}};

	for (unsigned int i = 0; i < STRAYS; i++)
		fake_send_break(f, &brk);
	fake_answer_empty(f);
}

/* A server that breaks what nobody holds again and again fills no log: a line for each doubling of their number. */
static void test_many_breaks_of_nothing(void **state)
{
	struct script s = {then_many_breaks};
	struct client *c = *state;

	c->options.conn.timeout = 20 * SMB_SECOND;
	client_open_share(c, script_then, &s);
	lines = 0;
	nt_set_debug_output(count_line);
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
	nt_set_debug_output(NULL);
	assert_int_equal(lines, 12); /* 1, 2, 4, ... 2048 */
	assert_false(smb_conn_is_dead(c->conn));
}

static KEVENT heard;

static bool hear(struct smb_conn *conn, const struct smb2_break *brk)
{
	(void)conn;
	(void)brk;
	(void)KeSetEvent(&heard, IO_NO_INCREMENT, FALSE);
	return true;
}

static void hear_the_end(struct smb_conn *conn)
{
	(void)conn;
	(void)KeSetEvent(&heard, IO_NO_INCREMENT, FALSE);
}

/* A break of an oplock, encrypted by the session, while nothing is asked for. */
static void script_sealed_break(struct fake_conn *f)
{
	struct smb2_break brk = {.oplock_level = 0, .file_id = {1, 2}};

	if (fake_handshake(f)) {
		f->out_len = fake_break_encode(f->out, FAKE_MESSAGE_MAX, FAKE_SESSION_ID, &brk);
		(void)fake_send_sealed(f); /* false: nothing is heard */
	}
	fake_serve_end(f);
}

/* MS-SMB2 3.2.5.1.1.1: the session of a sealed message is one of the connection, at work or idle. */
static void test_sealed_break_of_an_idle_session(void **state)
{
	LARGE_INTEGER patience = {.QuadPart = -10ll * 10000000};
	UNICODE_STRING share = NT_STR(u"share");
	struct client *c = *state;

	KeInitializeEvent(&heard, NotificationEvent, FALSE);
	c->transport.broken = hear;
	c->transport.lost = hear_the_end;
	assert_true(fake_start_as(&c->server, SMB2_DIALECT_302,
				  SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_ENCRYPTION, script_sealed_break,
				  NULL));
	assert_int_equal(smb_conn_connect(&c->transport, "127.0.0.1", c->server.port, 2 * SMB_SECOND,
					  &c->options.conn, &c->conn),
			 STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_SUCCESS);
	assert_int_equal(client_login(c), STATUS_SUCCESS);
	assert_int_equal(smb_tree_connect(c->session, &c->options, &share, client_deadline(), &c->tree),
			 STATUS_SUCCESS);
	assert_int_equal(KeWaitForSingleObject(&heard, Executive, KernelMode, FALSE, &patience),
			 STATUS_SUCCESS);
	assert_false(smb_conn_is_dead(c->conn));
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
}

/* ---- reading ----------------------------------------------------------------------------------------- */

enum { READ_BYTES = 300 * 1000 };
static uint8_t pattern[READ_BYTES], target[READ_BYTES + 1];

static void then_read(struct fake_conn *f)
{
	fake_answer_read(f, pattern, READ_BYTES);
}

static void fill_pattern(void)
{
	size_t i;

	for (i = 0; i < READ_BYTES; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256);
	memset(target, 0xee, sizeof(target));
}

/* The data of a READ lands in the reader's memory and nowhere else. */
static void test_read(void **state)
{
	struct script s = {then_read};
	struct client *c = *state;
	struct smb_exchange *x;

	fill_pattern();
	client_open_share(c, script_then, &s);
	x = client_read(c, target, READ_BYTES);
	assert_int_equal(smb_exchange_run(x), STATUS_SUCCESS);
	assert_int_equal(x->part[0].placed, READ_BYTES);
	smb_exchange_put(x);
	assert_memory_equal(target, pattern, READ_BYTES);
	assert_int_equal(target[READ_BYTES], 0xee);
}

static void then_read_bad_data(struct fake_conn *f)
{
	struct smb2_hdr hdr = fake_answer_header(f, 0);
	size_t head = smb2_read_response_encode_head(f->out, FAKE_MESSAGE_MAX, READ_BYTES);

	memcpy(f->out + head, pattern, READ_BYTES);
	fake_seal_answer(f, &hdr, head + READ_BYTES);
	f->out[head + READ_BYTES / 2] ^= 1;
	fake_send_answer(f);
}

/* Data that was changed on the way is not taken for good, though it went straight to the reader. */
static void test_read_with_changed_data(void **state)
{
	struct script s = {then_read_bad_data};
	struct client *c = *state;

	fill_pattern();
	client_open_share(c, script_then, &s);
	assert_int_equal(client_run(client_read(c, target, READ_BYTES)), STATUS_INVALID_SIGNATURE);
	assert_true(smb_conn_is_dead(c->conn));
}

/* More data than was asked for ends the connection and does not leave the buffer. */
static void test_read_of_too_much(void **state)
{
	struct script s = {then_read};
	struct client *c = *state;

	fill_pattern();
	client_open_share(c, script_then, &s);
	assert_int_equal(client_run(client_read(c, target, READ_BYTES / 2)), STATUS_INVALID_NETWORK_RESPONSE);
	assert_int_equal(target[READ_BYTES / 2], 0xee);
}

static void then_read_half(struct fake_conn *f)
{
	struct smb2_hdr hdr = fake_answer_header(f, 0);
	size_t head = smb2_read_response_encode_head(f->out, FAKE_MESSAGE_MAX, READ_BYTES);
	uint8_t prefix[4] = {0};

	memcpy(f->out + head, pattern, READ_BYTES);
	fake_seal_answer(f, &hdr, head + READ_BYTES);
	prefix[1] = (uint8_t)(f->out_len >> 16);
	prefix[2] = (uint8_t)(f->out_len >> 8);
	prefix[3] = (uint8_t)f->out_len;
	fake_send_raw(f, prefix, sizeof(prefix));
	fake_send_raw(f, f->out, f->out_len / 2);
	shutdown(f->fd, SHUT_RDWR);
}

/* A server that dies in the middle of the data. */
static void test_read_broken_off(void **state)
{
	struct script s = {then_read_half};
	struct client *c = *state;

	fill_pattern();
	client_open_share(c, script_then, &s);
	assert_int_equal(client_run(client_read(c, target, READ_BYTES)), STATUS_CONNECTION_DISCONNECTED);
}

/* ---- cancel ------------------------------------------------------------------------------------------ */

/* Answers STATUS_PENDING, and STATUS_CANCELLED to the CANCEL that names the async id. */
static void then_obey_cancel(struct fake_conn *f)
{
	struct smb2_pdu first = f->request;

	fake_answer_pending(f, 1234);
	if (!fake_read(f) || f->request.hdr.command != SMB2_CANCEL || f->request.hdr.async_id != 1234 ||
	    !(f->request.hdr.flags & SMB2_FLAGS_ASYNC_COMMAND) ||
	    f->request.hdr.message_id != first.hdr.message_id)
		return;
	f->request.hdr.command = first.hdr.command;
	fake_answer_error(f, 0xC0000120u);
}

static void wake(struct smb_exchange *x)
{
	KeSetEvent(x->context, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS run_and_cancel(struct smb_exchange *x)
{
	LARGE_INTEGER pause = {.QuadPart = -(LONGLONG)(SMB_SECOND / 5)};
	KEVENT done;

	KeInitializeEvent(&done, NotificationEvent, FALSE);
	smb_exchange_submit(x, wake, &done);
	/* long enough for STATUS_PENDING to be there; if not, the cancel names no async id and the test says so */
	(void)KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, &pause);
	smb_exchange_cancel(x);
	smb_exchange_cancel(x); /* the second asks for nothing new */
	pause.QuadPart = -(LONGLONG)(5 * SMB_SECOND);
	assert_int_equal(KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, &pause), STATUS_SUCCESS);
	return x->status == STATUS_SUCCESS ? x->part[0].status : x->status;
}

/* CANCEL carries the message id and the async id, and the server's answer ends the request. */
static void test_cancel_obeyed(void **state)
{
	struct script s = {then_obey_cancel};
	struct client *c = *state;
	struct smb_exchange *x;

	c->options.conn.timeout = 20 * SMB_SECOND;
	client_open_share(c, script_then, &s);
	x = client_echo(c);
	assert_int_equal(run_and_cancel(x), STATUS_CANCELLED);
	assert_int_equal(x->status, STATUS_SUCCESS); /* it was the server who said so */
	smb_exchange_put(x);
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
}

struct late_create {
	KEVENT answer; /* the test lets the late answer out */
	KEVENT closed; /* a CLOSE of the handle was seen */
};
static struct late_create late;

static void script_late_create(struct fake_conn *f)
{
	struct smb2_close_request close;
	struct smb2_pdu create;
	uint8_t copy[1024];

	if (nt_adopt_thread("server") != STATUS_SUCCESS)
		return;
	if (fake_handshake(f) && fake_read(f) && f->in_len <= sizeof(copy)) {
		create = f->request;
		(void)KeWaitForSingleObject(&late.answer, Executive, KernelMode, FALSE, NULL);
		f->request = create;
		fake_answer_create(f);
		while (fake_read(f)) {
			if (f->request.hdr.command == SMB2_CLOSE &&
			    smb2_close_request_decode(&f->request, &close) &&
			    close.file_id.persistent == 21) {
				fake_answer_close(f);
				KeSetEvent(&late.closed, IO_NO_INCREMENT, FALSE);
			} else if (f->request.hdr.command != SMB2_CANCEL) {
				fake_answer_empty(f);
			}
		}
	}
	nt_release_thread();
}

/*
 * A server that ignores CANCEL: the caller goes on within a second, the late answer is still recognised, and an open
 * that nobody waits for any more is closed.
 */
static void test_cancel_ignored(void **state)
{
	LARGE_INTEGER limit = {.QuadPart = -(LONGLONG)(5 * SMB_SECOND)};
	struct client *c = *state;
	struct smb_exchange *x;
	uint64_t began;

	KeInitializeEvent(&late.answer, NotificationEvent, FALSE);
	KeInitializeEvent(&late.closed, NotificationEvent, FALSE);
	c->options.conn.timeout = 20 * SMB_SECOND;
	client_open_share(c, script_late_create, NULL);
	x = client_create(c);
	began = KeQueryInterruptTime();
	assert_int_equal(run_and_cancel(x), STATUS_CANCELLED);
	assert_true(KeQueryInterruptTime() - began < 2 * SMB_SECOND);
	assert_int_equal(x->status, STATUS_CANCELLED);
	smb_exchange_put(x);
	KeSetEvent(&late.answer, IO_NO_INCREMENT, FALSE);
	assert_int_equal(KeWaitForSingleObject(&late.closed, Executive, KernelMode, FALSE, &limit),
			 STATUS_SUCCESS);
	assert_false(smb_conn_is_dead(c->conn));
}

static void script_whole(struct fake_conn *f)
{
	if (fake_handshake(f))
		fake_serve_end(f);
}

static volatile LONG completions;

static void count(struct smb_exchange *x)
{
	InterlockedIncrement(&completions);
	KeReleaseSemaphore(x->context, IO_NO_INCREMENT, 1, FALSE);
	smb_exchange_put(x);
}

static void canceller(void *context)
{
	smb_exchange_cancel(context);
	smb_exchange_put(context);
}

/* Cancel against answer: each exchange completes exactly once, whoever comes first. */
static void test_cancel_races_with_answer(void **state)
{
	enum { ROUNDS = 200 };
	struct client *c = *state;
	KSEMAPHORE done;
	int i;

	KeInitializeSemaphore(&done, 0, ROUNDS);
	completions = 0;
	client_open_share(c, script_whole, NULL);
	for (i = 0; i < ROUNDS; i++) {
		struct smb_exchange *x = client_echo(c);
		struct nt_thread *thread;

		smb_exchange_get(x);
		assert_int_equal(nt_thread_create("canceller", canceller, x, &thread), STATUS_SUCCESS);
		smb_exchange_submit(x, count, &done);
		nt_thread_join(thread);
		assert_int_equal(KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL),
				 STATUS_SUCCESS);
	}
	assert_int_equal(completions, ROUNDS);
	assert_false(smb_conn_is_dead(c->conn));
}

/* ---- many -------------------------------------------------------------------------------------------- */

static void hammer(void *context)
{
	struct client *c = context;
	int i;

	for (i = 0; i < 200; i++)
		if (client_run(client_echo(c)) == STATUS_SUCCESS)
			InterlockedIncrement(&completions);
}

static void then_few_credits(struct fake_conn *f)
{
	f->grant = 1;
	do
		fake_answer_empty(f);
	while (fake_read(f));
}

/* Many threads on few credits: requests queue, none is lost. */
static void test_many_threads_few_credits(void **state)
{
	struct script s = {then_few_credits};
	struct client *c = *state;
	struct nt_thread *threads[8];
	int i;

	completions = 0;
	c->options.conn.timeout = 20 * SMB_SECOND;
	client_open_share(c, script_then, &s);
	for (i = 0; i < 8; i++)
		assert_int_equal(nt_thread_create("hammer", hammer, c, &threads[i]), STATUS_SUCCESS);
	for (i = 0; i < 8; i++)
		nt_thread_join(threads[i]);
	assert_int_equal(completions, 8 * 200);
}

/* Exchanges that are under way when the driver stops are completed, not lost. */
static void then_never(struct fake_conn *f)
{
	while (fake_read(f))
		;
}

static void test_stop_with_requests_pending(void **state)
{
	struct script s = {then_never};
	struct client *c = *state;
	KSEMAPHORE done;
	int i;

	KeInitializeSemaphore(&done, 0, 10);
	completions = 0;
	c->options.conn.timeout = 20 * SMB_SECOND;
	client_open_share(c, script_then, &s);
	for (i = 0; i < 10; i++)
		smb_exchange_submit(client_echo(c), count, &done);
	smb_tree_put(c->tree);
	smb_session_put(c->session);
	smb_conn_put(c->conn);
	c->tree = NULL;
	c->session = NULL;
	c->conn = NULL;
	smb_transport_stop(&c->transport);
	assert_int_equal(completions, 10);
}

#define T(name) cmocka_unit_test_setup_teardown(name, client_setup, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bad_signature),
		T(test_changed_after_signing),
		T(test_unsigned),
		T(test_unknown_message_id),
		T(test_wrong_command),
		T(test_request_from_server),
		T(test_bad_chain),
		T(test_closed_with_request_pending),
		T(test_replayed_answer),
		T(test_no_credits),
		T(test_pending_then_silence),
		T(test_interim_then_final),
		T(test_two_interims),
		T(test_session_deleted),
		T(test_session_deleted_unsigned),
		T(test_break_of_nothing),
		T(test_many_breaks_of_nothing),
		T(test_sealed_break_of_an_idle_session),
		T(test_read),
		T(test_read_with_changed_data),
		T(test_read_of_too_much),
		T(test_read_broken_off),
		T(test_cancel_obeyed),
		T(test_cancel_ignored),
		T(test_cancel_races_with_answer),
		T(test_many_threads_few_credits),
		T(test_stop_with_requests_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
