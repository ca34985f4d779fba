/*
 * test_by_request.c - the life of the objects as requests drive it: who makes what, when the driver hears of it, and the
 * locks of two tables at once. Linked with --wrap for the routines whose callers are looked at.
 */
#include "../support/rec.h"

#include "core/object/object.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static PRX_PREFIX_TABLE names(void)
{
	return rec.device->pRxNetNameTable;
}

static PRX_FCB_TABLE files_of(PFILE_OBJECT file)
{
	return &((PNET_ROOT)fcb_of(file)->pNetRoot)->FcbTable;
}

static void pause_ms(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
}

/* ---- wrapped ---- */

static volatile LONG inferred;

RX_FILE_TYPE __real_RxInferFileType(PRX_CONTEXT rxc);
RX_FILE_TYPE __wrap_RxInferFileType(PRX_CONTEXT rxc);
RX_FILE_TYPE __wrap_RxInferFileType(PRX_CONTEXT rxc)
{
	(void)InterlockedIncrement(&inferred);
	return __real_RxInferFileType(rxc);
}

/* The FCBs made and finished, in order. */
static char made_and_finished[8];

PFCB __real_RxCreateNetFcb(PRX_CONTEXT rxc, PIRP irp, PV_NET_ROOT vnr, PUNICODE_STRING name);
PFCB __wrap_RxCreateNetFcb(PRX_CONTEXT rxc, PIRP irp, PV_NET_ROOT vnr, PUNICODE_STRING name);
PFCB __wrap_RxCreateNetFcb(PRX_CONTEXT rxc, PIRP irp, PV_NET_ROOT vnr, PUNICODE_STRING name)
{
	strncat(made_and_finished, "C", sizeof(made_and_finished) - strlen(made_and_finished) - 1);
	return __real_RxCreateNetFcb(rxc, irp, vnr, name);
}

VOID __real_RxFinishFcbInitialization(PMRX_FCB fcb, RX_FILE_TYPE type, PFCB_INIT_PACKET packet);
VOID __wrap_RxFinishFcbInitialization(PMRX_FCB fcb, RX_FILE_TYPE type, PFCB_INIT_PACKET packet);
VOID __wrap_RxFinishFcbInitialization(PMRX_FCB fcb, RX_FILE_TYPE type, PFCB_INIT_PACKET packet)
{
	strncat(made_and_finished, "F", sizeof(made_and_finished) - strlen(made_and_finished) - 1);
	__real_RxFinishFcbInitialization(fcb, type, packet);
}

/* The two tables whose order is watched; NULL: none. */
static struct {
	PERESOURCE names, files;
	volatile LONG both, wrong_order, wrong_release;
} order;

static void order_before_acquire(PERESOURCE resource)
{
	if (order.names == NULL)
		return;
	if (resource == order.names && !ExIsResourceAcquiredSharedLite(order.names) &&
	    ExIsResourceAcquiredSharedLite(order.files))
		(void)InterlockedIncrement(&order.wrong_order);
	if (resource == order.files && ExIsResourceAcquiredSharedLite(order.names))
		(void)InterlockedIncrement(&order.both);
}

BOOLEAN __real_ExAcquireResourceExclusiveLite(PERESOURCE resource, BOOLEAN wait);
BOOLEAN __wrap_ExAcquireResourceExclusiveLite(PERESOURCE resource, BOOLEAN wait);
BOOLEAN __wrap_ExAcquireResourceExclusiveLite(PERESOURCE resource, BOOLEAN wait)
{
	order_before_acquire(resource);
	return __real_ExAcquireResourceExclusiveLite(resource, wait);
}

BOOLEAN __real_ExAcquireResourceSharedLite(PERESOURCE resource, BOOLEAN wait);
BOOLEAN __wrap_ExAcquireResourceSharedLite(PERESOURCE resource, BOOLEAN wait);
BOOLEAN __wrap_ExAcquireResourceSharedLite(PERESOURCE resource, BOOLEAN wait)
{
	order_before_acquire(resource);
	return __real_ExAcquireResourceSharedLite(resource, wait);
}

