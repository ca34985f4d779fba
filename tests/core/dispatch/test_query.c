/*
 * test_query.c - what a driver is told of a query, and what becomes of its answer: directories, files, volumes, and the
 * buffers of a request. Rows B-MRxQueryDirectory, B-MRxQueryFileInfo, B-MRxSetFileInfo, B-MRxQueryVolumeInfo-01 to
 * -03, B-MRxSetVolumeInfo, B-RxMapSystemBuffer, B-RxNewMapUserBuffer.
 */
#include "../support/rec.h"

static struct {
	unsigned int calls;
	LONG used; /* bytes that the slot fills */
	ULONG_PTR information;
	NTSTATUS answer;
	unsigned int posts; /* how often it asks for a worker first */
	PVOID buffer;
	LONG length;
	FILE_INFORMATION_CLASS file_class;
	FS_INFORMATION_CLASS fs_class;
	ULONG index;
	BOOLEAN restart, single, indexed, initial;
	PETHREAD thread;
} saw;

static NTSTATUS NTAPI query(PRX_CONTEXT rxc)
{
	saw.calls++;
	saw.buffer = rxc->Info.Buffer;
	saw.length = rxc->Info.LengthRemaining;
	saw.file_class = rxc->Info.FileInformationClass;
	saw.fs_class = rxc->Info.FsInformationClass;
	saw.thread = PsGetCurrentThread();
	if (saw.posts > 0) {
		saw.posts--;
		rxc->PostRequest = TRUE;
		return STATUS_PENDING;
	}
	rxc->InformationToReturn = saw.information;
	rxc->Info.LengthRemaining -= saw.used;
	return saw.answer;
}

static NTSTATUS NTAPI query_directory(PRX_CONTEXT rxc)
{
	saw.index = rxc->QueryDirectory.FileIndex;
	saw.restart = rxc->QueryDirectory.RestartScan;
	saw.single = rxc->QueryDirectory.ReturnSingleEntry;
	saw.indexed = rxc->QueryDirectory.IndexSpecified;
	saw.initial = rxc->QueryDirectory.InitialQuery;
	return query(rxc);
}

static int begin(void **state)
{
	PMINIRDR_DISPATCH dispatch;

	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&saw, sizeof(saw));
	dispatch = rec.device->Dispatch;
	dispatch->MRxQueryDirectory = query_directory;
	dispatch->MRxQueryFileInfo = query;
	dispatch->MRxSetFileInfo = query;
	dispatch->MRxQueryVolumeInfo = query;
	dispatch->MRxSetVolumeInfo = query;
	return 0;
}

#define QUERY_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, rec_teardown)

/* ---- directories ---- */

static PFILE_OBJECT open_directory(void)
{
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	return file_open(REC_SHARE u"\\d");
}

static NTSTATUS list(PFILE_OBJECT dir, const WCHAR *pattern, UCHAR flags, ULONG_PTR *information)
{
	struct req *r = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY);
	UNICODE_STRING s;

	RtlInitUnicodeString(&s, pattern);
	req_sp(r)->Flags = flags;
	req_sp(r)->Parameters.QueryDirectory.Length = 500;
	req_sp(r)->Parameters.QueryDirectory.FileName = pattern != NULL ? &s : NULL;
	req_sp(r)->Parameters.QueryDirectory.FileIndex = 0x1234;
	req_sp(r)->Parameters.QueryDirectory.FileInformationClass = FileIdBothDirectoryInformation;
	return req_run(r, information);
}

static void test_B_MRxQueryDirectory_01_parameters(void **state)
{
	PFILE_OBJECT dir = open_directory();
	struct req *r = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY);
	UNICODE_STRING s;
	ULONG_PTR information;

	(void)state;
	RtlInitUnicodeString(&s, u"*");
	req_sp(r)->Parameters.QueryDirectory.Length = 400;
	req_sp(r)->Parameters.QueryDirectory.FileName = &s;
	req_sp(r)->Parameters.QueryDirectory.FileIndex = 77;
	req_sp(r)->Parameters.QueryDirectory.FileInformationClass = FileNamesInformation;
	saw.used = 130;
	(void)req_send(r);
	assert_int_equal(saw.file_class, FileNamesInformation);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(saw.length, 400);
	assert_int_equal(saw.index, 77);
	assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 130);
	file_close(dir);
}

