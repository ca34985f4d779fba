/*
 * test_folder_leases.c - leases on folders: asked for where the server has them, named by what we change below, ended by
 * a break, which is acknowledged.
 */
#include "support/door_rig.h"
#include "support/fake_server.h"

#define LEASING (SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_LEASING)
#define R_AND_H (SMB2_LEASE_READ_CACHING | SMB2_LEASE_HANDLE_CACHING)

/* What the server saw of the last create, and what it does. Written before the client is asked to do something. */
static struct {
	uint32_t grants; /* SMB2_LEASE_... for folders */
	atomic_bool asked;
	struct smb2_lease lease; /* of the last create; when asked */
	uint8_t folder_key[SMB2_LEASE_KEY_SIZE];
	atomic_uint acknowledged; /* breaks */
	uint32_t acknowledged_state;
} server;

static struct fake_server fake;

/* ---- the server ------------------------------------------------------------------------------------- */

static void send_break(struct fake_conn *f)
{
	struct smb2_break brk = {.is_lease = true,
				 .flags = SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED,
				 .new_epoch = 2,
				 .current_state = R_AND_H,
				 .new_state = SMB2_LEASE_READ_CACHING};

	memcpy(brk.lease_key, server.folder_key, SMB2_LEASE_KEY_SIZE);
	fake_send_break(f, &brk);
}

static void answer_open(struct fake_conn *f)
{
	struct smb2_create_request req;
	struct smb2_create_response rsp = {.create_action = 1, .file_id = {21, 22}};
	struct smb2_lease grant;
	bool folder, granted;

	if (!smb2_create_request_decode(&f->request, &req))
		return;
	folder = (req.options & FILE_DIRECTORY_FILE) != 0;
	rsp.file_attributes = folder ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_NORMAL;
	atomic_store(&server.asked, fake_lease_asked(&req, &server.lease));
	granted = folder && req.disposition == FILE_OPEN && atomic_load(&server.asked) && server.grants != 0;
	if (granted) {
		grant = server.lease;
		memcpy(server.folder_key, grant.key, SMB2_LEASE_KEY_SIZE);
		grant.state = server.grants;
		grant.flags = 0;
		grant.epoch = 1;
	}
	fake_answer_open(f, &rsp, granted ? &grant : NULL);
	if (fake_is_named(req.name, "break"))
		send_break(f);
}

static void answer_break(struct fake_conn *f)
{
	struct smb2_break ack;

	if (!fake_answer_ack(f, &ack))
		return;
	server.acknowledged_state = ack.new_state;
	atomic_fetch_add(&server.acknowledged, 1);
}

static void answer_one(struct fake_conn *f)
{
	switch (f->request.hdr.command) {
	case SMB2_CREATE:
		answer_open(f);
		break;
	case SMB2_CLOSE:
		fake_answer_close(f);
		break;
	case SMB2_OPLOCK_BREAK:
		answer_break(f);
		break;
	case SMB2_CANCEL:
		break;
	case SMB2_QUERY_INFO:
		fake_answer_error(f, (uint32_t)STATUS_NOT_SUPPORTED);
		break;
	default:
		fake_answer_empty(f);
	}
}

static void serve(struct fake_conn *f)
{
	fake_serve(f, answer_one);
}

/* ---- the client ------------------------------------------------------------------------------------- */

static void connect_to(uint16_t dialect, uint32_t capabilities)
{
	memset(&server, 0, sizeof(server));
	server.grants = R_AND_H;
	assert_true(fake_start_as(&fake, dialect, capabilities, serve, NULL));
	assert_true(door_rig_start());
	assert_int_equal(door_rig_connect(fake.port, NULL), STATUS_SUCCESS);
}

static void disconnect(void)
{
	door_rig_disconnect();
	assert_true(door_rig_stop());
	fake_stop(&fake);
}

static NTSTATUS open_name(const char *path, ACCESS_MASK access, ULONG disposition, ULONG options, ULONG query,
			  struct door_opened *opened)
{
	struct door_open open = {
		.access = access, .disposition = disposition, .options = options, .query = query};

	return door_rig_open(path, open, opened);
}

static void open_folder(const char *path, struct door_opened *opened)
{
	assert_int_equal(open_name(path, FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE,
				   DOOR_QUERY_SYMLINK, opened),
			 STATUS_SUCCESS);
}

/* A file made and closed in one message. */
static void make_file(const char *path)
{
	struct door_opened opened;

	assert_int_equal(open_name(path, FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_CREATE, 0,
				   DOOR_QUERY_SYMLINK | DOOR_QUERY_CLOSE, &opened),
			 STATUS_SUCCESS);
}

static bool names_parent(const uint8_t *key)
{
	return atomic_load(&server.asked) && server.lease.version == 2 &&
	       (server.lease.flags & SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET) != 0 &&
	       memcmp(server.lease.parent_key, key, SMB2_LEASE_KEY_SIZE) == 0;
}

