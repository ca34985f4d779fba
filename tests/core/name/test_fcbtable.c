/* test_fcbtable.c - the FCB table of a share: find, case rule, the root's empty name, growth. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/name/name.h"
#include "core/support/check.h"
#include "nt_exec.h"

static RX_FCB_TABLE table;

static int begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	CHECK_EQUAL(nt_initialize(&config), STATUS_SUCCESS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	CHECK_EQUAL(nt_shutdown(stderr), 0);
	return 0;
}

static void open_table(BOOLEAN insensitive)
{
	RxInitializeFcbTable(&table, insensitive);
	CHECK(RxAcquireFcbTableLockExclusive(&table, TRUE));
}

static void close_table(void)
{
	RxReleaseFcbTableLock(&table);
	RxFinalizeFcbTable(&table);
}

static void make(PFCB fcb, PCWSTR path)
{
	RtlZeroMemory(fcb, sizeof(*fcb));
	fcb->Header.NodeTypeCode = RDBSS_NTC_STORAGE_TYPE_FILE;
	fcb->NodeReferenceCount = 1;
	RtlInitUnicodeString(&fcb->FcbTableEntry.Path, path);
}

static PFCB look_up(PCWSTR path)
{
	UNICODE_STRING name;

	RtlInitUnicodeString(&name, path);
	return RxFcbTableLookupFcb(&table, &name);
}

/* What was entered is found, referenced; what was removed is not; a second removal says so. */
static void test_find_and_remove(void **state)
{
	static FCB a, b;

	(void)state;
	open_table(FALSE);
	make(&a, u"\\dir\\a");
	make(&b, u"\\dir\\b");
	CHECK_EQUAL(RxFcbTableInsertFcb(&table, &a), STATUS_SUCCESS);
	CHECK_EQUAL(RxFcbTableInsertFcb(&table, &b), STATUS_SUCCESS);
	CHECK(look_up(u"\\dir\\a") == &a && look_up(u"\\dir\\b") == &b);
	CHECK_EQUAL(a.NodeReferenceCount, 2);
	CHECK(look_up(u"\\dir") == NULL && look_up(u"\\dir\\ab") == NULL);
	CHECK_EQUAL(table.FailedLookups, 2);
	CHECK_EQUAL(RxFcbTableRemoveFcb(&table, &a), STATUS_SUCCESS);
	CHECK(look_up(u"\\dir\\a") == NULL);
	CHECK_EQUAL((ULONG)RxFcbTableRemoveFcb(&table, &a), (ULONG)STATUS_NOT_FOUND);
	CHECK_EQUAL(RxFcbTableRemoveFcb(&table, &b), STATUS_SUCCESS);
	close_table();
}

/* The case of a name counts, or does not, as the table was made. */
static void test_case_rule(void **state)
{
	static FCB lower, upper;

	(void)state;
	open_table(FALSE);
	make(&lower, u"\\stra\u00dfe\\file");
	make(&upper, u"\\STRA\u00dfE\\FILE");
	CHECK_EQUAL(RxFcbTableInsertFcb(&table, &lower), STATUS_SUCCESS);
	CHECK_EQUAL(RxFcbTableInsertFcb(&table, &upper), STATUS_SUCCESS);
	CHECK(look_up(u"\\stra\u00dfe\\file") == &lower && look_up(u"\\STRA\u00dfE\\FILE") == &upper);
	CHECK(look_up(u"\\Stra\u00dfe\\File") == NULL);
	(void)RxFcbTableRemoveFcb(&table, &lower);
	(void)RxFcbTableRemoveFcb(&table, &upper);
	close_table();

	open_table(TRUE);
	CHECK_EQUAL(RxFcbTableInsertFcb(&table, &lower), STATUS_SUCCESS);
	CHECK(look_up(u"\\Stra\u00dfe\\File") == &lower);
	(void)RxFcbTableRemoveFcb(&table, &lower);
	close_table();
}

