/*
 * test_fuse_lease.c - names under a lease of their folder, and folders that are watched: the front end, fed with raw
 * requests, over the SMB driver and a scripted server that grants such leases, or says what it likes to who waits for a
 * change. No kernel, no mount.
 */
#include "door_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/fuse/fuse_front.h"
#include "mrx/smb/wire/fscc.h"

#include "fake_server.h"

#define TRUST_MS 100
#define NOT_FOUND ((uint32_t)STATUS_OBJECT_NAME_NOT_FOUND)
#define R_AND_H (SMB2_LEASE_READ_CACHING | SMB2_LEASE_HANDLE_CACHING)
#define LEASING (SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_LEASING | SMB2_GLOBAL_CAP_DIRECTORY_LEASING)

static struct {
	atomic_uint asked;  /* names below the root that the server was asked for */
	atomic_uint leases; /* granted to an open of the root that stays */
	atomic_uint watches;
	uint32_t news; /* the status that answers whoever waits for a change, at once */
	bool nonsense; /* its words */
	atomic_uint acknowledged;
	atomic_bool there; /* "new" exists */
	uint8_t key[SMB2_LEASE_KEY_SIZE];
	bool listed;     /* the server's cursor */
	uint32_t failed; /* of the create that the next of the compound refers to */
	bool root;       /* that create was of the root */
	bool here;       /* of "here" */
} server;

static struct fake_server fake;
static struct rdr_fuse *fuse;
static struct nt_thread *runner;
static int kernel;
static uint64_t unique;

struct reply {
	struct fuse_out_header header;
	char payload[70000];
};

/* ---- the server ------------------------------------------------------------------------------------- */

/* Somebody else makes "new"; the server tells. */
static void break_lease(struct fake_conn *f)
{
	struct smb2_break brk = {.is_lease = true,
				 .flags = SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED,
				 .new_epoch = 2,
				 .current_state = R_AND_H};

	atomic_store(&server.there, true);
	memcpy(brk.lease_key, server.key, SMB2_LEASE_KEY_SIZE);
	fake_send_break(f, &brk);
}

static void answer_create(struct fake_conn *f)
{
	struct smb2_create_request req;
	struct smb2_create_response rsp = {.create_action = 1, .file_id = {1, 1}};
	struct smb2_lease lease;
	bool leased;

	if (!smb2_create_request_decode(&f->request, &req))
		return;
	server.root = req.name.len == 0;
	server.here = fake_is_named(req.name, "here");
	server.failed =
		server.root || server.here || (fake_is_named(req.name, "new") && atomic_load(&server.there))
			? 0
			: NOT_FOUND;
	if (!server.root)
		atomic_fetch_add(&server.asked, 1);
	if (server.failed != 0) {
		fake_answer_error(f, NOT_FOUND);
		if (fake_is_named(req.name, "break~")) /* asked for whatever a listing says */
			break_lease(f);
		return;
	}
	rsp.file_attributes = server.root ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_NORMAL;
	leased = server.root && fake_lease_asked(&req, &lease) && (lease.state & R_AND_H) == R_AND_H;
	if (leased) {
		memcpy(server.key, lease.key, SMB2_LEASE_KEY_SIZE);
		lease.flags = 0;
		if (req.desired_access == FILE_LIST_DIRECTORY)
			atomic_fetch_add(&server.leases, 1);
	}
	fake_answer_open(f, &rsp, leased ? &lease : NULL);
	server.listed = false;
}

static void answer_query(struct fake_conn *f)
{
	struct fscc_all all = {
		.basic.attributes = server.root ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_NORMAL,
		.standard.number_of_links = 1,
		.standard.directory = server.root,
		.index_number = server.root   ? 2
				: server.here ? 3
					      : 4,
	};
	uint8_t bytes[256];

	if (server.failed != 0)
		fake_answer_error(f, server.failed);
	else
		fake_answer_output(f, wire_slice_at(bytes, 0, fscc_all_encode(bytes, sizeof(bytes), &all)));
}

/* ".", "here", and then no more. */
static void answer_list(struct fake_conn *f)
{
	static const uint8_t dot[] = {'.', 0}, here[] = {'h', 0, 'e', 0, 'r', 0, 'e', 0};
	struct fscc_dir_entry self = {
		.attributes = FILE_ATTRIBUTE_DIRECTORY, .file_id = 2, .name = {dot, sizeof(dot)}};
	struct fscc_dir_entry file = {.attributes = FILE_ATTRIBUTE_NORMAL,
				      .file_id = 3,
				      .end_of_file = 5,
				      .name = {here, sizeof(here)}};
	uint8_t bytes[512];
	size_t pos = 0, last = 0;

	if (server.listed) {
		fake_answer_error(f, (uint32_t)STATUS_NO_MORE_FILES);
		return;
	}
	server.listed = true;
	(void)fscc_dir_append(FSCC_FILE_ID_BOTH_DIRECTORY, bytes, sizeof(bytes), &pos, &last, &self);
	(void)fscc_dir_append(FSCC_FILE_ID_BOTH_DIRECTORY, bytes, sizeof(bytes), &pos, &last, &file);
	fake_answer_output(f, wire_slice_at(bytes, 0, pos));
}

