/* test_prefix.c - the NetName table: longest prefix, case rules, connection ids, counts, growth. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ntifs.h"
#include "rx.h"

#include "core/name/name.h"
#include "core/object/object.h"
#include "core/support/check.h"
#include "core/support/stops.h"
#include "nt_exec.h"

/* A named object of its own: what an entry points at needs a type and a count. */
struct named {
	union {
		SRV_CALL sc;
		NET_ROOT nr;
		V_NET_ROOT vnr;
	};
	RX_PREFIX_ENTRY entry;
};

static RX_PREFIX_TABLE table;

static int begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	CHECK_EQUAL(nt_initialize(&config), STATUS_SUCCESS);
	RxInitializePrefixTable(&table, 0, TRUE);
	CHECK(RxAcquirePrefixTableLockExclusive(&table, TRUE));
	return 0;
}

static int end(void **state)
{
	(void)state;
	RxReleasePrefixTableLock(&table);
	RxFinalizePrefixTable(&table);
	CHECK_EQUAL(nt_shutdown(stderr), 0);
	return 0;
}

static PRX_PREFIX_ENTRY insert(struct named *n, NODE_TYPE_CODE kind, PCWSTR name, USHORT insensitive,
			       PRX_CONNECTION_ID id)
{
	RtlZeroMemory(n, sizeof(*n));
	n->sc.NodeTypeCode = kind;
	n->sc.NodeReferenceCount = 1;
	RtlInitUnicodeString(&n->entry.Prefix, name);
	return RxPrefixTableInsertName(&table, &n->entry, n, (PULONG)&n->sc.NodeReferenceCount,
				       insensitive == 0xffff ? n->entry.Prefix.Length : insensitive, id);
}

static PVOID look_up(PCWSTR name, PUNICODE_STRING rest, PRX_CONNECTION_ID id)
{
	UNICODE_STRING path;

	RtlInitUnicodeString(&path, name);
	return RxPrefixTableLookupName(&table, &path, rest, id);
}

static bool is(PCUNICODE_STRING s, PCWSTR text)
{
	UNICODE_STRING t;

	RtlInitUnicodeString(&t, text);
	return rx_name_equal(s, &t, 0);
}

/* The longest name that leads the path, component by component, is the answer; the tail is what follows it. */
static void test_B_RxPrefixTableLookupName_03_longest_prefix_wins(void **state)
{
	struct named sc, nr, other;
	UNICODE_STRING rest;

	(void)state;
	CHECK(insert(&sc, RDBSS_NTC_SRVCALL, u"\\server", 0xffff, NULL) != NULL);
	CHECK(insert(&nr, RDBSS_NTC_NETROOT, u"\\server\\share", 0xffff, NULL) != NULL);
	CHECK(insert(&other, RDBSS_NTC_NETROOT, u"\\server\\sharedness", 0xffff, NULL) != NULL);

	CHECK(look_up(u"\\server\\share\\dir\\file", &rest, NULL) == &nr && is(&rest, u"\\dir\\file"));
	CHECK(look_up(u"\\server\\share", &rest, NULL) == &nr && rest.Length == 0);
	CHECK(look_up(u"\\server\\shar", &rest, NULL) == &sc && is(&rest, u"\\shar"));
	CHECK(look_up(u"\\server\\shared\\x", &rest, NULL) == &sc && is(&rest, u"\\shared\\x"));

	RxRemovePrefixTableEntry(&table, &nr.entry);
	CHECK(look_up(u"\\server\\share\\dir", &rest, NULL) == &sc && is(&rest, u"\\share\\dir"));
	RxRemovePrefixTableEntry(&table, &other.entry);
	RxRemovePrefixTableEntry(&table, &sc.entry);
}

