/*
 * net_connect.c - from a name and a port to an open socket.
 *
 * Owns:      nt_resolve, one per name that is being looked up, shared by the worker that looks and the stream that
 *            waits: each drops its reference, the last one frees.
 * Locks:     nt_resolve.lock: who is first, the answer or the stream's end. Leaf; the post happens under it, so that
 *            a stream that has let go cannot be posted to.
 * Dies when: the name is answered and nobody waits any more. A resolver may take longer than the connect's limit:
 *            the stream does not wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "exec.h"
#include "net.h"
#include "pool.h"
#include "timer.h"
#include "workitem.h"

#define NT_TAG_STREAM 'rtsN'
#define NT_TAG_RESOLVE 'sreN'

struct nt_resolve {
	WORK_QUEUE_ITEM work;
	struct nt_loop_task answered; /* on the loop of the stream */
	volatile LONG lock;
	struct nt_stream *stream; /* NULL: it does not wait any more; under lock */
	bool posted;              /* under lock: the task holds the worker's reference */
	volatile LONG references;
	NTSTATUS status;
	unsigned int count;
	USHORT port;
	struct nt_net_address addresses[NT_NET_MAX_ADDRESSES];
	char host[NT_NET_MAX_HOST + 1];
};

static void nt_resolve_put(struct nt_resolve *resolve)
{
	if (__atomic_sub_fetch(&resolve->references, 1, __ATOMIC_ACQ_REL) == 0)
		ExFreePoolWithTag(resolve, NT_TAG_RESOLVE);
}

static NTSTATUS nt_resolve_lookup(const char *host, USHORT port, int flags, struct nt_net_address *out,
				  unsigned int *count)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV},
			*list = NULL;
	char service[8];
	int error;

	*count = 0;
	snprintf(service, sizeof(service), "%u", (unsigned int)port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error == EAI_MEMORY)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (error != 0)
		return STATUS_BAD_NETWORK_PATH;
	for (struct addrinfo *at = list; at != NULL && *count < NT_NET_MAX_ADDRESSES; at = at->ai_next) {
		if (at->ai_addrlen > sizeof(out->address))
			continue;
		memcpy(&out[*count].address, at->ai_addr, at->ai_addrlen);
		out[(*count)++].length = at->ai_addrlen;
	}
	freeaddrinfo(list);
	return *count == 0 ? STATUS_BAD_NETWORK_PATH : STATUS_SUCCESS;
}

/* On the loop: the answer is there. */
static void nt_resolve_answered(struct nt_loop_task *task)
{
	struct nt_resolve *resolve = CONTAINING_RECORD(task, struct nt_resolve, answered);
	struct nt_stream *stream;

	nt_word_lock(&resolve->lock);
	stream = resolve->stream;
	nt_word_unlock(&resolve->lock);
	if (stream != NULL) {
		stream->resolve = NULL;
		memcpy(stream->addresses, resolve->addresses, sizeof(stream->addresses));
		stream->address_count = resolve->count;
		stream->last_error = resolve->status;
		stream->state = NT_STREAM_CONNECTING;
		nt_resolve_put(resolve); /* the stream's */
		nt_loop_make_ready(stream);
	}
	nt_resolve_put(resolve); /* the worker's */
}

/* On a worker: getaddrinfo() may wait for seconds. */
static VOID nt_resolve_work(PVOID context)
{
	struct nt_resolve *resolve = context;

	resolve->status =
		nt_resolve_lookup(resolve->host, resolve->port, 0, resolve->addresses, &resolve->count);
	nt_word_lock(&resolve->lock);
	if (resolve->stream != NULL) {
		resolve->posted = true;
		nt_loop_post(resolve->stream->loop, &resolve->answered);
	}
	/* The task may free it as soon as the lock is free, except when there is no task. */
	if (!resolve->posted) {
		nt_word_unlock(&resolve->lock);
		nt_resolve_put(resolve);
		return;
	}
	nt_word_unlock(&resolve->lock);
}

static NTSTATUS nt_resolve_start(struct nt_stream *stream)
{
	struct nt_resolve *resolve = ExAllocatePoolWithTag(NonPagedPool, sizeof(*resolve), NT_TAG_RESOLVE);

	if (resolve == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(resolve, 0, sizeof(*resolve));
	resolve->stream = stream;
	resolve->references = 2;
	resolve->port = stream->port;
	resolve->answered.fn = nt_resolve_answered;
	memcpy(resolve->host, stream->host, sizeof(resolve->host));
	stream->resolve = resolve;
	ExInitializeWorkItem(&resolve->work, nt_resolve_work, resolve);
	ExQueueWorkItem(&resolve->work, DelayedWorkQueue);
	return STATUS_SUCCESS;
}

void nt_stream_connect_stop(struct nt_stream *stream)
{
	struct nt_resolve *resolve = stream->resolve;

	nt_loop_timer_cancel(&stream->timer);
	if (resolve == NULL)
		return;
	stream->resolve = NULL;
	nt_word_lock(&resolve->lock);
	resolve->stream = NULL;
	nt_word_unlock(&resolve->lock);
	nt_resolve_put(resolve);
}

/* Begins a connect to the next address, with its share of what time is left. */
static NTSTATUS nt_connect_begin(struct nt_stream *stream, const struct nt_net_address *to)
{
	struct epoll_event watch = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	uint64_t now = KeQueryInterruptTime();
	uint64_t left = stream->deadline > now ? stream->deadline - now : 0;
	int one = 1;

	stream->fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->fd < 0)
		return nt_net_status_of(errno);
	(void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one,
			 sizeof(one)); /* slower without, not wrong */
	(void)setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (connect(stream->fd, (const struct sockaddr *)&to->address, to->length) != 0 &&
	    errno != EINPROGRESS)
		return nt_net_status_of(errno);
	stream->readable = stream->writable = stream->hung_up = false;
	nt_loop_watch(stream);
	watch.data.u64 = stream->id;
	if (epoll_ctl(stream->loop->epoll_fd, EPOLL_CTL_ADD, stream->fd, &watch) != 0)
		return nt_net_status_of(errno);
	nt_loop_timer_set(&stream->timer, left / (stream->address_count - stream->address_next + 1));
	return STATUS_SUCCESS;
}

