/*
 * create.c - IRP_MJ_CREATE: from a name to an open file object.
 *
 * Owns:   the request's name, credentials and its reference on the V_NET_ROOT (Create.pVNetRoot), all given
 *         back before the request ends, whatever its outcome.
 * Locks:  none held across connecting; open.c takes the FCB table and the FCB.
 *
 *   empty name            the redirector's device          devctl.c
 *   `\server\share`, tree  find or build the connection     devctl.c, keeps the V_NET_ROOT
 *   connection option
 *   `\server\share\path`   the same, then the file          open.c
 */
#include "core/dispatch/create.h"

#include "core/context/context.h"
#include "core/minirdr/calldown.h"

/* `\` or nothing: the root of the share. The FCB's name is `\` then. */
static void rx_create_root_name(PRX_CONTEXT rxc, PUNICODE_STRING remaining)
{
	static WCHAR backslash[] = u"\\";

	if (remaining->Length != 0)
		return;
	rxc->Create.Flags |= RX_CONTEXT_CREATE_FLAG_ADDEDBACKSLASH;
	remaining->Buffer = backslash;
	remaining->Length = sizeof(WCHAR);
	remaining->MaximumLength = sizeof(WCHAR);
}

static NTSTATUS rx_create_named(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING name, bool target_directory)
{
	UNICODE_STRING remaining;
	NTSTATUS status;

	status = RxFindOrConstructVirtualNetRoot(rxc, irp, name, NET_ROOT_WILD, &remaining);
	if (!NT_SUCCESS(status) || status == STATUS_PENDING)
		return status == STATUS_PENDING ? STATUS_UNSUCCESSFUL : status;
	if (rx_context_is_cancelled(rxc))
		return STATUS_CANCELLED;

	if (rxc->Create.ThisIsATreeConnectOpen)
		return rx_tree_connection_open(rxc, irp, &remaining);

	(void)rx_call_preparse_name(rxc, &remaining); /* a look only: the page says its status is ignored */
	rx_create_root_name(rxc, &remaining);
	if (target_directory)
		return rx_open_target_directory(rxc, irp, &remaining);
	return rx_open_file(rxc, irp, &remaining);
}

NTSTATUS NTAPI rx_common_create(PRX_CONTEXT rxc, PIRP irp)
{
	PFILE_OBJECT file = rxc->CurrentIrpSp->FileObject;
	bool target_directory = (rxc->CurrentIrpSp->Flags & SL_OPEN_TARGET_DIRECTORY) != 0;
	UNICODE_STRING name;
	NTSTATUS status;

	if (file == NULL)
		return STATUS_INVALID_PARAMETER;
	if (file->FileName.Length == 0 && file->RelatedFileObject == NULL)
		return rx_device_open(rxc, irp);

	status = rx_create_take_parameters(rxc, irp);
	if (NT_SUCCESS(status))
		status = rx_create_build_name(rxc, file, target_directory, &name);
	if (NT_SUCCESS(status) && rxc->Create.ThisIsATreeConnectOpen)
		status = rx_create_parse_credentials(rxc);
	if (NT_SUCCESS(status))
		status = rx_create_named(rxc, irp, &name, target_directory);

	if (rxc->Create.pVNetRoot != NULL)
		RxDereferenceVNetRoot(rxc->Create.pVNetRoot, LHS_LockNotHeld);
	rxc->Create.pVNetRoot = NULL;
	rx_create_forget_credentials(rxc);
	rx_create_free_name(rxc);
	return status;
}
