/*
 * info.c - attributes, both ways. An answer goes to Info.Buffer, and what it fills is taken off
 * Info.LengthRemaining.
 */
#include "nulmrx.h"

static NTSTATUS NulMRxAnswer(PRX_CONTEXT RxContext, const VOID *Bytes, ULONG Length)
{
	if ((ULONG)RxContext->Info.LengthRemaining < Length)
		return STATUS_BUFFER_TOO_SMALL;
	RtlCopyMemory(RxContext->Info.Buffer, Bytes, Length);
	RxContext->Info.LengthRemaining -= (LONG)Length;
	return STATUS_SUCCESS;
}

/* A fixed part with a name behind it; a name that does not fit is cut, and the status says so. */
static NTSTATUS NulMRxAnswerNamed(PRX_CONTEXT RxContext, const VOID *Bytes, ULONG Length, PCWSTR Text)
{
	UNICODE_STRING Name;
	ULONG Fits;
	PUCHAR Tail = (PUCHAR)RxContext->Info.Buffer + Length;
	NTSTATUS Status = NulMRxAnswer(RxContext, Bytes, Length);

	if (!NT_SUCCESS(Status))
		return Status;
	RtlInitUnicodeString(&Name, Text);
	Fits = min((ULONG)Name.Length, (ULONG)RxContext->Info.LengthRemaining & ~1u);
	RtlCopyMemory(Tail, Name.Buffer, Fits);
	RxContext->Info.LengthRemaining -= (LONG)Fits;
	return Fits == Name.Length ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

static VOID NulMRxFillBasic(PNULMRX_FILE File, PFILE_BASIC_INFORMATION Basic)
{
	RtlZeroMemory(Basic, sizeof(*Basic));
	Basic->CreationTime = Basic->LastAccessTime = Basic->LastWriteTime = Basic->ChangeTime =
		NulMRxStartTime;
	Basic->FileAttributes = FILE_ATTRIBUTE_DIRECTORY;
	if (File == NULL)
		return;
	Basic->CreationTime = File->CreationTime;
	Basic->LastAccessTime = File->LastAccessTime;
	Basic->LastWriteTime = File->LastWriteTime;
	Basic->ChangeTime = File->ChangeTime;
	Basic->FileAttributes = File->Attributes != 0 ? File->Attributes : FILE_ATTRIBUTE_NORMAL;
}

static VOID NulMRxFillStandard(PNULMRX_FILE File, PFILE_STANDARD_INFORMATION Standard)
{
	RtlZeroMemory(Standard, sizeof(*Standard));
	Standard->NumberOfLinks = 1;
	Standard->Directory = File == NULL;
	if (File == NULL)
		return;
	Standard->AllocationSize.QuadPart = File->Room;
	Standard->EndOfFile.QuadPart = File->Size;
	Standard->DeletePending = File->DeletePending;
}

static VOID NulMRxFillNetworkOpen(PNULMRX_FILE File, PFILE_NETWORK_OPEN_INFORMATION Open)
{
	FILE_BASIC_INFORMATION Basic;

	NulMRxFillBasic(File, &Basic);
	RtlZeroMemory(Open, sizeof(*Open));
	Open->CreationTime = Basic.CreationTime;
	Open->LastAccessTime = Basic.LastAccessTime;
	Open->LastWriteTime = Basic.LastWriteTime;
	Open->ChangeTime = Basic.ChangeTime;
	Open->FileAttributes = Basic.FileAttributes;
	Open->AllocationSize.QuadPart = File != NULL ? File->Room : 0;
	Open->EndOfFile.QuadPart = File != NULL ? File->Size : 0;
}

NTSTATUS NulMRxQueryFileInfo(PRX_CONTEXT RxContext)
{
	PNULMRX_FILE File = RxContext->pFobx->pSrvOpen->Context;
	union {
		FILE_BASIC_INFORMATION Basic;
		FILE_STANDARD_INFORMATION Standard;
		FILE_INTERNAL_INFORMATION Internal;
		FILE_EA_INFORMATION Ea;
		FILE_NETWORK_OPEN_INFORMATION NetworkOpen;
		FILE_ATTRIBUTE_TAG_INFORMATION Tag;
	} Info;
	ULONG Length;

	ExAcquireFastMutex(&NulMRxMutex);
	RtlZeroMemory(&Info, sizeof(Info));
	switch ((ULONG)RxContext->Info.FileInformationClass) {
	case FileBasicInformation:
		NulMRxFillBasic(File, &Info.Basic);
		Length = sizeof(Info.Basic);
		break;
	case FileStandardInformation:
		NulMRxFillStandard(File, &Info.Standard);
		Length = sizeof(Info.Standard);
		break;
	case FileInternalInformation:
		Info.Internal.IndexNumber.QuadPart = File != NULL ? File->Id : NULMRX_ROOT_ID;
		Length = sizeof(Info.Internal);
		break;
	case FileEaInformation: /* none */
		Length = sizeof(Info.Ea);
		break;
	case FileNetworkOpenInformation:
		NulMRxFillNetworkOpen(File, &Info.NetworkOpen);
		Length = sizeof(Info.NetworkOpen);
		break;
	case FileAttributeTagInformation:
		Info.Tag.FileAttributes = File != NULL ? File->Attributes : FILE_ATTRIBUTE_DIRECTORY;
		Length = sizeof(Info.Tag);
		break;
	default:
		Length = 0;
		break;
	}
	ExReleaseFastMutex(&NulMRxMutex);
	return Length != 0 ? NulMRxAnswer(RxContext, &Info, Length) : STATUS_INVALID_INFO_CLASS;
}

/* Zero and -1 leave a time as it is. */
static VOID NulMRxSetTime(PLARGE_INTEGER Time, LARGE_INTEGER New)
{
	if (New.QuadPart > 0)
		*Time = New;
}

static NTSTATUS NulMRxSetBasic(PNULMRX_FILE File, const FILE_BASIC_INFORMATION *Basic)
{
	NulMRxSetTime(&File->CreationTime, Basic->CreationTime);
	NulMRxSetTime(&File->LastAccessTime, Basic->LastAccessTime);
	NulMRxSetTime(&File->LastWriteTime, Basic->LastWriteTime);
	NulMRxSetTime(&File->ChangeTime, Basic->ChangeTime);
	if (Basic->FileAttributes != 0)
		File->Attributes = Basic->FileAttributes & (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
							    FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE);
	return STATUS_SUCCESS;
}

static NTSTATUS NulMRxRename(PRX_CONTEXT RxContext, PNULMRX_FILE File, const FILE_RENAME_INFORMATION *Rename)
{
	ULONG Head = FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName);
	UNICODE_STRING Path, Name;
	PNULMRX_FILE Other;
	NTSTATUS Status;

	if ((ULONG)RxContext->Info.Length < Head ||
	    Rename->FileNameLength > (ULONG)RxContext->Info.Length - Head ||
	    Rename->FileNameLength > MAXUSHORT)
		return STATUS_INVALID_PARAMETER;
	Path.Buffer = (PWCH)Rename->FileName;
	Path.Length = Path.MaximumLength = (USHORT)Rename->FileNameLength;
	Status = NulMRxLeafName(&Path, &Name);
	if (!NT_SUCCESS(Status))
		return Status;
	if (Name.Length == 0 || Name.Length > NULMRX_MAX_NAME * sizeof(WCHAR))
		return STATUS_OBJECT_NAME_INVALID;
	Other = NulMRxFindFile(&Name);
	if (Other != NULL && Other != File) {
		if (!RxContext->Info.ReplaceIfExists)
			return STATUS_OBJECT_NAME_COLLISION;
		if (Other->Unclean != 0)
			return STATUS_ACCESS_DENIED;
		NulMRxRemoveFile(Other);
	}
	File->NameLength = Name.Length;
	RtlCopyMemory(File->Name, Name.Buffer, Name.Length);
	KeQuerySystemTime(&File->ChangeTime);
	return STATUS_SUCCESS;
}

