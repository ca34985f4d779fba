/*
 * mountpoint.c - the directory, what is mounted on it, and taking that away.
 *
 * Rules:     nothing here asks the file system that is mounted: its server may be dead.  A
 *            directory is found with O_PATH, a mount in /proc/self/mountinfo.
 * Owns:      struct rdr_mount_entry between rdr_mount_find() and rdr_mount_entry_free().
 */
#include "rdr.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUR_TYPE "fuse.rdr"

/* realpath of the parent, and the last name as it is; for a mount that cannot even be opened. */
static char *resolve_by_parent(const char *directory)
{
	char *for_parent = strdup(directory);
	char *for_name = strdup(directory);
	char *absolute = NULL;

	if (for_parent != NULL && for_name != NULL) {
		char *parent = realpath(dirname(for_parent), NULL);
		const char *name = basename(for_name);

		if (parent != NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    asprintf(&absolute, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) < 0)
			absolute = NULL;
		free(parent);
	}
	free(for_parent);
	free(for_name);
	return absolute;
}

/**
 * rdr_directory_resolve - the absolute name of a directory, without asking its file system
 * @absolute: [out] malloc'ed
 *
 * Return: 0; RDR_USAGE when it does not exist or is not a directory; RDR_SYSTEM.
 */
int rdr_directory_resolve(const char *directory, char **absolute, struct rdr_error *error)
{
	char link[64];
	char target[PATH_MAX];
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*absolute = NULL;
	if (fd < 0) {
		int why = errno;

		if (why == ENOTDIR)
			return rdr_fail(error, RDR_USAGE, "%s is not a directory", directory);
		if (why == ENOENT)
			return rdr_fail(error, RDR_USAGE, "directory %s does not exist; run: mkdir %s",
					directory, directory);
		*absolute = resolve_by_parent(directory);
		if (*absolute == NULL)
			return rdr_fail(error, RDR_USAGE, "cannot reach directory %s: %s", directory,
					strerror(why));
		return 0;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, target, sizeof(target) - 1);

	close(fd);
	if (length < 0 || length == (ssize_t)sizeof(target) - 1)
		return rdr_fail(error, RDR_SYSTEM, "cannot find the absolute name of %s", directory);
	target[length] = '\0';
	*absolute = strdup(target);
	return *absolute != NULL ? 0 : rdr_fail(error, RDR_SYSTEM, "out of memory");
}

/**
 * rdr_directory_check - may this directory carry a mount of ours?
 *
 * Return: 0; RDR_USAGE for what is no directory or not the caller's to mount on;
 * RDR_MOUNT_FAILED when it carries a mount of ours already.
 */
int rdr_directory_check(const char *directory, char **absolute, struct rdr_error *error)
{
	struct rdr_mount_entry entry;
	int code = rdr_directory_resolve(directory, absolute, error);

	if (code != 0)
		return code;
	if (!rdr_mount_find(*absolute, &entry))
		return access(*absolute, geteuid() == 0 ? F_OK : W_OK) == 0
			       ? 0
			       : rdr_fail(error, RDR_USAGE, "cannot mount on %s: %s", directory,
					  strerror(errno));
	if (rdr_mount_is_ours(&entry))
		code = rdr_fail(error, RDR_MOUNT_FAILED,
				"%s is busy: %s is mounted there; run: rdr umount %s", directory,
				entry.source, directory);
	rdr_mount_entry_free(&entry);
	return code;
}

/* Where src/front/fuse looks for it; a PATH is not asked, since it is run with set-uid rights. */
static bool has_helper(void)
{
	static const char *const places[] = {"/usr/bin/fusermount3", "/bin/fusermount3",
					     "/usr/local/bin/fusermount3"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (access(places[i], X_OK) == 0)
			return true;
	}
	return false;
}

/* A line of /etc/fuse.conf that reads user_allow_other. */
static bool may_allow_other(void)
{
	char line[256];
	bool found = false;
	FILE *file = fopen("/etc/fuse.conf", "re");

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, " \t\r\n")] = '\0';
		found = strcmp(line, "user_allow_other") == 0;
	}
	fclose(file);
	return found;
}

/**
 * rdr_fuse_check - can FUSE work here at all?
 *
 * Asked before a server is, so that a missing package is not found out after a login.
 *
 * Return: 0; RDR_SYSTEM (no device, no helper); RDR_USAGE (allow_other not allowed).
 */
