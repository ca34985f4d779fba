/*
 * net_loop.c - a loop: tasks, timers and the streams that have something to do, run by one thread at a time.
 *
 * Owns:      the loop's thread, its epoll set and its eventfds; timers and the list of ready streams.
 * Locks:     none here: timers and ready streams belong to the thread that has the turn (net_run.c).
 * Dies when: nt_loop_destroy(), after every task that was posted has run.
 *
 * A round: tasks, due timers, ready streams. Sends are collected during the round and leave in one system call per
 * stream when its service comes. Sockets are watched edge-triggered, once for both directions.
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

void nt_loop_run_timers(struct nt_loop *loop)
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
void nt_loop_run_streams(struct nt_loop *loop)
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

static void nt_loop_main(void *context)
{
	struct nt_loop *loop = context;
	bool stop = false;

	while (!stop) {
		nt_loop_run(loop, NT_LOOP_THREAD);
		nt_loop_idle(loop);
		nt_word_lock(&loop->lock);
		stop = loop->stop && IsListEmpty(&loop->tasks) && loop->runner == NULL;
		nt_word_unlock(&loop->lock);
	}
	RX_CHECK(loop->streams == 0);
	RX_CHECK(IsListEmpty(&loop->timers));
}

static void nt_loop_free(struct nt_loop *loop)
{
	if (loop->kick_fd >= 0)
		close(loop->kick_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	ExFreePoolWithTag(loop, NT_TAG_LOOP);
}

/* Both are there for the loop's whole life. */
static NTSTATUS nt_loop_open(struct nt_loop *loop)
{
	struct epoll_event wake = {.events = EPOLLIN, .data = {.u64 = NT_LOOP_ID_WAKE}};
	struct epoll_event kick = {.events = EPOLLIN | EPOLLET, .data = {.u64 = NT_LOOP_ID_KICK}};

	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->wake_fd < 0 || loop->kick_fd < 0 || loop->epoll_fd < 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) != 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->kick_fd, &kick) != 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	return STATUS_SUCCESS;
}

NTSTATUS nt_loop_create(const char *name, struct nt_loop **out)
{
	struct nt_loop *loop;
	NTSTATUS status;

	*out = NULL;
	if (nt_current_executive() == NT_EXEC_SIM)
		return STATUS_NOT_SUPPORTED;
	loop = ExAllocatePoolWithTag(NonPagedPool, sizeof(*loop), NT_TAG_LOOP);
	if (loop == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(loop, 0, sizeof(*loop));
	InitializeListHead(&loop->tasks);
	InitializeListHead(&loop->watched);
	InitializeListHead(&loop->timers);
	InitializeListHead(&loop->ready);
	loop->last_id = NT_LOOP_ID_LAST;
	loop->next_due = NT_FOREVER;
	status = nt_loop_open(loop);
	if (NT_SUCCESS(status))
		status = nt_thread_create(name, nt_loop_main, loop, &loop->thread);
	if (!NT_SUCCESS(status)) {
		nt_loop_free(loop);
		return status;
	}
	nt_loop_enlist(loop);
	*out = loop;
	return STATUS_SUCCESS;
}

void nt_loop_destroy(struct nt_loop *loop)
{
	RX_CHECK(!nt_loop_is_current(loop));
	nt_word_lock(&loop->lock);
	loop->stop = true;
	nt_word_unlock(&loop->lock);
	nt_loop_delist(loop);
	nt_loop_wake(loop); /* only its own thread is left to hear it */
	nt_thread_join(loop->thread);
	nt_loop_free(loop);
}
