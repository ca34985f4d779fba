/*
 * queryinfo.c - IRP_MJ_QUERY_INFORMATION.
 *
 * Locks:  FCB shared.
 *
 * What belongs to the file object or its name (position, mode, access, alignment, name) is answered here; the
 * rest comes from the mini-redirector. FileAllInformation is put together here when the driver cannot.
 */
#include "core/dispatch/dispatch.h"

#include "core/cache/cache.h"
#include "core/minirdr/calldown.h"

/* Where the answer goes, and how much of it is left. */
struct rx_info_out {
	PUCHAR buffer;
	ULONG length;
	ULONG used;
};

static NTSTATUS rx_info_put(struct rx_info_out *out, const void *data, ULONG bytes)
{
	if (out->length - out->used < bytes)
		return STATUS_BUFFER_TOO_SMALL;
	RtlCopyMemory(out->buffer + out->used, data, bytes);
	out->used += bytes;
	return STATUS_SUCCESS;
}

static NTSTATUS rx_info_position(PRX_CONTEXT rxc, struct rx_info_out *out)
{
	FILE_POSITION_INFORMATION info = {rxc->CurrentIrpSp->FileObject->CurrentByteOffset};

	return rx_info_put(out, &info, sizeof(info));
}

static NTSTATUS rx_info_access(PRX_CONTEXT rxc, struct rx_info_out *out)
{
	FILE_ACCESS_INFORMATION info = {rxc->pRelevantSrvOpen->DesiredAccess};

	return rx_info_put(out, &info, sizeof(info));
}

static NTSTATUS rx_info_alignment(PRX_CONTEXT rxc, struct rx_info_out *out)
{
	FILE_ALIGNMENT_INFORMATION info = {0}; /* bytes are fine */

	(void)rxc;
	return rx_info_put(out, &info, sizeof(info));
}

static NTSTATUS rx_info_mode(PRX_CONTEXT rxc, struct rx_info_out *out)
{
	ULONG flags = nt_file_flags(rxc->CurrentIrpSp->FileObject);
	FILE_MODE_INFORMATION info = {0};

	if ((flags & FO_WRITE_THROUGH) != 0)
		info.Mode |= FILE_WRITE_THROUGH;
	if ((flags & FO_SEQUENTIAL_ONLY) != 0)
		info.Mode |= FILE_SEQUENTIAL_ONLY;
	if ((flags & FO_NO_INTERMEDIATE_BUFFERING) != 0)
		info.Mode |= FILE_NO_INTERMEDIATE_BUFFERING;
	if ((flags & FO_SYNCHRONOUS_IO) != 0)
		info.Mode |= (flags & FO_ALERTABLE_IO) != 0 ? FILE_SYNCHRONOUS_IO_ALERT
							    : FILE_SYNCHRONOUS_IO_NONALERT;
	if (((PFOBX)rxc->pFobx)->Flags & FOBX_FLAG_DELETE_ON_CLOSE)
		info.Mode |= FILE_DELETE_ON_CLOSE;
	return rx_info_put(out, &info, sizeof(info));
}

