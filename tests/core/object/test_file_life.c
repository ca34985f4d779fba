/*
 * test_file_life.c - FCB, SRV_OPEN and FOBX: creation without memory, and what each stage of finalization asks of the count,
 * tells the driver, and leaves behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/object/object.h"
#include "nt_exec.h"

static PV_NET_ROOT vnr;
static PRX_FCB_TABLE table;
static PRX_CONTEXT rxc;

/* What a call-down found, and what it answers. */
static struct {
	PVOID instance;
	bool live, locked, detaching;
	LONG calls;
	NTSTATUS answer;
} fobx_seen, fcb_seen, closed_seen;

static NTSTATUS NTAPI watch_fobx(PMRX_FOBX fobx)
{
	fobx_seen.instance = fobx;
	fobx_seen.live = nt_pool_is_live(fobx) || NodeType(fobx) == RDBSS_NTC_FOBX;
	fobx_seen.locked = RxIsFcbAcquiredExclusive((PFCB)fobx->pSrvOpen->pFcb);
	fobx_seen.calls++;
	return fobx_seen.answer;
}

static NTSTATUS NTAPI watch_fcb(PMRX_FCB fcb)
{
	fcb_seen.instance = fcb;
	fcb_seen.live = nt_pool_is_live(fcb);
	fcb_seen.locked = RxIsFcbTableLockExclusive(table) && RxIsFcbAcquiredExclusive((PFCB)fcb);
	fcb_seen.calls++;
	return fcb_seen.answer;
}

static NTSTATUS NTAPI watch_force_closed(PMRX_SRV_OPEN so)
{
	closed_seen.instance = so;
	closed_seen.locked = RxIsFcbAcquiredExclusive((PFCB)so->pFcb);
	closed_seen.detaching =
		((PSRV_OPEN)so)->UpperFinalizationDone && !IsListEmpty(&((PFCB)so->pFcb)->SrvOpenList);
	closed_seen.calls++;
	return closed_seen.answer;
}

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;

	(void)fixture_begin(state);
	recorder_dispatch.MRxDeallocateForFobx = watch_fobx;
	recorder_dispatch.MRxDeallocateForFcb = watch_fcb;
	recorder_dispatch.MRxForceClosed = watch_force_closed;
	vnr = fixture_connect(&name, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	table = &((PNET_ROOT)vnr->pNetRoot)->FcbTable;
	rxc = fixture_context();
	return 0;
}

static int end(void **state)
{
	fixture_context_end(rxc);
	fixture_disconnect(vnr);
	return fixture_end(state);
}

static int each_begin(void **state)
{
	(void)state;
	memset(&fobx_seen, 0, sizeof(fobx_seen));
	memset(&fcb_seen, 0, sizeof(fcb_seen));
	memset(&closed_seen, 0, sizeof(closed_seen));
	return 0;
}

/* Nothing is left of the test's files. */
static int each_end(void **state)
{
	(void)state;
	rxc->pFobx = NULL;
	CHECK(recorder_device->NumberOfActiveFcbs == 0 && table->NumberOfEntries == 0);
	CHECK(vnr->NumberOfFobxs == 0 && vnr->NodeReferenceCount == 2);
	return 0;
}

static PSRV_OPEN make_open(PFCB fcb)
{
	PSRV_OPEN so = RxCreateSrvOpen(vnr, fcb);

	CHECK(so != NULL);
	so->Condition = Condition_Good;
	return so;
}

static PFOBX make_fobx(PSRV_OPEN so)
{
	PFOBX fobx = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);

	CHECK(fobx != NULL);
	return fobx;
}

/* The FCB is held exclusive; adds its table, in the documented order. */
static void lock_table_too(PFCB fcb)
{
	RxReleaseFcb(rxc, fcb);
	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
}

/* ---- creation ---- */

