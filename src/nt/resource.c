/*
 * resource.c - ERESOURCE.
 *
 * Owns:    the holders (owner and count) and the queue of waiters, which live on their stacks.
 * Locks:   Raw, for a few instructions.
 *
 * A release hands the resource over to whom it lets in: after an exclusive holder all shared waiters, else the next
 * exclusive; after the last shared holder the next exclusive.  So neither kind starves the other, and a woken waiter
 * owns the resource already.
 *
 * A loan lets borrowers in beside the exclusive holder: he is in OwnerEntry, they are in OwnerTable.
 */
#include <stdlib.h>

#include "nt/exec.h"
#include "resource.h"

#define NT_OWNER_TABLE_FIRST 4

enum grant {
	GRANT_SHARED,
	GRANT_BORROWED, /* the same, and also from an exclusive holder who lends */
	GRANT_EXCLUSIVE
};

struct resource_waiter {
	LIST_ENTRY link;
	struct nt_thread *thread;
	enum grant kind;
	volatile LONG granted;
};

static ERESOURCE_THREAD self_id(const struct nt_thread *self)
{
	return (ERESOURCE_THREAD)self;
}

ERESOURCE_THREAD nt_current_resource_thread(void)
{
	return self_id(nt_current());
}

static bool is_exclusive(const ERESOURCE *resource)
{
	return (resource->Flag & ResourceOwnedExclusive) != 0;
}

static POWNER_ENTRY find_owner_locked(PERESOURCE resource, ERESOURCE_THREAD owner)
{
	if (resource->OwnerEntry.OwnerThread == owner)
		return &resource->OwnerEntry;
	for (USHORT i = 0; i < resource->OwnerCapacity; i++)
		if (resource->OwnerTable[i].OwnerThread == owner)
			return &resource->OwnerTable[i];
	return NULL;
}

static POWNER_ENTRY grow_owners_locked(PERESOURCE resource)
{
	USHORT before = resource->OwnerCapacity;
	USHORT after = before != 0 ? (USHORT)(before * 2) : NT_OWNER_TABLE_FIRST;
	POWNER_ENTRY table = after > before ? realloc(resource->OwnerTable, after * sizeof(*table)) : NULL;

	if (table == NULL)
		NT_BUG("no memory for holder %d of resource %p", resource->ActiveEntries + 1,
		       (void *)resource);
	memset(table + before, 0, (size_t)(after - before) * sizeof(*table));
	resource->OwnerTable = table;
	resource->OwnerCapacity = after;
	return &table[before];
}

static void add_owner_locked(PERESOURCE resource, ERESOURCE_THREAD owner)
{
	POWNER_ENTRY entry = find_owner_locked(resource, 0);

	if (entry == NULL)
		entry = grow_owners_locked(resource);
	entry->OwnerThread = owner;
	entry->OwnerCount = 1;
	resource->ActiveEntries++;
}

static void grant_exclusive_locked(PERESOURCE resource, ERESOURCE_THREAD owner)
{
	resource->OwnerEntry.OwnerThread = owner;
	resource->OwnerEntry.OwnerCount = 1;
	resource->ActiveEntries = 1;
	resource->Flag |= ResourceOwnedExclusive;
}

/* Moves the granted waiters from the queue to `woken`; the resource is lent, or nobody holds it exclusive. */
static void grant_shared_waiters_locked(PERESOURCE resource, PLIST_ENTRY woken)
{
	bool lent = is_exclusive(resource);
	PLIST_ENTRY e = resource->Waiters.Flink;

	while (e != &resource->Waiters) {
		struct resource_waiter *waiter = CONTAINING_RECORD(e, struct resource_waiter, link);

		e = e->Flink;
		if (waiter->kind != GRANT_BORROWED && (lent || waiter->kind != GRANT_SHARED))
			continue;
		(void)RemoveEntryList(&waiter->link);
		InsertTailList(woken, &waiter->link);
		resource->NumberOfSharedWaiters--;
		add_owner_locked(resource, self_id(waiter->thread));
	}
}

static void grant_next_exclusive_locked(PERESOURCE resource, PLIST_ENTRY woken)
{
	for (PLIST_ENTRY e = resource->Waiters.Flink; e != &resource->Waiters; e = e->Flink) {
		struct resource_waiter *waiter = CONTAINING_RECORD(e, struct resource_waiter, link);

		if (waiter->kind != GRANT_EXCLUSIVE)
			continue;
		(void)RemoveEntryList(&waiter->link);
		InsertTailList(woken, &waiter->link);
		resource->NumberOfExclusiveWaiters--;
		grant_exclusive_locked(resource, self_id(waiter->thread));
		return;
	}
}

