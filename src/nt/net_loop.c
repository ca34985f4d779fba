/*
 * net_loop.c - a loop: one thread that waits in epoll, runs tasks, timers and the streams that have something to do.
 *
 * Owns:      the thread, the epoll set and the wake-up eventfd.
 * Locks:     nt_loop.lock guards the task list and is a leaf; all else belongs to the loop's thread.
 * Dies when: nt_loop_destroy(), after its thread has run every task that was posted.
 *
 * A turn: tasks, due timers, ready streams, wait. Sends are collected during the turn and leave in one system call
 * per stream when its service comes. Sockets are watched edge-triggered, once for both directions.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "exec.h"
#include "net.h"
#include "pool.h"
#include "timer.h"

#define NT_TAG_LOOP 'oLtN'
#define NT_LOOP_EVENTS 64
#define NT_100NS_PER_MS 10000u

bool nt_loop_is_current(const struct nt_loop *loop)
{
	return __atomic_load_n(&loop->thread, __ATOMIC_ACQUIRE) == nt_self;
}

static void nt_loop_wake(struct nt_loop *loop)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(loop->wake_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	/* EAGAIN: the counter is full, so the loop wakes anyway. */
}

void nt_loop_post(struct nt_loop *loop, struct nt_loop_task *task)
{
	bool first;

	nt_word_lock(&loop->lock);
	first = IsListEmpty(&loop->tasks);
	InsertTailList(&loop->tasks, &task->link);
	nt_word_unlock(&loop->lock);
	/* A list that was not empty has its wake-up under way; the loop itself looks before it waits. */
	if (first && !nt_loop_is_current(loop))
		nt_loop_wake(loop);
}

void nt_loop_timer_init(struct nt_loop_timer *timer, struct nt_loop *loop,
			void (*fn)(struct nt_loop_timer *timer))
{
	memset(timer, 0, sizeof(*timer));
	timer->loop = loop;
	timer->fn = fn;
}

void nt_loop_timer_cancel(struct nt_loop_timer *timer)
{
	RX_CHECK(nt_loop_is_current(timer->loop));
	if (timer->link.Flink == NULL)
		return;
	RemoveEntryList(&timer->link);
	timer->link.Flink = NULL;
}

void nt_loop_timer_set(struct nt_loop_timer *timer, uint64_t after_100ns)
{
	PLIST_ENTRY at = &timer->loop->timers;

	nt_loop_timer_cancel(timer);
	timer->due = KeQueryInterruptTime() + after_100ns;
	/* From the far end: most timers are set with the same delay and so go last. */
	while (at->Blink != &timer->loop->timers &&
	       CONTAINING_RECORD(at->Blink, struct nt_loop_timer, link)->due > timer->due)
		at = at->Blink;
	InsertTailList(at, &timer->link); /* before `at` */
}

void nt_loop_make_ready(struct nt_stream *stream)
{
	if (stream->on_ready)
		return;
	stream->on_ready = true;
	InsertTailList(&stream->loop->ready, &stream->ready);
}

/* False when there was nothing to run. */
static bool nt_loop_run_tasks(struct nt_loop *loop)
{
	LIST_ENTRY batch;
	bool any = false;

	InitializeListHead(&batch);
	nt_word_lock(&loop->lock);
	while (!IsListEmpty(&loop->tasks))
		InsertTailList(&batch, RemoveHeadList(&loop->tasks));
	nt_word_unlock(&loop->lock);
	while (!IsListEmpty(&batch)) {
		struct nt_loop_task *task =
			CONTAINING_RECORD(RemoveHeadList(&batch), struct nt_loop_task, link);

		any = true;
		task->fn(task);
	}
	return any;
}

static void nt_loop_run_timers(struct nt_loop *loop)
{
	uint64_t now;

	if (IsListEmpty(&loop->timers))
		return;
	now = KeQueryInterruptTime();
	while (!IsListEmpty(&loop->timers)) {
		struct nt_loop_timer *timer =
			CONTAINING_RECORD(loop->timers.Flink, struct nt_loop_timer, link);

		if (timer->due > now)
			break;
		RemoveEntryList(&timer->link);
		timer->link.Flink = NULL;
		timer->fn(timer);
	}
}

