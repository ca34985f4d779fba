/*
 * put.c - data into the blocks, and out of them.
 *
 * Locks:  FCB held by the caller, shared at least; rx_cache.mutex.
 */
#include "core/cache/block.h"

#include "core/dispatch/dispatch.h"

static struct rx_cache *rx_cache_obtain(PFCB fcb)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE), *other;

	if (cache != NULL)
		return cache;
	if (!rx_lazy_obtain(fcb->RxDeviceObject))
		return NULL;
	cache = ExAllocatePoolZero(NonPagedPool, sizeof(*cache), RX_TAG_CACHE);
	if (cache == NULL)
		return NULL;
	cache->fcb = fcb;
	ExInitializeFastMutex(&cache->mutex);
	rx_block_table_init(cache);
	InitializeListHead(&cache->flying);
	KeInitializeSpinLock(&cache->done_lock);
	InitializeListHead(&cache->done);
	KeInitializeEvent(&cache->done_event, NotificationEvent, TRUE);
	InitializeListHead(&cache->lazy_link);
	other = InterlockedCompareExchangePointer((PVOID volatile *)&fcb->WriteBehind, cache, NULL);
	if (other == NULL)
		return cache;
	ExFreePoolWithTag(cache, RX_TAG_CACHE); /* another writer was faster */
	return other;
}

/* The part of a transfer that lies in one block. */
struct rx_piece {
	LONGLONG number;
	ULONG lo, hi; /* in the block */
	ULONG at;     /* in the transfer */
};

static bool rx_piece_next(struct rx_piece *p, LONGLONG offset, ULONG length)
{
	LONGLONG place = offset + p->at;

	if (p->at >= length)
		return false;
	p->number = place / RX_CACHE_BLOCK;
	p->lo = (ULONG)(place % RX_CACHE_BLOCK);
	p->hi = RX_CACHE_BLOCK - p->lo < length - p->at ? RX_CACHE_BLOCK : p->lo + (length - p->at);
	return true;
}

#define RX_FOR_EACH_PIECE(p, offset, length) \
	for (struct rx_piece p = {0}; rx_piece_next(&p, (offset), (length)); p.at += p.hi - p.lo)

/* Room for all of it, before any of it is taken. */
static bool rx_cache_make_room(struct rx_cache *cache, LONGLONG offset, ULONG length)
{
	RX_FOR_EACH_PIECE(p, offset, length)
	{
		struct rx_block *block = rx_block_obtain(cache, p.number);

		if (block == NULL || !rx_extents_have_room(&block->valid, p.lo, p.hi) ||
		    !rx_extents_have_room(&block->dirty, p.lo, p.hi))
			return false;
	}
	return true;
}

static void rx_cache_drop_empty(struct rx_cache *cache, LONGLONG offset, ULONG length)
{
	RX_FOR_EACH_PIECE(p, offset, length)
	{
		struct rx_block *block = rx_block_find(cache, p.number);

		if (block != NULL)
			rx_block_settle(cache, block);
	}
}

/* Locks: mutex. */
static bool rx_cache_put(struct rx_cache *cache, LONGLONG offset, const UCHAR *bytes, ULONG length)
{
	LONGLONG size;

	RxGetFileSizeWithLock(cache->fcb, &size);
	if (IsListEmpty(&cache->blocks))
		cache->server_end = size;
	if (!rx_cache_make_room(cache, offset, length)) {
		rx_cache_drop_empty(cache, offset, length);
		return false;
	}
	cache->puts++;
	__atomic_store_n(&cache->put_time, KeQueryInterruptTime(), __ATOMIC_RELAXED);
	RX_FOR_EACH_PIECE(p, offset, length)
	{
		struct rx_block *block = rx_block_find(cache, p.number);

		RtlCopyMemory(block->data + p.lo, bytes + p.at, p.hi - p.lo);
		rx_block_soil(cache, block, p.lo, p.hi);
	}
	return true;
}

static bool rx_cache_is_over_limit(PFCB fcb)
{
	const struct rx_lazy_writer *lazy = rx_lazy_of_device(fcb->RxDeviceObject);

	return __atomic_load_n(&lazy->blocks, __ATOMIC_RELAXED) >= lazy->limit;
}

/* One write may not take most of what all files share. */
static bool rx_cache_is_too_large(PFCB fcb, ULONG length)
{
	return length / RX_CACHE_BLOCK > (ULONG)rx_lazy_of_device(fcb->RxDeviceObject)->limit / 2;
}

