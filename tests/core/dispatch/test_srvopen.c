/*
 * Opening at the server, sharing an open, and giving it up: rows B-MRxCreate, B-MRxShouldTryToCollapseThisOpen,
 * B-MRxCollapseOpen, B-MRxCleanupFobx, B-MRxCloseSrvOpen, B-MRxFlush.
 */
#include <stdlib.h>

#include "../support/bare.h"
#include "../support/stops.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static MINIRDR_DISPATCH original;

static int setup(void **state)
{
	int result = rec_setup(state);

	if (result == 0)
		original = *rec.device->Dispatch;
	return result;
}

/* What a slot found. */
static struct {
	LONG calls;
	PMRX_SRV_OPEN srv_open;
	PMRX_SRV_CALL srv_call;
	PMRX_NET_ROOT net_root;
	PMRX_FCB fcb;
	PMRX_FOBX fobx;
	NT_CREATE_PARAMETERS parameters;
	UCHAR major;
	LONG cleanups_before;
} seen;

static void note(PRX_CONTEXT rxc)
{
	seen.calls++;
	seen.srv_open = rxc->pRelevantSrvOpen;
	seen.fcb = rxc->pFcb;
	seen.fobx = rxc->pFobx;
	seen.major = rxc->MajorFunction;
	seen.cleanups_before = rec_seen(REC_CLEANUP);
}

static void note_create(PRX_CONTEXT rxc)
{
	note(rxc);
	seen.srv_call = rxc->Create.pSrvCall;
	seen.net_root = rxc->Create.pNetRoot;
	seen.parameters = rxc->Create.NtCreateParameters;
}

static NTSTATUS NTAPI create(PRX_CONTEXT rxc)
{
	note_create(rxc);
	return original.MRxCreate(rxc);
}

/* The open to make, its server and the caller's parameters are there before MRxCreate is entered. */
static void test_B_MRxCreate_01_parameters(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxCreate = create;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a", .access = FILE_READ_DATA | SYNCHRONIZE,
					     .share = FILE_SHARE_READ, .options = FILE_NON_DIRECTORY_FILE),
					&file, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(seen.calls, 1);
	assert_ptr_equal(seen.srv_open, fobx_of(file)->pSrvOpen);
	assert_ptr_equal(seen.srv_call, fcb_of(file)->pNetRoot->pSrvCall);
	assert_ptr_equal(seen.net_root, fcb_of(file)->pNetRoot);
	assert_ptr_equal(seen.fcb, fcb_of(file));
	assert_int_equal(seen.parameters.DesiredAccess, FILE_READ_DATA | SYNCHRONIZE);
	assert_int_equal(seen.parameters.ShareAccess, FILE_SHARE_READ);
	assert_int_equal(seen.parameters.Disposition, FILE_OPEN);
	assert_true(seen.parameters.CreateOptions & FILE_NON_DIRECTORY_FILE);
	file_close(file);
}

static NTSTATUS created(PRX_CONTEXT rxc)
{
	rxc->Create.ReturnedCreateInformation = FILE_CREATED;
	rxc->CurrentIrp->IoStatus.Information = FILE_CREATED;
	return STATUS_SUCCESS;
}

/* What the driver says was done is what the opener is told. */
static void test_B_MRxCreate_02_information(void **state)
{
	PFILE_OBJECT file;
	ULONG_PTR information = 99;

	(void)state;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &file, &information), STATUS_SUCCESS);
	assert_int_equal(information, FILE_OPENED);
	file_close(file);
	rec.create_hook = created;
	assert_int_equal(
		file_open_with(&(struct open_params){.name = REC_SHARE u"\\b", .disposition = FILE_CREATE},
			       &file, &information),
		STATUS_SUCCESS);
	assert_int_equal(information, FILE_CREATED);
	file_close(file);
}

static NTSTATUS overwritten(PRX_CONTEXT rxc)
{
	rxc->Create.ReturnedCreateInformation = FILE_OVERWRITTEN;
	rxc->CurrentIrp->IoStatus.Information = FILE_OVERWRITTEN;
	return STATUS_SUCCESS;
}

