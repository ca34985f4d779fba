/*
 * fake_files.c - see the header.
 */
#include "fake_files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "mrx/smb/wire/fscc.h"

#define WIRE_END_OF_FILE 0xC0000011u
#define WIRE_NOT_SUPPORTED 0xC00000BBu
#define WIRE_LOCK_NOT_GRANTED 0xC0000055u

enum { PATIENCE_SECONDS = 10 };

void fake_files_lock(struct fake_files *f)
{
	(void)pthread_mutex_lock(&f->lock);
}

void fake_files_unlock(struct fake_files *f)
{
	(void)pthread_mutex_unlock(&f->lock);
}

void fake_files_init(struct fake_files *f)
{
	memset(f, 0, sizeof(*f));
	(void)pthread_mutex_init(&f->lock, NULL);
	(void)pthread_cond_init(&f->changed, NULL);
	f->dialect = SMB2_DIALECT_300;
	f->capabilities = SMB2_GLOBAL_CAP_LEASING | SMB2_GLOBAL_CAP_LARGE_MTU;
	f->oplock_level = SMB2_OPLOCK_LEVEL_LEASE;
	f->epoch = 1;
	f->id = 77;
	f->time = 133000000000000000ull;
	f->reported_size = UINT64_MAX;
	f->refused_lock = UINT64_MAX;
}

/* ---- what came --------------------------------------------------------------------------------------- */

static void remember(struct fake_files *f, uint16_t command, uint64_t file_id, const struct smb2_break *ack)
{
	struct fake_event *event = &f->log[f->log_count];

	if (f->log_count == FAKE_LOG_SIZE)
		return;
	event->command = command;
	event->file_id = file_id;
	if (ack != NULL)
		event->ack = *ack;
	f->log_count++;
	(void)pthread_cond_broadcast(&f->changed);
}

static unsigned int count_locked(struct fake_files *f, uint16_t command)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->log_count; i++)
		n += f->log[i].command == command;
	return n;
}

unsigned int fake_files_count(struct fake_files *f, uint16_t command)
{
	unsigned int n;

	fake_files_lock(f);
	n = count_locked(f, command);
	fake_files_unlock(f);
	return n;
}

static struct timespec limit(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += PATIENCE_SECONDS;
	return at;
}

bool fake_files_wait(struct fake_files *f, uint16_t command, unsigned int count)
{
	struct timespec until = limit();
	bool came;

	fake_files_lock(f);
	while (!(came = count_locked(f, command) >= count))
		if (pthread_cond_timedwait(&f->changed, &f->lock, &until) == ETIMEDOUT)
			break;
	fake_files_unlock(f);
	return came;
}

struct smb2_break fake_files_last_ack(struct fake_files *f)
{
	struct smb2_break ack = {0};

	fake_files_lock(f);
	for (unsigned int i = 0; i < f->log_count; i++)
		if (f->log[i].command == SMB2_OPLOCK_BREAK)
			ack = f->log[i].ack;
	fake_files_unlock(f);
	return ack;
}

/* ---- breaks ------------------------------------------------------------------------------------------ */

static bool break_locked(struct fake_files *f, const struct smb2_break *brk)
{
	uint8_t bytes[SMB2_HDR_SIZE + 64];

	if (f->conn == NULL)
		return false;
	fake_send_message(f->conn, bytes, fake_break_encode(bytes, sizeof(bytes), 0, brk));
	return true;
}

bool fake_files_break(struct fake_files *f, const struct smb2_break *brk)
{
	bool sent;

	fake_files_lock(f);
	sent = break_locked(f, brk);
	fake_files_unlock(f);
	return sent;
}

struct smb2_break fake_lease_break(struct fake_files *f, uint32_t from, uint32_t to, uint16_t epoch)
{
	struct smb2_break brk = {
		.is_lease = true, .current_state = from, .new_state = to, .new_epoch = epoch};

