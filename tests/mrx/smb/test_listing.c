/*
 * test_listing.c - listings: with the create, ahead of the reader, and what a server may get wrong in them.
 *
 * One folder with as many entries as a test wants, and a server that gives them in pages, and does one thing wrong at the
 * query that it is told to.
 */
#include "support/door_rig.h"

#include "mrx/smb/wire/fscc.h"

#include "support/fake_server.h"

enum { ENTRIES_MAX = 20000, BATCH = 256 * 1024 };

#define CAPABILITIES (SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_LEASING)
#define WIRE_NO_MORE_FILES 0x80000006u
#define WIRE_NO_SUCH_FILE 0xC000000Fu
#define WIRE_NOT_SUPPORTED 0xC00000BBu
#define WIRE_NOT_FOUND 0xC0000034u
#define WIRE_DISK_ERROR 0xC000003Fu

enum wrong { RIGHT, STATUS, LONGER, MALFORMED, SEPARATORS, HELD };

/* Set before the client is asked to do something; counters are atomic. */
static struct {
	unsigned int entries;
	uint32_t create_status;
	_Atomic enum wrong wrong;
	atomic_uint at;  /* the query, counted from the beginning of the listing, from 1 */
	uint32_t status; /* with STATUS */
	/* the listing under way, on the server's thread */
	unsigned int position;
	unsigned int query;
	bool held;
	struct smb2_pdu holding; /* HELD: not answered before the next request */
	/* what it saw */
	atomic_uint messages; /* with a create or a query in them */
	atomic_uint queries;
	atomic_uint largest; /* bytes asked for */
	atomic_uint opens;
	atomic_uint closes;
	atomic_uint holds;
} server;

static struct fake_server fake;
static UCHAR batch[BATCH] __attribute__((aligned(8)));
static unsigned int seen[ENTRIES_MAX];

/* ---- the server ------------------------------------------------------------------------------------- */

static void to_utf16(uint8_t *out, const char *ascii)
{
	for (; *ascii != '\0'; ascii++) {
		*out++ = (uint8_t)*ascii;
		*out++ = 0;
	}
}

/* Entries from the position on, as many as fit. */
static size_t fill_page(uint8_t *to, size_t room)
{
	size_t pos = 0, last = 0;

	for (; server.position < server.entries; server.position++) {
		uint8_t name[64];
		char ascii[32];
		struct fscc_dir_entry entry = {.attributes = FILE_ATTRIBUTE_NORMAL,
					       .file_id = 1000 + server.position,
					       .end_of_file = server.position};

		snprintf(ascii, sizeof(ascii),
			 server.wrong == SEPARATORS && server.position % 2 ? "../f%05u" : "f%05u",
			 server.position);
		to_utf16(name, ascii);
		entry.name = wire_slice_at(name, 0, strlen(ascii) * 2);
		if (!fscc_dir_append(FSCC_FILE_ID_BOTH_DIRECTORY, to, room, &pos, &last, &entry))
			break;
	}
	return pos;
}

static void send_page(struct fake_conn *f, size_t room, bool wrong)
{
	static uint8_t page[1024 * 1024];
	struct smb2_hdr hdr = fake_answer_header(f, 0);
	struct wire_slice list = {page, fill_page(page, room)};

	if (wrong && server.wrong == MALFORMED)
		wire_set_le32(page, (uint32_t)list.len + 8); /* the second entry lies behind the page */
	if (wrong && server.wrong == LONGER)
		list.len = room + 8;
	fake_seal_answer(f, &hdr, smb2_output_response_encode(f->out, FAKE_MESSAGE_MAX, list));
	fake_send_answer(f);
}

