/*
 * reply.c - from the server's view of a file to struct stat and back.
 *
 * Owns:      nothing.
 * Rules:     modes, owner and times as kernel cifs shows them without POSIX extensions: the mounter owns
 *            everything, file_mode and dir_mode give the bits, FILE_ATTRIBUTE_READONLY takes the write bits of
 *            a file away.  The inode number is the server's file id when it gives one.
 */
#include "fuse_int.h"

#define EPOCH_DELTA 116444736000000000ll /* 100 ns from 1601 to 1970 */
#define TICKS_PER_SECOND 10000000ll

static void time_to_posix(const LARGE_INTEGER *nt, struct timespec *ts)
{
	int64_t t = nt->QuadPart - EPOCH_DELTA;

	if (nt->QuadPart == 0)
		t = 0; /* not kept by the server */
	ts->tv_sec = t / TICKS_PER_SECOND;
	ts->tv_nsec = (t % TICKS_PER_SECOND) * 100;
	if (ts->tv_nsec < 0) {
		ts->tv_nsec += 1000000000;
		ts->tv_sec--;
	}
}

/* Clamped to what a server can hold; 0 and below would mean "do not change" on the wire. */
int64_t front_time_to_nt(const struct timespec *ts)
{
	int64_t seconds = ts->tv_sec;

	if (seconds < -(EPOCH_DELTA / TICKS_PER_SECOND))
		return 1;
	if (seconds > (INT64_MAX - EPOCH_DELTA) / TICKS_PER_SECOND - 1)
		return INT64_MAX;
	seconds = seconds * TICKS_PER_SECOND + ts->tv_nsec / 100 + EPOCH_DELTA;
	return seconds > 0 ? seconds : 1;
}

uint32_t front_type_of(const FILE_STAT_INFORMATION *stat)
{
	if (stat->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) {
		if (stat->ReparseTag == IO_REPARSE_TAG_SYMLINK ||
		    stat->ReparseTag == IO_REPARSE_TAG_LX_SYMLINK ||
		    stat->ReparseTag == IO_REPARSE_TAG_MOUNT_POINT || stat->ReparseTag == IO_REPARSE_TAG_NFS)
			return S_IFLNK;
	}
	return stat->FileAttributes & FILE_ATTRIBUTE_DIRECTORY ? S_IFDIR : S_IFREG;
}

void front_fill_stat(struct rdr_fuse *fuse, struct front_node *node, const FILE_STAT_INFORMATION *info,
		     struct stat *st)
{
	uint32_t type = front_type_of(info);

	RtlZeroMemory(st, sizeof(*st));
	st->st_ino = (ino_t)info->FileId.QuadPart;
	if (st->st_ino == 0 || st->st_ino == ~(ino_t)0)
		st->st_ino = front_ino_of(fuse, node);
	st->st_uid = fuse->options.uid;
	st->st_gid = fuse->options.gid;
	st->st_nlink = info->NumberOfLinks != FRONT_LINKS_UNTOLD ? info->NumberOfLinks : 1;
	st->st_size = info->EndOfFile.QuadPart;
	st->st_blocks = (info->AllocationSize.QuadPart + 511) / 512;
	st->st_blksize = 1 << 16;
	switch (type) {
	case S_IFDIR:
		st->st_mode = S_IFDIR | fuse->options.dir_mode;
		st->st_nlink = 1; /* no count of sub-directories: tools must not conclude there are none */
		st->st_size = 0;
		st->st_blocks = 0;
		break;
	case S_IFLNK:
		st->st_mode = S_IFLNK | 0777;
		break;
	default:
		st->st_mode = S_IFREG | fuse->options.file_mode;
		if (info->FileAttributes & FILE_ATTRIBUTE_READONLY)
			st->st_mode &= ~(mode_t)0222;
		break;
	}
	time_to_posix(&info->LastAccessTime, &st->st_atim);
	time_to_posix(&info->LastWriteTime, &st->st_mtim);
	time_to_posix(info->ChangeTime.QuadPart != 0 ? &info->ChangeTime : &info->LastWriteTime,
		      &st->st_ctim);
}

