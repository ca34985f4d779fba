/*
 * file.c - open, create, flush and fsync of regular files.
 *
 * Every open shares everything: POSIX has no share modes, and deletion and renaming of open files need it.
 * A read-only open lets the kernel keep pages: under the server's grant until that ends (cache.c); without one the
 * kernel asks for attributes before each read and drops the pages when the file changed. An open that may write
 * bypasses them, with one exception: one that may read and write, while nobody else has the file open (WRITECACHING).
 * That is what a shared mapping for writing needs; without the grant it fails with ENODEV.
 */
#include <fcntl.h>

#include "fuse_int.h"

#define NOTICE_PATIENCE (100 * 10000) /* 100 ns: no more than that for the kernel to hear of a change */
#define SMALL_FILE 65536              /* bytes: what one credit pays for */
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static ACCESS_MASK access_of(int flags)
{
	ACCESS_MASK access = SYNCHRONIZE | FILE_READ_ATTRIBUTES;

	if ((flags & O_ACCMODE) != O_WRONLY)
		access |= FILE_READ_DATA;
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		access |= FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES;
	return access;
}

/* O_SYNC: the data of a write is on the server's disk when it is answered. */
static ULONG options_of(int flags)
{
	return FILE_NON_DIRECTORY_FILE | (flags & O_DSYNC ? FILE_WRITE_THROUGH : 0);
}

static bool is_uncached(const struct rdr_fuse *fuse, int flags)
{
	return fuse->options.cache_none || (flags & O_DIRECT) != 0;
}

/* Wraps an open door file for the kernel; on failure it is closed. */
static NTSTATUS make_handle(struct front_request *r, struct front_node *node,
			    const struct door_opened *opened, struct fuse_file_info *fi,
			    struct front_file **out)
{
	struct rdr_fuse *fuse = r->fuse;
	NTSTATUS status = front_file_create(fuse, node, opened->file, out);
	bool maps, kept = false;

	if (!NT_SUCCESS(status)) {
		(void)door_close(opened->file, NULL); /* nothing was written through it */
		return status;
	}
	(*out)->can_read = (fi->flags & O_ACCMODE) != O_WRONLY;
	(*out)->can_write = (fi->flags & O_ACCMODE) != O_RDONLY;
	(*out)->append = (fi->flags & O_APPEND) != 0;
	maps = (*out)->can_read && (*out)->can_write && !(*out)->append && opened->write_caching;
	(*out)->cached = (!(*out)->can_write || maps) && !is_uncached(fuse, fi->flags);
	if ((*out)->cached && opened->read_caching)
		kept = front_cache_enter(fuse, *out, opened);
	if ((*out)->cached && (*out)->can_write) {
		(*out)->cached = front_cache_is_exclusive(*out);
		if ((*out)->cached)
			front_cache_maps(fuse, *out);
		else
			front_cache_leave(fuse, *out);
	}
	fi->fh = (uint64_t)(uintptr_t)*out;
	fi->direct_io = !(*out)->cached;
	fi->keep_cache = kept;
	fi->noflush = !(*out)->can_write && fuse->options.local_locks; /* every close() may give up locks */
	front_file_publish(fuse, *out);
	return STATUS_SUCCESS;
}

/* Truncates through the open where the server lets it, else afterwards: FILE_OVERWRITE minds attributes. */
static NTSTATUS open_existing(struct front_request *r, struct door_open *open, int flags,
			      struct door_opened *opened)
{
	struct rdr_fuse *fuse = r->fuse;
	NTSTATUS status;

	open->disposition = flags & O_TRUNC ? FILE_OVERWRITE : FILE_OPEN;
	status = door_open(fuse->volume, &r->caller, open, opened);
	if (status != STATUS_ACCESS_DENIED || !(flags & O_TRUNC))
		return status;
	open->disposition = FILE_OPEN;
	status = door_open(fuse->volume, &r->caller, open, opened);
	if (!NT_SUCCESS(status))
		return status;
	status = door_set_end_of_file(opened->file, &r->caller, 0);
	opened->supplied &= ~(ULONG)DOOR_QUERY_STAT; /* it was asked for before */
	if (!NT_SUCCESS(status)) {
		(void)door_close(opened->file, NULL); /* nothing was written through it */
		opened->file = NULL;
	}
	return status;
}

/* A program that may want to map the file for writing has an open without the grant that this takes. */
static bool could_be_better(struct rdr_fuse *fuse, struct front_node *node, NTSTATUS status, int flags,
			    const struct door_opened *opened)
{
	return NT_SUCCESS(status) && (flags & O_ACCMODE) == O_RDWR && !(flags & (O_APPEND | O_TRUNC)) &&
	       !is_uncached(fuse, flags) && opened->read_caching && !opened->write_caching &&
	       front_cache_ask_again(fuse, node);
}

