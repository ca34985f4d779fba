/*
 * Who runs a loop: a thread that brings something, a thread that waits for something, or the loop's own; one at a
 * time, and nothing is ever left lying.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "nt_test.h"

#include "nt_net.h"
#include "ntifs.h"

static struct nt_loop *loop;

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

/* A task that notes who ran it, and in what guise. */
struct noted {
	struct nt_loop_task task;
	volatile LONG runs;
	PKTHREAD thread;
	KIRQL irql;
	PIRP top_level;
	bool current;
	KEVENT done;
};

static void note(struct nt_loop_task *task)
{
	struct noted *n = CONTAINING_RECORD(task, struct noted, task);

	n->thread = KeGetCurrentThread();
	n->irql = KeGetCurrentIrql();
	n->top_level = IoGetTopLevelIrp();
	n->current = nt_loop_is_current(loop);
	InterlockedIncrement(&n->runs);
	KeSetEvent(&n->done, 0, FALSE);
}

static void noted_init(struct noted *n)
{
	memset(n, 0, sizeof(*n));
	n->task.fn = note;
	KeInitializeEvent(&n->done, NotificationEvent, FALSE);
}

static void test_call_runs_here(void **state)
{
	/* A called task runs on the caller's thread before the call returns, when nobody else runs the loop. */
	struct noted n;
	unsigned int here = 0;
	bool has_run;

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		noted_init(&n);
		nt_loop_call(loop, &n.task);
		/* the loop's thread may be at it just now */
		has_run = InterlockedCompareExchange(&n.runs, 0, 0) == 1;
		nt_test_wait(&n.done);
		here += has_run && n.thread == KeGetCurrentThread();
		assert_true(n.current);
		assert_int_equal(n.runs, 1);
	}
	assert_true(here > 100); /* the loop's thread may be busy with its start */
	assert_false(nt_loop_is_current(loop));
}

static void test_callbacks_see_nothing_of_the_caller(void **state)
{
	/* A callback runs at DISPATCH_LEVEL without the caller's top-level IRP; both are the caller's again after it. */
	struct noted n;
	KIRQL irql;

	(void)state;
	IoSetTopLevelIrp((PIRP)(uintptr_t)FSRTL_FSP_TOP_LEVEL_IRP);
	noted_init(&n);
	nt_loop_call(loop, &n.task);
	nt_test_wait(&n.done);
	assert_int_equal(n.irql, DISPATCH_LEVEL);
	assert_null(n.top_level);
	assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
	assert_ptr_equal(IoGetTopLevelIrp(), (PIRP)(uintptr_t)FSRTL_FSP_TOP_LEVEL_IRP);
	IoSetTopLevelIrp(NULL);
	noted_init(&n);
	KeRaiseIrql(APC_LEVEL, &irql);
	nt_loop_call(loop, &n.task);
	assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
	KeLowerIrql(irql);
	nt_test_wait(&n.done);
}

static void test_call_under_a_spin_lock_is_posted(void **state)
{
	/* At DISPATCH_LEVEL the caller may hold what a callback takes: the task runs on another thread. */
	struct noted n;
	KIRQL irql;

	(void)state;
	noted_init(&n);
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	nt_loop_call(loop, &n.task);
	KeLowerIrql(irql);
	nt_test_wait(&n.done);
	assert_ptr_not_equal(n.thread, KeGetCurrentThread());
}

/* Keeps the loop until it is let go, as a long callback does. */
struct holder {
	struct nt_loop_task task;
	volatile LONG entered, leave;
};

static void hold(struct nt_loop_task *task)
{
	struct holder *h = CONTAINING_RECORD(task, struct holder, task);

	InterlockedExchange(&h->entered, 1);
	while (InterlockedCompareExchange(&h->leave, 0, 0) == 0)
		YieldProcessor();
}

static void holder_main(void *context)
{
	nt_loop_call(loop, &((struct holder *)context)->task);
}

