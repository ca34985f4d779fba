/* The way of a request down the device stack and back: order, conditions, ownership, and the traps. */
#include "nt_test.h"

#include "ntifs.h"

static char trail[64]; /* one letter per thing that happened, in order */

static void note(char what)
{
	size_t n = strlen(trail);

	assert_true(n + 1 < sizeof(trail));
	trail[n] = what;
	trail[n + 1] = 0;
}

/* Three devices on top of each other; each passes down, the lowest completes with `answer`. */
static NTSTATUS answer;
static bool keep_at_middle;
static PIRP kept;
static DRIVER_OBJECT driver;
static DEVICE_OBJECT low, middle, high;

static NTSTATUS on_middle_done(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	assert_ptr_equal(device, &middle);
	assert_ptr_equal(context, &low);
	note('m');
	if (irp->PendingReturned)
		IoMarkIrpPending(irp);
	if (keep_at_middle) {
		kept = irp;
		return STATUS_MORE_PROCESSING_REQUIRED;
	}
	return STATUS_SUCCESS;
}

static NTSTATUS on_high_done(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	(void)context;
	assert_ptr_equal(device, &high);
	note('h');
	if (irp->PendingReturned)
		IoMarkIrpPending(irp);
	return STATUS_SUCCESS;
}

static NTSTATUS dispatch(PDEVICE_OBJECT device, PIRP irp)
{
	PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);

	assert_ptr_equal(location->DeviceObject, device);
	assert_int_equal(location->Parameters.Read.Length, 4711);
	if (device == &low) {
		note('L');
		irp->IoStatus.Status = answer;
		irp->IoStatus.Information = 5;
		IoMarkIrpPending(irp);
		IoCompleteRequest(irp, IO_NO_INCREMENT);
		return STATUS_PENDING;
	}
	IoCopyCurrentIrpStackLocationToNext(irp);
	note(device == &high ? 'H' : 'M');
	if (device == &high)
		IoSetCompletionRoutine(irp, on_high_done, NULL, TRUE, TRUE, TRUE);
	else
		IoSetCompletionRoutine(irp, on_middle_done, &low, TRUE, FALSE, FALSE);
	return IoCallDriver(device == &high ? &middle : &low, irp);
}

static NTSTATUS on_top_done(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	assert_null(device); /* the sender has no location of its own */
	assert_true(irp->PendingReturned);
	note('t');
	*(NTSTATUS *)context = irp->IoStatus.Status;
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static void build_stack(void)
{
	memset(&driver, 0, sizeof(driver));
	for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver.MajorFunction[i] = dispatch;
	low = middle = high = (DEVICE_OBJECT){.Type = IO_TYPE_DEVICE, .DriverObject = &driver};
	low.StackSize = 1;
	middle.StackSize = 2;
	high.StackSize = 3;
	trail[0] = 0;
	keep_at_middle = false;
}

static PIRP send(NTSTATUS *result, NTSTATUS *returned)
{
	PIRP irp = IoAllocateIrp(high.StackSize, FALSE);
	PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);

	next->MajorFunction = IRP_MJ_READ;
	next->Parameters.Read.Length = 4711;
	IoSetCompletionRoutine(irp, on_top_done, result, TRUE, TRUE, TRUE);
	*returned = IoCallDriver(&high, irp);
	return irp;
}

static void test_completion_runs_upwards(void **state)
{
	/* Completion routines run from the lowest device to the sender. */
	NTSTATUS result, returned;
	PIRP irp;

	(void)state;
	build_stack();
	answer = STATUS_SUCCESS;
	irp = send(&result, &returned);
	assert_string_equal(trail, "HMLmht");
	assert_int_equal(result, STATUS_SUCCESS);
	assert_int_equal(returned, STATUS_PENDING);
	assert_int_equal(irp->IoStatus.Information, 5);
	IoFreeIrp(irp);
}

