/*
 * RX_CONTEXT: initialisation, references, the serialisation queue, multiplex ids.
 */
#include "../support/rec.h"

#include "midatlax.h"

/* B-RxCreateRxContext-01, B-RxInitializeContext-01, -02, -10. */
static void test_create(void **state)
{
	PRX_CONTEXT a = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	PRX_CONTEXT b = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(NodeType(a), RDBSS_NTC_RX_CONTEXT);
	assert_int_equal(a->NodeByteSize, sizeof(*a));
	assert_int_equal(a->ReferenceCount, 1);
	assert_ptr_equal(a->RxDeviceObject, rec.device);
	assert_true(a->Flags & RX_CONTEXT_FLAG_FROM_POOL);
	assert_true(a->Flags & RX_CONTEXT_FLAG_WAIT);
	assert_true(b->SerialNumber > a->SerialNumber);
	assert_true(IsListEmpty(&a->BlockedOperations));
	assert_int_equal(KeReadStateEvent(&a->SyncEvent), 0);
	/* B-RxDereferenceAndDeleteRxContext_Real-01, -02 */
	(void)RxReferenceRxContext(a);
	RxDereferenceAndDeleteRxContext(a);
	assert_int_equal(a->ReferenceCount, 1);
	RxDereferenceAndDeleteRxContext(a);
	RxDereferenceAndDeleteRxContext(b);
}

/* A context in the caller's memory leaves no trace when it is over. */
static void test_initialize_on_the_stack(void **state)
{
	RX_CONTEXT rxc;
	ULONG before = rec.device->NumberOfActiveContexts;

	(void)state;
	RxInitializeContext(NULL, rec.device, 0, &rxc);
	assert_int_equal(rec.device->NumberOfActiveContexts, before + 1);
	assert_false(rxc.Flags & RX_CONTEXT_FLAG_FROM_POOL);
	RxDereferenceAndDeleteRxContext(&rxc);
	assert_int_equal(rec.device->NumberOfActiveContexts, before);
}

/* A context for an IRP that is not sent anywhere. */
static PRX_CONTEXT context_of(struct req *r, PRX_CONTEXT rxc)
{
	IoSetNextIrpStackLocation(r->irp);
	IoGetCurrentIrpStackLocation(r->irp)->DeviceObject = &rec.device->DeviceObject;
	RxInitializeContext(r->irp, rec.device, 0, rxc);
	return rxc;
}

static void context_end(struct req *r, PRX_CONTEXT rxc)
{
	RxDereferenceAndDeleteRxContext(rxc);
	IoSkipCurrentIrpStackLocation(r->irp);
	KeSetEvent(&r->done, IO_NO_INCREMENT, FALSE);
	r->completions = 1;
	(void)req_end(r, NULL);
}

/* B-RxInitializeContext-03, -04, -09, and E-15: a synchronous read is not asynchronous. */
static void test_irp_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = file_read_make(file, 0, 10, true);
	RX_CONTEXT rxc;

	(void)state;
	file->Flags |= FO_WRITE_THROUGH;
	context_of(r, &rxc);
	assert_ptr_equal(rxc.CurrentIrp, r->irp);
	assert_int_equal(rxc.MajorFunction, IRP_MJ_READ);
	assert_ptr_equal(rxc.pFcb, file->FsContext);
	assert_ptr_equal(rxc.pFobx, file->FsContext2);
	assert_ptr_equal(rxc.NonPagedFcb, fcb_of(file)->NonPaged);
	assert_ptr_equal(rxc.pRelevantSrvOpen, fobx_of(file)->pSrvOpen);
	assert_true(rxc.Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION);
	assert_true(rxc.Flags & RX_CONTEXT_FLAG_WRITE_THROUGH);
	assert_true(rxc.Flags & RX_CONTEXT_FLAG_THIS_DEVICE_TOP_LEVEL);
	context_end(r, &rxc);

	r = file_read_make(file, 0, 10, false);
	context_of(r, &rxc);
	assert_false(rxc.Flags & RX_CONTEXT_FLAG_ASYNC_OPERATION);
	context_end(r, &rxc);

	/* B-RxInitializeContext-07 */
	r = file_read_make(file, 0, 10, false);
	{
		struct req *outer = req_make(file, IRP_MJ_WRITE, 0);

		IoSetTopLevelIrp(outer->irp);
		context_of(r, &rxc);
		assert_true(rxc.Flags & RX_CONTEXT_FLAG_RECURSIVE_CALL);
		IoSetTopLevelIrp(NULL);
		context_end(r, &rxc);
		outer->completions = 1;
		KeSetEvent(&outer->done, IO_NO_INCREMENT, FALSE);
		(void)req_end(outer, NULL);
	}
	file_close(file);
}

static NTSTATUS NTAPI never(PRX_CONTEXT rxc)
{
	(void)rxc;
	return STATUS_UNSUCCESSFUL;
}

/* B-RxSetMinirdrCancelRoutine-02: a routine can be set, changed and taken back. */
static void test_set_cancel_routine(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	assert_int_equal(RxSetMinirdrCancelRoutine(rxc, never), STATUS_SUCCESS);
	assert_ptr_equal(rxc->MRxCancelRoutine, never);
	assert_int_equal(RxSetMinirdrCancelRoutine(rxc, NULL), STATUS_SUCCESS);
	assert_null(rxc->MRxCancelRoutine);
	RxDereferenceAndDeleteRxContext(rxc);
}

