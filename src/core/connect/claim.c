/*
 * claim.c - is this path ours? What the multiple UNC provider asks before it sends opens to a redirector.
 *
 * Owns:   the canonical name for the length of the call; the view found, which is let go before it returns: an
 *         open that follows finds it again, and if none does the scavenger ends it.
 * Locks:  none held on entry; connecting takes the name table.
 *
 * The request is not to be changed, and its buffers are different ones (Vista and later): the answer is one
 * number, written only when the path is claimed.
 */
#include "core/connect/internal.h"

#include "core/dispatch/create.h"
#include "core/name/name.h"
#include "core/object/object.h"

/* The two forms of the question, as one. */
struct rx_claim {
	UNICODE_STRING path;
	PIO_SECURITY_CONTEXT security;
	PVOID ea;
	ULONG ea_length;
};

static NTSTATUS rx_claim_read(PIRP irp, PIO_STACK_LOCATION sp, struct rx_claim *claim)
{
	ULONG length = sp->Parameters.DeviceIoControl.InputBufferLength;
	PVOID input = sp->Parameters.DeviceIoControl.Type3InputBuffer;

	if (irp->RequestorMode != KernelMode)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (input == NULL || irp->UserBuffer == NULL ||
	    sp->Parameters.DeviceIoControl.OutputBufferLength < sizeof(QUERY_PATH_RESPONSE))
		return STATUS_INVALID_PARAMETER;
	RtlZeroMemory(claim, sizeof(*claim));

	if (sp->Parameters.DeviceIoControl.IoControlCode == IOCTL_REDIR_QUERY_PATH_EX) {
		PQUERY_PATH_REQUEST_EX request = input;

		if (length < RTL_SIZEOF_THROUGH_FIELD(QUERY_PATH_REQUEST_EX, PathName))
			return STATUS_INVALID_PARAMETER;
		claim->path = request->PathName;
		claim->security = request->pSecurityContext;
		claim->ea = request->pEaBuffer;
		claim->ea_length = request->pEaBuffer != NULL ? request->EaLength : 0;
	} else {
		PQUERY_PATH_REQUEST request = input;
		ULONG head = FIELD_OFFSET(QUERY_PATH_REQUEST, FilePathName);

		if (length < head || request->PathNameLength > length - head ||
		    request->PathNameLength > MAXUSHORT)
			return STATUS_INVALID_PARAMETER;
		claim->path.Buffer = request->FilePathName;
		claim->path.Length = claim->path.MaximumLength = (USHORT)request->PathNameLength;
		claim->security = request->SecurityContext;
	}
	if (claim->security == NULL)
		return STATUS_INVALID_PARAMETER;
	return STATUS_SUCCESS;
}

/* Bytes of the path as it was given, up to the end of its second component: server and share. */
static ULONG rx_claim_length(PCUNICODE_STRING path)
{
	USHORT count = path->Length / sizeof(WCHAR), at = 0;

	for (int component = 0; component < 2; component++) {
		while (at < count && path->Buffer[at] == u'\\')
			at++;
		while (at < count && path->Buffer[at] != u'\\')
			at++;
	}
	return at * (ULONG)sizeof(WCHAR);
}

/* The context looks like a tree connection's create while the mini-redirector is asked. */
static void rx_claim_dress_context(PRX_CONTEXT rxc, const struct rx_claim *claim)
{
	rxc->MajorFunction = IRP_MJ_CREATE;
	rxc->PrefixClaim.SuppliedPathName = claim->path;
	RtlZeroMemory(&rxc->Create, sizeof(rxc->Create));
	rxc->Create.NtCreateParameters.SecurityContext = claim->security;
	rxc->Create.NtCreateParameters.DesiredAccess = claim->security->DesiredAccess;
	rxc->Create.NtCreateParameters.CreateOptions = FILE_CREATE_TREE_CONNECTION;
	rxc->Create.NtCreateParameters.Disposition = FILE_OPEN;
	rxc->Create.EaBuffer = claim->ea;
	rxc->Create.EaLength = claim->ea_length;
	rxc->Create.Flags = RX_CONTEXT_CREATE_FLAG_UNC_NAME;
	rxc->Create.ThisIsATreeConnectOpen = TRUE;
	rxc->Create.ThisIsAPrefixClaim = TRUE;
}

/**
 * RxPrefixClaim - answer IOCTL_REDIR_QUERY_PATH and IOCTL_REDIR_QUERY_PATH_EX
 * @RxContext: [in,out] a device control of the redirector's device
 *
 * The path is claimed when its server and share can be connected to.
 *
 * Context: PASSIVE_LEVEL; blocks as long as the mini-redirector takes.
 * Return:  STATUS_SUCCESS, LengthAccepted is set, in bytes; STATUS_INVALID_DEVICE_REQUEST for a sender that is not
 *          the system; STATUS_INVALID_PARAMETER; why the connection failed.
 * Page:    support for UNC naming and MUP.
 */
NTSTATUS RxPrefixClaim(PRX_CONTEXT RxContext)
{
	PIRP irp = RxContext->CurrentIrp;
	UCHAR major = RxContext->MajorFunction;
	UNICODE_STRING name, rest;
	struct rx_claim claim;
	NTSTATUS status;
	USHORT flags;

	status = rx_claim_read(irp, RxContext->CurrentIrpSp, &claim);
	if (!NT_SUCCESS(status))
		return status;
	status = rx_canonical_name(&claim.path, &flags, &name);
	if (!NT_SUCCESS(status))
		return status;

	rx_claim_dress_context(RxContext, &claim);
	status = rx_create_parse_credentials(
		RxContext); /* of the open that will follow: the view is found by them */
	if (NT_SUCCESS(status))
		status = RxFindOrConstructVirtualNetRoot(RxContext, irp, &name, NET_ROOT_WILD, &rest);
	if (NT_SUCCESS(status)) {
		((PQUERY_PATH_RESPONSE)irp->UserBuffer)->LengthAccepted = rx_claim_length(&claim.path);
		irp->IoStatus.Information = sizeof(QUERY_PATH_RESPONSE);
		RxDereferenceVNetRoot((PV_NET_ROOT)RxContext->Create.pVNetRoot, LHS_LockNotHeld);
	}
	RxContext->Create.EaBuffer = NULL; /* the asker's, who wipes it himself */
	rx_create_forget_credentials(RxContext);
	RtlZeroMemory(&RxContext->Create, sizeof(RxContext->Create));
	RxContext->MajorFunction = major;
	ExFreePool(name.Buffer);
	return status;
}
