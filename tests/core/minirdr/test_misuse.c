/*
 * test_misuse.c - a mini-redirector that breaks the rules of the interface: it is told which one, by which routine,
 * about which object; a debug build stops there, a release build refuses and the redirector goes on in order.
 */
#include "../support/rec.h"

#include "../../support/misuse.h"
#include "core/object/object.h"
#include "core/trace/trace.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})
#define THE_FILE REC_SHARE u"\\file"

static void begin(void)
{
	MISUSE_CHECK(rec_setup(NULL) == 0);
}

/* The objects agree with exact counts, and no byte is left. */
static void end(void)
{
	MISUSE_CHECK(rec_teardown(NULL) == 0);
}

static PV_NET_ROOT view_of(PFILE_OBJECT file)
{
	return (PV_NET_ROOT)fobx_of(file)->pSrvOpen->pVNetRoot;
}

/* ---- complete-once ---- */

static NTSTATUS answer(PRX_CONTEXT rxc)
{
	rxc->StoredStatus = STATUS_SUCCESS;
	rxc->InformationToReturn = 10;
	return RxLowIoCompletion(rxc);
}

static NTSTATUS again_answers;

static NTSTATUS hook_complete_twice(PRX_CONTEXT rxc)
{
	(void)answer(rxc);
	again_answers = answer(rxc);
	return STATUS_PENDING;
}

static NTSTATUS hook_complete_and_return(PRX_CONTEXT rxc)
{
	(void)answer(rxc);
	return STATUS_UNSUCCESSFUL;
}

static PRX_CONTEXT remembered;

static NTSTATUS hook_remember(PRX_CONTEXT rxc)
{
	remembered = rxc;
	(void)answer(rxc);
	return STATUS_PENDING;
}

static void read_with(NTSTATUS (*hook)(PRX_CONTEXT rxc), bool async, NTSTATUS expected)
{
	PFILE_OBJECT file = file_open(THE_FILE);
	ULONG_PTR information = 0;
	NTSTATUS status;

	rec.lowio_hook = hook;
	status = req_run(file_read_make(file, 0, 50, async), &information);
	MISUSE_CHECK(status == expected);
	MISUSE_CHECK(!NT_SUCCESS(status) || information == 10);
	file_close(file);
}

static void completed_twice(void)
{
	begin();
	read_with(hook_complete_twice, true, STATUS_SUCCESS);
	MISUSE_CHECK(again_answers == STATUS_INVALID_DEVICE_STATE);
	end();
}

static void completed_twice_sync(void)
{
	begin();
	read_with(hook_complete_twice, false, STATUS_SUCCESS);
	MISUSE_CHECK(again_answers == STATUS_INVALID_DEVICE_STATE);
	end();
}

static void completed_and_returned(void)
{
	begin();
	read_with(hook_complete_and_return, true, STATUS_SUCCESS);
	end();
}

static void completed_after_its_end(void)
{
	begin();
	read_with(hook_remember, true, STATUS_SUCCESS);
	MISUSE_CHECK(RxLowIoCompletion(remembered) == STATUS_INVALID_DEVICE_STATE);
	end();
}

static void irp_completed_after_its_end(void)
{
	begin();
	read_with(hook_remember, true, STATUS_SUCCESS);
	(void)RxCompleteRequest(remembered, STATUS_SUCCESS);
	end();
}

/* A request that pended is completed once, by one of the two ways; the first answer counts. */
static void test_complete_once(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_COMPLETE_ONCE, "RxLowIoCompletion", "major function 3", completed_twice);
	MISUSE_EXPECT(NT_RULE_COMPLETE_ONCE, "RxLowIoCompletion", "major function 3", completed_twice_sync);
	MISUSE_EXPECT(NT_RULE_COMPLETE_ONCE, "MRxLowIOSubmit", "completed before", completed_and_returned);
	MISUSE_EXPECT(NT_RULE_COMPLETE_ONCE, "RxLowIoCompletion", "it is gone", completed_after_its_end);
	MISUSE_EXPECT(NT_RULE_COMPLETE_ONCE, "RxCompleteRequest", "it is gone", irp_completed_after_its_end);
}

/* ---- complete-own ---- */

static NTSTATUS hook_low_io_completion(PRX_CONTEXT rxc)
{
	MISUSE_CHECK(answer(rxc) == STATUS_INVALID_DEVICE_STATE);
	return STATUS_SUCCESS;
}

