/*
 * test_fcblock.c - the FCB's lock and its file size, with threads. Rows B-RxAcquireExclusiveFcbResourceInMRx,
 * B-RxGetFileSizeWithLock, B-RxpDereferenceAndFinalizeNetFcb.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/context/context.h"
#include "core/object/object.h"
#include "nt_exec.h"

static PV_NET_ROOT vnr;
static PRX_CONTEXT rxc;
static PFCB fcb;

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	FIXTURE_NAME(file, u"\\f");
	NTSTATUS status;

	(void)fixture_begin(state);
	vnr = fixture_connect(&name, &status);
	rxc = fixture_context();
	fcb = fixture_fcb(rxc, vnr, &file);
	RxReleaseFcb(rxc, fcb);
	return 0;
}

static int end(void **state)
{
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	CHECK(fixture_fcb_end(rxc, fcb));
	fixture_context_end(rxc);
	fixture_disconnect(vnr);
	return fixture_end(state);
}

struct taker {
	struct nt_thread *thread;
	NTSTATUS (*take)(PMRX_FCB fcb);
	KEVENT about_to, has;
	bool mine;
};

static void taker_run(void *arg)
{
	struct taker *t = arg;

	KeSetEvent(&t->about_to, 0, FALSE);
	CHECK_EQUAL(t->take(&fcb->Mrx), STATUS_SUCCESS);
	t->mine = RxIsFcbAcquired(fcb);
	KeSetEvent(&t->has, 0, FALSE);
	RxReleaseFcbResourceInMRx(&fcb->Mrx);
}

static void taker_start(struct taker *t, NTSTATUS (*take)(PMRX_FCB fcb))
{
	KeInitializeEvent(&t->about_to, NotificationEvent, FALSE);
	KeInitializeEvent(&t->has, NotificationEvent, FALSE);
	t->take = take;
	CHECK_EQUAL(nt_thread_create("taker", taker_run, t, &t->thread), STATUS_SUCCESS);
	(void)KeWaitForSingleObject(&t->about_to, Executive, KernelMode, FALSE, NULL);
}

/* Has it, within ten seconds? */
static bool taker_has(struct taker *t)
{
	LARGE_INTEGER limit = {.QuadPart = -10 * 10000000LL};

	return KeWaitForSingleObject(&t->has, Executive, KernelMode, FALSE, &limit) == STATUS_SUCCESS;
}

/* Not while another holds it: a taker that waits shows in the resource's count of waiters. */
static void wait_for_waiter(void)
{
	for (int i = 0; i < 10000; i++) {
		LARGE_INTEGER ms = {.QuadPart = -10000};

		if (ExGetExclusiveWaiterCount(fcb->Header.Resource) +
			    ExGetSharedWaiterCount(fcb->Header.Resource) !=
		    0)
			return;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &ms);
	}
	CHECK(!"nobody waits");
}

/* Exclusive waits until it is granted. */
static void test_B_RxAcquireExclusiveFcbResourceInMRx_01_waits(void **state)
{
	struct taker t;

	(void)state;
	CHECK_EQUAL(RxAcquireSharedFcbResourceInMRx(&fcb->Mrx), STATUS_SUCCESS);
	taker_start(&t, RxAcquireExclusiveFcbResourceInMRx);
	wait_for_waiter();
	CHECK(KeReadStateEvent(&t.has) == 0);
	RxReleaseFcbResourceInMRx(&fcb->Mrx);
	CHECK(taker_has(&t) && t.mine);
	nt_thread_join(t.thread);
}

/* Two shared holders coexist; shared waits behind an exclusive one. */
static void test_B_RxAcquireSharedFcbResourceInMRx_01(void **state)
{
	struct taker t;

	(void)state;
	CHECK_EQUAL(RxAcquireSharedFcbResourceInMRx(&fcb->Mrx), STATUS_SUCCESS);
	CHECK(RxIsFcbAcquiredShared(fcb) && !RxIsFcbAcquiredExclusive(fcb));
	taker_start(&t, RxAcquireSharedFcbResourceInMRx);
	CHECK(taker_has(&t) && t.mine);
	nt_thread_join(t.thread);
	RxReleaseFcbResourceInMRx(&fcb->Mrx);

	CHECK_EQUAL(RxAcquireExclusiveFcbResourceInMRx(&fcb->Mrx), STATUS_SUCCESS);
	CHECK(RxIsFcbAcquiredExclusive(fcb));
	taker_start(&t, RxAcquireSharedFcbResourceInMRx);
	wait_for_waiter();
	CHECK(KeReadStateEvent(&t.has) == 0);
	RxReleaseFcbResourceInMRx(&fcb->Mrx);
	CHECK(taker_has(&t));
	nt_thread_join(t.thread);
	CHECK(!RxIsFcbAcquired(fcb));
}

