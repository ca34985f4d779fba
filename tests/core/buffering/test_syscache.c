/*
 * test_syscache.c - pages and written data of a file, had flushed or forgotten; changes that wait for a file, applied by
 * whoever has it; and the call-down that all low I/O goes through.
 */
#include "../support/rec.h"

#include "core/lowio/core_lowio.h"

/* A front end that keeps pages. */
static struct {
	unsigned int flushes, purges, releases;
	LONGLONG offset;
	ULONG length;
	LONG writes_at_flush; /* that the server had seen */
	NTSTATUS flush;
	BOOLEAN purge;
} pages;

static NTSTATUS pages_flush(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	(void)offset;
	(void)length;
	pages.flushes++;
	pages.writes_at_flush = rec_seen(REC_WRITE);
	return pages.flush;
}

static BOOLEAN pages_purge(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	pages.purges++;
	pages.offset = offset;
	pages.length = length;
	return pages.purge;
}

static void pages_release(void *context)
{
	(void)context;
	pages.releases++;
}

static const struct nt_cache_ops pages_ops = {pages_flush, pages_purge, pages_release};

static struct nt_cache_map *keep_pages(PFILE_OBJECT file)
{
	struct nt_cache_map *map;

	RtlZeroMemory(&pages, sizeof(pages));
	pages.purge = TRUE;
	assert_int_equal(nt_cache_attach(file, nt_cache_generation(file->SectionObjectPointer), &pages_ops,
					 NULL, &map),
			 STATUS_SUCCESS);
	return map;
}

static PRX_CONTEXT take(PFILE_OBJECT file)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);

	assert_non_null(rxc);
	assert_int_equal(RxAcquireExclusiveFcb(rxc, fcb_of(file)), STATUS_SUCCESS);
	return rxc;
}

static void give(PRX_CONTEXT rxc, PFILE_OBJECT file)
{
	RxReleaseFcb(rxc, fcb_of(file));
	RxDereferenceAndDeleteRxContext(rxc);
}

/* RxFlushFcbInSystemCache: the pages' owner first, then what was written and kept; an error of his ends it. */
static void test_flush_fcb_in_system_cache(void **state)
{
	PFILE_OBJECT file;
	struct nt_cache_map *map;
	PRX_CONTEXT rxc;

	(void)state;
	rec.buffering = FCB_STATE_WRITECACHING_ENABLED | FCB_STATE_READCACHING_ENABLED;
	file = file_open(REC_SHARE u"\\a");
	map = keep_pages(file);
	assert_int_equal(req_run(file_write_make(file, 0, 100, false), NULL), STATUS_SUCCESS);
	rxc = take(file);
	pages.flush = STATUS_DISK_FULL;
	assert_int_equal(RxFlushFcbInSystemCache(fcb_of(file), TRUE), STATUS_DISK_FULL);
	assert_int_equal(rec_seen(REC_WRITE), 0);
	pages.flush = STATUS_SUCCESS;
	assert_int_equal(RxFlushFcbInSystemCache(fcb_of(file), FALSE), STATUS_SUCCESS);
	assert_int_equal(pages.flushes, 2);
	assert_int_equal(pages.writes_at_flush, 0);
	assert_int_equal(rec_seen(REC_WRITE), 1);
	assert_int_equal(pages.purges, 0);
	give(rxc, file);
	nt_cache_detach(map);
	file_close(file);
}

/* RxPurgeFcbInSystemCache: all of it or a part; flushed first when asked; what cannot be flushed is not forgotten. */
static void test_purge_fcb_in_system_cache(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct nt_cache_map *map = keep_pages(file);
	PRX_CONTEXT rxc = take(file);
	LARGE_INTEGER from = {.QuadPart = 8192};

	(void)state;
	assert_int_equal(RxPurgeFcbInSystemCache(fcb_of(file), NULL, 0, FALSE, FALSE), STATUS_SUCCESS);
	assert_int_equal(pages.purges, 1);
	assert_int_equal(pages.flushes, 0);
	assert_int_equal(pages.offset, 0);
	assert_int_equal(RxPurgeFcbInSystemCache(fcb_of(file), &from, 4096, FALSE, TRUE), STATUS_SUCCESS);
	assert_int_equal(pages.flushes, 1);
	assert_int_equal(pages.offset, 8192);
	assert_int_equal(pages.length, 4096);
	pages.flush = STATUS_DISK_FULL;
	assert_int_equal(RxPurgeFcbInSystemCache(fcb_of(file), NULL, 0, FALSE, TRUE), STATUS_DISK_FULL);
	assert_int_equal(pages.purges, 2);
	pages.purge = FALSE;
	assert_int_equal(RxPurgeFcbInSystemCache(fcb_of(file), NULL, 0, FALSE, FALSE), STATUS_UNSUCCESSFUL);
	give(rxc, file);
	nt_cache_detach(map);
	file_close(file);
	assert_int_equal(pages.releases, 1);
}

/* ---- changes that wait ---- */

static volatile LONG computed;
static PETHREAD computed_by;