	/* MS-SMB2 3.3.4.7: an acknowledgement unless only R is lost */
	if (from != SMB2_LEASE_READ_CACHING)
		brk.flags = SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED;
	fake_files_lock(f);
	memcpy(brk.lease_key, f->asked.key, SMB2_LEASE_KEY_SIZE);
	fake_files_unlock(f);
	return brk;
}

void fake_files_drop(struct fake_files *f)
{
	fake_files_lock(f);
	if (f->conn != NULL)
		(void)shutdown(f->conn->fd, SHUT_RDWR);
	fake_files_unlock(f);
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static void answer(struct fake_conn *c, size_t len)
{
	struct smb2_hdr hdr = fake_answer_header(c, 0);

	fake_seal_answer(c, &hdr, len);
	fake_send_answer(c);
}

static uint32_t attributes_of(const struct smb2_create_request *req)
{
	bool folder = req->name.len == 0 || req->name.p[0] == 'd';

	return folder ? 0x10 : 0x20;
}

/* The grant of one create, as the test wants it. */
static uint8_t grant(struct fake_files *f, const struct smb2_create_request *req,
		     struct smb2_create_context_list *list)
{
	struct wire_slice data;
	struct smb2_lease given;

	f->asked_level = req->oplock_level;
	if (req->oplock_level == SMB2_OPLOCK_LEVEL_NONE)
		return SMB2_OPLOCK_LEVEL_NONE;
	if (req->oplock_level != SMB2_OPLOCK_LEVEL_LEASE)
		return req->oplock_level < f->oplock_level ? req->oplock_level : f->oplock_level;
	if (f->oplock_level != SMB2_OPLOCK_LEVEL_LEASE)
		return f->oplock_level; /* that nobody asked for */
	if (!smb2_create_context_find(req->contexts, SMB2_CREATE_LEASE, &data) ||
	    !smb2_lease_decode(data, &f->asked))
		return SMB2_OPLOCK_LEVEL_NONE;
	given = f->asked;
	given.epoch = f->epoch;
	if (f->has_grant)
		given.state = f->grant;
	if (f->other_key)
		given.key[0] ^= 0xFF;
	(void)smb2_lease_append(list, &given);
	return SMB2_OPLOCK_LEVEL_LEASE;
}

static void answer_ack(struct fake_conn *c, struct fake_files *f)
{
	struct smb2_break ack;

	if (!smb2_break_ack_decode(&c->request, &ack))
		memset(&ack, 0, sizeof(ack));
	remember(f, SMB2_OPLOCK_BREAK, ack.file_id.volatile_id, &ack);
	if (f->mute_acks)
		return;
	if (f->ack_status != 0)
		fake_answer_error(c, f->ack_status);
	else
		answer(c, smb2_break_ack_encode(c->out, FAKE_MESSAGE_MAX, &ack));
}

/* A second handle: the first one's oplock goes before it is given out. What comes meanwhile can only be the answer. */
static void wait_for_ack(struct fake_conn *c, struct fake_files *f)
{
	struct smb2_break brk = {.oplock_level = SMB2_OPLOCK_LEVEL_II,
				 .file_id = {f->breaks_on_create, f->breaks_on_create}};
	const struct fake_conn create = *c;

	f->breaks_on_create = 0;
	(void)break_locked(f, &brk);
	c->in = malloc(FAKE_MESSAGE_MAX);
	if (c->in != NULL && fake_read(c) && c->request.hdr.command == SMB2_OPLOCK_BREAK)
		answer_ack(c, f);
	free(c->in);
	c->in = create.in;
	c->in_len = create.in_len;
	c->request = create.request;
}

static struct smb2_file_id answer_create(struct fake_conn *c, struct fake_files *f)
{
	struct smb2_create_request req;
	uint8_t contexts[256];
	struct smb2_create_context_list list = {.buf = contexts, .cap = sizeof(contexts)};
	struct smb2_disk_id id = {.file_id = f->id, .volume_id = 1};
	struct smb2_create_response rsp = {.create_action = 1};

	if (!smb2_create_request_decode(&c->request, &req)) {
		fake_answer_error(c, WIRE_NOT_SUPPORTED);
		return (struct smb2_file_id){0};
	}
	f->opens++;
	rsp.file_id = (struct smb2_file_id){f->opens, f->opens};
	rsp.file_attributes = attributes_of(&req);
	rsp.oplock_level = grant(f, &req, &list);
	rsp.last_write_time = rsp.change_time = rsp.creation_time = rsp.last_access_time = f->time;
	if (rsp.file_attributes == 0x20)
		rsp.end_of_file = f->reported_size != UINT64_MAX ? f->reported_size : f->size;
	else
		id.file_id = 5;
	if (f->new_id_each_time)
		f->id++;
	(void)smb2_disk_id_append(&list, &id);
	rsp.contexts = smb2_create_context_list_slice(&list);
	remember(f, SMB2_CREATE, f->opens, NULL);
	if (f->before_create != NULL && rsp.file_attributes == 0x20) {
		memcpy(f->before_create->lease_key, f->asked.key, SMB2_LEASE_KEY_SIZE);
		f->before_create->file_id = rsp.file_id;
		(void)break_locked(f, f->before_create);
		f->before_create = NULL;
	}
	if (f->breaks_on_create != 0)
		wait_for_ack(c, f);
	answer(c, smb2_create_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
	return rsp.file_id;
}

static void answer_query(struct fake_conn *c, struct fake_files *f)
{
	struct smb2_query_info_request req;
	struct fscc_all all = {.basic = {.attributes = 0x20}};
	uint8_t bytes[256];
	size_t len;

	if (!smb2_query_info_request_decode(&c->request, &req) || req.info_type != SMB2_0_INFO_FILE ||
	    req.info_class != FSCC_FILE_ALL) {
		fake_answer_error(c, WIRE_NOT_SUPPORTED);
		return;
	}
	all.basic.creation_time = all.basic.last_access_time = f->time;
	all.basic.last_write_time = all.basic.change_time = f->time;
	all.standard.end_of_file = f->reported_size != UINT64_MAX ? f->reported_size : f->size;
	all.standard.number_of_links = 1;
	all.index_number = f->id;
	len = fscc_all_encode(bytes, sizeof(bytes), &all);
	answer(c, smb2_output_response_encode(c->out, FAKE_MESSAGE_MAX, wire_slice_at(bytes, 0, len)));
}

static void answer_read(struct fake_conn *c, struct fake_files *f)
{
	struct smb2_read_request req;
	uint64_t n;

	if (!smb2_read_request_decode(&c->request, &req) || req.offset >= f->size) {
		fake_answer_error(c, WIRE_END_OF_FILE);
		return;
	}
	remember(f, SMB2_READ, req.file_id.volatile_id, NULL);
	n = f->size - req.offset < req.length ? f->size - req.offset : req.length;
	fake_answer_read(c, f->data + req.offset, (uint32_t)n);
}

static void answer_write(struct fake_conn *c, struct fake_files *f)
{
	struct smb2_write_request req;
	struct smb2_write_response rsp = {0};
	struct wire_slice data;

	if (!smb2_write_request_decode(&c->request, &req, &data) || req.offset > FAKE_FILE_SIZE - data.len) {
		fake_answer_error(c, WIRE_NOT_SUPPORTED);
		return;
	}
	remember(f, SMB2_WRITE, req.file_id.volatile_id, NULL);
	if (f->write_status != 0) {
		fake_answer_error(c, f->write_status);
		return;
	}
	memcpy(f->data + req.offset, data.p, data.len);
	if (f->size < req.offset + data.len)
		f->size = req.offset + data.len;
	rsp.count = (uint32_t)data.len;
	answer(c, smb2_write_response_encode(c->out, FAKE_MESSAGE_MAX, &rsp));
}

static void answer_close(struct fake_conn *c, struct fake_files *f)
{
	struct smb2_close_request req;

	remember(f, SMB2_CLOSE, smb2_close_request_decode(&c->request, &req) ? req.file_id.volatile_id : 0,
		 NULL);
	fake_answer_close(c);
}

static void answer_lock(struct fake_conn *c, struct fake_files *f)
{
	struct fake_event *event = &f->log[f->log_count];
	struct smb2_lock_request req;
	bool refused = false;

	if (f->log_count == FAKE_LOG_SIZE || !smb2_lock_request_decode(&c->request, &req)) {
		fake_answer_error(c, WIRE_NOT_SUPPORTED);
		return;
	}
	event->locks = req.count;
	for (uint16_t i = 0; i < req.count; i++) {
		(void)smb2_lock_element_at(&c->request, i, &event->lock);
		refused = refused || event->lock.offset == f->refused_lock;
	}
	remember(f, SMB2_LOCK, req.file_id.volatile_id, NULL);
	if (refused)
		fake_answer_error(c, WIRE_LOCK_NOT_GRANTED);
	else
		fake_answer_empty(c);
}

static void serve_pdu(struct fake_conn *c, struct fake_files *f)
{
	switch (c->request.hdr.command) {
	case SMB2_CREATE:
		(void)answer_create(c, f);
		break;
	case SMB2_QUERY_INFO:
		answer_query(c, f);
		break;
	case SMB2_READ:
		answer_read(c, f);
		break;
	case SMB2_WRITE:
		answer_write(c, f);
		break;
	case SMB2_OPLOCK_BREAK:
		answer_ack(c, f);
		break;
	case SMB2_CLOSE:
		answer_close(c, f);
		break;
	case SMB2_LOCK:
		answer_lock(c, f);
		break;
	case SMB2_CANCEL:
		break;
	case SMB2_ECHO:
	case SMB2_LOGOFF:
	case SMB2_TREE_DISCONNECT:
	case SMB2_FLUSH:
		remember(f, c->request.hdr.command, 0, NULL);
		fake_answer_empty(c);
		break;
	case SMB2_SET_INFO:
		remember(f, SMB2_SET_INFO, 0, NULL);
		answer(c, smb2_set_info_response_encode(c->out, FAKE_MESSAGE_MAX));
		break;
	default:
		fake_answer_error(c, WIRE_NOT_SUPPORTED);
		break;
	}
}

/* Each PDU of a compound is answered in a message of its own. False: the connection ends. */
static bool serve_message(struct fake_conn *c, struct fake_files *f)
{
	size_t offset = 0;
	bool creates = false;

	while (smb2_compound_next(c->in, c->in_len, &offset, &c->request) == 1) {
		/* a related request leaves these to the first */
		c->request.hdr.session_id = FAKE_SESSION_ID;
		c->request.hdr.tree_id = FAKE_TREE_ID;
		creates = creates || c->request.hdr.command == SMB2_CREATE;
		serve_pdu(c, f);
	}
	return !creates || !f->drop_after_create;
}

static void set_conn(struct fake_files *f, struct fake_conn *c)
{
	fake_files_lock(f);
	f->conn = c;
	f->connections += c != NULL;
	(void)pthread_cond_broadcast(&f->changed);
	fake_files_unlock(f);
}

static void script(struct fake_conn *c)
{
	struct fake_files *f = c->server->context;
	bool go_on = true;

	if (!fake_negotiate(c) || !fake_login(c) || !fake_tree_connect(c))
		return;
	set_conn(f, c);
	while (go_on && fake_read(c)) {
		fake_files_lock(f);
		go_on = serve_message(c, f);
		fake_files_unlock(f);
	}
	set_conn(f, NULL);
}

bool fake_files_start(struct fake_files *f)
{
	return fake_start_as(&f->server, f->dialect, f->capabilities, script, f);
}

void fake_files_stop(struct fake_files *f)
{
	fake_files_drop(f);
	fake_stop(&f->server);
	(void)pthread_cond_destroy(&f->changed);
	(void)pthread_mutex_destroy(&f->lock);
}
