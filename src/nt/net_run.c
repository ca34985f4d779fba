/*
 * net_run.c - who runs a loop: its thread, or one that is here anyway.
 *
 * Owns:      the turn of a loop (nt_loop.runner), what epoll reported and nobody has looked at yet, the leader.
 * Locks:     nt_loop.lock: tasks, events, runner, leader, wakes_at, next_due. loops_lock: who exists. Leaves.
 * Dies when: the loop does.
 *
 * Everything of a loop belongs to the thread that has the turn. The turn is never waited for: who finds it taken
 * leaves what he brought, a task or an event, under the lock, and the runner does not give the turn up before it has
 * seen all that lies there. So a thread that has something to send sends it itself, and one that waits for an answer
 * (the leader: one at a time) receives it itself: no other thread has to wake up for either.
 *
 *   nobody --nt_loop_run()--> runner --nothing lies there, or it has worked enough for others--> nobody
 *
 * The leader sleeps in epoll_wait(), and so does the loop's own thread. The kernel wakes whoever came last, which is
 * the leader; when it is the other one the answer is received all the same, and the leader is kicked. A kick is an
 * edge of an eventfd that is never read; the loop's thread may catch it instead: it repeats the kick and, as always when
 * it finds a leader, stays out of epoll_wait() until the leader has left. Permit of a sleeping leader, beside those of nt_park():
 *
 *   0 --sleeps--> 3 --awake--> 0         3 --nt_unpark()--> 4 --kicked--> 1
 *
 * A leader does not leave while its permit is 4, so that who kicks finds the loop alive.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "exec.h"
#include "net.h"
#include "timer.h"

#define NT_LOOP_EVENTS 64
#define NT_100NS_PER_MS 10000u
/* So many rounds a thread that only came to send works for others. */
#define NT_ROUNDS_OF_GUEST 2
/* The loop's thread sleeps so long when a timer is due and somebody else has the turn (100 ns). */
#define NT_RUNNER_HAS_IT (20 * NT_100NS_PER_MS)

enum { PERMIT_NONE, PERMIT_GIVEN, PERMIT_LEADS = 3, PERMIT_KICKED = 4 };

bool nt_loop_is_current(const struct nt_loop *loop)
{
	return __atomic_load_n(&loop->runner, __ATOMIC_RELAXED) == nt_self;
}

static void nt_loop_signal(int fd)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	/* EAGAIN: the counter is full, so that whoever looks at it wakes anyway. */
}

void nt_loop_wake(struct nt_loop *loop)
{
	nt_loop_signal(loop->wake_fd);
}

/* ---- what epoll reports ------------------------------------------------------------------------------ */

void nt_loop_watch(struct nt_stream *stream)
{
	struct nt_loop *loop = stream->loop;

	nt_word_lock(&loop->lock);
	stream->id = ++loop->last_id;
	stream->happened = 0;
	InsertTailList(&loop->watched, &stream->watch);
	nt_word_unlock(&loop->lock);
}

void nt_loop_unwatch(struct nt_stream *stream)
{
	struct nt_loop *loop = stream->loop;

	nt_word_lock(&loop->lock);
	if (stream->id != 0)
		RemoveEntryList(&stream->watch);
	stream->id = 0;
	nt_word_unlock(&loop->lock);
}

/* By number, not by address: the stream may have gone since epoll_wait() returned. */
static void nt_loop_note_locked(struct nt_loop *loop, const struct epoll_event *event)
{
	for (PLIST_ENTRY at = loop->watched.Flink; at != &loop->watched; at = at->Flink) {
		struct nt_stream *stream = CONTAINING_RECORD(at, struct nt_stream, watch);

		if (stream->id != event->data.u64)
			continue;
		stream->happened |= event->events;
		loop->happened = true;
		return;
	}
}

static void nt_stream_take_event(struct nt_stream *stream)
{
	uint32_t what = stream->happened;

	stream->happened = 0;
	if (what == 0)
		return;
	if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->readable = true;
	if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		stream->writable = true;
	if (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->hung_up = true;
	nt_loop_make_ready(stream);
}

static void nt_loop_take_events_locked(struct nt_loop *loop)
{
	if (!loop->happened)
		return;
	loop->happened = false;
	for (PLIST_ENTRY at = loop->watched.Flink; at != &loop->watched; at = at->Flink)
		nt_stream_take_event(CONTAINING_RECORD(at, struct nt_stream, watch));
}

/* Sleeps in epoll until `until`, and leaves what it reports under the lock. Return: somebody kicks the leader. */
static bool nt_loop_sleep(struct nt_loop *loop, uint64_t until)
{
	struct epoll_event events[NT_LOOP_EVENTS];
	uint64_t now = until == NT_FOREVER ? 0 : nt_now(), count;
	bool kicked = false;
	int ms = -1, n;

	if (until <= now)
		ms = 0;
	else if (until != NT_FOREVER)
		ms = (int)min((until - now + NT_100NS_PER_MS - 1) / NT_100NS_PER_MS, (uint64_t)3600 * 1000);
	n = epoll_wait(loop->epoll_fd, events, NT_LOOP_EVENTS, ms);
	nt_word_lock(&loop->lock);
	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == NT_LOOP_ID_WAKE)
			(void)!read(loop->wake_fd, &count, sizeof(count)); /* only to take the mark away */
		else if (events[i].data.u64 == NT_LOOP_ID_KICK)
			kicked = true;
		else
			nt_loop_note_locked(loop, &events[i]);
	}
	nt_word_unlock(&loop->lock);
	return kicked;
}

