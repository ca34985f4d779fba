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
	if (wakeup->name.Buffer != NULL)
		ExFreePoolWithTag(wakeup->name.Buffer, MEM_TAG_NAME);
	ExFreePoolWithTag(wakeup, MEM_TAG_WATCH);
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

/* A watch hears the name of what changed; a change between two requests is not lost. */
static void test_watch(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *root = must_open(volume, u"", FILE_OPEN, FILE_DIRECTORY_FILE), *file;
	UNICODE_STRING name = NT_STR(u"f");
	struct mem_wakeup *wakeup;
	struct mem_wakeups wake;
	ULONG created;
	struct mem_open how = {
		.path = &name,
		.access = FILE_ALL_ACCESS,
		.share_access = ALL_SHARE,
		.disposition = FILE_CREATE,
	};
	int request;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_watch(root, FILE_NOTIFY_CHANGE_FILE_NAME, false, &request), STATUS_PENDING);
	assert_int_equal(mem_fs_open(volume, &how, &file, &created, &wake), STATUS_SUCCESS);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_ptr_equal(wakeup->request, &request);
	assert_int_equal(wakeup->action, FILE_ACTION_ADDED);
	assert_true(RtlEqualUnicodeString(&wakeup->name, &name, FALSE));
	drop(wakeup);
	assert_int_equal(mem_fs_set_disposition(file, FILE_DISPOSITION_DELETE, &wake), STATUS_SUCCESS);
	mem_fs_close(file, &wake);
	assert_null(take(&wake));
	assert_int_equal(mem_fs_watch(root, FILE_NOTIFY_CHANGE_FILE_NAME, false, &request),
			 STATUS_NOTIFY_ENUM_DIR);
	assert_int_equal(mem_fs_watch(root, FILE_NOTIFY_CHANGE_FILE_NAME, false, &request), STATUS_PENDING);
	mem_fs_cleanup(root, &wake);
	wakeup = take(&wake);
	assert_non_null(wakeup);
	assert_int_equal(wakeup->status, STATUS_NOTIFY_CLEANUP);
	drop(wakeup);
	must_close(root);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
