/*
 * open_answer.c - what the server's answers to a create tell the opener.
 *
 * Owns:   nothing; fills smb_creating.stat and the opener's extra create parameter.
 * Locks:  the core holds the FCB exclusive.
 */
#include "mrx/smb/open.h"

/* Of the first change that failed. */
static NTSTATUS smb_set_status(const struct smb_creating *c)
{
	unsigned int i;

	for (i = 0; i < c->sets; i++)
		if (!NT_SUCCESS(c->set[i]->status))
			return c->set[i]->status;
	/* a server may say only at the close that it cannot delete */
	return c->close != NULL && NT_ERROR(c->close->status) ? c->close->status : STATUS_SUCCESS;
}

void smb_creating_stat_from_create(struct smb_creating *c)
{
	const struct smb2_create_response *rsp = &c->rsp;
	FILE_STAT_INFORMATION *stat = &c->stat;
	struct wire_slice data;
	struct smb2_disk_id id;

	RtlZeroMemory(stat, sizeof(*stat));
	stat->CreationTime.QuadPart = (LONGLONG)rsp->creation_time;
	stat->LastAccessTime.QuadPart = (LONGLONG)rsp->last_access_time;
	stat->LastWriteTime.QuadPart = (LONGLONG)rsp->last_write_time;
	stat->ChangeTime.QuadPart = (LONGLONG)rsp->change_time;
	stat->AllocationSize.QuadPart = (LONGLONG)(rsp->allocation_size & INT64_MAX);
	stat->EndOfFile.QuadPart = (LONGLONG)(rsp->end_of_file & INT64_MAX);
	stat->FileAttributes = rsp->file_attributes != 0 ? rsp->file_attributes : FILE_ATTRIBUTE_NORMAL;
	stat->NumberOfLinks = 1;
	stat->EffectiveAccess = c->tree->maximal_access;
	if (smb2_create_context_find(rsp->contexts, SMB2_CREATE_QUERY_ON_DISK_ID, &data) &&
	    smb2_disk_id_decode(data, &id))
		stat->FileId.QuadPart = (LONGLONG)id.file_id;
}

bool smb_creating_stat_from_query(struct smb_creating *c)
{
	FILE_STAT_INFORMATION *stat = &c->stat;
	struct wire_slice output;
	struct fscc_all all;

	if (c->query == NULL ||
	    (c->query->status != STATUS_SUCCESS && c->query->status != STATUS_BUFFER_OVERFLOW))
		return false;
	if (!smb2_output_response_decode(&c->query->pdu, &output) || !fscc_all_decode(output, &all))
		return false;
	stat->CreationTime.QuadPart = (LONGLONG)all.basic.creation_time;
	stat->LastAccessTime.QuadPart = (LONGLONG)all.basic.last_access_time;
	stat->LastWriteTime.QuadPart = (LONGLONG)all.basic.last_write_time;
	stat->ChangeTime.QuadPart = (LONGLONG)all.basic.change_time;
	stat->AllocationSize.QuadPart = (LONGLONG)(all.standard.allocation_size & INT64_MAX);
	stat->EndOfFile.QuadPart = (LONGLONG)(all.standard.end_of_file & INT64_MAX);
	stat->NumberOfLinks = all.standard.number_of_links;
	if (all.basic.attributes != 0)
		stat->FileAttributes = all.basic.attributes;
	if (stat->FileId.QuadPart == 0)
		stat->FileId.QuadPart = (LONGLONG)all.index_number;
	return true;
}

void smb_creating_fetch_reparse(struct smb_creating *c, struct smb2_file_id id)
{
	struct smb_exchange *x = smb_tree_exchange(c->tree);
	struct smb2_ioctl_request req = {
		.ctl_code = SMB2_FSCTL_GET_REPARSE_POINT,
		.file_id = id,
		.max_output_response = RX_QOC_REPARSE_BYTES,
		.flags = SMB2_0_IOCTL_IS_FSCTL,
	};
	struct smb_part *part = x == NULL ? NULL : smb_exchange_add(x, SMB2_IOCTL, 256, RX_QOC_REPARSE_BYTES);
	struct smb2_ioctl_response rsp;
	struct fscc_reparse reparse;

	if (part != NULL) {
		part->len = smb2_ioctl_request_encode(part->bytes, part->cap, &req);
		if (smb_run(c->rxc, x) == STATUS_SUCCESS && smb2_ioctl_response_decode(&part->pdu, &rsp) &&
		    fscc_reparse_decode(rsp.output, &reparse)) {
			c->stat.ReparseTag = reparse.tag;
			c->ecp->ReparseTag = reparse.tag;
			if (rsp.output.len <= c->ecp->ReparseCapacity && c->ecp->ReparseData != NULL) {
				RtlCopyMemory(c->ecp->ReparseData, rsp.output.p, rsp.output.len);
				c->ecp->ReparseLength = (ULONG)rsp.output.len;
				c->ecp->Supplied |= RX_QOC_SYMLINK;
			}
		}
	}
	smb_exchange_put(x);
}

void smb_creating_answer_ecp(struct smb_creating *c, const struct smb_open *open, bool stat_known)
{
	if (c->ecp == NULL)
		return;
	if ((c->stat.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) && open != NULL &&
	    (c->ecp->Requested & (RX_QOC_SYMLINK | RX_QOC_STAT)))
		smb_creating_fetch_reparse(c, open->id);
	if (stat_known && (c->ecp->Requested & RX_QOC_STAT)) {
		c->ecp->Stat = c->stat;
		c->ecp->Supplied |= RX_QOC_STAT;
	}
	if (c->close != NULL)
		c->ecp->Supplied |= RX_QOC_CLOSE;
	if (c->list != 0 && smb_pages_take_from_create(c->rxc->pFobx->Context, c->x, c->list, c->asked_at))
		c->ecp->Supplied |= RX_QOC_LIST;
	if (c->read != NULL && c->read->status == STATUS_SUCCESS) {
		c->ecp->ReadBytes = (ULONG)c->read->placed;
		c->ecp->Supplied |= RX_QOC_READ;
	}
	if (c->sets != 0) {
		c->ecp->SetStatus = smb_set_status(c);
		c->ecp->Supplied |= RX_QOC_SET;
	}
}
