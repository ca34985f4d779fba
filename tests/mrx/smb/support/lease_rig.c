/*
 * lease_rig.c - see the header.
 */
#include "lease_rig.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static struct door *door;
struct door_volume *volume;
struct fake_files files;

enum { OPEN_MAX_FILES = 8 };
static struct door_file *open_files[OPEN_MAX_FILES];

/* ---- a keeper of pages ------------------------------------------------------------------------------- */

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
bool keep_if_granted(struct keeper *keeper, const struct door_opened *opened)
{
	NTSTATUS status;

	memset(keeper, 0, sizeof(*keeper));
	KeInitializeEvent(&keeper->purged, NotificationEvent, FALSE);
	status = door_cache_attach(opened, &keeper_ops, keeper, &keeper->map);
	last_keeper = keeper;
	assert_true(status == STATUS_SUCCESS || status == STATUS_RETRY);
	return status == STATUS_SUCCESS;
}

void keep(struct keeper *keeper, const struct door_opened *opened)
{
	assert_true(opened->read_caching);
	assert_true(keep_if_granted(keeper, opened));
}

bool is_purged(struct keeper *keeper)
{
	LARGE_INTEGER patience = {.QuadPart = -10ll * 10000000};

	return KeWaitForSingleObject(&keeper->purged, Executive, KernelMode, FALSE, &patience) ==
	       STATUS_SUCCESS;
}

void keep_no_more(struct keeper *keeper)
{
	if (keeper->map != NULL)
		nt_cache_detach(keeper->map);
	keeper->map = NULL;
}

/* ---- set-up ------------------------------------------------------------------------------------------ */

int rig_start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7};

	(void)state;
	if (!NT_SUCCESS(nt_initialize(&config)))
		return -1;
	return NT_SUCCESS(door_start(door_builtin_driver("smb"), &door)) ? 0 : -1;
}

int rig_stop(void **state)
{
	(void)state;
	if (!NT_SUCCESS(door_stop(door)))
		return -1;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
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

void connect_with(const char *options)
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

NTSTATUS try_open(const char *path, ACCESS_MASK access, struct door_opened *opened)
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
