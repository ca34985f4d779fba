/*
 * Information, directories, locks, renames: what the core answers itself and what it makes of a driver's answer.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static NTSTATUS query(PFILE_OBJECT file, FILE_INFORMATION_CLASS cls, void *info, ULONG length,
		      ULONG_PTR *information)
{
	struct req *r = req_make(file, IRP_MJ_QUERY_INFORMATION, 0);

	r->irp->AssociatedIrp.SystemBuffer = info;
	req_sp(r)->Parameters.QueryFile.Length = length;
	req_sp(r)->Parameters.QueryFile.FileInformationClass = cls;
	return req_run(r, information);
}

/* B-MRxQueryFileInfo-02: Information is the length minus what the driver left. */
static void test_query_counts_bytes(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct {
		FILE_STANDARD_INFORMATION info;
		UCHAR more[64];
	} buffer;
	ULONG_PTR information;

	(void)state;
	assert_int_equal(query(file, FileStandardInformation, &buffer, sizeof(buffer), &information),
			 STATUS_SUCCESS);
	assert_int_equal(information, sizeof(buffer.info));
	assert_int_equal(buffer.info.EndOfFile.QuadPart, rec.file_size);
	/* B-MRxQueryFileInfo-04 */
	rec.status[REC_QUERY_INFO] = STATUS_BUFFER_OVERFLOW;
	assert_int_equal(query(file, FileStandardInformation, &buffer, sizeof(buffer), &information),
			 STATUS_BUFFER_OVERFLOW);
	file_close(file);
}

/* FileNameInformation, position, access and mode need no server. */
static void test_local_classes(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\dir\\a");
	union {
		FILE_NAME_INFORMATION name;
		FILE_ACCESS_INFORMATION access;
		FILE_POSITION_INFORMATION position;
		UCHAR bytes[256];
	} buffer;
	static const WCHAR whole[] = REC_SHARE u"\\dir\\a";
	const ULONG bytes = sizeof(whole) - sizeof(WCHAR);
	FILE_POSITION_INFORMATION position = {.CurrentByteOffset.QuadPart = 4711};
	ULONG_PTR information;

	(void)state;
	assert_int_equal(query(file, FileNameInformation, &buffer, sizeof(buffer), &information),
			 STATUS_SUCCESS);
	assert_int_equal(buffer.name.FileNameLength, bytes);
	assert_memory_equal(buffer.name.FileName, whole, bytes);
	assert_int_equal(information, sizeof(ULONG) + bytes);
	assert_int_equal(query(file, FileNameInformation, &buffer, 10, &information), STATUS_BUFFER_OVERFLOW);
	assert_int_equal(buffer.name.FileNameLength, bytes);
	assert_int_equal(information, 10);
	assert_int_equal(query(file, FileNameInformation, &buffer, 3, &information), STATUS_BUFFER_TOO_SMALL);

	assert_int_equal(query(file, FileAccessInformation, &buffer, sizeof(buffer), NULL), STATUS_SUCCESS);
	assert_int_equal(buffer.access.AccessFlags, FILE_READ_DATA | FILE_WRITE_DATA);
	assert_int_equal(
		req_run(file_set_make(file, FilePositionInformation, &position, sizeof(position)), NULL),
		STATUS_SUCCESS);
	assert_int_equal(query(file, FilePositionInformation, &buffer, sizeof(buffer), NULL), STATUS_SUCCESS);
	assert_int_equal(buffer.position.CurrentByteOffset.QuadPart, 4711);
	assert_int_equal(rec_seen(REC_QUERY_INFO), 0);
	assert_int_equal(rec_seen(REC_SET_INFO), 0);
	file_close(file);
}

/* FileAllInformation is put together when the driver does not know it. */
static void test_all_information_is_composed(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	union {
		FILE_ALL_INFORMATION info;
		UCHAR bytes[512];
	} buffer;
	ULONG_PTR information;

	(void)state;
	assert_int_equal(query(file, FileAllInformation, &buffer, sizeof(buffer), &information),
			 STATUS_SUCCESS);
	assert_int_equal(buffer.info.StandardInformation.EndOfFile.QuadPart, rec.file_size);
	assert_int_equal(buffer.info.AccessInformation.AccessFlags, FILE_READ_DATA | FILE_WRITE_DATA);
	assert_int_equal(buffer.info.NameInformation.FileNameLength,
			 sizeof(REC_SHARE u"\\a") - sizeof(WCHAR));
	assert_int_equal(query(file, FileAllInformation, &buffer, 40, &information),
			 STATUS_INFO_LENGTH_MISMATCH);
	file_close(file);
}

