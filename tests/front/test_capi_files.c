/*
 * test_capi_files.c - what a file is: bytes, sizes, holes, appending, deletion and renaming while open.
 */
#include "capi_fixture.h"

/* Every byte comes back, at every size around the block sizes of each layer. */
static void test_bytes_come_back(void **state)
{
	static const size_t sizes[] = {0,     1,     511,   4095,    4096,          4097,
				       65535, 65536, 65537, 1 << 20, (1 << 20) + 1, 3000001};
	char *buffer = malloc(3000001 + 16);
	size_t i;

	(void)state;
	assert_non_null(buffer);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct rdbss_file *file;
		struct stat st;

		fixture_make_file(fixture_path("f"), sizes[i], i);
		OK(rdbss_stat(fixture_mount, fixture_path("f"), &st));
		assert_int_equal(st.st_size, sizes[i]);
		assert_true(S_ISREG(st.st_mode));
		OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDONLY, 0, &file));
		assert_int_equal(OK(rdbss_pread(file, buffer, sizes[i] + 16, 0)), (long)sizes[i]);
		assert_int_equal(fixture_pattern_check(buffer, sizes[i], 0, i), -1);
		assert_int_equal(OK(rdbss_pread(file, buffer, 16, (off_t)sizes[i])), 0);
		assert_int_equal(OK(rdbss_pread(file, buffer, 16, (off_t)sizes[i] + 100000)), 0);
		OK(rdbss_close(file));
	}
	free(buffer);
}

/* Another handle sees a write at once. */
static void test_writes_are_visible_through_other_handles(void **state)
{
	struct rdbss_file *a, *b;
	struct stat st;
	char data[16];

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_CREAT, 0644, &a));
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDONLY, 0, &b));
	assert_int_equal(OK(rdbss_pwrite(a, "hello", 5, 0)), 5);
	assert_int_equal(OK(rdbss_pread(b, data, sizeof(data), 0)), 5);
	assert_memory_equal(data, "hello", 5);
	OK(rdbss_fstat(b, &st));
	assert_int_equal(st.st_size, 5);
	assert_int_equal(OK(rdbss_pwrite(a, "J", 1, 0)), 1);
	assert_int_equal(OK(rdbss_pread(b, data, 5, 0)), 5);
	assert_memory_equal(data, "Jello", 5);
	OK(rdbss_close(a));
	OK(rdbss_close(b));
}

/* O_CREAT, O_EXCL and O_TRUNC mean what open(2) says. */
static void test_open_flags(void **state)
{
	struct rdbss_file *file;
	struct stat st;

	(void)state;
	assert_int_equal(rdbss_open(fixture_mount, fixture_path("f"), O_RDONLY, 0, &file), -ENOENT);
	assert_null(file);
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_WRONLY | O_CREAT | O_EXCL, 0644, &file));
	OK(rdbss_pwrite(file, "data", 4, 0));
	OK(rdbss_close(file));
	assert_int_equal(
		rdbss_open(fixture_mount, fixture_path("f"), O_WRONLY | O_CREAT | O_EXCL, 0644, &file),
		-EEXIST);
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_WRONLY | O_CREAT, 0644, &file));
	OK(rdbss_close(file));
	OK(rdbss_stat(fixture_mount, fixture_path("f"), &st));
	assert_int_equal(st.st_size, 4);
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_WRONLY | O_TRUNC, 0, &file));
	OK(rdbss_close(file));
	OK(rdbss_stat(fixture_mount, fixture_path("f"), &st));
	assert_int_equal(st.st_size, 0);
	assert_int_equal(rdbss_open(fixture_mount, fixture_path("no/such"), O_WRONLY | O_CREAT, 0644, &file),
			 -ENOENT);
}

/* O_APPEND writes at the end, whatever the offset says. */
static void test_append(void **state)
{
	struct rdbss_file *a, *b;
	char data[16];

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_CREAT | O_APPEND, 0644, &a));
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_APPEND, 0644, &b));
	assert_int_equal(OK(rdbss_pwrite(a, "one", 3, 0)), 3);
	assert_int_equal(OK(rdbss_pwrite(b, "two", 3, 0)), 3);
	assert_int_equal(OK(rdbss_pwrite(a, "three", 5, 0)), 5);
	assert_int_equal(OK(rdbss_pread(a, data, sizeof(data), 0)), 11);
	assert_memory_equal(data, "onetwothree", 11);
	OK(rdbss_close(a));
	OK(rdbss_close(b));
}

/* Truncation cuts, extension reads as zeros. */
static void test_truncate(void **state)
{
	struct rdbss_file *file;
	char data[8192];
	size_t i;

	(void)state;
	fixture_make_file(fixture_path("f"), 5000, 7);
	OK(rdbss_truncate(fixture_mount, fixture_path("f"), 100));
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR, 0, &file));
	OK(rdbss_ftruncate(file, 6000));
	assert_int_equal(OK(rdbss_pread(file, data, sizeof(data), 0)), 6000);
	assert_int_equal(fixture_pattern_check(data, 100, 0, 7), -1);
	for (i = 100; i < 6000; i++)
		assert_int_equal(data[i], 0);
	assert_int_equal(rdbss_ftruncate(file, -1), -EINVAL);
	OK(rdbss_close(file));
}

