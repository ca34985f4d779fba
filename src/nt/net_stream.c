/*
 * net_stream.c - bytes of a stream: in where the consumer wants them, out in as few system calls as possible.
 *
 * Owns:      the socket of a stream and its queue of sends; never the bytes.
 * Locks:     none; everything belongs to the thread that has the loop's turn.
 * Dies when: nt_stream_close(), or, if that came from within a callback, when the callback has returned.
 *
 *   Resolving --addresses--> Connecting --connected--> Open --peer or error--> Ended --nt_stream_close()--> Closed
 *        +-----------------------+-----no way there------------------------------^
 *
 *   Receiving: the consumer's buffer is offered to the kernel together with a small buffer of the loop behind it, so
 *   that a header and what follows it cost one call. Only what fell into the second one is ever copied.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "exec.h"
#include "net.h"
#include "pool.h"

#define NT_TAG_STREAM 'rtsN'
#define NT_SEND_VECTOR 128
/* So many receive calls in one turn, then the other streams and the timers have theirs. */
#define NT_RECEIVES_PER_TURN 32

NTSTATUS nt_net_status_of(int error)
{
	switch (error) {
	case 0:
		return STATUS_SUCCESS;
	case ECONNREFUSED:
		return STATUS_CONNECTION_REFUSED;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return STATUS_HOST_UNREACHABLE;
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return STATUS_NETWORK_UNREACHABLE;
	case ETIMEDOUT:
		return STATUS_IO_TIMEOUT;
	case ECONNRESET:
	case EPIPE:
		return STATUS_CONNECTION_RESET;
	case ECONNABORTED:
		return STATUS_CONNECTION_ABORTED;
	case EACCES:
	case EPERM:
		return STATUS_ACCESS_DENIED;
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
		return STATUS_INSUFFICIENT_RESOURCES;
	default:
		return STATUS_UNEXPECTED_NETWORK_ERROR;
	}
}

void nt_stream_hold(struct nt_stream *stream)
{
	stream->busy++;
}

void nt_stream_unhold(struct nt_stream *stream)
{
	RX_CHECK(stream->busy > 0);
	if (--stream->busy == 0 && stream->state == NT_STREAM_CLOSED)
		ExFreePoolWithTag(stream, NT_TAG_STREAM);
}

void nt_stream_drop_socket(struct nt_stream *stream)
{
	nt_loop_unwatch(stream);
	if (stream->fd >= 0)
		close(stream->fd); /* which takes it out of the epoll set */
	stream->fd = -1;
	stream->readable = stream->writable = false;
}

/* Ends every send that waits. The consumer may close the stream in one of the callbacks. */
static void nt_stream_fail_sends(struct nt_stream *stream, NTSTATUS status)
{
	while (!IsListEmpty(&stream->sends)) {
		struct nt_send *send =
			CONTAINING_RECORD(RemoveHeadList(&stream->sends), struct nt_send, link);

		send->done(send, status);
	}
}

void nt_stream_end(struct nt_stream *stream, NTSTATUS status)
{
	bool was_open = stream->state == NT_STREAM_OPEN;

	if (stream->state == NT_STREAM_ENDED || stream->state == NT_STREAM_CLOSED)
		return;
	nt_stream_hold(stream);
	nt_stream_connect_stop(stream);
	stream->state = NT_STREAM_ENDED;
	stream->ended = status;
	nt_stream_drop_socket(stream);
	nt_stream_fail_sends(stream, status);
	if (stream->state == NT_STREAM_ENDED && was_open)
		stream->events->closed(stream->context, status);
	else if (stream->state == NT_STREAM_ENDED)
		stream->events->connected(stream->context, status);
	nt_stream_unhold(stream);
}

void nt_stream_close(struct nt_stream *stream)
{
	struct nt_loop *loop = stream->loop;

	RX_CHECK(nt_loop_is_current(loop));
	RX_CHECK(stream->state != NT_STREAM_CLOSED);
	nt_stream_hold(stream);
	nt_stream_connect_stop(stream);
	stream->state = NT_STREAM_CLOSED;
	stream->ended = STATUS_CONNECTION_ABORTED;
	nt_stream_drop_socket(stream);
	if (stream->on_ready)
		RemoveEntryList(&stream->ready);
	stream->on_ready = false;
	nt_stream_fail_sends(stream, STATUS_CONNECTION_ABORTED);
	if (stream->started)
		loop->streams--;
	nt_stream_unhold(stream);
}

void nt_stream_send(struct nt_stream *stream, struct nt_send *send)
{
	RX_CHECK(nt_loop_is_current(stream->loop));
	RX_CHECK(stream->state != NT_STREAM_CLOSED);
	InsertTailList(&stream->sends, &send->link);
	/* Leaves with all the others of this turn. */
	nt_loop_make_ready(stream);
}

