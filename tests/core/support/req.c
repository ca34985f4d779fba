/*
 * req.c - IRPs for tests.
 */
#include "rec.h"

#define REQ_TAG 'tqeR'
#define REQ_PATIENCE_S 20

static NTSTATUS req_complete(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	struct req *r = context;

	(void)device;
	r->status = irp->IoStatus.Status;
	r->information = irp->IoStatus.Information;
	InterlockedIncrement(&r->completions);
	KeSetEvent(&r->done, IO_NO_INCREMENT, FALSE);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

struct req *req_make(PFILE_OBJECT file, UCHAR major, UCHAR minor)
{
	struct req *r = ExAllocatePoolWithTag(NonPagedPool, sizeof(*r), REQ_TAG);
	PIO_STACK_LOCATION sp;

	assert_non_null(r);
	RtlZeroMemory(r, sizeof(*r));
	r->irp = IoAllocateIrp(rec.device->DeviceObject.StackSize, FALSE);
	assert_non_null(r->irp);
	KeInitializeEvent(&r->done, NotificationEvent, FALSE);
	r->file = file;
	r->irp->Flags |= IRP_SYNCHRONOUS_API;
	r->irp->AssociatedIrp.SystemBuffer = r->buffer;
	sp = IoGetNextIrpStackLocation(r->irp);
	sp->MajorFunction = major;
	sp->MinorFunction = minor;
	sp->FileObject = file;
	return r;
}

PIO_STACK_LOCATION req_sp(struct req *r)
{
	return IoGetNextIrpStackLocation(r->irp);
}

NTSTATUS req_send(struct req *r)
{
	IoSetCompletionRoutine(r->irp, req_complete, r, TRUE, TRUE, TRUE);
	return IoCallDriver(&rec.device->DeviceObject, r->irp);
}

NTSTATUS req_end(struct req *r, ULONG_PTR *information)
{
	LARGE_INTEGER limit = {.QuadPart = -(LONGLONG)REQ_PATIENCE_S * 10000000};
	NTSTATUS status;

	assert_int_equal(KeWaitForSingleObject(&r->done, Executive, KernelMode, FALSE, &limit),
			 STATUS_SUCCESS);
	assert_int_equal(r->completions, 1);
	status = r->status;
	if (information != NULL)
		*information = r->information;
	if (r->mdl != NULL)
		IoFreeMdl(r->mdl);
	IoFreeIrp(r->irp);
	ExFreePoolWithTag(r, REQ_TAG);
	return status;
}

NTSTATUS req_run(struct req *r, ULONG_PTR *information)
{
	(void)req_send(r);
	return req_end(r, information);
}

PFILE_OBJECT file_make(const WCHAR *name, PFILE_OBJECT related)
{
	UNICODE_STRING s;
	PFILE_OBJECT file = NULL;

	RtlInitUnicodeString(&s, name);
	assert_int_equal(nt_file_object_create(&rec.device->DeviceObject, &s, &file), STATUS_SUCCESS);
	file->RelatedFileObject = related;
	return file;
}

NTSTATUS file_open_with(const struct open_params *p, PFILE_OBJECT *file, ULONG_PTR *information)
{
	struct req *r;
	NTSTATUS status;

	*file = file_make(p->name, p->related);
	r = req_make(*file, IRP_MJ_CREATE, 0);
	r->security.DesiredAccess = p->access != 0 ? p->access : FILE_READ_DATA | FILE_WRITE_DATA;
	r->irp->AssociatedIrp.SystemBuffer = p->ea;
	req_sp(r)->Flags = (UCHAR)p->flags;
	req_sp(r)->Parameters.Create.SecurityContext = &r->security;
	req_sp(r)->Parameters.Create.Options = p->disposition << 24 | p->options;
	req_sp(r)->Parameters.Create.ShareAccess =
		(USHORT)(p->share != 0 ? p->share : FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE);
	req_sp(r)->Parameters.Create.EaLength = p->ea_length;
	status = req_run(r, information);
	if (status != STATUS_SUCCESS) {
		(*file)->RelatedFileObject = NULL;
		ObDereferenceObject(*file);
		*file = NULL;
	}
	return status;
}

PFILE_OBJECT file_open(const WCHAR *name)
{
	struct open_params p = {.name = name, .disposition = FILE_OPEN};
	PFILE_OBJECT file;

	assert_int_equal(file_open_with(&p, &file, NULL), STATUS_SUCCESS);
	return file;
}

NTSTATUS file_cleanup(PFILE_OBJECT file)
{
	return req_run(req_make(file, IRP_MJ_CLEANUP, 0), NULL);
}

NTSTATUS file_close_only(PFILE_OBJECT file)
{
	NTSTATUS status = req_run(req_make(file, IRP_MJ_CLOSE, 0), NULL);

	file->RelatedFileObject = NULL;
	ObDereferenceObject(file);
	return status;
}

void file_close(PFILE_OBJECT file)
{
	assert_int_equal(file_cleanup(file), STATUS_SUCCESS);
	assert_int_equal(file_close_only(file), STATUS_SUCCESS);
}

static struct req *file_transfer_make(PFILE_OBJECT file, UCHAR major, ULONG length, bool async)
{
	struct req *r = req_make(file, major, 0);

	assert_true(length <= sizeof(r->buffer));
	r->irp->AssociatedIrp.SystemBuffer = NULL;
	if (async)
		r->irp->Flags &= ~(ULONG)IRP_SYNCHRONOUS_API;
	if (length > 0) {
		r->mdl = IoAllocateMdl(r->buffer, length, FALSE, FALSE, NULL);
		assert_non_null(r->mdl);
		MmBuildMdlForNonPagedPool(r->mdl);
		r->irp->MdlAddress = r->mdl;
		r->irp->UserBuffer = r->buffer;
	}
	return r;
}

struct req *file_read_make(PFILE_OBJECT file, LONGLONG offset, ULONG length, bool async)
{
	struct req *r = file_transfer_make(file, IRP_MJ_READ, length, async);

	req_sp(r)->Parameters.Read.Length = length;
	req_sp(r)->Parameters.Read.ByteOffset.QuadPart = offset;
	return r;
}

struct req *file_write_make(PFILE_OBJECT file, LONGLONG offset, ULONG length, bool async)
{
	struct req *r = file_transfer_make(file, IRP_MJ_WRITE, length, async);

	req_sp(r)->Parameters.Write.Length = length;
	req_sp(r)->Parameters.Write.ByteOffset.QuadPart = offset;
	return r;
}

struct req *file_lock_make(PFILE_OBJECT file, UCHAR minor, LONGLONG offset, LONGLONG length, UCHAR flags)
{
	struct req *r = req_make(file, IRP_MJ_LOCK_CONTROL, minor);

	r->length.QuadPart = length;
	req_sp(r)->Flags = flags;
	req_sp(r)->Parameters.LockControl.Length = &r->length;
	req_sp(r)->Parameters.LockControl.ByteOffset.QuadPart = offset;
	return r;
}

struct req *file_set_make(PFILE_OBJECT file, FILE_INFORMATION_CLASS cls, const void *info, ULONG length)
{
	struct req *r = req_make(file, IRP_MJ_SET_INFORMATION, 0);

	assert_true(length <= sizeof(r->buffer));
	RtlCopyMemory(r->buffer, info, length);
	req_sp(r)->Parameters.SetFile.Length = length;
	req_sp(r)->Parameters.SetFile.FileInformationClass = cls;
	return r;
}

struct req *file_name_make(PFILE_OBJECT file, FILE_INFORMATION_CLASS cls, const WCHAR *name, bool replace)
{
	struct {
		FILE_RENAME_INFORMATION info;
		WCHAR more[64];
	} rename;
	UNICODE_STRING s;

	RtlZeroMemory(&rename, sizeof(rename));
	RtlInitUnicodeString(&s, name);
	assert_true(s.Length <= sizeof(rename.more));
	rename.info.ReplaceIfExists = replace;
	rename.info.FileNameLength = s.Length;
	RtlCopyMemory(rename.info.FileName, s.Buffer, s.Length);
	return file_set_make(file, cls, &rename, sizeof(rename));
}
