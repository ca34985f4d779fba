/*
 * dir.c - listing the share. The position is the id of the next file to show, so that a file that stays is listed
 * exactly once, whatever is created or removed between two calls.
 */
#include "nulmrx.h"

/* Offsets that differ between the classes; all but FileNamesInformation begin as FILE_DIRECTORY_INFORMATION does. */
typedef struct _NULMRX_CLASS {
	FILE_INFORMATION_CLASS Class;
	ULONG NameLength;
	ULONG Name;
	ULONG FileId; /* 0: none */
} NULMRX_CLASS, *PNULMRX_CLASS;

static const NULMRX_CLASS NulMRxClasses[] = {
	{FileDirectoryInformation, FIELD_OFFSET(FILE_DIRECTORY_INFORMATION, FileNameLength),
	 FIELD_OFFSET(FILE_DIRECTORY_INFORMATION, FileName), 0},
	{FileFullDirectoryInformation, FIELD_OFFSET(FILE_FULL_DIR_INFORMATION, FileNameLength),
	 FIELD_OFFSET(FILE_FULL_DIR_INFORMATION, FileName), 0},
	{FileBothDirectoryInformation, FIELD_OFFSET(FILE_BOTH_DIR_INFORMATION, FileNameLength),
	 FIELD_OFFSET(FILE_BOTH_DIR_INFORMATION, FileName), 0},
	{FileIdFullDirectoryInformation, FIELD_OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileNameLength),
	 FIELD_OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileName),
	 FIELD_OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileId)},
	{FileIdBothDirectoryInformation, FIELD_OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileNameLength),
	 FIELD_OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileName),
	 FIELD_OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileId)},
	{FileNamesInformation, FIELD_OFFSET(FILE_NAMES_INFORMATION, FileNameLength),
	 FIELD_OFFSET(FILE_NAMES_INFORMATION, FileName), 0},
};

static const NULMRX_CLASS *NulMRxFindClass(FILE_INFORMATION_CLASS Class)
{
	ULONG i;

	for (i = 0; i < RTL_NUMBER_OF(NulMRxClasses); i++) {
		if (NulMRxClasses[i].Class == Class)
			return &NulMRxClasses[i];
	}
	return NULL;
}

static VOID NulMRxFillEntry(PUCHAR At, const NULMRX_CLASS *Class, PNULMRX_FILE File, PCUNICODE_STRING Name)
{
	PFILE_DIRECTORY_INFORMATION Info = (PFILE_DIRECTORY_INFORMATION)At;

	RtlZeroMemory(At, Class->Name);
	if (Class->Class != FileNamesInformation) {
		Info->FileAttributes = FILE_ATTRIBUTE_DIRECTORY;
		Info->CreationTime = Info->LastAccessTime = Info->LastWriteTime = Info->ChangeTime =
			NulMRxStartTime;
	}
	if (Class->Class != FileNamesInformation && File != NULL) {
		Info->CreationTime = File->CreationTime;
		Info->LastAccessTime = File->LastAccessTime;
		Info->LastWriteTime = File->LastWriteTime;
		Info->ChangeTime = File->ChangeTime;
		Info->EndOfFile.QuadPart = File->Size;
		Info->AllocationSize.QuadPart = File->Room;
		Info->FileAttributes = File->Attributes != 0 ? File->Attributes : FILE_ATTRIBUTE_NORMAL;
	}
	if (Class->FileId != 0)
		((PLARGE_INTEGER)(At + Class->FileId))->QuadPart = File != NULL ? File->Id : NULMRX_ROOT_ID;
	*(PULONG)(At + Class->NameLength) = Name->Length;
	RtlCopyMemory(At + Class->Name, Name->Buffer, Name->Length);
}