/* ---- the turn ---------------------------------------------------------------------------------------- */

/* What a callback may not see of the thread that happens to run it. */
struct nt_guise {
	struct _EPROCESS *process;
	bool has_requester;
	void *top_level_irp;
	void *seh_frames;
	KIRQL irql;
};

static void nt_guise_put_on(struct nt_thread *self, struct nt_guise *before)
{
	before->process = self->process;
	before->has_requester = self->has_requester;
	before->top_level_irp = self->top_level_irp;
	before->seh_frames = self->seh_frames;
	self->process = PsInitialSystemProcess;
	self->has_requester = false;
	self->top_level_irp = NULL;
	self->seh_frames = NULL;
	/* A callback that waits would stall every connection of the loop: it is caught, not hoped away. */
	KeRaiseIrql(DISPATCH_LEVEL, &before->irql);
}

static void nt_guise_take_off(struct nt_thread *self, const struct nt_guise *before)
{
	KeLowerIrql(before->irql);
	self->process = before->process;
	self->has_requester = before->has_requester;
	self->top_level_irp = before->top_level_irp;
	self->seh_frames = before->seh_frames;
}

/* Nobody else has the turn. */
static bool nt_loop_has_work_locked(const struct nt_loop *loop)
{
	return !IsListEmpty(&loop->tasks) || loop->happened || !IsListEmpty(&loop->ready);
}

/* One round: what lies there, the timers that are due, the streams that have something to do. */
static void nt_loop_round(struct nt_loop *loop, PLIST_ENTRY tasks)
{
	while (!IsListEmpty(tasks)) {
		struct nt_loop_task *task =
			CONTAINING_RECORD(RemoveHeadList(tasks), struct nt_loop_task, link);

		task->fn(task);
	}
	nt_loop_run_timers(loop);
	nt_loop_run_streams(loop);
}

/* The timers may have changed. Return: the loop's thread sleeps too long. */
static bool nt_loop_retime_locked(struct nt_loop *loop)
{
	loop->next_due = IsListEmpty(&loop->timers)
				 ? NT_FOREVER
				 : CONTAINING_RECORD(loop->timers.Flink, struct nt_loop_timer, link)->due;
	return loop->next_due < loop->wakes_at;
}

void nt_loop_run(struct nt_loop *loop, enum nt_loop_who who)
{
	struct nt_thread *self = nt_current();
	unsigned int rounds = 0;
	struct nt_guise guise;
	LIST_ENTRY tasks;
	bool wake;

	InitializeListHead(&tasks);
	nt_word_lock(&loop->lock);
	if (loop->runner != NULL) {
		nt_word_unlock(&loop->lock);
		return;
	}
	__atomic_store_n(&loop->runner, self, __ATOMIC_RELAXED);
	nt_guise_put_on(self, &guise);
	do {
		while (!IsListEmpty(&loop->tasks))
			InsertTailList(&tasks, RemoveHeadList(&loop->tasks));
		nt_loop_take_events_locked(loop);
		nt_word_unlock(&loop->lock);
		nt_loop_round(loop, &tasks);
		rounds++;
		nt_word_lock(&loop->lock);
		if (who == NT_LOOP_GUEST && rounds == NT_ROUNDS_OF_GUEST)
			break;
		if (who == NT_LOOP_LEADER && __atomic_load_n(&self->permit, __ATOMIC_ACQUIRE) == PERMIT_GIVEN)
			break;
		/* A stream that has more to do waits until epoll was asked for the others. */
	} while (!IsListEmpty(&loop->tasks) || loop->happened);
	nt_guise_take_off(self, &guise);
	__atomic_store_n(&loop->runner, NULL, __ATOMIC_RELAXED);
	wake = nt_loop_retime_locked(loop) || nt_loop_has_work_locked(loop);
	nt_word_unlock(&loop->lock);
	if (wake && who != NT_LOOP_THREAD)
		nt_loop_wake(loop);
}

