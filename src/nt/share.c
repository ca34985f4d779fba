/*
 * share.c - who may open a file beside whom. A SHARE_ACCESS counts what the present openers do and allow.
 *
 * Locks: the caller's; a SHARE_ACCESS is changed under the lock of the file it belongs to.
 */
#include "io.h"

/* Records in the file object what this open does and lets others do. */
static bool nt_share_note(ACCESS_MASK desired, ULONG share, PFILE_OBJECT file)
{
	file->ReadAccess = BooleanFlagOn(desired, FILE_READ_DATA | FILE_EXECUTE);
	file->WriteAccess = BooleanFlagOn(desired, FILE_WRITE_DATA | FILE_APPEND_DATA);
	file->DeleteAccess = BooleanFlagOn(desired, DELETE);
	if (!file->ReadAccess && !file->WriteAccess && !file->DeleteAccess)
		return false; /* only attributes: it neither shares nor is shared with */
	file->SharedRead = BooleanFlagOn(share, FILE_SHARE_READ);
	file->SharedWrite = BooleanFlagOn(share, FILE_SHARE_WRITE);
	file->SharedDelete = BooleanFlagOn(share, FILE_SHARE_DELETE);
	return true;
}

static bool nt_share_counts(const FILE_OBJECT *file)
{
	return file->ReadAccess || file->WriteAccess || file->DeleteAccess;
}

VOID IoUpdateShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess)
{
	if (!nt_share_counts(FileObject))
		return;
	ShareAccess->OpenCount++;
	ShareAccess->Readers += FileObject->ReadAccess;
	ShareAccess->Writers += FileObject->WriteAccess;
	ShareAccess->Deleters += FileObject->DeleteAccess;
	ShareAccess->SharedRead += FileObject->SharedRead;
	ShareAccess->SharedWrite += FileObject->SharedWrite;
	ShareAccess->SharedDelete += FileObject->SharedDelete;
}

VOID IoSetShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
		      PSHARE_ACCESS ShareAccess)
{
	memset(ShareAccess, 0, sizeof(*ShareAccess));
	if (nt_share_note(DesiredAccess, DesiredShareAccess, FileObject))
		IoUpdateShareAccess(FileObject, ShareAccess);
}

NTSTATUS IoCheckShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
			    PSHARE_ACCESS ShareAccess, BOOLEAN Update)
{
	ULONG opens = ShareAccess->OpenCount;

	if (!nt_share_note(DesiredAccess, DesiredShareAccess, FileObject))
		return STATUS_SUCCESS;
	/* What I do, everybody must allow; what anybody does, I must allow. */
	if ((FileObject->ReadAccess && ShareAccess->SharedRead < opens) ||
	    (FileObject->WriteAccess && ShareAccess->SharedWrite < opens) ||
	    (FileObject->DeleteAccess && ShareAccess->SharedDelete < opens) ||
	    (ShareAccess->Readers != 0 && !FileObject->SharedRead) ||
	    (ShareAccess->Writers != 0 && !FileObject->SharedWrite) ||
	    (ShareAccess->Deleters != 0 && !FileObject->SharedDelete))
		return STATUS_SHARING_VIOLATION;
	if (Update)
		IoUpdateShareAccess(FileObject, ShareAccess);
	return STATUS_SUCCESS;
}

VOID IoRemoveShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess)
{
	if (!nt_share_counts(FileObject))
		return;
	RX_CHECK(ShareAccess->OpenCount > 0);
	ShareAccess->OpenCount--;
	ShareAccess->Readers -= FileObject->ReadAccess;
	ShareAccess->Writers -= FileObject->WriteAccess;
	ShareAccess->Deleters -= FileObject->DeleteAccess;
	ShareAccess->SharedRead -= FileObject->SharedRead;
	ShareAccess->SharedWrite -= FileObject->SharedWrite;
	ShareAccess->SharedDelete -= FileObject->SharedDelete;
}

NTSTATUS IoCheckEaBufferValidity(PFILE_FULL_EA_INFORMATION EaBuffer, ULONG EaLength, PULONG ErrorOffset)
{
	const ULONG head = offsetof(FILE_FULL_EA_INFORMATION, EaName);
	ULONG at = 0;

	*ErrorOffset = 0;
	for (;;) {
		const UCHAR *entry = (const UCHAR *)EaBuffer + at;
		ULONG left = EaLength - at, needed, next;
		USHORT value_length;

		*ErrorOffset = at;
		if (left < head + 1)
			return STATUS_EA_LIST_INCONSISTENT;
		memcpy(&next, entry, sizeof(next));
		memcpy(&value_length, entry + offsetof(FILE_FULL_EA_INFORMATION, EaValueLength),
		       sizeof(value_length));
		needed = head + entry[offsetof(FILE_FULL_EA_INFORMATION, EaNameLength)] + 1 + value_length;
		if (needed > left)
			return STATUS_EA_LIST_INCONSISTENT;
		if (entry[head + entry[offsetof(FILE_FULL_EA_INFORMATION, EaNameLength)]] != '\0')
			return STATUS_EA_LIST_INCONSISTENT;
		if (next == 0) {
			*ErrorOffset = 0;
			return STATUS_SUCCESS;
		}
		/* The next one begins at the next multiple of four, no earlier and no later. */
		if (next != ROUND_TO_SIZE(needed, 4u) || next > left)
			return STATUS_EA_LIST_INCONSISTENT;
		at += next;
	}
}
