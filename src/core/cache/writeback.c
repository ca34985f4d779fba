/*
 * writeback.c - runs of dirty bytes to the server.
 *
 * Owns:   struct rx_run, from the copy of its bytes until its completion was looked at.
 * Locks:  the sender holds the FCB, but no run does: whoever changes what a run relies on (the open at the server, the
 *         size) flushes or drains first, with the FCB exclusive. rx_cache.mutex for lists and blocks; done_lock, any
 *         level, for what a completion touches.
 *
 *   dirty --copied--> flying --IRP completes--> done --looked at--> at the server
 *                                                              --> dirty again, and the failure counted
 *
 * Two runs never carry the same block at once, so that an older write cannot arrive after a newer one.
 */
#include "core/cache/block.h"

#include "core/object/object.h"

/* In an IRP's DriverContext: one of ours. */
static const char rx_run_mark;

bool rx_cache_is_own(PIRP irp)
{
	return irp->Tail.Overlay.DriverContext[0] == (PVOID)(ULONG_PTR)&rx_run_mark;
}

void rx_cache_mark_own(PIRP irp)
{
	irp->Tail.Overlay.DriverContext[0] = (PVOID)(ULONG_PTR)&rx_run_mark;
}

/* ---- a run ---- */

static void rx_run_free(struct rx_run *run)
{
	if (run->mdl != NULL)
		IoFreeMdl(run->mdl);
	if (run->irp != NULL)
		IoFreeIrp(run->irp);
	ExFreePoolWithTag(run, RX_TAG_CACHE);
}

static struct rx_run *rx_run_create(struct rx_cache *cache, LONGLONG offset, ULONG room)
{
	struct rx_run *run = ExAllocatePoolWithTag(NonPagedPool, sizeof(*run) + room, RX_TAG_CACHE);

	if (run == NULL)
		return NULL;
	RtlZeroMemory(run, sizeof(*run));
	run->room = room;
	run->cache = cache;
	run->offset = offset;
	run->data = (UCHAR *)(run + 1);
	run->irp = IoAllocateIrp(cache->fcb->RxDeviceObject->DeviceObject.StackSize, FALSE);
	if (run->irp != NULL)
		return run;
	rx_run_free(run);
	return NULL;
}

/* Any level: the transport's thread may run it. */
static NTSTATUS NTAPI rx_run_complete(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	struct rx_run *run = context;
	struct rx_cache *cache = run->cache;
	KIRQL irql;

	(void)device;
	run->status = irp->IoStatus.Status;
	if (NT_SUCCESS(run->status) && irp->IoStatus.Information != run->length)
		run->status = STATUS_DISK_FULL; /* servers stop short for want of room */
	KeAcquireSpinLock(&cache->done_lock, &irql);
	InsertTailList(&cache->done, &run->link);
	(void)KeSetEvent(&cache->done_event, IO_NO_INCREMENT, FALSE);
	if (cache->going)
		rx_lazy_go_on_locked(cache); /* under the lock: without it the file may be gone */
	KeReleaseSpinLock(&cache->done_lock, irql);
	return STATUS_MORE_PROCESSING_REQUIRED; /* IRP and run are freed by whoever looks */
}

/* @operation: that waits for the bytes; NULL: none */
static void rx_run_send(struct rx_run *run, PFILE_OBJECT file, const char *operation)
{
	PDEVICE_OBJECT device = &run->cache->fcb->RxDeviceObject->DeviceObject;
	PIO_STACK_LOCATION sp = IoGetNextIrpStackLocation(run->irp);

	run->irp->Flags |= IRP_PAGING_IO | IRP_NOCACHE | IRP_WRITE_OPERATION;
	run->irp->RequestorMode = KernelMode;
	run->irp->Requester.operation = operation; /* for the counters: the write itself is the system's */
	run->irp->MdlAddress = run->mdl;
	run->irp->UserBuffer = run->data;
	run->irp->Tail.Overlay.OriginalFileObject = file;
	rx_cache_mark_own(run->irp);
	sp->MajorFunction = IRP_MJ_WRITE;
	sp->FileObject = file;
	sp->DeviceObject = device;
	sp->Parameters.Write.Length = run->length;
	sp->Parameters.Write.ByteOffset.QuadPart = run->offset;
	IoSetCompletionRoutine(run->irp, rx_run_complete, run, TRUE, TRUE, TRUE);
	(void)IoCallDriver(device, run->irp); /* the completion runs in every case */
}

