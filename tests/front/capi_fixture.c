/*
 * capi_fixture.c - see the header.
 */
#include "capi_fixture.h"

#include <unistd.h>

struct rdbss_mount *fixture_mount;
static char directory[64];
static unsigned int serial;

long fixture_ok(long result, const char *what, const char *file, int line)
{
	if (result < 0) {
		fprintf(stderr, "%s:%d: %s = %ld (%s), %s\n", file, line, what, result,
			strerror((int)-result), rdbss_last_status());
		_fail(file, line);
	}
	return result;
}

static const char *target(void)
{
	const char *url = getenv("RDR_TEST_URL");

	return url != NULL && url[0] != '\0' ? url : "mem:test";
}

bool fixture_is_mem(void)
{
	return strncmp(target(), "mem:", 4) == 0;
}

int fixture_start(void **state)
{
	struct rdbss_mount_options options = {.size = sizeof(options),
					      .user = getenv("RDR_TEST_USER"),
					      .password = getenv("RDR_TEST_PASSWORD"),
					      .options = getenv("RDR_TEST_OPTIONS")};
	int error;

	(void)state;
	error = rdbss_init(RDBSS_API_VERSION);
	if (error == 0)
		error = rdbss_mount(target(), &options, &fixture_mount);
	if (error != 0)
		fprintf(stderr, "%s: %s (%s)\n", target(), strerror(-error), rdbss_last_status());
	return error;
}

int fixture_stop(void **state)
{
	int error = fixture_mount != NULL ? rdbss_unmount(fixture_mount) : -1;
	long leaked = rdbss_shutdown(stderr);

	(void)state;
	if (error != 0 || leaked != 0)
		fprintf(stderr, "unmount: %d, leaked: %ld bytes\n", error, leaked);
	return error != 0 || leaked != 0 ? -1 : 0;
}

int fixture_enter(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "t-%ld-%u", (long)getpid(), serial++);
	return rdbss_mkdir(fixture_mount, directory, 0755);
}

int fixture_leave(void **state)
{
	struct stat st;

	(void)state;
	fixture_remove_tree(directory);
	return rdbss_stat(fixture_mount, directory, &st) == -ENOENT ? 0 : -1;
}

const char *fixture_path(const char *name)
{
	static char paths[4][1024];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

void fixture_remove_tree(const char *path)
{
	struct rdbss_dirent entry;
	struct rdbss_dir *dir;
	char *child;

	OK(rdbss_opendir(fixture_mount, path, &dir));
	while (OK(rdbss_readdir(dir, &entry)) == 1) {
		assert_true(asprintf(&child, "%s/%s", path, entry.name) > 0);
		if (S_ISDIR(entry.st.st_mode))
			fixture_remove_tree(child);
		else
			OK(rdbss_unlink(fixture_mount, child));
		free(child);
	}
	OK(rdbss_closedir(dir));
	OK(rdbss_rmdir(fixture_mount, path));
}

static unsigned char pattern_byte(uint64_t position, uint64_t seed)
{
	uint64_t x = (position / 8 + seed) * 0x9E3779B97F4A7C15ull;

	x ^= x >> 29;
	return (unsigned char)(x >> (8 * (position % 8)));
}

void fixture_pattern(void *buffer, size_t length, uint64_t offset, uint64_t seed)
{
	unsigned char *p = buffer;
	size_t i;

	for (i = 0; i < length; i++)
		p[i] = pattern_byte(offset + i, seed);
}

long fixture_pattern_check(const void *buffer, size_t length, uint64_t offset, uint64_t seed)
{
	const unsigned char *p = buffer;
	size_t i;

	for (i = 0; i < length; i++)
		if (p[i] != pattern_byte(offset + i, seed))
			return (long)i;
	return -1;
}

void fixture_make_file(const char *path, size_t length, uint64_t seed)
{
	struct rdbss_file *file;
	char *data = malloc(length + 1);

	assert_non_null(data);
	fixture_pattern(data, length, 0, seed);
	OK(rdbss_open(fixture_mount, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &file));
	assert_int_equal(OK(rdbss_pwrite(file, data, length, 0)), (long)length);
	OK(rdbss_close(file));
	free(data);
}
