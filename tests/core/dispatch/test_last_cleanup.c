/*
 * The last handle of a file, and links: rows B-MRxTruncate, B-MRxZeroExtend, B-MRxSetFileInfoAtCleanup,
 * B-RxPrepareToReparseSymbolicLink.
 */
#include "../support/bare.h"

static MINIRDR_DISPATCH original;

static struct {
	LONG infos, truncates, zeroes, cleanups_before;
	struct {
		FILE_INFORMATION_CLASS cls;
		LONG length;
		LONGLONG end;
	} info[4];
} seen;

static NTSTATUS NTAPI truncate_it(PRX_CONTEXT rxc)
{
	seen.truncates++;
	seen.cleanups_before = rec_seen(REC_CLEANUP);
	return original.MRxTruncate(rxc);
}

static NTSTATUS NTAPI zero_extend(PRX_CONTEXT rxc)
{
	seen.zeroes++;
	seen.cleanups_before = rec_seen(REC_CLEANUP);
	return original.MRxZeroExtend(rxc);
}

static NTSTATUS NTAPI set_info(PRX_CONTEXT rxc)
{
	assert_in_range(seen.infos, 0, 3);
	seen.info[seen.infos].cls = rxc->Info.FileInformationClass;
	seen.info[seen.infos].length = rxc->Info.Length;
	if (rxc->Info.FileInformationClass == FileEndOfFileInformation)
		seen.info[seen.infos].end =
			((PFILE_END_OF_FILE_INFORMATION)rxc->Info.Buffer)->EndOfFile.QuadPart;
	seen.infos++;
	return original.MRxSetFileInfoAtCleanup(rxc);
}

static int setup(void **state)
{
	int result = rec_setup(state);

	if (result != 0)
		return result;
	RtlZeroMemory(&seen, sizeof(seen));
	original = *rec.device->Dispatch;
	rec.device->Dispatch->MRxTruncate = truncate_it;
	rec.device->Dispatch->MRxZeroExtend = zero_extend;
	rec.device->Dispatch->MRxSetFileInfoAtCleanup = set_info;
	return 0;
}

/* Files and directories alike. */
static void test_B_MRxTruncate_01_last_cleanup(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	fcb_of(file)->FcbState |= FCB_STATE_TRUNCATE_ON_CLOSE;
	file_close(file);
	assert_int_equal(seen.truncates, 1);
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	file = file_open(REC_SHARE u"\\d");
	fcb_of(file)->FcbState |= FCB_STATE_TRUNCATE_ON_CLOSE;
	file_close(file);
	assert_int_equal(seen.truncates, 2);
}

/* Not without the flag, and not while another handle is there. */
static void test_B_MRxTruncate_02_not_otherwise(void **state)
{
	PFILE_OBJECT a, b;

	(void)state;
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(seen.truncates, 0);
	a = file_open(REC_SHARE u"\\a");
	b = file_open(REC_SHARE u"\\a");
	fcb_of(a)->FcbState |= FCB_STATE_TRUNCATE_ON_CLOSE;
	file_close(a);
	assert_int_equal(seen.truncates, 0);
	file_close(b);
	assert_int_equal(seen.truncates, 1);
}

/* First the file is cut, then the handle is cleaned up. */
static void test_B_MRxTruncate_03_before_cleanup(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	fcb_of(file)->FcbState |= FCB_STATE_TRUNCATE_ON_CLOSE;
	file_close(file);
	assert_int_equal(seen.truncates, 1);
	assert_int_equal(seen.cleanups_before, 0);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
}

/* A failure stops nothing. */
static void test_B_MRxTruncate_04_status_ignored(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	fcb_of(file)->FcbState |= FCB_STATE_TRUNCATE_ON_CLOSE;
	rec.status[REC_TRUNCATE] = STATUS_ACCESS_DENIED;
	assert_int_equal(file_cleanup(file), STATUS_SUCCESS);
	assert_int_equal(seen.truncates, 1);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
}

static LONG zeroes_with(ULONG fcb_state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	seen.zeroes = 0;
	fcb_of(file)->Header.ValidDataLength.QuadPart = 10;
	fcb_of(file)->FcbState |= fcb_state;
	file_close(file);
	return seen.zeroes;
}

/* Unless the file is to be deleted, or is a paging file; and only when something is to be filled. */
static void test_B_MRxZeroExtend_01_when(void **state)
{
	(void)state;
	assert_int_equal(zeroes_with(0), 1);
	assert_int_equal(zeroes_with(FCB_STATE_DELETE_ON_CLOSE), 0);
	assert_int_equal(zeroes_with(FCB_STATE_PAGING_FILE), 0);
	file_close(file_open(REC_SHARE u"\\a"));
	assert_int_equal(seen.zeroes, 0);
}

