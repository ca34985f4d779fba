/*
 * bytes.h - little-endian accessors, a bounds-checked reader and a capacity-checked writer.
 *
 * Everything in this directory reads and writes the wire through these functions: no struct is ever laid
 * over received bytes, so alignment, padding and host byte order cannot matter.
 *
 * A reader or writer that once ran out of room stays failed (`ok` false): a decoder reads all its fields and
 * asks once at the end.  A failed read yields zero, a failed write changes nothing.
 */
#ifndef SMB_WIRE_BYTES_H
#define SMB_WIRE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes: valid as long as the buffer they point into.  len may be 0, then p may be NULL. */
struct wire_slice {
	const uint8_t *p;
	size_t len; /* bytes, also for UTF-16LE text */
};

static inline uint16_t wire_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
}

static inline uint32_t wire_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t wire_le64(const uint8_t *p)
{
	return (uint64_t)wire_le32(p) | (uint64_t)wire_le32(p + 4) << 32;
}

static inline void wire_set_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void wire_set_le32(uint8_t *p, uint32_t v)
{
	wire_set_le16(p, (uint16_t)v);
	wire_set_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void wire_set_le64(uint8_t *p, uint64_t v)
{
	wire_set_le32(p, (uint32_t)v);
	wire_set_le32(p + 4, (uint32_t)(v >> 32));
}

/* Smallest multiple of 8 that is not below n; n must be at most SIZE_MAX - 7. */
static inline size_t wire_align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/*
 * True when [off, off + len) lies inside a buffer of `size` bytes, without overflow.  The arguments are
 * 64 bits wide so that no sum of received 32-bit fields can wrap before it is tested.
 */
static inline bool wire_in_range(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* A slice of `base`; the caller has tested the range with wire_in_range(). */
static inline struct wire_slice wire_slice_at(const uint8_t *base, size_t off, size_t len)
{
	struct wire_slice s = {len ? base + off : NULL, len};

	return s;
}

struct wire_reader {
	const uint8_t *base;
	size_t len;
	size_t pos;
	bool ok;
};

static inline struct wire_reader wire_reader_init(const uint8_t *base, size_t len)
{
	struct wire_reader r = {base, len, 0, true};

	return r;
}

/* The next n bytes, or NULL and a failed reader.  n == 0 yields a pointer that must not be read. */
static inline const uint8_t *wire_take(struct wire_reader *r, size_t n)
{
	const uint8_t *p;

	if (!r->ok || n > r->len - r->pos) {
		r->ok = false;
		return NULL;
	}
	p = r->base + r->pos;
	r->pos += n;
	return p;
}

static inline void wire_skip(struct wire_reader *r, size_t n)
{
	(void)wire_take(r, n);
}

static inline uint8_t wire_get_u8(struct wire_reader *r)
{
	const uint8_t *p = wire_take(r, 1);

	return p ? *p : 0;
}

static inline uint16_t wire_get_u16(struct wire_reader *r)
{
	const uint8_t *p = wire_take(r, 2);

	return p ? wire_le16(p) : 0;
}

static inline uint32_t wire_get_u32(struct wire_reader *r)
{
	const uint8_t *p = wire_take(r, 4);

	return p ? wire_le32(p) : 0;
}

static inline uint64_t wire_get_u64(struct wire_reader *r)
{
	const uint8_t *p = wire_take(r, 8);

	return p ? wire_le64(p) : 0;
}

/* Copies n bytes out; zeroes dst when they are not there. */
static inline void wire_get_bytes(struct wire_reader *r, void *dst, size_t n)
{
	const uint8_t *p = wire_take(r, n);

	if (!p)
		memset(dst, 0, n);
	else if (n)
		memcpy(dst, p, n);
}

/* The next n bytes as a borrowed slice; empty when they are not there. */
static inline struct wire_slice wire_get_slice(struct wire_reader *r, size_t n)
{
	const uint8_t *p = wire_take(r, n);
	struct wire_slice s = {p && n ? p : NULL, p ? n : 0};

	return s;
}

struct wire_writer {
	uint8_t *base;
	size_t cap;
	size_t pos;
	bool ok;
};

static inline struct wire_writer wire_writer_init(uint8_t *base, size_t cap)
{
	struct wire_writer w = {base, cap, 0, true};

	return w;
}

/* Room for n bytes, not initialised; NULL and a failed writer when there is none. */
static inline uint8_t *wire_room(struct wire_writer *w, size_t n)
{
	uint8_t *p;

	if (!w->ok || n > w->cap - w->pos) {
		w->ok = false;
		return NULL;
	}
	p = w->base + w->pos;
	w->pos += n;
	return p;
}

static inline void wire_put_u8(struct wire_writer *w, uint8_t v)
{
	uint8_t *p = wire_room(w, 1);

	if (p)
		*p = v;
}

static inline void wire_put_u16(struct wire_writer *w, uint16_t v)
{
	uint8_t *p = wire_room(w, 2);

	if (p)
		wire_set_le16(p, v);
}

static inline void wire_put_u32(struct wire_writer *w, uint32_t v)
{
	uint8_t *p = wire_room(w, 4);

	if (p)
		wire_set_le32(p, v);
}

static inline void wire_put_u64(struct wire_writer *w, uint64_t v)
{
	uint8_t *p = wire_room(w, 8);

	if (p)
		wire_set_le64(p, v);
}

static inline void wire_put_zero(struct wire_writer *w, size_t n)
{
	uint8_t *p = wire_room(w, n);

	if (p && n)
		memset(p, 0, n);
}

static inline void wire_put_bytes(struct wire_writer *w, const void *src, size_t n)
{
	uint8_t *p = wire_room(w, n);

	if (p && n)
		memcpy(p, src, n);
}

static inline void wire_put_slice(struct wire_writer *w, struct wire_slice s)
{
	wire_put_bytes(w, s.p, s.len);
}

/* Zero bytes up to the next multiple of 8 of the position. */
static inline void wire_put_align8(struct wire_writer *w)
{
	wire_put_zero(w, (8 - (w->pos & 7)) & 7);
}

/* What an encoder returns: the bytes written, or 0 when the buffer was too small. */
static inline size_t wire_done(const struct wire_writer *w)
{
	return w->ok ? w->pos : 0;
}

#endif
