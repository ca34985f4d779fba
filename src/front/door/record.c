/*
 * record.c - the table of one file's locks.
 *
 * Owns:      struct door_record, one per range, owner, kind and type.
 * Locks:     none of its own; see record.h.
 * Dies when: a record is overwritten, given up, or freed with its table.
 *
 * The list is sorted by start; ranges of different owners overlap.
 */
#include "front/door/record.h"

void door_records_init(struct door_records *records)
{
	InitializeListHead(&records->list);
}

void door_records_drop(struct door_record *record)
{
	RemoveEntryList(&record->link);
	ExFreePoolWithTag(record, DOOR_TAG_RECORD);
}

void door_records_free(struct door_records *records)
{
	while (!IsListEmpty(&records->list))
		door_records_drop(CONTAINING_RECORD(records->list.Flink, struct door_record, link));
}

static struct door_record *record_of(LIST_ENTRY *link)
{
	return CONTAINING_RECORD(link, struct door_record, link);
}

static bool same_owner(const struct door_range *a, const struct door_range *b)
{
	return a->owner == b->owner && a->kind == b->kind;
}

static bool overlaps(const struct door_range *a, const struct door_range *b)
{
	return a->start < b->end && b->start < a->end;
}

const struct door_record *door_records_conflict(const struct door_records *records,
						const struct door_range *range)
{
	const LIST_ENTRY *l;

	for (l = records->list.Flink; l != &records->list; l = l->Flink) {
		const struct door_record *held = CONTAINING_RECORD(l, struct door_record, link);

		if (held->range.kind == range->kind && held->range.owner != range->owner &&
		    overlaps(&held->range, range) &&
		    (held->range.type == DOOR_EXCLUSIVE || range->type == DOOR_EXCLUSIVE))
			return held;
	}
	return NULL;
}

static void insert(struct door_records *records, struct door_record *record)
{
	LIST_ENTRY *l = records->list.Blink;

	while (l != &records->list && record_of(l)->range.start > record->range.start)
		l = l->Blink;
	InsertHeadList(l, &record->link); /* behind l */
}

static struct door_record *make(const struct door_range *range, struct door_file *holder)
{
	struct door_record *record = ExAllocatePoolWithTag(NonPagedPool, sizeof(*record), DOOR_TAG_RECORD);

	if (record != NULL) {
		record->range = *range;
		record->holder = holder;
	}
	return record;
}

/* Takes the bytes of @range away from its owner. @spare: for the tail of a lock that is cut in two; consumed then. */
static void cut(struct door_records *records, const struct door_range *range, struct door_record **spare)
{
	LIST_ENTRY *l = records->list.Flink;

	while (l != &records->list) {
		struct door_record *held = record_of(l);

		l = l->Flink;
		if (!same_owner(&held->range, range) || !overlaps(&held->range, range))
			continue;
		if (held->range.start < range->start && held->range.end > range->end) {
			struct door_record *tail = *spare;

			*spare = NULL;
			tail->range = held->range;
			tail->holder = held->holder;
			tail->range.start = range->end;
			held->range.end = range->start;
			insert(records, tail);
			return; /* its locks do not overlap: no other is touched */
		}
		if (held->range.start < range->start) {
			held->range.end = range->start;
		} else if (held->range.end > range->end) {
			RemoveEntryList(&held->link);
			held->range.start = range->end;
			insert(records, held);
		} else {
			door_records_drop(held);
		}
	}
}

/* Joins @record with what its owner has right before and behind it. */
static void merge(struct door_records *records, struct door_record *record)
{
	LIST_ENTRY *l = records->list.Flink;

	while (l != &records->list) {
		struct door_record *other = record_of(l);

		l = l->Flink;
		if (other == record || !same_owner(&other->range, &record->range) ||
		    other->range.type != record->range.type || other->holder != record->holder)
			continue;
		if (other->range.end == record->range.start) {
			RemoveEntryList(&record->link);
			record->range.start = other->range.start;
			insert(records, record);
		} else if (other->range.start == record->range.end) {
			record->range.end = other->range.end;
		} else {
			continue;
		}
		door_records_drop(other);
	}
}

NTSTATUS door_records_set(struct door_records *records, const struct door_range *range,
			  struct door_file *holder)
{
	bool whole = range->start == 0 && range->end == DOOR_RANGE_END;
	struct door_record *fresh = NULL, *spare = NULL;

	if (range->type != DOOR_UNLOCKED)
		fresh = make(range, holder);
	if (!whole)
		spare = make(range, holder);
	if ((range->type != DOOR_UNLOCKED && fresh == NULL) || (!whole && spare == NULL)) {
		if (fresh != NULL)
			ExFreePoolWithTag(fresh, DOOR_TAG_RECORD);
		if (spare != NULL)
			ExFreePoolWithTag(spare, DOOR_TAG_RECORD);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	cut(records, range, &spare);
	if (spare != NULL)
		ExFreePoolWithTag(spare, DOOR_TAG_RECORD);
	if (fresh != NULL) {
		insert(records, fresh);
		merge(records, fresh);
	}
	return STATUS_SUCCESS;
}

enum door_lock_type door_records_level(const struct door_records *records, uint64_t at, uint64_t *until)
{
	enum door_lock_type level = DOOR_UNLOCKED;
	const LIST_ENTRY *l;

	*until = DOOR_RANGE_END;
	for (l = records->list.Flink; l != &records->list; l = l->Flink) {
		const struct door_range *held = &CONTAINING_RECORD(l, struct door_record, link)->range;

		if (held->start > at) {
			if (held->start < *until)
				*until = held->start;
			break;
		}
		if (held->end <= at)
			continue;
		if (held->type > level)
			level = held->type;
		if (held->end < *until)
			*until = held->end;
	}
	return level;
}
