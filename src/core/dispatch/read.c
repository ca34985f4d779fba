/*
 * read.c - IRP_MJ_READ.
 *
 * Owns:   nothing; the data goes from the mini-redirector straight into the IRP's MDL.
 * Locks:  FCB shared, re-owned by the request when it pends: a truncation or a buffering change waits for it. Pages are
 *         also read while the FCB is lent (rx_lend_fcb()).
 *
 * What is not at the server yet, and what was read ahead, comes from core/cache; all else is low I/O. A read past the end answers
 * STATUS_END_OF_FILE.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/lowio/core_lowio.h"
#include "core/minirdr/calldown.h"

/* The request ends: the next of a pipe's queue may go. */
static NTSTATUS rx_read_end(PRX_CONTEXT rxc, NTSTATUS status)
{
	if ((rxc->FlagsForLowIo & RXCONTEXT_FLAG4LOWIO_PIPE_SYNC_OPERATION) != 0)
		RxResumeBlockedOperations_Serially(
			rxc, &((PFOBX)rxc->pFobx)->Specific.NamedPipe.ReadSerializationQueue);
	return status;
}

static NTSTATUS NTAPI rx_read_complete(PRX_CONTEXT rxc)
{
	PIRP irp = rxc->CurrentIrp;
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;
	NTSTATUS status = rxc->StoredStatus;

	(void)rx_read_end(rxc, status);
	if (!NT_SUCCESS(status) && status != STATUS_BUFFER_OVERFLOW)
		return status;
	/* a driver cannot have read more than it was asked for */
	ASSERT(rxc->InformationToReturn <= lowio->ParamsFor.ReadWrite.ByteCount);
	if (rxc->InformationToReturn > lowio->ParamsFor.ReadWrite.ByteCount)
		return STATUS_INVALID_NETWORK_RESPONSE;
	irp->IoStatus.Information = rxc->InformationToReturn;
	if (status == STATUS_SUCCESS && rxc->InformationToReturn == 0 &&
	    lowio->ParamsFor.ReadWrite.ByteCount > 0 && rxc->pFcb->pNetRoot->Type == NET_ROOT_DISK)
		return STATUS_END_OF_FILE;
	if ((nt_file_flags(file) & FO_SYNCHRONOUS_IO) != 0 && (irp->Flags & IRP_PAGING_IO) == 0)
		file->CurrentByteOffset.QuadPart =
			lowio->ParamsFor.ReadWrite.ByteOffset + (LONGLONG)rxc->InformationToReturn;
	InterlockedExchangeAdd64(&rxc->RxDeviceObject->NetworkReadBytesRequested.QuadPart,
				 (LONG64)rxc->InformationToReturn);
	return status;
}

static NTSTATUS rx_read_parameters(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	rx_lowio_prepare(rxc, LOWIO_OP_READ);
	lowio->ParamsFor.ReadWrite.ByteOffset = sp->Parameters.Read.ByteOffset.QuadPart;
	lowio->ParamsFor.ReadWrite.ByteCount = sp->Parameters.Read.Length;
	lowio->ParamsFor.ReadWrite.Key = sp->Parameters.Read.Key;
	lowio->ParamsFor.ReadWrite.NonPagedFcb = rxc->NonPagedFcb;
	if ((irp->Flags & IRP_PAGING_IO) != 0)
		lowio->ParamsFor.ReadWrite.Flags |= LOWIO_READWRITEFLAG_PAGING_IO;
	return rx_lowio_lock_buffer(rxc, irp, IoWriteAccess, sp->Parameters.Read.Length);
}

