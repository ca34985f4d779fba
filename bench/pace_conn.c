/*
 * pace_conn.c - socket, login, requests and answers of the bare client.
 *
 * Owns: struct pace_conn and its socket.  One thread.
 * Page: MS-SMB2 3.2.4.1, 3.2.4.2, 3.2.5.
 */
#include "pace.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mrx/smb/wire/spnego.h"

#define STATUS_PENDING 0x00000103u
#define STATUS_MORE_PROCESSING_REQUIRED 0xC0000016u

enum { CREDITS_WANTED = 2048, CREDIT_BYTES = 65536 };

_Noreturn void pace_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pace: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

size_t pace_utf16(uint8_t *to, size_t cap, const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (n + 2 > cap)
			pace_die("a name is too long");
		to[n++] = (uint8_t)*text;
		to[n++] = 0;
	}
	return n;
}

/* ---- requests ---------------------------------------------------------------------------------------- */

void pace_begin(struct pace_request *r)
{
	r->len = 0;
	r->count = 0;
	r->data = NULL;
	r->data_len = 0;
}

uint8_t *pace_room(struct pace_request *r, size_t *cap)
{
	size_t at = wire_align8(r->len);

	memset(r->bytes + r->len, 0, at - r->len);
	r->len = at;
	*cap = sizeof(r->bytes) - at;
	return r->bytes + at;
}

void pace_add(struct pace_conn *c, struct pace_request *r, uint16_t command, size_t len, size_t payload)
{
	uint16_t charge =
		payload > CREDIT_BYTES ? (uint16_t)((payload + CREDIT_BYTES - 1) / CREDIT_BYTES) : 1;
	struct smb2_hdr hdr = {
		.credit_charge = charge,
		.command = command,
		.credits = (uint16_t)(charge + (c->credits < CREDITS_WANTED ? 128 : 0)),
		.flags = (r->count != 0 ? SMB2_FLAGS_RELATED_OPERATIONS : 0) |
			 (c->signer ? SMB2_FLAGS_SIGNED : 0),
		.message_id = c->next_id,
		.tree_id = c->tree_id,
		.session_id = c->session_id,
	};

	if (len == 0 || r->count == PACE_MAX_PARTS)
		pace_die("a request does not fit");
	if (c->credits < charge)
		pace_die("the server grants too few credits");
	if (r->count != 0)
		smb2_hdr_set_next(r->bytes + r->start[r->count - 1],
				  (uint32_t)(r->len - r->start[r->count - 1]));
	if (!smb2_hdr_encode(r->bytes + r->len, sizeof(r->bytes) - r->len, &hdr))
		pace_die("a request does not fit");
	r->start[r->count] = r->len;
	r->id[r->count++] = hdr.message_id;
	r->len += len;
	c->next_id += charge;
	c->credits -= charge;
}

static void pace_sign(struct pace_conn *c, struct pace_request *r)
{
	unsigned int i;

	for (i = 0; i < r->count; i++) {
		bool last = i + 1 == r->count;
		struct iovec iov[2] = {
			{r->bytes + r->start[i], (last ? r->len : r->start[i + 1]) - r->start[i]},
			{(void *)(uintptr_t)r->data, r->data_len},
		};

		if (!smb2_sign(c->signer, iov, last && r->data_len != 0 ? 2 : 1))
			pace_die("signing failed");
	}
}

