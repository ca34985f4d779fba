/*
 * rxcontx.c - RX_CONTEXT: one record per request in flight.
 *
 * Owns:      every RX_CONTEXT from RxCreateRxContext() to the last dereference, and the list of active ones.
 * Found by:  the active list, hashed by IRP; an entry there is no reference: an entry leaves the list, under
 *            the bucket's lock, before its memory goes, and who looks takes a reference under that lock.
 * Locks:     bucket spin locks (leaf); rx_active_count_lock (leaf) for the number of active contexts per
 *            device and for the stopping request that waits for it.
 * Dies when: its reference count falls to zero; from any thread.
 *
 * The count starts at 1, owned by whoever works on the request: the dispatching thread, after STATUS_PENDING
 * the completion, while posted the worker. A canceller holds one more as long as it looks.
 */
#include "core/context/context.h"

#include "nt_misuse.h"

#define RX_CONTEXT_TAG 'xCxR'
#define RX_ACTIVE_BUCKETS 64
#define RX_RUN_DOWN_LIMIT (30 * 10000000LL) /* 100 ns until a driver that goes is told what it still has */

struct rx_active_bucket {
	KSPIN_LOCK lock;
	LIST_ENTRY contexts;
};

static struct rx_active_bucket rx_active[RX_ACTIVE_BUCKETS];
static KSPIN_LOCK rx_active_count_lock;
static volatile LONG rx_context_serial;

/* The context of a cleanup or close when there is no pool: one at a time. */
static FAST_MUTEX rx_reserve_mutex;
static KEVENT rx_reserve_free;
static RX_CONTEXT rx_reserve;

VOID rx_context_init(VOID)
{
	unsigned int i;

	for (i = 0; i < RX_ACTIVE_BUCKETS; i++) {
		KeInitializeSpinLock(&rx_active[i].lock);
		InitializeListHead(&rx_active[i].contexts);
	}
	KeInitializeSpinLock(&rx_active_count_lock);
	ExInitializeFastMutex(&rx_reserve_mutex);
	KeInitializeEvent(&rx_reserve_free, SynchronizationEvent, TRUE);
}

bool rx_context_is_living(PRX_CONTEXT rxc)
{
	return nt_memory_is_live(rxc, sizeof(*rxc)) && NodeType(rxc) == RDBSS_NTC_RX_CONTEXT;
}

static struct rx_active_bucket *rx_active_bucket_of(PIRP irp)
{
	ULONG_PTR key = (ULONG_PTR)irp;

	return &rx_active[(key >> 6 ^ key >> 13) % RX_ACTIVE_BUCKETS];
}

static void rx_active_insert(PRX_CONTEXT rxc)
{
	struct rx_active_bucket *bucket = rx_active_bucket_of(rxc->CurrentIrp);
	KIRQL irql;

	KeAcquireSpinLock(&rx_active_count_lock, &irql);
	rxc->RxDeviceObject->NumberOfActiveContexts++;
	KeReleaseSpinLock(&rx_active_count_lock, irql);

	KeAcquireSpinLock(&bucket->lock, &irql);
	InsertTailList(&bucket->contexts, &rxc->ContextListEntry);
	KeReleaseSpinLock(&bucket->lock, irql);
}

/* Leaves the list, unless somebody found the context meanwhile and holds a reference again. */
static bool rx_active_remove_if_last(PRX_CONTEXT rxc)
{
	struct rx_active_bucket *bucket = rx_active_bucket_of(rxc->CurrentIrp);
	KIRQL irql;
	LONG left;

	KeAcquireSpinLock(&bucket->lock, &irql);
	left = InterlockedDecrement((volatile LONG *)&rxc->ReferenceCount);
	if (left == 0)
		RemoveEntryList(&rxc->ContextListEntry);
	else if (left < 0)
		(void)InterlockedIncrement((volatile LONG *)&rxc->ReferenceCount);
	KeReleaseSpinLock(&bucket->lock, irql);
	if (left < 0)
		nt_misuse(NT_RULE_REFERENCE, "RxDereferenceAndDeleteRxContext",
			  "RX_CONTEXT %p: it has no reference to give up", (void *)rxc);
	return left == 0;
}

