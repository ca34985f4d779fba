/*
 * test_change.c - the server wants a buffering state changed. Rows B-RxIndicateChangeOfBufferingState,
 * B-RxIndicateChangeOfBufferingStateForSrvOpen, B-Buffering_manager, B-MRxComputeNewBufferingState,
 * B-MRxCompleteBufferingStateChangeRequest.
 */
#include "change_rig.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"

/* A request by key reaches the open that has the key, with the driver's context; other opens are left alone. */
static void test_B_RxIndicateChangeOfBufferingState_01_by_key(void **state)
{
	PFILE_OBJECT other;

	(void)state;
	key_to_give = &key_two;
	other = file_open(REC_SHARE u"\\other");
	seen.new_state = FCB_STATE_READCACHING_ENABLED;
	RxIndicateChangeOfBufferingState(change_server(), &key_one, &seen);
	wait_until(completed_one);
	assert_ptr_equal(seen.complete_so, &open_of(file)->Mrx);
	assert_ptr_equal(seen.context, &seen);
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	assert_int_equal(buffering(other), READ_CACHING | HANDLE_CACHING);
	file_close(other);
}

/* Without memory nothing is reported, and what the open keeps for that carries the request: no break gets lost. */
static void test_B_RxIndicateChangeOfBufferingState_02_no_memory(void **state)
{
	(void)state;
	seen.new_state = FCB_STATE_READCACHING_ENABLED;
	nt_fault_arm(0);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, &seen);
	assert_true(nt_fault_disarm());
	wait_until(completed_one);
	assert_ptr_equal(seen.context, &seen);
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	seen.new_state = 0;
	seen.completed = 0;
	nt_fault_arm(0);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, &seen);
	assert_true(nt_fault_disarm());
	wait_until(completed_one);
	assert_int_equal(buffering(file), 0);
}

/* At DISPATCH_LEVEL a request is only registered: the call-downs come later, in another thread. */
static void test_B_RxIndicateChangeOfBufferingState_03_at_dispatch_level(void **state)
{
	KIRQL irql;

	(void)state;
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	KeLowerIrql(irql);
	wait_until(completed_one);
	assert_ptr_not_equal(seen.thread, PsGetCurrentThread());
	assert_int_equal(buffering(file), 0);
}

/* The thread that has the file changes it before the indication returns. */
static void test_B_RxIndicateChangeOfBufferingStateForSrvOpen_01_at_once(void **state)
{
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	seen.new_state = FCB_STATE_READCACHING_ENABLED;
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, NULL, &key_two);
	assert_int_equal(seen.completed, 1);
	assert_ptr_equal(seen.thread, PsGetCurrentThread());
	assert_ptr_equal(seen.contexts[0], &key_two);
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	let_go(rxc);
}

/* At DISPATCH_LEVEL the open is looked up by the key, whatever SRV_OPEN was named. */
static void test_B_RxIndicateChangeOfBufferingStateForSrvOpen_02_at_dispatch_level(void **state)
{
	PFILE_OBJECT other;
	KIRQL irql;

	(void)state;
	key_to_give = &key_two;
	other = file_open(REC_SHARE u"\\other");
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, &key_two, NULL);
	KeLowerIrql(irql);
	wait_until(completed_one);
	assert_ptr_equal(seen.complete_so, &open_of(other)->Mrx);
	file_close(other);
}

/* Without the file the request is for later, and the key is not needed: nobody has this one. */
static void test_B_RxIndicateChangeOfBufferingStateForSrvOpen_03_later(void **state)
{
	(void)state;
	pretend_a_handler(TRUE);
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, &key_two, NULL);
	assert_int_equal(seen.completed, 0);
	assert_int_equal(length_of(&change_manager()->DispatcherList), 0);
	assert_int_equal(length_of(&change_manager()->HandlerList), 1);
	pretend_a_handler(FALSE);
	let_go(hold(file));
	assert_int_equal(seen.completed, 1);
}

/* The same for an open that is known, with the file and without it. */
static void test_B_RxIndicateChangeOfBufferingStateForSrvOpen_04_no_memory(void **state)
{
	PRX_CONTEXT rxc;

	(void)state;
	seen.new_state = FCB_STATE_READCACHING_ENABLED;
	nt_fault_arm(0);
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, NULL, NULL);
	assert_true(nt_fault_disarm());
	wait_until(completed_one);
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	seen.new_state = 0;
	rxc = hold(file);
	nt_fault_arm(0);
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, NULL, NULL);
	assert_true(nt_fault_disarm());
	assert_int_equal(seen.completed, 2);
	let_go(rxc);
	assert_int_equal(buffering(file), 0);
}

