/*
 * test_calls.c - what the mini-redirector finds when it is asked for a server, a share and a view, and what its
 * answers do. Rows B-MRxCreateSrvCall, B-MRxSrvCallWinnerNotify, B-MRxCreateVNetRoot, B-MRxExtractNetRootName,
 * B-MRxGetConnectionId, B-Connection_sequence, and the lists the records are on.
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
#include "nt_exec.h"

static const struct nt_requester somebody = {.pid = 4711, .uid = 1000, .gid = 1000};

static MINIRDR_DISPATCH as_written;

static int begin(void **state)
{
	(void)state;
	recorder_reset();
	as_written = recorder_dispatch;
	return 0;
}

static int end(void **state)
{
	(void)state;
	recorder_dispatch = as_written;
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(fixture_names_in_table(), 0);
	return 0;
}

static void connect_and_go(void)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT vnr = fixture_connect(&name, &status);

	CHECK_EQUAL(status, STATUS_SUCCESS);
	fixture_disconnect(vnr);
}

static bool is(PCUNICODE_STRING s, PCWSTR text)
{
	UNICODE_STRING t;

	RtlInitUnicodeString(&t, text);
	return rx_name_equal(s, &t, 0);
}

/* ---- MRxCreateSrvCall and the winner ---- */

static struct {
	NTSTATUS initial, answer;
	PMRX_SRV_CALL sc, of_calldown, of_winner;
	PRX_CONTEXT rxc;
	PVOID winner_context;
	LONG asked, winners;
	BOOLEAN won;
	PEPROCESS caller, worker;
	bool post;
} srv;

static int srv_call_token;

static void srv_answer(PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	context->Status = srv.answer;
	context->RecommunicateContext = &srv_call_token;
	context->SrvCalldownStructure->CallBack(context);
}

static VOID NTAPI srv_worker(PVOID context)
{
	srv.worker = PsGetCurrentProcess();
	srv_answer(context);
}

/* Written as the page says: inline in the RDBSS process, posted elsewhere, STATUS_PENDING always. */
static NTSTATUS NTAPI srv_create(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	srv.asked++;
	srv.sc = sc;
	srv.of_calldown = context->SrvCalldownStructure->SrvCall;
	srv.rxc = context->SrvCalldownStructure->RxContext;
	srv.initial = context->Status;
	srv.caller = PsGetCurrentProcess();
	if (srv.caller == RxGetRDBSSProcess()) {
		srv_answer(context);
	} else if (RxDispatchToWorkerThread(context->RxDeviceObject, DelayedWorkQueue, srv_worker, context) !=
		   STATUS_SUCCESS) {
		srv.answer = STATUS_INSUFFICIENT_RESOURCES;
		srv_answer(context);
	}
	return STATUS_PENDING;
}

static NTSTATUS NTAPI srv_winner(PMRX_SRV_CALL sc, BOOLEAN won, PVOID context)
{
	srv.winners++;
	srv.of_winner = sc;
	srv.won = won;
	srv.winner_context = context;
	sc->Flags |= SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS | SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES;
	return STATUS_SUCCESS;
}

static void srv_install(void)
{
	RtlZeroMemory(&srv, sizeof(srv));
	recorder_dispatch.MRxCreateSrvCall = srv_create;
	recorder_dispatch.MRxSrvCallWinnerNotify = srv_winner;
}

/* STATUS_PENDING with the answer given before the call returns: success and failure both reach the requester. */
static void test_B_MRxCreateSrvCall_01_pending_always(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;

	(void)state;
	srv_install();
	connect_and_go();
	srv.answer = STATUS_HOST_UNREACHABLE;
	CHECK(fixture_connect(&name, &status) == NULL);
	CHECK_EQUAL((ULONG)status, (ULONG)STATUS_HOST_UNREACHABLE);
	fixture_lock();
	CHECK(RxFinalizeSrvCall((PSRV_CALL)srv.sc, TRUE)); /* what is remembered of the failure */
	fixture_unlock();
}

