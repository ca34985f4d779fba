/*
 * test_fuse_nodes.c - the node table without a kernel: identity, names, paths, forgetting.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/fuse/fuse_int.h"

static struct rdr_fuse fuse;

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static int enter(void **state)
{
	(void)state;
	memset(&fuse, 0, sizeof(fuse));
	KeInitializeSpinLock(&fuse.notify.lock);
	KeInitializeSpinLock(&fuse.notify_names.lock);
	fuse.notify.stopping = fuse.notify_names.stopping = true; /* nobody sends */
	ExInitializeFastMutex(&fuse.watches.mutex);
	return NT_SUCCESS(front_nodes_init(&fuse)) ? 0 : -1;
}

static int leave(void **state)
{
	(void)state;
	front_nodes_free(&fuse);
	door_name_free(&fuse.root_path);
	return 0;
}

static struct front_node *look(struct front_node *parent, const char *name, uint64_t id, ULONG attributes)
{
	FILE_STAT_INFORMATION stat = {.FileId.QuadPart = (LONGLONG)id, .FileAttributes = attributes};
	struct front_node *node = NULL;
	UNICODE_STRING wide;

	assert_true(NT_SUCCESS(door_component_from_posix(name, strlen(name), &wide)));
	assert_true(NT_SUCCESS(front_node_obtain(&fuse, parent, &wide, &stat, &node)));
	door_name_free(&wide);
	return node;
}

static struct front_node *look_file(struct front_node *parent, const char *name, uint64_t id)
{
	return look(parent, name, id, FILE_ATTRIBUTE_NORMAL);
}

static struct front_node *look_dir(struct front_node *parent, const char *name, uint64_t id)
{
	return look(parent, name, id, FILE_ATTRIBUTE_DIRECTORY);
}

static void expect_path(struct front_node *node, const char *name, const char *want)
{
	UNICODE_STRING path;
	char bytes[512];
	size_t i;

	assert_true(NT_SUCCESS(front_node_path(&fuse, node, name, &path)));
	assert_true(path.Length / 2 < sizeof(bytes));
	for (i = 0; i < path.Length / 2u; i++)
		bytes[i] = (char)path.Buffer[i];
	bytes[i] = '\0';
	door_name_free(&path);
	assert_string_equal(bytes, want);
}

/* One server file is one node, by whatever name it is found. */
static void test_one_file_one_node(void **state)
{
	struct front_node *a = look_file(fuse.root, "a", 7), *b = look_file(fuse.root, "b", 7);

	(void)state;
	assert_ptr_equal(a, b);
	assert_int_equal(a->nlookup, 2);
	assert_int_equal(front_node_count(&fuse), 2);
	front_node_forget(&fuse, a, 2);
	assert_int_equal(front_node_count(&fuse), 1);
}

/* A name that now leads to another file belongs to that file alone. */
static void test_a_name_moves_to_another_file(void **state)
{
	struct front_node *old = look_file(fuse.root, "n", 1), *new = look_file(fuse.root, "n", 2);
	UNICODE_STRING path;

	(void)state;
	assert_ptr_not_equal(old, new);
	expect_path(new, NULL, "n");
	assert_int_equal(front_node_path(&fuse, old, NULL, &path), STATUS_OBJECT_NAME_NOT_FOUND);
	front_node_forget(&fuse, old, 1);
	front_node_forget(&fuse, new, 1);
}

static void made(struct front_node *parent, const char *name, uint64_t id, ULONG attributes)
{
	FILE_STAT_INFORMATION stat = {.FileId.QuadPart = (LONGLONG)id, .FileAttributes = attributes};
	UNICODE_STRING wide;

	assert_true(NT_SUCCESS(door_component_from_posix(name, strlen(name), &wide)));
	front_node_is_made(&fuse, parent, &wide, &stat);
	door_name_free(&wide);
}

/* A server gives a number away again before it has told that the removal succeeded: what it makes is another folder. */
static void test_what_was_made_is_no_older_file(void **state)
{
	struct front_node *a = look_dir(fuse.root, "a", 1), *b = look_dir(fuse.root, "b", 2), *old, *new,
			  *again;

	(void)state;
	old = look_dir(a, "old", 7);
	made(b, "new", 7, FILE_ATTRIBUTE_DIRECTORY);
	new = look_dir(b, "new", 7);
	assert_ptr_not_equal(new, old);
	expect_path(old, NULL, "a\\old");
	front_name_removed(&fuse, a, "old");
	expect_path(new, NULL, "b\\new");

	/* somebody may have looked it up before its maker heard of it */
	made(b, "new", 7, FILE_ATTRIBUTE_DIRECTORY);
	again = look_dir(b, "new", 7);
	assert_ptr_equal(again, new);
	front_node_forget(&fuse, old, 1);
	front_node_forget(&fuse, new, 2);
	front_node_forget(&fuse, a, 1);
	front_node_forget(&fuse, b, 1);
	assert_int_equal(front_node_count(&fuse), 1);
}

