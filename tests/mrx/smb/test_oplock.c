/*
 * test_oplock.c - oplocks of a server without leases, and their breaks, wrong ones included.
 */
#include "support/lease_rig.h"

/* ---- oplocks, where leases are absent ---------------------------------------------------------------- */

/* @level: what is granted at most. */
static void connect_without_leases(uint8_t level)
{
	files.dialect = SMB2_DIALECT_202;
	files.capabilities = 0;
	files.oplock_level = level;
	connect_with(NULL);
}

/* A break of the handle that was opened as number @handle. */
static void break_oplock(uint64_t handle, uint8_t level)
{
	struct smb2_break brk = {.oplock_level = level, .file_id = {handle, handle}};

	assert_true(fake_files_break(&files, &brk));
}

/* A batch oplock lets writes be kept; its break to level II writes first and leaves the pages; the next takes them. */
static void test_batch_oplock(void **state)
{
	static struct keeper keeper;
	struct door_opened opened;

	(void)state;
	connect_without_leases(SMB2_OPLOCK_LEVEL_BATCH);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_int_equal(files.asked_level, SMB2_OPLOCK_LEVEL_BATCH);
	keep(&keeper, &opened);
	assert_int_equal(write_text(&opened, "promised", 0), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_WRITE), 0);
	break_oplock(files.opens, SMB2_OPLOCK_LEVEL_II);
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_int_equal(fake_files_last_ack(&files).oplock_level, SMB2_OPLOCK_LEVEL_II);
	assert_int_equal(count_before_ack(SMB2_WRITE), 1);
	assert_memory_equal(files.data, "promised", 8);
	assert_int_equal(KeReadStateEvent(&keeper.purged), 0);
	break_oplock(files.opens, SMB2_OPLOCK_LEVEL_BATCH); /* a break that gives more is none */
	break_oplock(files.opens, SMB2_OPLOCK_LEVEL_NONE);
	assert_true(is_purged(&keeper));
	break_oplock(files.opens, SMB2_OPLOCK_LEVEL_NONE); /* and the same again */
	assert_int_equal(first_byte(&opened), 'p');
	assert_int_equal(fake_files_count(&files, SMB2_OPLOCK_BREAK), 1);
	keep_no_more(&keeper);
	close_file(&opened);
}

/* Under a batch oplock an open after the last close costs nothing; its break ends the sleeping handle, which answers it. */
static void test_batch_oplock_of_a_sleeping_handle(void **state)
{
	struct door_opened opened;
	unsigned int creates;

	(void)state;
	connect_without_leases(SMB2_OPLOCK_LEVEL_BATCH);
	opened = open_for("f", FILE_READ_DATA);
	creates = fake_files_count(&files, SMB2_CREATE);
	close_file(&opened);
	opened = open_for("f", FILE_READ_DATA);
	assert_int_equal(fake_files_count(&files, SMB2_CREATE), creates);
	close_file(&opened);
	break_oplock(files.opens, SMB2_OPLOCK_LEVEL_II);
	assert_true(fake_files_wait(&files, SMB2_CLOSE, 1));
	assert_int_equal(fake_files_count(&files, SMB2_OPLOCK_BREAK), 0);
}

/*
 * Our own second handle breaks the first one's oplock while its create holds the file: the break is answered all the same,
 * behind the data, and before the create is.
 */
static void test_batch_oplock_broken_by_ourselves(void **state)
{
	static struct keeper keeper;
	struct door_opened first, second;

	(void)state;
	connect_without_leases(SMB2_OPLOCK_LEVEL_BATCH);
	first = open_for("f", FILE_WRITE_DATA);
	keep(&keeper, &first);
	assert_int_equal(write_text(&first, "promised", 0), STATUS_SUCCESS);
	fake_files_lock(&files);
	files.breaks_on_create = files.opens;
	fake_files_unlock(&files);
	second = open_for("f", FILE_READ_DATA);
	assert_int_equal(files.asked_level, SMB2_OPLOCK_LEVEL_II);
	assert_int_equal(fake_files_count(&files, SMB2_OPLOCK_BREAK), 1);
	assert_int_equal(fake_files_last_ack(&files).oplock_level, SMB2_OPLOCK_LEVEL_NONE);
	assert_int_equal(count_before_ack(SMB2_WRITE), 1);
	assert_true(is_purged(&keeper));
	assert_int_equal(first_byte(&second), 'p');
	keep_no_more(&keeper);
	assert_true(second.read_caching); /* level II */
	keep(&keeper, &second);
	break_oplock(files.opens, SMB2_OPLOCK_LEVEL_NONE);
	assert_true(is_purged(&keeper));
	assert_int_equal(fake_files_count(&files, SMB2_OPLOCK_BREAK), 1);
	keep_no_more(&keeper);
	close_file(&second);
	close_file(&first);
}