static NTSTATUS hook_complete_request(PRX_CONTEXT rxc)
{
	(void)RxCompleteRequest(rxc, STATUS_SUCCESS);
	return STATUS_SUCCESS;
}

static NTSTATUS hook_complete_low_io_as_irp(PRX_CONTEXT rxc)
{
	(void)RxCompleteRequest(rxc, STATUS_SUCCESS);
	(void)answer(rxc); /* the right way */
	return STATUS_PENDING;
}

static void open_with(NTSTATUS (*hook)(PRX_CONTEXT rxc))
{
	rec.create_hook = hook;
	file_close(file_open(THE_FILE));
}

static void low_io_that_is_none(void)
{
	begin();
	open_with(hook_low_io_completion);
	end();
}

static void completed_in_its_routine(void)
{
	begin();
	open_with(hook_complete_request);
	end();
}

static void low_io_completed_as_irp(void)
{
	begin();
	read_with(hook_complete_low_io_as_irp, true, STATUS_SUCCESS);
	end();
}

/* A driver completes what it was given to complete, in the way it was given. */
static void test_complete_own(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_COMPLETE_OWN, "RxLowIoCompletion", "major function 0", low_io_that_is_none);
	MISUSE_EXPECT(NT_RULE_COMPLETE_OWN, "RxCompleteRequest", "major function 0",
		      completed_in_its_routine);
	MISUSE_EXPECT(NT_RULE_COMPLETE_OWN, "RxCompleteRequest", "major function 3", low_io_completed_as_irp);
}

/* ---- no-pending ---- */

static void flush_pends(void)
{
	PFILE_OBJECT file;

	begin();
	file = file_open(THE_FILE);
	rec.status[REC_FLUSH] = STATUS_PENDING;
	MISUSE_CHECK(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL) == STATUS_INTERNAL_ERROR);
	rec.status[REC_FLUSH] = STATUS_SUCCESS;
	file_close(file);
	end();
}

static void create_pends(void)
{
	PFILE_OBJECT file;

	begin();
	rec.status[REC_CREATE] = STATUS_PENDING;
	MISUSE_CHECK(file_open_with(OPEN(.name = THE_FILE), &file, NULL) == STATUS_INTERNAL_ERROR);
	end();
}

static void cleanup_pends(void)
{
	PFILE_OBJECT file;

	begin();
	file = file_open(THE_FILE);
	rec.status[REC_CLEANUP] = STATUS_PENDING;
	file_close(file); /* a cleanup succeeds whatever its driver says */
	end();
}

static void query_directory_pends(void)
{
	PFILE_OBJECT file;
	struct req *r;

	begin();
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	file = file_open(THE_FILE);
	rec.status[REC_QUERY_DIR] = STATUS_PENDING;
	r = req_make(file, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY);
	r->irp->UserBuffer = r->buffer;
	req_sp(r)->Parameters.QueryDirectory.Length = sizeof(r->buffer);
	req_sp(r)->Parameters.QueryDirectory.FileInformationClass = FileBothDirectoryInformation;
	MISUSE_CHECK(req_run(r, NULL) == STATUS_INTERNAL_ERROR);
	file_close(file);
	end();
}

static void winner_pends(void)
{
	PFILE_OBJECT file;

	begin();
	rec.status[REC_WINNER] = STATUS_PENDING;
	MISUSE_CHECK(file_open_with(OPEN(.name = THE_FILE), &file, NULL) == STATUS_INTERNAL_ERROR);
	end();
}

static void finalize_pends(void)
{
	begin();
	rec.status[REC_FINALIZE_NR] = STATUS_PENDING;
	file_close(file_open(THE_FILE));
	end();
}

static void start_pends(void)
{
	MISUSE_CHECK(rec_setup_not_started(NULL) == 0);
	rec.status[REC_START] = STATUS_PENDING;
	MISUSE_CHECK(rec_control(FSCTL_RX_START) == STATUS_INTERNAL_ERROR);
	end();
}

/* STATUS_PENDING is no answer of a routine that is waited for: it counts as STATUS_INTERNAL_ERROR. */
static void test_no_pending(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_NO_PENDING, "MRxFlush", "called for 0x", flush_pends);
	MISUSE_EXPECT(NT_RULE_NO_PENDING, "MRxCreate", "called for 0x", create_pends);
	MISUSE_EXPECT(NT_RULE_NO_PENDING, "MRxCleanupFobx", "called for 0x", cleanup_pends);
	MISUSE_EXPECT(NT_RULE_NO_PENDING, "MRxQueryDirectory", "called for 0x", query_directory_pends);
	MISUSE_EXPECT(NT_RULE_NO_PENDING, "MRxSrvCallWinnerNotify", "called for 0x", winner_pends);
	MISUSE_EXPECT(NT_RULE_NO_PENDING, "MRxFinalizeNetRoot", "called for 0x", finalize_pends);
	MISUSE_EXPECT(NT_RULE_NO_PENDING, "MRxStart", "called for 0x", start_pends);
}