/* Each stream that is ready now gets one turn; what becomes ready meanwhile comes after the next wait. */
static void nt_loop_run_streams(struct nt_loop *loop)
{
	LIST_ENTRY batch;

	InitializeListHead(&batch);
	while (!IsListEmpty(&loop->ready))
		InsertTailList(&batch, RemoveHeadList(&loop->ready));
	while (!IsListEmpty(&batch)) {
		struct nt_stream *stream = CONTAINING_RECORD(RemoveHeadList(&batch), struct nt_stream, ready);

		stream->on_ready = false;
		nt_stream_service(stream);
	}
}

/* -1: until something happens. */
static int nt_loop_wait_ms(struct nt_loop *loop)
{
	uint64_t now, due;
	bool tasks;

	nt_word_lock(&loop->lock);
	tasks = !IsListEmpty(&loop->tasks) || loop->stop;
	nt_word_unlock(&loop->lock);
	if (tasks || !IsListEmpty(&loop->ready))
		return 0;
	if (IsListEmpty(&loop->timers))
		return -1;
	now = KeQueryInterruptTime();
	due = CONTAINING_RECORD(loop->timers.Flink, struct nt_loop_timer, link)->due;
	if (due <= now)
		return 0;
	return (int)min((due - now + NT_100NS_PER_MS - 1) / NT_100NS_PER_MS, (uint64_t)3600 * 1000);
}

static void nt_loop_wait(struct nt_loop *loop)
{
	struct epoll_event events[NT_LOOP_EVENTS];
	int n = epoll_wait(loop->epoll_fd, events, NT_LOOP_EVENTS, nt_loop_wait_ms(loop));

	for (int i = 0; i < n; i++) {
		struct nt_stream *stream = events[i].data.ptr;
		uint32_t what = events[i].events;

		if (stream == NULL) {
			uint64_t count;

			(void)!read(loop->wake_fd, &count, sizeof(count)); /* only to take the mark away */
			continue;
		}
		if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			stream->readable = true;
		if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			stream->writable = true;
		if (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			stream->hung_up = true;
		nt_loop_make_ready(stream);
	}
}

static void nt_loop_main(void *context)
{
	struct nt_loop *loop = context;
	bool stop = false;
	KIRQL irql;

	__atomic_store_n(&loop->thread, nt_current(), __ATOMIC_RELEASE);
	while (!stop) {
		/* A callback that waits would stall every connection of the loop: it is caught, not hoped away. */
		KeRaiseIrql(DISPATCH_LEVEL, &irql);
		nt_loop_run_tasks(loop);
		nt_loop_run_timers(loop);
		nt_loop_run_streams(loop);
		KeLowerIrql(irql);
		nt_loop_wait(loop);
		nt_word_lock(&loop->lock);
		stop = loop->stop && IsListEmpty(&loop->tasks);
		nt_word_unlock(&loop->lock);
	}
	RX_CHECK(loop->streams == 0);
	RX_CHECK(IsListEmpty(&loop->timers));
}

static void nt_loop_free(struct nt_loop *loop)
{
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	ExFreePoolWithTag(loop, NT_TAG_LOOP);
}

NTSTATUS nt_loop_create(const char *name, struct nt_loop **out)
{
	struct epoll_event wake = {.events = EPOLLIN, .data = {.ptr = NULL}};
	struct nt_thread *thread;
	struct nt_loop *loop;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	*out = NULL;
	if (nt_current_executive() == NT_EXEC_SIM)
		return STATUS_NOT_SUPPORTED;
	loop = ExAllocatePoolWithTag(NonPagedPool, sizeof(*loop), NT_TAG_LOOP);
	if (loop == NULL)
		return status;
	memset(loop, 0, sizeof(*loop));
	InitializeListHead(&loop->tasks);
	InitializeListHead(&loop->timers);
	InitializeListHead(&loop->ready);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->wake_fd < 0 || loop->epoll_fd < 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) != 0)
		goto fail;
	status = nt_thread_create(name, nt_loop_main, loop, &thread);
	if (!NT_SUCCESS(status))
		goto fail;
	/* The thread sets loop->thread too; both write the same value, this one for callers that come first. */
	__atomic_store_n(&loop->thread, thread, __ATOMIC_RELEASE);
	*out = loop;
	return STATUS_SUCCESS;

fail:
	nt_loop_free(loop);
	return status;
}

void nt_loop_destroy(struct nt_loop *loop)
{
	RX_CHECK(!nt_loop_is_current(loop));
	nt_word_lock(&loop->lock);
	loop->stop = true;
	nt_word_unlock(&loop->lock);
	nt_loop_wake(loop);
	nt_thread_join(__atomic_load_n(&loop->thread, __ATOMIC_ACQUIRE));
	nt_loop_free(loop);
}
