/*
 * attr.c - getattr and setattr.
 *
 * A node with an open handle is asked through it: that works for deleted files and shows what the handle
 * sees.  Others are asked by path in one round trip.  Modes and owners as kernel cifs maps them: chmod turns
 * the read-only attribute on or off, chown to the owner everything has is accepted, any other is EPERM.
 */

#include <unistd.h>

#include "fuse_int.h"

#define WRITE_BITS 0222

static NTSTATUS stat_node(struct front_request *r, struct front_node *node, FILE_STAT_INFORMATION *stat)
{
	struct rdr_fuse *fuse = r->fuse;
	struct front_file *f = front_file_any(fuse, node, false);
	UNICODE_STRING path;
	NTSTATUS status;

	if (f != NULL) {
		status = door_query_stat(f->file, &r->caller, stat);
		front_file_put(fuse, f);
		/* A handle that died with its connection says nothing about the file. */
		if (NT_SUCCESS(status) ||
		    (status != STATUS_FILE_CLOSED && status != STATUS_INVALID_HANDLE &&
		     status != STATUS_NETWORK_NAME_DELETED && status != STATUS_CONNECTION_DISCONNECTED))
			return status;
	}
	status = front_node_path(fuse, node, NULL, &path);
	if (!NT_SUCCESS(status))
		return status;
	status = door_stat_path(fuse->volume, &r->caller, &path, stat);
	if (NT_SUCCESS(status))
		front_link_size(r, &path, stat);
	door_name_free(&path);
	/* Another file by the same name: what the kernel holds is stale. */
	if (NT_SUCCESS(status) && front_type_of(stat) != node->type)
		status = STATUS_OBJECT_NAME_NOT_FOUND;
	return front_node_status(status);
}

/* since: interrupt time when they were asked for. */
static void reply_attr(struct front_request *r, struct front_node *node, NTSTATUS status,
		       const FILE_STAT_INFORMATION *info, ULONGLONG since)
{
	struct stat st;
	double timeout;

	if (!NT_SUCCESS(status)) {
		front_reply_status(r, status);
		return;
	}
	front_fill_stat(r->fuse, node, info, &st);
	timeout = front_attr_timeout(r->fuse, node) - (double)(KeQueryInterruptTime() - since) / 1e7;
	if (front_claim(r))
		fuse_reply_attr(r->req, &st, timeout > 0 ? timeout : 0);
}

void front_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	FILE_STAT_INFORMATION stat;
	NTSTATUS status = STATUS_SUCCESS;
	ULONGLONG since = KeQueryInterruptTime();

	(void)fi; /* any handle of the file does */
	if (r == NULL)
		return;
	if (!front_cache_get_stat(fuse, node, &stat, &since)) {
		status = stat_node(r, node, &stat);
		if (NT_SUCCESS(status))
			front_cache_keep_stat(fuse, node, &stat, since);
	}
	reply_attr(r, node, status, &stat, since);
	front_end(r);
}

/* The bits of a mode that count for the caller, as a shift.  His further groups are not known here. */
static unsigned int class_of(struct rdr_fuse *fuse, fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	if (ctx->uid == fuse->options.uid)
		return 6;
	return ctx->gid == fuse->options.gid ? 3 : 0;
}

/*
 * access(2) and chdir(2), by the modes we show.  As for local files, root is refused only the execution of what nobody
 * may execute.  Only a file's right to be written costs a question: it is an attribute.
 */
void front_op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	bool root = fuse_req_ctx(req)->uid == 0;
	mode_t mode = node->type == S_IFDIR ? fuse->options.dir_mode : fuse->options.file_mode;
	struct front_request *r;
	FILE_STAT_INFORMATION stat;
	NTSTATUS status = STATUS_SUCCESS;

	/* noperm: nothing is refused here, whoever asks; the kernel need not ask again. */
	if (fuse->options.no_permissions) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	r = front_begin(req, node, NULL);
	if (r == NULL)
		return;
	if (node->type == S_IFLNK)
		mode = 0777;
	if (node->type == S_IFREG && (mask & W_OK) && !root) {
		status = stat_node(r, node, &stat);
		if (NT_SUCCESS(status) && (stat.FileAttributes & FILE_ATTRIBUTE_READONLY))
			mode &= ~(mode_t)WRITE_BITS;
	}
	if (!NT_SUCCESS(status))
		front_reply_status(r, status);
	else if (root)
		front_reply_err(r, (mask & X_OK) && node->type == S_IFREG && !(mode & 0111) ? EACCES : 0);
	else
		front_reply_err(r, (mode >> class_of(fuse, req) & (mode_t)mask & 7) != ((mode_t)mask & 7)
					   ? EACCES
					   : 0);
	front_end(r);
}

/* ---- setattr ---------------------------------------------------------------------------------------- */

/* A handle for one change: one that is open already, or a short-lived one. */
struct attr_handle {
	struct front_file *shared;
	struct door_file *own;
};

static struct door_file *handle_file(const struct attr_handle *h)
{
	return h->shared != NULL ? h->shared->file : h->own;
}

