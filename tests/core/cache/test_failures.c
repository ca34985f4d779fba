/*
 * test_failures.c - data that could not be written: what may become of it, and what may not.
 */
#include "../support/filesrv.h"

#include "core/cache/block.h"

static NTSTATUS NTAPI grant_nothing(PMRX_SRV_OPEN so, PVOID context, PULONG state)
{
	(void)so;
	(void)context;
	*state = 0;
	return STATUS_SUCCESS;
}

/* The server takes its leave back. */
static void take_back(PFILE_OBJECT file)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);

	rec.device->Dispatch->MRxComputeNewBufferingState = grant_nothing;
	assert_int_equal(RxAcquireExclusiveFcb(rxc, fcb_of(file)), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingStateForSrvOpen(fcb_of(file)->pNetRoot->pSrvCall, fobx_of(file)->pSrvOpen,
						   NULL, NULL);
	RxReleaseFcb(rxc, fcb_of(file));
	RxDereferenceAndDeleteRxContext(rxc);
}

static NTSTATUS empty_it(PRX_CONTEXT rxc)
{
	rxc->Create.ReturnedCreateInformation = FILE_OVERWRITTEN;
	server.size = 0;
	return STATUS_SUCCESS;
}

/* An open that empties the file ends what was written before it, also what the server would not take then. */
static void test_an_emptied_file_stays_empty(void **state)
{
	const struct open_params empty = {.name = REC_SHARE u"\\a", .disposition = FILE_OVERWRITE_IF};
	PFILE_OBJECT old = open_a(), young;

	(void)state;
	put(old, 0, "old data", 8);
	server.refuse = STATUS_DISK_FULL;
	assert_int_equal(flush(old, 0), STATUS_DISK_FULL);
	rec.create_hook = empty_it;
	assert_int_equal(file_open_with(&empty, &young, NULL), STATUS_SUCCESS);
	rec.create_hook = NULL;
	server.refuse = STATUS_SUCCESS; /* there is room again */
	put(young, 0, "new", 3);
	assert_int_equal(flush(young, 0), STATUS_SUCCESS);
	assert_int_equal(server.size, 3);
	assert_memory_equal(server.bytes, "new", 3);
	assert_int_equal(size_of(young), 3);
	file_close(young);
	assert_int_equal(file_cleanup(old), STATUS_DISK_FULL); /* the open had tried once more */
	assert_int_equal(file_close_only(old), STATUS_SUCCESS);
	assert_int_equal(server.size, 3);
}

static NTSTATUS append(PFILE_OBJECT file, const char *text)
{
	struct req *r = file_write_make(file, 0, 0, false);

	RtlCopyMemory(r->buffer, text, strlen(text));
	r->irp->UserBuffer = r->buffer;
	req_sp(r)->Parameters.Write.Length = (ULONG)strlen(text);
	req_sp(r)->Parameters.Write.ByteOffset.HighPart = -1;
	req_sp(r)->Parameters.Write.ByteOffset.LowPart = FILE_WRITE_TO_END_OF_FILE;
	return req_run(r, NULL);
}

static NTSTATUS NTAPI tell_size(PRX_CONTEXT rxc)
{
	PFILE_STANDARD_INFORMATION standard = rxc->Info.Buffer;

	standard->EndOfFile.QuadPart = server.size;
	rxc->Info.LengthRemaining -= (LONG)sizeof(*standard);
	return STATUS_SUCCESS;
}

/* Data that is still here when the leave to keep it has gone lies before what is appended, not under it. */
static void test_an_append_comes_after_what_is_kept(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	rec.device->Dispatch->MRxQueryFileInfo = tell_size;
	put(file, 0, "first ", 6);
	server.refuse = STATUS_DISK_FULL;
	take_back(file);
	assert_int_equal(append(file, "x"), STATUS_DISK_FULL); /* hears of it */
	server.refuse = STATUS_SUCCESS;
	assert_int_equal(append(file, "second"), STATUS_SUCCESS);
	assert_int_equal(server.size, 12);
	assert_memory_equal(server.bytes, "first second", 12);
	file_close(file);
}

/* With data that was given up goes the size that only it had. */
static void test_the_size_goes_with_the_data(void **state)
{
	const struct open_params read_only = {.name = REC_SHARE u"\\a", .access = FILE_READ_DATA};
	PFILE_OBJECT writer = open_a(), reader;

	(void)state;
	put(writer, 0, "there", 5);
	assert_int_equal(flush(writer, 0), STATUS_SUCCESS);
	rec.file_size = server.size;
	assert_int_equal(file_open_with(&read_only, &reader, NULL), STATUS_SUCCESS);
	put(writer, 5, "lost", 4);
	assert_int_equal(size_of(reader), 9);
	server.refuse = STATUS_DISK_FULL;
	assert_int_equal(file_cleanup(writer), STATUS_DISK_FULL);
	assert_int_equal(file_close_only(writer), STATUS_SUCCESS);
	assert_int_equal(size_of(reader), 5);
	file_close(reader);
}

/* A purge forgets what the server has, not what only we have; with FlushFile the server has it then. */
static void test_a_purge_loses_nothing(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	put(file, 0, "kept", 4);
	assert_int_equal(RxAcquireExclusiveFcb(NULL, fcb_of(file)), STATUS_SUCCESS);
	assert_int_equal(RxPurgeFcbInSystemCache(fcb_of(file), NULL, 0, FALSE, FALSE), STATUS_SUCCESS);
	assert_int_equal(server.size, 0);
	assert_int_equal(RxPurgeFcbInSystemCache(fcb_of(file), NULL, 0, FALSE, TRUE), STATUS_SUCCESS);
	assert_int_equal(server.size, 4);
	RxReleaseFcb(NULL, fcb_of(file));
	file_close(file);
}

/* A handle whose end has been told keeps nothing more back: there is nobody left who would hear of a failure. */
static void test_nothing_is_kept_for_a_handle_that_ended(void **state)
{
	PFILE_OBJECT file = open_a();
	ULONG_PTR moved = 0;

	(void)state;
	put(file, 0, "a", 1);
	assert_int_equal(file_cleanup(file), STATUS_SUCCESS);
	(void)transfer(file, IRP_MJ_WRITE, 1, (void *)(ULONG_PTR) "b", 1, &moved);
	assert_int_equal(fcb_of(file)->WriteBehindBlocks, 0);
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_an_emptied_file_stays_empty),
		CACHE_TEST(test_an_append_comes_after_what_is_kept),
		CACHE_TEST(test_the_size_goes_with_the_data),
		CACHE_TEST(test_a_purge_loses_nothing),
		CACHE_TEST(test_nothing_is_kept_for_a_handle_that_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
