/*
 * list.c - `rdr list [--json]`: the mounts of this user; sockets of dead daemons are removed.
 */
#include "rdr.h"

#include <string.h>

static void print_mount(const struct rdr_peer *peer, const char *directory, bool json)
{
	const char *source = rdr_json_get_string(peer->hello, "source", "?");
	long pid = (long)rdr_json_get_number(peer->hello, "pid", 0);
	struct rdr_json line = {0};

	if (!json) {
		printf("%s on %s (pid %ld)\n", source, directory, pid);
		return;
	}
	rdr_json_open(&line, NULL, '{');
	rdr_json_number(&line, "rdr", RDR_CONTROL_VERSION);
	rdr_json_string(&line, "source", source);
	rdr_json_string(&line, "directory", directory);
	rdr_json_number(&line, "pid", pid);
	rdr_json_string(&line, "version", rdr_json_get_string(peer->hello, "version", "?"));
	rdr_json_close(&line, '}');
	if (!line.failed)
		puts(line.text);
	rdr_json_free(&line);
}

int rdr_verb_list(int argc, char **argv)
{
	bool json = false;
	struct rdr_error error;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") != 0) {
			rdr_fail(&error, RDR_USAGE, "usage: rdr list [--json]");
			return rdr_print_error(&error);
		}
		json = true;
	}
	struct rdr_peer *peers = rdr_peers_find(NULL, true);

	for (const struct rdr_peer *peer = peers; peer != NULL; peer = peer->next) {
		const char *also = rdr_peer_also(peer);

		print_mount(peer, rdr_peer_directory(peer), json);
		if (also != NULL)
			print_mount(peer, also, json);
	}
	rdr_peers_free(peers);
	return RDR_OK;
}
