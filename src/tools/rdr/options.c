/*
 * options.c - everything that may stand behind -o.
 *
 * Owns:      struct rdr_options, and the one table of option names: what mount.cifs(8), FUSE,
 *            mount(8), fstab and systemd write, each with its meaning there.
 * Rules:     a name of the table is obeyed, has no effect (and says so with -v), or is
 *            refused with a reason; any other name is an error.  Names that fstab or systemd
 *            leave for themselves never make a mount fail.
 *            A password given here is blanked in the argument itself (option_values.c).
 */
#include "options_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum rdr_value { VALUE_NONE, VALUE_NEEDED, VALUE_MAYBE };

struct option_row {
	const char *name;
	enum rdr_value value;
	rdr_apply_fn *apply; /* NULL: accepted, without effect */
	const char *refused; /* not NULL: why it cannot be had */
	bool silent;         /* belongs to fstab and friends: no word about it */
};

/* Appends to a comma separated list; an allocation failure leaves the list as it was. */
void rdr_append(char **list, const char *format, ...)
{
	char *item = NULL;
	char *joined = NULL;
	va_list arguments;

	va_start(arguments, format);
	int length = vasprintf(&item, format, arguments);

	va_end(arguments);
	if (length < 0)
		return;
	if (*list == NULL) {
		*list = item;
		return;
	}
	if (asprintf(&joined, "%s,%s", *list, item) >= 0) {
		free(*list);
		*list = joined;
	}
	free(item);
}

#define OBEYED(name, value, apply) \
	{ \
		name, value, apply, NULL, false \
	}
#define QUIET(name, value) \
	{ \
		name, value, NULL, NULL, true \
	}
#define NO_EFFECT(name, value) \
	{ \
		name, value, NULL, NULL, false \
	}
#define REFUSED(name, value, why) \
	{ \
		name, value, NULL, why, false \
	}