/* Each flag of the stack location has its own member, and moves no other. */
static void test_B_MRxQueryDirectory_02_flags(void **state)
{
	PFILE_OBJECT dir = open_directory();
	UCHAR flags;

	(void)state;
	assert_int_equal(SL_RESTART_SCAN | SL_RETURN_SINGLE_ENTRY | SL_INDEX_SPECIFIED, 7);
	for (flags = 0; flags < 8; flags++) {
		assert_int_equal(list(dir, u"*", flags, NULL), STATUS_SUCCESS);
		assert_int_equal(saw.restart, (flags & SL_RESTART_SCAN) != 0);
		assert_int_equal(saw.single, (flags & SL_RETURN_SINGLE_ENTRY) != 0);
		assert_int_equal(saw.indexed, (flags & SL_INDEX_SPECIFIED) != 0);
	}
	file_close(dir);
}

/* The first query of a handle is initial, with a pattern or with all; no later one, and every handle has its own. */
static void test_B_MRxQueryDirectory_03_initial_query(void **state)
{
	static const WCHAR *const patterns[] = {u"*.c", u"*", u"", u"name"};
	unsigned int i;

	(void)state;
	for (i = 0; i < RTL_NUMBER_OF(patterns); i++) {
		PFILE_OBJECT dir = open_directory();

		assert_int_equal(list(dir, patterns[i], 0, NULL), STATUS_SUCCESS);
		assert_true(saw.initial);
		assert_int_equal(list(dir, patterns[i], SL_RESTART_SCAN, NULL), STATUS_SUCCESS);
		assert_false(saw.initial);
		file_close(dir);
	}
}

/* The pattern of the first query is the handle's for good. */
static void test_B_MRxQueryDirectory_04_template(void **state)
{
	PFILE_OBJECT dir = open_directory();
	PFOBX fobx = fobx_of(dir);

	(void)state;
	assert_int_equal(list(dir, u"a?c*.txt", 0, NULL), STATUS_SUCCESS);
	assert_int_equal(fobx->UnicodeQueryTemplate.Length, 16);
	assert_memory_equal(fobx->UnicodeQueryTemplate.Buffer, u"a?c*.txt", 16);
	assert_true(fobx->ContainsWildCards);
	assert_int_equal(list(dir, u"other*", SL_RESTART_SCAN, NULL), STATUS_SUCCESS);
	assert_int_equal(fobx->UnicodeQueryTemplate.Length, 16);
	assert_memory_equal(fobx->UnicodeQueryTemplate.Buffer, u"a?c*.txt", 16);
	file_close(dir);
}

/* A driver that wants a worker is called again by one, with the same question. */
static void test_B_MRxQueryDirectory_05_posted(void **state)
{
	PFILE_OBJECT dir = open_directory();
	ULONG_PTR information;

	(void)state;
	saw.posts = 1;
	saw.used = 90;
	assert_int_equal(list(dir, u"*.h", SL_RETURN_SINGLE_ENTRY, &information), STATUS_SUCCESS);
	assert_int_equal(saw.calls, 2);
	assert_ptr_not_equal(saw.thread, PsGetCurrentThread());
	assert_true(saw.initial);
	assert_true(saw.single);
	assert_int_equal(saw.index, 0x1234);
	assert_int_equal(saw.file_class, FileIdBothDirectoryInformation);
	assert_int_equal(saw.length, 500);
	assert_int_equal(information, 90);
	assert_int_equal(list(dir, u"*.h", 0, NULL), STATUS_SUCCESS);
	assert_false(saw.initial);
	file_close(dir);
}

