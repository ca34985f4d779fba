/*
 * Streams over loopback: connecting and its failures, bytes in both directions, ends of every kind. The other side is
 * a plain socket in this test, so that it can misbehave.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "nt_test.h"

#include "nt_net.h"
#include "ntifs.h"

#define SECOND 10000000ull

/* A client of the loop, and what it has seen. Counters belong to the loop's thread until the event is set. */
struct client {
	struct nt_stream *stream;
	NTSTATUS connected, closed;
	unsigned int connected_calls, closed_calls;
	KEVENT connected_event, closed_event, bytes_event;
	unsigned char *buffer; /* where bytes go */
	size_t wanted, have;
	size_t step; /* how much is offered at once */
	bool close_in_received, close_in_connected;
};

static struct nt_loop *loop;

static void on_connected(void *context, NTSTATUS status)
{
	struct client *c = context;

	c->connected = status;
	c->connected_calls++;
	if (c->close_in_connected) {
		nt_stream_close(c->stream);
		c->stream = NULL;
	}
	KeSetEvent(&c->connected_event, 0, FALSE);
}

static void on_recv_buffer(void *context, void **buffer, size_t *length)
{
	static unsigned char rest[64];
	struct client *c = context;

	if (c->have == c->wanted) {
		*buffer = rest;
		*length = sizeof(rest);
		return;
	}
	*buffer = c->buffer + c->have;
	*length = c->wanted - c->have;
	if (c->step != 0 && *length > c->step)
		*length = c->step;
}

static void on_received(void *context, size_t length)
{
	struct client *c = context;

	assert_true(length > 0);
	if (c->have < c->wanted)
		c->have += length;
	assert_true(c->have <= c->wanted);
	if (c->close_in_received) {
		nt_stream_close(c->stream);
		c->stream = NULL;
		KeSetEvent(&c->bytes_event, 0, FALSE);
	} else if (c->have == c->wanted) {
		KeSetEvent(&c->bytes_event, 0, FALSE);
	}
}

static void on_closed(void *context, NTSTATUS status)
{
	struct client *c = context;

	c->closed = status;
	c->closed_calls++;
	KeSetEvent(&c->closed_event, 0, FALSE);
}

static const struct nt_stream_events events = {.connected = on_connected,
					       .recv_buffer = on_recv_buffer,
					       .received = on_received,
					       .closed = on_closed};

static void client_init(struct client *c)
{
	memset(c, 0, sizeof(*c));
	KeInitializeEvent(&c->connected_event, NotificationEvent, FALSE);
	KeInitializeEvent(&c->closed_event, NotificationEvent, FALSE);
	KeInitializeEvent(&c->bytes_event, NotificationEvent, FALSE);
}

/* Runs a function on the loop and waits for it. */
struct call {
	struct nt_loop_task task;
	void (*fn)(void *context);
	void *context;
	KEVENT done;
};

static void call_run(struct nt_loop_task *task)
{
	struct call *call = CONTAINING_RECORD(task, struct call, task);

	call->fn(call->context);
	KeSetEvent(&call->done, 0, FALSE);
}

static void on_loop(void (*fn)(void *context), void *context)
{
	struct call call = {.task.fn = call_run, .fn = fn, .context = context};

	KeInitializeEvent(&call.done, NotificationEvent, FALSE);
	nt_loop_post(loop, &call.task);
	nt_test_wait(&call.done);
}

static void do_close(void *context)
{
	struct client *c = context;

	nt_stream_close(c->stream);
	c->stream = NULL;
}

static int setup(void **state)
{
	if (nt_test_setup(state) != 0)
		return -1;
	return NT_SUCCESS(nt_loop_create("net", &loop)) ? 0 : -1;
}

static int teardown(void **state)
{
	nt_loop_destroy(loop);
	return nt_test_teardown(state);
}

