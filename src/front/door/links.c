/*
 * links.c - symbolic links as reparse points.
 *
 * Written: IO_REPARSE_TAG_SYMLINK, which every Windows follows, with '\' between components and the relative
 * flag.  An absolute target begins with '\' then, which Windows takes as the root of the share.
 * Read: that, junctions that we can express, and the byte-string links of WSL and of NFS servers.
 * Everything read is the server's word: all offsets are checked.
 */
#include "door_int.h"

#define NFS_SPECFILE_LNK 0x00000000014B4E4Cull
#define TARGET_MAX 4095u /* bytes, PATH_MAX without the NUL */

static NTSTATUS map_target(const char *target, UNICODE_STRING *wide)
{
	size_t length = strlen(target);

	if (length == 0)
		return STATUS_OBJECT_NAME_INVALID;
	if (length > TARGET_MAX)
		return STATUS_NAME_TOO_LONG;
	/* '/' becomes '\'; "." and ".." are meant here. */
	return nt_name_from_bytes(target, length, wide);
}

static NTSTATUS set_target(struct door_file *file, const struct door_caller *caller,
			   const UNICODE_STRING *wide)
{
	ULONG head = FIELD_OFFSET(REPARSE_DATA_BUFFER, SymbolicLinkReparseBuffer.PathBuffer);
	ULONG length = head + 2u * wide->Length;
	REPARSE_DATA_BUFFER *data;
	NTSTATUS status;

	if (length > MAXIMUM_REPARSE_DATA_BUFFER_SIZE)
		return STATUS_NAME_TOO_LONG;
	data = ExAllocatePoolWithTag(NonPagedPool, length, DOOR_TAG_BUFFER);
	if (data == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(data, head);
	data->ReparseTag = IO_REPARSE_TAG_SYMLINK;
	data->ReparseDataLength = (USHORT)(length - REPARSE_DATA_BUFFER_HEADER_SIZE);
	data->SymbolicLinkReparseBuffer.SubstituteNameLength = wide->Length;
	data->SymbolicLinkReparseBuffer.PrintNameOffset = wide->Length;
	data->SymbolicLinkReparseBuffer.PrintNameLength = wide->Length;
	data->SymbolicLinkReparseBuffer.Flags = SYMLINK_FLAG_RELATIVE;
	RtlCopyMemory(data->SymbolicLinkReparseBuffer.PathBuffer, wide->Buffer, wide->Length);
	RtlCopyMemory((UCHAR *)data->SymbolicLinkReparseBuffer.PathBuffer + wide->Length, wide->Buffer,
		      wide->Length);
	status = door_fsctl(file, caller, FSCTL_SET_REPARSE_POINT, data, length, NULL, 0, NULL);
	ExFreePoolWithTag(data, DOOR_TAG_BUFFER);
	return status;
}

NTSTATUS door_symlink(struct door_volume *volume, const struct door_caller *caller,
		      const UNICODE_STRING *path, const char *target)
{
	struct door_open open = {.path = *path,
				 .access = FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES |
					   DELETE | SYNCHRONIZE,
				 .attributes = FILE_ATTRIBUTE_NORMAL,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_CREATE,
				 .options = FILE_NON_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT};
	FILE_DISPOSITION_INFORMATION away = {TRUE};
	struct door_opened opened;
	UNICODE_STRING wide;
	NTSTATUS status = map_target(target, &wide);

	if (!NT_SUCCESS(status))
		return status;
	status = door_open(volume, caller, &open, &opened);
	if (NT_SUCCESS(status)) {
		status = set_target(opened.file, caller, &wide);
		/* What the server has no link for must not stay behind as an empty file. */
		if (!NT_SUCCESS(status)) {
			(void)door_set_info(opened.file, NULL, FileDispositionInformation, &away,
					    sizeof(away));
			/* the last is what a Samba without links says */
			if (door_is_unsupported(status) || status == STATUS_ACCESS_DENIED ||
			    status == STATUS_NOT_A_REPARSE_POINT)
				status = STATUS_NOT_SUPPORTED;
		}
		(void)door_close(opened.file, caller); /* the link is made or gone */
	}
	door_name_free(&wide);
	return status;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* UTF-16 target to bytes.  Windows' own absolute forms have no POSIX meaning. */
static NTSTATUS unmap_target(const UCHAR *bytes, ULONG length, char *target, size_t size)
{
	UNICODE_STRING wide = {
		.Buffer = (PWCH)(uintptr_t)bytes, .Length = (USHORT)length, .MaximumLength = (USHORT)length};
	size_t n = 0;
	NTSTATUS status;

	if (length == 0 || length % sizeof(WCHAR) != 0 || ((uintptr_t)bytes & 1) != 0)
		return STATUS_IO_REPARSE_DATA_INVALID;
	if ((length >= 4 && wide.Buffer[0] == '\\' && (wide.Buffer[1] == '?' || wide.Buffer[1] == '\\')) ||
	    (length >= 4 && wide.Buffer[1] == ':'))
		return STATUS_NOT_SUPPORTED;
	status = nt_name_to_buffer(&wide, target, size - 1, &n);
	if (!NT_SUCCESS(status))
		return status;
	if (n == 0 || memchr(target, '\0', n) != NULL)
		return STATUS_IO_REPARSE_DATA_INVALID;
	target[n] = '\0';
	return STATUS_SUCCESS;
}

static NTSTATUS take_bytes(const UCHAR *bytes, ULONG length, char *target, size_t size)
{
	if (length == 0 || memchr(bytes, '\0', length) != NULL)
		return STATUS_IO_REPARSE_DATA_INVALID;
	if (length >= size)
		return STATUS_BUFFER_TOO_SMALL;
	RtlCopyMemory(target, bytes, length);
	target[length] = '\0';
	return STATUS_SUCCESS;
}

static NTSTATUS parse_target(const REPARSE_DATA_BUFFER *data, ULONG length, char *target, size_t size)
{
	ULONG head = REPARSE_DATA_BUFFER_HEADER_SIZE;
	ULONG paths = FIELD_OFFSET(REPARSE_DATA_BUFFER, SymbolicLinkReparseBuffer.PathBuffer);
	const UCHAR *body = (const UCHAR *)data + head;
	ULONG body_length, at, n;
	uint64_t kind;

	if (length < head || data->ReparseDataLength > length - head)
		return STATUS_IO_REPARSE_DATA_INVALID;
	body_length = data->ReparseDataLength;
	switch (data->ReparseTag) {
	case IO_REPARSE_TAG_SYMLINK:
		if (head + body_length < paths)
			return STATUS_IO_REPARSE_DATA_INVALID;
		at = data->SymbolicLinkReparseBuffer.SubstituteNameOffset;
		n = data->SymbolicLinkReparseBuffer.SubstituteNameLength;
		if (at + n > head + body_length - paths)
			return STATUS_IO_REPARSE_DATA_INVALID;
		return unmap_target((const UCHAR *)data->SymbolicLinkReparseBuffer.PathBuffer + at, n, target,
				    size);
	case IO_REPARSE_TAG_LX_SYMLINK:
		if (body_length < sizeof(ULONG))
			return STATUS_IO_REPARSE_DATA_INVALID;
		return take_bytes(body + sizeof(ULONG), body_length - sizeof(ULONG), target, size);
	case IO_REPARSE_TAG_NFS:
		if (body_length < sizeof(kind))
			return STATUS_IO_REPARSE_DATA_INVALID;
		RtlCopyMemory(&kind, body, sizeof(kind));
		if (kind != NFS_SPECFILE_LNK)
			return STATUS_NOT_SUPPORTED;
		return unmap_target(body + sizeof(kind), body_length - sizeof(kind), target, size);
	default:
		return STATUS_NOT_SUPPORTED;
	}
}

NTSTATUS door_readlink(struct door_volume *volume, const struct door_caller *caller,
		       const UNICODE_STRING *path, char *target, size_t size)
{
	struct door_open open = {.path = *path,
				 .access = FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_OPEN_REPARSE_POINT};
	REPARSE_DATA_BUFFER *data;
	struct door_opened opened;
	ULONG returned = 0;
	NTSTATUS status;

	if (size == 0)
		return STATUS_BUFFER_TOO_SMALL;
	target[0] = '\0';
	data = ExAllocatePoolWithTag(NonPagedPool, MAXIMUM_REPARSE_DATA_BUFFER_SIZE, DOOR_TAG_BUFFER);
	if (data == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = door_open(volume, caller, &open, &opened);
	if (NT_SUCCESS(status)) {
		status = door_fsctl(opened.file, caller, FSCTL_GET_REPARSE_POINT, NULL, 0, data,
				    MAXIMUM_REPARSE_DATA_BUFFER_SIZE, &returned);
		(void)door_close(opened.file, caller); /* only read */
	}
	if (NT_SUCCESS(status))
		status = parse_target(data, returned, target, size);
	ExFreePoolWithTag(data, DOOR_TAG_BUFFER);
	return status;
}
