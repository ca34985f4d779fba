/*
 * test_wire_msg.c - every SMB2 message in both directions: what is encoded decodes to the same message, lies
 * where MS-SMB2 says, and no prefix of it is read beyond its end.
 */
#include "wire_test.h"

/* One message kind: its codec behind untyped pointers, a sample, and the shortest valid PDU. */
struct message {
	const char *name;
	size_t (*encode)(uint8_t *buf, size_t cap, const void *msg);
	bool (*decode)(const struct smb2_pdu *pdu, void *msg);
	const void *sample;
	size_t size; /* of the struct */
	uint16_t structure_size;
	size_t least; /* shorter PDUs are refused */
};

#define CODEC(name) \
	static size_t encode_##name(uint8_t *buf, size_t cap, const void *msg) \
	{ \
		return smb2_##name##_encode(buf, cap, msg); \
	} \
	static bool decode_##name(const struct smb2_pdu *pdu, void *msg) \
	{ \
		return smb2_##name##_decode(pdu, msg); \
	}

CODEC(error_response)
CODEC(negotiate_request)
CODEC(negotiate_response)
CODEC(session_setup_request)
CODEC(session_setup_response)
CODEC(tree_connect_request)
CODEC(tree_connect_response)
CODEC(create_request)
CODEC(create_response)
CODEC(close_request)
CODEC(close_response)
CODEC(read_request)
CODEC(write_response)
CODEC(ioctl_request)
CODEC(ioctl_response)
CODEC(query_directory_request)
CODEC(notify_request)
CODEC(query_info_request)
CODEC(set_info_request)
CODEC(break_notification)
CODEC(break_ack)

static size_t encode_empty(uint8_t *buf, size_t cap, const void *msg)
{
	(void)msg;
	return smb2_empty_encode(buf, cap);
}

static bool decode_empty(const struct smb2_pdu *pdu, void *msg)
{
	(void)msg;
	return smb2_empty_decode(pdu);
}

static size_t encode_set_info_response(uint8_t *buf, size_t cap, const void *msg)
{
	(void)msg;
	return smb2_set_info_response_encode(buf, cap);
}

static bool decode_set_info_response(const struct smb2_pdu *pdu, void *msg)
{
	(void)msg;
	return smb2_set_info_response_decode(pdu);
}

static size_t encode_output(uint8_t *buf, size_t cap, const void *msg)
{
	return smb2_output_response_encode(buf, cap, *(const struct wire_slice *)msg);
}

static bool decode_output(const struct smb2_pdu *pdu, void *msg)
{
	return smb2_output_response_decode(pdu, msg);
}

static size_t encode_flush(uint8_t *buf, size_t cap, const void *msg)
{
	return smb2_flush_request_encode(buf, cap, *(const struct smb2_file_id *)msg);
}

static bool decode_flush(const struct smb2_pdu *pdu, void *msg)
{
	return smb2_flush_request_decode(pdu, msg);
}

#define FILE_ID \
	{ \
		0x1111111122222222, 0x3333333344444444 \
	}

/* Three bytes keep alignment honest; the contexts are opaque here. */
static const uint8_t blob3[3] = {0xA1, 0xA2, 0xA3};
static const uint8_t blob40[40] = {0,    0, 0,    0, 0x10, 0, 4,   0,   0,   0,
				   0x18, 0, 0x10, 0, 0,    0, 'M', 'x', 'A', 'c'};

static const struct smb2_error_response error_plain = {.data = {blob3, 3}};
static const struct smb2_error_response error_contexts = {.context_count = 1, .data = {blob40, 40}};

static const struct smb2_negotiate_request negotiate_old = {
	.security_mode = 1, .client_guid = {1, 2, 3}, .dialect_count = 2, .dialects = {0x0202, 0x0210}};

static const struct smb2_negotiate_request negotiate_311 = {
	.security_mode = 3,
	.capabilities = 0x7f,
	.client_guid = {0xF0, 1},
	.dialect_count = 5,
	.dialects = {0x0202, 0x0210, 0x0300, 0x0302, 0x0311},
	.ctx = {.hash_count = 1,
		.hashes = {SMB2_HASH_SHA512},
		.salt = {blob40, 32},
		.cipher_count = 4,
		.ciphers = {2, 1, 4, 3},
		.signing_count = 3,
		.signing = {2, 1, 0},
		.has_transport = true,
		.transport_flags = 1,
		.netname = {blob40, 20}},
};

