/*
 * test_capi_names.c - names and directories.
 */
#include "capi_fixture.h"

/* Names that Windows has no character for, and bytes that are not UTF-8, come back byte for byte. */
static void test_names_round_trip(void **state)
{
	static const char *const names[] = {
		"plain",
		"with space",
		" leading",
		"trailing.",
		"trailing..",
		"trailing ",
		"a:b",
		"what?",
		"star*",
		"less<more>",
		"pipe|quote\"",
		"back\\slash",
		"gr\xc3\xbc\xc3\x9f",
		"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		"\xf0\x9f\x98\x80",
		"invalid\xff\xfe",
		"\x80",
		"overlong\xc0\xaf",
		"surrogate\xed\xa0\x80",
		"control\x01\x1f",
		"private\xef\x80\xa2",
		".hidden",
		"...",
	};
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	bool seen[COUNT] = {false};
	struct rdbss_dirent entry;
	struct rdbss_dir *dir;
	struct stat st;
	size_t i, n = 0;

	(void)state;
	for (i = 0; i < COUNT; i++)
		fixture_make_file(fixture_path(names[i]), i, i);
	for (i = 0; i < COUNT; i++) {
		OK(rdbss_stat(fixture_mount, fixture_path(names[i]), &st));
		assert_int_equal(st.st_size, i);
	}
	OK(rdbss_opendir(fixture_mount, fixture_path(""), &dir));
	while (OK(rdbss_readdir(dir, &entry)) == 1) {
		for (i = 0; i < COUNT && strcmp(names[i], entry.name) != 0; i++)
			;
		if (i == COUNT)
			fail_msg("unexpected name %s", entry.name);
		assert_false(seen[i]);
		assert_int_equal(entry.st.st_size, i);
		seen[i] = true;
		n++;
	}
	OK(rdbss_closedir(dir));
	assert_int_equal(n, COUNT);
}

/* A directory of 10,000 entries lists each exactly once. */
static void test_ten_thousand_entries(void **state)
{
	enum { COUNT = 10000 };
	unsigned char *seen = calloc(COUNT, 1);
	struct rdbss_dirent entry;
	struct rdbss_file *file;
	struct rdbss_dir *dir;
	size_t n = 0;
	int i;

	(void)state;
	assert_non_null(seen);
	for (i = 0; i < COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "entry-%05d", i);
		OK(rdbss_open(fixture_mount, fixture_path(name), O_WRONLY | O_CREAT | O_EXCL, 0644, &file));
		OK(rdbss_close(file));
	}
	OK(rdbss_opendir(fixture_mount, fixture_path(""), &dir));
	while (OK(rdbss_readdir(dir, &entry)) == 1) {
		assert_int_equal(sscanf(entry.name, "entry-%05d", &i), 1);
		assert_in_range(i, 0, COUNT - 1);
		assert_int_equal(seen[i], 0);
		seen[i] = 1;
		n++;
	}
	OK(rdbss_closedir(dir));
	assert_int_equal(n, COUNT);
	free(seen);
}

/* mkdir and rmdir: no second directory by a name, none removed that holds something. */
static void test_directories(void **state)
{
	struct rdbss_file *file;
	struct stat st;

	(void)state;
	OK(rdbss_mkdir(fixture_mount, fixture_path("d"), 0755));
	assert_int_equal(rdbss_mkdir(fixture_mount, fixture_path("d"), 0755), -EEXIST);
	assert_int_equal(rdbss_mkdir(fixture_mount, fixture_path("no/such"), 0755), -ENOENT);
	OK(rdbss_stat(fixture_mount, fixture_path("d"), &st));
	assert_true(S_ISDIR(st.st_mode));
	fixture_make_file(fixture_path("d/f"), 1, 0);
	assert_int_equal(rdbss_rmdir(fixture_mount, fixture_path("d")), -ENOTEMPTY);
	assert_int_equal(rdbss_unlink(fixture_mount, fixture_path("d")), -EISDIR);
	assert_int_equal(rdbss_rmdir(fixture_mount, fixture_path("d/f")), -ENOTDIR);
	assert_int_equal(rdbss_open(fixture_mount, fixture_path("d"), O_WRONLY, 0, &file), -EISDIR);
	OK(rdbss_unlink(fixture_mount, fixture_path("d/f")));
	OK(rdbss_rmdir(fixture_mount, fixture_path("d")));
	assert_int_equal(rdbss_stat(fixture_mount, fixture_path("d"), &st), -ENOENT);
}

