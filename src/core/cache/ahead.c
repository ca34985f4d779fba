/*
 * ahead.c - data of a file that is read from front to back, asked for before it is wanted.
 *
 * Owns:      struct rx_ahead of a handle, from its second read in a row to its cleanup; its segments.
 * Found by:  FOBX.Ahead.
 * Locks:     the reader holds the FCB, shared at least, but no request of ours does (see writeback.c); rx_ahead.mutex for
 *            the segments; the device's segment_lock, a leaf, for the end of a segment's way.
 * Dies when: the handle is cleaned up, or its open at the server is taken away; both wait for what is on the way.
 *
 * Only under READCACHING: a segment is as good as the page of a cache. FCB.ReadAheadGeneration says so: whatever makes
 * old data wrong (a write of ours, a new size, the end of READCACHING) begins a new one, and a segment of an earlier one
 * is not used.
 *
 * A small file may come with its open (RX_QOC_READ): it is a segment that was there before the first read.
 *
 * How far to read ahead the reader finds out: as long as it has to wait for segments, their number is doubled.
 */
#include "core/cache/block.h"

#define RX_AHEAD_SEGMENT (1u << 20) /* bytes; segments begin at multiples of it */
#define RX_AHEAD_MOST 8u            /* segments of a handle */
#define RX_AHEAD_SHARE 4            /* of the memory that write-behind may take */
/* No offset that is reckoned with here is further from a reader than that. */
#define RX_AHEAD_FURTHEST ((LONGLONG)(RX_AHEAD_MOST + 2) * RX_AHEAD_SEGMENT)

struct rx_segment {
	LIST_ENTRY link; /* rx_ahead.segments, in the order of the file */
	struct rx_lazy_writer *lazy;
	LONGLONG offset;
	ULONG length; /* bytes asked for */
	ULONG valid;  /* bytes there; when done */
	LONG generation;
	ULONG users; /* readers that wait or copy; under the mutex */
	NTSTATUS status;
	KEVENT done;
	PIRP irp;
	PMDL mdl;
	UCHAR data[];
};

struct rx_ahead {
	FAST_MUTEX mutex;
	LIST_ENTRY segments;
	ULONG count;
	ULONG window;  /* segments to have ahead of the reader */
	LONGLONG next; /* offset behind the last segment that was asked for */
};

/* ---- segments ---- */

static void rx_segment_free(PFCB fcb, struct rx_segment *s)
{
	if (s->mdl != NULL)
		IoFreeMdl(s->mdl);
	if (s->irp != NULL)
		IoFreeIrp(s->irp);
	ExFreePoolWithTag(s, RX_TAG_CACHE);
	(void)InterlockedDecrement(&rx_lazy_of_device(fcb->RxDeviceObject)->segments);
}

/* True: its completion does not touch it any more. */
static bool rx_segment_is_done(PFCB fcb, struct rx_segment *s)
{
	struct rx_lazy_writer *lazy = rx_lazy_of_device(fcb->RxDeviceObject);
	bool done;
	KIRQL irql;

	KeAcquireSpinLock(&lazy->segment_lock, &irql);
	done = KeReadStateEvent(&s->done) != 0;
	KeReleaseSpinLock(&lazy->segment_lock, irql);
	return done;
}

