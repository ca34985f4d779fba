/*
 * fake_server.c - the scripted SMB2 server of the tests.
 */
#include "fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "mrx/smb/wire/ntlm.h"

enum { STATUS_OK = 0, STATUS_PENDING_WIRE = 0x103 };
#define STATUS_MORE_WIRE 0xC0000016u
#define STATUS_NOT_SUPPORTED_WIRE 0xC00000BBu

/* ---- life -------------------------------------------------------------------------------------------- */

static void run_connection(struct fake_server *s, int fd)
{
	struct timeval limit = {.tv_sec = 10};
	struct fake_conn c = {.server = s, .fd = fd, .grant = 64, .sign = true};
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c.in = malloc(FAKE_MESSAGE_MAX);
	c.out = malloc(FAKE_MESSAGE_MAX);
	if (c.in != NULL && c.out != NULL)
		s->script(&c);
	smb2_signer_destroy(c.signer);
	smb2_sealer_destroy(c.sealer);
	free(c.in);
	free(c.out);
	close(fd);
}

static void *server_main(void *context)
{
	struct fake_server *s = context;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0)
		run_connection(s, fd);
	return NULL;
}

bool fake_start(struct fake_server *s, void (*script)(struct fake_conn *c), void *context)
{
	return fake_start_as(s, SMB2_DIALECT_210, SMB2_GLOBAL_CAP_LARGE_MTU, script, context);
}

bool fake_start_as(struct fake_server *s, uint16_t dialect, uint32_t capabilities,
		   void (*script)(struct fake_conn *c), void *context)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);

	memset(s, 0, sizeof(*s));
	s->dialect = dialect;
	s->capabilities = capabilities;
	s->script = script;
	s->context = context;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(s->listener, 8) != 0 || getsockname(s->listener, (struct sockaddr *)&addr, &len) != 0)
		return false;
	s->port = ntohs(addr.sin_port);
	return pthread_create(&s->thread, NULL, server_main, s) == 0;
}

void fake_stop(struct fake_server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

/* ---- bytes ------------------------------------------------------------------------------------------- */

static bool read_all(int fd, uint8_t *to, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fd, to + got, len - got, 0);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

bool fake_read(struct fake_conn *c)
{
	uint8_t prefix[4];
	size_t offset = 0;

	if (!read_all(c->fd, prefix, sizeof(prefix)))
		return false;
	c->in_len = (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 | prefix[3];
	if (prefix[0] != 0 || c->in_len > FAKE_MESSAGE_MAX || !read_all(c->fd, c->in, c->in_len))
		return false;
	return smb2_compound_next(c->in, c->in_len, &offset, &c->request) == 1;
}

void fake_send_raw(struct fake_conn *c, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the client has gone: what it did about it is for the test to see */
		at += n;
		len -= (size_t)n;
	}
}

void fake_send_message(struct fake_conn *c, const void *bytes, size_t len)
{
	uint8_t prefix[4] = {0, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

	fake_send_raw(c, prefix, sizeof(prefix));
	fake_send_raw(c, bytes, len);
}

bool fake_wait_closed(struct fake_conn *c)
{
	uint8_t byte;
	ssize_t n;

	do
		n = recv(c->fd, &byte, 1, 0);
	while (n > 0);
	return n == 0 || errno == ECONNRESET;
}

/* ---- answers ----------------------------------------------------------------------------------------- */

struct smb2_hdr fake_answer_header(struct fake_conn *c, uint32_t status)
{
	struct smb2_hdr hdr = c->request.hdr;

	hdr.status = status;
	hdr.credits = c->grant;
	hdr.flags = SMB2_FLAGS_SERVER_TO_REDIR;
	hdr.next_command = 0;
	memset(hdr.signature, 0, sizeof(hdr.signature));
	return hdr;
}

void fake_seal_answer(struct fake_conn *c, const struct smb2_hdr *hdr, size_t pdu_len)
{
	struct smb2_hdr h = *hdr;
	struct iovec iov = {c->out, pdu_len};

	if (c->signer != NULL && c->sign && hdr->session_id != 0)
		h.flags |= SMB2_FLAGS_SIGNED;
	(void)smb2_hdr_encode(c->out, FAKE_MESSAGE_MAX, &h);
	c->out_len = pdu_len;
	if (h.flags & SMB2_FLAGS_SIGNED)
		(void)smb2_sign(c->signer, &iov, 1);
}

void fake_send_answer(struct fake_conn *c)
{
	fake_send_message(c, c->out, c->out_len);
}

bool fake_send_sealed(struct fake_conn *c)
{
	uint8_t *message = c->in; /* what was read last is answered */
	struct iovec iov = {message + SMB2_TRANSFORM_HDR_SIZE, c->out_len};

	memcpy(iov.iov_base, c->out, c->out_len);
	if (c->sealer == NULL || !smb2_seal(c->sealer, FAKE_SESSION_ID, message, &iov, 1))
		return false;
	fake_send_message(c, message, SMB2_TRANSFORM_HDR_SIZE + c->out_len);
	return true;
}

void fake_answer_error(struct fake_conn *c, uint32_t status)
{
	struct smb2_hdr hdr = fake_answer_header(c, status);
	struct smb2_error_response rsp = {0};

	fake_seal_answer(c, &hdr, smb2_error_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(c);
}

void fake_answer_empty(struct fake_conn *c)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);

	fake_seal_answer(c, &hdr, smb2_empty_encode(c->out, FAKE_MESSAGE_MAX));
	fake_send_answer(c);
}

void fake_answer_pending(struct fake_conn *c, uint64_t async_id)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_PENDING_WIRE);
	struct smb2_error_response rsp = {0};

	hdr.flags |= SMB2_FLAGS_ASYNC_COMMAND;
	hdr.async_id = async_id;
	c->out_len = smb2_error_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp);
	(void)smb2_hdr_encode(c->out, FAKE_MESSAGE_MAX, &hdr);
	fake_send_answer(c);
}