VOID __real_ExReleaseResourceLite(PERESOURCE resource);
VOID __wrap_ExReleaseResourceLite(PERESOURCE resource);
VOID __wrap_ExReleaseResourceLite(PERESOURCE resource)
{
	__real_ExReleaseResourceLite(resource);
	if (order.names != NULL && resource == order.names && !ExIsResourceAcquiredSharedLite(order.names) &&
	    ExIsResourceAcquiredSharedLite(order.files))
		(void)InterlockedIncrement(&order.wrong_release);
}

/* ---- who makes what ---- */

static struct {
	bool asked;
	LONG calls;
	PMRX_FOBX fobx;
} made;

/* Before the driver has done anything: RDBSS has made all of it but the FOBX. */
static NTSTATUS look_before_open(PRX_CONTEXT rxc)
{
	PSRV_OPEN so = (PSRV_OPEN)rxc->pRelevantSrvOpen;

	made.asked = true;
	assert_int_equal(NodeType(rxc->Create.pSrvCall), RDBSS_NTC_SRVCALL);
	assert_int_equal(NodeType(rxc->Create.pNetRoot), RDBSS_NTC_NETROOT);
	assert_int_equal(NodeType(rxc->Create.pVNetRoot), RDBSS_NTC_V_NETROOT);
	assert_true(NodeTypeIsFcb(rxc->pFcb));
	assert_true(NodeType(so) == RDBSS_NTC_SRVOPEN || NodeType(so) == RDBSS_NTC_INTERNAL_SRVOPEN);
	assert_ptr_equal(so->pFcb, rxc->pFcb);
	assert_null(rxc->pFobx);
	assert_true(IsListEmpty(&so->FobxList));
	return STATUS_SUCCESS;
}

static NTSTATUS remember_fobx(PRX_CONTEXT rxc)
{
	made.fobx = rxc->pFobx;
	return STATUS_SUCCESS;
}

/* The file object's record is the one that the driver made while it opened; no other is made for it. */
static void test_B_RxCreateNetFobx_12_called_by_the_driver(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	memset(&made, 0, sizeof(made));
	rec.reparse_hook = look_before_open;
	rec.create_hook = remember_fobx;
	file = file_open(REC_SHARE u"\\a");
	assert_true(made.asked);
	assert_ptr_equal(file->FsContext2, made.fobx);
	assert_int_equal(made.fobx->pSrvOpen->pVNetRoot->NumberOfFobxs, 1);
	file_close(file);
}

static int setup_two_seconds(void **state)
{
	rec.scavenger_s = 2;
	return rec_setup(state);
}

/* All but the FOBX are there when the driver is first asked, and all of them go without its asking for it. */
static void test_B_Object_hierarchy_11_all_but_the_fobx(void **state)
{
	PNET_ROOT nr;
	PFILE_OBJECT file;

	(void)state;
	memset(&made, 0, sizeof(made));
	rec.reparse_hook = look_before_open;
	file = file_open(REC_SHARE u"\\a");
	assert_true(made.asked);
	nr = (PNET_ROOT)fcb_of(file)->pNetRoot;
	RxReferenceNetRoot(nr);
	file_close(file);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	assert_int_equal(RxFinalizeConnection(nr, NULL, FALSE), STATUS_SUCCESS);
	RxDereferenceNetRoot(nr, LHS_LockNotHeld);
	rec_wait_seen(REC_FINALIZE_SC, 1); /* what was given up without the lock is the scavenger's */
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 1);
	assert_int_equal(rec_seen(REC_FINALIZE_NR), 1);
}

static int marks[6];