static void test_invoke_on_conditions(void **state)
{
	/* A routine asked for success only is not called for an error, and the pending mark passes over it. */
	NTSTATUS result, returned;
	PIRP irp;

	(void)state;
	build_stack();
	answer = STATUS_DISK_FULL;
	irp = send(&result, &returned);
	assert_string_equal(trail, "HMLht");
	assert_int_equal(result, STATUS_DISK_FULL);
	IoFreeIrp(irp);
	/* Warnings are not successes. */
	build_stack();
	answer = STATUS_BUFFER_OVERFLOW;
	irp = send(&result, &returned);
	assert_string_equal(trail, "HMLht");
	IoFreeIrp(irp);
}

static void test_more_processing_stops_and_resumes(void **state)
{
	/* STATUS_MORE_PROCESSING_REQUIRED stops the walk until the owner completes again. */
	NTSTATUS result = 1, returned;
	PIRP irp;

	(void)state;
	build_stack();
	answer = STATUS_SUCCESS;
	keep_at_middle = true;
	irp = send(&result, &returned);
	assert_string_equal(trail, "HMLm");
	assert_ptr_equal(kept, irp);
	assert_int_equal(result, 1);
	kept->IoStatus.Information = 9;
	IoCompleteRequest(kept, IO_NO_INCREMENT);
	assert_string_equal(trail, "HMLmht");
	assert_int_equal(irp->IoStatus.Information, 9);
	IoFreeIrp(irp);
}

static void test_skip_shares_the_location(void **state)
{
	/* IoSkipCurrentIrpStackLocation gives the next driver the same location. */
	PIRP irp;
	PIO_STACK_LOCATION first;

	(void)state;
	irp = IoAllocateIrp(2, FALSE);
	IoSetNextIrpStackLocation(irp);
	first = IoGetCurrentIrpStackLocation(irp);
	IoSkipCurrentIrpStackLocation(irp);
	assert_ptr_equal(IoGetNextIrpStackLocation(irp), first);
	assert_int_equal(irp->CurrentLocation, 3);
	IoFreeIrp(irp);
}

static void test_user_iosb_and_event(void **state)
{
	/* Without a routine that keeps it, status and event of the sender are set at the end. */
	IO_STATUS_BLOCK iosb = {.Information = 0};
	KEVENT event;
	PIRP irp;

	(void)state;
	build_stack();
	answer = STATUS_SUCCESS;
	irp = IoAllocateIrp(high.StackSize, FALSE);
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	irp->UserIosb = &iosb;
	irp->UserEvent = &event;
	IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
	IoGetNextIrpStackLocation(irp)->Parameters.Read.Length = 4711;
	assert_int_equal(IoCallDriver(&high, irp), STATUS_PENDING);
	nt_test_wait(&event);
	assert_int_equal(iosb.Status, STATUS_SUCCESS);
	assert_int_equal(iosb.Information, 5);
	IoFreeIrp(irp);
}

static void test_associated_irps_complete_their_master(void **state)
{
	/* The last of the associated IRPs completes the master. */
	NTSTATUS result = 1;
	PIRP master, parts[3];

	(void)state;
	build_stack();
	trail[0] = 0;
	master = IoAllocateIrp(1, FALSE);
	IoSetCompletionRoutine(master, on_top_done, &result, TRUE, TRUE, TRUE);
	IoSetNextIrpStackLocation(master);
	IoMarkIrpPending(master);
	master->IoStatus.Status = STATUS_SUCCESS;
	master->AssociatedIrp.IrpCount = 3;
	for (int i = 0; i < 3; i++) {
		parts[i] = IoAllocateIrp(1, FALSE);
		parts[i]->Flags |= IRP_ASSOCIATED_IRP;
		parts[i]->AssociatedIrp.MasterIrp = master;
		IoSetNextIrpStackLocation(parts[i]);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(result, 1);
		parts[i]->IoStatus.Status = STATUS_SUCCESS;
		IoCompleteRequest(parts[i], IO_NO_INCREMENT);
	}
	assert_int_equal(result, STATUS_SUCCESS);
	IoFreeIrp(master);
}