/* ---- tests ------------------------------------------------------------------------------------------ */

/* A folder's lease is asked for with version 2, R and H, never W; what it grants lets the opener keep names. */
static void test_a_folder_is_leased(void **state)
{
	struct door_opened opened;

	(void)state;
	connect_to(SMB2_DIALECT_302, LEASING | SMB2_GLOBAL_CAP_DIRECTORY_LEASING);
	open_folder("d", &opened);
	assert_true(atomic_load(&server.asked));
	assert_int_equal(server.lease.version, 2);
	assert_int_equal(server.lease.state, R_AND_H);
	assert_true(opened.read_caching);
	assert_int_equal(door_close(opened.file, NULL), STATUS_SUCCESS);
	/* nothing that was not granted is kept */
	server.grants = 0;
	open_folder("d", &opened);
	assert_true(atomic_load(&server.asked));
	assert_false(opened.read_caching);
	assert_int_equal(door_close(opened.file, NULL), STATUS_SUCCESS);
	disconnect();
}

/* A server that has no such leases is not asked: without the capability, or before 3.0. */
static void test_not_where_the_server_has_none(void **state)
{
	static const struct {
		uint16_t dialect;
		uint32_t capabilities;
	} old[] = {{SMB2_DIALECT_302, LEASING}, {SMB2_DIALECT_210, LEASING}};
	struct door_opened opened;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		connect_to(old[i].dialect, old[i].capabilities);
		open_folder("d", &opened);
		assert_false(atomic_load(&server.asked));
		assert_false(opened.read_caching);
		make_file("d/f"); /* and nothing is named that is not there */
		assert_false(atomic_load(&server.asked) &&
			     (server.lease.flags & SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET) != 0);
		assert_int_equal(door_close(opened.file, NULL), STATUS_SUCCESS);
		disconnect();
	}
}

/* What we change below a leased folder names the folder's key, in any spelling of its path; nothing else does. */
static void test_own_changes_name_the_folder(void **state)
{
	struct door_opened opened, file;
	uint8_t key[SMB2_LEASE_KEY_SIZE];

	(void)state;
	connect_to(SMB2_DIALECT_302, LEASING | SMB2_GLOBAL_CAP_DIRECTORY_LEASING);
	open_folder("d", &opened);
	memcpy(key, server.folder_key, sizeof(key));
	make_file("d/f");
	assert_true(names_parent(key));
	assert_int_equal(server.lease.state, 0); /* closed at once: nothing to keep */
	assert_memory_not_equal(server.lease.key, key, sizeof(key));
	make_file("D/g");
	assert_true(names_parent(key));
	assert_int_equal(open_name("d/h", FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE, FILE_OPEN_IF, 0,
				   DOOR_QUERY_SYMLINK, &file),
			 STATUS_SUCCESS);
	assert_true(names_parent(key));
	assert_int_equal(door_close(file.file, NULL), STATUS_SUCCESS);
	make_file("other");
	assert_false(names_parent(key));
	make_file("d/sub/f");
	assert_false(names_parent(key));
	assert_int_equal(door_close(opened.file, NULL), STATUS_SUCCESS);
	make_file("d/late"); /* the lease went with the handle */
	assert_false(names_parent(key));
	disconnect();
}

/* A break ends what is kept, whatever it leaves, and is acknowledged; the next open asks anew. */
static void test_a_break_ends_it(void **state)
{
	struct door_opened opened, again;
	static struct keeper keeper;

	(void)state;
	connect_to(SMB2_DIALECT_302, LEASING | SMB2_GLOBAL_CAP_DIRECTORY_LEASING);
	open_folder("d", &opened);
	keep(&keeper, &opened);
	make_file("d/f");
	assert_int_equal(KeReadStateEvent(&keeper.purged), 0);
	make_file("break"); /* the server's word for: now */
	assert_true(is_purged(&keeper));
	await(&server.acknowledged, 1);
	assert_int_equal(server.acknowledged_state, SMB2_LEASE_READ_CACHING);
	keep_no_more(&keeper);
	assert_int_equal(door_close(opened.file, NULL), STATUS_SUCCESS);
	open_folder("d", &again);
	assert_true(atomic_load(&server.asked));
	assert_int_equal(server.lease.state & R_AND_H, R_AND_H);
	assert_true(again.read_caching);
	assert_int_equal(door_close(again.file, NULL), STATUS_SUCCESS);
	assert_int_equal(atomic_load(&server.acknowledged), 1);
	disconnect();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_folder_is_leased),
		cmocka_unit_test(test_not_where_the_server_has_none),
		cmocka_unit_test(test_own_changes_name_the_folder),
		cmocka_unit_test(test_a_break_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
