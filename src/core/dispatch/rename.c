/*
 * rename.c - a change of name in the FCB table.
 *
 * Owns:   struct rx_rename.
 * Locks:  the FCB exclusive, with the FCB table added when the server has renamed it: the share's other names stay
 *         usable meanwhile. Then each other FCB that changes its name.
 *
 * Between the server's rename and ours a lookup may still find the old name here: its create fails at the
 * server, as it must. An FCB that has the new name is the file that was replaced: it goes on without a name, for
 * those who have it open.
 */
#include "core/dispatch/rename.h"

#include "core/name/name.h"
#include "core/object/object.h"

#define RX_RENAME_TAG 'nRxR'

static const UNICODE_STRING rx_rename_none;

static NTSTATUS rx_rename_join(PCUNICODE_STRING a, PCUNICODE_STRING b, bool separate, PUNICODE_STRING out)
{
	size_t bytes = (size_t)a->Length + b->Length + (separate ? sizeof(WCHAR) : 0);
	PUCHAR at;

	if (bytes > 0xfffe)
		return STATUS_NAME_TOO_LONG;
	out->Buffer = ExAllocatePoolWithTag(PagedPool, bytes, RX_RENAME_TAG);
	if (out->Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	at = (PUCHAR)out->Buffer;
	RtlCopyMemory(at, a->Buffer, a->Length);
	at += a->Length;
	if (separate) {
		*(PWCH)at = u'\\';
		at += sizeof(WCHAR);
	}
	RtlCopyMemory(at, b->Buffer, b->Length);
	out->Length = out->MaximumLength = (USHORT)bytes;
	return STATUS_SUCCESS;
}

static bool rx_rename_has_backslash(PCUNICODE_STRING name)
{
	USHORT i;

	for (i = 0; i < name->Length / sizeof(WCHAR); i++)
		if (name->Buffer[i] == u'\\')
			return true;
	return false;
}

static void rx_rename_skip(PUNICODE_STRING name, USHORT bytes)
{
	name->Buffer += bytes / sizeof(WCHAR);
	name->Length = (USHORT)(name->Length - bytes);
	name->MaximumLength = name->Length;
}

/* `\??\UNC\server\share\path` -> `\path`. */
static NTSTATUS rx_rename_from_full(PRX_CONTEXT rxc, PUNICODE_STRING name)
{
	static WCHAR prefix_chars[] = u"\\??\\UNC";
	const UNICODE_STRING prefix = {sizeof(prefix_chars) - sizeof(WCHAR), sizeof(prefix_chars),
				       prefix_chars};
	PCUNICODE_STRING share = rxc->pFcb->pNetRoot->pNetRootName;
	UNICODE_STRING head = *name;

	rx_rename_skip(name, prefix.Length);
	head = *name;
	if (name->Length <= share->Length)
		return STATUS_NOT_SAME_DEVICE;
	head.Length = share->Length;
	if (!rx_name_equal(&head, share, share->Length) ||
	    name->Buffer[share->Length / sizeof(WCHAR)] != u'\\')
		return STATUS_NOT_SAME_DEVICE;
	rx_rename_skip(name, share->Length);
	return STATUS_SUCCESS;
}

static bool rx_rename_is_full(PCUNICODE_STRING name)
{
	static const WCHAR prefix[] = u"\\??\\UNC\\";
	const size_t bytes = sizeof(prefix) - sizeof(WCHAR);

	return name->Length > bytes && RtlEqualMemory(name->Buffer, prefix, bytes);
}

/* The directory part of the FCB's own path; its lock is not needed: the caller's file object pins the name's
 * memory only under the FCB, so it is copied under it. */
static NTSTATUS rx_rename_in_same_directory(PRX_CONTEXT rxc, PCUNICODE_STRING leaf, PUNICODE_STRING out)
{
	UNICODE_STRING directory;
	NTSTATUS status;

	(void)RxAcquireSharedFcb(NULL, (PFCB)rxc->pFcb);
	directory = ((PFCB)rxc->pFcb)->FcbTableEntry.Path;
	while (directory.Length > 0 && directory.Buffer[directory.Length / sizeof(WCHAR) - 1] != u'\\')
		directory.Length = (USHORT)(directory.Length - sizeof(WCHAR));
	status = rx_rename_join(&directory, leaf, false, out);
	RxReleaseFcb(NULL, (PFCB)rxc->pFcb);
	return status;
}

NTSTATUS rx_rename_prepare(PRX_CONTEXT rxc, PIRP irp, struct rx_rename *rename)
{
	const FILE_RENAME_INFORMATION *info = irp->AssociatedIrp.SystemBuffer;
	ULONG length = rxc->CurrentIrpSp->Parameters.SetFile.Length;
	UNICODE_STRING name;
	NTSTATUS status;

	if (info->FileNameLength > length - FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName) ||
	    info->FileNameLength == 0 || info->FileNameLength % sizeof(WCHAR) != 0 ||
	    info->FileNameLength > 0xfffe)
		return STATUS_INVALID_PARAMETER;
	if (info->RootDirectory != NULL)
		return STATUS_NOT_SUPPORTED;
	name.Buffer = (PWCH)(ULONG_PTR)info->FileName;
	name.Length = name.MaximumLength = (USHORT)info->FileNameLength;

	if (rx_rename_is_full(&name)) {
		status = rx_rename_from_full(rxc, &name);
		if (!NT_SUCCESS(status))
			return status;
	}
	if (name.Buffer[0] == u'\\')
		return rx_rename_join(&rx_rename_none, &name, false, &rename->target);
	if (rx_rename_has_backslash(&name))
		return rx_rename_join(&rx_rename_none, &name, true, &rename->target);
	return rx_rename_in_same_directory(rxc, &name, &rename->target);
}

