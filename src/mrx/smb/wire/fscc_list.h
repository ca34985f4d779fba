/*
 * fscc_list.h - what the information classes share: linked lists (2.4: NextEntryOffset), one step at a time,
 * and text that was cut to fit.  Private to this directory.
 */
#ifndef SMB_WIRE_FSCC_LIST_H
#define SMB_WIRE_FSCC_LIST_H

#include "mrx/smb/wire/fscc.h"

/*
 * The entry at *offset: its bytes, up to the next entry or the end of the list.  Moves *offset on by at least
 * `fixed` bytes, so a hostile chain ends.  1, 0 or -1 as all iterators.
 */
static inline int fscc_list_next(struct wire_slice list, size_t *offset, size_t fixed,
				 struct wire_slice *entry)
{
	size_t left;
	uint32_t next;

	if (*offset >= list.len)
		return 0;
	left = list.len - *offset;
	if (left < fixed)
		return -1;
	next = wire_le32(list.p + *offset);
	if (next && (next < fixed || next >= left))
		return -1;
	*entry = wire_slice_at(list.p, *offset, next ? next : left);
	*offset = next ? *offset + next : list.len;
	return 1;
}

/*
 * Opens room for an entry of `bytes` behind those that end at *pos, aligned, and links it from the entry at
 * *last.  NULL, with nothing changed, when it does not fit.  The entry's first four bytes are zero.
 */
static inline uint8_t *fscc_list_add(uint8_t *buf, size_t cap, size_t *pos, size_t *last, size_t align,
				     size_t bytes)
{
	size_t start;

	if (*pos > cap || *pos > SIZE_MAX - align)
		return NULL;
	start = (*pos + align - 1) & ~(align - 1);
	if (start > cap || bytes > cap - start || start - *last > UINT32_MAX)
		return NULL;
	if (*pos) {
		memset(buf + *pos, 0, start - *pos);
		wire_set_le32(buf + *last, (uint32_t)(start - *last));
	}
	wire_set_le32(buf + start, 0);
	*last = start;
	*pos = start + bytes;
	return buf + start;
}

/* Text whose stated length may exceed what was returned: as much as is there, in whole characters. */
static inline struct wire_slice fscc_get_cut_text(struct wire_reader *r, uint32_t bytes)
{
	size_t left = r->len - r->pos;

	if (bytes > left)
		bytes = (uint32_t)left;
	return wire_get_slice(r, bytes & ~1u);
}

#endif
