/*
 * Many openers of few files, with delayed closes, renames, purges and an impatient scavenger: every request ends,
 * every object goes, under both executives.
 */
#include "../support/rec.h"

#include "core/trace/trace.h"

#include "../support/seeds.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

struct worker {
	uint64_t random;
	unsigned int rounds;
	LONG failures;
};

static unsigned int pick(struct worker *w, unsigned int n)
{
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(w->random >> 33) % n;
}

static const WCHAR *const names[] = {REC_SHARE u"\\a", REC_SHARE u"\\b", REC_SHARE u"\\d\\c",
				     u"\\other\\share\\a"};

static void expect(struct worker *w, bool right)
{
	if (!right)
		w->failures++;
}

static void rename_to(struct worker *w, PFILE_OBJECT file)
{
	static const WCHAR *const targets[] = {u"\\a", u"\\b", u"\\d\\c", u"\\e"};
	const WCHAR *target = targets[pick(w, 4)];

	expect(w, req_run(file_name_make(file, FileRenameInformation, target, true), NULL) == STATUS_SUCCESS);
}

static void use(struct worker *w, PFILE_OBJECT file)
{
	ULONG_PTR information = 0;
	LONGLONG size = rec.file_size - 100;

	switch (pick(w, 5)) {
	case 0:
		expect(w,
		       req_run(file_read_make(file, size, 50, pick(w, 2)), &information) == STATUS_SUCCESS);
		expect(w, information == 50);
		break;
	case 1:
		expect(w, req_run(file_write_make(file, pick(w, 1000), 50, pick(w, 2)), &information) ==
				  STATUS_SUCCESS);
		break;
	case 2:
		rename_to(w, file);
		break;
	case 3: {
		struct req *r = file_read_make(file, 0, 10, true);
		NTSTATUS status;

		(void)req_send(r);
		(void)IoCancelIrp(r->irp);
		status = req_end(r, NULL);
		expect(w, status == STATUS_SUCCESS || status == STATUS_CANCELLED);
		break;
	}
	default:
		expect(w, req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL) == STATUS_SUCCESS);
		break;
	}
}

static void work(void *context)
{
	struct worker *w = context;
	unsigned int i, uses;

	for (i = 0; i < w->rounds; i++) {
		PFILE_OBJECT file;
		NTSTATUS status = file_open_with(
			OPEN(.name = names[pick(w, 4)],
			     .access = pick(w, 2) ? FILE_READ_DATA | FILE_WRITE_DATA : FILE_READ_DATA),
			&file, NULL);

		expect(w, status == STATUS_SUCCESS);
		if (status != STATUS_SUCCESS)
			continue;
		for (uses = pick(w, 4); uses > 0; uses--)
			use(w, file);
		expect(w, file_cleanup(file) == STATUS_SUCCESS);
		expect(w, file_close_only(file) == STATUS_SUCCESS);
		if (pick(w, 16) == 0)
			RxPurgeAllFobxs(rec.device);
	}
}

static void run(unsigned int threads, unsigned int rounds, uint64_t seed)
{
	struct worker workers[8];
	struct nt_thread *handles[8];
	unsigned int i;

	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	rec.lowio = REC_WORKER;
	rec.quiet = true;
	for (i = 0; i < threads; i++) {
		workers[i] = (struct worker){.random = seed * 8 + i, .rounds = rounds};
		assert_int_equal(nt_thread_create("stress", work, &workers[i], &handles[i]), STATUS_SUCCESS);
	}
	for (i = 0; i < threads; i++) {
		nt_thread_join(handles[i]);
		assert_int_equal(workers[i].failures, 0);
	}
	RxPurgeAllFobxs(rec.device);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	/* every open at the server was closed there, once */
	assert_int_equal(rec_seen(REC_CREATE), rec_seen(REC_CLOSE));
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
}

static void scenario(void *context)
{
	rec_reset();
	rec.scavenger_s = 1;
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	run(3, 6, *(uint64_t *)context);
	rec_unload();
}

/* Seeded orders of three openers. */
static void test_in_many_orders(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= seeds(200); seed++)
		assert_int_equal(nt_sim_run(seed, scenario, &seed), 0);
}

static int setup_short_delay(void **state)
{
	rec.scavenger_s = 1;
	return rec_setup(state);
}

struct spectator {
	KEVENT enough;
	unsigned int looks, findings;
};

/* Somebody who asks for the state of everything, again and again. */
static void look_on(void *context)
{
	static UCHAR records[64 * 1024];
	struct spectator *s = context;
	ULONG_PTR written;

	do {
		s->findings += rx_check_objects(rec.device, RX_CHECK_LIVE, rx_check_print, NULL, NULL);
		if (rx_query_objects(rec.device, records, sizeof(records), &written) == STATUS_SUCCESS)
			s->looks++;
	} while (KeReadStateEvent(&s->enough) == 0);
}

/* Eight real threads, and one that looks on: it sees nothing that does not agree. */
static void test_with_threads(void **state)
{
	struct spectator s = {.looks = 0};
	struct nt_thread *thread;

	(void)state;
	KeInitializeEvent(&s.enough, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("spectator", look_on, &s, &thread), STATUS_SUCCESS);
	run(8, 200, 99);
	KeSetEvent(&s.enough, IO_NO_INCREMENT, FALSE);
	nt_thread_join(thread);
	assert_true(s.looks > 0);
	assert_int_equal(s.findings, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_many_orders),
		cmocka_unit_test_setup_teardown(test_with_threads, setup_short_delay, rec_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
