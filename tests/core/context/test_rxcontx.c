/*
 * RX_CONTEXT from its making to its end, and the completion of its IRP: rows of the behaviours B-RxCreateRxContext,
 * B-RxInitializeContext, B-RxDereferenceAndDeleteRxContext_Real, B-RxPrepareContextForReuse,
 * B-RxSetMinirdrCancelRoutine, B-RxCompleteRequest.
 */
#include <stdlib.h>

#include "../support/bare.h"
#include "../support/stops.h"

#include "core/context/context.h"
#include "core/trace/trace.h"

/* A context that was allocated is initialised, and says that it comes from the pool. */
static void test_B_RxCreateRxContext_01_from_pool(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	assert_non_null(rxc);
	assert_int_equal(NodeType(rxc), RDBSS_NTC_RX_CONTEXT);
	assert_int_equal(rxc->ReferenceCount, 1);
	assert_int_equal(rxc->Flags, RX_CONTEXT_FLAG_FROM_POOL);
	assert_int_equal(rec.device->NumberOfActiveContexts, 1);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* No memory: NULL, and nothing is counted. */
static void test_B_RxCreateRxContext_02_no_memory(void **state)
{
	PRX_CONTEXT rxc;

	(void)state;
	nt_fault_arm(0);
	rxc = RxCreateRxContext(NULL, rec.device, 0);
	assert_true(nt_fault_disarm());
	assert_null(rxc);
	assert_int_equal(rec.device->NumberOfActiveContexts, 0);
}

static bool was_posted;

static NTSTATUS NTAPI flush_where(PRX_CONTEXT rxc)
{
	was_posted = (rxc->Flags & RX_CONTEXT_FLAG_IN_FSP) != 0;
	return STATUS_SUCCESS;
}

static NTSTATUS keep_fcb_busy(PFILE_OBJECT file)
{
	NTSTATUS status = ExAcquireResourceExclusiveLite(fcb_of(file)->Header.Resource, TRUE)
				  ? STATUS_SUCCESS
				  : STATUS_UNSUCCESSFUL;

	ExSetResourceOwnerPointer(fcb_of(file)->Header.Resource, (PVOID)((ULONG_PTR)file | 3));
	return status;
}

static void release_fcb(PFILE_OBJECT file)
{
	ExReleaseResourceForThreadLite(fcb_of(file)->Header.Resource,
				       (ERESOURCE_THREAD)((ULONG_PTR)file | 3));
}

static void send(void *request)
{
	(void)req_send(request);
}

/* A request that may wait waits for a busy FCB on its own thread; one that may not is posted. */
static void test_B_RxCreateRxContext_03_waits_or_is_posted(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct nt_thread *thread;
	struct req *r;

	(void)state;
	rec.device->Dispatch->MRxFlush = flush_where;
	assert_int_equal(keep_fcb_busy(file), STATUS_SUCCESS);
	r = req_make(file, IRP_MJ_FLUSH_BUFFERS, 0); /* synchronous: RX_CONTEXT_FLAG_WAIT */
	was_posted = true;
	assert_int_equal(nt_thread_create("waits", send, r, &thread), STATUS_SUCCESS);
	WAIT_UNTIL(ExGetExclusiveWaiterCount(fcb_of(file)->Header.Resource) +
			   ExGetSharedWaiterCount(fcb_of(file)->Header.Resource) !=
		   0);
	assert_int_equal(rec.device->PostedRequestCount[CriticalWorkQueue], 0);
	release_fcb(file);
	nt_thread_join(thread);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	assert_false(was_posted);

	assert_int_equal(keep_fcb_busy(file), STATUS_SUCCESS);
	r = req_make(file, IRP_MJ_FLUSH_BUFFERS, 0);
	r->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
	assert_int_equal(req_send(r), STATUS_PENDING);
	release_fcb(file);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	assert_true(was_posted);
	file_close(file);
}

/* Memory of any content becomes a context of one reference, of its type and size, with a number and its device. */
static void test_B_RxInitializeContext_01_header(void **state)
{
	RX_CONTEXT rxc;

	(void)state;
	memset(&rxc, 0xcc, sizeof(rxc));
	RxInitializeContext(NULL, rec.device, 0, &rxc);
	assert_int_equal(rxc.ReferenceCount, 1);
	assert_int_equal(rxc.NodeTypeCode, RDBSS_NTC_RX_CONTEXT);
	assert_int_equal(rxc.NodeByteSize, sizeof(rxc));
	assert_int_not_equal(rxc.SerialNumber, 0);
	assert_int_not_equal(rxc.SerialNumber, 0xcccccccc);
	assert_ptr_equal(rxc.RxDeviceObject, rec.device);
	assert_int_equal(rxc.Flags, 0);
	RxDereferenceAndDeleteRxContext(&rxc);
}

/* The event is there, not signalled, and is reset by the wait; both lists are empty. */
static void test_B_RxInitializeContext_02_event_and_lists(void **state)
{
	LARGE_INTEGER now = {.QuadPart = 0};
	RX_CONTEXT rxc;

	(void)state;
	memset(&rxc, 0xcc, sizeof(rxc));
	RxInitializeContext(NULL, rec.device, 0, &rxc);
	assert_int_equal(KeReadStateEvent(&rxc.SyncEvent), 0);
	KeSetEvent(&rxc.SyncEvent, IO_NO_INCREMENT, FALSE);
	assert_int_equal(KeWaitForSingleObject(&rxc.SyncEvent, Executive, KernelMode, FALSE, &now),
			 STATUS_SUCCESS);
	assert_int_equal(KeWaitForSingleObject(&rxc.SyncEvent, Executive, KernelMode, FALSE, &now),
			 STATUS_TIMEOUT);
	assert_true(IsListEmpty(&rxc.ScavengerEntry.List));
	assert_true(IsListEmpty(&rxc.BlockedOperations));
	RxDereferenceAndDeleteRxContext(&rxc);
}

/* What the IRP says is in the context; each request of a FOBX has a number of its own. */
static void test_B_RxInitializeContext_03_follows_the_irp(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct bare *b = bare_make(file, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY);
	PRX_CONTEXT rxc = bare_context(b, 0);
	ULONG number = rxc->FobxSerialNumber;

	(void)state;
	assert_ptr_equal(rxc->CurrentIrp, b->irp);
	assert_ptr_equal(rxc->CurrentIrpSp, bare_sp(b));
	assert_ptr_equal(rxc->OriginalThread, PsGetCurrentThread());
	assert_int_equal(rxc->MajorFunction, IRP_MJ_DIRECTORY_CONTROL);
	assert_int_equal(rxc->MinorFunction, IRP_MN_QUERY_DIRECTORY);
	assert_ptr_equal(rxc->pFcb, file->FsContext);
	assert_ptr_equal(rxc->NonPagedFcb, fcb_of(file)->NonPaged);
	assert_ptr_equal(rxc->pFobx, file->FsContext2);
	assert_ptr_equal(rxc->pRelevantSrvOpen, fobx_of(file)->pSrvOpen);
	bare_drop(b);
	b = bare_make(file, IRP_MJ_READ, 0);
	assert_int_equal(bare_context(b, 0)->FobxSerialNumber, number + 1);
	bare_drop(b);
	file_close(file);
}

/* Is a request of this kind marked asynchronous? */
static bool is_async(PFILE_OBJECT file, UCHAR major, UCHAR minor, bool synchronous)
{
	struct bare *b = bare_make(file, major, minor);
	bool async;

	if (synchronous)
		b->irp->Flags |= IRP_SYNCHRONOUS_API;
	async = (bare_context(b, 0)->Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION) != 0;
	bare_drop(b);
	return async;
}

/* E-15: asynchronous, and of one of the kinds; neither alone is enough. */
static void test_B_RxInitializeContext_04_async_transfers(void **state)
{
	static const UCHAR kinds[] = {IRP_MJ_READ, IRP_MJ_WRITE, IRP_MJ_DEVICE_CONTROL};
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds); i++) {
		assert_true(is_async(file, kinds[i], 0, false));
		assert_false(is_async(file, kinds[i], 0, true));
	}
	assert_false(is_async(file, IRP_MJ_FLUSH_BUFFERS, 0, false));
	assert_false(is_async(file, IRP_MJ_QUERY_INFORMATION, 0, false));
	file_close(file);
}