static const struct smb2_negotiate_response negotiated_old = {.security_mode = 1,
							      .dialect = 0x0302,
							      .server_guid = {9, 8},
							      .capabilities = 0x45,
							      .max_transact = 1 << 20,
							      .max_read = 1 << 20,
							      .max_write = 1 << 20,
							      .system_time = 0x01D0000000000001,
							      .server_start_time = 7,
							      .token = {blob3, 3}};

static const struct smb2_negotiate_response negotiated_311 = {
	.security_mode = 1,
	.dialect = 0x0311,
	.server_guid = {9, 8},
	.max_read = 8 << 20,
	.token = {blob3, 3},
	.ctx = {.hash_count = 1,
		.hashes = {SMB2_HASH_SHA512},
		.salt = {blob40, 31},
		.cipher_count = 1,
		.ciphers = {2},
		.signing_count = 1,
		.signing = {2}},
};

static const struct smb2_session_setup_request setup = {.flags = SMB2_SESSION_FLAG_BINDING,
							.security_mode = 1,
							.capabilities = 1,
							.previous_session_id = 0x0123456789ABCDEF,
							.token = {blob40, 40}};
static const struct smb2_session_setup_response setup_done = {.session_flags = SMB2_SESSION_FLAG_ENCRYPT_DATA,
							      .token = {blob3, 3}};
static const struct smb2_tree_connect_request tree = {.path = {blob40, 38}};
static const struct smb2_tree_connect_response tree_done = {.share_type = SMB2_SHARE_TYPE_DISK,
							    .share_flags = 0x8030,
							    .capabilities = 0x10,
							    .maximal_access = 0x1f01ff};

static const struct smb2_create_request create = {.oplock_level = SMB2_OPLOCK_LEVEL_LEASE,
						  .impersonation = 2,
						  .desired_access = 0x12019f,
						  .file_attributes = 0x80,
						  .share_access = 7,
						  .disposition = 1,
						  .options = 0x40,
						  .name = {blob40, 10},
						  .contexts = {blob40, 40}};
static const struct smb2_create_request create_root = {
	.impersonation = 2, .desired_access = 1, .disposition = 1};
static const struct smb2_create_request create_root_contexts = {.contexts = {blob40, 40}};
static const struct smb2_create_response created = {.oplock_level = 0xFF,
						    .flags = 1,
						    .create_action = 2,
						    .creation_time = 1,
						    .last_access_time = 2,
						    .last_write_time = 3,
						    .change_time = 4,
						    .allocation_size = 5,
						    .end_of_file = 6,
						    .file_attributes = 0x20,
						    .file_id = FILE_ID,
						    .contexts = {blob40, 40}};
static const struct smb2_close_request close_req = {.flags = 1, .file_id = FILE_ID};
static const struct smb2_close_response closed = {1, 2, 3, 4, 5, 6, 7, 8};
static const struct smb2_read_request read_req = {.flags = 1,
						  .length = 65536,
						  .offset = 1ull << 40,
						  .file_id = FILE_ID,
						  .minimum_count = 1,
						  .remaining_bytes = 9};
static const struct smb2_write_response written = {.count = 1 << 20, .remaining = 3};
static const struct smb2_ioctl_request ioctl_req = {.ctl_code = SMB2_FSCTL_SRV_COPYCHUNK,
						    .file_id = FILE_ID,
						    .input = {blob3, 3},
						    .max_input_response = 1,
						    .max_output_response = 2,
						    .flags = 1};
static const struct smb2_ioctl_request ioctl_no_input = {.ctl_code = SMB2_FSCTL_SRV_REQUEST_RESUME_KEY,
							 .file_id = FILE_ID};
static const struct smb2_ioctl_response ioctl_done = {.ctl_code = SMB2_FSCTL_SRV_COPYCHUNK,
						      .file_id = FILE_ID,
						      .input = {blob3, 3},
						      .output = {blob40, 33}};
static const struct smb2_query_directory_request find = {.info_class = FSCC_FILE_ID_BOTH_DIRECTORY,
							 .flags = SMB2_RESTART_SCANS,
							 .file_index = 5,
							 .file_id = FILE_ID,
							 .pattern = {blob40, 2},
							 .output_length = 1 << 20};
static const struct smb2_query_directory_request find_more = {.info_class = 1, .file_id = FILE_ID};
static const struct smb2_notify_request notify = {
	.flags = SMB2_WATCH_TREE, .output_length = 4096, .file_id = FILE_ID, .completion_filter = 0xFFF};
