/*
 * transport.h - connections to SMB2 servers and the exchanges on them.
 *
 * A connection belongs to the loop of the driver: its window of message ids, its credits, its queue and what is in
 * flight are touched there only, so they need no lock.  "The loop thread" is whoever runs the loop at the moment: its
 * own thread, one that submits, or one that waits for an answer (nt_net.h); never two at once.  Every thread may build
 * an exchange (one request, or a related compound), submit it, and get it back in its completion routine; from
 * submission to completion it is the transport's.
 *
 * Found by: struct smb_server (the current one), every session, every exchange: each holds a reference.
 * Dies when: the last reference is dropped; the stream is closed then, or earlier when the connection fails.
 */
#ifndef MRX_SMB_TRANSPORT_H
#define MRX_SMB_TRANSPORT_H

#include "ntifs.h"
#include "nt_net.h"

#include "mrx/smb/wire/smb2_crypto.h"
#include "mrx/smb/wire/smb2_wire.h"

struct smb_conn;
#define SMB_TAG_PDU 'pBmS' /* the bytes of an exchange's message */

struct smb_exchange;
struct smb_session;

#define SMB_SECOND 10000000ull /* in units of 100 ns */

enum {
	SMB_MAX_PARTS = 5,           /* a create, three changes, a close */
	SMB_CREDIT_BYTES = 65536,    /* payload that one credit pays for */
	SMB_CREDIT_GOAL = 512,       /* credits we like to have in stock */
	SMB_TABLE_SIZE = 64,         /* buckets of message ids; a power of two */
	SMB_REPLY_SLACK = 72 * 1024, /* of a reply beyond the payload that was asked for */
};

/* ---- what was received ------------------------------------------------------------------------------ */

/* One received message; shared by the parts of a compound reply. */
struct smb_reply {
	volatile LONG refs;
	size_t len; /* bytes used of bytes[] */
	uint8_t bytes[];
};

void smb_reply_put(struct smb_reply *reply); /* NULL allowed; any thread */

/* ---- one request ------------------------------------------------------------------------------------ */

struct smb_part {
	/* set by whoever builds the exchange */
	struct smb_exchange *x;
	uint16_t command;
	uint16_t charge; /* credits */
	uint8_t *bytes;  /* the PDU from its header on, without data that follows */
	size_t cap;
	size_t len;       /* what the encoder returned; 0 does not fit and fails the submission */
	const void *data; /* follows bytes on the wire; borrowed until completion */
	size_t data_len;
	void *read_to; /* READ: where the answer's data goes; borrowed until completion */
	size_t read_room;
	size_t payload; /* most bytes of payload in either direction */

	/* loop thread */
	LIST_ENTRY link; /* in the connection's table while waiting */
	bool waiting;
	bool interim; /* STATUS_PENDING has come */
	uint64_t message_id;
	uint64_t async_id;

	/* the answer; valid when x->status is STATUS_SUCCESS */
	NTSTATUS status;
	struct smb2_pdu pdu; /* borrows from reply */
	struct smb_reply *reply;
	size_t placed; /* READ: bytes that were put at read_to */
};

enum smb_exchange_state { SMB_EXCHANGE_NEW, SMB_EXCHANGE_QUEUED, SMB_EXCHANGE_SENT, SMB_EXCHANGE_OVER };

/*
 * One message of ours and its answers.
 *
 *   New --submit--> Queued --credits--> Sent --all answered, connection lost--> Over
 *                     +--cancelled, connection lost-----------------------------^
 *
 * Given up (abandoned): the server did not answer a cancel in time; the owner gets the exchange back with
 * STATUS_CANCELLED, the message ids stay in the table for the late answer.
 */
struct smb_exchange {
	struct nt_loop_task start_task;
	struct nt_loop_task cancel_task;
	volatile LONG refs;
	volatile LONG cancel_posted;
	struct smb_conn *conn;
	struct smb_session *session; /* NULL before there are keys */
	uint64_t session_id;
	uint32_t tree_id;
	bool seal;
	const char *operation;                    /* that waits for it (nt_count.h); NULL: none */
	bool patient;                             /* may wait as long as the server lives: locks, notifies */
	uint64_t deadline;                        /* interrupt time, 100 ns; 0: the connection's rules */
	void (*complete)(struct smb_exchange *x); /* loop thread; once; it may not wait */
	void *context;
	NTSTATUS status; /* STATUS_SUCCESS: each part has an answer */
	unsigned int count;
	struct smb_part part[SMB_MAX_PARTS];
	KEVENT done; /* smb_exchange_begin(), smb_exchange_run() */

