/*
 * test_lease.c - grants and breaks of a server that lies, repeats itself, or keeps silent.
 *
 * The whole engine runs, from the door to the socket; the server is fake_files.c.  A keeper stands for a front end
 * that keeps pages of the file: it learns when they must go.
 */
#include "support/lease_rig.h"

/* ---- what is granted --------------------------------------------------------------------------------- */

static void expect_nothing_kept(void)
{
	struct door_opened opened = open_for("f", FILE_READ_DATA);

	assert_false(opened.read_caching);
	assert_int_equal(first_byte(&opened), 'a');
	close_file(&opened);
}

/* More than was asked for: nothing is kept, and the break of it is answered with no more than it leaves. */
static void test_grant_of_more_than_asked(void **state)
{
	struct door_opened opened;

	(void)state;
	files.has_grant = true;
	files.grant = RWH;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	assert_int_equal(files.asked.state, RH);
	assert_false(opened.read_caching);
	break_lease(RWH, RH);
	assert_int_equal(fake_files_last_ack(&files).new_state & ~(uint32_t)RH, 0);
	close_file(&opened);
}

/* Bits that no document knows: nothing is kept. */
static void test_grant_of_unknown_bits(void **state)
{
	(void)state;
	files.has_grant = true;
	files.grant = RH | 0x80000000u;
	connect_with(NULL);
	expect_nothing_kept();
}

/* A lease under a key that is not ours: its breaks would not find the file, so nothing is kept. */
static void test_grant_of_another_key(void **state)
{
	(void)state;
	files.other_key = true;
	connect_with(NULL);
	expect_nothing_kept();
}

/* An oplock where a lease was asked for: nothing is kept, and its break is answered all the same. */
static void test_grant_of_an_oplock(void **state)
{
	struct smb2_break brk = {.oplock_level = SMB2_OPLOCK_LEVEL_II};
	struct door_opened opened;

	(void)state;
	files.oplock_level = SMB2_OPLOCK_LEVEL_BATCH;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	assert_false(opened.read_caching);
	brk.file_id = (struct smb2_file_id){files.opens, files.opens};
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_int_equal(fake_files_last_ack(&files).oplock_level, SMB2_OPLOCK_LEVEL_NONE);
	close_file(&opened);
}

/* ---- breaks ------------------------------------------------------------------------------------------ */

/* The same break twice: the pages go before the first answer, the second is answered too, nothing else happens. */
static void test_break_twice(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	send_break(RH, 0);
	send_break(RH, 0);
	assert_true(is_purged(&keeper));
	assert_int_equal(keeper.acks_before, 0);
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 2));
	assert_int_equal(fake_files_last_ack(&files).new_state, 0);
	assert_int_equal(first_byte(&opened), 'a');
	keep_no_more(&keeper);
	close_file(&opened);
}

/* A lease that nobody holds: no answer, and everything else goes on. */
static void test_break_of_what_is_not_held(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;
	struct smb2_break brk;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	brk = fake_lease_break(&files, RH, 0, 2);
	brk.lease_key[3] ^= 0xFF;
	assert_true(fake_files_break(&files, &brk));
	assert_int_equal(first_byte(&opened), 'a'); /* the connection has seen the break by now */
	break_lease(RH, R);
	assert_int_equal(fake_files_last_ack(&files).new_state, R);
	assert_int_equal(KeReadStateEvent(&keeper.purged), 0);
	keep_no_more(&keeper);
	close_file(&opened);
}

/* A break that gives more than is held gives nothing. */
static void test_break_to_a_higher_state(void **state)
{
	struct door_opened opened;

	(void)state;
	files.has_grant = true;
	files.grant = R;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	break_lease(RH, RWH);
	assert_int_equal(fake_files_last_ack(&files).new_state, R);
	close_file(&opened);
}

/* MS-SMB2 3.2.5.19.4: an acknowledgement that is refused says that the lease is gone; so are the pages. */
static void test_acknowledgement_refused(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;

	(void)state;
	files.ack_status = WIRE_UNSUCCESSFUL;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	break_lease(RH, R);
	assert_true(is_purged(&keeper));
	assert_int_equal(first_byte(&opened), 'a');
	keep_no_more(&keeper);
	close_file(&opened);
}

/* An acknowledgement that is never answered ends the connection in the time of a request, and with it the lease. */
static void test_acknowledgement_unanswered(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;
	char byte;
	ULONG n;

	(void)state;
	files.mute_acks = true;
	connect_with("timeout=1,echo_interval=1");
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	break_lease(RH, R);
	assert_true(is_purged(&keeper));
	assert_false(NT_SUCCESS(door_read(opened.file, NULL, &byte, 1, 0, &n)));
	keep_no_more(&keeper);
	(void)end_file(&opened);
}