/* Paths are built from the names, below the mount's own root. */
static void test_paths(void **state)
{
	struct front_node *d, *e, *f;

	(void)state;
	expect_path(fuse.root, NULL, "");
	expect_path(fuse.root, "x", "x");
	d = look_dir(fuse.root, "d", 10);
	e = look_dir(d, "e", 11);
	f = look_file(e, "f", 12);
	expect_path(f, NULL, "d\\e\\f");
	expect_path(e, "new", "d\\e\\new");
	assert_true(NT_SUCCESS(door_name_from_posix("sub/dir", &fuse.root_path)));
	expect_path(fuse.root, NULL, "sub\\dir");
	expect_path(fuse.root, "x", "sub\\dir\\x");
	expect_path(f, NULL, "sub\\dir\\d\\e\\f");
	front_node_forget(&fuse, f, 1);
	front_node_forget(&fuse, e, 1);
	front_node_forget(&fuse, d, 1);
}

/* A child keeps its parent although the kernel forgot it; the last child lets it go. */
static void test_children_hold_their_parent(void **state)
{
	struct front_node *d = look_dir(fuse.root, "d", 10), *f = look_file(d, "f", 12);

	(void)state;
	front_node_forget(&fuse, d, 1);
	assert_int_equal(front_node_count(&fuse), 3);
	expect_path(f, NULL, "d\\f");
	front_node_forget(&fuse, f, 1);
	assert_int_equal(front_node_count(&fuse), 1);
}

/* A renamed directory renames what is below it. */
static void test_rename_moves_the_subtree(void **state)
{
	struct front_node *a = look_dir(fuse.root, "a", 1), *b = look_dir(fuse.root, "b", 2);
	struct front_node *d = look_dir(a, "d", 3), *f = look_file(d, "f", 4);

	(void)state;
	front_name_moved(&fuse, a, "d", b, "moved");
	expect_path(f, NULL, "b\\moved\\f");
	expect_path(d, NULL, "b\\moved");
	/* The same file is found again by its new name. */
	assert_ptr_equal(look_dir(b, "moved", 3), d);
	front_node_forget(&fuse, d, 2);
	front_node_forget(&fuse, f, 1);
	front_node_forget(&fuse, a, 1);
	front_node_forget(&fuse, b, 1);
	assert_int_equal(front_node_count(&fuse), 1);
}

/* Renaming over a name takes it from the file that had it. */
static void test_rename_over_a_name(void **state)
{
	struct front_node *a = look_file(fuse.root, "a", 1), *b = look_file(fuse.root, "b", 2);
	UNICODE_STRING path;

	(void)state;
	front_name_moved(&fuse, fuse.root, "a", fuse.root, "b");
	expect_path(a, NULL, "b");
	assert_int_equal(front_node_path(&fuse, b, NULL, &path), STATUS_OBJECT_NAME_NOT_FOUND);
	front_node_forget(&fuse, a, 1);
	front_node_forget(&fuse, b, 1);
}

/* A deleted file's number may come back for another file while the old one lives on. */
static void test_a_reused_number_is_another_node(void **state)
{
	struct front_node *old = look_file(fuse.root, "f", 5), *new;

	(void)state;
	front_name_removed(&fuse, fuse.root, "f");
	new = look_file(fuse.root, "g", 5);
	assert_ptr_not_equal(old, new);
	front_node_forget(&fuse, old, 1);
	front_node_forget(&fuse, new, 1);
	/* Nor is a directory the file it replaced under the same number. */
	old = look_file(fuse.root, "f", 6);
	new = look_dir(fuse.root, "f", 6);
	assert_ptr_not_equal(old, new);
	front_node_forget(&fuse, old, 1);
	front_node_forget(&fuse, new, 1);
}

/* Where the server gives no numbers, the name is the identity. */
static void test_without_numbers_names_identify(void **state)
{
	struct front_node *a = look_file(fuse.root, "a", 0), *b = look_file(fuse.root, "b", 0);

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(look_file(fuse.root, "a", 0), a);
	front_node_forget(&fuse, a, 2);
	front_node_forget(&fuse, b, 1);
}