/* A successful overwrite empties the file here; a failed one leaves the sizes that other openers see. */
static void test_B_MRxCreate_03_overwrite(void **state)
{
	const struct open_params overwrite = {.name = REC_SHARE u"\\a", .disposition = FILE_OVERWRITE};
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;

	(void)state;
	rec.status[REC_CREATE] = STATUS_ACCESS_DENIED;
	assert_int_equal(file_open_with(&overwrite, &b, NULL), STATUS_ACCESS_DENIED);
	assert_int_equal(fcb_of(a)->Header.FileSize.QuadPart, rec.file_size);
	rec.status[REC_CREATE] = STATUS_SUCCESS;
	rec.create_hook = overwritten;
	assert_int_equal(file_open_with(&overwrite, &b, NULL), STATUS_SUCCESS);
	assert_ptr_equal(fcb_of(a), fcb_of(b));
	assert_int_equal(fcb_of(a)->Header.FileSize.QuadPart, 0);
	assert_int_equal(fcb_of(a)->Header.ValidDataLength.QuadPart, 0);
	file_close(b);
	file_close(a);
}

/* Three equal opens, one MRxCreate. */
static void test_B_MRxCreate_05_fewer_than_opens(void **state)
{
	PFILE_OBJECT file[3];
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++)
		file[i] = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_CREATE), 1);
	for (i = 0; i < 3; i++)
		file_close(file[i]);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
}

/* STATUS_RETRY is never the opener's answer: the driver is asked again. */
static void test_B_MRxCreate_06_retry(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.retries = 1;
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_CREATE), 2);
	file_close(file);
}

static NTSTATUS follow(PRX_CONTEXT rxc)
{
	BOOLEAN required = FALSE;
	UNICODE_STRING path;
	NTSTATUS status;

	RtlInitUnicodeString(&path, u"\\other\\share\\b");
	status = RxPrepareToReparseSymbolicLink(rxc, TRUE, &path, FALSE, &required);
	assert_true(status != STATUS_SUCCESS || required);
	return status == STATUS_SUCCESS ? STATUS_REPARSE : status;
}

/* A link: the opener is told to go where it leads, and nothing stays open. */
static void test_B_MRxCreate_07_reparse(void **state)
{
	static const WCHAR target[] = u"\\Device\\Mup\\other\\share\\b";
	PFILE_OBJECT file = file_make(REC_SHARE u"\\link", NULL);
	struct req *r = req_make(file, IRP_MJ_CREATE, 0);

	(void)state;
	rec.reparse_hook = follow;
	r->security.DesiredAccess = FILE_READ_DATA;
	req_sp(r)->Parameters.Create.SecurityContext = &r->security;
	req_sp(r)->Parameters.Create.Options = FILE_OPEN << 24;
	req_sp(r)->Parameters.Create.ShareAccess = FILE_SHARE_READ;
	assert_int_equal(req_run(r, NULL), STATUS_REPARSE);
	assert_int_equal(file->FileName.Length, sizeof(target) - sizeof(WCHAR));
	assert_memory_equal(file->FileName.Buffer, target, file->FileName.Length);
	assert_null(file->FsContext);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	ObDereferenceObject(file);
}

/* ---- collapsing ---- */

static NTSTATUS NTAPI should_collapse(PRX_CONTEXT rxc)
{
	note_create(rxc);
	return original.MRxShouldTryToCollapseThisOpen(rxc);
}

/* The driver is asked about a certain open: the one that is there. */
static void test_B_MRxShouldTryToCollapseThisOpen_01_candidate(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;

	(void)state;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxShouldTryToCollapseThisOpen = should_collapse;
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(seen.calls, 1);
	assert_ptr_equal(seen.srv_open, fobx_of(a)->pSrvOpen);
	file_close(a);
	file_close(b);
}

