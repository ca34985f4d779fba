/*
 * test_fuse_wire.c - the FUSE front end fed with raw requests over a socket pair: no kernel, no mount, and a
 * driver that answers when the test says so.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "front/fuse/fuse_int.h"
#include "stuck_driver.h"

static struct door *door;
static struct door_volume *volume;
static struct rdr_fuse *fuse;
static struct nt_thread *runner;
static int run_result;
static int kernel; /* our end */
static uint64_t unique;
static LONG objects_before;

struct reply {
	struct fuse_out_header header;
	char payload[70000];
};

static void run(void *context)
{
	(void)context;
	run_result = rdr_fuse_run(fuse);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint32_t asker; /* uid of the next requests */

static uint64_t ask(uint32_t opcode, uint64_t node, const void *payload, size_t length)
{
	struct fuse_in_header in = {.len = (uint32_t)(sizeof(in) + length),
				    .opcode = opcode,
				    .unique = ++unique * 2,
				    .nodeid = node,
				    .uid = asker,
				    .gid = asker,
				    .pid = (uint32_t)getpid()};
	struct iovec iov[2] = {{&in, sizeof(in)}, {(void *)(uintptr_t)payload, length}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	assert_int_equal(sendmsg(kernel, &msg, 0), in.len);
	return in.unique;
}

/* False: nothing came within the time. */
static bool hear(struct reply *reply, int milliseconds)
{
	struct pollfd p = {.fd = kernel, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, milliseconds) <= 0)
		return false;
	n = recv(kernel, reply, sizeof(*reply), 0);
	assert_true(n >= (ssize_t)sizeof(reply->header));
	assert_int_equal(n, reply->header.len);
	return true;
}

static uint64_t last_interrupt;
static uint64_t unheard[4]; /* the last releases that nobody waited for: their answers come when they like */
static unsigned int releases_unheard;

static bool is_unheard(uint64_t id)
{
	for (size_t i = 0; i < sizeof(unheard) / sizeof(unheard[0]); i++)
		if (unheard[i] == id)
			return true;
	return false;
}

/*
 * The answer to @id, or the test fails after 30 s.  An interrupt that came after its request had ended is
 * answered EAGAIN, as the protocol has it; what the front end tells of its own (unique 0) is passed over.
 */
static void expect(uint64_t id, int error, struct reply *reply)
{
	do
		assert_true(hear(reply, 30000));
	while (reply->header.unique == 0 || is_unheard(reply->header.unique) ||
	       (reply->header.unique == last_interrupt && reply->header.error == -EAGAIN));
	assert_true(reply->header.unique == id);
	assert_int_equal(reply->header.error, -error);
}

static void interrupt(uint64_t id)
{
	struct fuse_interrupt_in in = {.unique = id};

	last_interrupt = ask(FUSE_INTERRUPT, 0, &in, sizeof(in));
}

static void shake_hands(void)
{
	struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION,
				  .minor = 31,
				  .max_readahead = 1 << 20,
				  .flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES |
					   FUSE_WRITEBACK_CACHE | FUSE_PARALLEL_DIROPS |
					   FUSE_AUTO_INVAL_DATA};
	const struct fuse_init_out *out;
	struct reply reply;

	expect(ask(FUSE_INIT, 0, &in, sizeof(in)), 0, &reply);
	out = (const void *)reply.payload;
	assert_int_equal(out->max_write, 1 << 20);
	assert_int_equal(out->flags & FUSE_WRITEBACK_CACHE, 0);
	assert_int_not_equal(out->flags & FUSE_ASYNC_READ, 0);
	assert_int_not_equal(out->flags & FUSE_AUTO_INVAL_DATA, 0);
}