static void test_B_MRxQueryDirectory_06_nothing_found(void **state)
{
	PFILE_OBJECT dir = open_directory();
	ULONG_PTR information = 1;

	(void)state;
	saw.answer = STATUS_NO_SUCH_FILE;
	assert_int_equal(list(dir, u"*.none", 0, &information), STATUS_NO_SUCH_FILE);
	assert_int_equal(information, 0);
	/* that was an answer: the search has begun */
	assert_int_equal(list(dir, u"*.none", 0, NULL), STATUS_NO_SUCH_FILE);
	assert_false(saw.initial);
	file_close(dir);
}

/* ---- files ---- */

static struct req *query_make(PFILE_OBJECT file, FILE_INFORMATION_CLASS cls, ULONG length)
{
	struct req *r = req_make(file, IRP_MJ_QUERY_INFORMATION, 0);

	req_sp(r)->Parameters.QueryFile.Length = length;
	req_sp(r)->Parameters.QueryFile.FileInformationClass = cls;
	return r;
}

static void test_B_MRxQueryFileInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = query_make(file, FileStreamInformation, 300);

	(void)state;
	(void)req_send(r);
	assert_int_equal(saw.calls, 1);
	assert_int_equal(saw.file_class, FileStreamInformation);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(saw.length, 300);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	file_close(file);
}

/* What the driver left unused is subtracted: nothing, something, everything. */
static void test_B_MRxQueryFileInfo_02_information(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	static const LONG used[] = {0, 1, 123, 300};
	ULONG_PTR information;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTL_NUMBER_OF(used); i++) {
		saw.used = used[i];
		assert_int_equal(req_run(query_make(file, FileStreamInformation, 300), &information),
				 STATUS_SUCCESS);
		assert_int_equal(information, used[i]);
	}
	file_close(file);
}

static void test_B_MRxQueryFileInfo_03_no_index(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = query_make(file, FileStreamInformation, 300);

	(void)state;
	req_sp(r)->Flags = SL_INDEX_SPECIFIED;
	assert_int_equal(req_run(r, NULL), STATUS_INVALID_PARAMETER);
	assert_int_equal(saw.calls, 0);
	file_close(file);
}

static void test_B_MRxQueryFileInfo_04_overflow_has_data(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	saw.answer = STATUS_BUFFER_OVERFLOW;
	saw.used = 299;
	assert_int_equal(req_run(query_make(file, FileStreamInformation, 300), &information),
			 STATUS_BUFFER_OVERFLOW);
	assert_int_equal(information, 299);
	/* an error has none */
	saw.answer = STATUS_ACCESS_DENIED;
	assert_int_equal(req_run(query_make(file, FileStreamInformation, 300), &information),
			 STATUS_ACCESS_DENIED);
	assert_int_equal(information, 0);
	file_close(file);
}

static void test_B_MRxQueryFileInfo_05_size_needed(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	saw.answer = STATUS_BUFFER_TOO_SMALL;
	saw.information = 4711;
	assert_int_equal(req_run(query_make(file, FileStreamInformation, 10), &information),
			 STATUS_BUFFER_TOO_SMALL);
	assert_int_equal(information, 4711);
	file_close(file);
}

static void test_B_MRxSetFileInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	FILE_BASIC_INFORMATION basic = {.FileAttributes = FILE_ATTRIBUTE_HIDDEN};
	struct req *r = file_set_make(file, FileBasicInformation, &basic, sizeof(basic));

	(void)state;
	(void)req_send(r);
	assert_int_equal(saw.calls, 1);
	assert_int_equal(saw.file_class, FileBasicInformation);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(saw.length, sizeof(basic));
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	file_close(file);
}

/* ---- volumes ---- */

static struct req *volume_make(PFILE_OBJECT file, UCHAR major, FS_INFORMATION_CLASS cls, ULONG length)
{
	struct req *r = req_make(file, major, 0);

