/*
 * test_unused_slots.c - the slots of MINIRDR_DISPATCH that RDBSS has no use for. Row B-Unused_slots.
 */
#include "../support/rec.h"

static volatile LONG called;

static NTSTATUS NTAPI with_a_context(PRX_CONTEXT rxc)
{
	(void)rxc;
	InterlockedIncrement(&called);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI with_a_net_root(PMRX_NET_ROOT nr)
{
	(void)nr;
	InterlockedIncrement(&called);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI with_a_server(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	(void)sc;
	(void)context;
	InterlockedIncrement(&called);
	return STATUS_SUCCESS;
}

static void set_unused_slots(void)
{
	PMINIRDR_DISPATCH d = rec.device->Dispatch;

	called = 0;
	d->MRxCancel = with_a_context;
	d->MRxOpenPrintFile = with_a_context;
	d->MRxClosePrintFile = with_a_context;
	d->MRxWritePrintFile = with_a_context;
	d->MRxEnumeratePrintQueue = with_a_context;
	d->MRxClosedSrvOpenTimeOut = with_a_context;
	d->MRxClosedFcbTimeOut = with_a_context;
	d->MRxLowIOSubmit[LOWIO_OP_CLEAROUT] = with_a_context;
	d->MRxUpdateNetRootState = with_a_net_root;
	d->MRxCancelCreateSrvCall = with_a_server;
}

/* Each major function that a file or the device takes, with parameters of nothing. */
static void send_everything(PFILE_OBJECT file)
{
	UCHAR major, minor;

	for (major = 0; major <= IRP_MJ_MAXIMUM_FUNCTION; major++) {
		if (major == IRP_MJ_CREATE || major == IRP_MJ_CLEANUP || major == IRP_MJ_CLOSE)
			continue;
		for (minor = 0; minor <= 4; minor++) {
			struct req *r = req_make(file, major, minor);

			/* what waits for a change is cancelled */
			r->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
			if (req_send(r) == STATUS_PENDING)
				(void)IoCancelIrp(r->irp);
			(void)req_end(r, NULL);
		}
	}
}

static void use_a_file(void)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), dir;
	FILE_RENAME_INFORMATION rename = {.FileNameLength = 2, .FileName = {u'b'}};
	struct req *lock;

	assert_int_equal(req_run(file_read_make(file, 0, 10, true), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_write_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_LOCK, 0, 10, SL_EXCLUSIVE_LOCK), NULL),
			 STATUS_SUCCESS);
	send_everything(file);
	assert_int_equal(req_run(file_set_make(file, FileRenameInformation, &rename, sizeof(rename)), NULL),
			 STATUS_SUCCESS);

	/* a cancelled request */
	rec.lowio = REC_HOLD;
	lock = file_lock_make(file, IRP_MN_LOCK, 50, 10, SL_EXCLUSIVE_LOCK);
	lock->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
	assert_int_equal(req_send(lock), STATUS_PENDING);
	assert_true(IoCancelIrp(lock->irp));
	assert_int_equal(req_end(lock, NULL), STATUS_CANCELLED);
	rec.lowio = REC_INLINE;
	file_close(file);

	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	dir = file_open(REC_SHARE u"\\d");
	send_everything(dir);
	file_close(dir);
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
}

/* A delayed close and its end, the scavenger's other work, a connection that fails. */
static void use_the_rest(void)
{
	struct open_params p = {.name = u"\\none\\share\\a", .disposition = FILE_OPEN};
	LARGE_INTEGER hour = {.QuadPart = -3600 * 10000000LL};
	PFILE_OBJECT file;

	rec.buffering = FCB_STATE_COLLAPSING_ENABLED;
	file_close(file_open(REC_SHARE u"\\a"));
	rec.buffering = 0;
	(void)KeDelayExecutionThread(KernelMode, FALSE, &hour);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	rec.status[REC_CREATE_SRV_CALL] = STATUS_BAD_NETWORK_PATH;
	assert_int_equal(file_open_with(&p, &file, NULL), STATUS_BAD_NETWORK_PATH);
	rec.status[REC_CREATE_SRV_CALL] = STATUS_SUCCESS;
}

static void a_life(void *context)
{
	(void)context;
	rec_reset();
	rec_load();
	set_unused_slots();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	use_a_file();
	use_the_rest();
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

/* Set all the same, and never called in a life that uses everything else; hours pass on the virtual clock. */
static void test_B_Unused_slots_01_never_called(void **state)
{
	(void)state;
	assert_int_equal(nt_sim_run(1, a_life, NULL), 0);
	assert_int_equal(called, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_Unused_slots_01_never_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