/* One active context less; wakes the stopper when only its own is left (E-08: the stopper counts itself). */
static void rx_active_uncount(PRDBSS_DEVICE_OBJECT dev)
{
	KIRQL irql;

	KeAcquireSpinLock(&rx_active_count_lock, &irql);
	ASSERT(dev->NumberOfActiveContexts > 0);
	dev->NumberOfActiveContexts--;
	if (dev->NumberOfActiveContexts == 1 && dev->StartStopContext.pStopContext != NULL)
		KeSetEvent(&dev->StartStopContext.pStopContext->SyncEvent, IO_NO_INCREMENT, FALSE);
	KeReleaseSpinLock(&rx_active_count_lock, irql);
}

bool rx_context_begin_stop(PRX_CONTEXT stop)
{
	PRDBSS_DEVICE_OBJECT dev = stop->RxDeviceObject;
	bool first;
	KIRQL irql;

	KeAcquireSpinLock(&rx_active_count_lock, &irql);
	first = dev->StartStopContext.pStopContext == NULL;
	if (first)
		dev->StartStopContext.pStopContext = stop;
	KeReleaseSpinLock(&rx_active_count_lock, irql);
	return first;
}

void rx_context_end_stop(PRX_CONTEXT stop)
{
	KIRQL irql;

	KeAcquireSpinLock(&rx_active_count_lock, &irql);
	stop->RxDeviceObject->StartStopContext.pStopContext = NULL;
	KeReleaseSpinLock(&rx_active_count_lock, irql);
}

static ULONG rx_active_count(PRDBSS_DEVICE_OBJECT dev)
{
	ULONG count;
	KIRQL irql;

	KeAcquireSpinLock(&rx_active_count_lock, &irql);
	count = dev->NumberOfActiveContexts;
	KeReleaseSpinLock(&rx_active_count_lock, irql);
	return count;
}

void rx_context_wait_for_others(PRX_CONTEXT stop)
{
	while (rx_active_count(stop->RxDeviceObject) > 1)
		(void)KeWaitForSingleObject(&stop->SyncEvent, Executive, KernelMode, FALSE, NULL);
}

/* A request that its driver has and that is not `stop`, for a message. */
static bool rx_context_is_stuck(PRX_CONTEXT rxc, PVOID stop)
{
	return rxc != stop;
}

/* The driver is going, and its requests will not end by themselves. */
static void rx_context_tell_stuck(PRX_CONTEXT stop)
{
	PRX_CONTEXT rxc = rx_context_find(stop->RxDeviceObject, rx_context_is_stuck, stop);

	if (rxc == NULL)
		return;
	nt_misuse(NT_RULE_UNLOAD_IDLE, "RxUnregisterMinirdr",
		  "device %p: RX_CONTEXT %p, major function %u, is in the driver's hands and was cancelled",
		  (void *)stop->RxDeviceObject, (void *)rxc, rxc->IrpMajorFunction);
	RxDereferenceAndDeleteRxContext(rxc);
}

static bool rx_context_is_other(PRX_CONTEXT rxc, PVOID stop)
{
	return rxc != stop && rxc->CurrentIrp != NULL;
}

void rx_context_wait_idle(PRDBSS_DEVICE_OBJECT dev)
{
	LARGE_INTEGER limit = {.QuadPart = -RX_RUN_DOWN_LIMIT};
	RX_CONTEXT last;

	RxInitializeContext(NULL, dev, RX_CONTEXT_FLAG_WAIT, &last);
	if (rx_context_begin_stop(&last)) {
		(void)rx_cancel_matching(dev, rx_context_is_other, &last);
		while (rx_active_count(dev) > 1)
			if (KeWaitForSingleObject(&last.SyncEvent, Executive, KernelMode, FALSE, &limit) ==
			    STATUS_TIMEOUT)
				rx_context_tell_stuck(&last);
		rx_context_end_stop(&last);
	}
	RxDereferenceAndDeleteRxContext(&last);
}