/* Any level. */
static NTSTATUS NTAPI rx_segment_complete(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	struct rx_segment *s = context;
	struct rx_lazy_writer *lazy = s->lazy;
	KIRQL irql;

	(void)device;
	s->status = irp->IoStatus.Status;
	s->valid = NT_SUCCESS(s->status) ? (ULONG)irp->IoStatus.Information : 0;
	KeAcquireSpinLock(&lazy->segment_lock, &irql);
	(void)KeSetEvent(&s->done, IO_NO_INCREMENT, FALSE);
	KeReleaseSpinLock(&lazy->segment_lock, irql);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Without the means to be sent. */
static struct rx_segment *rx_segment_make(PFCB fcb, LONGLONG offset, ULONG length)
{
	struct rx_lazy_writer *lazy = rx_lazy_of_device(fcb->RxDeviceObject);
	const LONG most = lazy->limit / RX_AHEAD_SHARE / (LONG)(RX_AHEAD_SEGMENT / RX_CACHE_BLOCK);
	struct rx_segment *s;

	if (InterlockedIncrement(&lazy->segments) > most ||
	    (s = ExAllocatePoolWithTag(NonPagedPool, sizeof(*s) + length, RX_TAG_CACHE)) == NULL) {
		(void)InterlockedDecrement(&lazy->segments);
		return NULL;
	}
	RtlZeroMemory(s, sizeof(*s));
	s->lazy = lazy;
	s->offset = offset;
	s->length = length;
	s->generation = __atomic_load_n(&fcb->ReadAheadGeneration, __ATOMIC_ACQUIRE);
	KeInitializeEvent(&s->done, NotificationEvent, FALSE);
	return s;
}

static struct rx_segment *rx_segment_create(PFCB fcb, LONGLONG offset, ULONG length)
{
	struct rx_segment *s = rx_segment_make(fcb, offset, length);

	if (s == NULL)
		return NULL;
	s->irp = IoAllocateIrp(fcb->RxDeviceObject->DeviceObject.StackSize, FALSE);
	s->mdl = IoAllocateMdl(s->data, length, FALSE, FALSE, NULL);
	if (s->irp != NULL && s->mdl != NULL)
		return s;
	rx_segment_free(fcb, s);
	return NULL;
}

static void rx_segment_send(PFCB fcb, struct rx_segment *s, PFILE_OBJECT file)
{
	PDEVICE_OBJECT device = &fcb->RxDeviceObject->DeviceObject;
	PIO_STACK_LOCATION sp = IoGetNextIrpStackLocation(s->irp);

	MmBuildMdlForNonPagedPool(s->mdl);
	rx_cache_mark_own(s->irp);
	s->irp->Flags |= IRP_PAGING_IO | IRP_NOCACHE | IRP_READ_OPERATION;
	s->irp->RequestorMode = KernelMode;
	s->irp->MdlAddress = s->mdl;
	s->irp->UserBuffer = s->data;
	s->irp->Tail.Overlay.OriginalFileObject = file;
	sp->MajorFunction = IRP_MJ_READ;
	sp->FileObject = file;
	sp->DeviceObject = device;
	sp->Parameters.Read.Length = s->length;
	sp->Parameters.Read.ByteOffset.QuadPart = s->offset;
	IoSetCompletionRoutine(s->irp, rx_segment_complete, s, TRUE, TRUE, TRUE);
	(void)IoCallDriver(device, s->irp); /* the completion runs in every case */
}

/* ---- a handle ---- */

static struct rx_ahead *rx_ahead_create(PFCB fcb)
{
	struct rx_ahead *ahead = NULL;

	if (rx_lazy_obtain(fcb->RxDeviceObject))
		ahead = ExAllocatePoolZero(NonPagedPool, sizeof(*ahead), RX_TAG_CACHE);
	if (ahead == NULL)
		return NULL;
	ExInitializeFastMutex(&ahead->mutex);
	InitializeListHead(&ahead->segments);
	ahead->window = 1;
	return ahead;
}

/* The handle's, once its reads follow each other; NULL: they do not, or there is no memory. */
static struct rx_ahead *rx_ahead_of(PFCB fcb, PFOBX fobx, LONGLONG offset, ULONG length)
{
	LONGLONG end = offset + (LONGLONG)length;
	LONGLONG predicted =
		__atomic_exchange_n(&fobx->Specific.DiskFile.PredictedReadOffset, end, __ATOMIC_RELAXED);
	struct rx_ahead *ahead = __atomic_load_n(&fobx->Ahead, __ATOMIC_ACQUIRE), *other;

	if (ahead != NULL || offset == 0 || offset != predicted)
		return ahead;
	ahead = rx_ahead_create(fcb);
	if (ahead == NULL)
		return NULL;
	ahead->next = (end + RX_AHEAD_SEGMENT - 1) / RX_AHEAD_SEGMENT * RX_AHEAD_SEGMENT;
	other = InterlockedCompareExchangePointer((PVOID volatile *)&fobx->Ahead, ahead, NULL);
	if (other == NULL)
		return ahead;
	ExFreePoolWithTag(ahead, RX_TAG_CACHE); /* another reader was faster */
	return other;
}

/* Locks: mutex. */
static struct rx_segment *rx_ahead_find(struct rx_ahead *ahead, LONGLONG offset, ULONG length)
{
	for (PLIST_ENTRY link = ahead->segments.Flink; link != &ahead->segments; link = link->Flink) {
		struct rx_segment *s = CONTAINING_RECORD(link, struct rx_segment, link);

		if (s->offset <= offset && offset + (LONGLONG)length <= s->offset + (LONGLONG)s->length)
			return s;
	}
	return NULL;
}

/* What nobody will want: of another generation, or behind the reader, and some that come late. Locks: mutex. */
static void rx_ahead_drop_old(struct rx_ahead *ahead, PFCB fcb, LONGLONG offset)
{
	LONG generation = __atomic_load_n(&fcb->ReadAheadGeneration, __ATOMIC_ACQUIRE);
	PLIST_ENTRY link, next;

	for (link = ahead->segments.Flink; link != &ahead->segments; link = next) {
		struct rx_segment *s = CONTAINING_RECORD(link, struct rx_segment, link);
		bool near = s->offset + 2 * (LONGLONG)RX_AHEAD_SEGMENT > offset &&
			    offset + RX_AHEAD_MOST * (LONGLONG)RX_AHEAD_SEGMENT > s->offset;

		next = link->Flink;
		if ((near && s->generation == generation) || s->users != 0 || !rx_segment_is_done(fcb, s))
			continue;
		RemoveEntryList(&s->link);
		ahead->count--;
		rx_segment_free(fcb, s);
	}
}

/* The segment that should be asked for next; NULL: enough is on the way, or the file ends. Locks: mutex. */
static struct rx_segment *rx_ahead_plan(struct rx_ahead *ahead, PFCB fcb, LONGLONG offset)
{
	struct rx_segment *s;
	LONGLONG size;

	RxGetFileSizeWithLock(fcb, &size);
	/* the reader has gone elsewhere: ahead is ahead of him */
	if (ahead->next <= offset || ahead->next > offset + (RX_AHEAD_MOST + 1) * (LONGLONG)RX_AHEAD_SEGMENT)
		ahead->next = (offset / RX_AHEAD_SEGMENT + 1) * RX_AHEAD_SEGMENT;
	if (ahead->next >= size || ahead->count >= RX_AHEAD_MOST ||
	    ahead->next >= offset + (LONGLONG)ahead->window * RX_AHEAD_SEGMENT)
		return NULL;
	s = rx_segment_create(fcb, ahead->next,
			      size - ahead->next < RX_AHEAD_SEGMENT ? (ULONG)(size - ahead->next)
								    : RX_AHEAD_SEGMENT);
	if (s == NULL)
		return NULL;
	ahead->next += RX_AHEAD_SEGMENT;
	ahead->count++;
	InsertTailList(&ahead->segments, &s->link);
	return s;
}

/* Asks for what the window has room for. */
static void rx_ahead_go_on(struct rx_ahead *ahead, PFCB fcb, PFILE_OBJECT file, LONGLONG offset)
{
	struct rx_segment *s;

	do {
		ExAcquireFastMutex(&ahead->mutex);
		rx_ahead_drop_old(ahead, fcb, offset);
		s = rx_ahead_plan(ahead, fcb, offset);
		ExReleaseFastMutex(&ahead->mutex);
		if (s != NULL)
			rx_segment_send(fcb, s, file);
	} while (s != NULL);
}

/* Its bytes, if they are good. False: the server is to be asked. */
static bool rx_segment_get(PFCB fcb, struct rx_segment *s, LONGLONG offset, UCHAR *to, ULONG length,
			   ULONG_PTR *moved)
{
	ULONG at = (ULONG)(offset - s->offset);

	if (!NT_SUCCESS(s->status) || s->valid < s->length ||
	    s->generation != __atomic_load_n(&fcb->ReadAheadGeneration, __ATOMIC_ACQUIRE))
		return false;
	RtlCopyMemory(to, s->data + at, length);
	*moved = length;
	return true;
}

static bool rx_ahead_take(struct rx_ahead *ahead, PRX_CONTEXT rxc, LONGLONG offset, ULONG length)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	struct rx_segment *s;
	bool good = false;

	ExAcquireFastMutex(&ahead->mutex);
	s = rx_ahead_find(ahead, offset, length);
	if (s != NULL)
		s->users++;
	if (s != NULL && !rx_segment_is_done(fcb, s) && ahead->window < RX_AHEAD_MOST)
		ahead->window *= 2; /* the server is further away than that */
	ExReleaseFastMutex(&ahead->mutex);
	rx_ahead_go_on(ahead, fcb, file, offset);
	if (s == NULL)
		return false;
	nt_wait_for_answer(&s->done);
	good = rx_segment_get(fcb, s, offset, RxLowIoGetBufferAddress(rxc), length,
			      &rxc->InformationToReturn);
	ExAcquireFastMutex(&ahead->mutex);
	s->users--;
	ExReleaseFastMutex(&ahead->mutex);
	return good;
}

