/*
 * test_control.c - controls, and waiting for changes. Rows B-MRxLowIOSubmit.FSCTL, .IOCTL, .NOTIFY_CHANGE_DIRECTORY,
 * B-MRxDevFcbXXXControlFile, B-MRxQueryVolumeInfo-04 to -06 (link tracking).
 */
#include "../support/rec.h"

#define CODE_BUFFERED CTL_CODE(FILE_DEVICE_FILE_SYSTEM, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define CODE_OUT_DIRECT CTL_CODE(FILE_DEVICE_FILE_SYSTEM, 0x801, METHOD_OUT_DIRECT, FILE_ANY_ACCESS)
#define CODE_NEITHER CTL_CODE(FILE_DEVICE_FILE_SYSTEM, 0x802, METHOD_NEITHER, FILE_ANY_ACCESS)

static struct {
	unsigned int fsctl, ioctl, device, volume;
	LOWIO_CONTEXT lowio;
	UCHAR major;
	NTSTATUS answer;
	ULONG_PTR information;
	/* MRxQueryVolumeInfo */
	FS_INFORMATION_CLASS fs_class;
	LONG length;
	/* notify */
	PIRP irp;
	CSHORT mdl_flags;
} saw;

static NTSTATUS answer(PRX_CONTEXT rxc)
{
	saw.lowio = rxc->LowIoContext;
	saw.major = rxc->MajorFunction;
	rxc->InformationToReturn = saw.information;
	return saw.answer;
}

static NTSTATUS NTAPI fsctl(PRX_CONTEXT rxc)
{
	saw.fsctl++;
	return answer(rxc);
}

static NTSTATUS NTAPI ioctl(PRX_CONTEXT rxc)
{
	saw.ioctl++;
	return answer(rxc);
}

static NTSTATUS NTAPI device_control(PRX_CONTEXT rxc)
{
	saw.device++;
	return answer(rxc);
}

static NTSTATUS NTAPI query_volume(PRX_CONTEXT rxc)
{
	PFILE_FS_OBJECTID_INFORMATION id = rxc->Info.Buffer;
	unsigned int i;

	saw.volume++;
	saw.fs_class = rxc->Info.FsInformationClass;
	saw.length = rxc->Info.LengthRemaining;
	for (i = 0; i < sizeof(id->ObjectId); i++)
		id->ObjectId[i] = (UCHAR)(0xa0 + i);
	rxc->Info.LengthRemaining -= (LONG)sizeof(*id);
	return saw.answer;
}

static PMRX_CALLDOWN control_as_written;

static int begin(void **state)
{
	PMINIRDR_DISPATCH dispatch;

	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&saw, sizeof(saw));
	dispatch = rec.device->Dispatch;
	dispatch->MRxLowIOSubmit[LOWIO_OP_FSCTL] = fsctl;
	dispatch->MRxLowIOSubmit[LOWIO_OP_IOCTL] = ioctl;
	dispatch->MRxQueryVolumeInfo = query_volume;
	control_as_written = dispatch->MRxDevFcbXXXControlFile;
	return 0;
}

/* The stop that ends each test goes through the driver's own control routine. */
static int end(void **state)
{
	rec.device->Dispatch->MRxDevFcbXXXControlFile = control_as_written;
	return rec_teardown(state);
}

#define CONTROL_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static struct req *fsctl_make(PFILE_OBJECT file, ULONG code, ULONG input, ULONG output)
{
	struct req *r = req_make(file, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);

	req_sp(r)->Parameters.FileSystemControl.FsControlCode = code;
	req_sp(r)->Parameters.FileSystemControl.InputBufferLength = input;
	req_sp(r)->Parameters.FileSystemControl.OutputBufferLength = output;
	return r;
}

static struct req *ioctl_make(PFILE_OBJECT file, UCHAR major, ULONG code, ULONG input, ULONG output)
{
	struct req *r = req_make(file, major, 0);

