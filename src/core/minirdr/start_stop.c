/*
 * start_stop.c - a registered redirector starts, serves, stops and may start again.
 *
 * Owns:   StartStopContext of each device, its UNC and file-system registrations, the mailslot domain.
 * Locks:  rx_start_stop_mutex (leaf) for StartStopBusy: one start or stop per device is at work, a second one
 *         is answered by the state it would find. The state itself is read without a lock, atomically.
 *
 *   Startable --RxStartMinirdr, MRxStart succeeded--> Started
 *   Started   --RxStopMinirdr--> StopInProgress --everything is down--> Startable (E-16: always)
 *
 * Both work only in the RDBSS process: elsewhere they answer STATUS_PENDING with *PostToFsp TRUE, and the
 * request is served again by a worker.
 */
#include "core/minirdr/minirdr.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "core/minirdr/calldown.h"
#include "core/object/object.h"
#include "core/work/work.h"

#define RX_MAILSLOT_TAG 'lMxR'

static FAST_MUTEX rx_start_stop_mutex;
static UNICODE_STRING rx_mailslot_domain;

VOID rx_start_stop_init(VOID)
{
	ExInitializeFastMutex(&rx_start_stop_mutex);
}

static RX_RDBSS_STATE rx_start_stop_state(PRDBSS_DEVICE_OBJECT dev)
{
	return __atomic_load_n(&dev->StartStopContext.State, __ATOMIC_ACQUIRE);
}

static void rx_start_stop_set_state(PRDBSS_DEVICE_OBJECT dev, RX_RDBSS_STATE state)
{
	__atomic_store_n(&dev->StartStopContext.State, state, __ATOMIC_RELEASE);
}

NTSTATUS rx_start_stop_admit(PRDBSS_DEVICE_OBJECT dev, PIRP irp)
{
	PIO_STACK_LOCATION sp = IoGetCurrentIrpStackLocation(irp);
	PFILE_OBJECT file = sp->FileObject;

	if (rx_start_stop_state(dev) == RDBSS_STARTED)
		return STATUS_SUCCESS;
	/* what is open must be closable, and a stopped redirector startable (E-16) */
	if (sp->MajorFunction == IRP_MJ_CLEANUP || sp->MajorFunction == IRP_MJ_CLOSE)
		return STATUS_SUCCESS;
	if (file != NULL && sp->MajorFunction == IRP_MJ_CREATE && file->FileName.Length == 0 &&
	    file->RelatedFileObject == NULL)
		return STATUS_SUCCESS;
	if (file != NULL && file->FsContext == &RxDeviceFCB && file->FsContext2 == NULL)
		return STATUS_SUCCESS;
	return STATUS_REDIRECTOR_NOT_STARTED;
}

/**
 * RxSetDomainForMailslotBroadcast - remember the domain that mailslot broadcasts go to, until the next stop
 *
 * Return: STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES.
 * Page:   mrx/RxSetDomainForMailslotBroadcast, E-41.
 */
