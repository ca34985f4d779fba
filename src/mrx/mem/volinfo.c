/*
 * volinfo.c - what a memory volume says of itself, and the opaque blocks a file carries: EAs and security.
 */
#include "mem.h"

#define UNIT_BYTES 4096u

static NTSTATUS put(PRX_CONTEXT RxContext, const void *bytes, ULONG fixed, const UNICODE_STRING *tail)
{
	ULONG space = (ULONG)RxContext->Info.LengthRemaining;
	ULONG tail_bytes = tail == NULL ? 0 : tail->Length;
	NTSTATUS status = STATUS_SUCCESS;

	if (space < fixed)
		return STATUS_BUFFER_TOO_SMALL;
	RtlCopyMemory(RxContext->Info.Buffer, bytes, fixed);
	if (tail_bytes > space - fixed) {
		tail_bytes = (space - fixed) & ~1u;
		status = STATUS_BUFFER_OVERFLOW;
	}
	if (tail_bytes > 0)
		RtlCopyMemory((uint8_t *)RxContext->Info.Buffer + fixed, tail->Buffer, tail_bytes);
	RxContext->Info.LengthRemaining = (LONG)(space - fixed - tail_bytes);
	return status;
}

static NTSTATUS volume_label(PRX_CONTEXT RxContext, struct mem_volume *volume)
{
	UNICODE_STRING label = volume->name;
	FILE_FS_VOLUME_INFORMATION info;
	USHORT i;

	for (i = 0; i < label.Length / sizeof(WCHAR); i++) /* the last component of the share's name */
		if (volume->name.Buffer[i] == '\\') {
			label.Buffer = volume->name.Buffer + i + 1;
			label.Length = (USHORT)(volume->name.Length - (i + 1) * sizeof(WCHAR));
		}
	RtlZeroMemory(&info, sizeof(info));
	info.VolumeCreationTime = volume->root->creation_time;
	info.VolumeSerialNumber = volume->serial;
	info.VolumeLabelLength = label.Length;
	return put(RxContext, &info, FIELD_OFFSET(FILE_FS_VOLUME_INFORMATION, VolumeLabel), &label);
}

static NTSTATUS volume_attributes(PRX_CONTEXT RxContext, struct mem_volume *volume)
{
	UNICODE_STRING name = NT_STR(u"MEM");
	FILE_FS_ATTRIBUTE_INFORMATION info;

	RtlZeroMemory(&info, sizeof(info));
	info.FileSystemAttributes = FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK |
				    FILE_SUPPORTS_SPARSE_FILES | FILE_SUPPORTS_REPARSE_POINTS |
				    FILE_SUPPORTS_HARD_LINKS | FILE_SUPPORTS_EXTENDED_ATTRIBUTES |
				    FILE_SUPPORTS_POSIX_UNLINK_RENAME;
	if (!volume->case_insensitive)
		info.FileSystemAttributes |= FILE_CASE_SENSITIVE_SEARCH;
	info.MaximumComponentNameLength = 255;
	info.FileSystemNameLength = name.Length;
	return put(RxContext, &info, FIELD_OFFSET(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName), &name);
}

