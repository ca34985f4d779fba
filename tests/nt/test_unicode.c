/* Counted strings: edges of length and room, folding, hashing, conversion, patterns. */
#include "nt_test.h"

#include "ntifs.h"
#include "ntstrsafe.h"

#define S(text) ((UNICODE_STRING)NT_STR(text))

static void test_init(void **state)
{
	/* Length counts bytes without the terminator; NULL gives the empty string; what is too long is cut evenly. */
	static WCHAR huge[40000];
	UNICODE_STRING s;

	(void)state;
	RtlInitUnicodeString(&s, u"abc");
	assert_int_equal(s.Length, 6);
	assert_int_equal(s.MaximumLength, 8);
	RtlInitUnicodeString(&s, NULL);
	assert_int_equal(s.Length, 0);
	assert_int_equal(s.MaximumLength, 0);
	assert_null(s.Buffer);
	for (int i = 0; i < 39999; i++)
		huge[i] = 'x';
	RtlInitUnicodeString(&s, huge);
	assert_int_equal(s.Length, 0xfffc);
	assert_int_equal(s.MaximumLength, 0xfffe);
}

static void test_copy_and_append_keep_to_their_room(void **state)
{
	/* Nothing is written past MaximumLength; copy cuts, append refuses and changes nothing. */
	WCHAR room[5] = {'?', '?', '?', '?', '?'};
	UNICODE_STRING to, abcd = S(u"abcd"), none = {0, 0, NULL};

	(void)state;
	RtlInitEmptyUnicodeString(&to, room, 3 * sizeof(WCHAR));
	RtlCopyUnicodeString(&to, &abcd);
	assert_int_equal(to.Length, 6);
	assert_int_equal(room[3], '?');
	to.MaximumLength = 7; /* odd: half a character is no room */
	RtlCopyUnicodeString(&to, &abcd);
	assert_int_equal(to.Length, 6);
	assert_int_equal(room[3], '?');
	to.MaximumLength = 0;
	RtlCopyUnicodeString(&to, &abcd);
	assert_int_equal(to.Length, 0);
	RtlCopyUnicodeString(&none, &abcd);
	assert_int_equal(none.Length, 0);
	RtlInitEmptyUnicodeString(&to, room, 4 * sizeof(WCHAR));
	RtlCopyUnicodeString(&to, NULL);
	assert_int_equal(to.Length, 0);
	assert_int_equal(room[0], 0);
	assert_int_equal(RtlAppendUnicodeToString(&to, u"ab"), STATUS_SUCCESS);
	assert_int_equal(room[2], 0); /* terminated where there is room */
	assert_int_equal(RtlAppendUnicodeToString(&to, u"cde"), STATUS_BUFFER_TOO_SMALL);
	assert_int_equal(to.Length, 4);
	assert_int_equal(RtlAppendUnicodeStringToString(&to, &to), STATUS_SUCCESS); /* to itself */
	assert_memory_equal(room, u"abab", 8);
	assert_int_equal(room[4], '?');
	assert_int_equal(RtlAppendUnicodeToString(&to, NULL), STATUS_SUCCESS);
	assert_int_equal(RtlAppendUnicodeStringToString(&to, &none), STATUS_SUCCESS);
	/* Overlapping: the source lies within the destination. */
	to.Length = 8;
	RtlCopyUnicodeString(&to, &(UNICODE_STRING){4, 4, room + 2});
	assert_int_equal(to.Length, 4);
	assert_memory_equal(room, u"ab", 4);
}

static void test_compare(void **state)
{
	/* By code unit; shorter first; folded when asked; prefix and equality agree with it. */
	UNICODE_STRING abc = S(u"abc"), Abd = S(u"ABD"), ab = S(u"AB"), empty = S(u""), none = {0, 0, NULL};

	(void)state;
	assert_true(RtlCompareUnicodeString(&abc, &Abd, FALSE) > 0);
	assert_true(RtlCompareUnicodeString(&abc, &Abd, TRUE) < 0);
	assert_true(RtlCompareUnicodeString(&ab, &abc, TRUE) < 0);
	assert_int_equal(RtlCompareUnicodeString(&empty, &none, FALSE), 0);
	assert_true(RtlPrefixUnicodeString(&ab, &abc, TRUE));
	assert_false(RtlPrefixUnicodeString(&ab, &abc, FALSE));
	assert_false(RtlPrefixUnicodeString(&abc, &ab, TRUE));
	assert_true(RtlPrefixUnicodeString(&none, &abc, FALSE));
	assert_true(RtlEqualUnicodeString(&empty, &none, TRUE));
	assert_false(RtlEqualUnicodeString(&abc, &Abd, TRUE));
}

