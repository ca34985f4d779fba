/*
 * test_file.c - FCB, SRV_OPEN and FOBX: one allocation, embedded storage, counts, both stages of finalization.
 * Rows B-RxCreateNetFcb, B-RxFinalizeNetFcb, B-RxCreateSrvOpen, B-RxFinalizeSrvOpen, B-RxCreateNetFobx, ...
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
static PRX_CONTEXT rxc;

static int begin(void **state)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;

	(void)fixture_begin(state);
	recorder.srv_call_flags = SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES;
	vnr = fixture_connect(&name, &status);
	CHECK_EQUAL(status, STATUS_SUCCESS);
	rxc = fixture_context();
	return 0;
}

static int end(void **state)
{
	CHECK_EQUAL(recorder_device->NumberOfActiveFcbs, 0);
	CHECK_EQUAL(vnr->pNetRoot->NumberOfFcbs, 0);
	CHECK_EQUAL(vnr->pNetRoot->NumberOfSrvOpens, 0);
	CHECK_EQUAL(vnr->NumberOfFobxs, 0);
	CHECK_EQUAL(vnr->NodeReferenceCount, 2);
	fixture_context_end(rxc);
	fixture_disconnect(vnr);
	return fixture_end(state);
}

static bool is_within(const void *p, const void *base, size_t bytes)
{
	return (const char *)p >= (const char *)base && (const char *)p < (const char *)base + bytes;
}

/* One allocation carries FCB, SRV_OPEN and FOBX; with a typical name within 1.5 KiB. */
static void test_B_RxCreateNetFcb_01_one_allocation(void **state)
{
	FIXTURE_NAME(name, u"\\a directory\\another one\\some file name.txt");
	unsigned long before = nt_pool_bytes();
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	unsigned long used = nt_pool_bytes() - before;
	PSRV_OPEN so;
	PMRX_FOBX fobx;

	(void)state;
	/* the first FCB of a share also makes its table's buckets */
	CHECK(used <= 1536 + 32 * sizeof(LIST_ENTRY));
	before = nt_pool_bytes();
	so = RxCreateSrvOpen(vnr, fcb);
	fobx = RxCreateNetFobx(rxc, &so->Mrx);
	CHECK_EQUAL(nt_pool_bytes(), before);
	CHECK(so == fcb->InternalSrvOpen && fobx == &fcb->InternalFobx->Mrx);
	CHECK(is_within(so, fcb, used) && is_within(fobx, fcb, used) &&
	      is_within(fcb->FcbTableEntry.Path.Buffer, fcb, used));
	CHECK(so->Context != NULL && fobx->Context != NULL && fcb->Context != NULL);
	fixture_check_objects();
	RxDereferenceNetFobx((PFOBX)fobx, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* The FCB is found by its name, in any case where the server's rule says so; it is one per name. */
static void test_B_RxCreateNetFcb_02_found_by_name(void **state)
{
	FIXTURE_NAME(name, u"\\File");
	FIXTURE_NAME(other, u"\\fILE");
	PFCB fcb = fixture_fcb(rxc, vnr, &name), again;

	(void)state;
	CHECK_EQUAL(fcb->NodeReferenceCount, 2);
	CHECK_EQUAL(vnr->pNetRoot->NumberOfFcbs, 1);
	again = fixture_fcb(rxc, vnr, &other);
	CHECK(again == fcb);
	CHECK_EQUAL(fcb->NodeReferenceCount, 3);
	CHECK(!fixture_fcb_end(rxc, again));
	CHECK(fixture_fcb_end(rxc, fcb));
	CHECK_EQUAL(recorder.count[REC_DEALLOCATE_FOR_FCB] > 0, 1);
}

/* The prefix of the view is put in front of the name. */
static void test_B_RxCreateNetFcb_03_prefix(void **state)
{
	FIXTURE_NAME(prefix, u"\\base");
	FIXTURE_NAME(name, u"\\f");
	FIXTURE_NAME(full, u"\\base\\f");
	PFCB fcb;

	(void)state;
	vnr->NamePrefix = prefix;
	fcb = fixture_fcb(rxc, vnr, &name);
	RtlZeroMemory(&vnr->NamePrefix, sizeof(vnr->NamePrefix));
	CHECK(RtlEqualUnicodeString(&fcb->FcbTableEntry.Path, &full, FALSE));
	CHECK(RtlEqualUnicodeString(GET_ALREADY_PREFIXED_NAME(NULL, fcb), &full, FALSE));
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* A flag of the create is copied to the FCB. */
static void test_B_RxCreateNetFcb_06_added_backslash(void **state)
{
	FIXTURE_NAME(name, u"\\");
	PFCB fcb;

	(void)state;
	rxc->Create.Flags = RX_CONTEXT_CREATE_FLAG_ADDEDBACKSLASH;
	fcb = fixture_fcb(rxc, vnr, &name);
	rxc->Create.Flags = 0;
	CHECK(fcb->FcbState & FCB_STATE_ADDEDBACKSLASH);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* While a file is open the FCB stays, whatever its count. */
static void test_B_RxFinalizeNetFcb_02_open_files(void **state)
{
	FIXTURE_NAME(name, u"\\open");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);

	(void)state;
	fcb->OpenCount = 1;
	CHECK(!fixture_fcb_end(rxc, fcb));
	CHECK_EQUAL(fcb->NodeReferenceCount, 1);
	fcb->OpenCount = 0;
	(void)fixture_fcb(rxc, vnr, &name);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* Recursive: opens and file objects go first, then the FCB. */
static void test_B_RxFinalizeSrvOpen_04_05_recursive(void **state)
{
	FIXTURE_NAME(name, u"\\tree");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = RxCreateSrvOpen(vnr, fcb);
	LONG fobxs = recorder.count[REC_DEALLOCATE_FOR_FOBX];

	(void)state;
	so->Condition = Condition_Good;
	CHECK(RxCreateNetFobx(rxc, &so->Mrx) != NULL);
	CHECK(RxCreateNetFobx(rxc, &so->Mrx) != NULL);
	/* give up what the objects' users would: then nothing but the parents hold them */
	so->NodeReferenceCount -= 1;
	for (PLIST_ENTRY l = so->FobxList.Flink; l != &so->FobxList; l = l->Flink)
		CONTAINING_RECORD(l, FOBX, FobxQLinks)->NodeReferenceCount = 0;
	CHECK(RxFinalizeSrvOpen(so, TRUE, FALSE));
	CHECK_EQUAL(recorder.count[REC_DEALLOCATE_FOR_FOBX], fobxs + 2);
	CHECK(IsListEmpty(&fcb->SrvOpenList));
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* The embedded SRV_OPEN is used while it is free; then one is allocated, with room for a FOBX; then reused. */
static void test_B_RxCreateSrvOpen_02_03_storage(void **state)
{
	FIXTURE_NAME(name, u"\\storage");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN first = RxCreateSrvOpen(vnr, fcb), second = RxCreateSrvOpen(vnr, fcb), third;
	ULONG references = vnr->NodeReferenceCount;

	(void)state;
	CHECK(first == fcb->InternalSrvOpen && second != NULL && second != first);
	CHECK(NodeType(first) == RDBSS_NTC_INTERNAL_SRVOPEN && NodeType(second) == RDBSS_NTC_SRVOPEN);
	CHECK(second->InternalFobx != NULL);
	CHECK_EQUAL(fcb->NodeReferenceCount, 4);
	CHECK_EQUAL(vnr->pNetRoot->NumberOfSrvOpens, 2);
	RxDereferenceSrvOpen(first, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(vnr->NodeReferenceCount, references - 1);
	third = RxCreateSrvOpen(vnr, fcb);
	CHECK(third == first);
	RxDereferenceSrvOpen(third, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(second, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* FOBX storage: the FCB's, then the SRV_OPEN's, then an allocation; and what a new one looks like. */
static void test_B_RxCreateNetFobx_02_to_11(void **state)
{
	FIXTURE_NAME(name, u"\\fobx");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN first = RxCreateSrvOpen(vnr, fcb), second = RxCreateSrvOpen(vnr, fcb);
	PFOBX a = (PFOBX)RxCreateNetFobx(rxc, &second->Mrx);
	PFOBX b = (PFOBX)RxCreateNetFobx(rxc, &second->Mrx);
	PFOBX c = (PFOBX)RxCreateNetFobx(rxc, &second->Mrx);

	(void)state;
	CHECK(a == fcb->InternalFobx && b == second->InternalFobx && c != a && c != b);
	CHECK((a->Flags & FOBX_FLAG_ENCLOSED_ALLOCATED) && (b->Flags & FOBX_FLAG_ENCLOSED_ALLOCATED));
	CHECK(!(c->Flags & FOBX_FLAG_ENCLOSED_ALLOCATED));
	CHECK(a->NodeReferenceCount == 1 && a->FobxSerialNumber == 0 && !a->fOpenCountDecremented);
	CHECK(a->pSrvOpen == &second->Mrx && rxc->pFobx == &c->Mrx);
	CHECK(a->Context != NULL && b->Context != NULL && c->Context != NULL);
	CHECK_EQUAL(second->NodeReferenceCount, 4);
	CHECK_EQUAL(vnr->NumberOfFobxs, 3);
	RtlFillMemory(b->Context, recorder_dispatch.MRxFobxSize, 0xff); /* the whole extension is there */
	RxDereferenceNetFobx(b, LHS_ExclusiveLockHeld);
	b = (PFOBX)RxCreateNetFobx(rxc, &second->Mrx);
	CHECK(b == second->InternalFobx && *(PUCHAR)b->Context == 0); /* zeroed again */
	fixture_check_objects();
	RxDereferenceNetFobx(a, LHS_ExclusiveLockHeld);
	RxDereferenceNetFobx(b, LHS_ExclusiveLockHeld);
	RxDereferenceNetFobx(c, LHS_ExclusiveLockHeld);
	CHECK_EQUAL(vnr->NumberOfFobxs, 0);
	RxDereferenceSrvOpen(first, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(second, LHS_ExclusiveLockHeld);
	rxc->pFobx = NULL;
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* Unforced, a referenced FOBX or SRV_OPEN stays; an empty slot of the driver is no error. */
static void test_B_RxFinalizeNetFobx_02_04(void **state)
{
	FIXTURE_NAME(name, u"\\kept");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = RxCreateSrvOpen(vnr, fcb);
	PFOBX fobx = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);

	(void)state;
	CHECK(!RxFinalizeNetFobx(fobx, TRUE, FALSE));
	CHECK(!RxFinalizeSrvOpen(so, FALSE, FALSE));
	recorder_dispatch.MRxDeallocateForFobx = NULL;
	RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
	so->Condition = Condition_Good;
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(IsListEmpty(&fcb->SrvOpenList));
	rxc->pFobx = NULL;
	CHECK(fixture_fcb_end(rxc, fcb));
}

static LONG force_closed_calls(RX_BLOCK_CONDITION condition, ULONG flags, ULONG fcb_state)
{
	FIXTURE_NAME(name, u"\\force");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	PSRV_OPEN so = RxCreateSrvOpen(vnr, fcb);
	LONG before = recorder.count[REC_FORCE_CLOSED];
	LONG calls;

	so->Condition = condition;
	so->Flags |= flags;
	fcb->FcbState |= fcb_state;
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	calls = recorder.count[REC_FORCE_CLOSED] - before;
	fcb->FcbState &= ~fcb_state;
	CHECK(fixture_fcb_end(rxc, fcb));
	return calls;
}

/* E-03: MRxForceClosed when the open is not good or is marked closed, and never for an orphaned file. */
static void test_B_MRxForceClosed_02_and_B_RxFinalizeSrvOpen_06_07(void **state)
{
	(void)state;
	CHECK_EQUAL(force_closed_calls(Condition_Good, 0, 0), 0);
	CHECK_EQUAL(force_closed_calls(Condition_Bad, 0, 0), 1);
	CHECK_EQUAL(force_closed_calls(Condition_Good, SRVOPEN_FLAG_CLOSED, 0), 1);
	CHECK_EQUAL(force_closed_calls(Condition_Bad, SRVOPEN_FLAG_CLOSED, FCB_STATE_ORPHANED), 0);
	recorder.force_closed_status = STATUS_NOT_IMPLEMENTED; /* B-MRxForceClosed-03 */
	CHECK_EQUAL(force_closed_calls(Condition_Bad, 0, 0), 1);
	recorder_dispatch.MRxForceClosed = NULL;
	CHECK_EQUAL(force_closed_calls(Condition_Bad, 0, 0), 0);
}

/* RxpReferenceNetFcb and RxpDereferenceNetFcb answer the count, and the second never finalizes. */
static void test_B_RxpDereferenceNetFcb_01_02(void **state)
{
	FIXTURE_NAME(name, u"\\count");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);

	(void)state;
	CHECK_EQUAL(RxReferenceNetFcb(fcb), 3);
	CHECK_EQUAL(RxDereferenceNetFcb(fcb), 2);
	CHECK_EQUAL(RxDereferenceNetFcb(fcb), 1);
	CHECK_EQUAL(RxReferenceNetFcb(fcb), 2);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* The init packet is applied once; NULL leaves things alone; a mailslot is zeroed (E-42). */
static void test_B_RxFinishFcbInitialization_02_to_06(void **state)
{
	FIXTURE_NAME(name, u"\\init");
	PFCB fcb = fixture_fcb(rxc, vnr, &name);
	ULONG attributes = FILE_ATTRIBUTE_ARCHIVE, links = 3;
	LARGE_INTEGER t = {.QuadPart = 1234567}, size = {.QuadPart = 5000000000LL};
	FCB_INIT_PACKET packet;
	LONGLONG read;

	(void)state;
	RxFinishFcbInitialization(&fcb->Mrx, FileTypeFile, NULL);
	CHECK(NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_FILE && fcb->Condition == Condition_Good);
	CHECK(!(fcb->FcbState & FCB_STATE_TIME_AND_SIZE_ALREADY_SET));
	RxFormInitPacket(packet, &attributes, &links, &t, &t, &t, &t, &size, &size, &size);
	RxFinishFcbInitialization(&fcb->Mrx, FileTypeNotYetKnown, &packet);
	CHECK(NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_FILE); /* not knowing takes nothing away */
	CHECK(fcb->Attributes == attributes && fcb->NumberOfLinks == 3 &&
	      fcb->LastChangeTime.QuadPart == t.QuadPart);
	CHECK(fcb->ActualAllocationLength == (ULONGLONG)size.QuadPart &&
	      fcb->Header.ValidDataLength.QuadPart == size.QuadPart);
	CHECK(fcb->FcbState & FCB_STATE_TIME_AND_SIZE_ALREADY_SET);
	size.QuadPart = 1;
	RxFinishFcbInitialization(&fcb->Mrx, FileTypeFile, &packet);
	RxGetFileSizeWithLock(fcb, &read);
	CHECK_EQUAL(read, 5000000000LL);
	fcb->FcbState &= ~(ULONG)FCB_STATE_TIME_AND_SIZE_ALREADY_SET;
	RxFinishFcbInitialization(&fcb->Mrx, (RX_FILE_TYPE)(RDBSS_NTC_MAILSLOT & 0xff), &packet);
	CHECK(NodeType(fcb) == RDBSS_NTC_MAILSLOT && fcb->Header.FileSize.QuadPart == 0 &&
	      fcb->Attributes == 0);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* What the create options say about the type. */
static void test_B_RxInferFileType_01_to_03(void **state)
{
	(void)state;
	rxc->Create.NtCreateParameters.CreateOptions = FILE_DIRECTORY_FILE;
	CHECK_EQUAL(RxInferFileType(rxc), FileTypeDirectory);
	rxc->Create.NtCreateParameters.CreateOptions = FILE_NON_DIRECTORY_FILE;
	CHECK_EQUAL(RxInferFileType(rxc), FileTypeFile);
	rxc->Create.NtCreateParameters.CreateOptions = 0;
	CHECK_EQUAL(RxInferFileType(rxc), FileTypeNotYetKnown);
}

/* An orphaned file leaves the table, a new open makes a new FCB, and its last user frees it. */
static void test_orphaned_fcb_lives_until_its_last_user(void **state)
{
	FIXTURE_NAME(name, u"\\orphan");
	PRX_FCB_TABLE table = &((PNET_ROOT)vnr->pNetRoot)->FcbTable;
	PFCB fcb = fixture_fcb(rxc, vnr, &name), fresh;
	PSRV_OPEN so = RxCreateSrvOpen(vnr, fcb);

	(void)state;
	so->Condition = Condition_Good;
	RxReleaseFcb(rxc, fcb);
	RxOrphanSrvOpens(vnr);
	CHECK(so->Flags & SRVOPEN_FLAG_ORPHANED);
	CHECK((fcb->FcbState & FCB_STATE_ORPHANED) && fcb->UpperFinalizationDone && fcb->VNetRoot == NULL);
	CHECK_EQUAL(table->NumberOfEntries, 0);
	fixture_check_objects();
	fresh = fixture_fcb(rxc, vnr, &name);
	CHECK(fresh != fcb);
	CHECK(fixture_fcb_end(rxc, fresh));
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* After a rename the FCB is found under its new path only. */
static void test_rename_moves_the_entry(void **state)
{
	FIXTURE_NAME(name, u"\\old");
	FIXTURE_NAME(to, u"\\a new name");
	PRX_FCB_TABLE table = &((PNET_ROOT)vnr->pNetRoot)->FcbTable;
	PFCB fcb = fixture_fcb(rxc, vnr, &name), found;

	(void)state;
	RxReleaseFcb(rxc, fcb);
	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	CHECK_EQUAL(rx_fcb_rename_locked(fcb, &to), STATUS_SUCCESS);
	CHECK_EQUAL(rx_fcb_rename_locked(fcb, &to), STATUS_SUCCESS);
	CHECK(RxFcbTableLookupFcb(table, &name) == NULL);
	found = RxFcbTableLookupFcb(table, &to);
	CHECK(found == fcb);
	(void)RxDereferenceNetFcb(found);
	RxReleaseFcbTableLock(table);
	CHECK(fixture_fcb_end(rxc, fcb));
}

/* A failed allocation at any point of an open leaves nothing behind. */
static void test_open_survives_each_allocation_failure(void **state)
{
	FIXTURE_NAME(name, u"\\poor");
	PRX_FCB_TABLE table = &((PNET_ROOT)vnr->pNetRoot)->FcbTable;
	unsigned long bytes = 0;
	bool fired = true;

	(void)state;
	/* the first turn, without a failure, warms up what outlives an open */
	for (long n = -1; fired; n++) {
		PSRV_OPEN so[3] = {NULL};
		PMRX_FOBX fobx[3] = {NULL};
		PFCB fcb;

		CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
		nt_fault_arm(n >= 0 ? n : 1000);
		fcb = RxCreateNetFcb(rxc, NULL, vnr, &name);
		if (fcb != NULL) {
			CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
			for (int i = 0; i < 3; i++)
				so[i] = RxCreateSrvOpen(vnr, fcb);
			for (int i = 0; i < 3; i++)
				fobx[i] = so[1] != NULL ? RxCreateNetFobx(rxc, &so[1]->Mrx) : NULL;
		}
		fired = nt_fault_disarm() || n < 0;
		RxReleaseFcbTableLock(table);
		for (int i = 0; i < 3; i++)
			if (fobx[i] != NULL)
				RxDereferenceNetFobx((PFOBX)fobx[i], LHS_ExclusiveLockHeld);
		for (int i = 0; i < 3; i++)
			if (so[i] != NULL)
				RxDereferenceSrvOpen(so[i], LHS_ExclusiveLockHeld);
		rxc->pFobx = NULL;
		CHECK(fcb == NULL || fixture_fcb_end(rxc, fcb));
		if (n < 0)
			bytes = nt_pool_bytes();
		CHECK_EQUAL(nt_pool_bytes(), bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxCreateNetFcb_01_one_allocation),
		cmocka_unit_test(test_B_RxCreateNetFcb_02_found_by_name),
		cmocka_unit_test(test_B_RxCreateNetFcb_03_prefix),
		cmocka_unit_test(test_B_RxCreateNetFcb_06_added_backslash),
		cmocka_unit_test(test_B_RxFinalizeNetFcb_02_open_files),
		cmocka_unit_test(test_B_RxFinalizeSrvOpen_04_05_recursive),
		cmocka_unit_test(test_B_RxCreateSrvOpen_02_03_storage),
		cmocka_unit_test(test_B_RxCreateNetFobx_02_to_11),
		cmocka_unit_test(test_B_RxpDereferenceNetFcb_01_02),
		cmocka_unit_test(test_B_RxFinishFcbInitialization_02_to_06),
		cmocka_unit_test(test_B_RxInferFileType_01_to_03),
		cmocka_unit_test(test_orphaned_fcb_lives_until_its_last_user),
		cmocka_unit_test(test_rename_moves_the_entry),
		cmocka_unit_test(test_open_survives_each_allocation_failure),
		cmocka_unit_test(test_B_RxFinalizeNetFobx_02_04),
		cmocka_unit_test(test_B_MRxForceClosed_02_and_B_RxFinalizeSrvOpen_06_07),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
