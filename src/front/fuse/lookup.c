/*
 * lookup.c - names to nodes, and the kernel letting nodes go.
 *
 * A lookup is one open-query-close, which a driver answers in one round trip.  FORGET is arithmetic.
 * Negative answers are not believed by the kernel: another client may create the name.
 */

#include "fuse_int.h"

void front_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *dir = front_node_of(fuse, parent);
	struct front_request *r = front_begin(req, dir, NULL);
	FILE_STAT_INFORMATION stat;
	UNICODE_STRING path;
	NTSTATUS status;

	if (r == NULL)
		return;
	status = front_node_path(fuse, dir, name, &path);
	if (NT_SUCCESS(status)) {
		status = door_stat_path(fuse->volume, &r->caller, &path, &stat);
		if (NT_SUCCESS(status))
			front_link_size(r, &path, &stat);
		door_name_free(&path);
	}
	if (NT_SUCCESS(status))
		front_reply_entry(r, dir, name, &stat);
	else
		front_reply_status(r, status);
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
