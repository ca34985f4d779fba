/*
 * Names and connections through the door: what the driver is shown of a name, directories that are mapped, change
 * notifies when a connection ends, and the prefix query that never reaches it. Rows B-MRxPreparseName,
 * B-MRxIsValidDirectory, B-RxFinalizeConnection, B-UNC_prefix_claim.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static struct {
	LONG calls, created_before;
	WCHAR chars[64];
	USHORT length;
	NTSTATUS answer;
	UCHAR major;
} looked;

static void look_at(PRX_CONTEXT rxc, PUNICODE_STRING name)
{
	looked.calls++;
	looked.major = rxc->MajorFunction;
	looked.created_before = rec.count[REC_CREATE];
	looked.length = min(name->Length, (USHORT)sizeof(looked.chars));
	RtlCopyMemory(looked.chars, name->Buffer, looked.length);
}

static NTSTATUS NTAPI preparse(PRX_CONTEXT rxc, PUNICODE_STRING name)
{
	look_at(rxc, name);
	return looked.answer;
}

static NTSTATUS NTAPI is_valid_directory(PRX_CONTEXT rxc, PUNICODE_STRING name)
{
	look_at(rxc, name);
	return looked.answer;
}

static void assert_looked_at(const WCHAR *text)
{
	UNICODE_STRING name;

	RtlInitUnicodeString(&name, text);
	assert_int_equal(looked.length, name.Length);
	assert_memory_equal(looked.chars, name.Buffer, name.Length);
}

/* The name is shown once, before the open, with its dots resolved; the stream's part is there as it was written. */
static void test_B_MRxPreparseName_01_after_the_dots(void **state)
{
	(void)state;
	RtlZeroMemory(&looked, sizeof(looked));
	rec.device->Dispatch->MRxPreparseName = preparse;
	file_close(file_open(REC_SHARE u"\\x\\..\\dir\\.\\a:stream"));
	assert_int_equal(looked.calls, 1);
	assert_int_equal(looked.created_before, 0);
	assert_int_equal(looked.major, IRP_MJ_CREATE);
	assert_looked_at(u"\\dir\\a:stream");
	assert_int_equal(rec.last_name.Length, looked.length);
	assert_memory_equal(rec.last_name.Buffer, looked.chars, looked.length);
}

static void test_B_MRxPreparseName_02_answer_is_ignored(void **state)
{
	static const NTSTATUS answers[] = {STATUS_ACCESS_DENIED, STATUS_OBJECT_NAME_INVALID, STATUS_PENDING,
					   STATUS_REPARSE};

	(void)state;
	RtlZeroMemory(&looked, sizeof(looked));
	rec.device->Dispatch->MRxPreparseName = preparse;
	for (unsigned int i = 0; i < RTL_NUMBER_OF(answers); i++) {
		looked.answer = answers[i];
		file_close(file_open(REC_SHARE u"\\a"));
		assert_int_equal(looked.calls, i + 1);
	}
}

static NTSTATUS map(const WCHAR *name, PFILE_OBJECT *file)
{
	return file_open_with(OPEN(.name = name, .options = FILE_CREATE_TREE_CONNECTION), file, NULL);
}

/* A directory below the share that is mapped is looked at; a share, and an ordinary open, are not. */
static void test_B_MRxIsValidDirectory_01_name_beyond_the_view(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	RtlZeroMemory(&looked, sizeof(looked));
	rec.device->Dispatch->MRxIsValidDirectory = is_valid_directory;
	file_close(file_open(REC_SHARE u"\\dir\\a"));
	assert_int_equal(map(REC_SHARE, &file), STATUS_SUCCESS);
	file_close(file);
	assert_int_equal(looked.calls, 0);
	assert_int_equal(map(REC_SHARE u"\\dir\\below", &file), STATUS_SUCCESS);
	assert_int_equal(looked.calls, 1);
	assert_int_equal(looked.major, IRP_MJ_CREATE);
	assert_looked_at(u"\\dir\\below");
	assert_int_equal(rec_seen(REC_CREATE), 1);
	file_close(file);
}

