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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxNameCacheInitialize_01_cap_and_reuse),
		cmocka_unit_test(test_B_RxNameCacheCheckEntry_01),
		cmocka_unit_test(test_B_RxNameCacheFetchEntry_03_recycles),
		cmocka_unit_test(test_B_RxNameCacheExpireEntryWithShortName_01_02),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
