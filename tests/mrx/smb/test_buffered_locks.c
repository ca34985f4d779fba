/*
 * test_buffered_locks.c - locks under an exclusive grant: the server hears of them when it takes the grant back, before the
 * answer to that, and what it refuses then is lost.
 *
 * From the door to the socket; the server is fake_files.c.
 */
#include "support/lease_rig.h"

#define READ_WRITE (FILE_READ_DATA | FILE_WRITE_DATA)

struct waiter {
	KEVENT done;
	NTSTATUS status;
	ULONG_PTR leave;
};

static void lock_ended(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct waiter *w = context;

	w->status = status;
	w->leave = information;
	(void)KeSetEvent(&w->done, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS record_lock(const struct door_opened *opened, uint64_t owner, uint64_t start, uint64_t end,
			    enum door_lock_type type, ULONG_PTR *leave)
{
	struct door_range range = {.owner = owner, .start = start, .end = end, .type = type};
	LARGE_INTEGER patience = {.QuadPart = -10ll * 10000000};
	struct waiter w;

	KeInitializeEvent(&w.done, NotificationEvent, FALSE);
	door_record_lock(opened->file, NULL, &range, false, lock_ended, &w);
	assert_int_equal(KeWaitForSingleObject(&w.done, Executive, KernelMode, FALSE, &patience),
			 STATUS_SUCCESS);
	if (leave != NULL)
		*leave = w.leave;
	return w.status;
}

/* Where the first request of that kind stands in what came; -1: nowhere. */
static int place_of(uint16_t command)
{
	int place = -1;

	fake_files_lock(&files);
	for (unsigned int i = 0; i < files.log_count && place < 0; i++)
		if (files.log[i].command == command)
			place = (int)i;
	fake_files_unlock(&files);
	return place;
}

static NTSTATUS read_byte(const struct door_opened *opened)
{
	char byte;
	ULONG n;

	return door_read(opened->file, NULL, &byte, 1, 0, &n);
}

/* Nothing is sent for locks, unlocks and conversions; all that is held is sent, at once, before the break is answered. */
static void test_sent_before_the_acknowledgement(void **state)
{
	struct door_opened opened;
	ULONG_PTR leave, again;
	struct fake_event sent;
	int place;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", READ_WRITE);
	assert_int_equal(record_lock(&opened, 1, 0, 10, DOOR_EXCLUSIVE, &leave), STATUS_SUCCESS);
	assert_int_not_equal(leave, 0);
	assert_int_equal(record_lock(&opened, 2, 20, 30, DOOR_SHARED, &again), STATUS_SUCCESS);
	assert_int_equal(leave, again);
	assert_int_equal(record_lock(&opened, 2, 9, 10, DOOR_SHARED, NULL), STATUS_LOCK_NOT_GRANTED);
	assert_int_equal(record_lock(&opened, 1, 40, 50, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	assert_int_equal(record_lock(&opened, 1, 40, 50, DOOR_SHARED, &again), STATUS_SUCCESS);
	assert_int_equal(leave, again); /* to have less is nothing new */
	assert_int_equal(record_lock(&opened, 1, 40, 50, DOOR_UNLOCKED, NULL), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 0);

	break_lease(RWH, RH);
	assert_int_equal(fake_files_last_ack(&files).new_state, RH);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 1);
	place = place_of(SMB2_LOCK);
	assert_true(place < place_of(SMB2_OPLOCK_BREAK));
	fake_files_lock(&files);
	sent = files.log[place];
	fake_files_unlock(&files);
	assert_int_equal(sent.locks, 2);
	assert_int_equal(sent.lock.offset, 20); /* the last: in the order they were taken */
	assert_int_equal(sent.lock.length, 10);
	assert_int_equal(sent.lock.flags, SMB2_LOCKFLAG_SHARED_LOCK | SMB2_LOCKFLAG_FAIL_IMMEDIATELY);

	/* from here on the server is asked */
	assert_int_equal(record_lock(&opened, 2, 20, 30, DOOR_UNLOCKED, NULL), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 2);
	assert_int_equal(record_lock(&opened, 2, 60, 70, DOOR_SHARED, &leave), STATUS_SUCCESS);
	assert_int_equal(leave, 0);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 3);
	close_file(&opened);
}

/* Without W others may lock too: the server is asked. */
static void test_not_under_a_shared_lease(void **state)
{
	struct door_opened opened;

	(void)state;
	files.has_grant = true;
	files.grant = RH;
	connect_with(NULL);
	opened = open_for("f", READ_WRITE);
	assert_int_equal(record_lock(&opened, 1, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 1);
	close_file(&opened);
}

/* A lock that ends with its handle was never sent. */
static void test_closed_with_a_lock(void **state)
{
	struct door_opened opened;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", READ_WRITE);
	assert_int_equal(record_lock(&opened, 1, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	close_file(&opened);
	opened = open_for("f", READ_WRITE);
	assert_int_equal(record_lock(&opened, 2, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	close_file(&opened);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 0);
}

/* Data is kept back beside them; at a break it goes first, then the locks, then the answer. */
static void test_data_locks_answer(void **state)
{
	struct door_opened opened;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", READ_WRITE);
	assert_int_equal(write_text(&opened, "before", 0), STATUS_SUCCESS);
	assert_int_equal(record_lock(&opened, 1, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	assert_int_equal(write_text(&opened, "behind", 0), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_WRITE), 0);
	break_lease(RWH, 0);
	assert_true(place_of(SMB2_WRITE) >= 0);
	assert_true(place_of(SMB2_WRITE) < place_of(SMB2_LOCK));
	assert_true(place_of(SMB2_LOCK) < place_of(SMB2_OPLOCK_BREAK));
	assert_memory_equal(files.data, "behind", 6);
	assert_int_equal(write_text(&opened, "there", 0), STATUS_SUCCESS);
	assert_memory_equal(files.data, "there", 5); /* beside locks at the server nothing is kept back */
	close_file(&opened);
}

/*
 * A lock that the server refuses then is lost: whoever had one of the file gets an error from then on, by data, flush and
 * lock; the break is answered; pages go; who had none goes on.
 */
static void test_refused(void **state)
{
	struct door_opened holder, other, fresh;
	static struct keeper keeper;

	(void)state;
	files.refused_lock = 20;
	connect_with(NULL);
	holder = open_for("f", READ_WRITE);
	other = open_for("f", READ_WRITE);
	keep(&keeper, &holder);
	assert_int_equal(record_lock(&holder, 1, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	assert_int_equal(record_lock(&holder, 1, 20, 30, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	break_lease(RWH, RH);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 3); /* both, and each by itself */
	assert_true(is_purged(&keeper));
	assert_int_equal(door_flush(holder.file, NULL), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(read_byte(&holder), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(write_text(&holder, "x", 0), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(record_lock(&holder, 1, 40, 50, DOOR_SHARED, NULL), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(read_byte(&other), STATUS_SUCCESS);
	files.refused_lock = UINT64_MAX;
	fresh = open_for("f", READ_WRITE);
	assert_int_equal(record_lock(&fresh, 1, 0, 50, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	assert_int_equal(read_byte(&fresh), STATUS_SUCCESS);
	keep_no_more(&keeper);
	close_file(&fresh);
	close_file(&other);
	(void)end_file(&holder);
}

/* They end with the connection, as those at the server would. */
static void test_lost_with_the_connection(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", READ_WRITE);
	keep(&keeper, &opened);
	assert_int_equal(record_lock(&opened, 1, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	fake_files_drop(&files);
	assert_true(is_purged(&keeper));
	assert_int_equal(read_byte(&opened), STATUS_FILE_FORCED_CLOSED);
	assert_int_equal(record_lock(&opened, 1, 20, 30, DOOR_SHARED, NULL), STATUS_FILE_FORCED_CLOSED);
	keep_no_more(&keeper);
	(void)end_file(&opened);
}

/* The same with an oplock, where leases are absent: a break, and a second handle of our own. */
static void test_under_an_oplock(void **state)
{
	struct smb2_break brk = {.oplock_level = SMB2_OPLOCK_LEVEL_II};
	struct door_opened opened, second;
	unsigned int before;

	(void)state;
	files.dialect = SMB2_DIALECT_210;
	files.capabilities = SMB2_GLOBAL_CAP_LARGE_MTU;
	files.oplock_level = SMB2_OPLOCK_LEVEL_BATCH;
	connect_with(NULL);
	opened = open_for("f", READ_WRITE);
	assert_int_equal(record_lock(&opened, 1, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 0);
	brk.file_id = (struct smb2_file_id){files.opens, files.opens};
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), 1);
	assert_true(place_of(SMB2_LOCK) < place_of(SMB2_OPLOCK_BREAK));
	close_file(&opened);

	before = fake_files_count(&files, SMB2_LOCK); /* the close has unlocked what the server knew */
	opened = open_for("g", READ_WRITE);
	assert_int_equal(record_lock(&opened, 1, 0, 10, DOOR_EXCLUSIVE, NULL), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), before);
	second = open_for("g", FILE_READ_DATA);
	fake_files_lock(&files);
	assert_int_equal(files.log[files.log_count - 2].command, SMB2_LOCK); /* before the second handle */
	assert_int_equal(files.log[files.log_count - 1].command, SMB2_CREATE);
	fake_files_unlock(&files);
	assert_int_equal(fake_files_count(&files, SMB2_LOCK), before + 1);
	close_file(&second);
	close_file(&opened);
}

#define LOCK_TEST(fn) RIG_TEST(fn)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCK_TEST(test_sent_before_the_acknowledgement),
		LOCK_TEST(test_not_under_a_shared_lease),
		LOCK_TEST(test_closed_with_a_lock),
		LOCK_TEST(test_data_locks_answer),
		LOCK_TEST(test_refused),
		LOCK_TEST(test_lost_with_the_connection),
		LOCK_TEST(test_under_an_oplock),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
