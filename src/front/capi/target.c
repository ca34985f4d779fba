/*
 * target.c - what a target string names.
 *
 *   mem:[volume]
 *   //server[:port]/share[/dir]      also with backslashes
 *   smb://[domain;][user@]server[:port]/share[/dir]
 *
 * A password in a URL is refused: it would stay in the caller's logs.
 */
#include <stdlib.h>
#include <string.h>

#include "front/capi/capi_int.h"

static char *cut(char *text, const char *separators)
{
	char *at = strpbrk(text, separators);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return at + 1;
}

static int parse_port(const char *text, unsigned int *port)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > 65535)
		return -EINVAL;
	*port = (unsigned int)value;
	return 0;
}

/* server[:port]/share[/dir]; an IPv6 address is in brackets. */
static int parse_server(char *text, const char *separators, struct capi_target *target)
{
	char *share = cut(text, separators);
	char *port, *path;

	if (share == NULL)
		return -EINVAL;
	target->server = text;
	if (*text == '[') {
		char *end = strchr(text, ']');

		if (end == NULL)
			return -EINVAL;
		*end = '\0';
		target->server = text + 1;
		port = end[1] == ':' ? end + 2 : NULL;
		if (end[1] != '\0' && end[1] != ':')
			return -EINVAL;
	} else {
		port = cut(text, ":");
	}
	if (port != NULL && parse_port(port, &target->port) != 0)
		return -EINVAL;
	path = cut(share, separators);
	target->share = share;
	target->path = path != NULL ? path : "";
	return *target->server != '\0' && *share != '\0' ? 0 : -EINVAL;
}

static int parse_url(char *text, struct capi_target *target)
{
	size_t authority = strcspn(text, "/");
	char *at = memchr(text, '@', authority);

	if (at != NULL) {
		char *user = text;

		*at = '\0';
		text = at + 1;
		if (strchr(user, ':') != NULL)
			return -EINVAL;
		target->user = cut(user, ";");
		if (target->user != NULL)
			target->domain = user;
		else
			target->user = user;
	}
	return parse_server(text, "/", target);
}

int capi_target_parse(const char *text, struct capi_target *target)
{
	size_t length;

	RtlZeroMemory(target, sizeof(*target));
	if (text == NULL)
		return -EINVAL;
	length = strlen(text);
	target->text = ExAllocatePoolWithTag(NonPagedPool, length + 1, CAPI_TAG_TEXT);
	if (target->text == NULL)
		return -ENOMEM;
	RtlCopyMemory(target->text, text, length + 1);
	target->path = "";
	if (strncmp(text, "mem:", 4) == 0) {
		target->scheme = "mem";
		target->server = "mem";
		target->share = text[4] != '\0' ? target->text + 4 : "default";
		return strpbrk(target->share, "/\\") == NULL ? 0 : -EINVAL;
	}
	target->scheme = "smb";
	if (strncmp(text, "smb://", 6) == 0)
		return parse_url(target->text + 6, target);
	if (strncmp(text, "//", 2) == 0)
		return parse_server(target->text + 2, "/", target);
	if (strncmp(text, "\\\\", 2) == 0)
		return parse_server(target->text + 2, "\\", target);
	return -EINVAL;
}

void capi_target_free(struct capi_target *target)
{
	if (target->text != NULL)
		ExFreePoolWithTag(target->text, CAPI_TAG_TEXT);
	target->text = NULL;
}
