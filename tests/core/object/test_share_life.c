/*
 * test_share_life.c - NET_ROOT and V_NET_ROOT: what is stored, what fails, what finalization does with the files of the
 * share, and the call-downs: once, under the name table, before the memory goes, never forced, whatever they answer.
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

/* What a call-down found. */
static struct {
	PVOID instance;
	BOOLEAN force;
	bool live, locked;
	ULONG references; /* of the NET_ROOT */
	LONG calls;
} share_seen, view_seen;

static NTSTATUS NTAPI watch_net_root(PMRX_NET_ROOT nr, PBOOLEAN force)
{
	share_seen.instance = nr;
	share_seen.force = *force;
	share_seen.live = nt_pool_is_live(nr);
	share_seen.locked = RxIsPrefixTableLockExclusive(recorder_device->pRxNetNameTable);
	share_seen.references = nr->NodeReferenceCount;
	share_seen.calls++;
	return recorder.finalize_status;
}

static NTSTATUS NTAPI watch_view(PMRX_V_NET_ROOT vnr, PBOOLEAN force)
{
	view_seen.instance = vnr;
	view_seen.force = *force;
	view_seen.live = nt_pool_is_live(vnr);
	view_seen.locked = RxIsPrefixTableLockExclusive(recorder_device->pRxNetNameTable);
	view_seen.references = vnr->pNetRoot->NodeReferenceCount;
	view_seen.calls++;
	return recorder.finalize_status;
}

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server");

	(void)fixture_begin(state);
	recorder_dispatch.MRxFinalizeNetRoot = watch_net_root;
	recorder_dispatch.MRxFinalizeVNetRoot = watch_view;
	rxc = fixture_context();
	fixture_lock();
	sc = RxCreateSrvCall(rxc, &name, NULL, NULL);
	CHECK(sc != NULL);
	RxReferenceSrvCall(sc);
	fixture_unlock();
	return 0;
}

static int end(void **state)
{
	fixture_lock();
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
	RxDereferenceSrvCall(sc, LHS_ExclusiveLockHeld);
	CHECK(RxIsPrefixTableEmpty(recorder_device->pRxNetNameTable));
	fixture_unlock();
	fixture_context_end(rxc);
	return fixture_end(state);
}

/* Each test holds the name table, and the server alone remains of what it made. */
static int each_begin(void **state)
{
	(void)state;
	memset(&share_seen, 0, sizeof(share_seen));
	memset(&view_seen, 0, sizeof(view_seen));
	recorder.finalize_status = STATUS_SUCCESS;
	fixture_lock();
	return 0;
}

static int each_end(void **state)
{
	(void)state;
	fixture_unlock();
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
	return 0;
}

static PNET_ROOT make_share(ULONG flags)
{
	FIXTURE_NAME(name, u"\\server\\share");

	return RxCreateNetRoot(sc, &name, flags, NULL);
}

static PV_NET_ROOT make_view_for(PNET_ROOT nr, PCWSTR text, PUNICODE_STRING file_path)
{
	UNICODE_STRING name, device, unc;

	RtlInitUnicodeString(&name, text);
	CHECK(rx_canonical_split_device(&name, &device, &unc));
	return RxCreateVNetRoot(rxc, nr, &name, &device, file_path, NULL);
}

static PV_NET_ROOT make_view(PNET_ROOT nr, PCWSTR text)
{
	return make_view_for(nr, text, NULL);
}

/* An FCB that only the table refers to. */
static PFCB leave_unused_fcb(PV_NET_ROOT vnr, PUNICODE_STRING name)
{
	PFCB fcb = fixture_fcb(rxc, vnr, name);

	CHECK_EQUAL(RxDereferenceNetFcb(fcb), 1);
	RxReleaseFcb(rxc, fcb);
	return fcb;
}

/* An open of a file: the FCB is held by it and by the caller, who does not hold its lock. */
static PSRV_OPEN open_file(PV_NET_ROOT vnr, PUNICODE_STRING name)
{
	PFCB fcb = fixture_fcb(rxc, vnr, name);
	PSRV_OPEN so = RxCreateSrvOpen(vnr, fcb);

	so->Condition = Condition_Good;
	RxReleaseFcb(rxc, fcb);
	return so;
}

static void close_file(PSRV_OPEN so)
{
	PFCB fcb = (PFCB)so->pFcb;

	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	(void)fixture_fcb_end(rxc, fcb);
}

/* ---- creation ---- */

