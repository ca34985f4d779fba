/*
 * attr.c - stat, times, mode, size.
 *
 * The mode shows what the attributes say: 0755 for directories, 0644 for files, without write bits when
 * read-only.  The owner is the calling process: the library has no mount to take one from.
 */
#include <unistd.h>

#include "front/capi/capi_int.h"

#define EPOCH_DELTA 116444736000000000ll /* 100 ns from 1601 to 1970 */
#define TICKS 10000000ll

static struct timespec to_posix(LARGE_INTEGER nt)
{
	int64_t t = nt.QuadPart != 0 ? nt.QuadPart - EPOCH_DELTA : 0;
	struct timespec ts = {.tv_sec = t / TICKS, .tv_nsec = (t % TICKS) * 100};

	if (ts.tv_nsec < 0) {
		ts.tv_nsec += 1000000000;
		ts.tv_sec--;
	}
	return ts;
}

/* 0 leaves a time as it is, so the earliest that can be set is 1. */
static int64_t to_nt(const struct timespec *ts)
{
	int64_t limit = (INT64_MAX - EPOCH_DELTA) / TICKS - 1, t;

	if (ts->tv_sec < -(EPOCH_DELTA / TICKS))
		return 1;
	if (ts->tv_sec > limit)
		return INT64_MAX;
	t = (int64_t)ts->tv_sec * TICKS + ts->tv_nsec / 100 + EPOCH_DELTA;
	return t > 0 ? t : 1;
}

