/*
 * Requests that go on in the file system process: rows B-RxFsdPostRequest, B-FSP_rules, and what an RX_CONTEXT carries
 * there, B-RX_CONTEXT.
 */
#include "../support/bare.h"

#include "core/context/context.h"

/* What a posted request found on its worker. */
static struct {
	volatile LONG runs;
	PEPROCESS process;
	PETHREAD thread;
	PIRP top;
	ULONG flags;
	PMDL mdl;
	KEVENT go_on;
} posted;

static NTSTATUS NTAPI look(PRX_CONTEXT rxc, PIRP irp)
{
	posted.process = PsGetCurrentProcess();
	posted.thread = PsGetCurrentThread();
	posted.top = IoGetTopLevelIrp();
	posted.flags = rxc->Flags;
	posted.mdl = irp->MdlAddress;
	InterlockedIncrement(&posted.runs);
	return STATUS_SUCCESS;
}

static struct bare *make(UCHAR major, UCHAR minor, ULONG flags)
{
	struct bare *b = bare_make(NULL, major, minor);

	RtlZeroMemory(&posted, sizeof(posted));
	bare_context(b, flags)->ResumeRoutine = look;
	return b;
}

/* Posted or not, the answer is that it comes later; a buffer that cannot be locked is the IRP's error. */
static void test_B_RxFsdPostRequest_01_always_pending(void **state)
{
	struct bare *b = make(IRP_MJ_DEVICE_CONTROL, 0, 0);
	UCHAR buffer[64];

	(void)state;
	assert_int_equal(RxFsdPostRequest(b->rxc), STATUS_PENDING);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
	assert_int_equal(posted.runs, 1);

	b = make(IRP_MJ_READ, 0, 0);
	bare_sp(b)->Parameters.Read.Length = sizeof(buffer);
	b->irp->UserBuffer = buffer;
	nt_fault_arm(0);
	assert_int_equal(RxFsdPostRequest(b->rxc), STATUS_PENDING);
	assert_true(nt_fault_disarm());
	assert_int_equal(bare_end(b), STATUS_INSUFFICIENT_RESOURCES);
	assert_int_equal(posted.runs, 0);
}

#define BOTH_QUEUES (RX_CONTEXT_FLAG_FSP_DELAYED_OVERFLOW_QUEUE | RX_CONTEXT_FLAG_FSP_CRITICAL_OVERFLOW_QUEUE)

/* The question who owns a prefix takes the delayed queue. */
static void test_B_RxFsdPostRequest_02_prefix_query(void **state)
{
	struct bare *b = make(IRP_MJ_DEVICE_CONTROL, 0, 0);

	(void)state;
	bare_sp(b)->Parameters.DeviceIoControl.IoControlCode = IOCTL_REDIR_QUERY_PATH;
	assert_int_equal(RxFsdPostRequest(b->rxc), STATUS_PENDING);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
	assert_int_equal(posted.flags & BOTH_QUEUES, RX_CONTEXT_FLAG_FSP_DELAYED_OVERFLOW_QUEUE);
}

/* Everything else takes the critical one. */
static void test_B_RxFsdPostRequest_03_others(void **state)
{
	static const UCHAR kinds[] = {IRP_MJ_DEVICE_CONTROL, IRP_MJ_FLUSH_BUFFERS, IRP_MJ_QUERY_INFORMATION};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds); i++) {
		struct bare *b = make(kinds[i], 0, 0);

		assert_int_equal(RxFsdPostRequest(b->rxc), STATUS_PENDING);
		assert_int_equal(bare_end(b), STATUS_SUCCESS);
		assert_int_equal(posted.flags & BOTH_QUEUES, RX_CONTEXT_FLAG_FSP_CRITICAL_OVERFLOW_QUEUE);
	}
}

/* Does a request of this kind have its user's buffer locked when its worker sees it? */
static bool is_locked(UCHAR major, UCHAR minor, ULONG flags)
{
	struct bare *b = make(major, minor, flags);
	UCHAR buffer[64];

	b->irp->UserBuffer = buffer;
	switch (major) {
	case IRP_MJ_READ:
		bare_sp(b)->Parameters.Read.Length = sizeof(buffer);
		break;
	case IRP_MJ_WRITE:
		bare_sp(b)->Parameters.Write.Length = sizeof(buffer);
		break;
	case IRP_MJ_DIRECTORY_CONTROL:
		bare_sp(b)->Parameters.QueryDirectory.Length = sizeof(buffer);
		break;
	case IRP_MJ_QUERY_EA:
		bare_sp(b)->Parameters.QueryEa.Length = sizeof(buffer);
		break;
	case IRP_MJ_SET_EA:
		bare_sp(b)->Parameters.SetEa.Length = sizeof(buffer);
		break;
	default:
		break;
	}
	assert_int_equal(RxFsdPostRequest(b->rxc), STATUS_PENDING);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
	assert_int_equal(posted.runs, 1);
	return posted.mdl != NULL;
}

