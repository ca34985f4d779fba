/*
 * test_scavenger.c - what is finalized later, and what ends it sooner. Rows B-RxPurgeAllFobxs, B-RxScavengeAllFobxs,
 * B-RxPurgeRelatedFobxs, B-RxScavengeFobxsForNetRoot, B-Scavenger.
 */
#include "../support/rec.h"

#include "../../nt/nt_test.h"
#include "scavengr.h"

static PRDBSS_SCAVENGER scavenger(void)
{
	return rec.device->pRdbssScavenger;
}

/* A file that is closed here and still open at the server. Its FCB lives as long as that. */
static PFCB make_dormant(const WCHAR *name)
{
	PFILE_OBJECT file;
	PFCB fcb;

	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file = file_open(name);
	rec.buffering = 0;
	fcb = fcb_of(file);
	file_close(file);
	return fcb;
}

/* A file whose FOBX lost its last reference where nobody held the FCB. */
static PFCB make_marked(const WCHAR *name)
{
	PFILE_OBJECT file = file_open(name);
	PFOBX fobx = fobx_of(file);
	PFCB fcb = fcb_of(file);

	RxReference(fobx);
	file_close(file);
	RxDereference(fobx, LHS_LockNotHeld);
	return fcb;
}

/* A reference of the test's own, so that an FCB may be spoken of after its end. */
static void keep(PFCB fcb)
{
	RxReferenceNetFcb(fcb);
}

static void give_up(PFCB fcb)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);

	assert_int_equal(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	if (!RxDereferenceAndFinalizeNetFcb(fcb, rxc, FALSE, FALSE))
		RxReleaseFcb(rxc, fcb);
	RxDereferenceAndDeleteRxContext(rxc);
}

static PFCB alias_of, alias;

static NTSTATUS NTAPI are_aliased(PFCB a, PFCB b)
{
	return a == alias_of && b == alias ? STATUS_MORE_PROCESSING_REQUIRED : STATUS_SUCCESS;
}

/* Every dormant file of the device, of whatever share; what is open stays open. */
static void test_B_RxPurgeAllFobxs_01_ends_every_dormant_file(void **state)
{
	PFILE_OBJECT open = file_open(REC_SHARE u"\\open");

	(void)state;
	(void)make_dormant(REC_SHARE u"\\a");
	(void)make_dormant(REC_SHARE u"\\b");
	(void)make_dormant(u"\\server\\other\\c");
	assert_int_equal(scavenger()->NumberOfDormantFiles, 3);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	RxPurgeAllFobxs(rec.device);
	assert_true(IsListEmpty(&scavenger()->ClosePendingFobxsList));
	assert_int_equal(scavenger()->NumberOfDormantFiles, 0);
	assert_int_equal(rec_seen(REC_CLOSE), 3);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 3);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 3);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 1);
	file_close(open);
}

/* Every marked FOBX of the device, of whatever share; a dormant one has another list. */
static void test_B_RxScavengeAllFobxs_01_ends_every_marked_fobx(void **state)
{
	(void)state;
	(void)make_marked(REC_SHARE u"\\a");
	(void)make_marked(u"\\server\\other\\b");
	(void)make_dormant(REC_SHARE u"\\c");
	assert_int_equal(scavenger()->FobxsToBeFinalized, 2);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 0);
	RxScavengeAllFobxs(rec.device);
	assert_int_equal(scavenger()->FobxsToBeFinalized, 0);
	assert_true(IsListEmpty(&scavenger()->FobxFinalizationList));
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 2);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 2);
	assert_int_equal(scavenger()->NumberOfDormantFiles, 1);
}

static void scavenge_something_else(void)
{
	PFOBX fobx =
		CONTAINING_RECORD(scavenger()->FobxFinalizationList.Flink, FOBX, ScavengerFinalizationList);

	fobx->NodeTypeCode = RDBSS_NTC_SRVOPEN;
	RxScavengeAllFobxs(rec.device);
}

static void test_B_RxScavengeAllFobxs_02_only_fobxs(void **state)
{
	(void)state;
	(void)make_marked(REC_SHARE u"\\a");
	assert_true(nt_test_dies(scavenge_something_else, "RDBSS_NTC_FOBX"));
	RxScavengeAllFobxs(rec.device);
	assert_int_equal(scavenger()->FobxsToBeFinalized, 0);
}

/* ---- RxPurgeRelatedFobxs ---- */

static PMRX_CALLDOWN rec_close_slot;
static unsigned int closes;