static void test_folding_goes_both_ways(void **state)
{
	/* What folds to a capital is the small form of that capital, sigma aside; nothing folds into ASCII from outside. */
	(void)state;
	for (ULONG c = 0; c < 0x10000; c++) {
		WCHAR up = RtlUpcaseUnicodeChar((WCHAR)c);

		assert_int_equal(RtlUpcaseUnicodeChar(up), up);
		if (up != c && c != 0x3c2)
			assert_int_equal(RtlDowncaseUnicodeChar(up), c);
		if (c >= 0x80) {
			assert_true(up >= 0x80);
			assert_true(RtlDowncaseUnicodeChar((WCHAR)c) >= 0x80);
		}
	}
	assert_int_equal(RtlUpcaseUnicodeChar('z'), 'Z');
	assert_int_equal(RtlUpcaseUnicodeChar(0xe4), 0xc4);     /* a with diaeresis */
	assert_int_equal(RtlUpcaseUnicodeChar(0xdf), 0xdf);     /* sharp s */
	assert_int_equal(RtlUpcaseUnicodeChar(0x131), 0x131);   /* dotless i */
	assert_int_equal(RtlUpcaseUnicodeChar(0x3c3), 0x3a3);   /* sigma */
	assert_int_equal(RtlUpcaseUnicodeChar(0x3c2), 0x3a3);   /* final sigma */
	assert_int_equal(RtlUpcaseUnicodeChar(0x44f), 0x42f);   /* Cyrillic ya */
	assert_int_equal(RtlUpcaseUnicodeChar(0xd800), 0xd800); /* surrogate */
}

static void test_fold_strings(void **state)
{
	/* Into given room, in place, or into memory of the pool; too little room changes nothing. */
	WCHAR room[3] = {'a', 0xe4, 'b'};
	UNICODE_STRING in_place = {6, 6, room}, small = {0, 4, room}, made, abc = S(u"aBc");

	(void)state;
	assert_int_equal(RtlUpcaseUnicodeString(&small, &abc, FALSE), STATUS_BUFFER_OVERFLOW);
	assert_int_equal(room[0], 'a');
	assert_int_equal(RtlUpcaseUnicodeString(&in_place, &in_place, FALSE), STATUS_SUCCESS);
	assert_memory_equal(room, ((WCHAR[]){'A', 0xc4, 'B'}), 6);
	assert_int_equal(RtlDowncaseUnicodeString(&made, &abc, TRUE), STATUS_SUCCESS);
	assert_memory_equal(made.Buffer, u"abc", 6);
	RtlFreeUnicodeString(&made);
	assert_null(made.Buffer);
}

static void test_hash(void **state)
{
	/* Equal strings hash alike under the same rule; the algorithm is checked. */
	UNICODE_STRING a = S(u"Some Name.TXT"), b = S(u"sOME nAME.txt");
	ULONG ha, hb;

	(void)state;
	assert_int_equal(RtlHashUnicodeString(&a, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &ha), STATUS_SUCCESS);
	assert_int_equal(RtlHashUnicodeString(&b, TRUE, HASH_STRING_ALGORITHM_X65599, &hb), STATUS_SUCCESS);
	assert_int_equal(ha, hb);
	assert_int_equal(RtlHashUnicodeString(&b, FALSE, HASH_STRING_ALGORITHM_X65599, &hb), STATUS_SUCCESS);
	assert_int_not_equal(ha, hb);
	assert_int_equal(RtlHashUnicodeString(&a, TRUE, 7, &ha), STATUS_INVALID_PARAMETER);
	assert_int_equal(RtlHashUnicodeString(&a, TRUE, 0, NULL), STATUS_INVALID_PARAMETER);
}

