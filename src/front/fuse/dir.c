/*
 * dir.c - listing folders.
 *
 * Owns:      struct front_dir, the cursor of one directory handle: the batch of entries that the server sent
 *            last, and the position of its first entry.
 * Opening:   the first entries come with the open where the driver can.  They are as old as that: a listing that begins
 *            later than a change of ours, or much later, is asked for anew.
 * Positions: 0 ".", 1 "..", then the entries in the server's order.  Going on where the last batch ended asks
 *            for the next one; going back within the batch costs nothing; further back restarts the listing.
 * Locks:     dir->mutex; the kernel lists one handle from one thread at a time, so nobody waits for it.
 * Dies when: its handle closes.
 *
 * Entries of a plus listing count as lookups.  A file that has open handles here, or just had, or that we have changed since the
 * server was asked, is listed without attributes; those of the others are believed for what is left of actimeo.
 */
#include <stddef.h>

#include "fuse_int.h"

#define BATCH_BYTES (256u << 10)
#define FIRST_POSITION 2 /* after "." and ".." */
#define EXPECTED 1024    /* entries */

struct front_dir {
	KGUARDED_MUTEX mutex;
	bool begun;   /* the first entries came with the open, and nobody has looked at them */
	bool started; /* the server was asked at least once */
	bool restart; /* it has to be asked from the beginning: the last attempt failed */
	bool ended;   /* the batch is the last one */
	off_t base;   /* position of the batch's first entry */
	off_t next;   /* position at `offset` */
	off_t shown;  /* position behind the last entry that was shown: others may follow that never are */
	ULONG offset; /* bytes into the batch */
	ULONG length; /* valid bytes of the batch; 0: none */
	ULONGLONG asked_at; /* interrupt time: no entry of the batch is older */
	void *batch;
	size_t capacity;               /* bytes of it */
	struct front_listing *listing; /* what came since the start, for lookups; NULL: not kept */
	/* constant once the handle is published */
	FILE_STAT_INFORMATION stat; /* of the folder, when it was opened */
	ULONGLONG stat_at;          /* interrupt time when that was asked for; 0: it was not */
};

static NTSTATUS dir_create(struct front_dir **out)
{
	struct front_dir *dir = ExAllocatePoolWithTag(NonPagedPool, sizeof(*dir), FUSE_TAG_DIR);

	*out = dir;
	if (dir == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(dir, sizeof(*dir));
	KeInitializeGuardedMutex(&dir->mutex);
	dir->base = dir->next = FIRST_POSITION;
	return STATUS_SUCCESS;
}

static void drop_batch(struct front_dir *dir)
{
	front_buffer_put(dir->batch, dir->capacity);
	dir->batch = NULL;
	dir->length = dir->offset = 0;
}

void front_dir_free(struct front_dir *dir)
{
	front_listing_discard(dir->listing);
	drop_batch(dir);
	ExFreePoolWithTag(dir, FUSE_TAG_DIR);
}

/*
 * The kernel asks for a folder's attributes when it has read it, for its time of access.  Those that came with the open
 * are as good as those of a lookup at that moment.
 */
bool front_dir_get_stat(struct rdr_fuse *fuse, struct front_node *node, FILE_STAT_INFORMATION *stat,
			ULONGLONG *since)
{
	struct front_file *f = node->type == S_IFDIR ? front_file_any(fuse, node, false) : NULL;
	bool good = false;

	if (f == NULL)
		return false;
	if (f->dir != NULL && f->dir->stat_at != 0) {
		*stat = f->dir->stat;
		*since = f->dir->stat_at;
		good = front_folder_is_as_asked(fuse, node, *since);
	}
	front_file_put(fuse, f);
	return good;
}

static NTSTATUS open_to_list(struct front_request *r, struct front_node *node, struct front_listing **listing,
			     struct door_opened *opened)
{
	struct rdr_fuse *fuse = r->fuse;
	struct door_open open = {.access = FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE,
				 .query = DOOR_QUERY_STAT}; /* rmdir must know who has it open */
	NTSTATUS status = front_node_path(fuse, node, NULL, &open.path);

	*listing = NULL;
	if (!NT_SUCCESS(status))
		return status;
	if (!atomic_load(&fuse->id_less))
		*listing = front_listing_start(fuse, node, EXPECTED);
	if (*listing != NULL)
		open.query |= DOOR_QUERY_LIST;
	status = door_open(fuse->volume, &r->caller, &open, opened);
	door_name_free(&open.path);
	/* Another folder has the name by now: the kernel looks it up again and comes back. */
	if (NT_SUCCESS(status) && front_node_is_another(fuse, node, &opened->stat)) {
		(void)door_close(opened->file, NULL);
		status = STATUS_OBJECT_NAME_NOT_FOUND;
	}
	if (!NT_SUCCESS(status)) {
		front_listing_discard(*listing);
		*listing = NULL;
	}
	return status;
}

void front_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	struct front_listing *listing;
	struct front_file *f = NULL;
	ULONGLONG now = KeQueryInterruptTime();
	struct door_opened opened;
	NTSTATUS status;

	if (r == NULL)
		return;
	status = open_to_list(r, node, &listing, &opened);
	if (NT_SUCCESS(status)) {
		status = front_file_create(fuse, node, opened.file, &f);
		if (!NT_SUCCESS(status))
			(void)door_close(opened.file, NULL); /* only listed */
	}
	if (NT_SUCCESS(status)) {
		status = dir_create(&f->dir);
		if (!NT_SUCCESS(status))
			front_file_put(fuse, f);
	}
	if (NT_SUCCESS(status)) {
		f->dir->begun = (opened.supplied & DOOR_QUERY_LIST) != 0;
		f->dir->listing = listing;
		listing = NULL;
		f->dir->stat = opened.stat;
		f->dir->stat_at = opened.supplied & DOOR_QUERY_STAT ? now : 0;
	}
	if (!NT_SUCCESS(status)) {
		front_listing_discard(listing);
		front_reply_status(r, front_node_status(status));
		goto out;
	}
	front_watch_used(fuse, node);
	/* Published too: an open folder is asked for its attributes through its handle. */
	front_file_publish(fuse, f);
	fi->fh = (uint64_t)(uintptr_t)f;
	fi->cache_readdir = 0;
	if (!front_claim(r) || fuse_reply_open(r->req, fi) != 0)
		front_file_drop(fuse, f);
out:
	front_end(r);
}

