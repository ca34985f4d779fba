/*
 * Objects under stress: eight threads open, collapse, use, rename and close files of a few shares, while they also
 * force connections, shares and servers away, mark opens as bad, purge, scavenge and finalize, all at random, and the
 * mini-redirector answers at once, later, or when it likes. The object checker looks at the living device all the
 * time, and exactly between the rounds. The same under the deterministic executive, by seed.
 *
 * RDR_STRESS_SECONDS: how long the threads run (5). RDR_SIM_SEEDS: how many seeds (1000). RX_SIM_SEED: only this one.
 */
#include "../support/rec.h"

#include <stdlib.h>

#include "../support/check.h"
#include "../support/seeds.h"
#include "core/object/object.h"
#include "core/trace/trace.h"

#define MAX_FILES 4
#define MAX_WORKERS 8

struct worker {
	uint64_t random;
	unsigned int steps;
	PFILE_OBJECT files[MAX_FILES]; /* stay open between rounds */
	struct req *pending;           /* a read that was sent and not waited for */
	PFILE_OBJECT pending_file;
};

static volatile LONG stopping; /* the server's thread */

static unsigned int pick(struct worker *w, unsigned int n)
{
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(w->random >> 33) % n;
}

/* ---- opening, using, closing ---- */

static const WCHAR *const names[] = {
	u"\\server\\share\\a",  u"\\server\\share\\b",  u"\\server\\share\\d\\c", u"\\server\\share",
	u"\\server\\second\\a", u"\\server\\second\\b", u"\\other\\share\\a",     u"\\other\\share\\b",
};

/* What an open may answer while its connection is forced away. */
static bool is_answer_of_open(NTSTATUS status)
{
	return status == STATUS_SUCCESS || status == STATUS_CONNECTION_DISCONNECTED ||
	       status == STATUS_UNSUCCESSFUL || status == STATUS_SHARING_VIOLATION;
}

static bool is_answer_of_use(NTSTATUS status)
{
	return status == STATUS_SUCCESS || status == STATUS_CANCELLED || status == STATUS_FILE_CLOSED;
}

static void step_open(struct worker *w)
{
	struct open_params p = {.name = names[pick(w, RTL_NUMBER_OF(names))], .disposition = FILE_OPEN};
	PFILE_OBJECT *slot = &w->files[pick(w, MAX_FILES)];
	NTSTATUS status;

	if (*slot != NULL)
		return;
	p.access = pick(w, 2) ? FILE_READ_DATA | FILE_WRITE_DATA : FILE_READ_DATA;
	status = file_open_with(&p, slot, NULL);
	CHECK(is_answer_of_open(status));
}

static void end_pending(struct worker *w)
{
	NTSTATUS status;

	if (w->pending == NULL)
		return;
	if (pick(w, 2))
		(void)IoCancelIrp(w->pending->irp);
	status = req_end(w->pending, NULL);
	CHECK(is_answer_of_use(status));
	w->pending = NULL;
	w->pending_file = NULL;
}

static void close_slot(struct worker *w, PFILE_OBJECT *slot)
{
	if (*slot == NULL)
		return;
	if (w->pending_file == *slot)
		end_pending(w);
	CHECK_EQUAL((ULONG)file_cleanup(*slot), STATUS_SUCCESS);
	CHECK_EQUAL((ULONG)file_close_only(*slot), STATUS_SUCCESS);
	*slot = NULL;
}

static PFILE_OBJECT any_file(struct worker *w)
{
	return w->files[pick(w, MAX_FILES)];
}

static void step_rename(struct worker *w, PFILE_OBJECT file)
{
	static const WCHAR *const targets[] = {u"\\a", u"\\b", u"\\d\\c", u"\\e"};
	const WCHAR *target = targets[pick(w, RTL_NUMBER_OF(targets))];
	NTSTATUS status = req_run(file_name_make(file, FileRenameInformation, target, true), NULL);

	CHECK(is_answer_of_use(status) || status == STATUS_NOT_FOUND);
}

static void step_use(struct worker *w)
{
	PFILE_OBJECT file = any_file(w);

	if (file == NULL)
		return;
	switch (pick(w, 5)) {
	case 0:
		CHECK(is_answer_of_use(req_run(file_read_make(file, 100, 50, pick(w, 2)), NULL)));
		break;
	case 1:
		CHECK(is_answer_of_use(req_run(file_write_make(file, pick(w, 999), 50, pick(w, 2)), NULL)));
		break;
	case 2:
		step_rename(w, file);
		break;
	case 3:
		end_pending(w);
		w->pending = file_read_make(file, 0, 10, true);
		w->pending_file = file;
		(void)req_send(w->pending);
		break;
	default:
		CHECK(is_answer_of_use(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL)));
		break;
	}
}

