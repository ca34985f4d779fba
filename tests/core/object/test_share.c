/*
 * test_share.c - NET_ROOT and V_NET_ROOT one by one: creation, counts, finalization. Rows B-RxCreateNetRoot,
 * B-RxFinalizeNetRoot, B-RxCreateVNetRoot, B-RxFinalizeVNetRoot.
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

static PRX_CONTEXT rxc;
static PSRV_CALL sc;

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server");

	(void)fixture_begin(state);
	rxc = fixture_context();
	fixture_lock();
	sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
	CHECK(sc != NULL);
	RxReferenceSrvCall(sc);
	return 0;
}

static int end(void **state)
{
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK(RxIsPrefixTableEmpty(recorder_device->pRxNetNameTable));
	fixture_unlock();
	fixture_context_end(rxc);
	return fixture_end(state);
}

static PNET_ROOT make_share(ULONG flags)
{
	FIXTURE_NAME(name, u"\\server\\share");

	return RxCreateNetRoot(sc, &name, flags, NULL);
}

static PV_NET_ROOT make_view(PNET_ROOT nr, PCWSTR text)
{
	UNICODE_STRING name, device, unc;

	RtlInitUnicodeString(&name, text);
	CHECK(rx_canonical_split_device(&name, &device, &unc));
	return RxCreateVNetRoot(rxc, nr, &name, &device, NULL, NULL);
}

/* A new NET_ROOT holds its server, keeps its flags as given, and is in the table under its name. */
static void test_B_RxCreateNetRoot_02_03_05(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	PNET_ROOT nr;

	(void)state;
	nr = make_share(0xdead1234);
	CHECK(nr != NULL && nr->NodeReferenceCount == 1);
	CHECK_EQUAL(sc->NodeReferenceCount, 3);
	CHECK_EQUAL(nr->Flags, 0xdead1234);
	rx_assert_name_table_exclusive(recorder_device->pRxNetNameTable);
	CHECK(rx_prefix_table_find(recorder_device->pRxNetNameTable, &name, RDBSS_NTC_NETROOT, NULL) == nr);
	CHECK(make_share(0) == NULL);
	CHECK_EQUAL(sc->NodeReferenceCount, 3);
	nr->Flags = 0;
	CHECK(RxFinalizeNetRoot(nr, TRUE, FALSE));
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
}

/* At another count than 1, or while it is being finalized already: FALSE, and nothing is called. */
static void test_B_RxFinalizeNetRoot_02_03(void **state)
{
	PNET_ROOT nr = make_share(0);
	LONG before = recorder.count[REC_FINALIZE_NET_ROOT];

	(void)state;
	RxReferenceNetRoot(nr);
	CHECK(!RxFinalizeNetRoot(nr, TRUE, FALSE));
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], before);
	nr->Flags |= NETROOT_FLAG_FINALIZATION_IN_PROGRESS;
	CHECK(!RxFinalizeNetRoot(nr, TRUE, TRUE));
	nr->Flags &= ~NETROOT_FLAG_FINALIZATION_IN_PROGRESS;
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], before);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld); /* B-RxFinalizeNetRoot-05 */
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], before + 1);
}

/* A new view is found under its name, holds its share, and is finalized with a status that nobody heeds. */
static void test_B_RxCreateVNetRoot_02_and_B_RxFinalizeVNetRoot_05(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\;Z:9\\server\\share");
	UNICODE_STRING path, rest;
	LONG before = recorder.count[REC_FINALIZE_V_NET_ROOT];

	(void)state;
	CHECK(vnr != NULL && vnr->NodeReferenceCount == 1 && vnr->pNetRoot == &nr->Mrx);
	CHECK_EQUAL(nr->NodeReferenceCount, 2);
	CHECK(nr->NumberOfVirtualNetRoots == 1 && nr->DefaultVNetRoot == vnr);
	CHECK(vnr->pUserName == NULL && vnr->pPassword == NULL);
	RtlInitUnicodeString(&path, u"\\;z:9\\SERVER\\share\\f");
	CHECK(RxPrefixTableLookupName(recorder_device->pRxNetNameTable, &path, &rest, NULL) == vnr);
	CHECK_EQUAL(rest.Length, 2 * sizeof(WCHAR));
	CHECK(!RxFinalizeVNetRoot(vnr, TRUE, FALSE)); /* count 2 */
	recorder.finalize_status = STATUS_UNSUCCESSFUL;
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	recorder.finalize_status = STATUS_SUCCESS;
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], before + 1);
	/* the share went with its last view */
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
}

