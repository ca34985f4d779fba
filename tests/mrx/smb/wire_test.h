/*
 * wire_test.h - shared by the codec tests: cmocka, UTF-16 text, exact-size copies.
 *
 * Every decoder is fed from exact_copy(): a heap block of just the right size, so that AddressSanitizer sees a
 * read of one byte too many.
 */
#ifndef WIRE_TEST_H
#define WIRE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mrx/smb/wire/fscc.h"
#include "mrx/smb/wire/smb2_wire.h"

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* UTF-16LE of an ASCII literal, without terminator. */
#define TEXT(s) ((struct wire_slice){(const uint8_t *)u"" s, sizeof(u"" s) - 2})

/* Not inlined: gcc would follow the empty case into tests that have none, and warn of it. */
static __attribute__((noinline, unused)) void *exact_copy(const void *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, p, len);
	return copy;
}

static inline bool slice_equal(struct wire_slice a, struct wire_slice b)
{
	return a.len == b.len && (!a.len || memcmp(a.p, b.p, a.len) == 0);
}

static inline struct smb2_pdu make_pdu(const uint8_t *base, size_t len)
{
	struct smb2_pdu pdu = {.base = base, .len = len};

	return pdu;
}

/*
 * Feeds every shorter prefix of a valid PDU to a decoder: none may be read beyond its end (AddressSanitizer
 * watches), and those below `least` bytes must be refused.
 */
static inline void check_prefixes(const uint8_t *pdu, size_t len, size_t least,
				  bool (*decode)(const struct smb2_pdu *pdu, void *out), void *out)
{
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = exact_copy(pdu, n);
		struct smb2_pdu cut = make_pdu(copy, n);
		bool ok = decode(&cut, out);

		if (n < least)
			assert_false(ok);
		free(copy);
	}
}

#endif
