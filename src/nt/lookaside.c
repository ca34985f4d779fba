/* lookaside.c - lookaside lists: the pool, or the driver's own allocator.  No cache, hence no locks. */
#include "nt/exec.h"
#include "pool.h"

static void lookaside_init(struct _GENERAL_LOOKASIDE *list, PALLOCATE_FUNCTION allocate,
			   PFREE_FUNCTION release, POOL_TYPE type, SIZE_T size, ULONG tag)
{
	memset(list, 0, sizeof(*list));
	list->Size = size;
	list->Tag = tag;
	list->Type = type;
	list->Allocate = allocate;
	list->Free = release;
}

static PVOID lookaside_allocate(struct _GENERAL_LOOKASIDE *list)
{
	InterlockedIncrement(&list->TotalAllocates);
	InterlockedIncrement(&list->AllocateMisses);
	if (list->Allocate != NULL)
		return list->Allocate(list->Type, list->Size, list->Tag);
	return ExAllocatePoolWithTag(list->Type, list->Size, list->Tag);
}

static void lookaside_free(struct _GENERAL_LOOKASIDE *list, PVOID entry)
{
	InterlockedIncrement(&list->TotalFrees);
	InterlockedIncrement(&list->FreeMisses);
	if (list->Free != NULL)
		list->Free(entry);
	else
		ExFreePoolWithTag(entry, list->Tag);
}

VOID ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
				     PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
	(void)Flags;
	(void)Depth; /* reserved */
	lookaside_init(Lookaside, Allocate, Free, NonPagedPool, Size, Tag);
}

VOID ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
				    PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
	(void)Flags;
	(void)Depth;
	lookaside_init(Lookaside, Allocate, Free, PagedPool, Size, Tag);
}

PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
	return lookaside_allocate(Lookaside);
}

PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
	return lookaside_allocate(Lookaside);
}

VOID ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
	lookaside_free(Lookaside, Entry);
}

VOID ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
	lookaside_free(Lookaside, Entry);
}

VOID ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
	Lookaside->Size = 0;
}

VOID ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
	Lookaside->Size = 0;
}

NTSTATUS ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate,
				     PFREE_FUNCTION_EX Free, POOL_TYPE PoolType, ULONG Flags, SIZE_T Size,
				     ULONG Tag, USHORT Depth)
{
	if (Depth > EX_MAXIMUM_LOOKASIDE_DEPTH_LIMIT ||
	    Flags > 2) /* EX_LOOKASIDE_LIST_EX_FLAGS_* are 1 and 2 and exclude each other */
		return STATUS_INVALID_PARAMETER;
	memset(&Lookaside->L, 0, sizeof(Lookaside->L));
	Lookaside->L.Size = Size;
	Lookaside->L.Tag = Tag;
	Lookaside->L.Type = PoolType;
	Lookaside->Allocate = Allocate;
	Lookaside->Free = Free;
	return STATUS_SUCCESS;
}

PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
	InterlockedIncrement(&Lookaside->L.TotalAllocates);
	InterlockedIncrement(&Lookaside->L.AllocateMisses);
	if (Lookaside->Allocate != NULL)
		return Lookaside->Allocate(Lookaside->L.Type, Lookaside->L.Size, Lookaside->L.Tag, Lookaside);
	return ExAllocatePoolWithTag(Lookaside->L.Type, Lookaside->L.Size, Lookaside->L.Tag);
}

VOID ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry)
{
	InterlockedIncrement(&Lookaside->L.TotalFrees);
	InterlockedIncrement(&Lookaside->L.FreeMisses);
	if (Lookaside->Free != NULL)
		Lookaside->Free(Entry, Lookaside);
	else
		ExFreePoolWithTag(Entry, Lookaside->L.Tag);
}

VOID ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
	Lookaside->L.Size = 0;
}
