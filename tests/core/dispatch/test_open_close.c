/*
 * Opens and closes through IRPs: what the server is asked for, and what is left afterwards.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

/* A file is connected to, opened, read and closed with one call to each slot; in the end nothing is left. */
static void test_open_read_close(void **state)
{
	PFILE_OBJECT file;
	struct req *r;
	ULONG_PTR information;
	ULONG i;

	(void)state;
	file = file_open(REC_SHARE u"\\dir\\a");
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 1);
	assert_int_equal(rec_seen(REC_WINNER), 1);
	assert_int_equal(rec_seen(REC_CREATE_VNR), 1);
	assert_int_equal(rec_seen(REC_CREATE), 1);
	assert_int_equal(rec.last_name.Length, 12);
	assert_memory_equal(rec.last_name.Buffer, u"\\dir\\a", 12);

	r = file_read_make(file, 50, 100, false);
	(void)req_send(r);
	for (i = 0; i < 100; i++)
		assert_int_equal(r->buffer[i], rec_byte(50 + i));
	assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 100);

	file_close(file);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 1);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* B-FCB-01, B-FOBX-01: FsContext is the FCB, FsContext2 the FOBX, whose file object points back. */
static void test_file_object_names_its_objects(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(NodeType(fcb_of(file)), RDBSS_NTC_STORAGE_TYPE_FILE);
	assert_int_equal(NodeType(fobx_of(file)), RDBSS_NTC_FOBX);
	assert_ptr_equal(fobx_of(file)->AssociatedFileObject, file);
	assert_int_equal(fcb_of(file)->OpenCount, 1);
	assert_int_equal(fcb_of(file)->UncleanCount, 1);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, rec.file_size);
	file_close(file);
}

/* B-Connection_sequence-04: a second open of a connected share connects no more. */
static void test_second_open_connects_no_more(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\b");

	(void)state;
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 1);
	assert_int_equal(rec_seen(REC_CREATE_VNR), 1);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	assert_ptr_not_equal(fcb_of(a), fcb_of(b));
	file_close(a);
	file_close(b);
}

/* Two spellings of one name share the FCB where the server ignores case. */
static void test_names_share_an_fcb(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\Dir\\A"), b = file_open(u"\\SERVER\\share\\dir\\a");

	(void)state;
	assert_ptr_equal(fcb_of(a), fcb_of(b));
	assert_int_equal(fcb_of(a)->OpenCount, 2);
	file_close(a);
	assert_int_equal(fcb_of(b)->OpenCount, 1);
	file_close(b);
}

/* The root of a share is the file `\`, with and without a backslash at the end of the share's name. */
static void test_root_of_share(void **state)
{
	PFILE_OBJECT a, b;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	a = file_open(REC_SHARE);
	b = file_open(REC_SHARE u"\\");
	assert_int_equal(rec.last_name.Length, 2);
	assert_memory_equal(rec.last_name.Buffer, u"\\", 2);
	assert_ptr_equal(fcb_of(a), fcb_of(b));
	file_close(a);
	file_close(b);
}

/* A name relative to an open directory, and one relative to a tree connection. */
static void test_relative_names(void **state)
{
	PFILE_OBJECT tree, dir, file;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE, .options = FILE_CREATE_TREE_CONNECTION), &tree, NULL),
		STATUS_SUCCESS);
	dir = file_open(REC_SHARE u"\\d");
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
	assert_int_equal(file_open_with(OPEN(.name = u"x\\y", .related = dir), &file, NULL), STATUS_SUCCESS);
	assert_memory_equal(rec.last_name.Buffer, u"\\d\\x\\y", 12);
	file_close(file);
	assert_int_equal(file_open_with(OPEN(.name = u"z", .related = tree), &file, NULL), STATUS_SUCCESS);
	assert_int_equal(rec.last_name.Length, 4);
	assert_memory_equal(rec.last_name.Buffer, u"\\z", 4);
	file_close(file);
	assert_int_equal(file_open_with(OPEN(.name = u"\\z", .related = dir), &file, NULL),
			 STATUS_INVALID_PARAMETER);
	file_close(dir);
	file_close(tree);
}

/* Options that contradict each other are refused before anybody is asked. */
static void test_bad_options_are_refused(void **state)
{
	const struct open_params unknown = {.name = REC_SHARE u"\\a",
					    .disposition = FILE_MAXIMUM_DISPOSITION + 1};
	PFILE_OBJECT file;

	(void)state;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a",
					     .options = FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE),
					&file, NULL),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(file_open_with(&unknown, &file, NULL), STATUS_INVALID_PARAMETER);
	assert_int_equal(
		file_open_with(OPEN(.name = REC_SHARE u"\\a", .options = FILE_DELETE_ON_CLOSE), &file, NULL),
		STATUS_INVALID_PARAMETER);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a\\", .options = FILE_NON_DIRECTORY_FILE),
					&file, NULL),
			 STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 0);
}

