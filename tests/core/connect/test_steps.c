/*
 * test_steps.c - the steps of a connection, called one by one as RxFindOrConstructVirtualNetRoot() calls them: what each
 * builds, which lock it leaves, and what a failure leaves behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

static int begin(void **state)
{
	(void)state;
	recorder_reset();
	return 0;
}

static int end(void **state)
{
	(void)state;
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(fixture_names_in_table(), 0);
	return 0;
}

static bool table_is_exclusive(void)
{
	return RxIsPrefixTableLockExclusive(recorder_device->pRxNetNameTable) != FALSE;
}

/* RxConstructSrvCall: asks, tells the winner, and the record is good; the table is held again, and was free meanwhile. */
static void test_construct_srv_call(void **state)
{
	FIXTURE_NAME(name, u"\\server");
	LOCK_HOLDING_STATE held = LHS_ExclusiveLockHeld;
	PRX_CONTEXT rxc = fixture_context();
	PSRV_CALL sc;

	(void)state;
	recorder.answer = REC_ANSWER_LATER;
	fixture_lock();
	sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
	CHECK(sc != NULL);
	RxReferenceSrvCall(sc);
	CHECK_EQUAL(RxConstructSrvCall(rxc, NULL, sc, &held), STATUS_SUCCESS);
	CHECK_EQUAL(held, LHS_ExclusiveLockHeld);
	CHECK(table_is_exclusive());
	CHECK_EQUAL(sc->Condition, Condition_Good);
	CHECK_EQUAL(sc->Status, STATUS_SUCCESS);
	CHECK(rxc->Create.pSrvCall == &sc->Mrx);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 1);
	rxc->Create.pSrvCall = NULL;
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	fixture_unlock();
	fixture_context_end(rxc);
}

/* ... a server that cannot be had: the status, a bad record, and no winner. */
static void test_construct_srv_call_fails(void **state)
{
	FIXTURE_NAME(name, u"\\server");
	LOCK_HOLDING_STATE held = LHS_ExclusiveLockHeld;
	PRX_CONTEXT rxc = fixture_context();
	PSRV_CALL sc;

	(void)state;
	recorder.srv_call_status = STATUS_ACCESS_DENIED;
	fixture_lock();
	sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
	CHECK(sc != NULL);
	RxReferenceSrvCall(sc);
	CHECK_EQUAL(RxConstructSrvCall(rxc, NULL, sc, &held), STATUS_ACCESS_DENIED);
	CHECK(table_is_exclusive());
	CHECK_EQUAL(sc->Condition, Condition_Bad);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 0);
	rxc->Create.pSrvCall = NULL;
	(void)RxFinalizeSrvCall(sc, TRUE);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	fixture_unlock();
	fixture_context_end(rxc);
}

/* The parts of a name, found or created, the share referenced for the caller and not yet built. */
static PNET_ROOT find_or_create(PRX_CONTEXT rxc, PUNICODE_STRING name, PUNICODE_STRING path,
				PLOCK_HOLDING_STATE held)
{
	UNICODE_STRING device;

	CHECK_EQUAL(
		RxFindOrCreateConnections(rxc, NULL, name, NET_ROOT_WILD, FALSE, &device, path, held, NULL),
		STATUS_SUCCESS);
	return (PNET_ROOT)rxc->Create.pNetRoot;
}

/* RxFindOrCreateConnections: a server that is connected, a share's record that nobody has asked for, and what is left. */
static void test_find_or_create_connections(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share\\dir\\file");
	LOCK_HOLDING_STATE held = LHS_ExclusiveLockHeld;
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING path;
	PNET_ROOT nr, again;

	(void)state;
	fixture_lock();
	nr = find_or_create(rxc, &name, &path, &held);
	CHECK(table_is_exclusive());
	CHECK_EQUAL(nr->Condition, Condition_Uninitialized);
	CHECK_EQUAL(((PSRV_CALL)nr->pSrvCall)->Condition, Condition_Good);
	CHECK(rxc->Create.pSrvCall == nr->pSrvCall);
	CHECK_EQUAL(path.Length, sizeof(u"\\dir\\file") - sizeof(WCHAR));
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 0);
	again = find_or_create(rxc, &name, &path, &held);
	CHECK(again == nr);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	RxDereferenceNetRoot(again, LHS_ExclusiveLockHeld);
	(void)RxFinalizeNetRoot(nr, TRUE, TRUE);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	fixture_unlock();
	fixture_context_end(rxc);
}

