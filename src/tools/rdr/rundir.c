/*
 * rundir.c - the folder where the daemons of one user leave their control sockets.
 *
 * $XDG_RUNTIME_DIR/rdr, else /run/user/UID/rdr, else /tmp/rdr-UID.
 * Rules:     it is the user's own and closed to others (0700), no symbolic link: anybody may
 *            have made a name in /tmp first.
 */
#include "rdr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_NAME 24 /* "/4294967296.sock", and the name it has while it is made */

static bool is_private(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
	       (status.st_mode & 077) == 0;
}

/* The names to try, best first; NULL for one that does not apply. */
static char *candidate(unsigned int index)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;
	int length = 0;

	if (index == 0)
		length = runtime != NULL && runtime[0] == '/' ? asprintf(&path, "%s/rdr", runtime) : -1;
	else if (index == 1)
		length = asprintf(&path, "/run/user/%u/rdr", (unsigned int)geteuid());
	else
		length = asprintf(&path, "/tmp/rdr-%u", (unsigned int)geteuid());
	return length >= 0 ? path : NULL;
}

/**
 * rdr_run_directory - the folder for a new socket, made when it is not there
 * @path: [out] malloc'ed; short enough for a socket's name below it
 *
 * Return: 0 or RDR_SYSTEM.
 */
int rdr_run_directory(char **path, struct rdr_error *error)
{
	for (unsigned int i = 0; i < 3; i++) {
		char *name = candidate(i);

		if (name == NULL)
			continue;
		if (strlen(name) + MAX_NAME < sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
			(void)mkdir(name, 0700); /* what counts is what is there afterwards */
			if (is_private(name)) {
				*path = name;
				return 0;
			}
		}
		free(name);
	}
	*path = NULL;
	return rdr_fail(
		error, RDR_SYSTEM,
		"no folder for the control socket: /tmp/rdr-%u is not a directory of yours with mode 0700",
		(unsigned int)geteuid());
}

/* The folders that exist and are this user's own, without repeats; returns how many. */
unsigned int rdr_run_directories(char *paths[], unsigned int capacity)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < 3 && count < capacity; i++) {
		char *name = candidate(i);
		bool known = name == NULL || !is_private(name);

		for (unsigned int j = 0; j < count && !known; j++)
			known = strcmp(paths[j], name) == 0;
		if (known)
			free(name);
		else
			paths[count++] = name;
	}
	return count;
}
