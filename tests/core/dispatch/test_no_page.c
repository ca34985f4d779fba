/* test_no_page.c - routines of the interface that have no page: what their comments promise. */
#include "../support/rec.h"

/* The share of a FOBX in the open at the server is given back once, without a request of its own; a second call and the close do no more. */
static void test_close_associated_srv_open(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	PFOBX fobx = fobx_of(file);
	LONG before = rec_seen(REC_CLOSE);

	(void)state;
	assert_int_equal(file_cleanup(file), STATUS_SUCCESS);
	assert_int_equal(RxAcquireExclusiveFcbResourceInMRx((PMRX_FCB)fcb_of(file)), STATUS_SUCCESS);
	assert_false(fobx->fOpenCountDecremented);
	assert_int_equal(RxCloseAssociatedSrvOpen(NULL, fobx), STATUS_SUCCESS);
	assert_true(fobx->fOpenCountDecremented);
	assert_int_equal(fobx->pSrvOpen->OpenCount, 0);
	assert_int_equal(rec_seen(REC_CLOSE), before + 1);
	assert_int_equal(RxCloseAssociatedSrvOpen(NULL, fobx), STATUS_SUCCESS);
	RxReleaseFcbResourceInMRx((PMRX_FCB)fcb_of(file));
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
	assert_int_equal(rec_seen(REC_CLOSE), before + 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* Change notifies of a view: without force they are only reported; with it each ends with STATUS_CANCELLED. */
static void test_cancel_notify_requests_of_a_view(void **state)
{
	PFILE_OBJECT dir;
	PV_NET_ROOT vnr;
	struct req *r;

	(void)state;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	rec.lowio = REC_HOLD;
	dir = file_open(REC_SHARE u"\\dir");
	vnr = (PV_NET_ROOT)fobx_of(dir)->pSrvOpen->pVNetRoot;
	assert_int_equal(RxCancelNotifyChangeDirectoryRequestsForVNetRoot(vnr, FALSE), STATUS_SUCCESS);
	r = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY);
	r->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
	r->irp->AssociatedIrp.SystemBuffer = NULL;
	r->irp->UserBuffer = r->buffer;
	req_sp(r)->Parameters.NotifyDirectory.Length = sizeof(r->buffer);
	req_sp(r)->Parameters.NotifyDirectory.CompletionFilter = FILE_NOTIFY_CHANGE_FILE_NAME;
	assert_int_equal(req_send(r), STATUS_PENDING);
	rec_wait_held(1);
	assert_int_equal(RxCancelNotifyChangeDirectoryRequestsForVNetRoot(vnr, FALSE), STATUS_FILES_OPEN);
	assert_int_equal(r->completions, 0);
	assert_int_equal(RxCancelNotifyChangeDirectoryRequestsForVNetRoot(vnr, TRUE), STATUS_SUCCESS);
	assert_int_equal(req_end(r, NULL), STATUS_CANCELLED);
	assert_int_equal(RxCancelNotifyChangeDirectoryRequestsForVNetRoot(vnr, FALSE), STATUS_SUCCESS);
	file_close(dir);
}

/* The form without an FCB: the first request of a queue goes on and stands in it until it leaves. */
static void test_synchronize_without_an_fcb(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	LIST_ENTRY queue;

	(void)state;
	InitializeListHead(&queue);
	assert_int_equal(__RxSynchronizeBlockingOperationsMaybeDroppingFcbLock(rxc, &queue, FALSE),
			 STATUS_SUCCESS);
	assert_false(IsListEmpty(&queue));
	RxResumeBlockedOperations_Serially(rxc, &queue);
	assert_true(IsListEmpty(&queue));
	RxDereferenceAndDeleteRxContext(rxc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_close_associated_srv_open),
		REC_TEST(test_cancel_notify_requests_of_a_view),
		REC_TEST(test_synchronize_without_an_fcb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