static void answer_query(struct fake_conn *f)
{
	struct smb2_query_directory_request req;
	bool wrong;

	if (!smb2_query_directory_request_decode(&f->request, &req))
		return;
	if (req.flags & (SMB2_RESTART_SCANS | SMB2_REOPEN))
		server.position = server.query = 0;
	server.query++;
	wrong = server.wrong != RIGHT && server.query == server.at;
	if (req.output_length > atomic_load(&server.largest))
		atomic_store(&server.largest, req.output_length);
	if (wrong && server.wrong == STATUS)
		fake_answer_error(f, server.status);
	else if (server.position >= server.entries)
		fake_answer_error(f, server.position == 0 ? WIRE_NO_SUCH_FILE : WIRE_NO_MORE_FILES);
	else
		send_page(f, req.output_length, wrong);
}

static void answer_create(struct fake_conn *f)
{
	struct smb2_hdr hdr = fake_answer_header(f, 0);
	struct smb2_create_response rsp = {
		.create_action = 1, .file_attributes = FILE_ATTRIBUTE_DIRECTORY, .file_id = {21, 22}};

	if (server.create_status != 0) {
		fake_answer_error(f, server.create_status);
		return;
	}
	server.position = server.query = 0;
	atomic_fetch_add(&server.opens, 1);
	fake_seal_answer(f, &hdr, smb2_create_response_encode(f->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(f);
}

static void answer_held(struct fake_conn *f)
{
	struct smb2_pdu now = f->request;

	server.held = false;
	f->request = server.holding;
	send_page(f, 64 * 1024, false);
	f->request = now;
}

static void answer_one(struct fake_conn *f)
{
	bool query = f->request.hdr.command == SMB2_QUERY_DIRECTORY;

	if (query)
		atomic_fetch_add(&server.queries, 1);
	if (server.held)
		answer_held(f);
	else if (query && server.wrong == HELD && server.query + 1 == server.at) {
		server.query++;
		server.held = true;
		server.holding = f->request; /* only its header is looked at later */
		atomic_fetch_add(&server.holds, 1);
		return;
	}
	switch (f->request.hdr.command) {
	case SMB2_CREATE:
		answer_create(f);
		break;
	case SMB2_QUERY_DIRECTORY:
		if (server.create_status != 0)
			fake_answer_error(f, server.create_status);
		else
			answer_query(f);
		break;
	case SMB2_CLOSE:
		atomic_fetch_add(&server.closes, 1);
		fake_answer_close(f);
		break;
	case SMB2_QUERY_INFO:
		fake_answer_error(f, WIRE_NOT_SUPPORTED);
		break;
	case SMB2_CANCEL:
		break;
	default:
		fake_answer_empty(f);
	}
}

static void serve(struct fake_conn *f)
{
	if (!fake_handshake(f))
		return;
	while (fake_read(f)) {
		size_t offset = 0;

		if (f->request.hdr.command == SMB2_CREATE || f->request.hdr.command == SMB2_QUERY_DIRECTORY)
			atomic_fetch_add(&server.messages, 1);
		while (smb2_compound_next(f->in, f->in_len, &offset, &f->request) == 1)
			answer_one(f);
	}
}

/* ---- the client ------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	if (!fake_start_as(&fake, SMB2_DIALECT_302, CAPABILITIES, serve, NULL))
		return -1;
	return door_rig_start() && NT_SUCCESS(door_rig_connect(fake.port, NULL)) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	door_rig_disconnect();
	if (!door_rig_stop())
		return -1;
	fake_stop(&fake);
	return 0;
}

static NTSTATUS try_open(struct door_opened *opened)
{
	struct door_open open = {.access = FILE_LIST_DIRECTORY | SYNCHRONIZE,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE,
				 .query = DOOR_QUERY_LIST};

	memset(opened, 0, sizeof(*opened));
	return door_rig_open("d", open, opened);
}

static struct door_opened open_folder(void)
{
	struct door_opened opened;

	assert_int_equal(try_open(&opened), STATUS_SUCCESS);
	return opened;
}

static void close_folder(struct door_opened *opened)
{
	assert_int_equal(door_close(opened->file, NULL), STATUS_SUCCESS);
}

/* Counts in seen[] what one batch has. */
static unsigned int note(ULONG length)
{
	unsigned int count = 0;
	ULONG at = 0;

	while (at < length) {
		const FILE_ID_BOTH_DIR_INFORMATION *e = (const void *)(batch + at);
		unsigned int number = (unsigned int)(e->FileId.QuadPart - 1000);

		assert_true(number < ENTRIES_MAX);
		assert_int_equal(e->FileNameLength, 12);
		assert_int_equal(e->EndOfFile.QuadPart, number);
		seen[number]++;
		count++;
		if (e->NextEntryOffset == 0)
			break;
		at += e->NextEntryOffset;
	}
	return count;
}

static NTSTATUS next_batch(struct door_opened *opened, BOOLEAN restart)
{
	ULONG returned = 0;
	NTSTATUS status = door_query_directory(opened->file, NULL, FileIdBothDirectoryInformation, NULL,
					       restart, batch, sizeof(batch), &returned, NULL);

	if (status == STATUS_SUCCESS)
		assert_true(note(returned) > 0);
	return status;
}

/* The status that ends the listing. */
static NTSTATUS list_all(struct door_opened *opened, BOOLEAN restart)
{
	NTSTATUS status = next_batch(opened, restart);

	while (status == STATUS_SUCCESS)
		status = next_batch(opened, FALSE);
	return status;
}

static void assert_all_once(void)
{
	unsigned int i;

	for (i = 0; i < server.entries; i++)
		assert_int_equal(seen[i], 1);
	memset(seen, 0, sizeof(seen));
}

/* ---- tests ------------------------------------------------------------------------------------------ */

/* A small folder: the open, all entries and the word that there are no more are one message. */
static void test_a_small_folder_is_one_message(void **state)
{
	struct door_opened opened;

	(void)state;
	server.entries = 100;
	opened = open_folder();
	assert_int_equal(opened.supplied & DOOR_QUERY_LIST, DOOR_QUERY_LIST);
	assert_int_equal(list_all(&opened, FALSE), STATUS_NO_MORE_FILES);
	assert_all_once();
	assert_int_equal(atomic_load(&server.messages), 1);
	/* once more from the beginning: one message again, with both questions */
	assert_int_equal(list_all(&opened, TRUE), STATUS_NO_MORE_FILES);
	assert_all_once();
	assert_int_equal(atomic_load(&server.messages), 2);
	assert_int_equal(atomic_load(&server.queries), 4);
	close_folder(&opened);
}

/* A folder that has nothing, not even itself: the end, and again when asked again. */
static void test_an_empty_answer_is_the_end(void **state)
{
	struct door_opened opened;

	(void)state;
	opened = open_folder();
	assert_int_equal(next_batch(&opened, FALSE), STATUS_NO_SUCH_FILE);
	assert_int_equal(next_batch(&opened, FALSE), STATUS_NO_MORE_FILES);
	assert_int_equal(atomic_load(&server.messages), 1);
	close_folder(&opened);
}

/* A large folder comes whole, each entry once; after the small pages larger ones are asked for before they are wanted. */
static void test_a_large_folder_is_asked_for_ahead(void **state)
{
	struct door_opened opened;

	(void)state;
	server.entries = ENTRIES_MAX;
	opened = open_folder();
	assert_int_equal(next_batch(&opened, FALSE), STATUS_SUCCESS);
	assert_int_equal(atomic_load(&server.queries), 2); /* perhaps the reader wants no more than that */
	assert_int_equal(next_batch(&opened, FALSE), STATUS_SUCCESS);
	while (atomic_load(&server.queries) <
	       3) /* ends: it was sent before the second batch was handed out */
		;
	assert_int_equal(list_all(&opened, FALSE), STATUS_NO_MORE_FILES);
	assert_all_once();
	assert_int_equal(atomic_load(&server.largest), 256 * 1024);
	/* 2.3 MB: no page is asked for in small pieces, and at most four times too often */
	assert_in_range(atomic_load(&server.queries), 10, 16);
	close_folder(&opened);
}

/* The age of what was asked for ahead is told: it is that of the question, not of the answer. */
static void test_the_age_is_that_of_the_question(void **state)
{
	ULONGLONG before = KeQueryInterruptTime(), asked = 0, opened_at;
	struct door_opened opened;
	ULONG returned;

	(void)state;
	server.entries = 10;
	opened = open_folder();
	opened_at = KeQueryInterruptTime();
	assert_int_equal(door_query_directory(opened.file, NULL, FileIdBothDirectoryInformation, NULL, FALSE,
					      batch, sizeof(batch), &returned, &asked),
			 STATUS_SUCCESS);
	assert_true(asked >= before && asked <= opened_at);
	close_folder(&opened);
}

/* Nothing of a folder that is not there is looked at. */
static void test_a_failed_open_lists_nothing(void **state)
{
	struct door_opened opened;

	(void)state;
	server.entries = 10;
	server.create_status = WIRE_NOT_FOUND;
	assert_int_equal(try_open(&opened), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_null(opened.file);
	server.create_status = 0;
	opened = open_folder();
	assert_int_equal(list_all(&opened, FALSE), STATUS_NO_MORE_FILES);
	assert_all_once();
	close_folder(&opened);
}

/* A server that does not list in a message with the create is asked afterwards. */
static void test_a_server_that_refuses_the_first_question(void **state)
{
	struct door_opened opened;

	(void)state;
	server.entries = 3000;
	server.wrong = STATUS;
	server.at = 1;
	server.status = WIRE_NOT_SUPPORTED;
	opened = open_folder();
	assert_int_equal(opened.supplied & DOOR_QUERY_LIST, 0);
	server.wrong = RIGHT;
	assert_int_equal(list_all(&opened, FALSE), STATUS_NO_MORE_FILES);
	assert_all_once();
	close_folder(&opened);
}

/* One that does only the first of two in a message loses nothing either. */
static void test_a_server_that_refuses_the_second_question(void **state)
{
	struct door_opened opened;

	(void)state;
	server.entries = 3000;
	server.wrong = STATUS;
	server.at = 2;
	server.status = WIRE_NOT_SUPPORTED;
	opened = open_folder();
	assert_int_equal(opened.supplied & DOOR_QUERY_LIST, DOOR_QUERY_LIST);
	assert_int_equal(list_all(&opened, FALSE), STATUS_NO_MORE_FILES);
	assert_all_once();
	assert_int_equal(list_all(&opened, TRUE), STATUS_NO_MORE_FILES);
	assert_all_once();
	close_folder(&opened);
}

/* A page that fails: what comes behind it would lack entries; the listing fails until it begins anew. */
static void test_a_lost_page_fails_the_listing(void **state)
{
	struct door_opened opened;

	(void)state;
	server.entries = ENTRIES_MAX;
	server.wrong = STATUS;
	server.at = 4;
	server.status = WIRE_DISK_ERROR;
	opened = open_folder();
	assert_int_equal(list_all(&opened, FALSE), (NTSTATUS)WIRE_DISK_ERROR);
	assert_int_equal(next_batch(&opened, FALSE), (NTSTATUS)WIRE_DISK_ERROR);
	memset(seen, 0, sizeof(seen));
	server.wrong = RIGHT;
	assert_int_equal(list_all(&opened, TRUE), STATUS_NO_MORE_FILES);
	assert_all_once();
	close_folder(&opened);
}

/* Pages that contradict themselves, with the create and later: an error, nothing beyond the page is read. */
static void test_malformed_pages(void **state)
{
	static const enum wrong kinds[] = {LONGER, MALFORMED};
	unsigned int kind, at;

	(void)state;
	server.entries = 8000;
	for (kind = 0; kind < 2; kind++)
		for (at = 1; at <= 3; at++) {
			struct door_opened opened;

			server.wrong = kinds[kind];
			server.at = at;
			opened = open_folder();
			assert_int_equal(list_all(&opened, FALSE), STATUS_INVALID_NETWORK_RESPONSE);
			server.wrong = RIGHT;
			memset(seen, 0, sizeof(seen));
			assert_int_equal(list_all(&opened, TRUE), STATUS_NO_MORE_FILES);
			assert_all_once();
			close_folder(&opened);
		}
}

/* Names that would lead out of the folder are left out of what came with the create, as of every page. */
static void test_names_with_separators_are_left_out(void **state)
{
	struct door_opened opened;
	unsigned int i;

	(void)state;
	server.entries = 2000;
	server.wrong = SEPARATORS;
	opened = open_folder();
	assert_int_equal(list_all(&opened, FALSE), STATUS_NO_MORE_FILES);
	for (i = 0; i < server.entries; i++)
		assert_int_equal(seen[i], i % 2 == 0);
	memset(seen, 0, sizeof(seen));
	close_folder(&opened);
}

struct interrupted {
	struct door_opened opened;
	struct door_cancel cancel;
	NTSTATUS status;
};

static void wait_for_a_page(void *context)
{
	struct interrupted *w = context;
	struct door_caller caller = {.cancel = &w->cancel};
	ULONG returned;

	w->status = door_query_directory(w->opened.file, &caller, FileIdBothDirectoryInformation, NULL, FALSE,
					 batch, sizeof(batch), &returned, NULL);
}

/* Who waits for a page may give up; the page is not lost: whoever goes on gets it, and each entry once. */
static void test_a_wait_that_ends_loses_no_entry(void **state)
{
	struct interrupted w = {.status = STATUS_SUCCESS};
	FILE_STAT_INFORMATION stat;
	struct nt_thread *thread;

	(void)state;
	server.entries = 3000;
	server.wrong = HELD;
	server.at = 3;
	door_cancel_init(&w.cancel);
	w.opened = open_folder();
	assert_int_equal(next_batch(&w.opened, FALSE), STATUS_SUCCESS);
	assert_int_equal(next_batch(&w.opened, FALSE), STATUS_SUCCESS);
	assert_int_equal(nt_thread_create("reader", wait_for_a_page, &w, &thread), STATUS_SUCCESS);
	while (atomic_load(&server.holds) == 0) /* ends: the page has been asked for */
		;
	door_cancel_fire(&w.cancel);
	nt_thread_join(thread);
	assert_int_equal(w.status, STATUS_CANCELLED);
	server.wrong = RIGHT;
	/* any request makes the server go on; this one it does not know */
	assert_int_equal(door_query_stat(w.opened.file, NULL, &stat), STATUS_NOT_SUPPORTED);
	assert_int_equal(list_all(&w.opened, FALSE), STATUS_NO_MORE_FILES);
	assert_all_once();
	close_folder(&w.opened);
}

/* A folder closed in the midst of it: nothing is left behind, whatever is on its way. */
static void test_closed_in_the_midst(void **state)
{
	unsigned int i;

	(void)state;
	server.entries = ENTRIES_MAX;
	for (i = 0; i < 8; i++) {
		struct door_opened opened = open_folder();
		unsigned int k;

		for (k = 0; k < i; k++)
			assert_int_equal(next_batch(&opened, FALSE), STATUS_SUCCESS);
		close_folder(&opened);
	}
	memset(seen, 0, sizeof(seen));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_small_folder_is_one_message),
		TEST(test_an_empty_answer_is_the_end),
		TEST(test_a_large_folder_is_asked_for_ahead),
		TEST(test_the_age_is_that_of_the_question),
		TEST(test_a_failed_open_lists_nothing),
		TEST(test_a_server_that_refuses_the_first_question),
		TEST(test_a_server_that_refuses_the_second_question),
		TEST(test_a_lost_page_fails_the_listing),
		TEST(test_malformed_pages),
		TEST(test_names_with_separators_are_left_out),
		TEST(test_a_wait_that_ends_loses_no_entry),
		TEST(test_closed_in_the_midst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
