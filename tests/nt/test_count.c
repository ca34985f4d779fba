/*
 * Rule: every count arrives under its own name, whatever the threads; counters tell names apart by all their words;
 * what finds no room is not silently gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "nt_count.h"

static struct nt_count all[NT_COUNT_LIMIT];

static const struct nt_count *find(const char *group, const char *first, const char *second, uint64_t *lost)
{
	size_t count = nt_count_read(all, NT_COUNT_LIMIT, lost);

	for (size_t i = 0; i < count; i++)
		if (all[i].group == group && all[i].part[0] == first && all[i].part[1] == second)
			return &all[i];
	return NULL;
}

static void test_names_are_told_apart(void **state)
{
	static const char group[] = "g", other[] = "h", a[] = "a", b[] = "b";
	const char *const ab[] = {a, b};
	uint64_t lost;

	(void)state;
	nt_count_one(group, a, 5);
	nt_count_one(group, a, 6);
	nt_count(group, ab, 2, 0);
	nt_count_one(other, a, 1);
	assert_int_equal(find(group, a, NULL, &lost)->times, 2);
	assert_int_equal(find(group, a, NULL, &lost)->amount, 11);
	assert_int_equal(find(group, a, b, &lost)->times, 1);
	assert_int_equal(find(group, a, b, &lost)->amount, 0);
	assert_int_equal(find(other, a, NULL, &lost)->times, 1);
	assert_null(find(other, a, b, &lost));
	assert_int_equal(lost, 0);
}

enum { THREADS = 4, NAMES = 50, ROUNDS = 2000 };
static const char many[NAMES + 2 * NT_COUNT_LIMIT];

static void *count_many(void *context)
{
	(void)context;
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < NAMES; i++)
			nt_count_one("threads", &many[i], 1);
	return NULL;
}

static void test_no_count_is_lost_between_threads(void **state)
{
	pthread_t threads[THREADS];
	uint64_t lost, times = 0;
	size_t count, slots = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	count = nt_count_read(all, NT_COUNT_LIMIT, &lost);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(all[i].group, "threads") != 0)
			continue;
		slots++;
		times += all[i].times;
		assert_int_equal(all[i].times, THREADS * ROUNDS);
		assert_int_equal(all[i].amount, THREADS * ROUNDS);
	}
	assert_int_equal(slots, NAMES);
	assert_int_equal(times, THREADS * ROUNDS * NAMES);
	assert_int_equal(lost, 0);
}

/* The last test: the table is full from here on. */
static void test_what_finds_no_room_is_reported(void **state)
{
	uint64_t lost;
	size_t used = nt_count_read(all, NT_COUNT_LIMIT, &lost);

	(void)state;
	for (int i = NAMES; i < NAMES + NT_COUNT_LIMIT; i++)
		nt_count_one("threads", &many[i], 0);
	assert_int_equal(nt_count_read(all, NT_COUNT_LIMIT, &lost), NT_COUNT_LIMIT);
	assert_int_equal(lost, used);
	nt_count_one("threads", &many[0], 0); /* what is there goes on */
	(void)nt_count_read(all, NT_COUNT_LIMIT, &lost);
	assert_int_equal(lost, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_told_apart),
		cmocka_unit_test(test_no_count_is_lost_between_threads),
		cmocka_unit_test(test_what_finds_no_room_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
