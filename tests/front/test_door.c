/*
 * test_door.c - the door itself, on the memory driver: query with the open, cancellation, deletion, records.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/door/door.h"
#include "rxctl.h"

static struct door *door;
static struct door_volume *volume;

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define SECONDS (10ll * 1000 * 1000) /* in 100 ns */

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7};
	struct door_connect connect = {.server = "mem", .share = "door"};

	(void)state;
	if (!NT_SUCCESS(nt_initialize(&config)) || !NT_SUCCESS(door_start(door_builtin_driver("mem"), &door)))
		return -1;
	return NT_SUCCESS(door_volume_connect(door, NULL, &connect, &volume)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	door_volume_disconnect(volume);
	if (!NT_SUCCESS(door_stop(door)))
		return -1;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static NTSTATUS open_as(const char *path, ACCESS_MASK access, ULONG disposition, ULONG query,
			const struct door_caller *caller, struct door_opened *opened)
{
	struct door_open open = {.access = access | SYNCHRONIZE | FILE_READ_ATTRIBUTES,
				 .attributes = FILE_ATTRIBUTE_NORMAL,
				 .share = SHARE_ALL,
				 .disposition = disposition,
				 .query = query};
	NTSTATUS status = door_name_from_posix(path, &open.path);

	assert_int_equal(status, STATUS_SUCCESS);
	status = door_open(volume, caller, &open, opened);
	door_name_free(&open.path);
	return status;
}

static struct door_file *make(const char *path, const char *data)
{
	struct door_opened opened;
	ULONG n = 0;

	assert_int_equal(open_as(path, FILE_READ_DATA | FILE_WRITE_DATA, FILE_OVERWRITE_IF, DOOR_QUERY_STAT,
				 NULL, &opened),
			 STATUS_SUCCESS);
	assert_int_equal(door_write(opened.file, NULL, data, (ULONG)strlen(data), 0, &n), STATUS_SUCCESS);
	assert_int_equal(n, strlen(data));
	return opened.file;
}

static void remove_path(const char *path)
{
	UNICODE_STRING name;

	assert_int_equal(door_name_from_posix(path, &name), STATUS_SUCCESS);
	assert_int_equal(door_remove(volume, NULL, &name, FALSE, 0), STATUS_SUCCESS);
	door_name_free(&name);
}

/* The stat comes with the open, and a query that closes leaves no handle. */
static void test_query_on_create(void **state)
{
	struct door_file *file = make("stat", "12345");
	FILE_STAT_INFORMATION stat;
	struct door_opened opened;

	(void)state;
	assert_int_equal(door_query_stat(file, NULL, &stat), STATUS_SUCCESS);
	assert_int_equal(stat.EndOfFile.QuadPart, 5);
	assert_int_equal(open_as("stat", 0, FILE_OPEN, DOOR_QUERY_STAT, NULL, &opened), STATUS_SUCCESS);
	assert_int_equal(opened.supplied & DOOR_QUERY_STAT, DOOR_QUERY_STAT);
	assert_int_equal(opened.action, FILE_OPENED);
	assert_true(opened.stat.FileId.QuadPart == stat.FileId.QuadPart);
	assert_int_equal(door_close(opened.file, NULL), STATUS_SUCCESS);
	assert_int_equal(open_as("stat", 0, FILE_OPEN, DOOR_QUERY_STAT | DOOR_QUERY_CLOSE, NULL, &opened),
			 STATUS_SUCCESS);
	assert_null(opened.file);
	assert_int_equal(opened.stat.EndOfFile.QuadPart, 5);
	assert_int_equal(open_as("none", 0, FILE_OPEN, DOOR_QUERY_STAT | DOOR_QUERY_CLOSE, NULL, &opened),
			 STATUS_OBJECT_NAME_NOT_FOUND);
	assert_null(opened.file);
	assert_int_equal(door_close(file, NULL), STATUS_SUCCESS);
	remove_path("stat");
}

/* A change that travels with an open is made, and its outcome told, also by a driver that knows nothing of it. */
static void test_set_on_create(void **state)
{
	FILE_END_OF_FILE_INFORMATION eof = {.EndOfFile.QuadPart = 3};
	struct door_open open = {.access = FILE_WRITE_DATA | SYNCHRONIZE,
				 .share = SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .query = DOOR_SET | DOOR_QUERY_STAT | DOOR_QUERY_CLOSE,
				 .change = {{FileEndOfFileInformation, &eof, sizeof(eof)}},
				 .changes = 1};
	struct door_opened opened;
	struct door_file *file = make("set", "12345");
	FILE_STAT_INFORMATION stat;

	(void)state;
	assert_int_equal(door_name_from_posix("set", &open.path), STATUS_SUCCESS);
	assert_int_equal(door_open(volume, NULL, &open, &opened), STATUS_SUCCESS);
	assert_int_equal(opened.supplied & DOOR_SET, DOOR_SET);
	assert_int_equal(opened.set_status, STATUS_SUCCESS);
	assert_int_equal(opened.supplied & DOOR_QUERY_STAT, DOOR_QUERY_STAT);
	assert_int_equal(opened.stat.EndOfFile.QuadPart, 3); /* as it is after the change */
	assert_null(opened.file);
	assert_int_equal(door_query_stat(file, NULL, &stat), STATUS_SUCCESS);
	assert_int_equal(stat.EndOfFile.QuadPart, 3);
	/* The open succeeds and the change does not: its own status says so. */
	open.change[0].length = 1;
	assert_int_equal(door_open(volume, NULL, &open, &opened), STATUS_SUCCESS);
	assert_true(NT_ERROR(opened.set_status));
	/* Of several each is tried, and the first that failed is what is told. */
	eof.EndOfFile.QuadPart = 2;
	open.change[1] = (struct door_change){FileEndOfFileInformation, &eof, sizeof(eof)};
	open.changes = 2;
	assert_int_equal(door_open(volume, NULL, &open, &opened), STATUS_SUCCESS);
	assert_true(NT_ERROR(opened.set_status));
	assert_int_equal(opened.stat.EndOfFile.QuadPart, 2);
	door_name_free(&open.path);
	assert_int_equal(door_close(file, NULL), STATUS_SUCCESS);
	remove_path("set");
}

/* A caller who gave up before asking gets STATUS_CANCELLED and leaves nothing open. */
static void test_cancelled_before_the_start(void **state)
{
	struct door_cancel cancel;
	struct door_caller caller = {.cancel = &cancel};
	struct door_file *file = make("early", "x");
	struct door_opened opened;
	ULONG n = 99;
	char byte;

	(void)state;
	door_cancel_init(&cancel);
	assert_false(door_cancel_fired(&cancel));
	door_cancel_fire(&cancel);
	assert_true(door_cancel_fired(&cancel));
	assert_int_equal(open_as("early", FILE_READ_DATA, FILE_OPEN, 0, &caller, &opened), STATUS_CANCELLED);
	assert_null(opened.file);
	assert_int_equal(door_read(file, &caller, &byte, 1, 0, &n), STATUS_CANCELLED);
	assert_int_equal(n, 0);
	/* A close is never cancelled. */
	assert_int_equal(door_close(file, &caller), STATUS_SUCCESS);
	remove_path("early");
}

struct waiting_lock {
	struct door_file *file;
	struct door_caller caller;
	struct door_cancel cancel;
	NTSTATUS status;
	KEVENT done;
};

static void wait_for_lock(void *context)
{
	struct waiting_lock *w = context;
	struct door_lock lock = {.offset = 0, .length = 10, .exclusive = TRUE};

	w->status = door_lock_range(w->file, &w->caller, &lock);
	KeSetEvent(&w->done, IO_NO_INCREMENT, FALSE);
}

/* A lock that waits for another handle ends when it is cancelled, and only then. */
static void test_cancel_a_waiting_lock(void **state)
{
	struct door_lock lock = {.offset = 0, .length = 10, .exclusive = TRUE, .fail_immediately = TRUE};
	struct door_file *holder = make("lock", "0123456789");
	LARGE_INTEGER soon = {.QuadPart = -SECONDS / 5}, long_enough = {.QuadPart = -30 * SECONDS};
	struct waiting_lock w;
	struct nt_thread *thread;
	struct door_opened opened;

	(void)state;
	/* with another access than the first: handles that share an open at the server cannot wait for each other */
	assert_int_equal(
		open_as("lock", FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_EA, FILE_OPEN, 0, NULL, &opened),
		STATUS_SUCCESS);
	assert_int_equal(door_lock_range(holder, NULL, &lock), STATUS_SUCCESS);
	assert_int_equal(door_lock_range(opened.file, NULL, &lock), STATUS_LOCK_NOT_GRANTED);
	memset(&w, 0, sizeof(w));
	w.file = opened.file;
	door_cancel_init(&w.cancel);
	w.caller.cancel = &w.cancel;
	KeInitializeEvent(&w.done, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("waiter", wait_for_lock, &w, &thread), STATUS_SUCCESS);
	assert_int_equal(KeWaitForSingleObject(&w.done, Executive, KernelMode, FALSE, &soon), STATUS_TIMEOUT);
	door_cancel_fire(&w.cancel);
	assert_int_equal(KeWaitForSingleObject(&w.done, Executive, KernelMode, FALSE, &long_enough),
			 STATUS_SUCCESS);
	assert_int_equal(w.status, STATUS_CANCELLED);
	nt_thread_join(thread);
	assert_int_equal(door_unlock_range(holder, NULL, &lock), STATUS_SUCCESS);
	assert_int_equal(door_lock_range(opened.file, NULL, &lock), STATUS_SUCCESS);
	assert_int_equal(door_close(opened.file, NULL), STATUS_SUCCESS);
	assert_int_equal(door_close(holder, NULL), STATUS_SUCCESS);
	remove_path("lock");
}

struct transfer {
	KEVENT done;
	NTSTATUS status;
	ULONG_PTR information;
	volatile LONG calls;
};

static void transferred(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct transfer *t = context;

	t->status = status;
	t->information = information;
	InterlockedIncrement(&t->calls);
	KeSetEvent(&t->done, IO_NO_INCREMENT, FALSE);
}

/* A handle may be closed while its transfers are in flight: they end, then IRP_MJ_CLOSE goes out. */
static void test_close_with_transfers_in_flight(void **state)
{
	enum { COUNT = 64 };
	static struct transfer t[COUNT];
	static char data[COUNT][4096];
	struct door_file *file = make("flight", "");
	int i;

	(void)state;
	for (i = 0; i < COUNT; i++) {
		memset(&t[i], 0, sizeof(t[i]));
		KeInitializeEvent(&t[i].done, NotificationEvent, FALSE);
		door_write_async(file, NULL, data[i], sizeof(data[i]), (uint64_t)i * sizeof(data[i]),
				 transferred, &t[i]);
	}
	(void)door_close(file, NULL); /* writes that come after the cleanup may fail */
	for (i = 0; i < COUNT; i++) {
		LARGE_INTEGER limit = {.QuadPart = -30 * SECONDS};

		assert_int_equal(KeWaitForSingleObject(&t[i].done, Executive, KernelMode, FALSE, &limit),
				 STATUS_SUCCESS);
		assert_int_equal(t[i].calls, 1);
		assert_true(!NT_SUCCESS(t[i].status) || t[i].information == sizeof(data[i]));
	}
	remove_path("flight");
}

/* Transfers that no request can carry are refused through the same callback. */
static void test_impossible_transfers(void **state)
{
	struct door_file *file = make("limits", "x");
	struct transfer t = {.calls = 0};
	ULONG n;
	char byte;

	(void)state;
	KeInitializeEvent(&t.done, NotificationEvent, FALSE);
	door_read_async(file, NULL, &byte, DOOR_IO_MAX + 1, 0, transferred, &t);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.status, STATUS_INVALID_PARAMETER);
	assert_int_equal(door_read(file, NULL, &byte, 1, INT64_MAX, &n), STATUS_INVALID_PARAMETER);
	assert_int_equal(door_set_end_of_file(file, NULL, (uint64_t)INT64_MAX + 1), STATUS_INVALID_PARAMETER);
	assert_int_equal(door_close(file, NULL), STATUS_SUCCESS);
	remove_path("limits");
}

