/*
 * mount.c - connecting shares, statvfs, the list of live objects.
 *
 * Owns:      struct rdbss_mount: a use of the driver, the volume, the root directory's name.
 * Dies when: rdbss_unmount(); refused while handles are open.
 */
#include "front/capi/capi_int.h"
#include "rxctl.h"

#define OBJECTS_FIRST (64u << 10) /* bytes of the first attempt */
#define OBJECTS_LIMIT (64u << 20)

NTSTATUS capi_path(struct rdbss_mount *mount, const char *path, UNICODE_STRING *name)
{
	UNICODE_STRING below;
	NTSTATUS status = door_name_from_posix(path, &below);

	RtlZeroMemory(name, sizeof(*name));
	if (!NT_SUCCESS(status))
		return status;
	status = door_name_join(&mount->root, &below, name);
	door_name_free(&below);
	return status;
}

static NTSTATUS connect(const struct capi_target *target, const struct rdbss_mount_options *options,
			struct rdbss_mount *mount)
{
	struct door_caller caller = capi_caller("rdbss_mount");
	struct door_connect c = {.server = target->server,
				 .port = target->port,
				 .share = target->share,
				 .user = target->user,
				 .domain = target->domain};
	FILE_STAT_INFORMATION stat;
	NTSTATUS status = door_name_from_posix(target->path, &mount->root);

	if (!NT_SUCCESS(status))
		return status;
	if (options != NULL) {
		c.port = options->port != 0 ? options->port : c.port;
		c.user = options->user != NULL ? options->user : c.user;
		c.domain = options->domain != NULL ? options->domain : c.domain;
		c.password = options->password;
		c.options = options->options;
	}
	status = door_volume_connect(capi_driver_door(mount->driver), &caller, &c, &mount->volume);
	if (!NT_SUCCESS(status) || mount->root.Length == 0)
		return status;
	status = door_stat_path(mount->volume, &caller, &mount->root, &stat);
	if (NT_SUCCESS(status) && !(stat.FileAttributes & FILE_ATTRIBUTE_DIRECTORY))
		status = STATUS_NOT_A_DIRECTORY;
	return status;
}

static void mount_free(struct rdbss_mount *mount)
{
	if (mount->volume != NULL)
		door_volume_disconnect(mount->volume);
	if (mount->driver != NULL)
		capi_driver_put(mount->driver);
	door_name_free(&mount->root);
	ExFreePoolWithTag(mount, CAPI_TAG_MOUNT);
}

int rdbss_mount(const char *text, const struct rdbss_mount_options *options, struct rdbss_mount **out)
{
	struct capi_target target = {0};
	struct capi_thread thread;
	struct rdbss_mount *mount = NULL;
	NTSTATUS status;
	int error = capi_enter(&thread);

	*out = NULL;
	if (error != 0)
		return error;
	if (options != NULL && options->size != sizeof(*options))
		error = -EINVAL;
	else
		error = capi_target_parse(text, &target);
	if (error != 0)
		goto out;
	mount = ExAllocatePoolWithTag(NonPagedPool, sizeof(*mount), CAPI_TAG_MOUNT);
	if (mount == NULL) {
		error = capi_result(STATUS_INSUFFICIENT_RESOURCES);
		goto out;
	}
	RtlZeroMemory(mount, sizeof(*mount));
	status = capi_driver_get(target.scheme, &mount->driver);
	if (status == STATUS_NOT_SUPPORTED)
		error = -EPROTONOSUPPORT;
	else if (NT_SUCCESS(status))
		error = capi_result(connect(&target, options, mount));
	else
		error = capi_result(status);
	if (error == 0)
		*out = mount;
	else
		mount_free(mount);
out:
	capi_target_free(&target);
	capi_leave(&thread);
	return error;
}

int rdbss_unmount(struct rdbss_mount *mount)
{
	struct capi_thread thread;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	if (atomic_load(&mount->handles) != 0)
		error = -EBUSY;
	else
		mount_free(mount);
	capi_leave(&thread);
	return error;
}

