/*
 * reftrace.c - who holds what: file and line of the references taken and given up through the DDI's macros.
 *
 * Owns:      the place table: (instance, file, line) -> references taken there, less those given up there.
 * Found by:  rx_ref_places(), for the object checker.
 * Locks:     rx_place_lock, a leaf.
 * Dies when: an instance is freed (rx_ref_forget).
 *
 * Only in builds with debug_refs, and only for the kinds of object that RdbssReferenceTracingValue names: it is
 * a tool for hunting one leak, and costs nothing until it is taken up. A reference is taken in one place and
 * given up in another; a leak shows as a place whose counterpart's number is smaller. When no memory is to be had
 * a record is lost, never a count.
 */
#include "core/object/object.h"

ULONG RdbssReferenceTracingValue;

#ifdef RX_DEBUG_REFS

#define RX_TAG_PLACE 'hRxR'
#define RX_PLACE_BUCKETS 256

struct rx_place {
	struct rx_place *next;
	PVOID instance;
	const char *file;
	ULONG line;
	LONG count;
};

static struct rx_place *rx_places[RX_PLACE_BUCKETS];
static KSPIN_LOCK rx_place_lock;

static unsigned int rx_place_bucket(PVOID instance)
{
	return (unsigned int)(((ULONG_PTR)instance >> 5) * 2654435761u >> 8) % RX_PLACE_BUCKETS;
}

static void rx_place_add(PVOID instance, PCSTR file, ULONG line, LONG delta)
{
	struct rx_place **bucket = &rx_places[rx_place_bucket(instance)];
	struct rx_place *place;
	KIRQL irql;

	KeAcquireSpinLock(&rx_place_lock, &irql);
	for (place = *bucket; place != NULL; place = place->next)
		if (place->instance == instance && place->line == line && strcmp(place->file, file) == 0)
			break;
	if (place == NULL) {
		place = ExAllocatePoolWithTag(NonPagedPool, sizeof(*place), RX_TAG_PLACE);
		if (place != NULL) {
			*place = (struct rx_place){
				.next = *bucket, .instance = instance, .file = file, .line = line};
			*bucket = place;
		}
	}
	if (place != NULL)
		place->count += delta;
	KeReleaseSpinLock(&rx_place_lock, irql);
}

VOID RxpTrackReference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance)
{
	if (!REF_TRACING_ON(TraceType))
		return;
	RxLog(("ref %p %s:%lu", pInstance, FileName, Line));
	rx_place_add(pInstance, FileName, Line, 1);
}

BOOLEAN RxpTrackDereference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance)
{
	if (!REF_TRACING_ON(TraceType))
		return TRUE;
	RxLog(("deref %p %s:%lu", pInstance, FileName, Line));
	rx_place_add(pInstance, FileName, Line, -1);
	return TRUE;
}

unsigned int rx_ref_places(PVOID instance, struct rx_ref_place *places, unsigned int capacity)
{
	struct rx_place *place;
	unsigned int count = 0;
	KIRQL irql;

	KeAcquireSpinLock(&rx_place_lock, &irql);
	for (place = rx_places[rx_place_bucket(instance)]; place != NULL && count < capacity;
	     place = place->next)
		if (place->instance == instance)
			places[count++] = (struct rx_ref_place){place->file, place->line, place->count};
	KeReleaseSpinLock(&rx_place_lock, irql);
	return count;
}

void rx_ref_forget(PVOID instance)
{
	struct rx_place **link = &rx_places[rx_place_bucket(instance)];
	struct rx_place *dead = NULL;
	KIRQL irql;

	if (RdbssReferenceTracingValue == 0)
		return;
	KeAcquireSpinLock(&rx_place_lock, &irql);
	while (*link != NULL) {
		struct rx_place *place = *link;

		if (place->instance == instance) {
			*link = place->next;
			place->next = dead;
			dead = place;
		} else {
			link = &place->next;
		}
	}
	KeReleaseSpinLock(&rx_place_lock, irql);

	while (dead != NULL) {
		struct rx_place *next = dead->next;

		ExFreePoolWithTag(dead, RX_TAG_PLACE);
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

unsigned int rx_ref_places(PVOID instance, struct rx_ref_place *places, unsigned int capacity)
{
	(void)instance;
	(void)places;
	(void)capacity;
	return 0;
}

void rx_ref_forget(PVOID instance)
{
	(void)instance;
}

#endif
