/*
 * stops.c - see stops.h.
 */
#include "stops.h"

#include "../../support/child.h"

#include "check.h"

#define STOPS_TEXT 65536
#define STOPS_LIMIT_S 20
#define STOPS_CAME_BACK 77

static int stops_child(const void *arg)
{
	void (*const *fn)(void) = arg;

	(*fn)();
	return STOPS_CAME_BACK;
}

/* The child's status; the end of what it printed goes to text, which holds STOPS_TEXT bytes. */
static int stops_run(void (*fn)(void), char *text)
{
	struct child c = {stops_child, &fn, NT_MISUSE_STOP, STOPS_LIMIT_S}; /* also in a release build */

	return child_run(&c, text, STOPS_TEXT);
}

static bool stops_came_back(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == STOPS_CAME_BACK;
}

bool stops_with(void (*fn)(void), const char *expected)
{
	char *text = malloc(STOPS_TEXT);
	int status;
	bool stopped;

	CHECK(text != NULL);
	status = stops_run(fn, text);
	stopped = !stops_came_back(status) && strstr(text, expected) != NULL;
	if (!stopped)
		fprintf(stderr, "status %x, without \"%s\": %s\n", (unsigned int)status, expected, text);
	free(text);
	return stopped;
}

bool runs_through(void (*fn)(void))
{
	char *text = malloc(STOPS_TEXT);
	bool through;

	CHECK(text != NULL);
	through = stops_came_back(stops_run(fn, text));
	if (!through)
		fprintf(stderr, "%s\n", text);
	free(text);
	return through;
}