/* The first entry at or after an id; the list is in the order of ids. Locks: NulMRxMutex. */
static BOOLEAN NulMRxNextEntry(PULONG Id, PNULMRX_FILE *File, PUNICODE_STRING Name)
{
	PLIST_ENTRY Entry;

	*File = NULL;
	if (*Id < NULMRX_FIRST_ID) {
		RtlInitUnicodeString(Name, *Id == 0 ? L"." : L"..");
		return TRUE;
	}
	for (Entry = NulMRxFiles.Flink; Entry != &NulMRxFiles; Entry = Entry->Flink) {
		PNULMRX_FILE Candidate = CONTAINING_RECORD(Entry, NULMRX_FILE, Links);

		if (Candidate->Id < *Id)
			continue;
		*Id = Candidate->Id;
		*File = Candidate;
		Name->Buffer = Candidate->Name;
		Name->Length = Name->MaximumLength = Candidate->NameLength;
		return TRUE;
	}
	return FALSE;
}

static BOOLEAN NulMRxMatches(PUNICODE_STRING Pattern, PUNICODE_STRING Name)
{
	if (Pattern->Length == 0 || (Pattern->Length == sizeof(WCHAR) && Pattern->Buffer[0] == L'*'))
		return TRUE;
	if (!FsRtlDoesNameContainWildCards(Pattern))
		return RtlEqualUnicodeString(Pattern, Name, TRUE);
	return FsRtlIsNameInExpression(Pattern, Name, TRUE, NULL);
}

/* Locks: NulMRxMutex. */
static NTSTATUS NulMRxFillDirectory(PRX_CONTEXT RxContext, const NULMRX_CLASS *Class, PULONG NextId)
{
	PUNICODE_STRING Pattern = &RxContext->pFobx->UnicodeQueryTemplate;
	PUCHAR Buffer = RxContext->Info.Buffer;
	ULONG Space = (ULONG)RxContext->Info.LengthRemaining;
	PULONG Previous = NULL;
	ULONG Used = 0;
	PNULMRX_FILE File;
	UNICODE_STRING Name;

	while (NulMRxNextEntry(NextId, &File, &Name)) {
		if (NulMRxMatches(Pattern, &Name)) {
			ULONG Start = ROUND_TO_SIZE(Used, 8u);

			if (Start > Space || Space - Start < Class->Name + Name.Length) {
				if (Used == 0)
					return STATUS_BUFFER_OVERFLOW;
				break;
			}
			NulMRxFillEntry(Buffer + Start, Class, File, &Name);
			if (Previous != NULL)
				*Previous = (ULONG)(Buffer + Start - (PUCHAR)Previous);
			Previous = (PULONG)(Buffer + Start);
			Used = Start + Class->Name + Name.Length;
		}
		(*NextId)++;
		if (Used != 0 && RxContext->QueryDirectory.ReturnSingleEntry)
			break;
	}
	RxContext->Info.LengthRemaining -= (LONG)Used;
	if (Used != 0)
		return STATUS_SUCCESS;
	return RxContext->QueryDirectory.InitialQuery ? STATUS_NO_SUCH_FILE : STATUS_NO_MORE_FILES;
}

NTSTATUS NulMRxQueryDirectory(PRX_CONTEXT RxContext)
{
	PNULMRX_FOBX_EXTENSION Extension = RxContext->pFobx->Context;
	const NULMRX_CLASS *Class = NulMRxFindClass(RxContext->Info.FileInformationClass);
	NTSTATUS Status;

	if (RxContext->pFobx->pSrvOpen->Context != NULL)
		return STATUS_INVALID_PARAMETER; /* a file is no directory */
	if (Class == NULL)
		return STATUS_INVALID_INFO_CLASS;
	if (RxContext->QueryDirectory.RestartScan || RxContext->QueryDirectory.InitialQuery)
		Extension->NextId = 0;
	ExAcquireFastMutex(&NulMRxMutex);
	Status = NulMRxFillDirectory(RxContext, Class, &Extension->NextId);
	ExReleaseFastMutex(&NulMRxMutex);
	return Status;
}
