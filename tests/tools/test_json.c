/* The text of the control socket: what is written is read back; what is hostile is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/rdr/rdr.h"

/* Numbers, strings with any byte, nested arrays and objects survive the way. */
static void test_round_trip(void **state)
{
	struct rdr_json json = {0};

	(void)state;
	rdr_json_open(&json, NULL, '{');
	rdr_json_number(&json, "n", -42);
	rdr_json_string(&json, "s", "a\"b\\c\n\x01 \xc3\xbc \xf0\x9f\xa6\x80");
	rdr_json_string(&json, "bad", "x\xff\xc3");
	rdr_json_string(&json, "none", NULL);
	rdr_json_bool(&json, "yes", true);
	rdr_json_open(&json, "list", '[');
	for (int i = 0; i < 3; i++) {
		rdr_json_open(&json, NULL, '{');
		rdr_json_number(&json, "i", i);
		rdr_json_close(&json, '}');
	}
	rdr_json_close(&json, ']');
	rdr_json_close(&json, '}');
	assert_false(json.failed);
	struct rdr_json_value *value = rdr_json_parse(json.text, json.length);

	assert_non_null(value);
	assert_int_equal((int)rdr_json_get_number(value, "n", 0), -42);
	assert_string_equal(rdr_json_get_string(value, "s", ""), "a\"b\\c\n\x01 \xc3\xbc \xf0\x9f\xa6\x80");
	assert_string_equal(rdr_json_get_string(value, "bad", ""), "x\xef\xbf\xbd\xef\xbf\xbd");
	assert_int_equal(rdr_json_member(value, "none")->kind, RDR_JSON_NULL);
	assert_int_equal((int)rdr_json_get_number(value, "yes", 0), 1);
	const struct rdr_json_value *list = rdr_json_member(value, "list");

	assert_int_equal(list->kind, RDR_JSON_ARRAY);
	assert_int_equal((int)rdr_json_get_number(list->first->next->next, "i", 9), 2);
	assert_null(list->first->next->next->next);
	rdr_json_value_free(value);
	rdr_json_free(&json);
}

/* What is not JSON is refused, however it is cut. */
static void test_hostile_text(void **state)
{
	static const char *const bads[] = {
		"",      " ",     "{",    "}",         "{\"a\"}", "{\"a\":}",    "{a:1}",   "[1,]",
		"[1 2]", "\"",    "\"\\", "\"\\u12\"", "\"\\x\"", "\"\\u0000\"", "tru",     "nul",
		"1 2",   "{} {}", "-",    "+-",        "1e",      "{\"a\":1,}",  "\"a\\\"", "[\"\\u00\"]",
	};
	static const char whole[] = "{\"a\":[1,2.5e3,\"\\u00fc\\n\",null,true,{\"b\":{}}]}";

	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		/* a copy of exact size, so that one byte too far is seen by a sanitizer */
		char *text = malloc(strlen(bads[i]) + 1);

		memcpy(text, bads[i], strlen(bads[i]));
		if (rdr_json_parse(text, strlen(bads[i])) != NULL)
			fail_msg("'%s' was accepted", bads[i]);
		free(text);
	}
	for (size_t length = 0; length < strlen(whole); length++) {
		char *text = malloc(length + 1);

		memcpy(text, whole, length);
		assert_null(rdr_json_parse(text, length));
		free(text);
	}
	struct rdr_json_value *value = rdr_json_parse(whole, strlen(whole));

	assert_non_null(value);
	rdr_json_value_free(value);
}

/* Nesting is bounded: depth costs stack. */
static void test_depth_is_bounded(void **state)
{
	char text[4001];

	(void)state;
	memset(text, '[', 2000);
	memset(text + 2000, ']', 2000);
	text[4000] = '\0';
	assert_null(rdr_json_parse(text, 4000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
