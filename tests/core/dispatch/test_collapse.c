/*
 * Collapsing and delayed close: an open that is still there at the server is used again.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

/* B-MRxCreate-05, B-MRxCollapseOpen-02: a second equal open shares the first one's SRV_OPEN. */
static void test_equal_opens_collapse(void **state)
{
	PFILE_OBJECT a, b;

	(void)state;
	a = file_open(REC_SHARE u"\\a");
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_CREATE), 1);
	assert_int_equal(rec_seen(REC_SHOULD_COLLAPSE), 1);
	assert_int_equal(rec_seen(REC_COLLAPSE), 1);
	assert_ptr_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	assert_int_equal(fobx_of(a)->pSrvOpen->OpenCount, 2);
	file_close(a);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	file_close(b);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec_seen(REC_CLEANUP), 2);
}

/* B-MRxShouldTryToCollapseThisOpen-02 and -03, -04; and another access: each gets an open of its own. */
static void test_unequal_opens_do_not_collapse(void **state)
{
	PFILE_OBJECT a, b;

	(void)state;
	a = file_open(REC_SHARE u"\\a");
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a", .access = FILE_READ_DATA), &b, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	file_close(b);
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE u"\\a", .options = FILE_OPEN_FOR_BACKUP_INTENT), &b,
			       NULL),
		STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CREATE), 3);
	file_close(b);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a", .access = DELETE | FILE_READ_DATA,
					     .options = FILE_DELETE_ON_CLOSE),
					&b, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CREATE), 4);
	assert_int_equal(rec_seen(REC_COLLAPSE), 0);
	file_close(b);
	file_close(a);

	a = file_open(REC_SHARE u"\\b");
	rec.status[REC_SHOULD_COLLAPSE] = STATUS_MORE_PROCESSING_REQUIRED;
	b = file_open(REC_SHARE u"\\b");
	assert_int_equal(rec_seen(REC_CREATE), 6);
	file_close(a);
	file_close(b);
}

/* B-MRxCollapseOpen-03: a refused collapse goes on as an ordinary open. */
static void test_refused_collapse_opens(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;

	(void)state;
	rec.status[REC_COLLAPSE] = STATUS_MORE_PROCESSING_REQUIRED;
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_COLLAPSE), 1);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	file_close(a);
	file_close(b);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
}

/* B-MRxCloseSrvOpen-02: with handle caching granted, open, close, open costs one MRxCreate and no close. */
static void test_delayed_close_serves_the_next_open(void **state)
{
	PFILE_OBJECT file;
	unsigned int i;

	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	for (i = 0; i < 5; i++) {
		file = file_open(REC_SHARE u"\\a");
		file_close(file);
	}
	assert_int_equal(rec_seen(REC_CREATE), 1);
	assert_int_equal(rec_seen(REC_CLEANUP), 5);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	assert_int_equal(rec.device->pRdbssScavenger->NumberOfDormantFiles, 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 1);

	RxPurgeAllFobxs(rec.device);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec.device->pRdbssScavenger->NumberOfDormantFiles, 0);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* Without a grant every close reaches the server at once. */
static void test_no_delay_without_a_grant(void **state)
{
	(void)state;
	file_close(file_open(REC_SHARE u"\\a"));
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_CREATE), 2);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
}

/* B-MRxCloseSrvOpen-03: with no re-open the scavenger closes it, not before its time. */
static void test_scavenger_closes(void **state)
{
	ULONGLONG before;

	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	before = KeQueryInterruptTime();
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	rec_wait_seen(REC_CLOSE, 1);
	assert_true(KeQueryInterruptTime() - before >= 10000000);
}

static int setup_short_delay(void **state)
{
	rec.scavenger_s = 1;
	return rec_setup(state);
}

/* A delete, a purge on conflict: what sleeps never stands in the way. */
static void test_dormant_opens_yield(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	rec.status[REC_CREATE] = STATUS_SHARING_VIOLATION;
	/* another access: no collapse; the server refuses because of the dormant open, which is closed, and again */
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE u"\\a", .access = FILE_READ_DATA), &file, NULL),
		STATUS_SHARING_VIOLATION);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec_seen(REC_CREATE), 3); /* the first open, the refusal, one retry */
}

/* The device's limit: above it closes are not delayed. */
static void test_dormant_limit(void **state)
{
	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	rec.device->pRdbssScavenger->MaximumNumberOfDormantFiles = 1;
	file_close(file_open(REC_SHARE u"\\a"));
	file_close(file_open(REC_SHARE u"\\b"));
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec.device->pRdbssScavenger->NumberOfDormantFiles, 1);
}

/* B-RxPurgeRelatedFobxs-01, -02, -04. */
static void test_purge_related(void **state)
{
	PFILE_OBJECT other;
	PNET_ROOT nr;

	(void)state;
	other = file_open(REC_SHARE u"\\other");
	nr = (PNET_ROOT)fcb_of(other)->pNetRoot;
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_UNSUCCESSFUL);
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, fcb_of(other)), STATUS_UNSUCCESSFUL);
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	file_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_equal_opens_collapse),
		REC_TEST(test_unequal_opens_do_not_collapse),
		REC_TEST(test_refused_collapse_opens),
		REC_TEST(test_delayed_close_serves_the_next_open),
		REC_TEST(test_no_delay_without_a_grant),
		cmocka_unit_test_setup_teardown(test_scavenger_closes, setup_short_delay, rec_teardown),
		REC_TEST(test_dormant_opens_yield),
		REC_TEST(test_dormant_limit),
		REC_TEST(test_purge_related),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
