/*
 * fscc_fs.c - information about a volume, and reparse buffers (MS-FSCC 2.5, 2.1.2).  Stateless.
 */
#include "mrx/smb/wire/fscc_list.h"

bool fscc_fs_size_decode(struct wire_slice data, struct fscc_fs_size *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->total_units = wire_get_u64(&r);
	out->available_units = wire_get_u64(&r);
	out->sectors_per_unit = wire_get_u32(&r);
	out->bytes_per_sector = wire_get_u32(&r);
	return r.ok;
}

size_t fscc_fs_size_encode(uint8_t *buf, size_t cap, const struct fscc_fs_size *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u64(&w, in->total_units);
	wire_put_u64(&w, in->available_units);
	wire_put_u32(&w, in->sectors_per_unit);
	wire_put_u32(&w, in->bytes_per_sector);
	return wire_done(&w);
}

bool fscc_fs_full_size_decode(struct wire_slice data, struct fscc_fs_full_size *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->total_units = wire_get_u64(&r);
	out->caller_available_units = wire_get_u64(&r);
	out->actual_available_units = wire_get_u64(&r);
	out->sectors_per_unit = wire_get_u32(&r);
	out->bytes_per_sector = wire_get_u32(&r);
	return r.ok;
}

size_t fscc_fs_full_size_encode(uint8_t *buf, size_t cap, const struct fscc_fs_full_size *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u64(&w, in->total_units);
	wire_put_u64(&w, in->caller_available_units);
	wire_put_u64(&w, in->actual_available_units);
	wire_put_u32(&w, in->sectors_per_unit);
	wire_put_u32(&w, in->bytes_per_sector);
	return wire_done(&w);
}

bool fscc_fs_volume_decode(struct wire_slice data, struct fscc_fs_volume *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint32_t bytes;

	out->creation_time = wire_get_u64(&r);
	out->serial = wire_get_u32(&r);
	bytes = wire_get_u32(&r);
	out->supports_objects = wire_get_u8(&r) != 0;
	wire_skip(&r, 1);
	out->label = fscc_get_cut_text(&r, bytes);
	return r.ok;
}

size_t fscc_fs_volume_encode(uint8_t *buf, size_t cap, const struct fscc_fs_volume *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (in->label.len > UINT16_MAX)
		return 0;
	wire_put_u64(&w, in->creation_time);
	wire_put_u32(&w, in->serial);
	wire_put_u32(&w, (uint32_t)in->label.len);
	wire_put_u8(&w, in->supports_objects);
	wire_put_u8(&w, 0);
	wire_put_slice(&w, in->label);
	return wire_done(&w);
}

bool fscc_fs_attribute_decode(struct wire_slice data, struct fscc_fs_attribute *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint32_t bytes;

	out->attributes = wire_get_u32(&r);
	out->max_component = wire_get_u32(&r);
	bytes = wire_get_u32(&r);
	out->name = fscc_get_cut_text(&r, bytes);
	return r.ok;
}

size_t fscc_fs_attribute_encode(uint8_t *buf, size_t cap, const struct fscc_fs_attribute *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (in->name.len > UINT16_MAX)
		return 0;
	wire_put_u32(&w, in->attributes);
	wire_put_u32(&w, in->max_component);
	wire_put_u32(&w, (uint32_t)in->name.len);
	wire_put_slice(&w, in->name);
	return wire_done(&w);
}

bool fscc_fs_device_decode(struct wire_slice data, struct fscc_fs_device *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->device_type = wire_get_u32(&r);
	out->characteristics = wire_get_u32(&r);
	return r.ok;
}

size_t fscc_fs_device_encode(uint8_t *buf, size_t cap, const struct fscc_fs_device *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u32(&w, in->device_type);
	wire_put_u32(&w, in->characteristics);
	return wire_done(&w);
}

bool fscc_fs_sector_size_decode(struct wire_slice data, struct fscc_fs_sector_size *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);

	out->logical = wire_get_u32(&r);
	out->physical_for_atomicity = wire_get_u32(&r);
	out->physical_for_performance = wire_get_u32(&r);
	out->effective_for_atomicity = wire_get_u32(&r);
	out->flags = wire_get_u32(&r);
	out->sector_alignment_offset = wire_get_u32(&r);
	out->partition_alignment_offset = wire_get_u32(&r);
	return r.ok;
}