/* The five kinds that use the caller's buffer have it locked before they leave his thread, unless that was done. */
static void test_B_RxFsdPostRequest_04_buffers(void **state)
{
	(void)state;
	assert_true(is_locked(IRP_MJ_READ, 0, 0));
	assert_true(is_locked(IRP_MJ_WRITE, 0, 0));
	assert_true(is_locked(IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY, 0));
	assert_true(is_locked(IRP_MJ_QUERY_EA, 0, 0));
	assert_true(is_locked(IRP_MJ_SET_EA, 0, 0));
	assert_false(is_locked(IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY, 0));
	assert_false(is_locked(IRP_MJ_FLUSH_BUFFERS, 0, 0));
	assert_false(is_locked(IRP_MJ_READ, 0, RX_CONTEXT_FLAG_NO_PREPOSTING_NEEDED));
	assert_false(is_locked(IRP_MJ_SET_EA, 0, RX_CONTEXT_FLAG_NO_PREPOSTING_NEEDED));
}

/* A transfer of cache pages has no buffer of its caller. */
static void test_B_FSP_rules_03_mdl_transfers(void **state)
{
	(void)state;
	assert_false(is_locked(IRP_MJ_READ, IRP_MN_MDL, 0));
	assert_false(is_locked(IRP_MJ_WRITE, IRP_MN_MDL, 0));
}

static NTSTATUS NTAPI look_when_told(PRX_CONTEXT rxc, PIRP irp)
{
	(void)KeWaitForSingleObject(&posted.go_on, Executive, KernelMode, FALSE, NULL);
	return look(rxc, irp);
}

#define MANY 100

/* So many at once, then they wait in the overflow queue, from where all of them are served in the end. */
static void test_B_RxFsdPostRequest_05_overflow(void **state)
{
	struct bare *b[MANY];
	LONG busy;
	unsigned int i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		b[i] = make(IRP_MJ_DEVICE_CONTROL, 0, 0);
		b[i]->rxc->ResumeRoutine = look_when_told;
	}
	KeInitializeEvent(&posted.go_on, NotificationEvent, FALSE);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(RxFsdPostRequest(b[i]->rxc), STATUS_PENDING);
		busy = (LONG)rec.device->PostedRequestCount[CriticalWorkQueue];
		/* at once as long as there is room, and to the end of the queue only then */
		assert_int_equal(busy + (LONG)rec.device->OverflowQueueCount[CriticalWorkQueue], i + 1);
		assert_true(busy == (LONG)i + 1 ||
			    IsListEmpty(&rec.device->OverflowQueue[CriticalWorkQueue]) == FALSE);
	}
	assert_in_range(busy, 1, MANY - 1);
	assert_ptr_equal(rec.device->OverflowQueue[CriticalWorkQueue].Blink,
			 &b[MANY - 1]->rxc->OverflowListEntry);
	KeSetEvent(&posted.go_on, IO_NO_INCREMENT, FALSE);
	for (i = 0; i < MANY; i++)
		assert_int_equal(bare_end(b[i]), STATUS_SUCCESS);
	assert_int_equal(posted.runs, MANY);
	WAIT_UNTIL(rec.device->PostedRequestCount[CriticalWorkQueue] == 0);
	assert_int_equal(rec.device->OverflowQueueCount[CriticalWorkQueue], 0);
}

/* The request is dispatched again: in the RDBSS process, on a worker that may wait, as the top-level IRP. */
static void test_B_RxFsdPostRequest_06_dispatched_again(void **state)
{
	struct bare *b = make(IRP_MJ_FLUSH_BUFFERS, 0, 0);

	(void)state;
	assert_int_equal(RxFsdPostRequest(b->rxc), STATUS_PENDING);
	WAIT_UNTIL(InterlockedExchangeAdd(&b->completions, 0) == 1);
	assert_int_equal(posted.runs, 1);
	assert_ptr_equal(posted.process, RxGetRDBSSProcess());
	assert_ptr_not_equal(posted.thread, PsGetCurrentThread());
	assert_ptr_equal(posted.top, b->irp);
	assert_true(posted.flags & RX_CONTEXT_FLAG_IN_FSP);
	assert_true(posted.flags & RX_CONTEXT_FLAG_WAIT);
	assert_int_equal(bare_end(b), STATUS_SUCCESS);
}

/* ---- a driver that asks for it ---- */

static volatile LONG asked;
static PEPROCESS served_in;
static PVOID kept[MRX_CONTEXT_FIELD_COUNT];

static NTSTATUS NTAPI flush_in_the_process(PRX_CONTEXT rxc)
{
	unsigned int i;

	if (InterlockedIncrement(&asked) == 1) {
		for (i = 0; i < MRX_CONTEXT_FIELD_COUNT; i++)
			rxc->MRxContext[i] = &kept[i];
		rxc->PostRequest = TRUE;
		return STATUS_PENDING;
	}
	RtlCopyMemory(kept, rxc->MRxContext, sizeof(kept));
	served_in = PsGetCurrentProcess();
	return STATUS_DISK_FULL; /* the answer of the second time is the request's */
}