static const struct smb2_query_info_request query = {.info_type = SMB2_0_INFO_FILE,
						     .info_class = FSCC_FILE_ALL,
						     .output_length = 4096,
						     .input = {blob3, 3},
						     .additional = 7,
						     .flags = 1,
						     .file_id = FILE_ID};
static const struct smb2_query_info_request query_no_input = {.info_type = SMB2_0_INFO_FILESYSTEM,
							      .info_class = FSCC_FS_FULL_SIZE,
							      .output_length = 64,
							      .file_id = FILE_ID};
static const struct smb2_set_info_request set = {.info_type = SMB2_0_INFO_FILE,
						 .info_class = FSCC_FILE_RENAME,
						 .additional = 3,
						 .file_id = FILE_ID,
						 .data = {blob40, 40}};
static const struct wire_slice output = {blob40, 39};
static const struct wire_slice no_output = {NULL, 0};
static const struct smb2_file_id flush = FILE_ID;
static const struct smb2_break oplock_break = {.oplock_level = 1, .file_id = FILE_ID};
static const struct smb2_break lease_break = {.is_lease = true,
					      .new_epoch = 4,
					      .flags = 1,
					      .lease_key = {7, 7, 7},
					      .current_state = 7,
					      .new_state = 1};
static const struct smb2_break lease_ack = {.is_lease = true, .lease_key = {7, 7, 7}, .new_state = 3};

#define MESSAGE(codec, sample, structure_size, least) \
	{ \
#codec "/" #sample, encode_##codec, decode_##codec, &sample, sizeof(sample), structure_size, \
			least \
	}

static const struct message messages[] = {
	MESSAGE(error_response, error_plain, 9, 75),
	MESSAGE(error_response, error_contexts, 9, 112),
	MESSAGE(negotiate_request, negotiate_old, 36, 104),
	MESSAGE(negotiate_request, negotiate_311, 36, 236),
	MESSAGE(negotiate_response, negotiated_old, 65, 131),
	MESSAGE(negotiate_response, negotiated_311, 65, 204),
	MESSAGE(session_setup_request, setup, 25, 128),
	MESSAGE(session_setup_response, setup_done, 9, 75),
	MESSAGE(empty, no_output, 4, 68),
	MESSAGE(tree_connect_request, tree, 9, 110),
	MESSAGE(tree_connect_response, tree_done, 16, 80),
	MESSAGE(create_request, create, 57, 176),
	MESSAGE(create_request, create_root, 57, 120),
	MESSAGE(create_request, create_root_contexts, 57, 160),
	MESSAGE(create_response, created, 89, 192),
	MESSAGE(close_request, close_req, 24, 88),
	MESSAGE(close_response, closed, 60, 124),
	MESSAGE(flush, flush, 24, 88),
	MESSAGE(read_request, read_req, 49, 112),
	MESSAGE(write_response, written, 17, 80),
	MESSAGE(ioctl_request, ioctl_req, 57, 123),
	MESSAGE(ioctl_request, ioctl_no_input, 57, 120),
	MESSAGE(ioctl_response, ioctl_done, 49, 153),
	MESSAGE(query_directory_request, find, 33, 98),
	MESSAGE(query_directory_request, find_more, 33, 96),
	MESSAGE(notify_request, notify, 32, 96),
	MESSAGE(query_info_request, query, 41, 107),
	MESSAGE(query_info_request, query_no_input, 41, 104),
	MESSAGE(set_info_request, set, 33, 136),
	MESSAGE(set_info_response, no_output, 2, 66),
	MESSAGE(output, output, 9, 111),
	MESSAGE(output, no_output, 9, 72),
	MESSAGE(break_notification, oplock_break, 24, 88),
	MESSAGE(break_notification, lease_break, 44, 108),
	MESSAGE(break_ack, oplock_break, 24, 88),
	MESSAGE(break_ack, lease_ack, 36, 100),
};

enum { BUFFER = 1024 };

