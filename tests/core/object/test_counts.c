/*
 * test_counts.c - NodeReferenceCount: who is counted where, and when the last reference finalizes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/name/name.h"
#include "core/object/object.h"
#include "nt_exec.h"

/* ---- one of each kind, open ---- */

static PRX_CONTEXT rxc;
static PSRV_CALL sc;
static PNET_ROOT nr;
static PV_NET_ROOT vnr;
static PFCB fcb;
static PSRV_OPEN so;
static PFOBX fobx;

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	FIXTURE_NAME(file, u"\\f");
	NTSTATUS status;

	recorder_dispatch.ScavengerTimeout = 1; /* seconds */
	(void)fixture_begin(state);
	vnr = fixture_connect(&name, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	nr = (PNET_ROOT)vnr->pNetRoot;
	sc = (PSRV_CALL)nr->pSrvCall;
	rxc = fixture_context();
	fcb = fixture_fcb(rxc, vnr, &file);
	so = RxCreateSrvOpen(vnr, fcb);
	so->Condition = Condition_Good;
	fobx = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);
	rxc->pFobx = NULL;
	return 0;
}

static int end(void **state)
{
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
	fixture_context_end(rxc);
	fixture_disconnect(vnr);
	return fixture_end(state);
}

struct counted {
	PVOID instance;
	volatile ULONG *count;
};

#define KINDS 5

static void five_kinds(struct counted of[KINDS])
{
	of[0] = (struct counted){sc, &sc->NodeReferenceCount};
	of[1] = (struct counted){nr, &nr->NodeReferenceCount};
	of[2] = (struct counted){vnr, &vnr->NodeReferenceCount};
	of[3] = (struct counted){so, &so->NodeReferenceCount};
	of[4] = (struct counted){fobx, &fobx->NodeReferenceCount};
}

/* One more for each of the five kinds, and no other object's count moves. */
static void test_B_RxReference_01_adds_one(void **state)
{
	struct counted of[KINDS];

	(void)state;
	five_kinds(of);
	for (int i = 0; i < KINDS; i++) {
		ULONG before[KINDS];

		for (int j = 0; j < KINDS; j++)
			before[j] = *of[j].count;
		RxReference(of[i].instance);
		for (int j = 0; j < KINDS; j++)
			CHECK_EQUAL(*of[j].count, before[j] + (i == j));
		RxDereference(of[i].instance, LHS_LockNotHeld);
	}
}

/* One less, whatever locks the caller says it holds, while others remain. */
static void test_B_RxDereference_01_takes_one(void **state)
{
	static const LOCK_HOLDING_STATE held[] = {LHS_LockNotHeld, LHS_SharedLockHeld, LHS_ExclusiveLockHeld};
	struct counted of[KINDS];

	(void)state;
	five_kinds(of);
	for (int i = 0; i < KINDS * 3; i++) {
		struct counted *o = &of[i / 3];
		ULONG before = *o->count;

		RxReference(o->instance);
		RxReference(o->instance);
		RxDereference(o->instance, held[i % 3]);
		CHECK_EQUAL(*o->count, before + 1);
		RxDereference(o->instance, held[i % 3]);
		CHECK_EQUAL(*o->count, before);
	}
	CHECK(IsListEmpty(&vnr->ScavengerFinalizationList) && IsListEmpty(&so->ScavengerFinalizationList));
}

static PV_NET_ROOT another_view(void)
{
	FIXTURE_NAME(name, u"\\;V:1\\server\\share");
	UNICODE_STRING device, unc;
	PV_NET_ROOT another;

	CHECK(rx_canonical_split_device(&name, &device, &unc));
	another = RxCreateVNetRoot(rxc, nr, &name, &device, NULL, NULL);
	CHECK(another != NULL);
	return another;
}

/* At the last value and with the exclusive lock: gone at once, without the scavenger. */
static void test_B_RxDereference_04_finalized_at_once(void **state)
{
	LONG calls = recorder.count[REC_FINALIZE_V_NET_ROOT];
	PSRV_OPEN second = RxCreateSrvOpen(vnr, fcb);
	PV_NET_ROOT another;

	(void)state;
	fixture_lock();
	another = another_view();
	RxReferenceVNetRoot(another);
	RxDereference(another, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], calls + 1);
	CHECK(!nt_pool_is_live(another));
	fixture_unlock();
	second->Condition = Condition_Good;
	RxDereference(second, LHS_ExclusiveLockHeld);
	CHECK(!nt_pool_is_live(second));
}

