/*
 * recorder.c - the mini-redirector of the core's unit tests.
 *
 * Owns:   recorder_device, from DriverEntry to DriverUnload.
 * Locks:  none; counters are interlocked, the rest is set before the calls it steers.
 */
#include "recorder.h"

struct recorder recorder;
PRDBSS_DEVICE_OBJECT recorder_device;

static KEVENT recorder_asked; /* a call that is answered when told has come */
static volatile PVOID recorder_pending_srv_call;
static volatile PVOID recorder_pending_v_net_root;

#define REC_POLL 10000LL /* 1 ms in units of 100 ns */
#define REC_POLLS 10000

static void recorder_note(enum recorder_call call)
{
	LONG at = InterlockedIncrement(&recorder.logged) - 1;

	if (at < REC_LOG_SIZE)
		recorder.log[at] = call;
	(void)InterlockedIncrement(&recorder.count[call]);
}

void recorder_reset(void)
{
	RtlZeroMemory(&recorder, sizeof(recorder));
	recorder.winner_context = NULL;
	KeInitializeEvent(&recorder_asked, SynchronizationEvent, FALSE);
}

void recorder_set_answer(enum recorder_answer answer)
{
	__atomic_store_n(&recorder.answer, answer, __ATOMIC_RELEASE);
}

bool recorder_wait_for(enum recorder_call call, LONG count)
{
	for (int i = 0; i < REC_POLLS; i++) {
		LARGE_INTEGER interval = {.QuadPart = -REC_POLL};

		if (__atomic_load_n(&recorder.count[call], __ATOMIC_ACQUIRE) >= count)
			return true;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &interval);
	}
	return false;
}

static VOID recorder_call_back_srv_call(PVOID context)
{
	PMRX_SRVCALL_CALLBACK_CONTEXT c = context;

	c->SrvCalldownStructure->CallBack(c);
}

static VOID recorder_call_back_v_net_root(PVOID context)
{
	PMRX_CREATENETROOT_CONTEXT c = context;

	c->Callback(c);
}

bool recorder_answer_now(void)
{
	LARGE_INTEGER limit = {.QuadPart = -10 * 10000000LL};
	PVOID context;

	if (KeWaitForSingleObject(&recorder_asked, Executive, KernelMode, FALSE, &limit) != STATUS_SUCCESS)
		return false;
	context = InterlockedExchangePointer(&recorder_pending_srv_call, NULL);
	if (context != NULL) {
		recorder_call_back_srv_call(context);
		return true;
	}
	context = InterlockedExchangePointer(&recorder_pending_v_net_root, NULL);
	if (context == NULL)
		return false;
	recorder_call_back_v_net_root(context);
	return true;
}

static NTSTATUS recorder_answer(PRX_WORKERTHREAD_ROUTINE call_back, PVOID context, volatile PVOID *pending,
				NTSTATUS status)
{
	switch (__atomic_load_n(&recorder.answer, __ATOMIC_ACQUIRE)) {
	case REC_ANSWER_DIRECTLY:
		return status;
	case REC_ANSWER_WHEN_TOLD:
		(void)InterlockedExchangePointer(pending, context);
		KeSetEvent(&recorder_asked, IO_NO_INCREMENT, FALSE);
		return STATUS_PENDING;
	case REC_ANSWER_LATER:
		if (NT_SUCCESS(
			    RxDispatchToWorkerThread(recorder_device, DelayedWorkQueue, call_back, context)))
			return STATUS_PENDING;
		break;
	case REC_ANSWER_TWICE:
		call_back(context);
		break;
	case REC_ANSWER_CALLBACK:
		break;
	}
	call_back(context);
	return STATUS_PENDING;
}

static NTSTATUS recorder_create_srv_call(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	recorder_note(REC_CREATE_SRV_CALL);
	__atomic_store_n(&recorder.initial_status, context->Status, __ATOMIC_RELEASE);
	if (context->SrvCalldownStructure->SrvCall != sc)
		return STATUS_INTERNAL_ERROR;
	context->Status = recorder.srv_call_status;
	context->RecommunicateContext = &recorder;
	return recorder_answer(recorder_call_back_srv_call, context, &recorder_pending_srv_call,
			       recorder.srv_call_status);
}

static NTSTATUS recorder_winner_notify(PMRX_SRV_CALL sc, BOOLEAN winner, PVOID context)
{
	recorder_note(REC_WINNER_NOTIFY);
	recorder.winner_context = context;
	sc->Flags |= recorder.srv_call_flags;
	return winner ? recorder.winner_status : STATUS_UNSUCCESSFUL;
}

static NTSTATUS recorder_create_v_net_root(PMRX_CREATENETROOT_CONTEXT context)
{
	NTSTATUS status = recorder.v_net_root_status;

	recorder_note(REC_CREATE_V_NET_ROOT);
	context->VirtualNetRootStatus = recorder.v_net_root_status;
	context->NetRootStatus = recorder.net_root_status;
	if (!NT_SUCCESS(recorder.net_root_status))
		status = recorder.net_root_status;
	else if (context->pVNetRoot->pNetRoot->Context == NULL) {
		/* B-MRxCreateVNetRoot-04: a new share */
		context->pVNetRoot->pNetRoot->Type = NET_ROOT_DISK;
		context->pVNetRoot->pNetRoot->Context = &recorder;
	}
	return recorder_answer(recorder_call_back_v_net_root, context, &recorder_pending_v_net_root, status);
}

static NTSTATUS recorder_finalize_v_net_root(PMRX_V_NET_ROOT vnr, PBOOLEAN force)
{
	(void)vnr;
	recorder_note(REC_FINALIZE_V_NET_ROOT);
	return *force ? STATUS_INTERNAL_ERROR : recorder.finalize_status;
}

