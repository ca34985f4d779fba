/*
 * write.c - IRP_MJ_WRITE.
 *
 * Owns:   FileSize and ValidDataLength of the FCB as far as this machine's writes move them.
 * Locks:  FCB shared, so that writes to one file run side by side, with two exceptions that need it exclusive:
 *         an append, which must find its place and fill it in one step, and a write that grows the file of a
 *         driver with MRxExtendForCache or MRxExtendForNonCache. Re-owned by the request when it pends. Pages are also
 *         written while the FCB is lent (rx_lend_fcb()); what is kept of them is no different from other data.
 *
 * A write goes to the server at once, unless the server lets us keep its data (core/cache). Sizes follow in the
 * completion, as a maximum, atomically: writers hold the FCB shared, and whoever sets a size holds it exclusive.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/context/context.h"
#include "core/lowio/core_lowio.h"
#include "core/minirdr/calldown.h"

static bool rx_write_is_append(PIO_STACK_LOCATION sp)
{
	const LARGE_INTEGER *offset = &sp->Parameters.Write.ByteOffset;

	return offset->HighPart == -1 && offset->LowPart == FILE_WRITE_TO_END_OF_FILE;
}

static PLIST_ENTRY rx_write_queue(PRX_CONTEXT rxc)
{
	return &((PFOBX)rxc->pFobx)->Specific.NamedPipe.WriteSerializationQueue;
}

/* The request ends: the next of a pipe's queue may go. */
static NTSTATUS rx_write_end(PRX_CONTEXT rxc, NTSTATUS status)
{
	if ((rxc->FlagsForLowIo & RXCONTEXT_FLAG4LOWIO_PIPE_SYNC_OPERATION) != 0)
		RxResumeBlockedOperations_Serially(rxc, rx_write_queue(rxc));
	return status;
}