	/* loop thread */
	LIST_ENTRY link; /* the connection's queue, or its list of exchanges in flight */
	enum smb_exchange_state state;
	bool sending;  /* the stream has our vector */
	bool returned; /* complete() has been called */
	bool cancelled;
	unsigned int left; /* parts without a final answer */
	uint64_t sent_at;
	uint64_t abandon_at; /* 0: not cancelled */
	struct nt_send send;
	struct iovec iov[2 + 3 * SMB_MAX_PARTS];
	uint8_t prefix[4];
	uint8_t transform[SMB2_TRANSFORM_HDR_SIZE];
	uint8_t *sealed; /* the message, encrypted */
	size_t sealed_len;
};

/**
 * smb_exchange_create - an exchange without parts
 * @session: [in, optional] signs, or seals; referenced
 *
 * Context: any thread, <= DISPATCH_LEVEL.
 * Return:  NULL without memory.
 */
struct smb_exchange *smb_exchange_create(struct smb_conn *conn, struct smb_session *session, uint32_t tree_id,
					 bool seal);
/**
 * smb_exchange_add - one more request
 * @cap:     bytes for the PDU, header included; NULL is returned without memory
 * @payload: bytes of data that go either way, for the credit charge
 *
 * The caller encodes the body to part->bytes and sets part->len; the transport fills the header.  The second and
 * further parts are related to the first.
 */
struct smb_part *smb_exchange_add(struct smb_exchange *x, uint16_t command, size_t cap, size_t payload);
/* Hands it over; complete() is called on the loop thread, always, perhaps before this returns. */
void smb_exchange_submit(struct smb_exchange *x, void (*complete)(struct smb_exchange *x), void *context);
/* Submits; x->done is set when it is over. */
void smb_exchange_begin(struct smb_exchange *x);
/* Submits and waits: x->status, or when that is success the first part's.  PASSIVE_LEVEL, not on the loop thread. */
NTSTATUS smb_exchange_run(struct smb_exchange *x);
/* The same for what need not be waited for when the server is silent: STATUS_IO_TIMEOUT then; it stays on its way. */
NTSTATUS smb_exchange_run_unless_silent(struct smb_exchange *x);
/* Submits and forgets: the caller's reference is consumed. */
void smb_exchange_forget(struct smb_exchange *x);
/* Asks for its end; whichever comes first decides, the answer or the cancel.  Any thread; the caller has a reference. */
void smb_exchange_cancel(struct smb_exchange *x);
void smb_exchange_get(struct smb_exchange *x);
void smb_exchange_put(struct smb_exchange *x); /* NULL allowed */

/* ---- a connection ----------------------------------------------------------------------------------- */

struct smb_conn_options {
	uint64_t timeout;       /* of an answer, 100 ns */
	uint64_t echo_interval; /* of silence, 100 ns */
};

/* What NEGOTIATE agreed on; written by the connecting thread before anybody else knows the connection. */
struct smb_negotiated {
	uint16_t dialect;
	uint16_t security_mode;
	uint32_t capabilities;
	uint32_t max_transact;
	uint32_t max_read;
	uint32_t max_write;
	uint16_t cipher;  /* SMB2_CIPHER_NONE: no encryption */
	uint16_t signing; /* SMB2_SIGN_... */
	bool large_mtu;
	uint8_t server_guid[SMB2_GUID_SIZE];
	uint8_t client_guid[SMB2_GUID_SIZE];
	/* what we offered, for VALIDATE_NEGOTIATE_INFO */
	uint16_t offered_count;
	uint16_t offered[SMB2_MAX_DIALECTS];
	uint32_t offered_capabilities;
	uint16_t offered_security_mode;
	struct smb2_preauth preauth;
	size_t token_len;
	uint8_t token[1024]; /* the server's SPNEGO hint */
};

struct smb_conn {
	volatile LONG refs;
	volatile LONG dead;       /* set once, on the loop thread; read anywhere */
	volatile LONG silent;     /* requests wait and the server has said nothing for a while */
	volatile LONG negotiated; /* ECHO is allowed */
	struct smb_transport *transport;
	struct smb_conn_options options;
	struct smb_negotiated neg;
	char host[256];
	USHORT port;
	KEVENT connected;
	NTSTATUS connect_status;
	KSPIN_LOCK session_lock; /* a leaf */
	LIST_ENTRY sessions;     /* smb_session.conn_link */

	/* loop thread */
	LIST_ENTRY link; /* transport->conns */
	struct nt_loop_task start_task;
	struct nt_loop_task end_task;
	uint64_t connect_timeout;
	struct nt_stream *stream;
	NTSTATUS death;    /* why it is dead */
	bool connect_over; /* connect_status is final */
	uint64_t next_id;
	uint32_t credits;
	uint32_t in_flight;               /* parts waiting for an answer */
	uint32_t in_flight_interim;       /* of them, those that have had STATUS_PENDING */
	size_t payload_in_flight;         /* bytes the server may send */
	unsigned int credit_probes;       /* echoes sent for want of credits, without success */
	LIST_ENTRY queue;                 /* exchanges that wait for credits */
	LIST_ENTRY sent;                  /* exchanges in flight */
	LIST_ENTRY table[SMB_TABLE_SIZE]; /* parts in flight, by message id */
	struct nt_loop_timer timer;
	uint64_t timer_due;
	uint64_t last_received;
	bool echo_sent;        /* unanswered */
	uint64_t stray_breaks; /* of what nobody holds */

