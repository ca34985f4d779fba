/*
 * test_connect.c - from a name to a connection: order of the calls, every way to answer, waiters, failures,
 * credentials, and the end. Rows B-MRxCreateSrvCall, B-MRxCreateVNetRoot, B-Connection_sequence, ...
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/context/context.h"
#include "core/name/name.h"
#include "core/object/object.h"
#include "core/trace/trace.h"
#include "nt_exec.h"

static void calls_are(const enum recorder_call *expected, LONG count)
{
	CHECK_EQUAL(recorder.logged, count);
	for (LONG i = 0; i < count; i++)
		CHECK_EQUAL(recorder.log[i], expected[i]);
}

/* Connecting asks server, winner, view, in this order; disconnecting ends view, share, server. */
static void test_B_Connection_sequence_01_02_order(void **state)
{
	static const enum recorder_call expected[] = {
		REC_CREATE_SRV_CALL,     REC_WINNER_NOTIFY,     REC_CREATE_V_NET_ROOT,
		REC_FINALIZE_V_NET_ROOT, REC_FINALIZE_NET_ROOT, REC_FINALIZE_SRV_CALL,
	};
	FIXTURE_NAME(name, u"\\server\\share\\dir\\file");
	NTSTATUS status;
	PV_NET_ROOT vnr;

	(void)state;
	recorder_reset();
	vnr = fixture_connect(&name, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	CHECK_EQUAL((ULONG)recorder.initial_status,
		    (ULONG)STATUS_BAD_NETWORK_PATH); /* B-MRxCreateSrvCall-02 */
	CHECK(recorder.winner_context == &recorder); /* B-MRxCreateSrvCall-05 */
	fixture_check_objects();
	fixture_disconnect(vnr);
	calls_are(expected, RTL_NUMBER_OF(expected));
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

/* The rest of the name is what follows the share. */
static void test_remaining_name(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share\\dir\\file");
	FIXTURE_NAME(tail, u"\\dir\\file");
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING rest;
	PV_NET_ROOT vnr;

	(void)state;
	recorder_reset();
	for (int i = 0; i < 2; i++) { /* built, then found */
		CHECK_EQUAL(RxFindOrConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, &rest),
			    STATUS_SUCCESS);
		CHECK(rx_name_equal(&rest, &tail, 0));
		CHECK(rxc->Create.pNetRoot == rxc->Create.pVNetRoot->pNetRoot);
		CHECK(rxc->Create.pSrvCall == rxc->Create.pNetRoot->pSrvCall);
	}
	vnr = (PV_NET_ROOT)rxc->Create.pVNetRoot;
	CHECK_EQUAL(vnr->NodeReferenceCount, 3);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1); /* B-Connection_sequence-04 */
	RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);
	fixture_disconnect(vnr);
	fixture_context_end(rxc);
}

/* Two shares of one server need one connection; two views of one share are two. */
static void test_one_server_many_shares_and_views(void **state)
{
	FIXTURE_NAME(one, u"\\server\\one");
	FIXTURE_NAME(two, u"\\SERVER\\two");
	FIXTURE_NAME(drive, u"\\;X:0\\server\\one\\f");
	NTSTATUS status;
	PV_NET_ROOT a, b, c;

	(void)state;
	recorder_reset();
	a = fixture_connect(&one, &status);
	b = fixture_connect(&two, &status);
	c = fixture_connect(&drive, &status);
	CHECK(a != NULL && b != NULL && c != NULL && a != c);
	CHECK(a->pNetRoot == c->pNetRoot && a->pNetRoot->pSrvCall == b->pNetRoot->pSrvCall);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 3);
	CHECK_EQUAL(((PNET_ROOT)a->pNetRoot)->NumberOfVirtualNetRoots, 2);
	fixture_check_objects();
	fixture_disconnect(a);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 0);
	fixture_disconnect(c);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 1);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 0);
	fixture_disconnect(b);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
}

