/*
 * fsctl.c - file system controls and change notification: asked of the server as they are.
 *
 * The buffers of the controls that cross the wire have one layout in NT and in MS-FSCC.
 */
#include "mrx/smb/smb.h"

static void smb_finish_error(PRX_CONTEXT RxContext, NTSTATUS status)
{
	RxContext->StoredStatus = status;
	RxContext->InformationToReturn = 0;
}

/* ---- controls ---------------------------------------------------------------------------------------- */

static void smb_fsctl_finish(PRX_CONTEXT RxContext, struct smb_exchange *x)
{
	XXCTL_LOWIO_COMPONENT *fsctl = &RxContext->LowIoContext.ParamsFor.FsCtl;
	NTSTATUS status = x->status != STATUS_SUCCESS ? x->status : x->part[0].status;
	struct smb2_ioctl_response rsp;

	/* a copy that went too far answers with the limits of the server beside its error */
	if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW) {
		smb_finish_error(RxContext, status);
		return;
	}
	if (!smb2_ioctl_response_decode(&x->part[0].pdu, &rsp) ||
	    rsp.output.len > fsctl->OutputBufferLength) {
		smb_finish_error(RxContext, STATUS_INVALID_NETWORK_RESPONSE);
		return;
	}
	if (rsp.output.len != 0)
		RtlCopyMemory(fsctl->pOutputBuffer, rsp.output.p, rsp.output.len);
	RxContext->StoredStatus = status;
	RxContext->InformationToReturn = rsp.output.len;
}

static struct smb_exchange *smb_fsctl_exchange(struct smb_open *open, const XXCTL_LOWIO_COMPONENT *fsctl,
					       uint32_t room)
{
	struct smb2_ioctl_request req = {
		.ctl_code = fsctl->FsControlCode,
		.file_id = open->id,
		.input = {fsctl->pInputBuffer, fsctl->pInputBuffer == NULL ? 0 : fsctl->InputBufferLength},
		.max_output_response = room,
		.flags = SMB2_0_IOCTL_IS_FSCTL,
	};
	size_t payload = req.input.len > room ? req.input.len : room;
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb_part *part =
		x == NULL ? NULL
			  : smb_exchange_add(x, SMB2_IOCTL, SMB2_HDR_SIZE + 64 + req.input.len, payload);

	if (part == NULL) {
		smb_exchange_put(x);
		return NULL;
	}
	part->len = smb2_ioctl_request_encode(part->bytes, part->cap, &req);
	return x;
}

NTSTATUS mrx_smb_fsctl(PRX_CONTEXT RxContext)
{
	XXCTL_LOWIO_COMPONENT *fsctl = &RxContext->LowIoContext.ParamsFor.FsCtl;
	struct smb_open *open = smb_open_of_request(RxContext);
	struct smb_exchange *x;
	uint32_t most, room;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (fsctl->FsControlCode == FSCTL_VALIDATE_NEGOTIATE_INFO)
		return STATUS_INVALID_DEVICE_REQUEST; /* a matter between the transport and the server */
	most = open->tree->session->conn->neg.max_transact;
	room = fsctl->pOutputBuffer == NULL ? 0 : fsctl->OutputBufferLength;
	if (fsctl->InputBufferLength > most)
		return STATUS_INVALID_PARAMETER;
	x = smb_fsctl_exchange(open, fsctl, room < most ? room : most);
	if (x == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	return smb_pend(RxContext, x, smb_fsctl_finish);
}

/* ---- change notification ----------------------------------------------------------------------------- */

/* Nothing is handed on that is not a well-formed list. */
static bool smb_notify_is_sound(struct wire_slice list)
{
	struct fscc_notify entry;
	size_t offset = 0;
	int more;

	do
		more = fscc_notify_next(list, &offset, &entry);
	while (more == 1);
	return more == 0;
}

static void smb_notify_finish(PRX_CONTEXT RxContext, struct smb_exchange *x)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	NTSTATUS status = x->status != STATUS_SUCCESS ? x->status : x->part[0].status;
	struct wire_slice output;

	if (status != STATUS_SUCCESS) {
		smb_finish_error(RxContext,
				 status); /* STATUS_NOTIFY_ENUM_DIR among them: look for yourself */
		return;
	}
	if (!smb2_output_response_decode(&x->part[0].pdu, &output) ||
	    output.len > low->ParamsFor.NotifyChangeDirectory.NotificationBufferLength ||
	    !smb_notify_is_sound(output)) {
		smb_finish_error(RxContext, STATUS_INVALID_NETWORK_RESPONSE);
		return;
	}
	if (output.len != 0)
		RtlCopyMemory(low->ParamsFor.NotifyChangeDirectory.pNotificationBuffer, output.p, output.len);
	RxContext->StoredStatus = STATUS_SUCCESS;
	RxContext->InformationToReturn = output.len;
}

NTSTATUS mrx_smb_notify(PRX_CONTEXT RxContext)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	struct smb_open *open = smb_open_of_request(RxContext);
	struct smb2_notify_request req = {
		.flags = low->ParamsFor.NotifyChangeDirectory.WatchTree ? SMB2_WATCH_TREE : 0,
		.completion_filter = low->ParamsFor.NotifyChangeDirectory.CompletionFilter,
	};
	struct smb_exchange *x;
	struct smb_part *part;
	uint32_t most;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	most = open->tree->session->conn->neg.max_transact;
	req.file_id = open->id;
	req.output_length = low->ParamsFor.NotifyChangeDirectory.NotificationBufferLength;
	if (low->ParamsFor.NotifyChangeDirectory.pNotificationBuffer == NULL)
		req.output_length = 0;
	if (req.output_length > most)
		req.output_length = most;
	x = smb_tree_exchange(open->tree);
	part = x == NULL ? NULL
			 : smb_exchange_add(x, SMB2_CHANGE_NOTIFY, SMB2_HDR_SIZE + 32, req.output_length);
	if (part == NULL) {
		smb_exchange_put(x);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	part->len = smb2_notify_request_encode(part->bytes, part->cap, &req);
	x->patient = true;
	return smb_pend(RxContext, x, smb_notify_finish);
}