/* ---- reference ---- */

static WCHAR some_name[] = u"\\server\\share";
#define SOME_NAME \
	{ \
		sizeof(some_name) - sizeof(WCHAR), sizeof(some_name), some_name \
	}

static void dereferenced_below_zero(void)
{
	static NET_ROOT nr = {
		.NodeTypeCode = RDBSS_NTC_NETROOT, .UpperFinalizationDone = TRUE, .NetRootName = SOME_NAME};

	RxDereference(&nr, LHS_ExclusiveLockHeld);
	MISUSE_CHECK(nr.NodeReferenceCount == 0);
}

static void dereferenced_below_the_table(void)
{
	static V_NET_ROOT vnr = {
		.NodeTypeCode = RDBSS_NTC_V_NETROOT, .NodeReferenceCount = 1, .VNetRootName = SOME_NAME};

	RxDereference(&vnr, LHS_LockNotHeld);
	MISUSE_CHECK(vnr.NodeReferenceCount == 1);
}

static void fobx_dereferenced_below_zero(void)
{
	static FOBX fobx = {.NodeTypeCode = RDBSS_NTC_FOBX};

	RxDereference(&fobx, LHS_LockNotHeld);
	MISUSE_CHECK(fobx.NodeReferenceCount == 0);
}

static void fcb_dereferenced_below_zero(void)
{
	static FCB fcb = {.Header.NodeTypeCode = RDBSS_NTC_STORAGE_TYPE_FILE,
			  .PrivateAlreadyPrefixedName = SOME_NAME};

	MISUSE_CHECK(RxDereferenceNetFcb(&fcb) == 0);
	MISUSE_CHECK(fcb.NodeReferenceCount == 0);
}

static void fcb_dereferenced_too_often(void)
{
	PFILE_OBJECT file;
	PFCB fcb;

	begin();
	file = file_open(THE_FILE);
	fcb = fcb_of(file);
	MISUSE_CHECK(RxAcquireExclusiveFcb(NULL, fcb) == STATUS_SUCCESS);
	fcb->NodeReferenceCount -= 2; /* as if a driver had given up the SRV_OPEN's and the file object's */
	MISUSE_CHECK(!RxDereferenceAndFinalizeNetFcb(fcb, NULL, FALSE, FALSE));
	fcb->NodeReferenceCount += 2;
	RxReleaseFcb(NULL, fcb);
	file_close(file);
	end();
}

static void no_object_dereferenced(void)
{
	static SRV_CALL gone; /* its type says what a freed one says */

	RxDereference(&gone, LHS_LockNotHeld);
}

static void no_object_referenced(void)
{
	static SRV_CALL gone;

	RxReference(&gone);
	MISUSE_CHECK(gone.NodeReferenceCount == 0);
}

static void context_dereferenced_twice(void)
{
	PRX_CONTEXT rxc;

	begin();
	rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	RxDereferenceAndDeleteRxContext(rxc);
	RxDereferenceAndDeleteRxContext(rxc);
	end();
}

static void context_for_reuse_dereferenced(void)
{
	PRX_CONTEXT rxc;

	begin();
	rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	RxPrepareContextForReuse(rxc);
	RxDereferenceAndDeleteRxContext(rxc);
	MISUSE_CHECK(rxc->ReferenceCount == 0);
	rxc->ReferenceCount = 1;
	RxDereferenceAndDeleteRxContext(rxc);
	end();
}

/* Nobody gives up a reference that was not taken: refused, the count stays what it was. */
static void test_reference(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereference", "\"\\server\\share\": it has no reference",
		      dereferenced_below_zero);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereference", "\"\\server\\share\": only the name table's",
		      dereferenced_below_the_table);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereference", "FOBX", fobx_dereferenced_below_zero);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereferenceNetFcb", "\"\\server\\share\"",
		      fcb_dereferenced_below_zero);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereferenceAndFinalizeNetFcb", "\"\\file\"",
		      fcb_dereferenced_too_often);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereference", "not counted", no_object_dereferenced);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxReference", "not counted", no_object_referenced);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereferenceAndDeleteRxContext", "it is gone",
		      context_dereferenced_twice);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "RxDereferenceAndDeleteRxContext", "no reference",
		      context_for_reuse_dereferenced);
}

