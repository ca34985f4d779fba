/*
 * test_capi_target.c - what target strings mean.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/capi/capi_int.h"

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static void expect(const char *text, const char *scheme, const char *server, unsigned int port,
		   const char *share, const char *path, const char *user, const char *domain)
{
	struct capi_target t;

	if (capi_target_parse(text, &t) != 0)
		fail_msg("%s was refused", text);
	assert_string_equal(t.scheme, scheme);
	assert_string_equal(t.server, server);
	assert_int_equal(t.port, port);
	assert_string_equal(t.share, share);
	assert_string_equal(t.path, path);
	assert_string_equal(t.user != NULL ? t.user : "-", user);
	assert_string_equal(t.domain != NULL ? t.domain : "-", domain);
	capi_target_free(&t);
}

/* Each form is understood in all its parts. */
static void test_good_targets(void **state)
{
	(void)state;
	expect("mem:", "mem", "mem", 0, "default", "", "-", "-");
	expect("mem:scratch", "mem", "mem", 0, "scratch", "", "-", "-");
	expect("//server/share", "smb", "server", 0, "share", "", "-", "-");
	expect("//server:4450/share/a/b", "smb", "server", 4450, "share", "a/b", "-", "-");
	expect("\\\\server\\share\\a", "smb", "server", 0, "share", "a", "-", "-");
	expect("smb://server/share", "smb", "server", 0, "share", "", "-", "-");
	expect("smb://user@server:1/share/x", "smb", "server", 1, "share", "x", "user", "-");
	expect("smb://dom;user@server/share", "smb", "server", 0, "share", "", "user", "dom");
	expect("smb://[fe80::1]:445/share", "smb", "fe80::1", 445, "share", "", "-", "-");
	expect("smb://server/share/a@b", "smb", "server", 0, "share", "a@b", "-", "-");
}

/* What names nothing is refused. */
static void test_bad_targets(void **state)
{
	static const char *const bad[] = {"",
					  "server",
					  "//",
					  "//server",
					  "//server/",
					  "///share",
					  "//server:0/share",
					  "//server:x/share",
					  "//server:70000/share",
					  "smb://u:secret@server/share",
					  "http://server/share",
					  "smb://[::1/share",
					  "mem:a/b"};
	struct capi_target t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (capi_target_parse(bad[i], &t) != -EINVAL)
			fail_msg("%s was accepted", bad[i]);
		capi_target_free(&t);
	}
	assert_int_equal(capi_target_parse(NULL, &t), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_targets),
		cmocka_unit_test(test_bad_targets),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