/* ---- the cursor ------------------------------------------------------------------------------------- */

static void take_common(struct dir_entry *e, const FILE_DIRECTORY_INFORMATION *info)
{
	e->stat.CreationTime = info->CreationTime;
	e->stat.LastAccessTime = info->LastAccessTime;
	e->stat.LastWriteTime = info->LastWriteTime;
	e->stat.ChangeTime = info->ChangeTime;
	e->stat.EndOfFile = info->EndOfFile;
	e->stat.AllocationSize = info->AllocationSize;
	e->stat.FileAttributes = info->FileAttributes;
	e->stat.NumberOfLinks = FRONT_LINKS_UNTOLD;
}

/*
 * The entry at @offset.  The drivers hand on what servers sent, so every length is checked.
 * Return: false when the batch is malformed there.
 */
bool front_dir_parse(const void *batch, ULONG length, bool with_id, ULONG offset, struct dir_entry *e)
{
	ULONG fixed = with_id ? offsetof(FILE_ID_BOTH_DIR_INFORMATION, FileName)
			      : offsetof(FILE_DIRECTORY_INFORMATION, FileName);
	const UCHAR *at = (const UCHAR *)batch + offset;
	const FILE_DIRECTORY_INFORMATION *common = (const void *)at;
	ULONG left, next;

	RtlZeroMemory(e, sizeof(*e));
	if (offset >= length || length - offset < fixed || offset % 8 != 0)
		return false;
	left = length - offset;
	next = common->NextEntryOffset;
	if (next != 0 && (next < fixed || next > left))
		return false;
	if (common->FileNameLength > left - fixed || common->FileNameLength % 2 != 0 ||
	    common->FileNameLength == 0 || common->FileNameLength > 1024)
		return false;
	/* The fields up to FileNameLength are the same in both classes. */
	take_common(e, common);
	if (with_id) {
		const FILE_ID_BOTH_DIR_INFORMATION *info = (const void *)at;

		e->stat.FileId = info->FileId;
		if (info->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
			e->stat.ReparseTag = info->EaSize; /* as documented for this class */
	}
	e->name.Buffer = (PWCH)(uintptr_t)(at + fixed);
	e->name.Length = (USHORT)common->FileNameLength;
	e->name.MaximumLength = e->name.Length;
	e->next_offset = next != 0 ? offset + next : 0;
	return true;
}

/* What the kernel does not take along as entries of a plus listing, the next lookups still need not ask for. */
static void keep_batch(struct rdr_fuse *fuse, struct front_dir *dir)
{
	struct dir_entry e = {.next_offset = 0};

	if (dir->listing == NULL)
		return;
	while (dir->length != 0) {
		if (!front_dir_parse(dir->batch, dir->length, true, e.next_offset, &e) ||
		    !front_listing_add(dir->listing, &e)) {
			front_listing_discard(dir->listing);
			dir->listing = NULL;
			return;
		}
		if (e.next_offset == 0)
			break;
	}
	if (dir->ended) {
		front_listing_install(fuse, dir->listing, true);
		dir->listing = NULL;
	}
}

static NTSTATUS fetch(struct front_request *r, struct front_file *f, bool restart)
{
	struct rdr_fuse *fuse = r->fuse;
	struct front_dir *dir = f->dir;
	NTSTATUS status = STATUS_INVALID_INFO_CLASS;
	ULONG returned = 0;

	restart = restart || dir->restart;
	dir->restart = restart; /* unless this succeeds */
	if (dir->batch == NULL)
		dir->batch = front_buffer_get(BATCH_BYTES, &dir->capacity);
	if (dir->batch == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!atomic_load(&fuse->id_less)) {
		status = door_query_directory(f->file, &r->caller, FileIdBothDirectoryInformation, NULL,
					      restart, dir->batch, BATCH_BYTES, &returned, &dir->asked_at);
		if (!dir->started && (status == STATUS_INVALID_INFO_CLASS || status == STATUS_NOT_SUPPORTED ||
				      status == STATUS_INVALID_PARAMETER || status == STATUS_NOT_IMPLEMENTED))
			atomic_store(&fuse->id_less, true);
	}
	if (atomic_load(&fuse->id_less)) {
		front_listing_discard(dir->listing);
		dir->listing = NULL;
		status = door_query_directory(f->file, &r->caller, FileDirectoryInformation, NULL, restart,
					      dir->batch, BATCH_BYTES, &returned, &dir->asked_at);
	}
	if (status == STATUS_NO_MORE_FILES || status == STATUS_NO_SUCH_FILE) {
		dir->ended = true;
		returned = 0;
		status = STATUS_SUCCESS;
	}
	/* A warning says that the buffer is full, which is no news. */
	if (NT_ERROR(status))
		return status;
	dir->started = true;
	dir->restart = false;
	dir->length = returned < BATCH_BYTES ? returned : BATCH_BYTES;
	dir->offset = 0;
	keep_batch(fuse, dir);
	if (dir->ended)
		drop_batch(dir);
	return STATUS_SUCCESS;
}

static NTSTATUS rewind_to_start(struct front_request *r, struct front_file *f)
{
	struct rdr_fuse *fuse = r->fuse;
	struct front_dir *dir = f->dir;
	bool as_opened = dir->begun && front_listing_is_fresh(fuse, dir->listing);
	bool again = dir->started || (dir->begun && !as_opened);

	dir->begun = false;
	dir->ended = false;
	dir->base = dir->next = dir->shown = FIRST_POSITION;
	dir->length = dir->offset = 0;
	if (!as_opened) {
		front_listing_discard(dir->listing);
		dir->listing =
			atomic_load(&fuse->id_less) ? NULL : front_listing_start(fuse, f->node, EXPECTED);
	}
	return fetch(r, f, again);
}

/*
 * The entry at the cursor, fetching the next batch when this one is used up.  Does not advance.
 * Return: STATUS_SUCCESS, STATUS_NO_MORE_FILES.
 */
static NTSTATUS current_entry(struct front_request *r, struct front_file *f, struct dir_entry *e)
{
	struct front_dir *dir = f->dir;
	NTSTATUS status;

	if (dir->offset >= dir->length) {
		if (dir->ended)
			return STATUS_NO_MORE_FILES;
		status = fetch(r, f, false);
		if (!NT_SUCCESS(status))
			return status;
		dir->base = dir->next;
		if (dir->length == 0)
			return STATUS_NO_MORE_FILES;
	}
	if (!front_dir_parse(dir->batch, dir->length, !atomic_load(&r->fuse->id_less), dir->offset, e))
		return STATUS_UNEXPECTED_NETWORK_ERROR;
	return STATUS_SUCCESS;
}

static void advance(struct front_dir *dir, const struct dir_entry *e)
{
	dir->offset = e->next_offset != 0 ? e->next_offset : dir->length;
	dir->next++;
}

static NTSTATUS seek(struct front_request *r, struct front_file *f, off_t position)
{
	struct front_dir *dir = f->dir;
	NTSTATUS status = STATUS_SUCCESS;

	if (position < FIRST_POSITION)
		position = FIRST_POSITION;
	if (!dir->started || dir->restart || position < dir->base ||
	    (position == FIRST_POSITION && dir->next != position)) {
		status = rewind_to_start(r, f);
	} else if (position < dir->next) {
		dir->next = dir->base;
		dir->offset = 0;
	}
	while (NT_SUCCESS(status) && dir->next < position) {
		struct dir_entry e;

		status = current_entry(r, f, &e);
		if (NT_SUCCESS(status))
			advance(dir, &e);
	}
	return status;
}

/* ---- filling the answer ----------------------------------------------------------------------------- */

struct dir_reply {
	struct front_request *r;
	struct front_node *node; /* of the folder */
	char *buffer;
	size_t size;
	size_t used;
	bool plus;
	ULONGLONG asked_at;          /* interrupt time, of the entries that are added now */
	struct front_node **counted; /* nodes whose nlookup this answer raised */
	size_t counted_n;
};

/* The smallest plus entry takes 152 bytes, a plain one 24. */
#define COUNTED_MAX(size) ((size) / 128 + 1)

static bool is_dot(const UNICODE_STRING *name)
{
	return (name->Length == 2 && name->Buffer[0] == '.') ||
	       (name->Length == 4 && name->Buffer[0] == '.' && name->Buffer[1] == '.');
}

/* "." and ".." as the kernel sees them: only type and number count, no node comes with them. */
static bool add_dot(struct dir_reply *reply, const char *name, off_t next)
{
	struct rdr_fuse *fuse = reply->r->fuse;
	struct fuse_entry_param e;
	size_t left = reply->size - reply->used, need;

	RtlZeroMemory(&e, sizeof(e));
	e.attr.st_mode = S_IFDIR;
	e.attr.st_ino = reply->node->file_id != 0 ? reply->node->file_id : front_ino_of(fuse, reply->node);
	need = reply->plus ? fuse_add_direntry_plus(reply->r->req, reply->buffer + reply->used, left, name,
						    &e, next)
			   : fuse_add_direntry(reply->r->req, reply->buffer + reply->used, left, name,
					       &e.attr, next);
	if (need > left)
		return false;
	reply->used += need;
	return true;
}

/* Return: false when it did not fit. */
static bool add_entry(struct dir_reply *reply, const struct dir_entry *entry, const char *name, off_t next)
{
	struct rdr_fuse *fuse = reply->r->fuse;
	struct fuse_entry_param e;
	struct front_node *node = NULL;
	size_t left = reply->size - reply->used, need;

	RtlZeroMemory(&e, sizeof(e));
	front_fill_stat(fuse, reply->node, &entry->stat, &e.attr);
	if (entry->stat.FileId.QuadPart == 0)
		e.attr.st_ino =
			0xFFFFFFFF; /* unknown until looked up; 0 would hide the entry from readdir() */
	if (!reply->plus) {
		need = fuse_add_direntry(reply->r->req, reply->buffer + reply->used, left, name, &e.attr,
					 next);
		if (need > left)
			return false;
		reply->used += need;
		return true;
	}
	/* Asked for its size first: a node must not be counted for an entry that stays out. */
	if (fuse_add_direntry_plus(reply->r->req, NULL, 0, name, &e, next) > left)
		return false;
	/* A link's length is not in the listing: its lookup finds it out. */
	if (front_type_of(&entry->stat) != S_IFLNK && reply->counted != NULL &&
	    reply->counted_n < COUNTED_MAX(reply->size) &&
	    NT_SUCCESS(front_node_obtain(fuse, reply->node, &entry->name, &entry->stat, &node))) {
		if (!front_listed_is_true(fuse, reply->node, &entry->name, node, reply->asked_at)) {
			front_node_forget(fuse, node, 1);
		} else {
			front_fill_entry(fuse, reply->node, node, &entry->stat, &e);
			front_entry_ages(&e, reply->asked_at);
			reply->counted[reply->counted_n++] = node;
		}
	}
	reply->used +=
		fuse_add_direntry_plus(reply->r->req, reply->buffer + reply->used, left, name, &e, next);
	return true;
}

static NTSTATUS fill(struct dir_reply *reply, struct front_file *f, off_t off)
{
	struct front_dir *dir = f->dir;
	NTSTATUS status;

	if (off <= 0 && !add_dot(reply, ".", 1))
		return STATUS_SUCCESS;
	if (off <= 1 && !add_dot(reply, "..", FIRST_POSITION))
		return STATUS_SUCCESS;
	/* whoever goes on at the end hears so: also in an empty folder, whose listing has "." and ".." only */
	if (off >= FIRST_POSITION && off >= dir->shown && dir->ended && dir->length == 0)
		return STATUS_SUCCESS;
	status = seek(reply->r, f, off);
	while (NT_SUCCESS(status)) {
		struct dir_entry e;
		char name[NAME_MAX + 1];
		size_t length;

		status = current_entry(reply->r, f, &e);
		if (!NT_SUCCESS(status))
			break;
		reply->asked_at = dir->asked_at;
		/* A name that POSIX cannot have (too long in bytes, a slash) cannot be shown. */
		if (!is_dot(&e.name) && !door_name_is_hidden(&e.name) &&
		    NT_SUCCESS(door_component_to_posix(&e.name, name, sizeof(name), &length))) {
			if (!add_entry(reply, &e, name, dir->next + 1))
				break;
			dir->shown = dir->next + 1;
		}
		advance(dir, &e);
	}
	if (status == STATUS_NO_MORE_FILES)
		return STATUS_SUCCESS;
	/* What is there already goes out; the error comes again at the next call. */
	return reply->used > 0 ? STATUS_SUCCESS : status;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_file *f = (struct front_file *)(uintptr_t)fi->fh;
	struct dir_reply reply = {.node = front_node_of(fuse, ino), .plus = plus};
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	size_t capacity = 0, i;
	bool sent = false;

	reply.r = front_begin(req, reply.node, NULL);
	if (reply.r == NULL)
		return;
	atomic_fetch_add(&f->refs, 1);
	reply.size = size < FRONT_MAX_IO ? size : FRONT_MAX_IO;
	reply.buffer = front_buffer_get(reply.size, &capacity);
	if (plus)
		reply.counted = ExAllocatePoolWithTag(
			NonPagedPool, COUNTED_MAX(reply.size) * sizeof(*reply.counted), FUSE_TAG_DIR);
	if (reply.buffer != NULL) {
		KeAcquireGuardedMutex(&f->dir->mutex);
		status = fill(&reply, f, off);
		KeReleaseGuardedMutex(&f->dir->mutex);
	}
	if (!NT_SUCCESS(status))
		front_reply_status(reply.r, status);
	else if (front_claim(reply.r))
		sent = fuse_reply_buf(reply.r->req, reply.buffer, reply.used) == 0;
	for (i = 0; !sent && i < reply.counted_n; i++)
		front_node_forget(fuse, reply.counted[i], 1);
	if (reply.counted != NULL)
		ExFreePoolWithTag(reply.counted, FUSE_TAG_DIR);
	front_buffer_put(reply.buffer, capacity);
	front_file_put(fuse, f);
	front_end(reply.r);
}

void front_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, ino, size, off, fi, false);
}

