/*
 * register.c - mini-redirectors come and go.
 *
 * Owns:      what all redirectors of a process share: the RDBSS process, the RDBSS device object, the device
 *            FCB, the list of registered redirectors; and per redirector its device, name table and scavenger.
 * Found by:  the list (rx_minirdrs), newest last.
 * Locks:     rx_register_mutex (leaf) for the list and for the shared part's first use and last.
 * Dies when: a redirector: RxpUnregisterMinirdr(), after its workers have ended. The shared part: with the
 *            process; it holds no pool memory.
 */
#include "core/cache/cache.h"
#include "core/minirdr/minirdr.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"
#include "core/object/object.h"
#include "core/trace/trace.h"
#include "core/work/work.h"
#include "rxctl.h"

#define RX_REGISTER_TAG 'gRxR'

FCB RxDeviceFCB;

static struct {
	BOOLEAN ready;
	PEPROCESS process;
	DEVICE_OBJECT device; /* stands for RDBSS itself; requests sent to it are refused */
	LIST_ENTRY minirdrs;  /* RDBSS_DEVICE_OBJECT.MiniRdrListLinks */
	FAST_MUTEX mutex;
} rx_rdbss;

/* RxGetRDBSSProcess - the process RxDriverEntry first ran in. Any level. */
PEPROCESS RxGetRDBSSProcess(void)
{
	return rx_rdbss.process;
}

bool rx_is_rdbss_device(PDEVICE_OBJECT device)
{
	return device == &rx_rdbss.device;
}

PDEVICE_OBJECT rx_rdbss_device(void)
{
	return &rx_rdbss.device;
}

static void rx_device_fcb_init(void)
{
	RtlZeroMemory(&RxDeviceFCB, sizeof(RxDeviceFCB));
	RxDeviceFCB.Header.NodeTypeCode = RDBSS_NTC_DEVICE_FCB;
	RxDeviceFCB.Header.NodeByteSize = sizeof(RxDeviceFCB);
	RxDeviceFCB.NodeReferenceCount = 1;
	RxDeviceFCB.Condition = Condition_Good;
	RxDeviceFCB.PrivateDispatchVector = rx_device_dispatch;
	InitializeListHead(&RxDeviceFCB.SrvOpenList);
	InitializeListHead(&RxDeviceFCB.ScavengerFinalizationList);
	InitializeListHead(&RxDeviceFCB.FcbTableEntry.HashLinks);
}

static NTSTATUS rx_driver_dispatch(PDEVICE_OBJECT device, PIRP irp)
{
	return RxFsdDispatch((PRDBSS_DEVICE_OBJECT)device, irp);
}

static void rx_fill_driver_dispatch(PDRIVER_OBJECT driver)
{
	unsigned int i;

	for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver->MajorFunction[i] = rx_driver_dispatch;
}

/**
 * RxDriverEntry - make RDBSS ready for the driver that contains it
 * @DriverObject: [in] every dispatch entry becomes RxFsdDispatch
 * @RegistryPath: [in] the driver's own key; what is RDBSS's stands elsewhere (config.c)
 *
 * Must come before every other call. The process of the first call becomes the RDBSS process. Later calls, by
 * other redirectors of the process, join what is there.
 *
 * Context: PASSIVE_LEVEL.
 * Return:  STATUS_SUCCESS.
 * Page:    rxprocs/RxDriverEntry.
 */
NTSTATUS RxDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
	(void)RegistryPath;
	if (!rx_rdbss.ready) {
		ExInitializeFastMutex(&rx_rdbss.mutex);
		InitializeListHead(&rx_rdbss.minirdrs);
		RtlZeroMemory(&rx_rdbss.device, sizeof(rx_rdbss.device));
		rx_rdbss.device.Type = IO_TYPE_DEVICE;
		rx_rdbss.device.Size = sizeof(rx_rdbss.device);
		rx_rdbss.device.DeviceType = FILE_DEVICE_NETWORK_FILE_SYSTEM;
		rx_rdbss.device.StackSize = 1;
		rx_rdbss.device.ReferenceCount = 1;
		rx_context_init();
		rx_blocking_init();
		rx_work_init();
		rx_timer_init();
		rx_start_stop_init();
		rx_device_fcb_init();
		rx_rdbss.ready = TRUE;
	}
	if (IsListEmpty(&rx_rdbss.minirdrs)) {
		rx_rdbss.process = PsGetCurrentProcess();
		rx_config_read();
	}
	rx_fill_driver_dispatch(DriverObject);
	return STATUS_SUCCESS;
}

