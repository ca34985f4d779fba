/*
 * test_storage.c - which pool a file's records come from, and what RDBSS asserts of a forced finalization. Linked with
 * --wrap for the allocator and for RtlAssert, so that each call can be seen; with a debugger one goes on behind an assertion.
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

static struct {
	POOL_TYPE pool;
	LONG calls;
} allocation;
static struct {
	bool go_on;
	LONG calls;
	PCSTR text;
} assertion;

PVOID __real_ExAllocatePoolWithTag(POOL_TYPE pool, SIZE_T bytes, ULONG tag);
PVOID __wrap_ExAllocatePoolWithTag(POOL_TYPE pool, SIZE_T bytes, ULONG tag);
PVOID __wrap_ExAllocatePoolWithTag(POOL_TYPE pool, SIZE_T bytes, ULONG tag)
{
	allocation.pool = pool;
	allocation.calls++;
	return __real_ExAllocatePoolWithTag(pool, bytes, tag);
}

VOID __real_RtlAssert(PCSTR text, PCSTR file, ULONG line, PCSTR message);
VOID __wrap_RtlAssert(PCSTR text, PCSTR file, ULONG line, PCSTR message);
VOID __wrap_RtlAssert(PCSTR text, PCSTR file, ULONG line, PCSTR message)
{
	if (!assertion.go_on)
		__real_RtlAssert(text, file, line, message);
	assertion.calls++;
	assertion.text = text;
}

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;

	(void)fixture_begin(state);
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

/* The first allocation of a create with these flags of its stack location, and the FCB, held exclusive. */
static PFCB make_fcb(PCWSTR text, UCHAR flags, POOL_TYPE *pool)
{
	PIRP irp = IoAllocateIrp(1, FALSE);
	UNICODE_STRING name;
	PFCB fcb;

	CHECK(irp != NULL);
	IoSetNextIrpStackLocation(irp);
	IoGetCurrentIrpStackLocation(irp)->Flags = flags;
	RtlInitUnicodeString(&name, text);
	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	memset(&allocation, 0, sizeof(allocation));
	fcb = RxCreateNetFcb(rxc, irp, vnr, &name);
	CHECK(fcb != NULL && allocation.calls == 1);
	*pool = allocation.pool;
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	RxReleaseFcbTableLock(table);
	IoSkipCurrentIrpStackLocation(irp);
	IoFreeIrp(irp);
	return fcb;
}

/* The share's table has its buckets: from here an FCB is one allocation. */
static void warm_up(void)
{
	FIXTURE_NAME(name, u"\\warm");

	CHECK(fixture_fcb_end(rxc, fixture_fcb(rxc, vnr, &name)));
}

static void test_B_RxCreateNetFcb_04_paging_file_is_non_paged(void **state)
{
	POOL_TYPE pool;
	PFCB fcb;

	(void)state;
	warm_up();
	fcb = make_fcb(u"\\pagefile.sys", SL_OPEN_PAGING_FILE, &pool);
	CHECK_EQUAL(pool, NonPagedPool);
	CHECK(fcb->FcbState & FCB_STATE_PAGING_FILE);
	CHECK(fixture_fcb_end(rxc, fcb));
}

