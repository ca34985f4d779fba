/*
 * test_wire_context.c - lists inside messages: negotiate contexts, create contexts, error contexts, network
 * interfaces, copy chunks; well-formed ones are read back, hostile ones refused.
 */
#include "wire_test.h"

enum { BUFFER = 1024 };

/* ---- negotiate contexts ---- */

/* A 3.1.1 answer with the given raw contexts behind it. */
static size_t answer_311(uint8_t *buf, const uint8_t *contexts, size_t len, uint16_t count)
{
	struct smb2_negotiate_response rsp = {.dialect = SMB2_DIALECT_311};
	size_t at = smb2_negotiate_response_encode(buf, BUFFER, &rsp);

	assert_int_equal(at, 128);
	memcpy(buf + at, contexts, len);
	wire_set_le16(buf + SMB2_HDR_SIZE + 6, count);
	wire_set_le32(buf + SMB2_HDR_SIZE + 60, (uint32_t)at);
	return at + len;
}

static bool accepted(const uint8_t *contexts, size_t len, uint16_t count)
{
	uint8_t buf[BUFFER] = {0}, *exact;
	struct smb2_negotiate_response out;
	struct smb2_pdu pdu;
	bool ok;

	len = answer_311(buf, contexts, len, count);
	exact = exact_copy(buf, len);
	pdu = make_pdu(exact, len);
	ok = smb2_negotiate_response_decode(&pdu, &out);
	free(exact);
	return ok;
}

#define PREAUTH 1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0
#define PAD2 0, 0
#define CIPHER 2, 0, 4, 0, 0, 0, 0, 0, 1, 0, 2, 0

/* 3.2.5.2: exactly one hash, which is SHA-512; at most one cipher and signing algorithm; each context once. */
static void test_negotiate_answer_rules(void **state)
{
	static const uint8_t good[] = {PREAUTH, PAD2, CIPHER};
	static const uint8_t unknown_too[] = {0x77, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, PREAUTH};
	static const uint8_t no_preauth[] = {CIPHER};
	static const uint8_t twice[] = {PREAUTH, PAD2, PREAUTH};
	static const uint8_t two_hashes[] = {1, 0, 8, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0};
	static const uint8_t other_hash[] = {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0};
	static const uint8_t no_hash[] = {1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t two_ciphers[] = {PREAUTH, PAD2, 2, 0, 6, 0, 0, 0, 0, 0, 2, 0, 1, 0, 2, 0};
	static const uint8_t cut_cipher[] = {PREAUTH, PAD2, 2, 0, 2, 0, 0, 0, 0, 0, 1, 0};
	static const uint8_t long_salt[] = {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0};
	static const uint8_t long_data[] = {1, 0, 0xFF, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0};

	(void)state;
	assert_true(accepted(good, sizeof(good), 2));
	assert_true(accepted(good, sizeof(good), 1));
	assert_true(accepted(unknown_too, sizeof(unknown_too), 2));
	assert_false(accepted(good, sizeof(good), 3));
	assert_false(accepted(good, sizeof(good), 0));
	assert_false(accepted(good, sizeof(good), 0xFFFF));
	assert_false(accepted(no_preauth, sizeof(no_preauth), 1));
	assert_false(accepted(twice, sizeof(twice), 2));
	assert_false(accepted(two_hashes, sizeof(two_hashes), 1));
	assert_false(accepted(other_hash, sizeof(other_hash), 1));
	assert_false(accepted(no_hash, sizeof(no_hash), 1));
	assert_false(accepted(two_ciphers, sizeof(two_ciphers), 2));
	assert_false(accepted(cut_cipher, sizeof(cut_cipher), 2));
	assert_false(accepted(long_salt, sizeof(long_salt), 1));
	assert_false(accepted(long_data, sizeof(long_data), 1));
}

/* The contexts begin behind the fixed part, 8-byte aligned; other dialects have none. */
static void test_negotiate_context_offset(void **state)
{
	static const uint8_t good[] = {PREAUTH};
	static const uint32_t bad[] = {0, 8, 64, 120, 129, 132, 136, 0xFFFFFFF8, 0xFFFFFFFF};
	uint8_t buf[BUFFER] = {0};
	size_t len = answer_311(buf, good, sizeof(good), 1);
	struct smb2_negotiate_response out;
	struct smb2_pdu pdu = make_pdu(buf, len);

	(void)state;
	assert_true(smb2_negotiate_response_decode(&pdu, &out));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		wire_set_le32(buf + SMB2_HDR_SIZE + 60, bad[i]);
		assert_false(smb2_negotiate_response_decode(&pdu, &out));
	}
	wire_set_le16(buf + SMB2_HDR_SIZE + 4, SMB2_DIALECT_302);
	assert_true(smb2_negotiate_response_decode(&pdu, &out));
	assert_int_equal(out.ctx.hash_count, 0);
}