static void test_duplicate(void **state)
{
	/* With and without terminator; an empty string is allocated only when asked; the flags must agree. */
	UNICODE_STRING abc = S(u"abc"), none = {0, 0, NULL}, out, longest;
	static WCHAR units[32767];

	(void)state;
	assert_int_equal(RtlDuplicateUnicodeString(RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE, &abc, &out),
			 STATUS_SUCCESS);
	assert_int_equal(out.Length, 6);
	assert_int_equal(out.MaximumLength, 8);
	assert_int_equal(out.Buffer[3], 0);
	RtlFreeUnicodeString(&out);
	assert_int_equal(RtlDuplicateUnicodeString(0, &none, &out), STATUS_SUCCESS);
	assert_null(out.Buffer);
	assert_int_equal(
		RtlDuplicateUnicodeString(RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING, &none, &out),
		STATUS_INVALID_PARAMETER);
	assert_int_equal(RtlDuplicateUnicodeString(3, &none, &out), STATUS_SUCCESS);
	assert_non_null(out.Buffer);
	RtlFreeUnicodeString(&out);
	longest = (UNICODE_STRING){0xfffe, 0xfffe, units};
	assert_int_equal(RtlDuplicateUnicodeString(1, &longest, &out), STATUS_NAME_TOO_LONG);
	assert_null(out.Buffer);
}

static void test_utf8(void **state)
{
	/* Valid text goes both ways; what is not valid becomes U+FFFD and is reported; buffers are not overrun. */
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
	static const WCHAR wide[] = {'a', 0xe4, 0x20ac, 0xd83d, 0xde00};
	WCHAR out[8];
	char back[16];
	ULONG n;

	(void)state;
	assert_int_equal(RtlUTF8ToUnicodeN(out, sizeof(out), &n, text, sizeof(text) - 1), STATUS_SUCCESS);
	assert_int_equal(n, sizeof(wide));
	assert_memory_equal(out, wide, sizeof(wide));
	assert_int_equal(RtlUnicodeToUTF8N(back, sizeof(back), &n, wide, sizeof(wide)), STATUS_SUCCESS);
	assert_int_equal(n, sizeof(text) - 1);
	assert_memory_equal(back, text, n);
	assert_int_equal(RtlUTF8ToUnicodeN(NULL, 0, &n, text, sizeof(text) - 1), STATUS_SUCCESS);
	assert_int_equal(n, sizeof(wide));
	out[4] = 0x1234;
	assert_int_equal(RtlUTF8ToUnicodeN(out, 8, &n, text, sizeof(text) - 1), STATUS_BUFFER_TOO_SMALL);
	assert_int_equal(n, 6); /* the pair is not split */
	assert_int_equal(out[4], 0x1234);
	assert_int_equal(RtlUTF8ToUnicodeN(out, sizeof(out), &n, "x\xff\xc3", 3), STATUS_SOME_NOT_MAPPED);
	assert_memory_equal(out, ((WCHAR[]){'x', 0xfffd, 0xfffd}), 6);
	assert_int_equal(RtlUnicodeToUTF8N(back, sizeof(back), &n, ((WCHAR[]){0xdc00, 'x', 0xd800}), 6),
			 STATUS_SOME_NOT_MAPPED);
	assert_int_equal(n, 7);
	assert_memory_equal(back, "\xef\xbf\xbdx\xef\xbf\xbd", 7);
	assert_int_equal(RtlUnicodeToUTF8N(back, 2, &n, ((WCHAR[]){0x20ac}), 2), STATUS_BUFFER_TOO_SMALL);
	assert_int_equal(n, 0);
}

static void test_ansi_strings(void **state)
{
	/* "ANSI" is UTF-8; allocated or into room that must hold the terminator. */
	UNICODE_STRING wide = S(u"stra\u00dfe"), back;
	ANSI_STRING narrow;
	char room[7];

	(void)state;
	assert_int_equal(RtlUnicodeStringToAnsiString(&narrow, &wide, TRUE), STATUS_SUCCESS);
	assert_string_equal(narrow.Buffer, "stra\xc3\x9f"
					   "e");
	assert_int_equal(narrow.Length, 7);
	assert_int_equal(RtlAnsiStringToUnicodeString(&back, &narrow, TRUE), STATUS_SUCCESS);
	assert_true(RtlEqualUnicodeString(&back, &wide, FALSE));
	RtlFreeUnicodeString(&back);
	RtlFreeAnsiString(&narrow);
	narrow = (ANSI_STRING){0, sizeof(room), room};
	assert_int_equal(RtlUnicodeStringToAnsiString(&narrow, &wide, FALSE), STATUS_BUFFER_OVERFLOW);
}