static void test_call_does_not_wait_for_the_runner(void **state)
{
	/* While somebody else runs the loop a call returns at once, and the runner runs the task before he leaves. */
	struct holder h = {.task.fn = hold};
	struct nt_thread *thread;
	struct noted n;

	(void)state;
	noted_init(&n);
	assert_int_equal(nt_thread_create("holder", holder_main, &h, &thread), STATUS_SUCCESS);
	while (InterlockedCompareExchange(&h.entered, 0, 0) == 0)
		YieldProcessor();
	nt_loop_call(loop, &n.task);
	assert_int_equal(n.runs, 0);
	InterlockedExchange(&h.leave, 1);
	nt_thread_join(thread);
	nt_test_wait(&n.done);
	assert_int_equal(n.runs, 1);
}

/* ---- waiting ----------------------------------------------------------------------------------------- */

/* A stream whose peer is a plain socket; one byte is one answer. */
struct line {
	struct nt_stream *stream;
	struct nt_loop_task close;
	KEVENT connected, answered, closed;
	PKTHREAD heard_by;
	unsigned char byte[1];
	int peer;
};

static void line_connected(void *context, NTSTATUS status)
{
	assert_int_equal(status, STATUS_SUCCESS);
	KeSetEvent(&((struct line *)context)->connected, 0, FALSE);
}

static void line_recv_buffer(void *context, void **buffer, size_t *length)
{
	*buffer = ((struct line *)context)->byte;
	*length = 1;
}

static void line_received(void *context, size_t length)
{
	struct line *l = context;

	assert_int_equal(length, 1);
	l->heard_by = KeGetCurrentThread();
	KeSetEvent(&l->answered, 0, FALSE);
}

static void line_ended(void *context, NTSTATUS status)
{
	(void)context;
	(void)status;
}

static const struct nt_stream_events line_events = {line_connected, line_recv_buffer, line_received,
						    line_ended};

static void line_open(struct line *l)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(l, 0, sizeof(*l));
	KeInitializeEvent(&l->connected, NotificationEvent, FALSE);
	KeInitializeEvent(&l->answered, SynchronizationEvent, FALSE);
	KeInitializeEvent(&l->closed, NotificationEvent, FALSE);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	assert_int_equal(nt_stream_connect(loop, "127.0.0.1", ntohs(at.sin_port), 100000000, &line_events, l,
					   &l->stream),
			 STATUS_SUCCESS);
	l->peer = accept(fd, NULL, NULL);
	assert_true(l->peer >= 0);
	close(fd);
	nt_test_wait(&l->connected);
}

static void line_close_task(struct nt_loop_task *task)
{
	struct line *l = CONTAINING_RECORD(task, struct line, close);

	nt_stream_close(l->stream);
	KeSetEvent(&l->closed, 0, FALSE);
}

static void line_close(struct line *l)
{
	l->close.fn = line_close_task;
	nt_loop_call(loop, &l->close);
	nt_test_wait(&l->closed);
	close(l->peer);
}

static void loop_wait(PVOID object)
{
	LARGE_INTEGER limit = nt_test_ms(NT_TEST_LIMIT_S * 1000);

	assert_int_equal(nt_loop_wait(loop, object, &limit), STATUS_SUCCESS);
}

/* Answers when the other thread waits, or just before. */
static void answer_main(void *context)
{
	struct line *l = context;
	LARGE_INTEGER pause = nt_test_ms(1);

	for (unsigned int i = 0; i < 100; i++) {
		unsigned char go;

		assert_int_equal(recv(l->peer, &go, 1, 0), 1);
		KeDelayExecutionThread(KernelMode, FALSE, &pause); /* so that some answers find a sleeper */
		assert_int_equal(send(l->peer, "x", 1, MSG_NOSIGNAL), 1);
	}
}

/* Sends one byte. */
struct said {
	struct nt_loop_task task;
	struct line *line;
	struct nt_send send;
	struct iovec iov;
};

static void said_done(struct nt_send *send, NTSTATUS status)
{
	(void)send;
	assert_int_equal(status, STATUS_SUCCESS);
}

