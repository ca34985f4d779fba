/*
 * test_contract.c - "needs the ... lock exclusive", "asserts on ...": each call without its lock, with the lock shared, and
 * with an object of the wrong kind stops the process; with the lock as it is asked for, it goes through.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"
#include "core/support/stops.h"

#include "core/name/name.h"
#include "core/object/object.h"
#include "nt_exec.h"

static PV_NET_ROOT vnr;
static PNET_ROOT nr;
static PSRV_CALL sc;
static PRX_CONTEXT rxc;
static PFCB fcb;
static PSRV_OPEN so;
static PFOBX fobx;

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	FIXTURE_NAME(file, u"\\f");
	NTSTATUS status;

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
	RxReleaseFcb(rxc, fcb);
	return 0;
}

static int end(void **state)
{
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	rxc->pFobx = NULL;
	CHECK(fixture_fcb_end(rxc, fcb));
	fixture_context_end(rxc);
	fixture_disconnect(vnr);
	return fixture_end(state);
}

/* ---- a call, and how its locks are held ---- */

enum hold { FREE, SHARED, EXCLUSIVE };

struct locks {
	enum hold names, table, file;
};

static struct {
	void (*fn)(void);
	struct locks held;
} call;

static void hold(PERESOURCE resource, enum hold how)
{
	if (how == SHARED)
		CHECK(ExAcquireResourceSharedLite(resource, TRUE));
	else if (how == EXCLUSIVE)
		CHECK(ExAcquireResourceExclusiveLite(resource, TRUE));
}

/* In the child, which keeps what it takes. */
static void call_with_locks(void)
{
	hold(&recorder_device->pRxNetNameTable->TableLock, call.held.names);
	hold(&nr->FcbTable.TableLock, call.held.table);
	hold(fcb->Header.Resource, call.held.file);
	call.fn();
}

static bool goes_through(void (*fn)(void), struct locks held)
{
	call.fn = fn;
	call.held = held;
	return runs_through(call_with_locks);
}

static bool is_stopped(void (*fn)(void), struct locks held, const char *check)
{
	call.fn = fn;
	call.held = held;
	return stops_with(call_with_locks, check);
}

#define NAMES_EXCLUSIVE "RxIsPrefixTableLockExclusive"
#define TABLE_EXCLUSIVE "RxIsFcbTableLockExclusive"
#define FILE_EXCLUSIVE "RxIsFcbAcquiredExclusive"

static void needs_names(void (*fn)(void))
{
	CHECK(is_stopped(fn, (struct locks){.names = FREE}, NAMES_EXCLUSIVE));
	CHECK(is_stopped(fn, (struct locks){.names = SHARED}, NAMES_EXCLUSIVE));
	CHECK(goes_through(fn, (struct locks){.names = EXCLUSIVE}));
}

static void needs_file(void (*fn)(void))
{
	CHECK(is_stopped(fn, (struct locks){.table = EXCLUSIVE}, FILE_EXCLUSIVE));
	CHECK(is_stopped(fn, (struct locks){.table = EXCLUSIVE, .file = SHARED}, FILE_EXCLUSIVE));
	CHECK(goes_through(fn, (struct locks){.table = EXCLUSIVE, .file = EXCLUSIVE}));
	CHECK(goes_through(fn, (struct locks){.table = SHARED, .file = EXCLUSIVE}));
}

static void needs_table(void (*fn)(void))
{
	CHECK(is_stopped(fn, (struct locks){.file = EXCLUSIVE}, TABLE_EXCLUSIVE));
	CHECK(is_stopped(fn, (struct locks){.table = SHARED, .file = EXCLUSIVE}, TABLE_EXCLUSIVE));
	CHECK(goes_through(fn, (struct locks){.table = EXCLUSIVE, .file = EXCLUSIVE}));
}

/* ---- the calls ---- */

static void create_srv_call(void)
{
	FIXTURE_NAME(name, u"\\another");

	CHECK(RxCreateSrvCall(rxc, &name, NULL, NULL) != NULL);
}

static void finalize_srv_call(void)
{
	CHECK(!RxFinalizeSrvCall(sc, FALSE)); /* in use */
}

static void create_net_root(void)
{
	FIXTURE_NAME(name, u"\\server\\another");

	CHECK(RxCreateNetRoot(sc, &name, 0, NULL) != NULL);
}

static void finalize_net_root(void)
{
	CHECK(!RxFinalizeNetRoot(nr, FALSE, FALSE));
}

static void create_view(void)
{
	FIXTURE_NAME(name, u"\\;Q:1\\server\\share");
	UNICODE_STRING device, unc;

	CHECK(rx_canonical_split_device(&name, &device, &unc));
	CHECK(RxCreateVNetRoot(rxc, nr, &name, &device, NULL, NULL) != NULL);
}

static void finalize_view(void)
{
	CHECK(!RxFinalizeVNetRoot(vnr, FALSE, FALSE));
}