/* Locks: NulMRxMutex. */
static NTSTATUS NulMRxSetInfo(PRX_CONTEXT RxContext, PNULMRX_FILE File)
{
	PVOID Buffer = RxContext->Info.Buffer;
	ULONG Length = (ULONG)RxContext->Info.Length;
	LONGLONG Size;

	switch ((ULONG)RxContext->Info.FileInformationClass) {
	case FileBasicInformation:
		if (Length < sizeof(FILE_BASIC_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		return NulMRxSetBasic(File, Buffer);
	case FileEndOfFileInformation:
		if (Length < sizeof(FILE_END_OF_FILE_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		return NulMRxSetSize(File, ((PFILE_END_OF_FILE_INFORMATION)Buffer)->EndOfFile.QuadPart);
	case FileAllocationInformation: /* only a smaller one changes anything */
		if (Length < sizeof(FILE_ALLOCATION_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		Size = ((PFILE_ALLOCATION_INFORMATION)Buffer)->AllocationSize.QuadPart;
		return Size < File->Size ? NulMRxSetSize(File, Size) : STATUS_SUCCESS;
	case FileDispositionInformation:
		if (Length < sizeof(FILE_DISPOSITION_INFORMATION))
			return STATUS_INFO_LENGTH_MISMATCH;
		if ((File->Attributes & FILE_ATTRIBUTE_READONLY) != 0)
			return STATUS_CANNOT_DELETE;
		File->DeletePending = ((PFILE_DISPOSITION_INFORMATION)Buffer)->DeleteFile;
		return STATUS_SUCCESS;
	case FileRenameInformation:
		return NulMRxRename(RxContext, File, Buffer);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

NTSTATUS NulMRxSetFileInfo(PRX_CONTEXT RxContext)
{
	PNULMRX_FILE File = RxContext->pFobx->pSrvOpen->Context;
	NTSTATUS Status;

	if (File == NULL)
		return STATUS_ACCESS_DENIED; /* the directory stays as it is */
	ExAcquireFastMutex(&NulMRxMutex);
	Status = NulMRxSetInfo(RxContext, File);
	ExReleaseFastMutex(&NulMRxMutex);
	return Status;
}

NTSTATUS NulMRxQueryVolumeInfo(PRX_CONTEXT RxContext)
{
	static const WCHAR Label[] = L"nulmrx";
	static const WCHAR FileSystem[] = L"NUL";
	union {
		FILE_FS_VOLUME_INFORMATION Volume;
		FILE_FS_ATTRIBUTE_INFORMATION Attribute;
		FILE_FS_SIZE_INFORMATION Size;
		FILE_FS_FULL_SIZE_INFORMATION FullSize;
		FILE_FS_DEVICE_INFORMATION Device;
	} Info;
	const LONGLONG Units = 256 * (NULMRX_MAX_FILE_SIZE / PAGE_SIZE);

	RtlZeroMemory(&Info, sizeof(Info));
	switch ((ULONG)RxContext->Info.FsInformationClass) {
	case FileFsVolumeInformation:
		Info.Volume.VolumeCreationTime = NulMRxStartTime;
		Info.Volume.VolumeSerialNumber = NULMRX_POOLTAG;
		Info.Volume.VolumeLabelLength = sizeof(Label) - sizeof(WCHAR);
		return NulMRxAnswerNamed(RxContext, &Info,
					 FIELD_OFFSET(FILE_FS_VOLUME_INFORMATION, VolumeLabel), Label);
	case FileFsAttributeInformation:
		Info.Attribute.FileSystemAttributes = FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK;
		Info.Attribute.MaximumComponentNameLength = NULMRX_MAX_NAME;
		Info.Attribute.FileSystemNameLength = sizeof(FileSystem) - sizeof(WCHAR);
		return NulMRxAnswerNamed(RxContext, &Info,
					 FIELD_OFFSET(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName),
					 FileSystem);
	case FileFsSizeInformation:
		Info.Size.TotalAllocationUnits.QuadPart = Units;
		Info.Size.AvailableAllocationUnits.QuadPart = Units;
		Info.Size.SectorsPerAllocationUnit = 8;
		Info.Size.BytesPerSector = PAGE_SIZE / 8;
		return NulMRxAnswer(RxContext, &Info, sizeof(Info.Size));
	case FileFsFullSizeInformation:
		Info.FullSize.TotalAllocationUnits.QuadPart = Units;
		Info.FullSize.CallerAvailableAllocationUnits.QuadPart = Units;
		Info.FullSize.ActualAvailableAllocationUnits.QuadPart = Units;
		Info.FullSize.SectorsPerAllocationUnit = 8;
		Info.FullSize.BytesPerSector = PAGE_SIZE / 8;
		return NulMRxAnswer(RxContext, &Info, sizeof(Info.FullSize));
	case FileFsDeviceInformation:
		Info.Device.DeviceType = FILE_DEVICE_DISK;
		Info.Device.Characteristics = FILE_REMOTE_DEVICE;
		return NulMRxAnswer(RxContext, &Info, sizeof(Info.Device));
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}