static bool is_link(const FILE_STAT_INFORMATION *info)
{
	return (info->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
	       (info->ReparseTag == IO_REPARSE_TAG_SYMLINK || info->ReparseTag == IO_REPARSE_TAG_LX_SYMLINK ||
		info->ReparseTag == IO_REPARSE_TAG_MOUNT_POINT || info->ReparseTag == IO_REPARSE_TAG_NFS);
}

void capi_fill_stat(const FILE_STAT_INFORMATION *info, struct stat *st)
{
	RtlZeroMemory(st, sizeof(*st));
	st->st_ino = (ino_t)info->FileId.QuadPart;
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_nlink = info->NumberOfLinks;
	st->st_size = info->EndOfFile.QuadPart;
	st->st_blksize = 1 << 16;
	st->st_blocks = (info->AllocationSize.QuadPart + 511) / 512;
	if (is_link(info)) {
		st->st_mode = S_IFLNK | 0777;
	} else if (info->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 1;
		st->st_size = 0;
	} else {
		st->st_mode = S_IFREG | (info->FileAttributes & FILE_ATTRIBUTE_READONLY ? 0444 : 0644);
	}
	st->st_atim = to_posix(info->LastAccessTime);
	st->st_mtim = to_posix(info->LastWriteTime);
	st->st_ctim = to_posix(info->ChangeTime.QuadPart != 0 ? info->ChangeTime : info->LastWriteTime);
}

int rdbss_stat(struct rdbss_mount *mount, const char *path, struct stat *st)
{
	struct door_caller caller = capi_caller(__func__);
	FILE_STAT_INFORMATION info;
	struct capi_thread thread;
	UNICODE_STRING name;
	NTSTATUS status;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	status = capi_path(mount, path, &name);
	if (NT_SUCCESS(status)) {
		status = door_stat_path(mount->volume, &caller, &name, &info);
		door_name_free(&name);
	}
	error = capi_result(status);
	if (error == 0)
		capi_fill_stat(&info, st);
	capi_leave(&thread);
	return error;
}

int rdbss_fstat(struct rdbss_file *file, struct stat *st)
{
	struct door_caller caller = capi_caller(__func__);
	FILE_STAT_INFORMATION info;
	struct capi_thread thread;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	error = capi_result(door_query_stat(file->file, &caller, &info));
	if (error == 0)
		capi_fill_stat(&info, st);
	capi_leave(&thread);
	return error;
}

/* ---- changes ---------------------------------------------------------------------------------------- */

/* Opens @path for one change of @access.  The caller closes opened->file. */
static NTSTATUS open_for_change(struct rdbss_mount *mount, const struct door_caller *caller, const char *path,
				ACCESS_MASK access, ULONG options, struct door_opened *opened)
{
	struct door_open open = {.access = access | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = CAPI_SHARE_ALL,
				 .disposition = FILE_OPEN,
				 .options = options,
				 .query = DOOR_QUERY_STAT};
	NTSTATUS status = capi_path(mount, path, &open.path);

	if (!NT_SUCCESS(status))
		return status;
	status = door_open(mount->volume, caller, &open, opened);
	door_name_free(&open.path);
	return status;
}

int rdbss_truncate(struct rdbss_mount *mount, const char *path, off_t size)
{
	struct door_caller caller = capi_caller(__func__);
	struct capi_thread thread;
	struct door_opened opened;
	NTSTATUS status;
	int error;

	if (size < 0)
		return -EINVAL;
	error = capi_enter(&thread);
	if (error != 0)
		return error;
	status = open_for_change(mount, &caller, path, FILE_WRITE_DATA, FILE_NON_DIRECTORY_FILE, &opened);
	if (NT_SUCCESS(status)) {
		status = door_set_end_of_file(opened.file, &caller, (uint64_t)size);
		(void)door_close(opened.file, &caller); /* nothing was written through it */
	}
	error = capi_result(status);
	capi_leave(&thread);
	return error;
}

static NTSTATUS set_basic(struct rdbss_mount *mount, const struct door_caller *caller, const char *path,
			  FILE_BASIC_INFORMATION *basic, const mode_t *mode)
{
	struct door_opened opened;
	NTSTATUS status =
		open_for_change(mount, caller, path, FILE_WRITE_ATTRIBUTES, FILE_OPEN_REPARSE_POINT, &opened);

	if (!NT_SUCCESS(status))
		return status;
	if (mode != NULL) {
		basic->FileAttributes =
			opened.stat.FileAttributes &
			(FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE);
		if (!(*mode & 0222) && !(opened.stat.FileAttributes & FILE_ATTRIBUTE_DIRECTORY))
			basic->FileAttributes |= FILE_ATTRIBUTE_READONLY;
		if (basic->FileAttributes == 0)
			basic->FileAttributes = FILE_ATTRIBUTE_NORMAL;
	}
	status = door_set_info(opened.file, caller, FileBasicInformation, basic, sizeof(*basic));
	(void)door_close(opened.file, caller); /* the attributes are set by now */
	return status;
}

static void take_time(const struct timespec *ts, LARGE_INTEGER *t)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return;
	if (ts->tv_nsec == UTIME_NOW)
		KeQuerySystemTime(t);
	else
		t->QuadPart = to_nt(ts);
}

int rdbss_utimens(struct rdbss_mount *mount, const char *path, const struct timespec times[2])
{
	struct door_caller caller = capi_caller(__func__);
	FILE_BASIC_INFORMATION basic;
	struct capi_thread thread;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	RtlZeroMemory(&basic, sizeof(basic));
	take_time(&times[0], &basic.LastAccessTime);
	take_time(&times[1], &basic.LastWriteTime);
	error = capi_result(set_basic(mount, &caller, path, &basic, NULL));
	capi_leave(&thread);
	return error;
}

int rdbss_chmod(struct rdbss_mount *mount, const char *path, mode_t mode)
{
	struct door_caller caller = capi_caller(__func__);
	FILE_BASIC_INFORMATION basic;
	struct capi_thread thread;
	int error = capi_enter(&thread);

	if (error != 0)
		return error;
	RtlZeroMemory(&basic, sizeof(basic));
	error = capi_result(set_basic(mount, &caller, path, &basic, &mode));
	capi_leave(&thread);
	return error;
}