/* Of the directory controls only the change notify. */
static void test_B_RxInitializeContext_05_async_notify(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_true(is_async(file, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY, false));
	assert_false(is_async(file, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY, true));
	assert_false(is_async(file, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY, false));
	file_close(file);
}

/* A control of a pipe may be asynchronous, one of a file never is. */
static void test_B_RxInitializeContext_06_async_pipe_control(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_false(is_async(file, IRP_MJ_FILE_SYSTEM_CONTROL, 0, false));
	fcb_of(file)->pNetRoot->Type = NET_ROOT_PIPE;
	assert_true(is_async(file, IRP_MJ_FILE_SYSTEM_CONTROL, 0, false));
	assert_false(is_async(file, IRP_MJ_FILE_SYSTEM_CONTROL, 0, true));
	fcb_of(file)->pNetRoot->Type = NET_ROOT_DISK;
	file_close(file);
}

static ULONG flags_of(PFILE_OBJECT file, PIRP top, bool own, PDEVICE_OBJECT device)
{
	struct bare *b = bare_make(file, IRP_MJ_READ, 0);
	ULONG flags;

	bare_sp(b)->DeviceObject = device;
	IoSetTopLevelIrp(own ? b->irp : top);
	flags = bare_context(b, 0)->Flags;
	IoSetTopLevelIrp(NULL);
	bare_drop(b);
	return flags;
}