/* Every dialect set decodes to itself; without 3.1.1 no context is sent. */
static void test_negotiate_dialects(void **state)
{
	static const uint16_t dialects[] = {0x0202, 0x0210, 0x0300, 0x0302, 0x0311};

	(void)state;
	for (uint16_t n = 1; n <= ARRAY_COUNT(dialects); n++) {
		struct smb2_negotiate_request in = {.dialect_count = n,
						    .ctx = {.hash_count = 1,
							    .hashes = {1},
							    .netname = TEXT("server")}},
					      out;
		uint8_t buf[BUFFER];
		struct smb2_pdu pdu;
		size_t len;

		memcpy(in.dialects, dialects, sizeof(uint16_t) * n);
		len = smb2_negotiate_request_encode(buf, sizeof(buf), &in);
		pdu = make_pdu(buf, len);
		assert_true(smb2_negotiate_request_decode(&pdu, &out));
		assert_int_equal(out.dialect_count, n);
		assert_memory_equal(out.dialects, dialects, sizeof(uint16_t) * n);
		assert_int_equal(out.ctx.hash_count, n == 5);
		if (n == 5)
			assert_true(slice_equal(out.ctx.netname, in.ctx.netname));
	}
}

/* No dialects, or more than there is room for, are refused in both directions. */
static void test_negotiate_dialect_count(void **state)
{
	struct smb2_negotiate_request req = {.dialect_count = 0};
	uint8_t buf[BUFFER];

	(void)state;
	assert_int_equal(smb2_negotiate_request_encode(buf, sizeof(buf), &req), 0);
	req.dialect_count = SMB2_MAX_DIALECTS + 1;
	assert_int_equal(smb2_negotiate_request_encode(buf, sizeof(buf), &req), 0);
}

/* ---- create contexts ---- */

static struct smb2_create_context_list make_list(uint8_t *buf, size_t cap)
{
	return (struct smb2_create_context_list){.buf = buf, .cap = cap};
}

