/*
 * mount.c - getting a mounted /dev/fuse descriptor, and giving the mount back.
 *
 * Owns:      nothing that lasts; the descriptor goes to the session.
 * How:       fusermount3 for everybody, root too: it knows every option, /etc/fuse.conf and the mount table.
 *            It sends the descriptor over the socket named by _FUSE_COMMFD.  Its stderr is read, so that a
 *            refusal has its reason in the one line the user sees.
 * Bounds:    fusermount3 does local work only; it is not waited for with a limit.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse_int.h"

#define OPTIONS_MAX 4096

extern char **environ;

enum rdr_fuse_error front_fail(struct rdr_fuse_failure *failure, enum rdr_fuse_error error, int errnum,
			       NTSTATUS status, const char *text)
{
	if (failure != NULL) {
		failure->error = error;
		failure->errnum = errnum;
		failure->status = status;
		snprintf(failure->text, sizeof(failure->text), "%s", text);
		failure->text[strcspn(failure->text, "\n")] = '\0';
	}
	return error;
}

static const char *find_helper(void)
{
	static const char *const places[] = {"/usr/bin/fusermount3", "/bin/fusermount3",
					     "/usr/local/bin/fusermount3"};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static bool append(char *out, const char *separator, const char *text)
{
	size_t have = strlen(out);

	return snprintf(out + have, OPTIONS_MAX - have, "%s%s", separator, text) < (int)(OPTIONS_MAX - have);
}

/* A value in libfuse's option syntax: ',' and '\' are escaped. */
static bool append_value(char *out, const char *key, const char *value)
{
	size_t have;

	if (!append(out, ",", key))
		return false;
	for (have = strlen(out); *value != '\0'; value++) {
		if (have + 3 >= OPTIONS_MAX)
			return false;
		if (*value == ',' || *value == '\\')
			out[have++] = '\\';
		out[have++] = *value;
		out[have] = '\0';
	}
	return true;
}

/*
 * With default_permissions the kernel checks modes itself, and before each check in a folder that has just changed it
 * asks for the folder's attributes: a round trip per create, unlink and rename.  Where nobody but the mounter is let
 * in and the modes refuse him nothing, the checks would change no answer; what is left of them is the server's, and
 * front_op_access()'s.
 */
static bool checks_decide_something(const struct rdr_fuse_options *o)
{
	mode_t dir_mode = o->dir_mode != 0 ? o->dir_mode : FRONT_DIR_MODE;
	mode_t file_mode = o->file_mode != 0 ? o->file_mode : FRONT_FILE_MODE;
	uid_t mounter = geteuid();

	if (o->no_permissions)
		return false;
	if (o->default_permissions || o->allow_other || o->allow_root)
		return true;
	return mounter != 0 && (o->uid != mounter || (dir_mode & S_IRWXU) != S_IRWXU ||
				(file_mode & (S_IRUSR | S_IWUSR)) != (S_IRUSR | S_IWUSR));
}

static bool build_options(const struct rdr_fuse_options *o, char *out)
{
	bool ok;

	out[0] = '\0';
	ok = append(out, "", o->read_only ? "ro" : "rw") && append(out, ",", "nosuid,nodev") &&
	     append_value(out, "fsname=", o->fsname != NULL ? o->fsname : "rdr") &&
	     append_value(out, "subtype=", o->subtype != NULL ? o->subtype : "rdr");
	if (ok && checks_decide_something(o))
		ok = append(out, ",", "default_permissions");
	if (ok && o->allow_other)
		ok = append(out, ",", "allow_other");
	else if (ok && o->allow_root)
		ok = append(out, ",",
			    "allow_other"); /* the session then refuses all but root and the owner */
	if (ok && o->mount_options != NULL && o->mount_options[0] != '\0')
		ok = append(out, ",", o->mount_options);
	return ok;
}