	/* receiving */
	uint8_t rx_prefix[4];
	uint8_t rx_head[SMB2_READ_RESPONSE_HEAD];
	size_t rx_want; /* bytes of what is being received */
	size_t rx_got;
	size_t rx_len; /* of the message */
	int rx_stage;
	struct smb_reply *rx_reply;
	struct smb_part *rx_part; /* its read_to is being filled */
};

/* The transport of a driver: one loop thread. */
struct smb_transport {
	struct nt_loop *loop;
	volatile LONG conn_count;
	KEVENT idle; /* set while conn_count is 0 */
	struct nt_loop_task kill_task;
	LIST_ENTRY conns; /* loop thread */
	/* Set after the start, before there is a connection; NULL allowed. (loop) */
	bool (*broken)(struct smb_conn *conn, const struct smb2_break *brk); /* false: nobody holds it */
	void (*lost)(struct smb_conn *conn);
};

NTSTATUS smb_transport_start(struct smb_transport *t);
/* Waits shortly for LOGOFFs under way, then ends every connection.  All sessions and trees have been released. */
void smb_transport_stop(struct smb_transport *t);

/**
 * smb_conn_connect - a stream to the server; no SMB yet
 * @timeout: 100 ns, for name resolution and connect
 * @out:     [out] referenced for the caller; NULL on failure
 *
 * Context: PASSIVE_LEVEL, blocks for the timeout at most.
 * Return:  STATUS_SUCCESS, or what nt_stream_connect() reports.
 */
NTSTATUS smb_conn_connect(struct smb_transport *t, const char *host, USHORT port, uint64_t timeout,
			  const struct smb_conn_options *options, struct smb_conn **out);
void smb_conn_get(struct smb_conn *conn);
void smb_conn_put(struct smb_conn *conn); /* NULL allowed; any thread */
static inline bool smb_conn_is_dead(const struct smb_conn *conn)
{
	return __atomic_load_n(&conn->dead, __ATOMIC_ACQUIRE) != 0;
}
/* Credits for a payload of that many bytes. */
uint16_t smb_conn_charge(const struct smb_conn *conn, size_t payload);

/* ---- between the files of the transport (loop thread) ---------------------------------------------- */

bool smb_conn_try_get(struct smb_conn *conn);
void smb_conn_fail(struct smb_conn *conn, NTSTATUS status, const char *reason);
void smb_conn_pump(struct smb_conn *conn);
void smb_conn_tick_soon(struct smb_conn *conn);
struct smb_part *smb_conn_find_part(struct smb_conn *conn, uint64_t message_id);
void smb_part_answered(struct smb_part *part, NTSTATUS status);
void smb_exchange_start(struct smb_exchange *x);
void smb_exchange_over(struct smb_exchange *x, NTSTATUS status);
void smb_exchange_give_up(struct smb_exchange *x);
void smb_exchange_return_late(struct smb_part *part);
/* Ends it when all answers are there and the stream has let go of our bytes. */
void smb_exchange_check_over(struct smb_exchange *x);
/* A completion routine for what nobody waits for. */
void smb_exchange_drop(struct smb_exchange *x);
void smb_receive_init(struct smb_conn *conn);
void smb_receive_buffer(void *context, void **buffer, size_t *length);
void smb_receive_received(void *context, size_t length);
void smb_receive_end(struct smb_conn *conn);

/* ---- sessions, as the transport sees them ----------------------------------------------------------- */

/*
 * One login on one connection; constant after smb_session_login() but for the reference count.  Signer and sealers are
 * used on the loop thread.  The last reference sends LOGOFF.
 */
struct smb_session {
	volatile LONG refs;
	bool ending;           /* LOGOFF is under way */
	struct smb_conn *conn; /* referenced */
	LIST_ENTRY conn_link;  /* smb_conn.sessions, from the login to the end; self-linked before */
	uint64_t id;
	uint16_t flags;             /* SMB2_SESSION_FLAG_... */
	bool seal;                  /* everything */
	struct smb2_signer *signer; /* NULL: guest or anonymous, nothing is signed */
	struct smb2_sealer *sealer; /* NULL: cannot */
	struct smb2_sealer *opener;
};

void smb_session_get(struct smb_session *session);
void smb_session_put(struct smb_session *session); /* NULL allowed; never waits */
/* The session of a connection by its id, referenced; *out NULL: it is about to end. False: there is none. Any level. */
bool smb_session_find(struct smb_conn *conn, uint64_t id, struct smb_session **out);

#endif
