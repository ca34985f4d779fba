/*
 * smb2_msg.h - the body of each SMB2 message.  Included by smb2_wire.h, which states the conventions.
 *
 * Fields that MS-SMB2 reserves are written as zero, skipped on reading, and not in the structs.
 */
#ifndef SMB_WIRE_SMB2_MSG_H
#define SMB_WIRE_SMB2_MSG_H

#include "smb2_wire.h"

struct smb2_file_id {
	uint64_t persistent;
	uint64_t volatile_id;
};

/* In a related compound: the handle made by the CREATE before (3.2.4.1.4). */
#define SMB2_FILE_ID_RELATED ((struct smb2_file_id){UINT64_MAX, UINT64_MAX})

/* ---- error.c: error response (2.2.2) ---------------------------------------------------------------- */

struct smb2_error_response {
	uint8_t context_count; /* 3.1.1: data is that many error contexts */
	struct wire_slice data;
};

bool smb2_error_response_decode(const struct smb2_pdu *pdu, struct smb2_error_response *out);
size_t smb2_error_response_encode(uint8_t *buf, size_t cap, const struct smb2_error_response *rsp);

struct smb2_error_context {
	uint32_t id; /* SMB2_ERROR_ID_... */
	struct wire_slice data;
};

/*
 * Walks the error contexts; start with *offset = 0.  1: *ctx set; 0: no more; -1: malformed.  Yields the plain
 * error data once, with id SMB2_ERROR_ID_DEFAULT, when the response has no contexts.
 */
int smb2_error_context_next(const struct smb2_error_response *rsp, size_t *offset,
			    struct smb2_error_context *ctx);
/* Appends one error context to buf (8-byte aligned start at *pos). */
bool smb2_error_context_append(uint8_t *buf, size_t cap, size_t *pos, const struct smb2_error_context *ctx);

struct smb2_symlink_error {
	uint16_t unparsed_bytes;      /* tail of the path in the CREATE, after the link */
	uint32_t flags;               /* SMB2_SYMLINK_FLAG_RELATIVE */
	struct wire_slice substitute; /* UTF-16LE */
	struct wire_slice print;      /* UTF-16LE */
};

/* data: one error context's data of a STATUS_STOPPED_ON_SYMLINK response. */
bool smb2_symlink_error_decode(struct wire_slice data, struct smb2_symlink_error *out);
/* Writes the bare error data (no header); 0 when it does not fit. */
size_t smb2_symlink_error_encode(uint8_t *buf, size_t cap, const struct smb2_symlink_error *err);

/* ---- negotiate.c (2.2.3, 2.2.4) --------------------------------------------------------------------- */

enum { SMB2_MAX_DIALECTS = 8, SMB2_MAX_CIPHERS = 8, SMB2_MAX_SIGNING = 8, SMB2_MAX_HASHES = 4 };

/* What the negotiate contexts of either direction say; counts of 0 mean the context is absent. */
struct smb2_negotiate_contexts {
	uint16_t hash_count;
	uint16_t hashes[SMB2_MAX_HASHES]; /* SMB2_HASH_SHA512 */
	struct wire_slice salt;
	uint16_t cipher_count;
	uint16_t ciphers[SMB2_MAX_CIPHERS]; /* most wanted first */
	uint16_t signing_count;
	uint16_t signing[SMB2_MAX_SIGNING]; /* SMB2_SIGN_..., most wanted first */
	uint16_t compression_count;         /* decoded so that an unwanted answer is seen; never encoded */
	bool has_transport;
	uint32_t transport_flags;
	struct wire_slice netname; /* request only; UTF-16LE server name */
};

struct smb2_negotiate_request {
	uint16_t security_mode;
	uint32_t capabilities;
	uint8_t client_guid[SMB2_GUID_SIZE];
	uint16_t dialect_count;
	uint16_t dialects[SMB2_MAX_DIALECTS];
	struct smb2_negotiate_contexts ctx; /* used when 0x0311 is among the dialects */
};