/* Without memory, for each allocation, and with a name that is too long: NULL, no entry, no byte. */
static void test_B_RxCreateNetFcb_07_failure(void **state)
{
	FIXTURE_NAME(name, u"\\poor");
	UNICODE_STRING longest = {.Length = MAXUSHORT - 1, .MaximumLength = MAXUSHORT - 1};
	UNICODE_STRING prefix = name;
	bool fired = true;
	long n;

	(void)state;
	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	for (n = 0; fired; n++) {
		unsigned long bytes = nt_pool_bytes();
		ULONG references = vnr->pNetRoot->NodeReferenceCount;
		PFCB fcb;

		nt_fault_arm(n);
		fcb = RxCreateNetFcb(rxc, NULL, vnr, &name);
		fired = nt_fault_disarm();
		CHECK((fcb == NULL) == fired);
		if (fcb == NULL) {
			CHECK_EQUAL(table->NumberOfEntries, 0);
			CHECK_EQUAL(vnr->pNetRoot->NodeReferenceCount, references);
			CHECK_EQUAL(nt_pool_bytes(), bytes);
			continue;
		}
		CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
		CHECK(fixture_fcb_end(rxc, fcb));
	}
	CHECK(n > 1);

	longest.Buffer = ExAllocatePoolWithTag(PagedPool, longest.Length, 'tset');
	CHECK(longest.Buffer != NULL);
	RtlFillMemory(longest.Buffer, longest.Length, 'a');
	vnr->NamePrefix = prefix;
	CHECK(RxCreateNetFcb(rxc, NULL, vnr, &longest) == NULL);
	RtlZeroMemory(&vnr->NamePrefix, sizeof(vnr->NamePrefix));
	CHECK_EQUAL(table->NumberOfEntries, 0);
	ExFreePoolWithTag(longest.Buffer, 'tset');
	RxReleaseFcbTableLock(table);
}

