/*
 * mount.c - `rdr mount SPEC DIR` and the mount(8) helper mount.rdr: from words to a request.
 *
 * Order: the command line, the directory, FUSE, the password; only then a server is asked.  So
 * whoever mistyped hears of it before he types a password.
 */
#include "rdr.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/door/loadable.h"

enum { OPTION_LOG_FILE = 256, OPTION_MINIRDR, OPTION_DEVICE, OPTION_ALSO };

/* What the command line says beside the request itself. */
struct mount_words {
	char *lists[64]; /* of options, in order */
	int list_count;
	int verbosity;
	const char *also; /* --also; NULL: none */
	bool help;
};

static void request_free(struct rdr_mount_request *request)
{
	rdr_credentials_forget(&request->credentials);
	rdr_options_free(&request->options);
	rdr_spec_free(&request->spec);
	free(request->directory);
	free(request->also);
	free(request->source);
	free(request->log_file);
	free(request->minirdr);
	free(request->device);
	memset(request, 0, sizeof(*request));
}

/* Files are named before the daemon leaves its directory. */
static int take_file(char **taken, const char *name, struct rdr_error *error)
{
	char *here = name[0] == '/' ? NULL : getcwd(NULL, 0);
	int length;

	free(*taken);
	length = name[0] == '/' ? asprintf(taken, "%s", name)
				: asprintf(taken, "%s/%s", here != NULL ? here : "", name);
	free(here);
	if (length >= 0)
		return 0;
	*taken = NULL;
	return rdr_fail(error, RDR_SYSTEM, "out of memory");
}

static int parse_spec(struct rdr_mount_request *request, char *spec, struct rdr_error *error)
{
	char driver[64];

	if (request->minirdr == NULL)
		return rdr_spec_parse(spec, &request->spec, error);
	door_loadable_name(request->minirdr, driver, sizeof(driver));
	return rdr_spec_parse_driver(spec, driver, &request->spec, error);
}

static int take_list(struct mount_words *words, char *list, struct rdr_error *error)
{
	if (words->list_count == sizeof(words->lists) / sizeof(words->lists[0]))
		return rdr_fail(error, RDR_USAGE, "more than 64 times -o");
	words->lists[words->list_count++] = list;
	return 0;
}

