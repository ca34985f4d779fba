/*
 * test_wire_hdr.c - rules of the SMB2 header, compound chains and the transform header.
 */
#include "wire_test.h"

static const struct smb2_hdr sync_hdr = {
	.credit_charge = 3,
	.status = 0xC0000022,
	.command = SMB2_READ,
	.credits = 64,
	.flags = SMB2_FLAGS_SERVER_TO_REDIR | SMB2_FLAGS_SIGNED,
	.message_id = 0x1122334455667788,
	.reserved = 0xFEFF,
	.tree_id = 7,
	.session_id = 0x99AABBCCDDEEFF00,
	.signature = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
};

/* What is encoded is what is decoded, in both forms of the header. */
static void test_header_round_trip(void **state)
{
	uint8_t buf[SMB2_HDR_SIZE];
	struct smb2_hdr async = sync_hdr, out;

	(void)state;
	assert_true(smb2_hdr_encode(buf, sizeof(buf), &sync_hdr));
	assert_int_equal(buf[0], 0xFE);
	assert_int_equal(wire_le16(buf + 4), 64);
	assert_int_equal(wire_le32(buf + 36), 7);
	assert_true(smb2_hdr_decode(buf, sizeof(buf), &out));
	assert_memory_equal(&out, &sync_hdr, sizeof(out));

	async.flags |= SMB2_FLAGS_ASYNC_COMMAND;
	async.reserved = 0;
	async.tree_id = 0;
	async.async_id = 0xFFFFFFFF12345678;
	assert_true(smb2_hdr_encode(buf, sizeof(buf), &async));
	assert_true(wire_le64(buf + 32) == 0xFFFFFFFF12345678);
	assert_true(smb2_hdr_decode(buf, sizeof(buf), &out));
	assert_memory_equal(&out, &async, sizeof(out));
}

/* A header shorter than 64 bytes, of another protocol or of another size is refused. */
static void test_header_refused(void **state)
{
	uint8_t buf[SMB2_HDR_SIZE];
	struct smb2_hdr out;

	(void)state;
	assert_false(smb2_hdr_encode(buf, sizeof(buf) - 1, &sync_hdr));
	assert_true(smb2_hdr_encode(buf, sizeof(buf), &sync_hdr));
	for (size_t n = 0; n < sizeof(buf); n++) {
		uint8_t *cut = exact_copy(buf, n);

		assert_false(smb2_hdr_decode(cut, n, &out));
		free(cut);
	}
	buf[4] = 63;
	assert_false(smb2_hdr_decode(buf, sizeof(buf), &out));
	buf[4] = 64;
	buf[0] = 0xFF;
	assert_false(smb2_hdr_decode(buf, sizeof(buf), &out));
}

/* The first four bytes tell what kind of message it is. */
static void test_message_kinds(void **state)
{
	static const uint8_t plain[4] = {0xFE, 'S', 'M', 'B'}, sealed[4] = {0xFD, 'S', 'M', 'B'};
	static const uint8_t compressed[4] = {0xFC, 'S', 'M', 'B'}, smb1[4] = {0xFF, 'S', 'M', 'B'};
	static const uint8_t http[4] = {'H', 'T', 'T', 'P'};

	(void)state;
	assert_int_equal(smb2_message_kind(plain, 4), SMB2_MESSAGE_PLAIN);
	assert_int_equal(smb2_message_kind(sealed, 4), SMB2_MESSAGE_SEALED);
	assert_int_equal(smb2_message_kind(compressed, 4), SMB2_MESSAGE_COMPRESSED);
	assert_int_equal(smb2_message_kind(smb1, 4), SMB2_MESSAGE_SMB1);
	assert_int_equal(smb2_message_kind(http, 4), SMB2_MESSAGE_UNKNOWN);
	assert_int_equal(smb2_message_kind(plain, 3), SMB2_MESSAGE_UNKNOWN);
	assert_int_equal(smb2_message_kind(NULL, 0), SMB2_MESSAGE_UNKNOWN);
}

