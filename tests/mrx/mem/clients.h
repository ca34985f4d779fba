/*
 * clients.h - two clients of one memory volume in one process: two server names, one share.
 */
#ifndef TESTS_MRX_MEM_CLIENTS_H
#define TESTS_MRX_MEM_CLIENTS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cache.h"
#include "front/door/door.h"

#define CLIENTS 2
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define SECONDS (10ll * 1000 * 1000) /* in 100 ns */

struct clients {
	struct door *door;
	struct door_volume *volume[CLIENTS];
};

/* 0, or -1: nothing is left behind then. */
static inline int clients_start(struct clients *c, const char *options)
{
	static const char *const servers[CLIENTS] = {"a", "b"};

	if (!NT_SUCCESS(door_start(door_builtin_driver("mem"), &c->door)))
		return -1;
	for (unsigned int i = 0; i < CLIENTS; i++) {
		struct door_connect connect = {.server = servers[i], .share = "both", .options = options};

		if (!NT_SUCCESS(door_volume_connect(c->door, NULL, &connect, &c->volume[i])))
			return -1;
	}
	return 0;
}

static inline int clients_stop(struct clients *c)
{
	for (unsigned int i = 0; i < CLIENTS; i++)
		door_volume_disconnect(c->volume[i]);
	return NT_SUCCESS(door_stop(c->door)) ? 0 : -1;
}

static inline NTSTATUS client_open(struct door_volume *volume, const char *path, ACCESS_MASK access,
				   ULONG share, ULONG disposition, struct door_opened *opened)
{
	struct door_open open = {.access = access | SYNCHRONIZE | FILE_READ_ATTRIBUTES,
				 .attributes = FILE_ATTRIBUTE_NORMAL,
				 .share = share,
				 .disposition = disposition,
				 .query = DOOR_QUERY_STAT | DOOR_QUERY_ID};
	NTSTATUS status = door_name_from_posix(path, &open.path);

	if (!NT_SUCCESS(status))
		return status;
	status = door_open(volume, NULL, &open, opened);
	door_name_free(&open.path);
	return status;
}

#endif