/* SPEC and DIR, with what the URL says as options of lower rank than -o. */
static int take_names(struct rdr_mount_request *request, char *spec, const char *directory,
		      const struct mount_words *words, struct rdr_error *error)
{
	int code = parse_spec(request, spec, error);

	if (code == 0 && request->spec.arguments != NULL)
		code = rdr_options_parse(request->spec.arguments, &request->options, error);
	for (int i = 0; i < words->list_count && code == 0; i++)
		code = rdr_options_parse(words->lists[i], &request->options, error);
	if (code != 0)
		return code;
	if (request->options.port != 0)
		request->spec.port = request->options.port;
	request->source = rdr_spec_display(&request->spec);
	if (request->source == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	return rdr_directory_check(directory, &request->directory, error);
}

static int go(struct rdr_mount_request *request, struct rdr_error *error)
{
	struct rdr_daemon *daemon = NULL;
	bool is_parent = true;
	int code = rdr_fuse_check(&request->options, error);

	if (code == 0 && request->minirdr != NULL)
		code = rdr_minirdr_check(request->minirdr, error);
	if (code == 0)
		code = rdr_credentials_gather(&request->spec, &request->options, &request->credentials,
					      error);
	rdr_scrub_environment();
	rdr_secret_wipe(&request->options.password);
	rdr_secret_wipe(&request->spec.password);
	if (code != 0 || request->fake)
		return code;
	if (request->foreground) {
		if (request->log_file != NULL)
			code = rdr_log_open(request->log_file, error);
		return code != 0 ? code : rdr_serve(request, NULL);
	}
	code = rdr_daemon_split(&daemon, &is_parent, error);
	if (code != 0)
		return code;
	if (is_parent) {
		rdr_credentials_forget(&request->credentials);
		code = rdr_daemon_wait(daemon, request->directory, error);
		rdr_daemon_free(daemon);
		return code;
	}
	if (request->log_file != NULL)
		code = rdr_log_open(request->log_file, error);
	if (code != 0)
		rdr_daemon_report(daemon, error);
	else
		code = rdr_serve(request, daemon);
	error->code = 0; /* the parent has it */
	rdr_daemon_free(daemon);
	return code;
}

static int finish(struct rdr_mount_request *request, int code, const struct rdr_error *error)
{
	if (error->code != 0)
		rdr_print_error(error);
	request_free(request);
	return code;
}

static void say_without_effect(const struct rdr_options *options)
{
	if (options->without_effect != NULL)
		rdr_say("without effect: %s", options->without_effect);
}

/* A second mount point makes sense where one process holds the volume: two mounts of a share are two processes. */
static int take_also(struct rdr_mount_request *request, const char *directory, struct rdr_error *error)
{
	int code;

	if (request->spec.scheme != RDR_SCHEME_MEM || request->minirdr != NULL)
		return rdr_fail(error, RDR_USAGE,
				"--also is for mem: volumes; a share is mounted a second time with a second "
				"rdr mount");
	code = rdr_directory_check(directory, &request->also, error);
	if (code == 0 && strcmp(request->also, request->directory) == 0)
		return rdr_fail(error, RDR_USAGE, "--also needs another directory than %s", directory);
	return code;
}

static const struct option mount_options[] = {
	{"log-file", required_argument, NULL, OPTION_LOG_FILE},
	{"minirdr", required_argument, NULL, OPTION_MINIRDR},
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"also", required_argument, NULL, OPTION_ALSO},
	{"foreground", no_argument, NULL, 'f'},
	{"debug", no_argument, NULL, 'd'},
	{"verbose", no_argument, NULL, 'v'},
	{"options", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* One option of rdr mount, with its value in optarg. @given: as it was written. */
static int take_option(struct rdr_mount_request *request, struct mount_words *words, int letter,
		       const char *given, struct rdr_error *error)
{
	switch (letter) {
	case 'o':
		return take_list(words, optarg, error);
	case 'd':
		request->debug = true;
		request->foreground = true;
		return 0;
	case 'f':
		request->foreground = true;
		return 0;
	case 's':
		request->single_thread = true;
		return 0;
	case 'v':
		rdr_set_verbosity(++words->verbosity);
		return 0;
	case 'r':
		request->options.read_only = true;
		return 0;
	case 'w':
		request->options.read_only = false;
		return 0;
	case 'h':
		words->help = true;
		return 0;
	case OPTION_LOG_FILE:
		return take_file(&request->log_file, optarg, error);
	case OPTION_DEVICE:
		return take_file(&request->device, optarg, error);
	case OPTION_ALSO:
		words->also = optarg;
		return 0;
	case OPTION_MINIRDR:
		return take_file(&request->minirdr, optarg, error);
	case ':':
		return rdr_fail(error, RDR_USAGE, "%s needs a value; see rdr --help", given);
	default:
		return rdr_fail(error, RDR_USAGE, "rdr mount has no option %s; see rdr --help", given);
	}
}

/* The words behind the options. How many there must be depends on those. */
static int take_words(struct rdr_mount_request *request, const struct mount_words *words, int count,
		      char **argv, struct rdr_error *error)
{
	bool nameless = request->minirdr != NULL && count == 1; /* the driver's own name */

	if (count != 2 && !nameless)
		return rdr_fail(
			error, RDR_USAGE,
			request->minirdr != NULL
				? "usage: rdr mount --minirdr DRIVER.so [-o OPTIONS] [//server/share] DIR"
				: "usage: rdr mount [-o OPTIONS] SPEC DIR, where SPEC is "
				  "//server/share, smb://user@server/share or mem:");
	return take_names(request, nameless ? NULL : argv[0], argv[count - 1], words, error);
}

/* rdr mount [-fdsv] [--log-file FILE] [--also DIR] [--minirdr FILE] [-o OPTIONS] SPEC DIR */
int rdr_verb_mount(int argc, char **argv)
{
	struct rdr_mount_request request = {0};
	struct mount_words words = {0};
	struct rdr_error error = {0};
	int code = 0;
	int letter;

	rdr_options_init(&request.options);
	opterr = 0;
	while (code == 0 && (letter = getopt_long(argc, argv, ":o:fdsvhrw", mount_options, NULL)) != -1) {
		code = take_option(&request, &words, letter, argv[optind - 1], &error);
		if (words.help) {
			rdr_help(stdout);
			return finish(&request, RDR_OK, &error);
		}
	}
	if (code == 0 && request.device != NULL && request.minirdr == NULL)
		code = rdr_fail(&error, RDR_USAGE,
				"--device goes with --minirdr: our own drivers have no devices to open");
	if (code == 0 && request.minirdr != NULL)
		rdr_minirdr_preload(request.minirdr, argv - 1); /* argv[0] is the verb */
	if (code == 0)
		code = take_words(&request, &words, argc - optind, argv + optind, &error);
	if (code == 0 && words.also != NULL)
		code = take_also(&request, words.also, &error);
	if (code == 0) {
		say_without_effect(&request.options);
		code = go(&request, &error);
	}
	return finish(&request, code, &error);
}

/* mount.rdr SPEC DIR [-sfnv] [-N ns] [-o OPTIONS] [-t TYPE], as mount(8) calls its helpers. */
int rdr_verb_mount_helper(int argc, char **argv)
{
	struct rdr_mount_request request = {0};
	struct mount_words words = {0};
	struct rdr_error error = {0};
	int code = 0;
	int letter;

	rdr_options_init(&request.options);
	opterr = 0;
	while (code == 0 && (letter = getopt(argc, argv, ":o:t:N:sfnvrwh")) != -1) {
		switch (letter) {
		case 'o':
			code = take_list(&words, optarg, &error);
			break;
		case 'f':
			request.fake = true;
			break;
		case 'v':
			rdr_set_verbosity(++words.verbosity);
			break;
		case 'r':
			request.options.read_only = true;
			break;
		case 'N':
			code = rdr_fail(&error, RDR_USAGE,
					"a mount in another namespace (-N) is not available");
			break;
		case 's':
		case 'n':
		case 't':
		case 'w':
			break;
		case 'h':
			rdr_help(stdout);
			return finish(&request, RDR_OK, &error);
		default:
			code = rdr_fail(&error, RDR_USAGE, "usage: mount.rdr SPEC DIR [-sfnv] [-o OPTIONS]");
			break;
		}
	}
	if (code == 0 && argc - optind != 2)
		code = rdr_fail(&error, RDR_USAGE, "usage: mount.rdr SPEC DIR [-sfnv] [-o OPTIONS]");
	if (code == 0)
		code = take_names(&request, argv[optind], argv[optind + 1], &words, &error);
	if (code == 0) {
		say_without_effect(&request.options);
		code = go(&request, &error);
	}
	return finish(&request, code, &error);
}