/* The driver's flags are below bit 16, RDBSS's own above: what it sets while finalizing touches no bit of the driver. */
static void test_B_RxCreateNetRoot_04_low_half_is_the_drivers(void **state)
{
	ULONG before, after;
	PNET_ROOT nr = make_share(0x0000ffff);

	(void)state;
	CHECK_EQUAL((NETROOT_FLAG_SUPPORTS_SYMBOLIC_LINKS | NETROOT_FLAG_DFS_AWARE_NETROOT |
		     NETROOT_FLAG_DEFER_READAHEAD) >>
			    16,
		    0);
	CHECK_EQUAL((NETROOT_FLAG_FINALIZATION_IN_PROGRESS | NETROOT_FLAG_NAME_ALREADY_REMOVED) & 0xffff, 0);
	RxReferenceNetRoot(nr);
	before = nr->Flags;
	CHECK(RxFinalizeNetRoot(nr, TRUE, TRUE));
	after = nr->Flags;
	CHECK_EQUAL(after & 0xffff, before & 0xffff);
	CHECK(after & NETROOT_FLAG_NAME_ALREADY_REMOVED);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
}

/* Without memory, for each allocation: NULL, no entry, no reference of the server. */
static void test_B_RxCreateNetRoot_06_failure(void **state)
{
	bool fired = true;
	long n;

	(void)state;
	for (n = 0; fired; n++) {
		unsigned long bytes = nt_pool_bytes();
		ULONG entries = recorder_device->pRxNetNameTable->EntryCount;
		PNET_ROOT nr;

		nt_fault_arm(n);
		nr = make_share(0);
		fired = nt_fault_disarm();
		CHECK((nr == NULL) == fired);
		if (fired) {
			CHECK_EQUAL(nt_pool_bytes(), bytes);
			CHECK_EQUAL(recorder_device->pRxNetNameTable->EntryCount, entries);
			CHECK_EQUAL(sc->NodeReferenceCount, 2);
		} else {
			CHECK(RxFinalizeNetRoot(nr, TRUE, FALSE));
		}
	}
	CHECK(n > 1);
}

/* With a path or without, the view is the same; the path is in no part of it. */
static void test_B_RxCreateVNetRoot_04_file_path_has_no_effect(void **state)
{
	FIXTURE_NAME(path, u"\\some\\file");
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT with, without = make_view(nr, u"\\;a:1\\server\\share");

	(void)state;
	with = make_view_for(nr, u"\\;b:1\\server\\share", &path);
	CHECK(with != NULL && without != NULL);
	CHECK_EQUAL(with->NamePrefix.Length, without->NamePrefix.Length);
	CHECK_EQUAL(with->PrefixOffsetInBytes, without->PrefixOffsetInBytes);
	CHECK_EQUAL(with->VNetRootName.Length, without->VNetRootName.Length);
	CHECK_EQUAL(with->PrefixEntry.CaseInsensitiveLength, without->PrefixEntry.CaseInsensitiveLength);
	CHECK_EQUAL(with->Flags, without->Flags);
	CHECK(RxFinalizeVNetRoot(with, TRUE, FALSE));
	CHECK(RxFinalizeVNetRoot(without, TRUE, FALSE));
}

/* Without memory, for each allocation, and when the name is taken: NULL, and the share has no view more. */
static void test_B_RxCreateVNetRoot_05_failure(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = NULL;
	bool fired = true;
	long n;

	(void)state;
	for (n = 0; fired; n++) {
		unsigned long bytes = nt_pool_bytes();

		nt_fault_arm(n);
		vnr = make_view(nr, u"\\server\\share");
		fired = nt_fault_disarm();
		CHECK((vnr == NULL) == fired);
		if (fired) {
			CHECK_EQUAL(nt_pool_bytes(), bytes);
			CHECK(nr->NodeReferenceCount == 1 && nr->NumberOfVirtualNetRoots == 0);
		}
	}
	CHECK(n > 2);
	CHECK(make_view(nr, u"\\server\\share") == NULL);
	CHECK(nr->NodeReferenceCount == 2 && nr->NumberOfVirtualNetRoots == 1);
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, FALSE));
}

/* ---- finalization of a share ---- */

