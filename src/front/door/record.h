/*
 * record.h - who holds which bytes of one file: the locks of the processes of this machine (fcntl, flock).
 *
 * A table of ranges. Locks of one owner and kind never overlap; setting a range splits, shrinks, converts and merges
 * what the owner has, as fcntl(2) says. Kinds do not see each other, as on a local file system. Nothing here knows a
 * server, waits or locks: the table belongs to whoever embeds it.
 */
#ifndef RDBSS_FRONT_DOOR_RECORD_H
#define RDBSS_FRONT_DOOR_RECORD_H

#include "front/door/door.h"

#define DOOR_TAG_RECORD 'lRoD'

struct door_record {
	LIST_ENTRY link; /* by start */
	struct door_range range;
	struct door_file *holder; /* the handle it was asked through; borrowed */
};

struct door_records {
	LIST_ENTRY list;
};

void door_records_init(struct door_records *records);
void door_records_free(struct door_records *records);

/* The first lock that keeps @range from being granted; NULL: none. */
const struct door_record *door_records_conflict(const struct door_records *records,
						const struct door_range *range);

/**
 * door_records_set - the owner has range->type there from now on, whatever he had
 *
 * Nobody else is asked. Giving up everything from 0 to the end needs no memory.
 * Return: STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES: nothing has changed.
 */
NTSTATUS door_records_set(struct door_records *records, const struct door_range *range,
			  struct door_file *holder);

/**
 * door_records_level - the strongest lock of anybody at a byte
 * @until: [out] the first byte behind @at where that may differ; at most DOOR_RANGE_END
 */
enum door_lock_type door_records_level(const struct door_records *records, uint64_t at, uint64_t *until);

/* Takes a record out and frees it. */
void door_records_drop(struct door_record *record);

#endif
