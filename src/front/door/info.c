/*
 * info.c - file and volume information, directory listings, control codes, byte-range locks.
 *
 * Buffered I/O: the caller's buffer is the IRP's system buffer where its lifetime allows (every routine here
 * waits), so nothing is copied but the input of control codes and of set operations.
 */
#include "door_int.h"

/* The request for a buffered call on @file; the buffer is in place. */
static void set_buffer(struct door_request *r, void *buffer)
{
	r->irp->AssociatedIrp.SystemBuffer = buffer;
	r->irp->UserBuffer = buffer;
	r->irp->Flags |= IRP_BUFFERED_IO;
}

static NTSTATUS make_buffered(struct door_file *file, const struct door_caller *caller, UCHAR major,
			      UCHAR minor, void *buffer, struct door_request **out)
{
	NTSTATUS status =
		door_request_create(file->volume->door, file->object, file, caller, major, minor, out);

	if (NT_SUCCESS(status))
		set_buffer(*out, buffer);
	return status;
}

static NTSTATUS run_counted(struct door_request *r, const struct door_caller *caller, ULONG length,
			    ULONG *returned)
{
	ULONG_PTR information = 0;
	NTSTATUS status = door_request_run(r, caller, &information);

	if (information > length)
		information = length;
	if (returned != NULL)
		*returned = NT_ERROR(status) ? 0 : (ULONG)information;
	return status;
}

NTSTATUS door_query_info(struct door_file *file, const struct door_caller *caller, FILE_INFORMATION_CLASS cls,
			 void *buffer, ULONG length, ULONG *returned)
{
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status = make_buffered(file, caller, IRP_MJ_QUERY_INFORMATION, 0, buffer, &r);

	if (returned != NULL)
		*returned = 0;
	if (!NT_SUCCESS(status))
		return status;
	stack = door_request_stack(r);
	stack->Parameters.QueryFile.Length = length;
	stack->Parameters.QueryFile.FileInformationClass = cls;
	return run_counted(r, caller, length, returned);
}

