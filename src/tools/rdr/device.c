/*
 * device.c - the devices of a driver, for programs that drive it: a socket of packets (SOCK_SEQPACKET).
 *
 *   connect, send the device's name (\\.\Name, UTF-8)      -> 4 bytes: the NTSTATUS of the open
 *   then, as often as wanted, one packet:                   -> one packet:
 *     u32 kind (0 DeviceIoControl, 1 FsControl), u32 code,      u32 NTSTATUS, u32 0, u64 bytes that follow,
 *     u32 room for output, u32 bytes of input, the input        the output
 *
 * Numbers are in the machine's order.  A connection is one open and serves one request at a time; who wants more at
 * once connects more often.  A hang-up cancels what runs and closes the open.
 *
 * Owns:      the listening socket; struct peer with its thread, per connection.
 * Locks:     `lock` guards the list of peers.
 * Rules:     only the same user (or root) is served: the peer's uid comes from the kernel, and it is on its behalf that
 *            the driver works.  A packet that is not as above ends the connection.
 * Dies when: rdr_device_stop() has cancelled everything and joined every thread.
 */
#include "rdr.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/door/door.h"

#define MAX_DATA 65536u /* bytes, each way */
#define MAX_PEERS 64

struct request_head {
	uint32_t kind;
	uint32_t code;
	uint32_t out_length;
	uint32_t in_length;
};

struct answer_head {
	uint32_t status;
	uint32_t zero;
	uint64_t returned;
};

struct peer {
	struct rdr_device *device; /* NULL: free */
	int fd;
	pthread_t thread;
	struct door_caller caller;
	struct door_cancel cancel;
	bool ended; /* under lock: may be joined */
	bool fired; /* device thread only: the hang-up was seen */
};

struct rdr_device {
	struct door *door;
	char *path;
	int listener;
	int wake[2];
	pthread_t thread;
	pthread_mutex_t lock;
	struct peer peers[MAX_PEERS];
};

static bool send_packet(int fd, const void *head, size_t head_length, const void *data, size_t length)
{
	struct iovec parts[2] = {{(void *)(uintptr_t)head, head_length}, {(void *)(uintptr_t)data, length}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = length != 0 ? 2 : 1};
	ssize_t n;

	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)(head_length + length);
}

/* The length of a packet; 0 for the end, a packet that is too long, or an error. */
static size_t receive_packet(int fd, void *buffer, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, buffer, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	return n <= 0 || (size_t)n > size ? 0 : (size_t)n;
}

static bool serve_request(struct peer *peer, struct door_user *user, char *packet, size_t length, char *out)
{
	struct answer_head answer = {0};
	struct request_head head;
	ULONG_PTR returned = 0;

	if (length < sizeof(head))
		return false;
	memcpy(&head, packet, sizeof(head));
	if (head.kind > 1 || head.out_length > MAX_DATA || head.in_length != length - sizeof(head))
		return false;
	struct door_control control = {
		.code = head.code,
		.is_fsctl = head.kind == 1,
		.in = packet + sizeof(head),
		.in_length = head.in_length,
		.out = out,
		.out_length = head.out_length,
	};

	memset(out, 0, head.out_length); /* a driver that returns less than it says tells nobody's secrets */
	answer.status = (uint32_t)door_user_control(user, &peer->caller, &control, &returned);
	answer.returned = returned;
	return send_packet(peer->fd, &answer, sizeof(answer), out, returned);
}

static void serve_open(struct peer *peer, char *packet, char *out)
{
	size_t length = receive_packet(peer->fd, packet, 256);
	struct door_user *user = NULL;
	uint32_t status;

	if (length == 0)
		return;
	packet[length] = '\0';
	status = (uint32_t)door_user_open(peer->device->door, packet, &peer->caller, &user);
	if (send_packet(peer->fd, &status, sizeof(status), NULL, 0) && user != NULL) {
		do
			length = receive_packet(peer->fd, packet, sizeof(struct request_head) + MAX_DATA);
		while (length != 0 && serve_request(peer, user, packet, length, out));
	}
	if (user != NULL)
		door_user_close(user, &peer->caller);
}

static void *peer_thread(void *argument)
{
	struct peer *peer = argument;
	char *packet = malloc(sizeof(struct request_head) + MAX_DATA + 1);
	char *out = malloc(MAX_DATA);

	nt_adopt_thread("rdr-device");
	if (packet != NULL && out != NULL)
		serve_open(peer, packet, out);
	nt_release_thread();
	free(packet);
	free(out);
	(void)shutdown(peer->fd,
		       SHUT_RDWR); /* the other end hears of it now; the descriptor goes with the join */
	pthread_mutex_lock(&peer->device->lock);
	peer->ended = true;
	pthread_mutex_unlock(&peer->device->lock);
	while (write(peer->device->wake[1], "e", 1) < 0 && errno == EINTR)
		;
	return NULL;
}

static bool may_use(int fd, struct nt_requester *who)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
	    (peer.uid != geteuid() && peer.uid != 0))
		return false;
	who->pid = peer.pid;
	who->uid = peer.uid;
	who->gid = peer.gid;
	return true;
}