/* Each kind of context is found under its name and gives back what was put in. */
static void test_create_contexts(void **state)
{
	static const struct smb2_lease v1 = {.version = 1, .key = {1, 2}, .state = 7, .flags = 2};
	const struct smb2_durable_v2_request d2 = {.timeout_ms = 60000, .flags = 2, .create_guid = {5}};
	static const struct smb2_durable_v2_reconnect d2c = {
		.file_id = {1, 2}, .create_guid = {6}, .flags = 2};
	const struct smb2_maximal_access mx = {.query_status = 0, .access = 0x1f01ff};
	const struct smb2_disk_id id = {.file_id = 0x1234567890, .volume_id = 7};
	uint8_t buf[BUFFER];
	struct smb2_create_context_list list = make_list(buf, sizeof(buf));
	struct smb2_durable_v2_request d2_out;
	struct smb2_durable_v2_reconnect d2c_out;
	struct smb2_maximal_access mx_out;
	struct smb2_lease lease_out;
	struct smb2_disk_id id_out;
	struct smb2_file_id fid;
	struct wire_slice all, data;
	uint64_t number;

	(void)state;
	assert_true(smb2_lease_append(&list, &v1));
	assert_true(smb2_durable_v2_request_append(&list, &d2));
	assert_true(smb2_durable_v2_reconnect_append(&list, &d2c));
	assert_true(smb2_durable_reconnect_append(&list, (struct smb2_file_id){8, 9}));
	assert_true(smb2_durable_request_append(&list));
	assert_true(smb2_maximal_access_append(&list, &mx));
	assert_true(smb2_disk_id_append(&list, &id));
	assert_true(smb2_allocation_size_append(&list, 1ull << 40));
	assert_true(smb2_timewarp_append(&list, 0x01D0000000000000));
	all = smb2_create_context_list_slice(&list);

	assert_true(smb2_create_context_find(all, SMB2_CREATE_LEASE, &data));
	assert_true(smb2_lease_decode(data, &lease_out));
	assert_memory_equal(&lease_out, &v1, sizeof(v1));
	assert_true(smb2_create_context_find(all, SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2, &data));
	assert_true(smb2_durable_v2_request_decode(data, &d2_out));
	assert_memory_equal(&d2_out, &d2, sizeof(d2));
	assert_true(smb2_create_context_find(all, SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2, &data));
	assert_true(smb2_durable_v2_reconnect_decode(data, &d2c_out));
	assert_memory_equal(&d2c_out, &d2c, sizeof(d2c));
	assert_true(smb2_create_context_find(all, SMB2_CREATE_DURABLE_HANDLE_RECONNECT, &data));
	assert_true(smb2_durable_reconnect_decode(data, &fid) && fid.persistent == 8 && fid.volatile_id == 9);
	assert_true(smb2_create_context_find(all, SMB2_CREATE_DURABLE_HANDLE_REQUEST, &data));
	assert_int_equal(data.len, 16);
	assert_true(smb2_create_context_find(all, SMB2_CREATE_QUERY_MAXIMAL_ACCESS, &data));
	assert_true(smb2_maximal_access_decode(data, &mx_out) && mx_out.access == mx.access);
	assert_true(smb2_create_context_find(all, SMB2_CREATE_QUERY_ON_DISK_ID, &data));
	assert_true(smb2_disk_id_decode(data, &id_out) && id_out.file_id == id.file_id &&
		    id_out.volume_id == 7);
	assert_true(smb2_create_context_find(all, SMB2_CREATE_ALLOCATION_SIZE, &data));
	assert_true(smb2_u64_context_decode(data, &number) && number == 1ull << 40);
	assert_true(smb2_create_context_find(all, SMB2_CREATE_TIMEWARP_TOKEN, &data));
	assert_true(smb2_u64_context_decode(data, &number) && number == 0x01D0000000000000);
	assert_false(smb2_create_context_find(all, SMB2_CREATE_SD_BUFFER, &data));
}

/* The second version of a lease is told by its length and carries a parent and an epoch. */
static void test_lease_v2(void **state)
{
	static const struct smb2_lease v2 = {.version = 2,
					     .key = {1},
					     .state = 5,
					     .flags = SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET,
					     .parent_key = {9},
					     .epoch = 0x1234};
	const struct smb2_lease v3 = {.version = 3};
	uint8_t buf[BUFFER];
	struct smb2_create_context_list list = make_list(buf, sizeof(buf));
	struct smb2_lease out;
	struct wire_slice data;

	(void)state;
	assert_false(smb2_lease_append(&list, &v3));
	assert_true(smb2_lease_append(&list, &v2));
	assert_true(
		smb2_create_context_find(smb2_create_context_list_slice(&list), SMB2_CREATE_LEASE, &data));
	assert_int_equal(data.len, 52);
	assert_true(smb2_lease_decode(data, &out));
	assert_memory_equal(&out, &v2, sizeof(v2));
	for (data.len = 0; data.len < 60; data.len++) {
		if (data.len != 32 && data.len != 52)
			assert_false(smb2_lease_decode(data, &out));
	}
}

