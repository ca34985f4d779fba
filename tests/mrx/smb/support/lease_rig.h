/*
 * lease_rig.h - the whole engine, from the door to the one file of a scripted server, its leases and its breaks.
 */
#ifndef SMB_LEASE_RIG_H
#define SMB_LEASE_RIG_H

#include "door_rig.h"
#include "fake_files.h"

#define R SMB2_LEASE_READ_CACHING
#define RH (SMB2_LEASE_READ_CACHING | SMB2_LEASE_HANDLE_CACHING)
#define RW (SMB2_LEASE_READ_CACHING | SMB2_LEASE_WRITE_CACHING)
#define RWH (RH | SMB2_LEASE_WRITE_CACHING)
#define WIRE_UNSUCCESSFUL 0xC0000001u
#define WIRE_DISK_FULL 0xC000007Fu

extern struct fake_files files;

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
/* A break of the lease that was asked for last, in its next epoch. */
void send_break(uint32_t from, uint32_t to);
/* The same, and the server has the first acknowledgement when this returns. */
void break_lease(uint32_t from, uint32_t to);
/* How many requests of a kind came before the first acknowledgement. */
unsigned int count_before_ack(uint16_t command);

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)

#endif
