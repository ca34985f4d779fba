/* test_claim.c - the prefix query of the multiple UNC provider, in both forms. Rows B-UNC_prefix_claim. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

static struct {
	UCHAR major;
	BOOLEAN tree_connect, claim;
	USHORT flags;
	ULONG ea_length;
	PIO_SECURITY_CONTEXT security, claim_security;
	NET_ROOT_TYPE claim_type;
	PVOID ea;
	UNICODE_STRING supplied;
} seen;

static NTSTATUS look_at_context(PRX_CONTEXT rxc, PRX_CONNECTION_ID id)
{
	(void)id;
	seen.major = rxc->MajorFunction;
	seen.tree_connect = rxc->Create.ThisIsATreeConnectOpen;
	seen.claim = rxc->Create.ThisIsAPrefixClaim;
	seen.flags = rxc->Create.Flags;
	seen.ea_length = rxc->Create.EaLength;
	seen.security = rxc->Create.NtCreateParameters.SecurityContext;
	seen.claim_security = rxc->PrefixClaim.pSecurityContext;
	seen.claim_type = rxc->PrefixClaim.NetRootType;
	seen.supplied = rxc->PrefixClaim.SuppliedPathName;
	seen.ea = rxc->Create.EaBuffer;
	return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS ask(ULONG code, PVOID input, ULONG input_length, PVOID output, ULONG output_length,
		    KPROCESSOR_MODE mode)
{
	PIRP irp = IoAllocateIrp(1, FALSE);
	PIO_STACK_LOCATION sp;
	PRX_CONTEXT rxc;
	NTSTATUS status;

	CHECK(irp != NULL);
	sp = IoGetNextIrpStackLocation(irp);
	sp->MajorFunction = IRP_MJ_DEVICE_CONTROL;
	sp->Parameters.DeviceIoControl.IoControlCode = code;
	sp->Parameters.DeviceIoControl.Type3InputBuffer = input;
	sp->Parameters.DeviceIoControl.InputBufferLength = input_length;
	sp->Parameters.DeviceIoControl.OutputBufferLength = output_length;
	IoSetNextIrpStackLocation(irp);
	irp->UserBuffer = output;
	irp->RequestorMode = mode;
	rxc = RxCreateRxContext(irp, recorder_device, RX_CONTEXT_FLAG_WAIT);
	CHECK(rxc != NULL);
	status = RxPrefixClaim(rxc);
	CHECK_EQUAL(rxc->MajorFunction, IRP_MJ_DEVICE_CONTROL);
	RxDereferenceAndDeleteRxContext(rxc);
	IoSkipCurrentIrpStackLocation(irp); /* it was never sent: its location is not used */
	IoFreeIrp(irp);
	return status;
}

static IO_SECURITY_CONTEXT security = {.DesiredAccess = FILE_READ_DATA};

static NTSTATUS ask_ex(PCWSTR path, PULONG accepted, KPROCESSOR_MODE mode)
{
	UCHAR eas[24] = {0};
	QUERY_PATH_REQUEST_EX request = {.pSecurityContext = &security,
					 .EaLength = sizeof(eas),
					 .pEaBuffer = eas},
			      before;
	QUERY_PATH_RESPONSE response = {.LengthAccepted = *accepted};
	NTSTATUS status;

	RtlInitUnicodeString(&request.PathName, path);
	before = request;
	status = ask(IOCTL_REDIR_QUERY_PATH_EX, &request, sizeof(request), &response, sizeof(response), mode);
	CHECK(memcmp(&before, &request, sizeof(request)) == 0); /* B-UNC_prefix_claim_Vista-03 */
	*accepted = response.LengthAccepted;
	return status;
}

/* Takes away what a claim leaves for the open that follows it. */
static void end_connections(void)
{
	FIXTURE_NAME(name, u"\\server\\share");
	NTSTATUS status;
	PV_NET_ROOT vnr = fixture_connect(&name, &status);

	if (vnr != NULL)
		fixture_disconnect(vnr);
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

/* A path is claimed by connecting, with the context of a tree connection's create; the answer is in bytes. */
static void test_B_UNC_prefix_claim_02_to_08(void **state)
{
	ULONG accepted = 99;

	(void)state;
	recorder_reset();
	recorder_dispatch.MRxGetConnectionId = look_at_context;
	CHECK_EQUAL(ask_ex(u"\\server\\share\\dir\\f", &accepted, KernelMode), STATUS_SUCCESS);
	CHECK_EQUAL(accepted, 13 * sizeof(WCHAR));
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 1);
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 1);
	CHECK(seen.major == IRP_MJ_CREATE && seen.tree_connect && seen.claim);
	CHECK((seen.flags & RX_CONTEXT_CREATE_FLAG_UNC_NAME) && seen.ea_length == 24 &&
	      seen.security == &security);

	/* the same path again, and as it was written */
	CHECK_EQUAL(ask_ex(u"\\\\SERVER\\share", &accepted, KernelMode), STATUS_SUCCESS);
	CHECK_EQUAL(accepted, 14 * sizeof(WCHAR));
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	recorder_dispatch.MRxGetConnectionId = NULL;
	end_connections();
}