/* A renamed directory takes what it holds along; an empty one is replaced, a full one is not. */
static void test_rename_directories(void **state)
{
	struct stat st;

	(void)state;
	OK(rdbss_mkdir(fixture_mount, fixture_path("a"), 0755));
	fixture_make_file(fixture_path("a/f"), 3, 0);
	OK(rdbss_rename(fixture_mount, fixture_path("a"), fixture_path("b"), 0));
	OK(rdbss_stat(fixture_mount, fixture_path("b/f"), &st));
	assert_int_equal(st.st_size, 3);
	assert_int_equal(rdbss_stat(fixture_mount, fixture_path("a/f"), &st), -ENOENT);
	OK(rdbss_mkdir(fixture_mount, fixture_path("empty"), 0755));
	OK(rdbss_rename(fixture_mount, fixture_path("b"), fixture_path("empty"), 0));
	OK(rdbss_stat(fixture_mount, fixture_path("empty/f"), &st));
	OK(rdbss_mkdir(fixture_mount, fixture_path("c"), 0755));
	assert_true(rdbss_rename(fixture_mount, fixture_path("c"), fixture_path("empty"), 0) < 0);
	OK(rdbss_stat(fixture_mount, fixture_path("c"), &st));
	OK(rdbss_stat(fixture_mount, fixture_path("empty/f"), &st));
}

/* A deleted entry is gone from the next listing, a new one is in it. */
static void test_listing_follows_changes(void **state)
{
	struct rdbss_dirent entry;
	struct rdbss_dir *dir;

	(void)state;
	fixture_make_file(fixture_path("one"), 1, 0);
	fixture_make_file(fixture_path("two"), 2, 0);
	OK(rdbss_unlink(fixture_mount, fixture_path("one")));
	OK(rdbss_opendir(fixture_mount, fixture_path(""), &dir));
	assert_int_equal(OK(rdbss_readdir(dir, &entry)), 1);
	assert_string_equal(entry.name, "two");
	assert_int_equal(OK(rdbss_readdir(dir, &entry)), 0);
	assert_int_equal(OK(rdbss_readdir(dir, &entry)), 0);
	OK(rdbss_closedir(dir));
}

/* Two names for one file share its data; servers without links say so. */
static void test_hard_links(void **state)
{
	struct stat a, b;
	int error;

	(void)state;
	fixture_make_file(fixture_path("a"), 10, 0);
	error = rdbss_link(fixture_mount, fixture_path("a"), fixture_path("b"));
	if (error == -EOPNOTSUPP || error == -ENOSYS || error == -EINVAL) {
		assert_false(fixture_is_mem());
		return;
	}
	OK(error);
	OK(rdbss_stat(fixture_mount, fixture_path("a"), &a));
	OK(rdbss_stat(fixture_mount, fixture_path("b"), &b));
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(a.st_nlink, 2);
	OK(rdbss_unlink(fixture_mount, fixture_path("a")));
	OK(rdbss_stat(fixture_mount, fixture_path("b"), &b));
	assert_int_equal(b.st_size, 10);
	assert_int_equal(rdbss_link(fixture_mount, fixture_path("b"), fixture_path("b")), -EEXIST);
}

/* A symbolic link's target comes back byte for byte; servers without them leave nothing behind. */
static void test_symbolic_links(void **state)
{
	static const char *const targets[] = {"file", "../x/y", "/absolute/path", "sp ace",
					      "gr\xc3\xbc\xc3\x9f"};
	struct stat st;
	char target[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		int error = rdbss_symlink(fixture_mount, targets[i], fixture_path("link"));

		if (error == -EOPNOTSUPP || error == -ENOSYS) {
			assert_false(fixture_is_mem());
			assert_int_equal(rdbss_stat(fixture_mount, fixture_path("link"), &st), -ENOENT);
			return;
		}
		OK(error);
		OK(rdbss_stat(fixture_mount, fixture_path("link"), &st));
		assert_true(S_ISLNK(st.st_mode));
		assert_int_equal(
			OK(rdbss_readlink(fixture_mount, fixture_path("link"), target, sizeof(target))),
			(long)strlen(targets[i]));
		assert_string_equal(target, targets[i]);
		assert_int_equal(rdbss_symlink(fixture_mount, "x", fixture_path("link")), -EEXIST);
		OK(rdbss_unlink(fixture_mount, fixture_path("link")));
	}
	fixture_make_file(fixture_path("f"), 1, 0);
	assert_int_equal(rdbss_readlink(fixture_mount, fixture_path("f"), target, sizeof(target)), -EINVAL);
}

/* Names that POSIX refuses are refused: too long, "." and "..". */
static void test_refused_names(void **state)
{
	char name[300];
	struct stat st;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(rdbss_stat(fixture_mount, fixture_path(name), &st), -ENAMETOOLONG);
	assert_true(rdbss_mkdir(fixture_mount, fixture_path(".."), 0755) < 0);
	name[255] = '\0';
	fixture_make_file(fixture_path(name), 1, 0);
	OK(rdbss_stat(fixture_mount, fixture_path(name), &st));
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_enter, fixture_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_names_round_trip),   T(test_ten_thousand_entries),    T(test_directories),
		T(test_rename_directories), T(test_listing_follows_changes), T(test_hard_links),
		T(test_symbolic_links),     T(test_refused_names),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