/* Once, at registration: what nobody asks again later. */
static NTSTATUS rx_register_check(PRDBSS_DEVICE_OBJECT *device, PDRIVER_OBJECT driver,
				  PMINIRDR_DISPATCH dispatch, PUNICODE_STRING name)
{
	const ULONG extension_limit = 64 * 1024;

	if (device == NULL || driver == NULL || dispatch == NULL || name == NULL)
		return STATUS_INVALID_PARAMETER;
	if (dispatch->NodeTypeCode != RDBSS_NTC_MINIRDR_DISPATCH && dispatch->NodeTypeCode != 0)
		return STATUS_INVALID_PARAMETER;
	/* a table may grow only at its end; one that is larger than ours speaks of slots we do not know */
	if (dispatch->NodeByteSize != 0 && (size_t)dispatch->NodeByteSize > sizeof(MINIRDR_DISPATCH))
		return STATUS_INVALID_PARAMETER;
	if (dispatch->MRxSrvCallSize > extension_limit || dispatch->MRxNetRootSize > extension_limit ||
	    dispatch->MRxVNetRootSize > extension_limit || dispatch->MRxFcbSize > extension_limit ||
	    dispatch->MRxSrvOpenSize > extension_limit || dispatch->MRxFobxSize > extension_limit)
		return STATUS_INVALID_PARAMETER;
	return STATUS_SUCCESS;
}

