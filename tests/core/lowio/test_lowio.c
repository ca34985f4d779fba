/*
 * test_lowio.c - what a mini-redirector may rely on in a low-I/O call, and how it ends one. Rows B-LowIO_call,
 * B-RxLowIoCompletion, B-RxLowIoGetBufferAddress, B-MRxLowIOSubmit.READ, B-MRxLowIOSubmit.WRITE.
 */
#include "../support/rec.h"

/* ---- slots of the test's own: each knows its index ---- */

static struct {
	LONG calls[LOWIO_OP_MAXIMUM];
	USHORT operation[LOWIO_OP_MAXIMUM];
	ERESOURCE_THREAD owner;   /* of the last call */
	ERESOURCE_THREAD current; /* who made it */
	NTSTATUS completion;      /* what RxLowIoCompletion answered */
	ULONG_PTR information;    /* what the slot transfers */
	PMDL mdl;
	PVOID address;
	CSHORT mdl_flags;
	LOWIO_CONTEXT lowio;
	PETHREAD completed_by;
	bool released;
} saw;

static NTSTATUS note(PRX_CONTEXT rxc, USHORT index)
{
	saw.calls[index]++;
	saw.operation[index] = rxc->LowIoContext.Operation;
	saw.owner = rxc->LowIoContext.ResourceThreadId;
	saw.current = ExGetCurrentResourceThread();
	saw.lowio = rxc->LowIoContext;
	if (index <= LOWIO_OP_WRITE) {
		saw.mdl = rxc->LowIoContext.ParamsFor.ReadWrite.Buffer;
		saw.mdl_flags = saw.mdl != NULL ? saw.mdl->MdlFlags : 0;
		saw.address = RxLowIoGetBufferAddress(rxc);
		rxc->InformationToReturn = saw.information;
	}
	return STATUS_SUCCESS;
}

#define SLOT(index) \
	static NTSTATUS NTAPI slot_##index(PRX_CONTEXT rxc) \
	{ \
		return note(rxc, index); \
	}

SLOT(LOWIO_OP_READ)
SLOT(LOWIO_OP_WRITE)
SLOT(LOWIO_OP_SHAREDLOCK)
SLOT(LOWIO_OP_EXCLUSIVELOCK)
SLOT(LOWIO_OP_UNLOCK)
SLOT(LOWIO_OP_UNLOCK_MULTIPLE)
SLOT(LOWIO_OP_FSCTL)
SLOT(LOWIO_OP_IOCTL)
SLOT(LOWIO_OP_NOTIFY_CHANGE_DIRECTORY)

static const PMRX_CALLDOWN slots[] = {
	slot_LOWIO_OP_READ,          slot_LOWIO_OP_WRITE,  slot_LOWIO_OP_SHAREDLOCK,
	slot_LOWIO_OP_EXCLUSIVELOCK, slot_LOWIO_OP_UNLOCK, slot_LOWIO_OP_UNLOCK_MULTIPLE,
	slot_LOWIO_OP_FSCTL,         slot_LOWIO_OP_IOCTL,  slot_LOWIO_OP_NOTIFY_CHANGE_DIRECTORY,
};

static void use_own_slots(void)
{
	unsigned int i;

	for (i = 0; i < RTL_NUMBER_OF(slots); i++)
		rec.device->Dispatch->MRxLowIOSubmit[i] = slots[i];
	RtlZeroMemory(&saw, sizeof(saw));
}

static struct req *control_make(PFILE_OBJECT file, UCHAR major)
{
	struct req *r = req_make(file, major, IRP_MN_USER_FS_REQUEST);

	if (major == IRP_MJ_FILE_SYSTEM_CONTROL)
		req_sp(r)->Parameters.FileSystemControl.FsControlCode = FSCTL_SET_SPARSE;
	else
		req_sp(r)->Parameters.DeviceIoControl.IoControlCode = 0x222000;
	return r;
}

static struct req *notify_make(PFILE_OBJECT dir)
{
	struct req *r = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY);

	r->irp->UserBuffer = r->buffer;
	req_sp(r)->Parameters.NotifyDirectory.Length = 64;
	req_sp(r)->Parameters.NotifyDirectory.CompletionFilter = FILE_NOTIFY_CHANGE_SIZE;
	return r;
}

