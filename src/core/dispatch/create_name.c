/*
 * create_name.c - the canonical name of what a create opens.
 *
 * Owns:   RX_CONTEXT.Create.CanonicalNameBuffer (and AlsoCanonicalNameBuffer, the same block) until
 *         rx_create_free_name() or the end of the context.
 * Locks:  none; a related file object is kept open by the caller for the length of its request.
 */
#include "core/dispatch/create.h"

#include "core/minirdr/minirdr.h"
#include "core/name/name.h"

#define RX_NAME_TAG 'nNxR'
#define RX_NAME_MAX_BYTES 0xfff0

static const UNICODE_STRING rx_name_none;

/* The names a related file object stands for: its share (or view), then its path. */
static NTSTATUS rx_name_of_related(PFILE_OBJECT related, PCUNICODE_STRING *root, PCUNICODE_STRING *path)
{
	PFCB fcb = related->FsContext;

	if (fcb == NULL)
		return STATUS_INVALID_PARAMETER;
	if (fcb == &RxDeviceFCB) {
		PV_NET_ROOT vnr = related->FsContext2;

		if (vnr == NULL)
			return STATUS_SUCCESS;
		/* a connection to a directory stands for that directory; one that was relative itself, for its view */
		if (related->FileName.Length > 0 && related->FileName.Buffer[0] == u'\\')
			*root = &related->FileName;
		else
			*root = &vnr->VNetRootName;
		return STATUS_SUCCESS;
	}
	if (fcb->pNetRoot == NULL)
		return STATUS_INVALID_PARAMETER;
	*root = fcb->pNetRoot->pNetRootName;
	*path = &fcb->FcbTableEntry.Path;
	return STATUS_SUCCESS;
}

static void rx_name_append(PUNICODE_STRING to, PCUNICODE_STRING part)
{
	RtlCopyMemory((PUCHAR)to->Buffer + to->Length, part->Buffer, part->Length);
	to->Length = (USHORT)(to->Length + part->Length);
}

/* root, path and name in one piece, in new memory; not yet canonical. */
static NTSTATUS rx_name_join(PCUNICODE_STRING root, PCUNICODE_STRING path, PCUNICODE_STRING name,
			     PUNICODE_STRING joined)
{
	static WCHAR backslash[] = u"\\";
	const UNICODE_STRING separator = {sizeof(WCHAR), sizeof(WCHAR), backslash};
	size_t bytes = (size_t)root->Length + path->Length + name->Length + sizeof(WCHAR);

	if (bytes > RX_NAME_MAX_BYTES)
		return STATUS_NAME_TOO_LONG;
	joined->Buffer = ExAllocatePoolWithTag(PagedPool, bytes, RX_NAME_TAG);
	if (joined->Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	joined->Length = 0;
	joined->MaximumLength = (USHORT)bytes;
	rx_name_append(joined, root);
	rx_name_append(joined, path);
	if (name->Length > 0)
		rx_name_append(joined, &separator);
	rx_name_append(joined, name);
	return STATUS_SUCCESS;
}

static NTSTATUS rx_name_build_related(PFILE_OBJECT file, USHORT *flags, PUNICODE_STRING name)
{
	PCUNICODE_STRING root = &rx_name_none, path = &rx_name_none;
	UNICODE_STRING joined;
	NTSTATUS status;

	/* a name relative to an open file does not begin at the root */
	if (file->FileName.Length > 0 && file->FileName.Buffer[0] == u'\\')
		return STATUS_INVALID_PARAMETER;
	status = rx_name_of_related(file->RelatedFileObject, &root, &path);
	if (NT_SUCCESS(status))
		status = rx_name_join(root, path, &file->FileName, &joined);
	if (!NT_SUCCESS(status))
		return status;
	status = rx_canonical_name(&joined, flags, name);
	ExFreePoolWithTag(joined.Buffer, RX_NAME_TAG);
	return status;
}

/* Takes the last component away; false when server and share are all there is. */
static bool rx_name_to_parent(PUNICODE_STRING name)
{
	size_t chars = name->Length / sizeof(WCHAR), i, components = 0;

	for (i = 0; i < chars; i++)
		components += name->Buffer[i] == u'\\';
	if (chars > 1 && name->Buffer[1] == u';')
		components--;
	if (components <= 2)
		return false;
	while (chars > 0 && name->Buffer[--chars] != u'\\')
		;
	name->Length = (USHORT)(chars * sizeof(WCHAR));
	return true;
}

void rx_create_free_name(PRX_CONTEXT rxc)
{
	if (rxc->AlsoCanonicalNameBuffer != NULL)
		ExFreePool(rxc->AlsoCanonicalNameBuffer);
	rxc->AlsoCanonicalNameBuffer = NULL;
	rxc->Create.CanonicalNameBuffer = NULL;
}

NTSTATUS rx_create_build_name(PRX_CONTEXT rxc, PFILE_OBJECT file, bool target_directory, PUNICODE_STRING name)
{
	USHORT flags = 0;
	NTSTATUS status;

	if (file->FileName.Length % sizeof(WCHAR) != 0)
		return STATUS_OBJECT_NAME_INVALID;
	if (file->RelatedFileObject != NULL)
		status = rx_name_build_related(file, &flags, name);
	else
		status = rx_canonical_name(&file->FileName, &flags, name);
	if (!NT_SUCCESS(status))
		return status;

	rxc->AlsoCanonicalNameBuffer = name->Buffer;
	rxc->Create.CanonicalNameBuffer = name->Buffer;
	rxc->Create.Flags |= flags;
	/* `dir\` can only be a directory */
	if ((flags & RX_CONTEXT_CREATE_FLAG_STRIPPED_TRAILING_BACKSLASH) != 0 &&
	    (rxc->Create.NtCreateParameters.CreateOptions & FILE_NON_DIRECTORY_FILE) != 0)
		return STATUS_OBJECT_NAME_INVALID;
	if (target_directory && !rx_name_to_parent(name))
		return STATUS_OBJECT_NAME_INVALID;
	return STATUS_SUCCESS;
}

NTSTATUS rx_open_prefixed_name(PV_NET_ROOT vnr, PUNICODE_STRING path, PUNICODE_STRING full)
{
	*full = *path;
	if (vnr->NamePrefix.Length == 0)
		return STATUS_SUCCESS;
	return rx_name_join(&rx_name_none, &vnr->NamePrefix, path, full);
}