	req_sp(r)->Parameters.DeviceIoControl.IoControlCode = code;
	req_sp(r)->Parameters.DeviceIoControl.InputBufferLength = input;
	req_sp(r)->Parameters.DeviceIoControl.OutputBufferLength = output;
	return r;
}

/* Code, minor function, both buffers with their lengths: where they are is what the code's method says. */
static void test_B_MRxLowIOSubmit_FSCTL_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	XXCTL_LOWIO_COMPONENT *ctl = &saw.lowio.ParamsFor.FsCtl;
	UCHAR input[8], output[24];
	ULONG_PTR information;
	struct req *r;

	(void)state;
	saw.information = 20;
	r = fsctl_make(file, CODE_BUFFERED, 10, 30);
	(void)req_send(r);
	assert_int_equal(saw.lowio.Operation, LOWIO_OP_FSCTL);
	assert_int_equal(ctl->FsControlCode, CODE_BUFFERED);
	assert_int_equal(ctl->MinorFunction, IRP_MN_USER_FS_REQUEST);
	assert_int_equal(ctl->InputBufferLength, 10);
	assert_int_equal(ctl->OutputBufferLength, 30);
	assert_ptr_equal(ctl->pInputBuffer, r->buffer);
	assert_ptr_equal(ctl->pOutputBuffer, r->buffer);
	assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 20);

	r = fsctl_make(file, CODE_NEITHER, sizeof(input), sizeof(output));
	req_sp(r)->MinorFunction = IRP_MN_KERNEL_CALL;
	req_sp(r)->Parameters.FileSystemControl.Type3InputBuffer = input;
	r->irp->UserBuffer = output;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(ctl->MinorFunction, IRP_MN_KERNEL_CALL);
	assert_ptr_equal(ctl->pInputBuffer, input);
	assert_ptr_equal(ctl->pOutputBuffer, output);

	r = fsctl_make(file, CODE_OUT_DIRECT, 4, sizeof(output));
	r->mdl = IoAllocateMdl(output, sizeof(output), FALSE, FALSE, NULL);
	MmBuildMdlForNonPagedPool(r->mdl);
	r->irp->MdlAddress = r->mdl;
	(void)req_send(r);
	assert_ptr_equal(ctl->pInputBuffer, r->buffer);
	assert_ptr_equal(ctl->pOutputBuffer, output);
	assert_int_equal(ctl->OutputBufferLength, sizeof(output));
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	assert_int_equal(saw.fsctl, 3);
	assert_int_equal(saw.ioctl, 0);
	file_close(file);
}

/* The same of a device control, of both kinds. */
static void test_B_MRxLowIOSubmit_IOCTL_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	static const UCHAR majors[] = {IRP_MJ_DEVICE_CONTROL, IRP_MJ_INTERNAL_DEVICE_CONTROL};
	unsigned int i;

	(void)state;
	for (i = 0; i < RTL_NUMBER_OF(majors); i++) {
		struct req *r = ioctl_make(file, majors[i], CODE_BUFFERED, 11, 31 + i);
		XXCTL_LOWIO_COMPONENT *ctl = &saw.lowio.ParamsFor.IoCtl;
		ULONG_PTR information;

		saw.information = 5 + i;
		(void)req_send(r);
		assert_int_equal(saw.lowio.Operation, LOWIO_OP_IOCTL);
		assert_int_equal(ctl->IoControlCode, CODE_BUFFERED);
		assert_int_equal(ctl->InputBufferLength, 11);
		assert_int_equal(ctl->OutputBufferLength, 31 + i);
		assert_ptr_equal(ctl->pInputBuffer, r->buffer);
		assert_ptr_equal(ctl->pOutputBuffer, r->buffer);
		assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
		assert_int_equal(information, 5 + i);
	}
	assert_int_equal(saw.ioctl, 2);
	assert_int_equal(saw.fsctl, 0);
	file_close(file);
}