/* The second open needs memory; without it NULL, and file and view are referenced as before. */
static void test_B_RxCreateSrvOpen_05_failure(void **state)
{
	FIXTURE_NAME(name, u"\\poor");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN first = make_open(fcb);
	ULONG references = fcb->NodeReferenceCount, of_view = vnr->NodeReferenceCount;

	(void)state;
	nt_fault_arm(0);
	CHECK(RxCreateSrvOpen(vnr, fcb) == NULL);
	CHECK(nt_fault_disarm());
	CHECK(fcb->NodeReferenceCount == references && vnr->NodeReferenceCount == of_view);
	CHECK(fcb->SrvOpenList.Flink == &first->SrvOpenQLinks &&
	      fcb->SrvOpenList.Blink == &first->SrvOpenQLinks);
	RxDereferenceSrvOpen(first, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* When both embedded ones are taken it needs memory; without it NULL, and the open is as before. */
static void test_B_RxCreateNetFobx_13_failure(void **state)
{
	FIXTURE_NAME(name, u"\\poor");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);
	PFOBX fobx = make_fobx(so);
	ULONG references = so->NodeReferenceCount;

	(void)state;
	nt_fault_arm(0);
	CHECK(RxCreateNetFobx(rxc, &so->Mrx) == NULL);
	CHECK(nt_fault_disarm());
	CHECK(so->NodeReferenceCount == references && vnr->NumberOfFobxs == 1);
	CHECK(so->FobxList.Flink == &fobx->FobxQLinks && so->FobxList.Blink == &fobx->FobxQLinks);
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* ---- FOBX ---- */

/* Forced, at count 2: TRUE and the driver is told, once; the memory waits for the holders. */
static void test_B_RxFinalizeNetFobx_03_forced(void **state)
{
	FIXTURE_NAME(name, u"\\forced");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);
	PFOBX embedded = make_fobx(so), fobx = make_fobx(so);

	(void)state;
	RxReferenceNetFobx(fobx);
	CHECK(!RxFinalizeNetFobx(fobx, FALSE, FALSE));
	CHECK_EQUAL(fobx_seen.calls, 0);
	CHECK(RxFinalizeNetFobx(fobx, FALSE, TRUE));
	CHECK(fobx_seen.calls == 1 && fobx_seen.instance == fobx && fobx_seen.live && fobx_seen.locked);
	CHECK(fobx->UpperFinalizationDone && so->FobxList.Blink == &embedded->FobxQLinks);
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	CHECK(nt_pool_is_live(fobx));
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	CHECK(!nt_pool_is_live(fobx) && fobx_seen.calls == 1);
	RxDereferenceNetFobx(embedded, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* In use it is refused, unused it is done, alone; with RecursiveFinalize and without. */
static void test_B_RxFinalizeNetFobx_05_recursive_has_no_effect(void **state)
{
	FIXTURE_NAME(name, u"\\recursive");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);
	PFOBX other = make_fobx(so);

	(void)state;
	for (BOOLEAN recursive = FALSE; recursive <= TRUE; recursive++) {
		PFOBX fobx = make_fobx(so);
		LONG calls = fobx_seen.calls;

		CHECK(!RxFinalizeNetFobx(fobx, recursive, FALSE));
		CHECK_EQUAL(fobx_seen.calls, calls);
		fobx->NodeReferenceCount = 0;
		CHECK(RxFinalizeNetFobx(fobx, recursive, FALSE));
		CHECK(fobx_seen.calls == calls + 1 && !nt_pool_is_live(fobx));
		CHECK(so->NodeReferenceCount == 2 && so->FobxList.Flink == &other->FobxQLinks);
	}
	RxDereferenceNetFobx(other, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* A driver that fails stops nothing. */
static void test_B_MRxDeallocateForFobx_02_status_is_ignored(void **state)
{
	FIXTURE_NAME(name, u"\\ignored");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);
	PFOBX embedded = make_fobx(so), fobx = make_fobx(so);

	(void)state;
	fobx_seen.answer = STATUS_UNSUCCESSFUL;
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	CHECK(fobx_seen.calls == 1 && !nt_pool_is_live(fobx));
	CHECK(so->NodeReferenceCount == 2 && vnr->NumberOfFobxs == 1);
	RxDereferenceNetFobx(embedded, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* ---- SRV_OPEN ---- */

/* E-02: unforced at count 0 only. */
static void test_B_RxFinalizeSrvOpen_02_at_zero(void **state)
{
	FIXTURE_NAME(name, u"\\zero");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);

	(void)state;
	RxReferenceSrvOpen(so);
	for (; so->NodeReferenceCount > 0; so->NodeReferenceCount--) {
		CHECK(!RxFinalizeSrvOpen(so, FALSE, FALSE));
		CHECK(!so->UpperFinalizationDone && fcb->SrvOpenList.Flink == &so->SrvOpenQLinks);
	}
	CHECK(RxFinalizeSrvOpen(so, FALSE, FALSE));
	CHECK(IsListEmpty(&fcb->SrvOpenList));
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* E-02: the dereference that takes the count to its last value, 0 for a SRV_OPEN, finalizes it. */
static void test_B_RxFinalizeSrvOpen_03_by_dereference(void **state)
{
	FIXTURE_NAME(name, u"\\last");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);

	(void)state;
	RxReferenceSrvOpen(so);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(!so->UpperFinalizationDone && fcb->SrvOpenList.Flink == &so->SrvOpenQLinks);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(IsListEmpty(&fcb->SrvOpenList) && vnr->pNetRoot->NumberOfSrvOpens == 0);
	CHECK(fixture_fcb_end(rxc, fcb));
}

static LONG force_closed_calls(RX_BLOCK_CONDITION condition, ULONG flags, ULONG fcb_state)
{
	FIXTURE_NAME(name, u"\\force");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);
	LONG before = closed_seen.calls;

	so->Condition = condition;
	so->Flags |= flags;
	fcb->FcbState |= fcb_state;
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(IsListEmpty(&fcb->SrvOpenList));
	fcb->FcbState &= ~fcb_state;
	CHECK(fixture_fcb_end(rxc, fcb));
	return closed_seen.calls - before;
}

/* E-03: for a file that is no orphan, when the open is not good or marked closed; never for an orphan. */
static void test_B_RxFinalizeSrvOpen_06_07_orphans_are_not_force_closed(void **state)
{
	(void)state;
	CHECK_EQUAL(force_closed_calls(Condition_Bad, 0, 0), 1);
	CHECK_EQUAL(force_closed_calls(Condition_Good, SRVOPEN_FLAG_CLOSED, 0), 1);
	CHECK_EQUAL(force_closed_calls(Condition_Good, 0, 0), 0);
	CHECK_EQUAL(force_closed_calls(Condition_Bad, 0, FCB_STATE_ORPHANED), 0);
	CHECK_EQUAL(force_closed_calls(Condition_Good, SRVOPEN_FLAG_CLOSED, FCB_STATE_ORPHANED), 0);
}

/* From inside the finalization: the FCB is held, the record is still on its file's list. */
static void test_B_MRxForceClosed_01_while_finalizing(void **state)
{
	FIXTURE_NAME(name, u"\\bad");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);

	(void)state;
	so->Condition = Condition_Bad;
	CHECK(!RxFinalizeSrvOpen(so, FALSE, FALSE));
	CHECK_EQUAL(closed_seen.calls, 0);
	so->NodeReferenceCount = 0;
	CHECK(RxFinalizeSrvOpen(so, FALSE, FALSE));
	CHECK(closed_seen.calls == 1 && closed_seen.instance == so && closed_seen.locked &&
	      closed_seen.detaching);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* A driver that has no forced close does not keep the open alive. */
static void test_B_MRxForceClosed_03_not_implemented(void **state)
{
	FIXTURE_NAME(name, u"\\bad");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN embedded = make_open(fcb), so = make_open(fcb);

	(void)state;
	closed_seen.answer = STATUS_NOT_IMPLEMENTED;
	so->Condition = Condition_Bad;
	so->NodeReferenceCount = 0;
	CHECK(RxFinalizeSrvOpen(so, FALSE, FALSE));
	CHECK(closed_seen.calls == 1 && !nt_pool_is_live(so));
	RxDereferenceSrvOpen(embedded, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* The memory of an allocated one goes; that of the embedded one stays with the FCB and is free for the next open. */
static void test_B_RxFinalizeSrvOpen_08_memory(void **state)
{
	FIXTURE_NAME(name, u"\\memory");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	unsigned long without = nt_pool_bytes();
	PSRV_OPEN embedded = make_open(fcb), so = make_open(fcb);

	(void)state;
	CHECK(nt_pool_is_live(so) && nt_pool_bytes() > without);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(!nt_pool_is_live(so) && nt_pool_bytes() == without);
	RxDereferenceSrvOpen(embedded, LHS_ExclusiveLockHeld);
	CHECK(nt_pool_is_live(fcb) && nt_pool_bytes() == without);
	CHECK(!(fcb->FcbState & FCB_STATE_SRVOPEN_USED));
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* ---- FCB ---- */

/* Unforced, at count 1 only: at 2 nothing changes, and the name is still found. */
static void test_B_RxFinalizeNetFcb_03_at_one(void **state)
{
	FIXTURE_NAME(name, u"\\one");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);

	(void)state;
	lock_table_too(fcb);
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, FALSE, 2));
	CHECK(!fcb->UpperFinalizationDone && fcb->NodeReferenceCount == 2);
	CHECK_EQUAL(table->NumberOfEntries, 1);
	CHECK_EQUAL(RxDereferenceNetFcb(fcb), 1);
	CHECK(RxFinalizeNetFcb(fcb, FALSE, FALSE, 1));
	CHECK(!nt_pool_is_live(fcb) && table->NumberOfEntries == 0);
	RxReleaseFcbTableLock(table);
	(void)InterlockedDecrement(&rxc->AcquireReleaseFcbTrackerX); /* the lock went with the FCB */
}

/* Recursive: when its opens are gone the table's reference may be left and no other; with another it stays. */
static void test_B_RxFinalizeNetFcb_04_recursive_leaves_one(void **state)
{
	FIXTURE_NAME(name, u"\\recursive");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = make_open(fcb);

	(void)state;
	lock_table_too(fcb);
	so->NodeReferenceCount = 0;
	CHECK_EQUAL(fcb->NodeReferenceCount, 3);
	CHECK(!RxFinalizeNetFcb(fcb, TRUE, FALSE, 0)); /* the open goes; the test's own reference is left */
	CHECK(IsListEmpty(&fcb->SrvOpenList) && fcb->NodeReferenceCount == 2 && !fcb->UpperFinalizationDone);

	so = make_open(fcb);
	so->NodeReferenceCount = 0;
	CHECK_EQUAL(RxDereferenceNetFcb(fcb), 2);
	CHECK(RxFinalizeNetFcb(fcb, TRUE, FALSE, 0));
	CHECK(!nt_pool_is_live(fcb) && table->NumberOfEntries == 0);
	RxReleaseFcbTableLock(table);
	(void)InterlockedDecrement(&rxc->AcquireReleaseFcbTrackerX);
}

/* The memory goes at count 0, after the driver was told under both locks; not while a detached file has a user. */
static void test_B_RxFinalizeNetFcb_06_memory_at_zero(void **state)
{
	FIXTURE_NAME(name, u"\\zero");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);

	(void)state;
	fcb_seen.answer = STATUS_UNSUCCESSFUL; /* nobody heeds it */
	lock_table_too(fcb);
	rx_fcb_forget_name_locked(fcb); /* stage one while one reference is out */
	CHECK(fcb->UpperFinalizationDone && fcb->NodeReferenceCount == 1);
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, FALSE, 0));
	CHECK(nt_pool_is_live(fcb) && fcb_seen.calls == 0);
	CHECK_EQUAL(RxDereferenceNetFcb(fcb), 0);
	CHECK(nt_pool_is_live(fcb)); /* a dereference alone frees nothing */
	CHECK(RxFinalizeNetFcb(fcb, FALSE, FALSE, 0));
	CHECK(fcb_seen.calls == 1 && fcb_seen.instance == fcb && fcb_seen.live && fcb_seen.locked);
	CHECK(!nt_pool_is_live(fcb));
	RxReleaseFcbTableLock(table);
	(void)InterlockedDecrement(&rxc->AcquireReleaseFcbTrackerX);
}

