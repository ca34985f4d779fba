/*
 * Several mini-redirectors in one process, and whose a path is. Row B-UNC_prefix_claim-10.
 */
#include "../support/rec.h"
#include "querypath.h"

static struct {
	LONG asked, winners;
	NTSTATUS answer;
} second;

static NTSTATUS NTAPI second_create_srv_call(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	(void)sc;
	second.asked++;
	context->Status = second.answer;
	context->SrvCalldownStructure->CallBack(context);
	return STATUS_PENDING;
}

static NTSTATUS NTAPI second_winner(PMRX_SRV_CALL sc, BOOLEAN winner, PVOID context)
{
	(void)sc;
	(void)context;
	second.winners += winner;
	return STATUS_SUCCESS;
}

static NTSTATUS second_control(PRDBSS_DEVICE_OBJECT device, ULONG code)
{
	PRDBSS_DEVICE_OBJECT first = rec.device;
	PFILE_OBJECT file;
	NTSTATUS status;
	struct req *r;

	rec.device = device;
	file = file_open(u"");
	r = req_make(file, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);
	req_sp(r)->Parameters.FileSystemControl.FsControlCode = code;
	status = req_run(r, NULL);
	file_close(file);
	rec.device = first;
	return status;
}

static MINIRDR_DISPATCH second_dispatch;

/* A second redirector, started after the first. */
static PRDBSS_DEVICE_OBJECT second_begin(void)
{
	PRDBSS_DEVICE_OBJECT device;
	UNICODE_STRING name;

	RtlZeroMemory(&second, sizeof(second));
	second_dispatch = *rec.device->Dispatch;
	second_dispatch.MRxCreateSrvCall = second_create_srv_call;
	second_dispatch.MRxSrvCallWinnerNotify = second_winner;
	RtlInitUnicodeString(&name, u"\\Device\\Second");
	assert_int_equal(RxRegisterMinirdr(&device, rec.driver, &second_dispatch, 0, &name, 0,
					   FILE_DEVICE_NETWORK_FILE_SYSTEM, 0),
			 STATUS_SUCCESS);
	RxMakeLateDeviceAvailable(device);
	assert_int_equal(second_control(device, FSCTL_RX_START), STATUS_SUCCESS);
	return device;
}

static void second_end(PRDBSS_DEVICE_OBJECT device)
{
	assert_int_equal(second_control(device, FSCTL_RX_STOP), STATUS_SUCCESS);
	RxUnregisterMinirdr(device);
}

/* The redirector that serves a path, or NULL; *status says why. */
static PVOID serves(const WCHAR *path, ULONG *accepted, NTSTATUS *status)
{
	IO_SECURITY_CONTEXT security = {.DesiredAccess = FILE_READ_DATA};
	QUERY_PATH_REQUEST_EX query = {.pSecurityContext = &security};
	PDEVICE_OBJECT device;

	RtlInitUnicodeString(&query.PathName, path);
	*status = nt_unc_resolve(&query, &device, accepted);
	assert_true((device != NULL) == NT_SUCCESS(*status));
	if (device != NULL)
		ObDereferenceObject(device);
	return device;
}

/* One after the other, in their order, and nobody after the first that claims; the order changes live (E-44). */
static void test_B_UNC_prefix_claim_10_in_provider_order(void **state)
{
	PRDBSS_DEVICE_OBJECT other = second_begin();
	NTSTATUS status;
	ULONG accepted;

	(void)state;
	assert_ptr_equal(serves(u"\\one\\share\\dir", &accepted, &status), rec.device);
	assert_int_equal(accepted, 10 * sizeof(WCHAR));
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 1);
	assert_int_equal(rec_seen(REC_WINNER), 1);
	assert_int_equal(second.asked, 0);

	rec.status[REC_CREATE_SRV_CALL] = STATUS_BAD_NETWORK_PATH;
	assert_ptr_equal(serves(u"\\two\\share", &accepted, &status), other);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 2);
	assert_int_equal(rec_seen(REC_WINNER), 1);
	assert_int_equal(second.asked, 1);
	assert_int_equal(second.winners, 1);

	rec.status[REC_CREATE_SRV_CALL] = STATUS_SUCCESS;
	assert_int_equal(nt_unc_order(&other->DeviceObject, 0), STATUS_SUCCESS);
	assert_ptr_equal(serves(u"\\three\\share", &accepted, &status), other);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 2);
	second_end(other);
}

/* A claim is remembered with the share it was made for, and forgotten when its redirector stops. */
static void test_a_claim_is_remembered(void **state)
{
	PRDBSS_DEVICE_OBJECT other = second_begin();
	NTSTATUS status;
	ULONG accepted;
	LONG asked;

	(void)state;
	assert_int_equal(nt_unc_order(&other->DeviceObject, 0), STATUS_SUCCESS);
	assert_ptr_equal(serves(u"\\server\\share\\a", &accepted, &status), other);
	asked = second.asked;
	second.answer = STATUS_BAD_NETWORK_PATH; /* it would not claim now */
	RxScavengeAllFobxs(other);
	assert_ptr_equal(serves(u"\\SERVER\\share\\b\\c", &accepted, &status), other);
	assert_int_equal(accepted, 13 * sizeof(WCHAR));
	assert_int_equal(second.asked, asked);
	assert_ptr_equal(serves(u"\\server2\\share\\b", &accepted, &status), rec.device);
	second_end(other);
	assert_ptr_equal(serves(u"\\server\\share\\a", &accepted, &status), rec.device);
}

/* Nobody claims: the refusal that says more comes back, whoever gave it; a device that is no provider has no place. */
static void test_nobody_claims(void **state)
{
	PRDBSS_DEVICE_OBJECT other = second_begin();
	NTSTATUS status;
	ULONG accepted = 99;

	(void)state;
	rec.status[REC_CREATE_SRV_CALL] = STATUS_BAD_NETWORK_PATH;
	second.answer = STATUS_LOGON_FAILURE;
	assert_null(serves(u"\\server\\share", &accepted, &status));
	assert_int_equal(status, STATUS_LOGON_FAILURE);
	assert_int_equal(accepted, 0);
	second.answer = STATUS_BAD_NETWORK_PATH;
	assert_null(serves(u"\\other\\share", &accepted, &status));
	assert_int_equal(status, STATUS_BAD_NETWORK_PATH);
	assert_int_equal(nt_unc_order(rec.device->RDBSSDeviceObject, 0), STATUS_OBJECT_NAME_NOT_FOUND);
	second_end(other);
	rec.status[REC_CREATE_SRV_CALL] = STATUS_SUCCESS;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_UNC_prefix_claim_10_in_provider_order),
		REC_TEST(test_a_claim_is_remembered),
		REC_TEST(test_nobody_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
