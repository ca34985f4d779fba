/*
 * test_lease.c - grants and breaks of a server that lies, repeats itself, or keeps silent.
 *
 * The whole engine runs, from the door to the socket; the server is fake_files.c.  A keeper stands for a front end
 * that keeps pages of the file: it learns when they must go.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/door/door.h"
#include "cache.h"

#include "support/fake_files.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define R SMB2_LEASE_READ_CACHING
#define RH (SMB2_LEASE_READ_CACHING | SMB2_LEASE_HANDLE_CACHING)
#define RW (SMB2_LEASE_READ_CACHING | SMB2_LEASE_WRITE_CACHING)
#define RWH (RH | SMB2_LEASE_WRITE_CACHING)
#define WIRE_UNSUCCESSFUL 0xC0000001u
#define WIRE_DISK_FULL 0xC000007Fu

static struct door *door;
static struct door_volume *volume;
static struct fake_files files;

enum { OPEN_MAX_FILES = 8 };
static struct door_file *open_files[OPEN_MAX_FILES];

/* ---- a keeper of pages ------------------------------------------------------------------------------- */

struct keeper {
	struct nt_cache_map *map;
	KEVENT purged;
	unsigned int acks_before; /* acknowledgements that the server had when the pages went */
};

static struct keeper *last_keeper; /* static, so that a test that failed leaves it usable */

static NTSTATUS keeper_flush(void *context, LONGLONG offset, ULONG length)
{
	(void)context;
	(void)offset;
	(void)length;
	return STATUS_SUCCESS;
}

static BOOLEAN keeper_purge(void *context, LONGLONG offset, ULONG length)
{
	struct keeper *keeper = context;

	(void)offset;
	(void)length;
	if (KeReadStateEvent(&keeper->purged) == 0)
		keeper->acks_before = fake_files_count(&files, SMB2_OPLOCK_BREAK);
	(void)KeSetEvent(&keeper->purged, IO_NO_INCREMENT, FALSE);
	return TRUE;
}

static void keeper_release(void *context)
{
	(void)context;
}

static const struct nt_cache_ops keeper_ops = {keeper_flush, keeper_purge, keeper_release};

/* False: the grant has ended already. */
static bool keep_if_granted(struct keeper *keeper, const struct door_opened *opened)
{
	NTSTATUS status;

	memset(keeper, 0, sizeof(*keeper));
	KeInitializeEvent(&keeper->purged, NotificationEvent, FALSE);
	status = door_cache_attach(opened, &keeper_ops, keeper, &keeper->map);
	last_keeper = keeper;
	assert_true(status == STATUS_SUCCESS || status == STATUS_RETRY);
	return status == STATUS_SUCCESS;
}

static void keep(struct keeper *keeper, const struct door_opened *opened)
{
	assert_true(opened->read_caching);
	assert_true(keep_if_granted(keeper, opened));
}

static bool is_purged(struct keeper *keeper)
{
	LARGE_INTEGER patience = {.QuadPart = -10ll * 10000000};

	return KeWaitForSingleObject(&keeper->purged, Executive, KernelMode, FALSE, &patience) ==
	       STATUS_SUCCESS;
}

static void keep_no_more(struct keeper *keeper)
{
	if (keeper->map != NULL)
		nt_cache_detach(keeper->map);
	keeper->map = NULL;
}

/* ---- set-up ------------------------------------------------------------------------------------------ */

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7};

	(void)state;
	if (!NT_SUCCESS(nt_initialize(&config)))
		return -1;
	return NT_SUCCESS(door_start(door_builtin_driver("smb"), &door)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	if (!NT_SUCCESS(door_stop(door)))
		return -1;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static int set_up(void **state)
{
	(void)state;
	fake_files_init(&files);
	files.size = 100;
	memset(files.data, 'a', 100);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_files_stop(&files);
	if (last_keeper != NULL)
		keep_no_more(last_keeper);
	last_keeper = NULL;
	for (size_t i = 0; i < OPEN_MAX_FILES; i++) /* a test that failed has left some */
		if (open_files[i] != NULL)
			(void)door_close(open_files[i], NULL);
	memset(open_files, 0, sizeof(open_files));
	if (volume != NULL)
		door_volume_disconnect(volume);
	volume = NULL;
	return 0;
}

static void connect_with(const char *options)
{
	struct door_connect connect = {.server = "127.0.0.1",
				       .share = "share",
				       .user = "Alice",
				       .password = "Passw0rd",
				       .options = options};

	assert_true(fake_files_start(&files));
	connect.port = files.server.port;
	assert_int_equal(door_volume_connect(door, NULL, &connect, &volume), STATUS_SUCCESS);
}

static NTSTATUS try_open(const char *path, ACCESS_MASK access, struct door_opened *opened)
{
	struct door_open open = {.access = access | SYNCHRONIZE | FILE_READ_ATTRIBUTES,
				 .attributes = FILE_ATTRIBUTE_NORMAL,
				 .share = SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .query = DOOR_QUERY_STAT};
	NTSTATUS status = door_name_from_posix(path, &open.path);

	assert_int_equal(status, STATUS_SUCCESS);
	status = door_open(volume, NULL, &open, opened);
	door_name_free(&open.path);
	return status;
}

static struct door_opened open_for(const char *path, ACCESS_MASK access)
{
	struct door_opened opened;

	assert_int_equal(try_open(path, access, &opened), STATUS_SUCCESS);
	for (size_t i = 0; i < OPEN_MAX_FILES; i++)
		if (open_files[i] == NULL) {
			open_files[i] = opened.file;
			return opened;
		}
	fail_msg("too many open files");
	return opened;
}

static NTSTATUS end_file(struct door_opened *opened)
{
	for (size_t i = 0; i < OPEN_MAX_FILES; i++)
		if (open_files[i] == opened->file)
			open_files[i] = NULL;
	return door_close(opened->file, NULL);
}

static void close_file(struct door_opened *opened)
{
	assert_int_equal(end_file(opened), STATUS_SUCCESS);
}

/* The first byte, as a read through the handle tells it. */
static char first_byte(const struct door_opened *opened)
{
	char byte = 0;
	ULONG n = 0;

	assert_int_equal(door_read(opened->file, NULL, &byte, 1, 0, &n), STATUS_SUCCESS);
	assert_int_equal(n, 1);
	return byte;
}

static NTSTATUS write_text(const struct door_opened *opened, const char *text, uint64_t offset)
{
	ULONG n = 0;

	return door_write(opened->file, NULL, text, (ULONG)strlen(text), offset, &n);
}

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
	struct smb2_break brk;

	(void)state;
	files.has_grant = true;
	files.grant = RWH;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	assert_int_equal(files.asked.state, RH);
	assert_false(opened.read_caching);
	brk = fake_lease_break(&files, RWH, RH, 2);
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
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
	struct smb2_break brk;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	brk = fake_lease_break(&files, RH, 0, 2);
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_break(&files, &brk));
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
	brk = fake_lease_break(&files, RH, R, 2);
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_int_equal(fake_files_last_ack(&files).new_state, R);
	assert_int_equal(KeReadStateEvent(&keeper.purged), 0);
	keep_no_more(&keeper);
	close_file(&opened);
}