/* Then all of the file is valid. */
static void test_B_MRxZeroExtend_02_all_valid(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	fcb_of(file)->Header.ValidDataLength.QuadPart = 10;
	assert_int_equal(file_cleanup(file), STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.ValidDataLength.QuadPart, rec.file_size);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, rec.file_size);
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
}

/* First the file is filled, then the handle is cleaned up. */
static void test_B_MRxZeroExtend_03_before_cleanup(void **state)
{
	(void)state;
	assert_int_equal(zeroes_with(0), 1);
	assert_int_equal(seen.cleanups_before, 0);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
}

/* A failure stops nothing. */
static void test_B_MRxZeroExtend_04_status_ignored(void **state)
{
	(void)state;
	rec.status[REC_ZERO_EXTEND] = STATUS_DISK_FULL;
	assert_int_equal(zeroes_with(0), 1); /* file_close() looks at the status of the cleanup */
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
}

enum { TIMES = 1, SIZE = 2 };

/* A file whose times or size only this side knows. */
static PFILE_OBJECT changed(unsigned int what)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	fcb_of(file)->FcbState |= FCB_STATE_FILETIMECACHEING_ENABLED | FCB_STATE_FILESIZECACHEING_ENABLED;
	if ((what & TIMES) != 0) {
		fcb_of(file)->IsFileWritten = TRUE;
		file->Flags |= FO_FILE_MODIFIED;
	}
	if ((what & SIZE) != 0)
		file->Flags |= FO_FILE_SIZE_CHANGED;
	return file;
}

/* The times, with the size of their structure. */
static void test_B_MRxSetFileInfoAtCleanup_01_times(void **state)
{
	(void)state;
	file_close(changed(TIMES));
	assert_int_equal(seen.infos, 1);
	assert_int_equal(seen.info[0].cls, FileBasicInformation);
	assert_int_equal(seen.info[0].length, sizeof(FILE_BASIC_INFORMATION));
}

/* The size, with the size of its structure. */
static void test_B_MRxSetFileInfoAtCleanup_02_size(void **state)
{
	(void)state;
	file_close(changed(SIZE));
	assert_int_equal(seen.infos, 1);
	assert_int_equal(seen.info[0].cls, FileEndOfFileInformation);
	assert_int_equal(seen.info[0].length, sizeof(FILE_END_OF_FILE_INFORMATION));
	assert_int_equal(seen.info[0].end, rec.file_size);
}

/* Both: two calls. Neither: none. */
static void test_B_MRxSetFileInfoAtCleanup_03_both_or_none(void **state)
{
	(void)state;
	file_close(changed(0));
	assert_int_equal(seen.infos, 0);
	file_close(changed(TIMES | SIZE));
	assert_int_equal(seen.infos, 2);
	assert_int_not_equal(seen.info[0].cls, seen.info[1].cls);
}

/* Not with the first of two handles; with the last one, and before its close. */
static void test_B_MRxSetFileInfoAtCleanup_04_last_handle(void **state)
{
	PFILE_OBJECT a = changed(SIZE), b = changed(SIZE);

	(void)state;
	assert_ptr_equal(fcb_of(a), fcb_of(b));
	file_close(a);
	assert_int_equal(seen.infos, 0);
	assert_int_equal(file_cleanup(b), STATUS_SUCCESS);
	assert_int_equal(seen.infos, 1);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	assert_int_equal(file_close_only(b), STATUS_SUCCESS);
	assert_int_equal(seen.infos, 1);
}

/* A failure of the first call stops neither the second nor the cleanup. */
static void test_B_MRxSetFileInfoAtCleanup_05_status_ignored(void **state)
{
	(void)state;
	rec.status[REC_SET_INFO_AT_CLEANUP] = STATUS_ACCESS_DENIED;
	file_close(changed(TIMES | SIZE));
	assert_int_equal(seen.infos, 2);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
}

/* ---- links ---- */

/* What a create on a link is told, for an access and a place of the link. */
static NTSTATUS prepare(UCHAR major, ACCESS_MASK access, bool embedded, bool absolute, PFILE_OBJECT file,
			PBOOLEAN required)
{
	struct bare *b = bare_make(file, major, 0);
	PRX_CONTEXT rxc = bare_context(b, 0);
	UNICODE_STRING path;
	NTSTATUS status;

	RtlInitUnicodeString(&path, u"\\s\\x");
	rxc->Create.NtCreateParameters.DesiredAccess = access;
	status = RxPrepareToReparseSymbolicLink(rxc, embedded, &path, absolute, required);
	bare_drop(b);
	return status;
}

