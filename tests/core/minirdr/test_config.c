/*
 * test_config.c - what the registry says about RDBSS, and what travels with a request: its cancellation, its caller,
 * the security descriptor of a create. Rows B-RxDriverEntry, B-RxFinalizeConnection, B-RX_CONTEXT, B-FSP_rules.
 */
#include "../support/bare.h"

#include "core/dispatch/dispatch.h"

#define PARAMETERS u"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\LanmanWorkStation\\Parameters"
#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static void configure(const WCHAR *name, ULONG value)
{
	assert_int_equal(nt_registry_set(PARAMETERS, name, REG_DWORD, &value, sizeof(value)), STATUS_SUCCESS);
}

static int begin(void **state)
{
	rec.scavenger_s = 0;
	return rec_setup(state);
}

static int end(void **state)
{
	nt_registry_clear();
	return rec_teardown(state);
}

#define CONFIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

/* As a driver that is loaded after the configuration was written. */
static void load_again(void)
{
	(void)rec_control(FSCTL_RX_STOP);
	rec_unload();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
}

/* How many opens the server sees when a read-only file is opened for reading and writing, then for reading only. */
static LONG opens_of_a_read_only_file(void)
{
	LONG before = rec_seen(REC_CREATE);
	PFILE_OBJECT more, less;

	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\f",
					     .access = FILE_READ_DATA | FILE_READ_ATTRIBUTES),
					&more, NULL),
			 STATUS_SUCCESS);
	fcb_of(more)->Attributes = FILE_ATTRIBUTE_READONLY;
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE u"\\f", .access = FILE_READ_DATA), &less, NULL),
		STATUS_SUCCESS);
	file_close(less);
	file_close(more);
	return rec_seen(REC_CREATE) - before;
}

/* Read when the driver is loaded; changes which opens of a read-only file share; a driver may override it after. */
static void test_B_RxDriverEntry_04_locking_on_read_only_files(void **state)
{
	(void)state;
	assert_false(DisableByteRangeLockingOnReadOnlyFiles);
	assert_int_equal(opens_of_a_read_only_file(), 2);
	configure(u"DisableByteRangeLockingOnReadOnlyFiles", 1);
	assert_false(DisableByteRangeLockingOnReadOnlyFiles);
	load_again();
	assert_true(DisableByteRangeLockingOnReadOnlyFiles);
	assert_int_equal(opens_of_a_read_only_file(), 1);
	DisableByteRangeLockingOnReadOnlyFiles = FALSE;
	assert_int_equal(opens_of_a_read_only_file(), 2);
}

static ULONG granularity_of_a_new_share(void)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\f");
	ULONG granularity = fcb_of(file)->pNetRoot->DiskParameters.ReadAheadGranularity;

	file_close(file);
	return granularity;
}

/* Eight pages without a word, at most sixteen with one. */
static void test_B_RxDriverEntry_05_read_ahead(void **state)
{
	(void)state;
	assert_int_equal(ReadAheadGranularity, 8 * PAGE_SIZE);
	assert_int_equal(granularity_of_a_new_share(), 8 * PAGE_SIZE);
	configure(u"ReadAheadGranularity", 3);
	load_again();
	assert_int_equal(ReadAheadGranularity, 3 * PAGE_SIZE);
	assert_int_equal(granularity_of_a_new_share(), 3 * PAGE_SIZE);
	configure(u"ReadAheadGranularity", 17);
	load_again();
	assert_int_equal(ReadAheadGranularity, 16 * PAGE_SIZE);
	nt_registry_clear();
	load_again();
	assert_int_equal(ReadAheadGranularity, 8 * PAGE_SIZE);
}

/* ---- a request that was cancelled ---- */

static struct {
	PNET_ROOT net_root;
	PV_NET_ROOT view;
	bool cancel;
	NTSTATUS status;
} finalizing;

static NTSTATUS NTAPI finalize_from_a_control(PRX_CONTEXT rxc)
{
	if (finalizing.cancel)
		(void)IoCancelIrp(rxc->CurrentIrp);
	finalizing.status = RxFinalizeConnection(finalizing.net_root, finalizing.view, FALSE);
	return STATUS_SUCCESS;
}

/* A cancelled request ends no connection; the same request, not cancelled, does. */
static void test_B_RxFinalizeConnection_06_cancelled(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\f");
	NTSTATUS(NTAPI * control)(PRX_CONTEXT) = rec.device->Dispatch->MRxDevFcbXXXControlFile;
	LONG views;

	(void)state;
	finalizing.net_root = (PNET_ROOT)fcb_of(file)->pNetRoot;
	finalizing.view = (PV_NET_ROOT)fobx_of(file)->pSrvOpen->pVNetRoot;
	RxReferenceNetRoot(finalizing.net_root);
	RxReferenceVNetRoot(finalizing.view);
	file_close(file);
	views = rec_seen(REC_FINALIZE_VNR);
	rec.device->Dispatch->MRxDevFcbXXXControlFile = finalize_from_a_control;
	finalizing.cancel = true;
	(void)rec_control(FSCTL_RX_START);
	assert_int_equal(finalizing.status, STATUS_CANCELLED);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), views);
	finalizing.cancel = false;
	(void)rec_control(FSCTL_RX_START);
	assert_int_equal(finalizing.status, STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), views + 1);
	rec.device->Dispatch->MRxDevFcbXXXControlFile = control;
	RxDereferenceVNetRoot(finalizing.view, LHS_LockNotHeld);
	RxDereferenceNetRoot(finalizing.net_root, LHS_LockNotHeld);
}