/* On the device's own FCB a control is MRxDevFcbXXXControlFile's; on a file's the low-I/O slots' (E-19). */
static void test_B_MRxDevFcbXXXControlFile_01_which_slot(void **state)
{
	PFILE_OBJECT device = file_open(u""), file = file_open(REC_SHARE u"\\a");

	(void)state;
	rec.device->Dispatch->MRxDevFcbXXXControlFile = device_control;
	assert_int_equal(req_run(fsctl_make(device, CODE_BUFFERED, 1, 2), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(ioctl_make(device, IRP_MJ_DEVICE_CONTROL, CODE_BUFFERED, 1, 2), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(saw.device, 2);
	assert_int_equal(saw.fsctl + saw.ioctl, 0);
	assert_int_equal(req_run(fsctl_make(file, CODE_BUFFERED, 1, 2), NULL), STATUS_SUCCESS);
	assert_int_equal(saw.device, 2);
	assert_int_equal(saw.fsctl, 1);
	file_close(file);
	file_close(device);
}

static void test_B_MRxDevFcbXXXControlFile_02_parameters(void **state)
{
	PFILE_OBJECT device = file_open(u"");
	XXCTL_LOWIO_COMPONENT *ctl = &saw.lowio.ParamsFor.FsCtl;
	ULONG_PTR information;

	(void)state;
	rec.device->Dispatch->MRxDevFcbXXXControlFile = device_control;
	saw.information = 3;
	assert_int_equal(req_run(fsctl_make(device, CODE_BUFFERED, 9, 19), &information), STATUS_SUCCESS);
	assert_int_equal(information, 3);
	assert_int_equal(saw.major, IRP_MJ_FILE_SYSTEM_CONTROL);
	assert_int_equal(ctl->FsControlCode, CODE_BUFFERED);
	assert_int_equal(ctl->MinorFunction, IRP_MN_USER_FS_REQUEST);
	assert_int_equal(ctl->InputBufferLength, 9);
	assert_int_equal(ctl->OutputBufferLength, 19);
	assert_int_equal(req_run(ioctl_make(device, IRP_MJ_DEVICE_CONTROL, CODE_NEITHER, 0, 0), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(saw.major, IRP_MJ_DEVICE_CONTROL);
	assert_int_equal(ctl->FsControlCode, CODE_NEITHER);
	file_close(device);
}

/* Started twice, stopped twice, without the right: each has its answer, and the driver's is not replaced. */
static void test_B_MRxDevFcbXXXControlFile_03_start_and_stop(void **state)
{
	PFILE_OBJECT device = file_open(u"");

	(void)state;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_REDIRECTOR_STARTED);
	assert_int_equal(rec_seen(REC_START), 1);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(rec_seen(REC_STOP), 1);

	rec.device->Dispatch->MRxDevFcbXXXControlFile = device_control;
	saw.answer = STATUS_ACCESS_DENIED;
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_ACCESS_DENIED);
	assert_int_equal(saw.device, 1);
	assert_int_equal(rec_seen(REC_START), 1);
	assert_int_equal(rec.device->StartStopContext.State, RDBSS_STARTABLE);
	file_close(device);
}

/* ---- notify ---- */

static PFILE_OBJECT open_directory(void)
{
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	return file_open(REC_SHARE u"\\d");
}

static struct req *notify_make(PFILE_OBJECT dir, UCHAR flags)
{
	struct req *r = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY);

	r->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
	r->irp->AssociatedIrp.SystemBuffer = NULL;
	r->irp->UserBuffer = r->buffer;
	req_sp(r)->Flags = flags;
	req_sp(r)->Parameters.NotifyDirectory.Length = 321;
	req_sp(r)->Parameters.NotifyDirectory.CompletionFilter =
		FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_EA;
	return r;
}

static void test_B_MRxLowIOSubmit_NOTIFY_CHANGE_DIRECTORY_01_watch_tree(void **state)
{
	PFILE_OBJECT dir = open_directory();
	struct req *deep = notify_make(dir, SL_WATCH_TREE), *flat = notify_make(dir, 0);

	(void)state;
	assert_int_equal(req_send(deep), STATUS_PENDING);
	assert_true(rec.last_lowio.ParamsFor.NotifyChangeDirectory.WatchTree);
	assert_int_equal(req_send(flat), STATUS_PENDING);
	assert_false(rec.last_lowio.ParamsFor.NotifyChangeDirectory.WatchTree);
	assert_true(rec_release(STATUS_SUCCESS, 0));
	assert_true(rec_release(STATUS_SUCCESS, 0));
	assert_int_equal(req_end(deep, NULL), STATUS_SUCCESS);
	assert_int_equal(req_end(flat, NULL), STATUS_SUCCESS);
	file_close(dir);
}

static PMRX_CALLDOWN rec_notify_slot;

static NTSTATUS NTAPI look_at_mdl(PRX_CONTEXT rxc)
{
	saw.irp = rxc->CurrentIrp;
	if (rxc->CurrentIrp->MdlAddress != NULL)
		saw.mdl_flags = rxc->CurrentIrp->MdlAddress->MdlFlags;
	return rec_notify_slot(rxc);
}

/* Filter, length and buffer are the request's; the buffer stays locked as long as the wait. */
static void test_B_MRxLowIOSubmit_NOTIFY_CHANGE_DIRECTORY_02_parameters(void **state)
{
	PFILE_OBJECT dir = open_directory();
	struct req *r = notify_make(dir, 0);

	(void)state;
	rec_notify_slot = rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_NOTIFY_CHANGE_DIRECTORY];
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_NOTIFY_CHANGE_DIRECTORY] = look_at_mdl;
	assert_int_equal(req_send(r), STATUS_PENDING);
	assert_int_equal(rec.last_lowio.ParamsFor.NotifyChangeDirectory.CompletionFilter,
			 FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_EA);
	assert_int_equal(rec.last_lowio.ParamsFor.NotifyChangeDirectory.NotificationBufferLength, 321);
	assert_ptr_equal(rec.last_lowio.ParamsFor.NotifyChangeDirectory.pNotificationBuffer, r->buffer);
	assert_true(saw.mdl_flags & MDL_PAGES_LOCKED);
	assert_non_null(r->irp->MdlAddress);
	assert_int_equal(MmGetMdlByteCount(r->irp->MdlAddress), 321);
	assert_true(rec_release(STATUS_SUCCESS, 0));
	assert_null(r->irp->MdlAddress);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	file_close(dir);
}