static void test_requester_travels_with_the_irp(void **state)
{
	/* The IRP carries who asked, whatever thread handles it. */
	const struct nt_requester alice = {.pid = 4242, .uid = 1000, .gid = 100};
	PIRP irp;

	(void)state;
	nt_set_requester(&alice);
	irp = IoAllocateIrp(1, FALSE);
	nt_set_requester(NULL);
	assert_int_equal(nt_irp_requester(irp)->uid, 1000);
	assert_int_equal(IoGetRequestorProcessId(irp), 4242);
	assert_ptr_equal(IoGetRequestorProcess(irp), nt_process_of(&alice));
	IoFreeIrp(irp);
	irp = IoAllocateIrp(1, FALSE);
	assert_null(nt_irp_requester(irp));
	assert_ptr_equal(IoGetRequestorProcess(irp), PsInitialSystemProcess);
	IoFreeIrp(irp);
}

static void test_operation_synchronous(void **state)
{
	/* IoIsOperationSynchronous: by file object, by flag, and for paging only when the paging I/O says so. */
	FILE_OBJECT file = {.Type = IO_TYPE_FILE};
	PIRP irp;

	(void)state;
	irp = IoAllocateIrp(1, FALSE);
	IoSetNextIrpStackLocation(irp);
	IoGetCurrentIrpStackLocation(irp)->FileObject = &file;
	assert_false(IoIsOperationSynchronous(irp));
	file.Flags = FO_SYNCHRONOUS_IO;
	assert_true(IoIsOperationSynchronous(irp));
	irp->Flags = IRP_PAGING_IO;
	assert_false(IoIsOperationSynchronous(irp));
	irp->Flags = IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO;
	assert_true(IoIsOperationSynchronous(irp));
	file.Flags = 0;
	irp->Flags = IRP_SYNCHRONOUS_API;
	assert_true(IoIsOperationSynchronous(irp));
	IoSkipCurrentIrpStackLocation(irp);
	IoFreeIrp(irp);
}

static PIRP one_sent_irp(void)
{
	PIRP irp = IoAllocateIrp(1, FALSE);

	IoSetNextIrpStackLocation(irp);
	irp->IoStatus.Status = STATUS_SUCCESS;
	return irp;
}

static void complete_twice(void)
{
	PIRP irp;

	NT_TEST_START_IN_CHILD();
	irp = one_sent_irp();
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	IoCompleteRequest(irp, IO_NO_INCREMENT);
}

static void complete_pending(void)
{
	PIRP irp;

	NT_TEST_START_IN_CHILD();
	irp = one_sent_irp();
	irp->IoStatus.Status = STATUS_PENDING;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
}

static void complete_with_cancel_routine(void)
{
	PIRP irp;

	NT_TEST_START_IN_CHILD();
	irp = one_sent_irp();
	IoSetCancelRoutine(irp, (PDRIVER_CANCEL)(void *)complete_twice);
	IoCompleteRequest(irp, IO_NO_INCREMENT);
}

static void free_in_flight(void)
{
	NT_TEST_START_IN_CHILD();
	IoFreeIrp(one_sent_irp());
}

static void call_below_the_stack(void)
{
	PIRP irp;

	NT_TEST_START_IN_CHILD();
	build_stack();
	irp = one_sent_irp();
	IoCallDriver(&low, irp);
}

static void test_broken_rules_are_trapped(void **state)
{
	/* Each of these would corrupt memory later: the process stops at once and says what was done. */
	(void)state;
	assert_true(nt_test_dies(complete_twice, "completed twice"));
	assert_true(nt_test_dies(complete_pending, "STATUS_PENDING"));
	assert_true(nt_test_dies(complete_with_cancel_routine, "cancel routine"));
	assert_true(nt_test_dies(free_in_flight, "StackCount"));
	assert_true(nt_test_dies(call_below_the_stack, "no stack location left"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_completion_runs_upwards, nt_test_setup,
						nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_invoke_on_conditions, nt_test_setup, nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_more_processing_stops_and_resumes, nt_test_setup,
						nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_skip_shares_the_location, nt_test_setup,
						nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_user_iosb_and_event, nt_test_setup, nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_associated_irps_complete_their_master, nt_test_setup,
						nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_requester_travels_with_the_irp, nt_test_setup,
						nt_test_teardown),
		cmocka_unit_test_setup_teardown(test_operation_synchronous, nt_test_setup, nt_test_teardown),
		cmocka_unit_test(test_broken_rules_are_trapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
