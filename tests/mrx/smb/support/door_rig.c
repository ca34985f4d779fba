/*
 * door_rig.c - see the header.
 */
#include "door_rig.h"

#include <stdio.h>
#include <string.h>

static struct door *door;
struct door_volume *volume;

/* ---- the engine -------------------------------------------------------------------------------------- */

bool door_rig_start(void)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7};

	return NT_SUCCESS(nt_initialize(&config)) &&
	       NT_SUCCESS(door_start(door_builtin_driver("smb"), &door));
}

bool door_rig_stop(void)
{
	return door_stop(door) == STATUS_SUCCESS && nt_shutdown(stderr) == 0;
}

NTSTATUS door_rig_connect(uint16_t port, const char *options)
{
	struct door_connect connect = {.server = "127.0.0.1",
				       .port = port,
				       .share = "share",
				       .user = "alice",
				       .password = "Passw0rd",
				       .options = options};

	return door_volume_connect(door, NULL, &connect, &volume);
}

void door_rig_disconnect(void)
{
	if (volume != NULL)
		door_volume_disconnect(volume);
	volume = NULL;
}

NTSTATUS door_rig_open(const char *path, struct door_open open, struct door_opened *opened)
{
	NTSTATUS status = door_name_from_posix(path, &open.path);

	assert_int_equal(status, STATUS_SUCCESS);
	open.share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
	status = door_open(volume, NULL, &open, opened);
	door_name_free(&open.path);
	return status;
}

void pass(unsigned int milliseconds)
{
	LARGE_INTEGER time = {.QuadPart = -(LONGLONG)milliseconds * 10000};

	KeDelayExecutionThread(KernelMode, FALSE, &time);
}

void await(atomic_uint *count, unsigned int wanted)
{
	ULONGLONG limit = KeQueryInterruptTime() + 300000000ull; /* 30 s */

	while (atomic_load(count) < wanted) {
		assert_true(KeQueryInterruptTime() < limit);
		pass(1);
	}
}

/* ---- a keeper ---------------------------------------------------------------------------------------- */

unsigned int (*keeper_acks)(void);
static struct keeper *last_keeper;

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
	if (keeper_acks != NULL && KeReadStateEvent(&keeper->purged) == 0)
		keeper->acks_before = keeper_acks();
	(void)KeSetEvent(&keeper->purged, IO_NO_INCREMENT, FALSE);
	return TRUE;
}

static void keeper_release(void *context)
{
	(void)KeSetEvent(&((struct keeper *)context)->released, IO_NO_INCREMENT, FALSE);
}

static const struct nt_cache_ops keeper_ops = {keeper_flush, keeper_purge, keeper_release};

bool keep_if_granted(struct keeper *keeper, const struct door_opened *opened)
{
	NTSTATUS status;

	memset(keeper, 0, sizeof(*keeper));
	KeInitializeEvent(&keeper->purged, NotificationEvent, FALSE);
	KeInitializeEvent(&keeper->released, NotificationEvent, FALSE);
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
	if (keeper->map == NULL)
		return;
	nt_cache_detach(keeper->map);
	keeper->map = NULL;
	(void)KeWaitForSingleObject(&keeper->released, Executive, KernelMode, FALSE, NULL);
}

void keepers_end(void)
{
	if (last_keeper != NULL)
		keep_no_more(last_keeper);
	last_keeper = NULL;
}
