/*
 * names.c - mkdir, unlink, rmdir, rename.
 *
 * The door does what POSIX expects of open and replaced files; here the node table learns of it, so that our
 * own change is visible at once by every spelling.
 */
#include <linux/fs.h>

#include "fuse_int.h"

void front_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *dir = front_node_of(fuse, parent);
	struct front_request *r = front_begin(req, dir, NULL);
	struct door_open open = {.access = FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .attributes = FILE_ATTRIBUTE_NORMAL,
				 .disposition = FILE_CREATE,
				 .options = FILE_DIRECTORY_FILE,
				 .query = DOOR_QUERY_STAT | DOOR_QUERY_CLOSE};
	struct door_opened opened;
	NTSTATUS status;

	(void)mode; /* dir_mode is what every folder shows */
	if (r == NULL)
		return;
	status = front_node_path(fuse, dir, name, &open.path);
	front_change_begin(fuse, dir, name, FRONT_ADDS);
	if (NT_SUCCESS(status)) {
		status = door_open(fuse->volume, &r->caller, &open, &opened);
		door_name_free(&open.path);
	}
	front_change_end(fuse, dir, name);
	if (NT_SUCCESS(status))
		front_reply_made(r, dir, name, &opened.stat);
	else
		front_reply_status(r, status);
	front_end(r);
}

/* How often and how long what the kernel has closed is waited for. */
#define TRIES 5
#define MOMENT (3 * 10000) /* 100 ns, and twice as long each time: 93 ms in all */

enum wanted { ANY, DIRECTORY, NO_DIRECTORY };

/* 0 when the name was never looked up, or leads to something else than wanted. */
static uint64_t known_id(struct rdr_fuse *fuse, struct front_node *dir, const char *name, enum wanted wanted)
{
	struct front_node *node = front_node_find(fuse, dir, name);
	uint64_t id;

	if (node == NULL)
		return 0;
	id = wanted == ANY || (node->type == S_IFDIR) == (wanted == DIRECTORY) ? node->file_id : 0;
	front_node_unpin(fuse, node);
	return id;
}

/* A handle that only watches a folder, or one below it, would keep the server from moving or removing it. */
static void let_go(struct rdr_fuse *fuse, struct front_node *dir, const char *name)
{
	struct front_node *node = front_node_find(fuse, dir, name);

	if (node == NULL)
		return;
	if (node->type == S_IFDIR)
		front_watch_end_below(fuse, node);
	front_node_unpin(fuse, node);
}

static NTSTATUS remove_once(struct front_request *r, struct front_node *dir, const char *name,
			    BOOLEAN directory)
{
	UNICODE_STRING path;
	NTSTATUS status = front_node_path(r->fuse, dir, name, &path);

	if (!NT_SUCCESS(status))
		return status;
	status = door_remove(r->fuse->volume, &r->caller, &path, directory,
			     known_id(r->fuse, dir, name, directory ? DIRECTORY : NO_DIRECTORY));
	door_name_free(&path);
	return status;
}

/*
 * Where a file that was removed while it was open has to stay in its folder until it is closed, a folder that is not empty may
 * only not be empty yet: the kernel does not wait for its own releases.
 */
