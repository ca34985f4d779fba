/*
 * probe.c - does the server still answer?
 *
 * Owns:      a thread that asks for the root of the volume, and the question's cancel slot.
 * Rules:     asked by the steward only, one at a time; the answer is looked at, never waited for; the
 *            thread itself is, for as long as the driver needs to give up a cancelled request.
 * Dies when: rdr_probe_end().
 */
#include "serve.h"

#include <stdlib.h>

struct rdr_probe {
	struct door_volume *volume;
	struct door_cancel cancel;
	pthread_t thread;
	pthread_mutex_t lock;
	bool done; /* under lock */
	bool good; /* under lock */
};

static void *ask(void *argument)
{
	struct rdr_probe *probe = argument;
	struct door_caller caller = {.cancel = &probe->cancel};
	const UNICODE_STRING root = {0};
	FILE_STAT_INFORMATION information;

	nt_adopt_thread("rdr-probe");
	NTSTATUS status = door_stat_path(probe->volume, &caller, &root, &information);

	pthread_mutex_lock(&probe->lock);
	probe->done = true;
	probe->good = NT_SUCCESS(status) || status == STATUS_ACCESS_DENIED;
	pthread_mutex_unlock(&probe->lock);
	nt_release_thread();
	return NULL;
}

/* Asks, and does not wait.  Without memory or a thread the answer is no. */
void rdr_probe_begin(struct serve *serve)
{
	rdr_probe_end(serve);
	struct rdr_probe *probe = calloc(1, sizeof(*probe));

	if (probe == NULL)
		return;
	probe->volume = serve->volume;
	door_cancel_init(&probe->cancel);
	pthread_mutex_init(&probe->lock, NULL);
	if (pthread_create(&probe->thread, NULL, ask, probe) != 0) {
		pthread_mutex_destroy(&probe->lock);
		free(probe);
		return;
	}
	serve->probe = probe;
}

/* TRUE when the server has answered; when not, the question is withdrawn. */
bool rdr_probe_good(struct serve *serve)
{
	struct rdr_probe *probe = serve->probe;

	if (probe == NULL)
		return false;
	pthread_mutex_lock(&probe->lock);
	bool good = probe->done && probe->good;

	pthread_mutex_unlock(&probe->lock);
	if (!good)
		door_cancel_fire(&probe->cancel); /* it must not stand in the way of those that end now */
	return good;
}

void rdr_probe_end(struct serve *serve)
{
	struct rdr_probe *probe = serve->probe;

	if (probe == NULL)
		return;
	door_cancel_fire(&probe->cancel);
	pthread_join(probe->thread, NULL);
	pthread_mutex_destroy(&probe->lock);
	free(probe);
	serve->probe = NULL;
}
