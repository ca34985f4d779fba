/* test_srvcall.c - SRV_CALL: creation, counts, finalization in both processes. Rows B-RxCreateSrvCall, B-RxFinalizeSrvCall. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/object/object.h"
#include "nt_exec.h"

static PSRV_CALL make(PUNICODE_STRING name)
{
	PRX_CONTEXT rxc = fixture_context();
	PSRV_CALL sc = RxCreateSrvCall(rxc, name, NULL, NULL);

	fixture_context_end(rxc);
	return sc;
}

static PVOID look_up(PUNICODE_STRING name)
{
	UNICODE_STRING rest;
	PVOID found = RxPrefixTableLookupName(recorder_device->pRxNetNameTable, name, &rest, NULL);

	if (found != NULL)
		RxDereference(found, LHS_LockNotHeld);
	return found;
}

/* A new SRV_CALL is found by its name, has one reference, and takes its name but once. */
static void test_B_RxCreateSrvCall_02_found_by_name(void **state)
{
	FIXTURE_NAME(name, u"\\server");
	FIXTURE_NAME(other_case, u"\\SERVER");
	PSRV_CALL sc;

	(void)state;
	fixture_lock();
	sc = make(&name);
	CHECK(sc != NULL && sc->NodeReferenceCount == 1 && NodeType(sc) == RDBSS_NTC_SRVCALL);
	CHECK(((PMRX_SRV_CALL)sc)->pSrvCallName->Length == name.Length);
	CHECK(sc->Context != NULL); /* the recorder has RDBSS manage its extension */
	RxReferenceSrvCall(sc);     /* so that looking it up never ends it */
	CHECK(look_up(&other_case) == sc);
	CHECK(make(&name) == NULL);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK(look_up(&name) == NULL);
	fixture_unlock();
}

/* Without memory NULL is returned, the table is unchanged and nothing leaks; for each allocation. */
static void test_B_RxCreateSrvCall_03_allocation_failure(void **state)
{
	FIXTURE_NAME(name, u"\\poor");
	PRX_CONTEXT rxc = fixture_context();
	ULONG version = recorder_device->pRxNetNameTable->Version;
	unsigned long bytes = nt_pool_bytes();
	long n = 0;

	(void)state;
	fixture_lock();
	for (;;) {
		PSRV_CALL sc;
		bool fired;

		nt_fault_arm(n++);
		sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
		fired = nt_fault_disarm();
		if (!fired) {
			CHECK(sc != NULL);
			CHECK(RxFinalizeSrvCall(sc, FALSE));
			break;
		}
		CHECK(sc == NULL);
		CHECK_EQUAL(recorder_device->pRxNetNameTable->Version, version);
		CHECK_EQUAL(nt_pool_bytes(), bytes);
	}
	fixture_unlock();
	CHECK(n > 1);
	fixture_context_end(rxc);
}

