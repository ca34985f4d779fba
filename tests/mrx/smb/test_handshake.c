/*
 * A server that is none, stops, lies or breaks off while a connection is being made: each ends with its own status,
 * within the time limit, and leaves nothing behind (checked by the teardown of every test).
 */
#include "smb_test.h"

static void script_silent(struct fake_conn *f)
{
	(void)fake_read(f);
	(void)fake_wait_closed(f);
}

/* A server that never answers NEGOTIATE is given up at the deadline. */
static void test_silence_at_negotiate(void **state)
{
	struct client *c = *state;

	assert_int_equal(client_connect(c, script_silent, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_IO_TIMEOUT);
	client_assert_within(c, 3);
	assert_true(smb_conn_is_dead(c->conn));
}

static void script_silent_login(struct fake_conn *f)
{
	if (fake_negotiate(f))
		script_silent(f);
}

/* ... and so is one that stops in the middle of a login. */
static void test_silence_at_login(void **state)
{
	struct client *c = *state;

	assert_int_equal(client_connect(c, script_silent_login, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_SUCCESS);
	assert_int_equal(client_login(c), STATUS_IO_TIMEOUT);
	client_assert_within(c, 3);
}

static void script_close(struct fake_conn *f)
{
	(void)fake_read(f);
}

/* A server that hangs up instead of answering. */
static void test_close_at_negotiate(void **state)
{
	struct client *c = *state;

	assert_int_equal(client_connect(c, script_close, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_CONNECTION_DISCONNECTED);
	client_assert_within(c, 2);
}

static void script_half(struct fake_conn *f)
{
	static const uint8_t half[] = {0, 0, 0, 200, 0xfe, 'S', 'M', 'B', 64, 0};

	(void)fake_read(f);
	fake_send_raw(f, half, sizeof(half));
}

/* A server that hangs up in the middle of its answer. */
static void test_close_in_the_middle_of_an_answer(void **state)
{
	struct client *c = *state;

	assert_int_equal(client_connect(c, script_half, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_CONNECTION_DISCONNECTED);
	client_assert_within(c, 2);
}

static void script_bytes(struct fake_conn *f)
{
	const struct wire_slice *bytes = f->server->context;

	(void)fake_read(f);
	fake_send_raw(f, bytes->p, bytes->len);
	(void)fake_wait_closed(f);
}

static void answer_is_refused(struct client *c, const void *bytes, size_t len)
{
	static struct wire_slice answer; /* the server may still send when the client has seen enough */

	answer = (struct wire_slice){bytes, len};
	assert_int_equal(client_connect(c, script_bytes, &answer), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_INVALID_NETWORK_RESPONSE);
	client_assert_within(c, 2);
}

/* Bytes of another protocol are refused as soon as they are seen. */
static void test_another_protocol(void **state)
{
	static const char http[] = "HTTP/1.0 400 Bad Request\r\n\r\n";

	answer_is_refused(*state, http, sizeof(http) - 1);
}

/* A length beyond anything that was asked for is not waited for, and no memory is taken for it. */
static void test_oversized(void **state)
{
	static const uint8_t prefix[] = {0, 0xff, 0xff, 0xff};

	answer_is_refused(*state, prefix, sizeof(prefix));
}

/* A message too short for a header. */
static void test_too_short(void **state)
{
	static const uint8_t message[] = {0, 0, 0, 10, 0xfe, 'S', 'M', 'B', 64, 0, 0, 0, 0, 0};

	answer_is_refused(*state, message, sizeof(message));
}

/* An SMB1 answer. */
static void test_smb1(void **state)
{
	static const uint8_t message[4 + 80] = {0, 0, 0, 80, 0xff, 'S', 'M', 'B'};

	answer_is_refused(*state, message, sizeof(message));
}

/* A compressed message: compression was never agreed on. */
static void test_compressed(void **state)
{
	static const uint8_t message[4 + 80] = {0, 0, 0, 80, 0xfc, 'S', 'M', 'B'};

	answer_is_refused(*state, message, sizeof(message));
}

/* A sealed message before there is a session. */
static void test_sealed_too_early(void **state)
{
	static const uint8_t message[4 + 80] = {0, 0, 0, 80, 0xfd, 'S', 'M', 'B'};

	answer_is_refused(*state, message, sizeof(message));
}

static void script_truncated_body(struct fake_conn *f)
{
	struct smb2_hdr hdr;

	(void)fake_read(f);
	hdr = fake_answer_header(f, 0);
	memset(f->out, 0, 100);
	f->out[64] = 65; /* StructureSize of a NEGOTIATE answer whose rest is missing */
	fake_seal_answer(f, &hdr, 64 + 20);
	fake_send_answer(f);
	(void)fake_wait_closed(f);
}

/* An answer whose body is shorter than its kind. */
static void test_truncated_body(void **state)
{
	struct client *c = *state;

	assert_int_equal(client_connect(c, script_truncated_body, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_INVALID_NETWORK_RESPONSE);
	client_assert_within(c, 2);
}

static void script_negotiate(struct fake_conn *f)
{
	if (fake_negotiate(f))
		fake_serve_end(f);
}

/* A dialect that was not offered is refused. */
static void test_dialect_not_offered(void **state)
{
	struct client *c = *state;

	c->options.min_dialect = SMB2_DIALECT_300; /* the server answers 2.1 whatever it is offered */
	assert_int_equal(client_connect(c, script_negotiate, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_NOT_SUPPORTED);
}

static void script_login_refused(struct fake_conn *f)
{
	if (fake_negotiate(f) && fake_read(f))
		fake_answer_error(f, 0xC000006Du);
	fake_serve_end(f);
}

/* The server's own reason reaches the caller. */
static void test_login_refused(void **state)
{
	struct client *c = *state;

	assert_int_equal(client_connect(c, script_login_refused, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_SUCCESS);
	assert_int_equal(client_login(c), STATUS_LOGON_FAILURE);
	assert_null(c->session);
}

/* A guest session where a user logs in, with or without a demand for signatures, is refused. */
static void script_guest(struct fake_conn *f)
{
	struct smb2_session_setup_response rsp = {.session_flags = SMB2_SESSION_FLAG_IS_GUEST};
	struct smb2_hdr hdr;

	if (!fake_negotiate(f) || !fake_read(f))
		return;
	hdr = fake_answer_header(f, 0);
	hdr.session_id = FAKE_SESSION_ID;
	fake_seal_answer(f, &hdr, smb2_session_setup_response_encode(f->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(f);
	fake_serve_end(f);
}

static void test_guest_instead_of_user(void **state)
{
	struct client *c = *state;

	assert_int_equal(client_connect(c, script_guest, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_SUCCESS);
	assert_int_equal(client_login(c), STATUS_LOGON_FAILURE);
}

static void test_guest_cannot_sign(void **state)
{
	struct client *c = *state;

	c->options.guest = true;
	c->options.sign = true;
	assert_int_equal(client_connect(c, script_guest, NULL), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_SUCCESS);
	assert_int_equal(client_login(c), STATUS_ACCESS_DENIED);
}

/* A closed port is told at once. */
static void test_refused(void **state)
{
	struct client *c = *state;

	assert_int_equal(
		smb_conn_connect(&c->transport, "127.0.0.1", 1, SMB_SECOND, &c->options.conn, &c->conn),
		STATUS_CONNECTION_REFUSED);
	assert_null(c->conn);
}

static void script_whole(struct fake_conn *f)
{
	if (fake_handshake(f))
		fake_serve_end(f);
}

/* The way that all the others stray from: negotiate, log in, connect, say goodbye. */
static void test_whole_handshake(void **state)
{
	struct client *c = *state;

	client_open_share(c, script_whole, NULL);
	assert_int_equal(client_run(client_echo(c)), STATUS_SUCCESS);
	assert_int_equal(c->session->id, FAKE_SESSION_ID);
	assert_int_equal(c->tree->id, FAKE_TREE_ID);
}

/* One connect, login and tree connect; everything is let go again. */
static NTSTATUS whole_way(struct client *c)
{
	UNICODE_STRING share = NT_STR(u"share");
	NTSTATUS status = smb_conn_connect(&c->transport, "127.0.0.1", c->server.port, 2 * SMB_SECOND,
					   &c->options.conn, &c->conn);

	if (status == STATUS_SUCCESS)
		status = client_negotiate(c);
	if (status == STATUS_SUCCESS)
		status = client_login(c);
	if (status == STATUS_SUCCESS)
		status = smb_tree_connect(c->session, &c->options, &share, client_deadline(), &c->tree);
	smb_tree_put(c->tree);
	smb_session_put(c->session);
	smb_conn_put(c->conn);
	c->tree = NULL;
	c->session = NULL;
	c->conn = NULL;
	return status;
}

/* Whichever allocation fails on the way, the caller gets an error, and nothing is left (the teardown looks). */
static void test_each_allocation_failure(void **state)
{
	struct client *c = *state;
	NTSTATUS status;
	long n = 0;
	bool fired;

	assert_true(fake_start(&c->server, script_whole, NULL));
	do {
		nt_fault_arm(n++);
		status = whole_way(c);
		fired = nt_fault_disarm();
		if (!fired)
			assert_int_equal(status, STATUS_SUCCESS);
		assert_true(n < 500);
	} while (fired);
}

#define T(name) cmocka_unit_test_setup_teardown(name, client_setup, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whole_handshake),
		T(test_refused),
		T(test_silence_at_negotiate),
		T(test_silence_at_login),
		T(test_close_at_negotiate),
		T(test_close_in_the_middle_of_an_answer),
		T(test_another_protocol),
		T(test_oversized),
		T(test_too_short),
		T(test_smb1),
		T(test_compressed),
		T(test_sealed_too_early),
		T(test_truncated_body),
		T(test_dialect_not_offered),
		T(test_login_refused),
		T(test_guest_instead_of_user),
		T(test_guest_cannot_sign),
		T(test_each_allocation_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
