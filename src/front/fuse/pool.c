/*
 * pool.c - the threads that take requests from the kernel.
 *
 * Owns:      threads and receive buffers.
 * Scheme:    every idle thread waits in read(); the kernel wakes one.  A thread that takes a request while no
 *            other is idle starts one more, up to the limit, so that there is always a reader until 256
 *            requests wait inside the driver.  Reads and writes do not occupy a thread while they wait.
 *            More than KEEP_IDLE idle threads: the surplus ends.
 * Buffers:   libfuse allocates a receive buffer when it is handed none, and only reads into it afterwards
 *            (fuse_session_process_buf() never keeps or frees it while splice is off).  A write keeps its
 *            buffer until the driver is done with it (front_recv_take()); the thread continues with another.
 * Locks:     pool.lock (spin).
 * Dies when: the session ended; front_pool_wait() joins all.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "fuse_int.h"
#include "nt_count.h"

#define KEEP_IDLE 8u
#define KEEP_BUFFERS 32u
#define WAKE_SIGNAL (SIGRTMIN + 7)
#define RESEND (20ll * 10 * 1000) /* 20 ms in 100 ns: the signal may fall between the check and the read */

struct front_pool_thread {
	LIST_ENTRY link;
	struct rdr_fuse *fuse;
	struct nt_thread *thread;
	pthread_t posix;
	bool started; /* posix is valid */
	bool spawned; /* thread is valid; a quick thread may end before its creator learned its handle */
	struct front_recv *recv;
	const char *operation; /* being served; a constant */
};

static __thread struct front_pool_thread *self;

/* Only there to make read() return with EINTR. */
static void on_wake(int signo)
{
	(void)signo;
}

void front_pool_init(struct front_pool *pool, unsigned int limit)
{
	KeInitializeSpinLock(&pool->lock);
	InitializeListHead(&pool->threads);
	InitializeListHead(&pool->ended);
	InitializeListHead(&pool->buffers);
	KeInitializeEvent(&pool->changed, SynchronizationEvent, FALSE);
	pool->limit = limit;
}

/* ---- receive buffers -------------------------------------------------------------------------------- */

static struct front_recv *recv_get(struct front_pool *pool)
{
	struct front_recv *recv = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&pool->lock, &irql);
	if (!IsListEmpty(&pool->buffers)) {
		recv = CONTAINING_RECORD(RemoveHeadList(&pool->buffers), struct front_recv, link);
		pool->free_buffers--;
	}
	KeReleaseSpinLock(&pool->lock, irql);
	if (recv != NULL)
		return recv;
	recv = ExAllocatePoolWithTag(NonPagedPool, sizeof(*recv), FUSE_TAG_BUFFER);
	if (recv != NULL)
		RtlZeroMemory(recv, sizeof(*recv));
	return recv;
}

const char *front_operation(void)
{
	return self != NULL ? self->operation : NULL;
}

static void recv_free(struct front_recv *recv)
{
	free(recv->buf.mem); /* libfuse's malloc */
	ExFreePoolWithTag(recv, FUSE_TAG_BUFFER);
}

void front_recv_put(struct rdr_fuse *fuse, struct front_recv *recv)
{
	struct front_pool *pool = &fuse->pool;
	KIRQL irql;

	KeAcquireSpinLock(&pool->lock, &irql);
	if (pool->free_buffers < KEEP_BUFFERS) {
		InsertHeadList(&pool->buffers, &recv->link);
		pool->free_buffers++;
		recv = NULL;
	}
	KeReleaseSpinLock(&pool->lock, irql);
	if (recv != NULL)
		recv_free(recv);
}

struct front_recv *front_recv_take(void)
{
	struct front_recv *recv = self->recv;

	self->recv = NULL;
	return recv;
}

/* ---- threads ---------------------------------------------------------------------------------------- */

static void pool_thread(void *context);

