/*
 * test_name_use.c - a mini-redirector that remembers names its server did not have, as the page on the name cache has
 * it: for two seconds, and only while it sends nothing else. The clock is virtual. Rows B-Name_cache_use-02 to -04.
 */
#include "../support/rec.h"

#include "namcache.h"

#define LIFETIME_S 2

static NAME_CACHE_CONTROL cache;
static ULONG operations; /* sent to the server: the context that an entry is checked with */
static bool insensitive;

static bool exists(PCUNICODE_STRING path)
{
	return path->Length >= 2 * sizeof(WCHAR) && path->Buffer[1] == u'e';
}

/* What MRxCreate does: the cache first; else the server, whose answer is remembered. */
static NTSTATUS look_up(PRX_CONTEXT rxc)
{
	PUNICODE_STRING path = rxc->pRelevantSrvOpen->pAlreadyPrefixedName;
	PNAME_CACHE entry = RxNameCacheFetchEntry(&cache, path);

	if (entry != NULL) {
		if (RxNameCacheCheckEntry(entry, operations) == RX_NC_SUCCESS) {
			NTSTATUS status = entry->PriorStatus;

			RxNameCacheActivateEntry(&cache, entry, 0, 0);
			return status;
		}
		RxNameCacheExpireEntry(&cache, entry);
	}
	operations++;
	if (exists(path))
		return STATUS_SUCCESS;
	entry = RxNameCacheCreateEntry(&cache, path, insensitive);
	if (entry != NULL) {
		entry->PriorStatus = STATUS_OBJECT_NAME_NOT_FOUND;
		RxNameCacheActivateEntry(&cache, entry, LIFETIME_S, operations);
	}
	return STATUS_OBJECT_NAME_NOT_FOUND;
}

static void open_missing(const WCHAR *name)
{
	struct open_params p = {.name = name, .disposition = FILE_OPEN};
	PFILE_OBJECT file;

	assert_int_equal(file_open_with(&p, &file, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void pass_ms(LONGLONG ms)
{
	LARGE_INTEGER time = {.QuadPart = -ms * 10000};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &time);
}

static void start(void)
{
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	RxNameCacheInitialize(&cache, 0, 10);
	operations = 0;
	insensitive = true;
	rec.reparse_hook = look_up;
}

static void stop(void)
{
	RxNameCacheFinalize(&cache);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

static void repeated(void *context)
{
	(void)context;
	start();
	open_missing(REC_SHARE u"\\missing");
	assert_int_equal(operations, 1);
	pass_ms(1900);
	open_missing(REC_SHARE u"\\missing");
	assert_int_equal(operations, 1);
	open_missing(REC_SHARE u"\\another");
	assert_int_equal(operations, 2);
	stop();
}

static void other_operation(void *context)
{
	(void)context;
	start();
	open_missing(REC_SHARE u"\\missing");
	file_close(file_open(REC_SHARE u"\\exists"));
	assert_int_equal(operations, 2);
	open_missing(REC_SHARE u"\\missing");
	assert_int_equal(operations, 3);
	open_missing(REC_SHARE u"\\missing");
	assert_int_equal(operations, 3);
	stop();
}

static void later(void *context)
{
	(void)context;
	start();
	open_missing(REC_SHARE u"\\missing");
	pass_ms(1000);
	open_missing(REC_SHARE u"\\missing"); /* a hit does not make the memory longer */
	assert_int_equal(operations, 1);
	pass_ms(1001);
	open_missing(REC_SHARE u"\\missing");
	assert_int_equal(operations, 2);
	stop();
}

static void other_case(void *context)
{
	(void)context;
	start();
	open_missing(REC_SHARE u"\\Missing\\File");
	open_missing(REC_SHARE u"\\mISSING\\fILE");
	assert_int_equal(operations, 1);
	RxNameCacheFinalize(&cache);
	RxNameCacheInitialize(&cache, 0, 10);
	insensitive = false;
	open_missing(REC_SHARE u"\\Missing\\File");
	assert_int_equal(operations, 2);
	open_missing(REC_SHARE u"\\mISSING\\fILE");
	assert_int_equal(operations, 3);
	stop();
}

static void run(void (*scenario)(void *context))
{
	uint64_t seed;

	for (seed = 1; seed <= 5; seed++)
		assert_int_equal(nt_sim_run(seed, scenario, NULL), 0);
}

/* A repeat within the time goes no further than the cache. */
static void test_repeated_within_the_time(void **state)
{
	(void)state;
	run(repeated);
}

/* Whatever is sent in between may have made the file: the entry's context is not the present one any more. */
static void test_B_Name_cache_use_02_other_operation(void **state)
{
	(void)state;
	run(other_operation);
}

static void test_B_Name_cache_use_03_after_two_seconds(void **state)
{
	(void)state;
	run(later);
}

/* By the case rule of the server. */
static void test_B_Name_cache_use_04_case(void **state)
{
	(void)state;
	run(other_case);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeated_within_the_time),
		cmocka_unit_test(test_B_Name_cache_use_02_other_operation),
		cmocka_unit_test(test_B_Name_cache_use_03_after_two_seconds),
		cmocka_unit_test(test_B_Name_cache_use_04_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
