/*
 * fuzz_messages.c - headers and SMB2 messages.
 *
 * A message's input is its body: the 64 header bytes do not matter to the body's decoder, and leaving them out
 * lets the fuzzer spend its bytes where they count.
 */
#include "fuzz.h"
#include "touch.h"

#include "mrx/smb/wire/smb2_crypto.h"

enum { OUT = 1 << 17 };

static uint8_t out_buf[OUT];

/* A PDU of exactly 64 + size bytes on the heap. */
static struct smb2_pdu make_pdu(const uint8_t *data, size_t size)
{
	uint8_t *p = malloc(SMB2_HDR_SIZE + size);
	struct smb2_pdu pdu = {.base = p, .len = SMB2_HDR_SIZE + size};

	must(p != NULL);
	memset(p, 0, SMB2_HDR_SIZE);
	if (size)
		memcpy(p + SMB2_HDR_SIZE, data, size);
	return pdu;
}

static void drop_pdu(const struct smb2_pdu *pdu)
{
	free((void *)(uintptr_t)pdu->base);
}

void fuzz_hdr(const uint8_t *data, size_t size)
{
	struct smb2_transform_hdr transform;
	struct smb2_pdu pdu;
	size_t offset = 0, count = 0;
	struct smb2_hdr hdr;

	(void)smb2_message_kind(data, size);
	while (smb2_compound_next(data, size, &offset, &pdu) > 0) {
		must(pdu.base >= data && pdu.base + pdu.len <= data + size && pdu.len >= SMB2_HDR_SIZE);
		touch((struct wire_slice){pdu.base, pdu.len});
	}
	(void)smb2_compound_check(data, size, &count);
	must(count <= size / SMB2_HDR_SIZE);
	if (smb2_hdr_decode(data, size, &hdr)) {
		must(smb2_hdr_encode(out_buf, sizeof(out_buf), &hdr));
		/* Every header bit survives. */
		must(memcmp(out_buf, data, SMB2_HDR_SIZE) == 0);
	}
	(void)smb2_transform_hdr_decode(data, size, &transform);
}

