/*
 * test_lock_records.c - the table of a file's locks, against a map that remembers every byte for itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "front/door/record.h"

#define OWNERS 3u
#define KINDS 2u
#define BYTES 24u
#define ROUNDS 40000u

/* What each owner has at each byte; the last stands for everything from there to the end. */
struct map {
	enum door_lock_type at[KINDS][OWNERS][BYTES];
	unsigned int holder[KINDS][OWNERS][BYTES];
};

static struct door_file *const handles[] = {(struct door_file *)8, (struct door_file *)16};

static uint64_t byte_end(uint64_t byte)
{
	return byte + 1 == BYTES ? DOOR_RANGE_END : byte + 1;
}

static struct door_range random_range(unsigned int *seed)
{
	uint64_t first = (uint64_t)rand_r(seed) % BYTES,
		 last = first + (uint64_t)rand_r(seed) % (BYTES - first);

	return (struct door_range){.owner = (uint64_t)rand_r(seed) % OWNERS,
				   .start = first,
				   .end = byte_end(last),
				   .type = (enum door_lock_type)(rand_r(seed) % 3),
				   .kind = (enum door_lock_kind)(rand_r(seed) % (int)KINDS)};
}

static bool map_conflicts(const struct map *map, const struct door_range *range)
{
	for (uint64_t byte = range->start; byte < BYTES && byte < range->end; byte++)
		for (unsigned int owner = 0; owner < OWNERS; owner++) {
			enum door_lock_type held = map->at[range->kind][owner][byte];

			if (owner != range->owner && held != DOOR_UNLOCKED &&
			    (held == DOOR_EXCLUSIVE || range->type == DOOR_EXCLUSIVE))
				return true;
		}
	return false;
}

static void map_set(struct map *map, const struct door_range *range, unsigned int holder)
{
	for (uint64_t byte = range->start; byte < BYTES && byte < range->end; byte++) {
		map->at[range->kind][range->owner][byte] = range->type;
		map->holder[range->kind][range->owner][byte] = range->type != DOOR_UNLOCKED ? holder : 0;
	}
}

static enum door_lock_type map_level(const struct map *map, uint64_t byte)
{
	enum door_lock_type level = DOOR_UNLOCKED;

	for (unsigned int kind = 0; kind < KINDS; kind++)
		for (unsigned int owner = 0; owner < OWNERS; owner++)
			if (map->at[kind][owner][byte] > level)
				level = map->at[kind][owner][byte];
	return level;
}

/* The table read back byte by byte is the map; an owner's ranges do not overlap, and none could be joined. */
static void compare(const struct door_records *records, const struct map *map)
{
	struct map back = {0};
	uint64_t at, until, before = 0;
	const LIST_ENTRY *l, *m;

	for (l = records->list.Flink; l != &records->list; l = l->Flink) {
		const struct door_record *a = CONTAINING_RECORD(l, struct door_record, link);

		assert_true(a->range.start >= before);
		before = a->range.start;
		for (m = l->Flink; m != &records->list; m = m->Flink) {
			const struct door_record *b = CONTAINING_RECORD(m, struct door_record, link);

			if (a->range.owner != b->range.owner || a->range.kind != b->range.kind)
				continue;
			assert_true(a->range.end <= b->range.start);
			assert_false(a->range.end == b->range.start && a->range.type == b->range.type &&
				     a->holder == b->holder);
		}
		map_set(&back, &a->range, a->holder == handles[1]);
	}
	assert_memory_equal(&back, map, sizeof(back));
	for (at = 0; at < BYTES; at++) {
		assert_int_equal(door_records_level(records, at, &until), map_level(map, at));
		assert_true(until > at && until <= DOOR_RANGE_END);
		for (uint64_t same = at; same < BYTES && same < until; same++)
			assert_int_equal(map_level(map, same), map_level(map, at));
	}
}

/* Whatever is set, in whatever order, the table says of every byte what a map of bytes says. */
static void test_against_a_map_of_bytes(void **state)
{
	struct door_records records;
	struct map map = {0};
	unsigned int seed = 20261121;
	size_t most = 0;

	(void)state;
	door_records_init(&records);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct door_range range = random_range(&seed);
		unsigned int holder = (unsigned int)rand_r(&seed) % 2;
		bool conflicts = map_conflicts(&map, &range);
		size_t count = 0;

		if (range.type != DOOR_UNLOCKED)
			assert_int_equal(door_records_conflict(&records, &range) != NULL, conflicts);
		if (range.type == DOOR_UNLOCKED || !conflicts) {
			assert_int_equal(door_records_set(&records, &range, handles[holder]), STATUS_SUCCESS);
			map_set(&map, &range, holder);
		}
		compare(&records, &map);
		for (const LIST_ENTRY *l = records.list.Flink; l != &records.list; l = l->Flink)
			count++;
		most = count > most ? count : most;
	}
	assert_true(most > 8); /* it was not all refused */
	door_records_free(&records);
	assert_true(IsListEmpty(&records.list));
}

/* The lock in the way is named with its range and its process. */
static void test_a_conflict_is_named(void **state)
{
	struct door_range held = {.owner = 1, .start = 10, .end = 20, .pid = 77, .type = DOOR_EXCLUSIVE};
	struct door_range wanted = {.owner = 2, .start = 19, .end = 30, .pid = 78, .type = DOOR_SHARED};
	const struct door_record *found;
	struct door_records records;

	(void)state;
	door_records_init(&records);
	assert_int_equal(door_records_set(&records, &held, handles[0]), STATUS_SUCCESS);
	found = door_records_conflict(&records, &wanted);
	assert_non_null(found);
	assert_int_equal(found->range.start, 10);
	assert_int_equal(found->range.end, 20);
	assert_int_equal(found->range.pid, 77);
	wanted.start = 20; /* side by side is no conflict */
	assert_null(door_records_conflict(&records, &wanted));
	wanted.start = 0;
	wanted.kind = DOOR_LOCK_FLOCK; /* the other kind neither */
	assert_null(door_records_conflict(&records, &wanted));
	door_records_free(&records);
}

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_map_of_bytes),
		cmocka_unit_test(test_a_conflict_is_named),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