/* The caller counted the thread in already (alive, idle). */
static bool spawn(struct rdr_fuse *fuse)
{
	struct front_pool *pool = &fuse->pool;
	struct front_pool_thread *t = ExAllocatePoolWithTag(NonPagedPool, sizeof(*t), FUSE_TAG_THREAD);
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	struct nt_thread *thread = NULL;
	KIRQL irql;

	if (t != NULL) {
		RtlZeroMemory(t, sizeof(*t));
		t->fuse = fuse;
		KeAcquireSpinLock(&pool->lock, &irql);
		InsertTailList(&pool->threads, &t->link);
		KeReleaseSpinLock(&pool->lock, irql);
		status = nt_thread_create("rdr-fuse", pool_thread, t, &thread);
	}
	if (NT_SUCCESS(status)) {
		KeAcquireSpinLock(&pool->lock, &irql);
		t->thread = thread;
		t->spawned = true;
		KeReleaseSpinLock(&pool->lock, irql);
		KeSetEvent(&pool->changed, IO_NO_INCREMENT, FALSE);
		return true;
	}
	KeAcquireSpinLock(&pool->lock, &irql);
	pool->alive--;
	pool->idle--;
	if (t != NULL)
		RemoveEntryList(&t->link);
	KeReleaseSpinLock(&pool->lock, irql);
	if (t != NULL)
		ExFreePoolWithTag(t, FUSE_TAG_THREAD);
	return false;
}

/* A request was taken: keep one reader.  Failing to is not an error, this thread will read again. */
static void leave_idle(struct rdr_fuse *fuse)
{
	struct front_pool *pool = &fuse->pool;
	bool more = false;
	KIRQL irql;

	KeAcquireSpinLock(&pool->lock, &irql);
	pool->idle--;
	if (pool->idle == 0 && pool->alive < pool->limit && !pool->stopping) {
		pool->alive++;
		pool->idle++;
		if (pool->alive > pool->peak)
			pool->peak = pool->alive;
		more = true;
	}
	KeReleaseSpinLock(&pool->lock, irql);
	if (more)
		(void)spawn(fuse);
}

/* Return: false when the thread shall end. */
static bool enter_idle(struct rdr_fuse *fuse)
{
	struct front_pool *pool = &fuse->pool;
	bool stay;
	KIRQL irql;

	KeAcquireSpinLock(&pool->lock, &irql);
	stay = pool->idle < KEEP_IDLE && !pool->stopping;
	if (stay)
		pool->idle++;
	KeReleaseSpinLock(&pool->lock, irql);
	return stay;
}

static bool pool_stopping(struct rdr_fuse *fuse)
{
	bool stopping;
	KIRQL irql;

	KeAcquireSpinLock(&fuse->pool.lock, &irql);
	stopping = fuse->pool.stopping;
	KeReleaseSpinLock(&fuse->pool.lock, irql);
	return stopping || fuse_session_exited(fuse->session);
}

static void serve(struct rdr_fuse *fuse)
{
	for (;;) {
		int n;

		if (self->recv == NULL)
			self->recv = recv_get(&fuse->pool);
		if (self->recv == NULL || pool_stopping(fuse))
			break;
		n = fuse_session_receive_buf(fuse->session, &self->recv->buf);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0) {
			if (n < 0 && !pool_stopping(fuse)) {
				fuse->result = n;
				fuse_session_exit(fuse->session);
			}
			break;
		}
		leave_idle(fuse);
		self->operation = front_operation_name(&self->recv->buf);
		nt_count_one(NT_COUNT_REQUEST, self->operation, 0);
		fuse_session_process_buf(fuse->session, &self->recv->buf);
		self->operation = NULL;
		if (!enter_idle(fuse))
			return;
	}
	KIRQL irql;

	KeAcquireSpinLock(&fuse->pool.lock, &irql);
	fuse->pool.idle--;
	KeReleaseSpinLock(&fuse->pool.lock, irql);
}