/* Components convert both ways; what is no component is refused. */
static void test_names(void **state)
{
	UNICODE_STRING name, joined, leaf;
	char bytes[300];
	size_t n;

	(void)state;
	assert_int_equal(door_name_from_posix("//a///b/", &name), STATUS_SUCCESS);
	assert_int_equal(name.Length, 3 * sizeof(WCHAR));
	assert_int_equal(name.Buffer[1], '\\');
	assert_int_equal(door_component_from_posix("c", 1, &leaf), STATUS_SUCCESS);
	assert_int_equal(door_name_join(&name, &leaf, &joined), STATUS_SUCCESS);
	assert_int_equal(joined.Length, 5 * sizeof(WCHAR));
	door_name_free(&joined);
	door_name_free(&leaf);
	door_name_free(&name);
	assert_int_equal(door_name_from_posix("", &name), STATUS_SUCCESS);
	assert_int_equal(name.Length, 0);
	door_name_free(&name);
	assert_int_equal(door_name_from_posix("a/../b", &name), STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(door_component_from_posix(".", 1, &name), STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(door_component_from_posix("", 0, &name), STATUS_OBJECT_NAME_INVALID);
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(door_component_from_posix(bytes, 256, &name), STATUS_NAME_TOO_LONG);
	assert_int_equal(door_component_from_posix("a:b.", 4, &name), STATUS_SUCCESS);
	assert_int_equal(door_component_to_posix(&name, bytes, sizeof(bytes), &n), STATUS_SUCCESS);
	assert_string_equal(bytes, "a:b.");
	assert_int_equal(n, 4);
	assert_int_not_equal(door_component_to_posix(&name, bytes, 3, &n), STATUS_SUCCESS);
	assert_false(door_name_is_hidden(&name));
	door_name_free(&name);
	assert_int_equal(door_component_from_posix(DOOR_HIDDEN_PREFIX "1", sizeof(DOOR_HIDDEN_PREFIX), &name),
			 STATUS_SUCCESS);
	assert_true(door_name_is_hidden(&name));
	door_name_free(&name);
}

/* Names of servers and shares that are none are refused before anything is sent. */
static void test_bad_connects(void **state)
{
	static const struct door_connect bad[] = {
		{.server = "", .share = "s"},      {.server = "mem", .share = ""},
		{.server = "a\\b", .share = "s"},  {.server = "mem", .share = "a/b"},
		{.server = NULL, .share = "s"},    {.server = "mem@1", .share = "s"},
		{.server = "m\xff", .share = "s"},
	};
	struct door_volume *other;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(door_volume_connect(door, NULL, &bad[i], &other), STATUS_BAD_NETWORK_PATH);
		assert_null(other);
	}
	assert_null(door_builtin_driver("gopher"));
}

/* The records name every kind of object, and their counts are those of what is open. */
static void test_records(void **state)
{
	struct door_file *file = make("records", "x");
	static UCHAR buffer[1 << 16];
	unsigned int kinds[7] = {0};
	ULONG length, at = 0;

	(void)state;
	assert_int_equal(door_query_objects(door, buffer, sizeof(buffer), &length), STATUS_SUCCESS);
	while (length - at >= sizeof(struct rx_object_record)) {
		const struct rx_object_record *record = (const void *)(buffer + at);

		assert_true(record->record_bytes >= sizeof(*record) && record->record_bytes <= length - at);
		assert_in_range(record->kind, 1, 6);
		assert_true(record->reference_count > 0);
		kinds[record->kind]++;
		at += record->record_bytes;
	}
	assert_int_equal(at, length);
	assert_int_equal(kinds[RX_OBJECT_SRV_CALL], 1);
	assert_int_equal(kinds[RX_OBJECT_NET_ROOT], 1);
	assert_int_equal(kinds[RX_OBJECT_V_NET_ROOT], 1);
	assert_true(kinds[RX_OBJECT_FCB] >= 1 && kinds[RX_OBJECT_SRV_OPEN] >= 1 &&
		    kinds[RX_OBJECT_FOBX] >= 1);
	assert_int_equal(door_query_objects(door, buffer, at - 8, &length), STATUS_BUFFER_OVERFLOW);
	assert_true(length > 0 && length < at);
	assert_int_equal(door_query_objects(door, buffer, 16, &length), STATUS_BUFFER_TOO_SMALL);
	assert_int_equal(door_close(file, NULL), STATUS_SUCCESS);
	remove_path("records");
}

/* The requester travels with the request and does not stick to the thread. */
static void test_requester_is_restored(void **state)
{
	struct door_caller caller = {.requester = {.pid = 4711, .uid = 1000, .gid = 1000}};
	struct nt_requester me;
	struct door_opened opened;

	(void)state;
	assert_false(nt_get_requester(&me));
	assert_int_equal(open_as("who", FILE_WRITE_DATA, FILE_CREATE, 0, &caller, &opened), STATUS_SUCCESS);
	assert_false(nt_get_requester(&me));
	assert_int_equal(door_close(opened.file, &caller), STATUS_SUCCESS);
	remove_path("who");
}

/* ---- changes in a folder ----------------------------------------------------------------------------- */

struct news {
	KEVENT told;
	NTSTATUS status;
	ULONG_PTR information;
	UCHAR buffer[512] __attribute__((aligned(8)));
};

static void take_news(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct news *news = context;

	news->status = status;
	news->information = information;
	KeSetEvent(&news->told, IO_NO_INCREMENT, FALSE);
}

static void wait_for_news(struct news *news, struct door_file *folder, const struct door_caller *caller)
{
	memset(news, 0, sizeof(*news));
	KeInitializeEvent(&news->told, NotificationEvent, FALSE);
	door_notify_async(folder, caller, news->buffer, sizeof(news->buffer),
			  FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME, take_news, news);
}

static bool is_told(struct news *news)
{
	LARGE_INTEGER limit = {.QuadPart = -300000000ll}; /* 30 s */

	return KeWaitForSingleObject(&news->told, Executive, KernelMode, FALSE, &limit) == STATUS_SUCCESS;
}

static struct door_file *open_folder(const char *path, ULONG disposition)
{
	struct door_open open = {.access = FILE_LIST_DIRECTORY,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = disposition,
				 .options = FILE_DIRECTORY_FILE};
	struct door_opened opened;

	assert_int_equal(door_name_from_posix(path, &open.path), STATUS_SUCCESS);
	assert_int_equal(door_open(volume, NULL, &open, &opened), STATUS_SUCCESS);
	door_name_free(&open.path);
	return opened.file;
}

/* A wait for a change ends with the change and its name, with the handle, or with a cancel; once. */
static void test_news_of_a_folder(void **state)
{
	struct door_file *folder = open_folder("news", FILE_CREATE), *file;
	const FILE_NOTIFY_INFORMATION *info;
	struct door_cancel cancel;
	struct door_caller caller = {.cancel = &cancel};
	struct news news;

	(void)state;
	wait_for_news(&news, folder, NULL);
	assert_int_equal(KeReadStateEvent(&news.told), 0);
	file = make("news/x", "data");
	assert_true(is_told(&news));
	assert_int_equal(news.status, STATUS_SUCCESS);
	info = (const void *)news.buffer;
	assert_int_equal(news.information, FIELD_OFFSET(FILE_NOTIFY_INFORMATION, FileName) + 2);
	assert_int_equal(info->Action, FILE_ACTION_ADDED);
	assert_int_equal(info->FileNameLength, 2);
	assert_int_equal(info->FileName[0], 'x');
	assert_int_equal(door_close(file, NULL), STATUS_SUCCESS);

	door_cancel_init(&cancel);
	wait_for_news(&news, folder, &caller);
	if (KeReadStateEvent(&news.told) == 0)
		door_cancel_fire(&cancel);
	assert_true(is_told(&news));
	assert_true(news.status == STATUS_CANCELLED || news.status == STATUS_NOTIFY_ENUM_DIR);

	wait_for_news(&news, folder, NULL);
	assert_int_equal(door_close(folder, NULL), STATUS_SUCCESS);
	assert_true(is_told(&news));
	assert_int_equal(news.status, STATUS_NOTIFY_CLEANUP);
}

/* ---- who waits for whom ---- */

struct wish {
	KEVENT over;
	NTSTATUS status;
};

static void wish_over(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct wish *wish = context;

	(void)information;
	wish->status = status;
	(void)KeSetEvent(&wish->over, IO_NO_INCREMENT, FALSE);
}

static void wish_for(struct wish *wish, struct door_file *file, uint64_t owner, uint64_t start,
		     enum door_lock_type type, enum door_lock_kind kind)
{
	struct door_range range = {
		.owner = owner, .start = start, .end = start + 10, .type = type, .kind = kind};

	KeInitializeEvent(&wish->over, NotificationEvent, FALSE);
	door_record_lock(file, NULL, &range, true, wish_over, wish);
}

static NTSTATUS wish_end(struct wish *wish)
{
	LARGE_INTEGER limit = {.QuadPart = -20 * SECONDS};

	assert_int_equal(KeWaitForSingleObject(&wish->over, Executive, KernelMode, FALSE, &limit),
			 STATUS_SUCCESS);
	return wish->status;
}

/* It has the lock, or will not have it. */
static NTSTATUS wish_now(struct door_file *file, uint64_t owner, uint64_t start, enum door_lock_type type)
{
	struct wish wish;

	wish_for(&wish, file, owner, start, type, DOOR_LOCK_POSIX);
	return wish_end(&wish);
}

static bool is_waiting(struct wish *wish)
{
	return KeReadStateEvent(&wish->over) == 0;
}

/* Two who wait for each other, in two files: the second is told; when he gives way the first goes on. */
static void test_deadlock_of_two(void **state)
{
	struct door_file *f = make("dead-f", "x"), *g = make("dead-g", "x");
	struct wish first;

	(void)state;
	assert_int_equal(wish_now(f, 1, 0, DOOR_EXCLUSIVE), STATUS_SUCCESS);
	assert_int_equal(wish_now(g, 2, 0, DOOR_EXCLUSIVE), STATUS_SUCCESS);
	wish_for(&first, g, 1, 0, DOOR_SHARED, DOOR_LOCK_POSIX);
	assert_true(is_waiting(&first));
	assert_int_equal(wish_now(f, 2, 5, DOOR_SHARED), STATUS_POSSIBLE_DEADLOCK);
	assert_true(is_waiting(&first));
	assert_int_equal(wish_now(g, 2, 0, DOOR_UNLOCKED), STATUS_SUCCESS);
	assert_int_equal(wish_end(&first), STATUS_SUCCESS);
	assert_int_equal(door_close(f, NULL), STATUS_SUCCESS);
	assert_int_equal(door_close(g, NULL), STATUS_SUCCESS);
	remove_path("dead-f");
	remove_path("dead-g");
}

/* Two who share a range and both want it alone: the classic. */
static void test_deadlock_of_two_upgrades(void **state)
{
	struct door_file *f = make("dead-u", "x");
	struct wish first;

	(void)state;
	assert_int_equal(wish_now(f, 1, 0, DOOR_SHARED), STATUS_SUCCESS);
	assert_int_equal(wish_now(f, 2, 0, DOOR_SHARED), STATUS_SUCCESS);
	wish_for(&first, f, 1, 0, DOOR_EXCLUSIVE, DOOR_LOCK_POSIX);
	assert_int_equal(wish_now(f, 2, 0, DOOR_EXCLUSIVE), STATUS_POSSIBLE_DEADLOCK);
	door_record_release(f, DOOR_LOCK_POSIX, 2);
	assert_int_equal(wish_end(&first), STATUS_SUCCESS);
	assert_int_equal(door_close(f, NULL), STATUS_SUCCESS);
	remove_path("dead-u");
}

/*
 * A circle that is closed only when one of two in the way has gone: whoever waits on is told then. Who waits for somebody
 * outside of it is not.
 */
static void test_deadlock_that_comes_later(void **state)
{
	struct door_file *f = make("dead-l", "x");
	struct wish one, three, outside;

	(void)state;
	/* 1 wants what 2 and 3 share; 3 wants what 1 has; so far 1 waits for 2, who waits for nobody */
	assert_int_equal(wish_now(f, 1, 100, DOOR_EXCLUSIVE), STATUS_SUCCESS);
	assert_int_equal(wish_now(f, 2, 0, DOOR_SHARED), STATUS_SUCCESS);
	assert_int_equal(wish_now(f, 3, 0, DOOR_SHARED), STATUS_SUCCESS);
	wish_for(&one, f, 1, 0, DOOR_EXCLUSIVE, DOOR_LOCK_POSIX);
	wish_for(&outside, f, 4, 0, DOOR_EXCLUSIVE, DOOR_LOCK_POSIX);
	wish_for(&three, f, 3, 100, DOOR_SHARED, DOOR_LOCK_POSIX);
	assert_true(is_waiting(&one));
	assert_true(is_waiting(&three));
	assert_int_equal(wish_now(f, 2, 0, DOOR_UNLOCKED), STATUS_SUCCESS);
	assert_int_equal(wish_end(&one), STATUS_POSSIBLE_DEADLOCK);
	assert_true(is_waiting(&three));
	assert_true(is_waiting(&outside));
	assert_int_equal(wish_now(f, 1, 100, DOOR_UNLOCKED), STATUS_SUCCESS);
	assert_int_equal(wish_end(&three), STATUS_SUCCESS);
	door_record_release(f, DOOR_LOCK_POSIX, 3);
	assert_int_equal(wish_end(&outside), STATUS_SUCCESS);
	assert_int_equal(door_close(f, NULL), STATUS_SUCCESS);
	remove_path("dead-l");
}

/* Descriptions that lock with flock(2) may wait for each other as they like: flock(2) knows no EDEADLK. */
static void test_flock_knows_no_deadlock(void **state)
{
	struct door_file *f = make("dead-k", "x");
	struct wish one, two, first, second;

	(void)state;
	wish_for(&one, f, 1, 0, DOOR_EXCLUSIVE, DOOR_LOCK_FLOCK);
	wish_for(&two, f, 2, 100, DOOR_EXCLUSIVE, DOOR_LOCK_FLOCK);
	assert_int_equal(wish_end(&one), STATUS_SUCCESS);
	assert_int_equal(wish_end(&two), STATUS_SUCCESS);
	wish_for(&first, f, 1, 100, DOOR_EXCLUSIVE, DOOR_LOCK_FLOCK);
	wish_for(&second, f, 2, 0, DOOR_EXCLUSIVE, DOOR_LOCK_FLOCK);
	assert_true(is_waiting(&first));
	assert_true(is_waiting(&second));
	door_record_release(f, DOOR_LOCK_FLOCK, 1);
	assert_int_equal(wish_end(&second), STATUS_SUCCESS);
	door_record_release(f, DOOR_LOCK_FLOCK, 2);
	assert_int_equal(wish_end(&first), STATUS_SUCCESS);
	assert_int_equal(door_close(f, NULL), STATUS_SUCCESS);
	remove_path("dead-k");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query_on_create),
		cmocka_unit_test(test_set_on_create),
		cmocka_unit_test(test_cancelled_before_the_start),
		cmocka_unit_test(test_cancel_a_waiting_lock),
		cmocka_unit_test(test_close_with_transfers_in_flight),
		cmocka_unit_test(test_impossible_transfers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_connects),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_requester_is_restored),
		cmocka_unit_test(test_news_of_a_folder),
		cmocka_unit_test(test_deadlock_of_two),
		cmocka_unit_test(test_deadlock_of_two_upgrades),
		cmocka_unit_test(test_deadlock_that_comes_later),
		cmocka_unit_test(test_flock_knows_no_deadlock),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
