/*
 * lock.c - fcntl(2) and flock(2) locks of files: the kernel keeps none of them, it asks.
 *
 * An owner is a process's file table (fcntl) or an open file description (flock), as a number that the kernel makes
 * up. No thread waits for a lock: the door's end answers the kernel from whatever thread it runs on.
 *
 * Locks:     none of its own.
 * Dies when: a lock with F_UNLCK, with the close() of any descriptor of its owner (FLUSH), or, one of flock, with the
 *            last descriptor of its open file description (RELEASE).
 */
#include <fcntl.h>
#include <sys/file.h>

#include "fuse_int.h"

/* 100 ns: a page is not dropped while a read of it is under way, nor a name while its folder is being changed. */
#define PATIENCE (10ll * 1000 * 1000)

static enum door_lock_type type_of(short type)
{
	if (type == F_RDLCK)
		return DOOR_SHARED;
	return type == F_WRLCK ? DOOR_EXCLUSIVE : DOOR_UNLOCKED;
}

static short type_to(enum door_lock_type type)
{
	if (type == DOOR_SHARED)
		return F_RDLCK;
	return type == DOOR_EXCLUSIVE ? F_WRLCK : F_UNLCK;
}

/* The kernel has made the range absolute; l_len 0 is "to the end". */
static struct door_range range_of(const struct fuse_file_info *fi, const struct flock *lock)
{
	struct door_range range = {.owner = fi->lock_owner,
				   .start = (uint64_t)lock->l_start,
				   .end = DOOR_RANGE_END,
				   .pid = (uint32_t)lock->l_pid,
				   .type = type_of(lock->l_type),
				   .kind = DOOR_LOCK_POSIX};

	if (lock->l_len != 0 && (uint64_t)lock->l_len < range.end - range.start)
		range.end = range.start + (uint64_t)lock->l_len;
	return range;
}

/* The very last byte that there can be has no number at the server. */
static bool is_sane(const struct flock *lock)
{
	return lock->l_start >= 0 && lock->l_len >= 0 && (uint64_t)lock->l_start < DOOR_RANGE_END;
}

static void ignore(void *context, NTSTATUS status, ULONG_PTR information)
{
	(void)context;
	(void)status; /* giving up: there is nobody to tell */
	(void)information;
}

static void forget_names(struct front_request *r, struct front_node *folder)
{
	front_listing_changed(r->fuse, folder, NULL);
	front_name_changed(r->fuse, folder, NULL, true);
	front_notify_names_sent(r->fuse, PATIENCE);
}

static void forget_once(struct front_request *r)
{
	struct front_node *node = r->file->node, *folder = front_node_folder(r->fuse, node);

	if (folder != NULL) {
		forget_names(r, folder);
		front_node_unpin(r->fuse, folder);
	}
	front_notify_purge(r->fuse, front_ino_of(r->fuse, node), 0, 0, PATIENCE);
}

/*
 * Whoever gets a lock sees what the last holder did: the data of the file, its length, and the names beside it (a
 * database's journal). The server tells of a change without waiting for us, so that the word of it may come after the
 * lock: what is known from before is not to be trusted, grant or no grant. Names and attributes in a folder are not
 * believed for any time while a file in it is open that has had a lock; what was believed before the first is dropped.
 *
 * A lock under an exclusive grant, which the server was not asked for: there was no other holder since the grant, which its
 * number names. What was learned under it holds; what is older goes once.
 */
static void forget_old(struct front_request *r, ULONG_PTR leave)
{
	struct front_node *node = r->file->node, *folder;

	if (leave != 0) {
		if (atomic_exchange(&r->file->lock_leave, leave) != leave)
			forget_once(r);
		return;
	}
	if (!atomic_exchange(&r->file->locks, true)) {
		folder = front_node_folder(r->fuse, node);
		r->file->locked_in = folder;
		if (folder != NULL && atomic_fetch_add(&folder->locking, 1) == 0)
			forget_names(r, folder);
	}
	front_notify_purge(r->fuse, front_ino_of(r->fuse, node), 0, 0, PATIENCE);
}

void front_locks_end(struct rdr_fuse *fuse, struct front_file *f)
{
	if (f->locked_in == NULL)
		return;
	atomic_fetch_sub(&f->locked_in->locking, 1);
	front_node_unpin(fuse, f->locked_in);
	f->locked_in = NULL;
}

static void lock_done(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct front_request *r = context;
	bool heard = false;

	if (NT_SUCCESS(status) && r->range.type != DOOR_UNLOCKED)
		forget_old(r, information);
	if (front_claim(r))
		heard = fuse_reply_err(r->req, front_errno(r, status)) == 0;
	/* The kernel was answered before, or does not listen any more: nobody would ever give it up. */
	if (!heard && NT_SUCCESS(status) && r->range.type != DOOR_UNLOCKED) {
		r->range.type = DOOR_UNLOCKED;
		door_record_lock(r->file->file, NULL, &r->range, false, ignore, NULL);
	}
	front_file_put(r->fuse, r->file);
	front_end(r);
}

static void ask(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, const struct door_range *range,
		bool wait)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_request *r = front_begin(req, front_node_of(fuse, ino), NULL);

	if (r == NULL)
		return;
	r->range = *range;
	r->file = (struct front_file *)(uintptr_t)fi->fh;
	atomic_fetch_add(&r->file->refs, 1);
	door_record_lock(r->file->file, &r->caller, range, wait, lock_done, r);
}

void front_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep)
{
	struct door_range range = range_of(fi, lock);

	if (is_sane(lock))
		ask(req, ino, fi, &range, sleep != 0);
	else
		fuse_reply_err(req, EINVAL);
}

void front_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct door_range range = {.owner = fi->lock_owner,
				   .end = DOOR_RANGE_END,
				   .pid = (uint32_t)fuse_req_ctx(req)->pid,
				   .kind = DOOR_LOCK_FLOCK};

	if (op & LOCK_SH)
		range.type = DOOR_SHARED;
	else if (op & LOCK_EX)
		range.type = DOOR_EXCLUSIVE;
	ask(req, ino, fi, &range, !(op & LOCK_NB));
}

void front_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_file *f = (struct front_file *)(uintptr_t)fi->fh;
	struct door_range range = range_of(fi, lock);
	struct front_request *r;
	NTSTATUS status;

	if (!is_sane(lock)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	r = front_begin(req, front_node_of(fuse, ino), NULL);
	if (r == NULL)
		return;
	atomic_fetch_add(&f->refs, 1);
	status = door_record_test(f->file, &r->caller, &range);
	if (NT_SUCCESS(status)) {
		lock->l_type = type_to(range.type);
		lock->l_whence = SEEK_SET;
		lock->l_start = (off_t)range.start;
		lock->l_len = range.end == DOOR_RANGE_END ? 0 : (off_t)(range.end - range.start);
		lock->l_pid = (pid_t)range.pid;
		if (front_claim(r))
			fuse_reply_lock(r->req, lock);
	} else {
		front_reply_status(r, status);
	}
	front_file_put(fuse, f);
	front_end(r);
}

void front_locks_flush(struct front_file *f, uint64_t owner)
{
	door_record_release(f->file, DOOR_LOCK_POSIX, owner);
}

void front_locks_release(struct front_file *f, const struct fuse_file_info *fi)
{
	if (fi->flock_release)
		door_record_release(f->file, DOOR_LOCK_FLOCK, fi->lock_owner);
}