/* Without the lock, or with it shared, the object is marked and lives; the scavenger finalizes it. */
static void test_B_Locking_rules_08_marked_without_the_lock(void **state)
{
	static const LOCK_HOLDING_STATE held[] = {LHS_LockNotHeld, LHS_SharedLockHeld};

	(void)state;
	for (size_t i = 0; i < RTL_NUMBER_OF(held); i++) {
		LONG calls = recorder.count[REC_FINALIZE_V_NET_ROOT];
		PV_NET_ROOT another;

		fixture_lock();
		another = another_view();
		RxReferenceVNetRoot(another);
		RxDereference(another, held[i]);
		/* the table is locked: the scavenger cannot have been here yet */
		CHECK(nt_pool_is_live(another) && another->NodeReferenceCount == 1);
		CHECK(!IsListEmpty(&another->ScavengerFinalizationList));
		CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], calls);
		fixture_unlock();
		CHECK(recorder_wait_for(REC_FINALIZE_V_NET_ROOT, calls + 1));
		fixture_lock(); /* the scavenger holds it until it is done with the view */
		CHECK(!nt_pool_is_live(another));
		fixture_unlock();
	}
}

/* With the locks met the last reference finalizes at once: a share, a view, an open, a file object. */
static void test_B_Locking_rules_07_at_once_with_the_locks(void **state)
{
	FIXTURE_NAME(name, u"\\server\\brief");
	PSRV_OPEN second = RxCreateSrvOpen(vnr, fcb);
	PFOBX first = (PFOBX)RxCreateNetFobx(rxc, &second->Mrx), allocated;
	PNET_ROOT brief;

	(void)state;
	allocated = (PFOBX)RxCreateNetFobx(rxc, &second->Mrx);
	rxc->pFobx = NULL;
	second->Condition = Condition_Good;
	RxDereferenceNetFobx(allocated, LHS_ExclusiveLockHeld);
	CHECK(!nt_pool_is_live(allocated));
	RxDereferenceNetFobx(first, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(second, LHS_ExclusiveLockHeld);
	CHECK(!nt_pool_is_live(second));

	fixture_lock();
	brief = RxCreateNetRoot(sc, &name, 0, NULL);
	RxReferenceNetRoot(brief);
	RxDereferenceNetRoot(brief, LHS_ExclusiveLockHeld);
	CHECK(!nt_pool_is_live(brief));
	fixture_unlock();
}

/* ---- who is counted where ---- */

/* A record is made with one reference, the creator's or its table's; an FCB with both. */
static void test_B_Object_hierarchy_01_created_with_one(void **state)
{
	FIXTURE_NAME(server, u"\\fresh");
	FIXTURE_NAME(share, u"\\fresh\\share");
	FIXTURE_NAME(file, u"\\fresh");
	UNICODE_STRING none = {0};
	PSRV_CALL new_sc;
	PNET_ROOT new_nr;
	PV_NET_ROOT new_vnr;
	PSRV_OPEN new_so;
	PFOBX new_fobx;
	PFCB new_fcb;

	(void)state;
	fixture_lock();
	new_sc = RxCreateSrvCall(rxc, &server, NULL, NULL);
	CHECK_EQUAL(new_sc->NodeReferenceCount, 1);
	new_nr = RxCreateNetRoot(new_sc, &share, 0, NULL);
	CHECK_EQUAL(new_nr->NodeReferenceCount, 1);
	new_vnr = RxCreateVNetRoot(rxc, new_nr, &share, &none, NULL, NULL);
	CHECK_EQUAL(new_vnr->NodeReferenceCount, 1);
	CHECK(RxFinalizeVNetRoot(new_vnr, TRUE, FALSE));
	fixture_unlock();
	new_fcb = fixture_fcb(rxc, vnr, &file);
	CHECK_EQUAL(new_fcb->NodeReferenceCount, 2);
	new_so = RxCreateSrvOpen(vnr, new_fcb);
	CHECK_EQUAL(new_so->NodeReferenceCount, 1);
	new_fobx = (PFOBX)RxCreateNetFobx(rxc, &new_so->Mrx);
	CHECK_EQUAL(new_fobx->NodeReferenceCount, 1);
	rxc->pFobx = NULL;
	new_so->Condition = Condition_Good;
	RxDereferenceNetFobx(new_fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(new_so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, new_fcb));
}

/* A lookup that finds is one more, one that does not is none. */
static void test_B_Object_hierarchy_02_lookups_count(void **state)
{
	FIXTURE_NAME(path, u"\\server\\share\\f");
	FIXTURE_NAME(nowhere, u"\\nowhere\\share");
	FIXTURE_NAME(file, u"\\f");
	FIXTURE_NAME(missing, u"\\g");
	ULONG of_view = vnr->NodeReferenceCount, of_file = fcb->NodeReferenceCount;
	UNICODE_STRING rest;

	(void)state;
	fixture_lock();
	CHECK(RxPrefixTableLookupName(recorder_device->pRxNetNameTable, &path, &rest, NULL) == vnr);
	CHECK_EQUAL(vnr->NodeReferenceCount, of_view + 1);
	CHECK(RxPrefixTableLookupName(recorder_device->pRxNetNameTable, &nowhere, &rest, NULL) == NULL);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(vnr->NodeReferenceCount, of_view);
	fixture_unlock();

	RxReleaseFcb(rxc, fcb);
	CHECK(RxAcquireFcbTableLockShared(&nr->FcbTable, TRUE));
	CHECK(RxFcbTableLookupFcb(&nr->FcbTable, &file) == fcb);
	CHECK_EQUAL(fcb->NodeReferenceCount, of_file + 1);
	CHECK(RxFcbTableLookupFcb(&nr->FcbTable, &missing) == NULL);
	CHECK_EQUAL(RxDereferenceNetFcb(fcb), of_file);
	RxReleaseFcbTableLock(&nr->FcbTable);
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
}

/* The table and each share: two shares, three. */
static void test_B_Object_hierarchy_03_server_counts_its_shares(void **state)
{
	FIXTURE_NAME(second, u"\\server\\second");
	PNET_ROOT another;

	(void)state;
	fixture_lock();
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
	another = RxCreateNetRoot(sc, &second, 0, NULL);
	CHECK_EQUAL(sc->NodeReferenceCount, 3);
	CHECK(RxFinalizeNetRoot(another, TRUE, FALSE));
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
	fixture_unlock();
}

/* The table, each view, each file. */
static void test_B_Object_hierarchy_04_share_counts_files_and_views(void **state)
{
	FIXTURE_NAME(file, u"\\one more");
	ULONG before = nr->NodeReferenceCount;
	PV_NET_ROOT another;
	PFCB more;

	(void)state;
	CHECK_EQUAL(before, 3);
	more = fixture_fcb(rxc, vnr, &file);
	CHECK_EQUAL(nr->NodeReferenceCount, before + 1);
	fixture_lock();
	another = another_view();
	CHECK_EQUAL(nr->NodeReferenceCount, before + 2);
	CHECK(RxFinalizeVNetRoot(another, TRUE, FALSE));
	fixture_unlock();
	CHECK_EQUAL(nr->NodeReferenceCount, before + 1);
	CHECK(fixture_fcb_end(rxc, more));
	CHECK_EQUAL(nr->NodeReferenceCount, before);
}

/* Each open holds its view and its file; each file object its open. */
static void test_B_Object_hierarchy_05_view_counts_opens(void **state)
{
	ULONG before = vnr->NodeReferenceCount;
	PSRV_OPEN second = RxCreateSrvOpen(vnr, fcb);

	(void)state;
	CHECK_EQUAL(vnr->NodeReferenceCount, before + 1);
	second->Condition = Condition_Good;
	RxDereferenceSrvOpen(second, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(vnr->NodeReferenceCount, before);
}

static void test_B_Object_hierarchy_06_file_counts_opens(void **state)
{
	ULONG before = fcb->NodeReferenceCount;
	PSRV_OPEN second = RxCreateSrvOpen(vnr, fcb);

	(void)state;
	CHECK_EQUAL(fcb->NodeReferenceCount, before + 1);
	second->Condition = Condition_Good;
	RxDereferenceSrvOpen(second, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(fcb->NodeReferenceCount, before);
}

static void test_B_Object_hierarchy_07_open_counts_file_objects(void **state)
{
	ULONG before = so->NodeReferenceCount;
	PFOBX second = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);

	(void)state;
	rxc->pFobx = NULL;
	CHECK_EQUAL(so->NodeReferenceCount, before + 1);
	RxDereferenceNetFobx(second, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(so->NodeReferenceCount, before);
}

/* Nothing below it counts: what a file object has is its creator's, and what others take for a while. */
static void test_B_Object_hierarchy_08_file_object_counts_users_only(void **state)
{
	(void)state;
	CHECK_EQUAL(fobx->NodeReferenceCount, 1);
	RxReferenceNetFobx(fobx);
	CHECK_EQUAL(fobx->NodeReferenceCount, 2);
	RxDereferenceNetFobx(fobx, LHS_LockNotHeld);
	CHECK_EQUAL(fobx->NodeReferenceCount, 1);
}

/* With one object of each kind open, none above the file object lets itself be finalized, recursively or not. */
static void test_B_Object_hierarchy_09_children_first(void **state)
{
	(void)state;
	/* what the creators hold is given up: the children alone are left */
	so->NodeReferenceCount--;
	CHECK(!RxFinalizeSrvOpen(so, FALSE, FALSE));
	CHECK(!RxFinalizeSrvOpen(so, TRUE, FALSE));
	so->NodeReferenceCount++;
	RxReleaseFcb(rxc, fcb);
	CHECK(RxAcquireFcbTableLockExclusive(&nr->FcbTable, TRUE));
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	fcb->NodeReferenceCount--;
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, FALSE, 0));
	CHECK(!RxFinalizeNetFcb(fcb, TRUE, FALSE, 0));
	fcb->NodeReferenceCount++;
	RxReleaseFcbTableLock(&nr->FcbTable);

	RxReleaseFcb(rxc, fcb);
	fixture_lock();
	vnr->NodeReferenceCount--;
	CHECK(!RxFinalizeVNetRoot(vnr, TRUE, FALSE));
	vnr->NodeReferenceCount++;
	CHECK(!RxFinalizeNetRoot(nr, TRUE, FALSE));
	CHECK(!RxFinalizeSrvCall(sc, FALSE));
	fixture_unlock();
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	CHECK(NodeType(fobx) == RDBSS_NTC_FOBX && !so->UpperFinalizationDone && !fcb->UpperFinalizationDone);
	fixture_check_objects();
}

/* Who holds a file may touch what is above it, though nobody else wants it any more, and its view was taken away. */
static void test_B_Object_hierarchy_10_a_file_holds_what_is_above(void **state)
{
	FIXTURE_NAME(name, u"\\kept\\share");
	FIXTURE_NAME(file, u"\\f");
	NTSTATUS status;
	PV_NET_ROOT view = fixture_connect(&name, &status);
	PFCB kept = fixture_fcb(rxc, view, &file);
	PNET_ROOT share = (PNET_ROOT)kept->pNetRoot;
	PSRV_CALL server = (PSRV_CALL)share->pSrvCall;
	PSRV_OPEN open = RxCreateSrvOpen(view, kept);

	(void)state;
	open->Condition = Condition_Good;
	RxReleaseFcb(rxc, kept);
	fixture_lock();
	CHECK(RxFinalizeVNetRoot(view, TRUE, TRUE));
	RxDereferenceVNetRoot(view, LHS_ExclusiveLockHeld);
	fixture_unlock();
	RxScavengeAllFobxs(recorder_device);
	CHECK(nt_pool_is_live(share) && nt_pool_is_live(server) && nt_pool_is_live(open->pVNetRoot));
	CHECK(kept->pNetRoot == &share->Mrx && share->pSrvCall == (PMRX_SRV_CALL)server);
	CHECK(NodeType(share) == RDBSS_NTC_NETROOT && NodeType(server) == RDBSS_NTC_SRVCALL);

	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, kept), STATUS_SUCCESS);
	RxDereferenceSrvOpen(open, LHS_ExclusiveLockHeld);
	CHECK(nt_pool_is_live(share) && nt_pool_is_live(server));
	CHECK(fixture_fcb_end(rxc, kept));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxReference_01_adds_one),
		cmocka_unit_test(test_B_RxDereference_01_takes_one),
		cmocka_unit_test(test_B_RxDereference_04_finalized_at_once),
		cmocka_unit_test(test_B_Locking_rules_07_at_once_with_the_locks),
		cmocka_unit_test(test_B_Locking_rules_08_marked_without_the_lock),
		cmocka_unit_test(test_B_Object_hierarchy_01_created_with_one),
		cmocka_unit_test(test_B_Object_hierarchy_02_lookups_count),
		cmocka_unit_test(test_B_Object_hierarchy_03_server_counts_its_shares),
		cmocka_unit_test(test_B_Object_hierarchy_04_share_counts_files_and_views),
		cmocka_unit_test(test_B_Object_hierarchy_05_view_counts_opens),
		cmocka_unit_test(test_B_Object_hierarchy_06_file_counts_opens),
		cmocka_unit_test(test_B_Object_hierarchy_07_open_counts_file_objects),
		cmocka_unit_test(test_B_Object_hierarchy_08_file_object_counts_users_only),
		cmocka_unit_test(test_B_Object_hierarchy_09_children_first),
		cmocka_unit_test(test_B_Object_hierarchy_10_a_file_holds_what_is_above),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
