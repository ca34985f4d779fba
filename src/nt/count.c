/*
 * count.c - counters by name.
 *
 * Owns:      one table for the process, from its start on.
 * Found by:  the addresses of the names, hashed; the same name at two addresses has two counters.
 * Locks:     none. A free slot is claimed by an atomic exchange and filled before it is shown; it is never freed.
 * Dies when: never.
 */
#include "nt_count.h"

#include <stdbool.h>
#include <string.h>

enum { SLOT_FREE, SLOT_FILLING, SLOT_USED };

static struct slot {
	int state;
	struct nt_count counter;
} slots[NT_COUNT_LIMIT];
static uint64_t lost_counts;

static size_t slot_hash(const struct nt_count *key)
{
	uint64_t hash = (uintptr_t)key->group;

	for (unsigned int i = 0; i < NT_COUNT_PARTS; i++)
		hash = (hash ^ (uintptr_t)key->part[i]) * 0x9e3779b97f4a7c15ull;
	return (size_t)(hash >> 32) % NT_COUNT_LIMIT;
}

static bool slot_is(const struct slot *slot, const struct nt_count *key)
{
	return slot->counter.group == key->group &&
	       memcmp(slot->counter.part, key->part, sizeof(key->part)) == 0;
}

/* NULL: there is no room. */
static struct slot *slot_find(const struct nt_count *key)
{
	size_t at = slot_hash(key);

	for (size_t i = 0; i < NT_COUNT_LIMIT; i++, at = (at + 1) % NT_COUNT_LIMIT) {
		struct slot *slot = &slots[at];
		int state = SLOT_FREE;

		if (__atomic_compare_exchange_n(&slot->state, &state, SLOT_FILLING, false, __ATOMIC_ACQUIRE,
						__ATOMIC_ACQUIRE)) {
			slot->counter.group = key->group;
			memcpy(slot->counter.part, key->part, sizeof(key->part));
			__atomic_store_n(&slot->state, SLOT_USED, __ATOMIC_RELEASE);
			return slot;
		}
		while (state == SLOT_FILLING) /* a few stores by another thread */
			state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
		if (slot_is(slot, key))
			return slot;
	}
	return NULL;
}

void nt_count(const char *group, const char *const *parts, unsigned int count, uint64_t amount)
{
	struct nt_count key = {.group = group};
	struct slot *slot;

	for (unsigned int i = 0; i < count && i < NT_COUNT_PARTS; i++)
		key.part[i] = parts[i];
	slot = slot_find(&key);
	if (slot == NULL) {
		__atomic_fetch_add(&lost_counts, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_add(&slot->counter.times, 1, __ATOMIC_RELAXED);
	if (amount != 0)
		__atomic_fetch_add(&slot->counter.amount, amount, __ATOMIC_RELAXED);
}

void nt_count_one(const char *group, const char *name, uint64_t amount)
{
	nt_count(group, &name, 1, amount);
}

size_t nt_count_read(struct nt_count *out, size_t capacity, uint64_t *lost)
{
	size_t count = 0;

	for (size_t i = 0; i < NT_COUNT_LIMIT && count < capacity; i++) {
		struct slot *slot = &slots[i];

		if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_USED)
			continue;
		out[count].group = slot->counter.group;
		memcpy(out[count].part, slot->counter.part, sizeof(out[count].part));
		out[count].times = __atomic_load_n(&slot->counter.times, __ATOMIC_RELAXED);
		out[count].amount = __atomic_load_n(&slot->counter.amount, __ATOMIC_RELAXED);
		count++;
	}
	*lost = __atomic_load_n(&lost_counts, __ATOMIC_RELAXED);
	return count;
}
