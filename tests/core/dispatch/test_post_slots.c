/*
 * Every routine that answers a request within the call may ask for a thread of the file system process instead:
 * STATUS_PENDING together with RxContext->PostRequest (row B-FSP_rules-01). The request is then run again from its
 * beginning, and what the first run answered means nothing: STATUS_PENDING is a success to NT_SUCCESS, not to us.
 */
#include "support/rec.h"

#include "support/check.h"

static volatile LONG asked;
static LONG wanted; /* runs that ask to be posted */
static NTSTATUS answer;
static LONG left_over; /* bytes of the buffer that the last run leaves */
static PEPROCESS served_in;
static PETHREAD first_thread, last_thread;
static BOOLEAN post_at_entry;

static NTSTATUS NTAPI in_the_process(PRX_CONTEXT rxc)
{
	if (InterlockedIncrement(&asked) <= wanted) {
		first_thread = PsGetCurrentThread();
		rxc->Info.LengthRemaining = 0; /* "all of it filled": not an answer yet */
		rxc->InformationToReturn = 77;
		rxc->PostRequest = TRUE;
		return STATUS_PENDING;
	}
	post_at_entry = rxc->PostRequest;
	last_thread = PsGetCurrentThread();
	served_in = PsGetCurrentProcess();
	rxc->Info.LengthRemaining = left_over;
	rxc->InformationToReturn = 33;
	return answer;
}

static int begin(void **state)
{
	PMINIRDR_DISPATCH table;
	int result = rec_setup(state);

	if (result != 0)
		return result;
	table = rec.device->Dispatch;
	table->MRxQueryFileInfo = in_the_process;
	table->MRxSetFileInfo = in_the_process;
	table->MRxQueryEaInfo = in_the_process;
	table->MRxSetEaInfo = in_the_process;
	table->MRxQuerySdInfo = in_the_process;
	table->MRxSetSdInfo = in_the_process;
	table->MRxQueryQuotaInfo = in_the_process;
	table->MRxSetQuotaInfo = in_the_process;
	table->MRxSetVolumeInfo = in_the_process;
	asked = 0;
	wanted = 1;
	answer = STATUS_SUCCESS;
	left_over = 0;
	served_in = NULL;
	first_thread = last_thread = NULL;
	post_at_entry = TRUE;
	return 0;
}

#define POST_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, rec_teardown)

/* Sent, posted, run again by a worker of the process; the status and the bytes of the second run. */
static NTSTATUS run_posted(struct req *r, ULONG_PTR *information)
{
	NTSTATUS status;

	assert_int_equal(req_send(r), STATUS_PENDING);
	status = req_end(r, information);
	assert_int_equal(asked, 2);
	assert_false(post_at_entry);
	assert_ptr_equal(served_in, RxGetRDBSSProcess());
	assert_ptr_equal(first_thread, PsGetCurrentThread());
	assert_ptr_not_equal(last_thread, first_thread);
	return status;
}

static struct req *query_make(PFILE_OBJECT file, FILE_INFORMATION_CLASS cls, ULONG length)
{
	struct req *r = req_make(file, IRP_MJ_QUERY_INFORMATION, 0);

	req_sp(r)->Parameters.QueryFile.FileInformationClass = cls;
	req_sp(r)->Parameters.QueryFile.Length = length;
	return r;
}

static void test_B_FSP_rules_01_query_file_information(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	left_over = (LONG)sizeof(FILE_NETWORK_OPEN_INFORMATION) - 9;
	assert_int_equal(run_posted(query_make(file, FileNetworkOpenInformation,
					       sizeof(FILE_NETWORK_OPEN_INFORMATION)),
				    &information),
			 STATUS_SUCCESS);
	assert_int_equal(information, 9);
	file_close(file);
}

/* A driver that asks again is posted again; one that never does anything else is told so in the end. */
static void test_who_asks_for_ever(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	const ULONG length = sizeof(FILE_NETWORK_OPEN_INFORMATION);

	(void)state;
	wanted = 5;
	assert_int_equal(req_run(query_make(file, FileNetworkOpenInformation, length), NULL), STATUS_SUCCESS);
	assert_int_equal(asked, 6);
	asked = 0;
	wanted = 5000;
	assert_int_equal(req_run(query_make(file, FileNetworkOpenInformation, length), NULL),
			 STATUS_DRIVER_INTERNAL_ERROR);
	assert_int_equal(asked, 101);
	file_close(file);
}

