/* Handles, files of devices opened by name, IRPs that free themselves, sections, tokens, the empty registry. */
#include "nt_test.h"

#include "ntifs.h"

/* A device that echoes METHOD_BUFFERED data with each byte increased, and counts what it is asked. */
static struct {
	unsigned int creates, cleanups, closes, controls, reads;
	NTSTATUS create_status;
	UNICODE_STRING name; /* of the last create; borrowed */
	WCHAR name_buffer[64];
} echo;

static NTSTATUS echo_complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = information;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	return status;
}

static NTSTATUS echo_control(PIRP irp, PIO_STACK_LOCATION sp)
{
	ULONG in = sp->Parameters.DeviceIoControl.InputBufferLength;
	ULONG out = sp->Parameters.DeviceIoControl.OutputBufferLength;
	PUCHAR buffer = irp->AssociatedIrp.SystemBuffer;

	echo.controls++;
	if (METHOD_FROM_CTL_CODE(sp->Parameters.DeviceIoControl.IoControlCode) == METHOD_OUT_DIRECT) {
		memcpy(MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority), buffer,
		       min(in, out));
		return echo_complete(irp, STATUS_SUCCESS, min(in, out));
	}
	for (ULONG i = 0; i < in; i++)
		buffer[i]++;
	if (out < in)
		return echo_complete(irp, STATUS_BUFFER_OVERFLOW, out);
	return echo_complete(irp, STATUS_SUCCESS, in);
}

static NTSTATUS echo_dispatch(PDEVICE_OBJECT device, PIRP irp)
{
	PIO_STACK_LOCATION sp = IoGetCurrentIrpStackLocation(irp);

	(void)device;
	switch (sp->MajorFunction) {
	case IRP_MJ_CREATE:
		echo.creates++;
		if (sp->FileObject->FileName.Length != 0)
			memcpy(echo.name_buffer, sp->FileObject->FileName.Buffer,
			       sp->FileObject->FileName.Length);
		echo.name.Buffer = echo.name_buffer;
		echo.name.Length = sp->FileObject->FileName.Length;
		return echo_complete(irp, echo.create_status, FILE_OPENED);
	case IRP_MJ_CLEANUP:
		echo.cleanups++;
		return echo_complete(irp, STATUS_SUCCESS, 0);
	case IRP_MJ_CLOSE:
		echo.closes++;
		return echo_complete(irp, STATUS_SUCCESS, 0);
	case IRP_MJ_READ:
		echo.reads++;
		memset(MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority),
		       (int)sp->Parameters.Read.ByteOffset.QuadPart, sp->Parameters.Read.Length);
		return echo_complete(irp, STATUS_SUCCESS, sp->Parameters.Read.Length);
	default:
		return echo_control(irp, sp);
	}
}

static void echo_unload(PDRIVER_OBJECT driver)
{
	UNICODE_STRING link = NT_STR(u"\\??\\Echo");

	assert_int_equal(IoDeleteSymbolicLink(&link), STATUS_SUCCESS);
	IoDeleteDevice(driver->DeviceObject);
}

static NTSTATUS echo_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	UNICODE_STRING name = NT_STR(u"\\Device\\Echo"), link = NT_STR(u"\\??\\Echo");
	PDEVICE_OBJECT device;

	(void)path;
	assert_int_equal(IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device),
			 STATUS_SUCCESS);
	assert_int_equal(IoCreateSymbolicLink(&link, &name), STATUS_SUCCESS);
	for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver->MajorFunction[i] = echo_dispatch;
	driver->DriverUnload = echo_unload;
	return STATUS_SUCCESS;
}

static PDRIVER_OBJECT driver;

static int begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	memset(&echo, 0, sizeof(echo));
	assert_int_equal(nt_initialize(&config), STATUS_SUCCESS);
	assert_int_equal(nt_driver_load("echo", echo_entry, &driver), STATUS_SUCCESS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	nt_driver_unload(driver);
	assert_int_equal(nt_shutdown(stderr), 0);
	return 0;
}

