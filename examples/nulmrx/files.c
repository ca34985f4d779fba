/*
 * files.c - what the server holds: a list of files, each with its bytes.
 *
 * One mutex guards all of it. A file lives as long as the list or an open refers to it, so that a file that was
 * removed can still be read by those who have it open.
 */
#include "nulmrx.h"

static ULONG NulMRxNextId = NULMRX_FIRST_ID;

PNULMRX_FILE NulMRxFindFile(PCUNICODE_STRING Name)
{
	PLIST_ENTRY Entry;

	for (Entry = NulMRxFiles.Flink; Entry != &NulMRxFiles; Entry = Entry->Flink) {
		PNULMRX_FILE File = CONTAINING_RECORD(Entry, NULMRX_FILE, Links);
		UNICODE_STRING FileName = {File->NameLength, File->NameLength, File->Name};

		if (RtlEqualUnicodeString(&FileName, (PUNICODE_STRING)Name, TRUE))
			return File;
	}
	return NULL;
}

PNULMRX_FILE NulMRxAddFile(PCUNICODE_STRING Name, ULONG Attributes)
{
	PNULMRX_FILE File;

	if (Name->Length == 0 || Name->Length > NULMRX_MAX_NAME * sizeof(WCHAR))
		return NULL;
	File = ExAllocatePoolWithTag(NonPagedPool, sizeof(NULMRX_FILE), NULMRX_POOLTAG);
	if (File == NULL)
		return NULL;
	RtlZeroMemory(File, sizeof(NULMRX_FILE));
	File->ReferenceCount = 1;
	File->Id = NulMRxNextId++;
	File->Attributes = Attributes & (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
					 FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE);
	KeQuerySystemTime(&File->CreationTime);
	File->LastAccessTime = File->LastWriteTime = File->ChangeTime = File->CreationTime;
	File->NameLength = Name->Length;
	RtlCopyMemory(File->Name, Name->Buffer, Name->Length);
	InsertTailList(&NulMRxFiles, &File->Links);
	NulMRxStatistics.Files++;
	return File;
}

VOID NulMRxReferenceFile(PNULMRX_FILE File)
{
	InterlockedIncrement(&File->ReferenceCount);
}

VOID NulMRxDereferenceFile(PNULMRX_FILE File)
{
	if (InterlockedDecrement(&File->ReferenceCount) != 0)
		return;
	if (File->Data != NULL)
		ExFreePoolWithTag(File->Data, NULMRX_POOLTAG);
	ExFreePoolWithTag(File, NULMRX_POOLTAG);
}

VOID NulMRxRemoveFile(PNULMRX_FILE File)
{
	if (File->Removed)
		return;
	File->Removed = TRUE;
	RemoveEntryList(&File->Links);
	NulMRxStatistics.Files--;
	NulMRxDereferenceFile(File);
}

/* What is new reads as zeros. */
NTSTATUS NulMRxSetSize(PNULMRX_FILE File, LONGLONG Size)
{
	if (Size < 0)
		return STATUS_INVALID_PARAMETER;
	if (Size > NULMRX_MAX_FILE_SIZE)
		return STATUS_DISK_FULL;
	if (Size > File->Room) {
		ULONG Room = max((ULONG)Size, min(2 * File->Room, (ULONG)NULMRX_MAX_FILE_SIZE));
		PUCHAR Data = ExAllocatePoolWithTag(PagedPool, Room, NULMRX_POOLTAG);

		if (Data == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		if (File->Data != NULL) {
			RtlCopyMemory(Data, File->Data, File->Size);
			ExFreePoolWithTag(File->Data, NULMRX_POOLTAG);
		}
		File->Data = Data;
		File->Room = Room;
	}
	if (Size > File->Size)
		RtlZeroMemory(File->Data + File->Size, (ULONG)Size - File->Size);
	File->Size = (ULONG)Size;
	KeQuerySystemTime(&File->LastWriteTime);
	File->ChangeTime = File->LastWriteTime;
	return STATUS_SUCCESS;
}

NTSTATUS NulMRxLeafName(PCUNICODE_STRING Path, PUNICODE_STRING Name)
{
	USHORT i;

	*Name = *Path;
	while (Name->Length != 0 && Name->Buffer[0] == L'\\') {
		Name->Buffer++;
		Name->Length -= sizeof(WCHAR);
	}
	Name->MaximumLength = Name->Length;
	for (i = 0; i < Name->Length / sizeof(WCHAR); i++) {
		if (Name->Buffer[i] == L'\\')
			return STATUS_OBJECT_PATH_NOT_FOUND;
	}
	return STATUS_SUCCESS;
}

NTSTATUS NulMRxCreateInitialFiles(VOID)
{
	static const struct {
		PCWSTR Name;
		PCSTR Text;
	} Files[] = {
		{L"readme.txt", "This share is a list in the memory of the driver nulmrx.\n"},
		{L"hello.txt", "Hello from DriverEntry.\n"},
	};
	NTSTATUS Status = STATUS_SUCCESS;
	ULONG i;

	ExAcquireFastMutex(&NulMRxMutex);
	for (i = 0; i < RTL_NUMBER_OF(Files) && NT_SUCCESS(Status); i++) {
		UNICODE_STRING Name;
		PNULMRX_FILE File;
		SIZE_T Length = strlen(Files[i].Text);

		RtlInitUnicodeString(&Name, Files[i].Name);
		File = NulMRxAddFile(&Name, FILE_ATTRIBUTE_ARCHIVE);
		Status = File != NULL ? NulMRxSetSize(File, (LONGLONG)Length) : STATUS_INSUFFICIENT_RESOURCES;
		if (NT_SUCCESS(Status))
			RtlCopyMemory(File->Data, Files[i].Text, Length);
	}
	ExReleaseFastMutex(&NulMRxMutex);
	if (!NT_SUCCESS(Status))
		NulMRxForgetFiles(); /* MRxStop is not called after a start that failed */
	return Status;
}

VOID NulMRxForgetFiles(VOID)
{
	ExAcquireFastMutex(&NulMRxMutex);
	while (!IsListEmpty(&NulMRxFiles))
		NulMRxRemoveFile(CONTAINING_RECORD(NulMRxFiles.Flink, NULMRX_FILE, Links));
	ExReleaseFastMutex(&NulMRxMutex);
}
