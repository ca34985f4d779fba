/*
 * A stop in the middle of everything: opens that connect, reads that pend, closes. It ends, each request ends,
 * the redirector starts again and nothing is lost.
 */
#include "../support/rec.h"

#include "../support/seeds.h"

#define SEEDS 500

struct opener {
	uint64_t random;
	unsigned int rounds;
	LONG wrong;
};

static const WCHAR *const names[] = {REC_SHARE u"\\a", u"\\other\\share\\b", REC_SHARE u"\\c"};

static unsigned int pick(struct opener *o, unsigned int n)
{
	o->random = o->random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(o->random >> 33) % n;
}

/* What a request may be told around a stop. */
static bool is_expected(NTSTATUS status)
{
	return status == STATUS_SUCCESS || status == STATUS_REDIRECTOR_NOT_STARTED ||
	       status == STATUS_CANCELLED || status == STATUS_FILE_CLOSED;
}

static void work(void *context)
{
	struct opener *o = context;
	unsigned int i;

	for (i = 0; i < o->rounds; i++) {
		struct open_params p = {.name = names[pick(o, 3)], .disposition = FILE_OPEN};
		PFILE_OBJECT file;
		NTSTATUS status = file_open_with(&p, &file, NULL);

		o->wrong += !is_expected(status);
		if (status != STATUS_SUCCESS)
			continue;
		o->wrong += !is_expected(req_run(file_read_make(file, 0, 10, pick(o, 2)), NULL));
		o->wrong += file_cleanup(file) != STATUS_SUCCESS;
		o->wrong += file_close_only(file) != STATUS_SUCCESS;
	}
}

static void run(unsigned int threads, unsigned int rounds, uint64_t seed)
{
	struct opener openers[6];
	struct nt_thread *handles[6];
	NTSTATUS status;
	unsigned int i;

	rec.quiet = true;
	rec.connect = REC_WORKER;
	rec.lowio = REC_WORKER;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	for (i = 0; i < threads; i++) {
		openers[i] = (struct opener){.random = seed * 8 + i, .rounds = rounds};
		assert_int_equal(nt_thread_create("opener", work, &openers[i], &handles[i]), STATUS_SUCCESS);
	}
	for (i = 0; i < seed % 12; i++) /* not always at once */
		file_close(file_open(REC_SHARE u"\\c"));
	status = rec_control(FSCTL_RX_STOP);
	assert_true(status == STATUS_SUCCESS || status == STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	for (i = 0; i < threads; i++) {
		nt_thread_join(handles[i]);
		assert_int_equal(openers[i].wrong, 0);
	}
	file_close(file_open(REC_SHARE u"\\after"));
	RxPurgeAllFobxs(rec.device);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_true(RxIsPrefixTableEmpty(rec.device->pRxNetNameTable));
}

static void scenario(void *context)
{
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	run(3, 4, *(uint64_t *)context);
	rec_unload();
}

static void test_in_many_orders(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= seeds(SEEDS); seed++)
		assert_int_equal(nt_sim_run(seed, scenario, &seed), 0);
}

static void test_with_threads(void **state)
{
	(void)state;
	run(6, 300, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_many_orders),
		REC_TEST(test_with_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