static void say(struct nt_loop_task *task)
{
	struct said *s = CONTAINING_RECORD(task, struct said, task);

	s->iov = (struct iovec){(void *)(uintptr_t) "q", 1};
	s->send = (struct nt_send){.iov = &s->iov, .count = 1, .done = said_done};
	nt_stream_send(s->line->stream, &s->send);
}

static void test_who_waits_receives(void **state)
{
	/* An answer comes on the thread that waits for it: for the most part, and the loop's own does it otherwise. */
	struct nt_thread *peer;
	unsigned int here = 0;
	struct said s[100];
	struct line l;

	(void)state;
	line_open(&l);
	assert_int_equal(nt_thread_create("peer", answer_main, &l, &peer), STATUS_SUCCESS);
	for (unsigned int i = 0; i < 100; i++) {
		s[i] = (struct said){.task.fn = say, .line = &l};
		nt_loop_call(loop, &s[i].task);
		loop_wait(&l.answered);
		here += l.heard_by == KeGetCurrentThread();
	}
	nt_thread_join(peer);
	assert_true(here >= 50);
	line_close(&l);
}

static void test_who_waits_for_an_answer_receives(void **state)
{
	/* The same for a wait that does not know the loop: it is the one that the thread has called last. */
	struct nt_thread *peer;
	unsigned int here = 0;
	struct said s[100];
	struct line l;

	(void)state;
	line_open(&l);
	assert_int_equal(nt_thread_create("peer", answer_main, &l, &peer), STATUS_SUCCESS);
	for (unsigned int i = 0; i < 100; i++) {
		s[i] = (struct said){.task.fn = say, .line = &l};
		nt_loop_call(loop, &s[i].task);
		nt_wait_for_answer(&l.answered);
		here += l.heard_by == KeGetCurrentThread();
	}
	nt_thread_join(peer);
	assert_true(here >= 50);
	line_close(&l);
}

/* Has called a loop, and then waits for something that the loop has nothing to do with. */
struct stranger {
	KEVENT waits, come;
};

static void stranger_main(void *context)
{
	struct stranger *s = context;
	struct noted n;

	noted_init(&n);
	nt_loop_call(loop, &n.task);
	nt_test_wait(&n.done);
	KeSetEvent(&s->waits, 0, FALSE);
	nt_wait_for_answer(&s->come);
	/* the loop is gone, and the thread still remembers it */
	KeClearEvent(&s->come);
	KeSetEvent(&s->waits, 0, FALSE);
	nt_wait_for_answer(&s->come);
}

static void test_a_loop_ends_under_a_waiter(void **state)
{
	/* A loop can be destroyed while a thread waits in it for something else: the wait goes on, and ends by its event. */
	LARGE_INTEGER soon = nt_test_ms(20);
	struct nt_thread *thread;
	struct stranger s;

	(void)state;
	KeInitializeEvent(&s.waits, SynchronizationEvent, FALSE);
	KeInitializeEvent(&s.come, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("stranger", stranger_main, &s, &thread), STATUS_SUCCESS);
	nt_test_wait(&s.waits);
	KeDelayExecutionThread(KernelMode, FALSE,
			       &soon); /* most often it sleeps in epoll now; both orders hold */
	nt_loop_destroy(loop);
	KeSetEvent(&s.come, 0, FALSE);
	nt_test_wait(&s.waits);
	KeSetEvent(&s.come, 0, FALSE);
	nt_thread_join(thread);
	assert_int_equal(nt_loop_create("net", &loop), STATUS_SUCCESS);
}

static void test_nobody_waits(void **state)
{
	/* Without a waiter the loop's thread receives, also after one has come and gone. */
	LARGE_INTEGER soon = nt_test_ms(20);
	struct line l;

	(void)state;
	line_open(&l);
	assert_int_equal(nt_loop_wait(loop, &l.answered, &soon), STATUS_TIMEOUT);
	assert_int_equal(send(l.peer, "x", 1, MSG_NOSIGNAL), 1);
	nt_test_wait(&l.answered);
	assert_ptr_not_equal(l.heard_by, KeGetCurrentThread());
	line_close(&l);
}

