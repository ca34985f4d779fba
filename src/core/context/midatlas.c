/*
 * midatlas.c - multiplex ids: a 16-bit number for each outstanding request, and back.
 *
 * Owns:   RX_MID_ATLAS and its entries; not the contexts.
 * Locks:  none: the caller serialises all calls on one atlas.
 *
 * A MID is split in fields as the page says: the low one is wide enough for the maximum (50 -> 6 bits) and
 * picks the entry; the rest (two fields of 5 bits there) is here the entry's round, which changes each time
 * the entry is given out. So the number of a finished request is unknown until its round comes again, and a
 * reply that is late by less finds nothing instead of somebody else's request. 0xffff is never given out:
 * servers use it for what nobody asked.
 */
#include "midatlax.h"

#define RX_MID_TAG 'aMxR'
#define RX_MID_RESERVED 0xffff

struct rx_mid_entry {
	PVOID context; /* NULL: free */
	USHORT mid;    /* the number in use, or the last one used */
	USHORT next_free;
};

struct _RX_MID_ATLAS {
	USHORT maximum;
	USHORT capacity; /* entries allocated */
	USHORT in_use;
	USHORT first_free; /* capacity: none */
	USHORT low_bits;
	struct rx_mid_entry *entries;
};

static USHORT rx_mid_low_bits(USHORT maximum)
{
	USHORT bits = 0;

	while (bits < 16 && ((ULONG)1 << bits) < maximum)
		bits++;
	return bits;
}

static bool rx_mid_grow(PRX_MID_ATLAS atlas, USHORT capacity)
{
	struct rx_mid_entry *entries;
	USHORT i;

	entries = ExAllocatePoolWithTag(NonPagedPool, (SIZE_T)capacity * sizeof(*entries), RX_MID_TAG);
	if (entries == NULL)
		return false;
	if (atlas->capacity > 0)
		RtlCopyMemory(entries, atlas->entries, (SIZE_T)atlas->capacity * sizeof(*entries));
	for (i = atlas->capacity; i < capacity; i++) {
		entries[i].context = NULL;
		entries[i].mid = i;
		entries[i].next_free = (USHORT)(i + 1);
	}
	if (atlas->entries != NULL)
		ExFreePoolWithTag(atlas->entries, RX_MID_TAG);
	/* only grown when full: the free list is exactly the new entries */
	atlas->first_free = atlas->capacity;
	atlas->entries = entries;
	atlas->capacity = capacity;
	return true;
}

/* RxCreateMidAtlas - an atlas for at most MaximumNumberOfMids at once. Return: NULL without memory. */
PRX_MID_ATLAS RxCreateMidAtlas(USHORT MaximumNumberOfMids, USHORT MidsAllocatedAtStart)
{
	PRX_MID_ATLAS atlas;

	if (MaximumNumberOfMids == 0)
		return NULL;
	atlas = ExAllocatePoolWithTag(NonPagedPool, sizeof(*atlas), RX_MID_TAG);
	if (atlas == NULL)
		return NULL;
	RtlZeroMemory(atlas, sizeof(*atlas));
	atlas->maximum = MaximumNumberOfMids;
	atlas->low_bits = rx_mid_low_bits(MaximumNumberOfMids);
	if (MidsAllocatedAtStart > MaximumNumberOfMids)
		MidsAllocatedAtStart = MaximumNumberOfMids;
	if (MidsAllocatedAtStart > 0 && !rx_mid_grow(atlas, MidsAllocatedAtStart)) {
		ExFreePoolWithTag(atlas, RX_MID_TAG);
		return NULL;
	}
	return atlas;
}

/* RxDestroyMidAtlas - frees the atlas; the destructor runs once for each context still in it. */
VOID RxDestroyMidAtlas(PRX_MID_ATLAS pMidAtlas, PCONTEXT_DESTRUCTOR pContextDestructor)
{
	USHORT i;

	for (i = 0; i < pMidAtlas->capacity; i++)
		if (pMidAtlas->entries[i].context != NULL && pContextDestructor != NULL)
			pContextDestructor(pMidAtlas->entries[i].context);
	if (pMidAtlas->entries != NULL)
		ExFreePoolWithTag(pMidAtlas->entries, RX_MID_TAG);
	ExFreePoolWithTag(pMidAtlas, RX_MID_TAG);
}