/* @query: what is asked with it; NULL: nothing */
static NTSTATUS set_info(struct door_file *file, const struct door_caller *caller, FILE_INFORMATION_CLASS cls,
			 const void *buffer, ULONG length, RX_QUERY_ON_SET *query)
{
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	void *copy = ExAllocatePoolWithTag(NonPagedPool, length, DOOR_TAG_BUFFER);
	NTSTATUS status;

	if (copy == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	/* A driver may rewrite its input. */
	RtlCopyMemory(copy, buffer, length);
	/* Data goes with a smaller size: as with a write. */
	if (cls == FileEndOfFileInformation || cls == FileAllocationInformation)
		status = door_transfer_create(file, caller, IRP_MJ_SET_INFORMATION, 0, &r);
	else
		status = door_request_create(file->volume->door, file->object, file, caller,
					     IRP_MJ_SET_INFORMATION, 0, &r);
	if (NT_SUCCESS(status)) {
		set_buffer(r, copy);
		r->irp->Tail.Overlay.AuxiliaryBuffer = (PVOID)query;
		stack = door_request_stack(r);
		stack->Parameters.SetFile.Length = length;
		stack->Parameters.SetFile.FileInformationClass = cls;
		if (cls == FileRenameInformation || cls == FileLinkInformation)
			stack->Parameters.SetFile.ReplaceIfExists =
				((const FILE_RENAME_INFORMATION *)buffer)->ReplaceIfExists;
		status = door_request_run(r, caller, NULL);
	}
	ExFreePoolWithTag(copy, DOOR_TAG_BUFFER);
	return status;
}

NTSTATUS door_set_info(struct door_file *file, const struct door_caller *caller, FILE_INFORMATION_CLASS cls,
		       const void *buffer, ULONG length)
{
	return set_info(file, caller, cls, buffer, length, NULL);
}

NTSTATUS door_set_info_stat(struct door_file *file, const struct door_caller *caller,
			    FILE_INFORMATION_CLASS cls, const void *buffer, ULONG length,
			    FILE_STAT_INFORMATION *stat)
{
	RX_QUERY_ON_SET query = {.Type = RX_QUERY_ON_SET_TYPE};
	NTSTATUS status = set_info(file, caller, cls, buffer, length, &query);

	if (!NT_SUCCESS(status))
		return status;
	if (!query.Supplied)
		return door_query_stat(file, caller, stat);
	*stat = query.Stat;
	return status;
}

NTSTATUS door_query_volume(struct door_file *file, const struct door_caller *caller, FS_INFORMATION_CLASS cls,
			   void *buffer, ULONG length, ULONG *returned)
{
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status = make_buffered(file, caller, IRP_MJ_QUERY_VOLUME_INFORMATION, 0, buffer, &r);

	if (returned != NULL)
		*returned = 0;
	if (!NT_SUCCESS(status))
		return status;
	stack = door_request_stack(r);
	stack->Parameters.QueryVolume.Length = length;
	stack->Parameters.QueryVolume.FsInformationClass = cls;
	return run_counted(r, caller, length, returned);
}

/* ---- the stat of an open file ------------------------------------------------------------------------ */

/* What every server knows, in one class; the name at its end is not wanted, so it may be cut off. */
static NTSTATUS stat_from_all(struct door_file *file, const struct door_caller *caller,
			      FILE_STAT_INFORMATION *stat)
{
	union {
		FILE_ALL_INFORMATION info;
		UCHAR bytes[sizeof(FILE_ALL_INFORMATION) + 1024];
	} all;
	FILE_ATTRIBUTE_TAG_INFORMATION tag = {0};
	NTSTATUS status;

	RtlZeroMemory(&all.info, sizeof(all.info));
	status = door_query_info(file, caller, FileAllInformation, &all, sizeof(all), NULL);
	if (status == STATUS_BUFFER_OVERFLOW)
		status = STATUS_SUCCESS;
	if (!NT_SUCCESS(status))
		return status;
	stat->FileId = all.info.InternalInformation.IndexNumber;
	stat->CreationTime = all.info.BasicInformation.CreationTime;
	stat->LastAccessTime = all.info.BasicInformation.LastAccessTime;
	stat->LastWriteTime = all.info.BasicInformation.LastWriteTime;
	stat->ChangeTime = all.info.BasicInformation.ChangeTime;
	stat->FileAttributes = all.info.BasicInformation.FileAttributes;
	stat->AllocationSize = all.info.StandardInformation.AllocationSize;
	stat->EndOfFile = all.info.StandardInformation.EndOfFile;
	stat->NumberOfLinks = all.info.StandardInformation.NumberOfLinks;
	stat->EffectiveAccess = all.info.AccessInformation.AccessFlags;
	if ((stat->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
	    NT_SUCCESS(door_query_info(file, caller, FileAttributeTagInformation, &tag, sizeof(tag), NULL)))
		stat->ReparseTag = tag.ReparseTag;
	return STATUS_SUCCESS;
}

/* The three classes that answer the same piecewise. */
static NTSTATUS stat_from_parts(struct door_file *file, const struct door_caller *caller,
				FILE_STAT_INFORMATION *stat)
{
	FILE_BASIC_INFORMATION basic = {0};
	FILE_STANDARD_INFORMATION standard = {0};
	FILE_INTERNAL_INFORMATION internal = {0};
	NTSTATUS status = door_query_info(file, caller, FileBasicInformation, &basic, sizeof(basic), NULL);

	if (NT_SUCCESS(status))
		status = door_query_info(file, caller, FileStandardInformation, &standard, sizeof(standard),
					 NULL);
	if (!NT_SUCCESS(status))
		return status;
	/* Without an id the front ends number the file themselves. */
	if (NT_SUCCESS(door_query_info(file, caller, FileInternalInformation, &internal, sizeof(internal),
				       NULL)))
		stat->FileId = internal.IndexNumber;
	stat->CreationTime = basic.CreationTime;
	stat->LastAccessTime = basic.LastAccessTime;
	stat->LastWriteTime = basic.LastWriteTime;
	stat->ChangeTime = basic.ChangeTime;
	stat->FileAttributes = basic.FileAttributes;
	stat->AllocationSize = standard.AllocationSize;
	stat->EndOfFile = standard.EndOfFile;
	stat->NumberOfLinks = standard.NumberOfLinks;
	return STATUS_SUCCESS;
}

NTSTATUS door_query_stat(struct door_file *file, const struct door_caller *caller,
			 FILE_STAT_INFORMATION *stat)
{
	struct door_volume *volume = file->volume;
	NTSTATUS status = STATUS_INVALID_INFO_CLASS;

	RtlZeroMemory(stat, sizeof(*stat));
	if (!atomic_load(&volume->no_stat_class)) {
		status = door_query_info(file, caller, FileStatInformation, stat, sizeof(*stat), NULL);
		if (!door_is_unsupported(status))
			return status;
		atomic_store(&volume->no_stat_class, true);
	}
	status = stat_from_all(file, caller, stat);
	if (door_is_unsupported(status))
		status = stat_from_parts(file, caller, stat);
	return status;
}

NTSTATUS door_set_end_of_file(struct door_file *file, const struct door_caller *caller, uint64_t size)
{
	FILE_END_OF_FILE_INFORMATION eof;

	if (size > INT64_MAX)
		return STATUS_INVALID_PARAMETER;
	eof.EndOfFile.QuadPart = (LONGLONG)size;
	return door_set_info(file, caller, FileEndOfFileInformation, &eof, sizeof(eof));
}

/* ---- directories ------------------------------------------------------------------------------------- */

NTSTATUS door_query_directory(struct door_file *file, const struct door_caller *caller,
			      FILE_INFORMATION_CLASS cls, const UNICODE_STRING *pattern, BOOLEAN restart,
			      void *buffer, ULONG length, ULONG *returned, ULONGLONG *asked_at)
{
	RX_LISTING_AGE age = {.Type = RX_LISTING_AGE_TYPE};
	ULONGLONG now = KeQueryInterruptTime();
	UNICODE_STRING name = {0};
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status =
		make_buffered(file, caller, IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY, buffer, &r);

	*returned = 0;
	if (!NT_SUCCESS(status))
		return status;
	if (pattern != NULL)
		name = *pattern;
	stack = door_request_stack(r);
	if (restart)
		stack->Flags |= SL_RESTART_SCAN;
	stack->Parameters.QueryDirectory.Length = length;
	stack->Parameters.QueryDirectory.FileName = pattern != NULL ? &name : NULL;
	stack->Parameters.QueryDirectory.FileInformationClass = cls;
	r->irp->Tail.Overlay.AuxiliaryBuffer = (PVOID)&age;
	status = run_counted(r, caller, length, returned);
	if (asked_at != NULL)
		*asked_at = age.AskedAt != 0 ? age.AskedAt : now;
	return status;
}

void door_notify_async(struct door_file *file, const struct door_caller *caller, void *buffer, ULONG length,
		       ULONG filter, door_done_fn done, void *context)
{
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status = make_buffered(file, caller, IRP_MJ_DIRECTORY_CONTROL,
					IRP_MN_NOTIFY_CHANGE_DIRECTORY, buffer, &r);

	if (!NT_SUCCESS(status)) {
		done(context, status, 0);
		return;
	}
	stack = door_request_stack(r);
	stack->Parameters.NotifyDirectory.Length = length;
	stack->Parameters.NotifyDirectory.CompletionFilter = filter;
	door_request_send(r, caller, done, context);
}

/* ---- control codes ----------------------------------------------------------------------------------- */

NTSTATUS door_fsctl(struct door_file *file, const struct door_caller *caller, ULONG code, const void *in,
		    ULONG in_length, void *out, ULONG out_length, ULONG *returned)
{
	ULONG size = in_length > out_length ? in_length : out_length;
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	ULONG got = 0;
	UCHAR *copy;
	NTSTATUS status;

	if (returned != NULL)
		*returned = 0;
	copy = ExAllocatePoolWithTag(NonPagedPool, size != 0 ? size : 1, DOOR_TAG_BUFFER);
	if (copy == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (in_length != 0)
		RtlCopyMemory(copy, in, in_length);
	status = make_buffered(file, caller, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST, copy, &r);
	if (NT_SUCCESS(status)) {
		BOOLEAN neither = METHOD_FROM_CTL_CODE(code) == METHOD_NEITHER;

		stack = door_request_stack(r);
		stack->Parameters.FileSystemControl.FsControlCode = code;
		stack->Parameters.FileSystemControl.InputBufferLength = in_length;
		stack->Parameters.FileSystemControl.OutputBufferLength = out_length;
		if (neither) {
			stack->Parameters.FileSystemControl.Type3InputBuffer = copy;
			r->irp->UserBuffer = out;
		}
		status = run_counted(r, caller, out_length, &got);
		if (!NT_ERROR(status) && !neither && got != 0)
			RtlCopyMemory(out, copy, got);
		if (returned != NULL)
			*returned = got;
	}
	ExFreePoolWithTag(copy, DOOR_TAG_BUFFER);
	return status;
}

/* ---- locks ------------------------------------------------------------------------------------------- */

static NTSTATUS make_lock(struct door_file *file, const struct door_caller *caller,
			  const struct door_lock *lock, LARGE_INTEGER *length, UCHAR minor,
			  struct door_request **out)
{
	PIO_STACK_LOCATION stack;
	NTSTATUS status = door_request_create(file->volume->door, file->object, file, caller,
					      IRP_MJ_LOCK_CONTROL, minor, out);

	if (!NT_SUCCESS(status))
		return status;
	length->QuadPart = (LONGLONG)lock->length;
	stack = door_request_stack(*out);
	if (minor == IRP_MN_LOCK && lock->exclusive)
		stack->Flags |= SL_EXCLUSIVE_LOCK;
	if (minor == IRP_MN_LOCK && lock->fail_immediately)
		stack->Flags |= SL_FAIL_IMMEDIATELY;
	stack->Parameters.LockControl.Length = length;
	stack->Parameters.LockControl.Key = lock->key;
	stack->Parameters.LockControl.ByteOffset.QuadPart = (LONGLONG)lock->offset;
	return status;
}

static NTSTATUS lock_control(struct door_file *file, const struct door_caller *caller,
			     const struct door_lock *lock, UCHAR minor)
{
	LARGE_INTEGER length;
	struct door_request *r;
	NTSTATUS status = make_lock(file, caller, lock, &length, minor, &r);

	return NT_SUCCESS(status) ? door_request_run(r, caller, NULL) : status;
}

NTSTATUS door_lock_range_told(struct door_file *file, const struct door_lock *lock, ULONG_PTR *leave)
{
	LARGE_INTEGER length;
	struct door_request *r;
	NTSTATUS status = make_lock(file, NULL, lock, &length, IRP_MN_LOCK, &r);

	return NT_SUCCESS(status) ? door_request_run(r, NULL, leave) : status;
}

NTSTATUS door_lock_range(struct door_file *file, const struct door_caller *caller,
			 const struct door_lock *lock)
{
	return lock_control(file, caller, lock, IRP_MN_LOCK);
}

NTSTATUS door_unlock_range(struct door_file *file, const struct door_caller *caller,
			   const struct door_lock *lock)
{
	return lock_control(file, caller, lock, IRP_MN_UNLOCK_SINGLE);
}

void door_unlock_all(struct door_file *file)
{
	const struct door_lock none = {0};

	(void)lock_control(file, NULL, &none,
			   IRP_MN_UNLOCK_ALL); /* whatever the server says, they are given up */
}

void door_lock_range_async(struct door_file *file, const struct door_caller *caller,
			   const struct door_lock *lock, LARGE_INTEGER *length, door_done_fn done,
			   void *context)
{
	struct door_request *r;
	NTSTATUS status = make_lock(file, caller, lock, length, IRP_MN_LOCK, &r);

	if (NT_SUCCESS(status))
		door_request_send(r, caller, done, context);
	else
		done(context, status, 0);
}