/*
 * Return: STATUS_FILE_RENAMED: another file has the name by now: the kernel looks it up again and comes back. But the
 * kernel may know that already, and the engine not, which keeps opens for a while: it is told, once.
 */
static NTSTATUS open_node(struct front_request *r, struct front_node *node, struct door_open *open, int flags,
			  struct door_opened *opened)
{
	NTSTATUS status = open_existing(r, open, flags, opened);

	if (could_be_better(r->fuse, node, status, flags, opened) ||
	    (NT_SUCCESS(status) && front_node_is_another(r->fuse, node, &opened->stat) &&
	     !(flags & O_TRUNC))) {
		(void)door_close(opened->file, NULL);
		open->query |= DOOR_QUERY_FRESH;
		status = open_existing(r, open, flags, opened);
	}
	if (NT_SUCCESS(status) && front_node_is_another(r->fuse, node, &opened->stat)) {
		(void)door_close(opened->file, NULL);
		return STATUS_FILE_RENAMED;
	}
	return status;
}

/*
 * An open shows the file as it is: the kernel may believe older attributes, and would end a read where the file ended
 * then. Other clients' data may have come to the server for the very sake of this open.
 */
static void tell_change(struct rdr_fuse *fuse, struct front_node *node, const FILE_STAT_INFORMATION *stat)
{
	if (atomic_load_explicit(&node->told_size, memory_order_relaxed) != stat->EndOfFile.QuadPart ||
	    atomic_load_explicit(&node->told_time, memory_order_relaxed) != stat->LastWriteTime.QuadPart)
		front_notify_attributes(fuse, front_ino_of(fuse, node), NOTICE_PATIENCE);
}

/* A small file that is only read comes along with its open, unless the kernel has its pages. */
static void ask_for_data(struct rdr_fuse *fuse, struct front_node *node, int flags, struct door_open *open)
{
	LONGLONG size = atomic_load_explicit(&node->told_size, memory_order_relaxed);

	if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_DIRECT)) || fuse->options.cache_none ||
	    size <= 0 || size > SMALL_FILE || front_node_is_granted(fuse, node))
		return;
	open->query |= DOOR_QUERY_READ;
	open->read_length = (ULONG)size;
}

void front_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	struct door_open open = {.access = access_of(fi->flags),
				 .share = SHARE_ALL,
				 .options = options_of(fi->flags),
				 .no_cache = is_uncached(fuse, fi->flags),
				 .query = DOOR_QUERY_STAT | DOOR_QUERY_ID};
	struct front_file *f;
	struct door_opened opened;
	ULONGLONG since = KeQueryInterruptTime();
	NTSTATUS status;

	if (r == NULL)
		return;
	ask_for_data(fuse, node, fi->flags, &open);
	/*
	 * Pages that were changed in memory before the file is emptied, and are written behind that, would make it as long as
	 * it was. And while the engine has the file for this open, they would have to be written around it.
	 */
	if (fi->flags & O_TRUNC)
		front_notify_launder(fuse, node, 0, 0);
	status = fi->flags & O_TRUNC ? front_node_own_path(r, node, &open.path)
				     : front_node_path(fuse, node, NULL, &open.path);
	if (fi->flags & O_TRUNC)
		front_node_changed(fuse, node);
	if (NT_SUCCESS(status))
		status = open_node(r, node, &open, fi->flags, &opened);
	if (fi->flags & O_TRUNC) { /* also through a handle that cannot write, whose end changes nothing */
		front_node_changed(fuse, node);
		front_pages_forget_file(&fuse->pages, ino);
	}
	door_name_free(&open.path);
	if (NT_SUCCESS(status))
		status = make_handle(r, node, &opened, fi, &f);
	if (!NT_SUCCESS(status)) {
		front_reply_status(r, front_node_status(status));
		goto out;
	}
	if (opened.supplied & DOOR_QUERY_STAT) {
		front_cache_keep_stat(fuse, node, &opened.stat, since);
		tell_change(fuse, node, &opened.stat);
	}
	if (!front_claim(r) || fuse_reply_open(r->req, fi) != 0)
		front_file_drop(fuse, f);
out:
	front_end(r);
}

static ULONG disposition_of(int flags)
{
	if (flags & O_EXCL)
		return FILE_CREATE;
	return flags & O_TRUNC ? FILE_OVERWRITE_IF : FILE_OPEN_IF;
}

static NTSTATUS create_file(struct front_request *r, struct front_node *dir, const char *name, mode_t mode,
			    int flags, ULONG query, struct door_opened *opened)
{
	struct door_open open = {.access = access_of(flags),
				 .share = SHARE_ALL,
				 .attributes = mode & 0222 ? FILE_ATTRIBUTE_NORMAL : FILE_ATTRIBUTE_READONLY,
				 .disposition = disposition_of(flags),
				 .options = options_of(flags),
				 .no_cache = is_uncached(r->fuse, flags),
				 .query = query};
	NTSTATUS status = front_node_path(r->fuse, dir, name, &open.path);

	if (!NT_SUCCESS(status))
		return status;
	/* nobody knows a file of that name: one that is open under it somebody else has moved away */
	if (open.disposition == FILE_OPEN_IF)
		open.query |= DOOR_QUERY_FRESH;
	front_change_begin(r->fuse, dir, name, FRONT_ADDS);
	status = door_open(r->fuse->volume, &r->caller, &open, opened);
	front_change_end(r->fuse, dir, name);
	door_name_free(&open.path);
	return status;
}

