/*
 * client.c - asking the daemons of this user.
 *
 * Owns:      the list of struct rdr_peer between rdr_peers_find() and rdr_peers_free().
 * Rules:     an answer is awaited for a bounded time and read up to a bounded size.  A socket
 *            that refuses has no process behind it and is removed.
 */
#include "rdr.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_ANSWER (256u << 20) /* bytes; a status with a million objects */
#define LIST_MS 2000
#define MAX_REQUEST 128
#define MAX_PEERS 1024

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A connected socket, or -1 with errno. */
static int connect_to(const char *path, int flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* Reads to the end of the connection; malloc'ed, NULL on time-out, error or too much. */
static char *read_answer(int fd, int timeout_ms, size_t *length)
{
	long end = now_ms() + timeout_ms;
	size_t capacity = 65536;
	char *text = malloc(capacity);

	*length = 0;
	while (text != NULL) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		long left = end - now_ms();

		if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
			break;
		if (*length + 1 == capacity) {
			char *larger = capacity < MAX_ANSWER ? realloc(text, capacity * 2) : NULL;

			if (larger == NULL)
				break;
			text = larger;
			capacity *= 2;
		}
		ssize_t n = recv(fd, text + *length, capacity - 1 - *length, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		if (n == 0) {
			text[*length] = '\0';
			return text;
		}
		*length += (size_t)n;
	}
	free(text);
	return NULL;
}

/* One line; @command is a word of ours. */
static size_t make_request(char request[MAX_REQUEST], const char *command, bool force)
{
	return (size_t)snprintf(request, MAX_REQUEST, "{\"rdr\":%d,\"command\":\"%s\",\"force\":%s}\n",
				RDR_CONTROL_VERSION, command, force ? "true" : "false");
}

static int ask_path(const char *path, const char *command, bool force, int timeout_ms,
		    struct rdr_json_value **answer, char **raw, struct rdr_error *error)
{
	char request[MAX_REQUEST];
	size_t length = 0;
	int fd = connect_to(path, 0);

	*answer = NULL;
	if (fd < 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot reach the daemon: %s", strerror(errno));
	size_t size = make_request(request, command, force);

	if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
		close(fd);
		return rdr_fail(error, RDR_SYSTEM, "cannot ask the daemon: %s", strerror(errno));
	}
	char *text = read_answer(fd, timeout_ms, &length);

	close(fd);
	if (text == NULL)
		return rdr_fail(error, RDR_SYSTEM, "the daemon did not answer within %d s",
				timeout_ms / 1000);
	*answer = rdr_json_parse(text, length);
	if (*answer == NULL) {
		free(text);
		return rdr_fail(error, RDR_SYSTEM, "the daemon's answer is not usable");
	}
	if (raw != NULL)
		*raw = text;
	else
		free(text);
	if (rdr_json_get_number(*answer, "ok", 0) == 0)
		return rdr_fail(error, RDR_MOUNT_FAILED, "%s",
				rdr_json_get_string(*answer, "error", "refused"));
	return 0;
}

/**
 * rdr_peer_ask - send one command to a daemon and wait for its answer
 * @answer: [out] for rdr_json_value_free(); may be set also when an error is returned
 * @raw:    [out] its text, malloc'ed; may be NULL
 *
 * Return: 0; RDR_MOUNT_FAILED when the daemon refused (its reason is the text); RDR_SYSTEM.
 */
int rdr_peer_ask(const struct rdr_peer *peer, const char *command, bool force, int timeout_ms,
		 struct rdr_json_value **answer, char **raw, struct rdr_error *error)
{
	return ask_path(peer->socket_path, command, force, timeout_ms, answer, raw, error);
}

/* Connects to one socket of a folder and asks who is there; the answer is read later, with all others. */
static void add_peer(const char *folder, const char *name, bool remove_dead, struct rdr_peer ***link)
{
	char request[MAX_REQUEST];
	struct rdr_peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return;
	peer->fd = -1;
	if (asprintf(&peer->socket_path, "%s/%s", folder, name) < 0)
		peer->socket_path = NULL;
	else
		peer->fd = connect_to(peer->socket_path, SOCK_NONBLOCK);
	if (peer->fd < 0) {
		if (peer->socket_path != NULL && remove_dead && errno == ECONNREFUSED)
			(void)unlink(peer->socket_path);
		rdr_peers_free(peer);
		return;
	}
	(void)send(peer->fd, request, make_request(request, "list", false),
		   MSG_NOSIGNAL); /* no answer tells */
	**link = peer;
	*link = &peer->next;
}

/* Takes in what has arrived; at the end of the connection the answer is whole. */
static void read_hello(struct rdr_peer *peer)
{
	ssize_t n = recv(peer->fd, peer->text + peer->length, sizeof(peer->text) - peer->length, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && peer->length + (size_t)n < sizeof(peer->text)) {
		peer->length += (size_t)n;
		return;
	}
	if (n == 0)
		peer->hello = rdr_json_parse(peer->text, peer->length);
	close(peer->fd);
	peer->fd = -1;
}

static bool is_wanted(const struct rdr_peer *peer, const char *wanted)
{
	return wanted != NULL && peer->hello != NULL && rdr_peer_serves(peer, wanted);
}

/* Reads all answers side by side, so that one daemon that is stuck does not stand for all. */
static void read_hellos(struct rdr_peer *peers, const char *wanted)
{
	long end = now_ms() + LIST_MS;

	for (;;) {
		struct pollfd ready[MAX_PEERS];
		struct rdr_peer *asked[MAX_PEERS];
		nfds_t count = 0;

		for (struct rdr_peer *peer = peers; peer != NULL && count < MAX_PEERS; peer = peer->next) {
			if (is_wanted(peer, wanted))
				return;
			if (peer->fd < 0)
				continue;
			ready[count] = (struct pollfd){.fd = peer->fd, .events = POLLIN};
			asked[count++] = peer;
		}
		long left = end - now_ms();

		if (count == 0 || left <= 0 || poll(ready, count, (int)left) <= 0)
			return;
		for (nfds_t i = 0; i < count; i++) {
			if (ready[i].revents != 0)
				read_hello(asked[i]);
		}
	}
}

/* Takes those out that did not say who they are. */
static struct rdr_peer *keep_known(struct rdr_peer *peers)
{
	struct rdr_peer **link = &peers;

	while (*link != NULL) {
		struct rdr_peer *peer = *link;

		if (peer->hello != NULL) {
			link = &peer->next;
			continue;
		}
		*link = peer->next;
		peer->next = NULL;
		rdr_peers_free(peer);
	}
	return peers;
}

/**
 * rdr_peers_find - every daemon of this user that answers
 * @wanted:      the directory that is looked for, a second one too: its daemon's answer ends the search; NULL: all of them
 * @remove_dead: take sockets without a process away
 *
 * Return: a list for rdr_peers_free(); NULL when there is none.
 */
struct rdr_peer *rdr_peers_find(const char *wanted, bool remove_dead)
{
	char *folders[3];
	unsigned int count = rdr_run_directories(folders, 3);
	struct rdr_peer *peers = NULL;
	struct rdr_peer **link = &peers;

	for (unsigned int i = 0; i < count; i++) {
		DIR *folder = opendir(folders[i]);
		struct dirent *entry;

		while (folder != NULL && (entry = readdir(folder)) != NULL) {
			size_t length = strlen(entry->d_name);

			if (length > 5 && strcmp(entry->d_name + length - 5, ".sock") == 0)
				add_peer(folders[i], entry->d_name, remove_dead, &link);
		}
		if (folder != NULL)
			closedir(folder);
		free(folders[i]);
	}
	read_hellos(peers, wanted);
	return keep_known(peers);
}

void rdr_peers_free(struct rdr_peer *peers)
{
	while (peers != NULL) {
		struct rdr_peer *next = peers->next;

		if (peers->fd >= 0)
			close(peers->fd);
		rdr_json_value_free(peers->hello);
		free(peers->socket_path);
		free(peers);
		peers = next;
	}
}

const char *rdr_peer_directory(const struct rdr_peer *peer)
{
	return rdr_json_get_string(peer->hello, "directory", "");
}

/* The second directory that the daemon serves (rdr mount --also), while it is mounted; NULL: none. */
const char *rdr_peer_also(const struct rdr_peer *peer)
{
	const char *also = rdr_json_get_string(peer->hello, "also", NULL);
	struct rdr_mount_entry entry;
	bool mounted;

	if (also == NULL)
		return NULL;
	/* taken away while somebody is in it, it is still served */
	mounted = rdr_mount_find(also, &entry) && rdr_mount_is_ours(&entry);
	rdr_mount_entry_free(&entry);
	return mounted ? also : NULL;
}

bool rdr_peer_serves(const struct rdr_peer *peer, const char *absolute)
{
	const char *also;

	if (strcmp(rdr_peer_directory(peer), absolute) == 0)
		return true;
	also = rdr_peer_also(peer);
	return also != NULL && strcmp(also, absolute) == 0;
}