NTSTATUS RxSetDomainForMailslotBroadcast(PUNICODE_STRING DomainName)
{
	PWCH copy = NULL;
	PWCH old = rx_mailslot_domain.Buffer;

	if (DomainName != NULL && DomainName->Length > 0) {
		copy = ExAllocatePoolWithTag(PagedPool, DomainName->Length, RX_MAILSLOT_TAG);
		if (copy == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		RtlCopyMemory(copy, DomainName->Buffer, DomainName->Length);
	}
	rx_mailslot_domain.Buffer = copy;
	rx_mailslot_domain.Length = copy != NULL ? DomainName->Length : 0;
	rx_mailslot_domain.MaximumLength = rx_mailslot_domain.Length;
	if (old != NULL)
		ExFreePoolWithTag(old, RX_MAILSLOT_TAG);
	return STATUS_SUCCESS;
}

static void rx_forget_mailslot_domain(void)
{
	(void)RxSetDomainForMailslotBroadcast(NULL); /* clearing cannot fail */
}

static NTSTATUS rx_start_register(PRDBSS_DEVICE_OBJECT dev)
{
	NTSTATUS status = STATUS_SUCCESS;

	if (dev->RegisterUncProvider) {
		status = FsRtlRegisterUncProvider(&dev->MupHandle, &dev->DeviceName,
						  dev->RegisterMailSlotProvider);
		if (!NT_SUCCESS(status)) {
			dev->MupHandle = NULL;
			return status;
		}
	}
	if (dev->DeviceObject.DeviceType == FILE_DEVICE_NETWORK_FILE_SYSTEM) {
		IoRegisterFileSystem(&dev->DeviceObject);
		dev->RegisteredAsFileSystem = TRUE;
	}
	return status;
}

/* In reverse order of rx_start_register(). */
void rx_start_unregister(PRDBSS_DEVICE_OBJECT dev)
{
	if (dev->RegisteredAsFileSystem)
		IoUnregisterFileSystem(&dev->DeviceObject);
	dev->RegisteredAsFileSystem = FALSE;
	if (dev->MupHandle != NULL)
		FsRtlDeregisterUncProvider(dev->MupHandle);
	dev->MupHandle = NULL;
}

static NTSTATUS rx_start_stop_post(PRX_CONTEXT rxc, PBOOLEAN post)
{
	struct nt_requester requester;

	RtlZeroMemory(&rxc->FsdUid, sizeof(rxc->FsdUid));
	if (nt_get_requester(&requester))
		rxc->FsdUid.LowPart = (ULONG)requester.uid; /* the LUID of a Unix user is its uid */
	*post = TRUE;
	return STATUS_PENDING;
}

/*
 * May this request start or stop the device now? STATUS_SUCCESS: yes, rx_start_stop_leave() ends it.
 * STATUS_PENDING: a worker must serve it; FsdUid keeps who asked. `refusal`: another one is at work, and the
 * request may wait: it would wait for an outcome that refuses it, and a stop would wait for it.
 */
static NTSTATUS rx_start_stop_enter(PRX_CONTEXT rxc, PBOOLEAN post, NTSTATUS refusal)
{
	PRDBSS_DEVICE_OBJECT dev = rxc->RxDeviceObject;
	bool busy;

	*post = FALSE;
	if (!rx_in_rdbss_process())
		return rx_start_stop_post(rxc, post);
	ExAcquireFastMutex(&rx_start_stop_mutex);
	busy = dev->StartStopBusy;
	dev->StartStopBusy = TRUE;
	ExReleaseFastMutex(&rx_start_stop_mutex);
	if (!busy)
		return STATUS_SUCCESS;
	if ((rxc->Flags & RX_CONTEXT_FLAG_WAIT) == 0)
		return rx_start_stop_post(rxc, post);
	return refusal;
}

static void rx_start_stop_leave(PRDBSS_DEVICE_OBJECT dev)
{
	ExAcquireFastMutex(&rx_start_stop_mutex);
	dev->StartStopBusy = FALSE;
	ExReleaseFastMutex(&rx_start_stop_mutex);
}

static NTSTATUS rx_start_at_work(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	NTSTATUS status;

	if ((dev->DeviceObject.Flags & DO_DEVICE_INITIALIZING) != 0)
		return STATUS_DEVICE_NOT_READY; /* its driver is still in DriverEntry */
	if (rx_start_stop_state(dev) != RDBSS_STARTABLE)
		return STATUS_REDIRECTOR_STARTED;
	status = rx_start_register(dev);
	if (!NT_SUCCESS(status))
		return status;
	status = rx_call_start(rxc, dev);
	if (status != STATUS_SUCCESS) {
		rx_start_unregister(dev);
		rx_forget_mailslot_domain();
		return status;
	}
	dev->StartStopContext.Version++;
	rx_start_stop_set_state(dev, RDBSS_STARTED);
	return STATUS_SUCCESS;
}

/**
 * RxStartMinirdr - start a registered redirector
 * @RxContext: [in] the start request
 * @PostToFsp: [out] TRUE with STATUS_PENDING: have the request served by a worker of the RDBSS process
 *
 * Context: PASSIVE_LEVEL; the control path of the driver, not DriverEntry.
 * Return:  STATUS_SUCCESS; STATUS_PENDING; STATUS_REDIRECTOR_STARTED; STATUS_DEVICE_NOT_READY before the device is
 *          available (RxMakeLateDeviceAvailable); what the UNC registration or MRxStart answered, with everything
 *          undone.
 * Page:    mrx/RxStartMinirdr, E-18.
 */
NTSTATUS RxStartMinirdr(PRX_CONTEXT RxContext, PBOOLEAN PostToFsp)
{
	NTSTATUS status;

	PAGED_CODE();
	status = rx_start_stop_enter(RxContext, PostToFsp, STATUS_REDIRECTOR_STARTED);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_start_at_work(RxContext, RxContext->RxDeviceObject);
	rx_start_stop_leave(RxContext->RxDeviceObject);
	return status;
}

/* Finalizes the first object of a kind that lets itself be finalized; false: none. Locks: name table exclusive. */
static bool rx_finalize_one(PRX_PREFIX_TABLE table, NODE_TYPE_CODE kind)
{
	PLIST_ENTRY entry;

	for (entry = table->MemberQueue.Flink; entry != &table->MemberQueue; entry = entry->Flink) {
		PVOID instance = CONTAINING_RECORD(entry, RX_PREFIX_ENTRY, MemberQLinks)->ContainingRecord;
		BOOLEAN gone = FALSE;

		if (NodeType(instance) != kind)
			continue;
		if (kind == RDBSS_NTC_V_NETROOT)
			gone = RxFinalizeVNetRoot(instance, TRUE, TRUE);
		else if (kind == RDBSS_NTC_NETROOT)
			gone = RxFinalizeNetRoot(instance, TRUE, TRUE);
		else
			gone = RxFinalizeSrvCall(instance, TRUE);
		/* the queue may have changed in any way: begin again */
		if (gone)
			return true;
	}
	return false;
}

void rx_finalize_all_objects(PRDBSS_DEVICE_OBJECT dev)
{
	PRX_PREFIX_TABLE table = dev->pRxNetNameTable;

	rx_scavenger_run_down(dev);
	if (table == NULL)
		return;
	(void)RxAcquirePrefixTableLockExclusive(table, TRUE);
	while (rx_finalize_one(table, RDBSS_NTC_V_NETROOT))
		;
	while (rx_finalize_one(table, RDBSS_NTC_NETROOT))
		;
	while (rx_finalize_one(table, RDBSS_NTC_SRVCALL))
		;
	RxReleasePrefixTableLock(table);
	rx_scavenger_run_down(dev);
}

static bool rx_stop_selects_all(PRX_CONTEXT rxc, PVOID stop)
{
	return rxc != stop && rxc->CurrentIrp != NULL && rxc->IrpMajorFunction != IRP_MJ_CLEANUP &&
	       rxc->IrpMajorFunction != IRP_MJ_CLOSE;
}

/*
 * What is still referred to by a worker, a break that is being answered as a rule, is no open handle. For a second: whoever
 * waits for a server that is silent is ended by the driver's stop.
 */
static void rx_stop_await_workers(PRDBSS_DEVICE_OBJECT dev)
{
	LARGE_INTEGER moment = {.QuadPart = -100000}; /* 10 ms */

	for (unsigned int i = 0; i < 100; i++) {
		if (__atomic_load_n(&dev->NumberOfActiveFcbs, __ATOMIC_RELAXED) == 0 || !rx_work_is_busy(dev))
			return;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
	}
}

static NTSTATUS rx_stop_at_work(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev)
{
	NTSTATUS status, driver_status;

	if (rx_start_stop_state(dev) != RDBSS_STARTED)
		return STATUS_REDIRECTOR_STOPPED;
	(void)rx_context_begin_stop(rxc);
	rx_start_stop_set_state(dev, RDBSS_STOP_IN_PROGRESS); /* from here only cleanup and close come in */
	(void)rx_cancel_matching(dev, rx_stop_selects_all, rxc);
	rx_context_wait_for_others(rxc);

	rx_start_unregister(dev);
	rx_cache_device_settle(dev);
	rx_scavenger_run_down(dev);
	rx_stop_await_workers(dev);
	rx_scavenger_run_down(dev);
	status = __atomic_load_n(&dev->NumberOfActiveFcbs, __ATOMIC_RELAXED) > 0
			 ? STATUS_REDIRECTOR_HAS_OPEN_HANDLES
			 : STATUS_SUCCESS;
	rx_finalize_all_objects(dev);
	driver_status = rx_call_stop(rxc, dev);
	if (status == STATUS_SUCCESS)
		status = driver_status;
	(void)RxSpinDownMRxDispatcher(dev); /* always STATUS_SUCCESS */
	rx_forget_mailslot_domain();
	rx_context_end_stop(rxc);
	rx_start_stop_set_state(dev, RDBSS_STARTABLE);
	return status;
}

/**
 * RxStopMinirdr - stop a started redirector
 * @RxContext: [in] the stop request
 * @PostToFsp: [out] TRUE with STATUS_PENDING: have the request served by a worker of the RDBSS process
 *
 * Requests in flight are cancelled where they can be; the stop waits for all of them. Opens that are still
 * there are orphaned: their file objects answer STATUS_FILE_CLOSED and can be closed at any time.
 *
 * Context: PASSIVE_LEVEL; the control path of the driver; blocks until everything is down.
 * Return:  STATUS_SUCCESS; STATUS_PENDING; STATUS_REDIRECTOR_STOPPED; STATUS_REDIRECTOR_HAS_OPEN_HANDLES when
 *          files were open (it is stopped all the same); what MRxStop answered.
 * Page:    mrx/RxStopMinirdr, E-16.
 */
NTSTATUS RxStopMinirdr(PRX_CONTEXT RxContext, PBOOLEAN PostToFsp)
{
	NTSTATUS status;

	PAGED_CODE();
	status = rx_start_stop_enter(RxContext, PostToFsp, STATUS_REDIRECTOR_STOPPED);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_stop_at_work(RxContext, RxContext->RxDeviceObject);
	rx_start_stop_leave(RxContext->RxDeviceObject);
	return status;
}