NTSTATUS mrx_mem_query_volume_info(PRX_CONTEXT RxContext)
{
	struct mem_volume *volume = RxContext->pFcb->pNetRoot->Context;
	LONGLONG total = volume->capacity / UNIT_BYTES;
	LONGLONG used = InterlockedCompareExchange64(&volume->used, 0, 0) / UNIT_BYTES; /* others write */
	LONGLONG available = used < total ? total - used : 0;
	FILE_FS_SIZE_INFORMATION size;
	FILE_FS_FULL_SIZE_INFORMATION full;
	FILE_FS_DEVICE_INFORMATION device;

	switch ((int)RxContext->Info.FsInformationClass) {
	case FileFsVolumeInformation:
		return volume_label(RxContext, volume);
	case FileFsAttributeInformation:
		return volume_attributes(RxContext, volume);
	case FileFsSizeInformation:
		RtlZeroMemory(&size, sizeof(size));
		size.TotalAllocationUnits.QuadPart = total;
		size.AvailableAllocationUnits.QuadPart = available;
		size.SectorsPerAllocationUnit = UNIT_BYTES / 512;
		size.BytesPerSector = 512;
		return put(RxContext, &size, sizeof(size), NULL);
	case FileFsFullSizeInformation:
		RtlZeroMemory(&full, sizeof(full));
		full.TotalAllocationUnits.QuadPart = total;
		full.CallerAvailableAllocationUnits.QuadPart = available;
		full.ActualAvailableAllocationUnits.QuadPart = available;
		full.SectorsPerAllocationUnit = UNIT_BYTES / 512;
		full.BytesPerSector = 512;
		return put(RxContext, &full, sizeof(full), NULL);
	case FileFsDeviceInformation:
		device.DeviceType = FILE_DEVICE_DISK;
		device.Characteristics = FILE_REMOTE_DEVICE;
		return put(RxContext, &device, sizeof(device), NULL);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

/*
 * Extended attributes are kept as the list they came in; a set merges name by name.  Names compare without case,
 * an empty value removes, as NTFS has it.
 */
static bool ea_next(const uint8_t **at, const uint8_t *end, const FILE_FULL_EA_INFORMATION **ea)
{
	const FILE_FULL_EA_INFORMATION *here = (const void *)*at;
	size_t space = (size_t)(end - *at), need;

	if (*at == NULL || space < FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName))
		return false;
	need = FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName) + here->EaNameLength + 1u + here->EaValueLength;
	if (need > space || here->NextEntryOffset > space)
		return false;
	*ea = here;
	*at = here->NextEntryOffset == 0 ? end : *at + here->NextEntryOffset;
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool same_name(const FILE_FULL_EA_INFORMATION *a, const char *name, UCHAR length)
{
	UCHAR i;

	if (a->EaNameLength != length)
		return false;
	for (i = 0; i < length; i++)
		if (lower(a->EaName[i]) != lower(name[i]))
			return false;
	return true;
}

static ULONG ea_size(const FILE_FULL_EA_INFORMATION *ea)
{
	return (FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName) + ea->EaNameLength + 1u + ea->EaValueLength +
		3u) &
	       ~3u;
}

struct ea_writer {
	uint8_t *base;
	ULONG used;
	ULONG capacity;
	FILE_FULL_EA_INFORMATION *last;
};

static bool ea_append(struct ea_writer *writer, const FILE_FULL_EA_INFORMATION *ea)
{
	ULONG need = ea_size(ea);
	FILE_FULL_EA_INFORMATION *to = (void *)(writer->base + writer->used);

	if (writer->capacity - writer->used < need)
		return false;
	RtlZeroMemory(to, need);
	RtlCopyMemory(to, ea,
		      FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName) + ea->EaNameLength + 1u +
			      ea->EaValueLength);
	to->NextEntryOffset = 0;
	if (writer->last != NULL)
		writer->last->NextEntryOffset = (ULONG)((uint8_t *)to - (uint8_t *)writer->last);
	writer->last = to;
	writer->used += need;
	return true;
}

