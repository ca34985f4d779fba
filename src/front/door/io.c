/*
 * io.c - reads, writes and flushes.
 *
 * The caller's buffer is described by the IRP's MDL and never copied; it belongs to the request until its end.
 */
#include "door_int.h"

static NTSTATUS make_transfer(struct door_file *file, const struct door_caller *caller, UCHAR major,
			      void *buffer, ULONG length, uint64_t offset, struct door_request **out)
{
	struct door_request *r;
	PIO_STACK_LOCATION stack;
	NTSTATUS status;

	*out = NULL;
	if (length > DOOR_IO_MAX || (offset > INT64_MAX && offset != DOOR_APPEND) ||
	    (offset != DOOR_APPEND && offset + length > INT64_MAX))
		return STATUS_INVALID_PARAMETER;
	status = door_transfer_create(file, caller, major, IRP_MN_NORMAL, &r);
	if (!NT_SUCCESS(status))
		return status;
	if (length != 0) {
		r->mdl = IoAllocateMdl(buffer, length, FALSE, FALSE, NULL);
		if (r->mdl == NULL) {
			(void)door_transfer_end(&r->way,
						STATUS_INSUFFICIENT_RESOURCES); /* nothing was sent */
			door_request_put(r);
			return STATUS_INSUFFICIENT_RESOURCES;
		}
		MmBuildMdlForNonPagedPool(r->mdl);
	}
	r->irp->MdlAddress = r->mdl;
	r->irp->UserBuffer = buffer;
	if (file->no_cache)
		r->irp->Flags |= IRP_NOCACHE;
	stack = door_request_stack(r);
	if (major == IRP_MJ_READ) {
		r->irp->Flags |= IRP_READ_OPERATION | IRP_DEFER_IO_COMPLETION;
		stack->Parameters.Read.Length = length;
		stack->Parameters.Read.ByteOffset.QuadPart = (LONGLONG)offset;
	} else {
		r->irp->Flags |= IRP_WRITE_OPERATION | IRP_DEFER_IO_COMPLETION;
		if (file->write_through)
			stack->Flags |= SL_WRITE_THROUGH;
		stack->Parameters.Write.Length = length;
		stack->Parameters.Write.ByteOffset.QuadPart = (LONGLONG)offset;
	}
	*out = r;
	return STATUS_SUCCESS;
}

static void send_transfer(struct door_file *file, const struct door_caller *caller, UCHAR major, ULONG flags,
			  void *buffer, ULONG length, uint64_t offset, door_done_fn done, void *context)
{
	struct door_request *r;
	NTSTATUS status = make_transfer(file, caller, major, buffer, length, offset, &r);

	if (!NT_SUCCESS(status)) {
		done(context, status, 0);
		return;
	}
	r->irp->Flags |= flags;
	door_request_send(r, caller, done, context);
}

void door_read_async(struct door_file *file, const struct door_caller *caller, void *buffer, ULONG length,
		     uint64_t offset, door_done_fn done, void *context)
{
	send_transfer(file, caller, IRP_MJ_READ, 0, buffer, length, offset, done, context);
}

void door_write_async(struct door_file *file, const struct door_caller *caller, const void *buffer,
		      ULONG length, uint64_t offset, door_done_fn done, void *context)
{
	send_transfer(file, caller, IRP_MJ_WRITE, 0, (void *)(uintptr_t)buffer, length, offset, done,
		      context);
}

void door_read_pages_async(struct door_file *file, const struct door_caller *caller, void *buffer,
			   ULONG length, uint64_t offset, door_done_fn done, void *context)
{
	send_transfer(file, caller, IRP_MJ_READ, IRP_PAGING_IO, buffer, length, offset, done, context);
}

void door_write_pages_async(struct door_file *file, const struct door_caller *caller, const void *buffer,
			    ULONG length, uint64_t offset, door_done_fn done, void *context)
{
	send_transfer(file, caller, IRP_MJ_WRITE, IRP_PAGING_IO, (void *)(uintptr_t)buffer, length, offset,
		      done, context);
}

static NTSTATUS transfer(struct door_file *file, const struct door_caller *caller, UCHAR major, void *buffer,
			 ULONG length, uint64_t offset, ULONG *transferred)
{
	struct door_request *r;
	ULONG_PTR information = 0;
	NTSTATUS status = make_transfer(file, caller, major, buffer, length, offset, &r);

	if (NT_SUCCESS(status))
		status = door_request_run(r, caller, &information);
	*transferred = NT_SUCCESS(status) ? (ULONG)information : 0;
	return status;
}

NTSTATUS door_read(struct door_file *file, const struct door_caller *caller, void *buffer, ULONG length,
		   uint64_t offset, ULONG *transferred)
{
	return transfer(file, caller, IRP_MJ_READ, buffer, length, offset, transferred);
}

NTSTATUS door_write(struct door_file *file, const struct door_caller *caller, const void *buffer,
		    ULONG length, uint64_t offset, ULONG *transferred)
{
	return transfer(file, caller, IRP_MJ_WRITE, (void *)(uintptr_t)buffer, length, offset, transferred);
}

static NTSTATUS flush(struct door_file *file, const struct door_caller *caller, UCHAR minor)
{
	struct door_request *r;
	NTSTATUS status = door_transfer_create(file, caller, IRP_MJ_FLUSH_BUFFERS, minor, &r);

	return NT_SUCCESS(status) ? door_request_run(r, caller, NULL) : status;
}

NTSTATUS door_flush(struct door_file *file, const struct door_caller *caller)
{
	return flush(file, caller, 0);
}

NTSTATUS door_write_back(struct door_file *file, const struct door_caller *caller)
{
	return flush(file, caller, IRP_MN_FLUSH_NO_SYNC);
}

void door_flush_async(struct door_file *file, const struct door_caller *caller, door_done_fn done,
		      void *context)
{
	struct door_request *r;
	NTSTATUS status = door_transfer_create(file, caller, IRP_MJ_FLUSH_BUFFERS, 0, &r);

	if (NT_SUCCESS(status))
		door_request_send(r, caller, done, context);
	else
		done(context, status, 0);
}
