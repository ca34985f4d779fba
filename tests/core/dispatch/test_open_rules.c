/*
 * test_open_rules.c - three rules of opens and requests. Rows B-MRxShouldTryToCollapseThisOpen,
 * B-RxPrepareToReparseSymbolicLink, B-FSP_rules.
 */
#include <stdlib.h>

#include "../support/rec.h"
#include "../support/stops.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

/*
 * Two opens of a folder, through which notifies may be asked for: a redirector that does not want to share them need not,
 * and then each has an open of its own, which ends with it.
 */
static void test_B_MRxShouldTryToCollapseThisOpen_05_directories(void **state)
{
	PFILE_OBJECT a, b;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	rec.status[REC_SHOULD_COLLAPSE] = STATUS_MORE_PROCESSING_REQUIRED;
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE u"\\d", .options = FILE_DIRECTORY_FILE), &a, NULL),
		STATUS_SUCCESS);
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE u"\\d", .options = FILE_DIRECTORY_FILE), &b, NULL),
		STATUS_SUCCESS);
	assert_ptr_equal(fcb_of(a), fcb_of(b));
	assert_ptr_not_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	assert_int_equal(rec_seen(REC_COLLAPSE), 0);
	file_close(b);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	file_close(a);
}

/* ---- links ---- */

static NTSTATUS answer_after_preparing;

static NTSTATUS prepare_and_answer(PRX_CONTEXT rxc)
{
	UNICODE_STRING to = NT_STR(u"\\server\\share\\elsewhere");
	BOOLEAN required = FALSE;

	assert_int_equal(RxPrepareToReparseSymbolicLink(rxc, TRUE, &to, TRUE, &required), STATUS_SUCCESS);
	assert_true(required);
	return answer_after_preparing;
}

static void open_a_link(void)
{
	PFILE_OBJECT file;
	NTSTATUS status = file_open_with(OPEN(.name = REC_SHARE u"\\link"), &file, NULL);

	if (status == STATUS_SUCCESS) /* refused in builds without assertions */
		abort();
}

/* Having prepared, MRxCreate answers STATUS_REPARSE; with anything else RDBSS does not go on. */
static void test_B_RxPrepareToReparseSymbolicLink_04_must_reparse(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.reparse_hook = prepare_and_answer;
	answer_after_preparing = STATUS_REPARSE;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\link"), &file, NULL), STATUS_REPARSE);
	answer_after_preparing = STATUS_SUCCESS;
#ifndef NDEBUG
	assert_true(stops_with(open_a_link, "STATUS_REPARSE"));
#else
	assert_true(runs_through(open_a_link));
#endif
}

/* ---- who may be asked asynchronously ---- */

static volatile LONG asked, asked_asynchronously;

static void note(PRX_CONTEXT rxc)
{
	InterlockedIncrement(&asked);
	if ((__atomic_load_n(&rxc->Flags, __ATOMIC_RELAXED) & RX_CONTEXT_FLAG_ASYNC_OPERATION) != 0)
		InterlockedIncrement(&asked_asynchronously);
}

static MINIRDR_DISPATCH original;

#define NOTED(slot) \
	static NTSTATUS NTAPI noted_##slot(PRX_CONTEXT rxc) \
	{ \
		note(rxc); \
		return original.slot(rxc); \
	}

NOTED(MRxCreate)
NOTED(MRxFlush)
NOTED(MRxCleanupFobx)
NOTED(MRxCloseSrvOpen)
NOTED(MRxQueryFileInfo)
NOTED(MRxSetFileInfo)
NOTED(MRxQueryVolumeInfo)

static NTSTATUS NTAPI noted_read(PRX_CONTEXT rxc)
{
	note(rxc);
	return original.MRxLowIOSubmit[LOWIO_OP_READ](rxc);
}

/* Requests that may pend, of every kind: only the low-I/O slots hear that they may. */
static void test_B_FSP_rules_04_only_low_io(void **state)
{
	FILE_BASIC_INFORMATION basic = {.FileAttributes = FILE_ATTRIBUTE_NORMAL};
	PMINIRDR_DISPATCH table = rec.device->Dispatch;
	PFILE_OBJECT file;
	struct req *r;

	(void)state;
	original = *table;
	table->MRxCreate = noted_MRxCreate;
	table->MRxFlush = noted_MRxFlush;
	table->MRxCleanupFobx = noted_MRxCleanupFobx;
	table->MRxCloseSrvOpen = noted_MRxCloseSrvOpen;
	table->MRxQueryFileInfo = noted_MRxQueryFileInfo;
	table->MRxSetFileInfo = noted_MRxSetFileInfo;
	table->MRxQueryVolumeInfo = noted_MRxQueryVolumeInfo;
	table->MRxLowIOSubmit[LOWIO_OP_READ] = noted_read;
	asked = asked_asynchronously = 0;
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_set_make(file, FileBasicInformation, &basic, sizeof(basic)), NULL),
			 STATUS_SUCCESS);
	r = req_make(file, IRP_MJ_QUERY_INFORMATION, 0);
	req_sp(r)->Parameters.QueryFile.FileInformationClass = FileInternalInformation;
	req_sp(r)->Parameters.QueryFile.Length = sizeof(FILE_INTERNAL_INFORMATION);
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(asked, 4);
	assert_int_equal(asked_asynchronously, 0);
	assert_int_equal(req_run(file_read_make(file, 0, 10, true), NULL), STATUS_SUCCESS);
	assert_int_equal(asked, 5);
	assert_int_equal(asked_asynchronously, 1);
	file_close(file);
	assert_int_equal(asked, 7);
	assert_int_equal(asked_asynchronously, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_MRxShouldTryToCollapseThisOpen_05_directories),
		REC_TEST(test_B_RxPrepareToReparseSymbolicLink_04_must_reparse),
		REC_TEST(test_B_FSP_rules_04_only_low_io),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
