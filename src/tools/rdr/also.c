/*
 * also.c - the second mount point of a mem: volume (rdr mount --also DIR2): the same volume through another server name,
 * hence another client of it, with leases of its own.
 *
 * A volume in memory lives in one process, so its second mount has to be there, too.  It begins before the first one is
 * said to work, and ends with it; unmounted by itself it leaves the first one alone.
 *
 * Owns:      struct rdr_also: the second connection, its FUSE session and the thread that serves it.
 * Found by:  serve->also.
 * Dies when: rdr_also_stop(), after the first session has ended.
 */
#include <stdlib.h>
#include <string.h>

#include "rdr_explain.h"
#include "serve.h"

struct rdr_also {
	struct serve *serve;
	struct door_volume *volume;
	struct rdr_fuse *fuse;
	pthread_t thread;
	bool has_thread;
	bool ended; /* atomic: nobody is served there any more */
};

static void also_ready(void *context, NTSTATUS status)
{
	const struct serve *serve = context;
	struct rdr_error error;

	if (NT_SUCCESS(status))
		return;
	rdr_explain(&error, serve->request->also, "opening the folder", status);
	rdr_warn("%s", error.text);
}

static void *also_run(void *argument)
{
	struct rdr_also *also = argument;
	int result;

	nt_adopt_thread("rdr-also");
	result = rdr_fuse_run(also->fuse);
	if (result < 0)
		rdr_warn("%s: FUSE failed: %s", also->serve->request->also, strerror(-result));
	__atomic_store_n(&also->ended, true, __ATOMIC_RELEASE);
	nt_release_thread();
	return NULL;
}

int rdr_also_start(struct serve *serve, struct rdr_error *error)
{
	struct rdr_also *also = calloc(1, sizeof(*also));
	char *server = NULL;
	int code, why;

	if (also == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	serve->also = also;
	also->serve = serve;
	if (asprintf(&server, "%s-also", serve->request->spec.server) < 0)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	code = rdr_serve_connect(serve, server, &also->volume, error);
	free(server);
	if (code == 0)
		code = rdr_serve_mount(serve, serve->request->also, also->volume, also_ready, &also->fuse,
				       error);
	if (code != 0)
		return code;
	why = pthread_create(&also->thread, NULL, also_run, also);
	if (why != 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot start a thread: %s", strerror(why));
	also->has_thread = true;
	return 0;
}

/* The second mount point while it is served; NULL: there is none.  Any thread between start and stop. */
const char *rdr_also_directory(const struct serve *serve)
{
	const struct rdr_also *also = serve->also;

	return also == NULL || __atomic_load_n(&also->ended, __ATOMIC_ACQUIRE) ? NULL : serve->request->also;
}

void rdr_also_stop(struct serve *serve)
{
	struct rdr_also *also = serve->also;

	serve->also = NULL;
	if (also == NULL)
		return;
	if (also->has_thread) {
		rdr_fuse_stop(also->fuse);
		pthread_join(also->thread, NULL);
	}
	if (also->fuse != NULL)
		rdr_fuse_destroy(also->fuse);
	if (also->volume != NULL)
		door_volume_disconnect(also->volume);
	free(also);
}
