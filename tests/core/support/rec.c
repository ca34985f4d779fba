/*
 * rec.c - the recording mini-redirector.
 */
#include "rec.h"

#include "quiet.h"

#define REC_TAG 'tceR'

struct rec rec;

static NTSTATUS rec_note(enum rec_slot slot)
{
	NTSTATUS status = rec.status[slot];

	InterlockedIncrement(&rec.count[slot]);
	return status;
}

LONG rec_seen(enum rec_slot slot)
{
	return InterlockedExchangeAdd(&rec.count[slot], 0);
}

/* ---- requests the driver keeps ---- */

struct rec_held {
	LIST_ENTRY links;
	PRX_CONTEXT rxc;
	bool ready;     /* its slot is done with it: who takes it may complete it */
	bool cancelled; /* before that: its slot completes it */
};

static KSPIN_LOCK rec_lock;
static LIST_ENTRY rec_held_list;

static void rec_finish(PRX_CONTEXT rxc, NTSTATUS status, ULONG_PTR information)
{
	rxc->StoredStatus = status;
	rxc->InformationToReturn = information;
	(void)RxLowIoCompletion(rxc);
}

/* NULL: the first that is ready. A request whose slot is still at work is only marked. */
static struct rec_held *rec_take(PRX_CONTEXT rxc)
{
	struct rec_held *found = NULL;
	PLIST_ENTRY entry;
	KIRQL irql;

	KeAcquireSpinLock(&rec_lock, &irql);
	for (entry = rec_held_list.Flink; entry != &rec_held_list && found == NULL; entry = entry->Flink) {
		struct rec_held *held = CONTAINING_RECORD(entry, struct rec_held, links);

		if (rxc != NULL && held->rxc == rxc && !held->ready)
			held->cancelled = true;
		else if (held->ready && (rxc == NULL || held->rxc == rxc))
			found = held;
	}
	if (found != NULL) {
		RemoveEntryList(&found->links);
		(void)InterlockedDecrement(&rec.held);
	}
	KeReleaseSpinLock(&rec_lock, irql);
	return found;
}

bool rec_release(NTSTATUS status, ULONG_PTR information)
{
	struct rec_held *held = rec_take(NULL);
	PRX_CONTEXT rxc;

	if (held == NULL)
		return false;
	rxc = held->rxc;
	ExFreePoolWithTag(held, REC_TAG);
	rec_finish(rxc, status, information);
	return true;
}

static NTSTATUS NTAPI rec_cancel(PRX_CONTEXT rxc)
{
	struct rec_held *held;

	(void)rec_note(REC_CANCEL);
	held = rec_take(rxc);
	if (held == NULL)
		return STATUS_NOT_FOUND; /* the answer was faster */
	ExFreePoolWithTag(held, REC_TAG);
	rec_finish(rxc, STATUS_CANCELLED, 0);
	return STATUS_SUCCESS;
}

