/*
 * test_change.c - the server wants a buffering state changed. Rows B-RxIndicateChangeOfBufferingState,
 * B-RxIndicateChangeOfBufferingStateForSrvOpen, B-Buffering_manager, B-MRxComputeNewBufferingState,
 * B-MRxCompleteBufferingStateChangeRequest.
 */
#include "../support/rec.h"

#include "core/buffering/buffering.h"
#include "core/context/context.h"
#include "core/dispatch/dispatch.h"

#define HANDLE_CACHING FCB_STATE_COLLAPSING_ENABLED
#define READ_CACHING (FCB_STATE_READCACHING_ENABLED | FCB_STATE_FILESIZECACHEING_ENABLED)
#define WRITE_CACHING FCB_STATE_WRITECACHING_ENABLED

/* What the two call-downs saw, and answer. */
static struct {
	ULONG new_state;
	NTSTATUS answer, compute_answer;
	volatile LONG computed, completed;
	PVOID context;
	PMRX_SRV_OPEN compute_so, complete_so, relevant;
	PMRX_FCB fcb;
	PMRX_FOBX fobx;
	ULONG fcb_state_at_compute, fcb_state_at_complete;
	BOOLEAN exclusive;
	PETHREAD thread;
	PVOID contexts[8]; /* in the order of completion */
	ULONG contexts_used;
} seen;

static PVOID key_to_give;
static PFILE_OBJECT file;
static char key_one, key_two;

static NTSTATUS NTAPI compute(PMRX_SRV_OPEN so, PVOID context, PULONG state)
{
	seen.compute_so = so;
	seen.context = context;
	seen.fcb_state_at_compute = so->pFcb->FcbState;
	*state = seen.new_state;
	InterlockedIncrement(&seen.computed);
	return seen.compute_answer;
}

static NTSTATUS NTAPI complete(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID context)
{
	seen.complete_so = so;
	seen.relevant = rxc->pRelevantSrvOpen;
	seen.fcb = rxc->pFcb;
	seen.fobx = rxc->pFobx;
	seen.fcb_state_at_complete = so->pFcb->FcbState;
	seen.exclusive = RxIsFcbAcquiredExclusive(so->pFcb);
	seen.thread = PsGetCurrentThread();
	if (seen.contexts_used < RTL_NUMBER_OF(seen.contexts))
		seen.contexts[seen.contexts_used++] = context;
	InterlockedIncrement(&seen.completed);
	return seen.answer;
}

static NTSTATUS give_key(PRX_CONTEXT rxc)
{
	rxc->pRelevantSrvOpen->Key = key_to_give;
	return STATUS_SUCCESS;
}

static int begin(void **state)
{
	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxComputeNewBufferingState = compute;
	rec.device->Dispatch->MRxCompleteBufferingStateChangeRequest = complete;
	rec.buffering = READ_CACHING | HANDLE_CACHING;
	rec.create_hook = give_key;
	key_to_give = &key_one;
	file = file_open(REC_SHARE u"\\file");
	return file != NULL ? 0 : -1;
}

static int end(void **state)
{
	if (file != NULL)
		file_close(file);
	file = NULL;
	return rec_teardown(state);
}

#define CHANGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static PSRV_OPEN open_of(PFILE_OBJECT f)
{
	return (PSRV_OPEN)fobx_of(f)->pSrvOpen;
}

static PMRX_SRV_CALL server(void)
{
	return fcb_of(file)->pNetRoot->pSrvCall;
}

static PRX_BUFFERING_MANAGER manager(void)
{
	return &((PSRV_CALL)server())->BufferingManager;
}

static ULONG buffering(PFILE_OBJECT f)
{
	ULONG state;

	assert_int_equal(RxAcquireSharedFcb(NULL, fcb_of(f)), STATUS_SUCCESS);
	state = fcb_of(f)->FcbState & FCB_STATE_BUFFERING_STATE_MASK;
	RxReleaseFcb(NULL, fcb_of(f));
	return state;
}

static void wait_until(bool (*condition)(void))
{
	LARGE_INTEGER tick = {.QuadPart = -10000};
	unsigned int i;

	for (i = 0; i < 10000 && !condition(); i++)
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	assert_true(condition());
}

static bool completed_one(void)
{
	return InterlockedCompareExchange(&seen.completed, 0, 0) == 1;
}

