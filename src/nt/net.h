/*
 * net.h - what the files of the network part share: the loop, its streams, name resolution. Only src/nt includes it.
 */
#ifndef NT_NET_INTERNAL_H
#define NT_NET_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "nt_net.h"

#define NT_NET_STAGING_BYTES 8192
#define NT_NET_MAX_ADDRESSES 8
#define NT_NET_MAX_HOST 255

struct nt_loop {
	/* constant after creation */
	struct nt_thread *thread;
	int epoll_fd;
	int wake_fd; /* eventfd */

	/* under lock */
	volatile LONG lock;
	LIST_ENTRY tasks;
	bool stop;

	/* of the loop's thread alone */
	LIST_ENTRY timers;                   /* nt_loop_timer, by due */
	LIST_ENTRY ready;                    /* nt_stream with something to do before the next wait */
	unsigned int streams;                /* not closed */
	UCHAR staging[NT_NET_STAGING_BYTES]; /* what came behind the buffer that the consumer gave */
};

struct nt_net_address {
	struct sockaddr_storage address;
	socklen_t length;
};

enum nt_stream_state {
	NT_STREAM_RESOLVING,
	NT_STREAM_CONNECTING,
	NT_STREAM_OPEN,
	NT_STREAM_ENDED, /* the consumer has been told; waits for nt_stream_close() */
	NT_STREAM_CLOSED /* freed as soon as no callback of it is on the stack */
};

struct nt_stream {
	struct nt_loop *loop;
	const struct nt_stream_events *events;
	void *context;
	enum nt_stream_state state;
	NTSTATUS ended; /* why, from NT_STREAM_ENDED on */
	int fd;         /* -1: none */
	bool readable;  /* the socket may have bytes: no EAGAIN since the last edge */
	bool writable;
	bool hung_up; /* the peer sends no more; what is there is still read */
	bool on_ready;
	bool started;      /* counted in nt_loop.streams */
	unsigned int busy; /* callbacks and service routines on the stack */
	LIST_ENTRY ready;
	LIST_ENTRY sends; /* nt_send, in order */

	/* connecting */
	struct nt_loop_task start;
	struct nt_loop_timer timer;
	uint64_t deadline; /* interrupt time, 100 ns */
	struct nt_resolve *resolve;
	struct nt_net_address addresses[NT_NET_MAX_ADDRESSES];
	unsigned int address_count, address_next;
	NTSTATUS last_error;
	USHORT port;
	char host[NT_NET_MAX_HOST + 1];
};

/* net_loop.c */
void nt_loop_make_ready(struct nt_stream *stream);

/* net_stream.c */
NTSTATUS nt_net_status_of(int error);
/* Takes part in the loop: reads what is there, sends what waits. */
void nt_stream_service(struct nt_stream *stream);
/* Between these two the stream is not freed, whatever callbacks do. */
void nt_stream_hold(struct nt_stream *stream);
void nt_stream_unhold(struct nt_stream *stream);
/* The stream is of no use any more: tells the consumer, once. */
void nt_stream_end(struct nt_stream *stream, NTSTATUS status);

/* net_connect.c */
void nt_stream_connect_service(struct nt_stream *stream);
/* Forgets name resolution and connect timer. */
void nt_stream_connect_stop(struct nt_stream *stream);

#endif
