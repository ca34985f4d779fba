/*
 * posix.c - deletion and hard links with the meaning POSIX programs rely on; renaming is rename.c.
 *
 * Owns:      nothing.
 * Ladder:    POSIX classes first (the name goes at once, open handles go on, the read-only attribute is no
 *            obstacle).  A server that refuses the class is remembered per volume and gets Windows' own:
 *            a file with other handles of ours is renamed aside before it is marked for deletion.
 */
#include <stdio.h>

#include "posix_int.h"

BOOLEAN door_is_unsupported(NTSTATUS status)
{
	return status == STATUS_INVALID_INFO_CLASS || status == STATUS_NOT_SUPPORTED ||
	       status == STATUS_NOT_IMPLEMENTED || status == STATUS_INVALID_PARAMETER ||
	       status == STATUS_INVALID_DEVICE_REQUEST || status == STATUS_INVALID_LEVEL;
}

/* ---- helpers ----------------------------------------------------------------------------------------- */

NTSTATUS door_posix_open(struct door_volume *volume, const struct door_caller *caller,
			 const UNICODE_STRING *path, ACCESS_MASK access, ULONG options,
			 struct door_opened *opened)
{
	struct door_open open = {.path = *path,
				 .access = access | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = options | FILE_OPEN_REPARSE_POINT,
				 .query = DOOR_QUERY_STAT};

	return door_open(volume, caller, &open, opened);
}

/* What a file has now, with the read-only attribute or without it; its times stay. */
static FILE_BASIC_INFORMATION as_readonly(const FILE_STAT_INFORMATION *now, BOOLEAN readonly)
{
	FILE_BASIC_INFORMATION basic = {
		.FileAttributes = now->FileAttributes &
				  (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE)};

	if (readonly)
		basic.FileAttributes |= FILE_ATTRIBUTE_READONLY;
	if (basic.FileAttributes == 0)
		basic.FileAttributes = FILE_ATTRIBUTE_NORMAL;
	return basic;
}

NTSTATUS door_posix_set_readonly_of(struct door_file *file, const struct door_caller *caller,
				    const FILE_STAT_INFORMATION *now, BOOLEAN readonly)
{
	FILE_BASIC_INFORMATION basic = as_readonly(now, readonly);

	return door_set_info(file, caller, FileBasicInformation, &basic, sizeof(basic));
}

NTSTATUS door_posix_set_readonly(struct door_volume *volume, const struct door_caller *caller,
				 const UNICODE_STRING *path, BOOLEAN readonly)
{
	struct door_opened opened;
	NTSTATUS status = door_posix_open(volume, caller, path, FILE_WRITE_ATTRIBUTES, 0, &opened);

	if (!NT_SUCCESS(status))
		return status;
	status = door_posix_set_readonly_of(opened.file, caller, &opened.stat, readonly);
	(void)door_close(opened.file, caller); /* the attribute is set by now */
	return status;
}

FILE_RENAME_INFORMATION *door_posix_target(const UNICODE_STRING *target, ULONG *length)
{
	FILE_RENAME_INFORMATION *info;

	*length = FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName) + sizeof(WCHAR) + target->Length;
	if (*length < sizeof(*info))
		*length = sizeof(*info);
	info = ExAllocatePoolWithTag(NonPagedPool, *length, DOOR_TAG_BUFFER);
	if (info == NULL)
		return NULL;
	RtlZeroMemory(info, *length);
	info->FileNameLength = sizeof(WCHAR) + target->Length;
	info->FileName[0] = '\\';
	RtlCopyMemory(&info->FileName[1], target->Buffer, target->Length);
	return info;
}

ULONG door_posix_rename_flags(BOOLEAN replace)
{
	return FILE_RENAME_POSIX_SEMANTICS |
	       (replace ? FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_IGNORE_READONLY_ATTRIBUTE : 0);
}

NTSTATUS door_posix_change_closed(struct door_volume *volume, const struct door_caller *caller,
				  const UNICODE_STRING *path, ULONG options, FILE_INFORMATION_CLASS cls,
				  const void *info, ULONG length)
{
	struct door_open open = {.path = *path,
				 .access = DELETE | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = options | FILE_OPEN_REPARSE_POINT,
				 .query = DOOR_QUERY_CLOSE | DOOR_SET,
				 .change = {{cls, info, length}},
				 .changes = 1};
	struct door_opened opened;
	NTSTATUS status = door_open(volume, caller, &open, &opened);

	return NT_SUCCESS(status) ? opened.set_status : status;
}

