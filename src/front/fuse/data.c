/*
 * data.c - reads and writes.
 *
 * No thread waits: the driver's completion answers the kernel from whatever thread it runs on.
 * Memory:  a read goes into a pooled buffer and from there to the kernel; written data stays in the buffer it
 *          was received in, which belongs to the request until its completion.
 * A completion touches neither node nor handle (both may be gone when the request was answered early).
 *
 * Handles that the kernel keeps pages for transfer pages. Others pass the pages by: what was changed there through a
 * mapping is written before, and what is there is dropped behind a write.
 */

#include "fuse_int.h"

/* A transfer passes the kernel's pages by: what was changed in them comes to the server before it. */
static void launder_for(struct front_request *r, struct front_file *f, size_t size)
{
	if (r->offset == DOOR_APPEND)
		front_notify_launder(r->fuse, f->node, 0, 0);
	else
		front_notify_launder(r->fuse, f->node, r->offset, size);
}

/* Before the kernel has its pages: from then on they may be changed. */
static void note_fill(struct front_request *r, size_t got)
{
	struct front_pages *pages = &r->fuse->pages;

	if (r->fill == FILL_SHARED) {
		size_t kept = (got + FRONT_PAGE - 1) / FRONT_PAGE * FRONT_PAGE;

		front_pages_keep(pages, r->ino, r->offset, r->buffer, got, r->generation);
		if (kept < r->size)
			front_pages_forget(pages, r->ino, r->offset + kept, r->size - kept);
	} else if (r->fill == FILL_OWN) {
		front_pages_forget(pages, r->ino, r->offset, r->size);
	}
}

static void read_done(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct front_request *r = context;

	/* The end of the file is an empty answer. */
	if (status == STATUS_END_OF_FILE) {
		status = STATUS_SUCCESS;
		information = 0;
	}
	if (front_claim(r)) {
		if (NT_SUCCESS(status)) {
			atomic_fetch_add_explicit(&r->fuse->n_read, information, memory_order_relaxed);
			note_fill(r, information);
			fuse_reply_buf(r->req, r->buffer, information);
		} else {
			fuse_reply_err(r->req, front_errno(r, status));
		}
	}
	/* The grant is gone: nobody would say when these bytes change. */
	if (NT_SUCCESS(status) && r->inval)
		front_notify_inval_range(r->fuse, r->ino, r->offset, information);
	front_buffer_put(r->buffer, r->buffer_size);
	front_end(r);
}

void front_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_file *f = (struct front_file *)(uintptr_t)fi->fh;
	struct front_request *r = front_begin(req, NULL, NULL);

	if (r == NULL)
		return;
	r->ino = ino;
	r->buffer = front_buffer_get(size, &r->buffer_size);
	if (r->buffer == NULL || off < 0 || size > DOOR_IO_MAX) {
		front_reply_err(r, r->buffer == NULL ? ENOMEM : EINVAL);
		front_buffer_put(r->buffer, r->buffer_size);
		front_end(r);
		return;
	}
	/* An early answer may bring the kernel's RELEASE while the driver is being called. */
	atomic_fetch_add(&f->refs, 1);
	r->offset = (uint64_t)off;
	r->size = size;
	if (f->cached) {
		r->generation = front_pages_generation(&fuse->pages, ino);
		r->inval = front_cache_renew(r, f);
		door_read_pages_async(f->file, &r->caller, r->buffer, (ULONG)size, (uint64_t)off, read_done,
				      r);
	} else {
		launder_for(r, f, size);
		door_read_async(f->file, &r->caller, r->buffer, (ULONG)size, (uint64_t)off, read_done, r);
	}
	front_file_put(fuse, f);
}

static void write_done(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct front_request *r = context;
	struct rdr_fuse *fuse = r->fuse;

	/* Pages that read-only handles keep show the old bytes. */
	if (NT_SUCCESS(status) && r->inval)
		front_notify_inval_range(fuse, r->ino, r->offset == DOOR_APPEND ? 0 : r->offset,
					 r->offset == DOOR_APPEND ? 0 : information);
	if (front_claim(r)) {
		if (NT_SUCCESS(status)) {
			atomic_fetch_add_explicit(&fuse->n_written, information, memory_order_relaxed);
			fuse_reply_write(r->req, information);
		} else {
			fuse_reply_err(r->req, front_errno(r, status));
		}
	}
	front_recv_put(fuse, r->recv);
	front_end(r);
}

/* ---- changed pages and locks ---- */

/*
 * A page that was changed through a mapping, and has bytes that are locked shared: the server lets nobody write those,
 * the holder neither. The program has not changed them, as a rule, so only what differs from the file goes to the server;
 * what it has changed there all the same is refused.
 */
struct changed_page {
	WORK_QUEUE_ITEM work;
	struct front_request *r;
	struct front_file *f; /* referenced */
	const char *data;     /* in r->recv */
	size_t size;          /* bytes */
	KEVENT done;
	NTSTATUS status;
	ULONG_PTR information;
	bool known; /* the page as it was handed out */
};

static void part_done(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct changed_page *page = context;

	page->status = status;
	page->information = information;
	KeSetEvent(&page->done, IO_NO_INCREMENT, FALSE);
}

/* The bytes from @lo to @hi, as they are at the server (@now) or shall be. */
static NTSTATUS transfer_part(struct changed_page *page, char *now, size_t lo, size_t hi)
{
	struct door_caller caller = {.requester = page->r->caller.requester};

	KeInitializeEvent(&page->done, NotificationEvent, FALSE);
	if (now != NULL)
		door_read_pages_async(page->f->file, &caller, now + lo, (ULONG)(hi - lo),
				      page->r->offset + lo, part_done, page);
	else
		door_write_pages_async(page->f->file, &caller, page->data + lo, (ULONG)(hi - lo),
				       page->r->offset + lo, part_done, page);
	KeWaitForSingleObject(&page->done, Executive, KernelMode, FALSE, NULL);
	return page->status;
}