static ULONG length_of(PLIST_ENTRY list)
{
	PLIST_ENTRY link;
	ULONG n = 0;
	KIRQL irql;

	KeAcquireSpinLock(&manager()->SpinLock, &irql);
	for (link = list->Flink; link != list; link = link->Flink)
		n++;
	KeReleaseSpinLock(&manager()->SpinLock, irql);
	return n;
}

static bool last_chance_has_one(void)
{
	return length_of(&manager()->LastChanceHandlerList) == 1;
}

static bool dispatcher_is_idle(void)
{
	KIRQL irql;
	bool idle;

	KeAcquireSpinLock(&manager()->SpinLock, &irql);
	idle = !manager()->DispatcherActive;
	KeReleaseSpinLock(&manager()->SpinLock, irql);
	return idle;
}

/* While a handler seems to be at work none is started: requests stay where they were put. */
static void pretend_a_handler(BOOLEAN at_work)
{
	KIRQL irql;

	KeAcquireSpinLock(&manager()->SpinLock, &irql);
	manager()->HandlerInactive = !at_work;
	KeReleaseSpinLock(&manager()->SpinLock, irql);
}

/* The FCB of the file, exclusive, as a request holds it. */
static PRX_CONTEXT hold(PFILE_OBJECT f)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);

	assert_non_null(rxc);
	rxc->pFcb = &fcb_of(f)->Mrx;
	assert_int_equal(rx_acquire_fcb_exclusive(rxc), STATUS_SUCCESS);
	return rxc;
}

static void let_go(PRX_CONTEXT rxc)
{
	rx_release_fcb(rxc);
	rxc->pFcb = NULL;
	RxDereferenceAndDeleteRxContext(rxc);
}

/* A request by key reaches the open that has the key, with the driver's context; other opens are left alone. */
static void test_B_RxIndicateChangeOfBufferingState_01_by_key(void **state)
{
	PFILE_OBJECT other;

	(void)state;
	key_to_give = &key_two;
	other = file_open(REC_SHARE u"\\other");
	seen.new_state = FCB_STATE_READCACHING_ENABLED;
	RxIndicateChangeOfBufferingState(server(), &key_one, &seen);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, &seen);
	assert_true(nt_fault_disarm());
	wait_until(completed_one);
	assert_ptr_equal(seen.context, &seen);
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	seen.new_state = 0;
	seen.completed = 0;
	nt_fault_arm(0);
	RxIndicateChangeOfBufferingState(server(), &key_one, &seen);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
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
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, NULL, &key_two);
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
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, &key_two, NULL);
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
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, &key_two, NULL);
	assert_int_equal(seen.completed, 0);
	assert_int_equal(length_of(&manager()->DispatcherList), 0);
	assert_int_equal(length_of(&manager()->HandlerList), 1);
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
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, NULL, NULL);
	assert_true(nt_fault_disarm());
	wait_until(completed_one);
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	seen.new_state = 0;
	rxc = hold(file);
	nt_fault_arm(0);
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, NULL, NULL);
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
	RxIndicateChangeOfBufferingState(server(), &key_two, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&manager()->DispatcherList), 1);
	assert_int_equal(seen.completed, 0);
	so->Key = &key_two;
	RxCompleteSrvOpenKeyAssociation(so);
	wait_until(completed_one);
	assert_ptr_equal(seen.complete_so, &so->Mrx);
	assert_int_equal(length_of(&manager()->DispatcherList), 0);

	RxIndicateChangeOfBufferingState(server(), &seen, NULL); /* nobody's key */
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&manager()->DispatcherList), 0);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, &seen);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&manager()->HandlerList), 1);
	request = CONTAINING_RECORD(manager()->HandlerList.Flink, CHANGE_BUFFERING_STATE_REQUEST, ListEntry);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
	wait_until(last_chance_has_one);
	assert_int_equal(length_of(&manager()->HandlerList), 0);
	assert_int_equal(seen.completed, 0);
	RxReleaseFcb(NULL, fcb);
	wait_until(completed_one);
	assert_ptr_not_equal(seen.thread, PsGetCurrentThread());
	assert_int_equal(length_of(&manager()->LastChanceHandlerList), 0);
}