/* A break that overtakes the answer of the create which got the lease is not lost. */
static void test_break_before_the_creates_answer(void **state)
{
	struct smb2_break brk = {.is_lease = true,
				 .flags = SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED,
				 .current_state = RH,
				 .new_state = 0,
				 .new_epoch = 2};
	struct door_opened opened;

	(void)state;
	connect_with(NULL);
	files.before_create = &brk;
	opened = open_for("f", FILE_READ_DATA);
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_int_equal(fake_files_last_ack(&files).new_state, 0);
	close_file(&opened);
}

/* The data of a write that was answered is at the server before the break is acknowledged. */
static void test_break_writes_back_first(void **state)
{
	struct door_opened opened;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_int_equal(write_text(&opened, "promised", 0), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_WRITE), 0); /* kept under W */
	break_lease(RWH, 0);
	assert_int_equal(count_before_ack(SMB2_WRITE), 1);
	assert_memory_equal(files.data, "promised", 8);
	close_file(&opened);
}

/* A lease whose connection ends behind the create's answer is held by nobody: what is kept under it goes at once. */
static void test_lost_before_the_creates_answer_is_read(void **state)
{
	(void)state;
	connect_with(NULL);
	for (int i = 0; i < 100; i++) {
		struct door_opened opened;
		static struct keeper keeper;

		fake_files_lock(&files);
		files.drop_after_create = true;
		fake_files_unlock(&files);
		if (!NT_SUCCESS(try_open("f", FILE_READ_DATA, &opened)))
			continue; /* the loss was seen first */
		if (opened.read_caching && keep_if_granted(&keeper, &opened)) {
			assert_true(is_purged(&keeper));
			keep_no_more(&keeper);
		}
		(void)door_close(opened.file, NULL);
	}
}

/* A break that asks for no answer gets none, and takes the pages all the same. */
static void test_break_without_acknowledgement(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;
	struct smb2_break brk;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	brk = fake_lease_break(&files, RH, 0, 2);
	brk.flags = 0;
	assert_true(fake_files_break(&files, &brk));
	assert_true(is_purged(&keeper));
	keep_no_more(&keeper);
	close_file(&opened);
	assert_true(fake_files_wait(&files, SMB2_CLOSE, 1));
	assert_int_equal(fake_files_count(&files, SMB2_OPLOCK_BREAK), 0);
}

/* Breaks and closes that cross: each handle is closed once, and the connection goes on. */
static void test_break_of_a_closing_handle(void **state)
{
	unsigned int opens;

	(void)state;
	connect_with(NULL);
	for (int i = 0; i < 50; i++) {
		struct door_opened opened = open_for("f", FILE_READ_DATA);
		struct smb2_break brk = fake_lease_break(&files, RH, i % 2 != 0 ? 0 : R, 2);

		assert_true(fake_files_break(&files, &brk));
		close_file(&opened);
		assert_true(fake_files_break(&files, &brk));
	}
	door_volume_disconnect(volume);
	volume = NULL;
	fake_files_lock(&files);
	opens = files.opens;
	assert_int_equal(files.connections, 1);
	for (unsigned int i = 0; i < files.log_count; i++)
		for (unsigned int k = 0; k < i; k++)
			assert_false(files.log[i].command == SMB2_CLOSE &&
				     files.log[k].command == SMB2_CLOSE &&
				     files.log[i].file_id == files.log[k].file_id);
	fake_files_unlock(&files);
	assert_true(fake_files_wait(&files, SMB2_CLOSE, opens));
}

/*
 * A write-back that the server refuses is not acknowledged as done: the server will take the whole lease away, so that
 * nothing may be kept under what the break would have left. The data stays, and its owner hears of the failure.
 */
static void test_write_back_refused(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	keep(&keeper, &opened);
	assert_int_equal(write_text(&opened, "promised", 0), STATUS_SUCCESS);
	fake_files_lock(&files);
	files.write_status = WIRE_DISK_FULL;
	fake_files_unlock(&files);
	send_break(RWH, RH);
	assert_true(is_purged(&keeper));
	assert_int_equal(fake_files_count(&files, SMB2_OPLOCK_BREAK), 0);
	keep_no_more(&keeper);
	assert_int_equal(end_file(&opened), STATUS_DISK_FULL);
}

/* A connection that ends with data kept under W: its handle's end says that the data is not there. */
static void test_lost_with_data(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	keep(&keeper, &opened);
	assert_int_equal(write_text(&opened, "promised", 0), STATUS_SUCCESS);
	fake_files_drop(&files);
	assert_true(is_purged(&keeper));
	keep_no_more(&keeper);
	assert_false(NT_SUCCESS(end_file(&opened)));
}

