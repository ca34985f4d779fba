/*
 * test_records.c - the records of servers, shares and views: the lists they are on, where their names and the
 * driver's bytes lie, who waits for them, their two stages of finalization, and the end of a connection. Rows
 * B-SRV_CALL, B-NET_ROOT, B-V_NET_ROOT, B-RxFinalizeConnection, B-RxForceFinalizeAllVNetRoots.
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

static int begin(void **state)
{
	(void)state;
	recorder_reset();
	return 0;
}

static int end(void **state)
{
	(void)state;
	CHECK_EQUAL(fixture_names_in_table(), 0);
	return 0;
}

static PV_NET_ROOT connect_to(PCWSTR text)
{
	UNICODE_STRING name;
	NTSTATUS status;
	PV_NET_ROOT vnr;

	RtlInitUnicodeString(&name, text);
	vnr = fixture_connect(&name, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	return vnr;
}

static PNET_ROOT share_of(PV_NET_ROOT vnr)
{
	return (PNET_ROOT)vnr->pNetRoot;
}

static PSRV_CALL server_of(PV_NET_ROOT vnr)
{
	return (PSRV_CALL)vnr->pNetRoot->pSrvCall;
}

static bool is(PCUNICODE_STRING s, PCWSTR text)
{
	UNICODE_STRING t;

	RtlInitUnicodeString(&t, text);
	return rx_name_equal(s, &t, 0);
}

/* Records of a kind on the device's list; with `of`, only shares of that server. */
static unsigned int listed(NODE_TYPE_CODE kind, PSRV_CALL of)
{
	PLIST_ENTRY head = &recorder_device->pRxNetNameTable->MemberQueue;
	unsigned int count = 0;

	fixture_lock();
	for (PLIST_ENTRY at = head->Flink; at != head; at = at->Flink) {
		PVOID record = CONTAINING_RECORD(at, RX_PREFIX_ENTRY, MemberQLinks)->ContainingRecord;

		if (NodeType(record) == kind && (of == NULL || ((PNET_ROOT)record)->pSrvCall == &of->Mrx))
			count++;
	}
	fixture_unlock();
	return count;
}

/* ---- SRV_CALL ---- */

/* Every server is on the one list of the device, for as long as it is connected. */
static void test_B_SRV_CALL_01_global_list(void **state)
{
	PV_NET_ROOT a = connect_to(u"\\one\\share"), b = connect_to(u"\\two\\share"),
		    c = connect_to(u"\\two\\other");

	(void)state;
	CHECK_EQUAL(listed(RDBSS_NTC_SRVCALL, NULL), 2);
	fixture_disconnect(a);
	CHECK_EQUAL(listed(RDBSS_NTC_SRVCALL, NULL), 1);
	fixture_disconnect(b);
	CHECK_EQUAL(listed(RDBSS_NTC_SRVCALL, NULL), 1);
	fixture_disconnect(c);
	CHECK_EQUAL(listed(RDBSS_NTC_SRVCALL, NULL), 0);
}

/* The name is a copy, in the record's own memory, behind the structure and the driver's bytes. */
static void test_B_SRV_CALL_02_name_at_the_end(void **state)
{
	FIXTURE_NAME(name, u"\\a server with a name");
	PRX_CONTEXT rxc = fixture_context();
	unsigned long before;
	PSRV_CALL sc;
	PUCHAR text;
	SIZE_T bytes;

	(void)state;
	fixture_lock();
	before = nt_pool_bytes();
	sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
	bytes = nt_pool_bytes() - before;
	CHECK(sc != NULL);
	text = (PUCHAR)sc->pSrvCallName->Buffer;
	CHECK(is(sc->pSrvCallName, u"\\a server with a name") && text != (PUCHAR)name.Buffer);
	CHECK(text >= (PUCHAR)(sc + 1));
	CHECK(text >= (PUCHAR)sc->Context + recorder_dispatch.MRxSrvCallSize);
	CHECK(text + name.Length <= (PUCHAR)sc + bytes);
	CHECK(RxFinalizeSrvCall(sc, FALSE));
	fixture_unlock();
	fixture_context_end(rxc);
}