size_t smb2_negotiate_request_encode(uint8_t *buf, size_t cap, const struct smb2_negotiate_request *req);
bool smb2_negotiate_request_decode(const struct smb2_pdu *pdu, struct smb2_negotiate_request *out);

struct smb2_negotiate_response {
	uint16_t security_mode;
	uint16_t dialect;
	uint8_t server_guid[SMB2_GUID_SIZE];
	uint32_t capabilities;
	uint32_t max_transact;
	uint32_t max_read;
	uint32_t max_write;
	uint64_t system_time;
	uint64_t server_start_time;
	struct wire_slice token;            /* SPNEGO NegTokenInit2, may be empty */
	struct smb2_negotiate_contexts ctx; /* dialect 3.1.1 only */
};

/*
 * Refuses a 3.1.1 answer with other than exactly one preauth hash, or more than one cipher or signing
 * algorithm, a duplicate context, or an unknown hash (3.2.5.2).  Whether the choice was offered is the
 * caller's to check.
 */
bool smb2_negotiate_response_decode(const struct smb2_pdu *pdu, struct smb2_negotiate_response *out);
size_t smb2_negotiate_response_encode(uint8_t *buf, size_t cap, const struct smb2_negotiate_response *rsp);

/* ---- session.c: session setup (2.2.5, 2.2.6) -------------------------------------------------------- */

struct smb2_session_setup_request {
	uint8_t flags; /* SMB2_SESSION_FLAG_BINDING */
	uint8_t security_mode;
	uint32_t capabilities; /* SMB2_GLOBAL_CAP_DFS or 0 */
	uint64_t previous_session_id;
	struct wire_slice token;
};

size_t smb2_session_setup_request_encode(uint8_t *buf, size_t cap,
					 const struct smb2_session_setup_request *req);
bool smb2_session_setup_request_decode(const struct smb2_pdu *pdu, struct smb2_session_setup_request *out);

struct smb2_session_setup_response {
	uint16_t session_flags;
	struct wire_slice token;
};

/* For STATUS_SUCCESS and STATUS_MORE_PROCESSING_REQUIRED. */
bool smb2_session_setup_response_decode(const struct smb2_pdu *pdu, struct smb2_session_setup_response *out);
size_t smb2_session_setup_response_encode(uint8_t *buf, size_t cap,
					  const struct smb2_session_setup_response *rsp);

/* ---- session.c: bodies of four bytes: logoff, tree disconnect, echo, cancel, flush and lock answers --- */

/* For every request and response whose body is StructureSize 4 and a reserved word. */
size_t smb2_empty_encode(uint8_t *buf, size_t cap);
bool smb2_empty_decode(const struct smb2_pdu *pdu);

/* ---- session.c: tree connect (2.2.9, 2.2.10) -------------------------------------------------------- */

struct smb2_tree_connect_request {
	uint16_t flags;
	struct wire_slice path; /* \\server\share, UTF-16LE */
};

size_t smb2_tree_connect_request_encode(uint8_t *buf, size_t cap,
					const struct smb2_tree_connect_request *req);
/* Without the extension of 2.2.9.1, which is refused. */
bool smb2_tree_connect_request_decode(const struct smb2_pdu *pdu, struct smb2_tree_connect_request *out);

struct smb2_tree_connect_response {
	uint8_t share_type; /* SMB2_SHARE_TYPE_... */
	uint32_t share_flags;
	uint32_t capabilities;
	uint32_t maximal_access;
};

bool smb2_tree_connect_response_decode(const struct smb2_pdu *pdu, struct smb2_tree_connect_response *out);
size_t smb2_tree_connect_response_encode(uint8_t *buf, size_t cap,
					 const struct smb2_tree_connect_response *rsp);

/* ---- create.c (2.2.13, 2.2.14) ---------------------------------------------------------------------- */

struct smb2_create_request {
	uint8_t oplock_level;
	uint32_t impersonation;
	uint32_t desired_access;
	uint32_t file_attributes;
	uint32_t share_access;
	uint32_t disposition;
	uint32_t options;
	struct wire_slice name;     /* relative to the share, no leading backslash; at most 65535 bytes */
	struct wire_slice contexts; /* list built with smb2_create_context_append(), or empty */
};