/* The driver says no: an open of its own, and MRxCollapseOpen is not called. */
static void test_B_MRxShouldTryToCollapseThisOpen_02_refused(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;

	(void)state;
	rec.status[REC_SHOULD_COLLAPSE] = STATUS_MORE_PROCESSING_REQUIRED;
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_SHOULD_COLLAPSE), 1);
	assert_int_equal(rec_seen(REC_COLLAPSE), 0);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	assert_ptr_not_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	file_close(a);
	file_close(b);
}

/* Both opens have the option: equal in everything, and still each has an open of its own. */
static void never_collapses(ULONG options)
{
	const struct open_params p = {.name = REC_SHARE u"\\a",
				      .disposition = FILE_OPEN,
				      .access = DELETE | FILE_READ_DATA,
				      .options = options};
	PFILE_OBJECT a, b;

	assert_int_equal(file_open_with(&p, &a, NULL), STATUS_SUCCESS);
	assert_int_equal(file_open_with(&p, &b, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	assert_int_equal(rec_seen(REC_SHOULD_COLLAPSE), 0);
	assert_int_equal(rec_seen(REC_COLLAPSE), 0);
	assert_ptr_not_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	file_close(a);
	file_close(b);
}

static void test_B_MRxShouldTryToCollapseThisOpen_03_backup_intent(void **state)
{
	/* An open for backup is never collapsed. */
	(void)state;
	never_collapses(FILE_OPEN_FOR_BACKUP_INTENT);
}

static void test_B_MRxShouldTryToCollapseThisOpen_04_delete_on_close(void **state)
{
	/* One that deletes its file is never collapsed. */
	(void)state;
	never_collapses(FILE_DELETE_ON_CLOSE);
}

static NTSTATUS NTAPI collapse(PRX_CONTEXT rxc)
{
	note_create(rxc);
	return original.MRxCollapseOpen(rxc);
}

/* The open to use again and its server are named. */
static void test_B_MRxCollapseOpen_01_parameters(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;

	(void)state;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxCollapseOpen = collapse;
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(seen.calls, 1);
	assert_ptr_equal(seen.srv_open, fobx_of(a)->pSrvOpen);
	assert_ptr_equal(seen.srv_call, fcb_of(a)->pNetRoot->pSrvCall);
	file_close(a);
	file_close(b);
}

/* Done: the server is not asked. */
static void test_B_MRxCollapseOpen_02_ends_it(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(rec_seen(REC_COLLAPSE), 1);
	assert_int_equal(rec_seen(REC_CREATE), 1);
	file_close(a);
	file_close(b);
}

/* Any other answer, also an error, is not the opener's: he gets an open of his own. */
static void test_B_MRxCollapseOpen_03_goes_on(void **state)
{
	static const NTSTATUS answers[] = {STATUS_MORE_PROCESSING_REQUIRED, STATUS_ACCESS_DENIED};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;
		LONG creates = rec_seen(REC_CREATE);

		rec.status[REC_COLLAPSE] = answers[i];
		b = file_open(REC_SHARE u"\\a");
		assert_int_equal(rec_seen(REC_CREATE), creates + 1);
		assert_ptr_not_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
		file_close(a);
		file_close(b);
	}
	assert_int_equal(rec_seen(REC_COLLAPSE), 2);
}

/* E-35: the new file object's open is the collapsed one, with one more user. */
static void test_B_MRxCollapseOpen_04_names_the_open(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_ptr_not_equal(fobx_of(a), fobx_of(b));
	assert_ptr_equal(fobx_of(b)->pSrvOpen, fobx_of(a)->pSrvOpen);
	assert_int_equal(fobx_of(a)->pSrvOpen->OpenCount, 2);
	file_close(a);
	assert_int_equal(req_run(file_read_make(b, 0, 10, false), NULL), STATUS_SUCCESS);
	file_close(b);
}

/* ---- giving up ---- */

static NTSTATUS NTAPI cleanup(PRX_CONTEXT rxc)
{
	note(rxc);
	return original.MRxCleanupFobx(rxc);
}

/* Once for each IRP_MJ_CLEANUP, with the FOBX of that file object. */
static void test_B_MRxCleanupFobx_01_each_cleanup(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");

	(void)state;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxCleanupFobx = cleanup;
	assert_int_equal(file_cleanup(a), STATUS_SUCCESS);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.major, IRP_MJ_CLEANUP);
	assert_ptr_equal(seen.fobx, fobx_of(a));
	assert_int_equal(file_cleanup(b), STATUS_SUCCESS);
	assert_int_equal(seen.calls, 2);
	assert_ptr_equal(seen.fobx, fobx_of(b));
	assert_int_equal(file_close_only(a), STATUS_SUCCESS);
	assert_int_equal(file_close_only(b), STATUS_SUCCESS);
	assert_int_equal(seen.calls, 2);
}

