/* ccopy.c - the copy interface of a cache manager that keeps nothing for drivers. */
#include "ccopy.h"

#include "cache.h"

#include "nt_exec.h"

static void say_no(PIO_STATUS_BLOCK iosb)
{
	if (iosb == NULL)
		return;
	iosb->Status = STATUS_NOT_SUPPORTED;
	iosb->Information = 0;
}

BOOLEAN CcCopyRead(PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait,
		   PVOID Buffer, PIO_STATUS_BLOCK IoStatus)
{
	(void)FileObject;
	(void)FileOffset;
	(void)Length;
	(void)Wait;
	(void)Buffer;
	say_no(IoStatus);
	return FALSE;
}

BOOLEAN CcCopyWrite(PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait,
		    PVOID Buffer)
{
	(void)FileObject;
	(void)FileOffset;
	(void)Length;
	(void)Wait;
	(void)Buffer;
	return FALSE;
}

BOOLEAN CcZeroData(PFILE_OBJECT FileObject, PLARGE_INTEGER StartOffset, PLARGE_INTEGER EndOffset,
		   BOOLEAN Wait)
{
	(void)FileObject;
	(void)StartOffset;
	(void)EndOffset;
	(void)Wait;
	return FALSE;
}

VOID CcFastCopyRead(PFILE_OBJECT FileObject, ULONG FileOffset, ULONG Length, ULONG PageCount, PVOID Buffer,
		    PIO_STATUS_BLOCK IoStatus)
{
	(void)FileObject;
	(void)FileOffset;
	(void)Length;
	(void)PageCount;
	(void)Buffer;
	say_no(IoStatus);
}

VOID CcFastCopyWrite(PFILE_OBJECT FileObject, ULONG FileOffset, ULONG Length, PVOID Buffer)
{
	(void)FileOffset;
	(void)Length;
	(void)Buffer;
	NT_BUG("file object %p is not cached: CcFastCopyWrite has nowhere to copy to", (void *)FileObject);
}

BOOLEAN CcCanIWrite(PFILE_OBJECT FileObject, ULONG BytesToWrite, BOOLEAN Wait, UCHAR Retrying)
{
	(void)FileObject;
	(void)BytesToWrite;
	(void)Wait;
	(void)Retrying;
	return TRUE;
}

BOOLEAN CcCopyWriteWontFlush(PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length)
{
	(void)FileObject;
	(void)FileOffset;
	(void)Length;
	return TRUE;
}

VOID CcSetFileSizes(PFILE_OBJECT FileObject, PCC_FILE_SIZES FileSizes)
{
	if (CcIsFileCached(FileObject))
		(void)CcPurgeCacheSection(FileObject->SectionObjectPointer, &FileSizes->FileSize, 0, FALSE);
}

BOOLEAN MmCanFileBeTruncated(PSECTION_OBJECT_POINTERS SectionPointer, PLARGE_INTEGER NewFileSize)
{
	(void)SectionPointer;
	(void)NewFileSize;
	return TRUE;
}