/* It completes later, or ends by the cancel routine that the driver has set; the directory is free meanwhile. */
static void test_B_MRxLowIOSubmit_NOTIFY_CHANGE_DIRECTORY_03_waits(void **state)
{
	PFILE_OBJECT dir = open_directory();
	struct req *told = notify_make(dir, 0), *cancelled = notify_make(dir, 0);
	ULONG_PTR information;

	(void)state;
	assert_int_equal(req_send(told), STATUS_PENDING);
	assert_int_equal(told->completions, 0);
	assert_true(ExAcquireResourceExclusiveLite(fcb_of(dir)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(dir)->Header.Resource);
	assert_true(rec_release(STATUS_SUCCESS, 12));
	assert_int_equal(req_end(told, &information), STATUS_SUCCESS);
	assert_int_equal(information, 12);

	assert_int_equal(req_send(cancelled), STATUS_PENDING);
	assert_true(IoCancelIrp(cancelled->irp));
	assert_int_equal(rec_seen(REC_CANCEL), 1);
	assert_int_equal(req_end(cancelled, &information), STATUS_CANCELLED);
	assert_int_equal(information, 0);
	file_close(dir);
}

/* ---- link tracking ---- */

static NTSTATUS link_tracking(PFILE_OBJECT file, PLINK_TRACKING_INFORMATION out, ULONG_PTR *information)
{
	struct req *r = fsctl_make(file, FSCTL_LMR_GET_LINK_TRACKING_INFORMATION, 0, sizeof(*out));
	NTSTATUS status;

	(void)req_send(r);
	RtlCopyMemory(out, r->buffer, sizeof(*out));
	status = req_end(r, information);
	return status;
}

/* The core asks the driver for the volume's object id; the control itself does not go to it. */
static void test_B_MRxQueryVolumeInfo_04_object_id(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	LINK_TRACKING_INFORMATION out;

	(void)state;
	assert_int_equal(link_tracking(file, &out, NULL), STATUS_SUCCESS);
	assert_int_equal(saw.volume, 1);
	assert_int_equal(saw.fs_class, FileFsObjectIdInformation);
	assert_int_equal(saw.length, sizeof(FILE_FS_OBJECTID_INFORMATION));
	assert_int_equal(saw.fsctl, 0);
	file_close(file);
}

/* With success, and with an overflow, the id is the share's and the caller's; an error copies nothing. */
static void test_B_MRxQueryVolumeInfo_05_copied(void **state)
{
	static const NTSTATUS good[] = {STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW};
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PMRX_NET_ROOT nr = fcb_of(file)->pNetRoot;
	UCHAR id[16], none[16] = {0};
	LINK_TRACKING_INFORMATION out;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(id); i++)
		id[i] = (UCHAR)(0xa0 + i);
	saw.answer = STATUS_ACCESS_DENIED;
	assert_int_equal(link_tracking(file, &out, NULL), STATUS_ACCESS_DENIED);
	assert_memory_equal(out.VolumeId, none, sizeof(none));
	assert_memory_equal(&nr->DiskParameters.VolumeId, none, sizeof(none));
	for (i = 0; i < RTL_NUMBER_OF(good); i++) {
		RtlZeroMemory(&nr->DiskParameters.VolumeId, sizeof(id));
		saw.answer = good[i];
		assert_int_equal(link_tracking(file, &out, NULL), STATUS_SUCCESS);
		assert_memory_equal(out.VolumeId, id, sizeof(id));
		assert_memory_equal(&nr->DiskParameters.VolumeId, id, sizeof(id));
	}
	file_close(file);
}

