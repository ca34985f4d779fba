/*
 * ccopy.h - the cache manager's copy interface. A driver has no cache of its own here (cache.h: pages belong to the
 * front ends), so nothing is ever copied: each routine answers so, and the caller goes to the server.
 */
#ifndef NT_CCOPY_H
#define NT_CCOPY_H

#include "irp.h"

/* FALSE, with STATUS_NOT_SUPPORTED in IoStatus where there is one. */
BOOLEAN CcCopyRead(PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait,
		   PVOID Buffer, PIO_STATUS_BLOCK IoStatus);
BOOLEAN CcCopyWrite(PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait,
		    PVOID Buffer);
BOOLEAN CcZeroData(PFILE_OBJECT FileObject, PLARGE_INTEGER StartOffset, PLARGE_INTEGER EndOffset,
		   BOOLEAN Wait);
VOID CcFastCopyRead(PFILE_OBJECT FileObject, ULONG FileOffset, ULONG Length, ULONG PageCount, PVOID Buffer,
		    PIO_STATUS_BLOCK IoStatus);
/* Has no way to say no: stops the process. Only after CcCopyWrite's like said that the file is cached. */
VOID CcFastCopyWrite(PFILE_OBJECT FileObject, ULONG FileOffset, ULONG Length, PVOID Buffer);
/* Nothing is dirty: a write may always go on. */
BOOLEAN CcCanIWrite(PFILE_OBJECT FileObject, ULONG BytesToWrite, BOOLEAN Wait, UCHAR Retrying);
BOOLEAN CcCopyWriteWontFlush(PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length);

typedef struct _CC_FILE_SIZES {
	LARGE_INTEGER AllocationSize;
	LARGE_INTEGER FileSize;
	LARGE_INTEGER ValidDataLength;
} CC_FILE_SIZES, *PCC_FILE_SIZES;
/* The sizes changed: whoever keeps pages of the file forgets those beyond the new end. */
VOID CcSetFileSizes(PFILE_OBJECT FileObject, PCC_FILE_SIZES FileSizes);
/* TRUE: no view of a file keeps it from being cut; views are the front ends' and survive it. */
BOOLEAN MmCanFileBeTruncated(PSECTION_OBJECT_POINTERS SectionPointer, PLARGE_INTEGER NewFileSize);

/* What the file system believes the size to be. */
#define CcGetFileSizePointer(FileObject) (&((PFSRTL_COMMON_FCB_HEADER)(FileObject)->FsContext)->FileSize)

#endif