static NTSTATUS open_by_name(const WCHAR *name, PHANDLE handle)
{
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK iosb;
	UNICODE_STRING string;

	RtlInitUnicodeString(&string, name);
	InitializeObjectAttributes(&attributes, &string, OBJ_CASE_INSENSITIVE, NULL, NULL);
	return ZwOpenFile(handle, GENERIC_READ, &attributes, &iosb, 0, 0);
}

/* A name is a device or a link, with a path behind it; the driver gets the path, and each handle ends in order. */
static void test_files_are_opened_by_name(void **state)
{
	HANDLE handle;

	(void)state;
	assert_int_equal(open_by_name(u"\\??\\ECHO", &handle), STATUS_SUCCESS);
	assert_int_equal(echo.name.Length, 0);
	assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
	assert_int_equal(echo.cleanups, 1);
	assert_int_equal(echo.closes, 1);
	assert_int_equal(ZwClose(handle), STATUS_INVALID_HANDLE);

	assert_int_equal(open_by_name(u"\\Device\\Echo\\a\\b", &handle), STATUS_SUCCESS);
	assert_int_equal(echo.name.Length, 4 * sizeof(WCHAR));
	assert_memory_equal(echo.name_buffer, u"\\a\\b", 8);
	assert_int_equal(ZwClose(handle), STATUS_SUCCESS);

	assert_int_equal(open_by_name(u"\\Device\\Ech", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(open_by_name(u"\\Device\\Echoes", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(open_by_name(u"", &handle), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_null(handle);
	assert_int_equal(echo.creates, 2);
}

/* What the driver refuses is not open: no handle, no cleanup, no close. */
static void test_a_refused_open_leaves_nothing(void **state)
{
	HANDLE handle;

	(void)state;
	echo.create_status = STATUS_ACCESS_DENIED;
	assert_int_equal(open_by_name(u"\\Device\\Echo", &handle), STATUS_ACCESS_DENIED);
	assert_null(handle);
	assert_int_equal(echo.cleanups + echo.closes, 0);
}

/* Buffered data goes in and comes back, as much as the driver returned and no more than there is room for. */
static void test_controls_carry_data_both_ways(void **state)
{
	const ULONG code = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS);
	const ULONG direct = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_OUT_DIRECT, FILE_ANY_ACCESS);
	char in[] = "abcdef", out[8] = "-------";
	IO_STATUS_BLOCK iosb;
	HANDLE handle;

	(void)state;
	assert_int_equal(open_by_name(u"\\Device\\Echo", &handle), STATUS_SUCCESS);
	assert_int_equal(ZwDeviceIoControlFile(handle, NULL, NULL, NULL, &iosb, code, in, 6, out, 7),
			 STATUS_SUCCESS);
	assert_int_equal(iosb.Information, 6);
	assert_string_equal(out, "bcdefg-");
	assert_string_equal(in, "abcdef"); /* a copy was changed */
	assert_int_equal(ZwFsControlFile(handle, NULL, NULL, NULL, &iosb, code, in, 6, out, 2),
			 STATUS_BUFFER_OVERFLOW);
	assert_int_equal(iosb.Information, 2);
	assert_string_equal(out, "bcdefg-");
	assert_int_equal(ZwDeviceIoControlFile(handle, NULL, NULL, NULL, &iosb, direct, in, 6, out, 4),
			 STATUS_SUCCESS);
	assert_string_equal(out, "abcdfg-");
	assert_int_equal(ZwDeviceIoControlFile(handle, NULL, in, NULL, &iosb, code, NULL, 0, NULL, 0),
			 STATUS_NOT_IMPLEMENTED);
	assert_int_equal(echo.controls, 3);
	assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
	assert_int_equal(ZwDeviceIoControlFile(handle, NULL, NULL, NULL, &iosb, code, in, 6, out, 7),
			 STATUS_INVALID_HANDLE);
}

/* A built IRP fills the sender's memory and frees itself: shutdown counts nothing. */
static void test_built_requests_free_themselves(void **state)
{
	LARGE_INTEGER offset = {.QuadPart = 7};
	UNICODE_STRING name = NT_STR(u"\\Device\\Echo");
	PDEVICE_OBJECT device;
	PFILE_OBJECT file;
	IO_STATUS_BLOCK iosb;
	UCHAR buffer[16];
	KEVENT event;
	PIRP irp;

	(void)state;
	assert_int_equal(IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &file, &device), STATUS_SUCCESS);
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, device, buffer, sizeof(buffer), &offset, &event,
					   &iosb);
	assert_non_null(irp);
	assert_int_equal(IoCallDriver(device, irp), STATUS_SUCCESS);
	assert_int_equal(KeReadStateEvent(&event), 1);
	assert_int_equal(iosb.Information, sizeof(buffer));
	for (size_t i = 0; i < sizeof(buffer); i++)
		assert_int_equal(buffer[i], 7);
	ObDereferenceObject(file);
}

/* A file's handle leads to its object; a thread's type is another one. */
static void test_a_handle_leads_to_its_object(void **state)
{
	PFILE_OBJECT file = NULL;
	HANDLE handle;

	(void)state;
	assert_int_equal(open_by_name(u"\\Device\\Echo\\x", &handle), STATUS_SUCCESS);
	assert_int_equal(
		ObReferenceObjectByHandle(handle, 0, *PsThreadType, KernelMode, (PVOID *)&file, NULL),
		STATUS_OBJECT_TYPE_MISMATCH);
	assert_int_equal(
		ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, KernelMode, (PVOID *)&file, NULL),
		STATUS_SUCCESS);
	assert_int_equal(file->FileName.Length, 4);
	assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
	assert_int_equal(file->FileName.Length, 4); /* ours */
	ObDereferenceObject(file);
	assert_int_equal(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, (PVOID *)&file, NULL),
			 STATUS_INVALID_HANDLE);
}

