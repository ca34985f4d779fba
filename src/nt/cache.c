/*
 * cache.c - the maps through which a file system reaches the pages that a front end keeps.
 *
 * Owns:      struct nt_cache_map, counted: one for the front end, one for each call that runs.
 * Found by:  SECTION_OBJECT_POINTERS.SharedCacheMap, which the map points back to. DataSectionObject is the generation:
 *            nothing is mapped here.
 * Locks:     nt_cache_lock, a leaf, for both pointers and the counts; no callback runs under it.
 * Dies when: detached and no call runs; then the front end's context is released.
 */
#include "ntifs.h"

#define NT_TAG_CACHE 'pMcC'

struct nt_cache_map {
	PSECTION_OBJECT_POINTERS pointers; /* NULL: the file or the front end is gone */
	const struct nt_cache_ops *ops;
	void *context;
	ULONG references;
};

static KSPIN_LOCK nt_cache_lock;

static ULONG_PTR nt_cache_generation_locked(PSECTION_OBJECT_POINTERS pointers)
{
	return (ULONG_PTR)pointers->DataSectionObject;
}

ULONG_PTR nt_cache_generation(PSECTION_OBJECT_POINTERS pointers)
{
	ULONG_PTR generation;
	KIRQL irql;

	KeAcquireSpinLock(&nt_cache_lock, &irql);
	generation = nt_cache_generation_locked(pointers);
	KeReleaseSpinLock(&nt_cache_lock, irql);
	return generation;
}

NTSTATUS nt_cache_attach(PFILE_OBJECT file, ULONG_PTR generation, const struct nt_cache_ops *ops,
			 void *context, struct nt_cache_map **map)
{
	PSECTION_OBJECT_POINTERS pointers = file->SectionObjectPointer;
	struct nt_cache_map *made;
	NTSTATUS status = STATUS_SUCCESS;
	KIRQL irql;

	*map = NULL;
	made = ExAllocatePoolWithTag(NonPagedPool, sizeof(*made), NT_TAG_CACHE);
	if (made == NULL || pointers == NULL) {
		if (made != NULL)
			ExFreePoolWithTag(made, NT_TAG_CACHE);
		ops->release(context);
		return made == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_INVALID_PARAMETER;
	}
	*made = (struct nt_cache_map){pointers, ops, context, 1};
	KeAcquireSpinLock(&nt_cache_lock, &irql);
	if (pointers->SharedCacheMap != NULL)
		status = STATUS_SHARING_VIOLATION;
	else if (nt_cache_generation_locked(pointers) != generation)
		status = STATUS_RETRY;
	else
		pointers->SharedCacheMap = made;
	KeReleaseSpinLock(&nt_cache_lock, irql);
	if (status != STATUS_SUCCESS) {
		ExFreePoolWithTag(made, NT_TAG_CACHE);
		ops->release(context);
		return status;
	}
	*map = made;
	return STATUS_SUCCESS;
}

/* The map of a file, counted, or NULL; a new generation begins. */
static struct nt_cache_map *nt_cache_get(PSECTION_OBJECT_POINTERS pointers)
{
	struct nt_cache_map *map;
	KIRQL irql;

	KeAcquireSpinLock(&nt_cache_lock, &irql);
	pointers->DataSectionObject = (PVOID)(nt_cache_generation_locked(pointers) + 1);
	map = pointers->SharedCacheMap;
	if (map != NULL)
		map->references++;
	KeReleaseSpinLock(&nt_cache_lock, irql);
	return map;
}

static void nt_cache_put(struct nt_cache_map *map)
{
	bool last;
	KIRQL irql;

	KeAcquireSpinLock(&nt_cache_lock, &irql);
	last = --map->references == 0;
	KeReleaseSpinLock(&nt_cache_lock, irql);
	if (!last)
		return;
	map->ops->release(map->context);
	ExFreePoolWithTag(map, NT_TAG_CACHE);
}

static void nt_cache_part(struct nt_cache_map *map)
{
	KIRQL irql;

	KeAcquireSpinLock(&nt_cache_lock, &irql);
	if (map->pointers != NULL)
		map->pointers->SharedCacheMap = NULL;
	map->pointers = NULL;
	KeReleaseSpinLock(&nt_cache_lock, irql);
}

void nt_cache_detach(struct nt_cache_map *map)
{
	nt_cache_part(map);
	nt_cache_put(map);
}

void nt_cache_end(PSECTION_OBJECT_POINTERS pointers)
{
	struct nt_cache_map *map = nt_cache_get(pointers);

	if (map == NULL)
		return;
	(void)map->ops->purge(map->context, 0, 0); /* what is in use belongs to an open, which has ended */
	nt_cache_part(map);
	nt_cache_put(map);
}

BOOLEAN CcIsFileCached(PFILE_OBJECT FileObject)
{
	return FileObject->SectionObjectPointer != NULL &&
	       __atomic_load_n(&FileObject->SectionObjectPointer->SharedCacheMap, __ATOMIC_ACQUIRE) != NULL;
}

VOID CcFlushCache(PSECTION_OBJECT_POINTERS SectionObjectPointer, PLARGE_INTEGER FileOffset, ULONG Length,
		  PIO_STATUS_BLOCK IoStatus)
{
	struct nt_cache_map *map = nt_cache_get(SectionObjectPointer);
	NTSTATUS status = STATUS_SUCCESS;

	if (map != NULL) {
		status = map->ops->flush(map->context, FileOffset != NULL ? FileOffset->QuadPart : 0,
					 FileOffset != NULL ? Length : 0);
		nt_cache_put(map);
	}
	if (IoStatus != NULL) {
		IoStatus->Status = status;
		IoStatus->Information = 0;
	}
}

BOOLEAN CcPurgeCacheSection(PSECTION_OBJECT_POINTERS SectionObjectPointer, PLARGE_INTEGER FileOffset,
			    ULONG Length, BOOLEAN UninitializeCacheMaps)
{
	struct nt_cache_map *map = nt_cache_get(SectionObjectPointer);
	BOOLEAN purged = TRUE;

	if (map == NULL)
		return TRUE;
	purged = map->ops->purge(map->context, FileOffset != NULL ? FileOffset->QuadPart : 0,
				 FileOffset != NULL ? Length : 0);
	if (purged && UninitializeCacheMaps)
		nt_cache_part(map);
	nt_cache_put(map);
	return purged;
}
