/*
 * cache.h - what a file system asks of the cache manager, and who answers: a front end that keeps pages of its files.
 *
 * On Windows the pages of a file belong to the memory manager; the file system reaches them through
 * FILE_OBJECT.SectionObjectPointer. Here they are in the kernel behind a front end, or in its own memory. The front
 * end attaches a map to the file; a file system that must have data written back, or forgotten, asks as on Windows.
 */
#ifndef NT_CACHE_H
#define NT_CACHE_H

#include "irp.h"

/*
 * Both may block; both are called in a thread that holds locks of the file system (RDBSS: the FCB, exclusive, and lent to
 * reads and writes of pages, IRP_PAGING_IO).
 */
struct nt_cache_ops {
	/*
	 * Dirty data of the range has reached the file system when this returns. length 0: to the end. What becomes dirty
	 * from now on may not be kept.
	 */
	NTSTATUS (*flush)(void *context, LONGLONG offset, ULONG length);
	/* Nothing of the range is served from memory after this returns. FALSE: some of it is in use. */
	BOOLEAN (*purge)(void *context, LONGLONG offset, ULONG length);
	/* Nobody calls for this context any more. */
	void (*release)(void *context);
};

struct nt_cache_map;

/*
 * A number that changes when the file system has what is kept of a file flushed or purged, whether or not somebody
 * keeps anything: who decides to keep, and attaches later, learns so whether the decision still holds.
 */
ULONG_PTR nt_cache_generation(PSECTION_OBJECT_POINTERS pointers);

/**
 * nt_cache_attach - from now on this front end keeps pages of a file
 * @file:    [in] open; its file system has set SectionObjectPointer
 * @generation: [in] as it was when the caller was allowed to keep pages
 * @ops:     [in] lives as long as the map
 * @context: [in] the front end's; release(context) says when it is not needed any more, also after a failure
 * @map:     [out] to be given to nt_cache_detach(), once
 *
 * Return: STATUS_SUCCESS; STATUS_SHARING_VIOLATION: somebody else keeps pages of it; STATUS_RETRY: there was
 *         a purge since; STATUS_INVALID_PARAMETER: the
 *         file system keeps nothing for this file; STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS nt_cache_attach(PFILE_OBJECT file, ULONG_PTR generation, const struct nt_cache_ops *ops,
			 void *context, struct nt_cache_map **map);
/* No call begins after this; one that runs may still be running. */
void nt_cache_detach(struct nt_cache_map *map);
/* The file system forgets the file: its memory (SectionObjectPointers) goes. Purges what is attached. */
void nt_cache_end(PSECTION_OBJECT_POINTERS pointers);

BOOLEAN CcIsFileCached(PFILE_OBJECT FileObject);
/* FileOffset NULL: everything. IoStatus NULL: not wanted. Without a map there is nothing to write: success. */
VOID CcFlushCache(PSECTION_OBJECT_POINTERS SectionObjectPointer, PLARGE_INTEGER FileOffset, ULONG Length,
		  PIO_STATUS_BLOCK IoStatus);
BOOLEAN CcPurgeCacheSection(PSECTION_OBJECT_POINTERS SectionObjectPointer, PLARGE_INTEGER FileOffset,
			    ULONG Length, BOOLEAN UninitializeCacheMaps);

#endif