/* RxConstructNetRoot: view and share are good with one call-down, or both bad with the share's status. */
static void construct_net_root(NTSTATUS nr_status, NTSTATUS vnr_status, NTSTATUS expected)
{
	FIXTURE_NAME(name, u"\\server\\share");
	LOCK_HOLDING_STATE held = LHS_ExclusiveLockHeld;
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING path, none = {0};
	PV_NET_ROOT vnr;
	PNET_ROOT nr;

	recorder_reset();
	recorder.net_root_status = nr_status;
	recorder.v_net_root_status = vnr_status;
	fixture_lock();
	nr = find_or_create(rxc, &name, &path, &held);
	vnr = RxCreateVNetRoot(rxc, nr, &name, &none, NULL, NULL);
	CHECK(vnr != NULL);
	RxReferenceVNetRoot(vnr);
	rxc->Create.pVNetRoot = &vnr->Mrx;
	CHECK_EQUAL(RxConstructNetRoot(rxc, (PSRV_CALL)nr->pSrvCall, nr, vnr, &held), expected);
	CHECK(table_is_exclusive());
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 1);
	CHECK_EQUAL(nr->Condition, NT_SUCCESS(nr_status) ? Condition_Good : Condition_Bad);
	CHECK_EQUAL(vnr->Condition, NT_SUCCESS(expected) ? Condition_Good : Condition_Bad);
	rxc->Create.pVNetRoot = NULL;
	(void)RxFinalizeVNetRoot(vnr, TRUE, TRUE);
	(void)RxFinalizeNetRoot(nr, TRUE, TRUE);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	fixture_unlock();
	fixture_context_end(rxc);
}

static void test_construct_net_root(void **state)
{
	(void)state;
	construct_net_root(STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS);
	construct_net_root(STATUS_SUCCESS, STATUS_LOGON_FAILURE, STATUS_LOGON_FAILURE);
	construct_net_root(STATUS_BAD_NETWORK_NAME, STATUS_SUCCESS, STATUS_BAD_NETWORK_NAME);
}

/* RxConstructVirtualNetRoot: builds all three once, finds them the second time; a failure leaves no pointer. */
static void test_construct_virtual_net_root(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share\\file");
	LOCK_HOLDING_STATE held = LHS_ExclusiveLockHeld;
	PRX_CONTEXT rxc = fixture_context();
	PV_NET_ROOT vnr, again;

	(void)state;
	fixture_lock();
	CHECK_EQUAL(RxConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, FALSE, &vnr, &held, NULL),
		    STATUS_SUCCESS);
	CHECK(vnr != NULL && vnr->Condition == Condition_Good);
	CHECK_EQUAL(vnr->VNetRootName.Length, sizeof(u"\\server\\share") - sizeof(WCHAR));
	CHECK_EQUAL(RxConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, FALSE, &again, &held, NULL),
		    STATUS_SUCCESS);
	CHECK(again == vnr && table_is_exclusive());
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 1);
	RxDereferenceVNetRoot(again, LHS_ExclusiveLockHeld);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	fixture_unlock();
	fixture_context_end(rxc);
}

static void test_construct_virtual_net_root_fails(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	LOCK_HOLDING_STATE held = LHS_ExclusiveLockHeld;
	PRX_CONTEXT rxc = fixture_context();
	PV_NET_ROOT vnr = (PV_NET_ROOT)rxc; /* something */

	(void)state;
	recorder.v_net_root_status = STATUS_LOGON_FAILURE;
	fixture_lock();
	CHECK_EQUAL(RxConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, FALSE, &vnr, &held, NULL),
		    STATUS_LOGON_FAILURE);
	CHECK(vnr == NULL && table_is_exclusive());
	CHECK(rxc->Create.pSrvCall == NULL && rxc->Create.pNetRoot == NULL);
	fixture_unlock();
	fixture_context_end(rxc);
}

#define STEP_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STEP_TEST(test_construct_srv_call),         STEP_TEST(test_construct_srv_call_fails),
		STEP_TEST(test_find_or_create_connections), STEP_TEST(test_construct_net_root),
		STEP_TEST(test_construct_virtual_net_root), STEP_TEST(test_construct_virtual_net_root_fails),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
