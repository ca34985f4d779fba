/*
 * reparse.c - RxPrepareToReparseSymbolicLink: a create that met a symbolic link goes elsewhere.
 *
 * Owns:   the new FileName of the file object, which replaces the old one.
 */
#include "core/dispatch/dispatch.h"

#define RX_REPARSE_TAG 'pRxR'

static bool rx_reparse_only_delete(ACCESS_MASK access)
{
	return (access & ~(ACCESS_MASK)(DELETE | SYNCHRONIZE | FILE_READ_ATTRIBUTES)) == 0;
}

/* `\Device\Mup` goes before a path that is not absolute. */
static NTSTATUS rx_reparse_build_name(PCUNICODE_STRING path, bool absolute, PUNICODE_STRING name)
{
	static const WCHAR mup[] = u"\\Device\\Mup";
	const size_t prefix = absolute ? 0 : sizeof(mup) - sizeof(WCHAR);
	size_t bytes = prefix + path->Length;

	if (bytes == 0 || bytes > 0xfffe)
		return STATUS_INVALID_PARAMETER;
	name->Buffer = ExAllocatePoolWithTag(PagedPool, bytes, RX_REPARSE_TAG);
	if (name->Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlCopyMemory(name->Buffer, mup, prefix);
	RtlCopyMemory((PUCHAR)name->Buffer + prefix, path->Buffer, path->Length);
	name->Length = name->MaximumLength = (USHORT)bytes;
	return STATUS_SUCCESS;
}

/**
 * RxPrepareToReparseSymbolicLink - make the file object's name lead where a link points
 * @RxContext:                     [in] the create, in MRxCreate
 * @SymbolicLinkEmbeddedInOldPath: [in] FALSE: the link is the last component
 * @NewPath:                       [in] where it leads; copied
 * @NewPathIsAbsolute:             [in] FALSE: `\Device\Mup` is put in front
 * @ReparseRequired:               [out] TRUE: MRxCreate must answer STATUS_REPARSE. FALSE: it goes on with the
 *                                 link itself
 *
 * A create that wants to delete gets the link itself, if that is all it wants.
 *
 * Return: STATUS_SUCCESS; STATUS_ACCESS_DENIED: delete and more is wanted of a link; STATUS_INVALID_PARAMETER:
 *         not a create; STATUS_INSUFFICIENT_RESOURCES.
 * Page:   rxprocs/RxPrepareToReparseSymbolicLink.
 */
NTSTATUS RxPrepareToReparseSymbolicLink(PRX_CONTEXT RxContext, BOOLEAN SymbolicLinkEmbeddedInOldPath,
					PUNICODE_STRING NewPath, BOOLEAN NewPathIsAbsolute,
					PBOOLEAN ReparseRequired)
{
	ACCESS_MASK access = RxContext->Create.NtCreateParameters.DesiredAccess;
	PFILE_OBJECT file;
	UNICODE_STRING name;
	NTSTATUS status;

	*ReparseRequired = FALSE;
	if (RxContext->MajorFunction != IRP_MJ_CREATE)
		return STATUS_INVALID_PARAMETER;
	if (!SymbolicLinkEmbeddedInOldPath && (access & DELETE) != 0)
		return rx_reparse_only_delete(access) ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;

	status = rx_reparse_build_name(NewPath, NewPathIsAbsolute, &name);
	if (!NT_SUCCESS(status))
		return status;
	file = RxContext->CurrentIrpSp->FileObject;
	if (file->FileName.Buffer != NULL)
		ExFreePool(file->FileName.Buffer);
	file->FileName = name;
	RxContext->Create.Flags |= RX_CONTEXT_CREATE_FLAG_REPARSE;
	*ReparseRequired = TRUE;
	return STATUS_SUCCESS;
}

/* RxIsThisACscAgentOpen - there is no client-side cache agent here: no open is its. */
BOOLEAN RxIsThisACscAgentOpen(PRX_CONTEXT RxContext)
{
	(void)RxContext;
	return FALSE;
}