static const struct option_row rows[] = {
	/* who */
	OBEYED("username", VALUE_NEEDED, rdr_apply_user),
	OBEYED("user", VALUE_MAYBE, rdr_apply_user),
	OBEYED("password", VALUE_NEEDED, rdr_apply_password),
	OBEYED("pass", VALUE_NEEDED, rdr_apply_password),
	OBEYED("domain", VALUE_NEEDED, rdr_apply_domain),
	OBEYED("dom", VALUE_NEEDED, rdr_apply_domain),
	OBEYED("workgroup", VALUE_NEEDED, rdr_apply_domain),
	OBEYED("credentials", VALUE_NEEDED, rdr_apply_credentials),
	OBEYED("cred", VALUE_NEEDED, rdr_apply_credentials),
	OBEYED("guest", VALUE_NONE, rdr_apply_guest),
	OBEYED("sec", VALUE_NEEDED, rdr_apply_sec),
	NO_EFFECT("cruid", VALUE_NEEDED),
	REFUSED("multiuser", VALUE_NONE, "one set of credentials serves one mount; mount once per user"),
	/* where and how */
	OBEYED("vers", VALUE_NEEDED, rdr_apply_vers),
	OBEYED("seal", VALUE_NONE, rdr_apply_flag),
	OBEYED("sign", VALUE_NONE, rdr_apply_flag),
	OBEYED("port", VALUE_NEEDED, rdr_apply_port),
	OBEYED("ip", VALUE_NEEDED, rdr_apply_address),
	OBEYED("addr", VALUE_NEEDED, rdr_apply_address),
	OBEYED("rsize", VALUE_NEEDED, rdr_apply_size),
	OBEYED("wsize", VALUE_NEEDED, rdr_apply_size),
	OBEYED("echo_interval", VALUE_NEEDED, rdr_apply_echo_interval),
	OBEYED("timeout", VALUE_NEEDED, rdr_apply_timeout),
	NO_EFFECT("servern", VALUE_NEEDED),
	NO_EFFECT("netbiosname", VALUE_NEEDED),
	NO_EFFECT("max_credits", VALUE_NEEDED),
	NO_EFFECT("hard", VALUE_NONE),
	NO_EFFECT("soft", VALUE_NONE),
	NO_EFFECT("nosharesock", VALUE_NONE),
	NO_EFFECT("multichannel", VALUE_NONE),
	NO_EFFECT("nomultichannel", VALUE_NONE),
	NO_EFFECT("max_channels", VALUE_NEEDED),
	NO_EFFECT("nodfs", VALUE_NONE),
	REFUSED("rdma", VALUE_NONE, "SMB Direct is not available"),
	REFUSED("snapshot", VALUE_NEEDED, "previous versions cannot be mounted in this version"),
	/* as whom files appear */
	OBEYED("uid", VALUE_NEEDED, rdr_apply_uid),
	OBEYED("gid", VALUE_NEEDED, rdr_apply_gid),
	OBEYED("file_mode", VALUE_NEEDED, rdr_apply_mode),
	OBEYED("dir_mode", VALUE_NEEDED, rdr_apply_mode),
	OBEYED("umask", VALUE_NEEDED, rdr_apply_mode),
	NO_EFFECT("forceuid", VALUE_NONE),
	NO_EFFECT("noforceuid", VALUE_NONE),
	NO_EFFECT("forcegid", VALUE_NONE),
	NO_EFFECT("noforcegid", VALUE_NONE),
	NO_EFFECT("perm", VALUE_NONE),
	OBEYED("noperm", VALUE_NONE, rdr_apply_flag),
	NO_EFFECT("dynperm", VALUE_NONE),
	NO_EFFECT("nodynperm", VALUE_NONE),
	NO_EFFECT("serverino", VALUE_NONE),
	NO_EFFECT("noserverino", VALUE_NONE),
	NO_EFFECT("cifsacl", VALUE_NONE),
	NO_EFFECT("noacl", VALUE_NONE),
	NO_EFFECT("user_xattr", VALUE_NONE),
	NO_EFFECT("nouser_xattr", VALUE_NONE),
	REFUSED("posix", VALUE_NONE, "the SMB 3.1.1 POSIX extensions are not available in this version"),
	NO_EFFECT("noposix", VALUE_NONE),
	/* caching */
	OBEYED("actimeo", VALUE_NEEDED, rdr_apply_seconds),
	OBEYED("acregmax", VALUE_NEEDED, rdr_apply_seconds),
	OBEYED("acdirmax", VALUE_NEEDED, rdr_apply_seconds),
	OBEYED("cache", VALUE_NEEDED, rdr_apply_cache),
	NO_EFFECT("handlecache", VALUE_NONE),
	NO_EFFECT("nohandlecache", VALUE_NONE),
	NO_EFFECT("handletimeout", VALUE_NEEDED),
	NO_EFFECT("closetimeo", VALUE_NEEDED),
	NO_EFFECT("nolease", VALUE_NONE),
	NO_EFFECT("locallease", VALUE_NONE),
	NO_EFFECT("resilienthandles", VALUE_NONE),
	NO_EFFECT("noresilienthandles", VALUE_NONE),
	NO_EFFECT("persistenthandles", VALUE_NONE),
	NO_EFFECT("nopersistenthandles", VALUE_NONE),
	/* names and locks */
	NO_EFFECT("mapposix", VALUE_NONE),
	REFUSED("mapchars", VALUE_NONE, "names are mapped as mapposix does; leave the option out"),
	REFUSED("nomapchars", VALUE_NONE, "names are mapped as mapposix does; leave the option out"),
	NO_EFFECT("iocharset", VALUE_NEEDED),
	NO_EFFECT("nocase", VALUE_NONE),
	NO_EFFECT("ignorecase", VALUE_NONE),
	REFUSED("mfsymlinks", VALUE_NONE, "links stored as files are not available in this version"),
	OBEYED("nobrl", VALUE_NONE, rdr_apply_flag),
	OBEYED("nolock", VALUE_NONE, rdr_apply_flag),
	OBEYED("brl", VALUE_NONE, rdr_apply_flag),
	OBEYED("lock", VALUE_NONE, rdr_apply_flag),
	NO_EFFECT("forcemandatorylock", VALUE_NONE),
	/* FUSE */
	OBEYED("allow_other", VALUE_NONE, rdr_apply_flag),
	OBEYED("allow_root", VALUE_NONE, rdr_apply_flag),
	OBEYED("default_permissions", VALUE_NONE, rdr_apply_flag),
	OBEYED("auto_unmount", VALUE_NONE, rdr_apply_flag),
	OBEYED("fsname", VALUE_NEEDED, rdr_apply_text),
	OBEYED("subtype", VALUE_NEEDED, rdr_apply_text),
	OBEYED("max_read", VALUE_NEEDED, rdr_apply_max_read),
	/* mount(8) */
	OBEYED("ro", VALUE_NONE, rdr_apply_kernel),
	OBEYED("rw", VALUE_NONE, rdr_apply_kernel),
	OBEYED("suid", VALUE_NONE, rdr_apply_kernel),
	OBEYED("nosuid", VALUE_NONE, rdr_apply_kernel),
	OBEYED("dev", VALUE_NONE, rdr_apply_kernel),
	OBEYED("nodev", VALUE_NONE, rdr_apply_kernel),
	OBEYED("exec", VALUE_NONE, rdr_apply_kernel),
	OBEYED("noexec", VALUE_NONE, rdr_apply_kernel),
	OBEYED("sync", VALUE_NONE, rdr_apply_kernel),
	OBEYED("async", VALUE_NONE, rdr_apply_kernel),
	OBEYED("dirsync", VALUE_NONE, rdr_apply_kernel),
	OBEYED("atime", VALUE_NONE, rdr_apply_kernel),
	OBEYED("noatime", VALUE_NONE, rdr_apply_kernel),
	QUIET("relatime", VALUE_NONE),
	QUIET("norelatime", VALUE_NONE),
	QUIET("strictatime", VALUE_NONE),
	QUIET("lazytime", VALUE_NONE),
	QUIET("nolazytime", VALUE_NONE),
	QUIET("diratime", VALUE_NONE),
	QUIET("nodiratime", VALUE_NONE),
	QUIET("mand", VALUE_NONE),
	QUIET("nomand", VALUE_NONE),
	QUIET("loud", VALUE_NONE),
	QUIET("silent", VALUE_NONE),
	QUIET("defaults", VALUE_NONE),
	/* fstab and systemd */
	QUIET("_netdev", VALUE_NONE),
	QUIET("nofail", VALUE_NONE),
	QUIET("fail", VALUE_NONE),
	QUIET("auto", VALUE_NONE),
	QUIET("noauto", VALUE_NONE),
	QUIET("nouser", VALUE_NONE),
	QUIET("users", VALUE_NONE),
	QUIET("nousers", VALUE_NONE),
	QUIET("owner", VALUE_NONE),
	QUIET("noowner", VALUE_NONE),
	QUIET("group", VALUE_NONE),
	QUIET("nogroup", VALUE_NONE),
	QUIET("comment", VALUE_MAYBE),
};

