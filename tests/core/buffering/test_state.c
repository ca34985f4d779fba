/* test_state.c - what may be buffered, and the key a server knows an open by. Rows B-RxChangeBufferingState. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/buffering/buffering.h"

static PV_NET_ROOT vnr;
static PRX_CONTEXT rxc;
static PFCB fcb;
static PSRV_OPEN so;

static NTSTATUS answer;
static ULONG answered_state;
static PVOID asked_with;

static NTSTATUS compute(PMRX_SRV_OPEN open, PVOID context, PULONG state)
{
	(void)open;
	asked_with = context;
	*state = answered_state;
	return answer;
}

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	FIXTURE_NAME(file, u"\\f");
	NTSTATUS status;

	(void)fixture_begin(state);
	recorder_dispatch.MRxComputeNewBufferingState = compute;
	vnr = fixture_connect(&name, &status);
	rxc = fixture_context();
	fcb = fixture_fcb(rxc, vnr, &file);
	so = RxCreateSrvOpen(vnr, fcb);
	so->Condition = Condition_Good;
	so->ShareAccess = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
	return 0;
}

static int end(void **state)
{
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
	fixture_context_end(rxc);
	fixture_disconnect(vnr);
	return fixture_end(state);
}

static ULONG buffering(void)
{
	CHECK(RxIsFcbAcquiredExclusive(fcb)); /* B-RxChangeBufferingState-08 */
	return fcb->FcbState & FCB_STATE_BUFFERING_STATE_MASK;
}

/* The driver computes the state when asked to; its failure means no buffering, and the status is success. */
static void test_B_RxChangeBufferingState_01_03(void **state)
{
	int level = 7;

	(void)state;
	answer = STATUS_SUCCESS;
	answered_state = FCB_STATE_READCACHING_ENABLED | FCB_STATE_COLLAPSING_ENABLED | FCB_STATE_ORPHANED;
	CHECK_EQUAL(RxChangeBufferingState(so, &level, TRUE), STATUS_SUCCESS);
	CHECK(asked_with == &level);
	CHECK_EQUAL(buffering(), FCB_STATE_READCACHING_ENABLED | FCB_STATE_COLLAPSING_ENABLED);
	CHECK(!(fcb->FcbState & FCB_STATE_ORPHANED)); /* not a buffering flag: not the driver's to set here */
	answer = STATUS_UNSUCCESSFUL;
	CHECK_EQUAL(RxChangeBufferingState(so, &level, TRUE), STATUS_SUCCESS);
	CHECK_EQUAL(buffering(), 0);
}

/* Without computing, the open's own flags hold. */
static void test_B_RxChangeBufferingState_04(void **state)
{
	(void)state;
	so->BufferingFlags = FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_READCACHING_ENABLED;
	CHECK_EQUAL(RxChangeBufferingState(so, NULL, FALSE), STATUS_SUCCESS);
	CHECK_EQUAL(buffering(), FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_READCACHING_ENABLED);
	so->BufferingFlags = 0;
	CHECK_EQUAL(RxChangeBufferingState(so, NULL, FALSE), STATUS_SUCCESS);
	CHECK_EQUAL(buffering(), 0);
}

/* Nobody shares the file: everything that is safe then. One open that shares takes it away (E-14). */
static void test_B_RxChangeBufferingState_05(void **state)
{
	PSRV_OPEN second;
	ULONG all;

	(void)state;
	so->ShareAccess = 0;
	CHECK_EQUAL(RxChangeBufferingState(so, NULL, FALSE), STATUS_SUCCESS);
	all = FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_READCACHING_ENABLED |
	      FCB_STATE_FILESIZECACHEING_ENABLED | FCB_STATE_FILETIMECACHEING_ENABLED |
	      FCB_STATE_LOCK_BUFFERING_ENABLED;
	CHECK_EQUAL(buffering() & all, all);
	CHECK_EQUAL(buffering() & FCB_STATE_COLLAPSING_ENABLED, 0);
	second = RxCreateSrvOpen(vnr, fcb);
	second->Condition = Condition_Good;
	second->ShareAccess = FILE_SHARE_READ;
	CHECK_EQUAL(RxChangeBufferingState(so, NULL, FALSE), STATUS_SUCCESS);
	CHECK_EQUAL(buffering(), 0);
	RxDereferenceSrvOpen(second, LHS_ExclusiveLockHeld);
	so->ShareAccess = FILE_SHARE_READ;
}

