/*
 * test_failures.c - data that could not be written: what may become of it, and what may not.
 */
#include "../support/filesrv.h"

#include "core/cache/block.h"

static PSRV_OPEN open_of(PFILE_OBJECT file)
{
	return (PSRV_OPEN)fobx_of(file)->pSrvOpen;
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

/* ---- a break whose write-back fails ---- */

/* A second open of the file at the server, which reads. */
static PFILE_OBJECT open_to_read(void)
{
	const struct open_params read_only = {.name = REC_SHARE u"\\a", .access = FILE_READ_DATA};
	PFILE_OBJECT file;

	rec.file_size = server.size;
	assert_int_equal(file_open_with(&read_only, &file, NULL), STATUS_SUCCESS);
	return file;
}

/*
 * A lease is one for all opens of a file, and its break names any of them. Bad is the open that the data was to go through; the
 * one that was named is not. Every handle that was open hears of it once, as of what the lazy writer could not write.
 */
static void test_a_break_marks_the_open_that_carries_the_data(void **state)
{
	PFILE_OBJECT writer = open_a(), reader = open_to_read(), late;

	(void)state;
	assert_ptr_not_equal(open_of(writer), open_of(reader));
	put(writer, 0, "kept", 4);
	server.refuse = STATUS_DISK_FULL;
	take_back(reader);
	assert_int_equal(broken.answers, 0);
	assert_int_equal(open_of(writer)->Condition, Condition_Bad);
	assert_int_equal(open_of(reader)->Condition, Condition_Good);
	server.refuse = STATUS_SUCCESS;
	late = open_to_read();
	assert_int_equal(flush(late, IRP_MN_FLUSH_NO_SYNC), STATUS_SUCCESS);
	assert_int_equal(flush(reader, IRP_MN_FLUSH_NO_SYNC), STATUS_DISK_FULL);
	assert_int_equal(flush(reader, IRP_MN_FLUSH_NO_SYNC), STATUS_SUCCESS);
	assert_int_equal(flush(writer, IRP_MN_FLUSH_NO_SYNC), STATUS_DISK_FULL);
	assert_int_equal(flush(writer, IRP_MN_FLUSH_NO_SYNC), STATUS_SUCCESS);
	assert_memory_equal(server.bytes, "kept", 4);
	file_close(late);
	file_close(reader);
	file_close(writer);
}

/* As long as the data of an earlier break is not there no later one is answered either, whatever open it names. */
static void test_no_break_is_answered_over_unwritten_data(void **state)
{
	PFILE_OBJECT writer = open_a(), reader = open_to_read();

	(void)state;
	put(writer, 0, "kept", 4);
	server.refuse = STATUS_DISK_FULL;
	take_back(reader);
	assert_int_equal(broken.answers, 0);
	take_back(reader);
	assert_int_equal(broken.answers, 0);
	server.refuse = STATUS_SUCCESS;
	take_back(reader);
	assert_int_equal(broken.answers, 1);
	assert_int_equal(broken.size, 4);
	file_close(reader);
	assert_int_equal(file_cleanup(writer), STATUS_DISK_FULL);
	assert_int_equal(file_close_only(writer), STATUS_SUCCESS);
}

static NTSTATUS pages_flush(void *context, LONGLONG offset, ULONG length)
{
	(void)offset;
	(void)length;
	return *(const NTSTATUS *)context;
}

static BOOLEAN pages_purge(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	(void)offset;
	(void)length;
	return TRUE;
}

static void pages_release(void *context)
{
	(void)context;
}

static const struct nt_cache_ops pages_ops = {pages_flush, pages_purge, pages_release};

static struct nt_cache_map *keep_pages(PFILE_OBJECT file, NTSTATUS *answer)
{
	struct nt_cache_map *map;

	assert_int_equal(nt_cache_attach(file, nt_cache_generation(file->SectionObjectPointer), &pages_ops,
					 answer, &map),
			 STATUS_SUCCESS);
	return map;
}

/*
 * Changed pages that the kernel does not give up in time are data that was not written, too: handles that may write
 * hear of it like of the rest, which is written all the same.
 */
static void test_pages_that_were_not_written_are_told(void **state)
{
	PFILE_OBJECT writer = open_a(), reader = open_to_read(), late;
	NTSTATUS answer = STATUS_IO_TIMEOUT;
	struct nt_cache_map *map = keep_pages(reader, &answer);

	(void)state;
	put(writer, 0, "kept", 4);
	take_back(reader);
	assert_int_equal(server.size, 4);
	assert_int_equal(broken.answers, 0);
	assert_int_equal(open_of(writer)->Condition, Condition_Bad);
	assert_int_equal(open_of(reader)->Condition, Condition_Good);
	late = open_to_read();
	assert_int_equal(flush(late, IRP_MN_FLUSH_NO_SYNC), STATUS_SUCCESS);
	assert_int_equal(flush(writer, IRP_MN_FLUSH_NO_SYNC), STATUS_IO_TIMEOUT);
	assert_int_equal(flush(writer, IRP_MN_FLUSH_NO_SYNC), STATUS_SUCCESS);
	nt_cache_detach(map);
	file_close(late);
	file_close(reader);
	file_close(writer);
}

/* The same when nothing was ever kept back of the file but the pages; the end of the handle tells as well as a flush. */
static void test_pages_alone_are_told_at_the_end(void **state)
{
	PFILE_OBJECT writer = open_a(), reader = open_to_read();
	NTSTATUS answer = STATUS_IO_TIMEOUT;
	struct nt_cache_map *map = keep_pages(writer, &answer);

	(void)state;
	take_back(writer);
	assert_null(fcb_of(writer)->WriteBehind);
	assert_int_equal(broken.answers, 0);
	assert_int_equal(flush(reader, IRP_MN_FLUSH_NO_SYNC), STATUS_IO_TIMEOUT);
	nt_cache_detach(map);
	file_close(reader);
	assert_int_equal(file_cleanup(writer), STATUS_IO_TIMEOUT);
	assert_int_equal(file_close_only(writer), STATUS_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_an_emptied_file_stays_empty),
		CACHE_TEST(test_an_append_comes_after_what_is_kept),
		CACHE_TEST(test_the_size_goes_with_the_data),
		CACHE_TEST(test_a_purge_loses_nothing),
		CACHE_TEST(test_nothing_is_kept_for_a_handle_that_ended),
		CACHE_TEST(test_a_break_marks_the_open_that_carries_the_data),
		CACHE_TEST(test_no_break_is_answered_over_unwritten_data),
		CACHE_TEST(test_pages_that_were_not_written_are_told),
		CACHE_TEST(test_pages_alone_are_told_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