/* Inside another IRP of this thread a request is recursive; as the top-level one it is not. */
static void test_B_RxInitializeContext_07_recursive(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct bare *outer = bare_make(file, IRP_MJ_WRITE, 0);
	PDEVICE_OBJECT device = &rec.device->DeviceObject;

	(void)state;
	(void)bare_context(outer, 0);
	assert_true(flags_of(file, outer->irp, false, device) & RX_CONTEXT_FLAG_RECURSIVE_CALL);
	assert_false(flags_of(file, NULL, true, device) & RX_CONTEXT_FLAG_RECURSIVE_CALL);
	assert_false(flags_of(file, NULL, false, device) & RX_CONTEXT_FLAG_RECURSIVE_CALL);
	bare_drop(outer);
	file_close(file);
}

/* This device is the top level only for IRPs that were sent to it. */
static void test_B_RxInitializeContext_08_top_level_device(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_true(flags_of(file, NULL, true, &rec.device->DeviceObject) &
		    RX_CONTEXT_FLAG_THIS_DEVICE_TOP_LEVEL);
	assert_false(flags_of(file, NULL, true, NULL) & RX_CONTEXT_FLAG_THIS_DEVICE_TOP_LEVEL);
	file_close(file);
}

/* The file object's write-through is the request's. */
static void test_B_RxInitializeContext_09_write_through(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PDEVICE_OBJECT device = &rec.device->DeviceObject;

	(void)state;
	assert_false(flags_of(file, NULL, true, device) & RX_CONTEXT_FLAG_WRITE_THROUGH);
	file->Flags |= FO_WRITE_THROUGH;
	assert_true(flags_of(file, NULL, true, device) & RX_CONTEXT_FLAG_WRITE_THROUGH);
	file_close(file);
}

/* Later contexts have larger numbers. */
static void test_B_RxInitializeContext_10_numbers_grow(void **state)
{
	ULONG before = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		RX_CONTEXT rxc;

		RxInitializeContext(NULL, rec.device, 0, &rxc);
		assert_true(rxc.SerialNumber > before);
		before = rxc.SerialNumber;
		RxDereferenceAndDeleteRxContext(&rxc);
	}
}