NTSTATUS door_posix_rename(struct door_file *file, const struct door_caller *caller,
			   const UNICODE_STRING *target, BOOLEAN replace)
{
	struct door_volume *volume = file->volume;
	ULONG length;
	FILE_RENAME_INFORMATION *info = door_posix_target(target, &length);
	NTSTATUS status = STATUS_INVALID_INFO_CLASS;

	if (info == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!atomic_load(&volume->no_posix_rename)) {
		info->Flags = door_posix_rename_flags(replace);
		status = door_set_info(file, caller, FileRenameInformationEx, info, length);
		if (door_is_unsupported(status))
			atomic_store(&volume->no_posix_rename, true);
	}
	if (door_is_unsupported(status)) {
		info->Flags = 0;
		info->ReplaceIfExists = replace;
		status = door_set_info(file, caller, FileRenameInformation, info, length);
	}
	ExFreePoolWithTag(info, DOOR_TAG_BUFFER);
	return status;
}

/* ---- delete ------------------------------------------------------------------------------------------ */

static const FILE_DISPOSITION_INFORMATION_EX posix_deletion = {FILE_DISPOSITION_DELETE |
							       FILE_DISPOSITION_POSIX_SEMANTICS |
							       FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE};

static NTSTATUS delete_posix(struct door_file *file, const struct door_caller *caller)
{
	NTSTATUS status;

	if (atomic_load(&file->volume->no_posix_delete))
		return STATUS_INVALID_INFO_CLASS;
	status = door_set_info(file, caller, FileDispositionInformationEx, &posix_deletion,
			       sizeof(posix_deletion));
	if (door_is_unsupported(status))
		atomic_store(&file->volume->no_posix_delete, true);
	return status;
}

NTSTATUS door_posix_hidden_name(const UNICODE_STRING *path, unsigned int depth, UNICODE_STRING *hidden,
				BOOLEAN *own)
{
	USHORT chars = path->Length / sizeof(WCHAR), last = 0, at = 0;
	UNICODE_STRING folder = *path;
	char leaf[64];

	for (USHORT i = 0; i < chars; i++) {
		if (path->Buffer[i] != '\\')
			continue;
		last = i;
		if (depth != 0) {
			at = i;
			depth--;
		}
	}
	folder.Length = (USHORT)(at * sizeof(WCHAR));
	*own = at == last;
	snprintf(leaf, sizeof(leaf), "%s%016llx", DOOR_HIDDEN_PREFIX, (unsigned long long)nt_random());
	return door_name_append(&folder, leaf, strlen(leaf), hidden);
}

/*
 * As far up as the server allows, the share's root first: a folder that the file stayed in could not be removed.  How far that
 * is seldom differs within a share, so it is remembered.
 */
static NTSTATUS rename_aside(struct door_file *file, const struct door_caller *caller,
			     const UNICODE_STRING *path)
{
	struct door_volume *volume = file->volume;
	unsigned int depth = atomic_load(&volume->aside_depth);
	UNICODE_STRING hidden;
	NTSTATUS status;
	BOOLEAN own;

	for (;; depth++) {
		status = door_posix_hidden_name(path, depth, &hidden, &own);
		if (!NT_SUCCESS(status))
			return status;
		status = door_posix_rename(file, caller, &hidden, FALSE);
		door_name_free(&hidden);
		if (NT_SUCCESS(status) || status == STATUS_CANCELLED || own)
			break;
	}
	if (NT_SUCCESS(status)) {
		atomic_store(&volume->aside_depth, depth);
		if (own && depth != 0) /* nobody removes the root */
			atomic_store(&volume->deleted_stay, true);
	}
	return status;
}

BOOLEAN door_deleted_stay(struct door_volume *volume)
{
	return atomic_load(&volume->deleted_stay);
}

static NTSTATUS mark_for_deletion(struct door_file *file, const struct door_caller *caller, BOOLEAN away)
{
	FILE_DISPOSITION_INFORMATION info = {away};

	return door_set_info(file, caller, FileDispositionInformation, &info, sizeof(info));
}

NTSTATUS door_posix_may_delete(struct door_file *file, const struct door_caller *caller)
{
	NTSTATUS status = mark_for_deletion(file, caller, TRUE);

	return NT_SUCCESS(status) ? mark_for_deletion(file, caller, FALSE) : status;
}

/*
 * Windows deletion: the file goes with its last handle.  So that the name goes now, a file that others of us
 * have open is renamed first.  Other clients' handles keep it until they close, as between any two Windows.
 */