/* ---- answers that contradict the lease --------------------------------------------------------------- */

/* MS-SMB2 3.2.5.7.5: an epoch that has moved on by more than this grant tells of changes that nobody told us of. */
static void test_epoch_that_jumps(void **state)
{
	struct door_opened first, second;
	static struct keeper keeper;

	(void)state;
	connect_with(NULL);
	first = open_for("f", FILE_READ_DATA);
	keep(&keeper, &first);
	fake_files_lock(&files);
	files.epoch = 4;
	fake_files_unlock(&files);
	second = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_true(is_purged(&keeper));
	keep_no_more(&keeper);
	close_file(&second);
	close_file(&first);
}

static struct door_opened open_in_epoch(uint16_t epoch, ACCESS_MASK access)
{
	fake_files_lock(&files);
	files.epoch = epoch;
	fake_files_unlock(&files);
	return open_for("f", access);
}

/* The epoch wraps; an upgrade takes one step, a mere open none: pages stay. An old one is a lie: they go. */
static void test_epoch_that_wraps(void **state)
{
	static struct keeper keeper;
	struct door_opened opened[4];

	(void)state;
	connect_with(NULL);
	opened[0] = open_in_epoch(0xFFFF, FILE_READ_DATA);
	keep(&keeper, &opened[0]);
	opened[1] = open_in_epoch(0, FILE_READ_DATA | FILE_WRITE_DATA);
	opened[2] = open_in_epoch(0, FILE_READ_DATA | FILE_WRITE_DATA | FILE_WRITE_EA);
	assert_true(opened[2].read_caching);
	assert_int_equal(KeReadStateEvent(&keeper.purged), 0);
	opened[3] = open_in_epoch(0xFFFE, FILE_READ_DATA | FILE_READ_EA | DELETE);
	assert_true(is_purged(&keeper));
	keep_no_more(&keeper);
	for (size_t i = 0; i < RTL_NUMBER_OF(opened); i++)
		close_file(&opened[i]);
}

/* A size that changed under a lease nobody broke: the server has not kept its word, and nothing is kept on it. */
static void test_size_that_contradicts(void **state)
{
	struct door_opened first, second;
	static struct keeper keeper;

	(void)state;
	connect_with(NULL);
	first = open_for("f", FILE_READ_DATA);
	keep(&keeper, &first);
	fake_files_lock(&files);
	files.size = 50;
	fake_files_unlock(&files);
	second = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_true(is_purged(&keeper));
	assert_int_equal(second.stat.EndOfFile.QuadPart, 50);
	keep_no_more(&keeper);
	close_file(&second);
	close_file(&first);
}

/* A last write time that changed under a lease nobody broke, when nothing was written here: the same. */
static void test_time_that_contradicts(void **state)
{
	struct door_opened first, second;
	static struct keeper keeper;

	(void)state;
	connect_with(NULL);
	first = open_for("f", FILE_READ_DATA);
	keep(&keeper, &first);
	fake_files_lock(&files);
	files.time += 10000000;
	fake_files_unlock(&files);
	second = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_true(is_purged(&keeper));
	keep_no_more(&keeper);
	close_file(&second);
	close_file(&first);
}

/* Another file under the name with each answer: each open gets the file it was told of, or a clear error; no loop. */
static void test_file_id_that_changes(void **state)
{
	struct door_opened first, second;
	NTSTATUS status;

	(void)state;
	files.new_id_each_time = true;
	connect_with(NULL);
	first = open_for("f", FILE_READ_DATA);
	status = try_open("f", FILE_READ_DATA | FILE_WRITE_DATA, &second);
	if (NT_SUCCESS(status)) {
		assert_true(first.stat.FileId.QuadPart != second.stat.FileId.QuadPart);
		assert_int_equal(write_text(&second, "b", 0), STATUS_SUCCESS);
		assert_int_equal(door_close(second.file, NULL), STATUS_SUCCESS);
		assert_memory_equal(files.data, "b", 1);
	}
	assert_int_equal(first_byte(&first), NT_SUCCESS(status) ? 'b' : 'a');
	close_file(&first);
	assert_true(fake_files_count(&files, SMB2_CREATE) < 20);
}

/* ---- at once ----------------------------------------------------------------------------------------- */

enum { ROUNDS = 200 };

struct breaker {
	KSEMAPHORE rounds; /* that the opener has begun; it does not wait for the breaks */
	unsigned int unsent;
};

