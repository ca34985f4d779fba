/*
 * test_capi_locks.c - byte-range locks through the C API: two mounts of one target are two clients.
 */
#include "capi_fixture.h"

#include <pthread.h>
#include <semaphore.h>

#define BYTES 16
#define ROUNDS 3000

static struct rdbss_mount *second;

static void mount_second(void)
{
	const char *url = getenv("RDR_TEST_URL");
	struct rdbss_mount_options options = {.size = sizeof(options),
					      .user = getenv("RDR_TEST_USER"),
					      .password = getenv("RDR_TEST_PASSWORD"),
					      .options = getenv("RDR_TEST_OPTIONS")};

	OK(rdbss_mount(url != NULL ? url : "mem:test", &options, &second));
}

static struct rdbss_file *must_open(struct rdbss_mount *mount)
{
	struct rdbss_file *file;

	OK(rdbss_open(mount, fixture_path("f"), O_RDWR | O_CREAT, 0644, &file));
	return file;
}

/* A range locked by one file keeps the others from it, of this mount and of another; closing gives it up. */
static void test_locks_of_files(void **state)
{
	struct rdbss_file *a, *b, *c;
	int type = RDBSS_LOCK_SHARED;

	(void)state;
	mount_second();
	a = must_open(fixture_mount);
	b = must_open(fixture_mount);
	c = must_open(second);
	OK(rdbss_lock(a, RDBSS_LOCK_EXCLUSIVE, 10, 10, 0));
	assert_int_equal(rdbss_lock(b, RDBSS_LOCK_SHARED, 19, 1, 0), -EAGAIN);
	assert_int_equal(rdbss_lock(c, RDBSS_LOCK_SHARED, 19, 1, 0), -EAGAIN);
	OK(rdbss_lock_test(c, &type, 0, 0));
	assert_int_equal(type, RDBSS_LOCK_EXCLUSIVE);
	OK(rdbss_lock(a, RDBSS_LOCK_SHARED, 15, 5, 0));
	OK(rdbss_lock(b, RDBSS_LOCK_SHARED, 19, 1, 0));
	OK(rdbss_lock(c, RDBSS_LOCK_SHARED, 19, 1, 0));
	assert_int_equal(rdbss_lock(c, RDBSS_LOCK_EXCLUSIVE, 19, 1, 0), -EAGAIN);
	OK(rdbss_close(a));
	OK(rdbss_lock(c, RDBSS_LOCK_EXCLUSIVE, 0, 19, 0));
	OK(rdbss_close(b));
	OK(rdbss_lock(c, RDBSS_LOCK_EXCLUSIVE, 0, 0, 0));
	assert_int_equal(rdbss_lock(c, 3, 0, 0, 0), -EINVAL);
	assert_int_equal(rdbss_lock(c, RDBSS_UNLOCK, -1, 0, 0), -EINVAL);
	OK(rdbss_close(c));
	OK(rdbss_unmount(second));
}

/* ---- against a map ---------------------------------------------------------------------------------- */

struct map {
	int at[4][BYTES]; /* files 0 and 1 are of one mount, 2 and 3 of the other */
};

static bool map_allows(const struct map *map, int file, int type, int first, int last)
{
	for (int other = 0; other < 4; other++)
		for (int byte = first; other != file && byte <= last; byte++)
			if (map->at[other][byte] != RDBSS_UNLOCK &&
			    (map->at[other][byte] == RDBSS_LOCK_EXCLUSIVE || type == RDBSS_LOCK_EXCLUSIVE))
				return false;
	return true;
}

/* The server enforces the union of each mount's locks: against the other mount, and what is shared against writers. */
static bool map_lets_transfer(const struct map *map, int file, int byte, bool write)
{
	int own = RDBSS_UNLOCK, others = RDBSS_UNLOCK;

	for (int other = 0; other < 4; other++) {
		int *most = other / 2 == file / 2 ? &own : &others;

		if (map->at[other][byte] > *most)
			*most = map->at[other][byte];
	}
	if (others == RDBSS_LOCK_EXCLUSIVE)
		return false;
	return !write || (others == RDBSS_UNLOCK && own != RDBSS_LOCK_SHARED);
}

/*
 * Whatever is locked, converted and given up in whatever pieces, by two handles of each of two clients: granted is exactly
 * what a map of bytes grants, and the server lets exactly those transfers through that the union allows.
 */
