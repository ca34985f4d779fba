/* test_names.c - names, links, deletion and enumeration of the memory volume. */
#include "mem_test.h"

static NTSTATUS rename_to(struct mem_handle *handle, const WCHAR *path, ULONG flags, bool link)
{
	struct mem_wakeups wake;
	UNICODE_STRING name;
	NTSTATUS status;

	mem_wakeups_init(&wake);
	RtlInitUnicodeString(&name, path);
	status = mem_fs_rename(handle, &name, flags, link, &wake);
	assert_true(IsListEmpty(&wake.list));
	return status;
}

static NTSTATUS dispose(struct mem_handle *handle, ULONG flags)
{
	struct mem_wakeups wake;

	mem_wakeups_init(&wake);
	return mem_fs_set_disposition(handle, flags, &wake);
}

static bool exists(struct mem_volume *volume, const WCHAR *path)
{
	struct mem_handle *handle;

	if (open_as(volume, path, FILE_OPEN, FILE_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES, ALL_SHARE,
		    &handle) != STATUS_SUCCESS)
		return false;
	must_close(handle);
	return true;
}

static bool is_deleted(struct mem_handle *handle)
{
	bool deleted;

	ExAcquireFastMutex(&handle->volume->mutex);
	deleted = mem_fs_delete_pending_locked(handle);
	ExReleaseFastMutex(&handle->volume->mutex);
	return deleted;
}

