/* Work queues: order, growth, a queue whose workers all block, and the end of the runtime. */
#include "nt_test.h"

#define ITEMS 200

struct ordered {
	WORK_QUEUE_ITEM item;
	struct order *order;
	int number;
};

struct order {
	struct ordered items[ITEMS];
	volatile LONG begun, done;
	int sequence[ITEMS];
	KEVENT finished, start;
};

static void note_order(PVOID parameter)
{
	struct ordered *me = parameter;
	struct order *order = me->order;
	LONG at = InterlockedIncrement(&order->begun) - 1;

	order->sequence[at] = me->number;
	if (InterlockedIncrement(&order->done) == ITEMS)
		KeSetEvent(&order->finished, 0, FALSE);
}

static void fill_order(struct order *order)
{
	order->begun = order->done = 0;
	KeInitializeEvent(&order->finished, NotificationEvent, FALSE);
	for (int i = 0; i < ITEMS; i++) {
		order->items[i].order = order;
		order->items[i].number = i;
		ExInitializeWorkItem(&order->items[i].item, note_order, &order->items[i]);
	}
}

static void test_every_item_runs_once(void **state)
{
	/* Each queued item's routine is called exactly once, in each queue. */
	static struct order order;

	(void)state;
	for (int queue = 0; queue < MaximumWorkQueue; queue++) {
		bool seen[ITEMS] = {false};

		fill_order(&order);
		for (int i = 0; i < ITEMS; i++)
			ExQueueWorkItem(&order.items[i].item, (WORK_QUEUE_TYPE)queue);
		nt_test_wait(&order.finished);
		for (int i = 0; i < ITEMS; i++) {
			assert_false(seen[order.sequence[i]]);
			seen[order.sequence[i]] = true;
		}
	}
}

static int one_worker_setup(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1, .max_workers = 1};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static void test_one_worker_keeps_the_order(void **state)
{
	/* A queue is first in, first out. */
	static struct order order;

	(void)state;
	fill_order(&order);
	for (int i = 0; i < ITEMS; i++)
		ExQueueWorkItem(&order.items[i].item, DelayedWorkQueue);
	nt_test_wait(&order.finished);
	for (int i = 0; i < ITEMS; i++)
		assert_int_equal(order.sequence[i], i);
}

#define BLOCKERS 20

struct blockers {
	WORK_QUEUE_ITEM items[BLOCKERS], last;
	volatile LONG blocked;
	KEVENT all_blocked, go, last_ran;
};

static void block(PVOID parameter)
{
	struct blockers *blockers = parameter;

	if (InterlockedIncrement(&blockers->blocked) == BLOCKERS)
		KeSetEvent(&blockers->all_blocked, 0, FALSE);
	nt_test_wait(&blockers->go);
}

static void last_item(PVOID parameter)
{
	struct blockers *blockers = parameter;

	KeSetEvent(&blockers->last_ran, 0, FALSE);
}

static void test_blocked_workers_do_not_hold_up_others(void **state)
{
	/* While many items block, the queue grows and the next item still runs. */
	static struct blockers blockers;

	(void)state;
	blockers.blocked = 0;
	KeInitializeEvent(&blockers.all_blocked, NotificationEvent, FALSE);
	KeInitializeEvent(&blockers.go, NotificationEvent, FALSE);
	KeInitializeEvent(&blockers.last_ran, NotificationEvent, FALSE);
	for (int i = 0; i < BLOCKERS; i++) {
		ExInitializeWorkItem(&blockers.items[i], block, &blockers);
		ExQueueWorkItem(&blockers.items[i], CriticalWorkQueue);
	}
	nt_test_wait(&blockers.all_blocked);
	ExInitializeWorkItem(&blockers.last, last_item, &blockers);
	ExQueueWorkItem(&blockers.last, CriticalWorkQueue);
	nt_test_wait(&blockers.last_ran);
	KeSetEvent(&blockers.go, 0, FALSE);
}

struct chain {
	WORK_QUEUE_ITEM item;
	int left;
	int ran;
};

static void chain_step(PVOID parameter)
{
	struct chain *chain = parameter;

	chain->ran++;
	/* The item is ours again: it may be queued from its own routine. */
	if (--chain->left > 0) {
		ExInitializeWorkItem(&chain->item, chain_step, chain);
		ExQueueWorkItem(&chain->item, (WORK_QUEUE_TYPE)(chain->left % MaximumWorkQueue));
	}
}