size_t fscc_fs_sector_size_encode(uint8_t *buf, size_t cap, const struct fscc_fs_sector_size *in)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	wire_put_u32(&w, in->logical);
	wire_put_u32(&w, in->physical_for_atomicity);
	wire_put_u32(&w, in->physical_for_performance);
	wire_put_u32(&w, in->effective_for_atomicity);
	wire_put_u32(&w, in->flags);
	wire_put_u32(&w, in->sector_alignment_offset);
	wire_put_u32(&w, in->partition_alignment_offset);
	return wire_done(&w);
}

/* The path of a symlink or mount point: two names in one buffer behind the lengths and, for a symlink, the flags. */
static bool get_two_names(struct fscc_reparse *out, bool has_flags)
{
	struct wire_reader r = wire_reader_init(out->data.p, out->data.len);
	uint32_t sub_off = wire_get_u16(&r), sub_len = wire_get_u16(&r);
	uint32_t print_off = wire_get_u16(&r), print_len = wire_get_u16(&r);
	struct wire_slice path;

	if (has_flags)
		out->relative = wire_get_u32(&r) & FSCC_SYMLINK_FLAG_RELATIVE;
	if (!r.ok || (sub_len | print_len) & 1)
		return false;
	path = wire_get_slice(&r, r.len - r.pos);
	if (!wire_in_range(sub_off, sub_len, path.len) || !wire_in_range(print_off, print_len, path.len))
		return false;
	out->substitute = wire_slice_at(path.p, sub_off, sub_len);
	out->print = wire_slice_at(path.p, print_off, print_len);
	return true;
}

bool fscc_reparse_decode(struct wire_slice data, struct fscc_reparse *out)
{
	struct wire_reader r = wire_reader_init(data.p, data.len);
	uint16_t bytes;

	memset(out, 0, sizeof(*out));
	out->tag = wire_get_u32(&r);
	bytes = wire_get_u16(&r);
	wire_skip(&r, 2);
	out->data = wire_get_slice(&r, bytes);
	if (!r.ok)
		return false;
	r = wire_reader_init(out->data.p, out->data.len);
	switch (out->tag) {
	case FSCC_REPARSE_TAG_SYMLINK:
		return get_two_names(out, true);
	case FSCC_REPARSE_TAG_MOUNT_POINT:
		return get_two_names(out, false);
	case FSCC_REPARSE_TAG_NFS:
		out->nfs_type = wire_get_u64(&r);
		if (r.ok && out->nfs_type == FSCC_NFS_SPECFILE_LNK)
			out->substitute = wire_get_slice(&r, r.len - r.pos);
		return r.ok && out->substitute.len % 2 == 0;
	case FSCC_REPARSE_TAG_LX_SYMLINK:
		wire_skip(&r, 4);
		if (r.ok)
			out->lx_target = wire_get_slice(&r, r.len - r.pos);
		return r.ok;
	default:
		return true;
	}
}

size_t fscc_symlink_encode(uint8_t *buf, size_t cap, struct wire_slice substitute, struct wire_slice print,
			   bool relative)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (substitute.len > UINT16_MAX || print.len > UINT16_MAX ||
	    substitute.len + print.len > UINT16_MAX - 12)
		return 0;
	wire_put_u32(&w, FSCC_REPARSE_TAG_SYMLINK);
	wire_put_u16(&w, (uint16_t)(12 + substitute.len + print.len));
	wire_put_u16(&w, 0);
	wire_put_u16(&w, 0);
	wire_put_u16(&w, (uint16_t)substitute.len);
	wire_put_u16(&w, (uint16_t)substitute.len);
	wire_put_u16(&w, (uint16_t)print.len);
	wire_put_u32(&w, relative ? FSCC_SYMLINK_FLAG_RELATIVE : 0);
	wire_put_slice(&w, substitute);
	wire_put_slice(&w, print);
	return wire_done(&w);
}
