/*
 * test_srvcall_life.c - SRV_CALL: what is in its key and its record, and when MRxFinalizeSrvCall is called, with what, and
 * what is left afterwards.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/object/object.h"
#include "nt_exec.h"

static PSRV_CALL make(PUNICODE_STRING name, PUNICODE_STRING inner, PRX_CONNECTION_ID id)
{
	PRX_CONTEXT rxc = fixture_context();
	PSRV_CALL sc = RxCreateSrvCall(rxc, name, inner, id);

	fixture_context_end(rxc);
	return sc;
}

/* What the table answers, not referenced. Locks: name table exclusive. */
static PVOID look_up(PUNICODE_STRING name, PRX_CONNECTION_ID id)
{
	UNICODE_STRING rest;
	PSRV_CALL found = RxPrefixTableLookupName(recorder_device->pRxNetNameTable, name, &rest, id);

	if (found != NULL)
		(void)InterlockedDecrement(&found->NodeReferenceCount);
	return found;
}

/* Without an id the entry has none, and is found by everybody: with an id, and without. */
static void test_B_RxCreateSrvCall_04_no_connection_id(void **state)
{
	FIXTURE_NAME(name, u"\\c04");
	RX_CONNECTION_ID id = {.Luid = {.LowPart = 7}};
	PSRV_CALL sc;

	(void)state;
	fixture_lock();
	sc = make(&name, NULL, NULL);
	CHECK(!sc->PrefixEntry.HasConnectionId);
	CHECK(look_up(&name, NULL) == sc && look_up(&name, &id) == sc);
	CHECK(RxFinalizeSrvCall(sc, FALSE));
	fixture_unlock();
}

/* One name with two ids and without: three records, each found by its own key. */
static void test_B_RxCreateSrvCall_05_connection_id_is_key(void **state)
{
	FIXTURE_NAME(name, u"\\c05");
	RX_CONNECTION_ID one = {.Luid = {.LowPart = 1}}, two = {.Luid = {.LowPart = 2}};
	PSRV_CALL first, second, plain;

	(void)state;
	fixture_lock();
	first = make(&name, NULL, &one);
	CHECK(first != NULL && first->PrefixEntry.HasConnectionId);
	CHECK(look_up(&name, &two) == NULL);
	second = make(&name, NULL, &two);
	plain = make(&name, NULL, NULL);
	CHECK(second != NULL && plain != NULL && second != first);
	CHECK(make(&name, NULL, &one) == NULL); /* the whole key again */
	CHECK(look_up(&name, &one) == first && look_up(&name, &two) == second);
	CHECK(RxFinalizeSrvCall(first, FALSE));
	CHECK(look_up(&name, &one) == plain && look_up(&name, &two) == second);
	CHECK(RxFinalizeSrvCall(second, FALSE));
	CHECK(RxFinalizeSrvCall(plain, FALSE));
	fixture_unlock();
}