/* A request for each low-I/O slot, in the order of their indices. */
static struct req *request_for(USHORT index, PFILE_OBJECT file, PFILE_OBJECT dir)
{
	switch (index) {
	case LOWIO_OP_READ:
		return file_read_make(file, 0, 10, false);
	case LOWIO_OP_WRITE:
		return file_write_make(file, 0, 10, false);
	case LOWIO_OP_SHAREDLOCK:
		return file_lock_make(file, IRP_MN_LOCK, 1000, 10, 0);
	case LOWIO_OP_EXCLUSIVELOCK:
		return file_lock_make(file, IRP_MN_LOCK, 2000, 10, SL_EXCLUSIVE_LOCK);
	case LOWIO_OP_UNLOCK:
		return file_lock_make(file, IRP_MN_UNLOCK_SINGLE, 1000, 10, 0);
	case LOWIO_OP_UNLOCK_MULTIPLE:
		return file_lock_make(file, IRP_MN_UNLOCK_ALL, 0, 0, 0);
	case LOWIO_OP_FSCTL:
		return control_make(file, IRP_MJ_FILE_SYSTEM_CONTROL);
	case LOWIO_OP_IOCTL:
		return control_make(file, IRP_MJ_DEVICE_CONTROL);
	default:
		return notify_make(dir);
	}
}

static PFILE_OBJECT open_directory(void)
{
	PFILE_OBJECT dir;

	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
	return dir;
}

static PRX_CONTEXT kept; /* by keep() */

static NTSTATUS NTAPI keep(PRX_CONTEXT rxc)
{
	kept = rxc;
	return STATUS_PENDING;
}

static void complete_kept(NTSTATUS status, ULONG_PTR information)
{
	kept->StoredStatus = status;
	kept->InformationToReturn = information;
	saw.completion = RxLowIoCompletion(kept);
	kept = NULL;
}

static PLOWIO_COMPLETION_ROUTINE completion_of_kept;

static NTSTATUS NTAPI note_owner(PRX_CONTEXT rxc)
{
	saw.owner = rxc->LowIoContext.ResourceThreadId;
	return completion_of_kept(rxc);
}

static NTSTATUS NTAPI note_thread(PRX_CONTEXT rxc)
{
	saw.completed_by = PsGetCurrentThread();
	return completion_of_kept(rxc);
}

/* ---- the call ---- */

/* Operation is the index of the slot that is called: one function may serve them all. */
static void test_B_LowIO_call_01_operation_is_the_slot(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), dir = open_directory();
	USHORT i;

	(void)state;
	use_own_slots();
	for (i = LOWIO_OP_READ; i <= LOWIO_OP_NOTIFY_CHANGE_DIRECTORY; i++) {
		saw.information = i <= LOWIO_OP_WRITE ? 10 : 0;
		saw.operation[i] = LOWIO_OP_MAXIMUM;
		assert_int_equal(req_run(request_for(i, file, dir), NULL), STATUS_SUCCESS);
		assert_int_equal(saw.calls[i], 1);
		assert_int_equal(saw.operation[i], i);
	}
	file_close(dir);
	file_close(file);
}

/*
 * ResourceThreadId names the initiating thread; a request that may pend after its thread is gone names itself
 * instead, and still one owner for the whole operation: what the completion releases (decision 0005).
 */
static void test_B_LowIO_call_02_owner_of_the_resource(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ERESOURCE_THREAD owner;
	struct req *read;

	(void)state;
	use_own_slots();
	saw.information = 10;
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(saw.owner, ExGetCurrentResourceThread());
	assert_int_equal(saw.current, ExGetCurrentResourceThread());

	/* a request that pends: one owner, no thread's, from the call to the completion on another thread */
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_READ] = keep;
	read = file_read_make(file, 0, 10, true);
	assert_int_equal(req_send(read), STATUS_PENDING);
	owner = kept->LowIoContext.ResourceThreadId;
	assert_int_equal(owner & 3, 3);
	assert_false(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	completion_of_kept = kept->LowIoContext.CompletionRoutine;
	kept->LowIoContext.CompletionRoutine = note_owner;
	saw.owner = 0;
	complete_kept(STATUS_SUCCESS, 10);
	assert_int_equal(saw.owner, owner);
	assert_int_equal(req_end(read, NULL), STATUS_SUCCESS);
	assert_true(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(file)->Header.Resource);
	file_close(file);
}

/* Every slot may answer at once, to a request that need not have waited: it ends there, once. */
static void test_B_LowIO_call_03_any_slot_synchronously(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), dir = open_directory();
	USHORT i;

	(void)state;
	use_own_slots();
	for (i = LOWIO_OP_READ; i <= LOWIO_OP_NOTIFY_CHANGE_DIRECTORY; i++) {
		struct req *r = request_for(i, file, dir);

		r->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
		saw.information = i <= LOWIO_OP_WRITE ? 10 : 0;
		(void)req_send(r);
		assert_int_equal(saw.calls[i], 1);
		assert_int_equal(r->completions, 1); /* nobody else had to complete it */
		assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	}
	file_close(dir);
	file_close(file);
}

