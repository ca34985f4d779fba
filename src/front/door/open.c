/*
 * open.c - file objects: create, cleanup, close, and the query that travels with a create.
 *
 * Owns:      struct door_file.
 * Found by:  its owner; by file id in the volume's table, so that a deletion knows who else has it open.
 * Locks:     volume->mutex for the table; references are atomic.
 * Dies when: door_close() was called and the last request on it ended.  That may be a completion, which must
 *            not wait: IRP_MJ_CLOSE then goes out from a worker.
 */
#include "locks.h"

#include "mrxfcb.h"

NTSTATUS door_object_create(struct door *door, const UNICODE_STRING *name, PFILE_OBJECT *out)
{
	return nt_file_object_create(door->device, name, out);
}

static NTSTATUS simple(struct door *door, PFILE_OBJECT object, const struct door_caller *caller, UCHAR major)
{
	struct door_caller closer = {{0}, NULL};
	struct door_request *r;
	NTSTATUS status;

	/* A close is never cancelled. */
	if (caller != NULL)
		closer.requester = caller->requester;
	status = door_request_create(door, object, NULL, &closer, major, 0, &r);
	if (!NT_SUCCESS(status))
		return status;
	r->irp->Flags |= IRP_CLOSE_OPERATION;
	return door_request_run(r, &closer, NULL);
}

NTSTATUS door_object_cleanup(struct door *door, PFILE_OBJECT object, const struct door_caller *caller)
{
	NTSTATUS status = simple(door, object, caller, IRP_MJ_CLEANUP);

	nt_file_set_flags(object, FO_CLEANUP_COMPLETE); /* also when there was no memory to ask the driver */
	return status;
}

void door_object_close(struct door *door, PFILE_OBJECT object)
{
	(void)simple(door, object, NULL, IRP_MJ_CLOSE); /* cannot fail but by lack of memory */
	ObDereferenceObject(object);
}

/* ---- files ------------------------------------------------------------------------------------------ */

static LIST_ENTRY *bucket_of(struct door_volume *volume, uint64_t id)
{
	return &volume->by_id[(id * 0x9E3779B97F4A7C15ull) >> 56];
}

static bool is_id(uint64_t id)
{
	return id != 0 && id != ~(uint64_t)0;
}

static void file_hash_locked(struct door_file *file, uint64_t id)
{
	if (!is_id(id))
		return;
	file->id = id;
	file->hashed = TRUE;
	InsertTailList(bucket_of(file->volume, id), &file->id_link);
}

static void file_hash(struct door_file *file, uint64_t id)
{
	ExAcquireFastMutex(&file->volume->mutex);
	file_hash_locked(file, id);
	ExReleaseFastMutex(&file->volume->mutex);
}

static void file_unhash(struct door_file *file)
{
	ExAcquireFastMutex(&file->volume->mutex);
	if (file->hashed)
		RemoveEntryList(&file->id_link);
	file->hashed = FALSE;
	ExReleaseFastMutex(&file->volume->mutex);
}

BOOLEAN door_file_is_shared(struct door_file *file)
{
	struct door_volume *volume = file->volume;
	BOOLEAN shared = FALSE;
	LIST_ENTRY *head, *l;

	ExAcquireFastMutex(&volume->mutex);
	head = bucket_of(volume, file->id);
	for (l = head->Flink; file->hashed && l != head && !shared; l = l->Flink) {
		struct door_file *other = CONTAINING_RECORD(l, struct door_file, id_link);

		shared = other != file && other->id == file->id;
	}
	ExReleaseFastMutex(&volume->mutex);
	return shared;
}

BOOLEAN door_id_is_open(struct door_volume *volume, uint64_t id)
{
	BOOLEAN open = FALSE;
	LIST_ENTRY *head, *l;

	ExAcquireFastMutex(&volume->mutex);
	head = bucket_of(volume, id);
	for (l = head->Flink; l != head && !open; l = l->Flink)
		open = CONTAINING_RECORD(l, struct door_file, id_link)->id == id;
	ExReleaseFastMutex(&volume->mutex);
	return open;
}

