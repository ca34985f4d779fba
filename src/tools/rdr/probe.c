/*
 * probe.c - does the server still answer?
 *
 * Owns:      a thread that asks for the root of the volume, and the question's cancel slot.
 * Rules:     asked by the steward only, one at a time; the answer is awaited for a bounded time,
 *            the thread itself for as long as the driver needs to give up a cancelled request.
 * Dies when: rdr_probe_end().
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define PROBE_MS 1500

struct rdr_probe {
	struct door_volume *volume;
	struct door_cancel cancel;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t answered;
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
	pthread_cond_signal(&probe->answered);
	pthread_mutex_unlock(&probe->lock);
	nt_release_thread();
	return NULL;
}

/* TRUE when the server answered within PROBE_MS. */
bool rdr_probe_server(struct serve *serve)
{
	struct timespec end;
	bool good;

	rdr_probe_end(serve);
	struct rdr_probe *probe = calloc(1, sizeof(*probe));

	if (probe == NULL)
		return false;
	probe->volume = serve->volume;
	door_cancel_init(&probe->cancel);
	pthread_mutex_init(&probe->lock, NULL);
	pthread_cond_init(&probe->answered, NULL);
	if (pthread_create(&probe->thread, NULL, ask, probe) != 0) {
		free(probe);
		return false;
	}
	serve->probe = probe;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PROBE_MS / 1000;
	end.tv_nsec += PROBE_MS % 1000 * 1000000L;
	if (end.tv_nsec >= 1000000000L) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&probe->lock);
	while (!probe->done) {
		if (pthread_cond_timedwait(&probe->answered, &probe->lock, &end) == ETIMEDOUT)
			break;
	}
	good = probe->done && probe->good;
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
	pthread_cond_destroy(&probe->answered);
	pthread_mutex_destroy(&probe->lock);
	free(probe);
	serve->probe = NULL;
}