static LONG refused; /* FileAllInformation, which the driver leaves to the core */

static NTSTATUS NTAPI all_in_parts(PRX_CONTEXT rxc)
{
	if (rxc->Info.FileInformationClass == FileAllInformation) {
		InterlockedIncrement(&refused);
		return STATUS_NOT_IMPLEMENTED;
	}
	return in_the_process(rxc);
}

/* A part of FileAllInformation that is posted ends the first run: no other part is asked for in it. */
static void test_B_FSP_rules_01_all_information(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;
	struct req *r;

	(void)state;
	refused = 0;
	rec.device->Dispatch->MRxQueryFileInfo = all_in_parts;
	r = query_make(file, FileAllInformation, 512);
	assert_int_equal(req_send(r), STATUS_PENDING);
	assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
	assert_int_equal(refused, 2);
	assert_int_equal(asked, 1 + 4); /* one that was posted; basic, standard, internal, EA */
	assert_true(information > FIELD_OFFSET(FILE_ALL_INFORMATION, NameInformation.FileName));
	file_close(file);
}

/* Nothing of a change is done here before the server has it done. */
static void test_B_FSP_rules_01_set_file_information(void **state)
{
	FILE_DISPOSITION_INFORMATION remove = {TRUE};
	FILE_END_OF_FILE_INFORMATION end = {{.QuadPart = 5}};
	FILE_BASIC_INFORMATION basic = {.FileAttributes = FILE_ATTRIBUTE_HIDDEN};
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	LONGLONG size = fcb_of(file)->Header.FileSize.QuadPart;
	ULONG attributes = fcb_of(file)->Attributes;

	(void)state;
	answer = STATUS_CANNOT_DELETE;
	assert_int_equal(
		run_posted(file_set_make(file, FileDispositionInformation, &remove, sizeof(remove)), NULL),
		STATUS_CANNOT_DELETE);
	assert_false(file->DeletePending);
	assert_int_equal(fcb_of(file)->FcbState & FCB_STATE_DELETE_ON_CLOSE, 0);

	asked = 0;
	answer = STATUS_DISK_FULL;
	assert_int_equal(run_posted(file_set_make(file, FileEndOfFileInformation, &end, sizeof(end)), NULL),
			 STATUS_DISK_FULL);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, size);

	asked = 0;
	answer = STATUS_ACCESS_DENIED;
	assert_int_equal(run_posted(file_set_make(file, FileBasicInformation, &basic, sizeof(basic)), NULL),
			 STATUS_ACCESS_DENIED);
	assert_int_equal(fcb_of(file)->Attributes, attributes);

	/* and what succeeds at the second time is done, once */
	asked = 0;
	answer = STATUS_SUCCESS;
	assert_int_equal(run_posted(file_set_make(file, FileEndOfFileInformation, &end, sizeof(end)), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, 5);
	file_close(file);
}