static void close_another(void *context)
{
	(void)context;
	(void)make_dormant(REC_SHARE u"\\late");
}

/* While the first one ends, another thread's file goes to sleep. */
static NTSTATUS NTAPI close_slowly(PRX_CONTEXT rxc)
{
	if (closes++ == 0) {
		struct nt_thread *thread;

		assert_int_equal(nt_thread_create("closer", close_another, NULL, &thread), STATUS_SUCCESS);
		nt_thread_join(thread);
	}
	return rec_close_slot(rxc);
}

/* What went to sleep after the call is left; what did before has ended when it returns. */
static void test_B_RxPurgeRelatedFobxs_01_only_those_before(void **state)
{
	PNET_ROOT nr;

	(void)state;
	closes = 0;
	rec_close_slot = rec.device->Dispatch->MRxCloseSrvOpen;
	rec.device->Dispatch->MRxCloseSrvOpen = close_slowly;
	nr = (PNET_ROOT)make_dormant(REC_SHARE u"\\a")->pNetRoot;
	(void)make_dormant(REC_SHARE u"\\b");
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
	assert_int_equal(scavenger()->NumberOfDormantFiles, 1);
}

/* Nothing dormant, or only in another share. */
static void test_B_RxPurgeRelatedFobxs_02_nothing(void **state)
{
	PFILE_OBJECT open = file_open(REC_SHARE u"\\open");
	PNET_ROOT nr = (PNET_ROOT)fcb_of(open)->pNetRoot;

	(void)state;
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_UNSUCCESSFUL);
	(void)make_dormant(u"\\server\\other\\a");
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_UNSUCCESSFUL);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	(void)make_dormant(REC_SHARE u"\\a");
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_SUCCESS);
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_UNSUCCESSFUL);
	file_close(open);
}

/* The FCB goes with the last FOBX; one that somebody else uses stays. */
static void test_B_RxPurgeRelatedFobxs_03_finalizes_the_fcb(void **state)
{
	PFCB unused = make_dormant(REC_SHARE u"\\a"), used = make_dormant(REC_SHARE u"\\b");
	PNET_ROOT nr = (PNET_ROOT)unused->pNetRoot;

	(void)state;
	keep(used);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 2);
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 1);
	give_up(used);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* One file and its aliases, or the whole share; never another share. */
static void test_B_RxPurgeRelatedFobxs_04_which(void **state)
{
	PFCB a = make_dormant(REC_SHARE u"\\a");
	PNET_ROOT nr = (PNET_ROOT)a->pNetRoot;

	(void)state;
	keep(a);
	(void)make_dormant(REC_SHARE u"\\b");
	alias_of = a;
	alias = make_dormant(REC_SHARE u"\\alias");
	(void)make_dormant(u"\\server\\other\\c");
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, a), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 1); /* without the routine a file is its own only alias */

	rec.device->Dispatch->MRxAreFilesAliased = are_aliased;
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, a), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, a), STATUS_UNSUCCESSFUL);

	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 3);
	assert_int_equal(scavenger()->NumberOfDormantFiles, 1);
	give_up(a);
}

static NTSTATUS alias_answer;
static unsigned int alias_calls;
static PFCB alias_self;

static NTSTATUS NTAPI answer_alias(PFCB a, PFCB b)
{
	alias_calls++;
	if (a == b || (a != alias_self && b != alias_self))
		alias_calls += 100; /* a file is not compared with itself, nor two that nobody asked about */
	return alias_answer;
}

/* STATUS_SUCCESS: two files, the other one is left alone; STATUS_MORE_PROCESSING_REQUIRED: one file, both end. */
static void test_B_MRxAreFilesAliased_01_answers(void **state)
{
	PFCB a = make_dormant(REC_SHARE u"\\a");
	PNET_ROOT nr = (PNET_ROOT)a->pNetRoot;

	(void)state;
	keep(a);
	(void)make_dormant(REC_SHARE u"\\b");
	alias_self = a;
	rec.device->Dispatch->MRxAreFilesAliased = answer_alias;
	alias_answer = STATUS_SUCCESS;
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, a), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	alias_answer = STATUS_MORE_PROCESSING_REQUIRED;
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, a), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
	give_up(a);
}