/* The objects a request is about, as the file object names them. */
static void rx_context_set_objects(PRX_CONTEXT rxc, PFILE_OBJECT file)
{
	PFCB fcb = file->FsContext;
	PFOBX fobx = file->FsContext2;

	if (fcb == NULL || rxc->MajorFunction == IRP_MJ_CREATE)
		return;
	ASSERT(NodeTypeIsFcb(fcb));
	rxc->pFcb = (PMRX_FCB)fcb;
	rxc->NonPagedFcb = fcb->NonPaged;

	/* FsContext2 of a device open is a V_NET_ROOT or nothing; of a target directory nothing */
	if (fobx == NULL || NodeType(fobx) != RDBSS_NTC_FOBX)
		return;
	rxc->pFobx = (PMRX_FOBX)fobx;
	rxc->IrpFobx = (PMRX_FOBX)fobx;
	rxc->pRelevantSrvOpen = fobx->pSrvOpen;
	rxc->FobxSerialNumber = (ULONG)InterlockedIncrement((volatile LONG *)&fobx->FobxSerialNumber);
}

/*
 * Requests that may outlive their thread: asynchronous reads, writes, device controls, byte-range locks and
 * change notifies, and controls of a pipe (E-15). Locks are ours to add: a blocked one must not keep a thread.
 */
static bool rx_context_is_async(PRX_CONTEXT rxc, PIRP irp)
{
	if (IoIsOperationSynchronous(irp))
		return false;

	switch (rxc->MajorFunction) {
	case IRP_MJ_READ:
	case IRP_MJ_WRITE:
	case IRP_MJ_DEVICE_CONTROL:
	case IRP_MJ_LOCK_CONTROL:
		return true;
	case IRP_MJ_DIRECTORY_CONTROL:
		return rxc->MinorFunction == IRP_MN_NOTIFY_CHANGE_DIRECTORY;
	case IRP_MJ_FILE_SYSTEM_CONTROL:
		return rxc->pFcb != NULL && rxc->pFcb->pNetRoot != NULL &&
		       rxc->pFcb->pNetRoot->Type == NET_ROOT_PIPE;
	default:
		return false;
	}
}

static void rx_context_set_irp(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = IoGetCurrentIrpStackLocation(irp);
	PIRP top = IoGetTopLevelIrp();

	rxc->CurrentIrp = irp;
	rxc->CancelIrp = irp;
	rxc->CurrentIrpSp = sp;
	rxc->MajorFunction = sp->MajorFunction;
	rxc->MinorFunction = sp->MinorFunction;
	rxc->IrpMajorFunction = sp->MajorFunction;
	rxc->IrpMinorFunction = sp->MinorFunction;
	rxc->RealDevice = sp->DeviceObject;
	if (sp->FileObject != NULL) {
		rx_context_set_objects(rxc, sp->FileObject);
		if ((nt_file_flags(sp->FileObject) & FO_WRITE_THROUGH) != 0 ||
		    (sp->MajorFunction == IRP_MJ_WRITE && (sp->Flags & SL_WRITE_THROUGH) != 0))
			rxc->Flags |= RX_CONTEXT_FLAG_WRITE_THROUGH;
	}
	if (rx_context_is_async(rxc, irp))
		rxc->Flags |= RX_CONTEXT_FLAG_ASYNC_OPERATION;
	if (top != NULL && top != irp)
		rxc->Flags |= RX_CONTEXT_FLAG_RECURSIVE_CALL;
	else if (sp->DeviceObject == (PDEVICE_OBJECT)rxc->RxDeviceObject)
		rxc->Flags |= RX_CONTEXT_FLAG_THIS_DEVICE_TOP_LEVEL;
}