/* B-RxPrepareContextForReuse-01, E-09. */
static void test_prepare_for_reuse(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, 0);

	(void)state;
	rxc->MRxContext[0] = rxc;
	rxc->InformationToReturn = 5;
	rxc->LowIoContext.Operation = LOWIO_OP_IOCTL;
	RxPrepareContextForReuse(rxc);
	assert_int_equal(rxc->ReferenceCount, 0);
	assert_null(rxc->MRxContext[0]);
	assert_int_equal(rxc->InformationToReturn, 0);
	assert_int_equal(rxc->LowIoContext.Operation, 0);
	rxc->ReferenceCount = 1;
	RxDereferenceAndDeleteRxContext(rxc);
}

struct blocked {
	PRX_CONTEXT rxc;
	LIST_ENTRY *queue;
	NTSTATUS status;
	volatile LONG entered;
};

static void enter_queue(void *context)
{
	struct blocked *b = context;

	InterlockedIncrement(&b->entered);
	b->status = RxSynchronizeBlockingOperations(b->rxc, NULL, b->queue);
	InterlockedIncrement(&b->entered);
}

/* B-RxSynchronizeBlockingOperations-02, B-RxResumeBlockedOperations_Serially-01: one at a time, in order. */
static void test_serialised_operations(void **state)
{
	PRX_CONTEXT first = RxCreateRxContext(NULL, rec.device, 0),
		    second = RxCreateRxContext(NULL, rec.device, 0);
	LIST_ENTRY queue;
	struct blocked b = {second, &queue, STATUS_UNSUCCESSFUL, 0};
	struct nt_thread *thread;

	(void)state;
	InitializeListHead(&queue);
	assert_int_equal(RxSynchronizeBlockingOperations(first, NULL, &queue), STATUS_SUCCESS);
	assert_int_equal(nt_thread_create("second", enter_queue, &b, &thread), STATUS_SUCCESS);
	while (InterlockedExchangeAdd(&b.entered, 0) == 0)
		nt_sim_point();
	RxResumeBlockedOperations_Serially(first, &queue);
	/* the second may have been first to reach the queue, or wait in it: it gets its turn in both cases */
	nt_thread_join(thread);
	assert_int_equal(b.status, STATUS_SUCCESS);
	RxResumeBlockedOperations_Serially(second, &queue);
	assert_true(IsListEmpty(&queue));
	/* on an empty queue nothing happens */
	RxResumeBlockedOperations_Serially(second, &queue);
	RxDereferenceAndDeleteRxContext(first);
	RxDereferenceAndDeleteRxContext(second);
}

/* Multiplex ids: unique while in use, unknown afterwards, never 0xffff, bounded. */
static void test_mids(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(50, 4);
	int contexts[50];
	USHORT mids[50], extra;
	PVOID context;
	unsigned int i, round;

	(void)state;
	assert_non_null(atlas);
	for (i = 0; i < 50; i++) {
		assert_int_equal(RxAssociateContextWithMid(atlas, &contexts[i], &mids[i]), STATUS_SUCCESS);
		assert_ptr_equal(RxMapMidToContext(atlas, mids[i]), &contexts[i]);
	}
	/* B-RxAssociateContextWithMid-01 */
	assert_int_equal(RxAssociateContextWithMid(atlas, &contexts[0], &extra), STATUS_UNSUCCESSFUL);
	/* B-RxReassociateMid-01 */
	assert_int_equal(RxReassociateMid(atlas, mids[7], &contexts[8]), STATUS_SUCCESS);
	assert_ptr_equal(RxMapMidToContext(atlas, mids[7]), &contexts[8]);
	/* B-RxMapAndDissociateMidFromContext-01, B-RxMapMidToContext-01 */
	assert_int_equal(RxMapAndDissociateMidFromContext(atlas, mids[3], &context), STATUS_SUCCESS);
	assert_ptr_equal(context, &contexts[3]);
	assert_null(RxMapMidToContext(atlas, mids[3]));
	assert_int_equal(RxMapAndDissociateMidFromContext(atlas, mids[3], &context), STATUS_SUCCESS);
	assert_null(context);
	for (round = 0; round < 3000; round++) {
		USHORT mid;

		assert_int_equal(RxAssociateContextWithMid(atlas, &contexts[3], &mid), STATUS_SUCCESS);
		assert_int_not_equal(mid, 0xffff);
		assert_int_not_equal(mid, mids[3]); /* the last one's late reply finds nothing */
		mids[3] = mid;
		(void)RxMapAndDissociateMidFromContext(atlas, mid, &context);
		assert_ptr_equal(context, &contexts[3]);
	}
	RxDestroyMidAtlas(atlas, NULL);
}

static int destroyed;

static VOID NTAPI count_destroyed(PVOID context)
{
	(void)context;
	destroyed++;
}

/* B-RxDestroyMidAtlas-01. */
static void test_mid_destructor(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(10, 0);
	int contexts[3];
	USHORT mid;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(RxAssociateContextWithMid(atlas, &contexts[i], &mid), STATUS_SUCCESS);
	destroyed = 0;
	RxDestroyMidAtlas(atlas, count_destroyed);
	assert_int_equal(destroyed, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_create),
		REC_TEST(test_initialize_on_the_stack),
		REC_TEST(test_irp_parameters),
		REC_TEST(test_set_cancel_routine),
		REC_TEST(test_prepare_for_reuse),
		REC_TEST(test_serialised_operations),
		REC_TEST(test_mids),
		REC_TEST(test_mid_destructor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