/* The file with the empty name has a place of its own. */
static void test_empty_name(void **state)
{
	static FCB root;

	(void)state;
	open_table(TRUE);
	make(&root, u"");
	CHECK(look_up(u"") == NULL);
	CHECK_EQUAL(RxFcbTableInsertFcb(&table, &root), STATUS_SUCCESS);
	CHECK(look_up(u"") == &root && table.TableEntryForNull == &root.FcbTableEntry);
	CHECK_EQUAL(RxFcbTableRemoveFcb(&table, &root), STATUS_SUCCESS);
	CHECK(look_up(u"") == NULL);
	close_table();
}

/* Without memory the first insertion fails and says so; later ones go on with longer chains. */
static void test_allocation_failure(void **state)
{
	enum { FILES = 100 };
	static FCB files[FILES];
	static WCHAR text[FILES][8];

	(void)state;
	open_table(FALSE);
	make(&files[0], u"\\first");
	nt_fault_arm(0);
	CHECK_EQUAL((ULONG)RxFcbTableInsertFcb(&table, &files[0]), (ULONG)STATUS_INSUFFICIENT_RESOURCES);
	CHECK(nt_fault_disarm());
	CHECK_EQUAL(table.NumberOfEntries, 0);
	CHECK_EQUAL(RxFcbTableInsertFcb(&table, &files[0]), STATUS_SUCCESS);
	for (unsigned int i = 1; i < FILES; i++) {
		text[i][0] = u'\\';
		text[i][1] = (WCHAR)(u'a' + i / 10);
		text[i][2] = (WCHAR)(u'0' + i % 10);
		make(&files[i], text[i]);
		nt_fault_arm(0);
		CHECK_EQUAL(RxFcbTableInsertFcb(&table, &files[i]), STATUS_SUCCESS);
		(void)nt_fault_disarm();
	}
	CHECK_EQUAL(table.NumberOfBuckets, 32);
	for (unsigned int i = 1; i < FILES; i++)
		CHECK(look_up(text[i]) == &files[i]);
	for (unsigned int i = 0; i < FILES; i++)
		CHECK_EQUAL(RxFcbTableRemoveFcb(&table, &files[i]), STATUS_SUCCESS);
	close_table();
}

/* The buckets grow with the files, and every file is found after each growth. */
static void test_growth(void **state)
{
	enum { FILES = 5000 };
	PFCB files = ExAllocatePoolWithTag(PagedPool, FILES * sizeof(FCB), 'tset');
	WCHAR(*text)[16] = ExAllocatePoolWithTag(PagedPool, FILES * sizeof(*text), 'tset');

	(void)state;
	CHECK(files != NULL && text != NULL);
	open_table(TRUE);
	for (unsigned int i = 0; i < FILES; i++) {
		unsigned int n = i, at = 0;

		text[i][at++] = u'\\';
		for (int digit = 0; digit < 4; digit++, n /= 10)
			text[i][at++] = (WCHAR)(u'a' + n % 10);
		text[i][at] = 0;
		make(&files[i], text[i]);
		CHECK_EQUAL(RxFcbTableInsertFcb(&table, &files[i]), STATUS_SUCCESS);
	}
	CHECK(table.NumberOfBuckets >= FILES);
	CHECK_EQUAL(table.NumberOfEntries, FILES);
	for (unsigned int i = 0; i < FILES; i++)
		CHECK(look_up(text[i]) == &files[i]);
	for (unsigned int i = 0; i < FILES; i++)
		CHECK_EQUAL(RxFcbTableRemoveFcb(&table, &files[i]), STATUS_SUCCESS);
	close_table();
	ExFreePoolWithTag(files, 'tset');
	ExFreePoolWithTag(text, 'tset');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_and_remove), cmocka_unit_test(test_case_rule),
		cmocka_unit_test(test_empty_name),      cmocka_unit_test(test_allocation_failure),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