/* ---- who hears of a failure ---- */

static ULONG rx_cache_failures(PFCB fcb)
{
	return __atomic_load_n(&fcb->WriteBehindFailures, __ATOMIC_ACQUIRE);
}

void rx_cache_note_failure(PFCB fcb, NTSTATUS status)
{
	__atomic_store_n(&fcb->WriteBehindError, status, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&fcb->WriteBehindFailures, 1, __ATOMIC_RELEASE);
}

/* What has failed behind the handle's back since it was told last. */
static NTSTATUS rx_cache_tell(PFCB fcb, PFOBX fobx)
{
	ULONG failures = rx_cache_failures(fcb);

	if (__atomic_exchange_n(&fobx->WriteBehindFailuresSeen, failures, __ATOMIC_RELAXED) == failures)
		return STATUS_SUCCESS;
	return __atomic_load_n(&fcb->WriteBehindError, __ATOMIC_RELAXED);
}

/* The pages of a file go through any handle that may write, what is kept here through one. Locks: FCB exclusive. */
static void rx_cache_spoil_opens(PFCB fcb)
{
	PFILE_OBJECT carrier =
		rx_cache_has_data(fcb) ? __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE)->file : NULL;

	for (PLIST_ENTRY so_link = fcb->SrvOpenList.Flink; so_link != &fcb->SrvOpenList;
	     so_link = so_link->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(so_link, SRV_OPEN, SrvOpenQLinks);

		for (PLIST_ENTRY link = so->FobxList.Flink; link != &so->FobxList; link = link->Flink) {
			PFILE_OBJECT file = CONTAINING_RECORD(link, FOBX, FobxQLinks)->AssociatedFileObject;

			if (file != NULL && (carrier != NULL ? file == carrier : file->WriteAccess != FALSE))
				so->Condition = Condition_Bad;
		}
	}
}

NTSTATUS rx_cache_write_back_for_break(PFCB fcb)
{
	ULONG before = rx_cache_failures(fcb);
	NTSTATUS status = RxFlushFcbInSystemCache(fcb, TRUE);

	if (NT_SUCCESS(status))
		return status;
	/* pages were not given up, or there was no memory for a run: nobody has counted that, nor tried the rest */
	if (rx_cache_failures(fcb) == before) {
		rx_cache_note_failure(fcb, status);
		(void)rx_cache_flush(fcb);
	}
	rx_cache_spoil_opens(fcb);
	return status;
}

/* ---- what has completed ---- */

static void rx_run_settle(struct rx_cache *cache, struct rx_run *run)
{
	LONGLONG at = run->offset, end = run->offset + run->length;
	bool failed = !NT_SUCCESS(run->status);

	while (at < end) {
		struct rx_block *block = rx_block_find(cache, at / RX_CACHE_BLOCK);
		ULONG lo = (ULONG)(at % RX_CACHE_BLOCK);
		ULONG hi = end - at < RX_CACHE_BLOCK - lo ? lo + (ULONG)(end - at) : RX_CACHE_BLOCK;

		RX_CHECK(block != NULL && block->writing > 0);
		block->writing--;
		if (failed)
			rx_block_soil(cache, block, lo, hi);
		else if (end > cache->server_end)
			cache->server_end = end;
		rx_block_settle(cache, block);
		at += hi - lo;
	}
	if (failed) {
		RxLog(("fcb=%p write-behind at %llx failed: %lx", cache->fcb, run->offset, run->status));
		cache->failed = true;
		rx_cache_note_failure(cache->fcb, run->status);
	}
}

void rx_cache_reap_locked(struct rx_cache *cache)
{
	LIST_ENTRY done;
	KIRQL irql;

	InitializeListHead(&done);
	KeAcquireSpinLock(&cache->done_lock, &irql);
	while (!IsListEmpty(&cache->done)) {
		struct rx_run *run = CONTAINING_RECORD(RemoveHeadList(&cache->done), struct rx_run, link);

		InsertTailList(&done, &run->link);
		cache->in_flight--;
	}
	/* without a run under way nobody will set it again */
	if (cache->in_flight > 0)
		KeClearEvent(&cache->done_event);
	KeReleaseSpinLock(&cache->done_lock, irql);
	while (!IsListEmpty(&done)) {
		struct rx_run *run = CONTAINING_RECORD(RemoveHeadList(&done), struct rx_run, link);

		rx_run_settle(cache, run);
		RemoveEntryList(&run->flying);
		rx_run_free(run);
	}
}

