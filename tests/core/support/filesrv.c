/*
 * filesrv.c - see filesrv.h.
 */
#include "filesrv.h"

struct filesrv server;
UCHAR big[ROOM];

static void server_write(LONGLONG at, const UCHAR *data, ULONG count)
{
	KIRQL irql;

	KeAcquireSpinLock(&server.lock, &irql);
	if (at > server.size)
		memset(server.bytes + server.size, 0, (size_t)(at - server.size));
	RtlCopyMemory(server.bytes + at, data, count);
	if (at + count > server.size)
		server.size = at + count;
	KeReleaseSpinLock(&server.lock, irql);
}

static ULONG server_read(LONGLONG at, UCHAR *data, ULONG count)
{
	KIRQL irql;

	KeAcquireSpinLock(&server.lock, &irql);
	if (at >= server.size)
		count = 0;
	else if (server.size - at < count)
		count = (ULONG)(server.size - at);
	RtlCopyMemory(data, server.bytes + at, count);
	KeReleaseSpinLock(&server.lock, irql);
	return count;
}

static void note_size(LONG count)
{
	LONG before = InterlockedCompareExchange(&server.largest, 0, 0);

	while (count > before) {
		LONG found = InterlockedCompareExchange(&server.largest, count, before);

		if (found == before)
			break;
		before = found;
	}
}

static NTSTATUS server_transfer(PRX_CONTEXT rxc)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;
	LONGLONG at = lowio->ParamsFor.ReadWrite.ByteOffset;
	ULONG count = lowio->ParamsFor.ReadWrite.ByteCount;
	UCHAR *data = RxLowIoGetBufferAddress(rxc);

	if (lowio->Operation == LOWIO_OP_READ) {
		rxc->InformationToReturn = server_read(at, data, count);
		return STATUS_SUCCESS;
	}
	InterlockedIncrement(&server.writes);
	note_size((LONG)count);
	if (server.on_write != NULL)
		server.on_write();
	if (server.refuse != STATUS_SUCCESS)
		return server.refuse;
	if (!server.deaf)
		server_write(at, data, count);
	rxc->InformationToReturn = count;
	return STATUS_SUCCESS;
}

static VOID NTAPI server_later(PVOID context)
{
	PRX_CONTEXT rxc = context;

	rxc->StoredStatus = server_transfer(rxc);
	(void)RxLowIoCompletion(rxc);
}

static NTSTATUS server_lowio(PRX_CONTEXT rxc)
{
	if (rxc->LowIoContext.Operation == LOWIO_OP_EXCLUSIVELOCK ||
	    rxc->LowIoContext.Operation == LOWIO_OP_UNLOCK) {
		server.size_at_lock = server.size;
		return STATUS_SUCCESS;
	}
	if (rxc->LowIoContext.Operation > LOWIO_OP_WRITE)
		return STATUS_NOT_IMPLEMENTED;
	if (server.late && RxDispatchToWorkerThread(rxc->RxDeviceObject, DelayedWorkQueue, server_later,
						    rxc) == STATUS_SUCCESS)
		return STATUS_PENDING;
	return server_transfer(rxc);
}

static NTSTATUS NTAPI server_set_info(PRX_CONTEXT rxc)
{
	const FILE_END_OF_FILE_INFORMATION *eof = rxc->Info.Buffer;

	if (rxc->Info.FileInformationClass != FileEndOfFileInformation)
		return STATUS_NOT_IMPLEMENTED;
	if (eof->EndOfFile.QuadPart > server.size)
		memset(server.bytes + server.size, 0, (size_t)(eof->EndOfFile.QuadPart - server.size));
	server.size = eof->EndOfFile.QuadPart;
	return STATUS_SUCCESS;
}

static LONGLONG server_size(void)
{
	return server.size;
}

void serve(void)
{
	RtlZeroMemory(&server, sizeof(server));
	break_size = server_size;
	KeInitializeSpinLock(&server.lock);
	rec.buffering = KEEP;
	rec.file_size = 0;
	rec.lowio_hook = server_lowio;
	rec.device->Dispatch->MRxSetFileInfo = server_set_info;
}

int filesrv_setup(void **state)
{
	if (rec_setup(state) != 0)
		return -1;
	serve();
	return 0;
}

/* ---- requests with memory of the caller ---- */

NTSTATUS transfer(PFILE_OBJECT file, UCHAR major, LONGLONG at, void *data, ULONG length, ULONG_PTR *moved)
{
	return transfer_as(file, major, 0, at, data, length, moved);
}

void put(PFILE_OBJECT file, LONGLONG at, const void *data, ULONG length)
{
	ULONG_PTR moved = 0;

	assert_int_equal(transfer(file, IRP_MJ_WRITE, at, (void *)(ULONG_PTR)data, length, &moved),
			 STATUS_SUCCESS);
	assert_int_equal(moved, length);
}

NTSTATUS flush(PFILE_OBJECT file, UCHAR minor)
{
	return req_run(req_make(file, IRP_MJ_FLUSH_BUFFERS, minor), NULL);
}

PFILE_OBJECT open_a(void)
{
	rec.file_size = server.size;
	return file_open(REC_SHARE u"\\a");
}

LONGLONG size_of(PFILE_OBJECT file)
{
	LONGLONG size;

	RxGetFileSizeWithLock(fcb_of(file), &size);
	return size;
}