static int start(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 3};
	struct door_connect connect = {.server = "stuck", .share = "share"};

	(void)state;
	if (!NT_SUCCESS(nt_initialize(&config)) || !NT_SUCCESS(door_start(&stuck_driver, &door)))
		return -1;
	return NT_SUCCESS(door_volume_connect(door, NULL, &connect, &volume)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	door_volume_disconnect(volume);
	if (!NT_SUCCESS(door_stop(door)))
		return -1;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static int enter(void **state)
{
	struct rdr_fuse_options options = {.size = sizeof(options), .mountpoint = "/", .actimeo_ms = 1000};
	struct rdr_fuse_failure failure;
	int pair[2];

	(void)state;
	objects_before = stuck_open_objects();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	kernel = pair[0];
	options.device = pair[1];
	if (rdr_fuse_mount(&options, volume, &fuse, &failure) != RDR_FUSE_OK) {
		fprintf(stderr, "%s\n", failure.text);
		return -1;
	}
	if (!NT_SUCCESS(nt_thread_create("run", run, NULL, &runner)))
		return -1;
	shake_hands();
	return 0;
}

static int leave(void **state)
{
	(void)state;
	stuck_hold_reads(FALSE, FALSE);
	stuck_release_reads();
	stuck_gate(TRUE);
	stuck_gate_ends(TRUE);
	rdr_fuse_stop(fuse);
	if (runner != NULL)
		nt_thread_join(runner);
	rdr_fuse_destroy(fuse);
	close(kernel);
	/* Whatever happened: nothing stays open. */
	return stuck_open_objects() == objects_before ? 0 : -1;
}

static uint64_t look_up(const char *name)
{
	struct reply reply;

	expect(ask(FUSE_LOOKUP, FUSE_ROOT_ID, name, strlen(name) + 1), 0, &reply);
	return ((const struct fuse_entry_out *)(const void *)reply.payload)->nodeid;
}

static uint64_t open_node(uint64_t node)
{
	struct fuse_open_in in = {.flags = O_RDONLY};
	struct reply reply;

	expect(ask(FUSE_OPEN, node, &in, sizeof(in)), 0, &reply);
	return ((const struct fuse_open_out *)(const void *)reply.payload)->fh;
}

static void release(uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};
	struct reply reply;

	expect(ask(FUSE_RELEASE, node, &in, sizeof(in)), 0, &reply);
}

static uint64_t ask_read(uint64_t node, uint64_t fh)
{
	struct fuse_read_in in = {.fh = fh, .size = 4096};

	return ask(FUSE_READ, node, &in, sizeof(in));
}