/* ---- what is to be sent ---- */

/* In the order of the file; few, and mostly in that order already. */
static void rx_blocks_sort(struct rx_block **blocks, ULONG count)
{
	for (ULONG i = 1; i < count; i++) {
		struct rx_block *block = blocks[i];
		ULONG j = i;

		for (; j > 0 && blocks[j - 1]->number > block->number; j--)
			blocks[j] = blocks[j - 1];
		blocks[j] = block;
	}
}

/* @puts: what was put later is not meant: who flushes must not go on for as long as others write */
static ULONG rx_blocks_choose(struct rx_cache *cache, bool full_only, ULONG64 puts, struct rx_block **blocks,
			      ULONG room)
{
	ULONG count = 0;

	for (PLIST_ENTRY link = cache->blocks.Flink; link != &cache->blocks && count < room;
	     link = link->Flink) {
		struct rx_block *block = CONTAINING_RECORD(link, struct rx_block, all);

		if (block->writing == 0 && block->dirty.count != 0 && block->since <= puts &&
		    (!full_only || rx_block_is_full(block)))
			blocks[count++] = block;
	}
	rx_blocks_sort(blocks, count);
	return count;
}

/* The runs that one call sends, with bytes of these blocks. */
struct rx_outgoing {
	struct rx_block **blocks;
	ULONG count;
	LIST_ENTRY runs;
	ULONG left; /* runs that may still be begun */
	struct rx_run *last;
};

/* Bytes that lie together from an extent of a block on, and fit into one run: small runs take no more memory than that. */
static ULONG rx_outgoing_measure(const struct rx_outgoing *out, ULONG i, ULONG extent)
{
	LONGLONG end = out->blocks[i]->number * RX_CACHE_BLOCK + out->blocks[i]->dirty.at[extent].lo;
	ULONG bytes = 0;

	for (; i < out->count; i++, extent = 0) {
		const struct rx_extents *dirty = &out->blocks[i]->dirty;

		for (; extent < dirty->count; extent++) {
			ULONG length = dirty->at[extent].hi - dirty->at[extent].lo;

			if (out->blocks[i]->number * RX_CACHE_BLOCK + dirty->at[extent].lo != end ||
			    bytes + length > RX_CACHE_RUN_BYTES)
				return bytes;
			bytes += length;
			end += length;
		}
	}
	return bytes;
}

/* False: no more runs now. */
static bool rx_outgoing_add(struct rx_cache *cache, struct rx_outgoing *out, ULONG i, ULONG extent)
{
	const struct rx_block *block = out->blocks[i];
	ULONG lo = block->dirty.at[extent].lo, hi = block->dirty.at[extent].hi;
	LONGLONG offset = block->number * RX_CACHE_BLOCK + lo;
	struct rx_run *run = out->last;

	if (run == NULL || run->offset + run->length != offset || run->length + (hi - lo) > run->room) {
		if (out->left == 0)
			return false;
		run = rx_run_create(cache, offset, rx_outgoing_measure(out, i, extent));
		if (run == NULL)
			return false;
		out->left--;
		out->last = run;
		InsertTailList(&out->runs, &run->link);
	}
	RtlCopyMemory(run->data + run->length, block->data + lo, hi - lo);
	run->length += hi - lo;
	return true;
}

/* What of the block fits goes out; the rest stays dirty. False: no more runs now. */
static bool rx_outgoing_add_block(struct rx_cache *cache, struct rx_outgoing *out, ULONG at)
{
	struct rx_block *block = out->blocks[at];
	struct rx_extents dirty = block->dirty;
	ULONG i = 0;

	while (i < dirty.count && rx_outgoing_add(cache, out, at, i)) {
		block->writing++;
		i++;
	}
	if (i == 0)
		return false;
	rx_block_clear_dirty(cache, block);
	for (ULONG rest = i; rest < dirty.count; rest++)
		(void)rx_extents_add(&block->dirty, dirty.at[rest].lo, dirty.at[rest].hi);
	return i == dirty.count;
}