/* An inner prefix stands in the table behind the name; the server is still called by its name alone. */
static void test_B_RxCreateSrvCall_06_inner_prefix(void **state)
{
	FIXTURE_NAME(name, u"\\c06");
	FIXTURE_NAME(inner, u"\\inner");
	FIXTURE_NAME(both, u"\\c06\\inner");
	FIXTURE_NAME(below, u"\\c06\\inner\\share\\f");
	FIXTURE_NAME(other, u"\\c06\\share");
	UNICODE_STRING rest;
	PSRV_CALL sc;

	(void)state;
	fixture_lock();
	sc = make(&name, &inner, NULL);
	CHECK(look_up(&name, NULL) == NULL && look_up(&other, NULL) == NULL);
	CHECK(look_up(&both, NULL) == sc);
	CHECK(RtlEqualUnicodeString(sc->pSrvCallName, &name, FALSE));
	CHECK(RxPrefixTableLookupName(recorder_device->pRxNetNameTable, &below, &rest, NULL) == sc);
	CHECK_EQUAL(rest.Length, below.Length - both.Length);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	fixture_unlock();
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

/* The principal's name comes from the create's extended attributes, copied; without one there is none. */
static void test_B_RxCreateSrvCall_07_principal(void **state)
{
	FIXTURE_NAME(name, u"\\c07");
	FIXTURE_NAME(principal, u"host/c07@EXAMPLE");
	union {
		FILE_FULL_EA_INFORMATION ea;
		UCHAR bytes[128];
	} list = {.ea = {.EaNameLength = sizeof("Principal") - 1, .EaValueLength = principal.Length}};
	PRX_CONTEXT rxc = fixture_context();
	PSRV_CALL sc;

	(void)state;
	memcpy(list.ea.EaName, "Principal", sizeof("Principal"));
	memcpy(list.ea.EaName + sizeof("Principal"), principal.Buffer, principal.Length);
	rxc->Create.EaBuffer = &list;
	rxc->Create.EaLength = sizeof(list);
	fixture_lock();
	sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
	memset(&list, 0, sizeof(list));
	CHECK(sc->pPrincipalName != NULL && RtlEqualUnicodeString(sc->pPrincipalName, &principal, FALSE));
	CHECK(RxFinalizeSrvCall(sc, FALSE));

	sc = make(&name, NULL, NULL);
	CHECK(sc->pPrincipalName == NULL);
	CHECK(RxFinalizeSrvCall(sc, FALSE));
	fixture_unlock();
	rxc->Create.EaBuffer = NULL;
	fixture_context_end(rxc);
}

/* ---- MRxFinalizeSrvCall ---- */

static struct {
	PMRX_SRV_CALL sc;
	BOOLEAN force;
	bool live, locked, named;
	LONG calls;
} seen;

static NTSTATUS NTAPI watch_finalize(PMRX_SRV_CALL sc, BOOLEAN force)
{
	UNICODE_STRING rest;

	seen.sc = sc;
	seen.force = force;
	seen.live = nt_pool_is_live(sc);
	seen.locked = RxIsPrefixTableLockExclusive(recorder_device->pRxNetNameTable);
	seen.named = RxPrefixTableLookupName(recorder_device->pRxNetNameTable, sc->pSrvCallName, &rest,
					     NULL) == sc;
	(void)InterlockedIncrement(&seen.calls);
	return recorder.finalize_status;
}

static LONG calls_seen(void)
{
	return InterlockedExchangeAdd(&seen.calls, 0);
}

static int watch_begin(void **state)
{
	(void)state;
	recorder_reset();
	memset(&seen, 0, sizeof(seen));
	recorder_dispatch.MRxFinalizeSrvCall = watch_finalize;
	return 0;
}

static PMRX_FINALIZE_SRVCALL_CALLDOWN as_written;

static int watch_end(void **state)
{
	(void)state;
	recorder_dispatch.MRxFinalizeSrvCall = as_written;
	return 0;
}

static void finalize_as_user(PSRV_CALL sc, BOOLEAN force)
{
	struct nt_requester user = {.pid = 4711, .uid = 1000, .gid = 1000};

	nt_set_requester(&user);
	CHECK(RxFinalizeSrvCall(sc, force));
	nt_set_requester(NULL);
}

/*
 * Not while anybody needs the server - a refused finalization, a share that comes and goes - and once when it is torn
 * down: under the name table, with the record still there and its name free.
 */
static void test_B_MRxFinalizeSrvCall_01_at_tear_down_only(void **state)
{
	FIXTURE_NAME(name, u"\\m01");
	FIXTURE_NAME(share, u"\\m01\\share");
	PNET_ROOT nr;
	PSRV_CALL sc;

	(void)state;
	fixture_lock();
	sc = make(&name, NULL, NULL);
	RxReferenceSrvCall(sc);
	nr = RxCreateNetRoot(sc, &share, 0, NULL);
	CHECK(!RxFinalizeSrvCall(sc, FALSE));
	CHECK(RxFinalizeNetRoot(nr, TRUE, FALSE));
	CHECK_EQUAL(calls_seen(), 0);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(calls_seen(), 1);
	CHECK(seen.sc == (PMRX_SRV_CALL)sc && seen.live && seen.locked && !seen.named);
	CHECK(!nt_pool_is_live(sc));
	fixture_unlock();
}

/* Force is what RxFinalizeSrvCall was given, called down at once or from the worker. */
static void test_B_MRxFinalizeSrvCall_02_force(void **state)
{
	FIXTURE_NAME(name, u"\\m02");

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		BOOLEAN force = (BOOLEAN)(i & 1);
		PSRV_CALL sc;

		fixture_lock();
		sc = make(&name, NULL, NULL);
		seen.force = (BOOLEAN)!force;
		if (i < 2)
			CHECK(RxFinalizeSrvCall(sc, force));
		else
			finalize_as_user(sc, force);
		fixture_unlock();
		(void)RxSpinDownMRxDispatcher(recorder_device);
		CHECK_EQUAL(calls_seen(), i + 1);
		CHECK_EQUAL(seen.force, force);
	}
}

