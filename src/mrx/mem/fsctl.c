/*
 * fsctl.c - file system controls of the memory redirector: reparse points and sparse files.
 */
#include "mem.h"

struct control {
	const void *in;
	ULONG in_length;
	void *out;
	ULONG out_length;
	ULONG_PTR returned;
};

static NTSTATUS get_reparse(struct mem_handle *handle, struct control *c)
{
	struct mem_node *node = handle->node;
	NTSTATUS status = STATUS_SUCCESS;

	ExAcquireFastMutex(&handle->volume->mutex);
	if (node->reparse_tag == 0)
		status = STATUS_NOT_A_REPARSE_POINT;
	else if (node->reparse.length > c->out_length)
		status = STATUS_BUFFER_TOO_SMALL;
	else
		RtlCopyMemory(c->out, node->reparse.bytes, c->returned = node->reparse.length);
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}

static NTSTATUS set_reparse(struct mem_handle *handle, struct control *c)
{
	const REPARSE_DATA_BUFFER *data = c->in;
	struct mem_node *node = handle->node;
	NTSTATUS status;

	if (c->in_length < REPARSE_DATA_BUFFER_HEADER_SIZE ||
	    data->ReparseDataLength != c->in_length - REPARSE_DATA_BUFFER_HEADER_SIZE ||
	    c->in_length > MAXIMUM_REPARSE_DATA_BUFFER_SIZE)
		return STATUS_IO_REPARSE_DATA_INVALID;
	if (data->ReparseTag == IO_REPARSE_TAG_RESERVED_ZERO ||
	    data->ReparseTag == IO_REPARSE_TAG_RESERVED_ONE)
		return STATUS_IO_REPARSE_TAG_INVALID;
	ExAcquireFastMutex(&handle->volume->mutex);
	if (node->is_directory && node->dir.count > 0) {
		status = STATUS_DIRECTORY_NOT_EMPTY;
	} else if (node->reparse_tag != 0 && node->reparse_tag != data->ReparseTag) {
		status = STATUS_IO_REPARSE_TAG_MISMATCH;
	} else {
		status = mem_blob_set(&node->reparse, c->in, c->in_length);
		if (NT_SUCCESS(status)) {
			node->reparse_tag = data->ReparseTag;
			node->attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
			mem_node_touch_locked(node, MEM_TOUCH_CHANGE);
		}
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}

static NTSTATUS delete_reparse(struct mem_handle *handle, struct control *c)
{
	const REPARSE_DATA_BUFFER *data = c->in;
	struct mem_node *node = handle->node;
	NTSTATUS status = STATUS_SUCCESS;

	if (c->in_length < REPARSE_DATA_BUFFER_HEADER_SIZE)
		return STATUS_IO_REPARSE_DATA_INVALID;
	ExAcquireFastMutex(&handle->volume->mutex);
	if (node->reparse_tag == 0) {
		status = STATUS_NOT_A_REPARSE_POINT;
	} else if (node->reparse_tag != data->ReparseTag) {
		status = STATUS_IO_REPARSE_TAG_MISMATCH;
	} else {
		(void)mem_blob_set(&node->reparse, NULL, 0); /* length 0 only frees */
		node->reparse_tag = 0;
		node->attributes &= ~(ULONG)FILE_ATTRIBUTE_REPARSE_POINT;
		mem_node_touch_locked(node, MEM_TOUCH_CHANGE);
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	return status;
}

static NTSTATUS set_sparse(struct mem_handle *handle, struct control *c)
{
	const FILE_SET_SPARSE_BUFFER *want = c->in;
	bool sparse = c->in_length < sizeof(*want) || want->SetSparse;

	ExAcquireFastMutex(&handle->volume->mutex);
	if (sparse)
		handle->node->attributes |= FILE_ATTRIBUTE_SPARSE_FILE;
	else
		handle->node->attributes &= ~(ULONG)FILE_ATTRIBUTE_SPARSE_FILE;
	ExReleaseFastMutex(&handle->volume->mutex);
	return STATUS_SUCCESS;
}

static NTSTATUS zero_data(struct mem_handle *handle, struct control *c)
{
	const FILE_ZERO_DATA_INFORMATION *range = c->in;
	struct mem_node *node = handle->node;
	LONGLONG end;

	if (!(handle->access & FILE_WRITE_DATA))
		return STATUS_ACCESS_DENIED;
	if (c->in_length < sizeof(*range) || range->FileOffset.QuadPart < 0 ||
	    range->BeyondFinalZero.QuadPart < range->FileOffset.QuadPart)
		return STATUS_INVALID_PARAMETER;
	ExAcquireResourceExclusiveLite(&node->data_lock, TRUE);
	end = range->BeyondFinalZero.QuadPart < node->size ? range->BeyondFinalZero.QuadPart : node->size;
	if (range->FileOffset.QuadPart < end)
		mem_data_zero(node, range->FileOffset.QuadPart, end);
	ExReleaseResourceLite(&node->data_lock);
	mem_fs_data_changed(handle);
	return STATUS_SUCCESS;
}

static NTSTATUS allocated_ranges(struct mem_handle *handle, struct control *c)
{
	const FILE_ALLOCATED_RANGE_BUFFER *ask = c->in;
	FILE_ALLOCATED_RANGE_BUFFER *out = c->out;
	struct mem_node *node = handle->node;
	NTSTATUS status = STATUS_SUCCESS;
	LONGLONG at, end, start, stop;

	if (c->in_length < sizeof(*ask) || ask->FileOffset.QuadPart < 0 || ask->Length.QuadPart < 0 ||
	    ask->FileOffset.QuadPart > INT64_MAX - ask->Length.QuadPart)
		return STATUS_INVALID_PARAMETER;
	at = ask->FileOffset.QuadPart;
	end = at + ask->Length.QuadPart;
	ExAcquireResourceSharedLite(&node->data_lock, TRUE);
	while (at < end && mem_data_next_range(node, at, &start, &stop) && start < end) {
		if (c->returned + sizeof(*out) > c->out_length) {
			status = STATUS_BUFFER_OVERFLOW; /* the caller asks on from the last range */
			break;
		}
		out->FileOffset.QuadPart = start;
		out->Length.QuadPart = (stop < end ? stop : end) - start;
		out++;
		c->returned += sizeof(*out);
		at = stop;
	}
	ExReleaseResourceLite(&node->data_lock);
	return status;
}

static const struct {
	ULONG code;
	bool writes; /* needs write access to the file */
	NTSTATUS (*run)(struct mem_handle *handle, struct control *control);
} controls[] = {
	{FSCTL_GET_REPARSE_POINT, false, get_reparse},
	{FSCTL_SET_REPARSE_POINT, true, set_reparse},
	{FSCTL_DELETE_REPARSE_POINT, true, delete_reparse},
	{FSCTL_SET_SPARSE, true, set_sparse},
	{FSCTL_SET_ZERO_DATA, true, zero_data},
	{FSCTL_QUERY_ALLOCATED_RANGES, false, allocated_ranges},
};

NTSTATUS mrx_mem_fsctl(PRX_CONTEXT RxContext)
{
	XXCTL_LOWIO_COMPONENT *fsctl = &RxContext->LowIoContext.ParamsFor.FsCtl;
	struct mem_handle *handle = mem_handle_of(RxContext->pFobx->pSrvOpen);
	NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
	struct control control = {
		.in = fsctl->pInputBuffer,
		.in_length = fsctl->InputBufferLength,
		.out = fsctl->pOutputBuffer,
		.out_length = fsctl->OutputBufferLength,
	};
	size_t i;

	if (handle == NULL)
		return mem_pend_low_io(RxContext, STATUS_FILE_CLOSED, 0);
	for (i = 0; i < RTL_NUMBER_OF(controls); i++) {
		if (controls[i].code != fsctl->FsControlCode)
			continue;
		if (controls[i].writes &&
		    !(handle->access & (FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES)))
			status = STATUS_ACCESS_DENIED;
		else
			status = controls[i].run(handle, &control);
	}
	return mem_pend_low_io(RxContext, status, control.returned);
}