void front_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, ino, size, off, fi, true);
}

/* A server that cannot flush a folder says so; EINVAL is what fsync(2) gives for such descriptors. */
void front_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_node *node = front_node_of(fuse, ino);
	struct front_request *r = front_begin(req, node, NULL);
	struct door_open open = {.access = FILE_ADD_FILE | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE};
	struct door_opened opened;
	NTSTATUS status;
	bool removed;

	(void)datasync;
	(void)fi; /* opened for listing only, and servers flush what may be written */
	if (r == NULL)
		return;
	status = front_node_path(fuse, node, NULL, &open.path);
	removed = status == STATUS_OBJECT_NAME_NOT_FOUND;
	if (NT_SUCCESS(status)) {
		status = door_open(fuse->volume, &r->caller, &open, &opened);
		door_name_free(&open.path);
	}
	if (NT_SUCCESS(status)) {
		status = door_flush(opened.file, &r->caller);
		(void)door_close(opened.file, NULL);
	}
	if (removed)
		front_reply_err(r, 0); /* nothing of it is left that could be lost */
	else if (status == STATUS_ACCESS_DENIED || status == STATUS_INVALID_DEVICE_REQUEST ||
		 status == STATUS_NOT_SUPPORTED || status == STATUS_NOT_IMPLEMENTED ||
		 status == STATUS_INVALID_PARAMETER)
		front_reply_err(r, EINVAL);
	else
		front_reply_status(r, status);
	front_end(r);
}