/* The names the driver sees are the asker's own memory, and so is what else came with the question. */
static void test_B_UNC_prefix_claim_04_05_from_the_request(void **state)
{
	static const WCHAR path[] = u"\\server\\share\\dir";
	UCHAR eas[16] = {0};
	IO_SECURITY_CONTEXT asker = {.DesiredAccess = FILE_WRITE_DATA};
	QUERY_PATH_REQUEST_EX request = {
		.pSecurityContext = &asker, .EaLength = sizeof(eas), .pEaBuffer = eas};
	QUERY_PATH_RESPONSE response = {0};

	(void)state;
	recorder_reset();
	RtlZeroMemory(&seen, sizeof(seen));
	recorder_dispatch.MRxGetConnectionId = look_at_context;
	RtlInitUnicodeString(&request.PathName, path);
	CHECK_EQUAL(ask(IOCTL_REDIR_QUERY_PATH_EX, &request, sizeof(request), &response, sizeof(response),
			KernelMode),
		    STATUS_SUCCESS);
	recorder_dispatch.MRxGetConnectionId = NULL;
	CHECK(seen.supplied.Buffer == path && seen.supplied.Length == sizeof(path) - sizeof(WCHAR));
	CHECK(seen.security == &asker);
	end_connections();
}

/* Two members of the claim are not used: who asks is in the create's parameters, and the type is found out. */
static void test_B_RX_CONTEXT_05_unused_members(void **state)
{
	static const WCHAR path[] = u"\\server\\share";
	IO_SECURITY_CONTEXT asker = {.DesiredAccess = FILE_WRITE_DATA};
	QUERY_PATH_REQUEST_EX request = {.pSecurityContext = &asker};
	QUERY_PATH_RESPONSE response = {0};

	(void)state;
	recorder_reset();
	seen.claim_security = &asker;
	seen.claim_type = NET_ROOT_MAILSLOT;
	recorder_dispatch.MRxGetConnectionId = look_at_context;
	RtlInitUnicodeString(&request.PathName, path);
	CHECK_EQUAL(ask(IOCTL_REDIR_QUERY_PATH_EX, &request, sizeof(request), &response, sizeof(response),
			KernelMode),
		    STATUS_SUCCESS);
	recorder_dispatch.MRxGetConnectionId = NULL;
	CHECK(seen.claim_security == NULL && seen.claim_type == 0);
	end_connections();
}

/* Answered in bytes; buffers at two addresses, of which only the answer's is written. */
static void test_B_UNC_prefix_claim_Vista_01_03_04_05(void **state)
{
	static const WCHAR path[] = u"\\\\server\\share\\dir\\f";
	WCHAR text[RTL_NUMBER_OF(path)];
	UCHAR eas[16] = {0}, eas_before[16];
	QUERY_PATH_REQUEST_EX request = {
		.pSecurityContext = &security, .EaLength = sizeof(eas), .pEaBuffer = eas};
	QUERY_PATH_REQUEST_EX before;
	struct {
		ULONG guard;
		QUERY_PATH_RESPONSE response;
		ULONG guard2;
	} answer = {0xa5a5a5a5, {99}, 0x5a5a5a5a};

	(void)state;
	recorder_reset();
	RtlZeroMemory(&seen, sizeof(seen));
	recorder_dispatch.MRxGetConnectionId = look_at_context;
	memcpy(text, path, sizeof(path));
	memcpy(eas_before, eas, sizeof(eas));
	RtlInitUnicodeString(&request.PathName, text);
	before = request;
	CHECK_EQUAL(ask(IOCTL_REDIR_QUERY_PATH_EX, &request, sizeof(request), &answer.response,
			sizeof(answer.response), KernelMode),
		    STATUS_SUCCESS);
	recorder_dispatch.MRxGetConnectionId = NULL;
	CHECK_EQUAL(answer.response.LengthAccepted, 14 * sizeof(WCHAR));
	CHECK(answer.guard == 0xa5a5a5a5 && answer.guard2 == 0x5a5a5a5a);
	CHECK(memcmp(&request, &before, sizeof(request)) == 0 && memcmp(text, path, sizeof(path)) == 0);
	CHECK(memcmp(eas, eas_before, sizeof(eas)) == 0);
	CHECK(seen.claim && seen.ea == eas && seen.ea_length == sizeof(eas));
	end_connections();
}