static void test_shutdown_finishes_all_work(void **state)
{
	/* nt_shutdown runs what is queued, and what that queues in turn, before it ends the workers. */
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1};
	struct chain chain = {.left = 500};

	(void)state;
	assert_int_equal(nt_initialize(&config), STATUS_SUCCESS);
	ExInitializeWorkItem(&chain.item, chain_step, &chain);
	ExQueueWorkItem(&chain.item, DelayedWorkQueue);
	assert_int_equal(nt_shutdown(stderr), 0);
	assert_int_equal(chain.ran, 500);
}

static void chain_run(void *context)
{
	struct chain *chain = context;

	ExInitializeWorkItem(&chain->item, chain_step, chain);
	ExQueueWorkItem(&chain->item, DelayedWorkQueue);
}

static void test_work_under_sim(void **state)
{
	/* The same under the deterministic executive, where the end of the run is the shutdown. */
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct chain chain = {.left = 20};

		assert_int_equal(nt_sim_run(seed, chain_run, &chain), 0);
		assert_int_equal(chain.ran, 20);
	}
}

static void who_am_i(PVOID parameter)
{
	struct nt_requester requester;

	*(bool *)parameter = PsGetCurrentProcess() == PsInitialSystemProcess && !nt_get_requester(&requester);
	requester = (struct nt_requester){.pid = 77, .uid = 1, .gid = 1};
	nt_set_requester(&requester); /* must not stick to the worker */
}

static void test_workers_are_the_system_process(void **state)
{
	/* An item runs as the system process, whatever the item before it did. */
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1, .max_workers = 1};
	struct nt_requester requester = {.pid = 4242, .uid = 1000, .gid = 1000};
	WORK_QUEUE_ITEM items[2];
	bool system[2] = {false, false};

	(void)state;
	assert_int_equal(nt_initialize(&config), STATUS_SUCCESS);
	nt_set_requester(&requester);
	for (int i = 0; i < 2; i++) {
		ExInitializeWorkItem(&items[i], who_am_i, &system[i]);
		ExQueueWorkItem(&items[i], DelayedWorkQueue);
	}
	nt_set_requester(NULL);
	assert_int_equal(nt_shutdown(stderr), 0);
	assert_true(system[0] && system[1]);
}

static void keep_mutex(PVOID parameter) RX_NO_TSA
{
	ExInitializeFastMutex(parameter);
	ExAcquireFastMutexUnsafe(parameter);
}

static void item_keeps_a_lock(void)
{
	static FAST_MUTEX mutex;
	WORK_QUEUE_ITEM item;

	NT_TEST_START_IN_CHILD();
	ExInitializeWorkItem(&item, keep_mutex, &mutex);
	ExQueueWorkItem(&item, DelayedWorkQueue);
	nt_shutdown(NULL);
}

static void never_returns(PVOID parameter)
{
	nt_test_wait(parameter);
}

static void queued_twice(void)
{
	WORK_QUEUE_ITEM items[3];
	struct nt_config config = {.executive = NT_EXEC_POSIX, .max_workers = 1};
	KEVENT event;

	nt_initialize(&config);
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	for (int i = 0; i < 3; i++)
		ExInitializeWorkItem(&items[i], never_returns, &event);
	for (int i = 0; i < 3; i++)
		ExQueueWorkItem(&items[i], DelayedWorkQueue);
	ExQueueWorkItem(&items[2], DelayedWorkQueue);
}

static void test_broken_rules_end_the_process(void **state)
{
	/* A worker that returns with a lock, and an item that is queued while it is queued, are named. */
	(void)state;
	assert_true(nt_test_dies(item_keeps_a_lock, "the end of a work item: still holds 1"));
	assert_true(nt_test_dies(queued_twice, "is queued twice"));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, nt_test_setup, nt_test_teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_every_item_runs_once),
		cmocka_unit_test_setup_teardown(test_one_worker_keeps_the_order, one_worker_setup,
						nt_test_teardown),
		WITH(test_blocked_workers_do_not_hold_up_others),
		cmocka_unit_test(test_shutdown_finishes_all_work),
		cmocka_unit_test(test_work_under_sim),
		cmocka_unit_test(test_workers_are_the_system_process),
		cmocka_unit_test(test_broken_rules_end_the_process),
	};

	return cmocka_run_group_tests_name("nt work", tests, NULL, NULL);
}