/* A waiter's record is gone once `granted` is set: read it before, and unlock before. */
static void wake_granted(PLIST_ENTRY woken)
{
	while (!IsListEmpty(woken)) {
		struct resource_waiter *waiter =
			CONTAINING_RECORD(RemoveHeadList(woken), struct resource_waiter, link);
		struct nt_thread *thread = waiter->thread;

		__atomic_store_n(&waiter->granted, 1, __ATOMIC_RELEASE);
		nt_unpark(thread);
	}
}

/* Queues the caller, unlocks, and returns when the releaser has made it an owner. */
static void wait_for_grant_and_unlock(PERESOURCE resource, struct nt_thread *self, enum grant kind)
{
	struct resource_waiter waiter = {.thread = self, .kind = kind};

	if (self->irql >= DISPATCH_LEVEL)
		NT_BUG("a resource is waited for at IRQL %u", self->irql);
	InsertTailList(&resource->Waiters, &waiter.link);
	if (kind == GRANT_EXCLUSIVE)
		resource->NumberOfExclusiveWaiters++;
	else
		resource->NumberOfSharedWaiters++;
	nt_word_unlock(&resource->Raw);

	self->waits_for = kind == GRANT_EXCLUSIVE ? "resource, exclusive" : "resource, shared";
	self->waits_on = resource;
	while (!__atomic_load_n(&waiter.granted, __ATOMIC_ACQUIRE))
		nt_park(self, NT_FOREVER);
	self->waits_for = NULL;
}

NTSTATUS ExInitializeResourceLite(PERESOURCE Resource)
{
	*Resource = (ERESOURCE){0};
	InitializeListHead(&Resource->Waiters);
	return STATUS_SUCCESS;
}

static void assert_idle(const ERESOURCE *resource, const char *what)
{
	if (resource->ActiveEntries != 0 || !IsListEmpty(&resource->Waiters))
		NT_BUG("%s of resource %p, which has holders or waiters", what, (const void *)resource);
}

NTSTATUS ExDeleteResourceLite(PERESOURCE Resource)
{
	nt_word_lock(&Resource->Raw);
	assert_idle(Resource, "delete");
	nt_word_unlock(&Resource->Raw);
	free(Resource->OwnerTable);
	Resource->OwnerTable = NULL;
	Resource->OwnerCapacity = 0;
	return STATUS_SUCCESS;
}

NTSTATUS ExReinitializeResourceLite(PERESOURCE Resource)
{
	(void)ExDeleteResourceLite(Resource); /* cannot fail */
	return ExInitializeResourceLite(Resource);
}

BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait)
{
	struct nt_thread *self = nt_current();
	POWNER_ENTRY mine;

	if (self->irql >= DISPATCH_LEVEL)
		NT_BUG("a resource is acquired at IRQL %u", self->irql);
	nt_sim_point();
	nt_word_lock(&Resource->Raw);
	if (Resource->ActiveEntries == 0) {
		grant_exclusive_locked(Resource, self_id(self));
	} else if (is_exclusive(Resource) && Resource->OwnerEntry.OwnerThread == self_id(self)) {
		Resource->OwnerEntry.OwnerCount++;
	} else {
		if (!Wait) {
			nt_word_unlock(&Resource->Raw);
			return FALSE;
		}
		mine = find_owner_locked(Resource, self_id(self));
		if (mine != NULL)
			NT_BUG("resource %p is held shared by the thread that wants it exclusive",
			       (void *)Resource);
		wait_for_grant_and_unlock(Resource, self, GRANT_EXCLUSIVE);
		self->held++;
		return TRUE;
	}
	nt_word_unlock(&Resource->Raw);
	self->held++;
	return TRUE;
}

enum shared_rule {
	SHARED_PLAIN,              /* waits behind exclusives unless it holds the resource already */
	SHARED_STARVE_EXCLUSIVE,   /* never behind a waiting exclusive */
	SHARED_WAIT_FOR_EXCLUSIVE, /* always behind them */
	SHARED_BORROWED            /* plain, but for a loan */
};

static bool may_share_now_locked(PERESOURCE resource, POWNER_ENTRY mine, enum shared_rule rule)
{
	if (is_exclusive(resource))
		return rule == SHARED_BORROWED && (resource->Flag & NT_RESOURCE_LENT) != 0;
	if (resource->NumberOfExclusiveWaiters == 0)
		return true;
	switch (rule) {
	case SHARED_PLAIN:
	case SHARED_BORROWED:
		return mine != NULL;
	case SHARED_STARVE_EXCLUSIVE:
		return true;
	case SHARED_WAIT_FOR_EXCLUSIVE:
		return false;
	}
	return false;
}