int rdbss_statvfs(struct rdbss_mount *mount, struct statvfs *st)
{
	struct door_caller caller = capi_caller(__func__);
	struct door_open open = {.path = mount->root,
				 .access = FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = CAPI_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE};
	FILE_FS_FULL_SIZE_INFORMATION size;
	struct capi_thread thread;
	struct door_opened opened;
	NTSTATUS status;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	RtlZeroMemory(&size, sizeof(size));
	status = door_open(mount->volume, &caller, &open, &opened);
	if (NT_SUCCESS(status)) {
		status = door_query_volume(opened.file, &caller, FileFsFullSizeInformation, &size,
					   sizeof(size), NULL);
		(void)door_close(opened.file, &caller); /* only queried */
	}
	error = capi_result(status);
	if (error == 0) {
		RtlZeroMemory(st, sizeof(*st));
		st->f_frsize = (unsigned long)size.SectorsPerAllocationUnit * size.BytesPerSector;
		st->f_bsize = st->f_frsize;
		st->f_blocks = (fsblkcnt_t)size.TotalAllocationUnits.QuadPart;
		st->f_bfree = (fsblkcnt_t)size.ActualAvailableAllocationUnits.QuadPart;
		st->f_bavail = (fsblkcnt_t)size.CallerAvailableAllocationUnits.QuadPart;
		st->f_namemax = 255;
	}
	capi_leave(&thread);
	return error;
}

/* ---- objects ---------------------------------------------------------------------------------------- */

/* Grows the buffer until everything fits.  Free with CAPI_TAG_TEXT. */
static NTSTATUS read_objects(struct door *door, UCHAR **out, ULONG *length)
{
	NTSTATUS status = STATUS_BUFFER_OVERFLOW;
	ULONG size;

	*out = NULL;
	*length = 0;
	for (size = OBJECTS_FIRST; status == STATUS_BUFFER_OVERFLOW || status == STATUS_BUFFER_TOO_SMALL;
	     size *= 2) {
		UCHAR *buffer;

		if (size > OBJECTS_LIMIT)
			return STATUS_INSUFFICIENT_RESOURCES;
		buffer = ExAllocatePoolWithTag(NonPagedPool, size, CAPI_TAG_TEXT);
		if (buffer == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		status = door_query_objects(door, buffer, size, length);
		if (status == STATUS_SUCCESS)
			*out = buffer;
		else
			ExFreePoolWithTag(buffer, CAPI_TAG_TEXT);
	}
	return status;
}

static int report_object(const struct rx_object_record *record,
			 int (*fn)(void *context, const struct rdbss_object *object), void *context)
{
	struct rdbss_object object = {.size = sizeof(object),
				      .kind = record->kind,
				      .id = record->id,
				      .parent_id = record->parent_id,
				      .references = record->reference_count,
				      .condition = record->condition,
				      .open_count = record->open_count,
				      .status = record->status};
	char name[2048];
	ULONG n = 0;

	if (!NT_SUCCESS(RtlUnicodeToUTF8N(name, sizeof(name) - 1, &n,
					  (const WCHAR *)(const void *)(record + 1), record->name_bytes)))
		n = n < sizeof(name) ? n : 0;
	name[n] = '\0';
	object.name = name;
	return fn(context, &object);
}

int rdbss_enumerate(struct rdbss_mount *mount, int (*fn)(void *context, const struct rdbss_object *object),
		    void *context)
{
	struct capi_thread thread;
	ULONG length, at = 0;
	UCHAR *buffer;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	error = capi_result(read_objects(capi_driver_door(mount->driver), &buffer, &length));
	while (error == 0 && length - at >= sizeof(struct rx_object_record)) {
		const struct rx_object_record *record = (const void *)(buffer + at);

		if (record->record_bytes < sizeof(*record) || record->record_bytes > length - at ||
		    record->name_bytes > record->record_bytes - sizeof(*record))
			break;
		error = report_object(record, fn, context);
		at += record->record_bytes;
	}
	if (buffer != NULL)
		ExFreePoolWithTag(buffer, CAPI_TAG_TEXT);
	capi_leave(&thread);
	return error;
}
