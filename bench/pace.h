/*
 * pace.h - a bare SMB2 client on one blocking socket: what the server alone allows.
 *
 * No redirector, no cache, no threads: one request goes out, its answer comes in.  Everything that goes wrong
 * ends the program with one line on stderr, because a pace of a failing server means nothing.
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include "mrx/smb/wire/smb2_crypto.h"
#include "mrx/smb/wire/smb2_wire.h"

enum { PACE_MAX_PARTS = 4, PACE_REQUEST_CAP = 32 << 10, PACE_ANSWER_CAP = (2 << 20) };

struct pace_conn {
	int fd;
	struct smb2_signer *signer; /* NULL before the login and for a guest */
	uint64_t session_id;
	uint32_t tree_id;
	uint64_t next_id; /* the next MessageId */
	uint32_t credits; /* granted and not used */
	uint8_t *answer;  /* the transport message received last, PACE_ANSWER_CAP bytes */
	size_t answer_len;
	size_t answer_pos;   /* how far pace_receive() has walked it */
	struct smb2_pdu pdu; /* the answer pace_receive() found last */
	uint64_t sent;       /* transport messages, for counting round trips */
};

/* A request in the making: one PDU, or a related compound. */
struct pace_request {
	size_t len;
	unsigned int count;
	size_t start[PACE_MAX_PARTS];
	uint64_t id[PACE_MAX_PARTS];
	const void *data; /* sent after the last part, which it belongs to; NULL: none */
	size_t data_len;
	uint8_t bytes[PACE_REQUEST_CAP];
};

/* ---- pace_conn.c ------------------------------------------------------------------------------------ */

_Noreturn void pace_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Connects, negotiates 3.1.1, logs in with NTLMv2 and connects the share. */
void pace_connect(struct pace_conn *c, const char *host, const char *port, const char *share,
		  const char *user, const char *password);
/* Logs off and frees. */
void pace_disconnect(struct pace_conn *c);

void pace_begin(struct pace_request *r);
/* Where the next PDU of the request goes, and how much room it has. */
uint8_t *pace_room(struct pace_request *r, size_t *cap);
/* The PDU in that place is complete: `len` bytes (0 ends the program); payload decides what it costs in credits. */
void pace_add(struct pace_conn *c, struct pace_request *r, uint16_t command, size_t len, size_t payload);
/* Signs and sends. */
void pace_send(struct pace_conn *c, struct pace_request *r);
/* Waits for one final answer, checks its signature, and leaves it in c->pdu until the next call. */
void pace_receive(struct pace_conn *c);
/* The same, and ends the program unless it is a success (or `also`). */
void pace_receive_ok(struct pace_conn *c, uint32_t also);
/* Sends, and waits for all parts to succeed. */
void pace_run(struct pace_conn *c, struct pace_request *r);
/* Pings until `wanted` credits are there. */
void pace_gather_credits(struct pace_conn *c, uint32_t wanted);

/* ASCII to UTF-16LE; bytes written. */
size_t pace_utf16(uint8_t *to, size_t cap, const char *text);

#endif