/* Contexts lie 8-byte aligned, their data too; those without data and those named by a GUID are legal. */
static void test_create_context_layout(void **state)
{
	static const uint8_t guid[16] = {0x45, 0xBC, 0xA6};
	uint8_t buf[BUFFER];
	struct smb2_create_context_list list = make_list(buf, sizeof(buf));
	struct smb2_create_context ctx;
	struct wire_slice all;
	size_t offset = 0;

	(void)state;
	assert_true(smb2_maximal_access_request_append(&list));
	assert_true(smb2_create_context_append(&list, SMB2_CREATE_EA_BUFFER, "abc", 3));
	assert_true(smb2_create_context_append_named(&list, guid, sizeof(guid), "xy", 2));
	assert_true(smb2_disk_id_request_append(&list));
	assert_false(smb2_create_context_append_named(&list, guid, 3, "xy", 2));
	all = smb2_create_context_list_slice(&list);
	assert_int_equal(smb2_create_context_next(all, &offset, &ctx), 1);
	assert_int_equal(ctx.tag, SMB2_CREATE_QUERY_MAXIMAL_ACCESS);
	assert_int_equal(ctx.data.len, 0);
	assert_int_equal(offset % 8, 0);
	assert_int_equal(smb2_create_context_next(all, &offset, &ctx), 1);
	assert_memory_equal(ctx.data.p, "abc", 3);
	assert_int_equal((ctx.data.p - buf) % 8, 0);
	assert_int_equal(smb2_create_context_next(all, &offset, &ctx), 1);
	assert_int_equal(ctx.tag, 0);
	assert_int_equal(ctx.name.len, 16);
	assert_memory_equal(ctx.data.p, "xy", 2);
	assert_int_equal(smb2_create_context_next(all, &offset, &ctx), 1);
	assert_int_equal(ctx.tag, SMB2_CREATE_QUERY_ON_DISK_ID);
	assert_int_equal(smb2_create_context_next(all, &offset, &ctx), 0);
}

/* A context that does not fit leaves the list as it was. */
static void test_create_context_full(void **state)
{
	uint8_t buf[BUFFER];

	(void)state;
	for (size_t cap = 0; cap < 64; cap++) {
		struct smb2_create_context_list list = make_list(buf, cap), before;
		struct smb2_create_context ctx;
		size_t offset = 0, n = 0;
		int more;

		do {
			before = list;
		} while (smb2_allocation_size_append(&list, n++));
		assert_memory_equal(&list, &before, sizeof(list));
		while ((more = smb2_create_context_next(smb2_create_context_list_slice(&list), &offset,
							&ctx)) > 0)
			n--;
		assert_int_equal(more, 0);
		assert_int_equal(n, 1);
	}
}

/* A walk over any changed or cut list ends and stays inside. */
static void test_create_context_hostile(void **state)
{
	static const uint8_t values[] = {0, 1, 8, 16, 0x7F, 0xFF};
	uint8_t buf[BUFFER];
	struct smb2_create_context_list list = make_list(buf, sizeof(buf));

	(void)state;
	assert_true(smb2_allocation_size_append(&list, 1));
	assert_true(smb2_maximal_access_request_append(&list));
	assert_true(smb2_timewarp_append(&list, 2));
	for (size_t at = 0; at < list.len; at++) {
		for (size_t v = 0; v < ARRAY_COUNT(values); v++) {
			uint8_t *copy = exact_copy(buf, list.len);
			struct wire_slice all = {copy, list.len};
			struct smb2_create_context ctx;
			size_t offset = 0, steps = 0;

			copy[at] = values[v];
			while (smb2_create_context_next(all, &offset, &ctx) > 0) {
				assert_true(++steps <= list.len / 16);
				assert_true(ctx.name.p >= copy &&
					    ctx.name.p + ctx.name.len <= copy + list.len);
				if (ctx.data.len)
					assert_true(ctx.data.p >= copy &&
						    ctx.data.p + ctx.data.len <= copy + list.len);
			}
			free(copy);
		}
	}
	for (size_t n = 1; n < list.len; n++) {
		uint8_t *cut = exact_copy(buf, n);
		struct smb2_create_context ctx;
		size_t offset = 0;
		int more;

		while ((more = smb2_create_context_next((struct wire_slice){cut, n}, &offset, &ctx)) > 0)
			;
		assert_int_equal(more, -1);
		free(cut);
	}
}

/* ---- errors ---- */