/* A listener on a free port of 127.0.0.1. */
static int listener(USHORT *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	assert_true(fd >= 0);
	/* Small, so that large sends meet a full buffer. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

/* A connected pair: our stream in c, the other side as a socket with a limit on its calls. */
static int connected_pair(struct client *c)
{
	struct timeval limit = {.tv_sec = NT_TEST_LIMIT_S};
	USHORT port;
	int l = listener(&port), peer;

	assert_int_equal(nt_stream_connect(loop, "127.0.0.1", port, 10 * SECOND, &events, c, &c->stream),
			 STATUS_SUCCESS);
	peer = accept(l, NULL, NULL);
	assert_true(peer >= 0);
	setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	close(l);
	nt_test_wait(&c->connected_event);
	assert_int_equal(c->connected, STATUS_SUCCESS);
	return peer;
}

static void send_all(int fd, const unsigned char *bytes, size_t length)
{
	while (length != 0) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

		assert_true(n > 0);
		bytes += n;
		length -= (size_t)n;
	}
}

static void fill(unsigned char *bytes, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (unsigned char)((i * 2654435761u + seed) >> 11);
}

static void test_connect_refused(void **state)
{
	/* A closed port answers STATUS_CONNECTION_REFUSED, once, and nothing follows. */
	struct client c;
	USHORT port;

	(void)state;
	client_init(&c);
	close(listener(&port));
	assert_int_equal(nt_stream_connect(loop, "127.0.0.1", port, 10 * SECOND, &events, &c, &c.stream),
			 STATUS_SUCCESS);
	nt_test_wait(&c.connected_event);
	assert_int_equal(c.connected, STATUS_CONNECTION_REFUSED);
	on_loop(do_close, &c);
	assert_int_equal(c.connected_calls, 1);
	assert_int_equal(c.closed_calls, 0);
}

static void test_unknown_host(void **state)
{
	/* A name that nobody has (RFC 6761: .invalid) answers STATUS_BAD_NETWORK_PATH. */
	struct client c;

	(void)state;
	client_init(&c);
	assert_int_equal(nt_stream_connect(loop, "nobody.invalid", 445, 15 * SECOND, &events, &c, &c.stream),
			 STATUS_SUCCESS);
	nt_test_wait(&c.connected_event);
	assert_int_equal(c.connected, STATUS_BAD_NETWORK_PATH);
	on_loop(do_close, &c);
	assert_int_equal(nt_stream_connect(loop, "", 445, SECOND, &events, &c, &c.stream),
			 STATUS_INVALID_PARAMETER);
	assert_null(c.stream);
}

static void test_connect_by_name(void **state)
{
	/* A name is resolved away from the loop, and the stream then carries bytes. */
	struct client c;
	unsigned char got[5];
	USHORT port;
	int l = listener(&port), peer;

	(void)state;
	client_init(&c);
	c.buffer = got;
	c.wanted = sizeof(got);
	assert_int_equal(nt_stream_connect(loop, "localhost", port, 10 * SECOND, &events, &c, &c.stream),
			 STATUS_SUCCESS);
	peer = accept(l, NULL, NULL);
	nt_test_wait(&c.connected_event);
	assert_int_equal(c.connected, STATUS_SUCCESS);
	send_all(peer, (const unsigned char *)"hello", 5);
	nt_test_wait(&c.bytes_event);
	assert_memory_equal(got, "hello", 5);
	on_loop(do_close, &c);
	close(peer);
	close(l);
}

static void test_connect_times_out(void **state)
{
	/* A peer whose queue is full does not answer: STATUS_IO_TIMEOUT at the limit. */
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l, blockers[8];
	struct client c;
	USHORT port;

	(void)state;
	l = listener(&port);
	assert_int_equal(listen(l, 0), 0);
	at.sin_port = htons(port);
	for (int i = 0; i < 8; i++) { /* fills the queue; nobody accepts */
		blockers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(blockers[i], (struct sockaddr *)&at, sizeof(at));
	}
	client_init(&c);
	assert_int_equal(nt_stream_connect(loop, "127.0.0.1", port, SECOND / 4, &events, &c, &c.stream),
			 STATUS_SUCCESS);
	nt_test_wait(&c.connected_event);
	assert_int_equal(c.connected, STATUS_IO_TIMEOUT);
	on_loop(do_close, &c);
	for (int i = 0; i < 8; i++)
		close(blockers[i]);
	close(l);
}