/* Detached by the first call, once; its memory goes with the last reference, without a second call-down. */
static void test_B_SRV_CALL_03_two_stages(void **state)
{
	FIXTURE_NAME(name, u"\\server");
	PRX_CONTEXT rxc = fixture_context();
	unsigned long before;
	PSRV_CALL sc;

	(void)state;
	fixture_lock();
	before = nt_pool_bytes();
	sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
	RxReferenceSrvCall(sc);
	CHECK(RxFinalizeSrvCall(sc, TRUE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	CHECK(sc->UpperFinalizationDone && nt_pool_bytes() > before);
	CHECK(!RxFinalizeSrvCall(sc, TRUE)); /* somebody has it still */
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
	CHECK_EQUAL(nt_pool_bytes(), before);
	fixture_unlock();
	fixture_context_end(rxc);
}

/* ---- NET_ROOT ---- */

/* The shares of a server can be enumerated: each of its own, none of another. */
static void test_B_NET_ROOT_01_of_a_server(void **state)
{
	PV_NET_ROOT a = connect_to(u"\\one\\a"), b = connect_to(u"\\one\\b"), c = connect_to(u"\\two\\a");

	(void)state;
	CHECK_EQUAL(listed(RDBSS_NTC_NETROOT, server_of(a)), 2);
	CHECK_EQUAL(listed(RDBSS_NTC_NETROOT, server_of(c)), 1);
	fixture_disconnect(b);
	CHECK_EQUAL(listed(RDBSS_NTC_NETROOT, server_of(a)), 1);
	fixture_disconnect(a);
	fixture_disconnect(c);
}

struct asker {
	PCWSTR name;
	PV_NET_ROOT vnr;
	struct nt_thread *thread;
};

static void asker_run(void *context)
{
	struct asker *a = context;

	a->vnr = connect_to(a->name);
}

static void asker_start(struct asker *a, PCWSTR name)
{
	a->name = name;
	a->vnr = NULL;
	CHECK_EQUAL(nt_thread_create("asker", asker_run, a, &a->thread), STATUS_SUCCESS);
}

/* The share that is being built, once a request waits for it; its list has that request. */
static PNET_ROOT wait_until_waited_for(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};
	FIXTURE_NAME(name, u"\\server\\share");
	PRX_PREFIX_TABLE table = recorder_device->pRxNetNameTable;

	for (int left = 20000; left > 0; left--) {
		PNET_ROOT nr;
		bool waited;

		rx_name_table_lock(table);
		nr = rx_prefix_table_find(table, &name, RDBSS_NTC_NETROOT, NULL);
		/* the table's, the builder's and the view's references, and the waiter's */
		waited = nr != NULL && nr->Condition == Condition_InTransition &&
			 rx_object_count(&nr->NodeReferenceCount) == 4;
		rx_name_table_unlock(table);
		if (waited)
			return nr;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	CHECK(!"nobody waits for the share");
	return NULL;
}

/* A request for a share that another one is building waits, asks nothing itself, and goes on with what comes. */
static void test_B_NET_ROOT_02_requests_wait_for_it(void **state)
{
	struct asker builder, waiter;
	PNET_ROOT nr;

	(void)state;
	recorder_set_answer(REC_ANSWER_WHEN_TOLD);
	asker_start(&builder, u"\\server\\share");
	CHECK(recorder_answer_now()); /* the server */
	CHECK(recorder_wait_for(REC_CREATE_V_NET_ROOT, 1));
	asker_start(&waiter, u"\\;X:0\\server\\share");
	nr = wait_until_waited_for();
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 1);
	recorder_set_answer(REC_ANSWER_CALLBACK);
	CHECK(recorder_answer_now());
	nt_thread_join(builder.thread);
	nt_thread_join(waiter.thread);
	CHECK(builder.vnr != waiter.vnr && share_of(builder.vnr) == nr && share_of(waiter.vnr) == nr);
	CHECK(nr->Condition == Condition_Good && IsListEmpty(&nr->TransitionWaitList));
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 2);
	fixture_disconnect(waiter.vnr);
	fixture_disconnect(builder.vnr);
}