/* Recursive: a file that only its table remembers goes, orphaned or not, and the share with it; else it keeps the share. */
static void test_B_RxFinalizeNetRoot_04_recursive_purges_files(void **state)
{
	FIXTURE_NAME(name, u"\\orphaned");
	FIXTURE_NAME(second, u"\\used");
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\server\\share");
	PFCB fcb = leave_unused_fcb(vnr, &name), used = fixture_fcb(rxc, vnr, &second);

	(void)state;
	RxReleaseFcb(rxc, used);
	fcb->FcbState |= FCB_STATE_ORPHANED;
	RxReferenceNetRoot(nr);
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, FALSE));
	RxDereferenceNetRoot(nr, LHS_LockNotHeld);
	CHECK_EQUAL(nr->NodeReferenceCount, 3); /* the table and two files */
	CHECK(!RxFinalizeNetRoot(nr, FALSE, FALSE));
	CHECK(nt_pool_is_live(fcb));
	CHECK(!RxFinalizeNetRoot(nr, TRUE, FALSE)); /* one is in use */
	CHECK(!nt_pool_is_live(fcb) && nt_pool_is_live(used));
	CHECK(!(nr->Flags & NETROOT_FLAG_FINALIZATION_IN_PROGRESS) && share_seen.calls == 0);

	CHECK_EQUAL(RxDereferenceNetFcb(used), 1);
	CHECK(RxFinalizeNetRoot(nr, TRUE, FALSE));
	CHECK(!nt_pool_is_live(used) && !nt_pool_is_live(nr));
	CHECK_EQUAL(share_seen.calls, 1);
}

/* The dereference that leaves the table's reference alone finalizes; the one before does not. */
static void test_B_RxFinalizeNetRoot_05_at_one(void **state)
{
	PNET_ROOT nr = make_share(0);

	(void)state;
	RxReferenceNetRoot(nr);
	RxReferenceNetRoot(nr);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	CHECK(share_seen.calls == 0 && nr->NodeReferenceCount == 2);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(share_seen.calls, 1);
	CHECK(share_seen.instance == nr && share_seen.live && share_seen.locked);
	CHECK(!nt_pool_is_live(nr));
}

/* With the last of its views, not with the first. */
static void test_B_MRxFinalizeNetRoot_01_after_the_last_view(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT a = make_view(nr, u"\\server\\share"), b = make_view(nr, u"\\;b:1\\server\\share");

	(void)state;
	CHECK(RxFinalizeVNetRoot(a, TRUE, FALSE));
	CHECK(view_seen.calls == 1 && share_seen.calls == 0);
	CHECK(RxFinalizeVNetRoot(b, TRUE, FALSE));
	CHECK(view_seen.calls == 2 && share_seen.calls == 1);
	CHECK(share_seen.instance == nr && share_seen.live && share_seen.locked);
}

/* FALSE, also when RDBSS is forced itself. */
static void test_B_MRxFinalizeNetRoot_02_never_forced(void **state)
{
	(void)state;
	for (BOOLEAN force = FALSE; force <= TRUE; force++) {
		share_seen.force = 99;
		CHECK(RxFinalizeNetRoot(make_share(0), TRUE, force));
		CHECK_EQUAL(share_seen.force, FALSE);
	}
	CHECK_EQUAL(share_seen.calls, 2);
}

/* A driver that fails stops nothing: the memory goes, the name is free, the server is given up. */
static void test_B_MRxFinalizeNetRoot_03_status_is_ignored(void **state)
{
	PNET_ROOT nr = make_share(0);

	(void)state;
	recorder.finalize_status = STATUS_UNSUCCESSFUL;
	CHECK(RxFinalizeNetRoot(nr, TRUE, FALSE));
	CHECK(share_seen.calls == 1 && !nt_pool_is_live(nr));
	CHECK_EQUAL(sc->NodeReferenceCount, 2);
	nr = make_share(0);
	CHECK(nr != NULL && RxFinalizeNetRoot(nr, TRUE, FALSE));
}

/* ---- finalization of a view ---- */

/* At count 2 and unforced: FALSE, and the view is as before. */
static void test_B_RxFinalizeVNetRoot_02_in_use(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\server\\share");

	(void)state;
	RxReferenceVNetRoot(vnr);
	CHECK(!RxFinalizeVNetRoot(vnr, TRUE, FALSE));
	CHECK(!vnr->UpperFinalizationDone && view_seen.calls == 0);
	CHECK(nr->NumberOfVirtualNetRoots == 1 && vnr->NodeReferenceCount == 2);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(view_seen.calls, 1);
}