/* A match raises the count of what it found by one; no match returns NULL and changes none. */
static void test_B_RxPrefixTableLookupName_02_04_counts(void **state)
{
	struct named sc;
	UNICODE_STRING rest;

	(void)state;
	CHECK(insert(&sc, RDBSS_NTC_SRVCALL, u"\\server", 0xffff, NULL) != NULL);
	CHECK(look_up(u"\\server\\x", &rest, NULL) == &sc);
	CHECK_EQUAL(sc.sc.NodeReferenceCount, 2);
	CHECK(look_up(u"\\serve\\x", &rest, NULL) == NULL);
	CHECK(look_up(u"\\server2", &rest, NULL) == NULL);
	CHECK_EQUAL(sc.sc.NodeReferenceCount, 2);
	RxRemovePrefixTableEntry(&table, &sc.entry);
	CHECK(look_up(u"\\server\\x", &rest, NULL) == NULL);
}

static void look_up_in_child(void)
{
	UNICODE_STRING rest;

	(void)look_up(u"\\server", &rest, NULL);
}

static void look_up_nothing(void)
{
	UNICODE_STRING rest;

	(void)look_up(u"", &rest, NULL);
}

/* Without the table's lock a lookup stops the process; shared is enough, as exclusive is. */
static void test_B_RxPrefixTableLookupName_01_needs_the_lock(void **state)
{
	(void)state;
	CHECK(runs_through(look_up_in_child));
	RxReleasePrefixTableLock(&table);
	CHECK(stops_with(look_up_in_child, "RxIsPrefixTableLockAcquired"));
	CHECK(RxAcquirePrefixTableLockShared(&table, TRUE));
	CHECK(runs_through(look_up_in_child));
	RxReleasePrefixTableLock(&table);
	CHECK(RxAcquirePrefixTableLockExclusive(&table, TRUE));
}

static void test_B_RxPrefixTableLookupName_05_empty_name(void **state)
{
	(void)state;
	CHECK(stops_with(look_up_nothing, "count > 0"));
}

/* With an id only its own entries match, and those without one; without an id, any. */
static void test_B_RxPrefixTableLookupName_06_connection_id(void **state)
{
	RX_CONNECTION_ID one = {.Luid = {1, 0}}, two = {.Luid = {1, 1}};
	struct named mine, plain;
	UNICODE_STRING rest;

	(void)state;
	CHECK(insert(&mine, RDBSS_NTC_NETROOT, u"\\s\\h", 0xffff, &one) != NULL);
	CHECK(look_up(u"\\s\\h\\f", &rest, NULL) == &mine);
	CHECK(look_up(u"\\s\\h\\f", &rest, &one) == &mine);
	CHECK(look_up(u"\\s\\h\\f", &rest, &two) == NULL);
	CHECK_EQUAL(mine.nr.NodeReferenceCount, 3);
	CHECK(insert(&plain, RDBSS_NTC_NETROOT, u"\\s", 0xffff, NULL) != NULL);
	CHECK(look_up(u"\\s\\h\\f", &rest, &two) == &plain && is(&rest, u"\\h\\f"));
	RxRemovePrefixTableEntry(&table, &plain.entry);
	RxRemovePrefixTableEntry(&table, &mine.entry);
}

/* Walks the member queue from `from` as far as nothing changed; how many names it saw. */
static unsigned int enumerate(PLIST_ENTRY *from, ULONG stamp, unsigned int limit)
{
	unsigned int seen = 0;

	while (seen < limit && table.Version == stamp && *from != &table.MemberQueue) {
		*from = (*from)->Flink;
		seen++;
	}
	return seen;
}

/* Two enumerators, each with its place and its stamp, do not disturb each other; both notice a change. */
static void test_B_Prefix_table_01_02_stamp_and_enumerators(void **state)
{
	struct named a, b, c;
	PLIST_ENTRY first, second;
	ULONG stamp;

	(void)state;
	stamp = table.Version;
	CHECK(insert(&a, RDBSS_NTC_SRVCALL, u"\\a", 0xffff, NULL) != NULL);
	CHECK(table.Version != stamp);
	CHECK(insert(&b, RDBSS_NTC_SRVCALL, u"\\b", 0xffff, NULL) != NULL);
	stamp = table.Version;
	first = second = table.MemberQueue.Flink;
	CHECK_EQUAL(enumerate(&first, stamp, 1), 1);
	CHECK_EQUAL(enumerate(&second, stamp, 10), 2);
	CHECK(first == &b.entry.MemberQLinks);
	CHECK(insert(&c, RDBSS_NTC_SRVCALL, u"\\c", 0xffff, NULL) != NULL);
	CHECK_EQUAL(enumerate(&first, stamp, 10), 0); /* changed: begin again */
	stamp = table.Version;
	RxRemovePrefixTableEntry(&table, &b.entry);
	CHECK(table.Version != stamp);
	stamp = table.Version;
	first = table.MemberQueue.Flink;
	CHECK_EQUAL(enumerate(&first, stamp, 10), 2);
	RxRemovePrefixTableEntry(&table, &a.entry);
	RxRemovePrefixTableEntry(&table, &c.entry);
}