/* The key stays with the open, whatever changes, until the open ends. */
static void test_B_Buffering_manager_04_key_for_life(void **state)
{
	PRX_CONTEXT rxc;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		rxc = hold(file);
		RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, &key_one, NULL);
		let_go(rxc);
		assert_true(rx_srv_open_key_is_bound(open_of(file)));
	}
	file_close(file);
	file = file_open(REC_SHARE u"\\elsewhere"); /* another open may have the key then */
	assert_true(rx_srv_open_key_is_bound(open_of(file)));
	seen.completed = 0;
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
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
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, NULL, &first);
	rxc = hold(file);
	assert_int_equal(seen.completed, 1);
	RxIndicateChangeOfBufferingState(server(), &key_one, &second);
	wait_until(dispatcher_is_idle);
	RxIndicateChangeOfBufferingState(server(), &key_one, &third);
	wait_until(dispatcher_is_idle);
	assert_int_equal(seen.completed, 1);
	assert_int_equal(length_of(&manager()->HandlerList), 2);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(nt_thread_create("releaser", release_for_owner, NULL, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	assert_int_equal(seen.completed, 1);
	assert_ptr_not_equal(seen.thread, PsGetCurrentThread());
	assert_false(RxIsFcbAcquired(fcb_of(file)));

	assert_int_equal(RxAcquireExclusiveFcbResourceInMRx(&fcb_of(file)->Mrx), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
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
	PMRX_SRV_CALL sc = server();
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
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
	wait_until(completed_one);
	let_go(hold(file));
	assert_int_equal(buffering(file), FCB_STATE_READCACHING_ENABLED);
	assert_int_equal(open_of(file)->Condition, Condition_Good);
}

/* ---- what a change takes along ---- */

static struct {
	NTSTATUS flush_answer;
	LONG flushed, purged, released;
	LONGLONG purged_from;
	ULONG state_at_flush, state_at_purge;
	LONG completed_at_flush;
} pages;

static NTSTATUS pages_flush(void *context, LONGLONG offset, ULONG length)
{
	assert_int_equal(offset, 0);
	assert_int_equal(length, 0);
	pages.flushed++;
	pages.state_at_flush = ((PFCB)context)->FcbState;
	pages.completed_at_flush = seen.completed;
	return pages.flush_answer;
}

static BOOLEAN pages_purge(void *context, LONGLONG offset, ULONG length)
{
	(void)length;
	pages.purged_from = offset;
	pages.purged++;
	pages.state_at_purge = ((PFCB)context)->FcbState;
	return TRUE;
}

static void pages_release(void *context)
{
	(void)context;
	pages.released++;
}

static const struct nt_cache_ops pages_ops = {pages_flush, pages_purge, pages_release};

static struct nt_cache_map *keep_pages(void)
{
	struct nt_cache_map *map;

	RtlZeroMemory(&pages, sizeof(pages));
	assert_int_equal(nt_cache_attach(file, nt_cache_generation(file->SectionObjectPointer), &pages_ops,
					 fcb_of(file), &map),
			 STATUS_SUCCESS);
	return map;
}

/* Dirty data is at the server before WRITECACHING is off and before the server is answered. */
static void test_B_RxChangeBufferingState_06_flush(void **state)
{
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	open_of(file)->BufferingFlags = READ_CACHING | WRITE_CACHING;
	(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
	assert_int_equal(pages.flushed, 0);
	seen.new_state = READ_CACHING;
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, NULL, NULL);
	assert_int_equal(pages.flushed, 1);
	assert_true(pages.state_at_flush & FCB_STATE_WRITECACHING_ENABLED);
	assert_int_equal(pages.completed_at_flush, 0);
	assert_int_equal(pages.purged, 0);
	assert_int_equal(seen.completed, 1);
	let_go(rxc);
	nt_cache_detach(map);
	assert_int_equal(pages.released, 1);
}

/* A file whose pages are kept has another size at the server: pages beyond it go. The same size: nothing happens. */
static void test_B_MRxCreate_04_sizes_of_a_cached_file(void **state)
{
	struct open_params second = {
		.name = REC_SHARE u"\\file", .access = FILE_READ_ATTRIBUTES, .disposition = FILE_OPEN};
	struct nt_cache_map *map = keep_pages();
	PFILE_OBJECT same, smaller;

	(void)state;
	rec.buffering = FCB_STATE_READCACHING_ENABLED; /* what the server says of the size counts */
	assert_int_equal(file_open_with(&second, &same, NULL), STATUS_SUCCESS);
	assert_int_equal(pages.purged, 0);
	rec.file_size = 500;
	second.access = FILE_READ_EA;
	assert_int_equal(file_open_with(&second, &smaller, NULL), STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, 500);
	assert_int_equal(pages.purged, 1);
	assert_int_equal(pages.purged_from, 500);
	file_close(smaller);
	file_close(same);
	nt_cache_detach(map);
}

/* Only the two caching flags take data along. */
static void test_B_RxChangeBufferingState_07_others_have_no_effect(void **state)
{
	static const ULONG others[] = {
		FCB_STATE_WRITEBUFFERING_ENABLED,   FCB_STATE_READBUFFERING_ENABLED,
		FCB_STATE_OPENSHARING_ENABLED,      FCB_STATE_COLLAPSING_ENABLED,
		FCB_STATE_FILESIZECACHEING_ENABLED, FCB_STATE_FILETIMECACHEING_ENABLED};
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);
	size_t i;

	(void)state;
	for (i = 0; i < RTL_NUMBER_OF(others); i++) {
		open_of(file)->BufferingFlags = READ_CACHING | WRITE_CACHING | others[i];
		(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
		open_of(file)->BufferingFlags = (READ_CACHING | WRITE_CACHING | others[i]) & ~others[i];
		(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
		assert_false(buffering(file) & others[i]);
	}
	assert_int_equal(pages.flushed, 0);
	assert_int_equal(pages.purged, 0);
	assert_int_equal(rec_seen(REC_FLUSH), 0);
	let_go(rxc);
	nt_cache_detach(map);
}

/* Pages go with READCACHING, also when the last open at the server ends. */
static void test_pages_go_with_the_grant(void **state)
{
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	seen.new_state = HANDLE_CACHING;
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, NULL, NULL);
	assert_int_equal(pages.purged, 1);
	assert_true(pages.state_at_purge & FCB_STATE_READCACHING_ENABLED);
	open_of(file)->BufferingFlags = READ_CACHING; /* no handle caching: the close is not delayed */
	(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
	let_go(rxc);
	file_close(file);
	assert_true(pages.purged >= 2);
	file = NULL;
	nt_cache_detach(map);
	assert_int_equal(pages.released, 1);
}

/* A write-back that fails is never acknowledged: the server is not answered and the open is good no longer. */
static void test_failed_write_back_is_not_acknowledged(void **state)
{
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	open_of(file)->BufferingFlags = WRITE_CACHING;
	(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
	pages.flush_answer = STATUS_DISK_FULL;
	RxIndicateChangeOfBufferingStateForSrvOpen(server(), &open_of(file)->Mrx, NULL, NULL);
	assert_int_equal(pages.flushed, 1);
	assert_int_equal(seen.completed, 0);
	assert_int_equal(open_of(file)->Condition, Condition_Bad);
	assert_int_equal(buffering(file), 0);
	let_go(rxc);
	nt_cache_detach(map);
	assert_int_equal(file_cleanup(file), STATUS_DISK_FULL); /* who could write to the pages hears of it */
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
	file = NULL;
}

/* ---- an open that ends while a request waits for it ---- */

/* The request goes with it when nobody else has the key. */
static void test_request_of_a_closed_open_is_dropped(void **state)
{
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	pretend_a_handler(TRUE);
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&manager()->HandlerList), 1);
	RxPurgeChangeBufferingStateRequestsForSrvOpen(open_of(file)); /* its close at the server begins so */
	assert_int_equal(length_of(&manager()->HandlerList), 0);
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
	RxIndicateChangeOfBufferingState(server(), &key_one, NULL);
	wait_until(dispatcher_is_idle);
	assert_int_equal(length_of(&manager()->HandlerList), 1);
	RxPurgeChangeBufferingStateRequestsForSrvOpen(open_of(file)); /* its close at the server begins so */
	assert_int_equal(length_of(&manager()->HandlerList), 1);
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
		CHANGE_TEST(test_B_MRxCreate_04_sizes_of_a_cached_file),
		CHANGE_TEST(test_B_MRxComputeNewBufferingState_01_changing),
		CHANGE_TEST(test_B_MRxComputeNewBufferingState_02_context_and_flags),
		CHANGE_TEST(test_B_MRxCompleteBufferingStateChangeRequest_01_02_locks_and_members),
		CHANGE_TEST(test_B_MRxCompleteBufferingStateChangeRequest_04_not_in_use),
		CHANGE_TEST(test_B_MRxCompleteBufferingStateChangeRequest_05_return_value_is_ignored),
		CHANGE_TEST(test_B_RxChangeBufferingState_06_flush),
		CHANGE_TEST(test_B_RxChangeBufferingState_07_others_have_no_effect),
		CHANGE_TEST(test_pages_go_with_the_grant),
		CHANGE_TEST(test_failed_write_back_is_not_acknowledged),
		CHANGE_TEST(test_request_of_a_closed_open_is_dropped),
		CHANGE_TEST(test_request_goes_to_another_open_with_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
