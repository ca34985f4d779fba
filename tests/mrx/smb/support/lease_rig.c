/*
 * lease_rig.c - see the header.
 */
#include "lease_rig.h"

struct fake_files files;

enum { OPEN_MAX_FILES = 8 };
static struct door_file *open_files[OPEN_MAX_FILES];

/* ---- set-up ------------------------------------------------------------------------------------------ */

static unsigned int acks(void)
{
	return fake_files_count(&files, SMB2_OPLOCK_BREAK);
}

int rig_start(void **state)
{
	(void)state;
	keeper_acks = acks;
	return door_rig_start() ? 0 : -1;
}

int rig_stop(void **state)
{
	(void)state;
	return door_rig_stop() ? 0 : -1;
}

int rig_set_up(void **state)
{
	(void)state;
	fake_files_init(&files);
	files.size = 100;
	memset(files.data, 'a', 100);
	return 0;
}

int rig_tear_down(void **state)
{
	(void)state;
	fake_files_stop(&files);
	keepers_end();
	for (size_t i = 0; i < OPEN_MAX_FILES; i++) /* a test that failed has left some */
		if (open_files[i] != NULL)
			(void)door_close(open_files[i], NULL);
	memset(open_files, 0, sizeof(open_files));
	door_rig_disconnect();
	return 0;
}

void connect_with(const char *options)
{
	assert_true(fake_files_start(&files));
	assert_int_equal(door_rig_connect(files.server.port, options), STATUS_SUCCESS);
}

NTSTATUS try_open(const char *path, ACCESS_MASK access, struct door_opened *opened)
{
	struct door_open open = {.access = access | SYNCHRONIZE | FILE_READ_ATTRIBUTES,
				 .attributes = FILE_ATTRIBUTE_NORMAL,
				 .disposition = FILE_OPEN,
				 .query = DOOR_QUERY_STAT};

	return door_rig_open(path, open, opened);
}

struct door_opened open_for(const char *path, ACCESS_MASK access)
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

NTSTATUS end_file(struct door_opened *opened)
{
	for (size_t i = 0; i < OPEN_MAX_FILES; i++)
		if (open_files[i] == opened->file)
			open_files[i] = NULL;
	return door_close(opened->file, NULL);
}

void close_file(struct door_opened *opened)
{
	assert_int_equal(end_file(opened), STATUS_SUCCESS);
}

/* The first byte, as a read through the handle tells it. */
char first_byte(const struct door_opened *opened)
{
	char byte = 0;
	ULONG n = 0;

	assert_int_equal(door_read(opened->file, NULL, &byte, 1, 0, &n), STATUS_SUCCESS);
	assert_int_equal(n, 1);
	return byte;
}

NTSTATUS write_text(const struct door_opened *opened, const char *text, uint64_t offset)
{
	ULONG n = 0;

	return door_write(opened->file, NULL, text, (ULONG)strlen(text), offset, &n);
}

/* ---- breaks ------------------------------------------------------------------------------------------ */

void send_break(uint32_t from, uint32_t to)
{
	struct smb2_break brk = fake_lease_break(&files, from, to, 2);

	assert_true(fake_files_break(&files, &brk));
}

void break_lease(uint32_t from, uint32_t to)
{
	send_break(from, to);
	assert_true(fake_files_wait(&files, SMB2_OPLOCK_BREAK, 1));
}

unsigned int count_before_ack(uint16_t command)
{
	unsigned int n = 0;

	fake_files_lock(&files);
	for (unsigned int i = 0; i < files.log_count && files.log[i].command != SMB2_OPLOCK_BREAK; i++)
		n += files.log[i].command == command;
	fake_files_unlock(&files);
	return n;
}
