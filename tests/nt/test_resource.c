/* ERESOURCE: who may hold it with whom, in which order, and who may release it. */
#include "nt_test.h"

struct helper {
	ERESOURCE *resource;
	BOOLEAN (*acquire)(PERESOURCE resource, BOOLEAN wait);
	BOOLEAN wait;
	BOOLEAN got;
	KEVENT done, release;
	struct nt_thread *thread;
};

static void helper_main(void *context)
{
	struct helper *helper = context;

	helper->got = helper->acquire(helper->resource, helper->wait);
	KeSetEvent(&helper->done, 0, FALSE);
	nt_test_wait(&helper->release);
	if (helper->got)
		ExReleaseResourceLite(helper->resource);
}

static void helper_start(struct helper *helper, ERESOURCE *resource, BOOLEAN (*acquire)(PERESOURCE, BOOLEAN),
			 BOOLEAN wait)
{
	helper->resource = resource;
	helper->acquire = acquire;
	helper->wait = wait;
	helper->got = FALSE;
	KeInitializeEvent(&helper->done, NotificationEvent, FALSE);
	KeInitializeEvent(&helper->release, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("helper", helper_main, helper, &helper->thread), STATUS_SUCCESS);
}

static void helper_end(struct helper *helper)
{
	nt_test_wait(&helper->done);
	KeSetEvent(&helper->release, 0, FALSE);
	nt_thread_join(helper->thread);
}

static BOOLEAN try_from_other_thread(ERESOURCE *resource, BOOLEAN (*acquire)(PERESOURCE, BOOLEAN))
{
	struct helper helper;

	helper_start(&helper, resource, acquire, FALSE);
	helper_end(&helper);
	return helper.got;
}

/* Polls a count that another thread is about to change; each look is short and the number of looks is limited. */
static void until_waiters(ERESOURCE *resource, ULONG shared, ULONG exclusive)
{
	LARGE_INTEGER pause = nt_test_ms(1);

	for (int i = 0; i < NT_TEST_LIMIT_S * 1000; i++) {
		if (ExGetSharedWaiterCount(resource) == shared &&
		    ExGetExclusiveWaiterCount(resource) == exclusive)
			return;
		KeDelayExecutionThread(KernelMode, FALSE, &pause);
	}
	fail_msg("never %u shared and %u exclusive waiters", shared, exclusive);
}

static void test_exclusive_is_recursive_and_excludes(void **state)
{
	/* The exclusive holder may take it again, both ways; nobody else gets it until the last release. */
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
	assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
	assert_true(ExAcquireResourceSharedLite(&resource, TRUE));
	assert_true(ExIsResourceAcquiredExclusiveLite(&resource));
	assert_int_equal(ExIsResourceAcquiredSharedLite(&resource), 3);
	for (int i = 0; i < 3; i++) {
		assert_false(try_from_other_thread(&resource, ExAcquireResourceSharedLite));
		ExReleaseResourceLite(&resource);
	}
	assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
	assert_true(try_from_other_thread(&resource, ExAcquireResourceExclusiveLite));
	ExDeleteResourceLite(&resource);
}

static void test_many_share(void **state)
{
	/* Any number of threads share; an exclusive waits until the last is gone. */
	enum { HELPERS = 12 };
	struct helper helpers[HELPERS], writer;
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	for (int i = 0; i < HELPERS; i++) {
		helper_start(&helpers[i], &resource, ExAcquireResourceSharedLite, TRUE);
		nt_test_wait(&helpers[i].done);
	}
	assert_true(ExAcquireResourceSharedLite(&resource, FALSE));
	assert_int_equal(ExIsResourceAcquiredSharedLite(&resource), 1);
	assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
	helper_start(&writer, &resource, ExAcquireResourceExclusiveLite, TRUE);
	until_waiters(&resource, 0, 1);
	for (int i = 0; i < HELPERS; i++)
		helper_end(&helpers[i]);
	assert_int_equal(KeReadStateEvent(&writer.done), 0);
	ExReleaseResourceLite(&resource);
	helper_end(&writer);
	assert_true(writer.got);
	ExDeleteResourceLite(&resource);
}