/* At count 1 it is finalized: TRUE, one call-down, the name is free. */
static void test_B_RxFinalizeSrvCall_02_at_one(void **state)
{
	FIXTURE_NAME(name, u"\\s02");
	PSRV_CALL sc;

	(void)state;
	recorder_reset();
	fixture_lock();
	sc = make(&name);
	CHECK(RxFinalizeSrvCall(sc, FALSE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.force, FALSE);
	CHECK(look_up(&name) == NULL);
	fixture_unlock();
}

/* At count 2, without force: FALSE, nothing is torn down, MRxFinalizeSrvCall is not called. */
static void test_B_RxFinalizeSrvCall_03_in_use(void **state)
{
	FIXTURE_NAME(name, u"\\s03");
	PSRV_CALL sc;

	(void)state;
	recorder_reset();
	fixture_lock();
	sc = make(&name);
	RxReferenceSrvCall(sc);
	CHECK(!RxFinalizeSrvCall(sc, FALSE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 0);
	CHECK(look_up(&name) == sc);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	fixture_unlock();
}

/* With force it goes ahead at count 2: the call-down is told so, and the memory waits for the last user. */
static void test_B_RxFinalizeSrvCall_04_forced(void **state)
{
	FIXTURE_NAME(name, u"\\s04");
	PSRV_CALL sc, next;

	(void)state;
	recorder_reset();
	recorder.finalize_status = STATUS_UNSUCCESSFUL; /* B-MRxFinalizeSrvCall-05: ignored */
	fixture_lock();
	sc = make(&name);
	RxReferenceSrvCall(sc);
	CHECK(RxFinalizeSrvCall(sc, TRUE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.force, TRUE);
	CHECK_EQUAL(sc->NodeReferenceCount, 1);
	/* the name is free while the old record still lives */
	next = make(&name);
	CHECK(next != NULL && next != sc);
	CHECK(!RxFinalizeSrvCall(sc, TRUE));
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	CHECK(RxFinalizeSrvCall(next, FALSE));
	fixture_unlock();
}

/* A dereference that brings the count to 1 under the exclusive lock finalizes at once. */
static void test_B_RxFinalizeSrvCall_05_by_dereference(void **state)
{
	FIXTURE_NAME(name, u"\\s05");
	PSRV_CALL sc;

	(void)state;
	recorder_reset();
	fixture_lock();
	sc = make(&name);
	RxReferenceSrvCall(sc);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	fixture_unlock();
}

/* Without the lock it is marked, and the scavenger finalizes it: here, when all marks are run down. */
static void test_B_RxDereference_05_marked_for_the_scavenger(void **state)
{
	FIXTURE_NAME(name, u"\\s06");
	PSRV_CALL sc;

	(void)state;
	recorder_reset();
	fixture_lock();
	sc = make(&name);
	RxReferenceSrvCall(sc);
	fixture_unlock();
	RxDereferenceSrvCall(sc, LHS_LockNotHeld);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 0);
	CHECK_EQUAL(sc->NodeReferenceCount, 1);
	RxScavengeAllFobxs(recorder_device);
	/* a mark does not keep a revived record from being used: here nobody revived it */
	fixture_lock();
	if (recorder.count[REC_FINALIZE_SRV_CALL] == 0)
		CHECK(RxFinalizeSrvCall(sc, FALSE));
	fixture_unlock();
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
}

static void finalize_as_user(PSRV_CALL sc)
{
	struct nt_requester user = {.pid = 4711, .uid = 1000, .gid = 1000};

	nt_set_requester(&user);
	CHECK(PsGetCurrentProcess() != RxGetRDBSSProcess());
	CHECK(RxFinalizeSrvCall(sc, TRUE));
	nt_set_requester(NULL);
}

/*
 * E-01: outside the RDBSS process the call-down is posted: not made while the caller holds the table, made by a
 * worker in the RDBSS process later, exactly once; the name is free at once.
 */
static void test_B_MRxFinalizeSrvCall_03_posted_outside_the_rdbss_process(void **state)
{
	FIXTURE_NAME(name, u"\\s07");
	PSRV_CALL sc, next;

	(void)state;
	recorder_reset();
	fixture_lock();
	sc = make(&name);
	finalize_as_user(sc);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 0);
	CHECK(look_up(&name) == NULL);
	next = make(&name);
	CHECK(next != NULL);
	fixture_unlock();

	CHECK(recorder_wait_for(REC_FINALIZE_SRV_CALL, 1));
	CHECK(recorder.process == RxGetRDBSSProcess());
	CHECK_EQUAL(recorder.force, TRUE);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	fixture_lock();
	CHECK(RxFinalizeSrvCall(next, FALSE));
	fixture_unlock();
}

/* The other reading of E-01, by policy: posted inside the RDBSS process, direct outside. */
static void test_B_RxFinalizeSrvCall_07_08_the_other_policy(void **state)
{
	FIXTURE_NAME(name, u"\\s08");
	PSRV_CALL sc;

	(void)state;
	recorder_reset();
	rx_srv_call_finalize_policy = RX_POST_INSIDE_RDBSS_PROCESS;
	fixture_lock();
	sc = make(&name);
	finalize_as_user(sc);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	CHECK(recorder.process != RxGetRDBSSProcess());

	sc = make(&name);
	CHECK(RxFinalizeSrvCall(sc, FALSE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	fixture_unlock();
	CHECK(recorder_wait_for(REC_FINALIZE_SRV_CALL, 2));
	(void)RxSpinDownMRxDispatcher(recorder_device);
	rx_srv_call_finalize_policy = RX_POST_OUTSIDE_RDBSS_PROCESS;
}

/* The domain name is copied, replaced, cleared; a failed copy says so. */
static void test_B_RxSetSrvCallDomainName_01_to_04(void **state)
{
	FIXTURE_NAME(name, u"\\s09");
	FIXTURE_NAME(domain, u"EXAMPLE");
	FIXTURE_NAME(longer, u"A-LONGER-DOMAIN");
	UNICODE_STRING none = {0};
	PSRV_CALL sc;

	(void)state;
	fixture_lock();
	sc = make(&name);
	CHECK_EQUAL(RxSetSrvCallDomainName(&sc->Mrx, &domain), STATUS_SUCCESS);
	CHECK(sc->pDomainName != NULL && sc->pDomainName->Buffer != domain.Buffer);
	CHECK(sc->pDomainName->Length == domain.Length && sc->pDomainName->MaximumLength >= domain.Length);
	CHECK_EQUAL(RxSetSrvCallDomainName(&sc->Mrx, &longer), STATUS_SUCCESS);
	CHECK(sc->pDomainName->Length == longer.Length);
	nt_fault_arm(0);
	CHECK_EQUAL((ULONG)RxSetSrvCallDomainName(&sc->Mrx, &domain), (ULONG)STATUS_INSUFFICIENT_RESOURCES);
	CHECK(nt_fault_disarm());
	CHECK_EQUAL(RxSetSrvCallDomainName(&sc->Mrx, &domain), STATUS_SUCCESS);
	CHECK_EQUAL(RxSetSrvCallDomainName(&sc->Mrx, &none), STATUS_SUCCESS);
	CHECK(sc->pDomainName == NULL);
	CHECK_EQUAL(RxSetSrvCallDomainName(&sc->Mrx, &domain), STATUS_SUCCESS); /* freed with the record */
	CHECK(RxFinalizeSrvCall(sc, FALSE));
	fixture_unlock();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxCreateSrvCall_02_found_by_name),
		cmocka_unit_test(test_B_RxCreateSrvCall_03_allocation_failure),
		cmocka_unit_test(test_B_RxFinalizeSrvCall_02_at_one),
		cmocka_unit_test(test_B_RxFinalizeSrvCall_03_in_use),
		cmocka_unit_test(test_B_RxFinalizeSrvCall_04_forced),
		cmocka_unit_test(test_B_RxFinalizeSrvCall_05_by_dereference),
		cmocka_unit_test(test_B_RxDereference_05_marked_for_the_scavenger),
		cmocka_unit_test(test_B_MRxFinalizeSrvCall_03_posted_outside_the_rdbss_process),
		cmocka_unit_test(test_B_RxFinalizeSrvCall_07_08_the_other_policy),
		cmocka_unit_test(test_B_RxSetSrvCallDomainName_01_to_04),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
