/*
 * control.c - the daemon's control socket.
 *
 * One line of JSON in, one line out, then the connection ends:
 *   {"rdr":1,"command":"list"}     who this daemon is
 *   {"rdr":1,"command":"status"}   the same, its objects and counters
 *   {"rdr":1,"command":"check"}    the same, and whether its objects agree with each other
 *   {"rdr":1,"command":"stats"}    the same, and what has been counted since it began
 *   {"rdr":1,"command":"umount","force":false}   answered when the daemon ends, with its verdict,
 *                                  or at once when the mount is in use
 *
 * Owns:      the socket in the user's run directory; its thread; the connections of those who
 *            wait for the end.
 * Found by:  client.c, which asks every socket in the folder.
 * Locks:     `lock` guards the list of waiting connections.
 * Rules:     only the same user (or root) is answered: the peer's uid comes from the kernel.  No
 *            answer depends on a server.  A peer that is slow is dropped after 2 s.
 * Dies when: rdr_control_stop() ends the thread, rdr_control_finish() tells the verdict.
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
#include <sys/time.h>
#include <time.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_WAITERS 16
#define PEER_SECONDS 2
#define MAX_REQUEST 4096

struct rdr_control {
	/* constant after rdr_control_start() */
	struct rdr_control_info info;
	char *path;
	int listener;
	int wake[2];
	pthread_t thread;

	pthread_mutex_t lock;
	int waiter[MAX_WAITERS]; /* under lock: connections that asked for the end */
	unsigned int waiters;
};

static void send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* the peer went or is too slow: its loss */
		bytes += n;
		length -= (size_t)n;
	}
}

static void send_json(int fd, struct rdr_json *json)
{
	rdr_json_close(json, '}');
	if (!json->failed) {
		send_all(fd, json->text, json->length);
		send_all(fd, "\n", 1);
	}
	rdr_json_free(json);
}

static void begin_answer(struct rdr_json *json, bool ok)
{
	memset(json, 0, sizeof(*json));
	rdr_json_open(json, NULL, '{');
	rdr_json_number(json, "rdr", RDR_CONTROL_VERSION);
	rdr_json_bool(json, "ok", ok);
}

static void send_refusal(int fd, const char *why)
{
	struct rdr_json json;

	begin_answer(&json, false);
	rdr_json_string(&json, "error", why);
	send_json(fd, &json);
}

static void put_identity(const struct rdr_control *control, struct rdr_json *json)
{
	const char *also = control->info.also(control->info.context);

	rdr_json_string(json, "version", RDR_VERSION);
	rdr_json_number(json, "pid", getpid());
	rdr_json_string(json, "source", control->info.source);
	rdr_json_string(json, "directory", control->info.directory);
	if (also != NULL)
		rdr_json_string(json, "also", also);
}

/* Takes over @fd when it returns TRUE: it waits for the verdict. */
static bool add_waiter(struct rdr_control *control, int fd)
{
	bool added = false;

	pthread_mutex_lock(&control->lock);
	if (control->waiters < MAX_WAITERS) {
		control->waiter[control->waiters++] = fd;
		added = true;
	}
	pthread_mutex_unlock(&control->lock);
	return added;
}

/* Returns TRUE when @fd is kept. */
static bool answer(struct rdr_control *control, int fd, const char *line, size_t length)
{
	struct rdr_json_value *request = rdr_json_parse(line, length);
	const char *command = rdr_json_get_string(request, "command", "");
	bool force = rdr_json_get_number(request, "force", 0) != 0;
	bool kept = false;
	struct rdr_json json;

	if (rdr_json_get_number(request, "rdr", 0) != RDR_CONTROL_VERSION) {
		send_refusal(fd, "unknown version of the control protocol");
	} else if (strcmp(command, "list") == 0 || strcmp(command, "status") == 0 ||
		   strcmp(command, "check") == 0 || strcmp(command, "stats") == 0) {
		begin_answer(&json, true);
		put_identity(control, &json);
		if (strcmp(command, "status") == 0)
			control->info.status(control->info.context, &json);
		else if (strcmp(command, "stats") == 0)
			control->info.stats(control->info.context, &json);
		else if (command[0] == 'c')
			control->info.check(control->info.context, &json);
		send_json(fd, &json);
	} else if (strcmp(command, "umount") == 0) {
		kept = add_waiter(control, fd);
		if (kept)
			control->info.unmount(control->info.context, force);
		else
			send_refusal(fd, "too many ask for the end already");
	} else {
		send_refusal(fd, "unknown command");
	}
	rdr_json_value_free(request);
	return kept;
}

static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/* Reads one line, at most PEER_SECONDS long in all. */
static ssize_t read_line(int fd, char *line, size_t capacity)
{
	struct timespec now, end;
	size_t length = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PEER_SECONDS;
	while (length < capacity) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		clock_gettime(CLOCK_MONOTONIC, &now);
		long left = (end.tv_sec - now.tv_sec) * 1000 + (end.tv_nsec - now.tv_nsec) / 1000000;

		if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
			return -1;
		ssize_t n = recv(fd, line + length, capacity - length, 0);

		if (n <= 0)
			return -1;
		length += (size_t)n;
		if (memchr(line, '\n', length) != NULL)
			return (ssize_t)length;
	}
	return -1;
}

