/*
 * lazy.c - dirty data that gets old is written although nobody asks.
 *
 * The lazy writer waits for nobody: neither for answers of the server, nor for a file that somebody holds. What a file may
 * not send at once follows as answers come.
 *
 * Owns:      struct rx_lazy_writer, one per device, from the first file that keeps data back.
 * Locks:     rx_lazy_writer.mutex, under a cache's mutex; only the lists of an FCB are locked under it, for its name, or its
 *            size. A file in the list is alive: it leaves before its FCB goes, so that a reference may be taken here.
 * Dies when: the device does; no file has data then.
 */
#include "core/cache/block.h"

#include "core/object/object.h"

#define RX_LAZY_AGE (5 * 10 * 1000 * 1000)  /* 100 ns that data of a busy file may stay here */
#define RX_LAZY_IDLE (1 * 10 * 1000 * 1000) /* 100 ns without a write: others see its size and times then */
#define RX_LAZY_EVERY (5 * 1000 * 1000)     /* 100 ns */

static VOID NTAPI rx_lazy_timer(PVOID context);

/* Blocks that data may take before writers wait: a share of the machine's memory, by its size. */
static LONG rx_lazy_limit(void)
{
	static const ULONG megabytes[] = {
		[MmSmallSystem] = 32, [MmMediumSystem] = 128, [MmLargeSystem] = 512};

	return (LONG)(megabytes[MmQuerySystemSize()] * ((1u << 20) / RX_CACHE_BLOCK));
}

bool rx_lazy_obtain(PRDBSS_DEVICE_OBJECT dev)
{
	struct rx_lazy_writer *lazy;

	if (rx_lazy_of_device(dev) != NULL)
		return true;
	lazy = ExAllocatePoolZero(NonPagedPool, sizeof(*lazy), RX_TAG_CACHE);
	if (lazy == NULL)
		return false;
	lazy->limit = rx_lazy_limit();
	ExInitializeFastMutex(&lazy->mutex);
	InitializeListHead(&lazy->caches);
	KeInitializeSpinLock(&lazy->segment_lock);
	KeInitializeSpinLock(&lazy->held_lock);
	KeInitializeEvent(&lazy->none_held, NotificationEvent, TRUE);
	if (InterlockedCompareExchangePointer((PVOID volatile *)&dev->LazyWriter, lazy, NULL) != NULL)
		ExFreePoolWithTag(lazy, RX_TAG_CACHE); /* another file was faster */
	return true;
}

/* Whoever stops the device waits for the end of this. The caller has another reference, or keeps the file alive. */
static void rx_lazy_hold(struct rx_lazy_writer *lazy, PFCB fcb)
{
	KIRQL irql;

	(void)RxReferenceNetFcb(fcb);
	KeAcquireSpinLock(&lazy->held_lock, &irql);
	if (lazy->held++ == 0)
		KeClearEvent(&lazy->none_held);
	KeReleaseSpinLock(&lazy->held_lock, irql);
}

static void rx_lazy_let_go(struct rx_lazy_writer *lazy, PFCB fcb)
{
	KIRQL irql;

	rx_fcb_let_go(fcb);
	KeAcquireSpinLock(&lazy->held_lock, &irql);
	if (--lazy->held == 0)
		(void)KeSetEvent(&lazy->none_held, IO_NO_INCREMENT, FALSE);
	KeReleaseSpinLock(&lazy->held_lock, irql);
}

void rx_cache_device_settle(PRDBSS_DEVICE_OBJECT dev)
{
	struct rx_lazy_writer *lazy = rx_lazy_of_device(dev);

	if (lazy != NULL)
		(void)KeWaitForSingleObject(&lazy->none_held, Executive, KernelMode, FALSE, NULL);
}

void rx_cache_device_end(PRDBSS_DEVICE_OBJECT dev)
{
	if (dev->LazyWriter == NULL)
		return;
	RX_CHECK(IsListEmpty(&dev->LazyWriter->caches));
	ExFreePoolWithTag(dev->LazyWriter, RX_TAG_CACHE);
	dev->LazyWriter = NULL;
}

/* Locks: lazy->mutex. */
static void rx_lazy_wake_locked(PRDBSS_DEVICE_OBJECT dev)
{
	struct rx_lazy_writer *lazy = rx_lazy_of_device(dev);
	LARGE_INTEGER delay = {.QuadPart = RX_LAZY_EVERY};

	if (lazy->posted || IsListEmpty(&lazy->caches))
		return;
	lazy->posted = NT_SUCCESS(RxPostOneShotTimerRequest(dev, &lazy->item, rx_lazy_timer, dev, delay));
}