static void answer_break(struct fake_conn *f)
{
	struct smb2_break ack;

	if (fake_answer_ack(f, &ack))
		atomic_fetch_add(&server.acknowledged, 1);
}

static void answer_watch(struct fake_conn *f)
{
	static const uint8_t nonsense[] = {0, 0, 0, 0, 99, 0, 0, 0, 2, 0, 0, 0, 'x', 0};
	struct smb2_hdr hdr = fake_answer_header(f, server.news);
	struct wire_slice words = {nonsense, server.nonsense ? sizeof(nonsense) : 0};

	if (server.news == (uint32_t)STATUS_NOT_SUPPORTED) {
		fake_answer_error(f, server.news);
		return;
	}
	fake_seal_answer(f, &hdr, smb2_output_response_encode(f->out, FAKE_MESSAGE_MAX, words));
	fake_send_answer(f);
}

static void answer_one(struct fake_conn *f)
{
	switch (f->request.hdr.command) {
	case SMB2_CREATE:
		answer_create(f);
		break;
	case SMB2_CLOSE:
		if ((f->request.hdr.flags & SMB2_FLAGS_RELATED_OPERATIONS) && server.failed != 0)
			fake_answer_error(f, server.failed);
		else
			fake_answer_close(f);
		break;
	case SMB2_QUERY_INFO:
		answer_query(f);
		break;
	case SMB2_QUERY_DIRECTORY:
		answer_list(f);
		break;
	case SMB2_OPLOCK_BREAK:
		answer_break(f);
		break;
	case SMB2_CHANGE_NOTIFY:
		atomic_fetch_add(&server.watches, 1);
		answer_watch(f);
		break;
	case SMB2_CANCEL:
		break;
	default:
		fake_answer_empty(f);
	}
}

static void serve(struct fake_conn *f)
{
	fake_serve(f, answer_one);
}

/* ---- the kernel ------------------------------------------------------------------------------------- */

static void run(void *context)
{
	(void)context;
	(void)rdr_fuse_run(fuse);
}

static uint64_t ask(uint32_t opcode, uint64_t node, const void *payload, size_t length)
{
	struct fuse_in_header in = {.len = (uint32_t)(sizeof(in) + length),
				    .opcode = opcode,
				    .unique = ++unique * 2,
				    .nodeid = node,
				    .pid = (uint32_t)getpid()};
	struct iovec iov[2] = {{&in, sizeof(in)}, {(void *)(uintptr_t)payload, length}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	assert_int_equal(sendmsg(kernel, &msg, 0), in.len);
	return in.unique;
}

/* The answer; what the front end tells of its own (unique 0) is not it. */
static int answer_to(uint64_t id, struct reply *reply)
{
	do {
		struct pollfd p = {.fd = kernel, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 30000), 1);
		assert_true(recv(kernel, reply, sizeof(*reply), 0) >= (ssize_t)sizeof(reply->header));
	} while (reply->header.unique == 0);
	assert_true(reply->header.unique == id);
	return -reply->header.error;
}

static int look_up(const char *name, struct reply *reply)
{
	return answer_to(ask(FUSE_LOOKUP, FUSE_ROOT_ID, name, strlen(name) + 1), reply);
}

static void mount_it(uint16_t dialect)
{
	struct rdr_fuse_options options = {
		.size = sizeof(options), .mountpoint = "/", .actimeo_ms = TRUST_MS};
	struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = 1 << 20};
	struct rdr_fuse_failure failure;
	struct reply reply;
	int pair[2];

	memset(&server, 0, sizeof(server));
	server.news = (uint32_t)STATUS_NOT_SUPPORTED;
	assert_true(fake_start_as(&fake, dialect, LEASING, serve, NULL));
	assert_true(door_rig_start());
	assert_int_equal(door_rig_connect(fake.port, NULL), STATUS_SUCCESS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	kernel = pair[0];
	options.device = pair[1];
	assert_int_equal(rdr_fuse_mount(&options, volume, &fuse, &failure), RDR_FUSE_OK);
	assert_int_equal(nt_thread_create("run", run, NULL, &runner), STATUS_SUCCESS);
	assert_int_equal(answer_to(ask(FUSE_INIT, 0, &in, sizeof(in)), &reply), 0);
}

static void unmount_it(void)
{
	rdr_fuse_stop(fuse);
	nt_thread_join(runner);
	rdr_fuse_destroy(fuse);
	close(kernel);
	door_rig_disconnect();
	assert_true(door_rig_stop());
	fake_stop(&fake);
}

/* Looks names up that are not there, until the server need not be asked; the names differ from call to call. */
static void look_around(const char *prefix)
{
	struct reply reply;
	unsigned int before, i = 0;
	char name[32];

	do {
		assert_true(i < 1000);
		before = atomic_load(&server.asked);
		snprintf(name, sizeof(name), "%s%u", prefix, i++);
		assert_int_equal(look_up(name, &reply), ENOENT);
	} while (atomic_load(&server.asked) != before);
}

/* ---- tests ------------------------------------------------------------------------------------------ */