/* `\server\share\path`; STATUS_BUFFER_OVERFLOW with as much of it as fits. */
static NTSTATUS rx_info_name(PRX_CONTEXT rxc, struct rx_info_out *out)
{
	PCUNICODE_STRING share = rxc->pFcb->pNetRoot->pNetRootName;
	PCUNICODE_STRING path = &((PFCB)rxc->pFcb)->FcbTableEntry.Path;
	ULONG total = (ULONG)share->Length + path->Length;
	ULONG room, part;
	NTSTATUS status = rx_info_put(out, &total, sizeof(total)); /* FileNameLength */

	if (!NT_SUCCESS(status))
		return status;
	room = (out->length - out->used) & ~(ULONG)1;
	part = share->Length < room ? share->Length : room;
	(void)rx_info_put(out, share->Buffer, part); /* fits by construction */
	room -= part;
	part = path->Length < room ? path->Length : room;
	(void)rx_info_put(out, path->Buffer, part);
	return part < path->Length || room == 0 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* One class of the driver's; *used: bytes it filled. STATUS_PENDING: the request is to be posted. */
static NTSTATUS rx_info_driver(PRX_CONTEXT rxc, FILE_INFORMATION_CLASS information_class,
			       struct rx_info_out *out)
{
	ULONG room = out->length - out->used;
	NTSTATUS status;

	rxc->Info.FileInformationClass = information_class;
	rxc->Info.Buffer = out->buffer + out->used;
	rxc->Info.LengthRemaining = (LONG)room;
	rxc->InformationToReturn = 0;
	status = rx_call_query_file_info(rxc);
	if (!NT_ERROR(status) && status != STATUS_PENDING && rxc->Info.LengthRemaining >= 0 &&
	    (ULONG)rxc->Info.LengthRemaining <= room)
		out->used += room - (ULONG)rxc->Info.LengthRemaining;
	rxc->Info.Buffer = NULL;
	return status;
}

static NTSTATUS rx_info_driver_part(PRX_CONTEXT rxc, FILE_INFORMATION_CLASS information_class, ULONG bytes,
				    struct rx_info_out *out)
{
	struct rx_info_out part = {out->buffer + out->used, bytes, 0};
	NTSTATUS status;

	if (out->length - out->used < bytes)
		return STATUS_BUFFER_TOO_SMALL;
	RtlZeroMemory(part.buffer, bytes);
	status = rx_info_driver(rxc, information_class, &part);
	if (rx_is_done(status))
		out->used += bytes;
	return status;
}

/* FileAllInformation from its parts, in their order. */
static NTSTATUS rx_info_compose_all(PRX_CONTEXT rxc, struct rx_info_out *out)
{
	NTSTATUS status;

	out->used = 0;
	if (out->length < FIELD_OFFSET(FILE_ALL_INFORMATION, NameInformation.FileName))
		return STATUS_INFO_LENGTH_MISMATCH;
	status = rx_info_driver_part(rxc, FileBasicInformation, sizeof(FILE_BASIC_INFORMATION), out);
	if (rx_is_done(status))
		status = rx_info_driver_part(rxc, FileStandardInformation, sizeof(FILE_STANDARD_INFORMATION),
					     out);
	if (rx_is_done(status))
		status = rx_info_driver_part(rxc, FileInternalInformation, sizeof(FILE_INTERNAL_INFORMATION),
					     out);
	if (rx_is_done(status))
		status = rx_info_driver_part(rxc, FileEaInformation, sizeof(FILE_EA_INFORMATION), out);
	if (rx_is_done(status))
		status = rx_info_access(rxc, out);
	if (rx_is_done(status))
		status = rx_info_position(rxc, out);
	if (rx_is_done(status))
		status = rx_info_mode(rxc, out);
	if (rx_is_done(status))
		status = rx_info_alignment(rxc, out);
	if (rx_is_done(status))
		status = rx_info_name(rxc, out);
	return status;
}

static bool rx_info_is_unknown_class(NTSTATUS status)
{
	return status == STATUS_NOT_IMPLEMENTED || status == STATUS_NOT_SUPPORTED ||
	       status == STATUS_INVALID_PARAMETER || status == STATUS_INVALID_INFO_CLASS ||
	       status == STATUS_INVALID_DEVICE_REQUEST;
}

static NTSTATUS rx_info_query(PRX_CONTEXT rxc, FILE_INFORMATION_CLASS information_class,
			      struct rx_info_out *out)
{
	NTSTATUS status;

	switch ((int)information_class) {
	case FilePositionInformation:
		return rx_info_position(rxc, out);
	case FileModeInformation:
		return rx_info_mode(rxc, out);
	case FileAccessInformation:
		return rx_info_access(rxc, out);
	case FileAlignmentInformation:
		return rx_info_alignment(rxc, out);
	case FileNameInformation:
		return rx_info_name(rxc, out);
	case FileAllInformation:
		status = rx_info_driver(rxc, information_class, out);
		return rx_info_is_unknown_class(status) ? rx_info_compose_all(rxc, out) : status;
	default:
		return rx_info_driver(rxc, information_class, out);
	}
}

NTSTATUS NTAPI rx_common_query_information(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	struct rx_info_out out = {RxMapSystemBuffer(rxc, irp), sp->Parameters.QueryFile.Length, 0};
	NTSTATUS status;

	if (rxc->pFobx == NULL)
		return STATUS_INVALID_DEVICE_REQUEST;
	/* a file's information is no list: there is nothing an index could be of (page MRxQueryFileInfo) */
	if (out.buffer == NULL || out.length > INT32_MAX || (sp->Flags & SL_INDEX_SPECIFIED) != 0)
		return STATUS_INVALID_PARAMETER;
	status = rx_acquire_fcb_shared(rxc);
	if (status != STATUS_SUCCESS)
		return status;
	status = rx_check_server_open(rxc);
	/* sizes and times are those of the server: they are true once it has the data */
	if (status == STATUS_SUCCESS && rx_cache_has_data((PFCB)rxc->pFcb))
		status = rx_cache_flush((PFCB)rxc->pFcb);
	if (status == STATUS_SUCCESS)
		status = rx_info_query(rxc, sp->Parameters.QueryFile.FileInformationClass, &out);
	if (!NT_ERROR(status))
		irp->IoStatus.Information = out.used;
	else if (status == STATUS_BUFFER_TOO_SMALL)
		irp->IoStatus.Information = rxc->InformationToReturn; /* what would be needed, when known */
	return rx_release_or_post(rxc, status);
}
