/*
 * Requests that run one after another: rows B-RxSynchronizeBlockingOperations and B-RxResumeBlockedOperations_Serially.
 */
#include "../support/bare.h"

#include "core/context/context.h"

static LIST_ENTRY queue;

static int setup(void **state)
{
	InitializeListHead(&queue);
	return rec_setup(state);
}

/* A synchronous request on a thread of its own, which waits its turn and then stays until it is told. */
struct waiter {
	PRX_CONTEXT rxc;
	struct nt_thread *thread;
	NTSTATUS status;
	volatile LONG turn; /* 0: none yet */
};

static volatile LONG turns;

static void waiter_run(void *context)
{
	struct waiter *w = context;

	w->status = RxSynchronizeBlockingOperations(w->rxc, NULL, &queue);
	InterlockedExchange(&w->turn, InterlockedIncrement(&turns));
}

static void waiter_start(struct waiter *w)
{
	RtlZeroMemory(w, sizeof(*w));
	w->rxc = RxCreateRxContext(NULL, rec.device, 0);
	assert_int_equal(nt_thread_create("waiter", waiter_run, w, &w->thread), STATUS_SUCCESS);
	WAIT_UNTIL(__atomic_load_n(&w->rxc->SerializationQueue, __ATOMIC_ACQUIRE) != NULL);
}

static LONG waiter_turn(struct waiter *w)
{
	return InterlockedExchangeAdd(&w->turn, 0);
}

static void waiter_end(struct waiter *w)
{
	nt_thread_join(w->thread);
	RxDereferenceAndDeleteRxContext(w->rxc);
}

/* An asynchronous request: when it runs again it passes, leaves the queue and succeeds. */
static volatile LONG resumed;

static NTSTATUS NTAPI pass_and_leave(PRX_CONTEXT rxc, PIRP irp)
{
	NTSTATUS status = RxSynchronizeBlockingOperations(rxc, NULL, &queue);

	assert_ptr_equal(irp, rxc->CurrentIrp);
	assert_true(rxc->Flags & RX_CONTEXT_FLAG_IN_FSP);
	assert_int_equal(status, STATUS_SUCCESS);
	InterlockedIncrement(&resumed);
	RxResumeBlockedOperations_Serially(rxc, &queue);
	return STATUS_SUCCESS;
}

static struct bare *async_make(void)
{
	struct bare *b = bare_make(NULL, IRP_MJ_DEVICE_CONTROL, 0);

	bare_context(b, RX_CONTEXT_FLAG_ASYNC_OPERATION)->ResumeRoutine = pass_and_leave;
	return b;
}

/* Behind another request an asynchronous one is queued and its thread goes on; the first of all passes at once. */
static void test_B_RxSynchronizeBlockingOperations_01_queued(void **state)
{
	PRX_CONTEXT first = RxCreateRxContext(NULL, rec.device, 0);
	struct bare *b = async_make();

	(void)state;
	resumed = 0;
	assert_int_equal(RxSynchronizeBlockingOperations(first, NULL, &queue), STATUS_SUCCESS);
	assert_int_equal(RxSynchronizeBlockingOperations(b->rxc, NULL, &queue), STATUS_PENDING);
	assert_ptr_equal(queue.Blink, &b->rxc->RxContextSerializationQLinks);
	assert_true(bare_sp(b)->Control & SL_PENDING_RETURNED);
	assert_int_equal(b->completions, 0);
	assert_int_equal(resumed, 0);
	RxResumeBlockedOperations_Serially(first, &queue);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
	assert_int_equal(resumed, 1);
	assert_true(IsListEmpty(&queue));
	RxDereferenceAndDeleteRxContext(first);
}

/* A synchronous one waits on its thread until it is resumed. */
static void test_B_RxSynchronizeBlockingOperations_02_waits(void **state)
{
	PRX_CONTEXT first = RxCreateRxContext(NULL, rec.device, 0);
	struct waiter w;

	(void)state;
	turns = 0;
	assert_int_equal(RxSynchronizeBlockingOperations(first, NULL, &queue), STATUS_SUCCESS);
	waiter_start(&w);
	assert_int_equal(waiter_turn(&w), 0);
	RxResumeBlockedOperations_Serially(first, &queue);
	WAIT_UNTIL(waiter_turn(&w) != 0);
	assert_int_equal(w.status, STATUS_SUCCESS);
	assert_ptr_equal(queue.Flink, &w.rxc->RxContextSerializationQLinks);
	RxResumeBlockedOperations_Serially(w.rxc, &queue);
	assert_true(IsListEmpty(&queue));
	waiter_end(&w);
	RxDereferenceAndDeleteRxContext(first);
}

/* Cancelled before: not queued. Cancelled while it waits: out of the queue, and the others keep their order. */
static void test_B_RxSynchronizeBlockingOperations_03_cancelled(void **state)
{
	PRX_CONTEXT first = RxCreateRxContext(NULL, rec.device, 0),
		    cancelled = RxCreateRxContext(NULL, rec.device, 0);
	struct waiter second, third;

	(void)state;
	turns = 0;
	rx_cancel_context(cancelled);
	assert_int_equal(RxSynchronizeBlockingOperations(cancelled, NULL, &queue), STATUS_CANCELLED);
	assert_true(IsListEmpty(&queue));

	assert_int_equal(RxSynchronizeBlockingOperations(first, NULL, &queue), STATUS_SUCCESS);
	waiter_start(&second);
	waiter_start(&third);
	rx_cancel_context(second.rxc);
	WAIT_UNTIL(waiter_turn(&second) != 0);
	assert_int_equal(second.status, STATUS_CANCELLED);
	assert_int_equal(waiter_turn(&third), 0);
	RxResumeBlockedOperations_Serially(first, &queue);
	WAIT_UNTIL(waiter_turn(&third) != 0);
	assert_int_equal(third.status, STATUS_SUCCESS);
	RxResumeBlockedOperations_Serially(third.rxc, &queue);
	waiter_end(&second);
	waiter_end(&third);
	RxDereferenceAndDeleteRxContext(first);
	RxDereferenceAndDeleteRxContext(cancelled);
}