bool rx_ahead_read(PRX_CONTEXT rxc)
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PFOBX fobx = (PFOBX)rxc->pFobx;
	LONGLONG offset = rxc->LowIoContext.ParamsFor.ReadWrite.ByteOffset, size;
	ULONG length = rxc->LowIoContext.ParamsFor.ReadWrite.ByteCount;
	struct rx_ahead *ahead;

	if ((fcb->FcbState & FCB_STATE_READCACHING_ENABLED) == 0 || fcb->pNetRoot->Type != NET_ROOT_DISK ||
	    (rxc->CurrentIrp->Flags & IRP_NOCACHE) != 0 ||
	    (nt_file_flags(rxc->CurrentIrpSp->FileObject) & FO_NO_INTERMEDIATE_BUFFERING) != 0 ||
	    RxLowIoGetBufferAddress(rxc) == NULL)
		return false;
	RxGetFileSizeWithLock(fcb, &size);
	if (offset >= size || offset > INT64_MAX - length - RX_AHEAD_FURTHEST)
		return false;
	if (size - offset < (LONGLONG)length)
		length = (ULONG)(size - offset);
	ahead = rx_ahead_of(fcb, fobx, offset, length);
	return ahead != NULL && rx_ahead_take(ahead, rxc, offset, length);
}

