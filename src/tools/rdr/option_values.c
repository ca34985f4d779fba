/*
 * option_values.c - what the values of options mean: numbers, users and groups, sizes, times, secrets.
 *
 * Owns:      nothing; each fills its fields of struct rdr_options, which frees them (options.c).
 * Rules:     what cannot be understood is an error that says what was expected.  A password is blanked in the
 *            argument itself.
 */
#include "options_int.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static int set_text(char **field, const char *value, struct rdr_error *error)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

static int parse_number(const char *name, const char *value, unsigned long low, unsigned long high,
			unsigned long *number, struct rdr_error *error)
{
	char *end = NULL;

	errno = 0;
	unsigned long parsed = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)value[0]) || errno != 0 || *end != '\0' || parsed < low || parsed > high)
		return rdr_fail(error, RDR_USAGE, "option %s=%s: expected a number from %lu to %lu", name,
				value, low, high);
	*number = parsed;
	return 0;
}

/* who is DOMAIN\user, DOMAIN/user or user, each perhaps with %password. */
int rdr_apply_user(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	int code;

	if (value == NULL)
		return 0; /* the fstab flag `user`: who may mount is mount(8)'s business */
	(void)name;
	char *percent = strchr(value, '%');

	if (percent != NULL) {
		code = rdr_secret_set(&options->password, percent + 1, strlen(percent + 1), error);
		if (code != 0)
			return code;
		options->has_password = true;
		memset(percent + 1, 'x', strlen(percent + 1));
		*percent = '\0';
	}
	char *separator = strpbrk(value, "\\/");

	if (separator != NULL) {
		*separator = '\0';
		code = set_text(&options->domain, value, error);
		if (code == 0)
			code = set_text(&options->user, separator + 1, error);
		*separator = '\\';
	} else {
		code = set_text(&options->user, value, error);
	}
	if (percent != NULL)
		*percent = '%';
	return code;
}

int rdr_apply_password(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	int code = rdr_secret_set(&options->password, value, strlen(value), error);

	memset(value, 'x', strlen(value));
	if (code != 0)
		return code;
	options->has_password = true;
	rdr_warn("option %s= can be seen by others before it is blanked; use credentials=FILE", name);
	return 0;
}

int rdr_apply_domain(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	(void)name;
	return set_text(&options->domain, value, error);
}

int rdr_apply_credentials(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	(void)name;
	return set_text(&options->credentials, value, error);
}

int rdr_apply_guest(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	(void)name;
	(void)value;
	(void)error;
	options->guest = true;
	return 0;
}

int rdr_apply_sec(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	if (strcmp(value, "none") == 0)
		options->guest = true;
	else if (strcmp(value, "ntlmsspi") == 0)
		options->sign = true;
	else if (strncmp(value, "krb5", 4) == 0)
		return rdr_fail(error, RDR_USAGE,
				"option %s=%s: Kerberos is not available in this version; use sec=ntlmssp",
				name, value);
	else if (strcmp(value, "ntlm") == 0 || strcmp(value, "ntlmi") == 0 || strcmp(value, "ntlmv2") == 0 ||
		 strcmp(value, "ntlmv2i") == 0 || strcmp(value, "lanman") == 0)
		return rdr_fail(error, RDR_USAGE,
				"option %s=%s: too old and unsafe; use sec=ntlmssp (NTLMv2, the default)",
				name, value);
	else if (strcmp(value, "ntlmssp") != 0)
		return rdr_fail(error, RDR_USAGE, "option %s=%s: expected ntlmssp, ntlmsspi or none", name,
				value);
	return set_text(&options->sec, value, error);
}

int rdr_apply_vers(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	static const char *const versions[][2] = {
		{"2.0", "2.0"},    {"2.0.2", "2.0"},       {"2.1", "2.1"},     {"3.0", "3.0"},
		{"3.02", "3.0.2"}, {"3.0.2", "3.0.2"},     {"3.1.1", "3.1.1"}, {"3.11", "3.1.1"},
		{"3", "3"},        {"default", "default"},
	};

	if (strcmp(value, "1.0") == 0 || strcmp(value, "1") == 0)
		return rdr_fail(
			error, RDR_USAGE,
			"option %s=%s: SMB1 is unsafe and not offered; use vers=default (2.1 to 3.1.1)", name,
			value);
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (strcmp(value, versions[i][0]) == 0)
			return set_text(&options->vers, versions[i][1], error);
	}
	return rdr_fail(error, RDR_USAGE, "option %s=%s: expected 2.0, 2.1, 3.0, 3.0.2, 3.1.1, 3 or default",
			name, value);
}

