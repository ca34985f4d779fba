/*
 * test_read_ahead.c - data that is asked for before it is wanted: when, how much, and when it is not used.
 *
 * The server is a file of one pattern; a version number that a test raises changes every byte of it.
 */
#include "../support/cache_rig.h"

#define MB (1 << 20)
#define PIECE (128 * 1024)
#define READS_MOST 64

static struct {
	KSPIN_LOCK lock;
	UCHAR version;
	LONGLONG size;
	volatile LONG reads;
	volatile LONG held; /* that wait for the gate */
	LONGLONG offset[READS_MOST];
	ULONG length[READS_MOST];
	bool late;
	KEVENT gate; /* late reads pass when it is set */
} server;

static UCHAR server_byte(LONGLONG at, UCHAR version)
{
	return (UCHAR)((uint64_t)at * 31 + (uint64_t)(at >> 16) + version);
}

static NTSTATUS server_read(PRX_CONTEXT rxc)
{
	PLOWIO_CONTEXT lowio = &rxc->LowIoContext;
	LONGLONG at = lowio->ParamsFor.ReadWrite.ByteOffset;
	ULONG count = lowio->ParamsFor.ReadWrite.ByteCount, i;
	UCHAR *data = RxLowIoGetBufferAddress(rxc);
	UCHAR version;

	KIRQL irql;

	KeAcquireSpinLock(&server.lock, &irql);
	version = server.version;
	KeReleaseSpinLock(&server.lock, irql);
	if (at >= server.size)
		count = 0;
	else if (server.size - at < count)
		count = (ULONG)(server.size - at);
	for (i = 0; i < count; i++)
		data[i] = server_byte(at + i, version);
	rxc->InformationToReturn = count;
	return STATUS_SUCCESS;
}

static VOID NTAPI server_later(PVOID context)
{
	PRX_CONTEXT rxc = context;

	InterlockedIncrement(&server.held);
	(void)KeWaitForSingleObject(&server.gate, Executive, KernelMode, FALSE, NULL);
	InterlockedDecrement(&server.held);
	rxc->StoredStatus = server_read(rxc);
	(void)RxLowIoCompletion(rxc);
}

static NTSTATUS server_lowio(PRX_CONTEXT rxc)
{
	LONG n;

	if (rxc->LowIoContext.Operation == LOWIO_OP_WRITE) {
		rxc->InformationToReturn = rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount;
		return STATUS_SUCCESS;
	}
	n = InterlockedIncrement(&server.reads) - 1;
	if (n < READS_MOST) {
		server.offset[n] = rxc->LowIoContext.ParamsFor.ReadWrite.ByteOffset;
		server.length[n] = rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount;
	}
	if (server.late && rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount > PIECE &&
	    RxDispatchToWorkerThread(rxc->RxDeviceObject, DelayedWorkQueue, server_later, rxc) ==
		    STATUS_SUCCESS)
		return STATUS_PENDING;
	return server_read(rxc);
}

static ULONG irp_flags; /* of the reads of a test */

static int begin(void **state)
{
	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&server, sizeof(server));
	irp_flags = 0;
	KeInitializeSpinLock(&server.lock);
	KeInitializeEvent(&server.gate, NotificationEvent, TRUE);
	server.size = 20 * MB + 12345;
	rec.buffering = FCB_STATE_READCACHING_ENABLED;
	rec.file_size = server.size;
	rec.lowio_hook = server_lowio;
	return 0;
}

#define AHEAD_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, rec_teardown)

static UCHAR buffer[PIECE];

/* Reads and looks at every byte. */
static ULONG_PTR get(PFILE_OBJECT file, LONGLONG at, ULONG length)
{
	ULONG_PTR moved = 0;
	NTSTATUS status = transfer_as(file, IRP_MJ_READ, irp_flags, at, buffer, length, &moved);

	if (at >= server.size)
		assert_int_equal(status, STATUS_END_OF_FILE);
	else
		assert_int_equal(status, STATUS_SUCCESS);
	for (ULONG_PTR i = 0; i < moved; i++)
		if (buffer[i] != server_byte(at + (LONGLONG)i, server.version))
			fail_msg("byte %lld is of another version", (long long)(at + (LONGLONG)i));
	return moved;
}