struct door_file *door_file_beside(struct door_file *file, ACCESS_MASK access)
{
	struct door_volume *volume = file->volume;
	struct door_file *found = NULL;
	LIST_ENTRY *head, *l;

	ExAcquireFastMutex(&volume->mutex);
	head = bucket_of(volume, file->id);
	for (l = head->Flink; file->id != 0 && l != head && found == NULL; l = l->Flink) {
		struct door_file *other = CONTAINING_RECORD(l, struct door_file, id_link);

		if (other->locks == file->locks && !other->closed && (other->access & access) == access)
			found = other;
	}
	ExReleaseFastMutex(&volume->mutex);
	return found;
}

/* The file's locks, with those who have it open already. */
static NTSTATUS file_join_locks(struct door_file *file, uint64_t id)
{
	struct door_volume *volume = file->volume;
	struct door_locks *locks = door_locks_create(), *fresh = locks;
	LIST_ENTRY *head, *l;

	if (locks == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	ExAcquireFastMutex(&volume->mutex);
	head = bucket_of(volume, id);
	for (l = head->Flink; is_id(id) && l != head && locks == fresh; l = l->Flink) {
		struct door_file *other = CONTAINING_RECORD(l, struct door_file, id_link);

		if (other->id == id && other->locks != NULL) {
			locks = other->locks;
			atomic_fetch_add(&locks->refs, 1);
		}
	}
	file->locks = locks;
	atomic_fetch_add(&locks->handles, 1);
	file_hash_locked(file, id);
	ExReleaseFastMutex(&volume->mutex);
	if (locks != fresh)
		door_locks_put(fresh);
	return STATUS_SUCCESS;
}

static void file_destroy(struct door_file *file)
{
	struct door_volume *volume = file->volume;

	door_object_close(volume->door, file->object);
	/* Not before: a deletion on its way must not take for closed what the engine still holds open. */
	file_unhash(file);
	if (file->locks != NULL)
		door_locks_put(file->locks);
	ExFreePoolWithTag(file, DOOR_TAG_FILE);
	door_volume_put(volume);
}

static VOID close_worker(PVOID context)
{
	file_destroy(context);
}

void door_file_put(struct door_file *file)
{
	if (atomic_fetch_sub(&file->refs, 1) != 1)
		return;
	/* The owner closes on his own thread; what is left here is the end of a late request. */
	ExInitializeWorkItem(&file->close, close_worker, file);
	ExQueueWorkItem(&file->close, DelayedWorkQueue);
}

NTSTATUS door_file_end(struct door_file *file, const struct door_caller *caller)
{
	NTSTATUS status = door_object_cleanup(file->volume->door, file->object, caller);

	if (atomic_fetch_sub(&file->refs, 1) == 1)
		file_destroy(file);
	return status;
}

NTSTATUS door_close(struct door_file *file, const struct door_caller *caller)
{
	return door_locks_close(file) ? STATUS_SUCCESS : door_file_end(file, caller);
}

struct door_volume *door_file_volume(struct door_file *file)
{
	return file->volume;
}

/* ---- create ----------------------------------------------------------------------------------------- */

static NTSTATUS attach_query(struct door_request *r, const struct door_open *open, PECP_LIST *list,
			     PRX_QUERY_ON_CREATE_ECP *ecp)
{
	PVOID context = NULL;
	NTSTATUS status = FsRtlAllocateExtraCreateParameterList(0, list);

	if (!NT_SUCCESS(status))
		return status;
	status = FsRtlAllocateExtraCreateParameter(&RX_ECP_QUERY_ON_CREATE, sizeof(**ecp), 0, NULL,
						   DOOR_TAG_BUFFER, &context);
	if (NT_SUCCESS(status)) {
		*ecp = context;
		RtlZeroMemory(*ecp, sizeof(**ecp));
		(*ecp)->Requested = open->query;
		(*ecp)->ReadLength = open->read_length;
		for (ULONG i = 0; i < open->changes; i++)
			(*ecp)->Set[i] = (RX_SET_ON_CREATE){
				.Class = open->change[i].cls,
				.Length = open->change[i].length,
				.Buffer = (PVOID)(uintptr_t)open->change[i].buffer, /* only read */
			};
		(*ecp)->SetCount = open->changes;
		status = FsRtlInsertExtraCreateParameter(*list, *ecp);
		if (!NT_SUCCESS(status))
			FsRtlFreeExtraCreateParameter(*ecp);
	}
	if (NT_SUCCESS(status))
		status = FsRtlSetEcpListIntoIrp(r->irp, *list);
	if (!NT_SUCCESS(status)) {
		FsRtlFreeExtraCreateParameterList(*list);
		*list = NULL;
		*ecp = NULL;
	}
	return status;
}

static void fill_create(struct door_request *r, const struct door_open *open, PIO_SECURITY_CONTEXT security)
{
	PIO_STACK_LOCATION stack = door_request_stack(r);
	PFILE_OBJECT object = r->object;

	security->DesiredAccess = open->access;
	security->FullCreateOptions = open->options;
	r->irp->Flags |= IRP_CREATE_OPERATION;
	stack->Parameters.Create.SecurityContext = security;
	stack->Parameters.Create.Options =
		(open->disposition << 24) | (open->options & FILE_VALID_OPTION_FLAGS);
	stack->Parameters.Create.FileAttributes = (USHORT)open->attributes;
	stack->Parameters.Create.ShareAccess = (USHORT)open->share;
	object->ReadAccess = (open->access & (FILE_READ_DATA | FILE_EXECUTE)) != 0;
	object->WriteAccess = (open->access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
	object->DeleteAccess = (open->access & DELETE) != 0;
	object->SharedRead = (open->share & FILE_SHARE_READ) != 0;
	object->SharedWrite = (open->share & FILE_SHARE_WRITE) != 0;
	object->SharedDelete = (open->share & FILE_SHARE_DELETE) != 0;
}

static void tell_cache(struct door_opened *out, const RX_QUERY_ON_CREATE_ECP *ecp)
{
	out->read_caching = (ecp->BufferingState & FCB_STATE_READCACHING_ENABLED) != 0;
	out->write_caching = out->read_caching && (ecp->BufferingState & FCB_STATE_WRITECACHING_ENABLED) != 0;
	out->cache_generation = ecp->CacheGeneration;
}

/* Sends the create of \server\share\path; the file object is the caller's on success. */
static NTSTATUS create_name(struct door_volume *volume, const struct door_caller *caller,
			    const struct door_open *open, const UNICODE_STRING *name, struct door_opened *out,
			    PFILE_OBJECT *object)
{
	IO_SECURITY_CONTEXT security = {0};
	PRX_QUERY_ON_CREATE_ECP ecp = NULL;
	PECP_LIST list = NULL;
	struct door_request *r = NULL;
	NTSTATUS status = door_object_create(volume->door, name, object);

	if (!NT_SUCCESS(status))
		return status;
	status = door_request_create(volume->door, *object, NULL, caller, IRP_MJ_CREATE, 0, &r);
	if (NT_SUCCESS(status) && open->query != 0) {
		status = attach_query(r, open, &list, &ecp);
		if (!NT_SUCCESS(status))
			door_request_put(r);
	}
	if (NT_SUCCESS(status)) {
		fill_create(r, open, &security);
		status = door_request_run(r, caller, &out->action);
	}
	if (NT_SUCCESS(status) && ecp != NULL && (ecp->Supplied & RX_QOC_STAT)) {
		out->supplied |= DOOR_QUERY_STAT;
		out->stat = ecp->Stat;
	}
	if (NT_SUCCESS(status) && ecp != NULL && (ecp->Supplied & (RX_QOC_STAT | RX_QOC_ID)) == RX_QOC_ID) {
		out->supplied |= DOOR_QUERY_ID;
		out->stat.FileId = ecp->Stat.FileId;
	}
	if (NT_SUCCESS(status) && ecp != NULL && (ecp->Supplied & RX_QOC_LIST))
		out->supplied |= DOOR_QUERY_LIST;
	if (NT_SUCCESS(status) && ecp != NULL && (ecp->Supplied & RX_QOC_SET)) {
		out->supplied |= DOOR_SET;
		out->set_status = ecp->SetStatus;
	}
	/* Closed, and not changed: a driver that knows the one and not the other. */
	if (NT_SUCCESS(status) && (open->query & DOOR_SET) && !(out->supplied & DOOR_SET) && ecp != NULL &&
	    (ecp->Supplied & RX_QOC_CLOSE)) {
		out->supplied |= DOOR_SET;
		out->set_status = STATUS_NOT_IMPLEMENTED;
	}
	if (NT_SUCCESS(status) && ecp != NULL)
		tell_cache(out, ecp);
	if (list != NULL)
		FsRtlFreeExtraCreateParameterList(list);
	if (!NT_SUCCESS(status)) {
		ObDereferenceObject(*object);
		*object = NULL;
	}
	return status;
}

static NTSTATUS create(struct door_volume *volume, const struct door_caller *caller,
		       const struct door_open *open, struct door_opened *out, PFILE_OBJECT *object)
{
	UNICODE_STRING name;
	NTSTATUS status = door_name_join(&volume->root, &open->path, &name);

	*object = NULL;
	if (!NT_SUCCESS(status))
		return status;
	status = create_name(volume, caller, open, &name, out, object);
	door_name_free(&name);
	return status;
}

static NTSTATUS file_create(struct door_volume *volume, PFILE_OBJECT object, struct door_file **out)
{
	struct door_file *file = ExAllocatePoolWithTag(NonPagedPool, sizeof(*file), DOOR_TAG_FILE);

	*out = file;
	if (file == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(file, sizeof(*file));
	file->volume = volume;
	file->object = object;
	atomic_init(&file->refs, 1);
	atomic_fetch_add(&volume->files, 1);
	return STATUS_SUCCESS;
}

static uint64_t file_id(const struct door_opened *opened)
{
	return opened->supplied & (DOOR_QUERY_STAT | DOOR_QUERY_ID) ? (uint64_t)opened->stat.FileId.QuadPart
								    : 0;
}

static bool is_for_data(const struct door_open *open)
{
	return !(open->options & FILE_DIRECTORY_FILE) &&
	       (open->access & (FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
}

/* A driver that takes no changes with the open is asked for each. */
static NTSTATUS change_apart(struct door_file *file, const struct door_caller *caller,
			     const struct door_open *open)
{
	NTSTATUS first = STATUS_SUCCESS;

	for (ULONG i = 0; i < open->changes; i++) {
		const struct door_change *change = &open->change[i];
		NTSTATUS status = door_set_info(file, caller, change->cls, change->buffer, change->length);

		if (NT_SUCCESS(first))
			first = status;
	}
	return first;
}

NTSTATUS door_open(struct door_volume *volume, const struct door_caller *caller, const struct door_open *open,
		   struct door_opened *out)
{
	struct door_file *file = NULL;
	PFILE_OBJECT object;
	NTSTATUS status;

	RtlZeroMemory(out, sizeof(*out));
	status = create(volume, caller, open, out, &object);
	if (!NT_SUCCESS(status))
		return status;
	status = file_create(volume, object, &file);
	if (!NT_SUCCESS(status)) {
		(void)door_object_cleanup(volume->door, object, caller); /* the open is given up */
		door_object_close(volume->door, object);
		return status;
	}
	if ((open->query & DOOR_SET) && !(out->supplied & DOOR_SET)) {
		out->set_status = change_apart(file, caller, open);
		out->supplied |= DOOR_SET;
		out->supplied &= ~(DOOR_QUERY_STAT | DOOR_QUERY_ID); /* of before the change */
	}
	if ((open->query & DOOR_QUERY_STAT) && !(out->supplied & (DOOR_QUERY_STAT | DOOR_QUERY_ID))) {
		status = door_query_stat(file, caller, &out->stat);
		if (NT_SUCCESS(status))
			out->supplied |= DOOR_QUERY_STAT;
	}
	/* The caller gave up while the driver opened it: nobody would close the handle. */
	if (NT_SUCCESS(status) && caller != NULL && caller->cancel != NULL &&
	    door_cancel_fired(caller->cancel))
		status = STATUS_CANCELLED;
	if (!NT_SUCCESS(status) || (open->query & DOOR_QUERY_CLOSE)) {
		NTSTATUS closed = door_close(file, caller);

		/* Only a deletion has something to lose in a close of what was just opened. */
		if (NT_SUCCESS(status) && (open->options & FILE_DELETE_ON_CLOSE))
			status = closed;
		if ((out->supplied & DOOR_SET) && NT_SUCCESS(out->set_status) && NT_ERROR(closed))
			out->set_status = closed;
		return status;
	}
	file->access = open->access;
	file->write_through = (open->options & FILE_WRITE_THROUGH) != 0;
	file->no_cache = open->no_cache;
	if (is_for_data(open))
		status = file_join_locks(file, file_id(out));
	else
		file_hash(file, file_id(out));
	if (!NT_SUCCESS(status))
		(void)door_file_end(file, caller); /* the open is given up */
	else
		out->file = file;
	return status;
}

NTSTATUS door_open_again(struct door_file *file, const struct door_caller *caller, ACCESS_MASK access,
			 struct door_file **out)
{
	struct door_open open = {.access = access | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_NON_DIRECTORY_FILE,
				 .query = DOOR_QUERY_STAT};
	struct door_volume *volume = file->volume;
	struct door_opened opened = {0};
	struct door_file *again = NULL;
	PFILE_OBJECT object;
	NTSTATUS status;

	*out = NULL;
	if (file->id == 0)
		return STATUS_NOT_SUPPORTED; /* nobody could say whether it is the same */
	status = create_name(volume, caller, &open, &file->object->FileName, &opened, &object);
	if (!NT_SUCCESS(status))
		return status;
	status = file_create(volume, object, &again);
	if (!NT_SUCCESS(status)) {
		(void)door_object_cleanup(volume->door, object, caller); /* the open is given up */
		door_object_close(volume->door, object);
		return status;
	}
	if (!(opened.supplied & DOOR_QUERY_STAT))
		status = door_query_stat(again, caller, &opened.stat);
	if (NT_SUCCESS(status) && (uint64_t)opened.stat.FileId.QuadPart != file->id)
		status = STATUS_FILE_RENAMED;
	if (!NT_SUCCESS(status)) {
		(void)door_file_end(again, caller); /* the open is given up */
		return status;
	}
	again->access = open.access;
	again->locks = file->locks;
	atomic_fetch_add(&again->locks->refs, 1);
	*out = again;
	return STATUS_SUCCESS;
}

NTSTATUS door_cache_attach(const struct door_opened *opened, const struct nt_cache_ops *ops, void *context,
			   struct nt_cache_map **map)
{
	return nt_cache_attach(opened->file->object, opened->cache_generation, ops, context, map);
}

bool door_cache_is_current(const struct door_opened *opened)
{
	PSECTION_OBJECT_POINTERS pointers = opened->file->object->SectionObjectPointer;

	return pointers != NULL && nt_cache_generation(pointers) == opened->cache_generation;
}

LONGLONG door_size_here(struct door_file *file)
{
	const FSRTL_COMMON_FCB_HEADER *header = file->object->FsContext;

	return __atomic_load_n(&header->FileSize.QuadPart, __ATOMIC_ACQUIRE);
}

NTSTATUS door_stat_path(struct door_volume *volume, const struct door_caller *caller,
			const UNICODE_STRING *path, FILE_STAT_INFORMATION *stat)
{
	struct door_open open = {.path = *path,
				 .access = FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = DOOR_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_OPEN_REPARSE_POINT,
				 .query = DOOR_QUERY_STAT | DOOR_QUERY_CLOSE};
	struct door_opened opened;
	NTSTATUS status = door_open(volume, caller, &open, &opened);

	*stat = opened.stat;
	return status;
}