/* Decodes, and encodes again what was accepted, which reads all of its slices. */
#define FUZZ_MESSAGE(name) \
	void fuzz_##name(const uint8_t *data, size_t size) \
	{ \
		struct smb2_pdu pdu = make_pdu(data, size); \
		struct smb2_##name msg; \
\
		if (smb2_##name##_decode(&pdu, &msg)) \
			(void)smb2_##name##_encode(out_buf, sizeof(out_buf), &msg); \
		drop_pdu(&pdu); \
	}

FUZZ_MESSAGE(negotiate_request)
FUZZ_MESSAGE(negotiate_response)
FUZZ_MESSAGE(session_setup_request)
FUZZ_MESSAGE(session_setup_response)
FUZZ_MESSAGE(tree_connect_request)
FUZZ_MESSAGE(tree_connect_response)
FUZZ_MESSAGE(close_request)
FUZZ_MESSAGE(close_response)
FUZZ_MESSAGE(read_request)
FUZZ_MESSAGE(write_response)
FUZZ_MESSAGE(ioctl_request)
FUZZ_MESSAGE(ioctl_response)
FUZZ_MESSAGE(query_directory_request)
FUZZ_MESSAGE(query_info_request)
FUZZ_MESSAGE(set_info_request)
FUZZ_MESSAGE(notify_request)

void fuzz_error_response(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_error_response rsp;
	struct smb2_error_context ctx;
	struct smb2_symlink_error link;
	size_t offset = 0;

	if (smb2_error_response_decode(&pdu, &rsp)) {
		touch(rsp.data);
		while (smb2_error_context_next(&rsp, &offset, &ctx) > 0) {
			touch(ctx.data);
			if (smb2_symlink_error_decode(ctx.data, &link)) {
				touch(link.substitute);
				touch(link.print);
				(void)smb2_symlink_error_encode(out_buf, sizeof(out_buf), &link);
			}
		}
	}
	drop_pdu(&pdu);
}

static void walk_contexts(struct wire_slice list)
{
	struct smb2_durable_v2_reconnect reconnect;
	struct smb2_durable_v2_response response;
	struct smb2_durable_v2_request request;
	struct smb2_maximal_access access;
	struct smb2_create_context ctx;
	struct smb2_file_id file_id;
	struct smb2_disk_id disk_id;
	struct smb2_lease lease;
	size_t offset = 0;
	uint64_t number;

	while (smb2_create_context_next(list, &offset, &ctx) > 0) {
		touch(ctx.name);
		touch(ctx.data);
		(void)smb2_lease_decode(ctx.data, &lease);
		(void)smb2_durable_v2_request_decode(ctx.data, &request);
		(void)smb2_durable_v2_reconnect_decode(ctx.data, &reconnect);
		(void)smb2_durable_v2_response_decode(ctx.data, &response);
		(void)smb2_durable_reconnect_decode(ctx.data, &file_id);
		(void)smb2_maximal_access_decode(ctx.data, &access);
		(void)smb2_disk_id_decode(ctx.data, &disk_id);
		(void)smb2_u64_context_decode(ctx.data, &number);
	}
}

void fuzz_create_request(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_create_request msg;

	if (smb2_create_request_decode(&pdu, &msg)) {
		walk_contexts(msg.contexts);
		(void)smb2_create_request_encode(out_buf, sizeof(out_buf), &msg);
	}
	drop_pdu(&pdu);
}

void fuzz_create_response(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_create_response msg;

	if (smb2_create_response_decode(&pdu, &msg)) {
		walk_contexts(msg.contexts);
		(void)smb2_create_response_encode(out_buf, sizeof(out_buf), &msg);
	}
	drop_pdu(&pdu);
}

void fuzz_read_response(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_read_response msg;

	if (smb2_read_response_decode(&pdu, &msg) && msg.data_length)
		touch((struct wire_slice){pdu.base + msg.data_offset, msg.data_length});
	drop_pdu(&pdu);
}

void fuzz_write_request(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_write_request msg;
	struct wire_slice payload;

	if (smb2_write_request_decode(&pdu, &msg, &payload))
		touch(payload);
	drop_pdu(&pdu);
}

void fuzz_lock_request(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_lock_element element;
	struct smb2_lock_request msg;

	if (smb2_lock_request_decode(&pdu, &msg)) {
		for (uint16_t i = 0; i < msg.count; i++)
			must(smb2_lock_element_at(&pdu, i, &element));
	}
	drop_pdu(&pdu);
}

void fuzz_output_response(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct wire_slice output;

	if (smb2_output_response_decode(&pdu, &output))
		touch(output);
	(void)smb2_empty_decode(&pdu);
	(void)smb2_set_info_response_decode(&pdu);
	drop_pdu(&pdu);
}

void fuzz_break_notification(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_break msg;

	if (smb2_break_notification_decode(&pdu, &msg))
		must(smb2_break_notification_encode(out_buf, sizeof(out_buf), &msg) > 0);
	drop_pdu(&pdu);
}

void fuzz_break_ack(const uint8_t *data, size_t size)
{
	struct smb2_pdu pdu = make_pdu(data, size);
	struct smb2_break msg;

	if (smb2_break_ack_decode(&pdu, &msg))
		must(smb2_break_ack_encode(out_buf, sizeof(out_buf), &msg) > 0);
	drop_pdu(&pdu);
}

void fuzz_ioctl_data(const uint8_t *data, size_t size)
{
	struct wire_slice all = {data, size};
	struct smb2_validate_negotiate_response validated;
	struct smb2_validate_negotiate_request validate;
	struct smb2_copychunk_response copied;
	struct smb2_network_interface nic;
	uint8_t key[SMB2_RESUME_KEY_SIZE];
	struct smb2_copychunk chunk;
	uint64_t from, beyond;
	struct smb2_range range;
	size_t offset = 0;
	uint32_t count;

	(void)smb2_validate_negotiate_request_decode(all, &validate);
	(void)smb2_validate_negotiate_response_decode(all, &validated);
	(void)smb2_copychunk_response_decode(all, &copied);
	(void)smb2_resume_key_decode(all, key);
	if (smb2_copychunk_decode(all, key, &count)) {
		for (uint32_t i = 0; i < count; i++)
			must(smb2_copychunk_at(all, i, &chunk));
	}
	while (smb2_network_interface_next(all, &offset, &nic) > 0)
		must(nic.address_len <= sizeof(nic.address));
	offset = 0;
	while (smb2_range_next(all, &offset, &range) > 0)
		must(range.offset + range.length <= INT64_MAX);
	if (smb2_zero_data_decode(all, &from, &beyond))
		must(from <= beyond);
}

/* Anything opened, or found to be signed, without the key would be a forgery. */
void fuzz_sealed(const uint8_t *data, size_t size)
{
	static struct smb2_sealer *sealers[4];
	static struct smb2_signer *signers[3];
	uint8_t *copy = malloc(size ? size : 1);
	struct iovec whole = {copy, size};

	must(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	for (uint16_t i = 0; i < 3; i++) {
		uint8_t key[SMB2_MAX_CIPHER_KEY];

		if (!signers[i] && smb2_random(key, sizeof(key)))
			signers[i] = smb2_signer_create(i, key);
		must(signers[i] && !smb2_verify(signers[i], &whole, 1));
	}
	for (uint16_t i = 0; i < 4; i++) {
		uint8_t key[SMB2_MAX_CIPHER_KEY];
		struct iovec body = {copy + SMB2_TRANSFORM_HDR_SIZE, size - SMB2_TRANSFORM_HDR_SIZE};

		if (!sealers[i] && smb2_random(key, sizeof(key)))
			sealers[i] = smb2_sealer_create((uint16_t)(i + 1), key, i < 2 ? 16 : 32, false);
		must(sealers[i] != NULL);
		if (size > SMB2_TRANSFORM_HDR_SIZE)
			must(!smb2_open(sealers[i], copy, &body, 1));
	}
	free(copy);
}
