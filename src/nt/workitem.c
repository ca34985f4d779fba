/*
 * workitem.c - work queues.
 *
 * Owns:    three queues and their threads.  A queue has one thread for ever and more, up to its cap, whenever an item
 *          arrives and no thread is idle: so an item that blocks does not hold up the next.  An extra thread ends
 *          after it was idle for a while.
 * Locks:   each queue's lock, a leaf.
 */
#include "nt/exec.h"
#include "workitem.h"

#define NT_IDLE_LIMIT (20 * NT_TICKS_PER_SECOND)
/* Hypercritical items do not block, so a few threads do. */
#define NT_HYPERCRITICAL_WORKERS 4

struct idle_worker {
	LIST_ENTRY link;
	struct nt_thread *thread;
	volatile LONG woken; /* set, and unlinked, by whoever wakes it */
};

struct work_queue {
	const char *name;
	volatile LONG lock;
	LIST_ENTRY items;
	LIST_ENTRY idle; /* last to become idle first, its cache is warm */
	unsigned int threads;
	unsigned int active; /* in an item's routine */
	unsigned int max_threads;
	bool stopping;
};

static struct work_queue queues[MaximumWorkQueue] = {
	[CriticalWorkQueue] = {.name = "nt critical"},
	[DelayedWorkQueue] = {.name = "nt delayed"},
	[HyperCriticalWorkQueue] = {.name = "nt hyper"},
};
static volatile LONG changes; /* an item was finished or a thread ended; nt_work_stop() sleeps on it */
static bool started;

static void note_change(void)
{
	__atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);
	nt_ops->wake_word(&changes, INT32_MAX);
}

static void run_item_locked(struct work_queue *queue)
{
	PWORK_QUEUE_ITEM item = CONTAINING_RECORD(RemoveHeadList(&queue->items), WORK_QUEUE_ITEM, List);
	PWORKER_THREAD_ROUTINE routine = item->WorkerRoutine;
	PVOID parameter = item->Parameter;
	bool last;

	item->List.Flink = NULL; /* from here on the item is its owner's again */
	queue->active++;
	nt_word_unlock(&queue->lock);
	nt_sim_point();
	routine(parameter);
	nt_thread_assert_clean("the end of a work item");
	nt_set_requester(NULL);
	nt_self->top_level_irp = NULL;
	nt_word_lock(&queue->lock);
	queue->active--;
	last = queue->active == 0 && IsListEmpty(&queue->items);
	if (last)
		note_change();
}

/* Sleeps until woken or idle for too long; false: this thread ends. */
static bool idle_locked(struct work_queue *queue)
{
	struct idle_worker me = {.thread = nt_self};
	uint64_t deadline = queue->threads > 1 ? nt_now() + NT_IDLE_LIMIT : NT_FOREVER;

	if (queue->stopping)
		return false;
	InsertHeadList(&queue->idle, &me.link);
	nt_word_unlock(&queue->lock);
	nt_self->waits_for = "work";
	while (!__atomic_load_n(&me.woken, __ATOMIC_ACQUIRE)) {
		nt_park(nt_self, deadline);
		if (deadline != NT_FOREVER && nt_now() >= deadline)
			break;
	}
	nt_self->waits_for = NULL;
	nt_word_lock(&queue->lock);
	if (me.woken)
		return true;
	(void)RemoveEntryList(&me.link);
	return queue->threads == 1; /* somebody must stay */
}

static void worker_main(void *context)
{
	struct work_queue *queue = context;

	nt_word_lock(&queue->lock);
	for (;;) {
		if (!IsListEmpty(&queue->items))
			run_item_locked(queue);
		else if (!idle_locked(queue))
			break;
	}
	queue->threads--;
	note_change();
	nt_word_unlock(&queue->lock);
}

