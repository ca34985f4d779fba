/* The formatter of debug output: the WDK's sizes and string kinds. */
#include "nt_test.h"

#include "ntifs.h"

#define CHECK_FORMAT(expected, ...) \
	do { \
		char text[256]; \
		size_t length = nt_format(text, sizeof(text), __VA_ARGS__); \
		assert_string_equal(text, expected); \
		assert_int_equal(length, strlen(expected)); \
	} while (0)

static void test_integers(void **state)
{
	/* l is 32 bits, ll and I64 are 64, h and hh cut; flags and width as in C. */
	(void)state;
	CHECK_FORMAT("-1 4294967295 ffffffff", "%ld %lu %lx", (LONG)-1, (ULONG)-1, (ULONG)-1);
	CHECK_FORMAT("-9223372036854775808", "%I64d", INT64_MIN);
	CHECK_FORMAT("123456789abcdef0 7", "%llx %d", 0x123456789abcdef0ull, 7);
	CHECK_FORMAT("65535 -1 255", "%hu %hd %hhu", 0xffffffff, 0xffffffff, 0xffffffff);
	CHECK_FORMAT("00042|42   |   42|+42|0X2A|052", "%05d|%-5d|%5d|%+d|%#X|0%o", 42, 42, 42, 42, 42, 42);
	CHECK_FORMAT("  007", "%5.3d", 7);
	CHECK_FORMAT("   7|7   |", "%*d|%*d|", 4, 7, -4, 7);
	CHECK_FORMAT("12", "%Iu", (size_t)12);
	CHECK_FORMAT("x % A", "%c %% %C", 'x', 'A');
}

static void test_pointers(void **state)
{
	/* %p has all digits, as the kernel debugger shows them. */
	(void)state;
	CHECK_FORMAT("00000000DEADBEEF", "%p", (void *)(uintptr_t)0xdeadbeef);
}

static void test_strings(void **state)
{
	/* %s is bytes; %ws %ls %S are 16-bit text; %wZ and %Z are counted; NULL is shown, precision cuts. */
	UNICODE_STRING counted = {6, 6, (PWCH)u"abcdef"}, none = {0, 0, NULL};
	ANSI_STRING bytes = {2, 2, (PCHAR) "xyz"};

	(void)state;
	CHECK_FORMAT("abc|wide|wide|wide|abc|xy|", "%s|%ws|%ls|%S|%wZ|%Z|%wZ", "abc", u"wide", u"wide",
		     u"wide", &counted, &bytes, &none);
	CHECK_FORMAT("(null) (null) (null)", "%s %ws %wZ", NULL, NULL, NULL);
	CHECK_FORMAT("ab|  ab|ab  |", "%.2s|%4s|%-4.2ws|", "abc", "ab", u"abc");
	CHECK_FORMAT("\xc3\xa4\xf0\x9f\x98\x80", "%ws", u"\u00e4\U0001F600");
}

static void test_room(void **state)
{
	/* Never past the end, always terminated, and the length says what there would have been. */
	char text[4] = {'?', '?', '?', '?'};

	(void)state;
	assert_int_equal(nt_format(text, 3, "%s", "abcdef"), 6);
	assert_string_equal(text, "ab");
	assert_int_equal(text[3], '?');
	assert_int_equal(nt_format(NULL, 0, "%d", 12345), 5);
	assert_int_equal(nt_format(text, 4, "%"), 0); /* a format that ends early */
}

static char said[256];

static void listen_to(const char *text, size_t length)
{
	assert_true(length < sizeof(said));
	memcpy(said, text, length);
	said[length] = 0;
}

static void test_output_goes_where_told(void **state)
{
	/* DbgPrint and DbgPrintEx reach the given output. */
	(void)state;
	nt_set_debug_output(listen_to);
	DbgPrint("one %lx\n", (ULONG)0xab);
	assert_string_equal(said, "one ab\n");
	DbgPrintEx(0, 0, "two %wZ", &(UNICODE_STRING)NT_STR(u"x"));
	assert_string_equal(said, "two x");
	nt_set_debug_output(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_output_goes_where_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
