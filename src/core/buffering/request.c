/*
 * request.c - the memory of a change request: there is always some.
 *
 * Owns:      CHANGE_BUFFERING_STATE_REQUEST; of each open that may get a key a spare one, from before its create to the end
 *            of what its server may say about it.
 * Found by:  SRV_OPEN.SpareRequest; RX_BUFFERING_MANAGER.SpareRequests.
 * Locks:     RX_BUFFERING_MANAGER.SpinLock, a leaf.
 * Dies when: its open has been purged, and it is not in use.
 *
 * A break that got lost would leave old data in use for as long as the file is open, and the end of a connection is
 * told in the same way. So without memory the spare request of the key's open carries it. While that one is in use a
 * further break of the key is noted in it: when it ends nothing may be kept any more, whatever that break said. Nor does a
 * server that sends more breaks than it has granted get more memory than that.
 */
#include "core/buffering/buffering.h"

#include "core/object/object.h"

#define RX_TAG_CHANGE 'gCxR'
/* Requests of a server that may wait, beside two for each open that may be broken; further ones are noted together. */
#define RX_REQUESTS_MOST 1024

static PRX_BUFFERING_MANAGER rx_request_manager_of(PSRV_OPEN so)
{
	return &((PSRV_CALL)so->pVNetRoot->pNetRoot->pSrvCall)->BufferingManager;
}

bool rx_request_keep_spare(PSRV_OPEN so)
{
	PRX_BUFFERING_MANAGER manager = rx_request_manager_of(so);
	PCHANGE_BUFFERING_STATE_REQUEST spare =
		ExAllocatePoolWithTag(NonPagedPool, sizeof(*spare), RX_TAG_CHANGE);
	KIRQL irql;

	if (spare == NULL)
		return false;
	RtlZeroMemory(spare, sizeof(*spare));
	spare->Flags = RX_REQUEST_SPARE;
	so->SpareRequest = spare;
	KeAcquireSpinLock(&manager->SpinLock, &irql);
	InsertTailList(&manager->SpareRequests, &spare->SpareLink);
	(void)InterlockedIncrement(&manager->NumberOfSpareRequests);
	KeReleaseSpinLock(&manager->SpinLock, irql);
	return true;
}

void rx_request_name_spare(PSRV_OPEN so)
{
	PRX_BUFFERING_MANAGER manager = rx_request_manager_of(so);
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	so->SpareRequest->SpareKey = so->Key;
	KeReleaseSpinLock(&manager->SpinLock, irql);
}

void rx_request_drop_spare(PSRV_OPEN so)
{
	PRX_BUFFERING_MANAGER manager = rx_request_manager_of(so);
	PCHANGE_BUFFERING_STATE_REQUEST spare = so->SpareRequest;
	bool in_use;
	KIRQL irql;

	if (spare == NULL)
		return;
	so->SpareRequest = NULL;
	KeAcquireSpinLock(&manager->SpinLock, &irql);
	in_use = (spare->Flags & RX_REQUEST_IN_USE) != 0;
	RemoveEntryList(&spare->SpareLink);
	(void)InterlockedDecrement(&manager->NumberOfSpareRequests);
	spare->Flags &= ~(ULONG)RX_REQUEST_SPARE; /* whoever uses it frees it */
	KeReleaseSpinLock(&manager->SpinLock, irql);
	if (!in_use)
		ExFreePoolWithTag(spare, RX_TAG_CHANGE);
}

/*
 * The spare request of a key, or of an open on its way that may bring it; NULL: there is none, or it is in use and has
 * noted the break.
 */
static PCHANGE_BUFFERING_STATE_REQUEST rx_request_take_spare(PRX_BUFFERING_MANAGER manager, PVOID key)
{
	PCHANGE_BUFFERING_STATE_REQUEST found = NULL, used = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	for (PLIST_ENTRY link = manager->SpareRequests.Flink; link != &manager->SpareRequests;
	     link = link->Flink) {
		PCHANGE_BUFFERING_STATE_REQUEST spare =
			CONTAINING_RECORD(link, CHANGE_BUFFERING_STATE_REQUEST, SpareLink);

		if ((spare->Flags & RX_REQUEST_IN_USE) != 0) {
			if (spare->SrvOpenKey == key)
				used = spare;
			continue;
		}
		if (spare->SpareKey == key) {
			found = spare;
			break;
		}
		if (spare->SpareKey == NULL)
			found = spare;
	}
	if (found != NULL && found->SpareKey == key)
		used = NULL; /* another open of the key */
	if (used != NULL) {
		used->Flags |= RX_REQUEST_REPEATED;
	} else if (found != NULL) {
		found->Flags |= RX_REQUEST_IN_USE;
		found->SrvOpenKey = key; /* the next break looks for it */
	}
	KeReleaseSpinLock(&manager->SpinLock, irql);
	return used != NULL ? NULL : found;
}

static PCHANGE_BUFFERING_STATE_REQUEST rx_request_allocate(PRX_BUFFERING_MANAGER manager)
{
	LONG most = RX_REQUESTS_MOST + 2 * __atomic_load_n(&manager->NumberOfSpareRequests, __ATOMIC_RELAXED);
	PCHANGE_BUFFERING_STATE_REQUEST request = NULL;

	if (InterlockedIncrement(&manager->NumberOfRequests) <= most)
		request = ExAllocatePoolWithTag(NonPagedPool, sizeof(*request), RX_TAG_CHANGE);
	if (request == NULL) {
		(void)InterlockedDecrement(&manager->NumberOfRequests);
		return NULL;
	}
	RtlZeroMemory(request, sizeof(*request));
	request->Flags = RX_REQUEST_COUNTED;
	return request;
}

PCHANGE_BUFFERING_STATE_REQUEST rx_request_create(PRX_BUFFERING_MANAGER manager, PSRV_OPEN so, PVOID key,
						  PVOID mrx_context)
{
	PCHANGE_BUFFERING_STATE_REQUEST request = rx_request_allocate(manager);

	if (request != NULL)
		request->SrvOpenKey = key;
	else
		request = rx_request_take_spare(manager, key); /* which has the key */
	if (request == NULL)
		return NULL;
	request->SrvOpen = so;
	request->MRxContext = mrx_context;
	return request;
}

bool rx_request_end(PRX_BUFFERING_MANAGER manager, PCHANGE_BUFFERING_STATE_REQUEST request)
{
	bool is_spare, repeated;
	KIRQL irql;

	KeAcquireSpinLock(&manager->SpinLock, &irql);
	is_spare = (request->Flags & RX_REQUEST_SPARE) != 0;
	repeated = (request->Flags & RX_REQUEST_REPEATED) != 0;
	if ((request->Flags & RX_REQUEST_COUNTED) != 0)
		(void)InterlockedDecrement(&manager->NumberOfRequests);
	request->Flags &= RX_REQUEST_SPARE;
	request->SrvOpen = NULL;
	request->SrvOpenKey = NULL;
	KeReleaseSpinLock(&manager->SpinLock, irql);
	if (!is_spare)
		ExFreePoolWithTag(request, RX_TAG_CHANGE);
	return repeated;
}