#define CLOSED_EARLY 50
static struct client closed_early[CLOSED_EARLY];
static unsigned int calls_at_close[CLOSED_EARLY];

static void test_close_while_connecting(void **state)
{
	/* After nt_stream_close() no event comes, not even connected(); also while a name is being looked up. */
	USHORT port;
	int l = listener(&port);

	(void)state;
	for (int i = 0; i < CLOSED_EARLY; i++) {
		struct client *c = &closed_early[i];

		client_init(c);
		assert_int_equal(nt_stream_connect(loop, i % 2 ? "localhost" : "127.0.0.1", port, 10 * SECOND,
						   &events, c, &c->stream),
				 STATUS_SUCCESS);
		on_loop(do_close, c);
		calls_at_close[i] = c->connected_calls;
	}
	nt_loop_destroy(loop); /* after this, nothing can come */
	for (int i = 0; i < CLOSED_EARLY; i++) {
		assert_int_equal(closed_early[i].connected_calls, calls_at_close[i]);
		assert_int_equal(closed_early[i].closed_calls, 0);
	}
	assert_int_equal(nt_loop_create("net", &loop), STATUS_SUCCESS);
	close(l);
}

static void test_close_inside_callbacks(void **state)
{
	/* A stream may be closed in connected() and in received(); no callback follows. */
	unsigned char byte[1];
	struct client c;
	USHORT port;
	int l = listener(&port), peer;

	(void)state;
	client_init(&c);
	c.close_in_connected = true;
	assert_int_equal(nt_stream_connect(loop, "127.0.0.1", port, 10 * SECOND, &events, &c, &c.stream),
			 STATUS_SUCCESS);
	nt_test_wait(&c.connected_event);
	close(l);

	client_init(&c);
	peer = connected_pair(&c);
	c.close_in_received = true;
	c.buffer = byte;
	c.wanted = 1;
	send_all(peer, (const unsigned char *)"many bytes behind the first", 27);
	nt_test_wait(&c.bytes_event);
	assert_int_equal(c.have, 1);
	assert_int_equal(c.closed_calls, 0);
	assert_null(c.stream);
	close(peer);
}

static void test_receive_lands_where_asked(void **state)
{
	/* Bytes arrive complete, in order and where the consumer wants them, whatever sizes it asks for. */
	static const size_t steps[] = {1, 4, 7, 64, 4096, 8191, 8192, 8193, 65536, 0};
	size_t length = 300 * 1000;
	unsigned char *sent = malloc(length), *got = malloc(length);

	(void)state;
	fill(sent, length, 1);
	for (size_t i = 0; i < RTL_NUMBER_OF(steps); i++) {
		struct client c;
		int peer;

		memset(got, 0, length);
		client_init(&c);
		c.buffer = got;
		c.wanted = length;
		c.step = steps[i];
		peer = connected_pair(&c);
		send_all(peer, sent, length);
		nt_test_wait(&c.bytes_event);
		assert_memory_equal(sent, got, length);
		on_loop(do_close, &c);
		close(peer);
	}
	free(sent);
	free(got);
}

static void test_peer_closes(void **state)
{
	/* The peer's end comes after all of its bytes, as STATUS_CONNECTION_DISCONNECTED, once. */
	unsigned char got[100000], sent[100000];
	struct client c;
	int peer;

	(void)state;
	fill(sent, sizeof(sent), 2);
	client_init(&c);
	c.buffer = got;
	c.wanted = sizeof(got);
	peer = connected_pair(&c);
	send_all(peer, sent, sizeof(sent));
	close(peer);
	nt_test_wait(&c.closed_event);
	assert_int_equal(c.closed, STATUS_CONNECTION_DISCONNECTED);
	assert_int_equal(c.have, sizeof(got));
	assert_memory_equal(sent, got, sizeof(got));
	on_loop(do_close, &c);
	assert_int_equal(c.closed_calls, 1);
}

