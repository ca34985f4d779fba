/* test_race.c - the races of connecting and opening with real threads; also run under TSan. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"
#include "race.h"

/* Threads that open one share at once make one connection. */
static void test_connection_race(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		race_connect(8);
}

/* A record that is being finalized is never handed out; each is finalized once. */
static void test_finalize_against_lookup(void **state)
{
	(void)state;
	race_finalize_against_lookup(8, 100);
}

/* An FCB that is being finalized is never handed out. */
static void test_open_against_close(void **state)
{
	(void)state;
	race_open_close(8, 400);
}

/* A connection that is forced away under its users takes nothing with it that they still hold. */
static void test_forced_end_against_users(void **state)
{
	(void)state;
	race_forced_end(6, 200);
}

/* A failure reaches everybody who waited for it, and no name is left behind. */
static void test_failures(void **state)
{
	(void)state;
	race_failures(6, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connection_race),    cmocka_unit_test(test_finalize_against_lookup),
		cmocka_unit_test(test_open_against_close), cmocka_unit_test(test_forced_end_against_users),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
