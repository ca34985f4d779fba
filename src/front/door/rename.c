/*
 * rename.c - renaming with the meaning POSIX programs rely on.
 *
 * Owns:      nothing.
 * Ladder:    one message for what nobody has open here; by a handle; and where the server does not replace the target in
 *            one step (it is open, read-only, or a folder): the target is moved aside, the source to its name, and only
 *            then the target is deleted.  Whatever fails on the way, both are where they were.
 */
#include "posix_int.h"

static NTSTATUS rename_closed(struct door_volume *volume, const struct door_caller *caller,
			      const UNICODE_STRING *from, const UNICODE_STRING *to, BOOLEAN replace)
{
	ULONG length;
	FILE_RENAME_INFORMATION *info = door_posix_target(to, &length);
	NTSTATUS status = STATUS_INVALID_INFO_CLASS;

	if (info == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!atomic_load(&volume->no_posix_rename)) {
		info->Flags = door_posix_rename_flags(replace);
		status = door_posix_change_closed(volume, caller, from, FILE_NON_DIRECTORY_FILE,
						  FileRenameInformationEx, info, length);
		if (door_is_unsupported(status))
			atomic_store(&volume->no_posix_rename, true);
	}
	if (door_is_unsupported(status)) {
		info->Flags = 0;
		info->ReplaceIfExists = replace;
		status = door_posix_change_closed(volume, caller, from, FILE_NON_DIRECTORY_FILE,
						  FileRenameInformation, info, length);
	}
	ExFreePoolWithTag(info, DOOR_TAG_BUFFER);
	return status;
}

/* ---- a target that the server does not replace ------------------------------------------------------- */

static BOOLEAN is_folder(const FILE_STAT_INFORMATION *stat)
{
	return (stat->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) &&
	       !(stat->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT);
}

static BOOLEAN may_be_the_target(NTSTATUS status)
{
	return status == STATUS_ACCESS_DENIED || status == STATUS_OBJECT_NAME_COLLISION ||
	       status == STATUS_SHARING_VIOLATION || status == STATUS_CANNOT_DELETE ||
	       status == STATUS_USER_MAPPED_FILE || status == STATUS_DIRECTORY_NOT_EMPTY;
}

struct target {
	struct door_opened opened;
	BOOLEAN was_readonly; /* and is not any more */
};

/* POSIX allows a file for a file and an empty folder for a folder. */
static NTSTATUS check_target(const struct target *target, const struct door_caller *caller, BOOLEAN directory)
{
	if (is_folder(&target->opened.stat) != directory)
		return directory ? STATUS_NOT_A_DIRECTORY : STATUS_FILE_IS_A_DIRECTORY;
	return directory ? door_posix_may_delete(target->opened.file, caller) : STATUS_SUCCESS;
}

static BOOLEAN is_same_file(const FILE_STAT_INFORMATION *a, const FILE_STAT_INFORMATION *b)
{
	return a->FileId.QuadPart != 0 && a->FileId.QuadPart != -1 &&
	       a->FileId.QuadPart == b->FileId.QuadPart;
}

static NTSTATUS open_target(struct door_volume *volume, const struct door_caller *caller,
			    const FILE_STAT_INFORMATION *source, const UNICODE_STRING *path,
			    struct target *target)
{
	BOOLEAN directory = is_folder(source);
	ACCESS_MASK access = DELETE;
	FILE_STAT_INFORMATION stat;
	NTSTATUS status = door_stat_path(volume, caller, path, &stat);

	target->was_readonly = FALSE;
	if (!NT_SUCCESS(status))
		return status;
	if (is_same_file(&stat, source))
		return STATUS_OBJECT_NAME_NOT_FOUND; /* by another name, or another spelling: nothing to replace */
	if ((stat.FileAttributes & FILE_ATTRIBUTE_READONLY) && is_folder(&stat) == directory) {
		status = door_posix_set_readonly(volume, caller, path, FALSE);
		if (!NT_SUCCESS(status))
			return status;
		target->was_readonly = TRUE;
		access |= FILE_WRITE_ATTRIBUTES;
	}
	status = door_posix_open(volume, caller, path, access, 0, &target->opened);
	if (NT_SUCCESS(status)) {
		status = check_target(target, caller, directory);
		if (!NT_SUCCESS(status))
			(void)door_close(target->opened.file, caller); /* it was only looked at */
	}
	if (!NT_SUCCESS(status) && target->was_readonly)
		(void)door_posix_set_readonly(volume, caller, path, TRUE); /* the refusal is reported */
	return status;
}