/* Raises *value to at least `least`, whoever else does the same; true when it was below. */
static bool rx_write_raise(PLARGE_INTEGER value, LONGLONG least)
{
	LONGLONG before = __atomic_load_n(&value->QuadPart, __ATOMIC_RELAXED);

	while (before < least)
		if (__atomic_compare_exchange_n(&value->QuadPart, &before, least, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

void rx_write_note_end(PRX_CONTEXT rxc, PFILE_OBJECT file, LONGLONG end)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	bool grown = rx_write_raise(&fcb->Header.FileSize, end);

	rx_ahead_forget(fcb);
	(void)rx_write_raise(&fcb->Header.AllocationSize, end);
	/* the server fills what lies between with zeroes */
	(void)rx_write_raise(&fcb->Header.ValidDataLength, end);
	__atomic_store_n(&fcb->IsFileWritten, TRUE, __ATOMIC_RELAXED);
	nt_file_set_flags(file, FO_FILE_MODIFIED | (grown ? FO_FILE_SIZE_CHANGED : 0));
}

static NTSTATUS NTAPI rx_write_complete(PRX_CONTEXT rxc)
{
	PIRP irp = rxc->CurrentIrp;
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;
	NTSTATUS status = rxc->StoredStatus;
	LONGLONG end;

	(void)rx_write_end(rxc, status);
	rx_ahead_forget((PFCB)rxc->pFcb); /* also when it failed: the server may have taken some of it */
	if (!NT_SUCCESS(status))
		return status;
	/* a driver cannot have written more than it was asked to */
	ASSERT(rxc->InformationToReturn <= lowio->ParamsFor.ReadWrite.ByteCount);
	if (rxc->InformationToReturn > lowio->ParamsFor.ReadWrite.ByteCount)
		return STATUS_INVALID_NETWORK_RESPONSE;
	irp->IoStatus.Information = rxc->InformationToReturn;
	InterlockedExchangeAdd64(&rxc->RxDeviceObject->NetworkWriteBytesRequested.QuadPart,
				 (LONG64)rxc->InformationToReturn);
	if (rxc->pFcb->pNetRoot->Type != NET_ROOT_DISK)
		return status;
	end = lowio->ParamsFor.ReadWrite.ByteOffset + (LONGLONG)rxc->InformationToReturn;
	if (rxc->InformationToReturn > 0)
		rx_write_note_end(rxc, file, end);
	if ((nt_file_flags(file) & FO_SYNCHRONOUS_IO) != 0 && (irp->Flags & IRP_PAGING_IO) == 0)
		file->CurrentByteOffset.QuadPart = end;
	return status;
}

/*
 * Where the file ends: what the FCB says when the server lets us keep the size, what the server says otherwise.
 * Locks: FCB exclusive.
 */
static NTSTATUS rx_write_find_end(PRX_CONTEXT rxc, PLARGE_INTEGER end)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	FILE_STANDARD_INFORMATION standard;
	NTSTATUS status;

	RxGetFileSizeWithLock(fcb, &end->QuadPart);
	if ((fcb->FcbState & (FCB_STATE_FILESIZECACHEING_ENABLED | FCB_STATE_WRITECACHING_ENABLED)) != 0)
		return STATUS_SUCCESS;
	/* what is still here, since it could not be written when the leave to keep it went, lies before that end */
	status = rx_cache_has_data(fcb) ? rx_cache_flush_for(fcb, (PFOBX)rxc->pFobx) : STATUS_SUCCESS;
	if (!NT_SUCCESS(status))
		return status;
	RtlZeroMemory(&standard, sizeof(standard));
	rxc->Info.FileInformationClass = FileStandardInformation;
	rxc->Info.Buffer = &standard;
	rxc->Info.LengthRemaining = sizeof(standard);
	status = rx_call_query_file_info(rxc);
	rxc->Info.Buffer = NULL;
	if (rx_is_done(status))
		*end = standard.EndOfFile;
	return status;
}

static NTSTATUS rx_write_check(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	LARGE_INTEGER *offset = &sp->Parameters.Write.ByteOffset;
	PFILE_OBJECT file = sp->FileObject;
	NTSTATUS status;

	if (NodeType(rxc->pFcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (rxc->pFcb->pNetRoot->Type != NET_ROOT_DISK)
		return STATUS_SUCCESS;
	if (rx_write_is_append(sp)) {
		LARGE_INTEGER end;

		status = rx_write_find_end(rxc, &end);
		/* a write that is posted is still one to the end when it is run again */
		if (!rx_is_done(status))
			return status;
		*offset = end;
	} else if (offset->HighPart == -1 && offset->LowPart == FILE_USE_FILE_POINTER_POSITION &&
		   (nt_file_flags(file) & FO_SYNCHRONOUS_IO) != 0) {
		*offset = file->CurrentByteOffset;
	}
	if (offset->QuadPart < 0 || INT64_MAX - offset->QuadPart < (LONGLONG)sp->Parameters.Write.Length)
		return STATUS_INVALID_PARAMETER;
	if ((irp->Flags & IRP_PAGING_IO) == 0 && rx_locks_lost(rxc))
		return STATUS_FILE_FORCED_CLOSED;
	if ((irp->Flags & IRP_PAGING_IO) == 0 &&
	    !rx_locks_allow(rxc, offset->QuadPart, sp->Parameters.Write.Length, true))
		return STATUS_FILE_LOCK_CONFLICT;
	return STATUS_SUCCESS;
}

static bool rx_write_extends(PRX_CONTEXT rxc)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	LONGLONG size;

	RxGetFileSizeWithLock((PFCB)rxc->pFcb, &size);
	return sp->Parameters.Write.ByteOffset.QuadPart + (LONGLONG)sp->Parameters.Write.Length > size;
}

/* A write whose data may stay here: the server granted that, and the writer does not forbid it. Locks: FCB. */
static bool rx_write_is_cached(PRX_CONTEXT rxc)
{
	/* of a handle that has ended nobody would hear that its data could not be written */
	const ULONG direct = FO_WRITE_THROUGH | FO_NO_INTERMEDIATE_BUFFERING | FO_CLEANUP_COMPLETE;
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;

	return (rxc->pFcb->FcbState & FCB_STATE_WRITECACHING_ENABLED) != 0 &&
	       rxc->pFcb->pNetRoot->Type == NET_ROOT_DISK && file->WriteAccess &&
	       (nt_file_flags(file) & direct) == 0 && (rxc->CurrentIrp->Flags & IRP_NOCACHE) == 0 &&
	       (rxc->Flags & RX_CONTEXT_FLAG_WRITE_THROUGH) == 0 &&
	       (rxc->pRelevantSrvOpen->Flags & SRVOPEN_FLAG_DONTUSE_WRITE_CACHING) == 0 &&
	       !rx_locks_at_server((PFCB)rxc->pFcb);
}

/*
 * Data that is kept, or the way to the server free for the write: nothing older may arrive after it.
 * STATUS_MORE_PROCESSING_REQUIRED: to the server with it.
 */
static NTSTATUS rx_write_behind(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	NTSTATUS status;

	if (rx_cache_is_own(rxc->CurrentIrp))
		return STATUS_MORE_PROCESSING_REQUIRED;
	rx_ahead_forget(fcb); /* and once more when the server has answered */
	if (rx_write_is_cached(rxc)) {
		status = rx_cache_write(rxc);
		if (status != STATUS_MORE_PROCESSING_REQUIRED)
			return status;
	}
	status = rx_cache_has_data(fcb) ? rx_cache_flush_for(fcb, (PFOBX)rxc->pFobx) : STATUS_SUCCESS;
	return NT_SUCCESS(status) ? STATUS_MORE_PROCESSING_REQUIRED : status;
}

static bool rx_write_has_extend(PRX_CONTEXT rxc)
{
	return rx_write_is_cached(rxc) ? rx_call_has_extend_for_cache(rxc)
				       : rx_call_has_extend_for_non_cache(rxc);
}

/* Before the FCB is had: which of the two routines it would be is not known yet. */
static bool rx_write_needs_exclusive(PRX_CONTEXT rxc)
{
	bool announces = rx_call_has_extend_for_cache(rxc) || rx_call_has_extend_for_non_cache(rxc);

	if (rxc->pFcb->pNetRoot == NULL || rxc->pFcb->pNetRoot->Type != NET_ROOT_DISK)
		return false;
	return rx_write_is_append(rxc->CurrentIrpSp) || (announces && rx_write_extends(rxc));
}

/* Tells the driver that the file is about to grow. Locks: FCB exclusive. */
static NTSTATUS rx_write_announce_growth(PRX_CONTEXT rxc)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	LARGE_INTEGER size, allocation;

	if (rxc->pFcb->pNetRoot->Type != NET_ROOT_DISK || !rx_write_has_extend(rxc) ||
	    !RxIsFcbAcquiredExclusive(rxc->pFcb) || !rx_write_extends(rxc))
		return STATUS_SUCCESS;
	size.QuadPart = sp->Parameters.Write.ByteOffset.QuadPart + (LONGLONG)sp->Parameters.Write.Length;
	allocation.QuadPart = size.QuadPart;
	rxc->LowIoContext.ParamsFor.ReadWrite.Flags |= LOWIO_READWRITEFLAG_EXTENDING_FILESIZE;
	if (rx_write_is_cached(rxc))
		return rx_call_extend_for_cache(rxc, &size, &allocation);
	return rx_call_extend_for_non_cache(rxc, &size, &allocation);
}

static NTSTATUS rx_write_parameters(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	rx_lowio_prepare(rxc, LOWIO_OP_WRITE);
	lowio->ParamsFor.ReadWrite.ByteOffset = sp->Parameters.Write.ByteOffset.QuadPart;
	lowio->ParamsFor.ReadWrite.ByteCount = sp->Parameters.Write.Length;
	lowio->ParamsFor.ReadWrite.Key = sp->Parameters.Write.Key;
	lowio->ParamsFor.ReadWrite.NonPagedFcb = rxc->NonPagedFcb;
	if ((irp->Flags & IRP_PAGING_IO) != 0)
		lowio->ParamsFor.ReadWrite.Flags |= LOWIO_READWRITEFLAG_PAGING_IO;
	return rx_lowio_lock_buffer(rxc, irp, IoReadAccess, sp->Parameters.Write.Length);
}

/* Pipe writes of one handle come one after the other. STATUS_PENDING: queued. */
static NTSTATUS rx_write_serialize(PRX_CONTEXT rxc)
{
	if (rxc->pFcb->pNetRoot->Type != NET_ROOT_PIPE)
		return STATUS_SUCCESS;
	rxc->FlagsForLowIo |= RXCONTEXT_FLAG4LOWIO_PIPE_OPERATION | RXCONTEXT_FLAG4LOWIO_PIPE_SYNC_OPERATION;
	return RxSynchronizeBlockingOperations(rxc, (PFCB)rxc->pFcb, rx_write_queue(rxc));
}

/* The FCB, in the way that the write needs it. A transfer of core/cache has it from its sender. */
static NTSTATUS rx_write_acquire(PRX_CONTEXT rxc, PIRP irp)
{
	if (rx_cache_is_own(irp))
		return STATUS_SUCCESS;
	if (rx_write_needs_exclusive(rxc))
		return rx_acquire_fcb_exclusive(rxc);
	return (irp->Flags & IRP_PAGING_IO) != 0 ? rx_acquire_fcb_paging(rxc) : rx_acquire_fcb_shared(rxc);
}

/* The write ends here: its data is kept, or it failed. */
static NTSTATUS rx_write_answer(PRX_CONTEXT rxc, PIRP irp, NTSTATUS status)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;

	if (status == STATUS_SUCCESS) {
		irp->IoStatus.Information = rxc->InformationToReturn;
		if ((nt_file_flags(file) & FO_SYNCHRONOUS_IO) != 0)
			file->CurrentByteOffset.QuadPart = rxc->LowIoContext.ParamsFor.ReadWrite.ByteOffset +
							   (LONGLONG)rxc->InformationToReturn;
		InterlockedExchangeAdd64(&rxc->RxDeviceObject->CacheWriteBytesRequested.QuadPart,
					 (LONG64)rxc->InformationToReturn);
	}
	/* asked for the end of the file, the driver wants the write run by a worker */
	if (status == STATUS_PENDING)
		return rx_release_or_post(rxc, status);
	if (rxc->FcbResourceAcquired)
		rx_release_fcb(rxc);
	return rx_write_end(rxc, status);
}