static void look_up_name(void)
{
	FIXTURE_NAME(name, u"\\server\\share\\f");
	UNICODE_STRING rest;

	CHECK(RxPrefixTableLookupName(recorder_device->pRxNetNameTable, &name, &rest, NULL) == vnr);
	RxDereferenceVNetRoot(vnr, LHS_SharedLockHeld);
}

static void create_fcb(void)
{
	FIXTURE_NAME(name, u"\\another");

	CHECK(RxCreateNetFcb(rxc, NULL, vnr, &name) != NULL);
}

static void finalize_fcb(void)
{
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, FALSE, 0));
}

static void look_up_file(void)
{
	FIXTURE_NAME(name, u"\\f");

	CHECK(RxFcbTableLookupFcb(&nr->FcbTable, &name) == fcb);
	(void)RxDereferenceNetFcb(fcb);
}

static void create_srv_open(void)
{
	CHECK(RxCreateSrvOpen(vnr, fcb) != NULL);
}

static void finalize_srv_open(void)
{
	CHECK(!RxFinalizeSrvOpen(so, FALSE, FALSE));
}

static void create_fobx(void)
{
	CHECK(RxCreateNetFobx(rxc, &so->Mrx) != NULL);
}

static void finalize_fobx(void)
{
	CHECK(!RxFinalizeNetFobx(fobx, FALSE, FALSE));
}

/* ---- name table ---- */

static void test_B_RxCreateSrvCall_01_needs_the_name_table(void **state)
{
	(void)state;
	needs_names(create_srv_call);
}

static void test_B_RxFinalizeSrvCall_01_needs_the_name_table(void **state)
{
	(void)state;
	needs_names(finalize_srv_call);
}

static void test_B_RxCreateNetRoot_01_needs_the_name_table(void **state)
{
	(void)state;
	needs_names(create_net_root);
}

static void test_B_RxFinalizeNetRoot_01_needs_the_name_table(void **state)
{
	(void)state;
	needs_names(finalize_net_root);
}

static void test_B_RxCreateVNetRoot_01_needs_the_name_table(void **state)
{
	(void)state;
	needs_names(create_view);
}

static void force_finalize_views(void)
{
	RxForceFinalizeAllVNetRoots(nr);
}

static void test_B_RxForceFinalizeAllVNetRoots_01_needs_the_name_table(void **state)
{
	(void)state;
	needs_names(force_finalize_views);
}

static void test_B_RxFinalizeVNetRoot_01_needs_the_name_table(void **state)
{
	(void)state;
	needs_names(finalize_view);
}

/* The lock is asked for by all six, whatever the other locks are. */
static void test_B_Locking_rules_01_name_table_exclusive(void **state)
{
	static void (*const calls[])(void) = {create_srv_call,   create_net_root,   create_view,
					      finalize_srv_call, finalize_net_root, finalize_view};
	struct locks others = {.names = SHARED, .table = EXCLUSIVE, .file = EXCLUSIVE};

	(void)state;
	for (size_t i = 0; i < RTL_NUMBER_OF(calls); i++)
		CHECK(is_stopped(calls[i], others, NAMES_EXCLUSIVE));
}

/* A name is looked up under the table, shared or exclusive, and what was found is referenced and given up there. */
static void test_B_Locking_rules_02_name_table_shared(void **state)
{
	(void)state;
	CHECK(is_stopped(look_up_name, (struct locks){.table = EXCLUSIVE}, "RxIsPrefixTableLockAcquired"));
	CHECK(goes_through(look_up_name, (struct locks){.names = SHARED}));
	CHECK(goes_through(look_up_name, (struct locks){.names = EXCLUSIVE}));
}

/* ---- FCB table, FCB ---- */

static void test_B_RxCreateSrvOpen_01_needs_the_fcb(void **state)
{
	(void)state;
	needs_file(create_srv_open);
}

static void test_B_RxCreateNetFobx_01_needs_the_fcb(void **state)
{
	(void)state;
	needs_file(create_fobx);
}

static void test_B_RxFinalizeNetFobx_01_needs_the_fcb(void **state)
{
	(void)state;
	needs_file(finalize_fobx);
}

/* The FCB exclusive; the table shared or exclusive is welcome, what it guards on the page the FCB guards here (E-07). */
static void test_B_RxFinalizeSrvOpen_01_needs_the_fcb(void **state)
{
	(void)state;
	needs_file(finalize_srv_open);
}

/* Both locks, E-05. */
static void test_B_RxFinalizeNetFcb_01_needs_the_fcb_and_its_table(void **state)
{
	(void)state;
	needs_table(finalize_fcb);
	CHECK(is_stopped(finalize_fcb, (struct locks){.table = EXCLUSIVE}, FILE_EXCLUSIVE));
	CHECK(is_stopped(finalize_fcb, (struct locks){.table = EXCLUSIVE, .file = SHARED}, FILE_EXCLUSIVE));
}

