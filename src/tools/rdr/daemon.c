/*
 * daemon.c - going to the background, and telling the parent how it went.
 *
 * Owns:      the pipe between the process that was started and the one that stays.
 * Rules:     the fork comes before any thread.  The child has no terminal, no inherited
 *            descriptor and no standard stream of its parent, so that who reads the parent's
 *            output sees its end.  The parent returns only after the child reported, or ended;
 *            when the child ended without a word, the parent takes away what it left mounted.
 * Dies when: rdr_daemon_free().
 */
#include "rdr.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 5000 /* how long a child that failed may take to end */

struct rdr_daemon {
	int pipe;    /* parent: reads; child: writes; -1: told */
	pid_t child; /* 0 in the child */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	interrupted = signal_number;
}

/* Standard streams to nowhere; every other descriptor but the pipe is closed. */
static int leave_parent(int keep, struct rdr_error *error)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || setsid() < 0 ||
	    chdir("/") != 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot go to the background: %s", strerror(errno));
	if (keep > 3)
		(void)close_range(3, (unsigned int)keep - 1, 0);
	(void)close_range((unsigned int)keep + 1, ~0U, 0);
	return 0;
}

/**
 * rdr_daemon_split - fork
 * @daemon:    [out] in both processes, for rdr_daemon_free()
 * @is_parent: [out] TRUE: call rdr_daemon_wait(); FALSE: call rdr_daemon_report() once
 *
 * Return: 0 or RDR_SYSTEM (then there is no child).
 */
int rdr_daemon_split(struct rdr_daemon **out, bool *is_parent, struct rdr_error *error)
{
	int ends[2];
	struct rdr_daemon *daemon = calloc(1, sizeof(*daemon));

	*out = NULL;
	*is_parent = true;
	if (daemon == NULL || pipe2(ends, O_CLOEXEC) != 0) {
		free(daemon);
		return rdr_fail(error, RDR_SYSTEM, "cannot go to the background: %s", strerror(errno));
	}
	daemon->child = fork();
	if (daemon->child < 0) {
		close(ends[0]);
		close(ends[1]);
		free(daemon);
		return rdr_fail(error, RDR_SYSTEM, "cannot go to the background: %s", strerror(errno));
	}
	*out = daemon;
	*is_parent = daemon->child != 0;
	close(ends[*is_parent ? 1 : 0]);
	daemon->pipe = ends[*is_parent ? 0 : 1];
	if (!*is_parent) {
		int code = leave_parent(daemon->pipe, error);

		openlog("rdr", LOG_PID, LOG_DAEMON);
		if (code != 0) {
			rdr_daemon_report(daemon, error);
			_exit(code);
		}
	}
	return 0;
}

/* Milliseconds until the child is gone are bounded; then it is killed. */
static int reap(pid_t child)
{
	const struct timespec step = {.tv_nsec = 20 * 1000 * 1000};
	int status = 0;

	for (int waited = 0; waited < GRACE_MS; waited += 20) {
		if (waitpid(child, &status, WNOHANG) != 0)
			return status;
		nanosleep(&step, NULL);
	}
	kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static bool read_report(struct rdr_daemon *daemon, struct rdr_error *report)
{
	size_t length = 0;

	while (length < sizeof(*report) && interrupted == 0) {
		ssize_t n = read(daemon->pipe, (char *)report + length, sizeof(*report) - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	report->text[sizeof(report->text) - 1] = '\0';
	return length == sizeof(*report);
}

/**
 * rdr_daemon_wait - the parent: wait for the child's word
 * @directory: absolute; cleaned when the child dies without one
 *
 * ^C and TERM end the child, too.
 *
 * Return: 0 the mount works; else the child's code and text, and the child is gone.
 */
int rdr_daemon_wait(struct rdr_daemon *daemon, const char *directory, struct rdr_error *error)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	struct rdr_error report;
	struct rdr_error ignored;

	memset(&report, 0, sizeof(report));
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	bool told = read_report(daemon, &report);

	if (told && report.code == 0)
		return 0;
	if (interrupted != 0 && !told) {
		kill(daemon->child, SIGTERM);
		(void)reap(daemon->child);
		(void)rdr_detach(directory, true, &ignored);
		return rdr_fail(error, RDR_INTERRUPTED, "interrupted; nothing was mounted");
	}
	int status = reap(daemon->child);

	if (told) {
		*error = report;
		return error->code;
	}
	(void)rdr_detach(directory, true, &ignored);
	if (WIFSIGNALED(status))
		return rdr_fail(error, RDR_BUG, "the daemon died of signal %d (%s) before the mount worked",
				WTERMSIG(status), strsignal(WTERMSIG(status)));
	return rdr_fail(error, RDR_BUG, "the daemon ended with code %d before the mount worked",
			WEXITSTATUS(status));
}

/* The child's one word: NULL, it works; else why not.  Later calls do nothing. */
void rdr_daemon_report(struct rdr_daemon *daemon, const struct rdr_error *error)
{
	struct rdr_error report;

	if (daemon == NULL || daemon->pipe < 0)
		return;
	memset(&report, 0, sizeof(report));
	if (error != NULL)
		report = *error;
	/* shorter than PIPE_BUF: it goes at once; a parent that is gone needs no word */
	while (write(daemon->pipe, &report, sizeof(report)) < 0 && errno == EINTR)
		;
	close(daemon->pipe);
	daemon->pipe = -1;
}

void rdr_daemon_free(struct rdr_daemon *daemon)
{
	if (daemon == NULL)
		return;
	if (daemon->pipe >= 0)
		close(daemon->pipe);
	free(daemon);
}

/* Standard output and error go to @file from now on; called again to reopen it. */
int rdr_log_open(const char *file, struct rdr_error *error)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return rdr_fail(error, RDR_USAGE, "cannot open the log file %s: %s", file, strerror(errno));
	fflush(stderr);
	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
	if (fd > 2)
		close(fd);
	return 0;
}

/**
 * rdr_notify - tell the service manager (sd_notify) how we are
 * @state: "READY=1", "STOPPING=1", ...
 *
 * Silent when NOTIFY_SOCKET is not set.
 */
void rdr_notify(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = name != NULL ? strlen(name) : 0;

	if (length < 2 || length >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@'))
		return;
	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}
