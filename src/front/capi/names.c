/*
 * names.c - directories, deletion, renaming, links.
 */
#include "front/capi/capi_int.h"

int rdbss_mkdir(struct rdbss_mount *mount, const char *path, mode_t mode)
{
	struct door_caller caller = capi_caller(__func__);
	struct door_open open = {.access = FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .attributes = FILE_ATTRIBUTE_NORMAL,
				 .share = CAPI_SHARE_ALL,
				 .disposition = FILE_CREATE,
				 .options = FILE_DIRECTORY_FILE,
				 .query = DOOR_QUERY_CLOSE};
	struct capi_thread thread;
	struct door_opened opened;
	NTSTATUS status;
	int error = capi_enter(&thread);

	(void)mode; /* directories have no read-only attribute with that meaning */
	if (error != 0)
		return error;
	status = capi_path(mount, path, &open.path);
	if (NT_SUCCESS(status)) {
		status = door_open(mount->volume, &caller, &open, &opened);
		door_name_free(&open.path);
	}
	error = capi_result(status);
	capi_leave(&thread);
	return error;
}

static int remove_name(const char *operation, struct rdbss_mount *mount, const char *path, BOOLEAN directory)
{
	struct door_caller caller = capi_caller(operation);
	struct capi_thread thread;
	UNICODE_STRING name;
	NTSTATUS status;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	status = capi_path(mount, path, &name);
	if (NT_SUCCESS(status)) {
		status = door_remove(mount->volume, &caller, &name, directory, 0);
		door_name_free(&name);
	}
	error = capi_result(status);
	capi_leave(&thread);
	return error;
}

int rdbss_rmdir(struct rdbss_mount *mount, const char *path)
{
	return remove_name(__func__, mount, path, TRUE);
}

int rdbss_unlink(struct rdbss_mount *mount, const char *path)
{
	return remove_name(__func__, mount, path, FALSE);
}

enum pair_operation { PAIR_RENAME, PAIR_RENAME_REPLACE, PAIR_LINK };

static int two_names(const char *operation, struct rdbss_mount *mount, const char *from, const char *to,
		     enum pair_operation pair)
{
	struct door_caller caller = capi_caller(operation);
	FILE_STAT_INFORMATION stat; /* of a link, which nobody asks for */
	UNICODE_STRING a = {0}, b = {0};
	struct capi_thread thread;
	NTSTATUS status;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	status = capi_path(mount, from, &a);
	if (NT_SUCCESS(status))
		status = capi_path(mount, to, &b);
	if (NT_SUCCESS(status)) {
		switch (pair) {
		case PAIR_RENAME:
			status = door_rename(mount->volume, &caller, &a, &b, 0, 0, 0);
			break;
		case PAIR_RENAME_REPLACE:
			status = door_rename(mount->volume, &caller, &a, &b, DOOR_RENAME_REPLACE, 0, 0);
			break;
		case PAIR_LINK:
			status = door_link(mount->volume, &caller, &a, &b, &stat);
			break;
		}
	}
	door_name_free(&a);
	door_name_free(&b);
	error = capi_result(status);
	capi_leave(&thread);
	return error;
}

int rdbss_rename(struct rdbss_mount *mount, const char *from, const char *to, unsigned int flags)
{
	if (flags & ~RDBSS_RENAME_NOREPLACE)
		return -EINVAL;
	return two_names(__func__, mount, from, to,
			 flags & RDBSS_RENAME_NOREPLACE ? PAIR_RENAME : PAIR_RENAME_REPLACE);
}

int rdbss_link(struct rdbss_mount *mount, const char *existing, const char *path)
{
	return two_names(__func__, mount, existing, path, PAIR_LINK);
}

int rdbss_symlink(struct rdbss_mount *mount, const char *target, const char *path)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	UNICODE_STRING name;
	NTSTATUS status;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	status = capi_path(mount, path, &name);
	if (NT_SUCCESS(status)) {
		status = door_symlink(mount->volume, &caller, &name, target);
		door_name_free(&name);
	}
	error = capi_result(status);
	capi_leave(&thread);
	return error;
}

ssize_t rdbss_readlink(struct rdbss_mount *mount, const char *path, char *target, size_t size)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	UNICODE_STRING name;
	NTSTATUS status;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	status = capi_path(mount, path, &name);
	if (NT_SUCCESS(status)) {
		status = door_readlink(mount->volume, &caller, &name, target, size);
		door_name_free(&name);
	}
	error = capi_result(status);
	if (status == STATUS_NOT_A_REPARSE_POINT)
		error = -EINVAL;
	else if (status == STATUS_BUFFER_TOO_SMALL)
		error = -ERANGE;
	capi_leave(&thread);
	return error != 0 ? error : (ssize_t)strlen(target);
}