static void test_peer_resets(void **state)
{
	/* A reset ends the stream with STATUS_CONNECTION_RESET. */
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	struct client c;
	int peer;

	(void)state;
	client_init(&c);
	peer = connected_pair(&c);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(peer);
	nt_test_wait(&c.closed_event);
	assert_int_equal(c.closed, STATUS_CONNECTION_RESET);
	on_loop(do_close, &c);
}

/* Sending */
struct sending {
	struct nt_send send;
	struct iovec iov[8];
	struct client *client;
	NTSTATUS status;
	unsigned int calls;
	KEVENT done;
};

static void on_sent(struct nt_send *send, NTSTATUS status)
{
	struct sending *s = CONTAINING_RECORD(send, struct sending, send);

	s->status = status;
	s->calls++;
	KeSetEvent(&s->done, 0, FALSE);
}

static void sending_init(struct sending *s, struct client *c)
{
	memset(s, 0, sizeof(*s));
	s->client = c;
	s->send.iov = s->iov;
	s->send.done = on_sent;
	KeInitializeEvent(&s->done, NotificationEvent, FALSE);
}

static void do_send(void *context)
{
	struct sending *s = context;

	nt_stream_send(s->client->stream, &s->send);
}

static void test_gathered_send_with_short_writes(void **state)
{
	/* A gathered send larger than every buffer arrives whole and in order, though the socket takes it in parts. */
	size_t part = 3 * 1000 * 1000 + 17, total = 4 * part, have = 0;
	unsigned char *bytes = malloc(total), *got = malloc(total);
	struct sending s, empty;
	struct client c;
	int peer;

	(void)state;
	fill(bytes, total, 3);
	client_init(&c);
	peer = connected_pair(&c);
	sending_init(&s, &c);
	for (unsigned int i = 0; i < 8; i++) /* every second part is empty */
		s.iov[i] = (struct iovec){bytes + (i / 2) * part, i % 2 ? part : 0};
	s.send.count = 8;
	on_loop(do_send, &s);
	sending_init(&empty, &c); /* a send of nothing is done when those before it are */
	on_loop(do_send, &empty);
	assert_int_equal(s.calls, 0); /* the peer has not read: the sender must not wait for it */
	while (have < total) {
		ssize_t n = recv(peer, got + have, total - have, 0);

		assert_true(n > 0);
		have += (size_t)n;
	}
	nt_test_wait(&s.done);
	nt_test_wait(&empty.done);
	assert_int_equal(s.status, STATUS_SUCCESS);
	assert_int_equal(empty.status, STATUS_SUCCESS);
	assert_memory_equal(bytes, got, total);
	on_loop(do_close, &c);
	close(peer);
	free(bytes);
	free(got);
}

#define MANY 500
static struct sending many[MANY];

static void do_send_many(void *context)
{
	static unsigned char number[MANY];

	for (unsigned int i = 0; i < MANY; i++) {
		number[i] = (unsigned char)i;
		sending_init(&many[i], context);
		many[i].iov[0] = (struct iovec){&number[i], 1};
		many[i].send.count = 1;
		nt_stream_send(many[i].client->stream, &many[i].send);
	}
}

static void test_many_small_sends_keep_order(void **state)
{
	/* Sends of one turn leave together, in order, and each is done once. */
	unsigned char got[MANY];
	struct client c;
	size_t have = 0;
	int peer;

	(void)state;
	client_init(&c);
	peer = connected_pair(&c);
	on_loop(do_send_many, &c);
	while (have < MANY) {
		ssize_t n = recv(peer, got + have, MANY - have, 0);

		assert_true(n > 0);
		have += (size_t)n;
	}
	for (unsigned int i = 0; i < MANY; i++) {
		nt_test_wait(&many[i].done);
		assert_int_equal(got[i], (unsigned char)i);
		assert_int_equal(many[i].status, STATUS_SUCCESS);
		assert_int_equal(many[i].calls, 1);
	}
	on_loop(do_close, &c);
	close(peer);
}