int rdr_fuse_check(const struct rdr_options *options, struct rdr_error *error)
{
	struct stat status;

	if (!has_helper())
		return rdr_fail(error, RDR_SYSTEM,
				"FUSE: no fusermount3 in /usr/bin, /bin or /usr/local/bin; install the "
				"package fuse3");
	if (geteuid() != 0 && (options->allow_other || options->allow_root) && !may_allow_other())
		return rdr_fail(error, RDR_USAGE,
				"option allow_other needs the line user_allow_other in /etc/fuse.conf; ask "
				"root to add it");
	if (stat("/dev/fuse", &status) != 0)
		return rdr_fail(
			error, RDR_SYSTEM,
			"FUSE: cannot find /dev/fuse (%s); load it with: modprobe fuse (in a container: "
			"--device /dev/fuse)",
			strerror(errno));
	if (!S_ISCHR(status.st_mode) || major(status.st_rdev) != 10 || minor(status.st_rdev) != 229)
		return rdr_fail(error, RDR_SYSTEM, "FUSE: /dev/fuse is not the FUSE device");
	if (access("/dev/fuse", R_OK | W_OK) != 0)
		return rdr_fail(error, RDR_SYSTEM,
				"FUSE: cannot open /dev/fuse: %s; ask root to run: chmod 666 "
				"/dev/fuse",
				strerror(errno));
	return 0;
}

/* Blank, tab, newline and backslash stand as \ooo there. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out++ = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

/* One line of mountinfo: id parent major:minor root point options [fields...] - type source super */
static bool parse_line(char *line, struct rdr_mount_entry *entry)
{
	char *save = NULL;
	char *field[6];
	char *tail = strstr(line, " - ");

	if (tail == NULL)
		return false;
	*tail = '\0';
	for (int i = 0; i < 6; i++) {
		field[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
		if (field[i] == NULL)
			return false;
	}
	char *type = strtok_r(tail + 3, " ", &save);
	char *source = strtok_r(NULL, " ", &save);

	if (type == NULL || source == NULL ||
	    sscanf(field[2], "%u:%u", &entry->device_major, &entry->device_minor) != 2)
		return false;
	unescape(field[4]);
	unescape(source);
	entry->directory = field[4];
	entry->type = type;
	entry->source = source;
	return true;
}

/**
 * rdr_mount_find - what is mounted on exactly this directory (the topmost)
 * @absolute: as rdr_directory_resolve() gives it
 * @entry:    [out] for rdr_mount_entry_free() when TRUE
 */
bool rdr_mount_find(const char *absolute, struct rdr_mount_entry *entry)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t capacity = 0;
	struct rdr_mount_entry found = {0};

	memset(entry, 0, sizeof(*entry));
	if (file == NULL)
		return false;
	while (getline(&line, &capacity, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!parse_line(line, &found) || strcmp(found.directory, absolute) != 0)
			continue;
		rdr_mount_entry_free(entry);
		entry->directory = strdup(found.directory);
		entry->type = strdup(found.type);
		entry->source = strdup(found.source);
		entry->device_major = found.device_major;
		entry->device_minor = found.device_minor;
	}
	free(line);
	fclose(file);
	return entry->directory != NULL && entry->type != NULL && entry->source != NULL;
}

void rdr_mount_entry_free(struct rdr_mount_entry *entry)
{
	free(entry->directory);
	free(entry->type);
	free(entry->source);
	memset(entry, 0, sizeof(*entry));
}

bool rdr_mount_is_ours(const struct rdr_mount_entry *entry)
{
	return strcmp(entry->type, OUR_TYPE) == 0;
}

/* fusermount3 -u [-z] DIR, quiet; errno-like result. */
static int run_helper(const char *absolute, bool lazy)
{
	char *arguments[] = {"fusermount3",
			     "-u",
			     "-q",
			     lazy ? "-z" : "--",
			     lazy ? "--" : (char *)absolute,
			     lazy ? (char *)absolute : NULL,
			     NULL};
	extern char **environ;
	pid_t child;
	int status = 0;
	int why = posix_spawnp(&child, "fusermount3", NULL, NULL, arguments, environ);

	if (why != 0)
		return why;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EBUSY;
}

/**
 * rdr_detach - take the mount away from a directory
 * @lazy: TRUE: also when somebody is in it; he keeps what he has open until the daemon ends
 *
 * Asks no server.
 *
 * Return: 0 also when nothing is mounted there; RDR_MOUNT_FAILED in use; RDR_SYSTEM.
 */
int rdr_detach(const char *absolute, bool lazy, struct rdr_error *error)
{
	struct rdr_mount_entry entry;
	int why;

	if (!rdr_mount_find(absolute, &entry))
		return 0;
	rdr_mount_entry_free(&entry);
	if (geteuid() == 0)
		why = umount2(absolute, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0 ? 0 : errno;
	else
		why = run_helper(absolute, lazy);
	if (why == 0 || why == EINVAL) /* EINVAL: it was taken away meanwhile */
		return 0;
	if (why == EBUSY)
		return rdr_fail(error, RDR_MOUNT_FAILED, "%s is in use", absolute);
	return rdr_fail(error, RDR_SYSTEM, "cannot unmount %s: %s", absolute, strerror(why));
}