size_t smb2_create_request_encode(uint8_t *buf, size_t cap, const struct smb2_create_request *req);
bool smb2_create_request_decode(const struct smb2_pdu *pdu, struct smb2_create_request *out);

struct smb2_create_response {
	uint8_t oplock_level;
	uint8_t flags; /* SMB2_CREATE_FLAG_REPARSEPOINT */
	uint32_t create_action;
	uint64_t creation_time;
	uint64_t last_access_time;
	uint64_t last_write_time;
	uint64_t change_time;
	uint64_t allocation_size;
	uint64_t end_of_file;
	uint32_t file_attributes;
	struct smb2_file_id file_id;
	struct wire_slice contexts; /* for smb2_create_context_next() */
};

bool smb2_create_response_decode(const struct smb2_pdu *pdu, struct smb2_create_response *out);
size_t smb2_create_response_encode(uint8_t *buf, size_t cap, const struct smb2_create_response *rsp);

/* ---- create_ctx.c: create contexts ------------------------------------------------------------------ */

struct smb2_create_context {
	struct wire_slice name; /* 4 bytes, or 16 for those named by a GUID */
	uint32_t tag;           /* SMB2_CREATE_... when the name is 4 bytes, else 0 */
	struct wire_slice data;
};

/* Walks a list; start with *offset = 0.  1: *ctx set; 0: no more; -1: malformed. */
int smb2_create_context_next(struct wire_slice list, size_t *offset, struct smb2_create_context *ctx);
/* First context with that tag; false when absent or the list is malformed before it. */
bool smb2_create_context_find(struct wire_slice list, uint32_t tag, struct wire_slice *data);

/*
 * Builds a list in buf: *pos is its length so far (start with 0, *last = 0).  False, with nothing changed,
 * when it does not fit.
 */
struct smb2_create_context_list {
	uint8_t *buf;
	size_t cap;
	size_t len;
	size_t last; /* where the last context begins */
};

bool smb2_create_context_append(struct smb2_create_context_list *list, uint32_t tag, const void *data,
				size_t bytes);
bool smb2_create_context_append_named(struct smb2_create_context_list *list, const void *name,
				      size_t name_bytes, const void *data, size_t bytes);

static inline struct wire_slice smb2_create_context_list_slice(const struct smb2_create_context_list *list)
{
	return wire_slice_at(list->buf, 0, list->len);
}

/* RqLs, version 1 (32 bytes) and 2 (52 bytes); same shape in both directions. */
struct smb2_lease {
	uint8_t version; /* 1 or 2 */
	uint8_t key[SMB2_LEASE_KEY_SIZE];
	uint32_t state;                          /* SMB2_LEASE_... */
	uint32_t flags;                          /* SMB2_LEASE_FLAG_... */
	uint8_t parent_key[SMB2_LEASE_KEY_SIZE]; /* version 2 */
	uint16_t epoch;                          /* version 2 */
};

bool smb2_lease_append(struct smb2_create_context_list *list, const struct smb2_lease *lease);
bool smb2_lease_decode(struct wire_slice data, struct smb2_lease *out);

/* DH2Q request, DH2C request, and the answer to DH2Q. */
struct smb2_durable_v2_request {
	uint32_t timeout_ms;
	uint32_t flags; /* SMB2_DHANDLE_FLAG_PERSISTENT */
	uint8_t create_guid[SMB2_GUID_SIZE];
};

struct smb2_durable_v2_reconnect {
	struct smb2_file_id file_id;
	uint8_t create_guid[SMB2_GUID_SIZE];
	uint32_t flags;
};

struct smb2_durable_v2_response {
	uint32_t timeout_ms;
	uint32_t flags;
};

bool smb2_durable_v2_request_append(struct smb2_create_context_list *list,
				    const struct smb2_durable_v2_request *d);
bool smb2_durable_v2_request_decode(struct wire_slice data, struct smb2_durable_v2_request *out);
bool smb2_durable_v2_reconnect_append(struct smb2_create_context_list *list,
				      const struct smb2_durable_v2_reconnect *d);