/* A handle that only sleeps under its batch oplock is closed before another kind of open of the file is sent. */
static void test_sleeping_handle_gives_way(void **state)
{
	struct door_opened opened;
	unsigned int closed_at = 0, created_at = 0;

	(void)state;
	connect_without_leases(SMB2_OPLOCK_LEVEL_BATCH);
	opened = open_for("f", FILE_READ_DATA);
	close_file(&opened);
	assert_int_equal(fake_files_count(&files, SMB2_CLOSE), 0);
	opened = open_for("f", FILE_WRITE_DATA);
	assert_int_equal(files.asked_level, SMB2_OPLOCK_LEVEL_BATCH); /* it is the only one */
	fake_files_lock(&files);
	for (unsigned int i = 0; i < files.log_count; i++) {
		closed_at = files.log[i].command == SMB2_CLOSE ? i : closed_at;
		created_at = files.log[i].command == SMB2_CREATE ? i : created_at;
	}
	fake_files_unlock(&files);
	assert_true(closed_at != 0 && closed_at < created_at);
	close_file(&opened);
}

/* A break that overtakes the look at the create's answer finds the handle when it is known. */
static void test_oplock_broken_before_the_creates_answer(void **state)
{
	struct smb2_break brk = {.oplock_level = SMB2_OPLOCK_LEVEL_NONE};
	struct door_opened opened;

	(void)state;
	files.before_create = &brk;
	connect_without_leases(SMB2_OPLOCK_LEVEL_BATCH);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_int_equal(fake_files_last_ack(&files).oplock_level, SMB2_OPLOCK_LEVEL_NONE);
	assert_int_equal(write_text(&opened, "through", 0), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_WRITE), 1);
	close_file(&opened);
}

/* 3.2.5.19.3: an acknowledgement that is refused says that the oplock is gone, and the pages with it. */
static void test_oplock_acknowledgement_refused(void **state)
{
	static struct keeper keeper;
	struct door_opened opened;

	(void)state;
	files.ack_status = WIRE_UNSUCCESSFUL;
	connect_without_leases(SMB2_OPLOCK_LEVEL_BATCH);
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	break_oplock(files.opens, SMB2_OPLOCK_LEVEL_II);
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_true(is_purged(&keeper));
	keep_no_more(&keeper);
	close_file(&opened);
}

/* A connection that ends takes its oplocks along: pages go, and kept data is reported as not written. */
static void test_oplock_lost(void **state)
{
	static struct keeper keeper;
	struct door_opened opened;

	(void)state;
	connect_without_leases(SMB2_OPLOCK_LEVEL_BATCH);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	keep(&keeper, &opened);
	assert_int_equal(write_text(&opened, "promised", 0), STATUS_SUCCESS);
	fake_files_drop(&files);
	assert_true(is_purged(&keeper));
	keep_no_more(&keeper);
	assert_false(NT_SUCCESS(end_file(&opened)));
}

/* Level II lets nothing be kept back, and a write goes to the server at once. */
static void test_level_two_oplock(void **state)
{
	struct door_opened opened;

	(void)state;
	connect_without_leases(SMB2_OPLOCK_LEVEL_II);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_true(opened.read_caching);
	assert_int_equal(write_text(&opened, "through", 0), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_WRITE), 1);
	close_file(&opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_batch_oplock),
		RIG_TEST(test_batch_oplock_of_a_sleeping_handle),
		RIG_TEST(test_batch_oplock_broken_by_ourselves),
		RIG_TEST(test_sleeping_handle_gives_way),
		RIG_TEST(test_oplock_broken_before_the_creates_answer),
		RIG_TEST(test_oplock_acknowledgement_refused),
		RIG_TEST(test_oplock_lost),
		RIG_TEST(test_level_two_oplock),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
