/*
 * url.c - what to mount: UNC names, smb: URLs, mem: volumes.
 *
 *   //server[:port]/share[/path]        \\server[:port]\share
 *   smb://[domain;][user[:password]@]server[:port]/share[/path][?option=value&...]
 *   mem:[volume]
 * and, for a loadable driver, the first form or a plain name.
 *
 * Owns:      struct rdr_spec between rdr_spec_parse() and rdr_spec_free().
 * Rules:     a password in a URL is taken, blanked in the argument itself (argv is what
 *            /proc shows to everybody) and warned about.  Everything is checked here, so that
 *            nothing odd reaches a driver: lengths, ports, control characters, "..".
 */
#include "rdr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HOST 255 /* bytes: the longest DNS name */
#define MAX_SHARE 80 /* characters a share name may have */
#define MAX_PATH 4096

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes %XX in place; @end is exclusive.  NULL for a broken escape, a NUL or a coded '/'. */
static char *decode(char *start, char *end)
{
	char *out = start;

	for (char *in = start; in < end; in++) {
		if (*in != '%') {
			*out++ = *in;
			continue;
		}
		if (end - in < 3 || hex_digit(in[1]) < 0 || hex_digit(in[2]) < 0)
			return NULL;
		char value = (char)(hex_digit(in[1]) * 16 + hex_digit(in[2]));

		if (value == '\0' || value == '/')
			return NULL;
		*out++ = value;
		in += 2;
	}
	return out;
}

/* A decoded copy of [start, end), or NULL. */
static char *copy_decoded(const char *start, const char *end, bool escapes)
{
	char *copy = strndup(start, (size_t)(end - start));

	if (copy == NULL || !escapes)
		return copy;
	char *stop = decode(copy, copy + strlen(copy));

	if (stop == NULL) {
		explicit_bzero(copy, strlen(copy));
		free(copy);
		return NULL;
	}
	*stop = '\0';
	return copy;
}