/* Deleting by one spelling drops the other spellings of the same file. */
static void test_spellings_go_together(void **state)
{
	struct front_node *a = look_file(fuse.root, "File", 9);
	UNICODE_STRING path;

	(void)state;
	assert_ptr_equal(look_file(fuse.root, "file", 9), a);
	front_name_removed(&fuse, fuse.root, "FILE");
	expect_path(a, NULL, "file"); /* never looked up by that spelling: nothing known to drop */
	front_name_removed(&fuse, fuse.root, "File");
	assert_int_equal(front_node_path(&fuse, a, NULL, &path), STATUS_OBJECT_NAME_NOT_FOUND);
	front_node_forget(&fuse, a, 2);
}

/* A pinned node outlives the kernel's interest. */
static void test_pins(void **state)
{
	struct front_node *a = look_file(fuse.root, "a", 1);

	(void)state;
	front_node_pin(&fuse, a);
	front_node_forget(&fuse, a, 1);
	assert_int_equal(front_node_count(&fuse), 2);
	front_node_unpin(&fuse, a);
	assert_int_equal(front_node_count(&fuse), 1);
}

/* The tables grow, and everything is still found afterwards. */
static void test_many_nodes(void **state)
{
	enum { COUNT = 5000 };
	static struct front_node *nodes[COUNT];
	char name[16];
	uint64_t i;

	(void)state;
	for (i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "n%u", (unsigned int)i);
		nodes[i] = look_file(fuse.root, name, i + 1);
	}
	assert_int_equal(front_node_count(&fuse), COUNT + 1);
	for (i = 0; i < COUNT; i++) {
		struct front_node *found;

		snprintf(name, sizeof(name), "n%u", (unsigned int)i);
		found = front_node_find(&fuse, fuse.root, name);
		assert_ptr_equal(found, nodes[i]);
		front_node_unpin(&fuse, found);
		assert_ptr_equal(look_file(fuse.root, name, i + 1), nodes[i]);
		front_node_forget(&fuse, nodes[i], 2);
	}
	assert_int_equal(front_node_count(&fuse), 1);
}

/* Times survive the way there and back to 100 ns; what a server cannot hold is clamped. */
static void test_times(void **state)
{
	struct timespec ts = {.tv_sec = 1234567890, .tv_nsec = 123456700}, far = {.tv_sec = INT64_MAX};
	FILE_STAT_INFORMATION info = {.FileAttributes = FILE_ATTRIBUTE_NORMAL};
	struct stat st;

	(void)state;
	info.LastWriteTime.QuadPart = front_time_to_nt(&ts);
	front_fill_stat(&fuse, fuse.root, &info, &st);
	assert_int_equal(st.st_mtim.tv_sec, ts.tv_sec);
	assert_int_equal(st.st_mtim.tv_nsec, ts.tv_nsec);
	assert_true(front_time_to_nt(&far) == INT64_MAX);
	far.tv_sec = INT64_MIN;
	assert_int_equal(front_time_to_nt(&far), 1);
}

/* The read-only attribute takes the write bits of files, not of directories. */
static void test_modes(void **state)
{
	FILE_STAT_INFORMATION info = {.FileAttributes = FILE_ATTRIBUTE_READONLY};
	struct stat st;

	(void)state;
	fuse.options.file_mode = 0755;
	fuse.options.dir_mode = 0750;
	front_fill_stat(&fuse, fuse.root, &info, &st);
	assert_int_equal(st.st_mode, S_IFREG | 0555);
	info.FileAttributes = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_DIRECTORY;
	front_fill_stat(&fuse, fuse.root, &info, &st);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	info.FileAttributes = FILE_ATTRIBUTE_REPARSE_POINT;
	info.ReparseTag = IO_REPARSE_TAG_SYMLINK;
	front_fill_stat(&fuse, fuse.root, &info, &st);
	assert_true(S_ISLNK(st.st_mode));
}

/*
 * A node knows what the kernel was told of it, whole; an entry of a listing, which is shown beside the folder's node,
 * is not told of the folder.
 */
static void test_what_the_kernel_was_told(void **state)
{
	FILE_STAT_INFORMATION info = {.FileAttributes = FILE_ATTRIBUTE_NORMAL,
				      .EndOfFile.QuadPart = 5ll << 32,
				      .LastWriteTime.QuadPart = 77};
	struct front_node *dir = look_dir(fuse.root, "d", 2), *file = look_file(dir, "f", 3);
	struct fuse_entry_param e;
	struct stat st;

	(void)state;
	front_fill_stat(&fuse, dir, &info, &st);
	assert_int_equal(st.st_size, 5ll << 32);
	assert_int_equal(dir->told_size, 0);
	assert_int_equal(dir->told_time, 0);
	front_fill_entry(&fuse, dir, file, &info, &e);
	assert_int_equal(file->told_size, 5ll << 32);
	assert_int_equal(file->told_time, 77);
	info.EndOfFile.QuadPart = 6;
	front_node_is_told(file, &info);
	assert_int_equal(file->told_size, 6);
}