/* A set of less than its structure is refused; sizes follow a successful set. */
static void test_set_sizes(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	FILE_END_OF_FILE_INFORMATION eof = {.EndOfFile.QuadPart = 1234};
	FILE_ALLOCATION_INFORMATION allocation = {.AllocationSize.QuadPart = 100};

	(void)state;
	assert_int_equal(req_run(file_set_make(file, FileEndOfFileInformation, &eof, 4), NULL),
			 STATUS_INFO_LENGTH_MISMATCH);
	assert_int_equal(rec_seen(REC_SET_INFO), 0);
	assert_int_equal(req_run(file_set_make(file, FileEndOfFileInformation, &eof, sizeof(eof)), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, 1234);
	assert_int_equal(fcb_of(file)->Header.ValidDataLength.QuadPart, 1234);
	assert_int_equal(
		req_run(file_set_make(file, FileAllocationInformation, &allocation, sizeof(allocation)),
			NULL),
		STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, 100);

	rec.status[REC_SET_INFO] = STATUS_ACCESS_DENIED;
	eof.EndOfFile.QuadPart = 9;
	assert_int_equal(req_run(file_set_make(file, FileEndOfFileInformation, &eof, sizeof(eof)), NULL),
			 STATUS_ACCESS_DENIED);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, 100);
	eof.EndOfFile.QuadPart = -1;
	assert_int_equal(req_run(file_set_make(file, FileEndOfFileInformation, &eof, sizeof(eof)), NULL),
			 STATUS_INVALID_PARAMETER);
	file_close(file);
}

/* A file marked for deletion is not shared, not kept open, and not extended at its cleanup. */
static void test_disposition(void **state)
{
	PFILE_OBJECT file, other;
	FILE_DISPOSITION_INFORMATION info = {TRUE};

	(void)state;
	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file = file_open(REC_SHARE u"\\a");
	assert_int_equal(req_run(file_set_make(file, FileDispositionInformation, &info, sizeof(info)), NULL),
			 STATUS_SUCCESS);
	assert_true(fcb_of(file)->FcbState & FCB_STATE_DELETE_ON_CLOSE);
	other = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_COLLAPSE), 0);
	file_close(other);
	file_close(file);
	assert_int_equal(rec_seen(REC_CLOSE), 2);
}

static NTSTATUS rename_to(PFILE_OBJECT file, const WCHAR *name)
{
	return req_run(file_name_make(file, FileRenameInformation, name, false), NULL);
}

static void assert_path(PFILE_OBJECT file, const WCHAR *path)
{
	UNICODE_STRING s;

	RtlInitUnicodeString(&s, path);
	assert_int_equal(fcb_of(file)->FcbTableEntry.Path.Length, s.Length);
	assert_memory_equal(fcb_of(file)->FcbTableEntry.Path.Buffer, s.Buffer, s.Length);
}

/* After a rename the FCB answers to its new name, in each way of writing it, and the old name is free. */
static void test_rename(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\d\\a"), other;

	(void)state;
	assert_int_equal(rename_to(file, u"\\e\\b"), STATUS_SUCCESS);
	assert_path(file, u"\\e\\b");
	other = file_open(REC_SHARE u"\\e\\b");
	assert_ptr_equal(fcb_of(other), fcb_of(file));
	file_close(other);
	other = file_open(REC_SHARE u"\\d\\a");
	assert_ptr_not_equal(fcb_of(other), fcb_of(file));
	file_close(other);

	assert_int_equal(rename_to(file, u"c"), STATUS_SUCCESS);
	assert_path(file, u"\\e\\c");
	assert_int_equal(rename_to(file, u"\\??\\UNC\\server\\share\\f"), STATUS_SUCCESS);
	assert_path(file, u"\\f");
	assert_int_equal(rename_to(file, u"\\??\\UNC\\server\\other\\f"), STATUS_NOT_SAME_DEVICE);
	rec.status[REC_SET_INFO] = STATUS_OBJECT_NAME_COLLISION;
	assert_int_equal(rename_to(file, u"\\g"), STATUS_OBJECT_NAME_COLLISION);
	assert_path(file, u"\\f");
	file_close(file);
}