static NTSTATUS recorder_finalize_net_root(PMRX_NET_ROOT nr, PBOOLEAN force)
{
	(void)nr;
	recorder_note(REC_FINALIZE_NET_ROOT);
	return *force ? STATUS_INTERNAL_ERROR : recorder.finalize_status;
}

static NTSTATUS recorder_finalize_srv_call(PMRX_SRV_CALL sc, BOOLEAN force)
{
	(void)sc;
	recorder.force = force;
	recorder.process = PsGetCurrentProcess();
	recorder_note(REC_FINALIZE_SRV_CALL);
	return recorder.finalize_status;
}

static NTSTATUS recorder_create(PRX_CONTEXT rxc)
{
	recorder_note(REC_CREATE);
	RxFinishFcbInitialization(rxc->pFcb, RxInferFileType(rxc), NULL);
	rxc->pFobx = RxCreateNetFobx(rxc, rxc->pRelevantSrvOpen);
	rxc->Create.ReturnedCreateInformation = FILE_OPENED;
	return rxc->pFobx != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS recorder_close_srv_open(PRX_CONTEXT rxc)
{
	(void)rxc;
	recorder_note(REC_CLOSE_SRV_OPEN);
	return STATUS_SUCCESS;
}

static NTSTATUS recorder_force_closed(PMRX_SRV_OPEN so)
{
	(void)so;
	recorder_note(REC_FORCE_CLOSED);
	return recorder.force_closed_status;
}

static NTSTATUS recorder_deallocate_for_fcb(PMRX_FCB fcb)
{
	(void)fcb;
	recorder_note(REC_DEALLOCATE_FOR_FCB);
	return STATUS_SUCCESS;
}

static NTSTATUS recorder_deallocate_for_fobx(PMRX_FOBX fobx)
{
	(void)fobx;
	recorder_note(REC_DEALLOCATE_FOR_FOBX);
	return STATUS_SUCCESS;
}

/* `\server\share` of a path: the first component after the server's. */
static VOID recorder_extract_net_root_name(PUNICODE_STRING path, PMRX_SRV_CALL sc, PUNICODE_STRING net_root,
					   PUNICODE_STRING rest)
{
	USHORT count = path->Length / sizeof(WCHAR);
	USHORT at = sc->pSrvCallName->Length / sizeof(WCHAR);

	if (at < count)
		at++;
	while (at < count && path->Buffer[at] != u'\\')
		at++;
	net_root->Buffer = path->Buffer;
	net_root->Length = net_root->MaximumLength = (USHORT)(at * sizeof(WCHAR));
	if (rest != NULL) {
		rest->Buffer = path->Buffer + at;
		rest->Length = rest->MaximumLength = (USHORT)(path->Length - net_root->Length);
	}
}

static NTSTATUS recorder_get_connection_id(PRX_CONTEXT rxc, PRX_CONNECTION_ID id)
{
	(void)rxc;
	if (!recorder.has_connection_id)
		return STATUS_NOT_IMPLEMENTED;
	*id = recorder.connection_id;
	return STATUS_SUCCESS;
}

MINIRDR_DISPATCH recorder_dispatch = {
	.NodeTypeCode = RDBSS_NTC_MINIRDR_DISPATCH,
	.NodeByteSize = sizeof(MINIRDR_DISPATCH),
	.MRxFlags = RDBSS_MANAGE_SRV_CALL_EXTENSION | RDBSS_MANAGE_V_NET_ROOT_EXTENSION |
		    RDBSS_MANAGE_FCB_EXTENSION | RDBSS_MANAGE_SRV_OPEN_EXTENSION |
		    RDBSS_MANAGE_FOBX_EXTENSION,
	.MRxSrvCallSize = 40,
	.MRxVNetRootSize = 24,
	.MRxFcbSize = 8,
	.MRxSrvOpenSize = 24,
	.MRxFobxSize = 12,
	.MRxCreate = recorder_create,
	.MRxCloseSrvOpen = recorder_close_srv_open,
	.MRxDeallocateForFcb = recorder_deallocate_for_fcb,
	.MRxDeallocateForFobx = recorder_deallocate_for_fobx,
	.MRxForceClosed = recorder_force_closed,
	.MRxCreateVNetRoot = recorder_create_v_net_root,
	.MRxFinalizeVNetRoot = recorder_finalize_v_net_root,
	.MRxFinalizeNetRoot = recorder_finalize_net_root,
	.MRxExtractNetRootName = recorder_extract_net_root_name,
	.MRxCreateSrvCall = recorder_create_srv_call,
	.MRxSrvCallWinnerNotify = recorder_winner_notify,
	.MRxFinalizeSrvCall = recorder_finalize_srv_call,
	.MRxGetConnectionId = recorder_get_connection_id,
};

static VOID recorder_unload(PDRIVER_OBJECT driver)
{
	(void)driver;
	RxUnregisterMinirdr(recorder_device);
	recorder_device = NULL;
}

NTSTATUS recorder_driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	static const WCHAR name[] = u"\\Device\\RdrRecorder";
	UNICODE_STRING device_name = {sizeof(name) - sizeof(WCHAR), sizeof(name), (PWCH)name};
	NTSTATUS status = RxDriverEntry(driver, path);

	if (status != STATUS_SUCCESS)
		return status;
	driver->DriverUnload = recorder_unload;
	return RxRegisterMinirdr(&recorder_device, driver, &recorder_dispatch, 0, &device_name, 0,
				 FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE);
}