static NTSTATUS remove_folder_again(struct front_request *r, struct front_node *dir, const char *name)
{
	struct front_node *node = front_node_find(r->fuse, dir, name);
	bool lately = node != NULL && front_listing_removed_lately(r->fuse, node);
	LARGE_INTEGER moment = {.QuadPart = -MOMENT};
	NTSTATUS status = STATUS_DIRECTORY_NOT_EMPTY;

	if (node != NULL)
		front_node_unpin(r->fuse, node);
	for (unsigned int i = 0; lately && i < TRIES && status == STATUS_DIRECTORY_NOT_EMPTY; i++) {
		front_files_await_departing(r->fuse);
		(void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
		moment.QuadPart *= 2;
		status = remove_once(r, dir, name, TRUE);
	}
	return status;
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, BOOLEAN directory)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *dir = front_node_of(fuse, parent);
	struct front_request *r = front_begin(req, dir, NULL);
	NTSTATUS status;

	if (r == NULL)
		return;
	front_change_begin(fuse, dir, name, FRONT_REMOVES);
	if (directory)
		let_go(fuse, dir, name);
	status = remove_once(r, dir, name, directory);
	if (status == STATUS_DIRECTORY_NOT_EMPTY && directory && door_deleted_stay(fuse->volume))
		status = remove_folder_again(r, dir, name);
	if (NT_SUCCESS(status))
		front_name_removed(fuse, dir, name);
	front_name_is_removed(fuse, dir);
	front_change_end(fuse, dir, name);
	front_reply_status(r, status);
	front_end(r);
}

void front_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, FALSE);
}

void front_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, TRUE);
}

static NTSTATUS rename_once(struct front_request *r, struct front_node *from_dir, const char *name,
			    struct front_node *to_dir, const char *new_name, unsigned int flags)
{
	struct rdr_fuse *fuse = r->fuse;
	UNICODE_STRING from = {0}, to = {0};
	NTSTATUS status = front_node_path(fuse, from_dir, name, &from);

	if (NT_SUCCESS(status))
		status = front_node_path(fuse, to_dir, new_name, &to);
	if (NT_SUCCESS(status))
		status = door_rename(fuse->volume, &r->caller, &from, &to,
				     flags & RENAME_NOREPLACE ? 0 : DOOR_RENAME_REPLACE,
				     known_id(fuse, from_dir, name, NO_DIRECTORY),
				     known_id(fuse, to_dir, new_name, ANY));
	door_name_free(&from);
	door_name_free(&to);
	return status;
}

/*
 * A server moves no folder that something below it is open in. What was closed here may still be on its way: the kernel does
 * not wait for its releases, and a handle that watched is closed when the server has answered its wait.
 */
static bool may_be_on_its_way(struct rdr_fuse *fuse, struct front_node *dir, const char *name,
			      NTSTATUS status)
{
	struct front_node *node;
	bool folder;

	if (status != STATUS_ACCESS_DENIED && status != STATUS_SHARING_VIOLATION)
		return false;
	node = front_node_find(fuse, dir, name);
	folder = node != NULL && node->type == S_IFDIR;
	if (node != NULL)
		front_node_unpin(fuse, node);
	return folder;
}

void front_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		     const char *new_name, unsigned int flags)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *from_dir = front_node_of(fuse, parent);
	struct front_node *to_dir = front_node_of(fuse, new_parent);
	struct front_request *r = front_begin(req, from_dir, to_dir);
	LARGE_INTEGER moment = {.QuadPart = -MOMENT};
	NTSTATUS status;

	if (r == NULL)
		return;
	/* Exchanging two names is not one step on any server we talk to. */
	if (flags & ~(unsigned int)RENAME_NOREPLACE) {
		front_reply_err(r, EINVAL);
		goto out;
	}
	front_change_begin(fuse, from_dir, name, FRONT_REMOVES);
	front_change_begin(fuse, to_dir, new_name, FRONT_ADDS);
	let_go(fuse, from_dir, name);
	let_go(fuse, to_dir, new_name);
	status = rename_once(r, from_dir, name, to_dir, new_name, flags);
	for (unsigned int i = 0; i < TRIES && may_be_on_its_way(fuse, from_dir, name, status); i++) {
		front_files_await_departing(fuse);
		(void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
		moment.QuadPart *= 2;
		status = rename_once(r, from_dir, name, to_dir, new_name, flags);
	}
	if (NT_SUCCESS(status))
		front_name_moved(fuse, from_dir, name, to_dir, new_name);
	front_change_end(fuse, from_dir, name);
	front_change_end(fuse, to_dir, new_name);
	front_reply_status(r, status);
out:
	front_end(r);
}
