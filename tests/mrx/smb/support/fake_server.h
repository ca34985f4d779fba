/*
 * fake_server.h - an SMB2 server on loopback that does what a script says, wrong things included.
 *
 * One thread, one connection after the other, each run through the script.  Plain sockets and blocking calls: what the
 * client under test does wrong must not be able to hide here.  Speaks 2.1, or 3.0.2 when it is told to, with real
 * NTLMv2 and real signatures; nothing else of a server is in it.
 */
#ifndef SMB_FAKE_SERVER_H
#define SMB_FAKE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mrx/smb/wire/smb2_crypto.h"
#include "mrx/smb/wire/smb2_wire.h"

enum { FAKE_MESSAGE_MAX = 2 * 1024 * 1024 };

#define FAKE_SESSION_ID 0x1122334455667788ull
#define FAKE_TREE_ID 7u

struct fake_server;

/* One accepted connection, on the server's thread. */
struct fake_conn {
	struct fake_server *server;
	int fd;
	struct smb2_signer *signer; /* after a login */
	struct smb2_sealer *sealer; /* the same, of a server with SMB2_GLOBAL_CAP_ENCRYPTION */
	uint16_t grant;             /* credits given with each answer */
	bool sign;                  /* sign answers of the session */
	uint8_t *in;
	size_t in_len;
	struct smb2_pdu request; /* the first PDU of what was read last */
	uint8_t *out;            /* the answer that was sent last, with its length */
	size_t out_len;
};

struct fake_server {
	int listener;
	uint16_t port;
	pthread_t thread;
	uint16_t dialect;
	uint32_t capabilities; /* SMB2_GLOBAL_CAP_... */
	void (*script)(struct fake_conn *c);
	void *context;
};

bool fake_start(struct fake_server *s, void (*script)(struct fake_conn *c), void *context);
/* The same, as a server of that dialect (2.1 or 3.0.2) with those capabilities. */
bool fake_start_as(struct fake_server *s, uint16_t dialect, uint32_t capabilities,
		   void (*script)(struct fake_conn *c), void *context);
/* Ends it: the script must return once its connection is closed. */
void fake_stop(struct fake_server *s);

/* The next message; false at the end of the stream.  Waits 10 s at most. */
bool fake_read(struct fake_conn *c);
/* Raw bytes, as they are. */
void fake_send_raw(struct fake_conn *c, const void *bytes, size_t len);
/* A message with its transport prefix. */
void fake_send_message(struct fake_conn *c, const void *bytes, size_t len);
/* True when the peer has closed; waits 10 s at most. */
bool fake_wait_closed(struct fake_conn *c);

/* Header of an answer to c->request. */
struct smb2_hdr fake_answer_header(struct fake_conn *c, uint32_t status);
/* Builds the PDU in c->out: body_len bytes lie behind the header already.  Signs it when the session signs. */
void fake_seal_answer(struct fake_conn *c, const struct smb2_hdr *hdr, size_t pdu_len);
void fake_send_answer(struct fake_conn *c); /* c->out */
/* c->out, encrypted by the session. False: the server has no keys for that. */
bool fake_send_sealed(struct fake_conn *c);
/* Answers c->request with an error body. */
void fake_answer_error(struct fake_conn *c, uint32_t status);
/* Answers an ECHO, LOGOFF, TREE_DISCONNECT, FLUSH or LOCK. */
void fake_answer_empty(struct fake_conn *c);
void fake_answer_pending(struct fake_conn *c, uint64_t async_id);
void fake_answer_read(struct fake_conn *c, const void *data, uint32_t len);
void fake_answer_create(struct fake_conn *c);
void fake_answer_close(struct fake_conn *c);
/* With what a query of any kind puts out. */
void fake_answer_output(struct fake_conn *c, struct wire_slice output);
/* Answers a CREATE; @grant: a lease, NULL: none. */
void fake_answer_open(struct fake_conn *c, struct smb2_create_response *rsp, const struct smb2_lease *grant);
/* Answers the acknowledgement of a break with what it says; false: it makes no sense, and is not answered. */
bool fake_answer_ack(struct fake_conn *c, struct smb2_break *ack);

/* The lease that a CREATE asks for; false: none. */
bool fake_lease_asked(const struct smb2_create_request *req, struct smb2_lease *lease);
/* Is a name of a request, in UTF-16, that one? */
bool fake_is_named(struct wire_slice name, const char *ascii);
/* The message of a break that nobody asked for; its length. */
size_t fake_break_encode(uint8_t *to, size_t cap, uint64_t session_id, const struct smb2_break *brk);
/* Sends it, by the server's thread. */
void fake_send_break(struct fake_conn *c, const struct smb2_break *brk);

/* Reads and answers; false when the stream ended or the request was another one. */
bool fake_negotiate(struct fake_conn *c);
bool fake_login(struct fake_conn *c); /* after fake_negotiate() */
bool fake_tree_connect(struct fake_conn *c);
/* All three. */
bool fake_handshake(struct fake_conn *c);
/* All three, then each request of each message goes to @answer, until the stream ends. */
void fake_serve(struct fake_conn *c, void (*answer)(struct fake_conn *c));
/* Answers LOGOFF, TREE_DISCONNECT, ECHO and CLOSE until the stream ends. */
void fake_serve_end(struct fake_conn *c);

#endif