static PRX_CONTEXT unanswered;

/* A driver that cannot take a request back. */
static NTSTATUS keep_unanswered(PRX_CONTEXT rxc)
{
	unanswered = rxc;
	return STATUS_PENDING;
}

/* A request that this thread has begun and cancelled, and which is still on its way, is not the one it serves. */
static void test_a_cancelled_request_of_before_is_not_meant(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\f");
	PV_NET_ROOT view = (PV_NET_ROOT)fobx_of(file)->pSrvOpen->pVNetRoot;
	struct req *read = file_read_make(file, 0, 10, true);
	NTSTATUS status;

	(void)state;
	rec.lowio_hook = keep_unanswered;
	assert_int_equal(req_send(read), STATUS_PENDING);
	(void)IoCancelIrp(read->irp);
	status = RxFinalizeConnection((PNET_ROOT)view->pNetRoot, view, FALSE);
	unanswered->StoredStatus = STATUS_CANCELLED;
	(void)RxLowIoCompletion(unanswered);
	assert_int_equal(req_end(read, NULL), STATUS_CANCELLED);
	assert_int_equal(status, STATUS_FILES_OPEN);
	rec.lowio_hook = NULL;
	file_close(file);
}

/* ---- what a create brings along ---- */

static struct {
	ULONG length;
	PVOID buffer;
} descriptor;

static NTSTATUS look_at_descriptor(PRX_CONTEXT rxc)
{
	descriptor.length = rxc->Create.SdLength;
	descriptor.buffer = rxc->Info.Buffer;
	return STATUS_SUCCESS;
}

/* The length is told and the buffer is the opener's; without a descriptor the length is 0. */
static void test_B_RX_CONTEXT_04_security_descriptor(void **state)
{
	DECLSPEC_ALIGN(8) SECURITY_DESCRIPTOR sd;
	ACCESS_STATE access = {.SecurityDescriptor = &sd};
	PFILE_OBJECT file = file_make(REC_SHARE u"\\f", NULL);
	struct req *r = req_make(file, IRP_MJ_CREATE, 0);

	(void)state;
	rec.create_hook = look_at_descriptor;
	assert_int_equal(RtlCreateSecurityDescriptor(&sd, SECURITY_DESCRIPTOR_REVISION), STATUS_SUCCESS);
	r->security.DesiredAccess = FILE_READ_DATA;
	r->security.AccessState = &access;
	req_sp(r)->Parameters.Create.SecurityContext = &r->security;
	req_sp(r)->Parameters.Create.Options = FILE_OPEN << 24;
	req_sp(r)->Parameters.Create.ShareAccess = FILE_SHARE_READ;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_true(descriptor.length != 0);
	assert_int_equal(descriptor.length, RtlLengthSecurityDescriptor(&sd));
	assert_ptr_equal(descriptor.buffer, &sd);
	file_close(file);

	file = file_open(REC_SHARE u"\\g");
	assert_int_equal(descriptor.length, 0);
	file_close(file);
}

/* ---- who asks, after a post ---- */

static struct nt_requester served;
static bool has_requester;

static NTSTATUS NTAPI look_at_requester(PRX_CONTEXT rxc, PIRP irp)
{
	const struct nt_requester *requester = nt_irp_requester(irp);

	(void)rxc;
	has_requester = requester != NULL;
	if (has_requester)
		served = *requester;
	return STATUS_SUCCESS;
}

/* The caller is the request's, whatever becomes of his thread before a worker serves it. */
static void test_B_FSP_rules_02_the_caller_is_captured(void **state)
{
	const struct nt_requester caller = {.pid = 4711, .uid = 1234, .gid = 5678};
	const struct nt_requester somebody_else = {.pid = 1, .uid = 2, .gid = 3};
	struct bare *b;

	(void)state;
	nt_set_requester(&caller);
	b = bare_make(NULL, IRP_MJ_FLUSH_BUFFERS, 0);
	bare_context(b, 0)->ResumeRoutine = look_at_requester;
	assert_int_equal(RxFsdPostRequest(b->rxc), STATUS_PENDING);
	nt_set_requester(&somebody_else);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
	nt_set_requester(NULL);
	assert_true(has_requester);
	assert_int_equal(served.pid, caller.pid);
	assert_int_equal(served.uid, caller.uid);
	assert_int_equal(served.gid, caller.gid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_TEST(test_B_RxDriverEntry_04_locking_on_read_only_files),
		CONFIG_TEST(test_B_RxDriverEntry_05_read_ahead),
		CONFIG_TEST(test_B_RxFinalizeConnection_06_cancelled),
		CONFIG_TEST(test_a_cancelled_request_of_before_is_not_meant),
		CONFIG_TEST(test_B_RX_CONTEXT_04_security_descriptor),
		CONFIG_TEST(test_B_FSP_rules_02_the_caller_is_captured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