/* Only a create follows links. */
static void test_B_RxPrepareToReparseSymbolicLink_01_only_creates(void **state)
{
	BOOLEAN required = TRUE;

	(void)state;
	assert_int_equal(prepare(IRP_MJ_READ, FILE_READ_DATA, true, false, NULL, &required),
			 STATUS_INVALID_PARAMETER);
	assert_false(required);
}

/* Who wants to delete and more of a link itself is refused. */
static void test_B_RxPrepareToReparseSymbolicLink_02_delete_and_more(void **state)
{
	PFILE_OBJECT file = file_make(REC_SHARE u"\\l", NULL);
	BOOLEAN required;

	(void)state;
	assert_int_equal(prepare(IRP_MJ_CREATE, DELETE | FILE_READ_DATA, false, false, file, &required),
			 STATUS_ACCESS_DENIED);
	assert_int_equal(prepare(IRP_MJ_CREATE, DELETE | FILE_READ_DATA, true, false, file, &required),
			 STATUS_SUCCESS);
	assert_true(required);
	ObDereferenceObject(file);
}

/* Who wants to delete only gets the link; the name stays. */
static void test_B_RxPrepareToReparseSymbolicLink_03_05_the_link_itself(void **state)
{
	PFILE_OBJECT file = file_make(REC_SHARE u"\\l", NULL);
	USHORT length = file->FileName.Length;
	BOOLEAN required = TRUE;

	(void)state;
	assert_int_equal(prepare(IRP_MJ_CREATE, DELETE, false, false, file, &required), STATUS_SUCCESS);
	assert_false(required);
	assert_int_equal(file->FileName.Length, length);
	ObDereferenceObject(file);
}

/* A path that is not absolute goes behind \Device\Mup; an absolute one is the name as it is. */
static void test_B_RxPrepareToReparseSymbolicLink_06_prefix(void **state)
{
	PFILE_OBJECT file = file_make(REC_SHARE u"\\l", NULL);
	BOOLEAN required;

	(void)state;
	assert_int_equal(prepare(IRP_MJ_CREATE, FILE_READ_DATA, false, false, file, &required),
			 STATUS_SUCCESS);
	assert_true(required);
	assert_int_equal(file->FileName.Length, sizeof(u"\\Device\\Mup\\s\\x") - sizeof(WCHAR));
	assert_memory_equal(file->FileName.Buffer, u"\\Device\\Mup\\s\\x", file->FileName.Length);
	assert_int_equal(prepare(IRP_MJ_CREATE, FILE_READ_DATA, false, true, file, &required),
			 STATUS_SUCCESS);
	assert_int_equal(file->FileName.Length, sizeof(u"\\s\\x") - sizeof(WCHAR));
	assert_memory_equal(file->FileName.Buffer, u"\\s\\x", file->FileName.Length);
	ObDereferenceObject(file);
}

#define LAST_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, rec_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAST_TEST(test_B_MRxTruncate_01_last_cleanup),
		LAST_TEST(test_B_MRxTruncate_02_not_otherwise),
		LAST_TEST(test_B_MRxTruncate_03_before_cleanup),
		LAST_TEST(test_B_MRxTruncate_04_status_ignored),
		LAST_TEST(test_B_MRxZeroExtend_01_when),
		LAST_TEST(test_B_MRxZeroExtend_02_all_valid),
		LAST_TEST(test_B_MRxZeroExtend_03_before_cleanup),
		LAST_TEST(test_B_MRxZeroExtend_04_status_ignored),
		LAST_TEST(test_B_MRxSetFileInfoAtCleanup_01_times),
		LAST_TEST(test_B_MRxSetFileInfoAtCleanup_02_size),
		LAST_TEST(test_B_MRxSetFileInfoAtCleanup_03_both_or_none),
		LAST_TEST(test_B_MRxSetFileInfoAtCleanup_04_last_handle),
		LAST_TEST(test_B_MRxSetFileInfoAtCleanup_05_status_ignored),
		LAST_TEST(test_B_RxPrepareToReparseSymbolicLink_01_only_creates),
		LAST_TEST(test_B_RxPrepareToReparseSymbolicLink_02_delete_and_more),
		LAST_TEST(test_B_RxPrepareToReparseSymbolicLink_03_05_the_link_itself),
		LAST_TEST(test_B_RxPrepareToReparseSymbolicLink_06_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