/* A symlink error gives both names and the unparsed rest, plain (2.x, 3.0) or in an error context (3.1.1). */
static void test_symlink_error(void **state)
{
	const struct smb2_symlink_error in = {.unparsed_bytes = 0x2E,
					      .flags = SMB2_SYMLINK_FLAG_RELATIVE,
					      .substitute = TEXT("..\\a"),
					      .print = TEXT("a")};
	uint8_t data[256], contexts[256], buf[BUFFER];
	size_t len = smb2_symlink_error_encode(data, sizeof(data), &in), pos = 0;
	struct smb2_error_context ctx = {SMB2_ERROR_ID_DEFAULT, {data, len}};

	(void)state;
	assert_int_equal(len, 28 + 8 + 2);
	assert_true(smb2_error_context_append(contexts, sizeof(contexts), &pos, &ctx));
	for (int with_context = 0; with_context < 2; with_context++) {
		struct smb2_error_response rsp = {.context_count = (uint8_t)with_context,
						  .data = with_context ? (struct wire_slice){contexts, pos}
								       : ctx.data};
		struct smb2_symlink_error out;
		struct smb2_error_context found;
		struct smb2_pdu pdu;
		size_t offset = 0;

		pdu = make_pdu(buf, smb2_error_response_encode(buf, sizeof(buf), &rsp));
		assert_true(smb2_error_response_decode(&pdu, &rsp));
		assert_int_equal(smb2_error_context_next(&rsp, &offset, &found), 1);
		assert_int_equal(found.id, SMB2_ERROR_ID_DEFAULT);
		assert_true(smb2_symlink_error_decode(found.data, &out));
		assert_int_equal(out.unparsed_bytes, 0x2E);
		assert_int_equal(out.flags, 1);
		assert_true(slice_equal(out.substitute, in.substitute) && slice_equal(out.print, in.print));
		assert_int_equal(smb2_error_context_next(&rsp, &offset, &found), 0);
	}
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = exact_copy(data, n);
		struct smb2_symlink_error out;

		assert_false(smb2_symlink_error_decode((struct wire_slice){cut, n}, &out));
		free(cut);
	}
	for (size_t at = 16; at < 24; at += 2) {
		uint8_t *copy = exact_copy(data, len);
		struct smb2_symlink_error out;

		wire_set_le16(copy + at, 0xFFFE);
		assert_false(smb2_symlink_error_decode((struct wire_slice){copy, len}, &out));
		free(copy);
	}
}

/* Several error contexts lie aligned behind one another; one that leaves the data is malformed. */
static void test_error_contexts(void **state)
{
	uint8_t buf[64];
	size_t pos = 0, offset = 0;
	struct smb2_error_context a = {SMB2_ERROR_ID_SHARE_REDIRECT, {(const uint8_t *)"abc", 3}}, out;
	struct smb2_error_context b = {SMB2_ERROR_ID_DEFAULT, {(const uint8_t *)"z", 1}};
	struct smb2_error_response rsp;

	(void)state;
	assert_true(smb2_error_context_append(buf, sizeof(buf), &pos, &a));
	assert_true(smb2_error_context_append(buf, sizeof(buf), &pos, &b));
	assert_false(smb2_error_context_append(buf, 20, &pos, &b));
	rsp = (struct smb2_error_response){.context_count = 2, .data = {buf, pos}};
	assert_int_equal(smb2_error_context_next(&rsp, &offset, &out), 1);
	assert_true(out.id == a.id && slice_equal(out.data, a.data));
	assert_int_equal(offset, 16);
	assert_int_equal(smb2_error_context_next(&rsp, &offset, &out), 1);
	assert_true(slice_equal(out.data, b.data));
	assert_int_equal(smb2_error_context_next(&rsp, &offset, &out), 0);
	rsp.data.len = 10;
	offset = 0;
	assert_int_equal(smb2_error_context_next(&rsp, &offset, &out), -1);
	rsp.data.len = 0;
	offset = 0;
	assert_int_equal(smb2_error_context_next(&rsp, &offset, &out), 0);
}

/* ---- ioctl payloads ---- */