/*
 * With pages in the kernel and no grant (any more), each read asks whether the file changed: no timeout then, but with
 * cache=loose, where an open is when a file is looked at. Nor beside locks: see lock.c.
 */
double front_attr_timeout(struct rdr_fuse *fuse, struct front_node *node)
{
	if (front_node_is_beside_locks(fuse, node))
		return 0.0;
	if (fuse->options.cache_loose)
		return fuse->timeout;
	return front_node_is_cached(fuse, node) && !front_node_is_granted(fuse, node) ? 0.0 : fuse->timeout;
}

void front_node_is_told(struct front_node *node, const FILE_STAT_INFORMATION *info)
{
	atomic_store_explicit(&node->told_size, info->EndOfFile.QuadPart, memory_order_relaxed);
	atomic_store_explicit(&node->told_time, info->LastWriteTime.QuadPart, memory_order_relaxed);
	if (info->NumberOfLinks != FRONT_LINKS_UNTOLD && node->type == S_IFREG)
		atomic_store_explicit(&node->told_links, info->NumberOfLinks, memory_order_relaxed);
}

void front_fill_entry(struct rdr_fuse *fuse, struct front_node *parent, struct front_node *node,
		      const FILE_STAT_INFORMATION *info, struct fuse_entry_param *e)
{
	RtlZeroMemory(e, sizeof(*e));
	e->ino = front_ino_of(fuse, node);
	e->entry_timeout = fuse->timeout;
	if (front_node_has_spellings(fuse, node, parent) || atomic_load(&parent->locking) != 0)
		e->entry_timeout = 0;
	e->attr_timeout = front_attr_timeout(fuse, node);
	front_fill_stat(fuse, node, info, &e->attr);
	front_node_is_told(node, info);
}

static void entry_ages(struct fuse_entry_param *e, double name_age, double age)
{
	e->entry_timeout = e->entry_timeout > name_age ? e->entry_timeout - name_age : 0;
	e->attr_timeout = e->attr_timeout > age ? e->attr_timeout - age : 0;
}

void front_entry_ages(struct fuse_entry_param *e, ULONGLONG since)
{
	double age = (double)(KeQueryInterruptTime() - since) / 1e7;

	entry_ages(e, age, age);
}

static void reply_entry(struct front_request *r, struct front_node *parent, const char *name, bool made,
			const FILE_STAT_INFORMATION *stat, double name_age, double age)
{
	struct rdr_fuse *fuse = r->fuse;
	struct fuse_entry_param e;
	struct front_node *node;
	UNICODE_STRING wide;
	NTSTATUS status = door_component_from_posix(name, strlen(name), &wide);

	if (NT_SUCCESS(status)) {
		if (made)
			front_node_is_made(fuse, parent, &wide, stat);
		status = front_node_obtain(fuse, parent, &wide, stat, &node);
		door_name_free(&wide);
	}
	if (!NT_SUCCESS(status)) {
		front_reply_status(r, status);
		return;
	}
	front_fill_entry(fuse, parent, node, stat, &e);
	entry_ages(&e, name_age, age);
	if (!front_claim(r) || fuse_reply_entry(r->req, &e) != 0)
		front_node_forget(fuse, node, 1);
}

void front_reply_entry(struct front_request *r, struct front_node *parent, const char *name,
		       const FILE_STAT_INFORMATION *stat)
{
	reply_entry(r, parent, name, false, stat, 0, 0);
}

void front_reply_made(struct front_request *r, struct front_node *parent, const char *name,
		      const FILE_STAT_INFORMATION *stat)
{
	reply_entry(r, parent, name, true, stat, 0, 0);
}

void front_reply_known(struct front_request *r, struct front_node *parent, const char *name,
		       const FILE_STAT_INFORMATION *stat, ULONGLONG since)
{
	double age = (double)(KeQueryInterruptTime() - since) / 1e7;

	reply_entry(r, parent, name, false, stat, age, age);
}

void front_reply_named(struct front_request *r, struct front_node *parent, const char *name,
		       const FILE_STAT_INFORMATION *stat)
{
	reply_entry(r, parent, name, false, stat, 0, r->fuse->timeout);
}