struct alarm {
	struct nt_loop_task task;
	struct nt_loop_timer timer;
	KEVENT rang;
};

static void alarm_rings(struct nt_loop_timer *timer)
{
	KeSetEvent(&CONTAINING_RECORD(timer, struct alarm, timer)->rang, 0, FALSE);
}

static void alarm_set(struct nt_loop_task *task)
{
	struct alarm *a = CONTAINING_RECORD(task, struct alarm, task);

	nt_loop_timer_init(&a->timer, loop, alarm_rings);
	nt_loop_timer_set(&a->timer, 100000); /* 10 ms */
}

static void test_timers_of_a_guest(void **state)
{
	/* A timer that a caller sets fires in time, whether somebody waits in the loop or not. */
	struct alarm a;

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		a.task.fn = alarm_set;
		KeInitializeEvent(&a.rang, NotificationEvent, FALSE);
		nt_loop_call(loop, &a.task);
		if (i % 2 == 0)
			loop_wait(&a.rang);
		else
			nt_test_wait(&a.rang);
	}
}

/* ---- many at once ------------------------------------------------------------------------------------ */

#define THREADS 8
#define ROUNDS 1500

static volatile LONG inside, overlaps;

struct ping {
	struct nt_loop_task task;
	KEVENT done;
};

static void ping_run(struct nt_loop_task *task)
{
	if (InterlockedIncrement(&inside) != 1)
		InterlockedIncrement(&overlaps);
	InterlockedDecrement(&inside);
	KeSetEvent(&CONTAINING_RECORD(task, struct ping, task)->done, 0, FALSE);
}

static KSEMAPHORE handed[THREADS];

/* Every second wait is for another thread, which signals without the loop: the waiter must be woken there too. */
static void pinger_main(void *context)
{
	unsigned int who = (unsigned int)(uintptr_t)context;
	struct ping p = {.task.fn = ping_run};

	KeInitializeEvent(&p.done, SynchronizationEvent, FALSE);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if ((i + who) % 2 == 0)
			nt_loop_call(loop, &p.task);
		else
			nt_loop_post(loop, &p.task);
		loop_wait(&p.done);
		KeReleaseSemaphore(&handed[(who + 1) % THREADS], 0, 1, FALSE);
		loop_wait(&handed[who]);
	}
}

static void test_no_wake_is_lost(void **state)
{
	/* Threads that call, post, wait in the loop and signal each other: each wait ends, one thread runs at a time. */
	struct nt_thread *threads[THREADS];
	struct line l;

	(void)state;
	line_open(&l); /* some traffic for epoll */
	inside = overlaps = 0;
	for (unsigned int i = 0; i < THREADS; i++)
		KeInitializeSemaphore(&handed[i], 0, ROUNDS);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(nt_thread_create("pinger", pinger_main, (void *)i, &threads[i]),
				 STATUS_SUCCESS);
	for (unsigned int i = 0; i < 500; i++)
		assert_int_equal(send(l.peer, "x", 1, MSG_NOSIGNAL), 1);
	for (unsigned int i = 0; i < THREADS; i++)
		nt_thread_join(threads[i]);
	assert_int_equal(overlaps, 0);
	line_close(&l);
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_call_runs_here),
		RUN_TEST(test_callbacks_see_nothing_of_the_caller),
		RUN_TEST(test_call_under_a_spin_lock_is_posted),
		RUN_TEST(test_call_does_not_wait_for_the_runner),
		RUN_TEST(test_who_waits_receives),
		RUN_TEST(test_who_waits_for_an_answer_receives),
		RUN_TEST(test_a_loop_ends_under_a_waiter),
		RUN_TEST(test_nobody_waits),
		RUN_TEST(test_timers_of_a_guest),
		RUN_TEST(test_no_wake_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
