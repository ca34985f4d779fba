/*
 * fscc_dir.c - directory listings and change notifications (MS-FSCC 2.4, 2.7.1).  Stateless.
 */
#include "mrx/smb/wire/fscc_list.h"

enum { NOTIFY_FIXED = 12, SHORT_NAME_MAX = 24, DIR_COMMON = 64, ATTRIBUTE_REPARSE_POINT = 0x400 };

/* Where the fields behind the common part lie, per class; 0: the class has no such field. */
struct dir_layout {
	uint8_t name_length; /* offset of FileNameLength */
	uint8_t fixed;       /* offset of FileName */
	uint8_t ea_size;
	uint8_t short_name; /* offset of ShortNameLength, the text follows at +2 */
	uint8_t reparse_tag;
	uint8_t file_id;
};

static bool layout_of(uint8_t info_class, struct dir_layout *l)
{
	switch (info_class) {
	case FSCC_FILE_DIRECTORY:
		*l = (struct dir_layout){60, 64, 0, 0, 0, 0};
		return true;
	case FSCC_FILE_FULL_DIRECTORY:
		*l = (struct dir_layout){60, 68, 64, 0, 0, 0};
		return true;
	case FSCC_FILE_BOTH_DIRECTORY:
		*l = (struct dir_layout){60, 94, 64, 68, 0, 0};
		return true;
	case FSCC_FILE_ID_FULL_DIRECTORY:
		*l = (struct dir_layout){60, 80, 64, 0, 0, 72};
		return true;
	case FSCC_FILE_ID_BOTH_DIRECTORY:
		*l = (struct dir_layout){60, 104, 64, 68, 0, 96};
		return true;
	case FSCC_FILE_ID_EXTD_DIRECTORY:
		*l = (struct dir_layout){60, 88, 64, 0, 68, 72};
		return true;
	case FSCC_FILE_NAMES:
		*l = (struct dir_layout){8, 12, 0, 0, 0, 0};
		return true;
	default:
		return false;
	}
}

/* May be the name of a directory's entry: see fscc_dir_next(). */
static bool name_is_usable(struct wire_slice name)
{
	if (!name.len)
		return false;
	for (size_t i = 0; i < name.len; i += 2) {
		uint16_t c = wire_le16(name.p + i);

		if (c == 0 || c == '/' || c == '\\')
			return false;
	}
	return true;
}

static void get_common(const uint8_t *p, const struct dir_layout *l, struct fscc_dir_entry *e)
{
	e->file_index = wire_le32(p + 4);
	if (l->fixed < DIR_COMMON)
		return;
	e->creation_time = wire_le64(p + 8);
	e->last_access_time = wire_le64(p + 16);
	e->last_write_time = wire_le64(p + 24);
	e->change_time = wire_le64(p + 32);
	e->end_of_file = wire_le64(p + 40);
	e->allocation_size = wire_le64(p + 48);
	e->attributes = wire_le32(p + 56);
	if (l->ea_size)
		e->ea_size = wire_le32(p + l->ea_size);
	if (l->file_id)
		e->file_id = wire_le64(p + l->file_id);
	if (!(e->attributes & ATTRIBUTE_REPARSE_POINT))
		return;
	/* Classes without a field of their own carry the tag in EaSize. */
	e->reparse_tag = l->reparse_tag ? wire_le32(p + l->reparse_tag) : e->ea_size;
}

static bool get_entry(struct wire_slice raw, const struct dir_layout *l, struct fscc_dir_entry *e)
{
	uint32_t bytes = wire_le32(raw.p + l->name_length);

	memset(e, 0, sizeof(*e));
	if (bytes % 2 || !wire_in_range(l->fixed, bytes, raw.len))
		return false;
	get_common(raw.p, l, e);
	if (l->short_name) {
		e->short_name_len = raw.p[l->short_name];
		if (e->short_name_len > SHORT_NAME_MAX || e->short_name_len % 2)
			return false;
		memcpy(e->short_name, raw.p + l->short_name + 2, e->short_name_len);
	}
	e->name = wire_slice_at(raw.p, l->fixed, bytes);
	return true;
}

int fscc_dir_next(uint8_t info_class, struct wire_slice list, size_t *offset, struct fscc_dir_entry *entry)
{
	struct dir_layout l;
	struct wire_slice raw;
	int more;

	if (!layout_of(info_class, &l))
		return -1;
	while ((more = fscc_list_next(list, offset, l.fixed, &raw)) > 0) {
		if (!get_entry(raw, &l, entry))
			return -1;
		if (name_is_usable(entry->name))
			return 1;
	}
	return more;
}

bool fscc_dir_append(uint8_t info_class, uint8_t *buf, size_t cap, size_t *pos, size_t *last,
		     const struct fscc_dir_entry *entry)
{
	struct dir_layout l;
	uint8_t *p;

	if (!layout_of(info_class, &l) || entry->short_name_len > SHORT_NAME_MAX ||
	    entry->name.len > UINT16_MAX)
		return false;
	p = fscc_list_add(buf, cap, pos, last, 8, l.fixed + entry->name.len);
	if (!p)
		return false;
	memset(p + 4, 0, l.fixed - 4u);
	wire_set_le32(p + 4, entry->file_index);
	wire_set_le32(p + l.name_length, (uint32_t)entry->name.len);
	if (entry->name.len)
		memcpy(p + l.fixed, entry->name.p, entry->name.len);
	if (l.fixed < DIR_COMMON)
		return true;
	wire_set_le64(p + 8, entry->creation_time);
	wire_set_le64(p + 16, entry->last_access_time);
	wire_set_le64(p + 24, entry->last_write_time);
	wire_set_le64(p + 32, entry->change_time);
	wire_set_le64(p + 40, entry->end_of_file);
	wire_set_le64(p + 48, entry->allocation_size);
	wire_set_le32(p + 56, entry->attributes);
	if (l.ea_size)
		wire_set_le32(p + l.ea_size, entry->ea_size);
	if (l.short_name) {
		p[l.short_name] = entry->short_name_len;
		memcpy(p + l.short_name + 2, entry->short_name, entry->short_name_len);
	}
	if (l.reparse_tag)
		wire_set_le32(p + l.reparse_tag, entry->reparse_tag);
	if (l.file_id)
		wire_set_le64(p + l.file_id, entry->file_id);
	return true;
}

int fscc_notify_next(struct wire_slice list, size_t *offset, struct fscc_notify *entry)
{
	struct wire_slice raw;
	uint32_t bytes;
	int more = fscc_list_next(list, offset, NOTIFY_FIXED, &raw);

	if (more <= 0)
		return more;
	entry->action = wire_le32(raw.p + 4);
	bytes = wire_le32(raw.p + 8);
	if (bytes % 2 || !wire_in_range(NOTIFY_FIXED, bytes, raw.len))
		return -1;
	entry->name = wire_slice_at(raw.p, NOTIFY_FIXED, bytes);
	return 1;
}

bool fscc_notify_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last, const struct fscc_notify *entry)
{
	uint8_t *p;

	if (entry->name.len > UINT16_MAX)
		return false;
	p = fscc_list_add(buf, cap, pos, last, 4, NOTIFY_FIXED + entry->name.len);
	if (!p)
		return false;
	wire_set_le32(p + 4, entry->action);
	wire_set_le32(p + 8, (uint32_t)entry->name.len);
	if (entry->name.len)
		memcpy(p + NOTIFY_FIXED, entry->name.p, entry->name.len);
	return true;
}