/* Forced: the call-down once, the name free; the memory and the share stay for the last user. */
static void test_view_finalized_by_force(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\server\\share"), next;
	LONG before = recorder.count[REC_FINALIZE_V_NET_ROOT];

	(void)state;
	RxReferenceVNetRoot(vnr);
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, TRUE));
	CHECK(vnr->UpperFinalizationDone && vnr->ConnectionFinalizationDone && vnr->NodeReferenceCount == 1);
	CHECK_EQUAL(nr->NumberOfVirtualNetRoots, 0);
	CHECK(!RxFinalizeVNetRoot(vnr, TRUE, TRUE));
	next = make_view(nr, u"\\server\\share");
	CHECK(next != NULL);
	CHECK(RxFinalizeVNetRoot(next, TRUE, FALSE));
	CHECK_EQUAL(nr->NodeReferenceCount, 2);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], before + 2);
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
}

/* Credentials do not survive the view: their memory is wiped before it is given back. */
static void test_credentials_are_wiped(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr;

	(void)state;
	RtlInitUnicodeString(&rxc->Create.UserName, u"alice");
	RtlInitUnicodeString(&rxc->Create.Password, u"p4ssw0rd");
	RtlInitUnicodeString(&rxc->Create.UserDomainName, u"");
	vnr = make_view(nr, u"\\server\\share");
	RtlZeroMemory(&rxc->Create.UserName, sizeof(UNICODE_STRING));
	RtlZeroMemory(&rxc->Create.Password, sizeof(UNICODE_STRING));
	RtlZeroMemory(&rxc->Create.UserDomainName, sizeof(UNICODE_STRING));
	CHECK(vnr->pPassword->Buffer[0] == u'p' && vnr->pUserName->Length == 5 * sizeof(WCHAR));
	CHECK(vnr->pUserDomainName != NULL && vnr->pUserDomainName->Length == 0); /* supplied, and empty */
	CHECK_EQUAL(vnr->CredentialBytes, (5 + 8) * sizeof(WCHAR));
	RxReferenceVNetRoot(vnr);
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, TRUE));
	CHECK(vnr->pPassword != NULL); /* its driver's last requests may still need them */
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
}

/* Tracking changes no count and answers TRUE; while it is on, places are recorded and forgotten with the object. */
static void test_B_RxpTrackReference_01(void **state)
{
	struct rx_ref_place places[8];
	PNET_ROOT nr;

	(void)state;
	RxpTrackReference(RDBSS_REF_TRACK_SRVCALL, __FILE__, __LINE__, sc);
	CHECK(RxpTrackDereference(RDBSS_REF_TRACK_SRVCALL, __FILE__, __LINE__, sc));
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
	CHECK_EQUAL(rx_ref_places(sc, places, RTL_NUMBER_OF(places)), 0);

	RdbssReferenceTracingValue = RDBSS_REF_TRACK_NETROOT;
	nr = make_share(0);
	RxReferenceNetRoot(nr);
#ifdef RX_DEBUG_REFS
	CHECK_EQUAL(rx_ref_places(nr, places, RTL_NUMBER_OF(places)), 1);
	CHECK(places[0].count == 1 && strstr(places[0].file, "test_share.c") != NULL);
	CHECK(RxpTrackDereference(RDBSS_REF_TRACK_NETROOT, places[0].file, places[0].line, nr));
	CHECK_EQUAL(rx_ref_places(nr, places, RTL_NUMBER_OF(places)), 1);
	CHECK_EQUAL(places[0].count, 0); /* given back where it was taken */
#endif
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	RdbssReferenceTracingValue = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxCreateNetRoot_02_03_05),
		cmocka_unit_test(test_B_RxFinalizeNetRoot_02_03),
		cmocka_unit_test(test_B_RxCreateVNetRoot_02_and_B_RxFinalizeVNetRoot_05),
		cmocka_unit_test(test_view_finalized_by_force),
		cmocka_unit_test(test_credentials_are_wiped),
		cmocka_unit_test(test_B_RxpTrackReference_01),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
