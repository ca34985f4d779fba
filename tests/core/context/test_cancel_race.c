/*
 * Cancel against completion: one wins, the request ends once, under both executives.
 */
#include "../support/rec.h"

#include "../support/seeds.h"

#define SEEDS 1000
#define ROUNDS 500

struct race {
	struct req *r;
	NTSTATUS status;
	ULONG_PTR information;
};

static void race_answer(void *context)
{
	struct race *race = context;

	(void)rec_release(race->status, race->information);
}

static void race_cancel(void *context)
{
	struct race *race = context;

	(void)IoCancelIrp(race->r->irp);
}

/* One held read, answered and cancelled at the same time. */
static void race_once(PFILE_OBJECT file)
{
	struct race race = {.status = STATUS_SUCCESS, .information = 10};
	struct nt_thread *threads[2];
	LONG cancels = rec_seen(REC_CANCEL);
	NTSTATUS status;

	rec.lowio = REC_HOLD;
	race.r = file_read_make(file, 0, 10, true);
	assert_int_equal(req_send(race.r), STATUS_PENDING);
	assert_int_equal(nt_thread_create("answer", race_answer, &race, &threads[0]), STATUS_SUCCESS);
	assert_int_equal(nt_thread_create("cancel", race_cancel, &race, &threads[1]), STATUS_SUCCESS);
	nt_thread_join(threads[0]);
	nt_thread_join(threads[1]);
	/* who lost did nothing: at most one of the two took the request */
	status = req_end(race.r, NULL);
	assert_true(status == STATUS_SUCCESS || status == STATUS_CANCELLED);
	assert_in_range(rec_seen(REC_CANCEL), cancels, cancels + 1);
	if (status == STATUS_CANCELLED)
		assert_int_equal(rec_seen(REC_CANCEL), cancels + 1);
	assert_int_equal(rec.held, 0);
	/* nothing of the file is held any more */
	assert_true(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(file)->Header.Resource);
}

static void scenario(void *context)
{
	PFILE_OBJECT file;

	(void)context;
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	file = file_open(REC_SHARE u"\\a");
	race_once(file);
	race_once(file);
	file_close(file);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

/* Every order that a thousand seeds find. A failing seed is printed: it is the bug report. */
static void test_cancel_against_completion_in_every_order(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= seeds(SEEDS); seed++) {
		unsigned long leaked = nt_sim_run(seed, scenario, NULL);

		if (leaked != 0)
			print_error("seed %llu leaks %lu bytes\n", (unsigned long long)seed, leaked);
		assert_int_equal(leaked, 0);
	}
}

/* The same with real threads, for the thread sanitizer. */
static void test_cancel_against_completion_with_threads(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	unsigned int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++)
		race_once(file);
	file_close(file);
}

static void race_stop(void *context)
{
	NTSTATUS *status = context;

	*status = rec_control(FSCTL_RX_STOP);
}

/* A stop while requests are held, come and are answered: it ends, and so do they. */
static void stop_scenario(void *context)
{
	struct race race = {.status = STATUS_SUCCESS, .information = 10};
	struct nt_thread *threads[2];
	struct req *reads[3];
	NTSTATUS stopped = STATUS_UNSUCCESSFUL;
	PFILE_OBJECT file;
	unsigned int i;

	(void)context;
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	file = file_open(REC_SHARE u"\\a");
	rec.lowio = REC_HOLD;
	for (i = 0; i < 3; i++) {
		reads[i] = file_read_make(file, 0, 10, true);
		assert_int_equal(req_send(reads[i]), STATUS_PENDING);
	}
	assert_int_equal(nt_thread_create("stop", race_stop, &stopped, &threads[0]), STATUS_SUCCESS);
	assert_int_equal(nt_thread_create("answer", race_answer, &race, &threads[1]), STATUS_SUCCESS);
	nt_thread_join(threads[1]);
	nt_thread_join(threads[0]);
	for (i = 0; i < 3; i++) {
		NTSTATUS status = req_end(reads[i], NULL);

		assert_true(status == STATUS_SUCCESS || status == STATUS_CANCELLED);
	}
	assert_int_equal(stopped, STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	file_close(file);
	rec_unload();
}

static void test_stop_against_completion_in_every_order(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= seeds(SEEDS) / 2; seed++)
		assert_int_equal(nt_sim_run(seed, stop_scenario, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_against_completion_in_every_order),
		cmocka_unit_test(test_stop_against_completion_in_every_order),
		REC_TEST(test_cancel_against_completion_with_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