/* Copy chunks: as many as counted are there; the answer's three numbers come through. */
static void test_copychunk(void **state)
{
	static const uint8_t key[SMB2_RESUME_KEY_SIZE] = {1, 2, 3};
	static const struct smb2_copychunk chunks[2] = {{1, 2, 3}, {1ull << 40, 5, 6}};
	const struct smb2_copychunk_response done = {2, 3, 4};
	struct smb2_copychunk_response done_out;
	uint8_t buf[256], key_out[SMB2_RESUME_KEY_SIZE];
	size_t len = smb2_copychunk_encode(buf, sizeof(buf), key, chunks, 2);
	struct smb2_copychunk c;
	uint32_t count;

	(void)state;
	assert_int_equal(len, 32 + 48);
	assert_true(smb2_copychunk_decode((struct wire_slice){buf, len}, key_out, &count));
	assert_int_equal(count, 2);
	assert_memory_equal(key, key_out, sizeof(key));
	assert_true(smb2_copychunk_at((struct wire_slice){buf, len}, 1, &c));
	assert_true(c.source_offset == 1ull << 40 && c.length == 6);
	assert_false(smb2_copychunk_at((struct wire_slice){buf, len}, 2, &c));
	assert_false(smb2_copychunk_at((struct wire_slice){buf, len}, UINT32_MAX, &c));
	assert_false(smb2_copychunk_decode((struct wire_slice){buf, len - 1}, key_out, &count));
	wire_set_le32(buf + 24, UINT32_MAX);
	assert_false(smb2_copychunk_decode((struct wire_slice){buf, len}, key_out, &count));
	len = smb2_copychunk_response_encode(buf, sizeof(buf), &done);
	assert_true(smb2_copychunk_response_decode((struct wire_slice){buf, len}, &done_out));
	assert_memory_equal(&done, &done_out, sizeof(done));
	assert_false(smb2_copychunk_response_decode((struct wire_slice){buf, len - 1}, &done_out));
	len = smb2_resume_key_encode(buf, sizeof(buf), key);
	assert_true(smb2_resume_key_decode((struct wire_slice){buf, len}, key_out));
	assert_memory_equal(key, key_out, sizeof(key));
	assert_false(smb2_resume_key_decode((struct wire_slice){buf, 27}, key_out));
}

/* Network interfaces of both families come through; a chain that leaves its buffer is malformed. */
static void test_network_interfaces(void **state)
{
	static const struct smb2_network_interface in[2] = {
		{.index = 1,
		 .capability = SMB2_NETIF_RSS_CAPABLE,
		 .link_speed = 1000000000,
		 .address_len = 4,
		 .address = {127, 0, 0, 1},
		 .port = 445},
		{.index = 2, .address_len = 16, .address = {0xFE, 0x80}, .scope_id = 3}};
	struct smb2_network_interface out;
	uint8_t buf[BUFFER];
	size_t pos = 0, last = 0, offset = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_true(smb2_network_interface_append(buf, sizeof(buf), &pos, &last, &in[i]));
	assert_int_equal(pos, 304);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(smb2_network_interface_next((struct wire_slice){buf, pos}, &offset, &out),
				 1);
		assert_memory_equal(&out, &in[i], sizeof(out));
	}
	assert_int_equal(smb2_network_interface_next((struct wire_slice){buf, pos}, &offset, &out), 0);
	assert_false(smb2_network_interface_append(buf, pos + 151, &pos, &last, &in[0]));
	for (size_t n = 1; n < pos; n++) {
		uint8_t *cut = exact_copy(buf, n);
		int more;

		offset = 0;
		while ((more = smb2_network_interface_next((struct wire_slice){cut, n}, &offset, &out)) > 0)
			;
		assert_int_equal(more, -1);
		free(cut);
	}
	wire_set_le32(buf, 150);
	offset = 0;
	assert_int_equal(smb2_network_interface_next((struct wire_slice){buf, pos}, &offset, &out), -1);
}