/* A cancelled request gets the lock all the same (E-29), and is booked as its holder. */
static void test_B_RxAcquireSharedFcbResourceInMRxEx_01_cancelled(void **state)
{
	PRX_CONTEXT cancelled = fixture_context();

	(void)state;
	rx_cancel_context(cancelled);
	CHECK_EQUAL(RxAcquireSharedFcbResourceInMRxEx(cancelled, &fcb->Mrx), STATUS_SUCCESS);
	CHECK_EQUAL(cancelled->AcquireReleaseFcbTrackerX, 1);
	RxReleaseFcbResourceForThreadInMRx(cancelled, &fcb->Mrx, ExGetCurrentResourceThread());
	CHECK_EQUAL(cancelled->AcquireReleaseFcbTrackerX, 0);
	fixture_context_end(cancelled);
}

static void release_for_owner(void *owner)
{
	RxReleaseFcbResourceForThreadInMRx(rxc, &fcb->Mrx, (ERESOURCE_THREAD)owner);
}

/* A request keeps the lock after its thread has gone on, and another thread releases it in its name. */
static void test_lock_owned_by_a_request(void **state)
{
	PVOID owner = (PVOID)((ULONG_PTR)&rxc->LowIoContext | 3);
	struct nt_thread *thread;

	(void)state;
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	ExSetResourceOwnerPointer(fcb->Header.Resource, owner);
	CHECK(!RxIsFcbAcquired(fcb));
	CHECK_EQUAL(nt_thread_create("completer", release_for_owner, owner, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	RxReleaseFcb(rxc, fcb);
}

/* A context that may not wait is told so instead. */
static void test_no_wait(void **state)
{
	PVOID owner = (PVOID)((ULONG_PTR)&rxc->LowIoContext | 3);
	PRX_CONTEXT hasty = RxCreateRxContext(NULL, recorder_device, 0);

	(void)state;
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	ExSetResourceOwnerPointer(fcb->Header.Resource, owner); /* as if a request in flight held it */
	CHECK_EQUAL((ULONG)RxAcquireExclusiveFcb(hasty, fcb), (ULONG)STATUS_LOCK_NOT_GRANTED);
	CHECK_EQUAL((ULONG)RxAcquireSharedFcb(hasty, fcb), (ULONG)STATUS_LOCK_NOT_GRANTED);
	CHECK_EQUAL(hasty->AcquireReleaseFcbTrackerX, 0);
	release_for_owner(owner);
	CHECK_EQUAL(RxAcquireExclusiveFcb(hasty, fcb), STATUS_SUCCESS);
	RxReleaseFcb(hasty, fcb);
	RxDereferenceAndDeleteRxContext(hasty);
}

struct sizer {
	struct nt_thread *thread;
	LONGLONG value;
};

static void write_sizes(void *arg)
{
	struct sizer *s = arg;

	for (int i = 0; i < 20000; i++)
		RxSetFileSizeWithLock(fcb, &s->value);
}

/* Readers of the size see one of the written values, never half of two. */
static void test_B_RxGetFileSizeWithLock_01_not_torn(void **state)
{
	struct sizer low = {.value = 0x00000000ffffffffLL}, high = {.value = 0x7fffffff00000000LL};

	(void)state;
	RxSetFileSizeWithLock(fcb, &low.value);
	CHECK_EQUAL(nt_thread_create("low", write_sizes, &low, &low.thread), STATUS_SUCCESS);
	CHECK_EQUAL(nt_thread_create("high", write_sizes, &high, &high.thread), STATUS_SUCCESS);
	for (int i = 0; i < 20000; i++) {
		LONGLONG size;

		RxGetFileSizeWithLock(fcb, &size);
		CHECK(size == low.value || size == high.value);
	}
	nt_thread_join(low.thread);
	nt_thread_join(high.thread);
}

/* Finalizing takes the table lock when the caller has it not, and leaves it alone when it has. */
static void test_B_RxpDereferenceAndFinalizeNetFcb_02_table_lock(void **state)
{
	FIXTURE_NAME(name, u"\\other");
	PRX_FCB_TABLE table = &((PNET_ROOT)vnr->pNetRoot)->FcbTable;
	PFCB other = fixture_fcb(rxc, vnr, &name);

	(void)state;
	CHECK(RxDereferenceAndFinalizeNetFcb(other, rxc, FALSE, FALSE));
	CHECK(!RxIsFcbTableLockAcquired(table));

	other = fixture_fcb(rxc, vnr, &name);
	RxReleaseFcb(rxc, other);
	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, other), STATUS_SUCCESS);
	CHECK(RxDereferenceAndFinalizeNetFcb(other, rxc, FALSE, FALSE));
	CHECK(RxIsFcbTableLockExclusive(table));
	RxReleaseFcbTableLock(table);
	CHECK_EQUAL(rxc->AcquireReleaseFcbTrackerX, 0);
}

