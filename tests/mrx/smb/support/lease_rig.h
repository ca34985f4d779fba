/*
 * lease_rig.h - the whole engine, from the door to a scripted server, and a keeper of pages.
 *
 * A keeper stands for a front end that keeps pages of a file: it learns when they must go. Keepers are static, so that a
 * test that failed leaves them usable.
 */
#ifndef SMB_LEASE_RIG_H
#define SMB_LEASE_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/door/door.h"
#include "cache.h"

#include "fake_files.h"

#define R SMB2_LEASE_READ_CACHING
#define RH (SMB2_LEASE_READ_CACHING | SMB2_LEASE_HANDLE_CACHING)
#define RW (SMB2_LEASE_READ_CACHING | SMB2_LEASE_WRITE_CACHING)
#define RWH (RH | SMB2_LEASE_WRITE_CACHING)
#define WIRE_UNSUCCESSFUL 0xC0000001u
#define WIRE_DISK_FULL 0xC000007Fu

extern struct door_volume *volume;
extern struct fake_files files;

struct keeper {
	struct nt_cache_map *map;
	KEVENT purged;
	unsigned int acks_before; /* acknowledgements that the server had when the pages went */
};

int rig_start(void **state);
int rig_stop(void **state);
int rig_set_up(void **state);
int rig_tear_down(void **state);
/* Starts `files` as it is by now, and mounts it. */
void connect_with(const char *options);
/* Opens what exists, with its attributes and what may be kept of it. */
NTSTATUS try_open(const char *path, ACCESS_MASK access, struct door_opened *opened);
struct door_opened open_for(const char *path, ACCESS_MASK access);
/* The status of the close. */
NTSTATUS end_file(struct door_opened *opened);
void close_file(struct door_opened *opened);
/* As a read through the handle tells it. */
char first_byte(const struct door_opened *opened);
NTSTATUS write_text(const struct door_opened *opened, const char *text, uint64_t offset);
void keep(struct keeper *keeper, const struct door_opened *opened);
/* False: the grant has ended already. */
bool keep_if_granted(struct keeper *keeper, const struct door_opened *opened);
/* False: not within 10 s. */
bool is_purged(struct keeper *keeper);
void keep_no_more(struct keeper *keeper);

#endif
