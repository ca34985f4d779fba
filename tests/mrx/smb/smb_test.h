/*
 * smb_test.h - a client with its transport against the scripted server: set-up, the usual requests, time limits.
 */
#ifndef SMB_TEST_H
#define SMB_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "mrx/smb/session.h"

#include "support/fake_server.h"

struct client {
	struct smb_transport transport;
	struct smb_options options;
	struct smb_conn *conn;
	struct smb_session *session;
	struct smb_tree *tree;
	struct fake_server server;
	uint64_t began;
};

static inline int client_setup(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 7};
	static struct client client;

	RtlZeroMemory(&client, sizeof(client));
	if (!NT_SUCCESS(nt_initialize(&config)) || !NT_SUCCESS(smb_transport_start(&client.transport)))
		return -1;
	client.options.min_dialect = SMB2_DIALECT_202;
	client.options.max_dialect = SMB2_DIALECT_311;
	client.options.conn.timeout = SMB_SECOND;
	client.options.conn.echo_interval = 30 * SMB_SECOND;
	*state = &client;
	return 0;
}

/* Nothing is left: no connection, no byte of pool. */
static inline int client_teardown(void **state)
{
	struct client *c = *state;

	smb_tree_put(c->tree);
	smb_session_put(c->session);
	smb_conn_put(c->conn);
	smb_transport_stop(&c->transport);
	if (c->server.script != NULL)
		fake_stop(&c->server);
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static inline NTSTATUS client_connect(struct client *c, void (*script)(struct fake_conn *f), void *context)
{
	assert_true(fake_start(&c->server, script, context));
	c->began = KeQueryInterruptTime();
	return smb_conn_connect(&c->transport, "127.0.0.1", c->server.port, 2 * SMB_SECOND, &c->options.conn,
				&c->conn);
}

static inline uint64_t client_deadline(void)
{
	return KeQueryInterruptTime() + SMB_SECOND;
}

static inline NTSTATUS client_negotiate(struct client *c)
{
	static const uint8_t guid[SMB2_GUID_SIZE] = {1};

	return smb_negotiate(c->conn, &c->options, guid, client_deadline());
}

static inline NTSTATUS client_login(struct client *c)
{
	struct smb_credentials who = {
		.user = NT_STR(u"alice"), .domain = NT_STR(u""), .password = NT_STR(u"Passw0rd")};

	return smb_session_login(c->conn, &c->options, &who, client_deadline(), &c->session);
}

/* All the way to a share; the script's connection has run fake_handshake(). */
static inline void client_open_share(struct client *c, void (*script)(struct fake_conn *f), void *context)
{
	UNICODE_STRING share = NT_STR(u"share");

	assert_int_equal(client_connect(c, script, context), STATUS_SUCCESS);
	assert_int_equal(client_negotiate(c), STATUS_SUCCESS);
	assert_int_equal(client_login(c), STATUS_SUCCESS);
	assert_int_equal(smb_tree_connect(c->session, &c->options, &share, client_deadline(), &c->tree),
			 STATUS_SUCCESS);
}

/* Less than that many seconds since client_connect(). */
static inline void client_assert_within(const struct client *c, unsigned int seconds)
{
	assert_true(KeQueryInterruptTime() - c->began < seconds * SMB_SECOND);
}

static inline struct smb_exchange *client_echo(struct client *c)
{
	struct smb_exchange *x = smb_tree_exchange(c->tree);
	struct smb_part *part;

	assert_non_null(x);
	part = smb_exchange_add(x, SMB2_ECHO, SMB2_HDR_SIZE + 4, 0);
	assert_non_null(part);
	part->len = smb2_empty_encode(part->bytes, part->cap);
	return x;
}

static inline struct smb_exchange *client_read(struct client *c, void *to, uint32_t length)
{
	struct smb2_read_request req = {.length = length, .file_id = {21, 22}};
	struct smb_exchange *x = smb_tree_exchange(c->tree);
	struct smb_part *part;

	assert_non_null(x);
	part = smb_exchange_add(x, SMB2_READ, SMB2_HDR_SIZE + 64, length);
	assert_non_null(part);
	part->len = smb2_read_request_encode(part->bytes, part->cap, &req);
	part->read_to = to;
	part->read_room = length;
	return x;
}

static inline struct smb_exchange *client_create(struct client *c)
{
	static const uint8_t name[] = {'f', 0};
	struct smb2_create_request req = {.impersonation = 2, .disposition = 1, .name = {name, sizeof(name)}};
	struct smb_exchange *x = smb_tree_exchange(c->tree);
	struct smb_part *part;

	assert_non_null(x);
	part = smb_exchange_add(x, SMB2_CREATE, 256, 0);
	assert_non_null(part);
	part->len = smb2_create_request_encode(part->bytes, part->cap, &req);
	return x;
}

static inline NTSTATUS client_run(struct smb_exchange *x)
{
	NTSTATUS status = smb_exchange_run(x);

	smb_exchange_put(x);
	return status;
}

#endif