static struct named for_child;

static void insert_in_child(void)
{
	(void)insert(&for_child, RDBSS_NTC_SRVCALL, u"\\x", 0xffff, NULL);
}

static void remove_in_child(void)
{
	RxRemovePrefixTableEntry(&table, &for_child.entry);
}

static void look_up_beside(void *found)
{
	UNICODE_STRING rest;

	if (!RxAcquirePrefixTableLockShared(&table, FALSE))
		return;
	*(PVOID *)found = look_up(u"\\x\\y", &rest, NULL);
	RxReleasePrefixTableLock(&table);
}

/* Lookups go on side by side under the shared lock; under it a change stops the process. */
static void test_B_Prefix_table_03_shared_and_exclusive(void **state)
{
	struct nt_thread *thread;
	PVOID found = NULL;

	(void)state;
	CHECK(insert(&for_child, RDBSS_NTC_SRVCALL, u"\\x", 0xffff, NULL) != NULL);
	RxReleasePrefixTableLock(&table);
	CHECK(RxAcquirePrefixTableLockShared(&table, TRUE));
	CHECK_EQUAL(nt_thread_create("beside", look_up_beside, &found, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	CHECK(found == &for_child);
	CHECK(stops_with(insert_in_child, "RxIsPrefixTableLockExclusive"));
	CHECK(stops_with(remove_in_child, "RxIsPrefixTableLockExclusive"));
	RxReleasePrefixTableLock(&table);
	CHECK(RxAcquirePrefixTableLockExclusive(&table, TRUE));
	CHECK(runs_through(remove_in_child));
	RxRemovePrefixTableEntry(&table, &for_child.entry);
}

/* A table that minds case does so for every name, whatever an entry would permit. */
static void test_B_Prefix_table_04_one_rule(void **state)
{
	struct named n;
	UNICODE_STRING rest;

	(void)state;
	table.CaseInsensitiveMatch = FALSE;
	CHECK(insert(&n, RDBSS_NTC_NETROOT, u"\\server\\share", 0xffff, NULL) != NULL);
	CHECK(look_up(u"\\SERVER\\share", &rest, NULL) == NULL);
	CHECK(look_up(u"\\server\\share", &rest, NULL) == &n);
	table.CaseInsensitiveMatch = TRUE;
	CHECK(look_up(u"\\SERVER\\share", &rest, NULL) == &n);
	RxRemovePrefixTableEntry(&table, &n.entry);
}

/* Case is ignored as far as the entry says, and no further. */
static void test_case_rule_of_each_entry(void **state)
{
	struct named folded, exact, exact2;
	UNICODE_STRING rest;
	USHORT server = (USHORT)(7 * sizeof(WCHAR));

	(void)state;
	CHECK(insert(&folded, RDBSS_NTC_NETROOT, u"\\server\\share", 0xffff, NULL) != NULL);
	CHECK(look_up(u"\\SERVER\\ShArE\\f", &rest, NULL) == &folded);
	RxRemovePrefixTableEntry(&table, &folded.entry);

	CHECK(insert(&exact, RDBSS_NTC_NETROOT, u"\\server\\share", server, NULL) != NULL);
	CHECK(insert(&exact2, RDBSS_NTC_NETROOT, u"\\server\\Share", server, NULL) != NULL);
	CHECK(look_up(u"\\SERVER\\share\\f", &rest, NULL) == &exact);
	CHECK(look_up(u"\\SERVER\\Share\\f", &rest, NULL) == &exact2);
	CHECK(look_up(u"\\server\\SHARE\\f", &rest, NULL) == NULL);
	RxRemovePrefixTableEntry(&table, &exact.entry);
	RxRemovePrefixTableEntry(&table, &exact2.entry);
}

/* Names outside ASCII fold as Unicode does. */
static void test_case_beyond_ascii(void **state)
{
	struct named n;
	UNICODE_STRING rest;

	(void)state;
	CHECK(insert(&n, RDBSS_NTC_NETROOT, u"\\m\u00fcller\\\u03b1\u03b2", 0xffff, NULL) != NULL);
	CHECK(look_up(u"\\M\u00dcLLER\\\u0391\u0392\\x", &rest, NULL) == &n);
	RxRemovePrefixTableEntry(&table, &n.entry);
}

/* Two ids give two entries for one name; an asked id finds its own entry, or one without an id. */
static void test_B_MRxGetConnectionId_02_ids_are_part_of_the_key(void **state)
{
	RX_CONNECTION_ID one = {.Luid = {1, 0}}, two = {.Luid = {2, 0}}, three = {.Luid = {3, 0}};
	struct named a, b, plain, again;
	UNICODE_STRING rest;

	(void)state;
	CHECK(insert(&a, RDBSS_NTC_NETROOT, u"\\s\\h", 0xffff, &one) != NULL);
	CHECK(insert(&b, RDBSS_NTC_NETROOT, u"\\s\\h", 0xffff, &two) != NULL);
	CHECK(look_up(u"\\s\\h\\f", &rest, &one) == &a);
	CHECK(look_up(u"\\s\\h\\f", &rest, &two) == &b);
	CHECK(look_up(u"\\s\\h\\f", &rest, &three) == NULL);
	CHECK(insert(&plain, RDBSS_NTC_NETROOT, u"\\s\\h", 0xffff, NULL) != NULL);
	CHECK(look_up(u"\\s\\h\\f", &rest, &three) == &plain);
	CHECK(look_up(u"\\s\\h\\f", &rest, &one) == &a);
	CHECK(insert(&again, RDBSS_NTC_NETROOT, u"\\s\\h", 0xffff, &one) == NULL);
	RxRemovePrefixTableEntry(&table, &a.entry);
	RxRemovePrefixTableEntry(&table, &b.entry);
	RxRemovePrefixTableEntry(&table, &plain.entry);
}

/* The same name of the same kind is refused; a view and its share may have one name, and a lookup sees the view. */
static void test_same_name_twice(void **state)
{
	struct named nr, nr2, vnr;
	UNICODE_STRING rest, name;

	(void)state;
	CHECK(insert(&nr, RDBSS_NTC_NETROOT, u"\\s\\h", 0xffff, NULL) != NULL);
	CHECK(insert(&nr2, RDBSS_NTC_NETROOT, u"\\S\\H", 0xffff, NULL) == NULL);
	CHECK(insert(&vnr, RDBSS_NTC_V_NETROOT, u"\\s\\h", 0xffff, NULL) != NULL);
	CHECK(look_up(u"\\s\\h\\f", &rest, NULL) == &vnr);
	RtlInitUnicodeString(&name, u"\\s\\h");
	rx_assert_name_table_exclusive(&table);
	CHECK(rx_prefix_table_find(&table, &name, RDBSS_NTC_NETROOT, NULL) == &nr);
	CHECK(rx_prefix_table_find(&table, &name, RDBSS_NTC_V_NETROOT, NULL) == &vnr);
	CHECK(rx_prefix_table_find(&table, &name, RDBSS_NTC_SRVCALL, NULL) == NULL);
	RxRemovePrefixTableEntry(&table, &vnr.entry);
	CHECK(look_up(u"\\s\\h\\f", &rest, NULL) == &nr);
	RxRemovePrefixTableEntry(&table, &nr.entry);
}

/* The stamp differs after every change; the queue holds entries in order of insertion. */
static void test_version_and_member_queue(void **state)
{
	struct named a, b;
	ULONG before = table.Version, between;

	(void)state;
	CHECK(insert(&a, RDBSS_NTC_SRVCALL, u"\\a", 0xffff, NULL) != NULL);
	between = table.Version;
	CHECK(between != before);
	CHECK(insert(&b, RDBSS_NTC_SRVCALL, u"\\b", 0xffff, NULL) != NULL);
	CHECK(table.Version != between);
	CHECK(table.MemberQueue.Flink == &a.entry.MemberQLinks &&
	      table.MemberQueue.Blink == &b.entry.MemberQLinks);
	between = table.Version;
	RxRemovePrefixTableEntry(&table, &a.entry);
	CHECK(table.Version != between);
	between = table.Version;
	RxRemovePrefixTableEntry(&table, &a.entry);
	CHECK_EQUAL(table.Version, between);
	RxRemovePrefixTableEntry(&table, &b.entry);
	CHECK(RxIsPrefixTableEmpty(&table));
}

/* Ten thousand names are all found, and the buckets grew with them. */
static void test_grows_with_the_number_of_names(void **state)
{
	enum { NAMES = 10000 };
	struct named *all = ExAllocatePoolWithTag(PagedPool, NAMES * sizeof(*all), 'tset');
	WCHAR(*text)[16] = ExAllocatePoolWithTag(PagedPool, NAMES * sizeof(*text), 'tset');
	UNICODE_STRING rest;

	(void)state;
	CHECK(all != NULL && text != NULL);
	for (unsigned int i = 0; i < NAMES; i++) {
		unsigned int n = i, at = 0;

		text[i][at++] = u'\\';
		for (int digit = 0; digit < 5; digit++, n /= 10)
			text[i][at++] = (WCHAR)(u'a' + n % 10);
		text[i][at] = 0;
		CHECK(insert(&all[i], RDBSS_NTC_SRVCALL, text[i], 0xffff, NULL) != NULL);
	}
	CHECK(table.TableSize >= NAMES / 2);
	for (unsigned int i = 0; i < NAMES; i++)
		CHECK(look_up(text[i], &rest, NULL) == &all[i]);
	for (unsigned int i = 0; i < NAMES; i++)
		RxRemovePrefixTableEntry(&table, &all[i].entry);
	CHECK_EQUAL(table.EntryCount, 0);
	ExFreePoolWithTag(all, 'tset');
	ExFreePoolWithTag(text, 'tset');
}

/* got[0]: exclusive, got[1]: shared. */
static void held_by_another(void *answers)
{
	BOOLEAN *got = answers;

	got[0] = RxAcquirePrefixTableLockExclusive(&table, FALSE);
	got[1] = RxAcquirePrefixTableLockShared(&table, FALSE);
}

/* Asks for a table that the caller holds exclusive, from another thread and without Wait. */
static void ask_from_another_thread(BOOLEAN got[2])
{
	struct nt_thread *thread;

	got[0] = got[1] = TRUE;
	CHECK_EQUAL(nt_thread_create("taker", held_by_another, got, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	CHECK(RxIsPrefixTableLockExclusive(&table) && RxIsPrefixTableLockAcquired(&table));
}

/* Without Wait, exclusive access to a busy table is refused at once; to a free one it is granted. */
static void test_B_RxpAcquirePrefixTableLockExclusive_01_no_wait(void **state)
{
	BOOLEAN got[2];

	(void)state;
	ask_from_another_thread(got);
	CHECK(!got[0]);
	RxReleasePrefixTableLock(&table);
	CHECK(!RxIsPrefixTableLockAcquired(&table));
	CHECK(RxpAcquirePrefixTableLockExclusive(&table, FALSE));
	CHECK(RxIsPrefixTableLockExclusive(&table));
}

/* Without Wait, shared access to a table that is held exclusive is refused at once; to a free one it is granted. */
static void test_B_RxpAcquirePrefixTableLockShared_01_no_wait(void **state)
{
	BOOLEAN got[2];

	(void)state;
	ask_from_another_thread(got);
	CHECK(!got[1]);
	RxReleasePrefixTableLock(&table);
	CHECK(RxpAcquirePrefixTableLockShared(&table, FALSE));
	CHECK(RxIsPrefixTableLockAcquired(&table) && !RxIsPrefixTableLockExclusive(&table));
	RxReleasePrefixTableLock(&table);
	CHECK(RxpAcquirePrefixTableLockExclusive(&table, FALSE)); /* as the end of each test expects it */
}

static void try_alone(void *arg)
{
	BOOLEAN *got = arg;

	*got = RxpAcquirePrefixTableLockExclusive(&table, FALSE);
	if (*got)
		RxpReleasePrefixTableLock(&table);
}

static BOOLEAN another_may_have_it(void)
{
	struct nt_thread *thread;
	BOOLEAN got = FALSE;

	CHECK_EQUAL(nt_thread_create("other", try_alone, &got, &thread), STATUS_SUCCESS);
	nt_thread_join(thread);
	return got;
}

/* The routine behind the macro gives up one hold: of a lock that is held twice the first release leaves one. */
static void test_lock_is_released(void **state)
{
	(void)state;
	CHECK(RxpAcquirePrefixTableLockExclusive(&table, TRUE));
	RxpReleasePrefixTableLock(&table);
	CHECK(RxIsPrefixTableLockExclusive(&table) && !another_may_have_it());
	RxpReleasePrefixTableLock(&table);
	CHECK(!RxIsPrefixTableLockAcquired(&table) && another_may_have_it());
	CHECK(RxpAcquirePrefixTableLockShared(&table, TRUE));
	CHECK(!another_may_have_it());
	RxpReleasePrefixTableLock(&table);
	CHECK(another_may_have_it());
	CHECK(RxpAcquirePrefixTableLockExclusive(&table, TRUE));
}

/* A new table is empty, nobody's, and of the case that was asked for; the size given is the least there is. No version is 0. */
static void test_new_table(void **state)
{
	static WCHAR chars[] = u"\\Server";
	UNICODE_STRING name = {sizeof(chars) - sizeof(WCHAR), sizeof(chars), chars};
	static RX_PREFIX_TABLE fresh;
	UNICODE_STRING rest;

	(void)state;
	memset(&fresh, 0xee, sizeof(fresh));
	RxInitializePrefixTable(&fresh, 100, FALSE);
	CHECK(!RxIsPrefixTableLockAcquired(&fresh));
	CHECK(IsListEmpty(&fresh.MemberQueue) && fresh.Version != 0);
	CHECK(fresh.TableSize >= 100 && !fresh.CaseInsensitiveMatch);
	CHECK(RxAcquirePrefixTableLockShared(&fresh, FALSE));
	CHECK(RxPrefixTableLookupName(&fresh, &name, &rest, NULL) == NULL);
	RxReleasePrefixTableLock(&fresh);
	RxFinalizePrefixTable(&fresh);
	RxInitializePrefixTable(&fresh, 0, TRUE);
	CHECK(fresh.TableSize > 0 && fresh.CaseInsensitiveMatch);
	RxFinalizePrefixTable(&fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxPrefixTableLookupName_03_longest_prefix_wins),
		cmocka_unit_test(test_B_RxPrefixTableLookupName_02_04_counts),
		cmocka_unit_test(test_B_RxPrefixTableLookupName_01_needs_the_lock),
		cmocka_unit_test(test_B_RxPrefixTableLookupName_05_empty_name),
		cmocka_unit_test(test_B_RxPrefixTableLookupName_06_connection_id),
		cmocka_unit_test(test_B_Prefix_table_01_02_stamp_and_enumerators),
		cmocka_unit_test(test_B_Prefix_table_03_shared_and_exclusive),
		cmocka_unit_test(test_lock_is_released),
		cmocka_unit_test(test_new_table),
		cmocka_unit_test(test_B_Prefix_table_04_one_rule),
		cmocka_unit_test(test_case_rule_of_each_entry),
		cmocka_unit_test(test_case_beyond_ascii),
		cmocka_unit_test(test_B_MRxGetConnectionId_02_ids_are_part_of_the_key),
		cmocka_unit_test(test_same_name_twice),
		cmocka_unit_test(test_version_and_member_queue),
		cmocka_unit_test(test_grows_with_the_number_of_names),
		cmocka_unit_test(test_B_RxpAcquirePrefixTableLockExclusive_01_no_wait),
		cmocka_unit_test(test_B_RxpAcquirePrefixTableLockShared_01_no_wait),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
