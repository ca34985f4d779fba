/*
 * nt_net.h - byte streams for mini-redirectors, where Windows has TDI and WSK.  Ours.
 *
 * A loop is run by one thread at a time: its own, or one that has called nt_loop_call() or nt_loop_wait().  Everything
 * a stream reports comes on that thread, one at a time, at DISPATCH_LEVEL: do not wait.  Routines marked (loop) may
 * be called there only; the others from anywhere.
 */
#ifndef NT_NT_NET_H
#define NT_NT_NET_H

#include <sys/uio.h>

#include "list.h"
#include "ntstatus.h"

struct nt_loop;
struct nt_stream;

/* STATUS_NOT_SUPPORTED under the sim executive: the network is not deterministic. */
NTSTATUS nt_loop_create(const char *name, struct nt_loop **out);
/* Ends and joins the thread.  Streams must be closed, timers cancelled; tasks that wait still run. */
void nt_loop_destroy(struct nt_loop *loop);
bool nt_loop_is_current(const struct nt_loop *loop); /* the caller is the thread that runs it now */

struct nt_loop_task {
	LIST_ENTRY link;
	void (*fn)(struct nt_loop_task *task);
};
/* Runs fn(task) on the loop, in order of posting; the memory is the caller's until fn begins. */
void nt_loop_post(struct nt_loop *loop, struct nt_loop_task *task);
/*
 * The same, and before it returns if nobody runs the loop and the level is below DISPATCH_LEVEL: the caller then runs
 * it, with whatever else there is to do, for a short while.  It may hold mutexes and resources, which no callback of
 * a loop can take.
 */
void nt_loop_call(struct nt_loop *loop, struct nt_loop_task *task);
/*
 * As KeWaitForSingleObject(), for what a callback of the loop will signal: the first thread that waits so runs the
 * loop meanwhile, and nobody has to wake it.  Same level and results; a loop that is being destroyed is an error.
 */
NTSTATUS nt_loop_wait(struct nt_loop *loop, PVOID object, PLARGE_INTEGER timeout);

struct nt_loop_timer {
	struct nt_loop *loop;
	void (*fn)(struct nt_loop_timer *timer);
	uint64_t due;    /* interrupt time, 100 ns */
	LIST_ENTRY link; /* private: among the loop's timers, by due; Flink NULL: not set */
};
void nt_loop_timer_init(struct nt_loop_timer *timer, struct nt_loop *loop,
			void (*fn)(struct nt_loop_timer *timer));
void nt_loop_timer_set(struct nt_loop_timer *timer, uint64_t after_100ns); /* (loop) sets or moves it */
void nt_loop_timer_cancel(struct nt_loop_timer *timer); /* (loop) it does not fire any more */

struct nt_stream_events {
	/* The answer to nt_stream_connect(); with a failure nothing follows but the need to close. */
	void (*connected)(void *context, NTSTATUS status);
	/* Where the next bytes shall go: *length > 0.  Asked anew after each received(). */
	void (*recv_buffer)(void *context, void **buffer, size_t *length);
	/* `length` bytes (> 0) were put there. */
	void (*received)(void *context, size_t length);
	/* The stream ended: by the peer (STATUS_CONNECTION_DISCONNECTED), or an error.  Once; not after close. */
	void (*closed)(void *context, NTSTATUS status);
};

/**
 * nt_stream_connect - connect by name or address; returns at once
 * @host: UTF-8 name or numeric address; copied
 * @timeout_100ns: of name resolution and connect together
 *
 * The addresses of a name are tried one after the other, each with its share of the time. STATUS_CONNECTION_REFUSED,
 * STATUS_HOST_UNREACHABLE, STATUS_NETWORK_UNREACHABLE, STATUS_IO_TIMEOUT, STATUS_BAD_NETWORK_PATH (no such host)
 * arrive through connected(). *out is set before any event comes. Every stream is to be closed, also one that failed.
 *
 * Context: any thread; <= DISPATCH_LEVEL.
 * Return:  STATUS_SUCCESS, STATUS_INVALID_PARAMETER (host too long or empty), STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS nt_stream_connect(struct nt_loop *loop, const char *host, USHORT port, uint64_t timeout_100ns,
			   const struct nt_stream_events *events, void *context, struct nt_stream **out);

struct nt_send {
	LIST_ENTRY link; /* private from here */
	struct iovec
		*iov; /* the vector is consumed as it is sent; bytes and vector are borrowed until done() */
	unsigned int count;
	void (*done)(struct nt_send *send, NTSTATUS status); /* on the loop, once, also after close */
};
void nt_stream_send(struct nt_stream *stream, struct nt_send *send); /* (loop) in order of calls */

/* (loop) No event follows; sends that wait end with STATUS_CONNECTION_ABORTED before it returns. */
void nt_stream_close(struct nt_stream *stream);

#endif