/* E-07: an FCB comes and goes under its table; SRV_OPEN and FOBX under their FCB, which is one of the table's. */
static void test_B_Locking_rules_03_fcb_table_exclusive(void **state)
{
	static void (*const below[])(void) = {create_srv_open, create_fobx, finalize_srv_open, finalize_fobx};

	(void)state;
	needs_table(create_fcb);
	needs_table(finalize_fcb);
	for (size_t i = 0; i < RTL_NUMBER_OF(below); i++)
		CHECK(is_stopped(below[i], (struct locks){.names = EXCLUSIVE, .table = SHARED},
				 FILE_EXCLUSIVE));
}

/* A file is looked up under its share's table, shared or exclusive; the name table will not do. */
static void test_B_Locking_rules_04_fcb_table_shared(void **state)
{
	(void)state;
	CHECK(is_stopped(look_up_file, (struct locks){.names = EXCLUSIVE}, "RxIsFcbTableLockAcquired"));
	CHECK(goes_through(look_up_file, (struct locks){.table = SHARED}));
	CHECK(goes_through(look_up_file, (struct locks){.table = EXCLUSIVE}));
}

/* ---- objects of the wrong kind, counts below zero ---- */

static void reference_no_fcb(void)
{
	(void)RxpReferenceNetFcb((PFCB)sc);
}

static void dereference_no_fcb(void)
{
	(void)RxpDereferenceNetFcb((PFCB)nr);
}

static void dereference_fcb_below_zero(void)
{
	fcb->NodeReferenceCount = 1;
	CHECK_EQUAL(RxpDereferenceNetFcb(fcb), 0);
	(void)RxpDereferenceNetFcb(fcb);
}

static void dereference_an_fcb(void)
{
	RxDereference(fcb, LHS_LockNotHeld);
}

static void dereference_a_table(void)
{
	RxDereference(recorder_device->pRxNetNameTable, LHS_LockNotHeld);
}

static void reference_an_fcb(void)
{
	RxReference(fcb);
}

static void dereference_fobx_below_zero(void)
{
	fobx->NodeReferenceCount = 0;
	RxDereference(fobx, LHS_LockNotHeld);
}

static void test_B_RxpReferenceNetFcb_02_only_fcbs(void **state)
{
	(void)state;
	CHECK(stops_with(reference_no_fcb, "NodeTypeIsFcb"));
}

static void test_B_RxpDereferenceNetFcb_03_only_fcbs_above_zero(void **state)
{
	(void)state;
	CHECK(stops_with(dereference_no_fcb, "NodeTypeIsFcb"));
	CHECK(stops_with(dereference_fcb_below_zero, "it has no reference to give up"));
}

/* An FCB has routines of its own. */
static void test_B_RxReference_02_not_for_fcbs(void **state)
{
	(void)state;
	CHECK(stops_with(reference_an_fcb, "it is not counted here"));
}

static void test_B_RxDereference_02_03_other_kinds_and_below_zero(void **state)
{
	(void)state;
	CHECK(stops_with(dereference_an_fcb, "it is not counted here"));
	CHECK(stops_with(dereference_a_table, "it is not counted here"));
	CHECK(stops_with(dereference_fobx_below_zero, "it has no reference to give up"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxCreateSrvCall_01_needs_the_name_table),
		cmocka_unit_test(test_B_RxFinalizeSrvCall_01_needs_the_name_table),
		cmocka_unit_test(test_B_RxCreateNetRoot_01_needs_the_name_table),
		cmocka_unit_test(test_B_RxFinalizeNetRoot_01_needs_the_name_table),
		cmocka_unit_test(test_B_RxCreateVNetRoot_01_needs_the_name_table),
		cmocka_unit_test(test_B_RxForceFinalizeAllVNetRoots_01_needs_the_name_table),
		cmocka_unit_test(test_B_RxFinalizeVNetRoot_01_needs_the_name_table),
		cmocka_unit_test(test_B_Locking_rules_01_name_table_exclusive),
		cmocka_unit_test(test_B_Locking_rules_02_name_table_shared),
		cmocka_unit_test(test_B_RxCreateSrvOpen_01_needs_the_fcb),
		cmocka_unit_test(test_B_RxCreateNetFobx_01_needs_the_fcb),
		cmocka_unit_test(test_B_RxFinalizeNetFobx_01_needs_the_fcb),
		cmocka_unit_test(test_B_RxFinalizeSrvOpen_01_needs_the_fcb),
		cmocka_unit_test(test_B_RxFinalizeNetFcb_01_needs_the_fcb_and_its_table),
		cmocka_unit_test(test_B_Locking_rules_03_fcb_table_exclusive),
		cmocka_unit_test(test_B_Locking_rules_04_fcb_table_shared),
		cmocka_unit_test(test_B_RxpReferenceNetFcb_02_only_fcbs),
		cmocka_unit_test(test_B_RxpDereferenceNetFcb_03_only_fcbs_above_zero),
		cmocka_unit_test(test_B_RxReference_02_not_for_fcbs),
		cmocka_unit_test(test_B_RxDereference_02_03_other_kinds_and_below_zero),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