void fake_answer_read(struct fake_conn *c, const void *data, uint32_t len)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);
	size_t head = smb2_read_response_encode_head(c->out, FAKE_MESSAGE_MAX, len);

	memcpy(c->out + head, data, len);
	fake_seal_answer(c, &hdr, head + len);
	fake_send_answer(c);
}

void fake_answer_create(struct fake_conn *c)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);
	struct smb2_create_response rsp = {.create_action = 1, .file_attributes = 0x80, .file_id = {21, 22}};

	fake_seal_answer(c, &hdr, smb2_create_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(c);
}

void fake_answer_close(struct fake_conn *c)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);
	struct smb2_close_response rsp = {0};

	fake_seal_answer(c, &hdr, smb2_close_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(c);
}

void fake_answer_output(struct fake_conn *c, struct wire_slice output)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);

	fake_seal_answer(c, &hdr, smb2_output_response_encode(c->out, FAKE_MESSAGE_MAX, output));
	fake_send_answer(c);
}

void fake_answer_open(struct fake_conn *c, struct smb2_create_response *rsp, const struct smb2_lease *grant)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);
	uint8_t bytes[128];
	struct smb2_create_context_list list = {.buf = bytes, .cap = sizeof(bytes)};

	if (grant != NULL && smb2_lease_append(&list, grant)) {
		rsp->oplock_level = SMB2_OPLOCK_LEVEL_LEASE;
		rsp->contexts = smb2_create_context_list_slice(&list);
	}
	fake_seal_answer(c, &hdr, smb2_create_response_encode(c->out, FAKE_MESSAGE_MAX, rsp));
	fake_send_answer(c);
}

bool fake_answer_ack(struct fake_conn *c, struct smb2_break *ack)
{
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);

	if (!smb2_break_ack_decode(&c->request, ack))
		return false;
	fake_seal_answer(c, &hdr, smb2_break_ack_encode(c->out, FAKE_MESSAGE_MAX, ack));
	fake_send_answer(c);
	return true;
}

/* ---- leases and names -------------------------------------------------------------------------------- */

bool fake_lease_asked(const struct smb2_create_request *req, struct smb2_lease *lease)
{
	struct wire_slice data;

	return smb2_create_context_find(req->contexts, SMB2_CREATE_LEASE, &data) &&
	       smb2_lease_decode(data, lease);
}

bool fake_is_named(struct wire_slice name, const char *ascii)
{
	size_t i;

	if (name.len != strlen(ascii) * 2)
		return false;
	for (i = 0; i < name.len / 2; i++)
		if (name.p[2 * i] != (uint8_t)ascii[i] || name.p[2 * i + 1] != 0)
			return false;
	return true;
}