void nt_loop_post(struct nt_loop *loop, struct nt_loop_task *task)
{
	bool wake;

	nt_word_lock(&loop->lock);
	/* A list that was not empty has its wake-up under way; a runner looks before it gives its turn up. */
	wake = IsListEmpty(&loop->tasks) && loop->runner == NULL;
	InsertTailList(&loop->tasks, &task->link);
	nt_word_unlock(&loop->lock);
	if (wake)
		nt_loop_wake(loop);
}

void nt_loop_call(struct nt_loop *loop, struct nt_loop_task *task)
{
	if (nt_current()->irql >= DISPATCH_LEVEL) { /* it may hold what a callback takes */
		nt_loop_post(loop, task);
		return;
	}
	nt_current()->called = loop->serial;
	nt_word_lock(&loop->lock);
	InsertTailList(&loop->tasks, &task->link);
	nt_word_unlock(&loop->lock);
	nt_loop_run(loop, NT_LOOP_GUEST);
}

/* ---- the loop's thread ------------------------------------------------------------------------------- */

/*
 * Somebody leads: he hears what comes, and is nearer to who waits for it. The kernel wakes whoever came to epoll last,
 * so that this thread must not come after him. False: nobody leads.
 */
static bool nt_loop_give_way(struct nt_loop *loop)
{
	LONG left;

	nt_word_lock(&loop->lock);
	left = loop->leaders_left;
	loop->waits_for_leader = loop->leader != NULL && !loop->stop;
	if (!loop->waits_for_leader) {
		nt_word_unlock(&loop->lock);
		return false;
	}
	nt_word_unlock(&loop->lock);
	while (__atomic_load_n(&loop->leaders_left, __ATOMIC_ACQUIRE) == left)
		nt_ops->wait_word(&loop->leaders_left, left, NT_FOREVER);
	return true;
}

/* This thread has caught the kick of a leader that has not woken up yet: see the head of this file. */
static void nt_loop_return_kick(struct nt_loop *loop)
{
	LONG permit = PERMIT_NONE;

	nt_word_lock(&loop->lock);
	if (loop->leader != NULL)
		permit = __atomic_load_n(&loop->leader->permit, __ATOMIC_ACQUIRE);
	nt_word_unlock(&loop->lock);
	if (permit == PERMIT_GIVEN || permit == PERMIT_KICKED)
		nt_loop_signal(loop->kick_fd);
}

void nt_loop_idle(struct nt_loop *loop)
{
	uint64_t until, now = nt_now();

	if (nt_loop_give_way(loop))
		return;
	nt_word_lock(&loop->lock);
	until = loop->next_due;
	if (loop->runner != NULL && until <= now)
		until = now + NT_RUNNER_HAS_IT;
	else if (loop->runner == NULL && (loop->stop || nt_loop_has_work_locked(loop)))
		until = 0;
	loop->wakes_at = until;
	nt_word_unlock(&loop->lock);
	if (nt_loop_sleep(loop, until))
		nt_loop_return_kick(loop);
	nt_word_lock(&loop->lock);
	loop->wakes_at = 0; /* awake */
	nt_word_unlock(&loop->lock);
}

/* ---- the leader -------------------------------------------------------------------------------------- */

/* Return: false when the permit was given. */
static bool nt_leader_sleeps(struct nt_loop *loop, struct nt_thread *self, uint64_t deadline)
{
	LONG none = PERMIT_NONE, asleep = PERMIT_LEADS;
	uint64_t until;

	if (!__atomic_compare_exchange_n(&self->permit, &none, PERMIT_LEADS, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_ACQUIRE))
		return false;
	nt_word_lock(&loop->lock);
	until = loop->runner == NULL && nt_loop_has_work_locked(loop) ? 0 : min(deadline, loop->next_due);
	nt_word_unlock(&loop->lock);
	(void)nt_loop_sleep(loop, until); /* a kick is the leader's own, and it looks anyway */
	if (__atomic_compare_exchange_n(&self->permit, &asleep, PERMIT_NONE, false, __ATOMIC_SEQ_CST,
					__ATOMIC_ACQUIRE))
		return true;
	while (__atomic_load_n(&self->permit, __ATOMIC_ACQUIRE) == PERMIT_KICKED)
		nt_ops->wait_word(&self->permit, PERMIT_KICKED, NT_FOREVER);
	return false;
}

static void nt_leader_leaves(struct nt_loop *loop)
{
	bool wake, awaited;

	nt_word_lock(&loop->lock);
	loop->leader = NULL;
	__atomic_add_fetch(&loop->leaders_left, 1, __ATOMIC_SEQ_CST);
	awaited = loop->waits_for_leader;
	loop->waits_for_leader = false;
	wake = loop->runner == NULL && (loop->next_due < loop->wakes_at || nt_loop_has_work_locked(loop));
	nt_word_unlock(&loop->lock);
	if (awaited)
		nt_ops->wake_word(&loop->leaders_left, 1);
	if (wake)
		nt_loop_wake(loop); /* the loop's thread: nobody else is in epoll_wait() now */
}