/* A key that an open on its way may still bring is waited for; one that nobody can have any more is forgotten. */
static void test_B_Buffering_manager_01_unknown_key_waits(void **state)
{
	PFILE_OBJECT other;
	PSRV_OPEN so;

	(void)state;
	key_to_give = NULL;
	other = file_open(REC_SHARE u"\\other");
	so = open_of(other);
	RxInitiateSrvOpenKeyAssociation(so); /* as if the open's answer had not been read yet */
	RxIndicateChangeOfBufferingState(change_server(), &key_two, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&change_manager()->DispatcherList), 1);
	assert_int_equal(seen.completed, 0);
	so->Key = &key_two;
	RxCompleteSrvOpenKeyAssociation(so);
	wait_until(completed_one);
	assert_ptr_equal(seen.complete_so, &so->Mrx);
	assert_int_equal(length_of(&change_manager()->DispatcherList), 0);

	RxIndicateChangeOfBufferingState(change_server(), &seen, NULL); /* nobody's key */
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&change_manager()->DispatcherList), 0);
	assert_int_equal(seen.completed, 1);
	file_close(other);
}

/* A request whose open is known waits on the handler's list, with a reference to the open. */
static void test_B_Buffering_manager_02_handler_list(void **state)
{
	PSRV_OPEN so = open_of(file);
	ULONG references = so->NodeReferenceCount;
	PCHANGE_BUFFERING_STATE_REQUEST request;

	(void)state;
	pretend_a_handler(TRUE);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, &seen);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&change_manager()->HandlerList), 1);
	request = CONTAINING_RECORD(change_manager()->HandlerList.Flink, CHANGE_BUFFERING_STATE_REQUEST,
				    ListEntry);
	assert_ptr_equal(request->SrvOpen, so);
	assert_ptr_equal(request->MRxContext, &seen);
	assert_int_equal(so->NodeReferenceCount, references + 1);
	assert_int_equal(seen.completed, 0);
	pretend_a_handler(FALSE);
	let_go(hold(file));
	assert_int_equal(seen.completed, 1);
	assert_int_equal(so->NodeReferenceCount, references);
}

/* A busy file is left to the delayed worker, which waits for it. */
static void test_B_Buffering_manager_03_last_chance(void **state)
{
	PFCB fcb = fcb_of(file);

	(void)state;
	assert_int_equal(RxAcquireSharedFcb(NULL, fcb), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(last_chance_has_one);
	assert_int_equal(length_of(&change_manager()->HandlerList), 0);
	assert_int_equal(seen.completed, 0);
	RxReleaseFcb(NULL, fcb);
	wait_until(completed_one);
	assert_ptr_not_equal(seen.thread, PsGetCurrentThread());
	assert_int_equal(length_of(&change_manager()->LastChanceHandlerList), 0);
}

/* The key stays with the open, whatever changes, until the open ends. */
static void test_B_Buffering_manager_04_key_for_life(void **state)
{
	PRX_CONTEXT rxc;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		rxc = hold(file);
		RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, &key_one,
							   NULL);
		let_go(rxc);
		assert_true(rx_srv_open_key_is_bound(open_of(file)));
	}
	file_close(file);
	file = file_open(REC_SHARE u"\\elsewhere"); /* another open may have the key then */
	assert_true(rx_srv_open_key_is_bound(open_of(file)));
	seen.completed = 0;
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(completed_one);
	assert_ptr_equal(seen.complete_so, &open_of(file)->Mrx);
}

/* Whoever gets the file, or gives it back, does what waits for it; several in the order they came. */
static void test_B_Buffering_manager_05_on_acquire_and_release(void **state)
{
	PRX_CONTEXT rxc;
	char first, second, third;

	(void)state;
	pretend_a_handler(TRUE);
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, NULL, &first);
	rxc = hold(file);
	assert_int_equal(seen.completed, 1);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, &second);
	wait_until(dispatcher_is_idle);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, &third);
	wait_until(dispatcher_is_idle);
	assert_int_equal(seen.completed, 1);
	assert_int_equal(length_of(&change_manager()->HandlerList), 2);
	let_go(rxc);
	assert_int_equal(seen.completed, 3);
	assert_ptr_equal(seen.contexts[0], &first);
	assert_ptr_equal(seen.contexts[1], &second);
	assert_ptr_equal(seen.contexts[2], &third);
	pretend_a_handler(FALSE);
}

