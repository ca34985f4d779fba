/*
 * lowio.c - reading, writing, flushing.
 *
 * Owns:   struct smb_io, from submission to the last answer.
 * Locks:  none; pieces complete on the loop thread, one after the other.
 *
 * Data goes between the socket and the caller's memory without a copy.  What is larger than one request may be goes
 * in pieces, all under way at once; the pieces are put together by their order, not by when they end.
 */
#include "mrx/smb/smb.h"

#define SMB_TAG_IO 'iBmS'

struct smb_io {
	PRX_CONTEXT rxc;
	struct smb_call call;
	bool write;
	unsigned int left; /* loop thread, once submitted */
	size_t piece;      /* bytes of each but the last */
	size_t length;
	struct smb_exchange *x[];
};

/* ---- completion (loop thread) ------------------------------------------------------------------------ */

/* Bytes one piece moved. */
static NTSTATUS smb_piece_result(const struct smb_io *io, const struct smb_exchange *x, size_t *bytes)
{
	const struct smb_part *part = &x->part[0];
	struct smb2_write_response rsp;

	*bytes = 0;
	if (x->status != STATUS_SUCCESS)
		return x->status;
	if (part->status != STATUS_SUCCESS)
		return part->status;
	if (!io->write) {
		*bytes = part->placed;
		return STATUS_SUCCESS;
	}
	if (!smb2_write_response_decode(&part->pdu, &rsp) || rsp.count > part->data_len)
		return STATUS_INVALID_NETWORK_RESPONSE;
	*bytes = rsp.count;
	return STATUS_SUCCESS;
}

/*
 * The bytes up to the first piece that fell short.  The end of the file is the only reason for a short read; an error
 * after some bytes would look like one, so a read fails as a whole.  A write tells how far it came.
 */
static void smb_io_result(struct smb_io *io)
{
	NTSTATUS status = STATUS_SUCCESS;
	size_t total = 0;
	unsigned int i;

	for (i = 0; i < io->call.count && status == STATUS_SUCCESS; i++) {
		size_t at = i * io->piece;
		size_t want = io->length - at < io->piece ? io->length - at : io->piece;
		size_t bytes;

		status = smb_piece_result(io, io->x[i], &bytes);
		total += bytes;
		if (bytes < want)
			break;
	}
	if (total > 0 && (io->write || status == STATUS_END_OF_FILE))
		status = STATUS_SUCCESS;
	else if (status == STATUS_SUCCESS && total == 0)
		status = io->write ? STATUS_UNEXPECTED_NETWORK_ERROR : STATUS_END_OF_FILE;
	io->rxc->StoredStatus = status;
	io->rxc->InformationToReturn = status == STATUS_SUCCESS ? total : 0;
}

static void smb_io_free(struct smb_io *io)
{
	unsigned int i;

	for (i = 0; i < io->call.count; i++)
		smb_exchange_put(io->x[i]);
	ExFreePoolWithTag(io, SMB_TAG_IO);
}

static void smb_piece_complete(struct smb_exchange *x)
{
	struct smb_io *io = x->context;
	PRX_CONTEXT rxc = io->rxc;

	if (--io->left != 0)
		return;
	smb_call_detach(rxc);
	smb_io_result(io);
	smb_io_free(io);
	(void)RxLowIoCompletion(rxc); /* from here the context is not ours */
}

/* ---- submission -------------------------------------------------------------------------------------- */

static struct smb_exchange *smb_read_piece(struct smb_open *open, uint64_t offset, void *to, size_t length)
{
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb2_read_request req = {.length = (uint32_t)length, .offset = offset, .file_id = open->id};
	struct smb_part *part = x == NULL ? NULL : smb_exchange_add(x, SMB2_READ, SMB2_HDR_SIZE + 64, length);

	if (part == NULL) {
		smb_exchange_put(x);
		return NULL;
	}
	part->len = smb2_read_request_encode(part->bytes, part->cap, &req);
	part->read_to = to;
	part->read_room = length;
	return x;
}

static struct smb_exchange *smb_write_piece(struct smb_open *open, uint64_t offset, const void *from,
					    size_t length, uint32_t flags)
{
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb2_write_request req = {
		.length = (uint32_t)length,
		.offset = offset,
		.file_id = open->id,
		.flags = flags,
	};
	struct smb_part *part =
		x == NULL ? NULL : smb_exchange_add(x, SMB2_WRITE, SMB2_WRITE_DATA_OFFSET, length);

	if (part == NULL) {
		smb_exchange_put(x);
		return NULL;
	}
	part->len = smb2_write_request_encode(part->bytes, part->cap, &req);
	part->data = from;
	part->data_len = length;
	return x;
}