static void admit(struct rdr_device *device)
{
	struct peer *peer = NULL;
	int fd = accept4(device->listener, NULL, NULL, SOCK_CLOEXEC);

	for (int i = 0; i < MAX_PEERS && peer == NULL; i++) {
		if (device->peers[i].device == NULL)
			peer = &device->peers[i];
	}
	if (fd < 0)
		return;
	if (peer != NULL) {
		memset(peer, 0, sizeof(*peer));
		door_cancel_init(&peer->cancel);
		peer->caller.cancel = &peer->cancel;
		peer->fd = fd;
		if (may_use(fd, &peer->caller.requester)) {
			peer->device = device;
			if (pthread_create(&peer->thread, NULL, peer_thread, peer) == 0)
				return;
			peer->device = NULL;
		}
	}
	close(fd);
}

/* Joins who has ended; @all: also who has not, after a cancel. */
static void reap(struct rdr_device *device, bool all)
{
	for (int i = 0; i < MAX_PEERS; i++) {
		struct peer *peer = &device->peers[i];
		bool ended;

		if (peer->device == NULL)
			continue;
		pthread_mutex_lock(&device->lock);
		ended = peer->ended;
		pthread_mutex_unlock(&device->lock);
		if (!ended && !all)
			continue;
		if (!ended) {
			(void)shutdown(peer->fd, SHUT_RDWR);
			door_cancel_fire(&peer->cancel);
		}
		pthread_join(peer->thread, NULL);
		close(peer->fd);
		peer->device = NULL;
	}
}

/* Waits for who comes, who hangs up while a request of his runs, and who has ended.  False: the end. */
static bool attend(struct rdr_device *device)
{
	struct pollfd ready[MAX_PEERS + 2] = {{.fd = device->listener, .events = POLLIN},
					      {.fd = device->wake[0], .events = POLLIN}};
	char byte = 0;

	for (int i = 0; i < MAX_PEERS; i++) {
		const struct peer *peer = &device->peers[i];

		ready[i + 2].fd = peer->device != NULL && !peer->fired ? peer->fd : -1;
		ready[i + 2].events = POLLRDHUP;
	}
	if (poll(ready, MAX_PEERS + 2, -1) < 0)
		return errno == EINTR;
	for (int i = 0; i < MAX_PEERS; i++) {
		if (ready[i + 2].revents == 0)
			continue;
		device->peers[i].fired = true;
		door_cancel_fire(&device->peers[i].cancel);
	}
	if (ready[1].revents != 0 && read(device->wake[0], &byte, 1) == 1 && byte == 'q')
		return false;
	reap(device, false);
	if (ready[0].revents != 0)
		admit(device);
	return true;
}

static void *device_thread(void *argument)
{
	struct rdr_device *device = argument;

	nt_adopt_thread("rdr-devices");
	while (attend(device))
		;
	reap(device, true);
	nt_release_thread();
	return NULL;
}

static int listen_at(struct rdr_device *device, const char *path, struct rdr_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t before;
	int result;

	if (strlen(path) >= sizeof(address.sun_path))
		return rdr_fail(error, RDR_USAGE, "the name of the device socket is too long: %s", path);
	strcpy(address.sun_path, path);
	device->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	before = umask(0177);
	result = device->listener < 0 ? -1
				      : bind(device->listener, (struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (result != 0)
		return rdr_fail(error, RDR_USAGE, "cannot make the device socket %s: %s", path,
				strerror(errno));
	device->path = strdup(path); /* from here on ours to remove */
	if (device->path == NULL || listen(device->listener, 16) != 0 || pipe2(device->wake, O_CLOEXEC) != 0)
		return rdr_fail(error, RDR_SYSTEM, "device socket: %s", strerror(errno));
	return 0;
}

static void device_free(struct rdr_device *device)
{
	if (device->path != NULL)
		(void)unlink(device->path);
	if (device->listener >= 0)
		close(device->listener);
	for (int i = 0; i < 2; i++) {
		if (device->wake[i] >= 0)
			close(device->wake[i]);
	}
	pthread_mutex_destroy(&device->lock);
	free(device->path);
	free(device);
}

/**
 * rdr_device_start - serve the devices of a driver at a socket
 * @path: absolute; must not exist; mode 0600
 *
 * Return: 0, RDR_USAGE, RDR_SYSTEM.
 */
int rdr_device_start(const char *path, struct door *door, struct rdr_device **out, struct rdr_error *error)
{
	struct rdr_device *device = calloc(1, sizeof(*device));
	int code;

	*out = NULL;
	if (device == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	device->door = door;
	device->listener = device->wake[0] = device->wake[1] = -1;
	pthread_mutex_init(&device->lock, NULL);
	code = listen_at(device, path, error);
	if (code == 0) {
		int why = pthread_create(&device->thread, NULL, device_thread, device);

		if (why != 0)
			code = rdr_fail(error, RDR_SYSTEM, "device socket: %s", strerror(why));
	}
	if (code == 0)
		*out = device;
	else
		device_free(device);
	return code;
}

/* Cancels what runs and waits for it; a driver that holds a cancelled request holds this up, as it does a stop. */
void rdr_device_stop(struct rdr_device *device)
{
	if (device == NULL)
		return;
	while (write(device->wake[1], "q", 1) < 0 && errno == EINTR)
		;
	pthread_join(device->thread, NULL);
	device_free(device);
}