static void wake_one_and_unlock(struct work_queue *queue)
{
	struct idle_worker *idle = CONTAINING_RECORD(RemoveHeadList(&queue->idle), struct idle_worker, link);
	struct nt_thread *thread = idle->thread;

	__atomic_store_n(&idle->woken, 1, __ATOMIC_RELEASE);
	nt_word_unlock(&queue->lock);
	nt_unpark(thread);
}

/* The caller has counted the thread already. */
static NTSTATUS add_thread(struct work_queue *queue)
{
	NTSTATUS status = nt_thread_create_detached(queue->name, worker_main, queue);

	if (!NT_SUCCESS(status)) {
		nt_word_lock(&queue->lock);
		queue->threads--;
		nt_word_unlock(&queue->lock);
	}
	return status;
}

VOID ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
	struct work_queue *queue = &queues[QueueType];

	if ((unsigned int)QueueType >= MaximumWorkQueue)
		NT_BUG("work queue %d", (int)QueueType);
	nt_sim_point();
	nt_word_lock(&queue->lock);
	if (queue->threads == 0)
		NT_BUG("a work item is queued while the runtime is not running");
	if (WorkItem->List.Flink != NULL)
		NT_BUG("work item %p is queued twice", (void *)WorkItem);
	InsertTailList(&queue->items, &WorkItem->List);
	if (!IsListEmpty(&queue->idle)) {
		wake_one_and_unlock(queue);
	} else if (queue->threads < queue->max_threads) {
		queue->threads++;
		nt_word_unlock(&queue->lock);
		(void)add_thread(queue); /* without it the item waits for a thread that exists */
	} else {
		nt_word_unlock(&queue->lock);
	}
}

NTSTATUS nt_work_start(unsigned int max_workers)
{
	NTSTATUS status = STATUS_SUCCESS;

	started = true;
	for (int i = 0; i < MaximumWorkQueue && NT_SUCCESS(status); i++) {
		struct work_queue *queue = &queues[i];

		InitializeListHead(&queue->items);
		InitializeListHead(&queue->idle);
		queue->active = 0;
		queue->stopping = false;
		queue->max_threads = i == HyperCriticalWorkQueue ? NT_HYPERCRITICAL_WORKERS : max_workers;
		queue->threads = 1;
		status = add_thread(queue);
	}
	return status;
}

/* Work may queue work, in any queue: all must be empty at one look, taken with every lock held. */
static bool all_quiet_then_stop(void)
{
	bool quiet = true;

	for (int i = 0; i < MaximumWorkQueue; i++)
		nt_word_lock(&queues[i].lock);
	for (int i = 0; i < MaximumWorkQueue; i++)
		quiet = quiet && IsListEmpty(&queues[i].items) && queues[i].active == 0;
	for (int i = 0; i < MaximumWorkQueue; i++) {
		queues[i].stopping = quiet;
		nt_word_unlock(&queues[i].lock);
	}
	return quiet;
}

static bool all_ended(void)
{
	unsigned int threads = 0;

	for (int i = 0; i < MaximumWorkQueue; i++) {
		struct work_queue *queue = &queues[i];

		nt_word_lock(&queue->lock);
		threads += queue->threads;
		if (!IsListEmpty(&queue->idle))
			wake_one_and_unlock(queue);
		else
			nt_word_unlock(&queue->lock);
	}
	return threads == 0;
}

static bool wait_until(bool (*done)(void), uint64_t deadline)
{
	for (;;) {
		LONG seen = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);

		if (done())
			return true;
		if (nt_now() >= deadline)
			return false;
		nt_ops->wait_word(&changes, seen, deadline);
	}
}

bool nt_work_stop(uint64_t deadline, FILE *out)
{
	if (!started)
		return true;
	if (!wait_until(all_quiet_then_stop, deadline) || !wait_until(all_ended, deadline)) {
		if (out != NULL)
			fprintf(out, "nt: work items have not finished\n");
		return false;
	}
	started = false;
	return true;
}