static size_t smb_piece_size(struct smb_open *open, PRX_CONTEXT RxContext, bool write)
{
	const struct smb_share *share = RxContext->pFobx->pSrvOpen->pVNetRoot->Context;
	const struct smb_negotiated *neg = &open->tree->session->conn->neg;
	size_t piece = write ? neg->max_write : neg->max_read;
	size_t wanted = share == NULL ? 0 : write ? share->options.wsize : share->options.rsize;

	return wanted != 0 && wanted < piece ? wanted : piece;
}

/* All pieces of the request; NULL without memory. */
static struct smb_io *smb_io_build(PRX_CONTEXT RxContext, struct smb_open *open, uint8_t *bytes, bool write)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	uint32_t flags = RxContext->Flags & RX_CONTEXT_FLAG_WRITE_THROUGH ? SMB2_WRITEFLAG_WRITE_THROUGH : 0;
	size_t length = low->ParamsFor.ReadWrite.ByteCount, piece = smb_piece_size(open, RxContext, write),
	       at;
	unsigned int count = (unsigned int)((length + piece - 1) / piece);
	struct smb_io *io =
		ExAllocatePoolZero(NonPagedPool, sizeof(*io) + count * sizeof(io->x[0]), SMB_TAG_IO);

	if (io == NULL)
		return NULL;
	io->rxc = RxContext;
	io->write = write;
	io->piece = piece;
	io->length = length;
	io->call.x = io->x;
	for (at = 0; at < length; at += piece) {
		uint64_t offset = (uint64_t)low->ParamsFor.ReadWrite.ByteOffset + at;
		size_t part = length - at < piece ? length - at : piece;
		struct smb_exchange *x = write ? smb_write_piece(open, offset, bytes + at, part, flags)
					       : smb_read_piece(open, offset, bytes + at, part);

		if (x == NULL) {
			smb_io_free(io);
			return NULL;
		}
		smb_call_count(RxContext, x);
		io->x[io->call.count++] = x;
	}
	io->left = io->call.count;
	return io;
}

static NTSTATUS smb_io_start(PRX_CONTEXT RxContext, bool write)
{
	PLOWIO_CONTEXT low = &RxContext->LowIoContext;
	struct smb_open *open = smb_open_of_request(RxContext);
	uint8_t *bytes = RxLowIoGetBufferAddress(RxContext);
	unsigned int i, count;
	struct smb_io *io;
	NTSTATUS status;

	RxContext->InformationToReturn = 0;
	if (open == NULL)
		return STATUS_FILE_CLOSED;
	if (low->ParamsFor.ReadWrite.ByteCount == 0)
		return STATUS_SUCCESS;
	if (bytes == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (low->ParamsFor.ReadWrite.ByteOffset < 0)
		return STATUS_INVALID_PARAMETER;
	io = smb_io_build(RxContext, open, bytes, write);
	if (io == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = smb_call_attach(RxContext, &io->call);
	if (status != STATUS_SUCCESS) {
		smb_io_free(io);
		return status;
	}
	count = io->call.count;
	for (i = 0; i < count; i++) /* the last may complete, and free, the whole before the call returns */
		smb_exchange_submit(io->x[i], smb_piece_complete, io);
	return STATUS_PENDING;
}

NTSTATUS mrx_smb_read(PRX_CONTEXT RxContext)
{
	return smb_io_start(RxContext, false);
}

NTSTATUS mrx_smb_write(PRX_CONTEXT RxContext)
{
	return smb_io_start(RxContext, true);
}

/* ---- flush ------------------------------------------------------------------------------------------- */

NTSTATUS mrx_smb_flush(PRX_CONTEXT RxContext)
{
	struct smb_open *open = smb_open_of_request(RxContext);
	struct smb_exchange *x;
	struct smb_part *part;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	if (open == NULL)
		return STATUS_FILE_CLOSED;
	/* a handle that cannot write has nothing to flush, and servers refuse it */
	if (open->directory ||
	    !(open->access & (FILE_WRITE_DATA | FILE_APPEND_DATA | GENERIC_WRITE | GENERIC_ALL)))
		return STATUS_SUCCESS;
	x = smb_tree_exchange(open->tree);
	part = x == NULL ? NULL : smb_exchange_add(x, SMB2_FLUSH, SMB2_HDR_SIZE + 24, 0);
	if (part != NULL) {
		part->len = smb2_flush_request_encode(part->bytes, part->cap, open->id);
		status = smb_run(RxContext, x);
	}
	smb_exchange_put(x);
	return status;
}
