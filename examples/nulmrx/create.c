/*
 * create.c - opening and closing. RDBSS holds the FCB exclusive in all of these.
 */
#include "nulmrx.h"

/* A file that exists, as the disposition wants it. */
static NTSTATUS NulMRxOpenExisting(PNULMRX_FILE File, PNT_CREATE_PARAMETERS Parameters, PULONG Information)
{
	NTSTATUS Status = STATUS_SUCCESS;

	if (File->DeletePending)
		return STATUS_DELETE_PENDING;
	if (Parameters->Disposition == FILE_CREATE)
		return STATUS_OBJECT_NAME_COLLISION;
	if ((File->Attributes & FILE_ATTRIBUTE_READONLY) != 0 &&
	    (Parameters->DesiredAccess & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0)
		return STATUS_ACCESS_DENIED;
	*Information = FILE_OPENED;
	switch (Parameters->Disposition) {
	case FILE_SUPERSEDE:
	case FILE_OVERWRITE:
	case FILE_OVERWRITE_IF:
		Status = NulMRxSetSize(File, 0);
		*Information = Parameters->Disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED : FILE_OVERWRITTEN;
		break;
	default:
		break;
	}
	return Status;
}

/* Locks: NulMRxMutex. The file comes referenced. */
static NTSTATUS NulMRxOpenByName(PCUNICODE_STRING Name, PNT_CREATE_PARAMETERS Parameters, PNULMRX_FILE *File,
				 PULONG Information)
{
	NTSTATUS Status = STATUS_SUCCESS;

	if ((Parameters->CreateOptions & FILE_DIRECTORY_FILE) != 0)
		return NulMRxFindFile(Name) != NULL           ? STATUS_NOT_A_DIRECTORY
		       : Parameters->Disposition == FILE_OPEN ? STATUS_OBJECT_NAME_NOT_FOUND
							      : STATUS_NOT_SUPPORTED; /* one directory only */
	*File = NulMRxFindFile(Name);
	if (*File != NULL) {
		Status = NulMRxOpenExisting(*File, Parameters, Information);
	} else if (Parameters->Disposition == FILE_OPEN || Parameters->Disposition == FILE_OVERWRITE) {
		Status = STATUS_OBJECT_NAME_NOT_FOUND;
	} else if (Name->Length > NULMRX_MAX_NAME * sizeof(WCHAR)) {
		Status = STATUS_OBJECT_NAME_INVALID;
	} else {
		*File = NulMRxAddFile(Name, Parameters->FileAttributes);
		*Information = FILE_CREATED;
		if (*File == NULL)
			Status = STATUS_INSUFFICIENT_RESOURCES;
	}
	if (NT_SUCCESS(Status))
		NulMRxReferenceFile(*File);
	else
		*File = NULL;
	return Status;
}

static NTSTATUS NulMRxOpenRoot(PNT_CREATE_PARAMETERS Parameters, PULONG Information)
{
	if ((Parameters->CreateOptions & FILE_NON_DIRECTORY_FILE) != 0)
		return STATUS_FILE_IS_A_DIRECTORY;
	if (Parameters->Disposition == FILE_CREATE)
		return STATUS_OBJECT_NAME_COLLISION;
	if (Parameters->Disposition != FILE_OPEN && Parameters->Disposition != FILE_OPEN_IF)
		return STATUS_INVALID_PARAMETER;
	*Information = FILE_OPENED;
	return STATUS_SUCCESS;
}

/* Tells RDBSS what the FCB is: kind, sizes, times. */
static VOID NulMRxDescribe(PMRX_FCB Fcb, PNULMRX_FILE File)
{
	LARGE_INTEGER Zero = {.QuadPart = 0}, Size = {.QuadPart = 0};
	ULONG Attributes = FILE_ATTRIBUTE_DIRECTORY;
	ULONG Links = 1;
	FCB_INIT_PACKET InitPacket;

	InitPacket.pAttributes = &Attributes;
	InitPacket.pNumLinks = &Links;
	InitPacket.pCreationTime = InitPacket.pLastAccessTime = &NulMRxStartTime;
	InitPacket.pLastWriteTime = InitPacket.pLastChangeTime = &NulMRxStartTime;
	InitPacket.pAllocationSize = InitPacket.pFileSize = InitPacket.pValidDataLength = &Zero;
	if (File != NULL) {
		Attributes = File->Attributes != 0 ? File->Attributes : FILE_ATTRIBUTE_NORMAL;
		Size.QuadPart = File->Size;
		InitPacket.pCreationTime = &File->CreationTime;
		InitPacket.pLastAccessTime = &File->LastAccessTime;
		InitPacket.pLastWriteTime = &File->LastWriteTime;
		InitPacket.pLastChangeTime = &File->ChangeTime;
		InitPacket.pAllocationSize = InitPacket.pFileSize = InitPacket.pValidDataLength = &Size;
	}
	RxFinishFcbInitialization(Fcb, File == NULL ? FileTypeDirectory : FileTypeFile, &InitPacket);
}

/* The FOBX comes last: only an open that succeeded has one. */
static NTSTATUS NulMRxFinishOpen(PRX_CONTEXT RxContext, PNULMRX_FILE File, ULONG Information)
{
	PMRX_SRV_OPEN SrvOpen = RxContext->pRelevantSrvOpen;
	PNULMRX_FOBX_EXTENSION Extension;

	RxContext->pFobx = RxCreateNetFobx(RxContext, SrvOpen);
	if (RxContext->pFobx == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	Extension = RxContext->pFobx->Context;
	Extension->DeleteOnClose =
		(RxContext->Create.NtCreateParameters.CreateOptions & FILE_DELETE_ON_CLOSE) != 0;
	if (File != NULL)
		File->Unclean++;
	NulMRxStatistics.Opens++;
	SrvOpen->Context = File;
	SrvOpen->BufferingFlags = 0; /* the server promises nothing: every request goes to it */
	NulMRxDescribe(RxContext->pFcb, File);
	RxContext->Create.ReturnedCreateInformation = Information;
	RxContext->CurrentIrp->IoStatus.Information = Information;
	return STATUS_SUCCESS;
}

NTSTATUS NulMRxCreate(PRX_CONTEXT RxContext)
{
	PNT_CREATE_PARAMETERS Parameters = &RxContext->Create.NtCreateParameters;
	PNULMRX_FILE File = NULL;
	UNICODE_STRING Name;
	ULONG Information = 0;
	NTSTATUS Status;

	Status = NulMRxLeafName(RxContext->pRelevantSrvOpen->pAlreadyPrefixedName, &Name);
	if (!NT_SUCCESS(Status))
		return Status;
	ExAcquireFastMutex(&NulMRxMutex);
	if (Name.Length == 0)
		Status = NulMRxOpenRoot(Parameters, &Information);
	else
		Status = NulMRxOpenByName(&Name, Parameters, &File, &Information);
	if (NT_SUCCESS(Status)) {
		Status = NulMRxFinishOpen(RxContext, File, Information);
		if (!NT_SUCCESS(Status) && File != NULL)
			NulMRxDereferenceFile(File);
	}
	ExReleaseFastMutex(&NulMRxMutex);
	return Status;
}

/* Never: each open has access rights of its own. */
NTSTATUS NulMRxShouldTryToCollapseThisOpen(PRX_CONTEXT RxContext)
{
	UNREFERENCED_PARAMETER(RxContext);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* The last handle is closed; reads through a mapping may still come. A file goes with the last of its opens. */
NTSTATUS NulMRxCleanupFobx(PRX_CONTEXT RxContext)
{
	PNULMRX_FOBX_EXTENSION Extension = RxContext->pFobx->Context;
	PNULMRX_FILE File = RxContext->pFobx->pSrvOpen->Context;

	if (File == NULL)
		return STATUS_SUCCESS;
	ExAcquireFastMutex(&NulMRxMutex);
	if (Extension->DeleteOnClose)
		File->DeletePending = TRUE;
	File->Unclean--;
	if (File->Unclean == 0 && File->DeletePending)
		NulMRxRemoveFile(File);
	ExReleaseFastMutex(&NulMRxMutex);
	return STATUS_SUCCESS;
}

NTSTATUS NulMRxCloseSrvOpen(PRX_CONTEXT RxContext)
{
	return NulMRxForceClosed(RxContext->pRelevantSrvOpen);
}

/* Also called by RDBSS for an open that will never be closed in an orderly way. */
NTSTATUS NulMRxForceClosed(PMRX_SRV_OPEN SrvOpen)
{
	PNULMRX_FILE File = SrvOpen->Context;

	SrvOpen->Context = NULL;
	ExAcquireFastMutex(&NulMRxMutex);
	if (File != NULL)
		NulMRxDereferenceFile(File);
	NulMRxStatistics.Opens--;
	ExReleaseFastMutex(&NulMRxMutex);
	return STATUS_SUCCESS;
}