/* Waits until @count reads are inside the driver; fails after 30 s. */
static void await_reads(ULONG count)
{
	uint64_t limit = now_ms() + 30000;
	LARGE_INTEGER tick = {.QuadPart = -10 * 1000};

	while (stuck_reads_held() != count) {
		assert_true(now_ms() < limit);
		KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
}

/* Lookup, open, read and release travel through, and a name that is not there is ENOENT. */
static void test_plain_requests(void **state)
{
	uint64_t node = look_up("file"), fh = open_node(node);
	struct reply reply;

	(void)state;
	expect(ask_read(node, fh), 0, &reply);
	assert_int_equal(reply.header.len, sizeof(reply.header) + 1);
	expect(ask(FUSE_LOOKUP, FUSE_ROOT_ID, "none", 5), ENOENT, &reply);
	release(node, fh);
}

/* Reads occupy no thread: more of them wait than there are threads, and others are served meanwhile. */
static void test_waiting_reads_occupy_no_thread(void **state)
{
	enum { COUNT = 150 }; /* as many answers as a socket holds */
	static bool answered[COUNT];
	uint64_t node = look_up("file"), fh = open_node(node), first;
	struct rdr_fuse_counters counters;
	struct reply reply;
	int i;

	(void)state;
	memset(answered, 0, sizeof(answered));
	stuck_hold_reads(TRUE, FALSE);
	first = ask_read(node, fh);
	for (i = 1; i < COUNT; i++)
		ask_read(node, fh);
	await_reads(COUNT);
	assert_true(look_up("file") == node);
	rdr_fuse_query_counters(fuse, &counters);
	assert_true(counters.threads < 32);
	stuck_hold_reads(FALSE, FALSE);
	stuck_release_reads();
	for (i = 0; i < COUNT; i++) {
		uint64_t index;

		assert_true(hear(&reply, 30000));
		assert_int_equal(reply.header.error, 0);
		index = (reply.header.unique - first) / 2;
		assert_true(index < COUNT && !answered[index]);
		answered[index] = true;
	}
	release(node, fh);
}

/* An interrupted read whose driver obeys the cancellation ends with EINTR. */
static void test_interrupt_obeyed(void **state)
{
	uint64_t node = look_up("file"), fh = open_node(node), id;
	struct reply reply;

	(void)state;
	stuck_hold_reads(TRUE, TRUE);
	id = ask_read(node, fh);
	await_reads(1);
	interrupt(id);
	expect(id, EINTR, &reply);
	assert_int_equal(stuck_reads_held(), 0);
	release(node, fh);
}

/* The caller gets EINTR within a second although the driver ignores him; the late end is answered no more. */
static void test_interrupt_ignored(void **state)
{
	uint64_t node = look_up("file"), fh = open_node(node), id, began;
	struct rdr_fuse_counters counters;
	struct reply reply;

	(void)state;
	stuck_hold_reads(TRUE, FALSE);
	id = ask_read(node, fh);
	await_reads(1);
	began = now_ms();
	interrupt(id);
	expect(id, EINTR, &reply);
	assert_true(now_ms() - began < 3000); /* 1 s, and what a busy machine adds */
	assert_int_equal(stuck_reads_held(), 1);
	rdr_fuse_query_counters(fuse, &counters);
	assert_int_equal(counters.interrupts, 1);
	/* The handle may be released although the driver still reads through it. */
	release(node, fh);
	stuck_hold_reads(FALSE, FALSE);
	stuck_release_reads();
	assert_false(hear(&reply, 200));
}

/* What ends soon ends normally: programs do not expect EINTR from files for every timer signal. */
static void test_interrupt_of_a_quick_request(void **state)
{
	uint64_t node = look_up("file"), fh = open_node(node), id;
	struct reply reply;

	(void)state;
	stuck_hold_reads(TRUE, TRUE);
	id = ask_read(node, fh);
	await_reads(1);
	interrupt(id);
	stuck_hold_reads(FALSE, TRUE);
	stuck_release_reads();
	expect(id, 0, &reply);
	assert_int_equal(reply.header.len, sizeof(reply.header) + 1);
	release(node, fh);
}

/* An open that the driver keeps is answered EINTR; when it succeeds later its handle is closed. */
static void test_interrupted_open_is_closed_late(void **state)
{
	uint64_t node = look_up("slow"), id, limit;
	struct fuse_open_in in = {.flags = O_RDONLY};
	LARGE_INTEGER tick = {.QuadPart = -10 * 1000};
	LONG before = stuck_open_objects();
	struct reply reply;

	(void)state;
	stuck_gate(FALSE);
	id = ask(FUSE_OPEN, node, &in, sizeof(in));
	limit = now_ms() + 30000;
	while (stuck_opens_waiting() != 1) {
		assert_true(now_ms() < limit);
		KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	interrupt(id);
	expect(id, EINTR, &reply);
	/* Others are served while the thread is kept. */
	assert_true(look_up("file") != 0);
	stuck_gate(TRUE);
	while (stuck_opens_waiting() != 0 || stuck_open_objects() != before) {
		assert_true(now_ms() < limit);
		KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	assert_false(hear(&reply, 100));
}

/* Stopping answers what is in flight and ends, although the driver keeps everything for a while. */
static void test_stop_with_requests_in_flight(void **state)
{
	uint64_t node = look_up("file"), fh = open_node(node), began;
	struct reply reply;
	int i, answers = 0;

	(void)state;
	stuck_hold_reads(TRUE, FALSE);
	for (i = 0; i < 10; i++)
		ask_read(node, fh);
	await_reads(10);
	began = now_ms();
	rdr_fuse_stop(fuse);
	for (i = 0; i < 10 && hear(&reply, 5000); i++)
		answers += reply.header.error == -EINTR;
	assert_int_equal(answers, 10);
	assert_true(now_ms() - began < 5000);
}

static void refuse(void *over)
{
	front_refuse_until(fuse, over);
}

/*
 * A program may wait for an answer when nobody serves the mount any more, and a notification for the lock that the program
 * holds: until the last notification is out requests are refused; those that expect no answer get none.
 */
static void test_requests_after_the_end_are_refused(void **state)
{
	struct fuse_forget_in forget = {.nlookup = 1};
	uint64_t node = look_up("file");
	struct fuse_getattr_in in = {0};
	struct nt_thread *refuser;
	struct reply reply;
	KEVENT over;

	(void)state;
	rdr_fuse_stop(fuse);
	nt_thread_join(runner);
	runner = NULL;
	KeInitializeEvent(&over, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("refuse", refuse, &over, &refuser), STATUS_SUCCESS);
	(void)ask(FUSE_FORGET, node, &forget, sizeof(forget));
	expect(ask(FUSE_LOOKUP, FUSE_ROOT_ID, "file", 5), ENOTCONN, &reply);
	expect(ask(FUSE_GETATTR, FUSE_ROOT_ID, &in, sizeof(in)), ENOTCONN, &reply);
	KeSetEvent(&over, IO_NO_INCREMENT, FALSE);
	nt_thread_join(refuser);
	assert_false(hear(&reply, 100));
}

/* What is read from the device is answered, also at the moment when the mount is stopped. */
static void test_no_request_is_lost_by_a_stop(void **state)
{
	enum { COUNT = 50 };
	struct nt_thread *refuser;
	struct reply reply;
	KEVENT over;
	int i;

	(void)state;
	for (i = 0; i < COUNT / 2; i++)
		(void)ask(FUSE_LOOKUP, FUSE_ROOT_ID, "none", 5);
	rdr_fuse_stop(fuse);
	for (; i < COUNT; i++)
		(void)ask(FUSE_LOOKUP, FUSE_ROOT_ID, "none", 5);
	nt_thread_join(runner);
	runner = NULL;
	KeInitializeEvent(&over, NotificationEvent, FALSE);
	assert_int_equal(nt_thread_create("refuse", refuse, &over, &refuser), STATUS_SUCCESS);
	for (i = 0; i < COUNT;) {
		assert_true(hear(&reply, 30000));
		i += reply.header.unique != 0;
	}
	KeSetEvent(&over, IO_NO_INCREMENT, FALSE);
	nt_thread_join(refuser);
}

/* access() answers by the modes that are shown: root may what local root may, others what the bits say. */
static void test_access_by_the_modes_shown(void **state)
{
	struct fuse_access_in write = {.mask = W_OK}, read = {.mask = R_OK | X_OK};
	uint64_t node = look_up("file");
	struct reply reply;

	(void)state;
	expect(ask(FUSE_ACCESS, node, &write, sizeof(write)), 0, &reply);
	expect(ask(FUSE_ACCESS, FUSE_ROOT_ID, &write, sizeof(write)), 0, &reply);
	asker = 1000; /* neither the owner nor of the group: r-x of 0755 */
	expect(ask(FUSE_ACCESS, FUSE_ROOT_ID, &read, sizeof(read)), 0, &reply);
	expect(ask(FUSE_ACCESS, FUSE_ROOT_ID, &write, sizeof(write)), EACCES, &reply);
	expect(ask(FUSE_ACCESS, node, &read, sizeof(read)), 0, &reply);
	expect(ask(FUSE_ACCESS, node, &write, sizeof(write)), EACCES, &reply);
	asker = 0;
}

static uint64_t open_to_write(uint64_t node)
{
	struct {
		struct fuse_write_in in;
		char byte;
	} write = {.in.size = 1};
	struct fuse_open_in in = {.flags = O_WRONLY};
	struct reply reply;

	expect(ask(FUSE_OPEN, node, &in, sizeof(in)), 0, &reply);
	write.in.fh = ((const struct fuse_open_out *)(const void *)reply.payload)->fh;
	expect(ask(FUSE_WRITE, node, &write, sizeof(write.in) + 1), 0, &reply);
	return write.in.fh;
}

/* The handle is released, and its end waits in the driver. */
static void release_into_the_gate(uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};
	LARGE_INTEGER tick = {.QuadPart = -10 * 1000};
	uint64_t limit = now_ms() + 30000;

	stuck_gate_ends(FALSE);
	unheard[releases_unheard++ % 4] = ask(FUSE_RELEASE, node, &in, sizeof(in));
	while (stuck_ends_waiting() != 1) {
		assert_true(now_ms() < limit);
		KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
}

/*
 * A server gives a file its last times when the handle that wrote it ends, which close() does not wait for: who asks for
 * them meanwhile, by number or by name, is answered afterwards.
 */
static void test_times_after_the_last_close(void **state)
{
	uint64_t node = look_up("file"), id;
	struct fuse_getattr_in in = {0};
	const struct fuse_attr_out *attr;
	const struct fuse_entry_out *entry;
	struct reply reply;
	uint32_t before;

	(void)state;
	expect(ask(FUSE_GETATTR, node, &in, sizeof(in)), 0, &reply);
	before = ((const struct fuse_attr_out *)(const void *)reply.payload)->attr.mtimensec;

	release_into_the_gate(node, open_to_write(node));
	id = ask(FUSE_GETATTR, node, &in, sizeof(in));
	while (hear(&reply, 100))
		assert_true(reply.header.unique != id);
	stuck_gate_ends(TRUE);
	expect(id, 0, &reply);
	attr = (const void *)reply.payload;
	assert_int_equal(attr->attr.mtimensec, before + 100);

	release_into_the_gate(node, open_to_write(node));
	id = ask(FUSE_LOOKUP, FUSE_ROOT_ID, "file", 5);
	stuck_gate_ends(TRUE);
	expect(id, 0, &reply);
	entry = (const void *)reply.payload;
	assert_int_equal(entry->attr.mtimensec, before + 200);
}

/* Who has asked through the handle while it was open is told to ask again when it has ended; a reader's end is no news. */
static void test_the_kernel_hears_of_new_times(void **state)
{
	uint64_t node = look_up("file"), fh = open_to_write(node), id;
	const struct fuse_notify_inval_inode_out *notice;
	struct fuse_getattr_in ask_in = {0};
	struct fuse_release_in in = {.fh = fh};
	struct reply reply;
	bool heard = false, answered = false;

	(void)state;
	expect(ask(FUSE_GETATTR, node, &ask_in, sizeof(ask_in)), 0, &reply);
	id = ask(FUSE_RELEASE, node, &in, sizeof(in));
	while (!heard || !answered) {
		assert_true(hear(&reply, 30000));
		if (reply.header.unique == id) {
			answered = true;
			continue;
		}
		assert_int_equal(reply.header.unique, 0);
		assert_int_equal(reply.header.error, FUSE_NOTIFY_INVAL_INODE);
		notice = (const void *)reply.payload;
		assert_true(notice->ino == node && notice->off < 0);
		heard = true;
	}
	release(node, open_node(node));
	assert_false(hear(&reply, 100));
}

/* Every request that is not offered says so. */
static void test_what_is_not_offered(void **state)
{
	struct fuse_getxattr_in xattr[2] = {{.size = 100}};
	struct fuse_lseek_in seek = {.whence = SEEK_HOLE};
	struct fuse_rename2_in exchange[2] = {{.newdir = FUSE_ROOT_ID, .flags = 2}};
	uint64_t node = look_up("file");
	struct reply reply;

	(void)state;
	expect(ask(FUSE_GETXATTR, node, xattr, sizeof(xattr)), ENOSYS, &reply);
	expect(ask(FUSE_LSEEK, node, &seek, sizeof(seek)), ENOSYS, &reply);
	memcpy(&exchange[1], "a\0b", 4);
	expect(ask(FUSE_RENAME2, FUSE_ROOT_ID, exchange, sizeof(exchange)), EINVAL, &reply);
}

#define T(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_plain_requests),
		T(test_waiting_reads_occupy_no_thread),
		T(test_interrupt_obeyed),
		T(test_interrupt_ignored),
		T(test_interrupt_of_a_quick_request),
		T(test_interrupted_open_is_closed_late),
		T(test_stop_with_requests_in_flight),
		T(test_requests_after_the_end_are_refused),
		T(test_no_request_is_lost_by_a_stop),
		T(test_access_by_the_modes_shown),
		T(test_times_after_the_last_close),
		T(test_the_kernel_hears_of_new_times),
		T(test_what_is_not_offered),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