bool smb2_durable_v2_reconnect_decode(struct wire_slice data, struct smb2_durable_v2_reconnect *out);
bool smb2_durable_v2_response_append(struct smb2_create_context_list *list,
				     const struct smb2_durable_v2_response *d);
bool smb2_durable_v2_response_decode(struct wire_slice data, struct smb2_durable_v2_response *out);

/* DHnQ (16 reserved bytes asked, 8 answered) and DHnC (file id). */
bool smb2_durable_request_append(struct smb2_create_context_list *list);
bool smb2_durable_reconnect_append(struct smb2_create_context_list *list, struct smb2_file_id id);
bool smb2_durable_reconnect_decode(struct wire_slice data, struct smb2_file_id *out);
bool smb2_durable_response_append(struct smb2_create_context_list *list);

/* MxAc: asked with no data; answered with a status and a mask. */
struct smb2_maximal_access {
	uint32_t query_status;
	uint32_t access; /* valid when query_status is success */
};

bool smb2_maximal_access_request_append(struct smb2_create_context_list *list);
bool smb2_maximal_access_append(struct smb2_create_context_list *list, const struct smb2_maximal_access *m);
bool smb2_maximal_access_decode(struct wire_slice data, struct smb2_maximal_access *out);

/* QFid: asked with no data; answered with 32 bytes. */
struct smb2_disk_id {
	uint64_t file_id;
	uint64_t volume_id;
};

bool smb2_disk_id_request_append(struct smb2_create_context_list *list);
bool smb2_disk_id_append(struct smb2_create_context_list *list, const struct smb2_disk_id *id);
bool smb2_disk_id_decode(struct wire_slice data, struct smb2_disk_id *out);

/* AlSi and TWrp: one 64-bit number, requests only. */
bool smb2_allocation_size_append(struct smb2_create_context_list *list, uint64_t bytes);
bool smb2_timewarp_append(struct smb2_create_context_list *list, uint64_t time_100ns);
bool smb2_u64_context_decode(struct wire_slice data, uint64_t *out);

/* ---- create.c: close (2.2.15, 2.2.16) --------------------------------------------------------------- */

struct smb2_close_request {
	uint16_t flags; /* SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB */
	struct smb2_file_id file_id;
};

struct smb2_close_response {
	uint16_t flags; /* without POSTQUERY_ATTRIB the rest means nothing */
	uint64_t creation_time;
	uint64_t last_access_time;
	uint64_t last_write_time;
	uint64_t change_time;
	uint64_t allocation_size;
	uint64_t end_of_file;
	uint32_t file_attributes;
};

size_t smb2_close_request_encode(uint8_t *buf, size_t cap, const struct smb2_close_request *req);
bool smb2_close_request_decode(const struct smb2_pdu *pdu, struct smb2_close_request *out);
bool smb2_close_response_decode(const struct smb2_pdu *pdu, struct smb2_close_response *out);
size_t smb2_close_response_encode(uint8_t *buf, size_t cap, const struct smb2_close_response *rsp);

/* ---- read_write.c (2.2.19 - 2.2.22) ----------------------------------------------------------------- */

/* Where data begins in the PDUs we build, and the least a READ answer needs before its data. */
enum {
	SMB2_WRITE_DATA_OFFSET = SMB2_HDR_SIZE + 48,
	SMB2_READ_RESPONSE_HEAD = SMB2_HDR_SIZE + 16,
};

struct smb2_read_request {
	uint8_t flags; /* SMB2_READFLAG_... */
	uint32_t length;
	uint64_t offset;
	struct smb2_file_id file_id;
	uint32_t minimum_count;
	uint32_t remaining_bytes; /* 0 without RDMA */
};

size_t smb2_read_request_encode(uint8_t *buf, size_t cap, const struct smb2_read_request *req);
bool smb2_read_request_decode(const struct smb2_pdu *pdu, struct smb2_read_request *out);

