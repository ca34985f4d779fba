/*
 * create_ctx.c - create contexts of requests and responses (MS-SMB2 2.2.13.2, 2.2.14.2).
 *
 * Stateless; a struct smb2_create_context_list borrows its buffer from the caller.
 */
#include "mrx/smb/wire/body.h"

enum { CONTEXT_HEAD = 16, LEASE_V1_SIZE = 32, LEASE_V2_SIZE = 52 };

int smb2_create_context_next(struct wire_slice list, size_t *offset, struct smb2_create_context *ctx)
{
	struct wire_reader r;
	uint32_t next, name_offset, name_length, data_offset, data_length;
	const uint8_t *base;
	size_t size;

	if (*offset >= list.len)
		return 0;
	base = list.p + *offset;
	size = list.len - *offset;
	r = wire_reader_init(base, size);
	next = wire_get_u32(&r);
	name_offset = wire_get_u16(&r);
	name_length = wire_get_u16(&r);
	wire_skip(&r, 2);
	data_offset = wire_get_u16(&r);
	data_length = wire_get_u32(&r);
	if (!r.ok)
		return -1;
	if (next) {
		if (next % 8 || next < CONTEXT_HEAD || next >= size)
			return -1;
		size = next;
	}
	if (name_length < 4 || name_offset < CONTEXT_HEAD || !wire_in_range(name_offset, name_length, size))
		return -1;
	if (data_length && (data_offset < CONTEXT_HEAD || !wire_in_range(data_offset, data_length, size)))
		return -1;
	ctx->name = wire_slice_at(base, name_offset, name_length);
	ctx->tag = name_length == 4 ? wire_le32(ctx->name.p) : 0;
	ctx->data = wire_slice_at(base, data_length ? data_offset : 0, data_length);
	*offset = next ? *offset + next : list.len;
	return 1;
}

bool smb2_create_context_find(struct wire_slice list, uint32_t tag, struct wire_slice *data)
{
	struct smb2_create_context ctx;
	size_t offset = 0;

	while (smb2_create_context_next(list, &offset, &ctx) > 0) {
		if (ctx.tag == tag && ctx.name.len == 4) {
			*data = ctx.data;
			return true;
		}
	}
	*data = (struct wire_slice){NULL, 0};
	return false;
}

bool smb2_create_context_append_named(struct smb2_create_context_list *list, const void *name,
				      size_t name_bytes, const void *data, size_t bytes)
{
	struct wire_writer w = wire_writer_init(list->buf, list->cap);
	size_t start, data_offset = wire_align8(CONTEXT_HEAD + (name_bytes & 0xFF));

	if (name_bytes < 4 || name_bytes > 0xFF)
		return false;
	(void)wire_room(&w, list->len);
	wire_put_align8(&w);
	start = w.pos;
	wire_put_u32(&w, 0);
	wire_put_u16(&w, CONTEXT_HEAD);
	wire_put_u16(&w, (uint16_t)name_bytes);
	wire_put_u16(&w, 0);
	wire_put_u16(&w, bytes ? (uint16_t)data_offset : 0);
	smb2_put_len32(&w, bytes);
	wire_put_bytes(&w, name, name_bytes);
	/* Also without data: the name is padded, as the next context must be 8-byte aligned anyway. */
	wire_put_align8(&w);
	wire_put_bytes(&w, data, bytes);
	if (!w.ok)
		return false;
	if (list->len)
		wire_set_le32(list->buf + list->last, (uint32_t)(start - list->last));
	list->last = start;
	list->len = w.pos;
	return true;
}

bool smb2_create_context_append(struct smb2_create_context_list *list, uint32_t tag, const void *data,
				size_t bytes)
{
	uint8_t name[4];

	wire_set_le32(name, tag);
	return smb2_create_context_append_named(list, name, sizeof(name), data, bytes);
}

bool smb2_lease_append(struct smb2_create_context_list *list, const struct smb2_lease *lease)
{
	uint8_t data[LEASE_V2_SIZE] = {0};

	if (lease->version != 1 && lease->version != 2)
		return false;
	memcpy(data, lease->key, SMB2_LEASE_KEY_SIZE);
	wire_set_le32(data + 16, lease->state);
	wire_set_le32(data + 20, lease->flags);
	if (lease->version == 1)
		return smb2_create_context_append(list, SMB2_CREATE_LEASE, data, LEASE_V1_SIZE);
	if (lease->flags & SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET)
		memcpy(data + 32, lease->parent_key, SMB2_LEASE_KEY_SIZE);
	wire_set_le16(data + 48, lease->epoch);
	return smb2_create_context_append(list, SMB2_CREATE_LEASE, data, LEASE_V2_SIZE);
}

bool smb2_lease_decode(struct wire_slice data, struct smb2_lease *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	memset(out, 0, sizeof(*out));
	/* The two versions share a name and differ in length (2.2.14.2.11). */
	if (data.len != LEASE_V1_SIZE && data.len != LEASE_V2_SIZE)
		return false;
	out->version = data.len == LEASE_V1_SIZE ? 1 : 2;
	wire_get_bytes(&r, out->key, sizeof(out->key));
	out->state = wire_get_u32(&r);
	out->flags = wire_get_u32(&r);
	wire_skip(&r, 8);
	if (out->version == 2) {
		wire_get_bytes(&r, out->parent_key, sizeof(out->parent_key));
		out->epoch = wire_get_u16(&r);
	}
	return r.ok;
}

