/* test_namcache.c - the name cache of mini-redirectors: each sentence of its pages. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ntifs.h"
#include "rx.h"
#include "namcache.h"

#include "core/support/check.h"
#include "nt/nt_test.h"
#include "nt_exec.h"

static NAME_CACHE_CONTROL ctl;

static int begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	CHECK_EQUAL(nt_initialize(&config), STATUS_SUCCESS);
	RxNameCacheInitialize(&ctl, 16, 3);
	return 0;
}

static int end(void **state)
{
	(void)state;
	RxNameCacheFinalize(&ctl);
	CHECK_EQUAL(ctl.EntryCount, 0);
	CHECK_EQUAL(nt_shutdown(stderr), 0);
	return 0;
}

static PNAME_CACHE make(PCWSTR name, BOOLEAN insensitive)
{
	UNICODE_STRING s;

	RtlInitUnicodeString(&s, name);
	return RxNameCacheCreateEntry(&ctl, &s, insensitive);
}

static PNAME_CACHE fetch(PCWSTR name)
{
	UNICODE_STRING s;

	RtlInitUnicodeString(&s, name);
	return RxNameCacheFetchEntry(&ctl, &s);
}

/* MaximumEntries caps what is ever allocated; a free entry is used again before a new one is made. */
static void test_B_RxNameCacheInitialize_01_cap_and_reuse(void **state)
{
	PNAME_CACHE a = make(u"a", TRUE), b = make(u"b", TRUE), c = make(u"c", TRUE), again;

	(void)state;
	CHECK(a != NULL && b != NULL && c != NULL && a->ContextExtension != NULL);
	CHECK(make(u"d", TRUE) == NULL);
	CHECK_EQUAL(ctl.EntryCount, 3);
	RxNameCacheActivateEntry(&ctl, b, 10, 1);
	CHECK(fetch(u"B") == b);
	RxNameCacheExpireEntry(&ctl, b);
	CHECK_EQUAL(ctl.NumberActivates, 0);
	again = make(u"a much longer name than the one before", TRUE);
	CHECK(again == b);
	RxNameCacheFreeEntry(&ctl, a);
	RxNameCacheFreeEntry(&ctl, c);
	CHECK_EQUAL(ctl.EntryCount, 1);
	RxNameCacheFreeEntry(&ctl, again);
}

/* Expired, other context, or valid; LifeTime 0 and MRxContext 0 keep what was. */
static void test_B_RxNameCacheCheckEntry_01(void **state)
{
	PNAME_CACHE e = make(u"name", FALSE);

	(void)state;
	CHECK_EQUAL(RxNameCacheCheckEntry(e, 0), RX_NC_TIME_EXPIRED);
	RxNameCacheActivateEntry(&ctl, e, 100, 7);
	CHECK(fetch(u"name") == e);
	CHECK_EQUAL(RxNameCacheCheckEntry(e, 7), RX_NC_SUCCESS);
	CHECK_EQUAL(RxNameCacheCheckEntry(e, 8), RX_NC_MRXCTX_FAIL);
	RxNameCacheActivateEntry(&ctl, e, 0, 0);
	CHECK(fetch(u"NAME") == NULL);
	CHECK(fetch(u"name") == e);
	CHECK_EQUAL(RxNameCacheCheckEntry(e, 7), RX_NC_SUCCESS);
	RxNameCacheFreeEntry(&ctl, e);
}

/* Expired entries that do not match are recycled on the way; one that matches is returned, expired or not. */
static void test_B_RxNameCacheFetchEntry_03_recycles(void **state)
{
	PNAME_CACHE old = make(u"old", TRUE), wanted = make(u"wanted", TRUE);

	(void)state;
	RxNameCacheActivateEntry(&ctl, wanted, 0, 0); /* never had a lifetime: expired */
	RxNameCacheActivateEntry(&ctl, old, 0, 0);
	CHECK(fetch(u"wanted") == wanted);
	CHECK(!IsListEmpty(&ctl.FreeList) && IsListEmpty(&ctl.ActiveList));
	CHECK(fetch(u"old") == NULL);
	RxNameCacheFreeEntry(&ctl, wanted);
	CHECK(make(u"x", TRUE) == old);
	RxNameCacheFreeEntry(&ctl, old);
}

/* Every active entry that starts with the name goes, by its own case rule; an empty name ends all. */
static void test_B_RxNameCacheExpireEntryWithShortName_01_02(void **state)
{
	PNAME_CACHE a = make(u"Dir\\a", TRUE), b = make(u"Dir\\b", FALSE), c = make(u"other", TRUE);
	UNICODE_STRING prefix, none = {0};

	(void)state;
	RxNameCacheActivateEntry(&ctl, a, 100, 1);
	RxNameCacheActivateEntry(&ctl, b, 100, 1);
	RxNameCacheActivateEntry(&ctl, c, 100, 1);
	RtlInitUnicodeString(&prefix, u"DIR");
	RxNameCacheExpireEntryWithShortName(&ctl, &prefix);
	CHECK(fetch(u"dir\\A") == NULL);
	b = fetch(u"Dir\\b");
	CHECK(b != NULL);
	RxNameCacheActivateEntry(&ctl, b, 100, 1);
	RxNameCacheExpireEntryWithShortName(&ctl, &none);
	CHECK(fetch(u"Dir\\b") == NULL && fetch(u"other") == NULL);
}

