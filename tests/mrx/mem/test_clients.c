/*
 * test_clients.c - two clients of one memory volume, through the whole engine: what one may keep ends when the other
 * comes, and nobody ever reads what is not so any more.
 */
#include "clients.h"

static struct clients both;

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 11};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? clients_start(&both, "breaklimit=400") : -1;
}

/* Every test ends with every byte freed. */
static int stop(void **state)
{
	(void)state;
	if (clients_stop(&both) != 0)
		return -1;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static struct door_opened must_open(unsigned int client, const char *path, ACCESS_MASK access,
				    ULONG disposition)
{
	struct door_opened opened;

	assert_int_equal(client_open(both.volume[client], path, access, SHARE_ALL, disposition, &opened),
			 STATUS_SUCCESS);
	return opened;
}

static void must_close(struct door_file *file)
{
	assert_int_equal(door_close(file, NULL), STATUS_SUCCESS);
}

static void must_write(struct door_file *file, const char *text)
{
	ULONG n = 0;

	assert_int_equal(door_write(file, NULL, text, (ULONG)strlen(text), 0, &n), STATUS_SUCCESS);
	assert_int_equal(n, strlen(text));
}

static void must_read(struct door_file *file, const char *text)
{
	char bytes[64] = "";
	ULONG n = 0;

	assert_int_equal(door_read(file, NULL, bytes, sizeof(bytes), 0, &n), STATUS_SUCCESS);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(bytes, text, n);
}

static NTSTATUS remove_by(unsigned int client, const char *path)
{
	UNICODE_STRING name;
	NTSTATUS status;

	assert_int_equal(door_name_from_posix(path, &name), STATUS_SUCCESS);
	status = door_remove(both.volume[client], NULL, &name, FALSE, 0);
	door_name_free(&name);
	return status;
}

static bool exists_for(unsigned int client, const char *path)
{
	FILE_STAT_INFORMATION stat;
	UNICODE_STRING name;
	NTSTATUS status;

	assert_int_equal(door_name_from_posix(path, &name), STATUS_SUCCESS);
	status = door_stat_path(both.volume[client], NULL, &name, &stat);
	door_name_free(&name);
	assert_true(status == STATUS_SUCCESS || status == STATUS_OBJECT_NAME_NOT_FOUND);
	return status == STATUS_SUCCESS;
}

/* ---- a front end that keeps pages ---- */

struct pages {
	KEVENT purged, flushing, released, go_on;
	bool stubborn; /* a purge waits for go_on */
};

static NTSTATUS pages_flush(void *context, LONGLONG offset, ULONG length)
{
	struct pages *p = context;

	(void)offset;
	(void)length;
	KeSetEvent(&p->flushing, IO_NO_INCREMENT, FALSE);
	if (p->stubborn)
		KeWaitForSingleObject(&p->go_on, Executive, KernelMode, FALSE, NULL);
	return STATUS_SUCCESS;
}

static BOOLEAN pages_purge(void *context, LONGLONG offset, ULONG length)
{
	struct pages *p = context;

	(void)offset;
	(void)length;
	KeSetEvent(&p->purged, IO_NO_INCREMENT, FALSE);
	return TRUE;
}

static void pages_release(void *context)
{
	struct pages *p = context;

	KeSetEvent(&p->released, IO_NO_INCREMENT, FALSE);
}

static const struct nt_cache_ops pages_ops = {pages_flush, pages_purge, pages_release};

static struct nt_cache_map *keep_pages(struct pages *p, const struct door_opened *opened)
{
	struct nt_cache_map *map;

	RtlZeroMemory(p, sizeof(*p));
	KeInitializeEvent(&p->purged, NotificationEvent, FALSE);
	KeInitializeEvent(&p->flushing, NotificationEvent, FALSE);
	KeInitializeEvent(&p->released, NotificationEvent, FALSE);
	KeInitializeEvent(&p->go_on, NotificationEvent, FALSE);
	assert_int_equal(door_cache_attach(opened, &pages_ops, p, &map), STATUS_SUCCESS);
	return map;
}

static void must_happen(KEVENT *event)
{
	LARGE_INTEGER limit = {.QuadPart = -30 * SECONDS};

	assert_int_equal(KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &limit), STATUS_SUCCESS);
}

static void give_up_pages(struct pages *p, struct nt_cache_map *map)
{
	nt_cache_detach(map);
	must_happen(&p->released);
}