/* One of two references: the context stays, active. */
static void test_B_RxDereferenceAndDeleteRxContext_Real_01_survives(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	(void)RxReferenceRxContext(rxc);
	RxDereferenceAndDeleteRxContext(rxc);
	assert_int_equal(rxc->ReferenceCount, 1);
	assert_int_equal(NodeType(rxc), RDBSS_NTC_RX_CONTEXT);
	assert_int_equal(rec.device->NumberOfActiveContexts, 1);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* The last one: it is no longer found, pool memory goes back (the end of the test counts), other memory does not. */
static void test_B_RxDereferenceAndDeleteRxContext_Real_02_removed(void **state)
{
	struct bare *b = bare_make(NULL, IRP_MJ_DEVICE_CONTROL, 0);
	PRX_CONTEXT found;
	RX_CONTEXT own;

	(void)state;
	(void)bare_context(b, 0);
	found = rx_context_find_by_irp(b->irp);
	assert_ptr_equal(found, b->rxc);
	RxDereferenceAndDeleteRxContext(found);
	bare_drop(b);
	b = bare_make(NULL, IRP_MJ_DEVICE_CONTROL, 0);
	RxInitializeContext(b->irp, rec.device, 0, &own);
	RxDereferenceAndDeleteRxContext(&own);
	assert_int_not_equal(own.NodeTypeCode, RDBSS_NTC_RX_CONTEXT);
	assert_null(rx_context_find_by_irp(b->irp));
	assert_int_equal(rec.device->NumberOfActiveContexts, 0);
	(void)bare_context(b, 0);
	bare_drop(b);
}

/* E-08: the stopper is woken when only its own context is left, not before. */
static void test_B_RxDereferenceAndDeleteRxContext_Real_03_wakes_the_stopper(void **state)
{
	PRX_CONTEXT stop = RxCreateRxContext(NULL, rec.device, 0), a = RxCreateRxContext(NULL, rec.device, 0),
		    b = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	assert_true(rx_context_begin_stop(stop));
	RxDereferenceAndDeleteRxContext(a);
	assert_int_equal(KeReadStateEvent(&stop->SyncEvent), 0);
	RxDereferenceAndDeleteRxContext(b);
	assert_int_not_equal(KeReadStateEvent(&stop->SyncEvent), 0);
	rx_context_end_stop(stop);
	RxDereferenceAndDeleteRxContext(stop);
}

static void drop_it(void *rxc)
{
	RxDereferenceAndDeleteRxContext(rxc);
}

/* Whichever thread drops the last reference frees the context. */
static void test_B_RX_CONTEXT_design_01_from_any_thread(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, 0);
	struct nt_thread *thread;

	(void)state;
	(void)RxReferenceRxContext(rxc);
	RxDereferenceAndDeleteRxContext(rxc);
	assert_int_equal(rec.device->NumberOfActiveContexts, 1);
	assert_int_equal(nt_thread_create("last", drop_it, rxc, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	assert_int_equal(rec.device->NumberOfActiveContexts, 0);
}

/* What came from the IRP stays, what the operation left goes; the count is 0 until the caller puts 1 back (E-09). */
static void test_B_RxPrepareContextForReuse_01_what_stays(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct bare *b = bare_make(file, IRP_MJ_READ, 0);
	PRX_CONTEXT rxc = bare_context(b, 0);
	ULONG serial = rxc->SerialNumber;

	(void)state;
	rxc->MRxContext[3] = rxc;
	rxc->StoredStatus = STATUS_ACCESS_DENIED;
	rxc->InformationToReturn = 9;
	rxc->PostRequest = TRUE;
	rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount = 4;
	RxPrepareContextForReuse(rxc);
	assert_int_equal(rxc->ReferenceCount, 0);
	rxc->ReferenceCount = 1;
	assert_null(rxc->MRxContext[3]);
	assert_int_equal(rxc->StoredStatus, STATUS_SUCCESS);
	assert_int_equal(rxc->InformationToReturn, 0);
	assert_false(rxc->PostRequest);
	assert_int_equal(rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount, 0);
	assert_ptr_equal(rxc->CurrentIrp, b->irp);
	assert_ptr_equal(rxc->CurrentIrpSp, bare_sp(b));
	assert_int_equal(rxc->MajorFunction, IRP_MJ_READ);
	assert_ptr_equal(rxc->pFcb, file->FsContext);
	assert_ptr_equal(rxc->pFobx, file->FsContext2);
	assert_ptr_equal(rxc->pRelevantSrvOpen, fobx_of(file)->pSrvOpen);
	assert_int_equal(rxc->SerialNumber, serial);
	bare_drop(b);
	file_close(file);
}

static PRX_CONTEXT reused;

static void reuse(void)
{
	RxPrepareContextForReuse(reused);
	reused->ReferenceCount = 1;
}

/* A create that still owns its name may not be used again. */
static void test_B_RxPrepareContextForReuse_02_name_left(void **state)
{
	WCHAR name[] = u"\\a";

	(void)state;
	reused = RxCreateRxContext(NULL, rec.device, 0);
	reused->MajorFunction = IRP_MJ_CREATE;
	assert_true(runs_through(reuse));
	reused->Create.CanonicalNameBuffer = name;
#ifndef NDEBUG
	assert_true(stops_with(reuse, "CanonicalNameBuffer"));
#else
	assert_true(runs_through(reuse));
#endif
	reused->Create.CanonicalNameBuffer = NULL;
	RxDereferenceAndDeleteRxContext(reused);
}

/* Nor a read or a write that stands in a queue. */
static void test_B_RxPrepareContextForReuse_03_still_queued(void **state)
{
	static const UCHAR kinds[] = {IRP_MJ_READ, IRP_MJ_WRITE};
	LIST_ENTRY queue;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds); i++) {
		InitializeListHead(&queue);
		reused = RxCreateRxContext(NULL, rec.device, 0);
		reused->MajorFunction = kinds[i];
		assert_true(runs_through(reuse));
		assert_int_equal(RxSynchronizeBlockingOperations(reused, NULL, &queue), STATUS_SUCCESS);
#ifndef NDEBUG
		assert_true(stops_with(reuse, "RxContextSerializationQLinks"));
#else
		assert_true(runs_through(reuse));
#endif
		RxResumeBlockedOperations_Serially(reused, &queue);
		RxDereferenceAndDeleteRxContext(reused);
	}
}

