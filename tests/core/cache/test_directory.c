/*
 * test_directory.c - a listing writes back what is kept of the files in it, also while directories get other names.
 */
#include "../support/filesrv.h"

#include "core/cache/cache.h"

static NTSTATUS NTAPI say_yes(PRX_CONTEXT rxc)
{
	(void)rxc;
	return STATUS_SUCCESS;
}

static NTSTATUS list(PFILE_OBJECT dir)
{
	struct req *r = req_make(dir, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY);

	req_sp(r)->Parameters.QueryDirectory.FileInformationClass = FileNamesInformation;
	req_sp(r)->Parameters.QueryDirectory.Length = sizeof(r->buffer);
	r->irp->UserBuffer = r->buffer;
	return req_run(r, NULL);
}

static NTSTATUS rename_to(PFILE_OBJECT file, const WCHAR *name)
{
	return req_run(file_name_make(file, FileRenameInformation, name, false), NULL);
}

static PFILE_OBJECT dir, file;

static void open_both(void)
{
	rec.quiet = true;
	rec.device->Dispatch->MRxSetFileInfo = say_yes;
	rec.type = RDBSS_NTC_STORAGE_TYPE_DIRECTORY;
	rec.buffering = 0;
	dir = file_open(REC_SHARE u"\\d");
	rec.type = RDBSS_NTC_STORAGE_TYPE_FILE;
	rec.buffering = KEEP;
	file = file_open(REC_SHARE u"\\d\\f");
}

static void close_both(void)
{
	file_close(file);
	file_close(dir);
}

/* The listing of a directory shows the sizes that the server knows; so it knows them all, by whatever name. */
static void test_a_listing_comes_after_the_data(void **state)
{
	(void)state;
	open_both();
	put(file, 0, "abc", 3);
	assert_int_equal(list(dir), STATUS_SUCCESS);
	assert_int_equal(server.size, 3);
	assert_int_equal(rename_to(dir, u"\\longer"), STATUS_SUCCESS);
	put(file, 3, "def", 3);
	assert_int_equal(server.size, 3);
	assert_int_equal(list(dir), STATUS_SUCCESS);
	assert_int_equal(server.size, 6);
	close_both();
}

/* ---- threads ---- */

static volatile LONG ended;

static bool go_on(void)
{
	return InterlockedCompareExchange(&ended, 0, 0) == 0;
}

static void rename_it(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 600; i++)
		assert_int_equal(rename_to(dir, i % 2 == 0 ? u"\\e" : u"\\d"), STATUS_SUCCESS);
	(void)InterlockedExchange(&ended, 1);
}

static void write_it(void *arg)
{
	(void)arg;
	while (go_on())
		put(file, 0, "abcd", 4);
}

static void list_it(void *arg)
{
	(void)arg;
	while (go_on())
		(void)list(dir);
}

static void open_others(void *arg)
{
	(void)arg;
	while (go_on())
		file_close(file_open(REC_SHARE u"\\other"));
}

/* A directory is renamed while it is listed: the names of what is below it, and its own, change under the listing. */
static void test_names_change_meanwhile(void **state)
{
	static void (*const work[])(void *) = {rename_it, write_it, list_it, list_it, open_others};
	struct nt_thread *threads[RTL_NUMBER_OF(work)];

	(void)state;
	open_both();
	(void)InterlockedExchange(&ended, 0);
	for (unsigned int i = 0; i < RTL_NUMBER_OF(work); i++)
		assert_int_equal(nt_thread_create("work", work[i], NULL, &threads[i]), STATUS_SUCCESS);
	for (unsigned int i = 0; i < RTL_NUMBER_OF(work); i++)
		nt_thread_join(threads[i]);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_a_listing_comes_after_the_data),
		CACHE_TEST(test_names_change_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