/* A driver that answers without writing a status has not reached the server. */
static NTSTATUS NTAPI srv_create_forgetful(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	srv.sc = sc;
	context->SrvCalldownStructure->CallBack(context);
	return STATUS_PENDING;
}

static void test_B_MRxCreateSrvCall_02_bad_network_path_at_first(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;

	(void)state;
	srv_install();
	connect_and_go();
	CHECK_EQUAL((ULONG)srv.initial, (ULONG)STATUS_BAD_NETWORK_PATH);
	recorder_dispatch.MRxCreateSrvCall = srv_create_forgetful;
	CHECK(fixture_connect(&name, &status) == NULL);
	CHECK_EQUAL((ULONG)status, (ULONG)STATUS_BAD_NETWORK_PATH);
	CHECK_EQUAL(srv.winners, 1); /* only the first */
	fixture_lock();
	CHECK(RxFinalizeSrvCall((PSRV_CALL)srv.sc, TRUE));
	fixture_unlock();
}

/* One pointer in three places, and what the driver stored comes back to it. */
static void test_B_MRxCreateSrvCall_04_05_pointers(void **state)
{
	(void)state;
	srv_install();
	connect_and_go();
	CHECK(srv.sc != NULL && srv.sc == srv.of_calldown && srv.sc == srv.of_winner);
	CHECK(srv.winner_context == &srv_call_token);
	CHECK(srv.rxc != NULL);
}

/* In the RDBSS process the driver may answer inline; for somebody else it is called in his process, and may post. */
static void test_B_MRxCreateSrvCall_07_inline_or_posted(void **state)
{
	(void)state;
	srv_install();
	connect_and_go();
	CHECK(srv.caller == RxGetRDBSSProcess() && srv.worker == NULL);
	nt_set_requester(&somebody);
	connect_and_go();
	nt_set_requester(NULL);
	CHECK_EQUAL(srv.asked, 2);
	CHECK(srv.caller == nt_process_of(&somebody));
	CHECK(srv.worker == RxGetRDBSSProcess());
}

/* The winner is told after each success, once, and not after a failure. */
static void test_B_MRxSrvCallWinnerNotify_01_each_success(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;

	(void)state;
	srv_install();
	connect_and_go();
	CHECK(srv.winners == 1 && srv.won == TRUE);
	connect_and_go();
	CHECK_EQUAL(srv.winners, 2);
	srv.answer = STATUS_CANCELLED; /* is not remembered */
	CHECK(fixture_connect(&name, &status) == NULL);
	CHECK_EQUAL(srv.winners, 2);
	/* a record that failed without being remembered is gone with its last user, or with the next look */
	srv.answer = STATUS_SUCCESS;
	connect_and_go();
	CHECK_EQUAL(srv.winners, 3);
}

/* What the driver writes into the record there holds for the shares and files that follow. */
static void test_B_MRxSrvCallWinnerNotify_02_finishes_the_record(void **state)
{
	FIXTURE_NAME(lower, u"\\server\\share");
	FIXTURE_NAME(upper, u"\\SERVER\\SHARE");
	PV_NET_ROOT a, b;
	NTSTATUS status;

	(void)state;
	a = fixture_connect(&lower, &status);
	b = fixture_connect(&upper, &status); /* without the flags: another share of the same server */
	CHECK(a != NULL && b != NULL && a->pNetRoot != b->pNetRoot);
	CHECK(!((PNET_ROOT)a->pNetRoot)->FcbTable.CaseInsensitiveMatch);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	fixture_disconnect(a);
	fixture_disconnect(b);

	srv_install();
	a = fixture_connect(&lower, &status);
	b = fixture_connect(&upper, &status);
	CHECK(a != NULL && a == b);
	CHECK(((PNET_ROOT)a->pNetRoot)->FcbTable.CaseInsensitiveMatch);
	RxDereferenceVNetRoot(b, LHS_LockNotHeld);
	fixture_disconnect(a);
}

/* ---- MRxCreateVNetRoot ---- */

