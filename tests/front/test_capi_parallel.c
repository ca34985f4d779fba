/*
 * test_capi_parallel.c - many threads on one mount, and the asynchronous calls.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "capi_fixture.h"

enum { THREADS = 64, BLOCK = 16384, BLOCKS = 24 };

struct worker {
	pthread_t thread;
	struct rdbss_file *file;
	unsigned int index;
	bool failed;
};

/* Each worker owns every THREADS-th block of one file: writes it, reads it back, again and again. */
static void *work(void *context)
{
	struct worker *w = context;
	char *data = malloc(BLOCK);
	int round, i;

	for (round = 0; round < 2 && data != NULL; round++) {
		for (i = 0; i < BLOCKS; i++) {
			off_t offset = ((off_t)i * THREADS + w->index) * BLOCK;

			fixture_pattern(data, BLOCK, (uint64_t)offset, w->index + (uint64_t)round * 1000);
			if (rdbss_pwrite(w->file, data, BLOCK, offset) != BLOCK)
				w->failed = true;
		}
		for (i = 0; i < BLOCKS; i++) {
			off_t offset = ((off_t)i * THREADS + w->index) * BLOCK;

			if (rdbss_pread(w->file, data, BLOCK, offset) != BLOCK ||
			    fixture_pattern_check(data, BLOCK, (uint64_t)offset,
						  w->index + (uint64_t)round * 1000) != -1)
				w->failed = true;
		}
	}
	if (data == NULL)
		w->failed = true;
	free(data);
	return NULL;
}

/* 64 writers and readers of one file, through two handles, never see each other's bytes. */
static void test_parallel_writers_and_readers(void **state)
{
	struct worker workers[THREADS];
	struct rdbss_file *handles[2];
	struct stat st;
	unsigned int i;

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_CREAT, 0644, &handles[0]));
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR, 0, &handles[1]));
	memset(workers, 0, sizeof(workers));
	for (i = 0; i < THREADS; i++) {
		workers[i].file = handles[i % 2];
		workers[i].index = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_false(workers[i].failed);
	}
	OK(rdbss_fstat(handles[0], &st));
	assert_int_equal(st.st_size, (off_t)THREADS * BLOCKS * BLOCK);
	OK(rdbss_close(handles[0]));
	OK(rdbss_close(handles[1]));
}

struct maker {
	pthread_t thread;
	char base[512];
	bool failed;
};

static void *make_and_remove(void *context)
{
	struct maker *m = context;
	char a[600], b[600];
	struct stat st;
	int i;

	for (i = 0; i < 40; i++) {
		struct rdbss_file *file;

		snprintf(a, sizeof(a), "%s-%d", m->base, i);
		snprintf(b, sizeof(b), "%s-%d-moved", m->base, i);
		if (rdbss_open(fixture_mount, a, O_RDWR | O_CREAT | O_EXCL, 0644, &file) != 0 ||
		    rdbss_pwrite(file, a, strlen(a), 0) != (ssize_t)strlen(a) || rdbss_close(file) != 0 ||
		    rdbss_rename(fixture_mount, a, b, 0) != 0 || rdbss_stat(fixture_mount, b, &st) != 0 ||
		    st.st_size != (off_t)strlen(a) || rdbss_stat(fixture_mount, a, &st) != -ENOENT ||
		    rdbss_unlink(fixture_mount, b) != 0)
			m->failed = true;
	}
	return NULL;
}

/* Threads that create, rename and delete in one directory do not disturb each other. */
static void test_parallel_names(void **state)
{
	enum { MAKERS = 16 };
	struct maker makers[MAKERS];
	struct rdbss_dirent entry;
	struct rdbss_dir *dir;
	int i;

	(void)state;
	for (i = 0; i < MAKERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "m%d", i);
		snprintf(makers[i].base, sizeof(makers[i].base), "%s", fixture_path(name));
		makers[i].failed = false;
		assert_int_equal(pthread_create(&makers[i].thread, NULL, make_and_remove, &makers[i]), 0);
	}
	for (i = 0; i < MAKERS; i++) {
		pthread_join(makers[i].thread, NULL);
		assert_false(makers[i].failed);
	}
	OK(rdbss_opendir(fixture_mount, fixture_path(""), &dir));
	assert_int_equal(OK(rdbss_readdir(dir, &entry)), 0);
	OK(rdbss_closedir(dir));
}

/* One creator of sixteen wins an exclusive creation. */
static struct {
	char path[600];
	atomic_int won, lost, other;
} race;

static void *race_to_create(void *context)
{
	struct rdbss_file *file;
	int error = rdbss_open(fixture_mount, race.path, O_WRONLY | O_CREAT | O_EXCL, 0644, &file);

	(void)context;
	if (error == 0) {
		atomic_fetch_add(&race.won, 1);
		rdbss_close(file);
	} else {
		atomic_fetch_add(error == -EEXIST ? &race.lost : &race.other, 1);
	}
	return NULL;
}

