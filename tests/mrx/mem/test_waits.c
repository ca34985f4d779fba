/* test_waits.c - byte-range locks and change watches of the memory volume. */
#include "mem_test.h"

static struct mem_wakeup *take(struct mem_wakeups *wake)
{
	return IsListEmpty(&wake->list)
		       ? NULL
		       : CONTAINING_RECORD(RemoveHeadList(&wake->list), struct mem_wakeup, link);
}

static void drop(struct mem_wakeup *wakeup)
{
	mem_wakeup_free(wakeup);
}

/* Shared ranges overlap, an exclusive one excludes, touching ranges do not conflict, empty ones never. */
static void test_lock_conflicts(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *a = must_open(volume, u"f", FILE_CREATE, 0),
			  *b = must_open(volume, u"f", FILE_OPEN, 0);
	struct mem_range shared = {10, 10, 0, false}, over = {15, 10, 0, false}, hard = {19, 1, 0, true};
	struct mem_range next = {25, 5, 0, true}, empty = {12, 0, 0, true};

	(void)state;
	assert_int_equal(mem_fs_lock(a, &shared, false, NULL), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(b, &over, false, NULL), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(a, &hard, false, NULL), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(mem_fs_lock(b, &next, false, NULL), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(b, &empty, false, NULL), STATUS_SUCCESS);
	must_close(a);
	must_close(b);
	mem_volume_dereference(volume);
}

/*
 * A handle may share what it has locked exclusively, not the other way round, and of two equal ranges the exclusive one is
 * unlocked first: that is how a lock is weakened without giving it up ([MS-FSA] 2.1.4.10, 2.1.5.9).
 */
static void test_an_exclusive_lock_is_weakened(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *a = must_open(volume, u"f", FILE_CREATE, 0),
			  *b = must_open(volume, u"f", FILE_OPEN, 0);
	struct mem_range shared = {10, 10, 0, false}, hard = {10, 10, 0, true},
			 other_key = {10, 10, 1, false};
	struct mem_wakeups wake;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_lock(a, &hard, false, NULL), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(a, &hard, false, NULL), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(mem_fs_lock(a, &other_key, false, NULL), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(mem_fs_lock(a, &shared, false, NULL), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(b, &shared, false, NULL), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(mem_fs_unlock(a, &hard, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(b, &shared, false, NULL), STATUS_SUCCESS);
	assert_int_equal(mem_fs_unlock(b, &shared, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(a, &hard, false, NULL), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(mem_fs_unlock(a, &shared, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(b, &hard, false, NULL), STATUS_SUCCESS);
	must_close(a);
	must_close(b);
	mem_volume_dereference(volume);
}

/* Locks are mandatory for reads and writes of others. */
static void test_locks_bind_transfers(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *a = must_open(volume, u"f", FILE_CREATE, 0),
			  *b = must_open(volume, u"f", FILE_OPEN, 0);
	struct mem_range hard = {0, 4, 0, true};
	struct mem_wakeups wake;
	char text[4];
	ULONG done;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_write(a, 0, "abcd", 4, 0, &done, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(a, &hard, false, NULL), STATUS_SUCCESS);
	assert_int_equal(mem_fs_write(b, 3, "x", 1, 0, &done, &wake), STATUS_FILE_LOCK_CONFLICT);
	assert_int_equal(mem_fs_read(b, 0, text, 1, 0, &done), STATUS_FILE_LOCK_CONFLICT);
	assert_int_equal(mem_fs_read(a, 0, text, 4, 0, &done), STATUS_SUCCESS);
	assert_int_equal(mem_fs_write(b, 4, "x", 1, 0, &done, &wake), STATUS_SUCCESS);
	must_close(a);
	must_close(b);
	mem_volume_dereference(volume);
}

/* A waiter gets the lock when the holder lets go; a cancelled one never does; cleanup answers the rest. */
static void test_waiting_locks(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *a = must_open(volume, u"f", FILE_CREATE, 0),
			  *b = must_open(volume, u"f", FILE_OPEN, 0);
	struct mem_range hard = {0, 4, 0, true};
	struct mem_wakeup *wakeup;
	struct mem_wakeups wake;
	int one, two, three;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_lock(a, &hard, true, &one), STATUS_SUCCESS);
	assert_int_equal(mem_fs_lock(b, &hard, true, &one), STATUS_PENDING);
	assert_int_equal(mem_fs_lock(b, &hard, true, &two), STATUS_PENDING);
	assert_int_equal(mem_fs_lock(b, &hard, true, &three), STATUS_PENDING);
	assert_true(mem_fs_cancel_wait(b, &two));
	assert_false(mem_fs_cancel_wait(b, &two));
	assert_int_equal(mem_fs_unlock(a, &hard, &wake), STATUS_SUCCESS);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_ptr_equal(wakeup->request, &one);
	assert_int_equal(wakeup->status, STATUS_SUCCESS);
	drop(wakeup);
	assert_null(take(&wake));
	mem_fs_cleanup(b, &wake);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_ptr_equal(wakeup->request, &three);
	assert_false(NT_SUCCESS(wakeup->status));
	drop(wakeup);
	assert_null(take(&wake));
	assert_int_equal(mem_fs_lock(a, &hard, false, NULL), STATUS_SUCCESS);
	must_close(a);
	must_close(b);
	mem_volume_dereference(volume);
}

/* The changes that a wakeup of a watch tells, at most @capacity; their names point into it. Return: how many. */
static unsigned int told(const struct mem_wakeup *wakeup, UNICODE_STRING *names, ULONG *actions,
			 unsigned int capacity)
{
	unsigned int count = 0;
	ULONG at = 0;

	assert_int_equal(wakeup->status, STATUS_SUCCESS);
	assert_non_null(wakeup->news);
	for (;;) {
		const FILE_NOTIFY_INFORMATION *info = (const void *)(wakeup->news->bytes + at);

		assert_true(count < capacity);
		assert_int_equal(at % 4, 0);
		assert_true(at + FIELD_OFFSET(FILE_NOTIFY_INFORMATION, FileName) + info->FileNameLength <=
			    wakeup->news->length);
		names[count].Buffer = (PWCH)(uintptr_t)info->FileName;
		names[count].Length = names[count].MaximumLength = (USHORT)info->FileNameLength;
		actions[count++] = info->Action;
		if (info->NextEntryOffset == 0)
			return count;
		at += info->NextEntryOffset;
	}
}

static struct mem_handle *create(struct mem_volume *volume, const WCHAR *path, struct mem_wakeups *wake)
{
	struct mem_handle *file = NULL;
	UNICODE_STRING name;
	ULONG created;
	struct mem_open how = {
		.path = &name,
		.access = FILE_ALL_ACCESS,
		.share_access = ALL_SHARE,
		.disposition = FILE_CREATE,
	};

	RtlInitUnicodeString(&name, path);
	assert_int_equal(mem_fs_open(volume, &how, &file, &created, wake), STATUS_SUCCESS);
	return file;
}

#define WATCHED (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_SIZE)

/* A watch hears the name of what changed, and with the next request what changed between the two, in its order. */
static void test_watch(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *root = must_open(volume, u"", FILE_OPEN, FILE_DIRECTORY_FILE), *file;
	UNICODE_STRING name = NT_STR(u"f"), names[4];
	struct mem_wakeup *wakeup;
	struct mem_wakeups wake;
	ULONG actions[4];
	int request;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_watch(root, WATCHED, false, &request, &wake), STATUS_PENDING);
	assert_null(take(&wake));
	assert_int_equal(mem_fs_watch(root, WATCHED, false, &request, &wake), STATUS_DEVICE_BUSY);
	file = create(volume, u"f", &wake);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_ptr_equal(wakeup->request, &request);
	assert_int_equal(told(wakeup, names, actions, 4), 1);
	assert_int_equal(actions[0], FILE_ACTION_ADDED);
	assert_true(RtlEqualUnicodeString(&names[0], &name, FALSE));
	drop(wakeup);
	assert_int_equal(mem_fs_set_size(file, 10, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_fs_set_size(file, 20, &wake),
			 STATUS_SUCCESS); /* told once, until it is asked for */
	assert_int_equal(mem_fs_set_disposition(file, FILE_DISPOSITION_DELETE, &wake), STATUS_SUCCESS);
	mem_fs_close(file, &wake);
	assert_null(take(&wake));
	assert_int_equal(mem_fs_watch(root, WATCHED, false, &request, &wake), STATUS_PENDING);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_ptr_equal(wakeup->request, &request);
	assert_int_equal(told(wakeup, names, actions, 4), 2);
	assert_int_equal(actions[0], FILE_ACTION_MODIFIED);
	assert_int_equal(actions[1], FILE_ACTION_REMOVED);
	assert_true(RtlEqualUnicodeString(&names[1], &name, FALSE));
	drop(wakeup);
	assert_int_equal(mem_fs_watch(root, WATCHED, false, &request, &wake), STATUS_PENDING);
	mem_fs_cleanup(root, &wake);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_int_equal(wakeup->status, STATUS_NOTIFY_CLEANUP);
	drop(wakeup);
	must_close(root);
	mem_volume_dereference(volume);
}

/* More between two requests than is kept one by one: the second is told to look, once, and then all begins anew. */
static void test_a_watch_that_missed_too_much(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *root = must_open(volume, u"", FILE_OPEN, FILE_DIRECTORY_FILE), *file;
	struct mem_wakeup *wakeup;
	struct mem_wakeups wake;
	WCHAR name[] = u"a long name, of which there is room for some dozens - 000";
	int request;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_watch(root, WATCHED, false, &request, &wake), STATUS_PENDING);
	must_close(create(volume, u"first", &wake));
	drop(take(&wake));
	for (unsigned int i = 0; i < 100; i++) {
		name[RTL_NUMBER_OF(name) - 3] = (WCHAR)(u'0' + i / 10);
		name[RTL_NUMBER_OF(name) - 2] = (WCHAR)(u'0' + i % 10);
		must_close(create(volume, name, &wake));
	}
	assert_int_equal(mem_fs_watch(root, WATCHED, false, &request, &wake), STATUS_PENDING);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_int_equal(wakeup->status, STATUS_NOTIFY_ENUM_DIR);
	assert_null(wakeup->news);
	drop(wakeup);
	file = create(volume, u"unheard", &wake);
	assert_int_equal(mem_fs_watch(root, WATCHED, false, &request, &wake), STATUS_PENDING);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_int_equal(wakeup->status, STATUS_SUCCESS);
	drop(wakeup);
	must_close(file);
	must_close(create(volume, u"never told", &wake));
	must_close(root); /* with news that nobody asks for */
	mem_volume_dereference(volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lock_conflicts, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_an_exclusive_lock_is_weakened, start_runtime,
						stop_runtime),
		cmocka_unit_test_setup_teardown(test_locks_bind_transfers, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_waiting_locks, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_watch, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_a_watch_that_missed_too_much, start_runtime,
						stop_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
