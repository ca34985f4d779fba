/*
 * test_misuse.c - what the runtime says and does when a driver breaks a rule about memory, IRPs or references.
 */
#include "../support/misuse.h"

#include "ntifs.h"

#define TAG 'tseT'

static void begin(void)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1};

	MISUSE_CHECK(NT_SUCCESS(nt_initialize(&config)));
}

static void end(unsigned long left)
{
	MISUSE_CHECK(nt_shutdown(NULL) == left);
}

/* ---- free-tag ---- */

static void wrong_tag(void)
{
	PVOID memory;

	begin();
	memory = ExAllocatePoolWithTag(NonPagedPool, 100, TAG);
	ExFreePoolWithTag(memory, 'rehT');
	MISUSE_CHECK(nt_pool_is_live(memory));
	ExFreePoolWithTag(memory, TAG); /* the right one still works */
	end(0);
}

static void freed_twice(void)
{
	PVOID memory;

	begin();
	memory = ExAllocatePoolWithTag(NonPagedPool, 100000, TAG);
	ExFreePoolWithTag(memory, TAG);
	ExFreePoolWithTag(memory, TAG);
	end(0);
}

static void not_pool_memory(void)
{
	static DECLSPEC_ALIGN(16) UCHAR memory[64];

	begin();
	ExFreePool(memory + 32);
	end(0);
}

/* Memory is freed once, with its own tag; refused, it stays what it was. */
static void test_free_tag(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_FREE_TAG, "ExFreePoolWithTag", "'Test' is freed as 'Ther'", wrong_tag);
	MISUSE_EXPECT(NT_RULE_FREE_TAG, "ExFreePoolWithTag", "freed before", freed_twice);
	MISUSE_EXPECT(NT_RULE_FREE_TAG, "ExFreePoolWithTag", "not pool memory", not_pool_memory);
}

/* ---- complete-once ---- */

static LONG completions;

static NTSTATUS count_completion(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	(void)device;
	(void)irp;
	(void)context;
	completions++;
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS complete_twice(PDEVICE_OBJECT device, PIRP irp)
{
	(void)device;
	irp->IoStatus.Status = STATUS_SUCCESS;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	return STATUS_SUCCESS;
}

static NTSTATUS driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	PDEVICE_OBJECT device;

	(void)path;
	driver->MajorFunction[IRP_MJ_READ] = complete_twice;
	return IoCreateDevice(driver, 0, NULL, FILE_DEVICE_DISK, 0, FALSE, &device);
}

static void irp_completed_twice(void)
{
	PDRIVER_OBJECT driver = NULL;
	PIRP irp;

	begin();
	MISUSE_CHECK(nt_driver_load("twice", driver_entry, &driver) == STATUS_SUCCESS);
	irp = IoAllocateIrp(1, FALSE);
	IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
	IoSetCompletionRoutine(irp, count_completion, NULL, TRUE, TRUE, TRUE);
	MISUSE_CHECK(IoCallDriver(driver->DeviceObject, irp) == STATUS_SUCCESS);
	MISUSE_CHECK(completions == 1);
	IoFreeIrp(irp);
	IoDeleteDevice(driver->DeviceObject);
	nt_driver_unload(driver);
	end(0);
}

/* An IRP's sender hears of its end once. */
static void test_complete_once(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_COMPLETE_ONCE, "IoCompleteRequest", "irp 0x", irp_completed_twice);
}

/* ---- reference ---- */

static void no_object(void)
{
	static UCHAR nothing[64];

	begin();
	ObDereferenceObject(nothing);
	end(0);
}

static void below_zero(void)
{
	FILE_OBJECT file = {.Type = IO_TYPE_FILE};

	begin();
	ObDereferenceObject(&file);
	MISUSE_CHECK(file.ReferenceCount == 0);
	end(0);
}

static void test_reference(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_REFERENCE, "ObDereferenceObject", "is no object", no_object);
	MISUSE_EXPECT(NT_RULE_REFERENCE, "ObDereferenceObject", "has no reference to put", below_zero);
}

/* ---- unload-idle ---- */

static NTSTATUS quiet_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	PDEVICE_OBJECT device;

	(void)path;
	return IoCreateDevice(driver, 0, NULL, FILE_DEVICE_DISK, 0, FALSE, &device);
}

static LONG unloads;

static VOID count_unload(PDRIVER_OBJECT driver)
{
	unloads++;
	IoDeleteDevice(driver->DeviceObject);
}

static void unloaded_while_open(void)
{
	PDRIVER_OBJECT driver = NULL;
	PFILE_OBJECT file = NULL;

	begin();
	MISUSE_CHECK(nt_driver_load("open", quiet_entry, &driver) == STATUS_SUCCESS);
	driver->DriverUnload = count_unload;
	MISUSE_CHECK(nt_file_object_create(driver->DeviceObject, NULL, &file) == STATUS_SUCCESS);
	nt_driver_unload(driver);
	MISUSE_CHECK(unloads == 0 && driver->Type == IO_TYPE_DRIVER);
	ObDereferenceObject(file);
	nt_driver_unload(driver);
	MISUSE_CHECK(unloads == 1);
	end(0);
}

/* A driver with an open device stays. */
static void test_unload_idle(void **state)
{
	(void)state;
	MISUSE_EXPECT(NT_RULE_UNLOAD_IDLE, "nt_driver_unload", "1 file objects", unloaded_while_open);
}

/* ---- the two ways ---- */

/* A debug build stops, a release build refuses, unless it is told otherwise. */
static void test_way_of_the_build(void **state)
{
	(void)state;
#ifdef NDEBUG
	assert_int_equal(nt_misuse_action(), NT_MISUSE_REFUSE);
#else
	assert_int_equal(nt_misuse_action(), NT_MISUSE_STOP);
#endif
	for (int rule = 0; rule < NT_RULE_COUNT; rule++)
		assert_string_not_equal(nt_rule_name((enum nt_rule)rule), "?");
}

static void tell_often(void)
{
	for (int i = 0; i < 1000; i++)
		nt_misuse(NT_RULE_REFERENCE, "Often", "object %d.", i);
}

/* Who breaks a rule again and again does not fill the log: 16 times, then each power of two; all are counted. */
static void test_flood(void **state)
{
	struct misuse_case often = {NT_RULE_REFERENCE, "Often", "object", tell_often, 1000};
	char text[8192];
	unsigned int lines = 0;

	(void)state;
	assert_int_equal(misuse_in_child(&often, NT_MISUSE_REFUSE, text, sizeof(text)), 0);
	for (const char *at = text; (at = strstr(at, "refused (")) != NULL; at++)
		lines++;
	assert_int_equal(lines, 16 + 5); /* 32, 64, 128, 256, 512 */
	assert_non_null(strstr(text, "object 511.; refused (512)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_tag),         cmocka_unit_test(test_complete_once),
		cmocka_unit_test(test_reference),        cmocka_unit_test(test_unload_idle),
		cmocka_unit_test(test_way_of_the_build), cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