/* A rename over an open file leaves that one usable, without a name. */
static void test_rename_over_open_file(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), target = file_open(REC_SHARE u"\\b"), later;

	(void)state;
	assert_int_equal(rename_to(file, u"\\b"), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(target, 0, 10, false), NULL), STATUS_SUCCESS);
	later = file_open(REC_SHARE u"\\b");
	assert_ptr_equal(fcb_of(later), fcb_of(file));
	assert_ptr_not_equal(fcb_of(later), fcb_of(target));
	file_close(target);
	file_close(later);
	file_close(file);
}

/* What is below a renamed directory follows it. */
static void test_rename_directory(void **state)
{
	PFILE_OBJECT dir, below, beside;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
	below = file_open(REC_SHARE u"\\D\\x\\y");
	beside = file_open(REC_SHARE u"\\dd");
	assert_int_equal(rename_to(dir, u"\\new"), STATUS_SUCCESS);
	assert_path(below, u"\\new\\x\\y");
	assert_path(beside, u"\\dd");
	assert_int_equal(req_run(file_read_make(below, 0, 10, false), NULL), STATUS_SUCCESS);
	file_close(beside);
	file_close(below);
	file_close(dir);
}

/* A rename whose lengths lie is refused before anybody believes them. */
static void test_rename_with_bad_lengths(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	FILE_RENAME_INFORMATION info = {.FileNameLength = 0x10000000};

	(void)state;
	assert_int_equal(req_run(file_set_make(file, FileRenameInformation, &info, sizeof(info)), NULL),
			 STATUS_INVALID_PARAMETER);
	info.FileNameLength = 3;
	assert_int_equal(req_run(file_set_make(file, FileRenameInformation, &info, sizeof(info)), NULL),
			 STATUS_INVALID_PARAMETER);
	info.FileNameLength = 0;
	assert_int_equal(req_run(file_set_make(file, FileRenameInformation, &info, sizeof(info)), NULL),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(rec_seen(REC_SET_INFO), 0);
	file_close(file);
}

static NTSTATUS list(PFILE_OBJECT dir, const WCHAR *pattern, UCHAR flags, ULONG_PTR *information)
{
	struct req *r = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY);
	UNICODE_STRING s;

	RtlInitUnicodeString(&s, pattern);
	req_sp(r)->Flags = flags;
	req_sp(r)->Parameters.QueryDirectory.Length = 512;
	req_sp(r)->Parameters.QueryDirectory.FileName = &s;
	req_sp(r)->Parameters.QueryDirectory.FileInformationClass = FileBothDirectoryInformation;
	return req_run(r, information);
}

/* B-MRxQueryDirectory-01 to -04: the first query fixes the pattern. */
static void test_query_directory(void **state)
{
	PFILE_OBJECT dir;
	ULONG_PTR information;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	assert_int_equal(list(dir, u"*.txt", 0, &information), STATUS_SUCCESS);
	assert_int_equal(information, 64);
	assert_true(rec.last_initial_query);
	assert_memory_equal(fobx_of(dir)->UnicodeQueryTemplate.Buffer, u"*.txt", 10);
	assert_true(fobx_of(dir)->ContainsWildCards);
	assert_int_equal(list(dir, u"*", SL_RESTART_SCAN, &information), STATUS_SUCCESS);
	assert_false(rec.last_initial_query);
	assert_int_equal(fobx_of(dir)->UnicodeQueryTemplate.Length, 10);
	rec.status[REC_QUERY_DIR] = STATUS_NO_SUCH_FILE;
	assert_int_equal(list(dir, u"*", 0, &information), STATUS_NO_SUCH_FILE);
	assert_int_equal(information, 0);
	file_close(dir);
}