static void test_numbers(void **state)
{
	/* Integers in the bases of the page, both ways. */
	WCHAR room[11];
	UNICODE_STRING s = {0, sizeof(room), room}, in;
	ULONG value;

	(void)state;
	assert_int_equal(RtlIntegerToUnicodeString(4294967295u, 0, &s), STATUS_SUCCESS);
	assert_int_equal(s.Length, 20);
	assert_memory_equal(room, u"4294967295", 22);
	assert_int_equal(RtlIntegerToUnicodeString(255, 16, &s), STATUS_SUCCESS);
	assert_memory_equal(room, u"FF", 6);
	assert_int_equal(RtlIntegerToUnicodeString(255, 2, &s), STATUS_SUCCESS);
	assert_memory_equal(room, u"11111111", 18);
	assert_int_equal(RtlIntegerToUnicodeString(1, 7, &s), STATUS_INVALID_PARAMETER);
	s.MaximumLength = 2;
	assert_int_equal(RtlIntegerToUnicodeString(10, 10, &s), STATUS_BUFFER_OVERFLOW);
	in = S(u"  -12x");
	assert_int_equal(RtlUnicodeStringToInteger(&in, 10, &value), STATUS_SUCCESS);
	assert_int_equal((LONG)value, -12);
	in = S(u"0xFf");
	assert_int_equal(RtlUnicodeStringToInteger(&in, 0, &value), STATUS_SUCCESS);
	assert_int_equal(value, 255);
	in = S(u"777");
	assert_int_equal(RtlUnicodeStringToInteger(&in, 8, &value), STATUS_SUCCESS);
	assert_int_equal(value, 511);
	in = S(u"");
	assert_int_equal(RtlUnicodeStringToInteger(&in, 10, &value), STATUS_SUCCESS);
	assert_int_equal(value, 0);
	assert_int_equal(RtlUnicodeStringToInteger(&in, 3, &value), STATUS_INVALID_PARAMETER);
}

static void test_patterns(void **state)
{
	/* The wildcards of [MS-FSA] 2.1.4.4. */
	static const struct {
		const WCHAR *pattern, *name;
		bool folded, matches;
	} rows[] = {
		{u"*", u"anything.at.all", false, true},
		{u"*.txt", u"A.TXT", true, true},
		{u"*.txt", u"A.TXT", false, false},
		{u"a?c", u"abc", false, true},
		{u"a?c", u"ac", false, false},
		{u"a*b*c", u"a123b456c", false, true},
		{u"a*b*c", u"a123c456b", false, false},
		{u"<", u"noextension", false, true},
		{u"<", u"with.extension", false, false},
		{u"<.c", u"a.b.c", false, true},
		{u">>>", u"ab", false, true},
		{u">>>", u"abcd", false, false},
		{u"a\"", u"a", false, true},
		{u"a\"", u"a.", false, true},
		{u"a\"", u"ab", false, false},
		{u"", u"", false, true},
		{u"", u"a", false, false},
		{u"abc", u"abc", false, true},
	};

	(void)state;
	for (size_t i = 0; i < RTL_NUMBER_OF(rows); i++) {
		UNICODE_STRING pattern, name;

		RtlInitUnicodeString(&pattern, rows[i].pattern);
		RtlInitUnicodeString(&name, rows[i].name);
		if (FsRtlIsNameInExpression(&pattern, &name, rows[i].folded, NULL) != rows[i].matches)
			fail_msg("row %zu", i);
	}
	assert_true(FsRtlDoesNameContainWildCards(&S(u"a*b")));
	assert_true(FsRtlDoesNameContainWildCards(&S(u"a\"b")));
	assert_false(FsRtlDoesNameContainWildCards(&S(u"plain name.txt")));
}

static void test_pattern_work_is_bounded(void **state)
{
	/* A pattern made to make a matcher try everything is answered at once. */
	WCHAR pattern[2001], name[2000];
	UNICODE_STRING p = {4002, 4002, pattern}, n = {4000, 4000, name};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		pattern[i] = i % 2 ? 'a' : '*';
		name[i] = 'a';
	}
	pattern[2000] = 'b';
	assert_false(FsRtlIsNameInExpression(&p, &n, TRUE, NULL));
}

