/*
 * resource.h - ERESOURCE: a lock held shared or exclusive, any number of times by one owner.
 *
 * The owner is a thread, or, after ExSetResourceOwnerPointer(), whatever that pointer stands for: so that a
 * request can keep the lock while no thread works on it.
 */
#ifndef NT_RESOURCE_H
#define NT_RESOURCE_H

#include "list.h"
#include "ntdef.h"

typedef ULONG_PTR ERESOURCE_THREAD, *PERESOURCE_THREAD;

typedef struct _OWNER_ENTRY {
	ERESOURCE_THREAD OwnerThread;
	LONG OwnerCount;
} OWNER_ENTRY, *POWNER_ENTRY;

typedef struct _ERESOURCE {
	volatile LONG Raw;    /* the short lock of all below */
	USHORT Flag;          /* ResourceOwnedExclusive, NT_RESOURCE_LENT */
	USHORT OwnerCapacity; /* entries in OwnerTable */
	LONG ActiveEntries;   /* holders: distinct shared owners, or 1 while exclusive, and borrowers */
	ULONG NumberOfSharedWaiters;
	ULONG NumberOfExclusiveWaiters;
	OWNER_ENTRY OwnerEntry;     /* the exclusive owner, or the first shared one */
	POWNER_ENTRY OwnerTable;    /* further shared owners */
	LIST_ENTRY Waiters;         /* in order of arrival */
	struct nt_thread *Recaller; /* waits until the last borrower is gone */
} ERESOURCE, *PERESOURCE;

#define ResourceOwnedExclusive 0x80
#define NT_RESOURCE_LENT 0x40

NTSTATUS ExInitializeResourceLite(PERESOURCE Resource);
NTSTATUS ExReinitializeResourceLite(PERESOURCE Resource);
NTSTATUS ExDeleteResourceLite(PERESOURCE Resource);
BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait);
BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait);
/* Past waiting exclusives: for a thread that would otherwise wait for itself. */
BOOLEAN ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait);
BOOLEAN ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait);
BOOLEAN ExTryToAcquireResourceExclusiveLite(PERESOURCE Resource);
VOID ExReleaseResourceLite(PERESOURCE Resource);
VOID ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId);
VOID ExConvertExclusiveToSharedLite(PERESOURCE Resource);
/*
 * Moves all holds of the calling thread to OwnerPointer, whose two low bits must be set.  From then on only
 * ExReleaseResourceForThreadLite(Resource, OwnerPointer) is allowed, from any thread, once per hold.
 */
VOID ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer);

/*
 * A loan: the exclusive holder waits for something that itself needs the resource, and lets in for that time those who
 * ask for it by nt_resource_borrow(). They hold it shared, beside the exclusive holder, who touches nothing of what it
 * protects meanwhile. nt_resource_recall() returns when the last of them has released it; whoever asks later waits.
 * Without a loan nt_resource_borrow() is ExAcquireResourceSharedLite(Resource, TRUE), and releases are the same.
 */
void nt_resource_borrow(PERESOURCE resource);
void nt_resource_lend(PERESOURCE resource);
void nt_resource_recall(PERESOURCE resource);

BOOLEAN ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource);
/* How often the caller holds it, shared or exclusive. */
ULONG ExIsResourceAcquiredSharedLite(PERESOURCE Resource);
ULONG ExGetExclusiveWaiterCount(PERESOURCE Resource);
ULONG ExGetSharedWaiterCount(PERESOURCE Resource);
ERESOURCE_THREAD nt_current_resource_thread(void);
#define ExGetCurrentResourceThread() nt_current_resource_thread()
#define ExIsResourceAcquiredLite ExIsResourceAcquiredSharedLite
#define ExIsResourceAcquired ExIsResourceAcquiredSharedLite
#define ExReleaseResource(r) ExReleaseResourceLite(r)
#define ExAcquireResourceExclusive ExAcquireResourceExclusiveLite
#define ExAcquireResourceShared ExAcquireResourceSharedLite

#endif
