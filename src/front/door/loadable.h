/*
 * loadable.h - mini-redirectors that are shared objects of somebody else's making.
 *
 * Errors are one line of text without the object's name, for a person at a terminal.
 */
#ifndef RDBSS_FRONT_DOOR_LOADABLE_H
#define RDBSS_FRONT_DOOR_LOADABLE_H

#include "front/door/door.h"

struct door_loadable {
	void *handle; /* of dlopen(); never closed: reports name the object's functions to the end */
	struct door_driver driver; /* for door_start(); its name is in `name` */
	char name[64];             /* the file's name without "lib" in front and ".so" behind, ASCII */
};

/* Names the driver after its file; always NUL-terminated. */
void door_loadable_name(const char *path, char *name, size_t size);

/**
 * door_loadable_check - can this file be loaded?  Nothing of it is executed.
 * @why: [out] one line on failure
 *
 * Looks for: a shared object for this machine, the stamp of rdbss_abi.h, DriverEntry, routines that nobody here
 * has.
 */
bool door_loadable_check(const char *path, char *why, size_t size);

/* The library of a sanitizer that must be in the process before the object is, and is not; "": none. */
void door_loadable_needs(const char *path, char *library, size_t size);

/**
 * door_loadable_open - load, and compare the stamp
 * @out: [out] its `driver` is valid on success, for the life of the process
 *
 * Constructors of the object run here.
 */
bool door_loadable_open(const char *path, struct door_loadable *out, char *why, size_t size);

#endif