static NTSTATUS write_differences(struct changed_page *page, const char *now, size_t known)
{
	NTSTATUS status = STATUS_SUCCESS;
	size_t lo = 0, hi;

	while (lo < page->size && NT_SUCCESS(status)) {
		if (lo < known && now[lo] == page->data[lo]) {
			lo++;
			continue;
		}
		for (hi = lo + 1; hi < page->size && (hi >= known || now[hi] != page->data[hi]);)
			hi++;
		status = transfer_part(page, NULL, lo, hi);
		lo = hi;
	}
	return status;
}

static NTSTATUS write_what_differs(struct changed_page *page)
{
	size_t capacity;
	char *now = front_buffer_get(page->size, &capacity);
	NTSTATUS status;

	if (now == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = transfer_part(page, now, 0, page->size);
	if (NT_SUCCESS(status))
		status = write_differences(page, now, page->information);
	front_buffer_put(now, capacity);
	return status;
}

/* Somebody else may have written into the page since it was handed out. */
static NTSTATUS write_what_was_stored(struct changed_page *page)
{
	struct front_request *r = page->r;
	size_t capacity;
	char *before = front_buffer_get(page->size, &capacity);
	NTSTATUS status;

	if (before == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	front_pages_get(&r->fuse->pages, r->ino, r->offset, page->data, before, page->size);
	status = write_differences(page, before, page->size);
	front_buffer_put(before, capacity);
	return status;
}

/* Before the kernel knows: the next stores to the page are what differs from this. */
static void changed_page_end(struct changed_page *page, NTSTATUS status)
{
	if (page->known && NT_SUCCESS(status))
		front_pages_keep(&page->r->fuse->pages, page->r->ino, page->r->offset, page->data, page->size,
				 page->r->generation);
	write_done(page->r, status, page->size);
	ExFreePoolWithTag(page, FUSE_TAG_REQUEST);
}

/* Once it is on a thread that may wait. */
static VOID changed_page_worker(PVOID context)
{
	struct changed_page *page = context;
	NTSTATUS status = page->status;

	if (page->known)
		status = write_what_was_stored(page);
	else if (status == STATUS_FILE_LOCK_CONFLICT)
		status = write_what_differs(page);
	front_file_put(page->r->fuse, page->f); /* the request keeps the mount */
	changed_page_end(page, status);
}

/* False: it is the last reference, and whoever gives it up closes the file. */
static bool give_up_one_of_several(struct front_file *f)
{
	unsigned int refs = atomic_load(&f->refs);

	while (refs > 1)
		if (atomic_compare_exchange_weak(&f->refs, &refs, refs - 1))
			return true;
	return false;
}

static void changed_page_done(void *context, NTSTATUS status, ULONG_PTR information)
{
	struct changed_page *page = context;

	(void)information; /* all of it, or an error */
	if (status != STATUS_FILE_LOCK_CONFLICT && give_up_one_of_several(page->f)) {
		changed_page_end(page, status);
		return;
	}
	page->status = status;
	ExInitializeWorkItem(&page->work, changed_page_worker, page);
	ExQueueWorkItem(&page->work, CriticalWorkQueue);
}

/* Of the kernel's pages: @changed: through a mapping, some time ago; else by a write that goes through them now. */
static void write_pages(struct front_request *r, struct front_file *f, const char *buf, size_t size,
			bool changed)
{
	struct changed_page *page = NULL;

	if (changed) {
		page = ExAllocatePoolZero(NonPagedPool, sizeof(*page), FUSE_TAG_REQUEST);
		if (page == NULL) {
			front_recv_put(r->fuse, r->recv);
			front_reply_err(r, ENOMEM);
			front_end(r);
			return;
		}
		*page = (struct changed_page){.r = r, .f = f, .data = buf, .size = size};
		atomic_fetch_add(&f->refs, 1);
		r->generation = front_pages_generation(&r->fuse->pages, r->ino);
		page->known = front_pages_have(&r->fuse->pages, r->ino, r->offset, size);
		if (page->known) {
			ExInitializeWorkItem(&page->work, changed_page_worker, page);
			ExQueueWorkItem(&page->work, CriticalWorkQueue);
			return;
		}
		door_write_pages_async(f->file, &r->caller, buf, (ULONG)size, r->offset, changed_page_done,
				       page);
		return;
	}
	front_pages_forget(&r->fuse->pages, r->ino, r->offset, size);
	r->inval = !front_cache_may_keep_changes(r->fuse, f->node);
	door_write_pages_async(f->file, &r->caller, buf, (ULONG)size, r->offset, write_done, r);
}

void front_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_file *f = (struct front_file *)(uintptr_t)fi->fh;
	struct front_request *r = front_begin(req, NULL, NULL);

	if (r == NULL)
		return;
	if (off < 0 || size > DOOR_IO_MAX) {
		front_reply_err(r, EINVAL);
		front_end(r);
		return;
	}
	r->ino = ino;
	r->offset = f->append && !fi->writepage ? DOOR_APPEND : (uint64_t)off;
	r->recv = front_recv_take();
	atomic_fetch_add(&f->refs, 1);
	atomic_store_explicit(&f->wrote, true, memory_order_relaxed);
	if (f->cached) {
		write_pages(r, f, buf, size, fi->writepage);
	} else {
		launder_for(r, f, size);
		r->inval = front_node_is_cached(fuse, f->node);
		door_write_async(f->file, &r->caller, buf, (ULONG)size, r->offset, write_done, r);
	}
	front_file_put(fuse, f);
}