static NTSTATUS delete_windows(struct door_file *file, const struct door_caller *caller,
			       const UNICODE_STRING *path, BOOLEAN directory)
{
	BOOLEAN aside = door_file_is_shared(file);
	NTSTATUS status = STATUS_SUCCESS;

	/* a folder that is not empty stays where it is: the server is asked before it is renamed */
	if (aside && directory)
		status = door_posix_may_delete(file, caller);
	if (NT_SUCCESS(status) && aside)
		status = rename_aside(file, caller, path);
	if (!NT_SUCCESS(status))
		return status;
	status = mark_for_deletion(file, caller, TRUE);
	if (!NT_SUCCESS(status) && aside)
		(void)door_posix_rename(file, caller, path, FALSE); /* the first error is what counts */
	return status;
}

NTSTATUS door_posix_delete(struct door_file *file, const struct door_caller *caller,
			   const UNICODE_STRING *path, BOOLEAN directory)
{
	NTSTATUS status = delete_posix(file, caller);

	if (door_is_unsupported(status))
		status = delete_windows(file, caller, path, directory);
	return status;
}

/* What is read-only is made deletable for it, and stays read-only under its other names. */
static NTSTATUS delete_readonly(struct door_opened *opened, const struct door_caller *caller,
				const UNICODE_STRING *path, BOOLEAN directory)
{
	NTSTATUS status = door_posix_set_readonly_of(opened->file, caller, &opened->stat, FALSE);

	if (!NT_SUCCESS(status))
		return status;
	status = door_posix_delete(opened->file, caller, path, directory);
	if (!NT_SUCCESS(status) || opened->stat.NumberOfLinks > 1)
		(void)door_posix_set_readonly_of(opened->file, caller, &opened->stat,
						 TRUE); /* how the deletion ended is what is reported */
	return status;
}

/* @insist: also what is read-only, as far as the server gives a handle to such a file at all */
static NTSTATUS remove_once(struct door_volume *volume, const struct door_caller *caller,
			    const UNICODE_STRING *path, BOOLEAN directory, BOOLEAN insist, BOOLEAN *readonly)
{
	ACCESS_MASK access = DELETE | (insist ? FILE_WRITE_ATTRIBUTES : 0);
	struct door_opened opened;
	NTSTATUS status = door_posix_open(volume, caller, path, access,
					  directory ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE, &opened);

	*readonly = FALSE;
	/* A link to a folder carries the folder attribute and is unlinked like a file. */
	if (status == STATUS_FILE_IS_A_DIRECTORY && !directory) {
		status = door_posix_open(volume, caller, path, access, FILE_DIRECTORY_FILE, &opened);
		if (NT_SUCCESS(status) && !(opened.stat.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)) {
			(void)door_close(opened.file, caller); /* nothing was done with it */
			return STATUS_FILE_IS_A_DIRECTORY;
		}
	}
	if (!NT_SUCCESS(status))
		return status;
	*readonly = (opened.stat.FileAttributes & FILE_ATTRIBUTE_READONLY) != 0;
	status = insist && *readonly ? delete_readonly(&opened, caller, path, directory)
				     : door_posix_delete(opened.file, caller, path, directory);
	if (NT_SUCCESS(status))
		status =
			door_close(opened.file, caller); /* a server may say only now that it cannot delete */
	else
		(void)door_close(opened.file, caller);
	return status;
}

/*
 * Nobody else of us has the file open: it goes with a handle that is closed at once.  Not for directories,
 * which servers then keep without a word when they are not empty.
 */
static NTSTATUS remove_closed_file(struct door_volume *volume, const struct door_caller *caller,
				   const UNICODE_STRING *path)
{
	struct door_open open = {.path = *path,
				 .access = DELETE | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_NON_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT |
					    FILE_DELETE_ON_CLOSE,
				 .query = DOOR_QUERY_CLOSE};
	struct door_opened opened;

	return door_open(volume, caller, &open, &opened);
}

/* The same for a directory: the change itself tells when it is not empty. */
static NTSTATUS remove_closed_directory(struct door_volume *volume, const struct door_caller *caller,
					const UNICODE_STRING *path)
{
	const FILE_DISPOSITION_INFORMATION info = {TRUE};
	NTSTATUS status = STATUS_INVALID_INFO_CLASS;

	if (!atomic_load(&volume->no_posix_delete)) {
		status = door_posix_change_closed(volume, caller, path, FILE_DIRECTORY_FILE,
						  FileDispositionInformationEx, &posix_deletion,
						  sizeof(posix_deletion));
		if (door_is_unsupported(status))
			atomic_store(&volume->no_posix_delete, true);
	}
	if (door_is_unsupported(status))
		status = door_posix_change_closed(volume, caller, path, FILE_DIRECTORY_FILE,
						  FileDispositionInformation, &info, sizeof(info));
	return status;
}