/* The share's first stage detaches its views; its memory stays for whoever refers to it. */
static void test_B_NET_ROOT_03_two_stages(void **state)
{
	PV_NET_ROOT vnr = connect_to(u"\\server\\share");
	PNET_ROOT nr = share_of(vnr);
	unsigned long before;

	(void)state;
	fixture_lock();
	RxReferenceNetRoot(nr);
	RxForceFinalizeAllVNetRoots(nr);
	CHECK(RxFinalizeNetRoot(nr, TRUE, TRUE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 1);
	CHECK(nr->UpperFinalizationDone && IsListEmpty(&nr->VirtualNetRoots));
	CHECK(!RxFinalizeNetRoot(nr, TRUE, TRUE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 1);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(nr->NodeReferenceCount, 1);
	before = nt_pool_bytes();
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	CHECK(nt_pool_bytes() < before);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 1);
	fixture_unlock();
}

/* The driver's bytes follow the structure, zeroed, before the name; without the flag there are none. */
static void test_B_NET_ROOT_04_extension(void **state)
{
	enum { EXTENSION = 48 };
	static const UCHAR zero[EXTENSION];
	PV_NET_ROOT vnr = connect_to(u"\\server\\plain");
	PNET_ROOT nr = share_of(vnr);
	ULONG flags = recorder_dispatch.MRxFlags;

	(void)state;
	CHECK(nr->Context == &recorder); /* the driver's own pointer */
	fixture_disconnect(vnr);

	recorder_dispatch.MRxFlags |= RDBSS_MANAGE_NET_ROOT_EXTENSION;
	recorder_dispatch.MRxNetRootSize = EXTENSION;
	vnr = connect_to(u"\\server\\share");
	recorder_dispatch.MRxFlags = flags;
	recorder_dispatch.MRxNetRootSize = 0;
	nr = share_of(vnr);
	CHECK((PUCHAR)nr->Context >= (PUCHAR)(nr + 1));
	CHECK((PUCHAR)nr->Context + EXTENSION <= (PUCHAR)nr->pNetRootName->Buffer);
	CHECK(memcmp(nr->Context, zero, EXTENSION) == 0);
	memset(nr->Context, 0xa5, EXTENSION);
	CHECK(is(nr->pNetRootName, u"\\server\\share"));
	fixture_disconnect(vnr);
}

/* ---- V_NET_ROOT ---- */

/* The parts of a name: its view, whose share and server are the same whatever the form, and what is left. */
static void form_is(PCWSTR text, PCWSTR view)
{
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING name, rest;
	PV_NET_ROOT vnr;

	RtlInitUnicodeString(&name, text);
	CHECK_EQUAL(RxFindOrConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, &rest), STATUS_SUCCESS);
	vnr = (PV_NET_ROOT)rxc->Create.pVNetRoot;
	CHECK(is(&vnr->VNetRootName, view) && is(&rest, u"\\d1\\d2"));
	CHECK(is(vnr->pNetRoot->pNetRootName, u"\\server\\share"));
	CHECK(is(vnr->pNetRoot->pSrvCall->pSrvCallName, u"\\server"));
	fixture_disconnect(vnr);
	rxc->Create.pVNetRoot = NULL;
	fixture_context_end(rxc);
}

static void test_B_V_NET_ROOT_01_02_forms_of_the_name(void **state)
{
	(void)state;
	form_is(u"\\server\\share\\d1\\d2", u"\\server\\share");
	form_is(u"\\;m:\\server\\share\\d1\\d2", u"\\;m:\\server\\share");
	form_is(u"\\;m:0123456789abcdef\\server\\share\\d1\\d2", u"\\;m:0123456789abcdef\\server\\share");
}