static NTSTATUS write_drivers_part(PRX_CONTEXT rxc)
{
	rxc->Create.pSrvCall->Context2 = &marks[3];
	rxc->Create.pNetRoot->Context2 = &marks[4];
	rxc->Create.pVNetRoot->Context2 = &marks[5];
	rxc->pFcb->Context2 = &marks[0];
	rxc->pRelevantSrvOpen->Context2 = &marks[1];
	rxc->pFobx->Context2 = &marks[2];
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI close_and_look(PRX_CONTEXT rxc)
{
	PMRX_V_NET_ROOT vnr = rxc->pRelevantSrvOpen->pVNetRoot;

	assert_ptr_equal(rxc->pFcb->Context2, &marks[0]);
	assert_ptr_equal(rxc->pRelevantSrvOpen->Context2, &marks[1]);
	assert_ptr_equal(rxc->pFobx->Context2, &marks[2]);
	assert_ptr_equal(vnr->Context2, &marks[5]);
	assert_ptr_equal(vnr->pNetRoot->Context2, &marks[4]);
	assert_ptr_equal(vnr->pNetRoot->pSrvCall->Context2, &marks[3]);
	made.calls++;
	return STATUS_SUCCESS;
}

/* What a driver writes into the MRX_ part it finds there until the end; RDBSS's part lies behind all of it. */
static void test_B_Object_hierarchy_12_two_parts(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	assert_true(offsetof(SRV_CALL, PrefixEntry) >= sizeof(MRX_SRV_CALL));
	assert_true(offsetof(NET_ROOT, PrefixEntry) >= sizeof(MRX_NET_ROOT));
	assert_true(offsetof(V_NET_ROOT, PrefixEntry) >= sizeof(MRX_V_NET_ROOT));
	assert_true(offsetof(FCB, FcbTableEntry) >= sizeof(MRX_FCB));
	assert_true(offsetof(SRV_OPEN, FobxList) >= sizeof(MRX_SRV_OPEN));
	assert_true(offsetof(FOBX, FobxQLinks) >= sizeof(MRX_FOBX));

	memset(&made, 0, sizeof(made));
	rec.create_hook = write_drivers_part;
	rec.device->Dispatch->MRxCloseSrvOpen = close_and_look;
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_write_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	file_close(file);
	assert_int_equal(made.calls, 1);
}

static NTSTATUS NTAPI open_by_type_of_share(PRX_CONTEXT rxc)
{
	assert_string_equal(made_and_finished, "C"); /* it is new, and nobody has finished it yet */
	assert_int_equal(NodeType(rxc->pFcb), RDBSS_NTC_STORAGE_TYPE_UNKNOWN);
	if (rxc->Create.pNetRoot->Type != NET_ROOT_MAILSLOT)
		RxFinishFcbInitialization(rxc->pFcb, FileTypeFile, NULL);
	rxc->pFobx = RxCreateNetFobx(rxc, rxc->pRelevantSrvOpen);
	rxc->Create.ReturnedCreateInformation = FILE_OPENED;
	return rxc->pFobx != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* The FCB first, then the driver finishes it; a mailslot is opened and closed without. */
static void test_B_RxFinishFcbInitialization_01_after_the_fcb(void **state)
{
	PFILE_OBJECT kept = file_open(REC_SHARE u"\\kept"), file;
	PMRX_NET_ROOT nr = fcb_of(kept)->pNetRoot;

	(void)state;
	rec.device->Dispatch->MRxCreate = open_by_type_of_share;
	memset(made_and_finished, 0, sizeof(made_and_finished));
	file = file_open(REC_SHARE u"\\a");
	assert_string_equal(made_and_finished, "CF");
	assert_int_equal(NodeType(fcb_of(file)), RDBSS_NTC_STORAGE_TYPE_FILE);
	file_close(file);

	nr->Type = NET_ROOT_MAILSLOT;
	memset(made_and_finished, 0, sizeof(made_and_finished));
	file = file_open(REC_SHARE u"\\slot");
	assert_string_equal(made_and_finished, "C");
	file_close(file);
	nr->Type = NET_ROOT_DISK;
	file_close(kept);
}

/* RDBSS takes the type from the driver, whatever the options say. */
static void test_B_RxInferFileType_04_only_for_drivers(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	inferred = 0;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE u"\\d", .options = FILE_DIRECTORY_FILE), &file, NULL),
		STATUS_SUCCESS);
	assert_int_equal(NodeType(fcb_of(file)), RDBSS_NTC_STORAGE_TYPE_DIRECTORY);
	file_close(file);
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\f", .options = FILE_NON_DIRECTORY_FILE),
					&file, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(NodeType(fcb_of(file)), RDBSS_NTC_STORAGE_TYPE_FILE);
	file_close(file);
	assert_int_equal(inferred, 0);
}

/* ---- the end, by IRP_MJ_CLOSE ---- */