NTSTATUS NTAPI rx_common_write(PRX_CONTEXT rxc, PIRP irp)
{
	bool async = (rxc->Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION) != 0;
	NTSTATUS status;

	InterlockedIncrement((volatile LONG *)&rxc->RxDeviceObject->WriteOperations);
	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (rxc->CurrentIrpSp->Parameters.Write.Length == 0)
		return STATUS_SUCCESS;
	status = rx_write_serialize(rxc);
	if (status != STATUS_SUCCESS)
		return status;

	status = rx_write_acquire(rxc, irp);
	if (status != STATUS_SUCCESS)
		return status == STATUS_PENDING ? status : rx_write_end(rxc, status);
	status = rx_check_server_open(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_write_check(rxc, irp);
	if (status == STATUS_SUCCESS)
		status = rx_write_parameters(rxc, irp);
	if (status == STATUS_SUCCESS)
		status = rx_write_announce_growth(rxc);
	if (status == STATUS_SUCCESS)
		status = rx_write_behind(rxc);
	if (status != STATUS_MORE_PROCESSING_REQUIRED)
		return rx_write_answer(rxc, irp, status);
	status = RxLowIoSubmit(rxc, irp, (PFCB)rxc->pFcb, rx_write_complete);
	if (!async)
		rx_lowio_release_resource(rxc);
	return status;
}