static PFILE_OBJECT open_a(void)
{
	return file_open(REC_SHARE u"\\a");
}

/* From front to back: every byte is right, and what the server is asked is large. */
static void test_front_to_back(void **state)
{
	PFILE_OBJECT file = open_a();
	LONGLONG at = 0;
	LONG large = 0;
	ULONG_PTR moved;

	(void)state;
	server.late = true;
	while ((moved = get(file, at, PIECE)) != 0)
		at += (LONGLONG)moved;
	assert_int_equal(at, server.size);
	for (LONG i = 0; i < server.reads; i++)
		large += server.length[i] == MB;
	assert_int_equal(large, 19); /* all but the first, and the odd end */
	assert_in_range(server.reads, 20, 8 + 19 + 1 + 2);
	file_close(file);
}

/* Pages that a front end keeps are read so, too. */
static void test_pages_from_front_to_back(void **state)
{
	irp_flags = IRP_PAGING_IO;
	test_front_to_back(state);
}

/* Reads here and there ask for nothing else. */
static void test_random_reads_stay_alone(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	for (unsigned int i = 1; i <= 20; i++)
		(void)get(file, (LONGLONG)(i * 7919 % 19) * MB, 4096);
	assert_int_equal(server.reads, 20);
	file_close(file);
}

/* Without the leave to keep data nothing is read ahead. */
static void test_not_without_a_grant(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.buffering = 0;
	file = open_a();
	for (unsigned int i = 0; i < 40; i++)
		(void)get(file, (LONGLONG)i * PIECE, PIECE);
	assert_int_equal(server.reads, 40);
	file_close(file);
}

/* A write of ours ends what was read before it. */
static void test_not_across_a_write(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		(void)get(file, (LONGLONG)i * PIECE, PIECE);
	server.version++; /* as if all of the file had been written */
	assert_int_equal(req_run(file_write_make(file, 0, 8, false), NULL), STATUS_SUCCESS);
	for (unsigned int i = 10; i < 60; i++)
		(void)get(file, (LONGLONG)i * PIECE, PIECE);
	file_close(file);
}

static PFILE_OBJECT reader;
static NTSTATUS change_answer;

/* While the server is at it somebody reads on, and what is read ahead then is old when the server has changed the file. */
static NTSTATUS change_slowly(PRX_CONTEXT rxc)
{
	if (rxc->LowIoContext.Operation == LOWIO_OP_READ)
		return server_lowio(rxc);
	(void)get(reader, PIECE, PIECE); /* asks for the second megabyte */
	server.version++;
	return change_answer;
}

/* A write that fails may have changed something all the same. */
static void test_not_across_a_write_that_failed(void **state)
{
	(void)state;
	reader = open_a();
	(void)get(reader, 0, PIECE);
	rec.lowio_hook = change_slowly;
	change_answer = STATUS_IO_TIMEOUT;
	assert_int_equal(req_run(file_write_make(reader, 0, 8, false), NULL), STATUS_IO_TIMEOUT);
	rec.lowio_hook = server_lowio;
	(void)get(reader, MB, PIECE);
	file_close(reader);
}

/* What a control changes is known when it has ended. */
static void test_not_across_a_control(void **state)
{
	struct req *r;

	(void)state;
	reader = open_a();
	(void)get(reader, 0, PIECE);
	r = req_make(reader, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST);
	req_sp(r)->Parameters.FileSystemControl.FsControlCode = FSCTL_SET_ZERO_DATA;
	rec.lowio_hook = change_slowly;
	change_answer = STATUS_SUCCESS;
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	rec.lowio_hook = server_lowio;
	(void)get(reader, MB, PIECE);
	file_close(reader);
}