static void connects_with(enum recorder_answer answer)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT vnr;

	recorder_reset();
	recorder_set_answer(answer);
	vnr = fixture_connect(&name, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 1);
	fixture_disconnect(vnr);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

/* E-10: a callback inside the call, later, twice, or a status without one: each connects, once. */
static void test_B_MRxCreateSrvCall_03_06_every_answer(void **state)
{
	(void)state;
	connects_with(REC_ANSWER_CALLBACK);
	connects_with(REC_ANSWER_LATER);
	connects_with(REC_ANSWER_TWICE);
	connects_with(REC_ANSWER_DIRECTLY);
}

static NTSTATUS fails_with(NTSTATUS srv_call, NTSTATUS winner, NTSTATUS net_root, NTSTATUS v_net_root,
			   enum recorder_answer answer)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;

	recorder_reset();
	recorder_set_answer(answer);
	recorder.srv_call_status = srv_call;
	recorder.winner_status = winner;
	recorder.net_root_status = net_root;
	recorder.v_net_root_status = v_net_root;
	CHECK(fixture_connect(&name, &status) == NULL);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	return status;
}

/* What the driver answers is what the create gets; B-MRxCreateVNetRoot-05: both statuses count. */
static void test_B_MRxCreateVNetRoot_05_failures_come_through(void **state)
{
	static const enum recorder_answer answers[] = {REC_ANSWER_CALLBACK, REC_ANSWER_LATER,
						       REC_ANSWER_DIRECTLY};

	(void)state;
	for (unsigned int i = 0; i < RTL_NUMBER_OF(answers); i++) {
		CHECK_EQUAL((ULONG)fails_with(0, 0, STATUS_BAD_NETWORK_NAME, 0, answers[i]),
			    (ULONG)STATUS_BAD_NETWORK_NAME);
		CHECK_EQUAL((ULONG)fails_with(0, 0, 0, STATUS_LOGON_FAILURE, answers[i]),
			    (ULONG)STATUS_LOGON_FAILURE);
		/* nothing of it is remembered: names are free, the server was let go */
		CHECK_EQUAL(fixture_names_in_table(), 0);
		CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	}
}

/* A server that could not be reached answers from memory for two seconds, then is asked again. */
static void test_remembered_failure(void **state)
{
	FIXTURE_NAME(name, u"\\dead\\share");
	LARGE_INTEGER interval = {.QuadPart = -25000000LL};
	NTSTATUS status;
	PV_NET_ROOT vnr;

	(void)state;
	recorder_reset();
	recorder.srv_call_status = STATUS_CONNECTION_REFUSED;
	CHECK(fixture_connect(&name, &status) == NULL);
	CHECK_EQUAL((ULONG)status, (ULONG)STATUS_CONNECTION_REFUSED);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 0);
	CHECK(fixture_connect(&name, &status) == NULL);
	CHECK_EQUAL((ULONG)status, (ULONG)STATUS_CONNECTION_REFUSED);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);

	(void)KeDelayExecutionThread(KernelMode, FALSE,
				     &interval); /* the memory's own length: nothing to wait on */
	recorder.srv_call_status = STATUS_SUCCESS;
	vnr = fixture_connect(&name, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 2);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	fixture_disconnect(vnr);
}

/* A failure that says nothing about the server is not held against it. */
static void test_cancelled_is_not_remembered(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT vnr;

	(void)state;
	recorder_reset();
	recorder.srv_call_status = STATUS_CANCELLED;
	CHECK(fixture_connect(&name, &status) == NULL);
	CHECK_EQUAL((ULONG)status, (ULONG)STATUS_CANCELLED);
	recorder.srv_call_status = STATUS_SUCCESS;
	vnr = fixture_connect(&name, &status);
	CHECK(vnr != NULL);
	fixture_disconnect(vnr);
}