/* Encoding what was decoded gives the same bytes; the header's place is left alone. */
static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
		const struct message *m = &messages[i];
		uint8_t first[BUFFER], second[BUFFER], *exact;
		void *out = exact_copy(m->sample, m->size);
		struct smb2_pdu pdu;
		size_t len;

		memset(first, 0xEE, sizeof(first));
		memset(second, 0xEE, sizeof(second));
		len = m->encode(first, sizeof(first), m->sample);
		if (!len)
			fail_msg("%s does not encode", m->name);
		assert_int_equal(first[0], 0xEE);
		assert_int_equal(first[SMB2_HDR_SIZE - 1], 0xEE);
		assert_int_equal(wire_le16(first + SMB2_HDR_SIZE), m->structure_size);
		/* No byte behind the message is touched. */
		assert_int_equal(first[len], 0xEE);
		exact = exact_copy(first, len);
		pdu = make_pdu(exact, len);
		if (!m->decode(&pdu, out))
			fail_msg("%s does not decode", m->name);
		assert_int_equal(m->encode(second, sizeof(second), out), len);
		if (memcmp(first, second, len) != 0)
			fail_msg("%s changes on its way", m->name);
		free(exact);
		free(out);
	}
}

/* A buffer of any smaller size is refused, never overrun. */
static void test_small_buffers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
		const struct message *m = &messages[i];
		uint8_t big[BUFFER];
		size_t len = m->encode(big, sizeof(big), m->sample);

		for (size_t cap = 0; cap < len; cap++) {
			uint8_t *small = exact_copy(big, cap);

			if (m->encode(small, cap, m->sample) != 0)
				fail_msg("%s fits into %zu of %zu bytes", m->name, cap, len);
			free(small);
		}
	}
}

/* No prefix is read beyond its end; those that lack something stated are refused. */
static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
		const struct message *m = &messages[i];
		uint8_t buf[BUFFER];
		size_t len = m->encode(buf, sizeof(buf), m->sample);
		void *out = exact_copy(m->sample, m->size);

		assert_true(m->least <= len);
		check_prefixes(buf, len, m->least, m->decode, out);
		free(out);
	}
}

/* A wrong StructureSize is refused by every decoder. */
static void test_structure_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
		const struct message *m = &messages[i];
		uint8_t buf[BUFFER];
		size_t len = m->encode(buf, sizeof(buf), m->sample);
		struct smb2_pdu pdu = make_pdu(buf, len);
		void *out = exact_copy(m->sample, m->size);

		wire_set_le16(buf + SMB2_HDR_SIZE, (uint16_t)(m->structure_size + 1));
		if (m->decode(&pdu, out))
			fail_msg("%s takes a wrong StructureSize", m->name);
		free(out);
	}
}

/* Each byte of the body set to 0x00, 0x7F and 0xFF in turn: hostile counts and offsets read nothing outside. */
static void test_hostile_fields(void **state)
{
	static const uint8_t values[] = {0x00, 0x7F, 0xFF};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
		const struct message *m = &messages[i];
		uint8_t buf[BUFFER];
		size_t len = m->encode(buf, sizeof(buf), m->sample);
		void *out = exact_copy(m->sample, m->size);

		for (size_t at = SMB2_HDR_SIZE + 2; at < len; at++) {
			for (size_t v = 0; v < ARRAY_COUNT(values); v++) {
				uint8_t *copy = exact_copy(buf, len), again[4 * BUFFER];
				struct smb2_pdu pdu = make_pdu(copy, len);

				copy[at] = values[v];
				/* What is accepted can be read in full: encoding touches every slice. */
				if (m->decode(&pdu, out))
					(void)m->encode(again, sizeof(again), out);
				free(copy);
			}
		}
		free(out);
	}
}

/* The write head says where the caller's data lies, and data must be there in full. */
static void test_write(void **state)
{
	struct smb2_write_request in = {.length = 5, .offset = 1ull << 33, .file_id = FILE_ID, .flags = 1},
				  out;
	uint8_t buf[BUFFER] = {0};
	size_t head = smb2_write_request_encode(buf, sizeof(buf), &in);
	struct wire_slice data;
	struct smb2_pdu pdu;

	(void)state;
	assert_int_equal(head, SMB2_WRITE_DATA_OFFSET);
	memcpy(buf + head, "hello", 5);
	pdu = make_pdu(buf, head + 5);
	assert_true(smb2_write_request_decode(&pdu, &out, &data));
	assert_true(out.offset == in.offset && out.flags == 1);
	assert_int_equal(data.len, 5);
	assert_memory_equal(data.p, "hello", 5);
	pdu.len--;
	assert_false(smb2_write_request_decode(&pdu, &out, &data));
	assert_int_equal(smb2_write_request_encode(buf, head - 1, &in), 0);
}