/* Takes `sent` bytes off the front of the queue. */
static void nt_stream_sent(struct nt_stream *stream, size_t sent)
{
	while (!IsListEmpty(&stream->sends)) {
		struct nt_send *send = CONTAINING_RECORD(stream->sends.Flink, struct nt_send, link);

		while (send->count != 0 && sent >= send->iov->iov_len) {
			sent -= send->iov->iov_len;
			send->iov++;
			send->count--;
		}
		if (send->count != 0) {
			send->iov->iov_base = (char *)send->iov->iov_base + sent;
			send->iov->iov_len -= sent;
			return;
		}
		RemoveEntryList(&send->link);
		send->done(send, STATUS_SUCCESS);
		if (stream->state != NT_STREAM_OPEN)
			return;
	}
}

static unsigned int nt_stream_gather(struct nt_stream *stream, struct iovec *vector, size_t *bytes)
{
	unsigned int n = 0;

	*bytes = 0;
	for (PLIST_ENTRY at = stream->sends.Flink; at != &stream->sends; at = at->Flink) {
		struct nt_send *send = CONTAINING_RECORD(at, struct nt_send, link);

		for (unsigned int i = 0; i < send->count && n < NT_SEND_VECTOR; i++) {
			vector[n++] = send->iov[i];
			*bytes += send->iov[i].iov_len;
		}
		if (n == NT_SEND_VECTOR)
			break;
	}
	return n;
}

static void nt_stream_flush(struct nt_stream *stream)
{
	struct iovec vector[NT_SEND_VECTOR];

	while (stream->state == NT_STREAM_OPEN && stream->writable && !IsListEmpty(&stream->sends)) {
		struct msghdr message = {.msg_iov = vector};
		size_t bytes;
		ssize_t n = 0;

		message.msg_iovlen = nt_stream_gather(stream, vector, &bytes);
		if (bytes != 0) {
			do
				n = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
			while (n < 0 && errno == EINTR);
		}
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			stream->writable = false; /* the next edge makes it ready again */
			return;
		}
		if (n < 0) {
			int error = errno;

			/* The peer may have said why before it hung up: that is read first. */
			if ((error == EPIPE || error == ECONNRESET) && stream->readable) {
				stream->writable = false;
				return;
			}
			nt_stream_end(stream, nt_net_status_of(error));
			return;
		}
		if ((size_t)n < bytes)
			stream->writable = false; /* the socket's buffer is full */
		nt_stream_sent(stream, (size_t)n);
	}
}

/* Hands over `n` bytes of which the first `direct` lie in the consumer's buffer, the rest in the loop's. */
static void nt_stream_deliver(struct nt_stream *stream, size_t direct, size_t n)
{
	const UCHAR *staged = stream->loop->staging;
	size_t left = n > direct ? n - direct : 0;

	stream->events->received(stream->context, n - left);
	while (left != 0 && stream->state == NT_STREAM_OPEN) {
		void *buffer = NULL;
		size_t length = 0, take;

		stream->events->recv_buffer(stream->context, &buffer, &length);
		if (stream->state != NT_STREAM_OPEN)
			return;
		RX_CHECK(length > 0);
		take = min(left, length);
		memcpy(buffer, staged, take);
		staged += take;
		left -= take;
		stream->events->received(stream->context, take);
	}
}

static void nt_stream_drain(struct nt_stream *stream)
{
	for (unsigned int i = 0; i < NT_RECEIVES_PER_TURN; i++) {
		struct iovec vector[2] = {{NULL, 0}, {stream->loop->staging, NT_NET_STAGING_BYTES}};
		struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
		ssize_t n;

		if (stream->state != NT_STREAM_OPEN || !stream->readable)
			return;
		stream->events->recv_buffer(stream->context, &vector[0].iov_base, &vector[0].iov_len);
		if (stream->state != NT_STREAM_OPEN)
			return;
		RX_CHECK(vector[0].iov_len > 0);
		do
			n = recvmsg(stream->fd, &message, MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			stream->readable = false;
			return;
		}
		if (n <= 0) {
			nt_stream_end(stream,
				      n == 0 ? STATUS_CONNECTION_DISCONNECTED : nt_net_status_of(errno));
			return;
		}
		/* Less than there was room for: drained; later bytes are a new edge. An end that is known is none. */
		if ((size_t)n < vector[0].iov_len + NT_NET_STAGING_BYTES && !stream->hung_up)
			stream->readable = false;
		nt_stream_deliver(stream, vector[0].iov_len, (size_t)n);
	}
	if (stream->state == NT_STREAM_OPEN && stream->readable)
		nt_loop_make_ready(stream);
}

void nt_stream_service(struct nt_stream *stream)
{
	nt_stream_hold(stream);
	switch (stream->state) {
	case NT_STREAM_RESOLVING:
	case NT_STREAM_CONNECTING:
		nt_stream_connect_service(stream);
		break;
	case NT_STREAM_OPEN:
		nt_stream_flush(stream); /* the server has something to do meanwhile */
		nt_stream_drain(stream);
		nt_stream_flush(stream);
		break;
	case NT_STREAM_ENDED:
		nt_stream_fail_sends(stream, stream->ended); /* sent after the end */
		break;
	case NT_STREAM_CLOSED:
		break;
	}
	nt_stream_unhold(stream);
}