/* Match-all needs no template but is remembered too. */
static void test_query_directory_match_all(void **state)
{
	PFILE_OBJECT dir, file;

	(void)state;
	file = file_open(REC_SHARE u"\\f");
	assert_int_equal(list(file, u"*", 0, NULL), STATUS_INVALID_PARAMETER);
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	assert_int_equal(list(dir, u"*", 0, NULL), STATUS_SUCCESS);
	assert_true(rec.last_initial_query);
	assert_true(fobx_of(dir)->Flags & FOBX_FLAG_MATCH_ALL);
	assert_int_equal(list(dir, u"*", 0, NULL), STATUS_SUCCESS);
	assert_false(rec.last_initial_query);
	file_close(dir);
	file_close(file);
}

/* B-MRxQueryVolumeInfo-01, -03. */
static void test_volume(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_QUERY_VOLUME_INFORMATION, 0);
	ULONG_PTR information;
	FILE_FS_DEVICE_INFORMATION device;

	(void)state;
	req_sp(r)->Parameters.QueryVolume.Length = 100;
	req_sp(r)->Parameters.QueryVolume.FsInformationClass = FileFsSizeInformation;
	assert_int_equal(req_run(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 8);
	r = req_make(file, IRP_MJ_QUERY_VOLUME_INFORMATION, 0);
	r->irp->AssociatedIrp.SystemBuffer = &device;
	req_sp(r)->Parameters.QueryVolume.Length = sizeof(device);
	req_sp(r)->Parameters.QueryVolume.FsInformationClass = FileFsDeviceInformation;
	assert_int_equal(req_run(r, &information), STATUS_SUCCESS);
	assert_true(device.Characteristics & FILE_REMOTE_DEVICE);
	assert_int_equal(device.DeviceType, FILE_DEVICE_DISK);
	assert_int_equal(rec_seen(REC_QUERY_VOLUME), 1);
	file_close(file);
}

/* What a driver does not have answers STATUS_NOT_IMPLEMENTED, never success. */
static void test_empty_slots(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	static const UCHAR majors[] = {
		IRP_MJ_QUERY_EA,    IRP_MJ_SET_EA,    IRP_MJ_QUERY_SECURITY,        IRP_MJ_SET_SECURITY,
		IRP_MJ_QUERY_QUOTA, IRP_MJ_SET_QUOTA, IRP_MJ_SET_VOLUME_INFORMATION};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(majors); i++)
		assert_int_equal(req_run(req_make(file, majors[i], 0), NULL), STATUS_NOT_IMPLEMENTED);
	file_close(file);
}

/* Locks are kept per handle: one handle's keeps the other from the range, and goes with its cleanup. */
static void test_locks(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");
	PVOID next = NULL;
	LARGE_INTEGER offset, length;
	BOOLEAN exclusive;

	(void)state;
	assert_ptr_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_LOCK, 100, 50, SL_EXCLUSIVE_LOCK), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(rec.last_lowio.Operation, LOWIO_OP_EXCLUSIVELOCK);
	assert_int_equal(rec.last_lowio.ParamsFor.Locks.ByteOffset, 100);
	assert_int_equal(rec.last_lowio.ParamsFor.Locks.Length, 50);
	assert_int_equal(rec.last_lowio.ParamsFor.Locks.Flags, SL_EXCLUSIVE_LOCK);
	assert_true(RxLockEnumerator(fobx_of(a)->pSrvOpen, &next, &offset, &length, &exclusive));
	assert_int_equal(offset.QuadPart, 100);
	assert_int_equal(length.QuadPart, 50);
	assert_true(exclusive);
	assert_false(RxLockEnumerator(fobx_of(a)->pSrvOpen, &next, &offset, &length, &exclusive));

	assert_int_equal(req_run(file_read_make(b, 149, 10, false), NULL), STATUS_FILE_LOCK_CONFLICT);
	assert_int_equal(req_run(file_write_make(b, 90, 11, false), NULL), STATUS_FILE_LOCK_CONFLICT);
	assert_int_equal(req_run(file_read_make(b, 150, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(a, 100, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_lock_make(b, IRP_MN_UNLOCK_SINGLE, 100, 50, 0), NULL),
			 STATUS_RANGE_NOT_LOCKED);
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_UNLOCK_SINGLE, 100, 50, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(b, 149, 10, false), NULL), STATUS_SUCCESS);

	assert_int_equal(req_run(file_lock_make(a, IRP_MN_LOCK, 0, 10, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(rec.last_lowio.Operation, LOWIO_OP_SHAREDLOCK);
	assert_int_equal(req_run(file_write_make(b, 0, 1, false), NULL), STATUS_FILE_LOCK_CONFLICT);
	assert_int_equal(req_run(file_read_make(b, 0, 1, false), NULL), STATUS_SUCCESS);
	file_close(a);
	assert_int_equal(rec_seen(REC_UNLOCK_MULTIPLE), 1);
	assert_int_equal(req_run(file_write_make(b, 0, 1, false), NULL), STATUS_SUCCESS);
	file_close(b);
}

/* Of two equal ranges the exclusive one is unlocked first: what is left is shared ([MS-FSA] 2.1.5.9). */
static void test_a_lock_is_weakened(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_LOCK, 0, 10, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(b, 0, 1, false), NULL), STATUS_FILE_LOCK_CONFLICT);
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_UNLOCK_SINGLE, 0, 10, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(b, 0, 1, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_write_make(a, 0, 1, false), NULL), STATUS_FILE_LOCK_CONFLICT);
	file_close(a);
	file_close(b);
}

