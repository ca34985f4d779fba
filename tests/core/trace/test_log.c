/* test_log.c - the log ring and the event log. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/trace/trace.h"
#include "nt_exec.h"

/* Everything that is in the log now; the caller frees it. */
static char *dump(size_t *bytes)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, bytes);

	CHECK(stream != NULL);
	rx_log_dump(stream);
	CHECK(fclose(stream) == 0);
	return text;
}

/* A line is kept with its values; a long one is cut, not overrun. */
static void test_lines_are_kept(void **state)
{
	FIXTURE_NAME(name, u"\\server");
	char lengthy[400];
	size_t bytes;
	char *text;

	(void)state;
	memset(lengthy, 'x', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = '\0';
	RxLog(("one %lu %wZ %s", (ULONG)4711, &name, "end"));
	RxLog(("%s", lengthy));
	text = dump(&bytes);
	CHECK(strstr(text, "one 4711 \\server end\n") != NULL);
	CHECK(strstr(text, "xxxxxxxx\n") != NULL && strstr(text, lengthy) == NULL);
	free(text);
}

/* The ring keeps the newest lines, in order. */
static void test_ring_wraps(void **state)
{
	unsigned int expected = 0, seen = 0;
	size_t bytes;
	char *text, *line;

	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		RxLog(("number %u", i));
	text = dump(&bytes);
	for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		unsigned int n;

		if (sscanf(line, "number %u", &n) != 1)
			continue;
		CHECK(seen == 0 || n == expected);
		expected = n + 1;
		seen++;
	}
	CHECK(expected == 5000 && seen >= 1000);
	free(text);
}

static void write_many(void *arg)
{
	for (unsigned int i = 0; i < 5000; i++)
		RxLog(("thread %u line %u", *(unsigned int *)arg, i));
}

/* Writers on several threads, and a reader meanwhile: every line read is whole. */
static void test_concurrent_writers(void **state)
{
	struct nt_thread *threads[4];
	unsigned int ids[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		ids[i] = i;
		CHECK_EQUAL(nt_thread_create("writer", write_many, &ids[i], &threads[i]), STATUS_SUCCESS);
	}
	for (int round = 0; round < 20; round++) {
		size_t bytes;
		char *text = dump(&bytes), *line;

		for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			unsigned int id, n;
			char rest;

			if (strncmp(line, "thread ", 7) == 0)
				CHECK(sscanf(line, "thread %u line %u%c", &id, &n, &rest) == 2 && id < 4 &&
				      n < 5000);
		}
		free(text);
	}
	for (unsigned int i = 0; i < 4; i++)
		nt_thread_join(threads[i]);
}

/* An entry with data and strings is written, unless it is larger than 255 bytes in all. */
static void test_B_RxLogEventWithAnnotation_01_limit(void **state)
{
	static WCHAR letters[200];
	UNICODE_STRING small = {20, 20, letters}, large = {300, 300, letters};
	size_t bytes;
	char *text;

	(void)state;
	for (unsigned int i = 0; i < RTL_NUMBER_OF(letters); i++)
		letters[i] = u'q';
	RxLogEventWithAnnotation(recorder_device, 0x77, STATUS_UNSUCCESSFUL, NULL, 0, &large, 1);
	text = dump(&bytes);
	CHECK(strstr(text, "event 77") == NULL);
	free(text);
	RxLogEventWithAnnotation(recorder_device, 0x77, STATUS_UNSUCCESSFUL, NULL, 0, &small, 1);
	text = dump(&bytes);
	CHECK(strstr(text, "event 77: qqqqqqqqqq\n") != NULL);
	free(text);
}

/* The macros of drivers are this routine: one line for each call, in their order. */
static void test_log_routine(void **state)
{
	static char format[] = "plain %d of %s";
	size_t bytes;
	char *text;

	(void)state;
	_RxLog(format, 4712, "routine");
	RxLogRetail(("retail %d", 4713));
	text = dump(&bytes);
	CHECK(strstr(text, "plain 4712 of routine\nretail 4713\n") != NULL);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_kept),
		cmocka_unit_test(test_log_routine),
		cmocka_unit_test(test_ring_wraps),
		cmocka_unit_test(test_concurrent_writers),
		cmocka_unit_test(test_B_RxLogEventWithAnnotation_01_limit),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