static NTSTATUS open_for_change(struct front_request *r, struct front_node *node, ACCESS_MASK access,
				struct attr_handle *h)
{
	struct rdr_fuse *fuse = r->fuse;
	struct door_open open = {.access = access | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = node->type == S_IFLNK ? FILE_OPEN_REPARSE_POINT : 0};
	struct door_opened opened;
	NTSTATUS status;

	h->own = NULL;
	h->shared = front_file_any(fuse, node, true);
	if (h->shared != NULL)
		return STATUS_SUCCESS;
	status = front_node_path(fuse, node, NULL, &open.path);
	if (!NT_SUCCESS(status))
		return status;
	status = door_open(fuse->volume, &r->caller, &open, &opened);
	door_name_free(&open.path);
	h->own = opened.file;
	return status;
}

static void close_after_change(struct front_request *r, struct attr_handle *h)
{
	if (h->shared != NULL)
		front_file_put(r->fuse, h->shared);
	if (h->own != NULL)
		(void)door_close(h->own, &r->caller); /* nothing is buffered behind it */
	h->shared = NULL;
	h->own = NULL;
}

static NTSTATUS set_size(struct front_request *r, struct front_node *node, struct fuse_file_info *fi,
			 off_t size)
{
	struct front_file *f = fi != NULL ? (struct front_file *)(uintptr_t)fi->fh : NULL;
	struct attr_handle h;
	NTSTATUS status;

	if (size < 0)
		return STATUS_INVALID_PARAMETER;
	if (f != NULL && f->can_write)
		return door_set_end_of_file(f->file, &r->caller, (uint64_t)size);
	status = open_for_change(r, node, FILE_WRITE_DATA, &h);
	if (NT_SUCCESS(status))
		status = door_set_end_of_file(handle_file(&h), &r->caller, (uint64_t)size);
	close_after_change(r, &h);
	return status;
}

static void now_to_nt(LARGE_INTEGER *t)
{
	KeQuerySystemTime(t);
}

/* mode < 0: leave the attribute.  The fields that stay 0 are not changed by the server. */
static NTSTATUS set_basic(struct front_request *r, struct front_node *node, const struct stat *attr,
			  int to_set)
{
	FILE_BASIC_INFORMATION basic;
	struct attr_handle h;
	NTSTATUS status;

	RtlZeroMemory(&basic, sizeof(basic));
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		now_to_nt(&basic.LastAccessTime);
	else if (to_set & FUSE_SET_ATTR_ATIME)
		basic.LastAccessTime.QuadPart = front_time_to_nt(&attr->st_atim);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		now_to_nt(&basic.LastWriteTime);
	else if (to_set & FUSE_SET_ATTR_MTIME)
		basic.LastWriteTime.QuadPart = front_time_to_nt(&attr->st_mtim);

	status = open_for_change(r, node, FILE_WRITE_ATTRIBUTES, &h);
	if (NT_SUCCESS(status) && (to_set & FUSE_SET_ATTR_MODE)) {
		FILE_STAT_INFORMATION stat;

		status = door_query_stat(handle_file(&h), &r->caller, &stat);
		basic.FileAttributes = stat.FileAttributes & ~(ULONG)FILE_ATTRIBUTE_READONLY;
		if (!(attr->st_mode & WRITE_BITS))
			basic.FileAttributes |= FILE_ATTRIBUTE_READONLY;
		basic.FileAttributes &= FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
					FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;
		/* 0 would mean "no change"; NORMAL means "none of them". */
		if (basic.FileAttributes == 0)
			basic.FileAttributes = FILE_ATTRIBUTE_NORMAL;
	}
	if (NT_SUCCESS(status))
		status = door_set_info(handle_file(&h), &r->caller, FileBasicInformation, &basic,
				       sizeof(basic));
	close_after_change(r, &h);
	return status;
}

void front_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		      struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	int basic = to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			      FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_MODE);
	FILE_STAT_INFORMATION stat;
	NTSTATUS status = STATUS_SUCCESS;

	if (r == NULL)
		return;
	if (((to_set & FUSE_SET_ATTR_UID) && attr->st_uid != fuse->options.uid) ||
	    ((to_set & FUSE_SET_ATTR_GID) && attr->st_gid != fuse->options.gid)) {
		front_reply_err(r, EPERM);
		goto out;
	}
	/* The read-only attribute of a folder means something else: its mode cannot be changed, as in cifs. */
	if (node->type == S_IFDIR)
		basic &= ~FUSE_SET_ATTR_MODE;
	front_node_changed(fuse, node);
	if (to_set & FUSE_SET_ATTR_SIZE)
		status = set_size(r, node, fi, attr->st_size);
	/* ATIME and MTIME are also set in the flags when only their NOW form is. */
	if (NT_SUCCESS(status) && basic != 0)
		status = set_basic(r, node, attr, basic);
	front_node_changed(fuse, node);
	if (NT_SUCCESS(status))
		status = stat_node(r, node, &stat);
	reply_attr(r, node, status, &stat, KeQueryInterruptTime());
out:
	front_end(r);
}