struct smb2_read_response {
	uint32_t data_offset; /* from the PDU's header */
	uint32_t data_length;
	uint32_t data_remaining;
	uint32_t flags;
};

/* The data is pdu->base + data_offset, data_length bytes, inside the PDU. */
bool smb2_read_response_decode(const struct smb2_pdu *pdu, struct smb2_read_response *out);
/*
 * The same from the first SMB2_READ_RESPONSE_HEAD bytes (or more) of a PDU whose full length is already known
 * from the transport: lets the transport place the data before it has arrived.
 */
bool smb2_read_response_decode_head(const uint8_t *head, size_t head_len, size_t pdu_len,
				    struct smb2_read_response *out);
/* Writes the 80 bytes before the data and returns 80; the data follows from the caller. */
size_t smb2_read_response_encode_head(uint8_t *buf, size_t cap, uint32_t data_length);

struct smb2_write_request {
	uint32_t length; /* bytes of data, which follow from the caller */
	uint64_t offset;
	struct smb2_file_id file_id;
	uint32_t remaining_bytes;
	uint32_t flags; /* SMB2_WRITEFLAG_... */
};

/*
 * Writes the SMB2_WRITE_DATA_OFFSET bytes before the data and returns that number: the PDU is these bytes
 * followed by req->length bytes of data, which the caller sends from its own memory.
 */
size_t smb2_write_request_encode(uint8_t *buf, size_t cap, const struct smb2_write_request *req);
bool smb2_write_request_decode(const struct smb2_pdu *pdu, struct smb2_write_request *out,
			       struct wire_slice *data);

struct smb2_write_response {
	uint32_t count;
	uint32_t remaining;
};

bool smb2_write_response_decode(const struct smb2_pdu *pdu, struct smb2_write_response *out);
size_t smb2_write_response_encode(uint8_t *buf, size_t cap, const struct smb2_write_response *rsp);

/* ---- read_write.c: flush and lock (2.2.17, 2.2.26); the answers are smb2_empty_decode() -------------- */

size_t smb2_flush_request_encode(uint8_t *buf, size_t cap, struct smb2_file_id id);
bool smb2_flush_request_decode(const struct smb2_pdu *pdu, struct smb2_file_id *out);

struct smb2_lock_element {
	uint64_t offset;
	uint64_t length;
	uint32_t flags; /* SMB2_LOCKFLAG_... */
};

struct smb2_lock_request {
	uint32_t
		sequence; /* number in the low 4 bits, index in the other 28; 0 unless durable or resilient */
	struct smb2_file_id file_id;
	uint16_t count; /* at least 1 */
};

size_t smb2_lock_request_encode(uint8_t *buf, size_t cap, const struct smb2_lock_request *req,
				const struct smb2_lock_element *locks);
bool smb2_lock_request_decode(const struct smb2_pdu *pdu, struct smb2_lock_request *out);
/* Element i < count of a decoded request. */
bool smb2_lock_element_at(const struct smb2_pdu *pdu, uint16_t i, struct smb2_lock_element *out);

/* ---- ioctl.c (2.2.31, 2.2.32) ----------------------------------------------------------------------- */

struct smb2_ioctl_request {
	uint32_t ctl_code;
	struct smb2_file_id file_id;
	struct wire_slice input;
	uint32_t max_input_response;
	uint32_t max_output_response;
	uint32_t flags; /* SMB2_0_IOCTL_IS_FSCTL */
};

struct smb2_ioctl_response {
	uint32_t ctl_code;
	struct smb2_file_id file_id;
	struct wire_slice input;
	struct wire_slice output;
};

size_t smb2_ioctl_request_encode(uint8_t *buf, size_t cap, const struct smb2_ioctl_request *req);
bool smb2_ioctl_request_decode(const struct smb2_pdu *pdu, struct smb2_ioctl_request *out);
bool smb2_ioctl_response_decode(const struct smb2_pdu *pdu, struct smb2_ioctl_response *out);
size_t smb2_ioctl_response_encode(uint8_t *buf, size_t cap, const struct smb2_ioctl_response *rsp);

/* ---- ioctl.c: payloads of ioctls; bare data, no header ---------------------------------------------- */