static BOOLEAN acquire_shared(PERESOURCE resource, bool wait, enum shared_rule rule)
{
	struct nt_thread *self = nt_current();
	ERESOURCE_THREAD id = self_id(self);
	POWNER_ENTRY mine;

	if (self->irql >= DISPATCH_LEVEL)
		NT_BUG("a resource is acquired at IRQL %u", self->irql);
	nt_sim_point();
	nt_word_lock(&resource->Raw);
	if (resource->ActiveEntries == 0) {
		resource->OwnerEntry.OwnerThread = id;
		resource->OwnerEntry.OwnerCount = 1;
		resource->ActiveEntries = 1;
	} else {
		mine = find_owner_locked(resource, id);
		if (is_exclusive(resource) && mine == &resource->OwnerEntry) {
			mine->OwnerCount++; /* the exclusive holder: one more hold */
		} else if (may_share_now_locked(resource, mine, rule)) {
			if (mine != NULL)
				mine->OwnerCount++;
			else
				add_owner_locked(resource, id);
		} else if (!wait) {
			nt_word_unlock(&resource->Raw);
			return FALSE;
		} else {
			if (mine != NULL)
				NT_BUG("resource %p: a holder waits behind an exclusive that waits for it",
				       (void *)resource);
			wait_for_grant_and_unlock(resource, self,
						  rule == SHARED_BORROWED ? GRANT_BORROWED : GRANT_SHARED);
			self->held++;
			return TRUE;
		}
	}
	nt_word_unlock(&resource->Raw);
	self->held++;
	return TRUE;
}

BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait)
{
	return acquire_shared(Resource, Wait, SHARED_PLAIN);
}

BOOLEAN ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
	return acquire_shared(Resource, Wait, SHARED_STARVE_EXCLUSIVE);
}

BOOLEAN ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
	return acquire_shared(Resource, Wait, SHARED_WAIT_FOR_EXCLUSIVE);
}

void nt_resource_borrow(PERESOURCE resource)
{
	(void)acquire_shared(resource, true, SHARED_BORROWED); /* waits: always true */
}

BOOLEAN ExTryToAcquireResourceExclusiveLite(PERESOURCE Resource)
{
	return ExAcquireResourceExclusiveLite(Resource, FALSE);
}

static bool is_thread_id(ERESOURCE_THREAD owner)
{
	return (owner & 3) == 0;
}

/* Locks: Raw. Return: whom to wake: the last borrower has gone. */
static struct nt_thread *take_recaller_locked(PERESOURCE resource)
{
	struct nt_thread *recaller = NULL;

	if (is_exclusive(resource) && resource->ActiveEntries == 1) {
		recaller = resource->Recaller;
		resource->Recaller = NULL;
	}
	return recaller;
}

static void release_for(PERESOURCE resource, ERESOURCE_THREAD owner)
{
	struct nt_thread *self = nt_self, *recaller;
	LIST_ENTRY woken;
	POWNER_ENTRY entry;
	bool was_exclusive;

	InitializeListHead(&woken);
	nt_word_lock(&resource->Raw);
	entry = find_owner_locked(resource, owner);
	if (owner == 0 || entry == NULL || resource->ActiveEntries == 0)
		NT_BUG("resource %p is released for %#lx, which does not hold it", (void *)resource,
		       (unsigned long)owner);
	if (--entry->OwnerCount == 0) {
		was_exclusive = is_exclusive(resource);
		if (was_exclusive && entry == &resource->OwnerEntry && resource->ActiveEntries != 1)
			NT_BUG("resource %p is released by a holder who has lent it", (void *)resource);
		entry->OwnerThread = 0;
		if (--resource->ActiveEntries == 0) {
			resource->Flag &= (USHORT)~ResourceOwnedExclusive;
			if (was_exclusive && resource->NumberOfSharedWaiters != 0)
				grant_shared_waiters_locked(resource, &woken);
			else if (resource->NumberOfExclusiveWaiters != 0)
				grant_next_exclusive_locked(resource, &woken);
			else if (resource->NumberOfSharedWaiters != 0)
				grant_shared_waiters_locked(resource, &woken);
		}
	}
	recaller = take_recaller_locked(resource);
	/* Before the unlock: the owner may end as soon as it sees that it holds nothing. */
	if (is_thread_id(owner) && owner != (ERESOURCE_THREAD)self)
		__atomic_add_fetch(&((struct nt_thread *)owner)->held_released, 1, __ATOMIC_RELEASE);
	nt_word_unlock(&resource->Raw);
	if (owner == (ERESOURCE_THREAD)self)
		self->held--;
	if (recaller != NULL)
		nt_unpark(recaller);
	wake_granted(&woken);
	nt_sim_point();
}

VOID ExReleaseResourceLite(PERESOURCE Resource)
{
	release_for(Resource, self_id(nt_current()));
}

