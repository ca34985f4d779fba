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

/* Of struct epoll_event; those of sockets are higher. */
enum { NT_LOOP_ID_WAKE = 1, NT_LOOP_ID_KICK, NT_LOOP_ID_LAST };

/* Who takes the turn: the loop's thread, one that waits for what the loop brings, one that has something for it. */
enum nt_loop_who { NT_LOOP_THREAD, NT_LOOP_LEADER, NT_LOOP_GUEST };

struct nt_loop {
	/* constant after creation */
	struct nt_thread *thread;
	int epoll_fd;
	int wake_fd; /* eventfd, by level: there is something to do, or to time */
	int kick_fd; /* eventfd, by edge: the leader's wait is over */
	uint64_t serial;
	LIST_ENTRY all;       /* of the loops; under their lock */
	volatile LONG guests; /* threads that wait in it; they keep it */

	/* under lock */
	volatile LONG lock;
	struct nt_thread *runner; /* has the turn; NULL: nobody. Read without the lock to know oneself */
	struct nt_thread *leader; /* waits in epoll, or is about to; NULL: nobody */
	LIST_ENTRY tasks;
	LIST_ENTRY watched; /* nt_stream with a socket in the epoll set */
	uint64_t last_id;
	bool happened;         /* to one of them; the runner has not looked yet */
	bool waits_for_leader; /* the loop's thread, until leaders_left changes */
	bool stop;
	uint64_t next_due;          /* of the timers, when the turn was last given up; NT_FOREVER: none */
	uint64_t wakes_at;          /* the loop's thread, from epoll; 0: it is awake */
	volatile LONG leaders_left; /* a count; changes under lock */

	/* of the runner alone */
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
	LIST_ENTRY watch;  /* nt_loop.watched; under the loop's lock, as the next two */
	uint64_t id;       /* of its socket in the epoll set; 0: not there */
	uint32_t happened; /* EPOLL*, not looked at yet */
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
void nt_loop_run_timers(struct nt_loop *loop);
void nt_loop_run_streams(struct nt_loop *loop);

/* net_run.c */
/* Takes the turn, if it is free, and does what there is to do. */
void nt_loop_run(struct nt_loop *loop, enum nt_loop_who who);
/* The loop's thread: sleeps until there may be something to do. */
void nt_loop_idle(struct nt_loop *loop);
/* It can be waited in from then on, until this has returned. */
void nt_loop_enlist(struct nt_loop *loop);
void nt_loop_delist(struct nt_loop *loop);
/* Somebody who sleeps in epoll wakes up. */
void nt_loop_wake(struct nt_loop *loop);
/* The stream gets a number for its socket; events of earlier sockets of it are forgotten. (turn) */
void nt_loop_watch(struct nt_stream *stream);
void nt_loop_unwatch(struct nt_stream *stream);

/* net_stream.c */
NTSTATUS nt_net_status_of(int error);
/* Takes part in the loop: reads what is there, sends what waits. */
void nt_stream_service(struct nt_stream *stream);
/* Between these two the stream is not freed, whatever callbacks do. */
void nt_stream_hold(struct nt_stream *stream);
void nt_stream_unhold(struct nt_stream *stream);
void nt_stream_drop_socket(struct nt_stream *stream);
/* The stream is of no use any more: tells the consumer, once. */
void nt_stream_end(struct nt_stream *stream, NTSTATUS status);

/* net_connect.c */
void nt_stream_connect_service(struct nt_stream *stream);
/* Forgets name resolution and connect timer. */
void nt_stream_connect_stop(struct nt_stream *stream);

#endif