/* A failed MRxCreate is the caller's answer, and leaves no FCB, SRV_OPEN or FOBX. */
static void test_failed_create_leaves_nothing(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.status[REC_CREATE] = STATUS_OBJECT_NAME_NOT_FOUND;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &file, NULL),
			 STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 0);
}

/* B-MRxCreate-06: STATUS_RETRY is tried again, but not for ever. */
static void test_retry_is_bounded(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.retries = 2;
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_CREATE), 3);
	file_close(file);
	rec.retries = 1000;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &file, NULL), STATUS_UNSUCCESSFUL);
	assert_in_range(rec_seen(REC_CREATE), 4, 20);
}

/* STATUS_REPARSE reaches the opener; nothing is open. */
static void test_reparse_reaches_the_opener(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.status[REC_CREATE] = STATUS_REPARSE;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &file, NULL), STATUS_REPARSE);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* Local openers respect each other's sharing without asking the server. */
static void test_sharing_is_checked_locally(void **state)
{
	PFILE_OBJECT a, b;

	(void)state;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a", .share = FILE_SHARE_READ), &a, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &b, NULL), STATUS_SHARING_VIOLATION);
	assert_int_equal(rec_seen(REC_CREATE), 1);
	file_close(a);
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &b, NULL), STATUS_SUCCESS);
	file_close(b);
}

/* A file object is not closed by its cleanup: it cannot be read any more once the open at the server is gone. */
static void test_qoc_close_needs_no_close(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.qoc_close = TRUE;
	file = file_open(REC_SHARE u"\\a");
	/* B-MRxLowIOSubmit.READ-03 */
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_FILE_CLOSED);
	file_close(file);
	assert_int_equal(rec_seen(REC_CLEANUP), 0);
	assert_int_equal(rec_seen(REC_CLOSE), 0);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* B-RxFsdDispatch-01: creates of pipes and mailslots are refused, started or not. */
static void test_pipe_create_is_refused(void **state)
{
	PFILE_OBJECT file = file_make(u"\\x", NULL);

	(void)state;
	assert_int_equal(req_run(req_make(file, IRP_MJ_CREATE_NAMED_PIPE, 0), NULL),
			 STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(req_run(req_make(file, IRP_MJ_CREATE_MAILSLOT, 0), NULL),
			 STATUS_OBJECT_NAME_INVALID);
	ObDereferenceObject(file);
}

/* A target directory opens without the network and without a FOBX. */
static void test_open_target_directory(void **state)
{
	PFILE_OBJECT file, target;
	struct open_params p = {
		.name = REC_SHARE u"\\d\\new", .disposition = FILE_OPEN, .flags = SL_OPEN_TARGET_DIRECTORY};

	(void)state;
	file = file_open(REC_SHARE u"\\d\\old");
	assert_int_equal(file_open_with(&p, &target, NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CREATE), 1);
	assert_null(target->FsContext2);
	assert_memory_equal(fcb_of(target)->FcbTableEntry.Path.Buffer, u"\\d", 4);
	/* and there is nothing to be read from it */
	assert_int_equal(req_run(file_read_make(target, 0, 10, false), NULL), STATUS_INVALID_DEVICE_REQUEST);
	file_close(target);
	file_close(file);
}

/* A request for something the FCB's kind cannot do is refused, not passed on. */
static void test_unknown_major_is_refused(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(req_run(req_make(file, IRP_MJ_PNP, 0), NULL), STATUS_INVALID_DEVICE_REQUEST);
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_open_read_close),
		REC_TEST(test_file_object_names_its_objects),
		REC_TEST(test_second_open_connects_no_more),
		REC_TEST(test_names_share_an_fcb),
		REC_TEST(test_root_of_share),
		REC_TEST(test_relative_names),
		REC_TEST(test_bad_options_are_refused),
		REC_TEST(test_failed_create_leaves_nothing),
		REC_TEST(test_retry_is_bounded),
		REC_TEST(test_reparse_reaches_the_opener),
		REC_TEST(test_sharing_is_checked_locally),
		REC_TEST(test_qoc_close_needs_no_close),
		REC_TEST(test_pipe_create_is_refused),
		REC_TEST(test_open_target_directory),
		REC_TEST(test_unknown_major_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
