/*
 * pages.c - asking a server for a listing, ahead of whoever reads it.
 *
 * Owns:      struct smb_dir, in the FOBX: QUERY_DIRECTORY requests on their way and answered.
 * Locks:     the core holds the FCB exclusive; while the create is under way nobody else knows the FOBX.
 * Dies when: the handle is cleaned up, the scan is restarted, or all is handed out.  An answer that is still on its way
 *            then belongs to the transport, and goes when it comes.
 *
 * A listing begins with two small pages in one message, with the CREATE where the opener wants that: of a small folder the
 * second says that there is no more.  When that one is wanted up to four larger ones are on their way while one is handed
 * out, so that server and reader work at the same time, and a distant server sends up to 1 MiB in a round trip.
 *
 * Servers answer the requests of one handle in their order; if one does not, entries come in another order, which means
 * nothing: the listing ends when the server has said so and every page is there.
 */
#include "mrx/smb/smb.h"

enum { FIRST_PAGE = 64 * 1024, NEXT_PAGE = 256 * 1024 };

void smb_pages_drop(struct smb_dir *dir)
{
	unsigned int i;

	smb_exchange_put(dir->page[0].x);
	dir->pages--;
	for (i = 0; i < dir->pages; i++)
		dir->page[i] = dir->page[i + 1];
	dir->opened = false;
}

void smb_dir_reset(struct smb_dir *dir)
{
	while (dir->pages > 0)
		smb_pages_drop(dir);
	RtlZeroMemory(dir, sizeof(*dir));
}

/* ---- asking ------------------------------------------------------------------------------------------ */

static const uint8_t smb_all_names[] = {'*', 0};

static struct wire_slice smb_pattern(PMRX_FOBX fobx)
{
	struct wire_slice pattern = {(const uint8_t *)fobx->UnicodeQueryTemplate.Buffer,
				     fobx->UnicodeQueryTemplate.Length};

	return pattern.len != 0 ? pattern : wire_slice_at(smb_all_names, 0, sizeof(smb_all_names));
}

static struct smb_part *smb_add_query(struct smb_exchange *x, struct smb2_file_id id, uint8_t flags,
				      struct wire_slice pattern, uint32_t room)
{
	uint32_t most = x->conn->neg.max_transact;
	struct smb2_query_directory_request req = {
		.info_class = FSCC_FILE_ID_BOTH_DIRECTORY,
		.flags = flags,
		.file_id = id,
		.pattern = pattern,
		.output_length = room < most ? room : most,
	};
	struct smb_part *part = smb_exchange_add(x, SMB2_QUERY_DIRECTORY,
						 SMB2_HDR_SIZE + 40 + req.pattern.len, req.output_length);

	if (part != NULL)
		part->len = smb2_query_directory_request_encode(part->bytes, part->cap, &req);
	return part;
}

static void smb_pages_note(struct smb_dir *dir, struct smb_exchange *x, struct smb_part *part,
			   uint64_t asked_at)
{
	smb_exchange_get(x);
	dir->page[dir->pages].x = x;
	dir->page[dir->pages].part = part;
	dir->page[dir->pages].asked_at = asked_at;
	dir->pages++;
}

