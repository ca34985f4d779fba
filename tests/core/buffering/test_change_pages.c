/*
 * test_change_pages.c - what a change of the buffering state takes along: pages that a front end keeps, and their data.
 */
#include "change_rig.h"

static struct {
	NTSTATUS flush_answer;
	LONG flushed, purged, released;
	LONGLONG purged_from;
	ULONG state_at_flush, state_at_purge;
	LONG completed_at_flush;
} pages;

static NTSTATUS pages_flush(void *context, LONGLONG offset, ULONG length)
{
	assert_int_equal(offset, 0);
	assert_int_equal(length, 0);
	pages.flushed++;
	pages.state_at_flush = ((PFCB)context)->FcbState;
	pages.completed_at_flush = seen.completed;
	return pages.flush_answer;
}

static BOOLEAN pages_purge(void *context, LONGLONG offset, ULONG length)
{
	(void)length;
	pages.purged_from = offset;
	pages.purged++;
	pages.state_at_purge = ((PFCB)context)->FcbState;
	return TRUE;
}

static void pages_release(void *context)
{
	(void)context;
	pages.released++;
}

static const struct nt_cache_ops pages_ops = {pages_flush, pages_purge, pages_release};

static struct nt_cache_map *keep_pages(void)
{
	struct nt_cache_map *map;

	RtlZeroMemory(&pages, sizeof(pages));
	assert_int_equal(nt_cache_attach(file, nt_cache_generation(file->SectionObjectPointer), &pages_ops,
					 fcb_of(file), &map),
			 STATUS_SUCCESS);
	return map;
}

/* Dirty data is at the server before WRITECACHING is off and before the server is answered. */
static void test_B_RxChangeBufferingState_06_flush(void **state)
{
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	open_of(file)->BufferingFlags = READ_CACHING | WRITE_CACHING;
	(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
	assert_int_equal(pages.flushed, 0);
	seen.new_state = READ_CACHING;
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, NULL, NULL);
	assert_int_equal(pages.flushed, 1);
	assert_true(pages.state_at_flush & FCB_STATE_WRITECACHING_ENABLED);
	assert_int_equal(pages.completed_at_flush, 0);
	assert_int_equal(pages.purged, 0);
	assert_int_equal(seen.completed, 1);
	let_go(rxc);
	nt_cache_detach(map);
	assert_int_equal(pages.released, 1);
}

/* A file whose pages are kept has another size at the server: pages beyond it go. The same size: nothing happens. */
static void test_B_MRxCreate_04_sizes_of_a_cached_file(void **state)
{
	struct open_params second = {
		.name = REC_SHARE u"\\file", .access = FILE_READ_ATTRIBUTES, .disposition = FILE_OPEN};
	struct nt_cache_map *map = keep_pages();
	PFILE_OBJECT same, smaller;

	(void)state;
	rec.buffering = FCB_STATE_READCACHING_ENABLED; /* what the server says of the size counts */
	assert_int_equal(file_open_with(&second, &same, NULL), STATUS_SUCCESS);
	assert_int_equal(pages.purged, 0);
	rec.file_size = 500;
	second.access = FILE_READ_EA;
	assert_int_equal(file_open_with(&second, &smaller, NULL), STATUS_SUCCESS);
	assert_int_equal(fcb_of(file)->Header.FileSize.QuadPart, 500);
	assert_int_equal(pages.purged, 1);
	assert_int_equal(pages.purged_from, 500);
	file_close(smaller);
	file_close(same);
	nt_cache_detach(map);
}

/* Only the two caching flags take data along. */
static void test_B_RxChangeBufferingState_07_others_have_no_effect(void **state)
{
	static const ULONG others[] = {
		FCB_STATE_WRITEBUFFERING_ENABLED,   FCB_STATE_READBUFFERING_ENABLED,
		FCB_STATE_OPENSHARING_ENABLED,      FCB_STATE_COLLAPSING_ENABLED,
		FCB_STATE_FILESIZECACHEING_ENABLED, FCB_STATE_FILETIMECACHEING_ENABLED};
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);
	size_t i;

	(void)state;
	for (i = 0; i < RTL_NUMBER_OF(others); i++) {
		open_of(file)->BufferingFlags = READ_CACHING | WRITE_CACHING | others[i];
		(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
		open_of(file)->BufferingFlags = (READ_CACHING | WRITE_CACHING | others[i]) & ~others[i];
		(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
		assert_false(buffering(file) & others[i]);
	}
	assert_int_equal(pages.flushed, 0);
	assert_int_equal(pages.purged, 0);
	assert_int_equal(rec_seen(REC_FLUSH), 0);
	let_go(rxc);
	nt_cache_detach(map);
}

/* Pages go with READCACHING, also when the last open at the server ends. */
static void test_pages_go_with_the_grant(void **state)
{
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	seen.new_state = HANDLE_CACHING;
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, NULL, NULL);
	assert_int_equal(pages.purged, 1);
	assert_true(pages.state_at_purge & FCB_STATE_READCACHING_ENABLED);
	open_of(file)->BufferingFlags = READ_CACHING; /* no handle caching: the close is not delayed */
	(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
	let_go(rxc);
	file_close(file);
	assert_true(pages.purged >= 2);
	file = NULL;
	nt_cache_detach(map);
	assert_int_equal(pages.released, 1);
}

/* A write-back that fails is never acknowledged: the server is not answered and the open is good no longer. */
static void test_failed_write_back_is_not_acknowledged(void **state)
{
	struct nt_cache_map *map = keep_pages();
	PRX_CONTEXT rxc = hold(file);

	(void)state;
	open_of(file)->BufferingFlags = WRITE_CACHING;
	(void)RxChangeBufferingState(open_of(file), NULL, FALSE);
	pages.flush_answer = STATUS_DISK_FULL;
	RxIndicateChangeOfBufferingStateForSrvOpen(change_server(), &open_of(file)->Mrx, NULL, NULL);
	assert_int_equal(pages.flushed, 1);
	assert_int_equal(seen.completed, 0);
	assert_int_equal(open_of(file)->Condition, Condition_Bad);
	assert_int_equal(buffering(file), 0);
	let_go(rxc);
	nt_cache_detach(map);
	assert_int_equal(file_cleanup(file), STATUS_DISK_FULL); /* who could write to the pages hears of it */
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
	file = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANGE_TEST(test_B_MRxCreate_04_sizes_of_a_cached_file),
		CHANGE_TEST(test_B_RxChangeBufferingState_06_flush),
		CHANGE_TEST(test_B_RxChangeBufferingState_07_others_have_no_effect),
		CHANGE_TEST(test_pages_go_with_the_grant),
		CHANGE_TEST(test_failed_write_back_is_not_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