int rdr_apply_flag(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	(void)value;
	(void)error;
	if (strcmp(name, "seal") == 0)
		options->seal = true;
	else if (strcmp(name, "sign") == 0)
		options->sign = true;
	else if (strcmp(name, "allow_other") == 0)
		options->allow_other = true;
	else if (strcmp(name, "allow_root") == 0)
		options->allow_root = true;
	else if (strcmp(name, "default_permissions") == 0)
		options->default_permissions = true;
	else if (strcmp(name, "auto_unmount") == 0)
		options->auto_unmount = true;
	else if (strcmp(name, "noperm") == 0)
		options->no_permissions = true;
	else if (strcmp(name, "nobrl") == 0 || strcmp(name, "nolock") == 0)
		options->local_locks = true;
	else if (strcmp(name, "brl") == 0 || strcmp(name, "lock") == 0)
		options->local_locks = false;
	return 0;
}

int rdr_apply_port(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	unsigned long number = 0;
	int code = parse_number(name, value, 1, 65535, &number, error);

	options->port = (unsigned int)number;
	return code;
}

int rdr_apply_address(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	(void)name;
	return set_text(&options->address, value, error);
}

int rdr_apply_uid(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	unsigned long number = 0;
	int code = 0;

	if (isdigit((unsigned char)value[0])) {
		code = parse_number(name, value, 0, UINT32_MAX - 1, &number, error);
	} else {
		const struct passwd *entry = getpwnam(value);

		if (entry == NULL)
			return rdr_fail(error, RDR_USAGE, "option %s=%s: no such user here", name, value);
		number = entry->pw_uid;
	}
	options->uid = (uid_t)number;
	options->has_uid = code == 0;
	return code;
}

int rdr_apply_gid(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	unsigned long number = 0;
	int code = 0;

	if (isdigit((unsigned char)value[0])) {
		code = parse_number(name, value, 0, UINT32_MAX - 1, &number, error);
	} else {
		const struct group *entry = getgrnam(value);

		if (entry == NULL)
			return rdr_fail(error, RDR_USAGE, "option %s=%s: no such group here", name, value);
		number = entry->gr_gid;
	}
	options->gid = (gid_t)number;
	options->has_gid = code == 0;
	return code;
}

int rdr_apply_mode(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	char *end = NULL;
	unsigned long mode = strtoul(value, &end, 8);

	if (value[0] < '0' || value[0] > '7' || *end != '\0' || mode > 07777)
		return rdr_fail(error, RDR_USAGE, "option %s=%s: expected permission bits in octal, as 0644",
				name, value);
	if (strcmp(name, "file_mode") == 0) {
		options->file_mode = (unsigned int)mode;
		options->has_file_mode = true;
	} else if (strcmp(name, "dir_mode") == 0) {
		options->dir_mode = (unsigned int)mode;
		options->has_dir_mode = true;
	} else {
		options->umask_bits = (unsigned int)mode & 0777;
	}
	return 0;
}

int rdr_apply_seconds(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	char *end = NULL;
	double seconds = strtod(value, &end);

	if (!(isdigit((unsigned char)value[0]) || value[0] == '.') || *end != '\0' || !(seconds >= 0) ||
	    seconds > 1 << 30)
		return rdr_fail(error, RDR_USAGE, "option %s=%s: expected seconds, 0 or more", name, value);
	if (strcmp(name, "actimeo") == 0)
		options->actimeo = seconds;
	else if (strcmp(name, "acregmax") == 0)
		options->acregmax = seconds;
	else
		options->acdirmax = seconds;
	return 0;
}

int rdr_apply_size(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	unsigned long number = 0;
	int code = parse_number(name, value, 1024, 64UL << 20, &number, error);

	if (strcmp(name, "rsize") == 0)
		options->rsize = number;
	else
		options->wsize = number;
	return code;
}

int rdr_apply_max_read(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	return parse_number(name, value, 4096, 1UL << 20, &options->max_read, error);
}

int rdr_apply_echo_interval(struct rdr_options *options, const char *name, char *value,
			    struct rdr_error *error)
{
	unsigned long number = 0;
	int code = parse_number(name, value, 1, 600, &number, error);

	options->echo_interval = (unsigned int)number;
	return code;
}

int rdr_apply_timeout(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	unsigned long number = 0;
	int code = parse_number(name, value, 1, 3600, &number, error);

	options->timeout = (unsigned int)number;
	return code;
}

int rdr_apply_cache(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	if (strcmp(value, "none") != 0 && strcmp(value, "strict") != 0 && strcmp(value, "loose") != 0)
		return rdr_fail(error, RDR_USAGE, "option %s=%s: expected none, strict or loose", name,
				value);
	return set_text(&options->cache, value, error);
}

int rdr_apply_text(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	return set_text(strcmp(name, "fsname") == 0 ? &options->fsname : &options->subtype, value, error);
}

int rdr_apply_kernel(struct rdr_options *options, const char *name, char *value, struct rdr_error *error)
{
	(void)value;
	(void)error;
	if (strcmp(name, "ro") == 0)
		options->read_only = true;
	if (strcmp(name, "rw") == 0)
		options->read_only = false;
	else
		rdr_append(&options->kernel_flags, "%s", name);
	return 0;
}
