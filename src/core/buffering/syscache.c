/*
 * syscache.c - the pages of a file that the cache manager keeps for us: written back, or forgotten.
 *
 * Owns:   nothing; who keeps pages is in the FCB's SECTION_OBJECT_POINTERS (nt/cache.h).
 * Locks:  FCB exclusive, and lent while somebody else writes or forgets pages: what he has begun with them must end.
 */
#include "core/buffering/buffering.h"

#include "core/cache/cache.h"
#include "core/object/object.h"

/**
 * RxFlushFcbInSystemCache - dirty pages reach the server
 * @SynchronizeWithLazyWriter: [in] TRUE: also what is being written at this moment; that is always so here
 *
 * Context: PASSIVE_LEVEL; writes, hence blocks.
 * Locks:   FCB exclusive.
 * Return:  STATUS_SUCCESS, or why some of the data is not there; it is still dirty then.
 */
NTSTATUS RxFlushFcbInSystemCache(PFCB Fcb, BOOLEAN SynchronizeWithLazyWriter)
{
	IO_STATUS_BLOCK iosb = {.Status = STATUS_SUCCESS};

	(void)SynchronizeWithLazyWriter;
	rx_assert_fcb_exclusive(Fcb);
	rx_lend_fcb(Fcb);
	CcFlushCache(&Fcb->NonPaged->SectionObjectPointers, NULL, 0, &iosb);
	rx_recall_fcb(Fcb);
	if (NT_SUCCESS(iosb.Status)) /* what the pages' owner wrote may have been kept here */
		iosb.Status = rx_cache_flush(Fcb);
	return iosb.Status;
}

/**
 * RxPurgeFcbInSystemCache - pages are forgotten
 * @FileOffset: [in, optional] bytes; NULL: the whole file
 * @Length:     [in] bytes from there; 0: to the end
 * @FlushFile:  [in] TRUE: dirty ones are written first
 *
 * What was read ahead is forgotten with them, all of it. Written data that core/cache keeps back is not: the purge of the
 * cache manager drops dirty pages, but their writer has been told that they are written, and here nobody would tell him
 * that they are lost. No page describes the routine. Who wants that data gone with the pages asks for FlushFile.
 *
 * Locks:  FCB exclusive.
 * Return: STATUS_SUCCESS; STATUS_UNSUCCESSFUL: some are in use; or what the flush says.
 */
NTSTATUS RxPurgeFcbInSystemCache(PFCB Fcb, PLARGE_INTEGER FileOffset, ULONG Length,
				 BOOLEAN UninitializeCacheMaps, BOOLEAN FlushFile)
{
	NTSTATUS status = STATUS_SUCCESS;

	rx_assert_fcb_exclusive(Fcb);
	rx_ahead_forget(Fcb);
	if (FlushFile)
		status = RxFlushFcbInSystemCache(Fcb, TRUE);
	if (!NT_SUCCESS(status))
		return status;
	rx_lend_fcb(Fcb);
	if (!CcPurgeCacheSection(&Fcb->NonPaged->SectionObjectPointers, FileOffset, Length,
				 UninitializeCacheMaps))
		status = STATUS_UNSUCCESSFUL;
	rx_recall_fcb(Fcb);
	rx_ahead_forget(Fcb); /* pages that were read meanwhile may have been read ahead of */
	return status;
}
