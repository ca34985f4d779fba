/*
 * credentials.c - who logs on, and with which password.
 *
 * Order: option or URL, credentials=FILE, PASSWD_FILE, PASSWD_FD, PASSWD, USER=name%password,
 * and last a question on the terminal.  guest, sec=none and mem: need none.
 *
 * Owns:      struct rdr_credentials until rdr_credentials_forget(), which runs as soon as the
 *            share is connected.
 * Rules:     a file that others may read is refused; nothing read here is ever printed; the
 *            environment that held a password is wiped in place, since /proc shows it.
 */
#include "rdr.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define MAX_FILE 16384 /* bytes of a credentials file */
#define MAX_PASSWORD 1024

extern char **environ;

/* Reads all of @fd, at most the room that @into has. */
static int read_all(int fd, const char *name, struct rdr_secret *into, struct rdr_error *error)
{
	for (;;) {
		size_t room = into->mapped - 1 - into->length;
		ssize_t n;

		if (room == 0)
			return rdr_fail(error, RDR_USAGE, "%s is too long to hold credentials", name);
		n = read(fd, into->bytes + into->length, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rdr_fail(error, RDR_USAGE, "cannot read %s: %s", name, strerror(errno));
		if (n == 0)
			break;
		into->length += (size_t)n;
	}
	into->bytes[into->length] = '\0';
	if (strlen(into->bytes) != into->length)
		return rdr_fail(error, RDR_USAGE, "%s is not a text file", name);
	return 0;
}

static int open_private(const char *what, const char *name, struct rdr_secret *into, struct rdr_error *error)
{
	struct stat status;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int code = 0;

	if (fd < 0)
		return rdr_fail(error, RDR_USAGE, "cannot open the %s %s: %s", what, name, strerror(errno));
	if (fstat(fd, &status) != 0)
		code = rdr_fail(error, RDR_SYSTEM, "cannot look at the %s %s: %s", what, name,
				strerror(errno));
	else if (S_ISDIR(status.st_mode))
		code = rdr_fail(error, RDR_USAGE, "the %s %s is a directory", what, name);
	else if (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)
		code = rdr_fail(error, RDR_USAGE,
				"the %s %s can be read or changed by others (mode %04o); run: chmod 600 %s",
				what, name, (unsigned int)(status.st_mode & 07777), name);
	else if (S_ISREG(status.st_mode) && status.st_uid != geteuid() && status.st_uid != 0)
		code = rdr_fail(error, RDR_USAGE, "the %s %s belongs to another user", what, name);
	if (code == 0)
		code = rdr_secret_reserve(into, MAX_FILE, error);
	if (code == 0) {
		(void)fcntl(fd, F_SETFL, 0); /* a pipe is read to its end, blocking */
		code = read_all(fd, name, into, error);
	}
	close(fd);
	return code;
}

static int copy_text(char **field, const char *value, struct rdr_error *error)
{
	free(*field);
	*field = strdup(value);
	return *field != NULL ? 0 : rdr_fail(error, RDR_SYSTEM, "out of memory");
}

static bool is_one_of(const char *name, const char *a, const char *b, const char *c)
{
	return strcmp(name, a) == 0 || strcmp(name, b) == 0 || strcmp(name, c) == 0;
}

struct file_values {
	char *user;
	char *domain;
	struct rdr_secret password;
	bool has_password;
};

/* username=, password= and domain= one per line; a value is all that follows the first '='. */
static int parse_file(const char *name, char *text, struct file_values *values, struct rdr_error *error)
{
	int line_number = 0;
	char *line = text;

	while (line != NULL && *line != '\0') {
		char *next = strchr(line, '\n');
		int code = 0;

		line_number++;
		if (next != NULL)
			*next++ = '\0';
		size_t length = strlen(line);

		if (length > 0 && line[length - 1] == '\r')
			line[length - 1] = '\0';
		while (*line == ' ' || *line == '\t')
			line++;
		char *value = strchr(line, '=');

		if (*line == '\0' || *line == '#') {
			line = next;
			continue;
		}
		if (value == NULL)
			return rdr_fail(
				error, RDR_USAGE,
				"credentials file %s, line %d: expected username=, password= or domain=",
				name, line_number);
		*value++ = '\0';
		if (is_one_of(line, "username", "user", "user")) {
			code = copy_text(&values->user, value, error);
		} else if (is_one_of(line, "password", "pass", "passwd")) {
			code = rdr_secret_set(&values->password, value, strlen(value), error);
			values->has_password = true;
		} else if (is_one_of(line, "domain", "dom", "workgroup")) {
			code = copy_text(&values->domain, value, error);
		} else {
			code = rdr_fail(
				error, RDR_USAGE,
				"credentials file %s, line %d: expected username=, password= or domain=",
				name, line_number);
		}
		if (code != 0)
			return code;
		line = next;
	}
	return 0;
}

static int from_file(const char *name, struct rdr_credentials *credentials, bool *has_password,
		     struct rdr_error *error)
{
	struct rdr_secret text = {0};
	struct file_values values = {0};
	int code = open_private("credentials file", name, &text, error);

	if (code == 0)
		code = parse_file(name, text.bytes, &values, error);
	if (code == 0 && credentials->user == NULL) {
		credentials->user = values.user;
		values.user = NULL;
	}
	if (code == 0 && credentials->domain == NULL) {
		credentials->domain = values.domain;
		values.domain = NULL;
	}
	if (code == 0 && !*has_password && values.has_password) {
		credentials->password = values.password;
		memset(&values.password, 0, sizeof(values.password));
		*has_password = true;
	}
	rdr_secret_wipe(&values.password);
	rdr_secret_wipe(&text);
	free(values.user);
	free(values.domain);
	return code;
}

/* The first line of @text becomes the password. */
static int take_line(struct rdr_secret *text, struct rdr_credentials *credentials, struct rdr_error *error)
{
	size_t length = strcspn(text->bytes, "\n");

	if (length > 0 && text->bytes[length - 1] == '\r')
		length--;
	return rdr_secret_set(&credentials->password, text->bytes, length, error);
}

static int from_environment(struct rdr_credentials *credentials, bool *has_password, struct rdr_error *error)
{
	const char *file = getenv("PASSWD_FILE");
	const char *descriptor = getenv("PASSWD_FD");
	const char *password = getenv("PASSWD");
	struct rdr_secret text = {0};
	int code = 0;

	if (*has_password)
		return 0;
	if (file != NULL) {
		code = open_private("password file (PASSWD_FILE)", file, &text, error);
	} else if (descriptor != NULL) {
		char *end = NULL;
		long fd = strtol(descriptor, &end, 10);

		if (!isdigit((unsigned char)descriptor[0]) || *end != '\0' || fd > 65535)
			return rdr_fail(error, RDR_USAGE, "PASSWD_FD must be the number of an open file");
		code = rdr_secret_reserve(&text, MAX_FILE, error);
		if (code == 0)
			code = read_all((int)fd, "PASSWD_FD", &text, error);
		close((int)fd);
	} else if (password != NULL) {
		code = rdr_secret_set(&text, password, strlen(password), error);
	} else {
		const char *user = getenv("USER");
		const char *percent = user != NULL ? strchr(user, '%') : NULL;

		if (percent == NULL)
			return 0;
		/* it is this user's password and nobody else's */
		if (credentials->user != NULL &&
		    (strlen(credentials->user) != (size_t)(percent - user) ||
		     strncmp(credentials->user, user, (size_t)(percent - user)) != 0))
			return 0;
		code = rdr_secret_set(&text, percent + 1, strlen(percent + 1), error);
	}
	if (code == 0)
		code = take_line(&text, credentials, error);
	*has_password = code == 0;
	rdr_secret_wipe(&text);
	return code;
}

/* USER up to '%', else the login name. */
static int default_user(struct rdr_credentials *credentials, struct rdr_error *error)
{
	const char *user = getenv("USER");
	const struct passwd *entry;

	if (credentials->user != NULL)
		return 0;
	if (user != NULL && user[0] != '\0' && user[0] != '%') {
		credentials->user = strndup(user, strcspn(user, "%"));
		return credentials->user != NULL ? 0 : rdr_fail(error, RDR_SYSTEM, "out of memory");
	}
	entry = getpwuid(geteuid());
	if (entry == NULL)
		return rdr_fail(error, RDR_USAGE, "nobody to log on as; give the option username=");
	return copy_text(&credentials->user, entry->pw_name, error);
}

static int read_answer(int fd, struct rdr_secret *into, struct rdr_error *error)
{
	for (;;) {
		char byte;
		ssize_t n = read(fd, &byte, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || byte == '\n')
			break;
		if (into->length == MAX_PASSWORD)
			return rdr_fail(error, RDR_USAGE, "the password is longer than %d bytes",
					MAX_PASSWORD);
		into->bytes[into->length++] = byte;
	}
	into->bytes[into->length] = '\0';
	return 0;
}

/* Asks on the terminal, with the echo off and put back whatever happens. */
static int from_terminal(const struct rdr_spec *spec, struct rdr_credentials *credentials,
			 struct rdr_error *error)
{
	struct termios before, quiet;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int code;

	if (fd < 0)
		return rdr_fail(
			error, RDR_USAGE,
			"no password for %s on %s; give credentials=FILE, PASSWD, PASSWD_FILE or guest",
			credentials->user, spec->server);
	code = rdr_secret_reserve(&credentials->password, MAX_PASSWORD, error);
	if (code == 0 && tcgetattr(fd, &before) != 0)
		code = rdr_fail(error, RDR_SYSTEM, "cannot ask for a password: %s", strerror(errno));
	if (code == 0) {
		quiet = before;
		quiet.c_lflag &=
			~(tcflag_t)(ECHO | ISIG); /* ^C is read as a byte, so the echo always returns */
		quiet.c_lflag |= ECHONL;
		dprintf(fd, "Password for %s on %s: ", credentials->user, spec->server);
		(void)tcsetattr(fd, TCSAFLUSH, &quiet);
		code = read_answer(fd, &credentials->password, error);
		(void)tcsetattr(fd, TCSAFLUSH, &before);
		if (code == 0 && memchr(credentials->password.bytes, 3, credentials->password.length) != NULL)
			code = rdr_fail(error, RDR_INTERRUPTED, "interrupted");
	}
	close(fd);
	return code;
}

/**
 * rdr_credentials_gather - find user, domain and password
 * @spec:        [in] what is mounted; its password is moved out
 * @options:     [in, out] its password is moved out
 * @credentials: [out] for rdr_credentials_forget(), also after an error; user NULL means guest
 *
 * May ask on the terminal.
 *
 * Return: 0; RDR_USAGE for a file or variable that cannot be used, or no way to a password;
 * RDR_INTERRUPTED for ^C; RDR_SYSTEM.
 */
int rdr_credentials_gather(const struct rdr_spec *spec, struct rdr_options *options,
			   struct rdr_credentials *credentials, struct rdr_error *error)
{
	bool has_password = false;
	int code = 0;

	memset(credentials, 0, sizeof(*credentials));
	if (spec->scheme == RDR_SCHEME_MEM)
		return 0;
	if (options->user != NULL || spec->user != NULL)
		code = copy_text(&credentials->user, options->user != NULL ? options->user : spec->user,
				 error);
	if (code == 0 && (options->domain != NULL || spec->domain != NULL))
		code = copy_text(&credentials->domain,
				 options->domain != NULL ? options->domain : spec->domain, error);
	if (code != 0)
		return code;
	if (options->has_password || spec->password.bytes != NULL) {
		const struct rdr_secret *given = options->has_password ? &options->password : &spec->password;

		code = rdr_secret_set(&credentials->password, given->bytes, given->length, error);
		has_password = true;
	}
	if (code == 0 && options->credentials != NULL)
		code = from_file(options->credentials, credentials, &has_password, error);
	/* a loadable driver need not know what a user is: nobody is asked for what nobody named */
	if (code != 0 || options->guest ||
	    (spec->scheme == RDR_SCHEME_DRIVER && credentials->user == NULL && !has_password))
		return code;
	code = from_environment(credentials, &has_password, error);
	if (code == 0)
		code = default_user(credentials, error);
	if (code == 0 && !has_password)
		code = from_terminal(spec, credentials, error);
	return code;
}

void rdr_credentials_forget(struct rdr_credentials *credentials)
{
	rdr_secret_wipe(&credentials->password);
	free(credentials->user);
	free(credentials->domain);
	memset(credentials, 0, sizeof(*credentials));
}

/**
 * rdr_scrub_environment - take every secret out of this process' environment
 *
 * Overwrites the bytes where the kernel put them, because /proc/PID/environ reads those.
 * Children that are started later do not get them either.
 */
void rdr_scrub_environment(void)
{
	for (char **entry = environ; *entry != NULL; entry++) {
		char *value = strchr(*entry, '=');

		if (value == NULL)
			continue;
		if (strncmp(*entry, "PASSWD=", 7) == 0) {
			explicit_bzero(value + 1, strlen(value + 1));
		} else if (strncmp(*entry, "USER=", 5) == 0) {
			char *percent = strchr(value, '%');

			if (percent != NULL)
				explicit_bzero(percent, strlen(percent));
		}
	}
	unsetenv("PASSWD");
	unsetenv("PASSWD_FD");
}