/* Two views are one memory; a name is taken once; the memory outlives its handles while a view is there. */
static void test_sections_are_shared_memory(void **state)
{
	UNICODE_STRING name = NT_STR(u"\\BaseNamedObjects\\Shared");
	LARGE_INTEGER size = {.QuadPart = 10000}, nothing = {.QuadPart = 0};
	PVOID first = NULL, second = NULL;
	SIZE_T length = 0, too_long = 10001;
	OBJECT_ATTRIBUTES attributes;
	HANDLE one, two;

	(void)state;
	InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
	assert_int_equal(ZwOpenSection(&one, SECTION_MAP_READ, &attributes), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(ZwCreateSection(&one, SECTION_ALL_ACCESS, &attributes, &nothing, PAGE_READWRITE,
					 SEC_COMMIT, NULL),
			 STATUS_INVALID_PARAMETER_4);
	assert_int_equal(ZwCreateSection(&one, SECTION_ALL_ACCESS, &attributes, &size, PAGE_READWRITE,
					 SEC_COMMIT, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(ZwCreateSection(&two, SECTION_ALL_ACCESS, &attributes, &size, PAGE_READWRITE,
					 SEC_COMMIT, NULL),
			 STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(ZwOpenSection(&two, SECTION_MAP_READ, &attributes), STATUS_SUCCESS);
	assert_int_equal(
		ZwMapViewOfSection(one, NULL, &first, 0, 0, NULL, &length, ViewShare, 0, PAGE_READWRITE),
		STATUS_SUCCESS);
	assert_int_equal(length, 10000);
	assert_int_equal(
		ZwMapViewOfSection(two, NULL, &second, 0, 0, NULL, &too_long, ViewShare, 0, PAGE_READWRITE),
		STATUS_INVALID_VIEW_SIZE);
	length = 0;
	assert_int_equal(
		ZwMapViewOfSection(two, NULL, &second, 0, 0, NULL, &length, ViewShare, 0, PAGE_READWRITE),
		STATUS_SUCCESS);
	assert_int_equal(((PUCHAR)second)[9999], 0);
	((PUCHAR)first)[9999] = 42;
	assert_int_equal(ZwClose(one), STATUS_SUCCESS);
	assert_int_equal(ZwClose(two), STATUS_SUCCESS);
	assert_int_equal(((PUCHAR)second)[9999], 42);
	assert_int_equal(ZwUnmapViewOfSection(NULL, first), STATUS_SUCCESS);
	assert_int_equal(ZwUnmapViewOfSection(NULL, second), STATUS_SUCCESS);
	assert_int_equal(ZwUnmapViewOfSection(NULL, second), STATUS_NOT_MAPPED_VIEW);
	assert_int_equal(ZwOpenSection(&one, SECTION_MAP_READ, &attributes), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* A token tells the user of the process the thread works for; an impersonation is one until it is reverted. */
static void test_tokens_tell_the_requester(void **state)
{
	SECURITY_QUALITY_OF_SERVICE qos = {.Length = sizeof(qos),
					   .ImpersonationLevel = SecurityImpersonation};
	struct nt_requester who = {.pid = 4711, .uid = 1000, .gid = 100}, now;
	SECURITY_SUBJECT_CONTEXT subject;
	SECURITY_CLIENT_CONTEXT client;
	UNICODE_STRING text = {0};
	PTOKEN_USER user;
	PVOID info;
	LUID luid;

	(void)state;
	SeCaptureSubjectContext(&subject);
	assert_int_equal(SeQueryAuthenticationIdToken(SeQuerySubjectContextToken(&subject), &luid),
			 STATUS_SUCCESS);
	assert_int_equal(luid.LowPart, 0x3e7);
	assert_true(SeTokenIsAdmin(SeQuerySubjectContextToken(&subject)));

	nt_set_requester(&who);
	SeCaptureSubjectContext(&subject);
	nt_set_requester(NULL);
	assert_int_equal(SeCreateClientSecurityFromSubjectContext(&subject, &qos, FALSE, &client),
			 STATUS_SUCCESS);
	assert_false(SeTokenIsAdmin(client.ClientToken));
	assert_int_equal(SeQueryInformationToken(client.ClientToken, TokenUser, (PVOID *)&user),
			 STATUS_SUCCESS);
	assert_int_equal(RtlConvertSidToUnicodeString(&text, user->User.Sid, TRUE), STATUS_SUCCESS);
	assert_int_equal(text.Length, 13 * sizeof(WCHAR));
	assert_memory_equal(text.Buffer, u"S-1-22-1-1000", text.Length);
	RtlFreeUnicodeString(&text);
	ExFreePool(user);
	assert_int_equal(SeQueryInformationToken(client.ClientToken, TokenPrivileges, &info),
			 STATUS_INVALID_INFO_CLASS);

	assert_int_equal(SeImpersonateClientEx(&client, NULL), STATUS_SUCCESS);
	assert_true(nt_get_requester(&now));
	assert_int_equal(now.uid, 1000);
	PsRevertToSelf();
	assert_false(nt_get_requester(&now));
	SeDeleteClientSecurity(&client);
	assert_int_equal(SeImpersonateClientEx(&client, NULL), STATUS_NO_TOKEN);
}

/* There is no key, so drivers keep their defaults. */
static void test_the_registry_is_empty(void **state)
{
	UNICODE_STRING name = NT_STR(u"\\Registry\\Machine\\System");
	OBJECT_ATTRIBUTES attributes;
	HANDLE key = (HANDLE)1;
	ULONG length = 1;

	(void)state;
	InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
	assert_int_equal(ZwOpenKey(&key, KEY_READ, &attributes), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_null(key);
	assert_int_equal(ZwCreateKey(&key, KEY_WRITE, &attributes, 0, NULL, 0, NULL), STATUS_ACCESS_DENIED);
	assert_int_equal(ZwQueryValueKey(key, &name, KeyValuePartialInformation, NULL, 0, &length),
			 STATUS_INVALID_HANDLE);
	assert_int_equal(length, 0);
}

/* Numbers of every base, and each way to be none. */
static void test_strings_become_numbers(void **state)
{
	static const struct {
		const WCHAR *text;
		ULONG base;
		NTSTATUS status;
		LONG64 value;
	} rows[] = {
		{u"42", 0, STATUS_SUCCESS, 42},
		{u"  -0x10z", 0, STATUS_SUCCESS, -16},
		{u"777", 8, STATUS_SUCCESS, 511},
		{u"9223372036854775807", 10, STATUS_SUCCESS, INT64_MAX},
		{u"9223372036854775808", 10, STATUS_INTEGER_OVERFLOW, 0},
		{u"-9223372036854775808", 10, STATUS_SUCCESS, INT64_MIN},
		{u"", 0, STATUS_INVALID_PARAMETER, 0},
		{u"x", 16, STATUS_INVALID_PARAMETER, 0},
		{u"1", 7, STATUS_INVALID_PARAMETER, 0},
	};

	(void)state;
	for (size_t i = 0; i < RTL_NUMBER_OF(rows); i++) {
		UNICODE_STRING string;
		LONG64 value = 0;

		RtlInitUnicodeString(&string, rows[i].text);
		assert_int_equal(RtlUnicodeStringToInt64(&string, rows[i].base, &value, NULL),
				 rows[i].status);
		assert_int_equal(value, rows[i].value);
	}
}

/* A descriptor in absolute form: a list is present or not, and may be NULL; another revision is refused. */
static void test_absolute_descriptors(void **state)
{
	SECURITY_DESCRIPTOR sd;
	ACL acl = {.AclRevision = 2, .AclSize = sizeof(acl)};
	BOOLEAN present = TRUE, defaulted = TRUE;
	PACL found = NULL;

	(void)state;
	assert_int_equal(RtlCreateSecurityDescriptor(&sd, 2), STATUS_UNKNOWN_REVISION);
	assert_int_equal(RtlCreateSecurityDescriptor(&sd, SECURITY_DESCRIPTOR_REVISION), STATUS_SUCCESS);
	assert_int_equal(RtlGetDaclSecurityDescriptor(&sd, &present, &found, &defaulted), STATUS_SUCCESS);
	assert_false(present);
	assert_int_equal(RtlSetDaclSecurityDescriptor(&sd, TRUE, &acl, FALSE), STATUS_SUCCESS);
	assert_int_equal(RtlGetDaclSecurityDescriptor(&sd, &present, &found, &defaulted), STATUS_SUCCESS);
	assert_true(present);
	assert_ptr_equal(found, &acl);
	assert_false(defaulted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files_are_opened_by_name, begin, end),
		cmocka_unit_test_setup_teardown(test_a_refused_open_leaves_nothing, begin, end),
		cmocka_unit_test_setup_teardown(test_controls_carry_data_both_ways, begin, end),
		cmocka_unit_test_setup_teardown(test_built_requests_free_themselves, begin, end),
		cmocka_unit_test_setup_teardown(test_a_handle_leads_to_its_object, begin, end),
		cmocka_unit_test_setup_teardown(test_sections_are_shared_memory, begin, end),
		cmocka_unit_test_setup_teardown(test_tokens_tell_the_requester, begin, end),
		cmocka_unit_test_setup_teardown(test_the_registry_is_empty, begin, end),
		cmocka_unit_test_setup_teardown(test_strings_become_numbers, begin, end),
		cmocka_unit_test_setup_teardown(test_absolute_descriptors, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
