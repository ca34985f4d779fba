/*
 * driver.c - from DriverEntry to unload: the device, the call-down table, start and stop, control codes.
 */
#include "nulmrx.h"

PRDBSS_DEVICE_OBJECT NulMRxDeviceObject;
FAST_MUTEX NulMRxMutex;
LIST_ENTRY NulMRxFiles;
NULMRX_STATISTICS NulMRxStatistics;
LARGE_INTEGER NulMRxStartTime;

static MINIRDR_DISPATCH NulMRxDispatch;

/* RDBSS calls it on the way from RxStartMinirdr. */
static NTSTATUS NulMRxStart(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	UNREFERENCED_PARAMETER(RxContext);
	UNREFERENCED_PARAMETER(RxDeviceObject);
	KeQuerySystemTime(&NulMRxStartTime);
	return NulMRxCreateInitialFiles();
}

/* Everything is closed by now. */
static NTSTATUS NulMRxStop(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	UNREFERENCED_PARAMETER(RxContext);
	UNREFERENCED_PARAMETER(RxDeviceObject);
	NulMRxForgetFiles();
	return STATUS_SUCCESS;
}

static NTSTATUS NulMRxQueryStatistics(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT LowIoContext = &RxContext->LowIoContext;

	if (LowIoContext->ParamsFor.IoCtl.OutputBufferLength < sizeof(NULMRX_STATISTICS))
		return STATUS_BUFFER_TOO_SMALL;
	ExAcquireFastMutex(&NulMRxMutex);
	RtlCopyMemory(LowIoContext->ParamsFor.IoCtl.pOutputBuffer, &NulMRxStatistics,
		      sizeof(NULMRX_STATISTICS));
	ExReleaseFastMutex(&NulMRxMutex);
	RxContext->InformationToReturn = sizeof(NULMRX_STATISTICS);
	return STATUS_SUCCESS;
}

/* Requests on \\.\NulMRx itself. */
static NTSTATUS NulMRxDevFcbXXXControlFile(PRX_CONTEXT RxContext)
{
	if (RxContext->MajorFunction != IRP_MJ_DEVICE_CONTROL)
		return STATUS_INVALID_DEVICE_REQUEST;
	switch (RxContext->LowIoContext.ParamsFor.IoCtl.IoControlCode) {
	case IOCTL_NULMRX_START:
		return RxStartMinirdr(RxContext, &RxContext->PostRequest);
	case IOCTL_NULMRX_STOP:
		return RxStopMinirdr(RxContext, &RxContext->PostRequest);
	case IOCTL_NULMRX_STATISTICS:
		return NulMRxQueryStatistics(RxContext);
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}

NTSTATUS NulMRxFsdDispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
	return RxFsdDispatch((PRDBSS_DEVICE_OBJECT)DeviceObject, Irp);
}

static VOID NulMRxInitializeDispatch(VOID)
{
	ZeroAndInitializeNodeType(&NulMRxDispatch, RDBSS_NTC_MINIRDR_DISPATCH, sizeof(MINIRDR_DISPATCH));
	NulMRxDispatch.MRxFlags = RDBSS_MANAGE_FOBX_EXTENSION;
	NulMRxDispatch.MRxFobxSize = sizeof(NULMRX_FOBX_EXTENSION);

	NulMRxDispatch.MRxStart = NulMRxStart;
	NulMRxDispatch.MRxStop = NulMRxStop;
	NulMRxDispatch.MRxDevFcbXXXControlFile = NulMRxDevFcbXXXControlFile;

	NulMRxDispatch.MRxCreateSrvCall = NulMRxCreateSrvCall;
	NulMRxDispatch.MRxSrvCallWinnerNotify = NulMRxSrvCallWinnerNotify;
	NulMRxDispatch.MRxFinalizeSrvCall = NulMRxFinalizeSrvCall;
	NulMRxDispatch.MRxCreateVNetRoot = NulMRxCreateVNetRoot;
	NulMRxDispatch.MRxFinalizeVNetRoot = NulMRxFinalizeVNetRoot;
	NulMRxDispatch.MRxFinalizeNetRoot = NulMRxFinalizeNetRoot;
	NulMRxDispatch.MRxExtractNetRootName = NulMRxExtractNetRootName;

	NulMRxDispatch.MRxCreate = NulMRxCreate;
	NulMRxDispatch.MRxShouldTryToCollapseThisOpen = NulMRxShouldTryToCollapseThisOpen;
	NulMRxDispatch.MRxCleanupFobx = NulMRxCleanupFobx;
	NulMRxDispatch.MRxCloseSrvOpen = NulMRxCloseSrvOpen;
	NulMRxDispatch.MRxForceClosed = NulMRxForceClosed;
	NulMRxDispatch.MRxFlush = NulMRxFlush;
	NulMRxDispatch.MRxTruncate = NulMRxTruncate;
	NulMRxDispatch.MRxZeroExtend = NulMRxZeroExtend;

	NulMRxDispatch.MRxQueryDirectory = NulMRxQueryDirectory;
	NulMRxDispatch.MRxQueryFileInfo = NulMRxQueryFileInfo;
	NulMRxDispatch.MRxSetFileInfo = NulMRxSetFileInfo;
	NulMRxDispatch.MRxQueryVolumeInfo = NulMRxQueryVolumeInfo;

	NulMRxDispatch.MRxLowIOSubmit[LOWIO_OP_READ] = NulMRxRead;
	NulMRxDispatch.MRxLowIOSubmit[LOWIO_OP_WRITE] = NulMRxWrite;
}

VOID NulMRxUnload(PDRIVER_OBJECT DriverObject)
{
	UNICODE_STRING LinkName;

	RtlInitUnicodeString(&LinkName, NULMRX_LINK_NAME);
	IoDeleteSymbolicLink(&LinkName);
	RxUnregisterMinirdr(NulMRxDeviceObject);
	NulMRxDeviceObject = NULL;
	RxUnload(DriverObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
	UNICODE_STRING DeviceName, LinkName;
	NTSTATUS Status;
	ULONG i;

	Status = RxDriverEntry(DriverObject, RegistryPath);
	if (!NT_SUCCESS(Status))
		return Status;

	ExInitializeFastMutex(&NulMRxMutex);
	InitializeListHead(&NulMRxFiles);
	NulMRxInitializeDispatch();
	RtlInitUnicodeString(&DeviceName, NULMRX_DEVICE_NAME);
	Status = RxRegisterMinirdr(&NulMRxDeviceObject, DriverObject, &NulMRxDispatch,
				   RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS, &DeviceName, 0,
				   FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE);
	if (!NT_SUCCESS(Status))
		return Status;

	RtlInitUnicodeString(&LinkName, NULMRX_LINK_NAME);
	Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
	if (!NT_SUCCESS(Status)) {
		RxUnregisterMinirdr(NulMRxDeviceObject);
		return Status;
	}

	for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		DriverObject->MajorFunction[i] = NulMRxFsdDispatch;
	DriverObject->DriverUnload = NulMRxUnload;
	DbgPrint("nulmrx: %wZ is ready\n", &DeviceName);
	return STATUS_SUCCESS;
}