/* A name without a server, or without a share, says which is missing; a hostile split is not believed. */
static void test_names_that_lead_nowhere(void **state)
{
	FIXTURE_NAME(no_share, u"\\server");
	FIXTURE_NAME(no_server, u"\\;X:0");
	NTSTATUS status;

	(void)state;
	recorder_reset();
	CHECK(fixture_connect(&no_share, &status) == NULL);
	CHECK_EQUAL((ULONG)status, (ULONG)STATUS_BAD_NETWORK_NAME);
	CHECK(fixture_connect(&no_server, &status) == NULL);
	CHECK_EQUAL((ULONG)status, (ULONG)STATUS_BAD_NETWORK_PATH);
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

/* Connection ids give separate connections for one name; without an id the name is shared. */
static void test_B_MRxGetConnectionId_01_03(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT a, b, c;

	(void)state;
	recorder_reset();
	recorder.has_connection_id = true;
	recorder.connection_id.Luid.LowPart = 1;
	a = fixture_connect(&name, &status);
	recorder.connection_id.Luid.LowPart = 2;
	b = fixture_connect(&name, &status);
	recorder.connection_id.Luid.LowPart = 1;
	c = fixture_connect(&name, &status);
	CHECK(a != NULL && b != NULL && a != b && c == a);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 2);
	RxDereferenceVNetRoot(c, LHS_LockNotHeld);
	fixture_disconnect(a);
	fixture_disconnect(b);
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

static NTSTATUS tree_connect(PCWSTR user, PCWSTR password, PV_NET_ROOT *vnr)
{
	FIXTURE_NAME(name, u"\\server\\share");
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING rest;
	NTSTATUS status;

	rxc->Create.ThisIsATreeConnectOpen = TRUE;
	if (user != NULL)
		RtlInitUnicodeString(&rxc->Create.UserName, user);
	if (password != NULL)
		RtlInitUnicodeString(&rxc->Create.Password, password);
	status = RxFindOrConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, &rest);
	*vnr = (PV_NET_ROOT)rxc->Create.pVNetRoot;
	rxc->Create.pVNetRoot = NULL;
	fixture_context_end(rxc);
	return status;
}

/* Credentials are copied to the view; a second set for the same view is refused. */
static void test_B_RxCreateVNetRoot_03_credentials(void **state)
{
	PV_NET_ROOT vnr, again;

	(void)state;
	recorder_reset();
	CHECK_EQUAL(tree_connect(u"Alice", u"secret", &vnr), STATUS_SUCCESS);
	CHECK(vnr->pUserName != NULL && vnr->pUserName->Length == 5 * sizeof(WCHAR));
	CHECK(vnr->pPassword != NULL && vnr->pPassword->Length == 6 * sizeof(WCHAR));
	CHECK(vnr->pUserDomainName == NULL && vnr->IsExplicitConnection);
	CHECK_EQUAL(tree_connect(u"ALICE", u"secret", &again), STATUS_SUCCESS);
	CHECK(again == vnr);
	RxDereferenceVNetRoot(again, LHS_LockNotHeld);
	CHECK_EQUAL((ULONG)tree_connect(u"Bob", u"secret", &again),
		    (ULONG)STATUS_NETWORK_CREDENTIAL_CONFLICT);
	CHECK_EQUAL((ULONG)tree_connect(u"Alice", u"Secret", &again), (ULONG)STATUS_WRONG_PASSWORD);
	CHECK_EQUAL(tree_connect(NULL, NULL, &again), STATUS_SUCCESS);
	RxDereferenceVNetRoot(again, LHS_LockNotHeld);
	CHECK_EQUAL(vnr->NodeReferenceCount, 2);
	fixture_disconnect(vnr);
}

struct waiter {
	PRX_CONTEXT rxc;
	NTSTATUS status;
	PV_NET_ROOT vnr;
	struct nt_thread *thread;
};