static void test_shared_against_a_waiting_exclusive(void **state)
{
	/*
	 * While an exclusive waits: a newcomer does not share, a holder may share again, StarveExclusive may,
	 * WaitForExclusive may not.
	 */
	struct helper writer;
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	ExAcquireResourceSharedLite(&resource, TRUE);
	helper_start(&writer, &resource, ExAcquireResourceExclusiveLite, TRUE);
	until_waiters(&resource, 0, 1);

	assert_false(try_from_other_thread(&resource, ExAcquireResourceSharedLite));
	assert_true(try_from_other_thread(&resource, ExAcquireSharedStarveExclusive));
	assert_false(try_from_other_thread(&resource, ExAcquireSharedWaitForExclusive));
	assert_true(ExAcquireResourceSharedLite(&resource, FALSE));
	assert_false(ExAcquireSharedWaitForExclusive(&resource, FALSE));
	ExReleaseResourceLite(&resource);

	ExReleaseResourceLite(&resource);
	helper_end(&writer);
	assert_true(writer.got);
	ExDeleteResourceLite(&resource);
}

static void test_neither_side_starves(void **state)
{
	/* After an exclusive holder the waiting shared go first, all together; then the next exclusive. */
	struct helper reader1, reader2, writer;
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	ExAcquireResourceExclusiveLite(&resource, TRUE);
	helper_start(&writer, &resource, ExAcquireResourceExclusiveLite, TRUE);
	until_waiters(&resource, 0, 1);
	helper_start(&reader1, &resource, ExAcquireResourceSharedLite, TRUE);
	helper_start(&reader2, &resource, ExAcquireResourceSharedLite, TRUE);
	until_waiters(&resource, 2, 1);
	ExReleaseResourceLite(&resource);
	nt_test_wait(&reader1.done);
	nt_test_wait(&reader2.done);
	assert_int_equal(KeReadStateEvent(&writer.done), 0);
	helper_end(&reader1);
	helper_end(&reader2);
	helper_end(&writer);
	assert_true(reader1.got && reader2.got && writer.got);
	ExDeleteResourceLite(&resource);
}

static void test_convert_lets_readers_in(void **state)
{
	/* Converting to shared keeps the holder and lets the waiting shared in. */
	struct helper reader;
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	ExAcquireResourceExclusiveLite(&resource, TRUE);
	helper_start(&reader, &resource, ExAcquireResourceSharedLite, TRUE);
	until_waiters(&resource, 1, 0);
	ExConvertExclusiveToSharedLite(&resource);
	helper_end(&reader);
	assert_true(reader.got);
	assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
	assert_int_equal(ExIsResourceAcquiredSharedLite(&resource), 1);
	ExReleaseResourceLite(&resource);
	ExDeleteResourceLite(&resource);
}

struct release_for {
	ERESOURCE *resource;
	ERESOURCE_THREAD owner;
};

static void release_for_main(void *context)
{
	struct release_for *job = context;

	ExReleaseResourceForThreadLite(job->resource, job->owner);
}