static void test_byte_strings_guids_and_sids(void **state)
{
	/* Counted byte strings compare and copy within their room; identifiers are written as everybody writes them. */
	static const GUID guid = {
		0x5f3b8a0e, 0x7c1d, 0x4c8e, {0x9d, 0x55, 0x2a, 0x6b, 0x1e, 0x0f, 0x4c, 0x37}};
	static UCHAR sid[] = {1,  2, 0, 0, 0,    0, 0, 5,
			      32, 0, 0, 0, 0x20, 2, 0, 0}; /* BUILTIN, administrators */
	static UCHAR big[] = {1, 0, 0, 1, 0, 0, 0, 0};
	static UCHAR bad[] = {1, 16, 0, 0, 0, 0, 0, 0};
	char room[3];
	STRING abc, ABD, cut = {0, sizeof(room), room};
	UNICODE_STRING text;

	(void)state;
	RtlInitString(&abc, "abcd");
	RtlInitString(&ABD, "ABD");
	assert_true(RtlCompareString(&abc, &ABD, TRUE) < 0);
	assert_true(RtlCompareString(&abc, &ABD, FALSE) > 0);
	RtlCopyString(&cut, &abc);
	assert_int_equal(cut.Length, 3);
	assert_memory_equal(room, "abc", 3);
	assert_int_equal(RtlStringFromGUID(&guid, &text), STATUS_SUCCESS);
	assert_true(RtlEqualUnicodeString(&text, &S(u"{5F3B8A0E-7C1D-4C8E-9D55-2A6B1E0F4C37}"), FALSE));
	RtlFreeUnicodeString(&text);
	assert_int_equal(RtlConvertSidToUnicodeString(&text, sid, TRUE), STATUS_SUCCESS);
	assert_true(RtlEqualUnicodeString(&text, &S(u"S-1-5-32-544"), FALSE));
	RtlFreeUnicodeString(&text);
	assert_int_equal(RtlConvertSidToUnicodeString(&text, big, TRUE), STATUS_SUCCESS);
	assert_true(RtlEqualUnicodeString(&text, &S(u"S-1-0x000100000000"), FALSE));
	RtlFreeUnicodeString(&text);
	assert_int_equal(RtlConvertSidToUnicodeString(&text, bad, TRUE), STATUS_INVALID_SID);
	assert_true(RtlEqualSid(sid, sid));
	assert_false(RtlEqualSid(sid, big));
}

static void test_time_fields(void **state)
{
	/* Every day of nine centuries goes apart and together again; what is no moment is refused. */
	static const struct {
		LONGLONG seconds; /* since 1970 */
		TIME_FIELDS fields;
	} rows[] = {
		{-11644473600LL, {1601, 1, 1, 0, 0, 0, 0, 1}},
		{0, {1970, 1, 1, 0, 0, 0, 0, 4}},
		{951782400, {2000, 2, 29, 0, 0, 0, 0, 2}},
		{1700000000, {2023, 11, 14, 22, 13, 20, 0, 2}},
		{4107542399LL, {2100, 2, 28, 23, 59, 59, 0, 0}},
	};
	LARGE_INTEGER time, back;
	TIME_FIELDS f;

	(void)state;
	for (size_t i = 0; i < RTL_NUMBER_OF(rows); i++) {
		time.QuadPart = rows[i].seconds * 10000000 + NT_UNIX_EPOCH;
		RtlTimeToTimeFields(&time, &f);
		assert_memory_equal(&f, &rows[i].fields, sizeof(f));
	}
	for (LONGLONG day = 0; day < 365 * 900; day++) {
		time.QuadPart = day * 864000000000LL + 123 * 10000;
		RtlTimeToTimeFields(&time, &f);
		assert_int_equal(f.Milliseconds, 123);
		assert_int_equal(f.Weekday, (day + 1) % 7);
		assert_true(RtlTimeFieldsToTime(&f, &back));
		assert_true(back.QuadPart == time.QuadPart);
	}
	f = (TIME_FIELDS){2023, 2, 29, 0, 0, 0, 0, 0};
	assert_false(RtlTimeFieldsToTime(&f, &back));
	f = (TIME_FIELDS){1600, 1, 1, 0, 0, 0, 0, 0};
	assert_false(RtlTimeFieldsToTime(&f, &back));
	f = (TIME_FIELDS){2023, 13, 1, 0, 0, 0, 0, 0};
	assert_false(RtlTimeFieldsToTime(&f, &back));
	f = (TIME_FIELDS){2023, 12, 1, 24, 0, 0, 0, 0};
	assert_false(RtlTimeFieldsToTime(&f, &back));
}