static void test_B_RxCreateNetFcb_05_other_files_are_paged(void **state)
{
	POOL_TYPE pool;
	PFCB fcb;

	(void)state;
	warm_up();
	fcb = make_fcb(u"\\file", 0, &pool);
	CHECK_EQUAL(pool, PagedPool);
	CHECK(!(fcb->FcbState & FCB_STATE_PAGING_FILE));
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* The second SRV_OPEN of a file, which is allocated, and the third FOBX: where from. */
static void second_records(UCHAR flags, POOL_TYPE *of_open, POOL_TYPE *of_fobx)
{
	PSRV_OPEN so[2];
	PFOBX fobx[3];
	POOL_TYPE pool;
	PFCB fcb;

	warm_up();
	fcb = make_fcb(u"\\records", flags, &pool);
	so[0] = RxCreateSrvOpen(vnr, fcb);
	allocation.calls = 0;
	so[1] = RxCreateSrvOpen(vnr, fcb);
	CHECK_EQUAL(allocation.calls, 1);
	*of_open = allocation.pool;
	for (int i = 0; i < 3; i++) {
		allocation.calls = 0;
		fobx[i] = (PFOBX)RxCreateNetFobx(rxc, &so[1]->Mrx);
		CHECK_EQUAL(allocation.calls, i == 2);
	}
	*of_fobx = allocation.pool;
	for (int i = 0; i < 3; i++)
		RxDereferenceNetFobx(fobx[i], LHS_ExclusiveLockHeld);
	rxc->pFobx = NULL;
	for (int i = 0; i < 2; i++) {
		so[i]->Condition = Condition_Good;
		RxDereferenceSrvOpen(so[i], LHS_ExclusiveLockHeld);
	}
	CHECK(fixture_fcb_end(rxc, fcb));
}

static void test_B_RxCreateSrvOpen_04_pool(void **state)
{
	POOL_TYPE of_open, of_fobx;

	(void)state;
	second_records(SL_OPEN_PAGING_FILE, &of_open, &of_fobx);
	CHECK_EQUAL(of_open, NonPagedPool);
	second_records(0, &of_open, &of_fobx);
	CHECK_EQUAL(of_open, PagedPool);
}

static void test_B_RxCreateNetFobx_04_pool(void **state)
{
	POOL_TYPE of_open, of_fobx;

	(void)state;
	second_records(SL_OPEN_PAGING_FILE, &of_open, &of_fobx);
	CHECK_EQUAL(of_fobx, NonPagedPool);
	second_records(0, &of_open, &of_fobx);
	CHECK_EQUAL(of_fobx, PagedPool);
}

static PFCB lock_both(PUNICODE_STRING name)
{
	PFCB fcb = fixture_fcb(rxc, vnr, name);

	RxReleaseFcb(rxc, fcb);
	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	memset(&assertion, 0, sizeof(assertion));
	assertion.go_on = true;
	return fcb;
}

/* Builds with assertions assert on force, and on nothing else. */
static void test_B_RxFinalizeNetFcb_07_force_asserts(void **state)
{
	FIXTURE_NAME(name, u"\\asserted");
	PFCB fcb = lock_both(&name);

	(void)state;
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, FALSE, 0));
	CHECK_EQUAL(assertion.calls, 0);
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, TRUE, 0));
#ifdef NDEBUG
	CHECK_EQUAL(assertion.calls, 0);
#else
	CHECK_EQUAL(assertion.calls, 1);
	CHECK(strstr(assertion.text, "ForceFinalize") != NULL);
#endif
	assertion.go_on = false;
	RxReleaseFcbTableLock(table);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* Behind the assertion: forced, up to the count it is allowed for, the name goes, the memory waits for the last user. */
static void test_B_RxFinalizeNetFcb_05_08_forced(void **state)
{
	FIXTURE_NAME(name, u"\\forced");
	PFCB fcb = lock_both(&name);

	(void)state;
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, TRUE, 1)); /* two references: force does not reach so far */
	CHECK(!fcb->UpperFinalizationDone);
	CHECK(!RxFinalizeNetFcb(fcb, FALSE, TRUE, 2));
	CHECK(fcb->UpperFinalizationDone && fcb->NodeReferenceCount == 1);
	CHECK(RxFcbTableLookupFcb(table, &name) == NULL);
	assertion.go_on = false;
	RxReleaseFcbTableLock(table);
	CHECK(fixture_fcb_end(rxc, fcb));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxCreateNetFcb_04_paging_file_is_non_paged),
		cmocka_unit_test(test_B_RxCreateNetFcb_05_other_files_are_paged),
		cmocka_unit_test(test_B_RxCreateSrvOpen_04_pool),
		cmocka_unit_test(test_B_RxCreateNetFobx_04_pool),
		cmocka_unit_test(test_B_RxFinalizeNetFcb_07_force_asserts),
		cmocka_unit_test(test_B_RxFinalizeNetFcb_05_08_forced),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