NTSTATUS rx_cache_write(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PFOBX fobx = (PFOBX)rxc->pFobx;
	struct rx_cache *cache = rx_cache_obtain(fcb);
	LONGLONG offset = rxc->LowIoContext.ParamsFor.ReadWrite.ByteOffset;
	ULONG length = rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount;
	const UCHAR *bytes = RxLowIoGetBufferAddress(rxc);
	bool taken = false, enough = false;

	if (cache == NULL || bytes == NULL || rx_cache_is_too_large(fcb, length))
		return STATUS_MORE_PROCESSING_REQUIRED;
	for (unsigned int attempt = 0; attempt < 2 && !taken; attempt++) {
		NTSTATUS status = STATUS_SUCCESS;

		if (attempt > 0 || rx_cache_is_over_limit(fcb) || rx_cache_has_news(fcb, fobx))
			status = rx_cache_flush_for(fcb, fobx);
		if (!NT_SUCCESS(status))
			return status;
		ExAcquireFastMutex(&cache->mutex);
		rx_cache_reap_locked(cache);
		if (cache->file == NULL)
			cache->file = rxc->CurrentIrpSp->FileObject;
		taken = rx_cache_put(cache, offset, bytes, length);
		if (taken)
			rx_write_note_end(rxc, rxc->CurrentIrpSp->FileObject, offset + (LONGLONG)length);
		enough = cache->full >= RX_CACHE_FULL_START && !cache->failed;
		ExReleaseFastMutex(&cache->mutex);
	}
	if (!taken)
		return STATUS_MORE_PROCESSING_REQUIRED;
	if (enough)
		rx_cache_start_full(cache);
	rxc->InformationToReturn = length;
	return STATUS_SUCCESS;
}

/* ---- reading ---- */

enum rx_cover {
	RX_COVER_NONE, /* the server has it */
	RX_COVER_ALL,
	RX_COVER_SOME
};

/* Locks: mutex. */
static enum rx_cover rx_cache_look(struct rx_cache *cache, LONGLONG offset, ULONG length)
{
	bool all = true, some = false;

	RX_FOR_EACH_PIECE(p, offset, length)
	{
		const struct rx_block *block = rx_block_find(cache, p.number);

		all = all && block != NULL && rx_extents_cover(&block->valid, p.lo, p.hi);
		some = some || (block != NULL && rx_extents_touch(&block->valid, p.lo, p.hi));
	}
	if (all)
		return RX_COVER_ALL;
	/* what lies behind the end that the server knows are zeroes of ours */
	return some || offset + (LONGLONG)length > cache->server_end ? RX_COVER_SOME : RX_COVER_NONE;
}

static void rx_cache_get(struct rx_cache *cache, LONGLONG offset, UCHAR *bytes, ULONG length)
{
	RX_FOR_EACH_PIECE(p, offset, length)
	{
		const struct rx_block *block = rx_block_find(cache, p.number);

		RtlCopyMemory(bytes + p.at, block->data + p.lo, p.hi - p.lo);
	}
}

NTSTATUS rx_cache_read(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);
	LONGLONG offset = rxc->LowIoContext.ParamsFor.ReadWrite.ByteOffset, size;
	ULONG length = rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount;
	UCHAR *bytes = RxLowIoGetBufferAddress(rxc);
	enum rx_cover cover;
	NTSTATUS status;

	if (cache == NULL || !rx_cache_has_data(fcb) || bytes == NULL)
		return STATUS_MORE_PROCESSING_REQUIRED;
	ExAcquireFastMutex(&cache->mutex);
	rx_cache_reap_locked(cache);
	RxGetFileSizeWithLock(fcb, &size);
	if (offset >= size)
		length = 0;
	else if (size - offset < (LONGLONG)length)
		length = (ULONG)(size - offset);
	cover = IsListEmpty(&cache->blocks) ? RX_COVER_NONE : rx_cache_look(cache, offset, length);
	if (cover == RX_COVER_ALL)
		rx_cache_get(cache, offset, bytes, length);
	ExReleaseFastMutex(&cache->mutex);
	if (cover == RX_COVER_ALL) {
		rxc->InformationToReturn = length;
		return STATUS_SUCCESS;
	}
	status = cover == RX_COVER_SOME ? rx_cache_flush(fcb) : STATUS_SUCCESS;
	return NT_SUCCESS(status) ? STATUS_MORE_PROCESSING_REQUIRED : status;
}
