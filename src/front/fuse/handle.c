/*
 * handle.c - open handles: the kernel's fh, and who else may use it.
 *
 * Owns:      struct front_file.  fh is its address.
 * Found by:  the kernel's fh; the node's list (fstat, truncate and deletion work through any open handle).
 * Locks:     nodes.mutex for the list; refs is atomic.
 * Dies when: released by the kernel and the last user on another thread is done; the last one closes, which
 *            may use the network, so references are never dropped by a completion.
 */
#include "fuse_int.h"

#define DEPARTING_LIMIT (5 * 1000 * 1000) /* 100 ns */
#define LEAVING_LOOK (10ll * 10 * 1000)   /* 10 ms in 100 ns */
#define LEAVING_LIMIT \
	(2ull * 1000 * 10 * 1000) /* 2 s: a server that answers no close answers no change either */

NTSTATUS front_file_create(struct rdr_fuse *fuse, struct front_node *node, struct door_file *file,
			   struct front_file **out)
{
	struct front_file *f = ExAllocatePoolWithTag(NonPagedPool, sizeof(*f), FUSE_TAG_FILE);

	*out = f;
	if (f == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(f, sizeof(*f));
	atomic_init(&f->refs, 1);
	f->node = node;
	f->file = file;
	atomic_fetch_add_explicit(&fuse->n_files, 1, memory_order_relaxed);
	return STATUS_SUCCESS;
}

/* After the flags are set: from now on other requests find the handle through its node. */
void front_file_publish(struct rdr_fuse *fuse, struct front_file *f)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	InsertTailList(&f->node->files, &f->node_link);
	f->listed = true;
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

static void file_unlist(struct rdr_fuse *fuse, struct front_file *f)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	if (f->listed) {
		RemoveEntryList(&f->node_link);
		f->listed = false;
		f->departs = true;
		fuse->nodes.departing++;
		f->leaving = f->can_write;
		if (f->leaving) {
			f->node->pins++;
			f->node->leaving++;
		}
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

/*
 * The times are the last ones now. Who asked through the handle until it was released has told the kernel others, and so
 * may a listing of that time.
 */
static void file_has_left(struct rdr_fuse *fuse, struct front_node *node, bool wrote)
{
	front_node_changed(fuse, node);
	if (wrote)
		front_notify_inval_attr(fuse, front_ino_of(fuse, node));
	ExAcquireFastMutex(&fuse->nodes.mutex);
	node->leaving--;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	KeSetEvent(&fuse->nodes.left, IO_NO_INCREMENT, FALSE);
	front_node_unpin(fuse, node);
}

/* Closed: what its close did at the server is done. */
static void file_has_departed(struct rdr_fuse *fuse)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	fuse->nodes.departing--;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	KeSetEvent(&fuse->nodes.left, IO_NO_INCREMENT, FALSE);
}

bool front_files_depart(struct rdr_fuse *fuse)
{
	bool departing;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	departing = fuse->nodes.departing != 0;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return departing;
}

void front_files_await_departing(struct rdr_fuse *fuse)
{
	LARGE_INTEGER look = {.QuadPart = -LEAVING_LOOK};
	ULONGLONG until = KeQueryInterruptTime() + DEPARTING_LIMIT;
	bool departing = true;

	while (departing && KeQueryInterruptTime() < until) {
		KeClearEvent(&fuse->nodes.left);
		departing = front_files_depart(fuse);
		if (departing) /* another who waits may clear the event before this thread sees it */
			KeWaitForSingleObject(&fuse->nodes.left, Executive, KernelMode, FALSE, &look);
	}
}

void front_node_await_leaving(struct rdr_fuse *fuse, struct front_node *node)
{
	LARGE_INTEGER look = {.QuadPart = -LEAVING_LOOK};
	ULONGLONG until = KeQueryInterruptTime() + LEAVING_LIMIT;

	while (KeQueryInterruptTime() < until) {
		bool leaving;

		KeClearEvent(&fuse->nodes.left);
		ExAcquireFastMutex(&fuse->nodes.mutex);
		leaving = node->leaving != 0;
		ExReleaseFastMutex(&fuse->nodes.mutex);
		if (!leaving)
			return;
		/* another who waits may clear the event before this thread sees it */
		KeWaitForSingleObject(&fuse->nodes.left, Executive, KernelMode, FALSE, &look);
	}
}

void front_file_put(struct rdr_fuse *fuse, struct front_file *f)
{
	if (atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	front_locks_end(fuse, f);
	front_cache_leave(fuse, f);
	(void)door_close(f->file, NULL); /* close() was answered long ago: nobody to tell */
	if (f->leaving)
		file_has_left(fuse, f->node, atomic_load_explicit(&f->wrote, memory_order_relaxed));
	if (f->departs)
		file_has_departed(fuse);
	if (f->dir != NULL)
		front_dir_free(f->dir);
	ExFreePoolWithTag(f, FUSE_TAG_FILE);
	atomic_fetch_sub_explicit(&fuse->n_files, 1, memory_order_relaxed);
}

struct front_file *front_file_any(struct rdr_fuse *fuse, struct front_node *node, bool write)
{
	struct front_file *found = NULL;
	LIST_ENTRY *l;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	for (l = node->files.Flink; l != &node->files && found == NULL; l = l->Flink) {
		struct front_file *f = CONTAINING_RECORD(l, struct front_file, node_link);

		if (!write || f->can_write) {
			/* Listed handles have the kernel's reference, so this never revives one. */
			atomic_fetch_add(&f->refs, 1);
			found = f;
		}
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return found;
}

bool front_node_is_open(struct rdr_fuse *fuse, struct front_node *node)
{
	bool open;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	open = !IsListEmpty(&node->files);
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return open;
}

bool front_node_is_cached(struct rdr_fuse *fuse, struct front_node *node)
{
	bool cached;
	LIST_ENTRY *l;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	cached = node->cache != NULL;
	for (l = node->files.Flink; l != &node->files && !cached; l = l->Flink)
		cached = CONTAINING_RECORD(l, struct front_file, node_link)->cached;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return cached;
}

/* Ends the kernel's hold: the handle was released, or the answer that carried it was not wanted any more. */
void front_file_drop(struct rdr_fuse *fuse, struct front_file *f)
{
	struct front_node *node = f->node;

	front_node_pin(fuse, node);
	/* Before nobody sees any more that it was open. */
	if (f->can_write)
		front_node_changed(fuse, node);
	file_unlist(fuse, f);
	front_file_put(fuse, f);
	front_node_unpin(fuse, node);
}

/* RELEASE cannot be interrupted and its answer is not waited for. */
void front_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);

	(void)ino;
	front_locks_release((struct front_file *)(uintptr_t)fi->fh, fi);
	front_file_drop(fuse, (struct front_file *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

/* The mount is gone: what the kernel did not release is closed now.  No request runs any more. */
void front_files_close_all(struct rdr_fuse *fuse)
{
	for (;;) {
		struct front_file *f = NULL;
		LIST_ENTRY *n;

		ExAcquireFastMutex(&fuse->nodes.mutex);
		for (n = fuse->nodes.all.Flink; n != &fuse->nodes.all && f == NULL; n = n->Flink) {
			struct front_node *node = CONTAINING_RECORD(n, struct front_node, all_link);

			if (!IsListEmpty(&node->files))
				f = CONTAINING_RECORD(node->files.Flink, struct front_file, node_link);
		}
		ExReleaseFastMutex(&fuse->nodes.mutex);
		if (f == NULL)
			return;
		front_file_drop(fuse, f);
	}
}