VOID ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId)
{
	release_for(Resource, ResourceThreadId);
}

VOID ExConvertExclusiveToSharedLite(PERESOURCE Resource)
{
	LIST_ENTRY woken;

	InitializeListHead(&woken);
	nt_word_lock(&Resource->Raw);
	if (!is_exclusive(Resource) || Resource->OwnerEntry.OwnerThread != self_id(nt_current()))
		NT_BUG("resource %p is converted by a thread that does not hold it exclusive",
		       (void *)Resource);
	Resource->Flag &= (USHORT)~ResourceOwnedExclusive;
	if (Resource->NumberOfSharedWaiters != 0)
		grant_shared_waiters_locked(Resource, &woken);
	nt_word_unlock(&Resource->Raw);
	wake_granted(&woken);
	nt_sim_point();
}

static void assert_lender_locked(PERESOURCE resource, const char *what)
{
	if (!is_exclusive(resource) || resource->OwnerEntry.OwnerThread != self_id(nt_current()))
		NT_BUG("resource %p is %s by a thread that does not hold it exclusive", (void *)resource,
		       what);
}

void nt_resource_lend(PERESOURCE resource)
{
	LIST_ENTRY woken;

	InitializeListHead(&woken);
	nt_word_lock(&resource->Raw);
	assert_lender_locked(resource, "lent");
	resource->Flag |= NT_RESOURCE_LENT;
	grant_shared_waiters_locked(resource, &woken);
	nt_word_unlock(&resource->Raw);
	wake_granted(&woken);
	nt_sim_point();
}

void nt_resource_recall(PERESOURCE resource)
{
	struct nt_thread *self = nt_current();
	bool gone;

	nt_sim_point();
	nt_word_lock(&resource->Raw);
	assert_lender_locked(resource, "recalled");
	resource->Flag &= (USHORT)~NT_RESOURCE_LENT;
	gone = resource->ActiveEntries == 1;
	resource->Recaller = gone ? NULL : self;
	nt_word_unlock(&resource->Raw);
	self->waits_for = "borrowers of a resource";
	self->waits_on = resource;
	while (!gone) {
		nt_park(self, NT_FOREVER);
		nt_word_lock(&resource->Raw);
		gone = resource->Recaller == NULL;
		nt_word_unlock(&resource->Raw);
	}
	self->waits_for = NULL;
}

VOID ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer)
{
	struct nt_thread *self = nt_current();
	ERESOURCE_THREAD pointer = (ERESOURCE_THREAD)OwnerPointer;
	POWNER_ENTRY mine, other;
	LONG moved;

	if ((pointer & 3) != 3)
		NT_BUG("owner pointer %p without its two low bits", OwnerPointer);
	nt_sim_point();
	nt_word_lock(&Resource->Raw);
	mine = find_owner_locked(Resource, self_id(self));
	if (mine == NULL)
		NT_BUG("resource %p is given away by a thread that does not hold it", (void *)Resource);
	moved = mine->OwnerCount;
	other = is_exclusive(Resource) ? NULL : find_owner_locked(Resource, pointer);
	if (other != NULL) { /* the pointer holds it shared already */
		other->OwnerCount += moved;
		mine->OwnerThread = 0;
		mine->OwnerCount = 0;
		Resource->ActiveEntries--;
	} else {
		mine->OwnerThread = pointer;
	}
	nt_word_unlock(&Resource->Raw);
	self->held -= (uint32_t)moved;
}

BOOLEAN ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource)
{
	BOOLEAN mine;

	nt_word_lock(&Resource->Raw);
	mine = is_exclusive(Resource) && Resource->OwnerEntry.OwnerThread == self_id(nt_current());
	nt_word_unlock(&Resource->Raw);
	return mine;
}

ULONG ExIsResourceAcquiredSharedLite(PERESOURCE Resource)
{
	POWNER_ENTRY mine;
	ULONG count;

	nt_word_lock(&Resource->Raw);
	mine = find_owner_locked(Resource, self_id(nt_current()));
	count = mine != NULL ? (ULONG)mine->OwnerCount : 0;
	nt_word_unlock(&Resource->Raw);
	return count;
}

ULONG ExGetExclusiveWaiterCount(PERESOURCE Resource)
{
	ULONG count;

	nt_word_lock(&Resource->Raw);
	count = Resource->NumberOfExclusiveWaiters;
	nt_word_unlock(&Resource->Raw);
	return count;
}

ULONG ExGetSharedWaiterCount(PERESOURCE Resource)
{
	ULONG count;

	nt_word_lock(&Resource->Raw);
	count = Resource->NumberOfSharedWaiters;
	nt_word_unlock(&Resource->Raw);
	return count;
}