struct smb2_validate_negotiate_request {
	uint32_t capabilities;
	uint8_t guid[SMB2_GUID_SIZE];
	uint16_t security_mode;
	uint16_t dialect_count;
	uint16_t dialects[SMB2_MAX_DIALECTS];
};

struct smb2_validate_negotiate_response {
	uint32_t capabilities;
	uint8_t guid[SMB2_GUID_SIZE];
	uint16_t security_mode;
	uint16_t dialect;
};

size_t smb2_validate_negotiate_request_encode(uint8_t *buf, size_t cap,
					      const struct smb2_validate_negotiate_request *v);
bool smb2_validate_negotiate_request_decode(struct wire_slice data,
					    struct smb2_validate_negotiate_request *out);
size_t smb2_validate_negotiate_response_encode(uint8_t *buf, size_t cap,
					       const struct smb2_validate_negotiate_response *v);
bool smb2_validate_negotiate_response_decode(struct wire_slice data,
					     struct smb2_validate_negotiate_response *out);

enum { SMB2_RESUME_KEY_SIZE = 24 };

struct smb2_copychunk {
	uint64_t source_offset;
	uint64_t target_offset;
	uint32_t length;
};

struct smb2_copychunk_response {
	uint32_t chunks_written; /* with STATUS_INVALID_PARAMETER: the server's limits */
	uint32_t chunk_bytes_written;
	uint32_t total_bytes_written;
};

size_t smb2_copychunk_encode(uint8_t *buf, size_t cap, const uint8_t key[SMB2_RESUME_KEY_SIZE],
			     const struct smb2_copychunk *chunks, uint32_t count);
/* *count is the number of chunks present; chunk i is read with smb2_copychunk_at(). */
bool smb2_copychunk_decode(struct wire_slice data, uint8_t key[SMB2_RESUME_KEY_SIZE], uint32_t *count);
bool smb2_copychunk_at(struct wire_slice data, uint32_t i, struct smb2_copychunk *out);
size_t smb2_copychunk_response_encode(uint8_t *buf, size_t cap, const struct smb2_copychunk_response *r);
bool smb2_copychunk_response_decode(struct wire_slice data, struct smb2_copychunk_response *out);
/* SRV_REQUEST_RESUME_KEY answer. */
size_t smb2_resume_key_encode(uint8_t *buf, size_t cap, const uint8_t key[SMB2_RESUME_KEY_SIZE]);
bool smb2_resume_key_decode(struct wire_slice data, uint8_t key[SMB2_RESUME_KEY_SIZE]);

/* FILE_ALLOCATED_RANGE_BUFFER (MS-FSCC 2.3.51): asked with one, answered with a list of them. */
struct smb2_range {
	uint64_t offset;
	uint64_t length; /* bytes */
};

size_t smb2_range_encode(uint8_t *buf, size_t cap, const struct smb2_range *range);
/* Walks the answer; start with *offset = 0.  1, 0 or -1 as all iterators. */
int smb2_range_next(struct wire_slice data, size_t *offset, struct smb2_range *out);
/* FILE_ZERO_DATA_INFORMATION (MS-FSCC 2.3.85): [offset, beyond) becomes zero; 0 when beyond is below offset. */
size_t smb2_zero_data_encode(uint8_t *buf, size_t cap, uint64_t offset, uint64_t beyond);
bool smb2_zero_data_decode(struct wire_slice data, uint64_t *offset, uint64_t *beyond);
/* FILE_SET_SPARSE_BUFFER (MS-FSCC 2.3.83). */
size_t smb2_set_sparse_encode(uint8_t *buf, size_t cap, bool sparse);

struct smb2_network_interface {
	uint32_t index;
	uint32_t capability; /* SMB2_NETIF_... */
	uint64_t link_speed; /* bits per second */
	uint8_t address_len; /* 4: IPv4, 16: IPv6, 0: another family */
	uint8_t address[16]; /* network order */
	uint16_t port;       /* host order */
	uint32_t scope_id;
};