static volatile LONG cancels;

static NTSTATUS NTAPI count_cancel(PRX_CONTEXT rxc)
{
	(void)rxc;
	InterlockedIncrement(&cancels);
	return STATUS_SUCCESS;
}

/* Cancelled already: the answer says so, and the routine never runs. */
static void test_B_RxSetMinirdrCancelRoutine_01_too_late(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	cancels = 0;
	rx_cancel_context(rxc);
	assert_int_equal(RxSetMinirdrCancelRoutine(rxc, count_cancel), STATUS_CANCELLED);
	assert_true(rxc->Flags & RX_CONTEXT_FLAG_CANCELLED);
	assert_ptr_not_equal(rxc->MRxCancelRoutine, count_cancel);
	rx_cancel_context(rxc);
	assert_int_equal(cancels, 0);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* In time: it is set, a cancel runs it, once; taken back it does not run. */
static void test_B_RxSetMinirdrCancelRoutine_02_set(void **state)
{
	PRX_CONTEXT a = RxCreateRxContext(NULL, rec.device, 0), b = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	cancels = 0;
	assert_int_equal(RxSetMinirdrCancelRoutine(a, count_cancel), STATUS_SUCCESS);
	assert_ptr_equal(a->MRxCancelRoutine, count_cancel);
	rx_cancel_context(a);
	rx_cancel_context(a);
	assert_int_equal(cancels, 1);
	assert_int_equal(RxSetMinirdrCancelRoutine(b, count_cancel), STATUS_SUCCESS);
	assert_int_equal(RxSetMinirdrCancelRoutine(b, NULL), STATUS_SUCCESS);
	rx_cancel_context(b);
	assert_int_equal(cancels, 1);
	RxDereferenceAndDeleteRxContext(a);
	RxDereferenceAndDeleteRxContext(b);
}

/* The status is the answer, and the IRP's. */
static void test_B_RxCompleteRequest_01_status(void **state)
{
	static const NTSTATUS statuses[] = {STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW, STATUS_ACCESS_DENIED};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct bare *b = bare_make(NULL, IRP_MJ_DEVICE_CONTROL, 0);

		assert_int_equal(RxCompleteRequest(bare_context(b, 0), statuses[i]), statuses[i]);
		assert_int_equal(b->completions, 1);
		assert_int_equal(bare_end(b), statuses[i]);
	}
}