static void test_sends_end_with_the_stream(void **state)
{
	/* Sends that wait end with the stream: STATUS_CONNECTION_ABORTED at close, the reason after the peer's end. */
	size_t length = 16 * 1000 * 1000;
	unsigned char *bytes = calloc(1, length);
	struct sending s, late;
	struct client c;
	int peer;

	(void)state;
	client_init(&c);
	peer = connected_pair(&c);
	sending_init(&s, &c);
	s.iov[0] = (struct iovec){bytes, length};
	s.send.count = 1;
	on_loop(do_send, &s);
	on_loop(do_close, &c);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.status, STATUS_CONNECTION_ABORTED);
	close(peer);

	client_init(&c);
	peer = connected_pair(&c);
	sending_init(&s, &c);
	s.iov[0] = (struct iovec){bytes, length};
	s.send.count = 1;
	on_loop(do_send, &s);
	close(peer);
	nt_test_wait(&c.closed_event);
	nt_test_wait(&s.done);
	assert_false(NT_SUCCESS(s.status));
	sending_init(&late, &c); /* sent after the end: still answered */
	late.iov[0] = (struct iovec){bytes, 1};
	late.send.count = 1;
	on_loop(do_send, &late);
	nt_test_wait(&late.done);
	assert_int_equal(late.status, c.closed);
	on_loop(do_close, &c);
	free(bytes);
}

static void test_half_closed_peer_still_reads(void **state)
{
	/* Our bytes still reach a peer that has only said that it sends no more; then the stream ends. */
	unsigned char got[3];
	struct sending s;
	struct client c;
	int peer;

	(void)state;
	client_init(&c);
	peer = connected_pair(&c);
	sending_init(&s, &c);
	s.iov[0] = (struct iovec){(void *)(uintptr_t) "abc", 3};
	s.send.count = 1;
	on_loop(do_send, &s);
	nt_test_wait(&s.done);
	assert_int_equal(s.status, STATUS_SUCCESS);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	nt_test_wait(&c.closed_event);
	assert_int_equal(c.closed, STATUS_CONNECTION_DISCONNECTED);
	assert_int_equal(recv(peer, got, 3, MSG_WAITALL), 3);
	assert_memory_equal(got, "abc", 3);
	on_loop(do_close, &c);
	close(peer);
}

/* Timers and tasks */
struct timing {
	struct nt_loop_timer timer[4];
	char order[8];
	KEVENT done;
};
static struct timing timing;

static void on_timer(struct nt_loop_timer *timer)
{
	size_t n = strlen(timing.order);

	timing.order[n] = (char)('0' + (timer - timing.timer));
	if (n == 2)
		KeSetEvent(&timing.done, 0, FALSE);
}

static void do_timers(void *context)
{
	(void)context;
	for (int i = 0; i < 4; i++)
		nt_loop_timer_init(&timing.timer[i], loop, on_timer);
	nt_loop_timer_set(&timing.timer[0], 300000);
	nt_loop_timer_set(&timing.timer[1], 100000);
	nt_loop_timer_set(&timing.timer[2], 10);
	nt_loop_timer_set(&timing.timer[3], 50000);
	nt_loop_timer_cancel(&timing.timer[3]);
	nt_loop_timer_cancel(&timing.timer[3]);
	nt_loop_timer_set(&timing.timer[2], 200000); /* moved */
}

static void test_timers_fire_in_order(void **state)
{
	/* Timers fire by their time, once; a cancelled one never, a moved one at its new time. */
	(void)state;
	memset(&timing, 0, sizeof(timing));
	KeInitializeEvent(&timing.done, NotificationEvent, FALSE);
	on_loop(do_timers, NULL);
	nt_test_wait(&timing.done);
	assert_string_equal(timing.order, "120");
}