static void waiter_run(void *arg)
{
	FIXTURE_NAME(name, u"\\slow\\share");
	struct waiter *w = arg;
	UNICODE_STRING rest;

	w->status = RxFindOrConstructVirtualNetRoot(w->rxc, NULL, &name, NET_ROOT_WILD, &rest);
	w->vnr = (PV_NET_ROOT)w->rxc->Create.pVNetRoot;
	w->rxc->Create.pVNetRoot = NULL;
}

static void waiter_start(struct waiter *w)
{
	w->rxc = fixture_context();
	CHECK_EQUAL(nt_thread_create("waiter", waiter_run, w, &w->thread), STATUS_SUCCESS);
}

static void waiter_end(struct waiter *w)
{
	nt_thread_join(w->thread);
	fixture_context_end(w->rxc);
}

static bool stop_at_first(const struct rx_object_record *record, PCUNICODE_STRING name, void *arg)
{
	(void)name;
	*(uint32_t *)arg = record->condition;
	return false;
}

/* While one server is silent others connect, the objects can be shown, and waiters do not ask again. */
static void test_B_MRxCreateSrvCall_06_silent_server_stops_nobody_else(void **state)
{
	FIXTURE_NAME(other, u"\\other\\share");
	struct waiter builder, second;
	uint32_t condition = 99;
	NTSTATUS status;
	PV_NET_ROOT vnr;

	(void)state;
	recorder_reset();
	recorder_set_answer(REC_ANSWER_WHEN_TOLD);
	waiter_start(&builder);
	CHECK(recorder_wait_for(REC_CREATE_SRV_CALL, 1));
	waiter_start(&second);

	CHECK_EQUAL((ULONG)rx_enumerate_objects(recorder_device, stop_at_first, &condition),
		    (ULONG)STATUS_CANCELLED);
	CHECK_EQUAL(condition, Condition_InTransition);
	recorder_set_answer(REC_ANSWER_CALLBACK);
	vnr = fixture_connect(&other, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	fixture_disconnect(vnr);

	recorder_set_answer(REC_ANSWER_WHEN_TOLD);
	CHECK(recorder_answer_now());
	CHECK(recorder_answer_now());
	waiter_end(&builder);
	waiter_end(&second);
	CHECK(builder.status == STATUS_SUCCESS && second.status == STATUS_SUCCESS &&
	      builder.vnr == second.vnr);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 2); /* \slow and \other, once each */
	RxDereferenceVNetRoot(second.vnr, LHS_LockNotHeld);
	fixture_disconnect(builder.vnr);
}

/* A request that waits for somebody else's connection can be cancelled; the builder goes on. */
static void test_cancel_ends_a_wait(void **state)
{
	struct waiter builder, second;

	(void)state;
	recorder_reset();
	recorder_set_answer(REC_ANSWER_WHEN_TOLD);
	waiter_start(&builder);
	CHECK(recorder_wait_for(REC_CREATE_SRV_CALL, 1));
	waiter_start(&second);
	rx_cancel_context(second.rxc); /* before or after it waits: both end it */
	nt_thread_join(second.thread);
	CHECK_EQUAL((ULONG)second.status, (ULONG)STATUS_CANCELLED);
	fixture_context_end(second.rxc);
	CHECK(recorder_answer_now());
	CHECK(recorder_answer_now());
	waiter_end(&builder);
	CHECK_EQUAL(builder.status, STATUS_SUCCESS);
	fixture_disconnect(builder.vnr);
}

