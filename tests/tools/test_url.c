/* What can be mounted: names as people type them, and every way to get them wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/rdr/rdr.h"

struct good {
	const char *typed;
	enum rdr_scheme scheme;
	const char *server;
	unsigned int port;
	const char *share;
	const char *path;
	const char *user;
	const char *domain;
	const char *shown;
};

static const struct good goods[] = {
	{"//server/share", RDR_SCHEME_SMB, "server", 0, "share", "", NULL, NULL, "//server/share"},
	{"//server/share/", RDR_SCHEME_SMB, "server", 0, "share", "", NULL, NULL, "//server/share"},
	{"//server:4450/share/a//b/./c/", RDR_SCHEME_SMB, "server", 4450, "share", "a/b/c", NULL, NULL,
	 "//server:4450/share/a/b/c"},
	{"\\\\server\\share", RDR_SCHEME_SMB, "server", 0, "share", "", NULL, NULL, "//server/share"},
	{"\\\\server\\share\\", RDR_SCHEME_SMB, "server", 0, "share", "", NULL, NULL, "//server/share"},
	{"\\\\server:1\\share/a\\b", RDR_SCHEME_SMB, "server", 1, "share", "a\\b", NULL, NULL,
	 "//server:1/share/a\\b"},
	{"//server/share/a\\b", RDR_SCHEME_SMB, "server", 0, "share", "a\\b", NULL, NULL,
	 "//server/share/a\\b"},
	{"//[fe80::1]:445/share", RDR_SCHEME_SMB, "fe80::1", 445, "share", "", NULL, NULL,
	 "//[fe80::1]:445/share"},
	{"//10.0.0.1/C$", RDR_SCHEME_SMB, "10.0.0.1", 0, "C$", "", NULL, NULL, "//10.0.0.1/C$"},
	{"smb://server/share", RDR_SCHEME_SMB, "server", 0, "share", "", NULL, NULL, "//server/share"},
	{"SMB://alice@server:99/my%20share/%c3%bc", RDR_SCHEME_SMB, "server", 99, "my share", "\xc3\xbc",
	 "alice", NULL, "//server:99/my share/\xc3\xbc"},
	{"smb://CORP;al%40ice@server/s", RDR_SCHEME_SMB, "server", 0, "s", "", "al@ice", "CORP",
	 "//server/s"},
	{"mem:", RDR_SCHEME_MEM, "mem", 0, "default", "", NULL, NULL, "mem:default"},
	{"mem:scratch-1", RDR_SCHEME_MEM, "mem", 0, "scratch-1", "", NULL, NULL, "mem:scratch-1"},
};

static void assert_text(const char *found, const char *expected)
{
	if (expected == NULL)
		assert_null(found);
	else
		assert_string_equal(found, expected);
}

/* Each accepted form yields its parts, and one canonical way to show it. */
static void test_accepted_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		char typed[256];
		struct rdr_spec spec;
		struct rdr_error error = {0};

		strcpy(typed, goods[i].typed);
		assert_int_equal(rdr_spec_parse(typed, &spec, &error), 0);
		char *shown = rdr_spec_display(&spec);

		assert_int_equal(spec.scheme, goods[i].scheme);
		assert_string_equal(spec.server, goods[i].server);
		assert_int_equal(spec.port, goods[i].port);
		assert_string_equal(spec.share, goods[i].share);
		assert_string_equal(spec.path, goods[i].path);
		assert_text(spec.user, goods[i].user);
		assert_text(spec.domain, goods[i].domain);
		assert_string_equal(shown, goods[i].shown);
		assert_string_equal(typed, goods[i].typed);
		free(shown);
		rdr_spec_free(&spec);
	}
}

/* What cannot be mounted is refused with the code for bad usage and a text. */
static void test_refused_forms(void **state)
{
	static const char *const bads[] = {
		"",
		"/",
		"//",
		"share",
		"server:/share",
		"//server",
		"//server/",
		"///share",
		"//server:/share",
		"//server:0/share",
		"//server:65536/share",
		"//server:99999999999/share",
		"//server:1x/share",
		"//a:b:c/share",
		"//[::1/share",
		"//[]/share",
		"//[::1]x/share",
		"//ser ver/share",
		"//ser\tver/share",
		"//server/sh*re",
		"//server/..",
		"//server/share/..",
		"//server/share/a/../b",
		"\\\\server",
		"\\\\server\\share\\a\\b",
		"smb://",
		"smb://server",
		"smb://server/",
		"smb:///share",
		"smb://@server/s",
		"smb://u@/s",
		"smb://server/%",
		"smb://server/%2",
		"smb://server/%zz",
		"smb://server/%00",
		"smb://server/a%2fb",
		"smb://server/s/%00",
		"smb://u%zz@server/s",
		"smb://u:%zz@server/s",
		"mem:a/b",
		"mem:..",
		"mem:a:b",
		"nfs://server/share",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		char typed[256];
		struct rdr_spec spec;
		struct rdr_error error = {0};

		strcpy(typed, bads[i]);
		if (rdr_spec_parse(typed, &spec, &error) != RDR_USAGE)
			fail_msg("'%s' was not refused", bads[i]);
		assert_int_not_equal(strlen(error.text), 0);
		rdr_spec_free(&spec);
	}
}

/* A password in a URL is taken, and its bytes are blanked where they stood. */
static void test_password_is_taken_and_blanked(void **state)
{
	char typed[] = "smb://alice:p%40ss%3aword@server/share";
	struct rdr_spec spec;
	struct rdr_error error = {0};

	(void)state;
	assert_int_equal(rdr_spec_parse(typed, &spec, &error), 0);
	assert_string_equal(spec.password.bytes, "p@ss:word");
	assert_string_equal(spec.user, "alice");
	assert_string_equal(typed, "smb://alice:xxxxxxxxxxxxx@server/share");
	rdr_spec_free(&spec);
	assert_null(spec.password.bytes);
}

/* Arguments behind '?' become options. */
static void test_url_arguments(void **state)
{
	char typed[] = "smb://server/share/dir?vers=3.1.1&seal";
	struct rdr_spec spec;
	struct rdr_error error = {0};

	(void)state;
	assert_int_equal(rdr_spec_parse(typed, &spec, &error), 0);
	assert_string_equal(spec.path, "dir");
	assert_string_equal(spec.arguments, "vers=3.1.1,seal");
	rdr_spec_free(&spec);
}

/* No truncation of a good name crashes or is read past its end. */
static void test_every_prefix_is_safe(void **state)
{
	static const char *const whole[] = {"smb://d;u:p@[::1]:445/s%20x/y?z=1&q",
					    "//[fe80::1]:445/share/a/b", "\\\\server:1\\share\\"};

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		for (size_t length = 0; length <= strlen(whole[i]); length++) {
			char *typed = strndup(whole[i], length);
			struct rdr_spec spec;
			struct rdr_error error = {0};
			int code = rdr_spec_parse(typed, &spec, &error);

			assert_true(code == 0 || code == RDR_USAGE);
			rdr_spec_free(&spec);
			free(typed);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted_forms),
		cmocka_unit_test(test_refused_forms),
		cmocka_unit_test(test_password_is_taken_and_blanked),
		cmocka_unit_test(test_url_arguments),
		cmocka_unit_test(test_every_prefix_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