/* ---- finalize-locked ---- */

static PFILE_OBJECT open_file;

static void finalize_srv_call(void)
{
	MISUSE_CHECK(!RxFinalizeSrvCall((PSRV_CALL)view_of(open_file)->pNetRoot->pSrvCall, TRUE));
}

static void finalize_net_root(void)
{
	MISUSE_CHECK(!RxFinalizeNetRoot((PNET_ROOT)view_of(open_file)->pNetRoot, TRUE, TRUE));
}

static void finalize_v_net_root(void)
{
	MISUSE_CHECK(!RxFinalizeVNetRoot(view_of(open_file), TRUE, TRUE));
}

static void finalize_all_views(void)
{
	RxForceFinalizeAllVNetRoots((PNET_ROOT)view_of(open_file)->pNetRoot);
	MISUSE_CHECK(!view_of(open_file)->ConnectionFinalizationDone);
}

static void finalize_fcb_without_table(void)
{
	MISUSE_CHECK(RxAcquireExclusiveFcb(NULL, fcb_of(open_file)) == STATUS_SUCCESS);
	MISUSE_CHECK(!RxFinalizeNetFcb(fcb_of(open_file), TRUE, TRUE, 100));
	RxReleaseFcb(NULL, fcb_of(open_file));
}

static void finalize_fcb_without_fcb(void)
{
	PRX_FCB_TABLE table = &((PNET_ROOT)fcb_of(open_file)->pNetRoot)->FcbTable;

	MISUSE_CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	MISUSE_CHECK(!RxFinalizeNetFcb(fcb_of(open_file), TRUE, TRUE, 100));
	RxReleaseFcbTableLock(table);
}

static void dereference_and_finalize_fcb(void)
{
	MISUSE_CHECK(!RxDereferenceAndFinalizeNetFcb(fcb_of(open_file), NULL, FALSE, FALSE));
}

static void finalize_srv_open(void)
{
	MISUSE_CHECK(!RxFinalizeSrvOpen((PSRV_OPEN)fobx_of(open_file)->pSrvOpen, TRUE, TRUE));
}

static void finalize_fobx(void)
{
	MISUSE_CHECK(!RxFinalizeNetFobx(fobx_of(open_file), TRUE, TRUE));
}

/* cmocka knows no parameters: one scenario per routine, around the same open file. */
#define WITH_OPEN_FILE(fn) \
	static void with_##fn(void) \
	{ \
		begin(); \
		open_file = file_open(THE_FILE); \
		fn(); \
		rec_check_quiet(); \
		MISUSE_CHECK(req_run(req_make(open_file, IRP_MJ_FLUSH_BUFFERS, 0), NULL) == STATUS_SUCCESS); \
		file_close(open_file); \
		end(); \
	}

WITH_OPEN_FILE(finalize_srv_call)
WITH_OPEN_FILE(finalize_net_root)
WITH_OPEN_FILE(finalize_v_net_root)
WITH_OPEN_FILE(finalize_all_views)
WITH_OPEN_FILE(finalize_fcb_without_table)
WITH_OPEN_FILE(finalize_fcb_without_fcb)
WITH_OPEN_FILE(dereference_and_finalize_fcb)
WITH_OPEN_FILE(finalize_srv_open)
WITH_OPEN_FILE(finalize_fobx)

/* Objects are finalized under their lock, even by force; refused, they are as they were. */
static void test_finalize_locked(void **state)
{
	static const char server[] = "SRV_CALL 0x", share[] = "\"\\server\\share\": the name table",
			  file[] = "\"\\file\": its FCB";

	(void)state;
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxFinalizeSrvCall", server, with_finalize_srv_call);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxFinalizeNetRoot", share, with_finalize_net_root);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxFinalizeVNetRoot", share, with_finalize_v_net_root);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxForceFinalizeAllVNetRoots", share, with_finalize_all_views);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxFinalizeNetFcb", "\"\\file\": the FCB table",
		      with_finalize_fcb_without_table);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxFinalizeNetFcb", file, with_finalize_fcb_without_fcb);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxDereferenceAndFinalizeNetFcb", file,
		      with_dereference_and_finalize_fcb);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxFinalizeSrvOpen", file, with_finalize_srv_open);
	MISUSE_EXPECT(NT_RULE_FINALIZE_LOCKED, "RxFinalizeNetFobx", file, with_finalize_fobx);
}

