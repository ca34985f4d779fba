/*
 * deadlock.c - who waits for whom among the owners of fcntl locks of one volume, in all of its files.
 *
 * Owns:      nothing; struct door_wait, a part of each request that waits for a lock which is held here.
 * Found by:  door_volume.waits.
 * Locks:     door_volume.waits_mutex, a leaf.
 * Dies when: the request goes on, or ends.
 *
 * A request waits for one owner, the first that is in its way; when he gives way and another one is left it waits for that
 * one. So a circle is closed by a wait that begins or goes on, and whoever closes it is told instead of waiting
 * (EDEADLK of fcntl(2)). Locks that are held at the server by others are nobody's here: circles through them are not seen.
 */
#include "locks.h"

void door_waits_init(struct door_volume *volume)
{
	ExInitializeFastMutex(&volume->waits_mutex);
	InitializeListHead(&volume->waits);
}

/* Marks those who wait, in the end, because of `from`'s waiting; true: `to` is what somebody of them waits for. */
static bool leads_to(struct door_volume *volume, uint64_t from, uint64_t to)
{
	LIST_ENTRY *head = &volume->waits, *l, *m;
	bool more = true;

	for (l = head->Flink; l != head; l = l->Flink) {
		struct door_wait *wait = CONTAINING_RECORD(l, struct door_wait, link);

		wait->followed = false;
		wait->reached = wait->owner == from;
	}
	while (more) {
		more = false;
		for (l = head->Flink; l != head; l = l->Flink) {
			struct door_wait *wait = CONTAINING_RECORD(l, struct door_wait, link);

			if (!wait->reached || wait->followed)
				continue;
			if (wait->blocker == to)
				return true;
			wait->followed = more = true;
			for (m = head->Flink; m != head; m = m->Flink) {
				struct door_wait *next = CONTAINING_RECORD(m, struct door_wait, link);

				next->reached = next->reached || next->owner == wait->blocker;
			}
		}
	}
	return false;
}

bool door_wait_for(struct door_volume *volume, struct door_wait *wait, uint64_t owner, uint64_t blocker)
{
	bool circle;

	ExAcquireFastMutex(&volume->waits_mutex);
	if (wait->listed)
		RemoveEntryList(&wait->link);
	circle = leads_to(volume, blocker, owner);
	wait->listed = !circle;
	wait->owner = owner;
	wait->blocker = blocker;
	if (wait->listed)
		InsertTailList(&volume->waits, &wait->link);
	ExReleaseFastMutex(&volume->waits_mutex);
	return !circle;
}

void door_wait_over(struct door_volume *volume, struct door_wait *wait)
{
	ExAcquireFastMutex(&volume->waits_mutex);
	if (wait->listed)
		RemoveEntryList(&wait->link);
	wait->listed = false;
	ExReleaseFastMutex(&volume->waits_mutex);
}
