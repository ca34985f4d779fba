/*
 * child.h - what must stop the process is tried in a child of it, and what the child says is heard.
 *
 * The child has this process's objects and locks, and no thread but the one that runs. It ends by itself, or by SIGALRM.
 */
#ifndef RX_TEST_CHILD_H
#define RX_TEST_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nt_misuse.h"

struct child {
	int (*fn)(const void *arg); /* its return ends the child: 0 to 127 */
	const void *arg;
	enum nt_misuse_action action; /* in the child, whatever the build */
	unsigned int limit_s;
};

static inline void child_must(int done, const char *what)
{
	if (done)
		return;
	perror(what);
	abort();
}

/*
 * Return: the child's status, as waitpid() tells it. @text: what it printed on stderr, with a NUL; of more than fits the
 * end.
 */
static inline int child_run(const struct child *c, char *text, size_t capacity)
{
	size_t length = 0;
	int fds[2], status = 0;
	pid_t child;
	ssize_t n;

	child_must(pipe(fds) == 0, "pipe");
	fflush(NULL);
	child = fork();
	child_must(child >= 0, "fork");
	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL); /* a sanitizer may have them */
		(void)signal(SIGTRAP, SIG_DFL);
		(void)signal(SIGILL, SIG_DFL);
		(void)dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		(void)alarm(c->limit_s);
		nt_misuse_set_action(c->action);
		_exit(c->fn(c->arg));
	}
	close(fds[1]);
	while ((n = read(fds[0], text + length, capacity - 1 - length)) > 0) {
		length += (size_t)n;
		if (length == capacity - 1) {
			memmove(text, text + capacity / 2, length - capacity / 2);
			length -= capacity / 2;
		}
	}
	text[length] = 0;
	close(fds[0]);
	child_must(waitpid(child, &status, 0) == child, "waitpid");
	return status;
}

#endif