/* A claim asks the driver whether it knows the server, as an open would: each provider that is asked is. */
static void test_B_MRxCreateSrvCall_08_a_claim_is_this_call(void **state)
{
	ULONG accepted = 0;

	(void)state;
	recorder_reset();
	recorder.srv_call_status = STATUS_CANCELLED; /* not remembered */
	CHECK_EQUAL((ULONG)ask_ex(u"\\server\\share", &accepted, KernelMode), (ULONG)STATUS_CANCELLED);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 0);
	recorder.srv_call_status = STATUS_SUCCESS;
	CHECK_EQUAL(ask_ex(u"\\server\\share", &accepted, KernelMode), STATUS_SUCCESS);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 2);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 1);
	end_connections();
}

/* Refused: an error, and the answer is untouched. */
static void test_B_UNC_prefix_claim_Vista_02(void **state)
{
	ULONG accepted = 99;

	(void)state;
	recorder_reset();
	recorder.net_root_status = STATUS_BAD_NETWORK_NAME;
	CHECK_EQUAL((ULONG)ask_ex(u"\\server\\none\\f", &accepted, KernelMode),
		    (ULONG)STATUS_BAD_NETWORK_NAME);
	CHECK_EQUAL(accepted, 99);
	CHECK_EQUAL((ULONG)ask_ex(u"no path", &accepted, KernelMode), (ULONG)STATUS_OBJECT_NAME_INVALID);
	CHECK_EQUAL(accepted, 99);
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

/* Only the system may ask. */
static void test_B_UNC_prefix_claim_09(void **state)
{
	ULONG accepted = 99;

	(void)state;
	recorder_reset();
	CHECK_EQUAL((ULONG)ask_ex(u"\\server\\share", &accepted, UserMode),
		    (ULONG)STATUS_INVALID_DEVICE_REQUEST);
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 0);
}

/* The old form, and every way its lengths can lie. */
static void test_old_form_and_lengths(void **state)
{
	static const WCHAR path[] = u"\\server\\share\\f";
	_Alignas(8) UCHAR buffer[sizeof(QUERY_PATH_REQUEST) + sizeof(path)];
	PQUERY_PATH_REQUEST request = (PQUERY_PATH_REQUEST)buffer;
	ULONG head = FIELD_OFFSET(QUERY_PATH_REQUEST, FilePathName),
	      whole = head + sizeof(path) - sizeof(WCHAR);
	QUERY_PATH_RESPONSE response = {99};

	(void)state;
	recorder_reset();
	request->PathNameLength = sizeof(path) - sizeof(WCHAR);
	request->SecurityContext = &security;
	memcpy(request->FilePathName, path, sizeof(path) - sizeof(WCHAR));
	for (ULONG length = 0; length < whole; length++)
		CHECK_EQUAL((ULONG)ask(IOCTL_REDIR_QUERY_PATH, buffer, length, &response, sizeof(response),
				       KernelMode),
			    (ULONG)STATUS_INVALID_PARAMETER);
	CHECK_EQUAL((ULONG)ask(IOCTL_REDIR_QUERY_PATH, buffer, whole, &response, 1, KernelMode),
		    (ULONG)STATUS_INVALID_PARAMETER);
	request->PathNameLength = 0xfffffff0;
	CHECK_EQUAL(
		(ULONG)ask(IOCTL_REDIR_QUERY_PATH, buffer, whole, &response, sizeof(response), KernelMode),
		(ULONG)STATUS_INVALID_PARAMETER);
	CHECK(response.LengthAccepted == 99 && recorder.count[REC_CREATE_SRV_CALL] == 0);
	request->PathNameLength = sizeof(path) - sizeof(WCHAR);
	CHECK_EQUAL(ask(IOCTL_REDIR_QUERY_PATH, buffer, whole, &response, sizeof(response), KernelMode),
		    STATUS_SUCCESS);
	CHECK_EQUAL(response.LengthAccepted, 13 * sizeof(WCHAR));
	end_connections();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_UNC_prefix_claim_02_to_08),
		cmocka_unit_test(test_B_UNC_prefix_claim_04_05_from_the_request),
		cmocka_unit_test(test_B_RX_CONTEXT_05_unused_members),
		cmocka_unit_test(test_B_UNC_prefix_claim_Vista_01_03_04_05),
		cmocka_unit_test(test_B_MRxCreateSrvCall_08_a_claim_is_this_call),
		cmocka_unit_test(test_B_UNC_prefix_claim_Vista_02),
		cmocka_unit_test(test_B_UNC_prefix_claim_09),
		cmocka_unit_test(test_old_form_and_lengths),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
