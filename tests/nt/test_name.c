/* test_name.c - file names survive the way to the server and back, and the way from the server and back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nt_name.h"
#include "ntifs.h"

static int start_runtime(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int stop_runtime(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static uint64_t seed = 88172645463325252ull;

static uint32_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static void check_bytes(const char *bytes, size_t length)
{
	UNICODE_STRING name;
	char *back;
	size_t n;

	assert_int_equal(nt_name_from_bytes(bytes, length, &name), STATUS_SUCCESS);
	assert_int_equal(nt_name_to_bytes(&name, &back, &n), STATUS_SUCCESS);
	assert_int_equal(n, length);
	assert_memory_equal(back, bytes, length);
	nt_name_bytes_free(back);
	nt_name_free(&name);
}

static void check_units(const WCHAR *units, size_t count)
{
	UNICODE_STRING name = {(USHORT)(count * 2), (USHORT)(count * 2), (PWCH)units}, back;
	char *bytes;
	size_t n;

	assert_int_equal(nt_name_to_bytes(&name, &bytes, &n), STATUS_SUCCESS);
	assert_null(memchr(bytes, 0, n));
	assert_null(memchr(bytes, '/', n));
	assert_int_equal(nt_name_from_bytes(bytes, n, &back), STATUS_SUCCESS);
	assert_int_equal(back.Length, name.Length);
	assert_memory_equal(back.Buffer, units, name.Length);
	nt_name_free(&back);
	nt_name_bytes_free(bytes);
}

static void expect(const char *bytes, const WCHAR *units)
{
	UNICODE_STRING name, want;

	RtlInitUnicodeString(&want, units);
	assert_int_equal(nt_name_from_bytes(bytes, strlen(bytes), &name), STATUS_SUCCESS);
	assert_int_equal(name.Length, want.Length);
	assert_memory_equal(name.Buffer, want.Buffer, want.Length);
	nt_name_free(&name);
	check_bytes(bytes, strlen(bytes));
}

/* The map is the one Linux cifs uses, so that both see the same names on one server. */
static void test_documented_map(void **state)
{
	(void)state;
	expect("plain.txt", u"plain.txt");
	expect("a/b", u"a\\b");
	expect("what? a:b*<>|\"\\", u"what\xf025 a\xf022"
				    u"b\xf021\xf023\xf024\xf027\xf020\xf026");
	expect("dot.", u"dot\xf029");
	expect("dot./x ", u"dot\xf029\\x\xf028");
	expect("two..", u"two.\xf029");
	expect("\x01tab\t", u"\xf001tab\xf009");
	expect("\xff\x80", u"\xf7ff\xf780");
	expect("gr\xc3\xbc\xc3\x9f", u"gr\u00fc\u00df");
	expect("\xf0\x9f\x98\x80", u"\xd83d\xde00");
	expect("\xef\x80\xa2", u"\xf700\xf022"); /* the code point itself is not taken for a colon */
}

/* Any bytes come back as they went, escapes of escapes included. */
static void test_bytes_round_trip(void **state)
{
	static const char *const pieces[] = {"\xff",
					     "\xef\x80\xa8",
					     "\xef\x80\xa2",
					     "\xef\x9c\x80",
					     ".",
					     " ",
					     ":",
					     "a",
					     "\x80",
					     "\xef\x9f\xbf",
					     "\xc0\xaf",
					     "\xed\xa0\x80",
					     "\xed\xbf\xbf",
					     "\xc0\x80",
					     "\xc3\xbc",
					     "?"};
	char name[256];
	size_t length, i;
	int round;

	(void)state;
	for (round = 0; round < 200000; round++) {
		length = 1 + next_random() % 12;
		if (round % 2) {
			for (i = 0; i < length; i++) {
				name[i] = (char)next_random();
				if (name[i] == 0 || name[i] == '/')
					name[i] = 'x';
			}
			check_bytes(name, length);
			continue;
		}
		name[0] = 0;
		for (i = 0; i < length; i++)
			strcat(name, pieces[next_random() % RTL_NUMBER_OF(pieces)]);
		check_bytes(name, strlen(name));
	}
}

/* Any name a server may hold comes back as it was, lone surrogates and raw forbidden characters included. */
static void test_units_round_trip(void **state)
{
	static const WCHAR pieces[] = {'a',    '.',    ' ',    ':',    '/',    0,      0xf700,
				       0xf022, 0xf028, 0xf029, 0xf7ff, 0xf780, 0xd800, 0xdc00,
				       0xdbff, 0xdfff, 0xf001, 0xfc,   0xffff, 0x1f};
	WCHAR name[16];
	size_t length, i;
	int round;

	(void)state;
	for (round = 0; round < 200000; round++) {
		length = 1 + next_random() % 12;
		for (i = 0; i < length; i++) {
			name[i] = round % 2 ? (WCHAR)next_random()
					    : pieces[next_random() % RTL_NUMBER_OF(pieces)];
			if (name[i] == '\\')
				name[i] = 'x';
		}
		check_units(name, length);
	}
}

/* Two names never become one. */
static void test_short_names_stay_apart(void **state)
{
	static const char alphabet[] = {'\xff', '\xef', '\x80', '\xa8', 'a', '.', ':'};
	char a[4];
	unsigned int i, k, n = sizeof(alphabet);

	(void)state;
	for (i = 0; i < n * n * n * n; i++) {
		for (k = 0; k < 4; k++)
			a[k] = alphabet[i / (k == 0 ? 1 : k == 1 ? n : k == 2 ? n * n : n * n * n) % n];
		check_bytes(a, 4); /* a name with an inverse shares its image with nobody */
	}
}

/* A buffer that is too small says how much is needed and is not written past its end. */
static void test_small_buffer(void **state)
{
	UNICODE_STRING name = NT_STR(u"gr\u00fcn");
	char buffer[8];
	size_t length;

	(void)state;
	name.Length = 8;
	memset(buffer, '#', sizeof(buffer));
	assert_int_equal(nt_name_to_buffer(&name, buffer, 4, &length), STATUS_BUFFER_TOO_SMALL);
	assert_int_equal(length, 5);
	assert_int_equal(buffer[4], '#');
	assert_int_equal(nt_name_to_buffer(&name, buffer, 5, &length), STATUS_SUCCESS);
	assert_memory_equal(buffer, "gr\xc3\xbcn", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_documented_map, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_bytes_round_trip, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_units_round_trip, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_short_names_stay_apart, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_small_buffer, start_runtime, stop_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