/* RxFinalizeConnection: refused while files are open; with force they are orphaned and it succeeds. */
static void test_B_RxFinalizeConnection_01_02_04(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	FIXTURE_NAME(file, u"\\f");
	PRX_CONTEXT rxc = fixture_context();
	NTSTATUS status;
	PV_NET_ROOT vnr;
	PNET_ROOT nr;
	PSRV_OPEN so;
	PFOBX fobx;
	PFCB fcb;

	(void)state;
	recorder_reset();
	vnr = fixture_connect(&name, &status);
	nr = (PNET_ROOT)vnr->pNetRoot;
	fcb = fixture_fcb(rxc, vnr, &file);
	so = RxCreateSrvOpen(vnr, fcb);
	so->Condition = Condition_Good;
	fobx = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);
	RxReleaseFcb(rxc, fcb);

	CHECK_EQUAL((ULONG)RxFinalizeConnection(nr, vnr, FALSE), (ULONG)STATUS_FILES_OPEN);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 0);
	CHECK_EQUAL(RxFinalizeConnection(nr, vnr, TRUE), STATUS_SUCCESS);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 1);
	CHECK((so->Flags & SRVOPEN_FLAG_ORPHANED) && (fcb->FcbState & FCB_STATE_ORPHANED));

	/* the user closes what he has; nothing goes to the server */
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	rxc->pFobx = NULL;
	CHECK(fixture_fcb_end(rxc, fcb));
	CHECK_EQUAL(recorder.count[REC_FORCE_CLOSED], 0);
	fixture_disconnect(vnr);
	fixture_context_end(rxc);
}

/* Not forced and unused: the view ends; the caller's reference keeps its memory. In use: refused. */
static void test_B_RxFinalizeConnection_03_05_07_in_use(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT vnr;
	PNET_ROOT nr;

	(void)state;
	recorder_reset();
	vnr = fixture_connect(&name, &status);
	nr = (PNET_ROOT)vnr->pNetRoot;
	RxReferenceVNetRoot(vnr);
	CHECK_EQUAL((ULONG)RxFinalizeConnection(nr, vnr, FALSE), (ULONG)STATUS_CONNECTION_IN_USE);
	RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);
	fixture_lock();
	CHECK_EQUAL((ULONG)RxFinalizeConnection(nr, vnr, FALSE), (ULONG)STATUS_LOCK_NOT_GRANTED);
	fixture_unlock();
	/* 0xff: the extra reference of an explicit connection goes first */
	RxReferenceVNetRoot(vnr);
	vnr->AdditionalReferenceForDeleteFsctlTaken = 1;
	CHECK_EQUAL(RxFinalizeConnection(nr, vnr, 0xff), STATUS_SUCCESS);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 1);
	CHECK_EQUAL(vnr->NodeReferenceCount, 1);
	fixture_disconnect(vnr);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
}

/* Every view of a share is force finalized, also one in use. */
static void test_B_RxForceFinalizeAllVNetRoots_02(void **state)
{
	FIXTURE_NAME(one, u"\\server\\share");
	FIXTURE_NAME(two, u"\\;Y:1\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT a, b;

	(void)state;
	recorder_reset();
	a = fixture_connect(&one, &status);
	b = fixture_connect(&two, &status);
	fixture_lock();
	RxForceFinalizeAllVNetRoots((PNET_ROOT)a->pNetRoot);
	fixture_unlock();
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 2);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 0);
	fixture_disconnect(a);
	fixture_disconnect(b);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 2);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 1);
}

/* No allocation failure on the way to a connection leaves anything behind. */
static void test_connecting_survives_each_allocation_failure(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	PRX_CONTEXT rxc = fixture_context();
	unsigned long bytes = 0;
	bool fired = true;

	(void)state;
	recorder_reset();
	for (long n = -1; fired; n++) {
		UNICODE_STRING rest;
		NTSTATUS status;
		PV_NET_ROOT vnr;

		nt_fault_arm(n >= 0 ? n : 100000);
		status = RxFindOrConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, &rest);
		fired = nt_fault_disarm();
		vnr = (PV_NET_ROOT)rxc->Create.pVNetRoot;
		rxc->Create.pVNetRoot = NULL;
		CHECK_EQUAL((ULONG)status, fired ? (ULONG)STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
		if (vnr != NULL)
			fixture_disconnect(vnr);
		CHECK_EQUAL(fixture_names_in_table(), 0);
		if (n < 0) {
			bytes = nt_pool_bytes();
			fired = true;
		}
		CHECK_EQUAL(nt_pool_bytes(), bytes);
	}
	fixture_context_end(rxc);
}

