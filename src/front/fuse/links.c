/*
 * links.c - hard links, symbolic links.
 *
 * What the server cannot do is EOPNOTSUPP.  A link's target is handed to the kernel as it is: it resolves
 * below the mount or wherever the bytes lead, as on any file system.
 */

#include "fuse_int.h"

static bool unsupported(NTSTATUS status)
{
	return status == STATUS_NOT_SUPPORTED || status == STATUS_NOT_IMPLEMENTED ||
	       status == STATUS_INVALID_DEVICE_REQUEST || status == STATUS_INVALID_INFO_CLASS;
}

/* lstat() promises the length of the target; servers give 0.  Unreadable: it stays 0, readlink() will tell why. */
void front_link_size(struct front_request *r, const UNICODE_STRING *path, FILE_STAT_INFORMATION *stat)
{
	char target[PATH_MAX];

	if (front_type_of(stat) != S_IFLNK)
		return;
	stat->EndOfFile.QuadPart = 0;
	if (NT_SUCCESS(door_readlink(r->fuse->volume, &r->caller, path, target, sizeof(target))))
		stat->EndOfFile.QuadPart = (LONGLONG)strlen(target);
}

void front_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_node *dir = front_node_of(fuse, new_parent);
	struct front_request *r = front_begin(req, node, dir);
	UNICODE_STRING existing = {0}, path = {0};
	FILE_STAT_INFORMATION stat;
	NTSTATUS status;

	if (r == NULL)
		return;
	status = front_node_own_path(r, node, &existing);
	if (NT_SUCCESS(status))
		status = front_node_path(fuse, dir, new_name, &path);
	front_change_begin(fuse, dir, new_name, FRONT_ADDS);
	front_node_changed(fuse, node);
	if (NT_SUCCESS(status))
		status = door_link(fuse->volume, &r->caller, &existing, &path, &stat);
	front_node_changed(fuse, node);
	front_change_end(fuse, dir, new_name);
	if (NT_SUCCESS(status))
		front_link_size(r, &path, &stat);
	if (NT_SUCCESS(status))
		front_reply_entry(r, dir, new_name, &stat);
	else if (unsupported(status))
		front_reply_err(r, EOPNOTSUPP);
	else
		front_reply_status(r, status);
	door_name_free(&existing);
	door_name_free(&path);
	front_end(r);
}

void front_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *dir = front_node_of(fuse, parent);
	struct front_request *r = front_begin(req, dir, NULL);
	FILE_STAT_INFORMATION stat;
	UNICODE_STRING path = {0};
	NTSTATUS status;

	if (r == NULL)
		return;
	status = front_node_path(fuse, dir, name, &path);
	front_change_begin(fuse, dir, name, FRONT_ADDS);
	if (NT_SUCCESS(status))
		status = door_symlink(fuse->volume, &r->caller, &path, target);
	front_change_end(fuse, dir, name);
	if (NT_SUCCESS(status))
		status = door_stat_path(fuse->volume, &r->caller, &path, &stat);
	if (NT_SUCCESS(status)) {
		stat.EndOfFile.QuadPart = (LONGLONG)strlen(target);
		front_reply_made(r, dir, name, &stat);
	} else if (unsupported(status)) {
		front_reply_err(r, EOPNOTSUPP);
	} else {
		front_reply_status(r, status);
	}
	door_name_free(&path);
	front_end(r);
}

void front_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	char target[PATH_MAX];
	UNICODE_STRING path = {0};
	NTSTATUS status;

	if (r == NULL)
		return;
	status = front_node_path(fuse, node, NULL, &path);
	if (NT_SUCCESS(status))
		status = door_readlink(fuse->volume, &r->caller, &path, target, sizeof(target));
	if (!NT_SUCCESS(status)) {
		if (status == STATUS_NOT_A_REPARSE_POINT)
			front_reply_err(r, EINVAL);
		else if (unsupported(status))
			front_reply_err(r, EOPNOTSUPP);
		else
			front_reply_status(r, status);
	} else if (front_claim(r)) {
		fuse_reply_readlink(r->req, target);
	}
	door_name_free(&path);
	front_end(r);
}
