/*
 * volinfo.c - what a share says of itself, and the opaque blocks a file carries: EAs and security.
 */
#include "mrx/smb/smb.h"

static NTSTATUS smb_put_block(PRX_CONTEXT RxContext, struct wire_slice block)
{
	if (block.len > (size_t)RxContext->Info.LengthRemaining)
		return STATUS_BUFFER_OVERFLOW;
	if (block.len != 0)
		RtlCopyMemory(RxContext->Info.Buffer, block.p, block.len);
	RxContext->Info.LengthRemaining -= (LONG)block.len;
	return STATUS_SUCCESS;
}

/* ---- the volume -------------------------------------------------------------------------------------- */

/* The least that an answer of the class must have; 0: a class that is not asked for. */
static size_t smb_fs_size(FS_INFORMATION_CLASS class)
{
	switch ((int)class) {
	case FileFsVolumeInformation:
		return FIELD_OFFSET(FILE_FS_VOLUME_INFORMATION, VolumeLabel);
	case FileFsSizeInformation:
		return sizeof(FILE_FS_SIZE_INFORMATION);
	case FileFsDeviceInformation:
		return sizeof(FILE_FS_DEVICE_INFORMATION);
	case FileFsAttributeInformation:
		return FIELD_OFFSET(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName);
	case FileFsFullSizeInformation:
		return sizeof(FILE_FS_FULL_SIZE_INFORMATION);
	case FileFsObjectIdInformation:
		return sizeof(FILE_FS_OBJECTID_INFORMATION);
	case FileFsSectorSizeInformation:
		return 28;
	default:
		return 0;
	}
}

/* The name at the end lies within the answer, also when it has been cut. */
static bool smb_fs_is_sound(FS_INFORMATION_CLASS class, struct wire_slice block)
{
	struct fscc_fs_volume volume;
	struct fscc_fs_attribute attribute;

	switch ((int)class) {
	case FileFsVolumeInformation:
		return fscc_fs_volume_decode(block, &volume);
	case FileFsAttributeInformation:
		return fscc_fs_attribute_decode(block, &attribute);
	default:
		return true;
	}
}

NTSTATUS mrx_smb_query_volume_info(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	FS_INFORMATION_CLASS class = RxContext->Info.FsInformationClass;
	size_t least = smb_fs_size(class);
	struct smb_query query = {
		.type = SMB2_0_INFO_FILESYSTEM,
		.info_class = (uint8_t) class,
		.room = (uint32_t)RxContext->Info.LengthRemaining,
	};
	struct smb_exchange *x;
	struct wire_slice output;
	NTSTATUS status, put;

	if (least == 0)
		return STATUS_INVALID_INFO_CLASS;
	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (query.room < least)
		return STATUS_BUFFER_TOO_SMALL;
	status = smb_query_info(RxContext, open, &query, &x, &output);
	if (status == STATUS_SUCCESS || status == STATUS_BUFFER_OVERFLOW) {
		if (output.len < least || !smb_fs_is_sound(class, output)) {
			status = STATUS_INVALID_NETWORK_RESPONSE;
		} else {
			put = smb_put_block(RxContext, output);
			status = put == STATUS_SUCCESS ? status : put;
		}
	}
	smb_exchange_put(x);
	return status;
}

/* ---- extended attributes ----------------------------------------------------------------------------- */

static bool smb_eas_are_sound(struct wire_slice list)
{
	struct fscc_ea entry;
	size_t offset = 0;
	int more;

	do
		more = list.len == 0 ? 0 : fscc_ea_next(list, &offset, &entry);
	while (more == 1);
	return more == 0;
}

NTSTATUS mrx_smb_query_ea_info(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	uint32_t room = (uint32_t)RxContext->Info.LengthRemaining;
	struct smb_query query = {
		.type = SMB2_0_INFO_FILE,
		.info_class = FSCC_FILE_FULL_EA,
		.room = room < 65536 ? room : 65536,
		.additional = RxContext->QueryEa.IndexSpecified ? RxContext->QueryEa.UserEaIndex : 0,
		.flags = (RxContext->QueryEa.RestartScan ? SL_WIRE_RESTART_SCAN : 0) |
			 (RxContext->QueryEa.ReturnSingleEntry ? SL_WIRE_RETURN_SINGLE_ENTRY : 0) |
			 (RxContext->QueryEa.IndexSpecified ? SL_WIRE_INDEX_SPECIFIED : 0),
		.input = {RxContext->QueryEa.UserEaList,
			  RxContext->QueryEa.UserEaList == NULL ? 0 : RxContext->QueryEa.UserEaListLength},
	};
	struct smb_exchange *x;
	struct wire_slice output;
	NTSTATUS status;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	status = smb_query_info(RxContext, open, &query, &x, &output);
	if (status == STATUS_SUCCESS || status == STATUS_BUFFER_OVERFLOW) {
		if (!smb_eas_are_sound(output))
			status = STATUS_INVALID_NETWORK_RESPONSE;
		else if (smb_put_block(RxContext, output) != STATUS_SUCCESS)
			status = STATUS_BUFFER_OVERFLOW;
	}
	smb_exchange_put(x);
	return status;
}

NTSTATUS mrx_smb_set_ea_info(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	return smb_set_info(RxContext, open, SMB2_0_INFO_FILE, FSCC_FILE_FULL_EA, 0, RxContext->Info.Buffer,
			    (size_t)RxContext->Info.Length);
}

/* ---- security ---------------------------------------------------------------------------------------- */

/* What the server says it needs, in the data of its STATUS_BUFFER_TOO_SMALL. */
static ULONG smb_needed_bytes(const struct smb_part *part)
{
	struct smb2_error_response error;
	struct smb2_error_context context;
	size_t offset = 0;

	if (!smb2_error_response_decode(&part->pdu, &error) ||
	    smb2_error_context_next(&error, &offset, &context) != 1 || context.data.len < 4)
		return 0;
	return wire_le32(context.data.p);
}

NTSTATUS mrx_smb_query_sd_info(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	struct smb_query query = {
		.type = SMB2_0_INFO_SECURITY,
		.room = (uint32_t)RxContext->Info.LengthRemaining,
		.additional = RxContext->QuerySecurity.SecurityInformation,
	};
	struct smb_exchange *x;
	struct wire_slice output;
	NTSTATUS status;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	status = smb_query_info(RxContext, open, &query, &x, &output);
	if (status == STATUS_SUCCESS) {
		RtlCopyMemory(RxContext->Info.Buffer, output.p, output.len);
		RxContext->InformationToReturn = output.len;
	} else if (status == STATUS_BUFFER_TOO_SMALL && x != NULL && x->status == STATUS_SUCCESS) {
		RxContext->InformationToReturn = smb_needed_bytes(&x->part[0]);
		if (RxContext->InformationToReturn != 0)
			status = STATUS_BUFFER_OVERFLOW;
	}
	smb_exchange_put(x);
	return status;
}

NTSTATUS mrx_smb_set_sd_info(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	PSECURITY_DESCRIPTOR sd = RxContext->SetSecurity.SecurityDescriptor;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (sd == NULL || !RtlValidSecurityDescriptor(sd))
		return STATUS_INVALID_SECURITY_DESCR;
	return smb_set_info(RxContext, open, SMB2_0_INFO_SECURITY, 0,
			    RxContext->SetSecurity.SecurityInformation, sd, RtlLengthSecurityDescriptor(sd));
}
