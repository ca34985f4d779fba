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
#define LIST_MS 3000

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A connected socket, or -1 with errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

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

static int ask_path(const char *path, const char *command, bool force, int timeout_ms,
		    struct rdr_json_value **answer, char **raw, struct rdr_error *error)
{
	char request[128];
	size_t length = 0;
	int fd = connect_to(path);

	*answer = NULL;
	if (fd < 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot reach the daemon: %s", strerror(errno));
	int size = snprintf(request, sizeof(request), "{\"rdr\":%d,\"command\":\"%s\",\"force\":%s}\n",
			    RDR_CONTROL_VERSION, command, force ? "true" : "false");

	if (send(fd, request, (size_t)size, MSG_NOSIGNAL) != size) {
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

static void add_peer(const char *folder, const char *name, bool remove_dead, struct rdr_peer ***link)
{
	struct rdr_error error;
	struct rdr_peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return;
	if (asprintf(&peer->socket_path, "%s/%s", folder, name) < 0) {
		free(peer);
		return;
	}
	int fd = connect_to(peer->socket_path);

	if (fd < 0) {
		if (remove_dead && errno == ECONNREFUSED)
			(void)unlink(peer->socket_path);
		rdr_peers_free(peer);
		return;
	}
	close(fd);
	(void)ask_path(peer->socket_path, "list", false, LIST_MS, &peer->hello, NULL, &error);
	if (peer->hello == NULL) {
		rdr_peers_free(peer);
		return;
	}
	**link = peer;
	*link = &peer->next;
}

/**
 * rdr_peers_find - every daemon of this user that answers
 * @remove_dead: take sockets without a process away
 *
 * Return: a list for rdr_peers_free(); NULL when there is none.
 */
struct rdr_peer *rdr_peers_find(bool remove_dead)
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
	return peers;
}

void rdr_peers_free(struct rdr_peer *peers)
{
	while (peers != NULL) {
		struct rdr_peer *next = peers->next;

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