NTSTATUS mrx_mem_query_ea_info(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = mem_handle_of(RxContext->pFobx->pSrvOpen);
	struct ea_writer writer = {RxContext->Info.Buffer, 0, (ULONG)RxContext->Info.LengthRemaining, NULL};
	const FILE_FULL_EA_INFORMATION *ea;
	const uint8_t *at, *end;
	ULONG index = 0, first = RxContext->pFobx->OffsetOfNextEaToReturn;
	NTSTATUS status = STATUS_SUCCESS;

	if (handle == NULL)
		return STATUS_FILE_CLOSED;
	if (RxContext->QueryEa.RestartScan || first == 0)
		first = 1;
	if (RxContext->QueryEa.IndexSpecified)
		first = RxContext->QueryEa.UserEaIndex;
	ExAcquireFastMutex(&handle->volume->mutex);
	at = handle->node->ea.bytes;
	end = at == NULL ? NULL : at + handle->node->ea.length;
	while (ea_next(&at, end, &ea)) {
		if (++index < first)
			continue;
		if (!ea_append(&writer, ea)) {
			status = writer.used == 0 ? STATUS_BUFFER_TOO_SMALL : STATUS_BUFFER_OVERFLOW;
			break;
		}
		first = index + 1;
		if (RxContext->QueryEa.ReturnSingleEntry)
			break;
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	if (writer.used == 0 && NT_SUCCESS(status))
		status = index == 0 ? STATUS_NO_EAS_ON_FILE : STATUS_NO_MORE_EAS;
	RxContext->pFobx->OffsetOfNextEaToReturn = first;
	RxContext->Info.LengthRemaining -= (LONG)writer.used;
	return status;
}

static bool set_mentions(const uint8_t *at, const uint8_t *end, const FILE_FULL_EA_INFORMATION *old)
{
	const FILE_FULL_EA_INFORMATION *ea;

	while (ea_next(&at, end, &ea))
		if (same_name(old, ea->EaName, ea->EaNameLength))
			return true;
	return false;
}

static NTSTATUS merge_eas_locked(struct mem_node *node, const uint8_t *set, ULONG length)
{
	struct ea_writer writer = {NULL, 0, node->ea.length + length + 64, NULL};
	const uint8_t *end = set + length, *at;
	const FILE_FULL_EA_INFORMATION *ea;
	NTSTATUS status;

	if (writer.capacity > 64 * 1024)
		return STATUS_EA_TOO_LARGE;
	writer.base = ExAllocatePoolWithTag(PagedPool, writer.capacity, MEM_TAG_BLOB);
	if (writer.base == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	at = node->ea.bytes;
	while (ea_next(&at, at == NULL ? NULL : (const uint8_t *)node->ea.bytes + node->ea.length, &ea))
		if (!set_mentions(set, end, ea))
			(void)ea_append(&writer, ea); /* capacity covers old and new together */
	for (at = set; ea_next(&at, end, &ea);)
		if (ea->EaValueLength > 0)
			(void)ea_append(&writer, ea);
	status = mem_blob_set(&node->ea, writer.base, writer.used);
	ExFreePoolWithTag(writer.base, MEM_TAG_BLOB);
	mem_node_touch_locked(node, MEM_TOUCH_CHANGE);
	return status;
}

NTSTATUS mrx_mem_set_ea_info(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = mem_handle_of(RxContext->pFobx->pSrvOpen);
	NTSTATUS status;

	if (handle == NULL)
		return STATUS_FILE_CLOSED;
	ExAcquireFastMutex(&handle->volume->mutex);
	status = merge_eas_locked(handle->node, RxContext->Info.Buffer, (ULONG)RxContext->Info.Length);
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}

/* The descriptor is kept as it was set, self-relative; a file that was never given one has none to show. */
NTSTATUS mrx_mem_query_sd_info(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = mem_handle_of(RxContext->pFobx->pSrvOpen);
	NTSTATUS status = STATUS_SUCCESS;

	if (handle == NULL)
		return STATUS_FILE_CLOSED;
	ExAcquireFastMutex(&handle->volume->mutex);
	RxContext->InformationToReturn = handle->node->sd.length;
	if (handle->node->sd.length == 0)
		status = STATUS_NOT_SUPPORTED;
	else if (handle->node->sd.length > (ULONG)RxContext->Info.LengthRemaining)
		status = STATUS_BUFFER_OVERFLOW;
	else
		RtlCopyMemory(RxContext->Info.Buffer, handle->node->sd.bytes, handle->node->sd.length);
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}

NTSTATUS mrx_mem_set_sd_info(PRX_CONTEXT RxContext)
{
	struct mem_handle *handle = mem_handle_of(RxContext->pFobx->pSrvOpen);
	PSECURITY_DESCRIPTOR sd = RxContext->SetSecurity.SecurityDescriptor;
	NTSTATUS status;

	if (handle == NULL)
		return STATUS_FILE_CLOSED;
	if (sd == NULL || !RtlValidSecurityDescriptor(sd))
		return STATUS_INVALID_SECURITY_DESCR;
	ExAcquireFastMutex(&handle->volume->mutex);
	status = mem_blob_set(&handle->node->sd, sd, RtlLengthSecurityDescriptor(sd));
	mem_node_touch_locked(handle->node, MEM_TOUCH_CHANGE);
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}
