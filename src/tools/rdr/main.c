/*
 * main.c - the command `rdr`: chooses the verb.
 *
 * Called as mount.rdr or mount.fuse.rdr it is a helper of mount(8), which has letters of its
 * own: -f is "fake" there.
 */
#include "rdr.h"

#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"mount", rdr_verb_mount}, {"umount", rdr_verb_umount}, {"unmount", rdr_verb_umount},
	{"list", rdr_verb_list},   {"status", rdr_verb_status}, {"build-minirdr", rdr_verb_build_minirdr},
};

int main(int argc, char **argv)
{
	struct rdr_error error;
	const char *name = argc > 0 ? argv[0] : "rdr";
	const char *slash = strrchr(name, '/');

	if (slash != NULL)
		name = slash + 1;
	if (strcmp(name, "mount.rdr") == 0 || strcmp(name, "mount.fuse.rdr") == 0)
		return rdr_verb_mount_helper(argc, argv);
	if (argc < 2) {
		rdr_fail(&error, RDR_USAGE, "what to do? rdr mount, umount, list or status; see rdr --help");
		return rdr_print_error(&error);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		rdr_help(stdout);
		return RDR_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("rdr %s\n", RDR_VERSION);
		return RDR_OK;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	rdr_fail(&error, RDR_USAGE, "no verb '%s'; rdr mount, umount, list or status; see rdr --help",
		 argv[1]);
	return rdr_print_error(&error);
}