static NTSTATUS NTAPI compute(PMRX_SRV_OPEN so, PVOID context, PULONG new_state)
{
	(void)so;
	(void)context;
	InterlockedIncrement(&computed);
	computed_by = PsGetCurrentThread();
	*new_state = 0;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI complete(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID context)
{
	(void)rxc;
	(void)so;
	(void)context;
	return STATUS_SUCCESS;
}

static NTSTATUS give_key(PRX_CONTEXT rxc)
{
	rxc->pRelevantSrvOpen->Key = (PVOID)(ULONG_PTR)77;
	return STATUS_SUCCESS;
}

/* RxProcessFcbChangeBufferingStateRequest: whoever has the file applies what waits for it, at once, on his own thread. */
static void test_process_fcb_change_buffering_state_request(void **state)
{
	PFILE_OBJECT file;
	PRX_CONTEXT rxc;

	(void)state;
	rec.buffering = FCB_STATE_READCACHING_ENABLED;
	rec.create_hook = give_key;
	rec.device->Dispatch->MRxComputeNewBufferingState = compute;
	rec.device->Dispatch->MRxCompleteBufferingStateChangeRequest = complete;
	file = file_open(REC_SHARE u"\\a");
	computed = 0;
	rxc = take(file);
	RxProcessFcbChangeBufferingStateRequest(fcb_of(file)); /* nothing waits */
	assert_int_equal(computed, 0);
	RxIndicateChangeOfBufferingState(fcb_of(file)->pNetRoot->pSrvCall, (PVOID)(ULONG_PTR)77, NULL);
	while (__atomic_load_n(&fcb_of(file)->NumberOfBufferingChangesWaiting, __ATOMIC_ACQUIRE) == 0) {
		LARGE_INTEGER moment = {.QuadPart = -10000};

		(void)KeDelayExecutionThread(KernelMode, FALSE, &moment); /* the dispatcher finds the open */
	}
	assert_int_equal(computed, 0); /* nobody can: the file is held here */
	RxProcessFcbChangeBufferingStateRequest(fcb_of(file));
	assert_int_equal(computed, 1);
	assert_ptr_equal(computed_by, PsGetCurrentThread());
	assert_int_equal(fcb_of(file)->FcbState & FCB_STATE_READCACHING_ENABLED, 0);
	assert_int_equal(fcb_of(file)->NumberOfBufferingChangesWaiting, 0);
	give(rxc, file);
	file_close(file);
}

/* ---- low I/O ---- */

static struct {
	LONG completions;
	NTSTATUS stored;
	NTSTATUS returned; /* by RxLowIoSubmit */
	ULONG_PTR information;
} low;

static NTSTATUS NTAPI low_complete(PRX_CONTEXT rxc)
{
	low.completions++;
	low.stored = rxc->StoredStatus;
	low.information = rxc->InformationToReturn;
	rxc->CurrentIrp->IoStatus.Information = rxc->InformationToReturn;
	return rxc->StoredStatus;
}

static NTSTATUS NTAPI low_read(PRX_CONTEXT rxc, PIRP irp)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;

	rx_lowio_prepare(rxc, LOWIO_OP_READ);
	lowio->ParamsFor.ReadWrite.ByteCount = rxc->CurrentIrpSp->Parameters.Read.Length;
	assert_int_equal(rx_lowio_lock_buffer(rxc, irp, IoWriteAccess, lowio->ParamsFor.ReadWrite.ByteCount),
			 STATUS_SUCCESS);
	low.returned = RxLowIoSubmit(rxc, irp, (PFCB)rxc->pFcb, low_complete);
	return low.returned;
}

static RX_FSD_DISPATCH_VECTOR low_vector[IRP_MJ_MAXIMUM_FUNCTION + 1];

/*
 * RxLowIoSubmit: the slot of the operation is called once, its answer goes through the completion routine once, also when
 * it comes later; a request that need not be waited for answers STATUS_PENDING, and is completed all the same.
 */
static void test_low_io_submit(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR moved;

	(void)state;
	for (unsigned int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		low_vector[i].CommonRoutine = low_read;
	fcb_of(file)->PrivateDispatchVector = low_vector;
	for (unsigned int later = 0; later < 2; later++) {
		for (unsigned int async = 0; async < 2; async++) {
			RtlZeroMemory(&low, sizeof(low));
			rec.lowio = later != 0 ? REC_WORKER : REC_INLINE;
			assert_int_equal(req_run(file_read_make(file, 0, 100, async != 0), &moved),
					 STATUS_SUCCESS);
			assert_int_equal(moved, 100);
			assert_int_equal(low.completions, 1);
			assert_int_equal(low.information, 100);
			assert_int_equal(low.returned, async != 0 ? STATUS_PENDING : STATUS_SUCCESS);
		}
	}
	assert_int_equal(rec_seen(REC_READ), 4);
	rec.lowio = REC_INLINE;
	rec.status[REC_READ] = STATUS_IO_DEVICE_ERROR;
	RtlZeroMemory(&low, sizeof(low));
	assert_int_equal(req_run(file_read_make(file, 0, 100, false), NULL), STATUS_IO_DEVICE_ERROR);
	assert_int_equal(low.completions, 1);
	assert_int_equal(low.stored, STATUS_IO_DEVICE_ERROR);
	fcb_of(file)->PrivateDispatchVector = NULL;
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_flush_fcb_in_system_cache),
		REC_TEST(test_purge_fcb_in_system_cache),
		REC_TEST(test_process_fcb_change_buffering_state_request),
		REC_TEST(test_low_io_submit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