static void send_all(int fd, struct iovec *iov, size_t count)
{
	while (count != 0) {
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
		ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			pace_die("sending: %s", strerror(errno));
		while (count != 0 && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count != 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
}

void pace_send(struct pace_conn *c, struct pace_request *r)
{
	uint32_t prefix = htonl((uint32_t)(r->len + r->data_len));
	struct iovec iov[3] = {
		{&prefix, sizeof(prefix)}, {r->bytes, r->len}, {(void *)(uintptr_t)r->data, r->data_len}};

	if (c->signer != NULL)
		pace_sign(c, r);
	send_all(c->fd, iov, r->data_len != 0 ? 3 : 2);
	c->sent++;
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static void receive_all(int fd, void *to, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fd, (char *)to + got, len - got, MSG_WAITALL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			pace_die("receiving: %s",
				 n == 0 ? "the server has closed the connection" : strerror(errno));
		got += (size_t)n;
	}
}

static void pace_receive_message(struct pace_conn *c)
{
	uint32_t prefix;
	size_t count;

	receive_all(c->fd, &prefix, sizeof(prefix));
	c->answer_len = ntohl(prefix);
	c->answer_pos = 0;
	if (c->answer_len < SMB2_HDR_SIZE || c->answer_len > PACE_ANSWER_CAP)
		pace_die("an answer has %zu bytes", c->answer_len);
	receive_all(c->fd, c->answer, c->answer_len);
	if (smb2_message_kind(c->answer, c->answer_len) != SMB2_MESSAGE_PLAIN ||
	    !smb2_compound_check(c->answer, c->answer_len, &count))
		pace_die("an answer is malformed, or the session is encrypted");
}

static void pace_verify(struct pace_conn *c)
{
	struct iovec iov = {(void *)(uintptr_t)c->pdu.base, c->pdu.len};

	if (c->signer != NULL &&
	    ((c->pdu.hdr.flags & SMB2_FLAGS_SIGNED) == 0 || !smb2_verify(c->signer, &iov, 1)))
		pace_die("the signature of an answer is missing or wrong");
}

void pace_receive(struct pace_conn *c)
{
	for (;;) {
		if (c->answer_pos >= c->answer_len)
			pace_receive_message(c);
		if (smb2_compound_next(c->answer, c->answer_len, &c->answer_pos, &c->pdu) != 1)
			pace_die("an answer is malformed");
		if (c->pdu.hdr.message_id == SMB2_UNSOLICITED_MESSAGE_ID)
			continue;
		c->credits += c->pdu.hdr.credits;
		if (c->pdu.hdr.status == STATUS_PENDING && (c->pdu.hdr.flags & SMB2_FLAGS_ASYNC_COMMAND))
			continue; /* the real answer follows */
		pace_verify(c);
		return;
	}
}

void pace_receive_ok(struct pace_conn *c, uint32_t also)
{
	pace_receive(c);
	if (c->pdu.hdr.status != 0 && c->pdu.hdr.status != also)
		pace_die("command %u fails with status 0x%08X", c->pdu.hdr.command, c->pdu.hdr.status);
}

void pace_run(struct pace_conn *c, struct pace_request *r)
{
	unsigned int i;

	pace_send(c, r);
	for (i = 0; i < r->count; i++)
		pace_receive_ok(c, 0);
}

void pace_gather_credits(struct pace_conn *c, uint32_t wanted)
{
	static struct pace_request r;
	unsigned int i;

	for (i = 0; i < 64 && c->credits < wanted; i++) {
		size_t cap;
		uint8_t *room;

		pace_begin(&r);
		room = pace_room(&r, &cap);
		pace_add(c, &r, SMB2_ECHO, smb2_empty_encode(room, cap), 0);
		pace_run(c, &r);
	}
	if (c->credits < wanted)
		pace_die("the server grants %u credits, %u are needed", c->credits, wanted);
}

/* ---- connecting -------------------------------------------------------------------------------------- */

static int pace_socket(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *a;
	int fd = -1, on = 1, error = getaddrinfo(host, port, &hints, &list);

	if (error != 0)
		pace_die("%s: %s", host, gai_strerror(error));
	for (a = list; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		pace_die("%s:%s: %s", host, port, strerror(errno));
	return fd;
}

struct pace_login {
	struct smb2_preauth preauth;
	struct spnego_login spnego;
	struct ntlm_credentials ntlm;
	uint16_t cipher;
	uint16_t signing;
	uint8_t user[512], upper[512], password[512], spn[512];
	uint8_t token[SPNEGO_TOKEN_MAX];
	size_t token_len;
};

static void pace_hash(struct pace_login *l, const void *message, size_t len)
{
	if (!smb2_preauth_update(&l->preauth, message, len))
		pace_die("hashing failed");
}

static void pace_negotiate(struct pace_conn *c, struct pace_login *l, struct pace_request *r)
{
	struct smb2_negotiate_request req = {
		.security_mode = SMB2_NEGOTIATE_SIGNING_ENABLED,
		.capabilities = SMB2_GLOBAL_CAP_LARGE_MTU,
		.dialect_count = 1,
		.dialects = {SMB2_DIALECT_311},
		.ctx = {.hash_count = 1,
			.hashes = {SMB2_HASH_SHA512},
			.signing_count = 3,
			.signing = {SMB2_SIGN_AES_GMAC, SMB2_SIGN_AES_CMAC, SMB2_SIGN_HMAC_SHA256}},
	};
	struct smb2_negotiate_response rsp;
	uint8_t salt[32], *room;
	size_t cap;

	if (!smb2_random(salt, sizeof(salt)) || !smb2_random(req.client_guid, sizeof(req.client_guid)))
		pace_die("no random bytes");
	req.ctx.salt = wire_slice_at(salt, 0, sizeof(salt));
	pace_begin(r);
	room = pace_room(r, &cap);
	pace_add(c, r, SMB2_NEGOTIATE, smb2_negotiate_request_encode(room, cap, &req), 0);
	pace_run(c, r);
	if (!smb2_negotiate_response_decode(&c->pdu, &rsp) || rsp.dialect != SMB2_DIALECT_311)
		pace_die("the server does not speak SMB 3.1.1");
	smb2_preauth_init(&l->preauth);
	pace_hash(l, r->bytes, r->len);
	pace_hash(l, c->pdu.base, c->pdu.len);
	l->signing = smb2_signing_algorithm(rsp.dialect, rsp.ctx.signing_count == 1, rsp.ctx.signing[0]);
	l->cipher = SMB2_CIPHER_NONE;
	if (!spnego_login_init(&l->spnego, rsp.token))
		pace_die("the server does not offer NTLM");
}

static void pace_names(struct pace_login *l, const char *host, const char *user, const char *password)
{
	char text[256];
	size_t i;

	l->ntlm.user = wire_slice_at(l->user, 0, pace_utf16(l->user, sizeof(l->user), user));
	l->ntlm.password =
		wire_slice_at(l->password, 0, pace_utf16(l->password, sizeof(l->password), password));
	snprintf(text, sizeof(text), "%s", user);
	for (i = 0; text[i] != '\0'; i++)
		text[i] = (char)toupper((unsigned char)text[i]);
	l->ntlm.user_upper = wire_slice_at(l->upper, 0, pace_utf16(l->upper, sizeof(l->upper), text));
	snprintf(text, sizeof(text), "cifs/%s", host);
	l->ntlm.target_spn = wire_slice_at(l->spn, 0, pace_utf16(l->spn, sizeof(l->spn), text));
}

/* 100 ns since 1601. */
static uint64_t pace_now(void)
{
	return ((uint64_t)time(NULL) + UINT64_C(11644473600)) * 10000000;
}

static void pace_setup_round(struct pace_conn *c, struct pace_login *l, struct pace_request *r)
{
	struct smb2_session_setup_request req = {
		.security_mode = SMB2_NEGOTIATE_SIGNING_ENABLED,
		.token = wire_slice_at(l->token, 0, l->token_len),
	};
	size_t cap;
	uint8_t *room;

	pace_begin(r);
	room = pace_room(r, &cap);
	pace_add(c, r, SMB2_SESSION_SETUP, smb2_session_setup_request_encode(room, cap, &req), 0);
	pace_hash(l, r->bytes, r->len);
	pace_send(c, r);
	pace_receive_ok(c, STATUS_MORE_PROCESSING_REQUIRED);
	c->session_id = c->pdu.hdr.session_id;
	if (c->pdu.hdr.status == STATUS_MORE_PROCESSING_REQUIRED)
		pace_hash(l, c->pdu.base, c->pdu.len);
}

static void pace_session(struct pace_conn *c, struct pace_login *l, struct pace_request *r)
{
	struct smb2_session_setup_response rsp = {0};
	struct wire_slice in = {NULL, 0};
	struct smb2_keys keys;

	do {
		if (spnego_login_step(&l->spnego, in, false, &l->ntlm, pace_now(), l->token, sizeof(l->token),
				      &l->token_len) == SPNEGO_STEP_FAILED)
			pace_die("the login fails");
		pace_setup_round(c, l, r);
		if (!smb2_session_setup_response_decode(&c->pdu, &rsp))
			pace_die("the answer to the login is malformed");
		in = rsp.token;
	} while (c->pdu.hdr.status == STATUS_MORE_PROCESSING_REQUIRED);
	if (rsp.session_flags != 0)
		pace_die("the server made it a guest or an encrypted session");
	if (!smb2_derive_keys(SMB2_DIALECT_311, l->cipher, spnego_login_session_key(&l->spnego), NULL, 0,
			      l->preauth.hash, &keys))
		pace_die("no keys");
	c->signer = smb2_signer_create(l->signing, keys.signing);
	smb2_keys_wipe(&keys);
	if (c->signer == NULL)
		pace_die("no signer");
	pace_verify(c);
}

static void pace_tree(struct pace_conn *c, struct pace_request *r, const char *host, const char *share)
{
	struct smb2_tree_connect_request req = {0};
	char text[512];
	uint8_t path[1024], *room;
	size_t cap;

	snprintf(text, sizeof(text), "\\\\%s\\%s", host, share);
	req.path = wire_slice_at(path, 0, pace_utf16(path, sizeof(path), text));
	pace_begin(r);
	room = pace_room(r, &cap);
	pace_add(c, r, SMB2_TREE_CONNECT, smb2_tree_connect_request_encode(room, cap, &req), 0);
	pace_run(c, r);
	c->tree_id = c->pdu.hdr.tree_id;
}

void pace_connect(struct pace_conn *c, const char *host, const char *port, const char *share,
		  const char *user, const char *password)
{
	static struct pace_request r;
	struct pace_login *l = calloc(1, sizeof(*l));

	memset(c, 0, sizeof(*c));
	c->credits = 1;
	c->answer = malloc(PACE_ANSWER_CAP);
	if (l == NULL || c->answer == NULL)
		pace_die("no memory");
	c->fd = pace_socket(host, port);
	pace_negotiate(c, l, &r);
	pace_names(l, host, user, password);
	pace_session(c, l, &r);
	spnego_login_wipe(&l->spnego);
	explicit_bzero(l, sizeof(*l));
	free(l);
	pace_tree(c, &r, host, share);
}

void pace_disconnect(struct pace_conn *c)
{
	static struct pace_request r;
	uint8_t *room;
	size_t cap;

	pace_begin(&r);
	room = pace_room(&r, &cap);
	pace_add(c, &r, SMB2_LOGOFF, smb2_empty_encode(room, cap), 0);
	pace_run(c, &r);
	smb2_signer_destroy(c->signer);
	close(c->fd);
	free(c->answer);
}