void rx_rename_end(struct rx_rename *rename)
{
	if (rename->target.Buffer != NULL)
		ExFreePoolWithTag(rename->target.Buffer, RX_RENAME_TAG);
	rename->target.Buffer = NULL;
}

void rx_rename_mark(PRX_CONTEXT rxc)
{
	rxc->pRelevantSrvOpen->Flags |= SRVOPEN_FLAG_FILE_RENAMED;
}

/* An FCB takes its new name, or, when that is taken, none. Locks: FCB table exclusive; takes the FCB. */
static void rx_rename_fcb(PFCB fcb, PCUNICODE_STRING path)
{
	(void)RxAcquireExclusiveFcb(NULL, fcb); /* without a context it waits */
	if ((fcb->FcbState & FCB_STATE_NAME_ALREADY_REMOVED) == 0 &&
	    !NT_SUCCESS(rx_fcb_rename_locked(fcb, path)))
		rx_fcb_forget_name_locked(fcb);
	RxReleaseFcb(NULL, fcb);
}

/* The file that the rename replaced loses its name. Locks: FCB table exclusive; takes that FCB. */
static void rx_rename_replace(PRX_FCB_TABLE table, PFCB fcb, PUNICODE_STRING target)
{
	PFCB replaced = RxFcbTableLookupFcb(table, target);

	if (replaced == NULL)
		return;
	if (replaced != fcb) {
		(void)RxAcquireExclusiveFcb(NULL, replaced);
		rx_fcb_forget_name_locked(replaced);
		if (!RxDereferenceAndFinalizeNetFcb(replaced, NULL, FALSE, FALSE))
			RxReleaseFcb(NULL, replaced);
	} else {
		(void)RxDereferenceNetFcb(replaced); /* never the last: the file is open */
	}
}

/* What is below the old path. */
struct rx_rename_search {
	PCUNICODE_STRING old_path;
	USHORT insensitive;
	PFCB found;
};

static bool rx_rename_visit(PFCB fcb, void *arg)
{
	struct rx_rename_search *search = arg;
	UNICODE_STRING head = fcb->FcbTableEntry.Path;

	if (head.Length <= search->old_path->Length ||
	    head.Buffer[search->old_path->Length / sizeof(WCHAR)] != u'\\')
		return true;
	head.Length = search->old_path->Length;
	if (!rx_name_equal(&head, search->old_path, search->insensitive))
		return true;
	search->found = fcb;
	return false;
}

/* Locks: FCB table exclusive. */
static void rx_rename_children(PRX_FCB_TABLE table, PCUNICODE_STRING old_path, PCUNICODE_STRING new_path)
	RX_REQUIRES(rx_class_fcb_table)
{
	struct rx_rename_search search = {old_path, table->CaseInsensitiveMatch ? old_path->Length : 0, NULL};

	for (;;) {
		UNICODE_STRING tail, path;

		search.found = NULL;
		rx_fcb_table_for_each(table, rx_rename_visit, &search);
		if (search.found == NULL)
			return;
		tail = search.found->FcbTableEntry.Path;
		rx_rename_skip(&tail, old_path->Length);
		if (NT_SUCCESS(rx_rename_join(new_path, &tail, false, &path))) {
			rx_rename_fcb(search.found, &path);
			ExFreePoolWithTag(path.Buffer, RX_RENAME_TAG);
		} else {
			(void)RxAcquireExclusiveFcb(NULL, search.found);
			rx_fcb_forget_name_locked(search.found);
			RxReleaseFcb(NULL, search.found);
		}
	}
}

/*
 * Adds the table to the FCB that is held, against the order: tries, and else lets the FCB go meanwhile. Nobody
 * waits for a file with the table locked, for a request on it may last as long as its server takes.
 */
static void rx_rename_lock_table_too(PRX_FCB_TABLE table, PFCB fcb) RX_NO_TSA
{
	while (!RxAcquireFcbTableLockExclusive(table, FALSE)) {
		RxReleaseFcb(NULL, fcb);
		rx_fcb_table_lock(table);
		if (ExAcquireResourceExclusiveLite(fcb->Header.Resource, FALSE))
			return;
		rx_fcb_table_unlock(table);
		(void)RxAcquireExclusiveFcb(NULL, fcb); /* without a context it waits */
	}
}

void rx_rename_apply(PRX_CONTEXT rxc, const struct rx_rename *rename) RX_NO_TSA
{
	PFCB fcb = (PFCB)rxc->pFcb;
	PRX_FCB_TABLE table = &((PNET_ROOT)fcb->pNetRoot)->FcbTable;
	UNICODE_STRING target = rename->target, old_path = {0, 0, NULL};

	rx_rename_lock_table_too(table, fcb);
	if (NT_SUCCESS(rx_rename_join(&fcb->FcbTableEntry.Path, &rx_rename_none, false, &old_path))) {
		rx_rename_replace(table, fcb, &target);
		rx_rename_fcb(fcb, &target);
		if (NodeType(fcb) == RDBSS_NTC_STORAGE_TYPE_DIRECTORY)
			rx_rename_children(table, &old_path, &target);
		ExFreePoolWithTag(old_path.Buffer, RX_RENAME_TAG);
	} else if ((fcb->FcbState & FCB_STATE_NAME_ALREADY_REMOVED) == 0) {
		rx_fcb_forget_name_locked(
			fcb); /* no memory to find what is below: this one at least is right */
	}
	rx_fcb_table_unlock(table);
}
