/* test_status.c - status codes by name and as errno, row by row. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "nt/status_table.h"
#include "nt_status.h"

/* Every row answers as written, once, and has a name. */
static void test_each_row(void **state)
{
	size_t i, k;

	(void)state;
	assert_true(nt_status_row_count > 100);
	for (i = 0; i < nt_status_row_count; i++) {
		assert_int_equal(nt_status_to_errno(nt_status_rows[i].status), nt_status_rows[i].error);
		assert_true(nt_status_rows[i].error >= 0);
		assert_null(strstr(nt_status_name(nt_status_rows[i].status), "0x"));
		for (k = 0; k < i; k++)
			assert_int_not_equal(nt_status_rows[i].status, nt_status_rows[k].status);
	}
}

/* No failure becomes a success: only end of file, which a read reports as no bytes, is 0. */
static void test_failures_stay_failures(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < nt_status_row_count; i++)
		if (NT_ERROR(nt_status_rows[i].status) && nt_status_rows[i].status != STATUS_END_OF_FILE)
			assert_int_not_equal(nt_status_rows[i].error, 0);
	assert_int_equal(nt_status_to_errno((NTSTATUS)0xC0ABCDEFu), EIO);
	assert_int_equal(nt_status_to_errno((NTSTATUS)0x40000000), 0);
}

/* Names are those of the specification; an unknown code shows its number. */
static void test_names(void **state)
{
	(void)state;
	assert_string_equal(nt_status_name(STATUS_SUCCESS), "STATUS_SUCCESS");
	assert_string_equal(nt_status_name(STATUS_LOGON_FAILURE), "STATUS_LOGON_FAILURE");
	assert_string_equal(nt_status_name((NTSTATUS)0xC0ABCDEFu), "STATUS_0xC0ABCDEF");
}

/* What sockets report comes back as a status that means the same. */
static void test_from_errno(void **state)
{
	static const int errors[] = {ENOENT, EACCES,       EEXIST,     ENOSPC,
				     EINTR,  ECONNREFUSED, ECONNRESET, EHOSTUNREACH};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_int_equal(nt_status_to_errno(nt_status_from_errno(errors[i])), errors[i]);
	assert_int_equal(nt_status_from_errno(0), STATUS_SUCCESS);
	assert_false(NT_SUCCESS(nt_status_from_errno(99999)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_row),
		cmocka_unit_test(test_failures_stay_failures),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_from_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