static void end_target(const struct door_caller *caller, struct target *target, BOOLEAN replaced)
{
	/* under its other names, or its own again, it stays read-only */
	if (target->was_readonly && (!replaced || target->opened.stat.NumberOfLinks > 1))
		(void)door_posix_set_readonly_of(target->opened.file, caller, &target->opened.stat, TRUE);
	/* a server that deletes nothing at the close leaves a hidden file: the rename has happened all the same */
	(void)door_close(target->opened.file, caller);
}

/*
 * The server would not move @source over what is at @to.  That goes aside, and is deleted when the source has its name.
 * Return: STATUS_OBJECT_NAME_NOT_FOUND: nothing else is there; else how the rename ended.
 */
static NTSTATUS replace_target(struct door_volume *volume, const struct door_caller *caller,
			       const struct door_opened *source, const UNICODE_STRING *from,
			       const UNICODE_STRING *to)
{
	struct target target;
	UNICODE_STRING hidden = {0};
	BOOLEAN own, aside = FALSE;
	NTSTATUS status = open_target(volume, caller, &source->stat, to, &target);

	if (!NT_SUCCESS(status))
		return status;
	status = door_posix_hidden_name(to, ~0u, &hidden, &own);
	if (NT_SUCCESS(status)) {
		status = door_posix_rename(target.opened.file, caller, &hidden, FALSE);
		aside = NT_SUCCESS(status);
	}
	if (aside) {
		status = door_posix_rename(source->file, caller, to, FALSE);
		if (NT_SUCCESS(status)) {
			status = door_posix_delete(target.opened.file, caller, &hidden,
						   is_folder(&target.opened.stat));
			if (!NT_SUCCESS(status))
				(void)door_posix_rename(source->file, caller, from, FALSE);
		}
		if (!NT_SUCCESS(status))
			(void)door_posix_rename(target.opened.file, caller, to,
						FALSE); /* the refusal is reported */
	}
	end_target(caller, &target, NT_SUCCESS(status));
	door_name_free(&hidden);
	return status;
}

NTSTATUS door_rename(struct door_volume *volume, const struct door_caller *caller, const UNICODE_STRING *from,
		     const UNICODE_STRING *to, ULONG flags, uint64_t id, uint64_t target_id)
{
	BOOLEAN replace = (flags & DOOR_RENAME_REPLACE) != 0;
	struct door_opened opened;
	NTSTATUS status;

	/* The engine renames what is open; what is not, it need not hear of. */
	if (id != 0 && !door_id_is_open(volume, id) &&
	    (target_id == 0 || !door_id_is_open(volume, target_id))) {
		status = rename_closed(volume, caller, from, to, replace);
		/* Whatever else it said, the longer way knows more. */
		if (NT_SUCCESS(status) || status == STATUS_OBJECT_NAME_NOT_FOUND ||
		    status == STATUS_CANCELLED || (status == STATUS_OBJECT_NAME_COLLISION && !replace))
			return status;
	}
	status = door_posix_open(volume, caller, from, DELETE, 0, &opened);
	if (!NT_SUCCESS(status))
		return status;
	status = door_posix_rename(opened.file, caller, to, replace);
	if (replace && may_be_the_target(status)) {
		NTSTATUS replaced = replace_target(volume, caller, &opened, from, to);

		if (replaced != STATUS_OBJECT_NAME_NOT_FOUND)
			status = replaced;
	}
	(void)door_close(opened.file, caller); /* the name has moved or has not */
	return status;
}