static void test_B_MRxIsValidDirectory_02_fails_the_create(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	RtlZeroMemory(&looked, sizeof(looked));
	rec.device->Dispatch->MRxIsValidDirectory = is_valid_directory;
	looked.answer = STATUS_BAD_NETWORK_PATH;
	assert_int_equal(map(REC_SHARE u"\\none", &file), STATUS_BAD_NETWORK_PATH);
	assert_null(file);
	looked.answer = STATUS_SUCCESS;
	assert_int_equal(map(REC_SHARE u"\\dir", &file), STATUS_SUCCESS);
	file_close(file);
}

static void opens_below(const WCHAR *mapped, const WCHAR *name, const WCHAR *expected)
{
	PFILE_OBJECT tree, file;
	UNICODE_STRING path;

	assert_int_equal(map(mapped, &tree), STATUS_SUCCESS);
	assert_int_equal(file_open_with(OPEN(.name = name, .related = tree), &file, NULL), STATUS_SUCCESS);
	RtlInitUnicodeString(&path, expected);
	assert_int_equal(rec.last_name.Length, path.Length);
	assert_memory_equal(rec.last_name.Buffer, path.Buffer, path.Length);
	assert_ptr_equal(fobx_of(file)->pSrvOpen->pVNetRoot, tree->FsContext2);
	file_close(file);
	file_close(tree);
}

/* A drive or a path that is mapped below the share's root: what is opened through it lies below that directory. */
static void test_B_V_NET_ROOT_03_mapped_below_the_root(void **state)
{
	(void)state;
	opens_below(u"\\;X:0\\server\\share\\d1\\d2", u"f", u"\\d1\\d2\\f");
	opens_below(u"\\;X:0\\server\\share\\d1\\", u"d3\\f", u"\\d1\\d3\\f");
	opens_below(REC_SHARE u"\\d1\\d2", u"f", u"\\d1\\d2\\f");
	opens_below(u"\\;X:0\\server\\share", u"f", u"\\f");
}

/* ---- RxFinalizeConnection ---- */

static struct req *watch(PFILE_OBJECT dir)
{
	struct req *notify = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY);

	notify->irp->Flags = 0;
	notify->irp->UserBuffer = notify->buffer;
	req_sp(notify)->Parameters.NotifyDirectory.Length = 512;
	req_sp(notify)->Parameters.NotifyDirectory.CompletionFilter = FILE_NOTIFY_CHANGE_SIZE;
	assert_int_equal(req_send(notify), STATUS_PENDING);
	return notify;
}

/*
 * Watched directories of two shares: without force the one's end is refused and nobody is disturbed; with force its
 * watch is cancelled, and the other share's goes on.
 */
static void test_B_RxFinalizeConnection_02_08_change_notifies(void **state)
{
	PFILE_OBJECT dir, other;
	struct req *notify, *other_notify;
	PV_NET_ROOT vnr;
	NTSTATUS status;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	other = file_open(u"\\server\\other\\d");
	vnr = (PV_NET_ROOT)fobx_of(dir)->pSrvOpen->pVNetRoot;
	notify = watch(dir);
	other_notify = watch(other);
	rec_wait_held(2);

	RxReferenceVNetRoot(vnr);
	assert_int_equal(RxFinalizeConnection((PNET_ROOT)vnr->pNetRoot, vnr, FALSE), STATUS_FILES_OPEN);
	assert_int_equal(rec_seen(REC_CANCEL), 0);
	assert_int_equal(RxFinalizeConnection((PNET_ROOT)vnr->pNetRoot, vnr, TRUE), STATUS_SUCCESS);
	status = req_end(notify, NULL);
	assert_true(status == STATUS_CANCELLED || status == STATUS_NOTIFY_CLEANUP);
	assert_int_equal(rec_seen(REC_CANCEL), 1);
	assert_int_equal(InterlockedExchangeAdd(&other_notify->completions, 0), 0);
	assert_int_equal(rec_seen(REC_FINALIZE_VNR), 1);
	RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);

	assert_int_equal(file_cleanup(other), STATUS_SUCCESS);
	(void)req_end(other_notify, NULL);
	assert_int_equal(file_close_only(other), STATUS_SUCCESS);
	file_close(dir);
}