/* What a redirector takes is the regular resource; the one for paging I/O stays free for RDBSS. */
static void test_B_FCB_resources_01_regular_only(void **state)
{
	(void)state;
	CHECK_EQUAL(RxAcquireExclusiveFcbResourceInMRx(&fcb->Mrx), STATUS_SUCCESS);
	CHECK(ExIsResourceAcquiredExclusiveLite(fcb->Header.Resource));
	CHECK(!ExIsResourceAcquiredSharedLite(fcb->Header.PagingIoResource));
	RxReleaseFcbResourceInMRx(&fcb->Mrx);
	CHECK_EQUAL(RxAcquireSharedFcbResourceInMRx(&fcb->Mrx), STATUS_SUCCESS);
	CHECK(ExIsResourceAcquiredSharedLite(fcb->Header.Resource));
	CHECK(!ExIsResourceAcquiredSharedLite(fcb->Header.PagingIoResource));
	RxReleaseFcbResourceInMRx(&fcb->Mrx);
}

/* Shared or exclusive, by this thread; the paging I/O resource does not count. */
static void test_B_FCB_resources_02_is_acquired(void **state)
{
	(void)state;
	CHECK(!RxIsFcbAcquired(fcb));
	CHECK_EQUAL(RxAcquireSharedFcb(NULL, fcb), STATUS_SUCCESS);
	CHECK(RxIsFcbAcquired(fcb) && !RxIsFcbAcquiredExclusive(fcb));
	RxReleaseFcb(NULL, fcb);
	CHECK_EQUAL(RxAcquireExclusiveFcb(NULL, fcb), STATUS_SUCCESS);
	CHECK(RxIsFcbAcquired(fcb) && RxIsFcbAcquiredExclusive(fcb));
	RxReleaseFcb(NULL, fcb);
	(void)RxAcquirePagingIoResource(NULL, fcb);
	CHECK(!RxIsFcbAcquired(fcb));
	RxReleasePagingIoResource(NULL, fcb);
}

/* Shared is shared: not told of a lock that is not held, nor of one of another kind. The context has no part in it. */
static void test_macro_acquired_shared(void **state)
{
	(void)state;
	CHECK(!RxFcbAcquiredShared(rxc, fcb));
	CHECK_EQUAL(RxAcquireSharedFcb(NULL, fcb), STATUS_SUCCESS);
	CHECK(RxFcbAcquiredShared(rxc, fcb));
	RxReleaseFcb(NULL, fcb);
	CHECK_EQUAL(RxAcquireExclusiveFcb(NULL, fcb), STATUS_SUCCESS);
	CHECK_EQUAL(RxFcbAcquiredShared(rxc, fcb), RxIsFcbAcquiredShared(fcb));
	RxReleaseFcb(NULL, fcb);
	CHECK(!RxFcbAcquiredShared(rxc, fcb));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxAcquireExclusiveFcbResourceInMRx_01_waits),
		cmocka_unit_test(test_B_RxAcquireSharedFcbResourceInMRx_01),
		cmocka_unit_test(test_B_RxAcquireSharedFcbResourceInMRxEx_01_cancelled),
		cmocka_unit_test(test_lock_owned_by_a_request),
		cmocka_unit_test(test_no_wait),
		cmocka_unit_test(test_B_FCB_resources_01_regular_only),
		cmocka_unit_test(test_B_FCB_resources_02_is_acquired),
		cmocka_unit_test(test_macro_acquired_shared),
		cmocka_unit_test(test_B_RxGetFileSizeWithLock_01_not_torn),
		cmocka_unit_test(test_B_RxpDereferenceAndFinalizeNetFcb_02_table_lock),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