#define POSTERS 4
#define POSTS 2000
struct posted {
	struct nt_loop_task task;
	unsigned int poster, number;
};
static struct posted posted[POSTERS][POSTS];
static unsigned int next_number[POSTERS], out_of_order;

static void on_posted(struct nt_loop_task *task)
{
	struct posted *p = CONTAINING_RECORD(task, struct posted, task);

	if (next_number[p->poster]++ != p->number)
		out_of_order++;
}

static void poster_main(void *context)
{
	unsigned int who = (unsigned int)(uintptr_t)context;

	for (unsigned int i = 0; i < POSTS; i++) {
		posted[who][i] = (struct posted){.task.fn = on_posted, .poster = who, .number = i};
		nt_loop_post(loop, &posted[who][i].task);
	}
}

static void test_tasks_from_many_threads(void **state)
{
	/* Every posted task runs, each poster's in its order; those that wait at the end run before it. */
	struct nt_thread *threads[POSTERS];

	(void)state;
	memset(next_number, 0, sizeof(next_number));
	out_of_order = 0;
	for (uintptr_t i = 0; i < POSTERS; i++)
		assert_int_equal(nt_thread_create("poster", poster_main, (void *)i, &threads[i]),
				 STATUS_SUCCESS);
	for (int i = 0; i < POSTERS; i++)
		nt_thread_join(threads[i]);
	nt_loop_destroy(loop);
	for (int i = 0; i < POSTERS; i++)
		assert_int_equal(next_number[i], POSTS);
	assert_int_equal(out_of_order, 0);
	assert_int_equal(nt_loop_create("net", &loop), STATUS_SUCCESS);
}

static void wait_on_the_loop(struct nt_loop_task *task)
{
	LARGE_INTEGER limit = nt_test_ms(1000);

	(void)task;
	KeDelayExecutionThread(KernelMode, FALSE, &limit);
}

static void post_a_task_that_waits(void)
{
	struct nt_loop_task task = {.fn = wait_on_the_loop};

	NT_TEST_START_IN_CHILD();
	if (!NT_SUCCESS(nt_loop_create("net", &loop)))
		_exit(3);
	nt_loop_post(loop, &task);
	nt_loop_destroy(loop);
}

static void test_callbacks_must_not_wait(void **state)
{
	/* A callback that waits on the loop's thread stops the process: it would stall every stream. */
	(void)state;
	assert_true(nt_test_dies(post_a_task_that_waits, "DISPATCH_LEVEL"));
}

static void sim_main(void *context)
{
	struct nt_loop *l;

	*(NTSTATUS *)context = nt_loop_create("net", &l);
}

static void test_sim_refuses(void **state)
{
	/* The deterministic executive has no network and says so. */
	NTSTATUS status = STATUS_SUCCESS;

	(void)state;
	assert_int_equal(nt_sim_run(1, sim_main, &status), 0);
	assert_int_equal(status, STATUS_NOT_SUPPORTED);
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(test_connect_refused),
		NET_TEST(test_unknown_host),
		NET_TEST(test_connect_by_name),
		NET_TEST(test_connect_times_out),
		NET_TEST(test_close_while_connecting),
		NET_TEST(test_close_inside_callbacks),
		NET_TEST(test_receive_lands_where_asked),
		NET_TEST(test_peer_closes),
		NET_TEST(test_peer_resets),
		NET_TEST(test_gathered_send_with_short_writes),
		NET_TEST(test_many_small_sends_keep_order),
		NET_TEST(test_sends_end_with_the_stream),
		NET_TEST(test_half_closed_peer_still_reads),
		NET_TEST(test_timers_fire_in_order),
		NET_TEST(test_tasks_from_many_threads),
		cmocka_unit_test(test_callbacks_must_not_wait),
		cmocka_unit_test(test_sim_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