static NTSTATUS NTAPI release_and_hold(PRX_CONTEXT rxc)
{
	RxReleaseFcbResourceForThreadInMRx(rxc, rxc->pFcb, rxc->LowIoContext.ResourceThreadId);
	/* nobody holds the file now: this thread can have it for itself */
	saw.released = ExAcquireResourceExclusiveLite(((PFCB)rxc->pFcb)->Header.Resource, FALSE);
	if (saw.released)
		ExReleaseResourceLite(((PFCB)rxc->pFcb)->Header.Resource);
	rxc->InformationToReturn = 10;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI release_a_hold_of_its_own(PRX_CONTEXT rxc)
{
	(void)RxAcquireSharedFcbResourceInMRxEx(rxc, rxc->pFcb);
	RxReleaseFcbResourceForThreadInMRx(rxc, rxc->pFcb, ExGetCurrentResourceThread());
	saw.released = !RxIsFcbAcquired(rxc->pFcb);
	rxc->InformationToReturn = 10;
	return STATUS_SUCCESS;
}

/* A slot gives the FCB up for the time of the network; the end of the request does not give it up again. */
static void test_B_LowIO_call_04_releases_the_fcb(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	unsigned int async;

	(void)state;
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_READ] = release_and_hold;
	for (async = 0; async < 2; async++) {
		saw.released = false;
		assert_int_equal(req_run(file_read_make(file, 0, 10, async != 0), NULL), STATUS_SUCCESS);
		assert_true(saw.released);
	}
	/* what a slot acquired itself is not what the request holds */
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_READ] = release_a_hold_of_its_own;
	for (async = 0; async < 2; async++) {
		assert_int_equal(req_run(file_read_make(file, 0, 10, async != 0), NULL), STATUS_SUCCESS);
		assert_true(async != 0 || !saw.released);
		assert_true(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
		assert_int_equal(ExIsResourceAcquiredExclusiveLite(fcb_of(file)->Header.Resource), 1);
		ExReleaseResourceLite(fcb_of(file)->Header.Resource);
	}
	file_close(file);
}

/* ---- RxLowIoCompletion ---- */

/* A call that answered STATUS_PENDING ends with the completion, and only with it. */
static void test_B_RxLowIoCompletion_01_ends_a_pending_call(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *read = file_read_make(file, 0, 10, true);
	LARGE_INTEGER none = {.QuadPart = 0};

	(void)state;
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_READ] = keep;
	assert_int_equal(req_send(read), STATUS_PENDING);
	assert_int_equal(KeWaitForSingleObject(&read->done, Executive, KernelMode, FALSE, &none),
			 STATUS_TIMEOUT);
	complete_kept(STATUS_SUCCESS, 10);
	assert_int_equal(read->completions, 1);
	assert_int_equal(req_end(read, NULL), STATUS_SUCCESS);
	file_close(file);
}

static VOID NTAPI complete_later(PVOID context)
{
	(void)context;
	complete_kept(STATUS_SUCCESS, 7);
}

static NTSTATUS NTAPI keep_and_post(PRX_CONTEXT rxc)
{
	kept = rxc;
	if (RxDispatchToWorkerThread(rxc->RxDeviceObject, DelayedWorkQueue, complete_later, rxc) !=
	    STATUS_SUCCESS)
		return STATUS_INSUFFICIENT_RESOURCES;
	return STATUS_PENDING;
}

/* Of a synchronous request: the waiter goes on, on its own thread; the completion says so. */
static void test_B_RxLowIoCompletion_02_wakes_the_waiter(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_READ] = keep_and_post;
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), &information), STATUS_SUCCESS);
	assert_int_equal(information, 7);
	(void)RxSpinDownMRxDispatcher(rec.device); /* the worker has stored what it was answered */
	assert_int_equal(saw.completion, STATUS_MORE_PROCESSING_REQUIRED);
	assert_true(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(file)->Header.Resource);
	file_close(file);
}