/* Every file of the share is looked at: opens through this view are orphaned, those through another are not. */
static void test_B_RxFinalizeVNetRoot_03_orphans_its_opens(void **state)
{
	FIXTURE_NAME(one, u"\\one");
	FIXTURE_NAME(two, u"\\two");
	FIXTURE_NAME(three, u"\\three");
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\server\\share"), other = make_view(nr, u"\\;o:1\\server\\share");
	PSRV_OPEN mine[2] = {open_file(vnr, &one), open_file(vnr, &two)};
	PSRV_OPEN shared = open_file(other, &two), theirs = open_file(other, &three);

	(void)state;
	RxReferenceVNetRoot(vnr);
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, TRUE));
	CHECK((mine[0]->Flags & SRVOPEN_FLAG_ORPHANED) && (mine[1]->Flags & SRVOPEN_FLAG_ORPHANED));
	CHECK(!(shared->Flags & SRVOPEN_FLAG_ORPHANED) && !(theirs->Flags & SRVOPEN_FLAG_ORPHANED));
	/* a file is an orphan when all of its opens are */
	CHECK(mine[0]->pFcb->FcbState & FCB_STATE_ORPHANED);
	CHECK(!(shared->pFcb->FcbState & FCB_STATE_ORPHANED));
	CHECK(!(theirs->pFcb->FcbState & FCB_STATE_ORPHANED));

	close_file(mine[0]);
	close_file(mine[1]);
	close_file(shared);
	close_file(theirs);
	fixture_unlock();
	RxScavengeAllFobxs(recorder_device);
	fixture_lock();
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK(RxFinalizeVNetRoot(other, TRUE, FALSE));
}

/* A view whose opens were orphaned before is not walked again. */
static void test_B_RxFinalizeVNetRoot_04_orphaned_once(void **state)
{
	FIXTURE_NAME(one, u"\\one");
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\server\\share");
	PSRV_OPEN so = open_file(vnr, &one);

	(void)state;
	RxReferenceVNetRoot(vnr);
	vnr->UpperFinalizationDone = TRUE;
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, TRUE));
	CHECK(!(so->Flags & SRVOPEN_FLAG_ORPHANED));
	CHECK_EQUAL(view_seen.calls, 1);
	close_file(so);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
}

/* The driver sees the view whole; afterwards it is gone. */
static void test_B_RxFinalizeVNetRoot_05_call_down_before_the_end(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\server\\share");

	(void)state;
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, FALSE));
	CHECK_EQUAL(view_seen.calls, 1);
	CHECK(view_seen.instance == vnr && view_seen.live && view_seen.locked);
	CHECK(!nt_pool_is_live(vnr));
}

/* Also when a connection is ended on request, and when all views of a share are. */
static void test_B_RxFinalizeVNetRoot_06_on_request(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT a = make_view(nr, u"\\server\\share"), b = make_view(nr, u"\\;b:1\\server\\share"), c;

	(void)state;
	RxReferenceVNetRoot(a);
	fixture_unlock();
	CHECK_EQUAL(RxFinalizeConnection(nr, a, FALSE), STATUS_SUCCESS);
	fixture_lock();
	CHECK(view_seen.calls == 1 && view_seen.instance == a && a->ConnectionFinalizationDone);
	RxDereferenceVNetRoot(a, LHS_ExclusiveLockHeld);

	c = make_view(nr, u"\\;c:1\\server\\share");
	RxReferenceVNetRoot(b);
	RxReferenceVNetRoot(c);
	RxForceFinalizeAllVNetRoots(nr);
	CHECK(view_seen.calls == 3 && b->ConnectionFinalizationDone && c->ConnectionFinalizationDone);
	RxDereferenceVNetRoot(b, LHS_ExclusiveLockHeld);
	RxDereferenceVNetRoot(c, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(view_seen.calls, 3);
}

/* Refused in use and done when unused, with RecursiveFinalize and without; no file of the share is finalized by it. */
static void test_B_RxFinalizeVNetRoot_07_recursive_has_no_effect(void **state)
{
	FIXTURE_NAME(name, u"\\unused");
	PNET_ROOT nr = make_share(0);

	(void)state;
	RxReferenceNetRoot(nr);
	for (BOOLEAN recursive = FALSE; recursive <= TRUE; recursive++) {
		PV_NET_ROOT vnr = make_view(nr, u"\\server\\share");
		PFCB fcb = leave_unused_fcb(vnr, &name);
		LONG calls = view_seen.calls;

		RxReferenceVNetRoot(vnr);
		CHECK(!RxFinalizeVNetRoot(vnr, recursive, FALSE));
		(void)InterlockedDecrement(&vnr->NodeReferenceCount);
		CHECK(RxFinalizeVNetRoot(vnr, recursive, FALSE));
		CHECK_EQUAL(view_seen.calls, calls + 1);
		CHECK(!nt_pool_is_live(vnr) && nt_pool_is_live(fcb));
		CHECK_EQUAL(nr->NumberOfFcbs, 1);
		rx_net_root_purge_unused_fcbs(nr);
	}
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
}

/* The dereference that leaves the table's reference alone finalizes; the one before does not. */
static void test_B_RxFinalizeVNetRoot_08_at_one(void **state)
{
	PV_NET_ROOT vnr = make_view(make_share(0), u"\\server\\share");

	(void)state;
	RxReferenceVNetRoot(vnr);
	RxReferenceVNetRoot(vnr);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK(view_seen.calls == 0 && vnr->NodeReferenceCount == 2);
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	CHECK(view_seen.calls == 1 && !nt_pool_is_live(vnr));
}

/* After the driver: the credentials and the view are gone, and the share has lost one reference. */
static void test_B_MRxFinalizeVNetRoot_01_what_follows(void **state)
{
	PNET_ROOT nr = make_share(0);
	PVOID credentials;
	PV_NET_ROOT vnr;

	(void)state;
	RxReferenceNetRoot(nr);
	RtlInitUnicodeString(&rxc->Create.Password, u"p4ssw0rd");
	vnr = make_view(nr, u"\\server\\share");
	RtlZeroMemory(&rxc->Create.Password, sizeof(UNICODE_STRING));
	credentials = vnr->CredentialMemory;
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, FALSE));
	CHECK(view_seen.live && view_seen.references == 3);
	CHECK(!nt_pool_is_live(vnr) && !nt_pool_is_live(credentials));
	CHECK(nr->NodeReferenceCount == 2 && nr->NumberOfVirtualNetRoots == 0 && nr->DefaultVNetRoot == NULL);
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
}