int smb2_network_interface_next(struct wire_slice data, size_t *offset, struct smb2_network_interface *out);
/* Appends one entry at *pos; links it from the entry at *last (start both with 0). */
bool smb2_network_interface_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last,
				   const struct smb2_network_interface *nic);

/* ---- query.c: directory, notify, query info, set info (2.2.33 - 2.2.40) ------------------------------ */

struct smb2_query_directory_request {
	uint8_t info_class; /* FSCC file information class */
	uint8_t flags;      /* SMB2_RESTART_SCANS ... */
	uint32_t file_index;
	struct smb2_file_id file_id;
	struct wire_slice pattern; /* UTF-16LE, "*" for all */
	uint32_t output_length;    /* most bytes to be returned */
};

struct smb2_notify_request {
	uint16_t flags; /* SMB2_WATCH_TREE */
	uint32_t output_length;
	struct smb2_file_id file_id;
	uint32_t completion_filter; /* FILE_NOTIFY_CHANGE_... */
};

struct smb2_query_info_request {
	uint8_t info_type; /* SMB2_0_INFO_... */
	uint8_t info_class;
	uint32_t output_length;
	struct wire_slice input;
	uint32_t additional; /* security: which parts */
	uint32_t flags;
	struct smb2_file_id file_id;
};

struct smb2_set_info_request {
	uint8_t info_type;
	uint8_t info_class;
	uint32_t additional;
	struct smb2_file_id file_id;
	struct wire_slice data;
};

size_t smb2_query_directory_request_encode(uint8_t *buf, size_t cap,
					   const struct smb2_query_directory_request *req);
bool smb2_query_directory_request_decode(const struct smb2_pdu *pdu,
					 struct smb2_query_directory_request *out);
size_t smb2_notify_request_encode(uint8_t *buf, size_t cap, const struct smb2_notify_request *req);
bool smb2_notify_request_decode(const struct smb2_pdu *pdu, struct smb2_notify_request *out);
size_t smb2_query_info_request_encode(uint8_t *buf, size_t cap, const struct smb2_query_info_request *req);
bool smb2_query_info_request_decode(const struct smb2_pdu *pdu, struct smb2_query_info_request *out);
size_t smb2_set_info_request_encode(uint8_t *buf, size_t cap, const struct smb2_set_info_request *req);
bool smb2_set_info_request_decode(const struct smb2_pdu *pdu, struct smb2_set_info_request *out);

/*
 * QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO answer with one output buffer in the same shape.  Also for
 * STATUS_BUFFER_OVERFLOW, where it holds what fitted.
 */
bool smb2_output_response_decode(const struct smb2_pdu *pdu, struct wire_slice *output);
size_t smb2_output_response_encode(uint8_t *buf, size_t cap, struct wire_slice output);
size_t smb2_set_info_response_encode(uint8_t *buf, size_t cap);
bool smb2_set_info_response_decode(const struct smb2_pdu *pdu);

/* ---- query.c: breaks (2.2.23 - 2.2.25) -------------------------------------------------------------- */

/* StructureSize tells the two kinds apart, in notifications, acknowledgements and responses alike. */
struct smb2_break {
	bool is_lease;
	/* oplock */
	uint8_t oplock_level; /* the new level */
	struct smb2_file_id file_id;
	/* lease */
	uint16_t new_epoch; /* notification of a version 2 lease */
	uint32_t flags;     /* notification: SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED */
	uint8_t lease_key[SMB2_LEASE_KEY_SIZE];
	uint32_t current_state; /* notification */
	uint32_t new_state;     /* notification: to break to; acknowledgement and response: the state held */
};

bool smb2_break_notification_decode(const struct smb2_pdu *pdu, struct smb2_break *out);
size_t smb2_break_notification_encode(uint8_t *buf, size_t cap, const struct smb2_break *brk);
/* Acknowledgement and response have one shape. */
size_t smb2_break_ack_encode(uint8_t *buf, size_t cap, const struct smb2_break *brk);
bool smb2_break_ack_decode(const struct smb2_pdu *pdu, struct smb2_break *out);

#endif