/* Offsets beyond 4 GiB work, and what was not written in between reads as zeros. */
static void test_sparse_beyond_4_gib(void **state)
{
	static const off_t offsets[] = {(off_t)1 << 32, ((off_t)1 << 32) - 3, ((off_t)5 << 30) + 12345};
	struct rdbss_file *file;
	struct stat st;
	char data[64], zero[64] = {0};
	size_t i;

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_CREAT, 0644, &file));
	for (i = 0; i < 3; i++) {
		fixture_pattern(data, sizeof(data), (uint64_t)offsets[i], 3);
		assert_int_equal(OK(rdbss_pwrite(file, data, sizeof(data), offsets[i])), sizeof(data));
	}
	OK(rdbss_fstat(file, &st));
	assert_true(st.st_size == offsets[2] + (off_t)sizeof(data));
	for (i = 0; i < 3; i++) {
		assert_int_equal(OK(rdbss_pread(file, data, sizeof(data), offsets[i])), sizeof(data));
		assert_int_equal(fixture_pattern_check(data, sizeof(data), (uint64_t)offsets[i], 3), -1);
	}
	assert_int_equal(OK(rdbss_pread(file, data, sizeof(data), (off_t)3 << 30)), sizeof(data));
	assert_memory_equal(data, zero, sizeof(zero));
	OK(rdbss_close(file));
}

/* An unlinked file loses its name at once and keeps its data while it is open. */
static void test_unlink_while_open(void **state)
{
	struct rdbss_file *file, *other;
	struct stat st;
	char data[64];

	(void)state;
	fixture_make_file(fixture_path("f"), 50, 1);
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR, 0, &file));
	OK(rdbss_unlink(fixture_mount, fixture_path("f")));
	assert_int_equal(rdbss_stat(fixture_mount, fixture_path("f"), &st), -ENOENT);
	assert_int_equal(rdbss_open(fixture_mount, fixture_path("f"), O_RDONLY, 0, &other), -ENOENT);
	assert_int_equal(OK(rdbss_pread(file, data, sizeof(data), 0)), 50);
	assert_int_equal(fixture_pattern_check(data, 50, 0, 1), -1);
	fixture_pattern(data, 20, 50, 1);
	assert_int_equal(OK(rdbss_pwrite(file, data, 20, 50)), 20);
	assert_int_equal(OK(rdbss_pread(file, data, sizeof(data), 10)), 60);
	assert_int_equal(fixture_pattern_check(data, 60, 10, 1), -1);
	OK(rdbss_fstat(file, &st));
	assert_int_equal(st.st_size, 70);
	/* The name is free for another file. */
	fixture_make_file(fixture_path("f"), 5, 2);
	assert_int_equal(OK(rdbss_pread(file, data, sizeof(data), 0)), 64);
	assert_int_equal(fixture_pattern_check(data, 64, 0, 1), -1);
	OK(rdbss_close(file));
	OK(rdbss_stat(fixture_mount, fixture_path("f"), &st));
	assert_int_equal(st.st_size, 5);
}

/* Renaming replaces the target, also while it is open: its handle keeps the old file. */
static void test_rename_over_an_open_file(void **state)
{
	struct rdbss_file *old, *mover;
	struct stat st;
	char data[64];

	(void)state;
	fixture_make_file(fixture_path("target"), 30, 1);
	fixture_make_file(fixture_path("source"), 40, 2);
	OK(rdbss_open(fixture_mount, fixture_path("target"), O_RDONLY, 0, &old));
	OK(rdbss_open(fixture_mount, fixture_path("source"), O_RDONLY, 0, &mover));
	OK(rdbss_rename(fixture_mount, fixture_path("source"), fixture_path("target"), 0));
	assert_int_equal(rdbss_stat(fixture_mount, fixture_path("source"), &st), -ENOENT);
	OK(rdbss_stat(fixture_mount, fixture_path("target"), &st));
	assert_int_equal(st.st_size, 40);
	assert_int_equal(OK(rdbss_pread(old, data, sizeof(data), 0)), 30);
	assert_int_equal(fixture_pattern_check(data, 30, 0, 1), -1);
	assert_int_equal(OK(rdbss_pread(mover, data, sizeof(data), 0)), 40);
	assert_int_equal(fixture_pattern_check(data, 40, 0, 2), -1);
	OK(rdbss_close(old));
	OK(rdbss_close(mover));
}