static void test_B_RxpReferenceNetFcb_01_count_afterwards(void **state)
{
	FIXTURE_NAME(name, u"\\count");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);

	(void)state;
	CHECK_EQUAL(fcb->NodeReferenceCount, 2);
	CHECK_EQUAL(RxpReferenceNetFcb(fcb), 3);
	CHECK_EQUAL(RxpReferenceNetFcb(fcb), 4);
	CHECK_EQUAL(fcb->NodeReferenceCount, 4);
	CHECK_EQUAL(RxpDereferenceNetFcb(fcb), 3);
	CHECK_EQUAL(RxpDereferenceNetFcb(fcb), 2);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* TRUE for the caller whose reference was the last, and only then is the file gone. */
static void test_B_RxpDereferenceAndFinalizeNetFcb_01_true_when_gone(void **state)
{
	FIXTURE_NAME(name, u"\\answer");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);

	(void)state;
	(void)RxReferenceNetFcb(fcb);
	CHECK(!RxpDereferenceAndFinalizeNetFcb(fcb, rxc, FALSE, FALSE));
	CHECK(nt_pool_is_live(fcb) && fcb->NodeReferenceCount == 2 && RxIsFcbAcquiredExclusive(fcb));
	CHECK_EQUAL(fcb_seen.calls, 0);
	CHECK(RxpDereferenceAndFinalizeNetFcb(fcb, rxc, FALSE, FALSE));
	CHECK(!nt_pool_is_live(fcb) && fcb_seen.calls == 1);
	CHECK_EQUAL(rxc->AcquireReleaseFcbTrackerX, 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, each_begin, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_B_RxCreateNetFcb_07_failure),
		T(test_B_RxCreateSrvOpen_05_failure),
		T(test_B_RxCreateNetFobx_13_failure),
		T(test_B_RxFinalizeNetFobx_03_forced),
		T(test_B_RxFinalizeNetFobx_05_recursive_has_no_effect),
		T(test_B_MRxDeallocateForFobx_02_status_is_ignored),
		T(test_B_RxFinalizeSrvOpen_02_at_zero),
		T(test_B_RxFinalizeSrvOpen_03_by_dereference),
		T(test_B_RxFinalizeSrvOpen_06_07_orphans_are_not_force_closed),
		T(test_B_MRxForceClosed_01_while_finalizing),
		T(test_B_MRxForceClosed_03_not_implemented),
		T(test_B_RxFinalizeSrvOpen_08_memory),
		T(test_B_RxFinalizeNetFcb_03_at_one),
		T(test_B_RxFinalizeNetFcb_04_recursive_leaves_one),
		T(test_B_RxFinalizeNetFcb_06_memory_at_zero),
		T(test_B_RxpReferenceNetFcb_01_count_afterwards),
		T(test_B_RxpDereferenceAndFinalizeNetFcb_01_true_when_gone),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