static void rx_outgoing_prepare(struct rx_cache *cache, struct rx_outgoing *out)
{
	PLIST_ENTRY link, next;

	for (link = out->runs.Flink; link != &out->runs; link = next) {
		struct rx_run *run = CONTAINING_RECORD(link, struct rx_run, link);

		next = link->Flink;
		run->number = ++cache->runs;
		InsertTailList(&cache->flying, &run->flying);
		cache->in_flight++; /* under the mutex alone: completions do not touch it */
	}
}

/* Locks: mutex. Takes bytes out of the dirty blocks, for runs that the caller sends once it gave the mutex up. */
static void rx_cache_collect(struct rx_cache *cache, bool full_only, ULONG64 puts, struct rx_outgoing *out)
{
	ULONG room;

	InitializeListHead(&out->runs);
	out->last = NULL;
	out->left = cache->in_flight < RX_CACHE_RUNS ? RX_CACHE_RUNS - cache->in_flight : 0;
	if (out->left == 0 || cache->file == NULL || IsListEmpty(&cache->blocks))
		return;
	room = min(cache->fcb->WriteBehindBlocks, RX_CACHE_CHOICE);
	out->blocks = ExAllocatePoolWithTag(NonPagedPool, room * sizeof(struct rx_block *), RX_TAG_CACHE);
	if (out->blocks == NULL)
		return;
	out->count = rx_blocks_choose(cache, full_only, puts, out->blocks, room);
	for (ULONG i = 0; i < out->count; i++)
		if (!rx_outgoing_add_block(cache, out, i))
			break;
	ExFreePoolWithTag(out->blocks, RX_TAG_CACHE);
	rx_outgoing_prepare(cache, out);
}

/* A run without an MDL fails like one that the server refused. */
static void rx_outgoing_send(struct rx_outgoing *out, PFILE_OBJECT file, const char *operation)
{
	while (!IsListEmpty(&out->runs)) {
		struct rx_run *run = CONTAINING_RECORD(RemoveHeadList(&out->runs), struct rx_run, link);

		run->mdl = IoAllocateMdl(run->data, run->length, FALSE, FALSE, NULL);
		if (run->mdl == NULL) {
			run->irp->IoStatus.Status = STATUS_INSUFFICIENT_RESOURCES;
			(void)rx_run_complete(NULL, run->irp, run);
			continue;
		}
		MmBuildMdlForNonPagedPool(run->mdl);
		rx_run_send(run, file, operation);
	}
}

void rx_cache_start_full(struct rx_cache *cache)
{
	struct rx_outgoing out;
	PFILE_OBJECT file;

	ExAcquireFastMutex(&cache->mutex);
	rx_cache_collect(cache, true, cache->puts, &out);
	file = cache->file;
	ExReleaseFastMutex(&cache->mutex);
	rx_outgoing_send(&out, file, NULL);
}

static void rx_cache_set_going(struct rx_cache *cache, bool going)
{
	KIRQL irql;

	KeAcquireSpinLock(&cache->done_lock, &irql);
	cache->going = going;
	KeReleaseSpinLock(&cache->done_lock, irql);
}

void rx_cache_start_old(struct rx_cache *cache, bool begin)
{
	struct rx_outgoing out;
	PFILE_OBJECT file;

	InitializeListHead(&out.runs);
	ExAcquireFastMutex(&cache->mutex);
	if (begin) {
		rx_block_sort_all(cache);
		cache->old = cache->puts;
		rx_cache_set_going(cache, true); /* before what has completed is looked at */
	}
	rx_cache_reap_locked(cache);
	if (!cache->failed) /* what failed is tried again when somebody asks */
		rx_cache_collect(cache, false, cache->old, &out);
	if (cache->in_flight == 0)
		rx_cache_set_going(cache, false);
	file = cache->file;
	ExReleaseFastMutex(&cache->mutex);
	rx_outgoing_send(&out, file, NULL);
}

/* ---- flushing ---- */

/* Is anything dirty that was put before `puts` was counted? Locks: mutex. */
static bool rx_cache_is_dirty(struct rx_cache *cache, ULONG64 puts)
{
	for (PLIST_ENTRY link = cache->blocks.Flink; link != &cache->blocks; link = link->Flink) {
		const struct rx_block *block = CONTAINING_RECORD(link, struct rx_block, all);

		if (block->dirty.count != 0 && block->since <= puts)
			return true;
	}
	return false;
}