	if (major == IRP_MJ_QUERY_VOLUME_INFORMATION) {
		req_sp(r)->Parameters.QueryVolume.Length = length;
		req_sp(r)->Parameters.QueryVolume.FsInformationClass = cls;
	} else {
		req_sp(r)->Parameters.SetVolume.Length = length;
		req_sp(r)->Parameters.SetVolume.FsInformationClass = cls;
	}
	return r;
}

static void test_B_MRxQueryVolumeInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = volume_make(file, IRP_MJ_QUERY_VOLUME_INFORMATION, FileFsAttributeInformation, 200);
	ULONG_PTR information;

	(void)state;
	saw.used = 57;
	(void)req_send(r);
	assert_int_equal(saw.calls, 1);
	assert_int_equal(saw.fs_class, FileFsAttributeInformation);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(saw.length, 200);
	assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 57);
	file_close(file);
}

static void test_B_MRxQueryVolumeInfo_02_posted(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	saw.posts = 1;
	saw.used = 41;
	assert_int_equal(
		req_run(volume_make(file, IRP_MJ_QUERY_VOLUME_INFORMATION, FileFsSizeInformation, 60),
			&information),
		STATUS_SUCCESS);
	assert_int_equal(saw.calls, 2);
	assert_ptr_not_equal(saw.thread, PsGetCurrentThread());
	assert_int_equal(saw.fs_class, FileFsSizeInformation);
	assert_int_equal(saw.length, 60);
	assert_int_equal(information, 41);
	file_close(file);
}

static NTSTATUS query_device(PFILE_OBJECT file, PFILE_FS_DEVICE_INFORMATION info, ULONG_PTR *information)
{
	struct req *r =
		volume_make(file, IRP_MJ_QUERY_VOLUME_INFORMATION, FileFsDeviceInformation, sizeof(*info));

	(void)req_send(r);
	RtlCopyMemory(info, r->buffer, sizeof(*info));
	return req_end(r, information);
}

/* Which device a share is, the core says: the share's own type, and a pipe's when it is one. */
static void test_B_MRxQueryVolumeInfo_03_device(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PMRX_NET_ROOT nr = fcb_of(file)->pNetRoot;
	FILE_FS_DEVICE_INFORMATION info;
	ULONG_PTR information;

	(void)state;
	nr->DeviceType = FILE_DEVICE_NETWORK_FILE_SYSTEM;
	assert_int_equal(query_device(file, &info, &information), STATUS_SUCCESS);
	assert_int_equal(information, sizeof(info));
	assert_true(info.Characteristics & FILE_REMOTE_DEVICE);
	assert_int_equal(info.DeviceType, FILE_DEVICE_NETWORK_FILE_SYSTEM);
	nr->Type = NET_ROOT_PIPE;
	assert_int_equal(query_device(file, &info, &information), STATUS_SUCCESS);
	assert_true(info.Characteristics & FILE_REMOTE_DEVICE);
	assert_int_equal(info.DeviceType, FILE_DEVICE_NAMED_PIPE);
	nr->Type = NET_ROOT_DISK;
	assert_int_equal(saw.calls, 0);
	file_close(file);
}

static void test_B_MRxSetVolumeInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = volume_make(file, IRP_MJ_SET_VOLUME_INFORMATION, FileFsLabelInformation, 48);

	(void)state;
	(void)req_send(r);
	assert_int_equal(saw.calls, 1);
	assert_int_equal(saw.fs_class, FileFsLabelInformation);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(saw.length, 48);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	saw.answer = STATUS_MEDIA_WRITE_PROTECTED;
	assert_int_equal(
		req_run(volume_make(file, IRP_MJ_SET_VOLUME_INFORMATION, FileFsLabelInformation, 48), NULL),
		STATUS_MEDIA_WRITE_PROTECTED);
	file_close(file);
}

/* ---- buffers ---- */

static UCHAR system_data[16], user_data[16], mdl_data[16];