static struct rx_mid_entry *rx_mid_find(PRX_MID_ATLAS atlas, USHORT mid)
{
	USHORT index = (USHORT)(mid & (((ULONG)1 << atlas->low_bits) - 1));

	if (index >= atlas->capacity || atlas->entries[index].context == NULL ||
	    atlas->entries[index].mid != mid)
		return NULL;
	return &atlas->entries[index];
}

/**
 * RxAssociateContextWithMid - bind a context to a free number
 *
 * Return: STATUS_SUCCESS; STATUS_UNSUCCESSFUL: the maximum is in use; STATUS_INSUFFICIENT_RESOURCES.
 * Page:   midatlax/RxAssociateContextWithMid.
 */
NTSTATUS RxAssociateContextWithMid(PRX_MID_ATLAS pMidAtlas, PVOID pContext, PUSHORT pNewMid)
{
	struct rx_mid_entry *entry;

	if (pMidAtlas->in_use == pMidAtlas->maximum)
		return STATUS_UNSUCCESSFUL;
	if (pMidAtlas->first_free == pMidAtlas->capacity) {
		ULONG capacity = pMidAtlas->capacity == 0 ? 8 : (ULONG)pMidAtlas->capacity * 2;

		if (capacity > pMidAtlas->maximum)
			capacity = pMidAtlas->maximum;
		if (!rx_mid_grow(pMidAtlas, (USHORT)capacity))
			return STATUS_INSUFFICIENT_RESOURCES;
	}

	entry = &pMidAtlas->entries[pMidAtlas->first_free];
	entry->mid = (USHORT)(entry->mid + ((ULONG)1 << pMidAtlas->low_bits));
	if (entry->mid == RX_MID_RESERVED)
		entry->mid = (USHORT)(entry->mid + ((ULONG)1 << pMidAtlas->low_bits));
	pMidAtlas->first_free = entry->next_free;
	pMidAtlas->in_use++;
	entry->context = pContext;
	*pNewMid = entry->mid;
	return STATUS_SUCCESS;
}

/* RxMapMidToContext - the context of a number, or NULL. */
PVOID RxMapMidToContext(PRX_MID_ATLAS pMidAtlas, USHORT Mid)
{
	struct rx_mid_entry *entry = rx_mid_find(pMidAtlas, Mid);

	return entry != NULL ? entry->context : NULL;
}

/* RxMapAndDissociateMidFromContext - look a number up and free it. Return: STATUS_SUCCESS, NULL when unknown. */
NTSTATUS RxMapAndDissociateMidFromContext(PRX_MID_ATLAS pMidAtlas, USHORT Mid, PVOID *pContextPointer)
{
	struct rx_mid_entry *entry = rx_mid_find(pMidAtlas, Mid);

	*pContextPointer = NULL;
	if (entry == NULL)
		return STATUS_SUCCESS;
	*pContextPointer = entry->context;
	entry->context = NULL;
	entry->next_free = pMidAtlas->first_free;
	pMidAtlas->first_free = (USHORT)(entry - pMidAtlas->entries);
	pMidAtlas->in_use--;
	return STATUS_SUCCESS;
}

/* RxReassociateMid - later lookups of the number give the new context. STATUS_NOT_FOUND when it is unknown. */
NTSTATUS RxReassociateMid(PRX_MID_ATLAS pMidAtlas, USHORT Mid, PVOID pNewContext)
{
	struct rx_mid_entry *entry = rx_mid_find(pMidAtlas, Mid);

	if (entry == NULL)
		return STATUS_NOT_FOUND;
	entry->context = pNewContext;
	return STATUS_SUCCESS;
}