/* A break that gives more than is held gives nothing. */
static void test_break_to_a_higher_state(void **state)
{
	struct door_opened opened;
	struct smb2_break brk;

	(void)state;
	files.has_grant = true;
	files.grant = R;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	brk = fake_lease_break(&files, RH, RWH, 2);
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	assert_int_equal(fake_files_last_ack(&files).new_state, R);
	close_file(&opened);
}

/* MS-SMB2 3.2.5.19.4: an acknowledgement that is refused says that the lease is gone; so are the pages. */
static void test_acknowledgement_refused(void **state)
{
	struct door_opened opened;
	static struct keeper keeper;
	struct smb2_break brk;

	(void)state;
	files.ack_status = WIRE_UNSUCCESSFUL;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	brk = fake_lease_break(&files, RH, R, 2);
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
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
	struct smb2_break brk;
	char byte;
	ULONG n;

	(void)state;
	files.mute_acks = true;
	connect_with("timeout=1,echo_interval=1");
	opened = open_for("f", FILE_READ_DATA);
	keep(&keeper, &opened);
	brk = fake_lease_break(&files, RH, R, 2);
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
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
	struct smb2_break brk;
	unsigned int written = 0;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_int_equal(write_text(&opened, "promised", 0), STATUS_SUCCESS);
	assert_int_equal(fake_files_count(&files, SMB2_WRITE), 0); /* kept under W */
	brk = fake_lease_break(&files, RWH, 0, 2);
	assert_true(fake_files_break(&files, &brk));
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
	fake_files_lock(&files);
	for (unsigned int i = 0; i < files.log_count && files.log[i].command != SMB2_OPLOCK_BREAK; i++)
		written += files.log[i].command == SMB2_WRITE;
	assert_int_equal(written, 1);
	assert_memory_equal(files.data, "promised", 8);
	fake_files_unlock(&files);
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
	struct smb2_break brk;

	(void)state;
	connect_with(NULL);
	opened = open_for("f", FILE_READ_DATA | FILE_WRITE_DATA);
	keep(&keeper, &opened);
	assert_int_equal(write_text(&opened, "promised", 0), STATUS_SUCCESS);
	fake_files_lock(&files);
	files.write_status = WIRE_DISK_FULL;
	fake_files_unlock(&files);
	brk = fake_lease_break(&files, RWH, RH, 2);
	assert_true(fake_files_break(&files, &brk));
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

/* How many requests of a kind came before the first acknowledgement. */
static unsigned int count_before_ack(uint16_t command)
{
	unsigned int n = 0;

	fake_files_lock(&files);
	for (unsigned int i = 0; i < files.log_count && files.log[i].command != SMB2_OPLOCK_BREAK; i++)
		n += files.log[i].command == command;
	fake_files_unlock(&files);
	return n;
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
		cmocka_unit_test_setup_teardown(test_grant_of_more_than_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_grant_of_unknown_bits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_grant_of_another_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_before_the_creates_answer_is_read, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_grant_of_an_oplock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_break_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_break_of_what_is_not_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_break_to_a_higher_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_acknowledgement_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_acknowledgement_unanswered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_break_before_the_creates_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_break_writes_back_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_break_without_acknowledgement, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_break_of_a_closing_handle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_back_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_with_data, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_epoch_that_jumps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_epoch_that_wraps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_size_that_contradicts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_time_that_contradicts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file_id_that_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_oplock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_oplock_of_a_sleeping_handle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_oplock_broken_by_ourselves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_oplock_broken_before_the_creates_answer, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_oplock_acknowledgement_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_oplock_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_level_two_oplock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sleeping_handle_gives_way, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