void front_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		     struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *dir = front_node_of(fuse, parent);
	struct front_request *r = front_begin(req, dir, NULL);
	struct fuse_entry_param e;
	struct front_node *node = NULL;
	struct front_file *f = NULL;
	ULONGLONG since = KeQueryInterruptTime();
	struct door_opened opened;
	UNICODE_STRING wide;
	NTSTATUS status;

	if (r == NULL)
		return;
	status = create_file(r, dir, name, mode, fi->flags, DOOR_QUERY_STAT, &opened);
	if (!NT_SUCCESS(status))
		goto out;
	status = door_component_from_posix(name, strlen(name), &wide);
	if (NT_SUCCESS(status)) {
		if (opened.action == FILE_CREATED)
			front_node_is_made(fuse, dir, &wide, &opened.stat);
		status = front_node_obtain(fuse, dir, &wide, &opened.stat, &node);
		door_name_free(&wide);
	}
	if (!NT_SUCCESS(status)) {
		(void)door_close(opened.file, NULL); /* nothing was written through it */
		goto out;
	}
	if (fi->flags & O_TRUNC) {
		front_node_changed(fuse, node); /* its other names tell an older size */
		front_pages_forget_file(&fuse->pages, front_ino_of(fuse, node));
	}
	status = make_handle(r, node, &opened, fi, &f);
	if (!NT_SUCCESS(status)) {
		front_node_forget(fuse, node, 1);
		goto out;
	}
	front_cache_keep_stat(fuse, node, &opened.stat, since);
	front_fill_entry(fuse, dir, node, &opened.stat, &e);
	if (!front_claim(r) || fuse_reply_create(r->req, &e, fi) != 0) {
		front_node_pin(fuse, node);
		front_file_drop(fuse, f);
		front_node_forget(fuse, node, 1);
		front_node_unpin(fuse, node);
	}
out:
	if (!NT_SUCCESS(status))
		front_reply_status(r, status);
	front_end(r);
}

/* Regular files only: devices, sockets and pipes have no place on the servers we talk to. */
void front_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *dir = front_node_of(fuse, parent);
	struct front_request *r = front_begin(req, dir, NULL);
	struct door_opened opened;
	NTSTATUS status;

	(void)rdev;
	if (r == NULL)
		return;
	if (!S_ISREG(mode)) {
		front_reply_err(r, EPERM);
		goto out;
	}
	status = create_file(r, dir, name, mode, O_WRONLY | O_CREAT | O_EXCL,
			     DOOR_QUERY_STAT | DOOR_QUERY_CLOSE, &opened);
	if (NT_SUCCESS(status))
		front_reply_made(r, dir, name, &opened.stat);
	else
		front_reply_status(r, status);
out:
	front_end(r);
}

/* close(): data that was kept back is at the server when this is answered, or the answer says why not. */
void front_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct front_file *f = (struct front_file *)(uintptr_t)fi->fh;
	struct front_request *r = front_begin(req, NULL, NULL);
	NTSTATUS status;

	(void)ino;
	if (r == NULL)
		return;
	atomic_fetch_add(&f->refs, 1);
	front_locks_flush(f, fi->lock_owner);
	status = f->can_write ? door_write_back(f->file, &r->caller) : STATUS_SUCCESS;
	/* a handle that died with its connection has told its writes so */
	front_reply_status(r, status == STATUS_FILE_CLOSED ? STATUS_SUCCESS : status);
	front_file_put(r->fuse, f);
	front_end(r);
}

void front_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_file *f = (struct front_file *)(uintptr_t)fi->fh;
	struct front_file *writer = NULL;
	struct front_request *r = front_begin(req, node, NULL);
	NTSTATUS status;

	(void)datasync;
	if (r == NULL)
		return;
	atomic_fetch_add(&f->refs, 1);
	/* Servers flush through handles that may write. */
	if (!f->can_write)
		writer = front_file_any(fuse, node, true);
	status = door_flush(writer != NULL ? writer->file : f->file, &r->caller);
	/* Read-only handle and no writer of ours: nothing of ours is unwritten. */
	if (status == STATUS_ACCESS_DENIED && !f->can_write && writer == NULL)
		status = STATUS_SUCCESS;
	front_reply_status(r, status);
	if (writer != NULL)
		front_file_put(fuse, writer);
	front_file_put(fuse, f);
	front_end(r);
}
