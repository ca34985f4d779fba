/*
 * rdwr.c - data. A redirector with a network would send the request here, return STATUS_PENDING, and call
 * RxLowIoCompletion when the answer is in.
 */
#include "nulmrx.h"

NTSTATUS NulMRxRead(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT LowIoContext = &RxContext->LowIoContext;
	PNULMRX_FILE File = RxContext->pFobx->pSrvOpen->Context;
	PVOID Buffer = RxLowIoGetBufferAddress(RxContext);
	LONGLONG Offset = LowIoContext->ParamsFor.ReadWrite.ByteOffset;
	ULONG Count = LowIoContext->ParamsFor.ReadWrite.ByteCount;
	NTSTATUS Status = STATUS_SUCCESS;

	if (File == NULL)
		return STATUS_INVALID_DEVICE_REQUEST; /* the directory */
	if (Buffer == NULL && Count != 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	ExAcquireFastMutex(&NulMRxMutex);
	if (Offset < 0 || Offset >= File->Size) {
		Status = STATUS_END_OF_FILE;
	} else {
		Count = min(Count, File->Size - (ULONG)Offset);
		RtlCopyMemory(Buffer, File->Data + Offset, Count);
		NulMRxStatistics.BytesRead.QuadPart += Count;
		RxContext->InformationToReturn = Count;
	}
	ExReleaseFastMutex(&NulMRxMutex);
	return Status;
}

NTSTATUS NulMRxWrite(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT LowIoContext = &RxContext->LowIoContext;
	PNULMRX_FILE File = RxContext->pFobx->pSrvOpen->Context;
	PVOID Buffer = RxLowIoGetBufferAddress(RxContext);
	LONGLONG Offset = LowIoContext->ParamsFor.ReadWrite.ByteOffset;
	ULONG Count = LowIoContext->ParamsFor.ReadWrite.ByteCount;
	NTSTATUS Status = STATUS_SUCCESS;

	if (File == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (Buffer == NULL && Count != 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	ExAcquireFastMutex(&NulMRxMutex);
	if (Offset < 0 || Offset > NULMRX_MAX_FILE_SIZE)
		Status = STATUS_DISK_FULL;
	else if (Offset + Count > File->Size)
		Status = NulMRxSetSize(File, Offset + Count);
	if (NT_SUCCESS(Status)) {
		RtlCopyMemory(File->Data + Offset, Buffer, Count);
		KeQuerySystemTime(&File->LastWriteTime);
		File->ChangeTime = File->LastWriteTime;
		NulMRxStatistics.BytesWritten.QuadPart += Count;
		RxContext->InformationToReturn = Count;
	}
	ExReleaseFastMutex(&NulMRxMutex);
	return Status;
}

NTSTATUS NulMRxFlush(PRX_CONTEXT RxContext)
{
	UNREFERENCED_PARAMETER(RxContext);
	return STATUS_SUCCESS;
}

/* The FCB's size was set before. */
NTSTATUS NulMRxTruncate(PRX_CONTEXT RxContext)
{
	PNULMRX_FILE File = RxContext->pFobx->pSrvOpen->Context;
	NTSTATUS Status;

	if (File == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	ExAcquireFastMutex(&NulMRxMutex);
	Status = NulMRxSetSize(File, RxContext->pFcb->Header.FileSize.QuadPart);
	ExReleaseFastMutex(&NulMRxMutex);
	return Status;
}

/* What lies between the old end and a write behind it is zeros already. */
NTSTATUS NulMRxZeroExtend(PRX_CONTEXT RxContext)
{
	UNREFERENCED_PARAMETER(RxContext);
	return STATUS_SUCCESS;
}