static const struct option_row *find_row(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(name, rows[i].name) == 0)
			return &rows[i];
	}
	return NULL;
}

/* @item is one NUL-terminated `name` or `name=value`; it may be changed. */
static int parse_one(char *item, struct rdr_options *options, struct rdr_error *error)
{
	char *value = strchr(item, '=');
	char name[64];
	size_t name_length = value != NULL ? (size_t)(value - item) : strlen(item);

	if (strncasecmp(item, "x-", 2) == 0)
		return 0;
	if (name_length >= sizeof(name))
		return rdr_fail(error, RDR_USAGE, "an option's name is too long; see rdr --help");
	memcpy(name, item, name_length);
	name[name_length] = '\0';
	if (value != NULL)
		value++;
	const struct option_row *row = find_row(name);

	if (row == NULL)
		return rdr_fail(error, RDR_USAGE, "unknown option '%s'; rdr --help lists the options", name);
	if (row->refused != NULL)
		return rdr_fail(error, RDR_USAGE, "option %s: %s", name, row->refused);
	if (row->value == VALUE_NEEDED &&
	    (value == NULL || (value[0] == '\0' && strncmp(name, "pass", 4) != 0)))
		return rdr_fail(error, RDR_USAGE, "option %s needs a value: %s=...", name, name);
	if (row->value == VALUE_NONE && value != NULL)
		return rdr_fail(error, RDR_USAGE, "option %s takes no value", name);
	if (row->apply == NULL) {
		if (!row->silent)
			rdr_append(&options->without_effect, "%s", name);
		return 0;
	}
	return row->apply(options, name, value, error);
}