/* NOREPLACE refuses an existing target and changes nothing. */
static void test_rename_noreplace(void **state)
{
	struct stat st;

	(void)state;
	fixture_make_file(fixture_path("a"), 1, 0);
	fixture_make_file(fixture_path("b"), 2, 0);
	assert_int_equal(
		rdbss_rename(fixture_mount, fixture_path("a"), fixture_path("b"), RDBSS_RENAME_NOREPLACE),
		-EEXIST);
	OK(rdbss_stat(fixture_mount, fixture_path("a"), &st));
	OK(rdbss_stat(fixture_mount, fixture_path("b"), &st));
	assert_int_equal(st.st_size, 2);
	OK(rdbss_rename(fixture_mount, fixture_path("a"), fixture_path("c"), RDBSS_RENAME_NOREPLACE));
	assert_int_equal(rdbss_rename(fixture_mount, fixture_path("a"), fixture_path("d"), 0), -ENOENT);
}

/* A read-only file can be deleted, replaced and renamed: the directory decides. */
static void test_read_only_attribute(void **state)
{
	struct rdbss_file *file;
	struct stat st;

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("ro"), O_WRONLY | O_CREAT | O_EXCL, 0444, &file));
	assert_int_equal(OK(rdbss_pwrite(file, "x", 1, 0)), 1);
	OK(rdbss_close(file));
	OK(rdbss_stat(fixture_mount, fixture_path("ro"), &st));
	assert_int_equal(st.st_mode & 0222, 0);
	assert_int_equal(rdbss_open(fixture_mount, fixture_path("ro"), O_WRONLY, 0, &file), -EACCES);
	OK(rdbss_chmod(fixture_mount, fixture_path("ro"), 0644));
	OK(rdbss_stat(fixture_mount, fixture_path("ro"), &st));
	assert_int_not_equal(st.st_mode & 0200, 0);
	OK(rdbss_chmod(fixture_mount, fixture_path("ro"), 0444));
	OK(rdbss_rename(fixture_mount, fixture_path("ro"), fixture_path("moved"), 0));
	fixture_make_file(fixture_path("new"), 9, 0);
	OK(rdbss_rename(fixture_mount, fixture_path("new"), fixture_path("moved"), 0));
	OK(rdbss_stat(fixture_mount, fixture_path("moved"), &st));
	assert_int_equal(st.st_size, 9);
	OK(rdbss_chmod(fixture_mount, fixture_path("moved"), 0444));
	OK(rdbss_unlink(fixture_mount, fixture_path("moved")));
}

/* Times are kept to 100 ns; UTIME_OMIT leaves one alone. */
static void test_times(void **state)
{
	struct timespec times[2] = {{.tv_sec = 1000000000, .tv_nsec = 123456700},
				    {.tv_sec = 1234567890, .tv_nsec = 765432100}};
	struct stat st;

	(void)state;
	fixture_make_file(fixture_path("f"), 1, 0);
	OK(rdbss_utimens(fixture_mount, fixture_path("f"), times));
	OK(rdbss_stat(fixture_mount, fixture_path("f"), &st));
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
	assert_int_equal(st.st_mtim.tv_nsec, 765432100);
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_sec = 86400;
	times[1].tv_nsec = 0;
	OK(rdbss_utimens(fixture_mount, fixture_path("f"), times));
	OK(rdbss_stat(fixture_mount, fixture_path("f"), &st));
	assert_int_equal(st.st_mtim.tv_sec, 86400);
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
}

/* fsync succeeds on a handle that wrote; statvfs has sizes. */
static void test_fsync_and_statvfs(void **state)
{
	struct rdbss_file *file;
	struct statvfs vfs;

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_CREAT, 0644, &file));
	OK(rdbss_pwrite(file, "x", 1, 0));
	OK(rdbss_fsync(file));
	OK(rdbss_close(file));
	OK(rdbss_statvfs(fixture_mount, &vfs));
	assert_true(vfs.f_bsize > 0 && vfs.f_blocks > 0 && vfs.f_bavail <= vfs.f_blocks);
}

/* A handle opened for reading does not write, one for writing does not read. */
static void test_access_of_handles(void **state)
{
	struct rdbss_file *file;
	char byte;

	(void)state;
	fixture_make_file(fixture_path("f"), 10, 0);
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDONLY, 0, &file));
	assert_true(rdbss_pwrite(file, "x", 1, 0) < 0);
	OK(rdbss_close(file));
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_WRONLY, 0, &file));
	assert_true(rdbss_pread(file, &byte, 1, 0) < 0);
	OK(rdbss_close(file));
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_enter, fixture_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bytes_come_back),
		T(test_writes_are_visible_through_other_handles),
		T(test_open_flags),
		T(test_append),
		T(test_truncate),
		T(test_sparse_beyond_4_gib),
		T(test_unlink_while_open),
		T(test_rename_over_an_open_file),
		T(test_rename_noreplace),
		T(test_read_only_attribute),
		T(test_times),
		T(test_fsync_and_statvfs),
		T(test_access_of_handles),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
