/* Devices and their names, file objects, share access, extra create parameters, memory descriptors, work items. */
#include "nt_test.h"

#include "ntifs.h"

static UNICODE_STRING device_name = NT_STR(u"\\Device\\Test");
static UNICODE_STRING device_name_other_case = NT_STR(u"\\DEVICE\\test");
static UNICODE_STRING link_name = NT_STR(u"\\DosDevices\\Test");
static UNICODE_STRING link_to_link = NT_STR(u"\\??\\Test");
static UNICODE_STRING loop_name = NT_STR(u"\\Loop");

static unsigned int unloads;

static VOID unload(PDRIVER_OBJECT driver)
{
	unloads++;
	while (driver->DeviceObject != NULL)
		IoDeleteDevice(driver->DeviceObject);
}

static NTSTATUS entry(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
	static const UNICODE_STRING expected = NT_STR(u"\\Driver\\test");
	PDEVICE_OBJECT device;

	assert_true(RtlEqualUnicodeString(registry_path, &expected, FALSE));
	driver->DriverUnload = unload;
	return IoCreateDevice(driver, 100, &device_name, FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE,
			      FALSE, &device);
}

static NTSTATUS entry_that_fails(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
	(void)registry_path;
	driver->DriverUnload = unload;
	return STATUS_DEVICE_CONFIGURATION_ERROR;
}