/* Else the completion routine runs inside, and its answer is the completion's: here that the file ends. */
static void test_B_RxLowIoCompletion_03_answers_what_the_routine_answers(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), dir;
	struct req *read = file_read_make(file, 0, 10, true);
	KIRQL irql;

	(void)state;
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_READ] = keep;
	assert_int_equal(req_send(read), STATUS_PENDING);
	complete_kept(STATUS_SUCCESS, 0);
	assert_int_equal(read->completions, 1);
	assert_int_equal(saw.completion, STATUS_END_OF_FILE);
	assert_int_equal(req_end(read, NULL), STATUS_END_OF_FILE);

	/* allowed at DISPATCH_LEVEL too, when the request says so (E-28) */
	dir = open_directory();
	read = notify_make(dir);
	read->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_NOTIFY_CHANGE_DIRECTORY] = keep;
	assert_int_equal(req_send(read), STATUS_PENDING);
	kept->LowIoContext.Flags |= LOWIO_CONTEXT_FLAG_CAN_COMPLETE_AT_DPC_LEVEL;
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	complete_kept(STATUS_NOTIFY_ENUM_DIR, 0);
	assert_int_equal(read->completions, 1);
	KeLowerIrql(irql);
	assert_int_equal(saw.completion, STATUS_NOTIFY_ENUM_DIR);
	assert_int_equal(req_end(read, NULL), STATUS_NOTIFY_ENUM_DIR);
	file_close(dir);
	file_close(file);
}

/* Not allowed at this level: a worker completes it, and the completion says that somebody will. */
static void test_B_RxLowIoCompletion_04_leaves_it_to_a_worker(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *lock = file_lock_make(file, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK);
	KIRQL irql;

	(void)state;
	lock->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
	rec.device->Dispatch->MRxLowIOSubmit[LOWIO_OP_EXCLUSIVELOCK] = keep;
	assert_int_equal(req_send(lock), STATUS_PENDING);
	completion_of_kept = kept->LowIoContext.CompletionRoutine;
	kept->LowIoContext.CompletionRoutine = note_thread;
	KeRaiseIrql(DISPATCH_LEVEL, &irql);
	complete_kept(STATUS_SUCCESS, 0);
	KeLowerIrql(irql);
	assert_int_equal(saw.completion, STATUS_MORE_PROCESSING_REQUIRED);
	assert_int_equal(req_end(lock, NULL), STATUS_SUCCESS);
	assert_ptr_not_equal(saw.completed_by, PsGetCurrentThread());
	file_close(file);
}

/* ---- the buffer ---- */

/* Nothing to transfer: no address, even when there is a buffer. */
static void test_B_RxLowIoGetBufferAddress_01_nothing_to_transfer(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	UCHAR data[16];
	PMDL mdl = IoAllocateMdl(data, sizeof(data), FALSE, FALSE, NULL);

	(void)state;
	MmBuildMdlForNonPagedPool(mdl);
	rxc->LowIoContext.ParamsFor.ReadWrite.Buffer = mdl;
	rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount = 0;
	assert_null(RxLowIoGetBufferAddress(rxc));
	rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount = sizeof(data);
	assert_ptr_equal(RxLowIoGetBufferAddress(rxc), data);
	IoFreeMdl(mdl);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* The mapped address of the request's buffer, whichever way it came; NULL when there is nothing to map. */
static void test_B_RxLowIoGetBufferAddress_02_mapped_buffer(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	struct req *r = file_read_make(file, 0, 10, false);

	(void)state;
	use_own_slots();
	saw.information = 10;
	(void)req_send(r);
	assert_ptr_equal(saw.address, r->buffer);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount = 10;
	rxc->LowIoContext.ParamsFor.ReadWrite.Buffer = NULL;
	assert_null(RxLowIoGetBufferAddress(rxc));
	RxDereferenceAndDeleteRxContext(rxc);
	file_close(file);
}

/* A transfer whose buffer nobody has locked yet. */
static struct req *unlocked_transfer(PFILE_OBJECT file, UCHAR major)
{
	struct req *r = req_make(file, major, 0);

	r->irp->AssociatedIrp.SystemBuffer = NULL;
	r->irp->UserBuffer = r->buffer;
	if (major == IRP_MJ_READ) {
		req_sp(r)->Parameters.Read.Length = 45;
		req_sp(r)->Parameters.Read.ByteOffset.QuadPart = 0x1122334455;
		req_sp(r)->Parameters.Read.Key = 77;
	} else {
		req_sp(r)->Parameters.Write.Length = 46;
		req_sp(r)->Parameters.Write.ByteOffset.QuadPart = 0x1122334456;
		req_sp(r)->Parameters.Write.Key = 78;
	}
	return r;
}

/* Operation, key, count, place and the locked buffer of a read are those of its stack location. */
static void test_B_MRxLowIOSubmit_READ_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = unlocked_transfer(file, IRP_MJ_READ);

	(void)state;
	use_own_slots();
	saw.information = 45;
	(void)req_send(r);
	assert_int_equal(saw.lowio.Operation, LOWIO_OP_READ);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.ByteOffset, 0x1122334455);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.ByteCount, 45);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.Key, 77);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.Flags, 0);
	assert_non_null(saw.mdl);
	assert_true(saw.mdl_flags & MDL_PAGES_LOCKED);
	assert_ptr_equal(saw.address, r->buffer);
	assert_null(r->irp->MdlAddress); /* and is unlocked again */
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	file_close(file);
}