/* Return: the descriptor, or -1 when the peer closed without one. */
static int receive_descriptor(int sock)
{
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* The environment with _FUSE_COMMFD; the strings are borrowed.  Free the array. */
static char **helper_environment(char *commfd)
{
	size_t n = 0;
	char **env;

	while (environ != NULL && environ[n] != NULL)
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (env == NULL)
		return NULL;
	env[0] = commfd;
	if (n != 0)
		memcpy(env + 1, environ, n * sizeof(*env));
	return env;
}

/*
 * Runs the helper with its stderr in @err_fd and, when @comm >= 0, that descriptor inherited.
 * Return: 0 or errno.
 */
static int spawn_helper(const char *const *argv, int comm, int err_fd, pid_t *pid)
{
	char commfd[32];
	char **env;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int error;

	snprintf(commfd, sizeof(commfd), "_FUSE_COMMFD=%d", comm);
	env = helper_environment(commfd);
	if (env == NULL)
		return ENOMEM;
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		goto out_env;
	error = posix_spawnattr_init(&attr);
	if (error != 0)
		goto out_actions;
	sigemptyset(&none);
	error = posix_spawnattr_setsigmask(&attr, &none);
	if (error == 0)
		error = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	if (error == 0 && err_fd >= 0)
		error = posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	/* dup2 onto itself clears close-on-exec in the child only. */
	if (error == 0 && comm >= 0)
		error = posix_spawn_file_actions_adddup2(&actions, comm, comm);
	if (error == 0)
		error = posix_spawn(pid, argv[0], &actions, &attr, (char *const *)argv, env);
	posix_spawnattr_destroy(&attr);
out_actions:
	posix_spawn_file_actions_destroy(&actions);
out_env:
	free(env);
	return error;
}

static int wait_helper(pid_t pid)
{
	int state;

	while (waitpid(pid, &state, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

/* The helper's words, first line, without its own name. */
static void read_reason(int fd, char *text, size_t size)
{
	size_t have = 0;
	char *line;

	while (have + 1 < size) {
		ssize_t n = read(fd, text + have, size - 1 - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	text[have] = '\0';
	text[strcspn(text, "\n")] = '\0';
	line = strstr(text, "fusermount3: ");
	if (line != NULL)
		memmove(text, line + 13, strlen(line + 13) + 1);
}

static enum rdr_fuse_error check_before(const struct rdr_fuse_options *o, struct rdr_fuse_failure *failure)
{
	struct stat st;
	int fd;

	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return front_fail(failure, RDR_FUSE_NO_DEVICE, errno, STATUS_SUCCESS,
				  errno == ENOENT
					  ? "/dev/fuse does not exist: load the fuse module, or give the "
					    "container the device"
					  : "/dev/fuse cannot be opened");
	close(fd);
	if (find_helper() == NULL)
		return front_fail(failure, RDR_FUSE_NO_HELPER, ENOENT, STATUS_SUCCESS,
				  "fusermount3 is not installed (Debian: apt install fuse3)");
	/* A dead FUSE mount answers ENOTCONN: its owner must unmount it first. */
	if (stat(o->mountpoint, &st) != 0)
		return front_fail(failure, errno == ENOTCONN ? RDR_FUSE_BUSY : RDR_FUSE_BAD_DIR, errno,
				  STATUS_SUCCESS,
				  errno == ENOTCONN ? "a dead mount is in the way: fusermount3 -u it first"
						    : "the mount point cannot be reached");
	if (!S_ISDIR(st.st_mode))
		return front_fail(failure, RDR_FUSE_BAD_DIR, ENOTDIR, STATUS_SUCCESS,
				  "the mount point is not a directory");
	return RDR_FUSE_OK;
}

static enum rdr_fuse_error judge_refusal(const char *reason)
{
	if (strstr(reason, "user_allow_other") != NULL)
		return RDR_FUSE_NOT_ALLOWED;
	if (strstr(reason, "unknown option") != NULL || strstr(reason, "invalid option") != NULL)
		return RDR_FUSE_BAD_OPTION;
	if (strstr(reason, "mountpoint") != NULL || strstr(reason, "no write access") != NULL ||
	    strstr(reason, "failed to access") != NULL)
		return RDR_FUSE_BAD_DIR;
	if (strstr(reason, "busy") != NULL)
		return RDR_FUSE_BUSY;
	return RDR_FUSE_FAILED;
}

enum rdr_fuse_error front_mount(const struct rdr_fuse_options *options, int *device, int *comm,
				struct rdr_fuse_failure *failure)
{
	enum rdr_fuse_error error = check_before(options, failure);
	const char *argv[] = {find_helper(), "-o", NULL, "--", options->mountpoint, NULL};
	char *text = NULL;
	int sock[2] = {-1, -1}, err[2] = {-1, -1};
	char reason[200];
	int result;
	pid_t pid;

	*device = *comm = -1;
	if (error != RDR_FUSE_OK)
		return error;
	text = malloc(OPTIONS_MAX);
	if (text == NULL)
		return front_fail(failure, RDR_FUSE_NO_MEMORY, ENOMEM, STATUS_SUCCESS, "out of memory");
	if (!build_options(options, text)) {
		error = front_fail(failure, RDR_FUSE_BAD_OPTION, E2BIG, STATUS_SUCCESS,
				   "the mount options are too long");
		goto out;
	}
	argv[2] = text;
	error = RDR_FUSE_FAILED;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) != 0 || pipe2(err, O_CLOEXEC) != 0) {
		front_fail(failure, error, errno, STATUS_SUCCESS, "no descriptor for fusermount3");
		goto out;
	}
	result = spawn_helper(argv, sock[0], err[1], &pid);
	if (result != 0) {
		front_fail(failure, error, result, STATUS_SUCCESS, "fusermount3 could not be started");
		goto out;
	}
	close(sock[0]);
	close(err[1]);
	sock[0] = err[1] = -1;
	*device = receive_descriptor(sock[1]);
	if (*device < 0)
		read_reason(err[0], reason, sizeof(reason));
	result = wait_helper(pid);
	if (*device < 0) {
		if (reason[0] == '\0')
			snprintf(reason, sizeof(reason), "fusermount3 ended with code %d", result);
		error = front_fail(failure, judge_refusal(reason), 0, STATUS_SUCCESS, reason);
		goto out;
	}
	error = RDR_FUSE_OK;
	/* Under auto_unmount the helper stays and unmounts when this end of the socket closes. */
	if (options->mount_options != NULL && strstr(options->mount_options, "auto_unmount") != NULL) {
		*comm = sock[1];
		sock[1] = -1;
	}
out:
	free(text);
	for (int i = 0; i < 2; i++) {
		if (sock[i] >= 0)
			close(sock[i]);
		if (err[i] >= 0)
			close(err[i]);
	}
	return error;
}

int front_unmount(const char *mountpoint, bool lazy)
{
	const char *helper = find_helper();
	const char *argv[] = {
		helper, "-u", "-q", lazy ? "-z" : "--", lazy ? "--" : mountpoint, lazy ? mountpoint : NULL,
		NULL};
	pid_t pid;
	int error, null_fd;

	if (geteuid() == 0)
		return umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0 ? 0 : errno;
	if (helper == NULL)
		return ENOENT;
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	error = spawn_helper(argv, -1, null_fd, &pid);
	if (null_fd >= 0)
		close(null_fd);
	if (error != 0)
		return error;
	return wait_helper(pid) == 0 ? 0 : EBUSY;
}