static PFILE_OBJECT going;

static void clean_it_up(void)
{
	if (file_cleanup(going) != STATUS_SUCCESS || rec_seen(REC_CLEANUP) != 1)
		abort();
}

/* A driver must not ask to be asked again: debug builds stop it, others do not ask. */
static void test_B_MRxCleanupFobx_02_no_retry(void **state)
{
	(void)state;
	going = file_open(REC_SHARE u"\\a");
	rec.status[REC_CLEANUP] = STATUS_RETRY;
#ifndef NDEBUG
	assert_true(stops_with(clean_it_up, "STATUS_RETRY"));
#else
	assert_true(runs_through(clean_it_up));
#endif
	rec.status[REC_CLEANUP] = STATUS_ACCESS_DENIED; /* any other failure does not keep the handle */
	clean_it_up();
	assert_int_equal(file_close_only(going), STATUS_SUCCESS);
}

static NTSTATUS NTAPI close_open(PRX_CONTEXT rxc)
{
	note(rxc);
	return original.MRxCloseSrvOpen(rxc);
}

/* The close names what it closes. */
static void test_B_MRxCloseSrvOpen_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	FCB *fcb = fcb_of(file);
	FOBX *fobx = fobx_of(file);

	(void)state;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxCloseSrvOpen = close_open;
	file_close(file);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.major, IRP_MJ_CLOSE);
	assert_ptr_equal(seen.fcb, fcb);
	assert_ptr_equal(seen.fobx, fobx);
	assert_int_equal(seen.cleanups_before, 1);
}

/* With a grant the open is kept, and the next one uses it. */
static void test_B_MRxCloseSrvOpen_02_kept(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_CREATE), 1);
	file_close(file);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
}

/* Not used again, it is closed when its FOBX is scavenged. */
static void test_B_MRxCloseSrvOpen_03_scavenged(void **state)
{
	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	rec_wait_seen(REC_CLOSE, 1);
	assert_int_equal(rec_seen(REC_CREATE), 1);
}

static int setup_short_delay(void **state)
{
	rec.scavenger_s = 1;
	return setup(state);
}

static void close_it(void)
{
	if (file_close_only(going) != STATUS_SUCCESS || rec_seen(REC_CLOSE) != 1)
		abort();
}

/* Nor may MRxCloseSrvOpen; whatever else it answers, everything goes. */
static void test_B_MRxCloseSrvOpen_04_no_retry(void **state)
{
	(void)state;
	going = file_open(REC_SHARE u"\\a");
	assert_int_equal(file_cleanup(going), STATUS_SUCCESS);
	rec.status[REC_CLOSE] = STATUS_RETRY;
#ifndef NDEBUG
	assert_true(stops_with(close_it, "STATUS_RETRY"));
#else
	assert_true(runs_through(close_it));
#endif
	rec.status[REC_CLOSE] = STATUS_ACCESS_DENIED;
	close_it();
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* One call for one IRP_MJ_FLUSH_BUFFERS, whose answer is the request's. */
static void test_B_MRxFlush_01_called(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_FLUSH), 1);
	rec.status[REC_FLUSH] = STATUS_DISK_FULL;
	assert_int_equal(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL), STATUS_DISK_FULL);
	assert_int_equal(rec_seen(REC_FLUSH), 2);
	file_close(file);
}

#define OPEN_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, rec_teardown)

/*
 * An MRxCreate that fails after it made a FOBX, whether it dropped it itself or left it: nothing of the open stays, neither
 * now nor in the way of the next open of that name.
 */