/* Asked when an FCB is given and is not the one at hand; not without one, and not about itself. */
static void test_B_MRxAreFilesAliased_02_when(void **state)
{
	PFCB a = make_dormant(REC_SHARE u"\\a");
	PNET_ROOT nr = (PNET_ROOT)a->pNetRoot;

	(void)state;
	keep(a);
	alias_calls = 0;
	alias_answer = STATUS_SUCCESS;
	alias_self = a;
	rec.device->Dispatch->MRxAreFilesAliased = answer_alias;
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, a), STATUS_SUCCESS); /* only itself */
	assert_int_equal(alias_calls, 0);
	(void)make_dormant(REC_SHARE u"\\b");
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, a), STATUS_UNSUCCESSFUL);
	assert_in_range(alias_calls, 1, 99);
	alias_calls = 0;
	assert_int_equal(RxPurgeRelatedFobxs(nr, NULL, TRUE, NULL), STATUS_SUCCESS);
	assert_int_equal(alias_calls, 0);
	(void)make_marked(REC_SHARE u"\\c");
	RxScavengeFobxsForNetRoot(nr, a, TRUE);
	assert_in_range(alias_calls, 1, 99);
	RxScavengeAllFobxs(rec.device);
	give_up(a);
}

static unsigned int asked;

static NTSTATUS deny_while_dormant(PRX_CONTEXT rxc)
{
	(void)rxc;
	asked++;
	return scavenger()->NumberOfDormantFiles > 0 ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

static NTSTATUS deny(PRX_CONTEXT rxc)
{
	(void)rxc;
	asked++;
	return STATUS_ACCESS_DENIED;
}

/* A dormant open of ours that stands in the way ends, and the open is tried once more; when there is none, not. */
static void test_B_RxPurgeRelatedFobxs_05_open_tries_again(void **state)
{
	struct open_params p = {.name = REC_SHARE u"\\b", .disposition = FILE_OPEN};
	PFILE_OBJECT file;

	(void)state;
	(void)make_dormant(REC_SHARE u"\\a");
	asked = 0;
	rec.reparse_hook = deny_while_dormant;
	file_close(file_open(REC_SHARE u"\\b"));
	assert_int_equal(asked, 2);
	assert_int_equal(scavenger()->NumberOfDormantFiles, 0);

	asked = 0;
	rec.reparse_hook = deny;
	assert_int_equal(file_open_with(&p, &file, NULL), STATUS_ACCESS_DENIED);
	assert_int_equal(asked, 1);
}

/* ---- RxScavengeFobxsForNetRoot ---- */

static void test_B_RxScavengeFobxsForNetRoot_01_which(void **state)
{
	PFCB a = make_marked(REC_SHARE u"\\a");
	PNET_ROOT nr = (PNET_ROOT)a->pNetRoot;

	(void)state;
	keep(a);
	(void)make_marked(REC_SHARE u"\\b");
	alias_of = a;
	alias = make_marked(REC_SHARE u"\\alias");
	(void)make_marked(u"\\server\\other\\c");
	assert_int_equal(scavenger()->FobxsToBeFinalized, 4);
	RxScavengeFobxsForNetRoot(nr, a, FALSE);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 1);
	rec.device->Dispatch->MRxAreFilesAliased = are_aliased;
	RxScavengeFobxsForNetRoot(nr, a, TRUE);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 2);
	RxScavengeFobxsForNetRoot(nr, NULL, TRUE);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 3);
	assert_int_equal(scavenger()->FobxsToBeFinalized, 1);
	give_up(a);
}

static LONG dormant_at_rename;
static ULONG marked_at_rename;

static NTSTATUS NTAPI look_at_rename(PRX_CONTEXT rxc)
{
	(void)rxc;
	dormant_at_rename = scavenger()->NumberOfDormantFiles;
	marked_at_rename = scavenger()->FobxsToBeFinalized;
	return STATUS_SUCCESS;
}