/* A file that was found to be read-only, and nobody else of us has open: two messages where the driver can. */
static NTSTATUS remove_closed_readonly(struct door_volume *volume, const struct door_caller *caller,
				       const UNICODE_STRING *path)
{
	const FILE_DISPOSITION_INFORMATION away = {TRUE};
	FILE_BASIC_INFORMATION clear, again;
	FILE_STAT_INFORMATION stat;
	struct door_open open = {.path = *path,
				 .access = DELETE | FILE_WRITE_ATTRIBUTES | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_NON_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT,
				 .query = DOOR_QUERY_CLOSE | DOOR_SET,
				 .change = {{FileBasicInformation, &clear, sizeof(clear)},
					    {FileDispositionInformation, &away, sizeof(away)},
					    {FileBasicInformation, &again, sizeof(again)}},
				 .changes = 2};
	struct door_opened opened;
	NTSTATUS status = door_stat_path(volume, caller, path, &stat);

	if (!NT_SUCCESS(status))
		return status;
	if (!(stat.FileAttributes & FILE_ATTRIBUTE_READONLY))
		return STATUS_CANNOT_DELETE;
	clear = as_readonly(&stat, FALSE);
	again = as_readonly(&stat, TRUE);
	if (stat.NumberOfLinks > 1)
		open.changes = 3; /* under its other names it stays read-only */
	status = door_open(volume, caller, &open, &opened);
	if (NT_SUCCESS(status))
		status = opened.set_status;
	if (!NT_SUCCESS(status))
		(void)door_posix_set_readonly(volume, caller, path, TRUE); /* as it was, if it is there */
	return status;
}

static NTSTATUS remove_readonly(struct door_volume *volume, const struct door_caller *caller,
				const UNICODE_STRING *path, BOOLEAN directory)
{
	BOOLEAN readonly;
	NTSTATUS status = remove_once(volume, caller, path, directory, TRUE, &readonly);

	/* A server that gives no handle to delete with while the file is read-only. */
	if (status == STATUS_ACCESS_DENIED &&
	    NT_SUCCESS(door_posix_set_readonly(volume, caller, path, FALSE))) {
		status = remove_once(volume, caller, path, directory, FALSE, &readonly);
		if (!NT_SUCCESS(status))
			(void)door_posix_set_readonly(volume, caller, path,
						      TRUE); /* as it was; the refusal is reported */
	}
	return status;
}

NTSTATUS door_remove(struct door_volume *volume, const struct door_caller *caller, const UNICODE_STRING *path,
		     BOOLEAN directory, uint64_t id)
{
	BOOLEAN readonly;
	NTSTATUS status;

	if (id != 0 && !door_id_is_open(volume, id)) {
		status = directory ? remove_closed_directory(volume, caller, path)
				   : remove_closed_file(volume, caller, path);
		if (status == STATUS_CANNOT_DELETE && !directory)
			status = remove_closed_readonly(volume, caller, path);
		/* Whatever else it said, the longer way knows more. */
		if (NT_SUCCESS(status) || status == STATUS_OBJECT_NAME_NOT_FOUND ||
		    status == STATUS_DIRECTORY_NOT_EMPTY || status == STATUS_CANCELLED)
			return status;
	}
	status = remove_once(volume, caller, path, directory, FALSE, &readonly);

	/* Opening a read-only file for deletion may already be refused. */
	if (status == STATUS_ACCESS_DENIED && !readonly) {
		FILE_STAT_INFORMATION stat;

		readonly = NT_SUCCESS(door_stat_path(volume, caller, path, &stat)) &&
			   (stat.FileAttributes & FILE_ATTRIBUTE_READONLY);
	}
	if ((status == STATUS_CANNOT_DELETE || status == STATUS_ACCESS_DENIED) && readonly)
		status = remove_readonly(volume, caller, path, directory);
	return status;
}

/* ---- hard links ----------------------------------------------------------------------------------------- */

NTSTATUS door_link(struct door_volume *volume, const struct door_caller *caller,
		   const UNICODE_STRING *existing, const UNICODE_STRING *path, FILE_STAT_INFORMATION *stat)
{
	struct door_open open = {.path = *existing,
				 .access = FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_OPEN_REPARSE_POINT,
				 .query = DOOR_QUERY_STAT | DOOR_QUERY_CLOSE | DOOR_SET};
	struct door_opened opened;
	ULONG length;
	FILE_LINK_INFORMATION *info = door_posix_target(path, &length); /* replaces nothing */
	NTSTATUS status;

	if (info == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	open.change[0] = (struct door_change){FileLinkInformation, info, length};
	open.changes = 1;
	status = door_open(volume, caller, &open, &opened);
	if ((opened.supplied & DOOR_SET) && !NT_SUCCESS(opened.set_status))
		status = opened.set_status;
	*stat = opened.stat;
	ExFreePoolWithTag(info, DOOR_TAG_BUFFER);
	return status;
}
