/*
 * body.h - what every message file shares: readers and writers that start behind StructureSize, and
 * offset/length pairs.  Private to this directory.
 */
#ifndef SMB_WIRE_BODY_H
#define SMB_WIRE_BODY_H

#include "mrx/smb/wire/smb2_wire.h"

/* A reader over the whole PDU (positions are SMB2 offsets), behind a StructureSize that must match. */
static inline struct wire_reader smb2_body_reader(const struct smb2_pdu *pdu, uint16_t structure_size)
{
	struct wire_reader r = wire_reader_init(pdu->base, pdu->len);

	wire_skip(&r, SMB2_HDR_SIZE);
	if (wire_get_u16(&r) != structure_size)
		r.ok = false;
	return r;
}

/* A writer over the whole PDU, behind the StructureSize; the 64 header bytes are left as they are. */
static inline struct wire_writer smb2_body_writer(uint8_t *buf, size_t cap, uint16_t structure_size)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	(void)wire_room(&w, SMB2_HDR_SIZE);
	wire_put_u16(&w, structure_size);
	return w;
}

/* A length in a 16- or 32-bit field; what does not fit the field fails the writer. */
static inline void smb2_put_len16(struct wire_writer *w, size_t len)
{
	if (len > UINT16_MAX)
		w->ok = false;
	wire_put_u16(w, (uint16_t)len);
}

static inline void smb2_put_len32(struct wire_writer *w, size_t len)
{
	if (len > UINT32_MAX)
		w->ok = false;
	wire_put_u32(w, (uint32_t)len);
}

static inline struct smb2_file_id smb2_get_file_id(struct wire_reader *r)
{
	struct smb2_file_id id;

	id.persistent = wire_get_u64(r);
	id.volatile_id = wire_get_u64(r);
	return id;
}

static inline void smb2_put_file_id(struct wire_writer *w, struct smb2_file_id id)
{
	wire_put_u64(w, id.persistent);
	wire_put_u64(w, id.volatile_id);
}

/*
 * The slice an offset/length pair names.  An empty one may have any offset; another must lie behind the
 * fixed part (which ends at `least`) and inside the PDU.
 */
static inline bool smb2_pdu_slice(const struct smb2_pdu *pdu, size_t least, uint64_t off, uint64_t len,
				  struct wire_slice *out)
{
	*out = (struct wire_slice){NULL, 0};
	if (len == 0)
		return true;
	if (off < least || !wire_in_range(off, len, pdu->len))
		return false;
	*out = wire_slice_at(pdu->base, (size_t)off, (size_t)len);
	return true;
}

#endif
