/*
 * hdr.c - SMB2 headers, compound chains, transform headers (MS-SMB2 2.2.1, 2.2.41, 3.2.4.1.4).
 *
 * Stateless; borrows every buffer for the length of the call.
 */
#include "mrx/smb/wire/smb2_wire.h"

const char *smb2_command_name(uint16_t command)
{
	static const char *const names[] = {
		[SMB2_NEGOTIATE] = "NEGOTIATE",
		[SMB2_SESSION_SETUP] = "SESSION_SETUP",
		[SMB2_LOGOFF] = "LOGOFF",
		[SMB2_TREE_CONNECT] = "TREE_CONNECT",
		[SMB2_TREE_DISCONNECT] = "TREE_DISCONNECT",
		[SMB2_CREATE] = "CREATE",
		[SMB2_CLOSE] = "CLOSE",
		[SMB2_FLUSH] = "FLUSH",
		[SMB2_READ] = "READ",
		[SMB2_WRITE] = "WRITE",
		[SMB2_LOCK] = "LOCK",
		[SMB2_IOCTL] = "IOCTL",
		[SMB2_CANCEL] = "CANCEL",
		[SMB2_ECHO] = "ECHO",
		[SMB2_QUERY_DIRECTORY] = "QUERY_DIRECTORY",
		[SMB2_CHANGE_NOTIFY] = "CHANGE_NOTIFY",
		[SMB2_QUERY_INFO] = "QUERY_INFO",
		[SMB2_SET_INFO] = "SET_INFO",
		[SMB2_OPLOCK_BREAK] = "OPLOCK_BREAK",
	};

	return command < sizeof(names) / sizeof(names[0]) ? names[command] : "UNKNOWN";
}

enum smb2_message_kind smb2_message_kind(const uint8_t *buf, size_t len)
{
	if (len < 4)
		return SMB2_MESSAGE_UNKNOWN;
	switch (wire_le32(buf)) {
	case SMB2_PROTOCOL_ID:
		return SMB2_MESSAGE_PLAIN;
	case SMB2_TRANSFORM_PROTOCOL_ID:
		return SMB2_MESSAGE_SEALED;
	case SMB2_COMPRESSION_PROTOCOL_ID:
		return SMB2_MESSAGE_COMPRESSED;
	case SMB1_PROTOCOL_ID:
		return SMB2_MESSAGE_SMB1;
	default:
		return SMB2_MESSAGE_UNKNOWN;
	}
}

bool smb2_hdr_encode(uint8_t *buf, size_t cap, const struct smb2_hdr *hdr)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (cap < SMB2_HDR_SIZE)
		return false;
	wire_put_u32(&w, SMB2_PROTOCOL_ID);
	wire_put_u16(&w, SMB2_HDR_SIZE);
	wire_put_u16(&w, hdr->credit_charge);
	wire_put_u32(&w, hdr->status);
	wire_put_u16(&w, hdr->command);
	wire_put_u16(&w, hdr->credits);
	wire_put_u32(&w, hdr->flags);
	wire_put_u32(&w, hdr->next_command);
	wire_put_u64(&w, hdr->message_id);
	if (hdr->flags & SMB2_FLAGS_ASYNC_COMMAND) {
		wire_put_u64(&w, hdr->async_id);
	} else {
		wire_put_u32(&w, hdr->reserved);
		wire_put_u32(&w, hdr->tree_id);
	}
	wire_put_u64(&w, hdr->session_id);
	wire_put_bytes(&w, hdr->signature, sizeof(hdr->signature));
	return w.ok;
}

bool smb2_hdr_decode(const uint8_t *buf, size_t len, struct smb2_hdr *hdr)
{
	struct wire_reader r = wire_reader_init(buf, len);
	uint32_t protocol;
	uint16_t size;

	memset(hdr, 0, sizeof(*hdr));
	protocol = wire_get_u32(&r);
	size = wire_get_u16(&r);
	hdr->credit_charge = wire_get_u16(&r);
	hdr->status = wire_get_u32(&r);
	hdr->command = wire_get_u16(&r);
	hdr->credits = wire_get_u16(&r);
	hdr->flags = wire_get_u32(&r);
	hdr->next_command = wire_get_u32(&r);
	hdr->message_id = wire_get_u64(&r);
	if (hdr->flags & SMB2_FLAGS_ASYNC_COMMAND) {
		hdr->async_id = wire_get_u64(&r);
	} else {
		hdr->reserved = wire_get_u32(&r);
		hdr->tree_id = wire_get_u32(&r);
	}
	hdr->session_id = wire_get_u64(&r);
	wire_get_bytes(&r, hdr->signature, sizeof(hdr->signature));
	return r.ok && protocol == SMB2_PROTOCOL_ID && size == SMB2_HDR_SIZE;
}

int smb2_compound_next(const uint8_t *msg, size_t len, size_t *offset, struct smb2_pdu *pdu)
{
	size_t left;

	if (*offset > len)
		return -1;
	left = len - *offset;
	if (left == 0)
		return *offset ? 0 : -1;
	if (!smb2_hdr_decode(msg + *offset, left, &pdu->hdr))
		return -1;
	pdu->base = msg + *offset;
	pdu->len = left;
	if (pdu->hdr.next_command) {
		/* Strictly inside: a chain that ends where it says another header starts is cut off. */
		if (pdu->hdr.next_command % 8 || pdu->hdr.next_command < SMB2_HDR_SIZE ||
		    pdu->hdr.next_command >= left)
			return -1;
		pdu->len = pdu->hdr.next_command;
	}
	*offset += pdu->len;
	return 1;
}

bool smb2_compound_check(const uint8_t *msg, size_t len, size_t *count)
{
	struct smb2_pdu pdu;
	size_t offset = 0;
	int more;

	*count = 0;
	while ((more = smb2_compound_next(msg, len, &offset, &pdu)) > 0)
		++*count;
	return more == 0;
}

bool smb2_transform_hdr_encode(uint8_t *buf, size_t cap, const struct smb2_transform_hdr *hdr)
{
	struct wire_writer w = wire_writer_init(buf, cap);

	if (cap < SMB2_TRANSFORM_HDR_SIZE)
		return false;
	wire_put_u32(&w, SMB2_TRANSFORM_PROTOCOL_ID);
	wire_put_bytes(&w, hdr->signature, sizeof(hdr->signature));
	wire_put_bytes(&w, hdr->nonce, sizeof(hdr->nonce));
	wire_put_u32(&w, hdr->original_size);
	wire_put_u16(&w, 0);
	wire_put_u16(&w, hdr->flags);
	wire_put_u64(&w, hdr->session_id);
	return w.ok;
}

bool smb2_transform_hdr_decode(const uint8_t *buf, size_t len, struct smb2_transform_hdr *hdr)
{
	struct wire_reader r = wire_reader_init(buf, len);
	uint32_t protocol;

	memset(hdr, 0, sizeof(*hdr));
	protocol = wire_get_u32(&r);
	wire_get_bytes(&r, hdr->signature, sizeof(hdr->signature));
	wire_get_bytes(&r, hdr->nonce, sizeof(hdr->nonce));
	hdr->original_size = wire_get_u32(&r);
	wire_skip(&r, 2);
	hdr->flags = wire_get_u16(&r);
	hdr->session_id = wire_get_u64(&r);
	return r.ok && protocol == SMB2_TRANSFORM_PROTOCOL_ID && hdr->flags == 0x0001 &&
	       hdr->original_size == len - SMB2_TRANSFORM_HDR_SIZE;
}
