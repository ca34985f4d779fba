/* serve.h - the state of one mount, shared by serve.c (its life), probe.c and objects.c (what it tells). */
#ifndef RDR_TOOLS_RDR_SERVE_H
#define RDR_TOOLS_RDR_SERVE_H

#include <pthread.h>

#include "front/door/door.h"
#include "front/fuse/fuse_front.h"
#include "rdr.h"

struct serve {
	/* constant while threads run */
	struct rdr_mount_request *request;
	struct rdr_daemon *daemon;
	struct door *door;
	struct door_volume *volume;
	struct rdr_control *control;
	struct rdr_device *device;
	struct rdr_also *also; /* the second mount point, or NULL */
	int signals;
	int orders[2]; /* to the steward: 'u' unmount, 'f' by force, 'q' end */
	pthread_t steward;
	bool has_steward;

	struct door_cancel cancel; /* of the connection that is being made */
	bool worked;               /* set once, before the parent is told */

	pthread_mutex_t lock;
	struct rdr_fuse *fuse; /* under lock */
	bool stop;             /* under lock: end as soon as you can */

	struct rdr_probe *probe; /* steward only */
};

/* serve.c, for also.c */
int rdr_serve_connect(struct serve *serve, const char *server, struct door_volume **volume,
		      struct rdr_error *error);
int rdr_serve_mount(struct serve *serve, const char *directory, struct door_volume *volume,
		    void (*ready)(void *context, NTSTATUS status), struct rdr_fuse **fuse,
		    struct rdr_error *error);

/* also.c */
int rdr_also_start(struct serve *serve, struct rdr_error *error);
const char *rdr_also_directory(const struct serve *serve);
void rdr_also_stop(struct serve *serve);

void rdr_probe_begin(struct serve *serve);
bool rdr_probe_good(struct serve *serve);
void rdr_probe_end(struct serve *serve);
void rdr_serve_status(struct serve *serve, struct rdr_json *json);
void rdr_serve_check(struct serve *serve, struct rdr_json *json);
void rdr_serve_stats(struct rdr_json *json);

#endif