static void test_wide_helpers_are_ours(void **state)
{
	/* The wcs names work on 16-bit characters. */
	WCHAR room[8];

	(void)state;
	assert_int_equal(wcslen(u"abc"), 3);
	assert_int_equal(wcscmp(u"abc", u"abc"), 0);
	assert_true(wcscmp(u"abc", u"abd") < 0);
	assert_int_equal(_wcsicmp(u"ABC", u"abc"), 0);
	assert_int_equal(_wcsnicmp(u"ABCx", u"abcy", 3), 0);
	assert_int_equal(wcsncmp(u"abx", u"aby", 2), 0);
	wcscpy(room, u"ab");
	wcscat(room, u"cd");
	assert_int_equal(wcscmp(room, u"abcd"), 0);
	assert_ptr_equal(wcschr(room, 'c'), room + 2);
	assert_ptr_equal(wcsrchr(room, 'x'), NULL);
	assert_ptr_equal(wcsstr(room, u"bc"), room + 1);
	wcsncpy(room, u"xy", 4);
	assert_memory_equal(room, ((WCHAR[]){'x', 'y', 0, 0}), 8);
}

static void test_bounded_strings(void **state)
{
	/* The routines of ntstrsafe.h cut, terminate and say so; sizes that make no sense write nothing. */
	static const WCHAR long_text[] = u"0123456789012345678901234567890123456789";
	WCHAR wide[6], big[400];
	char narrow[6];
	SIZE_T n;

	(void)state;
	assert_int_equal(RtlStringCbCopyA(narrow, 6, "abcde"), STATUS_SUCCESS);
	assert_int_equal(RtlStringCbCatA(narrow, 6, "f"), STATUS_BUFFER_OVERFLOW);
	assert_string_equal(narrow, "abcde");
	assert_int_equal(RtlStringCchCopyNA(narrow, 6, "abcdefgh", 3), STATUS_SUCCESS);
	assert_string_equal(narrow, "abc");
	assert_int_equal(RtlStringCchCopyA(narrow, 0, "x"), STATUS_INVALID_PARAMETER);
	assert_int_equal(RtlStringCbPrintfA(narrow, 6, "%ld", (LONG)-1234567), STATUS_BUFFER_OVERFLOW);
	assert_string_equal(narrow, "-1234");
	assert_int_equal(RtlStringCbCopyW(wide, 11, u"abcdef"),
			 STATUS_BUFFER_OVERFLOW); /* 11 bytes: 5 characters */
	assert_int_equal(wcscmp(wide, u"abcd"), 0);
	assert_int_equal(RtlStringCbLengthW(wide, sizeof(wide), &n), STATUS_SUCCESS);
	assert_int_equal(n, 8);
	assert_int_equal(RtlStringCchLengthW(u"abc", 3, &n), STATUS_INVALID_PARAMETER);
	assert_int_equal(n, 0);
	assert_int_equal(RtlStringCchPrintfW(wide, 6, u"%ws\U0001F600", u"ab"), STATUS_SUCCESS);
	assert_memory_equal(wide, u"ab\U0001F600", 10);
	assert_int_equal(RtlStringCchPrintfW(wide, 4, u"%ws\U0001F600", u"ab"), STATUS_BUFFER_OVERFLOW);
	assert_int_equal(wcscmp(wide, u"ab"), 0); /* the pair is not split */
	assert_int_equal(RtlStringCbPrintfW(big, sizeof(big), u"%ws%ws%ws%ws%ws%ws%ws%ws", long_text,
					    long_text, long_text, long_text, long_text, long_text, long_text,
					    long_text),
			 STATUS_SUCCESS);
	assert_int_equal(wcslen(big), 320);
}

#define UNICODE_TEST(name) cmocka_unit_test_setup_teardown(name, nt_test_setup, nt_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNICODE_TEST(test_init),
		UNICODE_TEST(test_copy_and_append_keep_to_their_room),
		UNICODE_TEST(test_compare),
		UNICODE_TEST(test_folding_goes_both_ways),
		UNICODE_TEST(test_fold_strings),
		UNICODE_TEST(test_hash),
		UNICODE_TEST(test_duplicate),
		UNICODE_TEST(test_utf8),
		UNICODE_TEST(test_ansi_strings),
		UNICODE_TEST(test_numbers),
		UNICODE_TEST(test_patterns),
		UNICODE_TEST(test_pattern_work_is_bounded),
		UNICODE_TEST(test_wide_helpers_are_ours),
		UNICODE_TEST(test_bounded_strings),
		UNICODE_TEST(test_byte_strings_guids_and_sids),
		UNICODE_TEST(test_time_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
