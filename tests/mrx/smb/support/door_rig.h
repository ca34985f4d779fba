/*
 * door_rig.h - the engine, from the door down, mounted on a scripted server; and a keeper of what it may keep.
 *
 * A keeper stands for a front end that keeps pages of a file, or names of a folder: it learns when they must go. Keepers
 * are static, so that a test that failed leaves them usable.
 */
#ifndef SMB_DOOR_RIG_H
#define SMB_DOOR_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "front/door/door.h"
#include "cache.h"

extern struct door_volume *volume;

/* The engine runs, with the SMB driver, and no longer; false: it does not, or has left something behind. */
bool door_rig_start(void);
bool door_rig_stop(void);
/* Mounts the share of the server at that port of this machine, and lets go of it. @options: NULL: none. */
NTSTATUS door_rig_connect(uint16_t port, const char *options);
void door_rig_disconnect(void);
/* @open: all but its path; shares with everybody. */
NTSTATUS door_rig_open(const char *path, struct door_open open, struct door_opened *opened);

void pass(unsigned int milliseconds);
/* Until the server has counted so far; fails after 30 s. */
void await(atomic_uint *count, unsigned int wanted);

struct keeper {
	struct nt_cache_map *map;
	KEVENT purged;
	KEVENT released;
	unsigned int acks_before; /* what keeper_acks() said when the pages went */
};

/* How many breaks were acknowledged by now; NULL: nobody asks. */
extern unsigned int (*keeper_acks)(void);

void keep(struct keeper *keeper, const struct door_opened *opened);
/* False: the grant has ended already. */
bool keep_if_granted(struct keeper *keeper, const struct door_opened *opened);
/* False: not within 10 s. */
bool is_purged(struct keeper *keeper);
void keep_no_more(struct keeper *keeper);
/* Of a test that failed and has left one. */
void keepers_end(void);

#endif
