/*
 * fscc_file.c - information about one file (MS-FSCC 2.4).  Stateless.
 */
#include "mrx/smb/wire/fscc_list.h"

enum { STREAM_FIXED = 24, EA_FIXED = 8, RENAME_MIN = 24 };

static void get_basic(struct wire_reader *r, struct fscc_basic *out)
{
	out->creation_time = wire_get_u64(r);
	out->last_access_time = wire_get_u64(r);
	out->last_write_time = wire_get_u64(r);
	out->change_time = wire_get_u64(r);
	out->attributes = wire_get_u32(r);
	wire_skip(r, 4);
}

static void put_basic(struct wire_writer *w, const struct fscc_basic *in)
{
	wire_put_u64(w, in->creation_time);
	wire_put_u64(w, in->last_access_time);
	wire_put_u64(w, in->last_write_time);
	wire_put_u64(w, in->change_time);
	wire_put_u32(w, in->attributes);
	wire_put_u32(w, 0);
}

static void get_standard(struct wire_reader *r, struct fscc_standard *out)
{
	out->allocation_size = wire_get_u64(r);
	out->end_of_file = wire_get_u64(r);
	out->number_of_links = wire_get_u32(r);
	out->delete_pending = wire_get_u8(r) != 0;
	out->directory = wire_get_u8(r) != 0;
	wire_skip(r, 2);
}

static void put_standard(struct wire_writer *w, const struct fscc_standard *in)
{
	wire_put_u64(w, in->allocation_size);
	wire_put_u64(w, in->end_of_file);
	wire_put_u32(w, in->number_of_links);
	wire_put_u8(w, in->delete_pending);
	wire_put_u8(w, in->directory);
	wire_put_u16(w, 0);
}

bool fscc_basic_decode(struct wire_slice data, struct fscc_basic *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	get_basic(&r, out);
	return r.ok;
}

size_t fscc_basic_encode(uint8_t *buf, size_t cap, const struct fscc_basic *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	put_basic(&w, in);
	return wire_done(&w);
}

bool fscc_standard_decode(struct wire_slice data, struct fscc_standard *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	get_standard(&r, out);
	return r.ok;
}

size_t fscc_standard_encode(uint8_t *buf, size_t cap, const struct fscc_standard *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	put_standard(&w, in);
	return wire_done(&w);
}

bool fscc_network_open_decode(struct wire_slice data, struct fscc_network_open *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->creation_time = wire_get_u64(&r);
	out->last_access_time = wire_get_u64(&r);
	out->last_write_time = wire_get_u64(&r);
	out->change_time = wire_get_u64(&r);
	out->allocation_size = wire_get_u64(&r);
	out->end_of_file = wire_get_u64(&r);
	out->attributes = wire_get_u32(&r);
	wire_skip(&r, 4);
	return r.ok;
}

size_t fscc_network_open_encode(uint8_t *buf, size_t cap, const struct fscc_network_open *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u64(&w, in->creation_time);
	wire_put_u64(&w, in->last_access_time);
	wire_put_u64(&w, in->last_write_time);
	wire_put_u64(&w, in->change_time);
	wire_put_u64(&w, in->allocation_size);
	wire_put_u64(&w, in->end_of_file);
	wire_put_u32(&w, in->attributes);
	wire_put_u32(&w, 0);
	return wire_done(&w);
}

bool fscc_all_decode(struct wire_slice data, struct fscc_all *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint32_t name;

	get_basic(&r, &out->basic);
	get_standard(&r, &out->standard);
	out->index_number = wire_get_u64(&r);
	out->ea_size = wire_get_u32(&r);
	out->access_flags = wire_get_u32(&r);
	out->position = wire_get_u64(&r);
	out->mode = wire_get_u32(&r);
	out->alignment = wire_get_u32(&r);
	name = wire_get_u32(&r);
	out->name = fscc_get_cut_text(&r, name);
	return r.ok;
}

size_t fscc_all_encode(uint8_t *buf, size_t cap, const struct fscc_all *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (in->name.len > UINT32_MAX)
		return 0;
	put_basic(&w, &in->basic);
	put_standard(&w, &in->standard);
	wire_put_u64(&w, in->index_number);
	wire_put_u32(&w, in->ea_size);
	wire_put_u32(&w, in->access_flags);
	wire_put_u64(&w, in->position);
	wire_put_u32(&w, in->mode);
	wire_put_u32(&w, in->alignment);
	wire_put_u32(&w, (uint32_t)in->name.len);
	wire_put_slice(&w, in->name);
	return wire_done(&w);
}

bool fscc_attribute_tag_decode(struct wire_slice data, struct fscc_attribute_tag *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->attributes = wire_get_u32(&r);
	out->reparse_tag = wire_get_u32(&r);
	return r.ok;
}

size_t fscc_attribute_tag_encode(uint8_t *buf, size_t cap, const struct fscc_attribute_tag *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u32(&w, in->attributes);
	wire_put_u32(&w, in->reparse_tag);
	return wire_done(&w);
}

bool fscc_file_id_info_decode(struct wire_slice data, struct fscc_file_id_info *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->volume_serial = wire_get_u64(&r);
	wire_get_bytes(&r, out->file_id, sizeof(out->file_id));
	return r.ok;
}

size_t fscc_file_id_info_encode(uint8_t *buf, size_t cap, const struct fscc_file_id_info *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u64(&w, in->volume_serial);
	wire_put_bytes(&w, in->file_id, sizeof(in->file_id));
	return wire_done(&w);
}