bool smb2_durable_v2_request_append(struct smb2_create_context_list *list,
				    const struct smb2_durable_v2_request *d)
{
	uint8_t data[32] = {0};

	wire_set_le32(data, d->timeout_ms);
	wire_set_le32(data + 4, d->flags);
	memcpy(data + 16, d->create_guid, SMB2_GUID_SIZE);
	return smb2_create_context_append(list, SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2, data, sizeof(data));
}

bool smb2_durable_v2_request_decode(struct wire_slice data, struct smb2_durable_v2_request *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	memset(out, 0, sizeof(*out));
	out->timeout_ms = wire_get_u32(&r);
	out->flags = wire_get_u32(&r);
	wire_skip(&r, 8);
	wire_get_bytes(&r, out->create_guid, sizeof(out->create_guid));
	return r.ok;
}

bool smb2_durable_v2_reconnect_append(struct smb2_create_context_list *list,
				      const struct smb2_durable_v2_reconnect *d)
{
	uint8_t data[36] = {0};

	wire_set_le64(data, d->file_id.persistent);
	wire_set_le64(data + 8, d->file_id.volatile_id);
	memcpy(data + 16, d->create_guid, SMB2_GUID_SIZE);
	wire_set_le32(data + 32, d->flags);
	return smb2_create_context_append(list, SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2, data, sizeof(data));
}

bool smb2_durable_v2_reconnect_decode(struct wire_slice data, struct smb2_durable_v2_reconnect *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	memset(out, 0, sizeof(*out));
	out->file_id = smb2_get_file_id(&r);
	wire_get_bytes(&r, out->create_guid, sizeof(out->create_guid));
	out->flags = wire_get_u32(&r);
	return r.ok;
}

bool smb2_durable_v2_response_append(struct smb2_create_context_list *list,
				     const struct smb2_durable_v2_response *d)
{
	uint8_t data[8];

	wire_set_le32(data, d->timeout_ms);
	wire_set_le32(data + 4, d->flags);
	return smb2_create_context_append(list, SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2, data, sizeof(data));
}

bool smb2_durable_v2_response_decode(struct wire_slice data, struct smb2_durable_v2_response *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	memset(out, 0, sizeof(*out));
	out->timeout_ms = wire_get_u32(&r);
	out->flags = wire_get_u32(&r);
	return r.ok;
}

bool smb2_durable_request_append(struct smb2_create_context_list *list)
{
	static const uint8_t reserved[16];

	return smb2_create_context_append(list, SMB2_CREATE_DURABLE_HANDLE_REQUEST, reserved,
					  sizeof(reserved));
}

bool smb2_durable_response_append(struct smb2_create_context_list *list)
{
	static const uint8_t reserved[8];

	return smb2_create_context_append(list, SMB2_CREATE_DURABLE_HANDLE_REQUEST, reserved,
					  sizeof(reserved));
}

bool smb2_durable_reconnect_append(struct smb2_create_context_list *list, struct smb2_file_id id)
{
	uint8_t data[16];

	wire_set_le64(data, id.persistent);
	wire_set_le64(data + 8, id.volatile_id);
	return smb2_create_context_append(list, SMB2_CREATE_DURABLE_HANDLE_RECONNECT, data, sizeof(data));
}

bool smb2_durable_reconnect_decode(struct wire_slice data, struct smb2_file_id *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	*out = smb2_get_file_id(&r);
	return r.ok;
}

bool smb2_maximal_access_request_append(struct smb2_create_context_list *list)
{
	return smb2_create_context_append(list, SMB2_CREATE_QUERY_MAXIMAL_ACCESS, NULL, 0);
}

bool smb2_maximal_access_append(struct smb2_create_context_list *list, const struct smb2_maximal_access *m)
{
	uint8_t data[8];

	wire_set_le32(data, m->query_status);
	wire_set_le32(data + 4, m->access);
	return smb2_create_context_append(list, SMB2_CREATE_QUERY_MAXIMAL_ACCESS, data, sizeof(data));
}

bool smb2_maximal_access_decode(struct wire_slice data, struct smb2_maximal_access *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->query_status = wire_get_u32(&r);
	out->access = wire_get_u32(&r);
	return r.ok;
}

bool smb2_disk_id_request_append(struct smb2_create_context_list *list)
{
	return smb2_create_context_append(list, SMB2_CREATE_QUERY_ON_DISK_ID, NULL, 0);
}

bool smb2_disk_id_append(struct smb2_create_context_list *list, const struct smb2_disk_id *id)
{
	uint8_t data[32] = {0};

	wire_set_le64(data, id->file_id);
	wire_set_le64(data + 8, id->volume_id);
	return smb2_create_context_append(list, SMB2_CREATE_QUERY_ON_DISK_ID, data, sizeof(data));
}

bool smb2_disk_id_decode(struct wire_slice data, struct smb2_disk_id *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->file_id = wire_get_u64(&r);
	out->volume_id = wire_get_u64(&r);
	return r.ok;
}

static bool u64_append(struct smb2_create_context_list *list, uint32_t tag, uint64_t value)
{
	uint8_t data[8];

	wire_set_le64(data, value);
	return smb2_create_context_append(list, tag, data, sizeof(data));
}

bool smb2_allocation_size_append(struct smb2_create_context_list *list, uint64_t bytes)
{
	return u64_append(list, SMB2_CREATE_ALLOCATION_SIZE, bytes);
}

bool smb2_timewarp_append(struct smb2_create_context_list *list, uint64_t time_100ns)
{
	return u64_append(list, SMB2_CREATE_TIMEWARP_TOKEN, time_100ns);
}

bool smb2_u64_context_decode(struct wire_slice data, uint64_t *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	*out = wire_get_u64(&r);
	return r.ok;
}
