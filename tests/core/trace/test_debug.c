/* test_debug.c - what checked builds of drivers call: assertions, break points, pool calls with file and line, events. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../support/child.h"
#include "core/support/fixture.h"

#include "core/trace/trace.h"
#include "nt_exec.h"

/* Is `text` in the log now? */
static bool logged(const char *text)
{
	char *all = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&all, &bytes);
	bool found;

	CHECK(stream != NULL);
	rx_log_dump(stream);
	CHECK(fclose(stream) == 0);
	found = strstr(all, text) != NULL;
	free(all);
	return found;
}

static int call(const void *arg)
{
	void (*const *fn)(void) = arg;

	(*fn)();
	return 0;
}

/* Runs fn in a child that must not come back. Gives the signal that ended it, and the end of what it printed. */
static int signal_of(void (*fn)(void), char *text, size_t size)
{
	struct child c = {call, &fn, NT_MISUSE_STOP, 20};
	int status = child_run(&c, text, size);

	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void fail_an_assertion(void)
{
	char assertion[] = "a == b", file[] = "driver.c", message[] = "they differ";

	RxAssert(assertion, file, 4711, message);
}

static void fail_without_a_message(void)
{
	char assertion[] = "c == d", file[] = "driver.c";

	RxAssert(assertion, file, 12, NULL);
}

static void reach_a_break_point(void)
{
	RxDbgBreakPoint(17);
}

/* A failed assertion names itself, its file and line, shows the log, and ends the process. */
static void test_failed_assertion_ends_the_process(void **state)
{
	char text[16384];

	(void)state;
	RxLog(("the line before"));
	CHECK_EQUAL(signal_of(fail_an_assertion, text, sizeof(text)), SIGABRT);
	CHECK(strstr(text, "a == b") != NULL && strstr(text, "they differ") != NULL);
	CHECK(strstr(text, "driver.c") != NULL && strstr(text, "4711") != NULL);
	CHECK(strstr(text, "the line before") != NULL);
	CHECK_EQUAL(signal_of(fail_without_a_message, text, sizeof(text)), SIGABRT);
	CHECK(strstr(text, "c == d") != NULL);
}

/* A break point stops a process that nobody debugs, and not as an assertion does. */
static void test_break_point_stops(void **state)
{
	char text[16384];
	int number;

	(void)state;
	number = signal_of(reach_a_break_point, text, sizeof(text));
	CHECK(number == SIGTRAP || number == SIGILL);
}

/* Memory of the checked calls is pool memory with that tag; none left is said with file and line. */
static void test_pool_calls_with_a_line(void **state)
{
	char file[] = "driver.c";
	unsigned long bytes = nt_pool_bytes();
	UCHAR *memory = _RxAllocatePoolWithTag(NonPagedPool, 100, 'tset', file, 21);

	(void)state;
	CHECK(memory != NULL && nt_pool_bytes() == bytes + 100);
	memset(memory, 0x5a, 100);
	CHECK(_RxCheckMemoryBlock(memory, file, 22));
	CHECK(!_RxCheckMemoryBlock(NULL, file, 23));
	_RxFreePool(memory, file, 24);
	CHECK_EQUAL(nt_pool_bytes(), bytes);
	nt_fault_arm(0);
	CHECK(_RxAllocatePoolWithTag(PagedPool, 64, 'tset', file, 25) == NULL);
	CHECK(nt_fault_disarm());
	CHECK(logged("driver.c:25"));
}

/* The forms without a line: memory that can be written, and given back by either. */
static void test_pool_calls(void **state)
{
	unsigned long bytes = nt_pool_bytes();
	PVOID first = RxAllocatePoolWithTag(NonPagedPool, 10, 'tset'), second = RxAllocatePool(PagedPool, 10);

	(void)state;
	CHECK(first != NULL && second != NULL && first != second);
	RxCheckMemoryBlock(first);
	RxFreePool(first);
	RxFreePool(second);
	CHECK_EQUAL(nt_pool_bytes(), bytes);
}

/* An event of each kind is kept with its number, its originator, its status and its line. */
static void test_events_are_kept(void **state)
{
	FIXTURE_NAME(who, u"the-driver");
	UCHAR data[5] = {1, 2, 3, 4, 5};
	char expected[80];

	(void)state;
	RxLogEventDirect(recorder_device, &who, 0x81, STATUS_BAD_NETWORK_PATH, 101);
	CHECK(logged("event 81 the-driver status c00000be line 101"));
	RxLogEventWithBufferDirect(recorder_device, &who, 0x82, STATUS_UNSUCCESSFUL, data, sizeof(data), 102);
	CHECK(logged("event 82 the-driver status c0000001 line 102, 5 bytes of data"));
	RxLogEvent(recorder_device, &who, 0x83, STATUS_SUCCESS);
	snprintf(expected, sizeof(expected), "event 83 the-driver status 0 line %d", __LINE__ - 1);
	CHECK(logged(expected));
	RxLogFailure(recorder_device, &who, 0x84, STATUS_ACCESS_DENIED);
	CHECK(logged("event 84 the-driver status c0000022"));
	RxLogFailureWithBuffer(recorder_device, &who, 0x85, STATUS_ACCESS_DENIED, data, 3);
	CHECK(logged("event 85 the-driver status c0000022") && logged("3 bytes of data"));
	RxLogRetail(("kept in every build %u", 6u));
	CHECK(logged("kept in every build 6\n"));
}

/* There is no client-side cache here: no open comes from its agent. */
static void test_no_open_is_of_the_cache_agent(void **state)
{
	PRX_CONTEXT rxc = fixture_context();

	(void)state;
	CHECK(!RxIsThisACscAgentOpen(rxc));
	fixture_context_end(rxc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failed_assertion_ends_the_process),
		cmocka_unit_test(test_break_point_stops),
		cmocka_unit_test(test_pool_calls_with_a_line),
		cmocka_unit_test(test_pool_calls),
		cmocka_unit_test(test_events_are_kept),
		cmocka_unit_test(test_no_open_is_of_the_cache_agent),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