static struct {
	NTSTATUS initial_view, initial_share;
	PV_NET_ROOT vnr;
	bool reachable, share_is_new;
	LONG asked;
	PEPROCESS caller, worker;
} view;

static void view_answer(PMRX_CREATENETROOT_CONTEXT context)
{
	context->pVNetRoot->pNetRoot->Context = &view;
	context->Callback(context);
}

static VOID NTAPI view_worker(PVOID context)
{
	view.worker = PsGetCurrentProcess();
	view_answer(context);
}

static NTSTATUS NTAPI view_create(PMRX_CREATENETROOT_CONTEXT context)
{
	PMRX_V_NET_ROOT vnr = (PMRX_V_NET_ROOT)context->pVNetRoot;

	view.asked++;
	view.vnr = context->pVNetRoot;
	view.initial_view = context->VirtualNetRootStatus;
	view.initial_share = context->NetRootStatus;
	view.reachable = NodeType(vnr) == RDBSS_NTC_V_NETROOT &&
			 NodeType(vnr->pNetRoot) == RDBSS_NTC_NETROOT &&
			 NodeType(vnr->pNetRoot->pSrvCall) == RDBSS_NTC_SRVCALL &&
			 ((PSRV_CALL)vnr->pNetRoot->pSrvCall)->Condition == Condition_Good &&
			 is(vnr->pNetRoot->pNetRootName, u"\\server\\share") &&
			 is(vnr->pNetRoot->pSrvCall->pSrvCallName, u"\\server") &&
			 context->RxContext->Create.pNetRoot == vnr->pNetRoot;
	view.share_is_new = vnr->pNetRoot->Context == NULL;
	view.caller = PsGetCurrentProcess();
	if (view.caller == RxGetRDBSSProcess() ||
	    RxDispatchToWorkerThread(context->RxContext->RxDeviceObject, DelayedWorkQueue, view_worker,
				     context) != STATUS_SUCCESS)
		view_answer(context);
	return STATUS_PENDING;
}

/* Pending with the callback inside the call; the driver writes no status, and success was there before. */
static void test_B_MRxCreateVNetRoot_01_02_pending_and_success_at_first(void **state)
{
	(void)state;
	RtlZeroMemory(&view, sizeof(view));
	recorder_dispatch.MRxCreateVNetRoot = view_create;
	connect_and_go();
	CHECK_EQUAL(view.asked, 1);
	CHECK_EQUAL(view.initial_view, STATUS_SUCCESS);
	CHECK_EQUAL(view.initial_share, STATUS_SUCCESS);
	/* reported separately: a share that failed and a view that failed are two answers */
	recorder_dispatch.MRxCreateVNetRoot = as_written.MRxCreateVNetRoot;
	for (int share_fails = 0; share_fails < 2; share_fails++) {
		FIXTURE_NAME(name, u"\\server\\share");
		NTSTATUS status;

		recorder.net_root_status = share_fails ? STATUS_BAD_NETWORK_NAME : STATUS_SUCCESS;
		recorder.v_net_root_status = STATUS_ACCESS_DENIED;
		CHECK(fixture_connect(&name, &status) == NULL);
		CHECK_EQUAL((ULONG)status,
			    (ULONG)(share_fails ? STATUS_BAD_NETWORK_NAME : STATUS_ACCESS_DENIED));
	}
}