/*
 * Handles that share an open are one to the server, which would let the one share what the other has exclusively: it is not
 * asked.
 */
static void test_handles_of_one_open_are_told_apart(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_ptr_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(req_run(file_lock_make(b, IRP_MN_LOCK, 9, 1, SL_FAIL_IMMEDIATELY), NULL),
			 STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(rec_seen(REC_LOCK), 1);
	assert_int_equal(req_run(file_lock_make(b, IRP_MN_LOCK, 10, 1, SL_FAIL_IMMEDIATELY), NULL),
			 STATUS_SUCCESS);
	file_close(a);
	file_close(b);
}

/* A lock that the server refuses is not kept. */
static void test_refused_lock(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a");

	(void)state;
	rec.status[REC_LOCK] = STATUS_LOCK_NOT_GRANTED;
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_LOCK, 0, 10, SL_FAIL_IMMEDIATELY), NULL),
			 STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_UNLOCK_SINGLE, 0, 10, 0), NULL),
			 STATUS_RANGE_NOT_LOCKED);
	assert_int_equal(req_run(file_lock_make(a, IRP_MN_UNLOCK_ALL, 0, 0, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_UNLOCK_MULTIPLE), 0);
	file_close(a);
}

/* B-MRxTruncate-01, -03 and B-MRxZeroExtend-01: the last cleanup cuts or fills the file first. */
static void test_last_cleanup(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");

	(void)state;
	fcb_of(a)->FcbState |= FCB_STATE_TRUNCATE_ON_CLOSE;
	file_close(a);
	assert_int_equal(rec_seen(REC_TRUNCATE), 0);
	file_close(b);
	assert_int_equal(rec_seen(REC_TRUNCATE), 1);
	assert_int_equal(rec_seen(REC_ZERO_EXTEND), 0);

	a = file_open(REC_SHARE u"\\a");
	fcb_of(a)->Header.ValidDataLength.QuadPart = 10;
	file_close(a);
	assert_int_equal(rec_seen(REC_ZERO_EXTEND), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_query_counts_bytes),
		REC_TEST(test_local_classes),
		REC_TEST(test_all_information_is_composed),
		REC_TEST(test_set_sizes),
		REC_TEST(test_disposition),
		REC_TEST(test_rename),
		REC_TEST(test_rename_over_open_file),
		REC_TEST(test_rename_directory),
		REC_TEST(test_rename_with_bad_lengths),
		REC_TEST(test_query_directory),
		REC_TEST(test_query_directory_match_all),
		REC_TEST(test_volume),
		REC_TEST(test_empty_slots),
		REC_TEST(test_locks),
		REC_TEST(test_a_lock_is_weakened),
		REC_TEST(test_handles_of_one_open_are_told_apart),
		REC_TEST(test_refused_lock),
		REC_TEST(test_last_cleanup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
