/*
 * dir.c - directory streams.
 *
 * Owns:      struct rdbss_dir: an open directory and the batch of entries the server sent last.
 * Locks:     none: one thread at a time uses a stream.
 */
#include <stddef.h>

#include "front/capi/capi_int.h"

#define BATCH_BYTES (64u << 10)

struct rdbss_dir {
	struct rdbss_mount *mount;
	struct door_file *file;
	bool id_less; /* the server does not know FileIdBothDirectoryInformation */
	bool started;
	bool ended;
	ULONG offset; /* bytes */
	ULONG length; /* bytes */
	UCHAR *batch; /* CAPI_TAG_DIR */
};

int rdbss_opendir(struct rdbss_mount *mount, const char *path, struct rdbss_dir **out)
{
	struct door_caller caller = capi_caller(__func__);
	struct door_open open = {.access = FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = CAPI_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE,
				 .query = DOOR_QUERY_STAT}; /* rmdir must know who has it open */
	struct rdbss_dir *dir = NULL;
	struct capi_thread thread;
	struct door_opened opened;
	NTSTATUS status;
	int error = capi_enter(&thread);

	*out = NULL;
	if (error != 0)
		return error;
	status = capi_path(mount, path, &open.path);
	if (NT_SUCCESS(status)) {
		status = door_open(mount->volume, &caller, &open, &opened);
		door_name_free(&open.path);
	}
	if (NT_SUCCESS(status)) {
		dir = ExAllocatePoolWithTag(NonPagedPool, sizeof(*dir) + BATCH_BYTES, CAPI_TAG_DIR);
		if (dir == NULL) {
			(void)door_close(opened.file, NULL); /* given up */
			status = STATUS_INSUFFICIENT_RESOURCES;
		}
	}
	if (NT_SUCCESS(status)) {
		RtlZeroMemory(dir, sizeof(*dir));
		dir->mount = mount;
		dir->file = opened.file;
		dir->batch = (UCHAR *)(((uintptr_t)(dir + 1) + 7) & ~(uintptr_t)7);
		atomic_fetch_add(&mount->handles, 1);
		*out = dir;
	}
	error = capi_result(status);
	capi_leave(&thread);
	return error;
}

int rdbss_closedir(struct rdbss_dir *dir)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	error = capi_result(door_close(dir->file, &caller));
	atomic_fetch_sub(&dir->mount->handles, 1);
	ExFreePoolWithTag(dir, CAPI_TAG_DIR);
	capi_leave(&thread);
	return error;
}

static NTSTATUS fetch(struct rdbss_dir *dir)
{
	struct door_caller caller = capi_caller("rdbss_readdir");
	NTSTATUS status;

	dir->offset = 0;
	status = door_query_directory(
		dir->file, &caller, dir->id_less ? FileDirectoryInformation : FileIdBothDirectoryInformation,
		NULL, FALSE, dir->batch, BATCH_BYTES - 8, &dir->length, NULL);
	if (!dir->started && !dir->id_less &&
	    (status == STATUS_INVALID_INFO_CLASS || status == STATUS_NOT_SUPPORTED ||
	     status == STATUS_NOT_IMPLEMENTED || status == STATUS_INVALID_PARAMETER)) {
		dir->id_less = true;
		return fetch(dir);
	}
	dir->started = true;
	if (status == STATUS_NO_MORE_FILES || status == STATUS_NO_SUCH_FILE) {
		dir->ended = true;
		dir->length = 0;
		return STATUS_SUCCESS;
	}
	return NT_ERROR(status) ? status : STATUS_SUCCESS;
}

/* Before the mapping: these two are not names of files, and it would keep them apart from such. */
static bool is_dots(const UNICODE_STRING *name)
{
	return (name->Length == 2 && name->Buffer[0] == '.') ||
	       (name->Length == 4 && name->Buffer[0] == '.' && name->Buffer[1] == '.');
}

/*
 * One entry out of the batch; what servers send is checked.
 * Return: 1 taken, 0 an entry that is not shown, negative when the batch is malformed.
 */
static int take(struct rdbss_dir *dir, struct rdbss_dirent *entry)
{
	ULONG fixed = dir->id_less ? offsetof(FILE_DIRECTORY_INFORMATION, FileName)
				   : offsetof(FILE_ID_BOTH_DIR_INFORMATION, FileName);
	const FILE_DIRECTORY_INFORMATION *common = (const void *)(dir->batch + dir->offset);
	const FILE_ID_BOTH_DIR_INFORMATION *full = (const void *)common;
	ULONG left = dir->length - dir->offset;
	FILE_STAT_INFORMATION stat;
	UNICODE_STRING name;

	if (left < fixed || dir->offset % 8 != 0 || common->FileNameLength > left - fixed ||
	    common->FileNameLength > 1024 || common->FileNameLength % 2 != 0 ||
	    (common->NextEntryOffset != 0 &&
	     (common->NextEntryOffset < fixed || common->NextEntryOffset > left)))
		return -EIO;
	RtlZeroMemory(&stat, sizeof(stat));
	stat.CreationTime = common->CreationTime;
	stat.LastAccessTime = common->LastAccessTime;
	stat.LastWriteTime = common->LastWriteTime;
	stat.ChangeTime = common->ChangeTime;
	stat.EndOfFile = common->EndOfFile;
	stat.AllocationSize = common->AllocationSize;
	stat.FileAttributes = common->FileAttributes;
	stat.NumberOfLinks = 1;
	if (!dir->id_less) {
		stat.FileId = full->FileId;
		if (full->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
			stat.ReparseTag = full->EaSize; /* as documented for this class */
	}
	name.Buffer = (PWCH)(uintptr_t)((const UCHAR *)common + fixed);
	name.Length = name.MaximumLength = (USHORT)common->FileNameLength;
	dir->offset = common->NextEntryOffset != 0 ? dir->offset + common->NextEntryOffset : dir->length;

	if (is_dots(&name) || door_name_is_hidden(&name) ||
	    !NT_SUCCESS(door_component_to_posix(&name, entry->name, sizeof(entry->name), NULL)))
		return 0;
	capi_fill_stat(&stat, &entry->st);
	return 1;
}

int rdbss_readdir(struct rdbss_dir *dir, struct rdbss_dirent *entry)
{
	struct capi_thread thread;
	int result = capi_enter(&thread);

	if (result != 0)
		return result;
	while (result == 0) {
		if (dir->offset >= dir->length) {
			if (!dir->ended)
				result = capi_result(fetch(dir));
			if (result != 0 || dir->length == 0)
				break;
		}
		result = take(dir, entry);
	}
	capi_leave(&thread);
	return result;
}
