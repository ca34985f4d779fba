/*
 * stops.c - see stops.h.
 */
#include "stops.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "nt_misuse.h"

#define STOPS_TEXT 65536
#define STOPS_LIMIT_S 20
#define STOPS_CAME_BACK 77

/* The child's exit status; the end of what it printed goes to text, which holds STOPS_TEXT bytes. */
static int stops_run(void (*fn)(void), char *text)
{
	size_t length = 0;
	int fds[2], status = 0;
	pid_t child;
	ssize_t n;

	CHECK(pipe(fds) == 0);
	fflush(NULL);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)alarm(STOPS_LIMIT_S);
		nt_misuse_set_action(NT_MISUSE_STOP); /* also in a release build */
		(void)dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(STOPS_CAME_BACK);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + length, STOPS_TEXT - 1 - length)) > 0) {
		length += (size_t)n;
		if (length == STOPS_TEXT - 1) { /* a long log: its end is kept */
			memmove(text, text + STOPS_TEXT / 2, length - STOPS_TEXT / 2);
			length -= STOPS_TEXT / 2;
		}
	}
	text[length] = '\0';
	close(fds[0]);
	CHECK(waitpid(child, &status, 0) == child);
	return status;
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