static void test_exclusive_creation_has_one_winner(void **state)
{
	enum { RACERS = 16 };
	pthread_t threads[RACERS];
	int i;

	(void)state;
	snprintf(race.path, sizeof(race.path), "%s", fixture_path("prize"));
	atomic_store(&race.won, 0);
	atomic_store(&race.lost, 0);
	atomic_store(&race.other, 0);
	for (i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race_to_create, NULL), 0);
	for (i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&race.won), 1);
	assert_int_equal(atomic_load(&race.lost), RACERS - 1);
	assert_int_equal(atomic_load(&race.other), 0);
}

/* ---- asynchronous ------------------------------------------------------------------------------------ */

struct async {
	sem_t done;
	atomic_int calls;
	ssize_t result;
};

static void finished(void *context, ssize_t result)
{
	struct async *a = context;

	a->result = result;
	atomic_fetch_add(&a->calls, 1);
	sem_post(&a->done);
}

static void async_wait(struct async *a)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 30;
	assert_int_equal(sem_timedwait(&a->done, &limit), 0);
}

/* Thirty-two writes in flight at once, then as many reads: each ends exactly once with all its bytes. */
static void test_async_reads_and_writes(void **state)
{
	enum { COUNT = 32, SIZE = 100000 };
	static char buffers[COUNT][SIZE];
	static struct async ops[COUNT];
	struct rdbss_file *file;
	int i;

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_CREAT, 0644, &file));
	for (i = 0; i < COUNT; i++) {
		memset(&ops[i], 0, sizeof(ops[i]));
		sem_init(&ops[i].done, 0, 0);
		fixture_pattern(buffers[i], SIZE, (uint64_t)i * SIZE, 5);
		OK(rdbss_pwrite_async(file, buffers[i], SIZE, (off_t)i * SIZE, finished, &ops[i], NULL));
	}
	for (i = 0; i < COUNT; i++) {
		async_wait(&ops[i]);
		assert_int_equal(ops[i].result, SIZE);
		memset(buffers[i], 0, SIZE);
	}
	for (i = 0; i < COUNT; i++)
		OK(rdbss_pread_async(file, buffers[i], SIZE, (off_t)i * SIZE, finished, &ops[i], NULL));
	for (i = 0; i < COUNT; i++) {
		async_wait(&ops[i]);
		assert_int_equal(ops[i].result, SIZE);
		assert_int_equal(fixture_pattern_check(buffers[i], SIZE, (uint64_t)i * SIZE, 5), -1);
		assert_int_equal(atomic_load(&ops[i].calls), 2);
		sem_destroy(&ops[i].done);
	}
	OK(rdbss_close(file));
}

/* A cancelled operation still ends exactly once: with its bytes or with EINTR. */
static void test_async_cancel(void **state)
{
	enum { COUNT = 200, SIZE = 4096 };
	static char buffer[SIZE];
	struct rdbss_file *file;
	int i;

	(void)state;
	fixture_make_file(fixture_path("f"), SIZE, 6);
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDONLY, 0, &file));
	for (i = 0; i < COUNT; i++) {
		struct async a = {.result = 0};
		struct rdbss_op *op;

		sem_init(&a.done, 0, 0);
		OK(rdbss_pread_async(file, buffer, SIZE, 0, finished, &a, &op));
		rdbss_cancel(op);
		async_wait(&a);
		rdbss_op_free(op);
		assert_true(a.result == SIZE || a.result == -EINTR);
		assert_int_equal(atomic_load(&a.calls), 1);
		sem_destroy(&a.done);
	}
	OK(rdbss_close(file));
}

/* A busy mount refuses to go, and says what lives in it. */
static int count_object(void *context, const struct rdbss_object *object)
{
	unsigned int *kinds = context;

	assert_non_null(object->name);
	assert_in_range(object->kind, 1, 6);
	kinds[object->kind]++;
	return 0;
}

static void test_objects_and_busy_unmount(void **state)
{
	unsigned int kinds[7] = {0};
	struct rdbss_file *file;

	(void)state;
	OK(rdbss_open(fixture_mount, fixture_path("f"), O_RDWR | O_CREAT, 0644, &file));
	assert_int_equal(rdbss_unmount(fixture_mount), -EBUSY);
	assert_int_equal(rdbss_shutdown(NULL), -EBUSY);
	OK(rdbss_enumerate(fixture_mount, count_object, kinds));
	assert_int_equal(kinds[1], 1);
	assert_int_equal(kinds[2], 1);
	assert_true(kinds[3] >= 1 && kinds[4] >= 1 && kinds[5] >= 1 && kinds[6] >= 1);
	OK(rdbss_close(file));
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_enter, fixture_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_parallel_writers_and_readers),
		T(test_parallel_names),
		T(test_exclusive_creation_has_one_winner),
		T(test_async_reads_and_writes),
		T(test_async_cancel),
		T(test_objects_and_busy_unmount),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