/**
 * RxInitializeContext - make a request context in the caller's memory
 * @Irp:                 [in, optional] the request; NULL for work the core or a driver starts itself
 * @RxDeviceObject:      [in] the redirector it belongs to
 * @InitialContextFlags: [in] RX_CONTEXT_FLAG_...; RX_CONTEXT_FLAG_WAIT: may block, is never posted
 * @RxContext:           [out] reference count 1, active; given back by RxDereferenceAndDeleteRxContext()
 *
 * Context: <= APC_LEVEL.
 * Page:    rxcontx/RxInitializeContext, E-15.
 */
VOID RxInitializeContext(PIRP Irp, PRDBSS_DEVICE_OBJECT RxDeviceObject, ULONG InitialContextFlags,
			 PRX_CONTEXT RxContext)
{
	RtlZeroMemory(RxContext, sizeof(*RxContext));
	RxContext->NodeTypeCode = RDBSS_NTC_RX_CONTEXT;
	RxContext->NodeByteSize = sizeof(*RxContext);
	RxContext->ReferenceCount = 1;
	RxContext->SerialNumber = (ULONG)InterlockedIncrement(&rx_context_serial);
	RxContext->RxDeviceObject = RxDeviceObject;
	RxContext->Flags = InitialContextFlags;
	RxContext->PendingReturned = FALSE;
	RxContext->OriginalThread = PsGetCurrentThread();
	RxContext->LastExecutionThread = RxContext->OriginalThread;
	KeInitializeEvent(&RxContext->SyncEvent, SynchronizationEvent, FALSE);
	InitializeListHead(&RxContext->ScavengerEntry.List);
	InitializeListHead(&RxContext->BlockedOperations);
	InitializeListHead(&RxContext->RxContextSerializationQLinks);
	if (Irp != NULL)
		rx_context_set_irp(RxContext, Irp);
	rx_active_insert(RxContext);
}

/**
 * RxCreateRxContext - allocate and initialise a request context
 *
 * Return: the context, RX_CONTEXT_FLAG_FROM_POOL set, or NULL when there is no memory.
 * Page:   rxcontx/RxCreateRxContext.
 */
PRX_CONTEXT RxCreateRxContext(PIRP Irp, PRDBSS_DEVICE_OBJECT RxDeviceObject, ULONG InitialContextFlags)
{
	PRX_CONTEXT rxc = ExAllocatePoolWithTag(NonPagedPool, sizeof(*rxc), RX_CONTEXT_TAG);

	if (rxc != NULL)
		RxInitializeContext(Irp, RxDeviceObject, InitialContextFlags | RX_CONTEXT_FLAG_FROM_POOL,
				    rxc);
	return rxc;
}

PRX_CONTEXT rx_context_create_must_succeed(PIRP irp, PRDBSS_DEVICE_OBJECT dev, ULONG flags)
{
	PRX_CONTEXT rxc = RxCreateRxContext(irp, dev, flags);

	if (rxc != NULL)
		return rxc;
	(void)KeWaitForSingleObject(&rx_reserve_free, Executive, KernelMode, FALSE, NULL);
	RxInitializeContext(irp, dev, flags | RX_CONTEXT_FLAG_MUST_SUCCEED, &rx_reserve);
	return &rx_reserve;
}

/* What a context owns beside its objects; each request kind frees more in its own file. */
static void rx_context_free_names(PRX_CONTEXT rxc)
{
	if (rxc->AlsoCanonicalNameBuffer != NULL) {
		ExFreePool(rxc->AlsoCanonicalNameBuffer);
		rxc->AlsoCanonicalNameBuffer = NULL;
		if (rxc->MajorFunction == IRP_MJ_CREATE)
			rxc->Create.CanonicalNameBuffer = NULL;
	}
}

/**
 * RxDereferenceAndDeleteRxContext_Real - drop a reference; the last one frees the context
 *
 * Context: <= APC_LEVEL; any thread.
 * Page:    rxcontx/RxDereferenceAndDeleteRxContext_Real, E-08.
 */