static void serve_peer(struct rdr_control *control, int fd)
{
	const struct timeval limit = {.tv_sec = PEER_SECONDS};
	char line[MAX_REQUEST];
	bool kept = false;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!may_ask(fd)) {
		send_refusal(fd, "this mount belongs to another user");
	} else {
		ssize_t length = read_line(fd, line, sizeof(line));

		if (length > 0)
			kept = answer(control, fd, line, (size_t)length);
	}
	if (!kept)
		close(fd);
}

static void *control_thread(void *argument)
{
	struct rdr_control *control = argument;

	control->info.thread_begin(control->info.context);
	for (;;) {
		struct pollfd ready[2] = {
			{.fd = control->listener, .events = POLLIN},
			{.fd = control->wake[0], .events = POLLIN},
		};

		if (poll(ready, 2, -1) < 0 && errno != EINTR)
			break;
		if (ready[1].revents != 0)
			break;
		if (ready[0].revents == 0)
			continue;
		int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			serve_peer(control, fd);
	}
	control->info.thread_end(control->info.context);
	return NULL;
}

/*
 * Binds under a name that nobody looks for, and renames when it listens: a socket that is in
 * the folder and refuses is dead, always.
 */
static int open_socket(struct rdr_control *control, const char *folder, struct rdr_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/.%d.new", folder, (int)getpid()) >=
		    (int)sizeof(address.sun_path) ||
	    asprintf(&control->path, "%s/%d.sock", folder, (int)getpid()) < 0)
		return rdr_fail(error, RDR_SYSTEM, "control socket: the name of %s is too long", folder);
	(void)unlink(address.sun_path); /* left by a process that had our pid */
	control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control->listener < 0 ||
	    bind(control->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(address.sun_path, 0600) != 0 || listen(control->listener, 16) != 0 ||
	    rename(address.sun_path, control->path) != 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot make the control socket in %s: %s", folder,
				strerror(errno));
	return 0;
}

static void free_control(struct rdr_control *control)
{
	if (control->listener >= 0)
		close(control->listener);
	for (int i = 0; i < 2; i++) {
		if (control->wake[i] >= 0)
			close(control->wake[i]);
	}
	pthread_mutex_destroy(&control->lock);
	free(control->path);
	free(control);
}

/**
 * rdr_control_start - open the socket and answer on a thread of its own
 * @info:    [in] copied; what it points to is borrowed until rdr_control_stop()
 * @control: [out]
 *
 * Return: 0 or RDR_SYSTEM.
 */
int rdr_control_start(const struct rdr_control_info *info, struct rdr_control **out, struct rdr_error *error)
{
	char *folder = NULL;
	int code = rdr_run_directory(&folder, error);
	struct rdr_control *control = calloc(1, sizeof(*control));

	*out = NULL;
	if (code == 0 && control == NULL)
		code = rdr_fail(error, RDR_SYSTEM, "out of memory");
	if (control != NULL) {
		control->info = *info;
		control->listener = -1;
		control->wake[0] = control->wake[1] = -1;
		pthread_mutex_init(&control->lock, NULL);
	}
	if (code == 0)
		code = open_socket(control, folder, error);
	free(folder);
	if (code == 0 && pipe2(control->wake, O_CLOEXEC) != 0)
		code = rdr_fail(error, RDR_SYSTEM, "control socket: %s", strerror(errno));
	if (code == 0) {
		int why = pthread_create(&control->thread, NULL, control_thread, control);

		if (why != 0)
			code = rdr_fail(error, RDR_SYSTEM, "control socket: %s", strerror(why));
	}
	if (code != 0) {
		if (control != NULL) {
			if (control->path != NULL)
				(void)unlink(control->path);
			free_control(control);
		}
		return code;
	}
	*out = control;
	return 0;
}

/* Ends the thread; who waits for the end goes on waiting for rdr_control_finish(). */
void rdr_control_stop(struct rdr_control *control)
{
	char byte = 0;

	(void)unlink(control->path);
	while (write(control->wake[1], &byte, 1) < 0 && errno == EINTR)
		;
	pthread_join(control->thread, NULL);
}

static void take_waiters(struct rdr_control *control, int *fds, unsigned int *count)
{
	pthread_mutex_lock(&control->lock);
	*count = control->waiters;
	memcpy(fds, control->waiter, sizeof(control->waiter));
	control->waiters = 0;
	pthread_mutex_unlock(&control->lock);
}

/* Tells those who asked for the end that it will not come: the mount is in use. */
void rdr_control_refuse(struct rdr_control *control, const char *why)
{
	int fds[MAX_WAITERS];
	unsigned int count = 0;

	take_waiters(control, fds, &count);
	for (unsigned int i = 0; i < count; i++) {
		send_refusal(fds[i], why);
		close(fds[i]);
	}
}

/**
 * rdr_control_finish - tell the verdict and free
 * @exit_code: of the daemon
 * @leaked:    bytes of pool that nobody freed; 0 is the "no leaks" verdict
 * @report:    one line per tag, or ""
 */
void rdr_control_finish(struct rdr_control *control, int exit_code, unsigned long leaked, const char *report)
{
	int fds[MAX_WAITERS];
	unsigned int count = 0;

	take_waiters(control, fds, &count);
	for (unsigned int i = 0; i < count; i++) {
		struct rdr_json json;

		begin_answer(&json, true);
		rdr_json_number(&json, "exit_code", exit_code);
		rdr_json_number(&json, "leaked_bytes", (long long)leaked);
		rdr_json_string(&json, "report", report);
		send_json(fds[i], &json);
		close(fds[i]);
	}
	free_control(control);
}