/* Not with the cleanup: with the close, once, whatever the driver answers. */
static void test_B_RxFinalizeNetFobx_06_by_close(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PMRX_V_NET_ROOT vnr = fobx_of(file)->pSrvOpen->pVNetRoot;

	(void)state;
	assert_int_equal(file_cleanup(file), STATUS_SUCCESS);
	assert_int_equal(vnr->NumberOfFobxs, 1);
	assert_int_equal(NodeType(file->FsContext2), RDBSS_NTC_FOBX);
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
	assert_int_equal(vnr->NumberOfFobxs, 0);
}

static NTSTATUS NTAPI deallocate_fobx(PMRX_FOBX fobx)
{
	PFCB fcb = (PFCB)fobx->pSrvOpen->pFcb;

	assert_true(RxIsFcbAcquiredExclusive(fcb));
	assert_true(((PFOBX)fobx)->UpperFinalizationDone);
	(void)InterlockedIncrement(&rec.count[REC_DEALLOCATE_FOBX]);
	return STATUS_UNSUCCESSFUL;
}

static void test_B_MRxDeallocateForFobx_01_by_close(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.device->Dispatch->MRxDeallocateForFobx = deallocate_fobx;
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(file_cleanup(file), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 0);
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 1);
}

static NTSTATUS NTAPI deallocate_fcb(PMRX_FCB mrx)
{
	PFCB fcb = (PFCB)mrx;

	assert_true(RxIsFcbTableLockExclusive(&((PNET_ROOT)fcb->pNetRoot)->FcbTable));
	assert_true(fcb->UpperFinalizationDone && fcb->NodeReferenceCount == 0);
	(void)InterlockedIncrement(&rec.count[REC_DEALLOCATE_FCB]);
	return STATUS_SUCCESS;
}

/* With the close of the last file object of the file. */
static void test_B_MRxDeallocateForFcb_01_by_the_last_close(void **state)
{
	PFILE_OBJECT a, b;

	(void)state;
	rec.device->Dispatch->MRxDeallocateForFcb = deallocate_fcb;
	a = file_open(REC_SHARE u"\\a");
	b = file_open(REC_SHARE u"\\a");
	file_close(a);
	assert_int_equal(file_cleanup(b), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 0);
	assert_int_equal(file_close_only(b), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* The close waits: an open meanwhile collapses onto it, and after the driver's time, not before, it is carried out. */
static void test_B_RxFinalizeNetFcb_09_close_waits(void **state)
{
	ULONGLONG before;

	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 1);
	before = KeQueryInterruptTime();
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_CREATE), 1);
	rec_wait_seen(REC_CLOSE, 1);
	assert_true(KeQueryInterruptTime() - before >= 2 * 10000000);
	rec_wait_seen(REC_DEALLOCATE_FCB, 1);
}

/* Ten seconds, unless the driver says otherwise. */
static void test_B_RxFinalizeNetFcb_09_ten_seconds(void **state)
{
	(void)state;
	assert_int_equal(rec.device->pRdbssScavenger->TimeLimit.QuadPart, 10 * 10000000LL);
}

/* A stop ends the servers that are still known, once each. */
static void test_B_RxFinalizeSrvCall_06_at_stop(void **state)
{
	PFILE_OBJECT one, two;

	(void)state;
	one = file_open(u"\\one\\share\\f");
	two = file_open(u"\\two\\share\\f");
	file_close(two);
	assert_int_equal(rec_seen(REC_FINALIZE_SC), 0);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	rec_wait_seen(REC_FINALIZE_SC, 2);
	assert_true(RxIsPrefixTableEmpty(names()));
	file_close(one);
	assert_int_equal(rec_seen(REC_FINALIZE_SC), 2);
}

/* ---- two tables, two threads ---- */

/* Opens, closes, a forced end of the connection, a stop: never the names while the files are held, nor let go before. */
static void test_B_Locking_rules_05_names_first(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other;
	PNET_ROOT nr = (PNET_ROOT)fcb_of(file)->pNetRoot;

	(void)state;
	RxReferenceNetRoot(nr);
	order.both = order.wrong_order = order.wrong_release = 0;
	order.files = &nr->FcbTable.TableLock;
	order.names = &names()->TableLock;
	other = file_open(REC_SHARE u"\\b");
	file_close(other);
	RxPurgeAllFobxs(rec.device);
	assert_true(RxAcquirePrefixTableLockExclusive(names(), TRUE));
	assert_false(RxFinalizeNetRoot(nr, TRUE, FALSE)); /* looks for files that nobody uses */
	RxForceFinalizeAllVNetRoots(nr);                  /* orphans the open one */
	RxReleasePrefixTableLock(names());
	file_close(file);
	order.names = NULL;
	assert_true(order.both >= 2);
	assert_int_equal(order.wrong_order, 0);
	assert_int_equal(order.wrong_release, 0);
	RxDereferenceNetRoot(nr, LHS_LockNotHeld);
}