/* A server that takes the lease back in every round, in part or whole. */
static void break_again_and_again(void *context)
{
	static const uint32_t left[] = {RH, R, 0};
	struct breaker *b = context;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct smb2_break brk = fake_lease_break(&files, RWH, left[i % 3], (uint16_t)(i + 2));

		(void)KeWaitForSingleObject(&b->rounds, Executive, KernelMode, FALSE, NULL);
		b->unsent += !fake_files_break(&files, &brk);
	}
}

/* Opens, writes and closes while breaks come: what is read is what was written last, whatever was kept back. */
static void test_breaks_beside_opens(void **state)
{
	struct door_opened first;
	struct breaker b = {0};
	struct nt_thread *thread;
	char text[2] = "a";

	(void)state;
	connect_with(NULL);
	first = open_for("f", FILE_READ_DATA); /* there is a connection, and a lease that can be broken */
	close_file(&first);
	KeInitializeSemaphore(&b.rounds, 0, ROUNDS);
	assert_int_equal(nt_thread_create("breaker", break_again_and_again, &b, &thread), STATUS_SUCCESS);
	for (int i = 0; i < ROUNDS; i++) {
		struct door_opened reader, writer;

		(void)KeReleaseSemaphore(&b.rounds, IO_NO_INCREMENT, 1, FALSE);
		reader = open_for("f", FILE_READ_DATA);
		writer = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
		assert_int_equal(first_byte(&reader), text[0]);
		text[0] = (char)('a' + i % 26);
		assert_int_equal(write_text(&writer, text, 0), STATUS_SUCCESS);
		assert_int_equal(first_byte(&reader), text[0]);
		close_file(&writer);
		close_file(&reader);
	}
	nt_thread_join(thread);
	assert_int_equal(b.unsent, 0);
	assert_int_equal(files.connections, 1);
}

/* Sets the times of a file by its other name, which closes what sleeps of the file before. */
static void touch_again_and_again(void *context)
{
	FILE_BASIC_INFORMATION times = {.LastWriteTime.QuadPart = 132000000000000000};
	struct door_open open = {.access = FILE_WRITE_ATTRIBUTES | SYNCHRONIZE,
				 .disposition = FILE_OPEN,
				 .query = DOOR_SET | DOOR_QUERY_CLOSE,
				 .change = {{FileBasicInformation, &times, sizeof(times)}},
				 .changes = 1};
	unsigned int *failed = context;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct door_opened opened;

		*failed += !NT_SUCCESS(try_open("g", FILE_READ_DATA, &opened)) ||
			   !NT_SUCCESS(door_close(opened.file, NULL)); /* it sleeps */
		*failed += !NT_SUCCESS(door_rig_open("g", open, &opened)) || !(opened.supplied & DOOR_SET);
	}
}

/* Whoever asks whether two names are one file looks at the numbers of files that others open just then. */
static void test_opens_beside_changes_by_name(void **state)
{
	unsigned int failed = 0;
	struct nt_thread *thread;

	(void)state;
	connect_with(NULL);
	assert_int_equal(nt_thread_create("toucher", touch_again_and_again, &failed, &thread),
			 STATUS_SUCCESS);
	for (int i = 0; i < ROUNDS; i++) {
		/* by turns, so that one sleeps while the other is asked for */
		struct door_opened opened = open_for("f", i % 2 == 0 ? FILE_READ_DATA : FILE_WRITE_DATA);

		assert_int_equal(opened.stat.FileId.QuadPart, files.id);
		close_file(&opened);
	}
	nt_thread_join(thread);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_grant_of_more_than_asked),
		RIG_TEST(test_grant_of_unknown_bits),
		RIG_TEST(test_grant_of_another_key),
		RIG_TEST(test_grant_of_an_oplock),
		RIG_TEST(test_break_twice),
		RIG_TEST(test_break_of_what_is_not_held),
		RIG_TEST(test_break_to_a_higher_state),
		RIG_TEST(test_acknowledgement_refused),
		RIG_TEST(test_acknowledgement_unanswered),
		RIG_TEST(test_break_before_the_creates_answer),
		RIG_TEST(test_break_writes_back_first),
		RIG_TEST(test_lost_before_the_creates_answer_is_read),
		RIG_TEST(test_break_without_acknowledgement),
		RIG_TEST(test_break_of_a_closing_handle),
		RIG_TEST(test_write_back_refused),
		RIG_TEST(test_lost_with_data),
		RIG_TEST(test_epoch_that_jumps),
		RIG_TEST(test_epoch_that_wraps),
		RIG_TEST(test_size_that_contradicts),
		RIG_TEST(test_time_that_contradicts),
		RIG_TEST(test_file_id_that_changes),
		RIG_TEST(test_breaks_beside_opens),
		RIG_TEST(test_opens_beside_changes_by_name),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