/* ---- taking things away ---- */

static void lock_names(void)
{
	CHECK(RxAcquirePrefixTableLockExclusive(rec.device->pRxNetNameTable, TRUE));
}

static void unlock_names(void)
{
	RxReleasePrefixTableLock(rec.device->pRxNetNameTable);
}

/* The view of an open file; the SRV_OPEN holds it, and so do we. */
static PV_NET_ROOT view_of(PFILE_OBJECT file)
{
	PV_NET_ROOT vnr = (PV_NET_ROOT)fobx_of(file)->pSrvOpen->pVNetRoot;

	RxReferenceVNetRoot(vnr);
	return vnr;
}

static void force_server_away(PSRV_CALL sc, BOOLEAN force)
{
	lock_names();
	if (!sc->UpperFinalizationDone) {
		/* whoever holds a view of it holds it: without force it must refuse */
		CHECK_EQUAL(RxFinalizeSrvCall(sc, force), force);
	}
	unlock_names();
}

static void force_views_away(PNET_ROOT nr)
{
	lock_names();
	RxForceFinalizeAllVNetRoots(nr);
	unlock_names();
}

static void finalize_without_force(PNET_ROOT nr, PV_NET_ROOT vnr)
{
	lock_names();
	CHECK(vnr->ConnectionFinalizationDone || !RxFinalizeVNetRoot(vnr, TRUE, FALSE));
	CHECK(nr->UpperFinalizationDone || !RxFinalizeNetRoot(nr, TRUE, FALSE));
	unlock_names();
}

static void mark_open(struct worker *w, PFILE_OBJECT file)
{
	PSRV_OPEN so = (PSRV_OPEN)fobx_of(file)->pSrvOpen;

	CHECK_EQUAL(RxAcquireExclusiveFcb(NULL, fcb_of(file)), STATUS_SUCCESS);
	if (pick(w, 2))
		so->Condition = Condition_Bad;
	else
		so->Flags |= SRVOPEN_FLAG_CLOSED;
	RxReleaseFcb(NULL, fcb_of(file));
}

static void step_take_away(struct worker *w)
{
	PFILE_OBJECT file = any_file(w);
	PV_NET_ROOT vnr;
	PNET_ROOT nr;

	if (file == NULL)
		return;
	vnr = view_of(file);
	nr = (PNET_ROOT)vnr->pNetRoot;
	switch (pick(w, 8)) {
	case 0:
		CHECK_EQUAL((ULONG)RxFinalizeConnection(nr, vnr, TRUE), STATUS_SUCCESS);
		CHECK(vnr->ConnectionFinalizationDone);
		break;
	case 1:
		(void)RxFinalizeConnection(nr, NULL, pick(w, 2) ? TRUE : FALSE);
		break;
	case 2:
		force_server_away((PSRV_CALL)nr->pSrvCall, TRUE);
		break;
	case 3:
		force_server_away((PSRV_CALL)nr->pSrvCall, FALSE);
		break;
	case 4:
		force_views_away(nr);
		break;
	case 5:
		finalize_without_force(nr, vnr);
		break;
	default:
		mark_open(w, file);
		break;
	}
	RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);
}

static void step_scavenge(struct worker *w)
{
	PFILE_OBJECT file = any_file(w);

	switch (pick(w, 4)) {
	case 0:
		RxPurgeAllFobxs(rec.device);
		break;
	case 1:
		RxScavengeAllFobxs(rec.device);
		break;
	case 2:
		if (file != NULL)
			(void)RxPurgeRelatedFobxs((PNET_ROOT)fcb_of(file)->pNetRoot, NULL, TRUE, NULL);
		break;
	default:
		if (file != NULL)
			RxScavengeFobxsForNetRoot((PNET_ROOT)fcb_of(file)->pNetRoot, NULL, FALSE);
		break;
	}
}

static void check_living(void)
{
	CHECK_EQUAL(rx_check_objects(rec.device, RX_CHECK_LIVE, rx_check_print, NULL, NULL), 0);
}

/* ---- threads ---- */

static void work(void *context)
{
	struct worker *w = context;

	for (unsigned int i = 0; i < w->steps; i++) {
		switch (pick(w, 16)) {
		case 0:
		case 1:
		case 2:
		case 3:
		case 4:
			step_open(w);
			break;
		case 5:
		case 6:
		case 7:
		case 8:
			step_use(w);
			break;
		case 9:
		case 10:
		case 11:
			close_slot(w, &w->files[pick(w, MAX_FILES)]);
			break;
		case 12:
			step_take_away(w);
			break;
		case 13:
		case 14:
			step_scavenge(w);
			break;
		default:
			check_living();
			break;
		}
	}
	end_pending(w);
}