static NTSTATUS rec_hold(PRX_CONTEXT rxc)
{
	struct rec_held *held = ExAllocatePoolWithTag(NonPagedPool, sizeof(*held), REC_TAG);
	bool cancelled;
	KIRQL irql;

	if (held == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	*held = (struct rec_held){.rxc = rxc};
	KeAcquireSpinLock(&rec_lock, &irql);
	InsertTailList(&rec_held_list, &held->links);
	KeReleaseSpinLock(&rec_lock, irql);
	/* from the moment it is ready the context may be completed, and gone */
	cancelled = RxSetMinirdrCancelRoutine(rxc, rec_cancel) == STATUS_CANCELLED;
	KeAcquireSpinLock(&rec_lock, &irql);
	cancelled = cancelled || held->cancelled;
	held->ready = true;
	if (cancelled)
		RemoveEntryList(&held->links);
	else
		(void)InterlockedIncrement(&rec.held);
	KeReleaseSpinLock(&rec_lock, irql);
	if (cancelled) {
		ExFreePoolWithTag(held, REC_TAG);
		rec_finish(rxc, STATUS_CANCELLED, 0);
	}
	return STATUS_PENDING;
}

static void rec_pause(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
}

/* Polls with a limit: the condition is a count that another thread raises. */
void rec_wait_held(LONG n)
{
	int left;

	for (left = 20000; InterlockedExchangeAdd(&rec.held, 0) < n; left--) {
		assert_true(left > 0);
		rec_pause();
	}
}

void rec_wait_seen(enum rec_slot slot, LONG n)
{
	int left;

	for (left = 20000; rec_seen(slot) < n; left--) {
		assert_true(left > 0);
		rec_pause();
	}
}

/* ---- connecting ---- */

static VOID NTAPI rec_srv_call_later(PVOID context)
{
	PMRX_SRVCALL_CALLBACK_CONTEXT cb = context;

	cb->Status = rec.status[REC_CREATE_SRV_CALL];
	cb->SrvCalldownStructure->CallBack(cb);
}

static NTSTATUS NTAPI rec_create_srv_call(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT cb)
{
	(void)rec_note(REC_CREATE_SRV_CALL);
	if (rec.connect != REC_WORKER || RxDispatchToWorkerThread(sc->RxDeviceObject, DelayedWorkQueue,
								  rec_srv_call_later, cb) != STATUS_SUCCESS)
		rec_srv_call_later(cb);
	return STATUS_PENDING;
}

static NTSTATUS NTAPI rec_winner(PMRX_SRV_CALL sc, BOOLEAN winner, PVOID context)
{
	(void)winner;
	(void)context;
	sc->Flags |= SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS | SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES;
	return rec_note(REC_WINNER);
}

static void rec_remember_credential(WCHAR *to, PUNICODE_STRING from)
{
	RtlZeroMemory(to, sizeof(rec.user));
	if (from != NULL && from->Length < sizeof(rec.user))
		RtlCopyMemory(to, from->Buffer, from->Length);
}

static NTSTATUS NTAPI rec_create_vnr(PMRX_CREATENETROOT_CONTEXT context)
{
	PMRX_V_NET_ROOT vnr = (PMRX_V_NET_ROOT)context->pVNetRoot;

	if (!rec.quiet) {
		rec_remember_credential(rec.user, vnr->pUserName);
		rec_remember_credential(rec.password, vnr->pPassword);
		rec_remember_credential(rec.domain, vnr->pUserDomainName);
	}
	if (vnr->pNetRoot->Context == NULL) { /* its first view; later the share is in use */
		vnr->pNetRoot->Type = NET_ROOT_DISK;
		vnr->pNetRoot->DeviceType = FILE_DEVICE_DISK;
		vnr->pNetRoot->Context = &rec;
	}
	context->VirtualNetRootStatus = rec_note(REC_CREATE_VNR);
	context->NetRootStatus = context->VirtualNetRootStatus;
	context->Callback(context);
	return STATUS_PENDING;
}

static NTSTATUS NTAPI rec_finalize_sc(PMRX_SRV_CALL sc, BOOLEAN force)
{
	(void)sc;
	(void)force;
	return rec_note(REC_FINALIZE_SC);
}

static NTSTATUS NTAPI rec_finalize_nr(PMRX_NET_ROOT nr, PBOOLEAN force)
{
	(void)nr;
	assert_int_equal(*force, FALSE);
	return rec_note(REC_FINALIZE_NR);
}

static NTSTATUS NTAPI rec_finalize_vnr(PMRX_V_NET_ROOT vnr, PBOOLEAN force)
{
	(void)vnr;
	assert_int_equal(*force, FALSE);
	return rec_note(REC_FINALIZE_VNR);
}

/* ---- opens ---- */

static void rec_remember_name(PCUNICODE_STRING name)
{
	USHORT bytes = min(name->Length, (USHORT)sizeof(rec.last_name_chars));

	if (rec.quiet)
		return;
	RtlCopyMemory(rec.last_name_chars, name->Buffer, bytes);
	rec.last_name.Buffer = rec.last_name_chars;
	rec.last_name.Length = rec.last_name.MaximumLength = bytes;
}

static NTSTATUS NTAPI rec_create(PRX_CONTEXT rxc)
{
	NTSTATUS status = rec_note(REC_CREATE);
	PMRX_SRV_OPEN so = rxc->pRelevantSrvOpen;
	FCB_INIT_PACKET packet;
	ULONG attributes = FILE_ATTRIBUTE_NORMAL, links = 1;
	LARGE_INTEGER zero = {.QuadPart = 0}, size = {.QuadPart = rec.file_size};

	assert_true(rxc->PendingReturned);
	assert_ptr_equal(rxc->Create.pSrvCall, rxc->Create.pNetRoot->pSrvCall);
	rec_remember_name(so->pAlreadyPrefixedName);
	if (!rec.quiet && rec.retries > 0) {
		rec.retries--;
		return STATUS_RETRY;
	}
	if (status == STATUS_SUCCESS && rec.reparse_hook != NULL)
		status = rec.reparse_hook(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	RxFinishFcbInitialization(
		rxc->pFcb, rec.type == RDBSS_NTC_STORAGE_TYPE_DIRECTORY ? FileTypeDirectory : FileTypeFile,
		RxFormInitPacket(packet, &attributes, &links, &zero, &zero, &zero, &zero, &size, &size,
				 &size));
	rxc->pFobx = RxCreateNetFobx(rxc, so);
	if (rxc->pFobx == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	so->BufferingFlags = rec.buffering;
	if (rec.qoc_close)
		so->Flags |= SRVOPEN_FLAG_CLOSED;
	rxc->Create.ReturnedCreateInformation = FILE_OPENED;
	rxc->CurrentIrp->IoStatus.Information = FILE_OPENED;
	return rec.create_hook != NULL ? rec.create_hook(rxc) : STATUS_SUCCESS;
}

static NTSTATUS NTAPI rec_should_collapse(PRX_CONTEXT rxc)
{
	assert_non_null(rxc->pRelevantSrvOpen);
	return rec_note(REC_SHOULD_COLLAPSE);
}

static NTSTATUS NTAPI rec_collapse(PRX_CONTEXT rxc)
{
	NTSTATUS status = rec_note(REC_COLLAPSE);

	if (status != STATUS_SUCCESS)
		return status;
	rxc->pFobx = RxCreateNetFobx(rxc, rxc->pRelevantSrvOpen);
	return rxc->pFobx != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS NTAPI rec_cleanup(PRX_CONTEXT rxc)
{
	assert_non_null(rxc->pFobx);
	return rec_note(REC_CLEANUP);
}

static NTSTATUS NTAPI rec_close(PRX_CONTEXT rxc)
{
	assert_int_equal(rxc->MajorFunction, IRP_MJ_CLOSE);
	assert_non_null(rxc->pFcb);
	assert_non_null(rxc->pRelevantSrvOpen);
	return rec_note(REC_CLOSE);
}

static NTSTATUS NTAPI rec_force_closed(PMRX_SRV_OPEN so)
{
	(void)so;
	(void)rec_note(REC_FORCE_CLOSED);
	return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS NTAPI rec_deallocate_fcb(PMRX_FCB fcb)
{
	(void)fcb;
	return rec_note(REC_DEALLOCATE_FCB);
}

static NTSTATUS NTAPI rec_deallocate_fobx(PMRX_FOBX fobx)
{
	(void)fobx;
	return rec_note(REC_DEALLOCATE_FOBX);
}

static NTSTATUS NTAPI rec_truncate(PRX_CONTEXT rxc)
{
	(void)rxc;
	return rec_note(REC_TRUNCATE);
}

static NTSTATUS NTAPI rec_zero_extend(PRX_CONTEXT rxc)
{
	(void)rxc;
	return rec_note(REC_ZERO_EXTEND);
}

static NTSTATUS NTAPI rec_set_info_at_cleanup(PRX_CONTEXT rxc)
{
	(void)rxc;
	return rec_note(REC_SET_INFO_AT_CLEANUP);
}

/* ---- low I/O ---- */

static ULONG_PTR rec_transfer(PRX_CONTEXT rxc)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;
	LONGLONG at = lowio->ParamsFor.ReadWrite.ByteOffset;
	PUCHAR data = RxLowIoGetBufferAddress(rxc);
	ULONG count = lowio->ParamsFor.ReadWrite.ByteCount, i;

	if (lowio->Operation == LOWIO_OP_WRITE) {
		if (!rec.quiet)
			rec.last_write_offset = at;
		return count;
	}
	if (at >= rec.file_size)
		return 0;
	if ((LONGLONG)count > rec.file_size - at)
		count = (ULONG)(rec.file_size - at);
	for (i = 0; i < count; i++)
		data[i] = rec_byte(at + i);
	return count;
}

static VOID NTAPI rec_lowio_later(PVOID context)
{
	PRX_CONTEXT rxc = context;
	ULONG_PTR information = 0;

	if (rxc->LowIoContext.Operation <= LOWIO_OP_WRITE)
		information = rec_transfer(rxc);
	rec_finish(rxc, STATUS_SUCCESS, information);
}

static enum rec_mode rec_mode_of(PRX_CONTEXT rxc)
{
	static volatile LONG turn;

	if (rec.lowio != REC_MIXED)
		return rec.lowio;
	switch (InterlockedIncrement(&turn) % 3) {
	case 0:
		return REC_INLINE;
	case 1:
		return (rxc->LowIoContext.Flags & LOWIO_CONTEXT_FLAG_SYNCCALL) == 0 ? REC_HOLD : REC_WORKER;
	default:
		return REC_WORKER;
	}
}

static NTSTATUS rec_lowio(PRX_CONTEXT rxc, enum rec_slot slot)
{
	NTSTATUS status = rec_note(slot);

	assert_true(rxc->PendingReturned);
	if (rec.lowio_hook != NULL)
		return rec.lowio_hook(rxc);
	if (!rec.quiet)
		rec.last_lowio = rxc->LowIoContext;
	if (status != STATUS_SUCCESS)
		return status;
	switch (rec_mode_of(rxc)) {
	case REC_HOLD:
		return rec_hold(rxc);
	case REC_MIXED: /* was replaced */
	case REC_WORKER:
		if (RxDispatchToWorkerThread(rxc->RxDeviceObject, DelayedWorkQueue, rec_lowio_later, rxc) ==
		    STATUS_SUCCESS)
			return STATUS_PENDING;
		return STATUS_INSUFFICIENT_RESOURCES;
	case REC_INLINE:
		break;
	}
	if (rxc->LowIoContext.Operation <= LOWIO_OP_WRITE)
		rxc->InformationToReturn = rec_transfer(rxc);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI rec_read(PRX_CONTEXT rxc)
{
	return rec_lowio(rxc, REC_READ);
}

static NTSTATUS NTAPI rec_write(PRX_CONTEXT rxc)
{
	return rec_lowio(rxc, REC_WRITE);
}

static NTSTATUS NTAPI rec_lock_op(PRX_CONTEXT rxc)
{
	return rec_lowio(rxc, REC_LOCK);
}

static NTSTATUS NTAPI rec_unlock_op(PRX_CONTEXT rxc)
{
	return rec_lowio(rxc, REC_UNLOCK);
}

static NTSTATUS NTAPI rec_unlock_multiple(PRX_CONTEXT rxc)
{
	return rec_lowio(rxc, REC_UNLOCK_MULTIPLE);
}

static NTSTATUS NTAPI rec_fsctl(PRX_CONTEXT rxc)
{
	return rec_lowio(rxc, REC_FSCTL);
}

static NTSTATUS NTAPI rec_notify(PRX_CONTEXT rxc)
{
	(void)rec_note(REC_NOTIFY);
	rec.last_lowio = rxc->LowIoContext;
	return rec_hold(rxc);
}

/* ---- information ---- */

static NTSTATUS NTAPI rec_flush(PRX_CONTEXT rxc)
{
	(void)rxc;
	return rec_note(REC_FLUSH);
}

static NTSTATUS NTAPI rec_query_dir(PRX_CONTEXT rxc)
{
	NTSTATUS status = rec_note(REC_QUERY_DIR);

	rec.last_initial_query = rxc->QueryDirectory.InitialQuery;
	if (status == STATUS_SUCCESS)
		rxc->Info.LengthRemaining -= 64;
	return status;
}

static NTSTATUS NTAPI rec_query_info(PRX_CONTEXT rxc)
{
	NTSTATUS status = rec_note(REC_QUERY_INFO);

	if (status != STATUS_SUCCESS)
		return status;
	if (rxc->Info.FileInformationClass == FileStandardInformation) {
		PFILE_STANDARD_INFORMATION info = rxc->Info.Buffer;

		RtlZeroMemory(info, sizeof(*info));
		info->EndOfFile.QuadPart = rec.file_size;
		rxc->Info.LengthRemaining -= (LONG)sizeof(*info);
		return STATUS_SUCCESS;
	}
	if (rxc->Info.FileInformationClass == FileBasicInformation) {
		RtlZeroMemory(rxc->Info.Buffer, sizeof(FILE_BASIC_INFORMATION));
		rxc->Info.LengthRemaining -= (LONG)sizeof(FILE_BASIC_INFORMATION);
		return STATUS_SUCCESS;
	}
	if (rxc->Info.FileInformationClass == FileInternalInformation) {
		rxc->Info.LengthRemaining -= (LONG)sizeof(FILE_INTERNAL_INFORMATION);
		return STATUS_SUCCESS;
	}
	if (rxc->Info.FileInformationClass == FileEaInformation) {
		rxc->Info.LengthRemaining -= (LONG)sizeof(FILE_EA_INFORMATION);
		return STATUS_SUCCESS;
	}
	return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS NTAPI rec_set_info(PRX_CONTEXT rxc)
{
	(void)rxc;
	return rec_note(REC_SET_INFO);
}

static NTSTATUS NTAPI rec_query_volume(PRX_CONTEXT rxc)
{
	rxc->Info.LengthRemaining -= 8;
	return rec_note(REC_QUERY_VOLUME);
}

/* ---- start, stop, table ---- */

static NTSTATUS NTAPI rec_start(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	assert_int_equal(rxc->MajorFunction, IRP_MJ_FILE_SYSTEM_CONTROL);
	assert_int_equal(dev->StartStopContext.State, RDBSS_STARTABLE);
	return rec_note(REC_START);
}

static NTSTATUS NTAPI rec_stop(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	assert_int_equal(dev->StartStopContext.State, RDBSS_STOP_IN_PROGRESS);
	assert_ptr_equal(dev->StartStopContext.pStopContext, rxc);
	return rec_note(REC_STOP);
}

static NTSTATUS NTAPI rec_control_slot(PRX_CONTEXT rxc)
{
	switch (rxc->LowIoContext.ParamsFor.FsCtl.FsControlCode) {
	case FSCTL_RX_START:
		return RxStartMinirdr(rxc, &rxc->PostRequest);
	case FSCTL_RX_STOP:
		return RxStopMinirdr(rxc, &rxc->PostRequest);
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}

static MINIRDR_DISPATCH rec_dispatch = {
	.NodeTypeCode = RDBSS_NTC_MINIRDR_DISPATCH,
	.NodeByteSize = sizeof(MINIRDR_DISPATCH),
	.MRxStart = rec_start,
	.MRxStop = rec_stop,
	.MRxCreate = rec_create,
	.MRxCollapseOpen = rec_collapse,
	.MRxShouldTryToCollapseThisOpen = rec_should_collapse,
	.MRxFlush = rec_flush,
	.MRxZeroExtend = rec_zero_extend,
	.MRxTruncate = rec_truncate,
	.MRxCleanupFobx = rec_cleanup,
	.MRxCloseSrvOpen = rec_close,
	.MRxDeallocateForFcb = rec_deallocate_fcb,
	.MRxDeallocateForFobx = rec_deallocate_fobx,
	.MRxForceClosed = rec_force_closed,
	.MRxQueryDirectory = rec_query_dir,
	.MRxQueryFileInfo = rec_query_info,
	.MRxSetFileInfo = rec_set_info,
	.MRxSetFileInfoAtCleanup = rec_set_info_at_cleanup,
	.MRxQueryVolumeInfo = rec_query_volume,
	.MRxLowIOSubmit =
		{
			[LOWIO_OP_READ] = rec_read,
			[LOWIO_OP_WRITE] = rec_write,
			[LOWIO_OP_SHAREDLOCK] = rec_lock_op,
			[LOWIO_OP_EXCLUSIVELOCK] = rec_lock_op,
			[LOWIO_OP_UNLOCK] = rec_unlock_op,
			[LOWIO_OP_UNLOCK_MULTIPLE] = rec_unlock_multiple,
			[LOWIO_OP_FSCTL] = rec_fsctl,
			[LOWIO_OP_NOTIFY_CHANGE_DIRECTORY] = rec_notify,
		},
	.MRxCreateVNetRoot = rec_create_vnr,
	.MRxFinalizeVNetRoot = rec_finalize_vnr,
	.MRxFinalizeNetRoot = rec_finalize_nr,
	.MRxCreateSrvCall = rec_create_srv_call,
	.MRxSrvCallWinnerNotify = rec_winner,
	.MRxFinalizeSrvCall = rec_finalize_sc,
	.MRxDevFcbXXXControlFile = rec_control_slot,
};

static VOID rec_driver_unload(PDRIVER_OBJECT driver)
{
	RxUnregisterMinirdr(rec.device);
	RxUnload(driver);
}

NTSTATUS rec_driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path);
NTSTATUS rec_driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	UNICODE_STRING name;
	NTSTATUS status = RxDriverEntry(driver, path);

	if (!NT_SUCCESS(status))
		return status;
	rec_dispatch.ScavengerTimeout = rec.scavenger_s;
	RtlInitUnicodeString(&name, u"\\Device\\Rec");
	status = RxRegisterMinirdr(&rec.device, driver, &rec_dispatch, 0, &name, 0,
				   FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE);
	if (!NT_SUCCESS(status))
		return status;
	driver->DriverUnload = rec_driver_unload;
	return STATUS_SUCCESS;
}

static PFILE_OBJECT rec_device_file;
static MINIRDR_DISPATCH rec_dispatch_as_written; /* a test may put routines of its own into the table */

void rec_reset(void)
{
	RtlZeroMemory(&rec, sizeof(rec));
	rec.file_size = 100000;
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
	KeInitializeSpinLock(&rec_lock);
	InitializeListHead(&rec_held_list);
}

void rec_load(void)
{
	assert_int_equal(nt_driver_load("rec", rec_driver_entry, &rec.driver), STATUS_SUCCESS);
	rec_dispatch_as_written = rec_dispatch;
	rec_device_file = file_open(u"");
	assert_non_null(rec_device_file);
}

void rec_check_quiet(void)
{
	assert_int_equal(check_when_quiet(rec.device), 0);
}

NTSTATUS rec_control(ULONG code)
{
	struct req *r = req_make(rec_device_file, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);

	req_sp(r)->Parameters.FileSystemControl.FsControlCode = code;
	return req_run(r, NULL);
}

void rec_unload(void)
{
	file_close(rec_device_file);
	rec_device_file = NULL;
	nt_driver_unload(rec.driver);
	rec_dispatch = rec_dispatch_as_written;
}

int rec_setup_not_started(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7};
	ULONG seconds = rec.scavenger_s;

	(void)state;
	if (!NT_SUCCESS(nt_initialize(&config)))
		return -1;
	rec_reset();
	rec.scavenger_s = seconds;
	rec_load();
	return 0;
}

int rec_setup(void **state)
{
	if (rec_setup_not_started(state) != 0)
		return -1;
	return rec_control(FSCTL_RX_START) == STATUS_SUCCESS ? 0 : -1;
}

int rec_teardown(void **state)
{
	(void)state;
	rec.scavenger_s = 0;
	rec_check_quiet();
	(void)rec_control(FSCTL_RX_STOP); /* a test may have stopped it already */
	rec_unload();
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}