VOID RxDereferenceAndDeleteRxContext_Real(PRX_CONTEXT RxContext)
{
	PRDBSS_DEVICE_OBJECT dev;

	if (!rx_context_is_living(RxContext)) {
		nt_misuse(NT_RULE_REFERENCE, "RxDereferenceAndDeleteRxContext", "RX_CONTEXT %p: it is gone",
			  (void *)RxContext);
		return;
	}
	dev = RxContext->RxDeviceObject;
	if (!rx_active_remove_if_last(RxContext))
		return;

	ASSERT(RxContext->AcquireReleaseFcbTrackerX == 0);
	rx_context_free_names(RxContext);
	RxContext->NodeTypeCode = NTC_UNDEFINED;
	if (RxContext == &rx_reserve)
		KeSetEvent(&rx_reserve_free, IO_NO_INCREMENT, FALSE);
	else if ((RxContext->Flags & RX_CONTEXT_FLAG_FROM_POOL) != 0)
		ExFreePoolWithTag(RxContext, RX_CONTEXT_TAG);
	/* last: the stopper may tear the device down as soon as it is alone */
	rx_active_uncount(dev);
}

/**
 * RxPrepareContextForReuse - forget what the last operation left, keep what came from the IRP
 *
 * ReferenceCount becomes 0 as the page says (E-09): the caller puts 1 back before it uses the context.
 * Page: rxcontx/RxPrepareContextForReuse.
 */
VOID RxPrepareContextForReuse(PRX_CONTEXT RxContext)
{
	if (RxContext->MajorFunction == IRP_MJ_CREATE)
		ASSERT(RxContext->Create.CanonicalNameBuffer == NULL);
	if (RxContext->MajorFunction == IRP_MJ_READ || RxContext->MajorFunction == IRP_MJ_WRITE)
		ASSERT(IsListEmpty(&RxContext->RxContextSerializationQLinks));

	RtlZeroMemory(&RxContext->Create, sizeof(RxContext->Create));
	RtlZeroMemory(&RxContext->LowIoContext, sizeof(RxContext->LowIoContext));
	RtlZeroMemory(RxContext->MRxContext, sizeof(RxContext->MRxContext));
	RxContext->FlagsForLowIo = 0;
	RxContext->StoredStatus = STATUS_SUCCESS;
	RxContext->InformationToReturn = 0;
	RxContext->PostRequest = FALSE;
	RxContext->MRxCancelRoutine = NULL;
	RxContext->LowIoState = 0;
	RxContext->ReferenceCount = 0;
}

static PRX_CONTEXT rx_context_find_in(struct rx_active_bucket *bucket, PRDBSS_DEVICE_OBJECT dev,
				      rx_context_visit *visit, PVOID arg)
{
	PRX_CONTEXT found = NULL;
	PLIST_ENTRY entry;
	KIRQL irql;

	KeAcquireSpinLock(&bucket->lock, &irql);
	for (entry = bucket->contexts.Flink; entry != &bucket->contexts && found == NULL;
	     entry = entry->Flink) {
		PRX_CONTEXT rxc = CONTAINING_RECORD(entry, RX_CONTEXT, ContextListEntry);

		if ((dev == NULL || rxc->RxDeviceObject == dev) && visit(rxc, arg)) {
			InterlockedIncrement((volatile LONG *)&rxc->ReferenceCount);
			found = rxc;
		}
	}
	KeReleaseSpinLock(&bucket->lock, irql);
	return found;
}

PRX_CONTEXT rx_context_find(PRDBSS_DEVICE_OBJECT dev, rx_context_visit *visit, PVOID arg)
{
	PRX_CONTEXT found = NULL;
	unsigned int i;

	for (i = 0; i < RX_ACTIVE_BUCKETS && found == NULL; i++)
		found = rx_context_find_in(&rx_active[i], dev, visit, arg);
	return found;
}

static bool rx_context_has_irp(PRX_CONTEXT rxc, PVOID arg)
{
	return __atomic_load_n(&rxc->CancelIrp, __ATOMIC_ACQUIRE) == arg;
}

PRX_CONTEXT rx_context_find_by_irp(PIRP irp)
{
	return rx_context_find_in(rx_active_bucket_of(irp), NULL, rx_context_has_irp, irp);
}