static bool nt_loop_is_stopping(struct nt_loop *loop)
{
	bool stop;

	nt_word_lock(&loop->lock);
	stop = loop->stop;
	nt_word_unlock(&loop->lock);
	return stop;
}

/* The permit was PERMIT_KICKED's; nobody but the caller changes it now. */
void nt_loop_kick(struct nt_thread *thread)
{
	nt_loop_signal(thread->leads->kick_fd);
	__atomic_store_n(&thread->permit, PERMIT_GIVEN, __ATOMIC_RELEASE);
	nt_ops->wake_word(&thread->permit, 1);
}

/* ---- which loops there are --------------------------------------------------------------------------- */

static volatile LONG loops_lock; /* a leaf: who is in `loops`, serials, guests of each */
static LIST_ENTRY loops = {&loops, &loops};
static uint64_t last_serial;

void nt_loop_enlist(struct nt_loop *loop)
{
	nt_word_lock(&loops_lock);
	loop->serial = ++last_serial;
	InsertTailList(&loops, &loop->all);
	nt_word_unlock(&loops_lock);
}

/* Whom it was that a thread has called: by number, because it may have gone since. */
static struct nt_loop *nt_loop_visit(uint64_t serial)
{
	struct nt_loop *found = NULL;

	nt_word_lock(&loops_lock);
	for (PLIST_ENTRY at = loops.Flink; at != &loops && found == NULL; at = at->Flink)
		if (CONTAINING_RECORD(at, struct nt_loop, all)->serial == serial)
			found = CONTAINING_RECORD(at, struct nt_loop, all);
	if (found != NULL)
		found->guests++;
	nt_word_unlock(&loops_lock);
	return found;
}

static void nt_loop_bid_farewell(struct nt_loop *loop)
{
	nt_word_lock(&loops_lock);
	__atomic_sub_fetch(&loop->guests, 1, __ATOMIC_SEQ_CST);
	nt_ops->wake_word(&loop->guests, 1);
	nt_word_unlock(&loops_lock);
}

/* The loop has been told to stop. */
void nt_loop_delist(struct nt_loop *loop)
{
	LONG guests;

	nt_word_lock(&loops_lock);
	RemoveEntryList(&loop->all);
	nt_word_unlock(&loops_lock);
	while ((guests = __atomic_load_n(&loop->guests, __ATOMIC_ACQUIRE)) != 0) {
		nt_loop_wake(loop); /* one that waits here for something else goes on waiting elsewhere */
		nt_ops->wait_word(&loop->guests, guests, nt_now() + NT_RUNNER_HAS_IT);
	}
	/* The last of them may be on its way out of the lock. */
	nt_word_lock(&loops_lock);
	nt_word_unlock(&loops_lock);
}

/* ---- waiting ----------------------------------------------------------------------------------------- */

static bool nt_loop_lead(struct nt_loop *loop, struct nt_thread *self, uint64_t deadline)
{
	bool leads;

	nt_word_lock(&loop->lock);
	leads = loop->leader == NULL && loop->runner != self && !loop->stop;
	if (leads)
		loop->leader = self;
	nt_word_unlock(&loop->lock);
	if (!leads)
		return false;
	self->leads = loop;
	do
		nt_loop_run(loop, NT_LOOP_LEADER);
	while (nt_leader_sleeps(loop, self, deadline) && nt_now() < deadline && !nt_loop_is_stopping(loop));
	nt_leader_leaves(loop);
	return true;
}

bool nt_loop_park(struct nt_thread *self, uint64_t deadline)
{
	struct nt_loop *loop = nt_loop_visit(self->waits_in);
	bool parked;

	if (loop == NULL)
		return false;
	parked = nt_loop_lead(loop, self, deadline);
	nt_loop_bid_farewell(loop);
	return parked;
}

static NTSTATUS nt_wait_in(uint64_t serial, PVOID object, PLARGE_INTEGER timeout)
{
	struct nt_thread *self = nt_current();
	NTSTATUS status;

	self->waits_in = serial;
	status = KeWaitForSingleObject(object, Executive, KernelMode, FALSE, timeout);
	self->waits_in = 0;
	return status;
}

NTSTATUS nt_loop_wait(struct nt_loop *loop, PVOID object, PLARGE_INTEGER timeout)
{
	return nt_wait_in(loop->serial, object, timeout);
}

void nt_wait_for_answer(PVOID object)
{
	(void)nt_wait_in(nt_current()->called, object, NULL);
}
