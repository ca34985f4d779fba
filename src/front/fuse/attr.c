/*
 * attr.c - getattr and setattr.
 *
 * A node with an open handle is asked through it: that works for deleted files and shows what the handle
 * sees.  Others are asked by path in one round trip, when the handles that wrote them are closed.  Modes and owners as kernel cifs maps them: chmod turns
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
	front_node_await_leaving(fuse, node);
	status = door_stat_path(fuse->volume, &r->caller, &path, stat);
	if (NT_SUCCESS(status))
		front_link_size(r, &path, stat);
	door_name_free(&path);
	/* Another file by the same name: what the kernel holds is stale. */
	if (NT_SUCCESS(status) &&
	    (front_type_of(stat) != node->type || front_node_is_another(fuse, node, stat)))
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
	front_node_is_told(node, info);
	timeout = front_attr_timeout(r->fuse, node) - (double)(KeQueryInterruptTime() - since) / 1e7;
	if (front_claim(r))
		fuse_reply_attr(r->req, &st, timeout > 0 ? timeout : 0);
}

/*
 * The kernel asks by a handle before it reads pages, and by none for stat(2). After a write of ours only the size matters
 * to it, and a new time would have it drop what it has. Nobody may believe such an answer, so it has no time to live.
 */
static bool reply_for_pages(struct front_request *r, struct front_node *node, struct fuse_file_info *fi)
{
	struct front_file *f = fi != NULL ? (struct front_file *)(uintptr_t)fi->fh : NULL;
	FILE_STAT_INFORMATION stat;
	struct stat st;

	if (f == NULL || !atomic_load_explicit(&f->wrote, memory_order_relaxed) ||
	    !front_cache_get_own(r->fuse, f, &stat))
		return false;
	front_fill_stat(r->fuse, node, &stat, &st);
	if (front_claim(r))
		fuse_reply_attr(r->req, &st, 0);
	return true;
}

void front_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	FILE_STAT_INFORMATION stat;
	NTSTATUS status = STATUS_SUCCESS;
	ULONGLONG since = KeQueryInterruptTime();

	if (r == NULL)
		return;
	if (reply_for_pages(r, node, fi)) {
		front_end(r);
		return;
	}
	/* any handle of the file does */
	if (!front_cache_get_stat(fuse, node, &stat, &since) &&
	    !front_dir_get_stat(fuse, node, &stat, &since)) {
		since = KeQueryInterruptTime();
		status = stat_node(r, node, &stat);
		if (NT_SUCCESS(status))
			front_cache_keep_stat(fuse, node, &stat, since);
	}
	/* any handle of the file does; but a read begins with this question, and must say that a lock is lost */
	if (!NT_SUCCESS(status) && fi != NULL)
		status = door_record_status(((struct front_file *)(uintptr_t)fi->fh)->file, status);
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

/* One change of a file, with the question what it looks like afterwards. */
struct attr_change {
	FILE_INFORMATION_CLASS cls;
	const void *buffer;
	ULONG length;
	ACCESS_MASK access; /* that a handle needs for it */
};

static NTSTATUS change_by_path(struct front_request *r, struct front_node *node,
			       const struct attr_change *change, bool at_once, FILE_STAT_INFORMATION *stat)
{
	struct rdr_fuse *fuse = r->fuse;
	struct door_open open = {.access = change->access | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = node->type == S_IFLNK ? FILE_OPEN_REPARSE_POINT : 0,
				 .query = at_once ? DOOR_SET | DOOR_QUERY_STAT | DOOR_QUERY_CLOSE : 0,
				 .change = {{change->cls, change->buffer, change->length}},
				 .changes = 1};
	struct door_opened opened = {0};
	NTSTATUS status = front_node_own_path(r, node, &open.path);

	if (!NT_SUCCESS(status))
		return status;
	front_node_await_leaving(fuse, node); /* then they sleep, and the engine ends them */
	status = door_open(fuse->volume, &r->caller, &open, &opened);
	if ((opened.supplied & DOOR_SET) && NT_ERROR(opened.set_status))
		status = opened.set_status;
	*stat = opened.stat;
	if (opened.file != NULL) {
		status = door_set_info_stat(opened.file, &r->caller, change->cls, change->buffer,
					    change->length, stat);
		(void)door_close(opened.file, &r->caller); /* nothing is buffered behind it */
	}
	/* the name was given to another file, which the caller meant if he looked it up anew: he does so now */
	if (NT_SUCCESS(status) && front_node_is_another(fuse, node, stat))
		status = STATUS_FILE_RENAMED;
	if (NT_SUCCESS(status))
		front_link_size(r, &open.path, stat);
	door_name_free(&open.path);
	return front_node_status(status);
}

/*
 * Through @f, else through any handle that may write, else by path. A new size that travels with an open is not seen by
 * the engine: that is for files that nobody has open here.
 */
static NTSTATUS change_node(struct front_request *r, struct front_node *node, struct front_file *f,
			    const struct attr_change *change, FILE_STAT_INFORMATION *stat)
{
	struct front_file *shared = f == NULL ? front_file_any(r->fuse, node, true) : NULL;
	NTSTATUS status;

	if (f == NULL)
		f = shared;
	if (f == NULL)
		return change_by_path(
			r, node, change,
			change->cls != FileEndOfFileInformation || !front_node_is_open(r->fuse, node), stat);
	status = door_set_info_stat(f->file, &r->caller, change->cls, change->buffer, change->length, stat);
	if (shared != NULL)
		front_file_put(r->fuse, shared);
	return status;
}

