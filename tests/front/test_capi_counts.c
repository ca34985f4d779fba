/*
 * Rule: a message that a call of the C API waits for is counted under the name of that call, and the call itself is
 * counted; none of them is background.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ntifs.h"
#include "nt_count.h"
#include "rdbss_api.h"

#include "mrx/smb/wire/fscc.h"

#include "fake_server.h"

static struct fake_server fake;
static struct rdbss_mount *mount;
static struct nt_count counters[NT_COUNT_LIMIT];

static void answer_query(struct fake_conn *f)
{
	struct fscc_all all = {.basic.attributes = FILE_ATTRIBUTE_NORMAL,
			       .standard.number_of_links = 1,
			       .standard.end_of_file = 4,
			       .index_number = 3};
	struct smb2_hdr hdr = fake_answer_header(f, 0);
	uint8_t bytes[256];
	size_t length = fscc_all_encode(bytes, sizeof(bytes), &all);

	length = smb2_output_response_encode(f->out, FAKE_MESSAGE_MAX, (struct wire_slice){bytes, length});
	fake_seal_answer(f, &hdr, length);
	fake_send_answer(f);
}

/* Every name is the same small file. */
static void answer_one(struct fake_conn *f)
{
	switch (f->request.hdr.command) {
	case SMB2_CREATE:
		fake_answer_create(f);
		break;
	case SMB2_CLOSE:
		fake_answer_close(f);
		break;
	case SMB2_READ:
		fake_answer_read(f, "data", 4);
		break;
	case SMB2_QUERY_INFO:
		answer_query(f);
		break;
	case SMB2_FLUSH:
	case SMB2_LOGOFF:
	case SMB2_TREE_DISCONNECT:
		fake_answer_empty(f);
		break;
	default:
		fake_answer_error(f, (uint32_t)STATUS_NOT_SUPPORTED);
	}
}

static void serve(struct fake_conn *f)
{
	fake_serve(f, answer_one);
}

/* How often it was counted; @first NULL: any message of that group. */
static uint64_t count_of(const char *group, const char *first)
{
	uint64_t lost, times = 0;
	size_t count = nt_count_read(counters, NT_COUNT_LIMIT, &lost), i;

	for (i = 0; i < count; i++)
		if (strcmp(counters[i].group, group) == 0 &&
		    (first == NULL || strcmp(counters[i].part[0], first) == 0))
			times += counters[i].times;
	return times;
}

static int start(void **state)
{
	struct rdbss_mount_options options = {
		.size = sizeof(options), .user = "alice", .password = "Passw0rd"};
	char target[64];

	(void)state;
	if (!fake_start(&fake, serve, NULL) || rdbss_init(RDBSS_API_VERSION) != 0)
		return -1;
	snprintf(target, sizeof(target), "smb://127.0.0.1:%u/s", fake.port);
	return rdbss_mount(target, &options, &mount);
}

static int stop(void **state)
{
	int error = rdbss_unmount(mount);

	(void)state;
	fake_stop(&fake);
	return error == 0 && rdbss_shutdown(stderr) == 0 ? 0 : -1;
}

static void done(void *context, ssize_t result)
{
	*(ssize_t *)context = result; /* the server has four bytes for whoever asks */
}

static void test_calls_own_their_messages(void **state)
{
	struct rdbss_file *file;
	char data[4];

	(void)state;
	assert_int_equal(count_of(NT_COUNT_REQUEST, "rdbss_mount"), 1);
	assert_int_equal(rdbss_open(mount, "f", O_RDWR, 0, &file), 0);
	assert_int_equal(count_of(NT_COUNT_REQUEST, "rdbss_open"), 1);
	assert_true(count_of("rdbss_open", "CREATE") > 0);
	assert_int_equal(rdbss_pread(file, data, sizeof(data), 0), 4);
	assert_int_equal(count_of(NT_COUNT_REQUEST, "rdbss_pread"), 1);
	assert_int_equal(count_of("rdbss_pread", "READ"), 1);
	assert_int_equal(rdbss_fsync(file), 0);
	assert_int_equal(count_of("rdbss_fsync", "FLUSH"), 1);
	assert_int_equal(rdbss_close(file), 0);
	assert_int_equal(count_of(NT_COUNT_REQUEST, "rdbss_close"), 1);
	/* the handle at the server may sleep for a while, and then nobody waits for its CLOSE */
	assert_int_equal(count_of(NT_COUNT_BACKGROUND, "CREATE"), 0);
	assert_int_equal(count_of(NT_COUNT_BACKGROUND, "READ"), 0);
	assert_int_equal(count_of(NT_COUNT_BACKGROUND, "FLUSH"), 0);
}

/* The same for what ends later, and for names that are only asked about. */
static void test_calls_that_do_not_wait(void **state)
{
	struct rdbss_file *file;
	struct rdbss_op *op;
	ssize_t result = -1;
	char data[4];
	struct stat st;

	(void)state;
	assert_int_equal(rdbss_open(mount, "g", O_RDWR, 0, &file), 0);
	assert_int_equal(rdbss_pread_async(file, data, sizeof(data), 0, done, &result, &op), 0);
	assert_int_equal(rdbss_close(file), 0); /* ends when the transfer has */
	rdbss_op_free(op);
	assert_int_equal(count_of("rdbss_pread_async", "READ"), 1);
	assert_int_equal(rdbss_stat(mount, "g", &st), 0);
	assert_true(count_of("rdbss_stat", NULL) > 0);
	(void)rdbss_unlink(mount, "g"); /* this server removes nothing: what counts is who asked */
	assert_true(count_of("rdbss_unlink", NULL) > 0);
	assert_int_equal(count_of("rdbss_rmdir", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_own_their_messages),
		cmocka_unit_test(test_calls_that_do_not_wait),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
