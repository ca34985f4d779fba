/*
 * Many streams at once against echoing peers that take and give bytes in odd pieces: every byte comes back, in order,
 * whatever the sizes; and streams that are closed in the middle take nothing else with them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "nt_test.h"

#include "nt_net.h"
#include "ntifs.h"

#define STREAMS 12
#define MESSAGES 150
#define MAX_BYTES 40000
#define PARTS 5

struct message {
	struct nt_send send;
	struct iovec iov[PARTS];
	struct talker *talker;
	unsigned char *bytes;
	size_t length;
};

/* One stream that says MESSAGES things and compares what comes back; all of it on the loop's thread. */
struct talker {
	struct nt_stream *stream;
	struct nt_loop_task begin;
	uint64_t random;
	unsigned int said, in_flight;
	unsigned int abandon_after; /* messages; 0: stays to the end */
	size_t total_said, total_heard;
	uint64_t said_sum, heard_sum;
	unsigned char buffer[50000];
	unsigned int closed_calls;
	KEVENT done;
};

static struct nt_loop *loop;
static struct talker talkers[STREAMS];

/* A small generator, so that a run can be repeated. */
static uint64_t draw(uint64_t *state, uint64_t limit)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (*state >> 33) % limit;
}

/* A sum in which place counts: the n-th byte of the stream weighs n + 1. */
static void add_sum(uint64_t *sum, size_t *count, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		*sum += (uint64_t)bytes[i] * ++*count;
}

static void finish(struct talker *t)
{
	nt_stream_close(t->stream);
	t->stream = NULL;
	KeSetEvent(&t->done, 0, FALSE);
}

static void say_more(struct talker *t);

static void on_said(struct nt_send *send, NTSTATUS status)
{
	struct message *m = CONTAINING_RECORD(send, struct message, send);
	struct talker *t = m->talker;

	free(m->bytes);
	free(m);
	t->in_flight--;
	if (NT_SUCCESS(status))
		say_more(t);
}

static void say_one(struct talker *t)
{
	struct message *m = calloc(1, sizeof(*m));
	size_t at = 0;

	m->talker = t;
	m->length = 1 + draw(&t->random, MAX_BYTES);
	m->bytes = malloc(m->length);
	for (size_t i = 0; i < m->length; i++)
		m->bytes[i] = (unsigned char)draw(&t->random, 256);
	for (unsigned int i = 0; i < PARTS; i++) {
		size_t part = i == PARTS - 1 ? m->length - at : draw(&t->random, m->length - at + 1);

		m->iov[i] = (struct iovec){m->bytes + at, part};
		at += part;
	}
	m->send.iov = m->iov;
	m->send.count = PARTS;
	m->send.done = on_said;
	add_sum(&t->said_sum, &t->total_said, m->bytes, m->length);
	t->said++;
	t->in_flight++;
	nt_stream_send(t->stream, &m->send);
}

static void say_more(struct talker *t)
{
	while (t->stream != NULL && t->said < MESSAGES && t->in_flight < 1 + draw(&t->random, 4)) {
		if (t->abandon_after != 0 && t->said == t->abandon_after) {
			finish(t);
			return;
		}
		say_one(t);
	}
}

static void on_connected(void *context, NTSTATUS status)
{
	assert_int_equal(status, STATUS_SUCCESS);
	say_more(context);
}

static void on_recv_buffer(void *context, void **buffer, size_t *length)
{
	struct talker *t = context;

	*buffer = t->buffer;
	*length = 1 + draw(&t->random, draw(&t->random, 2) ? 16 : sizeof(t->buffer));
}

static void on_received(void *context, size_t length)
{
	struct talker *t = context;

	add_sum(&t->heard_sum, &t->total_heard, t->buffer, length);
	if (t->said == MESSAGES && t->total_heard == t->total_said)
		finish(t);
}

static void on_closed(void *context, NTSTATUS status)
{
	struct talker *t = context;

	(void)status;
	t->closed_calls++;
	KeSetEvent(&t->done, 0, FALSE);
}

static const struct nt_stream_events events = {.connected = on_connected,
					       .recv_buffer = on_recv_buffer,
					       .received = on_received,
					       .closed = on_closed};

/* Echoes in odd pieces until the other side is gone. */
static void echo_main(void *context)
{
	int fd = (int)(intptr_t)context;
	unsigned char bytes[30000];
	uint64_t random = (uint64_t)fd * 77;
	ssize_t n;

	while ((n = recv(fd, bytes, 1 + draw(&random, sizeof(bytes)), 0)) > 0) {
		for (ssize_t at = 0; at < n;) {
			size_t piece = 1 + draw(&random, (uint64_t)(n - at));
			ssize_t sent = send(fd, bytes + at, piece, MSG_NOSIGNAL);

			if (sent <= 0)
				goto out;
			at += sent;
		}
	}
out:
	close(fd);
}

static void test_echo_of_many_streams(void **state)
{
	/* All that is said comes back; a third of the streams leaves in the middle and disturbs nobody. */
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct nt_thread *echoes[STREAMS];
	socklen_t length = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(nt_loop_create("net", &loop), STATUS_SUCCESS);
	assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(l, STREAMS), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&at, &length), 0);
	for (unsigned int i = 0; i < STREAMS; i++) {
		struct talker *t = &talkers[i];

		memset(t, 0, sizeof(*t));
		t->random = i + 1;
		t->abandon_after = i % 3 == 2 ? 1 + i * 10 : 0;
		KeInitializeEvent(&t->done, NotificationEvent, FALSE);
		assert_int_equal(nt_stream_connect(loop, "127.0.0.1", ntohs(at.sin_port), 100000000, &events,
						   t, &t->stream),
				 STATUS_SUCCESS);
	}
	for (unsigned int i = 0; i < STREAMS; i++) {
		int fd = accept(l, NULL, NULL);

		assert_true(fd >= 0);
		assert_int_equal(nt_thread_create("echo", echo_main, (void *)(intptr_t)fd, &echoes[i]),
				 STATUS_SUCCESS);
	}
	for (unsigned int i = 0; i < STREAMS; i++)
		nt_test_wait(&talkers[i].done);
	for (unsigned int i = 0; i < STREAMS; i++)
		nt_thread_join(echoes[i]);
	nt_loop_destroy(loop);
	for (unsigned int i = 0; i < STREAMS; i++) {
		struct talker *t = &talkers[i];

		assert_int_equal(t->closed_calls, 0);
		assert_int_equal(t->in_flight, 0);
		if (t->abandon_after != 0)
			continue;
		assert_int_equal(t->said, MESSAGES);
		assert_true(t->total_heard == t->total_said && t->heard_sum == t->said_sum);
	}
	close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_echo_of_many_streams, nt_test_setup, nt_test_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