/* Locks: mutex. */
static bool rx_cache_is_flying(struct rx_cache *cache, ULONG64 last)
{
	return !IsListEmpty(&cache->flying) &&
	       CONTAINING_RECORD(cache->flying.Flink, struct rx_run, flying)->number <= last;
}

/* One flush: what was put before it began; later writes do not keep it from ending. */
struct rx_flush {
	ULONG64 puts;
	ULONG failures;
	ULONG64 last_run; /* the last one that carries bytes of before; known once nothing is dirty */
	bool sent_all;
	bool failed;
};

/* Whoever flushes waits for what is sent. */
static const char *rx_waiting_operation(void)
{
	struct nt_requester who;

	return nt_get_requester(&who) ? who.operation : NULL;
}

/* One round. True: done. Locks: mutex, given up and taken again around the sending. */
static bool rx_flush_round(struct rx_cache *cache, struct rx_flush *f) RX_REQUIRES(cache->mutex)
{
	struct rx_outgoing out;
	PFILE_OBJECT file = cache->file;
	bool stuck;

	rx_cache_reap_locked(cache);
	f->failed = f->failed || rx_cache_failures(cache->fcb) != f->failures;
	if (!f->sent_all && (f->failed || !rx_cache_is_dirty(cache, f->puts))) {
		f->sent_all = true;
		f->last_run = cache->runs;
	}
	if (f->sent_all)
		return !rx_cache_is_flying(cache, f->last_run);
	rx_cache_collect(cache, false, f->puts, &out);
	stuck = cache->in_flight == 0; /* no memory, or no handle to send it through */
	ExReleaseFastMutex(&cache->mutex);
	rx_outgoing_send(&out, file, rx_waiting_operation());
	ExAcquireFastMutex(&cache->mutex);
	f->failed = f->failed || stuck;
	return stuck;
}

NTSTATUS rx_cache_flush(PFCB fcb)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);
	struct rx_flush f = {0};
	NTSTATUS status;

	if (cache == NULL || !rx_cache_has_data(fcb))
		return STATUS_SUCCESS;
	ExAcquireFastMutex(&cache->mutex);
	rx_cache_reap_locked(cache);
	rx_block_sort_all(cache);
	f.puts = cache->puts;
	f.failures = rx_cache_failures(fcb);
	cache->failed = false;
	while (!rx_flush_round(cache, &f)) {
		ExReleaseFastMutex(&cache->mutex);
		nt_wait_for_answer(&cache->done_event);
		ExAcquireFastMutex(&cache->mutex);
	}
	status = !f.failed                              ? STATUS_SUCCESS
		 : rx_cache_failures(fcb) != f.failures ? fcb->WriteBehindError
							: STATUS_INSUFFICIENT_RESOURCES;
	ExReleaseFastMutex(&cache->mutex);
	return status;
}

NTSTATUS rx_cache_flush_for(PFCB fcb, PFOBX fobx)
{
	NTSTATUS status = rx_cache_flush(fcb);
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);
	NTSTATUS unheard;

	if (cache != NULL) {
		ExAcquireFastMutex(&cache->mutex);
		rx_cache_reap_locked(cache);
		ExReleaseFastMutex(&cache->mutex);
	}
	unheard = rx_cache_tell(fcb, fobx);
	return NT_SUCCESS(unheard) ? status : unheard;
}

void rx_cache_drain(PFCB fcb)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);

	if (cache == NULL)
		return;
	rx_cache_set_going(cache, false);
	ExAcquireFastMutex(&cache->mutex);
	rx_cache_reap_locked(cache);
	while (cache->in_flight != 0) {
		ExReleaseFastMutex(&cache->mutex);
		nt_wait_for_answer(&cache->done_event);
		ExAcquireFastMutex(&cache->mutex);
		rx_cache_reap_locked(cache);
	}
	ExReleaseFastMutex(&cache->mutex);
}

/* ---- handles ---- */