/* The head of a READ answer tells where the data will be, checked against the length the transport announced. */
static void test_read_head(void **state)
{
	uint8_t buf[SMB2_READ_RESPONSE_HEAD] = {0};
	struct smb2_read_response out;
	struct smb2_pdu pdu = make_pdu(buf, sizeof(buf));

	(void)state;
	assert_int_equal(smb2_read_response_encode_head(buf, sizeof(buf), 1000), sizeof(buf));
	assert_true(smb2_read_response_decode_head(buf, sizeof(buf), 1080, &out));
	assert_int_equal(out.data_offset, 80);
	assert_int_equal(out.data_length, 1000);
	assert_false(smb2_read_response_decode_head(buf, sizeof(buf), 1079, &out));
	assert_false(smb2_read_response_decode(&pdu, &out));
	assert_false(smb2_read_response_decode_head(buf, sizeof(buf) - 1, 1080, &out));
	buf[SMB2_HDR_SIZE + 2] = 79; /* would overlap the head */
	assert_false(smb2_read_response_decode_head(buf, sizeof(buf), 4096, &out));
	buf[SMB2_HDR_SIZE + 2] = 96;
	assert_true(smb2_read_response_decode_head(buf, sizeof(buf), 1096, &out));
	assert_int_equal(out.data_offset, 96);
	wire_set_le32(buf + SMB2_HDR_SIZE + 4, 0xFFFFFFFF);
	assert_false(smb2_read_response_decode_head(buf, sizeof(buf), 1096, &out));
	wire_set_le32(buf + SMB2_HDR_SIZE + 4, 0);
	assert_true(smb2_read_response_decode(&pdu, &out));
}

/* A lock request carries as many elements as it says, at least one. */
static void test_lock(void **state)
{
	static const struct smb2_lock_element locks[2] = {{1, 2, SMB2_LOCKFLAG_EXCLUSIVE_LOCK},
							  {UINT64_MAX, 1ull << 63, SMB2_LOCKFLAG_UNLOCK}};
	struct smb2_lock_request in = {.sequence = 0x21, .file_id = FILE_ID, .count = 2}, out;
	struct smb2_lock_element e;
	uint8_t buf[BUFFER] = {0};
	size_t len = smb2_lock_request_encode(buf, sizeof(buf), &in, locks);
	struct smb2_pdu pdu = make_pdu(buf, len);

	(void)state;
	assert_int_equal(len, SMB2_HDR_SIZE + 24 + 2 * 24);
	assert_true(smb2_lock_request_decode(&pdu, &out));
	assert_int_equal(out.count, 2);
	assert_int_equal(out.sequence, 0x21);
	assert_true(smb2_lock_element_at(&pdu, 1, &e));
	assert_true(e.offset == UINT64_MAX && e.length == 1ull << 63 && e.flags == SMB2_LOCKFLAG_UNLOCK);
	assert_false(smb2_lock_element_at(&pdu, 2, &e));
	assert_false(smb2_lock_element_at(&pdu, 0xFFFF, &e));
	pdu.len--;
	assert_false(smb2_lock_request_decode(&pdu, &out));
	in.count = 0;
	assert_int_equal(smb2_lock_request_encode(buf, sizeof(buf), &in, locks), 0);
}

/* Numbers that do not fit their field are refused by the encoder, not cut. */
static void test_too_long(void **state)
{
	static uint8_t big[70000], buf[80000];
	struct smb2_create_request c = {.name = {big, 65536}};
	struct smb2_session_setup_request s = {.token = {big, 65536}};
	struct smb2_tree_connect_request t = {.path = {big, 65536}};
	struct smb2_query_directory_request q = {.pattern = {big, 65536}};

	(void)state;
	assert_int_equal(smb2_create_request_encode(buf, sizeof(buf), &c), 0);
	assert_int_equal(smb2_session_setup_request_encode(buf, sizeof(buf), &s), 0);
	assert_int_equal(smb2_tree_connect_request_encode(buf, sizeof(buf), &t), 0);
	assert_int_equal(smb2_query_directory_request_encode(buf, sizeof(buf), &q), 0);
	c.name.len = 65534;
	assert_true(smb2_create_request_encode(buf, sizeof(buf), &c) > 65534);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),    cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_prefixes),       cmocka_unit_test(test_structure_size),
		cmocka_unit_test(test_hostile_fields), cmocka_unit_test(test_write),
		cmocka_unit_test(test_read_head),      cmocka_unit_test(test_lock),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