/* Two small pages from the beginning (flags != 0), or one that goes on. Nobody waits. */
static NTSTATUS smb_pages_ask(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir,
			      uint8_t flags)
{
	struct wire_slice pattern = smb_pattern(RxContext->pFobx);
	struct smb_exchange *x = smb_tree_exchange(open->tree);
	struct smb_part *part = NULL;
	uint64_t now = KeQueryInterruptTime();

	if (x != NULL)
		part = smb_add_query(x, open->id, flags, pattern, flags != 0 ? FIRST_PAGE : NEXT_PAGE);
	if (part == NULL ||
	    (flags != 0 && smb_add_query(x, SMB2_FILE_ID_RELATED, 0, pattern, FIRST_PAGE) == NULL)) {
		smb_exchange_put(x);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	smb_call_count(RxContext, x);
	smb_pages_note(dir, x, &x->part[0], now);
	if (flags != 0)
		smb_pages_note(dir, x, &x->part[1], now);
	smb_exchange_begin(x);
	smb_exchange_put(x);
	return STATUS_SUCCESS;
}

NTSTATUS smb_pages_restart(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir)
{
	/* what came with the create was asked for another pattern perhaps */
	uint8_t flags = dir->with_create ? SMB2_REOPEN : SMB2_RESTART_SCANS;

	/* a request that the server does after the restart would take entries from the new listing */
	while (dir->pages > 0) {
		NTSTATUS status = smb_await(RxContext, dir->page[0].x);

		if (status != STATUS_SUCCESS) {
			dir->failed = status;
			return status;
		}
		smb_pages_drop(dir);
	}
	smb_dir_reset(dir);
	return smb_pages_ask(RxContext, open, dir, flags);
}

/* ---- with a create ----------------------------------------------------------------------------------- */

NTSTATUS smb_pages_add_to_create(struct smb_exchange *x)
{
	struct wire_slice all = wire_slice_at(smb_all_names, 0, sizeof(smb_all_names));

	if (smb_add_query(x, SMB2_FILE_ID_RELATED, 0, all, FIRST_PAGE) == NULL ||
	    smb_add_query(x, SMB2_FILE_ID_RELATED, 0, all, FIRST_PAGE) == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	return STATUS_SUCCESS;
}

static bool smb_is_end(NTSTATUS status)
{
	return status == STATUS_NO_MORE_FILES || status == STATUS_NO_SUCH_FILE;
}

bool smb_pages_take_from_create(struct smb_dir *dir, struct smb_exchange *x, unsigned int first,
				uint64_t asked_at)
{
	unsigned int i;

	for (i = first;
	     i < x->count && (x->part[i].status == STATUS_SUCCESS || smb_is_end(x->part[i].status)); i++)
		smb_pages_note(dir, x, &x->part[i], asked_at);
	dir->with_create = dir->pages > 0;
	return dir->with_create;
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static NTSTATUS smb_page_status(const struct smb_dir_page *page)
{
	return page->x->status == STATUS_SUCCESS ? page->part->status : page->x->status;
}

static bool smb_page_is_there(const struct smb_dir_page *page)
{
	LARGE_INTEGER now = {.QuadPart = 0};

	return KeWaitForSingleObject(&page->x->done, Executive, KernelMode, FALSE, &now) == STATUS_SUCCESS;
}

/*
 * The second query of a message that begins a listing may fail alone: a server that does not do it after the first.  It
 * took nothing from the listing, and is asked again.  Locks: page[0] is of the same message, and answered.
 */
static void smb_pages_forget_refused(struct smb_dir *dir)
{
	const struct smb_dir_page *second = &dir->page[1];

	if (dir->pages == 2 && second->x == dir->page[0].x && NT_ERROR(smb_page_status(second)) &&
	    !smb_is_end(smb_page_status(second))) {
		smb_exchange_put(second->x);
		dir->pages = 1;
	}
}

/* page[0] is opened. */
static void smb_pages_ahead(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir)
{
	unsigned int under_way = 0, i;

	if (dir->ended || (dir->pages == 2 && dir->page[1].x == dir->page[0].x))
		return; /* the second small page is there, and may be all that is wanted */
	for (i = 1; i < dir->pages; i++) {
		if (!smb_page_is_there(&dir->page[i]))
			under_way++;
		else if (smb_page_status(&dir->page[i]) != STATUS_SUCCESS)
			return; /* the end, or an error that ends it */
	}
	dir->window = dir->window == 0 ? 1 : dir->window < SMB_DIR_AHEAD ? dir->window * 2 : SMB_DIR_AHEAD;
	while (under_way < dir->window && dir->pages < SMB_DIR_PAGES) {
		if (smb_pages_ask(RxContext, open, dir, 0) != STATUS_SUCCESS)
			return; /* it is asked for when it is wanted */
		under_way++;
	}
}

static NTSTATUS smb_pages_open(struct smb_dir *dir)
{
	struct smb_part *part = dir->page[0].part;

	if (!smb2_output_response_decode(&part->pdu, &dir->list) || dir->list.len > part->payload ||
	    dir->list.len == 0)
		return STATUS_INVALID_NETWORK_RESPONSE;
	dir->opened = true;
	dir->offset = 0;
	return STATUS_SUCCESS;
}

NTSTATUS smb_pages_next(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir)
{
	NTSTATUS status;

	while (dir->failed == STATUS_SUCCESS) {
		if (dir->pages == 0 && dir->ended)
			return STATUS_NO_MORE_FILES;
		status = dir->pages > 0 ? STATUS_SUCCESS : smb_pages_ask(RxContext, open, dir, 0);
		if (status == STATUS_SUCCESS)
			status = smb_await(RxContext, dir->page[0].x);
		if (status != STATUS_SUCCESS)
			return status; /* the page stays where it is */
		dir->with_create = false;
		smb_pages_forget_refused(dir);
		status = smb_page_status(&dir->page[0]);
		if (status == STATUS_SUCCESS)
			status = smb_pages_open(dir);
		if (status == STATUS_SUCCESS) {
			smb_pages_ahead(RxContext, open, dir);
			return STATUS_SUCCESS;
		}
		dir->ended = dir->ended || smb_is_end(status);
		if (status == STATUS_NO_SUCH_FILE) { /* nothing matches: every other page says so as well */
			while (dir->pages > 0)
				smb_pages_drop(dir);
			return status;
		}
		if (smb_is_end(status))
			smb_pages_drop(dir);
		else
			dir->failed = status;
	}
	return dir->failed;
}