/* The FCB is given up by a request that must wait and asked for it; by nobody else. */
static void test_B_RxSynchronizeBlockingOperations_04_drops_the_fcb(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PRX_CONTEXT first = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	struct bare *keeps = async_make(), *drops = async_make();
	PFCB fcb = fcb_of(file);

	(void)state;
	assert_int_equal(RxAcquireExclusiveFcb(first, fcb), STATUS_SUCCESS);
	assert_int_equal(__RxSynchronizeBlockingOperations(first, fcb, &queue, TRUE), STATUS_SUCCESS);
	assert_true(RxIsFcbAcquiredExclusive(fcb));
	RxReleaseFcb(first, fcb);

	assert_int_equal(RxAcquireExclusiveFcb(keeps->rxc, fcb), STATUS_SUCCESS);
	assert_int_equal(__RxSynchronizeBlockingOperations(keeps->rxc, fcb, &queue, FALSE), STATUS_PENDING);
	assert_true(RxIsFcbAcquiredExclusive(fcb));
	RxReleaseFcb(keeps->rxc, fcb);

	assert_int_equal(RxAcquireExclusiveFcb(drops->rxc, fcb), STATUS_SUCCESS);
	assert_int_equal(RxSynchronizeBlockingOperationsAndDropFcbLock(drops->rxc, fcb, &queue),
			 STATUS_PENDING);
	assert_false(RxIsFcbAcquired(fcb));
	assert_int_equal(drops->rxc->AcquireReleaseFcbTrackerX, 0);

	RxResumeBlockedOperations_Serially(first, &queue);
	assert_int_equal(bare_end(keeps), STATUS_SUCCESS);
	assert_int_equal(bare_end(drops), STATUS_SUCCESS);
	RxDereferenceAndDeleteRxContext(first);
	file_close(file);
}

/* Each resumption wakes one, in the order of the queue; a request that is in no queue wakes nobody. */
static void test_B_RxResumeBlockedOperations_Serially_01_in_order(void **state)
{
	PRX_CONTEXT first = RxCreateRxContext(NULL, rec.device, 0);
	struct waiter w[3];
	unsigned int i;

	(void)state;
	turns = 0;
	RxResumeBlockedOperations_Serially(first, &queue);
	assert_true(IsListEmpty(&queue));
	assert_int_equal(RxSynchronizeBlockingOperations(first, NULL, &queue), STATUS_SUCCESS);
	for (i = 0; i < 3; i++)
		waiter_start(&w[i]);
	RxResumeBlockedOperations_Serially(first, &queue);
	for (i = 0; i < 3; i++) {
		WAIT_UNTIL(waiter_turn(&w[i]) != 0);
		assert_int_equal(waiter_turn(&w[i]), i + 1);
		assert_int_equal(InterlockedExchangeAdd(&turns, 0), i + 1);
		RxResumeBlockedOperations_Serially(first, &queue); /* has left: wakes nobody */
		RxResumeBlockedOperations_Serially(w[i].rxc, &queue);
	}
	for (i = 0; i < 3; i++)
		waiter_end(&w[i]);
	RxDereferenceAndDeleteRxContext(first);
}

/* An asynchronous request is posted: it runs again on a worker, never on the thread that resumes it. */
static void test_B_RxResumeBlockedOperations_Serially_02_posts(void **state)
{
	PRX_CONTEXT first = RxCreateRxContext(NULL, rec.device, 0);
	struct bare *a = async_make(), *b = async_make();

	(void)state;
	resumed = 0;
	assert_int_equal(RxSynchronizeBlockingOperations(first, NULL, &queue), STATUS_SUCCESS);
	assert_int_equal(RxSynchronizeBlockingOperations(a->rxc, NULL, &queue), STATUS_PENDING);
	assert_int_equal(RxSynchronizeBlockingOperations(b->rxc, NULL, &queue), STATUS_PENDING);
	RxResumeBlockedOperations_Serially(first, &queue);
	/* a, on its worker, resumes b; pass_and_leave() looks whether it is one */
	assert_int_equal(bare_end(a), STATUS_SUCCESS);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
	assert_int_equal(resumed, 2);
	RxDereferenceAndDeleteRxContext(first);
}

#define BLOCKING_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, rec_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLOCKING_TEST(test_B_RxSynchronizeBlockingOperations_01_queued),
		BLOCKING_TEST(test_B_RxSynchronizeBlockingOperations_02_waits),
		BLOCKING_TEST(test_B_RxSynchronizeBlockingOperations_03_cancelled),
		BLOCKING_TEST(test_B_RxSynchronizeBlockingOperations_04_drops_the_fcb),
		BLOCKING_TEST(test_B_RxResumeBlockedOperations_Serially_01_in_order),
		BLOCKING_TEST(test_B_RxResumeBlockedOperations_Serially_02_posts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
