/*
 * lookup.c - names to nodes, and the kernel letting nodes go.
 *
 * A lookup is one open-query-close, which a driver answers in one round trip, or none where a listing younger than
 * actimeo knows (listing.c).  FORGET is arithmetic.
 * Under a lease of the folder a listing knows its names for as long as the lease stands.
 * Negative answers are not believed by the kernel: another client may create the name.
 */

#include "fuse_int.h"

static enum front_known ask_listing(struct rdr_fuse *fuse, struct front_node *dir, const char *name,
				    FILE_STAT_INFORMATION *stat, ULONGLONG *since)
{
	enum front_known known;
	UNICODE_STRING wide;

	if (atomic_load(&dir->locking) != 0) /* a listing may be older than a lock; see lock.c */
		return FRONT_UNKNOWN;
	if (!NT_SUCCESS(door_component_from_posix(name, strlen(name), &wide)))
		return FRONT_UNKNOWN;
	known = front_listing_ask(fuse, dir, &wide, stat, since);
	door_name_free(&wide);
	return known;
}

/* A file that we have just written has its last times when the handle is closed. */
static void await_leaving(struct rdr_fuse *fuse, struct front_node *dir, const char *name)
{
	struct front_node *node = front_files_depart(fuse) ? front_node_find(fuse, dir, name) : NULL;

	if (node == NULL)
		return;
	front_node_await_leaving(fuse, node);
	front_node_unpin(fuse, node);
}

static NTSTATUS ask_server(struct front_request *r, struct front_node *dir, const char *name,
			   FILE_STAT_INFORMATION *stat)
{
	UNICODE_STRING path;
	NTSTATUS status = front_node_path(r->fuse, dir, name, &path);

	if (!NT_SUCCESS(status))
		return status;
	await_leaving(r->fuse, dir, name);
	status = door_stat_path(r->fuse->volume, &r->caller, &path, stat);
	if (NT_SUCCESS(status))
		front_link_size(r, &path, stat);
	door_name_free(&path);
	return status;
}

/*
 * A name that the kernel asks for again it does not lock: an answer from before the news may reach it after the news.
 * Who has written such an answer tells the news again.
 */
static void tell_again(struct rdr_fuse *fuse, struct front_node *dir, const char *name, unsigned int news)
{
	UNICODE_STRING wide;

	if (atomic_load(&dir->news) == news ||
	    !NT_SUCCESS(door_component_from_posix(name, strlen(name), &wide)))
		return;
	front_name_changed(fuse, dir, &wide, true);
	door_name_free(&wide);
}

void front_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *dir = front_node_of(fuse, parent);
	struct front_request *r = front_begin(req, dir, NULL);
	FILE_STAT_INFORMATION stat;
	enum front_known known;
	ULONGLONG since;
	NTSTATUS status;
	ULONG most;
	unsigned int news = atomic_load(&dir->news);

	if (r == NULL)
		return;
	front_watch_used(fuse, dir);
	known = ask_listing(fuse, dir, name, &stat, &since);
	if (known == FRONT_UNKNOWN && atomic_load(&dir->locking) == 0 &&
	    (most = front_listing_wanted(fuse, dir)) != 0) {
		front_listing_fetch(r, dir, most);
		known = ask_listing(fuse, dir, name, &stat, &since);
	}
	if (known == FRONT_THERE) {
		front_reply_known(r, dir, name, &stat, since);
	} else if (known == FRONT_NAMED) {
		front_reply_named(r, dir, name, &stat);
	} else if (known == FRONT_ABSENT) {
		front_reply_err(r, ENOENT);
	} else {
		status = ask_server(r, dir, name, &stat);
		if (NT_SUCCESS(status))
			front_reply_entry(r, dir, name, &stat);
		else
			front_reply_status(r, status);
	}
	tell_again(fuse, dir, name, news); /* the name stands in this thread's own receive buffer */
	front_end(r);
}

void front_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);

	front_node_forget(fuse, front_node_of(fuse, ino), nlookup);
	fuse_reply_none(req);
}

void front_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	size_t i;

	for (i = 0; i < count; i++)
		front_node_forget(fuse, front_node_of(fuse, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}