/* An entry of the free list is used again, though a new one could be made. */
static void test_B_RxNameCacheCreateEntry_01_free_entry_first(void **state)
{
	PNAME_CACHE a = make(u"a", TRUE), b;

	(void)state;
	RxNameCacheActivateEntry(&ctl, a, 100, 1);
	CHECK(fetch(u"a") == a);
	RxNameCacheExpireEntry(&ctl, a);
	CHECK_EQUAL(ctl.EntryCount, 1);
	b = make(u"b", TRUE);
	CHECK(b == a);
	CHECK_EQUAL(ctl.EntryCount, 1);
	CHECK(IsListEmpty(&ctl.FreeList));
	CHECK_EQUAL(b->Name.Length, sizeof(WCHAR));
	CHECK(b->Name.Buffer[0] == u'b');
	RxNameCacheFreeEntry(&ctl, b);
}

/* No memory for the entry or for its name, or no room under the cap: NULL, and nothing is counted. */
static void test_B_RxNameCacheCreateEntry_02_no_room(void **state)
{
	PNAME_CACHE entries[3], none;
	long passes;

	(void)state;
	for (passes = 0; passes < 2; passes++) {
		nt_fault_arm(passes);
		none = make(u"name", TRUE);
		CHECK(nt_fault_disarm());
		CHECK(none == NULL);
		CHECK_EQUAL(ctl.EntryCount, 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK((entries[i] = make(u"name", TRUE)) != NULL);
	CHECK(make(u"name", TRUE) == NULL);
	for (int i = 0; i < 3; i++)
		RxNameCacheFreeEntry(&ctl, entries[i]);
	CHECK((entries[0] = make(u"name", TRUE)) != NULL); /* an entry that was freed leaves room */
	RxNameCacheFreeEntry(&ctl, entries[0]);
}

static void test_B_RxNameCacheActivateEntry_01_expiry(void **state)
{
	PNAME_CACHE e = make(u"name", TRUE);
	LONGLONG before, after;

	(void)state;
	before = (LONGLONG)KeQueryInterruptTime();
	RxNameCacheActivateEntry(&ctl, e, 30, 1);
	after = (LONGLONG)KeQueryInterruptTime();
	CHECK(e->ExpireTime.QuadPart >= before + 30 * 10000000LL);
	CHECK(e->ExpireTime.QuadPart <= after + 30 * 10000000LL);
	CHECK(ctl.ActiveList.Flink == &e->Link && ctl.ActiveList.Blink == &e->Link);
	CHECK_EQUAL(ctl.NumberActivates, 1);
	CHECK(fetch(u"name") == e);
	RxNameCacheExpireEntry(&ctl, e);
}

/* 0 is not a lifetime and not a context: it keeps what the entry has. */
static void test_B_RxNameCacheActivateEntry_02_zero_keeps(void **state)
{
	PNAME_CACHE e = make(u"name", TRUE);
	LONGLONG expires;

	(void)state;
	RxNameCacheActivateEntry(&ctl, e, 30, 9);
	expires = e->ExpireTime.QuadPart;
	CHECK(fetch(u"name") == e);
	RxNameCacheActivateEntry(&ctl, e, 0, 8);
	CHECK_EQUAL(e->ExpireTime.QuadPart, expires);
	CHECK_EQUAL(e->Context, 8);
	CHECK(fetch(u"name") == e);
	RxNameCacheActivateEntry(&ctl, e, 60, 0);
	CHECK(e->ExpireTime.QuadPart > expires);
	CHECK_EQUAL(e->Context, 8);
	CHECK(fetch(u"name") == e);
	RxNameCacheExpireEntry(&ctl, e);
}

/* A match is the caller's, expired or not: off the active list, so that nobody else finds it. */
static void test_B_RxNameCacheFetchEntry_01_match(void **state)
{
	PNAME_CACHE live = make(u"live", TRUE), expired = make(u"expired", TRUE);

	(void)state;
	RxNameCacheActivateEntry(&ctl, live, 100, 1);
	RxNameCacheActivateEntry(&ctl, expired, 0, 1);
	CHECK_EQUAL(RxNameCacheCheckEntry(expired, 1), RX_NC_TIME_EXPIRED);
	CHECK(fetch(u"Expired") == expired);
	CHECK(fetch(u"Live") == live);
	CHECK(IsListEmpty(&ctl.ActiveList));
	CHECK(IsListEmpty(&ctl.FreeList));
	CHECK(fetch(u"live") == NULL);
	RxNameCacheFreeEntry(&ctl, live);
	RxNameCacheFreeEntry(&ctl, expired);
}

static void test_B_RxNameCacheFetchEntry_02_no_match(void **state)
{
	PNAME_CACHE a = make(u"name", FALSE), b = make(u"other", TRUE);

	(void)state;
	CHECK(fetch(u"name") == NULL); /* not active yet */
	RxNameCacheActivateEntry(&ctl, a, 100, 1);
	RxNameCacheActivateEntry(&ctl, b, 100, 1);
	CHECK(fetch(u"Name") == NULL); /* case counts for this one */
	CHECK(fetch(u"nam") == NULL);
	CHECK(fetch(u"names") == NULL);
	CHECK(fetch(u"") == NULL);
	CHECK(fetch(u"name") == a && fetch(u"OTHER") == b);
	RxNameCacheFreeEntry(&ctl, a);
	RxNameCacheFreeEntry(&ctl, b);
}

static void test_B_RxNameCacheExpireEntry_01_head_of_the_free_list(void **state)
{
	PNAME_CACHE a = make(u"a", TRUE), b = make(u"b", TRUE);

	(void)state;
	RxNameCacheActivateEntry(&ctl, a, 100, 1);
	RxNameCacheActivateEntry(&ctl, b, 100, 1);
	CHECK_EQUAL(ctl.NumberActivates, 2);
	CHECK(fetch(u"a") == a && fetch(u"b") == b);
	RxNameCacheExpireEntry(&ctl, a);
	CHECK_EQUAL(ctl.NumberActivates, 1);
	CHECK(ctl.FreeList.Flink == &a->Link);
	RxNameCacheExpireEntry(&ctl, b);
	CHECK_EQUAL(ctl.NumberActivates, 0);
	CHECK(ctl.FreeList.Flink == &b->Link && b->Link.Flink == &a->Link);
	CHECK_EQUAL(ctl.EntryCount, 2);
}

static void test_B_RxNameCacheFreeEntry_01_one_less(void **state)
{
	unsigned long bytes = nt_pool_bytes();
	PNAME_CACHE a = make(u"a", TRUE), b = make(u"b", TRUE);

	(void)state;
	CHECK(nt_pool_bytes() > bytes);
	CHECK_EQUAL(ctl.EntryCount, 2);
	RxNameCacheFreeEntry(&ctl, a);
	CHECK_EQUAL(ctl.EntryCount, 1);
	RxNameCacheFreeEntry(&ctl, b);
	CHECK_EQUAL(ctl.EntryCount, 0);
	CHECK_EQUAL(nt_pool_bytes(), bytes);
}

static void finalize_with_an_entry_out(void)
{
	NAME_CACHE_CONTROL other;
	UNICODE_STRING name;

	RtlInitUnicodeString(&name, u"out");
	RxNameCacheInitialize(&other, 0, 3);
	if (RxNameCacheCreateEntry(&other, &name, TRUE) == NULL)
		_exit(3);
	RxNameCacheFinalize(&other);
}

/* Active and free entries go; one that is in somebody's hands is a bug of his, and stops a checked build. */
static void test_B_RxNameCacheFinalize_01_frees_all(void **state)
{
	PNAME_CACHE a = make(u"a", TRUE), b = make(u"b", TRUE);

	(void)state;
	RxNameCacheActivateEntry(&ctl, a, 100, 1);
	RxNameCacheActivateEntry(&ctl, b, 100, 1);
	CHECK(fetch(u"b") == b);
	RxNameCacheExpireEntry(&ctl, b);
	CHECK(!IsListEmpty(&ctl.ActiveList) && !IsListEmpty(&ctl.FreeList));
	RxNameCacheFinalize(&ctl);
	CHECK_EQUAL(ctl.EntryCount, 0);
	CHECK(IsListEmpty(&ctl.ActiveList) && IsListEmpty(&ctl.FreeList));
	assert_true(nt_test_dies(finalize_with_an_entry_out, "EntryCount == 0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheInitialize_01_cap_and_reuse, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheCheckEntry_01, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheFetchEntry_03_recycles, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheExpireEntryWithShortName_01_02, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheCreateEntry_01_free_entry_first, begin,
						end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheCreateEntry_02_no_room, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheActivateEntry_01_expiry, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheActivateEntry_02_zero_keeps, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheFetchEntry_01_match, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheFetchEntry_02_no_match, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheExpireEntry_01_head_of_the_free_list, begin,
						end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheFreeEntry_01_one_less, begin, end),
		cmocka_unit_test_setup_teardown(test_B_RxNameCacheFinalize_01_frees_all, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
