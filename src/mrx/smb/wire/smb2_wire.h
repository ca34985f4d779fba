/*
 * smb2_wire.h - SMB2/3 messages: bytes in, structs out, and back.
 *
 * Conventions of the whole codec:
 *
 * - A PDU is one SMB2 header and its body; a compound message is several.  Every offset field of SMB2 counts
 *   from the PDU's header, so decoders take a struct smb2_pdu, and encoders take a buffer that begins where
 *   the header goes: they write the body at byte 64 and leave bytes 0..63 alone (smb2_hdr_encode() fills
 *   them, before or after).
 * - `size_t smb2_x_encode(buf, cap, msg)` returns the length of the PDU with its header, or 0 when it does
 *   not fit into `cap` or a field is out of its wire range.  No trailing padding is added.
 * - `bool smb2_x_decode(pdu, msg)` returns false, with *msg zeroed or partly filled and not to be used, when
 *   the PDU is malformed.  It checks no status and no command: the caller has dispatched on them.
 * - Slices in decoded structs borrow from the PDU's bytes; slices in structs to encode are copied.
 * - Text is UTF-16LE bytes without terminator; lengths are bytes.  Times are 100 ns since 1601.
 *
 * Nothing here allocates, locks, logs or keeps state.
 */
#ifndef SMB_WIRE_SMB2_WIRE_H
#define SMB_WIRE_SMB2_WIRE_H

#include "bytes.h"
#include "smb2_const.h"

/* ---- hdr.c: header, compounds, transform ------------------------------------------------------------ */

struct smb2_hdr {
	uint16_t credit_charge;
	uint32_t status;  /* response: NTSTATUS; request: ChannelSequence in the low 16 bits (3.x), else 0 */
	uint16_t command; /* enum smb2_command */
	uint16_t credits; /* asked for (request) or granted (response) */
	uint32_t flags;
	uint32_t next_command; /* bytes from this header to the next; 0: last */
	uint64_t message_id;
	uint64_t async_id; /* only with SMB2_FLAGS_ASYNC_COMMAND, then tree_id is 0 */
	uint32_t reserved; /* sync only: the historic process id */
	uint32_t tree_id;  /* only without SMB2_FLAGS_ASYNC_COMMAND */
	uint64_t session_id;
	uint8_t signature[SMB2_SIGNATURE_SIZE];
};

struct smb2_pdu {
	struct smb2_hdr hdr;
	const uint8_t *base; /* the header's first byte */
	size_t len;          /* header, body and the padding before the next header */
};

enum smb2_message_kind {
	SMB2_MESSAGE_PLAIN,      /* 0xFE 'SMB' */
	SMB2_MESSAGE_SEALED,     /* 0xFD 'SMB': a transform header */
	SMB2_MESSAGE_COMPRESSED, /* 0xFC 'SMB': never negotiated by us, so a protocol error */
	SMB2_MESSAGE_SMB1,       /* 0xFF 'SMB' */
	SMB2_MESSAGE_UNKNOWN,    /* anything else, or fewer than 4 bytes */
};

/* "CREATE" and so on, a constant; "UNKNOWN" for what is none of enum smb2_command. */
const char *smb2_command_name(uint16_t command);

enum smb2_message_kind smb2_message_kind(const uint8_t *buf, size_t len);

/* Writes 64 bytes; false when cap is below 64. */
bool smb2_hdr_encode(uint8_t *buf, size_t cap, const struct smb2_hdr *hdr);
/* Needs 64 bytes of a plain message; false when ProtocolId or StructureSize is wrong. */
bool smb2_hdr_decode(const uint8_t *buf, size_t len, struct smb2_hdr *hdr);

/* Patches one field of an encoded header. */
static inline void smb2_hdr_set_next(uint8_t *hdr, uint32_t next_command)
{
	wire_set_le32(hdr + 20, next_command);
}

static inline void smb2_hdr_set_message_id(uint8_t *hdr, uint64_t message_id)
{
	wire_set_le64(hdr + 24, message_id);
}

/*
 * Walks the PDUs of one plain message.  Start with *offset = 0.  Returns 1 with *pdu set and *offset moved on,
 * 0 after the last PDU, -1 when the chain is malformed: header cut off, NextCommand not a multiple of 8, below
 * 64, or beyond the message.
 */
int smb2_compound_next(const uint8_t *msg, size_t len, size_t *offset, struct smb2_pdu *pdu);

/* True when the whole chain is well-formed; *count is the number of PDUs. */
bool smb2_compound_check(const uint8_t *msg, size_t len, size_t *count);

struct smb2_transform_hdr {
	uint8_t signature[SMB2_SIGNATURE_SIZE];
	uint8_t nonce[16];      /* 11 (CCM) or 12 (GCM) bytes, rest zero */
	uint32_t original_size; /* bytes of the sealed message */
	uint16_t flags;         /* 0x0001 */
	uint64_t session_id;
};

bool smb2_transform_hdr_encode(uint8_t *buf, size_t cap, const struct smb2_transform_hdr *hdr);
/* len: the whole transport message; false when original_size is not what follows the 52 bytes. */
bool smb2_transform_hdr_decode(const uint8_t *buf, size_t len, struct smb2_transform_hdr *hdr);

#include "smb2_msg.h"

#endif