/* The posted call-down finds the record whole; the finalization that follows it frees the record. */
static void test_B_MRxFinalizeSrvCall_04_completed_after_the_post(void **state)
{
	FIXTURE_NAME(name, u"\\m04");
	unsigned long bytes = nt_pool_bytes();
	PSRV_CALL sc;

	(void)state;
	fixture_lock();
	sc = make(&name, NULL, NULL);
	finalize_as_user(sc, FALSE);
	CHECK(calls_seen() == 0 && nt_pool_is_live(sc) && !sc->CallDownDone);
	fixture_unlock();
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(calls_seen(), 1);
	CHECK(seen.live && seen.locked && !seen.named);
	CHECK(!nt_pool_is_live(sc));
	CHECK(nt_pool_bytes() <= bytes);
}

/* A driver that fails changes nothing: TRUE, the name is free, the memory is gone. */
static void test_B_MRxFinalizeSrvCall_05_status_is_ignored(void **state)
{
	FIXTURE_NAME(name, u"\\m05");
	PSRV_CALL sc;

	(void)state;
	recorder.finalize_status = STATUS_UNSUCCESSFUL;
	fixture_lock();
	sc = make(&name, NULL, NULL);
	CHECK(RxFinalizeSrvCall(sc, FALSE));
	CHECK_EQUAL(calls_seen(), 1);
	CHECK(look_up(&name, NULL) == NULL && !nt_pool_is_live(sc));
	fixture_unlock();
}

/* It is there for drivers to call, and none has to: a connection of one that never does is torn down all the same. */
static void test_B_RxFinalizeSrvCall_09_needs_no_driver(void **state)
{
	FIXTURE_NAME(name, u"\\m09\\share");
	BOOLEAN (*const exported)(PSRV_CALL, BOOLEAN) = RxFinalizeSrvCall;
	NTSTATUS status;
	PV_NET_ROOT vnr = fixture_connect(&name, &status);
	PSRV_CALL sc = (PSRV_CALL)vnr->pNetRoot->pSrvCall;

	(void)state;
	fixture_lock();
	CHECK(!exported(sc, FALSE)); /* not over the heads of its users */
	fixture_unlock();
	fixture_disconnect(vnr);
	CHECK_EQUAL(calls_seen(), 1);
	CHECK(!nt_pool_is_live(sc));
}

static int begin(void **state)
{
	as_written = recorder_dispatch.MRxFinalizeSrvCall;
	return fixture_begin(state);
}

#define WATCHED(fn) cmocka_unit_test_setup_teardown(fn, watch_begin, watch_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxCreateSrvCall_04_no_connection_id),
		cmocka_unit_test(test_B_RxCreateSrvCall_05_connection_id_is_key),
		cmocka_unit_test(test_B_RxCreateSrvCall_06_inner_prefix),
		cmocka_unit_test(test_B_RxCreateSrvCall_07_principal),
		WATCHED(test_B_MRxFinalizeSrvCall_01_at_tear_down_only),
		WATCHED(test_B_MRxFinalizeSrvCall_02_force),
		WATCHED(test_B_MRxFinalizeSrvCall_04_completed_after_the_post),
		WATCHED(test_B_MRxFinalizeSrvCall_05_status_is_ignored),
		WATCHED(test_B_RxFinalizeSrvCall_09_needs_no_driver),
	};

	return cmocka_run_group_tests(tests, begin, fixture_end);
}
