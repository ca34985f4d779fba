/*
 * capi_fixture.h - one mount for all tests of a file, and a directory of its own for each test.
 *
 * RDR_TEST_URL   what to mount; default "mem:test"
 * RDR_TEST_USER, RDR_TEST_PASSWORD, RDR_TEST_OPTIONS   for servers that want them
 */
#ifndef RDBSS_TESTS_CAPI_FIXTURE_H
#define RDBSS_TESTS_CAPI_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rdbss_api.h"

extern struct rdbss_mount *fixture_mount;

/* Group set-up and tear-down: the engine runs, the target is mounted; at the end nothing is left or leaked. */
int fixture_start(void **state);
int fixture_stop(void **state);

/* Test set-up and tear-down: fixture_dir() is a fresh directory, removed with all it holds. */
int fixture_enter(void **state);
int fixture_leave(void **state);

/* "dir/name" in one of a few static buffers: good for four paths in one expression. */
const char *fixture_path(const char *name);
bool fixture_is_mem(void);

/* Deletes the directory and everything below it. */
void fixture_remove_tree(const char *path);

/* Bytes that depend on position and seed: a misplaced block shows. */
void fixture_pattern(void *buffer, size_t length, uint64_t offset, uint64_t seed);
/* Index of the first wrong byte, or -1. */
long fixture_pattern_check(const void *buffer, size_t length, uint64_t offset, uint64_t seed);

/* Creates a file with @length pattern bytes. */
void fixture_make_file(const char *path, size_t length, uint64_t seed);

/* 0 or fails the test with the status' name. */
#define OK(call) fixture_ok((call), #call, __FILE__, __LINE__)
long fixture_ok(long result, const char *what, const char *file, int line);

#endif
