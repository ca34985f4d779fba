/*
 * test_fuse_pages.c - pages as the kernel got them, without a kernel: what differs from them is what was stored.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/fuse/fuse_int.h"

#define PAGE 4096u
#define MANY 1024u /* what a mount keeps */

static struct front_pages pages;
static char bytes[4 * PAGE], before[4 * PAGE];

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1; /* nor is any page left */
}

static int enter(void **state)
{
	(void)state;
	memset(&pages, 0, sizeof(pages));
	front_pages_init(&pages);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + (i >> 8));
	return 0;
}

static int leave(void **state)
{
	(void)state;
	front_pages_end(&pages);
	return 0;
}

static void keep(fuse_ino_t ino, uint64_t offset, size_t size)
{
	front_pages_keep(&pages, ino, offset, bytes, size, front_pages_generation(&pages, ino));
}

/* How many bytes of what the kernel writes back would go to the server. */
static size_t differing(fuse_ino_t ino, uint64_t offset, const char *data, size_t size)
{
	size_t count = 0;

	memset(before, 0, sizeof(before));
	front_pages_get(&pages, ino, offset, data, before, size);
	for (size_t i = 0; i < size; i++)
		count += before[i] != data[i];
	return count;
}

/* Of a page that is known what was stored differs, of one that is not all of it; files do not see each other's. */
static void test_only_what_was_stored_differs(void **state)
{
	char data[2 * PAGE];

	(void)state;
	assert_false(front_pages_have(&pages, 32, 0, PAGE));
	assert_int_equal(differing(32, 0, bytes, 2 * PAGE), 2 * PAGE);
	keep(32, PAGE, PAGE);
	assert_true(front_pages_have(&pages, 32, 0, 2 * PAGE));
	assert_false(front_pages_have(&pages, 32, 0, PAGE));
	assert_false(front_pages_have(&pages, 48, PAGE, PAGE));
	memcpy(data, bytes, sizeof(data));
	memcpy(data + PAGE, bytes, PAGE);
	assert_int_equal(differing(32, PAGE, data + PAGE, PAGE), 0);
	data[PAGE + 200] ^= 1;
	assert_int_equal(differing(32, PAGE, data + PAGE, PAGE), 1);
	assert_int_equal(differing(32, 0, data, 2 * PAGE), PAGE + 1);
	assert_int_equal(differing(48, PAGE, data + PAGE, PAGE), PAGE);
}

/* The last page of a file has zeroes behind it, whatever was known of it before. */
static void test_the_end_of_a_file(void **state)
{
	char data[PAGE] = {0};

	(void)state;
	keep(32, 0, PAGE);
	keep(32, 0, 100);
	memcpy(data, bytes, 100);
	assert_int_equal(differing(32, 0, data, PAGE), 0);
	assert_int_equal(differing(32, 0, data, 50), 0);
}

/* A page that is changed otherwise is not known any more: a store of what was there before must not be hidden. */
static void test_what_is_changed_otherwise_is_not_known(void **state)
{
	(void)state;
	keep(32, 0, 4 * PAGE);
	front_pages_forget(&pages, 32, 2 * PAGE - 1, 2);
	assert_true(front_pages_have(&pages, 32, 0, PAGE));
	assert_false(front_pages_have(&pages, 32, PAGE, 2 * PAGE));
	assert_true(front_pages_have(&pages, 32, 3 * PAGE, PAGE));
	assert_int_equal(differing(32, 0, bytes, 4 * PAGE), 2 * PAGE);
	keep(48, 0, PAGE);
	front_pages_forget_file(&pages, 32);
	assert_false(front_pages_have(&pages, 32, 0, 4 * PAGE));
	assert_true(front_pages_have(&pages, 48, 0, PAGE));
}

/* What was being read while the size changed says nothing of the page, nor does what was known before that. */
static void test_a_read_from_before_a_new_size(void **state)
{
	unsigned int old = front_pages_generation(&pages, 32);

	(void)state;
	front_pages_forget_file(&pages, 32);
	front_pages_keep(&pages, 32, 0, bytes, PAGE, old);
	assert_false(front_pages_have(&pages, 32, 0, PAGE));
	keep(32, 0, PAGE);
	assert_true(front_pages_have(&pages, 32, 0, PAGE));
	front_pages_keep(&pages, 32, 0, bytes, PAGE, old);
	assert_false(front_pages_have(&pages, 32, 0, PAGE));
}

/* Memory has an end: the page that was handed out longest ago goes. */
static void test_there_is_an_end_to_them(void **state)
{
	unsigned long empty = nt_pool_bytes();

	(void)state;
	for (unsigned int i = 0; i < MANY; i++)
		keep(32, (uint64_t)i * PAGE, PAGE);
	keep(32, 0, PAGE); /* young again */
	for (unsigned int i = 0; i < 10; i++)
		keep(48, (uint64_t)i * PAGE, PAGE);
	assert_true(front_pages_have(&pages, 32, 0, PAGE));
	assert_false(front_pages_have(&pages, 32, PAGE, 10 * PAGE));
	assert_true(front_pages_have(&pages, 32, 11 * PAGE, PAGE));
	assert_true(front_pages_have(&pages, 48, 9 * PAGE, PAGE));
	assert_in_range(nt_pool_bytes() - empty, MANY * PAGE, MANY * (PAGE + 256));
	front_pages_end(&pages);
	assert_int_equal(nt_pool_bytes(), empty);
}

#define T(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_only_what_was_stored_differs),
		T(test_the_end_of_a_file),
		T(test_what_is_changed_otherwise_is_not_known),
		T(test_a_read_from_before_a_new_size),
		T(test_there_is_an_end_to_them),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