/* Completing takes one reference of the context, not all; without a context the IRP alone is completed. */
static void test_B_RxCompleteRequest_Real_01_one_reference(void **state)
{
	struct bare *b = bare_make(NULL, IRP_MJ_DEVICE_CONTROL, 0);
	PRX_CONTEXT rxc = bare_context(b, 0);

	(void)state;
	(void)RxReferenceRxContext(rxc);
	RxCompleteRequest_Real(rxc, b->irp, STATUS_SUCCESS);
	assert_int_equal(rxc->ReferenceCount, 1);
	RxDereferenceAndDeleteRxContext(rxc);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
	assert_int_equal(rec.device->NumberOfActiveContexts, 0);

	b = bare_make(NULL, IRP_MJ_DEVICE_CONTROL, 0);
	RxCompleteRequest_Real(NULL, b->irp, STATUS_NOT_SUPPORTED);
	assert_int_equal(bare_end(b), STATUS_NOT_SUPPORTED);
}

static unsigned int lines_without_an_irp(void)
{
	unsigned int lines = 0;
	char *text = NULL, *at;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	assert_non_null(stream);
	rx_log_dump(stream);
	assert_int_equal(fclose(stream), 0);
	for (at = text; (at = strstr(at, "completion without an IRP")) != NULL; at++)
		lines++;
	free(text);
	return lines;
}

/* Without an IRP there is nothing to complete: the log says so, and the context's reference goes all the same. */
static void test_B_RxCompleteRequest_Real_02_no_irp(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	assert_int_equal(lines_without_an_irp(), 0);
	RxCompleteRequest_Real(rxc, NULL, STATUS_SUCCESS);
	assert_int_equal(lines_without_an_irp(), 1);
	assert_int_equal(rec.device->NumberOfActiveContexts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_RxCreateRxContext_01_from_pool),
		REC_TEST(test_B_RxCreateRxContext_02_no_memory),
		REC_TEST(test_B_RxCreateRxContext_03_waits_or_is_posted),
		REC_TEST(test_B_RxInitializeContext_01_header),
		REC_TEST(test_B_RxInitializeContext_02_event_and_lists),
		REC_TEST(test_B_RxInitializeContext_03_follows_the_irp),
		REC_TEST(test_B_RxInitializeContext_04_async_transfers),
		REC_TEST(test_B_RxInitializeContext_05_async_notify),
		REC_TEST(test_B_RxInitializeContext_06_async_pipe_control),
		REC_TEST(test_B_RxInitializeContext_07_recursive),
		REC_TEST(test_B_RxInitializeContext_08_top_level_device),
		REC_TEST(test_B_RxInitializeContext_09_write_through),
		REC_TEST(test_B_RxInitializeContext_10_numbers_grow),
		REC_TEST(test_B_RxDereferenceAndDeleteRxContext_Real_01_survives),
		REC_TEST(test_B_RxDereferenceAndDeleteRxContext_Real_02_removed),
		REC_TEST(test_B_RxDereferenceAndDeleteRxContext_Real_03_wakes_the_stopper),
		REC_TEST(test_B_RX_CONTEXT_design_01_from_any_thread),
		REC_TEST(test_B_RxPrepareContextForReuse_01_what_stays),
		REC_TEST(test_B_RxPrepareContextForReuse_02_name_left),
		REC_TEST(test_B_RxPrepareContextForReuse_03_still_queued),
		REC_TEST(test_B_RxSetMinirdrCancelRoutine_01_too_late),
		REC_TEST(test_B_RxSetMinirdrCancelRoutine_02_set),
		REC_TEST(test_B_RxCompleteRequest_01_status),
		REC_TEST(test_B_RxCompleteRequest_Real_01_one_reference),
		REC_TEST(test_B_RxCompleteRequest_Real_02_no_irp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