static NTSTATUS set_size(struct front_request *r, struct front_node *node, struct fuse_file_info *fi,
			 off_t size, FILE_STAT_INFORMATION *stat)
{
	struct front_file *f = fi != NULL ? (struct front_file *)(uintptr_t)fi->fh : NULL;
	FILE_END_OF_FILE_INFORMATION eof = {.EndOfFile.QuadPart = size};
	struct attr_change change = {FileEndOfFileInformation, &eof, sizeof(eof), FILE_WRITE_DATA};

	if (size < 0)
		return STATUS_INVALID_PARAMETER;
	return change_node(r, node, f != NULL && f->can_write ? f : NULL, &change, stat);
}

static void now_to_nt(LARGE_INTEGER *t)
{
	KeQuerySystemTime(t);
}

static void fill_times(FILE_BASIC_INFORMATION *basic, const struct stat *attr, int to_set)
{
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		now_to_nt(&basic->LastAccessTime);
	else if (to_set & FUSE_SET_ATTR_ATIME)
		basic->LastAccessTime.QuadPart = front_time_to_nt(&attr->st_atim);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		now_to_nt(&basic->LastWriteTime);
	else if (to_set & FUSE_SET_ATTR_MTIME)
		basic->LastWriteTime.QuadPart = front_time_to_nt(&attr->st_mtim);
}

/* The attributes with the mode's write bits; 0 when they have them already. */
static ULONG attributes_for(ULONG now, mode_t mode)
{
	const ULONG kept = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |
			   FILE_ATTRIBUTE_ARCHIVE;
	ULONG wanted = now & ~(ULONG)FILE_ATTRIBUTE_READONLY;

	if (!(mode & WRITE_BITS))
		wanted |= FILE_ATTRIBUTE_READONLY;
	if (wanted == now)
		return 0;
	/* 0 would mean "no change"; NORMAL means "none of them". */
	return (wanted & kept) != 0 ? wanted & kept : FILE_ATTRIBUTE_NORMAL;
}

/*
 * Fields that stay 0 are not changed by the server. A mode that the server holds already, which is what most are, needs
 * no more than the question.
 */
static NTSTATUS set_basic(struct front_request *r, struct front_node *node, const struct stat *attr,
			  int to_set, FILE_STAT_INFORMATION *stat)
{
	FILE_BASIC_INFORMATION basic;
	struct attr_change change = {FileBasicInformation, &basic, sizeof(basic), FILE_WRITE_ATTRIBUTES};
	NTSTATUS status;

	RtlZeroMemory(&basic, sizeof(basic));
	fill_times(&basic, attr, to_set);
	if (to_set & FUSE_SET_ATTR_MODE) {
		status = stat_node(r, node, stat);
		if (!NT_SUCCESS(status))
			return status;
		basic.FileAttributes = attributes_for(stat->FileAttributes, attr->st_mode);
		if (basic.FileAttributes == 0 && basic.LastAccessTime.QuadPart == 0 &&
		    basic.LastWriteTime.QuadPart == 0)
			return STATUS_SUCCESS;
	}
	return change_node(r, node, NULL, &change, stat);
}

/* In the order of what may fail; each step tells what the file looks like after it. */
static NTSTATUS set_attr(struct front_request *r, struct front_node *node, const struct stat *attr,
			 int to_set, struct fuse_file_info *fi, FILE_STAT_INFORMATION *stat)
{
	int basic = to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			      FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_MODE);
	NTSTATUS status = STATUS_SUCCESS;

	/* The read-only attribute of a folder means something else: its mode cannot be changed, as in cifs. */
	if (node->type == S_IFDIR)
		basic &= ~FUSE_SET_ATTR_MODE;
	if (!(to_set & FUSE_SET_ATTR_SIZE) && basic == 0)
		return stat_node(r, node, stat);
	if (to_set & FUSE_SET_ATTR_SIZE)
		status = set_size(r, node, fi, attr->st_size, stat);
	/* ATIME and MTIME are also set in the flags when only their NOW form is. */
	if (NT_SUCCESS(status) && basic != 0)
		status = set_basic(r, node, attr, basic, stat);
	return status;
}

void front_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		      struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	ULONGLONG since = KeQueryInterruptTime();
	FILE_STAT_INFORMATION stat;
	NTSTATUS status;

	if (r == NULL)
		return;
	if (((to_set & FUSE_SET_ATTR_UID) && attr->st_uid != fuse->options.uid) ||
	    ((to_set & FUSE_SET_ATTR_GID) && attr->st_gid != fuse->options.gid)) {
		front_reply_err(r, EPERM);
		goto out;
	}
	front_node_changed(fuse, node);
	status = set_attr(r, node, attr, to_set, fi, &stat);
	if (to_set & FUSE_SET_ATTR_SIZE)
		front_pages_forget_file(&fuse->pages, ino);
	front_node_changed(fuse, node);
	reply_attr(r, node, status, &stat, since);
out:
	front_end(r);
}