/* ---- tests ---- */

/* A reader may keep pages, and has to give them up when the other writes; then he may not keep new ones. */
static void test_a_write_takes_the_other_s_pages(void **state)
{
	struct door_opened w = must_open(1, "pages", FILE_READ_DATA | FILE_WRITE_DATA, FILE_CREATE), r, again;
	struct nt_cache_map *map;
	struct pages pages;

	(void)state;
	must_write(w.file, "one");
	assert_int_equal(door_flush(w.file, NULL), STATUS_SUCCESS);
	r = must_open(0, "pages", FILE_READ_DATA, FILE_OPEN);
	assert_true(r.read_caching);
	map = keep_pages(&pages, &r);
	must_read(r.file, "one");
	assert_int_equal(KeReadStateEvent(&pages.purged), 0);

	must_write(w.file, "two");
	must_happen(&pages.purged);
	must_read(r.file, "two");
	give_up_pages(&pages, map);
	/* an open of now may keep again what it reads from now on */
	again = must_open(0, "pages", FILE_READ_DATA, FILE_OPEN);
	must_read(again.file, "two");
	must_close(again.file);
	must_close(r.file);
	must_close(w.file);
	assert_int_equal(remove_by(0, "pages"), STATUS_SUCCESS);
}

/* What one has written and keeps to himself, the other reads: his open waits until it is there. Both ways, often. */
static void test_what_is_written_behind_is_read_by_the_other(void **state)
{
	char text[16];

	(void)state;
	must_close(must_open(0, "behind", FILE_WRITE_DATA, FILE_CREATE).file);
	for (unsigned int i = 0; i < 200; i++) {
		struct door_opened w =
			must_open(i % 2, "behind", FILE_READ_DATA | FILE_WRITE_DATA, FILE_OPEN);
		struct door_opened r;

		snprintf(text, sizeof(text), "number %05u", i);
		must_write(w.file, text);
		r = must_open(1 - i % 2, "behind", FILE_READ_DATA, FILE_OPEN);
		must_read(r.file, text);
		assert_int_equal(r.stat.EndOfFile.QuadPart, strlen(text));
		must_close(r.file);
		must_close(w.file);
	}
	assert_int_equal(remove_by(0, "behind"), STATUS_SUCCESS);
}

/* A handle that only sleeps stands in nobody's way: not of an open that shares nothing, a deletion, or a new name. */
static void test_a_sleeping_handle_makes_room(void **state)
{
	struct door_opened only;
	UNICODE_STRING from, to;

	(void)state;
	must_close(must_open(0, "sleeps", FILE_WRITE_DATA, FILE_CREATE).file);
	for (unsigned int i = 0; i < 20; i++) {
		must_close(must_open(0, "sleeps", FILE_READ_DATA, FILE_OPEN).file);
		assert_int_equal(client_open(both.volume[1], "sleeps", FILE_READ_DATA, 0, FILE_OPEN, &only),
				 STATUS_SUCCESS);
		must_close(only.file);
	}
	must_close(must_open(0, "sleeps", FILE_READ_DATA, FILE_OPEN).file);
	assert_int_equal(door_name_from_posix("sleeps", &from), STATUS_SUCCESS);
	assert_int_equal(door_name_from_posix("awake", &to), STATUS_SUCCESS);
	assert_int_equal(door_rename(both.volume[1], NULL, &from, &to, 0, 0, 0), STATUS_SUCCESS);
	door_name_free(&from);
	door_name_free(&to);
	assert_false(exists_for(0, "sleeps"));
	must_close(must_open(0, "awake", FILE_READ_DATA, FILE_OPEN).file);
	assert_int_equal(remove_by(1, "awake"), STATUS_SUCCESS);
	assert_false(exists_for(0, "awake"));
	assert_false(exists_for(1, "awake"));
}

/* One replaces a file that the other has open: his handle goes on with the old one, his next open has the new one. */
static void test_a_replaced_file_is_another_file(void **state)
{
	struct door_opened old = must_open(0, "name", FILE_READ_DATA | FILE_WRITE_DATA, FILE_CREATE), fresh;

	(void)state;
	must_write(old.file, "old");
	assert_int_equal(remove_by(1, "name"), STATUS_SUCCESS);
	fresh = must_open(1, "name", FILE_WRITE_DATA, FILE_CREATE);
	must_write(fresh.file, "fresh");
	must_close(fresh.file);
	fresh = must_open(0, "name", FILE_READ_DATA, FILE_OPEN);
	must_read(fresh.file, "fresh");
	must_read(old.file, "old");
	must_close(fresh.file);
	must_close(old.file);
	assert_int_equal(remove_by(0, "name"), STATUS_SUCCESS);
}