static bool rx_cache_carrier_is_good(const struct rx_cache *cache)
{
	const FOBX *fobx = cache->file != NULL ? cache->file->FsContext2 : NULL;
	const SRV_OPEN *so = fobx != NULL ? (const SRV_OPEN *)fobx->pSrvOpen : NULL;

	return so != NULL && so->Condition == Condition_Good &&
	       (so->Flags & (SRVOPEN_FLAG_CLOSED | SRVOPEN_FLAG_ORPHANED)) == 0;
}

/* The size that only the data had goes with it. Locks: FCB exclusive; mutex; nothing is on the way. */
static void rx_cache_give_up(struct rx_cache *cache)
{
	PFCB fcb = cache->fcb;
	LONGLONG size;

	if (IsListEmpty(&cache->blocks))
		return;
	RxGetFileSizeWithLock(fcb, &size);
	if (size > cache->server_end) {
		RxSetFileSizeWithLock(fcb, &cache->server_end);
		fcb->Header.ValidDataLength = fcb->Header.FileSize;
	}
	DbgPrint("rdbss: %wZ: data that could not be written is given up: %08lx\n",
		 &fcb->PrivateAlreadyPrefixedName, fcb->WriteBehindError);
	rx_block_discard_all(cache);
}

void rx_cache_before_open(PFCB fcb)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);

	if (!rx_cache_has_data(fcb) || NT_SUCCESS(rx_cache_flush(fcb)))
		return;
	rx_cache_drain(fcb);
	ExAcquireFastMutex(&cache->mutex);
	/* its open at the server is lost, and with it what kept others from the file: later data goes its own way */
	if (!rx_cache_carrier_is_good(cache)) {
		rx_cache_give_up(cache);
		cache->file = NULL;
	}
	ExReleaseFastMutex(&cache->mutex);
}

void rx_cache_forget(PFCB fcb)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);

	if (!rx_cache_has_data(fcb))
		return;
	rx_cache_drain(fcb);
	ExAcquireFastMutex(&cache->mutex);
	rx_block_discard_all(cache);
	ExReleaseFastMutex(&cache->mutex);
}

void rx_cache_open(PFCB fcb, PFOBX fobx)
{
	fobx->WriteBehindFailuresSeen = rx_cache_failures(fcb);
}

/* Another handle that may write and is not being cleaned up. Locks: FCB exclusive. */
static PFILE_OBJECT rx_cache_other_writer(PFCB fcb, PFILE_OBJECT but)
{
	for (PLIST_ENTRY so_link = fcb->SrvOpenList.Flink; so_link != &fcb->SrvOpenList;
	     so_link = so_link->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(so_link, SRV_OPEN, SrvOpenQLinks);

		for (PLIST_ENTRY link = so->FobxList.Flink; link != &so->FobxList; link = link->Flink) {
			PFILE_OBJECT file = CONTAINING_RECORD(link, FOBX, FobxQLinks)->AssociatedFileObject;

			if (file != NULL && file != but && file->WriteAccess &&
			    (nt_file_flags(file) & FO_CLEANUP_COMPLETE) == 0)
				return file;
		}
	}
	return NULL;
}

NTSTATUS rx_cache_cleanup(PFCB fcb, PFOBX fobx, PFILE_OBJECT file)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);
	NTSTATUS status = STATUS_SUCCESS;

	rx_ahead_end(fobx);
	if ((cache != NULL && cache->file == file) || (nt_file_flags(file) & FO_FILE_MODIFIED) != 0)
		status = rx_cache_flush_for(fcb, fobx);
	else if (file->WriteAccess) /* it may have written by pages that never came here */
		status = rx_cache_tell(fcb, fobx);
	if (cache == NULL || cache->file != file)
		return status;
	rx_cache_drain(fcb);
	ExAcquireFastMutex(&cache->mutex);
	cache->file = rx_cache_other_writer(fcb, file);
	if (cache->file == NULL)
		rx_cache_give_up(cache);
	ExReleaseFastMutex(&cache->mutex);
	return status;
}

void rx_cache_end(PFCB fcb)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);

	if (cache == NULL)
		return;
	rx_cache_drain(fcb);
	ExAcquireFastMutex(&cache->mutex);
	rx_block_discard_all(cache);
	ExReleaseFastMutex(&cache->mutex);
	fcb->WriteBehind = NULL;
	rx_block_table_end(cache);
	ExFreePoolWithTag(cache, RX_TAG_CACHE);
}