/* The server: answers what the mini-redirector keeps, one request after the other. */
static void serve(void *context)
{
	LARGE_INTEGER tick = {.QuadPart = -1000}; /* 0.1 ms */

	(void)context;
	while (InterlockedCompareExchange(&stopping, 0, 0) == 0) {
		while (rec_release(STATUS_SUCCESS, 10))
			;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	while (rec_release(STATUS_SUCCESS, 10))
		;
}

/* One round: everybody makes his steps; then nobody is at work, and the counts are exact, with files open. */
static void run_round(struct worker *workers, unsigned int count)
{
	struct nt_thread *handles[MAX_WORKERS], *server;

	stopping = 0;
	CHECK_EQUAL(nt_thread_create("server", serve, NULL, &server), STATUS_SUCCESS);
	for (unsigned int i = 0; i < count; i++)
		CHECK_EQUAL(nt_thread_create("stress", work, &workers[i], &handles[i]), STATUS_SUCCESS);
	for (unsigned int i = 0; i < count; i++)
		nt_thread_join(handles[i]);
	(void)InterlockedExchange(&stopping, 1);
	nt_thread_join(server);
	rec_check_quiet();
}

static void begin(void)
{
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	rec.lowio = REC_MIXED;
	rec.connect = REC_WORKER;
	rec.quiet = true;
}

/* Everything is closed; what only waits is ended; then nothing is left, and each record was ended once. */
static void finish(struct worker *workers, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		for (unsigned int j = 0; j < MAX_FILES; j++)
			close_slot(&workers[i], &workers[i].files[j]);
	RxPurgeAllFobxs(rec.device);
	rec_check_quiet();
	CHECK_EQUAL(rec.device->NumberOfActiveFcbs, 0);
	CHECK_EQUAL((ULONG)rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	CHECK_EQUAL(rec_seen(REC_FINALIZE_SC), rec_seen(REC_CREATE_SRV_CALL));
	CHECK(IsListEmpty(&rec.device->pRxNetNameTable->MemberQueue));
	CHECK(IsListEmpty(&rec.device->pRxNetNameTable->DepartedQueue));
}

static int setup_short_delay(void **state)
{
	rec.scavenger_s = 1;
	return rec_setup(state);
}

/* Eight threads, for as long as it is asked: no disagreement, no hang, nothing left. */
static void test_with_threads(void **state)
{
	LONGLONG limit = (LONGLONG)number_from("RDR_STRESS_SECONDS", 5) * 10000000;
	LONGLONG start = (LONGLONG)KeQueryInterruptTime();
	struct worker workers[MAX_WORKERS] = {{0}};
	unsigned int rounds = 0;

	(void)state;
	begin();
	for (unsigned int i = 0; i < MAX_WORKERS; i++)
		workers[i] = (struct worker){.random = 1000 + i, .steps = 200};
	do {
		run_round(workers, MAX_WORKERS);
		rounds++;
	} while ((LONGLONG)KeQueryInterruptTime() - start < limit);
	finish(workers, MAX_WORKERS);
	assert_true(rounds > 0);
	assert_true(rec_seen(REC_CREATE) > 0 && rec_seen(REC_FORCE_CLOSED) > 0);
	print_message("%u rounds, %ld opens at the server, %ld servers\n", rounds, (long)rec_seen(REC_CREATE),
		      (long)rec_seen(REC_CREATE_SRV_CALL));
}

static void scenario(void *context)
{
	uint64_t seed = *(uint64_t *)context;
	struct worker workers[3] = {{0}};

	rec_reset();
	rec.scavenger_s = 1;
	rec_load();
	CHECK_EQUAL((ULONG)rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	begin();
	for (unsigned int i = 0; i < RTL_NUMBER_OF(workers); i++)
		workers[i] = (struct worker){.random = seed * 8 + i, .steps = 12};
	run_round(workers, RTL_NUMBER_OF(workers));
	run_round(workers, RTL_NUMBER_OF(workers));
	finish(workers, RTL_NUMBER_OF(workers));
	rec_unload();
}

/* Three workers and the server in many orders, each given by its seed. */
static void test_in_many_orders(void **state)
{
	uint64_t only = number_from("RX_SIM_SEED", 0);
	uint64_t first = only != 0 ? only : 1;
	uint64_t count = only != 0 ? 1 : seeds(1000);

	(void)state;
	for (uint64_t seed = first; seed < first + count; seed++)
		assert_int_equal(nt_sim_run(seed, scenario, &seed), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_many_orders),
		cmocka_unit_test_setup_teardown(test_with_threads, setup_short_delay, rec_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