/*
 * Under a lease of the folder names that are there, and names that are not, are known for longer than anything is
 * believed without: no message. Attributes are not. A break ends it before it is acknowledged.
 */
static void test_names_are_known_until_the_break(void **state)
{
	const struct fuse_entry_out *entry;
	struct reply reply;
	unsigned int asked;

	(void)state;
	mount_it(SMB2_DIALECT_302);
	look_around("a");
	await(&server.leases, 1);
	pass(TRUST_MS + 20); /* the listing from before the lease proves nothing */
	look_around("b");
	pass(3 * TRUST_MS);
	asked = atomic_load(&server.asked);
	assert_int_equal(look_up("new", &reply), ENOENT);
	assert_int_equal(look_up("here", &reply), 0);
	entry = (const void *)reply.payload;
	assert_true(entry->entry_valid != 0 || entry->entry_valid_nsec != 0);
	assert_true(entry->attr_valid == 0 && entry->attr_valid_nsec == 0);
	assert_int_equal(atomic_load(&server.asked), asked);
	assert_int_equal(atomic_load(&server.watches), 0); /* who has a lease need not be told */

	assert_int_equal(look_up("break~", &reply), ENOENT);
	await(&server.acknowledged, 1);
	assert_int_equal(look_up("new", &reply), 0);
	unmount_it();
}

/* What we do ourselves shows at once, lease or not: a name that we make is there, in every spelling. */
static void test_own_names_show_under_a_lease(void **state)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	char bytes[sizeof(in) + 4];
	struct reply reply;
	unsigned int asked;

	(void)state;
	mount_it(SMB2_DIALECT_302);
	look_around("a");
	await(&server.leases, 1);
	pass(TRUST_MS + 20);
	look_around("b");
	memcpy(bytes, &in, sizeof(in));
	memcpy(bytes + sizeof(in), "new", 4);
	/* the server makes it, and no break tells of it */
	atomic_store(&server.there, true);
	assert_int_equal(answer_to(ask(FUSE_MKDIR, FUSE_ROOT_ID, bytes, sizeof(bytes)), &reply), 0);
	asked = atomic_load(&server.asked);
	assert_int_equal(look_up("new", &reply), 0);
	assert_true(atomic_load(&server.asked) > asked);
	asked = atomic_load(&server.asked);
	(void)look_up("NEW",
		      &reply); /* this server tells spellings apart: what counts is that it was asked */
	assert_true(atomic_load(&server.asked) > asked);
	assert_int_equal(atomic_load(&server.acknowledged), 0);
	unmount_it();
}

/* A file that was cut off by its open is asked for again, although no handle of ours could have written it. */
static void test_a_truncating_open_is_a_change(void **state)
{
	struct fuse_open_in in = {.flags = O_RDONLY | O_TRUNC};
	struct fuse_release_in release = {.fh = 0};
	struct reply reply;
	unsigned int asked;
	uint64_t node;

	(void)state;
	mount_it(SMB2_DIALECT_210);
	look_around("a");
	assert_int_equal(look_up("here", &reply), 0);
	node = ((const struct fuse_entry_out *)(const void *)reply.payload)->nodeid;
	assert_int_equal(answer_to(ask(FUSE_OPEN, node, &in, sizeof(in)), &reply), 0);
	release.fh = ((const struct fuse_open_out *)(const void *)reply.payload)->fh;
	assert_int_equal(answer_to(ask(FUSE_RELEASE, node, &release, sizeof(release)), &reply), 0);
	asked = atomic_load(&server.asked);
	assert_int_equal(look_up("here", &reply), 0);
	assert_true(atomic_load(&server.asked) > asked);
	unmount_it();
}

/* A server that knows no watches is asked for one once. */
static void test_a_server_without_watches(void **state)
{
	(void)state;
	mount_it(SMB2_DIALECT_210);
	look_around("a");
	await(&server.watches, 1);
	pass(1200); /* so long after the end of a watch the folder may have another */
	look_around("b");
	pass(100);
	assert_int_equal(atomic_load(&server.watches), 1);
	unmount_it();
}

/* Who answers every wait at once, with "anything" or with nonsense, is asked less and less often; all else works. */
static void test_a_server_that_always_has_news(void **state)
{
	static const struct {
		NTSTATUS status;
		bool nonsense;
	} lies[] = {{STATUS_NOTIFY_ENUM_DIR, false}, {STATUS_SUCCESS, false}, {STATUS_SUCCESS, true}};
	struct reply reply;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		mount_it(SMB2_DIALECT_210);
		server.news = (uint32_t)lies[i].status;
		server.nonsense = lies[i].nonsense;
		look_around("a");
		await(&server.watches, 2); /* nonsense ends neither the connection nor the watch */
		pass(500);
		assert_true(atomic_load(&server.watches) < 12);
		assert_int_equal(look_up("new", &reply), ENOENT);
		unmount_it();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_known_until_the_break),
		cmocka_unit_test(test_own_names_show_under_a_lease),
		cmocka_unit_test(test_a_truncating_open_is_a_change),
		cmocka_unit_test(test_a_server_without_watches),
		cmocka_unit_test(test_a_server_that_always_has_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