static PV_NET_ROOT map_as(PCWSTR text, PCWSTR user)
{
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING name, rest;
	PV_NET_ROOT vnr;

	RtlInitUnicodeString(&name, text);
	rxc->Create.ThisIsATreeConnectOpen = TRUE;
	if (user != NULL)
		RtlInitUnicodeString(&rxc->Create.UserName, user);
	CHECK_EQUAL(RxFindOrConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, &rest), STATUS_SUCCESS);
	vnr = (PV_NET_ROOT)rxc->Create.pVNetRoot;
	rxc->Create.pVNetRoot = NULL;
	fixture_context_end(rxc);
	return vnr;
}

/* The share's default is the first view's while it was nobody else's; a later view keeps its own to itself. */
static void test_B_V_NET_ROOT_04_default_credentials(void **state)
{
	PV_NET_ROOT first = map_as(u"\\;X:0\\server\\share", u"alice"), second, third;
	PNET_ROOT nr = share_of(first);

	(void)state;
	CHECK(nr->DefaultVNetRoot == first && is(nr->DefaultVNetRoot->pUserName, u"alice"));
	second = map_as(u"\\;Y:0\\server\\share", u"bob");
	CHECK(share_of(second) == nr && is(second->pUserName, u"bob"));
	CHECK(nr->DefaultVNetRoot == first && is(first->pUserName, u"alice"));
	third = connect_to(u"\\server\\share"); /* without credentials: takes nobody's place */
	CHECK(nr->DefaultVNetRoot == first && third->pUserName == NULL);
	fixture_disconnect(third);
	fixture_disconnect(second);
	fixture_disconnect(first);
}

/* The view's first stage takes its name and its place; its memory stays for whoever refers to it. */
static void test_B_V_NET_ROOT_05_two_stages(void **state)
{
	PV_NET_ROOT vnr = connect_to(u"\\server\\share");
	PNET_ROOT nr = share_of(vnr);
	unsigned long before;

	(void)state;
	fixture_lock();
	RxReferenceNetRoot(nr);
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, TRUE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 1);
	CHECK(vnr->UpperFinalizationDone && IsListEmpty(&nr->VirtualNetRoots));
	CHECK(!RxFinalizeVNetRoot(vnr, TRUE, TRUE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 1);
	before = nt_pool_bytes();
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK(nt_pool_bytes() < before);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 1);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	fixture_unlock();
}

/* Each view of a share is on the share's list, and on no other's. */
static void test_B_V_NET_ROOT_06_list_of_the_share(void **state)
{
	PV_NET_ROOT a = connect_to(u"\\server\\share"), b = connect_to(u"\\;X:0\\server\\share"),
		    c = connect_to(u"\\server\\other");
	PNET_ROOT nr = share_of(a);

	(void)state;
	CHECK(nr->VirtualNetRoots.Flink == &a->NetRootListEntry);
	CHECK(a->NetRootListEntry.Flink == &b->NetRootListEntry);
	CHECK(b->NetRootListEntry.Flink == &nr->VirtualNetRoots);
	CHECK(share_of(c)->VirtualNetRoots.Flink == &c->NetRootListEntry);
	fixture_disconnect(a);
	CHECK(nr->VirtualNetRoots.Flink == &b->NetRootListEntry && nr->NumberOfVirtualNetRoots == 1);
	fixture_disconnect(b);
	fixture_disconnect(c);
}

/* ---- the end of a connection ---- */

/* A file of a view, open; its user drops it with close_by_user(). */
struct open_file {
	PRX_CONTEXT rxc;
	PFCB fcb;
	PSRV_OPEN so;
	PFOBX fobx;
};

