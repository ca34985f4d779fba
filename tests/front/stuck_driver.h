/*
 * stuck_driver.h - a file system driver whose requests end when the test says so.
 *
 * Not a mini-redirector: it answers IRPs itself, so that the door and the front ends above it can be watched
 * alone.  One share with a root folder and a file "file", which can be written; the name "slow" keeps the
 * opening thread.
 */
#ifndef RDBSS_TESTS_STUCK_DRIVER_H
#define RDBSS_TESTS_STUCK_DRIVER_H

#include "front/door/door.h"

extern const struct door_driver stuck_driver;

/* Reads pend until stuck_release_reads(); with @honour a cancelled one ends at once. */
void stuck_hold_reads(BOOLEAN hold, BOOLEAN honour);
/* Ends all held reads with one byte each. */
void stuck_release_reads(void);
ULONG stuck_reads_held(void);
/* Opens of "slow" keep their thread until the gate opens. */
void stuck_gate(BOOLEAN open);
ULONG stuck_opens_waiting(void);
/* The end of a handle that wrote keeps its thread until the gate opens, and gives the file a new time of last write. */
void stuck_gate_ends(BOOLEAN open);
ULONG stuck_ends_waiting(void);
/* File objects that were created and not closed, the device's and the share's own included. */
LONG stuck_open_objects(void);

#endif