static void release_from_other_thread(ERESOURCE *resource, ERESOURCE_THREAD owner)
{
	struct release_for job = {.resource = resource, .owner = owner};
	struct nt_thread *thread;

	assert_int_equal(nt_thread_create("release", release_for_main, &job, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
}

static void test_release_for_another_thread(void **state)
{
	/* ExReleaseResourceForThread by another thread ends the owner's hold. */
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	ExAcquireResourceExclusiveLite(&resource, TRUE);
	release_from_other_thread(&resource, ExGetCurrentResourceThread());
	assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
	assert_true(try_from_other_thread(&resource, ExAcquireResourceExclusiveLite));
	ExDeleteResourceLite(&resource);
}

static void test_owner_pointer_takes_over(void **state)
{
	/* After ExSetResourceOwnerPointer the thread holds nothing and any thread may release for the pointer. */
	ULONG_PTR context[2];
	PVOID owner = (PVOID)((ULONG_PTR)context | 3);
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	ExAcquireResourceExclusiveLite(&resource, TRUE);
	ExSetResourceOwnerPointer(&resource, owner);
	assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
	assert_false(ExAcquireResourceExclusiveLite(&resource, FALSE));
	release_from_other_thread(&resource, (ERESOURCE_THREAD)owner);

	ExAcquireResourceSharedLite(&resource, TRUE);
	ExSetResourceOwnerPointer(&resource, owner);
	assert_int_equal(ExIsResourceAcquiredSharedLite(&resource), 0);
	ExAcquireResourceSharedLite(&resource, TRUE);
	ExSetResourceOwnerPointer(&resource, owner);
	assert_false(ExAcquireResourceExclusiveLite(&resource, FALSE));
	release_from_other_thread(&resource, (ERESOURCE_THREAD)owner);
	assert_false(ExAcquireResourceExclusiveLite(&resource, FALSE));
	release_from_other_thread(&resource, (ERESOURCE_THREAD)owner);
	assert_true(ExAcquireResourceExclusiveLite(&resource, FALSE));
	ExReleaseResourceLite(&resource);
	ExDeleteResourceLite(&resource);
}

/* The stress: a counter pair that only holders may see unequal. */
#define STRESS_THREADS 6
#define STRESS_ROUNDS 4000

struct stress {
	ERESOURCE resource;
	long a, b; /* equal except within an exclusive hold */
	ULONG_PTR contexts[STRESS_THREADS];
	volatile LONG bad;
	volatile LONG next;
	PVOID volatile mailbox; /* an owner pointer whose hold somebody else must release */
};

static void stress_write(struct stress *stress)
{
	stress->a++;
	if (stress->b != stress->a - 1)
		InterlockedIncrement(&stress->bad);
	stress->b++;
}

static void stress_read(struct stress *stress)
{
	if (stress->a != stress->b)
		InterlockedIncrement(&stress->bad);
}

/* Empties the mailbox: releases the hold of whoever left it there. */
static void stress_release_mail(struct stress *stress)
{
	PVOID owner = InterlockedExchangePointer(&stress->mailbox, NULL);

	if (owner != NULL)
		ExReleaseResourceForThreadLite(&stress->resource, (ERESOURCE_THREAD)owner);
}

static void stress_hand_over(struct stress *stress, LONG me)
{
	PVOID owner = (PVOID)((ULONG_PTR)&stress->contexts[me] | 3);

	if (me & 1) {
		ExAcquireResourceExclusiveLite(&stress->resource, TRUE);
		stress_write(stress);
	} else {
		ExAcquireResourceSharedLite(&stress->resource, TRUE);
		stress_read(stress);
	}
	ExSetResourceOwnerPointer(&stress->resource, owner);
	owner = InterlockedExchangePointer(&stress->mailbox, owner);
	if (owner != NULL)
		ExReleaseResourceForThreadLite(&stress->resource, (ERESOURCE_THREAD)owner);
	/* Nobody need look again, so whoever comes last takes its own hold back. */
	stress_release_mail(stress);
}

static void stress_main(void *context)
{
	struct stress *stress = context;
	LONG me = InterlockedIncrement(&stress->next) - 1;

	for (int i = 0; i < STRESS_ROUNDS; i++) {
		switch ((i + me) % 7) {
		case 0:
			ExAcquireResourceExclusiveLite(&stress->resource, TRUE);
			stress_write(stress);
			ExAcquireResourceExclusiveLite(&stress->resource, TRUE);
			ExReleaseResourceLite(&stress->resource);
			ExConvertExclusiveToSharedLite(&stress->resource);
			stress_read(stress);
			ExReleaseResourceLite(&stress->resource);
			break;
		case 1:
			if (ExAcquireResourceExclusiveLite(&stress->resource, FALSE)) {
				stress_write(stress);
				ExReleaseResourceLite(&stress->resource);
			}
			break;
		case 2:
			ExAcquireSharedStarveExclusive(&stress->resource, TRUE);
			stress_read(stress);
			ExReleaseResourceLite(&stress->resource);
			break;
		case 3:
			stress_hand_over(stress, me);
			break;
		default:
			ExAcquireResourceSharedLite(&stress->resource, TRUE);
			ExAcquireResourceSharedLite(&stress->resource, TRUE);
			stress_read(stress);
			ExReleaseResourceLite(&stress->resource);
			ExReleaseResourceLite(&stress->resource);
			break;
		}
	}
}

static void test_stress_with_hand_over(void **state)
{
	/* Under every kind of acquisition and hand-over readers never see a writer's half-done change. */
	struct stress stress = {.a = 0};
	struct nt_thread *threads[STRESS_THREADS];

	(void)state;
	ExInitializeResourceLite(&stress.resource);
	for (int i = 0; i < STRESS_THREADS; i++)
		assert_int_equal(nt_thread_create("stress", stress_main, &stress, &threads[i]),
				 STATUS_SUCCESS);
	for (int i = 0; i < STRESS_THREADS; i++)
		nt_thread_join(threads[i]);
	stress_release_mail(&stress);
	assert_int_equal(stress.bad, 0);
	assert_int_equal(stress.a, stress.b);
	assert_true(ExAcquireResourceExclusiveLite(&stress.resource, FALSE));
	ExReleaseResourceLite(&stress.resource);
	ExDeleteResourceLite(&stress.resource);
}

static void upgrade(void)
{
	ERESOURCE resource;

	NT_TEST_START_IN_CHILD();
	ExInitializeResourceLite(&resource);
	ExAcquireResourceSharedLite(&resource, TRUE);
	ExAcquireResourceExclusiveLite(&resource, TRUE);
}

static void release_unheld(void)
{
	ERESOURCE resource;

	NT_TEST_START_IN_CHILD();
	ExInitializeResourceLite(&resource);
	ExReleaseResourceLite(&resource);
}

static void delete_held(void)
{
	ERESOURCE resource;

	NT_TEST_START_IN_CHILD();
	ExInitializeResourceLite(&resource);
	ExAcquireResourceSharedLite(&resource, TRUE);
	ExDeleteResourceLite(&resource);
}

static void plain_owner_pointer(void)
{
	ERESOURCE resource;

	NT_TEST_START_IN_CHILD();
	ExInitializeResourceLite(&resource);
	ExAcquireResourceSharedLite(&resource, TRUE);
	ExSetResourceOwnerPointer(&resource, &resource);
}

static BOOLEAN borrow(PERESOURCE resource, BOOLEAN wait)
{
	(void)wait;
	nt_resource_borrow(resource);
	return TRUE;
}

static void test_a_loan_lets_borrowers_in(void **state)
{
	/*
	 * While the exclusive holder lends, those who borrow hold it beside him, also those who waited already; nobody
	 * else does. He has it to himself again when the last of them has released it.
	 */
	struct helper waiting, plain, late;
	ERESOURCE resource;

	(void)state;
	ExInitializeResourceLite(&resource);
	assert_true(ExAcquireResourceExclusiveLite(&resource, TRUE));
	helper_start(&waiting, &resource, borrow, TRUE);
	helper_start(&plain, &resource, ExAcquireResourceSharedLite, TRUE);
	until_waiters(&resource, 2, 0);

	nt_resource_lend(&resource);
	nt_test_wait(&waiting.done);
	until_waiters(&resource, 1, 0); /* the plain one is not let in */
	assert_false(try_from_other_thread(&resource, ExAcquireResourceSharedLite));
	assert_false(try_from_other_thread(&resource, ExAcquireResourceExclusiveLite));
	helper_start(&late, &resource, borrow, TRUE);
	nt_test_wait(&late.done);
	assert_true(ExIsResourceAcquiredExclusiveLite(&resource));
	KeSetEvent(&waiting.release, 0, FALSE);
	KeSetEvent(&late.release, 0, FALSE);
	nt_resource_recall(&resource);
	nt_thread_join(waiting.thread);
	nt_thread_join(late.thread);

	helper_start(&late, &resource, borrow, TRUE);
	until_waiters(&resource, 2, 0);
	ExReleaseResourceLite(&resource);
	helper_end(&late);
	helper_end(&plain);
	assert_int_equal(ExDeleteResourceLite(&resource), STATUS_SUCCESS);
}

struct recall {
	ERESOURCE resource;
	KEVENT lent, borrowed;
	bool released;
};

static void borrow_for_a_request(void *context)
{
	struct recall *r = context;
	ULONG_PTR owner = (ULONG_PTR)r | 3;
	LARGE_INTEGER pause = nt_test_ms(20);

	nt_test_wait(&r->lent);
	nt_resource_borrow(&r->resource);
	ExSetResourceOwnerPointer(&r->resource, (PVOID)owner);
	KeSetEvent(&r->borrowed, 0, FALSE);
	KeDelayExecutionThread(KernelMode, FALSE, &pause); /* the recall has the time to begin */
	r->released = true;
	ExReleaseResourceForThreadLite(&r->resource, owner);
}

static void test_a_recall_waits_for_a_borrower_that_is_a_request(void **state)
{
	/* What was borrowed may be given to a request; the recall returns after that has released it. */
	struct recall r = {.released = false};
	struct nt_thread *thread;

	(void)state;
	ExInitializeResourceLite(&r.resource);
	KeInitializeEvent(&r.lent, NotificationEvent, FALSE);
	KeInitializeEvent(&r.borrowed, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("borrower", borrow_for_a_request, &r, &thread), STATUS_SUCCESS);
	assert_true(ExAcquireResourceExclusiveLite(&r.resource, TRUE));
	nt_resource_lend(&r.resource);
	KeSetEvent(&r.lent, 0, FALSE);
	nt_test_wait(&r.borrowed);
	nt_resource_recall(&r.resource);
	assert_true(r.released);
	ExReleaseResourceLite(&r.resource);
	nt_thread_join(thread);
	assert_int_equal(ExDeleteResourceLite(&r.resource), STATUS_SUCCESS);
}

static void lend_unheld(void)
{
	ERESOURCE resource;

	NT_TEST_START_IN_CHILD();
	ExInitializeResourceLite(&resource);
	nt_resource_lend(&resource);
}

static void end_while_holding(void)
{
	ERESOURCE resource;

	NT_TEST_START_IN_CHILD();
	ExInitializeResourceLite(&resource);
	ExAcquireResourceSharedLite(&resource, TRUE);
	nt_shutdown(NULL);
}

static void test_broken_rules_end_the_process(void **state)
{
	/* Self-deadlock, release by a stranger, deletion in use, a bad owner pointer, a thread that ends as holder. */
	(void)state;
	assert_true(nt_test_dies(upgrade, "held shared by the thread that wants it exclusive"));
	assert_true(nt_test_dies(release_unheld, "does not hold it"));
	assert_true(nt_test_dies(delete_held, "has holders or waiters"));
	assert_true(nt_test_dies(lend_unheld, "does not hold it exclusive"));
	assert_true(nt_test_dies(plain_owner_pointer, "two low bits"));
	assert_true(nt_test_dies(end_while_holding, "still holds 1"));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, nt_test_setup, nt_test_teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_exclusive_is_recursive_and_excludes),
		WITH(test_many_share),
		WITH(test_shared_against_a_waiting_exclusive),
		WITH(test_neither_side_starves),
		WITH(test_convert_lets_readers_in),
		WITH(test_release_for_another_thread),
		WITH(test_owner_pointer_takes_over),
		WITH(test_a_loan_lets_borrowers_in),
		WITH(test_a_recall_waits_for_a_borrower_that_is_a_request),
		WITH(test_stress_with_hand_over),
		cmocka_unit_test(test_broken_rules_end_the_process),
	};

	return cmocka_run_group_tests_name("nt resource", tests, NULL, NULL);
}