static void open_in(PV_NET_ROOT vnr, struct open_file *f)
{
	FIXTURE_NAME(name, u"\\f");

	f->rxc = fixture_context();
	f->fcb = fixture_fcb(f->rxc, vnr, &name);
	f->so = RxCreateSrvOpen(vnr, f->fcb);
	f->so->Condition = Condition_Good;
	f->fobx = (PFOBX)RxCreateNetFobx(f->rxc, &f->so->Mrx);
	RxReleaseFcb(f->rxc, f->fcb);
}

static void close_by_user(struct open_file *f)
{
	CHECK_EQUAL(RxAcquireExclusiveFcb(f->rxc, f->fcb), STATUS_SUCCESS);
	RxDereferenceNetFobx(f->fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(f->so, LHS_ExclusiveLockHeld);
	f->rxc->pFobx = NULL;
	CHECK(fixture_fcb_end(f->rxc, f->fcb));
	fixture_context_end(f->rxc);
}

/* The same state is left by either: files orphaned, the driver told once, the name free for a new connection. */
static void test_B_RxForceFinalizeAllVNetRoots_03_as_a_forced_close(void **state)
{
	(void)state;
	for (int by_connection = 0; by_connection < 2; by_connection++) {
		PV_NET_ROOT vnr = connect_to(u"\\server\\share"), next;
		PNET_ROOT nr = share_of(vnr);
		struct open_file f;

		recorder_reset();
		open_in(vnr, &f);
		if (by_connection) {
			CHECK_EQUAL(RxFinalizeConnection(nr, NULL, TRUE), STATUS_SUCCESS);
		} else {
			fixture_lock();
			RxForceFinalizeAllVNetRoots(nr);
			fixture_unlock();
		}
		CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 1);
		CHECK((f.so->Flags & SRVOPEN_FLAG_ORPHANED) && (f.fcb->FcbState & FCB_STATE_ORPHANED));
		CHECK(IsListEmpty(&nr->VirtualNetRoots) && vnr->ConnectionFinalizationDone);
		next = connect_to(u"\\server\\share");
		CHECK(next != vnr);
		CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 1);
		close_by_user(&f);
		fixture_disconnect(vnr);
		fixture_disconnect(next);
	}
}

/* The server's record may outlive the connection to one of its shares: nobody is asked to connect again. */
static void test_B_RxFinalizeConnection_09_transport_may_stay(void **state)
{
	PV_NET_ROOT vnr = connect_to(u"\\server\\share"), other = connect_to(u"\\server\\other");

	(void)state;
	CHECK_EQUAL(RxFinalizeConnection(share_of(vnr), vnr, TRUE), STATUS_SUCCESS);
	fixture_disconnect(vnr);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 1);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 0);
	vnr = connect_to(u"\\server\\share");
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 3);
	fixture_disconnect(vnr);
	fixture_disconnect(other);
}

#define RECORD_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECORD_TEST(test_B_SRV_CALL_01_global_list),
		RECORD_TEST(test_B_SRV_CALL_02_name_at_the_end),
		RECORD_TEST(test_B_SRV_CALL_03_two_stages),
		RECORD_TEST(test_B_NET_ROOT_01_of_a_server),
		RECORD_TEST(test_B_NET_ROOT_02_requests_wait_for_it),
		RECORD_TEST(test_B_NET_ROOT_03_two_stages),
		RECORD_TEST(test_B_NET_ROOT_04_extension),
		RECORD_TEST(test_B_V_NET_ROOT_01_02_forms_of_the_name),
		RECORD_TEST(test_B_V_NET_ROOT_04_default_credentials),
		RECORD_TEST(test_B_V_NET_ROOT_05_two_stages),
		RECORD_TEST(test_B_V_NET_ROOT_06_list_of_the_share),
		RECORD_TEST(test_B_RxForceFinalizeAllVNetRoots_03_as_a_forced_close),
		RECORD_TEST(test_B_RxFinalizeConnection_09_transport_may_stay),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
