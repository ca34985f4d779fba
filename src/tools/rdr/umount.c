/*
 * umount.c - `rdr umount [-f] DIR`: ends a mount and says whether everything was freed.
 *
 * Asks the daemon, which ends in order and tells its verdict.  A daemon that is gone or silent
 * is not waited for: the mount is then taken away from outside.  Ends within 5 s in any case.
 */
#include "rdr.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define VERDICT_MS 4600

static struct rdr_peer *find_peer(struct rdr_peer *peers, const char *absolute)
{
	for (struct rdr_peer *peer = peers; peer != NULL; peer = peer->next) {
		if (rdr_peer_serves(peer, absolute))
			return peer;
	}
	return NULL;
}

/* What the daemon answered when it ended. */
static int tell_verdict(const char *absolute, const struct rdr_json_value *answer, bool quiet)
{
	double leaked = rdr_json_get_number(answer, "leaked_bytes", 0);
	int code = (int)rdr_json_get_number(answer, "exit_code", 0);

	if (leaked != 0) {
		fprintf(stderr, "rdr: %s is unmounted, but %.0f bytes were not freed:\n%s", absolute, leaked,
			rdr_json_get_string(answer, "report", ""));
		return code | RDR_BUG;
	}
	if (!quiet)
		printf("%s unmounted, no leaks\n", absolute);
	return code;
}

/* Nobody answers: take the mount away without him. */
static int detach(const char *absolute, struct rdr_error *error)
{
	int code = rdr_detach(absolute, false, error);

	if (code == RDR_MOUNT_FAILED)
		code = rdr_detach(absolute, true, error);
	return code;
}

/* The second directory of a daemon goes alone: what is served in the first one stays. */
static int unmount_also(const struct rdr_peer *peer, const char *absolute, bool force, bool quiet,
			struct rdr_error *error)
{
	int code = rdr_detach(absolute, force, error);

	if (code == RDR_MOUNT_FAILED)
		rdr_fail(error, code,
			 "cannot unmount %s: the mount is in use; close what is open there, or run: rdr "
			 "umount -f "
			 "%s",
			 absolute, absolute);
	else if (code == 0 && !quiet)
		printf("%s unmounted; %s stays\n", absolute, rdr_peer_directory(peer));
	return code;
}

static int unmount(const char *absolute, bool force, bool quiet, struct rdr_error *error)
{
	struct rdr_mount_entry entry;
	struct rdr_json_value *answer = NULL;
	bool mounted = rdr_mount_find(absolute, &entry);
	struct rdr_peer *peers = rdr_peers_find(absolute, true);
	struct rdr_peer *peer = find_peer(peers, absolute);
	int code;

	if (peer == NULL && !mounted) {
		code = rdr_fail(error, RDR_USAGE, "nothing is mounted on %s; rdr list shows what is",
				absolute);
	} else if (peer == NULL && !rdr_mount_is_ours(&entry)) {
		code = rdr_fail(error, RDR_USAGE,
				"%s carries a mount of type %s, not one of ours; use umount", absolute,
				entry.type);
	} else if (peer == NULL) {
		code = detach(absolute, error);
		if (code == 0)
			rdr_warn("%s unmounted; its daemon did not answer, so there is no verdict on leaks",
				 absolute);
	} else if (strcmp(rdr_peer_directory(peer), absolute) != 0) {
		code = unmount_also(peer, absolute, force, quiet, error);
	} else {
		code = rdr_peer_ask(peer, "umount", force, VERDICT_MS, &answer, NULL, error);
		if (code == 0) {
			code = tell_verdict(absolute, answer, quiet);
			error->code = 0; /* said already */
		} else if (code == RDR_MOUNT_FAILED) {
			rdr_fail(error, code,
				 "cannot unmount %s: %s; close what is open there, or run: rdr umount -f %s",
				 absolute, rdr_json_get_string(answer, "error", "refused"), absolute);
		} else {
			code = detach(absolute, error);
			if (code == 0)
				rdr_warn("%s unmounted; its daemon still waits for the server, so there is "
					 "no verdict "
					 "on leaks",
					 absolute);
		}
	}
	rdr_json_value_free(answer);
	rdr_peers_free(peers);
	rdr_mount_entry_free(&entry);
	return code;
}

int rdr_verb_umount(int argc, char **argv)
{
	bool force = false;
	bool quiet = false;
	const char *directory = NULL;
	char *absolute = NULL;
	struct rdr_error error = {0};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-f") == 0 || strcmp(argv[i], "--force") == 0 ||
		    strcmp(argv[i], "-l") == 0 || strcmp(argv[i], "-z") == 0 ||
		    strcmp(argv[i], "--lazy") == 0) {
			force = true;
		} else if (strcmp(argv[i], "-q") == 0 || strcmp(argv[i], "--quiet") == 0) {
			quiet = true;
		} else if (argv[i][0] == '-' || directory != NULL) {
			rdr_fail(&error, RDR_USAGE, "usage: rdr umount [-f] [-q] DIR");
			return rdr_print_error(&error);
		} else {
			directory = argv[i];
		}
	}
	if (directory == NULL) {
		rdr_fail(&error, RDR_USAGE, "usage: rdr umount [-f] [-q] DIR");
		return rdr_print_error(&error);
	}
	signal(SIGPIPE, SIG_IGN);
	int code = rdr_directory_resolve(directory, &absolute, &error);

	if (code == 0)
		code = unmount(absolute, force, quiet, &error);
	free(absolute);
	if (error.code != 0)
		rdr_print_error(&error);
	return code;
}