/* A client that does not answer keeps the other waiting for as long as the volume says, and then is not asked. */
static void test_a_client_that_never_answers(void **state)
{
	struct door_opened mute = must_open(0, "mute", FILE_READ_DATA | FILE_WRITE_DATA, FILE_CREATE), other;
	struct nt_cache_map *map;
	struct pages pages;
	uint64_t began;

	(void)state;
	map = keep_pages(&pages, &mute);
	pages.stubborn = true;
	began = KeQueryInterruptTime();
	other = must_open(1, "mute", FILE_READ_DATA, FILE_OPEN);
	assert_true(KeQueryInterruptTime() - began >= 4 * SECONDS / 10);
	assert_true(KeQueryInterruptTime() - began < 20 * SECONDS);
	must_happen(&pages.flushing); /* it was asked, and stands there */
	KeSetEvent(&pages.go_on, IO_NO_INCREMENT, FALSE);
	/* his answer comes late, and is heard with no effect */
	must_close(other.file);
	give_up_pages(&pages, map);
	must_close(mute.file);
	assert_int_equal(remove_by(1, "mute"), STATUS_SUCCESS);
}

/* ---- at once ----------------------------------------------------------------------------------------- */

enum { ROUNDS = 300 };

struct toucher {
	ULONG failed;
};

/* Sets the times of a file by its name: what sleeps of it by this or another name is closed before. */
static void touch_again_and_again(void *context)
{
	FILE_BASIC_INFORMATION times = {.LastWriteTime.QuadPart = 132000000000000000};
	struct door_open open = {.access = FILE_WRITE_ATTRIBUTES | SYNCHRONIZE,
				 .share = SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .query = DOOR_SET | DOOR_QUERY_CLOSE,
				 .change = {{FileBasicInformation, &times, sizeof(times)}},
				 .changes = 1};
	struct toucher *t = context;

	if (!NT_SUCCESS(door_name_from_posix("touched", &open.path))) {
		t->failed = ROUNDS;
		return;
	}
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct door_opened opened = {0};
		NTSTATUS status = door_open(both.volume[0], NULL, &open, &opened);

		if (!NT_SUCCESS(status) || !(opened.supplied & DOOR_SET) || !NT_SUCCESS(opened.set_status))
			t->failed++;
	}
	door_name_free(&open.path);
}

/* Whoever asks whether two names are one file looks at the numbers of files that others open just then. */
static void test_opens_beside_changes_by_name(void **state)
{
	struct toucher t = {0};
	struct nt_thread *thread;
	LONG64 number = 0;

	(void)state;
	must_close(must_open(0, "opened", FILE_WRITE_DATA, FILE_CREATE).file);
	must_close(must_open(0, "touched", FILE_WRITE_DATA, FILE_CREATE).file);
	assert_int_equal(nt_thread_create("toucher", touch_again_and_again, &t, &thread), STATUS_SUCCESS);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct door_opened first = must_open(0, "opened", FILE_READ_DATA, FILE_OPEN);
		struct door_opened second = must_open(0, "opened", FILE_READ_DATA, FILE_OPEN);

		assert_int_equal(first.stat.FileId.QuadPart, second.stat.FileId.QuadPart);
		assert_true(number == 0 || number == first.stat.FileId.QuadPart);
		number = first.stat.FileId.QuadPart;
		must_close(second.file);
		must_close(first.file);
	}
	nt_thread_join(thread);
	assert_int_equal(t.failed, 0);
	assert_int_equal(remove_by(0, "opened"), STATUS_SUCCESS);
	assert_int_equal(remove_by(0, "touched"), STATUS_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_write_takes_the_other_s_pages),
		cmocka_unit_test(test_what_is_written_behind_is_read_by_the_other),
		cmocka_unit_test(test_a_sleeping_handle_makes_room),
		cmocka_unit_test(test_a_replaced_file_is_another_file),
		cmocka_unit_test(test_a_client_that_never_answers),
		cmocka_unit_test(test_opens_beside_changes_by_name),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