/* The table of names, and the number of a file's names, change with the server's answer. */
static void test_B_FSP_rules_01_names(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG links = fcb_of(file)->NumberOfLinks;

	(void)state;
	answer = STATUS_OBJECT_NAME_COLLISION;
	assert_int_equal(run_posted(file_name_make(file, FileRenameInformation, u"\\b", false), NULL),
			 STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(fcb_of(file)->FcbTableEntry.Path.Buffer[1], u'a');
	asked = 0;
	assert_int_equal(run_posted(file_name_make(file, FileLinkInformation, u"\\b", false), NULL),
			 STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(fcb_of(file)->NumberOfLinks, links);

	answer = STATUS_SUCCESS;
	asked = 0;
	assert_int_equal(run_posted(file_name_make(file, FileLinkInformation, u"\\b", false), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->NumberOfLinks, links + 1);
	asked = 0;
	assert_int_equal(run_posted(file_name_make(file, FileRenameInformation, u"\\b", false), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->FcbTableEntry.Path.Buffer[1], u'b');
	file_close(file);
}

static void test_B_FSP_rules_01_extended_attributes(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_QUERY_EA, 0);
	ULONG_PTR information;

	(void)state;
	left_over = 90;
	req_sp(r)->Parameters.QueryEa.Length = 100;
	assert_int_equal(run_posted(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 10);

	asked = 0;
	answer = STATUS_EA_TOO_LARGE;
	r = req_make(file, IRP_MJ_SET_EA, 0);
	req_sp(r)->Parameters.SetEa.Length = 40;
	assert_int_equal(run_posted(r, NULL), STATUS_EA_TOO_LARGE);
	file_close(file);
}

static void test_B_FSP_rules_01_security(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_QUERY_SECURITY, 0);
	ULONG_PTR information;

	(void)state;
	req_sp(r)->Parameters.QuerySecurity.SecurityInformation = OWNER_SECURITY_INFORMATION;
	req_sp(r)->Parameters.QuerySecurity.Length = 100;
	assert_int_equal(run_posted(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 33);

	asked = 0;
	answer = STATUS_INVALID_OWNER;
	r = req_make(file, IRP_MJ_SET_SECURITY, 0);
	req_sp(r)->Parameters.SetSecurity.SecurityInformation = OWNER_SECURITY_INFORMATION;
	assert_int_equal(run_posted(r, NULL), STATUS_INVALID_OWNER);
	file_close(file);
}

static void test_B_FSP_rules_01_quota(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_QUERY_QUOTA, 0);
	ULONG_PTR information;

	(void)state;
	req_sp(r)->Parameters.QueryQuota.Length = 100;
	assert_int_equal(run_posted(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 33);

	asked = 0;
	answer = STATUS_INVALID_SID;
	r = req_make(file, IRP_MJ_SET_QUOTA, 0);
	req_sp(r)->Parameters.SetQuota.Length = 40;
	assert_int_equal(run_posted(r, NULL), STATUS_INVALID_SID);
	file_close(file);
}

static void test_B_FSP_rules_01_set_volume(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_SET_VOLUME_INFORMATION, 0);

	(void)state;
	answer = STATUS_ACCESS_DENIED;
	req_sp(r)->Parameters.SetVolume.FsInformationClass = FileFsLabelInformation;
	req_sp(r)->Parameters.SetVolume.Length = 16;
	assert_int_equal(run_posted(r, NULL), STATUS_ACCESS_DENIED);
	file_close(file);
}

static NTSTATUS NTAPI end_in_the_process(PRX_CONTEXT rxc)
{
	PFILE_STANDARD_INFORMATION standard = rxc->Info.Buffer;
	NTSTATUS status = in_the_process(rxc);

	standard->EndOfFile.QuadPart = status == STATUS_SUCCESS ? 4321 : 1;
	return status;
}

/* A write at the end of a file asks the driver where that is: then it is the write that is posted, and written once. */
static void test_B_FSP_rules_01_write_at_the_end(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = file_write_make(file, 0, 10, false);
	ULONG_PTR information;

	(void)state;
	rec.device->Dispatch->MRxQueryFileInfo = end_in_the_process;
	req_sp(r)->Parameters.Write.ByteOffset.HighPart = -1;
	req_sp(r)->Parameters.Write.ByteOffset.LowPart = FILE_WRITE_TO_END_OF_FILE;
	assert_int_equal(run_posted(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 10);
	assert_int_equal(rec_seen(REC_WRITE), 1);
	assert_int_equal(rec.last_write_offset, 4321);
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POST_TEST(test_B_FSP_rules_01_query_file_information),
		POST_TEST(test_who_asks_for_ever),
		POST_TEST(test_B_FSP_rules_01_all_information),
		POST_TEST(test_B_FSP_rules_01_set_file_information),
		POST_TEST(test_B_FSP_rules_01_names),
		POST_TEST(test_B_FSP_rules_01_extended_attributes),
		POST_TEST(test_B_FSP_rules_01_security),
		POST_TEST(test_B_FSP_rules_01_quota),
		POST_TEST(test_B_FSP_rules_01_set_volume),
		POST_TEST(test_B_FSP_rules_01_write_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