/* Files below a directory that only sleep, or wait for their end, have ended when the driver renames it. */
static void test_B_RxScavengeFobxsForNetRoot_02_before_a_rename(void **state)
{
	PFILE_OBJECT dir;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
	(void)make_dormant(REC_SHARE u"\\d\\sleeps");
	(void)make_marked(REC_SHARE u"\\d\\ends");
	assert_int_equal(scavenger()->NumberOfDormantFiles, 1);
	assert_int_equal(scavenger()->FobxsToBeFinalized, 1);
	dormant_at_rename = -1;
	rec.device->Dispatch->MRxSetFileInfo = look_at_rename;
	assert_int_equal(req_run(file_name_make(dir, FileRenameInformation, u"\\new", false), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(dormant_at_rename, 0);
	assert_int_equal(marked_at_rename, 0);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
	file_close(dir);
}

/* ---- the scavenger itself, on a virtual clock ---- */

static void pass_s(LONGLONG seconds)
{
	LARGE_INTEGER time = {.QuadPart = -seconds * 10000000};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &time);
}

static void start(void)
{
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
}

static void stop(void)
{
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

/* Idle it has no timer; the first object posts one, the second does not move it; then it is idle again. */
static void one_timer(void *context)
{
	PFILE_OBJECT held;

	(void)context;
	start();
	held = file_open(REC_SHARE u"\\held"); /* so that the share stays */
	pass_s(1000);
	assert_int_equal(scavenger()->State, RDBSS_SCAVENGER_INACTIVE);
	(void)make_dormant(REC_SHARE u"\\a");
	assert_int_equal(scavenger()->State, RDBSS_SCAVENGER_DORMANT);
	pass_s(6);
	(void)make_dormant(REC_SHARE u"\\b");
	pass_s(5);
	assert_int_equal(rec_seen(REC_CLOSE), 1); /* at ten seconds, not at sixteen */
	pass_s(6);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
	assert_int_equal(scavenger()->State, RDBSS_SCAVENGER_INACTIVE);
	file_close(held);
	stop();
}

/* Nobody may count on the time: what is used again lives on, and a stop does not wait for it. */
static void no_promise(void *context)
{
	PFILE_OBJECT again;
	PMRX_V_NET_ROOT vnr;

	(void)context;
	start();
	again = file_open(REC_SHARE u"\\a");
	vnr = fobx_of(again)->pSrvOpen->pVNetRoot;
	file_close(again);
	assert_int_equal(scavenger()->VNetRootsToBeFinalized, 1);
	pass_s(9);
	again = file_open(REC_SHARE u"\\a");
	assert_ptr_equal(fobx_of(again)->pSrvOpen->pVNetRoot, vnr);
	pass_s(20);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 0);
	file_close(again);
	(void)make_dormant(REC_SHARE u"\\b");
	assert_int_equal(rec_seen(REC_CLOSE), 2);
	stop();
	assert_int_equal(rec_seen(REC_CLOSE), 3);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_SC), 1);
}

/* FOBX and FCB end with their close; the view, the share and the server later, by the scavenger (E-50). */
static void which_kinds(void *context)
{
	(void)context;
	start();
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 1);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	assert_int_equal(scavenger()->FobxsToBeFinalized + scavenger()->FcbsToBeFinalized, 0);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 0);
	assert_int_equal(rec_seen(REC_FINALIZE_NR), 0);
	assert_int_equal(rec_seen(REC_FINALIZE_SC), 0);
	pass_s(35); /* one after the other: each ends its child's parent */
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_NR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_SC), 1);
	assert_int_equal(scavenger()->State, RDBSS_SCAVENGER_INACTIVE);
	stop();
}

static void run(void (*scenario)(void *context))
{
	uint64_t seed;

	for (seed = 1; seed <= 10; seed++)
		assert_int_equal(nt_sim_run(seed, scenario, NULL), 0);
}

static void test_B_Scavenger_01_one_timer(void **state)
{
	(void)state;
	run(one_timer);
}

static void test_B_Scavenger_02_no_promise(void **state)
{
	(void)state;
	run(no_promise);
}

static void test_B_Scavenger_03_which_kinds(void **state)
{
	(void)state;
	run(which_kinds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_RxPurgeAllFobxs_01_ends_every_dormant_file),
		REC_TEST(test_B_RxScavengeAllFobxs_01_ends_every_marked_fobx),
		REC_TEST(test_B_RxScavengeAllFobxs_02_only_fobxs),
		REC_TEST(test_B_RxPurgeRelatedFobxs_01_only_those_before),
		REC_TEST(test_B_RxPurgeRelatedFobxs_02_nothing),
		REC_TEST(test_B_RxPurgeRelatedFobxs_03_finalizes_the_fcb),
		REC_TEST(test_B_RxPurgeRelatedFobxs_04_which),
		REC_TEST(test_B_MRxAreFilesAliased_01_answers),
		REC_TEST(test_B_MRxAreFilesAliased_02_when),
		REC_TEST(test_B_RxPurgeRelatedFobxs_05_open_tries_again),
		REC_TEST(test_B_RxScavengeFobxsForNetRoot_01_which),
		REC_TEST(test_B_RxScavengeFobxsForNetRoot_02_before_a_rename),
		cmocka_unit_test(test_B_Scavenger_01_one_timer),
		cmocka_unit_test(test_B_Scavenger_02_no_promise),
		cmocka_unit_test(test_B_Scavenger_03_which_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