/* A new share has no context yet; a second view of it finds what the driver stored. */
static void test_B_MRxCreateVNetRoot_03_04_reachable_and_new(void **state)
{
	FIXTURE_NAME(first, u"\\server\\share");
	FIXTURE_NAME(drive, u"\\;X:0\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT a, b;

	(void)state;
	RtlZeroMemory(&view, sizeof(view));
	recorder_dispatch.MRxCreateVNetRoot = view_create;
	a = fixture_connect(&first, &status);
	CHECK(a != NULL && view.vnr == a && view.reachable && view.share_is_new);
	b = fixture_connect(&drive, &status);
	CHECK(b != NULL && view.vnr == b && view.reachable && !view.share_is_new);
	CHECK_EQUAL(view.asked, 2);
	fixture_disconnect(b);
	fixture_disconnect(a);
}

static void test_B_MRxCreateVNetRoot_06_posted_elsewhere(void **state)
{
	(void)state;
	RtlZeroMemory(&view, sizeof(view));
	recorder_dispatch.MRxCreateVNetRoot = view_create;
	connect_and_go();
	CHECK(view.caller == RxGetRDBSSProcess() && view.worker == NULL);
	nt_set_requester(&somebody);
	connect_and_go();
	nt_set_requester(NULL);
	CHECK(view.caller == nt_process_of(&somebody) && view.worker == RxGetRDBSSProcess());
}

/* ---- MRxGetConnectionId ---- */

static LONG ids_asked;
static LONG ids_before_view;

static NTSTATUS NTAPI count_ids(PRX_CONTEXT rxc, PRX_CONNECTION_ID id)
{
	(void)rxc;
	ids_asked++;
	ids_before_view = recorder.count[REC_CREATE_V_NET_ROOT];
	RtlZeroMemory(id, sizeof(*id));
	id->Luid.LowPart = 7;
	return STATUS_NOT_IMPLEMENTED; /* what was written does not count */
}

/* Asked each time a view is looked for, before one is built. */
static void test_B_MRxGetConnectionId_01_with_each_look(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	PV_NET_ROOT vnr, again;
	NTSTATUS status;

	(void)state;
	ids_asked = 0;
	recorder_dispatch.MRxGetConnectionId = count_ids;
	vnr = fixture_connect(&name, &status);
	CHECK(ids_asked == 1 && ids_before_view == 0);
	again = fixture_connect(&name, &status);
	CHECK(again == vnr);
	CHECK_EQUAL(ids_asked, 2);
	RxDereferenceVNetRoot(again, LHS_LockNotHeld);
	fixture_disconnect(vnr);
}

/* No routine, or one that is not implemented: one connection for all, and entries without an id. */
static void test_B_MRxGetConnectionId_03_no_id(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT a, b;

	(void)state;
	recorder_dispatch.MRxGetConnectionId = count_ids;
	a = fixture_connect(&name, &status);
	CHECK(a != NULL && !a->PrefixEntry.HasConnectionId);
	CHECK(!((PNET_ROOT)a->pNetRoot)->PrefixEntry.HasConnectionId);
	recorder_dispatch.MRxGetConnectionId = NULL;
	b = fixture_connect(&name, &status);
	CHECK(a == b);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	RxDereferenceVNetRoot(b, LHS_LockNotHeld);
	fixture_disconnect(a);
}

/* ---- the sequence ---- */

static void sequence_of(PUNICODE_STRING name, BOOLEAN tree_connect)
{
	static const enum recorder_call expected[] = {REC_CREATE_SRV_CALL, REC_WINNER_NOTIFY,
						      REC_CREATE_V_NET_ROOT};
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING rest;

	recorder_reset();
	rxc->Create.ThisIsATreeConnectOpen = tree_connect;
	CHECK_EQUAL(RxFindOrConstructVirtualNetRoot(rxc, NULL, name, NET_ROOT_WILD, &rest), STATUS_SUCCESS);
	CHECK_EQUAL(recorder.logged, RTL_NUMBER_OF(expected));
	for (unsigned int i = 0; i < RTL_NUMBER_OF(expected); i++)
		CHECK_EQUAL(recorder.log[i], expected[i]);
	fixture_disconnect((PV_NET_ROOT)rxc->Create.pVNetRoot);
	rxc->Create.pVNetRoot = NULL;
	fixture_context_end(rxc);
}

/* A drive that is mapped and a path that is opened ask the same, in the same order. */
static void test_B_Connection_sequence_03_drive_or_path(void **state)
{
	FIXTURE_NAME(drive, u"\\;X:0\\server\\share");
	FIXTURE_NAME(path, u"\\server\\share\\dir\\file");

	(void)state;
	sequence_of(&drive, TRUE);
	sequence_of(&path, FALSE);
}

/* On a connected share a second open asks nothing, and another share of the server only for itself. */
static void test_B_Connection_sequence_04_second_open(void **state)
{
	FIXTURE_NAME(one, u"\\server\\share\\a");
	FIXTURE_NAME(two, u"\\server\\share\\b");
	FIXTURE_NAME(other, u"\\server\\other\\b");
	NTSTATUS status;
	PV_NET_ROOT a = fixture_connect(&one, &status), b = fixture_connect(&two, &status), c;

	(void)state;
	CHECK(a != NULL && a == b);
	CHECK_EQUAL(recorder.logged, 3);
	c = fixture_connect(&other, &status);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 1);
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 2);
	fixture_disconnect(c);
	RxDereferenceVNetRoot(b, LHS_LockNotHeld);
	fixture_disconnect(a);
}

