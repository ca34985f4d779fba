/*
 * reftrace.c - who holds what: file and line of every reference taken through the DDI's macros.
 *
 * Owns:      the holder table: (instance, file, line) -> references taken there and not yet given back.
 * Found by:  rx_ref_holders() for `rdr status` and the object checker.
 * Locks:     rx_holder_lock, a leaf.
 * Dies when: an instance is freed (rx_ref_forget), or its count for that place falls to zero.
 *
 * Only in builds with debug_refs. A reference is taken in one place and given back in another, so a
 * dereference is booked where it happens as a negative number; the sum over all places is what is held, and a
 * leak shows as the place that has no counterpart. When no memory is to be had a record is lost, never a count.
 */
#include "core/object/object.h"

ULONG RdbssReferenceTracingValue;

#ifdef RX_DEBUG_REFS

#include <stdio.h>

#define RX_TAG_HOLDER 'hRxR'
#define RX_HOLDER_BUCKETS 256

struct rx_holder {
	struct rx_holder *next;
	PVOID instance;
	const char *file;
	ULONG line;
	LONG count;
};

static struct rx_holder *rx_holders[RX_HOLDER_BUCKETS];
static KSPIN_LOCK rx_holder_lock;

static unsigned int rx_holder_bucket(PVOID instance)
{
	return (unsigned int)(((ULONG_PTR)instance >> 5) * 2654435761u >> 8) % RX_HOLDER_BUCKETS;
}

static void rx_holder_add(PVOID instance, PCSTR file, ULONG line, LONG delta)
{
	struct rx_holder **bucket = &rx_holders[rx_holder_bucket(instance)];
	struct rx_holder *holder;
	KIRQL irql;

	KeAcquireSpinLock(&rx_holder_lock, &irql);
	for (holder = *bucket; holder != NULL; holder = holder->next)
		if (holder->instance == instance && holder->line == line && strcmp(holder->file, file) == 0)
			break;
	if (holder == NULL) {
		holder = ExAllocatePoolWithTag(NonPagedPool, sizeof(*holder), RX_TAG_HOLDER);
		if (holder != NULL) {
			*holder = (struct rx_holder){ .next = *bucket, .instance = instance, .file = file, .line = line };
			*bucket = holder;
		}
	}
	if (holder != NULL)
		holder->count += delta;
	KeReleaseSpinLock(&rx_holder_lock, irql);
}

VOID RxpTrackReference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance)
{
	if (REF_TRACING_ON(TraceType))
		RxLog(("ref %p %s:%lu", pInstance, FileName, Line));
	rx_holder_add(pInstance, FileName, Line, 1);
}

BOOLEAN RxpTrackDereference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance)
{
	if (REF_TRACING_ON(TraceType))
		RxLog(("deref %p %s:%lu", pInstance, FileName, Line));
	rx_holder_add(pInstance, FileName, Line, -1);
	return TRUE;
}

unsigned int rx_ref_holders(PVOID instance, struct rx_object_holder *holders, unsigned int capacity)
{
	struct rx_holder *holder;
	unsigned int count = 0;
	KIRQL irql;

	KeAcquireSpinLock(&rx_holder_lock, &irql);
	for (holder = rx_holders[rx_holder_bucket(instance)]; holder != NULL && count < capacity; holder = holder->next) {
		const char *base;

		if (holder->instance != instance || holder->count <= 0)
			continue;
		base = strrchr(holder->file, '/');
		base = base != NULL ? base + 1 : holder->file;
		holders[count].count = (uint32_t)holder->count;
		snprintf(holders[count].name, sizeof(holders[count].name), "%s:%u", base, holder->line);
		count++;
	}
	KeReleaseSpinLock(&rx_holder_lock, irql);
	return count;
}

void rx_ref_forget(PVOID instance)
{
	struct rx_holder **link = &rx_holders[rx_holder_bucket(instance)];
	struct rx_holder *dead = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&rx_holder_lock, &irql);
	while (*link != NULL) {
		struct rx_holder *holder = *link;

		if (holder->instance == instance) {
			*link = holder->next;
			holder->next = dead;
			dead = holder;
		} else {
			link = &holder->next;
		}
	}
	KeReleaseSpinLock(&rx_holder_lock, irql);

	while (dead != NULL) {
		struct rx_holder *next = dead->next;

		ExFreePoolWithTag(dead, RX_TAG_HOLDER);
		dead = next;
	}
}

#else

VOID RxpTrackReference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance)
{
	(void)TraceType;
	(void)FileName;
	(void)Line;
	(void)pInstance;
}

BOOLEAN RxpTrackDereference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance)
{
	(void)TraceType;
	(void)FileName;
	(void)Line;
	(void)pInstance;
	return TRUE;
}

unsigned int rx_ref_holders(PVOID instance, struct rx_object_holder *holders, unsigned int capacity)
{
	(void)instance;
	(void)holders;
	(void)capacity;
	return 0;
}

void rx_ref_forget(PVOID instance)
{
	(void)instance;
}

#endif