static void test_against_a_map_of_bytes(void **state)
{
	struct rdbss_file *files[4];
	unsigned int seed = 4711;
	struct map map = {0};
	int granted = 0, refused = 0;
	char data[BYTES] = {0};

	(void)state;
	mount_second();
	for (int i = 0; i < 4; i++)
		files[i] = must_open(i < 2 ? fixture_mount : second);
	assert_int_equal(rdbss_pwrite(files[0], data, BYTES, 0), BYTES);
	for (int round = 0; round < ROUNDS; round++) {
		int file = rand_r(&seed) % 4, type = rand_r(&seed) % 3, byte = rand_r(&seed) % BYTES;
		int first = rand_r(&seed) % BYTES, last = first + rand_r(&seed) % (BYTES - first);
		bool write = rand_r(&seed) % 2;
		int expected =
			type == RDBSS_UNLOCK || map_allows(&map, file, type, first, last) ? 0 : -EAGAIN;
		char c = 'x';

		assert_int_equal(rdbss_lock(files[file], type, first, last - first + 1, 0), expected);
		for (int i = first; expected == 0 && i <= last; i++)
			map.at[file][i] = type;
		granted += expected == 0 && type != RDBSS_UNLOCK;
		refused += expected != 0;
		file = rand_r(&seed) % 4;
		assert_int_equal(write ? rdbss_pwrite(files[file], &c, 1, byte)
				       : rdbss_pread(files[file], &c, 1, byte),
				 map_lets_transfer(&map, file, byte, write) ? 1 : -EACCES);
	}
	assert_true(granted > ROUNDS / 8 && refused > ROUNDS / 8);
	for (int i = 0; i < 4; i++)
		OK(rdbss_close(files[i]));
	OK(rdbss_unmount(second));
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

struct wish {
	sem_t over;
	ssize_t result;
};

static void wish_over(void *context, ssize_t result)
{
	struct wish *wish = context;

	wish->result = result;
	sem_post(&wish->over);
}

static void wish_for(struct wish *wish, struct rdbss_file *file, int type, struct rdbss_op **op)
{
	sem_init(&wish->over, 0, 0);
	OK(rdbss_lock_async(file, type, 0, 10, wish_over, wish, op));
}

static bool is_over(struct wish *wish, int milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += milliseconds % 1000 * 1000000l;
	until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_timedwait(&wish->over, &until) == 0;
}

/* Who waits here and who waits at the server gets the lock when it is free, not before; a cancelled one never. */
static void test_waiting(void **state)
{
	struct wish here, there, given_up[2];
	struct rdbss_op *ops[2];
	struct rdbss_file *a, *b, *c;

	(void)state;
	mount_second();
	a = must_open(fixture_mount);
	b = must_open(fixture_mount);
	c = must_open(second);
	OK(rdbss_lock(a, RDBSS_LOCK_EXCLUSIVE, 0, 10, 0));
	wish_for(&given_up[0], b, RDBSS_LOCK_EXCLUSIVE, &ops[0]);
	wish_for(&given_up[1], c, RDBSS_LOCK_EXCLUSIVE, &ops[1]);
	wish_for(&here, b, RDBSS_LOCK_SHARED, NULL);
	wish_for(&there, c, RDBSS_LOCK_SHARED, NULL);
	assert_false(is_over(&given_up[0], 50));
	for (int i = 0; i < 2; i++) {
		rdbss_cancel(ops[i]);
		assert_true(is_over(&given_up[i], 10000));
		assert_int_equal(given_up[i].result, -EINTR);
		rdbss_op_free(ops[i]);
	}
	assert_false(is_over(&here, 50));
	assert_false(is_over(&there, 0));
	OK(rdbss_lock(a, RDBSS_UNLOCK, 0, 0, 0));
	assert_true(is_over(&here, 10000));
	assert_true(is_over(&there, 10000));
	assert_int_equal(here.result, 0);
	assert_int_equal(there.result, 0);
	assert_int_equal(rdbss_lock(a, RDBSS_LOCK_EXCLUSIVE, 9, 1, 0), -EAGAIN);
	OK(rdbss_close(a));
	OK(rdbss_close(b));
	OK(rdbss_close(c));
	OK(rdbss_unmount(second));
}

/* ---- many at once ----------------------------------------------------------------------------------- */

#define THREADS 6
#define TURNS 40

static void *count_up(void *context)
{
	struct rdbss_file *file = context;

	for (int i = 0; i < TURNS; i++) {
		char number[24] = ""; /* eight digits are written, and room for any number */

		OK(rdbss_lock(file, RDBSS_LOCK_EXCLUSIVE, 100, 1, 1));
		assert_int_equal(rdbss_pread(file, number, 8, 0), 8);
		(void)snprintf(number, sizeof(number), "%08ld", strtol(number, NULL, 10) + 1);
		assert_int_equal(rdbss_pwrite(file, number, 8, 0), 8);
		OK(rdbss_lock(file, RDBSS_UNLOCK, 100, 1, 0));
	}
	return NULL;
}

/* Threads of two clients add to one number under one lock: nobody's addition is lost. */
static void test_a_counter(void **state)
{
	struct rdbss_file *files[THREADS];
	pthread_t threads[THREADS];
	char number[9] = "00000000";

	(void)state;
	mount_second();
	for (int i = 0; i < THREADS; i++)
		files[i] = must_open(i % 2 == 0 ? fixture_mount : second);
	assert_int_equal(rdbss_pwrite(files[0], number, 8, 0), 8);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, files[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(rdbss_pread(files[0], number, 8, 0), 8);
	assert_int_equal(strtol(number, NULL, 10), THREADS * TURNS);
	for (int i = 0; i < THREADS; i++)
		OK(rdbss_close(files[i]));
	OK(rdbss_unmount(second));
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_enter, fixture_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_locks_of_files),
		T(test_against_a_map_of_bytes),
		T(test_waiting),
		T(test_a_counter),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