/* ---- MRxExtractNetRootName ---- */

/* The driver's split decides what the share is: here its name has two components. */
static VOID NTAPI two_components(PUNICODE_STRING path, PMRX_SRV_CALL sc, PUNICODE_STRING net_root,
				 PUNICODE_STRING rest)
{
	USHORT count = path->Length / sizeof(WCHAR), at = sc->pSrvCallName->Length / sizeof(WCHAR);

	for (int i = 0; i < 2 && at < count; i++) {
		at++;
		while (at < count && path->Buffer[at] != u'\\')
			at++;
	}
	net_root->Buffer = path->Buffer;
	net_root->Length = net_root->MaximumLength = (USHORT)(at * sizeof(WCHAR));
	if (rest == NULL)
		return;
	rest->Buffer = path->Buffer + at;
	rest->Length = rest->MaximumLength = (USHORT)(path->Length - net_root->Length);
}

static void split_is(PCWSTR share, PCWSTR tail)
{
	FIXTURE_NAME(name, u"\\server\\share\\dir\\file");
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING rest;

	CHECK_EQUAL(RxFindOrConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, &rest), STATUS_SUCCESS);
	CHECK(is(rxc->Create.pSrvCall->pSrvCallName, u"\\server"));
	CHECK(is(rxc->Create.pNetRoot->pNetRootName, share));
	CHECK(is(&rest, tail));
	fixture_disconnect((PV_NET_ROOT)rxc->Create.pVNetRoot);
	rxc->Create.pVNetRoot = NULL;
	fixture_context_end(rxc);
}

/* Server, share, rest: by the driver's routine, by ours, by one that writes the share without the server. */
static void test_B_MRxExtractNetRootName_01_splits(void **state)
{
	(void)state;
	split_is(u"\\server\\share", u"\\dir\\file");
	recorder_dispatch.MRxExtractNetRootName = two_components;
	split_is(u"\\server\\share\\dir", u"\\file");
	recorder_dispatch.MRxExtractNetRootName = NULL;
	split_is(u"\\server\\share", u"\\dir\\file");
}

#define CALL_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(test_B_MRxCreateSrvCall_01_pending_always),
		CALL_TEST(test_B_MRxCreateSrvCall_02_bad_network_path_at_first),
		CALL_TEST(test_B_MRxCreateSrvCall_04_05_pointers),
		CALL_TEST(test_B_MRxCreateSrvCall_07_inline_or_posted),
		CALL_TEST(test_B_MRxSrvCallWinnerNotify_01_each_success),
		CALL_TEST(test_B_MRxSrvCallWinnerNotify_02_finishes_the_record),
		CALL_TEST(test_B_MRxCreateVNetRoot_01_02_pending_and_success_at_first),
		CALL_TEST(test_B_MRxCreateVNetRoot_03_04_reachable_and_new),
		CALL_TEST(test_B_MRxCreateVNetRoot_06_posted_elsewhere),
		CALL_TEST(test_B_MRxGetConnectionId_01_with_each_look),
		CALL_TEST(test_B_MRxGetConnectionId_03_no_id),
		CALL_TEST(test_B_Connection_sequence_03_drive_or_path),
		CALL_TEST(test_B_Connection_sequence_04_second_open),
		CALL_TEST(test_B_MRxExtractNetRootName_01_splits),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