/* ---- unload-idle ---- */

/* A reference that its driver never gave up: the object and what it leads to stay in memory, and can be given up. */
static void share_still_referenced(void)
{
	PRDBSS_DEVICE_OBJECT dev;
	PFILE_OBJECT file;
	PNET_ROOT nr;

	begin();
	dev = rec.device;
	file = file_open(THE_FILE);
	nr = (PNET_ROOT)view_of(file)->pNetRoot;
	RxReferenceNetRoot(nr);
	file_close(file);
	MISUSE_CHECK(rec_control(FSCTL_RX_STOP) == STATUS_SUCCESS);
	rec_unload();
	MISUSE_CHECK(NodeType(nr) == RDBSS_NTC_NETROOT && nr->pSrvCall->RxDeviceObject == dev);
	MISUSE_CHECK(RxAcquirePrefixTableLockExclusive(dev->pRxNetNameTable, TRUE));
	RxDereferenceNetRoot(nr, LHS_ExclusiveLockHeld);
	RxReleasePrefixTableLock(dev->pRxNetNameTable);
	MISUSE_CHECK(IsListEmpty(&dev->pRxNetNameTable->DepartedQueue));
	ObDereferenceObject(&dev->DeviceObject); /* what the refusal kept */
	MISUSE_CHECK(nt_shutdown(stderr) == 0);
}

/* A context that is in nobody's hands for longer than the run-down waits in silence. */
static void end_late(void *context)
{
	LARGE_INTEGER later = {.QuadPart = -450000000}; /* 45 s of the simulated clock */

	(void)KeDelayExecutionThread(KernelMode, FALSE, &later);
	RxDereferenceAndDeleteRxContext(context);
}

static void unload_with_context(void *context)
{
	struct nt_thread *thread;
	PRX_CONTEXT rxc;

	(void)context;
	rec_reset();
	rec_load();
	rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	MISUSE_CHECK(nt_thread_create("late", end_late, rxc, &thread) == STATUS_SUCCESS);
	rec_unload();
	nt_thread_join(thread);
}

static void request_at_work(void)
{
	MISUSE_CHECK(nt_sim_run(1, unload_with_context, NULL) == 0);
}

static void file_still_open(void)
{
	PFILE_OBJECT file;

	begin();
	file = file_open(THE_FILE);
	MISUSE_CHECK(rec_control(FSCTL_RX_STOP) == STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	nt_driver_unload(rec.driver); /* with the device open, too */
	MISUSE_CHECK(rec_control(FSCTL_RX_START) == STATUS_SUCCESS);
	file_close(file);
	end();
}

/* A driver goes when nothing of it is open, referenced or at work. */
static void test_unload_idle(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_UNLOAD_IDLE, "RxUnregisterMinirdr", "NET_ROOT 0x", share_still_referenced);
	MISUSE_EXPECT(NT_RULE_UNLOAD_IDLE, "RxUnregisterMinirdr", "RX_CONTEXT 0x", request_at_work);
	MISUSE_EXPECT(NT_RULE_UNLOAD_IDLE, "nt_driver_unload", "2 file objects", file_still_open);
}

/* ---- the check at the end ---- */

static void broken_objects_at_unload(void)
{
	PFILE_OBJECT file;
	PNET_ROOT nr;

	begin();
	file = file_open(THE_FILE);
	nr = (PNET_ROOT)view_of(file)->pNetRoot;
	nr->NumberOfVirtualNetRoots++;
	file_close(file);
	rec_unload(); /* without a stop: the objects are there */
}

/* Debug builds look at the objects when a redirector ends, and stop when they disagree. */
static void test_check_at_unload(void **state)
{
	struct misuse_case broken = {.rule = NT_RULE_UNLOAD_IDLE, .scenario = broken_objects_at_unload};
	char text[8192];
	int status = misuse_in_child(&broken, NT_MISUSE_STOP, text, sizeof(text));

	(void)state;
#ifdef NDEBUG
	assert_false(WIFSIGNALED(status));
#else
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "rule numbers: NET_ROOT"));
	assert_non_null(strstr(text, "1 disagreements between the objects"));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete_once),   cmocka_unit_test(test_complete_own),
		cmocka_unit_test(test_no_pending),      cmocka_unit_test(test_reference),
		cmocka_unit_test(test_finalize_locked), cmocka_unit_test(test_unload_idle),
		cmocka_unit_test(test_check_at_unload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