/* The secure negotiate exchange of 3.0 and 3.0.2. */
static void test_validate_negotiate(void **state)
{
	const struct smb2_validate_negotiate_request req = {.capabilities = 0x7f,
							    .guid = {1},
							    .security_mode = 1,
							    .dialect_count = 2,
							    .dialects = {0x0210, 0x0300}};
	const struct smb2_validate_negotiate_response rsp = {
		.capabilities = 0x45, .guid = {2}, .security_mode = 1, .dialect = 0x0300};
	struct smb2_validate_negotiate_request req_out;
	struct smb2_validate_negotiate_response rsp_out;
	uint8_t buf[64];
	size_t len = smb2_validate_negotiate_request_encode(buf, sizeof(buf), &req);

	(void)state;
	assert_int_equal(len, 28);
	assert_true(smb2_validate_negotiate_request_decode((struct wire_slice){buf, len}, &req_out));
	assert_memory_equal(&req, &req_out, sizeof(req));
	assert_false(smb2_validate_negotiate_request_decode((struct wire_slice){buf, len - 1}, &req_out));
	wire_set_le16(buf + 22, 0xFFFF);
	assert_false(smb2_validate_negotiate_request_decode((struct wire_slice){buf, len}, &req_out));
	len = smb2_validate_negotiate_response_encode(buf, sizeof(buf), &rsp);
	assert_int_equal(len, 24);
	assert_true(smb2_validate_negotiate_response_decode((struct wire_slice){buf, len}, &rsp_out));
	assert_memory_equal(&rsp, &rsp_out, sizeof(rsp));
	assert_false(smb2_validate_negotiate_response_decode((struct wire_slice){buf, len - 1}, &rsp_out));
}

/* Sparse files: ranges come through in order, one that ends beyond a signed 64-bit offset is refused. */
static void test_sparse(void **state)
{
	static const struct smb2_range in[2] = {{0, 4096}, {1ull << 40, 65536}};
	const struct smb2_range too_far = {INT64_MAX, 1};
	struct smb2_range out;
	uint64_t from, beyond;
	uint8_t buf[32];
	size_t offset = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(smb2_range_encode(buf + 16 * i, 16, &in[i]), 16);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(smb2_range_next((struct wire_slice){buf, 32}, &offset, &out), 1);
		assert_memory_equal(&out, &in[i], sizeof(out));
	}
	assert_int_equal(smb2_range_next((struct wire_slice){buf, 32}, &offset, &out), 0);
	offset = 16;
	assert_int_equal(smb2_range_next((struct wire_slice){buf, 31}, &offset, &out), -1);
	assert_int_equal(smb2_range_encode(buf, sizeof(buf), &too_far), 16);
	offset = 0;
	assert_int_equal(smb2_range_next((struct wire_slice){buf, 16}, &offset, &out), -1);

	assert_int_equal(smb2_zero_data_encode(buf, sizeof(buf), 10, 20), 16);
	assert_true(smb2_zero_data_decode((struct wire_slice){buf, 16}, &from, &beyond) && from == 10 &&
		    beyond == 20);
	assert_false(smb2_zero_data_decode((struct wire_slice){buf, 15}, &from, &beyond));
	assert_int_equal(smb2_zero_data_encode(buf, sizeof(buf), 20, 10), 0);
	assert_int_equal(smb2_zero_data_encode(buf, sizeof(buf), 0, UINT64_MAX), 0);
	assert_int_equal(smb2_set_sparse_encode(buf, sizeof(buf), true), 1);
	assert_int_equal(buf[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiate_answer_rules),
		cmocka_unit_test(test_negotiate_context_offset),
		cmocka_unit_test(test_negotiate_dialects),
		cmocka_unit_test(test_negotiate_dialect_count),
		cmocka_unit_test(test_create_contexts),
		cmocka_unit_test(test_lease_v2),
		cmocka_unit_test(test_create_context_layout),
		cmocka_unit_test(test_create_context_full),
		cmocka_unit_test(test_create_context_hostile),
		cmocka_unit_test(test_symlink_error),
		cmocka_unit_test(test_error_contexts),
		cmocka_unit_test(test_copychunk),
		cmocka_unit_test(test_network_interfaces),
		cmocka_unit_test(test_validate_negotiate),
		cmocka_unit_test(test_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