static bool has_control(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

static int parse_port(const char *start, const char *end, unsigned int *port)
{
	unsigned long value = 0;

	if (start == end)
		return -1;
	for (const char *c = start; c < end; c++) {
		if (!isdigit((unsigned char)*c))
			return -1;
		value = value * 10 + (unsigned long)(*c - '0');
		if (value > 65535)
			return -1;
	}
	if (value == 0)
		return -1;
	*port = (unsigned int)value;
	return 0;
}

/* server[:port] or [v6][:port] in [start, end). */
static int parse_server(const char *start, const char *end, struct rdr_spec *spec, struct rdr_error *error)
{
	const char *host = start;
	const char *host_end = end;
	const char *port = NULL;

	if (start < end && *start == '[') {
		host = start + 1;
		host_end = memchr(host, ']', (size_t)(end - host));
		if (host_end == NULL)
			return rdr_fail(error, RDR_USAGE, "the name to mount is malformed: '[' without ']'");
		if (host_end + 1 < end) {
			if (host_end[1] != ':')
				return rdr_fail(error, RDR_USAGE,
						"the name to mount is malformed: text after ']'");
			port = host_end + 2;
		}
	} else if (start < end) {
		const char *colon = memchr(start, ':', (size_t)(end - start));

		if (colon != NULL) {
			host_end = colon;
			port = colon + 1;
			if (memchr(port, ':', (size_t)(end - port)) != NULL)
				return rdr_fail(
					error, RDR_USAGE,
					"the name to mount is malformed: write an IPv6 address as [::1]");
		}
	}
	if (host_end == host)
		return rdr_fail(
			error, RDR_USAGE,
			"the name to mount has no server; write //server/share, smb://server/share or mem:");
	if (host_end - host > MAX_HOST)
		return rdr_fail(error, RDR_USAGE, "the server's name is longer than %d bytes", MAX_HOST);
	if (port != NULL && parse_port(port, end, &spec->port) != 0)
		return rdr_fail(error, RDR_USAGE, "the port after the server's name must be 1 to 65535");
	spec->server = strndup(host, (size_t)(host_end - host));
	if (spec->server == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	for (const char *c = spec->server; *c != '\0'; c++) {
		if ((unsigned char)*c <= 0x20 || *c == 0x7f || strchr("\\/@;?#[]\"<>|*", *c) != NULL)
			return rdr_fail(error, RDR_USAGE,
					"the server's name holds a character that none can have");
	}
	return 0;
}

/* Keeps non-empty components; refuses ".." (a mount is not a way out of the share). */
static int normalise_path(char *path, struct rdr_error *error)
{
	char *out = path;
	char *in = path;

	while (*in != '\0') {
		size_t length = strcspn(in, "/");

		if (length == 2 && in[0] == '.' && in[1] == '.')
			return rdr_fail(error, RDR_USAGE, "the path below the share must not contain '..'");
		if (length > 0 && !(length == 1 && in[0] == '.')) {
			if (out != path)
				*out++ = '/';
			memmove(out, in, length);
			out += length;
		}
		in += length;
		while (*in == '/')
			in++;
	}
	*out = '\0';
	if (out - path > MAX_PATH)
		return rdr_fail(error, RDR_USAGE, "the path below the share is longer than %d bytes",
				MAX_PATH);
	return 0;
}

/* share[/path] at @start; a backslash separates only in front of the share. */
static int parse_share(char *start, char *end, bool escapes, struct rdr_spec *spec, struct rdr_error *error)
{
	char *slash = memchr(start, '/', (size_t)(end - start));
	char *share_end = slash != NULL ? slash : end;

	spec->share = copy_decoded(start, share_end, escapes);
	if (spec->share == NULL)
		return rdr_fail(error, RDR_USAGE,
				"the name to mount is malformed: a %% escape is not usable");
	if (spec->share[0] == '\0')
		return rdr_fail(error, RDR_USAGE, "the name to mount has no share; write //%s/SHARE",
				spec->server);
	if (strlen(spec->share) > MAX_SHARE * 4)
		return rdr_fail(error, RDR_USAGE, "the share's name is longer than %d characters", MAX_SHARE);
	if (has_control(spec->share) || strpbrk(spec->share, "\\/:*?\"<>|") != NULL ||
	    strcmp(spec->share, ".") == 0 || strcmp(spec->share, "..") == 0)
		return rdr_fail(error, RDR_USAGE, "the share's name holds a character that none can have");
	spec->path = copy_decoded(slash != NULL ? slash + 1 : end, end, false);
	if (spec->path != NULL && escapes) {
		/* '/' separates; a coded one would be part of a name, which no server allows */
		char *stop = decode(spec->path, spec->path + strlen(spec->path));

		if (stop == NULL)
			return rdr_fail(error, RDR_USAGE,
					"the name to mount is malformed: a %% escape is not usable");
		*stop = '\0';
	}
	if (spec->path == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	return normalise_path(spec->path, error);
}

static int parse_unc(char *argument, struct rdr_spec *spec, struct rdr_error *error)
{
	char *server = argument + 2;
	char *end = argument + strlen(argument);
	bool backslashes = argument[0] == '\\';
	char *server_end = server + strcspn(server, "/\\");
	int code = parse_server(server, server_end, spec, error);

	if (code != 0)
		return code;
	if (server_end == end)
		return rdr_fail(error, RDR_USAGE, "the name to mount has no share; write //%s/SHARE",
				spec->server);
	if (backslashes) {
		char *share_end = server_end + 1 + strcspn(server_end + 1, "/\\");

		if (share_end != end && share_end[0] == '\\' && share_end[1] != '\0')
			return rdr_fail(
				error, RDR_USAGE,
				"below the share names are separated by '/'; write //server/share/path");
		if (share_end != end && share_end[0] == '\\')
			end = share_end;
	}
	return parse_share(server_end + 1, end, false, spec, error);
}

/* [domain;][user[:password]@] in [start, at). */
static int parse_user_info(char *start, char *at, struct rdr_spec *spec, struct rdr_error *error)
{
	char *semicolon = memchr(start, ';', (size_t)(at - start));
	int code = 0;

	if (semicolon != NULL) {
		spec->domain = copy_decoded(start, semicolon, true);
		if (spec->domain == NULL)
			return rdr_fail(error, RDR_USAGE, "the URL's domain is malformed");
		start = semicolon + 1;
	}
	char *colon = memchr(start, ':', (size_t)(at - start));

	if (colon != NULL) {
		char *plain = copy_decoded(colon + 1, at, true);

		memset(colon + 1, 'x', (size_t)(at - colon - 1));
		if (plain == NULL)
			return rdr_fail(error, RDR_USAGE,
					"the URL's password is malformed (code '%%' as %%25)");
		code = rdr_secret_set(&spec->password, plain, strlen(plain), error);
		explicit_bzero(plain, strlen(plain));
		free(plain);
		if (code != 0)
			return code;
		rdr_warn("a password in a URL can be seen by others before it is blanked; use "
			 "credentials=FILE");
	}
	spec->user = copy_decoded(start, colon != NULL ? colon : at, true);
	if (spec->user == NULL || spec->user[0] == '\0')
		return rdr_fail(error, RDR_USAGE, "the URL's user name is malformed");
	return 0;
}

static int parse_smb_url(char *argument, struct rdr_spec *spec, struct rdr_error *error)
{
	char *authority = argument + strlen("smb://");
	char *question = strchr(authority, '?');
	char *end = question != NULL ? question : authority + strlen(authority);
	char *slash = memchr(authority, '/', (size_t)(end - authority));
	char *authority_end = slash != NULL ? slash : end;
	char *at = memrchr(authority, '@', (size_t)(authority_end - authority));
	int code;

	if (at != NULL) {
		code = parse_user_info(authority, at, spec, error);
		if (code != 0)
			return code;
		authority = at + 1;
	}
	code = parse_server(authority, authority_end, spec, error);
	if (code != 0)
		return code;
	if (question != NULL) {
		spec->arguments = strdup(question + 1);
		if (spec->arguments == NULL)
			return rdr_fail(error, RDR_SYSTEM, "out of memory");
		for (char *c = spec->arguments; *c != '\0'; c++) {
			if (*c == '&')
				*c = ',';
		}
	}
	if (slash == NULL)
		return rdr_fail(error, RDR_USAGE, "the URL has no share; write smb://%s/SHARE", spec->server);
	return parse_share(slash + 1, end, true, spec, error);
}

static int parse_mem(char *argument, struct rdr_spec *spec, struct rdr_error *error)
{
	const char *volume = argument + strlen("mem:");

	spec->scheme = RDR_SCHEME_MEM;
	spec->server = strdup("mem");
	spec->share = strdup(volume[0] != '\0' ? volume : "default");
	spec->path = strdup("");
	if (spec->server == NULL || spec->share == NULL || spec->path == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	if (has_control(spec->share) || strpbrk(spec->share, "\\/:*?\"<>|") != NULL ||
	    strlen(spec->share) > MAX_SHARE || spec->share[0] == '.')
		return rdr_fail(error, RDR_USAGE,
				"a mem: volume is a plain name of at most %d characters, as in mem:scratch",
				MAX_SHARE);
	return 0;
}

/**
 * rdr_spec_parse - understand the thing to mount
 * @argument: [in, out] the word as typed; a password in it is overwritten with 'x'
 * @spec:     [out] to be given to rdr_spec_free(), also after an error
 *
 * Return: 0, RDR_USAGE for what cannot be mounted, RDR_SYSTEM for no memory.
 */
int rdr_spec_parse(char *argument, struct rdr_spec *spec, struct rdr_error *error)
{
	memset(spec, 0, sizeof(*spec));
	spec->scheme = RDR_SCHEME_SMB;
	if (strncmp(argument, "//", 2) == 0 || strncmp(argument, "\\\\", 2) == 0)
		return parse_unc(argument, spec, error);
	if (strncasecmp(argument, "smb://", 6) == 0)
		return parse_smb_url(argument, spec, error);
	if (strncmp(argument, "mem:", 4) == 0)
		return parse_mem(argument, spec, error);
	return rdr_fail(error, RDR_USAGE,
			"cannot tell what to mount; write //server/share, smb://user@server/share or mem:");
}

/**
 * rdr_spec_parse_driver - what a loadable driver shall mount
 * @argument: [in, out] //server/share[/path], a name NAME for //NAME/share, or NULL for //@driver/share
 * @driver:   [in] the driver's name
 * @spec:     [out] to be given to rdr_spec_free(), also after an error
 *
 * Return: 0, RDR_USAGE, RDR_SYSTEM.
 */
int rdr_spec_parse_driver(char *argument, const char *driver, struct rdr_spec *spec, struct rdr_error *error)
{
	const char *name = argument != NULL ? argument : driver;
	int code;

	memset(spec, 0, sizeof(*spec));
	spec->scheme = RDR_SCHEME_DRIVER;
	if (strncmp(name, "//", 2) == 0 || strncmp(name, "\\\\", 2) == 0)
		return parse_unc(argument, spec, error);
	code = parse_server(name, name + strlen(name), spec, error);
	if (code != 0)
		return code;
	spec->share = strdup("share");
	spec->path = strdup("");
	if (spec->share == NULL || spec->path == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	return 0;
}

/* //server[:port]/share[/path] or mem:volume, for people and /proc/mounts; malloc'ed, NULL without memory. */
char *rdr_spec_display(const struct rdr_spec *spec)
{
	char *text = NULL;
	const char *open = strchr(spec->server, ':') != NULL ? "[" : "";
	const char *close = open[0] != '\0' ? "]" : "";
	char port[16] = "";

	if (spec->port != 0)
		snprintf(port, sizeof(port), ":%u", spec->port);
	if (spec->scheme == RDR_SCHEME_MEM) {
		if (asprintf(&text, "mem:%s", spec->share) < 0)
			return NULL;
	} else if (asprintf(&text, "//%s%s%s%s/%s%s%s", open, spec->server, close, port, spec->share,
			    spec->path[0] != '\0' ? "/" : "", spec->path) < 0) {
		return NULL;
	}
	return text;
}

void rdr_spec_free(struct rdr_spec *spec)
{
	free(spec->server);
	free(spec->share);
	free(spec->path);
	free(spec->user);
	free(spec->domain);
	free(spec->arguments);
	rdr_secret_wipe(&spec->password);
	memset(spec, 0, sizeof(*spec));
}
