/*
 * mdl.c - memory descriptor lists: a range of memory that goes with a request.
 *
 * Every address is valid in the whole process here, so a list describes and does not map: the system address of
 * its memory is the memory's own.
 *
 * Owns:      the descriptor, never the memory it describes.
 * Dies when: IoFreeMdl(); the memory must live as long.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"
#include "pool.h"
#include "seh.h"

#define NT_TAG_MDL 'ldMN'

VOID MmInitializeMdl(PMDL Mdl, PVOID BaseVa, SIZE_T Length)
{
	RX_CHECK(Length <= MAXULONG);
	memset(Mdl, 0, sizeof(*Mdl));
	Mdl->Size = sizeof(*Mdl);
	Mdl->StartVa = PAGE_ALIGN(BaseVa);
	Mdl->ByteOffset = BYTE_OFFSET(BaseVa);
	Mdl->ByteCount = (ULONG)Length;
}

PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp)
{
	PMDL mdl = ExAllocatePoolWithTag(NonPagedPool, sizeof(*mdl), NT_TAG_MDL);

	(void)ChargeQuota; /* there are no quotas */
	if (mdl == NULL)
		return NULL;
	MmInitializeMdl(mdl, VirtualAddress, Length);
	mdl->MdlFlags = MDL_ALLOCATED_FIXED_SIZE;
	if (Irp != NULL) {
		PMDL *link = &Irp->MdlAddress;

		while (SecondaryBuffer && *link != NULL)
			link = &(*link)->Next;
		*link = mdl;
	}
	return mdl;
}

VOID IoFreeMdl(PMDL Mdl)
{
	RX_CHECK(Mdl->MdlFlags & MDL_ALLOCATED_FIXED_SIZE);
	ExFreePoolWithTag(Mdl, NT_TAG_MDL);
}

VOID MmBuildMdlForNonPagedPool(PMDL Mdl)
{
	Mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
	Mdl->MappedSystemVa = MmGetMdlVirtualAddress(Mdl);
}

VOID MmProbeAndLockPages(PMDL Mdl, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
	(void)AccessMode; /* one address space, and no memory of it goes away under a request */
	(void)Operation;
	if (MmGetMdlVirtualAddress(Mdl) == NULL && Mdl->ByteCount != 0)
		ExRaiseStatus(STATUS_ACCESS_VIOLATION);
	Mdl->MdlFlags |= MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA;
	Mdl->MappedSystemVa = MmGetMdlVirtualAddress(Mdl);
}

VOID MmUnlockPages(PMDL Mdl)
{
	RX_CHECK(Mdl->MdlFlags & MDL_PAGES_LOCKED);
	Mdl->MdlFlags = (CSHORT)(Mdl->MdlFlags & ~(MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA));
	Mdl->MappedSystemVa = NULL;
}

VOID IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length)
{
	ULONG_PTR source = (ULONG_PTR)MmGetMdlVirtualAddress(SourceMdl);
	ULONG_PTR begin = (ULONG_PTR)VirtualAddress;
	CSHORT allocated = (CSHORT)(TargetMdl->MdlFlags & MDL_ALLOCATED_FIXED_SIZE);

	RX_CHECK(begin >= source && begin - source <= SourceMdl->ByteCount);
	if (Length == 0)
		Length = SourceMdl->ByteCount - (ULONG)(begin - source); /* to the end of the source */
	RX_CHECK(Length <= SourceMdl->ByteCount - (begin - source));
	MmInitializeMdl(TargetMdl, VirtualAddress, Length);
	TargetMdl->MdlFlags =
		(CSHORT)(MDL_PARTIAL | allocated | (SourceMdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL));
	TargetMdl->MappedSystemVa = VirtualAddress;
}

/* TRUE: the byte can be read now; what another thread unmaps meanwhile is its own affair. */
BOOLEAN MmIsAddressValid(PVOID VirtualAddress)
{
	return msync(PAGE_ALIGN(VirtualAddress), PAGE_SIZE, MS_ASYNC) == 0;
}

MM_SYSTEMSIZE MmQuerySystemSize(VOID)
{
	long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
	uint64_t memory = pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : 0;

	if (memory <= 1ull << 30)
		return MmSmallSystem;
	return memory <= 8ull << 30 ? MmMediumSystem : MmLargeSystem;
}