/* Three PDUs of 72, 80 and 68 bytes. */
static size_t build_chain(uint8_t *buf)
{
	static const uint32_t sizes[3] = {72, 80, 68};
	struct smb2_hdr hdr = sync_hdr;
	size_t at = 0;

	memset(buf, 0, 72 + 80 + 68);
	for (uint32_t i = 0; i < 3; i++) {
		hdr.message_id = i;
		assert_true(smb2_hdr_encode(buf + at, SMB2_HDR_SIZE, &hdr));
		smb2_hdr_set_next(buf + at, i < 2 ? sizes[i] : 0);
		at += sizes[i];
	}
	return at;
}

/* A chain yields its PDUs in order, each with its padding, and ends. */
static void test_compound_walk(void **state)
{
	uint8_t buf[256];
	size_t len = build_chain(buf), offset = 0, count;
	struct smb2_pdu pdu;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(smb2_compound_next(buf, len, &offset, &pdu), 1);
		assert_true(pdu.hdr.message_id == i);
		assert_int_equal(pdu.len, i == 0 ? 72 : i == 1 ? 80 : 68);
	}
	assert_ptr_equal(pdu.base, buf + 152);
	assert_int_equal(smb2_compound_next(buf, len, &offset, &pdu), 0);
	assert_true(smb2_compound_check(buf, len, &count));
	assert_int_equal(count, 3);
}

/* NextCommand must be a multiple of 8, at least a header, and lead to a whole header inside the message. */
static void test_compound_refused(void **state)
{
	static const uint32_t bad[] = {1, 8, 56, 68, 76, 216, 220, 224, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF};
	uint8_t buf[256];
	size_t len = build_chain(buf), count;

	(void)state;
	assert_false(smb2_compound_check(buf, 0, &count));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		build_chain(buf);
		smb2_hdr_set_next(buf, bad[i]);
		assert_false(smb2_compound_check(buf, len, &count));
	}
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut;

		build_chain(buf);
		cut = exact_copy(buf, n);
		/* Only the last PDU has no further length to contradict. */
		assert_int_equal(smb2_compound_check(cut, n, &count), n >= 152 + SMB2_HDR_SIZE);
		free(cut);
	}
}

/* A transform header states the size of what follows, and nothing else is taken for one. */
static void test_transform_header(void **state)
{
	struct smb2_transform_hdr in = {.signature = {1, 2},
					.nonce = {3, 4},
					.original_size = 100,
					.flags = 1,
					.session_id = 0xABCDEF0123456789},
				  out;
	uint8_t buf[SMB2_TRANSFORM_HDR_SIZE];

	(void)state;
	assert_false(smb2_transform_hdr_encode(buf, sizeof(buf) - 1, &in));
	assert_true(smb2_transform_hdr_encode(buf, sizeof(buf), &in));
	assert_true(smb2_transform_hdr_decode(buf, sizeof(buf) + 100, &out));
	assert_memory_equal(in.signature, out.signature, sizeof(in.signature));
	assert_memory_equal(in.nonce, out.nonce, sizeof(in.nonce));
	assert_int_equal(in.original_size, out.original_size);
	assert_int_equal(in.flags, out.flags);
	assert_true(in.session_id == out.session_id);
	assert_false(smb2_transform_hdr_decode(buf, sizeof(buf) + 99, &out));
	assert_false(smb2_transform_hdr_decode(buf, sizeof(buf) + 101, &out));
	assert_false(smb2_transform_hdr_decode(buf, sizeof(buf), &out));
	for (size_t n = 0; n < sizeof(buf); n++) {
		uint8_t *cut = exact_copy(buf, n);

		assert_false(smb2_transform_hdr_decode(cut, n, &out));
		free(cut);
	}
	buf[42] = 2;
	assert_false(smb2_transform_hdr_decode(buf, sizeof(buf) + 100, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_round_trip), cmocka_unit_test(test_header_refused),
		cmocka_unit_test(test_message_kinds),     cmocka_unit_test(test_compound_walk),
		cmocka_unit_test(test_compound_refused),  cmocka_unit_test(test_transform_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