void rx_lazy_enlist(struct rx_cache *cache)
{
	struct rx_lazy_writer *lazy = rx_lazy_of(cache);

	ExAcquireFastMutex(&lazy->mutex);
	cache->dirty_time = KeQueryInterruptTime();
	InsertTailList(&lazy->caches, &cache->lazy_link);
	rx_lazy_wake_locked(cache->fcb->RxDeviceObject);
	ExReleaseFastMutex(&lazy->mutex);
}

void rx_lazy_delist(struct rx_cache *cache)
{
	struct rx_lazy_writer *lazy = rx_lazy_of(cache);

	ExAcquireFastMutex(&lazy->mutex);
	RemoveEntryList(&cache->lazy_link);
	InitializeListHead(&cache->lazy_link);
	ExReleaseFastMutex(&lazy->mutex);
}

/* Locks: lazy->mutex. */
static bool rx_lazy_is_due(const struct rx_cache *cache, ULONGLONG now)
{
	ULONGLONG put = __atomic_load_n(&cache->put_time, __ATOMIC_RELAXED);

	return now - cache->dirty_time >= RX_LAZY_AGE ||
	       (now >= put && now - put >= RX_LAZY_IDLE && now - cache->dirty_time >= RX_LAZY_IDLE);
}

/* A file whose data should go and that this pass has not had yet, referenced. */
static PFCB rx_lazy_take_due(struct rx_lazy_writer *lazy, ULONGLONG now)
{
	PFCB fcb = NULL;

	ExAcquireFastMutex(&lazy->mutex);
	for (PLIST_ENTRY link = lazy->caches.Flink; link != &lazy->caches && fcb == NULL;
	     link = link->Flink) {
		struct rx_cache *cache = CONTAINING_RECORD(link, struct rx_cache, lazy_link);

		if (cache->look_time == now || now < cache->dirty_time || !rx_lazy_is_due(cache, now))
			continue;
		fcb = cache->fcb;
		rx_lazy_hold(lazy, fcb);
		cache->look_time = now;
	}
	ExReleaseFastMutex(&lazy->mutex);
	return fcb;
}

/* What failed is tried again when somebody asks. Locks: FCB. */
static bool rx_lazy_may_try(PFCB fcb)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);
	bool may;

	if (cache == NULL)
		return false;
	ExAcquireFastMutex(&cache->mutex);
	may = !cache->failed;
	ExReleaseFastMutex(&cache->mutex);
	return may;
}

/* Gives the reference up; the caller held nothing of the file. */
static void rx_lazy_flush(PFCB fcb)
{
	if (RxAcquireSharedFcb(NULL, fcb) == STATUS_SUCCESS) {
		if (rx_lazy_may_try(fcb))
			(void)rx_cache_flush(fcb); /* the handles hear of a failure */
		RxReleaseFcb(NULL, fcb);
	}
	rx_fcb_let_go(fcb);
}

/*
 * Old data begins its way, or goes on. Somebody who holds the file may wait for the server: then not now. Gives the reference up.
 * @begin: and what there is counts as young from now on
 */
static void rx_lazy_send(PFCB fcb, bool begin)
{
	struct rx_cache *cache = __atomic_load_n(&fcb->WriteBehind, __ATOMIC_ACQUIRE);
	struct rx_lazy_writer *lazy = rx_lazy_of(cache);

	if (ExAcquireResourceSharedLite(fcb->Header.Resource, FALSE)) {
		if (begin) {
			ExAcquireFastMutex(&lazy->mutex);
			cache->dirty_time = KeQueryInterruptTime();
			ExReleaseFastMutex(&lazy->mutex);
		}
		rx_cache_start_old(cache, begin);
		RxReleaseFcb(NULL, fcb);
	}
	rx_lazy_let_go(lazy, fcb);
}

static VOID NTAPI rx_lazy_go_on(PVOID context)
{
	struct rx_cache *cache = context;
	KIRQL irql;

	KeAcquireSpinLock(&cache->done_lock, &irql);
	cache->posted = false; /* before its completions are looked at */
	KeReleaseSpinLock(&cache->done_lock, irql);
	rx_lazy_send(cache->fcb, false);
}

void rx_lazy_go_on_locked(struct rx_cache *cache)
{
	if (cache->posted)
		return;
	cache->posted = true;
	rx_lazy_hold(rx_lazy_of(cache), cache->fcb);
	(void)RxPostToWorkerThread(cache->fcb->RxDeviceObject, DelayedWorkQueue, &cache->next, rx_lazy_go_on,
				   cache);
}