bool fscc_u64_decode(struct wire_slice data, uint64_t *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	*out = wire_get_u64(&r);
	return r.ok;
}

size_t fscc_u64_encode(uint8_t *buf, size_t cap, uint64_t value)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u64(&w, value);
	return wire_done(&w);
}

bool fscc_u32_decode(struct wire_slice data, uint32_t *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	*out = wire_get_u32(&r);
	return r.ok;
}

size_t fscc_u32_encode(uint8_t *buf, size_t cap, uint32_t value)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u32(&w, value);
	return wire_done(&w);
}

bool fscc_disposition_decode(struct wire_slice data, bool *delete_pending)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	*delete_pending = wire_get_u8(&r) != 0;
	return r.ok;
}

size_t fscc_disposition_encode(uint8_t *buf, size_t cap, bool delete_pending)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u8(&w, delete_pending);
	return wire_done(&w);
}

bool fscc_name_decode(struct wire_slice data, struct wire_slice *name)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint32_t bytes = wire_get_u32(&r);

	*name = wire_get_slice(&r, bytes);
	return r.ok && bytes % 2 == 0;
}

size_t fscc_name_encode(uint8_t *buf, size_t cap, struct wire_slice name)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (name.len > UINT32_MAX)
		return 0;
	wire_put_u32(&w, (uint32_t)name.len);
	wire_put_slice(&w, name);
	return wire_done(&w);
}

size_t fscc_rename_encode(uint8_t *buf, size_t cap, const struct fscc_rename *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (in->name.len > UINT16_MAX)
		return 0;
	wire_put_u8(&w, in->replace_if_exists);
	wire_put_zero(&w, 7);
	wire_put_u64(&w, 0); /* RootDirectory: 0 for network operations */
	wire_put_u32(&w, (uint32_t)in->name.len);
	wire_put_slice(&w, in->name);
	if (w.ok && w.pos < RENAME_MIN)
		wire_put_zero(&w, RENAME_MIN - w.pos);
	return wire_done(&w);
}

bool fscc_rename_decode(struct wire_slice data, struct fscc_rename *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint32_t bytes;

	memset(out, 0, sizeof(*out));
	out->replace_if_exists = wire_get_u8(&r) != 0;
	wire_skip(&r, 15);
	bytes = wire_get_u32(&r);
	out->name = wire_get_slice(&r, bytes);
	return r.ok && bytes % 2 == 0;
}

int fscc_stream_next(struct wire_slice list, size_t *offset, struct fscc_stream *entry)
{
	struct wire_slice raw;
	uint32_t bytes;
	int more = fscc_list_next(list, offset, STREAM_FIXED, &raw);

	if (more <= 0)
		return more;
	bytes = wire_le32(raw.p + 4);
	entry->size = wire_le64(raw.p + 8);
	entry->allocation_size = wire_le64(raw.p + 16);
	if (bytes % 2 || !wire_in_range(STREAM_FIXED, bytes, raw.len))
		return -1;
	entry->name = wire_slice_at(raw.p, STREAM_FIXED, bytes);
	return 1;
}

bool fscc_stream_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last, const struct fscc_stream *entry)
{
	uint8_t *p;

	if (entry->name.len > UINT16_MAX)
		return false;
	p = fscc_list_add(buf, cap, pos, last, 8, STREAM_FIXED + entry->name.len);
	if (!p)
		return false;
	wire_set_le32(p + 4, (uint32_t)entry->name.len);
	wire_set_le64(p + 8, entry->size);
	wire_set_le64(p + 16, entry->allocation_size);
	if (entry->name.len)
		memcpy(p + STREAM_FIXED, entry->name.p, entry->name.len);
	return true;
}

int fscc_ea_next(struct wire_slice list, size_t *offset, struct fscc_ea *entry)
{
	struct wire_slice raw;
	size_t name, value;
	int more = fscc_list_next(list, offset, EA_FIXED, &raw);

	if (more <= 0)
		return more;
	entry->flags = raw.p[4];
	name = raw.p[5];
	value = wire_le16(raw.p + 6);
	/* The name is followed by a NUL that its length does not count. */
	if (name == 0 || !wire_in_range(EA_FIXED, name + 1 + value, raw.len) || raw.p[EA_FIXED + name] != 0 ||
	    memchr(raw.p + EA_FIXED, 0, name))
		return -1;
	entry->name = wire_slice_at(raw.p, EA_FIXED, name);
	entry->value = wire_slice_at(raw.p, EA_FIXED + name + 1, value);
	return 1;
}

bool fscc_ea_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last, const struct fscc_ea *entry)
{
	size_t bytes = EA_FIXED + entry->name.len + 1 + entry->value.len;
	uint8_t *p;

	if (entry->name.len == 0 || entry->name.len > 254 || entry->value.len > UINT16_MAX ||
	    memchr(entry->name.p, 0, entry->name.len))
		return false;
	p = fscc_list_add(buf, cap, pos, last, 4, bytes);
	if (!p)
		return false;
	p[4] = entry->flags;
	p[5] = (uint8_t)entry->name.len;
	wire_set_le16(p + 6, (uint16_t)entry->value.len);
	memcpy(p + EA_FIXED, entry->name.p, entry->name.len);
	p[EA_FIXED + entry->name.len] = 0;
	if (entry->value.len)
		memcpy(p + EA_FIXED + entry->name.len + 1, entry->value.p, entry->value.len);
	return true;
}