/* An IRP with all three kinds of buffer, and a context that has it. */
static PIRP irp_make(PRX_CONTEXT rxc)
{
	PIRP irp = IoAllocateIrp(1, FALSE);

	assert_non_null(irp);
	irp->AssociatedIrp.SystemBuffer = system_data;
	irp->UserBuffer = user_data;
	irp->MdlAddress = NULL;
	rxc->CurrentIrp = irp;
	return irp;
}

static PMDL mdl_make(void)
{
	PMDL mdl = IoAllocateMdl(mdl_data, sizeof(mdl_data), FALSE, FALSE, NULL);

	assert_non_null(mdl);
	MmBuildMdlForNonPagedPool(mdl);
	return mdl;
}

static void irp_end(PRX_CONTEXT rxc, PIRP irp)
{
	rxc->CurrentIrp = NULL;
	IoFreeIrp(irp);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* The MDL when there is one, else the system buffer (E-27); never the user's. */
static void test_B_RxMapSystemBuffer_01_mdl_or_system_buffer(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	PIRP irp = irp_make(rxc);

	(void)state;
	assert_ptr_equal(RxMapSystemBuffer(rxc, irp), system_data);
	irp->MdlAddress = mdl_make();
	assert_ptr_equal(RxMapSystemBuffer(rxc, irp), mdl_data);
	IoFreeMdl(irp->MdlAddress);
	irp->MdlAddress = NULL;
	irp->AssociatedIrp.SystemBuffer = NULL;
	assert_null(RxMapSystemBuffer(rxc, irp));
	irp_end(rxc, irp);
}

/* Without an MDL the user's buffer; with one what it maps, and NULL when it cannot be mapped. */
static void test_B_RxNewMapUserBuffer_01_mdl_or_user_buffer(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	PIRP irp = irp_make(rxc);

	(void)state;
	assert_ptr_equal(RxNewMapUserBuffer(rxc), user_data);
	irp->MdlAddress = mdl_make();
	assert_ptr_equal(RxNewMapUserBuffer(rxc), mdl_data);
	IoFreeMdl(irp->MdlAddress);
	irp->MdlAddress = IoAllocateMdl(NULL, sizeof(mdl_data), FALSE, FALSE, NULL); /* maps nothing */
	assert_null(RxNewMapUserBuffer(rxc));
	IoFreeMdl(irp->MdlAddress);
	irp->MdlAddress = NULL;
	irp_end(rxc, irp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUERY_TEST(test_B_MRxQueryDirectory_01_parameters),
		QUERY_TEST(test_B_MRxQueryDirectory_02_flags),
		QUERY_TEST(test_B_MRxQueryDirectory_03_initial_query),
		QUERY_TEST(test_B_MRxQueryDirectory_04_template),
		QUERY_TEST(test_B_MRxQueryDirectory_05_posted),
		QUERY_TEST(test_B_MRxQueryDirectory_06_nothing_found),
		QUERY_TEST(test_B_MRxQueryFileInfo_01_parameters),
		QUERY_TEST(test_B_MRxQueryFileInfo_02_information),
		QUERY_TEST(test_B_MRxQueryFileInfo_03_no_index),
		QUERY_TEST(test_B_MRxQueryFileInfo_04_overflow_has_data),
		QUERY_TEST(test_B_MRxQueryFileInfo_05_size_needed),
		QUERY_TEST(test_B_MRxSetFileInfo_01_parameters),
		QUERY_TEST(test_B_MRxQueryVolumeInfo_01_parameters),
		QUERY_TEST(test_B_MRxQueryVolumeInfo_02_posted),
		QUERY_TEST(test_B_MRxQueryVolumeInfo_03_device),
		QUERY_TEST(test_B_MRxSetVolumeInfo_01_parameters),
		QUERY_TEST(test_B_RxMapSystemBuffer_01_mdl_or_system_buffer),
		QUERY_TEST(test_B_RxNewMapUserBuffer_01_mdl_or_user_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