size_t fake_break_encode(uint8_t *to, size_t cap, uint64_t session_id, const struct smb2_break *brk)
{
	struct smb2_hdr hdr = {.command = SMB2_OPLOCK_BREAK,
			       .flags = SMB2_FLAGS_SERVER_TO_REDIR,
			       .session_id = session_id,
			       .message_id = SMB2_UNSOLICITED_MESSAGE_ID};
	size_t len = smb2_break_notification_encode(to, cap, brk);

	(void)smb2_hdr_encode(to, cap, &hdr);
	return len;
}

void fake_send_break(struct fake_conn *c, const struct smb2_break *brk)
{
	c->out_len = fake_break_encode(c->out, FAKE_MESSAGE_MAX, 0, brk);
	fake_send_answer(c);
}

/* ---- the handshake ----------------------------------------------------------------------------------- */

bool fake_negotiate(struct fake_conn *c)
{
	static const uint8_t not_spnego[] = {'N', 'T', 'L', 'M'}; /* so the login goes bare */
	struct smb2_negotiate_response rsp = {
		.security_mode = SMB2_NEGOTIATE_SIGNING_ENABLED,
		.dialect = c->server->dialect,
		.capabilities = c->server->capabilities,
		.max_transact = 1024 * 1024,
		.max_read = 1024 * 1024,
		.max_write = 1024 * 1024,
		.token = {not_spnego, sizeof(not_spnego)},
	};
	struct smb2_hdr hdr;

	if (!fake_read(c) || c->request.hdr.command != SMB2_NEGOTIATE)
		return false;
	hdr = fake_answer_header(c, STATUS_OK);
	fake_seal_answer(c, &hdr, smb2_negotiate_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(c);
	return true;
}

static size_t challenge(uint8_t *msg, size_t cap)
{
	static const uint8_t names[] = {2, 0, 2, 0, 'D', 0, 1, 0, 2, 0, 'S', 0, 0, 0, 0, 0};
	struct ntlm_challenge ch = {
		.flags = NTLM_NEGOTIATE_UNICODE | NTLM_REQUEST_TARGET | NTLM_NEGOTIATE_SIGN |
			 NTLM_NEGOTIATE_NTLM | NTLM_NEGOTIATE_ALWAYS_SIGN | NTLM_TARGET_TYPE_SERVER |
			 NTLM_NEGOTIATE_EXTENDED_SESSIONSECURITY | NTLM_NEGOTIATE_TARGET_INFO |
			 NTLM_NEGOTIATE_128 | NTLM_NEGOTIATE_KEY_EXCH | NTLM_NEGOTIATE_56,
		.server_challenge = {1, 2, 3, 4, 5, 6, 7, 8},
		.target_name = {names + 4, 2},
		.target_info = {names, sizeof(names)},
	};

	return ntlm_challenge_encode(msg, cap, &ch);
}

static void answer_session_setup(struct fake_conn *c, uint32_t status, const uint8_t *token, size_t len)
{
	struct smb2_session_setup_response rsp = {.token = {token, len}};
	struct smb2_hdr hdr = fake_answer_header(c, status);

	hdr.session_id = FAKE_SESSION_ID;
	fake_seal_answer(c, &hdr, smb2_session_setup_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(c);
}

/* The session key of MS-NLMP 3.3.2 and 3.4.5.1, for the user ALICE with the password Passw0rd. */
static bool session_key(const struct ntlm_authenticate *auth, uint8_t key[16])
{
	static const uint8_t password[] = {'P', 0, 'a', 0, 's', 0, 's', 0, 'w', 0, '0', 0, 'r', 0, 'd', 0};
	static const uint8_t user[] = {'A', 0, 'L', 0, 'I', 0, 'C', 0, 'E', 0};
	uint8_t hash[16], owf[16], base[16];
	struct wire_slice proof;
	struct ntlm_rc4 rc4;

	if (auth->nt_response.len < 16 || auth->session_key.len != 16)
		return false;
	ntlm_nt_hash((struct wire_slice){password, sizeof(password)}, hash);
	if (!ntlm_owf_v2(hash, (struct wire_slice){user, sizeof(user)}, auth->domain, owf))
		return false;
	proof = wire_slice_at(auth->nt_response.p, 0, 16);
	if (!ntlm_hmac_md5(owf, sizeof(owf), &proof, 1, base))
		return false;
	ntlm_rc4_init(&rc4, base, sizeof(base));
	ntlm_rc4_crypt(&rc4, auth->session_key.p, key, 16);
	return true;
}

bool fake_login(struct fake_conn *c)
{
	struct smb2_session_setup_request req;
	struct ntlm_authenticate auth;
	struct smb2_keys keys;
	uint8_t msg[512], key[16];
	uint16_t cipher = SMB2_CIPHER_NONE;

	if (!fake_read(c) || c->request.hdr.command != SMB2_SESSION_SETUP)
		return false;
	answer_session_setup(c, STATUS_MORE_WIRE, msg, challenge(msg, sizeof(msg)));
	if (!fake_read(c) || !smb2_session_setup_request_decode(&c->request, &req) ||
	    !ntlm_authenticate_decode(req.token.p, req.token.len, &auth) || !session_key(&auth, key))
		return false;
	if ((c->server->capabilities & SMB2_GLOBAL_CAP_ENCRYPTION) != 0)
		cipher = SMB2_CIPHER_AES_128_CCM;
	if (!smb2_derive_keys(c->server->dialect, cipher, key, NULL, 0, NULL, &keys))
		return false;
	if (cipher != SMB2_CIPHER_NONE)
		c->sealer = smb2_sealer_create(cipher, keys.decryption, keys.cipher_key_len, true);
	c->signer = smb2_signer_create(smb2_signing_algorithm(c->server->dialect, false, 0), keys.signing);
	answer_session_setup(c, STATUS_OK, NULL, 0);
	return c->signer != NULL;
}

static void answer_validate(struct fake_conn *c)
{
	struct smb2_validate_negotiate_response v = {
		.capabilities = c->server->capabilities,
		.security_mode = SMB2_NEGOTIATE_SIGNING_ENABLED,
		.dialect = c->server->dialect,
	};
	uint8_t bytes[64];
	struct smb2_ioctl_response rsp = {.ctl_code = SMB2_FSCTL_VALIDATE_NEGOTIATE_INFO,
					  .file_id = SMB2_FILE_ID_RELATED};
	struct smb2_hdr hdr = fake_answer_header(c, STATUS_OK);

	rsp.output =
		wire_slice_at(bytes, 0, smb2_validate_negotiate_response_encode(bytes, sizeof(bytes), &v));
	fake_seal_answer(c, &hdr, smb2_ioctl_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(c);
}

bool fake_tree_connect(struct fake_conn *c)
{
	struct smb2_tree_connect_response rsp = {.share_type = SMB2_SHARE_TYPE_DISK,
						 .maximal_access = 0x1f01ff};
	struct smb2_hdr hdr;

	if (!fake_read(c) || c->request.hdr.command != SMB2_TREE_CONNECT)
		return false;
	hdr = fake_answer_header(c, STATUS_OK);
	hdr.tree_id = FAKE_TREE_ID;
	fake_seal_answer(c, &hdr, smb2_tree_connect_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	fake_send_answer(c);
	if (!fake_read(c) || c->request.hdr.command != SMB2_IOCTL)
		return false;
	if (c->server->dialect <
	    SMB2_DIALECT_300) /* what an old server says to FSCTL_VALIDATE_NEGOTIATE_INFO */
		fake_answer_error(c, STATUS_NOT_SUPPORTED_WIRE);
	else
		answer_validate(c);
	return true;
}

bool fake_handshake(struct fake_conn *c)
{
	return fake_negotiate(c) && fake_login(c) && fake_tree_connect(c);
}

void fake_serve(struct fake_conn *c, void (*answer)(struct fake_conn *c))
{
	if (!fake_handshake(c))
		return;
	while (fake_read(c)) {
		size_t offset = 0;

		while (smb2_compound_next(c->in, c->in_len, &offset, &c->request) == 1)
			answer(c);
	}
}

void fake_serve_end(struct fake_conn *c)
{
	while (fake_read(c)) {
		if (c->request.hdr.command == SMB2_CLOSE)
			fake_answer_close(c);
		else if (c->request.hdr.command != SMB2_CANCEL)
			fake_answer_empty(c);
	}
}
