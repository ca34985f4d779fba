/*
 * fcbinit.c - what an FCB learns from its mini-redirector: type, times, sizes.
 *
 * Owns:   nothing.
 * Locks:  FCB exclusive for RxFinishFcbInitialization(); the file size has a lock of its own (FileSizeLock, a
 *         leaf), so that it can be read at any time.
 */
#include "core/object/object.h"

/**
 * RxGetFileSizeWithLock - read the 64-bit file size in one piece
 * @FileSize: [out] bytes
 * Page: fcb/RxGetFileSizeWithLock.
 */
VOID RxGetFileSizeWithLock(PFCB Fcb, PLONGLONG FileSize)
{
	ExAcquireFastMutex(Fcb->FileSizeLock);
	*FileSize = __atomic_load_n(&Fcb->Header.FileSize.QuadPart, __ATOMIC_ACQUIRE); /* writes raise it */
	ExReleaseFastMutex(Fcb->FileSizeLock);
}

/* RxSetFileSizeWithLock - its writing twin; also tells those who remember a size that it changed. */
VOID RxSetFileSizeWithLock(PFCB Fcb, PLONGLONG FileSize)
{
	ExAcquireFastMutex(Fcb->FileSizeLock);
	__atomic_store_n(&Fcb->Header.FileSize.QuadPart, *FileSize, __ATOMIC_RELEASE);
	Fcb->ulFileSizeVersion++;
	ExReleaseFastMutex(Fcb->FileSizeLock);
}

/**
 * RxInferFileType - what the create options say about the type; a helper for MRxCreate
 * Page: fcb/RxInferFileType.
 */
RX_FILE_TYPE RxInferFileType(PRX_CONTEXT RxContext)
{
	ULONG options = RxContext->Create.NtCreateParameters.CreateOptions;

	if (options & FILE_DIRECTORY_FILE)
		return FileTypeDirectory;
	if (options & FILE_NON_DIRECTORY_FILE)
		return FileTypeFile;
	return FileTypeNotYetKnown;
}

static void rx_fcb_apply_packet(PMRX_FCB mrx, PFCB_INIT_PACKET packet)
{
	PFCB fcb = (PFCB)mrx;

	if (packet->pAttributes != NULL)
		fcb->Attributes = *packet->pAttributes;
	if (packet->pNumLinks != NULL)
		__atomic_store_n(&fcb->NumberOfLinks, *packet->pNumLinks, __ATOMIC_RELAXED);
	if (packet->pCreationTime != NULL)
		fcb->CreationTime = *packet->pCreationTime;
	if (packet->pLastAccessTime != NULL)
		fcb->LastAccessTime = *packet->pLastAccessTime;
	if (packet->pLastWriteTime != NULL)
		fcb->LastWriteTime = *packet->pLastWriteTime;
	if (packet->pLastChangeTime != NULL)
		fcb->LastChangeTime = *packet->pLastChangeTime;
	ExAcquireFastMutex(fcb->FileSizeLock);
	if (packet->pAllocationSize != NULL) {
		fcb->ActualAllocationLength = (ULONGLONG)packet->pAllocationSize->QuadPart;
		fcb->Header.AllocationSize = *packet->pAllocationSize;
	}
	if (packet->pFileSize != NULL)
		fcb->Header.FileSize = *packet->pFileSize;
	if (packet->pValidDataLength != NULL)
		fcb->Header.ValidDataLength = *packet->pValidDataLength;
	ExReleaseFastMutex(fcb->FileSizeLock);
}

static void rx_fcb_clear_metadata(PFCB fcb)
{
	fcb->Attributes = 0;
	__atomic_store_n(&fcb->NumberOfLinks, 0, __ATOMIC_RELAXED);
	fcb->CreationTime.QuadPart = fcb->LastAccessTime.QuadPart = 0;
	fcb->LastWriteTime.QuadPart = fcb->LastChangeTime.QuadPart = 0;
	ExAcquireFastMutex(fcb->FileSizeLock);
	fcb->ActualAllocationLength = 0;
	fcb->Header.AllocationSize.QuadPart = 0;
	fcb->Header.FileSize.QuadPart = 0;
	fcb->Header.ValidDataLength.QuadPart = 0;
	ExReleaseFastMutex(fcb->FileSizeLock);
}

/**
 * RxFinishFcbInitialization - what the server said about a file that was just opened
 * @MrxFcb:           [in,out] the FCB
 * @RdbssStorageType: [in] a RX_FILE_TYPE, or the low byte of an FCB's node type code (E-42)
 * @InitPacket:       [in, optional] times and sizes; applied only while FCB_STATE_TIME_AND_SIZE_ALREADY_SET is
 *                    clear, and sets it
 *
 * Locks: FCB exclusive.
 * Page:  fcb/RxFinishFcbInitialization.
 */
VOID RxFinishFcbInitialization(PMRX_FCB MrxFcb, RX_FILE_TYPE RdbssStorageType, PFCB_INIT_PACKET InitPacket)
{
	PFCB fcb = (PFCB)MrxFcb;
	NODE_TYPE_CODE code = RDBSS_STORAGE_NTC((ULONG)RdbssStorageType & 0xff);
	bool already_set = (fcb->FcbState & FCB_STATE_TIME_AND_SIZE_ALREADY_SET) != 0;

	if (code == RDBSS_NTC_MAILSLOT) {
		if (!already_set)
			rx_fcb_clear_metadata(fcb);
		fcb->FcbState |= FCB_STATE_TIME_AND_SIZE_ALREADY_SET;
	} else if (InitPacket != NULL && !already_set) {
		rx_fcb_apply_packet(MrxFcb, InitPacket);
		fcb->FcbState |= FCB_STATE_TIME_AND_SIZE_ALREADY_SET;
	}
	/* a driver that does not know the type this time takes nothing away; others look without the FCB */
	if (code != RDBSS_NTC_STORAGE_TYPE_UNKNOWN && fcb->Header.NodeTypeCode != code)
		__atomic_store_n(&fcb->Header.NodeTypeCode, code, __ATOMIC_RELAXED);
	fcb->Condition = Condition_Good;
}