/* FALSE, also when RDBSS is forced itself. */
static void test_B_MRxFinalizeVNetRoot_02_never_forced(void **state)
{
	(void)state;
	for (BOOLEAN force = FALSE; force <= TRUE; force++) {
		view_seen.force = 99;
		CHECK(RxFinalizeVNetRoot(make_view(make_share(0), u"\\server\\share"), TRUE, force));
		CHECK_EQUAL(view_seen.force, FALSE);
	}
	CHECK_EQUAL(view_seen.calls, 2);
}

/* A driver that fails stops nothing. */
static void test_B_MRxFinalizeVNetRoot_03_status_is_ignored(void **state)
{
	PNET_ROOT nr = make_share(0);
	PV_NET_ROOT vnr = make_view(nr, u"\\server\\share");

	(void)state;
	recorder.finalize_status = STATUS_UNSUCCESSFUL;
	CHECK(RxFinalizeVNetRoot(vnr, TRUE, FALSE));
	CHECK(view_seen.calls == 1 && !nt_pool_is_live(vnr) && !nt_pool_is_live(nr));
}

#define LOCKED(fn) cmocka_unit_test_setup_teardown(fn, each_begin, each_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCKED(test_B_RxCreateNetRoot_04_low_half_is_the_drivers),
		LOCKED(test_B_RxCreateNetRoot_06_failure),
		LOCKED(test_B_RxCreateVNetRoot_04_file_path_has_no_effect),
		LOCKED(test_B_RxCreateVNetRoot_05_failure),
		LOCKED(test_B_RxFinalizeNetRoot_04_recursive_purges_files),
		LOCKED(test_B_RxFinalizeNetRoot_05_at_one),
		LOCKED(test_B_MRxFinalizeNetRoot_01_after_the_last_view),
		LOCKED(test_B_MRxFinalizeNetRoot_02_never_forced),
		LOCKED(test_B_MRxFinalizeNetRoot_03_status_is_ignored),
		LOCKED(test_B_RxFinalizeVNetRoot_02_in_use),
		LOCKED(test_B_RxFinalizeVNetRoot_03_orphans_its_opens),
		LOCKED(test_B_RxFinalizeVNetRoot_04_orphaned_once),
		LOCKED(test_B_RxFinalizeVNetRoot_05_call_down_before_the_end),
		LOCKED(test_B_RxFinalizeVNetRoot_06_on_request),
		LOCKED(test_B_RxFinalizeVNetRoot_07_recursive_has_no_effect),
		LOCKED(test_B_RxFinalizeVNetRoot_08_at_one),
		LOCKED(test_B_MRxFinalizeVNetRoot_01_what_follows),
		LOCKED(test_B_MRxFinalizeVNetRoot_02_never_forced),
		LOCKED(test_B_MRxFinalizeVNetRoot_03_status_is_ignored),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