static VOID NTAPI rx_lazy_timer(PVOID context)
{
	PRDBSS_DEVICE_OBJECT dev = context;
	struct rx_lazy_writer *lazy = rx_lazy_of_device(dev);
	ULONGLONG now = KeQueryInterruptTime();
	PFCB fcb;

	while ((fcb = rx_lazy_take_due(lazy, now)) != NULL)
		rx_lazy_send(fcb, true);
	ExAcquireFastMutex(&lazy->mutex);
	lazy->posted = false;
	rx_lazy_wake_locked(dev);
	ExReleaseFastMutex(&lazy->mutex);
}

/* ---- a directory is listed ---- */

/* A path without its last part. */
static UNICODE_STRING rx_lazy_parent(const UNICODE_STRING *path)
{
	USHORT end = path->Length / sizeof(WCHAR);
	UNICODE_STRING parent = *path;

	while (end > 0 && path->Buffer[end - 1] != L'\\')
		end--;
	parent.Length = (USHORT)((end > 1 ? end - 1 : end) * sizeof(WCHAR));
	return parent;
}

/*
 * A file with several names may be meant by any directory and any open. Neither FCB is held, and a rename frees the memory of
 * the old name: not while the lists of both are locked. Locks: lazy->mutex, which keeps two threads from taking two.
 */
static bool rx_lazy_is_in(PFCB fcb, PNET_ROOT nr, PFCB directory)
{
	UNICODE_STRING parent;
	bool is_in;

	if (fcb->pNetRoot != &nr->Mrx || fcb == directory)
		return false;
	if (__atomic_load_n(&fcb->NumberOfLinks, __ATOMIC_RELAXED) > 1)
		return true;
	if (directory == NULL)
		return false;
	rx_fcb_lists_lock(directory);
	rx_fcb_lists_lock(fcb);
	parent = rx_lazy_parent(&fcb->PrivateAlreadyPrefixedName);
	is_in = RtlEqualUnicodeString(&parent, &directory->PrivateAlreadyPrefixedName, TRUE);
	rx_fcb_lists_unlock(fcb);
	rx_fcb_lists_unlock(directory);
	return is_in;
}

/* A file of the directory that this pass has not had yet, referenced. */
static PFCB rx_lazy_take_in(struct rx_lazy_writer *lazy, PNET_ROOT nr, PFCB directory, ULONG64 pass)
{
	PFCB found = NULL;

	ExAcquireFastMutex(&lazy->mutex);
	for (PLIST_ENTRY link = lazy->caches.Flink; link != &lazy->caches && found == NULL;
	     link = link->Flink) {
		struct rx_cache *cache = CONTAINING_RECORD(link, struct rx_cache, lazy_link);

		if (cache->pass >= pass || !rx_lazy_is_in(cache->fcb, nr, directory))
			continue;
		cache->pass = pass;
		found = cache->fcb;
		(void)RxReferenceNetFcb(found);
	}
	ExReleaseFastMutex(&lazy->mutex);
	return found;
}

void rx_cache_flush_directory(PNET_ROOT nr, PFCB directory)
{
	struct rx_lazy_writer *lazy = rx_lazy_of_device(nr->pSrvCall->RxDeviceObject);
	ULONG64 pass;
	PFCB fcb;

	if (lazy == NULL || __atomic_load_n(&lazy->blocks, __ATOMIC_ACQUIRE) == 0)
		return;
	ExAcquireFastMutex(&lazy->mutex);
	pass = ++lazy->passes;
	ExReleaseFastMutex(&lazy->mutex);
	while ((fcb = rx_lazy_take_in(lazy, nr, directory, pass)) != NULL)
		rx_lazy_flush(fcb);
}

void rx_cache_size_by_other_name(PFCB fcb, LONG64 number, PLONGLONG size)
{
	struct rx_lazy_writer *lazy = rx_lazy_of_device(fcb->RxDeviceObject);

	if (lazy == NULL || number == 0 || __atomic_load_n(&lazy->blocks, __ATOMIC_ACQUIRE) == 0)
		return;
	ExAcquireFastMutex(&lazy->mutex);
	for (PLIST_ENTRY link = lazy->caches.Flink; link != &lazy->caches; link = link->Flink) {
		PFCB other = CONTAINING_RECORD(link, struct rx_cache, lazy_link)->fcb;

		if (other == fcb || other->pNetRoot != fcb->pNetRoot ||
		    __atomic_load_n(&other->IndexNumber.QuadPart, __ATOMIC_RELAXED) != number)
			continue;
		__atomic_store_n(&other->NumberOfLinks, 2, __ATOMIC_RELAXED);
		RxGetFileSizeWithLock(other, size);
	}
	ExReleaseFastMutex(&lazy->mutex);
}