static void test_driver_and_device(void **state)
{
	/* A driver's device has a zeroed extension, is found by name without case, and is gone after unload. */
	PDEVICE_OBJECT device, second;
	PDRIVER_OBJECT driver;

	(void)state;
	unloads = 0;
	assert_int_equal(nt_driver_load("test", entry, &driver), STATUS_SUCCESS);
	assert_int_equal(nt_device_open(&device_name_other_case, &device), STATUS_SUCCESS);
	assert_ptr_equal(device, driver->DeviceObject);
	assert_int_equal(device->Characteristics, FILE_REMOTE_DEVICE);
	assert_int_equal((uintptr_t)device->DeviceExtension % 16, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(((char *)device->DeviceExtension)[i], 0);
	assert_int_equal(IoCreateDevice(driver, 0, &device_name_other_case, 0, 0, FALSE, &second),
			 STATUS_OBJECT_NAME_COLLISION);
	assert_null(second);
	ObDereferenceObject(device);
	nt_driver_unload(driver);
	assert_int_equal(unloads, 1);
	assert_int_equal(nt_device_open(&device_name, &device), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_null(device);
}

static void test_driver_that_fails_to_load(void **state)
{
	/* A driver whose DriverEntry fails is not asked to unload, and its status is the answer. */
	PDRIVER_OBJECT driver = (PDRIVER_OBJECT)&driver;

	(void)state;
	unloads = 0;
	assert_int_equal(nt_driver_load("test", entry_that_fails, &driver),
			 STATUS_DEVICE_CONFIGURATION_ERROR);
	assert_null(driver);
	assert_int_equal(unloads, 0);
}

static void test_open_device_outlives_delete(void **state)
{
	/* A device that is deleted while it is open has no name but its memory stays until the last reference. */
	PDEVICE_OBJECT device, again;
	PDRIVER_OBJECT driver;

	(void)state;
	assert_int_equal(nt_driver_load("test", entry, &driver), STATUS_SUCCESS);
	assert_int_equal(nt_device_open(&device_name, &device), STATUS_SUCCESS);
	IoDeleteDevice(device);
	assert_null(driver->DeviceObject);
	assert_int_equal(nt_device_open(&device_name, &again), STATUS_OBJECT_NAME_NOT_FOUND);
	memset(device->DeviceExtension, 1, 100);
	ObDereferenceObject(device);
	nt_driver_unload(driver);
}

static void test_symbolic_links(void **state)
{
	/* Links lead to devices, over links too; they collide, dangle and end in a circle without harm. */
	PDEVICE_OBJECT device;
	PDRIVER_OBJECT driver;

	(void)state;
	assert_int_equal(nt_driver_load("test", entry, &driver), STATUS_SUCCESS);
	assert_int_equal(IoCreateSymbolicLink(&link_name, &device_name), STATUS_SUCCESS);
	assert_int_equal(IoCreateSymbolicLink(&link_name, &device_name), STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(IoCreateSymbolicLink(&link_to_link, &link_name), STATUS_SUCCESS);
	assert_int_equal(nt_device_open(&link_to_link, &device), STATUS_SUCCESS);
	assert_ptr_equal(device, driver->DeviceObject);
	ObDereferenceObject(device);
	assert_int_equal(IoDeleteSymbolicLink(&device_name), STATUS_OBJECT_TYPE_MISMATCH);
	assert_int_equal(IoDeleteSymbolicLink(&link_name), STATUS_SUCCESS);
	assert_int_equal(IoDeleteSymbolicLink(&link_name), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(nt_device_open(&link_to_link, &device), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(IoDeleteSymbolicLink(&link_to_link), STATUS_SUCCESS);
	assert_int_equal(IoCreateSymbolicLink(&loop_name, &loop_name), STATUS_SUCCESS);
	assert_int_equal(nt_device_open(&loop_name, &device), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(IoDeleteSymbolicLink(&loop_name), STATUS_SUCCESS);
	nt_driver_unload(driver);
}

static void test_unc_providers(void **state)
{
	/* Providers are listed in the order of registration, each with a reference on its device. */
	PDEVICE_OBJECT device;
	PDRIVER_OBJECT driver;
	HANDLE first, second;

	(void)state;
	assert_int_equal(nt_driver_load("test", entry, &driver), STATUS_SUCCESS);
	assert_null(nt_unc_provider(0));
	assert_int_equal(FsRtlRegisterUncProvider(&first, &device_name, FALSE), STATUS_SUCCESS);
	assert_int_equal(FsRtlRegisterUncProvider(&second, &link_name, FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(FsRtlRegisterUncProviderEx(&second, &device_name, driver->DeviceObject, 0),
			 STATUS_SUCCESS);
	device = nt_unc_provider(1);
	assert_ptr_equal(device, driver->DeviceObject);
	ObDereferenceObject(device);
	assert_null(nt_unc_provider(2));
	FsRtlDeregisterUncProvider(first);
	assert_null(nt_unc_provider(1));
	FsRtlDeregisterUncProvider(second);
	IoRegisterFileSystem(driver->DeviceObject);
	IoUnregisterFileSystem(driver->DeviceObject);
	IoUnregisterFileSystem(driver->DeviceObject); /* not registered: nothing happens */
	nt_driver_unload(driver);
}

static void test_default_dispatch_refuses(void **state)
{
	/* A major function that a driver leaves alone answers STATUS_INVALID_DEVICE_REQUEST and completes. */
	IO_STATUS_BLOCK iosb;
	PDRIVER_OBJECT driver;
	PIRP irp;

	(void)state;
	assert_int_equal(nt_driver_load("test", entry, &driver), STATUS_SUCCESS);
	irp = IoAllocateIrp(1, FALSE);
	irp->UserIosb = &iosb;
	IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_POWER;
	assert_int_equal(IoCallDriver(driver->DeviceObject, irp), STATUS_INVALID_DEVICE_REQUEST);
	assert_int_equal(iosb.Status, STATUS_INVALID_DEVICE_REQUEST);
	IoFreeIrp(irp);
	nt_driver_unload(driver);
}

static void test_file_object_life(void **state)
{
	/* A file object copies its name, holds its device, and ends with its last reference. */
	UNICODE_STRING name = NT_STR(u"\\server\\share\\file");
	PDEVICE_OBJECT device;
	PDRIVER_OBJECT driver;
	PFILE_OBJECT file;

	(void)state;
	assert_int_equal(nt_driver_load("test", entry, &driver), STATUS_SUCCESS);
	device = driver->DeviceObject;
	assert_int_equal(nt_file_object_create(device, &name, &file), STATUS_SUCCESS);
	assert_true(RtlEqualUnicodeString(&file->FileName, &name, FALSE));
	assert_ptr_not_equal(file->FileName.Buffer, name.Buffer);
	assert_ptr_equal(IoGetRelatedDeviceObject(file), device);
	ObReferenceObject(file);
	ObDereferenceObject(file);
	IoDeleteDevice(device); /* the file keeps it */
	assert_int_equal(device->Type, IO_TYPE_DEVICE);
	ObDereferenceObject(file);
	nt_driver_unload(driver);
}

static void thread_main(PVOID context)
{
	KeSetEvent(context, 0, FALSE);
}

static void test_thread_handles(void **state)
{
	/* A thread's handle can be turned into a reference, waited for and closed; anything else is no handle. */
	HANDLE handle;
	PVOID thread;
	KEVENT event;

	(void)state;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	assert_int_equal(PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, thread_main, &event),
			 STATUS_SUCCESS);
	assert_int_equal(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &thread, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
	nt_test_wait(&event);
	nt_test_wait(thread);
	ObDereferenceObject(thread);
	assert_int_equal(ZwClose(NULL), STATUS_INVALID_HANDLE);
	assert_int_equal(ObReferenceObjectByHandle(NULL, 0, NULL, KernelMode, &thread, NULL),
			 STATUS_INVALID_HANDLE);
	assert_null(thread);
}

static void revive(void)
{
	DEVICE_OBJECT dead = {.Type = IO_TYPE_FILE, .ReferenceCount = 0};

	NT_TEST_START_IN_CHILD();
	ObReferenceObject(&dead);
}

static void put_too_often(void)
{
	DEVICE_OBJECT dead = {.Type = IO_TYPE_FILE, .ReferenceCount = 0};

	NT_TEST_START_IN_CHILD();
	ObDereferenceObject(&dead);
}

static void test_reference_rules_are_trapped(void **state)
{
	/* Reviving a dead object and putting a reference nobody got stop the process. */
	(void)state;
	assert_true(nt_test_dies(revive, "cannot be revived"));
	assert_true(nt_test_dies(put_too_often, "no reference to put"));
}

static void test_share_access_matrix(void **state)
{
	/* Every pair of opens: allowed exactly when each allows what the other does. */
	static const ACCESS_MASK access[] = {FILE_READ_ATTRIBUTES,
					     FILE_READ_DATA,
					     FILE_EXECUTE,
					     FILE_WRITE_DATA,
					     FILE_APPEND_DATA,
					     DELETE,
					     FILE_READ_DATA | FILE_WRITE_DATA | DELETE};
	static const ULONG needs[] = {0,
				      FILE_SHARE_READ,
				      FILE_SHARE_READ,
				      FILE_SHARE_WRITE,
				      FILE_SHARE_WRITE,
				      FILE_SHARE_DELETE,
				      FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE};

	(void)state;
	for (ULONG a = 0; a < 7; a++) {
		for (ULONG b = 0; b < 7; b++) {
			for (ULONG share = 0; share < 64; share++) {
				ULONG share_a = share & 7, share_b = share >> 3;
				FILE_OBJECT fa = {.Type = IO_TYPE_FILE}, fb = {.Type = IO_TYPE_FILE};
				bool allowed = needs[a] == 0 || needs[b] == 0 ||
					       ((needs[b] & ~share_a) == 0 && (needs[a] & ~share_b) == 0);
				SHARE_ACCESS sa, before;
				NTSTATUS status;

				IoSetShareAccess(access[a], share_a, &fa, &sa);
				before = sa;
				status = IoCheckShareAccess(access[b], share_b, &fb, &sa, FALSE);
				assert_memory_equal(&before, &sa, sizeof(sa)); /* asking changes nothing */
				assert_int_equal(status, allowed ? STATUS_SUCCESS : STATUS_SHARING_VIOLATION);
				if (allowed) {
					IoUpdateShareAccess(&fb, &sa);
					IoRemoveShareAccess(&fa, &sa);
					IoRemoveShareAccess(&fb, &sa);
					memset(&before, 0, sizeof(before));
					assert_memory_equal(&before, &sa, sizeof(sa));
				}
			}
		}
	}
}

static ULONG ea_put(UCHAR *at, const char *name, USHORT value_length, bool last)
{
	FILE_FULL_EA_INFORMATION *ea = (void *)at;
	ULONG needed = offsetof(FILE_FULL_EA_INFORMATION, EaName) + (ULONG)strlen(name) + 1 + value_length;

	ea->NextEntryOffset = last ? 0 : ROUND_TO_SIZE(needed, 4u);
	ea->Flags = 0;
	ea->EaNameLength = (UCHAR)strlen(name);
	ea->EaValueLength = value_length;
	memcpy(ea->EaName, name, strlen(name) + 1);
	return last ? needed : ROUND_TO_SIZE(needed, 4u);
}

static void test_ea_buffer_validity(void **state)
{
	/* A list of extended attributes must lie within its buffer, entry after entry, names terminated. */
	_Alignas(8) UCHAR buffer[128] = {0};
	ULONG first, length, offset;

	(void)state;
	first = ea_put(buffer, "Username", 6, false);
	length = first + ea_put(buffer + first, "Password", 20, true);
	assert_int_equal(IoCheckEaBufferValidity((void *)buffer, length, &offset), STATUS_SUCCESS);
	for (ULONG cut = 0; cut < length; cut++)
		assert_int_equal(IoCheckEaBufferValidity((void *)buffer, cut, &offset),
				 STATUS_EA_LIST_INCONSISTENT);
	assert_int_equal(IoCheckEaBufferValidity((void *)buffer, length - 1, &offset),
			 STATUS_EA_LIST_INCONSISTENT);
	assert_int_equal(offset, first);
	((FILE_FULL_EA_INFORMATION *)(void *)buffer)->NextEntryOffset = first + 4;
	assert_int_equal(IoCheckEaBufferValidity((void *)buffer, length, &offset),
			 STATUS_EA_LIST_INCONSISTENT);
	((FILE_FULL_EA_INFORMATION *)(void *)buffer)->NextEntryOffset = first;
	buffer[offsetof(FILE_FULL_EA_INFORMATION, EaName) + 8] = 'x'; /* the terminator */
	assert_int_equal(IoCheckEaBufferValidity((void *)buffer, length, &offset),
			 STATUS_EA_LIST_INCONSISTENT);
	assert_int_equal(offset, 0);
}

static const GUID guid_one = {1, 2, 3, {4}}, guid_two = {1, 2, 3, {5}};
static unsigned int cleanups;

static VOID ecp_cleanup(PVOID context, LPCGUID type)
{
	assert_true(IsEqualGUID(type, &guid_one));
	assert_int_equal(*(ULONG *)context, 77);
	cleanups++;
}

static void test_extra_create_parameters(void **state)
{
	/* Contexts are zeroed, found by type, one of a type per list; the list frees what is in it, cleanup first. */
	PVOID one, two, twin, found;
	PECP_LIST list, from_irp;
	ULONG size;
	GUID type;
	PIRP irp;

	(void)state;
	cleanups = 0;
	assert_int_equal(FsRtlAllocateExtraCreateParameterList(0, &list), STATUS_SUCCESS);
	assert_int_equal(FsRtlAllocateExtraCreateParameter(&guid_one, 24, 0, ecp_cleanup, 'tseT', &one),
			 STATUS_SUCCESS);
	assert_int_equal(FsRtlAllocateExtraCreateParameter(&guid_one, 24, 0, NULL, 'tseT', &twin),
			 STATUS_SUCCESS);
	assert_int_equal(FsRtlAllocateExtraCreateParameter(&guid_two, 8, 0, NULL, 'tseT', &two),
			 STATUS_SUCCESS);
	assert_int_equal((uintptr_t)one % 16, 0);
	assert_int_equal(*(ULONG *)one, 0);
	*(ULONG *)one = 77;
	assert_int_equal(FsRtlInsertExtraCreateParameter(list, one), STATUS_SUCCESS);
	assert_int_equal(FsRtlInsertExtraCreateParameter(list, one), STATUS_INVALID_PARAMETER);
	assert_int_equal(FsRtlInsertExtraCreateParameter(list, twin), STATUS_INVALID_PARAMETER);
	assert_int_equal(FsRtlFindExtraCreateParameter(list, &guid_two, &found, &size), STATUS_NOT_FOUND);
	assert_null(found);
	assert_int_equal(FsRtlInsertExtraCreateParameter(list, two), STATUS_SUCCESS);
	assert_int_equal(FsRtlFindExtraCreateParameter(list, &guid_one, &found, &size), STATUS_SUCCESS);
	assert_ptr_equal(found, one);
	assert_int_equal(size, 24);
	assert_int_equal(FsRtlGetNextExtraCreateParameter(list, NULL, &type, &found, &size), STATUS_SUCCESS);
	assert_ptr_equal(found, one);
	assert_int_equal(FsRtlGetNextExtraCreateParameter(list, one, &type, &found, &size), STATUS_SUCCESS);
	assert_ptr_equal(found, two);
	assert_true(IsEqualGUID(&type, &guid_two));
	assert_int_equal(FsRtlGetNextExtraCreateParameter(list, two, &type, &found, &size), STATUS_NOT_FOUND);
	assert_false(FsRtlIsEcpAcknowledged(two));
	FsRtlAcknowledgeEcp(two);
	assert_true(FsRtlIsEcpAcknowledged(two));
	assert_int_equal(FsRtlRemoveExtraCreateParameter(list, &guid_two, &found, &size), STATUS_SUCCESS);
	FsRtlFreeExtraCreateParameter(two);
	FsRtlFreeExtraCreateParameter(twin);

	irp = IoAllocateIrp(1, FALSE);
	assert_int_equal(FsRtlGetEcpListFromIrp(irp, &from_irp), STATUS_SUCCESS);
	assert_null(from_irp);
	assert_int_equal(FsRtlSetEcpListIntoIrp(irp, list), STATUS_SUCCESS);
	assert_int_equal(FsRtlGetEcpListFromIrp(irp, &from_irp), STATUS_SUCCESS);
	assert_ptr_equal(from_irp, list);
	IoFreeIrp(irp); /* the list is the sender's */
	FsRtlFreeExtraCreateParameterList(list);
	assert_int_equal(cleanups, 1);
}

static void test_mdl(void **state)
{
	/* A descriptor tells address, length and page offset; partial ones lie within; lists chain to the IRP. */
	static _Alignas(4096) char memory[3 * 4096];
	PMDL mdl, second, partial;
	PIRP irp;

	(void)state;
	irp = IoAllocateIrp(1, FALSE);
	mdl = IoAllocateMdl(memory + 100, 5000, FALSE, FALSE, irp);
	assert_ptr_equal(irp->MdlAddress, mdl);
	assert_int_equal(MmGetMdlByteCount(mdl), 5000);
	assert_int_equal(MmGetMdlByteOffset(mdl), 100);
	assert_ptr_equal(MmGetMdlVirtualAddress(mdl), memory + 100);
	assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(memory + 100, 5000), 2);
	MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
	assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), memory + 100);
	second = IoAllocateMdl(memory, 1, TRUE, FALSE, irp);
	assert_ptr_equal(mdl->Next, second);
	assert_null(second->Next);
	partial = IoAllocateMdl(NULL, 5000, FALSE, FALSE, NULL);
	IoBuildPartialMdl(mdl, partial, memory + 4196, 10);
	assert_ptr_equal(MmGetMdlVirtualAddress(partial), memory + 4196);
	assert_int_equal(MmGetMdlByteCount(partial), 10);
	IoBuildPartialMdl(mdl, partial, memory + 5000, 0);
	assert_int_equal(MmGetMdlByteCount(partial), 100);
	MmUnlockPages(mdl);
	MmBuildMdlForNonPagedPool(second);
	IoFreeMdl(partial);
	IoFreeMdl(second);
	IoFreeMdl(mdl);
	IoFreeIrp(irp);
}

static KEVENT work_done;

static VOID work_routine(PDEVICE_OBJECT device, PVOID context)
{
	assert_int_equal(device->Type, IO_TYPE_DEVICE);
	IoFreeWorkItem(context); /* a routine may free its own item */
	KeSetEvent(&work_done, 0, FALSE);
}

static void test_work_item_keeps_the_device(void **state)
{
	/* A device deleted while its work is queued stays until the routine has returned. */
	PDEVICE_OBJECT device;
	PDRIVER_OBJECT driver;
	PIO_WORKITEM item;

	(void)state;
	KeInitializeEvent(&work_done, NotificationEvent, FALSE);
	assert_int_equal(nt_driver_load("test", entry, &driver), STATUS_SUCCESS);
	device = driver->DeviceObject;
	item = IoAllocateWorkItem(device);
	IoQueueWorkItem(item, work_routine, DelayedWorkQueue, item);
	IoDeleteDevice(device);
	nt_test_wait(&work_done);
	nt_driver_unload(driver);
}

static LONGLONG purged_from;

static BOOLEAN remember_purge(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	assert_int_equal(length, 0); /* to the end */
	purged_from = offset;
	return TRUE;
}

static NTSTATUS nothing_to_flush(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	(void)offset;
	(void)length;
	return STATUS_SUCCESS;
}

static void nothing_to_release(void *context)
{
	(void)context;
}

static void test_new_sizes_forget_what_is_beyond(void **state)
{
	/* CcSetFileSizes: who keeps pages forgets those beyond the new end; without pages there is nothing to do. */
	static const struct nt_cache_ops ops = {nothing_to_flush, remember_purge, nothing_to_release};
	SECTION_OBJECT_POINTERS pointers = {0};
	CC_FILE_SIZES sizes = {.FileSize.QuadPart = 4711};
	FILE_OBJECT file = {.SectionObjectPointer = &pointers};
	struct nt_cache_map *map;

	(void)state;
	purged_from = -1;
	CcSetFileSizes(&file, &sizes);
	assert_int_equal(purged_from, -1);
	assert_int_equal(nt_cache_attach(&file, nt_cache_generation(&pointers), &ops, NULL, &map),
			 STATUS_SUCCESS);
	assert_true(MmCanFileBeTruncated(&pointers, &sizes.FileSize));
	CcSetFileSizes(&file, &sizes);
	assert_int_equal(purged_from, 4711);
	nt_cache_detach(map);
}

static void test_routine_by_name(void **state)
{
	/* A routine that is exported is found; a foreign name, one that is none, and one of libc are not. */
	UNICODE_STRING here = NT_STR(u"KeInitializeEvent"), absent = NT_STR(u"ZwNoSuchRoutine");
	UNICODE_STRING foreign = NT_STR(u"Ke\u00e4"), of_libc = NT_STR(u"malloc"), empty = {0};

	(void)state;
	assert_ptr_equal(MmGetSystemRoutineAddress(&here), (PVOID)(ULONG_PTR)KeInitializeEvent);
	assert_null(MmGetSystemRoutineAddress(&absent));
	assert_null(MmGetSystemRoutineAddress(&foreign));
	assert_null(MmGetSystemRoutineAddress(&of_libc));
	assert_null(MmGetSystemRoutineAddress(&empty));
}

#define IO_TEST(name) cmocka_unit_test_setup_teardown(name, nt_test_setup, nt_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IO_TEST(test_driver_and_device),
		IO_TEST(test_driver_that_fails_to_load),
		IO_TEST(test_open_device_outlives_delete),
		IO_TEST(test_symbolic_links),
		IO_TEST(test_unc_providers),
		IO_TEST(test_default_dispatch_refuses),
		IO_TEST(test_file_object_life),
		IO_TEST(test_thread_handles),
		cmocka_unit_test(test_reference_rules_are_trapped),
		IO_TEST(test_share_access_matrix),
		IO_TEST(test_ea_buffer_validity),
		IO_TEST(test_extra_create_parameters),
		IO_TEST(test_mdl),
		IO_TEST(test_new_sizes_forget_what_is_beyond),
		IO_TEST(test_routine_by_name),
		IO_TEST(test_work_item_keeps_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
