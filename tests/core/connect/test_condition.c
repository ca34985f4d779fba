/* test_condition.c - waiting until an object under construction is good or bad: RxWaitForStableCondition. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/object/object.h"
#include "nt_exec.h"

#define NOT_ANSWERED ((NTSTATUS)0x12345678)

struct wait {
	RX_BLOCK_CONDITION condition;
	LIST_ENTRY list;
	NTSTATUS status;
	KEVENT done;
};

static void wait_here(void *arg)
{
	struct wait *wait = arg;
	PRX_CONTEXT rxc = fixture_context();

	RxWaitForStableCondition(&wait->condition, &wait->list, rxc, &wait->status);
	fixture_context_end(rxc);
	KeSetEvent(&wait->done, IO_NO_INCREMENT, FALSE);
}

static void wait_init(struct wait *wait, RX_BLOCK_CONDITION condition)
{
	*wait = (struct wait){.condition = condition, .status = NOT_ANSWERED};
	InitializeListHead(&wait->list);
	KeInitializeEvent(&wait->done, NotificationEvent, FALSE);
}

/* Waits until the waiter has queued itself; false when it came back instead. */
static bool is_queued(struct wait *wait)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};

	for (unsigned int i = 0; i < 20000 && !KeReadStateEvent(&wait->done); i++) {
		if (__atomic_load_n(&wait->list.Flink, __ATOMIC_ACQUIRE) != &wait->list)
			return true;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	return false;
}

/* Good and bad are stable: the answer comes at once. */
static void test_stable_condition_is_not_waited_for(void **state)
{
	static const RX_BLOCK_CONDITION stable[] = {Condition_Good, Condition_Bad};

	(void)state;
	for (size_t i = 0; i < RTL_NUMBER_OF(stable); i++) {
		struct wait wait;

		wait_init(&wait, stable[i]);
		wait_here(&wait);
		CHECK_EQUAL(wait.status, STATUS_SUCCESS);
		CHECK(IsListEmpty(&wait.list));
	}
}

/* A transition is waited for: nobody comes back before the condition is updated, and then everybody does. */
static void test_transition_is_waited_for(void **state)
{
	static const RX_BLOCK_CONDITION outcome[] = {Condition_Good, Condition_Bad};

	(void)state;
	for (size_t i = 0; i < RTL_NUMBER_OF(outcome); i++) {
		LARGE_INTEGER limit = {.QuadPart = -20 * 10000000LL};
		struct nt_thread *thread;
		struct wait wait;

		wait_init(&wait, Condition_InTransition);
		CHECK_EQUAL(nt_thread_create("waiter", wait_here, &wait, &thread), STATUS_SUCCESS);
		CHECK(is_queued(&wait));
		CHECK_EQUAL(wait.status, NOT_ANSWERED);
		RxUpdateCondition(outcome[i], &wait.condition, &wait.list);
		CHECK_EQUAL(KeWaitForSingleObject(&wait.done, Executive, KernelMode, FALSE, &limit),
			    STATUS_SUCCESS);
		nt_thread_join(thread);
		CHECK_EQUAL(wait.status, STATUS_SUCCESS);
		CHECK(wait.condition == outcome[i] && IsListEmpty(&wait.list));
	}
}

/* A request that would be posted is not when there is nothing to wait for, nor when its record cannot be made. */
static void test_stable_condition_needs_no_post(void **state)
{
	PRX_CONTEXT rxc = fixture_context();
	struct wait wait;

	(void)state;
	rxc->Flags |= RX_CONTEXT_FLAG_POST_ON_STABLE_CONDITION;
	wait_init(&wait, Condition_Good);
	RxWaitForStableCondition(&wait.condition, &wait.list, rxc, &wait.status);
	CHECK_EQUAL(wait.status, STATUS_SUCCESS);
	CHECK(IsListEmpty(&wait.list));
	nt_fault_arm(0);
	wait_init(&wait, Condition_InTransition);
	RxWaitForStableCondition(&wait.condition, &wait.list, rxc, &wait.status);
	CHECK(nt_fault_disarm());
	CHECK_EQUAL((ULONG)wait.status, (ULONG)STATUS_INSUFFICIENT_RESOURCES);
	CHECK(IsListEmpty(&wait.list));
	fixture_context_end(rxc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stable_condition_is_not_waited_for),
		cmocka_unit_test(test_transition_is_waited_for),
		cmocka_unit_test(test_stable_condition_needs_no_post),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
