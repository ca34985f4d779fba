/* What stands behind -o: each name obeyed, ignored or refused as the help says, secrets blanked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/rdr/rdr.h"

static int parse(const char *text, struct rdr_options *options, struct rdr_error *error, char *kept)
{
	strcpy(kept, text);
	return rdr_options_parse(kept, options, error);
}

/* Options of mount.cifs have their meaning, and the list is left as it was typed. */
static void test_meanings(void **state)
{
	static const char text[] =
		"ro,username=CORP\\alice,domain=X,vers=3.02,sec=ntlmsspi,seal,port=4450,uid=12,"
		"gid=34,file_mode=0640,dir_mode=750,actimeo=0.5,rsize=65536,wsize=131072,"
		"echo_interval=5,timeout=20,cache=none,allow_other,noexec,fsname=me";
	struct rdr_options options;
	struct rdr_error error = {0};
	char kept[512];

	(void)state;
	rdr_options_init(&options);
	assert_int_equal(parse(text, &options, &error, kept), 0);
	assert_string_equal(kept, text);
	assert_true(options.read_only);
	assert_string_equal(options.user, "alice");
	assert_string_equal(options.domain, "X");
	assert_string_equal(options.vers, "3.0.2");
	assert_true(options.sign);
	assert_true(options.seal);
	assert_int_equal(options.port, 4450);
	assert_int_equal(options.uid, 12);
	assert_int_equal(options.gid, 34);
	assert_int_equal(options.file_mode, 0640);
	assert_int_equal(options.dir_mode, 0750);
	assert_true(options.actimeo > 0.49 && options.actimeo < 0.51);
	assert_int_equal(options.rsize, 65536);
	assert_int_equal(options.wsize, 131072);
	assert_string_equal(options.cache, "none");
	assert_true(options.allow_other);
	assert_string_equal(options.kernel_flags, "ro,noexec");
	assert_string_equal(options.fsname, "me");
	char *driver = rdr_options_for_driver(&options);

	assert_string_equal(driver,
			    "vers=3.0.2,sec=ntlmsspi,seal,sign,rsize=65536,wsize=131072,echo_interval=5,"
			    "timeout=20");
	free(driver);
	rdr_options_free(&options);
}

/* What belongs to fstab, systemd and mount(8) never fails a mount. */
static void test_foreign_names(void **state)
{
	struct rdr_options options;
	struct rdr_error error = {0};
	char kept[512];

	(void)state;
	rdr_options_init(&options);
	assert_int_equal(
		parse(",,_netdev,nofail,noauto,auto,user,users,owner,group,defaults,comment=a b,comment,"
		      "x-systemd.requires=/a,X-mine,relatime,",
		      &options, &error, kept),
		0);
	assert_null(options.user);
	assert_null(options.without_effect);
	rdr_options_free(&options);
}

/* Names without effect are accepted and told. */
static void test_without_effect(void **state)
{
	struct rdr_options options;
	struct rdr_error error = {0};
	char kept[512];

	(void)state;
	rdr_options_init(&options);
	assert_int_equal(parse("hard,iocharset=utf8,max_channels=4", &options, &error, kept), 0);
	assert_string_equal(options.without_effect, "hard,iocharset,max_channels");
	rdr_options_free(&options);
}

/* Locks are the server's business unless nobrl (or its other name, nolock) says otherwise; the last word counts. */
static void test_locks_stay_here(void **state)
{
	static const struct {
		const char *text;
		bool local;
	} cases[] = {{"ro", false},
		     {"nobrl", true},
		     {"nolock", true},
		     {"nobrl,brl", false},
		     {"lock,nolock", true}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rdr_options options;
		struct rdr_error error = {0};
		char kept[512];

		rdr_options_init(&options);
		assert_int_equal(parse(cases[i].text, &options, &error, kept), 0);
		assert_int_equal(options.local_locks, cases[i].local);
		assert_null(options.without_effect);
		rdr_options_free(&options);
	}
}

/* Everything else is refused, with the name in the text. */
static void test_refused(void **state)
{
	static const char *const bads[][2] = {
		{"frobnicate", "frobnicate"},
		{"frobnicate=1", "frobnicate"},
		{"ro=1", "ro"},
		{"uid=", "uid"},
		{"uid=-1", "uid"},
		{"uid=4294967295", "uid"},
		{"port=", "port"},
		{"port=1 ", "port"},
		{"file_mode=8", "file_mode"},
		{"file_mode=0x1ff", "file_mode"},
		{"actimeo=x", "actimeo"},
		{"actimeo=nan", "actimeo"},
		{"rsize=99999999999999999999", "rsize"},
		{"vers=1.0", "vers"},
		{"sec=krb5", "sec"},
		{"sec=", "sec"},
		{"rdma", "rdma"},
		{"multiuser", "multiuser"},
		{"echo_interval=0", "echo_interval"},
		{"=1", "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		struct rdr_options options;
		struct rdr_error error = {0};
		char kept[512];

		rdr_options_init(&options);
		if (parse(bads[i][0], &options, &error, kept) != RDR_USAGE)
			fail_msg("'%s' was not refused", bads[i][0]);
		if (strstr(error.text, bads[i][1]) == NULL)
			fail_msg("'%s' is not in '%s'", bads[i][1], error.text);
		rdr_options_free(&options);
	}
}

/* A password behind -o is taken and blanked where it stood; what follows is still read. */
static void test_passwords_are_blanked(void **state)
{
	struct rdr_options options;
	struct rdr_error error = {0};
	char kept[512];

	(void)state;
	rdr_options_init(&options);
	assert_int_equal(parse("password=se=cret,ro", &options, &error, kept), 0);
	assert_string_equal(options.password.bytes, "se=cret");
	assert_string_equal(kept, "password=xxxxxxx,ro");
	assert_true(options.read_only);
	assert_int_equal(parse("user=dom/bob%hidden", &options, &error, kept), 0);
	assert_string_equal(options.password.bytes, "hidden");
	assert_string_equal(options.user, "bob");
	assert_string_equal(options.domain, "dom");
	assert_null(strstr(kept, "hidden"));
	rdr_options_free(&options);
	assert_null(options.password.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meanings),       cmocka_unit_test(test_foreign_names),
		cmocka_unit_test(test_without_effect), cmocka_unit_test(test_locks_stay_here),
		cmocka_unit_test(test_refused),        cmocka_unit_test(test_passwords_are_blanked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