/* Giving the file back does what waits for it first. */
static void test_B_RxReleaseFcbResourceInMRx_01_changes_first(void **state)
{
	(void)state;
	pretend_a_handler(TRUE);
	assert_int_equal(RxAcquireExclusiveFcbResourceInMRx(&fcb_of(file)->Mrx), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(seen.completed, 0);
	RxReleaseFcbResourceInMRx(&fcb_of(file)->Mrx);
	assert_int_equal(seen.completed, 1);
	assert_true(seen.exclusive);
	pretend_a_handler(FALSE);
}

static ERESOURCE_THREAD owner;

static void release_for_owner(void *context)
{
	(void)context;
	RxReleaseFcbResourceForThreadInMRx(NULL, &fcb_of(file)->Mrx, owner);
}

/* Whoever releases for the owner: what waits is done before the routine returns, and the file is free then. */
static void test_B_RxReleaseFcbResourceForThreadInMRx_01_from_any_thread(void **state)
{
	struct nt_thread *thread;

	(void)state;
	pretend_a_handler(TRUE);
	assert_int_equal(RxAcquireExclusiveFcbResourceInMRx(&fcb_of(file)->Mrx), STATUS_SUCCESS);
	owner = ExGetCurrentResourceThread();
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(nt_thread_create("releaser", release_for_owner, NULL, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	assert_int_equal(seen.completed, 1);
	assert_ptr_not_equal(seen.thread, PsGetCurrentThread());
	assert_false(RxIsFcbAcquired(fcb_of(file)));

	assert_int_equal(RxAcquireExclusiveFcbResourceInMRx(&fcb_of(file)->Mrx), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	release_for_owner(NULL);
	assert_int_equal(seen.completed, 2);
	assert_ptr_equal(seen.thread, PsGetCurrentThread());
	pretend_a_handler(FALSE);
}

/* What an open grants is in force when the open is there; a second open of the file brings its own. */
static void test_B_Buffering_manager_06_opens_update_the_state(void **state)
{
	struct open_params second = {
		.name = REC_SHARE u"\\file", .access = FILE_READ_ATTRIBUTES, .disposition = FILE_OPEN};
	PFILE_OBJECT other;

	(void)state;
	assert_int_equal(buffering(file), READ_CACHING | HANDLE_CACHING);
	rec.buffering = FCB_STATE_READCACHING_ENABLED;
	assert_int_equal(file_open_with(&second, &other, NULL), STATUS_SUCCESS);
	assert_ptr_equal(fcb_of(other), fcb_of(file));
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	file_close(other);
}

static void test_B_MRxComputeNewBufferingState_01_changing(void **state)
{
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	assert_int_equal(RxChangeBufferingState(open_of(file), NULL, TRUE), STATUS_SUCCESS);
	assert_true(seen.fcb_state_at_compute & FCB_STATE_BUFFERSTATE_CHANGING);
	assert_false(fcb_of(file)->FcbState & FCB_STATE_BUFFERSTATE_CHANGING);
	let_go(rxc);
}

/* The context goes in, the flags come out; STATUS_NOT_SUPPORTED means none. */
static void test_B_MRxComputeNewBufferingState_02_context_and_flags(void **state)
{
	PRX_CONTEXT rxc = hold(file);
	int oplock_level;

	(void)state;
	seen.new_state = READ_CACHING;
	(void)RxChangeBufferingState(open_of(file), &oplock_level, TRUE);
	assert_ptr_equal(seen.context, &oplock_level);
	assert_ptr_equal(seen.compute_so, &open_of(file)->Mrx);
	assert_int_equal(buffering(file), READ_CACHING);
	seen.compute_answer = STATUS_NOT_SUPPORTED;
	(void)RxChangeBufferingState(open_of(file), &oplock_level, TRUE);
	assert_int_equal(buffering(file), 0);
	let_go(rxc);
}

static void test_B_MRxCompleteBufferingStateChangeRequest_01_02_locks_and_members(void **state)
{
	(void)state;
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(completed_one);
	assert_true(seen.exclusive);
	assert_true(seen.fcb_state_at_complete & FCB_STATE_BUFFERSTATE_CHANGING);
	/* the new state is in force already */
	assert_int_equal(seen.fcb_state_at_complete & FCB_STATE_BUFFERING_STATE_MASK, 0);
	assert_ptr_equal(seen.relevant, &open_of(file)->Mrx);
	assert_ptr_equal(seen.fcb, &fcb_of(file)->Mrx);
	assert_ptr_equal(seen.fobx, &fobx_of(file)->Mrx);
	let_go(hold(file));
	assert_false(fcb_of(file)->FcbState & FCB_STATE_BUFFERSTATE_CHANGING);
}

/* A file that is kept open only for a later user is closed when the server takes the permission back. */
static void test_B_MRxCompleteBufferingStateChangeRequest_04_not_in_use(void **state)
{
	PMRX_SRV_CALL sc = change_server();
	PFILE_OBJECT another = file_open(REC_SHARE u"\\another"); /* keeps the server */
	LONG closes = rec_seen(REC_CLOSE);

	(void)state;
	file_close(file);
	file = another;
	assert_int_equal(rec_seen(REC_CLOSE), closes); /* delayed */
	RxIndicateChangeOfBufferingState(sc, &key_one, NULL);
	wait_until(completed_one);
	rec_wait_seen(REC_CLOSE, closes + 1);
}

static void test_B_MRxCompleteBufferingStateChangeRequest_05_return_value_is_ignored(void **state)
{
	(void)state;
	seen.answer = STATUS_NOT_SUPPORTED;
	seen.new_state = FCB_STATE_READCACHING_ENABLED;
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(completed_one);
	let_go(hold(file));
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	assert_int_equal(open_of(file)->Condition, Condition_Good);
}

/* ---- an open that ends while a request waits for it ---- */

/* The request goes with it when nobody else has the key. */
static void test_request_of_a_closed_open_is_dropped(void **state)
{
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	pretend_a_handler(TRUE);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&change_manager()->HandlerList), 1);
	RxPurgeChangeBufferingStateRequestsForSrvOpen(open_of(file)); /* its close at the server begins so */
	assert_int_equal(length_of(&change_manager()->HandlerList), 0);
	assert_int_equal(fcb_of(file)->NumberOfBufferingChangesWaiting, 0);
	let_go(rxc);
	pretend_a_handler(FALSE);
	assert_int_equal(seen.computed, 0);
	assert_int_equal(seen.completed, 0);
}

/* Two opens with one key (a lease): when the first ends, the other answers for both. */
static void test_request_goes_to_another_open_with_the_key(void **state)
{
	struct open_params second = {
		.name = REC_SHARE u"\\file", .access = FILE_READ_ATTRIBUTES, .disposition = FILE_OPEN};
	PFILE_OBJECT other;
	PRX_CONTEXT rxc;

	(void)state;
	assert_int_equal(file_open_with(&second, &other, NULL), STATUS_SUCCESS);
	assert_ptr_not_equal(open_of(other), open_of(file));
	rxc = hold(file);
	pretend_a_handler(TRUE);
	RxIndicateChangeOfBufferingState(change_server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&change_manager()->HandlerList), 1);
	RxPurgeChangeBufferingStateRequestsForSrvOpen(open_of(file)); /* its close at the server begins so */
	assert_int_equal(length_of(&change_manager()->HandlerList), 1);
	let_go(rxc);
	assert_int_equal(seen.completed, 1);
	assert_ptr_equal(seen.complete_so, &open_of(other)->Mrx);
	pretend_a_handler(FALSE);
	file_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANGE_TEST(test_B_RxIndicateChangeOfBufferingState_01_by_key),
		CHANGE_TEST(test_B_RxIndicateChangeOfBufferingState_02_no_memory),
		CHANGE_TEST(test_B_RxIndicateChangeOfBufferingState_03_at_dispatch_level),
		CHANGE_TEST(test_B_RxIndicateChangeOfBufferingStateForSrvOpen_01_at_once),
		CHANGE_TEST(test_B_RxIndicateChangeOfBufferingStateForSrvOpen_02_at_dispatch_level),
		CHANGE_TEST(test_B_RxIndicateChangeOfBufferingStateForSrvOpen_03_later),
		CHANGE_TEST(test_B_RxIndicateChangeOfBufferingStateForSrvOpen_04_no_memory),
		CHANGE_TEST(test_B_Buffering_manager_01_unknown_key_waits),
		CHANGE_TEST(test_B_Buffering_manager_02_handler_list),
		CHANGE_TEST(test_B_Buffering_manager_03_last_chance),
		CHANGE_TEST(test_B_Buffering_manager_04_key_for_life),
		CHANGE_TEST(test_B_Buffering_manager_05_on_acquire_and_release),
		CHANGE_TEST(test_B_Buffering_manager_06_opens_update_the_state),
		CHANGE_TEST(test_B_RxReleaseFcbResourceInMRx_01_changes_first),
		CHANGE_TEST(test_B_RxReleaseFcbResourceForThreadInMRx_01_from_any_thread),
		CHANGE_TEST(test_B_MRxComputeNewBufferingState_01_changing),
		CHANGE_TEST(test_B_MRxComputeNewBufferingState_02_context_and_flags),
		CHANGE_TEST(test_B_MRxCompleteBufferingStateChangeRequest_01_02_locks_and_members),
		CHANGE_TEST(test_B_MRxCompleteBufferingStateChangeRequest_04_not_in_use),
		CHANGE_TEST(test_B_MRxCompleteBufferingStateChangeRequest_05_return_value_is_ignored),
		CHANGE_TEST(test_request_of_a_closed_open_is_dropped),
		CHANGE_TEST(test_request_goes_to_another_open_with_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