/* ---- what came with the open ---- */

struct rx_segment *rx_ahead_prepare(PFCB fcb, PRX_QUERY_ON_CREATE_ECP ecp)
{
	struct rx_segment *s = NULL;

	if (ecp == NULL || (ecp->Requested & RX_QOC_READ) == 0 || ecp->ReadLength == 0)
		return NULL;
	if (ecp->ReadLength <= RX_AHEAD_SEGMENT && rx_lazy_obtain(fcb->RxDeviceObject))
		s = rx_segment_make(fcb, 0, ecp->ReadLength);
	ecp->ReadBuffer = s != NULL ? s->data : NULL;
	return s;
}

/* Is the whole file in it, and may it be kept? */
static bool rx_ahead_is_whole(PFCB fcb, struct rx_segment *s, const RX_QUERY_ON_CREATE_ECP *ecp)
{
	LONGLONG size;

	RxGetFileSizeWithLock(fcb, &size);
	if ((ecp->Supplied & RX_QOC_READ) == 0 || (fcb->FcbState & FCB_STATE_READCACHING_ENABLED) == 0 ||
	    ecp->ReadBytes > s->length || size == 0 || size > (LONGLONG)ecp->ReadBytes)
		return false;
	s->length = s->valid = (ULONG)size;
	return true;
}

void rx_ahead_settle(PFCB fcb, PFOBX fobx, struct rx_segment *s, PRX_QUERY_ON_CREATE_ECP ecp)
{
	struct rx_ahead *ahead = NULL;

	if (s == NULL)
		return;
	ecp->ReadBuffer = NULL;
	if (fobx != NULL && fobx->Ahead == NULL && rx_ahead_is_whole(fcb, s, ecp))
		ahead = rx_ahead_create(fcb);
	if (ahead == NULL) {
		rx_segment_free(fcb, s);
		return;
	}
	(void)KeSetEvent(&s->done, IO_NO_INCREMENT, FALSE);
	InsertTailList(&ahead->segments, &s->link);
	ahead->count = 1;
	ahead->next = RX_AHEAD_SEGMENT;
	fobx->Ahead = ahead; /* nobody else knows the handle yet */
}

void rx_ahead_end(PFOBX fobx)
{
	struct rx_ahead *ahead = fobx->Ahead;
	PFCB fcb = (PFCB)fobx->pSrvOpen->pFcb;

	if (ahead == NULL)
		return;
	fobx->Ahead = NULL;
	while (!IsListEmpty(&ahead->segments)) {
		struct rx_segment *s =
			CONTAINING_RECORD(RemoveHeadList(&ahead->segments), struct rx_segment, link);

		while (!rx_segment_is_done(fcb, s))
			nt_wait_for_answer(&s->done);
		rx_segment_free(fcb, s);
	}
	ExFreePoolWithTag(ahead, RX_TAG_CACHE);
}