/**
 * rdr_options_parse - take in one comma separated list
 * @list: [in, out] as typed; changed while it is read and restored, but for the bytes of
 *        passwords, which stay blanked
 *
 * Later options win.  May be called once for each -o.
 *
 * Return: 0, RDR_USAGE with the option's name in the text, RDR_SYSTEM for no memory.
 */
int rdr_options_parse(char *list, struct rdr_options *options, struct rdr_error *error)
{
	char *item = list;

	while (*item != '\0') {
		char *comma = strchr(item, ',');

		if (comma != NULL)
			*comma = '\0';
		int code = *item != '\0' ? parse_one(item, options, error) : 0;

		if (comma == NULL)
			return code;
		*comma = ',';
		if (code != 0)
			return code;
		item = comma + 1;
	}
	return 0;
}

void rdr_options_init(struct rdr_options *options)
{
	memset(options, 0, sizeof(*options));
	options->uid = getuid();
	options->gid = getgid();
	options->file_mode = 0755;
	options->dir_mode = 0755;
	options->actimeo = -1;
	options->acregmax = -1;
	options->acdirmax = -1;
}

void rdr_options_free(struct rdr_options *options)
{
	rdr_secret_wipe(&options->password);
	free(options->user);
	free(options->domain);
	free(options->credentials);
	free(options->vers);
	free(options->sec);
	free(options->address);
	free(options->cache);
	free(options->fsname);
	free(options->subtype);
	free(options->kernel_flags);
	free(options->without_effect);
	memset(options, 0, sizeof(*options));
}

/* The list a mini-redirector reads from the EA "rdr.Options"; malloc'ed, never NULL but without memory. */
char *rdr_options_for_driver(const struct rdr_options *options)
{
	char *list = NULL;

	if (options->vers != NULL)
		rdr_append(&list, "vers=%s", options->vers);
	if (options->sec != NULL)
		rdr_append(&list, "sec=%s", options->sec);
	if (options->guest)
		rdr_append(&list, "guest");
	if (options->seal)
		rdr_append(&list, "seal");
	if (options->sign)
		rdr_append(&list, "sign");
	if (options->rsize != 0)
		rdr_append(&list, "rsize=%lu", options->rsize);
	if (options->wsize != 0)
		rdr_append(&list, "wsize=%lu", options->wsize);
	if (options->echo_interval != 0)
		rdr_append(&list, "echo_interval=%u", options->echo_interval);
	if (options->timeout != 0)
		rdr_append(&list, "timeout=%u", options->timeout);
	if (options->address != NULL)
		rdr_append(&list, "ip=%s", options->address);
	return list != NULL ? list : strdup("");
}

/* One paragraph: the names that are obeyed, then those that change nothing. */
void rdr_options_help(FILE *out)
{
	for (int pass = 0; pass < 3; pass++) {
		static const char *const titles[] = {"Obeyed", "Accepted, without effect here", "Refused"};
		int column = 0;

		fprintf(out, "  %s:\n", titles[pass]);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			int kind = rows[i].refused != NULL ? 2 : rows[i].apply == NULL ? 1 : 0;
			const char *suffix = rows[i].value == VALUE_NEEDED ? "=" : "";

			if (kind != pass)
				continue;
			if (column + strlen(rows[i].name) > 70) {
				fputc('\n', out);
				column = 0;
			}
			column += fprintf(out, "%s%s%s", column == 0 ? "    " : " ", rows[i].name, suffix);
		}
		fprintf(out, "%s\n", pass == 1 ? "\n    and any name that begins with x- or X-" : "");
	}
}