struct seen {
	unsigned int kinds[7];
	unsigned int names;
};

static bool count_kinds(const struct rx_object_record *record, PCUNICODE_STRING name, void *arg)
{
	struct seen *seen = arg;

	seen->kinds[record->kind]++;
	seen->names += name->Length != 0;
	CHECK(record->reference_count > 0 && record->holder_count > 0);
	CHECK(record->record_bytes % 8 == 0 && record->record_bytes >= sizeof(*record) + record->name_bytes);
	return true;
}

/* Every object is shown, also while a request holds the file exclusive; a small buffer gets whole records. */
static void test_objects_are_shown(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	FIXTURE_NAME(file, u"\\f");
	PRX_CONTEXT rxc = fixture_context();
	_Alignas(8) UCHAR buffer[sizeof(struct rx_object_record) * 2];
	struct seen seen = {{0}, 0};
	ULONG_PTR used;
	NTSTATUS status;
	PV_NET_ROOT vnr = fixture_connect(&name, &status);
	PFCB fcb = fixture_fcb(rxc, vnr, &file);
	PSRV_OPEN so = RxCreateSrvOpen(vnr, fcb);
	PFOBX fobx = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);

	(void)state;
	CHECK_EQUAL(rx_enumerate_objects(recorder_device, count_kinds, &seen), STATUS_SUCCESS);
	for (int kind = RX_OBJECT_SRV_CALL; kind <= RX_OBJECT_FOBX; kind++)
		CHECK_EQUAL(seen.kinds[kind], 1);
	CHECK_EQUAL(seen.names, 4);
	CHECK_EQUAL((ULONG)rx_query_objects(recorder_device, buffer, sizeof(buffer), &used),
		    (ULONG)STATUS_BUFFER_OVERFLOW);
	CHECK(used == ((struct rx_object_record *)buffer)->record_bytes);
	CHECK_EQUAL(((struct rx_object_record *)buffer)->kind, RX_OBJECT_SRV_CALL);
	CHECK_EQUAL((ULONG)rx_query_objects(recorder_device, buffer, 16, &used),
		    (ULONG)STATUS_BUFFER_TOO_SMALL);
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	rxc->pFobx = NULL;
	CHECK(fixture_fcb_end(rxc, fcb));
	fixture_disconnect(vnr);
	fixture_context_end(rxc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_Connection_sequence_01_02_order),
		cmocka_unit_test(test_remaining_name),
		cmocka_unit_test(test_one_server_many_shares_and_views),
		cmocka_unit_test(test_B_MRxCreateSrvCall_03_06_every_answer),
		cmocka_unit_test(test_B_MRxCreateVNetRoot_05_failures_come_through),
		cmocka_unit_test(test_remembered_failure),
		cmocka_unit_test(test_cancelled_is_not_remembered),
		cmocka_unit_test(test_names_that_lead_nowhere),
		cmocka_unit_test(test_B_MRxGetConnectionId_01_03),
		cmocka_unit_test(test_B_RxCreateVNetRoot_03_credentials),
		cmocka_unit_test(test_B_MRxCreateSrvCall_06_silent_server_stops_nobody_else),
		cmocka_unit_test(test_cancel_ends_a_wait),
		cmocka_unit_test(test_B_RxFinalizeConnection_01_02_04),
		cmocka_unit_test(test_B_RxFinalizeConnection_03_05_07_in_use),
		cmocka_unit_test(test_B_RxForceFinalizeAllVNetRoots_02),
		cmocka_unit_test(test_connecting_survives_each_allocation_failure),
		cmocka_unit_test(test_objects_are_shown),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