static void pool_thread(void *context)
{
	struct front_pool_thread *t = context;
	struct rdr_fuse *fuse = t->fuse;
	struct front_pool *pool = &fuse->pool;
	sigset_t wake;
	KIRQL irql;

	self = t;
	/* Threads of the runtime take no signals; this one must be woken from read(). */
	sigemptyset(&wake);
	sigaddset(&wake, WAKE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	KeAcquireSpinLock(&pool->lock, &irql);
	t->posix = pthread_self();
	t->started = true;
	KeReleaseSpinLock(&pool->lock, irql);

	serve(fuse);

	if (t->recv != NULL)
		front_recv_put(fuse, t->recv);
	self = NULL;
	KeAcquireSpinLock(&pool->lock, &irql);
	RemoveEntryList(&t->link);
	InsertTailList(&pool->ended, &t->link);
	pool->alive--;
	KeReleaseSpinLock(&pool->lock, irql);
	KeSetEvent(&pool->changed, IO_NO_INCREMENT, FALSE);
}

NTSTATUS front_pool_start(struct rdr_fuse *fuse)
{
	struct sigaction action = {.sa_handler = on_wake};
	KIRQL irql;

	sigemptyset(&action.sa_mask);
	if (sigaction(WAKE_SIGNAL, &action, NULL) != 0)
		return STATUS_UNSUCCESSFUL;
	KeAcquireSpinLock(&fuse->pool.lock, &irql);
	fuse->pool.alive = fuse->pool.idle = fuse->pool.peak = 1;
	KeReleaseSpinLock(&fuse->pool.lock, irql);
	return spawn(fuse) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/*
 * One signal to each thread.  It is of the queued kind: sent faster than a thread takes them in, they would be all
 * that it does, and use up what the whole user may have pending.
 */
static void wake_all(struct rdr_fuse *fuse)
{
	struct front_pool *pool = &fuse->pool;
	LIST_ENTRY *l;
	KIRQL irql;

	KeAcquireSpinLock(&pool->lock, &irql);
	pool->stopping = true;
	/* Under the lock a thread cannot have left the list, so its id is still alive. */
	for (l = pool->threads.Flink; l != &pool->threads; l = l->Flink) {
		struct front_pool_thread *t = CONTAINING_RECORD(l, struct front_pool_thread, link);

		if (t->started)
			pthread_kill(t->posix, WAKE_SIGNAL);
	}
	KeReleaseSpinLock(&pool->lock, irql);
}

/* No thread takes another request; those that wait for one return. */
void front_pool_interrupt(struct rdr_fuse *fuse)
{
	wake_all(fuse);
	KeSetEvent(&fuse->pool.changed, IO_NO_INCREMENT, FALSE);
}

static struct front_pool_thread *next_ended(struct front_pool *pool, bool *over)
{
	struct front_pool_thread *t = NULL;
	LIST_ENTRY *l;
	KIRQL irql;

	KeAcquireSpinLock(&pool->lock, &irql);
	for (l = pool->ended.Flink; l != &pool->ended && t == NULL; l = l->Flink) {
		struct front_pool_thread *candidate = CONTAINING_RECORD(l, struct front_pool_thread, link);

		if (candidate->spawned)
			t = candidate;
	}
	if (t != NULL)
		RemoveEntryList(&t->link);
	*over = t == NULL && pool->alive == 0 && IsListEmpty(&pool->ended);
	KeReleaseSpinLock(&pool->lock, irql);
	return t;
}

/* Joins threads as they end; returns when there is none left. */
void front_pool_wait(struct rdr_fuse *fuse)
{
	struct front_pool *pool = &fuse->pool;

	for (;;) {
		LARGE_INTEGER timeout = {.QuadPart = -RESEND};
		bool over, leaving;
		struct front_pool_thread *t = next_ended(pool, &over);

		if (over)
			return;
		if (t != NULL) {
			nt_thread_join(t->thread);
			ExFreePoolWithTag(t, FUSE_TAG_THREAD);
			continue;
		}
		leaving = pool_stopping(fuse);
		if (leaving) {
			wake_all(fuse);              /* not the event: it is what is waited for here */
			front_requests_cancel(fuse); /* what was read since the end began */
		}
		KeWaitForSingleObject(&pool->changed, Executive, KernelMode, FALSE,
				      leaving ? &timeout : NULL);
	}
}

void front_pool_free(struct rdr_fuse *fuse)
{
	struct front_pool *pool = &fuse->pool;

	while (!IsListEmpty(&pool->buffers))
		recv_free(CONTAINING_RECORD(RemoveHeadList(&pool->buffers), struct front_recv, link));
	pool->free_buffers = 0;
}
