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
	PIO_SECURITY_CONTEXT security;
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
		cmocka_unit_test(test_B_UNC_prefix_claim_Vista_02),
		cmocka_unit_test(test_B_UNC_prefix_claim_09),
		cmocka_unit_test(test_old_form_and_lengths),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