static NTSTATUS rx_read_check(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	LARGE_INTEGER *offset = &sp->Parameters.Read.ByteOffset;
	PFILE_OBJECT file = sp->FileObject;

	if (NodeType(rxc->pFcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (offset->HighPart == -1 && offset->LowPart == FILE_USE_FILE_POINTER_POSITION &&
	    (nt_file_flags(file) & FO_SYNCHRONOUS_IO) != 0)
		*offset = file->CurrentByteOffset;
	if (offset->QuadPart < 0 || INT64_MAX - offset->QuadPart < (LONGLONG)sp->Parameters.Read.Length)
		return STATUS_INVALID_PARAMETER;
	if ((irp->Flags & IRP_PAGING_IO) == 0 && rx_locks_lost(rxc))
		return STATUS_FILE_FORCED_CLOSED;
	/* the locks of other opens on this machine; the server knows those of others */
	if ((irp->Flags & IRP_PAGING_IO) == 0 &&
	    !rx_locks_allow(rxc, offset->QuadPart, sp->Parameters.Read.Length, false))
		return STATUS_FILE_LOCK_CONFLICT;
	return STATUS_SUCCESS;
}

/* What is here, of written data or ahead of the reader. STATUS_MORE_PROCESSING_REQUIRED: the server is to be asked. */
static NTSTATUS rx_read_cached(PRX_CONTEXT rxc)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	NTSTATUS status = STATUS_MORE_PROCESSING_REQUIRED;

	if (rx_cache_is_own(rxc->CurrentIrp))
		return STATUS_MORE_PROCESSING_REQUIRED;
	if (rx_cache_has_data((PFCB)rxc->pFcb))
		status = rx_cache_read(rxc);
	else if (rx_ahead_read(rxc))
		status = STATUS_SUCCESS;
	if (status != STATUS_SUCCESS)
		return status;
	if (rxc->InformationToReturn == 0)
		return STATUS_END_OF_FILE;
	rxc->CurrentIrp->IoStatus.Information = rxc->InformationToReturn;
	if ((nt_file_flags(file) & FO_SYNCHRONOUS_IO) != 0)
		file->CurrentByteOffset.QuadPart =
			rxc->LowIoContext.ParamsFor.ReadWrite.ByteOffset + (LONGLONG)rxc->InformationToReturn;
	InterlockedExchangeAdd64(&rxc->RxDeviceObject->CacheReadBytesRequested.QuadPart,
				 (LONG64)rxc->InformationToReturn);
	return STATUS_SUCCESS;
}

/* A transfer of core/cache has the FCB from its sender. */
static NTSTATUS rx_read_acquire(PRX_CONTEXT rxc, PIRP irp)
{
	if (rx_cache_is_own(irp))
		return STATUS_SUCCESS;
	return (irp->Flags & IRP_PAGING_IO) != 0 ? rx_acquire_fcb_paging(rxc) : rx_acquire_fcb_shared(rxc);
}

/* Pipe reads of one handle come one after the other. STATUS_PENDING: queued. */
static NTSTATUS rx_read_serialize(PRX_CONTEXT rxc)
{
	if (rxc->pFcb->pNetRoot->Type != NET_ROOT_PIPE)
		return STATUS_SUCCESS;
	rxc->FlagsForLowIo |= RXCONTEXT_FLAG4LOWIO_PIPE_OPERATION | RXCONTEXT_FLAG4LOWIO_PIPE_SYNC_OPERATION;
	return RxSynchronizeBlockingOperations(
		rxc, (PFCB)rxc->pFcb, &((PFOBX)rxc->pFobx)->Specific.NamedPipe.ReadSerializationQueue);
}

NTSTATUS NTAPI rx_common_read(PRX_CONTEXT rxc, PIRP irp)
{
	bool async = (rxc->Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION) != 0;
	NTSTATUS status;

	InterlockedIncrement((volatile LONG *)&rxc->RxDeviceObject->ReadOperations);
	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (rxc->CurrentIrpSp->Parameters.Read.Length == 0)
		return STATUS_SUCCESS;
	status = rx_read_serialize(rxc);
	if (status != STATUS_SUCCESS)
		return status;

	status = rx_read_acquire(rxc, irp);
	if (status != STATUS_SUCCESS)
		return status == STATUS_PENDING ? status : rx_read_end(rxc, status);
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_read_check(rxc, irp);
	if (status == STATUS_SUCCESS)
		status = rx_read_parameters(rxc, irp);
	if (status == STATUS_SUCCESS)
		status = rx_read_cached(rxc);
	if (status != STATUS_MORE_PROCESSING_REQUIRED) {
		if (rxc->FcbResourceAcquired)
			rx_release_fcb(rxc);
		return rx_read_end(rxc, status);
	}
	status = RxLowIoSubmit(rxc, irp, (PFCB)rxc->pFcb, rx_read_complete);
	if (!async)
		rx_lowio_release_resource(rxc);
	return status;
}