struct opener {
	const WCHAR *name;
	PFILE_OBJECT file;
	struct nt_thread *thread;
	volatile LONG done;
};

static void opener_run(void *arg)
{
	struct opener *o = arg;

	o->file = file_open(o->name);
	(void)InterlockedExchange(&o->done, 1);
}

static void opener_start(struct opener *o)
{
	assert_int_equal(nt_thread_create("opener", opener_run, o, &o->thread), STATUS_SUCCESS);
}

static bool opener_is_done(struct opener *o)
{
	return InterlockedExchangeAdd(&o->done, 0) != 0;
}

static ULONG waiters_of(PERESOURCE resource)
{
	return ExGetExclusiveWaiterCount(resource) + ExGetSharedWaiterCount(resource);
}

static void wait_until_waiting(PERESOURCE resource, ULONG n)
{
	for (int left = 20000; waiters_of(resource) < n; left--) {
		assert_true(left > 0);
		pause_ms();
	}
}

/* While one share's files are locked, and the names shared, the other share opens; the locked one waits. */
static void test_B_Locking_rules_06_shares_do_not_contend(void **state)
{
	PFILE_OBJECT a = file_open(u"\\server\\a\\kept"), b = file_open(u"\\server\\b\\kept");
	struct opener in_a = {.name = u"\\server\\a\\new"}, in_b = {.name = u"\\server\\b\\new"};

	(void)state;
	assert_true(RxAcquirePrefixTableLockShared(names(), TRUE));
	assert_true(RxAcquireFcbTableLockExclusive(files_of(a), TRUE));
	opener_start(&in_a);
	wait_until_waiting(&files_of(a)->TableLock, 1);
	opener_start(&in_b);
	for (int left = 20000; !opener_is_done(&in_b); left--) {
		assert_true(left > 0);
		pause_ms();
	}
	assert_false(opener_is_done(&in_a));
	RxReleaseFcbTableLock(files_of(a));
	RxReleasePrefixTableLock(names());
	nt_thread_join(in_a.thread);
	nt_thread_join(in_b.thread);
	file_close(in_a.file);
	file_close(in_b.file);
	file_close(a);
	file_close(b);
}

/* Two that both missed in the table make one FCB: the second looks again before it creates. */
static void test_B_Locking_rules_09_looked_up_again(void **state)
{
	PFILE_OBJECT kept = file_open(REC_SHARE u"\\kept");
	struct opener one = {.name = REC_SHARE u"\\new"}, two = {.name = REC_SHARE u"\\NEW"};
	PERESOURCE lock = &files_of(kept)->TableLock;

	(void)state;
	assert_true(RxAcquireFcbTableLockExclusive(files_of(kept), TRUE));
	opener_start(&one);
	opener_start(&two);
	wait_until_waiting(lock, 2);
	RxReleaseFcbTableLock(files_of(kept));
	nt_thread_join(one.thread);
	nt_thread_join(two.thread);
	assert_ptr_equal(fcb_of(one.file), fcb_of(two.file));
	assert_int_equal(fcb_of(kept)->pNetRoot->NumberOfFcbs, 2);
	file_close(one.file);
	file_close(two.file);
	file_close(kept);
}

/* ---- a server that has not answered yet ---- */

static struct {
	volatile PVOID callback;
	PMRX_SRV_CALL sc;
	bool in_table;
} contact;