static void test_B_MRxQueryVolumeInfo_06_type_and_length(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PMRX_NET_ROOT nr = fcb_of(file)->pNetRoot;
	LINK_TRACKING_INFORMATION out;
	ULONG_PTR information = 0;

	(void)state;
	assert_int_equal(link_tracking(file, &out, &information), STATUS_SUCCESS);
	assert_int_equal(out.Type, NtfsLinkTrackingInformation);
	assert_int_equal(information, sizeof(LINK_TRACKING_INFORMATION));
	nr->Flags |= NETROOT_FLAG_DFS_AWARE_NETROOT;
	assert_int_equal(link_tracking(file, &out, &information), STATUS_SUCCESS);
	assert_int_equal(out.Type, DfsLinkTrackingInformation);
	assert_int_equal(information, sizeof(LINK_TRACKING_INFORMATION));
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTROL_TEST(test_B_MRxLowIOSubmit_FSCTL_01_parameters),
		CONTROL_TEST(test_B_MRxLowIOSubmit_IOCTL_01_parameters),
		CONTROL_TEST(test_B_MRxDevFcbXXXControlFile_01_which_slot),
		CONTROL_TEST(test_B_MRxDevFcbXXXControlFile_02_parameters),
		CONTROL_TEST(test_B_MRxDevFcbXXXControlFile_03_start_and_stop),
		CONTROL_TEST(test_B_MRxLowIOSubmit_NOTIFY_CHANGE_DIRECTORY_01_watch_tree),
		CONTROL_TEST(test_B_MRxLowIOSubmit_NOTIFY_CHANGE_DIRECTORY_02_parameters),
		CONTROL_TEST(test_B_MRxLowIOSubmit_NOTIFY_CHANGE_DIRECTORY_03_waits),
		CONTROL_TEST(test_B_MRxQueryVolumeInfo_04_object_id),
		CONTROL_TEST(test_B_MRxQueryVolumeInfo_05_copied),
		CONTROL_TEST(test_B_MRxQueryVolumeInfo_06_type_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