/* Each disposition does what its name says, on a name that is there and on one that is not. */
static void test_dispositions(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *handle;

	(void)state;
	assert_int_equal(open_as(volume, u"f", FILE_OPEN, 0, FILE_ALL_ACCESS, ALL_SHARE, &handle),
			 STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(open_as(volume, u"d\\f", FILE_CREATE, 0, FILE_ALL_ACCESS, ALL_SHARE, &handle),
			 STATUS_OBJECT_PATH_NOT_FOUND);
	must_close(must_open(volume, u"f", FILE_CREATE, 0));
	assert_int_equal(open_as(volume, u"f", FILE_CREATE, 0, FILE_ALL_ACCESS, ALL_SHARE, &handle),
			 STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(
		open_as(volume, u"f", FILE_OPEN, FILE_DIRECTORY_FILE, FILE_ALL_ACCESS, ALL_SHARE, &handle),
		STATUS_NOT_A_DIRECTORY);
	must_close(must_open(volume, u"d", FILE_CREATE, FILE_DIRECTORY_FILE));
	assert_int_equal(open_as(volume, u"d", FILE_OPEN, FILE_NON_DIRECTORY_FILE, FILE_ALL_ACCESS, ALL_SHARE,
				 &handle),
			 STATUS_FILE_IS_A_DIRECTORY);
	must_close(must_open(volume, u"", FILE_OPEN, FILE_DIRECTORY_FILE));
	mem_volume_dereference(volume);
}

/* An opener that shares nothing keeps others out, until it has cleaned up. */
static void test_share_access(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *first, *second;
	struct mem_wakeups wake;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(open_as(volume, u"f", FILE_CREATE, 0, FILE_READ_DATA | FILE_WRITE_DATA, 0, &first),
			 STATUS_SUCCESS);
	assert_int_equal(open_as(volume, u"f", FILE_OPEN, 0, FILE_READ_DATA, ALL_SHARE, &second),
			 STATUS_SHARING_VIOLATION);
	mem_fs_cleanup(first, &wake);
	assert_int_equal(open_as(volume, u"f", FILE_OPEN, 0, FILE_READ_DATA, ALL_SHARE, &second),
			 STATUS_SUCCESS);
	must_close(first);
	must_close(second);
	mem_volume_dereference(volume);
}

/* A plain delete takes the name with the last cleanup; a POSIX delete takes it at once, the data stay for holders. */
static void test_delete_of_an_open_file(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *a = must_open(volume, u"f", FILE_CREATE, 0),
			  *b = must_open(volume, u"f", FILE_OPEN, 0);
	struct mem_wakeups wake;
	char text[5];
	ULONG done;

	(void)state;
	mem_wakeups_init(&wake);
	assert_int_equal(dispose(a, FILE_DISPOSITION_DELETE), STATUS_SUCCESS);
	must_close(a);
	assert_int_equal(open_as(volume, u"f", FILE_OPEN, 0, FILE_READ_DATA, ALL_SHARE, &a),
			 STATUS_DELETE_PENDING);
	must_close(b);
	assert_false(exists(volume, u"f"));

	a = must_open(volume, u"f", FILE_CREATE, 0);
	b = must_open(volume, u"f", FILE_OPEN, 0);
	assert_int_equal(dispose(a, FILE_DISPOSITION_DELETE | FILE_DISPOSITION_POSIX_SEMANTICS),
			 STATUS_SUCCESS);
	assert_false(exists(volume, u"f"));
	must_close(must_open(volume, u"f", FILE_CREATE, 0)); /* the name is free for another file */
	assert_int_equal(mem_fs_write(b, 0, "hello", 5, 0, &done, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_fs_read(a, 0, text, 5, 0, &done), STATUS_SUCCESS);
	assert_memory_equal(text, "hello", 5);
	must_close(a);
	must_close(b);
	assert_true(exists(volume, u"f"));
	mem_volume_dereference(volume);
}

/* A rename is seen through every handle of the file, and never makes a directory its own descendant. */
static void test_rename(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *dir = must_open(volume, u"d", FILE_CREATE, FILE_DIRECTORY_FILE), *a, *b, *target;

	(void)state;
	must_close(must_open(volume, u"d\\e", FILE_CREATE, FILE_DIRECTORY_FILE));
	assert_int_equal(rename_to(dir, u"d\\e\\d", 0, false), STATUS_INVALID_PARAMETER);

	a = must_open(volume, u"f", FILE_CREATE, 0);
	b = must_open(volume, u"f", FILE_OPEN, 0);
	assert_int_equal(rename_to(a, u"d\\g", 0, false), STATUS_SUCCESS);
	assert_int_equal(rename_to(b, u"d\\h", 0, false),
			 STATUS_SUCCESS); /* follows the other handle's rename */
	assert_false(exists(volume, u"f"));
	assert_false(exists(volume, u"d\\g"));
	assert_true(exists(volume, u"d\\h"));

	target = must_open(volume, u"t", FILE_CREATE, 0);
	assert_int_equal(rename_to(a, u"t", 0, false), STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(rename_to(a, u"t", FILE_RENAME_REPLACE_IF_EXISTS, false), STATUS_ACCESS_DENIED);
	assert_int_equal(
		rename_to(a, u"t", FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_POSIX_SEMANTICS, false),
		STATUS_SUCCESS);
	assert_true(exists(volume, u"t"));
	assert_false(exists(volume, u"d\\h"));
	must_close(target);
	must_close(a);
	must_close(b);
	must_close(dir);
	mem_volume_dereference(volume);
}

/* A second name is the same file, and the file lives as long as one of its names. */
static void test_hard_link(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *a = must_open(volume, u"f", FILE_CREATE, 0), *b;

	(void)state;
	assert_int_equal(rename_to(a, u"g", 0, true), STATUS_SUCCESS);
	assert_int_equal(rename_to(a, u"g", 0, true), STATUS_OBJECT_NAME_COLLISION);
	b = must_open(volume, u"g", FILE_OPEN, 0);
	assert_ptr_equal(a->node, b->node);
	assert_int_equal(a->node->links, 2);
	assert_int_equal(dispose(a, FILE_DISPOSITION_DELETE | FILE_DISPOSITION_POSIX_SEMANTICS),
			 STATUS_SUCCESS);
	assert_false(exists(volume, u"f"));
	assert_true(exists(volume, u"g"));
	must_close(a);
	/* what is deleted is a name: with its last handle it goes, and the file can be opened by the other one */
	assert_int_equal(rename_to(b, u"f", 0, true), STATUS_SUCCESS);
	assert_int_equal(dispose(b, FILE_DISPOSITION_DELETE), STATUS_SUCCESS);
	must_close(b);
	assert_false(exists(volume, u"g"));
	must_close(must_open(volume, u"f", FILE_OPEN, 0));
	assert_true(exists(volume, u"f"));
	mem_volume_dereference(volume);
}

/* A deletion is of one name: others of the file can be opened meanwhile, and stay, whichever handle is closed last. */
static void test_one_name_of_an_open_file_is_deleted(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	struct mem_handle *a = must_open(volume, u"f", FILE_CREATE, 0), *b;

	(void)state;
	assert_int_equal(rename_to(a, u"g", 0, true), STATUS_SUCCESS);
	b = must_open(volume, u"g", FILE_OPEN, 0);
	assert_int_equal(dispose(b, FILE_DISPOSITION_DELETE), STATUS_SUCCESS);
	assert_true(is_deleted(b));
	assert_false(is_deleted(a));
	must_close(must_open(volume, u"f", FILE_OPEN, 0));
	assert_int_equal(rename_to(a, u"h", 0, false), STATUS_SUCCESS);
	must_close(b);
	assert_false(exists(volume, u"g"));
	assert_int_equal(a->node->links, 1);
	must_close(a);
	assert_true(exists(volume, u"h"));

	/* two handles by the name: the last one of them takes it along */
	a = must_open(volume, u"h", FILE_OPEN, 0);
	b = must_open(volume, u"h", FILE_OPEN, 0);
	assert_int_equal(rename_to(a, u"i", 0, true), STATUS_SUCCESS);
	assert_int_equal(dispose(a, FILE_DISPOSITION_DELETE), STATUS_SUCCESS);
	must_close(a);
	assert_true(is_deleted(b));
	assert_int_equal(b->node->links, 2);
	must_close(b);
	assert_false(exists(volume, u"h"));
	assert_true(exists(volume, u"i"));
	mem_volume_dereference(volume);
}

/* An entry that stays is listed exactly once while others come and go in between. */
static void test_enumeration_is_stable(void **state)
{
	struct mem_volume *volume = new_volume(1 << 20);
	uint8_t seen[500] = {0};
	uint64_t cookie = 0;
	WCHAR name[] = u"s000";
	struct mem_entry *entry;
	ULONG i, listed = 0;

	(void)state;
	for (i = 0; i < 500; i++) {
		name[0] = i % 2 ? 'x' : 's';
		name[1] = (WCHAR)('0' + i / 100), name[2] = (WCHAR)('0' + i / 10 % 10),
		name[3] = (WCHAR)('0' + i % 10);
		must_close(must_open(volume, name, FILE_CREATE, 0));
	}
	while ((entry = mem_dir_next_locked(volume->root, cookie)) != NULL) {
		ULONG n = (ULONG)((entry->name.Buffer[1] - '0') * 100 + (entry->name.Buffer[2] - '0') * 10 +
				  (entry->name.Buffer[3] - '0'));

		cookie = entry->cookie + 1;
		if (entry->name.Buffer[0] == 's')
			seen[n]++;
		if (listed++ % 3 == 0) { /* one goes and one comes */
			struct mem_handle *gone;

			name[0] = 'x';
			n = (listed * 7 % 250) * 2 + 1;
			name[1] = (WCHAR)('0' + n / 100), name[2] = (WCHAR)('0' + n / 10 % 10),
			name[3] = (WCHAR)('0' + n % 10);
			if (open_as(volume, name, FILE_OPEN, FILE_DELETE_ON_CLOSE, FILE_ALL_ACCESS, ALL_SHARE,
				    &gone) == STATUS_SUCCESS)
				must_close(gone);
			else if (listed < 2000)
				must_close(must_open(volume, name, FILE_CREATE, 0));
		}
	}
	for (i = 0; i < 500; i += 2)
		assert_int_equal(seen[i], 1);
	mem_volume_dereference(volume);
}

/* Whichever allocation fails, the answer is honest and nothing is left behind. */
static void test_each_allocation_failure(void **state)
{
	long n;

	(void)state;
	for (n = 0;; n++) {
		struct mem_volume *volume = new_volume(1 << 20);
		struct mem_handle *handle;
		struct mem_wakeups wake;
		ULONG done = 0;
		NTSTATUS status;
		bool fired;

		mem_wakeups_init(&wake);
		nt_fault_arm(n);
		status = open_as(volume, u"f", FILE_CREATE, 0, FILE_ALL_ACCESS, ALL_SHARE, &handle);
		if (NT_SUCCESS(status)) {
			status = mem_fs_write(handle, 1 << 19, "x", 1, 0, &done, &wake);
			must_close(handle);
		}
		fired = nt_fault_disarm();
		assert_int_equal(status, fired ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
		mem_volume_dereference(volume);
		if (!fired)
			break;
	}
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dispositions, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_share_access, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_delete_of_an_open_file, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_rename, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_hard_link, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_one_name_of_an_open_file_is_deleted, start_runtime,
						stop_runtime),
		cmocka_unit_test_setup_teardown(test_enumeration_is_stable, start_runtime, stop_runtime),
		cmocka_unit_test_setup_teardown(test_each_allocation_failure, start_runtime, stop_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