static NTSTATUS NTAPI contact_server(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	UNICODE_STRING rest;
	PVOID found;

	(void)InterlockedIncrement(&rec.count[REC_CREATE_SRV_CALL]);
	assert_true(RxAcquirePrefixTableLockShared(names(), TRUE));
	found = RxPrefixTableLookupName(names(), sc->pSrvCallName, &rest, NULL);
	contact.in_table = found == (PVOID)sc;
	if (found != NULL)
		RxDereference(found, LHS_SharedLockHeld);
	RxReleasePrefixTableLock(names());
	contact.sc = sc;
	context->Status = STATUS_SUCCESS;
	(void)InterlockedExchangePointer(&contact.callback, context);
	return STATUS_PENDING;
}

/* True when somebody waits for the server to settle. */
static bool somebody_waits(void)
{
	PSRV_CALL sc = (PSRV_CALL)contact.sc;
	bool waits;

	assert_true(RxAcquirePrefixTableLockExclusive(names(), TRUE));
	waits = !IsListEmpty(&sc->TransitionWaitList);
	RxReleasePrefixTableLock(names());
	return waits;
}

/* The server's record is in the table when the driver is asked to contact it; who comes next waits for that one. */
static void test_B_Locking_rules_10_entered_before_contact(void **state)
{
	struct opener one = {.name = u"\\slow\\share\\a"}, two = {.name = u"\\slow\\share\\b"};
	PMRX_SRVCALL_CALLBACK_CONTEXT context;

	(void)state;
	memset(&contact, 0, sizeof(contact));
	rec.device->Dispatch->MRxCreateSrvCall = contact_server;
	opener_start(&one);
	rec_wait_seen(REC_CREATE_SRV_CALL, 1);
	for (int left = 20000; InterlockedCompareExchangePointer(&contact.callback, NULL, NULL) == NULL;
	     left--) {
		assert_true(left > 0);
		pause_ms();
	}
	assert_true(contact.in_table);
	opener_start(&two);
	for (int left = 20000; !somebody_waits(); left--) {
		assert_true(left > 0);
		pause_ms();
	}
	assert_false(opener_is_done(&one) || opener_is_done(&two));
	context = contact.callback;
	context->SrvCalldownStructure->CallBack(context);
	nt_thread_join(one.thread);
	nt_thread_join(two.thread);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 1);
	assert_ptr_equal(fcb_of(one.file)->pNetRoot, fcb_of(two.file)->pNetRoot);
	assert_ptr_equal(fcb_of(one.file)->pNetRoot->pSrvCall, contact.sc);
	file_close(one.file);
	file_close(two.file);
}

/* Who refers to a file and has no request: the FCB goes with the last such reference, not only with its share. */
static void test_an_fcb_goes_with_a_reference_of_no_request(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\let-go");
	PFCB fcb = fcb_of(file);

	(void)state;
	RxReferenceNetFcb(fcb);
	RxReferenceNetFcb(fcb);
	file_close(file);
	RxPurgeAllFobxs(rec.device);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 1);
	rx_fcb_let_go(fcb);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 1);
	rx_fcb_let_go(fcb);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_an_fcb_goes_with_a_reference_of_no_request),
		REC_TEST(test_B_RxCreateNetFobx_12_called_by_the_driver),
		cmocka_unit_test_setup_teardown(test_B_Object_hierarchy_11_all_but_the_fobx,
						setup_two_seconds, rec_teardown),
		REC_TEST(test_B_Object_hierarchy_12_two_parts),
		REC_TEST(test_B_RxFinishFcbInitialization_01_after_the_fcb),
		REC_TEST(test_B_RxInferFileType_04_only_for_drivers),
		REC_TEST(test_B_RxFinalizeNetFobx_06_by_close),
		REC_TEST(test_B_MRxDeallocateForFobx_01_by_close),
		REC_TEST(test_B_MRxDeallocateForFcb_01_by_the_last_close),
		cmocka_unit_test_setup_teardown(test_B_RxFinalizeNetFcb_09_close_waits, setup_two_seconds,
						rec_teardown),
		REC_TEST(test_B_RxFinalizeNetFcb_09_ten_seconds),
		REC_TEST(test_B_RxFinalizeSrvCall_06_at_stop),
		REC_TEST(test_B_Locking_rules_05_names_first),
		REC_TEST(test_B_Locking_rules_06_shares_do_not_contend),
		REC_TEST(test_B_Locking_rules_09_looked_up_again),
		REC_TEST(test_B_Locking_rules_10_entered_before_contact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