/* A server may say that a file is as large as numbers go. */
static void test_at_the_end_of_all_files(void **state)
{
	const LONGLONG near = INT64_MAX / MB * MB - 4 * MB;
	PFILE_OBJECT file;

	(void)state;
	server.size = rec.file_size = INT64_MAX;
	file = open_a();
	for (LONGLONG at = near; at <= INT64_MAX - PIECE; at += PIECE) {
		assert_int_equal(get(file, at, PIECE), PIECE);
		if (INT64_MAX - at < 2 * PIECE)
			break;
	}
	assert_int_equal(get(file, INT64_MAX - PIECE, PIECE), PIECE);
	file_close(file);
}

/* The end of the grant ends it too. */
static void test_not_across_a_break(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		(void)get(file, (LONGLONG)i * PIECE, PIECE);
	take_back(file);
	server.version++;
	for (unsigned int i = 10; i < 60; i++)
		(void)get(file, (LONGLONG)i * PIECE, PIECE);
	file_close(file);
}

/* Who purges the file's cache by himself gets rid of what was read ahead, too. */
static void test_not_across_a_purge(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		(void)get(file, (LONGLONG)i * PIECE, PIECE);
	assert_int_equal(RxAcquireExclusiveFcb(NULL, fcb_of(file)), STATUS_SUCCESS);
	assert_int_equal(RxPurgeFcbInSystemCache(fcb_of(file), NULL, 0, FALSE, FALSE), STATUS_SUCCESS);
	RxReleaseFcb(NULL, fcb_of(file));
	server.version++;
	for (unsigned int i = 10; i < 60; i++)
		(void)get(file, (LONGLONG)i * PIECE, PIECE);
	file_close(file);
}

static void close_it(void *file)
{
	file_close(file);
}

/* The end of a handle waits for what is on its way: nobody else would own it. */
static void test_an_end_waits(void **state)
{
	PFILE_OBJECT file = open_a();
	struct nt_thread *closer;
	LARGE_INTEGER moment = {.QuadPart = -200000};

	(void)state;
	server.late = true;
	KeClearEvent(&server.gate);
	(void)get(file, 0, PIECE);
	(void)get(file, PIECE, PIECE); /* asks for the second megabyte */
	assert_int_equal(nt_thread_create("closer", close_it, file, &closer), STATUS_SUCCESS);
	(void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
	assert_int_equal(rec_seen(REC_CLEANUP), 0);
	(void)KeSetEvent(&server.gate, IO_NO_INCREMENT, FALSE);
	nt_thread_join(closer);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
}

static PFILE_OBJECT shared_file;
static volatile LONG wrong;

static void read_part(void *context)
{
	UCHAR *mine = ExAllocatePoolWithTag(NonPagedPool, PIECE, 'daeR');
	LONGLONG at = (LONGLONG)(ULONG_PTR)context * PIECE;

	/* four readers of one handle, in turns, as the kernel's read-ahead does it */
	for (; at + PIECE <= server.size; at += 4 * PIECE) {
		ULONG_PTR moved = 0;

		if (transfer_as(shared_file, IRP_MJ_READ, 0, at, mine, PIECE, &moved) != STATUS_SUCCESS ||
		    moved != PIECE)
			InterlockedIncrement(&wrong);
		for (ULONG i = 0; i < PIECE; i += 97)
			if (mine[i] != server_byte(at + i, 0))
				InterlockedIncrement(&wrong);
	}
	ExFreePoolWithTag(mine, 'daeR');
}

static void test_several_readers(void **state)
{
	(void)state;
	rec.quiet = true;
	server.late = true;
	wrong = 0;
	shared_file = open_a();
	run_four(read_part);
	assert_int_equal(wrong, 0);
	file_close(shared_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AHEAD_TEST(test_front_to_back),
		AHEAD_TEST(test_pages_from_front_to_back),
		AHEAD_TEST(test_random_reads_stay_alone),
		AHEAD_TEST(test_not_without_a_grant),
		AHEAD_TEST(test_not_across_a_write),
		AHEAD_TEST(test_not_across_a_break),
		AHEAD_TEST(test_an_end_waits),
		AHEAD_TEST(test_not_across_a_purge),
		AHEAD_TEST(test_several_readers),
		AHEAD_TEST(test_not_across_a_write_that_failed),
		AHEAD_TEST(test_not_across_a_control),
		AHEAD_TEST(test_at_the_end_of_all_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