/* A file that must not be buffered is not, whatever is asked. */
static void test_B_RxChangeBufferingState_02(void **state)
{
	(void)state;
	fcb->FcbState |= FCB_STATE_DISABLE_LOCAL_BUFFERING;
	so->BufferingFlags = FCB_STATE_READCACHING_ENABLED;
	CHECK_EQUAL(RxChangeBufferingState(so, NULL, FALSE), STATUS_SUCCESS);
	CHECK_EQUAL(buffering(), 0);
	so->BufferingFlags = 0;
	fcb->FcbState &= ~(ULONG)FCB_STATE_DISABLE_LOCAL_BUFFERING;
}

/* An open with a key is bound to it until its requests are purged; one without is not. */
static void test_key_association(void **state)
{
	PSRV_CALL sc = (PSRV_CALL)vnr->pNetRoot->pSrvCall;
	int key;

	(void)state;
	RxInitiateSrvOpenKeyAssociation(so);
	CHECK_EQUAL(sc->BufferingManager.NumberOfOutstandingOpens, 1);
	RxCompleteSrvOpenKeyAssociation(so);
	CHECK_EQUAL(sc->BufferingManager.NumberOfOutstandingOpens, 0);
	CHECK(!rx_srv_open_key_is_bound(so));

	RxInitiateSrvOpenKeyAssociation(so);
	so->Key = &key;
	RxCompleteSrvOpenKeyAssociation(so);
	CHECK(rx_srv_open_key_is_bound(so));
	RxPurgeChangeBufferingStateRequestsForSrvOpen(so);
	CHECK(!rx_srv_open_key_is_bound(so));
	RxPurgeChangeBufferingStateRequestsForSrvOpen(so);
}

static void try_the_fcb(void *context)
{
	bool *got = context;

	*got = ExAcquireResourceSharedLite(fcb->Header.Resource, FALSE);
	if (*got)
		ExReleaseResourceLite(fcb->Header.Resource);
}

static bool others_can_have_the_fcb(void)
{
	struct nt_thread *thread;
	bool got = true;

	CHECK_EQUAL(nt_thread_create("other", try_the_fcb, &got, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	return got;
}

/* Held as often as before, whatever the outcome; and not given up in between, for nobody waits for it here. */
static void test_B_RxChangeBufferingState_08_ownership(void **state)
{
	static const NTSTATUS answers[] = {STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
	PERESOURCE resource = fcb->Header.Resource;
	ULONG held, i, compute_new;

	(void)state;
	CHECK(RxIsFcbAcquiredExclusive(fcb));
	for (held = 1; held <= 2; held++) {
		for (i = 0; i < RTL_NUMBER_OF(answers); i++)
			for (compute_new = 0; compute_new < 2; compute_new++) {
				answer = answers[i];
				answered_state = FCB_STATE_READCACHING_ENABLED;
				CHECK_EQUAL(RxChangeBufferingState(so, NULL, compute_new != 0),
					    STATUS_SUCCESS);
				CHECK(ExIsResourceAcquiredExclusiveLite(resource));
				CHECK_EQUAL(ExIsResourceAcquiredSharedLite(resource), held);
				CHECK(!others_can_have_the_fcb());
			}
		CHECK(ExAcquireResourceExclusiveLite(resource, FALSE));
	}
	ExReleaseResourceLite(resource);
	ExReleaseResourceLite(resource);
	CHECK_EQUAL(ExIsResourceAcquiredSharedLite(resource), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxChangeBufferingState_01_03),
		cmocka_unit_test(test_B_RxChangeBufferingState_04),
		cmocka_unit_test(test_B_RxChangeBufferingState_05),
		cmocka_unit_test(test_B_RxChangeBufferingState_02),
		cmocka_unit_test(test_B_RxChangeBufferingState_08_ownership),
		cmocka_unit_test(test_key_association),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