static bool failing_drops;

static NTSTATUS made_and_failed(PRX_CONTEXT rxc)
{
	if (failing_drops) {
		RxDereferenceNetFobx((PFOBX)rxc->pFobx, LHS_ExclusiveLockHeld);
		rxc->pFobx = NULL;
	}
	return STATUS_DISK_FULL;
}

static void failed_create_leaves_nothing(bool drops)
{
	struct open_params p = {.name = REC_SHARE u"\\half", .disposition = FILE_OPEN};
	LONG gone = rec_seen(REC_DEALLOCATE_FOBX);
	PFILE_OBJECT file;

	failing_drops = drops;
	rec.create_hook = made_and_failed;
	assert_int_equal(file_open_with(&p, &file, NULL), STATUS_DISK_FULL);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), gone + 1);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 1);
	rec_check_quiet();
	rec.create_hook = NULL;
	file = file_open(REC_SHARE u"\\half");
	assert_int_equal(fcb_of(file)->OpenCount, 1);
	assert_ptr_equal(fcb_of(file)->SrvOpenList.Flink, fcb_of(file)->SrvOpenList.Blink);
	file_close(file);
}

static NTSTATUS NTAPI collapse_and_fail(PRX_CONTEXT rxc)
{
	rxc->pFobx = RxCreateNetFobx(rxc, rxc->pRelevantSrvOpen);
	return STATUS_DISK_FULL;
}

/* The same for an open that was to be shared: the open of the others keeps its one FOBX, and the file gets a second open. */
static void test_failed_collapse_that_left_its_fobx(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;

	(void)state;
	rec.device->Dispatch->MRxCollapseOpen = collapse_and_fail;
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 1);
	assert_ptr_not_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	rec_check_quiet();
	file_close(b);
	file_close(a);
}

static void test_failed_create_that_left_its_fobx(void **state)
{
	(void)state;
	failed_create_leaves_nothing(false);
}

static void test_failed_create_that_dropped_its_fobx(void **state)
{
	(void)state;
	failed_create_leaves_nothing(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPEN_TEST(test_B_MRxCreate_01_parameters),
		OPEN_TEST(test_B_MRxCreate_02_information),
		OPEN_TEST(test_B_MRxCreate_03_overwrite),
		OPEN_TEST(test_B_MRxCreate_05_fewer_than_opens),
		OPEN_TEST(test_B_MRxCreate_06_retry),
		OPEN_TEST(test_B_MRxCreate_07_reparse),
		OPEN_TEST(test_B_MRxShouldTryToCollapseThisOpen_01_candidate),
		OPEN_TEST(test_B_MRxShouldTryToCollapseThisOpen_02_refused),
		OPEN_TEST(test_B_MRxShouldTryToCollapseThisOpen_03_backup_intent),
		OPEN_TEST(test_B_MRxShouldTryToCollapseThisOpen_04_delete_on_close),
		OPEN_TEST(test_B_MRxCollapseOpen_01_parameters),
		OPEN_TEST(test_B_MRxCollapseOpen_02_ends_it),
		OPEN_TEST(test_B_MRxCollapseOpen_03_goes_on),
		OPEN_TEST(test_B_MRxCollapseOpen_04_names_the_open),
		OPEN_TEST(test_B_MRxCleanupFobx_01_each_cleanup),
		OPEN_TEST(test_B_MRxCleanupFobx_02_no_retry),
		OPEN_TEST(test_B_MRxCloseSrvOpen_01_parameters),
		OPEN_TEST(test_B_MRxCloseSrvOpen_02_kept),
		cmocka_unit_test_setup_teardown(test_B_MRxCloseSrvOpen_03_scavenged, setup_short_delay,
						rec_teardown),
		OPEN_TEST(test_B_MRxCloseSrvOpen_04_no_retry),
		OPEN_TEST(test_B_MRxFlush_01_called),
		OPEN_TEST(test_failed_collapse_that_left_its_fobx),
		OPEN_TEST(test_failed_create_that_left_its_fobx),
		OPEN_TEST(test_failed_create_that_dropped_its_fobx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
