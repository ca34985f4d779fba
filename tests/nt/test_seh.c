/* Structured exceptions: what is caught where, in which order, and what a region leaves behind. */
#include "nt_test.h"

#pragma GCC diagnostic ignored "-Wshadow" /* nested regions name their frames alike */

#include "ntifs.h"

/* __try and its kin are no words that the formatter knows. */
/* clang-format off */
static volatile int *volatile nowhere;

static void test_normal_way(void **state)
{
	/* A body that raises nothing runs once; its handler does not. */
	volatile int body = 0, handler = 0, finally_runs = 0;

	(void)state;
	__try {
		body++;
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		handler++;
	}
	__try {
		body++;
	} __finally {
		finally_runs++;
		assert_false(AbnormalTermination());
	}
	assert_int_equal(body, 2);
	assert_int_equal(handler, 0);
	assert_int_equal(finally_runs, 1);
}

static void raise_it(NTSTATUS status)
{
	ExRaiseStatus(status);
}

static void test_raised_status_reaches_the_handler(void **state)
{
	/* ExRaiseStatus leaves the body, from any depth of calls, and the handler sees its code. */
	volatile NTSTATUS seen = 0;

	(void)state;
	__try {
		raise_it(STATUS_INVALID_USER_BUFFER);
		fail();
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		seen = GetExceptionCode();
	}
	assert_int_equal(seen, STATUS_INVALID_USER_BUFFER);
}

static void test_filter_decides(void **state)
{
	/* A filter that does not want the exception leaves it to the next region outwards; finally runs on the way. */
	volatile int inner = 0, outer = 0, between = 0;

	(void)state;
	__try {
		__try {
			__try {
				raise_it(STATUS_DISK_FULL);
			} __except (GetExceptionCode() == STATUS_ACCESS_VIOLATION ? EXCEPTION_EXECUTE_HANDLER
										  : EXCEPTION_CONTINUE_SEARCH) {
				inner++;
			}
			fail();
		} __finally {
			between++;
			assert_true(AbnormalTermination());
		}
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		outer = GetExceptionCode() == STATUS_DISK_FULL;
	}
	assert_int_equal(inner, 0);
	assert_int_equal(between, 1);
	assert_int_equal(outer, 1);
}

#if defined(__SANITIZE_THREAD__)
#define NO_FAULTS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_FAULTS 1
#endif
#endif

__attribute__((no_sanitize("address", "undefined"), unused)) static void touch(void)
{
	*nowhere = 1;
}

static void test_bad_memory_is_caught(void **state)
{
	/* An access to bad memory in a body is STATUS_ACCESS_VIOLATION; a second one later is caught as well. */
	volatile NTSTATUS seen = 0;

	(void)state;
#ifdef NO_FAULTS
	(void)seen;
	skip(); /* TSan delivers signals at other times */
#else
	for (int i = 0; i < 3; i++) {
		seen = 0;
		__try {
			touch();
			fail();
		} __except (EXCEPTION_EXECUTE_HANDLER) {
			seen = GetExceptionCode();
		}
		assert_int_equal(seen, STATUS_ACCESS_VIOLATION);
	}
#endif
}

static int return_from_body(void)
{
	__try {
		return 5;
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		return 6;
	}
	return 7;
}

static void test_return_ends_the_region(void **state)
{
	/* A body may return; the region around it is the next to catch. */
	volatile int outer = 0;

	(void)state;
	__try {
		assert_int_equal(return_from_body(), 5);
		raise_it(STATUS_UNSUCCESSFUL);
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		outer++;
	}
	assert_int_equal(outer, 1);
}

static void test_raise_in_a_handler_goes_outwards(void **state)
{
	/* What a handler raises belongs to the region around it. */
	volatile NTSTATUS seen = 0;

	(void)state;
	__try {
		__try {
			raise_it(STATUS_UNSUCCESSFUL);
		} __except (EXCEPTION_EXECUTE_HANDLER) {
			raise_it(STATUS_DATA_ERROR);
		}
		fail();
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		seen = GetExceptionCode();
	}
	assert_int_equal(seen, STATUS_DATA_ERROR);
}

static void test_leave_and_other_spellings(void **state)
{
	/* __leave ends a body; the lower-case and _SEH2_ spellings mean the same. */
	volatile int reached = 0, caught = 0;

	(void)state;
	__try {
		if (reached == 0)
			__leave;
		reached = 100;
	} __finally {
		reached++;
	}
	assert_int_equal(reached, 1);
	try {
		raise_it(STATUS_UNSUCCESSFUL);
	} except (EXCEPTION_EXECUTE_HANDLER) {
		caught++;
	}
	_SEH2_TRY
	{
		raise_it(STATUS_CANCELLED);
	}
	_SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
	{
		caught += _SEH2_GetExceptionCode() == STATUS_CANCELLED;
	}
	_SEH2_END;
	assert_int_equal(caught, 2);
}

static void test_probes(void **state)
{
	/* Probes raise for NULL, for a range that wraps and for bad alignment; nothing is probed for no bytes. */
	volatile NTSTATUS seen[3] = {0};
	char memory[8];

	(void)state;
	ProbeForRead(NULL, 0, 8);
	ProbeForWrite(memory, sizeof(memory), 1);
	__try {
		ProbeForRead(NULL, 1, 1);
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		seen[0] = GetExceptionCode();
	}
	__try {
		ProbeForRead(memory, UINTPTR_MAX, 1);
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		seen[1] = GetExceptionCode();
	}
	__try {
		ProbeForRead((void *)((uintptr_t)memory | 1), 4, 4);
	} __except (EXCEPTION_EXECUTE_HANDLER) {
		seen[2] = GetExceptionCode();
	}
	assert_int_equal(seen[0], STATUS_ACCESS_VIOLATION);
	assert_int_equal(seen[1], STATUS_ACCESS_VIOLATION);
	assert_int_equal(seen[2], STATUS_DATATYPE_MISALIGNMENT);
}

static void raise_uncaught(void)
{
	NT_TEST_START_IN_CHILD();
	ExRaiseStatus(STATUS_UNSUCCESSFUL);
}

static void test_uncaught_stops_the_process(void **state)
{
	/* An exception that nobody catches stops the process with its code. */
	(void)state;
	assert_true(nt_test_dies(raise_uncaught, "0xc0000001"));
}

/* clang-format on */
#define SEH_TEST(name) cmocka_unit_test_setup_teardown(name, nt_test_setup, nt_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: cmocka puts handlers of its own in the place of ours before each test. */
		SEH_TEST(test_bad_memory_is_caught),
		SEH_TEST(test_normal_way),
		SEH_TEST(test_raised_status_reaches_the_handler),
		SEH_TEST(test_filter_decides),
		SEH_TEST(test_return_ends_the_region),
		SEH_TEST(test_raise_in_a_handler_goes_outwards),
		SEH_TEST(test_leave_and_other_spellings),
		SEH_TEST(test_probes),
		cmocka_unit_test(test_uncaught_stops_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