/* Goes on to the next address; ends the stream when there is none left. */
static void nt_connect_next(struct nt_stream *stream)
{
	while (stream->address_next < stream->address_count) {
		const struct nt_net_address *to = &stream->addresses[stream->address_next++];

		nt_stream_drop_socket(stream);
		stream->last_error = nt_connect_begin(stream, to);
		if (NT_SUCCESS(stream->last_error))
			return;
	}
	nt_stream_end(stream, stream->last_error);
}

static void nt_connect_opened(struct nt_stream *stream)
{
	nt_loop_timer_cancel(&stream->timer);
	stream->state = NT_STREAM_OPEN;
	stream->writable = true;
	stream->events->connected(stream->context, STATUS_SUCCESS);
	/* Bytes may have come with the same edge; sends may have been queued before. */
	if (stream->state == NT_STREAM_OPEN)
		nt_loop_make_ready(stream);
}

void nt_stream_connect_service(struct nt_stream *stream)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (stream->state == NT_STREAM_RESOLVING)
		return; /* only a send that waits */
	if (stream->fd < 0) {
		nt_connect_next(stream);
		return;
	}
	if (!stream->writable && !stream->hung_up)
		return;
	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		error = errno;
	if (error == 0) {
		nt_connect_opened(stream);
		return;
	}
	stream->last_error = nt_net_status_of(error);
	nt_connect_next(stream);
}

static void nt_connect_timed_out(struct nt_loop_timer *timer)
{
	struct nt_stream *stream = CONTAINING_RECORD(timer, struct nt_stream, timer);

	stream->last_error = STATUS_IO_TIMEOUT;
	if (stream->state == NT_STREAM_RESOLVING || KeQueryInterruptTime() >= stream->deadline) {
		nt_stream_end(stream, STATUS_IO_TIMEOUT);
		return;
	}
	nt_stream_hold(stream);
	nt_connect_next(stream);
	nt_stream_unhold(stream);
}

/* On the loop: the first step. */
static void nt_connect_start(struct nt_loop_task *task)
{
	struct nt_stream *stream = CONTAINING_RECORD(task, struct nt_stream, start);
	uint64_t now = KeQueryInterruptTime();
	NTSTATUS status;

	if (stream->state == NT_STREAM_CLOSED) {
		nt_stream_unhold(stream); /* closed before it began */
		return;
	}
	stream->started = true;
	stream->loop->streams++;
	if (stream->address_count != 0) {
		stream->state = NT_STREAM_CONNECTING;
		nt_loop_make_ready(stream);
	} else {
		nt_loop_timer_set(&stream->timer, stream->deadline > now ? stream->deadline - now : 0);
		status = nt_resolve_start(stream);
		if (!NT_SUCCESS(status))
			nt_stream_end(stream, status);
	}
	nt_stream_unhold(stream);
}

NTSTATUS nt_stream_connect(struct nt_loop *loop, const char *host, USHORT port, uint64_t timeout_100ns,
			   const struct nt_stream_events *events, void *context, struct nt_stream **out)
{
	size_t length = strlen(host);
	struct nt_stream *stream;

	*out = NULL;
	if (length == 0 || length > NT_NET_MAX_HOST)
		return STATUS_INVALID_PARAMETER;
	stream = ExAllocatePoolWithTag(NonPagedPool, sizeof(*stream), NT_TAG_STREAM);
	if (stream == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(stream, 0, sizeof(*stream));
	stream->loop = loop;
	stream->events = events;
	stream->context = context;
	stream->state = NT_STREAM_RESOLVING;
	stream->fd = -1;
	stream->busy = 1; /* the task that starts it */
	stream->port = port;
	stream->deadline = KeQueryInterruptTime() + timeout_100ns;
	memcpy(stream->host, host, length + 1);
	InitializeListHead(&stream->sends);
	nt_loop_timer_init(&stream->timer, loop, nt_connect_timed_out);
	stream->start.fn = nt_connect_start;
	/* A numeric address needs no worker; anything else does, whatever this says. */
	if (!NT_SUCCESS(
		    nt_resolve_lookup(host, port, AI_NUMERICHOST, stream->addresses, &stream->address_count)))
		stream->address_count = 0;
	*out = stream;
	nt_loop_post(loop, &stream->start);
	return STATUS_SUCCESS;
}