/* ---- prefix query ---- */

static LONG ioctls;

static NTSTATUS NTAPI count_ioctl(PRX_CONTEXT rxc)
{
	(void)rxc;
	ioctls++;
	return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS ask_prefix(ULONG code, PVOID input, ULONG length, QUERY_PATH_RESPONSE *response)
{
	PFILE_OBJECT device = file_open(u"");
	struct req *r = req_make(device, IRP_MJ_DEVICE_CONTROL, 0);
	NTSTATUS status;

	req_sp(r)->Parameters.DeviceIoControl.IoControlCode = code;
	req_sp(r)->Parameters.DeviceIoControl.Type3InputBuffer = input;
	req_sp(r)->Parameters.DeviceIoControl.InputBufferLength = length;
	req_sp(r)->Parameters.DeviceIoControl.OutputBufferLength = sizeof(*response);
	r->irp->UserBuffer = response;
	status = req_run(r, NULL);
	file_close(device);
	return status;
}

/* Either form is answered by RDBSS: no control routine of the driver sees it, but a server is connected to. */
static void test_B_UNC_prefix_claim_01_not_for_the_driver(void **state)
{
	static const WCHAR path[] = u"\\server\\share\\f";
	IO_SECURITY_CONTEXT security = {.DesiredAccess = FILE_READ_DATA};
	QUERY_PATH_REQUEST_EX request = {.pSecurityContext = &security};
	_Alignas(8) UCHAR buffer[sizeof(QUERY_PATH_REQUEST) + sizeof(path)] = {0};
	PQUERY_PATH_REQUEST old = (PQUERY_PATH_REQUEST)buffer;
	QUERY_PATH_RESPONSE response = {0};

	(void)state;
	ioctls = 0;
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_IOCTL] = count_ioctl;
	rec.device->Dispatch->MRxDevFcbXXXControlFile = count_ioctl;
	RtlInitUnicodeString(&request.PathName, path);
	assert_int_equal(ask_prefix(IOCTL_REDIR_QUERY_PATH_EX, &request, sizeof(request), &response),
			 STATUS_SUCCESS);
	assert_int_equal(response.LengthAccepted, 13 * sizeof(WCHAR));
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 1);
	old->PathNameLength = sizeof(path) - sizeof(WCHAR);
	old->SecurityContext = &security;
	memcpy(old->FilePathName, path, sizeof(path) - sizeof(WCHAR));
	response.LengthAccepted = 0;
	assert_int_equal(ask_prefix(IOCTL_REDIR_QUERY_PATH, old, sizeof(buffer), &response), STATUS_SUCCESS);
	assert_int_equal(response.LengthAccepted, 13 * sizeof(WCHAR));
	assert_int_equal(ioctls, 0);
	rec.device->Dispatch->MRxDevFcbXXXControlFile = NULL; /* the general stop does without */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_MRxPreparseName_01_after_the_dots),
		REC_TEST(test_B_MRxPreparseName_02_answer_is_ignored),
		REC_TEST(test_B_MRxIsValidDirectory_01_name_beyond_the_view),
		REC_TEST(test_B_MRxIsValidDirectory_02_fails_the_create),
		REC_TEST(test_B_V_NET_ROOT_03_mapped_below_the_root),
		REC_TEST(test_B_RxFinalizeConnection_02_08_change_notifies),
		REC_TEST(test_B_UNC_prefix_claim_01_not_for_the_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