#define T(f) cmocka_unit_test_setup_teardown(f, enter, leave)

/* What the front end would tell the kernel is taken from its queue: which names, which numbers. */
static unsigned int told(void)
{
	return fuse.notify_names.queued;
}

/* Spellings are found together, the server's among them that nobody looked up; a name of another folder is not. */
static void test_news_of_a_name_reach_all_its_spellings(void **state)
{
	struct front_node *dir = look_dir(fuse.root, "d", 2), *other = look_dir(fuse.root, "o", 3);
	struct front_node *file = look_file(dir, "Name", 4);
	UNICODE_STRING wide;
	unsigned int before;

	(void)state;
	assert_ptr_equal(look_file(dir, "NAME", 4), file);
	look_file(other, "name", 5);
	fuse.notify_names.stopping = false; /* they queue now */
	InitializeListHead(&fuse.notify_names.queue);
	KeInitializeEvent(&fuse.notify_names.wake, SynchronizationEvent, FALSE);
	atomic_store(&fuse.can_expire, true);
	assert_true(NT_SUCCESS(door_component_from_posix("name", 4, &wide)));
	before = told();
	front_name_changed(&fuse, dir, &wide, true);
	assert_int_equal(told() - before, 4); /* two names, and the file's attributes for each */
	before = told();
	front_name_changed(&fuse, dir, &wide, false);
	assert_int_equal(told() - before, 2);
	before = told();
	front_name_changed(&fuse, other, NULL, true);
	assert_int_equal(told() - before, 2);
	/* a kernel that only knows how to forget: not for a folder, in which somebody may stand */
	atomic_store(&fuse.can_expire, false);
	before = told();
	front_name_changed(&fuse, fuse.root, NULL, true);
	assert_int_equal(told() - before, 2); /* attributes of both */
	before = told();
	front_name_changed(&fuse, dir, &wide, true);
	assert_int_equal(told() - before, 4);
	door_name_free(&wide);
	while (!IsListEmpty(&fuse.notify_names.queue)) /* a notice begins with its link */
		ExFreePoolWithTag(RemoveHeadList(&fuse.notify_names.queue), FUSE_TAG_NOTIFY);
}

/* A second spelling of a name is noticed, a second name is not one. */
static void test_spellings_are_told_from_names(void **state)
{
	struct front_node *dir = look_dir(fuse.root, "d", 2);
	struct front_node *file = look_file(dir, "one", 4);

	(void)state;
	assert_false(front_node_has_spellings(&fuse, file, dir));
	look_file(dir, "two", 4);
	look_file(fuse.root, "ONE", 4);
	assert_false(front_node_has_spellings(&fuse, file, dir));
	look_file(dir, "One", 4);
	assert_true(front_node_has_spellings(&fuse, file, dir));
	assert_false(front_node_has_spellings(&fuse, file, fuse.root));
}

/* Below is what a chain of names leads to, itself included. */
static void test_what_is_below_a_folder(void **state)
{
	struct front_node *a = look_dir(fuse.root, "a", 2), *b = look_dir(a, "b", 3),
			  *c = look_dir(b, "c", 4);
	struct front_node *other = look_dir(fuse.root, "other", 5);

	(void)state;
	assert_true(front_node_is_below(&fuse, c, a));
	assert_true(front_node_is_below(&fuse, a, a));
	assert_true(front_node_is_below(&fuse, c, fuse.root));
	assert_false(front_node_is_below(&fuse, a, c));
	assert_false(front_node_is_below(&fuse, other, a));
	front_name_removed(&fuse, a, "b");
	assert_false(front_node_is_below(&fuse, c, a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_file_one_node),
		T(test_a_name_moves_to_another_file),
		T(test_what_was_made_is_no_older_file),
		T(test_paths),
		T(test_children_hold_their_parent),
		T(test_rename_moves_the_subtree),
		T(test_rename_over_a_name),
		T(test_a_reused_number_is_another_node),
		T(test_without_numbers_names_identify),
		T(test_spellings_go_together),
		T(test_pins),
		T(test_news_of_a_name_reach_all_its_spellings),
		T(test_spellings_are_told_from_names),
		T(test_what_is_below_a_folder),
		T(test_many_nodes),
		T(test_times),
		T(test_modes),
		T(test_what_the_kernel_was_told),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
