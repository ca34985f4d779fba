/* test_store.c - sparse contents behave like a plain array of bytes that begins as zeros. */
#include "mem_test.h"

#define SPAN (3u << 20)

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void set_size(struct mem_handle *handle, LONGLONG size)
{
	struct mem_wakeups wake;

	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_set_size(handle, size, &wake), STATUS_SUCCESS);
}

/* Random writes, cuts and zeroed ranges leave exactly what the same steps leave in an array. */
static void test_contents_equal_a_plain_array(void **state)
{
	static uint8_t model[SPAN], block[200000], back[200000];
	struct mem_volume *volume = new_volume(1 << 30);
	struct mem_handle *file = must_open(volume, u"f", FILE_CREATE, 0);
	struct mem_wakeups wake;
	uint32_t seed = 20260101, size = 0, step, i;
	ULONG done;

	(void)state;
	mem_wakeups_init(&wake);
	memset(model, 0, sizeof(model));
	for (step = 0; step < 600; step++) {
		uint32_t at = next_random(&seed) % SPAN, length = next_random(&seed) % sizeof(block);

		if (length > SPAN - at)
			length = SPAN - at;
		switch (next_random(&seed) % 4) {
		case 0:
		case 1:
			for (i = 0; i < length; i++)
				block[i] = (uint8_t)next_random(&seed);
			memcpy(model + at, block, length);
			assert_int_equal(mem_fs_write(file, at, block, length, 0, &done, &wake),
					 STATUS_SUCCESS);
			assert_int_equal(done, length);
			if (length > 0 && at + length > size)
				size = at + length;
			break;
		case 2:
			set_size(file, at);
			memset(model + at, 0, SPAN - at);
			size = at;
			break;
		default:
			ExAcquireResourceExclusiveLite(&file->node->data_lock, TRUE);
			mem_data_zero(file->node, at, at + length);
			ExReleaseResourceLite(&file->node->data_lock);
			memset(model + at, 0, length);
		}
		at = next_random(&seed) % SPAN;
		length = next_random(&seed) % sizeof(back);
		done = 0;
		(void)mem_fs_read(file, at, back, length, 0, &done);
		assert_int_equal(done, at >= size ? 0 : length < size - at ? length : size - at);
		assert_memory_equal(back, model + at, done);
	}
	must_close(file);
	mem_volume_dereference(volume);
}

/* A byte at the far end of the offset space costs one chunk, not the way there. */
static void test_far_offsets_are_cheap(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *file = must_open(volume, u"f", FILE_CREATE, 0);
	LONGLONG far = INT64_MAX - 1, start, end;
	struct mem_wakeups wake;
	uint8_t byte = 7;
	ULONG done;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_write(file, far, &byte, 1, 0, &done, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_data_allocation(file->node), 65536);
	byte = 0;
	assert_int_equal(mem_fs_read(file, far, &byte, 1, 0, &done), STATUS_SUCCESS);
	assert_int_equal(byte, 7);
	assert_int_equal(mem_fs_read(file, 1 << 20, &byte, 1, 0, &done), STATUS_SUCCESS);
	assert_int_equal(byte, 0);
	assert_true(mem_data_next_range(file->node, 0, &start, &end));
	assert_true(start <= far && end == far + 1);
	must_close(file);
	mem_volume_dereference(volume);
}

/* A full volume says so, keeps what it had, and has room again when a file is cut. */
static void test_full_volume_refuses_and_recovers(void **state)
{
	static uint8_t block[65536];
	struct mem_volume *volume = new_volume(4 * 65536);
	struct mem_handle *file = must_open(volume, u"f", FILE_CREATE, 0);
	struct mem_wakeups wake;
	ULONG done, i;

	(void)state;
	mem_wakeups_init(&wake);
	for (i = 0; i < 4; i++)
		assert_int_equal(mem_fs_write(file, i * 65536, block, 65536, 0, &done, &wake),
				 STATUS_SUCCESS);
	assert_int_equal(mem_fs_write(file, 4 * 65536, block, 1, 0, &done, &wake), STATUS_DISK_FULL);
	assert_int_equal(file->node->size, 4 * 65536);
	set_size(file, 65536);
	assert_int_equal(mem_fs_write(file, 4 * 65536, block, 1, 0, &done, &wake), STATUS_SUCCESS);
	must_close(file);
	mem_volume_dereference(volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_contents_equal_a_plain_array, start_runtime,
						stop_runtime),
		cmocka_unit_test_setup_teardown(test_far_offsets_are_cheap, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_full_volume_refuses_and_recovers, start_runtime,
						stop_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