static void flush_twice(void)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_FLUSH_BUFFERS, 0);

	asked = 0;
	served_in = NULL;
	RtlZeroMemory(kept, sizeof(kept));
	rec.device->Dispatch->MRxFlush = flush_in_the_process;
	assert_int_equal(req_send(r), STATUS_PENDING);
	assert_int_equal(req_end(r, NULL), STATUS_DISK_FULL);
	assert_int_equal(asked, 2);
	file_close(file);
}

/* PostRequest has the request run again in the file system process. */
static void test_B_RX_CONTEXT_02_post_request(void **state)
{
	(void)state;
	flush_twice();
	assert_ptr_equal(served_in, RxGetRDBSSProcess());
}

/* And so does STATUS_PENDING with it, for a request whose caller waits as well: it is the core that posts. */
static void test_B_FSP_rules_01_pending_and_post(void **state)
{
	(void)state;
	flush_twice();
	assert_int_equal(rec.device->OverflowQueueCount[CriticalWorkQueue], 0);
	WAIT_UNTIL(rec.device->PostedRequestCount[CriticalWorkQueue] == 0);
}

/* Four pointers of the driver travel with the request. */
static void test_B_RX_CONTEXT_03_four_pointers(void **state)
{
	RX_CONTEXT rxc;
	unsigned int i;

	(void)state;
	assert_int_equal(sizeof(rxc.MRxContext), 4 * sizeof(PVOID));
	flush_twice();
	for (i = 0; i < 4; i++)
		assert_ptr_equal(kept[i], &kept[i]);
}

/* ---- what every slot finds ---- */

static MINIRDR_DISPATCH original;
static volatile LONG entered, not_pending;

static void note(PRX_CONTEXT rxc)
{
	InterlockedIncrement(&entered);
	if (!rxc->PendingReturned)
		InterlockedIncrement(&not_pending);
}

#define WATCHED(slot) \
	static NTSTATUS NTAPI watched_##slot(PRX_CONTEXT rxc) \
	{ \
		note(rxc); \
		return original.slot(rxc); \
	}

WATCHED(MRxCreate)
WATCHED(MRxShouldTryToCollapseThisOpen)
WATCHED(MRxCollapseOpen)
WATCHED(MRxFlush)
WATCHED(MRxCleanupFobx)
WATCHED(MRxCloseSrvOpen)
WATCHED(MRxQueryFileInfo)
WATCHED(MRxSetFileInfo)
WATCHED(MRxQueryVolumeInfo)
WATCHED(MRxQueryDirectory)

/* PendingReturned is set whenever a slot with a context is entered. */
static void test_B_RX_CONTEXT_01_pending_returned(void **state)
{
	PMINIRDR_DISPATCH table = rec.device->Dispatch;
	FILE_BASIC_INFORMATION basic = {.FileAttributes = FILE_ATTRIBUTE_NORMAL};
	PFILE_OBJECT a, b;
	struct req *r;

	(void)state;
	original = *table;
	table->MRxCreate = watched_MRxCreate;
	table->MRxShouldTryToCollapseThisOpen = watched_MRxShouldTryToCollapseThisOpen;
	table->MRxCollapseOpen = watched_MRxCollapseOpen;
	table->MRxFlush = watched_MRxFlush;
	table->MRxCleanupFobx = watched_MRxCleanupFobx;
	table->MRxCloseSrvOpen = watched_MRxCloseSrvOpen;
	table->MRxQueryFileInfo = watched_MRxQueryFileInfo;
	table->MRxSetFileInfo = watched_MRxSetFileInfo;
	table->MRxQueryVolumeInfo = watched_MRxQueryVolumeInfo;
	table->MRxQueryDirectory = watched_MRxQueryDirectory;
	entered = not_pending = 0;
	a = file_open(REC_SHARE u"\\a");
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(entered, 3);
	assert_int_equal(req_run(req_make(a, IRP_MJ_FLUSH_BUFFERS, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_set_make(a, FileBasicInformation, &basic, sizeof(basic)), NULL),
			 STATUS_SUCCESS);
	r = req_make(a, IRP_MJ_QUERY_INFORMATION, 0);
	req_sp(r)->Parameters.QueryFile.FileInformationClass = FileInternalInformation;
	req_sp(r)->Parameters.QueryFile.Length = sizeof(FILE_INTERNAL_INFORMATION);
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(entered, 6);
	file_close(a);
	file_close(b);
	assert_int_equal(entered, 9); /* two cleanups, one close: they share the open */
	assert_int_equal(not_pending, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_RxFsdPostRequest_01_always_pending),
		REC_TEST(test_B_RxFsdPostRequest_02_prefix_query),
		REC_TEST(test_B_RxFsdPostRequest_03_others),
		REC_TEST(test_B_RxFsdPostRequest_04_buffers),
		REC_TEST(test_B_FSP_rules_03_mdl_transfers),
		REC_TEST(test_B_RxFsdPostRequest_05_overflow),
		REC_TEST(test_B_RxFsdPostRequest_06_dispatched_again),
		REC_TEST(test_B_RX_CONTEXT_02_post_request),
		REC_TEST(test_B_FSP_rules_01_pending_and_post),
		REC_TEST(test_B_RX_CONTEXT_03_four_pointers),
		REC_TEST(test_B_RX_CONTEXT_01_pending_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
