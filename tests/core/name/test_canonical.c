/* test_canonical.c - the name of a create in the one form that tables know. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/name/name.h"
#include "core/support/check.h"
#include "nt_exec.h"

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

static void becomes(PCWSTR in_text, PCWSTR out_text, USHORT flags_expected)
{
	UNICODE_STRING in, out, expected;
	USHORT flags;

	RtlInitUnicodeString(&in, in_text);
	RtlInitUnicodeString(&expected, out_text);
	CHECK_EQUAL((ULONG)rx_canonical_name(&in, &flags, &out), STATUS_SUCCESS);
	CHECK(rx_name_equal(&out, &expected, 0));
	CHECK_EQUAL(flags, flags_expected);
	ExFreePool(out.Buffer);
}

static void is_refused(PCWSTR in_text, NTSTATUS expected)
{
	UNICODE_STRING in, out;
	USHORT flags;

	RtlInitUnicodeString(&in, in_text);
	CHECK_EQUAL((ULONG)rx_canonical_name(&in, &flags, &out), (ULONG)expected);
	CHECK(out.Buffer == NULL);
}

#define UNC RX_CONTEXT_CREATE_FLAG_UNC_NAME
#define STRIPPED RX_CONTEXT_CREATE_FLAG_STRIPPED_TRAILING_BACKSLASH

/* One backslash everywhere, none at the end. */
static void test_backslashes(void **state)
{
	(void)state;
	becomes(u"\\server\\share\\a\\b", u"\\server\\share\\a\\b", UNC);
	becomes(u"\\\\server\\share", u"\\server\\share", UNC);
	becomes(u"\\\\server\\\\share\\\\\\a", u"\\server\\share\\a", UNC);
	becomes(u"\\server\\share\\a\\", u"\\server\\share\\a", UNC | STRIPPED);
	becomes(u"\\server@4450\\share", u"\\server@4450\\share", UNC);
}

/* `.` goes, `..` takes the component before it, and never the share. */
static void test_dots(void **state)
{
	(void)state;
	becomes(u"\\s\\h\\.\\a\\.\\b", u"\\s\\h\\a\\b", UNC);
	becomes(u"\\s\\h\\a\\..\\b", u"\\s\\h\\b", UNC);
	becomes(u"\\s\\h\\a\\b\\..\\..", u"\\s\\h", UNC);
	becomes(u"\\s\\h\\...\\..a\\a..", u"\\s\\h\\...\\..a\\a..", UNC);
	is_refused(u"\\s\\h\\..", STATUS_OBJECT_PATH_SYNTAX_BAD);
	is_refused(u"\\s\\..\\h", STATUS_OBJECT_PATH_SYNTAX_BAD);
	is_refused(u"\\;X:0\\s\\h\\..\\x", STATUS_OBJECT_PATH_SYNTAX_BAD);
}

/* The device part is kept and is no component of the path. */
static void test_device_part(void **state)
{
	UNICODE_STRING name, device, unc, server, expected;

	(void)state;
	becomes(u"\\;X:0\\s\\h\\a\\..", u"\\;X:0\\s\\h", 0);
	RtlInitUnicodeString(&name, u"\\;X:0\\server\\h\\f");
	CHECK(rx_canonical_split_device(&name, &device, &unc));
	RtlInitUnicodeString(&expected, u"\\;X:0");
	CHECK(rx_name_equal(&device, &expected, 0));
	RtlInitUnicodeString(&expected, u"\\server\\h\\f");
	CHECK(rx_name_equal(&unc, &expected, 0));
	CHECK(rx_canonical_server(&unc, &server));
	RtlInitUnicodeString(&expected, u"\\server");
	CHECK(rx_name_equal(&server, &expected, 0));

	RtlInitUnicodeString(&name, u"\\s\\h");
	CHECK(rx_canonical_split_device(&name, &device, &unc) && device.Length == 0 &&
	      unc.Length == name.Length);
	RtlInitUnicodeString(&name, u"\\;X:0");
	CHECK(!rx_canonical_split_device(&name, &device, &unc));
}

/* What cannot be a name is refused, and no memory stays. */
static void test_bad_names(void **state)
{
	static WCHAR with_nul[] = {u'\\', u's', u'\\', u'h', u'\\', 0, u'x'};
	UNICODE_STRING in = {sizeof(with_nul), sizeof(with_nul), with_nul}, out;
	USHORT flags;

	(void)state;
	is_refused(u"", STATUS_OBJECT_NAME_INVALID);
	is_refused(u"server\\share", STATUS_OBJECT_NAME_INVALID);
	is_refused(u"\\", STATUS_OBJECT_NAME_INVALID);
	is_refused(u"\\\\\\", STATUS_OBJECT_NAME_INVALID);
	CHECK_EQUAL((ULONG)rx_canonical_name(&in, &flags, &out), (ULONG)STATUS_OBJECT_NAME_INVALID);
	in.Length = 3; /* half a character */
	CHECK_EQUAL((ULONG)rx_canonical_name(&in, &flags, &out), (ULONG)STATUS_OBJECT_NAME_INVALID);
}

/* Whatever the bytes are, the result is shorter than the input, canonical, and its own canonical form. */
static void test_random_names_are_stable(void **state)
{
	static const WCHAR alphabet[] = u"\\\\\\..;:aB\u00e9";
	uint64_t seed = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		WCHAR text[24];
		UNICODE_STRING in, out, again;
		USHORT flags, length = 0;

		for (int i = 0; i < 24; i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			if ((seed >> 60) == 0 && i > 0)
				break;
			text[length++] = alphabet[(seed >> 33) % (RTL_NUMBER_OF(alphabet) - 1)];
		}
		in.Buffer = text;
		in.Length = in.MaximumLength = (USHORT)(length * sizeof(WCHAR));
		if (!NT_SUCCESS(rx_canonical_name(&in, &flags, &out)))
			continue;
		CHECK(out.Length <= in.Length && out.Buffer[0] == u'\\');
		CHECK(out.Buffer[out.Length / sizeof(WCHAR) - 1] != u'\\');
		CHECK_EQUAL((ULONG)rx_canonical_name(&out, &flags, &again), STATUS_SUCCESS);
		CHECK(rx_name_equal(&out, &again, 0));
		ExFreePool(out.Buffer);
		ExFreePool(again.Buffer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backslashes),
		cmocka_unit_test(test_dots),
		cmocka_unit_test(test_device_part),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_random_names_are_stable),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