static void test_B_MRxLowIOSubmit_READ_02_paging(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = file_read_make(file, 0, 10, false);

	(void)state;
	use_own_slots();
	saw.information = 10;
	r->irp->Flags |= IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.Flags, LOWIO_READWRITEFLAG_PAGING_IO);
	file_close(file);
}

/* The open at the server is gone: found with the FCB held, and the driver is not asked. */
static void check_closed_open(USHORT index)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PSRV_OPEN so = (PSRV_OPEN)fobx_of(file)->pSrvOpen;

	use_own_slots();
	saw.information = 10;
	so->Flags |= SRVOPEN_FLAG_CLOSED;
	assert_int_equal(req_run(request_for(index, file, NULL), NULL), STATUS_FILE_CLOSED);
	assert_int_equal(saw.calls[index], 0);
	/* the FCB was given back */
	assert_true(ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, FALSE));
	ExReleaseResourceLite(fcb_of(file)->Header.Resource);
	so->Flags &= ~(ULONG)SRVOPEN_FLAG_CLOSED;
	assert_int_equal(req_run(request_for(index, file, NULL), NULL), STATUS_SUCCESS);
	assert_int_equal(saw.calls[index], 1);
	file_close(file);
}

static void test_B_MRxLowIOSubmit_READ_03_closed(void **state)
{
	(void)state;
	check_closed_open(LOWIO_OP_READ);
}

/* The same of a write, with the write's key (E-20). */
static void test_B_MRxLowIOSubmit_WRITE_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = unlocked_transfer(file, IRP_MJ_WRITE);

	(void)state;
	use_own_slots();
	saw.information = 46;
	(void)req_send(r);
	assert_int_equal(saw.lowio.Operation, LOWIO_OP_WRITE);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.ByteOffset, 0x1122334456);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.ByteCount, 46);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.Key, 78);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.Flags, 0);
	assert_true(saw.mdl_flags & MDL_PAGES_LOCKED);
	assert_ptr_equal(saw.address, r->buffer);
	assert_null(r->irp->MdlAddress);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	file_close(file);
}

static void test_B_MRxLowIOSubmit_WRITE_02_paging(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = file_write_make(file, 0, 10, false);

	(void)state;
	use_own_slots();
	saw.information = 10;
	r->irp->Flags |= IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(saw.lowio.ParamsFor.ReadWrite.Flags, LOWIO_READWRITEFLAG_PAGING_IO);
	file_close(file);
}

static void test_B_MRxLowIOSubmit_WRITE_03_closed(void **state)
{
	(void)state;
	check_closed_open(LOWIO_OP_WRITE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_LowIO_call_01_operation_is_the_slot),
		REC_TEST(test_B_LowIO_call_02_owner_of_the_resource),
		REC_TEST(test_B_LowIO_call_03_any_slot_synchronously),
		REC_TEST(test_B_LowIO_call_04_releases_the_fcb),
		REC_TEST(test_B_RxLowIoCompletion_01_ends_a_pending_call),
		REC_TEST(test_B_RxLowIoCompletion_02_wakes_the_waiter),
		REC_TEST(test_B_RxLowIoCompletion_03_answers_what_the_routine_answers),
		REC_TEST(test_B_RxLowIoCompletion_04_leaves_it_to_a_worker),
		REC_TEST(test_B_RxLowIoGetBufferAddress_01_nothing_to_transfer),
		REC_TEST(test_B_RxLowIoGetBufferAddress_02_mapped_buffer),
		REC_TEST(test_B_MRxLowIOSubmit_READ_01_parameters),
		REC_TEST(test_B_MRxLowIOSubmit_READ_02_paging),
		REC_TEST(test_B_MRxLowIOSubmit_READ_03_closed),
		REC_TEST(test_B_MRxLowIOSubmit_WRITE_01_parameters),
		REC_TEST(test_B_MRxLowIOSubmit_WRITE_02_paging),
		REC_TEST(test_B_MRxLowIOSubmit_WRITE_03_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