static NTSTATUS rx_register_copy_name(PRDBSS_DEVICE_OBJECT dev, PUNICODE_STRING name)
{
	dev->DeviceName.Buffer =
		ExAllocatePoolWithTag(PagedPool, name->Length + sizeof(WCHAR), RX_REGISTER_TAG);
	if (dev->DeviceName.Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlCopyMemory(dev->DeviceName.Buffer, name->Buffer, name->Length);
	dev->DeviceName.Buffer[name->Length / sizeof(WCHAR)] = 0;
	dev->DeviceName.Length = name->Length;
	dev->DeviceName.MaximumLength = (USHORT)(name->Length + sizeof(WCHAR));
	return STATUS_SUCCESS;
}

static void rx_register_fill_device(PRDBSS_DEVICE_OBJECT dev, PMINIRDR_DISPATCH dispatch, ULONG controls)
{
	dev->Dispatch = dispatch;
	dev->RegistrationControls = controls;
	dev->RDBSSDeviceObject = &rx_rdbss.device;
	dev->RegisterUncProvider = (controls & RX_REGISTERMINI_FLAG_DONT_PROVIDE_UNCS) == 0;
	dev->RegisterMailSlotProvider = (controls & RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS) == 0;
	dev->StartStopContext.State = RDBSS_STARTABLE;
	dev->NumberOfActiveFcbs = 0;
	dev->NumberOfActiveContexts = 0;
	InitializeListHead(&dev->MiniRdrListLinks);
	rx_fsp_init_device(dev);
	if ((controls & RX_REGISTERMINI_FLAG_DONT_INIT_PREFIX_N_SCAVENGER) == 0) {
		dev->pRxNetNameTable = &dev->RxNetNameTableInDeviceObject;
		RxInitializePrefixTable(dev->pRxNetNameTable, 0, TRUE);
		dev->pRxNetNameTable->IsNetNameTable = TRUE;
		dev->pRdbssScavenger = &dev->RdbssScavengerInDeviceObject;
		rx_scavenger_init(dev);
	}
}

/**
 * RxRegisterMinirdr - create the device of a redirector and remember its call-down table
 * @DeviceObject:  [out] the device; NULL on failure
 * @MrdrDispatch:  [in] constant until RxUnregisterMinirdr(); slots may be NULL
 * @Controls:      [in] RX_REGISTERMINI_FLAG_...
 * @DeviceName:    [in] `\Device\...`; copied
 * @DeviceExtensionSize: [in] bytes of the driver's own, zeroed, behind the RDBSS_DEVICE_OBJECT
 *
 * Context: PASSIVE_LEVEL, from DriverEntry.
 * Return:  STATUS_SUCCESS, the state is RDBSS_STARTABLE; STATUS_INVALID_PARAMETER;
 *          STATUS_INVALID_DEVICE_STATE without RxDriverEntry() before; STATUS_OBJECT_NAME_COLLISION or
 *          STATUS_OBJECT_NAME_EXISTS; STATUS_INSUFFICIENT_RESOURCES; STATUS_UNSUCCESSFUL.
 * Page:    mrx/RxRegisterMinirdr.
 */
NTSTATUS RxRegisterMinirdr(PRDBSS_DEVICE_OBJECT *DeviceObject, PDRIVER_OBJECT DriverObject,
			   PMINIRDR_DISPATCH MrdrDispatch, ULONG Controls, PUNICODE_STRING DeviceName,
			   ULONG DeviceExtensionSize, DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics)
{
	NTSTATUS status = rx_register_check(DeviceObject, DriverObject, MrdrDispatch, DeviceName);
	PDEVICE_OBJECT device = NULL;
	PRDBSS_DEVICE_OBJECT dev;

	if (!NT_SUCCESS(status))
		return status;
	*DeviceObject = NULL;
	if (!rx_rdbss.ready)
		return STATUS_INVALID_DEVICE_STATE;
	status = IoCreateDevice(DriverObject,
				DeviceExtensionSize +
					(ULONG)(sizeof(RDBSS_DEVICE_OBJECT) - sizeof(DEVICE_OBJECT)),
				DeviceName, DeviceType, DeviceCharacteristics, FALSE, &device);
	if (!NT_SUCCESS(status))
		return status;
	if (device == NULL)
		return STATUS_UNSUCCESSFUL;
	dev = (PRDBSS_DEVICE_OBJECT)device;
	RtlZeroMemory((PUCHAR)dev + sizeof(DEVICE_OBJECT),
		      sizeof(*dev) - sizeof(DEVICE_OBJECT) + DeviceExtensionSize);
	status = rx_register_copy_name(dev, DeviceName);
	if (!NT_SUCCESS(status)) {
		IoDeleteDevice(device);
		return status;
	}

	rx_register_fill_device(dev, MrdrDispatch, Controls);
	if ((Controls & RX_REGISTERMINI_FLAG_DONT_INIT_DRIVER_DISPATCH) == 0)
		rx_fill_driver_dispatch(DriverObject);
	ExAcquireFastMutex(&rx_rdbss.mutex);
	InsertTailList(&rx_rdbss.minirdrs, &dev->MiniRdrListLinks);
	InterlockedIncrement(&rx_rdbss.device.ReferenceCount);
	ExReleaseFastMutex(&rx_rdbss.mutex);
	*DeviceObject = dev;
	return STATUS_SUCCESS;
}

/* Debug builds: what ends here was in order. */
static void rx_unregister_check(PRDBSS_DEVICE_OBJECT dev)
{
#ifndef NDEBUG
	unsigned int found = rx_check_objects(dev, RX_CHECK_LIVE, rx_check_print, NULL, NULL);

	if (found != 0)
		NT_BUG("%u disagreements between the objects of device %p at its end", found, (void *)dev);
#else
	(void)dev;
#endif
}

/*
 * An object that outlives its redirector: somebody holds a reference that nobody can give up in order any more. The
 * device's memory, which such an object leads to, then stays for good.
 */
static void rx_unregister_tell_survivors(PRDBSS_DEVICE_OBJECT dev)
{
	PRX_PREFIX_TABLE table = dev->pRxNetNameTable;

	if (table == NULL || IsListEmpty(&table->DepartedQueue))
		return;
	rx_object_misuse(NT_RULE_UNLOAD_IDLE, "RxUnregisterMinirdr",
			 CONTAINING_RECORD(table->DepartedQueue.Flink, RX_PREFIX_ENTRY, MemberQLinks)
				 ->ContainingRecord,
			 "it is still referenced");
	ObReferenceObject(&dev->DeviceObject);
}

/**
 * RxpUnregisterMinirdr - undo RxRegisterMinirdr()
 *
 * Cancels what is still at work and waits for it, finalizes what the name table still holds, runs timers and workers
 * down and deletes the device. Objects that are referenced beyond that are misuse (nt_misuse.h).
 *
 * Context: PASSIVE_LEVEL, driver unload or a DriverEntry that fails; blocks.
 * Page:    RxpUnregisterMinirdr.
 */
VOID RxpUnregisterMinirdr(PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	ExAcquireFastMutex(&rx_rdbss.mutex);
	RemoveEntryList(&RxDeviceObject->MiniRdrListLinks);
	ExReleaseFastMutex(&rx_rdbss.mutex);

	rx_start_unregister(RxDeviceObject); /* nothing, unless it was never stopped */
	rx_context_wait_idle(RxDeviceObject);
	rx_cache_device_settle(RxDeviceObject);
	rx_unregister_check(RxDeviceObject);
	rx_finalize_all_objects(RxDeviceObject);
	rx_timer_run_down(RxDeviceObject);
	(void)RxSpinDownMRxDispatcher(RxDeviceObject);
	rx_cache_device_end(RxDeviceObject); /* workers may still have been writing */
	rx_unregister_tell_survivors(RxDeviceObject);
	if (RxDeviceObject->pRxNetNameTable == &RxDeviceObject->RxNetNameTableInDeviceObject)
		RxFinalizePrefixTable(RxDeviceObject->pRxNetNameTable);
	ExFreePoolWithTag(RxDeviceObject->DeviceName.Buffer, RX_REGISTER_TAG);
	IoDeleteDevice(&RxDeviceObject->DeviceObject);
}

/* RxUnregisterMinirdr - RxpUnregisterMinirdr() and one reference less on the RDBSS device. */
VOID RxUnregisterMinirdr(PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	RxpUnregisterMinirdr(RxDeviceObject);
	InterlockedDecrement(&rx_rdbss.device.ReferenceCount);
}

PDEVICE_OBJECT rx_driver_first_redirector(PDRIVER_OBJECT driver)
{
	PDEVICE_OBJECT found = NULL;
	PLIST_ENTRY at;

	if (!rx_rdbss.ready) /* a driver that never called RxDriverEntry has none */
		return NULL;
	ExAcquireFastMutex(&rx_rdbss.mutex);
	for (at = rx_rdbss.minirdrs.Flink; at != &rx_rdbss.minirdrs && found == NULL; at = at->Flink) {
		PRDBSS_DEVICE_OBJECT dev = CONTAINING_RECORD(at, RDBSS_DEVICE_OBJECT, MiniRdrListLinks);

		if (dev->DeviceObject.DriverObject == driver)
			found = &dev->DeviceObject;
	}
	if (found != NULL)
		ObReferenceObject(found);
	ExReleaseFastMutex(&rx_rdbss.mutex);
	return found;
}

BOOLEAN rx_device_provides_uncs(PDEVICE_OBJECT device)
{
	return ((PRDBSS_DEVICE_OBJECT)device)->RegisterUncProvider;
}

/**
 * RxUnload - the driver that contains RDBSS goes
 *
 * Redirectors of the driver that are still registered are unregistered: the library goes away with the driver, and
 * with it all they are made of.
 *
 * Context: PASSIVE_LEVEL, the driver's unload routine; blocks.
 * Page:    routines provided by RDBSS.
 */
VOID RxUnload(PDRIVER_OBJECT DriverObject)
{
	PDEVICE_OBJECT device;

	while ((device = rx_driver_first_redirector(DriverObject)) != NULL) {
		RxUnregisterMinirdr((PRDBSS_DEVICE_OBJECT)device);
		ObDereferenceObject(device);
	}
}

/* RxMakeLateDeviceAvailable - a device made after the driver was loaded takes requests. */
VOID RxMakeLateDeviceAvailable(PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	RxDeviceObject->DeviceObject.Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
}

/**
 * __RxFillAndInstallFastIoDispatch - the fast I/O table of a redirector
 *
 * RDBSS is linked into the driver here, and then the page says that nothing is done: every request is an IRP.
 */
VOID __RxFillAndInstallFastIoDispatch(PRDBSS_DEVICE_OBJECT RxDeviceObject,
				      struct _FAST_IO_DISPATCH *FastIoDispatch, ULONG FastIoDispatchSize)
{
	(void)RxDeviceObject;
	(void)FastIoDispatch;
	(void)FastIoDispatchSize;
}
